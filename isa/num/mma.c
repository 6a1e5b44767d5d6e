/* SPDX-License-Identifier: Apache-2.0 */
/* The tensor unit around its inner loops (mma_steps.c): how two formats multiply, the rounding
 * addition to an accumulator, the scaling of accumulators. */
#include "isa/num/bits.h"

#include "isa/num/mma_steps.h"

/* Bits of an element's integer, exponent left out. */
static uint32_t significand_bits(const struct tsr_format *f)
{
    return num_coding(f) == NUM_CODED_FLOAT ? f->mbits + 1u : f->bits;
}

/* Bits of the largest magnitude as an integer in units of the least, scale left out. For e4m3 18,
 * for i8 8. */
static uint32_t fixed_bits(const struct tsr_format *f)
{
    if (num_coding(f) == NUM_CODED_FLOAT)
        return f->mbits + (UINT32_C(1) << f->ebits) - 1;
    return f->bits;
}

/* Elements that panels hold: magnitudes below 2^15, of which an smx format needs one for the shift
 * of a pair; its shifts fill whole bytes. Integers' largest magnitude is 2^(bits - 1). */
static bool takes(const struct tsr_format *f)
{
    struct tsr_format element = *f;
    element.family = f->ebits > 0 ? TSR_FAMILY_FLOAT : TSR_FAMILY_INT;
    bool codes = num_coding(f) == NUM_CODED_PAIRS ? f->bits == f->mbits + 1 && f->block % 16 == 0
                                                  : tsr_num_has_codec(&element);
    uint32_t most = f->family == TSR_FAMILY_INT ? 16 : 15;
    return codes && f->block > 0 && f->width_class != 0 && f->bits <= 16 &&
           significand_bits(f) <= most;
}

static bool is_wide(const struct tsr_format *f)
{
    return num_coding(f) == NUM_CODED_FLOAT && fixed_bits(f) > 18;
}

static bool is_integer(const struct tsr_format *f)
{
    return f->family == TSR_FAMILY_INT;
}

static uint32_t block_of(const struct tsr_format *f)
{
    return num_scaling(f) == NUM_UNSCALED ? NUM_MAX_STEP : f->block;
}

static uint32_t scale_significand_bits(const struct tsr_format *f)
{
    enum num_scaling s = num_scaling(f);
    return s == NUM_SCALED_E4M3 ? 4 : s == NUM_SCALED_F16 ? 11 : 0;
}

/* Least b with n <= 2^b. */
static uint32_t log2_up(uint32_t n)
{
    return n > 1 ? 32 - (uint32_t)num_clz32(n - 1) : 0;
}

static enum tsr_status check_pair(const struct tsr_format *a, const struct tsr_format *b,
                                  uint32_t r, uint32_t group, struct tsr_error *err)
{
    const struct tsr_format *bad = !takes(a) ? a : !takes(b) ? b : NULL;
    if (bad != NULL)
        return tsr_error_set(err, TSR_USAGE, "mma: format %s, the tensor unit does not take it",
                             bad->name);
    if (is_integer(a) != is_integer(b))
        return tsr_error_set(err, TSR_USAGE,
                             "mma: %s by %s, a plain integer meets only plain integers; q8_0 and "
                             "q4_0 are integers with scales",
                             a->name, b->name);
    if (r < 1 || r > NUM_MAX_STEP)
        return tsr_error_set(err, TSR_USAGE, "mma: %u products per step, allowed 1..%d", r,
                             NUM_MAX_STEP);
    bool even_a = num_scaling(a) == NUM_UNSCALED || a->block % group == 0;
    bool even_b = num_scaling(b) == NUM_UNSCALED || b->block % group == 0;
    if (r % group != 0 || !even_a || !even_b)
        return tsr_error_set(err, TSR_USAGE,
                             "mma: %s by %s in steps of %u cut the blocks unevenly; steps and "
                             "blocks must be multiples of %u",
                             a->name, b->name, r, group);
    return TSR_OK;
}

enum tsr_status tsr_num_plan(const struct tsr_format *a, const struct tsr_format *b, uint32_t r,
                             struct tsr_num_plan *plan, struct tsr_error *err)
{
    struct tsr_num_plan p = {.a = a, .b = b, .r = r, .group = r};
    p.group = block_of(a) < p.group ? block_of(a) : p.group;
    p.group = block_of(b) < p.group ? block_of(b) : p.group;
    enum tsr_status status = check_pair(a, b, r, p.group, err);
    if (status != TSR_OK)
        return status;
    p.groups = r / p.group;
    uint32_t scale_bits = scale_significand_bits(a) + scale_significand_bits(b);
    p.scaled = num_scaling(a) != NUM_UNSCALED || num_scaling(b) != NUM_UNSCALED;
    p.significands = scale_bits > 0;
    uint32_t product = fixed_bits(a) + fixed_bits(b);
    if (is_integer(a)) {
        p.kind = TSR_NUM_INTEGER;
    } else if (is_wide(a) || is_wide(b)) {
        p.kind = TSR_NUM_WIDE;
        p.g = 32 - significand_bits(a) - significand_bits(b);
        product = 32;
    } else {
        p.kind = TSR_NUM_EXACT;
        p.unit = num_lowest_exponent(a) + num_lowest_exponent(b);
        p.narrow = product + log2_up(p.group) <= 31;
    }
    /* Of the built-in formats and r = 64 at most: plain 42 (e4m3 by e4m3, 18 + 18 + 6); powers of
     * two as scales 58 (mxf8e4m3, NUM_CUT more), of wide pairs 54 (32 + 6 + 16); other scales 60
     * (q8_0 by q8_0, 8 + 8 + 6 + 22 + 16), of wide pairs 65 (by q8_0 or q4_0, 32 + 6 + 11 + 16). A
     * group alone is below 2^49. Beyond 60, sums take 128 bits. */
    p.sum_bits = product + log2_up(r) + scale_bits + (p.groups > 1 ? NUM_CUT : 0);
    *plan = p;
    return TSR_OK;
}

uint32_t num_accumulate_far(uint32_t c, int64_t t, int unit)
{
    if ((c & NUM_MAGNITUDE) >= TSR_NUM_INF)
        return num_is_nan(c) ? TSR_NUM_NAN : c;
    if (t == 0)
        return (c & NUM_MAGNITUDE) == 0 ? 0 : c;
    int ec;
    uint64_t mc = (uint64_t)num_split(c, &ec) << 38;
    ec -= 38;
    uint64_t mt = t < 0 ? 0 - (uint64_t)t : (uint64_t)t;
    int lz = num_clz64(mt) - 2;
    mt <<= lz;
    int et = unit - lz;
    int e = et > ec ? et : ec;
    mc = num_shift_jam(mc, e - ec);
    mt = num_shift_jam(mt, e - et);
    int64_t sum = (c >> 31 ? -(int64_t)mc : (int64_t)mc) + (t < 0 ? -(int64_t)mt : (int64_t)mt);
    if (sum == 0)
        return 0;
    return num_round_pack(sum < 0, sum < 0 ? 0 - (uint64_t)sum : (uint64_t)sum, e);
}

uint32_t num_accumulate_wide(uint32_t c, num_wide t, int unit)
{
    bool negative = t < 0;
    num_uwide mt = negative ? 0 - (num_uwide)t : (num_uwide)t;
    if (mt >> 60 == 0)
        return num_accumulate_far(c, (int64_t)t, unit);
    if ((c & NUM_MAGNITUDE) >= TSR_NUM_INF)
        return num_is_nan(c) ? TSR_NUM_NAN : c;
    int ec;
    num_wide mc = num_split(c, &ec);
    int d = ec - unit;
    mc = c >> 31 ? -mc : mc;
    if (d >= -30 && d <= 100) { /* the exact sum is below 2^126 */
        num_wide sum =
            mc * ((num_wide)1 << (d > 0 ? d : 0)) + t * ((num_wide)1 << (d < 0 ? -d : 0));
        negative = sum < 0;
        mt = negative ? 0 - (num_uwide)sum : (num_uwide)sum;
        unit = d < 0 ? ec : unit;
        c = 0;
    }
    /* Else c is below 2^-6 of t's unit, or t below c's: no cancellation, and a sticky bit may stand
     * for what t loses. */
    uint64_t high = (uint64_t)(mt >> 64), low = (uint64_t)mt;
    int bits = high != 0 ? 128 - num_clz64(high) : 64 - num_clz64(low | 1);
    int drop = bits > 59 ? bits - 59 : 0;
    num_uwide kept = mt >> drop;
    int64_t cut = (int64_t)((uint64_t)kept | (kept << drop != mt));
    return num_accumulate_far(c, negative ? -cut : cut, unit + drop);
}

uint32_t tsr_num_accumulate(uint32_t c, int64_t t, int32_t unit)
{
    return num_accumulate_far(c, t, unit);
}

uint32_t tsr_num_scale_pow2(uint32_t c, int32_t e)
{
    uint32_t mag = c & NUM_MAGNITUDE;
    if (mag >= TSR_NUM_INF)
        return mag > TSR_NUM_INF ? TSR_NUM_NAN : c;
    if (mag == 0 || e == 0)
        return c;
    int low;
    uint32_t m = num_split(mag, &low);
    /* Beyond these, everything overflows or vanishes: 2^-149 * 2^300, 2^128 * 2^-300. */
    int by = e > 300 ? -300 : e < -300 ? 300 : -e;
    return num_round_pack((c & NUM_SIGN) != 0, m, low + by);
}

void tsr_num_scale_block(uint32_t *c, size_t c_stride, uint32_t m, uint32_t n, const int32_t *e,
                         bool per_column)
{
    for (uint32_t i = 0; i < m; i++) {
        for (uint32_t j = 0; j < n; j++) {
            uint32_t *x = &c[i * c_stride + j];
            *x = tsr_num_scale_pow2(*x, e[per_column ? j : i]);
        }
    }
}
