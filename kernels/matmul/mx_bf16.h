/* SPDX-License-Identifier: Apache-2.0 */
/* MX weights become bf16 (exact but beyond its normal range, see tsr_prepare_mxf4) and are
 * multiplied by BFMMLA. Contract: tessera/kernels.h. */
#ifndef KERNELS_MATMUL_MX_BF16_H
#define KERNELS_MATMUL_MX_BF16_H

#include "kernels/matmul/mmla_bf16.h"

enum {
    MX_ZERO = 0x8000
};

/* How an element's magnitude becomes bf16's. */
struct mx_element {
    uint16_t bits;        /* of an element */
    uint16_t small;       /* magnitudes below it are in the table, the others are shifted up */
    uint16_t shift, bias; /* bias: what is added to the exponent, in place */
    uint16_t special;     /* from it on: infinities and NaNs, unscaled */
    uint16_t infinity;    /* 0 where there is none */
    uint16_t table[8];    /* bf16; MX_ZERO for zero */
};

/* 0 0.5 1 1.5 2 3 4 6 */
static const struct mx_element mx_e2m1 = {
    .bits = 4,
    .small = 8,
    .table = {MX_ZERO, 0x3F00, 0x3F80, 0x3FC0, 0x4000, 0x4040, 0x4080, 0x40C0}};
/* Normal elements are bf16 but for the exponent's bias, 127 - 7; subnormals count 2^-9. */
static const struct mx_element mx_e4m3 = {
    .bits = 8,
    .small = 8,
    .shift = 4,
    .bias = 120 << 7,
    .special = 0x7F,
    .table = {MX_ZERO, 0x3B00, 0x3B80, 0x3BC0, 0x3C00, 0x3C20, 0x3C40, 0x3C60}};
/* 127 - 15; subnormals count 2^-16. */
static const struct mx_element mx_e5m2 = {.bits = 8,
                                          .small = 4,
                                          .shift = 5,
                                          .bias = 112 << 7,
                                          .special = 0x7C,
                                          .infinity = 0x7C,
                                          .table = {MX_ZERO, 0x3780, 0x3800, 0x3840}};
/* The 16 values of e2m1 as bf16, their bytes apart. */
static const uint8_t mx_e2m1_low[16] = {0, 0, 0x80, 0xC0, 0, 0x40, 0x80, 0xC0,
                                        0, 0, 0x80, 0xC0, 0, 0x40, 0x80, 0xC0};
static const uint8_t mx_e2m1_high[16] = {0, 0x3F, 0x3F, 0x3F, 0x40, 0x40, 0x40, 0x40,
                                         0, 0xBF, 0xBF, 0xBF, 0xC0, 0xC0, 0xC0, 0xC0};

/* Magnitude codes to bf16 magnitudes times 2^(exponent >> 7). What is below the least normal number
 * becomes zero or a subnormal, which BFMMLA takes as zero. A zero's table entry is so negative
 * that it stays one. */
MMLA_INLINE svuint16_t mx_magnitude(const struct mx_element *e, svuint16_t code, svint16_t exponent)
{
    const svbool_t all = svptrue_b16();
    svuint16_t x = svtbl(svld1rq(all, e->table), code);
    if (e->bits == 8)
        x = svsel(svcmplt(all, code, e->small), x,
                  svadd_x(all, svlsl_x(all, code, e->shift), e->bias));
    svint16_t sum = svqadd(svreinterpret_s16(x), exponent);
    sum = svmin_x(all, svmax_x(all, sum, 0), 0x7F80);
    svuint16_t y = svreinterpret_u16(sum);
    if (e->special != 0) {
        const svbool_t odd = svcmpge(all, code, e->special);
        y = svsel(odd, svdup_u16(0x7FC0), y);
        if (e->infinity != 0)
            y = svsel(svcmpeq(all, code, e->infinity), svdup_u16(0x7F80), y);
    }
    return y;
}

/* Element t of each lane, by scale codes. */
MMLA_INLINE svuint16_t mx_value(const struct mx_element *e, svuint16_t x, size_t t, svint16_t scale)
{
    const svbool_t all = svptrue_b16();
    const uint16_t sign = (uint16_t)(1u << (e->bits - 1));
    const svint16_t exponent = svlsl_x(all, svsub_x(all, scale, 127), 7);
    const svuint16_t code = svlsr_x(all, x, e->bits * t);
    const svuint16_t m = mx_magnitude(e, svand_x(all, code, sign - 1u), exponent);
    const svuint16_t s = svlsl_x(all, svand_x(all, code, sign), 16u - e->bits);
    return svsel(svcmpeq(all, scale, 0xFF), svdup_u16(0x7FC0), svorr_x(all, m, s));
}

MMLA_INLINE svuint16_t mx_add_exponent(svuint16_t x, svuint16_t exponent)
{
    return svadd_m(svcmpne(svptrue_b16(), x, 0), x, exponent);
}

/* The same of all four elements of e2m1, of plain weights: bytes of the values by table, and
 * the exponent added to what is not zero. Zeros are +0. */
MMLA_INLINE svuint16x4_t mx_nibbles(svuint16_t x, svint16_t scale)
{
    const svbool_t b8 = svptrue_b8(), all = svptrue_b16();
    const svuint8_t low = svld1rq(b8, mx_e2m1_low), high = svld1rq(b8, mx_e2m1_high);
    const svuint16_t exponent = svreinterpret_u16(svlsl_x(all, svsub_x(all, scale, 127), 7));
    const svuint8_t even = svand_x(b8, svreinterpret_u8(x), 15),
                    odd = svlsr_x(b8, svreinterpret_u8(x), 4);
#define SCALED(trn, n)                                                                             \
    mx_add_exponent(svreinterpret_u16(trn(svtbl(low, n), svtbl(high, n))), exponent)
    return svcreate4(SCALED(svtrn1, even), SCALED(svtrn1, odd), SCALED(svtrn2, even),
                     SCALED(svtrn2, odd));
#undef SCALED
}

/* Element t, 0 or 1, of plain weights of 8 bits. Its bits at bf16's place are a number, subnormals
 * too, that the one factor of exponent bias and scale makes right: in f32, exactly. */
MMLA_INLINE svuint16_t mx_byte(const struct mx_element *e, svuint16_t x, size_t t, svint16_t scale)
{
    const svbool_t all = svptrue_b16(), p32 = svptrue_b32();
    const svuint16_t h = t == 0 ? svlsl_x(all, x, 8) : x;
    const svuint32_t y =
        svreinterpret_u32(svand_x(all, svasr_x(all, svreinterpret_s16(h), 8u - e->shift),
                                  (int16_t)(0x8000 | 0x7F << e->shift)));
    /* The scale's code, which is in both halves of a word, as the exponent of a float. */
    const svfloat32_t factor = svreinterpret_f32(
        svadd_x(p32, svlsl_x(p32, svreinterpret_u32(scale), 23), (uint32_t)e->bias << 16));
    const svfloat32_t even = svreinterpret_f32(svlsl_x(p32, y, 16)),
                      odd = svreinterpret_f32(svand_x(p32, y, 0xFFFF0000u));
    const svbfloat16_t z = svcvt_bf16_x(p32, svmul_x(p32, even, factor));
    return svreinterpret_u16(svcvtnt_bf16_m(z, p32, svmul_x(p32, odd, factor)));
}

/* A cell of a column, 8 bytes, holds 16 or 8 k in 4 lanes: the 4 or 2 vectors of 4 k in order, the
 * rest repeated. plain: a constant. */
MMLA_INLINE svuint16x4_t mx_cell(const struct mx_element *e, const bool plain, svuint16_t x,
                                 svint16_t scale)
{
    if (e->bits == 4 && plain)
        return mx_nibbles(x, scale);
    const svuint16_t y0 = plain ? mx_byte(e, x, 0, scale) : mx_value(e, x, 0, scale),
                     y1 = plain ? mx_byte(e, x, 1, scale) : mx_value(e, x, 1, scale);
    if (e->bits == 8)
        return svcreate4(y0, y1, y0, y1);
    return svcreate4(y0, y1, mx_value(e, x, 2, scale), mx_value(e, x, 3, scale));
}

/* Scale codes of a vector's columns, each in the 4 lanes of its column. */
MMLA_INLINE svint16_t mx_scale(const uint8_t *scales)
{
    const svuint64_t bytes = svld1ub_u64(svptrue_b64(), scales);
    return svreinterpret_s16(svmul_x(svptrue_b64(), bytes, 0x0001000100010001u));
}

MMLA_INLINE void mx_expand_panel(const struct mx_element *e, const bool plain,
                                 const struct tsr_panel *from, uint16_t *out)
{
    const svbool_t all = svptrue_b16();
    const size_t lanes = from->columns * 4, per = 16 / e->bits; /* lanes of a step; codes in each */
    const size_t steps = TSR_GROUP / 4 / per;
    const uint64_t vh = svcnth();
    const uint16_t *in = from->elements;
    const uint8_t *scales = from->scales;
    for (size_t block = 0; block < from->k / TSR_GROUP; block++, scales += from->columns)
        for (size_t v = 0; v < lanes; v += vh) {
            const svint16_t scale = mx_scale(scales + v / 4);
            for (size_t s = block * steps; s < (block + 1) * steps; s++) {
                const svuint16x4_t y = mx_cell(e, plain, svld1(all, in + s * lanes + v), scale);
                uint16_t *to = out + s * per * lanes + v;
                svst1(all, to, svget4(y, 0));
                svst1(all, to + lanes, svget4(y, 1));
                if (per == 4) {
                    svst1(all, to + 2 * lanes, svget4(y, 2));
                    svst1(all, to + 3 * lanes, svget4(y, 3));
                }
            }
        }
}

MMLA_INLINE void mx_expand(const struct mx_element *e, const struct tsr_panel *from,
                           struct tsr_prepared *to)
{
    if (from->plain)
        mx_expand_panel(e, true, from, to->space);
    else
        mx_expand_panel(e, false, from, to->space);
    to->elements = to->space;
}

/* Two rows cost half of eight. */
MMLA_INLINE void mx_block(const struct tsr_block *b)
{
    if (b->rows <= 2)
        mmla_bf16(1, MMLA_ROWS / 2, b);
    else
        mmla_bf16_whole(b);
}

static inline void mx_blocks(const struct tsr_block *b)
{
    TSR_EACH_BLOCK(b, MMLA_ROWS, mx_block, mx_block);
}

#endif
