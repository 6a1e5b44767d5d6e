/* SPDX-License-Identifier: Apache-2.0 */
/* Files of trained weights: GGUF v3, safetensors with a config.json beside (one file, or shards
 * under an index), llama2.c's .bin. Mapped, never copied whole; rows are decoded to f32 on demand.
 */
#ifndef TESSERA_WEIGHTS_H
#define TESSERA_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tessera/dtype.h"
#include "tessera/model.h"
#include "tessera/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TSR_TENSOR_MAX_DIMS = 4
};

enum tsr_weights_container {
    TSR_WEIGHTS_GGUF,
    TSR_WEIGHTS_SAFETENSORS,
    TSR_WEIGHTS_LLAMA2C,
};

/* How the elements of a row lie in the file. */
enum tsr_tensor_layout {
    TSR_LAYOUT_OPAQUE, /* a type that is listed, never decoded */
    TSR_LAYOUT_PLAIN,  /* little-endian elements of a format without blocks */
    TSR_LAYOUT_BLOCKS, /* GGUF's blocks, scales within */
    TSR_LAYOUT_PLANES, /* codes here, scales in a second tensor (MXFP4 of safetensors) */
};

/* One tensor of the file. Everything is borrowed from the tsr_weights. */
struct tsr_tensor {
    const char *name; /* printable, ends with a null */
    const char *type; /* as the file's documents call it: "Q4_K", "BF16", "F32" */
    const char *file; /* path of the file or shard that holds it */
    enum tsr_tensor_layout layout;
    enum tsr_dtype format;              /* TSR_DTYPE_MAX: opaque */
    uint32_t n_dims;                    /* 0: a scalar */
    uint64_t dims[TSR_TENSOR_MAX_DIMS]; /* outermost first; the last is contiguous */
    uint64_t bytes;
    uint64_t offset;       /* of the data in `file` */
    const uint8_t *data;   /* within the map: no alignment */
    const uint8_t *scales; /* PLANES; else null */
};

/* What a tensor is to the model. Matrices have a row for each output: y = W x. */
enum tsr_part {
    /* Of the whole model: layer and expert are ignored. */
    TSR_PART_EMBED,      /* vocab x hidden */
    TSR_PART_FINAL_NORM, /* vectors are one row: 1 x hidden */
    TSR_PART_LM_HEAD,    /* vocab x hidden; of a tied model the table of EMBED */
    /* Of a layer: expert is ignored. */
    TSR_PART_ATTN_NORM,
    TSR_PART_Q, /* heads * head_dim x hidden */
    TSR_PART_K, /* kv_heads * head_dim x hidden */
    TSR_PART_V,
    TSR_PART_O, /* hidden x heads * head_dim */
    TSR_PART_Q_BIAS,
    TSR_PART_K_BIAS,
    TSR_PART_V_BIAS,
    TSR_PART_O_BIAS,
    TSR_PART_Q_NORM, /* 1 x head_dim */
    TSR_PART_K_NORM,
    TSR_PART_SINKS,          /* 1 x heads */
    TSR_PART_POST_ATTN_NORM, /* models with post_norms */
    TSR_PART_FFN_NORM,
    TSR_PART_POST_FFN_NORM, /* models with post_norms */
    TSR_PART_GATE,          /* ffn x hidden */
    TSR_PART_UP,
    TSR_PART_DOWN, /* hidden x ffn */
    TSR_PART_GATE_BIAS,
    TSR_PART_UP_BIAS,
    TSR_PART_DOWN_BIAS,
    TSR_PART_ROUTER, /* experts x hidden */
    TSR_PART_ROUTER_BIAS,
    TSR_PART_SHARED_SCALE, /* 1 x hidden: the shared expert's logit */
    TSR_PART_SHARED_GATE,  /* shared_ffn x hidden */
    TSR_PART_SHARED_UP,
    TSR_PART_SHARED_DOWN, /* hidden x shared_ffn */
    /* Of an expert of a layer. */
    TSR_PART_EXPERT_GATE, /* expert_ffn x hidden */
    TSR_PART_EXPERT_UP,
    TSR_PART_EXPERT_DOWN, /* hidden x expert_ffn */
    TSR_PART_EXPERT_GATE_BIAS,
    TSR_PART_EXPERT_UP_BIAS,
    TSR_PART_EXPERT_DOWN_BIAS,
    TSR_PART_COUNT,
};

/* A part as rows of the file, whatever tensor it is cut from. Rows of q and k (and their biases)
 * come in the order in which RoPE turns (i, i + head_dim / 2) of a head, also from files that keep
 * the pairs adjacent. */
struct tsr_matrix {
    const struct tsr_tensor *tensor; /* borrowed */
    uint64_t rows, cols;
    /* Row r of the part is row first + order(r) * step of the tensor's rows; a vector is one row,
     * its elements take the place of rows. */
    uint64_t first, step;
    uint32_t pairs; /* head_dim where the file keeps RoPE's pairs adjacent, else 0 */
    bool vector;
};

struct tsr_weights;

/* Opens and checks a file: a .gguf (of several the first), a .bin of llama2.c, a .safetensors, a
 * model.safetensors.index.json, or a folder that holds one of the two last. What it is says its
 * content, not its name. Of safetensors the config.json beside is read.
 * Checked: every length, count, offset and type against the file's size; no two tensors overlap or
 *   share a name; allocations are bounded by the file's size.
 * Errors: TSR_BAD_INPUT unreadable, malformed or truncated: "file: tensor: what, what is allowed";
 *   TSR_INTERNAL out of memory. *out is untouched on failure.
 * A file that is made shorter while it is open ends the process (SIGBUS), as with any map.
 * Threads: reads of an open file from any number at once.
 * Source: GGUF's specification (ggml docs/gguf.md), safetensors' format, llama2.c's export.py. */
enum tsr_status tsr_weights_open(const char *path, struct tsr_weights **out, struct tsr_error *err);
void tsr_weights_close(struct tsr_weights *w); /* null is allowed */

const char *tsr_weights_path(const struct tsr_weights *w);
enum tsr_weights_container tsr_weights_kind(const struct tsr_weights *w);
/* Size of all files together. */
uint64_t tsr_weights_file_bytes(const struct tsr_weights *w);

/* Tensors, by name. */
size_t tsr_weights_count(const struct tsr_weights *w);
const struct tsr_tensor *tsr_weights_tensor(const struct tsr_weights *w, size_t i);

/* The model that the file holds. Every part that it needs is there, has its shape and can be
 * decoded: tsr_weights_find does not fail for those.
 * Errors: TSR_BAD_INPUT an architecture or a setting that is not known, a tensor that is missing,
 *   of another shape or of a type that is not decoded; `out` is untouched. */
enum tsr_status tsr_weights_model(const struct tsr_weights *w, struct tsr_model *out,
                                  struct tsr_error *err);

/* A part of the model. layer below layers, expert below experts.
 * Errors: as tsr_weights_model; TSR_BAD_INPUT a part that the model has not. */
enum tsr_status tsr_weights_find(const struct tsr_weights *w, enum tsr_part part, uint32_t layer,
                                 uint32_t expert, struct tsr_matrix *out, struct tsr_error *err);

/* The bytes of a matrix's row in the file, as its tensor's format has them; of an element without
 * alignment. Of planes the codes. Errors: none; a row outside of the part, or a vector, is an
 * assertion. */
const uint8_t *tsr_matrix_row_data(const struct tsr_matrix *m, uint64_t row);

/* Rows first .. first + n - 1 of a part into f32.
 * Shapes: out n x cols, stride elements from row to row, at least cols.
 * Numerics: exact but for f32's own range and precision, as tsr_dequantize_f32; plain floats exact.
 * Errors: none; rows outside of the part are an assertion. Threads: any number at once. */
void tsr_matrix_rows_f32(const struct tsr_matrix *m, uint64_t first, uint64_t n, float *out,
                         size_t stride);

/* Lets the pages of all files go that were read so far: they come back from the file when they are
 * read again. Called after each layer it keeps the resident set at about one layer. */
void tsr_weights_release(const struct tsr_weights *w);

#ifdef __cplusplus
}
#endif
#endif
