/* SPDX-License-Identifier: Apache-2.0 */
/* Which part of a model is which tensor: one table of names for each way of naming, one of shapes.
 */
#include <stdio.h>
#include <string.h>

#include "sim/weights/weights_priv.h"

enum scope {
    MODEL,
    LAYER,
    EXPERT
};
enum extent {
    ONE,
    HIDDEN,
    VOCAB,
    Q_ROWS,
    KV_ROWS,
    HEAD,
    HEADS,
    FFN,
    EXPERTS,
    EXPERT_FFN,
    SHARED_FFN
};

/* When a layer of a model has the part. */
enum when {
    ALWAYS,
    UNTIED,
    QKV_BIAS,
    O_BIAS,
    QK_NORM,
    SINKS,
    POST_NORMS,
    DENSE,
    DENSE_BIAS,
    MOE,
    ROUTER_BIAS,
    EXPERT_BIAS,
    SHARED,
};

/* Vectors have ONE row. */
static const struct part {
    const char *name;
    enum scope scope;
    enum when when;
    enum extent rows, cols;
} parts[TSR_PART_COUNT] = {
    [TSR_PART_EMBED] = {"embedding", MODEL, ALWAYS, VOCAB, HIDDEN},
    [TSR_PART_FINAL_NORM] = {"final norm", MODEL, ALWAYS, ONE, HIDDEN},
    [TSR_PART_LM_HEAD] = {"lm_head", MODEL, UNTIED, VOCAB, HIDDEN},
    [TSR_PART_ATTN_NORM] = {"attention norm", LAYER, ALWAYS, ONE, HIDDEN},
    [TSR_PART_Q] = {"q", LAYER, ALWAYS, Q_ROWS, HIDDEN},
    [TSR_PART_K] = {"k", LAYER, ALWAYS, KV_ROWS, HIDDEN},
    [TSR_PART_V] = {"v", LAYER, ALWAYS, KV_ROWS, HIDDEN},
    [TSR_PART_O] = {"o", LAYER, ALWAYS, HIDDEN, Q_ROWS},
    [TSR_PART_Q_BIAS] = {"q bias", LAYER, QKV_BIAS, ONE, Q_ROWS},
    [TSR_PART_K_BIAS] = {"k bias", LAYER, QKV_BIAS, ONE, KV_ROWS},
    [TSR_PART_V_BIAS] = {"v bias", LAYER, QKV_BIAS, ONE, KV_ROWS},
    [TSR_PART_O_BIAS] = {"o bias", LAYER, O_BIAS, ONE, HIDDEN},
    [TSR_PART_Q_NORM] = {"q norm", LAYER, QK_NORM, ONE, HEAD},
    [TSR_PART_K_NORM] = {"k norm", LAYER, QK_NORM, ONE, HEAD},
    [TSR_PART_SINKS] = {"sinks", LAYER, SINKS, ONE, HEADS},
    [TSR_PART_POST_ATTN_NORM] = {"norm after attention", LAYER, POST_NORMS, ONE, HIDDEN},
    [TSR_PART_FFN_NORM] = {"feed-forward norm", LAYER, ALWAYS, ONE, HIDDEN},
    [TSR_PART_POST_FFN_NORM] = {"norm after feed-forward", LAYER, POST_NORMS, ONE, HIDDEN},
    [TSR_PART_GATE] = {"gate", LAYER, DENSE, FFN, HIDDEN},
    [TSR_PART_UP] = {"up", LAYER, DENSE, FFN, HIDDEN},
    [TSR_PART_DOWN] = {"down", LAYER, DENSE, HIDDEN, FFN},
    [TSR_PART_GATE_BIAS] = {"gate bias", LAYER, DENSE_BIAS, ONE, FFN},
    [TSR_PART_UP_BIAS] = {"up bias", LAYER, DENSE_BIAS, ONE, FFN},
    [TSR_PART_DOWN_BIAS] = {"down bias", LAYER, DENSE_BIAS, ONE, HIDDEN},
    [TSR_PART_ROUTER] = {"router", LAYER, MOE, EXPERTS, HIDDEN},
    [TSR_PART_ROUTER_BIAS] = {"router bias", LAYER, ROUTER_BIAS, ONE, EXPERTS},
    [TSR_PART_SHARED_SCALE] = {"shared expert's scale", LAYER, SHARED, ONE, HIDDEN},
    [TSR_PART_SHARED_GATE] = {"shared expert's gate", LAYER, SHARED, SHARED_FFN, HIDDEN},
    [TSR_PART_SHARED_UP] = {"shared expert's up", LAYER, SHARED, SHARED_FFN, HIDDEN},
    [TSR_PART_SHARED_DOWN] = {"shared expert's down", LAYER, SHARED, HIDDEN, SHARED_FFN},
    [TSR_PART_EXPERT_GATE] = {"expert's gate", EXPERT, MOE, EXPERT_FFN, HIDDEN},
    [TSR_PART_EXPERT_UP] = {"expert's up", EXPERT, MOE, EXPERT_FFN, HIDDEN},
    [TSR_PART_EXPERT_DOWN] = {"expert's down", EXPERT, MOE, HIDDEN, EXPERT_FFN},
    [TSR_PART_EXPERT_GATE_BIAS] = {"expert's gate bias", EXPERT, EXPERT_BIAS, ONE, EXPERT_FFN},
    [TSR_PART_EXPERT_UP_BIAS] = {"expert's up bias", EXPERT, EXPERT_BIAS, ONE, EXPERT_FFN},
    [TSR_PART_EXPERT_DOWN_BIAS] = {"expert's down bias", EXPERT, EXPERT_BIAS, ONE, HIDDEN},
};

/* Where in a tensor the part lies. */
enum cut {
    WHOLE,
    OF_EXPERT,      /* all experts one after the other */
    OF_EXPERT_EVEN, /* and gate and up row by row in turn: the gate */
    OF_EXPERT_ODD,  /* the up */
    QKV_Q,
    QKV_K,
    QKV_V, /* of q, k, v one below the other */
    FUSED_GATE,
    FUSED_UP, /* gate above up */
};

/* A name's {l} is the layer, {e} the expert. Rows of one part are tried in order. */
struct name {
    enum tsr_part part;
    enum cut cut;
    const char *text;
};

/* The names of Meta's files, which the reader of llama2.c gives. */
static const struct name llama2c_names[] = {
    {TSR_PART_EMBED, WHOLE, "tok_embeddings.weight"},
    {TSR_PART_FINAL_NORM, WHOLE, "norm.weight"},
    {TSR_PART_LM_HEAD, WHOLE, "output.weight"},
    {TSR_PART_ATTN_NORM, WHOLE, "layers.{l}.attention_norm.weight"},
    {TSR_PART_Q, WHOLE, "layers.{l}.attention.wq.weight"},
    {TSR_PART_K, WHOLE, "layers.{l}.attention.wk.weight"},
    {TSR_PART_V, WHOLE, "layers.{l}.attention.wv.weight"},
    {TSR_PART_O, WHOLE, "layers.{l}.attention.wo.weight"},
    {TSR_PART_FFN_NORM, WHOLE, "layers.{l}.ffn_norm.weight"},
    {TSR_PART_GATE, WHOLE, "layers.{l}.feed_forward.w1.weight"},
    {TSR_PART_DOWN, WHOLE, "layers.{l}.feed_forward.w2.weight"},
    {TSR_PART_UP, WHOLE, "layers.{l}.feed_forward.w3.weight"},
    {TSR_PART_COUNT, WHOLE, NULL},
};

/* Source: ggml docs/gguf.md, standardized tensor names; gpt-oss and grok as their exporters. */
static const struct name gguf_names[] = {
    {TSR_PART_EMBED, WHOLE, "token_embd.weight"},
    {TSR_PART_FINAL_NORM, WHOLE, "output_norm.weight"},
    {TSR_PART_LM_HEAD, WHOLE, "output.weight"},
    {TSR_PART_ATTN_NORM, WHOLE, "blk.{l}.attn_norm.weight"},
    {TSR_PART_Q, WHOLE, "blk.{l}.attn_q.weight"},
    {TSR_PART_Q, QKV_Q, "blk.{l}.attn_qkv.weight"},
    {TSR_PART_K, WHOLE, "blk.{l}.attn_k.weight"},
    {TSR_PART_K, QKV_K, "blk.{l}.attn_qkv.weight"},
    {TSR_PART_V, WHOLE, "blk.{l}.attn_v.weight"},
    {TSR_PART_V, QKV_V, "blk.{l}.attn_qkv.weight"},
    {TSR_PART_O, WHOLE, "blk.{l}.attn_output.weight"},
    {TSR_PART_Q_BIAS, WHOLE, "blk.{l}.attn_q.bias"},
    {TSR_PART_K_BIAS, WHOLE, "blk.{l}.attn_k.bias"},
    {TSR_PART_V_BIAS, WHOLE, "blk.{l}.attn_v.bias"},
    {TSR_PART_O_BIAS, WHOLE, "blk.{l}.attn_output.bias"},
    {TSR_PART_Q_NORM, WHOLE, "blk.{l}.attn_q_norm.weight"},
    {TSR_PART_K_NORM, WHOLE, "blk.{l}.attn_k_norm.weight"},
    {TSR_PART_SINKS, WHOLE, "blk.{l}.attn_sinks.weight"},
    {TSR_PART_POST_ATTN_NORM, WHOLE, "blk.{l}.attn_output_norm.weight"},
    {TSR_PART_FFN_NORM, WHOLE, "blk.{l}.ffn_norm.weight"},
    {TSR_PART_FFN_NORM, WHOLE, "blk.{l}.post_attention_norm.weight"}, /* gpt-oss */
    {TSR_PART_POST_FFN_NORM, WHOLE, "blk.{l}.layer_output_norm.weight"},
    {TSR_PART_POST_FFN_NORM, WHOLE, "blk.{l}.post_ffw_norm.weight"},
    {TSR_PART_GATE, WHOLE, "blk.{l}.ffn_gate.weight"},
    {TSR_PART_GATE, FUSED_GATE, "blk.{l}.ffn_up.weight"}, /* phi3 */
    {TSR_PART_UP, FUSED_UP, "blk.{l}.ffn_up.weight"},
    {TSR_PART_UP, WHOLE, "blk.{l}.ffn_up.weight"},
    {TSR_PART_DOWN, WHOLE, "blk.{l}.ffn_down.weight"},
    {TSR_PART_GATE_BIAS, WHOLE, "blk.{l}.ffn_gate.bias"},
    {TSR_PART_UP_BIAS, WHOLE, "blk.{l}.ffn_up.bias"},
    {TSR_PART_DOWN_BIAS, WHOLE, "blk.{l}.ffn_down.bias"},
    {TSR_PART_ROUTER, WHOLE, "blk.{l}.ffn_gate_inp.weight"},
    {TSR_PART_ROUTER_BIAS, WHOLE, "blk.{l}.ffn_gate_inp.bias"},
    {TSR_PART_SHARED_SCALE, WHOLE, "blk.{l}.ffn_gate_inp_shexp.weight"}, /* qwen2moe */
    {TSR_PART_SHARED_GATE, WHOLE, "blk.{l}.ffn_gate_shexp.weight"},
    {TSR_PART_SHARED_UP, WHOLE, "blk.{l}.ffn_up_shexp.weight"},
    {TSR_PART_SHARED_DOWN, WHOLE, "blk.{l}.ffn_down_shexp.weight"},
    {TSR_PART_EXPERT_GATE, OF_EXPERT, "blk.{l}.ffn_gate_exps.weight"},
    {TSR_PART_EXPERT_GATE, WHOLE, "blk.{l}.ffn_gate.{e}.weight"}, /* mixtral's early files */
    {TSR_PART_EXPERT_UP, OF_EXPERT, "blk.{l}.ffn_up_exps.weight"},
    {TSR_PART_EXPERT_UP, WHOLE, "blk.{l}.ffn_up.{e}.weight"},
    {TSR_PART_EXPERT_DOWN, OF_EXPERT, "blk.{l}.ffn_down_exps.weight"},
    {TSR_PART_EXPERT_DOWN, WHOLE, "blk.{l}.ffn_down.{e}.weight"},
    {TSR_PART_EXPERT_GATE_BIAS, OF_EXPERT, "blk.{l}.ffn_gate_exps.bias"},
    {TSR_PART_EXPERT_UP_BIAS, OF_EXPERT, "blk.{l}.ffn_up_exps.bias"},
    {TSR_PART_EXPERT_DOWN_BIAS, OF_EXPERT, "blk.{l}.ffn_down_exps.bias"},
    {TSR_PART_COUNT, WHOLE, NULL},
};

#define HF "model.layers.{l}."
/* Source: HF transformers' modeling files; grok: hpcai-tech/grok-1's. */
static const struct name hf_names[] = {
    {TSR_PART_EMBED, WHOLE, "model.embed_tokens.weight"},
    {TSR_PART_FINAL_NORM, WHOLE, "model.norm.weight"},
    {TSR_PART_FINAL_NORM, WHOLE, "model.norm.scale"}, /* grok */
    {TSR_PART_LM_HEAD, WHOLE, "lm_head.weight"},
    {TSR_PART_ATTN_NORM, WHOLE, HF "input_layernorm.weight"},
    {TSR_PART_Q, WHOLE, HF "self_attn.q_proj.weight"},
    {TSR_PART_Q, QKV_Q, HF "self_attn.qkv_proj.weight"}, /* phi3 */
    {TSR_PART_K, WHOLE, HF "self_attn.k_proj.weight"},
    {TSR_PART_K, QKV_K, HF "self_attn.qkv_proj.weight"},
    {TSR_PART_V, WHOLE, HF "self_attn.v_proj.weight"},
    {TSR_PART_V, QKV_V, HF "self_attn.qkv_proj.weight"},
    {TSR_PART_O, WHOLE, HF "self_attn.o_proj.weight"},
    {TSR_PART_Q_BIAS, WHOLE, HF "self_attn.q_proj.bias"},
    {TSR_PART_K_BIAS, WHOLE, HF "self_attn.k_proj.bias"},
    {TSR_PART_V_BIAS, WHOLE, HF "self_attn.v_proj.bias"},
    {TSR_PART_O_BIAS, WHOLE, HF "self_attn.o_proj.bias"},
    {TSR_PART_Q_NORM, WHOLE, HF "self_attn.q_norm.weight"},
    {TSR_PART_K_NORM, WHOLE, HF "self_attn.k_norm.weight"},
    {TSR_PART_SINKS, WHOLE, HF "self_attn.sinks"},
    {TSR_PART_FFN_NORM, WHOLE, HF "post_attention_layernorm.weight"},
    {TSR_PART_GATE, WHOLE, HF "mlp.gate_proj.weight"},
    {TSR_PART_GATE, FUSED_GATE, HF "mlp.gate_up_proj.weight"}, /* phi3 */
    {TSR_PART_UP, WHOLE, HF "mlp.up_proj.weight"},
    {TSR_PART_UP, FUSED_UP, HF "mlp.gate_up_proj.weight"},
    {TSR_PART_DOWN, WHOLE, HF "mlp.down_proj.weight"},
    {TSR_PART_GATE_BIAS, WHOLE, HF "mlp.gate_proj.bias"},
    {TSR_PART_UP_BIAS, WHOLE, HF "mlp.up_proj.bias"},
    {TSR_PART_DOWN_BIAS, WHOLE, HF "mlp.down_proj.bias"},
    /* qwen3_moe */
    {TSR_PART_ROUTER, WHOLE, HF "mlp.gate.weight"},
    {TSR_PART_EXPERT_GATE, WHOLE, HF "mlp.experts.{e}.gate_proj.weight"},
    {TSR_PART_EXPERT_UP, WHOLE, HF "mlp.experts.{e}.up_proj.weight"},
    {TSR_PART_EXPERT_DOWN, WHOLE, HF "mlp.experts.{e}.down_proj.weight"},
    /* qwen2_moe */
    {TSR_PART_SHARED_SCALE, WHOLE, HF "mlp.shared_expert_gate.weight"},
    {TSR_PART_SHARED_GATE, WHOLE, HF "mlp.shared_expert.gate_proj.weight"},
    {TSR_PART_SHARED_UP, WHOLE, HF "mlp.shared_expert.up_proj.weight"},
    {TSR_PART_SHARED_DOWN, WHOLE, HF "mlp.shared_expert.down_proj.weight"},
    /* mixtral */
    {TSR_PART_ROUTER, WHOLE, HF "block_sparse_moe.gate.weight"},
    {TSR_PART_EXPERT_GATE, WHOLE, HF "block_sparse_moe.experts.{e}.w1.weight"},
    {TSR_PART_EXPERT_UP, WHOLE, HF "block_sparse_moe.experts.{e}.w3.weight"},
    {TSR_PART_EXPERT_DOWN, WHOLE, HF "block_sparse_moe.experts.{e}.w2.weight"},
    /* gpt_oss */
    {TSR_PART_ROUTER, WHOLE, HF "mlp.router.weight"},
    {TSR_PART_ROUTER_BIAS, WHOLE, HF "mlp.router.bias"},
    {TSR_PART_EXPERT_GATE, OF_EXPERT_EVEN, HF "mlp.experts.gate_up_proj_blocks"},
    {TSR_PART_EXPERT_UP, OF_EXPERT_ODD, HF "mlp.experts.gate_up_proj_blocks"},
    {TSR_PART_EXPERT_DOWN, OF_EXPERT, HF "mlp.experts.down_proj_blocks"},
    {TSR_PART_EXPERT_GATE_BIAS, OF_EXPERT_EVEN, HF "mlp.experts.gate_up_proj_bias"},
    {TSR_PART_EXPERT_UP_BIAS, OF_EXPERT_ODD, HF "mlp.experts.gate_up_proj_bias"},
    {TSR_PART_EXPERT_DOWN_BIAS, OF_EXPERT, HF "mlp.experts.down_proj_bias"},
    /* grok */
    {TSR_PART_ATTN_NORM, WHOLE, HF "pre_attn_norm.scale"},
    {TSR_PART_POST_ATTN_NORM, WHOLE, HF "post_attn_norm.scale"},
    {TSR_PART_FFN_NORM, WHOLE, HF "pre_moe_norm.scale"},
    {TSR_PART_POST_FFN_NORM, WHOLE, HF "post_moe_norm.scale"},
    {TSR_PART_Q, WHOLE, HF "attn.q_proj.weight"},
    {TSR_PART_K, WHOLE, HF "attn.k_proj.weight"},
    {TSR_PART_V, WHOLE, HF "attn.v_proj.weight"},
    {TSR_PART_O, WHOLE, HF "attn.o_proj.weight"},
    {TSR_PART_ROUTER, WHOLE, HF "moe_block.gate.weight"},
    {TSR_PART_EXPERT_GATE, WHOLE, HF "moe_block.experts.{e}.linear.weight"},
    {TSR_PART_EXPERT_UP, WHOLE, HF "moe_block.experts.{e}.linear_v.weight"},
    {TSR_PART_EXPERT_DOWN, WHOLE, HF "moe_block.experts.{e}.linear_1.weight"},
    {TSR_PART_COUNT, WHOLE, NULL},
};

static const struct name *const names_of[] = {
    [TSR_WEIGHTS_GGUF] = gguf_names,
    [TSR_WEIGHTS_SAFETENSORS] = hf_names,
    [TSR_WEIGHTS_LLAMA2C] = llama2c_names,
};

static uint64_t extent_of(const struct tsr_model *m, enum extent e)
{
    switch (e) {
    case HIDDEN:
        return m->hidden;
    case VOCAB:
        return m->vocab;
    case Q_ROWS:
        return (uint64_t)m->heads * m->head_dim;
    case KV_ROWS:
        return (uint64_t)m->kv_heads * m->head_dim;
    case HEAD:
        return m->head_dim;
    case HEADS:
        return m->heads;
    case FFN:
        return m->ffn;
    case EXPERTS:
        return m->experts;
    case EXPERT_FFN:
        return m->expert_ffn;
    case SHARED_FFN:
        return m->shared_ffn;
    default:
        return 1;
    }
}

static bool has_part(const struct tsr_model *m, enum tsr_part part, uint32_t layer)
{
    bool moe = parts[part].scope != MODEL && (m->layer_kind[layer] & TSR_LAYER_MOE) != 0;
    switch (parts[part].when) {
    case UNTIED:
        return !m->tied;
    case QKV_BIAS:
        return m->qkv_bias;
    case O_BIAS:
        return m->o_bias;
    case QK_NORM:
        return m->qk_norm;
    case SINKS:
        return m->sinks;
    case POST_NORMS:
        return m->post_norms;
    case DENSE:
        return !moe;
    case DENSE_BIAS:
        return !moe && m->ffn_bias;
    case MOE:
        return moe;
    case ROUTER_BIAS:
        return moe && m->router_bias;
    case EXPERT_BIAS:
        return moe && m->ffn_bias;
    case SHARED:
        return moe && m->shared_ffn != 0;
    default:
        return true;
    }
}

void tsr_part_shape(const struct tsr_model *m, enum tsr_part part, uint64_t *rows, uint64_t *cols)
{
    *rows = extent_of(m, parts[part].rows);
    *cols = extent_of(m, parts[part].cols);
}

const char *tsr_part_name(enum tsr_part part)
{
    return parts[part].name;
}

/* The row's name with numbers in place of {l} and {e}. */
static void spell(const char *text, uint32_t layer, uint32_t expert, char *out, size_t room)
{
    size_t used = 0;
    for (const char *s = text; *s != '\0' && used + 12 < room; s++) {
        if (*s == '{') {
            used += (size_t)snprintf(out + used, room - used, "%u", s[1] == 'l' ? layer : expert);
            s += 2;
        } else {
            out[used++] = *s;
        }
    }
    out[used] = '\0';
}

/* Rows (of a vector elements) that a tensor must have for the part to be cut from it, and where
 * the part starts. */
static uint64_t place(const struct tsr_model *m, enum cut cut, uint64_t n, uint32_t expert,
                      struct tsr_matrix *x)
{
    uint64_t q = extent_of(m, Q_ROWS), kv = extent_of(m, KV_ROWS);
    x->first = 0;
    x->step = 1;
    switch (cut) {
    case OF_EXPERT:
        x->first = expert * n;
        return m->experts * n;
    case OF_EXPERT_EVEN:
    case OF_EXPERT_ODD:
        x->first = expert * 2 * n + (cut == OF_EXPERT_ODD);
        x->step = 2;
        return m->experts * 2 * n;
    case QKV_Q:
    case QKV_K:
    case QKV_V:
        x->first = cut == QKV_Q ? 0 : cut == QKV_K ? q : q + kv;
        return q + 2 * kv;
    case FUSED_GATE:
    case FUSED_UP:
        x->first = cut == FUSED_UP ? n : 0;
        return 2 * n;
    default:
        return n;
    }
}

/* Elements of a tensor but for its last dimension; the loader saw that the product fits. */
static uint64_t rows_of(const struct tsr_tensor *t)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i + 1 < t->n_dims; i++)
        n *= t->dims[i];
    return n;
}

static bool fits(const struct tsr_tensor *t, bool vector, uint64_t rows, uint64_t cols)
{
    if (t->n_dims == 0)
        return false;
    uint64_t last = t->dims[t->n_dims - 1];
    if (vector)
        return rows_of(t) * last == rows;
    return rows_of(t) == rows && last == cols;
}

static enum tsr_status wrong_shape(const struct tsr_tensor *t, bool vector, uint64_t rows,
                                   uint64_t cols, struct tsr_error *err)
{
    char got[100] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < t->n_dims; i++)
        used += (size_t)snprintf(got + used, sizeof got - used, "%s%llu", i > 0 ? " x " : "",
                                 (unsigned long long)t->dims[i]);
    if (vector)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: %s: its shape is %s, the model's %llu",
                             t->file, t->name, got, (unsigned long long)rows);
    return tsr_error_set(err, TSR_BAD_INPUT, "%s: %s: its shape is %s, the model's %llu x %llu",
                         t->file, t->name, got, (unsigned long long)rows, (unsigned long long)cols);
}

/* Blocks of a vector would be cut. */
static enum tsr_status check_type(const struct tsr_tensor *t, bool vector, struct tsr_error *err)
{
    if (t->layout == TSR_LAYOUT_OPAQUE || (vector && t->layout != TSR_LAYOUT_PLAIN))
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: %s: its type %s is not decoded, %s", t->file,
                             t->name, t->type,
                             vector ? "F32 F16 or BF16 is allowed"
                                    : "F32 F16 BF16 Q8_0 Q4_0 Q4_K Q6_K or MXFP4 is allowed");
    return TSR_OK;
}

/* Of several names the first whose tensor is there; where none is, `missing` has the first name. */
static const struct name *find_name(const struct tsr_weights *w, enum tsr_part part, uint32_t layer,
                                    uint32_t expert, uint64_t rows, const struct tsr_tensor **out,
                                    char *missing, size_t room)
{
    char text[160];
    missing[0] = '\0';
    for (const struct name *n = names_of[w->kind]; n->text != NULL; n++) {
        if (n->part != part)
            continue;
        spell(n->text, layer, expert, text, sizeof text);
        if (missing[0] == '\0')
            snprintf(missing, room, "%s", text);
        *out = tsr_weights_by_name(w, text);
        /* phi3's ffn_up holds gate and up, everybody else's up alone. */
        bool fused = n->cut == FUSED_GATE || n->cut == FUSED_UP;
        if (*out != NULL && fused && rows_of(*out) != 2 * rows)
            continue;
        if (*out != NULL)
            return n;
    }
    return NULL;
}

enum tsr_status tsr_weights_find(const struct tsr_weights *w, enum tsr_part part, uint32_t layer,
                                 uint32_t expert, struct tsr_matrix *out, struct tsr_error *err)
{
    const struct tsr_model *m = &w->model;
    const struct tsr_tensor *t = NULL;
    char missing[160];
    if (w->model_status != TSR_OK)
        return tsr_error_set(err, w->model_status, "%s", w->model_error.message);
    if (part == TSR_PART_LM_HEAD && m->tied)
        part = TSR_PART_EMBED;
    if ((parts[part].scope != MODEL && layer >= m->layers) ||
        (parts[part].scope == EXPERT && expert >= m->experts) || !has_part(m, part, layer))
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: layer %u, expert %u: the model has no %s",
                             w->path, layer, expert, parts[part].name);
    struct tsr_matrix x = {.vector = parts[part].rows == ONE};
    tsr_part_shape(m, part, &x.rows, &x.cols);
    uint64_t n = x.vector ? x.cols : x.rows;
    const struct name *name = find_name(w, part, layer, expert, n, &t, missing, sizeof missing);
    if (name == NULL)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: %s: missing, it is the %s of layer %u",
                             w->path, missing, parts[part].name, layer);
    uint64_t need = place(m, name->cut, n, expert, &x);
    if (!fits(t, x.vector, need, x.cols))
        return wrong_shape(t, x.vector, need, x.cols, err);
    enum tsr_status st = check_type(t, x.vector, err);
    if (st != TSR_OK)
        return st;
    bool turned = part == TSR_PART_Q || part == TSR_PART_K || part == TSR_PART_Q_BIAS ||
                  part == TSR_PART_K_BIAS;
    x.pairs = w->adjacent_pairs && turned ? m->head_dim : 0;
    x.tensor = t;
    *out = x;
    return TSR_OK;
}

/* All experts are looked at: each may be a tensor of its own. A missing one ends the walk, so it
 * takes no longer than the file is. */
static enum tsr_status check_part(const struct tsr_weights *w, enum tsr_part part, uint32_t layer,
                                  struct tsr_error *err)
{
    struct tsr_matrix x;
    if (!has_part(&w->model, part, layer))
        return TSR_OK;
    uint32_t n = parts[part].scope == EXPERT ? w->model.experts : 1;
    const struct tsr_tensor *last = NULL;
    for (uint32_t e = 0; e < n; e++) {
        enum tsr_status st = tsr_weights_find(w, part, layer, e, &x, err);
        if (st != TSR_OK)
            return st;
        if (x.tensor == last) /* one tensor for all experts */
            return TSR_OK;
        last = x.tensor;
    }
    return TSR_OK;
}

enum tsr_status tsr_parts_check(const struct tsr_weights *w, struct tsr_error *err)
{
    for (int p = 0; p < TSR_PART_COUNT; p++) {
        uint32_t n = parts[p].scope == MODEL ? 1 : w->model.layers;
        for (uint32_t l = 0; l < n; l++) {
            enum tsr_status st = check_part(w, (enum tsr_part)p, l, err);
            if (st != TSR_OK)
                return st;
        }
    }
    return TSR_OK;
}
