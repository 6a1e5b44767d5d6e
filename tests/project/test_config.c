/* SPDX-License-Identifier: Apache-2.0 */
/* labels: badinput
 * config.json: defaults, and every kind of wrong file with the key and the place it must name. */
#include "tests/support/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tessera/model.h"

/* One key per line, so that line numbers tell keys apart. */
static const char base[] = "{\n"
                           " \"model_type\": \"mixtral\",\n"
                           " \"hidden_size\": 64,\n"
                           " \"num_hidden_layers\": 3,\n"
                           " \"num_attention_heads\": 4,\n"
                           " \"num_key_value_heads\": 2,\n"
                           " \"intermediate_size\": 96,\n"
                           " \"vocab_size\": 100,\n"
                           " \"num_local_experts\": 8,\n"
                           " \"num_experts_per_tok\": 2,\n"
                           " \"head_dim\": 16,\n"
                           " \"sliding_window\": 7,\n"
                           " \"layer_types\": [\"full_attention\", \"sliding_attention\", "
                           "\"full_attention\"],\n"
                           " \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0},\n"
                           " \"hidden_act\": \"silu\",\n"
                           " \"rms_norm_eps\": 1e-06,\n"
                           " \"tie_word_embeddings\": true\n"
                           "}\n";

static enum tsr_status parse(const char *text, size_t n, struct tsr_model *m, struct tsr_error *e)
{
    *e = (struct tsr_error){0};
    return tsr_model_parse("c.json", text, n, m, e);
}

/* base with the line that holds `key` replaced by "key": value, or removed where value is null. */
static void edited(const char *key, const char *value, char *out, size_t cap)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\n \"%s\":", key);
    const char *at = strstr(base, quoted);
    if (at == NULL) { /* a new key, in line 2 */
        snprintf(out, cap, "{\n \"%s\": %s,%s", key, value, base + 1);
        return;
    }
    const char *end = strchr(at + 1, '\n');
    bool last = end[-1] != ',';
    if (value != NULL)
        snprintf(out, cap, "%.*s\n \"%s\": %s%s%s", (int)(at - base), base, key, value,
                 last ? "" : ",", end);
    else
        snprintf(out, cap, "%.*s%s", (int)(at - base), base, end);
}

static void test_config_defaults_are_as_documented(void **state)
{
    (void)state;
    const char text[] = "{\"model_type\": \"llama\", \"hidden_size\": 96, \"num_hidden_layers\": 2,"
                        "\"num_attention_heads\": 8, \"intermediate_size\": 7, \"vocab_size\": 11,"
                        "\"num_key_value_heads\": null, \"rope_scaling\": null, \"other\": [1]}";
    struct tsr_model m;
    struct tsr_error e;
    assert_int_equal(parse(text, sizeof text - 1, &m, &e), TSR_OK);
    assert_string_equal(m.name, "c.json");
    assert_int_equal(m.kv_heads, 8);
    assert_int_equal(m.head_dim, 12);
    assert_int_equal(m.context, 2048);
    assert_true(m.norm_eps == 1e-5);
    assert_true(m.rope.theta == 1e4);
    assert_int_equal(m.rope.scaling, TSR_ROPE_NONE);
    assert_false(m.tied);
    assert_int_equal(m.window, 0);
    assert_int_equal(m.activation, TSR_ACT_SILU);
    assert_true(m.embed_scale == 1 && m.logit_scale == 1 && m.attn_softcap == 0);
}

static void test_config_base_is_read_as_written(void **state)
{
    (void)state;
    struct tsr_model m;
    struct tsr_error e;
    assert_int_equal(parse(base, sizeof base - 1, &m, &e), TSR_OK);
    assert_int_equal(m.experts, 8);
    assert_int_equal(m.top_k, 2);
    assert_int_equal(m.expert_ffn, 96);
    assert_int_equal(m.window, 7);
    assert_int_equal(m.layer_kind[0], TSR_LAYER_MOE);
    assert_int_equal(m.layer_kind[1], TSR_LAYER_MOE | TSR_LAYER_SLIDING);
    assert_int_equal(m.rope.scaling, TSR_ROPE_LLAMA3);
    assert_true(m.rope.factor == 8 && m.rope.low_freq_factor == 1 && m.rope.high_freq_factor == 4);
    assert_true(m.norm_eps == 1e-6);
    assert_true(m.tied);
    /* The names of newer files mean the same. */
    const char newer[] = "{\"model_type\": \"qwen2\", \"hidden_size\": 64, \"num_hidden_layers\": 4"
                         ",\"num_attention_heads\": 4, \"intermediate_size\": 96,\"vocab_size\": 9"
                         ",\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 7.5}"
                         ",\"use_sliding_window\": true, \"sliding_window\": 5"
                         ",\"max_window_layers\": 3}";
    assert_int_equal(parse(newer, sizeof newer - 1, &m, &e), TSR_OK);
    assert_true(m.rope.theta == 7.5);
    assert_true(m.qkv_bias && !m.o_bias);
    assert_int_equal(m.layer_kind[2], 0);
    assert_int_equal(m.layer_kind[3], TSR_LAYER_SLIDING);
}

static const struct {
    const char *key, *value, *message; /* value null: the key's line is removed */
} wrong[] = {
    {"model_type", NULL, "c.json:1:1: model_type: required but missing, one of llama mistral"},
    {"model_type", "\"bert\"", "c.json:2:2: model_type: unknown architecture \"bert\""},
    {"model_type", "7", "c.json:2:2: model_type: is an integer, a string is allowed"},
    {"model_type", "\"deepseek_v3\"", "c.json:1:1: qk_nope_head_dim: required but missing"},
    {"hidden_size", NULL, "c.json:1:1: hidden_size: required but missing, an integer from 1 to"},
    {"num_hidden_layers", NULL, "c.json:1:1: num_hidden_layers: required but missing"},
    {"num_attention_heads", NULL, "c.json:1:1: num_attention_heads: required but missing"},
    {"intermediate_size", NULL, "c.json:1:1: intermediate_size: required but missing"},
    {"vocab_size", NULL, "c.json:1:1: vocab_size: required but missing"},
    {"num_local_experts", NULL, "c.json:1:1: num_local_experts: required but missing"},
    {"num_experts_per_tok", NULL, "c.json:1:1: num_experts_per_tok: required but missing"},
    {"hidden_size", "null", "c.json:3:2: hidden_size: required but missing"},
    {"hidden_size", "0", "c.json:3:2: hidden_size: is 0, an integer from 1 to 2147483647"},
    {"hidden_size", "-4096", "c.json:3:2: hidden_size: is -4096, an integer"},
    {"hidden_size", "2147483648", "c.json:3:2: hidden_size: is 2147483648, an integer"},
    {"hidden_size", "64.0", "c.json:3:2: hidden_size: is a number with a fraction or exponent"},
    {"hidden_size", "\"64\"", "c.json:3:2: hidden_size: is a string, an integer"},
    {"hidden_size", "true", "c.json:3:2: hidden_size: is true or false, an integer"},
    {"hidden_size", "{}", "c.json:3:2: hidden_size: is an object, an integer"},
    {"hidden_size", "[64]", "c.json:3:2: hidden_size: is an array, an integer"},
    {"hidden_size", "99999999999999999999", "c.json:3:36: JSON: too big"},
    {"num_hidden_layers", "1025", "c.json:4:2: num_hidden_layers: is 1025, an integer from 1 to "
                                  "1024"},
    {"num_key_value_heads", "3", "c.json:6:2: num_key_value_heads: is 3, a divisor of "
                                 "num_attention_heads = 4"},
    {"num_key_value_heads", "8", "c.json:6:2: num_key_value_heads: is 8, a divisor"},
    {"num_key_value_heads", "0", "c.json:6:2: num_key_value_heads: is 0"},
    {"head_dim", "15", "c.json:11:2: head_dim: is 15, an even number"},
    {"intermediate_size", "2147483647", NULL}, /* odd but possible */
    {"num_experts_per_tok", "9", "c.json:10:2: num_experts_per_tok: is 9, at most the number of "
                                 "experts = 8"},
    {"sliding_window", "null", "c.json:12:2: sliding_window: missing, an integer is required"},
    {"sliding_window", "0", "c.json:12:2: sliding_window: is 0"},
    {"layer_types", "[]", "c.json:13:2: layer_types: an array of num_hidden_layers = 3"},
    {"layer_types", "[\"full_attention\", 1, \"full_attention\"]",
     "c.json:13:2: layer_types: entry 1 is unknown"},
    {"layer_types", "\"full_attention\"", "c.json:13:2: layer_types: an array"},
    {"rope_scaling", "[]", "c.json:14:2: rope_scaling: null or an object"},
    {"rope_scaling", "{}", "c.json:14:2: rope_scaling.rope_type: required but missing"},
    {"rope_scaling", "{\"type\": \"longrope\"}",
     "c.json:14:19: rope_scaling.type: \"longrope\" is not supported, default, llama3 or yarn"},
    {"rope_scaling", "{\"rope_type\": \"yarn\"}",
     "c.json:14:2: rope_scaling.factor: required but missing"},
    {"rope_scaling", "{\"rope_type\": \"yarn\",\n\"factor\": 0.5}",
     "c.json:15:1: rope_scaling.factor: is 0.5, a number from 1 to 1e+06"},
    {"rope_scaling", "{\"rope_type\": \"llama3\", \"factor\": 8, \"high_freq_factor\": 1}",
     "c.json:14:55: rope_scaling.high_freq_factor: is 1, more than low_freq_factor = 1"},
    {"hidden_act", "\"relu\"", "c.json:15:2: hidden_act: \"relu\" is not supported, silu"},
    {"rms_norm_eps", "-1", "c.json:16:2: rms_norm_eps: is -1, a number from 0 to 1"},
    {"rms_norm_eps", "\"1e-5\"", "c.json:16:2: rms_norm_eps: is a string, a number"},
    {"tie_word_embeddings", "1", "c.json:17:2: tie_word_embeddings: is an integer, true or false"},
    {"rope_theta", "0", "c.json:2:2: rope_theta: is 0, a number from 1 to 1e+12"},
    {"rope_theta", "1e999", "c.json:2:20: JSON: real number overflow"},
    {"partial_rotary_factor", "0.5", "c.json:2:2: partial_rotary_factor: is 0.5, 1 is allowed"},
    {"max_position_embeddings", "-1", "c.json:2:2: max_position_embeddings: is -1"},
    {"mlp_only_layers", "[3]", "c.json:2:2: mlp_only_layers: entry 0 is no layer"},
    {"mlp_only_layers", "2", "c.json:2:2: mlp_only_layers: an array"},
    {"decoder_sparse_step", "0", "c.json:2:2: decoder_sparse_step: is 0"},
};

static void test_config_wrong_values_name_place_and_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[2048];
        struct tsr_model m = {.hidden = 77};
        struct tsr_error e;
        edited(wrong[i].key, wrong[i].value, text, sizeof text);
        enum tsr_status s = parse(text, strlen(text), &m, &e);
        if (wrong[i].message == NULL) {
            assert_int_equal(s, TSR_OK);
            continue;
        }
        assert_int_equal(s, TSR_BAD_INPUT);
        assert_int_equal(m.hidden, 77); /* untouched */
        if (strncmp(e.message, wrong[i].message, strlen(wrong[i].message)) != 0)
            fail_msg("case %zu: got \"%s\", want \"%s...\"", i, e.message, wrong[i].message);
    }
}

static void test_config_without_head_dim_hidden_must_divide(void **state)
{
    (void)state;
    const char text[] = "{\"model_type\": \"llama\", \"hidden_size\": 100,\n"
                        "\"num_hidden_layers\": 2, \"num_attention_heads\": 8,\n"
                        "\"intermediate_size\": 7, \"vocab_size\": 11}";
    struct tsr_model m;
    struct tsr_error e;
    assert_int_equal(parse(text, sizeof text - 1, &m, &e), TSR_BAD_INPUT);
    assert_string_equal(e.message, "c.json:2:25: num_attention_heads: is 8, without head_dim a "
                                   "divisor of hidden_size = 100 is allowed");
}

/* The same key in another object, before or after, is not the one that is meant. */
static void test_config_places_are_of_the_right_object(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"q\": {\"hidden_size\": 5, \"a\": [{\"hidden_size\": 1}]},\n"
         "\"b\": \"\\\"hidden_size: \", \"c\": \"hidden_size\",\n"
         "\"model_type\": \"llama\", \"hidden_size\" : 0}",
         "c.json:3:24: hidden_size: is 0"},
        {"{\"model_type\": \"llama\", \"hidden_size\": 8, \"num_hidden_layers\": 1,\n"
         "\"num_attention_heads\": 1, \"intermediate_size\": 8, \"vocab_size\": 8,\n"
         "\"rope_scaling\": {\"rope_type\": \"yarn\"},\n"
         "\"q\": {\"factor\": 2}}",
         "c.json:3:1: rope_scaling.factor: required but missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tsr_model m;
        struct tsr_error e;
        assert_int_equal(parse(cases[i].text, strlen(cases[i].text), &m, &e), TSR_BAD_INPUT);
        if (strncmp(e.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("got \"%s\", want \"%s...\"", e.message, cases[i].message);
    }
}

static void test_config_absurd_products_are_refused(void **state)
{
    (void)state;
    const char text[] = "{\"model_type\": \"mixtral\", \"hidden_size\": 2147483646,"
                        "\"num_hidden_layers\": 1024, \"num_attention_heads\": 2147483647,"
                        "\"head_dim\": 2147483646,"
                        "\"intermediate_size\": 2147483647, \"vocab_size\": 2147483647,"
                        "\"num_local_experts\": 2147483647, \"num_experts_per_tok\": 2147483647}";
    struct tsr_model m;
    struct tsr_error e;
    assert_int_equal(parse(text, sizeof text - 1, &m, &e), TSR_BAD_INPUT);
    assert_non_null(strstr(e.message, "more parameters than the 2^56"));
}

static void test_config_broken_json_names_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "c.json:1:1: JSON: "},
        {"   ", "c.json:1:"},
        {"[]", "c.json:1:1: JSON: the top level is an array"},
        {"7", "c.json:1:1: JSON: "},
        {"null", "c.json:1:"},
        {"{\n \"hidden_size\": 1,\n \"hidden_size\": 2}",
         "c.json:3:14: JSON: duplicate object key"},
        {"{\n \"a\": 1,,}", "c.json:2:9: JSON: "},
        {"{\"a\": \"x\ny\"}", "c.json:1:"},
        {"{\"a\": 1} trailing", "c.json:1:"},
        {"{\"a\": \"\xff\xfe\"}", "c.json:1:"},
        {"{\"a\": tr\x01ue}", "c.json:1:"},
        {"{\"a\x01\": 1}", "c.json:1:"},
        {"{\x01}", "c.json:1:"},
        {"{\"a\x7f\" 1}", "c.json:1:"},
        {"{\"a\x7f\": 1, \"a\x7f\": 1}", "c.json:1:"},
        {"{\"a\": NaN}", "c.json:1:"},
        {"\xef\xbb\xbf{}", "c.json:1:"},
        {"{\"a\\u0000b\": 1}", "c.json:1:"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct tsr_model m;
        struct tsr_error e;
        assert_int_equal(parse(bad[i].text, strlen(bad[i].text), &m, &e), TSR_BAD_INPUT);
        if (strncmp(e.message, bad[i].message, strlen(bad[i].message)) != 0)
            fail_msg("case %zu: got \"%s\", want \"%s...\"", i, e.message, bad[i].message);
        for (const char *c = e.message; *c != '\0'; c++)
            assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
    }
    /* Nesting without end must not exhaust the stack. */
    size_t n = 1 << 20;
    char *deep = malloc(n);
    assert_non_null(deep);
    memset(deep, '[', n);
    struct tsr_model m;
    struct tsr_error e;
    assert_int_equal(parse(deep, n, &m, &e), TSR_BAD_INPUT);
    free(deep);
}

/* jansson takes a hundred bytes for a value of two: they are counted before they are made. */
static void test_config_more_values_than_any_has_are_refused(void **state)
{
    (void)state;
    const size_t n = 600000;
    char *text = malloc(n);
    struct tsr_error e;
    struct tsr_model m;
    memset(text, ',', n);
    memcpy(text, "{\"a\":[1", 7);
    for (size_t i = 8; i < n; i += 2)
        text[i] = '1';
    memcpy(text + n - 3, "1]}", 3);
    assert_int_equal(parse(text, n, &m, &e), TSR_BAD_INPUT);
    assert_non_null(strstr(e.message, "c.json:1:1: JSON: more than the 262144 values"));
    free(text);
}

static void test_config_truncated_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof base - 1; n++) {
        /* A buffer of its own that ends before an unmapped page. */
        char *copy = tsr_test_guarded(n + 1);
        memcpy(copy + 1, base, n);
        struct tsr_model m;
        struct tsr_error e;
        enum tsr_status s = parse(copy + 1, n, &m, &e);
        assert_int_equal(s, n == sizeof base - 2 ? TSR_OK : TSR_BAD_INPUT); /* last: a newline */
    }
}

static void test_config_random_damage_never_breaks(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("config damage", 20);
    int ok = 0;
    for (int i = 0; i < 20000; i++) {
        char copy[sizeof base];
        memcpy(copy, base, sizeof base);
        for (uint64_t k = tsr_test_random_below(&seed, 3) + 1; k > 0; k--) {
            size_t at = tsr_test_random_below(&seed, sizeof base - 1);
            copy[at] = tsr_test_random_below(&seed, 2) != 0
                           ? "0123456789-+.eE\"{}[],: \n\\"[tsr_test_random_below(&seed, 25)]
                           : (char)tsr_test_random(&seed);
        }
        struct tsr_model m;
        struct tsr_error e;
        enum tsr_status s = parse(copy, sizeof base - 1, &m, &e);
        assert_true(s == TSR_OK || s == TSR_BAD_INPUT);
        if (s != TSR_OK) {
            assert_memory_equal(e.message, "c.json:", 7);
            continue;
        }
        struct tsr_graph g;
        struct tsr_graph_options o = {.phase = TSR_PREFILL, .batch = 1u << 31, .seq = 1u << 31};
        s = tsr_graph_build(&m, &o, &g, NULL);
        assert_true(s == TSR_OK || s == TSR_BAD_INPUT);
        ok++;
    }
    assert_true(ok > 0);
}

static void expect_load(const char *name, enum tsr_status status, const char *message)
{
    struct tsr_model m;
    struct tsr_error e = {0};
    assert_int_equal(tsr_model_load(name, &m, &e), status);
    if (strstr(e.message, message) == NULL)
        fail_msg("got \"%s\", want \"%s\"", e.message, message);
}

static void test_config_files_that_cannot_be_read_are_named(void **state)
{
    (void)state;
    expect_load("llama-9", TSR_USAGE, "unknown name \"llama-9\", one of llama-2-7b");
    expect_load("", TSR_USAGE, "one of llama-2-7b");
    expect_load("./absent.json", TSR_BAD_INPUT, "./absent.json: cannot open: No such file");
    expect_load("absent.json", TSR_BAD_INPUT, "absent.json: cannot open");
    expect_load("/", TSR_BAD_INPUT, "/: cannot read: Is a directory");
    expect_load("/dev/zero", TSR_BAD_INPUT, "/dev/zero: larger than 16 MiB");
    expect_load("/dev/null", TSR_BAD_INPUT, "/dev/null:1:");
    tsr_test_write("test_config.json", base, sizeof base - 1);
    expect_load("test_config.json", TSR_OK, "");
    tsr_test_write("test_config.json", base, sizeof base - 4);
    expect_load("test_config.json", TSR_BAD_INPUT, "test_config.json:17:");
    /* A file whose size is a multiple of the reader's buffer, blanks included. */
    char *text = malloc(1 << 17);
    assert_non_null(text);
    memset(text, ' ', 1 << 17);
    memcpy(text, base, sizeof base - 1);
    tsr_test_write("test_config.json", text, 1 << 17);
    free(text);
    expect_load("test_config.json", TSR_OK, "");
    unlink("test_config.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_defaults_are_as_documented),
        cmocka_unit_test(test_config_base_is_read_as_written),
        cmocka_unit_test(test_config_wrong_values_name_place_and_key),
        cmocka_unit_test(test_config_without_head_dim_hidden_must_divide),
        cmocka_unit_test(test_config_places_are_of_the_right_object),
        cmocka_unit_test(test_config_absurd_products_are_refused),
        cmocka_unit_test(test_config_broken_json_names_line_and_column),
        cmocka_unit_test(test_config_more_values_than_any_has_are_refused),
        cmocka_unit_test(test_config_truncated_anywhere_is_refused),
        cmocka_unit_test(test_config_random_damage_never_breaks),
        cmocka_unit_test(test_config_files_that_cannot_be_read_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
