/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/infer/session.h"

const char *const infer_target_name[INFER_TARGETS] = {"ref", "sve", "npu"};

static const struct infer_driver *const drivers[INFER_TARGETS] = {
    [INFER_REF] = &infer_ref_driver,
    [INFER_SVE] = &infer_sve_driver,
    [INFER_NPU] = &infer_npu_driver,
};

bool infer_takes(enum infer_target target, const struct tsr_format *f)
{
    return drivers[target]->takes(f);
}

bool infer_takes_cache(enum infer_target target, const struct tsr_format *f)
{
    return drivers[target]->takes_cache(f);
}

enum tsr_status infer_create(const struct infer_options *o, struct infer **out,
                             struct tsr_error *err)
{
    struct infer *s = NULL;
    if (o->verify != 0 && o->target == INFER_REF)
        return tsr_error_set(err, TSR_BAD_INPUT, "verify: of targets sve and npu, not ref");
    if (o->model->kv_rank != 0)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: %s: latent attention is served by project alone", o->model->name,
                             tsr_arch_name(o->model->arch));
    enum tsr_status st = drivers[o->target]->create(o, &s, err);
    if (st != TSR_OK)
        return st;
    s->driver = drivers[o->target];
    s->options = *o;
    s->position = 0;
    *out = s;
    return TSR_OK;
}

void infer_destroy(struct infer *s)
{
    if (s != NULL)
        s->driver->destroy(s);
}

enum tsr_status infer_step(struct infer *s, const uint32_t *tokens, uint32_t n, bool all,
                           float *logits, struct tsr_error *err)
{
    const struct infer_options *o = &s->options;
    for (uint32_t i = 0; i < n; i++)
        if (tokens[i] >= o->model->vocab)
            return tsr_error_set(err, TSR_BAD_INPUT, "%s: token %u: ids below %u are allowed",
                                 o->model->name, tokens[i], o->model->vocab);
    if (n > o->positions - s->position)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: %u tokens after %u: there are %u positions",
                             o->model->name, n, s->position, o->positions);
    enum tsr_status st = n != 0 ? s->driver->step(s, tokens, n, all, logits, err) : TSR_OK;
    if (st == TSR_OK)
        s->position += n;
    return st;
}

void infer_restart(struct infer *s)
{
    s->position = 0;
    if (s->driver->restart != NULL)
        s->driver->restart(s);
}

const struct infer_cost *infer_cost(const struct infer *s)
{
    return s->driver->cost != NULL ? s->driver->cost(s) : NULL;
}

struct infer_verified infer_verified(const struct infer *s)
{
    const struct infer_verified none = {0, 0};
    return s->driver->verified != NULL ? s->driver->verified(s) : none;
}

uint32_t infer_position(const struct infer *s)
{
    return s->position;
}

uint32_t infer_vocab(const struct infer *s)
{
    return s->options.model->vocab;
}

static bool in_layer(const struct tsr_graph_op *op, const struct tsr_model *m, uint32_t layer)
{
    return op->layer_kinds >> m->layer_kind[layer] & 1;
}

enum tsr_status infer_walk(const struct tsr_graph *g, const struct tsr_model *model,
                           enum tsr_status (*run)(void *self, uint32_t op, uint32_t layer,
                                                  struct tsr_error *err),
                           void *self, struct tsr_error *err)
{
    uint32_t first = 0, end = g->n_ops;
    enum tsr_status st = TSR_OK;
    while (first < g->n_ops && g->ops[first].layer_kinds == 0)
        first++;
    while (end > first && g->ops[end - 1].layer_kinds == 0)
        end--;
    for (uint32_t i = 0; i < first && st == TSR_OK; i++)
        st = run(self, i, 0, err);
    for (uint32_t l = 0; l < model->layers; l++)
        for (uint32_t i = first; i < end && st == TSR_OK; i++)
            if (in_layer(&g->ops[i], model, l))
                st = run(self, i, l, err);
    for (uint32_t i = end; i < g->n_ops && st == TSR_OK; i++)
        st = run(self, i, 0, err);
    return st;
}
