/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the tensor unit share. Private to isa/num. */
#ifndef ISA_NUM_MMA_STEPS_H
#define ISA_NUM_MMA_STEPS_H

#include "isa/num/bits.h"

enum {
    NUM_BLOCK = 16,        /* columns of B that the inner loops take side by side */
    NUM_MAX_STEP = 64,     /* products of a step */
    NUM_FAST_BITS = 48,    /* sums that num_accumulate takes */
    NUM_CUT = 16,          /* bits kept below the largest unit of a step's groups */
    NUM_SMX_SIGN = 1 << 15 /* of an smx code with its pair's shift applied */
};

/* Elements of EXACT panels that are no numbers. */
enum num_mark {
    NUM_FINITE,
    NUM_NAN,
    NUM_PLUS_INF,
    NUM_MINUS_INF,
};

__extension__ typedef __int128 num_wide;
__extension__ typedef unsigned __int128 num_uwide;

/* How a format's codes become integers. */
enum num_coding {
    NUM_CODED_FLOAT,
    NUM_CODED_TWOS,   /* two's complement */
    NUM_CODED_OFFSET, /* code - bias */
    NUM_CODED_PAIRS,  /* smx: sign and magnitude, a shift for each pair */
};

static inline enum num_coding num_coding(const struct tsr_format *f)
{
    if (f->family == TSR_FAMILY_SMX)
        return NUM_CODED_PAIRS;
    if (f->ebits > 0)
        return NUM_CODED_FLOAT;
    return f->family == TSR_FAMILY_GGUF && f->bias != 0 ? NUM_CODED_OFFSET : NUM_CODED_TWOS;
}

/* Exponent of the lowest bit of a format's least element, scales left out. */
static inline int num_lowest_exponent(const struct tsr_format *f)
{
    return num_coding(f) == NUM_CODED_FLOAT ? 1 - f->bias - f->mbits : -f->mbits;
}

/* What scales a format brings. */
enum num_scaling {
    NUM_UNSCALED,
    NUM_SCALED_POWER, /* one byte, 2^(byte - 127), 0xFF is NaN */
    NUM_SCALED_E4M3,
    NUM_SCALED_F16,
};

static inline enum num_scaling num_scaling(const struct tsr_format *f)
{
    switch (f->family) {
    case TSR_FAMILY_MX:
    case TSR_FAMILY_SMX:
        return NUM_SCALED_POWER;
    case TSR_FAMILY_NVF:
        return NUM_SCALED_E4M3;
    case TSR_FAMILY_GGUF:
        return NUM_SCALED_F16;
    default:
        return NUM_UNSCALED;
    }
}

/* Where element (row, k) lies in the panel's arrays; (row, group) in those of scales. */
static inline size_t num_at(enum tsr_num_side side, size_t row, size_t k, size_t k_padded)
{
    if (side == TSR_NUM_A)
        return row * k_padded + k;
    return (row / NUM_BLOCK * k_padded + k) * NUM_BLOCK + row % NUM_BLOCK;
}

static inline size_t num_panel_at(const struct tsr_num_panel *p, size_t row, size_t k)
{
    return num_at(p->side, row, k, p->k_padded);
}

static inline size_t num_scale_at(const struct tsr_num_panel *p, size_t row, size_t group)
{
    return num_at(p->side, row, group, p->groups);
}

/* The terms brought to bit 61 and to one exponent, the smaller one with a sticky bit. If they lie
 * within one place of each other nothing is lost (t below 2^60), so cancellation is exact;
 * otherwise the sum has more than 24 + 2 bits. */
uint32_t num_accumulate_far(uint32_t c, int64_t t, int unit);

/* The same for |t| < 2^90. */
uint32_t num_accumulate_wide(uint32_t c, num_wide t, int unit);

/* c + t * 2^unit in f32, nearest even, |t| < 2^NUM_FAST_BITS. */
static inline __attribute__((always_inline)) uint32_t num_accumulate(uint32_t c, int64_t t,
                                                                     int unit)
{
    int ec;
    int64_t mc = num_split(c, &ec);
    int d = ec - unit;
    /* Here the exact sum fits 63 bits: 48 + 14, 24 + 37. */
    if ((c & NUM_MAGNITUDE) >= TSR_NUM_INF || d < -14 || d > 37)
        return num_accumulate_far(c, t, unit);
    mc = c >> 31 ? -mc : mc;
    int64_t sum =
        (int64_t)((uint64_t)mc << (d > 0 ? d : 0)) + (int64_t)((uint64_t)t << (d < 0 ? -d : 0));
    if (sum == 0)
        return 0;
    return num_round_pack(sum < 0, sum < 0 ? 0 - (uint64_t)sum : (uint64_t)sum, d < 0 ? ec : unit);
}

/* One output's row of A and column of B. */
struct num_pair {
    const struct tsr_num_plan *plan;
    const struct tsr_num_panel *a, *b;
    size_t i, j;
};

/* C[i,j] after the chain's steps from k = from up to `to`, from c: any elements, any EXACT or WIDE
 * plan. */
uint32_t num_chain(const struct num_pair *p, size_t from, size_t to, uint32_t c);

#endif
