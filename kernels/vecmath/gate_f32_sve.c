/* SPDX-License-Identifier: Apache-2.0 */
/* Activations, alone and gated, for SVE at any vector length. Contract: tessera/vecmath.h.
 *
 * sigmoid(v) from e^-|v|, which neither overflows nor cancels: e / (1 + e) below 0, 1 / (1 + e)
 * above. Phi(x) likewise from Phi(-|x|) = e^(-x^2 / 2) t P(t) (vecmath.h), with the rounding error
 * of x^2 put back into the exponent: the far tail keeps its digits. */
#include <float.h>

#include "kernels/vecmath/vec_sve.h"

tsr_gate_f32_fn tsr_gate_f32_sve;

static VEC_INLINE svfloat32_t sigmoid(svfloat32_t v)
{
    const svbool_t all = svptrue_b32();
    svfloat32_t a = svmin_x(all, svabs_x(all, v), svdup_f32(EXP_VANISHES));
    svfloat32_t e = vec_exp_negative(a, svdup_f32(0)), one = svdup_f32(1);
    return svdiv_x(all, svsel(svcmplt(all, v, 0.0f), e, one), svadd_x(all, e, one));
}

static VEC_INLINE svfloat32_t phi(svfloat32_t x)
{
    static const float p[] = GELU_P;
    const svbool_t all = svptrue_b32();
    svfloat32_t a = svmin_x(all, svabs_x(all, x), svdup_f32(GELU_VANISHES)), one = svdup_f32(1);
    svfloat32_t t = svdiv_x(all, one, svmla_x(all, one, a, svdup_f32(GELU_T)));
    svfloat32_t square = svmul_x(all, a, a), rest = svnmsb_x(all, a, a, square);
    svfloat32_t sum = svdup_f32(p[GELU_DEGREE]);
    /* A loop would stay one in gcc. */
#define TERM(i) sum = svmad_x(all, sum, t, svdup_f32(p[i]))
    TERM(8), TERM(7), TERM(6), TERM(5), TERM(4), TERM(3), TERM(2), TERM(1), TERM(0);
#undef TERM
    svfloat32_t q = vec_exp_negative(svmul_x(all, square, 0.5f), svmul_x(all, rest, 0.5f));
    q = svmul_x(all, q, svmul_x(all, sum, t));
    return svsel(svcmplt(all, x, 0.0f), q, svsub_x(all, one, q));
}

static VEC_INLINE svfloat32_t activate(enum tsr_activation act, float alpha, svfloat32_t x)
{
    const svbool_t all = svptrue_b32();
    x = svmax_x(all, x, svdup_f32(-FLT_MAX)); /* -infinity times 0 */
    if (act == TSR_ACT_GELU)
        return svmul_x(all, x, phi(x));
    svfloat32_t v = x;
    if (act == TSR_ACT_GELU_TANH)
        v = svmul_x(
            all, x,
            svmad_x(all, svmul_x(all, x, x), svdup_f32(GELU_CUBIC), svdup_f32(GELU_LINEAR)));
    else if (act == TSR_ACT_SWIGLU_CLAMP)
        v = svmul_x(all, x, alpha);
    return svmul_x(all, x, sigmoid(v));
}

struct clamp {
    float limit, alpha;
};

static VEC_INLINE void put(enum tsr_activation act, struct clamp c, svbool_t p, const float *x,
                           const float *up, float *y)
{
    const svbool_t all = svptrue_b32();
    svfloat32_t v = svld1(p, x);
    if (act == TSR_ACT_SWIGLU_CLAMP)
        v = svmin_x(all, v, c.limit);
    v = activate(act, c.alpha, v);
    if (up != NULL) {
        svfloat32_t u = svld1(p, up);
        if (act == TSR_ACT_SWIGLU_CLAMP)
            u = svadd_x(all, svmax_x(all, svmin_x(all, u, c.limit), -c.limit), 1.0f);
        v = svmul_x(all, v, u);
    }
    svst1(p, y, v);
}

#define PASS(name, act, gated)                                                                     \
    static VEC_PASS void name(struct clamp c, size_t n, const float *x, const float *up, float *y) \
    {                                                                                              \
        const svbool_t all = svptrue_b32();                                                        \
        const uint64_t vl = svcntw();                                                              \
        size_t i = 0;                                                                              \
        for (; n - i >= 2 * vl; i += 2 * vl) {                                                     \
            put(act, c, all, x + i, gated ? up + i : NULL, y + i);                                 \
            put(act, c, all, x + i + vl, gated ? up + i + vl : NULL, y + i + vl);                  \
        }                                                                                          \
        for (; i < n; i += vl)                                                                     \
            put(act, c, svwhilelt_b32_u64(i, n), x + i, gated ? up + i : NULL, y + i);             \
    }

PASS(act_silu, TSR_ACT_SILU, false)
PASS(act_gelu, TSR_ACT_GELU, false)
PASS(act_gelu_tanh, TSR_ACT_GELU_TANH, false)
PASS(gate_silu, TSR_ACT_SILU, true)
PASS(gate_gelu, TSR_ACT_GELU, true)
PASS(gate_gelu_tanh, TSR_ACT_GELU_TANH, true)
PASS(gate_clamp, TSR_ACT_SWIGLU_CLAMP, true)

void tsr_gate_f32_sve(enum tsr_activation act, float limit, float alpha, size_t n, const float *x,
                      const float *up, float *y)
{
    const struct clamp c = {limit, alpha};
    switch (act) {
    case TSR_ACT_SILU:
        (up != NULL ? gate_silu : act_silu)(c, n, x, up, y);
        break;
    case TSR_ACT_GELU:
        (up != NULL ? gate_gelu : act_gelu)(c, n, x, up, y);
        break;
    case TSR_ACT_GELU_TANH:
        (up != NULL ? gate_gelu_tanh : act_gelu_tanh)(c, n, x, up, y);
        break;
    case TSR_ACT_SWIGLU_CLAMP:
        gate_clamp(c, n, x, up, y);
        break;
    }
}
