/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref.h"

void tsr_matmul_ref(size_t m, size_t n, size_t k, const float *a, const float *b,
                    enum tsr_layout_ref layout, const float *bias, float *c)
{
    size_t step = layout == TSR_B_NK ? 1 : n;
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            const float *row = a + i * k, *col = layout == TSR_B_NK ? b + j * k : b + j;
            double sum = 0;
            for (size_t p = 0; p < k; p++)
                sum += (double)row[p] * col[p * step]; /* the product of two floats is exact */
            c[i * n + j] = (float)(bias != NULL ? sum + bias[j] : sum);
        }
    }
}
