/* SPDX-License-Identifier: Apache-2.0 */
/* The tensor unit around its inner loops (mma_steps.c): how two formats multiply, the rounding
 * addition to an accumulator, the scaling of accumulators. */
#include "isa/num/bits.h"

#include "isa/num/mma_steps.h"

/* Plain elements the tensor unit takes. */
static bool takes(const struct tsr_format *f)
{
    bool plain = f->family == TSR_FAMILY_FLOAT || f->family == TSR_FAMILY_INT;
    return plain && f->width_class != 0 && f->bits <= 16 && tsr_num_has_codec(f);
}

/* Bits of the largest magnitude as an integer in units of the least. For e4m3 18, for i8 8. */
static uint32_t fixed_bits(const struct tsr_format *f)
{
    if (f->family == TSR_FAMILY_INT)
        return f->bits;
    return f->mbits + (UINT32_C(1) << f->ebits) - 1;
}

static bool is_wide(const struct tsr_format *f)
{
    return f->family == TSR_FAMILY_FLOAT && fixed_bits(f) > 18;
}

enum tsr_status tsr_num_plan(const struct tsr_format *a, const struct tsr_format *b, uint32_t r,
                             struct tsr_num_plan *plan, struct tsr_error *err)
{
    const struct tsr_format *bad = !takes(a) ? a : !takes(b) ? b : NULL;
    if (bad != NULL)
        return tsr_error_set(err, TSR_USAGE, "mma: format %s, the tensor unit does not take it",
                             bad->name);
    if ((a->family == TSR_FAMILY_INT) != (b->family == TSR_FAMILY_INT))
        return tsr_error_set(err, TSR_USAGE,
                             "mma: %s by %s, an integer meets a float only with group scales",
                             a->name, b->name);
    if (r < 1 || r > 64)
        return tsr_error_set(err, TSR_USAGE, "mma: %u products per step, allowed 1..64", r);
    struct tsr_num_plan p = {.a = a, .b = b, .r = r};
    if (a->family == TSR_FAMILY_INT) {
        p.kind = TSR_NUM_INTEGER;
    } else if (is_wide(a) || is_wide(b)) {
        p.kind = TSR_NUM_WIDE;
        p.g = 32 - (a->mbits + 1u) - (b->mbits + 1u);
    } else {
        p.kind = TSR_NUM_EXACT;
        p.unit = num_lowest_exponent(a) + num_lowest_exponent(b);
        p.narrow = fixed_bits(a) + fixed_bits(b) + 6 <= 31; /* 64 products at most */
    }
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
