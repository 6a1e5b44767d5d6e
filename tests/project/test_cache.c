/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of keys and values in every format: i8 with its scales worked out by hand, and all
 * presets with all formats. */
#include "tests/support/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/project/plan.h"
#include "sim/project/plan_ops.h"
#include "tessera/sim.h"

static const char config[] =
    "{\"model_type\": \"llama\", \"hidden_size\": 64, \"num_hidden_layers\": 2,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"head_dim\": 32,"
    " \"intermediate_size\": 96, \"vocab_size\": 128}";

enum {
    BATCH = 2,
    SEQ = 40,
    DIM = 32
};

static struct tsr_isa *isa;
static struct project_plan plan;

static int set_up(void **state)
{
    struct tsr_error e = {0};
    (void)state;
    return tsr_isa_load(NULL, 0, &isa, &e);
}

static int tear_down(void **state)
{
    (void)state;
    project_plan_free(&plan);
    tsr_isa_free(isa);
    return 0;
}

static struct project_options options(const struct tsr_chip *chip, const char *kv,
                                      enum tsr_phase phase)
{
    return (struct project_options){.isa = isa,
                                    .chip = chip,
                                    .phase = phase,
                                    .batch = BATCH,
                                    .seq = SEQ,
                                    .weights = tsr_isa_format(isa, "bf16"),
                                    .activations = tsr_isa_format(isa, "bf16"),
                                    .kv = tsr_isa_format(isa, kv),
                                    .seed = 1,
                                    .threads = 1};
}

static const struct project_step *find(const char *name)
{
    for (uint32_t i = 0; i < plan.n_steps; i++)
        if (strcmp(plan.step[i].name, name) == 0)
            return &plan.step[i];
    fail_msg("no step %s", name);
    return NULL;
}

static uint64_t key_at(const struct tsr_npu_rows *r, uint64_t b, uint64_t t, uint64_t h)
{
    return r->address + b * r->batch_stride + t * r->token_stride + h * r->head_stride;
}

/* What a step appends, of k or v, sequence b, token t, head h: from where, to where. */
static void expect_append(const char *name, enum tsr_phase phase, uint64_t from, uint64_t unit,
                          const struct tsr_npu_rows *const to[2])
{
    const struct tsr_npu_kv_append *a = &find(name)->op.kv_append;
    const uint64_t tokens = phase == TSR_DECODE ? 1 : SEQ;
    assert_int_equal(a->bytes, unit);
    for (uint64_t kv = 0; kv < 2; kv++)
        for (uint64_t i = 0; i < BATCH * tokens; i++)
            for (uint64_t h = 0; h < 2; h++) {
                const uint64_t t = phase == TSR_DECODE ? SEQ - 1 : i % SEQ, b = i / tokens;
                assert_int_equal(a->src + h * a->src_stride[0] + i * a->src_stride[1] +
                                     kv * a->src_stride[2],
                                 from + ((i * 2 + kv) * 2 + h) * unit);
                assert_int_equal(a->dst + h * a->dst_stride[0] + i * a->dst_stride[1] +
                                     kv * a->dst_stride[2],
                                 key_at(to[kv], b, t, h));
            }
}

/* q k v of a token: 4 + 2 x 2 heads of 32 in bf16. Codes and scales of [token][k, v][head]. */
static void test_cache_of_integers_is_appended_with_its_scales(void **state)
{
    static struct tsr_model model;
    struct tsr_chip chip;
    struct tsr_error e = {0};
    (void)state;
    assert_int_equal(tsr_chip_load("micro", &chip, &e), TSR_OK);
    assert_int_equal(tsr_model_parse("tiny.json", config, strlen(config), &model, &e), TSR_OK);
    for (int phase = 0; phase < 2; phase++) {
        struct project_options o = options(&chip, "i8", phase ? TSR_DECODE : TSR_PREFILL);
        struct project_result *r = NULL;
        project_plan_free(&plan);
        if (project_plan(&model, &o, &plan, &e) != TSR_OK)
            fail_msg("%s", e.message);
        /* k and v, heads, sequences, positions, layers: codes and a scale */
        assert_int_equal(project_plan_fit(&plan).kv_bytes, 2ull * 2 * BATCH * SEQ * 2 * (DIM + 2));
        const struct tsr_npu_attention *a = &find("attention")->op.attention;
        const struct tsr_npu_quantize *q = &find("kv_append_quantize")->op.quantize.op;
        const struct tsr_npu_kv_append *g = &find("kv_append_gather")->op.kv_append;
        assert_int_equal(g->src, find("rope")->op.rope.y + 4 * DIM * 2);
        assert_int_equal(g->bytes, 2 * 2 * DIM * 2);
        assert_int_equal(q->x, g->dst);
        assert_int_equal(q->group, DIM);
        expect_append("kv_append", o.phase, q->y, DIM,
                      (const struct tsr_npu_rows *const[]){&a->k, &a->v});
        expect_append("kv_append_scales", o.phase, q->scales, 2,
                      (const struct tsr_npu_rows *const[]){&a->k_scales, &a->v_scales});
        if (project_run(&model, &o, &r, &e) != TSR_OK)
            fail_msg("%s", e.message);
        assert_true(r->hbm_utilisation > 0 && r->hbm_utilisation <= 1);
        free(r);
    }
}

/* A step's program; of attention in decode its cycles, nightly. */
static void emit(const struct tsr_chip *chip, const struct project_step *s, const char *what)
{
    struct tsr_program program = {0};
    struct tsr_error e = {0};
    struct tsr_sim *sim = NULL;
    struct tsr_stats stats;
    const struct tsr_run_options o = {.mode = TSR_MODE_TIMING};
    if (s->kernel->emit(isa, chip, &s->op, &program, &e) != TSR_OK)
        fail_msg("%s: %s: %s", what, s->name, e.message);
    if (tsr_test_nightly() && strncmp(s->name, "attention", 9) == 0) {
        if (tsr_sim_create(chip, isa, &sim, &e) != TSR_OK ||
            tsr_sim_run(sim, &program, &o, &stats, NULL, &e) != TSR_OK)
            fail_msg("%s: %s: %s", what, s->name, e.message);
        tsr_sim_destroy(sim);
    }
    tsr_program_free(&program);
}

/* Every preset with every format that a cache may have: what appends to it and what reads it, in
 * both phases, on a chip with room for all. A head_dim that a format's blocks do not divide is
 * refused with that reason, and nothing else is. */
static void test_cache_of_every_preset_in_every_format_is_served(void **state)
{
    static struct tsr_model model;
    struct tsr_chip chip;
    struct tsr_error e = {0};
    const char *name;
    int served = 0;
    (void)state;
    assert_int_equal(tsr_chip_load("maia100", &chip, &e), TSR_OK);
    chip.hbm.bytes = UINT64_C(1) << 39;
    for (size_t i = 0; (name = tsr_model_names()[i]) != NULL; i++) {
        assert_int_equal(tsr_model_load(name, &model, &e), TSR_OK);
        for (int f = 0; f < TSR_DTYPE_MAX; f++) {
            if (!isa->has_format[f] || !project_takes_cache(&model, &isa->formats[f]))
                continue;
            for (int phase = 0; phase < 2; phase++) {
                struct project_options o =
                    options(&chip, isa->formats[f].name, phase ? TSR_DECODE : TSR_PREFILL);
                o.weights = tsr_isa_format(isa, "mxf4");
                char what[96];
                snprintf(what, sizeof what, "%s kv %s phase %d", name, isa->formats[f].name, phase);
                project_plan_free(&plan);
                enum tsr_status st = project_plan(&model, &o, &plan, &e);
                if (st == TSR_BAD_INPUT && strstr(e.message, "16-bit floats take any head_dim"))
                    continue;
                if (st != TSR_OK)
                    fail_msg("%s: %s", what, e.message);
                for (uint32_t n = 0; n < plan.n_steps; n++)
                    if (strncmp(plan.step[n].name, "kv_append", 9) == 0 ||
                        strncmp(plan.step[n].name, "attention", 9) == 0)
                        emit(&chip, &plan.step[n], what);
                served++;
            }
        }
    }
    assert_true(served > 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cache_of_integers_is_appended_with_its_scales),
        cmocka_unit_test(test_cache_of_every_preset_in_every_format_is_served),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
