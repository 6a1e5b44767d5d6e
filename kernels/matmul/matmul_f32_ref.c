/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/cpu/variants.h"

tsr_matmul_f32_fn tsr_matmul_f32_ref;

/* Contract: tessera/kernels.h. C99's fmaf is exact but for its one rounding, on every host and
 * library, so it may stand in results that must be the same bits.
 * The innermost loop runs along a row of B, whatever the chain's order asks: contiguous. */
void tsr_matmul_f32_ref(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                        size_t ldb, float *c, size_t ldc)
{
    for (size_t i = 0; i < m; i++) {
        float *row = c + i * ldc;
        for (size_t j = 0; j < n; j++)
            row[j] = 0.0f;
        for (size_t p = 0; p < k; p++)
            for (size_t j = 0; j < n; j++)
                row[j] = fmaf(a[i * lda + p], b[p * ldb + j], row[j]);
    }
}
