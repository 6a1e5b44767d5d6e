/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "kernels/cpu/variants.h"

void tsr_matmul_f32(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                    size_t ldb, float *c, size_t ldc)
{
    assert(lda >= k && ldb >= n && ldc >= n);
    tsr_matmul_f32_fn *f = (tsr_matmul_f32_fn *)tsr_variant_chosen(TSR_OP_matmul_f32)->function;
    f(m, n, k, a, lda, b, ldb, c, ldc);
}
