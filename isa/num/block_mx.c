/* SPDX-License-Identifier: Apache-2.0 */
/* OCP MX: blocks of float or integer elements with one scale 2^X, stored as E8M0.
 * Source: OCP Microscaling Formats (MX) v1.0, sections 5 and 6. */
#include "isa/num/block.h"

#include <string.h>

static enum tsr_status check(const struct tsr_num_quant *q, size_t n, struct tsr_error *err)
{
    const struct tsr_format *f = q->format;
    struct tsr_format element = block_element(f);
    (void)n;
    if (f->scale_bits != 8 || f->block * f->bits % 8 != 0 || f->bits > 8 ||
        !tsr_num_has_codec(&element) || (f->ebits == 0 && f->mbits + 2 > f->bits))
        return tsr_error_set(err, TSR_USAGE,
                             "%s: MX wants an 8-bit scale, elements of at most 8 bits and blocks "
                             "of whole bytes",
                             f->name);
    return TSR_OK;
}

static size_t element_bytes(const struct tsr_num_quant *q, size_t n)
{
    const struct tsr_format *f = q->format;
    return block_count(n, f->block) * (f->block * f->bits / 8u);
}

static size_t scale_bytes(const struct tsr_num_quant *q, size_t n)
{
    return block_count(n, q->format->block);
}

/* x / 2^X into codes; `padded` holds f->block values, whole. */
static void encode(const struct tsr_format *element, int x, const uint32_t *padded, uint8_t *out,
                   enum tsr_round round)
{
    uint32_t scaled[TSR_NUM_MAX_BLOCK];
    /* Integers are fixed point: codes count 2^(X - mbits), and the most negative is not used. */
    bool fixed = element->family == TSR_FAMILY_INT;
    uint32_t most = fixed ? block_largest(element) : TSR_NUM_INF - 1;
    int by = fixed ? x - element->mbits : x;
    for (size_t i = 0; i < element->block; i++) {
        uint32_t v = block_shift(padded[i], by), mag = v & NUM_MAGNITUDE;
        scaled[i] = (v & NUM_SIGN) | (mag < most ? mag : most);
    }
    tsr_num_encode_array(element, out, scaled, element->block, round);
}

static void quantize(const struct tsr_num_quant *q, const uint32_t *x, size_t n, uint8_t *elements,
                     uint8_t *scales)
{
    struct tsr_format element = block_element(q->format);
    size_t block = element.block, bytes = block * element.bits / 8;
    int emax = element.ebits > 0 ? block_exponent(block_largest(&element)) : 0;
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
        int e = max > 0 ? block_clamp_exponent(block_exponent(max) - emax) : -127;
        *scales = (uint8_t)(e + BLOCK_EXPONENT_BIAS);
        encode(&element, e, in, elements, q->round);
    }
}

static void dequantize(const struct tsr_num_quant *q, const uint8_t *elements,
                       const uint8_t *scales, size_t n, uint32_t *out)
{
    struct tsr_format element = block_element(q->format);
    int unit = element.family == TSR_FAMILY_INT ? element.mbits : 0;
    /* A block is a whole number of bytes: the row is one run of codes. */
    tsr_num_decode_array(&element, out, elements, n);
    for (size_t at = 0; at < n; at += element.block, scales++) {
        size_t end = n - at < element.block ? n : at + element.block;
        int e = *scales - BLOCK_EXPONENT_BIAS - unit;
        for (size_t i = at; i < end; i++)
            out[i] = *scales == BLOCK_EXPONENT_NAN ? TSR_NUM_NAN : block_shift(out[i], -e);
    }
}

const struct block_codec block_mx = {check, element_bytes, scale_bytes, quantize, dequantize};
