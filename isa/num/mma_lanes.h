/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products for columns side by side. Private to mma_steps.c, which compiles them for two
 * processors: everything is inlined there. */
#ifndef ISA_NUM_MMA_LANES_H
#define ISA_NUM_MMA_LANES_H

#include "isa/num/mma_steps.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* Operands of one group: n elements of a row of A, n x NUM_BLOCK of B. */
struct wide_run {
    const int16_t *ea, *ma, *sa, *eb, *mb, *sb;
};

/* Half a block of columns: eight lanes. One register with AVX2, two of SSE2 or Neon. */
typedef int16_t lanes16 __attribute__((vector_size(16), aligned(2), may_alias));
typedef int32_t lanes32 __attribute__((vector_size(32)));
typedef uint32_t ulanes32 __attribute__((vector_size(32)));

typedef int32_t loads32 __attribute__((vector_size(32), aligned(4), may_alias));

enum {
    HALF = 8
};

/* A macro, since a function that returns a 32-byte vector has no agreed calling convention. */
#define WIDEN(p) __builtin_convertvector(*(const lanes16 *)(p), lanes32)

/* The sums of n <= 64 products for eight columns, in units of 2^(top - g).
 * A product's magnitude is (p << g) >> (top - e), below 2^32. Its signed sum is taken from
 * u = negative ? ~v : v, which as an unsigned number is v or 2^32 - 1 - v: the sums of u modulo
 * 2^32 and of u >> 16 together give the sum of u exactly (n <= 64), the count of negatives the
 * rest. */
INLINE void wide_sum(const struct wide_run *s, uint32_t n, uint32_t g, int32_t *restrict top,
                     int64_t *restrict t)
{
    lanes16 highest = {0}, negatives = {0};
    highest += 2 * TSR_NUM_ZERO_EXPONENT;
    for (uint32_t k = 0; k < n; k++) {
        lanes16 e = *(const lanes16 *)(s->eb + k * NUM_BLOCK) + s->ea[k];
        lanes16 more = e > highest;
        highest = (e & more) | (highest & ~more);
        negatives -= *(const lanes16 *)(s->sb + k * NUM_BLOCK) ^ s->sa[k];
    }
    lanes32 tops = __builtin_convertvector(highest, lanes32);
    ulanes32 sum = {0}, high = {0};
    for (uint32_t k = 0; k < n; k++) {
        ulanes32 v = (ulanes32)WIDEN(s->mb + k * NUM_BLOCK) * ((uint32_t)s->ma[k] << g);
        ulanes32 shift = (ulanes32)(tops - s->ea[k] - WIDEN(s->eb + k * NUM_BLOCK));
        ulanes32 u = (v >> (shift & 31)) & (ulanes32)(shift < 32);
        u ^= (ulanes32)(WIDEN(s->sb + k * NUM_BLOCK) ^ (int32_t)s->sa[k]);
        sum += u;
        high += u >> 16;
    }
    for (int j = 0; j < HALF; j++) {
        uint32_t low = sum[j] - (high[j] << 16); /* below 64 * 2^16 */
        top[j] = tops[j];
        t[j] = ((int64_t)high[j] << 16) + low - (int64_t)negatives[j] * UINT32_MAX;
    }
}

/* The sums of products of n elements of a row of A with a block of columns, modulo 2^32. */
INLINE void sum32(const int32_t *va, const int32_t *vb, uint32_t n, uint32_t *restrict t)
{
    ulanes32 low = {0}, high = {0};
    for (uint32_t k = 0; k < n; k++, vb += NUM_BLOCK) {
        low += (ulanes32) * (const loads32 *)vb * (uint32_t)va[k];
        high += (ulanes32) * (const loads32 *)(vb + HALF) * (uint32_t)va[k];
    }
    memcpy(t, &low, sizeof low);
    memcpy(t + HALF, &high, sizeof high);
}

/* The sums of n products of a row of A with a block of columns; |t| < 2^63. */
INLINE void sum64(const int32_t *va, const int32_t *vb, uint32_t n, int64_t *restrict t)
{
    int64_t sum[NUM_BLOCK] = {0};
    for (uint32_t k = 0; k < n; k++)
        for (int j = 0; j < NUM_BLOCK; j++)
            sum[j] += (int64_t)va[k] * vb[k * NUM_BLOCK + j];
    memcpy(t, sum, sizeof sum);
}

#endif
