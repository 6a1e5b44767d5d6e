/* SPDX-License-Identifier: Apache-2.0 */
/* The graph against closed formulas that do not use it. */
#include "tests/support/harness.h"

#include <string.h>

#include "tessera/model.h"

static const struct tsr_format f32 = {.name = "f32", .code = TSR_F32, .bits = 32, .block = 1};

static struct tsr_model load(const char *name)
{
    struct tsr_model m;
    assert_int_equal(tsr_model_load(name, &m, NULL), TSR_OK);
    return m;
}

static struct tsr_graph build(const struct tsr_model *m, enum tsr_phase phase, uint64_t batch,
                              uint64_t seq)
{
    struct tsr_graph g;
    struct tsr_graph_options o = {.phase = phase, .batch = batch, .seq = seq};
    struct tsr_error e = {0};
    if (tsr_graph_build(m, &o, &g, &e) != TSR_OK)
        fail_msg("%s", e.message);
    return g;
}

static const struct tsr_graph_op *find(const struct tsr_graph *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_ops; i++)
        if (strcmp(g->ops[i].name, name) == 0)
            return &g->ops[i];
    return NULL;
}

/* Keys seen by all queries of one layer, counted one by one. */
static uint64_t count_pairs(uint64_t q_len, uint64_t kv_len, uint64_t window)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < q_len; i++) {
        uint64_t seen = kv_len - q_len + i + 1;
        n += window != 0 && seen > window ? window : seen;
    }
    return n;
}

/* Elements of a key and of a value; a decode step of latent attention takes both from the cache. */
static uint64_t pair_macs(const struct tsr_model *m, bool decode)
{
    if (m->kv_rank == 0)
        return 2 * (uint64_t)m->head_dim;
    return decode ? 2 * (uint64_t)m->kv_rank + m->rope_dim : m->head_dim + (uint64_t)m->v_dim;
}

static uint64_t attention_macs(const struct tsr_model *m, uint64_t batch, uint64_t q, uint64_t kv,
                               bool decode)
{
    uint64_t sum = 0;
    for (uint32_t l = 0; l < m->layers; l++)
        sum += batch * m->heads * pair_macs(m, decode) *
               count_pairs(q, kv, m->layer_kind[l] & TSR_LAYER_SLIDING ? m->window : 0);
    return sum;
}

/* Parameters that multiply an activation vector of one token: the active ones without norms,
 * biases and sinks; `head` apart because prefill runs it on one token only. */
static uint64_t matrix_params(const struct tsr_model *m)
{
    uint64_t q = (uint64_t)m->heads * m->head_dim, kv = (uint64_t)m->kv_heads * m->head_dim;
    uint64_t layer = (2 * q + 2 * kv) * m->hidden, sum = 0;
    if (m->kv_rank != 0) /* arXiv 2405.04434: W^DQ W^UQ W^QR, W^DKV W^KR, W^UK W^UV, W^O */
        layer = (m->q_rank ? m->q_rank * (m->hidden + q) : m->hidden * q) +
                m->hidden * (m->kv_rank + (uint64_t)m->rope_dim) +
                (uint64_t)m->heads * m->kv_rank * (m->head_dim - m->rope_dim + m->v_dim) +
                (uint64_t)m->heads * m->v_dim * m->hidden;
    for (uint32_t l = 0; l < m->layers; l++)
        sum += layer + (m->layer_kind[l] & TSR_LAYER_MOE
                            ? 3ull * m->hidden * (m->top_k * m->expert_ffn + m->shared_ffn) +
                                  (uint64_t)m->hidden * m->experts
                            : 3 * (uint64_t)m->hidden * m->ffn);
    return sum;
}

static void test_graph_params_equal_the_count(void **state)
{
    (void)state;
    for (const char *const *n = tsr_model_names(); *n != NULL; n++) {
        struct tsr_model m = load(*n);
        struct tsr_params p;
        struct tsr_graph_totals t;
        tsr_model_count(&m, &p);
        for (int phase = 0; phase < 2; phase++) {
            struct tsr_graph g = build(&m, (enum tsr_phase)phase, 3, 300);
            tsr_graph_sum(&g, &t);
            assert_int_equal(t.params, p.total);
            assert_int_equal(t.weight_bytes, 2 * p.total);
        }
        /* In f32 everything is f32. */
        struct tsr_graph g;
        struct tsr_graph_options o = {.phase = TSR_DECODE, .batch = 1, .seq = 1, .weights = &f32};
        assert_int_equal(tsr_graph_build(&m, &o, &g, NULL), TSR_OK);
        tsr_graph_sum(&g, &t);
        assert_int_equal(t.weight_bytes, 4 * p.total);
        /* One token reads the active parameters and one row of the input table. */
        assert_int_equal(t.weight_read_bytes, 4 * (p.active + m.hidden));
    }
}

static void test_graph_macs_equal_the_closed_formula(void **state)
{
    (void)state;
    static const uint64_t shapes[][2] = {{1, 1}, {1, 128}, {2, 129}, {3, 4097}, {16, 2048}};
    for (const char *const *n = tsr_model_names(); *n != NULL; n++) {
        struct tsr_model m = load(*n);
        uint64_t head = (uint64_t)m.vocab * m.hidden;
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
            uint64_t b = shapes[i][0], s = shapes[i][1];
            struct tsr_graph_totals t;
            struct tsr_graph g = build(&m, TSR_PREFILL, b, s);
            tsr_graph_sum(&g, &t);
            assert_int_equal(t.macs, b * s * matrix_params(&m) + b * head +
                                         attention_macs(&m, b, s, s, false));
            g = build(&m, TSR_DECODE, b, s);
            tsr_graph_sum(&g, &t);
            assert_int_equal(t.macs, b * matrix_params(&m) + b * head +
                                         attention_macs(&m, b, 1, s, true));
        }
    }
}

static void test_graph_of_llama_has_the_expected_shapes(void **state)
{
    (void)state;
    static const char *const order[] = {"embed", "attn_norm", "qkv", "rope", "kv_append",
                                        "attention", "o", "ffn_norm", "gate_up", "down",
                                        "final_norm", "lm_head"};
    struct tsr_model m = load("llama-2-70b");
    struct tsr_graph g = build(&m, TSR_PREFILL, 2, 512);
    assert_int_equal(g.n_ops, 12);
    for (uint32_t i = 0; i < 12; i++) {
        assert_string_equal(g.ops[i].name, order[i]);
        assert_int_equal(g.ops[i].repeat, i == 0 || i >= 10 ? 1 : 80);
        assert_int_equal(g.ops[i].m, i >= 10 ? 2 : 1024);
    }
    const struct tsr_graph_op *qkv = find(&g, "qkv"), *o = find(&g, "o");
    assert_int_equal(qkv->n, (64 + 2 * 8) * 128);
    assert_int_equal(qkv->k, 8192);
    assert_int_equal(qkv->flags, 0);
    assert_int_equal(o->flags, TSR_OPF_RESIDUAL);
    assert_int_equal(o->in_elems, 1024 * (8192 + 8192));
    const struct tsr_graph_op *up = find(&g, "gate_up"), *a = find(&g, "attention");
    assert_int_equal(up->n, 2 * 28672);
    assert_int_equal(up->flags, TSR_OPF_GATE);
    assert_int_equal(up->out_elems, 1024 * 28672);
    assert_int_equal(a->q_len, 512);
    assert_int_equal(a->kv_len, 512);
    assert_int_equal(a->kv_read_bytes, 2 * 2 * 512 * 8 * 128 * 2);
    assert_int_equal(find(&g, "kv_append")->kv_write_bytes, a->kv_read_bytes);
    assert_int_equal(find(&g, "lm_head")->flags, TSR_OPF_F32_OUT);
}

static void test_graph_of_gpt_oss_has_two_attentions(void **state)
{
    (void)state;
    struct tsr_model m = load("gpt-oss-20b");
    struct tsr_graph g = build(&m, TSR_DECODE, 4, 1000);
    const struct tsr_graph_op *w = find(&g, "attention_window"), *a = find(&g, "attention");
    assert_int_equal(w->repeat, 12);
    assert_int_equal(a->repeat, 12);
    assert_int_equal(w->window, 128);
    assert_int_equal(w->kv_read_bytes, 2 * 4 * 8 * 128 * 64 * 2);
    assert_int_equal(a->kv_read_bytes, 2 * 4 * 8 * 1000 * 64 * 2);
    assert_int_equal(a->flags, TSR_OPF_CAUSAL | TSR_OPF_SINKS);
    const struct tsr_graph_op *up = find(&g, "expert_gate_up");
    assert_int_equal(up->kind, TSR_OP_EXPERT_MATMUL);
    assert_int_equal(up->activation, TSR_ACT_SWIGLU_CLAMP);
    assert_int_equal(up->flags, TSR_OPF_BIAS | TSR_OPF_GATE);
    assert_int_equal(up->experts_read, 16);
    assert_int_equal(up->weight_read_bytes * 2, up->weight_bytes);
    assert_int_equal(up->out_elems, 4 * 4 * 2880);
    assert_int_equal(find(&g, "router")->n, 32);
    assert_int_equal(find(&g, "combine")->in_elems, 4 * 5 * 2880);
    assert_null(find(&g, "gate_up"));
    /* A window that reaches over all keys is no other operation. */
    g = build(&m, TSR_DECODE, 4, 128);
    assert_null(find(&g, "attention_window"));
    assert_int_equal(find(&g, "attention")->repeat, 24);
}

static void test_graph_of_grok_has_four_norms(void **state)
{
    (void)state;
    struct tsr_model m = load("grok-1");
    struct tsr_graph g = build(&m, TSR_DECODE, 1, 10);
    uint32_t norms = 0;
    for (uint32_t i = 0; i < g.n_ops; i++)
        norms += g.ops[i].kind == TSR_OP_RMSNORM ? g.ops[i].repeat : 0;
    assert_int_equal(norms, 4 * 64 + 1);
    assert_int_equal(find(&g, "o")->flags, 0);
    assert_int_equal(find(&g, "attn_post_norm")->flags, TSR_OPF_RESIDUAL);
    assert_int_equal(find(&g, "ffn_post_norm")->flags, TSR_OPF_RESIDUAL);
    assert_int_equal(find(&g, "combine")->flags, 0);
    assert_int_equal(find(&g, "expert_gate_up")->activation, TSR_ACT_GELU_TANH);
    assert_true(find(&g, "attention")->flags & TSR_OPF_SOFTCAP);
    assert_int_equal(find(&g, "embed")->flags, TSR_OPF_TIED | TSR_OPF_SCALE);
    assert_int_equal(find(&g, "embed")->params, 0);
    assert_true(find(&g, "lm_head")->flags & TSR_OPF_TIED);
}

static void test_graph_of_a_mixed_model_has_both_feed_forwards(void **state)
{
    (void)state;
    const char text[] = "{\"model_type\": \"qwen3_moe\", \"hidden_size\": 64, "
                        "\"num_hidden_layers\": 6, \"num_attention_heads\": 4, "
                        "\"intermediate_size\": 96, \"vocab_size\": 100, \"num_experts\": 8, "
                        "\"num_experts_per_tok\": 2, \"moe_intermediate_size\": 32, "
                        "\"decoder_sparse_step\": 2, \"mlp_only_layers\": [5]}";
    struct tsr_model m;
    struct tsr_params p;
    struct tsr_graph_totals t;
    assert_int_equal(tsr_model_parse("x", text, sizeof text - 1, &m, NULL), TSR_OK);
    struct tsr_graph g = build(&m, TSR_PREFILL, 1, 4);
    assert_int_equal(find(&g, "gate_up")->repeat, 4); /* experts in layers 1 and 3 */
    assert_int_equal(find(&g, "expert_down")->repeat, 2);
    assert_int_equal(find(&g, "ffn_norm")->repeat, 6);
    tsr_model_count(&m, &p);
    tsr_graph_sum(&g, &t);
    assert_int_equal(t.params, p.total);
    assert_int_equal(p.ffn, 4 * 3 * 64 * 96);
    assert_int_equal(p.experts, 2 * 8 * 3 * 64 * 32);
}

static void test_graph_format_bytes_pad_blocks(void **state)
{
    (void)state;
    static const struct tsr_format mx9 = {.name = "mx9", .code = TSR_MX9,
                                          .family = TSR_FAMILY_SMX, .bits = 8, .mbits = 7,
                                          .block = 16, .scale_bits = 8};
    static const struct tsr_format mx6 = {.name = "mx6", .code = TSR_MX6,
                                          .family = TSR_FAMILY_SMX, .bits = 5, .mbits = 4,
                                          .block = 16, .scale_bits = 8};
    static const struct tsr_format mxf4 = {.name = "mxf4", .code = TSR_MXF4,
                                           .family = TSR_FAMILY_MX, .bits = 4, .block = 32,
                                           .scale_bits = 8};
    static const struct tsr_format q6_k = {.name = "q6_k", .code = TSR_Q6_K,
                                           .family = TSR_FAMILY_GGUF, .bits = 6, .block = 16,
                                           .scale_bits = 9};
    assert_int_equal(tsr_format_bytes(NULL, 3, 5), 30);
    assert_int_equal(tsr_format_bytes(&f32, 3, 5), 60);
    assert_int_equal(tsr_format_bytes(&mx9, 2, 4096), 2 * 4096 * 9 / 8);
    assert_int_equal(tsr_format_bytes(&mx9, 2, 17), 2 * 2 * 18);
    assert_int_equal(tsr_format_bytes(&mx6, 1, 4096), 4096 * 6 / 8);
    assert_int_equal(tsr_format_bytes(&mxf4, 7, 32), 7 * 17);
    assert_int_equal(tsr_format_bytes(&q6_k, 1, 256), 210);
    assert_int_equal(tsr_format_bytes(NULL, UINT64_MAX / 2, 3), UINT64_MAX);
    assert_int_equal(tsr_format_bytes(&mx9, 1, UINT64_MAX), UINT64_MAX);
}

static void test_graph_refuses_impossible_sizes(void **state)
{
    (void)state;
    static const struct {
        uint64_t batch, seq;
        const char *key;
    } bad[] = {
        {0, 1, "batch"},
        {1, 0, "seq"},
        {(1ull << 31) + 1, 1, "batch"},
        {1, (1ull << 31) + 1, "seq"},
        {UINT64_MAX, UINT64_MAX, "batch"},
        {1ull << 31, 1ull << 31, "above 2^63"},
    };
    struct tsr_model m = load("grok-1");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct tsr_graph g = {.n_ops = 77};
        struct tsr_graph_options o = {.phase = TSR_PREFILL, .batch = bad[i].batch,
                                      .seq = bad[i].seq};
        struct tsr_error e = {0};
        assert_int_equal(tsr_graph_build(&m, &o, &g, &e), TSR_BAD_INPUT);
        assert_non_null(strstr(e.message, bad[i].key));
        assert_int_equal(g.n_ops, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graph_params_equal_the_count),
        cmocka_unit_test(test_graph_macs_equal_the_closed_formula),
        cmocka_unit_test(test_graph_of_llama_has_the_expected_shapes),
        cmocka_unit_test(test_graph_of_gpt_oss_has_two_attentions),
        cmocka_unit_test(test_graph_of_grok_has_four_norms),
        cmocka_unit_test(test_graph_of_a_mixed_model_has_both_feed_forwards),
        cmocka_unit_test(test_graph_format_bytes_pad_blocks),
        cmocka_unit_test(test_graph_refuses_impossible_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
