/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a file into f32, through the codecs of isa/num. */
#include <assert.h>
#include <string.h>

#include "isa/num/num.h"
#include "isa/num/quant.h"
#include "sim/weights/weights_priv.h"

enum {
    CHUNK = 256
}; /* elements decoded at once: the largest block */

/* These of formats.yaml; an overlay cannot change what a file means. */
static const struct tsr_format formats[] = {
    {.name = "f16", .code = TSR_F16, .bits = 16, .ebits = 5, .mbits = 10, .bias = 15, .block = 1},
    {.name = "mxf4",
     .code = TSR_MXF4,
     .family = TSR_FAMILY_MX,
     .specials = TSR_SPECIALS_NONE,
     .bits = 4,
     .ebits = 2,
     .mbits = 1,
     .bias = 1,
     .block = 32,
     .scale_bits = 8},
    {.name = "q8_0", .code = TSR_Q8_0, .family = TSR_FAMILY_GGUF, .bits = 8, .block = 32},
    {.name = "q4_0", .code = TSR_Q4_0, .family = TSR_FAMILY_GGUF, .bits = 4, .block = 32},
    {.name = "q4_k", .code = TSR_Q4_K, .family = TSR_FAMILY_GGUF, .bits = 4, .block = 32},
    {.name = "q6_k", .code = TSR_Q6_K, .family = TSR_FAMILY_GGUF, .bits = 6, .block = 16},
};

static const struct tsr_format *format_of(enum tsr_dtype code)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i].code == code)
            return &formats[i];
    assert(!"a format that is not decoded");
    return NULL;
}

static uint64_t plain_bytes(enum tsr_dtype format)
{
    return format == TSR_F32 ? 4 : 2;
}

/* n elements without blocks, a step of elements apart. */
static void decode_plain(enum tsr_dtype format, const uint8_t *data, uint64_t step, size_t n,
                         float *out)
{
    uint64_t bytes = step * plain_bytes(format);
    for (size_t i = 0; i < n; i++, data += bytes) {
        uint32_t code = (uint32_t)data[0] | (uint32_t)data[1] << 8, bits;
        if (format == TSR_F32)
            bits = tsr_le32(data);
        else if (format == TSR_BF16)
            bits = code << 16;
        else
            bits = tsr_num_decode_f32(&formats[0], code);
        memcpy(&out[i], &bits, sizeof bits);
    }
}

/* A GGUF block of MXFP4: the scale, then nibbles, the low ones elements 0..15, the high ones the
 * rest. The plane of isa/num has the even element in the low nibble. */
static void split_mxfp4(const uint8_t *block, uint8_t codes[16], uint8_t *scale)
{
    *scale = block[0];
    for (int j = 0; j < 16; j += 2) {
        codes[j / 2] = (uint8_t)((block[1 + j] & 15) | (block[2 + j] & 15) << 4);
        codes[8 + j / 2] = (uint8_t)(block[1 + j] >> 4 | (block[2 + j] & 0xF0));
    }
}

/* One block of the file. */
static void decode_block(const struct tsr_num_quant *q, const uint8_t *block, size_t n,
                         uint32_t *bits)
{
    uint8_t codes[16], scale;
    enum tsr_status st;
    if (q->format->code == TSR_MXF4) {
        split_mxfp4(block, codes, &scale);
        st = tsr_num_dequantize(q, codes, &scale, n, bits, NULL);
    } else {
        st = tsr_num_dequantize(q, block, NULL, n, bits, NULL);
    }
    assert(st == TSR_OK);
    (void)st;
}

static void decode_blocks(const struct tsr_tensor *t, uint64_t row, float *out)
{
    const struct tsr_format *f = format_of(t->format);
    const struct tsr_num_quant q = {.format = f, .file_layout = f->family == TSR_FAMILY_GGUF};
    uint64_t cols = t->dims[t->n_dims - 1];
    size_t elems = t->format == TSR_Q4_K || t->format == TSR_Q6_K ? 256 : 32;
    size_t bytes = t->format == TSR_MXF4 ? 17 : tsr_num_element_bytes(&q, elems);
    const uint8_t *block = t->data + row * (cols / elems) * bytes;
    uint32_t bits[CHUNK];
    for (uint64_t c = 0; c < cols; c += elems, block += bytes) {
        decode_block(&q, block, elems, bits);
        memcpy(out + c, bits, elems * sizeof *bits);
    }
}

static void decode_planes(const struct tsr_tensor *t, uint64_t row, float *out)
{
    const struct tsr_num_quant q = {.format = format_of(TSR_MXF4)};
    uint64_t cols = t->dims[t->n_dims - 1];
    const uint8_t *codes = t->data + row * (cols / 2), *scales = t->scales + row * (cols / 32);
    uint32_t bits[CHUNK];
    for (uint64_t c = 0; c < cols; c += 32) {
        enum tsr_status st = tsr_num_dequantize(&q, codes + c / 2, scales + c / 32, 32, bits, NULL);
        assert(st == TSR_OK);
        (void)st;
        memcpy(out + c, bits, 32 * sizeof *bits);
    }
}

/* The place in the file of row (or vector element) r. */
static uint64_t place(const struct tsr_matrix *m, uint64_t r)
{
    if (m->pairs > 0) {
        uint64_t head = r / m->pairs, i = r % m->pairs, half = m->pairs / 2;
        r = head * m->pairs + (i < half ? 2 * i : 2 * (i - half) + 1);
    }
    return m->first + r * m->step;
}

static void decode_vector(const struct tsr_matrix *m, float *out)
{
    const struct tsr_tensor *t = m->tensor;
    uint64_t bytes = plain_bytes(t->format);
    if (m->pairs == 0) {
        decode_plain(t->format, t->data + m->first * bytes, m->step, (size_t)m->cols, out);
        return;
    }
    for (uint64_t i = 0; i < m->cols; i++)
        decode_plain(t->format, t->data + place(m, i) * bytes, 1, 1, &out[i]);
}

const uint8_t *tsr_matrix_row_data(const struct tsr_matrix *m, uint64_t row)
{
    const struct tsr_tensor *t = m->tensor;
    uint64_t rows = 1;
    assert(!m->vector && row < m->rows);
    for (uint32_t i = 0; i + 1 < t->n_dims; i++)
        rows *= t->dims[i];
    return t->data + place(m, row) * (t->bytes / rows);
}

void tsr_matrix_rows_f32(const struct tsr_matrix *m, uint64_t first, uint64_t n, float *out,
                         size_t stride)
{
    const struct tsr_tensor *t = m->tensor;
    assert(first <= m->rows && n <= m->rows - first && (n == 0 || stride >= m->cols));
    for (uint64_t r = 0; r < n; r++, out += stride) {
        uint64_t row = place(m, first + r);
        if (m->vector)
            decode_vector(m, out);
        else if (t->layout == TSR_LAYOUT_BLOCKS)
            decode_blocks(t, row, out);
        else if (t->layout == TSR_LAYOUT_PLANES)
            decode_planes(t, row, out);
        else
            decode_plain(t->format, t->data + row * m->cols * plain_bytes(t->format), 1,
                         (size_t)m->cols, out);
    }
}
