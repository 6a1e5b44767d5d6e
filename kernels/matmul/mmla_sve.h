/* SPDX-License-Identifier: Apache-2.0 */
/* What the mmla kernels share (SVE at any vector length; included by files of an Arm level only).
 *
 * An mmla instruction multiplies, in every 128-bit segment, 2 rows of A (one segment, the same
 * everywhere: ld1rq) by 2 columns of W and adds to a 2 x 2 of C. A block is `pairs` pairs of rows
 * times 6 vectors of columns; its 24 registers of sums (at 4 pairs) are enough independent chains
 * for 5 cycles of latency on 4 pipes. A step is pairs + 6 loads and 6 x pairs mmla.
 * Sizeless types cannot sit in arrays: the block is named, c<vector><pair>. */
#ifndef KERNELS_MATMUL_MMLA_SVE_H
#define KERNELS_MATMUL_MMLA_SVE_H

#include <arm_sve.h>

#include "kernels/matmul/packed.h"

#define MMLA_EACH_VECTOR(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define MMLA_EACH_PAIR(X, v) X(v, 0) X(v, 1) X(v, 2) X(v, 3)
#define MMLA_INLINE static inline __attribute__((always_inline))

/* What the compiler must not see through: a vector that is to stay in a register, a pointer whose
 * offset from its source is meant. Empty instructions. */
#define TSR_OPAQUE_VECTOR(x) __asm__("" : "+w"(x))
#define TSR_OPAQUE_POINTER(x) __asm__("" : "+r"(x))

/* The next row of C by one addition: the compiler would rather keep a distance for every row, more
 * than there are registers. */
#define MMLA_NEXT_ROW(c, ldc)                                                                      \
    do {                                                                                           \
        (c) += (ldc);                                                                              \
        TSR_OPAQUE_POINTER(c);                                                                     \
    } while (0)

enum {
    MMLA_ROWS = 8
};

/* Two columns a segment, six vectors. */
static inline size_t mmla_columns(void)
{
    return 12 * (svcntb() / 16);
}

/* Rows 2 i and 2 i + 1 of a block from the 2 x 2s of its six vectors: the even and the odd halves
 * of the segments, in order. */
#define MMLA_ROW(uzp, i, from, to)                                                                 \
    const svfloat32_t to##0 = MMLA_HALVES(uzp, from##0##i, from##1##i),                            \
                      to##1 = MMLA_HALVES(uzp, from##2##i, from##3##i),                            \
                      to##2 = MMLA_HALVES(uzp, from##4##i, from##5##i);
#define MMLA_HALVES(uzp, x, y)                                                                     \
    svreinterpret_f32_u64(uzp(svreinterpret_u64(x), svreinterpret_u64(y)))

#endif
