/* SPDX-License-Identifier: Apache-2.0 */
/* The tensor unit's arithmetic against mma_slow.h, bit for bit. */
#include "tests/support/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "isa/num/mma_steps.h"
#include "tests/num/formats.h"
#include "tests/num/mma_slow.h"

enum {
    MAX_ROWS = 70,
    MAX_K = 200
};

/* How the elements of one case are drawn. */
enum draw {
    ANY_CODE,
    FINITE,
    NEAR_ONE,
    SPREAD,
    LARGEST,
    CANCEL,
    SMALLEST,
    WITH_SPECIALS,
    DRAWS
};

static bool special(const struct tsr_format *f, uint32_t code)
{
    return f->family == TSR_FAMILY_FLOAT && !isfinite(num_value(f, code));
}

static uint32_t finite_code(const struct tsr_format *f, uint64_t *s)
{
    uint32_t c;
    do
        c = (uint32_t)tsr_test_random(s) & ((1u << f->bits) - 1);
    while (special(f, c));
    return c;
}

static uint32_t draw_code(const struct tsr_format *f, enum draw how, uint64_t *s)
{
    uint32_t sign = (uint32_t)tsr_test_random_below(s, 2) << (f->bits - 1);
    uint32_t mantissa = (1u << f->mbits) - 1, c;
    uint64_t roll = tsr_test_random_below(s, 16);
    switch (how) {
    case ANY_CODE:
        return (uint32_t)tsr_test_random(s) & ((1u << f->bits) - 1);
    case NEAR_ONE:
        return tsr_num_encode(f, num_bits(tsr_test_random_f32(s) * 2), TSR_ROUND_EVEN);
    case SPREAD: /* exponents from a few distant places */
        c = (finite_code(f, s) & mantissa) | (uint32_t)(roll / 4 * ((1u << f->ebits) / 4))
                                                 << f->mbits;
        return special(f, c) ? 0 : c | sign;
    case LARGEST:
        c = tsr_num_encode(f, 0x7F7FFFFF, TSR_ROUND_ZERO);
        return (roll < 12 ? c : c - (uint32_t)roll % 3) | (roll < 4 ? sign : 0);
    case SMALLEST:
        return (roll < 4 ? 0 : (uint32_t)roll & (mantissa | 1u << f->mbits)) | sign;
    case WITH_SPECIALS:
        if (f->family == TSR_FAMILY_FLOAT && roll == 0)
            return tsr_num_encode(f, TSR_NUM_NAN, TSR_ROUND_EVEN);
        if (f->family == TSR_FAMILY_FLOAT && f->specials == TSR_SPECIALS_IEEE && roll < 3)
            return ((1u << f->ebits) - 1) << f->mbits | sign;
        return roll == 3 ? sign : finite_code(f, s);
    default:
        return finite_code(f, s);
    }
}

static uint32_t draw_c(bool integer, enum draw how, uint64_t *s)
{
    uint32_t c = (uint32_t)tsr_test_random(s);
    static const uint32_t edges[] = {0x80000000, 0x7F7FFFFF, 0x00800000, 0x807FFFFF, 1, 0xFF7FFFFF};
    if (integer)
        return c;
    if (how == WITH_SPECIALS && c % 8 == 0)
        return c & 8 ? 0xFF800000 : c & 16 ? 0x7F800000 : 0x7F812345;
    if (c % 5 == 0)
        return edges[c / 5 % 6];
    if (how == NEAR_ONE || how == CANCEL)
        return num_bits(tsr_test_random_f32(s) * 4);
    return (c & 0x7F800000) == 0x7F800000 ? c ^ 0x40000000 : c;
}

static void set_code(uint8_t *bytes, ptrdiff_t run, size_t at, uint32_t bits, uint32_t code)
{
    for (uint32_t i = 0; i < bits; i++) {
        size_t bit = at * bits + i;
        uint8_t one = (uint8_t)(1u << bit % 8);
        bytes[run + (ptrdiff_t)(bit / 8)] &= (uint8_t)~one;
        bytes[run + (ptrdiff_t)(bit / 8)] |= code >> i & 1 ? one : 0;
    }
}

/* Lays codes[row * k + l] out in memory that ends at a guard page. */
static struct tsr_num_operand lay_out(const struct tsr_format *f, const uint32_t *codes,
                                      uint32_t rows, uint32_t k, bool strided, uint32_t gap)
{
    uint32_t length = strided ? rows : k, runs = strided ? k : rows;
    struct tsr_num_operand o = {.k_strided = strided};
    o.stride_bytes = (ptrdiff_t)((length * f->bits + 7) / 8 + gap);
    size_t bytes = (size_t)o.stride_bytes * runs - gap;
    uint8_t *memory = tsr_test_guarded(bytes);
    memset(memory, 0xFF, bytes);
    for (uint32_t i = 0; i < rows; i++)
        for (uint32_t l = 0; l < k; l++)
            set_code(memory, (ptrdiff_t)(strided ? l : i) * o.stride_bytes, strided ? i : l,
                     f->bits, codes[i * k + l]);
    o.codes = memory;
    return o;
}

struct shape {
    uint32_t m, n, k, r;
};

static void run_fast(const struct tsr_format *fa, const struct tsr_format *fb, struct shape d,
                     const struct tsr_num_operand *a, const struct tsr_num_operand *b, uint32_t *c,
                     size_t stride, bool overwrite)
{
    struct tsr_num_plan plan;
    struct tsr_num_panel pa, pb;
    assert_int_equal(tsr_num_plan(fa, fb, d.r, &plan, NULL), TSR_OK);
    size_t na = (tsr_num_panel_bytes(&plan, TSR_NUM_A, d.m, d.k) + 63) / 64 * 64;
    size_t nb = (tsr_num_panel_bytes(&plan, TSR_NUM_B, d.n, d.k) + 63) / 64 * 64;
    void *ma = aligned_alloc(64, na + 64), *mb = aligned_alloc(64, nb + 64);
    memset(ma, 0xA5, na);
    memset(mb, 0xA5, nb);
    tsr_num_unpack(&plan, TSR_NUM_A, a, d.m, d.k, ma, &pa);
    tsr_num_unpack(&plan, TSR_NUM_B, b, d.n, d.k, mb, &pb);
    tsr_num_mma(&plan, &pa, &pb, c, stride, overwrite);
    free(ma);
    free(mb);
}

static void one_case(int ia, int ib, enum draw how, uint64_t *s)
{
    static uint32_t a[MAX_ROWS * MAX_K], b[MAX_ROWS * MAX_K], want[MAX_ROWS * MAX_ROWS];
    static uint32_t got[MAX_ROWS * (MAX_ROWS + 3)];
    static const uint32_t steps[] = {4, 8, 16, 32, 64, 1, 3};
    const struct tsr_format *fa = &num_formats[ia], *fb = &num_formats[ib];
    struct shape d = {1 + (uint32_t)tsr_test_random_below(s, 6),
                      1 + (uint32_t)tsr_test_random_below(s, 20),
                      (uint32_t)tsr_test_random_below(s, 70), steps[tsr_test_random_below(s, 7)]};
    size_t stride = d.n + 3;
    bool overwrite = tsr_test_random_below(s, 4) == 0, wholes_a = fa->bits % 8 == 0;
    bool integer = fa->family == TSR_FAMILY_INT;
    d.m = tsr_test_random_below(s, 40) == 0 ? MAX_ROWS - 1 : d.m;
    for (uint32_t i = 0; i < d.m * d.k; i++)
        a[i] = draw_code(fa, how, s);
    for (uint32_t i = 0; i < d.n * d.k; i++)
        b[i] = draw_code(fb, how, s);
    if (how == CANCEL) { /* every second product takes the one before away */
        for (uint32_t i = 0; i < d.m * d.k; i++)
            a[i] = i % d.k % 2 ? a[i - 1] ^ (integer ? 0 : 1u << (fa->bits - 1)) : a[i];
        for (uint32_t i = 0; i < d.n * d.k; i++)
            b[i] = i % d.k % 2 && i / d.k % 3 ? b[i - 1] : b[i];
    }
    memset(got, 0x5A, sizeof got);
    for (uint32_t i = 0; i < d.m * d.n; i++) {
        want[i] = draw_c(integer, how, s);
        got[i / d.n * stride + i % d.n] = want[i];
        want[i] = overwrite ? 0 : want[i];
    }
    struct tsr_num_operand oa =
        lay_out(fa, a, d.m, d.k + (d.k == 0), wholes_a && tsr_test_random_below(s, 2) && d.k, 1);
    struct tsr_num_operand ob =
        lay_out(fb, b, d.n, d.k + (d.k == 0), fb->bits % 8 == 0 && tsr_test_random_below(s, 2), 2);
    run_fast(fa, fb, d, &oa, &ob, got, stride, overwrite);
    slow_mma(fa, fb, d.r, d.m, d.n, d.k, a, b, want);
    for (uint32_t i = 0; i < d.m * stride; i++) {
        uint32_t x = got[i], column = i % (uint32_t)stride;
        uint32_t y = column < d.n ? want[i / stride * d.n + column] : 0x5A5A5A5A;
        if (x != y)
            fail_msg("%s x %s, draw %d, m %u n %u k %u r %u: C[%u,%u] = %08x, not %08x", fa->name,
                     fb->name, how, d.m, d.n, d.k, d.r, (unsigned)(i / stride), column, x, y);
    }
}

static void test_mma_all_pairs_equal_the_slow_one(void **state)
{
    uint64_t s = tsr_test_seed("mma", 11);
    int rounds = tsr_test_nightly() ? 100 : 3;
    (void)state;
    for (int round = 0; round < rounds; round++)
        for (int ia = N_FIRST_TENSOR; ia < N_END_TENSOR; ia++)
            for (int ib = N_FIRST_TENSOR; ib < N_END_TENSOR; ib++)
                for (int how = 0; how < DRAWS; how++)
                    if ((ia >= N_FIRST_INT) == (ib >= N_FIRST_INT))
                        one_case(ia, ib, (enum draw)how, &s);
    for (int how = 0; how < DRAWS; how++) { /* formats of overlays */
        one_case(N_E6M5, N_E6M5, (enum draw)how, &s);
        one_case(N_E6M5, N_E3M0, (enum draw)how, &s);
        one_case(N_BF16, N_ODD_BIAS, (enum draw)how, &s);
        one_case(N_E4M3, N_E3M0, (enum draw)how, &s);
        one_case(N_I12, N_I8, (enum draw)how, &s);
    }
}

/* All 256 x 256 products, C = 0 and k = 1: the exact product rounded once. */
static void test_mma_all_f8_products_are_exact(void **state)
{
    static uint32_t codes[256], c[256 * 256];
    (void)state;
    for (uint32_t i = 0; i < 256; i++)
        codes[i] = i;
    for (int ia = N_E4M3; ia <= N_E5M2; ia++) {
        for (int ib = N_E4M3; ib <= N_E5M2; ib++) {
            const struct tsr_format *fa = &num_formats[ia], *fb = &num_formats[ib];
            struct tsr_num_operand oa = lay_out(fa, codes, 256, 1, false, 0);
            struct tsr_num_operand ob = lay_out(fb, codes, 256, 1, true, 0);
            run_fast(fa, fb, (struct shape){256, 256, 1, 8}, &oa, &ob, c, 256, true);
            for (uint32_t i = 0; i < 65536; i++) {
                double p = num_value(fa, i / 256) * num_value(fb, i % 256);
                uint32_t want = isnan(p) ? TSR_NUM_NAN : p == 0 ? 0 : num_bits((float)p);
                if (c[i] != want)
                    fail_msg("%s %02x x %s %02x: %08x, not %08x", fa->name, i / 256, fb->name,
                             i % 256, c[i], want);
            }
        }
    }
}

static void test_mma_integers_wrap(void **state)
{
    uint32_t codes[64], c = 0x7FFFFFFF;
    (void)state;
    for (int i = 0; i < 64; i++)
        codes[i] = 0x80;
    const struct tsr_format *f = &num_formats[N_I8];
    struct tsr_num_operand o = lay_out(f, codes, 1, 64, false, 0);
    run_fast(f, f, (struct shape){1, 1, 64, 32}, &o, &o, &c, 1, false);
    assert_int_equal(c, 0x7FFFFFFFu + 64 * 16384);
}

/* 1 + 2^-17 in one step: the window of bf16 keeps 16 bits below the largest product's lowest. */
static void test_mma_window_cuts_as_defined(void **state)
{
    const struct tsr_format *f = &num_formats[N_BF16];
    (void)state;
    for (int below = 20; below < 40; below++) {
        uint32_t one = num_bits(1) >> 16, small = num_bits(ldexpf(1, -below)) >> 16, c = 0;
        uint32_t a[3] = {one, one, one | 0x8000}, b[3] = {one, small, one};
        struct tsr_num_operand oa = lay_out(f, a, 1, 3, false, 0),
                               ob = lay_out(f, b, 1, 3, false, 0);
        run_fast(f, f, (struct shape){1, 1, 3, 4}, &oa, &ob, &c, 1, true);
        /* 1's magnitude is 128 * 128 at 2^-14: the unit is 2^-30. */
        assert_int_equal(c, below <= 30 ? num_bits(ldexpf(1, -below)) : 0);
    }
}

static void test_mma_k_may_be_split_at_steps(void **state)
{
    static uint32_t a[8 * 96], b[24 * 96], whole[8 * 24], parts[8 * 24];
    uint64_t s = tsr_test_seed("mma split", 12);
    const struct tsr_format *f = &num_formats[N_BF16];
    (void)state;
    for (int i = 0; i < 8 * 96; i++)
        a[i] = draw_code(f, SPREAD, &s);
    for (int i = 0; i < 24 * 96; i++)
        b[i] = draw_code(f, NEAR_ONE, &s);
    struct tsr_num_operand oa = lay_out(f, a, 8, 96, false, 0),
                           ob = lay_out(f, b, 24, 96, false, 0);
    run_fast(f, f, (struct shape){8, 24, 96, 16}, &oa, &ob, whole, 24, true);
    run_fast(f, f, (struct shape){8, 24, 32, 16}, &oa, &ob, parts, 24, true);
    oa.codes = (const uint8_t *)oa.codes + 64;
    ob.codes = (const uint8_t *)ob.codes + 64;
    run_fast(f, f, (struct shape){8, 24, 64, 16}, &oa, &ob, parts, 24, false);
    assert_memory_equal(whole, parts, sizeof whole);
}

static uint32_t slow_sum(uint32_t c, int64_t t, int unit)
{
    struct slow_fixed x = {{0}};
    int field = (int)(c >> 23 & 0xFF);
    slow_add(&x, c >> 31, (c & 0x7FFFFF) | (field ? 0x800000u : 0), (field ? field : 1) - 150);
    slow_add(&x, t < 0, t < 0 ? 0 - (uint64_t)t : (uint64_t)t, unit);
    return slow_round(x);
}

static void test_mma_accumulation_rounds_once(void **state)
{
    uint64_t s = tsr_test_seed("accumulate", 13);
    (void)state;
    for (int n = 0; n < 300000; n++) {
        uint32_t c = (uint32_t)tsr_test_random(&s);
        uint32_t width = 1 + (uint32_t)tsr_test_random_below(&s, 42);
        int64_t t = (int64_t)(tsr_test_random(&s) >> (64 - width));
        int field = (int)(c >> 23 & 0xFF), unit;
        if (field == 255)
            continue;
        unit = field - 150 + (int)tsr_test_random_below(&s, 100) - 70;
        if (n % 4 == 0) { /* t close to c, or a tie: a few bits beside the last place */
            int up = 1 + (int)tsr_test_random_below(&s, 17);
            unit = (field ? field : 1) - 150 - up;
            t = (int64_t)((c & 0x7FFFFF) | 0x800000) << up;
            t += (n & 8 ? (int64_t)1 << (up - 1) : 0) + (int64_t)tsr_test_random_below(&s, 3) - 1;
        }
        t = n & 16 ? -t : t;
        unit = unit < -400 ? -400 : unit;
        uint32_t want = slow_sum(c, t, unit);
        assert_int_equal(tsr_num_accumulate(c, t, unit), want);
        assert_int_equal(num_accumulate(c, t, unit), want);
        if (n % 3 == 0) /* the public one takes up to 60 bits */
            assert_int_equal(tsr_num_accumulate(c, t * 131072, unit - 20),
                             slow_sum(c, t * 131072, unit - 20));
    }
}

static void test_mma_accumulation_edges_by_name(void **state)
{
    (void)state;
    assert_int_equal(tsr_num_accumulate(0x80000000, 0, 0), 0);            /* -0 + 0 = +0 */
    assert_int_equal(tsr_num_accumulate(0xBF800000, 1, 0), 0);            /* -1 + 1 = +0 */
    assert_int_equal(tsr_num_accumulate(0, -1, -200), 0x80000000);        /* keeps its sign */
    assert_int_equal(tsr_num_accumulate(0, 1, -150), 0);                  /* tie to even */
    assert_int_equal(tsr_num_accumulate(0, 3, -151), 1);                  /* above the tie */
    assert_int_equal(tsr_num_accumulate(0x7F7FFFFF, 1, 103), 0x7F800000); /* half an ulp more */
    assert_int_equal(tsr_num_accumulate(0x7F7FFFFF, 1, 102), 0x7F7FFFFF);
    assert_int_equal(tsr_num_accumulate(0x7F800000, -5, 100), 0x7F800000);
    assert_int_equal(tsr_num_accumulate(0xFFC00001, 0, 0), TSR_NUM_NAN);
    assert_int_equal(tsr_num_accumulate(0x007FFFFF, 1, -149), 0x00800000); /* smallest normal */
}

static void test_mma_scaling_rounds_into_subnormals(void **state)
{
    uint64_t s = tsr_test_seed("scale", 14);
    (void)state;
    for (int n = 0; n < 100000; n++) {
        uint32_t c = (uint32_t)tsr_test_random(&s), m = c & 0x7FFFFF, field = c >> 23 & 0xFF;
        int e = (int)tsr_test_random_below(&s, 560) - 280;
        struct slow_fixed x = {{0}};
        if (field == 255)
            continue;
        slow_add(&x, false, m | (field ? 0x800000u : 0), (int)(field ? field : 1) - 150 - e);
        assert_int_equal(tsr_num_scale_pow2(c, e), slow_round(x) | (c & 0x80000000));
    }
    assert_int_equal(tsr_num_scale_pow2(0x80000000, 3), 0x80000000);
    assert_int_equal(tsr_num_scale_pow2(0xFF800000, INT32_MAX), 0xFF800000);
    assert_int_equal(tsr_num_scale_pow2(0xFF812345, 1), TSR_NUM_NAN);
    assert_int_equal(tsr_num_scale_pow2(1, INT32_MIN), TSR_NUM_INF);
    assert_int_equal(tsr_num_scale_pow2(0x7F7FFFFF, INT32_MAX), 0);

    uint32_t c[2 * 3] = {0x3F800000, 0x40000000, 9, 0x40400000, 0x40800000, 9}, by_row[6];
    int32_t e[2] = {1, -1};
    memcpy(by_row, c, sizeof c);
    tsr_num_scale_block(by_row, 3, 2, 2, e, false);
    assert_int_equal(by_row[0], 0x3F000000);
    assert_int_equal(by_row[1], 0x3F800000);
    assert_int_equal(by_row[3], 0x40C00000);
    assert_int_equal(by_row[5], 9);
    tsr_num_scale_block(c, 3, 2, 2, e, true);
    assert_int_equal(c[1], 0x40800000);
    assert_int_equal(c[3], 0x3FC00000);
}

static void test_mma_plan_refuses_what_the_unit_does_not_take(void **state)
{
    struct tsr_num_plan plan = {.r = 77};
    struct tsr_error e = {TSR_OK, ""};
    (void)state;
    const struct tsr_format *f32 = &num_formats[N_F32], *bf16 = &num_formats[N_BF16];
    assert_int_equal(tsr_num_plan(bf16, f32, 16, &plan, &e), TSR_USAGE);
    assert_non_null(strstr(e.message, "f32"));
    assert_int_equal(tsr_num_plan(bf16, &num_formats[N_I8], 16, &plan, NULL), TSR_USAGE);
    assert_int_equal(tsr_num_plan(bf16, bf16, 0, &plan, NULL), TSR_USAGE);
    assert_int_equal(tsr_num_plan(bf16, bf16, 65, &plan, NULL), TSR_USAGE);
    assert_int_equal(tsr_num_plan(&num_formats[N_I32], &num_formats[N_I32], 1, &plan, NULL),
                     TSR_USAGE);
    assert_int_equal(plan.r, 77);
}

/* Prints products per second; no bound, since hosts differ. */
static void test_mma_speed_is_printed(void **state)
{
    enum {
        M = 64,
        N = 64,
        K = 512
    };
    static const struct {
        int format;
        uint32_t r;
    } rows[] = {{N_BF16, 16}, {N_BF16, 4}, {N_E5M2, 32}, {N_E4M3, 32}, {N_I8, 32}, {N_E2M1, 64}};
    static uint32_t c[M * N];
    uint64_t s = 1;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct tsr_format *f = &num_formats[rows[i].format];
        uint32_t *values = malloc(M * K * 4);
        uint8_t *codes = malloc(M * K * 2);
        for (int j = 0; j < M * K; j++)
            values[j] = num_bits(tsr_test_random_f32(&s));
        tsr_num_encode_array(f, codes, values, M * K, TSR_ROUND_EVEN);
        struct tsr_num_operand o = {.codes = codes, .stride_bytes = K * f->bits / 8};
        clock_t start = clock();
        int n = 0;
        do
            run_fast(f, f, (struct shape){M, N, K, rows[i].r}, &o, &o, c, N, n++ == 0);
        while (clock() - start < CLOCKS_PER_SEC / 20);
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        print_message("%s, steps of %u: %.0f million products/s, unpacking included\n", f->name,
                      rows[i].r, 1e-6 * M * N * K * n / seconds);
        free(values);
        free(codes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mma_all_pairs_equal_the_slow_one),
        cmocka_unit_test(test_mma_all_f8_products_are_exact),
        cmocka_unit_test(test_mma_integers_wrap),
        cmocka_unit_test(test_mma_window_cuts_as_defined),
        cmocka_unit_test(test_mma_k_may_be_split_at_steps),
        cmocka_unit_test(test_mma_accumulation_rounds_once),
        cmocka_unit_test(test_mma_accumulation_edges_by_name),
        cmocka_unit_test(test_mma_scaling_rounds_into_subnormals),
        cmocka_unit_test(test_mma_plan_refuses_what_the_unit_does_not_take),
        cmocka_unit_test(test_mma_speed_is_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
