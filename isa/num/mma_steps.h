/* SPDX-License-Identifier: Apache-2.0 */
/* What mma.c and mma_steps.c share. Private to isa/num. */
#ifndef ISA_NUM_MMA_STEPS_H
#define ISA_NUM_MMA_STEPS_H

#include "isa/num/bits.h"

enum {
    NUM_BLOCK = 16, /* columns of B that the inner loops take side by side */
};

/* Exponent of the lowest bit of a format's least element. */
static inline int num_lowest_exponent(const struct tsr_format *f)
{
    return f->family == TSR_FAMILY_INT ? 0 : 1 - f->bias - f->mbits;
}

/* Where element (row, k) lies in the panel's arrays. */
static inline size_t num_panel_at(const struct tsr_num_panel *p, size_t row, size_t k)
{
    if (p->side == TSR_NUM_A)
        return row * p->k_padded + k;
    return (row / NUM_BLOCK * p->k_padded + k) * NUM_BLOCK + row % NUM_BLOCK;
}

/* The terms brought to bit 61 and to one exponent, the smaller one with a sticky bit. If they lie
 * within one place of each other nothing is lost (t below 2^60), so cancellation is exact;
 * otherwise the sum has more than 24 + 2 bits. */
uint32_t num_accumulate_far(uint32_t c, int64_t t, int unit);

/* c + t * 2^unit in f32, nearest even, |t| < 2^42. */
static inline __attribute__((always_inline)) uint32_t num_accumulate(uint32_t c, int64_t t,
                                                                     int unit)
{
    int ec;
    int64_t mc = num_split(c, &ec);
    int d = ec - unit;
    /* Here the exact sum fits 63 bits: 42 + 20, 24 + 37. */
    if ((c & NUM_MAGNITUDE) >= TSR_NUM_INF || d < -20 || d > 37)
        return num_accumulate_far(c, t, unit);
    mc = c >> 31 ? -mc : mc;
    int64_t sum =
        (int64_t)((uint64_t)mc << (d > 0 ? d : 0)) + (int64_t)((uint64_t)t << (d < 0 ? -d : 0));
    if (sum == 0)
        return 0;
    return num_round_pack(sum < 0, sum < 0 ? 0 - (uint64_t)sum : (uint64_t)sum, d < 0 ? ec : unit);
}

/* C[i,j] after the whole chain of A's row i and B's column j, any elements, from c. WIDE and EXACT
 * plans; in EXACT ones row or column must be marked special. */
uint32_t num_special_chain(const struct tsr_num_plan *plan, const struct tsr_num_panel *a,
                           const struct tsr_num_panel *b, size_t i, size_t j, uint32_t c);

#endif
