/* SPDX-License-Identifier: Apache-2.0 */
/* The plan's frame: places in HBM, steps, and the walk over the graph. What an operation becomes is
 * one row of project_planners (plan_ops.c). */
#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/project/plan_ops.h"

uint64_t project_region(struct project_plan *p, uint64_t bytes)
{
    const uint64_t segment = p->options->chip->hbm.segment_bytes;
    uint64_t at = p->used;
    uint64_t size =
        bytes > UINT64_MAX - segment ? UINT64_MAX : (bytes + segment - 1) / segment * segment;
    if (__builtin_add_overflow(p->used, size, &p->used) || p->used > p->options->chip->hbm.bytes) {
        p->overflow = true;
        p->used = at;
    }
    return TSR_HBM(at);
}

uint64_t project_weights(struct project_plan *p, uint64_t bytes, uint32_t instances)
{
    uint64_t first = project_region(p, bytes);
    for (uint32_t i = 1; i < instances && !p->overflow; i++)
        project_region(p, bytes);
    return first;
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
    for (uint32_t i = 1; i < p->n_steps; i++)
        for (uint32_t j = 0; j < i && p->step[i].same_as < 0; j++)
            if (p->step[j].same_as < 0 && same_run(&p->step[j], &p->step[i]))
                p->step[i].same_as = (int32_t)j;
}

/* Bytes of activations a token needs in the two buffers that operations pass rows through. */
static void place_activations(struct project_plan *p)
{
    const struct tsr_model *m = p->model;
    uint64_t q = (uint64_t)m->heads * m->head_dim, kv = (uint64_t)m->kv_heads * m->head_dim;
    uint64_t narrow = q > m->hidden ? q : m->hidden, wide = q + 2 * kv;
    uint64_t inner = m->experts != 0 ? (uint64_t)m->expert_ffn * m->top_k : 0;
    if (m->ffn > inner)
        inner = m->ffn;
    if (inner > wide)
        wide = inner;
    p->stream = project_region(p, 2 * p->tokens * m->hidden);
    p->normed = project_region(p, 2 * p->tokens * narrow);
    p->cast = project_region(p, 2 * p->tokens * (narrow > inner ? narrow : inner));
    p->wide = project_region(p, 2 * p->tokens * wide);
    if (m->activation != TSR_ACT_SILU)
        p->unfused = project_region(p, 4 * p->tokens * inner);
    if (m->post_norms)
        p->branch = project_region(p, 2 * p->tokens * m->hidden);
    if (m->experts != 0)
        p->router_logits = project_region(p, 4 * p->tokens * m->experts);
    p->logits = project_region(p, 4 * p->options->batch * m->vocab);
}

static enum tsr_status check_formats(const struct project_options *o, struct tsr_error *err)
{
    static const uint32_t plain =
        1u << TSR_BF16 | 1u << TSR_F16 | 1u << TSR_F8E4M3 | 1u << TSR_F8E5M2 | 1u << TSR_I8;
    const struct tsr_format *each[] = {o->weights, o->activations};
    for (int i = 0; i < 2; i++)
        if (!(plain >> each[i]->code & 1))
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "%s: %s: no kernel takes it yet, bf16 f16 f8e4m3 "
                                 "f8e5m2 i8 are allowed",
                                 i ? "activations" : "weights", each[i]->name);
    if ((o->weights->family == TSR_FAMILY_INT) != (o->activations->family == TSR_FAMILY_INT))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "weights %s with activations %s: the tensor unit takes "
                             "integers with integers only",
                             o->weights->name, o->activations->name);
    if (o->kv->code != TSR_BF16 && o->kv->code != TSR_F16)
        return tsr_error_set(err, TSR_BAD_INPUT, "kv: %s: the attention kernel takes bf16 and f16",
                             o->kv->name);
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
    if (o->activations->bits < 16)
        project_assume(p, "%s has one scale per tensor, folded into the next step: takes no time",
                       o->activations->name);
    if (o->seq > p->model->context)
        project_assume(p, "seq is beyond the %u positions that the model states",
                       p->model->context);
}

static enum tsr_status too_large(const struct project_plan *p, struct tsr_error *err)
{
    const double gib = (double)((uint64_t)1 << 30);
    return tsr_error_set(err, TSR_BAD_INPUT,
                         "%s: weights, KV cache and the activations of all steps "
                         "do not fit the %.2f GiB of %s: a smaller batch or seq is needed",
                         p->model->name, (double)p->options->chip->hbm.bytes / gib,
                         p->options->chip->name);
}

void project_plan_free(struct project_plan *p)
{
    free(p->routing);
    p->routing = NULL;
}

enum tsr_status project_plan(const struct tsr_model *model, const struct project_options *options,
                             struct project_plan *p, struct tsr_error *err)
{
    const struct tsr_graph_options g = {options->phase, options->batch, options->seq,
                                        options->weights, options->kv};
    memset(p, 0, sizeof *p);
    p->model = model;
    p->options = options;
    enum tsr_status st = check_formats(options, err);
    if (st == TSR_OK)
        st = tsr_graph_build(model, &g, &p->graph, err);
    if (st != TSR_OK)
        return st;
    p->tokens = p->graph.ops[0].m;
    assume(p);
    place_activations(p);
    for (uint32_t i = 0; i < p->graph.n_ops && st == TSR_OK && !p->overflow; i++)
        st = project_planners[p->graph.ops[i].kind](p, &p->graph.ops[i], err);
    if (st == TSR_OK && p->overflow)
        st = too_large(p, err);
    if (st == TSR_OK)
        find_same(p);
    return st;
}
