/* SPDX-License-Identifier: Apache-2.0 */
/* generate and eval as commands, on a made-up model: what they print, and what they refuse. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tests/support/model_files.h"
#include "tests/support/program.h"

static int make(void **state)
{
    struct tsr_test_weights w = {.container = TSR_WEIGHTS_GGUF, .matrices = TSR_F32, .seed = 3};
    (void)state;
    tsr_test_model(TSR_ARCH_LLAMA, false, &w.model);
    tsr_test_weights_write(&w, "m.gguf");
    w.container = TSR_WEIGHTS_LLAMA2C;
    tsr_test_weights_write(&w, "c.bin");
    w.container = TSR_WEIGHTS_SAFETENSORS;
    tsr_test_weights_write(&w, "hf");
    w.container = TSR_WEIGHTS_GGUF;
    w.model.vocab = 600;
    tsr_test_weights_write(&w, "other.gguf");
    static const char text[] = "some text to predict, of more tokens than pass together";
    tsr_test_write("text.txt", text, sizeof text - 1);
    return 0;
}

static void test_ids_follow_from_options_alone(void **state)
{
    (void)state;
    TSR_SAME_TWICE("generate", "--weights", "m.gguf", "--prompt", "a", "--tokens", "5", "--json");
    TSR_SAME_TWICE("generate", "--weights", "m.gguf", "--prompt", "a", "--tokens", "3", "--target",
                   "npu", "--chip", "micro", "--json");
    json_t *one = TSR_JSON("generate", "--weights", "m.gguf", "--prompt", "a", "--tokens", "9",
                           "--temperature", "2", "--seed", "5", "--json");
    json_t *two = TSR_JSON("generate", "--weights", "m.gguf", "--prompt", "a", "--tokens", "9",
                           "--temperature", "2", "--seed", "5", "--threads", "3", "--json");
    json_t *other = TSR_JSON("generate", "--weights", "m.gguf", "--prompt", "a", "--tokens", "9",
                             "--temperature", "2", "--seed", "6", "--json");
    assert_true(json_equal(json_object_get(one, "tokens"), json_object_get(two, "tokens")));
    assert_false(json_equal(json_object_get(one, "tokens"), json_object_get(other, "tokens")));
    json_decref(one);
    json_decref(two);
    json_decref(other);
}

static void test_the_chip_says_what_tokens_cost(void **state)
{
    (void)state;
    json_t *j = TSR_JSON("generate", "--weights", "m.gguf", "--prompt", "a", "--tokens", "3",
                         "--target", "npu", "--chip", "micro", "--json");
    json_int_t cycles = json_integer_value(json_object_get(j, "cycles")), sum = 0;
    json_t *steps = json_object_get(j, "steps"), *step;
    size_t i;
    json_array_foreach(steps, i, step) sum += json_integer_value(json_object_get(step, "cycles"));
    assert_true(cycles > 0 && sum == cycles);
    assert_true(json_number_value(json_object_get(j, "tokens_per_s")) > 0);
    assert_string_equal(json_string_value(json_object_get(j, "weights_format")), "bf16");
    json_decref(j);
    char *text = TSR_EXPECT(0, NULL, "generate", "--weights", "m.gguf", "--prompt", "a", "--tokens",
                            "3", "--target", "npu", "--chip", "micro");
    assert_non_null(strstr(text, "tokens/s on micro"));
    assert_non_null(strstr(text, "cycles per token"));
    assert_non_null(strstr(text, "\nattention "));
    free(text);
    /* a prompt of several tokens passes in a block, whose cycles are the time to the first token */
    j = TSR_JSON("generate", "--weights", "m.gguf", "--prompt", "a prompt", "--tokens", "1",
                 "--target", "npu", "--chip", "micro", "--json");
    assert_true(json_integer_value(json_object_get(j, "prompt_tokens")) > 1);
    assert_int_equal(json_integer_value(json_object_get(j, "prompt_cycles")),
                     json_integer_value(json_object_get(j, "cycles")));
    assert_null(json_object_get(j, "tokens_per_s"));
    json_decref(j);
    text = TSR_EXPECT(0, NULL, "generate", "--weights", "m.gguf", "--prompt", "a prompt",
                      "--tokens", "2", "--target", "npu", "--chip", "micro");
    assert_non_null(strstr(text, "ms to the first token on micro"));
    free(text);
    free(TSR_EXPECT(0, "operations agree with the reference, 0 have none", "generate", "--weights",
                    "m.gguf", "--prompt", "a", "--tokens", "2", "--target", "npu", "--chip",
                    "micro", "--verify", "3"));
    free(TSR_EXPECT(0, "operations agree with the reference, 0 have none", "generate", "--weights",
                    "m.gguf", "--prompt", "a", "--tokens", "2", "--target", "sve", "--verify",
                    "1"));
}

static void test_eval_compares_formats(void **state)
{
    (void)state;
    json_t *j = TSR_JSON("eval", "--weights", "m.gguf", "--text", "text.txt", "--formats",
                         "f32,bf16,mx9:bf16,q4_0:q4_0:mx9", "--json");
    json_t *rows = json_object_get(j, "results");
    assert_int_equal(json_array_size(rows), 4);
    const double exact = json_number_value(json_object_get(json_array_get(rows, 0), "kl"));
    assert_true(exact == 0);
    double before = 0;
    for (size_t i = 1; i < 4; i++) { /* fewer bits, further off */
        double kl = json_number_value(json_object_get(json_array_get(rows, i), "kl"));
        if (i != 2)
            assert_true(kl > before);
        before = kl > before ? kl : before;
    }
    /* the reference of the first line serves the others: the same as one by one */
    json_t *alone = TSR_JSON("eval", "--weights", "m.gguf", "--text", "text.txt",
                             "--weights-format", "mx9", "--activations", "bf16", "--json");
    const char *key;
    json_t *v;
    json_object_foreach(json_array_get(rows, 2), key, v)
        assert_true(json_equal(v, json_object_get(alone, key)));
    json_decref(alone);
    json_decref(j);
    /* one that the target has not is a line with its reason */
    char *text = TSR_EXPECT(0, NULL, "eval", "--weights", "m.gguf", "--text", "text.txt",
                            "--target", "npu", "--chip", "micro", "--formats", "bf16,f32");
    assert_non_null(strstr(text, "refused: "));
    free(text);
}

static void test_eval_of_all_formats_has_caches_too(void **state)
{
    (void)state;
    json_t *j = TSR_JSON("eval", "--weights", "m.gguf", "--text", "text.txt", "--target", "sve",
                         "--formats", "all", "--json");
    json_t *row;
    size_t i, weights = 0, caches = 0, i8 = 0;
    json_array_foreach(json_object_get(j, "results"), i, row)
    {
        const char *kv = json_string_value(json_object_get(row, "kv"));
        const bool plain =
            strcmp(json_string_value(json_object_get(row, "weights_format")), "f32") == 0;
        assert_null(json_object_get(row, "refused"));
        weights += caches == 0;
        caches += plain && strcmp(kv, "f32") != 0;
        i8 += plain && strcmp(kv, "i8") == 0;
    }
    assert_true(weights > 5 && caches > 5);
    assert_int_equal(i8, 1);
    json_decref(j);
}

/* What is checked is the target; the float reference beside it has nothing to be checked by. */
static void test_eval_verifies_what_it_compares(void **state)
{
    (void)state;
    free(TSR_EXPECT(0, "operations agree with the reference, 0 have none", "eval", "--weights",
                    "m.gguf", "--text", "text.txt", "--target", "npu", "--chip", "micro", "--kv",
                    "i8", "--verify", "3"));
    free(TSR_EXPECT(0, "operations agree with the reference, 0 have none", "eval", "--weights",
                    "m.gguf", "--text", "text.txt", "--target", "sve", "--weights-format", "bf16",
                    "--kv", "f8e4m3", "--verify", "3"));
}

struct row {
    int code;
    const char *says;
    const char *words[16];
};

static void test_what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {2, "--prompt TEXT is missing", {"generate", "--weights", "m.gguf"}},
        {2, "--weights FILE is missing", {"generate", "--prompt", ""}},
        {2, "--text FILE is missing", {"eval", "--weights", "m.gguf"}},
        {2,
         "allowed: ref sve npu",
         {"generate", "--weights", "m.gguf", "--prompt", "", "--target", "gpu"}},
        {2,
         "--temperature -1: a number from 0",
         {"generate", "--weights", "m.gguf", "--prompt", "", "--temperature", "-1"}},
        {2,
         "--temperature warm: a number from 0",
         {"generate", "--weights", "m.gguf", "--prompt", "", "--temperature", "warm"}},
        {2,
         "--tokens 0: an integer from 1",
         {"generate", "--weights", "m.gguf", "--prompt", "", "--tokens", "0"}},
        {2,
         "--verify: of targets sve and npu, not ref",
         {"generate", "--weights", "m.gguf", "--prompt", "", "--verify", "1"}},
        {2,
         "--kv f17: no such format",
         {"generate", "--weights", "m.gguf", "--prompt", "", "--kv", "f17"}},
        {2,
         "--kv: not with --formats",
         {"eval", "--weights", "m.gguf", "--text", "text.txt", "--formats", "all", "--kv", "f16"}},
        {2,
         "--tokenizer FILE is missing: c.bin, a file of llama2.c, holds none",
         {"generate", "--weights", "c.bin", "--prompt", ""}},
        {2,
         "--tokenizer FILE is missing: there is no tokenizer.json beside hf",
         {"generate", "--weights", "hf", "--prompt", ""}},
        {2,
         "there is no tokenizer.json beside hf/model.safetensors",
         {"eval", "--weights", "hf/model.safetensors", "--text", "text.txt"}},
        {3,
         "is none of the 288 that m.gguf has: a tokenizer of another model",
         {"generate", "--weights", "m.gguf", "--tokenizer", "other.gguf", "--prompt",
          "some text to predict"}},
        {3, "none.gguf", {"generate", "--weights", "none.gguf", "--prompt", ""}},
        {3, "text.txt", {"generate", "--weights", "text.txt", "--prompt", ""}},
        {3, "none.txt: No such file", {"eval", "--weights", "m.gguf", "--text", "none.txt"}},
        {3,
         "the model has 128 positions",
         {"generate", "--weights", "m.gguf", "--prompt", "a", "--tokens", "500"}},
        {3,
         "f32",
         {"generate", "--weights", "m.gguf", "--prompt", "a", "--target", "npu", "--chip", "micro",
          "--weights-format", "f32"}},
        {3,
         "kv: i4: no kernel takes it, allowed: ",
         {"generate", "--weights", "m.gguf", "--prompt", "a", "--target", "npu", "--chip", "micro",
          "--kv", "i4"}},
        {3, "kv: i32: ", {"generate", "--weights", "m.gguf", "--prompt", "a", "--kv", "i32"}},
        {3,
         "no kernel takes weights in mx9",
         {"generate", "--weights", "m.gguf", "--prompt", "a", "--target", "sve", "--weights-format",
          "mx9"}},
        {3,
         "weights i8 are multiplied by activations in i8, not bf16",
         {"generate", "--weights", "m.gguf", "--prompt", "a", "--target", "sve", "--weights-format",
          "i8", "--activations", "bf16"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        free(tsr_test_expect(rows[i].code, rows[i].says, rows[i].words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_follow_from_options_alone),
        cmocka_unit_test(test_the_chip_says_what_tokens_cost),
        cmocka_unit_test(test_eval_compares_formats),
        cmocka_unit_test(test_eval_of_all_formats_has_caches_too),
        cmocka_unit_test(test_eval_verifies_what_it_compares),
        cmocka_unit_test(test_what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, make, NULL);
}
