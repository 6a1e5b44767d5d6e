/* SPDX-License-Identifier: Apache-2.0 */
/* f32 matmul for SVE at any vector length. Contract: tessera/kernels.h.
 *
 * A block of C, 12 rows x 2 vectors, stays in 24 registers: independent chains enough for 4 cycles
 * of fmla latency on up to 6 pipes. A is packed so that the 12 values of one k lie together; ld1rw
 * brings each into a whole vector. So a step of k is 14 loads and 24 fmla of plain vectors: cores
 * that take the indexed form on one pipe only (A64FX) run it as fast as the others.
 * Bits: a chain that is cut at a multiple of DEPTH goes on from C, which holds it exactly. */
#include <arm_sve.h>

#include "kernels/cpu/variants.h"

tsr_matmul_f32_fn tsr_matmul_f32_sve;

/* Packed A: 3 blocks of 12 rows, 256 steps deep = 36 KiB of stack. The panel of B (256 x 2 vectors,
 * 8 KiB at 128 bits) then stays in L1 while those 36 rows pass over it. */
enum {
    ROWS = 12,
    BLOCKS = 3,
    DEPTH = 256
};

/* Sizeless types cannot sit in arrays: the block is named, row by row. */
#define EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

/* to[p][r] = a[r][p] for `depth` steps; rows that are not there are zeros, to keep NaNs out. */
static void pack(size_t rows, size_t depth, const float *a, size_t lda, float *to)
{
    for (size_t r = 0; r < ROWS; r++)
        for (size_t p = 0; p < depth; p++)
            to[p * ROWS + r] = r < rows ? a[r * lda + p] : 0.0f;
}

/* C block at c, `rows` <= 12 rows and `columns` of 2 vectors: += the packed A times b, or = where
 * `fresh`. */
static void block(size_t rows, size_t columns, size_t depth, const float *packed, const float *b,
                  size_t ldb, float *c, size_t ldc, int fresh)
{
    const uint64_t vl = svcntw();
    const svbool_t all = svptrue_b32();
    const svbool_t p0 = svwhilelt_b32_u64(0, columns), p1 = svwhilelt_b32_u64(vl, columns);
#define ZERO(r) svfloat32_t c##r##_0 = svdup_f32(0), c##r##_1 = c##r##_0;
    EACH_ROW(ZERO)
#define LOAD(r)                                                                                    \
    if (r < rows) {                                                                                \
        c##r##_0 = svld1(p0, c + r * ldc);                                                         \
        c##r##_1 = svld1(p1, c + r * ldc + vl);                                                    \
    }
    if (!fresh) {
        EACH_ROW(LOAD)
    }
    for (size_t p = 0; p < depth; p++, packed += ROWS, b += ldb) {
        const svfloat32_t b0 = svld1(p0, b), b1 = svld1(p1, b + vl);
#define FMA(r)                                                                                     \
    {                                                                                              \
        const svfloat32_t x = svdup_f32(packed[r]);                                                \
        c##r##_0 = svmla_x(all, c##r##_0, b0, x);                                                  \
        c##r##_1 = svmla_x(all, c##r##_1, b1, x);                                                  \
    }
        EACH_ROW(FMA)
    }
#define STORE(r)                                                                                   \
    if (r < rows) {                                                                                \
        svst1(p0, c + r * ldc, c##r##_0);                                                          \
        svst1(p1, c + r * ldc + vl, c##r##_1);                                                     \
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
    const size_t width = 2 * svcntw();
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
