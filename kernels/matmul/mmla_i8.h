/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks by SMMLA. Contract: tessera/kernels.h; layouts: packed.h. Sums of integers are exact;
 * scales follow once, after k. */
#ifndef KERNELS_MATMUL_MMLA_I8_H
#define KERNELS_MATMUL_MMLA_I8_H

#include "kernels/matmul/i8_store_sve.h"

#define I8_A(i) const svint8_t a##i = svld1rq(svptrue_b8(), a + 16 * (i < pairs ? i : 0));
#define I8_MMLA(v, i)                                                                              \
    if (i < pairs)                                                                                 \
        c##v##i = svmmla(c##v##i, a##i, w##v);

/* `pairs` is a constant, 1 to 4; packed A has as many. raw, a constant: b->raw takes the sums. */
MMLA_INLINE void mmla_i8(const size_t pairs, const bool raw, const struct tsr_block *b)
{
    const svbool_t all = svptrue_b8(), p32 = svptrue_b32();
    const uint64_t vl = svcntb();
    const int8_t *a = b->a, *w = b->b;
#define ZERO(v, i) svint32_t c##v##i = svdup_s32(0);
#define ZEROS(v) MMLA_EACH_PAIR(ZERO, v)
    MMLA_EACH_VECTOR(ZEROS)
    size_t left = b->k;
    do {
        I8_A(0)
        I8_A(1)
        I8_A(2)
        I8_A(3)
#define STEP(v)                                                                                    \
    const svint8_t w##v = svld1_vnum(all, w, v);                                                   \
    MMLA_EACH_PAIR(I8_MMLA, v)
        MMLA_EACH_VECTOR(STEP)
        a += 16 * pairs;
        w += 6 * vl;
        left -= 8;
    } while (left > 0);
    if (raw) {
#define RAW(uzp, row, i)                                                                           \
    if (row < b->rows) {                                                                           \
        MMLA_ROW(uzp, i, c, x)                                                                     \
        i8_store(b, row, 0, svreinterpret_s32(x0), mmla_columns());                                \
        i8_store(b, row, svcntw(), svreinterpret_s32(x1), mmla_columns());                         \
        i8_store(b, row, 2 * svcntw(), svreinterpret_s32(x2), mmla_columns());                     \
    }
#define RAWS(i) RAW(svuzp1, 2 * i, i) RAW(svuzp2, 2 * i + 1, i)
        RAWS(0) RAWS(1) RAWS(2) RAWS(3) return;
    }
    const uint64_t vw = svcntw();
    const svbool_t p0 = svwhilelt_b32_u64(0, b->columns), p1 = svwhilelt_b32_u64(vw, b->columns),
                   p2 = svwhilelt_b32_u64(2 * vw, b->columns);
    const svfloat32_t s0 = svld1(p0, b->b_scale), s1 = svld1(p1, b->b_scale + vw),
                      s2 = svld1(p2, b->b_scale + 2 * vw);
    float *to = b->c;
/* Floats before the rows are picked: the conversion then needs no move. */
#define FLOAT(v, i) const svfloat32_t f##v##i = svcvt_f32_x(p32, c##v##i);
#define FLOATS(i) FLOAT(0, i) FLOAT(1, i) FLOAT(2, i) FLOAT(3, i) FLOAT(4, i) FLOAT(5, i)
#define SCALED(x, s) svmul_x(p32, svmul_x(p32, x, by), s)
#define ROW(uzp, row, i)                                                                           \
    if ((row) < b->rows) {                                                                         \
        const svfloat32_t by = svdup_f32(b->a_scale[row]);                                         \
        MMLA_ROW(uzp, i, f, x)                                                                     \
        svst1(p0, to, SCALED(x0, s0));                                                             \
        svst1_vnum(p1, to, 1, SCALED(x1, s1));                                                     \
        svst1_vnum(p2, to, 2, SCALED(x2, s2));                                                     \
        MMLA_NEXT_ROW(to, b->ldc);                                                                 \
    }
#define STORE(i) FLOATS(i) ROW(svuzp1, 2 * i, i) ROW(svuzp2, 2 * i + 1, i)
    STORE(0) STORE(1) STORE(2) STORE(3)
#undef RAW
#undef RAWS
#undef FLOAT
#undef FLOATS
#undef SCALED
#undef ZERO
#undef ZEROS
#undef STEP
#undef ROW
#undef STORE
}

MMLA_INLINE void mmla_i8_whole(const struct tsr_block *b)
{
    mmla_i8(MMLA_ROWS / 2, false, b);
}

static inline void mmla_i8_blocks(const struct tsr_block *b)
{
    if (b->raw != NULL)
        mmla_i8(MMLA_ROWS / 2, true, b);
    else
        TSR_EACH_BLOCK(b, MMLA_ROWS, mmla_i8_whole, mmla_i8_whole);
}

#endif
