/* SPDX-License-Identifier: Apache-2.0 */
/* How sums of i8 products become rows of C. Nothing here is above SVE. */
#ifndef KERNELS_MATMUL_I8_STORE_SVE_H
#define KERNELS_MATMUL_I8_STORE_SVE_H

#include "kernels/matmul/mmla_sve.h"

/* One vector of a row from the column `at` on: raw integers, or scaled. */
MMLA_INLINE void i8_store(const struct tsr_block *b, size_t row, uint64_t at, svint32_t x,
                          size_t columns)
{
    if (b->raw != NULL) {
        svst1(svptrue_b32(), b->raw + row * columns + at, x);
        return;
    }
    const svbool_t p = svwhilelt_b32_u64(at, b->columns);
    const svfloat32_t scaled = svmul_x(p, svcvt_f32_x(p, x), b->a_scale[row]);
    svst1(p, b->c + row * b->ldc + at, svmul_x(p, scaled, svld1(p, b->b_scale + at)));
}

/* An i4 row of a 4-column panel: the lower half's columns, then the upper's. */
MMLA_INLINE void i4_store(const struct tsr_block *b, size_t row, svint32_t low, svint32_t high,
                          size_t columns)
{
    const svuint64_t l = svreinterpret_u64(low), h = svreinterpret_u64(high);
    i8_store(b, row, 0, svreinterpret_s32(row % 2 == 0 ? svuzp1(l, h) : svuzp2(l, h)), columns);
}

#endif
