/* SPDX-License-Identifier: Apache-2.0 */
/* The scalar form of the exponential's steps, in the operations of vec_sve.h one by one. Private
 * to the references of kernels/vecmath. */
#ifndef KERNELS_VECMATH_SCALAR_H
#define KERNELS_VECMATH_SCALAR_H

#include <math.h>
#include <string.h>

#include "kernels/vecmath/vecmath.h"

/* Fractions of 2^(i / 64) in f32, nearest. */
extern const uint32_t vec_exp_table[EXP_STEPS];

static inline uint32_t vec_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float vec_float(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* FMAX and FMIN: a NaN wins. */
static inline float vec_max(float a, float b)
{
    return a > b || isnan(a) ? a : b;
}

static inline float vec_min(float a, float b)
{
    return a < b || isnan(a) ? a : b;
}

/* FEXPA of the bits of z. */
static inline float vec_fexpa(float z)
{
    uint32_t u = vec_bits(z);
    return vec_float((u >> 6 & 0xFF) << 23 | vec_exp_table[u % EXP_STEPS]);
}

/* e^r - 1. */
static inline float vec_expm1(enum tsr_exp_terms terms, float r)
{
    if (terms == TSR_EXP_ONE)
        return r;
    if (terms == TSR_EXP_TWO)
        return fmaf(r, r * 0.5f, r);
    return fmaf(r * r, fmaf(r, EXP_THIRD, 0.5f), r);
}

/* e^-(a + rest), 0 <= a <= EXP_VANISHES, rest a small correction. */
static inline float vec_exp_negative(float a, float rest)
{
    const float shift = EXP_SHIFT + EXP_BIAS;
    float z = fmaf(-a, EXP_LOG2E, shift), n = z - shift;
    float r = fmaf(-n, EXP_LN2_LO, fmaf(-n, EXP_LN2_HI, -a)) - rest, t = vec_fexpa(z);
    return fmaf(t, vec_expm1(TSR_EXP_FULL, r), t);
}

#endif
