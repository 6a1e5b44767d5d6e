// SPDX-License-Identifier: Apache-2.0
// The tensor unit's arithmetic in RTL against isa/num: in every cycle a step of one output, any
// pair of formats, random and adversarial elements, scales and accumulators. usage: Vttu_bench
// COUNT SEED R16 R9 R6
#include "tests/rtl/unit_bench.h"

#include <algorithm>
#include <string>
#include <vector>

#include "Vttu_bench.h"

enum {
    ROOM = 512
}; // bytes of a row and of its scales: at most 128 elements

struct row {
    const struct tsr_format *f;
    std::vector<uint32_t> code, shift, scale;
    uint8_t codes[ROOM], scales[ROOM];
};

static bool has_scales(const struct tsr_format *f)
{
    return f->family != TSR_FAMILY_FLOAT && f->family != TSR_FAMILY_INT;
}

static uint32_t block_of(const struct tsr_format *f)
{
    return has_scales(f) ? f->block : 1;
}

// Bits of 16 elements with the pairs' shifts behind them.
static uint32_t sixteen_bits(const struct tsr_format *f)
{
    return 16u * f->bits + (f->family == TSR_FAMILY_SMX ? 8 : 0);
}

static uint32_t code_at(const struct tsr_format *f, uint32_t k)
{
    return k / 16 * sixteen_bits(f) + k % 16 * f->bits;
}

static uint32_t shift_at(const struct tsr_format *f, uint32_t k)
{
    return k / 16 * sixteen_bits(f) + 16u * f->bits + k % 16 / 2;
}

static void put(uint8_t *at, uint32_t bit, uint32_t n, uint32_t value)
{
    for (uint32_t i = 0; i < n; i++, bit++)
        at[bit / 8] =
            static_cast<uint8_t>((at[bit / 8] & ~(1u << bit % 8)) | (value >> i & 1u) << bit % 8);
}

static uint32_t get(const uint8_t *at, uint32_t bit)
{
    return bit / 8 < ROOM ? at[bit / 8] >> bit % 8 & 1u : 0;
}

// An infinity, or the code that is all ones, or what differs from one of them in a bit.
static uint32_t near_special(const struct tsr_format *f)
{
    uint32_t sign = 1u << (f->bits - 1), field = ((1u << f->ebits) - 1) << f->mbits;
    uint32_t c = (below(2) ? field : sign - 1) | (below(2) ? sign : 0), bit = below(f->bits);
    return below(f->bits) ? c ^ 1u << bit : c;
}

// Elements at random; of few magnitudes; from the ends; mostly zero, with a special one here and
// there that alone decides; each the last one's negative.
static uint32_t draw_code(const struct tsr_format *f, int how, uint32_t before)
{
    uint32_t all = (1u << f->bits) - 1, sign = 1u << (f->bits - 1), c = draw() & all;
    uint32_t field = f->ebits ? ((1u << f->ebits) - 1) << f->mbits : 0;
    switch (how) {
    case 1: // exponents of a few places
        return field ? (c & ~field) | ((field / 2 + (below(5) << f->mbits)) & field) : c;
    case 2:
        return (c & sign) | (below(2) ? below(4) : (sign - 1 - below(1u << f->mbits % 5)) & all);
    case 3:
        if (field && !below(6))
            return near_special(f);
        return below(3)
                   ? (f->bias && !f->ebits && f->family == TSR_FAMILY_GGUF ? f->bias : c & sign)
                   : c;
    case 4:
        return f->ebits || f->family == TSR_FAMILY_SMX ? before ^ sign
                                                       : (2u * f->bias - before) & all;
    case 5: // no specials: the top exponent is rare
        return (c & field) == field && field ? c ^ (1u << f->mbits) : c;
    default:
        return c;
    }
}

static uint32_t draw_scale(const struct tsr_format *f, int how, uint32_t base)
{
    uint32_t bits = f->scale_bits, any = draw() & ((1u << bits) - 1);
    uint32_t one = bits == 16 ? 0x3C00 : f->family == TSR_FAMILY_NVF ? 0x38 : 127;
    static const uint32_t edges[] = {0, 1, 0x7F, 0x80, 0xFE, 0xFF, 0x7E, 0x8001, 0x7C00, 0xFC01};
    switch (how) {
    case 0:
        return (one + base % 8) & ((1u << bits) - 1);
    case 1: // some places apart, of either sign
        return bits == 16                    ? (any & 0x83FF) | (11 + below(9)) << 10
               : f->family == TSR_FAMILY_NVF ? any & 0xB7
                                             : one - 12 + below(24);
    case 2: // of those often 0, which makes of an infinity on the other side a NaN
        return below(2) ? 0 : edges[below(10)] & ((1u << bits) - 1);
    default:
        return any;
    }
}

// Elements before `first` are zeros of legal blocks: what stands there adds nothing.
static void fill(row &r, const struct tsr_format *f, uint32_t first, uint32_t k, int how,
                 int scales)
{
    uint32_t zero = f->family == TSR_FAMILY_GGUF && f->ebits == 0 ? f->bias : 0, before = 0;
    uint32_t base = below(8);
    r.f = f;
    for (uint32_t i = 0; i < ROOM; i += 8) {
        uint64_t noise = draw();
        memcpy(r.codes + i, &noise, 8);
        memcpy(r.scales + i, &noise, 8);
    }
    for (uint32_t i = 0; i < k; i++) {
        uint32_t c = i < first ? zero : draw_code(f, i % 2 ? how : how == 4 ? 5 : how, before);
        put(r.codes, code_at(f, i), f->bits, c);
        before = c;
    }
    if (!has_scales(f))
        return;
    for (uint32_t b = 0; b * f->block < k; b++)
        put(r.scales, b * f->scale_bits, f->scale_bits,
            (b + 1) * f->block <= first ? 0x38 : draw_scale(f, scales, base));
}

static uint32_t draw_c(bool plain)
{
    static const uint32_t ends[] = {0,          0x80000000, 1,          0x807FFFFF, 0x00800000,
                                    0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0x3F800000};
    uint32_t x = static_cast<uint32_t>(draw());
    switch (plain ? 9 : below(8)) {
    case 0:
        return ends[below(10)];
    case 1:
    case 2:
    case 3: // near 1
        return (x & 0x807FFFFF) | (117 + below(24)) << 23;
    case 4:
        return (x & 0x80000000) | (127 + below(16)) << 23;
    case 5: // one bit off a zero or an infinity
        return ((x & 0x80000000) | (below(2) ? 0x7F800000 : 0)) ^ 1u << below(31);
    default:
        return x;
    }
}

template <size_t N>
static void window(uint32_t (&out)[N], uint32_t bits, const uint8_t *from, uint32_t at)
{
    for (size_t i = 0; i < N; i++)
        out[i] = 0;
    for (uint32_t i = 0; i < bits && i < 32 * N; i++)
        out[i / 32] |= get(from, at + i) << i % 32;
}

// Verilator's ports: up to 64 bits an integer, beyond that words.
template <class Port> static void drive(Port &port, const uint32_t (&words)[32])
{
    if constexpr (std::is_integral_v<Port>)
        port = static_cast<Port>(words[0] | static_cast<uint64_t>(words[1]) << 32);
    else
        for (size_t i = 0; i < sizeof port / 4; i++)
            port[i] = words[i];
}

struct unit {
    const struct tsr_isa *isa;
    std::vector<const struct tsr_format *> formats;
    uint32_t r16, r9, r6, window;
};

struct step {
    row a, b;
    uint32_t first, live, r, c, want;
    bool used;
};

static uint32_t r_of(const unit &u, const struct tsr_format *f)
{
    return f->width_class == 16 ? u.r16 : f->width_class == 9 ? u.r9 : u.r6;
}

// What isa/num makes of it; the steps before the last add zeros.
static uint32_t expected(const step &s)
{
    struct tsr_num_plan plan;
    struct tsr_num_panel pa, pb;
    struct tsr_error err = {};
    alignas(64) static char memory[2][1 << 17];
    if (tsr_num_plan(s.a.f, s.b.f, s.r, &plan, &err) != TSR_OK) {
        std::printf("%s\n", err.message);
        std::exit(1);
    }
    uint32_t k = s.first + s.live, c = s.c;
    struct tsr_num_operand oa = {s.a.codes, ROOM, false, s.a.scales, ROOM};
    struct tsr_num_operand ob = {s.b.codes, ROOM, false, s.b.scales, ROOM};
    oa.scales = has_scales(s.a.f) ? oa.scales : nullptr;
    ob.scales = has_scales(s.b.f) ? ob.scales : nullptr;
    tsr_num_unpack(&plan, TSR_NUM_A, &oa, 1, k, memory[0], &pa);
    tsr_num_unpack(&plan, TSR_NUM_B, &ob, 1, k, memory[1], &pb);
    tsr_num_mma(&plan, &pa, &pb, &c, 1, false);
    return c;
}

static bool is_pair(const struct tsr_format *a, const struct tsr_format *b)
{
    return (a->family == TSR_FAMILY_INT) == (b->family == TSR_FAMILY_INT);
}

static void draw_step(const unit &u, step &s, uint64_t number)
{
    size_t n = u.formats.size();
    const struct tsr_format *a = u.formats[number % n], *b = u.formats[number / n % n];
    s.used = is_pair(a, b);
    if (!s.used)
        return;
    s.r = std::min(r_of(u, a), r_of(u, b));
    // Steps begin where both blocks do, or within a block of 16 that R cuts.
    uint32_t most = std::max(block_of(a), block_of(b));
    s.first = s.r < 16 ? below(most / s.r + 1) * s.r % 32 : 0;
    s.live = below(3) ? s.r : 1 + below(s.r);
    int how = static_cast<int>(below(6));
    fill(s.a, a, s.first, s.first + s.live, how, static_cast<int>(below(4)));
    fill(s.b, b, s.first, s.first + s.live, how == 4 ? 1 : static_cast<int>(below(6)),
         static_cast<int>(below(4)));
    if (how == 4) // the same elements in pairs, so that products cancel
        for (uint32_t i = s.first + 1; i < s.first + s.live; i += 2)
            for (uint32_t bit = 0; bit < b->bits && below(16); bit++)
                put(s.b.codes, code_at(b, i) + bit, 1, get(s.b.codes, code_at(b, i - 1) + bit));
    s.c = draw_c(a->family == TSR_FAMILY_INT);
    if (number % 7 == 3) { // the step's own negative, or a bit off: what rounding left is the sum
        uint32_t off = s.c & 1 ? 1u << (s.c >> 1) % 24 : 0;
        s.c = 0;
        s.c = expected(s) ^ 0x80000000 ^ off;
    }
    s.want = expected(s);
}

// One side's ports.
#define DRIVE(v, side, u, s)                                                                       \
    do {                                                                                           \
        const struct tsr_format *f = (s).side.f;                                                   \
        uint32_t words[32];                                                                        \
        (v).side##_format_i = f->code;                                                             \
        window(words, (u).window, (s).side.codes, code_at(f, (s).first));                          \
        drive((v).side##_codes_i, words);                                                          \
        window(words, (u).window, (s).side.codes, shift_at(f, (s).first));                         \
        drive((v).side##_shifts_i, words);                                                         \
        window(words, 64, (s).side.scales, (s).first / block_of(f) * f->scale_bits);               \
        drive((v).side##_scales_i, words);                                                         \
    } while (0)

static void show(const step &s, uint32_t got)
{
    std::printf("%s x %s, k %u..%u, C %08x: RTL %08x, isa/num %08x\n", s.a.f->name, s.b.f->name,
                s.first, s.first + s.live - 1, s.c, got, s.want);
}

static int steps(Vttu_bench &v, const unit &u, uint64_t count)
{
    enum {
        LATENCY = 3
    };
    std::vector<step> past(8);
    int bad = 0;
    uint64_t done = 0;
    for (uint64_t t = 0; t < count && bad < 10; t++) {
        step &now = past[t % past.size()];
        draw_step(u, now, t);
        if (now.used) {
            DRIVE(v, a, u, now);
            DRIVE(v, b, u, now);
            v.live_i = now.live == 64 ? ~UINT64_C(0) : (UINT64_C(1) << now.live) - 1;
            v.c_i = now.c;
        }
        v.clk_i = 0;
        v.eval();
        bad += now.used && (!v.legal_o || 1u << v.log2_r_o != now.r);
        if (t >= LATENCY) {
            const step &then = past[(t - LATENCY) % past.size()];
            if (then.used && v.c_o != then.want) {
                show(then, v.c_o);
                bad++;
            }
            done += then.used;
        }
        v.clk_i = 1;
        v.eval();
    }
    std::printf("%" PRIu64 " steps, R = %u/%u/%u: %d differences\n", done, u.r16, u.r9, u.r6, bad);
    return bad;
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 2;
    uint64_t count = argument(argc, argv, 1, 0);
    auto v = std::make_unique<Vttu_bench>();
    struct tsr_isa *isa = begin_bench("rtl.ttu", argument(argc, argv, 2, 1));
    unit u = {};
    u.isa = isa;
    u.r16 = static_cast<uint32_t>(argument(argc, argv, 3, 0));
    u.r9 = static_cast<uint32_t>(argument(argc, argv, 4, 0));
    u.r6 = static_cast<uint32_t>(argument(argc, argv, 5, 0));
    u.window = std::max(std::max(16 * u.r16, 9 * u.r9), 6 * u.r6);
    for (int i = 0; i < TSR_DTYPE_MAX; i++)
        if (isa->has_format[i] && isa->formats[i].width_class != 0)
            u.formats.push_back(&isa->formats[i]);
    int bad = steps(*v, u, count);
    tsr_isa_free(isa);
    return bad != 0;
}
