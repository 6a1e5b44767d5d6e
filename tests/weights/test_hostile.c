/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile files of weights and tokenizers: truncated anywhere, and damaged by a generator that
 * knows where the formats have their numbers. An error that names the file, or something valid;
 * never a crash, a hang, a huge allocation. labels: badinput */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/support/harness.h"
#include "tests/support/hostile.h"
#include "tests/support/model_entries.h"
#include "tests/support/model_files.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* A valid file and what of it are numbers. */
struct base {
    const char *path;
    enum tsr_weights_container kind;
    bool tokenizer; /* llama2.c's tokenizer file */
    uint8_t *bytes;
    size_t n, head; /* head: what comes before the values */
    struct hostile_field *fields;
    size_t n_fields;
};

enum {
    BASES = 9,
    LEAST = 600 * BASES, /* inputs, however busy the machine is */
};

static void put_text(struct tsr_test_bytes *b, const char *s)
{
    tsr_test_append_u64(b, strlen(s));
    tsr_test_append(b, s, strlen(s));
}

static const char byte_level[] =
    "{\"added_tokens\":[{\"id\":9,\"content\":\"<s>\",\"special\":true},"
    "{\"id\":10,\"content\":\"<u>\",\"special\":false}],\"normalizer\":{\"type\":\"NFC\"},"
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"post_processor\":"
    "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}},"
    "{\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[9]}}},"
    "\"model\":{\"type\":\"BPE\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"t\":2,"
    "\"h\":3,\"e\":4,\"th\":5,\"the\":6,\"\u0120\":7,\"\u0120the\":8},"
    "\"merges\":[\"t h\",\"th e\",[\"\u0120\",\"the\"]]}}";
static const char fallback[] =
    "{\"added_tokens\":[{\"id\":0,\"content\":\"<unk>\",\"special\":true}],\"normalizer\":"
    "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\"},{\"type\":\"Replace\"}]},"
    "\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":"
    "{\"<unk>\":0,\"<0x20>\":1,\"t\":2,\"h\":3,\"e\":4,\"th\":5,\"the\":6,\"\u2581\":7,"
    "\"\u2581the\":8},\"merges\":[\"t h\",\"th e\",\"\u2581 the\"]}}";

/* A GGUF file of a byte-level tokenizer alone. */
static void write_merges(const char *path)
{
    static const char *const tokens[] = {"a", "t", "h", "e", "th", "the", "?", "<s>"};
    struct tsr_test_bytes b = {0};
    tsr_test_append(&b, "GGUF", 4);
    tsr_test_append_u32(&b, 3);
    tsr_test_append_u64(&b, 0);
    tsr_test_append_u64(&b, 6);
    put_text(&b, "tokenizer.ggml.model");
    tsr_test_append_u32(&b, 8);
    put_text(&b, "gpt2");
    put_text(&b, "tokenizer.ggml.pre");
    tsr_test_append_u32(&b, 8);
    put_text(&b, "llama-bpe");
    put_text(&b, "tokenizer.ggml.unknown_token_id");
    tsr_test_append_u32(&b, 4);
    tsr_test_append_u32(&b, 6);
    put_text(&b, "tokenizer.ggml.bos_token_id");
    tsr_test_append_u32(&b, 10);
    tsr_test_append_u64(&b, 7);
    put_text(&b, "tokenizer.ggml.tokens");
    tsr_test_append_u32(&b, 9);
    tsr_test_append_u32(&b, 8);
    tsr_test_append_u64(&b, 8);
    for (int i = 0; i < 8; i++)
        put_text(&b, tokens[i]);
    put_text(&b, "tokenizer.ggml.merges");
    tsr_test_append_u32(&b, 9);
    tsr_test_append_u32(&b, 8);
    tsr_test_append_u64(&b, 2);
    put_text(&b, "t h");
    put_text(&b, "th e");
    tsr_test_write(path, b.data, b.n);
    free(b.data);
}

/* As little as the family allows: most of a file's time goes into its vocabulary. */
static struct tsr_test_weights small(enum tsr_arch arch)
{
    struct tsr_test_weights w = {.seed = 3, .matrices = TSR_Q8_0};
    tsr_test_model(arch, false, &w.model);
    w.model.layers = 2;
    w.model.vocab = 261;
    w.model.hidden = w.model.ffn = 32;
    w.model.heads = 2;
    w.model.kv_heads = 1;
    w.model.head_dim = 16;
    if (w.model.experts > 0) {
        w.model.expert_ffn = 32;
        w.model.experts = 3;
    }
    memset(w.model.layer_kind + 2, 0, sizeof w.model.layer_kind - 2);
    return w;
}

static void load(struct base *b, const char *file)
{
    b->bytes = (uint8_t *)tsr_test_read(file, &b->n);
    if (b->kind == TSR_WEIGHTS_GGUF) {
        b->fields = hostile_gguf_fields(b->bytes, &b->n_fields, &b->head);
    } else if (b->tokenizer && b->kind == TSR_WEIGHTS_LLAMA2C) {
        b->fields = hostile_tokenizer_fields(b->bytes, b->n, &b->n_fields);
        b->head = b->n;
    } else if (b->kind == TSR_WEIGHTS_LLAMA2C) {
        b->head = 28;
        b->n_fields = 7;
        b->fields = calloc(7, sizeof *b->fields);
        for (size_t i = 0; i < 7; i++)
            b->fields[i] = (struct hostile_field){4 * i, 4};
    } else {
        b->head = b->n;
        if (!b->tokenizer)
            b->head = 8 + (size_t)b->bytes[0] + 256u * b->bytes[1] + 65536u * b->bytes[2];
        b->n_fields = 1; /* the others are text */
        b->fields = calloc(1, sizeof *b->fields);
        b->fields[0] = (struct hostile_field){0, 8};
    }
}

static int setup(void **state)
{
    static struct base bases[BASES] = {
        {.path = "a.gguf", .kind = TSR_WEIGHTS_GGUF},
        {.path = "b.gguf", .kind = TSR_WEIGHTS_GGUF},
        {.path = "fuzz/model.safetensors", .kind = TSR_WEIGHTS_SAFETENSORS},
        {.path = "c.bin", .kind = TSR_WEIGHTS_LLAMA2C},
        {.path = "c.bin.tok", .kind = TSR_WEIGHTS_LLAMA2C, .tokenizer = true},
        {.path = "fuzz2/model.safetensors", .kind = TSR_WEIGHTS_SAFETENSORS},
        {.path = "merges.gguf", .kind = TSR_WEIGHTS_GGUF, .tokenizer = true},
        {.path = "byte_level.json", .kind = TSR_WEIGHTS_SAFETENSORS, .tokenizer = true},
        {.path = "fallback.json", .kind = TSR_WEIGHTS_SAFETENSORS, .tokenizer = true},
    };
    static const enum tsr_arch archs[BASES] = {TSR_ARCH_LLAMA, TSR_ARCH_GPT_OSS, TSR_ARCH_QWEN3,
                                               TSR_ARCH_LLAMA, TSR_ARCH_LLAMA,   TSR_ARCH_GPT_OSS};
    write_merges("merges.gguf");
    tsr_test_write("byte_level.json", byte_level, sizeof byte_level - 1);
    tsr_test_write("fallback.json", fallback, sizeof fallback - 1);
    for (int i = 0; i < BASES; i++) {
        struct tsr_test_weights w = small(archs[i]);
        char folder[64];
        w.container = bases[i].kind;
        if (w.container == TSR_WEIGHTS_SAFETENSORS && !bases[i].tokenizer) {
            w.matrices = TSR_F16;
            snprintf(folder, sizeof folder, "%.*s", (int)strcspn(bases[i].path, "/"),
                     bases[i].path);
            tsr_test_weights_write(&w, folder);
        } else if (!bases[i].tokenizer) {
            w.model.tied = i == 3;
            tsr_test_weights_write(&w, bases[i].path);
        }
        load(&bases[i], bases[i].path);
    }
    *state = bases;
    return 0;
}

static int teardown(void **state)
{
    struct base *b = *state;
    for (int i = 0; i < BASES; i++) {
        free(b[i].bytes);
        free(b[i].fields);
    }
    return 0;
}

static enum hostile_outcome try(const struct base *b, const uint8_t *bytes, size_t n,
                                char message[1024])
{
    if (b->tokenizer)
        return hostile_tokenizer(b->path, bytes, n, message);
    enum hostile_outcome o = hostile_weights(b->kind, b->path, bytes, n, message);
    if (b->kind == TSR_WEIGHTS_GGUF && n >= 4) {
        enum hostile_outcome t = hostile_tokenizer(b->path, bytes, n, message);
        o = t < o ? t : o;
    }
    return o;
}

static void test_hostile_files_are_whole_before(void **state)
{
    const struct base *b = *state;
    char message[1024];
    for (int i = 0; i < BASES; i++)
        if (try(&b[i], b[i].bytes, b[i].n, message) != HOSTILE_WHOLE)
            fail_msg("%s: %s", b[i].path, message);
}

/* The first and last bytes one by one, what lies between in steps. A tokenizer of llama2.c may end
 * after any token. */
static void test_hostile_truncated_anywhere_is_refused(void **state)
{
    const struct base *b = *state;
    char message[1024];
    for (int i = 0; i < BASES; i++) {
        size_t step = b[i].n / (SANITIZED && !tsr_test_nightly() ? 400 : 1500) + 1;
        for (size_t n = 0; n < b[i].n; n += n < 300 || n + 300 > b[i].n ? 1 : step) {
            enum hostile_outcome o = try(&b[i], b[i].bytes, n, message);
            if (o != HOSTILE_REFUSED && !b[i].tokenizer)
                fail_msg("%s cut after %zu of %zu bytes is taken", b[i].path, n, b[i].n);
        }
    }
}

/* ---- the generator ---- */

static uint64_t odd_number(uint64_t was, uint64_t *seed)
{
    static const uint64_t odd[] = {0,
                                   1,
                                   2,
                                   3,
                                   4,
                                   5,
                                   8,
                                   9,
                                   10,
                                   12,
                                   13,
                                   31,
                                   32,
                                   33,
                                   39,
                                   64,
                                   255,
                                   256,
                                   65535,
                                   65536,
                                   1u << 20,
                                   0x7fffffff,
                                   0x80000000,
                                   0xffffffff,
                                   0x100000000,
                                   0x7fffffffffffffff,
                                   0x8000000000000000,
                                   0xfffffffffffffff8,
                                   0xffffffffffffffff,
                                   0x5555555555555556};
    uint64_t r = tsr_test_random(seed);
    switch (tsr_test_random_below(seed, 6)) {
    case 0:
        return was + 1 + r % 4;
    case 1:
        return was - 1 - r % 4;
    case 2:
        return r % 2 ? was * 2 : was / 2;
    case 3:
        return r >> r % 64;
    default:
        return odd[r % (sizeof odd / sizeof *odd)];
    }
}

static void put(uint8_t *at, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

static void damage_field(const struct base *b, uint8_t *bytes, size_t n, uint64_t *seed)
{
    const struct hostile_field *f = &b->fields[tsr_test_random_below(seed, b->n_fields)];
    uint64_t was = 0;
    if (f->at + f->bytes > n)
        return;
    for (size_t i = 0; i < f->bytes; i++)
        was |= (uint64_t)bytes[f->at + i] << 8 * i;
    if (tsr_test_random_below(seed, 4) == 0) { /* another field's value */
        const struct hostile_field *g = &b->fields[tsr_test_random_below(seed, b->n_fields)];
        memmove(bytes + f->at, b->bytes + g->at, f->bytes < g->bytes ? f->bytes : g->bytes);
        return;
    }
    put(bytes + f->at, odd_number(was, seed), f->bytes);
}

/* A number of JSON's text becomes another of as many characters. */
static void damage_digits(uint8_t *bytes, size_t head, uint64_t *seed)
{
    static const char *const odd[] = {"0",
                                      "1",
                                      "-1",
                                      "99999999",
                                      "1e9",
                                      "0.5",
                                      "\"\"",
                                      "null",
                                      "[]",
                                      "{}",
                                      "9223372036854775807",
                                      "4294967296"};
    size_t at = tsr_test_random_below(seed, head);
    while (at < head && (bytes[at] < '0' || bytes[at] > '9'))
        at++;
    size_t end = at;
    while (end < head && bytes[end] >= '0' && bytes[end] <= '9')
        end++;
    if (tsr_test_random_below(seed, 2) == 0) {
        for (size_t i = at; i < end; i++)
            bytes[i] = (uint8_t)('0' + tsr_test_random_below(seed, 10));
        return;
    }
    const char *s = odd[tsr_test_random_below(seed, sizeof odd / sizeof *odd)];
    for (size_t i = at; i < end; i++)
        bytes[i] = *s != '\0' ? (uint8_t)*s++ : ' ';
}

static void damage(const struct base *b, uint8_t *bytes, size_t *n, uint64_t *seed)
{
    size_t head = b->head < *n ? b->head : *n;
    if (head == 0)
        return;
    size_t at = tsr_test_random_below(seed, head), from = tsr_test_random_below(seed, head);
    size_t length = 1 + tsr_test_random_below(seed, 40);
    switch (tsr_test_random_below(seed, 8)) {
    case 0: /* a byte */
        bytes[at] = (uint8_t)tsr_test_random(seed);
        break;
    case 1: /* cut */
        *n = tsr_test_random_below(seed, *n);
        break;
    case 2: /* one place over another: doubled keys, names, descriptions */
        length = length < head - at ? length : head - at;
        length = length < head - from ? length : head - from;
        memmove(bytes + at, bytes + from, length);
        break;
    case 3: /* left out */
        length = length < *n - at ? length : *n - at;
        memmove(bytes + at, bytes + at + length, *n - at - length);
        *n -= length;
        break;
    default:
        if (b->kind == TSR_WEIGHTS_SAFETENSORS && tsr_test_random_below(seed, 8) != 0)
            damage_digits(bytes, head, seed);
        else
            damage_field(b, bytes, *n, seed);
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds: under the sanitizers that is the point; elsewhere the limit on memory is. */
static double budget(void)
{
    if (tsr_test_nightly())
        return SANITIZED ? 600 : 60;
    return SANITIZED ? 60 : 6;
}

/* Each input has a seed of its own: TESSERA_SEED=that repeats it first. */
static void test_hostile_damaged_is_refused_or_valid(void **state)
{
    const struct base *bases = *state;
    uint64_t first = tsr_test_seed("hostile files", 20), count[BASES][3] = {{0}}, i = 0;
    double end = now() + budget();
    FILE *last = fopen("last-seed", "w");
    assert_non_null(last);
    printf("after a failure: TESSERA_SEED=$(cat last-seed) repeats it\n");
    for (; now() < end || i < LEAST; i++) {
        uint64_t seed = first + i;
        rewind(last);
        fprintf(last, "%llu\n", (unsigned long long)seed);
        fflush(last);
        const struct base *b = &bases[(first + i) % BASES];
        char message[1024];
        size_t n = b->n;
        uint8_t *bytes = malloc(n);
        assert_non_null(bytes);
        memcpy(bytes, b->bytes, n);
        for (uint64_t k = 1 + tsr_test_random_below(&seed, 3); k > 0; k--)
            damage(b, bytes, &n, &seed);
        count[b - bases][try(b, bytes, n, message)]++;
        free(bytes);
    }
    fclose(last);
    for (int k = 0; k < BASES; k++) {
        printf("%s: %llu refused, %llu without a model, %llu whole\n", bases[k].path,
               (unsigned long long)count[k][0], (unsigned long long)count[k][1],
               (unsigned long long)count[k][2]);
        /* Both outcomes occur, or the damage proves nothing. */
        assert_true(count[k][0] > i / BASES / 50 && count[k][0] < i / BASES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_files_are_whole_before),
        cmocka_unit_test(test_hostile_truncated_anywhere_is_refused),
        cmocka_unit_test(test_hostile_damaged_is_refused_or_valid),
    };
    /* A count taken at its word would allocate beyond this. */
    struct rlimit limit = {(rlim_t)512 << 20, (rlim_t)512 << 20};
    if (!SANITIZED && setrlimit(RLIMIT_AS, &limit) != 0)
        return 1;
    return cmocka_run_group_tests(tests, setup, teardown);
}
