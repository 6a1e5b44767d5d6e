/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "sim/project/model_priv.h"

/* One row per preset, in the words of config.json. Zero means the default: kv = heads, head =
 * hidden / heads, no window, no experts, no scaling. Numbers retyped from the published HF
 * config.json of each model; grok-1 from xai-org/grok-1 run.py (its theta and eps are the usual
 * values and were not seen stated). */
struct preset {
    const char *name;
    enum tsr_arch arch;
    uint32_t hidden, layers, heads, kv, head, ffn, vocab, context;
    uint32_t experts, top_k, expert_ffn, window;
    uint32_t shared_ffn, dense; /* the first layers without experts */
    uint32_t q_rank, kv_rank, rope_dim, v_dim;
    double theta, eps;
    bool tied, attention_bias, renorm;
    double embed_scale, logit_scale, attn_scale;
    struct tsr_rope_config rope;
};

#define ROPE_LLAMA3                                                                           \
    {                                                                                         \
        .scaling = TSR_ROPE_LLAMA3, .factor = 8, .low_freq_factor = 1, .high_freq_factor = 4, \
        .original_context = 8192                                                              \
    }
#define ROPE_YARN32                                                                         \
    {                                                                                       \
        .scaling = TSR_ROPE_YARN, .factor = 32, .beta_fast = 32, .beta_slow = 1,            \
        .original_context = 4096                                                            \
    }

/* attention_factor: mscale = mscale_all_dim. logit_factor: (0.1 mscale_all_dim ln 40 + 1)^2. */
#define ROPE_YARN40(logits)                                                                 \
    {                                                                                       \
        .scaling = TSR_ROPE_YARN, .factor = 40, .beta_fast = 32, .beta_slow = 1,            \
        .original_context = 4096, .truncate = true, .attention_factor = 1,                  \
        .logit_factor = logits                                                              \
    }

static const struct preset presets[] = {
    {.name = "llama-2-7b", .arch = TSR_ARCH_LLAMA, .hidden = 4096, .layers = 32, .heads = 32,
     .ffn = 11008, .vocab = 32000, .context = 4096, .theta = 1e4, .eps = 1e-5},
    {.name = "llama-2-13b", .arch = TSR_ARCH_LLAMA, .hidden = 5120, .layers = 40, .heads = 40,
     .ffn = 13824, .vocab = 32000, .context = 4096, .theta = 1e4, .eps = 1e-5},
    {.name = "llama-2-70b", .arch = TSR_ARCH_LLAMA, .hidden = 8192, .layers = 80, .heads = 64,
     .kv = 8, .ffn = 28672, .vocab = 32000, .context = 4096, .theta = 1e4, .eps = 1e-5},
    {.name = "llama-3.1-8b", .arch = TSR_ARCH_LLAMA, .hidden = 4096, .layers = 32, .heads = 32,
     .kv = 8, .ffn = 14336, .vocab = 128256, .context = 131072, .theta = 5e5, .eps = 1e-5,
     .rope = ROPE_LLAMA3},
    {.name = "llama-3.1-70b", .arch = TSR_ARCH_LLAMA, .hidden = 8192, .layers = 80, .heads = 64,
     .kv = 8, .ffn = 28672, .vocab = 128256, .context = 131072, .theta = 5e5, .eps = 1e-5,
     .rope = ROPE_LLAMA3},
    {.name = "mistral-7b", .arch = TSR_ARCH_MISTRAL, .hidden = 4096, .layers = 32, .heads = 32,
     .kv = 8, .ffn = 14336, .vocab = 32000, .context = 32768, .window = 4096, .theta = 1e4,
     .eps = 1e-5},
    {.name = "mixtral-8x7b", .arch = TSR_ARCH_MIXTRAL, .hidden = 4096, .layers = 32,
     .heads = 32, .kv = 8, .ffn = 14336, .vocab = 32000, .context = 32768, .experts = 8,
     .top_k = 2, .expert_ffn = 14336, .theta = 1e6, .eps = 1e-5},
    {.name = "grok-1", .arch = TSR_ARCH_GROK, .hidden = 6144, .layers = 64, .heads = 48, .kv = 8,
     .head = 128, .ffn = 32768, .vocab = 131072, .context = 8192, .experts = 8, .top_k = 2,
     .expert_ffn = 32768, .theta = 1e4, .eps = 1e-5, .tied = true,
     .embed_scale = 78.38367176906169, .logit_scale = 0.5773502691896257,
     .attn_scale = 0.08838834764831845},
    {.name = "gpt-oss-20b", .arch = TSR_ARCH_GPT_OSS, .hidden = 2880, .layers = 24, .heads = 64,
     .kv = 8, .head = 64, .ffn = 2880, .vocab = 201088, .context = 131072, .experts = 32,
     .top_k = 4, .expert_ffn = 2880, .window = 128, .theta = 150000, .eps = 1e-5,
     .attention_bias = true, .rope = ROPE_YARN32},
    {.name = "gpt-oss-120b", .arch = TSR_ARCH_GPT_OSS, .hidden = 2880, .layers = 36, .heads = 64,
     .kv = 8, .head = 64, .ffn = 2880, .vocab = 201088, .context = 131072, .experts = 128,
     .top_k = 4, .expert_ffn = 2880, .window = 128, .theta = 150000, .eps = 1e-5,
     .attention_bias = true, .rope = ROPE_YARN32},
    {.name = "qwen2.5-7b", .arch = TSR_ARCH_QWEN2, .hidden = 3584, .layers = 28, .heads = 28,
     .kv = 4, .ffn = 18944, .vocab = 152064, .context = 131072, .theta = 1e6, .eps = 1e-6},
    {.name = "qwen3-8b", .arch = TSR_ARCH_QWEN3, .hidden = 4096, .layers = 36, .heads = 32,
     .kv = 8, .head = 128, .ffn = 12288, .vocab = 151936, .context = 40960, .theta = 1e6,
     .eps = 1e-6},
    {.name = "qwen3-30b-a3b", .arch = TSR_ARCH_QWEN3_MOE, .hidden = 2048, .layers = 48,
     .heads = 32, .kv = 4, .head = 128, .ffn = 6144, .vocab = 151936, .context = 40960,
     .experts = 128, .top_k = 8, .expert_ffn = 768, .theta = 1e6, .eps = 1e-6, .renorm = true},
    {.name = "phi-4", .arch = TSR_ARCH_PHI3, .hidden = 5120, .layers = 40, .heads = 40, .kv = 10,
     .ffn = 17920, .vocab = 100352, .context = 16384, .theta = 250000, .eps = 1e-5},
    {.name = "deepseek-v2-lite", .arch = TSR_ARCH_DEEPSEEK_V2, .hidden = 2048, .layers = 27,
     .heads = 16, .head = 192, .ffn = 10944, .vocab = 102400, .context = 163840, .experts = 64,
     .top_k = 6, .expert_ffn = 1408, .shared_ffn = 2 * 1408, .dense = 1, .kv_rank = 512,
     .rope_dim = 64, .v_dim = 128, .theta = 1e4, .eps = 1e-6,
     .rope = ROPE_YARN40(1.5896261651208736)},
    {.name = "deepseek-v3", .arch = TSR_ARCH_DEEPSEEK_V3, .hidden = 7168, .layers = 61,
     .heads = 128, .head = 192, .ffn = 18432, .vocab = 129280, .context = 163840, .experts = 256,
     .top_k = 8, .expert_ffn = 2048, .shared_ffn = 2048, .dense = 3, .q_rank = 1536,
     .kv_rank = 512, .rope_dim = 64, .v_dim = 128, .theta = 1e4, .eps = 1e-6, .renorm = true,
     .rope = ROPE_YARN40(1.8738542070926265)},
};

enum { N_PRESETS = sizeof presets / sizeof presets[0] };

static void preset_fill(const struct preset *p, struct tsr_model *m)
{
    memset(m, 0, sizeof *m);
    strcpy(m->name, p->name);
    m->arch = p->arch;
    m->hidden = p->hidden;
    m->layers = p->layers;
    m->heads = p->heads;
    m->kv_heads = p->kv != 0 ? p->kv : p->heads;
    m->head_dim = p->head != 0 ? p->head : p->hidden / p->heads;
    m->ffn = p->ffn;
    m->vocab = p->vocab;
    m->context = p->context;
    m->experts = p->experts;
    m->top_k = p->top_k;
    m->expert_ffn = p->expert_ffn;
    m->shared_ffn = p->shared_ffn;
    m->q_rank = p->q_rank;
    m->kv_rank = p->kv_rank;
    m->rope_dim = p->rope_dim;
    m->v_dim = p->v_dim;
    m->window = p->window;
    m->tied = p->tied;
    m->qkv_bias = m->o_bias = p->attention_bias;
    m->router_renorm = p->renorm;
    m->norm_eps = p->eps;
    m->embed_scale = p->embed_scale;
    m->logit_scale = p->logit_scale;
    m->attn_scale = p->attn_scale;
    m->rope = p->rope;
    m->rope.theta = p->theta;
    bool alternating = tsr_arch_row(p->arch)->alternating;
    for (uint32_t i = 0; i < m->layers; i++) {
        bool slides = p->window != 0 && (!alternating || i % 2 == 0);
        m->layer_kind[i] = (uint8_t)((slides ? TSR_LAYER_SLIDING : 0) |
                                     (p->experts != 0 && i >= p->dense ? TSR_LAYER_MOE : 0));
    }
    tsr_arch_apply(m);
}

bool tsr_preset_find(const char *name, struct tsr_model *out)
{
    for (int i = 0; i < N_PRESETS; i++) {
        if (strcmp(presets[i].name, name) == 0) {
            preset_fill(&presets[i], out);
            return true;
        }
    }
    return false;
}

const char *const *tsr_model_names(void)
{
    /* Rows of constants: the same pointers at every call, so that threads may race harmlessly
     * only if nothing is written; hence a literal list, checked against the table by a test. */
    static const char *const names[N_PRESETS + 1] = {
        "llama-2-7b",  "llama-2-13b",  "llama-2-70b",  "llama-3.1-8b", "llama-3.1-70b",
        "mistral-7b",  "mixtral-8x7b", "grok-1",       "gpt-oss-20b",  "gpt-oss-120b",
        "qwen2.5-7b",  "qwen3-8b",     "qwen3-30b-a3b", "phi-4",
        "deepseek-v2-lite", "deepseek-v3",
    };
    return names;
}
