/* SPDX-License-Identifier: Apache-2.0 */
/* Quantization: the machine's bits against isa/num's, every format, with the values that decide. */
#include <stdio.h>
#include <string.h>

#include "isa/num/quant.h"
#include "kernels/npu/quantize.h"
#include "sim/suite/quantized.h"

struct variant {
    enum tsr_dtype x, y, partner; /* partner: slab-major beside that operand; y itself otherwise */
    bool planes, padded;
    double tensor_scale, given;
    enum tsr_dtype scale;
    uint64_t group;
};

static enum tsr_status want_integers(struct suite *s, const struct variant *v,
                                     struct tsr_npu_quantize *op, const uint32_t *x,
                                     struct quantized part[2], struct tsr_error *err)
{
    struct tsr_num_quant q = {.format = suite_format(s, v->y),
                              .scale_format = suite_format(s, v->scale),
                              .group = (uint32_t)v->group,
                              .scales_given = v->given > 0};
    size_t k = (size_t)op->k, elements = tsr_num_element_bytes(&q, k);
    size_t scales = tsr_num_scale_bytes(&q, k);
    enum tsr_status st = quantized_new(s, &part[0], op->rows * elements, err);
    float given = (float)v->given;
    uint32_t bits;
    memcpy(&bits, &given, 4);
    uint8_t *own = suite_alloc(s, op->rows * scales, err);
    if (!st && !own)
        return TSR_INTERNAL;
    if (!st && !q.scales_given)
        st = quantized_new(s, &part[1], op->rows * scales, err);
    for (size_t i = 0; !st && q.scales_given && i < op->rows * scales / 4; i++)
        memcpy(own + 4 * i, &bits, 4);
    for (size_t r = 0; !st && r < op->rows; r++)
        st = tsr_num_quantize(&q, x + r * k, k, part[0].want + r * elements,
                              (q.scales_given ? own : part[1].want) + r * scales, err);
    op->y = part[0].address;
    op->scales = part[1].address;
    return st;
}

static enum tsr_status one(struct suite *s, const struct suite_shape *shape,
                           const struct variant *v, struct tsr_error *err)
{
    const struct tsr_format *fx = suite_format(s, v->x), *f = suite_format(s, v->y);
    size_t rows = (size_t)shape->m, k = (size_t)shape->n;
    bool blocked = f->block > 1;
    char label[64];
    snprintf(label, sizeof label, "%s to %s%s%s%s", fx->name, f->name, v->planes ? " planes" : "",
             v->given > 0 ? " given" : "", v->group ? " groups" : "");
    enum tsr_status st = suite_begin(s, f, shape->m, shape->n, 1, label, err);
    if (st)
        return st;
    uint32_t *x = suite_alloc(s, 4 * rows * k, err);
    struct quantized ints[2] = {{0}};
    struct quantized_blocks b = {
        .format = f, .planes = v->planes, .partner = v->partner, .tensor_scale = v->tensor_scale};
    struct tsr_npu_quantize op = {.rows = rows,
                                  .k = k,
                                  .x_format = v->x,
                                  .y_format = v->y,
                                  .scale_format = v->scale,
                                  .tensor_scale = v->tensor_scale,
                                  .given_scale = v->given,
                                  .group = v->group};
    if (!x)
        return TSR_INTERNAL;
    quantized_fill(s, fx, x, rows * k);
    st = suite_place(s, SUITE_IN, fx, (const float *)x, rows * k, &op.x, err);
    if (!st && blocked)
        st = quantized_place(s, &b, rows, k, err);
    if (!st)
        st = blocked ? quantized_want(s, &b, x, err) : want_integers(s, v, &op, x, ints, err);
    if (!st && blocked) {
        op.slab = v->planes ? NULL : &b.slab;
        op.y = b.part[0].address;
        op.scales = b.part[1].address;
    }
    struct tsr_program p = {0};
    if (!st)
        st = tsr_npu_quantize(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    if (!st && blocked)
        st = quantized_blocks_check(s, &b, err);
    if (!st && !blocked)
        st = quantized_check(s, &ints[0], "element", err);
    if (!st && ints[1].bytes)
        st = quantized_check(s, &ints[1], "scale", err);
    return st;
}

enum tsr_status suite_quantize(struct suite *s, struct tsr_error *err)
{
    static const struct suite_shape own[] = {
        {1, 1, 1}, {3, 37, 1}, {5, 64, 1}, {2, 1000, 1}, {70, 96, 1}};
    static const enum tsr_dtype formats[] = {TSR_MXF8E4M3, TSR_MXF8E5M2, TSR_MXF6E3M2, TSR_MXF6E2M3,
                                             TSR_MXF4,     TSR_MXI8,     TSR_MX9,      TSR_MX6,
                                             TSR_MX4,      TSR_NVF4,     TSR_Q8_0,     TSR_Q4_0};
    static const struct variant integers[] = {
        {.x = TSR_BF16, .y = TSR_I8, .scale = TSR_F32},
        {.x = TSR_F32, .y = TSR_I4, .scale = TSR_F16},
        {.x = TSR_F16, .y = TSR_I8, .scale = TSR_F32, .given = 0.01},
    };
    static const struct variant groups = {
        .x = TSR_BF16, .y = TSR_I4, .scale = TSR_BF16, .group = 32};
    const struct suite_shape *shape;
    size_t n = suite_shapes(s, own, sizeof own / sizeof *own, &shape);
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < n && !st; i++) {
        for (size_t k = 0; k < sizeof formats / sizeof *formats && !st; k++) {
            struct variant v = {.x = i % 3 == 0   ? TSR_F32
                                     : i % 3 == 1 ? TSR_BF16
                                                  : TSR_F16,
                                .y = formats[k],
                                .planes = (i + k) % 4 == 3,
                                .partner = (i + k) % 4 == 2 ? TSR_BF16 : formats[k]};
            if (v.y == TSR_NVF4 && v.planes)
                v.tensor_scale = 0.013;
            if (suite_wants(s, v.y))
                st = one(s, &shape[i], &v, err);
        }
        for (size_t k = 0; k < 3 && !st; k++)
            if (suite_wants(s, integers[k].y))
                st = one(s, &shape[i], &integers[k], err);
        if (!st && shape[i].n % 32 == 0 && suite_wants(s, TSR_I4))
            st = one(s, &shape[i], &groups, err);
    }
    return st;
}
