/* SPDX-License-Identifier: Apache-2.0 */
/* Chips: isa/chips/NAME.yaml, key for key the fields of struct tsr_chip. */
#include "tessera/chip.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "isa/chip.h"
#include "isa/embedded.h"
#include "isa/load.h"

#define TRY(call) \
    do { \
        enum tsr_status try_status = (call); \
        if (try_status != TSR_OK) \
            return try_status; \
    } while (0)

static void store(void *field, const struct tsr_chip_key *k, int64_t v)
{
    if (k->size == 8)
        *(uint64_t *)field = (uint64_t)v;
    else
        *(uint32_t *)field = (uint32_t)v;
}

static enum tsr_status read_list(const struct tsr_doc *doc, const struct tsr_doc_node *map,
                                 const struct tsr_chip_key *k, char *base, struct tsr_error *err)
{
    const struct tsr_doc_node *list;
    TRY(tsr_doc_child(doc, map, k->key, TSR_DOC_SEQ, &list, err));
    if (list->n > k->list)
        return tsr_doc_bad(doc, list, k->key, err, "%u values, at most %u are allowed", list->n,
                           k->list);
    uint32_t i = 0;
    for (const struct tsr_doc_node *c = list->first; c != NULL; c = c->next, i++) {
        int64_t v;
        if (c->kind != TSR_DOC_SCALAR || !tsr_text_int(c->text, &v) || v < k->min || v > k->max)
            return tsr_doc_bad(doc, c, k->key, err, "an integer from %lld to %lld is allowed",
                               (long long)k->min, (long long)k->max);
        store(base + k->offset + (size_t)i * k->size, k, v);
    }
    uint32_t *count = (uint32_t *)(base + k->count);
    if (k->count_is_key && list->n != *count)
        return tsr_doc_bad(doc, list, k->key, err, "%u values, %u are wanted", list->n, *count);
    *count = list->n;
    return TSR_OK;
}

/* All keys of one map: none missing, none unknown. */
static enum tsr_status read_section(const struct tsr_doc *doc, const struct tsr_doc_node *map,
                                    const struct tsr_chip_section *s, char *base,
                                    struct tsr_error *err)
{
    const char *names[TSR_CHIP_SECTION_KEYS + 1];
    int n = 0;
    for (const struct tsr_chip_key *k = s->keys; k->key != NULL; k++)
        names[n++] = k->key;
    for (int i = 0; s->others[i] != NULL; i++)
        names[n++] = s->others[i];
    assert(n <= TSR_CHIP_SECTION_KEYS);
    names[n] = NULL;
    TRY(tsr_doc_keys(doc, map, names, err));
    for (const struct tsr_chip_key *k = s->keys; k->key != NULL; k++) {
        int64_t v;
        if (k->list > 0) {
            TRY(read_list(doc, map, k, base, err));
            continue;
        }
        TRY(tsr_doc_int(doc, map, k->key, k->min, k->max, &v, err));
        store(base + k->offset, k, v);
    }
    return TSR_OK;
}

const struct tsr_doc_node *tsr_chip_path(const struct tsr_doc *doc, const char *path)
{
    const struct tsr_doc_node *node = doc->root;
    char word[64];
    while (node != NULL && *path != '\0') {
        size_t n = strcspn(path, ".");
        if (n >= sizeof word)
            return NULL;
        memcpy(word, path, n);
        word[n] = '\0';
        node = tsr_doc_get(node, word);
        path += n + (path[n] == '.');
    }
    return node;
}

static enum tsr_status read_assumed(const struct tsr_doc *doc, struct tsr_chip *chip,
                                    struct tsr_error *err)
{
    const struct tsr_doc_node *list;
    const uint32_t most = sizeof chip->assumed / sizeof *chip->assumed;
    TRY(tsr_doc_child(doc, doc->root, "assumed", TSR_DOC_SEQ, &list, err));
    for (const struct tsr_doc_node *c = list->first; c != NULL; c = c->next) {
        if (chip->n_assumed == most)
            return tsr_doc_bad(doc, c, "assumed", err, "more than %u keys", most);
        if (c->kind != TSR_DOC_SCALAR || strlen(c->text) >= sizeof *chip->assumed ||
            c->text[0] == '\0' || tsr_chip_path(doc, c->text) == NULL)
            return tsr_doc_bad(doc, c, "assumed", err,
                               "\"%.64s\": no such key; a key of this file is wanted, as in "
                               "tile.ttu.dim", c->kind == TSR_DOC_SCALAR ? c->text : "");
        for (uint32_t i = 0; i < chip->n_assumed; i++)
            if (strcmp(chip->assumed[i], c->text) == 0)
                return tsr_doc_bad(doc, c, "assumed", err, "%s given twice", c->text);
        snprintf(chip->assumed[chip->n_assumed++], sizeof *chip->assumed, "%s", c->text);
    }
    return TSR_OK;
}

enum tsr_status tsr_chip_from_doc(const struct tsr_doc *doc, struct tsr_chip *out,
                                  struct tsr_error *err)
{
    struct tsr_chip chip = {0};
    snprintf(chip.file, sizeof chip.file, "%s", doc->file);
    for (const struct tsr_chip_section *s = tsr_chip_sections; s->keys != NULL; s++) {
        const struct tsr_doc_node *map = tsr_chip_path(doc, s->path);
        if (map == NULL)
            return tsr_doc_bad(doc, doc->root, s->path, err, "missing, a map is wanted");
        TRY(read_section(doc, map, s, (char *)&chip + s->offset, err));
    }
    TRY(tsr_doc_name(doc, doc->root, "name", chip.name, sizeof chip.name, err));
    TRY(read_assumed(doc, &chip, err));
    TRY(tsr_chip_check(doc, &chip, err));
    *out = chip;
    return TSR_OK;
}

enum { MAX_CHIPS = 32, MAX_NAME = 32 };

static char names[MAX_CHIPS][MAX_NAME];
static const char *name_list[MAX_CHIPS + 1];
static once_flag names_once = ONCE_FLAG_INIT;

static void list_names(void)
{
    static const char folder[] = "isa/chips/";
    int n = 0;
    for (const struct tsr_embedded *f = tsr_embedded_files; f->path != NULL && n < MAX_CHIPS; f++) {
        if (strncmp(f->path, folder, sizeof folder - 1) != 0)
            continue;
        snprintf(names[n], MAX_NAME, "%s", f->path + sizeof folder - 1);
        names[n][strcspn(names[n], ".")] = '\0';
        name_list[n] = names[n];
        n++;
    }
}

const char *const *tsr_chip_names(void)
{
    call_once(&names_once, list_names);
    return name_list;
}

/* The built-in chip's document path, by name; null when there is none. */
static const char *embedded_path(const char *name)
{
    char file[64];
    int n = snprintf(file, sizeof file, "isa/chips/%s.yaml", name);
    if (n < 0 || (size_t)n >= sizeof file)
        return NULL;
    for (const struct tsr_embedded *f = tsr_embedded_files; f->path != NULL; f++)
        if (strcmp(f->path, file) == 0)
            return f->path;
    return NULL;
}

static enum tsr_status unknown_chip(const char *name, struct tsr_error *err)
{
    char list[MAX_CHIPS * MAX_NAME] = "";
    size_t used = 0;
    for (const char *const *n = tsr_chip_names(); *n != NULL && used < sizeof list; n++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used > 0 ? ", " : "", *n);
    return tsr_error_set(err, TSR_USAGE,
                         "%.64s: no such chip, allowed are %s, or a file that ends in .yaml", name,
                         list);
}

enum tsr_status tsr_chip_load(const char *name_or_file, struct tsr_chip *out, struct tsr_error *err)
{
    assert(name_or_file != NULL && out != NULL);
    size_t n = strlen(name_or_file);
    bool is_file = n > 5 && strcmp(name_or_file + n - 5, ".yaml") == 0;
    const char *path = is_file ? name_or_file : embedded_path(name_or_file);
    if (path == NULL)
        return unknown_chip(name_or_file, err);
    struct tsr_doc *doc;
    enum tsr_status st = is_file ? tsr_doc_load(path, &doc, err)
                                 : tsr_doc_embedded(path, &doc, err);
    if (st != TSR_OK)
        return st;
    st = tsr_chip_from_doc(doc, out, err);
    tsr_doc_free(doc);
    return st;
}
