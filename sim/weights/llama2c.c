/* SPDX-License-Identifier: Apache-2.0 */
/* llama2.c's .bin, version 0: seven int32 (dim, hidden_dim, n_layers, n_heads, n_kv_heads,
 * vocab_size, seq_len; a negative vocab_size: the classifier is a table of its own), then float32
 * arrays, each kind for all layers together. Its tensors get the names of Meta's files.
 * Source: karpathy/llama2.c, export.py's legacy export. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/project/model_priv.h"
#include "sim/weights/weights_priv.h"

enum {
    HEADER_BYTES = 28,
    SIZES = 7
};

/* There is no magic: what is nothing else is taken for such a file. */
#define HINT " (read as llama2.c's .bin, since it is neither GGUF nor safetensors)"

static const char *const size_names[SIZES] = {
    "dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "seq_len",
};

/* The arrays in the order of the file; those of layers are named layers.N.NAME; null names are
 * passed over. */
enum extent {
    ONE,
    DIM,
    HIDDEN,
    Q_ROWS,
    KV_ROWS,
    VOCAB,
    ROTARY
};
static const struct array {
    const char *name;
    bool per_layer, unshared; /* unshared: only with a classifier of its own */
    enum extent rows, cols;
} arrays[] = {
    {"tok_embeddings.weight", false, false, VOCAB, DIM},
    {"attention_norm.weight", true, false, ONE, DIM},
    {"attention.wq.weight", true, false, Q_ROWS, DIM},
    {"attention.wk.weight", true, false, KV_ROWS, DIM},
    {"attention.wv.weight", true, false, KV_ROWS, DIM},
    {"attention.wo.weight", true, false, DIM, Q_ROWS},
    {"ffn_norm.weight", true, false, ONE, DIM},
    {"feed_forward.w1.weight", true, false, HIDDEN, DIM},
    {"feed_forward.w2.weight", true, false, DIM, HIDDEN},
    {"feed_forward.w3.weight", true, false, HIDDEN, DIM},
    {"norm.weight", false, false, ONE, DIM},
    {NULL, false, false, ROTARY, ONE}, /* cosines and sines, computed afresh */
    {"output.weight", false, true, VOCAB, DIM},
};

static uint64_t extent_of(const struct tsr_model *m, enum extent e)
{
    switch (e) {
    case DIM:
    case Q_ROWS:
        return m->hidden;
    case HIDDEN:
        return m->ffn;
    case KV_ROWS:
        return (uint64_t)m->kv_heads * m->head_dim;
    case VOCAB:
        return m->vocab;
    case ROTARY:
        return (uint64_t)m->context * m->head_dim;
    default:
        return 1;
    }
}

static enum tsr_status read_sizes(const struct tsr_file_map *f, struct tsr_model *m,
                                  struct tsr_error *err)
{
    int32_t v[SIZES];
    uint32_t *to[SIZES] = {&m->hidden,   &m->ffn,   &m->layers, &m->heads,
                           &m->kv_heads, &m->vocab, &m->context};
    if (f->size >= 4 && memcmp(f->data, "24ka", 4) == 0)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: version: llama2.c's exports 1 and 2 are not supported, the one "
                             "without magic (version 0) is",
                             f->path);
    if (f->size < HEADER_BYTES)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: header: neither GGUF nor safetensors, and with %llu bytes too "
                             "short for llama2.c's 28",
                             f->path, (unsigned long long)f->size);
    for (int i = 0; i < SIZES; i++) {
        v[i] = (int32_t)tsr_le32(f->data + 4 * i);
        if (i == 5) { /* the sign of vocab_size is a flag */
            m->tied = v[i] > 0;
            v[i] = v[i] < 0 && v[i] > INT32_MIN ? -v[i] : v[i];
        }
        if (v[i] < 1)
            return tsr_error_set(err, TSR_BAD_INPUT, "%s: %s: is %d, 1 or more is allowed" HINT,
                                 f->path, size_names[i], v[i]);
        *to[i] = (uint32_t)v[i];
    }
    return TSR_OK;
}

static enum tsr_status check_sizes(const struct tsr_file_map *f, const struct tsr_model *m,
                                   struct tsr_error *err)
{
    if (m->layers > TSR_MAX_LAYERS)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: n_layers: is %u, 1 to %d are allowed" HINT,
                             f->path, m->layers, TSR_MAX_LAYERS);
    if (m->hidden % m->heads != 0 || m->hidden / m->heads % 2 != 0)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: n_heads: is %u, dim = %u does not divide into heads of an even "
                             "length" HINT,
                             f->path, m->heads, m->hidden);
    if (m->heads % m->kv_heads != 0)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: n_kv_heads: is %u, a divisor of n_heads = %u is allowed" HINT,
                             f->path, m->kv_heads, m->heads);
    return TSR_OK;
}

/* Bytes of one array of one layer: below 2^62 * 4, saturating. */
static uint64_t array_bytes(const struct tsr_model *m, const struct array *a)
{
    return tsr_sat_mul3(extent_of(m, a->rows), extent_of(m, a->cols), 4);
}

static enum tsr_status check_file_size(const struct tsr_file_map *f, const struct tsr_model *m,
                                       struct tsr_error *err)
{
    uint64_t sum = HEADER_BYTES;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        if (!arrays[i].unshared || !m->tied)
            sum = tsr_sat_add(
                sum, tsr_sat_mul(array_bytes(m, &arrays[i]), arrays[i].per_layer ? m->layers : 1));
    if (sum != f->size)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: header: dim %u, hidden_dim %u, %u layers, %u of %u heads, "
                             "vocabulary %u, seq_len %u take %llu bytes, the file has %llu" HINT,
                             f->path, m->hidden, m->ffn, m->layers, m->kv_heads, m->heads, m->vocab,
                             m->context, (unsigned long long)sum, (unsigned long long)f->size);
    return TSR_OK;
}

static enum tsr_status add_array(struct tsr_weights *w, const struct tsr_model *m,
                                 const struct array *a, uint32_t layer, uint64_t offset,
                                 struct tsr_error *err)
{
    const struct tsr_file_map *f = &w->files[0];
    struct tsr_tensor t = {.type = "F32", .layout = TSR_LAYOUT_PLAIN, .format = TSR_F32};
    char name[64];
    if (a->per_layer)
        snprintf(name, sizeof name, "layers.%u.%s", layer, a->name);
    else
        snprintf(name, sizeof name, "%s", a->name);
    if (a->rows != ONE)
        t.dims[t.n_dims++] = extent_of(m, a->rows);
    t.dims[t.n_dims++] = extent_of(m, a->cols);
    t.bytes = array_bytes(m, a);
    t.offset = offset;
    t.data = f->data + offset;
    return tsr_weights_add_tensor(w, f, name, strlen(name), &t, err);
}

enum tsr_status tsr_read_llama2c(struct tsr_weights *w, struct tsr_error *err)
{
    const struct tsr_file_map *f = &w->files[0];
    struct tsr_model *m = &w->model;
    w->kind = TSR_WEIGHTS_LLAMA2C;
    w->adjacent_pairs = true;
    m->arch = TSR_ARCH_LLAMA;
    m->norm_eps = 1e-5; /* run.c's, as is the theta */
    m->rope.theta = 1e4;
    snprintf(m->name, sizeof m->name, "%s", w->path);
    enum tsr_status st = read_sizes(f, m, err);
    if (st == TSR_OK)
        st = check_sizes(f, m, err);
    if (st != TSR_OK)
        return st;
    m->head_dim = m->hidden / m->heads;
    tsr_arch_apply(m);
    st = check_file_size(f, m, err);
    uint64_t offset = HEADER_BYTES;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        if (arrays[i].unshared && m->tied)
            continue;
        uint32_t n = arrays[i].per_layer ? m->layers : 1;
        for (uint32_t l = 0; st == TSR_OK && l < n; l++, offset += array_bytes(m, &arrays[i]))
            if (arrays[i].name != NULL)
                st = add_array(w, m, &arrays[i], l, offset, err);
    }
    return st == TSR_OK ? tsr_weights_settle(w, false, err) : st;
}
