/* SPDX-License-Identifier: Apache-2.0 */
/* Text to tokens. Both kinds merge neighbours greedily, the best pair first, of equals the
 * leftmost: a heap over the pairs of a linked list, O(n log n). */
#include <stdlib.h>
#include <string.h>

#include "sim/weights/tokenizer_priv.h"

enum {
    NONE = -1
};

/* A stretch of text that became one piece. Length 0: taken up by its left neighbour. */
struct piece {
    uint32_t at, length;
    int32_t previous, next; /* indices; NONE at the ends */
    int32_t id;             /* NONE: no token */
    bool fixed;             /* never merges */
};

/* A possible merge of a piece with the one on its right, as they were. */
struct pair {
    double key; /* least first */
    int32_t left, right, id;
    uint32_t length; /* of both: it tells when one of them has grown since */
};

struct work {
    const struct tsr_tokenizer *t;
    const char *text;
    struct piece *pieces;
    struct pair *heap;
    size_t n_pieces, n_heap;
    uint32_t *ids;
    size_t n_ids;
    struct tsr_error *err;
};

static bool before(const struct pair *a, const struct pair *b)
{
    return a->key < b->key || (a->key == b->key && a->left < b->left);
}

static void push(struct work *w, struct pair p)
{
    size_t i = w->n_heap++;
    for (; i > 0 && before(&p, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = p;
}

static struct pair pop(struct work *w)
{
    struct pair top = w->heap[0], last = w->heap[--w->n_heap];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < w->n_heap && before(&w->heap[child + 1], &w->heap[child]))
            child++;
        if (child >= w->n_heap || !before(&w->heap[child], &last))
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return top;
}

/* Offers the merge of a piece with its right neighbour, where there is one. */
static void offer(struct work *w, int32_t left)
{
    const struct tsr_tokenizer *t = w->t;
    if (left == NONE || w->pieces[left].next == NONE)
        return;
    const struct piece *a = &w->pieces[left], *b = &w->pieces[a->next];
    struct pair p = {.left = left, .right = a->next, .length = a->length + b->length};
    if (a->fixed || b->fixed)
        return;
    if (t->info.kind == TSR_TOKENIZER_MERGES) {
        const struct tsr_merge *m =
            a->id < 0 || b->id < 0 ? NULL
                                   : tsr_tokenizer_find_merge(t, (uint32_t)a->id, (uint32_t)b->id);
        if (m == NULL)
            return;
        p.id = (int32_t)m->joined;
        p.key = m->rank;
    } else {
        p.id = (int32_t)tsr_tokenizer_find(t, w->text + a->at, p.length);
        if (p.id < 0)
            return;
        p.key = -(double)t->tokens[p.id].score;
    }
    push(w, p);
}

static void merge_all(struct work *w)
{
    for (size_t i = 0; i < w->n_pieces; i++)
        offer(w, (int32_t)i);
    while (w->n_heap > 0) {
        struct pair p = pop(w);
        struct piece *a = &w->pieces[p.left], *b = &w->pieces[p.right];
        if (a->length == 0 || b->length == 0 || a->next != p.right ||
            a->length + b->length != p.length)
            continue; /* out of date */
        a->length = p.length;
        a->id = p.id;
        a->next = b->next;
        b->length = 0;
        if (a->next != NONE)
            w->pieces[a->next].previous = p.left;
        offer(w, a->previous);
        offer(w, p.left);
    }
}

/* A piece that is no token becomes tokens of its bytes, or the unknown token. */
static enum tsr_status spell_bytes(struct work *w, const struct piece *p)
{
    const struct tsr_tokenizer *t = w->t;
    for (uint32_t i = 0; i < p->length; i++) {
        int32_t id = t->byte_id[(uint8_t)w->text[p->at + i]];
        if (id >= 0) {
            w->ids[w->n_ids++] = (uint32_t)id;
        } else if (t->info.unknown >= 0) {
            w->ids[w->n_ids++] = (uint32_t)t->info.unknown;
            return TSR_OK; /* one for the whole piece */
        } else {
            return tsr_error_set(w->err, TSR_BAD_INPUT,
                                 "%s: encode: the vocabulary has no token for byte 0x%02x, and no "
                                 "unknown token",
                                 t->file, (uint8_t)w->text[p->at + i]);
        }
    }
    return TSR_OK;
}

static enum tsr_status emit(struct work *w)
{
    for (int32_t i = 0; i != NONE; i = w->pieces[i].next) {
        const struct piece *p = &w->pieces[i];
        if (p->id >= 0) {
            w->ids[w->n_ids++] = (uint32_t)p->id;
            continue;
        }
        enum tsr_status st = spell_bytes(w, p);
        if (st != TSR_OK)
            return st;
    }
    return TSR_OK;
}

static void add_piece(struct work *w, size_t at, size_t length, int64_t id, bool fixed)
{
    int32_t i = (int32_t)w->n_pieces++;
    w->pieces[i] = (struct piece){.at = (uint32_t)at,
                                  .length = (uint32_t)length,
                                  .previous = i - 1,
                                  .next = NONE,
                                  .id = (int32_t)id,
                                  .fixed = fixed};
    if (i > 0)
        w->pieces[i - 1].next = i;
}

/* A character and what follows of it, at most 4 bytes, also where it is no UTF-8: the units of
 * llama2.c's and ggml's encoders. */
static size_t unit(const char *s, size_t n)
{
    size_t k = 1;
    while (k < n && k < 4 && ((uint8_t)s[k] & 0xC0) == 0x80)
        k++;
    return k;
}

static enum tsr_status encode_scores(struct work *w, size_t n)
{
    w->n_pieces = w->n_heap = 0;
    for (size_t i = 0, k; i < n; i += k) {
        k = unit(w->text + i, n - i);
        int64_t id = tsr_tokenizer_find(w->t, w->text + i, k);
        add_piece(w, i, k, id, id < 0 && w->t->unit_first);
    }
    merge_all(w);
    return emit(w);
}

static enum tsr_status encode_word(struct work *w, size_t at, size_t n)
{
    int64_t whole = w->t->whole_words ? tsr_tokenizer_find(w->t, w->text + at, n) : NONE;
    w->n_pieces = w->n_heap = 0;
    if (whole >= 0)
        add_piece(w, at, n, whole, true);
    else
        for (size_t i = at; i < at + n; i++)
            add_piece(w, i, 1, w->t->byte_id[(uint8_t)w->text[i]], false);
    merge_all(w);
    return emit(w);
}

static enum tsr_status encode_words(struct work *w, size_t n)
{
    enum tsr_status st = TSR_OK;
    for (size_t at = 0, k; st == TSR_OK && at < n; at += k) {
        k = tsr_pretoken_next(w->t->rule, w->text + at, n - at);
        st = encode_word(w, at, k);
    }
    return st;
}

/* The text with its blank in front and U+2581 as the blank that it stands for. */
static size_t prepare(const struct tsr_tokenizer *t, const char *text, size_t n, char *out)
{
    size_t k = 0;
    if (t->info.space_prefix)
        out[k++] = ' ';
    if (!t->marks) {
        memcpy(out + k, text, n);
        return k + n;
    }
    for (size_t i = 0; i < n; k++) {
        bool blank = n - i >= 3 && memcmp(text + i, "\xE2\x96\x81", 3) == 0;
        out[k] = blank ? ' ' : text[i];
        i += blank ? 3 : 1;
    }
    return k;
}

static enum tsr_status encode_all(struct work *w, const char *text, size_t length)
{
    const struct tsr_tokenizer *t = w->t;
    enum tsr_status st = TSR_OK;
    /* A piece per byte at most; every merge takes a piece away and offers two pairs. */
    size_t n = length + 1;
    char *copy = malloc(n);
    w->pieces = malloc(n * sizeof *w->pieces);
    w->heap = malloc(3 * n * sizeof *w->heap);
    w->ids = malloc((n + 2) * sizeof *w->ids);
    if (copy == NULL || w->pieces == NULL || w->heap == NULL || w->ids == NULL) {
        st = tsr_error_set(w->err, TSR_INTERNAL, "%s: out of memory", t->file);
    } else {
        w->text = copy;
        if (t->info.add_bos)
            w->ids[w->n_ids++] = (uint32_t)t->info.bos;
        size_t k = length > 0 ? prepare(t, text, length, copy) : 0;
        if (k > 0)
            st = t->info.kind == TSR_TOKENIZER_MERGES ? encode_words(w, k) : encode_scores(w, k);
        if (st == TSR_OK && t->info.add_eos)
            w->ids[w->n_ids++] = (uint32_t)t->info.eos;
    }
    free(copy);
    free(w->pieces);
    free(w->heap);
    return st;
}

enum tsr_status tsr_tokenizer_encode(const struct tsr_tokenizer *t, const char *text, size_t length,
                                     uint32_t **ids, size_t *count, struct tsr_error *err)
{
    struct work w = {.t = t, .err = err};
    if (length > TSR_TOKENIZER_MAX_TEXT)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: encode: %zu bytes of text, at most %d are "
                             "allowed",
                             t->file, length, TSR_TOKENIZER_MAX_TEXT);
    enum tsr_status st = encode_all(&w, text, length);
    if (st != TSR_OK || w.n_ids == 0) {
        free(w.ids);
        w.ids = NULL;
    }
    if (st == TSR_OK) {
        *ids = w.ids;
        *count = w.n_ids;
    }
    return st;
}
