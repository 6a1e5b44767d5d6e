/* SPDX-License-Identifier: Apache-2.0 */
/* Minima of q4_k weights by BFMMLA. Contract: tessera/kernels.h; layouts: packed.h.
 *
 * An element takes from row and column the sum over groups of (sum of the group's a) m dmin, m of 6
 * bits, dmin of the super-block. Sums of a have 14 bits: two bf16, a multiple of 32 and a rest; so
 * the 8 groups of a super-block are 16 k of a product of bf16, four BFMMLA a vector. All sums are
 * integers below 2^24 over TSR_SUPER_RUN super-blocks and so exact, whatever BFMMLA's rounding;
 * they go on from one to the next and are multiplied by the difference of the two dmin, one FMLS.
 */
#ifndef KERNELS_MATMUL_MINIMA_V86_H
#define KERNELS_MATMUL_MINIMA_V86_H

#define MINIMA_BF16(at) svreinterpret_bf16(svld1(svptrue_b16(), at))
#define MINIMA_ROWS(at) svreinterpret_bf16(svld1rq(svptrue_b16(), at))

/* One of a super-block's four cells of a, with the w'th cell of minima. */
#define MINIMA_CELL(at, w)                                                                         \
    {                                                                                              \
        const svbfloat16_t w0 = MINIMA_BF16(m + (w)*2 * vh),                                       \
                           w1 = MINIMA_BF16(m + ((w)*2 + 1) * vh);                                 \
        const uint16_t *rows = sums + (at)*4 * GROUPS_ROWS;                                        \
        GROUPS_EACH(MINIMA_PAIR)                                                                   \
    }
#define MINIMA_PAIR(i)                                                                             \
    if (i < pairs) {                                                                               \
        const svbfloat16_t x = MINIMA_ROWS(rows + 8 * i);                                          \
        s##i = svbfmmla(s##i, x, w0);                                                              \
        t##i = svbfmmla(t##i, x, w1);                                                              \
    }
#define MINIMA_START(i) svfloat32_t s##i = svdup_f32(0), t##i = s##i;
#define MINIMA_TAKE(i)                                                                             \
    if (i < pairs) {                                                                               \
        f##i = svmls_x(p32, f##i, s##i, d0);                                                       \
        g##i = svmls_x(p32, g##i, t##i, d1);                                                       \
    }
/* Part of groups_block; a macro, for a function of twelve pointers keeps them in memory. */
#define GROUPS_MINIMA                                                                              \
    {                                                                                              \
        const uint64_t vh = svcnth();                                                              \
        const uint16_t *sums = b->a_groups, *m = b->minima;                                        \
        const float *min_delta = b->min_delta;                                                     \
        size_t supers = b->k / TSR_SUPER;                                                          \
        do {                                                                                       \
            size_t run = tsr_least(supers, TSR_SUPER_RUN);                                         \
            supers -= run;                                                                         \
            GROUPS_EACH(MINIMA_START)                                                              \
            do {                                                                                   \
                MINIMA_CELL(0, 0)                                                                  \
                MINIMA_CELL(1, 1)                                                                  \
                MINIMA_CELL(2, 0)                                                                  \
                MINIMA_CELL(3, 1)                                                                  \
                const svfloat32_t d0 = svld1(p32, min_delta), d1 = svld1_vnum(p32, min_delta, 1);  \
                GROUPS_EACH(MINIMA_TAKE)                                                           \
                sums += 16 * GROUPS_ROWS;                                                          \
                m += 4 * vh;                                                                       \
                min_delta += 2 * vw;                                                               \
            } while (--run > 0);                                                                   \
        } while (supers > 0);                                                                      \
    }
#define GROUPS_FEW_MINIMA minima_of_few

/* After them. */
#include "kernels/matmul/groups_i8mm.h"

/* Minima of groups 4 half to 4 half + 3 of a super-block, of all columns, as cells. */
MMLA_INLINE void minima_cells(const uint8_t *super, size_t half, svuint16_t *x, svuint16_t *y)
{
    const svbool_t all = svptrue_b32();
#define BITS(j) svreinterpret_u32(svcvt_f32_x(all, groups_six_bits(super, 4 * half + (j), true)))
    const svuint32_t low = svorr_x(all, svlsr_x(all, BITS(0), 16), BITS(1)),
                     high = svorr_x(all, svlsr_x(all, BITS(2), 16), BITS(3));
#undef BITS
    *x = svreinterpret_u16(svzip1(low, high));
    *y = svreinterpret_u16(svzip2(low, high));
}

/* dmin of super-block s of all columns less the next one's, or itself at a run's end. */
MMLA_INLINE svfloat32_t minima_delta(const uint8_t *scales, size_t s, size_t supers)
{
    const size_t columns = svcntw();
    const uint8_t *at = scales + s * columns * 16 + 2 * columns;
    const svfloat32_t own = groups_half(at);
    if ((s + 1) % TSR_SUPER_RUN == 0 || s + 1 == supers)
        return own;
    return svsub_x(svptrue_b32(), own, groups_half(at + 16 * columns));
}

/* minima and min_delta, as tsr_prepare_groups makes them. */
MMLA_INLINE void minima_prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    const svbool_t all = svptrue_b16(), p32 = svptrue_b32();
    const size_t supers = from->k / TSR_SUPER, columns = svcntw();
    uint16_t *m = to->minima;
    for (size_t s = 0; s < supers; s++) {
        for (size_t half = 0; half < 2; half++, m += 4 * columns) {
            svuint16_t x, y;
            minima_cells((const uint8_t *)from->scales + s * columns * 16, half, &x, &y);
            svst1(all, m, x);
            svst1_vnum(all, m, 1, y);
        }
        const svfloat32_t delta = minima_delta(from->scales, s, supers);
        svst1(p32, to->min_delta + s * 2 * columns, GROUPS_TWICE(svzip1, delta));
        svst1_vnum(p32, to->min_delta + s * 2 * columns, 1, GROUPS_TWICE(svzip2, delta));
    }
}

/* The same sums from the scales as stored: what the minima of a panel take from pair i of `pairs`
 * of rows. */
MMLA_INLINE void minima_of_few(const struct tsr_few *few, const uint8_t *scales, size_t pairs,
                               size_t i, svfloat32_t *f, svfloat32_t *g)
{
    const svbool_t p32 = svptrue_b32();
    const size_t supers = few->k / TSR_SUPER, columns = svcntw();
    svfloat32_t s = svdup_f32(0), t = s;
    for (size_t at = 0; at < supers; at++) {
        if (at % TSR_SUPER_RUN == 0)
            s = t = svdup_f32(0);
        for (size_t half = 0; half < 2; half++) {
            const uint16_t *a = few->a_groups + ((at * 4 + half) * pairs + i) * 8;
            const svbfloat16_t multiples = MINIMA_ROWS(a), rests = MINIMA_ROWS(a + 16 * pairs);
            svuint16_t x, y;
            minima_cells(scales + at * columns * 16, half, &x, &y);
            s = svbfmmla(s, multiples, svreinterpret_bf16(x));
            t = svbfmmla(t, multiples, svreinterpret_bf16(y));
            s = svbfmmla(s, rests, svreinterpret_bf16(x));
            t = svbfmmla(t, rests, svreinterpret_bf16(y));
        }
        const svfloat32_t delta = minima_delta(scales, at, supers);
        *f = svmls_x(p32, *f, s, GROUPS_TWICE(svzip1, delta));
        *g = svmls_x(p32, *g, t, GROUPS_TWICE(svzip2, delta));
    }
}

#endif
