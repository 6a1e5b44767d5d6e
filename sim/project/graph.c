/* SPDX-License-Identifier: Apache-2.0 */
/* tsr_model -> the operations of one phase. One function per operation, in the order of a layer. */
#include <assert.h>
#include <string.h>

#include "sim/project/graph_build.h"

/* Elements outside the matrices (norms, biases, router, the untied input table) are kept in bf16,
 * or in f32 where the matrices are. */
static uint64_t plain_bytes(const struct tsr_format *weights)
{
    return weights != NULL && weights->code == TSR_F32 ? 4 : 2;
}

/* Kinds of layer as bits: those that slide, that have experts, and their opposites. */
enum {
    KINDS_ALL = (1 << TSR_LAYER_KINDS) - 1,
    KINDS_SLIDING = 1 << TSR_LAYER_SLIDING | 1 << (TSR_LAYER_SLIDING | TSR_LAYER_MOE),
    KINDS_MOE = 1 << TSR_LAYER_MOE | 1 << (TSR_LAYER_SLIDING | TSR_LAYER_MOE),
};

uint64_t tsr_format_bytes(const struct tsr_format *f, uint64_t rows, uint64_t cols)
{
    if (f == NULL)
        return tsr_sat_mul3(rows, cols, 2);
    assert(f->block != 0);
    uint64_t block = f->block;
    uint64_t bits = block * f->bits + f->scale_bits;
    if (f->family == TSR_FAMILY_SMX) /* sign and magnitude, one shift bit per pair, exponent */
        bits = block * (1u + f->mbits) + block / 2 + f->scale_bits;
    uint64_t blocks = cols / block + (cols % block != 0);
    uint64_t row_bits = tsr_sat_mul(blocks, bits);
    if (row_bits == UINT64_MAX)
        return UINT64_MAX;
    return tsr_sat_mul(rows, row_bits / 8 + (row_bits % 8 != 0));
}

struct tsr_graph_op *graph_add(struct graph_builder *b, enum tsr_op_kind kind, const char *name)
{
    struct tsr_graph_op *op = &b->g->ops[b->g->n_ops++];
    memset(op, 0, sizeof *op);
    op->kind = kind;
    op->name = name;
    op->repeat = b->layers;
    op->layer_kinds = b->kinds;
    op->batch = (uint32_t)b->g->options.batch;
    op->m = b->tokens;
    return op;
}

static void add_norm(struct graph_builder *b, const char *name, uint64_t rows, bool residual)
{
    struct tsr_graph_op *op = graph_add(b, TSR_OP_RMSNORM, name);
    op->m = rows;
    op->n = b->m->hidden;
    op->flags = residual ? TSR_OPF_RESIDUAL : 0;
    op->params = op->n;
    op->weight_bytes = tsr_sat_mul(op->n, b->plain);
    op->out_elems = tsr_sat_mul(rows, op->n);
    op->in_elems = tsr_sat_mul(op->out_elems, residual ? 2 : 1);
    graph_read_all(op);
}

/* C[tokens,n] = A[tokens,k] x B[n,k]^T, B in the graph's weight format. */
struct tsr_graph_op *graph_add_matmul(struct graph_builder *b, const char *name, uint64_t n,
                                      uint64_t k, uint32_t flags)
{
    struct tsr_graph_op *op = graph_add(b, TSR_OP_MATMUL, name);
    uint64_t bias = flags & TSR_OPF_BIAS ? n : 0;
    op->n = n;
    op->k = k;
    op->flags = flags;
    if (flags & TSR_OPF_GATE)
        op->activation = b->m->activation;
    op->params = tsr_sat_add(tsr_sat_mul(n, k), bias);
    op->weight_bytes = tsr_sat_add(tsr_format_bytes(b->g->options.weights, n, k),
                                   tsr_sat_mul(bias, b->plain));
    op->macs = tsr_sat_mul3(op->m, n, k);
    op->in_elems = tsr_sat_mul(op->m, k);
    op->out_elems = tsr_sat_mul(op->m, flags & TSR_OPF_GATE ? n / 2 : n);
    if (flags & TSR_OPF_RESIDUAL)
        op->in_elems = tsr_sat_add(op->in_elems, op->out_elems);
    graph_read_all(op);
    return op;
}

static void add_embed(struct graph_builder *b)
{
    const struct tsr_model *m = b->m;
    const struct tsr_format *f = b->g->options.weights;
    struct tsr_graph_op *op = graph_add(b, TSR_OP_EMBED, "embed");
    op->n = m->hidden;
    op->vocab = m->vocab;
    op->flags = (m->tied ? TSR_OPF_TIED : 0) | (m->embed_scale != 1 ? TSR_OPF_SCALE : 0);
    op->out_elems = tsr_sat_mul(op->m, op->n);
    if (m->tied) { /* lm_head owns the table, which is then stored as a matrix */
        op->weight_read_bytes = tsr_format_bytes(f, op->m, op->n);
        return;
    }
    op->params = tsr_sat_mul(m->vocab, m->hidden);
    op->weight_bytes = tsr_sat_mul(op->params, b->plain);
    op->weight_read_bytes = tsr_sat_mul(op->out_elems, b->plain);
}

static void set_heads(struct graph_builder *b, struct tsr_graph_op *op)
{
    op->heads = b->m->heads;
    op->kv_heads = b->m->kv_heads;
    op->head_dim = b->m->head_dim;
}

static void add_rope(struct graph_builder *b)
{
    const struct tsr_model *m = b->m;
    struct tsr_graph_op *op = graph_add(b, TSR_OP_ROPE, "rope");
    set_heads(b, op);
    op->n = (uint64_t)(m->heads + (uint64_t)m->kv_heads) * m->head_dim;
    op->in_elems = op->out_elems = tsr_sat_mul(op->m, op->n);
    if (m->qk_norm) {
        op->flags = TSR_OPF_QK_NORM;
        op->params = 2 * (uint64_t)m->head_dim;
        op->weight_bytes = op->params * b->plain;
    }
    graph_read_all(op);
}

static void add_kv_append(struct graph_builder *b)
{
    struct tsr_graph_op *op = graph_add(b, TSR_OP_KV_APPEND, "kv_append");
    uint64_t rows = tsr_sat_mul3(2, op->m, b->m->kv_heads);
    set_heads(b, op);
    op->n = tsr_sat_mul3(2, b->m->kv_heads, b->m->head_dim);
    op->in_elems = tsr_sat_mul(rows, b->m->head_dim);
    op->kv_write_bytes = tsr_format_bytes(b->g->options.kv, rows, b->m->head_dim);
}

uint64_t graph_visible_pairs(uint64_t x, uint64_t window)
{
    if (window == 0 || x <= window)
        return x % 2 ? (x + 1) / 2 * x : x / 2 * (x + 1);
    return graph_visible_pairs(window, 0) + (x - window) * window;
}

static void add_attention(struct graph_builder *b, bool sliding, uint32_t layers)
{
    const struct tsr_model *m = b->m;
    const struct tsr_graph_options *o = &b->g->options;
    const uint8_t kinds = sliding ? KINDS_SLIDING : KINDS_ALL & ~KINDS_SLIDING;
    if (layers == 0)
        return;
    uint64_t window = sliding && m->window < o->seq ? m->window : 0;
    uint32_t last = b->g->n_ops - 1;
    if (b->g->ops[last].kind == TSR_OP_ATTENTION && b->g->ops[last].window == window &&
        o->positions == 0) {
        b->g->ops[last].layer_kinds |= kinds;
        b->g->ops[last].repeat += layers; /* the window reaches over all keys: the same op */
        return;
    }
    const char *name =
        window != 0 || (sliding && o->positions != 0) ? "attention_window" : "attention";
    struct tsr_graph_op *op = graph_add(b, TSR_OP_ATTENTION, name);
    op->repeat = layers;
    op->layer_kinds = kinds;
    set_heads(b, op);
    op->q_len = b->each;
    op->kv_len = o->seq;
    op->window = window;
    op->flags = TSR_OPF_CAUSAL | (m->sinks ? TSR_OPF_SINKS : 0) |
                (m->attn_softcap != 0 ? TSR_OPF_SOFTCAP : 0);
    op->params = m->sinks ? m->heads : 0;
    op->weight_bytes = op->params * b->plain;
    uint64_t pairs = graph_visible_pairs(op->kv_len, window) -
                     graph_visible_pairs(op->kv_len - op->q_len, window);
    uint64_t heads = tsr_sat_mul(o->batch, m->heads);
    op->macs = tsr_sat_mul(tsr_sat_mul3(heads, m->head_dim, 2), pairs); /* q.k and p.v */
    uint64_t first = op->kv_len - op->q_len + 1; /* keys seen by the first query, if no window */
    uint64_t keys = window != 0 && first > window ? op->kv_len - (first - window) : op->kv_len;
    uint64_t rows = tsr_sat_mul(tsr_sat_mul3(2, o->batch, m->kv_heads), keys);
    op->kv_read_bytes = tsr_format_bytes(o->kv, rows, m->head_dim);
    op->in_elems = op->out_elems = tsr_sat_mul3(op->m, m->heads, m->head_dim);
    graph_read_all(op);
}

static void add_dense_ffn(struct graph_builder *b)
{
    const struct tsr_model *m = b->m;
    uint32_t bias = m->ffn_bias ? TSR_OPF_BIAS : 0;
    graph_add_matmul(b, "gate_up", 2 * (uint64_t)m->ffn, m->hidden, bias | TSR_OPF_GATE);
    graph_add_matmul(b, "down", m->hidden, m->ffn, bias | (m->post_norms ? 0 : TSR_OPF_RESIDUAL));
}

/* As add_matmul for top_k experts per token: n, k and the biases are those of one expert. */
static void add_expert_matmul(struct graph_builder *b, const char *name, uint64_t n, uint64_t k,
                              uint32_t flags)
{
    const struct tsr_model *m = b->m;
    struct tsr_graph_op *op = graph_add_matmul(b, name, n, k, flags);
    op->kind = TSR_OP_EXPERT_MATMUL;
    op->experts = m->experts;
    op->top_k = m->top_k;
    uint64_t touched = tsr_sat_mul(op->m, m->top_k);
    op->experts_read = touched < m->experts ? touched : m->experts;
    op->weight_read_bytes = tsr_sat_mul(op->weight_bytes, op->experts_read);
    op->weight_bytes = tsr_sat_mul(op->weight_bytes, m->experts);
    op->params = tsr_sat_mul(op->params, m->experts);
    op->macs = tsr_sat_mul(op->macs, m->top_k);
    op->out_elems = tsr_sat_mul(op->out_elems, m->top_k);
    if (strcmp(name, "expert_down") == 0) /* gate-up gathers tokens, down reads its result */
        op->in_elems = tsr_sat_mul(op->in_elems, m->top_k);
}

static void add_experts(struct graph_builder *b)
{
    const struct tsr_model *m = b->m;
    uint32_t bias = m->ffn_bias ? TSR_OPF_BIAS : 0;
    struct tsr_graph_op *router = graph_add_matmul(b, "router", m->experts, m->hidden,
                                       TSR_OPF_F32_OUT | (m->router_bias ? TSR_OPF_BIAS : 0));
    router->weight_bytes = tsr_sat_mul(router->params, b->plain);
    graph_read_all(router);

    struct tsr_graph_op *topk = graph_add(b, TSR_OP_TOPK, "topk");
    topk->n = topk->experts = m->experts;
    topk->top_k = m->top_k;
    topk->in_elems = tsr_sat_mul(topk->m, m->experts);
    topk->out_elems = tsr_sat_mul3(topk->m, m->top_k, 2); /* weight and index */

    add_expert_matmul(b, "expert_gate_up", 2 * (uint64_t)m->expert_ffn, m->hidden,
                      bias | TSR_OPF_GATE);
    add_expert_matmul(b, "expert_down", m->hidden, m->expert_ffn, bias);

    struct tsr_graph_op *combine = graph_add(b, TSR_OP_COMBINE, "combine");
    combine->n = m->hidden;
    combine->experts = m->experts;
    combine->top_k = m->top_k;
    combine->flags = m->post_norms ? 0 : TSR_OPF_RESIDUAL;
    combine->out_elems = tsr_sat_mul(combine->m, m->hidden);
    combine->in_elems = tsr_sat_mul(combine->out_elems, m->top_k + (m->post_norms ? 0u : 1u));
}

/* The expert that all tokens take; without a gate of its own as a dense feed-forward. */
static void add_shared_expert(struct graph_builder *b)
{
    const struct tsr_model *m = b->m;
    if (!m->shared_gate) {
        graph_add_matmul(b, "shared_gate_up", 2 * (uint64_t)m->shared_ffn, m->hidden,
                         TSR_OPF_GATE);
        graph_add_matmul(b, "shared_down", m->hidden, m->shared_ffn, TSR_OPF_RESIDUAL);
        return;
    }
    struct tsr_graph_op *gate = graph_add_matmul(b, "shared_gate", 1, m->hidden, TSR_OPF_F32_OUT);
    gate->weight_bytes = tsr_sat_mul(gate->params, b->plain);
    graph_read_all(gate);
    graph_add_matmul(b, "shared_gate_up", 2 * (uint64_t)m->shared_ffn, m->hidden, TSR_OPF_GATE);
    graph_add_matmul(b, "shared_down", m->hidden, m->shared_ffn, 0);
    struct tsr_graph_op *sum = graph_add(b, TSR_OP_GATED_ADD, "shared_add");
    sum->n = m->hidden;
    sum->flags = TSR_OPF_RESIDUAL;
    sum->out_elems = tsr_sat_mul(sum->m, m->hidden);
    sum->in_elems = tsr_sat_mul(sum->out_elems, 2);
}

static uint32_t sliding_layers(const struct tsr_model *m)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->layers; i++)
        n += (m->layer_kind[i] & TSR_LAYER_SLIDING) != 0;
    return n;
}

/* Attention of each layer, between its norm and o. */
static void add_heads(struct graph_builder *b)
{
    const struct tsr_model *m = b->m;
    uint64_t q = (uint64_t)m->heads * m->head_dim, kv = (uint64_t)m->kv_heads * m->head_dim;
    graph_add_matmul(b, "qkv", tsr_sat_add(q, tsr_sat_mul(2, kv)), m->hidden,
                     m->qkv_bias ? TSR_OPF_BIAS : 0);
    add_rope(b);
    add_kv_append(b);
    add_attention(b, true, sliding_layers(m));
    add_attention(b, false, m->layers - sliding_layers(m));
}

static void add_layers(struct graph_builder *b)
{
    const struct tsr_model *m = b->m;
    uint32_t moe = 0;
    for (uint32_t i = 0; i < m->layers; i++)
        moe += (m->layer_kind[i] & TSR_LAYER_MOE) != 0;
    b->layers = m->layers;
    b->kinds = KINDS_ALL;
    add_norm(b, "attn_norm", b->tokens, false);
    if (m->kv_rank != 0)
        graph_add_latent(b);
    else
        add_heads(b);
    graph_add_matmul(b, "o", m->hidden, tsr_attention_width(m),
                     (m->o_bias ? TSR_OPF_BIAS : 0) | (m->post_norms ? 0 : TSR_OPF_RESIDUAL));
    if (m->post_norms)
        add_norm(b, "attn_post_norm", b->tokens, true);
    add_norm(b, "ffn_norm", b->tokens, false);
    b->layers = m->layers - moe;
    b->kinds = KINDS_ALL & ~KINDS_MOE;
    if (b->layers != 0)
        add_dense_ffn(b);
    b->layers = moe;
    b->kinds = KINDS_MOE;
    if (b->layers != 0)
        add_experts(b);
    if (b->layers != 0 && m->shared_ffn != 0)
        add_shared_expert(b);
    b->layers = m->layers;
    b->kinds = KINDS_ALL;
    if (m->post_norms)
        add_norm(b, "ffn_post_norm", b->tokens, true);
}

static void add_head(struct graph_builder *b)
{
    const struct tsr_model *m = b->m;
    b->layers = 1;
    b->kinds = 0;
    if (!b->g->options.all_logits)
        b->tokens = b->g->options.batch; /* the last token of each sequence */
    add_norm(b, "final_norm", b->tokens, false);
    graph_add_matmul(b, "lm_head", m->vocab, m->hidden,
               TSR_OPF_F32_OUT | (m->tied ? TSR_OPF_TIED : 0) |
                   (m->logit_scale != 1 ? TSR_OPF_SCALE : 0));
}

void tsr_graph_sum(const struct tsr_graph *g, struct tsr_graph_totals *out)
{
    struct tsr_graph_totals t = {0};
    for (uint32_t i = 0; i < g->n_ops; i++) {
        const struct tsr_graph_op *o = &g->ops[i];
        t.macs = tsr_sat_add(t.macs, tsr_sat_mul(o->macs, o->repeat));
        t.params = tsr_sat_add(t.params, tsr_sat_mul(o->params, o->repeat));
        t.weight_bytes = tsr_sat_add(t.weight_bytes, tsr_sat_mul(o->weight_bytes, o->repeat));
        t.weight_read_bytes = tsr_sat_add(t.weight_read_bytes,
                                          tsr_sat_mul(o->weight_read_bytes, o->repeat));
        t.kv_read_bytes = tsr_sat_add(t.kv_read_bytes, tsr_sat_mul(o->kv_read_bytes, o->repeat));
        t.kv_write_bytes = tsr_sat_add(t.kv_write_bytes,
                                       tsr_sat_mul(o->kv_write_bytes, o->repeat));
    }
    *out = t;
}

/* Every activation is smaller than the macs of the matmul that makes or reads it, or than the KV
 * bytes, so these sums bound all fields. */
static bool too_large(const struct tsr_graph *g)
{
    struct tsr_graph_totals t;
    const uint64_t limit = UINT64_MAX / 2;
    tsr_graph_sum(g, &t);
    return t.macs > limit || t.params > limit || t.weight_bytes > limit ||
           t.weight_read_bytes > limit || t.kv_read_bytes > limit || t.kv_write_bytes > limit;
}

enum tsr_status tsr_graph_build(const struct tsr_model *m, const struct tsr_graph_options *options,
                                struct tsr_graph *out, struct tsr_error *err)
{
    const uint64_t limit = (uint64_t)1 << 31;
    if (options->batch == 0 || options->batch > limit)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: batch: is %llu, 1 to 2^31 is allowed",
                             m->name, (unsigned long long)options->batch);
    if (options->seq == 0 || options->seq > limit)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: seq: is %llu, 1 to 2^31 is allowed",
                             m->name, (unsigned long long)options->seq);
    if (options->block > options->seq)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: block: is %llu, at most seq = %llu is allowed", m->name,
                             (unsigned long long)options->block, (unsigned long long)options->seq);
    struct tsr_graph g;
    memset(&g, 0, sizeof g);
    g.options = *options;
    const uint64_t fresh = options->block != 0 ? options->block : options->seq;
    const uint64_t each = options->phase == TSR_PREFILL ? fresh : 1;
    struct graph_builder b = {
        .m = m,
        .g = &g,
        .tokens = options->batch * each,
        .each = each,
        .plain = plain_bytes(options->weights),
        .layers = 1,
    };
    add_embed(&b);
    add_layers(&b);
    add_head(&b);
    if (too_large(&g))
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: batch %llu with seq %llu: sums above 2^63, "
                             "smaller values are allowed", m->name,
                             (unsigned long long)options->batch, (unsigned long long)options->seq);
    *out = g;
    return TSR_OK;
}

const char *tsr_op_kind_name(enum tsr_op_kind kind)
{
    static const char *const names[TSR_OP_KIND_COUNT] = {
        "embed",     "rmsnorm", "matmul",        "rope",    "kv_append",
        "attention", "topk",    "expert_matmul", "combine", "gated_add",
        "head_matmul",
    };
    return names[kind];
}
