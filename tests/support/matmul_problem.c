/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/matmul_problem.h"

#include <math.h>
#include <stdlib.h>

#include "isa/num/quant.h"
#include "kernels/matmul/packed.h"
#include "tessera/isa.h"
#include "tests/support/harness.h"

const struct tsr_format *tsr_problem_format(enum tsr_dtype code)
{
    static const char *const names[TSR_DTYPE_MAX] = {[TSR_F32] = "f32",
                                                     [TSR_F16] = "f16",
                                                     [TSR_BF16] = "bf16",
                                                     [TSR_I8] = "i8",
                                                     [TSR_I4] = "i4",
                                                     [TSR_Q8_0] = "q8_0",
                                                     [TSR_Q4_0] = "q4_0",
                                                     [TSR_Q4_K] = "q4_k",
                                                     [TSR_MXF4] = "mxf4",
                                                     [TSR_MXF8E4M3] = "mxf8e4m3",
                                                     [TSR_MXF8E5M2] = "mxf8e5m2"};
    static struct tsr_isa *isa;
    if (isa == NULL)
        assert_int_equal(tsr_isa_load(NULL, 0, &isa, NULL), TSR_OK);
    return tsr_isa_format(isa, names[code]);
}

/* Buffers between unmapped pages, at the one or the other, freed all at once. */
static struct {
    void *p;
    size_t bytes;
} buffers[32];
static int buffer_count;
static bool at_front;

void *tsr_problem_buffer(size_t bytes)
{
    assert_true(buffer_count < 32);
    void *p = at_front ? tsr_test_guarded_front(bytes) : tsr_test_guarded(bytes);
    buffers[buffer_count].p = p;
    buffers[buffer_count++].bytes = bytes;
    return p;
}

void tsr_problem_free_buffers(int keep)
{
    while (buffer_count > keep) {
        buffer_count--;
        tsr_test_unguard(buffers[buffer_count].p, buffers[buffer_count].bytes);
    }
}

/* ---- sources -------------------------------------------------------------------------------- */

static size_t weight_row_bytes(enum tsr_dtype f, size_t k)
{
    switch (f) {
    case TSR_F32:
        return 4 * k;
    case TSR_F16:
    case TSR_BF16:
        return 2 * k;
    case TSR_I4:
    case TSR_MXF4:
        return (k + 1) / 2;
    case TSR_Q8_0:
        return k / 32 * 34;
    case TSR_Q4_0:
        return k / 32 * 18;
    case TSR_Q4_K:
        return k / 256 * 144;
    default:
        return k;
    }
}

static uint32_t plain(enum tsr_dtype f, uint64_t *seed, bool specials)
{
    static const float extreme[] = {0.0f, -0.0f, 1e-6f, -1e4f, 1.0f, -1.0f};
    static const float special[] = {INFINITY, -INFINITY, NAN};
    float x = tsr_test_random_f32(seed);
    uint64_t r = tsr_test_random_below(seed, 512);
    if (specials && r < 1)
        x = special[tsr_test_random_below(seed, 3)];
    else if (r < 64)
        x = extreme[tsr_test_random_below(seed, 6)];
    return tsr_num_encode(tsr_problem_format(f), bits_of(x), TSR_ROUND_EVEN);
}

static void put(enum tsr_dtype f, void *at, size_t i, uint32_t code)
{
    uint16_t h = (uint16_t)code;
    if (f == TSR_F32)
        memcpy((uint8_t *)at + 4 * i, &code, 4);
    else
        memcpy((uint8_t *)at + 2 * i, &h, 2);
}

bool tsr_problem_plain(enum tsr_dtype f)
{
    return f == TSR_F32 || f == TSR_F16 || f == TSR_BF16;
}

/* An f16 scale: mostly ordinary, of either sign. */
static void put_half(uint8_t *at, uint64_t *seed, bool specials)
{
    uint32_t code = plain(TSR_F16, seed, specials);
    put(TSR_F16, at, 0, code);
}

/* A byte of codes whose magnitudes are largest. */
static uint8_t most_extreme(enum tsr_dtype format)
{
    switch (format) {
    case TSR_I8:
    case TSR_Q8_0:
        return 0x80; /* -128 */
    case TSR_I4:
        return 0x8F; /* -1 low, -8 high */
    case TSR_Q4_0:
        return 0; /* -8 */
    case TSR_MXF8E4M3:
        return 0xFE; /* -448 */
    case TSR_MXF8E5M2:
        return 0xFB; /* -57344 */
    default:
        return 0xFF; /* 15; -6 */
    }
}

static void fill_weights(struct tsr_problem *p, uint64_t *seed, bool specials)
{
    const size_t k = p->s.k;
    const uint64_t kind =
        p->extreme ? 0 : tsr_test_random_below(seed, 4); /* 0: all codes at their extremes */
    /* MX: half of the problems have no special element and no scale beyond its bounds. */
    const struct tsr_weights_layout *l = tsr_weights_layout(p->format);
    const bool tame = l->most > 0 && tsr_test_random_below(seed, 2) == 0;
    for (size_t n = 0; n < p->s.n; n++) {
        uint8_t *row = p->w + n * p->row_bytes;
        const size_t bytes = weight_row_bytes(p->format, k);
        for (size_t i = 0; i < bytes; i++) {
            row[i] = (uint8_t)tsr_test_random(seed);
            if (kind == 0)
                row[i] = most_extreme(p->format);
        }
        for (size_t i = 0; tame && l->special > 0 && i < bytes; i++)
            if ((row[i] & 0x7F) >= l->special)
                row[i] ^= 0x40;
        for (size_t i = 0; tsr_problem_plain(p->format) && i < k; i++)
            put(p->format, row, i, plain(p->format, seed, specials));
        const size_t block = p->format == TSR_Q8_0   ? 34
                             : p->format == TSR_Q4_0 ? 18
                             : p->format == TSR_Q4_K ? 144
                                                     : 0;
        for (size_t at = 0; block != 0 && at < bytes; at += block) {
            put_half(row + at, seed, specials);
            if (p->format == TSR_Q4_K)
                put_half(row + at + 2, seed, specials);
        }
        for (size_t i = 0; i < p->scale_bytes; i++) { /* E8M0 near 1, seldom far */
            uint64_t r = tsr_test_random_below(seed, 256);
            p->scales[n * p->scale_bytes + i] =
                r == 0 && specials ? 0xFF : (uint8_t)(r < 4 ? r * 63 : 120 + r % 12);
            if (tame && r < 4)
                p->scales[n * p->scale_bytes + i] = r < 2           ? l->least
                                                    : l->most < 190 ? l->most
                                                                    : 190;
        }
        if (p->format == TSR_I8 || p->format == TSR_I4) {
            float x = tsr_test_random_f32(seed);
            memcpy(p->scales + n * p->scale_bytes, &x, 4);
        }
    }
}

static void fill_a(struct tsr_problem *p, uint64_t *seed, bool specials)
{
    const size_t elems = p->s.m > 0 ? (p->s.m - 1) * p->lda + p->s.k : 0;
    const uint64_t kind = p->extreme ? 0 : tsr_test_random_below(seed, 4);
    for (size_t i = 0; i < elems; i++) {
        if (p->a_format == TSR_I8)
            ((int8_t *)p->a)[i] = kind == 0 ? -128 : (int8_t)tsr_test_random(seed);
        else if (kind == 0)
            put(p->a_format, p->a, i,
                tsr_num_encode(tsr_problem_format(p->a_format), bits_of(-1.0f), 0));
        else
            put(p->a_format, p->a, i, plain(p->a_format, seed, specials));
    }
    for (size_t i = 0; i < p->s.m; i++)
        p->a_scales[i] = tsr_test_random_f32(seed);
}

/* ---- their meaning -------------------------------------------------------------------------- */

static void mean_weights(struct tsr_problem *p)
{
    const size_t k = p->s.k;
    const struct tsr_format *f = tsr_problem_format(p->format);
    const bool integer = p->format == TSR_I8 || p->format == TSR_I4;
    struct tsr_num_quant q = {.format = f, .file_layout = f->family == TSR_FAMILY_GGUF};
    uint32_t *x = malloc((k + 1) * sizeof *x);
    assert_non_null(x);
    for (size_t n = 0; n < p->s.n; n++) {
        const uint8_t *row = p->w + n * p->row_bytes;
        if (k == 0)
            ; /* nothing to decode */
        else if (integer)
            tsr_num_decode_array(f, x, row, k);
        else if (tsr_problem_plain(p->format))
            for (size_t i = 0; i < k; i++) {
                uint32_t code = 0;
                memcpy(&code, row + f->bits / 8u * i, f->bits / 8u);
                x[i] = tsr_num_decode_f32(f, code);
            }
        else
            assert_int_equal(
                tsr_num_dequantize(&q, row, p->scales + n * p->scale_bytes, k, x, NULL), TSR_OK);
        for (size_t i = 0; i < k; i++)
            p->wv[n * k + i] = f->family == TSR_FAMILY_MX && fabsf(float_of(x[i])) < 0x1p-126f
                                   ? 0 /* no normal bf16 */
                                   : float_of(x[i]);
        float scale = 1;
        if (integer)
            memcpy(&scale, p->scales + n * p->scale_bytes, 4);
        p->column[n] = scale;
    }
    free(x);
}

bool tsr_problem_integer(enum tsr_dtype f)
{
    return tsr_weights_layout(f)->column_scale || tsr_weights_layout(f)->run > 0;
}

static void mean_a(struct tsr_problem *p)
{
    const size_t k = p->s.k;
    const struct tsr_format *from = tsr_problem_format(p->a_format),
                            *i8 = tsr_problem_format(TSR_I8);
    const bool to_bf16 =
        !tsr_problem_integer(p->format) && p->format != TSR_F32 && p->format != TSR_F16;
    uint32_t *x = malloc((k + 1) * sizeof *x);
    uint8_t *codes = malloc(k + 1);
    assert_true(x != NULL && codes != NULL);
    for (size_t m = 0; m < p->s.m; m++) {
        const uint8_t *row = (const uint8_t *)p->a + m * p->lda * from->bits / 8u;
        float scale = 1;
        for (size_t i = 0; i < k; i++) {
            uint32_t code = 0;
            memcpy(&code, row + from->bits / 8u * i, from->bits / 8u);
            x[i] = tsr_num_decode_f32(from, code);
            if (to_bf16)
                x[i] = tsr_num_encode(tsr_problem_format(TSR_BF16), x[i], TSR_ROUND_EVEN) << 16;
        }
        if (p->a_format == TSR_I8) {
            scale = p->a_scales[m];
        } else if (tsr_problem_integer(p->format) && k > 0) {
            struct tsr_num_quant q = {.format = i8, .scale_format = tsr_problem_format(TSR_F32)};
            assert_int_equal(tsr_num_quantize(&q, x, k, codes, &scale, NULL), TSR_OK);
            tsr_num_decode_array(i8, x, codes, k);
        }
        p->row[m] = scale;
        for (size_t i = 0; i < k; i++)
            p->av[m * k + i] = float_of(x[i]);
    }
    free(x);
    free(codes);
}

void tsr_problem_make(struct tsr_problem *p, uint64_t *seed, bool specials)
{
    const struct tsr_shape s = p->s;
    const bool mx = tsr_weights_layout(p->format)->group_bytes == 1;
    at_front = tsr_test_random_below(seed, 2) == 0;
    p->lda = s.k + s.pad;
    p->row_bytes = weight_row_bytes(p->format, s.k) + s.pad;
    p->scale_bytes = mx ? (s.k + 31) / 32 : tsr_weights_layout(p->format)->column_scale ? 4 : 0;
    p->a = tsr_problem_buffer((s.m > 0 ? (s.m - 1) * p->lda + s.k : 0) *
                              tsr_problem_format(p->a_format)->bits / 8u);
    p->w = tsr_problem_buffer(s.n > 0 ? (s.n - 1) * p->row_bytes + weight_row_bytes(p->format, s.k)
                                      : 0);
    p->scales = tsr_problem_buffer(s.n * p->scale_bytes);
    p->a_scales = tsr_problem_buffer(s.m * sizeof(float));
    p->av = malloc((s.m * s.k + 1) * sizeof(double));
    p->wv = malloc((s.n * s.k + 1) * sizeof(double));
    p->row = malloc((s.m + 1) * sizeof(double));
    p->column = malloc((s.n + 1) * sizeof(double));
    assert_true(p->av && p->wv && p->row && p->column);
    fill_weights(p, seed, specials);
    fill_a(p, seed, specials);
    mean_weights(p);
    mean_a(p);
}

void tsr_problem_free(struct tsr_problem *p)
{
    tsr_problem_free_buffers(0);
    free(p->av);
    free(p->wv);
    free(p->row);
    free(p->column);
}

int tsr_problem_buffers(void)
{
    return buffer_count;
}
