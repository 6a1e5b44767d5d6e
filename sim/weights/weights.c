/* SPDX-License-Identifier: Apache-2.0 */
/* Opening: which container a file is, its tensors in order, the checks that all containers share.
 */
#include "tessera/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/weights/gguf.h"
#include "sim/weights/weights_priv.h"

enum tsr_status tsr_weights_add_file(struct tsr_weights *w, const char *path, struct tsr_error *err)
{
    struct tsr_file_map *files = realloc(w->files, (w->n_files + 1) * sizeof *files);
    if (files == NULL)
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", path);
    w->files = files;
    enum tsr_status st = tsr_map_open(path, &files[w->n_files], err);
    if (st == TSR_OK)
        w->n_files++;
    return st;
}

static bool printable(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < 0x20 || s[i] > 0x7e)
            return false;
    return n > 0;
}

enum tsr_status tsr_weights_add_tensor(struct tsr_weights *w, const struct tsr_file_map *file,
                                       const char *name, size_t length, struct tsr_tensor *t,
                                       struct tsr_error *err)
{
    if (length > TSR_WEIGHTS_MAX_NAME || !printable(name, length))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: tensor %zu: its name, of %zu bytes, is none: 1 to %d printable "
                             "ASCII characters are allowed",
                             file->path, w->n_tensors, length, TSR_WEIGHTS_MAX_NAME);
    if (w->n_tensors == TSR_WEIGHTS_MAX_TENSORS)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: %.*s: more than the %d tensors allowed",
                             file->path, (int)length, name, TSR_WEIGHTS_MAX_TENSORS);
    if (w->n_tensors == w->room) {
        size_t room = w->room > 0 ? 2 * w->room : 64;
        struct tsr_tensor *more = realloc(w->tensors, room * sizeof *more);
        if (more == NULL)
            return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", file->path);
        w->tensors = more;
        w->room = room;
    }
    char *copy = malloc(length + 1);
    if (copy == NULL)
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", file->path);
    memcpy(copy, name, length);
    copy[length] = '\0';
    t->name = copy;
    t->file = file->path;
    w->tensors[w->n_tensors++] = *t;
    return TSR_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct tsr_tensor *x = a, *y = b;
    int c = strcmp(x->file, y->file);
    if (c != 0)
        return c;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes; /* empty ones first */
}

static int by_name(const void *a, const void *b)
{
    const struct tsr_tensor *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static enum tsr_status check_places(const struct tsr_weights *w, bool gapless,
                                    struct tsr_error *err)
{
    for (size_t i = 1; i < w->n_tensors; i++) {
        const struct tsr_tensor *a = &w->tensors[i - 1], *b = &w->tensors[i];
        if (strcmp(a->file, b->file) != 0)
            continue;
        uint64_t end = a->offset + a->bytes;
        if (b->offset < end)
            return tsr_error_set(
                err, TSR_BAD_INPUT, "%s: %s: starts at byte %llu, within %s, which ends at %llu",
                b->file, b->name, (unsigned long long)b->offset, a->name, (unsigned long long)end);
        if (gapless && b->offset > end)
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "%s: %s: starts at byte %llu, the tensor before it ends at %llu: "
                                 "no gap is allowed",
                                 b->file, b->name, (unsigned long long)b->offset,
                                 (unsigned long long)end);
    }
    return TSR_OK;
}

enum tsr_status tsr_weights_settle(struct tsr_weights *w, bool gapless, struct tsr_error *err)
{
    if (w->n_tensors == 0)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: holds no tensor", w->path);
    qsort(w->tensors, w->n_tensors, sizeof *w->tensors, by_place);
    enum tsr_status st = check_places(w, gapless, err);
    qsort(w->tensors, w->n_tensors, sizeof *w->tensors, by_name);
    for (size_t i = 1; st == TSR_OK && i < w->n_tensors; i++)
        if (strcmp(w->tensors[i - 1].name, w->tensors[i].name) == 0)
            st = tsr_error_set(err, TSR_BAD_INPUT, "%s: %s: two tensors have this name",
                               w->tensors[i].file, w->tensors[i].name);
    return st;
}

struct tsr_tensor *tsr_weights_by_name(const struct tsr_weights *w, const char *name)
{
    struct tsr_tensor key = {.name = name};
    return bsearch(&key, w->tensors, w->n_tensors, sizeof key, by_name);
}

/* ---- which container ---- */

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n >= k && strcmp(s + n - k, end) == 0;
}

/* The file of a folder that names the weights: an index before a single file. */
static enum tsr_status find_in_folder(const char *folder, char *path, size_t room,
                                      struct tsr_error *err)
{
    static const char *const names[] = {"model.safetensors.index.json", "model.safetensors"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct stat s;
        int n = snprintf(path, room, "%s/%s", folder, names[i]);
        if (n > 0 && (size_t)n < room && stat(path, &s) == 0)
            return TSR_OK;
    }
    return tsr_error_set(err, TSR_BAD_INPUT, "%s: a folder without %s or %s", folder, names[0],
                         names[1]);
}

static enum tsr_status read_any(struct tsr_weights *w, struct tsr_error *err)
{
    const struct tsr_file_map *f = &w->files[0];
    if (ends_with(f->path, ".json"))
        return tsr_read_safetensors_index(w, err);
    if (f->size >= 4 && memcmp(f->data, "GGUF", 4) == 0)
        return tsr_read_gguf(w, err);
    if (ends_with(f->path, ".gguf"))
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: magic: does not begin with GGUF", f->path);
    if (ends_with(f->path, ".safetensors") || (f->size > 8 && f->data[8] == '{'))
        return tsr_read_safetensors(w, err);
    return tsr_read_llama2c(w, err);
}

enum tsr_status tsr_weights_open(const char *path, struct tsr_weights **out, struct tsr_error *err)
{
    char inside[4096];
    struct stat s;
    struct tsr_error ignored = {0};
    err = err != NULL ? err : &ignored;
    const char *file = path;
    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode)) {
        enum tsr_status st = find_in_folder(path, inside, sizeof inside, err);
        if (st != TSR_OK)
            return st;
        file = inside;
    }
    struct tsr_weights *w = calloc(1, sizeof *w);
    if (w == NULL || (w->path = strdup(path)) == NULL) {
        free(w);
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", path);
    }
    enum tsr_status st = tsr_weights_add_file(w, file, err);
    if (st == TSR_OK)
        st = read_any(w, err);
    if (st != TSR_OK) {
        tsr_weights_close(w);
        return st;
    }
    if (w->model_status == TSR_OK)
        w->model_status = tsr_parts_check(w, &w->model_error);
    *out = w;
    return TSR_OK;
}

void tsr_weights_close(struct tsr_weights *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->n_tensors; i++)
        free((void *)(uintptr_t)w->tensors[i].name);
    for (size_t i = 0; i < w->n_files; i++)
        tsr_map_close(&w->files[i]);
    tsr_gguf_free(w->gguf);
    free(w->tensors);
    free(w->files);
    free(w->path);
    free(w);
}

const char *tsr_weights_path(const struct tsr_weights *w)
{
    return w->path;
}

enum tsr_weights_container tsr_weights_kind(const struct tsr_weights *w)
{
    return w->kind;
}

uint64_t tsr_weights_file_bytes(const struct tsr_weights *w)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < w->n_files; i++)
        sum += w->files[i].size;
    return sum;
}

size_t tsr_weights_count(const struct tsr_weights *w)
{
    return w->n_tensors;
}

const struct tsr_tensor *tsr_weights_tensor(const struct tsr_weights *w, size_t i)
{
    return &w->tensors[i];
}

enum tsr_status tsr_weights_model(const struct tsr_weights *w, struct tsr_model *out,
                                  struct tsr_error *err)
{
    if (w->model_status != TSR_OK)
        return tsr_error_set(err, w->model_status, "%s", w->model_error.message);
    *out = w->model;
    return TSR_OK;
}

void tsr_weights_release(const struct tsr_weights *w)
{
    for (size_t i = 0; i < w->n_files; i++)
        tsr_map_release(&w->files[i]);
}
