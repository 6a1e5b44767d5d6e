/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/formats_table.h"

#define MAX_COUNT (UINT64_C(1) << 31)

const char *project_default_cache(const struct tsr_model *model,
                                  const struct tsr_format *activations,
                                  const struct tsr_format *format)
{
    if (format != NULL && project_takes_cache(model, format))
        return format->name;
    return activations->code == TSR_F16 ? "f16" : "bf16";
}

/* What the options stand for: --format says all that no other does. */
static enum tsr_status read_formats(struct cli *c, const struct tsr_model *model,
                                    struct project_options *o, struct tsr_error *err)
{
    const char *given = cli_text(c, "format");
    const struct tsr_format *all = NULL;
    enum tsr_status st = cli_format(c, o->isa, "format", NULL, &all, err);
    if (st == TSR_OK)
        st = cli_format(c, o->isa, "weights-format", given, &o->weights, err);
    if (st == TSR_OK)
        st = cli_format(c, o->isa, "activations", given, &o->activations, err);
    if (st == TSR_OK && (!o->weights || !o->activations))
        return tsr_error_set(err, TSR_USAGE,
                             "--format FORMAT is missing, or --weights-format and --activations, "
                             "or --formats");
    if (st == TSR_OK)
        st = cli_format(c, o->isa, "kv", project_default_cache(model, o->activations, all), &o->kv,
                        err);
    return st;
}

/* --formats stands alone. */
static enum tsr_status check_options(const struct cli *c, struct tsr_error *err)
{
    static const char *const one[] = {"format", "weights-format", "activations", "kv"};
    for (size_t i = 0; cli_has(c, "formats") && i < sizeof one / sizeof *one; i++)
        if (cli_has(c, one[i]))
            return tsr_error_set(err, TSR_USAGE, "--%s: not with --formats", one[i]);
    return TSR_OK;
}

static enum tsr_status read_price(const struct cli *c, double *out, struct tsr_error *err)
{
    const char *text = cli_text(c, "price-per-hour");
    char *end = NULL;
    if (text == NULL)
        return TSR_OK;
    errno = 0;
    *out = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !isfinite(*out) || *out <= 0)
        return tsr_error_set(err, TSR_USAGE, "--price-per-hour %s: a number above 0 is wanted",
                             text);
    return TSR_OK;
}

static enum tsr_status read_options(struct cli *c, struct project_options *o, struct tsr_chip *chip,
                                    struct tsr_error *err)
{
    uint64_t threads = 1;
    enum tsr_status st = cli_isa(c, &o->isa, err);
    if (st == TSR_OK)
        st = cli_chip(c, chip, err);
    if (st == TSR_OK)
        st = cli_u64(c, "batch", 1, MAX_COUNT, 1, &o->batch, err);
    if (st == TSR_OK)
        st = cli_u64(c, "seq", 1, MAX_COUNT, 1, &o->seq, err);
    if (st == TSR_OK)
        st = cli_u64(c, "seed", 0, UINT64_MAX, 1, &o->seed, err);
    if (st == TSR_OK)
        st = cli_u64(c, "threads", 1, PROJECT_MAX_THREADS, 1, &threads, err);
    if (st == TSR_OK)
        st = read_price(c, &o->price_per_hour, err);
    o->chip = chip;
    o->threads = (uint32_t)threads;
    o->every_layer = cli_has(c, "every-layer");
    o->phase = strcmp(cli_text(c, "phase"), "prefill") == 0 ? TSR_PREFILL : TSR_DECODE;
    if (st == TSR_OK)
        st = check_options(c, err);
    return st;
}

static void print_head(const struct project_result *r)
{
    const struct project_options *o = &r->options;
    bool prefill = o->phase == TSR_PREFILL;
    printf("%s on %s, %s, batch %" PRIu64 ", %s %" PRIu64
           ", weights %s, activations %s, cache %s\n\n",
           r->model, r->chip, prefill ? "prefill" : "decode", o->batch, prefill ? "prompt" : "KV",
           o->seq, o->weights->name, o->activations->name, o->kv->name);
    printf("%14.1f tokens/s\n", r->tokens_per_s);
    printf("%14.4f ms %s\n", 1e3 * r->latency_s,
           prefill ? "to the first token (one prefill, without choosing the token)"
                   : "from token to token (one step)");
    printf("%14.1f %% of the tensor peak, %.1f %% busy\n", 100 * r->ttu_utilisation,
           100 * r->ttu_busy);
    printf("%14.1f %% of the HBM pins, %.2f GiB moved\n", 100 * r->hbm_utilisation,
           (double)r->hbm_bytes / 0x1p30);
    printf("%14.2f GiB of %.0f: weights %.2f, cache %.2f, workspace %.2f\n",
           (double)r->fit.total_bytes / 0x1p30, (double)r->fit.hbm_bytes / 0x1p30,
           (double)r->fit.weight_bytes / 0x1p30, (double)r->fit.kv_bytes / 0x1p30,
           (double)r->fit.workspace_bytes / 0x1p30);
    printf("%14.4f J/token, %.0f W while running: dynamic, assumed constants\n",
           r->joules_per_token, r->energy.total / r->latency_s);
    if (o->price_per_hour > 0)
        printf("%14.4f per million tokens at %g an hour\n", r->cost_per_million_tokens,
               o->price_per_hour);
}

static void print_step(const struct project_result *r, const struct project_step_result *s)
{
    const struct tsr_chip *chip = r->options.chip;
    enum tsr_queue unit;
    double share, cycles = (double)s->stats.cycles;
    enum tsr_wait wait = project_step_wait(s, &unit, &share);
    double bytes = (double)(s->stats.hbm_read_bytes + s->stats.hbm_write_bytes);
    printf("%-19s %-12s %-43s %4" PRIu32 " %10" PRIu64 " %5.1f%% ", s->name, s->kernel, s->shape,
           s->repeat, s->stats.cycles, 100.0 * (double)project_step_cycles(s) / (double)r->cycles);
    if (s->macs_per_cycle > 0)
        printf("%5.1f%% ", 100 * (double)s->macs / (s->macs_per_cycle * cycles));
    else
        printf("%6s ", "-");
    printf("%5.1f%%  %s %s %.0f%%\n",
           100 * bytes / (project_hbm_rate(chip) * cycles / (double)chip->clock_hz),
           tsr_queue_name[unit], tsr_wait_name[wait], 100 * share);
}

static void print_text(const struct project_result *r)
{
    print_head(r);
    printf("\n%-19s %-12s %-43s %4s %10s %6s %6s %6s  %s\n", "operation", "kernel", "shape", "x",
           "cycles", "share", "tensor", "HBM", "waits most for");
    for (uint32_t i = 0; i < r->n_steps; i++)
        print_step(r, &r->step[i]);
    printf("\ncostliest:");
    for (uint32_t i = 0; i < r->n_top; i++)
        printf("%s %s %.1f %%", i ? "," : "", r->step[r->top[i]].name,
               100.0 * (double)project_step_cycles(&r->step[r->top[i]]) / (double)r->cycles);
    printf("\n\ncomposed\n");
    for (uint32_t i = 0; i < r->n_composed; i++)
        printf("  %s\n", r->composed[i]);
    char command[1024];
    project_command(r, command, sizeof command);
    printf("  repeat: %s\n", command);
    printf("assumed\n");
    for (uint32_t i = 0; i < r->n_assumptions; i++)
        printf("  %s\n", r->assumption[i]);
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    struct tsr_model model;
    struct tsr_chip chip;
    struct project_options o = {0};
    struct project_result *r = NULL;
    enum tsr_status st = read_options(c, &o, &chip, err);
    if (st == TSR_OK)
        st = cli_model(cli_text(c, "model"), &model, err);
    if (st == TSR_OK && !cli_has(c, "formats"))
        st = read_formats(c, &model, &o, err);
    if (st == TSR_OK && cli_has(c, "formats"))
        return formats_table(c, &model, &o, err);
    if (st == TSR_OK)
        st = project_run(&model, &o, &r, err);
    if (st != TSR_OK)
        return st;
    if (cli_has(c, "json"))
        st = cli_print_result(project_json(r), err);
    else
        print_text(r);
    free(r);
    return st;
}

static const struct cli_option options[] = {
    {.name = "model",
     .argument = "MODEL",
     .words = CLI_WORDS_MODEL,
     .required = true,
     .doc = "built-in name, or the path of a config.json or of a file of weights"},
    {.name = "chip",
     .argument = "CHIP",
     .words = CLI_WORDS_CHIP,
     .required = true,
     .doc = "name or file"},
    {.name = "phase",
     .argument = "PHASE",
     .words = CLI_WORDS_LIST,
     .list = "prefill decode",
     .required = true,
     .doc = "prefill of a prompt, or one decode step"},
    {.name = "batch", .argument = "B", .required = true, .doc = "sequences"},
    {.name = "seq",
     .argument = "S",
     .required = true,
     .doc = "prefill: tokens of each prompt; decode: keys in the cache, the new one included"},
    {.name = "format",
     .argument = "FORMAT",
     .words = CLI_WORDS_FORMAT,
     .doc = "of weights, activations and, where it takes it, the cache"},
    {.name = "weights-format",
     .argument = "FORMAT",
     .words = CLI_WORDS_FORMAT,
     .doc = "of the matrices, instead of --format"},
    {.name = "activations",
     .argument = "FORMAT",
     .words = CLI_WORDS_FORMAT,
     .doc = "of what enters a matmul, instead of --format"},
    {.name = "kv",
     .argument = "FORMAT",
     .words = CLI_WORDS_FORMAT,
     .doc = "of the cache, instead of --format; absent: as --format where a cache takes that, "
            "else 16 bits"},
    {.name = "formats",
     .argument = "LIST",
     .doc = "a table instead: entries FORMAT or WEIGHTS:ACTIVATIONS:CACHE, commas between"},
    {.name = "seed", .argument = "N", .doc = "of the routing of tokens to experts; absent: 1"},
    {.name = "price-per-hour", .argument = "X", .doc = "of the chip: adds cost per million tokens"},
    {.name = "threads",
     .argument = "N",
     .doc = "host threads at most; the result does not depend on it"},
    {.name = "every-layer",
     .doc = "each layer's program runs, at its own addresses, instead of one for all"},
    {.name = "json", .doc = "for machines"},
    {0},
};

const struct cli_command cmd_project = {
    .name = "project",
    .doc = "tokens/s of a model on a simulated chip, from programs that ran cycle by cycle",
    .options = options,
    .run = run,
    .notes = "tokens/s = batch x seq / time for prefill, batch / time of one step for decode.\n"
             "A model that does not fit the chip's HBM is refused (exit 3) with its sizes.\n",
};
