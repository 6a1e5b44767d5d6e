/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of GGUF files: q8_0 and q4_0 both ways, in the file's layout and in two planes; q4_k and
 * q6_k are decoded from the file's layout.
 *   q8_0, 34 bytes of 32: f16 d; 32 int8 q. q d.
 *   q4_0, 18 bytes of 32: f16 d; 16 bytes, low nibbles elements 0..15, high ones 16..31. (q - 8) d.
 *   q4_k, 144 bytes of 256: f16 d, dmin; 12 bytes of 8 scales and 8 minima of 6 bits; 128 bytes of
 *     nibbles. Each 32 elements: d scale q - dmin min.
 *   q6_k, 210 bytes of 256: 128 bytes of low 4 bits, 64 of high 2 bits, 16 int8 scales; f16 d.
 *     Each 16 elements: d scale (q - 32). */
#include "isa/num/block.h"

#include <string.h>

struct kind {
    uint8_t code;
    uint16_t elems, bytes; /* of a block in the file */
};

static const struct kind kinds[] = {
    {TSR_Q8_0, 32, 34}, {TSR_Q4_0, 32, 18}, {TSR_Q4_K, 256, 144}, {TSR_Q6_K, 256, 210}};

static const struct kind *kind_of(const struct tsr_format *f)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].code == f->code)
            return &kinds[i];
    return NULL;
}

static enum tsr_status check(const struct tsr_num_quant *q, size_t n, struct tsr_error *err)
{
    const struct kind *k = kind_of(q->format);
    if (k == NULL)
        return tsr_error_set(err, TSR_USAGE, "%s: GGUF's blocks are q8_0 q4_0 q4_k q6_k",
                             q->format->name);
    if (!q->file_layout && k->elems == 256)
        return tsr_error_set(err, TSR_USAGE, "%s: has no layout but its file's", q->format->name);
    if (n % k->elems != 0)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: a row of %zu elements does not divide into blocks of %u",
                             q->format->name, n, k->elems);
    return TSR_OK;
}

static size_t element_bytes(const struct tsr_num_quant *q, size_t n)
{
    const struct kind *k = kind_of(q->format);
    return n / k->elems * (k->bytes - (q->file_layout ? 0u : 2u));
}

static size_t scale_bytes(const struct tsr_num_quant *q, size_t n)
{
    (void)q;
    return n / 32 * 2;
}

/* Element j of 32 lies in the low nibble of byte j, or in the high one of byte j - 16. */
static void nibbles_to_file(const uint8_t *plane, uint8_t *file)
{
    for (int j = 0; j < 8; j++) {
        file[2 * j] = (uint8_t)((plane[j] & 15) | (plane[8 + j] & 15) << 4);
        file[2 * j + 1] = (uint8_t)(plane[j] >> 4 | (plane[8 + j] & 0xF0));
    }
}

static void nibbles_from_file(const uint8_t *file, uint8_t *plane)
{
    for (int j = 0; j < 8; j++) {
        plane[j] = (uint8_t)((file[2 * j] & 15) | (file[2 * j + 1] & 15) << 4);
        plane[8 + j] = (uint8_t)(file[2 * j] >> 4 | (file[2 * j + 1] & 0xF0));
    }
}

void tsr_num_gguf_split(const struct tsr_format *f, const void *file, size_t n, void *elements,
                        void *scales)
{
    const struct kind *k = kind_of(f);
    const uint8_t *in = file;
    uint8_t *e = elements, *s = scales;
    for (size_t b = 0; b < n / 32; b++, in += k->bytes, e += k->bytes - 2, s += 2) {
        memcpy(s, in, 2);
        if (f->code == TSR_Q4_0)
            nibbles_from_file(in + 2, e);
        else
            memcpy(e, in + 2, 32);
    }
}

void tsr_num_gguf_join(const struct tsr_format *f, const void *elements, const void *scales,
                       size_t n, void *file)
{
    const struct kind *k = kind_of(f);
    uint8_t *out = file;
    const uint8_t *e = elements, *s = scales;
    for (size_t b = 0; b < n / 32; b++, out += k->bytes, e += k->bytes - 2, s += 2) {
        memcpy(out, s, 2);
        if (f->code == TSR_Q4_0)
            nibbles_to_file(e, out + 2);
        else
            memcpy(out + 2, e, 32);
    }
}

/* The scale of a block as an f16 code. */
static uint32_t scale_of(const struct tsr_format *f, const uint32_t *x)
{
    uint32_t max = block_max(x, 32);
    if (max >= TSR_NUM_INF)
        return block_scale_nan(&block_f16);
    if (f->code == TSR_Q8_0)
        return block_scale_code(&block_f16, max, block_bits(127));
    size_t i = 0; /* the first of the largest magnitude lies at -8, but for d's rounding */
    while ((x[i] & NUM_MAGNITUDE) != max)
        i++;
    return block_scale_code(&block_f16, x[i], block_bits(-8));
}

/* Codes of 32 elements, in order: int8, or nibbles of q - 8. */
static void encode(const struct tsr_format *f, const uint32_t *x, uint32_t scale,
                   enum tsr_round round, uint8_t *out)
{
    static const struct tsr_format i8 = {.family = TSR_FAMILY_INT, .bits = 8};
    static const struct tsr_format i4 = {.family = TSR_FAMILY_INT, .bits = 4};
    uint32_t d = tsr_num_decode_f32(&block_f16, scale), scaled[32] = {0};
    if (d != 0 && d != TSR_NUM_NAN)
        block_scale_down(scaled, x, 32, block_reciprocal(d), block_largest(&i8));
    if (f->code == TSR_Q8_0) {
        tsr_num_encode_array(&i8, out, scaled, 32, round);
        return;
    }
    tsr_num_encode_array(&i4, out, scaled, 32, round);
    for (int i = 0; i < 16; i++)
        out[i] ^= 0x88; /* q = value + 8 */
}

static void quantize(const struct tsr_num_quant *q, const uint32_t *x, size_t n, uint8_t *elements,
                     uint8_t *scales)
{
    const struct kind *k = kind_of(q->format);
    for (size_t b = 0; b < n / 32; b++, x += 32) {
        uint8_t codes[32], d[2];
        uint32_t scale = scale_of(q->format, x);
        block_scale_store(&block_f16, d, 0, scale);
        encode(q->format, x, scale, q->round, codes);
        if (q->file_layout) {
            tsr_num_gguf_join(q->format, codes, d, 32, elements + b * k->bytes);
        } else {
            memcpy(elements + b * (k->bytes - 2u), codes, k->bytes - 2u);
            memcpy(scales + 2 * b, d, 2);
        }
    }
}

static struct block_factor half_at(const uint8_t *p)
{
    return block_factor_of(tsr_num_decode_f32(&block_f16, block_scale_load(&block_f16, p, 0)));
}

/* An integer below 2^24 as f32 bits. */
static uint32_t whole(int v)
{
    return v == 0 ? 0 : num_round_pack(v < 0, (uint64_t)(v < 0 ? -v : v), 0);
}

static void decode_0(const struct tsr_format *f, const uint8_t *codes, struct block_factor d,
                     uint32_t *out)
{
    for (int j = 0; j < 32; j++) {
        int v = f->code == TSR_Q8_0 ? (int8_t)codes[j] : (codes[j / 2] >> 4 * (j & 1) & 15) - 8;
        out[j] = whole(v);
    }
    block_times(out, 32, d);
}

/* Product of f16 and a small integer in units of 2^-24, exact. */
static int64_t fixed(struct block_factor d, int v)
{
    int64_t m = (int64_t)(d.m << (d.m != 0 ? d.e + 24 : 0));
    return (d.negative ? -m : m) * v;
}

static void decode_4_k(const uint8_t *in, uint32_t *out)
{
    struct block_factor d = half_at(in), dmin = half_at(in + 2);
    const uint8_t *s = in + 4, *codes = in + 16;
    for (int g = 0; g < 8; g++) {
        /* Groups 0..3 have 6 bits in a byte; those of 4..7 lend them the two above. */
        int scale = g < 4 ? s[g] & 63 : (s[g + 4] & 15) | s[g - 4] >> 6 << 4;
        int min = g < 4 ? s[g + 4] & 63 : s[g + 4] >> 4 | s[g] >> 6 << 4;
        for (int j = 0; j < 32; j++) {
            int code = codes[g / 2 * 32 + j] >> 4 * (g & 1) & 15;
            int64_t v = fixed(d, scale * code) - fixed(dmin, min);
            uint32_t x = v == 0 ? 0 : num_round_pack(v < 0, (uint64_t)(v < 0 ? -v : v), -24);
            if (d.special != 0 || dmin.special != 0) {
                uint32_t a = whole(scale * code), b = whole(-min);
                block_times(&a, 1, d);
                block_times(&b, 1, dmin);
                bool clash = num_is_nan(a) || num_is_nan(b) ||
                             (d.special != 0 && dmin.special != 0 && a != b);
                x = clash ? TSR_NUM_NAN : d.special != 0 ? a : b;
            }
            out[g * 32 + j] = x;
        }
    }
}

static void decode_6_k(const uint8_t *in, uint32_t *out)
{
    const uint8_t *low = in, *high = in + 128, *scales = in + 192;
    struct block_factor d = half_at(in + 208);
    for (int i = 0; i < 256; i++) {
        /* Halves of 128 elements; a half's quarters share low bytes two by two and high bytes. */
        int half = i / 128, quarter = i / 32 % 4, l = i % 32;
        int code = low[half * 64 + quarter % 2 * 32 + l] >> (quarter / 2 * 4) & 15;
        code |= (high[half * 32 + l] >> 2 * quarter & 3) << 4;
        out[i] = whole((code - 32) * (int8_t)scales[i / 16]);
    }
    block_times(out, 256, d);
}

static void dequantize(const struct tsr_num_quant *q, const uint8_t *elements,
                       const uint8_t *scales, size_t n, uint32_t *out)
{
    const struct tsr_format *f = q->format;
    const struct kind *k = kind_of(f);
    for (size_t b = 0; b < n / k->elems; b++, out += k->elems) {
        const uint8_t *in = elements + b * (q->file_layout ? k->bytes : k->bytes - 2u);
        uint8_t codes[32], d[2];
        if (f->code == TSR_Q4_K) {
            decode_4_k(in, out);
        } else if (f->code == TSR_Q6_K) {
            decode_6_k(in, out);
        } else if (q->file_layout) {
            tsr_num_gguf_split(f, in, 32, codes, d);
            decode_0(f, codes, half_at(d), out);
        } else {
            decode_0(f, in, half_at(scales + 2 * b), out);
        }
    }
}

const struct block_codec block_gguf = {check, element_bytes, scale_bytes, quantize, dequantize};
