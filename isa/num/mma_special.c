/* SPDX-License-Identifier: Apache-2.0 */
/* One output of the tensor unit at a time, any elements: for rows of A and columns of B that hold a
 * NaN or an infinity: rare, and the loops of mma_steps.c know neither. */
#include "isa/num/mma_steps.h"

/* An element of a panel; its group's scale counts for zero and sign only. */
struct item {
    bool nan, inf, negative;
    uint32_t magnitude; /* 0 for NaN and infinity */
    int exponent;       /* WIDE */
};

static struct item item_of(const struct tsr_num_panel *p, size_t at)
{
    struct item x = {.nan = false};
    if (p->value != NULL) {
        uint8_t mark = p->any_special ? p->mark[at] : NUM_FINITE;
        int32_t v = p->value[at];
        x.negative = v < 0 || mark == NUM_MINUS_INF;
        x.magnitude = v < 0 ? 0 - (uint32_t)v : (uint32_t)v;
        x.nan = mark == NUM_NAN;
        x.inf = mark == NUM_PLUS_INF || mark == NUM_MINUS_INF;
    } else {
        x.negative = p->sign[at] != 0;
        x.magnitude = (uint32_t)p->magnitude[at];
        x.exponent = p->exponent[at];
        x.nan = x.exponent == TSR_NUM_NAN_EXPONENT;
        x.inf = x.exponent == TSR_NUM_INF_EXPONENT;
    }
    return x;
}

static struct item item_a(const struct num_pair *p, size_t k)
{
    return item_of(p->a, num_panel_at(p->a, p->i, k));
}

static struct item item_b(const struct num_pair *p, size_t k)
{
    return item_of(p->b, num_panel_at(p->b, p->j, k));
}

/* Product of the signed significands of a group's scales, and 2^ what goes with it. */
static int64_t scales_of(const struct num_pair *p, size_t group, int *exponent)
{
    *exponent = 0;
    if (!p->plan->scaled)
        return 1;
    size_t at = num_scale_at(p->a, p->i, group), bt = num_scale_at(p->b, p->j, group);
    *exponent = p->a->scale_power[at] + p->b->scale_power[bt];
    return (int64_t)p->a->scale[at] * p->b->scale[bt];
}

/* What the specials of one step do to c; returns whether they decide. */
static bool special_step(const struct num_pair *p, size_t k, uint32_t *c)
{
    bool nan = num_is_nan(*c), up = *c == TSR_NUM_INF, down = *c == (NUM_SIGN | TSR_NUM_INF);
    for (size_t l = k; l < k + p->plan->r; l++) {
        struct item x = item_a(p, l), y = item_b(p, l);
        int unused;
        if (!x.nan && !x.inf && !y.nan && !y.inf)
            continue;
        bool zero = (x.magnitude == 0 && !x.inf) || (y.magnitude == 0 && !y.inf);
        bool negative =
            (x.negative != y.negative) != (scales_of(p, l / p->plan->group, &unused) < 0);
        nan |= x.nan || y.nan || zero;
        up |= !negative;
        down |= negative;
    }
    if (nan || (up && down))
        *c = TSR_NUM_NAN;
    else if (up || down)
        *c = down ? NUM_SIGN | TSR_NUM_INF : TSR_NUM_INF;
    return nan || up || down;
}

/* The sum of a group of finite products that starts at k, without scales; its unit's exponent. */
static int64_t group_sum(const struct num_pair *p, size_t k, int *unit)
{
    const struct tsr_num_plan *plan = p->plan;
    int top = 2 * TSR_NUM_ZERO_EXPONENT;
    int64_t sum = 0;
    for (size_t l = k; l < k + plan->group; l++) {
        int e = item_a(p, l).exponent + item_b(p, l).exponent;
        top = e > top ? e : top;
    }
    for (size_t l = k; l < k + plan->group; l++) {
        struct item x = item_a(p, l), y = item_b(p, l);
        uint64_t v = (uint64_t)x.magnitude * y.magnitude;
        if (plan->kind == TSR_NUM_WIDE) {
            int shift = top - x.exponent - y.exponent;
            v = shift < 32 ? (v << plan->g) >> shift : 0;
        }
        sum += x.negative != y.negative ? -(int64_t)v : (int64_t)v;
    }
    *unit = plan->kind == TSR_NUM_WIDE ? top - (int)plan->g : plan->unit;
    return sum;
}

/* A step's sum T of finite products in units of 2^*unit. */
static num_wide step_sum(const struct num_pair *p, size_t k, int *unit)
{
    const struct tsr_num_plan *plan = p->plan;
    int64_t value[NUM_MAX_STEP];                 /* below 2^63: sum_bits without NUM_CUT */
    int exponent[NUM_MAX_STEP], top = INT16_MIN; /* below all: above -18000 */
    for (uint32_t g = 0; g < plan->groups; g++) {
        int power;
        size_t at = k + (size_t)g * plan->group;
        int64_t scale = scales_of(p, at / plan->group, &power);
        value[g] = group_sum(p, at, &exponent[g]) * scale;
        exponent[g] += power;
        if (value[g] != 0 && exponent[g] > top)
            top = exponent[g];
    }
    *unit = top - NUM_CUT;
    if (plan->groups == 1) {
        *unit = exponent[0];
        return value[0];
    }
    num_wide sum = 0;
    for (uint32_t g = 0; g < plan->groups; g++) {
        if (value[g] == 0)
            continue;
        num_wide v = value[g] < 0 ? -(num_wide)value[g] : value[g];
        int shift = top - exponent[g];
        v = shift < 100 ? (v << NUM_CUT) >> shift : 0;
        sum += value[g] < 0 ? -v : v;
    }
    return sum;
}

uint32_t num_chain(const struct num_pair *p, size_t from, size_t to, uint32_t c)
{
    for (size_t k = from; k < to; k += p->plan->r) {
        int unit;
        if (special_step(p, k, &c))
            continue;
        num_wide t = step_sum(p, k, &unit);
        c = num_accumulate_wide(c, t, t == 0 ? 0 : unit);
    }
    return c;
}
