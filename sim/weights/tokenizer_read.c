/* SPDX-License-Identifier: Apache-2.0 */
/* Tokenizers of llama2.c and of GGUF files. */
#include <stdio.h>
#include <string.h>

#include "sim/weights/gguf.h"
#include "sim/weights/tokenizer_priv.h"
#include "sim/weights/weights_priv.h"

/* ---- llama2.c: an int32, the longest token; for each a float32 score, an int32 length, bytes.
 * 0 is unknown, 1 and 2 begin and end a text. Source: karpathy/llama2.c, tokenizer.py. ---- */

static bool is_byte_name(const char *s, size_t n)
{
    return n == 6 && memcmp(s, "<0x", 3) == 0 && s[5] == '>';
}

static enum tsr_status count_llama2c(const char *file, const uint8_t *data, uint64_t size,
                                     uint64_t *n, struct tsr_error *err)
{
    uint64_t at = 4;
    *n = 0;
    if (size < 4)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: header: shorter than 4 bytes", file);
    uint32_t longest = tsr_le32(data);
    for (; at < size; ++*n) {
        uint32_t length = size - at >= 8 ? tsr_le32(data + at + 4) : 0;
        if (size - at < 8 || length > size - at - 8)
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "%s: token %llu: the file ends within it (read as llama2.c's "
                                 "tokenizer, since it is neither GGUF nor JSON)",
                                 file, (unsigned long long)*n);
        if (length > longest)
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "%s: token %llu: %u bytes, at most %u as the header says", file,
                                 (unsigned long long)*n, length, longest);
        at += 8 + length;
    }
    return TSR_OK;
}

enum tsr_status tsr_tokenizer_read_llama2c(const char *file, const uint8_t *data, uint64_t size,
                                           uint32_t vocab, struct tsr_tokenizer **out,
                                           struct tsr_error *err)
{
    uint64_t n, at = 4;
    struct tsr_tokenizer *t;
    enum tsr_status st = count_llama2c(file, data, size, &n, err);
    if (st == TSR_OK && n < 3)
        st = tsr_error_set(err, TSR_BAD_INPUT, "%s: vocabulary: %llu tokens, 3 or more are allowed",
                           file, (unsigned long long)n);
    if (st == TSR_OK)
        st = tsr_tokenizer_new(file, n, &t, err);
    if (st != TSR_OK)
        return st;
    t->info.unknown = 0;
    t->info.bos = 1;
    t->info.eos = 2;
    t->info.add_bos = t->info.space_prefix = t->unit_first = true;
    for (uint32_t id = 0; st == TSR_OK && id < n; id++) {
        uint32_t length = tsr_le32(data + at + 4);
        const char *s = (const char *)data + at + 8;
        enum tsr_token_kind kind = id == 0                   ? TSR_TOKEN_UNKNOWN
                                   : id < 3                  ? TSR_TOKEN_CONTROL
                                   : is_byte_name(s, length) ? TSR_TOKEN_BYTE
                                                             : TSR_TOKEN_NORMAL;
        st = tsr_tokenizer_set(t, id, s, length, kind, tsr_le_f32(data + at), err);
        at += 8 + length;
    }
    if (st == TSR_OK)
        st = tsr_tokenizer_index(t, vocab, err);
    if (st != TSR_OK) {
        tsr_tokenizer_close(t);
        return st;
    }
    *out = t;
    return TSR_OK;
}

/* ---- GGUF. Source: ggml docs/gguf.md, tokenizer ---- */

struct keys {
    const struct tsr_gguf *g;
    struct tsr_tokenizer *t;
    struct tsr_error *err;
};

static enum tsr_status bad(const struct keys *k, const char *key, const char *what)
{
    return tsr_error_set(k->err, TSR_BAD_INPUT, "%s: tokenizer.ggml.%s: %s", k->g->file, key, what);
}

static const struct tsr_gguf_value *find(const struct keys *k, const char *key)
{
    char full[96];
    snprintf(full, sizeof full, "tokenizer.ggml.%s", key);
    return tsr_gguf_find(k->g, full);
}

static enum tsr_status read_id(const struct keys *k, const char *key, int32_t *out)
{
    const struct tsr_gguf_value *v = find(k, key);
    int64_t id;
    if (v == NULL)
        return TSR_OK;
    if (v->kind == TSR_GGUF_ARRAY || !tsr_gguf_int(v, 0, &id) || id < 0 ||
        id >= (int64_t)k->t->info.vocab)
        return bad(k, key, "is no token of the vocabulary");
    *out = (int32_t)id;
    return TSR_OK;
}

static enum tsr_status read_flag(const struct keys *k, const char *key, bool *out)
{
    const struct tsr_gguf_value *v = find(k, key);
    if (v == NULL)
        return TSR_OK;
    if (v->kind != TSR_GGUF_BOOL)
        return bad(k, key, "is no bool");
    *out = v->data[0] != 0;
    return TSR_OK;
}

static enum tsr_status read_text(const struct keys *k, const char *key, char out[64])
{
    const struct tsr_gguf_value *v = find(k, key);
    size_t n;
    out[0] = '\0';
    if (v == NULL)
        return TSR_OK;
    if (v->kind != TSR_GGUF_STRING)
        return bad(k, key, "is no string");
    const uint8_t *at = v->data;
    const char *s = tsr_gguf_next_string(&at, &n);
    for (size_t i = 0; i < n; i++)
        if (s[i] < 0x20 || s[i] > 0x7e || n > 63)
            return bad(k, key, "up to 63 printable ASCII characters are allowed");
    memcpy(out, s, n);
    out[n] = '\0';
    return TSR_OK;
}

/* The flags default to what sentencepiece and byte-level BPE do. */
static enum tsr_status read_settings(struct keys *k)
{
    struct tsr_tokenizer_info *i = &k->t->info;
    bool scores = i->kind == TSR_TOKENIZER_SCORES;
    if (scores) {
        i->unknown = i->vocab > 0 ? 0 : -1;
        i->bos = i->vocab > 1 ? 1 : -1;
        i->eos = i->vocab > 2 ? 2 : -1;
    }
    i->add_bos = i->space_prefix = scores;
    char pre[64];
    enum tsr_status st = read_id(k, "bos_token_id", &i->bos);
    if (st == TSR_OK)
        st = read_id(k, "eos_token_id", &i->eos);
    if (st == TSR_OK)
        st = read_id(k, "unknown_token_id", &i->unknown);
    int32_t turn = -1;
    if (st == TSR_OK)
        st = read_id(k, "eot_token_id", &turn);
    if (st == TSR_OK && turn >= 0)
        tsr_tokenizer_add_end(k->t, (uint32_t)turn);
    if (st == TSR_OK)
        st = read_text(k, "pre", pre);
    if (st != TSR_OK)
        return st;
    k->t->rule = tsr_pretoken_by_name(pre[0] != '\0' ? pre : "default");
    if (!scores && k->t->rule == NULL)
        return tsr_error_set(k->err, TSR_BAD_INPUT,
                             "%s: tokenizer.ggml.pre: \"%s\" is not supported, default gpt-2 "
                             "llama-bpe qwen2 or gpt-4o is allowed",
                             k->g->file, pre);
    if (!scores) {
        k->t->whole_words = tsr_pretoken_whole_words(k->t->rule);
        i->add_bos = k->t->whole_words && i->bos >= 0; /* Llama 3 */
    }
    st = read_flag(k, "add_bos_token", &i->add_bos);
    if (st == TSR_OK)
        st = read_flag(k, "add_eos_token", &i->add_eos);
    if (st == TSR_OK)
        st = read_flag(k, "add_space_prefix", &i->space_prefix);
    if (st == TSR_OK && ((i->add_bos && i->bos < 0) || (i->add_eos && i->eos < 0)))
        st = bad(k, i->add_bos && i->bos < 0 ? "add_bos_token" : "add_eos_token",
                 "there is no such token");
    return st;
}

static enum tsr_status read_tokens(struct keys *k, const struct tsr_gguf_value *tokens)
{
    const struct tsr_gguf_value *scores = find(k, "scores"), *types = find(k, "token_type");
    const uint8_t *at = tokens->data;
    enum tsr_status st = TSR_OK;
    if (scores != NULL && (scores->item != TSR_GGUF_F32 || scores->count != tokens->count))
        return bad(k, "scores", "an f32 for each token is allowed");
    if (scores == NULL && k->t->info.kind == TSR_TOKENIZER_SCORES)
        return bad(k, "scores", "missing, which merges by score need");
    if (types != NULL && types->count != tokens->count)
        return bad(k, "token_type", "a number for each token is allowed");
    for (uint32_t id = 0; st == TSR_OK && id < tokens->count; id++) {
        size_t n;
        const char *s = tsr_gguf_next_string(&at, &n);
        int64_t kind = TSR_TOKEN_NORMAL;
        double score = 0;
        if (types != NULL && (!tsr_gguf_int(types, id, &kind) || kind < 0 || kind > 6))
            return bad(k, "token_type", "numbers from 0 to 6 are allowed");
        if (types == NULL && is_byte_name(s, n))
            kind = TSR_TOKEN_BYTE;
        if (scores != NULL)
            tsr_gguf_real(scores, id, &score);
        st = tsr_tokenizer_set(k->t, id, s, n,
                               kind == 0 ? TSR_TOKEN_NORMAL : (enum tsr_token_kind)kind,
                               (float)score, k->err);
    }
    return st;
}

/* "left right": of a left part that is a blank itself the second one separates. */
static enum tsr_status read_merges(struct keys *k)
{
    const struct tsr_gguf_value *v = find(k, "merges");
    if (v == NULL || v->item != TSR_GGUF_STRING)
        return bad(k, "merges", "missing or no array of strings");
    enum tsr_status st = tsr_tokenizer_room_for_merges(k->t, v->count, k->err);
    const uint8_t *at = v->data;
    for (uint64_t i = 0; st == TSR_OK && i < v->count; i++) {
        size_t n;
        const char *s = tsr_gguf_next_string(&at, &n);
        const char *blank = n > 1 ? memchr(s + 1, ' ', n - 1) : NULL;
        if (blank == NULL)
            return bad(k, "merges", "two tokens with a blank between are allowed");
        size_t left = (size_t)(blank - s);
        st = tsr_tokenizer_add_merge(k->t, s, left, blank + 1, n - left - 1, k->err);
    }
    return st;
}

static enum tsr_status read_gguf(struct keys *k, uint32_t vocab, struct tsr_tokenizer **out)
{
    char model[64];
    const struct tsr_gguf_value *tokens = find(k, "tokens");
    if (tokens == NULL || tokens->kind != TSR_GGUF_ARRAY || tokens->item != TSR_GGUF_STRING)
        return bad(k, "tokens", "missing or no array of strings: the file holds no tokenizer");
    enum tsr_status st = read_text(k, "model", model);
    if (st != TSR_OK)
        return st;
    if (strcmp(model, "llama") != 0 && strcmp(model, "gpt2") != 0)
        return bad(k, "model", "is not supported, llama or gpt2 is allowed");
    st = tsr_tokenizer_new(k->g->file, tokens->count, &k->t, k->err);
    if (st != TSR_OK)
        return st;
    k->t->info.kind = model[0] == 'g' ? TSR_TOKENIZER_MERGES : TSR_TOKENIZER_SCORES;
    k->t->marks = model[0] != 'g';
    st = read_settings(k);
    if (st == TSR_OK)
        st = read_tokens(k, tokens);
    if (st == TSR_OK)
        st = tsr_tokenizer_index(k->t, vocab, k->err);
    if (st == TSR_OK && k->t->info.kind == TSR_TOKENIZER_MERGES)
        st = read_merges(k);
    if (st != TSR_OK) {
        tsr_tokenizer_close(k->t);
        return st;
    }
    *out = k->t;
    return TSR_OK;
}

enum tsr_status tsr_tokenizer_read_gguf(const char *file, const uint8_t *data, uint64_t size,
                                        uint32_t vocab, struct tsr_tokenizer **out,
                                        struct tsr_error *err)
{
    struct tsr_gguf *g;
    uint64_t at, n;
    enum tsr_status st = tsr_gguf_parse(file, data, size, &g, &at, &n, err);
    if (st != TSR_OK)
        return st;
    struct keys k = {.g = g, .err = err};
    st = read_gguf(&k, vocab, out);
    tsr_gguf_free(g);
    return st;
}
