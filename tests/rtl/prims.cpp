// SPDX-License-Identifier: Apache-2.0
// Every lane primitive of the RTL against isa/num, then the whole lane: a random instruction in
// every cycle, each result due after its row's latency.
// usage: Vbench COUNT SEED [lane: that alone]; the lane runs for COUNT / 5 cycles
#include "tests/rtl/unit_bench.h"

#include <algorithm>
#include <string>
#include <vector>

#include "Vbench.h"

extern "C" {
#include "isa/expr.h"
}
#include "bench.h" // prim_names, lane_latencies, lane_result()

// Bits at random, bits near a power of two, the ends of every class and what differs from them in a
// bit, subnormals of any length, runs of ones or zeros, small integers; and often a close relative
// of what stood before, for cancellation, ties and comparisons.
static uint32_t operand(uint32_t before)
{
    static const uint32_t ends[] = {0,          1,          2,          0x7FFFFF,   0x800000,
                                    0x800001,   0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x7F800001,
                                    0x3F800000, 0x3F7FFFFF, 0x3F800001, 0x4B000000, 0x4AFFFFFF,
                                    0x4F000000, 0x4EFFFFFF, 0x42FC0000, 0x42FC0001, 0x43000000,
                                    0x3F000000, 0x3F000001, 0x3FC00000, 0x33800000, 0x7FFFFFFF};
    uint64_t r = draw();
    uint32_t x = static_cast<uint32_t>(r), sign = x & 0x80000000;
    uint32_t end = ends[(r >> 40) % (sizeof ends / sizeof *ends)];
    unsigned n = static_cast<unsigned>(r >> 48 & 31);
    switch (r >> 32 & 15) {
    case 0:
    case 1:
        return sign | end;
    case 2:
        return sign | ((x & 0x7F800000) + static_cast<uint32_t>(r >> 40 & 3) - 1);
    case 3:
        return before ^ static_cast<uint32_t>(r >> 40 & 7) ^ sign;
    case 4:
        return (before ^ sign) + (static_cast<uint32_t>(r >> 40 & 31) << 23);
    case 5:
        return static_cast<uint32_t>(r >> 40 & 63); // shifts, subnormals
    case 6:
        return 0 - static_cast<uint32_t>(r >> 40 & 255);
    case 7:
    case 8: // near 1: exponents 2^-16 .. 2^16
        return sign | (x & 0x7FFFFF) | (static_cast<uint32_t>(111 + (r >> 40 & 31)) << 23);
    case 9: // few bits, halves and integers
        return sign | (static_cast<uint32_t>(120 + (r >> 40 & 31)) << 23) | (x & 0x7C0000);
    case 10:
        return sign | (end ^ 1u << n % 31);
    case 11:
        return sign | (x & 0x7FFFFF) >> n % 23;
    case 12:
        return (x & 0xFF800000) | ((1u << n % 24) - (x & 1)) % 0x800000;
    default:
        return x;
    }
}

static bool same(const char *name, const uint32_t *x, uint32_t got, uint32_t want)
{
    if (got == want)
        return true;
    std::printf("%s(%08x, %08x, %08x): RTL %08x, isa/num %08x\n", name, x[0], x[1], x[2], got,
                want);
    return false;
}

static int primitives(Vbench &v, uint64_t count)
{
    int bad = 0;
    for (size_t p = 0; p < sizeof prim_names / sizeof *prim_names; p++) {
        int index = tsr_num_primitive_find(prim_names[p]);
        uint32_t x[3] = {0, 0, 0};
        int wrong = 0;
        v.index_i = static_cast<uint8_t>(p);
        for (uint64_t i = 0; i < count && wrong < 5; i++) {
            x[0] = operand(x[2]);
            x[1] = operand(x[0]);
            x[2] = operand(x[1]);
            v.pa_i = x[0];
            v.pb_i = x[1];
            v.pc_i = x[2];
            v.eval();
            wrong +=
                !same(prim_names[p], x, v.d_o, tsr_num_primitive_apply(index, x[0], x[1], x[2]));
        }
        bad += wrong;
    }
    std::printf("%zu primitives x %" PRIu64 " inputs: %d differences\n",
                sizeof prim_names / sizeof *prim_names, count, bad);
    return bad;
}

// The row's expression by isa/num.
static uint32_t expected(const struct tsr_op *op, const uint32_t *x)
{
    uint32_t stack[TSR_MAX_NODES + 3];
    int top = 0;
    for (int i = 0; i < op->lanes.n; i++) {
        const struct tsr_node *n = &op->lanes.node[i];
        if (n->kind == TSR_NODE_CONST)
            stack[top++] = static_cast<uint32_t>(n->value);
        else if (n->kind == TSR_NODE_OPERAND)
            stack[top++] = x[op->operand[n->index].name[0] - 'a'];
        else {
            uint32_t *a = stack + top - n->arity;
            uint32_t d = tsr_num_primitive_apply(n->index, a[0], n->arity > 1 ? a[1] : 0,
                                                 n->arity > 2 ? a[2] : 0);
            top -= n->arity;
            stack[top++] = d;
        }
    }
    return stack[0];
}

// How many of a, b and c the row takes.
static uint64_t operands(const struct tsr_op *op)
{
    uint64_t n = 0;
    for (int i = 0; i < op->lanes.n; i++)
        if (op->lanes.node[i].kind == TSR_NODE_OPERAND)
            n = std::max<uint64_t>(n, 1 + op->operand[op->lanes.node[i].index].name[0] - 'a');
    return n;
}

// Puts one operand a bit off a zero or an infinity beside zeros, infinities or NaNs: each operand,
// bit and neighbour of each row, one after the other.
class beside_special
{
  public:
    const struct tsr_op *next(const std::vector<const struct tsr_op *> &rows, uint32_t (&x)[3])
    {
        static const uint32_t special[] = {0, 0x7F800000, 0x7FC00000};
        uint64_t k;
        do {
            row = (row + 1) % rows.size();
            n += row == 0;
            k = operands(rows[row]);
        } while (n % 558 >= (k > 1 ? 186 * k : 62));
        for (uint32_t &o : x)
            o = special[n % 558 / 62 % 3];
        x[n % 558 / 186] = special[n / 31 % 2] ^ 1u << n % 31;
        return rows[row];
    }

  private:
    size_t row = 0;
    uint64_t n = 0;
};

static uint32_t float_bits(double x)
{
    float f = static_cast<float>(x);
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

// An exponent field, cut off to what there is.
static uint32_t field(int e)
{
    return static_cast<uint32_t>(std::clamp(e, 0, 255)) << 23;
}

// Each row of an elementary function's table in turn: its first value, its last one, others.
static void table_row(uint64_t n, uint32_t (&x)[3])
{
    uint64_t r = draw();
    uint32_t low = r % 4 == 0 ? 0 : r % 4 == 1 ? 0xFFFF : static_cast<uint32_t>(r >> 8) & 0xFFFF;
    x[0] = field(static_cast<int>((n >> 7 & 1) + (r >> 24) % 128 * 2)) |
           static_cast<uint32_t>(n % 128) << 16 | low;
}

// For exp2: its rows, or the last multiples of 2^-28, below which it cuts off, and their
// neighbours; now and then where it is 0 or infinity from, and beside.
static void exp2_row(uint64_t n, uint32_t (&x)[3])
{
    static const uint32_t ends[] = {0xC2FC0000, 0xC2FC0001, 0xC2FBFFFF,
                                    0x43000000, 0x43000001, 0x42FFFFFF};
    table_row(n, x);
    uint32_t low = x[0] & 0xFFFF, sign = static_cast<uint32_t>(draw()) & 0x80000000;
    if (n % 2) // 64 rows for each unit
        x[0] = float_bits((static_cast<int>(n / 2 % 256) - 128 + low / 65536.0) / 64);
    else
        x[0] = sign | (float_bits((below(0x800000) >> n / 2 % 16) / 268435456.0) +
                       (low % 4 ? 0 : below(3) - 1));
    if (n % 34 == 0)
        x[0] = ends[n / 34 % 6];
}

// Quotients of few bits, or a bit off: ties wherever somebody rounds.
static void quotient(uint64_t n, uint32_t (&x)[3])
{
    uint64_t r = draw();
    int e = static_cast<int>(r >> 8) & 255, k = static_cast<int>(n / 2);
    int q = n % 2 ? k % 30 - 20 : k % 160 - 150;
    x[1] = (static_cast<uint32_t>(r) & 0x80000000) | field(std::max(e, 1));
    x[0] = field(e + q) | (((static_cast<uint32_t>(r >> 40) | 1) << (11 + below(12))) & 0x7FFFFF);
    if (r % 4 == 0)
        x[0] += below(3) - 1;
    else if (r % 4 == 1)
        x[1] |= shaped(draw());
}

// Around the smallest normal number: products, or what a number is times the other one's exponent.
static void small(uint64_t n, uint32_t (&x)[3])
{
    uint64_t r = draw();
    int e = static_cast<int>(r >> 8) & 255, low = static_cast<int>(n) % 32 - 27;
    uint32_t sign = static_cast<uint32_t>(r) & 0x80000000;
    x[0] = sign | field(e) | shaped(draw());
    x[1] = field(r & 1 ? 127 + low - e : 127 - low + e) | shaped(r >> 16);
    x[2] = (r & 2 ? sign : 0) | field(static_cast<int>(r >> 4) & 31) | shaped(draw());
}

// A subnormal of each length beside an integer.
static void subnormal(uint64_t n, uint32_t (&x)[3])
{
    uint32_t bit = 1u << n % 23, sign = static_cast<uint32_t>(draw()) & 0x80000000;
    x[0] = sign | bit | (static_cast<uint32_t>(draw()) & (bit - 1));
    x[1] = below(320) - 160;
}

// Fractions of each length behind integers.
static void fraction(uint64_t n, uint32_t (&x)[3])
{
    uint32_t sign = static_cast<uint32_t>(draw()) & 0x80000000;
    x[0] = sign | field(126 + static_cast<int>(n) % 33) | shaped(draw());
}

// Summands whose exponents are 0 to 49 apart.
static void apart(uint64_t n, uint32_t (&x)[3])
{
    int e = static_cast<int>(below(256)), by = static_cast<int>(n % 50);
    x[n & 1] = (static_cast<uint32_t>(draw()) & 0x807FFFFF) | field(e);
    x[~n & 1] = (static_cast<uint32_t>(draw()) & 0x807FFFFF) | field(e - by);
    x[2] = (static_cast<uint32_t>(draw()) & 0x80000000) | field(e - 24) | shaped(draw());
}

// A product's negative, or what differs from it in a few places: a fused sum's cancellation.
static void cancel(uint64_t n, uint32_t (&x)[3])
{
    x[0] = field(64 + static_cast<int>(below(128))) | shaped(draw());
    x[1] = field(64 + static_cast<int>(below(128))) | shaped(draw());
    x[2] = tsr_num_primitive_apply(tsr_num_primitive_find("mul"), x[0], x[1], 0) ^ 0x80000000;
    x[2] += (below(5) - 2) << n % 25;
}

struct aim {
    const char *mnemonics; // each followed by a space
    void (*operands)(uint64_t n, uint32_t (&x)[3]);
    std::vector<const struct tsr_op *> rows;
};

// Rows with operands at the edges of what they compute.
static std::vector<aim> aims(const std::vector<const struct tsr_op *> &rows)
{
    std::vector<aim> all = {
        {"vlog2 vrcp ", table_row, {}},
        {"vrsqrt ", table_row, {}},
        {"vexp2 ", exp2_row, {}},
        {"vdiv vscale_e4m3 vscale_f16 vscale_bf16 vscale_f32 vscale_q4 ", quotient, {}},
        {"vmul vdescale vquot vdiv vfma ", small, {}},
        {"vscale_e8m0 vexponent vlog2 vrcp vrsqrt ", subnormal, {}},
        {"vceil vfloor vrint vcvt_i ", fraction, {}},
        {"vadd vsub vadd3 ", apart, {}},
        {"vfma vexp2_fma ", cancel, {}},
    };
    for (aim &a : all)
        for (const struct tsr_op *op : rows)
            if (strstr(a.mnemonics, (std::string(op->mnemonic) + " ").c_str()))
                a.rows.push_back(op);
    all.erase(std::remove_if(all.begin(), all.end(), [](const aim &a) { return a.rows.empty(); }),
              all.end());
    return all;
}

static int lane(Vbench &v, const struct tsr_isa *isa, uint64_t count)
{
    struct issued {
        const struct tsr_op *op;
        uint32_t x[3];
    };
    std::vector<const struct tsr_op *> rows;
    for (int i = 0; i < isa->n_ops; i++)
        if (isa->ops[i].stream == TSR_STREAM_TVP && isa->ops[i].lanes.n > 0)
            rows.push_back(&isa->ops[i]);
    std::vector<issued> past(256);
    std::vector<aim> aimed = aims(rows);
    beside_special special;
    int bad = 0;
    uint32_t x = 0;
    for (uint64_t t = 0; t < count && bad < 5; t++) {
        issued &now = past[t % past.size()];
        now.op = draw() % 8 ? rows[draw() % rows.size()] : nullptr;
        for (uint32_t &o : now.x)
            o = x = operand(x);
        if (t % 4 == 3)
            now.op = special.next(rows, now.x);
        else if (t % 4 == 1) {
            uint64_t n = t / 4 / aimed.size();
            const aim &a = aimed[t / 4 % aimed.size()];
            now.op = a.rows[n % a.rows.size()];
            a.operands(n / a.rows.size(), now.x);
        }
        v.op_i = now.op ? now.op->opcode : 0;
        v.a_i = now.x[0];
        v.b_i = now.x[1];
        v.c_i = now.x[2];
        v.clk_i = 0;
        v.eval();
        for (int latency : lane_latencies) {
            if (t + 1 < static_cast<uint64_t>(latency))
                continue;
            const issued &then = past[(t + 1 - static_cast<uint64_t>(latency)) % past.size()];
            if (then.op == nullptr ||
                tsr_expr_eval(&then.op->latency, TSR_EXPR_CYCLES, isa, nullptr, nullptr) != latency)
                continue;
            bad += !same(then.op->mnemonic, then.x, lane_result(v, latency),
                         expected(then.op, then.x));
        }
        v.clk_i = 1;
        v.eval();
    }
    std::printf("lane, %zu rows, %" PRIu64 " cycles: %d differences\n", rows.size(), count, bad);
    return bad;
}

int main(int argc, char **argv)
{
    uint64_t count = argument(argc, argv, 1, 100000);
    auto v = std::make_unique<Vbench>();
    struct tsr_isa *isa = begin_bench("rtl.prims", argument(argc, argv, 2, 1));
    int bad = argc > 3 ? 0 : primitives(*v, count);
    bad += lane(*v, isa, count / 5);
    tsr_isa_free(isa);
    return bad != 0;
}
