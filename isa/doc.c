/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/doc.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

struct tsr_doc_chunk {
    struct tsr_doc_chunk *next;
    size_t used, room;
    max_align_t data[];
};

enum { CHUNK_BYTES = 1 << 14 };

struct reader {
    yaml_parser_t yaml;
    struct tsr_doc *doc;
    struct tsr_error *err;
    struct tsr_doc_node *stack[TSR_DOC_MAX_DEPTH];
    int depth;
    uint32_t nodes;
    /* The key read last, whose value comes next. */
    const char *key;
    uint32_t key_line, key_column;
};

/* Zeroed memory that lives as long as the document; null when there is none. */
static void *doc_alloc(struct tsr_doc *doc, size_t bytes)
{
    bytes = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct tsr_doc_chunk *c = doc->chunks;
    if (c == NULL || c->room - c->used < bytes) {
        size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        c = calloc(1, sizeof *c + room);
        if (c == NULL)
            return NULL;
        c->room = room;
        c->next = doc->chunks;
        doc->chunks = c;
    }
    void *p = (char *)c->data + c->used;
    c->used += bytes;
    return p;
}

static enum tsr_status bad_mark(struct reader *r, yaml_mark_t at, const char *what)
{
    return tsr_error_set(r->err, TSR_BAD_INPUT, "%s:%zu:%zu: %s", r->doc->file, at.line + 1,
                         at.column + 1, what);
}

static enum tsr_status no_memory(struct tsr_error *err)
{
    return tsr_error_set(err, TSR_INTERNAL, "out of memory");
}

static enum tsr_status syntax_error(struct reader *r)
{
    const yaml_parser_t *y = &r->yaml;
    if (y->error == YAML_MEMORY_ERROR)
        return no_memory(r->err);
    const char *problem = y->problem != NULL ? y->problem : "not YAML";
    if (y->error == YAML_READER_ERROR)
        return tsr_error_set(r->err, TSR_BAD_INPUT, "%s:%zu:%zu: byte %zu: %s", r->doc->file,
                             y->mark.line + 1, y->mark.column + 1, y->problem_offset, problem);
    return bad_mark(r, y->problem_mark, problem);
}

static const char *copy_scalar(struct reader *r, const yaml_event_t *e)
{
    char *text = doc_alloc(r->doc, e->data.scalar.length + 1);
    if (text != NULL)
        memcpy(text, e->data.scalar.value, e->data.scalar.length);
    return text;
}

static enum tsr_status take_key(struct reader *r, const yaml_event_t *e)
{
    const struct tsr_doc_node *map = r->stack[r->depth - 1];
    if (e->type != YAML_SCALAR_EVENT)
        return bad_mark(r, e->start_mark, "a key must be a plain word");
    if (memchr(e->data.scalar.value, 0, e->data.scalar.length) != NULL)
        return bad_mark(r, e->start_mark, "a key with a null character");
    if (map->n >= TSR_DOC_MAX_KEYS)
        return bad_mark(r, e->start_mark, "more than 1024 keys in one map");
    r->key = copy_scalar(r, e);
    if (r->key == NULL)
        return no_memory(r->err);
    r->key_line = (uint32_t)e->start_mark.line + 1;
    r->key_column = (uint32_t)e->start_mark.column + 1;
    const struct tsr_doc_node *old = tsr_doc_get(map, r->key);
    if (old != NULL)
        return tsr_doc_bad_line(r->doc, r->key_line, r->key_column, r->key, r->err,
                                "key given twice, first in line %u", old->key_line);
    return TSR_OK;
}

static struct tsr_doc_node *new_node(struct reader *r, const yaml_event_t *e)
{
    struct tsr_doc_node *node = doc_alloc(r->doc, sizeof *node);
    if (node == NULL)
        return NULL;
    node->line = (uint32_t)e->start_mark.line + 1;
    node->column = (uint32_t)e->start_mark.column + 1;
    if (r->depth == 0) {
        r->doc->root = node;
        return node;
    }
    struct tsr_doc_node *parent = r->stack[r->depth - 1];
    if (parent->kind == TSR_DOC_MAP) {
        node->key = r->key;
        node->key_line = r->key_line;
        node->key_column = r->key_column;
        r->key = NULL;
    }
    *(parent->first != NULL ? &parent->last->next : &parent->first) = node;
    parent->last = node;
    parent->n++;
    return node;
}

static bool has_property(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return e->data.scalar.anchor != NULL || e->data.scalar.tag != NULL;
    case YAML_SEQUENCE_START_EVENT:
        return e->data.sequence_start.anchor != NULL || e->data.sequence_start.tag != NULL;
    case YAML_MAPPING_START_EVENT:
        return e->data.mapping_start.anchor != NULL || e->data.mapping_start.tag != NULL;
    default:
        return false;
    }
}

/* A scalar, or the start of a map or sequence. */
static enum tsr_status take_node(struct reader *r, const yaml_event_t *e)
{
    if (has_property(e))
        return bad_mark(r, e->start_mark, "anchors and tags are not allowed");
    if (r->depth > 0 && r->stack[r->depth - 1]->kind == TSR_DOC_MAP && r->key == NULL)
        return take_key(r, e);
    if (r->nodes++ >= TSR_DOC_MAX_NODES)
        return bad_mark(r, e->start_mark, "more than 262144 values");
    if (e->type != YAML_SCALAR_EVENT && r->depth >= TSR_DOC_MAX_DEPTH)
        return bad_mark(r, e->start_mark, "nested more than 32 deep");
    struct tsr_doc_node *node = new_node(r, e);
    if (node == NULL)
        return no_memory(r->err);
    if (e->type == YAML_SCALAR_EVENT) {
        if (memchr(e->data.scalar.value, 0, e->data.scalar.length) != NULL)
            return bad_mark(r, e->start_mark, "a text with a null character");
        node->kind = TSR_DOC_SCALAR;
        node->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        node->text = copy_scalar(r, e);
        return node->text != NULL ? TSR_OK : no_memory(r->err);
    }
    node->kind = e->type == YAML_MAPPING_START_EVENT ? TSR_DOC_MAP : TSR_DOC_SEQ;
    r->stack[r->depth++] = node;
    return TSR_OK;
}

static enum tsr_status take_event(struct reader *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (r->doc->root != NULL)
            return bad_mark(r, e->start_mark, "a second document");
        if (e->data.document_start.version_directive != NULL ||
            e->data.document_start.tag_directives.start !=
                e->data.document_start.tag_directives.end)
            return bad_mark(r, e->start_mark, "directives are not allowed");
        return TSR_OK;
    case YAML_ALIAS_EVENT:
        return bad_mark(r, e->start_mark, "aliases are not allowed");
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return take_node(r, e);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return TSR_OK;
    default:
        return TSR_OK;
    }
}

static enum tsr_status read_events(struct reader *r, const char *text, size_t bytes)
{
    if (!yaml_parser_initialize(&r->yaml))
        return no_memory(r->err);
    yaml_parser_set_encoding(&r->yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->yaml, (const unsigned char *)text, bytes);
    enum tsr_status st = TSR_OK;
    for (bool end = false; st == TSR_OK && !end;) {
        yaml_event_t e;
        if (!yaml_parser_parse(&r->yaml, &e)) {
            st = syntax_error(r);
            break;
        }
        end = e.type == YAML_STREAM_END_EVENT;
        st = take_event(r, &e);
        yaml_event_delete(&e);
    }
    if (st == TSR_OK && r->doc->root == NULL)
        st = tsr_error_set(r->err, TSR_BAD_INPUT, "%s:1:1: no content", r->doc->file);
    yaml_parser_delete(&r->yaml);
    return st;
}

enum tsr_status tsr_doc_parse(const char *file, const char *text, size_t bytes,
                              struct tsr_doc **out, struct tsr_error *err)
{
    assert(file != NULL && (text != NULL || bytes == 0));
    *out = NULL;
    if (bytes > TSR_DOC_MAX_BYTES)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: %zu bytes, at most 4 MiB are allowed", file,
                             bytes);
    struct tsr_doc *doc = calloc(1, sizeof *doc);
    char *name = malloc(strlen(file) + 1);
    if (doc == NULL || name == NULL) {
        free(doc);
        free(name);
        return no_memory(err);
    }
    doc->file = strcpy(name, file);
    struct reader r = {.doc = doc, .err = err};
    enum tsr_status st = read_events(&r, text, bytes);
    if (st != TSR_OK) {
        tsr_doc_free(doc);
        return st;
    }
    *out = doc;
    return TSR_OK;
}

enum tsr_status tsr_doc_load(const char *path, struct tsr_doc **out, struct tsr_error *err)
{
    *out = NULL;
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: %s", path, strerror(errno));
    /* One byte more than allowed tells a file that is too large. */
    size_t cap = TSR_DOC_MAX_BYTES + 1, n = 0;
    char *text = malloc(cap);
    if (text != NULL)
        n = fread(text, 1, cap, f);
    enum tsr_status st = TSR_OK;
    if (text == NULL)
        st = no_memory(err);
    else if (ferror(f))
        st = tsr_error_set(err, TSR_BAD_INPUT, "%s: cannot be read", path);
    fclose(f);
    if (st == TSR_OK)
        st = tsr_doc_parse(path, text, n, out, err);
    free(text);
    return st;
}

void tsr_doc_free(struct tsr_doc *doc)
{
    if (doc == NULL)
        return;
    while (doc->chunks != NULL) {
        struct tsr_doc_chunk *next = doc->chunks->next;
        free(doc->chunks);
        doc->chunks = next;
    }
    free(doc->file);
    free(doc);
}
