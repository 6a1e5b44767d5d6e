/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/ref.h"

void tsr_softmax_ref(size_t rows, size_t n, const float *x, float *y)
{
    for (size_t r = 0; r < rows; r++, x += n, y += n) {
        double max = -INFINITY, sum = 0;
        for (size_t i = 0; i < n; i++)
            max = x[i] > max || isnan(x[i]) ? x[i] : max;
        if (isinf(max) && max < 0) { /* nothing to choose from; inf - inf would be NaN */
            for (size_t i = 0; i < n; i++)
                y[i] = 0.0f;
            continue;
        }
        for (size_t i = 0; i < n; i++)
            sum += exp(x[i] - max);
        for (size_t i = 0; i < n; i++)
            y[i] = (float)(exp(x[i] - max) / sum);
    }
}
