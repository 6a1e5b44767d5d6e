/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of values as a file's bytes, in every format that the readers take. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "isa/num/quant.h"
#include "tests/support/harness.h"
#include "tests/support/model_entries.h"

void tsr_test_append(struct tsr_test_bytes *b, const void *bytes, size_t n)
{
    if (b->n + n > b->room) {
        b->room = 2 * (b->n + n);
        b->data = realloc(b->data, b->room);
        assert_non_null(b->data);
    }
    if (n > 0)
        memcpy(b->data + b->n, bytes, n);
    b->n += n;
}

void tsr_test_append_u32(struct tsr_test_bytes *b, uint32_t v)
{
    uint8_t le[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    tsr_test_append(b, le, 4);
}

void tsr_test_append_u64(struct tsr_test_bytes *b, uint64_t v)
{
    tsr_test_append_u32(b, (uint32_t)v);
    tsr_test_append_u32(b, (uint32_t)(v >> 32));
}

void tsr_test_align(struct tsr_test_bytes *b, size_t to)
{
    static const uint8_t zero[4096];
    tsr_test_append(b, zero, (to - b->n % to) % to);
}

enum tsr_dtype tsr_test_fit_format(enum tsr_dtype format, uint64_t cols)
{
    bool wide = format == TSR_Q4_K || format == TSR_Q6_K;
    bool blocks = wide || format == TSR_Q8_0 || format == TSR_Q4_0 || format == TSR_MXF4;
    return blocks && cols % (wide ? 256 : 32) != 0 ? TSR_F32 : format;
}

static const struct tsr_format f16 = {.bits = 16, .ebits = 5, .mbits = 10, .bias = 15, .block = 1};
static const struct tsr_format mxf4 = {.code = TSR_MXF4,
                                       .family = TSR_FAMILY_MX,
                                       .specials = TSR_SPECIALS_NONE,
                                       .bits = 4,
                                       .ebits = 2,
                                       .mbits = 1,
                                       .bias = 1,
                                       .block = 32,
                                       .scale_bits = 8};

static uint32_t bits_of(float x)
{
    uint32_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

static void append_f16(struct tsr_test_bytes *b, double x)
{
    uint32_t c = tsr_num_encode(&f16, bits_of((float)x), TSR_ROUND_EVEN);
    tsr_test_append(b, (uint8_t[]){(uint8_t)c, (uint8_t)(c >> 8)}, 2);
}

/* As it will be read back. */
static double round_f16(double x)
{
    uint32_t c = tsr_num_encode(&f16, bits_of((float)x), TSR_ROUND_EVEN);
    return tsr_num_value(&f16, c);
}

static int clamp(double x, int low, int high)
{
    return x < low ? low : x > high ? high : (int)nearbyint(x);
}

/* 8 groups of 32: x = d scale q - dmin min. */
static void append_q4_k(struct tsr_test_bytes *b, const float *x)
{
    double s[8], m[8], s_most = 0, m_most = 0;
    uint8_t packed[12] = {0}, codes[128] = {0};
    int sc[8], mn[8];
    for (int g = 0; g < 8; g++) {
        double low = 0, high = 0;
        for (int i = 0; i < 32; i++) {
            low = fmin(low, (double)x[32 * g + i]);
            high = fmax(high, (double)x[32 * g + i]);
        }
        s[g] = (high - low) / 15;
        m[g] = -low;
        s_most = fmax(s_most, s[g]);
        m_most = fmax(m_most, m[g]);
    }
    double d = round_f16(s_most / 63), dmin = round_f16(m_most / 63);
    for (int g = 0; g < 8; g++) {
        sc[g] = d > 0 ? clamp(s[g] / d, 0, 63) : 0;
        mn[g] = dmin > 0 ? clamp(m[g] / dmin, 0, 63) : 0;
        for (int i = 0; i < 32; i++) {
            double step = d * sc[g];
            int q = step > 0 ? clamp(((double)x[32 * g + i] + dmin * mn[g]) / step, 0, 15) : 0;
            codes[g / 2 * 32 + i] |= (uint8_t)(q << 4 * (g % 2));
        }
    }
    for (int g = 0; g < 4; g++) { /* 6 bits below, the two above of the later groups on top */
        packed[g] = (uint8_t)(sc[g] | (sc[g + 4] >> 4) << 6);
        packed[g + 4] = (uint8_t)(mn[g] | (mn[g + 4] >> 4) << 6);
        packed[g + 8] = (uint8_t)((sc[g + 4] & 15) | (mn[g + 4] & 15) << 4);
    }
    append_f16(b, d);
    append_f16(b, dmin);
    tsr_test_append(b, packed, sizeof packed);
    tsr_test_append(b, codes, sizeof codes);
}

/* 16 groups of 16: x = d scale (q - 32). */
static void append_q6_k(struct tsr_test_bytes *b, const float *x)
{
    uint8_t low[128] = {0}, high[64] = {0}, scales[16];
    double s[16], most = 0;
    for (int g = 0; g < 16; g++) {
        s[g] = 0;
        for (int i = 0; i < 16; i++)
            s[g] = fmax(s[g], fabs((double)x[16 * g + i]) / 31);
        most = fmax(most, s[g]);
    }
    double d = round_f16(most / 127);
    for (int g = 0; g < 16; g++)
        scales[g] = (uint8_t)(d > 0 ? clamp(s[g] / d, 0, 127) : 0);
    for (int i = 0; i < 256; i++) {
        double step = d * scales[i / 16];
        int q = step > 0 ? clamp((double)x[i] / step, -32, 31) + 32 : 32;
        int half = i / 128, quarter = i / 32 % 4, l = i % 32;
        low[64 * half + 32 * (quarter % 2) + l] |= (uint8_t)((q & 15) << 4 * (quarter / 2));
        high[32 * half + l] |= (uint8_t)((q >> 4) << 2 * quarter);
    }
    tsr_test_append(b, low, sizeof low);
    tsr_test_append(b, high, sizeof high);
    tsr_test_append(b, scales, sizeof scales);
    append_f16(b, d);
}

/* Codes and scale of 32 elements, the even element in the low nibble. */
static void encode_mxfp4(const float *x, uint8_t codes[16], uint8_t *scale)
{
    const struct tsr_num_quant q = {.format = &mxf4};
    uint32_t bits[32];
    memcpy(bits, x, sizeof bits);
    assert_int_equal(tsr_num_quantize(&q, bits, 32, codes, scale, NULL), TSR_OK);
}

void tsr_test_append_mxfp4(struct tsr_test_bytes *b, struct tsr_test_bytes *s, const float *x,
                           size_t n)
{
    for (size_t i = 0; i < n; i += 32) {
        uint8_t codes[16], scale;
        encode_mxfp4(x + i, codes, &scale);
        tsr_test_append(b, codes, 16);
        tsr_test_append(s, &scale, 1);
    }
}

/* GGUF's block: the scale, then element j and j + 16 in a byte. */
static void append_mxfp4_block(struct tsr_test_bytes *b, const float *x)
{
    uint8_t codes[16], out[17] = {0};
    encode_mxfp4(x, codes, &out[0]);
    for (int i = 0; i < 32; i++) {
        int code = codes[i / 2] >> 4 * (i % 2) & 15;
        out[1 + i % 16] |= (uint8_t)(code << 4 * (i / 16));
    }
    tsr_test_append(b, out, sizeof out);
}

static void append_q(struct tsr_test_bytes *b, enum tsr_dtype format, const float *x)
{
    const struct tsr_format f = {.code = (uint8_t)format,
                                 .family = TSR_FAMILY_GGUF,
                                 .bits = format == TSR_Q8_0 ? 8 : 4,
                                 .block = 32};
    const struct tsr_num_quant q = {.format = &f, .file_layout = true};
    uint32_t bits[32];
    uint8_t out[34];
    memcpy(bits, x, sizeof bits);
    assert_int_equal(tsr_num_quantize(&q, bits, 32, out, NULL, NULL), TSR_OK);
    tsr_test_append(b, out, format == TSR_Q8_0 ? 34 : 18);
}

void tsr_test_append_row(struct tsr_test_bytes *b, enum tsr_dtype format, const float *x, size_t n)
{
    size_t step = format == TSR_Q4_K || format == TSR_Q6_K                       ? 256
                  : format == TSR_F32 || format == TSR_F16 || format == TSR_BF16 ? 1
                                                                                 : 32;
    for (size_t i = 0; i < n; i += step) {
        switch (format) {
        case TSR_F32:
            tsr_test_append_u32(b, bits_of(x[i]));
            break;
        case TSR_F16:
            append_f16(b, (double)x[i]);
            break;
        case TSR_BF16: { /* nearest even; no NaN here */
            uint32_t v = bits_of(x[i]);
            v += 0x7FFF + (v >> 16 & 1);
            tsr_test_append(b, (uint8_t[]){(uint8_t)(v >> 16), (uint8_t)(v >> 24)}, 2);
            break;
        }
        case TSR_Q4_K:
            append_q4_k(b, x + i);
            break;
        case TSR_Q6_K:
            append_q6_k(b, x + i);
            break;
        case TSR_MXF4:
            append_mxfp4_block(b, x + i);
            break;
        default:
            append_q(b, format, x + i);
        }
    }
}
