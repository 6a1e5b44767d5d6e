/* SPDX-License-Identifier: Apache-2.0 */
/* NVFP4: small floats, one e4m3 scale per block, optionally one f32 factor per tensor.
 * Its divisions and products are f32's, each rounded once. */
#include "isa/num/block.h"

#include <string.h>

static enum tsr_status check(const struct tsr_num_quant *q, size_t n, struct tsr_error *err)
{
    const struct tsr_format *f = q->format;
    struct tsr_format element = block_element(f);
    (void)n;
    if (f->scale_bits != 8 || f->ebits == 0 || f->block * f->bits % 8 != 0 || f->bits > 8 ||
        !tsr_num_has_codec(&element))
        return tsr_error_set(err, TSR_USAGE,
                             "%s: nvf wants an 8-bit scale, float elements of at most 8 bits and "
                             "blocks of whole bytes",
                             f->name);
    if (q->tensor_scale >= TSR_NUM_INF) /* negatives and NaNs lie above as well */
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: the tensor's scale must be positive and finite", f->name);
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

static struct block_factor tensor_factor(const struct tsr_num_quant *q)
{
    return block_factor_of(q->tensor_scale != 0 ? q->tensor_scale : UINT32_C(0x3F800000));
}

/* One block times the reciprocal of its scale, and the scale. `whole`: that of a block whose
 * largest magnitude makes the scale 1, f32 bits. */
static uint8_t scale_down(const uint32_t *x, size_t n, uint32_t tensor, uint32_t whole,
                          uint32_t *scaled)
{
    uint32_t max = block_max(x, n);
    if (max >= TSR_NUM_INF) {
        memset(scaled, 0, 4 * n);
        return (uint8_t)block_scale_nan(&block_e4m3);
    }
    uint8_t code = (uint8_t)block_scale_code(&block_e4m3, max, whole);
    float scale = block_float(tsr_num_decode_f32(&block_e4m3, code)) * block_float(tensor);
    if (max > 0)
        block_scale_down(scaled, x, n, block_reciprocal(block_bits(scale)), TSR_NUM_INF - 1);
    else
        memcpy(scaled, x, 4 * n);
    return code;
}

static void quantize(const struct tsr_num_quant *q, const uint32_t *x, size_t n, uint8_t *elements,
                     uint8_t *scales)
{
    struct tsr_format element = block_element(q->format);
    size_t block = element.block, chunk = TSR_NUM_MAX_BLOCK / block * block;
    uint32_t tensor = q->tensor_scale != 0 ? q->tensor_scale : UINT32_C(0x3F800000);
    uint32_t whole = block_bits(block_float(block_largest(&element)) * block_float(tensor));
    for (size_t at = 0; at < n; at += chunk, elements += chunk * element.bits / 8) {
        uint32_t scaled[TSR_NUM_MAX_BLOCK] = {0};
        size_t end = n - at < chunk ? n - at : chunk;
        for (size_t i = 0; i < end; i += block)
            *scales++ = scale_down(x + at + i, end - i < block ? end - i : block, tensor, whole,
                                   scaled + i);
        tsr_num_encode_array(&element, elements, scaled, block_count(end, block) * block, q->round);
    }
}

static void dequantize(const struct tsr_num_quant *q, const uint8_t *elements,
                       const uint8_t *scales, size_t n, uint32_t *out)
{
    struct tsr_format element = block_element(q->format);
    struct block_factor tensor = tensor_factor(q);
    tsr_num_decode_array(&element, out, elements, n);
    for (size_t at = 0; at < n; at += element.block, scales++) {
        size_t end = n - at < element.block ? n : at + element.block;
        struct block_factor d = block_factor_of(tsr_num_decode_f32(&block_e4m3, *scales));
        if (d.special == 0)
            d = block_factor_times(d, tensor);
        block_times(out + at, end - at, d);
    }
}

uint32_t tsr_num_tensor_scale(const struct tsr_format *f, const uint32_t *f32_bits, size_t n)
{
    static const struct tsr_format f32 = {.family = TSR_FAMILY_FLOAT,
                                          .specials = TSR_SPECIALS_IEEE,
                                          .bits = 32,
                                          .ebits = 8,
                                          .mbits = 23,
                                          .bias = 127};
    struct tsr_format element = block_element(f);
    uint32_t max = block_max(f32_bits, n);
    if (max == 0 || max >= TSR_NUM_INF)
        return UINT32_C(0x3F800000);
    float whole = block_float(block_largest(&element)) * block_float(block_largest(&block_e4m3));
    return block_scale_code(&f32, max, block_bits(whole));
}

const struct block_codec block_nvf = {check, element_bytes, scale_bytes, quantize, dequantize};
