/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/accuracy.h"
#include "sim/cli/npy.h"
#include "sim/cli/quant.h"
#include "sim/cli/samples.h"

enum {
    ROWS = 64,
    COLS = 4096,
    MAX_SETS = 3
};

/* Rows of values under a name. */
struct set {
    const char *name;
    uint32_t *x;
    size_t rows, cols;
};

struct error_figures {
    double snr_db; /* infinite: exact */
    double max_rel, mean_rel;
};

static enum tsr_status make(struct set *set, const char *name, uint64_t seed, float gain,
                            struct tsr_error *err)
{
    *set = (struct set){.name = name, .rows = ROWS, .cols = COLS};
    return samples_normal(seed, ROWS, COLS, gain, &set->x, err);
}

static enum tsr_status read_set(const char *file, struct set *set, struct tsr_error *err)
{
    struct npy a = {0};
    enum tsr_status st = npy_read(file, &a, err);
    *set = (struct set){.name = file};
    if (st == TSR_OK && a.n == 0)
        st = tsr_error_set(err, TSR_BAD_INPUT, "%s: the array is empty", file);
    if (st == TSR_OK)
        st = npy_to_f32(file, &a, &set->x, err);
    for (size_t i = 0; st == TSR_OK && i < a.n; i++)
        if ((set->x[i] & 0x7FFFFFFF) >= TSR_NUM_INF)
            st = tsr_error_set(err, TSR_BAD_INPUT, "%s: value %zu is NaN or infinite", file, i);
    if (st == TSR_OK) {
        set->cols = a.dims ? (size_t)a.dim[a.dims - 1] : 1;
        set->rows = a.n / set->cols;
    }
    npy_free(&a);
    return st;
}

/* Sums in order, in double. Relative errors of what is not zero. */
static struct error_figures compare(const uint32_t *x, const uint32_t *y, size_t n)
{
    struct samples_power p = {0};
    double sum = 0, max = 0;
    size_t nonzero = 0;
    for (size_t i = 0; i < n; i++) {
        double v = (double)samples_value(x[i]), d = (double)samples_value(y[i]) - v;
        p.signal += v * v;
        p.noise += d * d;
        if (v == 0)
            continue;
        double rel = fabs(d) / fabs(v);
        sum += rel;
        max = rel > max ? rel : max;
        nonzero++;
    }
    return (struct error_figures){
        .snr_db = samples_snr(&p), .max_rel = max, .mean_rel = nonzero ? sum / (double)nonzero : 0};
}

static enum tsr_status measure(const struct quant *s, const struct set *set,
                               struct error_figures *out, struct tsr_error *err)
{
    struct quant own = *s;
    struct quant_codes codes = {0};
    uint32_t *y = malloc(4 * set->rows * set->cols);
    enum tsr_status st = y ? quant_array(&own, set->x, set->rows, set->cols, &codes, y, err)
                           : tsr_error_set(err, TSR_INTERNAL, "out of memory");
    if (st == TSR_OK)
        *out = compare(set->x, y, set->rows * set->cols);
    free(codes.elements);
    free(y);
    return st;
}

static json_t *describe(const struct tsr_format *f, const char *data, const struct error_figures *e)
{
    json_t *o = json_object();
    json_object_set_new(o, "format", json_string(f->name));
    json_object_set_new(o, "data", json_string(data));
    json_object_set_new(o, "bits_per_element", json_real(quant_bits(f)));
    json_object_set_new(o, "snr_db", samples_json(e->snr_db));
    json_object_set_new(o, "max_relative_error", samples_json(e->max_rel));
    json_object_set_new(o, "mean_relative_error", samples_json(e->mean_rel));
    return o;
}

static void print_row(const struct tsr_format *f, const char *data, const struct error_figures *e)
{
    char snr[32];
    printf("%-10s %-9s %6.3f %8s %12.5g %12.5g\n", f->name, data, quant_bits(f),
           samples_text(e->snr_db, snr, sizeof snr), e->max_rel, e->mean_rel);
}

/* One format on all sets; `skip`: a format that does not take them is left out. *first: the SNR on
 * the first set, untouched where left out. */
static enum tsr_status one_format(struct cli *c, const struct tsr_isa *isa,
                                  const struct tsr_format *f, const struct set *sets, size_t n,
                                  bool skip, json_t *all, double *first, struct tsr_error *err)
{
    struct quant s;
    enum tsr_status st = quant_options(c, isa, f, &s, err);
    for (size_t i = 0; i < n && st == TSR_OK; i++) {
        struct error_figures e;
        struct tsr_error why = {0};
        if (quant_check(&s, sets[i].cols, &why) != TSR_OK) {
            if (!skip)
                return tsr_error_set(err, why.status, "%s: %s", sets[i].name, why.message);
            if (f->code != TSR_I32)
                fprintf(stderr, "tessera accuracy: left out: %s\n", why.message);
            break;
        }
        st = measure(&s, &sets[i], &e, err);
        if (st == TSR_OK && i == 0)
            *first = e.snr_db;
        if (st == TSR_OK && cli_has(c, "json"))
            json_array_append_new(all, describe(f, sets[i].name, &e));
        else if (st == TSR_OK)
            print_row(f, sets[i].name, &e);
    }
    return st;
}

static enum tsr_status all_formats(struct cli *c, const struct set *sets, size_t n,
                                   struct tsr_error *err)
{
    const struct tsr_isa *isa;
    const struct tsr_format *f = NULL;
    struct accuracy_rank rank[TSR_DTYPE_MAX];
    size_t ranks = 0;
    enum tsr_status st = cli_isa(c, &isa, err);
    bool every = strcmp(cli_text(c, "format"), "all") == 0, json = cli_has(c, "json");
    if (st == TSR_OK && !every)
        st = cli_format(c, isa, "format", NULL, &f, err);
    if (st == TSR_OK && !every)
        st = quant_refuse_unused(c, f, err);
    if (st != TSR_OK)
        return st;
    json_t *all = json_array();
    if (!json)
        printf("%-10s %-9s %6s %8s %12s %12s\n", "format", "data", "bits", "SNR dB", "max rel",
               "mean rel");
    for (int i = 0; i < TSR_DTYPE_MAX && st == TSR_OK; i++) {
        double snr = NAN;
        if (!isa->has_format[i] || (!every && f != &isa->formats[i]))
            continue;
        st = one_format(c, isa, &isa->formats[i], sets, n, every, all, &snr, err);
        if (!isnan(snr))
            rank[ranks++] = (struct accuracy_rank){isa->formats[i].name, snr};
    }
    if (st == TSR_OK && every && !json)
        accuracy_print_order(rank, ranks);
    if (st == TSR_OK && json)
        return cli_print_json(all, err);
    json_decref(all);
    return st;
}

static enum tsr_status of_values(struct cli *c, struct tsr_error *err)
{
    struct set sets[MAX_SETS] = {0};
    size_t n = 0;
    uint64_t seed;
    enum tsr_status st = cli_u64(c, "seed", 0, UINT64_MAX, 1, &seed, err);
    const char *file = cli_text(c, "npy");
    if (st == TSR_OK)
        st = make(&sets[n++], "normal", seed, 1, err);
    if (st == TSR_OK)
        st = make(&sets[n++], "outliers", seed, SAMPLES_OUTLIER_GAIN, err);
    if (st == TSR_OK && file)
        st = read_set(file, &sets[n++], err);
    if (st == TSR_OK)
        st = all_formats(c, sets, n, err);
    for (size_t i = 0; i < n; i++)
        free(sets[i].x);
    return st;
}

/* Options of a model's matmuls and of single values do not mix. */
static enum tsr_status check_options(const struct cli *c, struct tsr_error *err)
{
    static const char *const values[] = {"npy", "round", "scales", "scale-format", "tensor-scale"};
    static const char *const products[] = {"chip", "weights-format", "activations"};
    bool model = cli_has(c, "model");
    for (size_t i = 0; model && i < sizeof values / sizeof *values; i++)
        if (cli_has(c, values[i]))
            return tsr_error_set(err, TSR_USAGE, "--%s: not with --model", values[i]);
    for (size_t i = 0; !model && i < sizeof products / sizeof *products; i++)
        if (cli_has(c, products[i]))
            return tsr_error_set(err, TSR_USAGE, "--%s: only with --model", products[i]);
    if (!model && !cli_has(c, "format"))
        return tsr_error_set(err, TSR_USAGE, "--format FORMAT is missing");
    return TSR_OK;
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    enum tsr_status st = check_options(c, err);
    if (st != TSR_OK)
        return st;
    return cli_has(c, "model") ? accuracy_of_model(c, err) : of_values(c, err);
}

static const struct cli_option options[] = {
    {.name = "format",
     .argument = "FORMAT",
     .words = CLI_WORDS_FORMAT,
     .doc = "or all; with --model of weights and activations"},
    {.name = "model",
     .argument = "MODEL",
     .words = CLI_WORDS_MODEL,
     .doc = "the matmuls of a model: built-in name, or the path of a config.json"},
    {.name = "weights-format",
     .argument = "FORMAT",
     .words = CLI_WORDS_FORMAT,
     .doc = "with --model: of the weights, instead of --format"},
    {.name = "activations",
     .argument = "FORMAT",
     .words = CLI_WORDS_FORMAT,
     .doc = "with --model: of the activations, instead of --format"},
    {.name = "chip",
     .argument = "CHIP",
     .words = CLI_WORDS_CHIP,
     .doc = "with --model: whose tensor unit, maia100 by default"},
    {.name = "npy",
     .argument = "FILE",
     .words = CLI_WORDS_FILE,
     .doc = "your own values besides; blocks lie along the last axis"},
    {.name = "seed", .argument = "N", .doc = "of the random values, 1 by default"},
    QUANT_OPTIONS,
    {.name = "json", .doc = "for machines: a list; an exact format's snr_db is null"},
    {0},
};

const struct cli_command cmd_accuracy = {
    .name = "accuracy",
    .doc = "what rounding to a number format loses",
    .options = options,
    .run = run,
    .notes =
        "normal: 64 x 4096 values, mean 0, deviation 1 (weights); outliers: the same with one\n"
        "column of 128 times 32 (activations). SNR = signal power / power of the error; relative\n"
        "errors are those of values that are not zero. A format that does not take the values is\n"
        "left out of `all`.\n"
        "--model: for each matmul 16 rows of activations and 64 of weights of its K, quantized,\n"
        "multiplied as the tensor unit does (its steps and roundings), against the exact product\n"
        "of what they were; i8, i4 with an f32 scale per row. Random values, not the model's.\n"
        "Published orders are cited from memory: arXiv 2302.08007 and 2310.10537.\n",
};
