/* SPDX-License-Identifier: Apache-2.0 */
/* tessera project and demo from outside: keys, exit codes, messages, the same bytes.
 * labels: badinput */
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tests/support/program.h"

#define TINY                                                                                       \
    "{\"model_type\": \"llama\", \"hidden_size\": 64, \"num_hidden_layers\": 2,"                   \
    " \"num_attention_heads\": 4, \"intermediate_size\": 96, \"vocab_size\": 128}"

static const char *tiny(void)
{
    tsr_test_write("./tiny.json", TINY, strlen(TINY));
    return "./tiny.json";
}

#define ARGS(phase, format)                                                                        \
    "project", "--model", tiny(), "--chip", "micro4", "--phase", phase, "--batch", "2", "--seq",   \
        "16", "--format", format

static void test_project_json_has_what_scripts_read(void **state)
{
    (void)state;
    static const char *const phases[] = {"prefill", "decode"};
    for (int i = 0; i < 2; i++) {
        json_t *j = TSR_JSON(ARGS(phases[i], "bf16"), "--json");
        double s = json_real_value(json_object_get(j, "latency_s"));
        double rate = json_real_value(json_object_get(j, "tokens_per_s"));
        double tokens = i == 0 ? 32 : 2;
        assert_true(rate > 0 && rate * s > tokens * 0.999 && rate * s < tokens * 1.001);
        assert_true(json_real_value(json_object_get(j, "ttu_utilisation")) > 0);
        assert_true(json_real_value(json_object_get(j, "ttu_utilisation")) <= 1);
        assert_true(json_real_value(json_object_get(j, "hbm_utilisation")) > 0);
        assert_true(json_real_value(json_object_get(j, "hbm_utilisation")) <= 1);
        assert_true(json_integer_value(json_object_get(j, "hbm_bytes")) > 0);
        assert_true(json_array_size(json_object_get(j, "composed")) > 0);
        assert_true(json_array_size(json_object_get(j, "ops")) > 10);
        assert_non_null(json_object_get(j, "cpu_s"));
        json_t *op = json_array_get(json_object_get(j, "ops"), 0);
        assert_null(json_object_get(op, "cpu_s")); /* times stand at the top only */
        assert_non_null(json_object_get(op, "waits"));
        json_decref(j);
    }
}

static json_t *without_times(json_t *j)
{
    json_object_del(j, "cpu_s");
    json_object_del(j, "wall_s");
    json_object_del(j, "max_rss_kib");
    return j;
}

static void test_project_twice_and_on_two_threads_gives_the_same_bytes(void **state)
{
    (void)state;
    TSR_SAME_TWICE(ARGS("prefill", "i8"), "--json");
    json_t *one = without_times(TSR_JSON(ARGS("prefill", "bf16"), "--json", "--threads", "1"));
    json_t *two = without_times(TSR_JSON(ARGS("prefill", "bf16"), "--json", "--threads", "2"));
    char *a = json_dumps(one, 0), *b = json_dumps(two, 0);
    assert_string_equal(a, b);
    free(a);
    free(b);
    json_decref(one);
    json_decref(two);
}

static void test_project_text_names_figures_and_operations(void **state)
{
    (void)state;
    char *out = TSR_EXPECT(0, NULL, ARGS("decode", "bf16"), "--price-per-hour", "2.5");
    static const char *const words[] = {"tokens/s", "gate_up", "lm_head",           "costliest",
                                        "composed", "assumed", "per million tokens"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_non_null(strstr(out, words[i]));
    free(out);
}

static void test_project_refusals_say_why(void **state)
{
    (void)state;
#define ON(model, batch, seq, format)                                                              \
    "project", "--model", model, "--chip", "maia100", "--phase", "decode", "--batch", batch,       \
        "--seq", seq, "--format", format
    free(TSR_EXPECT(3, "3 chips would be needed", ON("llama-2-70b", "1", "2048", "bf16")));
    free(TSR_EXPECT(3, "smaller values", ON("llama-2-7b", "2147483648", "2147483648", "bf16")));
    free(TSR_EXPECT(3, "chips would be needed", ON("llama-2-7b", "100000", "2048", "bf16")));
    free(TSR_EXPECT(2, "--batch 0", ON("llama-2-7b", "0", "1", "bf16")));
    free(TSR_EXPECT(2, "--seq 99999999999", ON("llama-2-7b", "1", "99999999999", "bf16")));
    free(TSR_EXPECT(2, "unknown name", ON("llama-9", "1", "1", "bf16")));
    free(TSR_EXPECT(2, "no such format", ON("llama-2-7b", "1", "1", "bf17")));
    free(TSR_EXPECT(3, "f32", ON("llama-2-7b", "1", "1", "f32")));
    free(TSR_EXPECT(3, "kv: i4", ON("llama-2-7b", "1", "1", "bf16"), "--kv", "i4"));
    free(TSR_EXPECT(3, "activations: q6_k", ON("llama-2-7b", "1", "1", "q6_k")));
    free(TSR_EXPECT(3, "integers with plain integers", ON("llama-2-7b", "1", "1", "bf16"),
                    "--activations", "i8"));
    free(TSR_EXPECT(2, "--price-per-hour", ON("llama-2-7b", "1", "1", "bf16"), "--price-per-hour",
                    "x"));
    free(TSR_EXPECT(2, "allowed: prefill decode", "project", "--model", "llama-2-7b", "--chip",
                    "micro", "--phase", "train", "--batch", "1", "--seq", "1", "--format", "bf16"));
    tsr_test_write("./broken.json", "{\"model_type\": \"llama\",", 23);
    free(TSR_EXPECT(3, "broken.json", ON("./broken.json", "1", "1", "bf16")));
    free(TSR_EXPECT(3, "absent.json", ON("./absent.json", "1", "1", "bf16")));
}

static json_t *result(json_t *all, size_t i)
{
    json_t *r = json_array_get(json_object_get(all, "results"), i);
    assert_non_null(r);
    return r;
}

/* A line of the table is what the command alone gives; what is refused says why. */
static void test_project_formats_gives_a_line_each(void **state)
{
    (void)state;
#define TABLE                                                                                      \
    "project", "--model", tiny(), "--chip", "micro4", "--phase", "decode", "--batch", "2",         \
        "--seq", "16"
    json_t *all = TSR_JSON(TABLE, "--json", "--formats", "bf16,f32,f8e4m3:bf16:f8e5m2,f8");
    json_t *one = TSR_JSON(TABLE, "--json", "--weights-format", "f8e4m3", "--activations", "bf16",
                           "--kv", "f8e5m2");
    assert_int_equal(json_array_size(json_object_get(all, "results")), 4);
    assert_non_null(strstr(json_string_value(json_object_get(result(all, 1), "refused")),
                           "weights: f32: the tensor unit does not take it"));
    assert_true(json_equal(result(all, 2), without_times(one)));
    assert_string_equal(json_string_value(json_object_get(result(all, 3), "kv")), "f8e4m3");
    /* 2 layers of 4 heads of 16, k and v, 2 sequences of 16 positions */
    json_t *memory = json_object_get(result(all, 2), "memory");
    assert_int_equal(json_integer_value(json_object_get(memory, "kv_bytes")), 2 * 4 * 16 * 2 * 32);
    json_decref(all);
    json_decref(one);
    char *text = TSR_EXPECT(0, NULL, TABLE, "--formats", "bf16,f32");
    assert_non_null(strstr(text, "\nbf16:bf16:bf16 "));
    assert_non_null(strstr(text, "\nf32:f32:bf16               refused: weights: f32"));
    free(text);
    free(TSR_EXPECT(3, "weights: f32", TABLE, "--formats", "f32"));
    free(TSR_EXPECT(2, "no such format", TABLE, "--formats", "bf16,bf17"));
    free(TSR_EXPECT(2, "--formats : no such format", TABLE, "--formats", ""));
    free(TSR_EXPECT(2, "WEIGHTS:ACTIVATIONS:CACHE", TABLE, "--formats", "f8:f8:f8:f8"));
    free(TSR_EXPECT(2, "--kv: not with --formats", TABLE, "--formats", "f8", "--kv", "bf16"));
    free(TSR_EXPECT(2, "--format FORMAT is missing", TABLE, "--weights-format", "bf16"));
}

static void test_demo_on_a_small_chip_says_what_models_need(void **state)
{
    (void)state;
    char *out = TSR_EXPECT(0, NULL, "demo", "--chip", "micro");
    assert_non_null(strstr(out, "grok-1"));
    assert_non_null(strstr(out, "chips of"));
    assert_null(strstr(out, "prefill  "));
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_project_json_has_what_scripts_read),
        cmocka_unit_test(test_project_twice_and_on_two_threads_gives_the_same_bytes),
        cmocka_unit_test(test_project_text_names_figures_and_operations),
        cmocka_unit_test(test_project_refusals_say_why),
        cmocka_unit_test(test_project_formats_gives_a_line_each),
        cmocka_unit_test(test_demo_on_a_small_chip_says_what_models_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
