/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files that read tokenizers, encode and decode. */
#ifndef SIM_WEIGHTS_TOKENIZER_PRIV_H
#define SIM_WEIGHTS_TOKENIZER_PRIV_H

#include "tessera/tokenizer.h"

enum {
    TSR_TOKENIZER_MAX_TEXT = 1 << 24,
    TSR_TOKENIZER_MAX_VOCAB = 1 << 22,
    TSR_TOKENIZER_MAX_ENDS = 8, /* published ones name up to 3 */
};

/* GGUF's tokenizer.ggml.token_type. */
enum tsr_token_kind {
    TSR_TOKEN_NORMAL = 1,
    TSR_TOKEN_UNKNOWN,
    TSR_TOKEN_CONTROL,
    TSR_TOKEN_USER,
    TSR_TOKEN_UNUSED,
    TSR_TOKEN_BYTE,
};

struct tsr_token {
    uint32_t name_at, name_length; /* as the file spells it, in `text` */
    uint32_t at, length;           /* the bytes that it stands for, in `text` */
    float score;                   /* SCORES: higher merges first */
    uint8_t kind;
};

/* Of two tokens, by their ids. */
struct tsr_merge {
    uint32_t left, right, joined, rank;
};

/* How text is cut into words before merging (pretoken.c). */
struct tsr_pretoken_rule;

struct tsr_tokenizer {
    struct tsr_tokenizer_info info;
    struct tsr_token *tokens; /* info.vocab of them */
    char *text;
    size_t text_used, text_room;
    uint32_t *by_text;        /* open addressing, ids + 1 */
    size_t by_text_mask;      /* places - 1 */
    struct tsr_merge *merges; /* open addressing, joined UINT32_MAX: free */
    size_t merges_mask;
    uint32_t ends[TSR_TOKENIZER_MAX_ENDS], n_ends; /* that end a text like eos */
    int32_t byte_id[256];                          /* tokens of single bytes, -1: none */
    const struct tsr_pretoken_rule *rule;          /* MERGES */
    bool whole_words; /* MERGES: a word that is a token is not merged */
    bool marks;       /* SCORES: U+2581 is a blank (not in llama2.c's files) */
    bool
        unit_first; /* SCORES: a character without a token of its own never merges (llama2.c, HF) */
    char *file;     /* for messages */
};

/* ---- building (tokenizer.c); all give TSR_INTERNAL out of memory */
/* n tokens, all empty. */
enum tsr_status tsr_tokenizer_new(const char *file, uint64_t n, struct tsr_tokenizer **out,
                                  struct tsr_error *err);
/* Token `id` as the file spells it. */
enum tsr_status tsr_tokenizer_set(struct tsr_tokenizer *t, uint32_t id, const char *name,
                                  size_t length, enum tsr_token_kind kind, float score,
                                  struct tsr_error *err);
/* After all tokens are set: what they stand for, the indices by text and by byte.
 * Errors: TSR_BAD_INPUT vocab above what there is. */
enum tsr_status tsr_tokenizer_index(struct tsr_tokenizer *t, uint32_t vocab, struct tsr_error *err);
/* Room for n merges. */
enum tsr_status tsr_tokenizer_room_for_merges(struct tsr_tokenizer *t, uint64_t n,
                                              struct tsr_error *err);
/* The next merge, of two tokens as the file spells them; the index is made.
 * Errors: TSR_BAD_INPUT one of the two, or both joined, is no token. */
enum tsr_status tsr_tokenizer_add_merge(struct tsr_tokenizer *t, const char *left, size_t n_left,
                                        const char *right, size_t n_right, struct tsr_error *err);

/* Another token that ends a text; one too many is passed over. */
void tsr_tokenizer_add_end(struct tsr_tokenizer *t, uint32_t id);

/* ---- looking up */
/* The token that stands for these bytes, -1: none. Control tokens and bytes are not found. */
int64_t tsr_tokenizer_find(const struct tsr_tokenizer *t, const char *bytes, size_t length);
const struct tsr_merge *tsr_tokenizer_find_merge(const struct tsr_tokenizer *t, uint32_t left,
                                                 uint32_t right);

/* ---- readers: the file is mapped */
enum tsr_status tsr_tokenizer_read_llama2c(const char *file, const uint8_t *data, uint64_t size,
                                           uint32_t vocab, struct tsr_tokenizer **out,
                                           struct tsr_error *err);
enum tsr_status tsr_tokenizer_read_gguf(const char *file, const uint8_t *data, uint64_t size,
                                        uint32_t vocab, struct tsr_tokenizer **out,
                                        struct tsr_error *err);
enum tsr_status tsr_tokenizer_read_json(const char *file, const uint8_t *data, uint64_t size,
                                        uint32_t vocab, struct tsr_tokenizer **out,
                                        struct tsr_error *err);

/* ---- words (pretoken.c) */
/* The rule by GGUF's tokenizer.ggml.pre, null: not known. */
const struct tsr_pretoken_rule *tsr_pretoken_by_name(const char *name);
/* The rule by HF's regular expression, null: not known. */
const struct tsr_pretoken_rule *tsr_pretoken_by_regex(const char *regex);
bool tsr_pretoken_whole_words(const struct tsr_pretoken_rule *rule);
/* Length in bytes of the first word of a text that is not empty. */
size_t tsr_pretoken_next(const struct tsr_pretoken_rule *rule, const char *text, size_t length);

/* ---- characters (unicode.c) */
enum tsr_char_class {
    TSR_CHAR_OTHER,
    TSR_CHAR_UPPER,
    TSR_CHAR_LOWER,
    TSR_CHAR_LETTER,
    TSR_CHAR_MARK,
    TSR_CHAR_NUMBER,
    TSR_CHAR_SPACE
};
enum tsr_char_class tsr_char_class(uint32_t c);
/* The next character of UTF-8, *length its bytes; a byte that begins none is one of its own, of
 * class OTHER (0xFFFD). length > 0. */
uint32_t tsr_utf8_next(const char *s, size_t length, size_t *used);
/* Writes c below 2^21 and returns the bytes. */
size_t tsr_utf8_put(uint32_t c, char out[4]);

#endif
