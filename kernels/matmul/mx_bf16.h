/* SPDX-License-Identifier: Apache-2.0 */
/* MX weights: a panel becomes bf16 (exact but beyond its normal range, see tsr_prepare_mxf4) and is
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

/* Magnitude codes to bf16 magnitudes times 2^(exponent >> 7). What is below the least normal number
 * becomes zero or a subnormal, which BFMMLA takes as zero. A zero's table entry is so negative
 * that it stays one. */
MMLA_INLINE svuint16_t mx_magnitude(const struct mx_element *e, svuint16_t code, svint16_t exponent,
                                    svuint16_t table)
{
    const svbool_t all = svptrue_b16();
    svuint16_t x = svtbl(table, code);
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

MMLA_INLINE void mx_expand(const struct mx_element *e, const struct tsr_panel *from,
                           struct tsr_prepared *to)
{
    const svbool_t all = svptrue_b16();
    const size_t lanes = from->columns * 4, per = 16 / e->bits; /* lanes of a step; codes in each */
    const uint64_t vh = svcnth();
    const svuint16_t table = svld1rq(all, e->table);
    const uint16_t sign = (uint16_t)(1u << (e->bits - 1));
    for (size_t block = 0; block < from->k / TSR_GROUP; block++) {
        const uint8_t *scales = (const uint8_t *)from->scales + block * from->columns;
        const size_t steps = TSR_GROUP / 4 / per;
        const uint16_t *in = (const uint16_t *)from->elements + block * steps * lanes;
        uint16_t *out = (uint16_t *)to->space + block * (TSR_GROUP / 4) * lanes;
        for (size_t v = 0; v < lanes; v += vh) {
            /* A column is 4 lanes: its scale's byte four times. */
            const svuint64_t bytes = svld1ub_u64(svptrue_b64(), scales + v / 4);
            const svint16_t scale =
                svreinterpret_s16(svmul_x(svptrue_b64(), bytes, 0x0001000100010001u));
            const svbool_t nan = svcmpeq(all, scale, 0xFF);
            const svint16_t exponent = svlsl_x(all, svsub_x(all, scale, 127), 7);
            for (size_t s = 0; s < steps; s++) {
                const svuint16_t x = svld1(all, in + s * lanes + v);
                for (size_t t = 0; t < per; t++) {
                    const svuint16_t code = svlsr_x(all, x, e->bits * t);
                    const svuint16_t m =
                        mx_magnitude(e, svand_x(all, code, sign - 1u), exponent, table);
                    const svuint16_t s16 = svlsl_x(all, svand_x(all, code, sign), 16u - e->bits);
                    svst1(all, out + (s * per + t) * lanes + v,
                          svsel(nan, svdup_u16(0x7FC0), svorr_x(all, m, s16)));
                }
            }
        }
    }
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
    TSR_EACH_BLOCK(b, MMLA_ROWS, mx_block);
}

#endif
