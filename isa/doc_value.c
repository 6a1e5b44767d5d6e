/* SPDX-License-Identifier: Apache-2.0 */
/* Typed readings of a document's nodes. */
#include "isa/doc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum tsr_status bad_v(const struct tsr_doc *doc, uint32_t line, uint32_t column,
                             const char *key, struct tsr_error *err, const char *format,
                             va_list ap)
{
    char text[900];
    int n = key != NULL ? snprintf(text, sizeof text, "%.64s: ", key) : 0;
    vsnprintf(text + n, sizeof text - (size_t)n, format, ap);
    /* A message is one line, whatever the input held. */
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return tsr_error_set(err, TSR_BAD_INPUT, "%s:%u:%u: %s", doc->file, line, column, text);
}

enum tsr_status tsr_doc_bad_line(const struct tsr_doc *doc, uint32_t line, uint32_t column,
                                 const char *key, struct tsr_error *err, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    enum tsr_status st = bad_v(doc, line, column, key, err, format, ap);
    va_end(ap);
    return st;
}

enum tsr_status tsr_doc_bad(const struct tsr_doc *doc, const struct tsr_doc_node *node,
                            const char *key, struct tsr_error *err, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    enum tsr_status st = bad_v(doc, node->line, node->column, key, err, format, ap);
    va_end(ap);
    return st;
}

enum tsr_status tsr_doc_bad_at(const struct tsr_doc *doc, const struct tsr_doc_node *node,
                               size_t offset, const char *key, struct tsr_error *err,
                               const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    uint32_t column = node->column + node->quoted + (uint32_t)offset;
    enum tsr_status st = bad_v(doc, node->line, column, key, err, format, ap);
    va_end(ap);
    return st;
}

const struct tsr_doc_node *tsr_doc_get(const struct tsr_doc_node *map, const char *key)
{
    if (map->kind != TSR_DOC_MAP)
        return NULL;
    for (const struct tsr_doc_node *c = map->first; c != NULL; c = c->next)
        if (strcmp(c->key, key) == 0)
            return c;
    return NULL;
}

enum tsr_status tsr_doc_child(const struct tsr_doc *doc, const struct tsr_doc_node *map,
                              const char *key, enum tsr_doc_kind kind,
                              const struct tsr_doc_node **out, struct tsr_error *err)
{
    static const char *const names[] = {"one value", "a list", "a map"};
    if (map->kind != TSR_DOC_MAP)
        return tsr_doc_bad(doc, map, map->key, err, "a map is wanted here");
    const struct tsr_doc_node *node = tsr_doc_get(map, key);
    if (node == NULL)
        return tsr_doc_bad(doc, map, key, err, "missing, %s is wanted", names[kind]);
    if (node->kind != kind)
        return tsr_doc_bad(doc, node, key, err, "%s is wanted", names[kind]);
    *out = node;
    return TSR_OK;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

bool tsr_text_int(const char *text, int64_t *out)
{
    bool negative = *text == '-';
    text += negative;
    int base = 10;
    if (text[0] == '0' && (text[1] | 0x20) == 'x') {
        base = 16;
        text += 2;
    }
    uint64_t v = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        int d = digit_of(*text);
        if (d >= base || v > (UINT64_MAX - (uint64_t)d) / (uint64_t)base)
            return false;
        v = v * (uint64_t)base + (uint64_t)d;
    }
    if (v > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool tsr_text_is_name(const char *text)
{
    if (*text >= '0' && *text <= '9')
        return false;
    for (const char *c = text; *c != '\0'; c++) {
        char low = *c | 0x20;
        if (!(low >= 'a' && low <= 'z') && !(*c >= '0' && *c <= '9') && *c != '_')
            return false;
    }
    return *text != '\0';
}

enum tsr_status tsr_doc_int(const struct tsr_doc *doc, const struct tsr_doc_node *map,
                            const char *key, int64_t min, int64_t max, int64_t *out,
                            struct tsr_error *err)
{
    const struct tsr_doc_node *node;
    enum tsr_status st = tsr_doc_child(doc, map, key, TSR_DOC_SCALAR, &node, err);
    if (st != TSR_OK)
        return st;
    int64_t v;
    bool ok = tsr_text_int(node->text, &v) && v >= min && v <= max;
    if (!ok && min == max)
        return tsr_doc_bad(doc, node, key, err, "\"%.40s\": only %" PRId64 " is allowed",
                           node->text, min);
    if (!ok)
        return tsr_doc_bad(doc, node, key, err,
                           "\"%.40s\": an integer from %" PRId64 " to %" PRId64 " is allowed",
                           node->text, min, max);
    *out = v;
    return TSR_OK;
}

enum tsr_status tsr_doc_text(const struct tsr_doc *doc, const struct tsr_doc_node *map,
                             const char *key, char *out, size_t cap, struct tsr_error *err)
{
    const struct tsr_doc_node *node;
    enum tsr_status st = tsr_doc_child(doc, map, key, TSR_DOC_SCALAR, &node, err);
    if (st != TSR_OK)
        return st;
    size_t n = strlen(node->text);
    if (n == 0 || n >= cap)
        return tsr_doc_bad(doc, node, key, err, "%zu characters, 1 to %zu are allowed", n, cap - 1);
    memcpy(out, node->text, n + 1);
    return TSR_OK;
}

enum tsr_status tsr_doc_name(const struct tsr_doc *doc, const struct tsr_doc_node *map,
                             const char *key, char *out, size_t cap, struct tsr_error *err)
{
    enum tsr_status st = tsr_doc_text(doc, map, key, out, cap, err);
    if (st == TSR_OK && !tsr_text_is_name(out))
        return tsr_doc_bad(doc, tsr_doc_get(map, key), key, err,
                           "\"%.40s\": a name of letters, digits and _ is allowed", out);
    return st;
}

enum tsr_status tsr_doc_bool(const struct tsr_doc *doc, const struct tsr_doc_node *map,
                             const char *key, bool *out, struct tsr_error *err)
{
    static const char *const words[] = {"false", "true", NULL};
    int i;
    enum tsr_status st = tsr_doc_word(doc, map, key, words, &i, err);
    if (st == TSR_OK)
        *out = i == 1;
    return st;
}

/* "a, b, c" into `out`, cut where it does not fit. */
static void list_words(const char *const *words, char *out, size_t cap)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; words[i] != NULL && used < cap; i++)
        used += (size_t)snprintf(out + used, cap - used, "%s%s", i > 0 ? ", " : "", words[i]);
}

enum tsr_status tsr_doc_word(const struct tsr_doc *doc, const struct tsr_doc_node *map,
                             const char *key, const char *const *words, int *out,
                             struct tsr_error *err)
{
    const struct tsr_doc_node *node;
    enum tsr_status st = tsr_doc_child(doc, map, key, TSR_DOC_SCALAR, &node, err);
    if (st != TSR_OK)
        return st;
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], node->text) == 0) {
            *out = i;
            return TSR_OK;
        }
    char allowed[512];
    list_words(words, allowed, sizeof allowed);
    return tsr_doc_bad(doc, node, key, err, "\"%.40s\": allowed are %s", node->text, allowed);
}

enum tsr_status tsr_doc_keys(const struct tsr_doc *doc, const struct tsr_doc_node *map,
                             const char *const *keys, struct tsr_error *err)
{
    if (map->kind != TSR_DOC_MAP)
        return tsr_doc_bad(doc, map, map->key, err, "a map is wanted here");
    for (const struct tsr_doc_node *c = map->first; c != NULL; c = c->next) {
        int i = 0;
        while (keys[i] != NULL && strcmp(keys[i], c->key) != 0)
            i++;
        if (keys[i] != NULL)
            continue;
        char allowed[512];
        list_words(keys, allowed, sizeof allowed);
        return tsr_doc_bad_line(doc, c->key_line, c->key_column, c->key, err,
                                "unknown key, allowed are %s", allowed);
    }
    return TSR_OK;
}
