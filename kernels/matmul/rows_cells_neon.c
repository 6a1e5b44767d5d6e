/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of A into cells of 8 bytes, two rows at once: their cells of one step lie side by side, a
 * vector. Rows of f32 four at once. The same bits as packed_rows.c, whose comments hold. NEON at
 * every vector length: the cells are segments of 128 bits. */
#include <arm_neon.h>

#include "kernels/matmul/packed.h"

/* Functions of their own: `./run bench-sve` finds their loops by name. */
#define PASS static __attribute__((noinline))
#define INLINE static inline __attribute__((always_inline))

/* Where two rows go: their cells at `to`, the next step `stride` bytes on. */
struct cells {
    uint8_t *to;
    size_t stride, steps; /* padded k in cells */
};

/* Four steps of a pair of rows. */
INLINE void put_four(uint8_t *to, size_t stride, uint8x16_t s0, uint8x16_t s1, uint8x16_t s2,
                     uint8x16_t s3)
{
    vst1q_u8(to, s0);
    vst1q_u8(to + stride, s1);
    vst1q_u8(to + 2 * stride, s2);
    vst1q_u8(to + 3 * stride, s3);
}

/* Two rows of bytes. Steps beyond the last whole ones are filled up with zeros. */
static void copy_two(const uint8_t *x, const uint8_t *y, size_t bytes, const struct cells *c)
{
    uint8_t *to = c->to;
    size_t at = 0;
#define ZIP(n, i)                                                                                  \
    vreinterpretq_u8_u64(                                                                          \
        vzip##n##q_u64(vreinterpretq_u64_u8(u.val[i]), vreinterpretq_u64_u8(v.val[i])))
    for (; at + 32 <= bytes; at += 32, to += 4 * c->stride) {
        const uint8x16x2_t u = vld1q_u8_x2(x + at), v = vld1q_u8_x2(y + at);
        put_four(to, c->stride, ZIP(1, 0), ZIP(2, 0), ZIP(1, 1), ZIP(2, 1));
    }
#undef ZIP
    for (; at < c->steps * 8; at += 8, to += c->stride) {
        uint8_t cell[16] = {0};
        if (at < bytes) {
            memcpy(cell, x + at, tsr_least(8, bytes - at));
            memcpy(cell + 8, y + at, tsr_least(8, bytes - at));
        }
        memcpy(to, cell, sizeof cell);
    }
}

/* Lane by lane, the larger of max and the four vectors' magnitudes. */
INLINE int32x4_t larger(int32x4_t max, float32x4x4_t v)
{
#define MAGNITUDE(i) vreinterpretq_s32_f32(vabsq_f32(v.val[i]))
    return vmaxq_s32(vmaxq_s32(max, vmaxq_s32(MAGNITUDE(0), MAGNITUDE(1))),
                     vmaxq_s32(MAGNITUDE(2), MAGNITUDE(3)));
#undef MAGNITUDE
}

/* Largest magnitude of a row as bits. */
PASS uint32_t rows_largest(const float *x, size_t n)
{
    int32x4_t a = vdupq_n_s32(0), b = a, c = a, d = a;
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        a = larger(a, vld1q_f32_x4(x + i));
        b = larger(b, vld1q_f32_x4(x + i + 16));
        c = larger(c, vld1q_f32_x4(x + i + 32));
        d = larger(d, vld1q_f32_x4(x + i + 48));
    }
    for (; i + 16 <= n; i += 16)
        a = larger(a, vld1q_f32_x4(x + i));
    for (; i < n; i++)
        b = vmaxq_s32(b, vreinterpretq_s32_f32(vabsq_f32(vdupq_n_f32(x[i]))));
    return (uint32_t)vmaxvq_s32(vmaxq_s32(vmaxq_s32(a, b), vmaxq_s32(c, d)));
}

/* A step of two rows: codes of 8 elements of each, the lowest bytes of the sums. */
INLINE uint8x16_t codes(float32x4_t x0, float32x4_t x1, float32x4_t rx, float32x4_t y0,
                        float32x4_t y1, float32x4_t ry)
{
    const uint8x16_t lowest = {0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60};
    const float32x4_t magic = vdupq_n_f32(0x1.8p23f);
#define SUM(x, r) vreinterpretq_u8_f32(vaddq_f32(vmulq_f32(x, r), magic))
    const uint8x16x4_t all = {{SUM(x0, rx), SUM(x1, rx), SUM(y0, ry), SUM(y1, ry)}};
#undef SUM
    return vqtbl4q_u8(all, lowest);
}

/* Codes of two rows, of `n` elements of a multiple of 32. */
PASS void rows_codes(const float *x, const float *y, size_t n, float32x4_t rx, float32x4_t ry,
                     uint8_t *to, size_t stride)
{
#define CODES(u, v, i) codes((u).val[i], (u).val[i + 1], rx, (v).val[i], (v).val[i + 1], ry)
    for (size_t i = 0; i < n; i += 32, to += 4 * stride) {
        const float32x4x4_t u = vld1q_f32_x4(x + i), v = vld1q_f32_x4(y + i),
                            w = vld1q_f32_x4(x + i + 16), z = vld1q_f32_x4(y + i + 16);
        put_four(to, stride, CODES(u, v, 0), CODES(u, v, 2), CODES(w, z, 0), CODES(w, z, 2));
    }
#undef CODES
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
    const size_t whole = k / 32 * 32;
    rows_codes(x, y, whole, rx, ry, c->to, c->stride);
    if (whole == c->steps * 8)
        return true;
    float rest[2][32] = {{0}};
    memcpy(rest[0], x + whole, (k - whole) * sizeof(float));
    memcpy(rest[1], y + whole, (k - whole) * sizeof(float));
    uint8_t last[64];
    rows_codes(rest[0], rest[1], 32, rx, ry, last, 16);
    for (size_t s = whole / 8; s < c->steps; s++)
        if (s < whole / 8 + 4)
            memcpy(c->to + s * c->stride, last + (s - whole / 8) * 16, 16);
        else
            memset(c->to + s * c->stride, 0, 16);
    return true;
}

/* Sums of a group's packed codes: two parts of the first row, then of the second. */
INLINE int32x4_t group_sum(const uint8_t *at, size_t stride)
{
#define STEP(i) vreinterpretq_s8_u8(vld1q_u8(at + (i)*stride))
    return vpaddlq_s16(
        vpadalq_s8(vpadalq_s8(vpadalq_s8(vpaddlq_s8(STEP(0)), STEP(1)), STEP(2)), STEP(3)));
#undef STEP
}

/* Bits of integers of few bits as bf16, of two rows. */
INLINE uint16x8_t as_bf16(int32x4_t x, int32x4_t y)
{
    return vuzp2q_u16(vreinterpretq_u16_f32(vcvtq_f32_s32(x)),
                      vreinterpretq_u16_f32(vcvtq_f32_s32(y)));
}

/* Four groups' sums of two rows, as struct tsr_block has them. */
INLINE void put_groups(uint16_t *to, size_t lines, int32x4_t x, int32x4_t y)
{
    const int32x4_t u = vshlq_n_s32(vrshrq_n_s32(x, 5), 5), v = vshlq_n_s32(vrshrq_n_s32(y, 5), 5);
    vst1q_u16(to, as_bf16(u, v));
    vst1q_u16(to + 8 * lines, as_bf16(vsubq_s32(x, u), vsubq_s32(y, v)));
}

/* Sums of the packed codes: of each group, and of all. */
static void sum_two(const struct tsr_rows *r, size_t i, const struct cells *c)
{
    const uint8_t *at = c->to;
    int32x4_t all = vdupq_n_s32(0);
    size_t s = 0;
    for (; r->a_groups != NULL && s < c->steps; s += 16, at += 16 * c->stride) {
        int32x4_t sum[4];
        for (size_t g = 0; g < 4; g++)
            sum[g] = group_sum(at + 4 * g * c->stride, c->stride);
        const int32x4_t x = vpaddq_s32(sum[0], sum[1]), y = vpaddq_s32(sum[2], sum[3]);
        /* Of super-block s / 32 the half s / 16 % 2. */
        put_groups(r->a_groups + (s / 32 * 16 + s / 16 % 2 * 4) * r->lines + i * 4, r->lines,
                   vuzp1q_s32(x, y), vuzp2q_s32(x, y));
        all = vaddq_s32(all, vaddq_s32(vaddq_s32(sum[0], sum[1]), vaddq_s32(sum[2], sum[3])));
    }
    for (; s + 4 <= c->steps; s += 4, at += 4 * c->stride) {
        const int32x4_t sum = group_sum(at, c->stride);
        all = vaddq_s32(all, sum);
    }
    for (; s < c->steps; s++, at += c->stride)
        all = vpadalq_s16(all, vpaddlq_s8(vreinterpretq_s8_u8(vld1q_u8(at))));
    const int32x4_t both = vpaddq_s32(all, all);
    vst1q_s32(r->a_sum + 2 * i, vzip1q_s32(both, both));
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
