/* SPDX-License-Identifier: Apache-2.0 */
/* labels: mpfr
 * tsr_num_mma against a second tensor unit written from the rules alone (ttu_oracle.h), bit for
 * bit: every pair of formats, rates, tails, chains of steps, and operands made to hurt. */
#include "tests/support/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/num/formats.h"
#include "tests/num/ttu_oracle.h"
#include "tests/support/isa_random.h"

enum {
    MAX_ROWS = 20,
    MAX_K = 160,
    ROOM = 65536
};

/* How an operand's codes come about; `scale` and `element` are chosen apart. */
enum element_style {
    ANY,     /* any bits, NaN and infinity among them */
    FINITE,  /* any number */
    CLOSE,   /* exponents alike */
    LARGEST, /* largest magnitude, either sign */
    ALIKE,   /* largest magnitude, one sign */
    LEAST,   /* least magnitudes */
    SPARSE,  /* mostly zero */
    CANCEL,  /* A negates what lies some elements before, B repeats it */
    ELEMENT_STYLES
};
enum scale_style {
    ONE_SCALE, /* all of the operand alike, near 1 */
    NEAR,      /* a few powers of two apart: where the alignment of groups cuts */
    LOW,       /* results near the least f32 */
    HIGH,      /* results near the largest */
    EXTREME,   /* the ends of the range */
    ANY_SCALE, /* any code, NaN among them */
    SCALE_STYLES
};

struct side {
    const struct tsr_oracle_format *f;
    unsigned rows, k;
    uint32_t code[MAX_ROWS][MAX_K], scale[MAX_ROWS][MAX_K];
    uint8_t *end; /* of guarded memory */
    struct tsr_oracle_operand oracle;
    struct tsr_num_operand num;
};

struct extremes {
    uint32_t largest, least; /* codes of the largest magnitude and of the least above 0 */
};

static struct tsr_isa *isa;
static struct side sides[2];
static struct extremes extreme_codes[TSR_ORACLE_FORMATS];
static void *panel_memory[2];

static double magnitude(const struct tsr_oracle_format *f, uint32_t code)
{
    struct tsr_oracle_value v = tsr_oracle_element(f, code);
    return v.class == TSR_ORACLE_NUMBER ? fabs(ldexp(v.m, v.e)) : -1;
}

static int setup(void **state)
{
    (void)state;
    isa = tsr_test_isa();
    for (int s = 0; s < 2; s++) {
        sides[s].end = (uint8_t *)tsr_test_guarded(ROOM) + ROOM;
        panel_memory[s] = aligned_alloc(64, 1 << 20);
    }
    for (int i = 0; i < TSR_ORACLE_FORMATS; i++) {
        const struct tsr_oracle_format *f = &tsr_oracle_formats[i];
        struct extremes *x = &extreme_codes[i];
        double most = -1, least = INFINITY;
        for (uint32_t c = 0; c < 1u << tsr_oracle_code_bits(f); c++) {
            double v = magnitude(f, c);
            if (v > most)
                most = v, x->largest = c;
            if (v > 0 && v < least)
                least = v, x->least = c;
        }
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

/* ---- operands ------------------------------------------------------------------------------- */

static uint32_t below(uint64_t *s, uint32_t n)
{
    return (uint32_t)tsr_test_random_below(s, n);
}

static uint32_t negated(const struct tsr_oracle_format *f, uint32_t code)
{
    uint32_t mask = (1u << f->bits) - 1;
    if (f->kind == TSR_ORACLE_FLOAT || f->kind == TSR_ORACLE_SHIFT)
        return code ^ 1u << (f->bits - 1);
    if (f->kind == TSR_ORACLE_OFFSET)
        return code == 0 ? 0 : 16 - code;
    return (0u - code) & mask;
}

static uint32_t finite_code(const struct tsr_oracle_format *f, uint64_t *s)
{
    uint32_t code;
    do
        code = below(s, 1u << tsr_oracle_code_bits(f));
    while (tsr_oracle_element(f, code).class != TSR_ORACLE_NUMBER);
    return code;
}

/* Floats: an exponent field within a few of 1.0's. */
static uint32_t close_code(const struct tsr_oracle_format *f, uint64_t *s)
{
    uint32_t code = finite_code(f, s), fields = 1u << f->ebits;
    if (f->kind != TSR_ORACLE_FLOAT)
        return code;
    uint32_t field = (uint32_t)(1 - f->least - f->mbits) + below(s, 12) - 6;
    field = f->ebits < 5 ? below(s, fields - 1) : field;
    return (code & ~((fields - 1) << f->mbits)) | field << f->mbits;
}

static uint32_t element_code(const struct tsr_oracle_format *f, enum element_style style,
                             uint64_t *s)
{
    const struct extremes *x = &extreme_codes[f - tsr_oracle_formats];
    uint32_t code;
    switch (style) {
    case ANY:
        return below(s, 1u << tsr_oracle_code_bits(f));
    case LARGEST:
        return below(s, 2) ? negated(f, x->largest) : x->largest;
    case ALIKE:
        return x->largest;
    case LEAST:
        code = f->bits > 6 ? x->least + below(s, 4) : x->least;
        return below(s, 2) ? negated(f, code) : code;
    case SPARSE:
        return below(s, 8) ? (f->kind == TSR_ORACLE_OFFSET ? 8 : 0) : finite_code(f, s);
    case FINITE:
        return finite_code(f, s);
    default:
        return close_code(f, s);
    }
}

static uint32_t e8m0_code(enum scale_style style, uint64_t *s)
{
    static const uint8_t ends[] = {0, 1, 127, 253, 254};
    switch (style) {
    case ONE_SCALE:
        return 127;
    case NEAR:
        return 115 + below(s, 24);
    case LOW: /* the least f32 is 2^-149; elements bring 2^-16 to 2^16 each */
        return 48 + below(s, 24);
    case HIGH:
        return 174 + below(s, 24);
    case EXTREME:
        return ends[below(s, sizeof ends)];
    default:
        return below(s, 256);
    }
}

static uint32_t scale_code(const struct tsr_oracle_format *f, enum scale_style style, uint64_t *s)
{
    static const uint8_t e4m3_ends[] = {0x01, 0x81, 0x07, 0x08, 0x7E, 0xFE, 0x00, 0x80};
    static const uint16_t f16_ends[] = {0x0001, 0x8001, 0x03FF, 0x0400, 0x7BFF, 0xFBFF, 0, 0x8000};
    if (f->scale == TSR_ORACLE_E8M0)
        return e8m0_code(style, s);
    bool f16 = f->scale == TSR_ORACLE_F16;
    switch (style) {
    case ONE_SCALE:
        return f16 ? 0x3A55 : 0x3D;
    case LOW:
        return f16 ? below(s, 0x0800) : below(s, 0x10);
    case HIGH:
        return f16 ? 0x7800 + below(s, 0x400) : 0x70 + below(s, 15);
    case EXTREME:
        return f16 ? f16_ends[below(s, 8)] : e4m3_ends[below(s, 8)];
    case ANY_SCALE:
        return below(s, f16 ? 65536 : 256);
    default:
        return f16 ? (0x2000 + below(s, 0x3000)) | below(s, 2) << 15 : 0x20 + below(s, 0x40);
    }
}

/* Rows and blocks of one operand; `apart` is how far back CANCEL looks, always in one block's
 * scale then. */
static void choose(struct side *o, bool is_a, enum element_style style, enum scale_style scales,
                   unsigned apart, uint64_t *s)
{
    unsigned blocks = o->f->block == 0 ? 0 : (o->k + o->f->block - 1) / o->f->block;
    uint32_t one = scale_code(o->f, scales, s);
    for (unsigned i = 0; i < o->rows; i++) {
        for (unsigned b = 0; b < blocks; b++)
            o->scale[i][b] =
                scales == ONE_SCALE || style == CANCEL ? one : scale_code(o->f, scales, s);
        for (unsigned k = 0; k < o->k; k++) {
            bool mirror = style == CANCEL && k / apart % 2 == 1 && below(s, 50) != 0;
            uint32_t from = mirror ? o->code[i][k - apart] : 0;
            o->code[i][k] = !mirror ? element_code(o->f, style, s)
                            : is_a  ? negated(o->f, from)
                                    : from;
        }
    }
}

/* Single elements and scales that are NaN, infinite or zero. */
static void sprinkle(struct side *o, unsigned count, uint64_t *s)
{
    static const uint16_t f16_bad[] = {0x7C00, 0xFC00, 0x7E00, 0x7C01, 0xFFFF, 0x0000, 0x8000};
    static const uint8_t e4m3_bad[] = {0x7F, 0xFF, 0x00, 0x80};
    const struct tsr_oracle_format *f = o->f;
    uint32_t top = ((1u << f->ebits) - 1) << f->mbits;
    while (count-- > 0) {
        unsigned i = below(s, o->rows), k = below(s, o->k), kind = below(s, 4);
        if (kind == 0 && f->block != 0)
            o->scale[i][k / f->block] = f->scale == TSR_ORACLE_F16    ? f16_bad[below(s, 7)]
                                        : f->scale == TSR_ORACLE_E4M3 ? e4m3_bad[below(s, 4)]
                                                                      : 255;
        else if (kind == 1)
            o->code[i][k] = f->kind == TSR_ORACLE_OFFSET ? 8 : 0;
        else if (f->kind == TSR_ORACLE_FLOAT) /* all ones or infinity where there is one */
            o->code[i][k] = (kind == 2 ? top : (1u << (f->bits - 1)) - 1) | below(s, 2)
                                                                                << (f->bits - 1);
    }
}

/* Lays the codes into memory that ends at a page's end; what they leave is random. Rows either
 * carry their scales or these lie in a plane of their own. */
static void lay(struct side *o, bool k_strided, uint64_t *s)
{
    const struct tsr_oracle_format *f = o->f;
    unsigned lines = k_strided ? o->k : o->rows, pad = below(s, 4) ? 0 : below(s, 40);
    size_t elements = tsr_oracle_element_bytes(f, k_strided ? o->rows : o->k);
    size_t scales = tsr_oracle_scale_bytes(f, o->k);
    bool together = scales > 0 && below(s, 2);
    size_t stride = elements + (together ? scales : 0) + pad,
           scale_stride = together ? stride : scales;
    uint8_t *codes = o->end - (lines - 1) * stride - elements - (together ? scales : 0);
    uint8_t *plane = together ? codes + elements : codes - lines * scales;
    for (uint8_t *p = plane < codes ? plane : codes; p < o->end; p++)
        *p = (uint8_t)tsr_test_random(s);
    for (unsigned i = 0; i < o->rows; i++) {
        for (unsigned k = 0; k < o->k; k++)
            if (k_strided)
                tsr_oracle_put(f, codes + k * stride, i, o->code[i][k]);
            else
                tsr_oracle_put(f, codes + i * stride, k, o->code[i][k]);
        for (unsigned b = 0; f->block != 0 && b * f->block < o->k; b++)
            tsr_oracle_put_scale(f, plane + i * scale_stride, b, o->scale[i][b]);
    }
    if (scales == 0)
        plane = NULL;
    o->oracle = (struct tsr_oracle_operand){f,         codes, (ptrdiff_t)stride,
                                            k_strided, plane, (ptrdiff_t)scale_stride};
    o->num = (struct tsr_num_operand){.codes = codes,
                                      .stride_bytes = (ptrdiff_t)stride,
                                      .k_strided = k_strided,
                                      .scales = plane,
                                      .scale_stride_bytes = (ptrdiff_t)scale_stride};
}

/* ---- comparing ------------------------------------------------------------------------------ */

static void dump(const char *name, const struct side *o, unsigned i)
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
    static uint32_t want[MAX_ROWS * 2 * MAX_ROWS], old[MAX_ROWS * 2 * MAX_ROWS];
    plan_of(&plan, r);
    for (int s = 0; s < 2; s++) {
        assert_true(tsr_num_panel_bytes(&plan, (enum tsr_num_side)s, sides[s].rows, k) <= 1 << 20);
        tsr_num_unpack(&plan, (enum tsr_num_side)s, &sides[s].num, sides[s].rows, k,
                       panel_memory[s], &panel[s]);
    }
    memcpy(old, c, m * stride * 4);
    memcpy(want, c, m * stride * 4);
    tsr_oracle_mma(&sides[0].oracle, &sides[1].oracle, m, n, k, r, want, stride, overwrite);
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

/* Powers of two in turn; now and then any other that the formats' blocks allow. */
static unsigned rate(const struct tsr_oracle_format *a, const struct tsr_oracle_format *b,
                     unsigned count, uint64_t *s)
{
    unsigned r = below(s, 6) == 0 ? 1 + below(s, 64) : 1u << count % 7;
    while (!tsr_oracle_even(a, b, r))
        r = 1 + below(s, 64);
    return r;
}

/* One product of random shape: overwritten, added to random C, to what nearly cancels it, chained.
 */
static void one_case(const struct tsr_oracle_format *a, const struct tsr_oracle_format *b,
                     unsigned count, uint64_t *s)
{
    static uint32_t c[MAX_ROWS * 2 * MAX_ROWS];
    unsigned r = rate(a, b, count, s), k = 1 + below(s, count % 3 ? 70 : MAX_K);
    enum element_style style = (enum element_style)below(s, ELEMENT_STYLES);
    enum scale_style scales = (enum scale_style)below(s, SCALE_STYLES);
    unsigned apart = 1u << below(s, 6);
    for (int side = 0; side < 2; side++) {
        struct side *o = &sides[side];
        bool mixed = below(s, 4) == 0;
        o->f = side == 0 ? a : b;
        o->rows = 1 + below(s, count % 8 ? 3 : side == 0 ? 5 : MAX_ROWS);
        o->k = k;
        choose(o, side == 0, mixed ? (enum element_style)below(s, CANCEL) : style,
               mixed ? (enum scale_style)below(s, SCALE_STYLES) : scales, apart, s);
        if (below(s, 6) == 0)
            sprinkle(o, 1 + below(s, 3), s);
        lay(o, o->f->block == 0 && o->f->bits >= 8 && below(s, 2), s);
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
    unsigned cases = tsr_test_nightly() ? 3000 : 70;
    (void)state;
    for (int i = 0; i < TSR_ORACLE_FORMATS; i++)
        for (int j = 0; j < TSR_ORACLE_FORMATS; j++)
            for (unsigned n = 0; legal(&tsr_oracle_formats[i], &tsr_oracle_formats[j]) && n < cases;
                 n++)
                one_case(&tsr_oracle_formats[i], &tsr_oracle_formats[j], n, &s);
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
        cmocka_unit_test(test_ttu_oracle_every_pair_agrees),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
