/* SPDX-License-Identifier: Apache-2.0 */
/* Few rows by i8 weights: the kernel of matmul_i8_i8mm.c with as many pairs as there are rows.
 * Two rows (of which one may not exist) cost what one does: an mmla per vector of weights either
 * way. They take two panels at once, so that 12 chains hide the latency. */
#include "kernels/matmul/mmla_i8.h"

/* One pair of rows, panels p and q; p == q where there is no other. */
static void two_panels(const struct tsr_few *f, size_t p, size_t q)
{
    const svbool_t all = svptrue_b8();
    const uint64_t vl = svcntb();
    const struct tsr_block b = tsr_few_block(f, p), d = tsr_few_block(f, q);
    const int8_t *a = b.a, *w = b.b, *v = d.b;
#define ZERO(i) svint32_t x##i##0 = svdup_s32(0), y##i##0 = x##i##0;
    MMLA_EACH_VECTOR(ZERO)
    for (size_t k = 0; k < b.k; k += 8, a += 16, w += 6 * vl, v += 6 * vl) {
        const svint8_t rows = svld1rq(all, a);
#define STEP(i)                                                                                    \
    x##i##0 = svmmla(x##i##0, rows, svld1_vnum(all, w, i));                                        \
    y##i##0 = svmmla(y##i##0, rows, svld1_vnum(all, v, i));
        MMLA_EACH_VECTOR(STEP)
    }
#define ROW(uzp, row, from, block)                                                                 \
    {                                                                                              \
        MMLA_ROW(uzp, 0, from, z)                                                                  \
        i8_store(&block, row, 0, svreinterpret_s32(z0), mmla_columns());                           \
        i8_store(&block, row, svcntw(), svreinterpret_s32(z1), mmla_columns());                    \
        i8_store(&block, row, 2 * svcntw(), svreinterpret_s32(z2), mmla_columns());                \
    }
    ROW(svuzp1, 0, x, b)
    ROW(svuzp1, 0, y, d)
    if (f->m > 1) {
        ROW(svuzp2, 1, x, b)
        ROW(svuzp2, 1, y, d)
    }
}

void tsr_matvec_i8_i8mm(const struct tsr_few *f)
{
    if (f->m <= 2) {
        for (size_t p = f->first; p < f->last; p += 2)
            two_panels(f, p, tsr_least(p + 1, f->last - 1));
        return;
    }
    for (size_t p = f->first; p < f->last; p++) {
        const struct tsr_block b = tsr_few_block(f, p);
        if (f->m <= 4)
            mmla_i8(2, false, &b);
        else if (f->m <= 6)
            mmla_i8(3, false, &b);
        else
            mmla_i8(4, false, &b);
    }
}
