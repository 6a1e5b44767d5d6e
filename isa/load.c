/* SPDX-License-Identifier: Apache-2.0 */
/* tsr_isa_load: finds the rows of all files, later files first, then reads them. */
#include "isa/load.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/embedded.h"
#include "isa/expr.h"

#define TRY(call) \
    do { \
        enum tsr_status try_status = (call); \
        if (try_status != TSR_OK) \
            return try_status; \
    } while (0)

static const char *const tile_keys[] = {"isa", "version", "parameters", "sems", "instructions",
                                        NULL};
static const char *const format_keys[] = {"formats", NULL};
static const char *const overlay_keys[] = {"isa",          "version", "parameters",
                                           "instructions", "formats", NULL};

/* A row of the same name (and stream) gives way to a later file's; two in one file do not. */
static enum tsr_status place_row(struct tsr_loader *l, struct tsr_loaded_row *rows, uint32_t *n,
                                 uint32_t cap, const struct tsr_loaded_row *row, const char *key)
{
    for (uint32_t i = 0; i < *n; i++) {
        if (rows[i].stream != row->stream || strcmp(rows[i].name, row->name) != 0)
            continue;
        if (rows[i].source == row->source)
            return tsr_doc_bad(row->doc, row->node, key, l->err,
                               "%s given twice, first in line %u", row->name, rows[i].node->line);
        const struct tsr_doc_node *replaced =
            rows[i].source == 0 ? rows[i].node : rows[i].replaced;
        rows[i] = *row;
        rows[i].replaced = replaced;
        return TSR_OK;
    }
    if (*n == cap)
        return tsr_doc_bad(row->doc, row->node, key, l->err, "more than %u rows", cap);
    rows[(*n)++] = *row;
    return TSR_OK;
}

static enum tsr_status find_instructions(struct tsr_loader *l, const struct tsr_doc *doc,
                                         uint8_t source)
{
    if (tsr_doc_get(doc->root, "instructions") == NULL)
        return TSR_OK;
    const struct tsr_doc_node *list;
    TRY(tsr_doc_child(doc, doc->root, "instructions", TSR_DOC_SEQ, &list, l->err));
    for (const struct tsr_doc_node *node = list->first; node != NULL; node = node->next) {
        struct tsr_loaded_row row = {.doc = doc, .node = node, .source = source};
        int stream = 0;
        TRY(tsr_doc_name(doc, node, "mnemonic", row.name, sizeof row.name, l->err));
        TRY(tsr_doc_word(doc, node, "stream", tsr_stream_words, &stream, l->err));
        row.stream = (enum tsr_stream)stream;
        TRY(place_row(l, l->ops, &l->n_ops, TSR_STREAMS * TSR_MAX_OPS, &row, "mnemonic"));
    }
    return TSR_OK;
}

static enum tsr_status find_formats(struct tsr_loader *l, const struct tsr_doc *doc, uint8_t source)
{
    if (tsr_doc_get(doc->root, "formats") == NULL)
        return TSR_OK;
    const struct tsr_doc_node *list;
    TRY(tsr_doc_child(doc, doc->root, "formats", TSR_DOC_SEQ, &list, l->err));
    for (const struct tsr_doc_node *node = list->first; node != NULL; node = node->next) {
        struct tsr_loaded_row row = {.doc = doc, .node = node, .source = source};
        TRY(tsr_doc_name(doc, node, "name", row.name, sizeof row.name, l->err));
        TRY(place_row(l, l->formats, &l->n_formats, TSR_DTYPE_MAX, &row, "name"));
    }
    return TSR_OK;
}

static enum tsr_status read_parameter(struct tsr_loader *l, const struct tsr_doc *doc,
                                      const struct tsr_doc_node *map,
                                      const struct tsr_doc_node *node, uint8_t source)
{
    struct tsr_isa *isa = l->isa;
    int64_t v;
    if (!tsr_text_is_name(node->key) || strlen(node->key) >= sizeof isa->params[0].name)
        return tsr_doc_bad_line(doc, node->key_line, node->key_column, node->key, l->err,
                                "a name of up to 15 letters, digits and _ is allowed");
    if (tsr_unit_name_find(node->key) >= 0)
        return tsr_doc_bad_line(doc, node->key_line, node->key_column, node->key, l->err,
                                "the units use this name themselves");
    TRY(tsr_doc_int(doc, map, node->key, 0, INT32_MAX, &v, l->err));
    int i = 0;
    while (i < isa->n_params && strcmp(isa->params[i].name, node->key) != 0)
        i++;
    if (i == TSR_MAX_PARAMS)
        return tsr_doc_bad(doc, node, node->key, l->err, "more than %d parameters", TSR_MAX_PARAMS);
    if (i == isa->n_params) {
        isa->n_params++;
        snprintf(isa->params[i].name, sizeof isa->params[i].name, "%s", node->key);
        l->params[i] = (struct tsr_loaded_row){.doc = doc, .node = node, .source = source};
    }
    isa->params[i].value = v;
    return TSR_OK;
}

static enum tsr_status read_parameters(struct tsr_loader *l, const struct tsr_doc *doc,
                                       uint8_t source)
{
    if (tsr_doc_get(doc->root, "parameters") == NULL)
        return TSR_OK;
    const struct tsr_doc_node *map;
    TRY(tsr_doc_child(doc, doc->root, "parameters", TSR_DOC_MAP, &map, l->err));
    for (const struct tsr_doc_node *node = map->first; node != NULL; node = node->next)
        TRY(read_parameter(l, doc, map, node, source));
    return TSR_OK;
}

/* An overlay may raise the minor version: it then says that it only adds. */
static enum tsr_status read_version(struct tsr_loader *l, const struct tsr_doc *doc, uint8_t source)
{
    static const char *const name[] = {"tessera-tile", NULL};
    static const char *const keys[] = {"major", "minor", NULL};
    const struct tsr_doc_node *map;
    int64_t major, minor;
    int index;
    if (source == 0 || tsr_doc_get(doc->root, "isa") != NULL)
        TRY(tsr_doc_word(doc, doc->root, "isa", name, &index, l->err));
    if (source > 0 && tsr_doc_get(doc->root, "version") == NULL)
        return TSR_OK;
    TRY(tsr_doc_child(doc, doc->root, "version", TSR_DOC_MAP, &map, l->err));
    TRY(tsr_doc_keys(doc, map, keys, l->err));
    int64_t low = source > 0 ? l->isa->major : 0, high = source > 0 ? l->isa->major : UINT16_MAX;
    TRY(tsr_doc_int(doc, map, "major", low, high, &major, l->err));
    low = source > 0 ? l->isa->minor : 0;
    TRY(tsr_doc_int(doc, map, "minor", low, UINT16_MAX, &minor, l->err));
    l->isa->major = (uint16_t)major;
    l->isa->minor = (uint16_t)minor;
    return TSR_OK;
}

static enum tsr_status find_rows(struct tsr_loader *l, const struct tsr_doc *doc, size_t index)
{
    const char *const *keys = index == 0 ? tile_keys : index == 1 ? format_keys : overlay_keys;
    uint8_t source = (uint8_t)(index < 2 ? 0 : index - 1);
    TRY(tsr_doc_keys(doc, doc->root, keys, l->err));
    if (index == 0) {
        const struct tsr_doc_node *list;
        TRY(tsr_doc_child(doc, doc->root, "instructions", TSR_DOC_SEQ, &list, l->err));
        TRY(tsr_doc_child(doc, doc->root, "sems", TSR_DOC_SEQ, &l->sems, l->err));
        l->sems_doc = doc;
    }
    if (index != 1)
        TRY(read_version(l, doc, source));
    TRY(read_parameters(l, doc, source));
    TRY(find_formats(l, doc, source));
    return find_instructions(l, doc, source);
}

/* A parameter that an overlay adds and no row uses is a misspelt one. */
static enum tsr_status check_parameters(struct tsr_loader *l)
{
    bool used[TSR_MAX_PARAMS] = {false};
    for (int i = 0; i < l->isa->n_ops; i++) {
        const struct tsr_expr *cycles[] = {&l->isa->ops[i].occupancy, &l->isa->ops[i].latency};
        for (int k = 0; k < 2; k++)
            for (int n = 0; n < cycles[k]->n; n++)
                if (cycles[k]->node[n].kind == TSR_NODE_PARAM &&
                    cycles[k]->node[n].index < TSR_EXPR_UNIT_NAME)
                    used[cycles[k]->node[n].index] = true;
    }
    for (int i = 0; i < l->isa->n_params; i++) {
        const struct tsr_loaded_row *p = &l->params[i];
        if (p->source > 0 && !used[i])
            return tsr_doc_bad_line(p->doc, p->node->key_line, p->node->key_column, p->node->key,
                                    l->err, "no such parameter, and no row uses it");
    }
    return TSR_OK;
}

static enum tsr_status read_rows(struct tsr_loader *l)
{
    struct tsr_isa *isa = l->isa;
    for (uint32_t i = 0; i < l->n_formats; i++)
        TRY(tsr_load_format(l, &l->formats[i]));
    isa->ops = calloc(l->n_ops ? l->n_ops : 1, sizeof *isa->ops);
    if (isa->ops == NULL)
        return tsr_error_set(l->err, TSR_INTERNAL, "out of memory");
    for (uint32_t i = 0; i < l->n_ops; i++) {
        TRY(tsr_load_op(l, &l->ops[i], &isa->ops[i]));
        isa->n_ops++;
    }
    TRY(check_parameters(l));
    TRY(tsr_load_index(l));
    isa->digest = tsr_isa_digest(isa);
    return TSR_OK;
}

enum tsr_status tsr_isa_load_docs(const struct tsr_doc *const *docs, size_t n, struct tsr_isa **out,
                                  struct tsr_error *err)
{
    assert(n >= 2);
    struct tsr_loader *l = calloc(1, sizeof *l);
    struct tsr_isa *isa = calloc(1, sizeof *isa);
    enum tsr_status st = TSR_OK;
    if (l == NULL || isa == NULL) {
        st = tsr_error_set(err, TSR_INTERNAL, "out of memory");
    } else {
        l->isa = isa;
        l->err = err;
        for (size_t i = 0; i < n && st == TSR_OK; i++)
            st = find_rows(l, docs[i], i);
        if (st == TSR_OK)
            st = read_rows(l);
    }
    free(l);
    if (st == TSR_OK)
        *out = isa;
    else
        tsr_isa_free(isa);
    return st;
}

enum tsr_status tsr_doc_embedded(const char *path, struct tsr_doc **out, struct tsr_error *err)
{
    for (const struct tsr_embedded *f = tsr_embedded_files; f->path != NULL; f++)
        if (strcmp(f->path, path) == 0)
            return tsr_doc_parse(path, f->text, f->size, out, err);
    return tsr_error_set(err, TSR_INTERNAL, "%s was not compiled in", path);
}

enum tsr_status tsr_isa_load(const char *const *overlays, size_t n_overlays, struct tsr_isa **out,
                             struct tsr_error *err)
{
    assert(out != NULL && (overlays != NULL || n_overlays == 0));
    if (n_overlays > TSR_MAX_OVERLAYS)
        return tsr_error_set(err, TSR_USAGE, "%zu overlays, at most %d are allowed", n_overlays,
                             TSR_MAX_OVERLAYS);
    struct tsr_doc *docs[2 + TSR_MAX_OVERLAYS] = {NULL};
    size_t n = 0;
    enum tsr_status st = tsr_doc_embedded("isa/tile.yaml", &docs[n++], err);
    if (st == TSR_OK)
        st = tsr_doc_embedded("isa/formats.yaml", &docs[n++], err);
    for (size_t i = 0; i < n_overlays && st == TSR_OK; i++)
        st = tsr_doc_load(overlays[i], &docs[n++], err);
    if (st == TSR_OK)
        st = tsr_isa_load_docs((const struct tsr_doc *const *)docs, n, out, err);
    for (size_t i = 0; i < n; i++)
        tsr_doc_free(docs[i]);
    return st;
}

void tsr_isa_free(struct tsr_isa *isa)
{
    if (isa != NULL)
        free(isa->ops);
    free(isa);
}

const struct tsr_op *tsr_isa_find(const struct tsr_isa *isa, enum tsr_stream s,
                                  const char *mnemonic)
{
    for (int i = 0; i < isa->n_ops; i++)
        if (isa->ops[i].stream == s && strcmp(isa->ops[i].mnemonic, mnemonic) == 0)
            return &isa->ops[i];
    return NULL;
}

const struct tsr_format *tsr_isa_format(const struct tsr_isa *isa, const char *name)
{
    for (int i = 0; i < TSR_DTYPE_MAX; i++)
        if (isa->has_format[i] && strcmp(isa->formats[i].name, name) == 0)
            return &isa->formats[i];
    return NULL;
}

int64_t tsr_isa_param(const struct tsr_isa *isa, const char *name, int64_t absent)
{
    for (int i = 0; i < isa->n_params; i++)
        if (strcmp(isa->params[i].name, name) == 0)
            return isa->params[i].value;
    return absent;
}

int tsr_op_operand(const struct tsr_op *op, const char *name)
{
    for (int i = 0; i < op->n_operands; i++)
        if (strcmp(op->operand[i].name, name) == 0)
            return i;
    return -1;
}
