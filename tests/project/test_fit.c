/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of weights, cache and workspace against the chip's HBM. */
#include "tests/support/harness.h"

#include <string.h>

#include "tessera/model.h"

static const struct tsr_chip chip64 = {.name = "maia100", .hbm = {.bytes = 64ull << 30}};

static struct tsr_model load(const char *name)
{
    struct tsr_model m;
    assert_int_equal(tsr_model_load(name, &m, NULL), TSR_OK);
    return m;
}

static void test_fit_kv_per_token_equals_known_values(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t bytes;
    } known[] = {
        {"llama-2-7b", 524288},   {"llama-3.1-8b", 131072}, {"mistral-7b", 131072},
        {"mixtral-8x7b", 131072}, {"llama-2-70b", 327680},  {"llama-3.1-70b", 327680},
        {"grok-1", 262144},       {"gpt-oss-20b", 49152},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct tsr_model m = load(known[i].name);
        struct tsr_graph_options o = {.phase = TSR_DECODE, .batch = 1, .seq = 1};
        struct tsr_fit f;
        struct tsr_error e = {0};
        tsr_model_fit(&m, &o, &chip64, &f, &e);
        assert_int_equal(f.kv_token_bytes, known[i].bytes);
        assert_int_equal(f.kv_bytes, known[i].bytes);
    }
}

static void test_fit_window_bounds_the_cache(void **state)
{
    (void)state;
    struct tsr_model m = load("gpt-oss-20b");
    struct tsr_graph_options o = {.phase = TSR_DECODE, .batch = 3, .seq = 1128};
    struct tsr_fit f;
    assert_int_equal(tsr_model_fit(&m, &o, &chip64, &f, NULL), TSR_OK);
    assert_int_equal(f.kv_bytes, 3 * (49152 / 2) * (1128 + 128));
}

static void test_fit_llama_batch_64_fits_in_28_6_gib(void **state)
{
    (void)state;
    struct tsr_model m = load("llama-2-7b");
    struct tsr_graph_options o = {.phase = TSR_DECODE, .batch = 64, .seq = 512};
    struct tsr_fit f;
    assert_int_equal(tsr_model_fit(&m, &o, &chip64, &f, NULL), TSR_OK);
    assert_int_equal(f.weight_bytes, 2ull * 6738415616);
    assert_int_equal(f.kv_bytes, 64ull * 512 * 524288);
    assert_int_equal(f.total_bytes, f.weight_bytes + f.kv_bytes + f.workspace_bytes);
    assert_int_equal(f.chips, 1);
    /* Largest operation of 64 tokens: lm_head with f32 logits. */
    assert_int_equal(f.workspace_bytes, 64 * 4096 * 2 + 64 * (4096 * 2 + 32000 * 4));
    assert_true(f.total_bytes > 28.5 * (1 << 30) && f.total_bytes < 28.7 * (1 << 30));
}

static void test_fit_refuses_with_sizes_and_chips(void **state)
{
    (void)state;
    struct tsr_model m = load("llama-2-70b");
    struct tsr_graph_options o = {.phase = TSR_DECODE, .batch = 1, .seq = 2048};
    struct tsr_fit f;
    struct tsr_error e = {0};
    assert_int_equal(tsr_model_fit(&m, &o, &chip64, &f, &e), TSR_BAD_INPUT);
    assert_int_equal(f.chips, 3);
    assert_string_equal(e.message,
                        "llama-2-70b: does not fit maia100: weights 128.48 GiB + KV cache 0.62 "
                        "GiB + workspace 0.00 GiB = 129.10 GiB, HBM 64.00 GiB; 3 chips would be "
                        "needed");
    /* The limit itself fits; one byte less does not. */
    struct tsr_chip chip = chip64;
    chip.hbm.bytes = f.total_bytes;
    assert_int_equal(tsr_model_fit(&m, &o, &chip, &f, NULL), TSR_OK);
    assert_int_equal(f.chips, 1);
    chip.hbm.bytes--;
    assert_int_equal(tsr_model_fit(&m, &o, &chip, &f, NULL), TSR_BAD_INPUT);
    assert_int_equal(f.chips, 2);
}

static void test_fit_narrow_weights_and_cache_make_room(void **state)
{
    (void)state;
    static const struct tsr_format mxf4 = {.name = "mxf4", .code = TSR_MXF4,
                                           .family = TSR_FAMILY_MX, .bits = 4, .block = 32,
                                           .scale_bits = 8};
    static const struct tsr_format f8 = {.name = "f8e4m3", .code = TSR_F8E4M3, .bits = 8,
                                         .block = 1};
    struct tsr_model m = load("llama-2-70b");
    struct tsr_graph_options o = {.phase = TSR_DECODE, .batch = 1, .seq = 2048, .weights = &mxf4,
                                  .kv = &f8};
    struct tsr_fit f;
    assert_int_equal(tsr_model_fit(&m, &o, &chip64, &f, NULL), TSR_OK);
    /* 17 bytes per 32 elements; the input table and the norms stay in bf16. */
    uint64_t table = 32000ull * 8192, norms = 161 * 8192;
    assert_int_equal(f.weight_bytes,
                     (68976648192 - table - norms) / 32 * 17 + 2 * (table + norms));
    assert_int_equal(f.kv_bytes, 2048ull * 327680 / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit_kv_per_token_equals_known_values),
        cmocka_unit_test(test_fit_window_bounds_the_cache),
        cmocka_unit_test(test_fit_llama_batch_64_fits_in_28_6_gib),
        cmocka_unit_test(test_fit_refuses_with_sizes_and_chips),
        cmocka_unit_test(test_fit_narrow_weights_and_cache_make_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
