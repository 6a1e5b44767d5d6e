/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of f32 by FMLA, 12 rows x 2 vectors: the loop of matmul_f32_sve.c over a packed panel.
 * Contract: tessera/kernels.h; one chain in order of k. */
#ifndef KERNELS_MATMUL_F32_SVE_H
#define KERNELS_MATMUL_F32_SVE_H

#include <arm_sve.h>

#include "kernels/matmul/packed.h"

#define F32_EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

enum {
    F32_ROWS = 12
};

static inline size_t f32_columns(void)
{
    return 2 * svcntw();
}

static inline __attribute__((always_inline)) void f32_block(const struct tsr_block *b)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    const float *a = b->a, *w = b->b;
#define ZERO(r) svfloat32_t x##r = svdup_f32(0), y##r = x##r;
    F32_EACH_ROW(ZERO)
    size_t left = b->k;
    do {
        const svfloat32_t w0 = svld1(all, w), w1 = svld1_vnum(all, w, 1);
#define STEP(r)                                                                                    \
    {                                                                                              \
        const svfloat32_t v = svdup_f32(a[r]);                                                     \
        x##r = svmla_x(all, x##r, w0, v);                                                          \
        y##r = svmla_x(all, y##r, w1, v);                                                          \
    }
        F32_EACH_ROW(STEP)
        a += F32_ROWS;
        w += 2 * vl;
    } while (--left > 0);
    const svbool_t p0 = svwhilelt_b32_u64(0, b->columns), p1 = svwhilelt_b32_u64(vl, b->columns);
#define STORE(r)                                                                                   \
    if (r < b->rows) {                                                                             \
        svst1(p0, b->c + r * b->ldc, x##r);                                                        \
        svst1(p1, b->c + r * b->ldc + vl, y##r);                                                   \
    }
    F32_EACH_ROW(STORE)
#undef ZERO
#undef STEP
#undef STORE
}

static inline void f32_blocks(const struct tsr_block *b)
{
    TSR_EACH_BLOCK(b, F32_ROWS, f32_block);
}

#endif
