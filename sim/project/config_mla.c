/* SPDX-License-Identifier: Apache-2.0 */
/* Source: HF configuration_deepseek.py and modeling_deepseek.py of DeepSeek-V2 and V3. */
#include "sim/project/config_mla.h"

#include <math.h>
#include <string.h>

#define DIM_MAX ((uint32_t)INT32_MAX)

static struct tsr_json_key top(const char *key)
{
    return (struct tsr_json_key){NULL, key};
}

static uint32_t size(struct tsr_json *j, const char *key, int64_t absent)
{
    return tsr_json_uint(j, top(key), 1, DIM_MAX, absent);
}

void tsr_config_latent_shape(struct tsr_json *j, struct tsr_model *m)
{
    const uint32_t nope =
        tsr_json_uint(j, top("qk_nope_head_dim"), 1, DIM_MAX / 2, TSR_JSON_REQUIRED);
    m->rope_dim = tsr_json_uint(j, top("qk_rope_head_dim"), 1, DIM_MAX / 2, TSR_JSON_REQUIRED);
    m->kv_rank = size(j, "kv_lora_rank", TSR_JSON_REQUIRED);
    m->v_dim = size(j, "v_head_dim", TSR_JSON_REQUIRED);
    m->q_rank = size(j, "q_lora_rank", 0);
    m->head_dim = nope + m->rope_dim;
    if (j->failed)
        return;
    if (m->rope_dim % 2 != 0)
        tsr_json_fail(j, top("qk_rope_head_dim"),
                      "is %u, an even number is allowed (RoPE turns pairs)", m->rope_dim);
    else if (m->kv_heads != m->heads)
        tsr_json_fail(j, top("num_key_value_heads"),
                      "is %u, num_attention_heads = %u is allowed: keys come from latents",
                      m->kv_heads, m->heads);
    else if (tsr_json_bool(j, top("attention_bias"), false))
        tsr_json_fail(j, top("attention_bias"), "is true, false is allowed");
}

/* The rules of the choice (scores, groups, the scale of weights) are passed over, but for the bias
 * that noaux_tc adds and the method's name. */
static void read_choice(struct tsr_json *j, struct tsr_model *m)
{
    const char *method = tsr_json_string(j, top("topk_method"));
    static const char *const methods[] = {"greedy", "group_limited_greedy", "noaux_tc"};
    bool known = method == NULL;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        known = known || strcmp(method, methods[i]) == 0;
    if (!known)
        tsr_json_fail(j, top("topk_method"),
                      "\"%.40s\" is not supported, greedy, group_limited_greedy or noaux_tc is "
                      "allowed",
                      method);
    m->router_renorm = tsr_json_bool(j, top("norm_topk_prob"), false);
}

void tsr_config_latent_experts(struct tsr_json *j, struct tsr_model *m)
{
    m->experts = size(j, "n_routed_experts", TSR_JSON_REQUIRED);
    m->top_k = size(j, "num_experts_per_tok", TSR_JSON_REQUIRED);
    m->expert_ffn = size(j, "moe_intermediate_size", TSR_JSON_REQUIRED);
    const uint32_t shared = tsr_json_uint(j, top("n_shared_experts"), 0, DIM_MAX, 0);
    const uint32_t dense = tsr_json_uint(j, top("first_k_dense_replace"), 0, m->layers, 0);
    const uint32_t each = size(j, "moe_layer_freq", 1);
    if (j->failed)
        return;
    if (m->top_k > m->experts)
        tsr_json_fail(j, top("num_experts_per_tok"),
                      "is %u, at most n_routed_experts = %u is allowed", m->top_k, m->experts);
    else if (shared > DIM_MAX / m->expert_ffn)
        tsr_json_fail(j, top("n_shared_experts"), "is %u, at most %u of this width is allowed",
                      shared, DIM_MAX / m->expert_ffn);
    else
        read_choice(j, m);
    if (j->failed)
        return;
    m->shared_ffn = shared * m->expert_ffn;
    for (uint32_t i = dense; i < m->layers; i++)
        if (i % each == 0)
            m->layer_kind[i] |= TSR_LAYER_MOE;
}

/* yarn_get_mscale */
static double magnitude(double factor, double mscale)
{
    return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

void tsr_config_latent_yarn(struct tsr_json *j, struct tsr_model *m, const char *in)
{
    struct tsr_rope_config *r = &m->rope;
    const double one = tsr_json_real(j, (struct tsr_json_key){in, "mscale"}, 0, 1e3, 1);
    const double all = tsr_json_real(j, (struct tsr_json_key){in, "mscale_all_dim"}, 0, 1e3, 0);
    const double logits = magnitude(r->factor, all);
    r->attention_factor = magnitude(r->factor, one) / logits;
    r->logit_factor = logits * logits;
}
