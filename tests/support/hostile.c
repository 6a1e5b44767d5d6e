/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/weights/tokenizer_priv.h"
#include "sim/weights/weights_priv.h"
#include "tests/support/harness.h"

/* Names the file, or of a folder's model one beside it. */
static void check_message(const struct tsr_error *err, enum tsr_status st, const char *path)
{
    size_t n = strlen(path), folder = strcspn(path, "/");
    if (st != TSR_BAD_INPUT)
        fail_msg("status %d: %s", (int)st, err->message);
    bool file = strncmp(err->message, path, n) == 0 && err->message[n] == ':';
    if (!file && (folder == n || strncmp(err->message, path, folder + 1) != 0))
        fail_msg("message without the file: %s", err->message);
    for (const char *c = err->message; *c != '\0'; c++)
        if (*c < 0x20 || *c > 0x7e)
            fail_msg("message with byte 0x%02x: %s", (uint8_t)*c, err->message);
}

/* Every row of every part, summed so that nothing is left out. */
static void decode_all(const struct tsr_weights *w, const struct tsr_model *m)
{
    for (int p = 0; p < TSR_PART_COUNT; p++)
        for (uint32_t l = 0; l < (p <= TSR_PART_LM_HEAD ? 1 : m->layers); l++)
            for (uint32_t e = 0; e < (p < TSR_PART_EXPERT_GATE ? 1 : m->experts); e++) {
                struct tsr_matrix x;
                struct tsr_error err = {0};
                if (tsr_weights_find(w, (enum tsr_part)p, l, e, &x, &err) != TSR_OK)
                    continue;
                float *row = malloc(x.cols * sizeof *row);
                assert_non_null(row);
                for (uint64_t r = 0; r<x.rows; r += x.rows> 4 ? (x.rows - 1) / 3 : 1)
                    tsr_matrix_rows_f32(&x, r, 1, row, x.cols);
                free(row);
            }
}

static void check_places(const struct tsr_weights *w, size_t n)
{
    for (size_t i = 0; i < tsr_weights_count(w); i++) {
        const struct tsr_tensor *t = tsr_weights_tensor(w, i);
        assert_true(t->bytes <= n && t->offset <= n - t->bytes);
        assert_ptr_equal(t->data, w->files[0].data + t->offset);
    }
}

static enum tsr_status read_as(struct tsr_weights *w, enum tsr_weights_container kind,
                               struct tsr_error *err)
{
    if (kind == TSR_WEIGHTS_GGUF)
        return tsr_read_gguf(w, err);
    return kind == TSR_WEIGHTS_SAFETENSORS ? tsr_read_safetensors(w, err)
                                           : tsr_read_llama2c(w, err);
}

enum hostile_outcome hostile_weights(enum tsr_weights_container kind, const char *path,
                                     const uint8_t *bytes, size_t n, char message[1024])
{
    enum hostile_outcome outcome = HOSTILE_REFUSED;
    struct tsr_error err = {0};
    struct tsr_weights *w = calloc(1, sizeof *w);
    uint8_t *copy = malloc(n > 0 ? n : 1);
    assert_non_null(w);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    w->path = strdup(path);
    w->files = calloc(1, sizeof *w->files);
    w->files[0] = (struct tsr_file_map){.path = strdup(path), .data = copy, .size = n};
    w->n_files = 1;
    message[0] = '\0';
    enum tsr_status st = kind == TSR_WEIGHTS_GGUF && n < 4 ? TSR_BAD_INPUT : read_as(w, kind, &err);
    if (st == TSR_OK) {
        struct tsr_model m;
        check_places(w, n);
        if (w->model_status == TSR_OK)
            w->model_status = tsr_parts_check(w, &w->model_error);
        st = tsr_weights_model(w, &m, &err);
        outcome = st == TSR_OK ? HOSTILE_WHOLE : HOSTILE_NO_MODEL;
        if (st == TSR_OK)
            decode_all(w, &m);
    }
    if (err.status != TSR_OK)
        check_message(&err, st, path);
    memcpy(message, err.message, sizeof err.message);
    w->files[0].data = NULL; /* no map */
    tsr_weights_close(w);
    free(copy);
    return outcome;
}

enum hostile_outcome hostile_tokenizer(const char *path, const uint8_t *bytes, size_t n,
                                       char message[1024])
{
    static const char text[] = "Once upon a time, the\n hat \xE2\x82\xAC\xFF\xC0 is 1234 <s> I'll";
    struct tsr_error err = {0};
    struct tsr_tokenizer *t = NULL;
    uint8_t *copy = malloc(n > 0 ? n : 1);
    bool gguf = n >= 4 && memcmp(bytes, "GGUF", 4) == 0;
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    message[0] = '\0';
    enum tsr_status st = gguf ? tsr_tokenizer_read_gguf(path, copy, n, 0, &t, &err)
                         : n > 0 && bytes[0] == '{'
                             ? tsr_tokenizer_read_json(path, copy, n, 0, &t, &err)
                             : tsr_tokenizer_read_llama2c(path, copy, n, 0, &t, &err);
    free(copy); /* nothing of it is kept */
    if (st != TSR_OK) {
        check_message(&err, st, path);
        memcpy(message, err.message, sizeof err.message);
        return HOSTILE_REFUSED;
    }
    uint32_t *ids = NULL;
    size_t count = 0, length, sum = 0;
    st = tsr_tokenizer_encode(t, text, sizeof text - 1, &ids, &count, &err);
    if (st != TSR_OK)
        check_message(&err, st, path);
    for (size_t i = 0; st == TSR_OK && i < count; i++) {
        assert_true(ids[i] < tsr_tokenizer_describe(t)->vocab);
        tsr_tokenizer_bytes(t, i > 0 ? (int64_t)ids[i - 1] : -1, ids[i], &length);
        sum += length;
    }
    assert_in_range(sum, 0, 100000000);
    free(ids);
    tsr_tokenizer_close(t);
    return st == TSR_OK ? HOSTILE_WHOLE : HOSTILE_NO_MODEL;
}

/* ---- fields ---- */

struct fields {
    struct hostile_field *f;
    size_t n, at;
    const uint8_t *bytes;
};

static uint64_t take(struct fields *x, size_t bytes)
{
    x->f = realloc(x->f, (x->n + 1) * sizeof *x->f);
    assert_non_null(x->f);
    x->f[x->n++] = (struct hostile_field){x->at, bytes};
    uint64_t v = bytes == 8 ? tsr_le64(x->bytes + x->at) : tsr_le32(x->bytes + x->at);
    x->at += bytes;
    return v;
}

static void take_value(struct fields *x, uint64_t kind)
{
    static const size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (kind == 8)
        x->at += take(x, 8);
    else if (sizes[kind] < 4)
        x->at += sizes[kind];
    else
        take(x, sizes[kind]);
}

struct hostile_field *hostile_gguf_fields(const uint8_t *bytes, size_t *n, size_t *head)
{
    struct fields x = {.bytes = bytes, .at = 4};
    take(&x, 4);
    uint64_t tensors = take(&x, 8), values = take(&x, 8);
    for (uint64_t i = 0; i < values; i++) {
        x.at += take(&x, 8);
        uint64_t kind = take(&x, 4), count = 1;
        if (kind == 9) {
            kind = take(&x, 4);
            count = take(&x, 8);
        }
        for (uint64_t k = 0; k < count; k++)
            take_value(&x, kind);
    }
    for (uint64_t i = 0; i < tensors; i++) {
        x.at += take(&x, 8);
        uint64_t dims = take(&x, 4);
        for (uint64_t d = 0; d < dims; d++)
            take(&x, 8);
        take(&x, 4);
        take(&x, 8);
    }
    *n = x.n;
    *head = x.at;
    return x.f;
}

struct hostile_field *hostile_tokenizer_fields(const uint8_t *bytes, size_t size, size_t *n)
{
    struct fields x = {.bytes = bytes};
    take(&x, 4);
    while (x.at < size) {
        take(&x, 4);
        x.at += take(&x, 4);
    }
    *n = x.n;
    return x.f;
}
