/* SPDX-License-Identifier: Apache-2.0 */
/* i8, q8_0 and q4_0 back into f32 or bf16, for SVE at any vector length: the whole of
 * dequantize_int_<level>.c, which names the level. Contract: tessera/quant.h.
 *
 * A conversion instruction takes four times the cycles of an addition: instead the integer becomes
 * the low bits of a large f32, by an addition or by interleaving, from which a constant is taken
 * away. Level bf16 has an instruction that rounds to bf16, and leaves f32 to sve. The product is
 * added to +0, which makes +0 of the -0 of 0 under a negative scale. */
#ifndef QUANT_LEVEL
#error "QUANT_LEVEL is sve or bf16"
#endif

#include <arm_sve.h>
#include <string.h>

#include "kernels/quant/quant_sve.h"

#define NAME_(name, level) tsr_dequantize_##name##_##level
#define NAME(name, level) NAME_(name, level)
#define KERNEL(name) NAME(name, QUANT_LEVEL)

enum {
    BLOCKS = QUANT_CHUNK / QUANT_BLOCK,
    ROUND_BITS = 0x4B400000 /* of 1.5 * 2^23 */
};

/* v * s to element i. */
static QUANT_INLINE void put(svbool_t p, bool bf16, svfloat32_t v, svfloat32_t s, void *y, size_t i)
{
    const svbool_t all = svptrue_b32();
    /* The sign that s has not: -0 leaves every product as it is, +0 makes +0 of -0. */
    svuint32_t zero = svbic_x(all, svdup_u32(0x80000000), svreinterpret_u32(s));
    quant_store(p, bf16, false, y, i, svmad_x(all, v, s, svreinterpret_f32(zero)));
}

/* Integers of a byte from `codes` under one scale, to element i. */
static QUANT_INLINE void bytes(svbool_t p, bool bf16, const int8_t *codes, svfloat32_t s, void *y,
                               size_t i)
{
    svint32_t raised = svadd_x(p, svld1sb_s32(p, codes), ROUND_BITS);
    svfloat32_t v = svsub_x(p, svreinterpret_f32(raised), svdup_f32(QUANT_ROUND));
    put(p, bf16, v, s, y, i);
}

/* ---- i8 ------------------------------------------------------------------------------------- */

static QUANT_INLINE void group_of(bool bf16, const int8_t *codes, size_t n, float scale, void *y,
                                  size_t at)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    const svfloat32_t s = svdup_f32(scale);
    size_t i = 0;
    for (; n - i >= 4 * vl; i += 4 * vl) {
        QUANT_UNROLL
        for (unsigned k = 0; k < 4; k++)
            bytes(all, bf16, codes + i + k * vl, s, y, at + i + k * vl);
    }
    for (; i < n; i += vl)
        bytes(svwhilelt_b32_u64(i, n), bf16, codes + i, s, y, at + i);
}

typedef void group_fn(const int8_t *codes, size_t n, float scale, void *y, size_t at);

static void row_i8(group_fn *values, size_t n, size_t group, const int8_t *codes,
                   const char *scales, void *y)
{
    group = group > 0 && group < n ? group : n;
    for (size_t at = 0, here; at < n; at += here, scales += 4) {
        uint32_t bits;
        float s;
        here = n - at < group ? n - at : group;
        memcpy(&bits, scales, 4);
        if ((bits & UINT32_C(0x7FFFFFFF)) > TSR_NUM_INF)
            bits = TSR_NUM_NAN;
        bits = bits == UINT32_C(0x80000000) ? 0 : bits;
        memcpy(&s, &bits, 4);
        values(codes + at, here, s, y, at);
    }
}

/* ---- q8_0, q4_0 ----------------------------------------------------------------------------- */

/* f16 scales to f32, NaNs to the one, -0 to +0. */
static QUANT_PASS void gguf_scales(size_t blocks, const uint16_t *scales, float *out)
{
    for (size_t b = 0; b < blocks; b += svcntw()) {
        svbool_t p = svwhilelt_b32_u64(b, blocks);
        svfloat32_t s = svcvt_f32_x(p, svreinterpret_f16(svld1uh_u32(p, scales + b)));
        svuint32_t bits = svsel(svcmpuo(p, s, s), svdup_u32(TSR_NUM_NAN), svreinterpret_u32(s));
        bits = svsel(svcmpeq(p, bits, UINT32_C(0x80000000)), svdup_u32(0), bits);
        s = svreinterpret_f32(bits);
        svst1(p, out + b, s);
    }
}

/* `slots`: f32 vectors that hold a block, 0: as many as the vector length asks for. */
static QUANT_INLINE void blocks_8(unsigned slots, bool bf16, const int8_t *codes, size_t blocks,
                                  const float *scales, void *y, size_t at)
{
    const uint64_t vl = svcntw();
    const unsigned count = slots > 0 ? slots : (unsigned)((QUANT_BLOCK + vl - 1) / vl);
    for (size_t b = 0; b < blocks; b++, codes += QUANT_BLOCK, at += QUANT_BLOCK) {
        const svfloat32_t s = svdup_f32(scales[b]);
        QUANT_UNROLL
        for (unsigned i = 0; i < count; i++) {
            svbool_t p = slots > 0 ? svptrue_b32() : svwhilelt_b32_u64(i * vl, QUANT_BLOCK);
            bytes(p, bf16, codes + i * vl, s, y, at + i * vl);
        }
    }
}

/* A quarter of a vector of nibbles, as f32 2^23 + nibble, to 32 elements from `at` on. */
static QUANT_INLINE void nibbles(bool whole, bool bf16, svuint16_t raised, svfloat32_t s, void *y,
                                 size_t at, unsigned vector)
{
    const uint64_t vl = svcntw();
    svbool_t p = whole ? svptrue_b32() : svwhilelt_b32_u64(vector * vl, QUANT_BLOCK);
    svfloat32_t v = svsub_x(svptrue_b32(), svreinterpret_f32(raised), svdup_f32(0x1p23f + 8));
    put(p, bf16, v, s, y, at + vector * vl);
}

/* `slots`: vectors of bytes that hold a block's nibbles, two elements a byte of them; 0: one, or
 * its beginning. */
static QUANT_INLINE void blocks_4(unsigned slots, bool bf16, const uint8_t *codes, size_t blocks,
                                  const float *scales, void *y, size_t at)
{
    const uint64_t vl = svcnth();
    const bool whole = slots > 0;
    const svbool_t all = svptrue_b16();
    const svuint16_t high = svdup_u16(0x4B00); /* above: the upper half of 2^23 */
    const svuint8_t zero = svdup_u8(0);
    for (size_t b = 0; b < blocks; b++, codes += QUANT_BLOCK / 2, at += QUANT_BLOCK) {
        const svfloat32_t s = svdup_f32(scales[b]);
        for (unsigned i = 0; i < (whole ? slots : 1); i++) {
            svbool_t p = whole ? all : svwhilelt_b16_u64(0, QUANT_BLOCK / 2);
            svuint16_t pair = svld1ub_u16(p, codes + i * vl);
            pair = svand_x(all, svorr_x(all, pair, svlsl_x(all, pair, 4)), 0x0F0F);
            svuint16_t lo = svreinterpret_u16(svzip1(svreinterpret_u8(pair), zero));
            svuint16_t hi = svreinterpret_u16(svzip2(svreinterpret_u8(pair), zero));
            nibbles(whole, bf16, svzip1(lo, high), s, y, at, 4 * i);
            nibbles(whole, bf16, svzip2(lo, high), s, y, at, 4 * i + 1);
            nibbles(whole, bf16, svzip1(hi, high), s, y, at, 4 * i + 2);
            nibbles(whole, bf16, svzip2(hi, high), s, y, at, 4 * i + 3);
        }
    }
}

typedef void values_fn(const void *codes, size_t blocks, const float *scales, void *y, size_t at);
/* For 128, 256, 512 and other bits. */
struct lengths {
    values_fn *of[4];
};

/* Rows of q8_0 (8 bits) or q4_0. */
static void row(const struct lengths *values, unsigned bits, size_t n, const uint8_t *elements,
                const uint16_t *scales, void *y)
{
    float s[BLOCKS];
    values_fn *fn = values->of[quant_length()];
    for (size_t at = 0, here; at < n; at += here, scales += BLOCKS) {
        here = n - at < QUANT_CHUNK ? n - at : QUANT_CHUNK;
        gguf_scales(here / QUANT_BLOCK, scales, s);
        fn(elements + at * bits / 8, here / QUANT_BLOCK, s, y, at);
    }
}

#define PASS(name, body, slots, bf16)                                                              \
    static QUANT_PASS void name(const void *codes, size_t blocks, const float *scales, void *y,    \
                                size_t at)                                                         \
    {                                                                                              \
        body(slots, bf16, codes, blocks, scales, y, at);                                           \
    }
#define BLOCK_KERNEL(name, type, bits, body, slots, bf16)                                          \
    PASS(name##_values_##type##_128, body, slots, bf16)                                            \
    PASS(name##_values_##type##_256, body, (slots) / 2, bf16)                                      \
    PASS(name##_values_##type##_512, body, (slots) / 4, bf16)                                      \
    PASS(name##_values_##type##_any, body, 0, bf16)                                                \
    tsr_dequantize_row_fn KERNEL(name##_##type);                                                   \
    void KERNEL(name##_##type)(size_t n, size_t group, const void *elements, const void *scales,   \
                               void *y)                                                            \
    {                                                                                              \
        static const struct lengths values = {                                                     \
            {name##_values_##type##_128, name##_values_##type##_256, name##_values_##type##_512,   \
             name##_values_##type##_any}};                                                         \
        (void)group;                                                                               \
        row(&values, bits, n, elements, scales, y);                                                \
    }
#define KERNELS(type, bf16)                                                                        \
    static QUANT_PASS void i8_values_##type(const int8_t *codes, size_t n, float scale, void *y,   \
                                            size_t at)                                             \
    {                                                                                              \
        group_of(bf16, codes, n, scale, y, at);                                                    \
    }                                                                                              \
    tsr_dequantize_row_fn KERNEL(i8_##type);                                                       \
    void KERNEL(i8_##type)(size_t n, size_t group, const void *elements, const void *scales,       \
                           void *y)                                                                \
    {                                                                                              \
        row_i8(i8_values_##type, n, group, elements, scales, y);                                   \
    }                                                                                              \
    BLOCK_KERNEL(q8_0, type, 8, blocks_8, 8, bf16)                                                 \
    BLOCK_KERNEL(q4_0, type, 4, blocks_4, 2, bf16)

KERNELS(bf16, true)
#if !defined(__ARM_FEATURE_SVE_BF16)
KERNELS(f32, false)
#endif
