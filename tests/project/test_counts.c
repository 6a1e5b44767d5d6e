/* SPDX-License-Identifier: Apache-2.0 */
/* Parameter counts of published models, presets and config files alike. */
#include "tests/support/harness.h"

#include <stdio.h>
#include <string.h>

#include "tessera/model.h"

/* Totals: counted from the published shapes. `active` follows the one rule of tsr_params: without
 * the input table, with lm_head. Lists that include the input table (mixtral 12,879,925,248 and
 * qwen3-30b-a3b 3,353,032,704) are larger by vocab * hidden. */
static const struct {
    const char *name, *file;
    uint64_t total, active;
} known[] = {
    {"llama-2-7b", "Llama-2-7b-hf", 6738415616, 6738415616 - 32000ull * 4096},
    {"llama-2-13b", "Llama-2-13b-hf", 13015864320, 13015864320 - 32000ull * 5120},
    {"llama-2-70b", "Llama-2-70b-hf", 68976648192, 68976648192 - 32000ull * 8192},
    {"llama-3.1-8b", "Meta-Llama-3.1-8B", 8030261248, 8030261248 - 128256ull * 4096},
    {"llama-3.1-70b", "Meta-Llama-3.1-70B", 70553706496, 70553706496 - 128256ull * 8192},
    {"mistral-7b", "Mistral-7B-v0.1", 7241732096, 7241732096 - 32000ull * 4096},
    {"mixtral-8x7b", "Mixtral-8x7B-v0.1", 46702792704, 12879925248 - 32000ull * 4096},
    {"grok-1", "grok-1", 315684820992, 83756587008},
    {"gpt-oss-20b", "gpt-oss-20b", 20914757184, 3608307264},
    {"gpt-oss-120b", "gpt-oss-120b", 116829156672, 5132849472},
    {"qwen2.5-7b", "Qwen2.5-7B", 7615616512, 7615616512 - 152064ull * 3584},
    {"qwen3-8b", "Qwen3-8B", 8190735360, 8190735360 - 151936ull * 4096},
    {"qwen3-30b-a3b", "Qwen3-30B-A3B", 30532122624, 3353032704 - 151936ull * 2048},
    {"phi-4", "Phi-4", 14659507200, 14659507200 - 100352ull * 5120},
    {"deepseek-v2-lite", "DeepSeek-V2-Lite", 15706484224, 2451435008},
    {"deepseek-v3", "DeepSeek-V3", 671026419200, 37552297472 - 129280ull * 7168},
};
enum {
    N_KNOWN = sizeof known / sizeof known[0]
};

static struct tsr_model load(const char *name)
{
    struct tsr_model m;
    struct tsr_error e = {0};
    if (tsr_model_load(name, &m, &e) != TSR_OK)
        fail_msg("%s", e.message);
    return m;
}

static void check(const struct tsr_model *m, uint64_t total, uint64_t active)
{
    struct tsr_params p;
    tsr_model_count(m, &p);
    if (p.total != total || p.active != active)
        fail_msg("%s: total %llu active %llu, want %llu and %llu", m->name,
                 (unsigned long long)p.total, (unsigned long long)p.active,
                 (unsigned long long)total, (unsigned long long)active);
    assert_int_equal(p.total,
                     p.embedding + p.head + p.attention + p.ffn + p.router + p.experts + p.norms);
}

static void test_counts_presets_are_exact(void **state)
{
    (void)state;
    const char *const *names = tsr_model_names();
    for (int i = 0; i < N_KNOWN; i++) {
        assert_non_null(names[i]); /* so every preset has its row here, in order */
        assert_string_equal(names[i], known[i].name);
        struct tsr_model m = load(names[i]);
        assert_string_equal(m.name, names[i]);
        check(&m, known[i].total, known[i].active);
    }
    assert_null(names[N_KNOWN]);
}

/* All that a model is, but for name and context, as text. */
static void describe(const struct tsr_model *m, char *s, size_t cap)
{
    int n = snprintf(
        s, cap,
        "%s %u %u %u %u %u latent %u %u %u %u %.17g ffn %u %u shared %u %d experts %u %u vocab %u "
        "window %u flags %d%d%d%d%d%d%d%d%d%d "
        "act %d %g %g eps %g scale %.17g %.17g %.17g cap %g rope %d %g %g %g %g %g %g %u %d %.17g ",
        tsr_arch_name(m->arch), m->hidden, m->layers, m->heads, m->kv_heads, m->head_dim,
        m->kv_rank, m->q_rank, m->rope_dim, m->v_dim, m->rope.logit_factor, m->ffn, m->expert_ffn,
        m->shared_ffn, m->shared_gate, m->experts, m->top_k, m->vocab, m->window, m->tied,
        m->qkv_bias, m->o_bias, m->ffn_bias, m->router_bias, m->qk_norm, m->sinks,
        m->router_after_topk, m->router_renorm, m->post_norms, m->activation, m->act_limit,
        m->act_alpha, m->norm_eps, m->embed_scale, m->logit_scale, m->attn_scale, m->attn_softcap,
        m->rope.scaling, m->rope.theta, m->rope.factor, m->rope.low_freq_factor,
        m->rope.high_freq_factor, m->rope.beta_fast, m->rope.beta_slow, m->rope.original_context,
        m->rope.truncate, m->rope.attention_factor);
    for (uint32_t i = 0; i < m->layers; i++)
        s[n++] = (char)('0' + m->layer_kind[i]);
    s[n] = '\0';
}

static void test_counts_config_files_equal_presets(void **state)
{
    (void)state;
    for (int i = 0; i < N_KNOWN; i++) {
        char file[64], got[2048], want[2048];
        snprintf(file, sizeof file, "configs/%s.json", known[i].file);
        const char *path = tsr_test_data(file);
        if (path == NULL)
            continue;
        struct tsr_model m = load(path), preset = load(known[i].name);
        check(&m, known[i].total, known[i].active);
        describe(&m, got, sizeof got);
        describe(&preset, want, sizeof want);
        assert_string_equal(got, want);
    }
}

/* More published shapes, written here in the words of config.json. */
static void test_counts_further_models_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        int hidden, layers, heads, kv, ffn, vocab;
        const char *more;
        uint64_t total;
    } shapes[] = {
        {"llama", 16384, 126, 128, 8, 53248, 128256, "", 405853388800},
        {"phi3", 3072, 32, 32, 32, 8192, 32064, ",\"sliding_window\": 2047", 3821079552},
        {"mixtral", 6144, 56, 48, 8, 16384, 32000,
         ",\"num_local_experts\": 8, \"num_experts_per_tok\": 2", 140620634112},
        {"qwen2", 896, 24, 14, 2, 4864, 151936, ",\"tie_word_embeddings\": true", 494032768},
        {"qwen2", 1536, 28, 12, 2, 8960, 151936, ",\"tie_word_embeddings\": true", 1543714304},
        {"qwen2", 2048, 36, 16, 2, 11008, 151936, ",\"tie_word_embeddings\": true", 3085938688},
        {"qwen2", 5120, 48, 40, 8, 13824, 152064, "", 14770033664},
        {"qwen2", 5120, 64, 40, 8, 27648, 152064, "", 32763876352},
        {"qwen2", 8192, 80, 64, 8, 29568, 152064, "", 72706203648},
        {"qwen2_moe", 2048, 24, 16, 16, 5632, 151936,
         ",\"num_experts\": 60, \"num_experts_per_tok\": 4, \"moe_intermediate_size\": 1408,"
         "\"shared_expert_intermediate_size\": 5632",
         14315784192},
        {"llama", 64, 5, 8, 4, 172, 512, ",\"tie_word_embeddings\": true", 260032},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        char text[512];
        int n = snprintf(text, sizeof text,
                         "{\"model_type\": \"%s\", \"hidden_size\": %d, \"num_hidden_layers\": %d,"
                         "\"num_attention_heads\": %d, \"num_key_value_heads\": %d,"
                         "\"intermediate_size\": %d, \"vocab_size\": %d%s}",
                         shapes[i].type, shapes[i].hidden, shapes[i].layers, shapes[i].heads,
                         shapes[i].kv, shapes[i].ffn, shapes[i].vocab, shapes[i].more);
        struct tsr_model m;
        struct tsr_error e = {0};
        struct tsr_params p;
        if (tsr_model_parse("shape.json", text, (size_t)n, &m, &e) != TSR_OK)
            fail_msg("%s", e.message);
        tsr_model_count(&m, &p);
        assert_int_equal(p.total, shapes[i].total);
        struct tsr_graph_options o = {.phase = TSR_DECODE, .batch = 1, .seq = 1};
        struct tsr_graph_totals t;
        struct tsr_graph g;
        assert_int_equal(tsr_graph_build(&m, &o, &g, NULL), TSR_OK);
        tsr_graph_sum(&g, &t);
        assert_int_equal(t.params, p.total);
        assert_int_equal(t.weight_read_bytes, 2 * (p.active + m.hidden));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_presets_are_exact),
        cmocka_unit_test(test_counts_config_files_equal_presets),
        cmocka_unit_test(test_counts_further_models_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
