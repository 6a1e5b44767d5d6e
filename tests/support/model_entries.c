/* SPDX-License-Identifier: Apache-2.0 */
/* Which tensors a model's files have, by container and family, and the values of their rows. */
#include "tests/support/model_entries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"

/* ---- entries ---- */

struct list {
    const struct tsr_test_weights *w;
    struct tsr_test_entry *e;
    size_t n;
    uint32_t layer;
};

static struct tsr_test_entry *add(struct list *l, enum tsr_part part, uint64_t rows, uint64_t cols,
                                  const char *format, unsigned expert)
{
    bool per_layer = part > TSR_PART_LM_HEAD;
    l->e = realloc(l->e, (l->n + 1) * sizeof *l->e);
    assert_non_null(l->e);
    struct tsr_test_entry *e = &l->e[l->n++];
    *e = (struct tsr_test_entry){.part = {part}, .n_parts = 1, .rows = rows, .cols = cols};
    e->layer = per_layer ? l->layer : 0;
    e->expert = expert;
    if (per_layer)
        snprintf(e->name, sizeof e->name, format, l->layer, expert);
    else
        snprintf(e->name, sizeof e->name, "%s", format);
    return e;
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

/* A matrix with a vector of biases beside it: NAME.weight and NAME.bias. */
static void linear(struct list *l, enum tsr_part part, uint64_t rows, uint64_t cols,
                   enum tsr_part bias, bool biased, const char *stem)
{
    char name[96];
    snprintf(name, sizeof name, "%s.weight", stem);
    add(l, part, rows, cols, name, 0);
    snprintf(name, sizeof name, "%s.bias", stem);
    if (biased)
        add(l, bias, 0, rows, name, 0);
}

struct stems {
    const char *embed, *final_norm, *lm_head, *attn_norm, *q, *k, *v, *qkv, *o, *q_norm, *k_norm,
        *sinks, *post_attn, *ffn_norm, *post_ffn, *gate, *up, *gate_up, *down, *router;
};

static const struct stems gguf = {
    "token_embd.weight",
    "output_norm.weight",
    "output.weight",
    "blk.%u.attn_norm.weight",
    "blk.%u.attn_q",
    "blk.%u.attn_k",
    "blk.%u.attn_v",
    "blk.%u.attn_qkv.weight",
    "blk.%u.attn_output",
    "blk.%u.attn_q_norm.weight",
    "blk.%u.attn_k_norm.weight",
    "blk.%u.attn_sinks.weight",
    "blk.%u.attn_output_norm.weight",
    "blk.%u.ffn_norm.weight",
    "blk.%u.layer_output_norm.weight",
    "blk.%u.ffn_gate",
    "blk.%u.ffn_up",
    "blk.%u.ffn_up.weight",
    "blk.%u.ffn_down",
    "blk.%u.ffn_gate_inp",
};

static const struct stems hf = {
    "model.embed_tokens.weight",
    "model.norm.weight",
    "lm_head.weight",
    "model.layers.%u.input_layernorm.weight",
    "model.layers.%u.self_attn.q_proj",
    "model.layers.%u.self_attn.k_proj",
    "model.layers.%u.self_attn.v_proj",
    "model.layers.%u.self_attn.qkv_proj.weight",
    "model.layers.%u.self_attn.o_proj",
    "model.layers.%u.self_attn.q_norm.weight",
    "model.layers.%u.self_attn.k_norm.weight",
    "model.layers.%u.self_attn.sinks",
    NULL,
    "model.layers.%u.post_attention_layernorm.weight",
    NULL,
    "model.layers.%u.mlp.gate_proj",
    "model.layers.%u.mlp.up_proj",
    "model.layers.%u.mlp.gate_up_proj.weight",
    "model.layers.%u.mlp.down_proj",
    "model.layers.%u.mlp.gate",
};

static struct stems stems_of(const struct tsr_test_weights *w)
{
    struct stems s = w->container == TSR_WEIGHTS_GGUF ? gguf : hf;
    enum tsr_arch arch = w->model.arch;
    if (w->container == TSR_WEIGHTS_GGUF) {
        if (arch == TSR_ARCH_GPT_OSS)
            s.ffn_norm = "blk.%u.post_attention_norm.weight";
        return s;
    }
    if (arch == TSR_ARCH_MIXTRAL)
        s.router = "model.layers.%u.block_sparse_moe.gate";
    if (arch == TSR_ARCH_GPT_OSS)
        s.router = "model.layers.%u.mlp.router";
    if (arch == TSR_ARCH_GROK) {
        s.final_norm = "model.norm.scale";
        s.attn_norm = "model.layers.%u.pre_attn_norm.scale";
        s.post_attn = "model.layers.%u.post_attn_norm.scale";
        s.ffn_norm = "model.layers.%u.pre_moe_norm.scale";
        s.post_ffn = "model.layers.%u.post_moe_norm.scale";
        s.q = "model.layers.%u.attn.q_proj";
        s.k = "model.layers.%u.attn.k_proj";
        s.v = "model.layers.%u.attn.v_proj";
        s.o = "model.layers.%u.attn.o_proj";
        s.router = "model.layers.%u.moe_block.gate";
    }
    return s;
}

static void attention(struct list *l, const struct stems *s)
{
    const struct tsr_model *m = &l->w->model;
    uint64_t q = (uint64_t)m->heads * m->head_dim, kv = (uint64_t)m->kv_heads * m->head_dim;
    if (m->arch == TSR_ARCH_PHI3) {
        struct tsr_test_entry *e = add(l, TSR_PART_Q, q + 2 * kv, m->hidden, s->qkv, 0);
        e->n_parts = 3;
        e->part[1] = TSR_PART_K;
        e->part[2] = TSR_PART_V;
    } else {
        size_t from = l->n;
        linear(l, TSR_PART_Q, q, m->hidden, TSR_PART_Q_BIAS, m->qkv_bias, s->q);
        linear(l, TSR_PART_K, kv, m->hidden, TSR_PART_K_BIAS, m->qkv_bias, s->k);
        for (size_t i = from; i < l->n; i++)
            l->e[i].adjacent = l->w->container == TSR_WEIGHTS_GGUF &&
                               (m->arch == TSR_ARCH_LLAMA || m->arch == TSR_ARCH_MISTRAL ||
                                m->arch == TSR_ARCH_MIXTRAL);
        linear(l, TSR_PART_V, kv, m->hidden, TSR_PART_V_BIAS, m->qkv_bias, s->v);
    }
    linear(l, TSR_PART_O, m->hidden, q, TSR_PART_O_BIAS, m->o_bias, s->o);
    if (m->qk_norm) {
        add(l, TSR_PART_Q_NORM, 0, m->head_dim, s->q_norm, 0);
        add(l, TSR_PART_K_NORM, 0, m->head_dim, s->k_norm, 0);
    }
    if (m->sinks)
        add(l, TSR_PART_SINKS, 0, m->heads, s->sinks, 0);
}

static void dense(struct list *l, const struct stems *s)
{
    const struct tsr_model *m = &l->w->model;
    if (m->arch == TSR_ARCH_PHI3) {
        struct tsr_test_entry *e = add(l, TSR_PART_GATE, 2 * m->ffn, m->hidden, s->gate_up, 0);
        e->n_parts = 2;
        e->part[1] = TSR_PART_UP;
    } else {
        linear(l, TSR_PART_GATE, m->ffn, m->hidden, TSR_PART_GATE_BIAS, m->ffn_bias, s->gate);
        linear(l, TSR_PART_UP, m->ffn, m->hidden, TSR_PART_UP_BIAS, m->ffn_bias, s->up);
    }
    linear(l, TSR_PART_DOWN, m->hidden, m->ffn, TSR_PART_DOWN_BIAS, m->ffn_bias, s->down);
}

static void experts_gguf(struct list *l)
{
    const struct tsr_model *m = &l->w->model;
    static const char *const names[] = {"gate", "up", "down"};
    for (unsigned i = 0; i < 3; i++) {
        char name[96];
        uint64_t rows = i < 2 ? m->expert_ffn : m->hidden, cols = i < 2 ? m->hidden : m->expert_ffn;
        snprintf(name, sizeof name, "blk.%%u.ffn_%s_exps.weight", names[i]);
        add(l, TSR_PART_EXPERT_GATE + i, rows, cols, name, 0)->experts = m->experts;
        snprintf(name, sizeof name, "blk.%%u.ffn_%s_exps.bias", names[i]);
        if (m->ffn_bias)
            add(l, TSR_PART_EXPERT_GATE_BIAS + i, 0, rows, name, 0)->experts = m->experts;
    }
}

/* The expert of all tokens; its scale is a vector in GGUF, a matrix of one row in HF's files. */
static void shared_expert(struct list *l)
{
    const struct tsr_model *m = &l->w->model;
    static const char *const names[][4] = {
        {"blk.%u.ffn_gate_inp_shexp.weight", "blk.%u.ffn_gate_shexp.weight",
         "blk.%u.ffn_up_shexp.weight", "blk.%u.ffn_down_shexp.weight"},
        {"model.layers.%u.mlp.shared_expert_gate.weight",
         "model.layers.%u.mlp.shared_expert.gate_proj.weight",
         "model.layers.%u.mlp.shared_expert.up_proj.weight",
         "model.layers.%u.mlp.shared_expert.down_proj.weight"}};
    const int of_hf = l->w->container != TSR_WEIGHTS_GGUF;
    add(l, TSR_PART_SHARED_SCALE, of_hf ? 1 : 0, m->hidden, names[of_hf][0], 0);
    add(l, TSR_PART_SHARED_GATE, m->shared_ffn, m->hidden, names[of_hf][1], 0);
    add(l, TSR_PART_SHARED_UP, m->shared_ffn, m->hidden, names[of_hf][2], 0);
    add(l, TSR_PART_SHARED_DOWN, m->hidden, m->shared_ffn, names[of_hf][3], 0);
}

static void experts_gpt_oss(struct list *l)
{
    const struct tsr_model *m = &l->w->model;
    struct tsr_test_entry *e = add(l, TSR_PART_EXPERT_GATE, 2 * m->expert_ffn, m->hidden,
                                   "model.layers.%u.mlp.experts.gate_up_proj", 0);
    e->mxfp4 = true;
    e->part[1] = TSR_PART_EXPERT_UP;
    e = add(l, TSR_PART_EXPERT_GATE_BIAS, 0, 2 * m->expert_ffn,
            "model.layers.%u.mlp.experts.gate_up_proj_bias", 0);
    e->part[1] = TSR_PART_EXPERT_UP_BIAS;
    for (size_t i = l->n - 2; i < l->n; i++) {
        l->e[i].n_parts = 2;
        l->e[i].interleaved = true;
    }
    add(l, TSR_PART_EXPERT_DOWN, m->hidden, m->expert_ffn, "model.layers.%u.mlp.experts.down_proj",
        0)
        ->mxfp4 = true;
    add(l, TSR_PART_EXPERT_DOWN_BIAS, 0, m->hidden, "model.layers.%u.mlp.experts.down_proj_bias",
        0);
    for (size_t i = l->n - 4; i < l->n; i++)
        l->e[i].experts = m->experts;
}

static void experts_hf(struct list *l)
{
    const struct tsr_model *m = &l->w->model;
    static const char *const names[][3] = {
        {"mlp.experts.%u.gate_proj", "mlp.experts.%u.up_proj", "mlp.experts.%u.down_proj"},
        {"block_sparse_moe.experts.%u.w1", "block_sparse_moe.experts.%u.w3",
         "block_sparse_moe.experts.%u.w2"},
        {"moe_block.experts.%u.linear", "moe_block.experts.%u.linear_v",
         "moe_block.experts.%u.linear_1"}};
    int row = m->arch == TSR_ARCH_MIXTRAL ? 1 : m->arch == TSR_ARCH_GROK ? 2 : 0;
    for (uint32_t x = 0; x < m->experts; x++)
        for (unsigned i = 0; i < 3; i++) {
            char name[96];
            snprintf(name, sizeof name, "model.layers.%%u.%s.weight", names[row][i]);
            add(l, TSR_PART_EXPERT_GATE + i, i < 2 ? m->expert_ffn : m->hidden,
                i < 2 ? m->hidden : m->expert_ffn, name, x);
        }
}

static void layer(struct list *l, const struct stems *s)
{
    const struct tsr_model *m = &l->w->model;
    add(l, TSR_PART_ATTN_NORM, 0, m->hidden, s->attn_norm, 0);
    attention(l, s);
    if (m->post_norms)
        add(l, TSR_PART_POST_ATTN_NORM, 0, m->hidden, s->post_attn, 0);
    add(l, TSR_PART_FFN_NORM, 0, m->hidden, s->ffn_norm, 0);
    if ((m->layer_kind[l->layer] & TSR_LAYER_MOE) == 0) {
        dense(l, s);
    } else {
        linear(l, TSR_PART_ROUTER, m->experts, m->hidden, TSR_PART_ROUTER_BIAS, m->router_bias,
               s->router);
        if (l->w->container == TSR_WEIGHTS_GGUF)
            experts_gguf(l);
        else if (m->arch == TSR_ARCH_GPT_OSS)
            experts_gpt_oss(l);
        else
            experts_hf(l);
        if (m->shared_ffn > 0)
            shared_expert(l);
    }
    if (m->post_norms)
        add(l, TSR_PART_POST_FFN_NORM, 0, m->hidden, s->post_ffn, 0);
}

struct tsr_test_entry *tsr_test_entries(const struct tsr_test_weights *w, size_t *n)
{
    struct list l = {.w = w};
    const struct tsr_model *m = &w->model;
    struct stems s = stems_of(w);
    add(&l, TSR_PART_EMBED, m->vocab, m->hidden, s.embed, 0);
    for (l.layer = 0; l.layer < m->layers; l.layer++)
        layer(&l, &s);
    add(&l, TSR_PART_FINAL_NORM, 0, m->hidden, s.final_norm, 0);
    if (!m->tied)
        add(&l, TSR_PART_LM_HEAD, m->vocab, m->hidden, s.lm_head, 0);
    *n = l.n;
    return l.e;
}

/* ---- values ---- */

uint64_t tsr_test_entry_rows(const struct tsr_test_entry *e)
{
    return (e->rows > 0 ? e->rows : 1) * (e->experts > 0 ? e->experts : 1);
}

/* Rows of the part of a stack of q, k and v, or of gate and up. */
static uint64_t part_rows(const struct tsr_model *m, const struct tsr_test_entry *e, uint32_t i)
{
    uint64_t head = m->head_dim;
    if (e->part[i] == TSR_PART_Q)
        return m->heads * head;
    if (e->part[i] == TSR_PART_K || e->part[i] == TSR_PART_V)
        return m->kv_heads * head;
    return (e->rows > 0 ? e->rows : e->cols) / e->n_parts;
}

/* In which part row (or vector element) r lies, and where there. */
static enum tsr_part locate(const struct tsr_test_weights *w, const struct tsr_test_entry *e,
                            uint64_t *r)
{
    uint64_t half = w->model.head_dim / 2;
    uint32_t i = 0;
    if (e->interleaved) {
        i = (uint32_t)(*r % 2);
        *r /= 2;
    } else {
        for (; i + 1 < e->n_parts && *r >= part_rows(&w->model, e, i); i++)
            *r -= part_rows(&w->model, e, i);
    }
    if (e->adjacent) {
        uint64_t head = *r / (2 * half), in = *r % (2 * half);
        *r = head * 2 * half + in / 2 + (in % 2 != 0 ? half : 0);
    }
    return e->part[i];
}

void tsr_test_entry_row(const struct tsr_test_weights *w, const struct tsr_test_entry *e,
                        uint64_t row, float *out)
{
    uint64_t each = e->rows > 0 ? e->rows : 1;
    uint32_t expert = e->expert + (uint32_t)(row / each);
    for (uint64_t c = 0; c < e->cols; c++) {
        uint64_t r = e->rows > 0 ? row % each : c;
        enum tsr_part part = locate(w, e, &r);
        out[c] = e->rows > 0 ? tsr_test_weight(w, part, e->layer, expert, r, c)
                             : tsr_test_weight(w, part, e->layer, expert, 0, r);
    }
}
