/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions: arguments checked, rows handed to the chosen variant. */
#include "tessera/quant.h"

#include <assert.h>

#include "kernels/quant/quant.h"
#include "kernels/quant/quant_ref.h"

/* Formats that variants are tuned for: their operations. */
static const struct {
    enum tsr_dtype format;
    enum tsr_cpu_op quantize[2], dequantize[2]; /* of f32, of bf16 */
} tuned[] = {
#define TUNED(name, code)                                                                          \
    {code,                                                                                         \
     {TSR_OP_quantize_##name##_f32, TSR_OP_quantize_##name##_bf16},                                \
     {TSR_OP_dequantize_##name##_f32, TSR_OP_dequantize_##name##_bf16}},
    TSR_QUANT_FORMATS(TUNED)};
enum {
    TUNED_FORMATS = sizeof tuned / sizeof tuned[0]
};

static int find(enum tsr_dtype format)
{
    for (int i = 0; i < TUNED_FORMATS; i++)
        if (tuned[i].format == format)
            return i;
    return -1;
}

static enum tsr_status check(const struct tsr_quant *q, struct tsr_num_quant *how,
                             struct tsr_error *err)
{
    const struct tsr_num_quant *definition = quant_definition(q->format);
    if (definition == NULL)
        return tsr_error_set(err, TSR_USAGE,
                             "quantize: format %d has no kernel, allowed: f8e4m3 f8e5m2 i8 mx* "
                             "nvf4 q8_0 q4_0",
                             (int)q->format);
    *how = *definition;
    /* A group beyond 2^32 elements is the row. */
    how->group = q->group < UINT32_MAX ? (uint32_t)q->group : 0;
    if (how->format->family == TSR_FAMILY_FLOAT)
        return TSR_OK;
    return tsr_num_quant_check(how, q->cols, err);
}

enum tsr_status tsr_quant_row_bytes(const struct tsr_quant *q, size_t *element_bytes,
                                    size_t *scale_bytes, struct tsr_error *err)
{
    struct tsr_num_quant how;
    enum tsr_status st = check(q, &how, err);
    if (st != TSR_OK)
        return st;
    bool plain = how.format->family == TSR_FAMILY_FLOAT;
    *element_bytes = plain ? q->cols : tsr_num_element_bytes(&how, q->cols);
    *scale_bytes = plain ? 0 : tsr_num_scale_bytes(&how, q->cols);
    return TSR_OK;
}

enum tsr_status tsr_quant_check(const struct tsr_quant *q, size_t stride, struct tsr_error *err)
{
    size_t element_bytes, scale_bytes;
    enum tsr_status st = tsr_quant_row_bytes(q, &element_bytes, &scale_bytes, err);
    if (st == TSR_OK)
        assert(q->rows < 2 || (stride >= q->cols && q->element_stride >= element_bytes &&
                               (scale_bytes == 0 || q->scale_stride >= scale_bytes)));
    return st;
}

void quant_row(enum tsr_dtype format, bool bf16, size_t n, size_t group, const void *x,
               uint8_t *elements, uint8_t *scales)
{
    int t = find(format);
    if (t < 0) {
        quant_row_ref(format, bf16, n, group, x, elements, scales);
        return;
    }
    tsr_quantize_row_fn *fn =
        (tsr_quantize_row_fn *)tsr_variant_chosen(tuned[t].quantize[bf16])->function;
    fn(n, group, x, elements, scales);
}

/* `x`: f32 or, where `bf16`, bf16 bits. */
static enum tsr_status quantize(const struct tsr_quant *q, bool bf16, const void *x, size_t stride,
                                void *elements, void *scales, struct tsr_error *err)
{
    enum tsr_status st = tsr_quant_check(q, stride, err);
    if (st != TSR_OK)
        return st;
    for (size_t i = 0; i < q->rows; i++) {
        const char *row = (const char *)x + i * stride * (bf16 ? 2 : 4);
        uint8_t *e = (uint8_t *)elements + i * q->element_stride;
        uint8_t *s = scales == NULL ? NULL : (uint8_t *)scales + i * q->scale_stride;
        quant_row(q->format, bf16, q->cols, q->group, row, e, s);
    }
    return TSR_OK;
}

static enum tsr_status dequantize(const struct tsr_quant *q, bool bf16, const void *elements,
                                  const void *scales, void *y, size_t stride, struct tsr_error *err)
{
    enum tsr_status st = tsr_quant_check(q, stride, err);
    int t = find(q->format);
    if (st != TSR_OK)
        return st;
    tsr_dequantize_row_fn *fn = NULL;
    if (t >= 0)
        fn = (tsr_dequantize_row_fn *)tsr_variant_chosen(tuned[t].dequantize[bf16])->function;
    for (size_t i = 0; i < q->rows; i++) {
        char *row = (char *)y + i * stride * (bf16 ? 2 : 4);
        const uint8_t *e = (const uint8_t *)elements + i * q->element_stride;
        const uint8_t *s = scales == NULL ? NULL : (const uint8_t *)scales + i * q->scale_stride;
        if (fn != NULL)
            fn(q->cols, q->group, e, s, row);
        else
            dequant_row_ref(q->format, bf16, q->cols, q->group, e, s, row);
    }
    return TSR_OK;
}

enum tsr_status tsr_quantize_f32(const struct tsr_quant *q, const float *x, size_t x_stride,
                                 void *elements, void *scales, struct tsr_error *err)
{
    return quantize(q, false, x, x_stride, elements, scales, err);
}

enum tsr_status tsr_quantize_bf16(const struct tsr_quant *q, const uint16_t *x, size_t x_stride,
                                  void *elements, void *scales, struct tsr_error *err)
{
    return quantize(q, true, x, x_stride, elements, scales, err);
}

enum tsr_status tsr_dequantize_f32(const struct tsr_quant *q, const void *elements,
                                   const void *scales, float *y, size_t y_stride,
                                   struct tsr_error *err)
{
    return dequantize(q, false, elements, scales, y, y_stride, err);
}

enum tsr_status tsr_dequantize_bf16(const struct tsr_quant *q, const void *elements,
                                    const void *scales, uint16_t *y, size_t y_stride,
                                    struct tsr_error *err)
{
    return dequantize(q, true, elements, scales, y, y_stride, err);
}
