/* SPDX-License-Identifier: Apache-2.0 */
/* What the variants of vector math share: constants, and the sum of lanes. Private to
 * kernels/vecmath. Contracts: tessera/vecmath.h. */
#ifndef KERNELS_VECMATH_VECMATH_H
#define KERNELS_VECMATH_VECMATH_H

#include <stdbool.h>

#include "kernels/cpu/variants.h"

enum {
    VEC_LANES = 32, /* of every sum */
    VEC_UNROLL = 8, /* vectors of a round of a sum */
    EXP_BIAS = 127, /* FEXPA takes bits 13..6 as an exponent field, 5..0 as i of 2^(i / 64) */
    EXP_STEPS = 64, /* values of the table */
    GELU_DEGREE = 9,
};

/* z = x log2(e) + SHIFT + bias has the ULP 2^-6, so that its low bits are FEXPA's operand. */
#define EXP_SHIFT 0x1.8p17f
#define EXP_LOG2E 0x1.715476p0f
#define EXP_LN2_HI 0x1.62e43p-1f /* ln 2 rounded to f32: x - n LN2_HI is then exact */
#define EXP_LN2_LO -0x1.05c61p-29f
#define EXP_THIRD 0x1.555556p-3f /* 1 / 6 */
#define EXP_FAST 87.0f           /* up to this |x| results and exponents are normal */
#define EXP_LOWEST -104.0f       /* e^x rounds to 0 */
#define EXP_HIGHEST 89.0f        /* to infinity */

/* Largest a whose n is 127: e^-a, 2^-127 as a field of 0, is +0 from there on. */
#define EXP_VANISHES 88.0297f

/* |max| up to which softmax folds -max log2(e) into the scores' scaling: its rounding, up to
 * 2^-8, is then a factor near 1 that numerator and denominator share. */
#define SOFTMAX_NEAR 65536.0f

/* Norms whose mean square + eps lies outside of these are computed in double: no square in f32
 * overflows or loses bits inside of them. */
#define NORM_LEAST 0x1p-80
#define NORM_MOST 0x1p120

/* Phi(-a) = e^(-a^2 / 2) t P(t), t = 1 / (1 + 0.3 a): P is fitted to it at the Chebyshev points of
 * a in 0..15, in relative terms; largest relative error 2^-27.7. Lowest degree first. */
#define GELU_T 0.3f
#define GELU_VANISHES 13.2687f /* a^2 / 2 is EXP_VANISHES */
#define GELU_P                                                                                     \
    {                                                                                              \
        0x1.ea3db4p-4f, 0x1.e9ad62p-4f, 0x1.c44b1ep-4f, 0x1.3d61b8p-4f, 0x1.94cfa6p-4f,            \
            -0x1.5a090cp-4f, 0x1.9557f2p-3f, -0x1.dcd8dap-3f, 0x1.d4975p-4f, -0x1.57d016p-6f       \
    }

/* tanh(v) + 1 = 2 sigmoid(2 v), v = sqrt(2 / pi) (x + 0.044715 x^3). */
#define GELU_LINEAR 0x1.988454p0f /* 2 sqrt(2 / pi) */
#define GELU_CUBIC 0x1.2444f2p-4f /* 0.044715 of it */

/* The sum of 32 lanes: upper half onto lower half, until one is left. */
static inline float vec_fold(float lane[VEC_LANES])
{
    for (int half = VEC_LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

#endif
