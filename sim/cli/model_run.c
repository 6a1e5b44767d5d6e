/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cli/model_run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void model_run_formats(struct model_run *r, const struct tsr_format *weights,
                       const struct tsr_format *activations, const struct tsr_format *kv)
{
    struct infer_options *o = &r->options;
    const struct tsr_format *bf16 = &r->isa->formats[TSR_BF16];
    o->format = weights == NULL && o->target == INFER_NPU ? bf16 : weights;
    o->activations = o->format;
    /* what the tensor unit does not take is repacked for it, and multiplies 16 bits */
    if (o->format != NULL && o->format->width_class == 0 && o->format->code != TSR_F32)
        o->activations = bf16;
    if (o->target == INFER_SVE) /* as its kernels round them */
        o->activations = infer_sve_activations(r->isa, o->format);
    if (activations != NULL)
        o->activations = activations;
    const struct tsr_format *a = o->activations;
    o->kv = kv != NULL                        ? kv
            : a == NULL || a->code == TSR_F32 ? NULL
            : a->code == TSR_F16              ? a
                                              : bf16;
}

static enum tsr_status read_formats(struct cli *c, struct model_run *r, struct tsr_error *err)
{
    const struct tsr_format *f = NULL, *a = NULL, *kv = NULL;
    enum tsr_status st = cli_format(c, r->isa, "weights-format", NULL, &f, err);
    if (st == TSR_OK)
        st = cli_format(c, r->isa, "activations", NULL, &a, err);
    if (st == TSR_OK)
        st = cli_format(c, r->isa, "kv", NULL, &kv, err);
    model_run_formats(r, f, a, kv);
    return st;
}

static enum tsr_status read_options(struct cli *c, struct model_run *r, struct tsr_error *err)
{
    struct infer_options *o = &r->options;
    const char *target = cli_text(c, "target"), *chip = cli_text(c, "chip");
    uint64_t threads = 1;
    for (int i = 0; target != NULL && i < INFER_TARGETS; i++)
        if (strcmp(target, infer_target_name[i]) == 0)
            o->target = (enum infer_target)i;
    if (chip != NULL && o->target != INFER_NPU)
        chip = NULL; /* scripts name it for every target */
    enum tsr_status st = cli_isa(c, &r->isa, err);
    if (st == TSR_OK && o->target == INFER_NPU)
        st = tsr_chip_load(chip != NULL ? chip : "maia100", &r->chip, err);
    if (st == TSR_OK)
        st = cli_u64(c, "threads", 1, 256, 1, &threads, err);
    if (st == TSR_OK)
        st = cli_u64(c, "verify", 1, UINT64_MAX, 0, &o->verify, err);
    if (st == TSR_OK && o->verify != 0 && o->target == INFER_REF)
        st = tsr_error_set(err, TSR_USAGE, "--verify: of targets sve and npu, not ref");
    if (st != TSR_OK)
        return st;
    o->isa = r->isa;
    o->chip = o->target == INFER_NPU ? &r->chip : NULL;
    o->threads = (uint32_t)threads;
    return read_formats(c, r, err);
}

const char *model_run_tokenizer(const struct tsr_weights *w, char *room, size_t size)
{
    const char *path = tsr_weights_path(w), *slash = strrchr(path, '/');
    struct stat s;
    if (tsr_weights_kind(w) == TSR_WEIGHTS_GGUF)
        return path;
    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode))
        snprintf(room, size, "%s/tokenizer.json", path);
    else
        snprintf(room, size, "%.*stokenizer.json", slash != NULL ? (int)(slash - path) + 1 : 0,
                 path);
    bool there = tsr_weights_kind(w) == TSR_WEIGHTS_SAFETENSORS && stat(room, &s) == 0;
    return there ? room : NULL;
}

static enum tsr_status open_tokenizer(struct cli *c, struct model_run *r, struct tsr_error *err)
{
    char beside[4096];
    const char *file = cli_text(c, "tokenizer");
    if (file == NULL)
        file = model_run_tokenizer(r->weights, beside, sizeof beside);
    if (file == NULL && tsr_weights_kind(r->weights) == TSR_WEIGHTS_LLAMA2C)
        return tsr_error_set(err, TSR_USAGE,
                             "--tokenizer FILE is missing: %s, a file of llama2.c, holds none",
                             tsr_weights_path(r->weights));
    if (file == NULL)
        return tsr_error_set(err, TSR_USAGE,
                             "--tokenizer FILE is missing: there is no tokenizer.json beside %s",
                             tsr_weights_path(r->weights));
    return tsr_tokenizer_open(file, r->model.vocab, &r->tokenizer, err);
}

enum tsr_status model_run_encode(const struct model_run *r, const char *text, size_t length,
                                 uint32_t **ids, size_t *count, struct tsr_error *err)
{
    enum tsr_status st = tsr_tokenizer_encode(r->tokenizer, text, length, ids, count, err);
    for (size_t i = 0; st == TSR_OK && i < *count; i++)
        if ((*ids)[i] >= r->model.vocab) {
            st = tsr_error_set(err, TSR_BAD_INPUT,
                               "token %u of the text is none of the %u that %s has: a tokenizer "
                               "of another model",
                               (*ids)[i], r->model.vocab, r->model.name);
            free(*ids);
            *ids = NULL;
            *count = 0;
        }
    return st;
}

enum tsr_status model_run_load(struct cli *c, struct model_run *r, struct tsr_error *err)
{
    const char *file = cli_text(c, "weights");
    memset(r, 0, sizeof *r);
    enum tsr_status st = read_options(c, r, err);
    if (st == TSR_OK)
        st = tsr_weights_open(file, &r->weights, err);
    if (st == TSR_OK)
        st = tsr_weights_model(r->weights, &r->model, err);
    if (st == TSR_OK)
        st = open_tokenizer(c, r, err);
    r->options.weights = r->weights;
    r->options.model = &r->model;
    return st;
}

void model_run_free(struct model_run *r)
{
    tsr_tokenizer_close(r->tokenizer);
    tsr_weights_close(r->weights);
}

const char *model_run_format(const struct tsr_format *f)
{
    return f != NULL ? f->name : "f32";
}

void model_run_describe(const struct model_run *r, json_t *root)
{
    const struct infer_options *o = &r->options;
    json_object_set_new(root, "model", json_string(r->model.name));
    json_object_set_new(root, "target", json_string(infer_target_name[o->target]));
    json_object_set_new(root, "chip", o->chip != NULL ? json_string(o->chip->name) : json_null());
    json_object_set_new(root, "weights_format", json_string(model_run_format(o->format)));
    json_object_set_new(root, "activations", json_string(model_run_format(o->activations)));
    json_object_set_new(root, "kv", json_string(model_run_format(o->kv)));
}

/* Of the tokens that passed one by one; 0: none did. */
static double cycles_per_token(const struct infer_cost *c)
{
    return c->tokens != 0 ? (double)(c->cycles - c->prompt_cycles) / c->tokens : 0;
}

static double tokens_per_s(const struct model_run *r, const struct infer_cost *c)
{
    const double each = cycles_per_token(c);
    return each != 0 ? (double)r->chip.clock_hz / each : 0;
}

static json_t *cost_steps(const struct infer_cost *c)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < c->n_steps; i++) {
        const struct infer_cost_step *t = &c->step[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I}", "name", t->name, "kernel",
                                              t->kernel, "launches", (json_int_t)t->launches,
                                              "cycles", (json_int_t)t->cycles));
    }
    return list;
}

void model_run_cost_json(const struct model_run *r, const struct infer *s, json_t *root)
{
    const struct infer_cost *c = infer_cost(s);
    if (c == NULL || c->cycles == 0)
        return;
    json_object_set_new(root, "cycles", json_integer((json_int_t)c->cycles));
    if (c->prompt_tokens != 0)
        json_object_set_new(root, "prompt_cycles", json_integer((json_int_t)c->prompt_cycles));
    if (c->tokens != 0) {
        json_object_set_new(root, "cycles_per_token", json_real(cycles_per_token(c)));
        json_object_set_new(root, "cycles_last_token", json_integer((json_int_t)c->last));
        json_object_set_new(root, "tokens_per_s", json_real(tokens_per_s(r, c)));
    }
    json_object_set_new(root, "launches", json_integer((json_int_t)c->launches));
    json_object_set_new(root, "steps", cost_steps(c));
}

void model_run_cost_print(const struct model_run *r, const struct infer *s, FILE *out)
{
    const struct infer_cost *c = infer_cost(s);
    if (c == NULL || c->cycles == 0)
        return;
    if (c->prompt_tokens != 0)
        fprintf(out,
                "%14.3f ms to the first token on %s, %" PRIu64 " cycles for %u tokens of prompt\n",
                1e3 * (double)c->prompt_cycles / (double)r->chip.clock_hz, r->chip.name,
                c->prompt_cycles, c->prompt_tokens);
    if (c->tokens != 0)
        fprintf(out,
                "%14.1f tokens/s on %s, decode of one sequence\n"
                "%14.0f cycles per token, mean of %u; the last one %" PRIu64 "\n",
                tokens_per_s(r, c), r->chip.name, cycles_per_token(c), c->tokens, c->last);
    fprintf(out, "\n%-19s %-16s %9s %14s %6s\n", "operation", "kernel", "launches", "cycles each",
            "share");
    for (uint32_t i = 0; i < c->n_steps; i++) {
        const struct infer_cost_step *t = &c->step[i];
        fprintf(out, "%-19s %-16s %9" PRIu64 " %14.1f %5.1f%%\n", t->name, t->kernel, t->launches,
                (double)t->cycles / (double)t->launches,
                100.0 * (double)t->cycles / (double)c->cycles);
    }
}

void model_run_verified(const struct model_run *r, const struct infer *s)
{
    const struct infer_verified v = infer_verified(s);
    if (r->options.verify != 0)
        fprintf(stderr,
                "tessera: %" PRIu64 " operations agree with the reference, %" PRIu64 " have none\n",
                v.checked, v.unknown);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void model_progress_start(struct model_progress *p, const char *what, uint32_t total)
{
    *p = (struct model_progress){isatty(STDERR_FILENO) != 0, what, total, now_s()};
}

void model_progress_show(void *self, uint32_t done)
{
    const struct model_progress *p = self;
    if (!p->on || done == 0)
        return;
    double passed = now_s() - p->started;
    fprintf(stderr, "\r%s: %u of %u tokens, %.0f s, about %.0f s left \033[K", p->what, done,
            p->total, passed, passed / done * (p->total - done));
}

void model_progress_end(struct model_progress *p)
{
    if (p->on)
        fputs("\r\033[K", stderr);
    p->on = false;
}
