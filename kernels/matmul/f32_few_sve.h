/* SPDX-License-Identifier: Apache-2.0 */
/* Few rows by f32 or f16 weights as stored: one chain in order of k, over as many panels at once as
 * hide the latency of FMLA. f16 is widened in the loop. */
#ifndef KERNELS_MATMUL_F32_FEW_SVE_H
#define KERNELS_MATMUL_F32_FEW_SVE_H

#include <arm_sve.h>

#include "kernels/matmul/packed.h"

#define F32_EACH_PANEL(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define F32_EACH_FEW(X, v) X(v, 0) X(v, 1) X(v, 2) X(v, 3) X(v, 4) X(v, 5) X(v, 6) X(v, 7)

/* Vector i of a step: f32, or f16 widened. */
static inline __attribute__((always_inline)) svfloat32_t f32_weights(bool half, const uint8_t *w,
                                                                     size_t at)
{
    const svbool_t all = svptrue_b32();
    if (!half)
        return svld1(all, (const float *)(const void *)w + at);
    const svuint32_t x = svld1uh_u32(all, (const uint16_t *)(const void *)w + at);
    return svcvt_f32_x(all, svreinterpret_f16(x));
}

/* `rows` rows (f->m, or one more) times the panels first..first + count; half, rows and count are
 * constants. A panel beyond f->last is the last one again. */
static inline __attribute__((always_inline)) void f32_panels(const bool half,
                                                             const struct tsr_few *f,
                                                             const size_t rows, const size_t count,
                                                             size_t first)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    const size_t lines = tsr_round_up(rows, 2), end = f->k * 2 * vl;
    const float *a = f->a;
#define BEGIN(v)                                                                                   \
    const struct tsr_block b##v =                                                                  \
        tsr_few_block(f, tsr_least(first + (v < count ? v : 0), f->last - 1));                     \
    const uint8_t *w##v = b##v.b;                                                                  \
    F32_EACH_FEW(ZERO, v)
#define ZERO(v, r) svfloat32_t x##v##r = svdup_f32(0), y##v##r = x##v##r;
    F32_EACH_PANEL(BEGIN)
    for (size_t at = 0; at < end; at += 2 * vl, a += lines) {
#define STEP(v)                                                                                    \
    if (v < count) {                                                                               \
        const svfloat32_t p = f32_weights(half, w##v, at), q = f32_weights(half, w##v, at + vl);   \
        F32_EACH_FEW(FMA, v)                                                                       \
    }
#define FMA(v, r)                                                                                  \
    if (r < rows) {                                                                                \
        x##v##r = svmla_x(all, x##v##r, p, svdup_f32(a[r]));                                       \
        y##v##r = svmla_x(all, y##v##r, q, svdup_f32(a[r]));                                       \
    }
        F32_EACH_PANEL(STEP)
    }
#define STORES(v)                                                                                  \
    if (v < count) {                                                                               \
        F32_EACH_FEW(STORE, v)                                                                     \
    }
#define STORE(v, r)                                                                                \
    if (r < rows && r < f->m) {                                                                    \
        float *c = b##v.c + r * b##v.ldc;                                                          \
        svst1(svwhilelt_b32_u64(0, b##v.columns), c, x##v##r);                                     \
        svst1(svwhilelt_b32_u64(vl, b##v.columns), c + vl, y##v##r);                               \
    }
    F32_EACH_PANEL(STORES)
#undef BEGIN
#undef ZERO
#undef STEP
#undef FMA
#undef STORES
#undef STORE
}

static inline __attribute__((always_inline)) void f32_few(const bool half, const struct tsr_few *f)
{
    size_t p = f->first;
    if (f->m == 1)
        for (; p < f->last; p += 6)
            f32_panels(half, f, 1, 6, p);
    else if (f->m == 2)
        for (; p < f->last; p += 4)
            f32_panels(half, f, 2, 4, p);
    else if (f->m <= 4)
        for (; p < f->last; p += 2)
            f32_panels(half, f, 4, 2, p);
    else if (f->m <= 6)
        for (; p < f->last; p++)
            f32_panels(half, f, 6, 1, p);
    else
        for (; p < f->last; p++)
            f32_panels(half, f, 8, 1, p);
}

#endif
