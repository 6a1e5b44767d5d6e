/* SPDX-License-Identifier: Apache-2.0 */
/* labels: mpfr
 * Every product of two elements of 8 bits or fewer, all pairs of formats and all pairs of codes,
 * through tsr_num_mma, against MPFR's; then under every scale. k = 1, so that a step is one product
 * and one rounding. */
#include "tests/support/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/num/formats.h"
#include "tests/num/overlay.h"
#include "tests/num/ttu_oracle.h"
#include "tests/support/isa_random.h"

enum {
    MAX_ROWS = 1024,
    SCALES = 256, /* codes of a scale that one pair of formats meets */
    SELECTED = 4  /* elements under each of them */
};

/* One operand: rows of a single element. */
struct side {
    const struct tsr_oracle_format *f;
    unsigned rows;
    uint32_t code[MAX_ROWS], scale[MAX_ROWS];
    uint8_t codes[MAX_ROWS * 20], scales[MAX_ROWS * 2];
    mpfr_t value[MAX_ROWS]; /* exact, its sign included; NaN, infinities */
};

static struct tsr_isa *isa;
static struct side sides[2];
static void *panel_memory[2];
static uint32_t *out;
static uint64_t products;

/* Significands of 8 and 11 bits each: 38 bits at most. */
enum {
    VALUE_BITS = 24,
    PRODUCT_BITS = 64
};

static int setup(void **state)
{
    (void)state;
    isa = load_isa();
    out = malloc(sizeof *out * MAX_ROWS * MAX_ROWS);
    assert_non_null(out);
    for (int s = 0; s < 2; s++) {
        panel_memory[s] = aligned_alloc(64, 1 << 20);
        for (int i = 0; i < MAX_ROWS; i++)
            mpfr_init2(sides[s].value[i], VALUE_BITS);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int s = 0; s < 2; s++) {
        free(panel_memory[s]);
        for (int i = 0; i < MAX_ROWS; i++)
            mpfr_clear(sides[s].value[i]);
    }
    free(out);
    tsr_isa_free(isa);
    mpfr_free_cache();
    return 0;
}

/* ---- operands ------------------------------------------------------------------------------- */

static uint32_t scale_of_one(const struct tsr_oracle_format *f)
{
    return f->scale == TSR_ORACLE_E8M0 ? 127 : f->scale == TSR_ORACLE_E4M3 ? 0x38 : 0x3C00;
}

static void value_of(mpfr_ptr v, const struct tsr_oracle_format *f, uint32_t code, uint32_t scale)
{
    struct tsr_oracle_value x = tsr_oracle_element(f, code), s = tsr_oracle_scale(f, scale);
    if (x.class == TSR_ORACLE_NAN || s.class == TSR_ORACLE_NAN) {
        mpfr_set_nan(v);
    } else if (x.class == TSR_ORACLE_INFINITE) {
        mpfr_set_inf(v, x.m);
    } else {
        int lost = mpfr_set_si_2exp(v, x.m, x.e, MPFR_RNDN);
        lost |= mpfr_mul_si(v, v, s.m, MPFR_RNDN);
        lost |= mpfr_mul_2si(v, v, s.e, MPFR_RNDN);
        assert_int_equal(lost, 0);
    }
}

static void put(struct side *o, uint32_t code, uint32_t scale)
{
    size_t bytes = tsr_oracle_element_bytes(o->f, 1), at = o->rows++;
    o->code[at] = code;
    o->scale[at] = scale;
    memset(o->codes + at * bytes, 0xFF, bytes); /* what follows K counts for nothing */
    tsr_oracle_put(o->f, o->codes + at * bytes, 0, code);
    tsr_oracle_put_scale(o->f, o->scales + at * tsr_oracle_one_scale_bytes(o->f), 0, scale);
    value_of(o->value[at], o->f, code, scale);
}

static void all_codes(struct side *o, const struct tsr_oracle_format *f)
{
    o->f = f;
    o->rows = 0;
    for (uint32_t c = 0; c < 1u << tsr_oracle_code_bits(f); c++)
        put(o, c, scale_of_one(f));
}

/* A zero, the largest and the least magnitude, all bits: by their codes without sign; `which` below
 * SELECTED. */
static uint32_t selected(const struct tsr_oracle_format *f, unsigned which)
{
    uint32_t sign = 1u << (f->bits - 1);
    switch (which) {
    case 0: /* the highest finite of floats and of shifts, the integers' most negative */
        if (f->kind == TSR_ORACLE_FLOAT)
            return f->specials == TSR_SPECIALS_IEEE ? sign - 1 - (1u << f->mbits)
                   : f->specials == TSR_SPECIALS_FN ? sign - 2
                                                    : sign - 1;
        return f->kind == TSR_ORACLE_OFFSET ? 0 : f->kind == TSR_ORACLE_TWOS ? sign : sign - 1;
    case 1: /* the least */
        return f->kind == TSR_ORACLE_OFFSET ? 9 : f->kind == TSR_ORACLE_SHIFT ? 1 | 2 * sign : 1;
    case 2: /* negative, with many bits */
        return f->kind == TSR_ORACLE_OFFSET ? 1 : sign | (sign >> 1) | 1;
    default:
        return f->kind == TSR_ORACLE_OFFSET ? 8 : 0;
    }
}

/* SELECTED elements under `count` codes of the scale, from `first` on, `step` apart. */
static void all_scales(struct side *o, const struct tsr_oracle_format *f, uint32_t first,
                       uint32_t step, unsigned count)
{
    o->f = f;
    o->rows = 0;
    for (unsigned s = 0; s < (f->block == 0 ? 1 : count); s++)
        for (unsigned i = 0; i < SELECTED; i++)
            put(o, selected(f, i), first + s * step);
}

/* The same elements under a few scales: 1, an odd one, the ends of the range. */
static void some_scales(struct side *o, const struct tsr_oracle_format *f)
{
    static const uint16_t scales[3][4] = {
        {127, 0, 254, 100}, {0x38, 0x01, 0x7E, 0xB5}, {0x3C00, 0x0001, 0x7BFF, 0xAEEF}};
    o->f = f;
    o->rows = 0;
    for (unsigned s = 0; s < (f->block == 0 ? 1 : 4); s++)
        for (unsigned i = 0; i < SELECTED; i++)
            put(o, selected(f, i), f->block == 0 ? 0 : scales[f->scale - TSR_ORACLE_E8M0][s]);
}

/* ---- comparing ------------------------------------------------------------------------------ */

static void multiply(unsigned r)
{
    struct tsr_num_plan plan;
    struct tsr_num_panel panel[2];
    struct tsr_error err = {0};
    if (tsr_num_plan(&isa->formats[sides[0].f->dtype], &isa->formats[sides[1].f->dtype], r, &plan,
                     &err) != TSR_OK)
        fail_msg("%s", err.message);
    for (int s = 0; s < 2; s++) {
        const struct side *o = &sides[s];
        struct tsr_num_operand operand = {
            .codes = o->codes,
            .stride_bytes = (ptrdiff_t)tsr_oracle_element_bytes(o->f, 1),
            .scales = o->f->block != 0 ? o->scales : NULL,
            .scale_stride_bytes = (ptrdiff_t)tsr_oracle_one_scale_bytes(o->f)};
        enum tsr_num_side side = (enum tsr_num_side)s;
        assert_true(tsr_num_panel_bytes(&plan, side, o->rows, 1) <= 1 << 20);
        tsr_num_unpack(&plan, side, &operand, o->rows, 1, panel_memory[s], &panel[s]);
    }
    tsr_num_mma(&plan, &panel[0], &panel[1], out, sides[1].rows, true);
}

/* a * b by MPFR, in bits of f32. The product is exact; the rounding is its only one. */
static uint32_t expected(mpfr_ptr p, mpfr_srcptr a, mpfr_srcptr b)
{
    int lost = mpfr_mul(p, a, b, MPFR_RNDN);
    assert_int_equal(lost, 0);
    if (mpfr_nan_p(p))
        return TSR_NUM_NAN;
    if (mpfr_inf_p(p))
        return TSR_NUM_INF | (mpfr_signbit(p) ? 0x80000000u : 0);
    mpfr_exp_t e = mpfr_zero_p(p) ? 0 : mpfr_get_exp(p);
    if (mpfr_min_prec(p) <= 24 && e > -120 && e < 120 && !mpfr_zero_p(p))
        return num_bits(mpfr_get_flt(p, MPFR_RNDN)); /* an f32 as it is */
    return tsr_oracle_round(p);
}

static uint32_t expected_integer(uint32_t a, uint32_t b)
{
    return (uint32_t)(tsr_oracle_element(sides[0].f, a).m * tsr_oracle_element(sides[1].f, b).m);
}

static void compare(unsigned r)
{
    mpfr_t p;
    bool integers = tsr_oracle_plain_integer(sides[0].f);
    mpfr_init2(p, PRODUCT_BITS);
    multiply(r);
    for (unsigned i = 0; i < sides[0].rows; i++)
        for (unsigned j = 0; j < sides[1].rows; j++) {
            uint32_t got = out[i * sides[1].rows + j];
            uint32_t want = integers ? expected_integer(sides[0].code[i], sides[1].code[j])
                                     : expected(p, sides[0].value[i], sides[1].value[j]);
            if (got != want)
                fail_msg("%s %x (scale %x) x %s %x (scale %x): %08x, not %08x", sides[0].f->name,
                         sides[0].code[i], sides[0].scale[i], sides[1].f->name, sides[1].code[j],
                         sides[1].scale[j], got, want);
        }
    products += (uint64_t)sides[0].rows * sides[1].rows;
    mpfr_clear(p);
}

/* The next pair of formats of 8 bits or fewer that multiply; i and j start at 0 and -1. */
static bool next_pair(int *i, int *j)
{
    const struct tsr_oracle_format *f = tsr_oracle_formats;
    do {
        if (++*j == TSR_ORACLE_FORMATS) {
            *j = 0;
            if (++*i == TSR_ORACLE_FORMATS)
                return false;
        }
    } while (f[*i].bits > 8 || f[*j].bits > 8 ||
             tsr_oracle_plain_integer(&f[*i]) != tsr_oracle_plain_integer(&f[*j]));
    return true;
}

static void test_products_of_all_codes_equal_mpfr(void **state)
{
    unsigned pairs = 0;
    (void)state;
    products = 0;
    for (int i = 0, j = -1; next_pair(&i, &j); pairs++) {
        all_codes(&sides[0], &tsr_oracle_formats[i]);
        all_codes(&sides[1], &tsr_oracle_formats[j]);
        compare(tsr_oracle_formats[i].bits > 6 || tsr_oracle_formats[j].bits > 6 ? 32 : 64);
    }
    /* 14 formats of floats and scaled integers among themselves with 5 of the overlay; i8, i4, i6
     */
    assert_int_equal(pairs, (14 + 5) * (14 + 5) + 3 * 3);
    printf("%u pairs of formats, %llu products\n", pairs, (unsigned long long)products);
}

static void test_products_under_every_scale_equal_mpfr(void **state)
{
    (void)state;
    products = 0;
    for (int i = 0, j = -1; next_pair(&i, &j);) {
        const struct tsr_oracle_format *a = &tsr_oracle_formats[i], *b = &tsr_oracle_formats[j];
        if (tsr_oracle_plain_integer(a))
            continue;
        /* 257: all of a byte's values in both bytes of an f16 */
        all_scales(&sides[0], a, 0, a->scale == TSR_ORACLE_F16 ? 257 : 1, SCALES);
        some_scales(&sides[1], b);
        compare(32);
        some_scales(&sides[0], a);
        all_scales(&sides[1], b, 0, b->scale == TSR_ORACLE_F16 ? 257 : 1, SCALES);
        compare(16);
    }
    printf("%llu products\n", (unsigned long long)products);
}

/* All 65,536 codes of an f16 scale, each side. */
static void test_products_under_every_f16_scale_equal_mpfr(void **state)
{
    (void)state;
    for (int i = 0; i < TSR_ORACLE_FORMATS; i++) {
        if (tsr_oracle_formats[i].scale != TSR_ORACLE_F16)
            continue;
        for (uint32_t first = 0; first < 65536; first += SCALES)
            for (int s = 0; s < 2; s++) {
                all_scales(&sides[s], &tsr_oracle_formats[i], first, 1, SCALES);
                some_scales(&sides[1 - s], &tsr_oracle_formats[i]);
                sides[1 - s].rows = SELECTED + 1; /* scale 1, and one element under the least */
                compare(32);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_of_all_codes_equal_mpfr),
        cmocka_unit_test(test_products_under_every_scale_equal_mpfr),
        cmocka_unit_test(test_products_under_every_f16_scale_equal_mpfr),
    };
    return cmocka_run_group_tests_name("products", tests, setup, teardown);
}
