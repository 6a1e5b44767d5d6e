/* SPDX-License-Identifier: Apache-2.0 */
/* i8 weights by SDOT, for cores without SVE: matmul_i8_sve.c on 128-bit vectors. */
#include <arm_neon.h>

#include "kernels/matmul/packed.h"

enum {
    ROWS = 4,
    VECTORS = 6,
    COLUMNS = 2 * VECTORS
};

static size_t columns(void)
{
    return COLUMNS;
}

/* Four sums of a row, of columns from `at` on: raw, or scaled. */
static void store(const struct tsr_block *b, size_t row, size_t at, int32x4_t x)
{
    if (b->raw != NULL) {
        vst1q_s32(b->raw + row * COLUMNS + at, x);
        return;
    }
    const float32x4_t scaled = vmulq_n_f32(vcvtq_f32_s32(x), b->a_scale[row]);
    float out[4];
    vst1q_f32(out, vmulq_f32(scaled, vld1q_f32(b->b_scale + at)));
    if (at < b->columns)
        memcpy(b->c + row * b->ldc + at, out, tsr_least(4, b->columns - at) * sizeof(float));
}

static inline __attribute__((always_inline)) void one(const struct tsr_block *b)
{
    const int8_t *a = b->a, *w = b->b;
    int32x4_t c[ROWS][VECTORS];
#pragma GCC unroll 4
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 6
        for (int v = 0; v < VECTORS; v++)
            c[r][v] = vdupq_n_s32(0);
    for (size_t p = 0; p < b->k; p += 8, a += 8 * ROWS, w += 16 * VECTORS) {
        int8x16_t rows[ROWS];
#pragma GCC unroll 4
        for (int r = 0; r < ROWS; r++) { /* 8 k of the row, in both halves */
            const int64x1_t cell = vreinterpret_s64_s8(vld1_s8(a + 8 * r));
            rows[r] = vreinterpretq_s8_s64(vdupq_lane_s64(cell, 0));
        }
#pragma GCC unroll 6
        for (int v = 0; v < VECTORS; v++) {
            const int8x16_t x = vld1q_s8(w + 16 * v);
#pragma GCC unroll 4
            for (int r = 0; r < ROWS; r++)
                c[r][v] = vdotq_s32(c[r][v], x, rows[r]);
        }
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < ROWS; r++)
#pragma GCC unroll 3
        for (size_t v = 0; v < VECTORS; v += 2)
            if (r < b->rows)
                store(b, r, 2 * v, vpaddq_s32(c[r][v], c[r][v + 1]));
}

static void blocks(const struct tsr_block *b)
{
    TSR_EACH_BLOCK(b, ROWS, one, one);
}

TSR_MATMUL_KERNEL(i8_dotprod, .operand = TSR_I8, .rows = ROWS, .columns = columns, .blocks = blocks)
