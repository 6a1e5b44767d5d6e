/* SPDX-License-Identifier: Apache-2.0 */
/* The gradient of attention, as its formulas say, in double. Contract: tessera/attention.h. */
#include <assert.h>
#include <math.h>

#include "kernels/attention/attention.h"

struct problem {
    const struct tsr_attention *p;
    const float *q, *k, *v, *o, *lse, *d_o; /* of one sequence */
};

static double dot(size_t n, const float *x, const float *y)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * y[i];
    return sum;
}

/* Weight of key j for a query, and *ds, the gradient of q . k times scale. */
static double weight(const struct problem *t, const struct tsr_attention_query *at, size_t j,
                     double *ds)
{
    const struct tsr_attention *p = t->p;
    const size_t row = at->i * p->heads + at->head;
    const size_t key = j * p->kv_heads + at->head / (p->heads / p->kv_heads);
    *ds = 0;
    if (!tsr_attention_sees(p, at, j))
        return 0;
    const double s = dot(p->dim, t->q + row * p->dim, t->k + key * p->dim);
    const double x = tsr_attention_logit(p, at, j, s);
    const double w = x == -INFINITY ? 0 : exp(x - (double)t->lse[row]);
    const float *d_o = t->d_o + row * p->value_dim;
    const double d = dot(p->value_dim, d_o, t->o + row * p->value_dim);
    *ds = w * (dot(p->value_dim, d_o, t->v + key * p->value_dim) - d) * p->scale;
    if (p->softcap != 0) {
        const double th = tanh(s * p->scale / p->softcap);
        *ds *= 1 - th * th;
    }
    return w;
}

static void add(size_t n, double factor, const float *x, double *sum)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += factor * x[i];
}

static void store(size_t n, const double *sum, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (float)sum[i];
}

static void query_gradient(const struct problem *t, size_t sequence, float *dq)
{
    const struct tsr_attention *p = t->p;
    for (size_t i = 0; i < p->q_len[sequence]; i++)
        for (size_t h = 0; h < p->heads; h++, dq += p->dim) {
            const struct tsr_attention_query at = tsr_attention_query(p, sequence, i, h);
            double sum[TSR_ATTENTION_MAX_DIM] = {0}, ds;
            for (size_t j = 0; j < at.keys; j++) {
                weight(t, &at, j, &ds);
                add(p->dim, ds, t->k + (j * p->kv_heads + h / (p->heads / p->kv_heads)) * p->dim,
                    sum);
            }
            store(p->dim, sum, dq);
        }
}

static void key_gradient(const struct problem *t, size_t sequence, float *dk, float *dv)
{
    const struct tsr_attention *p = t->p;
    const size_t group = p->heads / p->kv_heads;
    for (size_t j = 0; j < p->kv_len[sequence]; j++)
        for (size_t g = 0; g < p->kv_heads; g++, dk += p->dim, dv += p->value_dim) {
            double k_sum[TSR_ATTENTION_MAX_DIM] = {0}, v_sum[TSR_ATTENTION_MAX_DIM] = {0}, ds;
            for (size_t i = 0; i < p->q_len[sequence]; i++)
                for (size_t h = g * group; h < (g + 1) * group; h++) {
                    const struct tsr_attention_query at = tsr_attention_query(p, sequence, i, h);
                    const size_t row = i * p->heads + h;
                    const double w = weight(t, &at, j, &ds);
                    add(p->dim, ds, t->q + row * p->dim, k_sum);
                    add(p->value_dim, w, t->d_o + row * p->value_dim, v_sum);
                }
            store(p->dim, k_sum, dk);
            store(p->value_dim, v_sum, dv);
        }
}

void tsr_attention_backward(const struct tsr_attention *p, const float *q, const float *k,
                            const float *v, const float *o, const float *lse, const float *d_o,
                            float *dq, float *dk, float *dv)
{
    assert(p->dim <= TSR_ATTENTION_MAX_DIM && p->value_dim <= TSR_ATTENTION_MAX_DIM);
    assert(p->kv_heads > 0 && p->heads % p->kv_heads == 0);
    for (size_t b = 0; b < p->batch; b++) {
        const struct problem t = {p, q, k, v, o, lse, d_o};
        query_gradient(&t, b, dq);
        key_gradient(&t, b, dk, dv);
        const size_t queries = p->q_len[b] * p->heads, keys = p->kv_len[b] * p->kv_heads;
        q += queries * p->dim;
        dq += queries * p->dim;
        o += queries * p->value_dim;
        d_o += queries * p->value_dim;
        lse += queries;
        k += keys * p->dim;
        dk += keys * p->dim;
        v += keys * p->value_dim;
        dv += keys * p->value_dim;
    }
}
