/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/attention_gradient.h"

#include <math.h>
#include <stdlib.h>

#include "tests/support/harness.h"

/* One sequence and head: [query][key]. */
struct matrices {
    size_t queries, keys, mask_at;
    const float *q, *k, *v, *d_o; /* first rows, at steps below */
    size_t q_step, k_step, v_step, o_step;
    double *p, *d_p, *slope, *size; /* slope: of the logit against scale q k */
};

static double dot(const float *x, const float *y, size_t n, double *size)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i] * y[i];
        *size += fabs((double)x[i] * y[i]);
    }
    return sum;
}

static bool hidden(const struct attention_problem *p, const struct matrices *m, size_t b, size_t i,
                   size_t j)
{
    const struct tsr_attention *a = &p->what;
    const long ahead = (long)j - ((long)(m->keys + i) - (long)m->queries);
    if (a->mask && !a->mask[m->mask_at + i * m->keys + j])
        return true;
    if (a->prefix && j < a->prefix[b])
        return false;
    return (a->causal && ahead > 0) || (a->window && -ahead >= (long)a->window);
}

/* P by rows: logits, exp, sums. */
static void weigh(const struct attention_problem *p, const struct matrices *m, size_t b, size_t h)
{
    const struct tsr_attention *a = &p->what;
    for (size_t i = 0; i < m->queries; i++) {
        double *row = m->p + i * m->keys, sum = a->sinks ? exp((double)a->sinks[h]) : 0, ignored;
        for (size_t j = 0; j < m->keys; j++) {
            double x = a->scale * dot(m->q + i * m->q_step, m->k + j * m->k_step, a->dim, &ignored);
            m->slope[i * m->keys + j] = 1;
            if (a->softcap != 0) {
                double t = tanh(x / a->softcap);
                m->slope[i * m->keys + j] = 1 - t * t;
                x = a->softcap * t;
            }
            if (a->slopes)
                x += (double)a->slopes[h] *
                     (double)((long)j + (long)m->queries - (long)m->keys - (long)i);
            row[j] = hidden(p, m, b, i, j) ? 0 : exp(x);
            sum += row[j];
        }
        for (size_t j = 0; j < m->keys && sum > 0; j++)
            row[j] /= sum;
    }
}

/* dP = dO V^T, then dS = P (dP - row sums of P dP) in its place. */
static void differentiate(const struct attention_problem *p, const struct matrices *m)
{
    const struct tsr_attention *a = &p->what;
    for (size_t i = 0; i < m->queries; i++) {
        double mean = 0, mean_size = 0;
        double *d = m->d_p + i * m->keys, *size = m->size + i * m->keys;
        const double *w = m->p + i * m->keys;
        for (size_t j = 0; j < m->keys; j++) {
            size[j] = 0;
            d[j] = dot(m->d_o + i * m->o_step, m->v + j * m->v_step, a->value_dim, &size[j]);
            mean += w[j] * d[j];
            mean_size += w[j] * size[j];
        }
        for (size_t j = 0; j < m->keys; j++) {
            d[j] = a->scale * w[j] * (d[j] - mean) * m->slope[i * m->keys + j];
            size[j] = a->scale * w[j] * (size[j] + mean_size);
        }
    }
}

static void add(double *to, double by, const float *x, size_t n)
{
    for (size_t i = 0; to && i < n; i++)
        to[i] += by * x[i];
}

static void add_size(double *to, double by, const float *x, size_t n)
{
    for (size_t i = 0; to && i < n; i++)
        to[i] += by * fabs((double)x[i]);
}

static double *at(double *x, size_t i)
{
    return x ? x + i : NULL;
}

/* q_at, k_at, v_at: of the first rows in the results. */
static void multiply(const struct attention_problem *p, const struct matrices *m, size_t q_at,
                     size_t k_at, size_t v_at, struct attention_gradient *g)
{
    const struct tsr_attention *a = &p->what;
    for (size_t i = 0; i < m->queries; i++)
        for (size_t j = 0; j < m->keys; j++) {
            const size_t x = i * m->keys + j;
            const float *q = m->q + i * m->q_step, *k = m->k + j * m->k_step,
                        *d_o = m->d_o + i * m->o_step;
            const size_t qi = q_at + i * m->q_step, kj = k_at + j * m->k_step,
                         vj = v_at + j * m->v_step;
            const double e = g->rounded * fabs(m->d_p[x]) + g->inner * m->size[x];
            add(g->q + qi, m->d_p[x], k, a->dim);
            add(g->k + kj, m->d_p[x], q, a->dim);
            add(g->v + vj, m->p[x], d_o, a->value_dim);
            add_size(at(g->bound_q, qi), e, k, a->dim);
            add_size(at(g->bound_k, kj), e, q, a->dim);
            add_size(at(g->bound_v, vj), (g->rounded + g->inner) * m->p[x], d_o, a->value_dim);
        }
}

void attention_unfused_gradient(const struct attention_problem *p, const float *d_o,
                                struct attention_gradient *g)
{
    const struct tsr_attention *a = &p->what;
    const size_t group = a->heads / a->kv_heads;
    size_t query = 0, key = 0, pairs = 0;
    for (size_t b = 0; b < a->batch; b++) {
        const size_t n = (size_t)a->q_len[b] * a->kv_len[b];
        double *space = calloc(4 * n + 1, sizeof *space);
        assert_non_null(space);
        for (size_t h = 0; h < a->heads; h++) {
            const size_t q_at = (query * a->heads + h) * a->dim,
                         o_at = (query * a->heads + h) * a->value_dim,
                         k_at = (key * a->kv_heads + h / group) * a->dim,
                         v_at = (key * a->kv_heads + h / group) * a->value_dim;
            const struct matrices m = {a->q_len[b],
                                       a->kv_len[b],
                                       pairs,
                                       p->q + q_at,
                                       p->k + k_at,
                                       p->v + v_at,
                                       d_o + o_at,
                                       a->heads * a->dim,
                                       a->kv_heads * a->dim,
                                       a->kv_heads * a->value_dim,
                                       a->heads * a->value_dim,
                                       space,
                                       space + n,
                                       space + 2 * n,
                                       space + 3 * n};
            weigh(p, &m, b, h);
            differentiate(p, &m);
            multiply(p, &m, q_at, k_at, v_at, g);
        }
        free(space);
        query += a->q_len[b];
        key += a->kv_len[b];
        pairs += n;
    }
}
