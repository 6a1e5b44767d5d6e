/* SPDX-License-Identifier: Apache-2.0 */
/* Few rows by bf16 weights: the kernel of matmul_bf16_bf16.c with as many pairs as there are rows.
 * Two rows (of which one may not exist) cost what one does: an mmla per vector of weights either
 * way. They take two panels at once, so that 12 chains hide the latency. */
#include "kernels/matmul/mmla_bf16.h"

/* One pair of rows, panels p and q; p == q where there is no other. */
static void two_panels(const struct tsr_few *f, size_t p, size_t q)
{
    const svbool_t all = svptrue_b16();
    const uint64_t vl = svcnth();
    const struct tsr_block b = tsr_few_block(f, p), d = tsr_few_block(f, q);
    const uint16_t *a = b.a, *w = b.b, *v = d.b;
#define ZERO(i) svfloat32_t x##i##0 = svdup_f32(0), y##i##0 = x##i##0;
    MMLA_EACH_VECTOR(ZERO)
    for (size_t k = 0; k < b.k; k += 4, a += 8, w += 6 * vl, v += 6 * vl) {
        const svbfloat16_t rows = svreinterpret_bf16(svld1rq(all, a));
#define STEP(i)                                                                                    \
    x##i##0 = svbfmmla(x##i##0, rows, svreinterpret_bf16(svld1_vnum(all, w, i)));                  \
    y##i##0 = svbfmmla(y##i##0, rows, svreinterpret_bf16(svld1_vnum(all, v, i)));
        MMLA_EACH_VECTOR(STEP)
    }
#define ROW(uzp, row, from, block)                                                                 \
    {                                                                                              \
        MMLA_ROW(uzp, 0, from, z)                                                                  \
        mmla_store_f32(z0, z1, z2, block.columns, block.c + row * block.ldc);                      \
    }
    ROW(svuzp1, 0, x, b)
    ROW(svuzp1, 0, y, d)
    if (f->m > 1) {
        ROW(svuzp2, 1, x, b)
        ROW(svuzp2, 1, y, d)
    }
}

void tsr_matvec_bf16_bf16(const struct tsr_few *f)
{
    if (f->m <= 2) {
        for (size_t p = f->first; p < f->last; p += 2)
            two_panels(f, p, tsr_least(p + 1, f->last - 1));
        return;
    }
    for (size_t p = f->first; p < f->last; p++) {
        const struct tsr_block b = tsr_few_block(f, p);
        if (f->m <= 4)
            mmla_bf16(2, 2, &b);
        else if (f->m <= 6)
            mmla_bf16(3, 3, &b);
        else
            mmla_bf16(4, 4, &b);
    }
}
