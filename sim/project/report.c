/* SPDX-License-Identifier: Apache-2.0 */
/* The result as JSON. Keys in a fixed order; no host times, so that equal runs give equal bytes. */
#include <string.h>

#include "sim/project/project.h"

enum {
    SCHEMA = 1
};

static void set_int(json_t *o, const char *key, uint64_t v)
{
    json_object_set_new(o, key, json_integer((json_int_t)v));
}

static void set_real(json_t *o, const char *key, double v)
{
    json_object_set_new(o, key, json_real(v));
}

static void set_text(json_t *o, const char *key, const char *v)
{
    json_object_set_new(o, key, json_string(v));
}

/* Cycles by reason of every unit that was used, summed over tiles, busy included. */
static json_t *waits(const struct tsr_stats *st)
{
    json_t *all = json_object();
    for (int q = 0; q < TSR_QUEUES; q++) {
        if (q != TSR_Q_TTU && st->instructions[q] == 0)
            continue;
        json_t *o = json_object();
        for (int w = 0; w < TSR_WAITS; w++)
            set_int(o, tsr_wait_name[w], st->unit[q][w]);
        json_object_set_new(all, tsr_queue_name[q], o);
    }
    return all;
}

static json_t *one(const struct project_result *r, const struct project_step_result *s)
{
    const struct tsr_stats *st = &s->stats;
    const struct tsr_chip *chip = r->options.chip;
    double cycles = (double)st->cycles, bytes = (double)(st->hbm_read_bytes + st->hbm_write_bytes);
    json_t *o = json_object();
    set_text(o, "name", s->name);
    set_text(o, "kernel", s->kernel);
    set_text(o, "shape", s->shape);
    set_int(o, "repeat", s->repeat);
    json_object_set_new(o, "run_of",
                        s->same_as < 0 ? json_null() : json_string(r->step[s->same_as].name));
    set_int(o, "cycles", st->cycles);
    set_int(o, "total_cycles", project_step_cycles(s));
    set_real(o, "share", (double)project_step_cycles(s) / (double)r->cycles);
    set_int(o, "macs", s->macs);
    set_real(o, "ttu_utilisation",
             s->macs_per_cycle > 0 ? (double)s->macs / (s->macs_per_cycle * cycles) : 0);
    set_real(o, "ttu_busy", (double)st->ttu_cycles / (tsr_chip_tiles(chip) * cycles));
    set_real(o, "hbm_utilisation",
             bytes / (project_hbm_rate(chip) * cycles / (double)chip->clock_hz));
    set_int(o, "hbm_read_bytes", st->hbm_read_bytes);
    set_int(o, "hbm_write_bytes", st->hbm_write_bytes);
    set_int(o, "mesh_bytes", st->mesh_bytes);
    set_int(o, "csram_bytes", st->csram_bytes);
    set_int(o, "tile_in_bytes", st->tile_in_bytes);
    set_int(o, "tile_out_bytes", st->tile_out_bytes);
    set_int(o, "tsram_bytes", st->tsram_read_bytes + st->tsram_write_bytes);
    set_int(o, "events", st->events);
    json_object_set_new(o, "waits", waits(st));
    return o;
}

static json_t *top(const struct project_result *r)
{
    json_t *a = json_array();
    for (uint32_t i = 0; i < r->n_top; i++) {
        const struct project_step_result *s = &r->step[r->top[i]];
        enum tsr_queue unit;
        double share;
        enum tsr_wait wait = project_step_wait(s, &unit, &share);
        json_t *o = json_object();
        set_text(o, "name", s->name);
        set_real(o, "share", (double)project_step_cycles(s) / (double)r->cycles);
        set_text(o, "unit", tsr_queue_name[unit]);
        set_text(o, "waits_for", tsr_wait_name[wait]);
        set_real(o, "wait_share", share);
        json_array_append_new(a, o);
    }
    return a;
}

static json_t *energy(const struct project_result *r)
{
    const struct project_energy *e = &r->energy;
    json_t *o = json_object();
    json_object_set_new(o, "assumed", json_true());
    set_real(o, "joules_per_token", r->joules_per_token);
    set_real(o, "watts", e->total / r->latency_s);
    set_real(o, "mac_j", e->mac);
    set_real(o, "tsram_j", e->tsram);
    set_real(o, "csram_j", e->csram);
    set_real(o, "mesh_j", e->mesh);
    set_real(o, "hbm_j", e->hbm);
    return o;
}

static json_t *fit(const struct project_result *r)
{
    json_t *o = json_object();
    set_int(o, "weight_bytes", r->fit.weight_bytes);
    set_int(o, "kv_bytes", r->fit.kv_bytes);
    set_int(o, "workspace_bytes", r->fit.workspace_bytes);
    set_int(o, "total_bytes", r->fit.total_bytes);
    set_int(o, "hbm_bytes", r->fit.hbm_bytes);
    return o;
}

/* What was asked. */
static json_t *head(const struct project_result *r)
{
    const struct project_options *p = &r->options;
    json_t *o = json_object();
    set_int(o, "schema", SCHEMA);
    set_text(o, "model", r->model);
    set_text(o, "chip", r->chip);
    set_text(o, "phase", p->phase == TSR_PREFILL ? "prefill" : "decode");
    set_int(o, "batch", p->batch);
    set_int(o, "seq", p->seq);
    set_text(o, "weights_format", p->weights->name);
    set_text(o, "activations", p->activations->name);
    set_text(o, "kv", p->kv->name);
    char command[1024];
    project_command(r, command, sizeof command);
    set_text(o, "command", command);
    set_int(o, "parameters_total", r->params.total);
    set_int(o, "parameters_active", r->params.active);
    return o;
}

static json_t *strings(const char *first, size_t size, uint32_t n)
{
    json_t *a = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(a, json_string(first + i * size));
    return a;
}

json_t *project_json(const struct project_result *r)
{
    bool prefill = r->options.phase == TSR_PREFILL;
    json_t *o = head(r), *ops = json_array();
    set_real(o, "tokens_per_s", r->tokens_per_s);
    set_real(o, "latency_s", r->latency_s);
    json_object_set_new(o, "time_to_first_token_s",
                        prefill ? json_real(r->latency_s) : json_null());
    json_object_set_new(o, "inter_token_latency_s",
                        prefill ? json_null() : json_real(r->latency_s));
    set_int(o, "cycles", r->cycles);
    set_real(o, "ttu_utilisation", r->ttu_utilisation);
    set_real(o, "ttu_busy", r->ttu_busy);
    set_real(o, "hbm_utilisation", r->hbm_utilisation);
    set_int(o, "hbm_bytes", r->hbm_bytes);
    set_int(o, "macs", r->macs);
    json_object_set_new(o, "memory", fit(r));
    json_object_set_new(o, "energy", energy(r));
    if (r->options.price_per_hour > 0)
        set_real(o, "cost_per_million_tokens", r->cost_per_million_tokens);
    json_object_set_new(o, "top", top(r));
    set_int(o, "simulated_programs", r->simulated);
    set_int(o, "launches", r->launches);
    json_object_set_new(o, "composed", strings(r->composed[0], sizeof *r->composed, r->n_composed));
    json_object_set_new(o, "assumptions",
                        strings(r->assumption[0], sizeof *r->assumption, r->n_assumptions));
    for (uint32_t i = 0; i < r->n_steps; i++)
        json_array_append_new(ops, one(r, &r->step[i]));
    json_object_set_new(o, "ops", ops);
    return o;
}
