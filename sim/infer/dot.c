/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/infer/dot.h"

#include <string.h>

/* Element by element in every compiler; a vector where the processor has one. */
typedef float lanes __attribute__((vector_size(16)));

enum {
    LANES = 16,
    WIDTH = sizeof(lanes) / sizeof(float),
    VECTORS = LANES / WIDTH
};

static inline lanes load(const float *x)
{
    lanes v;
    memcpy(&v, x, sizeof v);
    return v;
}

static inline void add_block(lanes sum[VECTORS], const float *a, const float *b)
{
    for (int v = 0; v < VECTORS; v++)
        sum[v] += load(a + v * WIDTH) * load(b + v * WIDTH);
}

float infer_dot(size_t n, const float *a, const float *b)
{
    lanes sum[VECTORS] = {{0}};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        add_block(sum, a + i, b + i);
    if (i < n) { /* lanes beyond the end add 0 * 0 */
        float x[LANES] = {0}, y[LANES] = {0};
        memcpy(x, a + i, (n - i) * sizeof *x);
        memcpy(y, b + i, (n - i) * sizeof *y);
        add_block(sum, x, y);
    }
    lanes s = (sum[0] + sum[2]) + (sum[1] + sum[3]);
    return (s[0] + s[2]) + (s[1] + s[3]);
}

void infer_axpy(size_t n, float p, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += p * x[i];
}
