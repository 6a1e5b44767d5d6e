/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/model_run.h"
#include "sim/infer/eval.h"

struct evaluation {
    struct model_run run;
    uint32_t *tokens;
    size_t n;
    struct infer_quality quality;
    struct infer_cost cost; /* cycles 0: no chip */
    struct model_progress progress;
};

static enum tsr_status read_text(struct cli *c, struct evaluation *e, struct tsr_error *err)
{
    const struct tsr_model *m = &e->run.model;
    uint8_t *bytes = NULL;
    size_t n = 0;
    enum tsr_status st = cli_read_file(cli_text(c, "text"), &bytes, &n, err);
    if (st == TSR_OK)
        st = tsr_tokenizer_encode(e->run.tokenizer, (const char *)bytes, n, &e->tokens, &e->n, err);
    free(bytes);
    if (st == TSR_OK && (e->n < 2 || e->n - 1 > m->context))
        st = tsr_error_set(err, TSR_BAD_INPUT, "%s: %zu tokens, 2 to %" PRIu64 " are allowed",
                           cli_text(c, "text"), e->n, (uint64_t)m->context + 1);
    if (st == TSR_OK)
        e->run.options.positions = (uint32_t)e->n - 1;
    return st;
}

static bool is_reference(const struct infer_options *o)
{
    const struct tsr_format *const each[] = {o->format, o->activations, o->kv};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        if (each[i] != NULL && each[i]->code != TSR_F32)
            return false;
    return o->target == INFER_REF;
}

static enum tsr_status evaluate(struct evaluation *e, struct tsr_error *err)
{
    struct infer_options plain = e->run.options;
    struct infer *session = NULL, *reference = NULL;
    plain.target = INFER_REF;
    plain.format = plain.activations = plain.kv = NULL;
    e->run.options.cycles = true;
    enum tsr_status st = infer_create(&e->run.options, &session, err);
    if (st == TSR_OK && !is_reference(&e->run.options))
        st = infer_create(&plain, &reference, err);
    if (st == TSR_OK) {
        model_progress_start(&e->progress, "eval", (uint32_t)e->n - 1);
        st = infer_evaluate(session, reference, e->tokens, (uint32_t)e->n, model_progress_show,
                            &e->progress, &e->quality, err);
        model_progress_end(&e->progress);
    }
    if (st == TSR_OK && infer_cost(session) != NULL)
        e->cost = *infer_cost(session);
    infer_destroy(session);
    infer_destroy(reference);
    return st;
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
        printf("%12.0f cycles per token\n", (double)e->cost.cycles / e->cost.tokens);
}

static enum tsr_status print_json(const struct evaluation *e, struct tsr_error *err)
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
    return cli_print_result(root, err);
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    struct evaluation e;
    memset(&e, 0, sizeof e);
    enum tsr_status st = model_run_load(c, &e.run, err);
    if (st == TSR_OK)
        st = read_text(c, &e, err);
    if (st == TSR_OK)
        st = evaluate(&e, err);
    if (st == TSR_OK && cli_has(c, "json"))
        st = print_json(&e, err);
    else if (st == TSR_OK)
        print_text(&e);
    model_run_free(&e.run);
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
