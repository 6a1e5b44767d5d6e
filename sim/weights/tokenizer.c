/* SPDX-License-Identifier: Apache-2.0 */
/* A tokenizer's vocabulary: building, looking up, decoding. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <stdio.h>

#include "sim/weights/tokenizer_priv.h"
#include "sim/weights/weights_priv.h"

static enum tsr_status no_memory(const char *file, struct tsr_error *err)
{
    return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", file);
}

enum tsr_status tsr_tokenizer_new(const char *file, uint64_t n, struct tsr_tokenizer **out,
                                  struct tsr_error *err)
{
    if (n == 0 || n > TSR_TOKENIZER_MAX_VOCAB)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: vocabulary: %llu tokens, 1 to %d are allowed",
                             file, (unsigned long long)n, TSR_TOKENIZER_MAX_VOCAB);
    struct tsr_tokenizer *t = calloc(1, sizeof *t);
    if (t == NULL)
        return no_memory(file, err);
    t->info =
        (struct tsr_tokenizer_info){.vocab = (uint32_t)n, .bos = -1, .eos = -1, .unknown = -1};
    t->file = strdup(file);
    t->tokens = calloc(n, sizeof *t->tokens);
    if (t->file == NULL || t->tokens == NULL) {
        tsr_tokenizer_close(t);
        return no_memory(file, err);
    }
    *out = t;
    return TSR_OK;
}

void tsr_tokenizer_close(struct tsr_tokenizer *t)
{
    if (t == NULL)
        return;
    free(t->tokens);
    free(t->text);
    free(t->by_text);
    free(t->merges);
    free(t->file);
    free(t);
}

/* Room for n more bytes of text; offsets are 32 bits. */
static enum tsr_status room_for(struct tsr_tokenizer *t, size_t n, struct tsr_error *err)
{
    if (n > INT32_MAX || t->text_used + n > INT32_MAX)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: vocabulary: more than 2 GiB of text",
                             t->file);
    if (t->text_used + n <= t->text_room)
        return TSR_OK;
    size_t room = 2 * t->text_room + n + 4096;
    char *more = realloc(t->text, room);
    if (more == NULL)
        return no_memory(t->file, err);
    t->text = more;
    t->text_room = room;
    return TSR_OK;
}

enum tsr_status tsr_tokenizer_set(struct tsr_tokenizer *t, uint32_t id, const char *name,
                                  size_t length, enum tsr_token_kind kind, float score,
                                  struct tsr_error *err)
{
    if (isnan(score))
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: token %u: its score is no number", t->file,
                             id);
    enum tsr_status st = room_for(t, length, err);
    if (st != TSR_OK)
        return st;
    t->tokens[id] = (struct tsr_token){.name_at = (uint32_t)t->text_used,
                                       .name_length = (uint32_t)length,
                                       .score = score,
                                       .kind = (uint8_t)kind};
    if (length > 0)
        memcpy(t->text + t->text_used, name, length);
    t->text_used += length;
    return TSR_OK;
}

/* ---- what a token's name stands for ---- */

/* Byte-level BPE spells bytes as printable characters: those that are none are 0x100 onwards, in
 * order. Source: GPT-2's encoder.py, bytes_to_unicode. */
static int byte_of_char(uint32_t c)
{
    if ((c >= 0x21 && c <= 0x7E) || (c >= 0xA1 && c <= 0xAC) || (c >= 0xAE && c <= 0xFF))
        return (int)c;
    if (c >= 0x100 && c <= 0x120)
        return (int)(c - 0x100);
    if (c >= 0x121 && c <= 0x142)
        return (int)(c - 0x121 + 0x7F);
    return c == 0x143 ? 0xAD : -1;
}

static size_t decode_bytes(const char *name, size_t n, char *out)
{
    size_t used, k = 0;
    for (size_t i = 0; i < n; i += used) {
        int byte = byte_of_char(tsr_utf8_next(name + i, n - i, &used));
        if (byte < 0) { /* an added token, spelled as it is */
            memcpy(out + k, name + i, used);
            k += used;
        } else {
            out[k++] = (char)byte;
        }
    }
    return k;
}

/* sentencepiece writes a blank as U+2581. */
static size_t decode_blanks(const char *name, size_t n, char *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n; k++) {
        bool blank = n - i >= 3 && memcmp(name + i, "\xE2\x96\x81", 3) == 0;
        out[k] = blank ? ' ' : name[i];
        i += blank ? 3 : 1;
    }
    return k;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "<0x0A>": the byte, else -1. */
static int byte_of_name(const char *s, size_t n)
{
    if (n != 6 || memcmp(s, "<0x", 3) != 0 || s[5] != '>' || hex(s[3]) < 0 || hex(s[4]) < 0)
        return -1;
    return hex(s[3]) << 4 | hex(s[4]);
}

static enum tsr_status decode_token(struct tsr_tokenizer *t, uint32_t id, struct tsr_error *err)
{
    struct tsr_token *k = &t->tokens[id];
    enum tsr_status st = room_for(t, k->name_length + 1, err);
    if (st != TSR_OK)
        return st;
    const char *name = t->text + k->name_at;
    char *out = t->text + t->text_used;
    int byte = k->kind == TSR_TOKEN_BYTE ? byte_of_name(name, k->name_length) : -1;
    k->at = (uint32_t)t->text_used;
    if (k->kind == TSR_TOKEN_BYTE && byte < 0)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: token %u: is a byte but is not spelled as <0x00> to <0xFF>",
                             t->file, id);
    if (k->kind == TSR_TOKEN_CONTROL || k->kind == TSR_TOKEN_UNKNOWN) {
        k->length = 0;
    } else if (byte >= 0) {
        out[0] = (char)byte;
        k->length = 1;
        t->byte_id[byte] = (int32_t)id;
    } else if (k->kind != TSR_TOKEN_USER && t->info.kind == TSR_TOKENIZER_MERGES) {
        k->length = (uint32_t)decode_bytes(name, k->name_length, out);
    } else if (k->kind != TSR_TOKEN_USER && t->marks) {
        k->length = (uint32_t)decode_blanks(name, k->name_length, out);
    } else { /* spelled as it is */
        memcpy(out, name, k->name_length);
        k->length = k->name_length;
    }
    t->text_used += k->length;
    return TSR_OK;
}

/* ---- indices ---- */

static uint64_t hash(const char *s, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)s[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

static bool is_findable(const struct tsr_token *k)
{
    return k->length > 0 && (k->kind == TSR_TOKEN_NORMAL || k->kind == TSR_TOKEN_USER);
}

/* The place of these bytes, or the free one where they would be. */
static size_t slot(const struct tsr_tokenizer *t, const char *s, size_t n)
{
    size_t i = (size_t)hash(s, n) & t->by_text_mask;
    for (; t->by_text[i] != 0; i = (i + 1) & t->by_text_mask) {
        const struct tsr_token *k = &t->tokens[t->by_text[i] - 1];
        if (k->length == n && memcmp(t->text + k->at, s, n) == 0)
            break;
    }
    return i;
}

/* At most half of the places are taken. */
static size_t places_for(uint64_t n)
{
    size_t places = 16;
    while (places < 2 * n)
        places *= 2;
    return places;
}

enum tsr_status tsr_tokenizer_index(struct tsr_tokenizer *t, uint32_t vocab, struct tsr_error *err)
{
    if (t->info.vocab < vocab)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: vocabulary: %u tokens, the model's %u are needed", t->file,
                             t->info.vocab, vocab);
    size_t places = places_for(t->info.vocab);
    t->by_text = calloc(places, sizeof *t->by_text);
    if (t->by_text == NULL)
        return no_memory(t->file, err);
    t->by_text_mask = places - 1;
    for (int b = 0; b < 256; b++)
        t->byte_id[b] = -1;
    for (uint32_t id = 0; id < t->info.vocab; id++) {
        enum tsr_status st = decode_token(t, id, err);
        if (st != TSR_OK)
            return st;
        const struct tsr_token *k = &t->tokens[id];
        if (!is_findable(k))
            continue;
        size_t i = slot(t, t->text + k->at, k->length);
        if (t->by_text[i] == 0) /* of two tokens with one spelling the first counts */
            t->by_text[i] = id + 1;
        if (t->info.kind == TSR_TOKENIZER_MERGES && k->length == 1 &&
            t->byte_id[(uint8_t)t->text[k->at]] < 0)
            t->byte_id[(uint8_t)t->text[k->at]] = (int32_t)id;
    }
    return TSR_OK;
}

int64_t tsr_tokenizer_find(const struct tsr_tokenizer *t, const char *bytes, size_t length)
{
    return (int64_t)t->by_text[slot(t, bytes, length)] - 1;
}

/* ---- merges ---- */

enum tsr_status tsr_tokenizer_room_for_merges(struct tsr_tokenizer *t, uint64_t n,
                                              struct tsr_error *err)
{
    if (n > TSR_TOKENIZER_MAX_VOCAB)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: merges: %llu, at most %d are allowed",
                             t->file, (unsigned long long)n, TSR_TOKENIZER_MAX_VOCAB);
    size_t places = places_for(n);
    t->merges = malloc(places * sizeof *t->merges);
    if (t->merges == NULL)
        return no_memory(t->file, err);
    t->merges_mask = places - 1;
    for (size_t i = 0; i < places; i++)
        t->merges[i].joined = UINT32_MAX;
    return TSR_OK;
}

static struct tsr_merge *merge_slot(const struct tsr_tokenizer *t, uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)(h >> 32) & t->merges_mask;
    while (t->merges[i].joined != UINT32_MAX &&
           (t->merges[i].left != left || t->merges[i].right != right))
        i = (i + 1) & t->merges_mask;
    return &t->merges[i];
}

const struct tsr_merge *tsr_tokenizer_find_merge(const struct tsr_tokenizer *t, uint32_t left,
                                                 uint32_t right)
{
    const struct tsr_merge *m = merge_slot(t, left, right);
    return m->joined != UINT32_MAX ? m : NULL;
}

enum tsr_status tsr_tokenizer_add_merge(struct tsr_tokenizer *t, const char *left, size_t n_left,
                                        const char *right, size_t n_right, struct tsr_error *err)
{
    enum tsr_status st = room_for(t, n_left + n_right, err);
    if (st != TSR_OK)
        return st;
    char *joined = t->text + t->text_used; /* only for the look-up */
    size_t n = decode_bytes(left, n_left, joined),
           all = n + decode_bytes(right, n_right, joined + n);
    int64_t a = tsr_tokenizer_find(t, joined, n), b = tsr_tokenizer_find(t, joined + n, all - n),
            ab = tsr_tokenizer_find(t, joined, all);
    uint32_t rank = t->info.merges++;
    if (a < 0 || b < 0 || ab < 0)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: merges: number %u: its %s is no token of the vocabulary", t->file,
                             rank,
                             a < 0   ? "left"
                             : b < 0 ? "right"
                                     : "result");
    struct tsr_merge *m = merge_slot(t, (uint32_t)a, (uint32_t)b);
    if (m->joined == UINT32_MAX) /* of two equal ones the first counts */
        *m = (struct tsr_merge){(uint32_t)a, (uint32_t)b, (uint32_t)ab, rank};
    return TSR_OK;
}

/* ---- public ---- */

const struct tsr_tokenizer_info *tsr_tokenizer_describe(const struct tsr_tokenizer *t)
{
    return &t->info;
}

void tsr_tokenizer_add_end(struct tsr_tokenizer *t, uint32_t id)
{
    if (id < t->info.vocab && t->n_ends < TSR_TOKENIZER_MAX_ENDS)
        t->ends[t->n_ends++] = id;
}

bool tsr_tokenizer_ends(const struct tsr_tokenizer *t, uint32_t id)
{
    for (uint32_t i = 0; i < t->n_ends; i++)
        if (t->ends[i] == id)
            return true;
    return (int64_t)id == t->info.eos || (int64_t)id == t->info.bos;
}

const char *tsr_tokenizer_name(const struct tsr_tokenizer *t, uint32_t id, size_t *length)
{
    assert(id < t->info.vocab);
    *length = t->tokens[id].name_length;
    return t->text + t->tokens[id].name_at;
}

const char *tsr_tokenizer_bytes(const struct tsr_tokenizer *t, int64_t previous, uint32_t id,
                                size_t *length)
{
    assert(id < t->info.vocab);
    const struct tsr_token *k = &t->tokens[id];
    const char *s = t->text + k->at;
    bool first = previous < 0 || previous == t->info.bos;
    size_t skip = first && t->info.space_prefix && k->length > 0 && s[0] == ' ';
    *length = k->length - skip;
    return s + skip;
}

enum tsr_status tsr_tokenizer_open(const char *path, uint32_t vocab, struct tsr_tokenizer **out,
                                   struct tsr_error *err)
{
    char inside[4096];
    struct stat s;
    struct tsr_file_map map;
    struct tsr_error ignored = {0};
    err = err != NULL ? err : &ignored;
    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode)) {
        int n = snprintf(inside, sizeof inside, "%s/tokenizer.json", path);
        if (n >= (int)sizeof inside)
            return tsr_error_set(err, TSR_BAD_INPUT, "%s: the path is too long", path);
        path = inside;
    }
    enum tsr_status st = tsr_map_open(path, &map, err);
    if (st != TSR_OK)
        return st;
    size_t n = strlen(path);
    if (map.size >= 4 && memcmp(map.data, "GGUF", 4) == 0)
        st = tsr_tokenizer_read_gguf(path, map.data, map.size, vocab, out, err);
    else if (n >= 5 && strcmp(path + n - 5, ".json") == 0)
        st = tsr_tokenizer_read_json(path, map.data, map.size, vocab, out, err);
    else
        st = tsr_tokenizer_read_llama2c(path, map.data, map.size, vocab, out, err);
    tsr_map_close(&map);
    return st;
}
