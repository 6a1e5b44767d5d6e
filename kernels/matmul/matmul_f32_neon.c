/* SPDX-License-Identifier: Apache-2.0 */
/* f32 matmul for cores without SVE (f32_neon.h). Contract: tessera/kernels.h.
 * Bits: a chain that is cut at a multiple of DEPTH goes on from C, which holds it exactly. */
#include "kernels/matmul/f32_neon.h"

tsr_matmul_f32_fn tsr_matmul_f32_neon;

/* Packed A of 3 blocks and a panel of B: 44 KiB of stack, which stay in L1. */
enum {
    BLOCKS = 3,
    DEPTH = 256
};

static void pack(size_t rows, size_t depth, const float *a, size_t lda, float *to)
{
    for (size_t r = 0; r < NEON_ROWS; r++)
        for (size_t p = 0; p < depth; p++)
            to[p * NEON_ROWS + r] = r < rows ? a[r * lda + p] : 0.0f;
}

/* The columns of a panel that are there, the others zeros. */
static void pack_columns(size_t columns, size_t depth, const float *b, size_t ldb, float *to)
{
    for (size_t p = 0; p < depth; p++)
        for (size_t j = 0; j < NEON_COLUMNS; j++)
            to[p * NEON_COLUMNS + j] = j < columns ? b[p * ldb + j] : 0.0f;
}

/* C block of rows x columns: += A times the packed panel, or = where `fresh`. */
static void block(size_t rows, size_t columns, size_t depth, const float *a, const float *panel,
                  float *c, size_t ldc, bool fresh)
{
    float tile[NEON_ROWS * NEON_COLUMNS] = {0};
    for (size_t r = 0; !fresh && r < rows; r++)
        memcpy(tile + r * NEON_COLUMNS, c + r * ldc, columns * sizeof(float));
    f32_tile(depth, a, panel, NEON_COLUMNS, tile);
    for (size_t r = 0; r < rows; r++)
        memcpy(c + r * ldc, tile + r * NEON_COLUMNS, columns * sizeof(float));
}

void tsr_matmul_f32_neon(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                         size_t ldb, float *c, size_t ldc)
{
    float rows[BLOCKS][DEPTH * NEON_ROWS], panel[DEPTH * NEON_COLUMNS];
    for (size_t i = 0; i < m; i += BLOCKS * NEON_ROWS) {
        const size_t height = tsr_least(m - i, BLOCKS * NEON_ROWS);
        size_t p = 0;
        do { /* once even for k = 0, which makes zeros */
            const size_t depth = tsr_least(k - p, DEPTH);
            for (size_t r = 0; r < height; r += NEON_ROWS)
                pack(tsr_least(height - r, NEON_ROWS), depth, a + (i + r) * lda + p, lda,
                     rows[r / NEON_ROWS]);
            for (size_t j = 0; j < n; j += NEON_COLUMNS) {
                const size_t columns = tsr_least(n - j, NEON_COLUMNS);
                pack_columns(columns, depth, b + p * ldb + j, ldb, panel);
                for (size_t r = 0; r < height; r += NEON_ROWS)
                    block(tsr_least(height - r, NEON_ROWS), columns, depth, rows[r / NEON_ROWS],
                          panel, c + (i + r) * ldc + j, ldc, p == 0);
            }
            p += depth;
        } while (p < k);
    }
}
