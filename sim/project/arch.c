/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "sim/project/model_priv.h"

/* Sources: HF transformers modeling files of each family; gpt_oss: openai/gpt-oss
 * gpt_oss/torch/model.py; grok: xai-org/grok-1 model.py (softmax over all experts, the chosen
 * weights not rescaled; logits capped at 30; jax.nn.gelu, which is the tanh form); deepseek: arXiv
 * 2405.04434 and 2412.19437. */
static const struct tsr_arch_row rows[TSR_ARCH_COUNT] = {
    [TSR_ARCH_LLAMA] = {.name = "llama", .attention_bias = true},
    [TSR_ARCH_MISTRAL] = {.name = "mistral"},
    [TSR_ARCH_MIXTRAL] = {.name = "mixtral", .moe = true, .router_renorm = true},
    [TSR_ARCH_QWEN2] = {.name = "qwen2", .qkv_bias = true, .window_opt_in = true},
    [TSR_ARCH_QWEN3] = {.name = "qwen3", .attention_bias = true, .qk_norm = true,
                        .window_opt_in = true},
    [TSR_ARCH_QWEN3_MOE] = {.name = "qwen3_moe", .moe = true, .attention_bias = true,
                            .qk_norm = true, .window_opt_in = true},
    [TSR_ARCH_QWEN2_MOE] = {.name = "qwen2_moe", .moe = true, .qkv_bias = true,
                            .shared_gate = true, .window_opt_in = true},
    [TSR_ARCH_GPT_OSS] = {.name = "gpt_oss", .moe = true, .attention_bias = true,
                          .router_bias = true, .expert_bias = true, .sinks = true,
                          .router_after_topk = true, .alternating = true,
                          .activation = TSR_ACT_SWIGLU_CLAMP},
    [TSR_ARCH_GROK] = {.name = "grok", .alias = "grok-1", .moe = true, .post_norms = true,
                       .activation = TSR_ACT_GELU_TANH, .attn_softcap = 30.0},
    [TSR_ARCH_PHI3] = {.name = "phi3"},
    [TSR_ARCH_DEEPSEEK_V2] = {.name = "deepseek_v2", .moe = true, .mla = true},
    [TSR_ARCH_DEEPSEEK_V3] = {.name = "deepseek_v3", .moe = true, .mla = true,
                              .router_bias = true},
};

const struct tsr_arch_row *tsr_arch_row(enum tsr_arch arch)
{
    return &rows[arch];
}

const char *tsr_arch_name(enum tsr_arch arch)
{
    return rows[arch].name;
}

void tsr_arch_apply(struct tsr_model *m)
{
    const struct tsr_arch_row *row = &rows[m->arch];
    m->qkv_bias = m->qkv_bias || row->qkv_bias;
    m->router_bias = row->router_bias;
    m->ffn_bias = m->ffn_bias || row->expert_bias;
    m->qk_norm = row->qk_norm;
    m->sinks = row->sinks;
    m->shared_gate = row->shared_gate;
    m->post_norms = row->post_norms;
    m->router_after_topk = row->router_after_topk;
    m->router_renorm = m->router_renorm || row->router_renorm;
    m->attn_softcap = row->attn_softcap;
    if (row->activation != TSR_ACT_SILU)
        m->activation = row->activation;
    if (m->activation == TSR_ACT_SWIGLU_CLAMP) {
        m->act_alpha = 1.702; /* gpt-oss model.py, swiglu() */
        if (m->act_limit == 0)
            m->act_limit = 7.0;
    }
    if (m->embed_scale == 0)
        m->embed_scale = 1.0;
    if (m->logit_scale == 0)
        m->logit_scale = 1.0;
    if (m->rope.attention_factor == 0) /* YaRN's own default, arXiv 2309.00071 section 3.4 */
        m->rope.attention_factor =
            m->rope.scaling == TSR_ROPE_YARN ? 0.1 * log(m->rope.factor) + 1.0 : 1.0;
    if (m->attn_scale == 0)
        m->attn_scale = (m->rope.logit_factor != 0 ? m->rope.logit_factor : 1.0) /
                        sqrt((double)m->head_dim);
}
