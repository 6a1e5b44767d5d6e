/* SPDX-License-Identifier: Apache-2.0 */
/* Experts: which tokens go where, and the programs around them. */
#include <stdlib.h>
#include <string.h>

#include "sim/project/model_priv.h"
#include "sim/project/plan_ops.h"

static uint64_t mix(uint64_t z) /* the finalizer of splitmix64 */
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t project_draw(uint64_t seed, uint64_t a, uint64_t b, uint32_t n)
{
    uint64_t z = mix(mix(seed + UINT64_C(0x9e3779b97f4a7c15) * (1 + a)) ^ b);
    return (uint32_t)((z >> 32) * n >> 32);
}

/* How the routing fell out. */
static bool say_routing(struct project_plan *p)
{
    uint64_t choices = p->tokens * p->model->top_k, most = 0;
    uint64_t *rows = calloc(p->model->experts, sizeof *rows);
    uint32_t touched = 0;
    if (rows == NULL)
        return false;
    for (uint64_t i = 0; i < choices; i++) {
        uint64_t n = ++rows[p->routing[i]];
        touched += n == 1;
        most = n > most ? n : most;
    }
    free(rows);
    project_assume(
        p,
        "routing: each token takes %u of %u experts, all sets alike likely (seed %llu), the "
        "same in every layer; %u experts touched, the busiest has %llu of %llu rows",
        p->model->top_k, p->model->experts, (unsigned long long)p->options->seed, touched,
        (unsigned long long)most, (unsigned long long)choices);
    return true;
}

/* ---- router and dispatch ---- */

static void place_experts(struct project_plan *p, const struct tsr_graph_op *op)
{
    uint64_t choices = op->m * op->top_k, two = 2 * op->m, parts;
    parts = tsr_npu_moe_parts(p->options->chip, op->m);
    p->moe_ids = project_region(p, 4 * (choices > two ? choices : two));
    p->moe_weights = project_region(p, 4 * (choices > two ? choices : two));
    p->moe_counts = project_region(p, 4 * (uint64_t)(op->experts > 2 ? op->experts : 2) * parts);
    p->moe_rows = project_region(p, 2 * choices * p->model->hidden);
    p->moe_out = project_region(p, 2 * choices * p->model->hidden);
}

enum tsr_status project_plan_topk(struct project_plan *p, const struct tsr_graph_op *op,
                                  struct tsr_error *err)
{
    const struct tsr_model *m = p->model;
    if (m->experts <= 256) /* more are the kernel's to refuse */
        p->routing = malloc(sizeof(uint32_t) * p->tokens * m->top_k);
    if (p->routing != NULL)
        tsr_npu_moe_seeded(p->options->seed, p->tokens, m->experts, m->top_k, p->routing);
    if (m->experts <= 256 && (p->routing == NULL || !say_routing(p)))
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", m->name);
    if (m->kv_rank != 0)
        project_assume(p,
                       "router: scores, groups and factors of %s take a softmax's time; groups "
                       "do not limit the draw",
                       tsr_arch_name(m->arch));
    place_experts(p, op);
    struct project_step *s = project_step(p, &project_moe_router, op, "");
    struct tsr_npu_moe_router *r = &s->op.moe_router;
    r->tokens = op->m;
    r->experts = op->experts;
    r->top_k = op->top_k;
    r->softmax =
        m->router_after_topk || m->router_renorm ? TSR_NPU_ROUTER_CHOSEN : TSR_NPU_ROUTER_ALL;
    r->format = TSR_F32;
    r->logits = p->router_logits;
    r->ids = p->moe_ids;
    r->weights = p->moe_weights;
    r->counts = p->moe_counts;

    p->at = p->normed;
    p->at_format = project_plain(p);
    if (p->options->activations->block == 1) /* blocks lie by slabs, not by rows: after dispatch */
        project_narrow_rows(p, op, op->m, m->hidden);
    s = project_step(p, &project_moe_dispatch, op, "_dispatch");
    struct tsr_npu_moe_dispatch *d = &s->op.moe_dispatch;
    d->tokens = op->m;
    d->experts = op->experts;
    d->top_k = op->top_k;
    d->row_bytes = (uint64_t)m->hidden * p->options->isa->formats[p->at_format].bits / 8;
    d->x = p->at;
    d->ids = p->moe_ids;
    d->counts = p->moe_counts;
    d->y = p->at = p->moe_rows;
    return TSR_OK;
}

/* ---- experts ---- */

/* gate and up of all experts with the activation, or down. */
enum tsr_status project_plan_expert(struct project_plan *p, const struct tsr_graph_op *op,
                                    struct tsr_error *err)
{
    const struct project_options *o = p->options;
    bool gate = op->flags & TSR_OPF_GATE;
    uint64_t matrix = tsr_sat_mul(
        project_operand_bytes(p, p->weights, o->activations, op->n, op->k), op->experts);
    bool bias = op->flags & TSR_OPF_BIAS;
    (void)err;
    project_narrow_rows(p, op, op->m * op->top_k, op->k);
    struct project_step *s = project_step(p, &project_moe_expert, op, "");
    struct tsr_npu_moe_expert *e = &s->op.moe_expert;
    e->tokens = op->m;
    e->experts = op->experts;
    e->top_k = op->top_k;
    e->n = gate ? op->n / 2 : op->n;
    e->k = op->k;
    e->a_format = p->at_format;
    e->b_format = (enum tsr_dtype)p->weights->code;
    e->c_format = project_plain(p);
    e->gate = gate;
    e->activation = op->activation;
    e->limit = p->model->act_limit;
    e->alpha = p->model->act_alpha;
    e->a = p->at;
    e->b = project_weights(p, tsr_sat_add(matrix, bias ? 4 * op->n * op->experts : 0), op->repeat);
    if (bias) {
        e->bias = e->b + matrix;
        e->up_bias = gate ? e->bias + 4 * e->n * op->experts : 0;
    }
    e->counts = p->moe_counts;
    e->c = gate ? p->wide : p->moe_out;
    s->macs = op->macs;
    s->macs_per_cycle = project_peak(o->chip, &o->isa->formats[e->a_format], p->weights);
    p->at = e->c;
    p->at_format = e->c_format;
    return TSR_OK;
}

/* ---- combine ---- */

enum tsr_status project_plan_combine(struct project_plan *p, const struct tsr_graph_op *op,
                                     struct tsr_error *err)
{
    struct project_step *s = project_step(p, &project_moe_combine, op, "");
    struct tsr_npu_moe_combine *c = &s->op.moe_combine;
    (void)err;
    c->tokens = op->m;
    c->experts = op->experts;
    c->top_k = op->top_k;
    c->cols = op->n;
    c->x_format = project_plain(p);
    c->y_format = TSR_BF16;
    c->x = p->moe_out;
    c->weights = p->moe_weights;
    c->ids = p->moe_ids;
    c->counts = p->moe_counts;
    c->residual = op->flags & TSR_OPF_RESIDUAL ? p->stream : 0;
    c->y = op->flags & TSR_OPF_RESIDUAL ? p->stream : p->branch;
    p->at = c->y;
    p->at_format = TSR_BF16;
    return TSR_OK;
}

/* ---- the shared expert ---- */

/* Expert 1 of two; expert 0's rows are zeros, its logit 0. */
enum tsr_status project_plan_gated_add(struct project_plan *p, const struct tsr_graph_op *op,
                                       struct tsr_error *err)
{
    enum {
        BOTH = 2
    };
    p->shared_routing = malloc(BOTH * sizeof(uint32_t) * p->tokens);
    if (p->shared_routing == NULL)
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", p->model->name);
    for (uint64_t i = 0; i < BOTH * p->tokens; i++)
        p->shared_routing[i] = i % BOTH;
    struct project_step *s = project_step(p, &project_moe_router, op, "_gate");
    struct tsr_npu_moe_router *r = &s->op.moe_router;
    r->tokens = op->m;
    r->experts = r->top_k = BOTH;
    r->softmax = TSR_NPU_ROUTER_ALL;
    r->format = TSR_F32;
    r->logits = p->router_logits;
    r->ids = p->moe_ids;
    r->weights = p->moe_weights;
    r->counts = p->moe_counts;
    s = project_step(p, &project_moe_combine, op, "");
    s->shared = true;
    struct tsr_npu_moe_combine *c = &s->op.moe_combine;
    c->tokens = op->m;
    c->experts = c->top_k = BOTH;
    c->cols = op->n;
    c->x_format = c->y_format = TSR_BF16;
    c->x = p->shared_out - 2 * op->n * op->m;
    c->weights = p->moe_weights;
    c->ids = p->moe_ids;
    c->counts = p->moe_counts;
    c->residual = c->y = p->at = p->stream;
    p->at_format = TSR_BF16;
    return TSR_OK;
}
