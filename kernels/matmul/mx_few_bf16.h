/* SPDX-License-Identifier: Apache-2.0 */
/* Few rows by MX weights, which become bf16 in registers: no panel is expanded for so little work.
 * Values and order of sums, and so the bits, are those of mx_bf16.h. */
#ifndef KERNELS_MATMUL_MX_FEW_BF16_H
#define KERNELS_MATMUL_MX_FEW_BF16_H

#include "kernels/matmul/mx_bf16.h"

/* Vectors v and w of a panel, `at` of its six vectors of rows of C. */
MMLA_INLINE void mx_few_store(const struct tsr_block *b, size_t row, size_t at, svfloat32_t x,
                              svfloat32_t y)
{
    if (row >= b->rows)
        return;
    const svuint64_t v = svreinterpret_u64(x), w = svreinterpret_u64(y);
    const svuint64_t z = row % 2 == 0 ? svuzp1(v, w) : svuzp2(v, w);
    svst1(svwhilelt_b32_u64(at * svcntw(), b->columns), b->c + row * b->ldc + at * svcntw(),
          svreinterpret_f32(z));
}

/* `pairs` of rows times the `count` vectors of a panel from `first` on; e, plain, pairs and count
 * are constants, count is 6 or 2. */
MMLA_INLINE void mx_few_vectors(const struct mx_element *e, const bool plain, const size_t pairs,
                                const size_t count, size_t first, const struct tsr_block *b)
{
    const svbool_t all = svptrue_b16();
    const size_t vh = svcnth(), per = 16 / e->bits, steps = TSR_GROUP / 4 / per;
    const uint16_t *a = b->a, *w = (const uint16_t *)b->b + first * vh;
    const uint8_t *scales = (const uint8_t *)b->b_scale + first * (vh / 4);
#define ZERO(v, i) svfloat32_t c##v##i = svdup_f32(0);
#define ZEROS(v) MMLA_EACH_PAIR(ZERO, v)
    MMLA_EACH_VECTOR(ZEROS)
    for (size_t block = 0; block < b->k / TSR_GROUP; block++, scales += 6 * (vh / 4)) {
#define SCALE(v) const svint16_t s##v = v < count ? mx_scale(scales + v * (vh / 4)) : svdup_s16(0);
        MMLA_EACH_VECTOR(SCALE)
        for (size_t s = 0; s < steps; s++, a += 8 * pairs * per, w += 6 * vh) {
#define MMLA(v, i, t)                                                                              \
    if (i < pairs && t < per)                                                                      \
        c##v##i = svbfmmla(c##v##i, BF16_RQ(t * pairs + i), svreinterpret_bf16(svget4(y, t)));
#define ELEMENT(v, t) MMLA(v, 0, t) MMLA(v, 1, t) MMLA(v, 2, t) MMLA(v, 3, t)
#define CELL(v)                                                                                    \
    if (v < count) {                                                                               \
        const svuint16x4_t y = mx_cell(e, plain, svld1_vnum(all, w, v), s##v);                     \
        ELEMENT(v, 0) ELEMENT(v, 1) ELEMENT(v, 2) ELEMENT(v, 3)                                    \
    }
            MMLA_EACH_VECTOR(CELL)
        }
    }
#define STORE(v, w, i)                                                                             \
    if (v < count && i < pairs) {                                                                  \
        mx_few_store(b, 2 * i, (first + v) / 2, c##v##i, c##w##i);                                 \
        mx_few_store(b, 2 * i + 1, (first + v) / 2, c##v##i, c##w##i);                             \
    }
#define STORES(v, w) STORE(v, w, 0) STORE(v, w, 1) STORE(v, w, 2) STORE(v, w, 3)
    STORES(0, 1)
    STORES(2, 3)
    STORES(4, 5)
#undef ZERO
#undef ZEROS
#undef SCALE
#undef MMLA
#undef ELEMENT
#undef CELL
#undef STORE
#undef STORES
}

/* One pair keeps all six vectors, so that rows are loaded once; more take two at a time. */
MMLA_INLINE void mx_few_panel(const struct mx_element *e, const bool plain,
                              const struct tsr_block *b)
{
    if (b->rows <= 2) {
        mx_few_vectors(e, plain, 1, 6, 0, b);
        return;
    }
    for (size_t v = 0; v < 6; v += 2)
        if (b->rows <= 4)
            mx_few_vectors(e, plain, 2, 2, v, b);
        else if (b->rows <= 6)
            mx_few_vectors(e, plain, 3, 2, v, b);
        else
            mx_few_vectors(e, plain, 4, 2, v, b);
}

MMLA_INLINE void mx_few(const struct mx_element *e, const struct tsr_few *f)
{
    for (size_t p = f->first; p < f->last; p++) {
        const struct tsr_block b = tsr_few_block(f, p);
        if (f->plain)
            mx_few_panel(e, true, &b);
        else
            mx_few_panel(e, false, &b);
    }
}

#endif
