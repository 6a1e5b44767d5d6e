/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of values for formats in blocks, those of an overlay among them. */
#ifndef TESTS_NUM_BLOCK_SUPPORT_H
#define TESTS_NUM_BLOCK_SUPPORT_H

#include "tests/support/harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "isa/num/quant.h"
#include "tessera/isa.h"
#include "tests/num/block_oracle.h"
#include "tests/num/overlay.h"

static const char *const round_names[] = {"even", "away", "zero"};

/* How a test quantizes a format; scales of integers in bf16, groups of 32. */
static inline struct tsr_num_quant plain_quant(const struct tsr_isa *isa,
                                               const struct tsr_format *f, enum tsr_round round)
{
    return (struct tsr_num_quant){.format = f,
                                  .round = round,
                                  .scale_format = &isa->formats[TSR_BF16],
                                  .group = f->family == TSR_FAMILY_INT ? 32 : 0};
}

static inline unsigned block_of(const struct tsr_num_quant *q)
{
    return q->format->family == TSR_FAMILY_INT ? q->group : q->format->block;
}

static inline bool encodes(const struct tsr_format *f)
{
    return tsr_num_has_blocks(f) && f->code != TSR_Q4_K && f->code != TSR_Q6_K;
}

/* What a whole block should become. */
static inline struct oracle_block expected(const struct tsr_num_quant *q, const float *x)
{
    const struct tsr_format *f = q->format;
    const struct tsr_format *e4m3 = &num_formats[N_E4M3];
    struct tsr_format e = oracle_element(f);
    unsigned n = block_of(q);
    float tensor = q->tensor_scale ? num_float(q->tensor_scale) : 1;
    switch (f->family) {
    case TSR_FAMILY_MX:
        return oracle_mx(f, x, n, q->round);
    case TSR_FAMILY_SMX:
        return oracle_smx(f, x, n, q->round);
    case TSR_FAMILY_NVF:
        return oracle_scaled(&e, false, e4m3, 0x7F, (float)num_value(&e, oracle_largest(&e)),
                             tensor, x, n, q->round);
    case TSR_FAMILY_GGUF:
        if (f->code == TSR_Q4_0)
            return oracle_q4_0(x, q->round);
        e.bits = 8;
        return oracle_scaled(&e, true, &num_formats[N_F16], 0x7E00, 127, 1, x, n, q->round);
    default:
        return oracle_scaled(&e, true, q->scale_format,
                             tsr_num_encode(q->scale_format, TSR_NUM_NAN, TSR_ROUND_EVEN),
                             (float)oracle_largest(&e), 1, x, n, q->round);
    }
}

/* Element i of a row of codes in planes, and its pair's shift. */
static inline uint32_t code_at(const struct tsr_format *f, const uint8_t *elements, size_t i,
                               uint8_t *shift)
{
    size_t from = 0, block = f->block;
    *shift = 0;
    if (f->family == TSR_FAMILY_SMX) {
        from = i / block * (block * f->bits + block / 2);
        *shift = (uint8_t)oracle_bits(elements, from + block * f->bits, i % block / 2, 1);
        i %= block;
    }
    uint32_t code = oracle_bits(elements, from, i, f->bits);
    return f->code == TSR_Q4_0 ? code ^ 8 : code;
}

/* A scale is 1, 2 or 4 bytes. */
static inline uint32_t scale_at(const struct tsr_num_quant *q, const uint8_t *scales, size_t b)
{
    unsigned bits = q->format->family == TSR_FAMILY_INT    ? q->scale_format->bits
                    : q->format->family == TSR_FAMILY_GGUF ? 16
                                                           : 8;
    return oracle_bits(scales, 0, b, bits);
}

static inline bool same_value(float a, float b)
{
    return isnan(a) ? isnan(b) : num_bits(a) == num_bits(b);
}

/* Quantizes whole blocks, compares codes, scales and decoded values with the definition. */
static inline void check_row(const struct tsr_num_quant *q, const float *x, size_t n)
{
    const struct tsr_format *f = q->format;
    struct tsr_error err = {0};
    unsigned block = block_of(q);
    /* Long rows end at a page; there are too many short ones for that. */
    static _Alignas(16) uint8_t kept[4][4096];
    bool guard = n >= 512;
    assert_true(guard || 4 * n <= sizeof *kept);
    size_t element_bytes = tsr_num_element_bytes(q, n), scale_bytes = tsr_num_scale_bytes(q, n);
    uint8_t *elements = guard ? tsr_test_guarded(element_bytes) : kept[0];
    uint8_t *scales = guard ? tsr_test_guarded(scale_bytes) : kept[1];
    float *back = guard ? tsr_test_guarded(4 * n) : (void *)kept[2];
    float *in = guard ? tsr_test_guarded(4 * n) : (void *)kept[3];
    memcpy(in, x, 4 * n);
    if (tsr_num_quantize(q, (const uint32_t *)(const void *)in, n, elements, scales, &err) ||
        tsr_num_dequantize(q, elements, scales, n, (uint32_t *)(void *)back, &err))
        fail_msg("%s: %s", f->name, err.message);
    for (size_t b = 0; b < n / block; b++) {
        struct oracle_block want = expected(q, x + b * block);
        uint32_t scale = scale_at(q, scales, b);
        if (scale != want.scale)
            fail_msg("%s, %s: scale of %a..: %x, not %x", f->name, round_names[q->round],
                     (double)x[b * block], scale, want.scale);
        for (unsigned i = 0; i < block; i++) {
            uint8_t shift;
            uint32_t code = code_at(f, elements, b * block + i, &shift);
            float got = back[b * block + i];
            if (code != want.code[i] || shift != want.shift[i / 2] ||
                !same_value(got, want.value[i]))
                fail_msg("%s, %s, scale %x: %a is code %x shift %d value %a, not %x %d %a", f->name,
                         round_names[q->round], scale, (double)x[b * block + i], code, shift,
                         (double)got, want.code[i], want.shift[i / 2], (double)want.value[i]);
        }
    }
    if (guard) {
        tsr_test_unguard(elements, element_bytes);
        tsr_test_unguard(scales, scale_bytes);
        tsr_test_unguard(back, 4 * n);
        tsr_test_unguard(in, 4 * n);
    }
}

#endif
