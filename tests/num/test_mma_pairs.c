/* SPDX-License-Identifier: Apache-2.0 */
/* Every pair of the tensor unit's formats, block formats and rows of an overlay among them, against
 * mma_slow.h, bit for bit. */
#include "tests/num/block_support.h"

#include <time.h>

#include "tests/num/mma_support.h"

static const uint32_t steps[] = {4, 8, 16, 32, 64};

struct formats {
    const struct tsr_format *f[TSR_DTYPE_MAX];
    int n;
};

/* Those the tensor unit takes; `built_in`: without the overlay's. */
static struct formats tensor_formats(const struct tsr_isa *isa, bool built_in)
{
    struct formats all = {.n = 0};
    for (int i = 0; i < (built_in ? TSR_Q6_K + 1 : TSR_DTYPE_MAX); i++)
        if (isa->has_format[i] && isa->formats[i].width_class != 0)
            all.f[all.n++] = &isa->formats[i];
    return all;
}

static bool is_pair(const struct tsr_format *a, const struct tsr_format *b)
{
    return (a->family == TSR_FAMILY_INT) == (b->family == TSR_FAMILY_INT);
}

static void one_case(const struct tsr_format *fa, const struct tsr_format *fb, uint32_t r,
                     enum draw how, uint64_t *s)
{
    static struct mma_operand a, b;
    uint32_t m = 1 + (uint32_t)tsr_test_random_below(s, 3);
    uint32_t n = 1 + (uint32_t)tsr_test_random_below(s, 9);
    uint32_t k = 1 + (uint32_t)tsr_test_random_below(s, 2 * r + 20);
    enum draw_scale da = (enum draw_scale)tsr_test_random_below(s, DRAW_SCALES);
    enum draw_scale db = (enum draw_scale)tsr_test_random_below(s, DRAW_SCALES);
    char what[64];
    snprintf(what, sizeof what, "draw %d, scales %d %d", (int)how, (int)da, (int)db);
    n += tsr_test_random_below(s, 8) == 0 ? 14 : 0;
    mma_draw(&a, fa, m, k, how, da, true, s);
    mma_draw(&b, fb, n, k, how, db, false, s);
    mma_lay_out(&a, false, tsr_test_random_below(s, 2), (uint32_t)tsr_test_random_below(s, 3));
    mma_lay_out(&b, false, tsr_test_random_below(s, 2), (uint32_t)tsr_test_random_below(s, 3));
    mma_compare(&a, &b, r, how, what, s);
}

static void test_mma_pairs_equal_the_slow_ones(void **state)
{
    struct tsr_isa *isa = load_isa();
    uint64_t s = tsr_test_seed("mma pairs: TESSERA_SEED=N ctest -R num.mma_pairs", 31);
    int rounds = tsr_test_nightly() ? 20 : 1, pairs = 0;
    struct formats all = tensor_formats(isa, false);
    (void)state;
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < all.n * all.n; i++)
            for (int x = 0; x < 5 * DRAWS; x++) {
                const struct tsr_format *fa = all.f[i / all.n], *fb = all.f[i % all.n];
                if (!is_pair(fa, fb) || (tsr_test_emulated() && x % 5 != i % 5))
                    continue;
                one_case(fa, fb, steps[x % 5], (enum draw)(x / 5), &s);
                pairs += x == 0 && round == 0;
            }
    print_message("%d formats, %d pairs\n", all.n, pairs);
    tsr_isa_free(isa);
}

/* Rows that nobody has written yet, of known families: blocks longer than what is unpacked at a
 * time, or so short that a step has many groups; elements with NaN and infinity under scales with
 * signs and zeros. */
static void test_mma_pairs_of_uncommon_rows_equal_the_slow_ones(void **state)
{
    static const enum tsr_dtype partners[] = {TSR_BF16, TSR_F8E4M3, TSR_MX9, TSR_Q8_0, TSR_NVF4};
    struct tsr_isa *isa = load_isa();
    const struct tsr_format *built_in = isa->formats;
    struct tsr_format odd[] = {built_in[TSR_MX6],  built_in[TSR_MX9],  built_in[TSR_MXI8],
                               built_in[TSR_NVF4], built_in[TSR_NVF4], built_in[TSR_Q4_0]};
    uint64_t s = tsr_test_seed("mma uncommon: TESSERA_SEED=N ctest -R num.mma_pairs", 33);
    enum {
        N = sizeof odd / sizeof *odd,
        PARTNERS = sizeof partners / sizeof *partners
    };
    (void)state;
    odd[0].block = 128, odd[1].block = 48, odd[2].block = 2, odd[5].block = 4;
    odd[3].bits = 8, odd[3].ebits = 4, odd[3].mbits = 3, odd[3].bias = 7;
    odd[3].specials = TSR_SPECIALS_FN;
    odd[4].bits = 8, odd[4].ebits = 5, odd[4].mbits = 2, odd[4].bias = 15;
    odd[4].specials = TSR_SPECIALS_IEEE;
    for (int i = 0; i < N * (N + PARTNERS); i++) {
        int j = i % (N + PARTNERS);
        const struct tsr_format *a = &odd[i / (N + PARTNERS)];
        const struct tsr_format *b = j < N ? &odd[j] : &built_in[partners[j - N]];
        for (int x = 0; x < 5 * DRAWS; x++) {
            struct tsr_num_plan plan;
            uint32_t r = steps[x % 5];
            if (tsr_num_plan(a, b, r, &plan, NULL) != TSR_OK)
                continue; /* 48 does not suit every step */
            one_case(a, b, r, (enum draw)(x / 5), &s);
            one_case(b, a, r, (enum draw)(x / 5), &s);
        }
    }
    tsr_isa_free(isa);
}

/* A finite sum that just overflows meets an infinity of the other sign in the next step; its step
 * has a group under larger scales that cancels, which must not count. */
static void test_mma_pairs_finite_overflow_meets_infinity(void **state)
{
    static struct mma_operand a, b;
    struct tsr_isa *isa = load_isa();
    const struct tsr_format *f = &isa->formats[TSR_MXF8E5M2];
    const uint32_t one = 15u << 2, minus_infinity = 0x80u | 31u << 2;
    (void)state;
    for (int below = 0; below < 2; below++) {
        uint32_t c = 0;
        a.f = b.f = f, a.rows = b.rows = 1, a.k = b.k = 128, a.blocks = b.blocks = 4;
        for (uint32_t l = 0; l < 128; l++) {
            a.code[l] = l < 32 ? one | l % 2 << 7 : l < 64 ? one : l == 64 ? minus_infinity : 0;
            b.code[l] = one;
        }
        for (uint32_t l = 0; l < 4; l++) {
            a.scale[l] = l == 1 ? 127 + 123 - (uint32_t)below : 254; /* 32 times 2^123 is 2^128 */
            b.scale[l] = l == 0 ? 254 : 127;
        }
        mma_lay_out(&a, false, false, 0);
        mma_lay_out(&b, false, false, 0);
        mma_fast(f, f, (struct mma_shape){1, 1, 128, 64}, &a.memory, &b.memory, &c, 1, true);
        assert_int_equal(c, below ? 0xFF800000 : TSR_NUM_NAN);
    }
    tsr_isa_free(isa);
}

/* Where k is cut at multiples of r and of the blocks, the parts give the bits of the whole. */
static void test_mma_pairs_may_be_split_at_steps_and_blocks(void **state)
{
    static struct mma_operand a, b;
    static uint32_t whole[4 * 18], parts[4 * 18];
    struct tsr_isa *isa = load_isa();
    uint64_t s = tsr_test_seed("mma split: TESSERA_SEED=N ctest -R num.mma_pairs", 32);
    struct formats all = tensor_formats(isa, true);
    (void)state;
    for (int i = 0; i < all.n * all.n; i++) {
        const struct tsr_format *fa = all.f[i / all.n], *fb = all.f[i % all.n];
        uint32_t r = steps[i % 5], cut = r < 32 ? 32 : r, k = cut + 1 + r;
        if (!is_pair(fa, fb))
            continue;
        mma_draw(&a, fa, 4, k, NEAR_ONE, SCALES_NEAR, true, &s);
        mma_draw(&b, fb, 18, k, NEAR_ONE, SCALES_NEAR, false, &s);
        mma_lay_out(&a, false, false, 0);
        mma_lay_out(&b, false, false, 1);
        struct tsr_num_operand *o[2] = {&a.memory, &b.memory};
        mma_fast(fa, fb, (struct mma_shape){4, 18, k, r}, o[0], o[1], whole, 18, true);
        mma_fast(fa, fb, (struct mma_shape){4, 18, cut, r}, o[0], o[1], parts, 18, true);
        for (int j = 0; j < 2; j++) {
            const struct tsr_format *f = j ? fb : fa;
            o[j]->codes = (const uint8_t *)o[j]->codes + mma_row_bytes(f, cut);
            if (mma_has_blocks(f))
                o[j]->scales =
                    (const uint8_t *)o[j]->scales + (size_t)cut / f->block * mma_scale_bits(f) / 8;
        }
        mma_fast(fa, fb, (struct mma_shape){4, 18, k - cut, r}, o[0], o[1], parts, 18, false);
        if (memcmp(whole, parts, sizeof whole) != 0)
            fail_msg("%s x %s, r %u: %u and %u are not %u", fa->name, fb->name, r, cut, k - cut, k);
    }
    tsr_isa_free(isa);
}

/* The bounds on which the loops stand, for every pair and r: what the arithmetic of the plan says
 * against largest elements and scales multiplied out. */
static void test_mma_pairs_sums_stay_within_the_plan(void **state)
{
    struct tsr_isa *isa = load_isa();
    struct formats all = tensor_formats(isa, false);
    (void)state;
    for (int i = 0; i < all.n * all.n; i++)
        for (uint32_t r = 1; r <= 64; r *= 2) {
            const struct tsr_format *f[2] = {all.f[i / all.n], all.f[i % all.n]};
            struct tsr_num_plan plan;
            double product = 1, scale = 1;
            if (!is_pair(f[0], f[1]) || f[0]->family == TSR_FAMILY_INT)
                continue;
            assert_int_equal(tsr_num_plan(f[0], f[1], r, &plan, NULL), TSR_OK);
            for (int j = 0; j < 2; j++) {
                double most = 0;
                for (uint32_t c = 0; c < 1u << f[j]->bits; c++) {
                    struct slow_element x = slow_element(f[j], c, 0);
                    double v = ldexp((double)x.m, x.e - slow_lowest(f[j]));
                    most = !x.nan && !x.inf && v > most ? v : most;
                }
                product *= most;
                scale *= f[j]->family == TSR_FAMILY_NVF    ? 15
                         : f[j]->family == TSR_FAMILY_GGUF ? 2047
                                                           : 1;
            }
            product = plan.kind == TSR_NUM_WIDE ? ldexp(1, 32) - 1 : product;
            double group = product * plan.group * scale;
            if (plan.narrow && product * plan.group >= ldexp(1, 31))
                fail_msg("%s x %s, r %u is not narrow", f[0]->name, f[1]->name, r);
            /* num_chain keeps a group in 64 bits and adds in 128. */
            if (group >= ldexp(1, 63) || plan.sum_bits > 90 ||
                group * plan.groups * (plan.groups > 1 ? 65536 : 1) >= ldexp(1, (int)plan.sum_bits))
                fail_msg("%s x %s, r %u: a step exceeds %u bits", f[0]->name, f[1]->name, r,
                         plan.sum_bits);
        }
    tsr_isa_free(isa);
}

static void test_mma_pairs_refused_are_named(void **state)
{
    struct tsr_isa *isa = load_isa();
    struct tsr_num_plan plan;
    struct tsr_error e = {TSR_OK, ""};
    const struct tsr_format *f = isa->formats;
    (void)state;
    for (int i = 0; i < TSR_DTYPE_MAX; i++) {
        if (!isa->has_format[i] || f[i].family == TSR_FAMILY_INT)
            continue;
        e = (struct tsr_error){TSR_OK, ""};
        assert_int_equal(tsr_num_plan(&f[TSR_I8], &f[i], 16, &plan, &e), TSR_USAGE);
        assert_non_null(strstr(e.message, f[i].name));
        assert_int_equal(tsr_num_plan(&f[i], &f[TSR_I4], 16, &plan, &e), TSR_USAGE);
    }
    assert_int_equal(tsr_num_plan(&f[TSR_I4], &f[TSR_I8], 16, &plan, &e), TSR_OK);
    e = (struct tsr_error){TSR_OK, ""};
    assert_int_equal(tsr_num_plan(&f[TSR_Q4_K], &f[TSR_BF16], 16, &plan, &e), TSR_USAGE);
    assert_non_null(strstr(e.message, "q4_k"));
    e = (struct tsr_error){TSR_OK, ""};
    /* Steps of 12 end inside blocks of 16 and 32. */
    assert_int_equal(tsr_num_plan(&f[TSR_MX9], &f[TSR_BF16], 12, &plan, &e), TSR_USAGE);
    assert_non_null(strstr(e.message, "mx9"));
    assert_int_equal(tsr_num_plan(&f[TSR_MXI8], &f[TSR_MX9], 48, &plan, &e), TSR_OK);
    assert_int_equal(tsr_num_plan(&f[TSR_MXI8], &f[TSR_MXI8], 48, &plan, &e), TSR_USAGE);
    tsr_isa_free(isa);
}

/* Prints products per second; no bound, since hosts differ. */
static void speed(const struct tsr_format *fa, const struct tsr_format *fb, uint32_t r)
{
    enum {
        ROWS = 64,
        K = 512
    };
    static uint32_t c[ROWS * ROWS];
    static uint8_t codes[2][ROWS * K * 2], scales[2][ROWS * K / 8];
    const struct tsr_format *f[2] = {fa, fb};
    struct tsr_num_operand o[2];
    uint64_t s = 1;
    for (int j = 0; j < 2; j++) {
        for (size_t i = 0; i < sizeof codes[j]; i++)
            codes[j][i] = (uint8_t)(tsr_test_random(&s) & 0xBF); /* no float's specials */
        for (size_t i = 0; i < sizeof scales[j]; i++)
            scales[j][i] = (uint8_t)(f[j]->family == TSR_FAMILY_NVF    ? 0x30 + i % 16
                                     : f[j]->family == TSR_FAMILY_GGUF ? 0x38 + i % 4
                                                                       : 125 + i % 5);
        ptrdiff_t blocks =
            mma_has_blocks(f[j]) ? K / f[j]->block * (int)mma_scale_bits(f[j]) / 8 : 0;
        o[j] = (struct tsr_num_operand){.codes = codes[j],
                                        .stride_bytes = (ptrdiff_t)mma_row_bytes(f[j], K),
                                        .scales = scales[j],
                                        .scale_stride_bytes = blocks};
    }
    clock_t start = clock();
    int n = 0;
    do
        mma_fast(fa, fb, (struct mma_shape){ROWS, ROWS, K, r}, &o[0], &o[1], c, ROWS, n++ == 0);
    while (clock() - start < CLOCKS_PER_SEC / (tsr_test_nightly() ? 5 : 25));
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    print_message("%s x %s, steps of %u: %.0f million products/s, unpacking included\n", fa->name,
                  fb->name, r, 1e-6 * ROWS * ROWS * K * n / seconds);
}

static void test_mma_pairs_speed_is_printed(void **state)
{
    static const enum tsr_dtype mixed[][2] = {
        {TSR_BF16, TSR_MX9},   {TSR_BF16, TSR_Q4_0},     {TSR_BF16, TSR_NVF4},
        {TSR_F8E4M3, TSR_MX6}, {TSR_F8E4M3, TSR_MXF4},   {TSR_MXF8E4M3, TSR_MXF4},
        {TSR_F8E5M2, TSR_MX9}, {TSR_F16, TSR_MXF8E4M3},  {TSR_MX9, TSR_MX6},
        {TSR_Q8_0, TSR_Q4_0},  {TSR_MXF8E5M2, TSR_Q8_0}, {TSR_F8E4M3, TSR_Q8_0},
    };
    struct tsr_isa *isa = load_isa();
    struct formats all = tensor_formats(isa, true);
    (void)state;
    for (int i = 0; i < all.n; i++) {
        uint8_t w = all.f[i]->width_class;
        speed(all.f[i], all.f[i], w == 16 ? 16 : w == 9 ? 32 : 64); /* maia100's */
    }
    for (size_t i = 0; i < sizeof mixed / sizeof *mixed; i++) {
        const struct tsr_format *a = &isa->formats[mixed[i][0]], *b = &isa->formats[mixed[i][1]];
        uint8_t w = a->width_class > b->width_class ? a->width_class : b->width_class;
        speed(a, b, w == 16 ? 16 : w == 9 ? 32 : 64);
    }
    speed(&isa->formats[TSR_BF16], &isa->formats[TSR_BF16], 4); /* micro's */
    speed(&isa->formats[TSR_BF16], &isa->formats[TSR_Q8_0], 64);
    tsr_isa_free(isa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mma_pairs_equal_the_slow_ones),
        cmocka_unit_test(test_mma_pairs_of_uncommon_rows_equal_the_slow_ones),
        cmocka_unit_test(test_mma_pairs_finite_overflow_meets_infinity),
        cmocka_unit_test(test_mma_pairs_may_be_split_at_steps_and_blocks),
        cmocka_unit_test(test_mma_pairs_sums_stay_within_the_plan),
        cmocka_unit_test(test_mma_pairs_refused_are_named),
        cmocka_unit_test(test_mma_pairs_speed_is_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
