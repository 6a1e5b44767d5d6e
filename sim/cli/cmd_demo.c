/* SPDX-License-Identifier: Apache-2.0 */
/* The main job on the built-in models: tokens/s of each that fits one chip. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/cli/cli.h"
#include "sim/project/project.h"

enum {
    DEMO_SEQ = 2048
};

/* The expert kernel takes no integers. */
static const char *const formats[] = {"bf16", "i8"}, *const moe_formats[] = {"bf16", "f8e4m3"};

struct demo {
    struct project_options o;
    struct tsr_chip chip;
    bool progress; /* a line that is overwritten, on a terminal */
};

static void print_row(const struct project_result *r)
{
    const struct project_options *o = &r->options;
    bool prefill = o->phase == TSR_PREFILL;
    printf("%-16s %-6s %-7s %10.1f %10.3f %7.1f%% %6.1f%%  ", r->model, o->weights->name,
           prefill ? "prefill" : "decode", r->tokens_per_s, 1e3 * r->latency_s,
           100 * r->ttu_utilisation, 100 * r->hbm_utilisation);
    for (uint32_t i = 0; i < r->n_top && i < 2; i++) {
        const struct project_step_result *s = &r->step[r->top[i]];
        enum tsr_queue unit;
        double share;
        enum tsr_wait wait = project_step_wait(s, &unit, &share);
        printf("%s%s %.0f%% (%s %s %.0f%%)", i ? ", " : "", s->name,
               100.0 * (double)project_step_cycles(s) / (double)r->cycles, tsr_queue_name[unit],
               tsr_wait_name[wait], 100 * share);
    }
    printf("\n");
    fflush(stdout);
}

static enum tsr_status project_one(struct demo *d, const struct tsr_model *m, int n_phases,
                                   struct tsr_error *err)
{
    static const enum tsr_phase phases[] = {TSR_DECODE, TSR_PREFILL};
    enum tsr_status st = TSR_OK;
    for (int i = 0; i < n_phases && st == TSR_OK; i++) {
        struct project_result *r = NULL;
        d->o.phase = phases[i];
        if (d->progress)
            fprintf(stderr, "%s %s ...\r", m->name, d->o.weights->name);
        st = project_run(m, &d->o, &r, err);
        if (d->progress)
            fprintf(stderr, "%40s\r", "");
        if (st == TSR_OK)
            print_row(r);
        free(r);
    }
    return st;
}

/* False, after one line that says what it would need, when the model does not fit. */
static bool fits(const struct demo *d, const struct tsr_model *m)
{
    struct tsr_graph_options g = {
        .phase = TSR_PREFILL, .batch = 1, .seq = DEMO_SEQ, .weights = d->o.weights, .kv = d->o.kv};
    struct tsr_fit f = {0};
    struct tsr_error err = {0};
    if (tsr_model_fit(m, &g, &d->chip, &f, &err) == TSR_OK)
        return true;
    printf("%-16s %-6s needs %.1f GiB (weights %.1f): %" PRIu64 " chips of %.0f GiB\n", m->name,
           d->o.weights->name, (double)f.total_bytes / 0x1p30, (double)f.weight_bytes / 0x1p30,
           f.chips, (double)f.hbm_bytes / 0x1p30);
    return false;
}

/* Decode in both formats, where they fit; prefill, which takes longer to simulate, in the first. */
static enum tsr_status one_model(struct demo *d, const char *name, struct tsr_error *err)
{
    struct tsr_model m;
    int shown = 0;
    enum tsr_status st = tsr_model_load(name, &m, err);
    for (size_t i = 0; st == TSR_OK && i < sizeof formats / sizeof *formats; i++) {
        const char *format = m.experts != 0 ? moe_formats[i] : formats[i];
        d->o.weights = d->o.activations = tsr_isa_format(d->o.isa, format);
        if (fits(d, &m))
            st = project_one(d, &m, shown++ == 0 ? 2 : 1, err);
    }
    return st;
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    struct demo d = {.o = {.batch = 1, .seq = DEMO_SEQ, .seed = 1}};
    long host = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t threads = 0;
    d.progress = isatty(STDERR_FILENO);
    enum tsr_status st = cli_isa(c, &d.o.isa, err);
    if (st == TSR_OK)
        st = cli_u64(c, "threads", 1, PROJECT_MAX_THREADS, host > 1 ? 2 : 1, &threads, err);
    if (st == TSR_OK)
        st = tsr_chip_load(cli_has(c, "chip") ? cli_text(c, "chip") : "maia100", &d.chip, err);
    if (st != TSR_OK)
        return st;
    d.o.chip = &d.chip;
    d.o.threads = (uint32_t)threads;
    d.o.kv = tsr_isa_format(d.o.isa, "bf16");
    printf("%s: %u tiles at %.2f GHz, %.2f TB/s, %.0f GiB. One sequence.\n"
           "decode: one step with %d keys in the cache, ms from token to token\n"
           "prefill: a prompt of %d tokens, ms to the first token\n"
           "Every program ran cycle by cycle on all tiles; `tessera project` shows each.\n\n",
           d.chip.name, tsr_chip_tiles(&d.chip), (double)d.chip.clock_hz / 1e9,
           project_hbm_rate(&d.chip) / 1e12, (double)d.chip.hbm.bytes / 0x1p30, DEMO_SEQ, DEMO_SEQ);
    printf("%-16s %-6s %-7s %10s %10s %8s %7s  %s\n", "model", "", "phase", "tokens/s", "ms",
           "tensor", "HBM", "costliest (what they wait for most)");
    for (const char *const *n = tsr_model_names(); st == TSR_OK && *n; n++)
        st = one_model(&d, *n, err);
    return st;
}

static const struct cli_option options[] = {
    {.name = "chip",
     .argument = "CHIP",
     .words = CLI_WORDS_CHIP,
     .doc = "name or file; absent: maia100"},
    {.name = "threads",
     .argument = "N",
     .doc = "host threads at most; absent: 2 where there are two"},
    {0},
};

const struct cli_command cmd_demo = {
    .name = "demo",
    .doc = "the main job on the built-in models: tokens/s of those that fit one chip",
    .options = options,
    .run = run,
    .notes = "Models that do not fit: what they would need, as if everything divided evenly.\n",
};
