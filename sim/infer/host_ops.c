/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of the graph on the host, one function per kind. */
#include <string.h>

#include "kernels/ref.h"
#include "sim/infer/dot.h"
#include "sim/infer/host.h"
#include "tessera/vecmath.h"

enum tsr_status host_vector(struct host *h, const struct tsr_graph_op *op, enum infer_what what,
                            uint32_t expert, float *out, bool *there, struct tsr_error *err)
{
    struct infer_rows r;
    enum tsr_status st =
        infer_rows_find(h->o.weights, h->model, op, what, h->layer, expert, &r, err);
    *there = st == TSR_OK && r.n != 0;
    if (*there) {
        const float *x = infer_row(&r, 0, out);
        if (x != out)
            memcpy(out, x, infer_row_length(&r) * sizeof *out);
    }
    return st;
}

static enum tsr_status run_embed(struct host *h, const struct tsr_graph_op *op,
                                 struct tsr_error *err)
{
    struct infer_rows r;
    const float scale = (float)h->model->embed_scale;
    enum tsr_status st = infer_rows_find(h->o.weights, h->model, op, INFER_MATRIX, 0, 0, &r, err);
    for (uint32_t t = 0; st == TSR_OK && t < h->n; t++) {
        const float *x = infer_row(&r, h->tokens[t], h->scratch);
        for (uint64_t i = 0; i < op->n; i++)
            h->stream[t * op->n + i] = x[i] * scale;
    }
    return st;
}

/* The rows whose logits are wanted: all, or the last. */
static uint32_t first_row(const struct host *h, const struct tsr_graph_op *op)
{
    return op->layer_kinds == 0 && !h->all ? h->n - 1 : 0;
}

static enum tsr_status run_norm(struct host *h, const struct tsr_graph_op *op,
                                struct tsr_error *err)
{
    const bool after = op->flags & TSR_OPF_RESIDUAL;
    const uint64_t first = first_row(h, op), n = op->n;
    const float *x = (after ? h->branch : h->stream) + first * n;
    float *y = (after ? h->branch : h->normed) + first * n;
    bool there;
    enum tsr_status st = host_vector(h, op, INFER_MATRIX, 0, h->scratch, &there, err);
    if (st != TSR_OK)
        return st;
    tsr_rmsnorm_f32(h->n - first, n, h->model->norm_eps, x, n, h->scratch, y, n);
    if (after)
        tsr_residual_f32(h->n * n, h->branch, h->stream, h->stream);
    h->at = h->normed;
    return TSR_OK;
}

/* Rows as the product reads them: in the format of activations. */
static const float *round_rows(struct host *h, uint64_t rows, uint64_t k, const float *x)
{
    if (h->activations.format == NULL)
        return x;
    for (uint64_t i = 0; i < rows; i++)
        infer_round(&h->activations, k, x + i * k, h->cast + i * k, h->scratch);
    return h->cast;
}

static void add_bias(uint64_t m, uint64_t n, const float *bias, float *c)
{
    for (uint64_t i = 0; i < m; i++)
        tsr_residual_f32(n, c + i * n, bias, c + i * n);
}

/* C, its bias added. a: rows as they are to be multiplied. */
static enum tsr_status product(struct host *h, const struct tsr_graph_op *op, uint32_t expert,
                               uint64_t m, const float *a, float *c, struct tsr_error *err)
{
    struct host_product p = {
        op, (uint32_t)(op - h->graph.ops), h->layer, expert, m, op->n, op->k, a, c};
    bool there = false;
    enum tsr_status st = h->products->run(h, &p, err);
    if (st == TSR_OK && op->flags & TSR_OPF_BIAS)
        st = host_vector(h, op, INFER_BIAS, expert, h->scratch, &there, err);
    if (st == TSR_OK && there)
        add_bias(m, op->n, h->scratch, c);
    return st;
}

static void gate_rows(struct host *h, const struct tsr_graph_op *op, uint64_t rows, const float *x,
                      float *y)
{
    const uint64_t width = op->n / 2;
    for (uint64_t i = 0; i < rows; i++)
        tsr_gate_f32(op->activation, h->model->act_limit, h->model->act_alpha, width, x + i * op->n,
                     x + i * op->n + width, y + i * width);
}

static enum tsr_status run_logits(struct host *h, const struct tsr_graph_op *op,
                                  struct tsr_error *err)
{
    const uint64_t first = first_row(h, op), rows = h->n - first;
    const float scale = (float)h->model->logit_scale;
    if (h->out == NULL)
        return TSR_OK;
    const float *a = round_rows(h, rows, op->k, h->normed + first * op->k);
    enum tsr_status st = product(h, op, 0, rows, a, h->out, err);
    for (uint64_t i = 0; scale != 1.0f && i < rows * op->n; i++)
        h->out[i] *= scale;
    return st;
}

static enum tsr_status run_matmul(struct host *h, const struct tsr_graph_op *op,
                                  struct tsr_error *err)
{
    const bool gate = op->flags & TSR_OPF_GATE, router = infer_routes(op);
    const bool wide = gate || strcmp(op->name, "qkv") == 0;
    float *c = router ? h->router_logits : gate ? h->unfused : wide ? h->wide : h->branch;
    if (op->layer_kinds == 0)
        return run_logits(h, op, err);
    /* the router reads rows that were not rounded */
    const float *a = router ? h->normed : round_rows(h, h->n, op->k, h->at);
    enum tsr_status st = product(h, op, 0, h->n, a, c, err);
    if (st != TSR_OK)
        return st;
    if (gate)
        gate_rows(h, op, h->n, h->unfused, h->wide);
    if (op->flags & TSR_OPF_RESIDUAL)
        tsr_residual_f32(h->n * op->n, h->branch, h->stream, h->stream);
    if (!router)
        h->at = h->wide;
    return TSR_OK;
}

static enum tsr_status run_topk(struct host *h, const struct tsr_graph_op *op,
                                struct tsr_error *err)
{
    const struct tsr_model *m = h->model;
    (void)err;
    tsr_topk_ref(h->n, op->experts, op->top_k,
                 m->router_after_topk || m->router_renorm ? TSR_ROUTER_SOFTMAX_CHOSEN
                                                          : TSR_ROUTER_SOFTMAX_ALL,
                 h->router_logits, h->experts, h->router_weights);
    h->at = h->normed;
    return TSR_OK;
}

/* Row r of the choices: token r / top_k for gate and up, row r of their result for down. */
static enum tsr_status run_expert(struct host *h, const struct tsr_graph_op *op,
                                  struct tsr_error *err)
{
    const bool gate = op->flags & TSR_OPF_GATE;
    const uint64_t rows = (uint64_t)h->n * op->top_k;
    const float *a = round_rows(h, gate ? h->n : rows, op->k, gate ? h->normed : h->wide);
    float *c = gate ? h->unfused : h->sums;
    enum tsr_status st = TSR_OK;
    for (uint64_t r = 0; r < rows && st == TSR_OK; r++)
        st = product(h, op, h->experts[r], 1, a + (gate ? r / op->top_k : r) * op->k, c + r * op->n,
                     err);
    if (st == TSR_OK && gate)
        gate_rows(h, op, rows, h->unfused, h->wide);
    return st;
}

static enum tsr_status run_combine(struct host *h, const struct tsr_graph_op *op,
                                   struct tsr_error *err)
{
    const bool residual = op->flags & TSR_OPF_RESIDUAL;
    (void)err;
    tsr_combine_ref(h->n, op->n, op->top_k, h->router_weights, h->sums, residual ? h->stream : NULL,
                    residual ? h->stream : h->branch);
    return TSR_OK;
}

/* Of each token branch times the sigmoid of its logit to the stream. */
static enum tsr_status run_gated_add(struct host *h, const struct tsr_graph_op *op,
                                     struct tsr_error *err)
{
    (void)err;
    for (uint32_t t = 0; t < h->n; t++) {
        const float x = -h->router_logits[t];
        float e;
        tsr_exp_f32(TSR_EXP_FULL, 1, &x, &e);
        infer_axpy(op->n, 1.0f / (1.0f + e), h->branch + t * op->n, h->stream + t * op->n);
    }
    return TSR_OK;
}

enum tsr_status host_run(void *self, uint32_t op, uint32_t layer, struct tsr_error *err)
{
    static enum tsr_status (*const run[TSR_OP_KIND_COUNT])(
        struct host *, const struct tsr_graph_op *, struct tsr_error *) = {
        [TSR_OP_EMBED] = run_embed,
        [TSR_OP_RMSNORM] = run_norm,
        [TSR_OP_MATMUL] = run_matmul,
        [TSR_OP_ROPE] = host_rope,
        [TSR_OP_KV_APPEND] = host_kv_append,
        [TSR_OP_ATTENTION] = host_attention,
        [TSR_OP_TOPK] = run_topk,
        [TSR_OP_EXPERT_MATMUL] = run_expert,
        [TSR_OP_COMBINE] = run_combine,
        [TSR_OP_GATED_ADD] = run_gated_add,
    };
    struct host *h = self;
    h->layer = layer;
    return run[h->graph.ops[op].kind](h, &h->graph.ops[op], err);
}
