/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cli/npy.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cli.h"

enum {
    HEAD_V1 = 10,
    HEAD_V2 = 12,
    MAX_HEADER = 65536
};

static const struct {
    const char *descr;
    size_t bytes;
} kinds[NPY_KINDS] = {
    [NPY_F4] = {"<f4", 4}, [NPY_F2] = {"<f2", 2}, [NPY_I4] = {"<i4", 4}, [NPY_I1] = {"|i1", 1}};

size_t npy_bytes(enum npy_kind kind)
{
    return kinds[kind].bytes;
}

/* The header is one Python dict of three keys; this is what of Python's grammar it may use. */
struct header {
    const char *file;
    const char *at, *end;
    struct tsr_error *err;
    bool descr, order, shape; /* seen */
};

static enum tsr_status bad(const struct header *h, const char *what)
{
    return tsr_error_set(h->err, TSR_BAD_INPUT, "%s: header: %s", h->file, what);
}

static bool take(struct header *h, char c)
{
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\n' || *h->at == '\t'))
        h->at++;
    if (h->at == h->end || *h->at != c)
        return false;
    h->at++;
    return true;
}

/* A quoted string without escapes. */
static bool take_text(struct header *h, char *out, size_t cap)
{
    char quote = '\'';
    if (!take(h, quote)) {
        quote = '"';
        if (!take(h, quote))
            return false;
    }
    size_t n = 0;
    for (; h->at < h->end && *h->at != quote; h->at++, n++) {
        if (n == cap - 1 || *h->at < ' ' || *h->at > '~' || *h->at == '\\')
            return false;
        out[n] = *h->at;
    }
    out[n] = '\0';
    return take(h, quote);
}

static bool take_word(struct header *h, const char *word)
{
    size_t n = strlen(word);
    take(h, ' ');
    if ((size_t)(h->end - h->at) < n || memcmp(h->at, word, n) != 0)
        return false;
    h->at += n;
    return true;
}

static enum tsr_status read_descr(struct header *h, struct npy *a)
{
    char text[16];
    if (!take_text(h, text, sizeof text))
        return bad(h, "descr: a type like '<f4' is wanted (records are not read)");
    for (int k = 0; k < NPY_KINDS; k++)
        if (strcmp(text, kinds[k].descr) == 0 ||
            (kinds[k].bytes == 1 && strcmp(text + 1, "i1") == 0 && strchr("<>=|", text[0]))) {
            a->kind = (enum npy_kind)k;
            return TSR_OK;
        }
    if (text[0] == '>')
        return tsr_error_set(h->err, TSR_BAD_INPUT,
                             "%s: header: descr '%s' is big-endian, allowed "
                             "are '<f4' '<f2' '<i4' '|i1'",
                             h->file, text);
    return tsr_error_set(h->err, TSR_BAD_INPUT,
                         "%s: header: descr '%s', allowed are '<f4' '<f2' "
                         "'<i4' '|i1'",
                         h->file, text);
}

static enum tsr_status read_order(struct header *h)
{
    if (take_word(h, "True"))
        return bad(h, "fortran_order: True, only C order is read");
    return take_word(h, "False") ? TSR_OK : bad(h, "fortran_order: True or False is wanted");
}

static enum tsr_status read_shape(struct header *h, struct npy *a)
{
    if (!take(h, '('))
        return bad(h, "shape: a tuple is wanted");
    while (!take(h, ')')) {
        uint64_t v = 0;
        const char *digits = h->at;
        while (h->at < h->end && *h->at >= '0' && *h->at <= '9' && v < UINT64_C(1) << 56)
            v = 10 * v + (uint64_t)(*h->at++ - '0');
        if (h->at == digits || v >= UINT64_C(1) << 56)
            return bad(h, "shape: sizes below 2^56 are wanted");
        if (a->dims == NPY_MAX_DIMS)
            return bad(h, "shape: more than 8 dimensions");
        a->dim[a->dims++] = v;
        if (!take(h, ',')) {
            if (!take(h, ')'))
                return bad(h, "shape: sizes separated by commas are wanted");
            break;
        }
    }
    return TSR_OK;
}

static enum tsr_status read_entry(struct header *h, struct npy *a)
{
    char key[24];
    if (!take_text(h, key, sizeof key) || !take(h, ':'))
        return bad(h, "a key is wanted, allowed are 'descr' 'fortran_order' 'shape'");
    bool *seen = strcmp(key, "descr") == 0           ? &h->descr
                 : strcmp(key, "fortran_order") == 0 ? &h->order
                 : strcmp(key, "shape") == 0         ? &h->shape
                                                     : NULL;
    if (!seen || *seen)
        return bad(h, "an unknown key, or one given twice; allowed are 'descr' 'fortran_order' "
                      "'shape'");
    *seen = true;
    take(h, ' ');
    return seen == &h->descr   ? read_descr(h, a)
           : seen == &h->order ? read_order(h)
                               : read_shape(h, a);
}

static enum tsr_status read_header(struct header *h, struct npy *a)
{
    if (!take(h, '{'))
        return bad(h, "a dict is wanted");
    while (!take(h, '}')) {
        enum tsr_status st = read_entry(h, a);
        if (st != TSR_OK)
            return st;
        if (!take(h, ',')) {
            if (!take(h, '}'))
                return bad(h, "entries separated by commas are wanted");
            break;
        }
    }
    if (!h->descr || !h->order || !h->shape)
        return bad(h, "'descr', 'fortran_order' and 'shape' are wanted");
    while (take(h, '\n')) {
    }
    return h->at == h->end ? TSR_OK : bad(h, "something follows the dict");
}

/* Elements by the shape, checked against the bytes that are there. */
static enum tsr_status check_size(const char *file, struct npy *a, size_t bytes,
                                  struct tsr_error *err)
{
    uint64_t n = 1;
    bool empty = false;
    for (uint32_t i = 0; i < a->dims; i++)
        empty = empty || a->dim[i] == 0;
    for (uint32_t i = 0; i < a->dims && !empty; i++) {
        if (a->dim[i] > bytes / npy_bytes(a->kind) / n)
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "%s: cut off: %zu bytes of data are fewer "
                                 "than its shape says",
                                 file, bytes);
        n *= a->dim[i];
    }
    n = empty ? 0 : n;
    if (n * npy_bytes(a->kind) != bytes)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: %zu bytes of data, its shape says %" PRIu64,
                             file, bytes, n * npy_bytes(a->kind));
    a->n = (size_t)n;
    return TSR_OK;
}

static enum tsr_status parse(const char *file, const uint8_t *bytes, size_t size, struct npy *a,
                             size_t *data_at, struct tsr_error *err)
{
    if (size < HEAD_V1 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: no .npy file: it begins otherwise", file);
    int version = bytes[6];
    if (version < 1 || version > 3 || bytes[7] != 0)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: version %d.%d, allowed are 1.0 to 3.0", file,
                             version, bytes[7]);
    size_t at = version == 1 ? HEAD_V1 : HEAD_V2, n = bytes[8] + 256u * bytes[9];
    if (version > 1 && size >= HEAD_V2)
        n += (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (size < at || n > size - at || n > MAX_HEADER)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: a header of %zu bytes, %zu follow and at most"
                             " %d are read",
                             file, n, size < at ? 0 : size - at, MAX_HEADER);
    struct header h = {.file = file, .at = (const char *)bytes + at, .err = err};
    h.end = h.at + n;
    enum tsr_status st = read_header(&h, a);
    *data_at = at + n;
    return st == TSR_OK ? check_size(file, a, size - *data_at, err) : st;
}

enum tsr_status npy_parse(const char *file, uint8_t *bytes, size_t size, struct npy *out,
                          struct tsr_error *err)
{
    struct npy a = {0};
    size_t at = 0;
    enum tsr_status st = parse(file, bytes, size, &a, &at, err);
    if (st != TSR_OK) {
        free(bytes);
        return st;
    }
    memmove(bytes, bytes + at, size - at); /* to the start: malloc's alignment */
    a.data = bytes;
    *out = a;
    return TSR_OK;
}

enum tsr_status npy_read(const char *path, struct npy *out, struct tsr_error *err)
{
    uint8_t *bytes;
    size_t size;
    enum tsr_status st = cli_read_file(path, &bytes, &size, err);
    return st == TSR_OK ? npy_parse(path, bytes, size, out, err) : st;
}

void npy_free(struct npy *a)
{
    free(a->data);
    *a = (struct npy){0};
}

enum tsr_status npy_write(const char *path, const struct npy *a, struct tsr_error *err)
{
    char head[512], shape[256] = "";
    size_t at = 0;
    for (uint32_t i = 0; i < a->dims; i++)
        at += (size_t)snprintf(shape + at, sizeof shape - at, "%s%" PRIu64 "%s", i ? " " : "",
                               a->dim[i], i + 1 < a->dims || a->dims == 1 ? "," : "");
    int n = snprintf(head + HEAD_V1, sizeof head - HEAD_V1,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                     kinds[a->kind].descr, shape);
    size_t end = HEAD_V1 + (size_t)n;
    size_t total = (end + 1 + 63) / 64 * 64; /* the data begin at a multiple of 64 */
    memset(head + end, ' ', total - end);
    head[total - 1] = '\n';
    memcpy(head, "\x93NUMPY\x01\x00", 8);
    head[8] = (char)((total - HEAD_V1) & 0xff);
    head[9] = (char)((total - HEAD_V1) >> 8);
    return cli_write_file(path, head, total, a->data, a->n * npy_bytes(a->kind), err);
}
