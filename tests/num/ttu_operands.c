/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/num/ttu_operands.h"

#include <math.h>

#include "tests/support/harness.h"

struct extremes {
    uint32_t largest, least; /* codes of the largest magnitude and of the least above 0 */
};

static double magnitude(const struct tsr_oracle_format *f, uint32_t code)
{
    struct tsr_oracle_value v = tsr_oracle_element(f, code);
    return v.class == TSR_ORACLE_NUMBER ? fabs(ldexp(v.m, v.e)) : -1;
}

/* Found once. */
static const struct extremes *extremes_of(const struct tsr_oracle_format *f)
{
    static struct extremes found[TSR_ORACLE_FORMATS];
    struct extremes *x = &found[f - tsr_oracle_formats];
    double most = -1, least = (double)INFINITY;
    for (uint32_t c = 0; x->least == 0 && c < 1u << tsr_oracle_code_bits(f); c++) {
        double v = magnitude(f, c);
        if (v > most)
            most = v, x->largest = c;
        if (v > 0 && v < least)
            least = v, x->least = c;
    }
    return x;
}

static uint32_t below(uint64_t *s, uint32_t n)
{
    return (uint32_t)tsr_test_random_below(s, n);
}

static uint32_t negated(const struct tsr_oracle_format *f, uint32_t code)
{
    uint32_t mask = (1u << f->bits) - 1;
    if (f->kind == TSR_ORACLE_FLOAT || f->kind == TSR_ORACLE_SHIFT)
        return code ^ 1u << (f->bits - 1);
    if (f->kind == TSR_ORACLE_OFFSET)
        return code == 0 ? 0 : 16 - code;
    return (0u - code) & mask;
}

static uint32_t finite_code(const struct tsr_oracle_format *f, uint64_t *s)
{
    uint32_t code;
    do
        code = below(s, 1u << tsr_oracle_code_bits(f));
    while (tsr_oracle_element(f, code).class != TSR_ORACLE_NUMBER);
    return code;
}

/* Floats: an exponent field within a few of 1.0's. */
static uint32_t close_code(const struct tsr_oracle_format *f, uint64_t *s)
{
    uint32_t code = finite_code(f, s), fields = 1u << f->ebits;
    if (f->kind != TSR_ORACLE_FLOAT)
        return code;
    uint32_t field = (uint32_t)(1 - f->least - f->mbits) + below(s, 12) - 6;
    field = f->ebits < 5 ? below(s, fields - 1) : field;
    return (code & ~((fields - 1) << f->mbits)) | field << f->mbits;
}

static uint32_t element_code(const struct tsr_oracle_format *f, enum tsr_element_style style,
                             uint64_t *s)
{
    const struct extremes *x = extremes_of(f);
    uint32_t code;
    switch (style) {
    case TSR_ELEMENTS_ANY:
        return below(s, 1u << tsr_oracle_code_bits(f));
    case TSR_ELEMENTS_LARGEST:
        return below(s, 2) ? negated(f, x->largest) : x->largest;
    case TSR_ELEMENTS_ALIKE:
        return x->largest;
    case TSR_ELEMENTS_LEAST:
        code = f->bits > 6 ? x->least + below(s, 4) : x->least;
        return below(s, 2) ? negated(f, code) : code;
    case TSR_ELEMENTS_SPARSE:
        return below(s, 8) ? (f->kind == TSR_ORACLE_OFFSET ? 8 : 0) : finite_code(f, s);
    case TSR_ELEMENTS_FINITE:
        return finite_code(f, s);
    default:
        return close_code(f, s);
    }
}

static uint32_t e8m0_code(enum tsr_scale_style style, uint64_t *s)
{
    static const uint8_t ends[] = {0, 1, 127, 253, 254};
    switch (style) {
    case TSR_SCALES_ALIKE:
        return 127;
    case TSR_SCALES_NEAR:
        return 115 + below(s, 24);
    case TSR_SCALES_LOW: /* the least f32 is 2^-149; elements bring 2^-16 to 2^16 each */
        return 48 + below(s, 24);
    case TSR_SCALES_HIGH:
        return 174 + below(s, 24);
    case TSR_SCALES_EXTREME:
        return ends[below(s, sizeof ends)];
    default:
        return below(s, 256);
    }
}

static uint32_t scale_code(const struct tsr_oracle_format *f, enum tsr_scale_style style,
                           uint64_t *s)
{
    static const uint8_t e4m3_ends[] = {0x01, 0x81, 0x07, 0x08, 0x7E, 0xFE, 0x00, 0x80};
    static const uint16_t f16_ends[] = {0x0001, 0x8001, 0x03FF, 0x0400, 0x7BFF, 0xFBFF, 0, 0x8000};
    if (f->scale == TSR_ORACLE_E8M0)
        return e8m0_code(style, s);
    bool f16 = f->scale == TSR_ORACLE_F16;
    switch (style) {
    case TSR_SCALES_ALIKE:
        return f16 ? 0x3A55 : 0x3D;
    case TSR_SCALES_LOW:
        return f16 ? below(s, 0x0800) : below(s, 0x10);
    case TSR_SCALES_HIGH:
        return f16 ? 0x7800 + below(s, 0x400) : 0x70 + below(s, 15);
    case TSR_SCALES_EXTREME:
        return f16 ? f16_ends[below(s, 8)] : e4m3_ends[below(s, 8)];
    case TSR_SCALES_ANY:
        return below(s, f16 ? 65536 : 256);
    default:
        return f16 ? (0x2000 + below(s, 0x3000)) | below(s, 2) << 15 : 0x20 + below(s, 0x40);
    }
}

/* Rows and blocks of one operand; `apart` is how far back TSR_ELEMENTS_CANCEL looks, always in one
 * block's scale then. */
void tsr_side_choose(struct tsr_side *o, bool is_a, enum tsr_element_style style,
                     enum tsr_scale_style scales, unsigned apart, uint64_t *s)
{
    unsigned blocks = o->f->block == 0 ? 0 : (o->k + o->f->block - 1) / o->f->block;
    uint32_t one = scale_code(o->f, scales, s);
    for (unsigned i = 0; i < o->rows; i++) {
        for (unsigned b = 0; b < blocks; b++)
            o->scale[i][b] = scales == TSR_SCALES_ALIKE || style == TSR_ELEMENTS_CANCEL
                                 ? one
                                 : scale_code(o->f, scales, s);
        for (unsigned k = 0; k < o->k; k++) {
            bool mirror = style == TSR_ELEMENTS_CANCEL && k / apart % 2 == 1 && below(s, 50) != 0;
            uint32_t from = mirror ? o->code[i][k - apart] : 0;
            o->code[i][k] = !mirror ? element_code(o->f, style, s)
                            : is_a  ? negated(o->f, from)
                                    : from;
        }
    }
}

/* Single elements and scales that are NaN, infinite or zero. */
void tsr_side_sprinkle(struct tsr_side *o, unsigned count, uint64_t *s)
{
    static const uint16_t f16_bad[] = {0x7C00, 0xFC00, 0x7E00, 0x7C01, 0xFFFF, 0x0000, 0x8000};
    static const uint8_t e4m3_bad[] = {0x7F, 0xFF, 0x00, 0x80};
    const struct tsr_oracle_format *f = o->f;
    uint32_t top = ((1u << f->ebits) - 1) << f->mbits;
    while (count-- > 0) {
        unsigned i = below(s, o->rows), k = below(s, o->k), kind = below(s, 4);
        if (kind == 0 && f->block != 0)
            o->scale[i][k / f->block] = f->scale == TSR_ORACLE_F16    ? f16_bad[below(s, 7)]
                                        : f->scale == TSR_ORACLE_E4M3 ? e4m3_bad[below(s, 4)]
                                                                      : 255;
        else if (kind == 1)
            o->code[i][k] = f->kind == TSR_ORACLE_OFFSET ? 8 : 0;
        else if (f->kind == TSR_ORACLE_FLOAT) /* all ones or infinity where there is one */
            o->code[i][k] = (kind == 2 ? top : (1u << (f->bits - 1)) - 1) | below(s, 2)
                                                                                << (f->bits - 1);
    }
}

/* Lays the codes into memory that ends at a page's end; what they leave is random. Rows either
 * carry their scales or these lie in a plane of their own. */
void tsr_side_lay(struct tsr_side *o, bool k_strided, uint64_t *s)
{
    const struct tsr_oracle_format *f = o->f;
    unsigned lines = k_strided ? o->k : o->rows, pad = below(s, 4) ? 0 : below(s, 40);
    size_t elements = tsr_oracle_element_bytes(f, k_strided ? o->rows : o->k);
    size_t scales = tsr_oracle_scale_bytes(f, o->k);
    bool together = scales > 0 && below(s, 2);
    size_t stride = elements + (together ? scales : 0) + pad,
           scale_stride = together ? stride : scales;
    uint8_t *codes = o->end - (lines - 1) * stride - elements - (together ? scales : 0);
    uint8_t *plane = together ? codes + elements : codes - lines * scales;
    for (uint8_t *p = plane < codes ? plane : codes; p < o->end; p++)
        *p = (uint8_t)tsr_test_random(s);
    for (unsigned i = 0; i < o->rows; i++) {
        for (unsigned k = 0; k < o->k; k++)
            if (k_strided)
                tsr_oracle_put(f, codes + k * stride, i, o->code[i][k]);
            else
                tsr_oracle_put(f, codes + i * stride, k, o->code[i][k]);
        for (unsigned b = 0; f->block != 0 && b * f->block < o->k; b++)
            tsr_oracle_put_scale(f, plane + i * scale_stride, b, o->scale[i][b]);
    }
    if (scales == 0)
        plane = NULL;
    o->oracle = (struct tsr_oracle_operand){f,         codes, (ptrdiff_t)stride,
                                            k_strided, plane, (ptrdiff_t)scale_stride};
    o->num = (struct tsr_num_operand){.codes = codes,
                                      .stride_bytes = (ptrdiff_t)stride,
                                      .k_strided = k_strided,
                                      .scales = plane,
                                      .scale_stride_bytes = (ptrdiff_t)scale_stride};
}
