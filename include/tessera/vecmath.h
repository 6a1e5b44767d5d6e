/* SPDX-License-Identifier: Apache-2.0 */
/* Vector math on the host's processor: exponentials, softmax, norms, activations, RoPE, residual
 * sums, conversions.
 *
 * Common to all. u = 2^-24. Shapes: row-major, distances of rows in elements; any size may be 0.
 * Bits: every function is a fixed sequence of f32 operations, sums run in 32 lanes (element i into
 * lane i mod 32, in order of i) that are then folded in halves; so every variant gives the same
 * bits at every vector length and on every processor, NaN payloads aside (SLEEF's exp apart).
 * NaN: a NaN among what a result depends on makes it NaN. Alignment: that of the element.
 * Aliasing: an output is exactly an input, or overlaps none. Errors: none; a bad caller is an
 * assertion. Threads: any number at once on different outputs. Allocates nothing. */
#ifndef TESSERA_VECMATH_H
#define TESSERA_VECMATH_H

#include <stddef.h>
#include <stdint.h>

#include "tessera/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Terms of the polynomial after the table of 2^(i / 64), of exp(r) - 1 with |r| <= ln 2 / 128. */
enum tsr_exp_terms {
    TSR_EXP_ONE,  /* r: for results that are rounded to bf16 */
    TSR_EXP_TWO,  /* r + r^2 / 2 */
    TSR_EXP_FULL, /* r + r^2 / 2 + r^3 / 6, ln 2 in two pieces */
};

/* y[i] = e^x[i]; subnormal results and both infinities included.
 * Numerics: largest error over all f32 whose result is a normal number, measured on each of them
 *   against double precision: full 1.004 ULP; two terms 5.33 ULP (1.41 for |x| <= 1: the rest is
 *   ln 2 as one f32, which costs |x| / 88 of 4 ULP); one term 1.51e-5 of the result. Subnormal
 *   results are rounded once more. The variant sleef (tsr_kernel_use; where the library was built
 *   with it): within 1 ULP, other bits.
 * Source: Arm ARM, FEXPA, for the table. */
void tsr_exp_f32(enum tsr_exp_terms terms, size_t n, const float *x, float *y);

/* y = exp(x - max) / sum of exp(x - max) for each row.
 * -infinity gives 0, a row of nothing but -infinity zeros; +infinity or a NaN makes the row NaN.
 * terms: ONE or TWO (FULL is TWO). Shapes: x, y rows x n.
 * Numerics: with d = x - max and e = |d| + 5, the error is at most u y (e[i] + sum of y e + n / 32
 *   + 9) + 2^-125, for ONE besides 1.5e-5 y. */
void tsr_softmax_f32(enum tsr_exp_terms terms, size_t rows, size_t n, const float *x,
                     size_t x_stride, float *y, size_t y_stride);

/* y = x w / sqrt(mean of x^2 + eps) for each row. w: n of them, or null for ones. eps > 0 or 0.
 * Shapes: x, y rows x n. Per-head norms: rows = tokens * heads.
 * Numerics: relative error at most u (n / 64 + 6); rows whose sum of squares leaves the range of
 *   f32 are computed in double. Source: arXiv 1910.07467. */
void tsr_rmsnorm_f32(size_t rows, size_t n, double eps, const float *x, size_t x_stride,
                     const float *w, float *y, size_t y_stride);

/* y = (x - mean) / sqrt(variance + eps) w + b for each row; variance = mean of (x - mean)^2.
 * w, b: n of them, or null for ones and zeros. Shapes: x, y rows x n.
 * Numerics: a first mean M, then the mean and variance of x - M; with D = largest |x - M|,
 *   R = |M - mean| <= u (n / 32 + 6) mean of |x|, and s = sqrt(variance + eps): |error| <=
 *   u |w| (n / 32 + 8) (|x - mean| (1 + R^2 / s^2) + D) / s + u |y|: D / s is the price of an
 *   outlier. Rows out of range: as above. Source: arXiv 1607.06450. */
void tsr_layernorm_f32(size_t rows, size_t n, double eps, const float *x, size_t x_stride,
                       const float *w, const float *b, float *y, size_t y_stride);

/* y = act(x), act one of SILU x / (1 + e^-x), GELU x Phi(x), GELU_TANH x / (1 + e^-2v) with
 * v = sqrt(2 / pi) (x + 0.044715 x^3). -infinity gives -0, +infinity itself.
 * Numerics: relative error at most SILU 5.5 u; GELU 16 u; GELU_TANH 5.5 u + 4 u |2 v| (1 -
 *   sigmoid(2 v)), the rounding of v; measured on every 61st f32: 4.5 u, 7.8 u. Results below
 *   2^-119 in magnitude may be 0. Source of the tanh form: arXiv 1606.08415. */
void tsr_activation_f32(enum tsr_activation act, size_t n, const float *x, float *y);

/* y = act(gate) up; SWIGLU_CLAMP as enum tsr_activation says, with limit and alpha rounded to f32
 * (else ignored): g sigmoid(fl(alpha g)) fl(u + 1).
 * Numerics: as above with 1.1 u more; SWIGLU_CLAMP 9 u + 2 u |alpha g| (1 - sigmoid(alpha g)).
 * y may be gate or up. */
void tsr_gate_f32(enum tsr_activation act, double limit, double alpha, size_t n, const float *gate,
                  const float *up, float *y);

/* How the pairs (a, b) of RoPE lie in a head. */
enum tsr_rope_pairs {
    TSR_ROPE_HALVES,    /* (i, i + head_dim / 2): HF files */
    TSR_ROPE_NEIGHBORS, /* (2i, 2i + 1): GGUF llama, llama2.c */
};

/* (a, b) -> (a cos - b sin, b cos + a sin) for each pair of each head of each token.
 * Shapes: x, y tokens rows of heads x head_dim; cosine, sine tokens x head_dim / 2, dense.
 * Numerics: one product rounded, one fused: |error| <= u (|a sin| + |y|) and likewise.
 * head_dim is even. Source: arXiv 2104.09864. */
void tsr_rope_f32(enum tsr_rope_pairs pairs, size_t tokens, size_t heads, size_t head_dim,
                  const float *cosine, const float *sine, const float *x, size_t x_stride, float *y,
                  size_t y_stride);

/* y = a + b, rounded once. y may be a or b. */
void tsr_residual_f32(size_t n, const float *a, const float *b, float *y);

/* Conversions: to nearest, ties to even, subnormals kept, overflow to infinity; widening is exact.
 * A NaN stays a NaN of its sign and leading bits, made quiet but by bf16 to f32, which copies the
 * bits. x and y do not overlap. */
void tsr_convert_f32_bf16(size_t n, const float *x, uint16_t *y);
void tsr_convert_bf16_f32(size_t n, const uint16_t *x, float *y);
void tsr_convert_f32_f16(size_t n, const float *x, uint16_t *y);
void tsr_convert_f16_f32(size_t n, const uint16_t *x, float *y);

#ifdef __cplusplus
}
#endif
#endif
