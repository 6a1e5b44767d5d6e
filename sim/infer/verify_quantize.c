/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of format whose bits are defined: nothing may differ. */
#include <stdlib.h>
#include <string.h>

#include "isa/num/quant.h"
#include "sim/infer/verify.h"

/* Padding beyond a row's last block holds zero bytes in the plan's image, a block of zeros behind a
 * kernel: the same but for q4_0, whose zero is 8. */
static void pad_as_kernels(const struct tsr_npu_slab *l, uint64_t row, uint8_t *image)
{
    const uint64_t block = l->format->block, end = (l->k + block - 1) / block * block;
    for (uint64_t slab = 0; slab < l->slabs && l->format->code == TSR_Q4_0; slab++)
        for (uint64_t i = 0; i < l->ks; i += 2)
            if (slab * l->ks + i >= end)
                image[tsr_npu_slab_offset(l, row, slab) + i / 2] = 0x88;
}

enum tsr_status verify_pack(const struct tsr_npu_slab *slab, uint64_t row, const uint32_t *bits,
                            uint8_t *image, struct tsr_error *err)
{
    enum tsr_status st = tsr_npu_slab_pack(slab, row, bits, image, err);
    if (st == TSR_OK)
        pad_as_kernels(slab, row, image);
    return st;
}

/* A group's codes and its scale; a row where there are no groups. */
static enum tsr_status quantize_group(struct verify *v, const struct tsr_num_quant *q, uint64_t x,
                                      uint64_t n, uint8_t *codes, float *scale,
                                      struct tsr_error *err)
{
    const struct tsr_npu_quantize *o = &v->op.quantize.op;
    uint32_t *bits = verify_read_bits(v->s, o->x_format, x, n, err), decoded;
    uint8_t code[4];
    if (bits == NULL)
        return TSR_INTERNAL;
    enum tsr_status st = tsr_num_quantize(q, bits, n, codes, code, err);
    free(bits);
    tsr_num_decode_array(q->scale_format, &decoded, code, 1);
    memcpy(scale, &decoded, sizeof *scale);
    return st;
}

static enum tsr_status integers(struct verify *v, const struct tsr_npu_quantize *o,
                                struct tsr_error *err)
{
    const struct tsr_format *const f = v->s->o.isa->formats;
    const uint64_t n = o->group != 0 ? o->group : o->k, groups = o->k / n;
    const uint64_t size = f[o->x_format].bits,
                   row = verify_stride(v, o->x_stride, o->x_format, o->k);
    struct tsr_num_quant q;
    memset(&q, 0, sizeof q);
    q.format = &f[o->y_format];
    q.scale_format = &f[o->scale_format];
    const size_t bytes = tsr_num_element_bytes(&q, n), all = o->rows * groups;
    uint8_t *codes = malloc(all * bytes);
    struct verify_rows *r = verify_add(v, o->scales, 0, 1, all, o->scale_format, false, err);
    enum tsr_status st = codes != NULL && r != NULL ? TSR_OK : TSR_INTERNAL;
    for (uint64_t i = 0; i < all && st == TSR_OK; i++)
        st = quantize_group(v, &q, o->x + i / groups * row + i % groups * n * size / 8, n,
                            codes + i * bytes, &r->want[i], err);
    if (st == TSR_OK)
        st = verify_bytes(v, o->y, codes, all * bytes, err);
    free(codes);
    return st;
}

static enum tsr_status blocks(struct verify *v, const struct tsr_npu_quantize *o,
                              struct tsr_error *err)
{
    const struct tsr_npu_slab *slab = &v->op.quantize.slab;
    const uint64_t row = o->k * v->s->o.isa->formats[o->x_format].bits / 8;
    uint8_t *image = malloc(tsr_npu_slab_bytes(slab));
    enum tsr_status st = image != NULL ? TSR_OK : TSR_INTERNAL;
    for (uint64_t i = 0; i < o->rows && st == TSR_OK; i++) {
        float *x = verify_read(v->s, o->x_format, o->x + i * (o->x_stride != 0 ? o->x_stride : row),
                               o->k, err);
        uint32_t *bits = malloc(o->k * sizeof *bits);
        if (x != NULL && bits != NULL)
            memcpy(bits, x, o->k * sizeof *bits);
        st = x && bits ? verify_pack(slab, i, bits, image, err) : TSR_INTERNAL;
        free(x);
        free(bits);
    }
    if (st == TSR_OK)
        st = verify_bytes(v, o->y, image, tsr_npu_slab_bytes(slab), err);
    free(image);
    return st;
}

enum tsr_status verify_quantize(struct verify *v, struct tsr_error *err)
{
    const struct tsr_npu_quantize *o = &v->op.quantize.op;
    if (v->op.quantize.slab.rows != 0)
        return v->op.quantize.slab.k == o->k ? blocks(v, o, err) : TSR_OK;
    const bool plain = v->s->o.isa->formats[o->y_format].family == TSR_FAMILY_INT;
    return plain && o->given_scale == 0 ? integers(v, o, err) : TSR_OK;
}

/* The same f32 operations, in their order. */
enum tsr_status verify_requantize(struct verify *v, struct tsr_error *err)
{
    const struct tsr_npu_requantize *o = &v->op.requantize;
    const struct tsr_format *y = &v->s->o.isa->formats[o->y_format];
    if (y->family != TSR_FAMILY_FLOAT || o->x_stride != 0)
        return TSR_OK;
    float *row = verify_read(v->s, TSR_F32, o->row, o->rows, err);
    float *column = verify_read(v->s, TSR_F32, o->column, o->cols, err);
    float *bias = o->bias != 0 ? verify_read(v->s, TSR_F32, o->bias, o->cols, err) : NULL;
    float *x = verify_read(v->s, TSR_I32, o->x, o->rows * o->cols, err);
    struct verify_rows *r =
        verify_add(v, o->y, o->y_stride, o->rows, o->cols, o->y_format, false, err);
    const bool good = row && column && x && r && (bias != NULL || o->bias == 0);
    for (uint64_t i = 0; good && i < o->rows * o->cols; i++) {
        float f = x[i] * row[i / o->cols];
        f *= column[i % o->cols];
        if (bias != NULL)
            f += bias[i % o->cols];
        uint32_t bits, code;
        memcpy(&bits, &f, sizeof bits);
        code = tsr_num_encode(y, bits, TSR_ROUND_EVEN);
        bits = tsr_num_decode_f32(y, code);
        memcpy(&r->want[i], &bits, sizeof bits);
    }
    free(row);
    free(column);
    free(bias);
    free(x);
    return good ? TSR_OK : TSR_INTERNAL;
}
