/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of block formats: the families' codecs behind one interface, and the arithmetic of scales
 * that they share. */
#include "isa/num/block.h"

#include <assert.h>
#include <stdlib.h>

const struct tsr_format block_f16 = {.name = "f16",
                                     .code = TSR_F16,
                                     .family = TSR_FAMILY_FLOAT,
                                     .specials = TSR_SPECIALS_IEEE,
                                     .bits = 16,
                                     .ebits = 5,
                                     .mbits = 10,
                                     .bias = 15,
                                     .block = 1};
const struct tsr_format block_e4m3 = {.name = "f8e4m3",
                                      .code = TSR_F8E4M3,
                                      .family = TSR_FAMILY_FLOAT,
                                      .specials = TSR_SPECIALS_FN,
                                      .bits = 8,
                                      .ebits = 4,
                                      .mbits = 3,
                                      .bias = 7,
                                      .block = 1};

static const struct block_codec *codec_of(const struct tsr_format *f)
{
    switch (f->family) {
    case TSR_FAMILY_INT:
        return f->bits <= 8 ? &block_int : NULL;
    case TSR_FAMILY_MX:
        return &block_mx;
    case TSR_FAMILY_SMX:
        return &block_smx;
    case TSR_FAMILY_NVF:
        return &block_nvf;
    case TSR_FAMILY_GGUF:
        return &block_gguf;
    case TSR_FAMILY_FLOAT:
        break;
    }
    return NULL;
}

bool tsr_num_has_blocks(const struct tsr_format *f)
{
    return codec_of(f) != NULL;
}

enum tsr_status tsr_num_quant_check(const struct tsr_num_quant *q, size_t n, struct tsr_error *err)
{
    const struct block_codec *c = codec_of(q->format);
    if (c == NULL)
        return tsr_error_set(err, TSR_USAGE, "%s: no blocks and no scales", q->format->name);
    if (q->file_layout && q->format->family != TSR_FAMILY_GGUF)
        return tsr_error_set(err, TSR_USAGE, "%s: only GGUF's formats have a file layout",
                             q->format->name);
    return c->check(q, n, err);
}

size_t tsr_num_element_bytes(const struct tsr_num_quant *q, size_t n)
{
    return codec_of(q->format)->element_bytes(q, n);
}

size_t tsr_num_scale_bytes(const struct tsr_num_quant *q, size_t n)
{
    return q->file_layout ? 0 : codec_of(q->format)->scale_bytes(q, n);
}

enum tsr_status tsr_num_quantize(const struct tsr_num_quant *q, const uint32_t *f32_bits, size_t n,
                                 void *elements, void *scales, struct tsr_error *err)
{
    enum tsr_status st = tsr_num_quant_check(q, n, err);
    if (st != TSR_OK)
        return st;
    const struct block_codec *c = codec_of(q->format);
    if (q->format->code == TSR_Q4_K || q->format->code == TSR_Q6_K)
        return tsr_error_set(err, TSR_USAGE, "%s: is read only, no values are encoded as it",
                             q->format->name);
    if (n > 0)
        c->quantize(q, f32_bits, n, elements, scales);
    return TSR_OK;
}

enum tsr_status tsr_num_dequantize(const struct tsr_num_quant *q, const void *elements,
                                   const void *scales, size_t n, uint32_t *f32_bits,
                                   struct tsr_error *err)
{
    enum tsr_status st = tsr_num_quant_check(q, n, err);
    if (st == TSR_OK && n > 0)
        codec_of(q->format)->dequantize(q, elements, scales, n, f32_bits);
    return st;
}

/* ---- scales --------------------------------------------------------------------------------- */

struct block_factor block_factor_of(uint32_t f32_bits)
{
    uint32_t mag = f32_bits & NUM_MAGNITUDE;
    struct block_factor d = {.negative = f32_bits >> 31};
    if (mag >= TSR_NUM_INF)
        d.special = mag > TSR_NUM_INF ? TSR_NUM_NAN : TSR_NUM_INF;
    else
        d.m = num_split(mag, &d.e);
    if (d.m != 0) {
        int zeros = __builtin_ctzll(d.m);
        d.m >>= zeros;
        d.e += zeros;
    }
    return d;
}

struct block_factor block_factor_times(struct block_factor a, struct block_factor b)
{
    assert(a.special == 0 && b.special == 0);
    return (struct block_factor){
        .m = a.m * b.m, .e = a.e + b.e, .negative = a.negative != b.negative};
}

void block_scale_down(uint32_t *out, const uint32_t *x, size_t n, uint32_t r, uint32_t most)
{
    float by = block_float(r);
    for (size_t i = 0; i < n; i++) {
        uint32_t v = block_bits(block_float(x[i]) * by), mag = v & NUM_MAGNITUDE;
        out[i] = (v & NUM_SIGN) | (mag < most ? mag : most);
    }
}

static uint32_t times_slow(uint32_t x, struct block_factor d)
{
    uint32_t mag = x & NUM_MAGNITUDE, sign = (x & NUM_SIGN) ^ (d.negative ? NUM_SIGN : 0);
    if (mag > TSR_NUM_INF || d.special == TSR_NUM_NAN)
        return TSR_NUM_NAN;
    if (mag == TSR_NUM_INF || d.special != 0)
        return mag == 0 || (d.m == 0 && d.special == 0) ? TSR_NUM_NAN : sign | TSR_NUM_INF;
    if (mag == 0 || d.m == 0)
        return x & NUM_SIGN;
    int e;
    uint64_t m = num_split(mag, &e);
    return num_round_pack(sign != 0, m * d.m, e + d.e);
}

void block_times(uint32_t *x, size_t n, struct block_factor d)
{
    bool plain = d.m != 0 && d.special == 0 && d.m < UINT64_C(1) << 24;
    int lz = plain ? num_clz64(d.m) - 40 : 0;
    uint64_t by = d.m << lz; /* leading bit at 23: products have 47 or 48 bits */
    uint32_t flip = d.negative ? NUM_SIGN : 0;
    for (size_t i = 0; i < n; i++) {
        int field = (int)(x[i] >> 23 & 0xFF);
        uint64_t p = ((x[i] & 0x7FFFFF) | 0x800000) * by;
        int drop = 23 + (int)(p >> 47);
        uint32_t kept = (uint32_t)((p + (UINT64_C(1) << (drop - 1)) - 1 + (p >> drop & 1)) >> drop);
        int to = field + d.e - lz + drop;
        if (!plain || field == 0 || field == 255 || to < 1 || to > 253)
            x[i] = times_slow(x[i], d);
        else
            x[i] = ((x[i] & NUM_SIGN) ^ flip) | ((((uint32_t)to - 1) << 23) + kept);
    }
}

/* The largest finite code without sign. */
static uint32_t largest_code(const struct tsr_format *f)
{
    uint32_t all = (UINT32_C(1) << (f->bits - 1)) - 1;
    if (f->family != TSR_FAMILY_FLOAT || f->specials == TSR_SPECIALS_NONE)
        return all;
    return f->specials == TSR_SPECIALS_FN ? all - 1 : all - (UINT32_C(1) << f->mbits);
}

uint32_t block_largest(const struct tsr_format *element)
{
    return tsr_num_decode_f32(element, largest_code(element));
}

/* The magnitude raised to 2^-126. */
static uint32_t at_least_normal(uint32_t v)
{
    return (v & NUM_MAGNITUDE) < BLOCK_LEAST_NORMAL ? (v & NUM_SIGN) | BLOCK_LEAST_NORMAL : v;
}

uint32_t block_scale_code(const struct tsr_format *f, uint32_t x, uint32_t divisor)
{
    if ((x & NUM_MAGNITUDE) == 0)
        return 0;
    uint32_t v = block_bits(block_float(x) / block_float(divisor));
    uint32_t code = tsr_num_encode(f, at_least_normal(v), TSR_ROUND_EVEN);
    uint32_t most = largest_code(f), sign = UINT32_C(1) << (f->bits - 1), mag = code & ~sign;
    if (mag == 0)
        mag = 1;
    return (code & sign) | (mag < most ? mag : most);
}

uint32_t block_reciprocal(uint32_t scale)
{
    return block_bits(1.0f / block_float(at_least_normal(scale)));
}

uint32_t block_scale_nan(const struct tsr_format *f)
{
    return tsr_num_encode(f, TSR_NUM_NAN, TSR_ROUND_EVEN);
}

void block_scale_store(const struct tsr_format *f, uint8_t *scales, size_t i, uint32_t code)
{
    size_t bytes = f->bits / 8;
    for (size_t b = 0; b < bytes; b++)
        scales[i * bytes + b] = (uint8_t)(code >> 8 * b);
}

uint32_t block_scale_load(const struct tsr_format *f, const uint8_t *scales, size_t i)
{
    size_t bytes = f->bits / 8;
    uint32_t code = 0;
    for (size_t b = 0; b < bytes; b++)
        code |= (uint32_t)scales[i * bytes + b] << 8 * b;
    return code;
}
