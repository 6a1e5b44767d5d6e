/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cli.h"
#include "sim/cli/figures.h"
#include "sim/cli/npy.h"
#include "tessera/sim.h"

struct job {
    struct cli *c;
    const struct tsr_isa *isa;
    struct tsr_chip chip;
    struct tsr_program program;
    struct tsr_sim *sim;
    enum tsr_mode mode;
    struct tsr_stats stats;
    struct tsr_fault fault;
};

static const char *const mode_words[] = {"full", "timing", "functional"};

/* The binding that "NAME=FILE" names; *file is set behind the '='. */
static enum tsr_status find_binding(const struct job *j, const char *option, const char *text,
                                    bool output, const struct tsr_binding **out, const char **file,
                                    struct tsr_error *err)
{
    const char *equal = strchr(text, '=');
    size_t n = equal ? (size_t)(equal - text) : 0;
    if (n == 0 || equal[1] == '\0')
        return tsr_error_set(err, TSR_USAGE, "--%s %s: NAME=FILE.npy is wanted", option, text);
    for (uint32_t i = 0; i < j->program.n_bindings; i++) {
        const struct tsr_binding *b = &j->program.bindings[i];
        if (b->output == output && strlen(b->name) == n && memcmp(b->name, text, n) == 0) {
            *out = b;
            *file = equal + 1;
            return TSR_OK;
        }
    }
    return tsr_error_set(err, TSR_USAGE, "--%s %s: the program has no `.tensor %.*s %s`", option,
                         text, (int)n, text, output ? "out" : "in");
}

static enum tsr_status check_shape(const char *file, const struct npy *a,
                                   const struct tsr_binding *b, struct tsr_error *err)
{
    char want[128] = "";
    size_t at = 0;
    bool same = a->dims == b->dims;
    for (uint32_t d = 0; d < b->dims; d++) {
        same = same && a->dim[d] == b->dim[d];
        at += (size_t)snprintf(want + at, sizeof want - at, "%s%" PRIu64, d ? ", " : "", b->dim[d]);
    }
    return same ? TSR_OK
                : tsr_error_set(err, TSR_BAD_INPUT, "%s: the shape of %s is (%s)", file, b->name,
                                want);
}

static enum tsr_status load_input(struct job *j, const struct tsr_binding *b, const char *file,
                                  struct tsr_error *err)
{
    struct npy a = {0};
    uint8_t *codes = NULL;
    size_t bytes = 0, saturated = 0;
    enum tsr_status st = npy_read(file, &a, err);
    if (st == TSR_OK)
        st = check_shape(file, &a, b, err);
    if (st == TSR_OK)
        st = npy_encode(file, &a, &j->isa->formats[b->format], &codes, &bytes, &saturated, err);
    if (st == TSR_OK)
        st = tsr_sim_write(j->sim, b->address, codes, bytes, err);
    if (st == TSR_OK)
        npy_note_saturated("run", file, &j->isa->formats[b->format], saturated);
    free(codes);
    npy_free(&a);
    return st;
}

static enum tsr_status load_inputs(struct job *j, struct tsr_error *err)
{
    bool given[64] = {false};
    size_t at = 0;
    for (const char *text; (text = cli_each(j->c, "input", &at)) != NULL;) {
        const struct tsr_binding *b;
        const char *file;
        enum tsr_status st = find_binding(j, "input", text, false, &b, &file, err);
        if (st == TSR_OK)
            st = load_input(j, b, file, err);
        if (st != TSR_OK)
            return st;
        if (b - j->program.bindings < 64)
            given[b - j->program.bindings] = true;
    }
    for (uint32_t i = 0; i < j->program.n_bindings && i < 64 && j->mode != TSR_MODE_TIMING; i++)
        if (!j->program.bindings[i].output && !given[i])
            return tsr_error_set(err, TSR_USAGE, "--input %s=FILE.npy is missing",
                                 j->program.bindings[i].name);
    return TSR_OK;
}

static enum tsr_status check_outputs(const struct job *j, struct tsr_error *err)
{
    size_t at = 0;
    for (const char *text; (text = cli_each(j->c, "output", &at)) != NULL;) {
        const struct tsr_binding *b;
        const char *file;
        enum tsr_status st = find_binding(j, "output", text, true, &b, &file, err);
        if (st != TSR_OK)
            return st;
        if (j->mode == TSR_MODE_TIMING)
            return tsr_error_set(err, TSR_USAGE, "--output %s: a timing run computes no values",
                                 text);
    }
    return TSR_OK;
}

static enum tsr_status write_output(const struct job *j, const struct tsr_binding *b,
                                    const char *file, struct tsr_error *err)
{
    const struct tsr_format *f = &j->isa->formats[b->format];
    struct npy a = {.dims = b->dims};
    uint64_t n = 1;
    for (uint32_t d = 0; d < b->dims; d++)
        n *= a.dim[d] = b->dim[d];
    if (f->block > 1 || f->bits % 8 != 0 || n > j->chip.hbm.bytes)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: tensors of %s are not written", b->name,
                             f->name);
    size_t bytes = (size_t)n * f->bits / 8;
    uint8_t *codes = malloc(bytes);
    enum tsr_status st = codes ? tsr_sim_read(j->sim, b->address, codes, bytes, err)
                               : tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", file);
    if (st == TSR_OK)
        st = npy_decode(f, codes, &a, err);
    if (st == TSR_OK)
        st = npy_write(file, &a, err);
    free(codes);
    npy_free(&a);
    return st;
}

static enum tsr_status write_outputs(const struct job *j, struct tsr_error *err)
{
    size_t at = 0;
    enum tsr_status st = TSR_OK;
    for (const char *text; st == TSR_OK && (text = cli_each(j->c, "output", &at)) != NULL;) {
        const struct tsr_binding *b;
        const char *file;
        st = find_binding(j, "output", text, true, &b, &file, err);
        if (st == TSR_OK)
            st = write_output(j, b, file, err);
    }
    return st;
}

static json_t *describe_fault(const struct tsr_fault *f)
{
    json_t *o = json_object();
    if (f->kind == TSR_FAULT_NONE) {
        json_decref(o);
        return json_null();
    }
    json_object_set_new(o, "kind", json_string(tsr_fault_name[f->kind]));
    json_object_set_new(o, "cycle", json_integer((json_int_t)f->cycle));
    json_object_set_new(o, "tile", json_integer(f->tile));
    json_object_set_new(o, "unit", json_string(tsr_queue_name[f->queue]));
    json_object_set_new(o, "word", json_integer(f->pc));
    json_object_set_new(o, "text", json_string(f->text));
    return o;
}

static json_t *describe_units(const struct tsr_stats *st)
{
    json_t *units = json_object();
    for (int q = 0; q < TSR_QUEUES; q++) {
        json_t *u = json_object(), *waits = figures_waits(st, (enum tsr_queue)q);
        json_object_set_new(u, "instructions", json_integer((json_int_t)st->instructions[q]));
        json_object_set_new(u, "busy", json_integer((json_int_t)st->unit[q][TSR_WAIT_BUSY]));
        json_object_update(u, waits);
        json_decref(waits);
        json_object_set_new(units, tsr_queue_name[q], u);
    }
    return units;
}

static const struct {
    const char *name;
    size_t at;
} counters[] = {
    {"hbm_read", offsetof(struct tsr_stats, hbm_read_bytes)},
    {"hbm_write", offsetof(struct tsr_stats, hbm_write_bytes)},
    {"csram", offsetof(struct tsr_stats, csram_bytes)},
    {"mesh", offsetof(struct tsr_stats, mesh_bytes)},
    {"tile_in", offsetof(struct tsr_stats, tile_in_bytes)},
    {"tile_out", offsetof(struct tsr_stats, tile_out_bytes)},
    {"tsram_read", offsetof(struct tsr_stats, tsram_read_bytes)},
    {"tsram_write", offsetof(struct tsr_stats, tsram_write_bytes)},
};
enum {
    COUNTERS = sizeof counters / sizeof *counters
};

static uint64_t counter(const struct tsr_stats *st, int i)
{
    return *(const uint64_t *)(const void *)((const char *)st + counters[i].at);
}

static enum tsr_status print_json(const struct job *j, struct tsr_error *err)
{
    const struct tsr_stats *st = &j->stats;
    json_t *o = json_object(), *bytes = json_object();
    json_object_set_new(o, "chip", json_string(j->chip.name));
    json_object_set_new(o, "mode", json_string(mode_words[j->mode]));
    if (j->mode != TSR_MODE_FUNCTIONAL) {
        json_object_set_new(o, "cycles", json_integer((json_int_t)st->cycles));
        json_object_set_new(o, "seconds", json_real((double)st->cycles / (double)j->chip.clock_hz));
        json_object_set_new(o, "macs", json_integer((json_int_t)st->macs));
        json_object_set_new(o, "ttu_busy", json_real(figures_ttu_busy(&j->chip, st)));
        json_object_set_new(o, "hbm_utilisation", json_real(figures_hbm_utilisation(&j->chip, st)));
        for (int i = 0; i < COUNTERS; i++)
            json_object_set_new(bytes, counters[i].name, json_integer((json_int_t)counter(st, i)));
        json_object_set(o, "bytes", bytes);
        json_object_set_new(o, "hbm_row_hits", json_integer((json_int_t)st->hbm_row_hits));
        json_object_set_new(o, "hbm_row_misses", json_integer((json_int_t)st->hbm_row_misses));
        json_object_set_new(o, "units", describe_units(st));
    }
    json_decref(bytes);
    json_object_set_new(o, "fault", describe_fault(&j->fault));
    return cli_print_result(o, err);
}

static void print_text(const struct job *j)
{
    const struct tsr_stats *st = &j->stats;
    if (j->mode == TSR_MODE_FUNCTIONAL) {
        printf("%s, functional run: done, no cycles are counted\n", j->chip.name);
        return;
    }
    printf("%s, %s run: %" PRIu64 " cycles, %.3f us\n\n", j->chip.name, mode_words[j->mode],
           st->cycles, 1e6 * (double)st->cycles / (double)j->chip.clock_hz);
    printf("%-5s %12s", "unit", "instructions");
    for (int w = 0; w < TSR_WAITS; w++)
        printf(" %12s", tsr_wait_name[w]);
    printf("   cycles, summed over tiles\n");
    for (int q = 0; q < TSR_QUEUES; q++) {
        printf("%-5s %12" PRIu64, tsr_queue_name[q], st->instructions[q]);
        for (int w = 0; w < TSR_WAITS; w++)
            printf(" %12" PRIu64, st->unit[q][w]);
        printf("\n");
    }
    printf("\nbytes:");
    for (int i = 0; i < COUNTERS; i++)
        printf(" %s %" PRIu64, counters[i].name, counter(st, i));
    printf("\nmacs %" PRIu64 ", tensor units busy %.1f %%, HBM %.1f %% of the pins\n", st->macs,
           100.0 * figures_ttu_busy(&j->chip, st), 100.0 * figures_hbm_utilisation(&j->chip, st));
}

static enum tsr_status simulate(struct job *j, struct tsr_error *err)
{
    struct tsr_run_options o = {.mode = j->mode, .check_races = cli_has(j->c, "races")};
    enum tsr_status st = load_inputs(j, err);
    if (st == TSR_OK)
        st = cli_u64(j->c, "limit", 1, UINT64_C(1000000000000), 0, &o.limit_cycles, err);
    if (st != TSR_OK)
        return st;
    st = tsr_sim_run(j->sim, &j->program, &o, &j->stats, &j->fault, err);
    if (st != TSR_OK && st != TSR_FAULT)
        return st;
    if (st == TSR_OK)
        st = write_outputs(j, err);
    if (st != TSR_OK && st != TSR_FAULT)
        return st;
    if (!cli_has(j->c, "json")) {
        print_text(j);
        return st;
    }
    enum tsr_status printed = print_json(j, err);
    return st == TSR_OK ? printed : st;
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    struct job j = {.c = c};
    const char *mode = cli_text(c, "mode");
    for (int m = 0; mode && m < 3; m++)
        if (strcmp(mode, mode_words[m]) == 0)
            j.mode = (enum tsr_mode)m;
    if (cli_has(c, "races") && j.mode != TSR_MODE_FULL)
        return tsr_error_set(err, TSR_USAGE, "--races: only a full run checks them");
    enum tsr_status st = cli_isa(c, &j.isa, err);
    if (st == TSR_OK)
        st = cli_chip(c, &j.chip, err);
    if (st == TSR_OK)
        st = cli_program(j.isa, c->positional[0], &j.program, err);
    if (st != TSR_OK)
        return st;
    st = check_outputs(&j, err);
    if (st == TSR_OK)
        st = tsr_sim_create(&j.chip, j.isa, &j.sim, err);
    if (st == TSR_OK)
        st = simulate(&j, err);
    tsr_sim_destroy(j.sim);
    tsr_program_free(&j.program);
    return st;
}

static const struct cli_option options[] = {
    {.name = "chip",
     .argument = "CHIP",
     .words = CLI_WORDS_CHIP,
     .required = true,
     .doc = "name or file"},
    {.name = "mode",
     .argument = "MODE",
     .words = CLI_WORDS_LIST,
     .list = "full timing functional",
     .doc = "values and cycles (the default), or one of them"},
    {.name = "input",
     .argument = "NAME=FILE",
     .words = CLI_WORDS_FILE,
     .repeats = true,
     .doc = "a .npy file for `.tensor NAME in`"},
    {.name = "output",
     .argument = "NAME=FILE",
     .words = CLI_WORDS_FILE,
     .repeats = true,
     .doc = "where `.tensor NAME out` goes, as .npy"},
    {.name = "races", .doc = "check that no two accesses race (full runs)"},
    {.name = "limit", .argument = "CYCLES", .doc = "stop with a fault after so many"},
    {.name = "json", .doc = "for machines"},
    {0},
};

const struct cli_command cmd_run = {
    .name = "run",
    .doc = "run a program, text or binary, on a simulated chip",
    .positional = "PROG",
    .min_positional = 1,
    .max_positional = 1,
    .words = CLI_WORDS_FILE,
    .options = options,
    .run = run,
    .notes = "Arrays: float32, float16, int8, int32. Inputs are rounded to the tensor's format,\n"
             "outputs written as the type that holds it exactly. A fault ends with exit code 4.\n",
};
