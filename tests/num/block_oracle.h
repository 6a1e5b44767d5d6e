/* SPDX-License-Identifier: Apache-2.0 */
/* Block formats from their definitions alone, in long double: every product and midpoint here has
 * fewer than 64 bits, so nothing is rounded but where oracle_round says f32. A quotient of two f32
 * lies at least 2^-50 of itself from the middle of two f32 unless it is one: rounding it to 64 bits
 * first changes nothing. */
#ifndef TESTS_NUM_BLOCK_ORACLE_H
#define TESTS_NUM_BLOCK_ORACLE_H

#include <math.h>

#include "tests/num/formats.h"

/* Bits at * width.. of a packed array, `from` bits on. */
static inline uint32_t oracle_bits(const uint8_t *bytes, size_t from, size_t at, unsigned width)
{
    uint32_t c = 0;
    for (unsigned i = 0; i < width; i++) {
        size_t bit = from + at * width + i;
        c |= (uint32_t)(bytes[bit / 8] >> bit % 8 & 1) << i;
    }
    return c;
}

/* The element of a block format without its scale; mxi8 and mx9's magnitudes as integers. */
static inline struct tsr_format oracle_element(const struct tsr_format *f)
{
    struct tsr_format e = *f;
    e.family = f->ebits > 0 ? TSR_FAMILY_FLOAT : TSR_FAMILY_INT;
    return e;
}

static inline uint32_t oracle_largest(const struct tsr_format *element)
{
    uint32_t c = (1u << (element->bits - 1)) - 1;
    if (element->family == TSR_FAMILY_INT || element->specials == TSR_SPECIALS_NONE)
        return c;
    return element->specials == TSR_SPECIALS_FN ? c - 1 : c - (1u << element->mbits);
}

/* The code up to `limit` whose value times unit is x rounded as named; x >= 0, saturating. */
static inline uint32_t oracle_nearest(const struct tsr_format *element, uint32_t limit,
                                      long double x, long double unit, enum tsr_round round)
{
    uint32_t lo = 0, hi = limit;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo + 1) / 2;
        if (num_value(element, mid) * unit <= x)
            lo = mid;
        else
            hi = mid - 1;
    }
    if (lo == limit || round == TSR_ROUND_ZERO)
        return lo;
    long double middle = ((long double)num_value(element, lo) + num_value(element, lo + 1)) * unit;
    if (2 * x == middle)
        return round == TSR_ROUND_AWAY ? lo + 1 : lo + (lo & 1);
    return lo + (2 * x > middle);
}

static inline float oracle_round(long double v)
{
    return (float)v; /* the host rounds to nearest even */
}

/* The scale of a block whose largest magnitude is max: not 0 but for 0, its reciprocal finite. */
static inline uint32_t oracle_scale(const struct tsr_format *f, float max, float divisor)
{
    float v = oracle_round((long double)max / divisor);
    v = max > 0 && v < 0x1p-126f ? 0x1p-126f : v;
    uint32_t c = oracle_nearest(f, oracle_largest(f), v, 1, TSR_ROUND_EVEN);
    return max > 0 && c == 0 ? 1 : c;
}

/* x times the reciprocal of a scale, two roundings. */
static inline float oracle_scaled_down(float x, float scale)
{
    float r = oracle_round(1 / (long double)(scale < 0x1p-126f ? 0x1p-126f : scale));
    return oracle_round((long double)x * r);
}

static inline int oracle_exponent(long double x)
{
    int e;
    frexpl(x, &e);
    return e - 1;
}

/* What a block of n values becomes. */
struct oracle_block {
    uint32_t scale;    /* code */
    uint32_t code[64]; /* of elements, the sign on top; integers two's complement */
    uint8_t shift[32]; /* smx */
    float value[64];   /* decoded */
};

/* Signs and codes from magnitudes. */
static inline void oracle_put(struct oracle_block *b, unsigned i, const struct tsr_format *e,
                              bool twos, float x, uint32_t mag, long double unit)
{
    uint32_t mask = (uint32_t)((UINT64_C(1) << e->bits) - 1), sign = 1u << (e->bits - 1);
    long double v = (long double)num_value(e, mag) * unit;
    if (twos) {
        b->code[i] = (signbit(x) ? 0u - mag : mag) & mask;
        b->value[i] = mag == 0 ? 0 : oracle_round(signbit(x) ? -v : v);
    } else {
        b->code[i] = mag | (signbit(x) ? sign : 0);
        b->value[i] = oracle_round(signbit(x) ? -v : v);
    }
}

static inline float oracle_max(const float *x, unsigned n, bool *finite)
{
    float max = 0;
    *finite = true;
    for (unsigned i = 0; i < n; i++) {
        *finite = *finite && isfinite(x[i]);
        max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
    }
    return max;
}

static inline struct oracle_block oracle_none(unsigned n, uint32_t scale)
{
    struct oracle_block b = {.scale = scale};
    for (unsigned i = 0; i < n; i++)
        b.value[i] = NAN;
    return b;
}

static inline int oracle_clamp(int e)
{
    return e < -127 ? -127 : e > 127 ? 127 : e;
}

static inline struct oracle_block oracle_mx(const struct tsr_format *f, const float *x, unsigned n,
                                            enum tsr_round round)
{
    struct tsr_format e = oracle_element(f);
    bool finite;
    float max = oracle_max(x, n, &finite);
    uint32_t limit = oracle_largest(&e);
    int emax = f->ebits > 0 ? oracle_exponent(num_value(&e, limit)) : 0;
    int scale = max > 0 ? oracle_clamp(oracle_exponent(max) - emax) : -127;
    long double unit = ldexpl(1, scale - (f->ebits > 0 ? 0 : f->mbits));
    struct oracle_block b = {.scale = (uint32_t)(scale + 127)};
    if (!finite)
        return oracle_none(n, 255);
    for (unsigned i = 0; i < n; i++)
        oracle_put(&b, i, &e, f->ebits == 0, x[i],
                   oracle_nearest(&e, limit, fabsf(x[i]), unit, round), unit);
    return b;
}

static inline struct oracle_block oracle_smx(const struct tsr_format *f, const float *x, unsigned n,
                                             enum tsr_round round)
{
    struct tsr_format e = oracle_element(f);
    bool finite;
    float max = oracle_max(x, n, &finite);
    int scale = max > 0 ? oracle_clamp(oracle_exponent(max)) : -127;
    struct oracle_block b = {.scale = (uint32_t)(scale + 127)};
    if (!finite)
        return oracle_none(n, 255);
    for (unsigned i = 0; i < n; i++) {
        float one = fabsf(x[i & ~1u]), two = fabsf(x[i | 1u]);
        float larger = one > two ? one : two;
        bool shift = larger > 0 && oracle_exponent(larger) < scale;
        long double unit = ldexpl(1, scale - (f->mbits - 1) - shift);
        b.shift[i / 2] = shift;
        oracle_put(&b, i, &e, false, x[i],
                   oracle_nearest(&e, (1u << f->mbits) - 1, fabsf(x[i]), unit, round), unit);
    }
    return b;
}

/* Elements under a scale of format s, `largest` the largest element, `factor` the tensor's. */
static inline struct oracle_block oracle_scaled(const struct tsr_format *e, bool twos,
                                                const struct tsr_format *s, uint32_t scale_nan,
                                                float largest, float factor, const float *x,
                                                unsigned n, enum tsr_round round)
{
    bool finite;
    float max = oracle_max(x, n, &finite);
    float divisor = oracle_round((long double)largest * factor);
    struct oracle_block b = {.scale = oracle_scale(s, max, divisor)};
    if (!finite)
        return oracle_none(n, scale_nan);
    long double unit = (long double)num_value(s, b.scale) * factor;
    for (unsigned i = 0; i < n; i++) {
        float mag = oracle_scaled_down(fabsf(x[i]), oracle_round(unit));
        oracle_put(&b, i, e, twos, x[i],
                   unit > 0 ? oracle_nearest(e, oracle_largest(e), mag, 1, round) : 0, unit);
    }
    return b;
}

/* q4_0: codes are two's complement here, 0..15 less 8 in memory. */
static inline struct oracle_block oracle_q4_0(const float *x, enum tsr_round round)
{
    const struct tsr_format *s = &num_formats[N_F16];
    bool finite;
    float max = oracle_max(x, 32, &finite), top = 0;
    for (unsigned i = 32; i-- > 0;)
        top = fabsf(x[i]) == max ? x[i] : top;
    struct oracle_block b = {.scale = oracle_scale(s, max, 8)};
    if (!finite)
        return oracle_none(32, 0x7E00);
    long double unit = num_value(s, b.scale);
    if (top > 0) {
        b.scale |= 0x8000;
        unit = -unit;
    }
    for (unsigned i = 0; i < 32; i++) {
        bool minus = (x[i] < 0) != (unit < 0) && x[i] != 0;
        /* The integers -8..7: magnitudes up to 8 on one side. */
        uint32_t limit = minus ? 8 : 7;
        float v = oracle_scaled_down(fabsf(x[i]), oracle_round(fabsl(unit)));
        uint32_t mag = unit != 0 ? oracle_nearest(&num_formats[N_I32], limit, v, 1, round) : 0;
        b.code[i] = (minus ? 0u - mag : mag) & 15;
        b.value[i] = mag == 0 ? 0 : oracle_round((minus ? -(long double)mag : mag) * unit);
    }
    return b;
}

#endif
