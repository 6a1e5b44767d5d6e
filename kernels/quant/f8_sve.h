/* SPDX-License-Identifier: Apache-2.0 */
/* f8e4m3, and mxf8e4m3 and mxf4 under a scale of each block, for SVE at any vector length: the
 * whole of quantize_f8_<level>.c, which names the level. Contract: tessera/quant.h.
 *
 * All work is on lanes of 16 bits. An f32 becomes a bf16 cut toward zero whose lowest bit tells
 * whether anything was lost (a bf16 is one already): 8 bits, of which the element keeps 4 or 2, so
 * rounding that is rounding the f32. The exponent less a constant, or less the block's, makes an
 * f16 of the magnitude to encode: y. With e = max(2^floor(log2 y), least normal), the f16 addition
 * S = y + e 2^(10 - mbits) rounds y to the element's precision, to nearest even, subnormals and
 * all; its low bits count the element's steps and its exponent field the exponent:
 *   (S >> (10 - mbits)) + S = code + ((15 + 10 - mbits + least exponent) << mbits)
 * in the low byte. SVE2 shifts and adds in one instruction and merges signs in one. NaN, and blocks
 * beyond what 16 bits hold, are rare: such a row is done again by the reference. */
#ifndef QUANT_LEVEL
#error "QUANT_LEVEL is sve or sve2"
#endif

#include <arm_sve.h>
#include <string.h>

#include "kernels/quant/quant_ref.h"
#include "kernels/quant/quant_sve.h"

#define NAME_(name, level) tsr_quantize_##name##_##level
#define NAME(name, level) NAME_(name, level)
#define KERNEL(name) NAME(name, QUANT_LEVEL)

tsr_quantize_row_fn KERNEL(f8e4m3_f32), KERNEL(f8e4m3_bf16);
tsr_quantize_row_fn KERNEL(mxf8e4m3_f32), KERNEL(mxf8e4m3_bf16);
tsr_quantize_row_fn KERNEL(mxf4_f32), KERNEL(mxf4_bf16);

enum {
    BLOCKS = QUANT_CHUNK / QUANT_BLOCK,
    MAGNITUDE = 0x7FFF,
    INFINITE = 0x7F80,        /* bf16 */
    REBIAS = (127 - 15) << 7, /* bf16's bias less f16's, in place */
    E4M3_MOST = 23 << 7 | 96, /* 448 after rebiasing */
    E4M3_LEAST = 9 << 10,     /* f16 2^-6 */
    E2M1_LEAST = 15 << 10,    /* f16 1 */
    E2M1_MOST = 48 | 7,       /* in a byte with what the exponent field brings */
};

/* Two vectors of f32 bits: bf16 toward zero, the lowest bit sticky. */
static QUANT_INLINE svuint16_t narrow(svuint32_t a, svuint32_t b)
{
    svuint16_t low = svuzp1(svreinterpret_u16(a), svreinterpret_u16(b));
    svuint16_t high = svuzp2(svreinterpret_u16(a), svreinterpret_u16(b));
    return svorr_x(svptrue_b16(), high, svmin_x(svptrue_b16(), low, 1));
}

/* A vector of such from element i of n on; zeros beyond. */
static QUANT_INLINE svuint16_t load(bool bf16, const void *x, size_t i, size_t n)
{
    if (bf16)
        return svld1(svwhilelt_b16_u64(i, n), (const uint16_t *)x + i);
    const uint32_t *f = (const uint32_t *)x + i;
    return narrow(svld1(svwhilelt_b32_u64(i, n), f),
                  svld1(svwhilelt_b32_u64(i + svcntw(), n), f + svcntw()));
}

static QUANT_INLINE svuint16_t load_whole(bool bf16, const void *x, size_t i)
{
    if (bf16)
        return svld1(svptrue_b16(), (const uint16_t *)x + i);
    const uint32_t *f = (const uint32_t *)x + i;
    return narrow(svld1(svptrue_b32(), f), svld1(svptrue_b32(), f + svcntw()));
}

/* x + (x >> BY), BY a constant expression. */
#if defined(__ARM_FEATURE_SVE2)
#define ADD_SHIFTED(x, by) svsra(x, x, by)
#else
#define ADD_SHIFTED(x, by) svadd_x(svptrue_b16(), svlsr_x(svptrue_b16(), x, by), x)
#endif

/* The bits of a where the mask has ones, else those of b. */
static QUANT_INLINE svuint8_t merge(svuint8_t a, svuint8_t b, uint8_t mask)
{
#if defined(__ARM_FEATURE_SVE2)
    return svbsl(a, b, svdup_u8(mask));
#else
    const svbool_t all = svptrue_b8();
    return svorr_x(all, svand_x(all, a, mask), svand_x(all, b, (uint8_t)~mask));
#endif
}

/* Low bytes: codes, with the exponent field's offset, of y as f16 shifted right by 3. */
static QUANT_INLINE svuint16_t round_to(int mbits, uint16_t least, svuint16_t y)
{
    const svbool_t all = svptrue_b16();
    svuint16_t half = svlsl_x(all, y, 3);
    svuint16_t field = svdup_u16(0x7C00);
    /* In a register, unknown: the immediate form of `and` overwrites, and would need a copy. */
    __asm__("" : "+w"(field));
    svuint16_t e = svmax_x(all, svand_x(all, half, field), svdup_u16(least));
    const svfloat16_t up = svdup_f16((float16_t)(1 << (10 - mbits)));
    svuint16_t s =
        svreinterpret_u16(svmla_x(all, svreinterpret_f16(half), svreinterpret_f16(e), up));
    if (mbits == 3)
        return ADD_SHIFTED(s, 10 - 3);
    return ADD_SHIFTED(s, 10 - 1);
}

/* Codes of e4m3 in the order of the lanes of a, then b; the offset is 128, no sign yet. */
static QUANT_INLINE svuint8_t e4m3(svuint16_t a, svuint16_t b, svuint16_t rebias)
{
    const svbool_t all = svptrue_b16();
    const svuint16_t most = svdup_u16(E4M3_MOST), mask = svdup_u16(MAGNITUDE);
    svuint16_t ya = svmin_x(all, svqsub(svand_x(all, a, mask), rebias), most);
    svuint16_t yb = svmin_x(all, svqsub(svand_x(all, b, mask), rebias), most);
    svuint8_t codes = svuzp1(svreinterpret_u8(round_to(3, E4M3_LEAST, ya)),
                             svreinterpret_u8(round_to(3, E4M3_LEAST, yb)));
    svuint8_t tops = svuzp2(svreinterpret_u8(a), svreinterpret_u8(b));
#if defined(__ARM_FEATURE_SVE2)
    return merge(codes, tops, 0x7F);
#else
    return sveor_x(svptrue_b8(), codes, svbic_x(svptrue_b8(), svdup_u8(0x80), tops));
#endif
}

/* Nibbles of e2m1, each pair in the low byte of a lane of 16 bits. */
static QUANT_INLINE svuint16_t e2m1(svuint16_t a, svuint16_t b, svuint16_t rebias)
{
    const svbool_t all = svptrue_b16(), bytes = svptrue_b8();
    const svuint16_t mask = svdup_u16(MAGNITUDE);
    svuint16_t ya = svqsub(svand_x(all, a, mask), rebias);
    svuint16_t yb = svqsub(svand_x(all, b, mask), rebias);
    svuint8_t codes = svuzp1(svreinterpret_u8(round_to(1, E2M1_LEAST, ya)),
                             svreinterpret_u8(round_to(1, E2M1_LEAST, yb)));
    svuint8_t tops = svuzp2(svreinterpret_u8(a), svreinterpret_u8(b));
    codes = merge(svmin_x(bytes, codes, E2M1_MOST), svlsr_x(bytes, tops, 4), 7);
    svuint16_t pairs = svreinterpret_u16(codes);
    return ADD_SHIFTED(pairs, 4);
}

/* ---- f8e4m3 --------------------------------------------------------------------------------- */

/* n elements; whether there was no NaN. */
static QUANT_INLINE bool plain(bool bf16, const void *x, size_t n, uint8_t *out)
{
    const svbool_t all = svptrue_b16();
    const uint64_t vl = svcnth();
    const svuint16_t rebias = svdup_u16(REBIAS), mask = svdup_u16(MAGNITUDE);
    svuint16_t most = svdup_u16(0);
    size_t i = 0;
    for (; n - i >= 2 * vl; i += 2 * vl) {
        svuint16_t a = load_whole(bf16, x, i), b = load_whole(bf16, x, i + vl);
        most = svmax_x(all, most, svand_x(all, a, mask));
        most = svmax_x(all, most, svand_x(all, b, mask));
        svst1(svptrue_b8(), out + i, e4m3(a, b, rebias));
    }
    if (i < n) {
        svuint16_t a = load(bf16, x, i, n), b = load(bf16, x, i + vl, n);
        most = svmax_x(all, most, svand_x(all, svmax_x(all, a, b), mask));
        most = svmax_x(all, most, svand_x(all, a, mask));
        most = svmax_x(all, most, svand_x(all, b, mask));
        svst1(svwhilelt_b8_u64(i, n), out + i, e4m3(a, b, rebias));
    }
    return svmaxv(all, most) <= INFINITE;
}

static QUANT_PASS bool f8e4m3_f32(const void *x, size_t n, uint8_t *out)
{
    return plain(false, x, n, out);
}

static QUANT_PASS bool f8e4m3_bf16(const void *x, size_t n, uint8_t *out)
{
    return plain(true, x, n, out);
}

void KERNEL(f8e4m3_f32)(size_t n, size_t group, const void *x, void *elements, void *scales)
{
    (void)group;
    (void)scales;
    if (!f8e4m3_f32(x, n, elements))
        quant_row_ref(TSR_F8E4M3, false, n, 0, x, elements, NULL);
}

void KERNEL(f8e4m3_bf16)(size_t n, size_t group, const void *x, void *elements, void *scales)
{
    (void)group;
    (void)scales;
    if (!f8e4m3_bf16(x, n, elements))
        quant_row_ref(TSR_F8E4M3, true, n, 0, x, elements, NULL);
}

/* ---- mx ------------------------------------------------------------------------------------- */

/* Vectors of 16 bits that hold a block: a constant in the copies for 128 and 256 bits; else one
 * vector or its beginning, and 0 for lengths that are no power of two. */
static QUANT_INLINE svbool_t slot(unsigned slots)
{
    return slots > 1 || svcnth() <= QUANT_BLOCK ? svptrue_b16() : svwhilelt_b16_u64(0, QUANT_BLOCK);
}

/* n f32 to bf16 with a sticky bit. */
static QUANT_PASS void mx_narrow(const void *x, size_t n, uint16_t *out)
{
    const uint64_t vl = svcnth();
    size_t i = 0;
    for (; n - i >= 2 * vl; i += 2 * vl) {
        svst1(svptrue_b16(), out + i, load_whole(false, x, i));
        svst1(svptrue_b16(), out + i + vl, load_whole(false, x, i + vl));
    }
    for (; i < n; i += vl)
        svst1(svwhilelt_b16_u64(i, n), out + i, load(false, x, i, n));
}

/* The largest magnitude of each block. */
static QUANT_INLINE void block_max(unsigned slots, const uint16_t *x, size_t blocks, uint16_t *max)
{
    const svbool_t all = svptrue_b16();
    for (size_t b = 0; b < blocks; b++) {
        const uint16_t *in = x + b * QUANT_BLOCK;
        svuint16_t most = svand_x(all, svld1(slot(slots), in), MAGNITUDE);
        QUANT_UNROLL
        for (unsigned i = 1; i < slots; i++) {
            svuint16_t v = svld1(slot(slots), in + i * svcnth());
            most = svmax_x(all, most, svand_x(all, v, MAGNITUDE));
        }
        max[b] = svmaxv(all, most);
    }
}

/* Scales, and in place of the maxima what rebiases the block's exponents. False where a block holds
 * NaN or infinity, or where that would be negative. */
static QUANT_PASS bool mx_scales(unsigned emax, size_t blocks, uint16_t *max, uint8_t *scales)
{
    svbool_t bad = svpfalse();
    for (size_t b = 0; b < blocks; b += svcnth()) {
        svbool_t p = svwhilelt_b16_u64(b, blocks);
        svuint16_t m = svld1(p, max + b), field = svlsr_x(p, m, 7);
        svst1b(p, scales + b, svqsub(field, svdup_u16((uint16_t)emax)));
        svuint16_t rebias = svsub_x(p, field, (uint16_t)(emax + 15));
        svst1(p, max + b, svlsl_x(p, rebias, 7));
        svbool_t off = svcmpgt(p, rebias, (uint16_t)(254 - emax - 15));
        bad = svorr_z(svptrue_b16(), bad, svand_z(svptrue_b16(), off, svcmpne(p, m, 0)));
    }
    return !svptest_any(svptrue_b16(), bad);
}

static QUANT_INLINE void encode_e4m3(unsigned slots, const uint16_t *x, size_t blocks,
                                     const uint16_t *rebias, uint8_t *out)
{
    const uint64_t vl = svcnth();
    for (size_t b = 0; b < blocks; b++, x += QUANT_BLOCK, out += QUANT_BLOCK) {
        const svuint16_t by = svdup_u16(rebias[b]);
        if (slots == 1) { /* the block's half of a vector of bytes, or less */
            svuint16_t v = svld1(slot(1), x);
            svst1(svwhilelt_b8_u64(0, QUANT_BLOCK), out, e4m3(v, v, by));
        }
        QUANT_UNROLL
        for (unsigned i = 0; i + 1 < slots; i += 2) {
            svuint16_t v = svld1(svptrue_b16(), x + i * vl);
            svuint16_t w = svld1(svptrue_b16(), x + i * vl + vl);
            svst1(svptrue_b8(), out + i * vl, e4m3(v, w, by));
        }
    }
}

static QUANT_INLINE void encode_e2m1(unsigned slots, const uint16_t *x, size_t blocks,
                                     const uint16_t *rebias, uint8_t *out)
{
    const uint64_t vl = svcnth();
    for (size_t b = 0; b < blocks; b++, x += QUANT_BLOCK, out += QUANT_BLOCK / 2) {
        const svuint16_t by = svdup_u16(rebias[b]);
        if (slots == 1) {
            svuint16_t v = svld1(slot(1), x);
            svst1b(svwhilelt_b16_u64(0, QUANT_BLOCK / 2), out, e2m1(v, v, by));
        }
        QUANT_UNROLL
        for (unsigned i = 0; i + 1 < slots; i += 2) {
            svuint16_t v = svld1(svptrue_b16(), x + i * vl);
            svuint16_t w = svld1(svptrue_b16(), x + i * vl + vl);
            svst1b(svptrue_b16(), out + i * vl / 2, e2m1(v, w, by));
        }
    }
}

#define COPIES(bits, slots)                                                                        \
    static QUANT_PASS void mx_max_##bits(const uint16_t *x, size_t blocks, uint16_t *max)          \
    {                                                                                              \
        block_max(slots, x, blocks, max);                                                          \
    }                                                                                              \
    static QUANT_PASS void mxf8e4m3_encode_##bits(const uint16_t *x, size_t blocks,                \
                                                  const uint16_t *rebias, uint8_t *out)            \
    {                                                                                              \
        encode_e4m3(slots, x, blocks, rebias, out);                                                \
    }                                                                                              \
    static QUANT_PASS void mxf4_encode_##bits(const uint16_t *x, size_t blocks,                    \
                                              const uint16_t *rebias, uint8_t *out)                \
    {                                                                                              \
        encode_e2m1(slots, x, blocks, rebias, out);                                                \
    }
COPIES(128, 4)
COPIES(256, 2)
COPIES(512, 1)

/* Whole blocks; false: nothing of use was written. */
static bool chunk(enum tsr_dtype format, const uint16_t *x, size_t blocks, uint8_t *elements,
                  uint8_t *scales)
{
    uint16_t max[BLOCKS];
    unsigned slots = svcnth() >= QUANT_BLOCK ? 1 : QUANT_BLOCK / (unsigned)svcnth();
    if (slots == 4)
        mx_max_128(x, blocks, max);
    else if (slots == 2)
        mx_max_256(x, blocks, max);
    else
        mx_max_512(x, blocks, max);
    if (!mx_scales(format == TSR_MXF4 ? 2 : 8, blocks, max, scales))
        return false;
    if (format == TSR_MXF4)
        (slots == 4   ? mxf4_encode_128
         : slots == 2 ? mxf4_encode_256
                      : mxf4_encode_512)(x, blocks, max, elements);
    else
        (slots == 4   ? mxf8e4m3_encode_128
         : slots == 2 ? mxf8e4m3_encode_256
                      : mxf8e4m3_encode_512)(x, blocks, max, elements);
    return true;
}

static void row(enum tsr_dtype format, bool bf16, size_t n, const char *x, uint8_t *elements,
                uint8_t *scales)
{
    uint16_t narrowed[QUANT_CHUNK];
    bool odd_length = QUANT_BLOCK % svcnth() != 0 && svcnth() % QUANT_BLOCK != 0;
    size_t bits = format == TSR_MXF4 ? 4 : 8;
    for (size_t at = 0, here; at < n; at += here) {
        here = n - at < QUANT_CHUNK ? n - at : QUANT_CHUNK;
        size_t blocks = (here + QUANT_BLOCK - 1) / QUANT_BLOCK;
        const void *in = x + at * (bf16 ? 2 : 4);
        const uint16_t *h = in;
        uint8_t *e = elements + at * bits / 8, *s = scales + at / QUANT_BLOCK;
        if (!bf16 || here % QUANT_BLOCK != 0) {
            h = narrowed;
            memset(narrowed + here, 0, 2 * (blocks * QUANT_BLOCK - here));
            if (bf16)
                memcpy(narrowed, in, 2 * here);
            else
                mx_narrow(in, here, narrowed);
        }
        if (odd_length || !chunk(format, h, blocks, e, s))
            quant_row_ref(format, bf16, here, 0, in, e, s);
    }
}

#define ROW(name, code, bf16)                                                                      \
    void KERNEL(name)(size_t n, size_t group, const void *x, void *elements, void *scales)         \
    {                                                                                              \
        (void)group;                                                                               \
        row(code, bf16, n, x, elements, scales);                                                   \
    }
ROW(mxf8e4m3_f32, TSR_MXF8E4M3, false)
ROW(mxf8e4m3_bf16, TSR_MXF8E4M3, true)
ROW(mxf4_f32, TSR_MXF4, false)
ROW(mxf4_bf16, TSR_MXF4, true)
