/* SPDX-License-Identifier: Apache-2.0 */
/* Outputs of the tensor unit whose row of A or column of B holds a NaN or an infinity: rare, so one
 * at a time. */
#include "isa/num/mma_steps.h"

/* What the specials of one step do to c; returns whether they decide. The exponents of EXACT
 * panels are not kept: their only special is NaN, which decides as soon as one is met. */
static bool special_step(const struct tsr_num_panel *a, const struct tsr_num_panel *b, size_t at,
                         size_t bt, uint32_t r, uint32_t *c)
{
    bool nan = num_is_nan(*c), up = *c == TSR_NUM_INF, down = *c == (NUM_SIGN | TSR_NUM_INF);
    for (uint32_t l = 0; l < r; l++) {
        int ea = a->exponent[at + l], eb = b->exponent[bt + l * NUM_BLOCK];
        if (ea < TSR_NUM_INF_EXPONENT && eb < TSR_NUM_INF_EXPONENT)
            continue;
        bool zero = ea == TSR_NUM_ZERO_EXPONENT || eb == TSR_NUM_ZERO_EXPONENT;
        bool negative = (a->sign[at + l] ^ b->sign[bt + l * NUM_BLOCK]) != 0;
        nan |= zero || ea == TSR_NUM_NAN_EXPONENT || eb == TSR_NUM_NAN_EXPONENT;
        up |= !negative;
        down |= negative;
    }
    if (nan || (up && down))
        *c = TSR_NUM_NAN;
    else if (up || down)
        *c = down ? NUM_SIGN | TSR_NUM_INF : TSR_NUM_INF;
    return nan || up || down;
}

uint32_t num_special_chain(const struct tsr_num_plan *plan, const struct tsr_num_panel *a,
                           const struct tsr_num_panel *b, size_t i, size_t j, uint32_t c)
{
    if (plan->kind == TSR_NUM_EXACT)
        return TSR_NUM_NAN;
    for (uint32_t k = 0; k < a->k_padded; k += plan->r) {
        size_t at = num_panel_at(a, i, k), bt = num_panel_at(b, j, k);
        if (special_step(a, b, at, bt, plan->r, &c))
            continue;
        int top = 2 * TSR_NUM_ZERO_EXPONENT;
        int64_t t = 0;
        for (uint32_t l = 0; l < plan->r; l++) {
            int e = a->exponent[at + l] + b->exponent[bt + l * NUM_BLOCK];
            top = e > top ? e : top;
        }
        for (uint32_t l = 0; l < plan->r; l++) {
            size_t to = bt + l * NUM_BLOCK;
            int shift = top - a->exponent[at + l] - b->exponent[to];
            uint32_t v = ((uint32_t)a->magnitude[at + l] << plan->g) * (uint32_t)b->magnitude[to];
            v = shift < 32 ? v >> shift : 0;
            t += a->sign[at + l] != b->sign[to] ? -(int64_t)v : (int64_t)v;
        }
        c = num_accumulate(c, t, top - (int)plan->g);
    }
    return c;
}
