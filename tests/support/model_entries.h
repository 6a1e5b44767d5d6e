/* SPDX-License-Identifier: Apache-2.0 */
/* The tensors of a made-up model, as the writers of its files need them. Private to model_*.c. */
#ifndef TESTS_SUPPORT_MODEL_ENTRIES_H
#define TESTS_SUPPORT_MODEL_ENTRIES_H

#include "tests/support/model_files.h"

/* Bytes that grow. */
struct tsr_test_bytes {
    uint8_t *data;
    size_t n, room;
};
void tsr_test_append(struct tsr_test_bytes *b, const void *bytes, size_t n);
void tsr_test_append_u32(struct tsr_test_bytes *b, uint32_t v);
void tsr_test_append_u64(struct tsr_test_bytes *b, uint64_t v);
/* Zeros up to a multiple. */
void tsr_test_align(struct tsr_test_bytes *b, size_t to);

/* One tensor: up to three parts one below the other, or two row by row in turn; of one expert, or
 * of all one after the other. Vectors have rows 0. */
struct tsr_test_entry {
    char name[96];
    enum tsr_part part[3];
    uint32_t n_parts;
    bool interleaved;
    uint32_t layer, expert, experts; /* experts 0: not by expert; expert: the first one */
    uint64_t rows, cols;             /* of one expert, all parts together */
    bool adjacent;                   /* RoPE's pairs lie next to each other */
    bool mxfp4;                      /* safetensors: blocks and scales apart */
};

/* All tensors of the model under the container's names; *n of them, to be freed. */
struct tsr_test_entry *tsr_test_entries(const struct tsr_test_weights *w, size_t *n);

/* The row of the tensor (a vector's only row is 0) as the model has it, cols values. */
void tsr_test_entry_row(const struct tsr_test_weights *w, const struct tsr_test_entry *e,
                        uint64_t row, float *out);
/* Rows over all experts; 1 for each vector. */
uint64_t tsr_test_entry_rows(const struct tsr_test_entry *e);

/* A row in the format, as GGUF's blocks where it has blocks; f32 where it does not divide. */
enum tsr_dtype tsr_test_fit_format(enum tsr_dtype format, uint64_t cols);
void tsr_test_append_row(struct tsr_test_bytes *b, enum tsr_dtype format, const float *x, size_t n);
/* mxf4 as two planes: codes go to b, scales to s. */
void tsr_test_append_mxfp4(struct tsr_test_bytes *b, struct tsr_test_bytes *s, const float *x,
                           size_t n);

void tsr_test_write_gguf(const struct tsr_test_weights *w, const char *path);
void tsr_test_write_safetensors(const struct tsr_test_weights *w, const char *folder);
void tsr_test_write_llama2c(const struct tsr_test_weights *w, const char *path);

#endif
