/* SPDX-License-Identifier: Apache-2.0 */
/* labels: mpfr
 * tsr_num_mma against a second tensor unit written from the rules alone (ttu_oracle.h), bit for
 * bit: every pair of formats, rates, tails, chains of steps, and operands made to hurt. */
#include "tests/support/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/num/formats.h"
#include "tests/num/overlay.h"
#include "tests/num/ttu_operands.h"
#include "tests/support/isa_random.h"

enum {
    PANEL_BYTES = 1 << 21,
    OUTPUTS = TSR_SIDE_ROWS * 2 * TSR_SIDE_ROWS
};

static struct tsr_isa *isa;
static struct tsr_side sides[2];
static void *panel_memory[2];

static int setup(void **state)
{
    (void)state;
    isa = load_isa();
    for (int s = 0; s < 2; s++) {
        sides[s].end = (uint8_t *)tsr_test_guarded(TSR_SIDE_BYTES) + TSR_SIDE_BYTES;
        panel_memory[s] = aligned_alloc(64, PANEL_BYTES);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tsr_isa_free(isa);
    free(panel_memory[0]);
    free(panel_memory[1]);
    return 0;
}

/* ---- comparing ------------------------------------------------------------------------------ */

static void dump(const char *name, const struct tsr_side *o, unsigned i)
{
    printf("%s (%s):", name, o->f->name);
    for (unsigned k = 0; k < o->k; k++) {
        if (o->f->block != 0 && k % o->f->block == 0)
            printf(" [scale %x]", o->scale[i][k / o->f->block]);
        printf(" %x", tsr_oracle_get(o->f,
                                     o->oracle.codes +
                                         (o->oracle.k_strided ? (ptrdiff_t)k : (ptrdiff_t)i) *
                                             o->oracle.stride,
                                     o->oracle.k_strided ? i : k));
    }
    printf("\n");
}

static const struct tsr_format *row_of(const struct tsr_oracle_format *f)
{
    return &isa->formats[f->dtype];
}

static void plan_of(struct tsr_num_plan *plan, unsigned r)
{
    struct tsr_error err = {0};
    if (tsr_num_plan(row_of(sides[0].f), row_of(sides[1].f), r, plan, &err) != TSR_OK)
        fail_msg("%s", err.message);
}

/* C += A x B by both; `c` holds C and gets the result. */
static void compare(unsigned r, uint32_t *c, size_t stride, bool overwrite)
{
    struct tsr_num_plan plan;
    struct tsr_num_panel panel[2];
    unsigned m = sides[0].rows, n = sides[1].rows, k = sides[0].k;
    static uint32_t want[OUTPUTS], old[OUTPUTS];
    plan_of(&plan, r);
    for (int s = 0; s < 2; s++) {
        assert_true(tsr_num_panel_bytes(&plan, (enum tsr_num_side)s, sides[s].rows, k) <=
                    PANEL_BYTES);
        tsr_num_unpack(&plan, (enum tsr_num_side)s, &sides[s].num, sides[s].rows, k,
                       panel_memory[s], &panel[s]);
    }
    memcpy(old, c, m * stride * 4);
    memcpy(want, c, m * stride * 4);
    tsr_oracle_mma(&sides[0].oracle, &sides[1].oracle, m, n, k, r, want, stride, overwrite);
    if (!overwrite && k % 2 == 1)
        for (unsigned i = 0; i < panel[0].k_padded / r; i++)
            tsr_num_mma_steps(&plan, &panel[0], &panel[1], c, stride, i, 1);
    else
        tsr_num_mma(&plan, &panel[0], &panel[1], c, stride, overwrite);
    for (unsigned at = 0; at < m * stride; at++) {
        unsigned i = at / (unsigned)stride, j = at % (unsigned)stride;
        if (c[at] == want[at])
            continue;
        dump("A", &sides[0], i);
        dump("B", &sides[1], j < n ? j : 0);
        fail_msg("%s x %s, r %u, %u x %u x %u, C[%u,%u] = %08x %s: %08x, not %08x",
                 sides[0].f->name, sides[1].f->name, r, m, n, k, i, j, old[at],
                 overwrite ? "overwritten" : "added to", c[at], want[at]);
    }
}

static bool legal(const struct tsr_oracle_format *a, const struct tsr_oracle_format *b)
{
    return tsr_oracle_plain_integer(a) == tsr_oracle_plain_integer(b);
}

static uint32_t below(uint64_t *s, uint32_t n)
{
    return (uint32_t)tsr_test_random_below(s, n);
}

/* A power of two; now and then any other that the formats' blocks allow. */
static unsigned rate(const struct tsr_oracle_format *a, const struct tsr_oracle_format *b,
                     uint64_t *s)
{
    unsigned r = below(s, 6) == 0 ? 1 + below(s, 64) : 1u << below(s, 7);
    while (!tsr_oracle_even(a, b, r))
        r = 1 + below(s, 64);
    return r;
}

/* Mostly small; now and then many columns, many rows of A, or a long K. */
static void shape(unsigned count, uint64_t *s)
{
    unsigned kind = count % 32;
    unsigned k = 1 + below(s, kind == 31 ? TSR_SIDE_K : kind % 3 == 0 ? 160 : 70);
    sides[0].rows = 1 + below(s, kind == 30 ? TSR_SIDE_ROWS : kind == 31 ? 2 : 3);
    sides[1].rows = 1 + below(s, kind % 8 == 0 ? 40 : kind == 31 ? 2 : 3);
    sides[0].k = sides[1].k = k;
}

/* One product of random shape: overwritten, added to random C, to what nearly cancels it, chained.
 */
static void one_case(const struct tsr_oracle_format *a, const struct tsr_oracle_format *b,
                     unsigned count, uint64_t *s)
{
    static uint32_t c[OUTPUTS];
    unsigned r = rate(a, b, s);
    enum tsr_element_style style = (enum tsr_element_style)below(s, TSR_ELEMENT_STYLES);
    enum tsr_scale_style scales = (enum tsr_scale_style)below(s, TSR_SCALE_STYLES);
    unsigned apart = 1u << below(s, 6);
    shape(count, s);
    for (int side = 0; side < 2; side++) {
        struct tsr_side *o = &sides[side];
        bool mixed = below(s, 4) == 0;
        o->f = side == 0 ? a : b;
        tsr_side_choose(
            o, side == 0, mixed ? (enum tsr_element_style)below(s, TSR_ELEMENTS_CANCEL) : style,
            mixed ? (enum tsr_scale_style)below(s, TSR_SCALE_STYLES) : scales, apart, s);
        if (below(s, 6) == 0)
            tsr_side_sprinkle(o, 1 + below(s, 3), s);
        tsr_side_lay(o, o->f->block == 0 && o->f->bits >= 8 && below(s, 2), s);
    }
    size_t stride = sides[1].rows + below(s, 3);
    for (size_t i = 0; i < sides[0].rows * stride; i++)
        c[i] = (uint32_t)tsr_test_random(s);
    bool overwrite = below(s, 3) != 0;
    compare(r, c, stride, overwrite);
    if (overwrite && below(s, 2))
        for (size_t i = 0; i < sides[0].rows * stride; i++) /* the negative, an ULP or two off */
            c[i] = (c[i] ^ 0x80000000u) + below(s, 5) - 2;
    compare(r, c, stride, false);
}

static void test_ttu_oracle_every_pair_agrees(void **state)
{
    uint64_t s = tsr_test_seed("ttu oracle: TESSERA_SEED=N ctest -R num.ttu_oracle", 21);
    unsigned cases = tsr_test_nightly() ? 640 : 48;
    (void)state;
    for (int i = 0; i < TSR_ORACLE_FORMATS; i++)
        for (int j = 0; j < TSR_ORACLE_FORMATS; j++)
            for (unsigned n = 0; legal(&tsr_oracle_formats[i], &tsr_oracle_formats[j]) && n < cases;
                 n++)
                one_case(&tsr_oracle_formats[i], &tsr_oracle_formats[j], n, &s);
}

/* ---- the two roundings by themselves -------------------------------------------------------- */

/* c and t 2^unit: of any size, alike, cancelling, or with a sum at a tie or one off it. */
static int64_t random_term(uint64_t *s, uint32_t c, int32_t *unit)
{
    int64_t t = (int64_t)tsr_test_random(s) >> (5 + below(s, 58)); /* |t| < 2^60 */
    int top = (int)(c >> 23 & 0xFF) - 150;                         /* of c's lowest bit */
    unsigned kind = below(s, 4);
    *unit = (int32_t)below(s, 500) - 300;
    if (kind == 1)
        *unit = top - 30 + (int32_t)below(s, 60);
    if (kind == 2) { /* half an ULP of c, shifted, and one more or less */
        unsigned low = below(s, 58);
        *unit = top - 1 - (int32_t)low;
        t = (INT64_C(1) << low) + (int64_t)below(s, 3) - 1;
        t = below(s, 2) ? -t : t;
    }
    if (kind == 3) { /* -c but for the last bits */
        unsigned low = below(s, 30);
        int64_t m = (int64_t)((c & 0x7FFFFF) | 0x800000) << low;
        *unit = top - (int32_t)low;
        t = (c >> 31 ? m : -m) + (int64_t)below(s, 3) - 1;
    }
    return t;
}

static void test_ttu_oracle_accumulating_equals_mpfr(void **state)
{
    uint64_t s = tsr_test_seed("accumulate: TESSERA_SEED=N ctest -R num.ttu_oracle", 22);
    mpfr_t x, y;
    (void)state;
    mpfr_inits2(1200, x, y, (mpfr_ptr)NULL);
    for (int n = 0; n < 200000; n++) {
        uint32_t c = (uint32_t)tsr_test_random(&s);
        int32_t unit;
        if (below(&s, 16) == 0)
            c &= 0x807FFFFF; /* subnormals */
        int64_t t = random_term(&s, c, &unit);
        if ((c & 0x7F800000) == 0x7F800000)
            continue;
        int lost = mpfr_set_flt(x, num_float(c), MPFR_RNDN);
        lost |= mpfr_set_si_2exp(y, (long)t, unit, MPFR_RNDN);
        lost |= mpfr_add(x, x, y, MPFR_RNDN);
        assert_int_equal(lost, 0);
        uint32_t got = tsr_num_accumulate(c, t, unit), want = tsr_oracle_round(x);
        if (got != want)
            fail_msg("%08x + %lld 2^%d: %08x, not %08x", c, (long long)t, unit, got, want);
    }
    mpfr_clears(x, y, (mpfr_ptr)NULL);
}

/* Zeros keep their sign here: nothing is added. */
static void test_ttu_oracle_scaling_equals_mpfr(void **state)
{
    uint64_t s = tsr_test_seed("scale: TESSERA_SEED=N ctest -R num.ttu_oracle", 23);
    mpfr_t x;
    (void)state;
    mpfr_init2(x, 24);
    for (int n = 0; n < 200000; n++) {
        uint32_t c = (uint32_t)tsr_test_random(&s) & (below(&s, 8) ? 0xFFFFFFFF : 0x807FFFFF);
        c &= below(&s, 64) ? 0xFFFFFFFF : 0x80000000u; /* zeros */
        int32_t e = (int32_t)below(&s, n & 1 ? 700 : 60) - (n & 1 ? 350 : 30);
        if ((c & 0x7F800000) == 0x7F800000)
            continue;
        mpfr_set_flt(x, num_float(c), MPFR_RNDN);
        mpfr_div_2si(x, x, e, MPFR_RNDN);
        uint32_t got = tsr_num_scale_pow2(c, e);
        uint32_t want = mpfr_zero_p(x) ? c & 0x80000000u : tsr_oracle_round(x);
        if (got != want)
            fail_msg("%08x * 2^%d: %08x, not %08x", c, -e, got, want);
    }
    mpfr_clear(x);
}

/* ---- by name -------------------------------------------------------------------------------- */

static const struct tsr_oracle_format *format_of(enum tsr_dtype dtype)
{
    const struct tsr_oracle_format *f = tsr_oracle_formats;
    while (f->dtype != dtype)
        f++;
    return f;
}

/* One row of bf16 (side `wide`) by one of q8_0, K = 64 in one step of two groups: sums of up to 64
 * bits, which random operands hardly ever bring to a tie. All zero under scale 1 to begin with. */
static void lay_zeros(int wide)
{
    for (int i = 0; i < 2; i++) {
        struct tsr_side *o = &sides[i];
        o->f = i == wide ? format_of(TSR_BF16) : format_of(TSR_Q8_0);
        o->rows = 1;
        o->k = 64;
        o->scale[0][0] = o->scale[0][1] = 0x3C00;
        memset(o->code[0], 0, 64 * sizeof o->code[0][0]);
    }
}

static void compare_one_step(uint32_t c, uint64_t *s)
{
    tsr_side_lay(&sides[0], false, s);
    tsr_side_lay(&sides[1], false, s);
    compare(64, &c, 1, false);
}

/* 32 products of 254 * 127 times an odd f16 significand lie halfway between two f32 for most of
 * them; what the second group adds lies below the 60 bits that a 64-bit addition keeps, and C takes
 * some of it away, or all, or more. */
static void test_ttu_oracle_a_tie_and_a_last_bit_of_64(void **state)
{
    /* 0, 2^-49, 2^-48, 3 * 2^-49, 2^-47 */
    static const uint32_t c[] = {0, 0x27000000, 0x27800000, 0x27C00000, 0x28000000};
    uint64_t s = 1;
    (void)state;
    for (uint32_t scale = 0x3C11; scale < 0x4000; scale += 6)
        for (int n = 0; n < 4; n++) {
            struct tsr_side *a = &sides[n & 1], *b = &sides[1 - (n & 1)];
            lay_zeros(n & 1);
            for (int k = 0; k < 32; k++) {
                a->code[0][k] = 0x3FFE; /* 254 * 2^-7 */
                b->code[0][k] = 127;
            }
            a->code[0][32] = n & 2 ? 0xA780 : 0x2780; /* 2^-48 */
            b->code[0][32] = 1;
            b->scale[0][0] = b->scale[0][1] = scale;
            for (int i = 0; i < 5; i++)
                compare_one_step(c[i] ^ (n & 2 ? 0 : 0x80000000u), &s);
        }
}

/* A group that cancels is no largest: it does not cut the other. */
static void test_ttu_oracle_groups_that_cancel_cut_nothing(void **state)
{
    uint64_t s = 1;
    (void)state;
    for (int n = 0; n < 4; n++) {
        struct tsr_side *a = &sides[n & 1], *b = &sides[1 - (n & 1)];
        unsigned first = n & 2 ? 32 : 0;
        lay_zeros(n & 1);
        a->code[0][first] = 0x5F80; /* 2^64 */
        a->code[0][first + 1] = 0xDF80;
        b->code[0][first] = b->code[0][first + 1] = 100;
        a->code[0][32 - first] = 0x3F80;
        b->code[0][32 - first] = 77;
        compare_one_step(0, &s);
    }
}

static void test_ttu_oracle_pairs_and_rates_are_taken_by_rule(void **state)
{
    (void)state;
    for (int i = 0; i < TSR_ORACLE_FORMATS; i++)
        for (int j = 0; j < TSR_ORACLE_FORMATS; j++)
            for (unsigned r = 0; r <= 65; r++) {
                const struct tsr_oracle_format *a = &tsr_oracle_formats[i];
                const struct tsr_oracle_format *b = &tsr_oracle_formats[j];
                struct tsr_num_plan plan;
                struct tsr_error err = {0};
                bool taken = legal(a, b) && tsr_oracle_even(a, b, r);
                enum tsr_status status = tsr_num_plan(row_of(a), row_of(b), r, &plan, &err);
                if (status != (taken ? TSR_OK : TSR_USAGE) || (!taken && *err.message == '\0'))
                    fail_msg("%s x %s, r %u: status %d %s", a->name, b->name, r, status,
                             err.message);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ttu_oracle_pairs_and_rates_are_taken_by_rule),
        cmocka_unit_test(test_ttu_oracle_a_tie_and_a_last_bit_of_64),
        cmocka_unit_test(test_ttu_oracle_groups_that_cancel_cut_nothing),
        cmocka_unit_test(test_ttu_oracle_accumulating_equals_mpfr),
        cmocka_unit_test(test_ttu_oracle_scaling_equals_mpfr),
        cmocka_unit_test(test_ttu_oracle_every_pair_agrees),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
