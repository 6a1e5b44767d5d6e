/* SPDX-License-Identifier: Apache-2.0 */
/* Integers with scales: one per row, or one per group of elements of a row; a scale per tensor is
 * one that the caller gives to every row. Symmetric: no zero point. */
#include "isa/num/block.h"

#include <string.h>

static size_t group_of(const struct tsr_num_quant *q, size_t n)
{
    return q->group > 0 && q->group < n ? q->group : n;
}

static enum tsr_status check(const struct tsr_num_quant *q, size_t n, struct tsr_error *err)
{
    const struct tsr_format *f = q->format, *s = q->scale_format;
    if (f->bits < 2)
        return tsr_error_set(err, TSR_USAGE, "%s: integers with scales have at least 2 bits",
                             f->name);
    if (s == NULL || s->family != TSR_FAMILY_FLOAT || s->bits % 8 != 0 || !tsr_num_has_codec(s) ||
        s->specials == TSR_SPECIALS_NONE)
        return tsr_error_set(err, TSR_USAGE,
                             "%s: its scales want a plain float format of whole bytes with a NaN",
                             f->name);
    if (group_of(q, n) < n && q->group * (uint64_t)f->bits % 8 != 0)
        return tsr_error_set(err, TSR_USAGE, "%s: groups of %u do not fill whole bytes", f->name,
                             q->group);
    return TSR_OK;
}

static size_t element_bytes(const struct tsr_num_quant *q, size_t n)
{
    return n / 8 * q->format->bits + (n % 8 * q->format->bits + 7) / 8;
}

static size_t scale_bytes(const struct tsr_num_quant *q, size_t n)
{
    return n == 0 ? 0 : block_count(n, group_of(q, n)) * (q->scale_format->bits / 8u);
}

uint32_t tsr_num_group_scale(const struct tsr_num_quant *q, const uint32_t *f32_bits, size_t n)
{
    uint32_t max = block_max(f32_bits, n);
    if (max >= TSR_NUM_INF)
        return block_scale_nan(q->scale_format);
    return block_scale_code(q->scale_format, max, block_largest(q->format));
}

/* n elements of one scale, in chunks that fill whole bytes whatever their width. */
static void encode(const struct tsr_num_quant *q, uint32_t scale, const uint32_t *x, size_t n,
                   uint8_t *out)
{
    const struct tsr_format *f = q->format;
    uint32_t scaled[256];
    uint32_t most = block_largest(f); /* the most negative code is not made */
    uint32_t d = tsr_num_decode_f32(q->scale_format, scale), mag = d & NUM_MAGNITUDE;
    bool none = mag == 0 || mag >= TSR_NUM_INF || block_max(x, n) >= TSR_NUM_INF;
    uint32_t r = none ? 0 : block_reciprocal(d);
    for (size_t at = 0; at < n; at += 256, out += 256 / 8 * f->bits) {
        size_t here = n - at < 256 ? n - at : 256;
        if (none)
            memset(scaled, 0, sizeof scaled);
        else
            block_scale_down(scaled, x + at, here, r, most);
        tsr_num_encode_array(f, out, scaled, here, q->round);
    }
}

static void quantize(const struct tsr_num_quant *q, const uint32_t *x, size_t n, uint8_t *elements,
                     uint8_t *scales)
{
    size_t group = group_of(q, n);
    for (size_t at = 0, g = 0; at < n; at += group, g++) {
        size_t here = n - at < group ? n - at : group;
        uint32_t scale = q->scales_given ? block_scale_load(q->scale_format, scales, g)
                                         : tsr_num_group_scale(q, x + at, here);
        if (!q->scales_given)
            block_scale_store(q->scale_format, scales, g, scale);
        encode(q, scale, x + at, here,
               elements + at / 8 * q->format->bits + at % 8 * q->format->bits / 8);
    }
}

static void dequantize(const struct tsr_num_quant *q, const uint8_t *elements,
                       const uint8_t *scales, size_t n, uint32_t *out)
{
    size_t group = group_of(q, n);
    tsr_num_decode_array(q->format, out, elements, n);
    for (size_t at = 0, g = 0; at < n; at += group, g++) {
        size_t end = n - at < group ? n : at + group;
        uint32_t code = block_scale_load(q->scale_format, scales, g);
        struct block_factor d = block_factor_of(tsr_num_decode_f32(q->scale_format, code));
        block_times(out + at, end - at, d);
    }
}

const struct block_codec block_int = {check, element_bytes, scale_bytes, quantize, dequantize};
