/* SPDX-License-Identifier: Apache-2.0 */
/* Whole projections of small models: sums, bounds that no machine can beat, the same bytes on any
 * number of threads. */
#include "tests/support/harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/project/project.h"

static const char dense[] =
    "{\"model_type\": \"llama\", \"hidden_size\": 64, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"intermediate_size\": 172,"
    " \"vocab_size\": 512}";
static const char experts[] =
    "{\"model_type\": \"mixtral\", \"hidden_size\": 64, \"num_hidden_layers\": 2,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"intermediate_size\": 96,"
    " \"vocab_size\": 256, \"num_local_experts\": 4, \"num_experts_per_tok\": 2}";
static const char grok[] = /* second norms, tanh gelu, soft cap, tied */
    "{\"model_type\": \"grok\", \"hidden_size\": 64, \"num_hidden_layers\": 2,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"intermediate_size\": 96,"
    " \"vocab_size\": 256, \"num_local_experts\": 4, \"num_experts_per_tok\": 2,"
    " \"tie_word_embeddings\": true}";
static const char qwen3[] = /* norms of heads */
    "{\"model_type\": \"qwen3\", \"hidden_size\": 64, \"num_hidden_layers\": 2,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"intermediate_size\": 96,"
    " \"vocab_size\": 256, \"head_dim\": 32}";
static const char gpt_oss[] = /* windows, sinks, biases, clamped gates */
    "{\"model_type\": \"gpt_oss\", \"hidden_size\": 64, \"num_hidden_layers\": 2,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"intermediate_size\": 96,"
    " \"vocab_size\": 256, \"head_dim\": 32, \"num_local_experts\": 4,"
    " \"num_experts_per_tok\": 2, \"sliding_window\": 16, \"attention_bias\": true}";

static const char qwen2_moe[] = /* an expert that all tokens take */
    "{\"model_type\": \"qwen2_moe\", \"hidden_size\": 64, \"num_hidden_layers\": 2,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"intermediate_size\": 96,"
    " \"vocab_size\": 256, \"num_experts\": 4, \"num_experts_per_tok\": 2,"
    " \"moe_intermediate_size\": 32, \"shared_expert_intermediate_size\": 128}";

struct fixture {
    struct tsr_isa *isa;
    struct tsr_chip chip;
};

static struct tsr_model parse(const char *text)
{
    struct tsr_model m;
    struct tsr_error e = {0};
    if (tsr_model_parse("config.json", text, strlen(text), &m, &e) != TSR_OK)
        fail_msg("%s", e.message);
    return m;
}

static struct project_result *project(struct fixture *f, const char *text, const char *chip,
                                      const char *format, enum tsr_phase phase, uint32_t threads)
{
    struct tsr_error e = {0};
    struct tsr_model m = parse(text);
    assert_int_equal(tsr_chip_load(chip, &f->chip, &e), TSR_OK);
    const struct tsr_format *w = tsr_isa_format(f->isa, format);
    struct project_options o = {.isa = f->isa,
                                .chip = &f->chip,
                                .phase = phase,
                                .batch = 2,
                                .seq = 40,
                                .weights = w,
                                .activations = w,
                                .kv = tsr_isa_format(f->isa, "bf16"),
                                .seed = 7,
                                .threads = threads,
                                .price_per_hour = 2.5};
    struct project_result *r = NULL;
    if (project_run(&m, &o, &r, &e) != TSR_OK)
        fail_msg("%s on %s, %s: %s", m.name, chip, format, e.message);
    return r;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_int_equal(tsr_isa_load(NULL, 0, &f->isa, NULL), TSR_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tsr_isa_free(f->isa);
    free(f);
    return 0;
}

/* A step: its waits fill all cycles, and neither pins nor array were beaten. */
static void check_step(const struct project_result *r, const struct project_step_result *s)
{
    const struct tsr_chip *chip = r->options.chip;
    const struct tsr_stats *st = &s->stats;
    uint64_t whole = st->cycles * tsr_chip_tiles(chip);
    double seconds = (double)st->cycles / (double)chip->clock_hz;
    assert_true(st->cycles > chip->launch_cycles);
    for (int q = 0; q < TSR_QUEUES; q++) {
        uint64_t sum = 0;
        for (int w = 0; w < TSR_WAITS; w++)
            sum += st->unit[q][w];
        assert_int_equal(sum, whole);
    }
    assert_true((double)(st->hbm_read_bytes + st->hbm_write_bytes) <=
                project_hbm_rate(chip) * seconds);
    assert_true((double)s->macs <= s->macs_per_cycle * (double)st->cycles || s->macs == 0);
    assert_true(s->macs == 0 || st->macs >= s->macs);
}

static void check(const struct project_result *r)
{
    uint64_t cycles = 0, bytes = 0;
    uint64_t tokens = r->options.phase == TSR_PREFILL ? 80 : 2;
    for (uint32_t i = 0; i < r->n_steps; i++) {
        const struct project_step_result *s = &r->step[i];
        check_step(r, s);
        cycles += s->stats.cycles * s->repeat;
        bytes += (s->stats.hbm_read_bytes + s->stats.hbm_write_bytes) * s->repeat;
    }
    double seconds = (double)cycles / (double)r->options.chip->clock_hz;
    assert_int_equal(r->cycles, cycles);
    assert_int_equal(r->hbm_bytes, bytes);
    assert_true(fabs(r->latency_s / seconds - 1) < 1e-12);
    assert_true(fabs(r->tokens_per_s * seconds / (double)tokens - 1) < 1e-12);
    assert_true(r->ttu_utilisation > 0 && r->ttu_utilisation <= 1);
    assert_true(r->ttu_utilisation <= r->ttu_busy * 1.0000001);
    assert_true(r->hbm_utilisation > 0 && r->hbm_utilisation <= 1);
    /* every weight of a dense model is read once at least; the embedding is a gather */
    assert_true(fabs(r->cost_per_million_tokens * r->tokens_per_s * 3600 / 2.5e6 - 1) < 1e-12);
    assert_true(r->energy.total > 0 && r->joules_per_token > 0);
    for (uint32_t i = 1; i < r->n_top; i++)
        assert_true(project_step_cycles(&r->step[r->top[i]]) <=
                    project_step_cycles(&r->step[r->top[i - 1]]));
}

static void test_compose_sums_and_bounds_hold_on_every_chip(void **state)
{
    static const char *const chips[] = {"micro", "micro4", "maia100"};
    static const char *const formats[] = {"bf16", "f16", "i8", "f8e4m3", "f8e5m2"};
    for (int c = 0; c < 3; c++)
        for (int k = 0; k < 5; k++)
            for (int phase = 0; phase < 2; phase++) {
                struct project_result *r = project(*state, dense, chips[c], formats[k],
                                                   phase ? TSR_DECODE : TSR_PREFILL, 1);
                check(r);
                free(r);
            }
}

static void test_compose_serves_every_family(void **state)
{
    static const char *const models[] = {experts, grok, qwen3, gpt_oss, qwen2_moe};
    static const char *const formats[] = {"bf16", "f8e4m3", "mx6"};
    for (int m = 0; m < 5; m++)
        for (int k = 0; k < 3; k++)
            for (int phase = 0; phase < 2; phase++) {
                struct project_result *r = project(*state, models[m], phase ? "maia100" : "micro4",
                                                   formats[k], phase ? TSR_DECODE : TSR_PREFILL, 2);
                check(r);
                free(r);
            }
}

/* Weights and cache of a decode step pass the pins once at least. */
static void test_compose_decode_moves_what_it_must(void **state)
{
    struct project_result *r = project(*state, dense, "micro4", "bf16", TSR_DECODE, 1);
    uint64_t once = (r->params.total - r->params.embedding) * 2 + r->fit.kv_bytes;
    assert_true(r->hbm_bytes >= once);
    assert_true(r->hbm_bytes < 2 * once); /* and not much else does: activations are small */
    free(r);
}

static char *text_of(struct project_result *r)
{
    json_t *j = project_json(r);
    assert_non_null(j);
    char *text = json_dumps(j, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(j);
    free(r);
    assert_non_null(text);
    return text;
}

static void test_compose_threads_give_the_same_bytes(void **state)
{
    static const char *const models[] = {dense, experts};
    for (int m = 0; m < 2; m++) {
        char *one = text_of(project(*state, models[m], "micro4", "bf16", TSR_PREFILL, 1));
        for (uint32_t threads = 1; threads <= 4; threads++) {
            char *other =
                text_of(project(*state, models[m], "micro4", "bf16", TSR_PREFILL, threads));
            assert_string_equal(one, other);
            free(other);
        }
        free(one);
    }
}

static void test_compose_json_has_the_fixed_keys(void **state)
{
    static const char *const keys[] = {"schema",
                                       "tokens_per_s",
                                       "latency_s",
                                       "ttu_utilisation",
                                       "hbm_utilisation",
                                       "hbm_bytes",
                                       "composed",
                                       "ops",
                                       "top",
                                       "assumptions",
                                       "command",
                                       "time_to_first_token_s",
                                       "inter_token_latency_s"};
    struct project_result *r = project(*state, dense, "micro", "bf16", TSR_DECODE, 1);
    json_t *j = project_json(r);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_object_get(j, keys[i]) == NULL)
            fail_msg("no key %s", keys[i]);
    assert_int_equal(json_integer_value(json_object_get(j, "schema")), 1);
    assert_null(json_object_get(j, "cpu_s")); /* times are the command's */
    assert_true(json_is_null(json_object_get(j, "time_to_first_token_s")));
    double share = 0;
    for (size_t i = 0; i < json_array_size(json_object_get(j, "ops")); i++)
        share +=
            json_real_value(json_object_get(json_array_get(json_object_get(j, "ops"), i), "share"));
    assert_true(fabs(share - 1) < 1e-9);
    json_decref(j);
    free(r);
}

static void test_compose_refuses_a_model_that_does_not_fit(void **state)
{
    struct fixture *f = *state;
    struct tsr_model m;
    struct tsr_error e = {0};
    struct project_result *r = NULL;
    const struct tsr_format *w = tsr_isa_format(f->isa, "bf16");
    assert_int_equal(tsr_model_load("llama-2-70b", &m, &e), TSR_OK);
    assert_int_equal(tsr_chip_load("maia100", &f->chip, &e), TSR_OK);
    struct project_options o = {.isa = f->isa,
                                .chip = &f->chip,
                                .phase = TSR_DECODE,
                                .batch = 1,
                                .seq = 2048,
                                .weights = w,
                                .activations = w,
                                .kv = w,
                                .threads = 1};
    assert_int_equal(project_run(&m, &o, &r, &e), TSR_BAD_INPUT);
    assert_null(r);
    assert_non_null(strstr(e.message, "GiB"));
    assert_non_null(strstr(e.message, "3 chips"));
    o.batch = (uint64_t)1 << 31;
    o.seq = (uint64_t)1 << 31;
    memset(&e, 0, sizeof e);
    assert_int_equal(project_run(&m, &o, &r, &e), TSR_BAD_INPUT);
    assert_true(e.message[0] != '\0');
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_compose_sums_and_bounds_hold_on_every_chip),
        T(test_compose_serves_every_family),
        T(test_compose_decode_moves_what_it_must),
        T(test_compose_threads_give_the_same_bytes),
        T(test_compose_json_has_the_fixed_keys),
        T(test_compose_refuses_a_model_that_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
