/* SPDX-License-Identifier: Apache-2.0 */
/* Codecs of plain float and integer elements: one function each way for all float layouts, from
 * the columns of the format's row. */
#include "isa/num/bits.h"

#include <assert.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays of codes are little-endian");

bool tsr_num_has_codec(const struct tsr_format *f)
{
    if (f->family == TSR_FAMILY_INT)
        return true;
    int top = (1 << f->ebits) - (f->specials == TSR_SPECIALS_IEEE ? 2 : 1) - f->bias;
    bool nan = f->specials != TSR_SPECIALS_IEEE || f->mbits > 0;
    return f->ebits > 0 && nan && top <= 127 && 1 - f->bias - f->mbits >= -149;
}

/* A float layout, derived once per array. */
struct layout {
    uint32_t mbits, nan, overflow, truncated; /* codes without sign; overflow: when rounding up */
    int bias;
    int sign_shift; /* from bit 31 down to the code's sign bit */
};

static inline struct layout layout_of(const struct tsr_format *f)
{
    uint32_t all = (UINT32_C(1) << (f->ebits + f->mbits)) - 1;
    uint32_t inf = all >> f->mbits << f->mbits;
    struct layout l = {.mbits = f->mbits, .bias = f->bias, .sign_shift = 32 - f->bits};
    switch (f->specials) {
    case TSR_SPECIALS_IEEE:
        l.nan = inf | UINT32_C(1) << (f->mbits - 1);
        l.truncated = inf - 1;
        /* f8 conversions saturate (OFP8), wider formats go to infinity (IEEE). */
        l.overflow = f->bits <= 8 ? inf - 1 : inf;
        break;
    case TSR_SPECIALS_FN:
        l.nan = all;
        l.truncated = l.overflow = all - 1;
        break;
    case TSR_SPECIALS_NONE:
        l.nan = l.truncated = l.overflow = all;
        break;
    }
    return l;
}

static inline uint32_t encode_float(const struct layout *l, uint32_t x, enum tsr_round round)
{
    uint32_t mag = x & NUM_MAGNITUDE;
    uint32_t sign = (x & NUM_SIGN) >> l->sign_shift;
    int e;
    uint32_t m = num_split(mag, &e);
    /* The source's lowest bit counts 2^e, the target's 2^low; never below its subnormals'. */
    int floor_low = 1 - l->bias - (int)l->mbits;
    int low = e + 23 - (int)l->mbits;
    low = low < floor_low ? floor_low : low;
    int drop = low - e;
    drop = drop < 25 ? drop : 25; /* m < 2^24: less than half already */
    uint32_t kept = m >> drop, rest = m - (kept << drop);
    uint32_t half = (UINT32_C(1) << drop) >> 1;
    uint32_t up;
    if (round == TSR_ROUND_EVEN)
        up = rest + (kept & 1) > half;
    else
        up = round == TSR_ROUND_AWAY && rest >= half;
    up = drop > 0 ? up : 0;
    /* Subnormals have field 0; a normal's hidden bit adds the missing one. */
    uint32_t code = ((uint32_t)(low - floor_low) << l->mbits) + kept + up;
    uint32_t over = round == TSR_ROUND_ZERO && mag != TSR_NUM_INF ? l->truncated : l->overflow;
    code = code > l->truncated ? over : code;
    code = mag == TSR_NUM_INF ? over : code;
    return mag > TSR_NUM_INF ? l->nan : code | sign;
}

static uint32_t encode_int(uint32_t bits, uint32_t x, enum tsr_round round)
{
    uint32_t mag = x & NUM_MAGNITUDE, mask = bits < 32 ? (UINT32_C(1) << bits) - 1 : UINT32_MAX;
    bool negative = x >> 31;
    uint64_t limit = (UINT64_C(1) << (bits - 1)) - !negative;
    uint64_t v;
    if (mag > TSR_NUM_INF)
        return 0;
    int e;
    uint64_t m = num_split(mag, &e);
    if (e >= 0) {
        v = e < 32 ? m << e : limit;
    } else {
        int d = -e < 25 ? -e : 25;
        uint64_t kept = m >> d, rest = m - (kept << d), half = UINT64_C(1) << (d - 1);
        v = kept;
        if (round == TSR_ROUND_EVEN)
            v += rest + (kept & 1) > half;
        else if (round == TSR_ROUND_AWAY)
            v += rest >= half;
    }
    v = v < limit ? v : limit;
    return (uint32_t)(negative ? 0 - v : v) & mask;
}

uint32_t tsr_num_encode(const struct tsr_format *f, uint32_t f32_bits, enum tsr_round round)
{
    assert(tsr_num_has_codec(f));
    if (f->family == TSR_FAMILY_INT)
        return encode_int(f->bits, f32_bits, round);
    struct layout l = layout_of(f);
    return encode_float(&l, f32_bits, round);
}

static inline uint32_t decode_float(const struct tsr_format *f, uint32_t code)
{
    uint32_t least = UINT32_C(1) << f->mbits, all = (UINT32_C(1) << (f->ebits + f->mbits)) - 1;
    uint32_t mag = code & all, sign = (code >> (f->ebits + f->mbits) & 1) << 31;
    uint32_t inf = all & ~(least - 1), field = mag >> f->mbits;
    if (mag - least < inf - least) /* normal, and not of the highest exponent: only a new bias */
        return sign | ((mag << (23 - f->mbits)) + ((uint32_t)(127 - f->bias) << 23));
    if (f->specials == TSR_SPECIALS_IEEE && mag >= inf)
        return mag > inf ? TSR_NUM_NAN : sign | TSR_NUM_INF;
    if (f->specials == TSR_SPECIALS_FN && mag == all)
        return TSR_NUM_NAN;
    if (mag == 0)
        return sign;
    uint32_t m = (mag & (least - 1)) | (uint32_t)(field > 0) << f->mbits;
    int e = (int)(field > 0 ? field : 1) - f->bias - f->mbits;
    return num_round_pack(sign != 0, m, e); /* exact: f32 holds all values */
}

uint32_t tsr_num_decode_f32(const struct tsr_format *f, uint32_t code)
{
    assert(tsr_num_has_codec(f));
    if (f->family == TSR_FAMILY_FLOAT || f->ebits > 0)
        return decode_float(f, code);
    int64_t v = (int32_t)(code << (32 - f->bits)) >> (32 - f->bits);
    return v == 0 ? 0 : num_round_pack(v < 0, (uint64_t)(v < 0 ? -v : v), 0);
}

/* encode_int for 8 bits or fewer, without branches. */
static inline uint32_t encode_small_int(uint32_t bits, uint32_t x, enum tsr_round round)
{
    uint32_t mag = x & NUM_MAGNITUDE, limit = (UINT32_C(1) << (bits - 1)) - 1 + (x >> 31);
    uint32_t m = (mag & 0x7FFFFF) | 0x800000; /* values below 2^-1 drop it */
    int d = 150 - (int)(mag >> 23);
    d = d < 1 ? 1 : d < 25 ? d : 25;
    uint32_t kept = m >> d, rest = m - (kept << d), half = UINT32_C(1) << (d - 1);
    uint32_t up = rest + (kept & 1) > half;
    if (round != TSR_ROUND_EVEN)
        up = round == TSR_ROUND_AWAY && rest >= half;
    uint32_t v = kept + up;
    v = v < limit ? v : limit;
    v = mag > TSR_NUM_INF ? 0 : v;
    return (x >> 31 ? 0 - v : v) & ((UINT32_C(1) << bits) - 1);
}

/* Codes of 8 bits or fewer, one to a byte; rounding is a constant in each copy of these loops. */
static inline void encode_bytes(const struct tsr_format *f, uint8_t *out, const uint32_t *in,
                                size_t n, enum tsr_round round)
{
    if (f->ebits == 0) {
        for (size_t i = 0; i < n; i++)
            out[i] = (uint8_t)encode_small_int(f->bits, in[i], round);
    } else {
        struct layout l = layout_of(f);
        for (size_t i = 0; i < n; i++)
            out[i] = (uint8_t)encode_float(&l, in[i], round);
    }
}

static void encode_small(const struct tsr_format *f, uint8_t *out, const uint32_t *in, size_t n,
                         enum tsr_round round)
{
    if (round == TSR_ROUND_EVEN)
        encode_bytes(f, out, in, n, TSR_ROUND_EVEN);
    else if (round == TSR_ROUND_AWAY)
        encode_bytes(f, out, in, n, TSR_ROUND_AWAY);
    else
        encode_bytes(f, out, in, n, TSR_ROUND_ZERO);
}

/* Elements of fewer than 8 bits: chunks of 64 fill whole bytes whatever their width. */
static void pack_small(const struct tsr_format *f, uint8_t *out, const uint32_t *in, size_t n,
                       enum tsr_round round)
{
    uint8_t codes[64];
    for (size_t at = 0; at < n; at += 64) {
        size_t here = n - at < 64 ? n - at : 64;
        encode_small(f, codes, in + at, here, round);
        if (f->bits == 4 && here % 2 == 0) {
            for (size_t i = 0; i < here / 2; i++)
                out[i] = (uint8_t)(codes[2 * i] | codes[2 * i + 1] << 4);
            out += here / 2;
            continue;
        }
        uint64_t held = 0;
        uint32_t bits = 0;
        for (size_t i = 0; i < here; i++) {
            held |= (uint64_t)codes[i] << bits;
            bits += f->bits;
            if (bits >= 8) {
                *out++ = (uint8_t)held;
                held >>= 8;
                bits -= 8;
            }
        }
        if (bits > 0)
            *out++ = (uint8_t)held;
    }
}

/* Elements of other widths than whole bytes, the lowest bit first. */
static void encode_packed(const struct tsr_format *f, uint8_t *out, const uint32_t *in, size_t n,
                          enum tsr_round round)
{
    uint64_t held = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        held |= (uint64_t)tsr_num_encode(f, in[i], round) << bits;
        for (bits += f->bits; bits >= 8; bits -= 8, held >>= 8)
            *out++ = (uint8_t)held;
    }
    if (bits > 0)
        *out = (uint8_t)held;
}

static void decode_packed(const struct tsr_format *f, uint32_t *out, const uint8_t *in, size_t n)
{
    uint64_t held = 0;
    uint32_t bits = 0, table[256];
    bool known = f->bits <= 8 && n >= (size_t)1 << f->bits;
    for (uint32_t c = 0; known && c < 1u << f->bits; c++)
        table[c] = tsr_num_decode_f32(f, c);
    for (size_t i = 0; i < n; i++, held >>= f->bits, bits -= f->bits) {
        for (; bits < f->bits; bits += 8)
            held |= (uint64_t)*in++ << bits;
        uint32_t code = (uint32_t)(held & ((UINT64_C(1) << f->bits) - 1));
        out[i] = known ? table[code] : tsr_num_decode_f32(f, code);
    }
}

/* Rounding is a constant in each copy of these loops. */
static inline void encode_wholes(const struct tsr_format *f, void *codes, const uint32_t *in,
                                 size_t n, enum tsr_round round)
{
    struct layout l = layout_of(f);
    for (size_t i = 0; i < n; i++) {
        uint16_t c = (uint16_t)encode_float(&l, in[i], round);
        memcpy((char *)codes + 2 * i, &c, 2);
    }
}

void tsr_num_encode_array(const struct tsr_format *f, void *codes, const uint32_t *f32_bits,
                          size_t n, enum tsr_round round)
{
    assert(tsr_num_has_codec(f));
    if (f->bits == 32 && f->ebits > 0) { /* f32 itself: no other layout has a codec */
        for (size_t i = 0; i < n; i++) {
            uint32_t c = num_is_nan(f32_bits[i]) ? TSR_NUM_NAN : f32_bits[i];
            memcpy((char *)codes + 4 * i, &c, 4);
        }
    } else if (f->bits == 8) {
        encode_small(f, codes, f32_bits, n, round);
    } else if (f->bits < 8) {
        pack_small(f, codes, f32_bits, n, round);
    } else if (f->ebits == 0 || f->bits != 16) {
        encode_packed(f, codes, f32_bits, n, round);
    } else if (round == TSR_ROUND_EVEN) {
        encode_wholes(f, codes, f32_bits, n, TSR_ROUND_EVEN);
    } else if (round == TSR_ROUND_AWAY) {
        encode_wholes(f, codes, f32_bits, n, TSR_ROUND_AWAY);
    } else {
        encode_wholes(f, codes, f32_bits, n, TSR_ROUND_ZERO);
    }
}

void tsr_num_decode_array(const struct tsr_format *f, uint32_t *f32_bits, const void *codes,
                          size_t n)
{
    assert(tsr_num_has_codec(f));
    if (f->bits == 16 && f->ebits > 0) {
        for (size_t i = 0; i < n; i++) {
            uint16_t c;
            memcpy(&c, (const char *)codes + 2 * i, 2);
            f32_bits[i] = decode_float(f, c);
        }
    } else if (f->bits == 32 && f->ebits > 0) {
        for (size_t i = 0; i < n; i++) {
            uint32_t c;
            memcpy(&c, (const char *)codes + 4 * i, 4);
            f32_bits[i] = num_is_nan(c) ? TSR_NUM_NAN : c;
        }
    } else if (f->bits == 8) {
        uint32_t table[256];
        if (n < 256) {
            decode_packed(f, f32_bits, codes, n);
            return;
        }
        for (uint32_t c = 0; c < 256; c++)
            table[c] = tsr_num_decode_f32(f, c);
        for (size_t i = 0; i < n; i++)
            f32_bits[i] = table[((const uint8_t *)codes)[i]];
    } else {
        decode_packed(f, f32_bits, codes, n);
    }
}
