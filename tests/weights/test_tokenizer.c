/* SPDX-License-Identifier: Apache-2.0 */
/* Tokenizers against an obvious one in python, tokenizer_oracle.py: random vocabularies and texts;
 * text there and back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/weights/tokenizer_priv.h"
#include "tests/support/harness.h"
#include "tests/support/model_entries.h"

/* What vocabularies are made from, and most of the texts. */
static const char corpus[] =
    "Once upon a time, there was a little girl named Lily. She'd been told: \"Don't go, it's 1,234 "
    "steps!\"\n\nThey'll say I'M FINE; we've HelloWorld camelCase XMLHttpRequest snake_case "
    "2024-11-22 3.14159 100000000\r\n\ttabs  and   spaces    \n  lines \n\n\n end "
    "na\xC3\xAFve caf\xC3\xA9 \xC3\x89T\xC3\x89 Stra\xC3\x9F"
    "e \xD0\x9C\xD0\xBE\xD1\x81\xD0\xBA"
    "\xD0\xB2\xD0\xB0 \xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E\xE3\x83\x86\xE3\x82\xAD"
    " \xD9\xA1\xD9\xA2\xD9\xA3 \xE2\x82\xAC"
    "5 \xC2\xBD \xF0\x9F\x98\x80\xF0\x9F\x91\x8D "
    "e\xCC\x81 \xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA4\x82 \xC7\x85 \xCA\xB0 \xE2\x96\x81 <s> </s> "
    "http://a.b/c?d=e&f#g !!! ... ///\n/ ('s 'S 'Ll 'RE) \xC2\xA0\xE3\x80\x80\xC2\x85.";

/* A piece of the corpus, characters from anywhere, odd bytes. */
static size_t random_text(uint64_t *seed, char *out, size_t room)
{
    static const uint32_t planes[] = {0x80, 0x250, 0x800, 0x3000, 0x10000, 0x1F700, 0x110000};
    size_t n = 0, want = tsr_test_random_below(seed, room - 64);
    while (n < want) {
        size_t k, at = tsr_test_random_below(seed, sizeof corpus - 1);
        char c[4];
        switch (tsr_test_random_below(seed, 8)) {
        case 0: { /* any character */
            uint32_t p = planes[tsr_test_random_below(seed, 7)];
            uint32_t v = 9 + (uint32_t)tsr_test_random_below(seed, p - 9);
            k = v >= 0xD800 && v < 0xE000 ? 0 : tsr_utf8_put(v, c);
            memcpy(out + n, c, k);
            n += k;
            break;
        }
        case 1: /* any byte */
            out[n++] = (char)(1 + tsr_test_random_below(seed, 255));
            break;
        case 2: /* white space */
            out[n++] = " \n\r\t"[tsr_test_random_below(seed, 4)];
            break;
        default:
            k = 1 + tsr_test_random_below(seed, 40);
            k = k < sizeof corpus - 1 - at ? k : sizeof corpus - 1 - at;
            memcpy(out + n, corpus + at, k);
            n += k;
        }
    }
    return n;
}

/* ---- vocabularies ---- */

struct vocabulary {
    char *name[2048]; /* as bytes; control tokens as they are */
    uint8_t kind[2048];
    float score[2048];
    uint32_t n;
    uint32_t left[2048], right[2048], merges; /* of tokens */
};

static void add(struct vocabulary *v, const char *s, size_t n, enum tsr_token_kind kind,
                float score)
{
    assert_true(v->n < 2048);
    char *copy = calloc(1, n + 1);
    memcpy(copy, s, n);
    v->name[v->n] = copy;
    v->kind[v->n] = (uint8_t)kind;
    v->score[v->n++] = score;
}

static bool has(const struct vocabulary *v, const char *s)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (v->kind[i] == TSR_TOKEN_NORMAL && strcmp(v->name[i], s) == 0)
            return true;
    return false;
}

static void clear(struct vocabulary *v)
{
    for (uint32_t i = 0; i < v->n; i++)
        free(v->name[i]);
}

/* Characters of the corpus and pieces of it; of scores some are equal. */
static void make_pieces(struct vocabulary *v, uint64_t *seed)
{
    char s[64];
    *v = (struct vocabulary){0};
    add(v, "<unk>", 5, TSR_TOKEN_UNKNOWN, 0);
    add(v, "<s>", 3, TSR_TOKEN_CONTROL, 0);
    add(v, "</s>", 4, TSR_TOKEN_CONTROL, 0);
    for (int b = 0; b < 256; b++) {
        snprintf(s, sizeof s, "<0x%02X>", b);
        add(v, s, 6, TSR_TOKEN_BYTE, 0);
    }
    for (int i = 0; i < 900; i++) {
        size_t at = tsr_test_random_below(seed, sizeof corpus - 1), n, used;
        size_t chars = i < 400 ? 1 : 2 + tsr_test_random_below(seed, 5);
        while (at > 0 && ((uint8_t)corpus[at] & 0xC0) == 0x80)
            at--;
        for (n = 0; chars > 0 && at + n < sizeof corpus - 1; chars--, n += used)
            tsr_utf8_next(corpus + at + n, sizeof corpus - 1 - at - n, &used);
        memcpy(s, corpus + at, n);
        s[n] = '\0';
        if (!has(v, s))
            add(v, s, n, TSR_TOKEN_NORMAL, -(float)tsr_test_random_below(seed, 300));
    }
}

/* Bytes, and merges of neighbours in the corpus. */
static void make_merges(struct vocabulary *v, uint64_t *seed)
{
    static uint32_t ids[sizeof corpus];
    size_t n = sizeof corpus - 1;
    char s[128];
    *v = (struct vocabulary){0};
    for (int b = 0; b < 256; b++) {
        s[0] = (char)b;
        add(v, s, 1, TSR_TOKEN_NORMAL, 0);
    }
    for (size_t i = 0; i < n; i++)
        ids[i] = (uint8_t)corpus[i];
    for (int tries = 0; tries < 2000 && v->merges < 500 && n > 2; tries++) {
        size_t at = tsr_test_random_below(seed, n - 1), k = 0;
        uint32_t a = ids[at], b = ids[at + 1];
        if (a == 0 || b == 0)
            continue;
        int length = snprintf(s, sizeof s, "%s%s", v->name[a], v->name[b]);
        if (length > 24)
            continue;
        uint32_t joined = v->n;
        for (uint32_t i = 0; i < v->n; i++)
            if (strcmp(v->name[i], s) == 0)
                joined = i;
        if (joined == v->n)
            add(v, s, (size_t)length, TSR_TOKEN_NORMAL, 0);
        v->left[v->merges] = a;
        v->right[v->merges++] = b;
        for (size_t i = 0; i < n; i++, k++) {
            bool here = i + 1 < n && ids[i] == a && ids[i + 1] == b;
            ids[k] = here ? joined : ids[i];
            i += here;
        }
        n = k;
    }
    add(v, "<|begin|>", 9, TSR_TOKEN_CONTROL, 0);
}

/* ---- their files ---- */

static void string(struct tsr_test_bytes *b, const char *s, size_t n)
{
    tsr_test_append_u64(b, n);
    tsr_test_append(b, s, n);
}

static void key(struct tsr_test_bytes *b, const char *name, uint32_t kind)
{
    char full[64];
    int n = snprintf(full, sizeof full, "tokenizer.ggml.%s", name);
    string(b, full, (size_t)n);
    tsr_test_append_u32(b, kind);
}

static void array(struct tsr_test_bytes *b, const char *name, uint32_t kind, uint64_t n)
{
    key(b, name, 9);
    tsr_test_append_u32(b, kind);
    tsr_test_append_u64(b, n);
}

/* GPT-2's character of a byte: printable ones stand for themselves. */
static size_t spell(uint8_t byte, char *out)
{
    uint32_t c = 0x100;
    for (int b = 0; b < 256; b++) {
        bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        if (b == byte)
            return tsr_utf8_put(printable ? (uint32_t)b : c, out);
        c += !printable;
    }
    return 0;
}

/* Bytes as GPT-2 spells them (words), or blanks as U+2581. */
static size_t spelled(const char *s, size_t n, bool words, char *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (words) {
            k += spell((uint8_t)s[i], out + k);
        } else if (s[i] == ' ') {
            memcpy(out + k, "\xE2\x96\x81", 3);
            k += 3;
        } else {
            out[k++] = s[i];
        }
    }
    out[k] = '\0';
    return k;
}

static size_t name_of(const struct vocabulary *v, uint32_t id, bool words, char *out)
{
    size_t n = words && id < 256 ? 1 : strlen(v->name[id]);
    bool plain = v->kind[id] != TSR_TOKEN_NORMAL;
    if (!plain)
        return spelled(v->name[id], n, words, out);
    memcpy(out, v->name[id], n + 1);
    return n;
}

static void write_gguf(const struct vocabulary *v, const char *pre, const char *path)
{
    struct tsr_test_bytes b = {0};
    char s[256], joined[600];
    bool words = pre != NULL;
    tsr_test_append(&b, "GGUF", 4);
    tsr_test_append_u32(&b, 3);
    tsr_test_append_u64(&b, 0);
    tsr_test_append_u64(&b, words ? 7 : 4);
    key(&b, "model", 8);
    string(&b, words ? "gpt2" : "llama", words ? 4 : 5);
    array(&b, "tokens", 8, v->n);
    for (uint32_t i = 0; i < v->n; i++)
        string(&b, s, name_of(v, i, words, s));
    array(&b, "token_type", 5, v->n);
    for (uint32_t i = 0; i < v->n; i++)
        tsr_test_append_u32(&b, v->kind[i]);
    if (!words) {
        array(&b, "scores", 6, v->n);
        tsr_test_append(&b, v->score, 4 * v->n);
    } else {
        key(&b, "pre", 8);
        string(&b, pre, strlen(pre));
        key(&b, "bos_token_id", 4);
        tsr_test_append_u32(&b, v->n - 1);
        key(&b, "add_bos_token", 7);
        tsr_test_append(&b, strcmp(pre, "llama-bpe") == 0 ? "\1" : "", 1);
        array(&b, "merges", 8, v->merges);
        for (uint32_t i = 0; i < v->merges; i++) {
            size_t n = name_of(v, v->left[i], true, joined);
            joined[n++] = ' ';
            n += name_of(v, v->right[i], true, joined + n);
            string(&b, joined, n);
        }
    }
    tsr_test_write(path, b.data, b.n);
    free(b.data);
}

/* ---- comparison ---- */

enum {
    TEXTS = 40,
    TEXT_BYTES = 240
};

struct texts {
    char text[TEXTS][TEXT_BYTES];
    size_t n[TEXTS];
};

static void make_texts(struct texts *t, uint64_t *seed)
{
    struct tsr_test_bytes b = {0};
    for (int i = 0; i < TEXTS; i++) {
        t->n[i] = i == 0 ? 0 : random_text(seed, t->text[i], TEXT_BYTES);
        tsr_test_append_u32(&b, (uint32_t)t->n[i]);
        tsr_test_append(&b, t->text[i], t->n[i]);
    }
    tsr_test_write("texts", b.data, b.n);
    free(b.data);
}

static FILE *oracle(const char *arguments)
{
    char command[4096];
    snprintf(command, sizeof command, "python3 %s/tests/weights/tokenizer_oracle.py %s",
             tsr_test_source_dir(), arguments);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    return f;
}

/* The decoded text must be the one that was encoded (but for U+2581, which is a blank). */
static void check_back(const struct tsr_tokenizer *t, const uint32_t *ids, size_t n,
                       const char *text, size_t length)
{
    bool blanks = tsr_tokenizer_describe(t)->kind == TSR_TOKENIZER_SCORES;
    size_t at = 0, k;
    for (size_t i = 0; i < n; i++) {
        const char *s = tsr_tokenizer_bytes(t, i > 0 ? (int64_t)ids[i - 1] : -1, ids[i], &k);
        for (size_t c = 0; c < k; c++) {
            if (blanks && s[c] == ' ' && length - at >= 3 &&
                memcmp(text + at, "\xE2\x96\x81", 3) == 0) {
                at += 3;
                continue;
            }
            if (at >= length || s[c] != text[at])
                fail_msg("byte %zu is 0x%02x, token %u: %.*s", at, (uint8_t)s[c], ids[i],
                         (int)length, text);
            at++;
        }
    }
    assert_int_equal(at, length);
}

static void check_text(const struct tsr_tokenizer *t, const char *text, size_t length,
                       const char *line, int which)
{
    uint32_t *ids = NULL;
    size_t n = 0, i = 0;
    struct tsr_error err = {0};
    if (tsr_tokenizer_encode(t, text, length, &ids, &n, &err) != TSR_OK)
        fail_msg("text %d: %s", which, err.message);
    check_back(t, ids, n, text, length);
    for (char *end; *line != '\n' && *line != '\0'; line = end, i++) {
        unsigned long want = strtoul(line, &end, 10);
        if (i >= n || ids[i] != want)
            fail_msg("text %d, token %zu: %ld instead of %lu: %.*s", which, i,
                     i < n ? (long)ids[i] : -1L, want, (int)length, text);
        end += *end == ' ';
    }
    assert_int_equal(i, n);
    free(ids);
}

static void compare(const char *file, const struct texts *x)
{
    char command[2048];
    static char line[20 * TEXT_BYTES];
    struct tsr_tokenizer *t;
    struct tsr_error err = {0};
    snprintf(command, sizeof command, "encode %s texts", file);
    if (tsr_tokenizer_open(file, 0, &t, &err) != TSR_OK)
        fail_msg("%s", err.message);
    FILE *f = oracle(command);
    for (int i = 0; i < TEXTS; i++) {
        assert_non_null(fgets(line, sizeof line, f));
        check_text(t, x->text[i], x->n[i], line, i);
    }
    assert_int_equal(pclose(f), 0);
    tsr_tokenizer_close(t);
}

/* The same tokenizer as HF's file, of which both are read. */
static void compare_json(const char *gguf, const struct texts *x)
{
    char command[256];
    snprintf(command, sizeof command, "json %s tokenizer.json", gguf);
    assert_int_equal(pclose(oracle(command)), 0);
    compare("tokenizer.json", x);
}

static void test_tokenizer_scores_as_the_oracle(void **state)
{
    (void)state;
    static struct texts x;
    static struct vocabulary v;
    uint64_t seed = tsr_test_seed("scores", 30);
    for (int i = 0; i < (tsr_test_nightly() ? 40 : 3); i++) {
        make_texts(&x, &seed);
        make_pieces(&v, &seed);
        write_gguf(&v, NULL, "scores.gguf");
        compare("scores.gguf", &x);
        compare_json("scores.gguf", &x);
        clear(&v);
    }
}

static void test_tokenizer_merges_as_the_oracle(void **state)
{
    (void)state;
    static const char *const rules[] = {"gpt-2", "llama-bpe", "qwen2", "gpt-4o"};
    static struct texts x;
    static struct vocabulary v;
    uint64_t seed = tsr_test_seed("merges", 31);
    for (int i = 0; i < (tsr_test_nightly() ? 80 : 4); i++) {
        make_texts(&x, &seed);
        make_merges(&v, &seed);
        write_gguf(&v, rules[i % 4], "merges.gguf");
        compare("merges.gguf", &x);
        compare_json("merges.gguf", &x);
        clear(&v);
    }
}

static void test_tokenizer_stories260k_as_the_oracle(void **state)
{
    (void)state;
    static struct texts x;
    uint64_t seed = tsr_test_seed("stories260k", 32);
    const char *path = tsr_test_data("stories260k/tok512.bin");
    char tokenizer[4096], *text;
    if (path == NULL)
        return;
    snprintf(tokenizer, sizeof tokenizer, "%s", path);
    make_texts(&x, &seed);
    compare(tokenizer, &x);
    size_t n, count;
    uint32_t *ids;
    struct tsr_tokenizer *t;
    struct tsr_error err = {0};
    text = tsr_test_read(tsr_test_data("stories260k/tinystories_valid_sample.txt"), &n);
    assert_int_equal(tsr_tokenizer_open(tokenizer, 512, &t, &err), TSR_OK);
    assert_int_equal(tsr_tokenizer_encode(t, text, n, &ids, &count, &err), TSR_OK);
    assert_int_equal(count, 171); /* as llama2.c counts */
    check_back(t, ids, count, text, n);
    tsr_tokenizer_close(t);
    assert_int_equal(tsr_tokenizer_open(tokenizer, 513, &t, &err), TSR_BAD_INPUT);
    free(ids);
    free(text);
}

/* Every character. Where python knows a later Unicode, it may have more of them. */
static void test_tokenizer_classes_of_every_character(void **state)
{
    (void)state;
    FILE *f = oracle("classes");
    unsigned first, kind, next, next_kind, wrong = 0;
    assert_int_equal(fscanf(f, "%u %u", &first, &kind), 2);
    for (bool more = true; more; first = next, kind = next_kind) {
        more = fscanf(f, "%u %u", &next, &next_kind) == 2;
        for (uint32_t c = first; c < (more ? next : 0x110000); c++) {
            enum tsr_char_class got = tsr_char_class(c);
            if (got != kind && got != TSR_CHAR_OTHER)
                fail_msg("U+%04X: class %d instead of %u", c, (int)got, kind);
            wrong += got != kind;
        }
    }
    assert_int_equal(pclose(f), 0);
    printf("%u characters later than Unicode 14\n", wrong);
    assert_in_range(wrong, 0, 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokenizer_scores_as_the_oracle),
        cmocka_unit_test(test_tokenizer_merges_as_the_oracle),
        cmocka_unit_test(test_tokenizer_stories260k_as_the_oracle),
        cmocka_unit_test(test_tokenizer_classes_of_every_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
