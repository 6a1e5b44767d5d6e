/* SPDX-License-Identifier: Apache-2.0 */
/* int32 sums back to values: every variant to the bit of single f32 steps and isa/num's formats,
 * and of the simulated machine's kernel. Buffers end at unmapped pages, at any alignment. */
#include "tests/support/harness.h"

#include <math.h>
#include <string.h>

#include "isa/num/num.h"
#include "kernels/cpu/variants.h"
#include "kernels/npu/requantize.h"
#include "tessera/cpu.h"
#include "tessera/quant.h"
#include "tessera/sim.h"

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

static const uint32_t nan_bits = TSR_NUM_NAN;

static float from_bits(uint32_t u)
{
    float v;
    memcpy(&v, &u, sizeof v);
    return v;
}

static uint32_t bits_of(float v)
{
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    return isnan(v) ? nan_bits : u;
}

/* Small sums, the ends of the range, any. */
static int32_t sum(uint64_t *s)
{
    static const int32_t ends[] = {INT32_MAX, INT32_MIN, 0, INT32_MIN + 1};
    uint64_t r = tsr_test_random(s);
    switch (r % 4) {
    case 0:
        return (int32_t)(r >> 8 & 31) - 16;
    case 1:
        return ends[r >> 8 & 3];
    default:
        return (int32_t)(uint32_t)(r >> 32) >> (r >> 8 & 31);
    }
}

/* Kinds: 0 products near +-200, so that some saturate; 1 any finite scale, underflow and overflow;
 * 2 specials every now and then. */
enum {
    KINDS = 3
};

static float scale(uint64_t *s, unsigned kind)
{
    static const uint32_t special[] = {0x7F800000, 0xFF800000, 0x7FC00000, 0,
                                       0x80000000, 1,          0x7F7FFFFF, 0x7FC00000};
    uint64_t r = tsr_test_random(s);
    if (kind == 1)
        return from_bits((uint32_t)(r % 0x7F800000) | (uint32_t)(r >> 63) << 31);
    if (kind == 2 && r % 20 == 0)
        return from_bits(special[r >> 8 & 7]);
    return ldexpf(tsr_test_random_f32(s), (int)(r % 12) - 12);
}

/* The definition, step by step. */
static float exact(int32_t x, float row, float column, const float *bias)
{
    float y = (float)x;
    y *= row;
    y *= column;
    return bias != NULL ? y + *bias : y;
}

static uint32_t code(enum tsr_dtype format, float y, float r)
{
    if (format == TSR_I8) {
        y *= r;
        y = y > 127 ? 127 : y < -127 ? -127 : y; /* never -128 */
    }
    return tsr_num_encode(&isa->formats[format], bits_of(y), TSR_ROUND_EVEN);
}

static size_t size_of(enum tsr_dtype format)
{
    return isa->formats[format].bits / 8;
}

static void check(const struct tsr_variant *v, enum tsr_dtype format, size_t n, bool biased,
                  unsigned kind, uint64_t *s)
{
    int32_t *x = tsr_test_guarded(4 * n);
    float *column = tsr_test_guarded(4 * n), *bias = tsr_test_guarded(4 * n);
    uint8_t *y = tsr_test_guarded(size_of(format) * n);
    float row = scale(s, kind), r = 1.0f / ldexpf(1.3f, (int)tsr_test_random_below(s, 9) - 4);
    for (size_t i = 0; i < n; i++) {
        x[i] = sum(s);
        column[i] = scale(s, kind);
        bias[i] = scale(s, kind);
    }
    memset(y, 0xA5, size_of(format) * n);
    ((tsr_requantize_row_fn *)v->function)(n, x, row, column, biased ? bias : NULL, r, y);
    for (size_t i = 0; i < n; i++) {
        uint32_t got = 0;
        uint32_t want = code(format, exact(x[i], row, column[i], biased ? &bias[i] : NULL), r);
        memcpy(&got, y + size_of(format) * i, size_of(format));
        if (got != want)
            fail_msg("%s %s, element %zu of %zu, kind %u: %d * %a * %a + %a is %x, not %x",
                     tsr_op_name(v->op), v->name, i, n, kind, (int)x[i], (double)row,
                     (double)column[i], biased ? (double)bias[i] : 0.0, (unsigned)got,
                     (unsigned)want);
    }
    tsr_test_unguard(x, 4 * n);
    tsr_test_unguard(column, 4 * n);
    tsr_test_unguard(bias, 4 * n);
    tsr_test_unguard(y, size_of(format) * n);
}

static void test_requantize_variants_equal_definition(void **state)
{
    static const size_t sizes[] = {1, 3, 15, 16, 17, 31, 33, 64, 100, 127, 257, 300};
    uint64_t s = tsr_test_seed("requantize variants", 1);
    unsigned rounds = tsr_test_nightly() ? 40 : 4, seen = 0;
    (void)state;
    for (size_t i = 0; i < tsr_variant_count; i++) {
        const struct tsr_variant *v = &tsr_variants[i];
        enum tsr_dtype format = v->op == TSR_OP_requantize_f32    ? TSR_F32
                                : v->op == TSR_OP_requantize_bf16 ? TSR_BF16
                                                                  : TSR_I8;
        if ((format == TSR_I8 && v->op != TSR_OP_requantize_i8) ||
            (v->features & ~tsr_cpu_features()) != 0)
            continue;
        seen++;
        for (unsigned round = 0; round < rounds; round++)
            for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
                check(v, format, sizes[k], (round + k) % 2, (unsigned)(round + k / 2) % KINDS, &s);
    }
    assert_true(seen >= 3);
}

/* ---- the public function -------------------------------------------------------------------- */

enum {
    ROWS = 5,
    MOST = 700,
    PAD = 3
};

struct sums {
    int32_t x[ROWS * (MOST + PAD)];
    float row[ROWS], column[MOST], bias[MOST];
};

/* `other`: NaNs of other bits than the machine's, 1: of a row, 2: of columns, too. */
static void fill(struct sums *m, unsigned other, uint64_t *s)
{
    for (size_t i = 0; i < ROWS * (MOST + PAD); i++)
        m->x[i] = sum(s);
    for (size_t i = 0; i < ROWS; i++)
        m->row[i] = i == 3 && other > 0 ? from_bits(0xFF800001) : scale(s, 0);
    for (size_t i = 0; i < MOST; i++) {
        m->column[i] = i % 50 == 49 && other > 1 ? from_bits(0xFFC12345) : scale(s, 0);
        m->bias[i] = i % 70 == 60 && other > 1 ? from_bits(0x7F800123) : scale(s, 0);
    }
}

static void test_requantize_public_equals_definition_with_strides(void **state)
{
    static const enum tsr_dtype formats[] = {TSR_F32, TSR_BF16, TSR_I8};
    static struct sums m;
    static uint8_t y[4 * ROWS * (MOST + PAD)];
    static const float given[ROWS] = {0.5f, 3, 0.01f, 7, 1};
    uint64_t s = tsr_test_seed("requantize public", 2);
    (void)state;
    for (unsigned turn = 0; turn < 24; turn++) {
        const enum tsr_dtype format = formats[turn % 3];
        const size_t n = turn < 6 ? MOST : 1 + tsr_test_random_below(&s, MOST), z = size_of(format);
        const bool biased = turn / 3 % 2;
        struct tsr_requantize op = {.y_format = format,
                                    .rows = ROWS,
                                    .cols = n,
                                    .x = m.x,
                                    .x_stride = n + PAD,
                                    .row = m.row,
                                    .column = m.column,
                                    .bias = biased ? m.bias : NULL,
                                    .y = y,
                                    .y_stride = n + 1,
                                    .given = format == TSR_I8 ? given : NULL,
                                    .given_step = turn / 6 % 2};
        fill(&m, turn % 4, &s);
        memset(y, 0xA5, sizeof y);
        assert_int_equal(tsr_requantize_run(&op, NULL), TSR_OK);
        for (size_t i = 0; i < ROWS; i++)
            for (size_t k = 0; k <= n; k++) {
                uint32_t got = 0, want = 0xA5A5A5A5 >> (32 - 8 * z); /* between the rows */
                float r = 1.0f / given[i * op.given_step];
                if (k < n)
                    want = code(format,
                                exact(m.x[i * op.x_stride + k], m.row[i], m.column[k],
                                      biased ? &m.bias[k] : NULL),
                                r);
                memcpy(&got, y + z * (i * op.y_stride + k), z);
                if (got != want)
                    fail_msg("turn %u, row %zu, column %zu of %zu: %x, not %x", turn, i, k, n,
                             (unsigned)got, (unsigned)want);
            }
    }
}

/* Scales found are those of the f32 rows, short ones and such as are computed twice. */
static void test_requantize_dynamic_equals_f32_then_quantize(void **state)
{
    static const size_t sizes[] = {1, 97, 1024, 16384, 16385, 17500};
    static int32_t x[2 * 17500];
    static float column[17500], y[2 * 17500];
    static int8_t got[2 * 17500], want[2 * 17500];
    uint64_t s = tsr_test_seed("requantize dynamic", 3);
    (void)state;
    for (size_t i = 0; i < 2 * 17500; i++)
        x[i] = sum(&s);
    for (size_t i = 0; i < 17500; i++)
        column[i] = scale(&s, 0);
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const size_t n = sizes[k];
        const float row[2] = {scale(&s, 0), k == 2 ? INFINITY : 0.01f};
        float got_scale[2], want_scale[2];
        struct tsr_requantize op = {.y_format = TSR_I8,
                                    .rows = 2,
                                    .cols = n,
                                    .x = x,
                                    .x_stride = n,
                                    .row = row,
                                    .column = column,
                                    .bias = k % 2 ? column : NULL,
                                    .y = got,
                                    .y_stride = n,
                                    .found = got_scale};
        const struct tsr_quant q = {
            .format = TSR_I8, .rows = 2, .cols = n, .element_stride = n, .scale_stride = 4};
        assert_int_equal(tsr_requantize_run(&op, NULL), TSR_OK);
        op.y_format = TSR_F32;
        op.y = y;
        assert_int_equal(tsr_requantize_run(&op, NULL), TSR_OK);
        assert_int_equal(tsr_quantize_f32(&q, y, n, want, want_scale, NULL), TSR_OK);
        assert_memory_equal(got_scale, want_scale, sizeof want_scale);
        assert_memory_equal(got, want, 2 * n);
    }
}

static void test_requantize_refusals_write_nothing(void **state)
{
    const int32_t x[4] = {1, 2, 3, 4};
    const float ones[4] = {1, 1, 1, 1}, scales[2] = {1, 0};
    int8_t y[4] = {9, 9, 9, 9};
    float found[2] = {9, 9};
    struct tsr_error err = {0};
    struct tsr_requantize op = {.y_format = TSR_F16,
                                .rows = 2,
                                .cols = 2,
                                .x = x,
                                .x_stride = 2,
                                .row = ones,
                                .column = ones,
                                .y = y,
                                .y_stride = 2};
    (void)state;
    assert_int_equal(tsr_requantize_run(&op, &err), TSR_USAGE);
    assert_non_null(strstr(err.message, "allowed: f32 bf16 i8"));
    op.y_format = TSR_I8;
    assert_int_equal(tsr_requantize_run(&op, &err), TSR_USAGE);
    op.given = scales;
    op.found = found;
    assert_int_equal(tsr_requantize_run(&op, &err), TSR_USAGE);
    op.found = NULL;
    op.given_step = 1;
    err = (struct tsr_error){0};
    assert_int_equal(tsr_requantize_run(&op, &err), TSR_BAD_INPUT);
    assert_non_null(strstr(err.message, "scale 0 of row 1"));
    for (int i = 0; i < 4; i++)
        assert_int_equal(y[i], 9);
    assert_true(found[0] == 9);
    op.rows = 0;
    assert_int_equal(tsr_requantize_run(&op, &err), TSR_OK);
}

/* ---- the simulated machine ------------------------------------------------------------------ */

static void run_machine(const struct tsr_chip *chip, const struct tsr_requantize *op, void *y)
{
    struct tsr_npu_requantize npu = {.rows = op->rows,
                                     .cols = op->cols,
                                     .y_format = op->y_format,
                                     .y_scale = op->given != NULL ? (double)*op->given : 0,
                                     .x = TSR_HBM(0),
                                     .row = TSR_HBM(1 << 20),
                                     .column = TSR_HBM(2 << 20),
                                     .bias = op->bias != NULL ? TSR_HBM(3 << 20) : 0,
                                     .y = TSR_HBM(4 << 20)};
    const struct tsr_run_options options = {.mode = TSR_MODE_FUNCTIONAL};
    const size_t n = op->rows * op->cols;
    struct tsr_program p = {0};
    struct tsr_sim *sim;
    struct tsr_stats stats;
    struct tsr_error err = {0};
    assert_int_equal(tsr_npu_requantize(isa, chip, &npu, &p, &err), TSR_OK);
    assert_int_equal(tsr_sim_create(chip, isa, &sim, &err), TSR_OK);
    assert_int_equal(tsr_sim_write(sim, npu.x, op->x, 4 * n, &err), TSR_OK);
    assert_int_equal(tsr_sim_write(sim, npu.row, op->row, 4 * op->rows, &err), TSR_OK);
    assert_int_equal(tsr_sim_write(sim, npu.column, op->column, 4 * op->cols, &err), TSR_OK);
    if (op->bias != NULL)
        assert_int_equal(tsr_sim_write(sim, npu.bias, op->bias, 4 * op->cols, &err), TSR_OK);
    if (tsr_sim_run(sim, &p, &options, &stats, NULL, &err) != TSR_OK)
        fail_msg("%s", err.message);
    assert_int_equal(tsr_sim_read(sim, npu.y, y, size_of(op->y_format) * n, &err), TSR_OK);
    tsr_sim_destroy(sim);
    tsr_program_free(&p);
}

static void test_requantize_is_the_machines(void **state)
{
    static const enum tsr_dtype formats[] = {TSR_F32, TSR_BF16, TSR_I8};
    static const float given = 0.02f;
    static struct sums m;
    static uint8_t got[4 * ROWS * MOST], want[4 * ROWS * MOST];
    struct tsr_chip micro;
    uint64_t s = tsr_test_seed("requantize machine", 4);
    (void)state;
    assert_int_equal(tsr_chip_load("micro", &micro, NULL), TSR_OK);
    for (unsigned turn = 0; turn < 6; turn++) {
        struct tsr_requantize op = {.y_format = formats[turn % 3],
                                    .rows = ROWS,
                                    .cols = 130,
                                    .x = m.x,
                                    .x_stride = 130,
                                    .row = m.row,
                                    .column = m.column,
                                    .bias = turn / 3 ? m.bias : NULL,
                                    .y = got,
                                    .y_stride = 130,
                                    .given = turn % 3 == 2 ? &given : NULL};
        fill(&m, 2 * (turn / 3), &s);
        m.column[7] = INFINITY; /* times 0, and alone */
        assert_int_equal(tsr_requantize_run(&op, NULL), TSR_OK);
        run_machine(&micro, &op, want);
        assert_memory_equal(got, want, size_of(op.y_format) * op.rows * op.cols);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requantize_variants_equal_definition),
        cmocka_unit_test(test_requantize_public_equals_definition_with_strides),
        cmocka_unit_test(test_requantize_dynamic_equals_f32_then_quantize),
        cmocka_unit_test(test_requantize_refusals_write_nothing),
        cmocka_unit_test(test_requantize_is_the_machines),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
