/* SPDX-License-Identifier: Apache-2.0 */
/* f8e4m3, mxf8e4m3 and mxf4 back into f32 or bf16, for SVE at any vector length. Contract:
 * tessera/quant.h.
 *
 * e4m3: sign, exponent and mantissa moved to where f32 has them are the value times 2^-120,
 * subnormals too: one exact product brings it back. e2m1: a table of 16 bf16, byte by byte. The
 * scale 2^X is a second product, rounded where it must be. bf16 takes the upper halves, which hold
 * all of a normal value; rows with a NaN in e4m3, and for bf16 chunks with a scale so small that
 * values are subnormal, are rare and go to the reference. */
#include <arm_sve.h>
#include <string.h>

#include "kernels/quant/quant_ref.h"
#include "kernels/quant/quant_sve.h"

tsr_dequantize_row_fn tsr_dequantize_f8e4m3_f32_sve, tsr_dequantize_f8e4m3_bf16_sve;
tsr_dequantize_row_fn tsr_dequantize_mxf8e4m3_f32_sve, tsr_dequantize_mxf8e4m3_bf16_sve;
tsr_dequantize_row_fn tsr_dequantize_mxf4_f32_sve, tsr_dequantize_mxf4_bf16_sve;

enum {
    BLOCKS = QUANT_CHUNK / QUANT_BLOCK,
    LEAST_SCALE = 10 /* e4m3's 2^-9 times 2^(10 - 127) is bf16's smallest normal */
};

/* A vector of e4m3 codes as f32. */
static QUANT_INLINE svfloat32_t e4m3(svbool_t p, const int8_t *codes)
{
    svuint32_t v = svlsl_x(p, svreinterpret_u32(svld1sb_s32(p, codes)), 20);
    svuint32_t fields = svdup_u32(0x87F00000);
    __asm__("" : "+w"(fields)); /* in a register: the form with a constant takes two instructions */
    return svmul_x(p, svreinterpret_f32(svand_x(p, v, fields)), svdup_f32(0x1p120f));
}

/* Whether a code of n is a NaN. */
static QUANT_PASS bool e4m3_nan(const uint8_t *codes, size_t n)
{
    const uint64_t vl = svcntb();
    const svbool_t all = svptrue_b8();
    const svuint8_t mask = svdup_u8(0x7F);
    svuint8_t a = svdup_u8(0), b = a, c = a, d = a;
    size_t i = 0;
    for (; n - i >= 4 * vl; i += 4 * vl) {
        a = svmax_x(all, a, svand_x(all, svld1(all, codes + i), mask));
        b = svmax_x(all, b, svand_x(all, svld1(all, codes + i + vl), mask));
        c = svmax_x(all, c, svand_x(all, svld1(all, codes + i + 2 * vl), mask));
        d = svmax_x(all, d, svand_x(all, svld1(all, codes + i + 3 * vl), mask));
    }
    for (; i < n; i += vl)
        a = svmax_x(all, a, svand_x(all, svld1(svwhilelt_b8_u64(i, n), codes + i), mask));
    svuint8_t most = svmax_x(all, svmax_x(all, a, b), svmax_x(all, c, d));
    return svmaxv(all, most) == 0x7F;
}

static QUANT_INLINE void plain(bool bf16, const int8_t *codes, size_t n, void *y)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    size_t i = 0;
    for (; n - i >= 4 * vl; i += 4 * vl) {
        QUANT_UNROLL
        for (unsigned k = 0; k < 4; k++)
            quant_store(all, bf16, true, y, i + k * vl, e4m3(all, codes + i + k * vl));
    }
    for (; i < n; i += vl) {
        svbool_t p = svwhilelt_b32_u64(i, n);
        quant_store(p, bf16, true, y, i, e4m3(p, codes + i));
    }
}

static QUANT_PASS void f8e4m3_values_f32(const int8_t *codes, size_t n, void *y)
{
    plain(false, codes, n, y);
}

static QUANT_PASS void f8e4m3_values_bf16(const int8_t *codes, size_t n, void *y)
{
    plain(true, codes, n, y);
}

void tsr_dequantize_f8e4m3_f32_sve(size_t n, size_t group, const void *elements, const void *scales,
                                   void *y)
{
    (void)group;
    if (e4m3_nan(elements, n))
        dequant_row_ref(TSR_F8E4M3, false, n, 0, elements, scales, y);
    else
        f8e4m3_values_f32(elements, n, y);
}

void tsr_dequantize_f8e4m3_bf16_sve(size_t n, size_t group, const void *elements,
                                    const void *scales, void *y)
{
    (void)group;
    if (e4m3_nan(elements, n))
        dequant_row_ref(TSR_F8E4M3, true, n, 0, elements, scales, y);
    else
        f8e4m3_values_bf16(elements, n, y);
}

/* ---- mx ------------------------------------------------------------------------------------- */

/* 2^X of each scale, NaN of 0xFF. False where one is below LEAST_SCALE. */
static QUANT_PASS bool mx_powers(size_t blocks, const uint8_t *scales, float *out)
{
    bool normal = true;
    for (size_t b = 0; b < blocks; b += svcntw()) {
        svbool_t p = svwhilelt_b32_u64(b, blocks);
        svuint32_t code = svld1ub_u32(p, scales + b);
        normal &= !svptest_any(p, svcmplt(p, code, LEAST_SCALE));
        /* The field of 0xFF with a mantissa is a NaN; that of 0 has none, 2^-127 is subnormal. */
        svuint32_t power = svlsl_x(p, code, 23);
        svbool_t edge = svcmpeq(p, power, 0);
        edge = svorr_z(p, edge, svcmpeq(p, code, 0xFF));
        svst1(p, (uint32_t *)(void *)out + b, svorr_m(edge, power, 0x00400000));
    }
    return normal;
}

static QUANT_INLINE void blocks_8(unsigned slots, bool bf16, const uint8_t *elements, size_t blocks,
                                  const float *scales, void *y, size_t at)
{
    const uint64_t vl = svcntw();
    const unsigned count = slots > 0 ? slots : (unsigned)((QUANT_BLOCK + vl - 1) / vl);
    const int8_t *codes = (const int8_t *)elements;
    for (size_t b = 0; b < blocks; b++, codes += QUANT_BLOCK, at += QUANT_BLOCK) {
        const svfloat32_t s = svdup_f32(scales[b]);
        QUANT_UNROLL
        for (unsigned i = 0; i < count; i++) {
            svbool_t p = slots > 0 ? svptrue_b32() : svwhilelt_b32_u64(i * vl, QUANT_BLOCK);
            quant_store(p, bf16, true, y, at + i * vl, svmul_x(p, e4m3(p, codes + i * vl), s));
        }
    }
}

/* Halves of bf16 widened by zeros below, times s, to 32 elements from `at` on. */
static QUANT_INLINE void widened(bool whole, bool bf16, svuint16_t bits, svfloat32_t s, void *y,
                                 size_t at, unsigned vector)
{
    const uint64_t vl = svcntw();
    svbool_t p = whole ? svptrue_b32() : svwhilelt_b32_u64(vector * vl, QUANT_BLOCK);
    svfloat32_t v = svmul_x(svptrue_b32(), svreinterpret_f32(bits), s);
    quant_store(p, bf16, true, y, at + vector * vl, v);
}

static QUANT_INLINE void blocks_4(unsigned slots, bool bf16, const uint8_t *codes, size_t blocks,
                                  const float *scales, void *y, size_t at)
{
    /* bf16 of e2m1's codes, upper and lower bytes. */
    static const uint8_t upper[16] = {0x00, 0x3F, 0x3F, 0x3F, 0x40, 0x40, 0x40, 0x40,
                                      0x80, 0xBF, 0xBF, 0xBF, 0xC0, 0xC0, 0xC0, 0xC0};
    static const uint8_t lower[16] = {0x00, 0x00, 0x80, 0xC0, 0x00, 0x40, 0x80, 0xC0,
                                      0x00, 0x00, 0x80, 0xC0, 0x00, 0x40, 0x80, 0xC0};
    const uint64_t vl = svcnth();
    const bool whole = slots > 0;
    const svbool_t all = svptrue_b16();
    const svuint8_t up = svld1rq(svptrue_b8(), upper), low = svld1rq(svptrue_b8(), lower);
    const svuint16_t zero = svdup_u16(0);
    for (size_t b = 0; b < blocks; b++, codes += QUANT_BLOCK / 2, at += QUANT_BLOCK) {
        const svfloat32_t s = svdup_f32(scales[b]);
        for (unsigned i = 0; i < (whole ? slots : 1); i++) {
            svbool_t p = whole ? all : svwhilelt_b16_u64(0, QUANT_BLOCK / 2);
            svuint16_t pair = svld1ub_u16(p, codes + i * vl);
            pair = svand_x(all, svorr_x(all, pair, svlsl_x(all, pair, 4)), 0x0F0F);
            svuint8_t u = svtbl(up, svreinterpret_u8(pair));
            svuint8_t l = svtbl(low, svreinterpret_u8(pair));
            svuint16_t lo = svreinterpret_u16(svzip1(l, u)), hi = svreinterpret_u16(svzip2(l, u));
            widened(whole, bf16, svzip1(zero, lo), s, y, at, 4 * i);
            widened(whole, bf16, svzip2(zero, lo), s, y, at, 4 * i + 1);
            widened(whole, bf16, svzip1(zero, hi), s, y, at, 4 * i + 2);
            widened(whole, bf16, svzip2(zero, hi), s, y, at, 4 * i + 3);
        }
    }
}

#define COPY(name, type, bits, body, slots, bf16)                                                  \
    static QUANT_PASS void name##_values_##type##_##bits(const uint8_t *codes, size_t blocks,      \
                                                         const float *scales, void *y, size_t at)  \
    {                                                                                              \
        body(slots, bf16, codes, blocks, scales, y, at);                                           \
    }
#define COPIES(bits, slots)                                                                        \
    COPY(mxf8e4m3, f32, bits, blocks_8, slots, false)                                              \
    COPY(mxf8e4m3, bf16, bits, blocks_8, slots, true)                                              \
    COPY(mxf4, f32, bits, blocks_4, (slots) / 4, false)                                            \
    COPY(mxf4, bf16, bits, blocks_4, (slots) / 4, true)
COPIES(128, 8)
COPIES(256, 4)
COPIES(512, 2)
COPIES(any, 0)

typedef void values_fn(const uint8_t *codes, size_t blocks, const float *scales, void *y,
                       size_t at);
/* For 128, 256, 512 and other bits. */
struct lengths {
    values_fn *of[4];
};
#define LENGTHS(pass)                                                                              \
    {                                                                                              \
        {                                                                                          \
            pass##_128, pass##_256, pass##_512, pass##_any                                         \
        }                                                                                          \
    }
static void row(enum tsr_dtype format, bool bf16, size_t n, const struct lengths *values,
                const uint8_t *elements, const uint8_t *scales, char *y)
{
    float powers[BLOCKS];
    values_fn *fn = values->of[quant_length()];
    size_t bits = format == TSR_MXF4 ? 4 : 8;
    for (size_t at = 0, here; at < n; at += here) {
        here = n - at < QUANT_CHUNK ? n - at : QUANT_CHUNK;
        const uint8_t *e = elements + at * bits / 8, *s = scales + at / QUANT_BLOCK;
        size_t blocks = here / QUANT_BLOCK, whole = blocks * QUANT_BLOCK;
        bool normal = mx_powers(blocks, s, powers);
        if ((bf16 && !normal) || (format == TSR_MXF8E4M3 && e4m3_nan(e, whole)))
            whole = 0;
        else
            fn(e, blocks, powers, y, at);
        if (whole < here) /* also a last block that is not whole */
            dequant_row_ref(format, bf16, here - whole, 0, e + whole * bits / 8,
                            s + whole / QUANT_BLOCK, y + (at + whole) * (bf16 ? 2 : 4));
    }
}

#define ROW(name, code, type, bf16)                                                                \
    void tsr_dequantize_##name##_##type##_sve(size_t n, size_t group, const void *elements,        \
                                              const void *scales, void *y)                         \
    {                                                                                              \
        static const struct lengths values = LENGTHS(name##_values_##type);                        \
        (void)group;                                                                               \
        row(code, bf16, n, &values, elements, scales, y);                                          \
    }
ROW(mxf8e4m3, TSR_MXF8E4M3, f32, false)
ROW(mxf8e4m3, TSR_MXF8E4M3, bf16, true)
ROW(mxf4, TSR_MXF4, f32, false)
ROW(mxf4, TSR_MXF4, bf16, true)
