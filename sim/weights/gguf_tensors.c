/* SPDX-License-Identifier: Apache-2.0 */
/* The tensors of a GGUF file. */
#include <stdio.h>

#include "sim/weights/gguf.h"
#include "sim/weights/weights_priv.h"

struct place {
    const struct tsr_file_map *file;
    uint64_t at; /* next byte of the descriptions */
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
    for (size_t i = 0; i < w->n_tensors; i++) {
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

enum tsr_status tsr_read_gguf(struct tsr_weights *w, struct tsr_error *err)
{
    struct place p = {.file = &w->files[0]};
    uint64_t n = 0;
    w->kind = TSR_WEIGHTS_GGUF;
    enum tsr_status st =
        tsr_gguf_parse(p.file->path, p.file->data, p.file->size, &w->gguf, &p.at, &n, err);
    if (st != TSR_OK)
        return st;
    p.alignment = w->gguf->alignment;
    for (uint64_t i = 0; st == TSR_OK && i < n; i++)
        st = read_tensor(w, &p, err);
    if (st == TSR_OK)
        st = place_tensors(w, &p, err);
    if (st == TSR_OK)
        st = tsr_weights_settle(w, false, err);
    if (st == TSR_OK)
        w->model_status = tsr_gguf_model(w, &w->model, &w->model_error);
    w->adjacent_pairs = tsr_gguf_adjacent_pairs(&w->model);
    return st;
}
