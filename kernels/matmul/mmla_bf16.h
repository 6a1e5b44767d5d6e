/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks by BFMMLA. Contract: tessera/kernels.h; layouts: packed.h.
 * Numerics: BFMMLA adds the products of k, k + 1 to each other, then to the sum, and so k + 2,
 * k + 3; each addition rounds to odd, subnormals are zeros (Arm ARM, BFMatMulAdd). Every kernel
 * that includes this adds in that order, so few rows and many give the same bits. */
#ifndef KERNELS_MATMUL_MMLA_BF16_H
#define KERNELS_MATMUL_MMLA_BF16_H

#include "kernels/matmul/mmla_sve.h"

/* As u16: memory of that type must not be read through bfloat16_t. */
#define BF16_A(i) const svbfloat16_t a##i = i < pairs ? BF16_RQ(i) : BF16_RQ(0);
#define BF16_RQ(i) svreinterpret_bf16(svld1rq(svptrue_b16(), a + 8 * (i)))
#define BF16_MMLA(v, i)                                                                            \
    if (i < pairs)                                                                                 \
        c##v##i = svbfmmla(c##v##i, a##i, w##v);

MMLA_INLINE void mmla_store_f32(svfloat32_t x0, svfloat32_t x1, svfloat32_t x2, size_t columns,
                                float *c)
{
    const uint64_t vl = svcntw();
    svst1(svwhilelt_b32_u64(0, columns), c, x0);
    svst1(svwhilelt_b32_u64(vl, columns), c + vl, x1);
    svst1(svwhilelt_b32_u64(2 * vl, columns), c + 2 * vl, x2);
}

/* `pairs` is a constant, 1 to 4, at most those that packed A has. */
MMLA_INLINE void mmla_bf16(const size_t pairs, const size_t packed, const struct tsr_block *b)
{
    const svbool_t all = svptrue_b16();
    const uint64_t vl = svcnth();
    const uint16_t *a = b->a, *w = b->b;
#define ZERO(v, i) svfloat32_t c##v##i = svdup_f32(0);
#define ZEROS(v) MMLA_EACH_PAIR(ZERO, v)
    MMLA_EACH_VECTOR(ZEROS)
    size_t left = b->k;
    do {
        BF16_A(0)
        BF16_A(1)
        BF16_A(2)
        BF16_A(3)
#define STEP(v)                                                                                    \
    const svbfloat16_t w##v = svreinterpret_bf16(svld1_vnum(all, w, v));                           \
    MMLA_EACH_PAIR(BF16_MMLA, v)
        MMLA_EACH_VECTOR(STEP)
        a += 8 * packed;
        w += 6 * vl;
        left -= 4;
    } while (left > 0);
    const uint64_t vw = svcntw();
    const svbool_t p0 = svwhilelt_b32_u64(0, b->columns), p1 = svwhilelt_b32_u64(vw, b->columns),
                   p2 = svwhilelt_b32_u64(2 * vw, b->columns);
    float *to = b->c;
#define ROW(uzp, row, i)                                                                           \
    if (row < b->rows) {                                                                           \
        MMLA_ROW(uzp, i, c, x)                                                                     \
        svst1(p0, to, x0);                                                                         \
        svst1_vnum(p1, to, 1, x1);                                                                 \
        svst1_vnum(p2, to, 2, x2);                                                                 \
        to += b->ldc;                                                                              \
    }
#define STORE(i) ROW(svuzp1, 2 * i, i) ROW(svuzp2, 2 * i + 1, i)
    STORE(0) STORE(1) STORE(2) STORE(3)
#undef ZERO
#undef ZEROS
#undef STEP
#undef ROW
#undef STORE
}

MMLA_INLINE void mmla_bf16_whole(const struct tsr_block *b)
{
    mmla_bf16(MMLA_ROWS / 2, MMLA_ROWS / 2, b);
}

static inline void mmla_bf16_blocks(const struct tsr_block *b)
{
    TSR_EACH_BLOCK(b, MMLA_ROWS, mmla_bf16_whole, mmla_bf16_whole);
}

#endif
