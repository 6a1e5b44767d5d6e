/* SPDX-License-Identifier: Apache-2.0 */
/* Norm and gate with results in blocks: the f32 values, made by their definition, then isa/num's
 * quantization of them, byte by byte. */
#include <stdio.h>
#include <string.h>

#include "isa/num/quant.h"
#include "kernels/npu/ops.h"
#include "kernels/npu/quantize.h"
#include "sim/suite/quantized.h"

static uint32_t apply(const char *name, uint32_t a, uint32_t b, uint32_t c)
{
    return tsr_num_primitive_apply(tsr_num_primitive_find(name), a, b, c);
}

static uint32_t bits_of(double v)
{
    float f = (float)v;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* 1 / sqrt(mean + eps) in the order that quantize.h states: vectors of a row's spans, the last one
 * of a span as long as that is, by turns into 8 chains per lane. */
static uint32_t factor(const struct suite *s, const uint32_t *x, uint64_t n, uint64_t span,
                       double eps)
{
    uint32_t sum[8][TSR_NUM_MAX_LANES] = {{0}}, lanes = s->chip->tile.tvp.lanes;
    uint64_t vectors = (span + lanes - 1) / lanes;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = i % span, v = i / span * vectors + at / lanes;
        uint32_t *to = &sum[v % 8][at % lanes];
        *to = apply("fma", x[i], x[i], *to);
    }
    for (int half = 4; half; half /= 2)
        for (int k = 0; k < half; k++)
            for (uint32_t l = 0; l < lanes; l++)
                sum[k][l] = apply("add", sum[k][l], sum[k + half][l], 0);
    uint32_t all = tsr_num_reduce(TSR_NUM_REDUCE_ADD, sum[0], NULL, lanes);
    all = apply("mul", all, bits_of(1.0 / (double)n), 0);
    return apply("rsqrt", apply("add", all, bits_of(eps), 0), 0, 0);
}

/* i8 and i4 go with a scale for each row, in f32. */
static bool is_integer(const struct quantized_blocks *b)
{
    return b->format->family == TSR_FAMILY_INT;
}

static struct tsr_num_quant integer_quant(const struct suite *s, const struct quantized_blocks *b)
{
    return (struct tsr_num_quant){.format = b->format, .scale_format = suite_format(s, TSR_F32)};
}

static enum tsr_status place(struct suite *s, struct quantized_blocks *b,
                             const struct suite_shape *shape, struct tsr_error *err)
{
    struct tsr_num_quant q = integer_quant(s, b);
    if (!is_integer(b))
        return quantized_place(s, b, shape->m, shape->n, err);
    b->rows = shape->m;
    b->k = shape->n;
    size_t row = tsr_num_element_bytes(&q, b->k);
    enum tsr_status st = quantized_new(s, &b->part[0], b->rows * row, err);
    return st ? st : quantized_new(s, &b->part[1], 4 * b->rows, err);
}

static enum tsr_status check(struct suite *s, struct quantized_blocks *b, const uint32_t *x,
                             struct tsr_error *err)
{
    struct tsr_num_quant q = integer_quant(s, b);
    enum tsr_status st = TSR_OK;
    if (!is_integer(b)) {
        st = quantized_want(s, b, x, err);
        return st ? st : quantized_blocks_check(s, b, err);
    }
    for (size_t r = 0; !st && r < b->rows; r++)
        st = tsr_num_quantize(&q, x + r * b->k, b->k,
                              b->part[0].want + r * tsr_num_element_bytes(&q, b->k),
                              b->part[1].want + 4 * r, err);
    if (!st)
        st = quantized_check(s, &b->part[0], "element", err);
    return st ? st : quantized_check(s, &b->part[1], "scale", err);
}

static void name_blocks(const struct quantized_blocks *b, struct tsr_npu_quantized *to)
{
    *to = (struct tsr_npu_quantized){.format = b->format->code,
                                     .slab = b->planes || is_integer(b) ? NULL : &b->slab,
                                     .tensor_scale = b->tensor_scale,
                                     .y = b->part[0].address,
                                     .scales = b->part[1].address};
}

/* Elements of the spans that the kernel works in (kernels/npu/quantize.c); integers: of the row. */
static uint64_t span_of(const struct suite *s, const struct quantized_blocks *b)
{
    if (is_integer(b))
        return b->k;
    uint64_t block = b->format->block, wide = 4 * (uint64_t)s->chip->tile.tvp.lanes;
    uint64_t whole = (b->k + block - 1) / block * block;
    uint64_t ks = !b->planes ? b->slab.ks : whole < wide ? whole : wide;
    return ks > block ? ks : block;
}

static enum tsr_status norm(struct suite *s, const struct suite_shape *shape,
                            struct quantized_blocks *b, enum tsr_dtype x_format, bool weight,
                            struct tsr_error *err)
{
    const struct tsr_format *fx = suite_format(s, x_format), *fw = suite_format(s, TSR_BF16);
    size_t rows = (size_t)shape->m, n = (size_t)shape->n;
    char label[64];
    snprintf(label, sizeof label, "norm %s to %s%s", fx->name, b->format->name,
             weight ? "" : " no weight");
    enum tsr_status st = suite_begin(s, b->format, shape->m, shape->n, 1, label, err);
    if (st)
        return st;
    uint32_t *x = suite_alloc(s, 4 * rows * n, err), *w = suite_alloc(s, 4 * n, err);
    if (!x || !w)
        return TSR_INTERNAL;
    struct tsr_npu_rmsnorm_quantize op = {
        .rows = rows, .cols = n, .eps = 1e-5, .x_format = x_format, .w_format = TSR_BF16};
    suite_fill(s, fx, SUITE_UNIT, (float *)x, rows * n);
    suite_fill(s, fw, SUITE_UNIT, (float *)w, n);
    st = suite_place(s, SUITE_IN, fx, (float *)x, rows * n, &op.x, err);
    if (!st && weight)
        st = suite_place(s, SUITE_IN, fw, (float *)w, n, &op.w, err);
    if (!st)
        st = place(s, b, shape, err);
    for (size_t r = 0; !st && r < rows; r++) {
        uint32_t by = factor(s, x + r * n, n, span_of(s, b), op.eps);
        for (size_t i = 0; i < n; i++) {
            uint32_t v = apply("mul", x[r * n + i], by, 0);
            x[r * n + i] = weight ? apply("mul", v, w[i], 0) : v;
        }
    }
    name_blocks(b, &op.to);
    struct tsr_program p = {0};
    if (!st)
        st = tsr_npu_rmsnorm_quantize(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    return st ? st : check(s, b, x, err);
}

/* The values are those of the kernel that stores them as f32. */
static enum tsr_status gate(struct suite *s, const struct suite_shape *shape,
                            struct quantized_blocks *b, enum tsr_activation act,
                            struct tsr_error *err)
{
    const struct tsr_format *f = suite_format(s, TSR_BF16), *wide = suite_format(s, TSR_F32);
    size_t n = (size_t)(shape->m * shape->n);
    char label[64];
    snprintf(label, sizeof label, "gate %d to %s", (int)act, b->format->name);
    enum tsr_status st = suite_begin(s, b->format, shape->m, shape->n, 1, label, err);
    if (st)
        return st;
    float *x = suite_alloc(s, 4 * n, err);
    if (!x)
        return TSR_INTERNAL;
    struct tsr_npu_activation plain = {.rows = shape->m,
                                       .cols = shape->n,
                                       .activation = act,
                                       .limit = 0.7,
                                       .alpha = 1.702,
                                       .in_format = TSR_BF16,
                                       .out_format = TSR_F32};
    struct tsr_npu_activation_quantize op = {.rows = shape->m,
                                             .cols = shape->n,
                                             .activation = act,
                                             .limit = plain.limit,
                                             .alpha = plain.alpha,
                                             .in_format = TSR_BF16};
    suite_fill(s, f, SUITE_UNIT, x, n);
    st = suite_place(s, SUITE_IN, f, x, n, &op.gate, err);
    suite_fill(s, f, SUITE_UNIT, x, n);
    if (!st)
        st = suite_place(s, SUITE_IN, f, x, n, &op.up, err);
    if (!st)
        st = suite_place(s, SUITE_OUT, wide, NULL, n, &plain.y, err);
    if (!st)
        st = place(s, b, shape, err);
    plain.gate = op.gate;
    plain.up = op.up;
    name_blocks(b, &op.to);
    struct tsr_program p = {0}, q = {0};
    if (!st)
        st = tsr_npu_activation(s->isa, s->chip, &plain, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    if (!st)
        st = suite_read(s, wide, plain.y, x, n, err);
    if (!st)
        st = tsr_npu_activation_quantize(s->isa, s->chip, &op, &q, err);
    if (!st)
        st = suite_execute(s, &q, err);
    return st ? st : check(s, b, (const uint32_t *)x, err);
}

enum tsr_status suite_quantize_fused(struct suite *s, struct tsr_error *err)
{
    static const struct suite_shape own[] = {{1, 1, 1}, {3, 75, 1}, {5, 1000, 1}, {70, 64, 1}};
    static const enum tsr_dtype formats[] = {TSR_MX9,  TSR_MX6, TSR_MXF8E4M3, TSR_NVF4,
                                             TSR_Q8_0, TSR_I8,  TSR_I4};
    static const enum tsr_activation acts[] = {TSR_ACT_SILU, TSR_ACT_GELU_TANH,
                                               TSR_ACT_SWIGLU_CLAMP};
    const struct suite_shape *shape;
    size_t n = suite_shapes(s, own, sizeof own / sizeof *own, &shape);
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < n && !st; i++)
        for (size_t k = 0; k < sizeof formats / sizeof *formats && !st; k++) {
            struct quantized_blocks b = {.format = suite_format(s, formats[k]),
                                         .planes = (i + k) % 3 == 2};
            struct quantized_blocks c = b;
            if (!suite_wants(s, formats[k]))
                continue;
            st = norm(s, &shape[i], &b, k % 2 ? TSR_F32 : TSR_BF16, i != 1, err);
            if (!st)
                st = gate(s, &shape[i], &c, acts[(i + k) % 3], err);
        }
    return st;
}
