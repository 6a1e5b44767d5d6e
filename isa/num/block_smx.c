/* SPDX-License-Identifier: Apache-2.0 */
/* Shared microexponents (mx9, mx6, mx4): a block shares an exponent e, each pair a shift t of one
 * bit; elements are sign and magnitude in steps of 2^(e - (mbits - 1) - t), without hidden bit.
 * Source: arXiv 2302.08007, section 3. */
#include "isa/num/block.h"

#include <string.h>

static enum tsr_status check(const struct tsr_num_quant *q, size_t n, struct tsr_error *err)
{
    const struct tsr_format *f = q->format;
    (void)n;
    if (f->scale_bits != 8 || f->block % 16 != 0 || f->bits != f->mbits + 1 || f->mbits < 1 ||
        f->mbits > 15)
        return tsr_error_set(err, TSR_USAGE,
                             "%s: shared microexponents want an 8-bit scale, blocks of a multiple "
                             "of 16 and elements of a sign and 1 to 15 bits",
                             f->name);
    return TSR_OK;
}

static size_t block_bytes(const struct tsr_format *f)
{
    return (f->block * f->bits + f->block / 2u) / 8u;
}

static size_t element_bytes(const struct tsr_num_quant *q, size_t n)
{
    return block_count(n, q->format->block) * block_bytes(q->format);
}

static size_t scale_bytes(const struct tsr_num_quant *q, size_t n)
{
    return block_count(n, q->format->block);
}

/* |x| / 2^step rounded; at least 1 bit of x's magnitude is dropped. */
static inline uint32_t magnitude(uint32_t mag, int step, enum tsr_round round)
{
    int e;
    uint32_t m = num_split(mag, &e);
    int drop = step - e;
    drop = drop < 25 ? drop : 25; /* m < 2^24: less than half already */
    uint32_t kept = m >> drop, rest = m - (kept << drop), half = UINT32_C(1) << (drop - 1);
    if (round == TSR_ROUND_EVEN)
        kept += rest + (kept & 1) > half;
    else if (round == TSR_ROUND_AWAY)
        kept += rest >= half;
    return kept;
}

/* Codes of elements, `bits` each, the lowest first, then the shifts. */
static void pack(const struct tsr_format *f, const uint16_t *codes, const uint8_t *shifts,
                 uint8_t *out)
{
    uint64_t held = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < f->block; i++) {
        held |= (uint64_t)codes[i] << bits;
        for (bits += f->bits; bits >= 8; bits -= 8, held >>= 8)
            *out++ = (uint8_t)held;
    }
    for (size_t i = 0; i < f->block / 2u; i++) {
        held |= (uint64_t)shifts[i] << bits;
        if (++bits == 8) {
            *out++ = (uint8_t)held;
            held = 0;
            bits = 0;
        }
    }
}

static void encode(const struct tsr_format *f, int e, const uint32_t *x, uint8_t *out,
                   enum tsr_round round)
{
    uint16_t codes[TSR_NUM_MAX_BLOCK];
    uint8_t shifts[TSR_NUM_MAX_BLOCK / 2];
    uint32_t most = (UINT32_C(1) << f->mbits) - 1;
    /* Magnitudes below 2^e, as f32 bits; below 2^-126 these are subnormals. */
    uint32_t least = e > -127 ? (uint32_t)(e + 127) << 23 : UINT32_C(1) << 22;
    for (size_t p = 0; p < f->block / 2u; p++) {
        uint32_t a = x[2 * p] & NUM_MAGNITUDE, b = x[2 * p + 1] & NUM_MAGNITUDE;
        uint32_t larger = a > b ? a : b;
        shifts[p] = larger < least && larger > 0;
        int step = e - (f->mbits - 1) - shifts[p];
        uint32_t ma = magnitude(a, step, round), mb = magnitude(b, step, round);
        ma = ma < most ? ma : most;
        mb = mb < most ? mb : most;
        codes[2 * p] = (uint16_t)((x[2 * p] >> 31 << f->mbits) | ma);
        codes[2 * p + 1] = (uint16_t)((x[2 * p + 1] >> 31 << f->mbits) | mb);
    }
    pack(f, codes, shifts, out);
}

static void quantize(const struct tsr_num_quant *q, const uint32_t *x, size_t n, uint8_t *elements,
                     uint8_t *scales)
{
    const struct tsr_format *f = q->format;
    size_t block = f->block, bytes = block_bytes(f);
    for (size_t at = 0; at < n; at += block, elements += bytes, scales++) {
        uint32_t padded[TSR_NUM_MAX_BLOCK];
        const uint32_t *in = x + at;
        if (n - at < block) {
            memset(padded, 0, sizeof padded);
            memcpy(padded, in, 4 * (n - at));
            in = padded;
        }
        uint32_t max = block_max(in, block);
        if (max >= TSR_NUM_INF) {
            memset(elements, 0, bytes);
            *scales = BLOCK_EXPONENT_NAN;
            continue;
        }
        int e = max > 0 ? block_clamp_exponent(block_exponent(max)) : -127;
        *scales = (uint8_t)(e + BLOCK_EXPONENT_BIAS);
        encode(f, e, in, elements, q->round);
    }
}

static void dequantize(const struct tsr_num_quant *q, const uint8_t *elements,
                       const uint8_t *scales, size_t n, uint32_t *out)
{
    const struct tsr_format *f = q->format;
    uint32_t mask = (UINT32_C(1) << f->bits) - 1, most = mask >> 1;
    size_t bytes = block_bytes(f);
    for (size_t at = 0; at < n; at += f->block, elements += bytes, scales++) {
        size_t end = n - at < f->block ? n - at : f->block;
        const uint8_t *in = elements, *shifts = elements + f->block * f->bits / 8;
        int step = *scales - BLOCK_EXPONENT_BIAS - (f->mbits - 1);
        uint64_t held = 0;
        unsigned bits = 0;
        for (size_t i = 0; i < end; i++, held >>= f->bits, bits -= f->bits) {
            for (; bits < f->bits; bits += 8)
                held |= (uint64_t)*in++ << bits;
            uint32_t code = (uint32_t)held & mask, mag = code & most;
            int shift = shifts[i / 16] >> (i / 2 % 8) & 1;
            uint32_t v = code > most ? NUM_SIGN : 0;
            if (mag > 0)
                v = num_round_pack(code > most, mag, step - shift);
            out[at + i] = *scales == BLOCK_EXPONENT_NAN ? TSR_NUM_NAN : v;
        }
    }
}

const struct block_codec block_smx = {check, element_bytes, scale_bytes, quantize, dequantize};
