/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a file is said by name: the file, the tensor or key, what is allowed.
 * labels: badinput qemu */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tests/support/hostile.h"
#include "tests/support/model_files.h"

static void expect(const char *path, const char *a, const char *b)
{
    struct tsr_error err = {0};
    struct tsr_weights *w = NULL;
    struct tsr_model m;
    enum tsr_status st = tsr_weights_open(path, &w, &err);
    if (st == TSR_OK) {
        st = tsr_weights_model(w, &m, &err);
        tsr_weights_close(w);
    }
    if (st != TSR_BAD_INPUT || strstr(err.message, a) == NULL || strstr(err.message, b) == NULL)
        fail_msg("status %d: \"%s\" where \"%s\" and \"%s\" should stand", (int)st, err.message, a,
                 b);
}

static void write_file(enum tsr_arch arch, enum tsr_weights_container container, const char *path)
{
    struct tsr_test_weights w = {.container = container, .matrices = TSR_F16, .seed = 4};
    tsr_test_model(arch, false, &w.model);
    w.shards = 2;
    tsr_test_weights_write(&w, path);
}

/* The place right behind the n-th time that a text stands in a file. */
static uint8_t *behind(char *bytes, size_t n, const char *text)
{
    size_t k = strlen(text);
    for (size_t i = 0; i + k <= n; i++)
        if (memcmp(bytes + i, text, k) == 0)
            return (uint8_t *)bytes + i + k;
    fail_msg("no %s", text);
    return NULL;
}

struct damage {
    const char *after; /* what stands before the number; null: the file's start */
    int skip;          /* bytes between */
    const char *bytes; /* `n` of them go there */
    size_t n;
    const char *a, *b; /* what the message has */
};

#define BYTES(s) s, sizeof(s) - 1

/* Behind a tensor's name: u32 dims, u64 for each, u32 type, u64 offset. Behind a key: u32 kind. */
static const struct damage gguf[] = {
    {NULL, 4, BYTES("\4"), "header", "unknown version"},
    {NULL, 4, BYTES("\0\0\0\3"), "header", "big-endian"},
    {NULL, 8, BYTES("\xff\xff\xff\xff"), "header", "more tensors are announced"},
    {NULL, 16, BYTES("\xff\xff\xff\xff"), "header", "more metadata"},
    {"general.name", 0, BYTES("\77"), "general.name", "unknown type of value"},
    {"general.name", 4, BYTES("\0\0\0\0\0\1"), "general.name", "longer than what is left"},
    {"tokenizer.ggml.tokens", 4, BYTES("\11"), "tokenizer.ggml.tokens", "arrays"},
    {"tokenizer.ggml.scores", 8, BYTES("\0\0\0\0\1"), "tokenizer.ggml.scores",
     "longer than what is left"},
    {"general.alignment", 4, BYTES("\7"), "general.alignment", "multiple of 8"},
    {"general.alignment", 4, BYTES("\0\20"), ".weight: its offset", "general.alignment"},
    {"general.name", -20, BYTES("\13\0\0\0\0\0\0\0split.count\10\0\0\0\10\0\0\0\0\0\0\0a string"),
     "split.count", "several GGUF files"},
    {"general.n", 0, BYTES("\7me"), "a key holds", "printable"},
    {"llama.block_count", 4, BYTES("\0"), "llama.block_count: is 0", "1 to"},
    {"llama.block_count", 4, BYTES("\4"), "blk.3.attn_norm.weight", "missing"},
    {"llama.attention.head_count_kv", 4, BYTES("\3"), "head_count_kv", "a divisor"},
    {"llama.attention.head_count", 0, BYTES("\6"), "head_count", "no whole number"},
    {"llama.embedding_length", 4, BYTES("\200"), "token_embd.weight", "its shape is 288 x 64"},
    {"llama.feed_forward_length", 4, BYTES("\200"), "blk.0.ffn_gate.weight",
     "the model's 128 x 64"},
    {"blk.1.attn_v.weight", 0, BYTES("\5"), "blk.1.attn_v.weight", "number of dimensions"},
    {"blk.1.attn_v.weight", 4, BYTES("\0"), "blk.1.attn_v.weight", "a dimension is 0"},
    {"blk.1.attn_v.weight", 10, BYTES("\377"), "blk.1.attn_v.weight", "bytes at offset"},
    {"blk.1.attn_v.weight", 4, BYTES("\0\0\0\0\0\0\0\200\0\0\0\0\0\0\0\200"), "blk.1.attn_v.weight",
     "overflows"},
    {"blk.1.attn_v.weight", 20, BYTES("\115"), "blk.1.attn_v.weight", "type 77 is unknown"},
    {"blk.1.attn_v.weight", 20, BYTES("\6"), "blk.1.attn_v.weight", "type Q5_0 is not decoded"},
    {"blk.1.attn_v.weight", 24, BYTES("\1"), "blk.1.attn_v.weight", "alignment"},
    {"blk.1.attn_v.weight", 24, BYTES("\0\0\0\0\0\0\0\200"), "blk.1.attn_v.weight",
     "the file holds"},
    {"blk.1.attn_v.weight", 24, BYTES("\0\0"), ".weight: starts at byte", "which ends at"},
    {"blk.1.attn_v.weigh", 0, BYTES("\1"), "tensor ", "printable"},
    {"blk.1.attn_v.weight", -8, BYTES("k"), "blk.1.attn_k.weight", "two tensors have this name"},
    {"blk.1.ffn_", 0, BYTES("ooze"), "blk.1.ffn_norm.weight", "missing"},
};

static void check_damages(const char *base, const char *out, const struct damage *d, size_t count)
{
    size_t n;
    char *bytes = tsr_test_read(base, &n);
    for (size_t i = 0; i < count; i++, d++) {
        uint8_t *copy = malloc(n), *at;
        memcpy(copy, bytes, n);
        at = d->after != NULL ? behind((char *)copy, n, d->after) : copy;
        memcpy(at + d->skip, d->bytes, d->n);
        tsr_test_write(out, copy, n);
        printf("%zu ", i);
        expect(out, d->a, d->b);
        free(copy);
    }
    printf("\n");
    free(bytes);
}

static void test_refused_gguf_by_name(void **state)
{
    (void)state;
    write_file(TSR_ARCH_LLAMA, TSR_WEIGHTS_GGUF, "base.gguf");
    check_damages("base.gguf", "damaged.gguf", gguf, sizeof gguf / sizeof *gguf);
}

/* ---- safetensors: a header of its own, 64 bytes of data ---- */

static void write_header(const char *header, size_t data)
{
    static const uint8_t zero[64];
    size_t n = strlen(header);
    uint8_t *out = calloc(1, 8 + n + data);
    out[0] = (uint8_t)n;
    out[1] = (uint8_t)(n >> 8);
    memcpy(out + 8, header, n);
    memcpy(out + 8 + n, zero, data);
    tsr_test_write("h.safetensors", out, 8 + n + data);
    free(out);
}

static void test_refused_safetensors_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *header, *a, *b;
    } cases[] = {
        {"{\"w\":", "header: JSON", "allowed"},
        {"[]", "header: JSON", "array"},
        {"{}", "header", "do not fill"},
        {"{\"w\":1}", "w:", "an object with dtype"},
        {"{\"w\":{\"dtype\":\"F33\",\"shape\":[16],\"data_offsets\":[0,64]}}", "w:", "dtype"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,64]}}", "w:", "shape"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[1,1,1,4,4],\"data_offsets\":[0,64]}}",
         "w:", "4 dimensions"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[15],\"data_offsets\":[0,64]}}", "w:", "the bytes"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[16],\"data_offsets\":[0,65]}}", "w:", "outside"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[16],\"data_offsets\":[64,0]}}", "w:", "no range"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}",
         "w:", "the bytes"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[12],\"data_offsets\":[0,48]}}", "header",
         "do not fill"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[16],\"data_offsets\":[0,64]},"
         "\"v\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}",
         "v: starts at byte", "within w"},
        {"{\"w\":{\"dtype\":\"F32\",\"shape\":[8],\"data_offsets\":[0,32]},"
         "\"v\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[48,64]}}",
         "v: starts at byte", "no gap"},
        {"{\"w\\u0001\":{\"dtype\":\"F32\",\"shape\":[16],\"data_offsets\":[0,64]}}", "tensor 0",
         "printable"},
        {"{\"a_blocks\":{\"dtype\":\"U8\",\"shape\":[1,2,2,16],\"data_offsets\":[0,64]}}",
         "a_blocks", "a_scales"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_header(cases[i].header, 64);
        printf("%zu ", i);
        expect("h.safetensors", cases[i].a, cases[i].b);
    }
    printf("\n");
    tsr_test_write("h.safetensors", "\377\0\0\0\0\0\0\0{}", 10);
    expect("h.safetensors", "header", "longer than the file");
    tsr_test_write("h.safetensors", "\1\0\0", 3);
    expect("h.safetensors", "header", "shorter than its 8 bytes");
}

static void write_index(const char *text)
{
    tsr_test_write("shards/model.safetensors.index.json", text, strlen(text));
}

static void test_refused_index_by_name(void **state)
{
    (void)state;
    write_file(TSR_ARCH_LLAMA, TSR_WEIGHTS_SAFETENSORS, "shards");
    write_index("{\"weight_map\": {\"w\": \"../shards/model-00001-of-00002.safetensors\"}}");
    expect("shards", "w:", "beside the index");
    write_index("{\"weight_map\": {\"w\": \"absent.safetensors\"}}");
    expect("shards", "absent.safetensors", "cannot open");
    write_index("{\"weight_map\": {\"w\": \"model.safetensors.index.json\"}}"); /* itself */
    expect("shards", "model.safetensors.index.json: header", "longer than the file");
    write_index("{\"weight_map\": {\"w\": \"model-00001-of-00002.safetensors\"}}");
    expect("shards", "w:", "does not hold the tensor");
    write_index("{\"weight_map\": {}}");
    expect("shards", "weight_map", "missing");
    write_index("{\"weight_map\": {\"lm_head.weight\": \"model-00002-of-00002.safetensors\"}}");
    expect("shards", "model.embed_tokens.weight", "missing"); /* a shard that nobody names */
    write_index("{\"weight_map\": {\"w\": 3}}");
    expect("shards", "w:", "beside the index");
}

/* Both shards hold one name. */
static void test_refused_shards_that_share_a_name(void **state)
{
    (void)state;
    size_t n;
    write_file(TSR_ARCH_LLAMA, TSR_WEIGHTS_SAFETENSORS, "shards");
    char *bytes = tsr_test_read("shards/model-00001-of-00002.safetensors", &n);
    tsr_test_write("shards/model-00002-of-00002.safetensors", bytes, n);
    free(bytes);
    expect("shards", "model.embed_tokens.weight", "two tensors have this name");
}

static void test_refused_llama2c_by_name(void **state)
{
    (void)state;
    static const struct damage cases[] = {
        {NULL, 0, BYTES("\0"), "dim: is 0", "1 or more"},
        {NULL, 8, BYTES("\0\0\0\1"), "n_layers", "1 to 1024"},
        {NULL, 12, BYTES("\3"), "n_heads", "does not divide"},
        {NULL, 16, BYTES("\3"), "n_kv_heads", "a divisor"},
        {NULL, 20, BYTES("\0\0\0\200"), "vocab_size", "1 or more"},
        {NULL, 24, BYTES("\200\1"), "seq_len 384", "the file has"},
        {NULL, 0, BYTES("24ka"), "version", "not supported"},
        {NULL, 0, BYTES("\377\377\377\177\377\377\377\177"), "n_heads", "does not divide"},
    };
    write_file(TSR_ARCH_LLAMA, TSR_WEIGHTS_LLAMA2C, "base.bin");
    check_damages("base.bin", "damaged.bin", cases, sizeof cases / sizeof *cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_gguf_by_name),
        cmocka_unit_test(test_refused_safetensors_by_name),
        cmocka_unit_test(test_refused_index_by_name),
        cmocka_unit_test(test_refused_shards_that_share_a_name),
        cmocka_unit_test(test_refused_llama2c_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
