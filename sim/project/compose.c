/* SPDX-License-Identifier: Apache-2.0 */
/* From runs to the phase: sums, utilisation, the costliest steps, what was composed. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/project/plan.h"

double project_peak(const struct tsr_chip *chip, const struct tsr_format *a,
                    const struct tsr_format *b)
{
    const struct tsr_ttu_config *t = &chip->tile.ttu;
    uint8_t w = a->width_class > b->width_class ? a->width_class : b->width_class;
    uint32_t r = w == 16 ? t->r16 : w == 9 ? t->r9 : w == 6 ? t->r6 : 0;
    return (double)tsr_chip_tiles(chip) * t->dim * t->dim * r;
}

double project_hbm_rate(const struct tsr_chip *chip)
{
    const struct tsr_hbm_config *h = &chip->hbm;
    return (double)h->stacks * h->channels * h->channel_bits / 8 * 2 * (double)chip->clock_hz *
           h->clock_num / h->clock_den;
}

uint64_t project_step_cycles(const struct project_step_result *s)
{
    return s->all_cycles != 0 ? s->all_cycles : s->stats.cycles * s->repeat;
}

/* Cycles, over all tiles, in which a unit had nothing queued. */
static double idle(const struct tsr_stats *st, enum tsr_queue q)
{
    uint64_t all = 0;
    for (int w = 0; w < TSR_WAITS; w++)
        all += st->unit[q][w];
    return all ? (double)st->unit[q][TSR_WAIT_DRAINED] / (double)all : 1;
}

enum tsr_wait project_step_wait(const struct project_step_result *s, enum tsr_queue *unit,
                                double *share)
{
    static const enum tsr_queue order[] = {TSR_Q_TTU,  TSR_Q_TVP,  TSR_Q_DMA0,
                                           TSR_Q_DMA1, TSR_Q_DMA2, TSR_Q_DMA3};
    const struct tsr_stats *st = &s->stats;
    enum tsr_queue q = TSR_Q_TTU;
    for (size_t i = 0; i < sizeof order / sizeof *order && idle(st, q) > 0.5; i++)
        if (idle(st, order[i]) < idle(st, q))
            q = order[i];
    enum tsr_wait longest = TSR_WAIT_SEMAPHORE;
    uint64_t all = 0;
    for (int w = 0; w < TSR_WAITS; w++) {
        all += st->unit[q][w];
        if (w != TSR_WAIT_BUSY && w != TSR_WAIT_DRAINED && st->unit[q][w] > st->unit[q][longest])
            longest = (enum tsr_wait)w;
    }
    *unit = q;
    *share = all ? (double)st->unit[q][longest] / (double)all : 0;
    return longest;
}

static void find_top(struct project_result *r)
{
    bool taken[PROJECT_MAX_STEPS] = {false};
    while (r->n_top < PROJECT_TOP && r->n_top < r->n_steps) {
        uint32_t best = PROJECT_MAX_STEPS;
        for (uint32_t i = 0; i < r->n_steps; i++)
            if (!taken[i] && (best == PROJECT_MAX_STEPS || project_step_cycles(&r->step[i]) >
                                                               project_step_cycles(&r->step[best])))
                best = i;
        taken[best] = true;
        r->top[r->n_top++] = best;
    }
}

static void note(struct project_result *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void note(struct project_result *r, const char *format, ...)
{
    va_list ap;
    if (r->n_composed == sizeof r->composed / sizeof *r->composed)
        return;
    va_start(ap, format);
    vsnprintf(r->composed[r->n_composed++], sizeof r->composed[0], format, ap);
    va_end(ap);
}

static void say_what_was_composed(struct project_result *r)
{
    uint32_t repeated = 0;
    for (uint32_t i = 0; i < r->n_steps; i++)
        repeated = r->step[i].repeat > repeated ? r->step[i].repeat : repeated;
    note(r,
         "simulated: %llu programs, each once with all tiles contending; composed: %llu launches",
         (unsigned long long)(r->options.every_layer ? r->launches : r->simulated),
         (unsigned long long)r->launches);
    note(r, "time = sum over the steps of cycles x repeat: no overlap, each with its launch");
    if (r->options.every_layer)
        note(r, "layers: every layer's programs ran, at its own addresses");
    else if (repeated > 1)
        note(r, "layers: the program of one layer stands for its %u repeats at other addresses",
             repeated);
    for (uint32_t i = 0; i < r->n_steps; i++)
        if (r->step[i].same_as >= 0)
            note(r, "%s: the run of %s, the same program with other weights", r->step[i].name,
                 r->step[r->step[i].same_as].name);
}

void project_compose(struct project_result *r)
{
    const struct project_options *o = &r->options;
    uint64_t busy = 0;
    for (uint32_t i = 0; i < r->n_steps; i++) {
        struct project_step_result *s = &r->step[i];
        r->cycles += project_step_cycles(s);
        r->macs += s->macs * s->repeat;
        r->hbm_bytes += (s->stats.hbm_read_bytes + s->stats.hbm_write_bytes) * s->repeat;
        r->launches += s->repeat;
        r->simulated += s->same_as < 0;
        busy += s->stats.ttu_cycles * s->repeat;
    }
    double cycles = (double)r->cycles;
    uint64_t tokens = o->phase == TSR_PREFILL ? o->batch * o->seq : o->batch;
    r->latency_s = cycles / (double)o->chip->clock_hz;
    r->tokens_per_s = (double)tokens / r->latency_s;
    r->ttu_utilisation =
        (double)r->macs / (project_peak(o->chip, o->activations, r->stored) * cycles);
    r->ttu_busy = (double)busy / (tsr_chip_tiles(o->chip) * cycles);
    r->hbm_utilisation = (double)r->hbm_bytes / (project_hbm_rate(o->chip) * r->latency_s);
    project_estimate_energy(r);
    r->joules_per_token = r->energy.total / (double)tokens;
    if (o->price_per_hour > 0)
        r->cost_per_million_tokens = o->price_per_hour / (r->tokens_per_s * 3600) * 1e6;
    find_top(r);
    say_what_was_composed(r);
}

void project_command(const struct project_result *r, char *out, size_t cap)
{
    const struct project_options *o = &r->options;
    bool built_in = false;
    for (const char *const *n = tsr_chip_names(); *n != NULL; n++)
        built_in = built_in || strcmp(*n, o->chip->name) == 0;
    snprintf(out, cap,
             "tessera project --model %s --chip %s --phase %s --batch %llu --seq %llu --format %s "
             "--activations %s --kv %s --seed %llu%s",
             r->model, built_in ? o->chip->name : o->chip->file,
             o->phase == TSR_PREFILL ? "prefill" : "decode", (unsigned long long)o->batch,
             (unsigned long long)o->seq, o->weights->name, o->activations->name, o->kv->name,
             (unsigned long long)o->seed, o->every_layer ? " --every-layer" : "");
}

static void take_plan(struct project_result *r, const struct project_plan *p)
{
    r->options = *p->options;
    r->stored = p->weights;
    snprintf(r->model, sizeof r->model, "%s", p->model->name);
    snprintf(r->chip, sizeof r->chip, "%s", p->options->chip->name);
    tsr_model_count(p->model, &r->params);
    r->fit = project_plan_fit(p);
    r->n_steps = p->n_steps;
    for (uint32_t i = 0; i < p->n_steps; i++) {
        const struct project_step *s = &p->step[i];
        struct project_step_result *t = &r->step[i];
        memcpy(t->name, s->name, sizeof t->name);
        t->kernel = s->kernel->name;
        s->kernel->describe(&s->op, t->shape, sizeof t->shape);
        t->repeat = s->repeat;
        t->same_as = s->same_as;
        t->macs = s->macs;
        t->macs_per_cycle = s->macs_per_cycle;
    }
    r->n_assumptions = p->n_assumptions;
    memcpy(r->assumption, p->assumption, sizeof r->assumption);
}

static enum tsr_status run(const struct tsr_model *model, const struct project_options *options,
                           struct project_plan *p, struct tsr_stats *stats,
                           struct project_result *r, struct tsr_error *err)
{
    uint64_t all_cycles[PROJECT_MAX_STEPS] = {0};
    enum tsr_status st = project_plan(model, options, p, err);
    if (st == TSR_OK)
        st = project_simulate(p, stats, all_cycles, err);
    if (st != TSR_OK)
        return st;
    take_plan(r, p);
    for (uint32_t i = 0; i < r->n_steps; i++)
        r->step[i].stats = stats[r->step[i].same_as < 0 ? i : (uint32_t)r->step[i].same_as];
    for (uint32_t i = 0; i < r->n_steps; i++)
        r->step[i].all_cycles = all_cycles[i];
    project_compose(r);
    return TSR_OK;
}

enum tsr_status project_run(const struct tsr_model *model, const struct project_options *options,
                            struct project_result **out, struct tsr_error *err)
{
    struct project_plan *p = calloc(1, sizeof *p);
    struct project_result *r = calloc(1, sizeof *r);
    struct tsr_stats *stats = calloc(PROJECT_MAX_STEPS, sizeof *stats);
    enum tsr_status st = p && r && stats ? run(model, options, p, stats, r, err)
                                         : tsr_error_set(err, TSR_INTERNAL, "out of memory");
    if (p != NULL)
        project_plan_free(p);
    free(p);
    free(stats);
    if (st != TSR_OK) {
        free(r);
        return st;
    }
    *out = r;
    return TSR_OK;
}
