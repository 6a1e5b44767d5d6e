/* SPDX-License-Identifier: Apache-2.0 */
/* Contract: tessera/vecmath.h. */
#include "kernels/vecmath/vecmath.h"

tsr_residual_f32_fn tsr_residual_f32_ref;

void tsr_residual_f32_ref(size_t n, const float *a, const float *b, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}
