/* SPDX-License-Identifier: Apache-2.0 */
/* Latent attention (MLA). A prompt's latents are expanded to keys and values of every head; in a
 * decode step the matrix that does so is absorbed: queries are taken to the latents, which all
 * heads share as keys and values, and the weighted latents to values of the head. Same parameters,
 * fewer bytes. Source: arXiv 2405.04434, section 2.1.2. */
#include "sim/project/graph_build.h"

static struct tsr_graph_op *add(struct graph_builder *b, enum tsr_op_kind kind, const char *name)
{
    struct tsr_graph_op *op = graph_add(b, kind, name);
    op->flags = TSR_OPF_LATENT;
    op->heads = b->m->heads;
    op->kv_heads = 1;
    op->head_dim = (uint32_t)tsr_cache_dim(b->m);
    op->v_dim = b->m->kv_rank;
    return op;
}

static void add_norm(struct graph_builder *b, const char *name, uint64_t n)
{
    struct tsr_graph_op *op = add(b, TSR_OP_RMSNORM, name);
    op->n = op->params = n;
    op->weight_bytes = tsr_sat_mul(n, b->plain);
    op->in_elems = op->out_elems = tsr_sat_mul(op->m, n);
    graph_read_all(op);
}

/* Rows of each head by the head's own n x k matrix. */
static void add_head_matmul(struct graph_builder *b, const char *name, uint64_t n, uint64_t k)
{
    const uint64_t heads = b->m->heads;
    struct tsr_graph_op *op = graph_add_matmul(b, name, n, k, TSR_OPF_LATENT);
    op->kind = TSR_OP_HEAD_MATMUL;
    op->heads = b->m->heads;
    op->params = tsr_sat_mul(op->params, heads);
    op->weight_bytes = tsr_sat_mul(op->weight_bytes, heads);
    op->macs = tsr_sat_mul(op->macs, heads);
    op->in_elems = tsr_sat_mul(op->in_elems, heads);
    op->out_elems = tsr_sat_mul(op->out_elems, heads);
    graph_read_all(op);
}

/* In prefill the keys and values that it reads are not the cache's. */
static void add_attention(struct graph_builder *b, bool absorbed)
{
    const struct tsr_model *m = b->m;
    const struct tsr_graph_options *o = &b->g->options;
    struct tsr_graph_op *op = add(b, TSR_OP_ATTENTION, "attention");
    if (!absorbed) {
        op->kv_heads = m->heads;
        op->head_dim = m->head_dim;
        op->v_dim = m->v_dim;
    }
    op->flags |= TSR_OPF_CAUSAL;
    op->q_len = b->each;
    op->kv_len = o->seq;
    uint64_t pairs =
        graph_visible_pairs(op->kv_len, 0) - graph_visible_pairs(op->kv_len - op->q_len, 0);
    uint64_t heads = tsr_sat_mul(o->batch, m->heads);
    op->macs = tsr_sat_mul3(heads, (uint64_t)op->head_dim + op->v_dim, pairs);
    if (absorbed)
        op->kv_read_bytes =
            tsr_format_bytes(o->kv, tsr_sat_mul(o->batch, op->kv_len), op->head_dim);
    op->in_elems = tsr_sat_mul3(op->m, m->heads, op->head_dim);
    op->out_elems = tsr_sat_mul3(op->m, m->heads, op->v_dim);
}

void graph_add_latent(struct graph_builder *b)
{
    const struct tsr_model *m = b->m;
    const bool absorbed = b->g->options.phase == TSR_DECODE;
    const uint64_t q = (uint64_t)m->heads * m->head_dim, row = tsr_cache_dim(m),
                   nope = m->head_dim - m->rope_dim;
    graph_add_matmul(b, "qkv_a", (m->q_rank != 0 ? m->q_rank : q) + row, m->hidden, TSR_OPF_LATENT);
    if (m->q_rank != 0) {
        add_norm(b, "q_a_norm", m->q_rank);
        graph_add_matmul(b, "q_b", q, m->q_rank, TSR_OPF_LATENT);
    }
    add_norm(b, "kv_a_norm", m->kv_rank);
    struct tsr_graph_op *op = add(b, TSR_OP_ROPE, "rope");
    op->n = ((uint64_t)m->heads + 1) * m->rope_dim;
    op->in_elems = op->out_elems = tsr_sat_mul(op->m, op->n);
    op = add(b, TSR_OP_KV_APPEND, "kv_append");
    op->n = row;
    op->in_elems = tsr_sat_mul(op->m, row);
    op->kv_write_bytes = tsr_format_bytes(b->g->options.kv, op->m, row);
    if (absorbed)
        add_head_matmul(b, "q_absorb", m->kv_rank, nope);
    else
        graph_add_matmul(b, "kv_b", tsr_sat_mul(m->heads, nope + m->v_dim), m->kv_rank,
                         TSR_OPF_LATENT);
    add_attention(b, absorbed);
    if (absorbed)
        add_head_matmul(b, "v_absorb", m->v_dim, m->kv_rank);
}
