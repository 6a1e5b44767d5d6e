/* SPDX-License-Identifier: Apache-2.0 */
/* int32 sums back to values, one by one. Contract: tessera/quant.h. */
#include <math.h>
#include <string.h>

#include "kernels/quant/quant.h"

tsr_requantize_row_fn tsr_requantize_f32_ref, tsr_requantize_bf16_ref, tsr_requantize_i8_ref;

/* Each step is one rounding to f32. Which NaN an operation makes is the processor's own: here it
 * is the machine's. */
static float value(int32_t sum, float row, float column, const float *bias)
{
    float v = (float)sum;
    v *= row;
    v *= column;
    if (bias != NULL)
        v += *bias;
    return v;
}

static uint32_t bits_of(float v)
{
    uint32_t u = TSR_NUM_NAN;
    if (!isnan(v))
        memcpy(&u, &v, sizeof u);
    return u;
}

void tsr_requantize_f32_ref(size_t n, const int32_t *x, float row, const float *column,
                            const float *bias, float r, void *y)
{
    (void)r;
    for (size_t i = 0; i < n; i++) {
        uint32_t u = bits_of(value(x[i], row, column[i], bias != NULL ? &bias[i] : NULL));
        memcpy((char *)y + 4 * i, &u, sizeof u);
    }
}

void tsr_requantize_bf16_ref(size_t n, const int32_t *x, float row, const float *column,
                             const float *bias, float r, void *y)
{
    (void)r;
    for (size_t i = 0; i < n; i++) {
        uint32_t u = bits_of(value(x[i], row, column[i], bias != NULL ? &bias[i] : NULL));
        uint16_t h = (uint16_t)((u + 0x7FFF + (u >> 16 & 1)) >> 16); /* nearest even */
        memcpy((char *)y + 2 * i, &h, sizeof h);
    }
}

void tsr_requantize_i8_ref(size_t n, const int32_t *x, float row, const float *column,
                           const float *bias, float r, void *y)
{
    for (size_t i = 0; i < n; i++) {
        float v = value(x[i], row, column[i], bias != NULL ? &bias[i] : NULL) * r;
        v = v > 127 ? 127 : v < -127 ? -127 : v;
        /* The sum's ULP is 1: adding rounds to an integer, nearest even. */
        ((int8_t *)y)[i] = (int8_t)(isnan(v) ? 0 : (v + 0x1.8p23f) - 0x1.8p23f);
    }
}
