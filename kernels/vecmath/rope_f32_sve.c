/* SPDX-License-Identifier: Apache-2.0 */
/* RoPE of one token for SVE at any vector length. Contract: tessera/vecmath.h. */
#include "kernels/vecmath/vec_sve.h"

tsr_rope_f32_fn tsr_rope_f32_sve;

/* a cos - b sin. */
static VEC_INLINE svfloat32_t first(svfloat32_t a, svfloat32_t b, svfloat32_t c, svfloat32_t s)
{
    const svbool_t all = svptrue_b32();
    return svnmsb_x(all, a, c, svmul_x(all, b, s));
}

/* b cos + a sin. */
static VEC_INLINE svfloat32_t second(svfloat32_t a, svfloat32_t b, svfloat32_t c, svfloat32_t s)
{
    const svbool_t all = svptrue_b32();
    return svmad_x(all, b, c, svmul_x(all, a, s));
}

static VEC_INLINE void put_halves(svbool_t p, size_t half, const float *cosine, const float *sine,
                                  const float *x, float *y)
{
    svfloat32_t a = svld1(p, x), b = svld1(p, x + half), c = svld1(p, cosine), s = svld1(p, sine);
    svst1(p, y, first(a, b, c, s));
    svst1(p, y + half, second(a, b, c, s));
}

static VEC_PASS void rope_halves(size_t half, const float *cosine, const float *sine,
                                 const float *x, float *y)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    size_t i = 0;
    for (; half - i >= 2 * vl; i += 2 * vl) {
        put_halves(all, half, cosine + i, sine + i, x + i, y + i);
        put_halves(all, half, cosine + i + vl, sine + i + vl, x + i + vl, y + i + vl);
    }
    for (; i < half; i += vl)
        put_halves(svwhilelt_b32_u64(i, half), half, cosine + i, sine + i, x + i, y + i);
}

static VEC_INLINE void put_neighbors(svbool_t p, const float *cosine, const float *sine,
                                     const float *x, float *y)
{
    svfloat32x2_t ab = svld2(p, x);
    svfloat32_t a = svget2(ab, 0), b = svget2(ab, 1), c = svld1(p, cosine), s = svld1(p, sine);
    svst2(p, y, svcreate2(first(a, b, c, s), second(a, b, c, s)));
}

static VEC_PASS void rope_neighbors(size_t half, const float *cosine, const float *sine,
                                    const float *x, float *y)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    size_t i = 0;
    for (; half - i >= 2 * vl; i += 2 * vl) {
        put_neighbors(all, cosine + i, sine + i, x + 2 * i, y + 2 * i);
        put_neighbors(all, cosine + i + vl, sine + i + vl, x + 2 * (i + vl), y + 2 * (i + vl));
    }
    for (; i < half; i += vl)
        put_neighbors(svwhilelt_b32_u64(i, half), cosine + i, sine + i, x + 2 * i, y + 2 * i);
}

void tsr_rope_f32_sve(enum tsr_rope_pairs pairs, size_t heads, size_t head_dim, const float *cosine,
                      const float *sine, const float *x, float *y)
{
    for (size_t h = 0; h < heads; h++, x += head_dim, y += head_dim)
        (pairs == TSR_ROPE_HALVES ? rope_halves : rope_neighbors)(head_dim / 2, cosine, sine, x, y);
}
