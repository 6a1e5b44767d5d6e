/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "sim/project/model_priv.h"

/* q by way of q_rank, latents with the part that is turned, keys and values of them, o. */
static uint64_t latent_params(const struct tsr_model *m)
{
    uint64_t q = tsr_sat_mul(m->heads, m->head_dim), rank = m->q_rank;
    uint64_t n = rank == 0 ? tsr_sat_mul(m->hidden, q)
                           : tsr_sat_add(tsr_sat_mul(rank, tsr_sat_add(m->hidden, q)), rank);
    n = tsr_sat_add(n, tsr_sat_add(tsr_sat_mul(m->hidden, tsr_cache_dim(m)), m->kv_rank));
    uint64_t each = (uint64_t)m->head_dim - m->rope_dim + m->v_dim;
    n = tsr_sat_add(n, tsr_sat_mul3(m->kv_rank, m->heads, each));
    return tsr_sat_add(n, tsr_sat_mul(tsr_attention_width(m), m->hidden));
}

static uint64_t attention_params(const struct tsr_model *m)
{
    if (m->kv_rank != 0)
        return latent_params(m);
    uint64_t q = tsr_sat_mul(m->heads, m->head_dim);
    uint64_t kv = tsr_sat_mul3(2, m->kv_heads, m->head_dim);
    uint64_t n = tsr_sat_mul(tsr_sat_add(tsr_sat_mul(q, 2), kv), m->hidden); /* q k v and o */
    if (m->qkv_bias)
        n = tsr_sat_add(n, tsr_sat_add(q, kv));
    if (m->o_bias)
        n = tsr_sat_add(n, m->hidden);
    if (m->qk_norm)
        n = tsr_sat_add(n, 2 * (uint64_t)m->head_dim);
    if (m->sinks)
        n = tsr_sat_add(n, m->heads);
    return n;
}

/* Gate, up and down of one feed-forward or one expert. */
static uint64_t mlp_params(const struct tsr_model *m, uint32_t inner)
{
    uint64_t n = tsr_sat_mul3(3, m->hidden, inner);
    return m->ffn_bias ? tsr_sat_add(n, 2 * (uint64_t)inner + m->hidden) : n;
}

void tsr_model_count(const struct tsr_model *m, struct tsr_params *out)
{
    uint64_t moe = 0;
    for (uint32_t i = 0; i < m->layers; i++)
        moe += (m->layer_kind[i] & TSR_LAYER_MOE) != 0;
    uint64_t dense = m->layers - moe;
    uint64_t expert = mlp_params(m, m->expert_ffn);
    uint64_t router = tsr_sat_mul(m->hidden, m->experts) + (m->router_bias ? m->experts : 0);

    struct tsr_params p;
    memset(&p, 0, sizeof p);
    p.embedding = tsr_sat_mul(m->vocab, m->hidden);
    p.head = m->tied ? 0 : p.embedding;
    p.attention = tsr_sat_mul(m->layers, attention_params(m));
    p.ffn = tsr_sat_mul(dense, mlp_params(m, m->ffn));
    if (m->shared_ffn != 0) /* a gate has one row */
        p.ffn = tsr_sat_add(p.ffn, tsr_sat_mul(moe, mlp_params(m, m->shared_ffn) +
                                                        (m->shared_gate ? m->hidden : 0)));
    p.router = tsr_sat_mul(moe, router);
    p.experts = tsr_sat_mul3(moe, m->experts, expert);
    p.norms = tsr_sat_mul((uint64_t)m->layers * (m->post_norms ? 4 : 2) + 1, m->hidden);
    uint64_t common = tsr_sat_add(tsr_sat_add(p.attention, p.ffn), tsr_sat_add(p.router, p.norms));
    p.total = tsr_sat_add(tsr_sat_add(common, p.experts), tsr_sat_add(p.embedding, p.head));
    /* With lm_head, which has the table's size whether tied or not; without the input table. */
    p.active = tsr_sat_add(tsr_sat_add(common, p.embedding), tsr_sat_mul3(moe, m->top_k, expert));
    *out = p;
}
