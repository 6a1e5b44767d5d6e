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

/* |x| <= 2^22: the low bits of x + 1.5 * 2^23 are x rounded to nearest even, two's complement. */
#define QUANT_ROUND 12582912.0f

/* A vector of f32 from element i on: f32 as they lie, or bf16 widened. */
static QUANT_INLINE svfloat32_t quant_load(svbool_t p, bool bf16, const void *x, size_t i)
{
    if (bf16)
        return svreinterpret_f32(svlsl_x(p, svld1uh_u32(p, (const uint16_t *)x + i), 16));
    return svreinterpret_f32(svld1(p, (const uint32_t *)x + i));
}

#endif
