/* SPDX-License-Identifier: Apache-2.0 */
/* The tensor unit's arithmetic against mma_slow.h, bit for bit. */
#include "tests/support/harness.h"

#include <stdio.h>

#include "isa/num/mma_steps.h"
#include "tests/num/mma_support.h"

/* An operand of given codes. */
static struct tsr_num_operand lay_out(const struct tsr_format *f, const uint32_t *codes,
                                      uint32_t rows, uint32_t k, bool strided)
{
    static struct mma_operand o;
    o.f = f, o.rows = rows, o.k = k, o.blocks = 1, o.room = NULL;
    memcpy(o.code, codes, 4 * (size_t)rows * k);
    mma_lay_out(&o, strided, false, 0);
    return o.memory;
}

static void one_case(int ia, int ib, enum draw how, uint64_t *s)
{
    static struct mma_operand a, b;
    static const uint32_t steps[] = {4, 8, 16, 32, 64, 1, 3};
    const struct tsr_format *fa = &num_formats[ia], *fb = &num_formats[ib];
    uint32_t m = 1 + (uint32_t)tsr_test_random_below(s, 6);
    uint32_t n = 1 + (uint32_t)tsr_test_random_below(s, 20);
    uint32_t k = (uint32_t)tsr_test_random_below(s, 70), r = steps[tsr_test_random_below(s, 7)];
    char what[32];
    snprintf(what, sizeof what, "draw %d", (int)how);
    m = tsr_test_random_below(s, 40) == 0 ? MMA_MAX_ROWS - 1 : m;
    mma_draw(&a, fa, m, k, how, SCALES_ALIKE, true, s);
    mma_draw(&b, fb, n, k, how, SCALES_ALIKE, false, s);
    mma_lay_out(&a, fa->bits % 8 == 0 && tsr_test_random_below(s, 2), false, 1);
    mma_lay_out(&b, fb->bits % 8 == 0 && tsr_test_random_below(s, 2), false, 2);
    mma_compare(&a, &b, r, how, what, s);
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
            struct tsr_num_operand oa = lay_out(fa, codes, 256, 1, false);
            struct tsr_num_operand ob = lay_out(fb, codes, 256, 1, true);
            mma_fast(fa, fb, (struct mma_shape){256, 256, 1, 8}, &oa, &ob, c, 256, true);
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
    struct tsr_num_operand o = lay_out(f, codes, 1, 64, false);
    mma_fast(f, f, (struct mma_shape){1, 1, 64, 32}, &o, &o, &c, 1, false);
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
        struct tsr_num_operand oa = lay_out(f, a, 1, 3, false), ob = lay_out(f, b, 1, 3, false);
        mma_fast(f, f, (struct mma_shape){1, 1, 3, 4}, &oa, &ob, &c, 1, true);
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
        a[i] = mma_draw_code(f, SPREAD, &s);
    for (int i = 0; i < 24 * 96; i++)
        b[i] = mma_draw_code(f, NEAR_ONE, &s);
    struct tsr_num_operand oa = lay_out(f, a, 8, 96, false), ob = lay_out(f, b, 24, 96, false);
    mma_fast(f, f, (struct mma_shape){8, 24, 96, 16}, &oa, &ob, whole, 24, true);
    mma_fast(f, f, (struct mma_shape){8, 24, 32, 16}, &oa, &ob, parts, 24, true);
    oa.codes = (const uint8_t *)oa.codes + 64;
    ob.codes = (const uint8_t *)ob.codes + 64;
    mma_fast(f, f, (struct mma_shape){8, 24, 64, 16}, &oa, &ob, parts, 24, false);
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
        uint32_t width = 1 + (uint32_t)tsr_test_random_below(&s, NUM_FAST_BITS);
        int64_t t = (int64_t)(tsr_test_random(&s) >> (64 - width));
        int field = (int)(c >> 23 & 0xFF), unit;
        if (field == 255)
            continue;
        unit = field - 150 + (int)tsr_test_random_below(&s, 100) - 70;
        if (n % 4 == 0) { /* t close to c, or a tie: a few bits beside the last place */
            int up = 1 + (int)tsr_test_random_below(&s, 23);
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
            assert_int_equal(tsr_num_accumulate(c, t * 4096, unit - 15),
                             slow_sum(c, t * 4096, unit - 15));
    }
}

/* Sums of up to 90 bits, at all distances from c and close to its negative. */
static void test_mma_accumulation_of_wide_sums_rounds_once(void **state)
{
    uint64_t s = tsr_test_seed("accumulate wide", 15);
    (void)state;
    for (int n = 0; n < 200000; n++) {
        uint32_t c = (uint32_t)tsr_test_random(&s), shift = (uint32_t)tsr_test_random_below(&s, 90);
        num_uwide t = (num_uwide)tsr_test_random(&s) << 64 | tsr_test_random(&s);
        int field = (int)(c >> 23 & 0xFF), unit;
        if (field == 255)
            continue;
        t = t >> 38 >> shift;
        unit = field - 150 - (int)tsr_test_random_below(&s, 160) + 50;
        if (n % 4 == 0) { /* t close to c, or a tie: a few bits beside the last place */
            int up = 10 + (int)tsr_test_random_below(&s, 56);
            unit = (field ? field : 1) - 150 - up;
            t = (num_uwide)((c & 0x7FFFFF) | 0x800000) << up;
            t += n & 8 ? (num_uwide)1 << (up - 1) : 0;
            t = t + tsr_test_random_below(&s, 3) - 1;
        }
        if (n % 4 == 1) { /* t next to a tie, c a few of its units: which side decides */
            int up = 38 + (int)tsr_test_random_below(&s, 27);
            unit = (int)tsr_test_random_below(&s, 100) - 60;
            t = ((num_uwide)((c & 0x7FFFFF) | 0x800000) << up) + ((num_uwide)1 << (up - 1));
            t = t + tsr_test_random_below(&s, 9) - 4;
            c = num_bits(ldexpf((float)tsr_test_random_below(&s, 33) - 16, unit - n / 4 % 3));
            field = (int)(c >> 23 & 0xFF);
        }
        unit = unit < -400 ? -400 : unit;
        struct slow_fixed x = {{0}};
        slow_add(&x, c >> 31, (c & 0x7FFFFF) | (field ? 0x800000u : 0), (field ? field : 1) - 150);
        slow_add(&x, n & 16, (uint64_t)t, unit);
        slow_add(&x, n & 16, (uint64_t)(t >> 64), unit + 64);
        uint32_t sum = num_accumulate_wide(c, n & 16 ? -(num_wide)t : (num_wide)t, unit);
        if (sum != slow_round(x))
            fail_msg("%08x %c %016llx%016llx * 2^%d: %08x, not %08x", c, n & 16 ? '-' : '+',
                     (unsigned long long)(t >> 64), (unsigned long long)t, unit, sum,
                     slow_round(x));
    }
    assert_int_equal(num_accumulate_wide(TSR_NUM_INF, (num_wide)1 << 80, 0), TSR_NUM_INF);
    assert_int_equal(num_accumulate_wide(0xFFC00001, (num_wide)1 << 80, 0), TSR_NUM_NAN);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mma_all_pairs_equal_the_slow_one),
        cmocka_unit_test(test_mma_all_f8_products_are_exact),
        cmocka_unit_test(test_mma_integers_wrap),
        cmocka_unit_test(test_mma_window_cuts_as_defined),
        cmocka_unit_test(test_mma_k_may_be_split_at_steps),
        cmocka_unit_test(test_mma_accumulation_rounds_once),
        cmocka_unit_test(test_mma_accumulation_of_wide_sums_rounds_once),
        cmocka_unit_test(test_mma_accumulation_edges_by_name),
        cmocka_unit_test(test_mma_scaling_rounds_into_subnormals),
        cmocka_unit_test(test_mma_plan_refuses_what_the_unit_does_not_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
