/* SPDX-License-Identifier: Apache-2.0 */
/* f32 matmul for SVE at any vector length. Contract: tessera/kernels.h.
 *
 * A block of C, 8 rows x 3 vectors, stays in 24 registers: independent chains enough for 4 cycles
 * of fmla latency on up to 6 pipes. A is packed so that the 8 values of one k lie together: two
 * ld1rqw bring them into every 128-bit segment, and the indexed fmla picks one of four. So a step
 * of k is 5 loads and 24 fmla in 29 registers.
 * Bits: a chain that is cut at a multiple of DEPTH goes on from C, which holds it exactly. */
#include <arm_sve.h>

#include "kernels/cpu/variants.h"

tsr_matmul_f32_fn tsr_matmul_f32_sve;

/* Packed A: 4 blocks of 8 rows, 256 steps deep = 32 KiB of stack. The panel of B (256 x 3 vectors,
 * 12 KiB at 128 bits) then stays in L1 while those 32 rows pass over it. */
enum { ROWS = 8, BLOCKS = 4, DEPTH = 256 };

/* Sizeless types cannot sit in arrays: the block is named, row by row. */
#define EACH_ROW(do) do(0) do(1) do(2) do(3) do(4) do(5) do(6) do(7)

/* to[p][r] = a[r][p] for `depth` steps; rows that are not there are zeros, to keep NaNs out. */
static void pack(size_t rows, size_t depth, const float *a, size_t lda, float *to)
{
    for (size_t r = 0; r < ROWS; r++)
        for (size_t p = 0; p < depth; p++)
            to[p * ROWS + r] = r < rows ? a[r * lda + p] : 0.0f;
}

/* C block at c, `rows` <= 8 rows and `columns` of 3 vectors: += the packed A times b, or = where
 * `fresh`. */
static void block(size_t rows, size_t columns, size_t depth, const float *packed, const float *b,
                  size_t ldb, float *c, size_t ldc, int fresh)
{
    const uint64_t vl = svcntw();
    const svbool_t all = svptrue_b32();
    const svbool_t p0 = svwhilelt_b32_u64(0, columns), p1 = svwhilelt_b32_u64(vl, columns),
                   p2 = svwhilelt_b32_u64(2 * vl, columns);
#define ZERO(r) svfloat32_t c##r##0 = svdup_f32(0), c##r##1 = c##r##0, c##r##2 = c##r##0;
    EACH_ROW(ZERO)
#define LOAD(r)                                                                                    \
    if (r < rows) {                                                                                \
        c##r##0 = svld1(p0, c + r * ldc);                                                          \
        c##r##1 = svld1(p1, c + r * ldc + vl);                                                     \
        c##r##2 = svld1(p2, c + r * ldc + 2 * vl);                                                 \
    }
    if (!fresh) {
        EACH_ROW(LOAD)
    }
    for (size_t p = 0; p < depth; p++, packed += ROWS, b += ldb) {
        const svfloat32_t a0 = svld1rq(all, packed), a1 = svld1rq(all, packed + 4);
        const svfloat32_t b0 = svld1(p0, b), b1 = svld1(p1, b + vl), b2 = svld1(p2, b + 2 * vl);
#define FMA(r)                                                                                     \
    c##r##0 = svmla_lane(c##r##0, b0, r < 4 ? a0 : a1, r % 4);                                     \
    c##r##1 = svmla_lane(c##r##1, b1, r < 4 ? a0 : a1, r % 4);                                     \
    c##r##2 = svmla_lane(c##r##2, b2, r < 4 ? a0 : a1, r % 4);
        EACH_ROW(FMA)
    }
#define STORE(r)                                                                                   \
    if (r < rows) {                                                                                \
        svst1(p0, c + r * ldc, c##r##0);                                                           \
        svst1(p1, c + r * ldc + vl, c##r##1);                                                      \
        svst1(p2, c + r * ldc + 2 * vl, c##r##2);                                                  \
    }
    EACH_ROW(STORE)
}

static size_t least(size_t x, size_t y)
{
    return x < y ? x : y;
}

void tsr_matmul_f32_sve(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                        size_t ldb, float *c, size_t ldc)
{
    float packed[BLOCKS][DEPTH * ROWS];
    const size_t width = 3 * svcntw();
    for (size_t i = 0; i < m; i += BLOCKS * ROWS) {
        const size_t height = least(m - i, BLOCKS * ROWS);
        size_t p = 0;
        do { /* once even for k = 0, which makes zeros */
            const size_t depth = least(k - p, DEPTH);
            for (size_t r = 0; r < height; r += ROWS)
                pack(least(height - r, ROWS), depth, a + (i + r) * lda + p, lda, packed[r / ROWS]);
            for (size_t j = 0; j < n; j += width)
                for (size_t r = 0; r < height; r += ROWS)
                    block(least(height - r, ROWS), least(n - j, width), depth, packed[r / ROWS],
                          b + p * ldb + j, ldb, c + (i + r) * ldc + j, ldc, p == 0);
            p += depth;
        } while (p < k);
    }
}
