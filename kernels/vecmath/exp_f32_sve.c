/* SPDX-License-Identifier: Apache-2.0 */
/* Exponential by FEXPA for SVE at any vector length. Contract: tessera/vecmath.h.
 *
 * z = x log2(e) + shift leaves 64 log2(e) x, rounded, in the low bits: FEXPA's operand. The rest r
 * of x is exact but for ln 2's own digits, and e^r - 1 a polynomial. Beyond |x| = 87 exponents
 * would overflow their field: those rounds go another way, with FSCALE for the exponent. */
#include "kernels/vecmath/vec_sve.h"

tsr_exp_f32_fn tsr_exp_f32_sve;

static VEC_INLINE svfloat32_t reduced(enum tsr_exp_terms terms, svfloat32_t x, svfloat32_t n)
{
    const svbool_t all = svptrue_b32();
    svfloat32_t r = svmls_x(all, x, n, svdup_f32(EXP_LN2_HI));
    return terms == TSR_EXP_FULL ? svmls_x(all, r, n, svdup_f32(EXP_LN2_LO)) : r;
}

/* Any x. */
static VEC_INLINE void put_any(enum tsr_exp_terms terms, svbool_t p, const float *x, float *y)
{
    const svbool_t all = svptrue_b32();
    const float shift = EXP_SHIFT + EXP_BIAS;
    svfloat32_t v = svmin_x(all, svmax_x(all, svld1(p, x), EXP_LOWEST), EXP_HIGHEST);
    svfloat32_t z = svmla_x(all, svdup_f32(shift), v, svdup_f32(EXP_LOG2E));
    svfloat32_t r = reduced(terms, v, svsub_x(all, z, shift));
    /* With the exponent field of 1. */
    svuint32_t i = svand_x(all, svreinterpret_u32(z), EXP_STEPS - 1);
    svfloat32_t t = svexpa(svorr_x(all, i, EXP_BIAS * EXP_STEPS));
    svint32_t e = svsub_x(all, svreinterpret_s32(z), svreinterpret_s32(svdup_f32(shift)));
    svst1(p, y, svscale_x(all, svmla_x(all, t, t, vec_expm1(terms, r)), svasr_x(all, e, 6)));
}

static VEC_PASS void exp_any(enum tsr_exp_terms terms, size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i += svcntw())
        put_any(terms, svwhilelt_b32_u64(i, n), x + i, y + i);
}

/* |x| <= EXP_FAST, or NaN. */
static VEC_INLINE void put(enum tsr_exp_terms terms, svfloat32_t x, float *y)
{
    const svbool_t all = svptrue_b32();
    const float shift = EXP_SHIFT + EXP_BIAS;
    svfloat32_t z = svmla_x(all, svdup_f32(shift), x, svdup_f32(EXP_LOG2E)), t = vec_fexpa(z);
    svfloat32_t r = reduced(terms, x, svsub_x(all, z, shift));
    svst1(all, y, svmla_x(all, t, t, vec_expm1(terms, r)));
}

/* How many of the first n elements are done: all whole rounds, or those before a far x. */
static VEC_INLINE size_t fast_rounds(enum tsr_exp_terms terms, size_t n, const float *x, float *y)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    const svfloat32_t fast = svdup_f32(EXP_FAST);
    size_t i = 0;
    for (; n - i >= 4 * vl; i += 4 * vl) {
        svfloat32_t a = svld1(all, x + i), b = svld1(all, x + i + vl);
        svfloat32_t c = svld1(all, x + i + 2 * vl), d = svld1(all, x + i + 3 * vl);
        svbool_t far = svorr_z(all, svacgt(all, a, fast), svacgt(all, b, fast));
        far = svorr_z(all, far, svorr_z(all, svacgt(all, c, fast), svacgt(all, d, fast)));
        if (svptest_any(all, far))
            break;
        put(terms, a, y + i);
        put(terms, b, y + i + vl);
        put(terms, c, y + i + 2 * vl);
        put(terms, d, y + i + 3 * vl);
    }
    return i;
}

static VEC_PASS size_t exp_one(size_t n, const float *x, float *y)
{
    return fast_rounds(TSR_EXP_ONE, n, x, y);
}

static VEC_PASS size_t exp_two(size_t n, const float *x, float *y)
{
    return fast_rounds(TSR_EXP_TWO, n, x, y);
}

static VEC_PASS size_t exp_full(size_t n, const float *x, float *y)
{
    return fast_rounds(TSR_EXP_FULL, n, x, y);
}

void tsr_exp_f32_sve(enum tsr_exp_terms terms, size_t n, const float *x, float *y)
{
    size_t (*fast)(size_t, const float *, float *) = terms == TSR_EXP_ONE   ? exp_one
                                                     : terms == TSR_EXP_TWO ? exp_two
                                                                            : exp_full;
    const size_t round = 4 * svcntw();
    while (n > 0) {
        size_t done = fast(n, x, y), here = n - done < round ? n - done : round;
        exp_any(terms, here, x + done, y + done);
        n -= done + here;
        x += done + here;
        y += done + here;
    }
}
