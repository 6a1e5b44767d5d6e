/* SPDX-License-Identifier: Apache-2.0 */
/* Block formats, decoding: every element pattern under every scale; and by name what the
 * definitions leave open: NaN, zeros, -0, subnormals, clamped exponents, partial blocks. */
#include "tests/num/block_support.h"

static struct tsr_isa *isa;

static int setup(void **state)
{
    (void)state;
    isa = load_isa();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tsr_isa_free(isa);
    return 0;
}

static void decode(const struct tsr_num_quant *q, const void *elements, const void *scales,
                   size_t n, float *out)
{
    struct tsr_error err = {0};
    if (tsr_num_dequantize(q, elements, scales, n, (uint32_t *)(void *)out, &err))
        fail_msg("%s: %s", q->format->name, err.message);
}

static void encode(const struct tsr_num_quant *q, const float *x, size_t n, void *elements,
                   void *scales)
{
    struct tsr_error err = {0};
    if (tsr_num_quantize(q, (const uint32_t *)(const void *)x, n, elements, scales, &err))
        fail_msg("%s: %s", q->format->name, err.message);
}

/* The value of a scale's code; NAN for none. */
static long double scale_value(const struct tsr_num_quant *q, uint32_t code)
{
    switch (q->format->family) {
    case TSR_FAMILY_MX:
    case TSR_FAMILY_SMX:
        return code == 255 ? (long double)NAN : ldexpl(1, (int)code - 127);
    case TSR_FAMILY_NVF:
        return num_value(&num_formats[N_E4M3], code);
    case TSR_FAMILY_GGUF:
        return num_value(&num_formats[N_F16], code);
    default:
        return num_value(q->scale_format, code);
    }
}

static void check_decoded(const struct tsr_format *f, uint32_t code, uint8_t shift, uint32_t scale,
                          long double unit, float got)
{
    struct tsr_format e = oracle_element(f);
    long double v;
    if (f->family == TSR_FAMILY_SMX) {
        v = ldexpl(code & ((1u << f->mbits) - 1), 1 - f->mbits - shift);
        v = code >> f->mbits ? -v : v;
    } else if (f->code == TSR_Q4_0) {
        v = code < 8 ? (int)code : (int)code - 16; /* two's complement by code_at */
    } else {
        v = num_value(&e, code);
        v = f->family == TSR_FAMILY_MX && f->ebits == 0 ? ldexpl(v, -f->mbits) : v;
    }
    float want = oracle_round(v * unit);
    if (want == 0) /* an element's zero has its sign, whatever the scale */
        want = copysignf(0, (float)v);
    bool same = f->family == TSR_FAMILY_FLOAT || f->ebits > 0 || f->family == TSR_FAMILY_SMX
                    ? same_value(got, want)
                    : got == want || (isnan(got) && isnan(want)); /* integers: +0 alone */
    if (!same)
        fail_msg("%s: code %x shift %d under scale %x: %a, not %a", f->name, code, shift, scale,
                 (double)got, (double)want);
}

/* All scales, and rows that hold all element codes with both shifts. */
static void check_format(const struct tsr_num_quant *q, uint32_t scales, uint32_t step)
{
    const struct tsr_format *f = q->format;
    unsigned block = block_of(q), scale_bytes = (unsigned)tsr_num_scale_bytes(q, block);
    size_t n = f->family == TSR_FAMILY_SMX ? (size_t)4 << f->bits : (size_t)1 << f->bits;
    n = n < block ? block : n;
    size_t bytes = tsr_num_element_bytes(q, n);
    uint8_t *elements = tsr_test_guarded(bytes), *s = tsr_test_guarded(n / block * scale_bytes);
    float *out = tsr_test_guarded(4 * n);
    /* Counting bits gives each code where elements fill the bytes; then the shifts alternate. */
    for (size_t at = 0; at < n * f->bits + (f->family == TSR_FAMILY_SMX ? n / 2 : 0); at++) {
        size_t b = f->family == TSR_FAMILY_SMX ? block * f->bits + block / 2 : block * f->bits;
        size_t in = at % b, i = at / b * block + in / f->bits;
        bool bit = in < block * f->bits ? i >> in % f->bits & 1 : at / b * block >> f->bits & 1;
        elements[at / 8] =
            (uint8_t)((elements[at / 8] & ~(1u << at % 8)) | (unsigned)bit << at % 8);
    }
    for (uint32_t scale = 0; scale < scales; scale += step) {
        for (size_t b = 0; b < n / block; b++)
            memcpy(s + b * scale_bytes, &scale, scale_bytes);
        decode(q, elements, s, n, out);
        long double unit = scale_value(q, scale);
        for (size_t i = 0; i < n; i++) {
            uint8_t shift;
            uint32_t code = code_at(f, elements, i, &shift);
            check_decoded(f, code, shift, scale, unit, out[i]);
        }
    }
}

static void test_block_every_code_under_every_scale_is_exact(void **state)
{
    uint32_t sample = tsr_test_emulated() ? 37 : 1;
    (void)state;
    for (int c = 0; c < TSR_DTYPE_MAX; c++) {
        const struct tsr_format *f = &isa->formats[c];
        if (!isa->has_format[c] || !encodes(f))
            continue;
        struct tsr_num_quant q = plain_quant(isa, f, TSR_ROUND_EVEN);
        bool wide = f->family == TSR_FAMILY_INT || f->family == TSR_FAMILY_GGUF;
        check_format(&q, wide ? 65536 : 256, wide ? sample : 1);
        q.scale_format = &isa->formats[TSR_F16];
        if (f->family == TSR_FAMILY_INT)
            check_format(&q, 65536, sample);
    }
}

/* The formats of 8 bits or fewer that overlays add go both ways, as the built-in ones do. */
static void test_block_plain_formats_of_overlays_come_back(void **state)
{
    (void)state;
    for (int c = 0; c < TSR_DTYPE_MAX; c++) {
        const struct tsr_format *f = &isa->formats[c];
        if (!isa->has_format[c] || f->family != TSR_FAMILY_FLOAT || f->bits > 16)
            continue;
        for (uint32_t code = 0; code < 1u << f->bits; code++) {
            float want = (float)num_value(f, code);
            uint32_t bits = tsr_num_decode_f32(f, code);
            assert_true(same_value(num_float(bits), want));
            if (isfinite(want))
                assert_int_equal(tsr_num_encode(f, bits, TSR_ROUND_EVEN), code);
            float next = (float)num_value(f, code + 1),
                  middle = (float)(((double)want + (double)next) / 2);
            if (isfinite(want) && isfinite(next) && next > want && code + 1 < 1u << (f->bits - 1)) {
                uint32_t even = tsr_num_encode(f, num_bits(middle), TSR_ROUND_EVEN);
                assert_int_equal(even, code + (code & 1));
                assert_int_equal(tsr_num_encode(f, num_bits(middle), TSR_ROUND_AWAY), code + 1);
                assert_int_equal(tsr_num_encode(f, num_bits(middle), TSR_ROUND_ZERO), code);
            }
        }
    }
}

/* ---- by name -------------------------------------------------------------------------------- */

static void test_block_nan_or_infinity_makes_its_block_nan(void **state)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    (void)state;
    for (int c = 0; c < TSR_DTYPE_MAX; c++) {
        const struct tsr_format *f = &isa->formats[c];
        if (!isa->has_format[c] || !encodes(f))
            continue;
        struct tsr_num_quant q = plain_quant(isa, f, TSR_ROUND_EVEN);
        for (int k = 0; k < 3; k++) {
            float x[128], y[128];
            uint8_t e[256], s[256];
            unsigned block = block_of(&q);
            for (unsigned i = 0; i < 128; i++)
                x[i] = 1;
            x[block + 3] = bad[k];
            encode(&q, x, 3 * block, e, s);
            decode(&q, e, s, 3 * block, y);
            for (unsigned i = 0; i < 3 * block; i++)
                assert_true(i / block == 1 ? num_bits(y[i]) == TSR_NUM_NAN : fabsf(y[i] - 1) < .3);
            uint8_t shift;
            for (unsigned i = block; i < 2 * block; i++)
                assert_int_equal(code_at(f, e, i, &shift), 0);
        }
    }
}

static void test_block_of_zeros_is_zero_bytes_and_keeps_signs(void **state)
{
    (void)state;
    for (int c = 0; c < TSR_DTYPE_MAX; c++) {
        const struct tsr_format *f = &isa->formats[c];
        if (!isa->has_format[c] || !encodes(f))
            continue;
        struct tsr_num_quant q = plain_quant(isa, f, TSR_ROUND_EVEN);
        float x[32] = {0}, y[32];
        uint8_t e[64], s[64], fill = f->code == TSR_Q4_0 ? 0x88 : 0;
        encode(&q, x, 32, e, s);
        for (size_t i = 0; i < tsr_num_element_bytes(&q, 32); i++)
            assert_int_equal(e[i], fill);
        for (size_t i = 0; i < tsr_num_scale_bytes(&q, 32); i++)
            assert_int_equal(s[i], 0);
        x[5] = -0.f;
        encode(&q, x, 32, e, s);
        decode(&q, e, s, 32, y);
        bool sign = f->ebits > 0 || f->family == TSR_FAMILY_SMX;
        for (unsigned i = 0; i < 32; i++)
            assert_int_equal(num_bits(y[i]), sign && i == 5 ? 0x80000000u : 0);
    }
}

struct named {
    enum tsr_dtype format;
    float x[4]; /* the first elements, the others 0 */
    uint32_t scale;
    enum tsr_round round;
    float y[4];
};

static void test_block_values_by_name(void **state)
{
    static const struct named rows[] = {
        /* ties: 9/8 * 2^k lies between codes of e2m1 at 1 and 1.5 etc. */
        {TSR_MXF4, {4, 1.25f, 2.5f, 5}, 127, TSR_ROUND_EVEN, {4, 1, 2, 4}},
        {TSR_MXF4, {4, 1.25f, 2.5f, 5}, 127, TSR_ROUND_AWAY, {4, 1.5f, 3, 6}},
        {TSR_MXF4, {4, 1.25f, 2.5f, 5.99f}, 127, TSR_ROUND_ZERO, {4, 1, 2, 4}},
        {TSR_MXF4, {4, .25f, -.25f, .75f}, 127, TSR_ROUND_EVEN, {4, 0, -0.f, 1}},
        {TSR_MXF4, {7.99f, -7.5f, .125f, 1}, 127, TSR_ROUND_EVEN, {6, -6, 0, 1}},
        {TSR_MXF8E4M3, {256, 17, -19, 0x1p-10f}, 127, TSR_ROUND_EVEN, {256, 16, -20, 0}},
        {TSR_MXF8E4M3, {256, 17, -19, 0x1p-10f}, 127, TSR_ROUND_AWAY, {256, 18, -20, 0x1p-9f}},
        {TSR_MXF8E4M3,
         {0x1p-6f, 0x1p-20f, 0x1p-23f, 0},
         113,
         TSR_ROUND_EVEN,
         {0x1p-6f, 0x1p-20f, 0x1p-23f, 0}}, /* smallest normal and subnormal times 2^-14 */
        {TSR_MXF8E4M3, {500, -511, 448, 1}, 127, TSR_ROUND_EVEN, {448, -448, 448, 1}},
        {TSR_MXF8E5M2, {65000, 57344, -1, 0}, 127, TSR_ROUND_EVEN, {57344, 57344, -1, 0}},
        {TSR_MXF6E3M2, {31, 28, .0625f, .03125f}, 127, TSR_ROUND_EVEN, {28, 28, .0625f, 0}},
        {TSR_MXF6E2M3, {7.9f, .125f, .0625f, .1875f}, 127, TSR_ROUND_EVEN, {7.5f, .125f, 0, .25f}},
        {TSR_MXI8,
         {1.999f, -1.999f, 0x1p-7f, -0x1.8p-6f},
         127,
         TSR_ROUND_EVEN,
         {127 / 64.f, -127 / 64.f, 0, -2 / 64.f}},
        {TSR_MXI8, {1, 0x1p-7f, -0x1p-7f, 0}, 127, TSR_ROUND_AWAY, {1, 1 / 64.f, -1 / 64.f, 0}},
        /* the largest scale that f32 needs, and exponents that clamp */
        {TSR_MXI8,
         {0x1.fffffep127f, -0x1p127f, 0, 0},
         254,
         TSR_ROUND_EVEN,
         {0x1.fcp127f, -0x1p127f, 0, 0}},
        {TSR_MXF8E4M3, {0x1p-126f, 0x1p-149f, 0, 0}, 0, TSR_ROUND_EVEN, {0x1p-126f, 0, 0, 0}},
        {TSR_MXF8E4M3,
         {0x1p-136f, -0x1p-137f, 0x1.8p-136f, 0},
         0,
         TSR_ROUND_EVEN,
         {0x1p-136f, -0.f, 0x1p-135f, 0}},
        {TSR_MX9, {0x1p-149f, 0x1p-130f, 0, 0}, 0, TSR_ROUND_EVEN, {0, 0x1p-130f, 0, 0}},
        /* mx9: the pair (64, 1) in steps of 1, the pair (.5, .75) in steps of 1/2 */
        {TSR_MX9, {64, 1.5f, .75f, .5f}, 133, TSR_ROUND_EVEN, {64, 2, 1, .5f}},
        {TSR_MX9, {64, 1.5f, .75f, .25f}, 133, TSR_ROUND_ZERO, {64, 1, .5f, 0}},
        {TSR_MX9, {127.9f, -127.9f, 63.9f, -.25f}, 133, TSR_ROUND_AWAY, {127, -127, 63.5f, -.5f}},
        {TSR_MX6, {15.9f, 1.5f, 7.9f, -.25f}, 130, TSR_ROUND_EVEN, {15, 2, 7.5f, -0.f}},
        {TSR_MX4, {3.9f, -.5f, 1.75f, .25f}, 128, TSR_ROUND_EVEN, {3, -0.f, 1.5f, 0}},
        {TSR_NVF4, {6, .25f, -2.5f, 5}, 0x38, TSR_ROUND_EVEN, {6, 0, -2, 4}},
        {TSR_NVF4, {6, .25f, -2.5f, 5}, 0x38, TSR_ROUND_AWAY, {6, .5f, -3, 6}},
        {TSR_NVF4, {1e30f, -1, 0, 0}, 0x7E, TSR_ROUND_EVEN, {2688, -0.f, 0, 0}},
        {TSR_NVF4, {0x1p-10f, -0x1p-9f, 0, 0}, 1, TSR_ROUND_EVEN, {0x1p-10f, -0x1p-9f, 0, 0}},
        {TSR_Q8_0, {127, .5f, 1.5f, -127}, 0x3C00, TSR_ROUND_EVEN, {127, 0, 2, -127}},
        {TSR_Q8_0, {127, .5f, -2.5f, 0}, 0x3C00, TSR_ROUND_AWAY, {127, 1, -3, 0}},
        {TSR_Q8_0, {1e30f, 0, 65504, 0}, 0x7BFF, TSR_ROUND_EVEN, {127 * 65504.f, 0, 65504, 0}},
        {TSR_Q8_0, {1e-9f, 0, 0, 0}, 0x0001, TSR_ROUND_EVEN, {0, 0, 0, 0}},
        {TSR_Q4_0, {-8, 7.5f, .5f, -1.5f}, 0x3C00, TSR_ROUND_EVEN, {-8, 7, 0, -2}},
        {TSR_Q4_0, {8, 7.5f, -7.9f, 0}, 0xBC00, TSR_ROUND_EVEN, {8, 8, -7, 0}},
        /* 1 / 3 is no f32: 1.5 and -4.5 still meet the ties */
        {TSR_Q8_0, {381, 127, 1.5f, -4.5f}, 0x4200, TSR_ROUND_EVEN, {381, 126, 0, -6}},
        {TSR_I8, {-127, 127, .5f, -1.5f}, 0x3F80, TSR_ROUND_EVEN, {-127, 127, 0, -2}},
        {TSR_I4, {-7, 6.5f, 2.5f, -.5f}, 0x3F80, TSR_ROUND_AWAY, {-7, 7, 3, -1}},
    };
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const struct tsr_format *f = &isa->formats[rows[r].format];
        struct tsr_num_quant q = plain_quant(isa, f, rows[r].round);
        float x[32] = {0}, y[32];
        uint8_t e[64], s[64];
        memcpy(x, rows[r].x, sizeof rows[r].x);
        encode(&q, x, 32, e, s);
        decode(&q, e, s, 32, y);
        if (scale_at(&q, s, 0) != rows[r].scale)
            fail_msg("row %zu, %s: scale %x, not %x", r, f->name, scale_at(&q, s, 0),
                     rows[r].scale);
        for (int i = 0; i < 4; i++)
            if (!same_value(y[i], rows[r].y[i]))
                fail_msg("row %zu, %s: %a gives %a, not %a", r, f->name, (double)x[i], (double)y[i],
                         (double)rows[r].y[i]);
    }
}

static void test_block_partial_is_padded_and_gguf_refuses(void **state)
{
    (void)state;
    for (int c = 0; c < TSR_DTYPE_MAX; c++) {
        const struct tsr_format *f = &isa->formats[c];
        if (!isa->has_format[c] || !tsr_num_has_blocks(f))
            continue;
        struct tsr_num_quant q = plain_quant(isa, f, TSR_ROUND_EVEN);
        struct tsr_error err = {0};
        if (f->family == TSR_FAMILY_GGUF) {
            q.file_layout = true;
            assert_int_equal(tsr_num_quant_check(&q, 48, &err), TSR_BAD_INPUT);
            assert_non_null(strstr(err.message, "48 elements"));
            continue;
        }
        unsigned block = block_of(&q);
        for (unsigned n = 1; n < 2 * block; n++) {
            size_t whole = f->family == TSR_FAMILY_INT ? n : (n + block - 1) / block * block;
            float *x = tsr_test_guarded(4 * n), *y = tsr_test_guarded(4 * n), padded[128] = {0};
            uint8_t *e = tsr_test_guarded(tsr_num_element_bytes(&q, n)), want_e[256];
            uint8_t *s = tsr_test_guarded(tsr_num_scale_bytes(&q, n)), want_s[256];
            for (unsigned i = 0; i < n; i++)
                x[i] = padded[i] = (float)(i % 7) - 2.6f;
            encode(&q, x, n, e, s);
            encode(&q, padded, whole, want_e, want_s);
            assert_int_equal(tsr_num_element_bytes(&q, n), tsr_num_element_bytes(&q, whole));
            assert_memory_equal(e, want_e, tsr_num_element_bytes(&q, n));
            assert_memory_equal(s, want_s, tsr_num_scale_bytes(&q, n));
            decode(&q, e, s, n, y);
            decode(&q, want_e, want_s, whole, padded);
            assert_memory_equal(y, padded, 4 * n);
        }
        encode(&q, NULL, 0, NULL, NULL);
    }
}

static void test_block_sizes_are_the_formats(void **state)
{
    static const struct {
        enum tsr_dtype format;
        size_t elements, scales;
    } of_64[] = {{TSR_MXF8E4M3, 64, 2}, {TSR_MXF6E3M2, 48, 2}, {TSR_MXF4, 32, 2}, {TSR_MX9, 68, 4},
                 {TSR_MX6, 44, 4},      {TSR_MX4, 28, 4},      {TSR_NVF4, 32, 4}, {TSR_Q8_0, 64, 4},
                 {TSR_Q4_0, 32, 4},     {TSR_I8, 64, 4},       {TSR_I4, 32, 4}};
    (void)state;
    for (size_t i = 0; i < sizeof of_64 / sizeof *of_64; i++) {
        struct tsr_num_quant q = plain_quant(isa, &isa->formats[of_64[i].format], TSR_ROUND_EVEN);
        assert_int_equal(tsr_num_element_bytes(&q, 64), of_64[i].elements);
        assert_int_equal(tsr_num_scale_bytes(&q, 64), of_64[i].scales);
    }
    static const struct {
        enum tsr_dtype format;
        size_t bytes;
    } files[] = {{TSR_Q8_0, 8 * 34}, {TSR_Q4_0, 8 * 18}, {TSR_Q4_K, 144}, {TSR_Q6_K, 210}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct tsr_num_quant q = {.format = &isa->formats[files[i].format], .file_layout = true};
        assert_int_equal(tsr_num_element_bytes(&q, 256), files[i].bytes);
        assert_int_equal(tsr_num_scale_bytes(&q, 256), 0);
    }
}

/* Halves of one largest value: the elements of both, then the shifts of both. */
static void test_block_of_32_pairs_up_as_two_of_16(void **state)
{
    uint64_t seed = tsr_test_seed("block of 32", 21);
    struct tsr_format wide = isa->formats[TSR_MX9];
    struct tsr_num_quant q = {.format = &isa->formats[TSR_MX9]}, q32 = {.format = &wide};
    (void)state;
    wide.block = 32;
    for (int n = 0; n < 100; n++) {
        float x[32];
        uint8_t half[2][17], e[34], s[2];
        for (int i = 0; i < 32; i++)
            x[i] = i % 16 ? 1.9f * tsr_test_random_f32(&seed) : 1.5f;
        encode(&q, x, 16, half[0], s);
        encode(&q, x + 16, 16, half[1], s);
        encode(&q32, x, 32, e, s);
        for (int h = 0; h < 2; h++) {
            assert_memory_equal(e + 16 * h, half[h], 16);
            assert_int_equal(e[32 + h], half[h][16]);
        }
    }
}

static void test_block_refusals_name_what_is_wrong(void **state)
{
    struct tsr_num_quant base = {.format = &isa->formats[TSR_I4],
                                 .scale_format = &isa->formats[TSR_BF16]};
    struct tsr_num_quant q;
    struct tsr_error err;
    float x[256] = {0};
    uint8_t e[256], s[256];
    (void)state;
#define REFUSED(status, word)                                                                      \
    memset(&err, 0, sizeof err);                                                                   \
    assert_int_equal(tsr_num_quantize(&q, (uint32_t *)(void *)x, 256, e, s, &err), status);        \
    assert_non_null(strstr(err.message, word))
    q = base, q.format = &isa->formats[TSR_BF16];
    REFUSED(TSR_USAGE, "bf16: no blocks");
    q = base, q.format = &isa->formats[TSR_Q4_K], q.file_layout = true;
    REFUSED(TSR_USAGE, "read only");
    q = base, q.format = &isa->formats[TSR_Q6_K], q.file_layout = true;
    REFUSED(TSR_USAGE, "read only");
    q = base, q.format = &isa->formats[TSR_Q6_K];
    REFUSED(TSR_USAGE, "no layout but its file's");
    q = base, q.format = &isa->formats[TSR_MX9], q.file_layout = true;
    REFUSED(TSR_USAGE, "only GGUF");
    q = base, q.scale_format = NULL;
    REFUSED(TSR_USAGE, "scales want");
    q = base, q.scale_format = &isa->formats[TSR_I8];
    REFUSED(TSR_USAGE, "scales want");
    q = base, q.group = 7;
    REFUSED(TSR_USAGE, "groups of 7");
    q = base, q.format = &isa->formats[TSR_NVF4], q.tensor_scale = num_bits(-1);
    REFUSED(TSR_BAD_INPUT, "positive and finite");
    q = base, q.format = &isa->formats[TSR_NVF4], q.tensor_scale = TSR_NUM_INF;
    REFUSED(TSR_BAD_INPUT, "positive and finite");
    struct tsr_format odd = isa->formats[TSR_Q8_0];
    odd.code = 30;
    q = base, q.format = &odd;
    REFUSED(TSR_USAGE, "GGUF's blocks are");
    odd = isa->formats[TSR_MX9], odd.block = 12;
    REFUSED(TSR_USAGE, "multiple of 16");
    odd = isa->formats[TSR_MX4], odd.bits = 2, odd.mbits = 1;
    q = base, q.format = &odd;
    assert_int_equal(tsr_num_quant_check(&q, 256, &err), TSR_OK);
    odd = isa->formats[TSR_MX9], odd.bits = 17, odd.mbits = 16;
    REFUSED(TSR_USAGE, "1 to 15 bits");
    odd = isa->formats[TSR_I4], odd.bits = 9;
    REFUSED(TSR_USAGE, "no blocks");
    odd = isa->formats[TSR_MXF4], odd.block = 5;
    REFUSED(TSR_USAGE, "whole bytes");
    odd = isa->formats[TSR_MXF8E4M3], odd.bits = 9;
    REFUSED(TSR_USAGE, "at most 8 bits");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_every_code_under_every_scale_is_exact),
        cmocka_unit_test(test_block_plain_formats_of_overlays_come_back),
        cmocka_unit_test(test_block_nan_or_infinity_makes_its_block_nan),
        cmocka_unit_test(test_block_of_zeros_is_zero_bytes_and_keeps_signs),
        cmocka_unit_test(test_block_values_by_name),
        cmocka_unit_test(test_block_partial_is_padded_and_gguf_refuses),
        cmocka_unit_test(test_block_sizes_are_the_formats),
        cmocka_unit_test(test_block_of_32_pairs_up_as_two_of_16),
        cmocka_unit_test(test_block_refusals_name_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
