/* SPDX-License-Identifier: Apache-2.0 */
/* f32 from and to bf16 and f16, in integers. Contract: tessera/vecmath.h. */
#include <string.h>

#include "kernels/vecmath/vecmath.h"

tsr_convert_fn tsr_convert_f32_bf16_ref, tsr_convert_bf16_f32_ref;
tsr_convert_fn tsr_convert_f32_f16_ref, tsr_convert_f16_f32_ref;

/* v / 2^by to the nearest, ties to even; 1 <= by <= 31. */
static uint32_t shift_even(uint32_t v, int by)
{
    return (v + (1u << (by - 1)) - 1 + (v >> by & 1)) >> by;
}

static uint16_t to_bf16(uint32_t u)
{
    return (uint16_t)((u & 0x7FFFFFFF) > 0x7F800000 ? u >> 16 | 0x40 : shift_even(u, 16));
}

static uint16_t to_f16(uint32_t u)
{
    const uint32_t sign = u >> 16 & 0x8000, magnitude = u & 0x7FFFFFFF;
    if (magnitude > 0x7F800000)
        return (uint16_t)(sign | 0x7E00 | (magnitude >> 13 & 0x3FF));
    if (magnitude >= 0x47800000) /* 2^16 */
        return (uint16_t)(sign | 0x7C00);
    if (magnitude >= 0x38800000) /* 2^-14: a normal number, or rounded up to infinity */
        return (uint16_t)(sign | (shift_even(magnitude, 13) - (112u << 10)));
    if (magnitude <= 0x33000000) /* 2^-25, half of the least subnormal */
        return (uint16_t)sign;
    const int exponent = (int)(magnitude >> 23);
    return (uint16_t)(sign | shift_even(0x800000 | (magnitude & 0x7FFFFF), 126 - exponent));
}

static uint32_t from_f16(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31;
    uint32_t fraction = h & 0x3FF;
    if (exponent == 31)
        return sign | 0x7F800000 | fraction << 13 | (fraction != 0 ? 0x400000 : 0);
    if (exponent != 0)
        return sign | (exponent + 112) << 23 | fraction << 13;
    float subnormal = (float)fraction * 0x1p-24f;
    memcpy(&fraction, &subnormal, 4);
    return sign | fraction;
}

/* Memory of floats is read and written as bits. */
static uint32_t load32(const void *x, size_t i)
{
    uint32_t u;
    memcpy(&u, (const char *)x + 4 * i, sizeof u);
    return u;
}

static void store32(void *y, size_t i, uint32_t u)
{
    memcpy((char *)y + 4 * i, &u, sizeof u);
}

void tsr_convert_f32_bf16_ref(size_t n, const void *x, void *y)
{
    for (size_t i = 0; i < n; i++)
        ((uint16_t *)y)[i] = to_bf16(load32(x, i));
}

void tsr_convert_bf16_f32_ref(size_t n, const void *x, void *y)
{
    for (size_t i = 0; i < n; i++)
        store32(y, i, (uint32_t)((const uint16_t *)x)[i] << 16);
}

void tsr_convert_f32_f16_ref(size_t n, const void *x, void *y)
{
    for (size_t i = 0; i < n; i++)
        ((uint16_t *)y)[i] = to_f16(load32(x, i));
}

void tsr_convert_f16_f32_ref(size_t n, const void *x, void *y)
{
    for (size_t i = 0; i < n; i++)
        store32(y, i, from_f16(((const uint16_t *)x)[i]));
}
