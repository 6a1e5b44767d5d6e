/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/formats_table.h"
#include "sim/cli/model_run.h"
#include "sim/infer/eval.h"
#include "sim/infer/round.h"

struct evaluation {
    struct model_run run;
    uint32_t *tokens;
    size_t n;
    struct infer_quality quality;
    struct infer_reference reference;
    struct infer_cost cost; /* cycles 0: no chip */
    struct model_progress progress;
    char name[64]; /* of the formats, for that */
};

static enum tsr_status read_text(struct cli *c, struct evaluation *e, struct tsr_error *err)
{
    const struct tsr_model *m = &e->run.model;
    uint8_t *bytes = NULL;
    size_t n = 0;
    enum tsr_status st = cli_read_file(cli_text(c, "text"), &bytes, &n, err);
    if (st == TSR_OK)
        st = model_run_encode(&e->run, (const char *)bytes, n, &e->tokens, &e->n, err);
    free(bytes);
    if (st == TSR_OK && (e->n < 2 || e->n - 1 > m->context))
        st = tsr_error_set(
            err, TSR_BAD_INPUT, "%s: %zu tokens, 2 to %" PRIu64 " are allowed: %s has %u positions",
            cli_text(c, "text"), e->n, (uint64_t)m->context + 1, m->name, m->context);
    if (st == TSR_OK)
        e->run.options.positions = (uint32_t)e->n - 1;
    return st;
}

/* As --formats spells it. */
static void name_of(const struct infer_options *o, char *out, size_t cap)
{
    snprintf(out, cap, "%s:%s:%s", model_run_format(o->format), model_run_format(o->activations),
             model_run_format(o->kv));
}

static bool is_reference(const struct infer_options *o)
{
    const struct tsr_format *const each[] = {o->format, o->activations, o->kv};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        if (each[i] != NULL && each[i]->code != TSR_F32)
            return false;
    return o->target == INFER_REF;
}

/* Loss of a session, against the float reference unless it is that. */
static enum tsr_status measure(struct evaluation *e, struct infer *session, bool compare,
                               struct tsr_error *err)
{
    struct infer_reference *r = &e->reference;
    struct infer_options plain = e->run.options;
    enum tsr_status st = TSR_OK;
    plain.target = INFER_REF;
    plain.format = plain.activations = plain.kv = NULL;
    plain.verify = 0;
    if (compare && !r->full)
        st = infer_create(&plain, &r->session, err);
    if (st != TSR_OK)
        return st;
    name_of(&e->run.options, e->name, sizeof e->name);
    model_progress_start(&e->progress, e->name, (uint32_t)e->n - 1);
    st = infer_evaluate(session, compare ? r : NULL, e->tokens, (uint32_t)e->n, model_progress_show,
                        &e->progress, &e->quality, err);
    model_progress_end(&e->progress);
    infer_destroy(r->session);
    r->session = NULL;
    return st;
}

static enum tsr_status evaluate(struct evaluation *e, struct tsr_error *err)
{
    struct infer *session = NULL;
    e->run.options.cycles = true;
    memset(&e->cost, 0, sizeof e->cost);
    enum tsr_status st = infer_create(&e->run.options, &session, err);
    if (st == TSR_OK)
        st = measure(e, session, !is_reference(&e->run.options), err);
    if (st == TSR_OK)
        model_run_verified(&e->run, session);
    if (st == TSR_OK && infer_cost(session) != NULL)
        e->cost = *infer_cost(session);
    infer_destroy(session);
    return st;
}

static double cycles_per_token(const struct evaluation *e)
{
    return (double)e->cost.cycles / (e->cost.tokens + (double)e->cost.prompt_tokens);
}

static void print_text(const struct evaluation *e)
{
    const struct infer_options *o = &e->run.options;
    const struct infer_quality *q = &e->quality;
    printf("%s on %s%s%s, weights %s, activations %s, cache %s\n\n", e->run.model.name,
           infer_target_name[o->target], o->chip ? " " : "", o->chip ? o->chip->name : "",
           model_run_format(o->format), model_run_format(o->activations), model_run_format(o->kv));
    printf("%12u tokens predicted\n", q->tokens);
    printf("%12.6f loss per token, nats\n", q->loss);
    printf("%12.4f perplexity\n", q->perplexity);
    printf("%12.2f %% of the most likely tokens as the float reference's\n",
           100 * q->top1_agreement);
    printf("%12.3g KL from the float reference, nats\n", q->kl);
    if (e->cost.cycles != 0)
        printf("%12.0f cycles per token, which pass in blocks\n", cycles_per_token(e));
}

static json_t *result_of(const struct evaluation *e)
{
    const struct infer_quality *q = &e->quality;
    json_t *root = json_object();
    model_run_describe(&e->run, root);
    json_object_set_new(root, "loss", json_real(q->loss));
    json_object_set_new(root, "perplexity", json_real(q->perplexity));
    json_object_set_new(root, "tokens", json_integer(q->tokens));
    json_object_set_new(root, "top1_agreement", json_real(q->top1_agreement));
    json_object_set_new(root, "kl", json_real(q->kl));
    json_object_set_new(root, "cycles",
                        e->cost.cycles != 0 ? json_integer((json_int_t)e->cost.cycles)
                                            : json_null());
    return root;
}

/* ---- --formats ---- */

struct table {
    struct evaluation *e;
    json_t *results; /* null: lines */
    uint32_t done;
    enum tsr_status refused; /* of the first refusal */
    struct tsr_error why;
};

static void refuse(struct table *t, enum tsr_status st, const struct tsr_error *why)
{
    char name[64];
    if (t->refused == TSR_OK) {
        t->refused = st;
        t->why = *why;
    }
    name_of(&t->e->run.options, name, sizeof name);
    if (t->results == NULL) {
        printf("%-26s refused: %s\n", name, why->message);
        return;
    }
    json_t *j = json_object();
    model_run_describe(&t->e->run, j);
    json_object_set_new(j, "refused", json_string(why->message));
    json_array_append_new(t->results, j);
}

static void print_line(const struct evaluation *e)
{
    char name[64];
    const struct infer_quality *q = &e->quality;
    name_of(&e->run.options, name, sizeof name);
    printf("%-26s %9.6f %9.4f %6.2f%% %10.3g", name, q->loss, q->perplexity,
           100 * q->top1_agreement, q->kl);
    if (e->cost.cycles != 0)
        printf(" %14.0f", cycles_per_token(e));
    printf("\n");
    fflush(stdout);
}

static enum tsr_status one_line(struct table *t, const struct tsr_format *const f[3],
                                struct tsr_error *err)
{
    struct tsr_error why = {0};
    model_run_formats(&t->e->run, f[0], f[1], f[2]);
    enum tsr_status st = evaluate(t->e, &why);
    if (st == TSR_BAD_INPUT) {
        refuse(t, st, &why);
        return TSR_OK;
    }
    if (st != TSR_OK)
        return tsr_error_set(err, st, "%s", why.message);
    t->done++;
    if (t->results != NULL)
        json_array_append_new(t->results, result_of(t->e));
    else
        print_line(t->e);
    return TSR_OK;
}

/* Has values of its own: q4_k and q6_k, which nothing here writes, would repeat q8_0. */
static bool differs(const struct tsr_isa *isa, int format)
{
    const struct tsr_format *f = &isa->formats[format], *held = infer_rounding(isa, f).format;
    return isa->has_format[format] && (held == NULL || held == f);
}

/* Caches in every format that heads of this model divide into, all else as when nothing is said. */
static enum tsr_status cache_lines(struct table *t, struct tsr_error *err)
{
    struct model_run *r = &t->e->run;
    enum tsr_status st = TSR_OK;
    model_run_formats(r, NULL, NULL, NULL);
    const struct tsr_format *absent = r->options.kv;
    for (int i = 0; i < TSR_DTYPE_MAX && st == TSR_OK; i++) {
        const struct tsr_format *const f[3] = {NULL, NULL, &r->isa->formats[i]};
        if (differs(r->isa, i) && infer_takes_cache(r->options.target, f[2]) && f[2] != absent &&
            f[2]->code != TSR_F32 && r->model.head_dim % f[2]->block == 0)
            st = one_line(t, f, err);
    }
    return st;
}

/* The float reference first where the target has it, then weights in every format that may be asked
 * for, then caches. */
static enum tsr_status all_lines(struct table *t, struct tsr_error *err)
{
    const struct tsr_isa *isa = t->e->run.isa;
    enum tsr_status st = TSR_OK;
    for (int i = 0; i < TSR_DTYPE_MAX && st == TSR_OK; i++) {
        const struct tsr_format *const f[3] = {&isa->formats[i], NULL, NULL};
        if (differs(isa, i) && infer_takes(t->e->run.options.target, f[0]))
            st = one_line(t, f, err);
    }
    return st == TSR_OK ? cache_lines(t, err) : st;
}

static enum tsr_status listed_lines(struct table *t, const char *list, struct tsr_error *err)
{
    const struct tsr_format *f[3];
    enum tsr_status st = TSR_OK;
    for (char entry[64]; st == TSR_OK && formats_next(&list, entry, sizeof entry);) {
        st = formats_entry(t->e->run.isa, entry, f, err);
        if (st == TSR_OK)
            st = one_line(t, f, err);
    }
    return st;
}

enum {
    KEPT_BYTES = 256 << 20 /* of the reference's logits at most; beyond it runs for every line */
};

static void keep_reference(struct evaluation *e)
{
    const size_t row = e->run.model.vocab * sizeof(float);
    if (e->n - 1 <= KEPT_BYTES / row)
        e->reference.kept = malloc((e->n - 1) * row); /* null: as above */
}

static enum tsr_status print_table(struct cli *c, struct evaluation *e, struct tsr_error *err)
{
    struct table t = {.e = e, .results = cli_has(c, "json") ? json_array() : NULL};
    const struct infer_options *o = &e->run.options;
    const char *list = cli_text(c, "formats");
    keep_reference(e);
    if (t.results == NULL)
        printf("%s on %s%s%s, %zu tokens of %s\n\n%-26s %9s %9s %7s %10s%s\n", e->run.model.name,
               infer_target_name[o->target], o->chip ? " " : "", o->chip ? o->chip->name : "",
               e->n - 1, cli_text(c, "text"), "weights:activations:cache", "loss", "perplex.",
               "top 1", "KL", o->chip ? "   cycles/token" : "");
    enum tsr_status st =
        strcmp(list, "all") == 0 ? all_lines(&t, err) : listed_lines(&t, list, err);
    if (st == TSR_OK && t.done == 0)
        st = tsr_error_set(err, t.refused, "%s", t.why.message);
    if (st != TSR_OK || t.results == NULL) {
        json_decref(t.results);
        return st;
    }
    json_t *root = json_object();
    json_object_set_new(root, "results", t.results);
    return cli_print_result(root, err);
}

static enum tsr_status one_result(struct cli *c, struct evaluation *e, struct tsr_error *err)
{
    enum tsr_status st = evaluate(e, err);
    if (st == TSR_OK && cli_has(c, "json"))
        return cli_print_result(result_of(e), err);
    if (st == TSR_OK)
        print_text(e);
    return st;
}

static enum tsr_status check_options(const struct cli *c, struct tsr_error *err)
{
    static const char *const one[] = {"weights-format", "activations", "kv"};
    for (size_t i = 0; cli_has(c, "formats") && i < sizeof one / sizeof *one; i++)
        if (cli_has(c, one[i]))
            return tsr_error_set(err, TSR_USAGE, "--%s: not with --formats", one[i]);
    return TSR_OK;
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    struct evaluation e;
    memset(&e, 0, sizeof e);
    enum tsr_status st = check_options(c, err);
    if (st == TSR_OK)
        st = model_run_load(c, &e.run, err);
    if (st == TSR_OK)
        st = read_text(c, &e, err);
    if (st == TSR_OK && cli_has(c, "formats"))
        st = print_table(c, &e, err);
    else if (st == TSR_OK)
        st = one_result(c, &e, err);
    model_run_free(&e.run);
    free(e.reference.kept);
    free(e.tokens);
    return st;
}

static const struct cli_option options[] = {
    MODEL_RUN_OPTIONS,
    {.name = "text",
     .argument = "FILE",
     .words = CLI_WORDS_FILE,
     .required = true,
     .doc = "what is to be predicted, token by token"},
    {.name = "formats",
     .argument = "LIST",
     .doc = "a table instead: all (of weights, then of the cache), or entries "
            "WEIGHTS[:ACTIVATIONS[:CACHE]], commas between"},
    {.name = "json", .doc = "for machines"},
    {0},
};

const struct cli_command cmd_eval = {
    .name = "eval",
    .doc = "loss of a model on a text, and how far a format moves it from the float reference",
    .options = options,
    .run = run,
    .notes = "Loss: mean of -ln p over all tokens but the first. Agreement and KL: against target\n"
             "ref in float32 on the same text.\n",
};
