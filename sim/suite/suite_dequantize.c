/* SPDX-License-Identifier: Apache-2.0 */
/* Values of blocks and integers against isa/num: the same bits. */
#include <stdio.h>
#include <string.h>

#include "isa/num/quant.h"
#include "kernels/npu/quantize.h"
#include "sim/suite/quantized.h"

/* The values that the machine rounds to `f`, compared code by code. */
static enum tsr_status compare(struct suite *s, const struct tsr_format *f, uint64_t address,
                               const uint32_t *want, size_t n, struct tsr_error *err)
{
    size_t bytes = n * f->bits / 8;
    uint8_t *codes = suite_alloc(s, bytes, err), *got = suite_alloc(s, bytes, err);
    if (!codes || !got)
        return TSR_INTERNAL;
    tsr_num_encode_array(f, codes, want, n, TSR_ROUND_EVEN);
    enum tsr_status st = suite_read_bytes(s, address, got, bytes, err);
    for (size_t i = 0; !st && i < bytes; i++)
        if (got[i] != codes[i]) {
            suite_fail(s, "y byte %zu of %zu: got 0x%02x, want 0x%02x", i, bytes, got[i], codes[i]);
            break;
        }
    return st;
}

/* Blocks of the mixed values that quantized_fill makes, as quantize leaves them. */
static enum tsr_status blocks(struct suite *s, const struct suite_shape *shape,
                              struct quantized_blocks *b, enum tsr_dtype y, struct tsr_error *err)
{
    const struct tsr_format *fy = suite_format(s, y);
    size_t rows = (size_t)shape->m, k = (size_t)shape->n, block = b->format->block;
    size_t whole = (k + block - 1) / block * block;
    char label[64];
    snprintf(label, sizeof label, "%s%s to %s", b->format->name, b->planes ? " planes" : "",
             fy->name);
    enum tsr_status st = suite_begin(s, b->format, shape->m, shape->n, 1, label, err);
    if (st)
        return st;
    uint32_t *x = suite_alloc(s, 4 * rows * k, err), *row = suite_alloc(s, 4 * whole, err);
    if (!x || !row)
        return TSR_INTERNAL;
    struct tsr_num_quant q = {.format = b->format};
    float tensor = (float)b->tensor_scale;
    memcpy(&q.tensor_scale, &tensor, 4);
    struct tsr_npu_dequantize op = {.rows = rows,
                                    .k = k,
                                    .x_format = b->format->code,
                                    .y_format = y,
                                    .tensor_scale = b->tensor_scale,
                                    .slab = b->planes ? NULL : &b->slab};
    quantized_fill(s, suite_format(s, TSR_BF16), x, rows * k);
    st = quantized_place(s, b, rows, k, err);
    if (!st)
        st = quantized_want(s, b, x, err);
    for (int i = 0; !st && i < 2; i++) /* as input; the place of the output stays noise */
        if (b->part[i].bytes)
            st = suite_place_bytes(s, SUITE_IN, b->part[i].want, b->part[i].bytes,
                                   i ? &op.scales : &op.x, err);
    if (!st)
        st = suite_place(s, SUITE_OUT, fy, NULL, rows * k, &op.y, err);
    size_t elements = tsr_num_element_bytes(&q, whole), scales = tsr_num_scale_bytes(&q, whole);
    for (size_t r = 0; !st && r < rows; r++) {
        if (b->planes)
            st = tsr_num_dequantize(&q, b->part[0].want + r * elements,
                                    b->part[1].want + r * scales, whole, row, err);
        else
            st = tsr_npu_slab_unpack(&b->slab, r, b->part[0].want, row, err);
        memcpy(x + r * k, row, 4 * k);
    }
    struct tsr_program p = {0};
    if (!st)
        st = tsr_npu_dequantize(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    return st ? st : compare(s, fy, op.y, x, rows * k, err);
}

static enum tsr_status integers(struct suite *s, const struct suite_shape *shape,
                                enum tsr_dtype format, enum tsr_dtype scale, double given,
                                struct tsr_error *err)
{
    const struct tsr_format *f = suite_format(s, format), *fs = suite_format(s, scale);
    const struct tsr_format *fy = suite_format(s, TSR_BF16);
    size_t rows = (size_t)shape->m, k = (size_t)shape->n;
    enum tsr_status st =
        suite_begin(s, f, shape->m, shape->n, 1, given > 0 ? "given" : fs->name, err);
    if (st)
        return st;
    struct tsr_num_quant q = {.format = f,
                              .scale_format = given > 0 ? suite_format(s, TSR_F32) : fs};
    size_t elements = tsr_num_element_bytes(&q, k), scales = tsr_num_scale_bytes(&q, k);
    uint8_t *codes = suite_alloc(s, rows * elements, err),
            *each = suite_alloc(s, rows * scales, err);
    uint32_t *x = suite_alloc(s, 4 * rows * k, err);
    struct tsr_npu_dequantize op = {.rows = rows,
                                    .k = k,
                                    .x_format = format,
                                    .y_format = TSR_BF16,
                                    .scale_format = scale,
                                    .given_scale = given};
    if (!codes || !each || !x)
        return TSR_INTERNAL;
    quantized_fill(s, fy, x, rows * k);
    float one = (float)given;
    for (size_t r = 0; !st && r < rows; r++) {
        st = tsr_num_quantize(&q, x + r * k, k, codes + r * elements, each + r * scales, err);
        if (given > 0)
            memcpy(each + r * scales, &one, 4);
        if (!st)
            st = tsr_num_dequantize(&q, codes + r * elements, each + r * scales, k, x + r * k, err);
    }
    if (!st)
        st = suite_place_bytes(s, SUITE_IN, codes, rows * elements, &op.x, err);
    if (!st)
        st = suite_place_bytes(s, SUITE_IN, each, rows * scales, &op.scales, err);
    if (!st)
        st = suite_place(s, SUITE_OUT, fy, NULL, rows * k, &op.y, err);
    struct tsr_program p = {0};
    if (!st)
        st = tsr_npu_dequantize(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    return st ? st : compare(s, fy, op.y, x, rows * k, err);
}

enum tsr_status suite_dequantize(struct suite *s, struct tsr_error *err)
{
    static const struct suite_shape own[] = {{1, 1, 1}, {3, 75, 1}, {2, 1000, 1}, {70, 96, 1}};
    static const enum tsr_dtype formats[] = {TSR_MXF8E4M3, TSR_MXF8E5M2, TSR_MXF6E3M2, TSR_MXF6E2M3,
                                             TSR_MXF4,     TSR_MXI8,     TSR_MX9,      TSR_MX6,
                                             TSR_MX4,      TSR_NVF4,     TSR_Q8_0,     TSR_Q4_0};
    const struct suite_shape *shape;
    size_t n = suite_shapes(s, own, sizeof own / sizeof *own, &shape);
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < n && !st; i++) {
        for (size_t k = 0; k < sizeof formats / sizeof *formats && !st; k++) {
            struct quantized_blocks b = {.format = suite_format(s, formats[k]),
                                         .planes = (i + k) % 3 == 2,
                                         .tensor_scale = formats[k] == TSR_NVF4 ? 0.37 : 0};
            if (!b.planes)
                b.tensor_scale = 0; /* slabs have none */
            if (suite_wants(s, formats[k]))
                st = blocks(s, &shape[i], &b, i % 2 ? TSR_BF16 : TSR_F32, err);
        }
        if (!st && suite_wants(s, TSR_I8))
            st = integers(s, &shape[i], TSR_I8, TSR_F32, 0, err);
        if (!st && suite_wants(s, TSR_I4))
            st = integers(s, &shape[i], TSR_I4, TSR_BF16, 0, err);
        if (!st && suite_wants(s, TSR_I8))
            st = integers(s, &shape[i], TSR_I8, TSR_F32, 0.03, err);
    }
    return st;
}
