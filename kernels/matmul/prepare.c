/* SPDX-License-Identifier: Apache-2.0 */
/* Stored panels expanded to what the kernels multiply, in portable C: for the references, and the
 * definition of what the faster ones must equal. */
#include "isa/num/num.h"
#include "kernels/matmul/packed.h"

void tsr_prepare_f16(const struct tsr_panel *from, struct tsr_prepared *to)
{
    const uint16_t *h = from->elements;
    float *x = to->space;
    for (size_t i = 0; i < from->k * from->columns; i++)
        x[i] = tsr_f16_value(h[i]);
    to->elements = x;
}

/* The bf16 of value * 2^exponent, value a bf16; exact within bf16's normal range, else a zero or an
 * infinity: BFMMLA takes no subnormals. */
static uint16_t scaled(uint16_t value, int exponent)
{
    const int e = (value >> 7 & 0xFF) + exponent;
    if ((value & 0x7FFF) == 0 || (value & 0x7F80) == 0x7F80)
        return value;
    if (e <= 0)
        return value & 0x8000;
    if (e >= 255)
        return (uint16_t)((value & 0x8000) | 0x7F80);
    return (uint16_t)((value & 0x807F) | e << 7);
}

/* All codes of an element format of at most 8 bits as bf16: exact, they have few bits. */
static void table_of(const struct tsr_format *f, uint16_t *table)
{
    for (uint32_t code = 0; code < 1u << f->bits; code++)
        table[code] = (uint16_t)(tsr_num_decode_f32(f, code) >> 16);
}

/* per: codes in a 16-bit lane. A lane of a cell holds the codes of k, k + 4, ... */
static void prepare_mx(const struct tsr_panel *from, struct tsr_prepared *to,
                       const struct tsr_format *f)
{
    const size_t per = 16 / f->bits, columns = from->columns;
    const uint16_t *lanes = from->elements;
    const uint8_t *scales = from->scales;
    uint16_t *out = to->space, table[256];
    table_of(f, table);
    for (size_t p = 0; p < from->k; p += 4 * per) {
        for (size_t c = 0; c < columns; c++) {
            const uint8_t scale = scales[p / TSR_GROUP * columns + c];
            for (size_t i = 0; i < 4; i++) {
                const unsigned lane = lanes[(p / (4 * per) * columns + c) * 4 + i];
                for (size_t t = 0; t < per; t++) {
                    const uint16_t value = table[lane >> f->bits * t & ((1u << f->bits) - 1)];
                    out[((p / 4 + t) * columns + c) * 4 + i] =
                        scale == 0xFF ? 0x7FC0 : scaled(value, scale - 127);
                }
            }
        }
    }
    to->elements = out;
}

void tsr_prepare_mxf4(const struct tsr_panel *from, struct tsr_prepared *to)
{
    static const struct tsr_format e2m1 = {.family = TSR_FAMILY_FLOAT,
                                           .specials = TSR_SPECIALS_NONE,
                                           .bits = 4,
                                           .ebits = 2,
                                           .mbits = 1,
                                           .bias = 1};
    prepare_mx(from, to, &e2m1);
}

void tsr_prepare_mxf8e4m3(const struct tsr_panel *from, struct tsr_prepared *to)
{
    static const struct tsr_format e4m3 = {.family = TSR_FAMILY_FLOAT,
                                           .specials = TSR_SPECIALS_FN,
                                           .bits = 8,
                                           .ebits = 4,
                                           .mbits = 3,
                                           .bias = 7};
    prepare_mx(from, to, &e4m3);
}

void tsr_prepare_mxf8e5m2(const struct tsr_panel *from, struct tsr_prepared *to)
{
    static const struct tsr_format e5m2 = {.family = TSR_FAMILY_FLOAT,
                                           .specials = TSR_SPECIALS_IEEE,
                                           .bits = 8,
                                           .ebits = 5,
                                           .mbits = 2,
                                           .bias = 15};
    prepare_mx(from, to, &e5m2);
}

static float half_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, 2);
    return tsr_f16_value(h);
}

/* q4_k's f16 d, dmin and 12 bytes of a super-block lie as packed_weights.c puts them: each kind for
 * all columns together. Of groups 0..3 scale and minimum are the low 6 bits of bytes j, j + 4; 4..7
 * take nibbles of byte j + 4 and two bits of the former. */
static int six_bits(const uint8_t *super, size_t columns, size_t c, size_t j, bool minimum)
{
    const uint8_t *s = super + 4 * columns + c;
#define BYTE(i) s[(i)*columns]
    if (j < 4)
        return BYTE(minimum ? j + 4 : j) & 63;
    return minimum ? BYTE(j + 4) >> 4 | BYTE(j) >> 6 << 4
                   : (BYTE(j + 4) & 15) | BYTE(j - 4) >> 6 << 4;
#undef BYTE
}

/* Scale of group g of column c. d * 6 bits is exact in f32. */
static float scale_of(enum tsr_dtype format, const struct tsr_panel *from, size_t g, size_t c)
{
    const uint8_t *scales = from->scales;
    if (format != TSR_Q4_K)
        return half_at(scales + (g * from->columns + c) * 2);
    const uint8_t *super = scales + g / 8 * from->columns * 16;
    return half_at(super + 2 * c) * (float)six_bits(super, from->columns, c, g % 8, false);
}

static void prepare_minima(const struct tsr_panel *from, struct tsr_prepared *to, size_t c)
{
    const size_t columns = from->columns, supers = from->k / TSR_SUPER;
    for (size_t s = 0; s < supers; s++) {
        const uint8_t *super = (const uint8_t *)from->scales + s * columns * 16;
        const uint8_t *floor = super + 2 * columns + 2 * c;
        for (size_t j = 0; j < 8; j++) {
            const float minimum = (float)six_bits(super, columns, c, j, true);
            uint32_t bits;
            memcpy(&bits, &minimum, sizeof bits);
            to->minima[((s * 2 + j / 4) * columns + c) * 4 + j % 4] = (uint16_t)(bits >> 16);
        }
        float delta = half_at(floor);
        if ((s + 1) % TSR_SUPER_RUN != 0 && s + 1 < supers)
            delta -= half_at(floor + 16 * columns);
        float *at = to->min_delta + s * columns * 2 + c / 2 * 4 + c % 2;
        at[0] = at[2] = delta;
    }
}

void tsr_prepare_groups(enum tsr_dtype format, const struct tsr_panel *from,
                        struct tsr_prepared *to)
{
    const size_t groups = from->k / TSR_GROUP, run = tsr_weights_layout(format)->run;
    for (size_t c = 0; c < from->columns; c++) {
        /* Columns c and c ^ 1 share four floats: see struct tsr_prepared. */
        float *at = to->delta + c / 2 * 4 + c % 2;
        for (size_t g = 0; g < groups; g++, at += 2 * from->columns) {
            float delta = scale_of(format, from, g, c);
            if ((g + 1) % run != 0 && g + 1 < groups)
                delta -= scale_of(format, from, g + 1, c);
            at[0] = at[2] = delta;
        }
        if (format == TSR_Q4_K)
            prepare_minima(from, to, c);
    }
}

void tsr_prepare_q8_0(const struct tsr_panel *from, struct tsr_prepared *to)
{
    to->elements = from->elements;
    tsr_prepare_groups(TSR_Q8_0, from, to);
}

/* Cells of nibbles, k low and k + 8 high, to two cells of i8; `flip` is the sign bit. */
static void nibbles(const struct tsr_panel *from, struct tsr_prepared *to, int flip)
{
    const uint8_t *in = from->elements;
    const size_t step = from->columns * 8;
    int8_t *out = to->space;
    for (size_t p = 0; p < from->k; p += 16, out += 2 * step, in += step) {
        for (size_t i = 0; i < step; i++) {
            out[i] = (int8_t)(((in[i] & 15) ^ flip) - flip);
            out[step + i] = (int8_t)((in[i] >> 4 ^ flip) - flip);
        }
    }
    to->elements = to->space;
}

void tsr_prepare_q4_0(const struct tsr_panel *from, struct tsr_prepared *to)
{
    nibbles(from, to, 8);
    tsr_prepare_groups(TSR_Q4_0, from, to);
}

void tsr_prepare_q4_k(const struct tsr_panel *from, struct tsr_prepared *to)
{
    nibbles(from, to, 0);
    tsr_prepare_groups(TSR_Q4_K, from, to);
}
