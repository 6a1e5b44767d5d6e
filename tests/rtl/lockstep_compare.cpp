// SPDX-License-Identifier: Apache-2.0
// What the RTL did in a cycle against the simulator's record of it.
#include "tests/rtl/lockstep_bench.h"

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstring>

const rtl_event *bench::due(rtl_kind k)
{
    const rtl_stream *s = &r_->stream[k];
    return next_[k] < s->n && s->e[next_[k]].cycle == cycle_ ? &s->e[next_[k]] : nullptr;
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
    compare_accumulators();
    compare_queues();
    compare_semaphores();
    compare_vectors();
    compare_port();
    compare_writes();
    compare_fault();
}

/* At the end: the simulator told the value of each issue and the data of each line, or they were
 * not compared. Those that a fault cut short are not known. */
void bench::compare_data()
{
    static const rtl_kind pairs[][2] = {{RTL_VISSUE, RTL_VALUE},
                                        {RTL_VLINE, RTL_VDATA},
                                        {RTL_ALINE, RTL_ADATA},
                                        {RTL_FLINE, RTL_FDATA}};
    for (const auto &p : pairs)
        if (!r_->fault.kind && r_->stream[p[0]].n != r_->stream[p[1]].n)
            differ("of %zu %s the simulator told %zu %s", r_->stream[p[0]].n, rtl_kind_name[p[0]],
                   r_->stream[p[1]].n, rtl_kind_name[p[1]]);
}
