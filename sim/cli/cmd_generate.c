/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/model_run.h"
#include "sim/infer/eval.h"

struct generation {
    struct model_run run;
    struct infer *session;
    uint32_t *prompt;
    size_t n_prompt;
    uint32_t *tokens; /* the new ones */
    uint32_t wanted, made;
    double temperature;
    uint64_t seed;
    float *logits;
    bool json;
    char *text; /* of the new tokens, for --json */
    size_t text_bytes;
    struct model_progress progress;
};

static enum tsr_status read_temperature(const struct cli *c, double *out, struct tsr_error *err)
{
    const char *text = cli_text(c, "temperature");
    char *end = NULL;
    *out = 0;
    if (text == NULL)
        return TSR_OK;
    errno = 0;
    *out = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !isfinite(*out) || *out < 0)
        return tsr_error_set(err, TSR_USAGE, "--temperature %s: a number from 0 is wanted", text);
    return TSR_OK;
}

static enum tsr_status out_of_memory(struct tsr_error *err)
{
    return tsr_error_set(err, TSR_INTERNAL, "out of memory");
}

/* Text that the tokens stand for: to the terminal as it comes, or kept. */
static enum tsr_status emit(struct generation *g, int64_t previous, uint32_t id,
                            struct tsr_error *err)
{
    size_t n = 0;
    const char *bytes = tsr_tokenizer_bytes(g->run.tokenizer, previous, id, &n);
    if (!g->json) {
        fwrite(bytes, 1, n, stdout);
        fflush(stdout);
        return TSR_OK;
    }
    char *more = realloc(g->text, g->text_bytes + n + 1);
    if (more == NULL)
        return out_of_memory(err);
    memcpy(more + g->text_bytes, bytes, n);
    g->text = more;
    g->text_bytes += n;
    g->text[g->text_bytes] = '\0';
    return TSR_OK;
}

static enum tsr_status echo_prompt(struct generation *g, int64_t *previous, struct tsr_error *err)
{
    const struct tsr_tokenizer_info *t = tsr_tokenizer_describe(g->run.tokenizer);
    enum tsr_status st = TSR_OK;
    *previous = -1;
    for (size_t i = 0; i < g->n_prompt && st == TSR_OK; i++) {
        if ((int64_t)g->prompt[i] == t->bos)
            continue;
        st = emit(g, *previous, g->prompt[i], err);
        *previous = g->prompt[i];
    }
    return st;
}

static enum tsr_status produce(struct generation *g, struct tsr_error *err)
{
    uint64_t state = g->seed;
    int64_t previous;
    enum tsr_status st = echo_prompt(g, &previous, err);
    if (st == TSR_OK)
        st = infer_step(g->session, g->prompt, (uint32_t)g->n_prompt, false, g->logits, err);
    while (st == TSR_OK && g->made < g->wanted) {
        uint32_t id = infer_sample(g->run.model.vocab, g->logits, g->temperature, &state);
        g->tokens[g->made++] = id;
        if (tsr_tokenizer_ends(g->run.tokenizer, id))
            break;
        st = emit(g, previous, id, err);
        previous = id;
        if (g->json)
            model_progress_show(&g->progress, g->made);
        if (st == TSR_OK && g->made < g->wanted)
            st = infer_step(g->session, &id, 1, false, g->logits, err);
    }
    return st;
}

/* A prompt of no tokens has nothing to go on from. */
static enum tsr_status read_prompt(struct cli *c, struct generation *g, struct tsr_error *err)
{
    const char *prompt = cli_text(c, "prompt");
    const struct tsr_model *m = &g->run.model;
    enum tsr_status st =
        model_run_encode(&g->run, prompt, strlen(prompt), &g->prompt, &g->n_prompt, err);
    if (st != TSR_OK)
        return st;
    if (g->n_prompt == 0)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "--prompt: no tokens, and the tokenizer has none to begin with");
    if (g->n_prompt > m->context || g->wanted > m->context - g->n_prompt + 1)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: %zu tokens of prompt and %u more: the model has %u positions",
                             m->name, g->n_prompt, g->wanted, m->context);
    g->run.options.positions = (uint32_t)g->n_prompt + g->wanted - 1;
    g->tokens = calloc(g->wanted, sizeof *g->tokens);
    g->logits = calloc(m->vocab, sizeof *g->logits);
    return g->tokens && g->logits ? TSR_OK : out_of_memory(err);
}

static json_t *token_list(const struct generation *g)
{
    json_t *a = json_array();
    for (uint32_t i = 0; i < g->made; i++)
        json_array_append_new(a, json_integer(g->tokens[i]));
    return a;
}

/* A token may be a part of a letter: what is no UTF-8 becomes the replacement letter. */
static json_t *utf8_text(const char *text, size_t n)
{
    json_t *whole = json_stringn(text, n);
    if (whole != NULL)
        return whole;
    char *out = malloc(3 * n + 1);
    size_t at = 0;
    for (size_t i = 0; out != NULL && i < n;) {
        size_t len = 4;
        json_t *one = NULL;
        for (; len > 0 && one == NULL; len--)
            one = i + len <= n ? json_stringn(text + i, len) : NULL;
        len = one != NULL ? len + 1 : 1;
        memcpy(out + at, one != NULL ? text + i : "\xef\xbf\xbd", one != NULL ? len : 3);
        at += one != NULL ? len : 3;
        i += len;
        json_decref(one);
    }
    whole = out != NULL ? json_stringn(out, at) : NULL;
    free(out);
    return whole;
}

static enum tsr_status print_json(const struct generation *g, struct tsr_error *err)
{
    json_t *root = json_object();
    model_run_describe(&g->run, root);
    json_object_set_new(root, "prompt_tokens", json_integer((json_int_t)g->n_prompt));
    json_object_set_new(root, "generated", json_integer(g->made));
    json_object_set_new(root, "tokens", token_list(g));
    json_object_set_new(root, "text", utf8_text(g->text ? g->text : "", g->text_bytes));
    model_run_cost_json(&g->run, g->session, root);
    return cli_print_result(root, err);
}

static enum tsr_status generate(struct cli *c, struct generation *g, struct tsr_error *err)
{
    enum tsr_status st = read_prompt(c, g, err);
    g->run.options.cycles = true;
    if (st == TSR_OK)
        st = infer_create(&g->run.options, &g->session, err);
    if (st != TSR_OK)
        return st;
    model_progress_start(&g->progress, "generate", g->wanted);
    st = produce(g, err);
    model_progress_end(&g->progress);
    if (st == TSR_OK)
        model_run_verified(&g->run, g->session);
    if (st != TSR_OK || g->json)
        return st == TSR_OK ? print_json(g, err) : st;
    printf("\n");
    if (infer_cost(g->session) != NULL)
        printf("\n");
    model_run_cost_print(&g->run, g->session, stdout);
    return TSR_OK;
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    struct generation g;
    uint64_t wanted = 0;
    memset(&g, 0, sizeof g);
    g.json = cli_has(c, "json");
    enum tsr_status st = cli_u64(c, "tokens", 1, 1 << 24, 64, &wanted, err);
    if (st == TSR_OK)
        st = cli_u64(c, "seed", 0, UINT64_MAX, 1, &g.seed, err);
    if (st == TSR_OK)
        st = read_temperature(c, &g.temperature, err);
    g.wanted = (uint32_t)wanted;
    if (st == TSR_OK) {
        st = model_run_load(c, &g.run, err);
        if (st == TSR_OK)
            st = generate(c, &g, err);
        infer_destroy(g.session);
        model_run_free(&g.run);
    }
    free(g.prompt);
    free(g.tokens);
    free(g.logits);
    free(g.text);
    return st;
}

static const struct cli_option options[] = {
    MODEL_RUN_OPTIONS,
    {.name = "prompt",
     .argument = "TEXT",
     .required = true,
     .doc = "to go on from; \"\" for the start of a text"},
    {.name = "tokens", .argument = "N", .doc = "new tokens at most; absent: 64"},
    {.name = "temperature",
     .argument = "T",
     .doc = "draws from the softmax of logits / T; absent or 0: the most likely token"},
    {.name = "seed", .argument = "N", .doc = "of the draws; absent: 1"},
    {.name = "json", .doc = "for machines"},
    {0},
};

const struct cli_command cmd_generate = {
    .name = "generate",
    .doc = "text from a model's weights, on a reference, the host's kernels or a simulated chip",
    .options = options,
    .run = run,
    .notes = "Ends early at the token that ends a text. The same command gives the same bits.\n",
};
