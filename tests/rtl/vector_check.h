// SPDX-License-Identifier: Apache-2.0
// The vector processor in lock-step: every word in the cycle of its issue, every result with its
// value in the last cycle of its latency, every line that leaves the write port.
#ifndef TESTS_RTL_VECTOR_CHECK_H
#define TESTS_RTL_VECTOR_CHECK_H

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <string>

#include "tests/rtl/record.h"

class vector_check
{
  public:
    vector_check(const rtl_record *r, unsigned lanes) : r_(r), lanes_(lanes) {}

    // What differs in this cycle; empty: nothing.
    template <typename Top> std::string compare(const Top &top, uint64_t cycle)
    {
        difference_.clear();
        issues(top, cycle);
        results(top, cycle);
        lines(top, cycle);
        return difference_;
    }
    size_t issued() const { return next_issue_; }
    size_t written() const { return next_line_; }
    static unsigned word(const uint8_t *p)
    {
        unsigned v;
        memcpy(&v, p, 4);
        return v;
    }

  private:
    template <typename T> static const uint8_t *bytes(const T &port)
    {
        return reinterpret_cast<const uint8_t *>(&port);
    }
    template <typename... A> void differ(const char *format, A... a)
    {
        char text[400];
        snprintf(text, sizeof text, format, a...);
        if (difference_.empty())
            difference_ = text;
    }
    const rtl_event *at(rtl_kind k, size_t i) const
    {
        return i < r_->stream[k].n ? &r_->stream[k].e[i] : nullptr;
    }

    template <typename Top> void issues(const Top &top, uint64_t cycle)
    {
        unsigned left = top.issue_o;
        uint64_t pcs = top.issue_pc_o;
        for (const rtl_event *e; (e = at(RTL_VISSUE, next_issue_)) && e->cycle == cycle;) {
            unsigned slot = (left & 1) && (pcs & 0xFFFFFFFF) == e->pc ? 0 : 1;
            if (!(left >> slot & 1) || (pcs >> 32 * slot & 0xFFFFFFFF) != e->pc) {
                differ("tvp: the simulator issues vector word %u, the RTL does not", e->pc);
                return;
            }
            left &= ~(1u << slot);
            expect(e, next_issue_++);
        }
        if (left)
            differ("tvp: the RTL issues vector word %u, the simulator does not",
                   static_cast<unsigned>(pcs >> (left & 1 ? 0 : 32) & 0xFFFFFFFF));
    }

    // Values are recorded at a routine's end; those of one that a fault cut short are not known.
    void expect(const rtl_event *issue, size_t index)
    {
        const rtl_event *v = at(RTL_VALUE, index);
        unknown_ |= v == nullptr;
        if (v && v->pc != issue->pc)
            differ("tvp: the simulator told the value of word %u for that of word %u", v->pc,
                   issue->pc);
        if (!v || !issue->value)
            return;
        for (unsigned i = 0; i < v->bytes / (4 * lanes_); i++)
            pending_[(v->reg + i) % 32] = {true, issue->pc, issue->value,
                                           r_->data + v->data + 4 * lanes_ * i};
    }

    template <typename Top> void results(const Top &top, uint64_t cycle)
    {
        for (unsigned k = 0; top.result_o >> k != 0; k++) {
            if (!(top.result_o >> k & 1))
                continue;
            unsigned reg = bytes(top.result_reg_o)[k];
            pending &p = pending_[reg];
            const uint8_t *value = bytes(top.result_value_o) + size_t{4} * lanes_ * k;
            if (!p.on) {
                if (!unknown_)
                    differ("tvp: the RTL writes v%u, which nothing writes in the simulator", reg);
                continue;
            }
            p.on = false;
            if (p.ready != cycle + 1)
                differ("tvp: word %u: v%u is ready in %" PRIu64 " in the RTL, in %" PRIu64
                       " in the simulator",
                       p.pc, reg, cycle + 1, p.ready);
            for (unsigned l = 0; l < lanes_; l++)
                if (memcmp(value + 4 * l, p.value + 4 * l, 4) != 0)
                    differ("tvp: word %u: v%u[%u] is 0x%08x in the RTL, 0x%08x in the simulator",
                           p.pc, reg, l, word(value + 4 * l), word(p.value + 4 * l));
        }
        for (unsigned reg = 0; reg < 32; reg++)
            if (pending_[reg].on && pending_[reg].ready <= cycle + 1)
                differ("tvp: word %u: the simulator writes v%u, the RTL does not", pending_[reg].pc,
                       reg);
    }

    template <typename Top> void lines(const Top &top, uint64_t cycle)
    {
        const rtl_event *e = at(RTL_VLINE, next_line_);
        bool there = e && e->cycle == cycle, here = top.write_o & 1;
        unsigned size = 4 * lanes_, line;
        memcpy(&line, bytes(top.write_line_o), 4);
        if (there != here)
            differ("tvp: line 0x%x is written in the %s only",
                   here ? line * size : static_cast<unsigned>(e->address),
                   here ? "RTL" : "simulator");
        if (!there || !here)
            return;
        if (line * size != e->address)
            differ("tvp: line 0x%x is written in the RTL, 0x%x in the simulator", line * size,
                   static_cast<unsigned>(e->address));
        const rtl_event *d = at(RTL_VDATA, next_line_++);
        const uint8_t *mask = bytes(top.write_mask_o), *data = bytes(top.write_data_o);
        for (unsigned i = 0; d && i < size; i++) {
            bool on = mask[i / 8] >> i % 8 & 1, want = r_->data[d->data + size + i] != 0;
            if (on != want || (on && data[i] != r_->data[d->data + i]))
                differ(
                    "tvp: byte 0x%x is written as %s0x%02x in the RTL, %s0x%02x in the simulator",
                    line * size + i, on ? "" : "not ", data[i], want ? "" : "not ",
                    r_->data[d->data + i]);
        }
    }

    struct pending {
        bool on;
        uint32_t pc;
        uint64_t ready;
        const uint8_t *value;
    };
    const rtl_record *r_;
    unsigned lanes_;
    size_t next_issue_ = 0, next_line_ = 0;
    bool unknown_ = false;
    pending pending_[32] = {};
    std::string difference_;
};

#endif
