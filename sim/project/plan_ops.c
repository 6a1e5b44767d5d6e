/* SPDX-License-Identifier: Apache-2.0 */
/* Which programs an operation of the graph becomes: one row and one function per kind. */
#include <string.h>

#include "sim/project/model_priv.h"
#include "sim/project/plan_ops.h"

/* ---- norms ---- */

/* branch added to the residual stream. */
static void plan_add(struct project_plan *p, const struct tsr_graph_op *op)
{
    struct tsr_npu_residual *a = &project_step(p, &project_residual, op, "_add")->op.residual;
    a->rows = op->m;
    a->cols = op->n;
    a->a_format = a->b_format = a->y_format = TSR_BF16;
    a->a = p->branch;
    a->b = a->y = p->stream;
    p->at = p->stream;
    p->at_format = TSR_BF16;
}

static enum tsr_status plan_norm(struct project_plan *p, const struct tsr_graph_op *op,
                                 struct tsr_error *err)
{
    const struct tsr_format *act = p->options->activations;
    bool after = op->flags & TSR_OPF_RESIDUAL, last = op->repeat == 1 && op->m != p->tokens;
    bool router = p->model->experts != 0 && strcmp(op->name, "ffn_norm") == 0;
    struct tsr_npu_rmsnorm r;
    (void)err;
    memset(&r, 0, sizeof r); /* padding too: descriptors are compared as bytes */
    r.rows = op->m;
    r.cols = op->n;
    r.eps = p->model->norm_eps;
    r.x_format = r.w_format = TSR_BF16;
    r.y_format = after ? TSR_BF16
                 : act->family != TSR_FAMILY_FLOAT || router
                     ? project_plain(p) /* others need a step; a router reads 16 bits */
                     : (enum tsr_dtype)act->code;
    r.x = after ? p->branch : p->stream;
    if (last && op->m != p->tokens) { /* the last token of each sequence */
        r.x += 2 * op->n * (p->each - 1);
        r.x_stride = 2 * op->n * p->each;
    }
    r.w = project_weights(p, 2 * op->n, op->repeat);
    if (act->block > 1 && !after && !router) {
        project_norm_blocks(p, op, &r);
        return TSR_OK;
    }
    r.y = after ? p->branch : p->normed;
    memcpy(&project_step(p, &project_rmsnorm, op, "")->op.rmsnorm, &r, sizeof r);
    p->at = r.y;
    p->at_format = r.y_format;
    if (after)
        plan_add(p, op);
    return TSR_OK;
}

/* ---- matmul ---- */

/* act(gate) * up as a step of its own, where the matmul has no epilogue for it. */
static void plan_gate(struct project_plan *p, const struct tsr_graph_op *op, uint64_t rows)
{
    struct project_step *s = project_step(p, &project_activation, op, "_act");
    struct tsr_npu_activation *a = &s->op.activation;
    a->rows = rows;
    a->cols = op->n / 2;
    a->activation = op->activation;
    a->limit = p->model->act_limit;
    a->alpha = p->model->act_alpha;
    a->in_format = a->out_format = project_plain(p);
    if (p->options->activations->family == TSR_FAMILY_FLOAT)
        a->out_format = (enum tsr_dtype)p->options->activations->code;
    a->gate = p->unfused;
    a->up = p->unfused + op->n / 2 * 2;
    a->gate_stride = a->up_stride = op->n * 2;
    a->y = p->at = p->wide;
    p->at_format = a->out_format;
}

/* Where a matmul leaves its rows, and how. */
struct target {
    uint64_t c;
    enum tsr_dtype format;
    enum tsr_epilogue epilogue;
};

enum {
    /* Times the tensor unit's side: with fewer rows the weights' bytes are the time, and whole
     * blocks of columns divide them among the tiles less evenly than a step of its own costs
     * (llama-2-7b on maia100, mx9 and mxf4: worse at 128 tokens, better at 256). */
    FUSED_ROWS = 8
};

/* Whether a gate's matmul leaves its result in blocks, as the next one reads it. */
static bool gates_into_blocks(const struct project_plan *p, const struct tsr_graph_op *op)
{
    const struct tsr_format *act = p->options->activations;
    uint32_t d = p->options->chip->tile.ttu.dim;
    return act->block > 1 && act->block <= 4 * d && act->block % d == 0 && op->m > FUSED_ROWS * d;
}

static struct target target_of(const struct project_plan *p, const struct tsr_graph_op *op)
{
    struct target t = {p->wide, project_plain(p), TSR_EPILOGUE_NONE};
    if (op->flags & TSR_OPF_F32_OUT) {
        t.format = TSR_F32;
        t.c = project_routes(op) ? p->router_logits : p->logits;
    } else if (op->flags & TSR_OPF_LATENT) {
        t.format = p->heads_format;
        t.c = p->latent.product;
    } else if (strcmp(op->name, "qkv") == 0) {
        t.format = p->heads_format; /* what attention reads */
    } else if (op->flags & TSR_OPF_GATE) {
        if (op->activation == TSR_ACT_SILU && !project_integers(p)) {
            t.epilogue = TSR_EPILOGUE_SILU_GATE;
            if (gates_into_blocks(p, op))
                t.format = (enum tsr_dtype)p->options->activations->code;
        } else {
            t.c = p->unfused;
        }
    } else {
        t.format = TSR_BF16;
        t.c = p->branch;
        if (strcmp(op->name, "shared_down") == 0 && p->model->shared_gate)
            t.c = p->shared_out;
        if (op->flags & TSR_OPF_RESIDUAL && !project_integers(p)) {
            t.c = p->stream;
            t.epilogue = TSR_EPILOGUE_RESIDUAL;
        }
    }
    return t;
}

/* The matrix, f32 scales of its columns where it is of plain integers, and the bias. */
static uint64_t place_matrix(struct project_plan *p, const struct tsr_graph_op *op, uint64_t matrix,
                             bool scales)
{
    uint64_t more = (scales ? 4 * op->n : 0) + (op->flags & TSR_OPF_BIAS ? 4 * op->n : 0);
    return project_weights(p, tsr_sat_add(matrix, more), op->repeat);
}

enum tsr_status project_plan_matmul(struct project_plan *p, const struct tsr_graph_op *op,
                                    struct tsr_error *err)
{
    const struct project_options *o = p->options;
    bool router = project_routes(op), integers = !router && project_integers(p);
    bool sigmoid = strcmp(op->name, "shared_gate") == 0; /* beside a column of zeros */
    const uint64_t n = sigmoid ? 2 : op->n;
    const struct tsr_format *weights = router ? &o->isa->formats[TSR_BF16] : p->weights;
    const struct tsr_format *rows = router ? &o->isa->formats[project_plain(p)] : o->activations;
    uint64_t matrix = project_operand_bytes(p, weights, rows, n, op->k);
    struct target t = target_of(p, op);
    (void)err;
    if (router || strcmp(op->name, "shared_gate_up") == 0) { /* reads 16 bits whatever the format */
        p->at = p->normed;
        p->at_format = project_plain(p);
    }
    if (!router)
        project_narrow_rows(p, op, op->m, op->k);
    struct project_step *s = project_step(p, &project_matmul, op, "");
    struct tsr_npu_matmul *m = &s->op.matmul;
    m->m = op->m;
    m->n = n;
    m->k = op->k;
    m->a_format = p->at_format;
    m->b_format = (enum tsr_dtype)weights->code;
    m->a = p->at;
    m->b = op->flags & TSR_OPF_TIED ? p->embedding : place_matrix(p, op, matrix, integers);
    m->has_bias = op->flags & TSR_OPF_BIAS && !integers;
    m->bias = m->has_bias ? m->b + matrix : 0;
    m->c_format = integers ? TSR_I32 : t.format;
    m->c = integers ? p->sums : t.c;
    if (o->isa->formats[m->c_format].block > 1)
        m->c_partner = (enum tsr_dtype)p->weights->code;
    m->epilogue = t.epilogue;
    m->residual = t.epilogue == TSR_EPILOGUE_RESIDUAL ? p->stream : 0;
    if (sigmoid)
        project_assume(p, "%s: the sigmoid is a softmax over its logit and 0", op->name);
    if (op->flags & TSR_OPF_SCALE)
        project_assume(p, "%s: its constant factor is folded into the weights", op->name);
    s->macs = op->macs;
    s->macs_per_cycle = project_peak(o->chip, &o->isa->formats[m->a_format], weights);
    if (integers)
        project_requantize_sums(p, op, m->b + matrix, t.format, t.c);
    p->at = t.c;
    p->at_format = t.format;
    if (t.c == p->unfused && op->flags & TSR_OPF_GATE)
        plan_gate(p, op, op->m);
    if (op->flags & TSR_OPF_RESIDUAL && integers)
        plan_add(p, op);
    return TSR_OK;
}

/* ---- ends of the model ---- */

static enum tsr_status plan_embed(struct project_plan *p, const struct tsr_graph_op *op,
                                  struct tsr_error *err)
{
    const struct tsr_format *w = p->weights;
    bool tied = op->flags & TSR_OPF_TIED, own = !tied || w->family != TSR_FAMILY_FLOAT;
    struct project_step *s = project_step(p, &project_embedding, op, "");
    struct tsr_npu_embedding *e = &s->op.embedding;
    (void)err;
    if (tied)
        p->embedding =
            project_weights(p,
                            tsr_sat_add(project_operand_bytes(p, w, p->options->activations,
                                                              p->model->vocab, op->n),
                                        project_integers(p) ? 4 * (uint64_t)p->model->vocab : 0),
                            1);
    e->tokens = op->m;
    e->cols = op->n;
    e->vocab = p->model->vocab;
    e->scale = p->model->embed_scale;
    e->table_format = own ? TSR_BF16 : (enum tsr_dtype)w->code;
    e->table = own ? project_weights(p, 2 * p->model->vocab * op->n, 1) : p->embedding;
    e->y_format = TSR_BF16;
    e->y = p->stream;
    e->ids_address = project_region(p, 4 * op->m);
    if (tied && own)
        project_assume(p, "embed: a bf16 copy of the tied table: rows are not gathered from %s",
                       w->name);
    project_assume(p, "token ids are uniform over the vocabulary, seed %llu",
                   (unsigned long long)p->options->seed);
    return TSR_OK;
}

/* ---- attention ---- */

/* Norm of each head of q or of k, in place. */
static void plan_head_norm(struct project_plan *p, const struct tsr_graph_op *op,
                           const char *suffix, uint64_t first, uint64_t heads)
{
    struct project_step *s = project_step(p, &project_rmsnorm, op, suffix);
    struct tsr_npu_rmsnorm *r = &s->op.rmsnorm;
    r->rows = op->m;
    r->cols = op->head_dim;
    r->heads = heads;
    r->eps = p->model->norm_eps;
    r->x_format = r->y_format = p->heads_format;
    r->w_format = TSR_BF16;
    r->x = r->y = p->wide + first * op->head_dim * 2;
    r->x_stride = r->y_stride = project_qkv_bytes(op);
    r->w = project_weights(p, 2 * (uint64_t)op->head_dim, op->repeat);
}

static void place_cache(struct project_plan *p, const struct tsr_graph_op *op)
{
    const struct tsr_model *m = p->model;
    const struct project_options *o = p->options;
    uint32_t sliding = 0;
    uint64_t row = op->kv_heads * p->kv_row * o->batch, places = project_places(o);
    for (uint32_t i = 0; i < m->layers && o->positions == 0; i++)
        sliding += (m->layer_kind[i] & TSR_LAYER_SLIDING) != 0 && m->window < o->seq;
    uint32_t full = m->layers > sliding ? m->layers - sliding : 1;
    if (p->cache.blocked) { /* v behind k: a prompt's are quantized in place */
        p->k_cache = project_cache(p, 2 * row * places, full);
        p->v_cache = p->k_cache + row * places;
    } else {
        p->k_cache = project_cache(p, row * places, full);
        p->v_cache = project_cache(p, row * places, full);
    }
    if (sliding != 0) {
        p->k_window = project_cache(p, row * m->window, sliding);
        p->v_window = project_cache(p, row * m->window, sliding);
    }
    if (o->kv->family != TSR_FAMILY_INT)
        return;
    const uint64_t scales = 2 * (uint64_t)op->kv_heads * o->batch;
    p->k_scales = project_cache(p, 2 * scales * places, full);
    p->v_scales = p->k_scales + scales * places;
    if (sliding != 0) {
        p->k_window_scales = project_cache(p, scales * m->window, sliding);
        p->v_window_scales = project_cache(p, scales * m->window, sliding);
    }
}

/* q stays in the rows of q k v; k goes to the cache, but for one of another format. */
static enum tsr_status plan_rope(struct project_plan *p, const struct tsr_graph_op *op,
                                 struct tsr_error *err)
{
    const struct project_options *o = p->options;
    bool decode = o->phase == TSR_DECODE;
    uint64_t row = (uint64_t)op->head_dim * 2, table = 2 * (uint64_t)op->head_dim;
    (void)err;
    place_cache(p, op);
    if (op->flags & TSR_OPF_QK_NORM) {
        plan_head_norm(p, op, "_q_norm", 0, op->heads);
        plan_head_norm(p, op, "_k_norm", op->heads, op->kv_heads);
    }
    struct project_step *s = project_step(p, &project_rope, op, "");
    struct tsr_npu_rope *r = &s->op.rope;
    r->tokens = op->m;
    r->heads = op->heads + (uint64_t)op->kv_heads;
    r->head_dim = op->head_dim;
    r->x_format = r->y_format = p->heads_format;
    r->x = r->y = p->wide;
    r->x_stride = r->y_stride = project_qkv_bytes(op);
    r->one_position = decode;
    r->cosine = project_region(p, decode ? table : table * op->m);
    r->sine = project_region(p, decode ? table : table * op->m);
    if (!project_wide(o->kv))
        return TSR_OK;
    r->keys = op->kv_heads;
    r->k_cache = p->k_cache + row * (o->seq - p->each);
    r->k_token_stride = decode ? row * project_places(o) : row;
    r->k_head_stride = row * project_places(o) * o->batch;
    return TSR_OK;
}

/* v of the new tokens to the cache, which rope has given k; to one of another format both. */
static enum tsr_status plan_kv_append(struct project_plan *p, const struct tsr_graph_op *op,
                                      struct tsr_error *err)
{
    const struct project_options *o = p->options;
    bool decode = o->phase == TSR_DECODE;
    uint64_t row = p->kv_row;
    (void)err;
    if (!project_wide(o->kv)) {
        project_narrow_append(p, op);
        return TSR_OK;
    }
    struct project_step *s = project_step(p, &project_kv_append, op, "");
    struct tsr_npu_kv_append *a = &s->op.kv_append;
    a->bytes = row;
    a->src = p->wide + (op->heads + (uint64_t)op->kv_heads) * row;
    a->dst = p->v_cache + row * (o->seq - p->each);
    a->n[0] = op->kv_heads;
    a->n[1] = op->m;
    a->n[2] = 1;
    a->src_stride[0] = row;
    a->src_stride[1] = project_qkv_bytes(op);
    a->dst_stride[0] = row * project_places(o) * o->batch;
    a->dst_stride[1] = decode ? row * project_places(o) : row;
    project_assume(p, "rope writes k to the cache, kv_append v");
    return TSR_OK;
}

static enum tsr_status plan_attention(struct project_plan *p, const struct tsr_graph_op *op,
                                      struct tsr_error *err)
{
    const struct project_options *o = p->options;
    uint64_t row = (uint64_t)op->head_dim * 2, kv_row = p->kv_row;
    /* one query sees just what a sliding layer's cache holds; of a long one queries see the last */
    bool ring = op->window != 0 && op->q_len == 1, grows = o->positions != 0;
    uint64_t seen = op->window != 0 && (ring || grows) ? op->window + op->q_len - 1 : op->kv_len;
    uint64_t positions = seen < op->kv_len ? seen : op->kv_len;
    uint64_t places = grows ? o->positions : positions;
    uint64_t before = grows ? kv_row * (op->kv_len - positions) : 0;
    struct project_step *s = project_step(p, &project_attention, op, "");
    struct tsr_npu_attention *a = &s->op.attention;
    (void)err;
    a->batch = op->batch;
    a->heads = op->heads;
    a->kv_heads = op->kv_heads;
    a->head_dim = op->head_dim;
    a->q_len = op->q_len;
    a->kv_len = positions;
    a->causal = true;
    a->window = ring ? 0 : op->window;
    a->scale = p->model->attn_scale;
    a->softcap = op->flags & TSR_OPF_SOFTCAP ? p->model->attn_softcap : 0;
    a->format = p->heads_format;
    a->kv_format = (enum tsr_dtype)o->kv->code;
    a->q = (struct tsr_npu_rows){p->wide, project_qkv_bytes(op) * op->q_len, project_qkv_bytes(op),
                                 row};
    a->k = (struct tsr_npu_rows){ring && !grows ? p->k_window : p->k_cache + before,
                                 kv_row * places, kv_row, kv_row * places * op->batch};
    a->v = a->k;
    a->v.address = ring && !grows ? p->v_window : p->v_cache + before;
    if (o->kv->family == TSR_FAMILY_INT) {
        const uint64_t skipped = before / kv_row * 2;
        a->k_scales =
            (struct tsr_npu_rows){ring && !grows ? p->k_window_scales : p->k_scales + skipped,
                                  2 * places, 2, 2 * places * op->batch};
        a->v_scales = a->k_scales;
        a->v_scales.address = ring && !grows ? p->v_window_scales : p->v_scales + skipped;
    }
    a->o = (struct tsr_npu_rows){p->normed, row * op->heads * op->q_len, row * op->heads, row};
    a->has_sinks = op->flags & TSR_OPF_SINKS;
    if (a->has_sinks) {
        a->sink_format = TSR_BF16;
        a->sinks = project_weights(p, 2 * (uint64_t)op->heads, op->repeat);
    }
    s->macs = op->macs;
    s->macs_per_cycle = project_peak(o->chip, &o->isa->formats[p->heads_format], o->kv);
    p->at = p->normed;
    p->at_format = a->format;
    return TSR_OK;
}

project_planner *const project_planners[TSR_OP_KIND_COUNT] = {
    [TSR_OP_EMBED] = plan_embed,
    [TSR_OP_RMSNORM] = plan_norm,
    [TSR_OP_MATMUL] = project_plan_matmul,
    [TSR_OP_ROPE] = plan_rope,
    [TSR_OP_KV_APPEND] = plan_kv_append,
    [TSR_OP_ATTENTION] = plan_attention,
    [TSR_OP_TOPK] = project_plan_topk,
    [TSR_OP_EXPERT_MATMUL] = project_plan_expert,
    [TSR_OP_COMBINE] = project_plan_combine,
    [TSR_OP_GATED_ADD] = project_plan_gated_add,
};
