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

/* Sums of an i4 pair in a panel of 4 columns a segment, once they have gone through all k: x over
 * a (16 high + low), y over a low, each less 8 sum a. Of the upper half's columns sum a high =
 * (x - y) / 16. Row by row (uzp one of svuzp1, svuzp2) the lower half's columns come first. */
#define I4_HIGH(x, y) svasr_x(svptrue_b32(), svsub_x(svptrue_b32(), x, y), 4)
#define I4_ROW(uzp, x, y)                                                                          \
    svreinterpret_s32(uzp(svreinterpret_u64(y), svreinterpret_u64(I4_HIGH(x, y))))
/* What both begin at: a code of the lower half is kept as code + 8. */
#define I4_BEGIN(b, i) svmul_x(svptrue_b32(), svld1rq(svptrue_b32(), (b)->a_sum + 4 * (i)), -8)

#endif
