/* SPDX-License-Identifier: Apache-2.0 */
/* accuracy --model: what each matmul of a model loses to the formats of its operands. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/accuracy.h"
#include "sim/cli/product.h"
#include "tessera/model.h"

enum {
    TOKENS = 16,  /* sampled rows of activations */
    OUTPUTS = 64, /* sampled columns of the result: rows of weights */
    DATA = 2
};

static const char *const data_name[DATA] = {"normal", "outliers"};

struct study {
    const struct tsr_isa *isa;
    struct tsr_chip chip;
    struct tsr_graph graph;
    uint64_t seed;
    bool json;
    json_t *all;
};

/* Matrices in the chosen format: the router stays bf16. */
static bool counts(const struct tsr_graph_op *op)
{
    return (op->kind == TSR_OP_MATMUL || op->kind == TSR_OP_EXPERT_MATMUL) &&
           strcmp(op->name, "router") != 0;
}

/* The operands depend on the seed and the operation's place alone: every format meets the same. */
static enum tsr_status measure(const struct study *s, uint32_t at, struct product *p,
                               double snr[DATA], struct tsr_error *err)
{
    static const float gain[DATA] = {1, SAMPLES_OUTLIER_GAIN};
    uint32_t *weights = NULL;
    uint64_t seed = s->seed + UINT64_C(0x1000193) * (at + 1);
    enum tsr_status st = samples_normal(~seed, p->n, p->k, 1, &weights, err);
    for (int d = 0; d < DATA && st == TSR_OK; d++) {
        struct samples_power power = {0};
        uint32_t *activations = NULL;
        st = samples_normal(seed, p->m, p->k, gain[d], &activations, err);
        p->a = activations;
        p->b = weights;
        if (st == TSR_OK)
            st = product_measure(p, &s->chip, s->isa, &power, err);
        snr[d] = samples_snr(&power);
        free(activations);
    }
    free(weights);
    return st;
}

static void report(const struct study *s, const struct tsr_graph_op *op, const struct product *p,
                   const double snr[DATA])
{
    char text[DATA][32];
    for (int d = 0; d < DATA && s->json; d++) {
        json_t *o = json_object();
        json_object_set_new(o, "operation", json_string(op->name));
        json_object_set_new(o, "n", json_integer((json_int_t)op->n));
        json_object_set_new(o, "k", json_integer((json_int_t)op->k));
        json_object_set_new(o, "weights_format", json_string(p->b_format->name));
        json_object_set_new(o, "activations", json_string(p->a_format->name));
        json_object_set_new(o, "data", json_string(data_name[d]));
        json_object_set_new(o, "snr_db", samples_json(snr[d]));
        json_array_append_new(s->all, o);
    }
    if (!s->json)
        printf("%-16s %7llu %7llu  %-10s %-11s %8s %9s\n", op->name, (unsigned long long)op->n,
               (unsigned long long)op->k, p->b_format->name, p->a_format->name,
               samples_text(snr[0], text[0], sizeof text[0]),
               samples_text(snr[1], text[1], sizeof text[1]));
}

/* All operations with one pair of formats; `mean`: dB on normal data over the operations. */
static enum tsr_status one_pair(const struct study *s, const struct tsr_format *weights,
                                const struct tsr_format *activations, double *mean,
                                struct tsr_error *err)
{
    double sum = 0;
    unsigned n = 0;
    for (uint32_t i = 0; i < s->graph.n_ops; i++) {
        const struct tsr_graph_op *op = &s->graph.ops[i];
        struct product p = {.a_format = activations,
                            .b_format = weights,
                            .m = TOKENS,
                            .n = op->n < OUTPUTS ? op->n : OUTPUTS,
                            .k = op->k};
        double snr[DATA];
        if (!counts(op))
            continue;
        enum tsr_status st = product_check(&p, &s->chip, s->isa, err);
        if (st == TSR_OK)
            st = measure(s, i, &p, snr, err);
        if (st != TSR_OK)
            return st;
        report(s, op, &p, snr);
        sum += snr[0];
        n++;
    }
    *mean = n ? sum / n : INFINITY;
    return TSR_OK;
}

/* Every format as both operands; what the tensor unit or the shapes refuse is left out. */
static enum tsr_status every_format(const struct study *s, struct tsr_error *err)
{
    struct accuracy_rank rank[TSR_DTYPE_MAX];
    size_t n = 0;
    for (int i = 0; i < TSR_DTYPE_MAX; i++) {
        const struct tsr_format *f = &s->isa->formats[i];
        struct tsr_error why = {0};
        double mean;
        if (!s->isa->has_format[i])
            continue;
        enum tsr_status st = one_pair(s, f, f, &mean, &why);
        if (st == TSR_OK)
            rank[n++] = (struct accuracy_rank){f->name, mean};
        else if (st == TSR_INTERNAL)
            return tsr_error_set(err, st, "%s", why.message);
        else if (f->width_class != 0)
            fprintf(stderr, "tessera accuracy: left out: %s\n", why.message);
    }
    if (!s->json)
        accuracy_print_order(rank, n);
    return TSR_OK;
}

static enum tsr_status choose(struct cli *c, const struct study *s, struct tsr_error *err)
{
    const struct tsr_format *weights, *activations;
    const char *both = cli_text(c, "format");
    double ignored;
    if (both && strcmp(both, "all") == 0)
        return every_format(s, err);
    enum tsr_status st = cli_format(c, s->isa, "weights-format", both, &weights, err);
    if (st == TSR_OK)
        st = cli_format(c, s->isa, "activations", both, &activations, err);
    if (st == TSR_OK && (!weights || !activations))
        return tsr_error_set(err, TSR_USAGE,
                             "--format FORMAT is missing, or --weights-format and "
                             "--activations");
    return st == TSR_OK ? one_pair(s, weights, activations, &ignored, err) : st;
}

enum tsr_status accuracy_of_model(struct cli *c, struct tsr_error *err)
{
    struct study s = {.json = cli_has(c, "json")};
    struct tsr_model model;
    const char *chip = cli_text(c, "chip");
    enum tsr_status st = cli_isa(c, &s.isa, err);
    if (st == TSR_OK)
        st = cli_u64(c, "seed", 0, UINT64_MAX, 1, &s.seed, err);
    if (st == TSR_OK)
        st = tsr_chip_load(chip ? chip : "maia100", &s.chip, err);
    if (st == TSR_OK)
        st = tsr_model_load(cli_text(c, "model"), &model, err);
    if (st == TSR_OK) {
        struct tsr_graph_options o = {.phase = TSR_DECODE, .batch = 1, .seq = 1};
        st = tsr_graph_build(&model, &o, &s.graph, err);
    }
    if (st != TSR_OK)
        return st;
    if (!s.json)
        printf("%-16s %7s %7s  %-10s %-11s %8s %9s\n", "operation", "n", "k", "weights",
               "activations", "SNR dB", "outliers");
    s.all = json_array();
    st = choose(c, &s, err);
    if (st == TSR_OK && s.json)
        return cli_print_json(s.all, err);
    json_decref(s.all);
    return st;
}
