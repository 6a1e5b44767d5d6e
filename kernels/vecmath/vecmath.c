/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions: rows handed to the chosen variant. */
#include "tessera/vecmath.h"

#include <assert.h>

#include "kernels/cpu/variants.h"

#define CHOSEN(op) ((tsr_##op##_fn *)tsr_variant_chosen(TSR_OP_##op)->function)

void tsr_exp_f32(enum tsr_exp_terms terms, size_t n, const float *x, float *y)
{
    CHOSEN(exp_f32)(terms, n, x, y);
}

void tsr_softmax_f32(enum tsr_exp_terms terms, size_t rows, size_t n, const float *x,
                     size_t x_stride, float *y, size_t y_stride)
{
    tsr_softmax_f32_fn *fn = CHOSEN(softmax_f32);
    assert(rows < 2 || (x_stride >= n && y_stride >= n));
    for (size_t i = 0; i < rows; i++)
        fn(terms, n, x + i * x_stride, y + i * y_stride);
}

void tsr_rmsnorm_f32(size_t rows, size_t n, double eps, const float *x, size_t x_stride,
                     const float *w, float *y, size_t y_stride)
{
    tsr_rmsnorm_f32_fn *fn = CHOSEN(rmsnorm_f32);
    assert(rows < 2 || (x_stride >= n && y_stride >= n));
    for (size_t i = 0; i < rows; i++)
        fn(n, eps, x + i * x_stride, w, y + i * y_stride);
}

void tsr_layernorm_f32(size_t rows, size_t n, double eps, const float *x, size_t x_stride,
                       const float *w, const float *b, float *y, size_t y_stride)
{
    tsr_layernorm_f32_fn *fn = CHOSEN(layernorm_f32);
    assert(rows < 2 || (x_stride >= n && y_stride >= n));
    for (size_t i = 0; i < rows; i++)
        fn(n, eps, x + i * x_stride, w, b, y + i * y_stride);
}

void tsr_activation_f32(enum tsr_activation act, size_t n, const float *x, float *y)
{
    assert(act != TSR_ACT_SWIGLU_CLAMP);
    CHOSEN(gate_f32)(act, 0, 1, n, x, NULL, y);
}

void tsr_gate_f32(enum tsr_activation act, double limit, double alpha, size_t n, const float *gate,
                  const float *up, float *y)
{
    assert(up != NULL || n == 0);
    CHOSEN(gate_f32)(act, (float)limit, (float)alpha, n, gate, up, y);
}

void tsr_rope_f32(enum tsr_rope_pairs pairs, size_t tokens, size_t heads, size_t head_dim,
                  const float *cosine, const float *sine, const float *x, size_t x_stride, float *y,
                  size_t y_stride)
{
    tsr_rope_f32_fn *fn = CHOSEN(rope_f32);
    const size_t n = heads * head_dim;
    assert(head_dim % 2 == 0 && (tokens < 2 || (x_stride >= n && y_stride >= n)));
    for (size_t t = 0; t < tokens; t++)
        fn(pairs, heads, head_dim, cosine + t * (head_dim / 2), sine + t * (head_dim / 2),
           x + t * x_stride, y + t * y_stride);
}

void tsr_residual_f32(size_t n, const float *a, const float *b, float *y)
{
    CHOSEN(residual_f32)(n, a, b, y);
}

void tsr_convert_f32_bf16(size_t n, const float *x, uint16_t *y)
{
    CHOSEN(convert_f32_bf16)(n, x, y);
}

void tsr_convert_bf16_f32(size_t n, const uint16_t *x, float *y)
{
    CHOSEN(convert_bf16_f32)(n, x, y);
}

void tsr_convert_f32_f16(size_t n, const float *x, uint16_t *y)
{
    CHOSEN(convert_f32_f16)(n, x, y);
}

void tsr_convert_f16_f32(size_t n, const uint16_t *x, float *y)
{
    CHOSEN(convert_f16_f32)(n, x, y);
}
