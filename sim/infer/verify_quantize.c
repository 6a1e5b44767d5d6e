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

/* Codes of each row, and its scale. */
static enum tsr_status integers(struct verify *v, const struct tsr_npu_quantize *o,
                                struct tsr_error *err)
{
    const struct tsr_isa *isa = v->s->o.isa;
    struct tsr_num_quant q;
    memset(&q, 0, sizeof q);
    q.format = &isa->formats[o->y_format];
    q.scale_format = &isa->formats[TSR_F32];
    const size_t bytes = tsr_num_element_bytes(&q, o->k);
    uint8_t *codes = malloc(o->rows * bytes);
    uint32_t *bits = malloc(o->k * sizeof *bits);
    float *scales = malloc(o->rows * sizeof *scales);
    enum tsr_status st = codes && bits && scales ? TSR_OK : TSR_INTERNAL;
    for (uint64_t i = 0; i < o->rows && st == TSR_OK; i++) {
        const uint64_t row = o->k * isa->formats[o->x_format].bits / 8;
        float *x = verify_read(v->s, o->x_format, o->x + i * (o->x_stride != 0 ? o->x_stride : row),
                               o->k, err);
        if (x != NULL)
            memcpy(bits, x, o->k * sizeof *bits);
        st = x != NULL ? tsr_num_quantize(&q, bits, o->k, codes + i * bytes, &scales[i], err)
                       : TSR_INTERNAL;
        free(x);
    }
    if (st == TSR_OK)
        st = verify_bytes(v, o->y, codes, o->rows * bytes, err);
    struct verify_rows *r =
        st == TSR_OK ? verify_add(v, o->scales, 0, 1, o->rows, TSR_F32, false, err) : NULL;
    if (r != NULL)
        memcpy(r->want, scales, o->rows * sizeof *scales);
    free(codes);
    free(bits);
    free(scales);
    return r != NULL ? TSR_OK : TSR_INTERNAL;
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
    return plain && o->given_scale == 0 && o->group == 0 && o->scale_format == TSR_F32
               ? integers(v, o, err)
               : TSR_OK;
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
