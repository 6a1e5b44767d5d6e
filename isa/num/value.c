/* SPDX-License-Identifier: Apache-2.0 */
/* What a code is worth, in f64, where elements, scales and their products are exact. */
#include "isa/num/block.h"

#include <assert.h>
#include <string.h>

static double from_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* 2^e, e within f64's normal range. */
static double power(int e)
{
    return from_bits((uint64_t)(e + 1023) << 52);
}

static double quiet_nan(void)
{
    return from_bits(UINT64_C(0x7FF8000000000000));
}

static int32_t sign_extended(uint32_t code, uint32_t bits)
{
    return (int32_t)(code << (32 - bits)) >> (32 - bits);
}

double tsr_num_value(const struct tsr_format *f, uint32_t code)
{
    assert(tsr_num_has_codec(f));
    if (f->family == TSR_FAMILY_INT)
        return sign_extended(code, f->bits);
    uint32_t bits = tsr_num_decode_f32(f, code);
    float v;
    memcpy(&v, &bits, sizeof v);
    return bits == TSR_NUM_NAN ? quiet_nan() : (double)v;
}

/* An element of a block without its scale. */
static double element_value(const struct tsr_format *f, uint32_t code)
{
    uint32_t all = (UINT32_C(1) << f->bits) - 1;
    if (f->ebits > 0)
        return tsr_num_value(f, code);
    if (f->family == TSR_FAMILY_SMX) {
        double m = (double)(code & all >> 1) * power(1 - f->mbits - (int)(code >> f->bits & 1));
        return code >> f->mbits & 1 ? -m : m;
    }
    if (f->bias != 0) /* q4_0: offset binary */
        return (double)(code & all) - f->bias;
    return sign_extended(code, f->bits) * power(-f->mbits);
}

static double scale_value(const struct tsr_format *f, uint32_t scale)
{
    if (f->family == TSR_FAMILY_NVF)
        return tsr_num_value(&block_e4m3, scale);
    if (f->family == TSR_FAMILY_GGUF)
        return tsr_num_value(&block_f16, scale);
    scale &= 0xFF;
    return scale == BLOCK_EXPONENT_NAN ? quiet_nan() : power((int)scale - BLOCK_EXPONENT_BIAS);
}

double tsr_num_block_value(const struct tsr_format *f, uint32_t code, uint32_t scale)
{
    assert(tsr_num_has_blocks(f) && f->family != TSR_FAMILY_INT && f->code != TSR_Q4_K &&
           f->code != TSR_Q6_K);
    double element = element_value(f, code), v = element * scale_value(f, scale);
    if (v == 0)
        return element * 0.0; /* a zero has its element's sign, as tsr_num_dequantize gives it */
    return v != v ? quiet_nan() : v;
}
