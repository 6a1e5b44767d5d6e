/* SPDX-License-Identifier: Apache-2.0 */
/* Exponential by SLEEF, to be asked for: within 1 ULP whatever `terms` says. Contract:
 * tessera/vecmath.h. Source: SLEEF's documentation of Sleef_expfx_u10sve. */
#include <arm_sve.h>
#include <sleef.h>

#include "kernels/vecmath/vecmath.h"

tsr_exp_f32_fn tsr_exp_f32_sleef;

void tsr_exp_f32_sleef(enum tsr_exp_terms terms, size_t n, const float *x, float *y)
{
    (void)terms;
    for (size_t i = 0; i < n; i += svcntw()) {
        svbool_t p = svwhilelt_b32_u64(i, n);
        svst1(p, y + i, Sleef_expfx_u10sve(svld1(p, x + i)));
    }
}
