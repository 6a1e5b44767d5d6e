/* SPDX-License-Identifier: Apache-2.0 */
/* `tessera inspect`: what it says of each container, and of files that are none. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tests/support/model_files.h"

static void write_model(enum tsr_arch arch, enum tsr_weights_container container,
                        enum tsr_dtype matrices, const char *path)
{
    struct tsr_test_weights w = {.container = container, .matrices = matrices, .seed = 2};
    tsr_test_model(arch, false, &w.model);
    w.shards = 2;
    tsr_test_weights_write(&w, path);
}

static json_t *inspect(const char *path)
{
    struct tsr_test_run r = tsr_test_program("inspect", path, "--json", NULL);
    json_error_t e;
    if (r.exit_code != 0)
        fail_msg("exit %d: %s", r.exit_code, r.err);
    json_t *root = json_loads(r.out, 0, &e);
    if (root == NULL)
        fail_msg("%s: %s", e.text, r.out);
    tsr_test_run_free(&r);
    return root;
}

static json_int_t number(json_t *root, const char *object, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(root, object), key));
}

static void test_inspect_gguf_says_model_tokenizer_and_tensors(void **state)
{
    (void)state;
    write_model(TSR_ARCH_GPT_OSS, TSR_WEIGHTS_GGUF, TSR_MXF4, "oss.gguf");
    json_t *root = inspect("oss.gguf");
    assert_string_equal(json_string_value(json_object_get(root, "container")), "gguf");
    assert_int_equal(number(root, "model", "layers"), 3);
    assert_int_equal(number(root, "model", "window"), 6);
    assert_int_equal(number(root, "tokenizer", "vocab"), 288);
    json_t *types = json_object_get(root, "types");
    assert_true(json_integer_value(json_object_get(json_object_get(types, "MXFP4"), "tensors")) >
                0);
    json_t *first = json_array_get(json_object_get(root, "tensors"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "name")), "blk.0.attn_k.bias");
    json_decref(root);
    struct tsr_test_run r = tsr_test_program("inspect", "oss.gguf", NULL);
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "model: architecture gpt_oss"));
    assert_non_null(strstr(r.out, "gpt-oss.block_count = 3\n"));
    tsr_test_run_free(&r);
}

static void test_inspect_shards_are_one_model(void **state)
{
    (void)state;
    write_model(TSR_ARCH_QWEN3, TSR_WEIGHTS_SAFETENSORS, TSR_BF16, "shards");
    remove("shards/tokenizer.json"); /* of a run before */
    json_t *root = inspect("shards");
    json_t *tensors = json_object_get(root, "tensors");
    assert_int_equal(number(root, "model", "layers"), 3);
    /* Embedding, head, final norm; of a layer 7 matrices and 4 norms. */
    assert_int_equal(json_array_size(tensors), 3 + 3 * 11);
    const char *a = json_string_value(json_object_get(json_array_get(tensors, 1), "file"));
    const char *b = json_string_value(json_object_get(json_array_get(tensors, 35), "file"));
    assert_string_not_equal(a, b);
    assert_null(json_object_get(root, "tokenizer"));
    json_decref(root);
    static const char tokenizer[] =
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":"
        "[\"a b\"]},\"pre_tokenizer\":{\"type\":\"ByteLevel\"}}";
    tsr_test_write("shards/tokenizer.json", tokenizer, sizeof tokenizer - 1);
    root = inspect("shards");
    assert_int_equal(number(root, "tokenizer", "merges"), 1);
    json_decref(root);
}

/* A missing config.json leaves the tensors to be seen. */
static void test_inspect_unknown_model_is_said_and_no_error(void **state)
{
    (void)state;
    write_model(TSR_ARCH_LLAMA, TSR_WEIGHTS_SAFETENSORS, TSR_F32, "bare");
    assert_int_equal(remove("bare/config.json"), 0);
    json_t *root = inspect("bare");
    assert_null(json_object_get(root, "model"));
    assert_non_null(strstr(json_string_value(json_object_get(root, "model_error")),
                           "bare/config.json: cannot open"));
    json_decref(root);
}

static void check_refused(const char *path, const char *what)
{
    struct tsr_test_run r = tsr_test_program("inspect", path, NULL);
    if (r.exit_code != 3 || r.out[0] != '\0' || strstr(r.err, path) == NULL ||
        strstr(r.err, what) == NULL)
        fail_msg("%s: exit %d: %s", path, r.exit_code, r.err);
    tsr_test_run_free(&r);
}

static void test_inspect_what_is_no_file_of_weights_is_refused(void **state)
{
    (void)state;
    tsr_test_write("text.bin", "This is no file of weights, is it?", 34);
    tsr_test_write("empty.gguf", "", 0);
    tsr_test_write("short.bin", "\1\0\0\0", 4);
    check_refused("text.bin", "n_layers: is 1713401710");
    check_refused("empty.gguf", "magic");
    check_refused("short.bin", "header: neither GGUF nor safetensors");
    check_refused("absent.gguf", "cannot open");
    check_refused("/dev/null", "no plain file");
    check_refused(".", "a folder without");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inspect_gguf_says_model_tokenizer_and_tensors),
        cmocka_unit_test(test_inspect_shards_are_one_model),
        cmocka_unit_test(test_inspect_unknown_model_is_said_and_no_error),
        cmocka_unit_test(test_inspect_what_is_no_file_of_weights_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
