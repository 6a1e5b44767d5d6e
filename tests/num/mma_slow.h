/* SPDX-License-Identifier: Apache-2.0 */
/* The tensor unit's arithmetic once more, slowly, from the rules alone (isa/MACHINE.md): every
 * sum is kept in fixed point wide enough for all exponents and rounded from there. Shares no code
 * with isa/num. */
#ifndef TESTS_NUM_MMA_SLOW_H
#define TESTS_NUM_MMA_SLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tessera/dtype.h"

/* Two's complement, lowest limb first; the lowest bit counts 2^-SLOW_POINT. Products of mxf8e5m2
 * reach from 2^-328 (with window and alignment) to 2^292. */
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
    if (mag == 0)
        return;
    uint64_t low = (mag & 0xFFFFFFFF) << at % 32, high = (mag >> 32) << at % 32;
    y.limb[at / 32] = (uint32_t)low;
    y.limb[at / 32 + 1] = (uint32_t)(low >> 32) | (uint32_t)high;
    y.limb[at / 32 + 2] = (uint32_t)(high >> 32);
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
    while (top >= 0 && x.limb[top / 32] == 0)
        top -= 32;
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
    for (int i = 0; i < low - 1; i += i % 32 == 0 && i + 32 <= low - 1 ? 32 : 1)
        rest |= i % 32 == 0 && i + 32 <= low - 1 ? x.limb[i / 32] != 0 : slow_bit(&x, i);
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

static inline struct slow_element slow_float(uint32_t code, int ebits, int mbits, int bias,
                                             enum tsr_specials specials)
{
    struct slow_element x = {.negative = code >> (ebits + mbits) & 1};
    uint32_t rest = code % (1u << (ebits + mbits)), m = rest % (1u << mbits);
    int field = (int)(rest / (1u << mbits)), highest = (1 << ebits) - 1;
    x.nan = (specials == TSR_SPECIALS_IEEE && field == highest && m != 0) ||
            (specials == TSR_SPECIALS_FN && field == highest && m == (1u << mbits) - 1);
    x.inf = specials == TSR_SPECIALS_IEEE && field == highest && m == 0;
    x.m = field == 0 ? m : m + (1u << mbits);
    x.e = (field == 0 ? 1 : field) - bias - mbits;
    return x;
}

/* An element without its scale; `shift` is its pair's bit in smx. */
static inline struct slow_element slow_element(const struct tsr_format *f, uint32_t code, int shift)
{
    if (f->ebits > 0)
        return slow_float(code, f->ebits, f->mbits, f->bias, f->specials);
    struct slow_element x = {.negative = code >> (f->bits - 1) & 1, .e = -f->mbits};
    if (f->family == TSR_FAMILY_SMX) {
        x.m = code % (1u << f->mbits) * (shift ? 1 : 2);
    } else if (f->family == TSR_FAMILY_GGUF && f->bias != 0) {
        int v = (int)code - f->bias;
        x.negative = v < 0;
        x.m = (uint64_t)(v < 0 ? -v : v);
    } else {
        x.m = x.negative ? (1u << f->bits) - code : code;
    }
    return x;
}

static inline struct slow_element slow_scale(const struct tsr_format *f, uint32_t code)
{
    if (f->family == TSR_FAMILY_NVF)
        return slow_float(code, 4, 3, 7, TSR_SPECIALS_FN);
    if (f->family == TSR_FAMILY_GGUF)
        return slow_float(code, 5, 10, 15, TSR_SPECIALS_IEEE);
    if (f->family == TSR_FAMILY_MX || f->family == TSR_FAMILY_SMX)
        return (struct slow_element){.m = 1, .e = (int)code - 127, .nan = code == 0xFF};
    return (struct slow_element){.m = 1};
}

/* Rows of codes, of bits that shift pairs (one per element here), of scales. */
struct slow_operand {
    const struct tsr_format *f;
    const uint32_t *codes, *shifts, *scales;
    uint32_t k, blocks; /* in a row */
};

/* What one product takes: an element and the scale it lies under. */
struct slow_item {
    struct slow_element x, scale;
};

static inline uint32_t slow_block(const struct tsr_format *f)
{
    bool none = f->family == TSR_FAMILY_FLOAT || f->family == TSR_FAMILY_INT;
    return none ? 1000 : f->block;
}

static inline struct slow_item slow_item(const struct slow_operand *o, uint32_t row, uint32_t k)
{
    uint32_t at = row * o->k + k;
    struct slow_item i = {.x = slow_element(o->f, o->codes[at], (int)o->shifts[at])};
    i.scale = slow_scale(o->f, o->scales[row * o->blocks + k / slow_block(o->f)]);
    i.x.nan |= i.scale.nan || i.scale.inf;
    i.x.inf &= i.scale.m != 0;
    i.x.m = i.scale.m != 0 ? i.x.m : 0;
    return i;
}

/* bf16, f16, e5m2; and what overlays add of such width. */
static inline bool slow_is_wide(const struct tsr_format *f)
{
    return f->ebits > 4;
}

static inline int slow_lowest(const struct tsr_format *f)
{
    return f->ebits > 0 ? 1 - f->bias - f->mbits : -f->mbits;
}

static inline int slow_bits(const struct tsr_format *f)
{
    return f->ebits > 0 ? f->mbits + 1 : f->bits;
}

/* A group's value: v * 2^e; the scales are those of its first products. */
struct slow_value {
    bool negative;
    uint64_t v;
    int e;
};

static inline struct slow_value slow_group(const struct tsr_format *fa, const struct tsr_format *fb,
                                           uint32_t n, const struct slow_item *a,
                                           const struct slow_item *b)
{
    bool wide = slow_is_wide(fa) || slow_is_wide(fb);
    int g = 32 - slow_bits(fa) - slow_bits(fb), top = -100000;
    int unit = slow_lowest(fa) + slow_lowest(fb);
    int64_t sum = 0;
    for (uint32_t l = 0; l < n; l++)
        if (a[l].x.m * b[l].x.m != 0 && a[l].x.e + b[l].x.e > top)
            top = a[l].x.e + b[l].x.e;
    for (uint32_t l = 0; l < n; l++) {
        uint64_t p = a[l].x.m * b[l].x.m;
        int e = a[l].x.e + b[l].x.e;
        if (p == 0)
            continue;
        if (wide)
            p = top - e > 63 ? 0 : (p << g) >> (top - e);
        else
            p <<= e - unit;
        sum += a[l].x.negative != b[l].x.negative ? -(int64_t)p : (int64_t)p;
    }
    struct slow_value x = {.negative = sum < 0, .v = (uint64_t)(sum < 0 ? -sum : sum)};
    x.v *= a[0].scale.m * b[0].scale.m;
    x.negative ^= a[0].scale.negative != b[0].scale.negative;
    x.e = (wide ? top - g : unit) + a[0].scale.e + b[0].scale.e;
    return x;
}

/* Adds one step of r products, all finite, to *sum. */
static inline void slow_step(const struct tsr_format *fa, const struct tsr_format *fb, uint32_t r,
                             uint32_t count, const struct slow_item *a, const struct slow_item *b,
                             struct slow_fixed *sum)
{
    struct slow_value v[64];
    uint32_t group = r, groups = 0;
    int top = -100000;
    group = slow_block(fa) < group ? slow_block(fa) : group;
    group = slow_block(fb) < group ? slow_block(fb) : group;
    for (uint32_t l = 0; l < count; l += group, groups++) {
        uint32_t n = count - l < group ? count - l : group;
        v[groups] = slow_group(fa, fb, n, a + l, b + l);
        if (v[groups].v != 0 && v[groups].e > top)
            top = v[groups].e;
    }
    for (uint32_t g = 0; g < groups; g++) {
        int beyond = top - v[g].e - 16; /* places that are cut */
        if (v[g].v == 0)
            continue;
        if (group == r || beyond <= 0)
            slow_add(sum, v[g].negative, v[g].v, v[g].e);
        else
            slow_add(sum, v[g].negative, beyond > 63 ? 0 : v[g].v >> beyond, top - 16);
    }
}

/* One step of `count` <= r products on a float accumulator. */
static inline uint32_t slow_step_f32(const struct tsr_format *fa, const struct tsr_format *fb,
                                     uint32_t r, uint32_t count, const struct slow_item *a,
                                     const struct slow_item *b, uint32_t c)
{
    uint32_t mag = c & 0x7FFFFFFF;
    bool nan = mag > 0x7F800000, plus = c == 0x7F800000, minus = c == 0xFF800000;
    for (uint32_t l = 0; l < count; l++) {
        struct slow_element x = a[l].x, y = b[l].x;
        bool zero = (x.m == 0 && !x.inf) || (y.m == 0 && !y.inf), inf = x.inf || y.inf;
        bool negative = (x.negative != y.negative) != (a[l].scale.negative != b[l].scale.negative);
        nan |= x.nan || y.nan || (inf && zero);
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
    slow_step(fa, fb, r, count, a, b, &sum);
    return slow_round(sum);
}

static inline uint32_t slow_step_int(uint32_t count, const struct slow_item *a,
                                     const struct slow_item *b, uint32_t c)
{
    for (uint32_t l = 0; l < count; l++) {
        uint32_t p = (uint32_t)(a[l].x.m * b[l].x.m);
        c += a[l].x.negative != b[l].x.negative ? 0 - p : p;
    }
    return c;
}

/* C[m,n] += A[m,k] x B[k,n]. */
static inline void slow_mma(const struct slow_operand *a, const struct slow_operand *b, uint32_t r,
                            uint32_t m, uint32_t n, uint32_t *c)
{
    for (uint32_t i = 0; i < m * n; i++) {
        for (uint32_t l = 0; l < a->k; l += r) {
            struct slow_item x[64], y[64];
            uint32_t count = a->k - l < r ? a->k - l : r;
            for (uint32_t s = 0; s < count; s++) {
                x[s] = slow_item(a, i / n, l + s);
                y[s] = slow_item(b, i % n, l + s);
            }
            if (a->f->family == TSR_FAMILY_INT)
                c[i] = slow_step_int(count, x, y, c[i]);
            else
                c[i] = slow_step_f32(a->f, b->f, r, count, x, y, c[i]);
        }
    }
}

#endif
