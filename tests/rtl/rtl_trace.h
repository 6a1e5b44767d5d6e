// SPDX-License-Identifier: Apache-2.0
// What the RTL did, from its ports alone, in the form of the simulator's record: so that coverage
// is counted from either by one code. What the harness itself supplies (packets in) is not in it.
#ifndef TESTS_RTL_RTL_TRACE_H
#define TESTS_RTL_RTL_TRACE_H

#include <cstring>
#include <deque>
#include <vector>

#include "tests/rtl/record.h"

class rtl_trace
{
  public:
    rtl_trace(const tsr_isa *isa, const tsr_chip *chip, const tsr_program *p)
        : isa_(isa), chip_(chip), p_(p), lanes_(chip->tile.tvp.lanes)
    {
    }

    template <typename Top> void note(const Top &top, uint64_t cycle)
    {
        tcp(top, cycle);
        queues(top, cycle);
        results(top, cycle);
        issues(top, cycle);
        lines(top, cycle);
    }

    // Valid until the trace goes.
    rtl_record record(uint32_t tile)
    {
        rtl_record r = {};
        r.tile = tile;
        for (int k = 0; k < RTL_KINDS; k++) {
            r.stream[k].e = e_[k].data();
            r.stream[k].n = e_[k].size();
        }
        r.data = data_.data();
        r.n_data = data_.size();
        return r;
    }

  private:
    template <typename T> static const uint8_t *bytes(const T &port)
    {
        return reinterpret_cast<const uint8_t *>(&port);
    }
    template <typename T> static uint32_t number(const T &port, unsigned at)
    {
        uint32_t v;
        memcpy(&v, bytes(port) + at, 4);
        return v;
    }
    rtl_event *put(rtl_kind k, uint64_t cycle, uint32_t pc, uint32_t queue)
    {
        rtl_event e = {};
        e.cycle = cycle;
        e.pc = pc;
        e.queue = queue;
        e_[k].push_back(e);
        return &e_[k].back();
    }
    // The register that a word writes; 32: none.
    unsigned target(tsr_stream s, uint32_t pc, tsr_operand_kind kind, tsr_insn *in) const
    {
        tsr_error err = {};
        tsr_word w = s == TSR_STREAM_TCP ? p_->tcp[pc] : tsr_word{{p_->tvp[pc], 0}};
        if (tsr_decode(isa_, s, w, in, &err) != TSR_OK)
            return 32;
        int d = tsr_op_operand(in->op, "d");
        return d < 0 || in->op->operand[d].kind != kind ? 32 : static_cast<unsigned>(in->v[d]);
    }

    template <typename Top> void tcp(const Top &top, uint64_t cycle)
    {
        tsr_insn in;
        if (top.tcp_o && top.tcp_pc_o < p_->n_tcp) {
            put(RTL_TCP, cycle, top.tcp_pc_o, TSR_Q_TCP);
            unsigned d = target(TSR_STREAM_TCP, top.tcp_pc_o, TSR_KIND_XREG, &in);
            if (d > 0 && d < 32)
                writes_.push_back(e_[RTL_TCP].size() - 1);
        }
        if (top.x_o && !writes_.empty()) {
            rtl_event &e = e_[RTL_TCP][writes_.front()];
            writes_.pop_front();
            e.reg = top.x_reg_o;
            e.value = top.x_value_o;
        }
    }

    template <typename Top> void queues(const Top &top, uint64_t cycle)
    {
        for (unsigned q = TSR_Q_TTU; q < TSR_QUEUES; q++) {
            for (unsigned n = bytes(top.retire_o)[q]; n > 0 && !going_[q].empty(); n--) {
                put(RTL_RETIRE, cycle, going_[q].front(), q);
                going_[q].pop_front();
            }
            if (top.start_o >> q & 1) {
                going_[q].push_back(number(top.start_pc_o, 4 * q));
                put(RTL_START, cycle, going_[q].back(), q);
            }
        }
    }

    // Slot 0 has the memory word, 1 the arithmetic one; of two, which came first is told by what
    // the words before and behind it are.
    template <typename Top> void issues(const Top &top, uint64_t cycle)
    {
        uint32_t memory = number(top.issue_pc_o, 0), arithmetic = number(top.issue_pc_o, 4);
        bool swap = top.issue_o == 3 && memory != last_ + 1 &&
                    (arithmetic == last_ + 1 || memory == arithmetic + 1);
        for (unsigned i = 0; i < 2; i++) {
            unsigned slot = swap ? 1 - i : i;
            if (!(top.issue_o >> slot & 1))
                continue;
            uint32_t pc = slot ? arithmetic : memory;
            last_ = pc;
            put(RTL_VISSUE, cycle, pc, TSR_Q_TVP);
            rtl_event *v = put(RTL_VALUE, cycle, pc, TSR_Q_TVP);
            tsr_insn in;
            unsigned d = pc < p_->n_tvp ? target(TSR_STREAM_TVP, pc, TSR_KIND_VREG, &in) : 32;
            if (d >= 32)
                continue;
            unsigned regs = 1, fmt = static_cast<unsigned>(tsr_op_operand(in.op, "fmt"));
            if (!strcmp(in.op->exec, "vld")) {
                const tsr_format *f = &isa_->formats[in.v[fmt]];
                if (f->family == TSR_FAMILY_SMX && f->block > lanes_)
                    regs = f->block / lanes_;
            }
            v->reg = d;
            v->bytes = 4 * lanes_ * regs;
            v->data = data_.size();
            v->has_data = true;
            data_.resize(data_.size() + v->bytes);
            for (unsigned i = 0; i < regs; i++)
                pending_[(d + i) % 32] = {e_[RTL_VISSUE].size(), v->data + size_t{4} * lanes_ * i};
        }
    }

    template <typename Top> void results(const Top &top, uint64_t cycle)
    {
        for (unsigned k = 0; top.result_o >> k != 0; k++) {
            pending &p = pending_[bytes(top.result_reg_o)[k] % 32];
            if (!(top.result_o >> k & 1) || !p.event)
                continue;
            e_[RTL_VISSUE][p.event - 1].value = cycle + 1;
            memcpy(&data_[p.data], bytes(top.result_value_o) + size_t{4} * lanes_ * k, 4 * lanes_);
            p.event = 0;
        }
    }

    // Writes of lines: the TVP's and the drains' as VLINE with VDATA, the data mover's as WRITE.
    template <typename Top> void lines(const Top &top, uint64_t cycle)
    {
        static const rtl_kind kind[3] = {RTL_VLINE, RTL_WRITE, RTL_ALINE};
        uint32_t line = chip_->tile.line_bytes;
        for (unsigned w = 0; w < 3; w++) {
            if (!(top.write_o >> w & 1))
                continue;
            uint32_t at = number(top.write_line_o, 4 * w);
            std::vector<uint8_t> mask(line), value(line);
            for (uint32_t b = 0; b < line; b++) {
                uint32_t bit = line * w + b;
                mask[b] = bytes(top.write_mask_o)[bit / 8] >> bit % 8 & 1 ? 0xFF : 0;
                value[b] = bytes(top.write_data_o)[bit];
            }
            rtl_event *e = put(kind[w], cycle, 0, TSR_Q_TVP);
            e->address = w == 1 ? at : uint64_t{at} * line;
            if (w != 1)
                e = put(w == 0 ? RTL_VDATA : RTL_ADATA, cycle, 0, TSR_Q_TVP);
            e->data = data_.size();
            const std::vector<uint8_t> &first = w == 1 ? mask : value,
                                       &then = w == 1 ? value : mask;
            data_.insert(data_.end(), first.begin(), first.end());
            data_.insert(data_.end(), then.begin(), then.end());
        }
    }

    struct pending {
        size_t event, data; // index + 1 of the issue
    };
    const tsr_isa *isa_;
    const tsr_chip *chip_;
    const tsr_program *p_;
    uint32_t lanes_, last_ = 0;
    std::vector<rtl_event> e_[RTL_KINDS];
    std::vector<uint8_t> data_;
    std::deque<size_t> writes_;
    std::deque<uint32_t> going_[TSR_QUEUES];
    pending pending_[32] = {};
};

#endif
