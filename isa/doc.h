/* SPDX-License-Identifier: Apache-2.0 */
/* YAML text as a small tree in which every node knows its line and column. The subset: one
 * document of maps, sequences and scalars; no anchors, aliases, tags or directives; keys are
 * scalars and unique. Bounds: the enum below. */
#ifndef ISA_DOC_H
#define ISA_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tessera/status.h"

enum {
    TSR_DOC_MAX_BYTES = 4 << 20,
    TSR_DOC_MAX_DEPTH = 32,
    TSR_DOC_MAX_NODES = 1 << 18,
    TSR_DOC_MAX_KEYS = 1024, /* of one map: duplicates are found by comparing all pairs */
};

enum tsr_doc_kind { TSR_DOC_SCALAR, TSR_DOC_SEQ, TSR_DOC_MAP };

struct tsr_doc_node {
    enum tsr_doc_kind kind;
    bool quoted;         /* scalar: its text starts one column after `column` */
    uint32_t line, column; /* from 1 */
    const char *key;     /* in a map: the entry's key */
    uint32_t key_line, key_column;
    const char *text;    /* scalar, null-ended, without embedded nulls */
    uint32_t n;          /* children */
    struct tsr_doc_node *first, *last, *next;
};

struct tsr_doc {
    char *file; /* for messages */
    struct tsr_doc_node *root;
    struct tsr_doc_chunk *chunks; /* memory of nodes and texts */
};

/* Reads a document from memory or from a file. Errors: TSR_BAD_INPUT with the position;
 * TSR_INTERNAL when memory runs out. Ownership: free with tsr_doc_free; *out is null after an
 * error. */
enum tsr_status tsr_doc_parse(const char *file, const char *text, size_t bytes,
                              struct tsr_doc **out, struct tsr_error *err);
enum tsr_status tsr_doc_load(const char *path, struct tsr_doc **out, struct tsr_error *err);
void tsr_doc_free(struct tsr_doc *doc);

/* The value of a key, or null. */
const struct tsr_doc_node *tsr_doc_get(const struct tsr_doc_node *map, const char *key);

/* Sets "file:line:column: key: message" and returns TSR_BAD_INPUT. tsr_doc_bad points at the node's
 * value, tsr_doc_bad_at `offset` characters into its text, tsr_doc_bad_line anywhere. `key` null:
 * left out. Control characters are shown as '?'. */
enum tsr_status tsr_doc_bad(const struct tsr_doc *doc, const struct tsr_doc_node *node,
                            const char *key, struct tsr_error *err, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
enum tsr_status tsr_doc_bad_at(const struct tsr_doc *doc, const struct tsr_doc_node *node,
                               size_t offset, const char *key, struct tsr_error *err,
                               const char *format, ...) __attribute__((format(printf, 6, 7)));

enum tsr_status tsr_doc_bad_line(const struct tsr_doc *doc, uint32_t line, uint32_t column,
                                 const char *key, struct tsr_error *err, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* Typed readings of the value of `key` in `map`. Each fails, naming what is allowed, when the value
 * has another type or lies outside the bounds; a missing key is TSR_BAD_INPUT at the map's place.
 * Texts are copied to `out` of `cap` bytes and must not be empty. Integers are decimal or 0x...,
 * with an optional minus. */
enum tsr_status tsr_doc_int(const struct tsr_doc *doc, const struct tsr_doc_node *map,
                            const char *key, int64_t min, int64_t max, int64_t *out,
                            struct tsr_error *err);
enum tsr_status tsr_doc_text(const struct tsr_doc *doc, const struct tsr_doc_node *map,
                             const char *key, char *out, size_t cap, struct tsr_error *err);
/* A text that is a name: a letter or underscore, then letters, digits, underscores. */
enum tsr_status tsr_doc_name(const struct tsr_doc *doc, const struct tsr_doc_node *map,
                             const char *key, char *out, size_t cap, struct tsr_error *err);
enum tsr_status tsr_doc_bool(const struct tsr_doc *doc, const struct tsr_doc_node *map,
                             const char *key, bool *out, struct tsr_error *err);
/* One of the null-ended `words`; *out is its index. */
enum tsr_status tsr_doc_word(const struct tsr_doc *doc, const struct tsr_doc_node *map,
                             const char *key, const char *const *words, int *out,
                             struct tsr_error *err);
/* The node under `key`, which must be of that kind. */
enum tsr_status tsr_doc_child(const struct tsr_doc *doc, const struct tsr_doc_node *map,
                              const char *key, enum tsr_doc_kind kind,
                              const struct tsr_doc_node **out, struct tsr_error *err);
/* Fails when `map` is no map or has a key that is not among the null-ended `keys`. */
enum tsr_status tsr_doc_keys(const struct tsr_doc *doc, const struct tsr_doc_node *map,
                             const char *const *keys, struct tsr_error *err);

/* Integer of a scalar's text; false when it is none or does not fit 64 bits (signed). */
bool tsr_text_int(const char *text, int64_t *out);
bool tsr_text_is_name(const char *text);

#endif
