/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of f32 products whose order is fixed, so that every compiler and host gives the same bits,
 * and wide enough to become vector code. */
#ifndef SIM_INFER_DOT_H
#define SIM_INFER_DOT_H

#include <stddef.h>

/* Sum of a[i] * b[i].
 * Numerics: element i goes into lane i mod 16, in order of i; a product and a sum, each rounded in
 * f32; then lane l + lane l + 8, + 4, + 2, + 1. So |error| <= (n / 16 + 6) 2^-24 sum of |a b|,
 * while nothing overflows. n = 0 gives +0. */
float infer_dot(size_t n, const float *a, const float *b);

/* y[i] += p * x[i], a product and a sum, each rounded. */
void infer_axpy(size_t n, float p, const float *x, float *y);

#endif
