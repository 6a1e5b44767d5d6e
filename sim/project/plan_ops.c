/* SPDX-License-Identifier: Apache-2.0 */
/* Which programs an operation of the graph becomes: one row and one function per kind. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "sim/project/plan_ops.h"

#define EMIT(kernel)                                                                               \
    static enum tsr_status emit_##kernel(const struct tsr_isa *isa, const struct tsr_chip *chip,   \
                                         const union project_op *op, struct tsr_program *out,      \
                                         struct tsr_error *err)                                    \
    {                                                                                              \
        return tsr_npu_##kernel(isa, chip, &op->kernel, out, err);                                 \
    }
EMIT(matmul)
EMIT(rmsnorm)
EMIT(activation)
EMIT(residual)
EMIT(cast)

static void describe_matmul(const union project_op *op, char *out, size_t cap)
{
    static const char *const epilogue[] = {"", " silu-gate", " residual"};
    const struct tsr_npu_matmul *m = &op->matmul;
    snprintf(out, cap, "m %" PRIu64 " n %" PRIu64 " k %" PRIu64 "%s%s", m->m, m->n, m->k,
             m->has_bias ? " bias" : "", epilogue[m->epilogue]);
}

static void rows_by(char *out, size_t cap, uint64_t rows, uint64_t cols)
{
    snprintf(out, cap, "%" PRIu64 " x %" PRIu64, rows, cols);
}

static void describe_rmsnorm(const union project_op *op, char *out, size_t cap)
{
    const struct tsr_npu_rmsnorm *r = &op->rmsnorm;
    rows_by(out, cap, r->rows * (r->heads ? r->heads : 1), r->cols);
}

static void describe_activation(const union project_op *op, char *out, size_t cap)
{
    rows_by(out, cap, op->activation.rows, op->activation.cols);
}

static void describe_residual(const union project_op *op, char *out, size_t cap)
{
    rows_by(out, cap, op->residual.rows, op->residual.cols);
}

static void describe_cast(const union project_op *op, char *out, size_t cap)
{
    rows_by(out, cap, op->cast.rows, op->cast.cols);
}

static const struct project_kernel k_matmul = {"matmul", emit_matmul, describe_matmul,
                                               offsetof(union project_op, matmul.b)};
static const struct project_kernel k_rmsnorm = {"rmsnorm", emit_rmsnorm, describe_rmsnorm,
                                                offsetof(union project_op, rmsnorm.w)};
static const struct project_kernel k_activation = {"activation", emit_activation,
                                                   describe_activation, SIZE_MAX};
static const struct project_kernel k_residual = {"residual", emit_residual, describe_residual,
                                                 SIZE_MAX};
static const struct project_kernel k_cast = {"cast", emit_cast, describe_cast, SIZE_MAX};

static bool narrow(const struct tsr_format *f)
{
    return f->bits < 16;
}

enum tsr_dtype project_plain(const struct project_plan *p)
{
    return (enum tsr_dtype)(narrow(p->options->activations) ? TSR_BF16 : p->options->activations->code);
}

/* The rows that the next matmul reads, in the format of activations: a step of its own where the
 * step before could not write them so. */
void project_cast(struct project_plan *p, const struct tsr_graph_op *op, uint64_t rows, uint64_t cols)
{
    enum tsr_dtype want = (enum tsr_dtype)p->options->activations->code;
    if (p->at_format == want || !narrow(p->options->activations))
        return; /* 16-bit floats of two kinds multiply as they are */
    struct project_step *s = project_step(p, &k_cast, op, "_cast");
    s->op.cast.rows = rows;
    s->op.cast.cols = cols;
    s->op.cast.x_format = p->at_format;
    s->op.cast.y_format = want;
    s->op.cast.scale = 1.0;
    s->op.cast.x = p->at;
    s->op.cast.y = p->at = p->cast;
    p->at_format = want;
}

/* ---- norms ----------------------------------------------------------------------------------------- */

static enum tsr_status plan_norm(struct project_plan *p, const struct tsr_graph_op *op,
                                 struct tsr_error *err)
{
    const struct tsr_format *act = p->options->activations;
    bool after = op->flags & TSR_OPF_RESIDUAL, last = op->repeat == 1 && op->m != p->tokens;
    struct project_step *s = project_step(p, &k_rmsnorm, op, "");
    struct tsr_npu_rmsnorm *r = &s->op.rmsnorm;
    (void)err;
    r->rows = op->m;
    r->cols = op->n;
    r->eps = p->model->norm_eps;
    r->x_format = r->w_format = TSR_BF16;
    r->y_format = after ? TSR_BF16
                  : act->family == TSR_FAMILY_INT || p->model->experts != 0
                      ? project_plain(p) /* integers need a cast; a router reads 16 bits */
                      : (enum tsr_dtype)act->code;
    r->x = after ? p->branch : p->stream;
    if (last && op->m != p->tokens) { /* the last token of each sequence */
        r->x += 2 * op->n * (p->options->seq - 1);
        r->x_stride = 2 * op->n * p->options->seq;
    }
    r->w = project_weights(p, 2 * op->n, op->repeat);
    r->y = after ? p->branch : p->normed;
    p->at = r->y;
    p->at_format = r->y_format;
    if (!after)
        return TSR_OK;
    struct project_step *a = project_step(p, &k_residual, op, "_add");
    a->op.residual.rows = op->m;
    a->op.residual.cols = op->n;
    a->op.residual.a_format = a->op.residual.b_format = a->op.residual.y_format = TSR_BF16;
    a->op.residual.a = p->branch;
    a->op.residual.b = a->op.residual.y = p->stream;
    p->at = p->stream;
    return TSR_OK;
}

/* ---- matmul ---------------------------------------------------------------------------------------- */

static uint64_t element_bytes(const struct tsr_format *f)
{
    return f->bits / 8;
}

/* act(gate) * up as a step of its own, where the matmul has no epilogue for it. */
static void plan_gate(struct project_plan *p, const struct tsr_graph_op *op, uint64_t rows)
{
    struct project_step *s = project_step(p, &k_activation, op, "_act");
    struct tsr_npu_activation *a = &s->op.activation;
    a->rows = rows;
    a->cols = op->n / 2;
    a->activation = op->activation;
    a->limit = p->model->act_limit;
    a->alpha = p->model->act_alpha;
    a->in_format = a->out_format = project_plain(p);
    if (narrow(p->options->activations) && p->options->activations->family == TSR_FAMILY_FLOAT)
        a->out_format = (enum tsr_dtype)p->options->activations->code;
    a->gate = p->unfused;
    a->up = p->unfused + op->n / 2 * 2;
    a->gate_stride = a->up_stride = op->n * 2;
    a->y = p->at = p->wide;
    p->at_format = a->out_format;
}

static enum tsr_status plan_matmul(struct project_plan *p, const struct tsr_graph_op *op,
                                   struct tsr_error *err)
{
    const struct project_options *o = p->options;
    bool gate = op->flags & TSR_OPF_GATE, fused = gate && op->activation == TSR_ACT_SILU;
    bool head = op->flags & TSR_OPF_F32_OUT;
    (void)err;
    project_cast(p, op, op->m, op->k);
    struct project_step *s = project_step(p, &k_matmul, op, "");
    struct tsr_npu_matmul *m = &s->op.matmul;
    m->m = op->m;
    m->n = op->n;
    m->k = op->k;
    m->a_format = p->at_format;
    m->b_format = (enum tsr_dtype)o->weights->code;
    m->a = p->at;
    if (op->flags & TSR_OPF_TIED)
        m->b = p->embedding;
    else
        m->b = project_weights(p, op->n * op->k * element_bytes(o->weights) + 4 * op->n, op->repeat);
    m->has_bias = op->flags & TSR_OPF_BIAS;
    m->bias = m->has_bias ? m->b + op->n * op->k * element_bytes(o->weights) : 0;
    m->c_format = head ? TSR_F32 : project_plain(p);
    m->c = head ? p->logits : gate && !fused ? p->unfused : p->wide;
    if (strcmp(op->name, "qkv") == 0)
        m->c_format = (enum tsr_dtype)o->kv->code; /* what attention reads */
    if (fused)
        m->epilogue = TSR_EPILOGUE_SILU_GATE;
    if (strcmp(op->name, "o") == 0 || strcmp(op->name, "down") == 0) {
        m->c_format = TSR_BF16;
        m->c = op->flags & TSR_OPF_RESIDUAL ? p->stream : p->branch;
    }
    if (op->flags & TSR_OPF_RESIDUAL) {
        m->epilogue = TSR_EPILOGUE_RESIDUAL;
        m->residual = p->stream;
    }
    if (op->flags & TSR_OPF_SCALE)
        project_assume(p, "%s: its constant factor is folded into the weights", op->name);
    s->macs = op->macs;
    s->macs_per_cycle = project_peak(o->chip, &o->isa->formats[m->a_format], o->weights);
    p->at = m->c;
    p->at_format = m->c_format;
    if (gate && !fused)
        plan_gate(p, op, op->m);
    return TSR_OK;
}

/* ---- not served yet -------------------------------------------------------------------------------- */

static enum tsr_status plan_none(struct project_plan *p, const struct tsr_graph_op *op,
                                 struct tsr_error *err)
{
    (void)err;
    project_assume(p, "%s: no program yet, left out", op->name);
    p->at = p->normed;
    return TSR_OK;
}

project_planner *const project_planners[TSR_OP_KIND_COUNT] = {
    [TSR_OP_EMBED] = plan_none,
    [TSR_OP_RMSNORM] = plan_norm,
    [TSR_OP_MATMUL] = plan_matmul,
    [TSR_OP_ROPE] = plan_none,
    [TSR_OP_KV_APPEND] = plan_none,
    [TSR_OP_ATTENTION] = plan_none,
    [TSR_OP_TOPK] = plan_none,
    [TSR_OP_EXPERT_MATMUL] = plan_none,
    [TSR_OP_COMBINE] = plan_none,
};
