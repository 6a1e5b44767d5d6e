/* SPDX-License-Identifier: Apache-2.0 */
/* How byte-level BPE cuts a text into words, within which alone it merges. The regular expressions
 * of the published tokenizers are alternatives of the same few kinds; a rule says which. In the
 * comments L, N, M are letters, numbers, marks; s is white space. */
#include <string.h>

#include "sim/weights/tokenizer_priv.h"

enum word {
    WORD_BLANK,  /* " ?L+" */
    WORD_PREFIX, /* "[^\r\nLN]?L+" */
    WORD_CASED,  /* "[^\r\nLN]?[upper M]*[lower M]+(?i:'s...)?" or "...[upper M]+[lower M]*..." */
};

struct tsr_pretoken_rule {
    const char *names[6]; /* tokenizer.ggml.pre, ended by null */
    const char *regex;    /* HF's */
    enum word word;
    bool any_case;    /* contractions: "(?i:'s|'t|'re|'ve|'m|'ll|'d)", else in lower case only */
    unsigned digits;  /* "N{1,digits}"; 0: " ?N+" */
    const char *tail; /* "[tail]*" behind " ?[^sLN]+" */
    bool lines;       /* "s*[\r\n]+" before the rest of white space */
    bool whole_words; /* a word that is a token is not merged */
};

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define O200K_U "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define O200K_L "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"

/* Sources: the tokenizer.json of GPT-2, Llama 3, Qwen 2 and gpt-oss. */
static const struct tsr_pretoken_rule rules[] = {
    {.names = {"default", "gpt-2"},
     .regex = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
     .word = WORD_BLANK,
     .tail = ""},
    {.names = {"llama-bpe", "llama3", "llama-v3"},
     .regex =
         CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                      "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     .word = WORD_PREFIX,
     .any_case = true,
     .digits = 3,
     .tail = "\r\n",
     .lines = true,
     .whole_words = true},
    {.names = {"qwen2"},
     .regex = CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                           "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     .word = WORD_PREFIX,
     .any_case = true,
     .digits = 1,
     .tail = "\r\n",
     .lines = true},
    {.names = {"gpt-4o"},
     .regex = "[^\\r\\n\\p{L}\\p{N}]?" O200K_U "*" O200K_L "+" CONTRACTIONS
              "?|[^\\r\\n\\p{L}\\p{N}]?" O200K_U "+" O200K_L "*" CONTRACTIONS
              "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     .word = WORD_CASED,
     .any_case = true,
     .digits = 3,
     .tail = "\r\n/",
     .lines = true},
};

const struct tsr_pretoken_rule *tsr_pretoken_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        for (size_t k = 0; rules[i].names[k] != NULL; k++)
            if (strcmp(rules[i].names[k], name) == 0)
                return &rules[i];
    return NULL;
}

const struct tsr_pretoken_rule *tsr_pretoken_by_regex(const char *regex)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rules[i].regex, regex) == 0)
            return &rules[i];
    return NULL;
}

bool tsr_pretoken_whole_words(const struct tsr_pretoken_rule *rule)
{
    return rule->whole_words;
}

struct text {
    const char *s;
    size_t n;
};

/* The character at byte i; its class END behind the text. */
struct at {
    uint32_t c;
    int kind; /* enum tsr_char_class */
    size_t next;
};

enum {
    END = -1
};

static struct at look(struct text t, size_t i)
{
    struct at a = {.kind = END, .next = i};
    if (i >= t.n)
        return a;
    size_t used;
    a.c = tsr_utf8_next(t.s + i, t.n - i, &used);
    /* A byte that begins no character is neither letter nor space. */
    a.kind = a.c == 0xFFFD && used == 1 ? TSR_CHAR_OTHER : (int)tsr_char_class(a.c);
    a.next = i + used;
    return a;
}

static bool is_letter(struct at a)
{
    return a.kind == TSR_CHAR_UPPER || a.kind == TSR_CHAR_LOWER || a.kind == TSR_CHAR_LETTER;
}

static bool is_line(struct at a)
{
    return a.kind != END && (a.c == '\r' || a.c == '\n');
}

/* Neither white space, letter nor number. */
static bool is_rest(struct at a)
{
    return a.kind == TSR_CHAR_OTHER || a.kind == TSR_CHAR_MARK;
}

/* "[upper M]" and "[lower M]" both hold letters without case and marks. */
static bool is_upper(struct at a)
{
    return a.kind == TSR_CHAR_UPPER || a.kind == TSR_CHAR_LETTER || a.kind == TSR_CHAR_MARK;
}

static bool is_lower(struct at a)
{
    return a.kind == TSR_CHAR_LOWER || a.kind == TSR_CHAR_LETTER || a.kind == TSR_CHAR_MARK;
}

static size_t run(struct text t, size_t i, bool (*in)(struct at))
{
    for (struct at a = look(t, i); in(a); a = look(t, i))
        i = a.next;
    return i;
}

/* "'s|'t|'re|'ve|'m|'ll|'d" at i: where it ends, or i. */
static size_t contraction(struct text t, size_t i, bool any_case)
{
    static const char *const all[] = {"s", "t", "re", "ve", "m", "ll", "d"};
    if (i >= t.n || t.s[i] != '\'')
        return i;
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        size_t n = strlen(all[k]), same = 0;
        while (same < n && i + 1 + same < t.n) {
            char c = t.s[i + 1 + same];
            if (any_case && c >= 'A' && c <= 'Z')
                c = (char)(c + 'a' - 'A');
            if (c != all[k][same])
                break;
            same++;
        }
        if (same == n)
            return i + 1 + n;
    }
    return i;
}

/* "[upper M]*[lower M]+", backing off; i where it does not match. */
static size_t upper_then_lower(struct text t, size_t i)
{
    size_t end = run(t, i, is_upper);
    if (is_lower(look(t, end)))
        return run(t, end, is_lower);
    size_t best = i;
    for (size_t p = i; p < end; p = look(t, p).next)
        if (is_lower(look(t, p))) /* the last such place wins: fewest are given back */
            best = p;
    return is_lower(look(t, best)) && end > i ? run(t, best, is_lower) : i;
}

static size_t upper_then_any(struct text t, size_t i)
{
    size_t end = run(t, i, is_upper);
    return end > i ? run(t, end, is_lower) : i;
}

static size_t cased(struct text t, size_t i, size_t (*body)(struct text, size_t))
{
    struct at a = look(t, i);
    bool prefix = a.kind != END && !is_line(a) && !is_letter(a) && a.kind != TSR_CHAR_NUMBER;
    size_t end = prefix ? body(t, a.next) : i;
    if (prefix && end > a.next)
        return contraction(t, end, true);
    end = body(t, i);
    return end > i ? contraction(t, end, true) : i;
}

static size_t word(const struct tsr_pretoken_rule *rule, struct text t)
{
    struct at a = look(t, 0);
    if (rule->word == WORD_CASED) {
        size_t end = cased(t, 0, upper_then_lower);
        return end > 0 ? end : cased(t, 0, upper_then_any);
    }
    bool prefix = rule->word == WORD_BLANK
                      ? a.c == ' '
                      : !is_line(a) && !is_letter(a) && a.kind != TSR_CHAR_NUMBER;
    size_t from = prefix ? a.next : 0;
    size_t end = run(t, from, is_letter);
    return end > from ? end : 0;
}

static bool is_number(struct at a)
{
    return a.kind == TSR_CHAR_NUMBER;
}

static size_t number(const struct tsr_pretoken_rule *rule, struct text t)
{
    if (rule->digits == 0) {
        size_t from = t.s[0] == ' ' ? 1 : 0;
        size_t end = run(t, from, is_number);
        return end > from ? end : 0;
    }
    size_t end = 0;
    for (unsigned k = 0; k < rule->digits && is_number(look(t, end)); k++)
        end = look(t, end).next;
    return end;
}

static size_t punctuation(const struct tsr_pretoken_rule *rule, struct text t)
{
    size_t from = t.s[0] == ' ' ? 1 : 0;
    size_t end = run(t, from, is_rest);
    if (end == from)
        return 0;
    while (end < t.n && t.s[end] != '\0' && strchr(rule->tail, t.s[end]) != NULL)
        end++;
    return end;
}

static bool is_space(struct at a)
{
    return a.kind == TSR_CHAR_SPACE;
}

/* "s*[\r\n]+|s+(?!\S)|s+" */
static size_t space(const struct tsr_pretoken_rule *rule, struct text t)
{
    size_t end = run(t, 0, is_space), last = 0, line = 0;
    for (size_t i = 0; i < end;) {
        struct at a = look(t, i);
        last = i;
        i = a.next;
        if (is_line(a))
            line = i;
    }
    if (rule->lines && line > 0)
        return line;
    return end < t.n && last > 0 ? last : end; /* the last one goes with the word behind it */
}

size_t tsr_pretoken_next(const struct tsr_pretoken_rule *rule, const char *text, size_t length)
{
    struct text t = {text, length};
    size_t n = rule->word == WORD_CASED ? 0 : contraction(t, 0, rule->any_case);
    if (n == 0)
        n = word(rule, t);
    if (n == 0)
        n = number(rule, t);
    if (n == 0)
        n = punctuation(rule, t);
    if (n == 0)
        n = space(rule, t);
    return n > 0 ? n : look(t, 0).next;
}
