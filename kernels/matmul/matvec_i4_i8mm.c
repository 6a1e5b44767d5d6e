/* SPDX-License-Identifier: Apache-2.0 */
/* Few rows by i4 weights with a scale per column: the two sums of matmul_i4_i8mm.c, over as many
 * panels at once as give 12 chains and more. */
#include "kernels/matmul/mmla_i8.h"

#define EACH_PANEL(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define EACH_PAIR(X, v) X(v, 0) X(v, 1) X(v, 2) X(v, 3)

/* Pairs of rows times the panels first..first + count, both constants; a panel beyond f->last is
 * the last one again. */
MMLA_INLINE void panels(const struct tsr_few *f, const size_t pairs, const size_t count,
                        size_t first)
{
    const svbool_t all = svptrue_b8();
    const size_t columns = 4 * (svcntb() / 16);
    svint8_t mask = svdup_s8(15);
    TSR_OPAQUE_VECTOR(mask);
#define BEGIN(v)                                                                                   \
    const struct tsr_block b##v =                                                                  \
        tsr_few_block(f, tsr_least(first + (v < count ? v : 0), f->last - 1));                     \
    const int8_t *w##v = b##v.b;                                                                   \
    EACH_PAIR(SUMS, v)
#define SUMS(v, i)                                                                                 \
    svint32_t x##v##i = v < count && i < pairs ? I4_BEGIN(f, i) : svdup_s32(0), y##v##i = x##v##i;
    EACH_PANEL(BEGIN)
    const int8_t *a = f->a;
    const size_t bytes = f->k / 8 * svcntb();
    for (size_t at = 0; at < bytes; at += svcntb(), a += 16 * pairs) {
        const svint8_t a0 = svld1rq(all, a), a1 = svld1rq(all, a + 16 * (pairs > 1)),
                       a2 = svld1rq(all, a + 32 * (pairs > 2)),
                       a3 = svld1rq(all, a + 48 * (pairs > 3));
#define STEP(v)                                                                                    \
    if (v < count) {                                                                               \
        const svint8_t both = svld1(all, w##v + at), low = svand_x(all, both, mask);               \
        EACH_PAIR(MMLA, v)                                                                         \
    }
#define MMLA(v, i)                                                                                 \
    if (i < pairs) {                                                                               \
        x##v##i = svmmla(x##v##i, a##i, both);                                                     \
        y##v##i = svmmla(y##v##i, a##i, low);                                                      \
    }
        EACH_PANEL(STEP)
    }
#define STORES(v)                                                                                  \
    if (v < count) {                                                                               \
        EACH_PAIR(STORE, v)                                                                        \
    }
#define STORE(v, i)                                                                                \
    if (i < pairs && 2 * i < f->m) {                                                               \
        i8_store(&b##v, 2 * i, 0, I4_ROW(svuzp1, x##v##i, y##v##i), columns);                      \
        if (2 * i + 1 < f->m)                                                                      \
            i8_store(&b##v, 2 * i + 1, 0, I4_ROW(svuzp2, x##v##i, y##v##i), columns);              \
    }
    EACH_PANEL(STORES)
}

void tsr_matvec_i4_i8mm(const struct tsr_few *f)
{
    if (f->m <= 2)
        for (size_t p = f->first; p < f->last; p += 6)
            panels(f, 1, 6, p);
    else if (f->m <= 4)
        for (size_t p = f->first; p < f->last; p += 3)
            panels(f, 2, 3, p);
    else if (f->m <= 6)
        for (size_t p = f->first; p < f->last; p += 2)
            panels(f, 3, 2, p);
    else
        for (size_t p = f->first; p < f->last; p += 2)
            panels(f, 4, 2, p);
}
