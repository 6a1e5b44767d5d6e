/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/infer/host_verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum tsr_status out_of_memory(struct tsr_error *err)
{
    return tsr_error_set(err, TSR_INTERNAL, "verify: out of memory");
}

struct host_rows *host_check_add(struct host_check *c, const float *got, uint64_t rows,
                                 uint64_t cols, uint64_t stride)
{
    struct host_rows *r = &c->out[c->n++];
    *r = (struct host_rows){got, rows, cols, stride, NULL, NULL};
    r->want = calloc(rows * cols, sizeof *r->want);
    r->error = calloc(rows * cols, sizeof *r->error);
    return r->want != NULL && r->error != NULL ? r : NULL;
}

static enum tsr_status vector(const struct host_check *c, enum infer_what what, float **out,
                              struct tsr_error *err)
{
    struct host *h = c->h;
    struct infer_rows r;
    enum tsr_status st = infer_rows_find(h->o.weights, h->model, c->op, what, h->layer, 0, &r, err);
    *out = NULL;
    if (st != TSR_OK || r.n == 0)
        return st;
    float *x = malloc(infer_row_length(&r) * sizeof *x);
    if (x == NULL)
        return out_of_memory(err);
    const float *row = infer_row(&r, 0, x);
    if (row != x)
        memcpy(x, row, infer_row_length(&r) * sizeof *x);
    *out = x;
    return TSR_OK;
}

/* ---- the operations ---- */

static enum tsr_status check_embed(struct host_check *c, struct tsr_error *err)
{
    struct host *h = c->h;
    const uint64_t n = c->op->n;
    struct infer_rows table;
    struct host_rows *r = host_check_add(c, h->stream, h->n, n, n);
    enum tsr_status st =
        infer_rows_find(h->o.weights, h->model, c->op, INFER_MATRIX, 0, 0, &table, err);
    if (st == TSR_OK && r == NULL)
        return out_of_memory(err);
    for (uint32_t t = 0; t < h->n && st == TSR_OK; t++) {
        const float *x = infer_row(&table, h->tokens[t], h->scratch);
        for (uint64_t i = 0; i < n; i++) {
            const double y = (double)x[i] * h->model->embed_scale;
            r->want[t * n + i] = y;
            r->error[t * n + i] = 2 * HOST_U * fabs(y); /* the factor, the product */
        }
    }
    return st;
}

/* One row of n: x / sqrt(mean of x^2 + eps) w, and tsr_rmsnorm_f32's error. */
static void norm(uint64_t n, double eps, const float *x, const float *w, double *y, double *error)
{
    double sum = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    const double root = sqrt(sum / (double)n + eps);
    for (uint64_t i = 0; i < n; i++) {
        y[i] = (double)x[i] / root * (w != NULL ? (double)w[i] : 1);
        error[i] = HOST_U * ((double)n / 64 + 6) * fabs(y[i]);
    }
}

static enum tsr_status check_norm(struct host_check *c, struct tsr_error *err)
{
    struct host *h = c->h;
    const bool after = c->op->flags & TSR_OPF_RESIDUAL;
    const uint64_t n = c->op->n, first = c->op->layer_kinds == 0 && !h->all ? h->n - 1 : 0;
    const float *x = after ? h->branch : h->stream;
    float *w;
    enum tsr_status st = vector(c, INFER_MATRIX, &w, err);
    struct host_rows *r =
        st == TSR_OK
            ? host_check_add(c, (after ? h->stream : h->normed) + first * n, h->n - first, n, n)
            : NULL;
    if (st == TSR_OK && r == NULL)
        st = out_of_memory(err);
    for (uint64_t t = first; t < h->n && st == TSR_OK; t++) {
        double *y = r->want + (t - first) * n, *e = r->error + (t - first) * n;
        norm(n, h->model->norm_eps, x + t * n, w, y, e);
        for (uint64_t i = 0; i < n && after; i++) {
            y[i] += (double)h->stream[t * n + i];
            e[i] += HOST_U * (fabs(y[i]) + e[i]);
        }
    }
    free(w);
    return st;
}

/* One head: its norm, if it has one, and its turn. |error| <= u (|a sin| + |y|), and the norm's
 * through cos and sin. */
static void turn(const struct host *h, const float *cosine, const float *sine, const float *x,
                 const float *w, bool normed, double *y, double *error)
{
    const uint64_t d = h->model->head_dim;
    double v[1024], e[1024];
    for (uint64_t i = 0; i < d; i++) {
        v[i] = (double)x[i];
        e[i] = 0;
    }
    if (normed)
        norm(d, h->model->norm_eps, x, w, v, e);
    for (uint64_t i = 0; i < d; i++) {
        const uint64_t p = i % (d / 2), other = (i + d / 2) % d;
        const double c = (double)cosine[p], s = (double)sine[p] * (i < d / 2 ? -1 : 1);
        y[i] = v[i] * c + v[other] * s;
        error[i] = e[i] * fabs(c) + e[other] * fabs(s) +
                   HOST_U * (fabs(v[i] * c) + fabs(v[other] * s) + fabs(y[i]));
    }
}

static enum tsr_status check_rope(struct host_check *c, struct tsr_error *err)
{
    struct host *h = c->h;
    const struct tsr_model *m = h->model;
    const uint64_t d = m->head_dim, turned = m->heads + (uint64_t)m->kv_heads,
                   stride = host_qkv_stride(m);
    float *q = NULL, *k = NULL;
    struct host_rows *r = host_check_add(c, h->wide, h->n, turned * d, stride);
    enum tsr_status st = d <= 1024 ? vector(c, INFER_Q_NORM, &q, err) : TSR_INTERNAL;
    if (st == TSR_OK)
        st = vector(c, INFER_K_NORM, &k, err);
    if (st == TSR_OK && r == NULL)
        st = out_of_memory(err);
    for (uint64_t i = 0; i < h->n * turned && st == TSR_OK; i++) {
        const uint64_t t = i / turned, head = i % turned;
        const float *w = head < m->heads ? q : k;
        turn(h, h->cosine + t * (d / 2), h->sine + t * (d / 2), h->wide + t * stride + head * d, w,
             w != NULL, r->want + i * d, r->error + i * d);
    }
    free(q);
    free(k);
    return st;
}

/* A cache's rows of the new tokens, head by head: rounded as the format says, bit for bit. */
static enum tsr_status check_cache(struct host_check *c, uint32_t head, float *cache,
                                   uint64_t first, struct tsr_error *err)
{
    struct host *h = c->h;
    const uint64_t d = h->model->head_dim, stride = host_qkv_stride(h->model);
    struct host_rows *r =
        host_check_add(c, host_cache_row(h, cache, head, h->position), h->n, d, d);
    float *y = malloc(d * sizeof *y);
    enum tsr_status st = r && y ? TSR_OK : out_of_memory(err);
    for (uint64_t t = 0; t < h->n && st == TSR_OK; t++) {
        infer_round(&h->kv, d, h->wide + t * stride + first + head * d, y, h->scratch);
        for (uint64_t i = 0; i < d; i++)
            r->want[t * d + i] = (double)y[i];
    }
    free(y);
    return st;
}

/* Of each call one head: all take their turn as layers and tokens pass. */
static enum tsr_status check_kv_append(struct host_check *c, struct tsr_error *err)
{
    const struct tsr_model *m = c->h->model;
    const uint32_t head = (uint32_t)((c->h->layer + c->h->position) % m->kv_heads);
    const uint64_t k = (uint64_t)m->heads * m->head_dim;
    enum tsr_status st = check_cache(c, head, c->h->k_cache, k, err);
    if (st == TSR_OK)
        st = check_cache(c, head, c->h->v_cache, k + (uint64_t)m->kv_heads * m->head_dim, err);
    return st;
}

/* The choices, of equal logits the lower expert first, and the weight of each. */
static enum tsr_status check_topk(struct host_check *c, struct tsr_error *err)
{
    struct host *h = c->h;
    const struct tsr_model *m = h->model;
    const bool chosen = m->router_after_topk || m->router_renorm;
    struct host_rows *r = host_check_add(c, h->router_weights, h->n, m->top_k, m->top_k);
    bool *taken = calloc(m->experts, sizeof *taken);
    c->experts = calloc((size_t)h->n * m->top_k, sizeof *c->experts);
    enum tsr_status st = r && taken && c->experts ? TSR_OK : out_of_memory(err);
    for (uint32_t t = 0; t < h->n && st == TSR_OK; t++) {
        const float *x = h->router_logits + (uint64_t)t * m->experts;
        double all = 0, some = 0;
        memset(taken, 0, m->experts * sizeof *taken);
        for (uint32_t e = 0; e < m->experts; e++)
            all += exp((double)x[e] - (double)x[0]);
        for (uint32_t j = 0; j < m->top_k; j++) {
            uint32_t best = m->experts;
            for (uint32_t e = 0; e < m->experts; e++)
                if (!taken[e] && (best == m->experts || x[e] > x[best]))
                    best = e;
            taken[best] = true;
            c->experts[t * m->top_k + j] = best;
            r->want[t * m->top_k + j] = exp((double)x[best] - (double)x[0]);
            some += r->want[t * m->top_k + j];
        }
        for (uint32_t j = 0; j < m->top_k; j++) { /* rounded once from double */
            r->want[t * m->top_k + j] /= chosen ? some : all;
            r->error[t * m->top_k + j] = 2 * HOST_U * r->want[t * m->top_k + j];
        }
    }
    free(taken);
    return st;
}

/* Rounded once from double. */
static enum tsr_status check_combine(struct host_check *c, struct tsr_error *err)
{
    struct host *h = c->h;
    const bool residual = c->op->flags & TSR_OPF_RESIDUAL;
    const uint64_t n = c->op->n, k = c->op->top_k;
    struct host_rows *r = host_check_add(c, residual ? h->stream : h->branch, h->n, n, n);
    if (r == NULL)
        return out_of_memory(err);
    for (uint64_t i = 0; i < h->n * n; i++) {
        const uint64_t t = i / n;
        double y = residual ? (double)h->stream[i] : 0, all = fabs(y);
        for (uint64_t j = 0; j < k; j++) {
            const double p =
                (double)h->router_weights[t * k + j] * (double)h->sums[(t * k + j) * n + i % n];
            y += p;
            all += fabs(p);
        }
        r->want[i] = y;
        r->error[i] = HOST_U * fabs(y) + 0x1p-50 * all;
    }
    return TSR_OK;
}

/* The exponential errs by 2 u, the sigmoid by two roundings more, product and sum by one each. */
static enum tsr_status check_gated_add(struct host_check *c, struct tsr_error *err)
{
    struct host *h = c->h;
    const uint64_t n = c->op->n;
    struct host_rows *r = host_check_add(c, h->stream, h->n, n, n);
    if (r == NULL)
        return out_of_memory(err);
    for (uint64_t i = 0; i < h->n * n; i++) {
        const double p = (double)h->branch[i] / (1 + exp(-(double)h->router_logits[i / n]));
        r->want[i] = (double)h->stream[i] + p;
        r->error[i] = HOST_U * (5.01 * fabs(p) + fabs(r->want[i]));
    }
    return TSR_OK;
}

/* ---- compare ---- */

/* The token of a row: the last ones' where there are fewer rows, choices of one follow each other.
 */
static uint32_t token_of(const struct host *h, const struct host_rows *r, uint64_t row)
{
    return h->position + (uint32_t)(r->rows < h->n ? h->n - r->rows + row : row * h->n / r->rows);
}

static enum tsr_status compare_rows(const struct host_check *c, const struct host_rows *r,
                                    struct tsr_error *err)
{
    for (uint64_t i = 0; i < r->rows * r->cols; i++) {
        const uint64_t row = i / r->cols, col = i % r->cols;
        const double got = (double)r->got[row * r->stride + col];
        if (fabs(got - r->want[i]) <= r->error[i] + 0x1p-125 || !isfinite(r->want[i]))
            continue;
        return tsr_error_set(err, TSR_MISMATCH,
                             "%s: %s of layer %u, token %u: element [%llu, %llu] is %.9g, the "
                             "reference has %.9g and allows %.3g",
                             c->h->model->name, c->op->name, c->h->layer, token_of(c->h, r, row),
                             (unsigned long long)row, (unsigned long long)col, got, r->want[i],
                             r->error[i]);
    }
    return TSR_OK;
}

static enum tsr_status compare(const struct host_check *c, struct tsr_error *err)
{
    const struct host *h = c->h;
    const uint32_t top_k = c->op->top_k;
    enum tsr_status st = TSR_OK;
    for (uint32_t i = 0; c->experts != NULL && i < h->n * top_k; i++)
        if (h->experts[i] != c->experts[i])
            return tsr_error_set(err, TSR_MISMATCH,
                                 "%s: %s of layer %u, token %u: choice %u is expert %u, the "
                                 "reference has %u",
                                 h->model->name, c->op->name, h->layer, h->position + i / top_k,
                                 i % top_k, h->experts[i], c->experts[i]);
    for (uint32_t k = 0; k < c->n && st == TSR_OK; k++)
        st = compare_rows(c, &c->out[k], err);
    return st;
}

enum tsr_status host_run_checked(void *self, uint32_t op, uint32_t layer, struct tsr_error *err)
{
    static host_check_fn *const checks[TSR_OP_KIND_COUNT] = {
        [TSR_OP_EMBED] = check_embed,         [TSR_OP_RMSNORM] = check_norm,
        [TSR_OP_MATMUL] = host_check_matmul,  [TSR_OP_ROPE] = check_rope,
        [TSR_OP_KV_APPEND] = check_kv_append, [TSR_OP_ATTENTION] = host_check_attention,
        [TSR_OP_TOPK] = check_topk,           [TSR_OP_EXPERT_MATMUL] = host_check_expert,
        [TSR_OP_COMBINE] = check_combine,     [TSR_OP_GATED_ADD] = check_gated_add,
    };
    struct host *h = self;
    struct host_check c = {.h = h, .op = &h->graph.ops[op]};
    const bool due = h->launched++ % h->o.verify == 0;
    enum tsr_status st = TSR_OK;
    h->layer = layer;
    if (due)
        st = checks[c.op->kind](&c, err);
    if (st == TSR_OK)
        st = host_run(h, op, layer, err);
    if (st == TSR_OK && h->meddle != NULL)
        h->meddle(h, op);
    if (st == TSR_OK)
        st = compare(&c, err);
    h->verified.checked += st == TSR_OK && c.n != 0;
    free(c.experts);
    for (uint32_t i = 0; i < c.n; i++) {
        free(c.out[i].want);
        free(c.out[i].error);
    }
    return st;
}
