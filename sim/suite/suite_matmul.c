/* SPDX-License-Identifier: Apache-2.0 */
/* C[m,n] = A[m,k] x B[n,k]^T with bias, gate and residual, against sums in double.
 *
 * Integers: equal. Floats: operand.c says how far the chip's sums may lie from exact ones. Then
 *   bias      one addition in f32: half an ULP
 *   residual  likewise
 *   gate      g u / (1 + 2^(-g log2 e)) on the vector unit: with 1 ULP for exp2 and rcp, half for
 *             each of the rest, relative (|g| + 4) 2^-23; the errors of g and u pass with |silu'|
 *             <= 1.1 and |silu(g)|; 2^-100 |u| covers exp2's overflow and flush to zero
 *   store     half an ULP of C's format.
 * Multiples of 1/2 within +-2 stay exact all the way where scales are powers of two: no bound. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "isa/num/num.h"
#include "kernels/npu/npu.h"
#include "sim/suite/operand.h"

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
    {"rounded", PLAIN, SUITE_UNIT, TSR_BF16},
    {"strides", STRIDES, SUITE_UNIT, TSR_I32},
};

/* The formats of a case. */
struct pair {
    enum tsr_dtype a, b;
};

/* One case. B and the sums have nb rows and columns: n, or 2 n with a gate (gate rows first). */
struct problem {
    struct suite *s;
    struct pair f;
    bool integer, exact;
    const struct tsr_format *out;
    const struct variant *v;
    size_t m, n, nb, k;
    struct suite_operand a, b;
    float *bias, *residual;
    int32_t *ibias;
    double *sum, *err; /* [m][nb] exact sums and their bounds */
};

static void make_sums(struct problem *p)
{
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->nb; j++)
            suite_operand_dot(p->s, &p->a, i, &p->b, j, &p->sum[i * p->nb + j],
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
        suite_compare(s, "C", got, want, p->exact ? NULL : bound, p->m * p->n);
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
                x += (uint32_t)((int32_t)p->a.x[i * p->k + q].value *
                                (int32_t)p->b.x[j * p->k + q].value);
            want[i * p->n + j] = x;
        }
    }
    if (st == TSR_OK)
        suite_compare_words(s, "C", got, want, p->m * p->n);
    return st;
}

/* Makes and places an operand; plain rows with `pad` bytes of noise behind each. */
static enum tsr_status place_operand(struct problem *p, struct suite_operand *o, size_t pad,
                                     uint64_t *address, uint64_t *stride, struct tsr_error *err)
{
    struct suite *s = p->s;
    size_t bytes = tsr_npu_slab_bytes(&o->slab), rows = o->slab.rows;
    uint8_t *image = suite_alloc(s, bytes, err);
    if (!image)
        return TSR_INTERNAL;
    enum tsr_status st = suite_operand_fill(s, o, p->v->values, image, err);
    if (st != TSR_OK || pad == 0)
        return st == TSR_OK ? suite_place_bytes(s, SUITE_IN, image, bytes, address, err) : st;
    size_t run = o->slab.unit_bytes;
    uint8_t *padded = suite_alloc(s, rows * (run + pad), err);
    if (!padded)
        return TSR_INTERNAL;
    for (size_t i = 0; i < rows; i++) {
        memcpy(padded + i * (run + pad), image + i * run, run);
        for (size_t q = run; q < run + pad; q++)
            padded[i * (run + pad) + q] = (uint8_t)suite_random(s);
    }
    *stride = run + pad;
    return suite_place_bytes(s, SUITE_IN, padded, rows * (run + pad), address, err);
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
    if (!p->integer) {
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
    p->sum = suite_alloc(s, p->m * p->nb * sizeof *p->sum, err);
    p->err = suite_alloc(s, p->m * p->nb * sizeof *p->err, err);
    if (!p->sum || !p->err)
        return TSR_INTERNAL;
    enum tsr_status st = suite_operand_plan(s, p->f.a, p->f.b, p->m, p->k, &p->a, err);
    if (st == TSR_OK)
        st = suite_operand_plan(s, p->f.b, p->f.a, p->nb, p->k, &p->b, err);
    if (st == TSR_OK)
        st = place_operand(p, &p->a, pad, &op->a, &op->a_stride, err);
    if (st == TSR_OK)
        st = place_operand(p, &p->b, 2 * pad, &op->b, &op->b_stride, err);
    return st == TSR_OK ? place_extra(p, op, err) : st;
}

/* Whether sums of SUITE_SMALL's values are exact in the format: scales are powers of two. */
static bool keeps_small(const struct tsr_format *f)
{
    return f->family != TSR_FAMILY_NVF && f->family != TSR_FAMILY_GGUF;
}

static enum tsr_status run_case(struct suite *s, struct pair f, const struct suite_shape *shape,
                                const struct variant *v, struct tsr_error *err)
{
    const struct tsr_format *a = suite_format(s, f.a), *b = suite_format(s, f.b);
    struct problem p = {.s = s,
                        .f = f,
                        .integer = a->family == TSR_FAMILY_INT,
                        .exact = v->values == SUITE_SMALL && keeps_small(a) && keeps_small(b),
                        .out = suite_format(s, v->out),
                        .v = v,
                        .m = (size_t)shape->m,
                        .n = (size_t)shape->n,
                        .k = (size_t)shape->k};
    char label[48];
    p.nb = v->extra == GATE ? 2 * p.n : p.n;
    struct tsr_npu_matmul op = {
        .m = p.m, .n = p.nb, .k = p.k, .a_format = f.a, .b_format = f.b, .c_format = v->out};
    struct tsr_program program = {0};
    uint64_t row = p.n * p.out->bits / 8, stride = v->extra == STRIDES ? row + 64 : row;
    if (f.a == f.b)
        snprintf(label, sizeof label, "%s", v->name);
    else
        snprintf(label, sizeof label, "x %s %s", b->name, v->name);
    enum tsr_status st = suite_begin(s, a, shape->m, shape->n, shape->k, label, err);
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
    return v->out == TSR_I32 ? compare_integers(&p, op.c, stride, err)
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
/* The same paths of the program are taken whatever the format of a width: one shape for the rest;
 * of block formats also one of several slabs, the last of which has a part of a block. */
static const struct suite_shape one_large_shape[] = {{129, 67, 31}};
static const struct suite_shape small_block_shapes[] = {{1, 1, 1}, {7, 9, 33}, {37, 25, 130}};
static const struct suite_shape large_block_shapes[] = {{67, 70, 31}, {5, 130, 1103}};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static size_t shapes_of(struct suite *s, struct pair f, const struct suite_shape **out)
{
    bool small = tsr_chip_tiles(s->chip) <= 16;
    bool plain = f.a == f.b && suite_format(s, f.a)->block <= 1 && f.a != TSR_I4;
    if (!s->thorough && !plain)
        return small ? suite_shapes(s, small_block_shapes, COUNT(small_block_shapes), out)
                     : suite_shapes(s, large_block_shapes, COUNT(large_block_shapes), out);
    if (small)
        return suite_shapes(s, small_shapes, COUNT(small_shapes), out);
    if (s->thorough || f.a == TSR_BF16 || f.a == TSR_I8)
        return suite_shapes(s, large_shapes, COUNT(large_shapes), out);
    return suite_shapes(s, one_large_shape, COUNT(one_large_shape), out);
}

/* Everything for formats that have strides; without them where both have blocks; of two different
 * formats sums alone: what follows them is the same. */
static size_t variants_of(struct suite *s, struct pair f, const struct variant **v)
{
    const struct tsr_format *a = suite_format(s, f.a), *b = suite_format(s, f.b);
    bool integer = a->family == TSR_FAMILY_INT, blocks = a->block > 1 || b->block > 1;
    *v = integer ? integer_variants : float_variants;
    if (f.a != f.b)
        return 2;
    return (integer ? COUNT(integer_variants) : COUNT(float_variants)) - blocks;
}

static enum tsr_status run_pair(struct suite *s, struct pair f, struct tsr_error *err)
{
    const struct variant *v;
    const struct suite_shape *shape;
    size_t n_variants = variants_of(s, f, &v), n_shapes = shapes_of(s, f, &shape);
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < n_shapes; i++)
        for (size_t j = 0; j < n_variants && st == TSR_OK; j++)
            st = run_case(s, f, &shape[i], &v[j], err);
    return st;
}

static const struct pair pairs[] = {
    {TSR_BF16, TSR_BF16},
    {TSR_F16, TSR_F16},
    {TSR_I8, TSR_I8},
    {TSR_F8E4M3, TSR_F8E4M3},
    {TSR_F8E5M2, TSR_F8E5M2},
    {TSR_I4, TSR_I4},
    {TSR_MXF8E4M3, TSR_MXF8E4M3},
    {TSR_MXF8E5M2, TSR_MXF8E5M2},
    {TSR_MXF6E3M2, TSR_MXF6E3M2},
    {TSR_MXF6E2M3, TSR_MXF6E2M3},
    {TSR_MXF4, TSR_MXF4},
    {TSR_MXI8, TSR_MXI8},
    {TSR_MX9, TSR_MX9},
    {TSR_MX6, TSR_MX6},
    {TSR_MX4, TSR_MX4},
    {TSR_NVF4, TSR_NVF4},
    {TSR_Q8_0, TSR_Q8_0},
    {TSR_Q4_0, TSR_Q4_0},
    /* mixed: wide by block, widths that differ, blocks that differ, integers, A the wider and B */
    {TSR_BF16, TSR_MX6},
    {TSR_BF16, TSR_Q4_0},
    {TSR_F16, TSR_F8E4M3},
    {TSR_MX9, TSR_MX6},
    {TSR_MX9, TSR_MX4},
    {TSR_MX6, TSR_MX9},
    {TSR_F8E4M3, TSR_MXF4},
    {TSR_MXF8E4M3, TSR_NVF4},
    {TSR_MXF4, TSR_Q8_0},
    {TSR_NVF4, TSR_F8E5M2},
    {TSR_MXI8, TSR_MX9},
    {TSR_I8, TSR_I4},
    {TSR_I4, TSR_I8},
};

enum tsr_status suite_matmul(struct suite *s, struct tsr_error *err)
{
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < COUNT(pairs) && st == TSR_OK; i++)
        if (suite_wants(s, pairs[i].a))
            st = run_pair(s, pairs[i], err);
    return st;
}
