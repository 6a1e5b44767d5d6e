/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of weights with a scale per group of 32, by SMMLA. Contract: tessera/kernels.h.
 *
 * The sums of integers are not converted and cleared after every group. They begin at the bits of
 * 1.5 * 2^23 and go on: while |S| <= 2^22 those bits, read as a float, are 1.5 * 2^23 + S exactly,
 * so one FSUB gives S and one FMLA adds S (scale_g - scale_{g+1}). A run ends before S can leave
 * that range (packed_layout.c).
 * A block is 12 rows x 2 vectors: 12 registers of integers, 12 of floats, 8 for everything else.
 * A group is 48 mmla and 24 floating-point instructions: 2/3 of the mmla peak. */
#ifndef KERNELS_MATMUL_GROUPS_I8MM_H
#define KERNELS_MATMUL_GROUPS_I8MM_H

#include "kernels/matmul/mmla_sve.h"

/* What puts the minima of weights that have some into the sums f<i> and g<i> of groups_block, and
 * of one pair of few rows: minima_v86.h has them, which includes this. */
#ifndef GROUPS_MINIMA
#define GROUPS_MINIMA
#define GROUPS_FEW_MINIMA(few, scales, pairs, i, f, g) (void)(scales)
#endif

#define GROUPS_EACH(X) X(0) X(1) X(2) X(3) X(4) X(5)

enum {
    GROUPS_ROWS = 12
};

static inline size_t groups_columns(void)
{
    return 4 * (svcntb() / 16);
}

/* `pairs` of rows that are computed, a constant; packed A has GROUPS_ROWS / 2. */
MMLA_INLINE void groups_block(const size_t pairs, const struct tsr_block *b)
{
    const svbool_t all = svptrue_b8(), p32 = svptrue_b32();
    const uint64_t vb = svcntb(), vw = svcntw();
    const int8_t *a = b->a, *w = b->b;
    const float *delta = b->delta;
    svfloat32_t magic = svdup_f32(0x1.8p23f);
    TSR_OPAQUE_VECTOR(magic);
#define FLOATS(i) svfloat32_t f##i = svdup_f32(0), g##i = f##i;
    GROUPS_EACH(FLOATS)
    const size_t groups = b->k / TSR_GROUP;
    GROUPS_MINIMA
    size_t left = groups;
    do {
        size_t run = tsr_least(left, b->run);
        left -= run;
#define START(i) svint32_t x##i = svreinterpret_s32(magic), y##i = x##i;
        GROUPS_EACH(START)
        do {
#define STEP(i)                                                                                    \
    if (i < pairs) {                                                                               \
        const svint8_t rows = svld1rq(all, a + 16 * i);                                            \
        x##i = svmmla(x##i, rows, w0);                                                             \
        y##i = svmmla(y##i, rows, w1);                                                             \
    }
#define CELLS                                                                                      \
    {                                                                                              \
        const svint8_t w0 = svld1(all, w), w1 = svld1_vnum(all, w, 1);                             \
        GROUPS_EACH(STEP)                                                                          \
        a += 96;                                                                                   \
        w += 2 * vb;                                                                               \
    }
            CELLS CELLS CELLS CELLS const svfloat32_t d0 = svld1(p32, delta),
                                                      d1 = svld1_vnum(p32, delta, 1);
#define FIX(i)                                                                                     \
    if (i < pairs) {                                                                               \
        f##i = svmla_x(p32, f##i, svsub_x(p32, svreinterpret_f32(x##i), magic), d0);               \
        g##i = svmla_x(p32, g##i, svsub_x(p32, svreinterpret_f32(y##i), magic), d1);               \
    }
            GROUPS_EACH(FIX)
            delta += 2 * vw;
        } while (--run > 0);
    } while (left > 0);
    const svbool_t p = svwhilelt_b32_u64(0, b->columns);
    float *c = b->c;
#define ROW(uzp, row, i)                                                                           \
    if ((row) < b->rows) {                                                                         \
        svst1(p, c, svmul_x(p32, MMLA_HALVES(uzp, f##i, g##i), svdup_f32(b->a_scale[row])));       \
        MMLA_NEXT_ROW(c, b->ldc);                                                                  \
    }
#define STORE(i) ROW(svuzp1, 2 * i, i) ROW(svuzp2, 2 * i + 1, i)
    GROUPS_EACH(STORE)
#undef FLOATS
#undef START
#undef STEP
#undef CELLS
#undef FIX
#undef ROW
#undef STORE
}

static inline void groups_whole(const struct tsr_block *b)
{
    groups_block(6, b);
}

static inline void groups_rest(const struct tsr_block *b)
{
    if (b->rows <= 8)
        groups_block(4, b);
    else
        groups_block(6, b);
}

static inline void groups_blocks(const struct tsr_block *b)
{
    TSR_EACH_BLOCK(b, GROUPS_ROWS, groups_whole, groups_rest);
}

/* Two vectors of nibbles, k low and k + 8 high, to two cells of i8: a step of a panel, whose
 * columns fill two vectors. */
MMLA_INLINE void groups_step(const int8_t *in, int8_t *out, bool is_signed)
{
    const svbool_t all = svptrue_b8();
    const svint8_t x = svld1(all, in), y = svld1_vnum(all, in, 1);
#define HIGH(x)                                                                                    \
    (is_signed ? svasr_x(all, x, 4) : svreinterpret_s8(svlsr_x(all, svreinterpret_u8(x), 4)))
#define LOW(x) (is_signed ? svasr_x(all, svlsl_x(all, x, 4), 4) : svand_x(all, x, 15))
    svst1(all, out, LOW(x));
    svst1_vnum(all, out, 1, LOW(y));
    svst1_vnum(all, out, 2, HIGH(x));
    svst1_vnum(all, out, 3, HIGH(y));
#undef HIGH
#undef LOW
}

/* All nibbles of a panel; is_signed, a constant: whether codes are. k is a multiple of 32. */
MMLA_INLINE void groups_expand(const struct tsr_panel *from, struct tsr_prepared *to,
                               bool is_signed)
{
    const uint64_t vb = svcntb();
    const int8_t *in = from->elements;
    int8_t *out = to->space;
    for (size_t p = 0; p < from->k; p += 32, in += 4 * vb, out += 8 * vb) {
        groups_step(in, out, is_signed);
        groups_step(in + 2 * vb, out + 4 * vb, is_signed);
    }
    to->elements = to->space;
}

/* f16 of all columns of a panel. */
MMLA_INLINE svfloat32_t groups_half(const uint8_t *at)
{
    const svbool_t all = svptrue_b32();
    return svcvt_f32_x(all,
                       svreinterpret_f16(svld1uh_u32(all, (const uint16_t *)(const void *)at)));
}

/* 6 bits of group j of a q4_k super-block, of all columns, as prepare.c has them. */
MMLA_INLINE svuint32_t groups_six_bits(const uint8_t *super, size_t j, bool minimum)
{
    const svbool_t all = svptrue_b32();
    const size_t columns = svcntw();
    const uint8_t *s = super + 4 * columns;
#define BYTE(i) svld1ub_u32(all, s + (i)*columns)
    /* Without a branch: groups 4..7 take nibbles and two bits more. */
    const bool late = j >= 4;
    const uint32_t top_mask = late ? 0x30 : 0, low_mask = late ? 15 : 63;
    const svuint32_t top =
        svand_x(all, svlsr_x(all, BYTE(minimum || !late ? j : j - 4), 2), top_mask);
    svuint32_t six = BYTE(minimum || late ? j + 4 : j);
    six = minimum ? svlsr_x(all, six, late ? 4 : 0) : six;
    return svorr_x(all, svand_x(all, six, minimum ? 63 : low_mask), top);
#undef BYTE
}

/* Scales of group g of all columns, as prepare.c has them. */
MMLA_INLINE svfloat32_t groups_scale(enum tsr_dtype format, const uint8_t *scales, size_t g)
{
    const svbool_t all = svptrue_b32();
    const size_t columns = svcntw();
    if (format != TSR_Q4_K)
        return groups_half(scales + g * columns * 2);
    const uint8_t *super = scales + g / 8 * columns * 16;
    return svmul_x(all, groups_half(super), svcvt_f32_x(all, groups_six_bits(super, g % 8, false)));
}

/* The two vectors of a block for columns' values: c, c + 1, c, c + 1 of each pair. */
#define GROUPS_TWICE(zip, x) svreinterpret_f32(zip(svreinterpret_u64(x), svreinterpret_u64(x)))

/* The deltas that tsr_prepare_groups makes. */
MMLA_INLINE void groups_deltas(enum tsr_dtype format, const struct tsr_panel *from,
                               struct tsr_prepared *to)
{
    const svbool_t all = svptrue_b32();
    const size_t groups = from->k / TSR_GROUP, run = tsr_weights_layout(format)->run;
    const uint8_t *scales = from->scales;
    float *out = to->delta;
    svfloat32_t scale = groups_scale(format, scales, 0);
    for (size_t g = 0; g < groups; g++, out += 2 * svcntw()) {
        svfloat32_t delta = scale;
        if (g + 1 < groups)
            scale = groups_scale(format, scales, g + 1);
        if ((g + 1) % run != 0 && g + 1 < groups)
            delta = svsub_x(all, delta, scale);
        svst1(all, out, GROUPS_TWICE(svzip1, delta));
        svst1_vnum(all, out, 1, GROUPS_TWICE(svzip2, delta));
    }
}

#endif
