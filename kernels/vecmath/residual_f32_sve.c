/* SPDX-License-Identifier: Apache-2.0 */
/* Sum of two vectors for SVE at any vector length. Contract: tessera/vecmath.h. */
#include "kernels/vecmath/vec_sve.h"

tsr_residual_f32_fn tsr_residual_f32_sve;

static VEC_INLINE void put(svbool_t p, const float *a, const float *b, float *y)
{
    svst1(p, y, svadd_x(svptrue_b32(), svld1(p, a), svld1(p, b)));
}

static VEC_PASS void residual_add(size_t n, const float *a, const float *b, float *y)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    size_t i = 0;
    for (; n - i >= 4 * vl; i += 4 * vl) {
        put(all, a + i, b + i, y + i);
        put(all, a + i + vl, b + i + vl, y + i + vl);
        put(all, a + i + 2 * vl, b + i + 2 * vl, y + i + 2 * vl);
        put(all, a + i + 3 * vl, b + i + 3 * vl, y + i + 3 * vl);
    }
    for (; i < n; i += vl)
        put(svwhilelt_b32_u64(i, n), a + i, b + i, y + i);
}

void tsr_residual_f32_sve(size_t n, const float *a, const float *b, float *y)
{
    residual_add(n, a, b, y);
}
