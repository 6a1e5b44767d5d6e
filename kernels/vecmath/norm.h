/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the sums of a row's norm. Private to kernels/vecmath. */
#ifndef KERNELS_VECMATH_NORM_H
#define KERNELS_VECMATH_NORM_H

#include <math.h>

#include "kernels/ref.h"
#include "kernels/vecmath/vecmath.h"

/* 1 / sqrt(mean square + eps); false: the row is to be computed in double. A NaN is out of range,
 * too. Square root and division are exact but for their rounding on every processor. */
static inline bool norm_root(double mean_square, double eps, float *factor)
{
    mean_square += eps;
    *factor = (float)(1 / sqrt(mean_square));
    return mean_square >= NORM_LEAST && mean_square <= NORM_MOST;
}

static inline bool norm_factor(size_t n, float squares, double eps, float *factor)
{
    return norm_root((double)squares / (double)n, eps, factor);
}

/* A row's mean is mean + rest, rest the mean of x - mean. */
struct norm_mean {
    float mean, rest, factor;
};

/* From m->mean and the sums of x - mean and of its square: the rest. */
static inline bool norm_mean(size_t n, float sum, float squares, double eps, struct norm_mean *m)
{
    const double rest = (double)sum / (double)n;
    m->rest = (float)rest;
    double variance = (double)squares / (double)n - rest * rest;
    return norm_root(variance > 0 || isnan(variance) ? variance : 0, eps, &m->factor);
}

#endif
