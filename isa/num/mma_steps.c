/* SPDX-License-Identifier: Apache-2.0 */
/* The tensor unit's inner loops. A step of r products is computed for NUM_BLOCK columns side by
 * side in integers; the compiler vectorises the loops over columns. The body is compiled twice on
 * x86-64, for AVX2 and for any processor; the results are the same. */
#include "isa/num/mma_lanes.h"

#include <assert.h>
#include <string.h>

/* The part of C that one call of the loops works on: rows row.. of A and one block of B's columns,
 * `width` of them real; c points at its corner. Of k, from..to - 1. */
struct area {
    const struct tsr_num_panel *a, *b;
    uint32_t row, rows, column, width, from, to;
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

/* Sums of a group for a block of columns: sum[j] * 2^exponent[j]. */
struct sums {
    int64_t sum[NUM_BLOCK];
    int32_t exponent[NUM_BLOCK];
};

/* How a group is summed; constants where the loops are compiled. */
enum how {
    SUM_NARROW,
    SUM_EXACT,
    SUM_WIDE,
};

/* The sums of n products from k on, scales left out. */
INLINE void group_sums(const struct tsr_num_plan *plan, enum how how, const struct area *w,
                       uint32_t i, uint32_t k, struct sums *s)
{
    const struct tsr_num_panel *a = w->a, *b = w->b;
    size_t at = a_at(w, i, k), bt = b_at(w, k);
    uint32_t t[NUM_BLOCK];
    for (int j = 0; j < NUM_BLOCK; j++)
        s->exponent[j] = plan->unit;
    if (how == SUM_NARROW) {
        sum32(a->value + at, b->value + bt, plan->group, t);
        for (int j = 0; j < NUM_BLOCK; j++)
            s->sum[j] = (int32_t)t[j];
    } else if (how == SUM_EXACT) {
        sum64(a->value + at, b->value + bt, plan->group, s->sum);
    } else {
        if (w->width <= HALF)
            memset(s->sum, 0, sizeof s->sum);
        for (uint32_t j0 = 0; j0 < w->width; j0 += HALF) {
            struct wide_run run = {a->exponent + at,       a->magnitude + at,
                                   a->sign + at,           b->exponent + bt + j0,
                                   b->magnitude + bt + j0, b->sign + bt + j0};
            wide_sum(&run, plan->group, plan->g, s->exponent + j0, s->sum + j0);
        }
        for (int j = 0; j < NUM_BLOCK; j++)
            s->exponent[j] -= (int32_t)plan->g;
    }
}

/* Brings in the scales of the group's row and columns. */
INLINE void scale_sums(const struct tsr_num_plan *plan, const struct area *w, uint32_t i,
                       uint32_t group, struct sums *s)
{
    size_t at = (size_t)(w->row + i) * w->a->groups + group;
    size_t bt = (size_t)w->column * w->b->groups + (size_t)group * NUM_BLOCK;
    for (int j = 0; j < NUM_BLOCK; j++)
        s->exponent[j] += w->a->scale_power[at] + w->b->scale_power[bt + j];
    for (int j = 0; plan->significands && j < NUM_BLOCK; j++)
        s->sum[j] *= w->a->scale[at] * w->b->scale[bt + j];
}

/* Adds up the groups of a step, each cut toward zero NUM_CUT bits below the largest's unit. */
INLINE void align_sums(const struct sums *in, uint32_t groups, struct sums *out)
{
    for (int j = 0; j < NUM_BLOCK; j++) {
        out->exponent[j] = INT16_MIN; /* below all */
        out->sum[j] = 0;
    }
    for (uint32_t g = 0; g < groups; g++) {
        for (int j = 0; j < NUM_BLOCK; j++) {
            int32_t e = in[g].sum[j] != 0 ? in[g].exponent[j] : INT16_MIN;
            out->exponent[j] = e > out->exponent[j] ? e : out->exponent[j];
        }
    }
    for (uint32_t g = 0; g < groups; g++) {
        for (int j = 0; j < NUM_BLOCK; j++) {
            int64_t sign = in[g].sum[j] >> 63;
            uint64_t v = (uint64_t)((in[g].sum[j] ^ sign) - sign) << NUM_CUT; /* below 2^60 */
            int32_t shift = out->exponent[j] - in[g].exponent[j];
            v >>= shift < 0 || shift > 63 ? 63 : shift; /* negative only for a sum of zero */
            out->sum[j] += ((int64_t)v ^ sign) - sign;
        }
    }
    for (int j = 0; j < NUM_BLOCK; j++)
        out->exponent[j] -= NUM_CUT;
}

/* The same for one column whose sum may exceed num_accumulate_far's 60 bits, brought into c: rare,
 * so one at a time. */
static uint32_t add_wide_sums(const struct sums *in, uint32_t groups, int j, uint32_t c)
{
    int32_t top = INT16_MIN;
    num_wide sum = 0;
    for (uint32_t g = 0; g < groups; g++)
        if (in[g].sum[j] != 0 && in[g].exponent[j] > top)
            top = in[g].exponent[j];
    for (uint32_t g = 0; g < groups; g++) {
        int64_t v = in[g].sum[j];
        int32_t shift = top - in[g].exponent[j];
        num_uwide cut = v < 0 ? 0 - (num_uwide)v : (num_uwide)v;
        cut = shift >= 0 && shift < 100 ? (cut << NUM_CUT) >> shift : 0;
        sum += v < 0 ? -(num_wide)cut : (num_wide)cut;
    }
    return num_accumulate_wide(c, sum, top - NUM_CUT);
}

/* Adds a step's groups to a row of C. */
INLINE void add_groups(const struct tsr_num_plan *plan, const struct sums *parts, bool several,
                       uint32_t *row, uint32_t width)
{
    const struct sums *s = parts;
    struct sums total;
    if (several && plan->sum_bits > 60) {
        for (uint32_t j = 0; j < width; j++)
            row[j] = add_wide_sums(parts, plan->groups, (int)j, row[j]);
        return;
    }
    if (several) {
        align_sums(parts, plan->groups, &total);
        s = &total;
    }
    if (plan->sum_bits <= NUM_FAST_BITS)
        for (uint32_t j = 0; j < width; j++)
            row[j] = num_accumulate(row[j], s->sum[j], s->exponent[j]);
    else
        for (uint32_t j = 0; j < width; j++)
            row[j] = num_accumulate_far(row[j], s->sum[j], s->exponent[j]);
}

INLINE void float_area(const struct tsr_num_plan *plan, enum how how, bool scaled, bool several,
                       const struct area *w)
{
    struct sums parts[NUM_MAX_STEP];
    uint32_t groups = several ? plan->groups : 1;
    for (uint32_t k = w->from; k < w->to; k += plan->r) {
        for (uint32_t i = 0; i < w->rows; i++) {
            for (uint32_t g = 0; g < groups; g++) {
                group_sums(plan, how, w, i, k + g * plan->group, &parts[g]);
                if (scaled)
                    scale_sums(plan, w, i, k / plan->r * groups + g, &parts[g]);
            }
            add_groups(plan, parts, several, w->c + i * w->c_stride, w->width);
        }
    }
}

/* No rounding: the steps are one sum. */
INLINE void integer_area(const struct area *w)
{
    uint32_t to = w->to < w->a->k ? w->to : w->a->k;
    for (uint32_t i = 0; i < w->rows; i++) {
        uint32_t *row = w->c + i * w->c_stride;
        uint32_t t[NUM_BLOCK];
        sum32(w->a->value + a_at(w, i, w->from), w->b->value + b_at(w, w->from), to - w->from, t);
        for (uint32_t j = 0; j < w->width; j++)
            row[j] += t[j];
    }
}

INLINE void any_area(const struct tsr_num_plan *plan, const struct area *w)
{
    enum how how = plan->kind == TSR_NUM_WIDE ? SUM_WIDE : plan->narrow ? SUM_NARROW : SUM_EXACT;
    int shape = (plan->scaled ? 1 : 0) + (plan->groups > 1 ? 1 : 0);
    if (plan->kind == TSR_NUM_INTEGER)
        integer_area(w);
    else if (how == SUM_WIDE && shape == 0)
        float_area(plan, SUM_WIDE, false, false, w);
    else if (how == SUM_WIDE && shape == 1)
        float_area(plan, SUM_WIDE, true, false, w);
    else if (how == SUM_WIDE)
        float_area(plan, SUM_WIDE, true, true, w);
    else if (how == SUM_NARROW && shape == 0)
        float_area(plan, SUM_NARROW, false, false, w);
    else if (how == SUM_NARROW && shape == 1)
        float_area(plan, SUM_NARROW, true, false, w);
    else if (how == SUM_NARROW)
        float_area(plan, SUM_NARROW, true, true, w);
    else if (shape == 0)
        float_area(plan, SUM_EXACT, false, false, w);
    else if (shape == 1)
        float_area(plan, SUM_EXACT, true, false, w);
    else
        float_area(plan, SUM_EXACT, true, true, w);
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
            struct num_pair p = {plan, w->a, w->b, w->row + i, w->column + j};
            if (w->a->special[p.i] != 0 || w->b->special[p.j] != 0)
                w->c[i * w->c_stride + j] =
                    num_chain(&p, w->from, w->to, before[i * NUM_BLOCK + j]);
        }
    }
}

void tsr_num_mma_steps(const struct tsr_num_plan *plan, const struct tsr_num_panel *a,
                       const struct tsr_num_panel *b, uint32_t *c, size_t c_stride, uint32_t first,
                       uint32_t steps)
{
    area_fn *run = choose();
    bool special = a->any_special || b->any_special;
    assert(a->side == TSR_NUM_A && b->side == TSR_NUM_B && a->k == b->k);
    assert(a->k_padded % plan->r == 0 && a->k_padded == b->k_padded);
    assert(first + steps <= a->k_padded / plan->r);
    for (uint32_t j = 0; j < b->rows; j += NUM_BLOCK) {
        for (uint32_t i = 0; i < a->rows; i += CHUNK) {
            struct area w = {.a = a, .b = b, .row = i, .column = j, .c_stride = c_stride};
            w.rows = a->rows - i < CHUNK ? a->rows - i : CHUNK;
            w.width = b->rows - j < NUM_BLOCK ? b->rows - j : NUM_BLOCK;
            w.from = first * plan->r;
            w.to = w.from + steps * plan->r;
            w.c = c + i * c_stride + j;
            if (special)
                run_with_specials(run, plan, &w);
            else
                run(plan, &w);
        }
    }
}

void tsr_num_mma(const struct tsr_num_plan *plan, const struct tsr_num_panel *a,
                 const struct tsr_num_panel *b, uint32_t *c, size_t c_stride, bool overwrite)
{
    for (uint32_t i = 0; overwrite && i < a->rows; i++)
        memset(c + i * c_stride, 0, b->rows * sizeof *c);
    tsr_num_mma_steps(plan, a, b, c, c_stride, 0, a->k_padded / plan->r);
}
