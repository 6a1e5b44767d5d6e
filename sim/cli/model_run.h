/* SPDX-License-Identifier: Apache-2.0 */
/* A file of weights, its tokenizer and a target, as the command line names them: what generate and
 * eval share. */
#ifndef SIM_CLI_MODEL_RUN_H
#define SIM_CLI_MODEL_RUN_H

#include "sim/cli/cli.h"
#include "sim/infer/infer.h"
#include "tessera/tokenizer.h"
#include "tessera/weights.h"

struct model_run {
    const struct tsr_isa *isa;
    struct tsr_chip chip;
    struct tsr_weights *weights;
    struct tsr_model model;
    struct tsr_tokenizer *tokenizer;
    struct infer_options options;
};

/* Loads what MODEL_RUN_OPTIONS name; model_run_free in any case. Absent formats: f32 on ref and
 * sve, bf16 on npu; activations as the weights, the cache bf16 where activations are not f32. */
enum tsr_status model_run_load(struct cli *c, struct model_run *r, struct tsr_error *err);
void model_run_free(struct model_run *r);

/* The path of the tokenizer that a GGUF file or a folder has, in `room` where it is not the file's;
 * null: none. */
const char *model_run_tokenizer(const struct tsr_weights *w, char *room, size_t size);
/* tsr_tokenizer_encode; ids that the model has not are refused. */
enum tsr_status model_run_encode(const struct model_run *r, const char *text, size_t length,
                                 uint32_t **ids, size_t *count, struct tsr_error *err);

/* Sets the formats; null: what is absent, as above. */
void model_run_formats(struct model_run *r, const struct tsr_format *weights,
                       const struct tsr_format *activations, const struct tsr_format *kv);

/* Names of formats as results state them. */
const char *model_run_format(const struct tsr_format *f);
/* Keys that say what ran: model, target, chip, formats. */
void model_run_describe(const struct model_run *r, json_t *root);

/* What the chip's programs cost; adds nothing where there is no chip. */
void model_run_cost_json(const struct model_run *r, const struct infer *s, json_t *root);
void model_run_cost_print(const struct model_run *r, const struct infer *s, FILE *out);

/* Says on stderr what --verify found. */
void model_run_verified(const struct model_run *r, const struct infer *s);

/* A line on a terminal that says how far it is and how long it will take; elsewhere nothing. */
struct model_progress {
    bool on;
    const char *what;
    uint32_t total;
    double started;
};
void model_progress_start(struct model_progress *p, const char *what, uint32_t total);
void model_progress_show(void *self, uint32_t done);
void model_progress_end(struct model_progress *p);

#define MODEL_RUN_OPTIONS                                                                          \
    {.name = "weights",                                                                            \
     .argument = "FILE",                                                                           \
     .words = CLI_WORDS_FILE,                                                                      \
     .required = true,                                                                             \
     .doc = "a GGUF file, safetensors with config.json, or llama2.c's .bin"},                      \
        {.name = "tokenizer",                                                                      \
         .argument = "FILE",                                                                       \
         .words = CLI_WORDS_FILE,                                                                  \
         .doc = "tokenizer.json or llama2.c's; absent: in the GGUF file, or beside the weights"},  \
        {.name = "target",                                                                         \
         .argument = "TARGET",                                                                     \
         .words = CLI_WORDS_LIST,                                                                  \
         .list = "ref sve npu",                                                                    \
         .doc = "float reference, host kernels, or programs of the chip; absent: ref"},            \
        {.name = "chip",                                                                           \
         .argument = "CHIP",                                                                       \
         .words = CLI_WORDS_CHIP,                                                                  \
         .doc = "of target npu: name or file; absent: maia100"},                                   \
        {.name = "weights-format",                                                                 \
         .argument = "FORMAT",                                                                     \
         .words = CLI_WORDS_FORMAT,                                                                \
         .doc = "of the matrices; absent: f32, on npu bf16"},                                      \
        {.name = "activations",                                                                    \
         .argument = "FORMAT",                                                                     \
         .words = CLI_WORDS_FORMAT,                                                                \
         .doc = "of what enters a matmul; absent: as the weights"},                                \
        {.name = "kv",                                                                             \
         .argument = "FORMAT",                                                                     \
         .words = CLI_WORDS_FORMAT,                                                                \
         .doc = "of the cache; absent: 16 bits, f32 where activations are"},                       \
        {.name = "verify",                                                                         \
         .argument = "K",                                                                          \
         .doc = "sve, npu: every K-th operation also by the reference, within its derived bound"}, \
    {                                                                                              \
        .name = "threads", .argument = "N",                                                        \
        .doc = "host threads; the result does not depend on it"                                    \
    }

#endif
