/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a GGUF file. Source: ggml docs/gguf.md. */
#include "sim/weights/gguf.h"

#include <stdlib.h>
#include <string.h>

#include "sim/weights/weights_priv.h"

enum {
    MAX_VALUES = 1 << 16,
    MIN_VALUE_BYTES = 8 + 1 + 4 + 1,   /* a key of one letter, its kind, a byte */
    MIN_TENSOR_BYTES = 8 + 1 + 4 + 12, /* without dims */
};

static const struct {
    const char *name;
    uint8_t bytes; /* 0: not of one size */
} kinds[TSR_GGUF_KINDS] = {
    [TSR_GGUF_U8] = {"u8", 1},       [TSR_GGUF_I8] = {"i8", 1},
    [TSR_GGUF_U16] = {"u16", 2},     [TSR_GGUF_I16] = {"i16", 2},
    [TSR_GGUF_U32] = {"u32", 4},     [TSR_GGUF_I32] = {"i32", 4},
    [TSR_GGUF_F32] = {"f32", 4},     [TSR_GGUF_BOOL] = {"bool", 1},
    [TSR_GGUF_U64] = {"u64", 8},     [TSR_GGUF_I64] = {"i64", 8},
    [TSR_GGUF_F64] = {"f64", 8},     [TSR_GGUF_STRING] = {"string", 0},
    [TSR_GGUF_ARRAY] = {"array", 0},
};

struct reader {
    const char *file;
    const uint8_t *data;
    uint64_t at, size;
    const char *key; /* what is being read */
    struct tsr_error *err;
};

static enum tsr_status bad(struct reader *r, const char *what)
{
    return tsr_error_set(r->err, TSR_BAD_INPUT, "%s: %s: %s (at byte %llu of %llu)", r->file,
                         r->key, what, (unsigned long long)r->at, (unsigned long long)r->size);
}

static bool has(const struct reader *r, uint64_t n)
{
    return n <= r->size - r->at;
}

static enum tsr_status read_u32(struct reader *r, uint32_t *out)
{
    if (!has(r, 4))
        return bad(r, "the file ends here");
    *out = tsr_le32(r->data + r->at);
    r->at += 4;
    return TSR_OK;
}

static enum tsr_status read_u64(struct reader *r, uint64_t *out)
{
    if (!has(r, 8))
        return bad(r, "the file ends here");
    *out = tsr_le64(r->data + r->at);
    r->at += 8;
    return TSR_OK;
}

static enum tsr_status skip_string(struct reader *r)
{
    uint64_t n;
    enum tsr_status st = read_u64(r, &n);
    if (st != TSR_OK)
        return st;
    if (!has(r, n))
        return bad(r, "a string is longer than what is left of the file");
    r->at += n;
    return TSR_OK;
}

static enum tsr_status read_key(struct reader *r, struct tsr_gguf_value *v)
{
    uint64_t n;
    enum tsr_status st = read_u64(r, &n);
    if (st != TSR_OK)
        return st;
    if (n == 0 || n > 65535 || !has(r, n))
        return bad(r, "a key's length is out of range, 1 to 65535 bytes of the file are allowed");
    const uint8_t *s = r->data + r->at;
    for (uint64_t i = 0; i < n; i++)
        if (s[i] < 0x20 || s[i] > 0x7e)
            return bad(r, "a key holds what is no printable ASCII");
    v->key = malloc(n + 1);
    if (v->key == NULL)
        return tsr_error_set(r->err, TSR_INTERNAL, "%s: out of memory", r->file);
    memcpy(v->key, s, n);
    v->key[n] = '\0';
    r->at += n;
    r->key = v->key;
    return TSR_OK;
}

static enum tsr_status read_items(struct reader *r, struct tsr_gguf_value *v)
{
    v->data = r->data + r->at;
    uint64_t from = r->at;
    if (v->item == TSR_GGUF_STRING) {
        if (v->count > (r->size - r->at) / 8)
            return bad(r, "the array has more strings than the file has room for");
        for (uint64_t i = 0; i < v->count; i++) {
            enum tsr_status st = skip_string(r);
            if (st != TSR_OK)
                return st;
        }
    } else {
        uint64_t size = kinds[v->item].bytes;
        if (v->count > (r->size - r->at) / size)
            return bad(r, "the value is longer than what is left of the file");
        for (uint64_t i = 0; v->item == TSR_GGUF_BOOL && i < v->count; i++)
            if (v->data[i] > 1)
                return bad(r, "a bool is neither 0 nor 1");
        r->at += v->count * size;
    }
    v->bytes = r->at - from;
    return TSR_OK;
}

static enum tsr_status read_value(struct reader *r, struct tsr_gguf_value *v)
{
    uint32_t kind, item;
    enum tsr_status st = read_key(r, v);
    if (st == TSR_OK)
        st = read_u32(r, &kind);
    if (st != TSR_OK)
        return st;
    if (kind >= TSR_GGUF_KINDS)
        return bad(r, "unknown type of value, 0 to 12 are allowed");
    v->kind = v->item = (enum tsr_gguf_kind)kind;
    v->count = 1;
    if (kind == TSR_GGUF_ARRAY) {
        st = read_u32(r, &item);
        if (st == TSR_OK)
            st = read_u64(r, &v->count);
        if (st != TSR_OK)
            return st;
        if (item >= TSR_GGUF_KINDS || item == TSR_GGUF_ARRAY)
            return bad(r, "an array's items are of an unknown type or arrays, which no key has");
        v->item = (enum tsr_gguf_kind)item;
    }
    return read_items(r, v);
}

static int by_key(const void *a, const void *b)
{
    const struct tsr_gguf_value *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static enum tsr_status check_values(struct reader *r, struct tsr_gguf *g)
{
    qsort(g->values, g->n_values, sizeof *g->values, by_key);
    for (size_t i = 1; i < g->n_values; i++)
        if (strcmp(g->values[i - 1].key, g->values[i].key) == 0) {
            r->key = g->values[i].key;
            return bad(r, "the key stands there twice");
        }
    const struct tsr_gguf_value *v = tsr_gguf_find(g, "general.alignment");
    int64_t alignment = 32;
    r->key = "general.alignment";
    if (v != NULL && (v->kind != TSR_GGUF_U32 || !tsr_gguf_int(v, 0, &alignment) || alignment < 8 ||
                      alignment % 8 != 0))
        return bad(r, "a u32 that is a multiple of 8 is allowed");
    g->alignment = (uint64_t)alignment;
    return TSR_OK;
}

static enum tsr_status read_head(struct reader *r, struct tsr_gguf *g, uint64_t *n_tensors,
                                 uint64_t *n_values)
{
    r->at = 4; /* the magic, which the caller saw */
    r->key = "header";
    enum tsr_status st = read_u32(r, &g->version);
    if (st != TSR_OK)
        return st;
    if (g->version >> 24 != 0 && (g->version & 0xFFFF) == 0)
        return bad(r, "the file is big-endian, little-endian is allowed");
    /* 2 differs from 3 in nothing but that 3 may be big-endian. */
    if (g->version != 2 && g->version != 3)
        return bad(r, "unknown version, 2 and 3 are allowed");
    st = read_u64(r, n_tensors);
    if (st == TSR_OK)
        st = read_u64(r, n_values);
    if (st != TSR_OK)
        return st;
    if (*n_values > MAX_VALUES || *n_values > (r->size - r->at) / MIN_VALUE_BYTES)
        return bad(r, "more metadata is announced than the file has room for, or than 65536 keys");
    return TSR_OK;
}

enum tsr_status tsr_gguf_parse(const char *file, const uint8_t *data, uint64_t size,
                               struct tsr_gguf **out, uint64_t *tensors_at, uint64_t *n_tensors,
                               struct tsr_error *err)
{
    struct reader r = {.file = file, .data = data, .size = size, .err = err};
    uint64_t n = 0, tensors = 0;
    struct tsr_gguf *g = calloc(1, sizeof *g);
    if (g == NULL)
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", file);
    g->file = file;
    enum tsr_status st = read_head(&r, g, &tensors, &n);
    if (st == TSR_OK && (g->values = calloc(n > 0 ? n : 1, sizeof *g->values)) == NULL)
        st = tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", file);
    while (st == TSR_OK && g->n_values < n)
        st = read_value(&r, &g->values[g->n_values++]);
    r.key = "header";
    if (st == TSR_OK && tensors > (r.size - r.at) / MIN_TENSOR_BYTES)
        st = bad(&r, "more tensors are announced than the file has room for");
    if (st == TSR_OK)
        st = check_values(&r, g);
    if (st != TSR_OK) {
        tsr_gguf_free(g);
        return st;
    }
    *tensors_at = r.at;
    *n_tensors = tensors;
    *out = g;
    return TSR_OK;
}

void tsr_gguf_free(struct tsr_gguf *g)
{
    if (g == NULL)
        return;
    for (size_t i = 0; i < g->n_values; i++)
        free(g->values[i].key);
    free(g->values);
    free(g);
}

const struct tsr_gguf_value *tsr_gguf_find(const struct tsr_gguf *g, const char *key)
{
    struct tsr_gguf_value wanted = {.key = (char *)(uintptr_t)key};
    return bsearch(&wanted, g->values, g->n_values, sizeof wanted, by_key);
}

bool tsr_gguf_int(const struct tsr_gguf_value *v, uint64_t i, int64_t *out)
{
    uint64_t size = kinds[v->item].bytes;
    if (i >= v->count || size == 0)
        return false;
    const uint8_t *p = v->data + i * size;
    uint64_t u = 0;
    for (uint64_t b = 0; b < size; b++)
        u |= (uint64_t)p[b] << 8 * b;
    switch (v->item) {
    case TSR_GGUF_I8:
        *out = (int8_t)u;
        return true;
    case TSR_GGUF_I16:
        *out = (int16_t)u;
        return true;
    case TSR_GGUF_I32:
        *out = (int32_t)u;
        return true;
    case TSR_GGUF_I64:
        *out = (int64_t)u;
        return true;
    case TSR_GGUF_F32:
    case TSR_GGUF_F64:
        return false;
    default:
        *out = (int64_t)u;
        return u <= INT64_MAX;
    }
}

bool tsr_gguf_real(const struct tsr_gguf_value *v, uint64_t i, double *out)
{
    if (i >= v->count || (v->item != TSR_GGUF_F32 && v->item != TSR_GGUF_F64))
        return false;
    if (v->item == TSR_GGUF_F32) {
        *out = (double)tsr_le_f32(v->data + 4 * i);
    } else {
        uint64_t bits = tsr_le64(v->data + 8 * i);
        memcpy(out, &bits, sizeof *out);
    }
    return true;
}

const char *tsr_gguf_next_string(const uint8_t **at, size_t *length)
{
    const char *s = (const char *)*at + 8;
    *length = (size_t)tsr_le64(*at);
    *at += 8 + *length;
    return s;
}

const char *tsr_gguf_kind_name(enum tsr_gguf_kind kind)
{
    return kinds[kind].name;
}
