/* SPDX-License-Identifier: Apache-2.0 */
/* The tensor unit's arithmetic once more, slowly, from the rules alone (isa/num/README.md): every
 * sum is kept in fixed point wide enough for all exponents and rounded from there. Shares no code
 * with isa/num. */
#ifndef TESTS_NUM_MMA_SLOW_H
#define TESTS_NUM_MMA_SLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tessera/dtype.h"

/* Two's complement, lowest limb first; the lowest bit counts 2^-SLOW_POINT. bf16 products reach
 * from 2^-282 (with the window) to 2^257. */
enum {
    SLOW_LIMBS = 32,
    SLOW_POINT = 448
};

struct slow_fixed {
    uint32_t limb[SLOW_LIMBS];
};

static inline void slow_negate(struct slow_fixed *x)
{
    uint64_t carry = 1;
    for (int i = 0; i < SLOW_LIMBS; i++) {
        carry += (uint32_t)~x->limb[i];
        x->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* x += (negative ? -1 : 1) * mag * 2^e; bits below 2^-SLOW_POINT must not occur. */
static inline void slow_add(struct slow_fixed *x, bool negative, uint64_t mag, int e)
{
    int at = e + SLOW_POINT;
    struct slow_fixed y = {{0}};
    for (int i = 0; mag != 0 && i < 64; i++)
        if (mag >> i & 1)
            y.limb[(at + i) / 32] |= 1u << (at + i) % 32;
    if (negative)
        slow_negate(&y);
    uint64_t carry = 0;
    for (int i = 0; i < SLOW_LIMBS; i++) {
        carry += (uint64_t)x->limb[i] + y.limb[i];
        x->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static inline int slow_bit(const struct slow_fixed *x, int i)
{
    return i < 0 ? 0 : x->limb[i / 32] >> i % 32 & 1;
}

/* Nearest even in f32; an exact zero is +0. */
static inline uint32_t slow_round(struct slow_fixed x)
{
    uint32_t sign = x.limb[SLOW_LIMBS - 1] & 0x80000000u;
    int top = SLOW_LIMBS * 32 - 1, low;
    if (sign != 0)
        slow_negate(&x);
    while (top >= 0 && !slow_bit(&x, top))
        top--;
    if (top < 0)
        return 0;
    low = top - 23;
    if (low < SLOW_POINT - 149)
        low = SLOW_POINT - 149;
    uint32_t m = 0;
    for (int i = 23; i >= 0; i--)
        m = m << 1 | (uint32_t)slow_bit(&x, low + i);
    bool half = slow_bit(&x, low - 1), rest = false;
    for (int i = 0; i < low - 1; i++)
        rest |= slow_bit(&x, i);
    if (half && (rest || (m & 1)))
        m++;
    if (m == 1u << 24) {
        m >>= 1;
        low++;
    }
    if (m < 1u << 23)
        return sign | m;
    int field = low - SLOW_POINT + 150;
    return sign | (field > 254 ? 0x7F800000u : (uint32_t)field << 23 | (m & 0x7FFFFF));
}

struct slow_element {
    bool nan, inf, negative;
    uint64_t m;
    int e; /* value = m * 2^e */
};

static inline struct slow_element slow_element(const struct tsr_format *f, uint32_t code)
{
    struct slow_element x = {.negative = code >> (f->bits - 1) & 1};
    if (f->family == TSR_FAMILY_INT) {
        x.m = x.negative ? (1u << f->bits) - code : code;
        return x;
    }
    uint32_t rest = code % (1u << (f->bits - 1)), m = rest % (1u << f->mbits);
    int field = (int)(rest / (1u << f->mbits)), highest = (1 << f->ebits) - 1;
    x.nan = (f->specials == TSR_SPECIALS_IEEE && field == highest && m != 0) ||
            (f->specials == TSR_SPECIALS_FN && field == highest && m == (1u << f->mbits) - 1);
    x.inf = f->specials == TSR_SPECIALS_IEEE && field == highest && m == 0;
    x.m = field == 0 ? m : m + (1u << f->mbits);
    x.e = (field == 0 ? 1 : field) - f->bias - f->mbits;
    return x;
}

/* bf16, f16, e5m2; and what overlays add of such width. */
static inline bool slow_is_wide(const struct tsr_format *f)
{
    return f->family == TSR_FAMILY_FLOAT && f->ebits > 4;
}

/* Adds one step of r products, all finite, to *sum. */
static inline void slow_step(const struct tsr_format *fa, const struct tsr_format *fb, uint32_t r,
                             const struct slow_element *a, const struct slow_element *b,
                             struct slow_fixed *sum)
{
    bool wide = slow_is_wide(fa) || slow_is_wide(fb);
    int g = 32 - (fa->mbits + 1) - (fb->mbits + 1), top = -100000;
    for (uint32_t l = 0; l < r; l++)
        if (a[l].m * b[l].m != 0 && a[l].e + b[l].e > top)
            top = a[l].e + b[l].e;
    for (uint32_t l = 0; l < r; l++) {
        uint64_t p = a[l].m * b[l].m;
        bool negative = a[l].negative != b[l].negative;
        int e = a[l].e + b[l].e;
        if (p == 0)
            continue;
        if (!wide)
            slow_add(sum, negative, p, e);
        else
            slow_add(sum, negative, top - e > 63 ? 0 : (p << g) >> (top - e), top - g);
    }
}

/* One step on a float accumulator. */
static inline uint32_t slow_step_f32(const struct tsr_format *fa, const struct tsr_format *fb,
                                     uint32_t r, const struct slow_element *a,
                                     const struct slow_element *b, uint32_t c)
{
    uint32_t mag = c & 0x7FFFFFFF;
    bool nan = mag > 0x7F800000, plus = c == 0x7F800000, minus = c == 0xFF800000;
    for (uint32_t l = 0; l < r; l++) {
        bool zero = (a[l].m == 0 && !a[l].inf) || (b[l].m == 0 && !b[l].inf);
        bool negative = a[l].negative != b[l].negative, inf = a[l].inf || b[l].inf;
        nan |= a[l].nan || b[l].nan || (inf && zero);
        plus |= inf && !negative;
        minus |= inf && negative;
    }
    if (nan || (plus && minus))
        return 0x7FC00000;
    if (plus || minus)
        return plus ? 0x7F800000 : 0xFF800000;
    struct slow_fixed sum = {{0}};
    int field = (int)(mag >> 23);
    slow_add(&sum, c >> 31, field == 0 ? mag : (mag & 0x7FFFFF) | 0x800000,
             (field == 0 ? 1 : field) - 150);
    slow_step(fa, fb, r, a, b, &sum);
    return slow_round(sum);
}

/* C[m,n] += A[m,k] x B[k,n]; codes a[i * k + l], b[j * k + l]. */
static inline void slow_mma(const struct tsr_format *fa, const struct tsr_format *fb, uint32_t r,
                            uint32_t m, uint32_t n, uint32_t k, const uint32_t *a,
                            const uint32_t *b, uint32_t *c)
{
    for (uint32_t i = 0; i < m * n; i++) {
        const uint32_t *row = a + i / n * k, *column = b + i % n * k;
        for (uint32_t l = 0; l < k; l += r) {
            struct slow_element ea[64], eb[64];
            uint32_t count = k - l < r ? k - l : r;
            int64_t sum = 0;
            for (uint32_t s = 0; s < count; s++) {
                ea[s] = slow_element(fa, row[l + s]);
                eb[s] = slow_element(fb, column[l + s]);
                int64_t p = (int64_t)(ea[s].m * eb[s].m);
                sum += ea[s].negative != eb[s].negative ? -p : p;
            }
            if (fa->family == TSR_FAMILY_INT)
                c[i] = (uint32_t)(c[i] + (uint64_t)sum);
            else
                c[i] = slow_step_f32(fa, fb, count, ea, eb, c[i]);
        }
    }
}

#endif
