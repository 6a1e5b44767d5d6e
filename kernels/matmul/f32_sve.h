/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of f32 by FMLA, 12 rows x 2 vectors over a packed panel: 24 registers of sums. Contract:
 * tessera/kernels.h; one chain in order of k. */
#ifndef KERNELS_MATMUL_F32_SVE_H
#define KERNELS_MATMUL_F32_SVE_H

#include <arm_sve.h>

#include "kernels/matmul/packed.h"

#define F32_INLINE static inline __attribute__((always_inline))
#define F32_EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

enum {
    F32_ROWS = 12
};

static inline size_t f32_columns(void)
{
    return 2 * svcntw();
}

/* lanes, a constant: A by quads of rows, whose lanes the FMLAs take, or value by value into whole
 * vectors. */
F32_INLINE void f32_block(const bool lanes, const struct tsr_block *b)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    const float *a = b->a, *w = b->b;
#define ZERO(r) svfloat32_t x##r = svdup_f32(0), y##r = x##r;
    F32_EACH_ROW(ZERO)
    size_t left = b->k;
    do {
        const svfloat32_t w0 = svld1(all, w), w1 = svld1_vnum(all, w, 1);
        if (lanes) {
            const svfloat32_t q0 = svld1rq(all, a), q1 = svld1rq(all, a + 4),
                              q2 = svld1rq(all, a + 8);
#define LANE(q, r)                                                                                 \
    x##r = svmla_lane(x##r, w0, q, r % 4);                                                         \
    y##r = svmla_lane(y##r, w1, q, r % 4);
            LANE(q0, 0)
            LANE(q0, 1)
            LANE(q0, 2)
            LANE(q0, 3)
            LANE(q1, 4)
            LANE(q1, 5)
            LANE(q1, 6)
            LANE(q1, 7)
            LANE(q2, 8)
            LANE(q2, 9)
            LANE(q2, 10)
            LANE(q2, 11)
        } else {
#define VALUE(r)                                                                                   \
    {                                                                                              \
        const svfloat32_t v = svdup_f32(a[r]);                                                     \
        x##r = svmla_x(all, x##r, w0, v);                                                          \
        y##r = svmla_x(all, y##r, w1, v);                                                          \
    }
            F32_EACH_ROW(VALUE)
        }
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
#undef LANE
#undef VALUE
#undef STORE
}

F32_INLINE void f32_block_lanes(const struct tsr_block *b)
{
    f32_block(true, b);
}

F32_INLINE void f32_block_values(const struct tsr_block *b)
{
    f32_block(false, b);
}

/* By the vector's bits (bench/loops reads the names). A64FX takes the indexed FMLA at half its
 * rate; elsewhere it saves 9 of 42 instructions a step. */
static __attribute__((noinline)) void f32_blocks_to_256(const struct tsr_block *b)
{
    TSR_EACH_BLOCK(b, F32_ROWS, f32_block_lanes, f32_block_lanes);
}

static __attribute__((noinline)) void f32_blocks_from_512(const struct tsr_block *b)
{
    TSR_EACH_BLOCK(b, F32_ROWS, f32_block_values, f32_block_values);
}

static inline void f32_blocks(const struct tsr_block *b)
{
    if (svcntb() > 32)
        f32_blocks_from_512(b);
    else
        f32_blocks_to_256(b);
}

#endif
