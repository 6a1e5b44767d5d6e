// SPDX-License-Identifier: Apache-2.0
#include "tests/rtl/lockstep.h"
#include "tests/rtl/rtl_trace.h"
#include "tests/rtl/vector_check.h"

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>

#include "Vtsr_bench.h"
#include "verilated.h"
#ifdef TESSERA_WAVE
#include "verilated_fst_c.h"
#endif

namespace
{

enum {
    FAULT_NOT_BUILT = 15,
    TAIL_CYCLES = 16,
    REMOTE_LANES = 8,
    ACK_LANES = 4
};
// enum desc_kind of sim/core/machine.h
enum {
    READ,
    WRITE,
    LOCAL,
    FORWARD,
    CAST
};

// A field of a port of any width; ports lie in memory lowest word first.
template <typename T> uint64_t field(const T &port, unsigned lsb, unsigned width)
{
    const auto *p = reinterpret_cast<const uint8_t *>(&port);
    uint64_t v = 0;
    for (unsigned i = 0; i < width; i += 8)
        v |= uint64_t{p[(lsb + i) / 8]} << i;
    return v;
}

template <typename T> void set_field(T &port, unsigned lsb, unsigned width, uint64_t v)
{
    auto *p = reinterpret_cast<uint8_t *>(&port);
    for (unsigned i = 0; i < width; i += 8)
        p[(lsb + i) / 8] = static_cast<uint8_t>(v >> i);
}

class bench
{
  public:
    bench(struct lockstep *l, const tsr_program *p, const rtl_record *r)
        : l_(l), p_(p), r_(r), top_(new Vtsr_bench(&context_)), vector_(r, l->chip->tile.tvp.lanes)
    {
#ifdef TESSERA_WAVE
        if (l->wave) {
            context_.traceEverOn(true);
            top_->trace(&fst_, 99);
            fst_.open(l->wave);
        }
#endif
    }
    verdict run();

  private:
    void clock();
    void host(unsigned what, unsigned addr, uint64_t low, uint64_t high = 0);
    void load();
    void drive();
    void compare();
    void compare_tcp();
    void compare_queues();
    void compare_semaphores();
    void compare_vectors();
    void compare_fault();
    bool at_the_end(rtl_kind k) const;
    void drive_port();
    void drive_beat();
    void compare_port();
    void compare_writes();
    void compare_drain();
    void differ(const char *format, ...) __attribute__((format(printf, 2, 3)));
    const rtl_event *due(rtl_kind k); // the next of its kind, if it is of this cycle
    void take(rtl_kind k)
    {
        next_[k]++;
    }
    std::string word(uint32_t pc) const;
    std::string vector_word(uint32_t pc) const;
    void say(const char *format, ...) __attribute__((format(printf, 2, 3)));
    void say_state();
    void say_event(const char *mark, rtl_kind k, size_t i);
    void screen();

    struct lockstep *l_;
    const tsr_program *p_;
    const rtl_record *r_;
    VerilatedContext context_;
    std::unique_ptr<Vtsr_bench> top_;
    vector_check vector_;
    std::unique_ptr<rtl_trace> trace_; // where somebody counts it
#ifdef TESSERA_WAVE
    VerilatedFstC fst_;
#endif
    uint64_t time_ = 0, cycle_ = 0, retired_ = 0;
    size_t next_[RTL_KINDS] = {};
    size_t next_x_ = 0; // in the TCP's stream: the next that writes a register
    std::string difference_;
    std::map<uint32_t, uint32_t> id_; // of the RTL, by the simulator's number of a request
    uint32_t beats_in_ = 0;           // of the packet that is coming in
    size_t sent_ = 0;                 // bytes of the packet that is going out
};

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

const rtl_event *bench::due(rtl_kind k)
{
    const rtl_stream *s = &r_->stream[k];
    return next_[k] < s->n && s->e[next_[k]].cycle == cycle_ ? &s->e[next_[k]] : nullptr;
}

std::string bench::word(uint32_t pc) const
{
    char text[256] = "no word of the program";
    tsr_insn in;
    tsr_error err;
    if (pc < p_->n_tcp) {
        if (tsr_decode(l_->isa, TSR_STREAM_TCP, p_->tcp[pc], &in, &err) == TSR_OK)
            tsr_disassemble_insn(l_->isa, &in, text, sizeof text);
        else
            snprintf(text, sizeof text, "illegal 0x%016" PRIx64 "%016" PRIx64, p_->tcp[pc].w[1],
                     p_->tcp[pc].w[0]);
    }
    return text;
}

std::string bench::vector_word(uint32_t pc) const
{
    char text[256] = "no word of a routine";
    tsr_insn in;
    tsr_error err;
    tsr_word w = {};
    if (pc < p_->n_tvp) {
        w.w[0] = p_->tvp[pc];
        if (tsr_decode(l_->isa, TSR_STREAM_TVP, w, &in, &err) == TSR_OK)
            tsr_disassemble_insn(l_->isa, &in, text, sizeof text);
        else
            snprintf(text, sizeof text, "illegal 0x%016" PRIx64, p_->tvp[pc]);
    }
    return text;
}

void bench::differ(const char *format, ...)
{
    if (!difference_.empty())
        return;
    char text[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    difference_ = text;
}

void bench::drive()
{
    top_->doorbell_i = cycle_ == 0;
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

/* The port's registers show a cycle late what happened in the one before. */
void bench::compare_port()
{
    const rtl_stream *s = &r_->stream[RTL_REQUEST];
    const rtl_event *e = next_[RTL_REQUEST] < s->n ? &s->e[next_[RTL_REQUEST]] : nullptr;
    bool there = e && e->cycle + 1 == cycle_;
    if (top_->req_o != there) {
        differ("dma: request of channel %u in the %s only",
               there ? e->queue - TSR_Q_DMA0 : top_->req_channel_o, there ? "simulator" : "RTL");
    } else if (there) {
        if (top_->req_channel_o + TSR_Q_DMA0 != e->queue || top_->req_address_o != e->address ||
            top_->req_bytes_o != e->bytes)
            differ("dma: request of channel %u for %u bytes at 0x%" PRIx64 " in the RTL, of %s for "
                   "%u at 0x%" PRIx64 " in the simulator",
                   top_->req_channel_o, top_->req_bytes_o,
                   static_cast<uint64_t>(top_->req_address_o), tsr_queue_name[e->queue & 7],
                   e->bytes, e->address);
        if (e->kind == CAST && (top_->req_mask_o != e->value || top_->req_at_o != e->near ||
                                top_->req_first_o != std::min(e->first, e->bytes)))
            differ("dma: a cast to tiles 0x%" PRIx64 " at 0x%x in the RTL, 0x%" PRIx64
                   " at 0x%" PRIx64 " in the simulator",
                   static_cast<uint64_t>(top_->req_mask_o), top_->req_at_o, e->value, e->near);
        id_[e->reg] = top_->req_id_o;
        take(RTL_REQUEST);
    }
    s = &r_->stream[RTL_OUT];
    e = next_[RTL_OUT] < s->n ? &s->e[next_[RTL_OUT]] : nullptr;
    uint32_t port = l_->chip->tile.port_bytes;
    there = e && e->cycle + sent_ / port + 1 == cycle_;
    if (top_->out_o != there) {
        differ("dma: a beat leaves in the %s only", there ? "simulator" : "RTL");
    } else if (there) {
        size_t n = std::min<size_t>(port, e->bytes - sent_);
        if (top_->out_id_o != id_[e->reg])
            differ("dma: a beat of request %u leaves, the simulator's is %u", top_->out_id_o,
                   id_[e->reg]);
        else if (e->has_data && memcmp(&top_->out_data_o, r_->data + e->data + sent_, n) != 0)
            differ("dma: the beat from byte %zu of request %u differs", sent_, top_->out_id_o);
        else if (top_->out_last_o != (sent_ + port >= e->bytes))
            differ("dma: request %u ends in the wrong beat", top_->out_id_o);
        sent_ += port;
        if (sent_ >= e->bytes) {
            sent_ = 0;
            take(RTL_OUT);
        }
    }
    unsigned posts = top_->rpost_o;
    for (; (e = due(RTL_RPOST)) != nullptr; take(RTL_RPOST)) {
        unsigned c = 0;
        while (c < 4 && !(posts >> c & 1 && field(top_->rpost_sem_o, 8 * c, 8) == e->reg &&
                          field(top_->rpost_mask_o, 64 * c, 64) == e->value))
            c++;
        if (c == 4)
            differ("dma: the simulator posts s%u remotely, the RTL does not", e->reg);
        posts &= ~(1u << c);
    }
    if (posts)
        differ("dma: the RTL posts remotely, the simulator does not");
}

/* Granted line writes: requester 4 the TVP, 6 the TDMA, 7 the ACC. What is not recorded is not
 * compared. */
void bench::compare_writes()
{
    static const unsigned requester[3] = {4, 6, 7};
    static const char *const name[3] = {"tvp", "dma", "acc"};
    uint32_t bytes = l_->chip->tile.line_bytes;
    const auto *mask = reinterpret_cast<const uint8_t *>(&top_->write_mask_o);
    const auto *data = reinterpret_cast<const uint8_t *>(&top_->write_data_o);
    bool matched[3] = {};
    for (const rtl_event *e; (e = due(RTL_WRITE)) != nullptr; take(RTL_WRITE)) {
        unsigned w = 0;
        while (w < 2 && requester[w] != e->reg)
            w++;
        uint32_t line = static_cast<uint32_t>(field(top_->write_line_o, 32 * w, 32));
        matched[w] = true;
        if ((top_->write_o & 1u << w) == 0) {
            differ("%s: line 0x%" PRIx64 " is written in the simulator only", name[w], e->address);
            continue;
        }
        if (line != e->address)
            differ("%s: line 0x%x is written in the RTL, 0x%" PRIx64 " in the simulator", name[w],
                   line, e->address);
        for (uint32_t b = 0; b < bytes; b++) {
            uint32_t bit = bytes * w + b;
            bool here = mask[bit / 8] >> bit % 8 & 1, want = r_->data[e->data + b] != 0;
            uint8_t v = data[bytes * w + b], u = r_->data[e->data + bytes + b];
            if (here != want)
                differ("%s: byte %u of line 0x%x is written in the %s only", name[w], b, line,
                       here ? "RTL" : "simulator");
            else if (here && v != u)
                differ(
                    "%s: byte %u of line 0x%x becomes 0x%02x in the RTL, 0x%02x in the simulator",
                    name[w], b, line, v, u);
        }
    }
    compare_drain();
    if ((top_->write_o & 2u) != 0 && !matched[1])
        differ("dma: line 0x%x is written in the RTL only",
               static_cast<uint32_t>(field(top_->write_line_o, 32, 32)));
}

/* Lines that a drain writes; the data of one that a fault cut short are not known. */
void bench::compare_drain()
{
    const rtl_event *e = due(RTL_ALINE);
    bool here = (top_->write_o & 4u) != 0;
    uint64_t line = field(top_->write_line_o, 64, 32);
    uint32_t bytes = l_->chip->tile.line_bytes;
    const auto *mask = reinterpret_cast<const uint8_t *>(&top_->write_mask_o);
    const auto *data = reinterpret_cast<const uint8_t *>(&top_->write_data_o) + 2 * bytes;
    if (here != (e != nullptr))
        differ("acc: a drain writes a line in the %s only", here ? "RTL" : "simulator");
    if (!e)
        return;
    if (here && line * bytes != e->address)
        differ("acc: line 0x%" PRIx64 " is written in the RTL, 0x%" PRIx64 " in the simulator",
               line, e->address / bytes);
    size_t i = next_[RTL_ALINE];
    take(RTL_ALINE);
    if (i >= r_->stream[RTL_ADATA].n)
        return;
    next_[RTL_ADATA] = i + 1;
    const uint8_t *want = r_->data + r_->stream[RTL_ADATA].e[i].data;
    for (uint32_t b = 0; here && b < bytes; b++) {
        uint32_t bit = 2 * bytes + b;
        bool on = mask[bit / 8] >> bit % 8 & 1, wanted = want[bytes + b] != 0;
        if (on != wanted || (on && data[b] != want[b]))
            differ("acc: byte %u of line 0x%" PRIx64 " is %s0x%02x in the RTL, %s0x%02x in the "
                   "simulator",
                   b, line, on ? "" : "not written, ", data[b], wanted ? "" : "not written, ",
                   want[b]);
    }
}

void bench::compare_tcp()
{
    const rtl_event *e = due(RTL_TCP);
    if (top_->tcp_o) {
        retired_++;
        if (!e)
            differ("tcp: the RTL retires word %u, the simulator none", top_->tcp_pc_o);
        else if (e->pc != top_->tcp_pc_o)
            differ("tcp: the RTL retires word %u, the simulator word %u", top_->tcp_pc_o, e->pc);
        else
            take(RTL_TCP);
    } else if (e) {
        differ("tcp: the simulator retires word %u, the RTL none", e->pc);
    }
    const rtl_stream *s = &r_->stream[RTL_TCP];
    if (top_->x_o) {
        while (next_x_ < s->n && s->e[next_x_].reg == 0)
            next_x_++;
        if (next_x_ >= next_[RTL_TCP]) {
            differ("tcp: the RTL writes x%u, the simulator no register", top_->x_reg_o);
        } else {
            const rtl_event *x = &s->e[next_x_++];
            if (x->reg != top_->x_reg_o || x->value != top_->x_value_o)
                differ("tcp: word %u: x%u = 0x%" PRIx64 " in the RTL, x%u = 0x%" PRIx64
                       " in the simulator",
                       x->pc, top_->x_reg_o, static_cast<uint64_t>(top_->x_value_o), x->reg,
                       x->value);
        }
    }
    e = due(RTL_STORE);
    if (top_->control_o != (e != nullptr)) {
        differ("tcp: a store to control memory in the %s only", e ? "simulator" : "RTL");
    } else if (e) {
        uint64_t mask = e->bytes == 8 ? 0xFF : e->address & 4 ? 0xF0 : 0x0F;
        uint64_t data = top_->control_data_o >> (mask == 0xF0 ? 32 : 0);
        uint64_t want = e->value;
        if (mask != 0xFF)
            data &= 0xFFFFFFFF, want &= 0xFFFFFFFF;
        if ((top_->control_addr_o & ~7u) != (e->address & ~7ull) || top_->control_mask_o != mask ||
            data != want)
            differ("tcp: store of 0x%" PRIx64 " at 0x%x in the RTL, 0x%" PRIx64 " at 0x%" PRIx64
                   " in the simulator",
                   data, top_->control_addr_o, want, e->address);
        take(RTL_STORE);
    }
}

void bench::compare_queues()
{
    struct {
        bool starts;
        unsigned pc, retired;
    } there[TSR_QUEUES] = {};
    for (const rtl_event *e; (e = due(RTL_START)) != nullptr; take(RTL_START)) {
        there[e->queue].starts = true;
        there[e->queue].pc = e->pc;
    }
    for (const rtl_event *e; (e = due(RTL_RETIRE)) != nullptr; take(RTL_RETIRE))
        there[e->queue].retired++;
    for (unsigned q = TSR_Q_TTU; q < TSR_QUEUES; q++) {
        unsigned pc = static_cast<unsigned>(field(top_->start_pc_o, 32 * q, 32));
        unsigned retired = static_cast<unsigned>(field(top_->retire_o, 8 * q, 8));
        bool starts = (top_->start_o & 1u << q) != 0;
        retired_ += retired;
        if (starts && !there[q].starts)
            differ("%s: word %u starts in the RTL only", tsr_queue_name[q], pc);
        if (!starts && there[q].starts)
            differ("%s: word %u starts in the simulator only", tsr_queue_name[q], there[q].pc);
        if (starts && there[q].starts && pc != there[q].pc)
            differ("%s: word %u starts in the RTL, word %u in the simulator", tsr_queue_name[q], pc,
                   there[q].pc);
        if (retired != there[q].retired)
            differ("%s: %u instructions retire in the RTL, %u in the simulator", tsr_queue_name[q],
                   retired, there[q].retired);
    }
}

void bench::compare_semaphores()
{
    uint64_t touched = 0, count[TSR_MAX_SEMAPHORES] = {};
    for (const rtl_event *e; (e = due(RTL_SEM)) != nullptr; take(RTL_SEM)) {
        touched |= uint64_t{1} << e->reg;
        count[e->reg] = e->value;
    }
    for (unsigned s = 0; touched != top_->sem_o && s < TSR_MAX_SEMAPHORES; s++)
        if ((touched ^ top_->sem_o) >> s & 1)
            differ("s%u changes in the %s only", s, touched >> s & 1 ? "simulator" : "RTL");
    for (uint64_t left = touched; left; left &= left - 1) {
        unsigned s = static_cast<unsigned>(__builtin_ctzll(left));
        uint64_t here = field(top_->count_o, 16 * s, 16);
        if (here != count[s] && !r_->fault.kind)
            differ("s%u counts %" PRIu64 " in the RTL, %" PRIu64 " in the simulator", s, here,
                   count[s]);
    }
}

void bench::compare_vectors()
{
    std::string d = vector_.compare(*top_, cycle_);
    retired_ += (top_->issue_o & 1) + (top_->issue_o >> 1 & 1);
    if (!d.empty())
        differ("%s", d.c_str());
    next_[RTL_VISSUE] = vector_.issued();
    next_[RTL_VLINE] = vector_.written();
    next_[RTL_VALUE] = r_->stream[RTL_VALUE].n;
    next_[RTL_VDATA] = r_->stream[RTL_VDATA].n;
}

void bench::compare_fault()
{
    const tsr_fault *f = &r_->fault;
    bool machine = f->kind && f->kind != TSR_FAULT_DEADLOCK && f->kind != TSR_FAULT_LIMIT &&
                   f->kind != TSR_FAULT_RACE && f->tile == r_->tile;
    bool there = machine && f->cycle == cycle_;
    if (top_->fault_o != there)
        differ("fault %s in the %s only", there ? tsr_fault_name[f->kind] : "",
               there ? "simulator" : "RTL");
    else if (there && (top_->fault_kind_o != f->kind || top_->fault_queue_o != f->queue ||
                       top_->fault_pc_o != f->pc))
        differ("fault %u of %s word %u in the RTL, %u of %s word %u in the simulator",
               top_->fault_kind_o, tsr_queue_name[top_->fault_queue_o & 7], top_->fault_pc_o,
               f->kind, tsr_queue_name[f->queue], f->pc);
}

void bench::compare()
{
    compare_tcp();
    compare_queues();
    compare_semaphores();
    compare_vectors();
    compare_port();
    compare_writes();
    compare_fault();
}

void bench::say(const char *format, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    l_->report += text;
}

/* Registers as both had them: they are compared when they are written. Semaphores of each side. */
void bench::say_state()
{
    uint64_t x[32] = {}, count[TSR_MAX_SEMAPHORES] = {};
    for (unsigned i = 0; p_->args && i < TSR_LAUNCH_REGS; i++)
        x[i + 1] = static_cast<uint64_t>(p_->args[r_->tile][i]);
    for (size_t i = 0; i < next_x_ && i < r_->stream[RTL_TCP].n; i++)
        if (r_->stream[RTL_TCP].e[i].reg)
            x[r_->stream[RTL_TCP].e[i].reg & 31] = r_->stream[RTL_TCP].e[i].value;
    for (size_t i = 0; i < next_[RTL_SEM]; i++)
        count[r_->stream[RTL_SEM].e[i].reg & 63] = r_->stream[RTL_SEM].e[i].value;
    say("  state: RTL's tcp at word %u (%s)%s\n   ", top_->tcp_pc_o, word(top_->tcp_pc_o).c_str(),
        top_->halted_o ? ", halted" : "");
    for (unsigned i = 1; i < 32; i++)
        if (x[i])
            say(" x%u=0x%" PRIx64, i, x[i]);
    say("\n    semaphores, RTL/simulator:");
    for (unsigned i = 0; i < l_->chip->tile.semaphores; i++) {
        uint64_t here = field(top_->count_o, 16 * i, 16);
        if (here || count[i])
            say(" s%u %" PRIu64 "/%" PRIu64, i, here, count[i]);
    }
    say("\n    RTL in this cycle: starts 0x%02x, retires 0x%016" PRIx64 ", issues %u\n",
        top_->start_o, static_cast<uint64_t>(top_->retire_o), top_->issue_o);
}

void bench::say_event(const char *mark, rtl_kind k, size_t i)
{
    const rtl_event *e = &r_->stream[k].e[i];
    bool vector = k == RTL_VISSUE || k == RTL_VALUE || k == RTL_VLINE || k == RTL_VDATA;
    const char *unit = vector ? "tvp" : tsr_queue_name[e->queue & 7];
    say("  %s %8" PRIu64 "  %-9s ", mark, e->cycle, rtl_kind_name[k]);
    switch (k) {
    case RTL_SEM:
        say("s%u = %" PRIu64 "\n", e->reg, e->value);
        break;
    case RTL_WRITE:
        say("line 0x%" PRIx64 " by requester %u\n", e->address, e->reg);
        break;
    case RTL_HEAD:
    case RTL_IN:
    case RTL_OUT:
    case RTL_ACK:
        say("request %d, kind %u: %u bytes; at 0x%" PRIx64 " %u, then %u each, %d apart\n",
            static_cast<int>(e->reg), e->kind, e->bytes, e->near, e->first, e->len, e->gap);
        break;
    default:
        say("%-5s word %u (%s)", unit, e->pc,
            vector ? vector_word(e->pc).c_str() : word(e->pc).c_str());
        if (k == RTL_TCP ? e->reg != 0 : k != RTL_START && k != RTL_RETIRE)
            say(" reg %u value 0x%" PRIx64 " address 0x%" PRIx64, e->reg, e->value, e->address);
        say("\n");
    }
}

/* One screen: what differs, both states, of each kind of event the last two on which both agree (=)
 * and the simulator's next (>). */
void bench::screen()
{
    l_->report.clear();
    say("cycle %" PRIu64 ", tile %u: %s\n", cycle_, r_->tile, difference_.c_str());
    say_state();
    for (int k = 0; k < RTL_KINDS; k++) {
        rtl_kind kind = static_cast<rtl_kind>(k);
        size_t n = next_[k];
        if (kind == RTL_VALUE || kind == RTL_VDATA) // belong to the kind before
            continue;
        for (size_t i = n > 2 ? n - 2 : 0; i < n; i++)
            say_event("=", kind, i);
        if (n < r_->stream[k].n)
            say_event(">", kind, n);
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

} // namespace

verdict lockstep_run(struct lockstep *l, const struct tsr_program *p, const struct rtl_record *r)
{
    l->report.clear();
    if (r->tile >= p->tiles) // the tile has no part in it
        return verdict::equal;
    return bench(l, p, r).run();
}
