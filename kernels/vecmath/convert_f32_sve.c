/* SPDX-License-Identifier: Apache-2.0 */
/* f32 from and to bf16 and f16 for SVE at any vector length. Contract: tessera/vecmath.h.
 * One 16-bit value lies in each 32-bit lane; loads widen and stores narrow at no cost. */
#include "kernels/vecmath/vec_sve.h"

tsr_convert_fn tsr_convert_f32_bf16_sve, tsr_convert_bf16_f32_sve;
tsr_convert_fn tsr_convert_f32_f16_sve, tsr_convert_f16_f32_sve;

/* Nearest even in integers: u + 0x7FFF + bit 16 of u carries into the upper half where it should.
 * NaNs, whose carry could leave them, are made quiet instead. */
static VEC_INLINE void put_f32_bf16(svbool_t p, const void *x, void *y, size_t i)
{
    const svbool_t all = svptrue_b32();
    svuint32_t u = svld1(p, (const uint32_t *)x + i), odd = svlsr_x(all, u, 16);
    svuint32_t rounded = svadd_x(all, svadd_x(all, u, 0x7FFF), svand_x(all, odd, 1));
    svbool_t nan = svcmpuo(all, svreinterpret_f32(u), svreinterpret_f32(u));
    rounded = svsel(nan, svorr_x(all, u, 0x400000), rounded);
    svst1h(p, (uint16_t *)y + i, svlsr_x(all, rounded, 16));
}

static VEC_INLINE void put_bf16_f32(svbool_t p, const void *x, void *y, size_t i)
{
    svuint32_t u = svld1uh_u32(p, (const uint16_t *)x + i);
    svst1(p, (uint32_t *)y + i, svlsl_x(svptrue_b32(), u, 16));
}

static VEC_INLINE void put_f32_f16(svbool_t p, const void *x, void *y, size_t i)
{
    svfloat32_t v = svreinterpret_f32(svld1(p, (const uint32_t *)x + i));
    svst1h(p, (uint16_t *)y + i, svreinterpret_u32(svcvt_f16_x(svptrue_b32(), v)));
}

static VEC_INLINE void put_f16_f32(svbool_t p, const void *x, void *y, size_t i)
{
    svuint32_t u = svld1uh_u32(p, (const uint16_t *)x + i);
    svfloat32_t v = svcvt_f32_x(svptrue_b32(), svreinterpret_f16(u));
    svst1(p, (uint32_t *)y + i, svreinterpret_u32(v));
}

#define PASS(name)                                                                                 \
    static VEC_PASS void name(size_t n, const void *x, void *y)                                    \
    {                                                                                              \
        const svbool_t all = svptrue_b32();                                                        \
        const uint64_t vl = svcntw();                                                              \
        size_t i = 0;                                                                              \
        for (; n - i >= 4 * vl; i += 4 * vl) {                                                     \
            put_##name(all, x, y, i);                                                              \
            put_##name(all, x, y, i + vl);                                                         \
            put_##name(all, x, y, i + 2 * vl);                                                     \
            put_##name(all, x, y, i + 3 * vl);                                                     \
        }                                                                                          \
        for (; i < n; i += vl)                                                                     \
            put_##name(svwhilelt_b32_u64(i, n), x, y, i);                                          \
    }                                                                                              \
    void tsr_convert_##name##_sve(size_t n, const void *x, void *y)                                \
    {                                                                                              \
        name(n, x, y);                                                                             \
    }
PASS(f32_bf16)
PASS(bf16_f32)
PASS(f32_f16)
PASS(f16_f32)
