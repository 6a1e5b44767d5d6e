// SPDX-License-Identifier: Apache-2.0
// Programs from the rows of the instruction set. Registers x1..x20 hold data, x21 addresses,
// x22..x26 the counts of loops by depth, x27..x29 what uses up semaphores of the ACC.
// Semaphores 1..3 and 8..10 balance within a piece, so that pieces stand anywhere, in loops too;
// those from 12 on are the plan's.
#include "tests/rtl/random.h"

#include "tests/rtl/random_plan.h"
#include "tests/rtl/random_tvp.h"

#include <algorithm>
#include <cinttypes>
#include <cstring>

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

namespace
{

class writer : public plan
{
  public:
    writer(const tsr_isa *i, const tsr_chip *c, uint64_t seed) : plan(i, c, seed)
    {
        for (int k = 0; k < isa->n_ops; k++)
            if (isa->ops[k].stream == TSR_STREAM_TCP) {
                if (!strcmp(isa->ops[k].exec, "alu"))
                    alu_.push_back(&isa->ops[k]);
                if (!strcmp(isa->ops[k].exec, "branch"))
                    branch_.push_back(&isa->ops[k]);
            }
    }
    std::string program(uint64_t length, bool faulty);
    void only(tsr_unit unit) { only_ = unit; }

  private:
    using piece = void (writer::*)();
    int64_t value(const tsr_operand &o);
    void extreme(unsigned reg);
    unsigned reg() { return static_cast<unsigned>(below(21)); }
    void arithmetic();
    void memory();
    void branch();
    void loop(uint64_t turns, uint64_t room);
    void semaphores();
    void sync();
    void call();
    void mma() { random_mma(this); }
    void drain() { random_acc(this, false); }
    void fill() { random_acc(this, true); }
    void copy() { random_copy(this); }
    void indexed() { random_indexed(this); }
    void transpose() { random_transpose(this); }
    void to_control() { random_to_control(this); }
    void rpost() { random_rpost(this); }
    void join() { join_some(); }
    void burst() { random_burst(this); }
    void block(uint64_t room);
    void weigh();
    void feed_all();

    std::vector<const tsr_op *> alu_, branch_;
    std::vector<routine> routines_;
    std::vector<piece> mix_;
    unsigned depth_ = 0, nesting_ = 0;
    tsr_unit only_ = TSR_UNITS; // of which pieces are drawn; TSR_UNITS: of all
};

// The ends of the range, small numbers, and all magnitudes alike.
int64_t writer::value(const tsr_operand &o)
{
    if (o.kind == TSR_KIND_XREG)
        return static_cast<int64_t>(reg());
    uint64_t r = random_next(&state) >> below(64);
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
    uint64_t range = static_cast<uint64_t>(o.max) - static_cast<uint64_t>(o.min) + 1;
    int64_t v = static_cast<int64_t>(below(2) ? r : 0 - r);
    return v >= o.min && v <= o.max
               ? v
               : static_cast<int64_t>(static_cast<uint64_t>(o.min) + (range ? r % range : r));
}

// For the word that follows and reads the register.
void writer::extreme(unsigned reg)
{
    static const int64_t edge[] = {0,         1,  -1, INT64_MIN, INT64_MAX, INT64_MIN + 1,
                                   INT32_MIN, 63, 64};
    if (reg >= 1 && reg <= 20)
        line("li x%u, %" PRId64, reg, edge[below(9)]);
}

void writer::arithmetic()
{
    tsr_insn in = {};
    in.op = alu_[below(alu_.size())];
    for (int i = 0; i < in.op->n_operands; i++) {
        in.v[i] = value(in.op->operand[i]);
        if (in.op->operand[i].kind == TSR_KIND_XREG && one_in(8))
            extreme(static_cast<unsigned>(in.v[i]));
    }
    char buffer[256];
    tsr_disassemble_insn(isa, &in, buffer, sizeof buffer);
    line("%s", buffer);
}

// The upper half of control memory: a masked register reaches a quarter, the immediate the rest.
void writer::memory()
{
    bool wide = below(2);
    unsigned size = wide ? 8 : 4, quarter = chip->tile.control_bytes / 4;
    line("andi x21, x%u, 0x%x", reg(), (quarter - 1) & ~(size - 1));
    uint64_t imm = 2 * quarter + below((quarter + size) / size) * size;
    const char *name = below(2) ? wide ? "ld" : "lw" : wide ? "sd" : "sw";
    line("%s x%u, x21, %" PRIu64, name, static_cast<unsigned>(1 + below(20)), imm);
}

void writer::branch()
{
    std::string end = label();
    open_gates(); // not where they may be left out
    if (one_in(4))
        line("jmp %s", end.c_str());
    else {
        unsigned a = reg(), b = reg();
        if (one_in(2))
            extreme(one_in(2) ? a : b);
        line("%s x%u, x%u, %s", branch_[below(branch_.size())]->mnemonic, a, b, end.c_str());
    }
    enter();
    block(below(12));
    leave();
    here(end);
}

void writer::loop(uint64_t turns, uint64_t room)
{
    std::string end = label();
    open_gates();
    line("li x%u, %d", 22 + depth_, static_cast<int>(turns) - (turns == 0 && one_in(2) ? 2 : 0));
    line("loop x%u, %s", 22 + depth_, end.c_str());
    enter();
    depth_++;
    line("nop"); // a body of no word is a fault
    block(room);
    leave();
    depth_--;
    here(end);
}

void writer::semaphores()
{
    unsigned a = 1 + static_cast<unsigned>(below(3)), b = 1 + static_cast<unsigned>(below(3));
    line("wait post(s%u, s%u)", a, b);
    if (one_in(2))
        arithmetic();
    line("wait wait(s%u, s%u)", a, b);
}

void writer::sync()
{
    unsigned n = 1 + static_cast<unsigned>(below(6)), mine = 8 + static_cast<unsigned>(below(3));
    unsigned back = 1 + static_cast<unsigned>(below(3)), two = n > 1 && one_in(2);
    open_gates();
    for (unsigned i = 0; i < n; i++)
        if (two) // each takes one of its own, and the first all of another
            line("tsync wait(s%u, s%u*%u) post(s%u, s%u)", mine, mine, i == 0 ? n : 1, back, back);
        else
            line("tsync wait(s%u) post(s%u)", mine, back);
    for (unsigned i = 0; i < n + two * (2 * n - 1); i++) {
        if (one_in(3))
            arithmetic();
        line("wait post(s%u)", mine);
    }
    if (two)
        line("wait wait(s%u*%u, s%u*%u)", back, n, back, n);
    else
        line("wait wait(s%u*%u)", back, n);
}

void writer::call()
{
    if (routines_.empty())
        return;
    const routine &r = routines_[below(routines_.size())];
    uint64_t base = below((window - r.bytes) / 4 + 1) * 4;
    job j = {};
    j.queue = TSR_Q_TVP;
    j.reads = j.writes = {{place::tsram, base, r.bytes}};
    if (r.banks)
        j.reads.push_back({place::banks, r.first, r.banks});
    unsigned x = 1 + static_cast<unsigned>(below(20));
    if (one_in(3))
        random_feed(this, j.writes[0]);
    set(x, base);
    for (uint64_t turns = one_in(16) ? 10 : 1; turns > 0; turns--) {
        std::string sems;
        j.silent = turns > 1;
        if (!begin(j, &sems))
            return; // the first: none has begun
        line("vcall %s, x%u, x%u, x%u, x%u%s", r.name.c_str(), x, reg(), reg(), reg(),
             sems.c_str());
    }
}

// How often each piece comes differs from program to program.
void writer::weigh()
{
    struct {
        piece p;
        unsigned most;
        tsr_unit unit;
    } pieces[] = {{&writer::arithmetic, 16, TSR_UNIT_TCP}, {&writer::memory, 4, TSR_UNIT_TCP},
                  {&writer::branch, 4, TSR_UNIT_TCP},      {&writer::semaphores, 2, TSR_UNIT_TCP},
                  {&writer::sync, 2, TSR_UNIT_TTU},        {&writer::call, 8, TSR_UNIT_TVP},
                  {&writer::mma, 8, TSR_UNIT_TTU},         {&writer::drain, 6, TSR_UNIT_ACC},
                  {&writer::fill, 4, TSR_UNIT_ACC},        {&writer::copy, 8, TSR_UNIT_TDMA},
                  {&writer::indexed, 3, TSR_UNIT_TDMA},    {&writer::transpose, 2, TSR_UNIT_TDMA},
                  {&writer::to_control, 2, TSR_UNIT_TDMA}, {&writer::rpost, 2, TSR_UNIT_TDMA},
                  {&writer::join, 4, TSR_UNITS},           {&writer::burst, 3, TSR_UNIT_TDMA}};
    while (mix_.empty())
        for (const auto &x : pieces) {
            if (only_ != TSR_UNITS && x.unit != TSR_UNITS && x.unit != only_)
                continue;
            for (uint64_t n = below(2) ? below(x.most + 1) : x.most / 2; n > 0; n--)
                mix_.push_back(x.p);
        }
}

// So that nothing but products need follow.
void writer::feed_all()
{
    window =
        std::max<uint64_t>(window, std::min<uint64_t>(RANDOM_PATTERNS, chip->tile.tsram_bytes));
    line("li x1, hbm:0");
    set(2, 0);
    set(3, std::min<uint64_t>(window, RANDOM_PATTERNS));
    line("copy ch=0, src=x1, dst=x2, len=x3, p0=s1");
    line("wait wait(s1)");
    fed = true;
}

// `room`: instructions that it takes when it runs, more or less.
void writer::block(uint64_t room)
{
    nesting_++;
    for (uint64_t left = room; left > 0;) {
        unsigned before = words;
        uint64_t turns = 1;
        if (depth_ < 4 && nesting_ < 8 && one_in(24)) {
            turns = below(5);
            loop(turns, std::min(left, below(24)));
        } else {
            (this->*mix_[below(mix_.size())])();
        }
        uint64_t took = (words - before) * std::max<uint64_t>(turns, 1);
        left -= std::min(left, std::max<uint64_t>(took, 1));
    }
    nesting_--;
}

std::string writer::program(uint64_t length, bool faulty)
{
    for (int s : {1, 2, 3, 11})
        text += ".sem " + std::to_string(s) + " tcp\n";
    for (int s : {8, 9, 10})
        text += ".sem " + std::to_string(s) + " ttu\n";
    for (const std::string &s : declarations())
        text += s + "\n";
    for (unsigned r = 1; r <= 20; r++)
        text += ".arg all x" + std::to_string(r) + " " +
                std::to_string(static_cast<int64_t>(random_next(&state) >> (1 + below(63)))) + "\n";
    text += ".routine nothing\nvret\n.end\n";
    for (uint64_t n = std::min<uint64_t>(4, length / 40), i = 0; i < n; i++)
        routines_.push_back(
            random_routine(this, static_cast<unsigned>(i),
                           static_cast<unsigned>(4 + below(std::min<uint64_t>(40, length / 4)))));
    weigh();
    if (only_ == TSR_UNIT_TTU)
        feed_all();
    if (acc_tokens) {
        uint64_t line_bytes = chip->tile.line_bytes;
        set(27, static_cast<uint64_t>(banks) << 8);
        set(28, chip->tile.tsram_bytes - line_bytes);
        set(29, 1);
    }
    // Longer ones than the program memory holds take turns.
    uint64_t most = chip->tile.program_words / 2, rest = length > words ? length - words : 1;
    uint64_t first = faulty ? below(rest + 1) : rest;
    for (uint64_t part : {first, rest - first}) {
        if (part > most) {
            uint64_t turns = (part + most - 1) / most;
            loop(turns, part / turns);
        } else {
            block(part);
        }
        if (faulty && part == first)
            random_fault(this);
        if (part == rest)
            break;
    }
    leave();
    if (one_in(4))
        random_last(this);
    line("halt");
    if (faulty)
        text += "past:\n.routine lost\nvidx v0\nvsplat v1, a0\n.end\n";
    return text;
}

} // namespace

uint64_t random_length(uint64_t seed, uint64_t most)
{
    uint64_t state = seed ^ 0x1E46, steps = 0;
    // times 1000^(1/1000) at each step, in fixed point so that all hosts draw the same
    auto next = [](uint64_t length) { return length + length / 1000000 * 6932; };
    const uint64_t first = UINT64_C(10) << 32;
    for (uint64_t length = first; length >> 32 < most; length = next(length))
        steps++;
    uint64_t length = first;
    for (uint64_t n = random_next(&state) % (steps + 1); n > 0; n--)
        length = next(length);
    return length >> 32;
}

random_kind random_kind_of(uint64_t seed)
{
    uint64_t state = seed ^ 0x414D;
    uint64_t r = random_next(&state) % 10;
    return r < 2 ? random_kind::faulty : r < 4 ? random_kind::damaged : random_kind::legal;
}

std::string random_program(const tsr_isa *isa, const tsr_chip *chip, uint64_t seed, uint64_t length,
                           random_kind kind)
{
    std::string text = writer(isa, chip, seed).program(length, kind == random_kind::faulty);
    return kind == random_kind::damaged ? random_damaged(isa, text, seed) : text;
}

std::string random_program_of(const tsr_isa *isa, const tsr_chip *chip, uint64_t seed,
                              uint64_t length, tsr_unit unit)
{
    writer w(isa, chip, seed);
    w.only(unit);
    return w.program(length, false);
}
