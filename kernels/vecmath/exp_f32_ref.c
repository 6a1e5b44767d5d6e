/* SPDX-License-Identifier: Apache-2.0 */
/* Exponential, to the bit what exp_f32_sve.c computes. Contract: tessera/vecmath.h. */
#include "kernels/vecmath/scalar.h"

tsr_exp_f32_fn tsr_exp_f32_ref;

const uint32_t vec_exp_table[EXP_STEPS] = {
    0x000000, 0x0164d2, 0x02cd87, 0x043a29, 0x05aac3, 0x071f62, 0x08980f, 0x0a14d5,
    0x0b95c2, 0x0d1adf, 0x0ea43a, 0x1031dc, 0x11c3d3, 0x135a2b, 0x14f4f0, 0x16942d,
    0x1837f0, 0x19e046, 0x1b8d3a, 0x1d3eda, 0x1ef532, 0x20b051, 0x227043, 0x243516,
    0x25fed7, 0x27cd94, 0x29a15b, 0x2b7a3a, 0x2d583f, 0x2f3b79, 0x3123f6, 0x3311c4,
    0x3504f3, 0x36fd92, 0x38fbaf, 0x3aff5b, 0x3d08a4, 0x3f179a, 0x412c4d, 0x4346cd,
    0x45672a, 0x478d75, 0x49b9be, 0x4bec15, 0x4e248c, 0x506334, 0x52a81e, 0x54f35b,
    0x5744fd, 0x599d16, 0x5bfbb8, 0x5e60f5, 0x60ccdf, 0x633f89, 0x65b907, 0x68396a,
    0x6ac0c7, 0x6d4f30, 0x6fe4ba, 0x728177, 0x75257d, 0x77d0df, 0x7a83b3, 0x7d3e0c};

static float exponential(enum tsr_exp_terms terms, float x)
{
    const float shift = EXP_SHIFT + EXP_BIAS;
    x = vec_min(vec_max(x, EXP_LOWEST), EXP_HIGHEST);
    if (isnan(x))
        return x;
    float z = fmaf(x, EXP_LOG2E, shift), n = z - shift, r = fmaf(-n, EXP_LN2_HI, x);
    if (terms == TSR_EXP_FULL)
        r = fmaf(-n, EXP_LN2_LO, r);
    float t = vec_float(0x3F800000 | vec_exp_table[vec_bits(z) % EXP_STEPS]);
    /* In double the scaling is exact, so that subnormal results are rounded once. */
    return (float)ldexp(fmaf(t, vec_expm1(terms, r), t), (int)floorf(n));
}

void tsr_exp_f32_ref(enum tsr_exp_terms terms, size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = exponential(terms, x[i]);
}
