/* SPDX-License-Identifier: Apache-2.0 */
/* labels: slow nosan */
/* Quantization kernels beyond what the suite checks: refusals, and the rates of the large chip. */
#include "tests/support/harness.h"

#include <stdio.h>
#include <string.h>

#include "kernels/npu/quantize.h"
#include "kernels/npu/requantize.h"
#include "tessera/sim.h"

static struct tsr_isa *isa;
static struct tsr_chip maia;

static int setup(void **state)
{
    struct tsr_error err = {0};
    (void)state;
    return tsr_isa_load(NULL, 0, &isa, &err) || tsr_chip_load("maia100", &maia, &err);
}

static int teardown(void **state)
{
    (void)state;
    tsr_isa_free(isa);
    return 0;
}

#define AT(i) TSR_HBM((uint64_t)(i) << 31)

#define REFUSES(kernel, word, ...)                                                                 \
    do {                                                                                           \
        const struct tsr_npu_##kernel refused = {__VA_ARGS__};                                     \
        struct tsr_program p = {0};                                                                \
        struct tsr_error why = {0};                                                                \
        assert_int_equal(tsr_npu_##kernel(isa, &maia, &refused, &p, &why), TSR_BAD_INPUT);         \
        if (strstr(why.message, word) == NULL)                                                     \
            fail_msg("\"%s\" lacks \"%s\"", why.message, word);                                    \
        assert_null(p.tcp);                                                                        \
    } while (0)

static void test_quantize_bad_shape_or_format_is_refused(void **state)
{
    struct tsr_npu_slab slab;
    struct tsr_error err = {0};
    (void)state;
    assert_int_equal(tsr_npu_slab_plan(isa, &maia, TSR_MX6, TSR_MX6, 4, 64, &slab, &err), TSR_OK);
    REFUSES(quantize, "1 to 2^32", .rows = 1, .y_format = TSR_MX9);
    REFUSES(quantize, "f32, bf16 or f16", .rows = 1, .k = 1, .x_format = TSR_I8,
            .y_format = TSR_MX9);
    REFUSES(quantize, "slab plan", .rows = 5, .k = 64, .y_format = TSR_MX6, .slab = &slab);
    REFUSES(quantize, "slab plan", .rows = 4, .k = 64, .y_format = TSR_MX9, .slab = &slab);
    REFUSES(quantize, "tensor scale", .rows = 1, .k = 1, .y_format = TSR_NVF4, .tensor_scale = -1);
    REFUSES(quantize, "i8 and i4", .rows = 1, .k = 1, .y_format = TSR_I32);
    REFUSES(quantize, "groups", .rows = 1, .k = 9, .y_format = TSR_I8, .group = 4);
    REFUSES(quantize, "given scale", .rows = 1, .k = 9, .y_format = TSR_I8, .given_scale = -1);
    REFUSES(quantize, "scales", .rows = 1, .k = 9, .y_format = TSR_I8, .scale_format = TSR_F8E4M3);
    REFUSES(quantize, "do not fit", .rows = 1, .k = 1 << 24, .y_format = TSR_MX9);
    REFUSES(dequantize, "no scales", .rows = 1, .k = 1, .x_format = TSR_BF16);
    REFUSES(dequantize, "y is", .rows = 1, .k = 1, .x_format = TSR_MX9, .y_format = TSR_I8);
    REFUSES(dequantize, "groups", .rows = 1, .k = 9, .x_format = TSR_I8, .group = 4);
    REFUSES(rmsnorm_quantize, "block format", .rows = 1, .cols = 1, .to = {.format = TSR_BF16});
    REFUSES(rmsnorm_quantize, "scales", .rows = 1, .cols = 1,
            .to = {.format = TSR_I8, .scale_format = TSR_I4});
    REFUSES(rmsnorm_quantize, "does not load", .rows = 1, .cols = 1, .w = 1, .w_format = TSR_MX4,
            .to = {.format = TSR_MX9});
    REFUSES(activation_quantize, "silu", .rows = 1, .cols = 1, .activation = TSR_ACT_GELU,
            .to = {.format = TSR_MX9});
    REFUSES(requantize, "scale of i8", .rows = 1, .cols = 1, .y_format = TSR_I8);
}

/* ---- rates ---------------------------------------------------------------------------------- */

enum {
    ROWS = 4096,
    K = 4096
};

/* Cycles in which routines ran, over all tiles; setups are short. */
static void add_routine(void *self, uint32_t tile, enum tsr_queue q, uint32_t pc, uint64_t start,
                        uint64_t end)
{
    uint64_t *cycles = self;
    (void)tile;
    (void)pc;
    if (q == TSR_Q_TVP && end - start > 100)
        *cycles += end - start + 1;
}

/* A timing run: `bytes` over HBM take at least `share` of its pins' rate, and the routines at most
 * `most` cycles for each vector of 64 values. */
static void reaches(const char *name, struct tsr_program *p, double bytes, double share,
                    double most)
{
    struct tsr_sim *sim;
    struct tsr_stats stats;
    struct tsr_error err = {0};
    uint64_t busy = 0;
    struct tsr_run_options o = {
        .mode = TSR_MODE_TIMING, .retired = add_routine, .retired_self = &busy};
    if (tsr_sim_create(&maia, isa, &sim, &err) || tsr_sim_run(sim, p, &o, &stats, NULL, &err))
        fail_msg("%s", err.message);
    tsr_sim_destroy(sim);
    tsr_program_free(p);
    const struct tsr_hbm_config *h = &maia.hbm;
    double rate =
        (double)h->stacks * h->channels * h->channel_bits / 4 * h->clock_num / h->clock_den;
    double got = bytes / (rate * (double)stats.cycles), each = (double)busy / (ROWS * (K / 64.0));
    print_message("%s: %llu cycles, %.1f %% of HBM, %.2f vector cycles per 64 values\n", name,
                  (unsigned long long)stats.cycles, 100 * got, each);
    if (got < share || each > most)
        fail_msg("%s: %.1f %% of HBM, %.2f cycles; wanted %.1f %%, at most %.2f", name, 100 * got,
                 each, 100 * share, most);
}

/* Half of the vector unit's issue slots. For 64 values, powers of two take a load, two stores and
 * three arithmetic words: 3 cycles. The other scales take a reciprocal more: 4. Integers are read
 * twice and stored once: 3. A slab's last vector may be half full: ceil(ks / 64) 64 / ks of it, and
 * the last slab of the row too. */
static double bound(const struct tsr_format *f, const struct tsr_npu_slab *slab)
{
    bool power = f->family == TSR_FAMILY_MX || f->family == TSR_FAMILY_SMX;
    double words = f->block == 1 || power ? 3 : 4;
    double vectors = f->block == 1 ? K / 64.0 : (double)slab->slabs * ((slab->ks + 63) / 64);
    return 2 * words * vectors / (K / 64.0);
}

static void test_quantize_on_maia100_takes_half_the_issue_slots(void **state)
{
    static const struct {
        enum tsr_dtype y;
        double share; /* of HBM, from bf16 */
    } rows[] = {{TSR_MX9, 0.93},  {TSR_MX6, 0.90},  {TSR_MX4, 0.90},  {TSR_MXF8E4M3, 0.91},
                {TSR_MXF4, 0.87}, {TSR_NVF4, 0.86}, {TSR_Q8_0, 0.90}, {TSR_I8, 0.91}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct tsr_format *f = &isa->formats[rows[i].y];
        struct tsr_npu_slab slab = {0};
        struct tsr_error err = {0};
        struct tsr_program p = {0};
        struct tsr_npu_quantize op = {.rows = ROWS,
                                      .k = K,
                                      .x_format = TSR_BF16,
                                      .y_format = rows[i].y,
                                      .x = AT(0),
                                      .y = AT(1),
                                      .scales = AT(2)};
        double bytes = (double)ROWS * K + 4.0 * ROWS;
        if (f->block > 1) {
            assert_int_equal(
                tsr_npu_slab_plan(isa, &maia, rows[i].y, rows[i].y, ROWS, K, &slab, &err), TSR_OK);
            op.slab = &slab;
            bytes = (double)tsr_npu_slab_bytes(&slab);
        }
        assert_int_equal(tsr_npu_quantize(isa, &maia, &op, &p, &err), TSR_OK);
        reaches(f->name, &p, bytes + 2.0 * ROWS * K, rows[i].share, bound(f, &slab));
    }
}

static void test_quantize_fused_and_back_on_maia100(void **state)
{
    struct tsr_npu_slab slab;
    struct tsr_error err = {0};
    struct tsr_program p = {0};
    (void)state;
    assert_int_equal(tsr_npu_slab_plan(isa, &maia, TSR_MX6, TSR_MX6, ROWS, K, &slab, &err), TSR_OK);
    double bytes = (double)tsr_npu_slab_bytes(&slab), values = 2.0 * ROWS * K;
    const struct tsr_npu_quantized to = {.format = TSR_MX6, .slab = &slab, .y = AT(3)};
    const struct tsr_npu_rmsnorm_quantize norm = {.rows = ROWS,
                                                  .cols = K,
                                                  .eps = 1e-5,
                                                  .x_format = TSR_BF16,
                                                  .w_format = TSR_BF16,
                                                  .x = AT(0),
                                                  .w = AT(1),
                                                  .to = to};
    assert_int_equal(tsr_npu_rmsnorm_quantize(isa, &maia, &norm, &p, &err), TSR_OK);
    reaches("norm to mx6", &p, bytes + values, 0.80, 12);
    const struct tsr_npu_activation_quantize gate = {
        .rows = ROWS, .cols = K, .in_format = TSR_BF16, .gate = AT(0), .up = AT(1), .to = to};
    assert_int_equal(tsr_npu_activation_quantize(isa, &maia, &gate, &p, &err), TSR_OK);
    reaches("silu gate to mx6", &p, bytes + 2 * values, 0.91, 12);
    const struct tsr_npu_dequantize back = {.rows = ROWS,
                                            .k = K,
                                            .x_format = TSR_MX6,
                                            .y_format = TSR_BF16,
                                            .slab = &slab,
                                            .x = AT(0),
                                            .y = AT(1)};
    assert_int_equal(tsr_npu_dequantize(isa, &maia, &back, &p, &err), TSR_OK);
    reaches("mx6 to bf16", &p, bytes + values, 0.91, 7);
    const struct tsr_npu_requantize sums = {.rows = ROWS,
                                            .cols = K,
                                            .y_format = TSR_BF16,
                                            .x = AT(0),
                                            .row = AT(1),
                                            .column = AT(2),
                                            .bias = AT(3),
                                            .y = AT(4)};
    assert_int_equal(tsr_npu_requantize(isa, &maia, &sums, &p, &err), TSR_OK);
    reaches("i32 sums to bf16", &p, 3 * values, 0.94, 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantize_bad_shape_or_format_is_refused),
        cmocka_unit_test(test_quantize_on_maia100_takes_half_the_issue_slots),
        cmocka_unit_test(test_quantize_fused_and_back_on_maia100),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
