/* SPDX-License-Identifier: Apache-2.0 */
/* labels: badinput
 * Latent attention: config.json of the DeepSeek family, sizes worked out by hand, places of a plan.
 */
#include "tests/support/harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/infer/infer.h"
#include "sim/project/plan.h"

static const char base[] = "{\n"
                           " \"model_type\": \"deepseek_v2\",\n"
                           " \"hidden_size\": 64,\n"
                           " \"num_hidden_layers\": 5,\n"
                           " \"num_attention_heads\": 4,\n"
                           " \"intermediate_size\": 96,\n"
                           " \"vocab_size\": 100,\n"
                           " \"kv_lora_rank\": 32,\n"
                           " \"q_lora_rank\": null,\n"
                           " \"qk_nope_head_dim\": 16,\n"
                           " \"qk_rope_head_dim\": 8,\n"
                           " \"v_head_dim\": 24,\n"
                           " \"n_routed_experts\": 8,\n"
                           " \"num_experts_per_tok\": 2,\n"
                           " \"moe_intermediate_size\": 48,\n"
                           " \"n_shared_experts\": 3,\n"
                           " \"first_k_dense_replace\": 1,\n"
                           " \"moe_layer_freq\": 2,\n"
                           " \"topk_method\": \"greedy\"\n"
                           "}\n";

static enum tsr_status parse(const char *text, struct tsr_model *m, struct tsr_error *e)
{
    *e = (struct tsr_error){0};
    return tsr_model_parse("c.json", text, strlen(text), m, e);
}

/* base with a key's value replaced, or its line removed (value null), or a new key in line 2. */
static void edited(const char *key, const char *value, char *out, size_t cap)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\n \"%s\":", key);
    const char *at = strstr(base, quoted);
    if (at == NULL) {
        snprintf(out, cap, "{\n \"%s\": %s,%s", key, value, base + 1);
        return;
    }
    const char *end = strchr(at + 1, '\n');
    snprintf(out, cap, "%.*s%s%s%s%s%s", (int)(at - base), base, value ? quoted : "",
             value ? " " : "", value ? value : "", value && end[-1] == ',' ? "," : "", end);
}

static const struct {
    const char *key, *value, *message;
} wrong[] = {
    {"kv_lora_rank", NULL, "c.json:1:1: kv_lora_rank: required but missing"},
    {"qk_nope_head_dim", NULL, "c.json:1:1: qk_nope_head_dim: required but missing"},
    {"qk_rope_head_dim", NULL, "c.json:1:1: qk_rope_head_dim: required but missing"},
    {"v_head_dim", NULL, "c.json:1:1: v_head_dim: required but missing"},
    {"n_routed_experts", NULL, "c.json:1:1: n_routed_experts: required but missing"},
    {"num_experts_per_tok", NULL, "c.json:1:1: num_experts_per_tok: required but missing"},
    {"moe_intermediate_size", NULL, "c.json:1:1: moe_intermediate_size: required but missing"},
    {"kv_lora_rank", "0", "c.json:8:2: kv_lora_rank: is 0, an integer from 1 to"},
    {"kv_lora_rank", "null", "c.json:8:2: kv_lora_rank: required but missing"},
    {"q_lora_rank", "0", "c.json:9:2: q_lora_rank: is 0, an integer from 1 to"},
    {"q_lora_rank", "\"32\"", "c.json:9:2: q_lora_rank: is a string, an integer"},
    {"qk_nope_head_dim", "2147483647", "c.json:10:2: qk_nope_head_dim: is 2147483647, an integer"},
    {"qk_rope_head_dim", "7", "c.json:11:2: qk_rope_head_dim: is 7, an even number"},
    {"v_head_dim", "-1", "c.json:12:2: v_head_dim: is -1"},
    {"num_experts_per_tok", "9",
     "c.json:14:2: num_experts_per_tok: is 9, at most n_routed_experts = 8 is allowed"},
    {"n_shared_experts", "2147483647",
     "c.json:16:2: n_shared_experts: is 2147483647, at most 44739242 of this width"},
    {"first_k_dense_replace", "6",
     "c.json:17:2: first_k_dense_replace: is 6, an integer from 0 to "
     "5"},
    {"moe_layer_freq", "0", "c.json:18:2: moe_layer_freq: is 0, an integer from 1"},
    {"topk_method", "\"best\"", "c.json:19:2: topk_method: \"best\" is not supported, greedy,"},
    {"num_key_value_heads", "2",
     "c.json:2:2: num_key_value_heads: is 2, num_attention_heads = 4 is allowed"},
    {"attention_bias", "true", "c.json:2:2: attention_bias: is true, false is allowed"},
    {"norm_topk_prob", "1", "c.json:2:2: norm_topk_prob: is an integer, true or false"},
    {"rope_scaling", "{\"type\": \"yarn\", \"factor\": 40, \"mscale\": -1}",
     "c.json:2:49: rope_scaling.mscale: is -1, a number from 0"},
    {"rope_scaling", "{\"type\": \"yarn\", \"factor\": 40, \"mscale_all_dim\": \"1\"}",
     "c.json:2:49: rope_scaling.mscale_all_dim: is a string, a number"},
};

static void test_latent_wrong_values_name_place_and_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[2048];
        struct tsr_model m = {.hidden = 77};
        struct tsr_error e;
        edited(wrong[i].key, wrong[i].value, text, sizeof text);
        assert_int_equal(parse(text, &m, &e), TSR_BAD_INPUT);
        assert_int_equal(m.hidden, 77);
        if (strncmp(e.message, wrong[i].message, strlen(wrong[i].message)) != 0)
            fail_msg("case %zu: got \"%s\", want \"%s...\"", i, e.message, wrong[i].message);
    }
}

/* hidden 64, 4 heads of 16 + 8, values of 24, latents of 32: by hand. */
static void test_latent_config_is_read_as_written(void **state)
{
    struct tsr_model m;
    struct tsr_params p;
    struct tsr_error e;
    char text[2048];
    (void)state;
    if (parse(base, &m, &e) != TSR_OK)
        fail_msg("%s", e.message);
    tsr_model_count(&m, &p);
    /* q 64 x 96, latents 64 x 40 and a norm of 32, keys and values 32 x 4 x 40, o 96 x 64 */
    assert_int_equal(p.attention, 5 * (6144 + 2560 + 32 + 5120 + 6144));
    for (int i = 0; i < 5; i++) /* layer 0 is dense, then every second */
        assert_int_equal(m.layer_kind[i], i == 2 || i == 4 ? TSR_LAYER_MOE : 0);
    assert_int_equal(p.ffn, 3 * 3 * 64 * 96 + 2 * 3 * 64 * 3 * 48);
    assert_int_equal(p.experts, 2 * 8 * 3 * 64 * 48);
    assert_int_equal(p.router, 2 * 8 * 64);
    assert_false(m.router_renorm);
    assert_true(fabs(m.attn_scale - 1 / sqrt(24)) < 1e-15);
    edited("q_lora_rank", "10", text, sizeof text);
    assert_int_equal(parse(text, &m, &e), TSR_OK);
    tsr_model_count(&m, &p);
    assert_int_equal(p.attention, 5 * (640 + 10 + 960 + 2560 + 32 + 5120 + 6144));
    edited("rope_scaling",
           "{\"type\": \"yarn\", \"factor\": 40, \"mscale\": 0.5, \"mscale_all_dim\": 2}", text,
           sizeof text);
    assert_int_equal(parse(text, &m, &e), TSR_OK);
    assert_true(fabs(m.attn_scale - 3.019865053 / sqrt(24)) < 1e-8); /* (1 + 0.2 ln 40)^2 */
    assert_true(fabs(m.rope.attention_factor - 1.184443973 / 1.737775896) < 1e-8);
}

/* Published: 671 B parameters, 37 B for a token (the input table among them); 576 values of cache
 * for a token and layer. Each term from the shapes of arXiv 2412.19437, section 4.2. */
static void test_latent_sizes_of_deepseek_v3_are_the_published(void **state)
{
    struct tsr_model m;
    struct tsr_params p;
    struct tsr_fit f = {0};
    struct tsr_chip chip;
    struct tsr_error e = {0};
    const uint64_t expert = 3ull * 7168 * 2048, table = 129280ull * 7168,
                   attention = 7168ull * 1536 + 1536 + 1536ull * 128 * 192 + 7168ull * 576 + 512 +
                               512ull * 128 * 256 + 128ull * 128 * 7168,
                   dense = 3 * 3ull * 7168 * 18432, router = 58 * (256ull * 7168 + 256),
                   norms = 123 * 7168;
    const uint64_t common = 61 * attention + dense + 58 * expert + router + norms;
    (void)state;
    assert_int_equal(tsr_model_load("deepseek-v3", &m, &e), TSR_OK);
    assert_int_equal(tsr_chip_load("maia100", &chip, &e), TSR_OK);
    tsr_model_count(&m, &p);
    assert_int_equal(p.total, 2 * table + common + 58 * 256 * expert);
    assert_int_equal(p.total / 1000000000, 671);
    assert_int_equal((p.active + table) / 1000000000, 37);
    const struct tsr_graph_options o = {.phase = TSR_DECODE, .batch = 2, .seq = 1000};
    assert_int_equal(tsr_model_fit(&m, &o, &chip, &f, &e), TSR_BAD_INPUT); /* 64 GiB hold it not */
    assert_non_null(strstr(e.message, "deepseek-v3: does not fit maia100: weights 1249.88 GiB"));
    assert_int_equal(f.kv_token_bytes, 61 * 576 * 2);
    assert_int_equal(f.kv_bytes, 2 * 1000 * 61 * 576 * 2);
    assert_int_equal(f.weight_bytes, 2 * p.total);
    assert_true(fabs(m.attn_scale - 0.13523377) < 1e-8); /* (1 + 0.1 ln 40)^2 / sqrt(192) */
}

/* ---- plans ---- */

struct fixture {
    struct tsr_isa *isa;
    struct tsr_chip chip;
    struct tsr_model model;
    struct project_plan *plan;
};

static struct project_options options(const struct fixture *f, const char *format, const char *kv,
                                      enum tsr_phase phase)
{
    const struct tsr_format *w = tsr_isa_format(f->isa, format);
    return (struct project_options){.isa = f->isa,
                                    .chip = &f->chip,
                                    .phase = phase,
                                    .batch = 3,
                                    .seq = 300,
                                    .weights = w,
                                    .activations = w,
                                    .kv = tsr_isa_format(f->isa, kv),
                                    .seed = 1,
                                    .threads = 1};
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct tsr_error e = {0};
    f->plan = calloc(1, sizeof *f->plan);
    assert_int_equal(tsr_isa_load(NULL, 0, &f->isa, &e), TSR_OK);
    assert_int_equal(tsr_chip_load("maia100", &f->chip, &e), TSR_OK);
    assert_int_equal(tsr_model_load("deepseek-v2-lite", &f->model, &e), TSR_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tsr_isa_free(f->isa);
    project_plan_free(f->plan);
    free(f->plan);
    free(f);
    return 0;
}

static const union project_op *find(const struct fixture *f, const char *name)
{
    for (uint32_t i = 0; i < f->plan->n_steps; i++)
        if (strcmp(f->plan->step[i].name, name) == 0)
            return &f->plan->step[i].op;
    return NULL;
}

static void make(struct fixture *f, const struct project_options *o)
{
    struct tsr_error e = {0};
    project_plan_free(f->plan);
    if (project_plan(&f->model, o, f->plan, &e) != TSR_OK)
        fail_msg("%s", e.message);
}

/* The new token's row is the last of its sequence: 512 latents, then 64 that are turned. */
static void test_latent_decode_writes_and_reads_one_cache(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *kv;
        uint64_t bytes;
    } caches[] = {{"bf16", 2}, {"f16", 2}, {"f8e4m3", 1}, {"f8e5m2", 1}};
    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
        const uint64_t size = caches[i].bytes;
        struct project_options o = options(f, "bf16", caches[i].kv, TSR_DECODE);
        make(f, &o);
        const struct tsr_npu_attention *a = &find(f, "attention")->attention;
        const struct tsr_npu_rmsnorm *n = &find(f, "kv_a_norm")->rmsnorm;
        const struct tsr_npu_rope *k = &find(f, "rope_k")->rope;
        const struct tsr_npu_cast *c = size == 1 ? &find(f, "kv_append_cast")->cast : NULL;
        assert_int_equal(a->head_dim, 576);
        assert_int_equal(a->v_dim, 512);
        assert_true(a->values_in_keys);
        assert_int_equal(a->k.token_stride, 576 * size);
        for (uint64_t b = 0; b < 3; b++) {
            const uint64_t row = a->k.address + b * a->k.batch_stride + 299 * a->k.token_stride;
            assert_int_equal(k->k_cache + b * k->k_token_stride, n->y + b * n->y_stride + 2 * 512);
            assert_int_equal(c ? c->y + b * c->y_stride : n->y + b * n->y_stride, row);
        }
        assert_true(!c || (c->x == n->y && c->cols == 576));
        assert_int_equal(f->plan->kv_bytes, 27ull * 3 * 300 * 576 * size);
        assert_int_equal(project_plan_fit(f->plan).kv_token_bytes, 27 * 576 * size);
    }
}

static void test_latent_caches_that_are_not_served_are_named(void **state)
{
    struct fixture *f = *state;
    static const char *const kinds[] = {"mx9", "mxf8e4m3", "q8_0", "i8"};
    struct tsr_error e = {0};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct project_options o = options(f, "bf16", kinds[i], TSR_DECODE);
        char want[160];
        snprintf(want, sizeof want,
                 "kv: %s: no kernel takes it (latents are keys and values), allowed: f16 bf16 "
                 "f8e4m3 f8e5m2",
                 kinds[i]);
        project_plan_free(f->plan);
        e = (struct tsr_error){0};
        assert_int_equal(project_plan(&f->model, &o, f->plan, &e), TSR_BAD_INPUT);
        assert_string_equal(e.message, want);
    }
    struct project_options o = options(f, "i8", "bf16", TSR_DECODE);
    e = (struct tsr_error){0};
    assert_int_equal(project_plan(&f->model, &o, f->plan, &e), TSR_BAD_INPUT);
    assert_non_null(strstr(e.message, "a decode step multiplies heads one by one"));
    o = options(f, "bf16", "bf16", TSR_DECODE);
    o.positions = 400;
    e = (struct tsr_error){0};
    assert_int_equal(project_plan(&f->model, &o, f->plan, &e), TSR_BAD_INPUT);
    assert_non_null(strstr(e.message, "latent attention: not for tokens that are generated"));
    struct infer *s = NULL;
    const struct infer_options run = {.model = &f->model};
    e = (struct tsr_error){0};
    assert_int_equal(infer_create(&run, &s, &e), TSR_BAD_INPUT);
    assert_string_equal(e.message, "deepseek-v2-lite: deepseek_v2: latent attention is served by "
                                   "project alone");
}

/* A shared expert without a gate is a dense feed-forward that reads what the router reads. */
static void test_latent_shared_experts_add_to_the_stream(void **state)
{
    struct fixture *f = *state;
    struct project_options o = options(f, "bf16", "bf16", TSR_DECODE);
    make(f, &o);
    assert_null(find(f, "shared_gate"));
    assert_null(find(f, "shared_add"));
    const struct tsr_npu_matmul *up = &find(f, "shared_gate_up")->matmul,
                                *down = &find(f, "shared_down")->matmul;
    assert_int_equal(up->n, 2 * 2816);
    assert_int_equal(up->a, find(f, "router")->matmul.a);
    assert_int_equal(down->a, up->c);
    assert_int_equal(down->epilogue, TSR_EPILOGUE_RESIDUAL);
    assert_int_equal(down->residual, find(f, "combine")->moe_combine.y);
    assert_int_equal(down->c, down->residual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latent_wrong_values_name_place_and_key),
        cmocka_unit_test(test_latent_config_is_read_as_written),
        cmocka_unit_test(test_latent_sizes_of_deepseek_v3_are_the_published),
        cmocka_unit_test(test_latent_decode_writes_and_reads_one_cache),
        cmocka_unit_test(test_latent_caches_that_are_not_served_are_named),
        cmocka_unit_test(test_latent_shared_experts_add_to_the_stream),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
