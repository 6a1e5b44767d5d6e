/* SPDX-License-Identifier: Apache-2.0 */
/* Targets on the host's processor: buffers, steps, threads. */
#include "sim/infer/host_verify.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/ref.h"

/* A buffer that the state owns: rows of so many floats. */
struct room {
    float **at;
    uint64_t floats;
};

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The longest row that any product reads or leaves. */
static uint64_t longest_row(const struct tsr_graph *g)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < g->n_ops; i++)
        most = larger(most, larger(g->ops[i].n, g->ops[i].k));
    return most;
}

static enum tsr_status make_room(struct host *h, struct tsr_error *err)
{
    const struct tsr_model *m = h->model;
    const uint64_t heads = m->heads + 2 * (uint64_t)m->kv_heads, row = longest_row(&h->graph);
    const uint64_t copies = m->experts != 0 ? larger(m->top_k, 1) : 1, rows = HOST_CHUNK * copies;
    const uint64_t widths = larger(m->ffn, larger(m->expert_ffn, m->shared_ffn));
    const uint64_t inner = larger(widths, heads * m->head_dim);
    const uint64_t narrow = larger(m->hidden, (uint64_t)m->heads * m->head_dim);
    const uint64_t cache = (uint64_t)m->layers * m->kv_heads * h->o.positions * m->head_dim;
    const uint64_t table = (uint64_t)HOST_CHUNK * (m->head_dim / 2 + 1);
    size_t rounding = larger(infer_round_scratch(&h->weights, row),
                             larger(infer_round_scratch(&h->activations, row),
                                    infer_round_scratch(&h->kv, m->head_dim)));
    /* a row as it is read, the same in a format, or the scores of a query */
    h->scratch_floats = larger(row, h->o.positions + 1u) + rounding / sizeof(float) + 64;
    const struct room rooms[] = {
        {&h->stream, HOST_CHUNK * (uint64_t)m->hidden},
        {&h->normed, HOST_CHUNK * narrow},
        {&h->cast, rows * larger(narrow, inner)},
        {&h->wide, rows * inner},
        {&h->unfused, 2 * rows * inner},
        {&h->branch, HOST_CHUNK * (uint64_t)m->hidden},
        {&h->sums, rows * m->hidden},
        {&h->router_logits, HOST_CHUNK * (uint64_t)m->experts + 1},
        {&h->router_weights, rows},
        {&h->cosine, table},
        {&h->sine, table},
        {&h->logits, m->vocab},
        {&h->k_cache, cache},
        {&h->v_cache, cache},
        {&h->scratch, h->scratch_floats * h->threads.threads},
    };
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++)
        if ((*rooms[i].at = calloc(rooms[i].floats, sizeof(float))) == NULL)
            return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", m->name);
    h->experts = calloc(rows, sizeof *h->experts);
    return h->experts ? TSR_OK : tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", m->name);
}

static void destroy(struct infer *s)
{
    struct host *h = (struct host *)s;
    if (h->products->destroy != NULL)
        h->products->destroy(h);
    float *const each[] = {h->stream,        h->normed, h->cast,           h->wide,    h->unfused,
                           h->branch,        h->sums,   h->router_weights, h->cosine,  h->sine,
                           h->router_logits, h->logits, h->k_cache,        h->v_cache, h->scratch};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        free(each[i]);
    free(h->experts);
    tsr_pool_destroy(h->pool);
    free(h);
}

static enum tsr_status prepare(struct host *h, struct tsr_error *err)
{
    const struct infer_options *o = &h->o;
    const struct tsr_graph_options g = {.phase = TSR_DECODE, .batch = 1, .seq = o->positions};
    enum tsr_status st = tsr_graph_build(o->model, &g, &h->graph, err);
    if (st == TSR_OK)
        st = tsr_pool_create(o->threads, &h->pool, err);
    if (st != TSR_OK)
        return st;
    h->threads = tsr_pool_parallel(h->pool);
    h->threads.threads = o->threads;
    st = make_room(h, err);
    if (st == TSR_OK && h->products->create != NULL)
        st = h->products->create(h, err);
    return st;
}

static bool ref_takes(const struct tsr_format *f)
{
    return f->code != TSR_I32;
}

/* Of weights and what they multiply `sve` takes fewer, which its products say. */
static enum tsr_status check_formats(const struct infer_options *o, struct tsr_error *err)
{
    static const char *const names[] = {"weights", "activations", "kv"};
    const struct tsr_format *const each[] = {o->format, o->activations, o->kv};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        if (each[i] != NULL && !ref_takes(each[i]))
            return tsr_error_set(err, TSR_BAD_INPUT, "%s: %s: for sums alone, i8 is nearest",
                                 names[i], each[i]->name);
    return TSR_OK;
}

static enum tsr_status create(const struct infer_options *o, struct infer **out,
                              struct tsr_error *err)
{
    enum tsr_status st = check_formats(o, err);
    if (st != TSR_OK)
        return st;
    struct host *h = calloc(1, sizeof *h);
    if (h == NULL)
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", o->model->name);
    h->o = *o;
    h->model = o->model;
    h->weights = infer_rounding(o->isa, o->format);
    h->activations = infer_rounding(o->isa, o->activations);
    h->kv = infer_rounding(o->isa, o->kv);
    h->kv.scale = &o->isa->formats[TSR_F16]; /* as in a chip's cache */
    h->products = o->target == INFER_SVE ? &host_sve_products : &host_ref_products;
    if (o->target == INFER_SVE)
        h->weights.format = NULL; /* the router's, on that target */
    st = prepare(h, err);
    if (st != TSR_OK)
        destroy(&h->base);
    else
        *out = &h->base;
    return st;
}

void host_parallel(const struct host *h, size_t count, void (*task)(void *arg, size_t i), void *arg)
{
    if (count == 1)
        task(arg, 0);
    else
        h->threads.run(h->threads.pool, task, arg, count);
}

static enum tsr_status step_chunk(struct host *h, uint32_t position, const uint32_t *tokens,
                                  uint32_t n, bool all, float *logits, struct tsr_error *err)
{
    uint32_t places[HOST_CHUNK];
    for (uint32_t i = 0; i < n; i++)
        places[i] = position + i;
    h->tokens = tokens;
    h->n = n;
    h->position = position;
    h->all = all;
    h->out = logits;
    tsr_rope_table_ref(&h->model->rope, h->model->head_dim, n, places, h->cosine, h->sine);
    return infer_walk(&h->graph, h->model, h->o.verify != 0 ? host_run_checked : host_run, h, err);
}

static enum tsr_status step(struct infer *s, const uint32_t *tokens, uint32_t n, bool all,
                            float *logits, struct tsr_error *err)
{
    struct host *h = (struct host *)s;
    enum tsr_status st = TSR_OK;
    for (uint32_t i = 0, m; i < n && st == TSR_OK; i += m) {
        m = n - i < HOST_CHUNK ? n - i : HOST_CHUNK;
        bool last = i + m == n;
        float *to = logits == NULL ? NULL : all ? logits + (size_t)i * h->model->vocab : logits;
        st = step_chunk(h, s->position + i, tokens + i, m, all, all || last ? to : NULL, err);
    }
    return st;
}

static bool sve_takes(const struct tsr_format *f)
{
    static const struct tsr_isa no_isa;
    return infer_sve_activations(&no_isa, f) != NULL;
}

static struct infer_verified verified(const struct infer *s)
{
    return ((const struct host *)s)->verified;
}

const struct infer_driver infer_ref_driver = {ref_takes, ref_takes, create, step,
                                              destroy,   NULL,      NULL,   NULL};
const struct infer_driver infer_sve_driver = {sve_takes, ref_takes, create, step,
                                              destroy,   NULL,      NULL,   verified};
