/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels around matmul and attention: what they refuse, what control data of timing runs are
 * worth, and what the large chip must reach. Values are the suite's matter. */
#include "tests/support/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/npu/moe.h"
#include "tessera/sim.h"

static struct tsr_isa *isa;
static struct tsr_chip maia, micro4;

static int setup(void **state)
{
    struct tsr_error err = {0};
    (void)state;
    return tsr_isa_load(NULL, 0, &isa, &err) || tsr_chip_load("maia100", &maia, &err) ||
           tsr_chip_load("micro4", &micro4, &err);
}

static int teardown(void **state)
{
    (void)state;
    tsr_isa_free(isa);
    return 0;
}

#define AT(i) TSR_HBM((uint64_t)(i) << 30)

/* ---- refusals ------------------------------------------------------------------------------- */

#define REFUSES(kernel, chip, word, ...)                                                           \
    do {                                                                                           \
        const struct tsr_npu_##kernel refused = {__VA_ARGS__};                                     \
        struct tsr_program p = {0};                                                                \
        struct tsr_error err = {0};                                                                \
        assert_int_equal(tsr_npu_##kernel(isa, &chip, &refused, &p, &err), TSR_BAD_INPUT);         \
        assert_non_null(strstr(err.message, word));                                                \
        assert_null(p.tcp);                                                                        \
    } while (0)

static void test_ops_bad_shape_or_format_is_refused(void **state)
{
    (void)state;
    const uint64_t large = (uint64_t)1 << 62;
    static const uint32_t ids[2] = {3, 7};
    REFUSES(residual, maia, "0 rows", .cols = 4);
    REFUSES(residual, maia, "2^40", .rows = large, .cols = large);
    REFUSES(residual, maia, "format", .rows = 1, .cols = 1, .a_format = TSR_I8);
    REFUSES(activation, maia, "silu", .rows = 1, .cols = 1, .activation = TSR_ACT_GELU);
    REFUSES(activation, maia, "format", .rows = 1, .cols = 1, .out_format = TSR_MXF4);
    REFUSES(rmsnorm, maia, "1 to 2^32", .rows = 1);
    REFUSES(rmsnorm, maia, "format", .rows = 1, .cols = 1, .w = 1, .w_format = TSR_I32);
    REFUSES(softmax, maia, "1 to 2^32", .cols = 1);
    REFUSES(rope, maia, "even", .tokens = 1, .heads = 1, .head_dim = 3);
    REFUSES(rope, maia, "keys", .tokens = 1, .heads = 1, .head_dim = 2, .keys = 2);
    REFUSES(rope, micro4, "do not fit", .tokens = 1, .heads = 4096, .head_dim = 256);
    REFUSES(kv_append, maia, "2^24", .bytes = 1, .n = {1, 0, 1});
    REFUSES(kv_append, maia, "2^24", .n = {1, 1, 1});
    REFUSES(embedding, maia, "id 7", .tokens = 2, .cols = 1, .vocab = 7, .ids = ids);
    REFUSES(embedding, micro4, "control", .tokens = 5000, .cols = 1, .vocab = 8, .ids = ids);
}

static void test_moe_bad_shape_or_format_is_refused(void **state)
{
    (void)state;
    REFUSES(moe_router, maia, "256", .tokens = 1, .experts = 257, .top_k = 1);
    REFUSES(moe_router, maia, "top 3", .tokens = 1, .experts = 2, .top_k = 3);
    REFUSES(moe_router, micro4, "to 8", .tokens = 1, .experts = 16, .top_k = 9);
    REFUSES(moe_dispatch, maia, "bytes", .tokens = 1, .experts = 2, .top_k = 1);
    REFUSES(moe_dispatch, micro4, "does not fit", .tokens = 1, .experts = 2, .top_k = 1,
            .row_bytes = 65536);
    REFUSES(moe_combine, maia, "top 33", .tokens = 1, .cols = 1, .experts = 64, .top_k = 33);
    REFUSES(moe_expert, maia, "2^24", .tokens = 1, .experts = 2, .top_k = 1, .n = 1);
    REFUSES(moe_expert, maia, "float and block", .tokens = 1, .experts = 2, .top_k = 1, .n = 1,
            .k = 1, .a_format = TSR_BF16, .b_format = TSR_I8);
    REFUSES(moe_expert, maia, "silu", .tokens = 1, .experts = 2, .top_k = 1, .n = 1, .k = 1,
            .a_format = TSR_BF16, .b_format = TSR_BF16, .gate = true, .activation = TSR_ACT_GELU);
}

/* ---- control data --------------------------------------------------------------------------- */

struct routing {
    uint64_t tokens, experts, top_k;
    uint32_t *ids;
    struct tsr_npu_moe_source source;
    struct tsr_control_source sources[4];
};

static void route(struct routing *r, const struct tsr_chip *chip)
{
    static const enum tsr_npu_control id[] = {TSR_CONTROL_MOE_FIRST, TSR_CONTROL_MOE_DISPATCH,
                                              TSR_CONTROL_MOE_COMBINE, TSR_CONTROL_MOE_TOTALS};
    r->ids = malloc(4 * r->tokens * r->top_k);
    assert_non_null(r->ids);
    tsr_npu_moe_seeded(7, r->tokens, r->experts, r->top_k, r->ids);
    tsr_npu_moe_source_init(&r->source, chip, r->tokens, r->experts, r->top_k, r->ids);
    for (int i = 0; i < 4; i++)
        r->sources[i] = (struct tsr_control_source){
            .id = (uint8_t)id[i], .fill = tsr_npu_moe_fill(id[i]), .self = &r->source};
    assert_null(tsr_npu_moe_fill(TSR_CONTROL_TOKENS));
}

/* Cycles of a timing-only run with the declared control data; frees the program. */
static uint64_t timed(const struct tsr_chip *chip, struct tsr_program *p, const struct routing *r)
{
    struct tsr_sim *sim;
    struct tsr_stats stats;
    struct tsr_error err = {0};
    struct tsr_run_options o = {
        .mode = TSR_MODE_TIMING, .sources = r ? r->sources : NULL, .n_sources = r ? 4 : 0};
    if (tsr_sim_create(chip, isa, &sim, &err) || tsr_sim_run(sim, p, &o, &stats, NULL, &err))
        fail_msg("%s", err.message);
    tsr_sim_destroy(sim);
    tsr_program_free(p);
    return stats.cycles;
}

#define EMIT(p, kernel, chip, op)                                                                  \
    do {                                                                                           \
        struct tsr_error emit_err = {0};                                                           \
        if (tsr_npu_##kernel(isa, chip, op, p, &emit_err))                                         \
            fail_msg("%s", emit_err.message);                                                      \
    } while (0)

/* The full run reads ids and counts from memory, the timing run gets them from the source. */
static void same_cycles(const struct tsr_chip *chip, struct routing *r, struct tsr_program *p)
{
    struct tsr_sim *sim;
    struct tsr_stats stats;
    struct tsr_error err = {0};
    struct tsr_run_options full = {.mode = TSR_MODE_FULL};
    uint32_t *counts = calloc(r->source.parts * r->experts, sizeof *counts);
    assert_non_null(counts);
    for (uint32_t part = 0; part < r->source.parts; part++)
        for (uint64_t i = r->tokens * part / r->source.parts * r->top_k;
             i < r->tokens * (part + 1) / r->source.parts * r->top_k; i++)
            counts[part * r->experts + r->ids[i]]++;
    if (tsr_sim_create(chip, isa, &sim, &err) ||
        tsr_sim_write(sim, AT(0) + 4096, r->ids, 4 * r->tokens * r->top_k, &err) ||
        tsr_sim_write(sim, AT(0) + 65536, counts, 4 * r->source.parts * r->experts, &err) ||
        tsr_sim_run(sim, p, &full, &stats, NULL, &err))
        fail_msg("%s", err.message);
    tsr_sim_destroy(sim);
    free(counts);
    assert_int_equal(timed(chip, p, r), stats.cycles);
}

static void test_moe_source_gives_the_cycles_of_the_full_run(void **state)
{
    const struct tsr_chip *chips[] = {&micro4, &maia};
    (void)state;
    for (int c = 0; c < 2; c++) {
        struct routing r = {.tokens = 150, .experts = 12, .top_k = 3};
        struct tsr_program p = {0};
        route(&r, chips[c]);
        const uint64_t x = AT(0) + (1 << 20), y = AT(0) + (1 << 24);
        const struct tsr_npu_moe_dispatch dispatch = {.tokens = 150,
                                                      .experts = 12,
                                                      .top_k = 3,
                                                      .row_bytes = 1000,
                                                      .x = x,
                                                      .y = y,
                                                      .ids = AT(0) + 4096,
                                                      .counts = AT(0) + 65536};
        EMIT(&p, moe_dispatch, chips[c], &dispatch);
        same_cycles(chips[c], &r, &p);
        const struct tsr_npu_moe_combine combine = {.tokens = 150,
                                                    .experts = 12,
                                                    .top_k = 3,
                                                    .cols = 900,
                                                    .x_format = TSR_BF16,
                                                    .y_format = TSR_BF16,
                                                    .x = x,
                                                    .y = y,
                                                    .weights = AT(0),
                                                    .ids = AT(0) + 4096,
                                                    .counts = AT(0) + 65536};
        EMIT(&p, moe_combine, chips[c], &combine);
        same_cycles(chips[c], &r, &p);
        const struct tsr_npu_moe_expert expert = {.tokens = 150,
                                                  .experts = 12,
                                                  .top_k = 3,
                                                  .n = 40,
                                                  .k = 70,
                                                  .a_format = TSR_BF16,
                                                  .b_format = TSR_BF16,
                                                  .c_format = TSR_BF16,
                                                  .a = x,
                                                  .b = y,
                                                  .c = y + (1 << 24),
                                                  .counts = AT(0) + 65536};
        EMIT(&p, moe_expert, chips[c], &expert);
        same_cycles(chips[c], &r, &p);
        free(r.ids);
    }
}

/* ---- figures of the large chip -------------------------------------------------------------- */

static void reaches(const char *name, struct tsr_program *p, const struct routing *r, double bytes,
                    double share)
{
    uint64_t cycles = timed(&maia, p, r);
    const struct tsr_hbm_config *h = &maia.hbm;
    double rate =
        (double)h->stacks * h->channels * h->channel_bits / 4 * h->clock_num / h->clock_den;
    double got = bytes / (rate * (double)cycles);
    print_message("%s: %llu cycles, %.1f %% of HBM\n", name, (unsigned long long)cycles, 100 * got);
    if (got < share)
        fail_msg("%s: %.1f %% of HBM, at least %.1f %% are wanted", name, 100 * got, 100 * share);
}

static void test_ops_on_maia100_reach_their_share_of_hbm(void **state)
{
    struct tsr_program p = {0};
    const enum tsr_dtype b = TSR_BF16;
    (void)state;
    const struct tsr_npu_residual residual = {.rows = 2048,
                                              .cols = 4096,
                                              .a_format = b,
                                              .b_format = b,
                                              .y_format = b,
                                              .a = AT(1),
                                              .b = AT(2),
                                              .y = AT(3)};
    EMIT(&p, residual, &maia, &residual);
    reaches("residual 2048x4096", &p, NULL, 6.0 * 2048 * 4096, 0.94);
    const struct tsr_npu_activation silu = {.rows = 2048,
                                            .cols = 11008,
                                            .in_format = b,
                                            .out_format = b,
                                            .gate = AT(1),
                                            .up = AT(2),
                                            .y = AT(3)};
    EMIT(&p, activation, &maia, &silu);
    reaches("silu 2048x11008", &p, NULL, 6.0 * 2048 * 11008, 0.94);
    const struct tsr_npu_rmsnorm norm = {.rows = 2048,
                                         .cols = 4096,
                                         .eps = 1e-5,
                                         .x_format = b,
                                         .w_format = b,
                                         .y_format = b,
                                         .x = AT(1),
                                         .w = AT(2),
                                         .y = AT(3)};
    EMIT(&p, rmsnorm, &maia, &norm);
    reaches("rmsnorm 2048x4096", &p, NULL, 4.0 * 2048 * 4096, 0.93);
    const struct tsr_npu_rope rope = {.tokens = 2048,
                                      .heads = 64,
                                      .head_dim = 128,
                                      .x_format = b,
                                      .y_format = b,
                                      .x = AT(1),
                                      .y = AT(1),
                                      .cosine = AT(3),
                                      .sine = AT(4)};
    EMIT(&p, rope, &maia, &rope);
    reaches("rope 2048x64x128", &p, NULL, 2048 * (4.0 * 64 * 128 + 512), 0.93);
}

static void test_moe_expert_on_maia100_streams_weights_once(void **state)
{
    struct routing r = {.tokens = 1, .experts = 32, .top_k = 4};
    struct tsr_program p = {0};
    (void)state;
    route(&r, &maia);
    static const struct {
        enum tsr_dtype a, b;
        double row; /* bytes of a weight row of 2880: units of 128, 320 and 448 elements */
        double least;
    } formats[] = {{TSR_BF16, TSR_BF16, 2 * 2880, 0.95},
                   {TSR_BF16, TSR_MX6, 23 * 96, 0.90},
                   {TSR_MX6, TSR_MX6, 9 * 240, 0.90},
                   {TSR_MXF4, TSR_MXF4, 7 * 238, 0.90}};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const struct tsr_npu_moe_expert gate_up = {.tokens = 1,
                                                   .experts = 32,
                                                   .top_k = 4,
                                                   .n = 2880,
                                                   .k = 2880,
                                                   .a_format = formats[i].a,
                                                   .b_format = formats[i].b,
                                                   .c_format = TSR_BF16,
                                                   .gate = true,
                                                   .activation = TSR_ACT_SILU,
                                                   .a = AT(1),
                                                   .b = AT(2),
                                                   .c = AT(40),
                                                   .counts = AT(0)};
        char name[64];
        snprintf(name, sizeof name, "gpt-oss-20b gate and up, %s, one token",
                 isa->formats[formats[i].b].name);
        EMIT(&p, moe_expert, &maia, &gate_up);
        reaches(name, &p, &r, 4.0 * 2 * 2880 * formats[i].row, formats[i].least);
    }
    free(r.ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ops_bad_shape_or_format_is_refused),
        cmocka_unit_test(test_moe_bad_shape_or_format_is_refused),
        cmocka_unit_test(test_moe_source_gives_the_cycles_of_the_full_run),
        cmocka_unit_test(test_ops_on_maia100_reach_their_share_of_hbm),
        cmocka_unit_test(test_moe_expert_on_maia100_streams_weights_once),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
