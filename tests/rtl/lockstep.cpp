// SPDX-License-Identifier: Apache-2.0
#include "tests/rtl/lockstep_bench.h"

#include <algorithm>
#include <cstring>

namespace
{

enum {
    FAULT_NOT_BUILT = 15,
    TAIL_CYCLES = 16,
    REMOTE_LANES = 8,
    ACK_LANES = 4
};

} // namespace

void bench::clock()
{
    top_->clk_i = 0;
    top_->eval();
#ifdef TESSERA_WAVE
    if (l_->wave)
        fst_.dump(time_);
#endif
    time_++;
}

void bench::host(unsigned what, unsigned addr, uint64_t low, uint64_t high)
{
    top_->host_valid_i = 1;
    top_->host_what_i = what;
    top_->host_addr_i = addr;
    set_field(top_->host_data_i, 0, 64, low);
    set_field(top_->host_data_i, 64, 64, high);
    clock();
    top_->clk_i = 1;
    top_->eval();
    top_->host_valid_i = 0;
}

void bench::load()
{
    top_->rst_ni = 0;
    clock();
    top_->clk_i = 1;
    top_->eval();
    top_->rst_ni = 1;
    for (uint32_t i = 0; i < p_->n_tcp; i++)
        host(0, i, p_->tcp[i].w[0], p_->tcp[i].w[1]);
    for (uint32_t i = 0; i < p_->n_tvp; i++)
        host(1, i, p_->tvp[i]);
    for (uint32_t i = 0; p_->control && p_->control[r_->tile] && i < p_->control_bytes[r_->tile];
         i += 8) {
        uint64_t v = 0;
        memcpy(&v, p_->control[r_->tile] + i, std::min(8u, p_->control_bytes[r_->tile] - i));
        host(2, i, v);
    }
    for (unsigned i = 0; p_->args && i < TSR_LAUNCH_REGS; i++)
        host(3, i + 1, static_cast<uint64_t>(p_->args[r_->tile][i]));
    for (unsigned i = 0; i < l_->chip->tile.semaphores; i++)
        host(4, i, p_->consumer[i] < TSR_QUEUES ? p_->consumer[i] : 15);
    host(5, 0, p_->n_tcp | uint64_t{p_->n_tvp} << 32);
}

void bench::drive()
{
    top_->doorbell_i = cycle_ == 0;
    // without `valid` the host may say anything; it repeats as the TSRAM's turns do
    top_->host_what_i = cycle_ % 8;
    top_->host_addr_i = cycle_ % 8 + 1;
    set_field(top_->host_data_i, 0, 64, ~uint64_t{0} / (cycle_ % 8 + 1));
    top_->remote_i = 0;
    unsigned lane = 0;
    for (const rtl_event *e; (e = due(RTL_REMOTE)) != nullptr; take(RTL_REMOTE), lane++) {
        if (lane == REMOTE_LANES) {
            differ("more than %d posts arrive in one cycle", REMOTE_LANES);
            return;
        }
        top_->remote_i |= static_cast<uint8_t>(1u << lane);
        set_field(top_->remote_sem_i, 8 * lane, 8, e->reg);
        set_field(top_->remote_queue_i, 8 * lane, 8, e->queue);
        set_field(top_->remote_pc_i, 32 * lane, 32, e->pc);
    }
    drive_port();
}

/* What comes through the tile's port. Requests of cycle t are on the RTL's port in t + 1. */
void bench::drive_port()
{
    unsigned heads = 0, lane = 0;
    for (const rtl_event *e; (e = due(RTL_HEAD)) != nullptr; take(RTL_HEAD))
        heads += e->kind != FORWARD;
    if (heads > 31)
        differ("more than 31 packets reach the cluster in one cycle");
    top_->heads_i = heads;
    top_->ack_i = 0;
    for (const rtl_event *e; (e = due(RTL_ACK)) != nullptr; take(RTL_ACK), lane++) {
        if (lane == ACK_LANES) {
            differ("more than %d acknowledgements in one cycle", ACK_LANES);
            return;
        }
        top_->ack_i |= static_cast<uint8_t>(1u << lane);
        set_field(top_->ack_id_i, 16 * lane, 16, id_[e->reg]);
    }
    drive_beat();
}

void bench::drive_beat()
{
    const rtl_stream *s = &r_->stream[RTL_IN];
    const rtl_event *e = next_[RTL_IN] < s->n ? &s->e[next_[RTL_IN]] : nullptr;
    top_->in_valid_i = e && e->cycle + beats_in_ == cycle_;
    if (!top_->in_valid_i)
        return;
    uint32_t port = l_->chip->tile.port_bytes, at = beats_in_ * port;
    top_->in_cast_i = e->kind == CAST;
    top_->in_id_i = e->kind == CAST ? 0 : id_[e->reg];
    top_->in_at_i = static_cast<uint32_t>(e->near);
    top_->in_first_i = std::min(e->first, e->bytes);
    top_->in_len_i = e->len;
    top_->in_gap_i = static_cast<uint32_t>(e->gap);
    top_->in_bytes_i = e->bytes;
    memset(&top_->in_data_i, 0, port);
    memcpy(&top_->in_data_i, r_->data + e->data + at, std::min(port, e->bytes - at));
    top_->in_last_i = at + port >= e->bytes;
    beats_in_++;
    if (top_->in_last_i) {
        beats_in_ = 0;
        take(RTL_IN);
    }
}

/* A fault leaves packets on their way, and the last request on its way to the port. */
bool bench::at_the_end(rtl_kind k) const
{
    const rtl_event *e = &r_->stream[k].e[next_[k]];
    if (!r_->fault.kind)
        return false;
    return k == RTL_IN || k == RTL_OUT || (k == RTL_REQUEST && e->cycle >= r_->fault.cycle);
}

verdict bench::run()
{
    load();
    if (l_->traced)
        trace_.reset(new rtl_trace(l_->isa, l_->chip, p_));
    uint64_t end = r_->fault.kind ? r_->fault.cycle : r_->cycles + TAIL_CYCLES;
    bool missing = false;
    for (cycle_ = 0; cycle_ <= end && difference_.empty() && !missing; cycle_++) {
        drive();
        clock();
        missing = top_->fault_o && top_->fault_kind_o == FAULT_NOT_BUILT;
        if (missing)
            break;
        compare();
        if (trace_)
            trace_->note(*top_, cycle_);
        if (!difference_.empty())
            break;
        top_->clk_i = 1;
        top_->eval();
#ifdef TESSERA_WAVE
        if (l_->wave)
            fst_.dump(time_);
#endif
        time_++;
    }
    if (!missing && difference_.empty())
        for (int k = 0; k < RTL_KINDS; k++)
            if (next_[k] < r_->stream[k].n && !at_the_end(static_cast<rtl_kind>(k)))
                differ("the simulator has %zu more of %s", r_->stream[k].n - next_[k],
                       rtl_kind_name[k]);
    compare_data();
#ifdef TESSERA_WAVE
    if (l_->wave)
        fst_.close();
#endif
    if (missing) {
        l_->not_run++;
        l_->report = std::string("unit of queue ") + tsr_queue_name[top_->fault_queue_o & 7] +
                     " is not built";
        return verdict::not_built;
    }
    l_->programs++;
    l_->cycles += cycle_;
    l_->instructions += retired_;
    if (difference_.empty() && trace_) {
        rtl_record own = trace_->record(r_->tile);
        l_->traced(l_->traced_self, p_, &own);
    }
    if (difference_.empty())
        return verdict::equal;
    l_->mismatches++;
    screen();
    return verdict::different;
}

verdict lockstep_run(struct lockstep *l, const struct tsr_program *p, const struct rtl_record *r)
{
    l->report.clear();
    if (r->tile >= p->tiles) // the tile has no part in it
        return verdict::equal;
    return bench(l, p, r).run();
}
