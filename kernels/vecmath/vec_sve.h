/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of the SVE kernels. Private to kernels/vecmath; scalar.h has the same steps one by one. */
#ifndef KERNELS_VECMATH_VEC_SVE_H
#define KERNELS_VECMATH_VEC_SVE_H

#include <arm_sve.h>

#include "kernels/lengths_sve.h"
#include "kernels/vecmath/vecmath.h"

/* A pass keeps its name in the object file: bench/passes finds its loop by it. */
#define VEC_PASS __attribute__((noinline))
/* One body for several passes, each with its constants folded in. */
#define VEC_INLINE inline __attribute__((always_inline))

#define VEC_8(step) step(0) step(1) step(2) step(3) step(4) step(5) step(6) step(7)

/* The 32 lanes of a sum lie in `sums` vectors of 32 / sums lanes. `exact`: those are all that the
 * processor's vectors have; else 4 of them are used. So every length adds in the same order. */
#define VEC_LENGTHS(pass, body, params, ...)                                                       \
    static VEC_PASS void pass##_128 params                                                         \
    {                                                                                              \
        body(8, true, __VA_ARGS__);                                                                \
    }                                                                                              \
    static VEC_PASS void pass##_256 params                                                         \
    {                                                                                              \
        body(4, true, __VA_ARGS__);                                                                \
    }                                                                                              \
    static VEC_PASS void pass##_512 params                                                         \
    {                                                                                              \
        body(2, true, __VA_ARGS__);                                                                \
    }                                                                                              \
    static VEC_PASS void pass##_1024 params                                                        \
    {                                                                                              \
        body(1, true, __VA_ARGS__);                                                                \
    }                                                                                              \
    static VEC_PASS void pass##_other params                                                       \
    {                                                                                              \
        body(8, false, __VA_ARGS__);                                                               \
    }                                                                                              \
    static inline void pass##_any params                                                           \
    {                                                                                              \
        if (svcntw() == 32)                                                                        \
            pass##_1024(__VA_ARGS__);                                                              \
        else                                                                                       \
            pass##_other(__VA_ARGS__);                                                             \
    }                                                                                              \
    static void pass params                                                                        \
    {                                                                                              \
        SVE_BY_LENGTH(pass, __VA_ARGS__)                                                           \
    }

/* Lanes of a vector that take part in a sum. */
static VEC_INLINE uint64_t vec_step(bool exact)
{
    return exact ? svcntw() : 4;
}

static VEC_INLINE svbool_t vec_all(bool exact)
{
    return exact ? svptrue_b32() : svptrue_pat_b32(SV_VL4);
}

/* Elements from i on: a step of them, and none from n on. */
static VEC_INLINE svbool_t vec_rest(bool exact, size_t i, size_t n)
{
    return svwhilelt_b32_u64(i, exact || n < i + 4 ? n : i + 4);
}

/* The vectors of a sum: a0 is one, the others are told apart by what `sums` is. */
#define VEC_SUM(a)                                                                                 \
    svfloat32_t a##0 = svdup_f32(0), a##1 = a##0, a##2 = a##0, a##3 = a##0, a##4 = a##0,           \
                a##5 = a##0, a##6 = a##0, a##7 = a##0;                                             \
    svfloat32_t *const a[VEC_UNROLL] = {&a##0, &a##1, &a##2, &a##3, &a##4, &a##5, &a##6, &a##7};

/* The end of a sum, its first `sums` vectors. */
#define VEC_TOTAL(a, sums, exact, total)                                                           \
    {                                                                                              \
        float lane[VEC_LANES];                                                                     \
        for (unsigned v = 0; v < (sums); v++)                                                      \
            svst1(vec_all(exact), lane + v * (VEC_LANES / (sums)), *a[v]);                         \
        *(total) = vec_fold(lane);                                                                 \
    }

/* FEXPA of z's bits. */
static VEC_INLINE svfloat32_t vec_fexpa(svfloat32_t z)
{
    return svexpa(svreinterpret_u32(z));
}

static VEC_INLINE svfloat32_t vec_expm1(enum tsr_exp_terms terms, svfloat32_t r)
{
    const svbool_t all = svptrue_b32();
    if (terms == TSR_EXP_ONE)
        return r;
    if (terms == TSR_EXP_TWO)
        return svmla_x(all, r, r, svmul_x(all, r, 0.5f));
    return svmla_x(all, r, svmul_x(all, r, r),
                   svmad_x(all, r, svdup_f32(EXP_THIRD), svdup_f32(0.5f)));
}

/* e^-(a + rest), 0 <= a <= EXP_VANISHES, rest a small correction. */
static VEC_INLINE svfloat32_t vec_exp_negative(svfloat32_t a, svfloat32_t rest)
{
    const svbool_t all = svptrue_b32();
    const float shift = EXP_SHIFT + EXP_BIAS;
    svfloat32_t z = svmls_x(all, svdup_f32(shift), a, svdup_f32(EXP_LOG2E));
    svfloat32_t n = svsub_x(all, z, shift), t = vec_fexpa(z);
    svfloat32_t r = svnmla_x(all, a, n, svdup_f32(EXP_LN2_HI));
    r = svsub_x(all, svmls_x(all, r, n, svdup_f32(EXP_LN2_LO)), rest);
    return svmla_x(all, t, t, vec_expm1(TSR_EXP_FULL, r));
}

#endif
