/* SPDX-License-Identifier: Apache-2.0 */
/* matmul, bench-gemm, check: the commands around the kernels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tests/support/program.h"

enum {
    M = 37,
    N = 65,
    K = 130
};

static float a[M * K], b[K * N], c[M * N], want[M * N];

/* Multiples of 1/2 (integers: of 1) within +-2: every format holds them, every sum is exact. */
static void make(uint64_t seed, float unit)
{
    for (int i = 0; i < M * K; i++)
        a[i] = unit * (float)((int)tsr_test_random_below(&seed, 5) - 2);
    for (int i = 0; i < K * N; i++)
        b[i] = unit * (float)((int)tsr_test_random_below(&seed, 5) - 2);
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            want[i * N + j] = 0.0f;
            for (int q = 0; q < K; q++)
                want[i * N + j] += a[i * K + q] * b[q * N + j];
        }
    tsr_test_write_npy("a.npy", M, K, a);
    tsr_test_write_npy("b.npy", K, N, b);
}

static void test_matmul_of_exact_values_is_exact(void **state)
{
    (void)state;
    static const char *const chips[] = {"micro", "micro4", "maia100"};
    static const char *const formats[] = {"bf16", "f16", "f8", "f8e5m2"};
    make(tsr_test_seed("matmul", 3), 0.5f);
    for (size_t i = 0; i < 3; i++)
        for (size_t f = 0; f < (i == 2 ? 1 : 4); f++) {
            remove("c.npy");
            char *out = TSR_EXPECT(0, NULL, "matmul", "--chip", chips[i], "--format", formats[f],
                                   "--a", "a.npy", "--b", "b.npy", "--output", "c.npy");
            assert_non_null(strstr(out, "cycles"));
            free(out);
            tsr_test_read_npy("c.npy", M, N, c);
            assert_memory_equal(c, want, sizeof c);
        }
}

/* Formats of 4 bits and more hold these values, whatever the largest of a block. */
static void test_matmul_in_block_and_mixed_formats_is_exact(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"mx9", "mx9"},  {"mx6", "mx6"},   {"mxf4", "mxf4"}, {"mxf8e4m3", "mxf6e2m3"},
        {"bf16", "mx6"}, {"mxi8", "bf16"}, {"mx9", "mxf4"},  {"f8e5m2", "mxf8e5m2"},
    };
    make(tsr_test_seed("matmul", 6), 0.5f);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        remove("c.npy");
        char *out = TSR_EXPECT(0, NULL, "matmul", "--chip", i % 2 ? "micro" : "maia100", "--format",
                               pairs[i][0], "--b-format", pairs[i][1], "--a", "a.npy", "--b",
                               "b.npy", "--output", "c.npy", "--json");
        json_t *o = json_loads(out, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(o, "b_format")), pairs[i][1]);
        json_decref(o);
        free(out);
        tsr_test_read_npy("c.npy", M, N, c);
        assert_memory_equal(c, want, sizeof c);
    }
    free(TSR_EXPECT(3, "does not take i8 by mx9", "matmul", "--chip", "micro", "--format", "i8",
                    "--b-format", "mx9", "--a", "a.npy", "--b", "b.npy", "--output", "c.npy"));
}

static void test_matmul_of_integers_writes_int32(void **state)
{
    (void)state;
    size_t n;
    make(tsr_test_seed("matmul", 4), 1.0f);
    free(TSR_EXPECT(0, NULL, "matmul", "--chip", "micro4", "--format", "i8", "--a", "a.npy", "--b",
                    "b.npy", "--output", "c.npy"));
    char *bytes = tsr_test_read("c.npy", &n);
    assert_non_null(strstr(bytes + 10, "'<i4'"));
    assert_int_equal(n, 128 + 4 * M * N);
    for (int i = 0; i < M * N; i++) {
        int32_t v;
        memcpy(&v, bytes + 128 + 4 * i, 4);
        assert_int_equal(v, (int32_t)want[i]);
    }
    free(bytes);
}

static void test_matmul_out_format_rounds_once(void **state)
{
    (void)state;
    make(tsr_test_seed("matmul", 5), 0.5f);
    free(TSR_EXPECT(0, NULL, "matmul", "--chip", "micro", "--format", "bf16", "--a", "a.npy", "--b",
                    "b.npy", "--output", "c.npy", "--out-format", "bf16"));
    tsr_test_read_npy("c.npy", M, N, c);
    for (int i = 0; i < M * N; i++) {
        uint32_t x, y;
        memcpy(&x, &want[i], 4);
        memcpy(&y, &c[i], 4);
        x = (x + 0x7fff + (x >> 16 & 1)) & 0xffff0000u; /* nearest even */
        assert_int_equal(x, y);
    }
}

static void test_matmul_saturation_is_said(void **state)
{
    (void)state;
    const float big[1] = {1000.0f};
    tsr_test_write_npy("x.npy", 1, 1, big);
    free(TSR_EXPECT(0, "x.npy: 1 values lie beyond f8e4m3", "matmul", "--chip", "micro", "--format",
                    "f8e4m3", "--a", "x.npy", "--b", "x.npy", "--output", "c.npy"));
    tsr_test_read_npy("c.npy", 1, 1, c);
    assert_true(c[0] == 448.0f * 448.0f);
}

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static void test_bench_gemm_has_its_keys_and_they_agree(void **state)
{
    (void)state;
    static const char *const waits[] = {"semaphore", "queue_full", "operand_port",
                                        "hbm",       "mesh",       "drained"};
    json_t *o = TSR_JSON("bench-gemm", "--chip", "maia100", "--m", "512", "--n", "512", "--k",
                         "512", "--format", "bf16", "--json");
    json_t *w = json_object_get(o, "waits");
    double cycles = number(o, "cycles"), busy = number(o, "ttu_busy"), sum = 0.0;
    assert_int_equal(json_object_size(w), 6);
    for (int i = 0; i < 6; i++)
        sum += number(w, waits[i]);
    assert_true(sum > 0.0 && sum <= 64.0 * cycles);
    double ideal = 512.0 * 512.0 * 512.0 / (64 * 4096);
    double use = number(o, "ttu_utilisation"), hbm = number(o, "hbm_utilisation");
    assert_true(use > 0.999 * ideal / cycles && use < 1.001 * ideal / cycles);
    assert_true(use <= busy && busy <= 1.0 && hbm > 0.0 && hbm <= 1.0);
    assert_true(number(o, "cpu_s") >= 0.0 && number(o, "wall_s") > 0.0);
    assert_true(number(o, "max_rss_kib") > 1000.0);
    json_decref(o);
    TSR_SAME_TWICE("bench-gemm", "--chip", "maia100", "--m", "100", "--n", "300", "--k", "200",
                   "--format", "i8", "--json");
    /* of two formats the wider one's peak: mx9's 32 products a step, not mx6's 64 */
    o = TSR_JSON("bench-gemm", "--chip", "maia100", "--m", "512", "--n", "512", "--k", "512",
                 "--format", "mx6", "--b-format", "mx9", "--json");
    use = number(o, "ttu_utilisation") * number(o, "cycles") * (64 * 8192);
    assert_float_equal(use, 512.0 * 512.0 * 512.0, 1.0);
    json_decref(o);
    json_t *one = TSR_JSON("bench-gemm", "--chip", "micro4", "--m", "9", "--n", "9", "--k", "9",
                           "--format", "bf16", "--json", "--threads", "1");
    json_t *two = TSR_JSON("bench-gemm", "--chip", "micro4", "--m", "9", "--n", "9", "--k", "9",
                           "--format", "bf16", "--json", "--threads", "2");
    assert_true(number(one, "cycles") == number(two, "cycles"));
    json_decref(one);
    json_decref(two);
}

/* 4 x 4 queries and keys, causal: 10 pairs of 16; a window of 2 leaves 7. */
static void test_bench_attention_counts_what_the_mask_leaves(void **state)
{
    (void)state;
    double ratio[3];
    for (int i = 0; i < 3; i++) {
        const char *const all[] = {"bench-attention",
                                   "--chip",
                                   "micro",
                                   "--phase",
                                   "prefill",
                                   "--heads",
                                   "2",
                                   "--kv-heads",
                                   "1",
                                   "--dim",
                                   "8",
                                   "--seq",
                                   "4",
                                   "--json",
                                   i > 0 ? "--causal" : NULL,
                                   "--window",
                                   "2"};
        const char *words[18] = {NULL};
        memcpy(words, all, (i == 2 ? 17 : 15) * sizeof *words);
        char *text = tsr_test_expect(0, NULL, words);
        json_t *o = json_loads(text, 0, NULL);
        assert_non_null(o);
        ratio[i] = json_real_value(json_object_get(o, "ttu_utilisation")) *
                   (double)json_integer_value(json_object_get(o, "cycles"));
        assert_true(json_real_value(json_object_get(o, "tvp_utilisation")) > 0);
        assert_true(json_integer_value(json_object_get(
                        json_object_get(json_object_get(o, "waits"), "tvp"), "semaphore")) > 0);
        json_decref(o);
        free(text);
    }
    /* cycles x peak of 64 MACs x utilisation = 2 x 2 heads x 8 x pairs */
    assert_float_equal(ratio[0], 2 * 2 * 8 * 16 / 64.0, 1e-9);
    assert_float_equal(ratio[1], 2 * 2 * 8 * 10 / 64.0, 1e-9);
    assert_float_equal(ratio[2], 2 * 2 * 8 * 7 / 64.0, 1e-9);
}

/* A cache of 8 bits halves what the keys and values of 256 positions move; q and o stay. */
static void test_bench_attention_reads_a_narrow_cache(void **state)
{
    (void)state;
    double bytes[2];
    for (int i = 0; i < 2; i++) {
        json_t *o = TSR_JSON("bench-attention", "--chip", "micro", "--phase", "decode", "--heads",
                             "2", "--kv-heads", "1", "--dim", "32", "--seq", "256", "--kv",
                             i ? "f8e5m2" : "bf16", "--json");
        bytes[i] = number(o, "hbm_bytes");
        json_decref(o);
    }
    assert_true(bytes[0] >= 2 * 256 * 32 * 2);
    assert_float_equal(bytes[0] - bytes[1], 256 * 32 * 2, 1024);
    free(tsr_test_expect(3, "kv_format f32: allowed are bf16",
                         (const char *const[]){"bench-attention", "--chip", "micro", "--phase",
                                               "decode", "--heads", "2", "--kv-heads", "1", "--dim",
                                               "32", "--seq", "64", "--kv", "f32", NULL}));
}

#define RAGGED(...)                                                                                \
    "bench-attention", "--chip", "micro", "--phase", "prefill", "--causal", "--heads", "2",        \
        "--kv-heads", "1", "--dim", "8", "--batch", "3", "--seq", "9", __VA_ARGS__

/* Lengths from 9 to 9 are all 9: the same products and bytes, in pages too. Others come by seed. */
static void test_bench_attention_draws_pages_and_lengths_by_seed(void **state)
{
    (void)state;
    json_t *plain = TSR_JSON(RAGGED("--json")),
           *same = TSR_JSON(RAGGED("--min-seq", "9", "--page", "2", "--json")),
           *one = TSR_JSON(RAGGED("--min-seq", "1", "--seed", "5", "--json")),
           *two = TSR_JSON(RAGGED("--min-seq", "1", "--seed", "6", "--json"));
    const double macs = number(plain, "ttu_utilisation") * number(plain, "cycles") * 64;
    assert_float_equal(macs, 2.0 * 3 * 2 * 8 * 45, 1e-6); /* 9 x 10 / 2 pairs */
    assert_float_equal(number(same, "ttu_utilisation") * number(same, "cycles") * 64, macs, 1e-6);
    assert_true(number(one, "ttu_utilisation") * number(one, "cycles") * 64 < macs);
    assert_true(number(one, "hbm_bytes") < number(plain, "hbm_bytes"));
    assert_true(number(one, "hbm_bytes") != number(two, "hbm_bytes"));
    TSR_SAME_TWICE(RAGGED("--min-seq", "1", "--page", "4", "--seed", "3", "--json"));
    free(tsr_test_expect(3, "--page: gradients: K and V lie in no pages",
                         (const char *const[]){"bench-attention", "--chip", "micro", "--phase",
                                               "backward", "--heads", "2", "--kv-heads", "1",
                                               "--dim", "8", "--seq", "9", "--page", "4", NULL}));
    json_t *back = TSR_JSON("bench-attention", "--chip", "micro", "--phase", "backward", "--heads",
                            "2", "--kv-heads", "1", "--dim", "8", "--seq", "64", "--batch", "3",
                            "--min-seq", "1", "--json");
    assert_true(number(back, "cycles") > 0 && number(back, "ttu_utilisation") > 0);
    const json_t *parts = json_object_get(back, "part_cycles");
    assert_true(number(parts, "delta") + number(parts, "dq") + number(parts, "dk") +
                    number(parts, "dv") ==
                number(back, "cycles"));
    json_decref(back);
    free(tsr_test_expect(3, "--min-seq 10: at most --seq 9",
                         (const char *const[]){RAGGED("--min-seq", "10"), NULL}));
    json_decref(plain);
    json_decref(same);
    json_decref(one);
    json_decref(two);
}

static void test_check_of_right_kernels_passes_and_repeats(void **state)
{
    (void)state;
    json_t *o = TSR_JSON("check", "matmul", "--chip", "micro", "--shape", "5x6x7", "--seed", "9",
                         "--json", "--junit", "j.xml");
    assert_true(number(o, "programs") > 10 && number(o, "instructions") > 100);
    assert_true(number(o, "cycles") > 1000 && number(o, "mismatches") == 0);
    assert_true(number(o, "seed") == 9);
    json_decref(o);
    char *xml = tsr_test_read("j.xml", NULL);
    assert_int_equal(strncmp(xml, "<testsuite ", 11), 0);
    assert_non_null(strstr(xml, "<testcase classname=\"matmul\" name=\"bf16 5x6x7 gate\"/>"));
    assert_non_null(strstr(xml, "failures=\"0\""));
    assert_non_null(strstr(xml, "</testsuite>\n"));
    free(xml);
    TSR_SAME_TWICE("check", "matmul", "--chip", "micro4", "--format", "i8", "--json");
    char *text = TSR_EXPECT(0, NULL, "check", "matmul", "--chip", "micro", "--format", "i8");
    assert_non_null(strstr(text, "0 failed"));
    free(text);
}

/* A machine whose vsilu_mul forgets the division: the reference sees it. */
static void test_check_of_a_wrong_machine_exits_1_and_says_how_to_repeat(void **state)
{
    (void)state;
    static const char overlay[] =
        "instructions:\n"
        "- {mnemonic: vsilu_mul, stream: tvp, unit: tvp, opcode: 0x47, exec: lanes,\n"
        "   lanes: \"mul(a, b)\", occupancy: 1, latency: lat_silu,\n"
        "   operands: [{name: d, kind: vreg, at: 8}, {name: a, kind: vreg, at: 13},\n"
        "              {name: b, kind: vreg, at: 18}], doc: wrong}\n";
    tsr_test_write("wrong.yaml", overlay, strlen(overlay));
    free(TSR_EXPECT(1,
                    "repeat: tessera check matmul --chip micro --shape 3x4x5 --format bf16 "
                    "--seed 2 --isa wrong.yaml",
                    "check", "matmul", "--chip", "micro", "--shape", "3x4x5", "--format", "bf16",
                    "--seed", "2", "--isa", "wrong.yaml", "--junit", "j.xml"));
    char *xml = tsr_test_read("j.xml", NULL);
    assert_non_null(strstr(xml, "failures=\"1\""));
    assert_non_null(strstr(xml, "<failure message=\"C["));
    free(xml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul_of_exact_values_is_exact),
        cmocka_unit_test(test_matmul_in_block_and_mixed_formats_is_exact),
        cmocka_unit_test(test_matmul_of_integers_writes_int32),
        cmocka_unit_test(test_matmul_out_format_rounds_once),
        cmocka_unit_test(test_matmul_saturation_is_said),
        cmocka_unit_test(test_bench_attention_counts_what_the_mask_leaves),
        cmocka_unit_test(test_bench_attention_reads_a_narrow_cache),
        cmocka_unit_test(test_bench_attention_draws_pages_and_lengths_by_seed),
        cmocka_unit_test(test_bench_gemm_has_its_keys_and_they_agree),
        cmocka_unit_test(test_check_of_right_kernels_passes_and_repeats),
        cmocka_unit_test(test_check_of_a_wrong_machine_exits_1_and_says_how_to_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
