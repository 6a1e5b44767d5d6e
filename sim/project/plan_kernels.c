/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels that plans are made of: how each is emitted and described. A new one is a member of
 * union project_op, one EMIT, one description and one row. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

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
EMIT(rope)
EMIT(requantize)

static enum tsr_status emit_quantize(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                     const union project_op *op, struct tsr_program *out,
                                     struct tsr_error *err)
{
    struct tsr_npu_quantize q = op->quantize.op;
    q.slab = op->quantize.slab.rows != 0 ? &op->quantize.slab : NULL;
    return tsr_npu_quantize(isa, chip, &q, out, err);
}

EMIT(kv_append)
EMIT(attention)
EMIT(embedding)
EMIT(moe_router)
EMIT(moe_dispatch)
EMIT(moe_expert)
EMIT(moe_combine)

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

static void describe_quantize(const union project_op *op, char *out, size_t cap)
{
    rows_by(out, cap, op->quantize.op.rows, op->quantize.op.k);
}

static enum tsr_status emit_rmsnorm_quantize(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                             const union project_op *op, struct tsr_program *out,
                                             struct tsr_error *err)
{
    struct tsr_npu_rmsnorm_quantize q = op->rmsnorm_quantize.op;
    q.to.slab = &op->rmsnorm_quantize.slab;
    return tsr_npu_rmsnorm_quantize(isa, chip, &q, out, err);
}

static void describe_rmsnorm_quantize(const union project_op *op, char *out, size_t cap)
{
    rows_by(out, cap, op->rmsnorm_quantize.op.rows, op->rmsnorm_quantize.op.cols);
}

static void describe_requantize(const union project_op *op, char *out, size_t cap)
{
    rows_by(out, cap, op->requantize.rows, op->requantize.cols);
}

static void describe_rope(const union project_op *op, char *out, size_t cap)
{
    const struct tsr_npu_rope *r = &op->rope;
    snprintf(out, cap, "%" PRIu64 " tokens, %" PRIu64 " heads of %" PRIu64, r->tokens, r->heads,
             r->head_dim);
}

static void describe_kv_append(const union project_op *op, char *out, size_t cap)
{
    const struct tsr_npu_kv_append *k = &op->kv_append;
    snprintf(out, cap, "%" PRIu64 " runs of %" PRIu64 " bytes", k->n[0] * k->n[1] * k->n[2],
             k->bytes);
}

static void describe_attention(const union project_op *op, char *out, size_t cap)
{
    const struct tsr_npu_attention *a = &op->attention;
    int n = snprintf(
        out, cap, "b %" PRIu64 " h %" PRIu64 "/%" PRIu64 " d %" PRIu64 " q %" PRIu64 " kv %" PRIu64,
        a->batch, a->heads, a->kv_heads, a->head_dim, a->q_len, a->kv_len);
    if (a->v_dim && n > 0 && (size_t)n < cap)
        n += snprintf(out + n, cap - (size_t)n, " v %" PRIu64 "%s", a->v_dim,
                      a->values_in_keys ? " in k" : "");
    if (a->window && n > 0 && (size_t)n < cap)
        snprintf(out + n, cap - (size_t)n, " window %" PRIu64, a->window);
}

static void describe_embedding(const union project_op *op, char *out, size_t cap)
{
    rows_by(out, cap, op->embedding.tokens, op->embedding.cols);
}

static void choices(char *out, size_t cap, uint64_t tokens, uint64_t top_k, uint64_t experts)
{
    snprintf(out, cap, "%" PRIu64 " tokens, %" PRIu64 " of %" PRIu64 " experts", tokens, top_k,
             experts);
}

static void describe_moe_router(const union project_op *op, char *out, size_t cap)
{
    const struct tsr_npu_moe_router *r = &op->moe_router;
    choices(out, cap, r->tokens, r->top_k, r->experts);
}

static void describe_moe_dispatch(const union project_op *op, char *out, size_t cap)
{
    const struct tsr_npu_moe_dispatch *d = &op->moe_dispatch;
    choices(out, cap, d->tokens, d->top_k, d->experts);
}

static void describe_moe_expert(const union project_op *op, char *out, size_t cap)
{
    const struct tsr_npu_moe_expert *e = &op->moe_expert;
    snprintf(out, cap, "m %" PRIu64 " n %" PRIu64 " k %" PRIu64 ", %" PRIu64 " experts%s%s",
             e->tokens * e->top_k, e->n * (e->gate ? 2 : 1), e->k, e->experts,
             e->bias ? " bias" : "", e->gate ? " gate" : "");
}

static void describe_moe_combine(const union project_op *op, char *out, size_t cap)
{
    const struct tsr_npu_moe_combine *c = &op->moe_combine;
    choices(out, cap, c->tokens, c->top_k, c->experts);
}

#define ROW(kernel, weights)                                                                       \
    const struct project_kernel project_##kernel = {#kernel, emit_##kernel, describe_##kernel,     \
                                                    weights}

ROW(matmul, offsetof(union project_op, matmul.b));
ROW(rmsnorm, offsetof(union project_op, rmsnorm.w));
ROW(activation, SIZE_MAX);
ROW(residual, SIZE_MAX);
ROW(cast, SIZE_MAX);
ROW(quantize, SIZE_MAX);
ROW(rmsnorm_quantize, offsetof(union project_op, rmsnorm_quantize.op.w));
ROW(requantize, offsetof(union project_op, requantize.column));
ROW(rope, SIZE_MAX);
ROW(kv_append, SIZE_MAX);
ROW(attention, offsetof(union project_op, attention.sinks));
ROW(embedding, SIZE_MAX);
ROW(moe_router, SIZE_MAX);
ROW(moe_dispatch, SIZE_MAX);
ROW(moe_expert, offsetof(union project_op, moe_expert.b));
ROW(moe_combine, SIZE_MAX);
