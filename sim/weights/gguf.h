/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF's metadata: keys with typed values, borrowed from the mapped file. */
#ifndef SIM_WEIGHTS_GGUF_H
#define SIM_WEIGHTS_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tessera/status.h"

/* Source: ggml docs/gguf.md, enum gguf_metadata_value_type. */
enum tsr_gguf_kind {
    TSR_GGUF_U8,
    TSR_GGUF_I8,
    TSR_GGUF_U16,
    TSR_GGUF_I16,
    TSR_GGUF_U32,
    TSR_GGUF_I32,
    TSR_GGUF_F32,
    TSR_GGUF_BOOL,
    TSR_GGUF_STRING,
    TSR_GGUF_ARRAY,
    TSR_GGUF_U64,
    TSR_GGUF_I64,
    TSR_GGUF_F64,
    TSR_GGUF_KINDS,
};

struct tsr_gguf_value {
    char *key;
    enum tsr_gguf_kind kind; /* ARRAY: of `item` */
    enum tsr_gguf_kind item; /* what lies at data; the kind itself but for arrays */
    uint64_t count;          /* of items; 1 but for arrays */
    const uint8_t *data;     /* strings: each a u64 length and its bytes */
    uint64_t bytes;
};

struct tsr_gguf {
    const char *file; /* borrowed, for messages */
    uint32_t version;
    uint64_t alignment;
    struct tsr_gguf_value *values; /* sorted by key */
    size_t n_values;
};

/* Reads the head of a file: `data`, size bytes of it. *tensors_at is where the first tensor's
 * description starts, *n_tensors how many there are, at least 24 bytes each in the rest.
 * Errors: TSR_BAD_INPUT "file: key: what"; TSR_INTERNAL out of memory. */
enum tsr_status tsr_gguf_parse(const char *file, const uint8_t *data, uint64_t size,
                               struct tsr_gguf **out, uint64_t *tensors_at, uint64_t *n_tensors,
                               struct tsr_error *err);
void tsr_gguf_free(struct tsr_gguf *g); /* null is allowed */

/* Null: no such key. */
const struct tsr_gguf_value *tsr_gguf_find(const struct tsr_gguf *g, const char *key);

/* Item i of a value of whole numbers (or BOOL); false where it is none or does not fit. */
bool tsr_gguf_int(const struct tsr_gguf_value *v, uint64_t i, int64_t *out);
/* Item i of F32 or F64. */
bool tsr_gguf_real(const struct tsr_gguf_value *v, uint64_t i, double *out);

/* Walks over strings: *at starts as v->data; returns the bytes of the next one. */
const char *tsr_gguf_next_string(const uint8_t **at, size_t *length);

/* Name of a kind ("u32"). */
const char *tsr_gguf_kind_name(enum tsr_gguf_kind kind);

#endif
