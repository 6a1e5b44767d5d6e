/* SPDX-License-Identifier: Apache-2.0 */
/* exp2, rcp, rsqrt, log2: a table and a quadratic in fixed point, integers only, no iteration.
 * Monotone by construction within a segment (every step of the evaluation is, and the last rounding
 * too) and across segments, because the interpolation errs outwards at both ends; the tests check
 * both. Worst errors as measured over all mantissas: see the table in primitives.c. */
#include "isa/num/elementary.h"

#include "isa/num/bits.h"
#include "isa/num/tables.h"

/* c0 - c1 t + c2 t^2 with t = u / 2^16. */
static inline uint32_t falling(const struct num_segment *s, uint32_t u)
{
    uint32_t slope = (uint32_t)s->c1 - (uint32_t)((uint64_t)(uint32_t)s->c2 * u >> 16);
    return (uint32_t)s->c0 - (uint32_t)((uint64_t)slope * u >> 16);
}

/* The mantissa of a positive finite x without its hidden bit, and the exponent of its leading one;
 * subnormals are normalised. */
static inline uint32_t normalise(uint32_t x, int *e)
{
    uint32_t field = x >> 23;
    if (field == 0) {
        int lz = num_clz32(x) - 8;
        x <<= lz;
        *e = -126 - lz;
    } else {
        *e = (int)field - 127;
    }
    return x & 0x7FFFFF;
}

/* y in (1/2, 1] in units of 2^-30, times 2^e, y rounded to 24 bits, half up; infinity above the
 * largest finite, +0 below 2^-126. */
static inline uint32_t pack_half_one(uint32_t sign, uint32_t y, int e)
{
    if (e > 128)
        return sign | TSR_NUM_INF;
    if (e < -126)
        return 0;
    /* The hidden bit, or 2^24 when y rounds to 1, adds to the exponent field. */
    uint32_t bits = ((uint32_t)(e + 125) << 23) + ((y + 32) >> 6); /* modulo 2^32 at e = -126 */
    if (bits >= TSR_NUM_INF)
        return sign | TSR_NUM_INF;
    return bits < 1 << 23 ? 0 : sign | bits;
}

/* x = i + f with f in [0, 1) cut to 28 bits downwards; 64 segments of f, 22 bits within. */
uint32_t num_exp2(uint32_t x)
{
    uint32_t mag = x & NUM_MAGNITUDE;
    if (mag > TSR_NUM_INF)
        return TSR_NUM_NAN;
    if (x >> 31 ? mag > UINT32_C(0x42FC0000) : mag >= UINT32_C(0x43000000))
        return x >> 31 ? 0 : TSR_NUM_INF; /* below -126, from 128 on */
    int e;
    int64_t m = num_split(mag, &e);
    m = x >> 31 ? -m : m;
    int by = e + 28; /* |x| <= 128: by <= 12 */
    int64_t fixed = by >= 0 ? m * ((int64_t)1 << by) : m >> (by > -63 ? -by : 63);
    int32_t whole = (int32_t)(fixed >> 28);
    uint32_t f = (uint32_t)fixed & 0xFFFFFFF, u = f & 0x3FFFFF;
    const struct num_segment *s = &num_exp2_table[f >> 22];
    uint32_t slope = (uint32_t)s->c1 + (uint32_t)((uint64_t)(uint32_t)s->c2 * u >> 22);
    uint32_t y = (uint32_t)s->c0 + (uint32_t)((uint64_t)slope * u >> 22);
    return ((uint32_t)(whole + 126) << 23) + ((y + 16) >> 5);
}

uint32_t num_rcp(uint32_t x)
{
    uint32_t mag = x & NUM_MAGNITUDE, sign = x & NUM_SIGN;
    if (mag >= TSR_NUM_INF)
        return mag > TSR_NUM_INF ? TSR_NUM_NAN : 0;
    if (mag == 0)
        return sign | TSR_NUM_INF;
    int e;
    uint32_t m = normalise(mag, &e);
    return pack_half_one(sign, falling(&num_rcp_table[m >> 16], m & 0xFFFF), -e);
}

uint32_t num_rsqrt(uint32_t x)
{
    uint32_t mag = x & NUM_MAGNITUDE;
    if (mag == 0)
        return x | TSR_NUM_INF;
    if (mag > TSR_NUM_INF || x >> 31)
        return TSR_NUM_NAN;
    if (mag == TSR_NUM_INF)
        return 0;
    int e;
    uint32_t m = normalise(mag, &e);
    const struct num_segment *table = e & 1 ? num_rsqrt_odd_table : num_rsqrt_even_table;
    int half = (e - (e & 1)) / 2;
    return pack_half_one(0, falling(&table[m >> 16], m & 0xFFFF), -half);
}

/* m = 1.f, halved from 1.5 on, so that m - 1 is small on both sides of x = 1 and exact:
 * log2(x) = e + (m - 1) * q(m) keeps its relative precision there. Units of 2^-54. */
uint32_t num_log2(uint32_t x)
{
    uint32_t mag = x & NUM_MAGNITUDE;
    if (mag == 0)
        return NUM_SIGN | TSR_NUM_INF;
    if (mag > TSR_NUM_INF || x >> 31)
        return TSR_NUM_NAN;
    if (mag == TSR_NUM_INF)
        return TSR_NUM_INF;
    int e;
    uint32_t m = normalise(mag, &e);
    int64_t above = 2 * (int64_t)m; /* m - 1 in units of 2^-24 */
    if (m >> 22) {
        above = (int64_t)m - (1 << 23);
        e++;
    }
    int64_t q = falling(&num_log2_table[m >> 16], m & 0xFFFF);
    int64_t y = e * ((int64_t)1 << 54) + above * q;
    return y == 0 ? 0 : num_round_pack(y < 0, (uint64_t)(y < 0 ? -y : y), -54);
}
