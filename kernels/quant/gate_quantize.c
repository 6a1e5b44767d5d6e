/* SPDX-License-Identifier: Apache-2.0 */
/* Gated activations whose rows leave as codes. */
#include "kernels/quant/quant.h"
#include "tessera/vecmath.h"

struct gate {
    struct tsr_gate act;
    bool bf16;
    const void *gate, *up; /* the row */
};

static void values(const void *self, size_t at, size_t n, float *y)
{
    const struct gate *r = self;
    const float *gate = y, *up;
    float wide[QUANT_CHUNK];
    if (r->bf16) {
        tsr_convert_bf16_f32(n, (const uint16_t *)r->gate + at, y);
        tsr_convert_bf16_f32(n, (const uint16_t *)r->up + at, wide);
        up = wide;
    } else {
        gate = (const float *)r->gate + at;
        up = (const float *)r->up + at;
    }
    tsr_gate_f32(r->act.act, r->act.limit, r->act.alpha, n, gate, up, y);
}

static enum tsr_status gate_quantize(const struct tsr_quant *q, struct gate r, size_t gate_stride,
                                     size_t up_stride, void *elements, void *scales,
                                     struct tsr_error *err)
{
    const char *gate = r.gate, *up = r.up;
    const size_t size = r.bf16 ? 2 : 4;
    enum tsr_status st = tsr_quant_check(q, gate_stride < up_stride ? gate_stride : up_stride, err);
    if (st != TSR_OK)
        return st;
    for (size_t i = 0; i < q->rows; i++) {
        r.gate = gate + i * gate_stride * size;
        r.up = up + i * up_stride * size;
        quant_row_from(q, (struct quant_source){values, &r},
                       (uint8_t *)elements + i * q->element_stride,
                       scales != NULL ? (uint8_t *)scales + i * q->scale_stride : NULL);
    }
    return TSR_OK;
}

enum tsr_status tsr_gate_quantize_f32(const struct tsr_quant *q, struct tsr_gate act,
                                      const float *gate, size_t gate_stride, const float *up,
                                      size_t up_stride, void *elements, void *scales,
                                      struct tsr_error *err)
{
    return gate_quantize(q, (struct gate){act, false, gate, up}, gate_stride, up_stride, elements,
                         scales, err);
}

enum tsr_status tsr_gate_quantize_bf16(const struct tsr_quant *q, struct tsr_gate act,
                                       const uint16_t *gate, size_t gate_stride, const uint16_t *up,
                                       size_t up_stride, void *elements, void *scales,
                                       struct tsr_error *err)
{
    return gate_quantize(q, (struct gate){act, true, gate, up}, gate_stride, up_stride, elements,
                         scales, err);
}
