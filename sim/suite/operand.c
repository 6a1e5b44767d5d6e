/* SPDX-License-Identifier: Apache-2.0 */
/* The chip adds products in steps of R (of the wider format) in rising k, each step rounded once to
 * f32; with exact partial sums s_t after step t
 *     |C - s| <= sum over steps of (T_t + half ULP of f32 at |s_t| + the error so far).
 * T_t is what a step loses before that. Its products form groups: those under one pair of scales,
 * min(block of A, block of B, R) of them; without scales the step is one group.
 *   Wide pairs (one of bf16, f16, e5m2): every product is cut, toward zero, at 2^(E - G) under the
 *     group's scales, E the largest exponent of the group's nonzero products (of their lowest bit),
 *     G = 32 - bits(a) - bits(b): less than 2^(E - G) times the scales' significands for each.
 *     Exact pairs lose nothing.
 *   A step of several groups cuts each at 2^(U - 16), U the largest exponent of a unit among those
 *     that are not zero (exact pairs: the formats' least steps multiplied; wide ones: E - G); the
 *     group of U itself loses nothing.
 * The double sums add k 2^-53 of the sum of magnitudes. */
#include "sim/suite/operand.h"

#include <math.h>
#include <string.h>

#include "isa/num/num.h"
#include "isa/num/quant.h"

/* Bits of the integer magnitude of an element. */
static int magnitude_bits(const struct tsr_format *f)
{
    return f->ebits ? f->mbits + 1 : f->bits;
}

static bool is_wide(const struct tsr_format *f)
{
    return f->bits == 16 || f->code == TSR_F8E5M2 || f->code == TSR_MXF8E5M2;
}

/* Exponent of the least step of the elements, before scales: floats' subnormals, else the step. */
static int least_exponent(const struct tsr_format *f)
{
    return f->ebits                                                      ? 1 - f->bias - f->mbits
           : f->family == TSR_FAMILY_INT || f->family == TSR_FAMILY_GGUF ? 0
                                                                         : -f->mbits;
}

/* Exponent of the lowest bit of an element of that value. */
static int element_exponent(const struct tsr_format *f, double x)
{
    int e, least = least_exponent(f);
    if (!f->ebits || x == 0.0)
        return least;
    frexp(x, &e); /* |x| in [2^(e-1), 2^e) */
    return e - 1 - f->mbits < least ? least : e - 1 - f->mbits;
}

/* The significand and exponent of a scale as it lies in memory. */
static void scale_of(const struct tsr_format *f, uint32_t code, double *ms, int *es)
{
    *ms = 1.0;
    *es = (int)code - 127;
    int mbits = f->family == TSR_FAMILY_NVF ? 3 : 10, bias = f->family == TSR_FAMILY_NVF ? 7 : 15;
    if (f->family != TSR_FAMILY_NVF && f->family != TSR_FAMILY_GGUF)
        return;
    uint32_t top = (code & 0x7fffu) >> mbits, low = code & ((1u << mbits) - 1);
    *ms = top ? low + (1u << mbits) : low;
    *es = (top ? (int)top : 1) - bias - mbits;
}

static void describe(const struct tsr_format *f, double value, double ms, int es,
                     struct suite_element *x)
{
    double scale = ldexp(ms, es);
    x->value = value;
    x->ms = ms;
    x->exponent = element_exponent(f, scale != 0.0 ? value / scale : 0.0) + es;
    x->unit = least_exponent(f) + es;
}

enum tsr_status suite_operand_plan(struct suite *s, enum tsr_dtype own, enum tsr_dtype partner,
                                   size_t rows, size_t k, struct suite_operand *o,
                                   struct tsr_error *err)
{
    enum tsr_status st = tsr_npu_slab_plan(s->isa, s->chip, own, partner, rows, k, &o->slab, err);
    if (st != TSR_OK)
        return st;
    o->k = k;
    o->x = suite_alloc(s, rows * k * sizeof *o->x, err);
    return o->x ? TSR_OK : TSR_INTERNAL;
}

/* The format whose values are drawn: the quantizer makes block formats of them. */
static const struct tsr_format *source_of(struct suite *s, const struct tsr_format *f)
{
    return f->block > 1 ? suite_format(s, TSR_BF16) : f;
}

/* Element i of a row, with its scale, from the row's scales and values. */
static void element_at(const struct tsr_format *f, const float *x, const uint8_t *scales, size_t i,
                       struct suite_element *out)
{
    double ms = 1.0;
    int es = 0;
    if (f->block > 1) {
        size_t bytes = f->scale_bits / 8u, at = i / f->block * bytes;
        scale_of(f, scales[at] | (bytes > 1 ? (uint32_t)scales[at + 1] << 8 : 0), &ms, &es);
    }
    describe(f, (double)x[i], ms, es, out);
}

enum tsr_status suite_operand_fill(struct suite *s, struct suite_operand *o,
                                   enum suite_values values, void *image, struct tsr_error *err)
{
    const struct tsr_format *f = o->slab.format;
    size_t k = o->k, blocks = (k + f->block - 1) / f->block;
    float *x = suite_alloc(s, 4 * k, err);
    uint8_t *elements = suite_alloc(s, 4 * blocks * f->block, err);
    uint8_t *scales = suite_alloc(s, 2 * blocks, err);
    if (!x || !elements || !scales)
        return TSR_INTERNAL;
    for (size_t row = 0; row < o->slab.rows; row++) {
        uint32_t *bits = (uint32_t *)(void *)x;
        suite_fill(s, source_of(s, f), values, x, k);
        enum tsr_status st = tsr_npu_slab_pack(&o->slab, row, bits, image, err);
        if (st == TSR_OK)
            st = tsr_npu_slab_unpack(&o->slab, row, image, bits, err);
        if (st != TSR_OK)
            return st;
        if (o->slab.blocked)
            tsr_npu_slab_to_planes(&o->slab, row, image, elements, scales);
        for (size_t i = 0; i < k; i++)
            element_at(f, x, scales, i, &o->x[row * k + i]);
    }
    return TSR_OK;
}

/* One group's sum; what it loses; 2^unit is its step, if it has a product that is not zero. */
struct group {
    double sum, lost;
    int unit;
    bool nonzero;
};

static struct group add_group(const struct suite_element *a, const struct suite_element *b,
                              size_t n, bool wide, int g, double *magnitude)
{
    struct group r = {.unit = a[0].unit + b[0].unit};
    int top = INT32_MIN, nonzero = 0;
    for (size_t i = 0; i < n; i++) {
        double product = a[i].value * b[i].value;
        if (product == 0.0)
            continue;
        int e = a[i].exponent + b[i].exponent;
        top = e > top ? e : top;
        nonzero++;
        r.sum += product;
        *magnitude += fabs(product);
    }
    r.nonzero = nonzero > 0;
    if (wide && r.nonzero) {
        r.unit = top - g;
        r.lost = nonzero > 1 ? nonzero * ldexp(a[0].ms * b[0].ms, r.unit) : 0.0;
    }
    return r;
}

/* A step of n products: its exact sum and what it may lose. */
static double step(const struct suite_operand *a, const struct suite_operand *b,
                   const struct suite_element *x, const struct suite_element *y, size_t n,
                   size_t group, double *lost, double *magnitude)
{
    const struct tsr_format *f = a->slab.format, *h = b->slab.format;
    bool wide = is_wide(f) || is_wide(h);
    int g = 32 - magnitude_bits(f) - magnitude_bits(h), top = INT32_MIN, groups = 0;
    double sum = 0.0;
    *lost = 0.0;
    for (size_t i = 0; i < n; i += group) {
        struct group r = add_group(x + i, y + i, n - i < group ? n - i : group, wide, g, magnitude);
        sum += r.sum;
        *lost += r.lost;
        groups += r.nonzero;
        top = r.nonzero && r.unit > top ? r.unit : top;
    }
    if (groups > 1)
        *lost += (groups - 1) * ldexp(1.0, top - 16);
    return sum;
}

void suite_operand_dot(const struct suite *s, const struct suite_operand *a, size_t row_a,
                       const struct suite_operand *b, size_t row_b, double *sum, double *bound)
{
    const struct tsr_format *f = a->slab.format, *h = b->slab.format;
    const struct tsr_format *f32 = suite_format(s, TSR_F32);
    const struct tsr_ttu_config *t = &s->chip->tile.ttu;
    uint8_t w = f->width_class > h->width_class ? f->width_class : h->width_class;
    size_t r = w == 16 ? t->r16 : w == 9 ? t->r9 : t->r6, group = r;
    if (f->block > 1 && f->block < group)
        group = f->block;
    if (h->block > 1 && h->block < group)
        group = h->block;
    const struct suite_element *x = a->x + row_a * a->k, *y = b->x + row_b * b->k;
    double magnitude = 0.0;
    *sum = *bound = 0.0;
    for (size_t q = 0; q < a->k; q += r) {
        double lost;
        *sum += step(a, b, x + q, y + q, a->k - q < r ? a->k - q : r, group, &lost, &magnitude);
        *bound += lost;
        *bound += suite_half_ulp(f32, fabs(*sum) + *bound);
    }
    *bound += magnitude * (double)a->k * 0x1p-53;
}
