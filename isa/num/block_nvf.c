/* SPDX-License-Identifier: Apache-2.0 */
/* NVFP4: small floats, one e4m3 scale per block, optionally one f32 factor per tensor.
 * Rounding compares exact quotients: x against element * scale * factor. */
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

/* One block's quotients, and its scale. */
static uint8_t divide(const uint32_t *x, size_t n, struct block_factor tensor,
                      struct block_factor whole, uint32_t *quotients)
{
    uint32_t max = block_max(x, n);
    if (max >= TSR_NUM_INF) {
        memset(quotients, 0, 4 * n);
        return (uint8_t)block_scale_nan(&block_e4m3);
    }
    uint8_t scale = (uint8_t)block_scale_code(&block_e4m3, max, whole);
    struct block_factor d = block_factor_of(tsr_num_decode_f32(&block_e4m3, scale));
    if (max > 0)
        block_divide(quotients, x, n, block_factor_times(d, tensor), TSR_NUM_INF - 1);
    else
        memcpy(quotients, x, 4 * n);
    return scale;
}

static void quantize(const struct tsr_num_quant *q, const uint32_t *x, size_t n, uint8_t *elements,
                     uint8_t *scales)
{
    struct tsr_format element = block_element(q->format);
    size_t block = element.block, chunk = TSR_NUM_MAX_BLOCK / block * block;
    struct block_factor tensor = tensor_factor(q);
    struct block_factor whole =
        block_factor_times(tensor, block_factor_of(block_largest(&element)));
    for (size_t at = 0; at < n; at += chunk, elements += chunk * element.bits / 8) {
        uint32_t quotients[TSR_NUM_MAX_BLOCK] = {0};
        size_t end = n - at < chunk ? n - at : chunk;
        for (size_t i = 0; i < end; i += block)
            *scales++ =
                divide(x + at + i, end - i < block ? end - i : block, tensor, whole, quotients + i);
        tsr_num_encode_array(&element, elements, quotients, block_count(end, block) * block,
                             q->round);
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
    struct block_factor whole = block_factor_times(block_factor_of(block_largest(&element)),
                                                   block_factor_of(block_largest(&block_e4m3)));
    return block_scale_code(&f32, max, whole);
}

const struct block_codec block_nvf = {check, element_bytes, scale_bytes, quantize, dequantize};
