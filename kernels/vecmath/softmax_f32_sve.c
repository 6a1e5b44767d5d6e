/* SPDX-License-Identifier: Apache-2.0 */
/* One row of softmax for SVE at any vector length. Contract: tessera/vecmath.h.
 *
 * Three passes over a row in L1: maximum; exponentials and their sum; division by it. With
 * t = x log2(e) - max log2(e) = n + r, n a multiple of 1/64, and w = 1 + r ln 2, e^(x - max) is
 * 2^n w (one term), or 2^(n-1) (1 + w^2) = 2^n (1 + r ln 2 + (r ln 2)^2 / 2): each step of both is
 * one instruction that overwrites no constant. Vector instructions of the second pass: 9 or 10, of
 * which FEXPA counts twice. */
#include <math.h>

#include "kernels/vecmath/vec_sve.h"

tsr_softmax_f32_fn tsr_softmax_f32_sve;

static VEC_PASS float softmax_max(size_t n, const float *x)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    svfloat32_t a = svdup_f32(-INFINITY), b = a, c = a, d = a;
    size_t i = 0;
    for (; n - i >= 4 * vl; i += 4 * vl) {
        a = svmax_x(all, a, svld1(all, x + i));
        b = svmax_x(all, b, svld1(all, x + i + vl));
        c = svmax_x(all, c, svld1(all, x + i + 2 * vl));
        d = svmax_x(all, d, svld1(all, x + i + 3 * vl));
    }
    for (; i < n; i += vl) {
        svbool_t p = svwhilelt_b32_u64(i, n);
        a = svmax_m(p, a, svld1(p, x + i));
    }
    return svmaxv(all, svmax_x(all, svmax_x(all, a, b), svmax_x(all, c, d)));
}

static VEC_INLINE svfloat32_t power(bool two, svfloat32_t t)
{
    const svbool_t all = svptrue_b32();
    const float bias = two ? EXP_BIAS - 1 : EXP_BIAS;
    const svfloat32_t shift = svdup_f32(EXP_SHIFT + bias), one = svdup_f32(1);
    t = svmax_x(all, t, svdup_f32(-bias));
    svfloat32_t z = svadd_x(all, t, shift), e = vec_fexpa(z);
    svfloat32_t w = svsub_x(all, t, svsub_x(all, z, shift));
    w = svmad_x(all, w, svdup_f32(EXP_LN2_HI), one);
    return svmul_x(all, e, two ? svmad_x(all, w, w, one) : w);
}

static VEC_INLINE void sums_body(unsigned sums, bool exact, bool two, size_t n, const float *x,
                                 float start, float *y, float *total)
{
    const svfloat32_t offset = svdup_f32(start), scale = svdup_f32(EXP_LOG2E);
    const svbool_t true32 = svptrue_b32(), all = vec_all(exact);
    const uint64_t vl = vec_step(exact);
    size_t i = 0;
    VEC_SUM(sum)
    for (; n - i >= VEC_UNROLL * vl; i += VEC_UNROLL * vl) {
#define STEP(j)                                                                                    \
    {                                                                                              \
        svfloat32_t v = svmad_x(true32, svld1(all, x + i + (j)*vl), scale, offset);                \
        v = power(two, v);                                                                         \
        *sum[(j) % sums] = svadd_x(true32, *sum[(j) % sums], v);                                   \
        svst1(all, y + i + (j)*vl, v);                                                             \
    }
        VEC_8(STEP)
#undef STEP
    }
    if (i < n) {
#define STEP(j)                                                                                    \
    {                                                                                              \
        svbool_t p = vec_rest(exact, i + (j)*vl, n);                                               \
        svfloat32_t v = svmad_x(true32, svld1(p, x + i + (j)*vl), scale, offset);                  \
        v = power(two, v);                                                                         \
        *sum[(j) % sums] = svadd_m(p, *sum[(j) % sums], v);                                        \
        svst1(p, y + i + (j)*vl, v);                                                               \
    }
        VEC_8(STEP)
#undef STEP
    }
    VEC_TOTAL(sum, sums, exact, total)
}

#define PARAMS (size_t n, const float *x, float start, float *y, float *total)
static VEC_INLINE void one_body(unsigned sums, bool exact, size_t n, const float *x, float start,
                                float *y, float *total)
{
    sums_body(sums, exact, false, n, x, start, y, total);
}

static VEC_INLINE void two_body(unsigned sums, bool exact, size_t n, const float *x, float start,
                                float *y, float *total)
{
    sums_body(sums, exact, true, n, x, start, y, total);
}

VEC_LENGTHS(softmax_one, one_body, PARAMS, n, x, start, y, total)
VEC_LENGTHS(softmax_two, two_body, PARAMS, n, x, start, y, total)

static VEC_PASS void softmax_scale(size_t n, float factor, float *y)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    size_t i = 0;
    for (; n - i >= 4 * vl; i += 4 * vl) {
        svst1(all, y + i, svmul_x(all, svld1(all, y + i), factor));
        svst1(all, y + i + vl, svmul_x(all, svld1(all, y + i + vl), factor));
        svst1(all, y + i + 2 * vl, svmul_x(all, svld1(all, y + i + 2 * vl), factor));
        svst1(all, y + i + 3 * vl, svmul_x(all, svld1(all, y + i + 3 * vl), factor));
    }
    for (; i < n; i += vl) {
        svbool_t p = svwhilelt_b32_u64(i, n);
        svst1(p, y + i, svmul_x(all, svld1(p, y + i), factor));
    }
}

void tsr_softmax_f32_sve(enum tsr_exp_terms terms, size_t n, const float *x, float *y)
{
    float max = softmax_max(n, x), sum;
    if (!isfinite(max)) {
        for (size_t i = 0; i < n; i++)
            y[i] = max < 0 ? 0.0f : NAN;
        return;
    }
    if (fabsf(max) > SOFTMAX_NEAR) {
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] - max;
        x = y;
        max = 0;
    }
    if (terms == TSR_EXP_ONE)
        softmax_one(n, x, -(max * EXP_LOG2E), y, &sum);
    else
        softmax_two(n, x, -(max * EXP_LOG2E), y, &sum);
    softmax_scale(n, 1 / sum, y);
}
