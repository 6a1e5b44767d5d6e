/* SPDX-License-Identifier: Apache-2.0 */
/* Formats of the tests of isa/num, written out here so that they stand apart from the loader, and
 * what an element is worth by the definition of its layout. */
#ifndef TESTS_NUM_FORMATS_H
#define TESTS_NUM_FORMATS_H

#include <math.h>
#include <string.h>

#include "isa/num/num.h"

#define NUM_FLOAT(name_, code_, specials_, bits_, ebits_, mbits_, bias_, class_)                   \
    {                                                                                              \
        .name = name_, .code = code_, .family = TSR_FAMILY_FLOAT, .specials = specials_,           \
        .bits = bits_, .ebits = ebits_, .mbits = mbits_, .bias = bias_, .block = 1,                \
        .width_class = class_                                                                      \
    }
#define NUM_INT(name_, code_, bits_, class_)                                                       \
    {                                                                                              \
        .name = name_, .code = code_, .family = TSR_FAMILY_INT, .bits = bits_, .block = 1,         \
        .width_class = class_                                                                      \
    }

enum {
    N_F32,
    N_F16,
    N_BF16,
    N_E4M3,
    N_E5M2,
    N_E3M2,
    N_E2M3,
    N_E2M1,
    N_I8,
    N_I4,
    N_I32,
    N_E6M5, /* from here on as an overlay might add them */
    N_E3M0,
    N_E8M15,
    N_ODD_BIAS,
    N_I12,
    N_I9,
    N_I16,
    N_E1M2,
    N_FORMATS
};
enum {
    N_FIRST_TENSOR = N_F16,
    N_FIRST_INT = N_I8,
    N_END_TENSOR = N_I32
};

/* The small floats stand here without the scales of their blocks. */
static const struct tsr_format num_formats[N_FORMATS] = {
    [N_F32] = NUM_FLOAT("f32", TSR_F32, TSR_SPECIALS_IEEE, 32, 8, 23, 127, 0),
    [N_F16] = NUM_FLOAT("f16", TSR_F16, TSR_SPECIALS_IEEE, 16, 5, 10, 15, 16),
    [N_BF16] = NUM_FLOAT("bf16", TSR_BF16, TSR_SPECIALS_IEEE, 16, 8, 7, 127, 16),
    [N_E4M3] = NUM_FLOAT("f8e4m3", TSR_F8E4M3, TSR_SPECIALS_FN, 8, 4, 3, 7, 9),
    [N_E5M2] = NUM_FLOAT("f8e5m2", TSR_F8E5M2, TSR_SPECIALS_IEEE, 8, 5, 2, 15, 9),
    [N_E3M2] = NUM_FLOAT("e3m2", TSR_MXF6E3M2, TSR_SPECIALS_NONE, 6, 3, 2, 3, 6),
    [N_E2M3] = NUM_FLOAT("e2m3", TSR_MXF6E2M3, TSR_SPECIALS_NONE, 6, 2, 3, 1, 6),
    [N_E2M1] = NUM_FLOAT("e2m1", TSR_MXF4, TSR_SPECIALS_NONE, 4, 2, 1, 1, 6),
    [N_I8] = NUM_INT("i8", TSR_I8, 8, 9),
    [N_I4] = NUM_INT("i4", TSR_I4, 4, 6),
    [N_I32] = NUM_INT("i32", TSR_I32, 32, 0),
    [N_E6M5] = NUM_FLOAT("e6m5", 22, TSR_SPECIALS_IEEE, 12, 6, 5, 31, 16),
    [N_E3M0] = NUM_FLOAT("e3m0", 23, TSR_SPECIALS_NONE, 4, 3, 0, 3, 6),
    [N_E8M15] = NUM_FLOAT("e8m15", 24, TSR_SPECIALS_IEEE, 24, 8, 15, 127, 0),
    [N_ODD_BIAS] = NUM_FLOAT("e5m4", 25, TSR_SPECIALS_FN, 10, 5, 4, 120, 16),
    [N_I12] = NUM_INT("i12", 26, 12, 16),
    [N_I9] = NUM_INT("i9", 27, 9, 9),
    [N_I16] = NUM_INT("i16", 28, 16, 0),
    [N_E1M2] = NUM_FLOAT("e1m2", 29, TSR_SPECIALS_NONE, 4, 1, 2, 1, 6),
};

static inline float num_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint32_t num_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* The value of a code, exact; NAN and INFINITY for specials. */
static inline double num_value(const struct tsr_format *f, uint32_t code)
{
    if (f->family == TSR_FAMILY_INT) {
        double half = ldexp(1, f->bits - 1);
        return code < half ? code : code - 2 * half;
    }
    uint32_t m = code & ((1u << f->mbits) - 1);
    int field = (int)(code >> f->mbits & ((1u << f->ebits) - 1)), top = (1 << f->ebits) - 1;
    double sign = code >> (f->bits - 1) & 1 ? -1 : 1;
    if (f->specials == TSR_SPECIALS_IEEE && field == top)
        return m != 0 ? (double)NAN : sign * INFINITY;
    if (f->specials == TSR_SPECIALS_FN && field == top && m == (1u << f->mbits) - 1)
        return (double)NAN;
    if (field == 0)
        return sign * ldexp(m, 1 - f->bias - f->mbits);
    return sign * ldexp(m + ldexp(1, f->mbits), field - f->bias - f->mbits);
}

#endif
