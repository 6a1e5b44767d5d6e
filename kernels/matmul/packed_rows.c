/* SPDX-License-Identifier: Apache-2.0 */
/* Packing of the left operand: conversion to the kernel's operand, then cells. Bits are the same
 * for every kernel. */
#include <math.h>
#include <string.h>

#include "kernels/matmul/packed.h"

static float from_bits(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

/* Nearest even; NaNs stay NaNs. */
static uint16_t bf16_of(uint32_t u)
{
    const uint32_t rounded = u + 0x7FFF + (u >> 16 & 1);
    return (uint16_t)((u & 0x7FFFFFFF) > 0x7F800000 ? u >> 16 | 0x40 : rounded >> 16);
}

static void to_bf16(const float *restrict x, size_t n, uint16_t *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = bf16_of(bits_of(x[i]));
}

static void widen_f16(const uint16_t *restrict x, size_t n, float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = tsr_f16_value(x[i]);
}

/* Largest magnitude's bits, read as signed: SSE2 and NEON compare those. */
static uint32_t largest(const float *restrict x, size_t n)
{
    int32_t max = 0;
    for (size_t i = 0; i < n; i++) {
        const int32_t magnitude = (int32_t)(bits_of(x[i]) & 0x7FFFFFFF);
        max = magnitude > max ? magnitude : max;
    }
    return (uint32_t)max;
}

/* Codes round(x / scale) and the scale, as isa/num/quant.h has it for i8: scale = max / 127, at
 * least 2^-126, codes x * (1 / scale) to nearest even. A NaN or infinity: scale NaN, codes 0.
 * The codes need no clamp: |x| (1 / scale) <= 127 (1 + 2^-24)^3 < 127.5. Adding 1.5 * 2^23 rounds
 * to nearest even and leaves the code in the lowest byte. */
static float quantize(const float *restrict x, size_t n, uint8_t *restrict out)
{
    const uint32_t max = largest(x, n);
    if (max == 0 || max >= 0x7F800000) {
        memset(out, 0, n);
        return max == 0 ? 0 : from_bits(0x7FC00000);
    }
    float scale = from_bits(max) / 127.0f;
    scale = scale < 0x1p-126f ? 0x1p-126f : scale;
    const float r = 1.0f / scale;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)bits_of(x[i] * r + 0x1.8p23f);
    return scale;
}

/* One row's cells into every `stride`-th place. */
static void scatter8(const uint8_t *row, size_t bytes, uint8_t *to, size_t stride, size_t padded)
{
    size_t at = 0;
    for (; at + 8 <= bytes; at += 8, to += stride)
        memcpy(to, row + at, 8);
    for (; at < padded; at += 8, to += stride) {
        uint8_t cell[8] = {0};
        if (at < bytes)
            memcpy(cell, row + at, bytes - at);
        memcpy(to, cell, 8);
    }
}

static void scatter4(const float *row, size_t n, float *to, size_t stride, size_t padded)
{
    size_t i = 0;
    for (; i < n; i++)
        to[i * stride] = row[i];
    for (; i < padded; i++)
        to[i * stride] = 0;
}

static void clear(uint8_t *to, size_t stride, size_t cells, size_t bytes)
{
    for (size_t i = 0; i < cells; i++)
        memset(to + i * stride, 0, bytes);
}

/* The row's codes, converted in the staging space where it is not what is asked for. */
static const void *row_of(const struct tsr_rows *r, size_t i)
{
    const size_t at = i * r->lda;
    const float *f = (const float *)r->a + at;
    const uint16_t *h = (const uint16_t *)r->a + at;
    if (r->operand == TSR_I8 && r->from == TSR_F32) {
        r->a_scale[i] = quantize(f, r->k, r->staging);
        return r->staging;
    }
    if (r->operand == TSR_I8) {
        r->a_scale[i] = r->scales != NULL ? r->scales[i] : 1.0f;
        return (const int8_t *)r->a + at;
    }
    if (r->operand == TSR_BF16 && r->from == TSR_F32) {
        to_bf16(f, r->k, r->staging);
        return r->staging;
    }
    if (r->round_to_bf16 && r->from == TSR_F32) {
        uint32_t *out = r->staging; /* a kernel that multiplies bf16 in f32 */
        for (size_t p = 0; p < r->k; p++)
            out[p] = (uint32_t)bf16_of(bits_of(f[p])) << 16;
        return out;
    }
    if (r->operand == TSR_F32 && r->from == TSR_F16) {
        widen_f16(h, r->k, r->staging);
        return r->staging;
    }
    if (r->operand == TSR_F32 && r->from == TSR_BF16) {
        uint32_t *out = r->staging;
        for (size_t p = 0; p < r->k; p++)
            out[p] = (uint32_t)h[p] << 16;
        return out;
    }
    return r->operand == TSR_F32 ? (const void *)f : h;
}

/* As struct tsr_block has them. |sum| is at most 32 * 128: both parts have at most 8 bits. */
static void put_group(const struct tsr_rows *r, size_t g, size_t i, int32_t sum)
{
    const int32_t rest = (sum + 16 + 8192) % 32 - 16;
    uint16_t *to = r->a_groups + (g / 8 * 16 + g % 8 / 4 * 4) * r->lines + i * 4 + g % 4;
    to[0] = (uint16_t)(bits_of((float)(sum - rest)) >> 16);
    to[8 * r->lines] = (uint16_t)(bits_of((float)rest) >> 16);
}

/* Sums of the codes: of all, and of each group. */
static void sums(const struct tsr_rows *r, const int8_t *row, size_t i)
{
    if (!r->wants_sums)
        return;
    int32_t all = 0;
    for (size_t p = 0; p < r->k; p += TSR_GROUP) {
        int32_t sum = 0;
        const size_t n = tsr_least(TSR_GROUP, r->k - p);
        for (size_t j = 0; j < n; j++)
            sum += row[p + j];
        if (r->a_groups != NULL)
            put_group(r, p / TSR_GROUP, i, sum);
        all += sum;
    }
    r->a_sum[2 * i] = r->a_sum[2 * i + 1] = all;
}

void tsr_pack_rows(const struct tsr_rows *r)
{
    const size_t cell = tsr_cell_bytes(r->operand), stride = cell * r->lines;
    const size_t elem = tsr_elem_bytes(r->operand);
    for (size_t i = 0; i < r->lines; i++) {
#if defined(__aarch64__)
        const size_t done = tsr_pack_some_rows_neon(r, i);
        if (done > 0) {
            i += done - 1;
            continue;
        }
#endif
        uint8_t *to = (uint8_t *)r->to + i * cell;
        if (i >= r->rows) {
            clear(to, stride, r->padded * elem / cell, cell);
            if (r->operand == TSR_I8) {
                r->a_scale[i] = 0;
                r->a_sum[2 * i] = r->a_sum[2 * i + 1] = 0;
                for (size_t g = 0; r->a_groups != NULL && g < r->padded / TSR_GROUP; g++)
                    put_group(r, g, i, 0);
            }
            continue;
        }
        const void *row = row_of(r, i);
        if (r->operand == TSR_F32)
            scatter4(row, r->k, (float *)(void *)to, r->lines, r->padded);
        else
            scatter8(row, r->k * elem, to, stride, r->padded * elem);
        if (r->operand == TSR_I8)
            sums(r, row, i);
    }
}
