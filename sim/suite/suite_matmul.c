/* SPDX-License-Identifier: Apache-2.0 */
/* C[m,n] = A[m,k] x B[n,k]^T with bias, gate and residual, against sums in double.
 *
 * Integers: equal. Floats: the chip adds products in steps of R (of the format's width) in rising
 * k, each step rounded once to f32, so with exact partial sums s_t after step t
 *     |C - s| <= sum over steps of (T_t + half ULP of f32 at |s_t| + the error so far).
 * T_t is what a wide pair of formats (bf16, f16, e5m2) loses: every product is cut, toward zero,
 * at 2^(E - G), E the largest exponent of the step's nonzero products (of their lowest bit), G =
 * 32 - bits(a) - bits(b): less than 2^(E - G) for each. Exact pairs (e4m3) lose nothing. The double
 * sums add k 2^-53 of the sum of magnitudes. Then
 *   bias      one addition in f32: half an ULP
 *   residual  likewise
 *   gate      g u / (1 + 2^(-g log2 e)) on the vector unit: with 1 ULP for exp2 and rcp, half for
 *             each of the rest, relative (|g| + 4) 2^-23; the errors of g and u pass with |silu'|
 * <= 1.1 and |silu(g)|; 2^-100 |u| covers exp2's overflow and flush to zero store     half an ULP
 * of C's format. Multiples of 1/2 within +-2 stay exact all the way: no bound at all. */
#include <math.h>
#include <stdio.h>

#include "isa/num/num.h"
#include "kernels/npu/npu.h"
#include "sim/suite/suite.h"

enum extra {
    PLAIN,
    BIAS,
    RESIDUAL,
    GATE,
    STRIDES
};

struct variant {
    const char *name;
    enum extra extra;
    enum suite_values values;
    enum tsr_dtype out;
};

static const struct variant float_variants[] = {
    {"exact", PLAIN, SUITE_SMALL, TSR_F32},       {"extremes", PLAIN, SUITE_EXTREMES, TSR_F32},
    {"bf16", PLAIN, SUITE_UNIT, TSR_BF16},        {"bias", BIAS, SUITE_UNIT, TSR_BF16},
    {"residual", RESIDUAL, SUITE_UNIT, TSR_BF16}, {"gate", GATE, SUITE_UNIT, TSR_BF16},
    {"f16", PLAIN, SUITE_UNIT, TSR_F16},          {"strides", STRIDES, SUITE_UNIT, TSR_F32},
};
static const struct variant integer_variants[] = {
    {"extremes", PLAIN, SUITE_EXTREMES, TSR_I32},
    {"bias", BIAS, SUITE_UNIT, TSR_I32},
    {"strides", STRIDES, SUITE_UNIT, TSR_I32},
};

/* One case. B and the sums have nb rows and columns: n, or 2 n with a gate (gate rows first). */
struct problem {
    struct suite *s;
    const struct tsr_format *f, *out;
    const struct variant *v;
    size_t m, n, nb, k;
    float *a, *b, *bias, *residual;
    int32_t *ibias;
    double *sum, *err; /* [m][nb] exact sums and their bounds */
};

static int lowest_bit(const struct tsr_format *f, double x)
{
    int e, least = 1 - f->bias;
    frexp(x, &e);
    return (e - 1 < least ? least : e - 1) - f->mbits;
}

/* The sum of one step and what it may lose. */
static double step(const struct problem *p, const float *a, const float *b, size_t n, double *lost,
                   double *magnitude)
{
    double sum = 0.0;
    int top = INT32_MIN, nonzero = 0, bits = 2 * (p->f->mbits + 1);
    bool wide = p->f->bits == 16 || p->f->code == TSR_F8E5M2;
    for (size_t q = 0; q < n; q++) {
        double product = (double)a[q] * (double)b[q];
        if (product == 0.0)
            continue;
        int e = lowest_bit(p->f, (double)a[q]) + lowest_bit(p->f, (double)b[q]);
        top = e > top ? e : top;
        nonzero++;
        sum += product;
        *magnitude += fabs(product);
    }
    *lost = wide && nonzero > 1 ? (double)nonzero * ldexp(1.0, top - (32 - bits)) : 0.0;
    return sum;
}

static void dot(const struct problem *p, const float *a, const float *b, double *sum, double *err)
{
    const struct tsr_format *f32 = suite_format(p->s, TSR_F32);
    const struct tsr_ttu_config *t = &p->s->chip->tile.ttu;
    size_t r = p->f->bits == 16 ? t->r16 : t->r9;
    double magnitude = 0.0;
    *sum = *err = 0.0;
    for (size_t q = 0; q < p->k; q += r) {
        double lost;
        *sum += step(p, a + q, b + q, p->k - q < r ? p->k - q : r, &lost, &magnitude);
        *err += lost;
        *err += suite_half_ulp(f32, fabs(*sum) + *err);
    }
    *err += magnitude * (double)p->k * 0x1p-53;
}

static void make_sums(struct problem *p)
{
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->nb; j++)
            dot(p, p->a + i * p->k, p->b + j * p->k, &p->sum[i * p->nb + j],
                &p->err[i * p->nb + j]);
}

/* What the epilogue makes of element (i, j), before the store. */
static double epilogue(const struct problem *p, size_t i, size_t j, double *err)
{
    const struct tsr_format *f32 = suite_format(p->s, TSR_F32);
    const double *sum = p->sum + i * p->nb, *e = p->err + i * p->nb;
    double x = sum[j];
    *err = e[j];
    if (p->v->extra == GATE) {
        double g = sum[j], u = sum[p->n + j], eg = e[j], eu = e[p->n + j];
        double silu = g / (1.0 + exp(-g));
        *err = fabs(silu * u) * (fabs(g) + 4.0) * 0x1p-23 + 1.1 * eg * (fabs(u) + eu) +
               fabs(silu) * eu + 0x1p-100 * fabs(u);
        return silu * u;
    }
    if (p->v->extra == BIAS)
        x += (double)p->bias[j];
    if (p->v->extra == RESIDUAL)
        x += (double)p->residual[i * p->n + j];
    if (p->v->extra == BIAS || p->v->extra == RESIDUAL)
        *err += suite_half_ulp(f32, fabs(x) + *err);
    return x;
}

static enum tsr_status compare_floats(struct problem *p, uint64_t c, uint64_t c_stride,
                                      struct tsr_error *err)
{
    struct suite *s = p->s;
    const struct tsr_format *f32 = suite_format(s, TSR_F32);
    float *got = suite_alloc(s, p->m * p->n * sizeof *got, err);
    float *want = suite_alloc(s, p->m * p->n * sizeof *want, err);
    double *bound = suite_alloc(s, p->m * p->n * sizeof *bound, err);
    if (!got || !want || !bound)
        return TSR_INTERNAL;
    enum tsr_status st = TSR_OK;
    make_sums(p);
    for (size_t i = 0; i < p->m && st == TSR_OK; i++) {
        st = suite_read(s, p->out, c + i * c_stride, got + i * p->n, p->n, err);
        for (size_t j = 0; j < p->n; j++) {
            size_t at = i * p->n + j;
            double x = epilogue(p, i, j, &bound[at]);
            want[at] = (float)x;
            if (p->out->code != TSR_F32)
                bound[at] += suite_half_ulp(p->out, fabs(x) + bound[at]);
            bound[at] += suite_half_ulp(f32, x); /* of `want` itself */
        }
    }
    if (st == TSR_OK)
        suite_compare(s, "C", got, want, p->v->values == SUITE_SMALL ? NULL : bound, p->m * p->n);
    return st;
}

static enum tsr_status compare_integers(struct problem *p, uint64_t c, uint64_t c_stride,
                                        struct tsr_error *err)
{
    struct suite *s = p->s;
    uint32_t *got = suite_alloc(s, p->m * p->n * sizeof *got, err);
    uint32_t *want = suite_alloc(s, p->m * p->n * sizeof *want, err);
    enum tsr_status st = got && want ? TSR_OK : TSR_INTERNAL;
    for (size_t i = 0; i < p->m && st == TSR_OK; i++) {
        st = suite_read_bytes(s, c + i * c_stride, got + i * p->n, p->n * sizeof *got, err);
        for (size_t j = 0; j < p->n; j++) {
            uint32_t x = p->ibias ? (uint32_t)p->ibias[j] : 0;
            for (size_t q = 0; q < p->k; q++)
                x += (uint32_t)((int32_t)p->a[i * p->k + q] * (int32_t)p->b[j * p->k + q]);
            want[i * p->n + j] = x;
        }
    }
    if (st == TSR_OK)
        suite_compare_words(s, "C", got, want, p->m * p->n);
    return st;
}

/* A matrix with `pad` bytes of noise behind each row. */
static enum tsr_status place_rows(struct problem *p, const float *x, size_t rows, size_t cols,
                                  size_t pad, uint64_t *address, uint64_t *stride,
                                  struct tsr_error *err)
{
    size_t run = cols * p->f->bits / 8;
    *stride = pad ? run + pad : 0;
    if (pad == 0)
        return suite_place(p->s, SUITE_IN, p->f, x, rows * cols, address, err);
    uint8_t *bytes = suite_alloc(p->s, rows * (run + pad), err);
    if (!bytes)
        return TSR_INTERNAL;
    for (size_t i = 0; i < rows; i++) {
        tsr_num_encode_array(p->f, bytes + i * (run + pad),
                             (const uint32_t *)(const void *)(x + i * cols), cols, TSR_ROUND_EVEN);
        for (size_t q = run; q < run + pad; q++)
            bytes[i * (run + pad) + q] = (uint8_t)suite_random(p->s);
    }
    return suite_place_bytes(p->s, SUITE_IN, bytes, rows * (run + pad), address, err);
}

static enum tsr_status place_extra(struct problem *p, struct tsr_npu_matmul *op,
                                   struct tsr_error *err)
{
    struct suite *s = p->s;
    if (p->v->extra == RESIDUAL) {
        p->residual = suite_alloc(s, p->m * p->n * sizeof *p->residual, err);
        if (!p->residual)
            return TSR_INTERNAL;
        suite_fill(s, p->out, SUITE_UNIT, p->residual, p->m * p->n);
        op->epilogue = TSR_EPILOGUE_RESIDUAL;
        return suite_place(s, SUITE_IN, p->out, p->residual, p->m * p->n, &op->residual, err);
    }
    if (p->v->extra != BIAS)
        return TSR_OK;
    op->has_bias = true;
    p->bias = suite_alloc(s, p->n * sizeof *p->bias, err);
    if (!p->bias)
        return TSR_INTERNAL;
    if (p->f->family != TSR_FAMILY_INT) {
        suite_fill(s, suite_format(s, TSR_F32), SUITE_UNIT, p->bias, p->n);
        return suite_place(s, SUITE_IN, suite_format(s, TSR_F32), p->bias, p->n, &op->bias, err);
    }
    p->ibias = (int32_t *)(void *)p->bias;
    for (size_t j = 0; j < p->n; j++)
        p->ibias[j] = (int32_t)suite_random(s);
    return suite_place_bytes(s, SUITE_IN, p->ibias, p->n * 4, &op->bias, err);
}

static enum tsr_status make_operands(struct problem *p, struct tsr_npu_matmul *op,
                                     struct tsr_error *err)
{
    struct suite *s = p->s;
    size_t pad = p->v->extra == STRIDES ? 32 : 0;
    p->a = suite_alloc(s, p->m * p->k * sizeof *p->a, err);
    p->b = suite_alloc(s, p->nb * p->k * sizeof *p->b, err);
    p->sum = suite_alloc(s, p->m * p->nb * sizeof *p->sum, err);
    p->err = suite_alloc(s, p->m * p->nb * sizeof *p->err, err);
    if (!p->a || !p->b || !p->sum || !p->err)
        return TSR_INTERNAL;
    suite_fill(s, p->f, p->v->values, p->a, p->m * p->k);
    suite_fill(s, p->f, p->v->values, p->b, p->nb * p->k);
    enum tsr_status st = place_rows(p, p->a, p->m, p->k, pad, &op->a, &op->a_stride, err);
    if (st == TSR_OK)
        st = place_rows(p, p->b, p->nb, p->k, 2 * pad, &op->b, &op->b_stride, err);
    return st == TSR_OK ? place_extra(p, op, err) : st;
}

static enum tsr_status run_case(struct suite *s, const struct tsr_format *f,
                                const struct suite_shape *shape, const struct variant *v,
                                struct tsr_error *err)
{
    struct problem p = {.s = s,
                        .f = f,
                        .out = suite_format(s, v->out),
                        .v = v,
                        .m = (size_t)shape->m,
                        .n = (size_t)shape->n,
                        .k = (size_t)shape->k};
    p.nb = v->extra == GATE ? 2 * p.n : p.n;
    struct tsr_npu_matmul op = {.m = p.m,
                                .n = p.nb,
                                .k = p.k,
                                .a_format = (enum tsr_dtype)f->code,
                                .b_format = (enum tsr_dtype)f->code,
                                .c_format = v->out};
    struct tsr_program program = {0};
    uint64_t row = p.n * p.out->bits / 8, stride = v->extra == STRIDES ? row + 64 : row;
    enum tsr_status st = suite_begin(s, f, shape->m, shape->n, shape->k, v->name, err);
    if (st == TSR_OK)
        st = make_operands(&p, &op, err);
    op.epilogue = v->extra == GATE ? TSR_EPILOGUE_SILU_GATE : op.epilogue;
    op.c_stride = v->extra == STRIDES ? stride : 0;
    if (st == TSR_OK)
        st = suite_place_bytes(s, SUITE_OUT, NULL, (p.m - 1) * stride + row, &op.c, err);
    if (st == TSR_OK)
        st = tsr_npu_matmul(s->isa, s->chip, &op, &program, err);
    if (st == TSR_OK)
        st = suite_execute(s, &program, err);
    if (st != TSR_OK)
        return st;
    return f->family == TSR_FAMILY_INT ? compare_integers(&p, op.c, stride, err)
                                       : compare_floats(&p, op.c, stride, err);
}

/* One of each size class below, at and above the tile's edges; ones; odd sizes; small M. */
static const struct suite_shape small_shapes[] = {
    {1, 1, 1},  {1, 5, 3},    {3, 1, 7},   {5, 4, 1},     {4, 4, 4},
    {7, 9, 33}, {17, 33, 65}, {1, 40, 96}, {37, 65, 130},
};
/* Enough rows and columns for all tiles of a large chip, and too few. */
static const struct suite_shape large_shapes[] = {
    {1, 1, 1}, {1, 100, 70}, {33, 1, 65}, {129, 67, 31}, {1, 1100, 300}, {190, 310, 203},
};
/* The same paths of the program are taken whatever the format of a width: one shape for the rest.
 */
static const struct suite_shape one_large_shape[] = {{129, 67, 31}};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static size_t shapes_of(struct suite *s, enum tsr_dtype format, const struct suite_shape **out)
{
    if (tsr_chip_tiles(s->chip) <= 16)
        return suite_shapes(s, small_shapes, COUNT(small_shapes), out);
    if (s->thorough || format == TSR_BF16 || format == TSR_I8)
        return suite_shapes(s, large_shapes, COUNT(large_shapes), out);
    return suite_shapes(s, one_large_shape, COUNT(one_large_shape), out);
}

static enum tsr_status run_format(struct suite *s, enum tsr_dtype format, struct tsr_error *err)
{
    bool integer = format == TSR_I8;
    const struct variant *v = integer ? integer_variants : float_variants;
    size_t n_variants = integer ? COUNT(integer_variants) : COUNT(float_variants);
    const struct suite_shape *shape;
    size_t n_shapes = shapes_of(s, format, &shape);
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < n_shapes; i++)
        for (size_t j = 0; j < n_variants && st == TSR_OK; j++)
            st = run_case(s, suite_format(s, format), &shape[i], &v[j], err);
    return st;
}

enum tsr_status suite_matmul(struct suite *s, struct tsr_error *err)
{
    static const enum tsr_dtype formats[] = {TSR_BF16, TSR_F16, TSR_I8, TSR_F8E4M3, TSR_F8E5M2};
    enum tsr_status st = TSR_OK;
    for (size_t f = 0; f < COUNT(formats) && st == TSR_OK; f++)
        if (suite_wants(s, formats[f]))
            st = run_format(s, formats[f], err);
    return st;
}
