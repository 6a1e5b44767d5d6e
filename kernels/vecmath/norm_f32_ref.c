/* SPDX-License-Identifier: Apache-2.0 */
/* One row of RMSNorm and of LayerNorm. Contract: tessera/vecmath.h; steps: norm_f32_sve.c. */
#include <math.h>

#include "kernels/vecmath/norm.h"

tsr_rmsnorm_f32_fn tsr_rmsnorm_f32_ref;
tsr_rms_squares_f32_fn tsr_rms_squares_f32_ref;
tsr_rms_scale_f32_fn tsr_rms_scale_f32_ref;
tsr_layernorm_f32_fn tsr_layernorm_f32_ref;

void tsr_rms_squares_f32_ref(size_t n, const float *x, float *lane)
{
    for (size_t i = 0; i < n; i++)
        lane[i % VEC_LANES] = fmaf(x[i], x[i], lane[i % VEC_LANES]);
}

void tsr_rms_scale_f32_ref(size_t n, float factor, const float *x, const float *w, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = w != NULL ? x[i] * factor * w[i] : x[i] * factor;
}

void tsr_rmsnorm_f32_ref(size_t n, double eps, const float *x, const float *w, float *y)
{
    float lane[VEC_LANES] = {0}, factor;
    tsr_rms_squares_f32_ref(n, x, lane);
    if (norm_factor(n, vec_fold(lane), eps, &factor))
        tsr_rms_scale_f32_ref(n, factor, x, w, y);
    else
        tsr_rmsnorm_ref(1, n, eps, x, w, y);
}

void tsr_layernorm_f32_ref(size_t n, double eps, const float *x, const float *w, const float *b,
                           float *y)
{
    float lane[VEC_LANES] = {0}, square[VEC_LANES] = {0};
    struct norm_mean m;
    for (size_t i = 0; i < n; i++)
        lane[i % VEC_LANES] += x[i];
    m.mean = vec_fold(lane) / (float)n;
    for (size_t i = 0; i < VEC_LANES; i++)
        lane[i] = 0;
    for (size_t i = 0; i < n; i++) {
        float d = x[i] - m.mean;
        lane[i % VEC_LANES] += d;
        square[i % VEC_LANES] = fmaf(d, d, square[i % VEC_LANES]);
    }
    if (!norm_mean(n, vec_fold(lane), vec_fold(square), eps, &m)) {
        tsr_layernorm_ref(1, n, eps, x, w, b, y);
        return;
    }
    for (size_t i = 0; i < n; i++)
        y[i] = fmaf((x[i] - m.mean - m.rest) * m.factor, w != NULL ? w[i] : 1.0f,
                    b != NULL ? b[i] : 0.0f);
}
