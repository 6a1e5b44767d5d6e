/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the readers of weight files. */
#ifndef SIM_WEIGHTS_PRIV_H
#define SIM_WEIGHTS_PRIV_H

#include "tessera/weights.h"

enum {
    /* jansson takes up to some 120 bytes of memory per value: less than 400 MiB in all. Real
     * headers have 130 bytes per tensor, real tokenizers up to 1.6 million values. */
    TSR_WEIGHTS_MAX_JSON = 12 << 20,
    TSR_WEIGHTS_MAX_VALUES = 3 << 20,
    TSR_WEIGHTS_MAX_TENSORS = 1 << 20,
    TSR_WEIGHTS_MAX_NAME = 1024, /* bytes; GGUF's document says 64 */
};

/* A file, mapped for reading. */
struct tsr_file_map {
    char *path;
    const uint8_t *data; /* null when empty */
    uint64_t size;
};

/* Errors: TSR_BAD_INPUT not there, no plain file, not readable; TSR_INTERNAL out of memory. */
enum tsr_status tsr_map_open(const char *path, struct tsr_file_map *out, struct tsr_error *err);
void tsr_map_close(struct tsr_file_map *map);
/* The pages read so far are dropped. */
void tsr_map_release(const struct tsr_file_map *map);

/* An element type of a container. */
struct tsr_weight_type {
    const char *name;
    uint32_t id; /* GGUF's number */
    enum tsr_tensor_layout layout;
    enum tsr_dtype format;
    uint16_t elems, bytes; /* of a block; elems 1: no blocks */
};

/* Null: no such type. */
const struct tsr_weight_type *tsr_gguf_type(uint32_t id);
const struct tsr_weight_type *tsr_safetensors_type(const char *name);

/* Bytes that a tensor takes. Its dims are set; false when they overflow or when rows do not divide
 * into blocks. */
bool tsr_tensor_size(const struct tsr_tensor *t, const struct tsr_weight_type *type,
                     uint64_t *bytes);

struct tsr_gguf; /* gguf.h */

struct tsr_weights {
    enum tsr_weights_container kind;
    char *path; /* as given */
    struct tsr_file_map *files;
    size_t n_files;
    struct tsr_tensor *tensors; /* sorted by name when open */
    size_t n_tensors, room;
    struct tsr_gguf *gguf; /* metadata; null of others */
    bool adjacent_pairs;   /* rows of q and k keep RoPE's pairs next to each other */
    struct tsr_model model;
    enum tsr_status model_status;
    struct tsr_error model_error;
};

/* Opens `path` as the next file. Maps stay where they are; w->files may move. */
enum tsr_status tsr_weights_add_file(struct tsr_weights *w, const char *path,
                                     struct tsr_error *err);

/* Adds a tensor; the name is copied and its length must be below TSR_WEIGHTS_MAX_NAME. `t` lacks
 * name and file. Errors: TSR_BAD_INPUT a name that is empty, long or not printable ASCII, too many
 * tensors; TSR_INTERNAL out of memory. */
enum tsr_status tsr_weights_add_tensor(struct tsr_weights *w, const struct tsr_file_map *file,
                                       const char *name, size_t length, struct tsr_tensor *t,
                                       struct tsr_error *err);

/* Sorts the tensors; refuses shared names and overlaps, with `gapless` also bytes of a file between
 * the first tensor and the end that belong to none. */
enum tsr_status tsr_weights_settle(struct tsr_weights *w, bool gapless, struct tsr_error *err);

/* By name; null: not there. */
struct tsr_tensor *tsr_weights_by_name(const struct tsr_weights *w, const char *name);

/* Readers: the first file of w is open. They add tensors and set kind, adjacent_pairs, and where
 * the file has them the sizes of the model (model_status, model_error, model). */
enum tsr_status tsr_read_gguf(struct tsr_weights *w, struct tsr_error *err);
enum tsr_status tsr_read_safetensors(struct tsr_weights *w, struct tsr_error *err);
enum tsr_status tsr_read_safetensors_index(struct tsr_weights *w, struct tsr_error *err);
enum tsr_status tsr_read_llama2c(struct tsr_weights *w, struct tsr_error *err);

/* Sets w->model from GGUF's metadata; the tensors are settled. */
enum tsr_status tsr_gguf_model(const struct tsr_weights *w, struct tsr_model *out,
                               struct tsr_error *err);

/* A JSON object of at most TSR_WEIGHTS_MAX_VALUES values; the caller gives it back by json_decref.
 * Null: an error "path: what: JSON: ...". */
struct json_t *tsr_weights_json(const char *path, const char *what, const uint8_t *text,
                                uint64_t length, struct tsr_error *err);

/* Whether files of this family keep RoPE's pairs adjacent. */
bool tsr_gguf_adjacent_pairs(const struct tsr_model *m);

/* Whether every part of w->model is there in its shape. */
enum tsr_status tsr_parts_check(const struct tsr_weights *w, struct tsr_error *err);

/* The rows and columns that a part of a model has; rows 1 of a vector. */
void tsr_part_shape(const struct tsr_model *m, enum tsr_part part, uint64_t *rows, uint64_t *cols);
const char *tsr_part_name(enum tsr_part part);

/* Little-endian reads at any alignment. */
static inline uint32_t tsr_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t tsr_le64(const uint8_t *p)
{
    return tsr_le32(p) | (uint64_t)tsr_le32(p + 4) << 32;
}

static inline float tsr_le_f32(const uint8_t *p)
{
    uint32_t bits = tsr_le32(p);
    float v;
    __builtin_memcpy(&v, &bits, sizeof v);
    return v;
}

#endif
