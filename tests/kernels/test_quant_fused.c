/* SPDX-License-Identifier: Apache-2.0 */
/* Norms and activations that end in codes: the bits of the two steps one after the other by the
 * references, in every format and on every processor. Buffers end at unmapped pages. */
#include "tests/support/harness.h"

#include <math.h>
#include <string.h>

#include "tessera/cpu.h"
#include "tessera/quant.h"
#include "tessera/vecmath.h"

static const enum tsr_dtype formats[] = {TSR_I8,       TSR_F8E4M3,   TSR_MXF8E4M3, TSR_MXF4,
                                         TSR_Q8_0,     TSR_Q4_0,     TSR_F8E5M2,   TSR_MXF8E5M2,
                                         TSR_MXF6E3M2, TSR_MXF6E2M3, TSR_MXI8,     TSR_MX9,
                                         TSR_MX6,      TSR_MX4,      TSR_NVF4};
enum {
    FORMATS = sizeof formats / sizeof formats[0],
    TUNED = 6, /* of them have variants */
    ROWS = 2,
    MOST = 17500, /* beyond what a row of i8 may keep */
    PAD = 3,
    KINDS = 5
};

/* Kinds: 0 plain; 1 with outliers; 2 a special every now and then; 3 rows whose squares leave the
 * range of f32, above and below; 4 zeros and a few others. */
static uint32_t value(uint64_t *s, unsigned kind)
{
    static const uint32_t special[] = {0x7F800000, 0xFF800000, 0x7FC00000, 0x80000000};
    uint64_t r = tsr_test_random(s);
    float v = tsr_test_random_f32(s);
    uint32_t u;
    if (kind == 2 && r % 700 == 0)
        return special[r >> 12 & 3];
    if (kind == 1)
        v = r % 61 == 7 ? v * 300 : v;
    if (kind == 3)
        v = ldexpf(v, r % 3 == 0 ? 70 : -70);
    if (kind == 4 && r % 40 != 0)
        v = 0;
    v *= 5;
    memcpy(&u, &v, sizeof u);
    return u;
}

/* ROWS rows at a page's end and the same as f32, bf16's upper halves if so. */
static void *input(uint64_t *s, unsigned kind, bool bf16, size_t n, float *wide)
{
    const size_t size = bf16 ? 2 : 4, all = (ROWS - 1) * (n + PAD) + n;
    char *x = tsr_test_guarded(size * all);
    for (size_t i = 0; i < all; i++) {
        uint32_t u = value(s, kind);
        u = bf16 ? u & 0xFFFF0000 : u;
        memcpy(x + size * i, (const char *)&u + 4 - size, size);
        memcpy(&wide[i], &u, 4);
    }
    return x;
}

static void same(enum tsr_dtype format, const char *what, size_t n, size_t group, unsigned kind,
                 const uint8_t *got, const uint8_t *want, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (got[i] != want[i])
            fail_msg("format %d, %zu columns in groups of %zu, kind %u: %s byte %zu is %02x, not "
                     "%02x",
                     (int)format, n, group, kind, what, i, got[i], want[i]);
}

struct problem {
    enum tsr_dtype format;
    size_t n, group;
    unsigned kind, turn;
    bool bf16, gate;
};

static struct tsr_gate act_of(unsigned turn)
{
    return (struct tsr_gate){(enum tsr_activation)(turn % 4), 7, 1.702};
}

static void fused(const struct problem *p, const struct tsr_quant *q, const void *x, const void *up,
                  const float *w, uint8_t *elements, uint8_t *scales)
{
    const size_t stride = p->n + PAD;
    struct tsr_gate act = act_of(p->turn);
    enum tsr_status st;
    if (p->gate && p->bf16)
        st = tsr_gate_quantize_bf16(q, act, x, stride, up, stride, elements, scales, NULL);
    else if (p->gate)
        st = tsr_gate_quantize_f32(q, act, x, stride, up, stride, elements, scales, NULL);
    else if (p->bf16)
        st = tsr_rmsnorm_quantize_bf16(q, 1e-5, x, stride, w, elements, scales, NULL);
    else
        st = tsr_rmsnorm_quantize_f32(q, 1e-5, x, stride, w, elements, scales, NULL);
    assert_int_equal(st, TSR_OK);
}

static void in_steps(const struct problem *p, const struct tsr_quant *q, const float *x,
                     const float *up, const float *w, uint8_t *elements, uint8_t *scales)
{
    static float y[ROWS * (MOST + PAD)];
    const size_t stride = p->n + PAD;
    struct tsr_gate act = act_of(p->turn);
    for (size_t i = 0; i < ROWS && p->gate; i++)
        tsr_gate_f32(act.act, act.limit, act.alpha, p->n, x + i * stride, up + i * stride,
                     y + i * stride);
    if (!p->gate)
        tsr_rmsnorm_f32(ROWS, p->n, 1e-5, x, stride, w, y, stride);
    assert_int_equal(tsr_quantize_f32(q, y, stride, elements, scales, NULL), TSR_OK);
}

static void check(const struct problem *p, uint64_t *s)
{
    static float wide[2][ROWS * (MOST + PAD)], weight[MOST];
    static uint8_t want_e[4 * ROWS * MOST], want_s[ROWS * MOST];
    struct tsr_quant q = {.format = p->format, .rows = ROWS, .cols = p->n, .group = p->group};
    size_t eb, sb, all = (ROWS - 1) * (p->n + PAD) + p->n, size = p->bf16 ? 2 : 4;
    assert_int_equal(tsr_quant_row_bytes(&q, &eb, &sb, NULL), TSR_OK);
    q.element_stride = eb + 1;
    q.scale_stride = sb + 3;
    void *x = input(s, p->kind, p->bf16, p->n, wide[0]);
    void *up = input(s, p->kind == 3 ? 0 : p->kind, p->bf16, p->n, wide[1]);
    float *w = tsr_test_guarded(4 * p->n);
    uint8_t *e = tsr_test_guarded(q.element_stride + eb);
    uint8_t *sc = tsr_test_guarded(q.scale_stride + sb);
    for (size_t i = 0; i < p->n; i++)
        w[i] = weight[i] = tsr_test_random_f32(s) + 1;
    memset(e, 0xA5, q.element_stride + eb);
    memset(sc, 0xA5, q.scale_stride + sb);
    memset(want_e, 0xA5, q.element_stride + eb);
    memset(want_s, 0xA5, q.scale_stride + sb);
    fused(p, &q, x, up, p->turn % 3 ? w : NULL, e, sc);
    assert_int_equal(tsr_cpu_limit("ref", NULL), TSR_OK);
    in_steps(p, &q, wide[0], wide[1], p->turn % 3 ? weight : NULL, want_e, want_s);
    assert_int_equal(tsr_cpu_limit("native", NULL), TSR_OK);
    same(p->format, "element", p->n, p->group, p->kind, e, want_e, q.element_stride + eb);
    same(p->format, "scale", p->n, p->group, p->kind, sc, want_s, q.scale_stride + sb);
    tsr_test_unguard(x, size * all);
    tsr_test_unguard(up, size * all);
    tsr_test_unguard(w, 4 * p->n);
    tsr_test_unguard(e, q.element_stride + eb);
    tsr_test_unguard(sc, q.scale_stride + sb);
}

static bool whole_blocks(enum tsr_dtype format)
{
    return format == TSR_Q8_0 || format == TSR_Q4_0;
}

/* Formats by turns over sizes around blocks, vectors and pieces. */
static void all_formats(bool gate, uint64_t s)
{
    static const size_t sizes[] = {1, 31, 33, 96, 257, 1023, 1024, 1025, 1100, 2080, 3333};
    static const size_t groups[] = {0, 32, 5, 1030, 1024, 300};
    const unsigned rounds = tsr_test_nightly() ? 6 : 1;
    struct problem p = {.gate = gate};
    for (unsigned round = 0; round < rounds; round++)
        for (int f = 0; f < FORMATS; f++)
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++, p.turn++) {
                /* Formats without variants are the same code everywhere. */
                if (tsr_test_emulated() && i % 6 != (size_t)f % 6 && (f >= TUNED || i % 2))
                    continue;
                p.format = formats[f];
                p.n = whole_blocks(p.format) ? (sizes[i] + 31) / 32 * 32 : sizes[i];
                p.group = p.format == TSR_I8 ? groups[(i + round) % 6] : 0;
                p.kind = (unsigned)(i + (size_t)f + round) % KINDS;
                p.bf16 = (i + round) % 2;
                check(&p, &s);
            }
}

static void test_quant_fused_norm_equals_its_steps(void **state)
{
    (void)state;
    all_formats(false, tsr_test_seed("fused norm", 1));
}

static void test_quant_fused_gate_equals_its_steps(void **state)
{
    (void)state;
    all_formats(true, tsr_test_seed("fused gate", 2));
}

/* i8 under one scale: rows kept whole, and such as are computed twice. */
static void test_quant_fused_long_rows_of_i8(void **state)
{
    static const size_t sizes[] = {16384, 16385, MOST};
    uint64_t s = tsr_test_seed("fused long rows", 3);
    (void)state;
    for (unsigned i = 0; i < 6; i += tsr_test_emulated() ? 2 : 1) {
        struct problem p = {.format = TSR_I8,
                            .n = sizes[i % 3],
                            .kind = (unsigned[]){0, 1, 3}[i % 3],
                            .turn = i,
                            .bf16 = i / 2 % 2,
                            .gate = i / 3};
        check(&p, &s);
    }
}

static void test_quant_fused_refusals_write_nothing(void **state)
{
    struct tsr_quant q = {.format = TSR_Q8_0, .rows = 1, .cols = 33};
    struct tsr_error err = {0};
    const float x[33] = {1};
    uint8_t e[64] = {7}, sc[64] = {7};
    (void)state;
    assert_int_equal(tsr_rmsnorm_quantize_f32(&q, 0, x, 33, NULL, e, sc, &err), TSR_BAD_INPUT);
    assert_non_null(strstr(err.message, "33 elements"));
    q.format = TSR_Q4_K;
    err = (struct tsr_error){0};
    assert_int_equal(tsr_gate_quantize_f32(&q, act_of(0), x, 33, x, 33, e, sc, &err), TSR_USAGE);
    assert_non_null(strstr(err.message, "allowed: f8e4m3"));
    assert_int_equal(e[0], 7);
    assert_int_equal(sc[0], 7);
    q = (struct tsr_quant){.format = TSR_I8, .rows = 2, .cols = 0};
    assert_int_equal(tsr_rmsnorm_quantize_f32(&q, 0, x, 0, NULL, e, sc, &err), TSR_OK);
    assert_int_equal(sc[0], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quant_fused_norm_equals_its_steps),
        cmocka_unit_test(test_quant_fused_gate_equals_its_steps),
        cmocka_unit_test(test_quant_fused_long_rows_of_i8),
        cmocka_unit_test(test_quant_fused_refusals_write_nothing),
    };
    tsr_cpu_limit("native", NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
