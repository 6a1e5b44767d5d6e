/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <math.h>

#include "kernels/ref.h"

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double activate(enum tsr_activation act, double x)
{
    if (isinf(x) && x < 0)
        return -0.0; /* the limit, where the formulas give inf * 0 */
    switch (act) {
    case TSR_ACT_SILU: return x * sigmoid(x);
    case TSR_ACT_GELU: return 0.5 * x * erfc(-x * 0.7071067811865476);
    case TSR_ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case TSR_ACT_SWIGLU_CLAMP: break;
    }
    assert(!"an activation of one argument");
    return 0;
}

/* min and max that keep a NaN of x, unlike fmin and fmax. */
static double at_most(double x, double limit)
{
    return x > limit ? limit : x;
}

static double at_least(double x, double limit)
{
    return x < limit ? limit : x;
}

void tsr_activation_ref(enum tsr_activation act, size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (float)activate(act, x[i]);
}

void tsr_gate_ref(enum tsr_activation act, double limit, double alpha, size_t n, const float *gate,
                  const float *up, float *y)
{
    for (size_t i = 0; i < n; i++) {
        if (act != TSR_ACT_SWIGLU_CLAMP) {
            y[i] = (float)(activate(act, gate[i]) * up[i]);
            continue;
        }
        double g = at_most(gate[i], limit), u = at_least(at_most(up[i], limit), -limit);
        double s = isinf(g) ? -0.0 : g * sigmoid(alpha * g); /* only -infinity is left */
        y[i] = (float)(s * (u + 1));
    }
}
