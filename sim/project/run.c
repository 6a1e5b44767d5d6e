/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the programs of a plan, several at a time on host threads. Each has a simulator of its own
 * and its own place for the result, so that neither order nor number of threads can show. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "sim/project/plan.h"

struct pool {
    const struct project_plan *plan;
    struct tsr_stats *stats; /* all per step */
    uint64_t *all_cycles;
    struct tsr_program *program; /* of steps that stand for themselves */
    enum tsr_status *status;
    struct tsr_error *error;
    pthread_mutex_t lock;
    uint32_t next; /* place in `order` */
    uint32_t order[PROJECT_MAX_STEPS], n;
};

static void fill_tokens(void *self, uint32_t tile, uint32_t call, uint32_t *words, uint32_t n)
{
    const struct project_plan *const *p = self;
    for (uint32_t i = 0; i < n; i++)
        words[i] =
            project_draw((*p)->options->seed, tile, (uint64_t)call << 32 | i, (*p)->model->vocab);
}

static enum tsr_status simulate(const struct project_plan *p, const struct project_step *s,
                                const struct tsr_program *program, struct tsr_stats *stats,
                                struct tsr_error *err)
{
    const struct project_options *o = p->options;
    struct tsr_sim *sim = NULL;
    struct tsr_npu_moe_source moe = {0}; /* keeps count of this run's blocks */
    struct tsr_control_source sources[] = {{TSR_CONTROL_TOKENS, fill_tokens, &p},
                                           {.id = TSR_CONTROL_MOE_FIRST},
                                           {.id = TSR_CONTROL_MOE_DISPATCH},
                                           {.id = TSR_CONTROL_MOE_COMBINE},
                                           {.id = TSR_CONTROL_MOE_TOTALS}};
    const bool routes = p->routing != NULL || s->heads;
    size_t n_sources = routes ? sizeof sources / sizeof *sources : 1;
    if (s->heads)
        tsr_npu_moe_source_init(&moe, o->chip, p->tokens, p->model->heads, p->model->heads,
                                p->head_routing);
    else if (s->shared)
        tsr_npu_moe_source_init(&moe, o->chip, p->tokens, 2, 2, p->shared_routing);
    else if (p->routing != NULL)
        tsr_npu_moe_source_init(&moe, o->chip, p->tokens, p->model->experts, p->model->top_k,
                                p->routing);
    for (size_t i = 1; i < n_sources; i++) {
        sources[i].fill = tsr_npu_moe_fill((enum tsr_npu_control)sources[i].id);
        sources[i].self = &moe;
    }
    struct tsr_run_options run = {
        .mode = TSR_MODE_TIMING, .sources = sources, .n_sources = sizeof sources / sizeof *sources};
    enum tsr_status st = tsr_sim_create(o->chip, o->isa, &sim, err);
    if (st == TSR_OK)
        st = tsr_sim_run(sim, program, &run, stats, NULL, err);
    tsr_sim_destroy(sim);
    return st;
}

/* The same step at the addresses of the other layers that run it. */
static enum tsr_status other_layers(struct pool *q, uint32_t i, struct tsr_error *err)
{
    const struct project_plan *p = q->plan;
    const struct project_step *s = &p->step[i];
    const uint8_t kinds = p->graph.ops[s->graph_op].layer_kinds;
    enum tsr_status st = TSR_OK;
    bool first = true;
    q->all_cycles[i] = q->stats[i].cycles;
    for (uint32_t l = 0; l < p->model->layers && st == TSR_OK; l++) {
        const union project_op op = project_at_layer(p, s, l);
        struct tsr_program program;
        struct tsr_stats stats;
        if ((kinds >> p->model->layer_kind[l] & 1) == 0)
            continue;
        if (first) { /* has run */
            first = false;
            continue;
        }
        st = s->kernel->emit(p->options->isa, p->options->chip, &op, &program, err);
        if (st != TSR_OK)
            return st;
        st = simulate(p, s, &program, &stats, err);
        tsr_program_free(&program);
        q->all_cycles[i] += stats.cycles;
    }
    return st;
}

static void *work(void *self)
{
    struct pool *q = self;
    for (;;) {
        pthread_mutex_lock(&q->lock);
        uint32_t at = q->next < q->n ? q->next++ : q->n;
        pthread_mutex_unlock(&q->lock);
        if (at == q->n)
            return NULL;
        uint32_t i = q->order[at];
        q->status[i] =
            simulate(q->plan, &q->plan->step[i], &q->program[i], &q->stats[i], &q->error[i]);
        if (q->status[i] == TSR_OK && q->plan->options->every_layer)
            q->status[i] = other_layers(q, i, &q->error[i]);
    }
}

/* The longest first, so that no thread is left with one: by the MACs, which is what most follow. */
static void sort(struct pool *q)
{
    const struct project_plan *p = q->plan;
    for (uint32_t i = 1; i < q->n; i++)
        for (uint32_t j = i; j > 0; j--) {
            uint32_t a = q->order[j - 1], b = q->order[j];
            if (p->step[a].macs >= p->step[b].macs)
                break;
            q->order[j - 1] = b;
            q->order[j] = a;
        }
}

static void run_threads(struct pool *q, uint32_t threads)
{
    pthread_t id[PROJECT_MAX_THREADS];
    uint32_t started = 0;
    threads = threads < q->n ? threads : q->n;
    /* A thread that cannot be started is one less: this one always works. */
    while (started + 1 < threads && started < PROJECT_MAX_THREADS &&
           pthread_create(&id[started], NULL, work, q) == 0)
        started++;
    work(q);
    for (uint32_t i = 0; i < started; i++)
        pthread_join(id[i], NULL);
}

static enum tsr_status name_step(const struct project_plan *p, uint32_t i, enum tsr_status st,
                                 const struct tsr_error *e, struct tsr_error *err)
{
    return tsr_error_set(err, st, "%s: %s: %s", p->model->name, p->step[i].name, e->message);
}

/* All programs first: what no kernel serves shows before anything has run. */
static enum tsr_status emit(struct pool *q, struct tsr_error *err)
{
    const struct project_plan *p = q->plan;
    for (uint32_t i = 0; i < q->n; i++) {
        uint32_t at = q->order[i];
        struct tsr_error e = {0};
        enum tsr_status st = p->step[at].kernel->emit(p->options->isa, p->options->chip,
                                                      &p->step[at].op, &q->program[at], &e);
        if (st != TSR_OK)
            return name_step(p, at, st, &e, err);
    }
    return TSR_OK;
}

static enum tsr_status run_pool(struct pool *q, struct tsr_error *err)
{
    const struct project_plan *p = q->plan;
    if (pthread_mutex_init(&q->lock, NULL) != 0)
        return tsr_error_set(err, TSR_INTERNAL, "projection: no lock");
    sort(q);
    run_threads(q, p->options->threads);
    pthread_mutex_destroy(&q->lock);
    for (uint32_t i = 0; i < p->n_steps; i++) /* the first in the plan, whoever met it */
        if (q->status[i] != TSR_OK)
            return name_step(p, i, q->status[i], &q->error[i], err);
    return TSR_OK;
}

enum tsr_status project_simulate(const struct project_plan *plan, struct tsr_stats *stats,
                                 uint64_t *all_cycles, struct tsr_error *err)
{
    struct pool q = {.plan = plan, .stats = stats, .all_cycles = all_cycles};
    enum tsr_status st = TSR_OK;
    q.status = calloc(plan->n_steps, sizeof *q.status);
    q.error = calloc(plan->n_steps, sizeof *q.error);
    q.program = calloc(plan->n_steps, sizeof *q.program);
    if (q.status == NULL || q.error == NULL || q.program == NULL)
        st = tsr_error_set(err, TSR_INTERNAL, "projection: out of memory");
    for (uint32_t i = 0; i < plan->n_steps; i++)
        if (plan->step[i].same_as < 0)
            q.order[q.n++] = i;
    if (st == TSR_OK)
        st = emit(&q, err);
    if (st == TSR_OK)
        st = run_pool(&q, err);
    for (uint32_t i = 0; q.program != NULL && i < plan->n_steps; i++)
        tsr_program_free(&q.program[i]);
    free(q.status);
    free(q.error);
    free(q.program);
    return st;
}
