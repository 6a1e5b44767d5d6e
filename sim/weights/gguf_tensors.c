/* SPDX-License-Identifier: Apache-2.0 */
/* The tensors of a GGUF file, or of several that are one model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/weights/gguf.h"
#include "sim/weights/weights_priv.h"

struct place {
    const struct tsr_file_map *file;
    size_t first; /* tensor of this file */
    uint64_t at;  /* next byte of the descriptions */
    uint64_t alignment;
};

static enum tsr_status bad(const struct place *p, const char *name, int length, const char *what,
                           struct tsr_error *err)
{
    return tsr_error_set(err, TSR_BAD_INPUT, "%s: %.*s: %s", p->file->path, length, name, what);
}

/* Dims of the file count from the innermost. */
static enum tsr_status read_dims(struct place *p, const char *name, int length,
                                 struct tsr_tensor *t, struct tsr_error *err)
{
    const uint8_t *data = p->file->data;
    if (p->file->size - p->at < 4)
        return bad(p, name, length, "the file ends within its description", err);
    t->n_dims = tsr_le32(data + p->at);
    p->at += 4;
    if (t->n_dims < 1 || t->n_dims > TSR_TENSOR_MAX_DIMS)
        return bad(p, name, length, "its number of dimensions is out of range, 1 to 4 are allowed",
                   err);
    if (p->file->size - p->at < 8 * (uint64_t)t->n_dims + 12)
        return bad(p, name, length, "the file ends within its description", err);
    for (uint32_t i = 0; i < t->n_dims; i++, p->at += 8) {
        uint64_t d = tsr_le64(data + p->at);
        if (d == 0)
            return bad(p, name, length, "a dimension is 0, 1 or more is allowed", err);
        t->dims[t->n_dims - 1 - i] = d;
    }
    return TSR_OK;
}

static enum tsr_status read_tensor(struct tsr_weights *w, struct place *p, struct tsr_error *err)
{
    const struct tsr_file_map *f = p->file;
    struct tsr_tensor t = {0};
    char number[48];
    int length = snprintf(number, sizeof number, "tensor %zu", w->n_tensors);
    if (f->size - p->at < 8)
        return bad(p, number, length, "the file ends within its description", err);
    uint64_t n = tsr_le64(f->data + p->at);
    p->at += 8;
    if (n > f->size - p->at || n > TSR_WEIGHTS_MAX_NAME)
        return bad(p, number, length, "its name is longer than 1024 bytes or the file", err);
    const char *name = (const char *)f->data + p->at;
    for (uint64_t i = 0; i < n; i++)
        if (name[i] < 0x20 || name[i] > 0x7e)
            return bad(p, number, length, "its name holds what is no printable ASCII", err);
    p->at += n;
    int shown = n > 200 ? 200 : (int)n;
    enum tsr_status st = read_dims(p, name, shown, &t, err);
    if (st != TSR_OK)
        return st;
    uint32_t id = tsr_le32(f->data + p->at);
    t.offset = tsr_le64(f->data + p->at + 4);
    p->at += 12;
    const struct tsr_weight_type *type = tsr_gguf_type(id);
    if (type == NULL)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: %.*s: type %u is unknown or not supported, F32 F16 BF16 Q8_0 "
                             "Q4_0 Q4_K Q6_K MXFP4 are decoded",
                             f->path, shown, name, id);
    if (!tsr_tensor_size(&t, type, &t.bytes))
        return bad(p, name, shown, "its size overflows or its rows do not divide into its blocks",
                   err);
    if (t.offset % p->alignment != 0)
        return bad(p, name, shown, "its offset is no multiple of general.alignment", err);
    t.type = type->name;
    t.layout = type->layout;
    t.format = type->format;
    return tsr_weights_add_tensor(w, f, name, n, &t, err);
}

/* Offsets count from the end of the descriptions, aligned. */
static enum tsr_status place_tensors(struct tsr_weights *w, const struct place *p,
                                     struct tsr_error *err)
{
    uint64_t pad = (p->alignment - p->at % p->alignment) % p->alignment;
    uint64_t left = p->file->size - p->at;
    uint64_t start = p->at + (pad < left ? pad : left);
    for (size_t i = p->first; i < w->n_tensors; i++) {
        struct tsr_tensor *t = &w->tensors[i];
        uint64_t room = p->file->size - start;
        if (t->bytes > room || t->offset > room - t->bytes)
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "%s: %s: %llu bytes at offset %llu, the file holds %llu bytes of "
                                 "data",
                                 t->file, t->name, (unsigned long long)t->bytes,
                                 (unsigned long long)t->offset, (unsigned long long)room);
        t->offset += start;
        t->data = p->file->data + t->offset;
    }
    return TSR_OK;
}

/* Head and tensors of the file that was opened last. */
static enum tsr_status read_file(struct tsr_weights *w, struct tsr_gguf **head,
                                 struct tsr_error *err)
{
    const struct tsr_file_map file = w->files[w->n_files - 1];
    struct place p = {.file = &file, .first = w->n_tensors};
    uint64_t n = 0;
    enum tsr_status st = tsr_gguf_parse(file.path, file.data, file.size, head, &p.at, &n, err);
    if (st != TSR_OK)
        return st;
    p.alignment = (*head)->alignment;
    for (uint64_t i = 0; st == TSR_OK && i < n; i++)
        st = read_tensor(w, &p, err);
    return st == TSR_OK ? place_tensors(w, &p, err) : st;
}

/* ---- several files ---- */

enum {
    MAX_FILES = 1000
};

/* A number of a file's head; `otherwise` where it has none, -1 where it is no such number. */
static int64_t number(const struct tsr_gguf *g, const char *key, int64_t otherwise)
{
    const struct tsr_gguf_value *v = tsr_gguf_find(g, key);
    int64_t x = otherwise;
    if (v != NULL &&
        (v->kind == TSR_GGUF_ARRAY || !tsr_gguf_int(v, 0, &x) || x < 0 || x > MAX_FILES))
        return -1;
    return x;
}

/* The name of file i, from 0, beside the first one, whose name ends in -00001-of-count.gguf. */
static enum tsr_status name_of(const char *first, int64_t i, int64_t count, char *out, size_t room,
                               struct tsr_error *err)
{
    char end[32];
    int n = snprintf(end, sizeof end, "-00001-of-%05d.gguf", (int)count);
    const size_t length = strlen(first), stem = length - (size_t)n;
    if (length < (size_t)n || strcmp(first + stem, end) != 0)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: split.count: the first of several GGUF files, whose name ends in "
                             "%s, is allowed",
                             first, end);
    n = snprintf(out, room, "%.*s-%05d-of-%05d.gguf", (int)stem, first, (int)i + 1, (int)count);
    return n > 0 && (size_t)n < room
               ? TSR_OK
               : tsr_error_set(err, TSR_BAD_INPUT, "%s: its name is too long", first);
}

/* File i of a model; its head is looked at, not kept. */
static enum tsr_status read_next(struct tsr_weights *w, int64_t i, int64_t count,
                                 struct tsr_error *err)
{
    char path[4096];
    struct tsr_gguf *head = NULL;
    enum tsr_status st = name_of(w->files[0].path, i, count, path, sizeof path, err);
    if (st == TSR_OK)
        st = tsr_weights_add_file(w, path, err);
    const struct tsr_file_map *f = &w->files[w->n_files - 1];
    if (st == TSR_OK && (f->size < 4 || memcmp(f->data, "GGUF", 4) != 0))
        st = tsr_error_set(err, TSR_BAD_INPUT, "%s: magic: does not begin with GGUF", path);
    if (st == TSR_OK)
        st = read_file(w, &head, err);
    if (st == TSR_OK &&
        (number(head, "split.no", -1) != i || number(head, "split.count", -1) != count))
        st = tsr_error_set(err, TSR_BAD_INPUT,
                           "%s: split.no, split.count: it is not file %d of %d, counted from 0",
                           path, (int)i, (int)count);
    tsr_gguf_free(head);
    return st;
}

enum tsr_status tsr_read_gguf(struct tsr_weights *w, struct tsr_error *err)
{
    w->kind = TSR_WEIGHTS_GGUF;
    enum tsr_status st = read_file(w, &w->gguf, err);
    if (st != TSR_OK)
        return st;
    const int64_t count = number(w->gguf, "split.count", 1), no = number(w->gguf, "split.no", 0);
    if (count < 0 || no < 0 || (no != 0 && count > 1))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: split.count, split.no: of several GGUF files the first is "
                             "allowed, of at most %d",
                             w->files[0].path, MAX_FILES);
    for (int64_t i = 1; i < count && st == TSR_OK; i++)
        st = read_next(w, i, count, err);
    if (st == TSR_OK)
        st = tsr_weights_settle(w, false, err);
    if (st == TSR_OK)
        w->model_status = tsr_gguf_model(w, &w->model, &w->model_error);
    w->adjacent_pairs = tsr_gguf_adjacent_pairs(&w->model);
    return st;
}
