/* SPDX-License-Identifier: Apache-2.0 */
/* The vector primitives: arithmetic against fixed-point sums and products (mma_slow.h), the others
 * against libm or their definition; edges by name; reductions against the tree drawn recursively.
 */
#include "tests/support/harness.h"

#include <math.h>
#include <stdio.h>

#include "tests/num/formats.h"
#include "tests/num/mma_slow.h"

static uint32_t apply(const char *name, uint32_t a, uint32_t b, uint32_t c)
{
    int p = tsr_num_primitive_find(name);
    if (p < 0)
        fail_msg("no primitive %s", name);
    return tsr_num_primitive_apply(p, a, b, c);
}

static const uint32_t edges[] = {
    0,          0x80000000, 1,          0x80000001, 0x007FFFFF, 0x00800000, 0x80800000, 0x3F800000,
    0xBF800000, 0x3F7FFFFF, 0x3F000000, 0xBF000000, 0x3F000001, 0x3FC00000, 0x40200000, 0x4B000000,
    0x4AFFFFFF, 0xCB000001, 0x4EFFFFFF, 0x4F000000, 0xCF000000, 0xCF000001, 0x7F7FFFFF, 0xFF7FFFFF,
    0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF, 0x33800000, 0x33800001,
};
enum {
    EDGES = sizeof edges / sizeof *edges
};

/* Edges, numbers of like exponent, or anything. */
static uint32_t draw(uint64_t *s)
{
    uint64_t roll = tsr_test_random(s);
    if (roll % 4 == 0)
        return edges[roll / 4 % EDGES];
    if (roll % 4 == 1)
        return num_bits(tsr_test_random_f32(s) * 4);
    return (uint32_t)(roll >> 32);
}

static bool nan_bits(uint32_t x)
{
    return (x & 0x7FFFFFFF) > 0x7F800000;
}

static bool inf_bits(uint32_t x)
{
    return (x & 0x7FFFFFFF) == 0x7F800000;
}

static void add_f32(struct slow_fixed *x, uint32_t a)
{
    uint32_t field = a >> 23 & 0xFF;
    slow_add(x, a >> 31, (a & 0x7FFFFF) | (field ? 0x800000u : 0), (int)(field ? field : 1) - 150);
}

static uint32_t slow_add_f32(uint32_t a, uint32_t b)
{
    struct slow_fixed x = {{0}};
    if (nan_bits(a) || nan_bits(b) || (inf_bits(a) && inf_bits(b) && a != b))
        return TSR_NUM_NAN;
    if (inf_bits(a) || inf_bits(b))
        return inf_bits(a) ? a : b;
    if (a == b && a == 0x80000000)
        return a; /* IEEE: -0 + -0 = -0 */
    add_f32(&x, a);
    add_f32(&x, b);
    return slow_round(x);
}

static uint32_t slow_mul_f32(uint32_t a, uint32_t b)
{
    uint32_t sign = (a ^ b) & 0x80000000, fa = a >> 23 & 0xFF, fb = b >> 23 & 0xFF;
    bool zero = a << 1 == 0 || b << 1 == 0;
    struct slow_fixed x = {{0}};
    if (nan_bits(a) || nan_bits(b) || ((inf_bits(a) || inf_bits(b)) && zero))
        return TSR_NUM_NAN;
    if (inf_bits(a) || inf_bits(b))
        return sign | 0x7F800000;
    uint64_t ma = (a & 0x7FFFFF) | (fa ? 0x800000u : 0), mb = (b & 0x7FFFFF) | (fb ? 0x800000u : 0);
    slow_add(&x, false, ma * mb, (int)(fa ? fa : 1) + (int)(fb ? fb : 1) - 300);
    return sign | slow_round(x);
}

static void expect(const char *name, uint32_t a, uint32_t b, uint32_t c, uint32_t want)
{
    uint32_t got = apply(name, a, b, c);
    if (got != want)
        fail_msg("%s(%08x, %08x, %08x) = %08x, not %08x", name, a, b, c, got, want);
}

static void test_primitives_arithmetic_equals_fixed_point(void **state)
{
    uint64_t s = tsr_test_seed("arithmetic", 21);
    (void)state;
    for (int n = 0; n < 60000; n++) {
        uint32_t a = n < EDGES * EDGES ? edges[n / EDGES] : draw(&s);
        uint32_t b = n < EDGES * EDGES ? edges[n % EDGES] : draw(&s), c = draw(&s);
        expect("add", a, b, 0, slow_add_f32(a, b));
        expect("sub", a, b, 0, slow_add_f32(a, b ^ 0x80000000));
        expect("mul", a, b, 0, slow_mul_f32(a, b));
        expect("fma", a, b, c, slow_add_f32(slow_mul_f32(a, b), c));
        expect("add3", a, b, c, slow_add_f32(slow_add_f32(a, b), c));
    }
}

static void test_primitives_comparisons_order_as_ieee(void **state)
{
    uint64_t s = tsr_test_seed("comparisons", 22);
    (void)state;
    for (int n = 0; n < 60000; n++) {
        uint32_t a = n < EDGES * EDGES ? edges[n / EDGES] : draw(&s);
        uint32_t b = n < EDGES * EDGES ? edges[n % EDGES] : draw(&s);
        b = n % 7 == 0 ? a : b;
        bool nan = nan_bits(a) || nan_bits(b);
        double x = num_float(a), y = num_float(b);
        expect("lt", a, b, 0, !nan && x < y ? ~0u : 0);
        expect("le", a, b, 0, !nan && x <= y ? ~0u : 0);
        expect("eq", a, b, 0, !nan && x == y ? ~0u : 0);
        expect("ne", a, b, 0, nan || x != y ? ~0u : 0);
        expect("gt", a, b, 0, !nan && x > y ? ~0u : 0);
        expect("ge", a, b, 0, !nan && x >= y ? ~0u : 0);
        bool below = x < y || (x == y && a >> 31 > b >> 31);
        expect("min", a, b, 0, nan ? TSR_NUM_NAN : below ? a : b);
        expect("max", a, b, 0, nan ? TSR_NUM_NAN : below ? b : a);
        int64_t i = (int32_t)a, j = (int32_t)b;
        expect("ilt", a, b, 0, i < j ? ~0u : 0);
        expect("ile", a, b, 0, i <= j ? ~0u : 0);
        expect("ieq", a, b, 0, i == j ? ~0u : 0);
        expect("ine", a, b, 0, i != j ? ~0u : 0);
        expect("igt", a, b, 0, i > j ? ~0u : 0);
        expect("ige", a, b, 0, i >= j ? ~0u : 0);
        expect("imin", a, b, 0, (uint32_t)(i < j ? i : j));
        expect("imax", a, b, 0, (uint32_t)(i < j ? j : i));
        uint32_t c = draw(&s);
        expect("min3", a, b, c, apply("min", apply("min", a, b, 0), c, 0));
        expect("max3", a, b, c, apply("max", apply("max", a, b, 0), c, 0));
    }
}

static uint32_t exponent_of(uint32_t a)
{
    int e;
    if (a << 1 == 0)
        return (uint32_t)-150;
    if (!isfinite(num_float(a)))
        return 128;
    frexp(num_float(a), &e);
    return (uint32_t)(e - 1);
}

static void test_primitives_conversions_equal_libm(void **state)
{
    uint64_t s = tsr_test_seed("conversions", 23);
    (void)state;
    for (int n = 0; n < 200000; n++) {
        uint32_t a = n < EDGES ? edges[n] : draw(&s), nan = nan_bits(a);
        if (n % 3 == 0) /* halves */
            a = num_bits((float)((int32_t)tsr_test_random(&s) >> (n % 25)) / 2);
        nan = nan_bits(a);
        float x = num_float(a);
        expect("floor", a, 0, 0, nan ? TSR_NUM_NAN : num_bits(floorf(x)));
        expect("ceil", a, 0, 0, nan ? TSR_NUM_NAN : num_bits(ceilf(x)));
        expect("rint", a, 0, 0, nan ? TSR_NUM_NAN : num_bits(rintf(x)));
        double v = nan ? 0 : rint(x);
        v = v > 2147483647.0 ? 2147483647.0 : v < -2147483648.0 ? -2147483648.0 : v;
        expect("cvt_f32_i32", a, 0, 0, (uint32_t)(int32_t)v);
        expect("cvt_i32_f32", a, 0, 0, num_bits((float)(double)(int32_t)a)); /* one rounding */
        expect("exponent", a, 0, 0, exponent_of(a));
        expect("neg", a, 0, 0, a ^ 0x80000000);
        expect("abs", a, 0, 0, a & 0x7FFFFFFF);
        int by = (int)tsr_test_random_below(&s, 600) - 300;
        struct slow_fixed f = {{0}};
        uint32_t mag = a & 0x7FFFFFFF, field = mag >> 23;
        if (field == 255) {
            expect("scale2", a, (uint32_t)by, 0, nan ? TSR_NUM_NAN : a);
        } else {
            slow_add(&f, false, (mag & 0x7FFFFF) | (field ? 0x800000u : 0),
                     (int)(field ? field : 1) - 150 + (by < -280 ? -280 : by));
            expect("scale2", a, (uint32_t)by, 0, (a & 0x80000000) | slow_round(f));
        }
    }
    expect("scale2", 0x3F800000, 0x80000000, 0, 0);
    expect("scale2", 0xBF800000, 0x7FFFFFFF, 0, 0xFF800000);
    expect("cvt_f32_i32", num_bits(2.5f), 0, 0, 2);
    expect("cvt_f32_i32", num_bits(-3.5f), 0, 0, (uint32_t)-4);
    expect("ceil", num_bits(-0.5f), 0, 0, 0x80000000);
    expect("exponent", 1, 0, 0, (uint32_t)-149);
}

static void test_primitives_bits_and_integers_wrap(void **state)
{
    uint64_t s = tsr_test_seed("integers", 24);
    (void)state;
    for (int n = 0; n < 60000; n++) {
        uint32_t a = draw(&s), b = draw(&s), c = draw(&s), by = n % 4 ? b % 40 : b;
        expect("iadd", a, b, 0, (uint32_t)((uint64_t)a + b));
        expect("isub", a, b, 0, (uint32_t)((uint64_t)a - b));
        expect("imul", a, b, 0, (uint32_t)((uint64_t)a * b));
        expect("and", a, b, 0, ~(~a | ~b));
        expect("or", a, b, 0, ~(~a & ~b));
        expect("xor", a, b, 0, (a | b) - (a & b));
        expect("not", a, 0, 0, 0xFFFFFFFF - a);
        expect("shl", a, by, 0, by < 32 ? (uint32_t)((uint64_t)a << by) : 0);
        expect("shr", a, by, 0, by < 32 ? (uint32_t)((uint64_t)a >> by) : 0);
        int64_t signed_a = (int32_t)a;
        expect("sra", a, by, 0, (uint32_t)(signed_a >> (by < 63 ? by : 63)));
        expect("select", a, b, c, a != 0 ? b : c);
        expect("select", 0, b, c, c);
        expect("select", 1, b, c, b);
        expect("copysign", a, b, 0, (a & 0x7FFFFFFF) + (b & 0x80000000));
    }
}

/* Every row, many lanes at once with each allowed aliasing, equals lane by lane. */
static void test_primitives_lanes_equal_single_lanes(void **state)
{
    enum {
        LANES = 67
    };
    uint64_t s = tsr_test_seed("lanes", 25);
    (void)state;
    for (int p = 0; tsr_num_primitives[p].fn != NULL; p++) {
        const struct tsr_num_primitive *row = &tsr_num_primitives[p];
        uint32_t in[3][LANES], want[LANES];
        assert_int_equal(tsr_num_primitive_find(row->name), p);
        assert_in_range(row->operands, 1, 3);
        assert_true(strlen(row->doc) > 0);
        for (int i = 0; i < LANES; i++) {
            for (int o = 0; o < 3; o++)
                in[o][i] = draw(&s);
            want[i] = tsr_num_primitive_apply(p, in[0][i], in[1][i], in[2][i]);
        }
        for (int target = -1; target < row->operands; target++) {
            for (unsigned n = 0; n <= LANES; n += n < 10 ? 1 : 19) {
                uint32_t copy[4][LANES] = {{0}};
                memcpy(copy, in, sizeof in);
                uint32_t *d = copy[target < 0 ? 3 : target];
                uint32_t after = n < LANES ? d[n] : 0;
                row->fn(d, copy[0], row->operands > 1 ? copy[1] : NULL,
                        row->operands > 2 ? copy[2] : NULL, n);
                assert_memory_equal(d, want, n * sizeof *d);
                if (n < LANES)
                    assert_int_equal(d[n], after);
            }
        }
    }
    assert_int_equal(tsr_num_primitive_find("sinh"), -1);
}

/* The elementary functions give the same bits on every host: a digest over 2^19 inputs. */
static void test_primitives_elementary_digest_is_fixed(void **state)
{
    static const struct {
        const char *name;
        uint64_t digest;
    } rows[] = {
        {"exp2", UINT64_C(0xBEE1641F088089DC)},
        {"log2", UINT64_C(0xFFCD1386490275D7)},
        {"rcp", UINT64_C(0x4CC18ED513612500)},
        {"rsqrt", UINT64_C(0x6624D579E01F64E8)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t h = UINT64_C(0xCBF29CE484222325);
        for (uint64_t x = 0; x < UINT64_C(1) << 32; x += 8191)
            h = (h ^ apply(rows[i].name, (uint32_t)x, 0, 0)) * UINT64_C(0x100000001B3);
        if (h != rows[i].digest)
            fail_msg("%s: digest 0x%016llx", rows[i].name, (unsigned long long)h);
    }
}

/* long double has 2 * 24 + 2 bits and more: rounding to it first changes no quotient. */
static void test_primitives_division_is_rounded_once(void **state)
{
    uint64_t s = tsr_test_seed("division", 27);
    int most = tsr_test_nightly() ? 10000000 : 500000;
    (void)state;
    for (int n = 0; n < most; n++) {
        uint32_t a = n < EDGES * EDGES ? edges[n / EDGES] : draw(&s);
        uint32_t b = n < EDGES * EDGES ? edges[n % EDGES] : draw(&s);
        float want = (float)((long double)num_float(a) / (long double)num_float(b));
        expect("div", a, b, 0, isnan(want) ? TSR_NUM_NAN : num_bits(want));
    }
}

/* a * 2^by in integers: cut, and the lowest bit set if that lost anything. */
static uint32_t slow_scale_odd(uint32_t a, int by)
{
    uint32_t mag = a & 0x7FFFFFFF;
    if (mag > 0x7F800000)
        return TSR_NUM_NAN;
    if (mag == 0x7F800000 || mag == 0)
        return a;
    int e;
    double x = frexp(num_float(mag), &e); /* x 2^e */
    if (e + by > 128)
        return (a & 0x80000000) | 0x7F800000;
    if (e + by < -200)
        return (a & 0x80000000) | 1;
    double v = ldexp(x, e + by), unit = ldexp(1, -149), count = v / unit;
    if (v >= 0x1p-126)
        return (a & 0x80000000) | num_bits((float)v);
    return (a & 0x80000000) | ((uint32_t)count | (count != floor(count)));
}

static void test_primitives_scaling_to_odd_keeps_what_is_not_zero(void **state)
{
    uint64_t s = tsr_test_seed("scaling to odd", 28);
    (void)state;
    for (int n = 0; n < 300000; n++) {
        uint32_t a = n < EDGES ? edges[n] : draw(&s);
        int by = (int)tsr_test_random_below(&s, 700) - 350;
        expect("scale2_odd", a, (uint32_t)by, 0, slow_scale_odd(a, by));
    }
    expect("scale2_odd", 0x80000001, 0x80000000, 0, 0x80000001);
    expect("scale2_odd", 0xBF800000, 0x7FFFFFFF, 0, 0xFF800000);
    for (int n = 0; n < 100000; n++) {
        uint32_t a = draw(&s), b = n % 3 ? draw(&s) : a ^ 0x80000000;
        expect("maxmag", a, b, 0, (b & 0x7FFFFFFF) > (a & 0x7FFFFFFF) ? b : a);
    }
}

/* Against the codec: the code of the nearest value, then the bounds. */
static void test_primitives_scales_are_codes_of_their_format(void **state)
{
    static const struct {
        const char *name;
        int format;
        uint32_t least, most;
    } rows[] = {{"scale_f32", N_F32, 0x00800000, 0x7F7FFFFF},
                {"scale_bf16", N_BF16, 0x00800000, 0x7F7F0000},
                {"scale_f16", N_F16, 0x33800000, 0x477FE000},
                {"scale_e4m3", N_E4M3, 0x3B000000, 0x43E00000}};
    uint64_t s = tsr_test_seed("scales", 29);
    (void)state;
    for (int n = 0; n < 1 << 19; n++) /* every exponent with every upper bit, and what is below */
        for (int k = 0; k < 4; k++) {
            uint32_t low = n & 7, a = (uint32_t)(n >> 3) << 16;
            a |= low < 4 ? low * 0x4000 + (low & 1) : (uint32_t)tsr_test_random(&s) & 0xFFFF;
            const struct tsr_format *f = &num_formats[rows[k].format];
            uint32_t v = tsr_num_decode_f32(f, tsr_num_encode(f, a, TSR_ROUND_EVEN));
            uint32_t mag = v & 0x7FFFFFFF;
            mag = mag < rows[k].least ? rows[k].least : mag > rows[k].most ? rows[k].most : mag;
            expect(rows[k].name, a, 0, 0, nan_bits(a) ? TSR_NUM_NAN : (a & 0x80000000) | mag);
        }
}

static void test_primitives_segments_reduce_by_themselves(void **state)
{
    uint64_t s = tsr_test_seed("segments", 30);
    (void)state;
    for (int n = 0; n < 2000; n++) {
        static const unsigned lanes_of[] = {8, 64, 24, 1};
        unsigned lanes = lanes_of[n % 4], count = (unsigned)tsr_test_random_below(&s, lanes + 1);
        unsigned segment = 1u << tsr_test_random_below(&s, 8);
        uint32_t v[64], got[64];
        for (unsigned i = 0; i < 64; i++)
            v[i] = draw(&s);
        tsr_num_reduce_segments(TSR_NUM_REDUCE_MAXMAG, got, v, segment, count, lanes);
        for (unsigned i = 0; i < lanes; i++) {
            unsigned at = i / segment * segment;
            uint32_t want = at < count ? v[at] : 0;
            for (unsigned k = at; k < at + segment && k < count; k++)
                if ((v[k] & 0x7FFFFFFF) > (want & 0x7FFFFFFF))
                    want = v[k];
            assert_int_equal(got[i], want);
        }
    }
}

struct node {
    bool on;
    uint32_t value;
};

/* Lanes first..first+size of a tree over a power of two; lanes beyond the last are inactive. */
static struct node slow_tree(const char *op, const uint32_t *v, const uint64_t *active,
                             unsigned lanes, unsigned first, unsigned size)
{
    if (size == 1) {
        bool on = first < lanes && (active[first / 64] >> first % 64 & 1);
        return (struct node){on, on ? v[first] : 0};
    }
    struct node l = slow_tree(op, v, active, lanes, first, size / 2);
    struct node r = slow_tree(op, v, active, lanes, first + size / 2, size / 2);
    if (l.on && r.on)
        return (struct node){true, apply(op, l.value, r.value, 0)};
    return l.on ? l : r;
}

static void test_primitives_reductions_follow_the_tree(void **state)
{
    static const char *const ops[] = {"add", "max", "min", "iadd", "imax", "imin", "maxmag"};
    static const uint32_t empty[] = {0, 0xFF800000, 0x7F800000, 0, 0x80000000, 0x7FFFFFFF, 0};
    static const unsigned lanes[] = {1, 8, 16, 64, 128, 256, 5, 37};
    uint64_t s = tsr_test_seed("reductions", 26);
    (void)state;
    for (int n = 0; n < 3000; n++) {
        uint32_t v[256];
        uint64_t active[4], r = tsr_test_random(&s);
        unsigned count = lanes[n % 8], prefix = (unsigned)tsr_test_random_below(&s, count + 1);
        enum tsr_num_reduction op = (enum tsr_num_reduction)(n / 8 % TSR_NUM_REDUCTIONS);
        assert_int_equal(tsr_num_reduction_find(ops[op]), op);
        for (unsigned i = 0; i < 256; i++)
            v[i] = num_bits(tsr_test_random_f32(&s)); /* adding in another order shows */
        for (int i = 0; i < 4; i++)
            active[i] = r % 4 == 0   ? ~UINT64_C(0)
                        : r % 4 == 1 ? tsr_test_random(&s) & 0x11
                                     : tsr_test_random(&s);
        struct node want = slow_tree(ops[op], v, active, count, 0, 256);
        assert_int_equal(tsr_num_reduce(op, v, active, count), want.on ? want.value : empty[op]);
        if (r % 4 == 0)
            assert_int_equal(tsr_num_reduce(op, v, NULL, count), want.value);
        memset(active, 0, sizeof active);
        for (unsigned i = 0; i < prefix; i++)
            active[i / 64] |= UINT64_C(1) << i % 64;
        want = slow_tree(ops[op], v, active, count, 0, 256);
        assert_int_equal(tsr_num_reduce_count(op, v, prefix, count),
                         want.on ? want.value : empty[op]);
    }
    assert_int_equal(tsr_num_reduction_find("mul"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_primitives_arithmetic_equals_fixed_point),
        cmocka_unit_test(test_primitives_comparisons_order_as_ieee),
        cmocka_unit_test(test_primitives_conversions_equal_libm),
        cmocka_unit_test(test_primitives_bits_and_integers_wrap),
        cmocka_unit_test(test_primitives_lanes_equal_single_lanes),
        cmocka_unit_test(test_primitives_elementary_digest_is_fixed),
        cmocka_unit_test(test_primitives_division_is_rounded_once),
        cmocka_unit_test(test_primitives_scaling_to_odd_keeps_what_is_not_zero),
        cmocka_unit_test(test_primitives_scales_are_codes_of_their_format),
        cmocka_unit_test(test_primitives_reductions_follow_the_tree),
        cmocka_unit_test(test_primitives_segments_reduce_by_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
