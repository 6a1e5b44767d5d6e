/* SPDX-License-Identifier: Apache-2.0 */
/* HF config.json -> tsr_model. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/project/config_mla.h"
#include "sim/project/model_priv.h"

#define DIM_MAX ((uint32_t)INT32_MAX) /* any one size; the sums have TSR_MAX_PARAMS */

static struct tsr_json_key top(const char *key)
{
    return (struct tsr_json_key){NULL, key};
}

/* The spelling that the file uses. */
static struct tsr_json_key either(struct tsr_json *j, const char *key, const char *other)
{
    return tsr_json_get(j, top(key)) == NULL && tsr_json_get(j, top(other)) != NULL ? top(other)
                                                                                    : top(key);
}

static uint32_t required(struct tsr_json *j, const char *key)
{
    return tsr_json_uint(j, top(key), 1, DIM_MAX, TSR_JSON_REQUIRED);
}

static void read_arch(struct tsr_json *j, struct tsr_model *m)
{
    char allowed[256] = "";
    size_t used = 0;
    const char *type = tsr_json_string(j, top("model_type"));
    for (int a = 0; a < TSR_ARCH_COUNT; a++) {
        const struct tsr_arch_row *row = tsr_arch_row((enum tsr_arch)a);
        if (type != NULL && (strcmp(type, row->name) == 0 ||
                             (row->alias != NULL && strcmp(type, row->alias) == 0))) {
            m->arch = (enum tsr_arch)a;
            return;
        }
        used += (size_t)snprintf(allowed + used, sizeof allowed - used, " %s", row->name);
    }
    if (type == NULL)
        tsr_json_fail(j, top("model_type"), "required but missing, one of%s is allowed", allowed);
    else
        tsr_json_fail(j, top("model_type"), "unknown architecture \"%.80s\", one of%s is allowed",
                      type, allowed);
}

static void read_shape(struct tsr_json *j, struct tsr_model *m)
{
    m->hidden = required(j, "hidden_size");
    m->layers = tsr_json_uint(j, top("num_hidden_layers"), 1, TSR_MAX_LAYERS, TSR_JSON_REQUIRED);
    m->heads = required(j, "num_attention_heads");
    m->ffn = required(j, "intermediate_size");
    m->vocab = required(j, "vocab_size");
    m->kv_heads = tsr_json_uint(j, top("num_key_value_heads"), 1, DIM_MAX, m->heads);
    m->context = tsr_json_uint(j, top("max_position_embeddings"), 1, DIM_MAX, 2048);
    if (j->failed)
        return;
    if (tsr_arch_row(m->arch)->mla) {
        tsr_config_latent_shape(j, m);
        return;
    }
    if (m->heads % m->kv_heads != 0) {
        tsr_json_fail(j, top("num_key_value_heads"),
                      "is %u, a divisor of num_attention_heads = %u is allowed", m->kv_heads,
                      m->heads);
        return;
    }
    m->head_dim = tsr_json_uint(j, top("head_dim"), 1, DIM_MAX, m->hidden / m->heads);
    if (tsr_json_get(j, top("head_dim")) == NULL && m->hidden % m->heads != 0)
        tsr_json_fail(j, top("num_attention_heads"),
                      "is %u, without head_dim a divisor of hidden_size = %u is allowed", m->heads,
                      m->hidden);
    else if (m->head_dim % 2 != 0)
        tsr_json_fail(j, top("head_dim"), "is %u, an even number is allowed (RoPE turns pairs)",
                      m->head_dim);
    double partial = tsr_json_real(j, top("partial_rotary_factor"), 0, 1, 1);
    if (partial != 1)
        tsr_json_fail(j, top("partial_rotary_factor"), "is %g, 1 is allowed", partial);
}

static void read_experts(struct tsr_json *j, struct tsr_model *m)
{
    if (tsr_arch_row(m->arch)->mla)
        tsr_config_latent_experts(j, m);
    if (!tsr_arch_row(m->arch)->moe || tsr_arch_row(m->arch)->mla)
        return;
    /* each family has its own spelling: name that */
    bool qwen = m->arch == TSR_ARCH_QWEN3_MOE || m->arch == TSR_ARCH_QWEN2_MOE;
    struct tsr_json_key n = qwen ? either(j, "num_experts", "num_local_experts")
                                 : either(j, "num_local_experts", "num_experts");
    m->experts = tsr_json_uint(j, n, 1, DIM_MAX, TSR_JSON_REQUIRED);
    struct tsr_json_key k = either(j, "num_experts_per_tok", "experts_per_token");
    m->top_k = tsr_json_uint(j, k, 1, DIM_MAX, TSR_JSON_REQUIRED);
    if (m->top_k > m->experts)
        tsr_json_fail(j, k, "is %u, at most the number of experts = %u is allowed", m->top_k,
                      m->experts);
    m->expert_ffn = m->ffn;
    if (qwen) {
        m->expert_ffn = required(j, "moe_intermediate_size");
        m->router_renorm = tsr_json_bool(j, top("norm_topk_prob"), false);
    }
    if (m->arch == TSR_ARCH_QWEN2_MOE)
        m->shared_ffn = required(j, "shared_expert_intermediate_size");
    /* Which layers have experts: all, but for those that two keys of the Qwen family name. */
    uint32_t step = tsr_json_uint(j, top("decoder_sparse_step"), 1, DIM_MAX, 1);
    for (uint32_t i = 0; i < m->layers && !j->failed; i++)
        if ((i + 1) % step == 0)
            m->layer_kind[i] |= TSR_LAYER_MOE;
    json_t *dense = tsr_json_get(j, top("mlp_only_layers"));
    if (dense != NULL && !json_is_array(dense))
        tsr_json_fail(j, top("mlp_only_layers"), "an array of layer numbers is allowed");
    for (size_t i = 0; i < json_array_size(dense) && !j->failed; i++) {
        json_t *v = json_array_get(dense, i);
        if (json_is_integer(v) && json_integer_value(v) >= 0 &&
            json_integer_value(v) < (json_int_t)m->layers)
            m->layer_kind[json_integer_value(v)] &= (uint8_t)~TSR_LAYER_MOE;
        else
            tsr_json_fail(j, top("mlp_only_layers"),
                          "entry %zu is no layer, integers from 0 to %u are allowed", i,
                          m->layers - 1);
    }
}

/* Explicit layer_types; false when the key is absent. */
static bool read_layer_types(struct tsr_json *j, struct tsr_model *m)
{
    json_t *types = tsr_json_get(j, top("layer_types"));
    if (types == NULL)
        return false;
    if (!json_is_array(types) || json_array_size(types) != m->layers) {
        tsr_json_fail(j, top("layer_types"), "an array of num_hidden_layers = %u strings is "
                      "allowed", m->layers);
        return true;
    }
    for (uint32_t i = 0; i < m->layers; i++) {
        const char *s = json_string_value(json_array_get(types, i));
        if (s != NULL && strcmp(s, "sliding_attention") == 0)
            m->layer_kind[i] |= TSR_LAYER_SLIDING;
        else if (s == NULL || strcmp(s, "full_attention") != 0)
            tsr_json_fail(j, top("layer_types"), "entry %u is unknown, \"sliding_attention\" or "
                          "\"full_attention\" is allowed", i);
    }
    return true;
}

static void read_window(struct tsr_json *j, struct tsr_model *m)
{
    const struct tsr_arch_row *row = tsr_arch_row(m->arch);
    if (row->mla) /* no such key */
        return;
    uint32_t window = tsr_json_uint(j, top("sliding_window"), 1, DIM_MAX,
                                    row->alternating ? 128 : 0);
    bool use = tsr_json_bool(j, top("use_sliding_window"), !row->window_opt_in);
    /* HF: the first max_window_layers layers of the Qwen family keep full attention. */
    uint32_t from = row->window_opt_in
                        ? tsr_json_uint(j, top("max_window_layers"), 0, DIM_MAX, 28) : 0;
    bool any = false;
    if (j->failed)
        return;
    if (!read_layer_types(j, m)) {
        for (uint32_t i = 0; i < m->layers; i++)
            if (use && window != 0 && i >= from && (!row->alternating || i % 2 == 0))
                m->layer_kind[i] |= TSR_LAYER_SLIDING;
    }
    for (uint32_t i = 0; i < m->layers; i++)
        any = any || (m->layer_kind[i] & TSR_LAYER_SLIDING) != 0;
    m->window = any ? window : 0;
    if (any && window == 0)
        tsr_json_fail(j, top("sliding_window"),
                      "missing, an integer is required where layer_types has sliding_attention");
}

/* The numbers of the object `in`, whose type is known. */
static void read_rope_scaling(struct tsr_json *j, struct tsr_model *m, const char *in)
{
    struct tsr_rope_config *r = &m->rope;
    struct tsr_json_key factor = {in, "factor"};
    if (tsr_json_get(j, factor) == NULL)
        tsr_json_fail(j, factor, "required but missing, a number from 1 to 1e6 is allowed");
    r->factor = tsr_json_real(j, factor, 1, 1e6, 1);
    struct tsr_json_key original = {in, "original_max_position_embeddings"};
    r->original_context = tsr_json_uint(j, original, 1, DIM_MAX, m->context);
    if (r->scaling == TSR_ROPE_YARN) {
        r->beta_fast = tsr_json_real(j, (struct tsr_json_key){in, "beta_fast"}, 1e-6, 1e6, 32);
        r->beta_slow = tsr_json_real(j, (struct tsr_json_key){in, "beta_slow"}, 1e-6, 1e6, 1);
        r->truncate = tsr_json_bool(j, (struct tsr_json_key){in, "truncate"}, true);
        r->attention_factor =
            tsr_json_real(j, (struct tsr_json_key){in, "attention_factor"}, 1e-6, 1e6, 0);
        if (tsr_arch_row(m->arch)->mla)
            tsr_config_latent_yarn(j, m, in);
        return;
    }
    struct tsr_json_key high = {in, "high_freq_factor"};
    r->low_freq_factor = tsr_json_real(j, (struct tsr_json_key){in, "low_freq_factor"}, 1e-6, 1e6,
                                       1);
    r->high_freq_factor = tsr_json_real(j, high, 1e-6, 1e6, 4);
    if (r->high_freq_factor <= r->low_freq_factor)
        tsr_json_fail(j, high, "is %g, more than low_freq_factor = %g is allowed",
                      r->high_freq_factor, r->low_freq_factor);
}

static void read_rope(struct tsr_json *j, struct tsr_model *m)
{
    struct tsr_rope_config *r = &m->rope;
    r->theta = tsr_json_real(j, top("rope_theta"), 1, 1e12, 1e4);
    /* Newer files write rope_parameters and put the theta inside. */
    struct tsr_json_key at = either(j, "rope_scaling", "rope_parameters");
    const char *in = at.key;
    json_t *object = tsr_json_get(j, at);
    if (object == NULL)
        return;
    if (!json_is_object(object)) {
        tsr_json_fail(j, at, "null or an object is allowed");
        return;
    }
    r->theta = tsr_json_real(j, (struct tsr_json_key){in, "rope_theta"}, 1, 1e12, r->theta);
    struct tsr_json_key kind = {in, "rope_type"};
    if (tsr_json_get(j, kind) == NULL)
        kind.key = "type";
    const char *type = tsr_json_string(j, kind);
    if (type == NULL) {
        tsr_json_fail(j, (struct tsr_json_key){in, "rope_type"},
                      "required but missing, default, llama3 or yarn is allowed");
        return;
    }
    if (strcmp(type, "default") == 0)
        return;
    if (strcmp(type, "llama3") != 0 && strcmp(type, "yarn") != 0) {
        tsr_json_fail(j, kind, "\"%.40s\" is not supported, default, llama3 or yarn is allowed",
                      type);
        return;
    }
    r->scaling = strcmp(type, "yarn") == 0 ? TSR_ROPE_YARN : TSR_ROPE_LLAMA3;
    read_rope_scaling(j, m, in);
}

static void read_activation(struct tsr_json *j, struct tsr_model *m)
{
    static const struct {
        const char *name;
        enum tsr_activation act;
    } acts[] = {
        {"silu", TSR_ACT_SILU},       {"swish", TSR_ACT_SILU},
        {"gelu", TSR_ACT_GELU},       {"gelu_pytorch_tanh", TSR_ACT_GELU_TANH},
        {"gelu_new", TSR_ACT_GELU_TANH},
    };
    const char *s = tsr_json_string(j, top("hidden_act"));
    bool known = s == NULL; /* absent: silu, as in every family here */
    for (size_t i = 0; s != NULL && i < sizeof acts / sizeof acts[0]; i++) {
        if (strcmp(s, acts[i].name) == 0) {
            m->activation = acts[i].act;
            known = true;
        }
    }
    if (!known)
        tsr_json_fail(j, top("hidden_act"), "\"%.40s\" is not supported, silu, gelu, "
                      "gelu_pytorch_tanh or gelu_new is allowed", s);
    m->act_limit = tsr_json_real(j, top("swiglu_limit"), 1e-6, 1e9, 0);
}

static void read_rest(struct tsr_json *j, struct tsr_model *m)
{
    m->tied = tsr_json_bool(j, top("tie_word_embeddings"), false);
    m->norm_eps = tsr_json_real(j, top("rms_norm_eps"), 0, 1, 1e-5);
    m->embed_scale = tsr_json_real(j, top("embedding_multiplier_scale"), 1e-9, 1e9, 1);
    m->logit_scale = tsr_json_real(j, top("output_multiplier_scale"), 1e-9, 1e9, 1);
    m->attn_scale = tsr_json_real(j, top("attn_output_multiplier"), 1e-9, 1e9, 0);
    if (tsr_arch_row(m->arch)->attention_bias) {
        m->qkv_bias = m->o_bias = tsr_json_bool(j, top("attention_bias"), false);
        m->ffn_bias = tsr_json_bool(j, top("mlp_bias"), false);
    }
}

enum tsr_status tsr_model_parse(const char *file, const char *text, size_t length,
                                struct tsr_model *out, struct tsr_error *err)
{
    struct tsr_error ignored = {0};
    struct tsr_json j;
    if (!tsr_json_open(&j, file, text, length, err != NULL ? err : &ignored))
        return TSR_BAD_INPUT;
    struct tsr_model m;
    memset(&m, 0, sizeof m);
    snprintf(m.name, sizeof m.name, "%s", file);
    static void (*const readers[])(struct tsr_json *, struct tsr_model *) = {
        read_arch, read_shape, read_experts, read_window, read_rope, read_activation, read_rest,
    };
    for (size_t i = 0; i < sizeof readers / sizeof readers[0] && !j.failed; i++)
        readers[i](&j, &m);
    if (!j.failed) {
        struct tsr_params p;
        tsr_arch_apply(&m);
        tsr_model_count(&m, &p);
        if (p.total > TSR_MAX_PARAMS)
            tsr_json_fail(&j, top("hidden_size"), "the shapes give more parameters than the 2^56 "
                          "that are allowed");
    }
    bool failed = j.failed;
    tsr_json_close(&j);
    if (failed)
        return TSR_BAD_INPUT;
    *out = m;
    return TSR_OK;
}
