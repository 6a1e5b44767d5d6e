/* SPDX-License-Identifier: Apache-2.0 */
/* Few rows by weights with a scale per group, read as stored: no panel is expanded for so little
 * work. The arithmetic, and so the bits, are those of groups_i8mm.h. Several panels at once make
 * chains enough. */
#ifndef KERNELS_MATMUL_GROUPS_FEW_I8MM_H
#define KERNELS_MATMUL_GROUPS_FEW_I8MM_H

#include "kernels/matmul/groups_i8mm.h"

#define FEW_EACH_PANEL(X) X(0) X(1) X(2)
#define FEW_EACH_PAIR(X, v) X(v, 0) X(v, 1) X(v, 2) X(v, 3)

/* One row's vector of 2 x 2s, even or odd halves of the segments, to *c; on to the next row. */
MMLA_INLINE void groups_store(const struct tsr_block *b, size_t row, svfloat32_t f, svfloat32_t g,
                              float **c)
{
    if (row >= b->rows)
        return;
    const svbool_t p = svwhilelt_b32_u64(0, b->columns);
    const svuint64_t x = svreinterpret_u64(f), y = svreinterpret_u64(g);
    const svfloat32_t z = svreinterpret_f32(row % 2 == 0 ? svuzp1(x, y) : svuzp2(x, y));
    svst1(p, *c, svmul_x(svptrue_b32(), z, svdup_f32(b->a_scale[row])));
    *c += b->ldc;
}

/* `pairs` of rows times the panels first..first + count; format, pairs and count are constants,
 * pairs * count <= 4. A panel beyond f->last is the last one again. */
MMLA_INLINE void few_panels(const enum tsr_dtype format, const struct tsr_few *f,
                            const size_t pairs, const size_t count, size_t first)
{
    const svbool_t all = svptrue_b8(), p32 = svptrue_b32();
    const uint64_t vb = svcntb();
    const size_t groups = f->k / TSR_GROUP;
    svfloat32_t magic = svdup_f32(0x1.8p23f);
    TSR_OPAQUE_VECTOR(magic);
#define BEGIN(v)                                                                                   \
    const struct tsr_block b##v =                                                                  \
        tsr_few_block(f, tsr_least(first + (v < count ? v : 0), f->last - 1));                     \
    const int8_t *w##v = b##v.b;                                                                   \
    const uint8_t *scales##v = (const uint8_t *)b##v.b + f->scales_at;                             \
    FEW_EACH_PAIR(FLOATS, v)
#define FLOATS(v, i)                                                                               \
    svfloat32_t f##v##i = svdup_f32(0), g##v##i = f##v##i;                                         \
    if (v < count && i < pairs)                                                                    \
        GROUPS_FEW_MINIMA(f, scales##v, pairs, i, &f##v##i, &g##v##i);
    FEW_EACH_PANEL(BEGIN)
    const int8_t *a = f->a;
    for (size_t g = 0; g < groups;) {
        const size_t end = tsr_least(groups, g + f->run);
#define STARTS(v)                                                                                  \
    svfloat32_t s##v = groups_scale(format, scales##v, g);                                         \
    FEW_EACH_PAIR(START, v)
#define START(v, i) svint32_t x##v##i = svreinterpret_s32(magic), y##v##i = x##v##i;
        FEW_EACH_PANEL(STARTS)
        for (; g < end; g++) {
            /* The next scale is taken away but at a run's end: without a branch. */
            const svbool_t goes_on = svwhilelt_b32_u64(0, g + 1 < end ? svcntw() : 0);
            const size_t after = tsr_least(g + 1, groups - 1);
#define MMLA(v, i)                                                                                 \
    if (i < pairs) {                                                                               \
        x##v##i = svmmla(x##v##i, a##i, u);                                                        \
        y##v##i = svmmla(y##v##i, a##i, z);                                                        \
    }
#define ROWS(at)                                                                                   \
    const svint8_t a0 = svld1rq(all, a + (at)*16 * pairs),                                         \
                   a1 = svld1rq(all, a + ((at)*pairs + (pairs > 1)) * 16),                         \
                   a2 = svld1rq(all, a + ((at)*pairs + (pairs > 2) * 2) * 16),                     \
                   a3 = svld1rq(all, a + ((at)*pairs + (pairs > 3) * 3) * 16);
#define BYTES(v)                                                                                   \
    if (v < count) {                                                                               \
        const svint8_t u = svld1(all, w##v), z = svld1_vnum(all, w##v, 1);                         \
        w##v += 2 * vb;                                                                            \
        FEW_EACH_PAIR(MMLA, v)                                                                     \
    }
#define LOW(x) (format == TSR_Q4_K ? svand_x(all, x, 15) : svasr_x(all, svlsl_x(all, x, 4), 4))
#define HIGH(x)                                                                                    \
    (format == TSR_Q4_K ? svreinterpret_s8(svlsr_x(all, svreinterpret_u8(x), 4))                   \
                        : svasr_x(all, x, 4))
#define LOWS(v)                                                                                    \
    if (v < count) {                                                                               \
        const svint8_t u = LOW(n##v), z = LOW(m##v);                                               \
        FEW_EACH_PAIR(MMLA, v)                                                                     \
    }
#define HIGHS(v)                                                                                   \
    if (v < count) {                                                                               \
        const svint8_t u = HIGH(n##v), z = HIGH(m##v);                                             \
        FEW_EACH_PAIR(MMLA, v)                                                                     \
    }
#define NIBBLES(v)                                                                                 \
    const svint8_t n##v = svld1(all, w##v), m##v = svld1_vnum(all, w##v, 1);                       \
    w##v += v < count ? 2 * vb : 0;
#define CELL_BYTES                                                                                 \
    {                                                                                              \
        ROWS(0)                                                                                    \
        FEW_EACH_PANEL(BYTES)                                                                      \
        a += 16 * pairs;                                                                           \
    }
#define CELL_NIBBLES                                                                               \
    {                                                                                              \
        FEW_EACH_PANEL(NIBBLES){ROWS(0) FEW_EACH_PANEL(LOWS)} ROWS(1) FEW_EACH_PANEL(HIGHS) a +=   \
            32 * pairs;                                                                            \
    }
            if (format == TSR_Q8_0) {
                CELL_BYTES CELL_BYTES CELL_BYTES CELL_BYTES
            } else {
                CELL_NIBBLES CELL_NIBBLES
            }
#define FIXES(v)                                                                                   \
    if (v < count) {                                                                               \
        const svfloat32_t next = groups_scale(format, scales##v, after);                           \
        const svfloat32_t d##v = svsub_m(goes_on, s##v, next);                                     \
        s##v = next;                                                                               \
        const svfloat32_t e0 = GROUPS_TWICE(svzip1, d##v), e1 = GROUPS_TWICE(svzip2, d##v);        \
        FEW_EACH_PAIR(FIX, v)                                                                      \
    }
#define FIX(v, i)                                                                                  \
    if (i < pairs) {                                                                               \
        f##v##i = svmla_x(p32, f##v##i, svsub_x(p32, svreinterpret_f32(x##v##i), magic), e0);      \
        g##v##i = svmla_x(p32, g##v##i, svsub_x(p32, svreinterpret_f32(y##v##i), magic), e1);      \
    }
            FEW_EACH_PANEL(FIXES)
        }
    }
#define STORES(v)                                                                                  \
    if (v < count) {                                                                               \
        float *c = b##v.c;                                                                         \
        FEW_EACH_PAIR(STORE, v)                                                                    \
    }
#define STORE(v, i)                                                                                \
    if (i < pairs) {                                                                               \
        groups_store(&b##v, 2 * i, f##v##i, g##v##i, &c);                                          \
        groups_store(&b##v, 2 * i + 1, f##v##i, g##v##i, &c);                                      \
    }
    FEW_EACH_PANEL(STORES)
}

MMLA_INLINE void groups_few(const enum tsr_dtype format, const struct tsr_few *f)
{
    if (f->m <= 2)
        for (size_t p = f->first; p < f->last; p += 3)
            few_panels(format, f, 1, 3, p);
    else if (f->m <= 4)
        for (size_t p = f->first; p < f->last; p += 2)
            few_panels(format, f, 2, 2, p);
    else if (f->m <= 6)
        for (size_t p = f->first; p < f->last; p++)
            few_panels(format, f, 3, 1, p);
    else
        for (size_t p = f->first; p < f->last; p++)
            few_panels(format, f, 4, 1, p);
}

#endif
