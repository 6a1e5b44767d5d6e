/* SPDX-License-Identifier: Apache-2.0 */
/* The references of the kernels of packed weights, in portable C. Contract: tessera/kernels.h. */
#include <math.h>

#include "kernels/matmul/packed.h"

enum {
    ROWS = 4,
    COLUMNS = 12,
    PAIRED = 4
};

static size_t columns_12(void)
{
    return COLUMNS;
}

static size_t columns_4(void)
{
    return PAIRED;
}

static void block_f32(const struct tsr_block *b)
{
    const float *a = b->a, *w = b->b;
    float sum[ROWS][COLUMNS] = {{0}};
    for (size_t p = 0; p < b->k; p++)
        for (size_t i = 0; i < b->rows; i++)
            for (size_t j = 0; j < COLUMNS; j++)
                sum[i][j] = fmaf(a[p * ROWS + i], w[p * COLUMNS + j], sum[i][j]);
    for (size_t i = 0; i < b->rows; i++)
        memcpy(b->c + i * b->ldc, sum[i], b->columns * sizeof(float));
}

static float bf16(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* In order of k; products of bf16 are exact in f32 but for underflow. */
static void block_bf16(const struct tsr_block *b)
{
    const uint16_t *a = b->a, *w = b->b;
    for (size_t i = 0; i < b->rows; i++)
        for (size_t j = 0; j < b->columns; j++) {
            float sum = 0;
            for (size_t p = 0; p < b->k; p++)
                sum += bf16(a[(p / 4 * ROWS + i) * 4 + p % 4]) *
                       bf16(w[(p / 4 * COLUMNS + j) * 4 + p % 4]);
            b->c[i * b->ldc + j] = sum;
        }
}

static int32_t dot8(const int8_t *a, const int8_t *w)
{
    int32_t sum = 0;
    for (int i = 0; i < 8; i++)
        sum += a[i] * w[i];
    return sum;
}

static void block_i8(const struct tsr_block *b)
{
    const int8_t *a = b->a, *w = b->b;
    for (size_t i = 0; i < b->rows; i++)
        for (size_t j = 0; j < b->columns; j++) {
            int32_t sum = 0;
            for (size_t p = 0; p < b->k; p += 8)
                sum += dot8(a + p * ROWS + i * 8, w + p * COLUMNS + j * 8);
            if (b->raw != NULL)
                b->raw[i * COLUMNS + j] = sum;
            else
                b->c[i * b->ldc + j] = (float)sum * b->a_scale[i] * b->b_scale[j];
        }
}

/* A byte holds columns j (low, code + 8) and j + PAIRED / 2 (high, signed). */
static void block_i4(const struct tsr_block *b)
{
    const int8_t *a = b->a;
    const uint8_t *w = b->b;
    for (size_t i = 0; i < b->rows; i++)
        for (size_t j = 0; j < b->columns; j++) {
            int32_t sum = 0;
            for (size_t p = 0; p < b->k; p++) {
                const size_t line = j % (PAIRED / 2);
                const int byte = w[p / 8 * (PAIRED / 2) * 8 + line * 8 + p % 8];
                const int code = j < PAIRED / 2 ? byte & 15 : (byte >> 4 ^ 8) - 8;
                sum += a[(p / 8 * ROWS + i) * 8 + p % 8] * code;
            }
            if (b->raw != NULL) {
                b->raw[i * PAIRED + j] = sum;
                continue;
            }
            if (j < PAIRED / 2)
                sum -= 8 * b->a_sum[2 * i];
            b->c[i * b->ldc + j] = (float)sum * b->a_scale[i] * b->b_scale[j];
        }
}

/* What the minima of column j take from row i. */
static float minima(const struct tsr_block *b, size_t i, size_t j)
{
    float f = 0, sum = 0; /* the sum: integers below 2^24 */
    for (size_t s = 0; s < b->k / TSR_SUPER; s++) {
        if (s % TSR_SUPER_RUN == 0)
            sum = 0;
        for (size_t g = 0; g < 8; g++) {
            const uint16_t *a = b->a_groups + ((s * 4 + g / 4) * ROWS + i) * 4 + g % 4;
            sum += (bf16(a[0]) + bf16(a[8 * ROWS])) *
                   bf16(b->minima[((s * 2 + g / 4) * PAIRED + j) * 4 + g % 4]);
        }
        f = fmaf(-sum, b->min_delta[s * PAIRED * 2 + j / 2 * 4 + j % 2], f);
    }
    return f;
}

static void block_groups(const struct tsr_block *b)
{
    const int8_t *a = b->a, *w = b->b;
    const size_t groups = b->k / TSR_GROUP;
    for (size_t i = 0; i < b->rows; i++)
        for (size_t j = 0; j < b->columns; j++) {
            const size_t at = j / 2 * 4 + j % 2;
            float f = b->minima != NULL ? minima(b, i, j) : 0;
            int32_t sum = 0;
            for (size_t g = 0; g < groups; g++) {
                if (g % b->run == 0)
                    sum = 0;
                for (size_t p = g * TSR_GROUP; p < (g + 1) * TSR_GROUP; p += 8)
                    sum += dot8(a + p * ROWS + i * 8, w + p * PAIRED + j * 8);
                f = fmaf((float)sum, b->delta[g * PAIRED * 2 + at], f);
            }
            b->c[i * b->ldc + j] = f * b->a_scale[i];
        }
}

#define KERNEL(op, operand, columns, prepare, one)                                                 \
    static void blocks_##op(const struct tsr_block *b)                                             \
    {                                                                                              \
        TSR_EACH_BLOCK(b, ROWS, one, one);                                                         \
    }                                                                                              \
    TSR_MATMUL_KERNEL(op##_ref, operand, ROWS, columns, prepare, blocks_##op, NULL)
KERNEL(packed_f32, TSR_F32, columns_12, NULL, block_f32)
KERNEL(f16, TSR_F32, columns_12, tsr_prepare_f16, block_f32)
KERNEL(bf16, TSR_BF16, columns_12, NULL, block_bf16)
KERNEL(mxf4, TSR_BF16, columns_12, tsr_prepare_mxf4, block_bf16)
KERNEL(mxf8e4m3, TSR_BF16, columns_12, tsr_prepare_mxf8e4m3, block_bf16)
KERNEL(mxf8e5m2, TSR_BF16, columns_12, tsr_prepare_mxf8e5m2, block_bf16)
KERNEL(i8, TSR_I8, columns_12, NULL, block_i8)
KERNEL(i4, TSR_I8, columns_4, NULL, block_i4)
KERNEL(q8_0, TSR_I8, columns_4, tsr_prepare_q8_0, block_groups)
KERNEL(q4_0, TSR_I8, columns_4, tsr_prepare_q4_0, block_groups)
KERNEL(q4_k, TSR_I8, columns_4, tsr_prepare_q4_k, block_groups)
