/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/quant/quant_ref.h"

#include <assert.h>
#include <string.h>

#define FLOAT(name_, code_, specials_, bits_, ebits_, mbits_, bias_)                               \
    {                                                                                              \
        .name = name_, .code = code_, .family = TSR_FAMILY_FLOAT, .specials = specials_,           \
        .bits = bits_, .ebits = ebits_, .mbits = mbits_, .bias = bias_, .block = 1                 \
    }
#define BLOCK(name_, code_, family_, specials_, bits_, ebits_, mbits_, bias_, block_, scale_)      \
    {                                                                                              \
        .name = name_, .code = code_, .family = family_, .specials = specials_, .bits = bits_,     \
        .ebits = ebits_, .mbits = mbits_, .bias = bias_, .block = block_, .scale_bits = scale_     \
    }
#define MX(name, code, specials, bits, ebits, mbits, bias)                                         \
    BLOCK(name, code, TSR_FAMILY_MX, specials, bits, ebits, mbits, bias, 32, 8)
#define SMX(name, code, bits, mbits)                                                               \
    BLOCK(name, code, TSR_FAMILY_SMX, TSR_SPECIALS_NONE, bits, 0, mbits, 127, 16, 8)

/* The columns of isa/formats.yaml that isa/num reads, here because kernels load no files; a test
 * holds them to it. */
static const struct tsr_format f32 = FLOAT("f32", TSR_F32, TSR_SPECIALS_IEEE, 32, 8, 23, 127);
static const struct tsr_format bf16_format =
    FLOAT("bf16", TSR_BF16, TSR_SPECIALS_IEEE, 16, 8, 7, 127);
static const struct tsr_format formats[] = {
    FLOAT("f8e4m3", TSR_F8E4M3, TSR_SPECIALS_FN, 8, 4, 3, 7),
    FLOAT("f8e5m2", TSR_F8E5M2, TSR_SPECIALS_IEEE, 8, 5, 2, 15),
    BLOCK("i8", TSR_I8, TSR_FAMILY_INT, TSR_SPECIALS_NONE, 8, 0, 0, 0, 1, 0),
    MX("mxf8e4m3", TSR_MXF8E4M3, TSR_SPECIALS_FN, 8, 4, 3, 7),
    MX("mxf8e5m2", TSR_MXF8E5M2, TSR_SPECIALS_IEEE, 8, 5, 2, 15),
    MX("mxf6e3m2", TSR_MXF6E3M2, TSR_SPECIALS_NONE, 6, 3, 2, 3),
    MX("mxf6e2m3", TSR_MXF6E2M3, TSR_SPECIALS_NONE, 6, 2, 3, 1),
    MX("mxf4", TSR_MXF4, TSR_SPECIALS_NONE, 4, 2, 1, 1),
    MX("mxi8", TSR_MXI8, TSR_SPECIALS_NONE, 8, 0, 6, 0),
    SMX("mx9", TSR_MX9, 8, 7),
    SMX("mx6", TSR_MX6, 5, 4),
    SMX("mx4", TSR_MX4, 3, 2),
    BLOCK("nvf4", TSR_NVF4, TSR_FAMILY_NVF, TSR_SPECIALS_NONE, 4, 2, 1, 1, 16, 8),
    BLOCK("q8_0", TSR_Q8_0, TSR_FAMILY_GGUF, TSR_SPECIALS_NONE, 8, 0, 0, 0, 32, 16),
    BLOCK("q4_0", TSR_Q4_0, TSR_FAMILY_GGUF, TSR_SPECIALS_NONE, 4, 0, 0, 8, 32, 16),
};
enum {
    FORMATS = sizeof formats / sizeof formats[0],
    PIECE = 256 /* elements of a piece: whole blocks of every format */
};

#define HOW(i)                                                                                     \
    {                                                                                              \
        .format = &formats[i], .round = TSR_ROUND_EVEN, .scale_format = &f32                       \
    }
static const struct tsr_num_quant definitions[FORMATS] = {
    HOW(0), HOW(1), HOW(2),  HOW(3),  HOW(4),  HOW(5),  HOW(6), HOW(7),
    HOW(8), HOW(9), HOW(10), HOW(11), HOW(12), HOW(13), HOW(14)};

const struct tsr_num_quant *quant_definition(enum tsr_dtype format)
{
    for (int i = 0; i < FORMATS; i++)
        if (formats[i].code == format)
            return &definitions[i];
    return NULL;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* n values from `at` on as f32 bits. */
static void load(const void *x, bool bf16, size_t at, size_t n, uint32_t *out)
{
    if (!bf16) {
        memcpy(out, (const char *)x + 4 * at, 4 * n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t v;
        memcpy(&v, (const char *)x + 2 * (at + i), 2);
        out[i] = (uint32_t)v << 16;
    }
}

static void store(void *y, bool bf16, size_t at, size_t n, const uint32_t *in)
{
    if (bf16)
        tsr_num_encode_array(&bf16_format, (char *)y + 2 * at, in, n, TSR_ROUND_EVEN);
    else
        memcpy((char *)y + 4 * at, in, 4 * n);
}

/* The largest magnitude of n values, of which a NaN is the very largest. */
static uint32_t largest(const void *x, bool bf16, size_t at, size_t n)
{
    uint32_t most = 0, piece[PIECE];
    for (size_t done = 0, here; done < n; done += here) {
        here = least(n - done, PIECE);
        load(x, bf16, at + done, here, piece);
        for (size_t i = 0; i < here; i++) {
            uint32_t mag = piece[i] & UINT32_C(0x7FFFFFFF);
            most = mag > most ? mag : most;
        }
    }
    return most;
}

static void quantize_groups(struct tsr_num_quant how, bool bf16, size_t n, size_t group,
                            const void *x, uint8_t *elements, uint8_t *scales)
{
    uint32_t piece[PIECE];
    struct tsr_error none = {0};
    group = group > 0 && group < n ? group : n;
    how.scales_given = true;
    for (size_t at = 0; at < n; scales += 4) {
        size_t end = at + least(n - at, group);
        uint32_t most = largest(x, bf16, at, end - at);
        uint32_t scale = tsr_num_group_scale(&how, &most, 1);
        for (size_t here; at < end; at += here) {
            here = least(end - at, PIECE);
            load(x, bf16, at, here, piece);
            tsr_num_quantize(&how, piece, here, elements + at, &scale, &none);
        }
        memcpy(scales, &scale, 4);
    }
    assert(none.status == TSR_OK);
}

void quant_row_ref(enum tsr_dtype format, bool bf16, size_t n, size_t group, const void *x,
                   uint8_t *elements, uint8_t *scales)
{
    const struct tsr_num_quant *how = quant_definition(format);
    struct tsr_error none = {0};
    uint32_t piece[PIECE];
    if (format == TSR_I8) {
        quantize_groups(*how, bf16, n, group, x, elements, scales);
        return;
    }
    bool plain = how->format->family == TSR_FAMILY_FLOAT;
    size_t element_bytes = plain ? PIECE : tsr_num_element_bytes(how, PIECE);
    size_t scale_bytes = plain ? 0 : tsr_num_scale_bytes(how, PIECE);
    for (size_t at = 0, p = 0, here; at < n; at += here, p++) {
        here = least(n - at, PIECE);
        load(x, bf16, at, here, piece);
        if (plain)
            tsr_num_encode_array(how->format, elements + at, piece, here, how->round);
        else
            tsr_num_quantize(how, piece, here, elements + p * element_bytes,
                             scales + p * scale_bytes, &none);
    }
    assert(none.status == TSR_OK);
}

static void dequantize_groups(struct tsr_num_quant how, bool bf16, size_t n, size_t group,
                              const uint8_t *elements, const uint8_t *scales, void *y)
{
    uint32_t piece[PIECE];
    struct tsr_error none = {0};
    group = group > 0 && group < n ? group : n;
    for (size_t at = 0; at < n; scales += 4) {
        size_t end = at + least(n - at, group);
        for (size_t here; at < end; at += here) {
            here = least(end - at, PIECE);
            tsr_num_dequantize(&how, elements + at, scales, here, piece, &none);
            store(y, bf16, at, here, piece);
        }
    }
    assert(none.status == TSR_OK);
}

void dequant_row_ref(enum tsr_dtype format, bool bf16, size_t n, size_t group,
                     const uint8_t *elements, const uint8_t *scales, void *y)
{
    const struct tsr_num_quant *how = quant_definition(format);
    struct tsr_error none = {0};
    uint32_t piece[PIECE];
    if (format == TSR_I8) {
        dequantize_groups(*how, bf16, n, group, elements, scales, y);
        return;
    }
    bool plain = how->format->family == TSR_FAMILY_FLOAT;
    size_t element_bytes = plain ? PIECE : tsr_num_element_bytes(how, PIECE);
    size_t scale_bytes = plain ? 0 : tsr_num_scale_bytes(how, PIECE);
    for (size_t at = 0, p = 0, here; at < n; at += here, p++) {
        here = least(n - at, PIECE);
        if (plain)
            tsr_num_decode_array(how->format, piece, elements + at, here);
        else
            tsr_num_dequantize(how, elements + p * element_bytes, scales + p * scale_bytes, here,
                               piece, &none);
        store(y, bf16, at, here, piece);
    }
    assert(none.status == TSR_OK);
}

tsr_i8_max_f32_fn tsr_i8_max_f32_ref;
tsr_i8_codes_f32_fn tsr_i8_codes_f32_ref;

uint32_t tsr_i8_max_f32_ref(size_t n, const float *x)
{
    return largest(x, false, 0, n);
}

void tsr_i8_codes_f32_ref(size_t n, const float *x, float scale, int8_t *elements)
{
    struct tsr_num_quant how = *quant_definition(TSR_I8);
    struct tsr_error none = {0};
    uint32_t piece[PIECE], bits;
    memcpy(&bits, &scale, sizeof bits);
    how.scales_given = true;
    for (size_t at = 0, here; at < n; at += here) {
        here = least(n - at, PIECE);
        load(x, false, at, here, piece);
        tsr_num_quantize(&how, piece, here, elements + at, &bits, &none);
    }
    assert(none.status == TSR_OK);
}

/* The variants `ref` of the operations. */
#define ROWS(name, code)                                                                           \
    tsr_quantize_row_fn tsr_quantize_##name##_f32_ref, tsr_quantize_##name##_bf16_ref;             \
    tsr_dequantize_row_fn tsr_dequantize_##name##_f32_ref, tsr_dequantize_##name##_bf16_ref;       \
    void tsr_quantize_##name##_f32_ref(size_t n, size_t group, const void *x, void *elements,      \
                                       void *scales)                                               \
    {                                                                                              \
        quant_row_ref(code, false, n, group, x, elements, scales);                                 \
    }                                                                                              \
    void tsr_quantize_##name##_bf16_ref(size_t n, size_t group, const void *x, void *elements,     \
                                        void *scales)                                              \
    {                                                                                              \
        quant_row_ref(code, true, n, group, x, elements, scales);                                  \
    }                                                                                              \
    void tsr_dequantize_##name##_f32_ref(size_t n, size_t group, const void *elements,             \
                                         const void *scales, void *y)                              \
    {                                                                                              \
        dequant_row_ref(code, false, n, group, elements, scales, y);                               \
    }                                                                                              \
    void tsr_dequantize_##name##_bf16_ref(size_t n, size_t group, const void *elements,            \
                                          const void *scales, void *y)                             \
    {                                                                                              \
        dequant_row_ref(code, true, n, group, elements, scales, y);                                \
    }
TSR_QUANT_FORMATS(ROWS)
