// SPDX-License-Identifier: Apache-2.0
// Vector routines from the rows of the instruction set. a0..a3 walk the TSRAM, a4 counts turns, a5
// holds lengths, a6 lines of accumulators, a7 and above are anything.
#include "tests/rtl/random_tvp.h"

#include <cstring>
#include <vector>

#include "tests/rtl/random.h"

namespace
{

class routine_writer
{
  public:
    routine_writer(const tsr_isa *isa, const tsr_chip *chip, uint64_t *state)
        : isa_(isa), chip_(chip), state_(state)
    {
        for (int i = 0; i < isa->n_ops; i++)
            if (isa->ops[i].stream == TSR_STREAM_TVP) {
                const tsr_op *op = &isa->ops[i];
                if (op->memory && strcmp(op->exec, "vlda") != 0)
                    memory_.push_back(op);
                else if (!strcmp(op->exec, "lanes") || !strcmp(op->exec, "reduce") ||
                         !strcmp(op->exec, "segment") || !strcmp(op->exec, "vidx") ||
                         !strcmp(op->exec, "vimm") || !strcmp(op->exec, "vsplat"))
                    arithmetic_.push_back(op);
            }
    }
    std::string routine(unsigned number)
    {
        text_ = ".routine r" + std::to_string(number) + "\n";
        for (unsigned a = 0; a < 4; a++)
            walk(a);
        block(0, 4 + static_cast<unsigned>(below(40)));
        return text_ + "vret\n.end\n";
    }

  private:
    uint64_t below(uint64_t n) { return random_next(state_) % n; }
    void line(const std::string &s) { text_ += s + "\n"; }
    static std::string number(int64_t v) { return std::to_string(v); }

    // Registers are few, so that words meet.
    int64_t vreg() { return static_cast<int64_t>(below(4) ? below(6) : below(32)); }
    // Near the few lines that others use, seldom at the TSRAM's end or beyond.
    void walk(unsigned a)
    {
        uint64_t size = chip_->tile.tsram_bytes, at = below(40) * 4 * chip_->tile.tvp.lanes / 2;
        if (below(30) == 0)
            at = size - 4 * below(40);
        line("ali a" + number(a) + ", " + number(static_cast<int64_t>(at)));
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
        }
        put(in);
    }
    // Floats near 1, or anything.
    int64_t immediate()
    {
        uint64_t x = random_next(state_) & 0xFFFFFFFF;
        return static_cast<int64_t>(below(3) ? (x & 0x807FFFFF) | (118 + below(18)) << 23 : x);
    }
    void memory()
    {
        tsr_insn in = {};
        in.op = memory_[below(memory_.size())];
        for (int i = 0; i < in.op->n_operands; i++) {
            const tsr_operand *o = &in.op->operand[i];
            if (o->kind == TSR_KIND_VREG)
                in.v[i] = vreg();
            else if (o->kind == TSR_KIND_AREG)
                in.v[i] = static_cast<int64_t>(below(4));
            else if (o->kind == TSR_KIND_FMT)
                do
                    in.v[i] = static_cast<int64_t>(below(32));
                while (!(o->formats >> in.v[i] & 1));
            else if (!strcmp(o->name, "inc"))
                in.v[i] = below(3) ? static_cast<int64_t>(below(9) * 4) - 8
                                   : static_cast<int64_t>(below(5)) * 4 * chip_->tile.tvp.lanes;
            else
                in.v[i] = below(3) ? 0 : static_cast<int64_t>(below(chip_->tile.tvp.lanes + 2));
        }
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
            line("aaddi a" + number(static_cast<int64_t>(7 + below(9))) + ", a" +
                 number(static_cast<int64_t>(below(16))) + ", " +
                 number(static_cast<int64_t>(below(1000)) - 500));
            break;
        case 1:
            line("aadd a" + number(static_cast<int64_t>(7 + below(9))) + ", a" +
                 number(static_cast<int64_t>(below(16))) + ", a" +
                 number(static_cast<int64_t>(below(16))));
            break;
        default:
            walk(static_cast<unsigned>(below(4)));
        }
    }
    void accumulator()
    {
        uint64_t dim = chip_->tile.ttu.dim,
                 lines = chip_->tile.ttu.acc_banks * 16 * dim * dim / chip_->tile.tvp.lanes;
        line("ali a6, " + number(static_cast<int64_t>(below(lines + (below(40) == 0)))));
        for (uint64_t i = below(3); i < 3; i++)
            line("vlda v" + number(vreg()) + ", a6, " + number(i ? -1 : 0));
    }
    void loop(unsigned depth)
    {
        std::string label = "l" + number(labels_++);
        line("ali a4, " + number(static_cast<int64_t>(below(5)) - 1));
        line("vloop a4, " + label);
        if (below(40))
            line("ali a" + number(static_cast<int64_t>(8 + below(8))) + ", 5");
        block(depth + 1, static_cast<unsigned>(below(8)));
        text_ += label + ":\n";
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
    uint64_t *state_;
    std::vector<const tsr_op *> memory_, arithmetic_;
    std::string text_;
    int64_t labels_ = 0;
};

} // namespace

std::string random_routines(const struct tsr_isa *isa, const struct tsr_chip *chip, unsigned n,
                            uint64_t *state)
{
    std::string text;
    routine_writer w(isa, chip, state);
    for (unsigned i = 0; i < n; i++)
        text += w.routine(i);
    return text;
}
