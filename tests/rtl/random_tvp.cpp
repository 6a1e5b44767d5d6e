// SPDX-License-Identifier: Apache-2.0
// Vector routines from the rows of the instruction set. a7 is the base of the routine's window,
// which a0..a3 walk; a4 counts turns, a5 holds lengths, a6 lines of accumulators, a8 and above
// anything.
#include "tests/rtl/random_tvp.h"

#include <algorithm>
#include <cstring>

extern "C" {
#include "isa/num/element.h"
}

namespace
{

class routine_writer
{
  public:
    routine_writer(plan *p, unsigned number) : isa_(p->isa), chip_(p->chip), p_(p)
    {
        for (int i = 0; i < isa_->n_ops; i++)
            if (isa_->ops[i].stream == TSR_STREAM_TVP) {
                const tsr_op *op = &isa_->ops[i];
                if (op->memory && strcmp(op->exec, "vlda") != 0)
                    memory_.push_back(op);
                else if (!strcmp(op->exec, "lanes") || !strcmp(op->exec, "reduce") ||
                         !strcmp(op->exec, "segment") || !strcmp(op->exec, "vidx") ||
                         !strcmp(op->exec, "vimm") || !strcmp(op->exec, "vsplat"))
                    arithmetic_.push_back(op);
            }
        uint64_t line = chip_->tile.line_bytes;
        r_.name = "r" + std::to_string(number);
        r_.bytes = std::min(p->window, line * (4 + p->below(28)));
        r_.banks = p->one_in(3) ? 0 : 1 + p->below(2);
        r_.first = p->below(p->banks - r_.banks + 1);
    }
    routine write(unsigned words)
    {
        line(".routine " + r_.name);
        line("aaddi a7, a0, 0");
        block(0, words);
        line("vret\n.end");
        return r_;
    }

  private:
    uint64_t below(uint64_t n) { return p_->below(n); }
    void line(const std::string &s) { p_->text += s + "\n"; }
    static std::string number(int64_t v) { return std::to_string(v); }

    // Registers are few, so that words meet.
    int64_t vreg() { return static_cast<int64_t>(below(4) ? below(6) : below(32)); }
    // Most that one access moves: a register's lanes, or a whole group.
    uint64_t reach() const { return 4 * chip_->tile.tvp.lanes + 32; }
    void walk(unsigned a, uint64_t size)
    {
        at_[a] = below((r_.bytes - reach()) / size + 1) * size;
        known_[a] = true;
        line("aaddi a" + number(a) + ", a7, " + number(static_cast<int64_t>(at_[a])));
    }
    // Bytes at a multiple of which an access starts.
    uint64_t alignment(const tsr_op *op, uint32_t code) const
    {
        const tsr_format *f = &isa_->formats[code];
        if (!strcmp(op->exec, "vlds") || !strcmp(op->exec, "vsts"))
            return f->scale_bits / 8u;
        tsr_num_group g = tsr_num_element_group(f);
        return g.elems == 0 ? 4 : g.elems == 1 ? g.bytes : 1;
    }
    void put(const tsr_insn &in)
    {
        char text[256];
        tsr_disassemble_insn(isa_, &in, text, sizeof text);
        line(text);
    }
    void arithmetic()
    {
        tsr_insn in = {};
        in.op = arithmetic_[below(arithmetic_.size())];
        for (int i = 0; i < in.op->n_operands; i++) {
            const tsr_operand *o = &in.op->operand[i];
            in.v[i] = o->kind == TSR_KIND_VREG   ? vreg()
                      : o->kind == TSR_KIND_AREG ? static_cast<int64_t>(below(16))
                      : o->max > 255
                          ? immediate()
                          : static_cast<int64_t>(below(static_cast<uint64_t>(o->max) + 1));
            if (o->kind == TSR_KIND_VREG && strcmp(o->name, "d") != 0 && below(8) == 0)
                all_lanes(in.v[i], extreme());
        }
        put(in);
    }
    void all_lanes(int64_t reg, uint32_t value)
    {
        line("vimm v" + number(reg) + ", " + number(value));
    }
    uint32_t extreme()
    {
        static const uint32_t value[] = {0x00000000, 0x00000001, 0x007FFFFF, 0x00800000,
                                         0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x7F800001,
                                         0x3F800000, 0x3F800001, 0x4B800000, 0x4F000000,
                                         0x33800000, 0x00000080, 0x00FFFFFF};
        return value[below(sizeof value / sizeof *value)] | static_cast<uint32_t>(below(2) << 31);
    }
    // Floats near 1, extremes, or anything.
    int64_t immediate()
    {
        uint64_t x = random_next(&p_->state) & 0xFFFFFFFF;
        if (below(6) == 0) // the end of a format's range, or a bit to its side
            return static_cast<int64_t>(
                (random_greatest(isa_, below(TSR_DTYPE_MAX)) + below(3) - 1) | (x & 0x80000000));
        if (below(3) == 0)
            x = extreme();
        else if (below(4))
            x = (x & 0x807FFFFF) | (118 + below(18)) << 23;
        return static_cast<int64_t>(x);
    }
    void memory()
    {
        tsr_insn in = {};
        in.op = memory_[below(memory_.size())];
        unsigned a = static_cast<unsigned>(below(4));
        uint64_t align = 4, inc = 0;
        uint32_t code = 0;
        for (int i = 0; i < in.op->n_operands; i++) {
            const tsr_operand *o = &in.op->operand[i];
            if (o->kind == TSR_KIND_VREG)
                in.v[i] = vreg();
            else if (o->kind == TSR_KIND_AREG)
                in.v[i] = a;
            else if (o->kind == TSR_KIND_FMT)
                do
                    in.v[i] = static_cast<int64_t>(below(32));
                while (!(o->formats >> in.v[i] & 1));
            else if (!strcmp(o->name, "n"))
                in.v[i] = below(3) ? 0 : static_cast<int64_t>(below(chip_->tile.tvp.lanes + 2));
            if (o->kind == TSR_KIND_FMT) {
                code = static_cast<uint32_t>(in.v[i]);
                align = alignment(in.op, code);
            }
        }
        inc = below(3) ? (below(9) - 2) * align : below(5) * 4 * chip_->tile.tvp.lanes;
        in.v[tsr_op_operand(in.op, "inc")] = static_cast<int64_t>(inc);
        bool outside = below(3000) == 0; // a fault, unless it has no bytes
        if (outside)
            line("ali a" + number(a) + ", " +
                 number(static_cast<int64_t>(chip_->tile.tsram_bytes + below(80))));
        else if (!known_[a] || at_[a] % align || at_[a] > r_.bytes - reach() || below(12) == 0)
            walk(a, below(4) ? 4 * align : align);
        at_[a] += inc;
        known_[a] = known_[a] && !outside;
        if (!strcmp(in.op->exec, "vst") && below(6) == 0) // the end of the format's range
            all_lanes(in.v[0], (random_greatest(isa_, code) + static_cast<uint32_t>(below(2))) |
                                   static_cast<uint32_t>(below(2) << 31));
        put(in);
    }
    void length()
    {
        line("ali a5, " + number(static_cast<int64_t>(below(chip_->tile.tvp.lanes + 4)) - 2));
        line("vlen a5");
    }
    void address()
    {
        switch (below(3)) {
        case 0:
            line("aaddi a" + number(static_cast<int64_t>(8 + below(8))) + ", a" +
                 number(static_cast<int64_t>(below(16))) + ", " +
                 number(static_cast<int64_t>(below(1000)) - 500));
            break;
        case 1:
            line("aadd a" + number(static_cast<int64_t>(8 + below(8))) + ", a" +
                 number(static_cast<int64_t>(below(16))) + ", a" +
                 number(static_cast<int64_t>(below(16))));
            break;
        default:
            walk(static_cast<unsigned>(below(4)), 4);
        }
    }
    void accumulator()
    {
        uint64_t dim = chip_->tile.ttu.dim, bank = 16 * dim * dim / chip_->tile.tvp.lanes;
        if (!r_.banks)
            return;
        uint64_t at = r_.first * bank + 2 + below(r_.banks * bank - 2);
        if (below(1000) == 0)
            at = chip_->tile.ttu.acc_banks * bank; // no such line
        line("ali a6, " + number(static_cast<int64_t>(at)));
        for (uint64_t i = below(3); i < 3; i++)
            line("vlda v" + number(vreg()) + ", a6, " + number(i ? -1 : 0));
    }
    // Where its turns start and end the walks are not known.
    void loop(unsigned depth)
    {
        std::string label = "l" + number(labels_++);
        line("ali a4, " + number(static_cast<int64_t>(below(5)) - 1));
        line("vloop a4, " + label);
        memset(known_, 0, sizeof known_);
        if (below(40))
            line("ali a" + number(static_cast<int64_t>(8 + below(8))) + ", 5");
        block(depth + 1, static_cast<unsigned>(below(8)));
        line(label + ":");
        memset(known_, 0, sizeof known_);
    }
    void block(unsigned depth, unsigned words)
    {
        for (unsigned i = 0; i < words; i++)
            switch (below(24)) {
            case 0:
                length();
                break;
            case 1:
                accumulator();
                break;
            case 2:
                if (depth < 4)
                    loop(depth);
                break;
            case 3:
            case 4:
                address();
                break;
            case 5:
            case 6:
            case 7:
            case 8:
            case 9:
            case 10:
            case 11:
            case 12:
                memory();
                break;
            default:
                arithmetic();
            }
    }

    const tsr_isa *isa_;
    const tsr_chip *chip_;
    plan *p_;
    routine r_ = {};
    std::vector<const tsr_op *> memory_, arithmetic_;
    uint64_t at_[4] = {};
    bool known_[4] = {};
    int64_t labels_ = 0;
};

} // namespace

routine random_routine(plan *p, unsigned number, unsigned words)
{
    return routine_writer(p, number).write(words);
}
