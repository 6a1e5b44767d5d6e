/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/suite/quantized.h"

#include <math.h>
#include <string.h>

#include "isa/num/quant.h"

void quantized_fill(struct suite *s, const struct tsr_format *f, uint32_t *x, size_t n)
{
    float *values = (float *)x; /* f32 bits are what tsr_num_quantize takes */
    suite_fill(s, f, SUITE_UNIT, values, n);
    for (size_t at = 0; at < n; at += 16) {
        uint64_t kind = suite_random_below(s, 16), one = at + suite_random_below(s, 16);
        int e = (int)suite_random_below(s, 250) - 125;
        for (size_t i = at; i < n && i < at + 16; i++) {
            if (kind < 4)
                values[i] = ldexpf(values[i], e);
            else if (kind == 4)
                x[i] &= 0x80000000;
            else if (kind == 5)
                x[i] = (x[i] & 0x80000000) | (uint32_t)suite_random_below(s, 64) << 16;
            else if (kind == 6)
                values[i] = ldexpf(values[i], -(int)suite_random_below(s, 40));
        }
        if (one < n && kind >= 14)
            x[one] = kind == 14 ? TSR_NUM_NAN : (x[one] & 0x80000000) | TSR_NUM_INF;
        if (one < n && kind == 13)
            x[one] = (x[one] & 0x80000000) | (f->code == TSR_F16 ? 0x477FE000 : 0x7F7F0000);
    }
    for (size_t i = 0; i < n; i++)
        x[i] = tsr_num_decode_f32(f, tsr_num_encode(f, x[i], TSR_ROUND_EVEN));
}

enum tsr_status quantized_new(struct suite *s, struct quantized *p, size_t bytes,
                              struct tsr_error *err)
{
    p->bytes = bytes;
    p->want = suite_alloc(s, bytes, err);
    p->got = suite_alloc(s, bytes, err);
    if (!p->want || !p->got)
        return TSR_INTERNAL;
    return suite_place_bytes(s, SUITE_OUT, NULL, bytes, &p->address, err);
}

enum tsr_status quantized_check(struct suite *s, struct quantized *p, const char *what,
                                struct tsr_error *err)
{
    enum tsr_status st = suite_read_bytes(s, p->address, p->got, p->bytes, err);
    for (size_t i = 0; !st && i < p->bytes; i++)
        if (p->got[i] != p->want[i]) {
            suite_fail(s, "%s byte %zu of %zu: got 0x%02x, want 0x%02x", what, i, p->bytes,
                       p->got[i], p->want[i]);
            break;
        }
    return st;
}

/* Padding beyond a row's last block holds zero bytes in the plan's image, a block of zeros here:
 * the same but for q4_0, whose zero is 8. */
static void pad_like_kernel(const struct tsr_npu_slab *l, uint8_t *image)
{
    uint64_t blocks = (l->k + l->format->block - 1) / l->format->block;
    uint64_t end = blocks * l->format->block; /* elements */
    if (l->format->code != TSR_Q4_0)
        return;
    for (uint64_t slab = 0; slab < l->slabs; slab++)
        for (uint64_t row = 0; row < l->rows; row++)
            for (uint64_t i = 0; i < l->ks; i += 2)
                if (slab * l->ks + i >= end)
                    image[tsr_npu_slab_offset(l, row, slab) + i / 2] = 0x88;
}

enum tsr_status quantized_place(struct suite *s, struct quantized_blocks *b, uint64_t rows,
                                uint64_t k, struct tsr_error *err)
{
    struct tsr_num_quant q = {.format = b->format};
    size_t whole = (size_t)((k + b->format->block - 1) / b->format->block * b->format->block);
    b->rows = rows;
    b->k = k;
    if (b->planes) {
        enum tsr_status st =
            quantized_new(s, &b->part[0], rows * tsr_num_element_bytes(&q, whole), err);
        return st ? st : quantized_new(s, &b->part[1], rows * tsr_num_scale_bytes(&q, whole), err);
    }
    enum tsr_dtype own = b->format->code, partner = b->partner ? b->partner : own;
    enum tsr_status st = tsr_npu_slab_plan(s->isa, s->chip, own, partner, rows, k, &b->slab, err);
    return st ? st : quantized_new(s, &b->part[0], tsr_npu_slab_bytes(&b->slab), err);
}

enum tsr_status quantized_want(struct suite *s, struct quantized_blocks *b, const uint32_t *x,
                               struct tsr_error *err)
{
    struct tsr_num_quant q = {.format = b->format};
    float tensor = (float)b->tensor_scale;
    memcpy(&q.tensor_scale, &tensor, 4);
    size_t k = (size_t)b->k, whole = (k + b->format->block - 1) / b->format->block;
    whole *= b->format->block;
    size_t elements = tsr_num_element_bytes(&q, whole), scales = tsr_num_scale_bytes(&q, whole);
    uint32_t *row = suite_alloc(s, 4 * whole, err);
    enum tsr_status st = row ? TSR_OK : TSR_INTERNAL;
    for (size_t r = 0; !st && b->planes && r < b->rows; r++) {
        memcpy(row, x + r * k, 4 * k);
        st = tsr_num_quantize(&q, row, whole, b->part[0].want + r * elements,
                              b->part[1].want + r * scales, err);
    }
    for (size_t r = 0; !st && !b->planes && r < b->rows; r++)
        st = tsr_npu_slab_pack(&b->slab, r, x + r * k, b->part[0].want, err);
    if (!st && !b->planes)
        pad_like_kernel(&b->slab, b->part[0].want);
    return st;
}

enum tsr_status quantized_blocks_check(struct suite *s, struct quantized_blocks *b,
                                       struct tsr_error *err)
{
    enum tsr_status st = quantized_check(s, &b->part[0], b->planes ? "element" : "unit", err);
    return st || !b->planes ? st : quantized_check(s, &b->part[1], "scale", err);
}
