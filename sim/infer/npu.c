/* SPDX-License-Identifier: Apache-2.0 */
/* The target npu: for each token the plan of its step, for each of its launches a program, run with
 * values; the cycles of a launch are those of a cycle-level run of the same program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/ref.h"
#include "sim/infer/verify.h"

static void destroy(struct infer *base)
{
    struct npu *s = (struct npu *)base;
    for (uint32_t i = 0; i < s->n_launches; i++)
        tsr_program_free(&s->launch[i].program);
    free(s->launch);
    tsr_program_free(&s->once.program);
    if (s->plan != NULL)
        project_plan_free(s->plan);
    free(s->plan);
    tsr_sim_destroy(s->sim);
    free(s);
}

/* Which steps each operation of the graph became: they follow each other. */
static void index_steps(struct npu *s)
{
    const struct project_plan *p = s->plan;
    uint32_t at = 0;
    for (uint32_t i = 0; i <= p->graph.n_ops; i++) {
        while (at < p->n_steps && p->step[at].graph_op < i)
            at++;
        s->first_step[i] = at;
    }
}

/* The plan of n tokens that make the sequence `seq` long; all: the logits of each. Weights and
 * cache lie where they always do. */
static enum tsr_status plan_tokens(struct npu *s, uint64_t seq, uint32_t n, bool all,
                                   struct tsr_error *err)
{
    project_plan_free(s->plan);
    s->options.phase = n > 1 ? TSR_PREFILL : TSR_DECODE;
    s->options.block = n > 1 ? n : 0;
    s->options.all_logits = n > 1 && all;
    s->options.seq = seq;
    enum tsr_status st = project_plan(s->o.model, &s->options, s->plan, err);
    if (st == TSR_OK)
        index_steps(s);
    return st;
}

static enum tsr_status prepare(struct npu *s, struct tsr_error *err)
{
    const struct infer_options *o = &s->o;
    s->options = (struct project_options){.isa = o->isa,
                                          .chip = o->chip,
                                          .phase = TSR_DECODE,
                                          .batch = 1,
                                          .positions = o->positions,
                                          .weights = o->format,
                                          .activations = o->activations,
                                          .kv = o->kv,
                                          .seed = 1,
                                          .threads = 1};
    if (o->format == NULL || o->activations == NULL || o->kv == NULL)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: f32: the tensor unit does not take it, bf16 is nearest",
                             o->format == NULL        ? "weights"
                             : o->activations == NULL ? "activations"
                                                      : "kv");
    enum tsr_status st = plan_tokens(s, 1, 1, false, err);
    if (st == TSR_OK)
        st = tsr_sim_create(o->chip, o->isa, &s->sim, err);
    if (st == TSR_OK)
        st = npu_place(s, err);
    return st;
}

static enum tsr_status create(const struct infer_options *o, struct infer **out,
                              struct tsr_error *err)
{
    struct npu *s = calloc(1, sizeof *s);
    if (s != NULL)
        s->plan = calloc(1, sizeof *s->plan);
    if (s == NULL || s->plan == NULL) {
        free(s);
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", o->model->name);
    }
    s->o = *o;
    enum tsr_status st = prepare(s, err);
    if (st != TSR_OK)
        destroy(&s->base);
    else
        *out = &s->base;
    return st;
}

/* ---- launches ---- */

static enum tsr_status next_launch(struct npu *s, struct npu_launch **out, struct tsr_error *err)
{
    if (s->n > 1) { /* blocks are of many lengths: their programs are not kept */
        *out = &s->once;
        s->once.kernel = NULL;
        return TSR_OK;
    }
    if (s->next == s->room) {
        uint32_t room = s->room ? 2 * s->room : 64;
        struct npu_launch *more = realloc(s->launch, room * sizeof *more);
        if (more == NULL)
            return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", s->o.model->name);
        s->launch = more;
        s->room = room;
    }
    if (s->next == s->n_launches)
        memset(&s->launch[s->n_launches++], 0, sizeof *s->launch);
    *out = &s->launch[s->next++];
    return TSR_OK;
}

/* Whether the program reads numbers that decide what it does: its cycles are its run's alone. */
static bool depends_on_data(const struct project_kernel *k)
{
    return strncmp(k->name, "moe_", 4) == 0 || strcmp(k->name, "embedding") == 0;
}

static enum tsr_status make_program(struct npu *s, const struct project_step *step,
                                    const union project_op *op, struct npu_launch *l,
                                    struct tsr_error *err)
{
    if (l->kernel == step->kernel && memcmp(&l->op, op, sizeof *op) == 0)
        return TSR_OK;
    struct tsr_program program;
    enum tsr_status st = step->kernel->emit(s->o.isa, s->o.chip, op, &program, err);
    if (st != TSR_OK)
        return st;
    tsr_program_free(&l->program);
    memcpy(&l->op, op, sizeof *op);
    l->program = program;
    l->kernel = step->kernel;
    l->cycles = 0;
    return TSR_OK;
}

/* Step i of the plan costs so much more. */
static void count(struct npu *s, const struct project_step *step, uint64_t cycles)
{
    struct infer_cost *c = &s->cost;
    uint32_t i = 0;
    while (i < c->n_steps && strcmp(c->step[i].name, step->name) != 0)
        i++;
    if (i == INFER_COST_STEPS)
        i--; /* the plan has no more */
    struct infer_cost_step *t = &c->step[i];
    if (i == c->n_steps) {
        memset(t, 0, sizeof *t);
        memcpy(t->name, step->name, sizeof t->name);
        t->kernel = step->kernel->name;
        c->n_steps++;
    }
    t->launches++;
    t->cycles += cycles;
    c->launches++;
    c->cycles += cycles;
    c->last += cycles;
    c->prompt_cycles += s->n > 1 ? cycles : 0;
}

/* "token 7", "tokens 0 to 31" */
static const char *name_tokens(const struct npu *s, char *out, size_t cap)
{
    int n = snprintf(out, cap, "token%s %u", s->n > 1 ? "s" : "", s->token);
    if (s->n > 1 && n > 0 && (size_t)n < cap)
        snprintf(out + n, cap - (size_t)n, " to %u", s->token + s->n - 1);
    return out;
}

/* The launch, and where it is its turn what the reference says to it. */
static enum tsr_status run_checked(struct npu *s, const struct npu_launch *l,
                                   const struct tsr_run_options *run, struct tsr_stats *stats,
                                   struct tsr_error *err)
{
    const bool due = s->o.verify != 0 && s->launched++ % s->o.verify == 0;
    struct verify v;
    bool served = false;
    enum tsr_status st = TSR_OK;
    if (due)
        st = verify_begin(s, l->kernel, &l->op, &v, &served, err);
    if (st == TSR_OK)
        st = tsr_sim_run(s->sim, &l->program, run, stats, NULL, err);
    if (st == TSR_OK && served)
        st = verify_end(&v, err);
    if (due)
        verify_free(&v);
    s->verified.checked += st == TSR_OK && served;
    s->verified.unknown += st == TSR_OK && due && !served;
    return st;
}

static enum tsr_status launch(struct npu *s, const struct project_step *step, uint32_t layer,
                              struct tsr_error *err)
{
    const union project_op op = project_at_layer(s->plan, step, layer);
    struct npu_launch *l = NULL;
    struct tsr_stats stats;
    struct tsr_error why = {0};
    enum tsr_status st = next_launch(s, &l, err);
    if (st == TSR_OK)
        st = make_program(s, step, &op, l, &why);
    const bool count_cycles =
        s->o.cycles && st == TSR_OK && (l->cycles == 0 || depends_on_data(step->kernel));
    struct tsr_run_options run = {.mode = count_cycles ? TSR_MODE_FULL : TSR_MODE_FUNCTIONAL};
    if (st == TSR_OK)
        st = run_checked(s, l, &run, &stats, &why);
    char tokens[40];
    if (st != TSR_OK)
        return tsr_error_set(err, st, "%s: %s of layer %u, %s: %s", s->o.model->name, step->name,
                             layer, name_tokens(s, tokens, sizeof tokens), why.message);
    if (count_cycles)
        l->cycles = stats.cycles;
    count(s, step, l->cycles);
    return TSR_OK;
}

static enum tsr_status run_operation(void *self, uint32_t op, uint32_t layer, struct tsr_error *err)
{
    struct npu *s = self;
    enum tsr_status st = TSR_OK;
    for (uint32_t i = s->first_step[op]; i < s->first_step[op + 1] && st == TSR_OK; i++)
        st = launch(s, &s->plan->step[i], layer, err);
    return st;
}

/* ---- tokens ---- */

/* cos and sin of the positions of the tokens in work. */
static enum tsr_status write_turns(struct npu *s, struct tsr_error *err)
{
    const struct tsr_model *m = s->o.model;
    const uint64_t each = m->head_dim / 2, bytes = s->n * each * sizeof(float);
    uint32_t *position = malloc(s->n * sizeof *position);
    float *cosine = malloc(bytes), *sine = malloc(bytes);
    enum tsr_status st = position && cosine && sine
                             ? TSR_OK
                             : tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", m->name);
    for (uint32_t i = 0; i < s->n && st == TSR_OK; i++)
        position[i] = s->token + i;
    if (st == TSR_OK)
        tsr_rope_table_ref(&m->rope, m->head_dim, s->n, position, cosine, sine);
    for (uint32_t i = 0; i < s->plan->n_steps && st == TSR_OK; i++) {
        const struct project_step *step = &s->plan->step[i];
        if (strcmp(step->kernel->name, "rope") != 0)
            continue;
        st = tsr_sim_write(s->sim, step->op.rope.cosine, cosine, bytes, err);
        if (st == TSR_OK)
            st = tsr_sim_write(s->sim, step->op.rope.sine, sine, bytes, err);
    }
    free(position);
    free(cosine);
    free(sine);
    return st;
}

/* What tokens bring: their ids, the turns of their positions, and zeros where the plan counts on
 * them: the rows of the expert beside a shared one. */
static enum tsr_status write_inputs(struct npu *s, const uint32_t *ids, struct tsr_error *err)
{
    static const uint8_t zeros[4096];
    const struct tsr_model *m = s->o.model;
    if (m->head_dim > 1024)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: heads of %u, 1024 are allowed", m->name,
                             m->head_dim);
    enum tsr_status st = write_turns(s, err);
    for (uint32_t i = 0; i < s->plan->n_steps && st == TSR_OK; i++) {
        const struct project_step *step = &s->plan->step[i];
        if (strcmp(step->kernel->name, "embedding") == 0)
            st =
                tsr_sim_write(s->sim, step->op.embedding.ids_address, ids, s->n * sizeof *ids, err);
        const uint64_t rows = step->shared ? 2 * (uint64_t)s->n * m->hidden : 0;
        for (uint64_t at = 0; at < rows && st == TSR_OK; at += sizeof zeros)
            st = tsr_sim_write(s->sim, step->op.moe_combine.x + at, zeros,
                               rows - at < sizeof zeros ? rows - at : sizeof zeros, err);
    }
    return st;
}

static enum tsr_status read_logits(struct npu *s, uint64_t rows, float *logits,
                                   struct tsr_error *err)
{
    const uint64_t n = rows * s->o.model->vocab;
    const float scale = (float)s->o.model->logit_scale;
    enum tsr_status st = tsr_sim_read(s->sim, s->plan->logits, logits, 4 * n, err);
    for (uint64_t i = 0; i < n && scale != 1.0f; i++)
        logits[i] *= scale; /* the host's part */
    return st;
}

/* n tokens together, each operation a launch. */
static enum tsr_status run_tokens(struct npu *s, const uint32_t *ids, uint32_t n, uint32_t position,
                                  bool all, struct tsr_error *err)
{
    enum tsr_status st = plan_tokens(s, (uint64_t)position + n, n, all, err);
    s->token = position;
    s->n = n;
    s->next = 0;
    s->cost.last = 0;
    if (st == TSR_OK)
        st = write_inputs(s, ids, err);
    if (st == TSR_OK)
        st = infer_walk(&s->plan->graph, s->o.model, run_operation, s, err);
    if (st == TSR_OK && n > 1)
        s->cost.prompt_tokens += n;
    else if (st == TSR_OK)
        s->cost.tokens++;
    return st;
}

static enum tsr_status step(struct infer *base, const uint32_t *tokens, uint32_t n, bool all,
                            float *logits, struct tsr_error *err)
{
    struct npu *s = (struct npu *)base;
    enum tsr_status st = TSR_OK;
    all = all && logits != NULL;
    for (uint32_t i = 0, m; i < n && st == TSR_OK; i += m) {
        m = n - i < NPU_BLOCK ? n - i : NPU_BLOCK;
        st = run_tokens(s, tokens + i, m, base->position + i, all, err);
        if (st == TSR_OK && logits != NULL && (all || i + m == n))
            st = read_logits(s, all ? m : 1, all ? logits + (size_t)i * s->o.model->vocab : logits,
                             err);
    }
    return st;
}

static void restart(struct infer *base)
{
    struct npu *s = (struct npu *)base;
    memset(&s->cost, 0, sizeof s->cost);
}

static const struct infer_cost *cost(const struct infer *base)
{
    return &((const struct npu *)base)->cost;
}

/* What the tensor unit multiplies, and what is requantized for it. */
static bool takes(const struct tsr_format *f)
{
    return f->width_class != 0 || f->code == TSR_Q4_K || f->code == TSR_Q6_K;
}

static struct infer_verified verified(const struct infer *base)
{
    return ((const struct npu *)base)->verified;
}

static bool takes_cache(const struct tsr_format *f)
{
    return project_takes_cache(NULL, f);
}

const struct infer_driver infer_npu_driver = {
    takes, takes_cache, create, step, destroy, restart, cost, verified};
