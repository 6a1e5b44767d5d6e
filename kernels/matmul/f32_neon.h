/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of f32 for cores without SVE: 12 rows x 8 columns, FMLA by a lane of A. Contract:
 * tessera/kernels.h; one chain in order of k. 24 registers of sums, 3 of A, 2 of w. */
#ifndef KERNELS_MATMUL_F32_NEON_H
#define KERNELS_MATMUL_F32_NEON_H

#include <arm_neon.h>

#include "kernels/matmul/packed.h"

enum {
    NEON_ROWS = 12,
    NEON_COLUMNS = 8
};

/* tile += packed A (12 values a step) times `depth` rows of 8 of w, which are ldw apart. */
static inline __attribute__((always_inline)) void f32_tile(size_t depth, const float *a,
                                                           const float *w, size_t ldw, float *tile)
{
    float32x4_t c[NEON_ROWS][2];
#pragma GCC unroll 12
    for (int r = 0; r < NEON_ROWS; r++) {
        c[r][0] = vld1q_f32(tile + r * NEON_COLUMNS);
        c[r][1] = vld1q_f32(tile + r * NEON_COLUMNS + 4);
    }
    for (size_t p = 0; p < depth; p++, a += NEON_ROWS, w += ldw) {
        const float32x4_t w0 = vld1q_f32(w), w1 = vld1q_f32(w + 4);
#define LANE(r, x, i)                                                                              \
    c[r][0] = vfmaq_laneq_f32(c[r][0], w0, x, i);                                                  \
    c[r][1] = vfmaq_laneq_f32(c[r][1], w1, x, i);
#pragma GCC unroll 3
        for (int q = 0; q < NEON_ROWS; q += 4) {
            const float32x4_t x = vld1q_f32(a + q);
            LANE(q, x, 0)
            LANE(q + 1, x, 1)
            LANE(q + 2, x, 2)
            LANE(q + 3, x, 3)
        }
#undef LANE
    }
#pragma GCC unroll 12
    for (int r = 0; r < NEON_ROWS; r++) {
        vst1q_f32(tile + r * NEON_COLUMNS, c[r][0]);
        vst1q_f32(tile + r * NEON_COLUMNS + 4, c[r][1]);
    }
}

static inline size_t f32_neon_columns(void)
{
    return NEON_COLUMNS;
}

static inline __attribute__((always_inline)) void f32_neon_block(const struct tsr_block *b)
{
    float tile[NEON_ROWS * NEON_COLUMNS] = {0};
    f32_tile(b->k, b->a, b->b, NEON_COLUMNS, tile);
    for (size_t r = 0; r < b->rows; r++)
        memcpy(b->c + r * b->ldc, tile + r * NEON_COLUMNS, b->columns * sizeof(float));
}

static inline void f32_neon_blocks(const struct tsr_block *b)
{
    TSR_EACH_BLOCK(b, NEON_ROWS, f32_neon_block, f32_neon_block);
}

#endif
