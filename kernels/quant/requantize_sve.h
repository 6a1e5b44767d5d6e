/* SPDX-License-Identifier: Apache-2.0 */
/* int32 sums back to values for SVE at any vector length: the whole of requantize_i32_<level>.c.
 * Contract: tessera/quant.h.
 *
 * Vector instructions per vector of 4: SCVTF, which takes one of two pipes for 2 cycles, then 2
 * products, the bias, the store: 3 cycles on two pipes for f32. i8 adds a product, the clamps and
 * x + 1.5 * 2^23, whose low byte is x rounded to nearest even; FMIN and FMAX keep a NaN, whose low
 * byte is 0, as the format wants it. */
#include <arm_sve.h>

#include "kernels/quant/quant_sve.h"

/* Sums from element i on as values. */
static QUANT_INLINE svfloat32_t value(bool biased, svbool_t p, const int32_t *x, float row,
                                      const float *column, const float *bias, size_t i)
{
    const svbool_t all = svptrue_b32();
    svfloat32_t v = svcvt_f32_x(all, svld1(p, x + i));
    v = svmul_x(all, v, row);
    v = svmul_x(all, v, svld1(p, column + i));
    return biased ? svadd_x(all, v, svld1(p, bias + i)) : v;
}

static QUANT_INLINE void put_f32(svbool_t p, svfloat32_t v, float r, void *y, size_t i)
{
    (void)r;
    quant_store(p, false, false, y, i, v);
}

static QUANT_INLINE void put_bf16(svbool_t p, svfloat32_t v, float r, void *y, size_t i)
{
    (void)r;
    quant_store(p, true, false, y, i, v);
}

static QUANT_INLINE void put_i8(svbool_t p, svfloat32_t v, float r, void *y, size_t i)
{
    const svbool_t all = svptrue_b32();
    v = svmin_x(all, svmul_x(all, v, r), svdup_f32(127));
    v = svadd_x(all, svmax_x(all, v, svdup_f32(-127)), svdup_f32(QUANT_ROUND));
    svst1b(p, (uint8_t *)y + i, svreinterpret_u32(v));
}

#define PASS(name, put, biased)                                                                    \
    static QUANT_PASS void name(size_t n, const int32_t *x, float row, const float *column,        \
                                const float *bias, float r, void *y)                               \
    {                                                                                              \
        const svbool_t all = svptrue_b32();                                                        \
        const uint64_t vl = svcntw();                                                              \
        size_t i = 0;                                                                              \
        for (; n - i >= 4 * vl; i += 4 * vl) {                                                     \
            put(all, value(biased, all, x, row, column, bias, i), r, y, i);                        \
            put(all, value(biased, all, x, row, column, bias, i + vl), r, y, i + vl);              \
            put(all, value(biased, all, x, row, column, bias, i + 2 * vl), r, y, i + 2 * vl);      \
            put(all, value(biased, all, x, row, column, bias, i + 3 * vl), r, y, i + 3 * vl);      \
        }                                                                                          \
        for (; i < n; i += vl) {                                                                   \
            svbool_t p = svwhilelt_b32_u64(i, n);                                                  \
            put(p, value(biased, p, x, row, column, bias, i), r, y, i);                            \
        }                                                                                          \
    }

#define KERNEL(format, level)                                                                      \
    PASS(sums_##format, put_##format, false)                                                       \
    PASS(sums_bias_##format, put_##format, true)                                                   \
    tsr_requantize_row_fn tsr_requantize_##format##_##level;                                       \
    void tsr_requantize_##format##_##level(size_t n, const int32_t *x, float row,                  \
                                           const float *column, const float *bias, float r,        \
                                           void *y)                                                \
    {                                                                                              \
        (bias != NULL ? sums_bias_##format : sums_##format)(n, x, row, column, bias, r, y);        \
    }
