/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces that the codecs, the tensor unit and the vector unit build on. Private to isa/num. */
#ifndef ISA_NUM_BITS_H
#define ISA_NUM_BITS_H

#include <stdbool.h>
#include <stdint.h>

#include "isa/num/num.h"

/* gcc vectorises the loops of this folder at -O3 only; clang does at -O2. A sanitizer or debug
 * build keeps its own level. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__)
#pragma GCC optimize("O3")
#endif

#define NUM_SIGN UINT32_C(0x80000000)
#define NUM_MAGNITUDE UINT32_C(0x7FFFFFFF)

static inline bool num_is_nan(uint32_t x)
{
    return (x & NUM_MAGNITUDE) > TSR_NUM_INF;
}

/* Leading zeros; x is not 0. */
static inline int num_clz64(uint64_t x)
{
    return __builtin_clzll(x);
}

static inline int num_clz32(uint32_t x)
{
    return __builtin_clz(x);
}

/* x / 2^d rounded down, its lowest bit set if anything was lost: the result compares with every
 * even number as the exact quotient does. d >= 0. */
static inline uint64_t num_shift_jam(uint64_t x, int d)
{
    int s = d < 63 ? d : 63;
    uint64_t q = x >> s;
    return q | (q << s != x);
}

/* f32 nearest to (negative ? -1 : 1) * mag * 2^e, ties to even; 0 < mag < 2^63. */
static inline uint32_t num_round_pack(bool negative, uint64_t mag, int e)
{
    int lz = num_clz64(mag) - 1;
    uint64_t x = mag << lz; /* leading bit at 62 */
    /* The 24 bits kept count 2^low each; f32 has none below 2^-149. */
    int low = e - lz + 39;
    int drop = low < -149 ? 39 - 149 - low : 39;
    low = low < -149 ? -149 : low;
    uint32_t s = negative ? NUM_SIGN : 0;
    if (drop > 63) /* below half of 2^-149 */
        return s;
    if (low > 254 - 150)
        return s | TSR_NUM_INF;
    uint64_t half = UINT64_C(1) << (drop - 1);
    uint32_t m = (uint32_t)((x + half - 1 + (x >> drop & 1)) >> drop);
    /* The hidden bit, or a carry out of the mantissa, adds one to the exponent field. */
    return s | (((uint32_t)(low + 149) << 23) + m);
}

/* Splits a finite f32 into a magnitude below 2^24 and the exponent of its lowest bit. */
static inline uint32_t num_split(uint32_t x, int *e)
{
    uint32_t field = x >> 23 & 0xFF;
    *e = (int)(field > 0 ? field : 1) - 150;
    return (x & 0x7FFFFF) | (uint32_t)(field > 0) << 23;
}

#endif
