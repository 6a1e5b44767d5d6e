/* SPDX-License-Identifier: Apache-2.0 */
/* f32 to bf16 by BFCVT at any vector length. Contract: tessera/vecmath.h. */
#include "kernels/vecmath/vec_sve.h"

tsr_convert_fn tsr_convert_f32_bf16_bf16;

static VEC_INLINE void put(svbool_t p, const void *x, void *y, size_t i)
{
    svfloat32_t v = svreinterpret_f32(svld1(p, (const uint32_t *)x + i));
    svuint16_t h = svreinterpret_u16(svcvt_bf16_x(svptrue_b32(), v));
    svst1h(p, (uint16_t *)y + i, svreinterpret_u32(h));
}

static VEC_PASS void f32_bf16(size_t n, const void *x, void *y)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    size_t i = 0;
    for (; n - i >= 4 * vl; i += 4 * vl) {
        put(all, x, y, i);
        put(all, x, y, i + vl);
        put(all, x, y, i + 2 * vl);
        put(all, x, y, i + 3 * vl);
    }
    for (; i < n; i += vl)
        put(svwhilelt_b32_u64(i, n), x, y, i);
}

void tsr_convert_f32_bf16_bf16(size_t n, const void *x, void *y)
{
    f32_bf16(n, x, y);
}
