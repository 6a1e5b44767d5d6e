/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of the SVE kernels. Private to kernels/quant. */
#ifndef KERNELS_QUANT_QUANT_SVE_H
#define KERNELS_QUANT_QUANT_SVE_H

#include <arm_sve.h>

#include "kernels/quant/quant.h"

/* A pass keeps its name in the object file: bench/loops finds its loop by it. */
#define QUANT_PASS __attribute__((noinline))
/* One body for several formats, each with its constants folded in. */
#define QUANT_INLINE inline __attribute__((always_inline))

/* Loops of a constant number of rounds, at most 8, are written out: gcc does not at -O2. */
#define QUANT_UNROLL _Pragma("GCC unroll 8")

/* |x| <= 2^22: the low bits of x + 1.5 * 2^23 are x rounded to nearest even, two's complement. */
#define QUANT_ROUND 12582912.0f

/* Which copy of a pass the vector length takes: 128, 256, 512 bits, or any. */
static QUANT_INLINE unsigned quant_length(void)
{
    uint64_t lanes = svcntw();
    return lanes == 4 ? 0 : lanes == 8 ? 1 : lanes == 16 ? 2 : 3;
}

/* A vector of f32 from element i on: f32 as they lie, or bf16 widened. */
static QUANT_INLINE svfloat32_t quant_load(svbool_t p, bool bf16, const void *x, size_t i)
{
    if (bf16)
        return svreinterpret_f32(svlsl_x(p, svld1uh_u32(p, (const uint16_t *)x + i), 16));
    return svreinterpret_f32(svld1(p, (const uint32_t *)x + i));
}

/* A vector of values to element i of f32 or bf16. `exact`: bf16 holds them, else they are rounded
 * to nearest even; NaNs are 0x7FC00000 or of few bits. */
static QUANT_INLINE void quant_store(svbool_t p, bool bf16, bool exact, void *y, size_t i,
                                     svfloat32_t v)
{
    svuint32_t bits = svreinterpret_u32(v);
    if (!bf16) {
        svst1(p, (uint32_t *)y + i, bits);
        return;
    }
#if defined(__ARM_FEATURE_SVE_BF16)
    if (!exact) {
        bits = svreinterpret_u32(svcvt_bf16_x(p, v)); /* in the low half of each lane */
        svst1h(p, (uint16_t *)y + i, bits);
        return;
    }
#endif
    if (!exact) {
        svuint32_t odd = svand_x(p, svlsr_x(p, bits, 16), 1);
        bits = svadd_x(p, svadd_x(p, bits, odd), 0x7FFF);
    }
    svst1h(p, (uint16_t *)y + i, svlsr_x(p, bits, 16));
}

#endif
