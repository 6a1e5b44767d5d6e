/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/ref.h"

double tsr_squares_ref(size_t n, const float *x, double sum)
{
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

void tsr_rms_scale_ref(size_t n, double root, const float *x, const float *w, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (float)(x[i] / root * (w != NULL ? w[i] : 1.0));
}

void tsr_rmsnorm_ref(size_t rows, size_t n, double eps, const float *x, const float *w, float *y)
{
    for (size_t r = 0; r < rows; r++, x += n, y += n)
        tsr_rms_scale_ref(n, sqrt(tsr_squares_ref(n, x, 0) / (double)n + eps), x, w, y);
}

void tsr_layernorm_ref(size_t rows, size_t n, double eps, const float *x, const float *w,
                       const float *b, float *y)
{
    for (size_t r = 0; r < rows; r++, x += n, y += n) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < n; i++)
            sum += x[i];
        double mean = sum / (double)n;
        for (size_t i = 0; i < n; i++)
            squares += (x[i] - mean) * (x[i] - mean);
        double root = sqrt(squares / (double)n + eps);
        for (size_t i = 0; i < n; i++)
            y[i] =
                (float)((x[i] - mean) / root * (w != NULL ? w[i] : 1.0) + (b != NULL ? b[i] : 0.0));
    }
}
