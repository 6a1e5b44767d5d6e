/* SPDX-License-Identifier: Apache-2.0 */
/* Latent attention: a prompt's by keys and values of every head, a decode step's in latents. Rows
 * are those of tokens; q's columns are what is not turned of all heads, then what is of all. */
#include <stdlib.h>
#include <string.h>

#include "sim/project/model_priv.h"
#include "sim/project/plan_ops.h"

enum {
    WIDE = 2 /* bytes of an element outside the cache */
};

static uint64_t nope(const struct tsr_model *m)
{
    return m->head_dim - m->rope_dim;
}

static bool absorbed(const struct project_plan *p)
{
    return p->options->phase == TSR_DECODE;
}

/* Elements of a head's query as attention reads it, and those that are not turned. */
static uint64_t query_dim(const struct project_plan *p)
{
    return absorbed(p) ? tsr_cache_dim(p->model) : p->model->head_dim;
}

static uint64_t query_head(const struct project_plan *p)
{
    return query_dim(p) - p->model->rope_dim;
}

/* ---- projections ---- */

/* Places that no later operation of the layer overwrites. */
static void place(struct project_plan *p, const struct tsr_graph_op *op)
{
    const struct tsr_model *m = p->model;
    const uint64_t heads = (uint64_t)m->heads * p->tokens * WIDE, row = p->kv_row;
    struct project_latent *l = &p->latent;
    const uint64_t places = p->options->seq;
    p->k_cache = project_cache(p, row * p->options->batch * places, op->repeat);
    l->first_stride = op->n * WIDE;
    l->first = project_region(p, l->first_stride * p->tokens);
    l->q = m->q_rank != 0 ? p->wide : l->first;
    l->q_stride = m->q_rank != 0 ? (uint64_t)m->heads * m->head_dim * WIDE : l->first_stride;
    l->queries = project_region(p, heads * query_dim(p));
    if (project_wide(p->options->kv)) { /* the norm and the turn write the cache */
        l->rows = p->k_cache + (absorbed(p) ? row * (places - 1) : 0);
        l->stride = absorbed(p) ? row * places : row;
    } else {
        l->stride = tsr_cache_dim(m) * WIDE;
        l->rows = project_region(p, l->stride * p->tokens);
    }
    if (absorbed(p)) {
        l->sums = project_region(p, heads * m->kv_rank);
        l->sorted = project_region(p, heads * m->kv_rank);
        l->counts = project_region(p, 4 * (uint64_t)m->heads *
                                          tsr_npu_moe_parts(p->options->chip, p->tokens));
        return;
    }
    l->expanded = project_region(p, heads * (nope(m) + m->v_dim));
    l->keys = project_region(p, heads * m->head_dim);
    l->values = project_region(p, heads * m->v_dim);
}

/* n0 heads by tokens by sequences, `bytes` each. */
struct move {
    uint64_t bytes, src, src_head, src_token, dst, dst_head, dst_token, dst_batch;
};

static void plan_move(struct project_plan *p, const struct tsr_graph_op *op, const char *suffix,
                      const struct move *v)
{
    struct tsr_npu_kv_append *a = &project_step(p, &project_kv_append, op, suffix)->op.kv_append;
    a->bytes = v->bytes;
    a->src = v->src;
    a->dst = v->dst;
    a->n[0] = p->model->heads;
    a->n[1] = p->each;
    a->n[2] = p->options->batch;
    a->src_stride[0] = v->src_head;
    a->src_stride[1] = v->src_token;
    a->src_stride[2] = v->src_token * p->each;
    a->dst_stride[0] = v->dst_head;
    a->dst_stride[1] = v->dst_token;
    a->dst_stride[2] = v->dst_batch;
}

/* Keys [sequence][head][token]: their own part and the turned one, which all heads share. Values in
 * the same order. */
static void plan_expanded(struct project_plan *p, const struct tsr_graph_op *op)
{
    const struct tsr_model *m = p->model;
    const struct project_latent *l = &p->latent;
    const uint64_t own = nope(m) * WIDE, key = (uint64_t)m->head_dim * WIDE,
                   value = (uint64_t)m->v_dim * WIDE, heads = m->heads;
    const struct move k = {.bytes = own,
                           .src = l->expanded,
                           .src_head = own,
                           .src_token = op->n * WIDE,
                           .dst = l->keys,
                           .dst_head = key * p->each,
                           .dst_token = key,
                           .dst_batch = key * p->each * heads};
    struct move turned = k, v = k;
    turned.bytes = (uint64_t)m->rope_dim * WIDE;
    turned.src = l->rows + (uint64_t)m->kv_rank * WIDE;
    turned.src_head = 0;
    turned.src_token = l->stride;
    turned.dst = l->keys + own;
    v.bytes = v.src_head = v.dst_token = value;
    v.src = l->expanded + own * heads;
    v.dst = l->values;
    v.dst_head = value * p->each;
    v.dst_batch = value * p->each * heads;
    plan_move(p, op, "_k", &k);
    plan_move(p, op, "_k_rope", &turned);
    plan_move(p, op, "_v", &v);
}

/* The last step, which reads rows of latents, with their stride. */
static void set_row_stride(struct project_plan *p, uint64_t stride)
{
    struct project_step *s = &p->step[p->n_steps - 1];
    if (s->kernel == &project_cast)
        s->op.cast.x_stride = stride;
    else
        s->op.quantize.op.x_stride = stride;
}

static enum tsr_status plan_matmul(struct project_plan *p, const struct tsr_graph_op *op,
                                   struct tsr_error *err)
{
    struct project_latent *l = &p->latent;
    const bool first = strcmp(op->name, "qkv_a") == 0, kv = strcmp(op->name, "kv_b") == 0;
    bool strided = false;
    if (first)
        place(p, op);
    if (kv) {
        const uint32_t before = p->n_steps;
        p->at = l->rows;
        p->at_format = p->heads_format;
        project_narrow_rows(p, op, op->m, op->k);
        if (p->n_steps != before)
            set_row_stride(p, l->stride);
        strided = p->n_steps == before;
    }
    l->product = first ? l->first : kv ? l->expanded : p->wide;
    const uint32_t at = p->n_steps;
    enum tsr_status st = project_plan_matmul(p, op, err);
    if (strided)
        p->step[at].op.matmul.a_stride = l->stride;
    if (kv)
        plan_expanded(p, op);
    return st;
}

/* ---- norms, the turn, the cache ---- */

static enum tsr_status plan_norm(struct project_plan *p, const struct tsr_graph_op *op,
                                 struct tsr_error *err)
{
    const struct tsr_format *act = p->options->activations;
    const struct project_latent *l = &p->latent;
    const bool q = strcmp(op->name, "q_a_norm") == 0;
    struct tsr_npu_rmsnorm r;
    (void)err;
    memset(&r, 0, sizeof r); /* padding too: descriptors are compared as bytes */
    r.rows = op->m;
    r.cols = op->n;
    r.eps = p->model->norm_eps;
    r.x_format = p->heads_format;
    r.w_format = TSR_BF16;
    r.w = project_weights(p, 2 * op->n, op->repeat);
    r.x_stride = l->first_stride;
    r.x = q ? l->first : l->first + l->first_stride - tsr_cache_dim(p->model) * WIDE;
    if (q && act->block > 1) {
        project_norm_blocks(p, op, &r);
        return TSR_OK;
    }
    r.y = q ? p->normed : l->rows;
    r.y_stride = q ? 0 : l->stride;
    r.y_format = !q                                ? p->heads_format
                 : act->family != TSR_FAMILY_FLOAT ? project_plain(p)
                                                   : (enum tsr_dtype)act->code;
    memcpy(&project_step(p, &project_rmsnorm, op, "")->op.rmsnorm, &r, sizeof r);
    p->at = r.y;
    p->at_format = r.y_format;
    return TSR_OK;
}

/* The turned parts: of q to where attention reads it, of k behind its latents. */
static enum tsr_status plan_rope(struct project_plan *p, const struct tsr_graph_op *op,
                                 struct tsr_error *err)
{
    const struct tsr_model *m = p->model;
    const struct project_latent *l = &p->latent;
    const uint64_t table = 2 * (uint64_t)m->rope_dim * (absorbed(p) ? 1 : op->m),
                   cosine = project_region(p, table), sine = project_region(p, table),
                   query = query_dim(p) * WIDE, own = nope(m) * WIDE;
    (void)err;
    for (int k = 0; k < 2; k++) {
        struct tsr_npu_rope *r = &project_step(p, &project_rope, op, k ? "_k" : "_q")->op.rope;
        r->tokens = op->m;
        r->heads = r->keys = k ? 1 : m->heads;
        r->head_dim = m->rope_dim;
        r->x_format = r->y_format = p->heads_format;
        r->x =
            k ? l->first + l->first_stride - (uint64_t)m->rope_dim * WIDE : l->q + own * m->heads;
        r->x_stride = k ? l->first_stride : l->q_stride;
        r->y = r->x; /* all heads go elsewhere */
        r->one_position = absorbed(p);
        r->cosine = cosine;
        r->sine = sine;
        r->k_cache = k ? l->rows + (uint64_t)m->kv_rank * WIDE : l->queries + query_head(p) * WIDE;
        r->k_token_stride = k ? l->stride : query * m->heads;
        r->k_head_stride = k ? (uint64_t)m->rope_dim * WIDE : query;
    }
    if (absorbed(p))
        return TSR_OK;
    const struct move q = {own,
                           l->q,
                           own,
                           l->q_stride,
                           l->queries,
                           query,
                           query * m->heads,
                           query * m->heads * p->each};
    plan_move(p, op, "_q_rest", &q);
    return TSR_OK;
}

static enum tsr_status plan_append(struct project_plan *p, const struct tsr_graph_op *op,
                                   struct tsr_error *err)
{
    const struct project_options *o = p->options;
    (void)err;
    if (project_wide(o->kv)) {
        project_assume(p, "latents: their norm and the turn write the cache");
        return TSR_OK;
    }
    struct tsr_npu_cast *c = &project_step(p, &project_cast, op, "_cast")->op.cast;
    c->rows = op->m;
    c->cols = op->n;
    c->x_format = p->heads_format;
    c->y_format = (enum tsr_dtype)o->kv->code;
    c->scale = 1.0;
    c->x = p->latent.rows;
    c->x_stride = p->latent.stride;
    c->y = p->k_cache + (absorbed(p) ? p->kv_row * (o->seq - 1) : 0);
    c->y_stride = absorbed(p) ? p->kv_row * o->seq : p->kv_row;
    project_assume(p, "cache %s: latents are rounded without a scale", o->kv->name);
    return TSR_OK;
}

/* ---- absorbed matrices ---- */

/* Every token is a row of every head: what the experts' kernel calls top_k = experts. */
static bool route_heads(struct project_plan *p)
{
    const uint64_t n = p->tokens * p->model->heads;
    if (p->head_routing != NULL)
        return true;
    p->head_routing = malloc(n * sizeof *p->head_routing);
    for (uint64_t i = 0; i < n && p->head_routing != NULL; i++)
        p->head_routing[i] = (uint32_t)(i % p->model->heads);
    return p->head_routing != NULL;
}

/* Rows head by head and back; one token's are so as they lie. */
static enum tsr_status plan_heads(struct project_plan *p, const struct tsr_graph_op *op,
                                  struct tsr_error *err)
{
    const struct project_options *o = p->options;
    const struct project_latent *l = &p->latent;
    const uint64_t heads = op->heads, in = op->k * WIDE, out = op->n * WIDE;
    const bool q = strcmp(op->name, "q_absorb") == 0;
    if (!route_heads(p))
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", p->model->name);
    p->at = q ? l->q : l->sums;
    p->at_format = p->heads_format;
    if (q && op->m > 1) {
        const struct move sort = {in, l->q, in, l->q_stride, l->sorted, in * op->m, in, in};
        plan_move(p, op, "_sort", &sort);
        p->at = l->sorted;
    }
    project_narrow_rows(p, op, op->m * heads, op->k);
    struct project_step *s = project_step(p, &project_moe_expert, op, "");
    struct tsr_npu_moe_expert *e = &s->op.moe_expert;
    s->heads = true;
    e->tokens = op->m;
    e->experts = e->top_k = heads;
    e->n = op->n;
    e->k = op->k;
    e->a_format = p->at_format;
    e->b_format = (enum tsr_dtype)p->weights->code;
    e->c_format = p->heads_format;
    e->a = p->at;
    e->b = project_weights(
        p, tsr_sat_mul(project_operand_bytes(p, p->weights, o->activations, op->n, op->k), heads),
        op->repeat);
    e->counts = l->counts;
    e->c = q ? l->sums : op->m > 1 ? l->sorted : p->normed;
    s->macs = op->macs;
    s->macs_per_cycle = project_peak(o->chip, &o->isa->formats[e->a_format], p->weights);
    const uint64_t query = query_dim(p) * WIDE;
    const struct move back = {out,
                              e->c,
                              out * op->m,
                              out,
                              q ? l->queries : p->normed,
                              q ? query : out,
                              q ? query * heads : out * heads,
                              q ? query * heads : out * heads};
    if (q || op->m > 1)
        plan_move(p, op, "_back", &back);
    p->at = q ? l->queries : p->normed;
    p->at_format = p->heads_format;
    return TSR_OK;
}

/* ---- attention ---- */

static enum tsr_status plan_attention(struct project_plan *p, const struct tsr_graph_op *op,
                                      struct tsr_error *err)
{
    const struct project_options *o = p->options;
    const struct project_latent *l = &p->latent;
    const uint64_t query = query_dim(p) * WIDE, value = (uint64_t)op->v_dim * WIDE,
                   heads = op->heads, key = absorbed(p) ? p->kv_row : query;
    struct project_step *s = project_step(p, &project_attention, op, "");
    struct tsr_npu_attention *a = &s->op.attention;
    (void)err;
    a->batch = op->batch;
    a->heads = heads;
    a->kv_heads = op->kv_heads;
    a->head_dim = op->head_dim;
    a->v_dim = op->v_dim;
    a->q_len = op->q_len;
    a->kv_len = op->kv_len;
    a->causal = true;
    a->values_in_keys = absorbed(p);
    a->scale = p->model->attn_scale;
    a->format = p->heads_format;
    a->kv_format = absorbed(p) ? (enum tsr_dtype)o->kv->code : p->heads_format;
    a->q = (struct tsr_npu_rows){l->queries, query * heads * op->q_len, query * heads, query};
    a->k = (struct tsr_npu_rows){absorbed(p) ? p->k_cache : l->keys,
                                 key * op->kv_len * op->kv_heads, key, key * op->kv_len};
    a->v = a->k;
    if (!absorbed(p))
        a->v =
            (struct tsr_npu_rows){l->values, value * op->kv_len * heads, value, value * op->kv_len};
    /* of a decode step head by head, as the next matrix reads them */
    a->o = absorbed(p)
               ? (struct tsr_npu_rows){l->sums, value, value, value * op->batch}
               : (struct tsr_npu_rows){p->normed, value * heads * op->q_len, value * heads, value};
    s->macs = op->macs;
    s->macs_per_cycle =
        project_peak(o->chip, &o->isa->formats[p->heads_format], &o->isa->formats[a->kv_format]);
    p->at = p->normed;
    p->at_format = p->heads_format;
    return TSR_OK;
}

project_planner *const project_latent_planners[TSR_OP_KIND_COUNT] = {
    [TSR_OP_RMSNORM] = plan_norm,        [TSR_OP_MATMUL] = plan_matmul,
    [TSR_OP_ROPE] = plan_rope,           [TSR_OP_KV_APPEND] = plan_append,
    [TSR_OP_ATTENTION] = plan_attention, [TSR_OP_HEAD_MATMUL] = plan_heads,
};

enum tsr_status project_check_latent(const struct project_plan *p, struct tsr_error *err)
{
    const struct project_options *o = p->options;
    const char *name = p->model->name;
    if (project_integers(p) && absorbed(p))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: activations: %s: a decode step multiplies heads one by one, "
                             "which is not served for plain integers",
                             name, o->activations->name);
    if (o->positions != 0)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: latent attention: not for tokens that are generated, only for "
                             "project",
                             name);
    return TSR_OK;
}
