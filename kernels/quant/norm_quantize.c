/* SPDX-License-Identifier: Apache-2.0 */
/* RMSNorm whose rows leave as codes: one pass over the row for its factor, one for the values. */
#include "kernels/quant/quant.h"
#include "kernels/vecmath/norm.h"
#include "tessera/vecmath.h"

struct norm {
    tsr_rms_scale_f32_fn *scale;
    bool bf16;
    const void *x; /* the row */
    const float *w;
    bool in_range; /* else in double, by root */
    float factor;
    double root;
};

/* n elements from `at` on, where they lie or widened to `y`. */
static const float *load(const struct norm *r, size_t at, size_t n, float *y)
{
    if (!r->bf16)
        return (const float *)r->x + at;
    tsr_convert_bf16_f32(n, (const uint16_t *)r->x + at, y);
    return y;
}

static void values(const void *self, size_t at, size_t n, float *y)
{
    const struct norm *r = self;
    const float *x = load(r, at, n, y), *w = r->w != NULL ? r->w + at : NULL;
    if (r->in_range)
        r->scale(n, r->factor, x, w, y);
    else
        tsr_rms_scale_ref(n, r->root, x, w, y);
}

static size_t piece(size_t n, size_t at)
{
    return n - at < QUANT_CHUNK ? n - at : QUANT_CHUNK;
}

static void find_factor(struct norm *r, size_t n, double eps)
{
    tsr_rms_squares_f32_fn *squares =
        (tsr_rms_squares_f32_fn *)tsr_variant_chosen(TSR_OP_rms_squares_f32)->function;
    float lane[VEC_LANES] = {0}, y[QUANT_CHUNK];
    double sum = 0;
    for (size_t at = 0; at < n; at += QUANT_CHUNK)
        squares(piece(n, at), load(r, at, piece(n, at), y), lane);
    r->in_range = norm_factor(n, vec_fold(lane), eps, &r->factor);
    for (size_t at = 0; !r->in_range && at < n; at += QUANT_CHUNK)
        sum = tsr_squares_ref(piece(n, at), load(r, at, piece(n, at), y), sum);
    r->root = sqrt(sum / (double)n + eps);
}

static enum tsr_status norm_quantize(const struct tsr_quant *q, double eps, bool bf16,
                                     const void *x, size_t stride, const float *w, void *elements,
                                     void *scales, struct tsr_error *err)
{
    enum tsr_status st = tsr_quant_check(q, stride, err);
    if (st != TSR_OK)
        return st;
    struct norm r = {.scale =
                         (tsr_rms_scale_f32_fn *)tsr_variant_chosen(TSR_OP_rms_scale_f32)->function,
                     .bf16 = bf16,
                     .w = w};
    for (size_t i = 0; i < q->rows; i++) {
        r.x = (const char *)x + i * stride * (bf16 ? 2 : 4);
        find_factor(&r, q->cols, eps);
        quant_row_from(q, (struct quant_source){values, &r},
                       (uint8_t *)elements + i * q->element_stride,
                       scales != NULL ? (uint8_t *)scales + i * q->scale_stride : NULL);
    }
    return TSR_OK;
}

enum tsr_status tsr_rmsnorm_quantize_f32(const struct tsr_quant *q, double eps, const float *x,
                                         size_t x_stride, const float *w, void *elements,
                                         void *scales, struct tsr_error *err)
{
    return norm_quantize(q, eps, false, x, x_stride, w, elements, scales, err);
}

enum tsr_status tsr_rmsnorm_quantize_bf16(const struct tsr_quant *q, double eps, const uint16_t *x,
                                          size_t x_stride, const float *w, void *elements,
                                          void *scales, struct tsr_error *err)
{
    return norm_quantize(q, eps, true, x, x_stride, w, elements, scales, err);
}
