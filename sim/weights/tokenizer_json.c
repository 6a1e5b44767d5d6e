/* SPDX-License-Identifier: Apache-2.0 */
/* HF's tokenizer.json: byte-level BPE, and sentencepiece's kind (byte_fallback), whose merges stand
 * in the order of the scores. A normalizer NFC is passed over: texts are taken to be normalized.
 * Source: HF tokenizers' serialization. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/weights/tokenizer_priv.h"
#include "sim/weights/weights_priv.h"

enum {
    MAX_BYTES = 64 << 20, /* published ones have up to 33 MB */
    /* A model's table is padded to round numbers: its last tokens may be in no tokenizer (Qwen 3
     * has 151,936 for 151,669, gpt-oss 201,088 for 200,019). */
    PADDED = 16 /* up to a 16th of the model's */
};

struct source {
    const char *file;
    json_t *root, *model, *vocab, *added;
    struct tsr_tokenizer *t;
    struct tsr_error *err;
};

static enum tsr_status bad(const struct source *s, const char *key, const char *what)
{
    return tsr_error_set(s->err, TSR_BAD_INPUT, "%s: %s: %s", s->file, key, what);
}

static const char *type_of(const json_t *o)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    return type != NULL ? type : "";
}

/* The members of a Sequence (under `list`), or the object itself: calls `visit` for each. */
static enum tsr_status each(struct source *s, json_t *o, const char *list,
                            enum tsr_status (*visit)(struct source *, const json_t *))
{
    json_t *all = json_object_get(o, list), *one;
    size_t i;
    enum tsr_status st = TSR_OK;
    if (o == NULL || json_is_null(o))
        return TSR_OK;
    if (!json_is_array(all))
        return visit(s, o);
    json_array_foreach(all, i, one) if (st == TSR_OK) st = visit(s, one);
    return st;
}

/* ---- vocabulary ---- */

static bool id_of(const json_t *v, uint32_t *id)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0 ||
        json_integer_value(v) >= TSR_TOKENIZER_MAX_VOCAB)
        return false;
    *id = (uint32_t)json_integer_value(v);
    return true;
}

static enum tsr_status count_tokens(const struct source *s, uint64_t *n)
{
    const char *name;
    json_t *v;
    size_t i;
    uint32_t id;
    *n = 0;
    json_object_foreach(s->vocab, name, v)
    {
        if (!id_of(v, &id))
            return bad(s, "model.vocab", "ids are whole numbers below 2^22");
        *n = id >= *n ? id + 1 : *n;
    }
    json_array_foreach(s->added, i, v)
    {
        if (!id_of(json_object_get(v, "id"), &id) || !json_is_string(json_object_get(v, "content")))
            return bad(s, "added_tokens", "an id below 2^22 and a content are required");
        *n = id >= *n ? id + 1 : *n;
    }
    /* Holes are allowed, but not at any size. */
    if (*n > 2 * (json_object_size(s->vocab) + json_array_size(s->added)) + 4096)
        return bad(s, "model.vocab", "the ids are too far apart");
    return TSR_OK;
}

static bool is_byte_name(const char *s)
{
    return strlen(s) == 6 && strncmp(s, "<0x", 3) == 0 && s[5] == '>';
}

static enum tsr_status set_tokens(const struct source *s)
{
    const char *name;
    json_t *v;
    size_t i;
    uint32_t id = 0;
    bool scores = s->t->info.kind == TSR_TOKENIZER_SCORES;
    enum tsr_status st = TSR_OK;
    for (uint32_t k = 0; st == TSR_OK && k < s->t->info.vocab; k++)
        st = tsr_tokenizer_set(s->t, k, "", 0, TSR_TOKEN_UNUSED, 0, s->err);
    json_object_foreach(s->vocab, name, v)
    {
        enum tsr_token_kind kind = scores && is_byte_name(name) ? TSR_TOKEN_BYTE : TSR_TOKEN_NORMAL;
        id_of(v, &id);
        if (st == TSR_OK)
            st = tsr_tokenizer_set(s->t, id, name, strlen(name), kind, 0, s->err);
    }
    json_array_foreach(s->added, i, v)
    {
        const char *content = json_string_value(json_object_get(v, "content"));
        bool special = json_is_true(json_object_get(v, "special"));
        id_of(json_object_get(v, "id"), &id);
        if (st == TSR_OK)
            st = tsr_tokenizer_set(s->t, id, content, strlen(content),
                                   special ? TSR_TOKEN_CONTROL : TSR_TOKEN_USER, 0, s->err);
    }
    return st;
}

/* ---- merges: "left right", or [left, right] ---- */

struct halves {
    const char *left, *right;
    size_t n_left, n_right;
};

static bool halves_of(const json_t *v, struct halves *h)
{
    const char *text = json_string_value(v);
    if (text != NULL) {
        const char *blank = text[0] != '\0' ? strchr(text + 1, ' ') : NULL;
        if (blank == NULL)
            return false;
        *h = (struct halves){text, blank + 1, (size_t)(blank - text), strlen(blank + 1)};
        return true;
    }
    h->left = json_string_value(json_array_get(v, 0));
    h->right = json_string_value(json_array_get(v, 1));
    if (h->left == NULL || h->right == NULL)
        return false;
    h->n_left = strlen(h->left);
    h->n_right = strlen(h->right);
    return true;
}

/* sentencepiece's kind: the first merge that makes a token is its score. */
static enum tsr_status score_merge(const struct source *s, const struct halves *h, size_t rank)
{
    uint32_t id;
    char *joined = malloc(h->n_left + h->n_right + 1);
    if (joined == NULL)
        return tsr_error_set(s->err, TSR_INTERNAL, "%s: out of memory", s->file);
    memcpy(joined, h->left, h->n_left);
    memcpy(joined + h->n_left, h->right, h->n_right);
    joined[h->n_left + h->n_right] = '\0';
    bool known = id_of(json_object_get(s->vocab, joined), &id);
    free(joined);
    if (!known)
        return bad(s, "model.merges", "what a merge makes is no token of the vocabulary");
    if (s->t->tokens[id].score == 0)
        s->t->tokens[id].score = -(float)(rank + 1); /* ranks are below 2^24 */
    return TSR_OK;
}

static enum tsr_status read_merges(const struct source *s)
{
    json_t *merges = json_object_get(s->model, "merges"), *v;
    bool ranks = s->t->info.kind == TSR_TOKENIZER_MERGES;
    size_t i;
    enum tsr_status st = TSR_OK;
    if (!json_is_array(merges))
        return bad(s, "model.merges", "missing or no array");
    if (ranks)
        st = tsr_tokenizer_room_for_merges(s->t, json_array_size(merges), s->err);
    else if (json_array_size(merges) > TSR_TOKENIZER_MAX_VOCAB)
        st = bad(s, "model.merges", "at most 2^22 are allowed");
    json_array_foreach(merges, i, v)
    {
        struct halves h;
        if (st != TSR_OK)
            return st;
        if (!halves_of(v, &h))
            return bad(s, "model.merges", "two tokens with a blank between are allowed");
        st = ranks ? tsr_tokenizer_add_merge(s->t, h.left, h.n_left, h.right, h.n_right, s->err)
                   : score_merge(s, &h, i);
    }
    return st;
}

/* Pieces of several characters that no merge makes are not found in texts. */
static void hide_unmade(const struct source *s)
{
    for (uint32_t id = 0; id < s->t->info.vocab; id++) {
        struct tsr_token *k = &s->t->tokens[id];
        size_t used = 0;
        if (k->kind != TSR_TOKEN_NORMAL || k->score != 0 || k->name_length == 0)
            continue;
        tsr_utf8_next(s->t->text + k->name_at, k->name_length, &used);
        if (used < k->name_length)
            k->kind = TSR_TOKEN_UNUSED;
    }
}

/* ---- what stands around the model ---- */

static enum tsr_status see_normalizer(struct source *s, const json_t *o)
{
    const char *type = type_of(o);
    if (strcmp(type, "Prepend") == 0)
        s->t->info.space_prefix = true;
    else if (strcmp(type, "Replace") != 0 && strcmp(type, "NFC") != 0)
        return bad(s, "normalizer", "one of NFC, Prepend and Replace is supported");
    return TSR_OK;
}

static enum tsr_status see_pretokenizer(struct source *s, const json_t *o)
{
    const char *type = type_of(o);
    if (strcmp(type, "Split") == 0) {
        const char *regex =
            json_string_value(json_object_get(json_object_get(o, "pattern"), "Regex"));
        s->t->rule = regex != NULL ? tsr_pretoken_by_regex(regex) : NULL;
        return s->t->rule != NULL ? TSR_OK
                                  : bad(s, "pre_tokenizer",
                                        "its pattern is not supported, those of GPT-2, Llama 3, "
                                        "Qwen 2 and gpt-oss are");
    }
    if (strcmp(type, "ByteLevel") == 0) {
        if (!json_is_false(json_object_get(o, "use_regex")))
            s->t->rule = tsr_pretoken_by_name("gpt-2");
        s->t->info.space_prefix = json_is_true(json_object_get(o, "add_prefix_space"));
    } else if (strcmp(type, "Metaspace") == 0) {
        const char *scheme = json_string_value(json_object_get(o, "prepend_scheme"));
        s->t->info.space_prefix = scheme == NULL || strcmp(scheme, "never") != 0;
    } else {
        return bad(s, "pre_tokenizer", "one of Split, ByteLevel and Metaspace is supported");
    }
    return TSR_OK;
}

/* The token that a template puts at its begin or end. */
static enum tsr_status template_token(struct source *s, const json_t *o, const json_t *place,
                                      int32_t *id, bool *add)
{
    const char *name =
        json_string_value(json_object_get(json_object_get(place, "SpecialToken"), "id"));
    uint32_t found;
    if (name == NULL)
        return TSR_OK;
    const json_t *ids =
        json_object_get(json_object_get(json_object_get(o, "special_tokens"), name), "ids");
    if (!id_of(json_array_get(ids, 0), &found) || found >= s->t->info.vocab)
        return bad(s, "post_processor", "a special token has no id of the vocabulary");
    *id = (int32_t)found;
    *add = true;
    return TSR_OK;
}

static enum tsr_status see_processor(struct source *s, const json_t *o)
{
    struct tsr_tokenizer_info *i = &s->t->info;
    const json_t *single = json_object_get(o, "single");
    size_t n = json_array_size(single);
    if (strcmp(type_of(o), "TemplateProcessing") != 0 || n == 0)
        return TSR_OK;
    enum tsr_status st = template_token(s, o, json_array_get(single, 0), &i->bos, &i->add_bos);
    if (st == TSR_OK && n > 1)
        st = template_token(s, o, json_array_get(single, n - 1), &i->eos, &i->add_eos);
    return st;
}

static void read_ids(struct tsr_tokenizer *t, const json_t *config)
{
    const json_t *bos = json_object_get(config, "bos_token_id"),
                 *eos = json_object_get(config, "eos_token_id");
    const size_t n = json_is_array(eos) ? json_array_size(eos) : 1;
    uint32_t id;
    if (t->info.bos < 0 && id_of(bos, &id) && id < t->info.vocab)
        t->info.bos = (int32_t)id;
    for (size_t i = 0; i < n; i++)
        if (id_of(json_is_array(eos) ? json_array_get(eos, i) : eos, &id)) {
            tsr_tokenizer_add_end(t, id);
            if (t->info.eos < 0 && id < t->info.vocab)
                t->info.eos = (int32_t)id;
        }
}

/* bos and eos that no template names: config.json beside, where there is one. */
static void read_config(const struct source *s)
{
    char path[4096];
    struct tsr_file_map map;
    struct tsr_error ignored = {0};
    const char *slash = strrchr(s->file, '/');
    int folder = slash != NULL ? (int)(slash - s->file) + 1 : 0;
    int n = snprintf(path, sizeof path, "%.*sconfig.json", folder, s->file);
    if (n >= (int)sizeof path || tsr_map_open(path, &map, &ignored) != TSR_OK)
        return;
    json_t *root = map.size <= TSR_WEIGHTS_MAX_JSON
                       ? tsr_weights_json(path, "config", map.data, map.size, &ignored)
                       : NULL;
    read_ids(s->t, root);
    json_decref(root);
    tsr_map_close(&map);
}

static enum tsr_status read_rest(struct source *s)
{
    const char *unknown = json_string_value(json_object_get(s->model, "unk_token"));
    uint32_t id;
    enum tsr_status st =
        each(s, json_object_get(s->root, "normalizer"), "normalizers", see_normalizer);
    if (st == TSR_OK)
        st = each(s, json_object_get(s->root, "pre_tokenizer"), "pretokenizers", see_pretokenizer);
    if (st == TSR_OK)
        st = each(s, json_object_get(s->root, "post_processor"), "processors", see_processor);
    if (st != TSR_OK)
        return st;
    if (unknown != NULL && id_of(json_object_get(s->vocab, unknown), &id))
        s->t->info.unknown = (int32_t)id;
    s->t->whole_words = json_is_true(json_object_get(s->model, "ignore_merges"));
    if (s->t->info.kind == TSR_TOKENIZER_MERGES && s->t->rule == NULL)
        return bad(s, "pre_tokenizer", "missing, byte-level BPE needs one");
    read_config(s);
    return TSR_OK;
}

static enum tsr_status read_all(struct source *s, uint32_t vocab)
{
    uint64_t n;
    s->model = json_object_get(s->root, "model");
    s->vocab = json_object_get(s->model, "vocab");
    s->added = json_object_get(s->root, "added_tokens");
    if (strcmp(type_of(s->model), "BPE") != 0 || !json_is_object(s->vocab))
        return bad(s, "model", "of type BPE with a vocab is allowed");
    enum tsr_status st = count_tokens(s, &n);
    if (n < vocab && vocab - n <= vocab / PADDED)
        n = vocab;
    if (st == TSR_OK)
        st = tsr_tokenizer_new(s->file, n, &s->t, s->err);
    if (st != TSR_OK)
        return st;
    bool fallback = json_is_true(json_object_get(s->model, "byte_fallback"));
    s->t->info.kind = fallback ? TSR_TOKENIZER_SCORES : TSR_TOKENIZER_MERGES;
    s->t->unit_first = s->t->marks = fallback;
    st = set_tokens(s);
    if (st == TSR_OK)
        st = read_rest(s);
    if (st == TSR_OK && fallback) {
        st = read_merges(s);
        hide_unmade(s);
    }
    if (st == TSR_OK)
        st = tsr_tokenizer_index(s->t, vocab, s->err);
    if (st == TSR_OK && !fallback)
        st = read_merges(s);
    return st;
}

enum tsr_status tsr_tokenizer_read_json(const char *file, const uint8_t *data, uint64_t size,
                                        uint32_t vocab, struct tsr_tokenizer **out,
                                        struct tsr_error *err)
{
    struct source s = {.file = file, .err = err};
    if (size > MAX_BYTES)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: larger than the 64 MiB allowed", file);
    s.root = tsr_weights_json(file, "tokenizer", data, size, err);
    if (s.root == NULL)
        return TSR_BAD_INPUT;
    enum tsr_status st = read_all(&s, vocab);
    json_decref(s.root);
    if (st != TSR_OK) {
        tsr_tokenizer_close(s.t);
        return st;
    }
    *out = s.t;
    return TSR_OK;
}
