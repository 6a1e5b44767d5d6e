/* SPDX-License-Identifier: Apache-2.0 */
/* The tensor unit's inner loops. A step of r products is computed for NUM_BLOCK columns side by
 * side in integers; the compiler vectorises the loops over columns. The body is compiled twice on
 * x86-64, for AVX2 and for any processor; the results are the same. */
#include "isa/num/mma_steps.h"

#include <assert.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* The part of C that one call of the loops works on: rows row.. of A and one block of B's columns,
 * `width` of them real; c points at its corner. */
struct area {
    const struct tsr_num_panel *a, *b;
    uint32_t row, rows, column, width;
    uint32_t *c;
    size_t c_stride;
};

/* Where the step that starts at k finds row i of the area, and the block of columns. */
INLINE size_t a_at(const struct area *w, uint32_t i, uint32_t k)
{
    return (size_t)(w->row + i) * w->a->k_padded + k;
}

INLINE size_t b_at(const struct area *w, uint32_t k)
{
    return ((size_t)w->column * w->b->k_padded) + (size_t)k * NUM_BLOCK;
}

/* Operands of one step: r elements of a row of A, r x NUM_BLOCK of B. */
struct wide_step {
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

/* The sums T of a step for eight columns, in units of 2^(top - g).
 * A product's magnitude is (p << g) >> (top - e), below 2^32. Its signed sum is taken from
 * u = negative ? ~v : v, which as an unsigned number is v or 2^32 - 1 - v: the sums of u modulo
 * 2^32 and of u >> 16 together give the sum of u exactly (r <= 64), the count of negatives the
 * rest. */
INLINE void wide_sum(const struct wide_step *s, uint32_t r, uint32_t g, int32_t *restrict top,
                     int64_t *restrict t)
{
    lanes16 highest = {0}, negatives = {0};
    highest += 2 * TSR_NUM_ZERO_EXPONENT;
    for (uint32_t k = 0; k < r; k++) {
        lanes16 e = *(const lanes16 *)(s->eb + k * NUM_BLOCK) + s->ea[k];
        lanes16 more = e > highest;
        highest = (e & more) | (highest & ~more);
        negatives -= *(const lanes16 *)(s->sb + k * NUM_BLOCK) ^ s->sa[k];
    }
    lanes32 tops = __builtin_convertvector(highest, lanes32);
    ulanes32 sum = {0}, high = {0};
    for (uint32_t k = 0; k < r; k++) {
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

INLINE void wide_area(const struct tsr_num_plan *plan, const struct area *w)
{
    const struct tsr_num_panel *a = w->a, *b = w->b;
    for (uint32_t k = 0; k < a->k_padded; k += plan->r) {
        size_t bt = b_at(w, k);
        for (uint32_t i = 0; i < w->rows; i++) {
            size_t at = a_at(w, i, k);
            uint32_t *row = w->c + i * w->c_stride;
            for (uint32_t j0 = 0; j0 < w->width; j0 += HALF) {
                uint32_t width = w->width - j0 < HALF ? w->width - j0 : HALF;
                struct wide_step s = {a->exponent + at,       a->magnitude + at,
                                      a->sign + at,           b->exponent + bt + j0,
                                      b->magnitude + bt + j0, b->sign + bt + j0};
                int32_t top[HALF];
                int64_t t[HALF];
                wide_sum(&s, plan->r, plan->g, top, t);
                for (uint32_t j = 0; j < width; j++)
                    row[j0 + j] = num_accumulate(row[j0 + j], t[j], top[j] - (int)plan->g);
            }
        }
    }
}

INLINE void exact_area(const struct tsr_num_plan *plan, const struct area *w)
{
    for (uint32_t k = 0; k < w->a->k_padded; k += plan->r) {
        const int32_t *vb = w->b->value + b_at(w, k);
        for (uint32_t i = 0; i < w->rows; i++) {
            const int32_t *va = w->a->value + a_at(w, i, k);
            uint32_t *row = w->c + i * w->c_stride;
            int64_t t[NUM_BLOCK] = {0};
            for (uint32_t l = 0; l < plan->r; l++)
                for (int j = 0; j < NUM_BLOCK; j++)
                    t[j] += (int64_t)va[l] * vb[l * NUM_BLOCK + j];
            for (uint32_t j = 0; j < w->width; j++)
                row[j] = num_accumulate(row[j], t[j], plan->unit);
        }
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

INLINE void narrow_area(const struct tsr_num_plan *plan, const struct area *w)
{
    for (uint32_t k = 0; k < w->a->k_padded; k += plan->r) {
        for (uint32_t i = 0; i < w->rows; i++) {
            uint32_t *row = w->c + i * w->c_stride;
            uint32_t t[NUM_BLOCK];
            sum32(w->a->value + a_at(w, i, k), w->b->value + b_at(w, k), plan->r, t);
            for (uint32_t j = 0; j < w->width; j++)
                row[j] = num_accumulate(row[j], (int32_t)t[j], plan->unit);
        }
    }
}

/* No rounding: the steps are one sum. */
INLINE void integer_area(const struct area *w)
{
    for (uint32_t i = 0; i < w->rows; i++) {
        uint32_t *row = w->c + i * w->c_stride;
        uint32_t t[NUM_BLOCK];
        sum32(w->a->value + a_at(w, i, 0), w->b->value + b_at(w, 0), w->a->k, t);
        for (uint32_t j = 0; j < w->width; j++)
            row[j] += t[j];
    }
}

INLINE void any_area(const struct tsr_num_plan *plan, const struct area *w)
{
    if (plan->kind == TSR_NUM_WIDE)
        wide_area(plan, w);
    else if (plan->kind == TSR_NUM_INTEGER)
        integer_area(w);
    else if (plan->narrow)
        narrow_area(plan, w);
    else
        exact_area(plan, w);
}

typedef void area_fn(const struct tsr_num_plan *plan, const struct area *w);

static void area_portable(const struct tsr_num_plan *plan, const struct area *w)
{
    any_area(plan, w);
}

#if defined(__x86_64__) && !defined(TSR_NUM_PORTABLE)
__attribute__((target("avx2,bmi,bmi2,lzcnt"))) static void
area_avx2(const struct tsr_num_plan *plan, const struct area *w)
{
    any_area(plan, w);
}

static area_fn *choose(void)
{
    bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
               __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("lzcnt");
    return has ? area_avx2 : area_portable;
}
#else
static area_fn *choose(void)
{
    return area_portable;
}
#endif

enum {
    CHUNK = 64 /* rows at a time: bounds what is kept of C for special rows and columns */
};

/* The loops know nothing of NaN and infinity; outputs that meet one are computed again. */
static void run_with_specials(area_fn *run, const struct tsr_num_plan *plan, const struct area *w)
{
    uint32_t before[CHUNK * NUM_BLOCK];
    for (uint32_t i = 0; i < w->rows; i++)
        memcpy(before + i * NUM_BLOCK, w->c + i * w->c_stride, w->width * sizeof *before);
    run(plan, w);
    for (uint32_t i = 0; i < w->rows; i++) {
        for (uint32_t j = 0; j < w->width; j++) {
            uint32_t row = w->row + i, column = w->column + j;
            if (w->a->special[row] != 0 || w->b->special[column] != 0)
                w->c[i * w->c_stride + j] =
                    num_special_chain(plan, w->a, w->b, row, column, before[i * NUM_BLOCK + j]);
        }
    }
}

void tsr_num_mma(const struct tsr_num_plan *plan, const struct tsr_num_panel *a,
                 const struct tsr_num_panel *b, uint32_t *c, size_t c_stride, bool overwrite)
{
    area_fn *run = choose();
    bool special = a->any_special || b->any_special;
    assert(a->side == TSR_NUM_A && b->side == TSR_NUM_B && a->k == b->k);
    assert(a->k_padded % plan->r == 0 && a->k_padded == b->k_padded);
    for (uint32_t i = 0; overwrite && i < a->rows; i++)
        memset(c + i * c_stride, 0, b->rows * sizeof *c);
    for (uint32_t j = 0; j < b->rows; j += NUM_BLOCK) {
        for (uint32_t i = 0; i < a->rows; i += CHUNK) {
            struct area w = {.a = a, .b = b, .row = i, .column = j, .c_stride = c_stride};
            w.rows = a->rows - i < CHUNK ? a->rows - i : CHUNK;
            w.width = b->rows - j < NUM_BLOCK ? b->rows - j : NUM_BLOCK;
            w.c = c + i * c_stride + j;
            if (special)
                run_with_specials(run, plan, &w);
            else
                run(plan, &w);
        }
    }
}
