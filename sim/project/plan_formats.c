/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that change formats: what a matmul reads, what the cache holds. */
#include "sim/project/model_priv.h"
#include "sim/project/plan_ops.h"

/* Latents are keys and values at once, which is not served in blocks or with scales. */
bool project_takes_cache(const struct tsr_model *m, const struct tsr_format *f)
{
    if (m != NULL && m->kv_rank != 0 && f->family != TSR_FAMILY_FLOAT)
        return false;
    return f->code == TSR_I8 || (f->family != TSR_FAMILY_INT && f->width_class != 0);
}

enum tsr_dtype project_plain(const struct project_plan *p)
{
    const struct tsr_format *act = p->options->activations;
    return project_wide(act) ? (enum tsr_dtype)act->code : TSR_BF16;
}

bool project_integers(const struct project_plan *p)
{
    return p->options->activations->family == TSR_FAMILY_INT;
}

/* Field by field into a step's zeros: descriptors are compared as bytes, padding too. */
static void set_slab(struct tsr_npu_slab *to, const struct tsr_npu_slab *from)
{
    to->format = from->format;
    to->rows = from->rows;
    to->k = from->k;
    to->blocked = from->blocked;
    to->ks = from->ks;
    to->line_bytes = from->line_bytes;
    to->scales_at = from->scales_at;
    to->unit_elems = from->unit_elems;
    to->unit_bytes = from->unit_bytes;
    to->slabs = from->slabs;
}

/* How rows of activations lie beside the weights: check_formats knows that the pair is good. */
static void plan_slab(const struct project_plan *p, uint64_t rows, uint64_t cols,
                      struct tsr_npu_slab *to)
{
    const struct project_options *o = p->options;
    struct tsr_npu_slab s;
    if (tsr_npu_slab_plan(o->isa, o->chip, (enum tsr_dtype)o->activations->code,
                          (enum tsr_dtype)p->weights->code, rows, cols, &s, NULL) == TSR_OK)
        set_slab(to, &s);
}

static void plan_cast(struct project_plan *p, const struct tsr_graph_op *op, uint64_t rows,
                      uint64_t cols)
{
    struct project_step *s = project_step(p, &project_cast, op, "_cast");
    s->op.cast.rows = rows;
    s->op.cast.cols = cols;
    s->op.cast.x_format = p->at_format;
    s->op.cast.y_format = (enum tsr_dtype)p->options->activations->code;
    s->op.cast.scale = 1.0;
    s->op.cast.x = p->at;
    s->op.cast.y = p->cast;
}

/* Into the layout that the matmul with these weights reads; integers with a scale for each row. */
static void plan_quantize(struct project_plan *p, const struct tsr_graph_op *op, uint64_t rows,
                          uint64_t cols)
{
    const struct project_options *o = p->options;
    struct project_step *s = project_step(p, &project_quantize, op, "_quantize");
    struct tsr_npu_quantize *q = &s->op.quantize.op;
    q->rows = rows;
    q->k = cols;
    q->x_format = p->at_format;
    q->y_format = (enum tsr_dtype)o->activations->code;
    q->x = p->at;
    q->y = p->cast;
    if (project_integers(p)) {
        q->scale_format = TSR_F32;
        q->scales = p->row_scales;
        q->given_scale = op->kind == TSR_OP_MATMUL ? 0 : 1.0; /* experts: without scales */
        return;
    }
    plan_slab(p, rows, cols, &s->op.quantize.slab);
}

void project_norm_blocks(struct project_plan *p, const struct tsr_graph_op *op,
                         const struct tsr_npu_rmsnorm *norm)
{
    const struct project_options *o = p->options;
    struct project_step *s = project_step(p, &project_rmsnorm_quantize, op, "");
    struct tsr_npu_rmsnorm_quantize *q = &s->op.rmsnorm_quantize.op;
    q->rows = norm->rows;
    q->cols = norm->cols;
    q->eps = norm->eps;
    q->x_format = norm->x_format;
    q->w_format = norm->w_format;
    q->x = norm->x;
    q->x_stride = norm->x_stride;
    q->w = norm->w;
    q->to.format = (enum tsr_dtype)o->activations->code;
    q->to.y = p->at = p->cast;
    p->at_format = q->to.format;
    plan_slab(p, q->rows, q->cols, &s->op.rmsnorm_quantize.slab);
}

void project_requantize_sums(struct project_plan *p, const struct tsr_graph_op *op, uint64_t column,
                             enum tsr_dtype y_format, uint64_t y)
{
    struct tsr_npu_requantize *q =
        &project_step(p, &project_requantize, op, "_requantize")->op.requantize;
    q->rows = op->m;
    q->cols = op->n;
    q->y_format = y_format;
    q->x = p->sums;
    q->row = p->row_scales;
    q->column = column;
    q->bias = op->flags & TSR_OPF_BIAS ? column + 4 * op->n : 0;
    q->y = y;
    project_assume(p,
                   "%s: a scale for each row, found as it is quantized, and for each column of "
                   "the weights; products are int32, requantized by a step",
                   p->options->activations->name);
}

void project_narrow_rows(struct project_plan *p, const struct tsr_graph_op *op, uint64_t rows,
                         uint64_t cols)
{
    const struct tsr_format *act = p->options->activations;
    if (p->at_format == (enum tsr_dtype)act->code || project_wide(act))
        return; /* 16-bit floats of two kinds multiply as they are */
    bool scaled = project_integers(p) && op->kind == TSR_OP_MATMUL;
    if (act->block > 1 || scaled || act->bits < 8)
        plan_quantize(p, op, rows, cols);
    else
        plan_cast(p, op, rows, cols);
    p->at = p->cast;
    p->at_format = (enum tsr_dtype)act->code;
}

/* ---- the cache ---- */

uint64_t project_qkv_bytes(const struct tsr_graph_op *op)
{
    return (op->heads + 2 * (uint64_t)op->kv_heads) * op->head_dim * 2;
}

/* A prompt's tokens are all that the cache holds, and one unit a head is its order too. */
static bool in_place(const struct project_plan *p)
{
    return p->options->phase == TSR_PREFILL && p->options->positions == 0 && p->cache.blocked &&
           p->cache.slabs == 1;
}

/* k and v of the new tokens from the projected rows: 8-bit floats as [token][k, v][head], blocks as
 * [k, v][head][unit][token], the layout of a matrix whose rows are the tokens. */
static void narrow_new(struct project_plan *p, const struct tsr_graph_op *op)
{
    const struct tsr_format *kv = p->options->kv;
    uint64_t x = p->wide + (uint64_t)op->heads * op->head_dim * 2;
    uint64_t cols = 2 * (uint64_t)op->kv_heads * op->head_dim;
    if (kv->block == 1) {
        struct tsr_npu_cast *c = &project_step(p, &project_cast, op, "_cast")->op.cast;
        c->rows = op->m;
        c->cols = cols;
        c->x_format = p->heads_format;
        c->y_format = (enum tsr_dtype)kv->code;
        c->scale = 1.0;
        c->x = x;
        c->x_stride = project_qkv_bytes(op);
        c->y = p->kv_rows;
        return;
    }
    struct project_step *s = project_step(p, &project_quantize, op, "_quantize");
    struct tsr_npu_quantize *q = &s->op.quantize.op;
    q->rows = op->m;
    q->k = cols;
    q->x_format = p->heads_format;
    q->y_format = (enum tsr_dtype)kv->code;
    q->x = x;
    q->x_stride = project_qkv_bytes(op);
    q->y = in_place(p) ? p->k_cache : p->kv_rows;
    set_slab(&s->op.quantize.slab, &p->cache);
    s->op.quantize.slab.rows = op->m;
    s->op.quantize.slab.k = cols;
    s->op.quantize.slab.slabs = p->cache.slabs * 2 * op->kv_heads;
}

/* Heads by tokens by `third`, whose strides are the last. */
static void append(struct project_plan *p, const struct tsr_graph_op *op, const char *suffix,
                   uint64_t src, uint64_t dst, uint64_t third, uint64_t src_step, uint64_t dst_step)
{
    const struct project_options *o = p->options;
    const bool decode = o->phase == TSR_DECODE, blocks = p->cache.blocked;
    const uint64_t unit = p->cache.unit_bytes, row = p->kv_row;
    struct tsr_npu_kv_append *a = &project_step(p, &project_kv_append, op, suffix)->op.kv_append;
    a->bytes = unit;
    a->src = src;
    a->dst = dst + row * (o->seq - p->each);
    a->n[0] = op->kv_heads;
    a->n[1] = op->m;
    a->n[2] = third;
    a->src_stride[0] = blocks ? row * op->m : row;
    a->src_stride[1] = blocks ? unit : 2 * op->kv_heads * row;
    a->src_stride[2] = src_step;
    a->dst_stride[0] = row * project_places(o) * o->batch;
    a->dst_stride[1] = decode ? row * project_places(o) : row;
    a->dst_stride[2] = dst_step;
}

/* i8: heads of k and v side by side (quantization takes no strides beside groups), codes and a
 * scale for each token and head, each to its cache. */
static void integer_append(struct project_plan *p, const struct tsr_graph_op *op)
{
    const struct project_options *o = p->options;
    const bool decode = o->phase == TSR_DECODE;
    const uint64_t heads = 2 * (uint64_t)op->kv_heads, cols = heads * op->head_dim;
    const uint64_t dense = project_region(p, 2 * cols * op->m),
                   codes = project_region(p, cols * op->m),
                   scales = project_region(p, 2 * heads * op->m);
    struct tsr_npu_kv_append *a = &project_step(p, &project_kv_append, op, "_gather")->op.kv_append;
    a->bytes = a->dst_stride[0] = 2 * cols;
    a->src = p->wide + (uint64_t)op->heads * op->head_dim * 2;
    a->src_stride[0] = project_qkv_bytes(op);
    a->dst = dense;
    a->n[0] = op->m;
    a->n[1] = a->n[2] = 1;
    struct tsr_npu_quantize *q =
        &project_step(p, &project_quantize, op, "_quantize")->op.quantize.op;
    q->rows = op->m;
    q->k = cols;
    q->x_format = p->heads_format;
    q->y_format = TSR_I8;
    q->scale_format = TSR_F16;
    q->group = op->head_dim;
    q->x = dense;
    q->y = codes;
    q->scales = scales;
    const uint64_t src[2] = {codes, scales}, unit[2] = {op->head_dim, 2},
                   to[2] = {p->k_cache, p->k_scales},
                   apart[2] = {p->v_cache - p->k_cache, p->v_scales - p->k_scales};
    for (int i = 0; i < 2; i++) {
        const uint64_t u = unit[i];
        a = &project_step(p, &project_kv_append, op, i ? "_scales" : "")->op.kv_append;
        a->bytes = u;
        a->src = src[i];
        a->dst = to[i] + u * (o->seq - p->each);
        a->n[0] = op->kv_heads;
        a->n[1] = op->m;
        a->n[2] = 2;
        a->src_stride[0] = u;
        a->src_stride[1] = u * heads;
        a->src_stride[2] = u * op->kv_heads;
        a->dst_stride[0] = u * project_places(o) * o->batch;
        a->dst_stride[1] = decode ? u * project_places(o) : u;
        a->dst_stride[2] = apart[i];
    }
    project_assume(p, "cache i8: k and v are quantized with a scale for each token and head; k is "
                      "multiplied under it, v expanded in the tile");
}

void project_narrow_append(struct project_plan *p, const struct tsr_graph_op *op)
{
    if (p->options->kv->family == TSR_FAMILY_INT) {
        integer_append(p, op);
        return;
    }
    const uint64_t unit = p->cache.unit_bytes, row = p->kv_row;
    const uint64_t all_k = p->cache.blocked ? op->kv_heads * row * op->m : op->kv_heads * row;
    if (!in_place(p))
        p->kv_rows = project_region(p, 2 * op->kv_heads * row * op->m);
    narrow_new(p, op);
    if (in_place(p)) {
        /* nothing to move */
    } else if (p->cache.slabs == 1) { /* k, then v */
        append(p, op, "", p->kv_rows, p->k_cache, 2, all_k, p->v_cache - p->k_cache);
    } else {
        append(p, op, "_k", p->kv_rows, p->k_cache, p->cache.slabs, unit * op->m, unit);
        append(p, op, "_v", p->kv_rows + all_k, p->v_cache, p->cache.slabs, unit * op->m, unit);
    }
    if (p->cache.blocked)
        project_assume(p,
                       "cache %s: k and v are quantized per head and appended; k is multiplied "
                       "as it lies, v expanded in the tile",
                       p->options->kv->name);
    else
        project_assume(p, "cache %s: k and v are rounded without a scale and appended",
                       p->options->kv->name);
}
