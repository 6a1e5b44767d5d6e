/* SPDX-License-Identifier: Apache-2.0 */
/* Small models with made-up weights, written as users' files: GGUF, safetensors with config.json,
 * llama2.c. The values are a function of the seed and the place, so that a test computes what a
 * reader must find without reading. Names and layouts are written down here a second time, apart
 * from the readers. */
#ifndef TESTS_SUPPORT_MODEL_FILES_H
#define TESTS_SUPPORT_MODEL_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "tessera/model.h"
#include "tessera/weights.h"

struct tsr_test_weights {
    struct tsr_model model;
    enum tsr_weights_container container;
    enum tsr_dtype matrices; /* GGUF: f32 f16 bf16 q8_0 q4_0 q4_k q6_k mxf4; safetensors: f32 f16
                                bf16, of gpt_oss's experts also mxf4; llama2.c: f32. Rows that do
                                not divide into the blocks are written in f32 */
    uint32_t shards; /* safetensors: files under an index; 0, 1: one without; GGUF: of a path
                        that ends in -00001-of-0000N.gguf */
    uint64_t seed;
};

/* A small model of the family: hidden 64, two layers or more, all of the family's features, every
 * size such that blocks of 32 divide it. wide: hidden and ffn 256, for q4_k and q6_k. */
void tsr_test_model(enum tsr_arch arch, bool wide, struct tsr_model *out);

/* Writes the model. path: of the file; of safetensors a folder, made if missing, with config.json,
 * model.safetensors or its shards and index. A GGUF file also holds a tokenizer of model.vocab
 * tokens (at least 260), a llama2.c one has its own file, path with ".tok" added.
 * A failure fails the running test. llama2.c takes plain llama alone (no bias, theta 1e4). */
void tsr_test_weights_write(const struct tsr_test_weights *w, const char *path);

/* The value at (row, col) of a part as tsr_weights_find presents it, before it is rounded to the
 * file's format: vectors are row 0. Norms lie around 1, matrices have a deviation of about
 * 1 / sqrt(cols), so that activations keep their size. */
float tsr_test_weight(const struct tsr_test_weights *w, enum tsr_part part, uint32_t layer,
                      uint32_t expert, uint64_t row, uint64_t col);

#endif
