// SPDX-License-Identifier: Apache-2.0
// The first difference on one screen.
#include "tests/rtl/lockstep_bench.h"

#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstring>

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
    say("  state: RTL's tcp at word %u (%s)%s\n    registers of both:", top_->tcp_pc_o,
        word(top_->tcp_pc_o).c_str(), top_->halted_o ? ", halted" : "");
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
    say_vectors();
}

/* What the vector words of the last cycles read, as both had it: the registers' values before. */
void bench::say_vectors()
{
    const rtl_stream *issued = &r_->stream[RTL_VISSUE], *made = &r_->stream[RTL_VALUE];
    unsigned lanes = l_->chip->tile.tvp.lanes, shown = lanes < 16 ? lanes : 16;
    uint32_t read = 0;
    const uint8_t *v[32] = {};
    for (size_t i = next_[RTL_VISSUE] > 2 ? next_[RTL_VISSUE] - 2 : 0; i < next_[RTL_VISSUE]; i++) {
        tsr_insn in;
        tsr_error err;
        tsr_word w = {};
        if (issued->e[i].pc < p_->n_tvp)
            w.w[0] = p_->tvp[issued->e[i].pc];
        if (tsr_decode(l_->isa, TSR_STREAM_TVP, w, &in, &err) != TSR_OK)
            continue;
        for (int k = 0; k < in.op->n_operands; k++)
            if (in.op->operand[k].kind == TSR_KIND_VREG && strcmp(in.op->operand[k].name, "d") != 0)
                read |= 1u << (in.v[k] & 31);
    }
    for (size_t i = 0; read && i < next_[RTL_VISSUE] && i < made->n; i++)
        for (unsigned k = 0; issued->e[i].value && issued->e[i].value <= cycle_ &&
                             k < made->e[i].bytes / (4 * lanes);
             k++)
            v[(made->e[i].reg + k) & 31] = r_->data + made->e[i].data + size_t{4} * lanes * k;
    for (unsigned i = 0; i < 32; i++) {
        if (!(read >> i & 1))
            continue;
        say("    v%u of both:%s", i, v[i] ? "" : " zeros");
        for (unsigned k = 0; v[i] && k < shown; k++)
            say(" %08x", vector_check::word(v[i] + 4 * k));
        say("%s\n", v[i] && shown < lanes ? " ..." : "");
    }
}

void bench::say_event(const char *mark, rtl_kind k, size_t i)
{
    static const char *const packet[] = {"read", "write", "local", "forward", "cast"};
    const rtl_event *e = &r_->stream[k].e[i];
    const char *kind = e->kind < 5 ? packet[e->kind] : "";
    std::string text = std::string(tsr_queue_name[e->queue & 7]) + " word " +
                       std::to_string(e->pc) + " (" + word(e->pc) + ")";
    say("  %s %8" PRIu64 "  %-9s ", mark, e->cycle, rtl_kind_name[k]);
    switch (k) {
    case RTL_SEM:
        say("s%u = %" PRIu64 "\n", e->reg, e->value);
        break;
    case RTL_REMOTE:
        say("s%u\n", e->reg);
        break;
    case RTL_RPOST:
        say("s%u of tiles 0x%" PRIx64 "\n", e->reg, e->value);
        break;
    case RTL_WRITE:
    case RTL_VLINE:
    case RTL_ALINE: // the data mover's is the number of a line, the others' an address
        say("line 0x%" PRIx64 "\n",
            k == RTL_WRITE ? e->address : e->address / l_->chip->tile.line_bytes);
        break;
    case RTL_STORE:
        say("%s: 0x%" PRIx64 " at 0x%" PRIx64 "\n", text.c_str(), e->value, e->address);
        break;
    case RTL_REQUEST:
        say("%d, a %s: %u bytes at 0x%" PRIx64 "; %s\n", static_cast<int>(e->reg), kind, e->bytes,
            e->address, text.c_str());
        break;
    case RTL_HEAD:
    case RTL_ACK:
        say("request %d\n", static_cast<int>(e->reg));
        break;
    case RTL_IN:
    case RTL_OUT:
        say("request %d, a %s: %u bytes; at 0x%" PRIx64 " %u, then %u each, %d apart\n",
            static_cast<int>(e->reg), kind, e->bytes, e->near, e->first, e->len, e->gap);
        break;
    case RTL_VISSUE:
        say("word %u (%s)", e->pc, vector_word(e->pc).c_str());
        if (e->value)
            say(", its result in %" PRIu64, e->value);
        say("\n");
        break;
    default:
        say("%s", text.c_str());
        if (k == RTL_TCP && e->reg)
            say(" x%u = 0x%" PRIx64, e->reg, e->value);
        say("\n");
    }
}

/* One screen: what differs, both states, of each kind of event the last two (=: both had it; *: of
 * this cycle, where one of them differs) and the simulator's next (>). */
void bench::screen()
{
    l_->report.clear();
    say("cycle %" PRIu64 ", tile %u: %s\n", cycle_, r_->tile, difference_.c_str());
    say_state();
    for (int k = 0; k < RTL_KINDS; k++) {
        rtl_kind kind = static_cast<rtl_kind>(k);
        size_t n = next_[k];
        if (kind == RTL_VALUE || kind == RTL_VDATA || kind == RTL_ADATA ||
            kind == RTL_FDATA) // of the kind before
            continue;
        for (size_t i = n > 2 ? n - 2 : 0; i < n + 1 && i < r_->stream[k].n; i++)
            say_event(r_->stream[k].e[i].cycle == cycle_ ? "*" : i < n ? "=" : ">", kind, i);
    }
}
