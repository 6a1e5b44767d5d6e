/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors: a u64 length, a JSON header of that length, the data; offsets count from the data's
 * start. Several shards are named by an index. Source: safetensors' format. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/weights/weights_priv.h"

enum {
    MAX_SHARDS = 4096,
    HEAD_BYTES = 8
};

struct header {
    const struct tsr_file_map *file;
    uint64_t data_at; /* where offsets count from */
    struct tsr_error *err;
};

static enum tsr_status bad(const struct header *h, const char *name, const char *what)
{
    char shown[201];
    snprintf(shown, sizeof shown, "%s", name);
    for (char *c = shown; *c != '\0'; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    return tsr_error_set(h->err, TSR_BAD_INPUT, "%s: %s: %s", h->file->path, shown, what);
}

static bool whole(const json_t *v, uint64_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return false;
    *out = (uint64_t)json_integer_value(v);
    return true;
}

static enum tsr_status read_entry(struct tsr_weights *w, const struct header *h, const char *name,
                                  const json_t *entry)
{
    struct tsr_tensor t = {0};
    const json_t *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    const struct tsr_weight_type *type = dtype != NULL ? tsr_safetensors_type(dtype) : NULL;
    uint64_t begin, end, room = h->file->size - h->data_at;
    if (dtype == NULL || !json_is_array(shape) || json_array_size(offsets) != 2)
        return bad(h, name, "an object with dtype, shape and two data_offsets is allowed");
    if (type == NULL)
        return bad(h, name, "its dtype is unknown; F32, F16 and BF16 are decoded");
    if (json_array_size(shape) > TSR_TENSOR_MAX_DIMS)
        return bad(h, name, "its shape has more than 4 dimensions");
    for (size_t i = 0; i < json_array_size(shape); i++)
        if (!whole(json_array_get(shape, i), &t.dims[t.n_dims++]))
            return bad(h, name, "its shape holds what is no whole number");
    if (!whole(json_array_get(offsets, 0), &begin) || !whole(json_array_get(offsets, 1), &end) ||
        begin > end || end > room)
        return bad(h, name, "its data_offsets lie outside of the file or are no range");
    if (!tsr_tensor_size(&t, type, &t.bytes) || t.bytes != end - begin)
        return bad(h, name, "its data_offsets do not hold the bytes of its shape and dtype");
    t.type = type->name;
    t.layout = type->layout;
    t.format = type->format;
    t.offset = h->data_at + begin;
    t.data = h->file->data + t.offset;
    return tsr_weights_add_tensor(w, h->file, name, strlen(name), &t, h->err);
}

/* Bytes of the first tensor's start and of the last one's end must meet the data's. */
static enum tsr_status check_ends(const struct tsr_weights *w, const struct header *h, size_t from)
{
    uint64_t first = h->file->size, last = h->data_at;
    for (size_t i = from; i < w->n_tensors; i++) {
        const struct tsr_tensor *t = &w->tensors[i];
        first = t->offset < first ? t->offset : first;
        last = t->offset + t->bytes > last ? t->offset + t->bytes : last;
    }
    if (w->n_tensors > from && first == h->data_at && last == h->file->size)
        return TSR_OK;
    return bad(h, "header", "its tensors do not fill the file's data: bytes belong to none");
}

static enum tsr_status read_shard(struct tsr_weights *w, const struct tsr_file_map *file,
                                  struct tsr_error *err)
{
    struct header h = {.file = file, .err = err};
    size_t from = w->n_tensors;
    if (file->size < HEAD_BYTES)
        return bad(&h, "header", "the file is shorter than its 8 bytes of length");
    uint64_t n = tsr_le64(file->data);
    if (n > file->size - HEAD_BYTES || n > TSR_WEIGHTS_MAX_JSON)
        return bad(&h, "header", "it is longer than the file, or than the 12 MiB allowed");
    h.data_at = HEAD_BYTES + n;
    json_t *root = tsr_weights_json(file->path, "header", file->data + HEAD_BYTES, n, err);
    if (root == NULL)
        return TSR_BAD_INPUT;
    enum tsr_status st = TSR_OK;
    const char *name;
    json_t *entry;
    json_object_foreach(root, name, entry) if (st == TSR_OK && strcmp(name, "__metadata__") != 0)
        st = read_entry(w, &h, name, entry);
    json_decref(root);
    return st == TSR_OK ? check_ends(w, &h, from) : st;
}

/* ---- MXFP4 as gpt-oss writes it: X_blocks, U8 of ... x K/32 x 16, and X_scales beside ---- */

static bool is_bytes(const struct tsr_tensor *t)
{
    return strcmp(t->type, "U8") == 0;
}

static bool scales_fit(const struct tsr_tensor *blocks, const struct tsr_tensor *scales)
{
    if (scales == NULL || !is_bytes(scales) || scales->n_dims != 3)
        return false;
    return memcmp(blocks->dims, scales->dims, 3 * sizeof *scales->dims) == 0;
}

static enum tsr_status join_mxfp4(struct tsr_weights *w, struct tsr_error *err)
{
    static const char end[] = "_blocks";
    enum tsr_status st = TSR_OK;
    size_t n = w->n_tensors;
    for (size_t i = 0; st == TSR_OK && i < n; i++) {
        struct tsr_tensor *b = &w->tensors[i];
        size_t length = strlen(b->name);
        if (length < sizeof end || strcmp(b->name + length - 7, end) != 0 || !is_bytes(b) ||
            b->n_dims != 4 || b->dims[3] != 16)
            continue;
        char name[TSR_WEIGHTS_MAX_NAME + 8];
        int stem = (int)(length - 7);
        snprintf(name, sizeof name, "%.*s_scales", stem, b->name);
        const struct tsr_tensor *s = tsr_weights_by_name(w, name);
        if (!scales_fit(b, s))
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "%s: %s: %s, one byte for each 16 of it, is missing or differs",
                                 b->file, b->name, name);
        /* The blocks become the matrix, under their name; the scales stay listed. */
        b->type = "MXFP4";
        b->layout = TSR_LAYOUT_PLANES;
        b->format = TSR_MXF4;
        b->n_dims = 3;
        b->dims[2] *= 32;
        b->dims[3] = 0;
        b->scales = s->data;
    }
    return st;
}

/* ---- the folder ---- */

/* config.json beside `path`. */
static void read_config(struct tsr_weights *w, const char *path)
{
    const char *slash = strrchr(path, '/');
    int folder = slash != NULL ? (int)(slash - path) + 1 : 0;
    size_t room = strlen(path) + sizeof "config.json";
    char *config = malloc(room);
    if (config == NULL) {
        w->model_status = tsr_error_set(&w->model_error, TSR_INTERNAL, "%s: out of memory", path);
        return;
    }
    snprintf(config, room, "%.*sconfig.json", folder, path);
    w->model_status = tsr_model_load(config, &w->model, &w->model_error);
    free(config);
}

static enum tsr_status finish(struct tsr_weights *w, struct tsr_error *err)
{
    w->kind = TSR_WEIGHTS_SAFETENSORS;
    enum tsr_status st = tsr_weights_settle(w, true, err);
    if (st == TSR_OK)
        st = join_mxfp4(w, err);
    if (st == TSR_OK)
        read_config(w, w->files[0].path);
    return st;
}

enum tsr_status tsr_read_safetensors(struct tsr_weights *w, struct tsr_error *err)
{
    enum tsr_status st = read_shard(w, &w->files[0], err);
    return st == TSR_OK ? finish(w, err) : st;
}

/* ---- the index: {"weight_map": {tensor: file}} ---- */

/* A file beside the index, never a path. */
static bool is_plain_name(const char *s)
{
    size_t n = strlen(s);
    if (n == 0 || n > 255 || s[0] == '.' || strchr(s, '/') != NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        if (s[i] < 0x20 || s[i] > 0x7e)
            return false;
    return true;
}

static const struct tsr_file_map *find_file(const struct tsr_weights *w, const char *path)
{
    for (size_t i = 1; i < w->n_files; i++)
        if (strcmp(w->files[i].path, path) == 0)
            return &w->files[i];
    return NULL;
}

static enum tsr_status shard_path(const struct header *index, const char *name, const json_t *v,
                                  char path[4096])
{
    const char *file = json_string_value(v), *base = index->file->path;
    const char *slash = strrchr(base, '/');
    int folder = slash != NULL ? (int)(slash - base) + 1 : 0;
    if (file == NULL || !is_plain_name(file))
        return bad(index, name, "the name of a file beside the index is allowed");
    int n = snprintf(path, 4096, "%.*s%s", folder, base, file);
    return n < 4096 ? TSR_OK : bad(index, name, "the file's path is too long");
}

static enum tsr_status open_shards(struct tsr_weights *w, const struct header *index,
                                   const json_t *map)
{
    char path[4096], last[4096] = "";
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)map, name, v)
    {
        enum tsr_status st = shard_path(index, name, v, path);
        if (st == TSR_OK && strcmp(path, last) != 0 && find_file(w, path) == NULL)
            st = w->n_files <= MAX_SHARDS ? tsr_weights_add_file(w, path, index->err)
                                          : bad(index, name, "more than 4096 files");
        if (st != TSR_OK)
            return st;
        memcpy(last, path, sizeof last);
    }
    return TSR_OK;
}

/* Every tensor of the map is in the file that it names. */
static enum tsr_status check_map(const struct tsr_weights *w, const struct header *index,
                                 const json_t *map)
{
    char path[4096];
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)map, name, v)
    {
        enum tsr_status st = shard_path(index, name, v, path);
        const struct tsr_tensor *t = tsr_weights_by_name(w, name);
        if (st == TSR_OK && (t == NULL || strcmp(t->file, path) != 0))
            st = bad(index, name, "the file that the index names does not hold the tensor");
        if (st != TSR_OK)
            return st;
    }
    return TSR_OK;
}

static enum tsr_status read_index(struct tsr_weights *w, const struct tsr_file_map *file,
                                  const json_t *root, struct tsr_error *err)
{
    struct header index = {.file = file, .err = err};
    const json_t *map = json_object_get(root, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0)
        return bad(&index, "weight_map", "missing, an object of tensors and files is required");
    enum tsr_status st = open_shards(w, &index, map);
    for (size_t i = 1; st == TSR_OK && i < w->n_files; i++)
        st = read_shard(w, &w->files[i], err);
    if (st == TSR_OK)
        st = finish(w, err);
    return st == TSR_OK ? check_map(w, &index, map) : st;
}

enum tsr_status tsr_read_safetensors_index(struct tsr_weights *w, struct tsr_error *err)
{
    struct tsr_file_map file = w->files[0]; /* w->files moves */
    if (file.size > TSR_WEIGHTS_MAX_JSON)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: larger than the 12 MiB allowed", file.path);
    json_t *root = tsr_weights_json(file.path, "header", file.data, file.size, err);
    if (root == NULL)
        return TSR_BAD_INPUT;
    enum tsr_status st = read_index(w, &file, root, err);
    json_decref(root);
    return st;
}
