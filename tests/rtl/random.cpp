// SPDX-License-Identifier: Apache-2.0
// Programs from the rows of the instruction set. Registers x1..x20 hold data, x21 addresses,
// x22..x25 the counts of loops by depth, x26 that of descriptors. Semaphores 1..4 are the TCP's,
// 8..10 the TTU's; what a piece of a program posts it consumes, so that pieces stand anywhere, in
// loops too.
#include "tests/rtl/random.h"

#include "tests/rtl/random_tvp.h"

#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <vector>

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

namespace
{

enum {
    ROUTINES = 4
};

class writer
{
  public:
    writer(const tsr_isa *isa, const tsr_chip *chip, const random_units &units, uint64_t seed)
        : isa_(isa), chip_(chip), units_(units), state_(seed)
    {
        for (int i = 0; i < isa->n_ops; i++)
            if (isa->ops[i].stream == TSR_STREAM_TCP) {
                if (!strcmp(isa->ops[i].exec, "alu"))
                    alu_.push_back(&isa->ops[i]);
                if (!strcmp(isa->ops[i].exec, "branch"))
                    branch_.push_back(&isa->ops[i]);
            }
    }
    std::string program(unsigned length);

  private:
    uint64_t below(uint64_t n) { return random_next(&state_) % n; }
    int64_t value(const tsr_operand &o);
    void line(const char *format, ...) __attribute__((format(printf, 2, 3)));
    void arithmetic();
    void memory();
    void branch(unsigned depth);
    void loop(unsigned depth);
    void semaphores();
    void sync();
    void call();
    void dma();
    void transfer(unsigned slot);
    void indexed(unsigned slot);
    void number(unsigned reg, uint64_t value);
    void block(unsigned depth, unsigned words);

    const tsr_isa *isa_;
    const tsr_chip *chip_;
    random_units units_;
    uint64_t state_;
    std::vector<const tsr_op *> alu_, branch_;
    std::string text_;
    unsigned words_ = 0, labels_ = 0;
};

void writer::line(const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    text_ += text;
    words_++;
}

// The ends of the range, small numbers, and all magnitudes alike.
int64_t writer::value(const tsr_operand &o)
{
    if (o.kind == TSR_KIND_XREG)
        return static_cast<int64_t>(below(21));
    uint64_t r = random_next(&state_) >> below(64);
    switch (below(8)) {
    case 0:
        return o.min;
    case 1:
        return o.max;
    case 2:
        r = below(4);
        break;
    default:
        break;
    }
    uint64_t span = static_cast<uint64_t>(o.max) - static_cast<uint64_t>(o.min) + 1;
    int64_t v = static_cast<int64_t>(below(2) ? r : 0 - r);
    return v >= o.min && v <= o.max
               ? v
               : static_cast<int64_t>(static_cast<uint64_t>(o.min) + (span ? r % span : r));
}

void writer::arithmetic()
{
    tsr_insn in = {};
    in.op = alu_[below(alu_.size())];
    for (int i = 0; i < in.op->n_operands; i++)
        in.v[i] = value(in.op->operand[i]);
    char text[256];
    tsr_disassemble_insn(isa_, &in, text, sizeof text);
    line("    %s\n", text);
}

// Masked to the lower half of control memory; the immediate reaches the rest. Now and then outside.
void writer::memory()
{
    bool wide = below(2), stray = below(200) == 0;
    unsigned size = wide ? 8 : 4, half = chip_->tile.control_bytes / 2;
    line("    andi x21, x%u, 0x%x\n", static_cast<unsigned>(below(21)), (half - 1) & ~(size - 1));
    int64_t imm = static_cast<int64_t>(below(half / size) * size) + (stray ? 2 : 0);
    const char *name = below(2) ? wide ? "ld" : "lw" : wide ? "sd" : "sw";
    line("    %s x%u, x21, %" PRId64 "\n", name, static_cast<unsigned>(1 + below(20)), imm);
}

void writer::branch(unsigned depth)
{
    unsigned label = labels_++;
    if (below(4) == 0)
        line("    jmp L%u\n", label);
    else
        line("    %s x%u, x%u, L%u\n", branch_[below(branch_.size())]->mnemonic,
             static_cast<unsigned>(below(21)), static_cast<unsigned>(below(21)), label);
    block(depth, static_cast<unsigned>(below(6)));
    text_ += "L" + std::to_string(label) + ":\n";
}

void writer::loop(unsigned depth)
{
    unsigned label = labels_++, turns = static_cast<unsigned>(below(4));
    line("    li x%u, %d\n", 22 + depth, static_cast<int>(turns) - (below(8) == 0 ? 2 : 0));
    line("    loop x%u, L%u\n", 22 + depth, label);
    if (below(40) != 0) // a body of no word is a fault
        line("    nop\n");
    block(depth + 1, static_cast<unsigned>(below(12)));
    text_ += "L" + std::to_string(label) + ":\n";
}

void writer::semaphores()
{
    unsigned a = 1 + static_cast<unsigned>(below(3)), b = 1 + static_cast<unsigned>(below(3));
    line("    wait post(s%u, s%u)\n", a, b);
    if (below(2))
        arithmetic();
    line("    wait wait(s%u, s%u)\n", a, b);
}

void writer::sync()
{
    unsigned n = 1 + static_cast<unsigned>(below(6)), mine = 8 + static_cast<unsigned>(below(3));
    unsigned back = 1 + static_cast<unsigned>(below(3));
    for (unsigned i = 0; i < n; i++)
        line("    tsync wait(s%u) post(s%u)\n", mine, back);
    for (unsigned i = 0; i < n; i++) {
        if (below(3) == 0)
            arithmetic();
        line("    wait post(s%u)\n", mine);
    }
    line("    wait wait(s%u*%u)\n", back, n);
}

// A routine, or two in the queue, whose end the TCP may wait for.
void writer::call()
{
    unsigned n = 1 + static_cast<unsigned>(below(2));
    for (unsigned i = 0; i < n; i++)
        line("    vcall r%u, x%u, x%u, x%u%s\n", static_cast<unsigned>(below(ROUTINES)),
             static_cast<unsigned>(below(21)), static_cast<unsigned>(below(21)),
             static_cast<unsigned>(below(21)), " post(s1)");
    if (below(2))
        arithmetic();
    line("    wait wait(s1*%u)\n", n);
}

/* A value into a register that the descriptor at hand uses. */
void writer::number(unsigned reg, uint64_t value)
{
    line("    li x%u, %" PRId64 "\n", reg, static_cast<int64_t>(value));
}

/* The TSRAM in sixteen slots: the upper eight are written, each by one descriptor of a batch, the
 * lower eight only read; likewise the first and second half of 64 KiB of HBM and CSRAM. Rows do not
 * overlap where they are written, nor in the TSRAM where they are read. */
void writer::transfer(unsigned slot)
{
    static const char *const space[3] = {"tsram:", "csram:0:", "hbm:"};
    uint64_t room = 4096;
    unsigned from = static_cast<unsigned>(below(3)), to = static_cast<unsigned>(below(3));
    unsigned dims = static_cast<unsigned>(below(4));
    uint64_t len = below(12) == 0 ? 0 : 1 + below(1u << below(10)), n[3];
    uint64_t ss[3], ds[3], sreach = len, dreach = len;
    for (unsigned d = 0; d < 3; d++) {
        n[d] = d < dims ? 1 + below(5) : 1;
        bool tight = below(3) == 0;
        ds[d] = dreach + (tight ? 0 : below(40));
        ss[d] = sreach + (tight || below(3) == 0 ? 0 : below(40));
        if (from != 0 && below(6) == 0) /* far rows may be read twice */
            ss[d] = below(sreach + 1);
        dreach += (n[d] - 1) * ds[d];
        sreach += (n[d] - 1) * ss[d];
    }
    if (dreach >= room || sreach >= room)
        return; /* too large for its slot: fewer copies in this batch */
    line("    li x1, %s0x%" PRIx64 "\n", space[from], below(8) * room + below(room - sreach + 1));
    line("    li x2, %s0x%" PRIx64 "\n", space[to], (8 + slot) * room + below(room - dreach + 1));
    number(3, len);
    for (unsigned d = 0; d < 3; d++) {
        number(4 + 3 * d, n[d]);
        number(5 + 3 * d, ss[d]);
        number(6 + 3 * d, ds[d]);
    }
    line("    copy ch=%u, src=x1, dst=x2, len=x3, n1=x%d, ss1=x5, ds1=x6, n2=x%d, ss2=x8, ds2=x9, "
         "n3=x%d, ss3=x11, ds3=x12, p0=s4\n",
         static_cast<unsigned>(below(4)), dims > 0 ? 4 : 0, dims > 1 ? 7 : 0, dims > 2 ? 10 : 0);
    line("    addi x26, x26, 1\n");
}

void writer::indexed(unsigned slot)
{
    uint64_t room = 4096, len = 1 + below(100), n = 1 + below(6);
    uint64_t list = (32 * slot + below(32 - n)) * 4; /* its own: a list stays until the post */
    bool gather = below(2), stray = below(60) == 0;
    uint64_t stride = len + below(60), near = len + below(40);
    for (uint64_t i = 0; i < n; i++) {
        number(1, gather ? below(9) : (i * 5 + 3) % 9); /* scattered rows are distinct */
        line("    sw x1, x0, %" PRIu64 "\n", list + 4 * i);
    }
    if (stray) { /* an index that leads outside */
        number(1, 0x7ffffff0u);
        line("    sw x1, x0, %" PRIu64 "\n", list + 4 * (n - 1));
    }
    const char *space = below(2) ? "hbm:" : "csram:0:";
    line("    li x1, %s0x%" PRIx64 "\n", space, (gather ? 0 : 8 + slot) * room);
    number(2, (gather ? 8 + slot : 0) * room + below(room / 4));
    number(3, len);
    number(4, list);
    number(5, n);
    number(6, stride);
    number(7, near);
    if (gather)
        line("    gather ch=%u, dst=x2, src=x1, len=x3, idx=x4, n=x5, ss=x6, ds=x7, p0=s4\n",
             static_cast<unsigned>(below(4)));
    else
        line("    scatter ch=%u, dst=x1, src=x2, len=x3, idx=x4, n=x5, ss=x7, ds=x6, p0=s4\n",
             static_cast<unsigned>(below(4)));
    line("    addi x26, x26, 1\n");
}

/* A batch of descriptors, then a wait for each. */
void writer::dma()
{
    unsigned n = 1 + static_cast<unsigned>(below(8)), label = labels_++;
    line("    li x26, 0\n");
    for (unsigned slot = 0; slot < n; slot++) {
        switch (below(8)) {
        case 0:
            indexed(slot);
            break;
        case 1:
            number(1, 1);
            line("    rpost ch=%u, mask=x1, sem=4\n", static_cast<unsigned>(below(4)));
            line("    addi x26, x26, 1\n");
            break;
        case 2:
            arithmetic();
            break;
        default:
            transfer(slot);
        }
    }
    line("    loop x26, L%u\n", label);
    line("    wait wait(s4)\n    nop\n");
    text_ += "L" + std::to_string(label) + ":\n";
}

void writer::block(unsigned depth, unsigned words)
{
    for (unsigned end = words_ + words; words_ < end;) {
        switch (below(16)) {
        case 0:
        case 1:
            memory();
            break;
        case 2:
            branch(depth);
            break;
        case 3:
            if (depth < 4)
                loop(depth);
            break;
        case 4:
            semaphores();
            break;
        case 5:
            if (units_.ttu_sync)
                sync();
            break;
        case 6:
            if (units_.tvp)
                call();
            break;
        case 7:
            if (units_.dma)
                dma();
            break;
        default:
            arithmetic();
        }
    }
}

std::string writer::program(unsigned length)
{
    text_ = ".sem 1 tcp\n.sem 2 tcp\n.sem 3 tcp\n.sem 4 tcp\n.sem 8 ttu\n.sem 9 ttu\n.sem 10 ttu\n";
    for (unsigned r = 1; r <= 20; r++)
        text_ += ".arg all x" + std::to_string(r) + " " +
                 std::to_string(static_cast<int64_t>(random_next(&state_) >> (1 + below(63)))) +
                 "\n";
    if (units_.tvp)
        text_ += random_routines(isa_, chip_, ROUTINES, &state_);
    block(0, length);
    text_ += "    halt\n";
    return text_;
}

} // namespace

std::string random_program(const struct tsr_isa *isa, const struct tsr_chip *chip,
                           const random_units &units, uint64_t seed, unsigned length)
{
    return writer(isa, chip, units, seed).program(length);
}

void random_damage(struct tsr_program *p, uint64_t seed)
{
    uint64_t state = seed ^ 0xDA3A6E;
    for (uint64_t n = 1 + random_next(&state) % 2; n > 0; n--) {
        tsr_word *w = &p->tcp[random_next(&state) % p->n_tcp];
        uint64_t r = random_next(&state);
        w->w[r & 1] ^= uint64_t{1} << (r >> 8 & 63);
    }
}
