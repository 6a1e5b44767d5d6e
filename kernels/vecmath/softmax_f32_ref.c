/* SPDX-License-Identifier: Apache-2.0 */
/* One row of softmax. Contract: tessera/vecmath.h; steps: softmax_f32_sve.c. */
#include "kernels/vecmath/scalar.h"

tsr_softmax_f32_fn tsr_softmax_f32_ref;

/* 2^t, t at most about 0; below -126 it falls to +0. */
static float power(bool two, float t)
{
    const float bias = two ? EXP_BIAS - 1 : EXP_BIAS, shift = EXP_SHIFT + bias;
    t = vec_max(t, -bias);
    float z = t + shift, w = fmaf(t - (z - shift), EXP_LN2_HI, 1.0f);
    return vec_fexpa(z) * (two ? fmaf(w, w, 1.0f) : w);
}

void tsr_softmax_f32_ref(enum tsr_exp_terms terms, size_t n, const float *x, float *y)
{
    float max = -INFINITY, lane[VEC_LANES] = {0};
    for (size_t i = 0; i < n; i++)
        max = vec_max(x[i], max);
    if (!isfinite(max)) {
        for (size_t i = 0; i < n; i++)
            y[i] = max < 0 ? 0.0f : NAN;
        return;
    }
    if (fabsf(max) > SOFTMAX_NEAR) {
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] - max;
        x = y;
        max = 0;
    }
    const float start = -(max * EXP_LOG2E);
    for (size_t i = 0; i < n; i++) {
        y[i] = power(terms != TSR_EXP_ONE, fmaf(x[i], EXP_LOG2E, start));
        lane[i % VEC_LANES] += y[i];
    }
    const float factor = 1 / vec_fold(lane);
    for (size_t i = 0; i < n; i++)
        y[i] *= factor;
}
