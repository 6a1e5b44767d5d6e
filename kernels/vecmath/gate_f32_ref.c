/* SPDX-License-Identifier: Apache-2.0 */
/* Activations, alone and gated. Contract: tessera/vecmath.h; steps: gate_f32_sve.c. */
#include <float.h>

#include "kernels/vecmath/scalar.h"

tsr_gate_f32_fn tsr_gate_f32_ref;

static float sigmoid(float v)
{
    float e = vec_exp_negative(vec_min(fabsf(v), EXP_VANISHES), 0);
    return (v < 0 ? e : 1.0f) / (e + 1.0f);
}

static float phi(float x)
{
    static const float p[] = GELU_P;
    float a = vec_min(fabsf(x), GELU_VANISHES), t = 1.0f / fmaf(a, GELU_T, 1.0f);
    float square = a * a, rest = fmaf(a, a, -square), sum = p[GELU_DEGREE];
    for (int i = GELU_DEGREE - 1; i >= 0; i--)
        sum = fmaf(sum, t, p[i]);
    float q = vec_exp_negative(square * 0.5f, rest * 0.5f) * (sum * t);
    return x < 0 ? q : 1.0f - q;
}

static float activate(enum tsr_activation act, float alpha, float x)
{
    x = vec_max(x, -FLT_MAX); /* -infinity times 0 */
    if (act == TSR_ACT_GELU)
        return x * phi(x);
    float v = act == TSR_ACT_GELU_TANH      ? x * fmaf(x * x, GELU_CUBIC, GELU_LINEAR)
              : act == TSR_ACT_SWIGLU_CLAMP ? x * alpha
                                            : x;
    return x * sigmoid(v);
}

void tsr_gate_f32_ref(enum tsr_activation act, float limit, float alpha, size_t n, const float *x,
                      const float *up, float *y)
{
    for (size_t i = 0; i < n; i++) {
        if (act == TSR_ACT_SWIGLU_CLAMP) {
            float u = vec_max(vec_min(up[i], limit), -limit);
            y[i] = activate(act, alpha, vec_min(x[i], limit)) * (u + 1.0f);
        } else {
            float a = activate(act, alpha, x[i]);
            y[i] = up != NULL ? a * up[i] : a;
        }
    }
}
