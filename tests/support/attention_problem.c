/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/attention_problem.h"

#include <math.h>
#include <stdlib.h>

#include "tests/support/harness.h"

static float *values(size_t n, double size, uint64_t *seed)
{
    float *x = malloc((n + 1) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(size * tsr_test_random_f32(seed));
    return x;
}

static uint8_t *random_mask(const struct attention_problem *p, uint64_t *seed)
{
    size_t n = 0;
    for (size_t b = 0; b < p->what.batch; b++)
        n += (size_t)p->q_len[b] * p->kv_len[b];
    uint8_t *mask = malloc(n + 1);
    assert_non_null(mask);
    for (size_t i = 0; i < n; i++)
        mask[i] = tsr_test_random_below(seed, 4) != 0;
    return mask;
}

void attention_problem_fill(struct attention_problem *p, unsigned features, double size,
                            uint64_t *seed)
{
    struct tsr_attention *a = &p->what;
    p->queries = p->keys = 0;
    for (size_t b = 0; b < a->batch; b++) {
        p->queries += p->q_len[b];
        p->keys += p->kv_len[b];
        p->prefix[b] = (uint32_t)tsr_test_random_below(seed, p->kv_len[b] / 2 + 1);
    }
    p->q = values(p->queries * a->heads * a->dim, size, seed);
    p->k = values(p->keys * a->kv_heads * a->dim, size, seed);
    p->v = values(p->keys * a->kv_heads * a->value_dim, 1, seed);
    p->sinks = values(a->heads, 2, seed);
    p->slopes = values(a->heads, 0.1, seed);
    p->mask = features & PROBLEM_MASK ? random_mask(p, seed) : NULL;
    a->q_len = p->q_len;
    a->kv_len = p->kv_len;
    a->scale = 1 / sqrt((double)a->dim);
    a->causal = (features & PROBLEM_CAUSAL) != 0;
    a->window = features & PROBLEM_WINDOW ? 1 + tsr_test_random_below(seed, 80) : 0;
    a->prefix = features & PROBLEM_PREFIX ? p->prefix : NULL;
    a->sinks = features & PROBLEM_SINKS ? p->sinks : NULL;
    a->slopes = features & PROBLEM_SLOPES ? p->slopes : NULL;
    a->softcap = features & PROBLEM_SOFTCAP ? 2.5 : 0;
    a->mask = p->mask;
}

void attention_problem_free(struct attention_problem *p)
{
    free(p->q);
    free(p->k);
    free(p->v);
    free(p->sinks);
    free(p->slopes);
    free(p->mask);
}

/* One sequence in the arrays of all. */
struct part {
    size_t b, first_query, first_key, first_pair;
};

static bool visible(const struct attention_problem *p, const struct part *s, long i, long j)
{
    const struct tsr_attention *a = &p->what;
    const long keys = p->kv_len[s->b], own = keys - (long)p->q_len[s->b] + i;
    if (a->mask != NULL && !a->mask[s->first_pair + (size_t)(i * keys + j)])
        return false;
    if (a->prefix != NULL && j < (long)p->prefix[s->b])
        return true;
    if (a->causal && j > own)
        return false;
    return a->window == 0 || own - j < (long)a->window;
}

/* The logit, and *size: the magnitudes that it is summed from. */
static double score(const struct attention_problem *p, const struct part *s, size_t i, size_t h,
                    size_t j, double *size)
{
    const struct tsr_attention *a = &p->what;
    const float *q = p->q + ((s->first_query + i) * a->heads + h) * a->dim;
    const float *k =
        p->k + ((s->first_key + j) * a->kv_heads + h * a->kv_heads / a->heads) * a->dim;
    double x = 0;
    *size = 0;
    for (size_t d = 0; d < a->dim; d++) {
        x += (double)q[d] * k[d];
        *size += fabs((double)q[d] * k[d]) * fabs(a->scale);
    }
    x *= a->scale;
    if (a->softcap > 0)
        x = a->softcap * tanh(x / a->softcap);
    if (a->slopes != NULL)
        x += a->slopes[h] * (double)((long)(j + p->q_len[s->b]) - (long)(i + p->kv_len[s->b]));
    *size += fabs((double)x);
    return x;
}

struct outputs {
    double *o, *lse, *weights_v, *slack; /* of one row */
};

static void row(const struct attention_problem *p, const struct part *s, size_t i, size_t h,
                double *w, const struct outputs *to)
{
    const struct tsr_attention *a = &p->what;
    const size_t keys = p->kv_len[s->b];
    double *size = malloc((keys + 1) * sizeof *size);
    assert_non_null(size);
    double most = a->sinks != NULL ? a->sinks[h] : -INFINITY;
    for (size_t j = 0; j < keys; j++) {
        w[j] = visible(p, s, (long)i, (long)j) ? score(p, s, i, h, j, &size[j]) : -INFINITY;
        if (w[j] > most || isnan(w[j]))
            most = w[j];
    }
    double sum = a->sinks != NULL ? exp(a->sinks[h] - most) : 0;
    for (size_t j = 0; j < keys; j++) {
        w[j] = w[j] == -INFINITY ? 0 : exp(w[j] - most);
        sum += w[j];
    }
    if (to->lse != NULL)
        *to->lse = sum == 0 ? -INFINITY : most + log(sum);
    if (to->slack != NULL)
        *to->slack = 0;
    for (size_t d = 0; d < a->value_dim; d++) {
        double total = 0, magnitude = 0;
        for (size_t j = 0; j < keys && sum != 0; j++) {
            const float *v =
                p->v +
                ((s->first_key + j) * a->kv_heads + h * a->kv_heads / a->heads) * a->value_dim;
            total += w[j] == 0 ? 0 : w[j] / sum * v[d];
            magnitude += w[j] == 0 ? 0 : w[j] / sum * fabsf(v[d]);
        }
        if (to->o != NULL)
            to->o[d] = (double)total;
        if (to->weights_v != NULL)
            to->weights_v[d] = (double)magnitude;
    }
    for (size_t j = 0; j < keys && to->slack != NULL && sum != 0; j++)
        if (w[j] != 0)
            *to->slack += (double)(w[j] / sum) * size[j];
    free(size);
}

void attention_long_way(const struct attention_problem *p, double *o, double *lse,
                        double *weights_v, double *slack)
{
    const struct tsr_attention *a = &p->what;
    struct part s = {0};
    size_t r = 0;
    for (; s.b < a->batch; s.b++) {
        double *w = malloc((p->kv_len[s.b] + 1) * sizeof *w);
        assert_non_null(w);
        for (size_t i = 0; i < p->q_len[s.b]; i++)
            for (size_t h = 0; h < a->heads; h++, r++) {
                const struct outputs to = {o ? o + r * a->value_dim : NULL, lse ? lse + r : NULL,
                                           weights_v ? weights_v + r * a->value_dim : NULL,
                                           slack ? slack + r : NULL};
                row(p, &s, i, h, w, &to);
            }
        free(w);
        s.first_query += p->q_len[s.b];
        s.first_key += p->kv_len[s.b];
        s.first_pair += (size_t)p->q_len[s.b] * p->kv_len[s.b];
    }
}
