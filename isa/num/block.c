/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of block formats: the families' codecs behind one interface, and the arithmetic of scales
 * that they share. */
#include "isa/num/block.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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

/* mag * 2^e cut toward zero; the lowest bit set if anything was lost. 0 < mag < 2^63. */
static uint32_t pack_odd(uint32_t sign, uint64_t mag, int e)
{
    int lz = num_clz64(mag) - 1;
    uint64_t x = mag << lz; /* leading bit at 62 */
    int low = e - lz + 39;  /* the 24 bits kept count 2^low */
    int drop = low < -149 ? 39 - 149 - low : 39;
    if (drop > 63)
        return sign | 1;
    if (low > 254 - 150)
        return sign | (TSR_NUM_INF - 1);
    low = low < -149 ? -149 : low;
    uint64_t m = x >> drop, lost = x != m << drop;
    return sign | ((((uint32_t)(low + 149) << 23) + (uint32_t)m) | (uint32_t)lost);
}

/* x / d as a magnitude of at least 33 bits, its lowest sticky, times 2^*e. x and d not 0. */
static uint64_t quotient_of(uint32_t x, struct block_factor d, int *e)
{
    int low;
    uint64_t m = num_split(x & NUM_MAGNITUDE, &low);
    int lz = num_clz64(m) - 1;
    m <<= lz; /* below 2^63; d.m is below 2^30 */
    uint64_t quotient = m / d.m;
    *e = low - lz - d.e;
    return quotient | (quotient * d.m != m);
}

static uint32_t divide_slow(uint32_t x, struct block_factor d)
{
    int e;
    if ((x & NUM_MAGNITUDE) == 0)
        return x;
    uint64_t quotient = quotient_of(x, d, &e);
    return pack_odd((x & NUM_SIGN) ^ (d.negative ? NUM_SIGN : 0), quotient, e);
}

void block_divide(uint32_t *out, const uint32_t *x, size_t n, struct block_factor d, uint32_t most)
{
    assert(d.m != 0 && d.special == 0);
    /* The divisor with its leading bit at 29, and 2^62 divided by it: for m < 2^24,
     * (m * inverse) >> 30 is the quotient of m 2^32, or one less. */
    int lz = num_clz64(d.m) - 34;
    uint64_t by = d.m << lz, inverse = (UINT64_C(1) << 62) / by;
    uint32_t flip = d.negative ? NUM_SIGN : 0;
    int bias = 32 + d.e - lz; /* quotient counts 2^(field - 150 - bias) */
    for (size_t i = 0; i < n; i++) {
        int field = (int)(x[i] >> 23 & 0xFF);
        uint64_t m = (x[i] & 0x7FFFFF) | 0x800000;
        uint64_t q = m * inverse >> 30, rest = (m << 32) - q * by;
        uint64_t more = rest >= by;
        q += more;
        rest -= more ? by : 0;
        /* 26 to 28 bits; 24 are kept. */
        int drop = 2 + (int)(q >> 26 != 0) + (int)(q >> 27 != 0);
        uint32_t kept = (uint32_t)(q >> drop), lost = (rest | (q ^ (uint64_t)kept << drop)) != 0;
        int to = field - bias + drop; /* a hidden bit at 23 means field 1 counts 2^-149 */
        uint32_t v = ((x[i] & NUM_SIGN) ^ flip) | ((((uint32_t)to - 1) << 23) + (kept | lost));
        if (field == 0 || to < 1 || to > 254)
            v = divide_slow(x[i], d);
        uint32_t mag = v & NUM_MAGNITUDE;
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

uint32_t block_scale_code(const struct tsr_format *f, uint32_t x, struct block_factor d)
{
    if ((x & NUM_MAGNITUDE) == 0)
        return 0;
    uint32_t v, most = largest_code(f), sign = UINT32_C(1) << (f->bits - 1);
    if (f->mbits > 20) { /* f32 itself: rounded here, an odd f32 has no bits to spare */
        int e;
        uint64_t quotient = quotient_of(x, d, &e);
        v = num_round_pack((x >> 31) != d.negative, quotient, e);
    } else {
        v = divide_slow(x, d);
    }
    uint32_t code = tsr_num_encode(f, v, TSR_ROUND_EVEN), mag = code & ~sign;
    if (mag == 0)
        mag = 1;
    return (code & sign) | (mag < most ? mag : most);
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
