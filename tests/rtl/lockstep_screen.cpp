// SPDX-License-Identifier: Apache-2.0
// The first difference on one screen.
#include "tests/rtl/lockstep_bench.h"

#include <cinttypes>
#include <cstdarg>
#include <cstdio>

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
