/* SPDX-License-Identifier: Apache-2.0 */
/* The plan's frame: places in HBM, steps, and the walk over the graph. What an operation becomes is
 * one row of project_planners (plan_ops.c). */
#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/npu/slab.h"
#include "sim/project/model_priv.h"
#include "sim/project/plan_ops.h"

static uint64_t in_segments(const struct project_plan *p, uint64_t bytes)
{
    const uint64_t segment = p->options->chip->hbm.segment_bytes;
    return bytes > UINT64_MAX - segment ? UINT64_MAX : (bytes + segment - 1) / segment * segment;
}

/* Addresses of what does not fit are never used: the sums are refused. */
uint64_t project_region(struct project_plan *p, uint64_t bytes)
{
    const uint64_t hbm = p->options->chip->hbm.bytes;
    p->workspace = tsr_sat_add(p->workspace, in_segments(p, bytes));
    return TSR_HBM(p->workspace < hbm ? hbm - p->workspace : 0);
}

/* One region for each layer that has its own. */
static uint64_t regions(struct project_plan *p, uint64_t bytes, uint32_t instances, uint64_t *sum)
{
    const uint64_t at = p->used, size = in_segments(p, bytes);
    if (instances > 1 && p->n_spans < sizeof p->span / sizeof *p->span)
        p->span[p->n_spans++] = (struct project_span){TSR_HBM(at), size, p->layer_kinds};
    p->used = tsr_sat_add(at, tsr_sat_mul(size, instances));
    *sum = tsr_sat_add(*sum, tsr_sat_mul(bytes, instances));
    return TSR_HBM(at);
}

uint64_t project_weights(struct project_plan *p, uint64_t bytes, uint32_t instances)
{
    return regions(p, bytes, instances, &p->weight_bytes);
}

uint64_t project_cache(struct project_plan *p, uint64_t bytes, uint32_t instances)
{
    return regions(p, bytes, instances, &p->kv_bytes);
}

static uint32_t layers_before(const struct tsr_model *m, uint8_t kinds, uint32_t layer)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < layer; i++)
        n += kinds >> m->layer_kind[i] & 1;
    return n;
}

union project_op project_at_layer(const struct project_plan *p, const struct project_step *s,
                                  uint32_t layer)
{
    union project_op op = s->op;
    uint64_t word;
    for (size_t at = 0; at + sizeof word <= sizeof op; at += sizeof word) {
        memcpy(&word, (const char *)&op + at, sizeof word);
        for (uint32_t i = 0; i < p->n_spans && word >= TSR_HBM(0); i++)
            if (word - p->span[i].first < p->span[i].bytes) {
                word += p->span[i].bytes * layers_before(p->model, p->span[i].kinds, layer);
                memcpy((char *)&op + at, &word, sizeof word);
                break;
            }
    }
    return op;
}

uint64_t project_operand_bytes(const struct project_plan *p, const struct tsr_format *own,
                               const struct tsr_format *partner, uint64_t rows, uint64_t k)
{
    const struct project_options *o = p->options;
    struct tsr_npu_slab s;
    /* check_formats knows that the pair is good; sizes beyond the layout's are beyond any chip's */
    if (tsr_npu_slab_plan(o->isa, o->chip, (enum tsr_dtype)own->code, (enum tsr_dtype)partner->code,
                          rows, k, &s, NULL) != TSR_OK)
        return UINT64_MAX;
    return tsr_sat_mul3(s.slabs, s.rows, s.unit_bytes);
}

void project_assume(struct project_plan *p, const char *format, ...)
{
    char text[sizeof p->assumption[0]];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    for (uint32_t i = 0; i < p->n_assumptions; i++)
        if (strcmp(p->assumption[i], text) == 0)
            return;
    assert(p->n_assumptions < sizeof p->assumption / sizeof *p->assumption);
    strcpy(p->assumption[p->n_assumptions++], text);
}

struct project_step *project_step(struct project_plan *p, const struct project_kernel *kernel,
                                  const struct tsr_graph_op *op, const char *suffix)
{
    assert(p->n_steps < PROJECT_MAX_STEPS);
    struct project_step *s = &p->step[p->n_steps++];
    memset(s, 0, sizeof *s); /* padding too: descriptors are compared as bytes */
    snprintf(s->name, sizeof s->name, "%s%s", op->name, suffix);
    s->kernel = kernel;
    s->graph_op = (uint32_t)(op - p->graph.ops);
    s->repeat = op->repeat;
    s->same_as = -1;
    return s;
}

static bool same_run(const struct project_step *a, const struct project_step *b)
{
    union project_op x = a->op, y = b->op;
    if (a->kernel != b->kernel)
        return false;
    if (a->kernel->weights != SIZE_MAX) {
        memset((char *)&x + a->kernel->weights, 0, sizeof(uint64_t));
        memset((char *)&y + a->kernel->weights, 0, sizeof(uint64_t));
    }
    return memcmp(&x, &y, sizeof x) == 0;
}

static void find_same(struct project_plan *p)
{
    for (uint32_t i = 1; i < p->n_steps && !p->options->every_layer; i++)
        for (uint32_t j = 0; j < i && p->step[i].same_as < 0; j++)
            if (p->step[j].same_as < 0 && same_run(&p->step[j], &p->step[i]))
                p->step[i].same_as = (int32_t)j;
}

/* What the largest matmul reads, where that is not the 16-bit rows themselves. */
static uint64_t narrow_rows(const struct project_plan *p)
{
    const struct tsr_format *act = p->options->activations;
    uint64_t most = 0;
    for (uint32_t i = 0; i < p->graph.n_ops && !project_wide(act); i++) {
        const struct tsr_graph_op *op = &p->graph.ops[i];
        uint64_t rows = op->kind == TSR_OP_EXPERT_MATMUL ? op->m * op->top_k : op->m;
        if (op->kind == TSR_OP_HEAD_MATMUL)
            rows = op->m * op->heads;
        else if (op->kind != TSR_OP_MATMUL && op->kind != TSR_OP_EXPERT_MATMUL)
            continue;
        uint64_t bytes = project_operand_bytes(p, act, p->weights, rows, op->k);
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* Elements of the largest product of a matmul. */
static uint64_t widest_product(const struct project_plan *p)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < p->graph.n_ops; i++) {
        const struct tsr_graph_op *op = &p->graph.ops[i];
        if (op->kind == TSR_OP_MATMUL && op->m * op->n > most)
            most = op->m * op->n;
    }
    return most;
}

/* The buffers that operations pass rows through. */
static void place_activations(struct project_plan *p)
{
    const struct tsr_model *m = p->model;
    uint64_t q = (uint64_t)m->heads * m->head_dim, kv = (uint64_t)m->kv_heads * m->head_dim;
    uint64_t narrow = q > m->hidden ? q : m->hidden, wide = m->kv_rank != 0 ? q : q + 2 * kv;
    if (m->q_rank > narrow)
        narrow = m->q_rank;
    if (tsr_attention_width(m) > narrow)
        narrow = tsr_attention_width(m);
    uint64_t inner = m->experts != 0 ? (uint64_t)m->expert_ffn * m->top_k : 0;
    if (m->ffn > inner)
        inner = m->ffn;
    if (m->shared_ffn > inner)
        inner = m->shared_ffn;
    if (inner > wide)
        wide = inner;
    p->stream = project_region(p, 2 * p->tokens * m->hidden);
    p->normed = project_region(p, 2 * p->tokens * narrow);
    p->cast = project_region(p, narrow_rows(p));
    uint64_t rows = 2 * p->tokens * wide, blocks = narrow_rows(p);
    p->wide = project_region(p, rows > blocks ? rows : blocks);
    if (m->activation != TSR_ACT_SILU || project_integers(p))
        p->unfused = project_region(p, 4 * p->tokens * inner);
    if (m->post_norms || project_integers(p))
        p->branch = project_region(p, 2 * p->tokens * m->hidden);
    if (m->experts != 0)
        p->router_logits = project_region(p, 4 * p->tokens * (m->experts > 2 ? m->experts : 2));
    if (m->shared_gate && m->shared_ffn != 0) { /* behind as many rows of zeros, which stay */
        p->shared_out = project_region(p, 4 * p->tokens * m->hidden);
        p->shared_out += 2 * p->tokens * m->hidden;
    }
    p->logits = project_region(p, 4 * (p->options->all_logits ? p->tokens : p->options->batch) *
                                      (uint64_t)m->vocab);
    if (project_integers(p)) {
        p->sums = project_region(p, 4 * widest_product(p));
        p->row_scales = project_region(p, 4 * p->tokens);
    }
}

/* Formats that a file may hold and no unit takes: what they are requantized to when the weights are
 * loaded. Time and bytes are then those of q8_0. */
static const struct {
    enum tsr_dtype file, hbm;
} repacked[] = {{TSR_Q4_K, TSR_Q8_0}, {TSR_Q6_K, TSR_Q8_0}};

static const struct tsr_format *stored(const struct project_options *o)
{
    for (size_t i = 0; i < sizeof repacked / sizeof *repacked; i++)
        if (o->weights->code == repacked[i].file)
            return &o->isa->formats[repacked[i].hbm];
    return o->weights;
}

/* Names of the formats that `takes` says. */
static const char *list_formats(const struct project_plan *p,
                                bool (*takes)(const struct tsr_model *, const struct tsr_format *),
                                char *out, size_t cap)
{
    const struct tsr_isa *isa = p->options->isa;
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < TSR_DTYPE_MAX && used < cap; i++)
        if (isa->has_format[i] && takes(p->model, &isa->formats[i]))
            used += (size_t)snprintf(out + used, cap - used, " %s", isa->formats[i].name);
    return out;
}

static bool multiplies(const struct tsr_model *m, const struct tsr_format *f)
{
    (void)m;
    return f->width_class != 0;
}

static enum tsr_status check_formats(struct project_plan *p, struct tsr_error *err)
{
    const struct project_options *o = p->options;
    const struct tsr_format *each[] = {p->weights, o->activations};
    struct tsr_npu_slab ignored;
    struct tsr_error why = {0};
    char list[256];
    for (int i = 0; i < 2; i++)
        if (!multiplies(p->model, each[i]))
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "%s: %s: the tensor unit does not take it, allowed:%s",
                                 i ? "activations" : "weights", each[i]->name,
                                 list_formats(p, multiplies, list, sizeof list));
    if ((p->weights->family == TSR_FAMILY_INT) != (o->activations->family == TSR_FAMILY_INT))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "weights %s with activations %s: the tensor unit takes plain "
                             "integers with plain integers only",
                             p->weights->name, o->activations->name);
    if (tsr_npu_slab_plan(o->isa, o->chip, (enum tsr_dtype)o->activations->code,
                          (enum tsr_dtype)p->weights->code, 1, p->model->hidden, &ignored,
                          &why) != TSR_OK)
        return tsr_error_set(err, TSR_BAD_INPUT, "weights %s with activations %s: %s",
                             p->weights->name, o->activations->name, why.message);
    if (!project_takes_cache(p->model, o->kv))
        return tsr_error_set(err, TSR_BAD_INPUT, "kv: %s: no kernel takes it%s, allowed:%s",
                             o->kv->name,
                             p->model->kv_rank != 0 ? " (latents are keys and values)" : "",
                             list_formats(p, project_takes_cache, list, sizeof list));
    if (p->model->kv_rank != 0 && project_check_latent(p, err) != TSR_OK)
        return TSR_BAD_INPUT;
    if (tsr_npu_attention_cache(o->isa, o->chip, tsr_cache_dim(p->model), p->heads_format,
                                (enum tsr_dtype)o->kv->code, &p->cache, &why) != TSR_OK)
        return tsr_error_set(err, TSR_BAD_INPUT, "kv: %s; 16-bit floats take any head_dim",
                             why.message);
    p->kv_row = p->cache.slabs * p->cache.unit_bytes;
    return TSR_OK;
}

/* What holds for the whole plan. */
static void assume(struct project_plan *p)
{
    const struct project_options *o = p->options;
    project_assume(p, "%s: %u values of the chip file have no public source: see tessera chips",
                   o->chip->name, o->chip->n_assumed);
    project_assume(p, "weights start in HBM; the host's part (tokenizer, sampling) takes no time");
    project_assume(p, "the residual stream is bf16, the cache %s; norms, rope, softmax: f32 inside",
                   o->kv->name);
    if (o->activations->family == TSR_FAMILY_FLOAT && o->activations->bits < 16)
        project_assume(p, "%s has one scale per tensor, folded into the next step: takes no time",
                       o->activations->name);
    if (project_integers(p) && p->model->experts != 0)
        project_assume(p, "experts: the scales of their integers take no time");
    if (p->weights != o->weights)
        project_assume(p, "weights: %s is requantized to %s when they are loaded", o->weights->name,
                       p->weights->name);
    if (o->seq > p->model->context)
        project_assume(p, "seq is beyond the %u positions that the model states",
                       p->model->context);
}

void project_plan_free(struct project_plan *p)
{
    free(p->routing);
    free(p->shared_routing);
    free(p->head_routing);
    p->routing = p->shared_routing = p->head_routing = NULL;
}

struct tsr_fit project_plan_fit(const struct project_plan *p)
{
    const uint64_t hbm = p->options->chip->hbm.bytes;
    struct tsr_fit f = {.weight_bytes = p->weight_bytes,
                        .kv_bytes = p->kv_bytes,
                        .total_bytes = tsr_sat_add(p->used, p->workspace),
                        .hbm_bytes = hbm};
    f.chips = f.total_bytes / hbm + (f.total_bytes % hbm != 0);
    f.workspace_bytes = f.total_bytes - tsr_sat_add(f.weight_bytes, f.kv_bytes);
    const uint64_t row = p->kv_row + (p->options->kv->family == TSR_FAMILY_INT ? 2 : 0);
    f.kv_token_bytes = tsr_sat_mul3(tsr_cache_rows(p->model), row, p->model->layers);
    return f;
}

enum tsr_status project_plan(const struct tsr_model *model, const struct project_options *options,
                             struct project_plan *p, struct tsr_error *err)
{
    struct tsr_fit fit;
    memset(p, 0, sizeof *p);
    p->model = model;
    p->options = options;
    p->weights = stored(options);
    p->heads_format =
        project_wide(options->kv) ? (enum tsr_dtype)options->kv->code : project_plain(p);
    const struct tsr_graph_options g = {options->phase, options->batch, options->seq,
                                        p->weights,     options->kv,    options->positions,
                                        options->block, options->all_logits};
    enum tsr_status st = check_formats(p, err);
    if (st == TSR_OK) /* at least; what the layouts add is known at the end */
        st = tsr_model_fit(model, &g, options->chip, &fit, err);
    if (st == TSR_OK)
        st = tsr_graph_build(model, &g, &p->graph, err);
    if (st != TSR_OK)
        return st;
    p->tokens = p->graph.ops[0].m;
    p->each = p->tokens / options->batch;
    assume(p);
    place_activations(p);
    for (uint32_t i = 0; i < p->graph.n_ops && st == TSR_OK; i++) {
        p->layer_kinds = p->graph.ops[i].layer_kinds;
        const struct tsr_graph_op *op = &p->graph.ops[i];
        st = (op->flags & TSR_OPF_LATENT ? project_latent_planners
                                         : project_planners)[op->kind](p, op, err);
    }
    fit = project_plan_fit(p);
    if (st == TSR_OK)
        st = tsr_fit_check(model, options->chip, &fit, err);
    if (st == TSR_OK)
        find_same(p);
    return st;
}
