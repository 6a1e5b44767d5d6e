/* SPDX-License-Identifier: Apache-2.0 */
/* Quantization: every variant that this processor has, and the public functions, to the bit of
 * isa/num on whole rows. Buffers end at unmapped pages, at any alignment. */
#include "tests/support/harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "isa/num/quant.h"
#include "kernels/cpu/variants.h"
#include "tessera/cpu.h"
#include "tessera/isa.h"
#include "tessera/quant.h"

static struct tsr_isa *isa;

static int setup(void **state)
{
    (void)state;
    return tsr_isa_load(NULL, 0, &isa, NULL) != TSR_OK;
}

static int teardown(void **state)
{
    (void)state;
    tsr_isa_free(isa);
    return 0;
}

static const enum tsr_dtype all_formats[] = {TSR_F8E4M3,   TSR_F8E5M2,   TSR_I8,       TSR_MXF8E4M3,
                                             TSR_MXF8E5M2, TSR_MXF6E3M2, TSR_MXF6E2M3, TSR_MXF4,
                                             TSR_MXI8,     TSR_MX9,      TSR_MX6,      TSR_MX4,
                                             TSR_NVF4,     TSR_Q8_0,     TSR_Q4_0};
enum {
    ALL = sizeof all_formats / sizeof all_formats[0]
};

static uint32_t bits_of(float v)
{
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    return u;
}

/* The buffers of one check, each ending at an unmapped page: mapped once, there are many checks. */
enum slot {
    INPUT,
    WIDE,
    ELEMENTS,
    SCALES,
    WANT_ELEMENTS,
    WANT_SCALES,
    VALUES,
    NARROW,
    SLOTS
};
enum {
    MOST = 4 * 2112
};

static bool front; /* unmapped before them instead */

static void *guarded(enum slot slot, size_t bytes)
{
    static char *slots[SLOTS][2];
    if (slots[slot][front] == NULL)
        slots[slot][front] = front ? tsr_test_guarded_front(MOST) : tsr_test_guarded(MOST);
    assert_true(bytes <= MOST);
    return slots[slot][front] + (front ? 0 : MOST - bytes);
}

/* The definition's own view of one row. */
static struct tsr_num_quant definition(enum tsr_dtype format, size_t group)
{
    return (struct tsr_num_quant){.format = &isa->formats[format],
                                  .scale_format = &isa->formats[TSR_F32],
                                  .group = (uint32_t)group};
}

static bool plain(enum tsr_dtype format)
{
    return isa->formats[format].family == TSR_FAMILY_FLOAT;
}

static size_t element_bytes(enum tsr_dtype format, size_t group, size_t n)
{
    struct tsr_num_quant q = definition(format, group);
    return plain(format) ? n : tsr_num_element_bytes(&q, n);
}

static size_t scale_bytes(enum tsr_dtype format, size_t group, size_t n)
{
    struct tsr_num_quant q = definition(format, group);
    return plain(format) ? 0 : tsr_num_scale_bytes(&q, n);
}

/* Kinds of rows. Every one but the first two is full of corners; 8 repeats few magnitudes, so that
 * the largest of a block comes several times with both signs. */
enum {
    KINDS = 10
};

static uint32_t value(uint64_t *s, unsigned kind, size_t i)
{
    static const uint32_t special[] = {0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF};
    uint64_t r = tsr_test_random(s);
    float v = tsr_test_random_f32(s);
    uint32_t sign = (uint32_t)(r >> 40 & 1) << 31;
    switch (kind) {
    case 0: /* plain */
        return bits_of(v * 4);
    case 1: /* outliers */
        return bits_of(i % 61 == 7 ? v * 100 : v);
    case 2: /* each run of 48 on another power of two; zeros */
        return r % 5 == 0 || i / 48 % 4 == 3 ? sign
                                             : bits_of(ldexpf(v, (int)(i / 48 * 29 % 250) - 125));
    case 3: /* anything finite */
        return ((uint32_t)r % 0x7F800000) | sign;
    case 4: /* few bits: ties */
        return bits_of(ldexpf((float)(int)(r % 511) - 255, (int)(i / 64 % 9) - 8));
    case 5: /* subnormals and the smallest normals */
        return ((uint32_t)r & 0x01FFFFFF) | sign;
    case 6: /* the largest */
        return (0x7F7FFFFF - ((uint32_t)r & 0x07FFFFFF)) | sign;
    case 7: /* a special every now and then */
        return r % 90 == 0 ? special[r >> 8 & 3    ? r >> 8 & 3
                                     : r >> 12 & 1 ? 4
                                                   : 0]
                           : bits_of(v * 3);
    case 8:
        return bits_of((float)(1 + r % 3)) | sign;
    default: /* neighbours of ties of short mantissas, over e4m3's whole range and its ends */
        return ((((uint32_t)(r >> 8) % 24 + 112) << 23 | ((uint32_t)r & 15) << 19) +
                (uint32_t)(r >> 16) % 3 - 1) |
               sign;
    }
}

/* A row of n values as the input that the operation takes, at a page's end. */
static void *input(uint64_t *s, unsigned kind, bool bf16, size_t n)
{
    char *x = guarded(INPUT, (bf16 ? 2 : 4) * n);
    for (size_t i = 0; i < n; i++) {
        uint32_t v = value(s, kind, i);
        uint16_t half = (uint16_t)(v >> 16);
        memcpy(x + (bf16 ? 2 : 4) * i, bf16 ? (void *)&half : (void *)&v, bf16 ? 2 : 4);
    }
    return x;
}

static uint32_t *widened(const void *x, bool bf16, size_t n)
{
    uint32_t *w = guarded(WIDE, 4 * n);
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        if (bf16)
            memcpy(&half, (const char *)x + 2 * i, 2);
        if (bf16)
            w[i] = (uint32_t)half << 16;
        else
            memcpy(&w[i], (const char *)x + 4 * i, 4);
    }
    return w;
}

static void fail_at(const char *name, enum tsr_dtype format, bool bf16, size_t n, size_t group,
                    unsigned kind, const char *what, const uint8_t *got, const uint8_t *want,
                    size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (got[i] != want[i])
            fail_msg("%s %s of %s, %zu elements in groups of %zu, kind %u: %s byte %zu is %02x, "
                     "not %02x",
                     name, isa->formats[format].name, bf16 ? "bf16" : "f32", n, group, kind, what,
                     i, got[i], want[i]);
}

/* One row by `fn` and by the definition. */
static void check_quantize(const char *name, tsr_quantize_row_fn *fn, enum tsr_dtype format,
                           bool bf16, size_t n, size_t group, unsigned kind, uint64_t *s)
{
    struct tsr_num_quant q = definition(format, group);
    const void *x = input(s, kind, bf16, n);
    const uint32_t *w = widened(x, bf16, n);
    size_t eb = element_bytes(format, group, n), sb = scale_bytes(format, group, n);
    uint8_t *e = guarded(ELEMENTS, eb), *want_e = guarded(WANT_ELEMENTS, eb);
    uint8_t *sc = guarded(SCALES, sb), *want_s = guarded(WANT_SCALES, sb);
    memset(e, 0xA5, eb);
    memset(sc, 0xA5, sb);
    fn(n, group, x, e, sc);
    if (plain(format))
        tsr_num_encode_array(q.format, want_e, w, n, TSR_ROUND_EVEN);
    else
        assert_int_equal(tsr_num_quantize(&q, w, n, want_e, want_s, NULL), TSR_OK);
    fail_at(name, format, bf16, n, group, kind, "scale", sc, want_s, sb);
    fail_at(name, format, bf16, n, group, kind, "element", e, want_e, eb);
}

/* Codes and scales of a quantized row; of odd kinds any codes, of every third any scales. */
static void check_dequantize(const char *name, tsr_dequantize_row_fn *fn, enum tsr_dtype format,
                             bool bf16, size_t n, size_t group, unsigned kind, uint64_t *s)
{
    struct tsr_num_quant q = definition(format, group);
    size_t eb = element_bytes(format, group, n), sb = scale_bytes(format, group, n);
    uint8_t *e = guarded(ELEMENTS, eb), *sc = guarded(SCALES, sb);
    const uint32_t *x = input(s, kind, false, n);
    if (plain(format))
        tsr_num_encode_array(q.format, e, x, n, TSR_ROUND_EVEN);
    else
        assert_int_equal(tsr_num_quantize(&q, x, n, e, sc, NULL), TSR_OK);
    for (size_t i = 0; kind % 2 == 1 && i < eb; i++)
        e[i] = (uint8_t)tsr_test_random(s);
    for (size_t i = 0; kind % 3 == 2 && i < sb; i++)
        sc[i] = (uint8_t)tsr_test_random(s);
    for (size_t i = 0; kind % 3 == 2 && i + 4 <= sb; i += 4 * tsr_test_random_below(s, 4) + 4) {
        memset(sc + i, 0, 4); /* zeros, of either sign, over codes that are none */
        sc[i + 3] = (uint8_t)(tsr_test_random_below(s, 2) << 7);
    }
    uint32_t *want = guarded(WIDE, 4 * n);
    uint8_t *y = guarded(VALUES, (bf16 ? 2 : 4) * n), *narrow = guarded(NARROW, 2 * n);
    memset(y, 0xA5, (bf16 ? 2 : 4) * n);
    fn(n, group, e, sc, y);
    if (plain(format))
        tsr_num_decode_array(q.format, want, e, n);
    else
        assert_int_equal(tsr_num_dequantize(&q, e, sc, n, want, NULL), TSR_OK);
    tsr_num_encode_array(&isa->formats[TSR_BF16], narrow, want, n, TSR_ROUND_EVEN);
    fail_at(name, format, bf16, n, group, kind, "value", y, bf16 ? narrow : (uint8_t *)(void *)want,
            (bf16 ? 2 : 4) * n);
}

struct operation {
    enum tsr_cpu_op op;
    enum tsr_dtype format;
    bool bf16, back;
};

static const struct operation operations[] = {
#define OPERATIONS(name, code)                                                                     \
    {TSR_OP_quantize_##name##_f32, code, false, false},                                            \
        {TSR_OP_quantize_##name##_bf16, code, true, false},                                        \
        {TSR_OP_dequantize_##name##_f32, code, false, true},                                       \
        {TSR_OP_dequantize_##name##_bf16, code, true, true},
    TSR_QUANT_FORMATS(OPERATIONS)};
enum {
    OPS = sizeof operations / sizeof operations[0]
};

static void check(const struct operation *o, const struct tsr_variant *v, size_t n, size_t group,
                  unsigned kind, uint64_t *s)
{
    front = tsr_test_random_below(s, 4) == 0;
    if (isa->formats[o->format].family == TSR_FAMILY_GGUF)
        n -= n % 32;
    if (o->back)
        check_dequantize(v->name, (tsr_dequantize_row_fn *)v->function, o->format, o->bf16, n,
                         group, kind, s);
    else
        check_quantize(v->name, (tsr_quantize_row_fn *)v->function, o->format, o->bf16, n, group,
                       kind, s);
}

static void test_quant_variants_equal_definition(void **state)
{
    /* Around blocks, vectors of every length, and the pieces that kernels cut rows into. */
    static const size_t sizes[] = {0,   1,   3,   15,  16,   17,   31,   32,   33,   63,
                                   64,  65,  100, 127, 128,  129,  255,  256,  257,  320,
                                   511, 512, 513, 768, 1023, 1024, 1025, 1056, 1500, 2100};
    static const size_t groups[] = {0, 32, 128, 5, 300};
    enum {
        SIZES = sizeof sizes / sizeof sizes[0]
    };
    uint64_t s = tsr_test_seed("quant variants", 1);
    unsigned rounds = tsr_test_nightly() ? 12 : 1, turn = 0;
    (void)state;
    for (size_t r = 0; r < tsr_variant_count; r++) {
        const struct tsr_variant *v = &tsr_variants[r];
        const struct operation *o = operations;
        while (o < operations + OPS && o->op != v->op)
            o++;
        if (o == operations + OPS || (v->features & ~tsr_cpu_features()) != 0)
            continue;
        for (unsigned round = 0; round < rounds; round++)
            for (unsigned kind = 0; kind < KINDS; kind++)
                for (int i = 0; i < SIZES; i++)
                    if (i % 3 == (int)(kind % 3) || sizes[i] == 1056)
                        check(o, v, sizes[i], o->format == TSR_I8 ? groups[turn++ % 5] : 0, kind,
                              &s);
    }
}

static void test_quant_tables_are_the_instruction_sets(void **state)
{
    (void)state;
    struct tsr_error err = {0};
    for (int i = 0; i < ALL; i++) {
        struct tsr_quant q = {.format = all_formats[i], .rows = 1, .cols = 320, .group = 64};
        size_t eb = 99, sb = 99;
        assert_int_equal(tsr_quant_row_bytes(&q, &eb, &sb, &err), TSR_OK);
        assert_int_equal(eb, element_bytes(all_formats[i], 64, 320));
        assert_int_equal(sb, scale_bytes(all_formats[i], 64, 320));
    }
}

static void test_quant_public_equals_definition_with_strides(void **state)
{
    uint64_t s = tsr_test_seed("quant public", 2);
    enum {
        ROWS = 3,
        COLS = 96,
        X_STRIDE = 101
    };
    (void)state;
    for (int i = 0; i < 2 * ALL; i++) {
        enum tsr_dtype format = all_formats[i / 2];
        bool bf16 = i % 2;
        struct tsr_num_quant how = definition(format, 40);
        size_t eb = element_bytes(format, 40, COLS), sb = scale_bytes(format, 40, COLS);
        struct tsr_quant q = {.format = format,
                              .rows = ROWS,
                              .cols = COLS,
                              .group = 40,
                              .element_stride = eb + 3,
                              .scale_stride = sb + 5};
        void *x = input(&s, 7, bf16, X_STRIDE * ROWS);
        uint8_t e[ROWS * (4 * COLS)], sc[ROWS * COLS], want_e[4 * COLS], want_s[COLS];
        uint32_t back[ROWS * X_STRIDE], want[COLS];
        memset(e, 0xA5, sizeof e);
        memset(sc, 0xA5, sizeof sc);
        memset(back, 0xA5, sizeof back);
        if (bf16) {
            assert_int_equal(tsr_quantize_bf16(&q, x, X_STRIDE, e, sc, NULL), TSR_OK);
            assert_int_equal(
                tsr_dequantize_bf16(&q, e, sc, (uint16_t *)(void *)back, X_STRIDE, NULL), TSR_OK);
        } else {
            assert_int_equal(tsr_quantize_f32(&q, x, X_STRIDE, e, sc, NULL), TSR_OK);
            assert_int_equal(tsr_dequantize_f32(&q, e, sc, (float *)(void *)back, X_STRIDE, NULL),
                             TSR_OK);
        }
        for (size_t r = 0; r < ROWS; r++) {
            const char *row = (const char *)x + r * X_STRIDE * (bf16 ? 2 : 4);
            const char *y = (const char *)back + r * X_STRIDE * (bf16 ? 2 : 4);
            const uint32_t *w = widened(row, bf16, COLS);
            uint16_t half[COLS];
            if (plain(format)) {
                tsr_num_encode_array(how.format, want_e, w, COLS, TSR_ROUND_EVEN);
                tsr_num_decode_array(how.format, want, want_e, COLS);
            } else {
                tsr_num_quantize(&how, w, COLS, want_e, want_s, NULL);
                tsr_num_dequantize(&how, want_e, want_s, COLS, want, NULL);
            }
            tsr_num_encode_array(&isa->formats[TSR_BF16], half, want, COLS, TSR_ROUND_EVEN);
            assert_memory_equal(e + r * q.element_stride, want_e, eb);
            assert_memory_equal(sc + r * q.scale_stride, want_s, sb);
            assert_memory_equal(y, bf16 ? (void *)half : (void *)want, (bf16 ? 2 : 4) * COLS);
            assert_int_equal(e[r * q.element_stride + eb], 0xA5); /* nothing between the rows */
            assert_int_equal(sc[r * q.scale_stride + sb], 0xA5);
            assert_int_equal((uint8_t)y[(bf16 ? 2 : 4) * COLS], 0xA5);
        }
    }
}

static void test_quant_refusals_write_nothing(void **state)
{
    struct tsr_quant q = {.format = TSR_Q8_0, .rows = 1, .cols = 33};
    struct tsr_error err = {0};
    float x[64] = {1};
    uint8_t e[64] = {7}, sc[64] = {7};
    (void)state;
    assert_int_equal(tsr_quantize_f32(&q, x, 33, e, sc, &err), TSR_BAD_INPUT);
    assert_non_null(strstr(err.message, "33 elements"));
    err = (struct tsr_error){0};
    q.format = TSR_Q4_K;
    assert_int_equal(tsr_dequantize_f32(&q, e, sc, x, 33, &err), TSR_USAGE);
    assert_non_null(strstr(err.message, "allowed: f8e4m3"));
    assert_int_equal(e[0], 7);
    assert_int_equal(sc[0], 7);
    assert_true(x[0] == 1);
    q = (struct tsr_quant){.format = TSR_MXF4, .rows = 0, .cols = 33};
    assert_int_equal(tsr_quantize_f32(&q, NULL, 0, NULL, NULL, &err), TSR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quant_variants_equal_definition),
        cmocka_unit_test(test_quant_tables_are_the_instruction_sets),
        cmocka_unit_test(test_quant_public_equals_definition_with_strides),
        cmocka_unit_test(test_quant_refusals_write_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
