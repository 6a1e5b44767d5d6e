/* SPDX-License-Identifier: Apache-2.0 */
/* i8 with f32 scales for SVE at any vector length. Contract: tessera/quant.h.
 *
 * Two passes over each group, which stays in L1: the largest magnitude as an integer, then
 * x * r + 1.5 * 2^23, whose low byte is the rounded x * r in two's complement; storing the low
 * bytes of lanes costs no more than packing them. |x r| is at most 127 and three roundings, so
 * nothing needs clamping. Vector instructions per 4 elements: 2 + 3 (bf16: 1 + 4). */
#include <arm_sve.h>
#include <math.h>
#include <string.h>

#include "kernels/quant/quant_sve.h"

tsr_quantize_row_fn tsr_quantize_i8_f32_sve, tsr_quantize_i8_bf16_sve;
tsr_i8_max_f32_fn tsr_i8_max_f32_sve;
tsr_i8_codes_f32_fn tsr_i8_codes_f32_sve;

/* Largest magnitude of n f32, as bits. */
static QUANT_PASS uint32_t i8_max_f32(const uint32_t *x, size_t n)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    svuint32_t a = svdup_u32(0), b = a, c = a, d = a;
    const svuint32_t mask = svdup_u32(0x7FFFFFFF);
    size_t i = 0;
    for (; n - i >= 4 * vl; i += 4 * vl) {
        a = svmax_x(all, a, svand_x(all, svld1(all, x + i), mask));
        b = svmax_x(all, b, svand_x(all, svld1(all, x + i + vl), mask));
        c = svmax_x(all, c, svand_x(all, svld1(all, x + i + 2 * vl), mask));
        d = svmax_x(all, d, svand_x(all, svld1(all, x + i + 3 * vl), mask));
    }
    for (; i < n; i += vl)
        a = svmax_x(all, a, svand_x(all, svld1(svwhilelt_b32_u64(i, n), x + i), mask));
    return svmaxv(all, svmax_x(all, svmax_x(all, a, b), svmax_x(all, c, d)));
}

static QUANT_PASS uint32_t i8_max_bf16(const uint16_t *x, size_t n)
{
    const svbool_t all = svptrue_b16();
    const uint64_t vl = svcnth();
    svuint16_t a = svdup_u16(0), b = a, c = a, d = a;
    const svuint16_t mask = svdup_u16(0x7FFF);
    size_t i = 0;
    for (; n - i >= 4 * vl; i += 4 * vl) {
        a = svmax_x(all, a, svand_x(all, svld1(all, x + i), mask));
        b = svmax_x(all, b, svand_x(all, svld1(all, x + i + vl), mask));
        c = svmax_x(all, c, svand_x(all, svld1(all, x + i + 2 * vl), mask));
        d = svmax_x(all, d, svand_x(all, svld1(all, x + i + 3 * vl), mask));
    }
    for (; i < n; i += vl)
        a = svmax_x(all, a, svand_x(all, svld1(svwhilelt_b16_u64(i, n), x + i), mask));
    return (uint32_t)svmaxv(all, svmax_x(all, svmax_x(all, a, b), svmax_x(all, c, d))) << 16;
}

/* Elements x * r; x finite. */
static inline void put(svbool_t p, bool bf16, const void *x, size_t i, svfloat32_t r, int8_t *out)
{
    svfloat32_t v = svmul_x(p, quant_load(p, bf16, x, i), r);
    svst1b(p, out + i, svreinterpret_s32(svadd_x(p, v, svdup_f32(QUANT_ROUND))));
}

static QUANT_INLINE void encode(bool bf16, const void *x, size_t n, float scale, int8_t *out)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    const svfloat32_t r = svdup_f32(scale);
    size_t i = 0;
    for (; n - i >= 4 * vl; i += 4 * vl) {
        put(all, bf16, x, i, r, out);
        put(all, bf16, x, i + vl, r, out);
        put(all, bf16, x, i + 2 * vl, r, out);
        put(all, bf16, x, i + 3 * vl, r, out);
    }
    for (; i < n; i += vl)
        put(svwhilelt_b32_u64(i, n), bf16, x, i, r, out);
}

static QUANT_PASS void i8_encode_f32(const void *x, size_t n, float r, int8_t *out)
{
    encode(false, x, n, r, out);
}

static QUANT_PASS void i8_encode_bf16(const void *x, size_t n, float r, int8_t *out)
{
    encode(true, x, n, r, out);
}

static void row(bool bf16, size_t n, size_t group, const char *x, int8_t *elements, char *scales)
{
    group = group > 0 && group < n ? group : n;
    for (size_t at = 0, here; at < n; at += here, scales += 4) {
        here = n - at < group ? n - at : group;
        const void *in = x + at * (bf16 ? 2 : 4);
        uint32_t max = bf16 ? i8_max_bf16(in, here) : i8_max_f32(in, here);
        float m, s = 0, r = 0;
        memcpy(&m, &max, 4);
        if (max >= TSR_NUM_INF) {
            max = TSR_NUM_NAN;
            memcpy(scales, &max, 4);
            memset(elements + at, 0, here);
            continue;
        }
        if (max > 0) {
            s = m / 127;
            s = s < 0x1p-126f ? 0x1p-126f : s;
            r = 1 / s;
        }
        memcpy(scales, &s, 4);
        if (bf16)
            i8_encode_bf16(in, here, r, elements + at);
        else
            i8_encode_f32(in, here, r, elements + at);
    }
}

void tsr_quantize_i8_f32_sve(size_t n, size_t group, const void *x, void *elements, void *scales)
{
    row(false, n, group, x, elements, scales);
}

void tsr_quantize_i8_bf16_sve(size_t n, size_t group, const void *x, void *elements, void *scales)
{
    row(true, n, group, x, elements, scales);
}

uint32_t tsr_i8_max_f32_sve(size_t n, const float *x)
{
    return i8_max_f32((const uint32_t *)(const void *)x, n);
}

void tsr_i8_codes_f32_sve(size_t n, const float *x, float scale, int8_t *elements)
{
    if (isnan(scale))
        memset(elements, 0, n);
    else
        i8_encode_f32(x, n, scale > 0 ? 1 / scale : 0, elements);
}
