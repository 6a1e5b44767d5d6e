/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of A into cells of 8 bytes, two rows at once: their cells of one step lie side by side, a
 * vector. Rows of f32 four at once. The same bits as packed_rows.c, whose comments hold. NEON at
 * every vector length: the cells are segments of 128 bits. */
#include <arm_neon.h>

#include "kernels/matmul/packed.h"

#define INLINE static inline __attribute__((always_inline))

/* Where two rows go: their cells at `to`, the next step `stride` bytes on. */
struct cells {
    uint8_t *to;
    size_t stride, steps; /* padded k in cells */
};

/* Two rows of bytes. Steps beyond the last whole ones are filled up with zeros. */
static void copy_two(const uint8_t *x, const uint8_t *y, size_t bytes, const struct cells *c)
{
    uint8_t *to = c->to;
    size_t at = 0;
    for (; at + 16 <= bytes; at += 16, to += 2 * c->stride) {
        const uint64x2_t u = vreinterpretq_u64_u8(vld1q_u8(x + at)),
                         v = vreinterpretq_u64_u8(vld1q_u8(y + at));
        vst1q_u8(to, vreinterpretq_u8_u64(vzip1q_u64(u, v)));
        vst1q_u8(to + c->stride, vreinterpretq_u8_u64(vzip2q_u64(u, v)));
    }
    for (; at < c->steps * 8; at += 8, to += c->stride) {
        uint8_t cell[16] = {0};
        if (at < bytes) {
            memcpy(cell, x + at, tsr_least(8, bytes - at));
            memcpy(cell + 8, y + at, tsr_least(8, bytes - at));
        }
        memcpy(to, cell, sizeof cell);
    }
}

INLINE int32x4_t larger(int32x4_t max, float32x4_t x)
{
    return vmaxq_s32(max, vreinterpretq_s32_f32(vabsq_f32(x)));
}

/* Largest magnitude of a row as bits. */
static uint32_t rows_largest(const float *x, size_t n)
{
    int32x4_t max[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const float32x4x4_t v = vld1q_f32_x4(x + i);
        for (int j = 0; j < 4; j++)
            max[j] = larger(max[j], v.val[j]);
    }
    for (; i < n; i++)
        max[0] = larger(max[0], vdupq_n_f32(x[i]));
    return (uint32_t)vmaxvq_s32(vmaxq_s32(vmaxq_s32(max[0], max[1]), vmaxq_s32(max[2], max[3])));
}

/* Codes of 8 elements, in the low bytes of halfwords. */
INLINE uint16x8_t codes(float32x4_t x, float32x4_t y, float32x4_t r)
{
    const float32x4_t magic = vdupq_n_f32(0x1.8p23f);
    return vuzp1q_u16(vreinterpretq_u16_f32(vaddq_f32(vmulq_f32(x, r), magic)),
                      vreinterpretq_u16_f32(vaddq_f32(vmulq_f32(y, r), magic)));
}

INLINE void codes_of_step(uint8_t *to, uint16x8_t x, uint16x8_t y)
{
    vst1q_u8(to, vuzp1q_u8(vreinterpretq_u8_u16(x), vreinterpretq_u8_u16(y)));
}

/* Codes of two rows, of `n` elements of a multiple of 16. */
static void rows_codes(const float *x, const float *y, size_t n, float32x4_t rx, float32x4_t ry,
                       uint8_t *to, size_t stride)
{
    for (size_t i = 0; i < n; i += 16, to += 2 * stride) {
        const float32x4x4_t u = vld1q_f32_x4(x + i), v = vld1q_f32_x4(y + i);
        codes_of_step(to, codes(u.val[0], u.val[1], rx), codes(v.val[0], v.val[1], ry));
        codes_of_step(to + stride, codes(u.val[2], u.val[3], rx), codes(v.val[2], v.val[3], ry));
    }
}

/* Scale and its inverse of a row with that largest magnitude, finite. */
static float32x4_t scale_of(uint32_t max, float *scale)
{
    float s;
    memcpy(&s, &max, sizeof s);
    s /= 127.0f;
    s = s < 0x1p-126f ? 0x1p-126f : s;
    *scale = max == 0 ? 0 : s;
    return vdupq_n_f32(max == 0 ? 0 : 1.0f / s);
}

/* False: a row has a NaN or an infinity. */
static bool quantize_two(const float *x, const float *y, size_t k, float *scale,
                         const struct cells *c)
{
    const uint32_t mx = rows_largest(x, k), my = rows_largest(y, k);
    if (mx >= 0x7F800000 || my >= 0x7F800000)
        return false;
    const float32x4_t rx = scale_of(mx, scale), ry = scale_of(my, scale + 1);
    const size_t whole = k / 16 * 16;
    rows_codes(x, y, whole, rx, ry, c->to, c->stride);
    if (whole == c->steps * 8)
        return true;
    float rest[2][16] = {{0}};
    memcpy(rest[0], x + whole, (k - whole) * sizeof(float));
    memcpy(rest[1], y + whole, (k - whole) * sizeof(float));
    uint8_t last[32];
    rows_codes(rest[0], rest[1], 16, rx, ry, last, 16);
    for (size_t s = whole / 8; s < c->steps; s++)
        if (s < whole / 8 + 2)
            memcpy(c->to + s * c->stride, last + (s - whole / 8) * 16, 16);
        else
            memset(c->to + s * c->stride, 0, 16);
    return true;
}

/* Sums of the packed codes: of each group, and of all. */
static void sum_two(const struct tsr_rows *r, size_t i, const struct cells *c)
{
    const uint8_t *at = c->to;
    int32x2_t all = vdup_n_s32(0);
    for (size_t s = 0; s < c->steps; s += TSR_GROUP / 8) {
        int32x4_t sum = vdupq_n_s32(0);
        for (size_t j = 0; j < tsr_least(TSR_GROUP / 8, c->steps - s); j++, at += c->stride)
            sum = vpadalq_s16(sum, vpaddlq_s8(vreinterpretq_s8_u8(vld1q_u8(at))));
        const int32x2_t both = vpadd_s32(vget_low_s32(sum), vget_high_s32(sum));
        if (r->a_groups != NULL) {
            const float32x2_t f = vcvt_f32_s32(both);
            vst1q_f32(r->a_groups + s / 4 * r->lines * 2 + i * 2,
                      vcombine_f32(vdup_lane_f32(f, 0), vdup_lane_f32(f, 1)));
        }
        all = vadd_s32(all, both);
    }
    vst1_s32(r->a_sum + i, all);
}

/* Four rows of f32: their values of one k side by side. */
static void transpose_four(const float *a, size_t lda, size_t k, float *to, size_t stride,
                           size_t padded)
{
    size_t p = 0;
    for (; p + 4 <= k; p += 4, to += 4 * stride) {
        const float32x4_t r0 = vld1q_f32(a + p), r1 = vld1q_f32(a + lda + p),
                          r2 = vld1q_f32(a + 2 * lda + p), r3 = vld1q_f32(a + 3 * lda + p);
        const float32x4_t u0 = vzip1q_f32(r0, r2), u1 = vzip2q_f32(r0, r2), v0 = vzip1q_f32(r1, r3),
                          v1 = vzip2q_f32(r1, r3);
        vst1q_f32(to, vzip1q_f32(u0, v0));
        vst1q_f32(to + stride, vzip2q_f32(u0, v0));
        vst1q_f32(to + 2 * stride, vzip1q_f32(u1, v1));
        vst1q_f32(to + 3 * stride, vzip2q_f32(u1, v1));
    }
    for (; p < padded; p++, to += stride)
        for (size_t j = 0; j < 4; j++)
            to[j] = p < k ? a[j * lda + p] : 0;
}

size_t tsr_pack_some_rows_neon(const struct tsr_rows *r, size_t i)
{
    if (r->operand == TSR_F32 && r->from == TSR_F32 && !r->round_to_bf16 && i + 4 <= r->rows) {
        transpose_four((const float *)r->a + i * r->lda, r->lda, r->k, (float *)r->to + i, r->lines,
                       r->padded);
        return 4;
    }
    if (i % 2 != 0 || i + 2 > r->rows)
        return 0;
    const size_t bytes = tsr_elem_bytes(r->operand), stride = 8 * r->lines;
    const struct cells c = {(uint8_t *)r->to + 8 * i, stride, r->padded * bytes / 8};
    if (r->operand == TSR_F32 || (r->from == TSR_F32 && r->operand != TSR_I8))
        return 0;
    if (r->from == TSR_F32) {
        const float *x = (const float *)r->a + i * r->lda;
        if (!quantize_two(x, x + r->lda, r->k, r->a_scale + i, &c))
            return 0;
    } else {
        const uint8_t *x = (const uint8_t *)r->a + i * r->lda * bytes;
        copy_two(x, x + r->lda * bytes, r->k * bytes, &c);
        for (size_t j = i; j < i + 2 && r->operand == TSR_I8; j++)
            r->a_scale[j] = r->scales != NULL ? r->scales[j] : 1.0f;
    }
    if (r->wants_sums)
        sum_two(r, i, &c);
    return 2;
}
