/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF's metadata -> tsr_model. Keys: ggml docs/gguf.md; what a family implies beyond them is said
 * at its row or its reader. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/project/model_priv.h"
#include "sim/weights/gguf.h"
#include "sim/weights/weights_priv.h"

#define DIM_MAX INT32_MAX

struct arch {
    const char *name; /* general.architecture */
    enum tsr_arch arch;
    bool moe_if_experts; /* llama files with experts are mixtral's */
};

/* The files of "llama" keep the pairs of RoPE adjacent, the others in halves. */
static const struct arch archs[] = {
    {"llama", TSR_ARCH_LLAMA, true},         {"qwen2", TSR_ARCH_QWEN2, false},
    {"qwen3", TSR_ARCH_QWEN3, false},        {"qwen3moe", TSR_ARCH_QWEN3_MOE, false},
    {"qwen2moe", TSR_ARCH_QWEN2_MOE, false}, {"gpt-oss", TSR_ARCH_GPT_OSS, false},
    {"grok", TSR_ARCH_GROK, false},          {"phi3", TSR_ARCH_PHI3, false},
};

/* Keys are read in turn; after the first error every read returns its fallback. */
struct keys {
    const struct tsr_weights *w;
    const struct tsr_gguf *g;
    const char *arch;
    struct tsr_model *m;
    enum tsr_status st;
    struct tsr_error *err;
};

static void fail(struct keys *k, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(struct keys *k, const char *key, const char *format, ...)
{
    char what[400];
    va_list ap;
    if (k->st != TSR_OK)
        return;
    va_start(ap, format);
    vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    k->st = tsr_error_set(k->err, TSR_BAD_INPUT, "%s: %s: %s", k->g->file, key, what);
}

/* The value of "ARCH.suffix", whose full name goes to `key`. */
static const struct tsr_gguf_value *find(const struct keys *k, const char *suffix, char key[128])
{
    snprintf(key, 128, "%s.%s", k->arch, suffix);
    return tsr_gguf_find(k->g, key);
}

enum {
    REQUIRED = -1
};

/* A whole number, or an array of one number for all layers. */
static uint32_t whole(struct keys *k, const char *suffix, int64_t low, int64_t fallback)
{
    char key[128];
    const struct tsr_gguf_value *v = find(k, suffix, key);
    int64_t x = 0, y = 0;
    if (k->st != TSR_OK)
        return 1;
    if (v == NULL && fallback == REQUIRED)
        fail(k, key, "required but missing");
    if (v == NULL)
        return fallback == REQUIRED ? 1 : (uint32_t)fallback;
    for (uint64_t i = 0; i < v->count; i++) {
        if (!tsr_gguf_int(v, i, &y)) {
            fail(k, key, "is no whole number (%s)", tsr_gguf_kind_name(v->item));
            return 1;
        }
        if (i > 0 && y != x) {
            fail(k, key, "differs between layers, one number for all is supported");
            return 1;
        }
        x = y;
    }
    if (v->count == 0 || x < low || x > DIM_MAX) {
        fail(k, key, "is %lld, %lld to %lld are allowed", (long long)x, (long long)low,
             (long long)DIM_MAX);
        return 1;
    }
    return (uint32_t)x;
}

static double real(struct keys *k, const char *suffix, double low, double high, double fallback)
{
    char key[128];
    const struct tsr_gguf_value *v = find(k, suffix, key);
    double x = fallback;
    if (k->st != TSR_OK || v == NULL)
        return fallback;
    if (v->kind == TSR_GGUF_ARRAY || !tsr_gguf_real(v, 0, &x))
        fail(k, key, "is no number with a fraction (%s)", tsr_gguf_kind_name(v->kind));
    else if (!(x >= low && x <= high))
        fail(k, key, "is %g, %g to %g are allowed", x, low, high);
    return x;
}

/* The string at a full key as text of at most 63 characters; empty when absent. */
static void text(struct keys *k, const char *key, char out[64])
{
    const struct tsr_gguf_value *v = tsr_gguf_find(k->g, key);
    out[0] = '\0';
    if (v == NULL)
        return;
    if (v->kind != TSR_GGUF_STRING) {
        fail(k, key, "is no string (%s)", tsr_gguf_kind_name(v->kind));
        return;
    }
    size_t n;
    const uint8_t *at = v->data;
    const char *s = tsr_gguf_next_string(&at, &n);
    n = n < 63 ? n : 63;
    for (size_t i = 0; i < n; i++)
        out[i] = s[i] < 0x20 || s[i] > 0x7e ? '?' : s[i];
    out[n] = '\0';
}

static const struct arch *read_arch(struct keys *k, char name[64])
{
    char list[160] = "";
    size_t used = 0;
    text(k, "general.architecture", name);
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++) {
        if (strcmp(archs[i].name, name) == 0)
            return &archs[i];
        used += (size_t)snprintf(list + used, sizeof list - used, " %s", archs[i].name);
    }
    fail(k, "general.architecture", "\"%s\" is not supported, one of%s is allowed", name, list);
    return NULL;
}

static bool has_tensor(const struct keys *k, const char *name)
{
    return tsr_weights_by_name(k->w, name) != NULL;
}

static void read_shape(struct keys *k)
{
    struct tsr_model *m = k->m;
    const struct tsr_tensor *table = tsr_weights_by_name(k->w, "token_embd.weight");
    m->hidden = whole(k, "embedding_length", 1, REQUIRED);
    m->layers = whole(k, "block_count", 1, REQUIRED);
    m->heads = whole(k, "attention.head_count", 1, REQUIRED);
    m->kv_heads = whole(k, "attention.head_count_kv", 1, m->heads);
    m->head_dim = whole(k, "attention.key_length", 1, m->hidden / m->heads);
    m->context = whole(k, "context_length", 1, 2048);
    if (table == NULL || table->n_dims != 2 || table->dims[0] > DIM_MAX)
        fail(k, "token_embd.weight", "missing, or no matrix of vocabulary x embedding_length");
    else
        m->vocab = (uint32_t)table->dims[0];
    if (m->layers > TSR_MAX_LAYERS)
        fail(k, "block_count", "is %u, 1 to %d are allowed", m->layers, TSR_MAX_LAYERS);
    if (m->heads % m->kv_heads != 0)
        fail(k, "attention.head_count_kv", "is %u, a divisor of head_count = %u is allowed",
             m->kv_heads, m->heads);
    if (m->head_dim < 2 || m->head_dim % 2 != 0)
        fail(k, "attention.key_length", "heads have %u elements, an even number is allowed",
             m->head_dim);
    if (whole(k, "attention.value_length", 1, m->head_dim) != m->head_dim)
        fail(k, "attention.value_length", "differs from the key's length, which is not supported");
    if (whole(k, "rope.dimension_count", 1, m->head_dim) != m->head_dim)
        fail(k, "rope.dimension_count",
             "is not the head's length %u: partial RoPE is not supported", m->head_dim);
}

static void read_experts(struct keys *k, const struct arch *arch)
{
    struct tsr_model *m = k->m;
    uint32_t experts = whole(k, "expert_count", 0, 0);
    if (arch->moe_if_experts && experts > 0)
        m->arch = TSR_ARCH_MIXTRAL;
    if (!tsr_arch_row(m->arch)->moe) {
        m->ffn = whole(k, "feed_forward_length", 1, REQUIRED);
        if (experts > 0)
            fail(k, "expert_count", "is %u, %s has no experts", experts, arch->name);
        return;
    }
    m->experts = whole(k, "expert_count", 1, REQUIRED);
    m->top_k = whole(k, "expert_used_count", 1, REQUIRED);
    m->expert_ffn = whole(k, "expert_feed_forward_length", 1, 0);
    m->ffn =
        whole(k, "feed_forward_length", 1, m->expert_ffn > 0 ? (int64_t)m->expert_ffn : REQUIRED);
    if (m->expert_ffn == 0)
        m->expert_ffn = m->ffn;
    if (m->arch == TSR_ARCH_QWEN2_MOE)
        m->shared_ffn = whole(k, "expert_shared_feed_forward_length", 1, m->ffn);
    if (m->top_k > m->experts)
        fail(k, "expert_used_count", "is %u, at most expert_count = %u is allowed", m->top_k,
             m->experts);
    if (whole(k, "expert_shared_count", 0, 0) != 0)
        fail(k, "expert_shared_count", "shared experts are not supported");
    m->router_renorm = m->arch == TSR_ARCH_QWEN3_MOE; /* norm_topk_prob of all published ones */
    for (uint32_t i = 0; i < m->layers && i < TSR_MAX_LAYERS; i++)
        m->layer_kind[i] |= TSR_LAYER_MOE;
}

/* sliding_window_pattern is a flag per layer, or a period p whose last layer sees everything. */
static void read_window(struct keys *k)
{
    struct tsr_model *m = k->m;
    const struct tsr_arch_row *row = tsr_arch_row(m->arch);
    char key[128];
    uint32_t window = whole(k, "attention.sliding_window", 0, 0);
    const struct tsr_gguf_value *v = find(k, "attention.sliding_window_pattern", key);
    int64_t period = row->alternating ? 2 : 0;
    if (k->st != TSR_OK || window == 0)
        return;
    bool flags = v != NULL && v->kind == TSR_GGUF_ARRAY;
    if (flags ? v->count < m->layers || v->item == TSR_GGUF_STRING
              : v != NULL && !tsr_gguf_int(v, 0, &period)) {
        fail(k, key, "a number, or an array with a flag for each layer is allowed");
        return;
    }
    for (uint32_t i = 0; i < m->layers; i++) {
        int64_t on = period <= 0 || i % period < period - 1;
        if (flags && !tsr_gguf_int(v, i, &on))
            fail(k, key, "entry %u is no flag", i);
        if (on != 0) {
            m->layer_kind[i] |= TSR_LAYER_SLIDING;
            m->window = window;
        }
    }
    if (m->arch == TSR_ARCH_LLAMA && m->window != 0)
        m->arch = TSR_ARCH_MISTRAL;
}

/* Llama 3's scaling is written as divisors of the frequencies. Its parameters are found again:
 * low 1, high 4, 8192 positions in all published models, the factor is the largest divisor. */
static void read_rope_freqs(struct keys *k)
{
    struct tsr_rope_config *r = &k->m->rope;
    const struct tsr_tensor *t = tsr_weights_by_name(k->w, "rope_freqs.weight");
    uint64_t half = k->m->head_dim / 2;
    if (t == NULL)
        return;
    if (t->n_dims != 1 || t->dims[0] != half || t->format != TSR_F32) {
        fail(k, t->name, "%llu values in F32 are allowed", (unsigned long long)half);
        return;
    }
    double factor = 1;
    for (uint64_t i = 0; i < half; i++)
        factor = fmax(factor, (double)tsr_le_f32(t->data + 4 * i));
    for (uint64_t i = 0; i < half; i++) {
        double turn = pow(r->theta, -2.0 * (double)i / (double)k->m->head_dim);
        double smooth = (8192 * turn / 6.283185307179586 - 1) / 3;
        double want = smooth < 0 ? factor : smooth > 1 ? 1 : 1 / ((1 - smooth) / factor + smooth);
        double got = (double)tsr_le_f32(t->data + 4 * i);
        if (!(fabs(got - want) <= 1e-4 * want)) /* f32's rounding, of the theta as well */
            fail(k, t->name, "value %llu is %g, %g by Llama 3's rule, which alone is supported",
                 (unsigned long long)i, got, want);
    }
    if (k->st != TSR_OK || factor == 1)
        return;
    r->scaling = TSR_ROPE_LLAMA3;
    r->factor = factor;
    r->low_freq_factor = 1;
    r->high_freq_factor = 4;
    r->original_context = 8192;
}

static void read_rope(struct keys *k)
{
    struct tsr_rope_config *r = &k->m->rope;
    char key[128], type[64];
    r->theta = real(k, "rope.freq_base", 1, 1e12, 1e4);
    snprintf(key, sizeof key, "%s.rope.scaling.type", k->arch);
    text(k, key, type);
    if (strcmp(type, "yarn") == 0) {
        r->scaling = TSR_ROPE_YARN;
        r->factor = real(k, "rope.scaling.factor", 1, 1e6, 1);
        r->original_context = whole(k, "rope.scaling.original_context_length", 1, k->m->context);
        r->beta_fast = real(k, "rope.scaling.yarn_beta_fast", 1e-6, 1e6, 32);
        r->beta_slow = real(k, "rope.scaling.yarn_beta_slow", 1e-6, 1e6, 1);
        r->truncate = k->m->arch != TSR_ARCH_GPT_OSS; /* its config.json says so */
    } else if (type[0] != '\0' && strcmp(type, "none") != 0) {
        fail(k, key, "\"%s\" is not supported, none or yarn is allowed", type);
    }
    if (has_tensor(k, "rope_factors_long.weight") || has_tensor(k, "rope_factors_short.weight"))
        fail(k, "rope_factors_long.weight", "longrope is not supported");
    if (k->st == TSR_OK)
        read_rope_freqs(k);
}

/* xai-org/grok-1 run.py's constants, which older files leave out. */
static void read_grok(struct keys *k)
{
    struct tsr_model *m = k->m;
    m->embed_scale = real(k, "embedding_scale", 1e-9, 1e9, 78.38367176906169);
    m->logit_scale = real(k, "logit_scale", 1e-9, 1e9, 0.5773502691896257);
    m->attn_scale = real(k, "attention.output_scale", 1e-9, 1e9, 0.08838834764831845);
    if (real(k, "attn_logit_softcapping", 0, 1e9, 30) != 30)
        fail(k, "attn_logit_softcapping", "30 is supported");
    if (real(k, "final_logit_softcapping", 0, 1e9, 0) != 0)
        fail(k, "final_logit_softcapping", "is not supported");
    if (has_tensor(k, "blk.0.ffn_up.weight"))
        fail(k, "blk.0.ffn_up.weight", "a dense feed-forward beside the experts is not supported");
}

static void read_rest(struct keys *k)
{
    struct tsr_model *m = k->m;
    m->norm_eps = real(k, "attention.layer_norm_rms_epsilon", 0, 1, 1e-5);
    m->embed_scale = m->logit_scale = 1;
    m->tied = !has_tensor(k, "output.weight");
    m->qkv_bias = has_tensor(k, "blk.0.attn_q.bias");
    m->o_bias = has_tensor(k, "blk.0.attn_output.bias");
    m->ffn_bias = has_tensor(k, "blk.0.ffn_gate.bias") || has_tensor(k, "blk.0.ffn_up.bias");
    if (m->arch == TSR_ARCH_GROK)
        read_grok(k);
}

enum tsr_status tsr_gguf_model(const struct tsr_weights *w, struct tsr_model *out,
                               struct tsr_error *err)
{
    struct tsr_model m;
    char name[64];
    memset(&m, 0, sizeof m);
    struct keys k = {.w = w, .g = w->gguf, .arch = name, .m = &m, .err = err};
    const struct arch *arch = read_arch(&k, name);
    if (arch == NULL)
        return k.st;
    m.arch = arch->arch;
    snprintf(m.name, sizeof m.name, "%s", w->path);
    if (k.st == TSR_OK)
        read_shape(&k);
    if (k.st == TSR_OK)
        read_experts(&k, arch);
    if (k.st == TSR_OK)
        read_window(&k);
    if (k.st == TSR_OK)
        read_rope(&k);
    if (k.st == TSR_OK)
        read_rest(&k);
    if (k.st != TSR_OK)
        return k.st;
    struct tsr_params p;
    tsr_arch_apply(&m);
    tsr_model_count(&m, &p);
    if (p.total > TSR_MAX_PARAMS)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: the sizes give more than 2^56 parameters",
                             w->path);
    *out = m;
    return TSR_OK;
}

bool tsr_gguf_adjacent_pairs(const struct tsr_model *m)
{
    return m->arch == TSR_ARCH_LLAMA || m->arch == TSR_ARCH_MISTRAL || m->arch == TSR_ARCH_MIXTRAL;
}
