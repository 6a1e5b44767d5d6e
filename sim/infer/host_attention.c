/* SPDX-License-Identifier: Apache-2.0 */
/* Heads on the host: norms and RoPE, the cache, attention. */
#include <math.h>
#include <string.h>

#include "sim/infer/dot.h"
#include "sim/infer/host.h"
#include "tessera/vecmath.h"

static enum tsr_status norm_heads(struct host *h, const struct tsr_graph_op *op,
                                  enum infer_what what, float *first, size_t heads,
                                  struct tsr_error *err)
{
    const struct tsr_model *m = h->model;
    bool there;
    enum tsr_status st = host_vector(h, op, what, 0, h->scratch, &there, err);
    for (uint32_t t = 0; st == TSR_OK && there && t < h->n; t++) {
        float *x = first + t * host_qkv_stride(m);
        tsr_rmsnorm_f32(heads, m->head_dim, m->norm_eps, x, m->head_dim, h->scratch, x,
                        m->head_dim);
    }
    return st;
}

enum tsr_status host_rope(struct host *h, const struct tsr_graph_op *op, struct tsr_error *err)
{
    const struct tsr_model *m = h->model;
    const size_t stride = host_qkv_stride(m);
    enum tsr_status st = norm_heads(h, op, INFER_Q_NORM, h->wide, m->heads, err);
    if (st == TSR_OK)
        st = norm_heads(h, op, INFER_K_NORM, h->wide + (size_t)m->heads * m->head_dim, m->kv_heads,
                        err);
    if (st == TSR_OK)
        tsr_rope_f32(TSR_ROPE_HALVES, h->n, (size_t)m->heads + m->kv_heads, m->head_dim, h->cosine,
                     h->sine, h->wide, stride, h->wide, stride);
    return st;
}

enum tsr_status host_kv_append(struct host *h, const struct tsr_graph_op *op, struct tsr_error *err)
{
    const struct tsr_model *m = h->model;
    const size_t d = m->head_dim;
    (void)op;
    (void)err;
    for (uint32_t t = 0; t < h->n; t++) {
        const float *k = h->wide + t * host_qkv_stride(m) + m->heads * d, *v = k + m->kv_heads * d;
        for (uint32_t i = 0; i < m->kv_heads; i++) {
            infer_round(&h->kv, d, k + i * d, host_cache_row(h, h->k_cache, i, h->position + t),
                        h->scratch);
            infer_round(&h->kv, d, v + i * d, host_cache_row(h, h->v_cache, i, h->position + t),
                        h->scratch);
        }
    }
    return TSR_OK;
}

/* c tanh(x / c) by the library's own exponential: the same bits on every host. */
static void soft_cap(size_t n, float cap, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] / cap * 2.0f;
    tsr_exp_f32(TSR_EXP_FULL, n, x, x);
    for (size_t i = 0; i < n; i++)
        x[i] = cap - 2.0f * cap / (x[i] + 1.0f);
}

struct attention {
    struct host *h;
    const struct tsr_graph_op *op;
    const float *sinks; /* null: none */
    size_t tasks;
};

/* One query of one head. */
static void attend(const struct attention *a, uint32_t t, uint32_t head, float *score)
{
    struct host *h = a->h;
    const struct tsr_model *m = h->model;
    const size_t d = m->head_dim, end = (size_t)h->position + t + 1;
    const size_t first = a->op->window != 0 && end > a->op->window ? end - a->op->window : 0;
    const size_t n = end - first, kv_head = head / (m->heads / m->kv_heads);
    const float *q = h->wide + t * host_qkv_stride(m) + head * d;
    float *out = h->normed + ((size_t)t * m->heads + head) * d;
    for (size_t j = 0; j < n; j++)
        score[j] = infer_dot(d, q, host_cache_row(h, h->k_cache, kv_head, first + j)) *
                   (float)m->attn_scale;
    if (m->attn_softcap != 0)
        soft_cap(n, (float)m->attn_softcap, score);
    if (a->sinks != NULL) /* takes part in the sum, with a value of zero */
        score[n] = a->sinks[head];
    tsr_softmax_f32(TSR_EXP_TWO, 1, n + (a->sinks != NULL), score, 0, score, 0);
    memset(out, 0, d * sizeof *out);
    for (size_t j = 0; j < n; j++)
        infer_axpy(d, score[j], host_cache_row(h, h->v_cache, kv_head, first + j), out);
}

static void attend_some(void *self, size_t i)
{
    struct attention *a = self;
    struct host *h = a->h;
    const uint64_t all = (uint64_t)h->n * h->model->heads;
    for (uint64_t j = host_share(all, i, a->tasks); j < host_share(all, i + 1, a->tasks); j++)
        attend(a, (uint32_t)(j / h->model->heads), (uint32_t)(j % h->model->heads),
               h->scratch + i * h->scratch_floats);
}

enum tsr_status host_attention(struct host *h, const struct tsr_graph_op *op, struct tsr_error *err)
{
    struct attention a = {h, op, NULL, h->threads.threads};
    float sinks[1024];
    bool there = false;
    if (op->flags & TSR_OPF_SINKS && op->heads > sizeof sinks / sizeof *sinks)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: sinks of %u heads, 1024 are allowed",
                             h->model->name, op->heads);
    enum tsr_status st = host_vector(h, op, INFER_MATRIX, 0, sinks, &there, err);
    if (st != TSR_OK)
        return st;
    a.sinks = there ? sinks : NULL;
    host_parallel(h, a.tasks, attend_some, &a);
    h->at = h->normed;
    return TSR_OK;
}
