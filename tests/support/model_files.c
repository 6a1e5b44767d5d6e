/* SPDX-License-Identifier: Apache-2.0 */
/* Small models of each family and their made-up values. */
#include "tests/support/model_files.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/project/model_priv.h"
#include "tests/support/harness.h"
#include "tests/support/model_entries.h"

static void set_features(enum tsr_arch arch, struct tsr_model *m)
{
    bool moe = arch == TSR_ARCH_MIXTRAL || arch == TSR_ARCH_QWEN3_MOE ||
               arch == TSR_ARCH_QWEN2_MOE || arch == TSR_ARCH_GPT_OSS || arch == TSR_ARCH_GROK;
    if (moe) {
        m->experts = 4;
        m->top_k = 2;
        m->expert_ffn = m->ffn;
        for (uint32_t i = 0; i < m->layers; i++)
            m->layer_kind[i] |= TSR_LAYER_MOE;
    }
    if (arch == TSR_ARCH_MISTRAL || arch == TSR_ARCH_GPT_OSS) {
        m->window = 6;
        for (uint32_t i = 0; i < m->layers; i++)
            if (arch == TSR_ARCH_MISTRAL || i % 2 == 0)
                m->layer_kind[i] |= TSR_LAYER_SLIDING;
    }
    if (arch == TSR_ARCH_QWEN3 || arch == TSR_ARCH_QWEN3_MOE || arch == TSR_ARCH_GPT_OSS)
        m->head_dim *= 2; /* heads * head_dim is not hidden there */
    if (arch == TSR_ARCH_QWEN3_MOE) {
        m->router_renorm = true;
        m->expert_ffn = m->ffn;
        m->ffn *= 2;
    }
    if (arch == TSR_ARCH_QWEN2_MOE) {
        m->shared_ffn = 160;
        m->ffn *= 2;
    }
    if (arch == TSR_ARCH_GPT_OSS) {
        m->qkv_bias = m->o_bias = true;
        m->rope = (struct tsr_rope_config){.scaling = TSR_ROPE_YARN,
                                           .theta = 150000,
                                           .factor = 32,
                                           .beta_fast = 32,
                                           .beta_slow = 1,
                                           .original_context = 16};
    }
    if (arch == TSR_ARCH_GROK) {
        m->embed_scale = 78.38367176906169; /* as GGUF's reader has them for the family */
        m->logit_scale = 0.5773502691896257;
        m->attn_scale = 0.08838834764831845;
    }
}

void tsr_test_model(enum tsr_arch arch, bool wide, struct tsr_model *out)
{
    struct tsr_model m;
    memset(&m, 0, sizeof m);
    snprintf(m.name, sizeof m.name, "made up");
    m.arch = arch;
    m.hidden = wide ? 256 : 64;
    m.ffn = wide ? 256 : 96;
    m.layers = 3;
    m.heads = 4;
    m.kv_heads = 2;
    m.head_dim = m.hidden / m.heads;
    m.vocab = 288;
    m.context = 128;
    m.tied = arch == TSR_ARCH_QWEN2 || arch == TSR_ARCH_GROK;
    m.norm_eps = arch == TSR_ARCH_QWEN3 ? 1e-6 : 1e-5;
    m.rope.theta = 10000;
    set_features(arch, &m);
    tsr_arch_apply(&m);
    *out = m;
}

/* splitmix64's mixing. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool is_norm(enum tsr_part p)
{
    return p == TSR_PART_FINAL_NORM || p == TSR_PART_ATTN_NORM || p == TSR_PART_POST_ATTN_NORM ||
           p == TSR_PART_FFN_NORM || p == TSR_PART_POST_FFN_NORM || p == TSR_PART_Q_NORM ||
           p == TSR_PART_K_NORM;
}

static bool is_vector(enum tsr_part p)
{
    return is_norm(p) || p == TSR_PART_SINKS || p == TSR_PART_ROUTER_BIAS ||
           (p >= TSR_PART_Q_BIAS && p <= TSR_PART_O_BIAS) ||
           (p >= TSR_PART_GATE_BIAS && p <= TSR_PART_DOWN_BIAS) || p >= TSR_PART_EXPERT_GATE_BIAS;
}

static uint64_t inputs(const struct tsr_model *m, enum tsr_part p)
{
    if (p == TSR_PART_O)
        return (uint64_t)m->heads * m->head_dim;
    if (p == TSR_PART_DOWN)
        return m->ffn;
    if (p == TSR_PART_SHARED_DOWN)
        return m->shared_ffn;
    return p == TSR_PART_EXPERT_DOWN ? m->expert_ffn : m->hidden;
}

float tsr_test_weight(const struct tsr_test_weights *w, enum tsr_part part, uint32_t layer,
                      uint32_t expert, uint64_t row, uint64_t col)
{
    if (part <= TSR_PART_LM_HEAD)
        layer = 0;
    if (part < TSR_PART_EXPERT_GATE)
        expert = 0;
    uint64_t h = mix(w->seed + 0x9e3779b97f4a7c15u);
    h = mix(h ^ ((uint64_t)part << 32 | layer));
    h = mix(h ^ ((uint64_t)expert << 40 ^ row << 20 ^ col));
    double u = (double)(h >> 40) * 0x1p-23 - 1; /* uniform in [-1, 1) */
    if (is_norm(part))
        return (float)(1 + 0.25 * u);
    if (part == TSR_PART_SINKS)
        return (float)u;
    if (is_vector(part))
        return (float)(0.1 * u);
    return (float)(u * sqrt(3.0 / (double)inputs(&w->model, part)));
}

void tsr_test_weights_write(const struct tsr_test_weights *w, const char *path)
{
    if (w->container == TSR_WEIGHTS_GGUF)
        tsr_test_write_gguf(w, path);
    else if (w->container == TSR_WEIGHTS_SAFETENSORS)
        tsr_test_write_safetensors(w, path);
    else
        tsr_test_write_llama2c(w, path);
}
