/* SPDX-License-Identifier: Apache-2.0 */
/* Attention as its definition says, in double. Contracts: tessera/attention.h, kernels/ref.h. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "kernels/attention/attention.h"
#include "kernels/ref.h"

struct tsr_attention_query tsr_attention_query(const struct tsr_attention *p, size_t sequence,
                                               size_t i, size_t head)
{
    const size_t keys = p->kv_len[sequence], queries = p->q_len[sequence];
    struct tsr_attention_query at = {
        sequence, i, head, keys, (ptrdiff_t)(keys + i) - (ptrdiff_t)queries, NULL};
    if (p->mask != NULL) {
        size_t before = 0;
        for (size_t b = 0; b < sequence; b++)
            before += (size_t)p->q_len[b] * p->kv_len[b];
        at.mask = p->mask + before + i * keys;
    }
    return at;
}

double tsr_attention_logit(const struct tsr_attention *p, const struct tsr_attention_query *at,
                           size_t j, double dot)
{
    double s = dot * p->scale;
    if (p->softcap != 0)
        s = p->softcap * tanh(s / p->softcap);
    if (p->slopes != NULL)
        s += (double)p->slopes[at->head] * (double)((ptrdiff_t)j - at->position);
    return s;
}

static double logit(const struct tsr_attention_source *s, const struct tsr_attention_query *at,
                    const float *q, size_t j, float *v)
{
    float k[TSR_ATTENTION_MAX_DIM];
    double dot = 0;
    s->row(s->from, at->sequence, j, at->head / (s->what->heads / s->what->kv_heads), k, v);
    for (size_t d = 0; d < s->what->dim; d++)
        dot += (double)q[d] * k[d];
    return tsr_attention_logit(s->what, at, j, dot);
}

/* The logits are computed twice rather than stored, so that nothing has to be allocated. */
void tsr_attention_row(const struct tsr_attention_source *s, const struct tsr_attention_query *at,
                       const float *q, float *o, float *lse)
{
    const struct tsr_attention *p = s->what;
    double acc[TSR_ATTENTION_MAX_DIM] = {0};
    float v[TSR_ATTENTION_MAX_DIM];
    const double sink = p->sinks != NULL ? (double)p->sinks[at->head] : -INFINITY;
    double max = sink;
    for (size_t j = 0; j < at->keys; j++)
        if (tsr_attention_sees(p, at, j))
            max = fmax(max, logit(s, at, q, j, NULL));
    double sum = sink > -INFINITY ? exp(sink - max) : 0;
    for (size_t j = 0; j < at->keys; j++) {
        if (!tsr_attention_sees(p, at, j))
            continue;
        const double x = logit(s, at, q, j, v), weight = x == -INFINITY ? 0 : exp(x - max);
        sum += weight;
        for (size_t d = 0; d < p->value_dim; d++)
            acc[d] += weight * v[d];
    }
    for (size_t d = 0; d < p->value_dim; d++)
        o[d] = sum == 0 ? 0.0f : (float)(acc[d] / sum);
    if (lse != NULL)
        *lse = sum == 0 ? -INFINITY : (float)(max + log(sum));
}

struct dense {
    const struct tsr_attention *p;
    const float *k, *v;
};

static void dense_row(const void *from, size_t sequence, size_t token, size_t head, float *k,
                      float *v)
{
    const struct dense *t = from;
    for (size_t b = 0; b < sequence; b++)
        token += t->p->kv_len[b];
    const size_t row = token * t->p->kv_heads + head;
    if (k != NULL)
        memcpy(k, t->k + row * t->p->dim, t->p->dim * sizeof *k);
    if (v != NULL)
        memcpy(v, t->v + row * t->p->value_dim, t->p->value_dim * sizeof *v);
}

void tsr_attention_plain(const struct tsr_attention *p, const float *q, const float *k,
                         const float *v, float *o, float *lse)
{
    assert(p->dim <= TSR_ATTENTION_MAX_DIM && p->value_dim <= TSR_ATTENTION_MAX_DIM);
    assert(p->kv_heads > 0 && p->heads % p->kv_heads == 0);
    const struct dense dense = {p, k, v};
    const struct tsr_attention_source source = {p, dense_row, &dense};
    for (size_t b = 0; b < p->batch; b++)
        for (size_t i = 0; i < p->q_len[b]; i++)
            for (size_t h = 0; h < p->heads; h++) {
                const struct tsr_attention_query at = tsr_attention_query(p, b, i, h);
                assert(!p->causal || at.position >= (ptrdiff_t)i);
                tsr_attention_row(&source, &at, q, o, lse);
                q += p->dim;
                o += p->value_dim;
                lse = lse != NULL ? lse + 1 : NULL;
            }
}

void tsr_attention_ref(const struct tsr_attention_shape *s, const float *q, const float *k,
                       const float *v, const float *sinks, float *out)
{
    assert(s->q_len <= UINT32_MAX && s->kv_len <= UINT32_MAX);
    const uint32_t q_len = (uint32_t)s->q_len, kv_len = (uint32_t)s->kv_len;
    const struct tsr_attention p = {.batch = 1,
                                    .q_len = &q_len,
                                    .kv_len = &kv_len,
                                    .heads = s->heads,
                                    .kv_heads = s->kv_heads,
                                    .dim = s->head_dim,
                                    .value_dim = s->head_dim,
                                    .scale = s->scale,
                                    .softcap = s->softcap,
                                    .causal = s->causal,
                                    .window = s->window,
                                    .sinks = sinks};
    tsr_attention_plain(&p, q, k, v, out, NULL);
}
