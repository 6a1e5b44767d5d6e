/* SPDX-License-Identifier: Apache-2.0 */
/* tessera attention: files in, the reference's values out, and what it refuses. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/ref.h"
#include "tessera/attention.h"
#include "tests/support/harness.h"
#include "tests/support/program.h"

enum {
    BATCH = 2,
    QUERIES = 19,
    KEYS = 45,
    HEADS = 4,
    KV_HEADS = 2,
    DIM = 32,
    N_Q = BATCH * QUERIES * HEADS * DIM,
    N_K = BATCH * KEYS * KV_HEADS * DIM
};

static float q[N_Q], k[N_K], v[N_K], o[N_Q], want[N_Q], sinks[HEADS];

static void write_tensor(const char *path, const char *shape, const float *x, size_t n)
{
    char head[128];
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    int at = snprintf(head, sizeof head,
                      "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", shape);
    memset(head + at, ' ', sizeof head - (size_t)at);
    head[117] = '\n'; /* 10 + 118 = 128 bytes */
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, f);
    fwrite(head, 1, 118, f);
    fwrite(x, 4, n, f);
    assert_int_equal(fclose(f), 0);
}

static void read_result(const char *shape)
{
    size_t size;
    char *bytes = tsr_test_read("o.npy", &size);
    assert_int_equal(size, 128 + sizeof o);
    bytes[127] = '\0';
    assert_non_null(strstr(bytes + 10, shape));
    memcpy(o, bytes + 128, sizeof o);
    free(bytes);
}

/* Values of 8 significant bits, which bf16 holds. */
static void draw(float *x, size_t n, uint64_t *seed)
{
    for (size_t i = 0; i < n; i++)
        x[i] = ldexpf((float)((int)tsr_test_random_below(seed, 511) - 255), -8);
}

static void make(uint64_t seed)
{
    draw(q, N_Q, &seed);
    draw(k, N_K, &seed);
    draw(v, N_K, &seed);
    draw(sinks, HEADS, &seed);
    write_tensor("q.npy", "2, 19, 4, 32", q, N_Q);
    write_tensor("k.npy", "2, 45, 2, 32", k, N_K);
    write_tensor("v.npy", "2, 45, 2, 32", v, N_K);
    write_tensor("s.npy", "4,", sinks, HEADS);
}

/* |v| <= 1. Half an ULP of bf16 relative (2^-8) for the weights and for the result; the weights'
 * own error through the logits |u| <= 32 x 1.45 is below 2^-14. */
static void expect_near(void)
{
    for (size_t i = 0; i < N_Q; i++)
        if (!(fabsf(o[i] - want[i]) <= 0x1p-8f + 0x1p-8f * fabsf(want[i]) + 0x1p-10f))
            fail_msg("element %zu is %.9g, %.9g is right", i, (double)o[i], (double)want[i]);
}

static void compare(const struct tsr_attention_shape *s, bool sunk)
{
    for (size_t b = 0; b < BATCH; b++)
        tsr_attention_ref(s, q + b * N_Q / BATCH, k + b * N_K / BATCH, v + b * N_K / BATCH,
                          sunk ? sinks : NULL, want + b * N_Q / BATCH);
    expect_near();
}

static void test_attention_of_files_is_the_references(void **state)
{
    (void)state;
    struct tsr_attention_shape s = {.heads = HEADS,
                                    .kv_heads = KV_HEADS,
                                    .head_dim = DIM,
                                    .q_len = QUERIES,
                                    .kv_len = KEYS,
                                    .scale = 1 / sqrt(DIM)};
    make(tsr_test_seed("attention", 5));
    free(TSR_EXPECT(0, NULL, "attention", "--chip", "micro", "--q", "q.npy", "--k", "k.npy", "--v",
                    "v.npy", "--output", "o.npy"));
    read_result("(2, 19, 4, 32)");
    compare(&s, false);
    s.causal = true;
    s.window = 21;
    s.scale = 2;
    s.softcap = 3.5;
    free(TSR_EXPECT(0, NULL, "attention", "--chip", "micro4", "--q", "q.npy", "--k", "k.npy", "--v",
                    "v.npy", "--sinks", "s.npy", "--causal", "--window", "21", "--scale", "2",
                    "--softcap", "3.5", "--output", "o.npy"));
    read_result("(2, 19, 4, 32)");
    compare(&s, true);
}

/* A mask that leaves the keys of even numbers, a prefix of 7 beside causal, ALiBi: as the
 * definition has them. */
static void test_attention_of_files_with_masks_is_the_definitions(void **state)
{
    (void)state;
    static uint8_t mask[BATCH * QUERIES * KEYS];
    static float plane[QUERIES * KEYS];
    const uint32_t queries[BATCH] = {QUERIES, QUERIES}, keys[BATCH] = {KEYS, KEYS},
                   prefix[BATCH] = {7, 7};
    struct tsr_attention a = {.batch = BATCH,
                              .q_len = queries,
                              .kv_len = keys,
                              .heads = HEADS,
                              .kv_heads = KV_HEADS,
                              .dim = DIM,
                              .value_dim = DIM,
                              .scale = 1 / sqrt(DIM),
                              .causal = true,
                              .prefix = prefix,
                              .mask = mask,
                              .slopes = sinks};
    make(tsr_test_seed("attention", 8));
    for (size_t i = 0; i < sizeof mask; i++)
        mask[i] = i % KEYS % 2 == 0;
    for (size_t i = 0; i < QUERIES * KEYS; i++)
        plane[i] = i % KEYS % 2 == 0 ? 3.5f : -0.0f;
    tsr_test_write_npy("m.npy", QUERIES, KEYS, plane);
    free(TSR_EXPECT(0, NULL, "attention", "--chip", "micro", "--q", "q.npy", "--k", "k.npy", "--v",
                    "v.npy", "--slopes", "s.npy", "--causal", "--prefix", "7", "--mask", "m.npy",
                    "--output", "o.npy"));
    read_result("(2, 19, 4, 32)");
    tsr_attention_plain(&a, q, k, v, want, NULL);
    expect_near();
}

/* All keys alike: each result is the mean of the values it sees, here all ones, in any format of
 * the cache. */
static void test_attention_serves_the_caches_formats(void **state)
{
    (void)state;
    static const char *const formats[] = {"f8e4m3", "f8e5m2", "mxf8e4m3", "q8_0", "mx6", "i8"};
    make(tsr_test_seed("attention", 6));
    for (size_t i = 0; i < N_K; i++)
        v[i] = 1;
    write_tensor("v.npy", "2, 45, 2, 32", v, N_K);
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        json_t *r = TSR_JSON("attention", "--chip", "micro", "--q", "q.npy", "--k", "k.npy", "--v",
                             "v.npy", "--kv", formats[f], "--output", "o.npy", "--json");
        assert_string_equal(json_string_value(json_object_get(r, "kv_format")), formats[f]);
        assert_true(json_integer_value(json_object_get(r, "cycles")) > 1000);
        json_decref(r);
        read_result("(2, 19, 4, 32)");
        for (size_t n = 0; n < N_Q; n++) /* the weights' rounding, 2^-9 on average zero */
            assert_float_equal(o[n], 1, 0x1p-8);
    }
}

/* Codes of -127 to 127 under a power of two that differs from group to group of 7 tokens, each with
 * a 127: what the cache then holds are the values themselves. */
static void draw_groups(float *x, uint64_t *seed)
{
    for (size_t i = 0; i < N_K; i++) {
        size_t head = i / DIM % KV_HEADS, t = i / DIM / KV_HEADS % KEYS, e = i % DIM;
        int code = (int)tsr_test_random_below(seed, 255) - 127;
        x[i] = ldexpf((float)(t % 7 == 0 && e == 3 ? 127 : code), -7 - (int)((t / 7 + head) % 3));
    }
}

static void test_attention_of_integers_has_a_scale_for_each_group(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("attention", 9);
    struct tsr_attention_shape s = {.heads = HEADS,
                                    .kv_heads = KV_HEADS,
                                    .head_dim = DIM,
                                    .q_len = QUERIES,
                                    .kv_len = KEYS,
                                    .causal = true,
                                    .scale = 1 / sqrt(DIM)};
    make(seed);
    draw_groups(k, &seed);
    draw_groups(v, &seed);
    write_tensor("k.npy", "2, 45, 2, 32", k, N_K);
    write_tensor("v.npy", "2, 45, 2, 32", v, N_K);
    free(TSR_EXPECT(0, NULL, "attention", "--chip", "micro4", "--q", "q.npy", "--k", "k.npy", "--v",
                    "v.npy", "--kv", "i8", "--kv-group", "7", "--causal", "--output", "o.npy"));
    read_result("(2, 19, 4, 32)");
    compare(&s, false);
}

/* The overlay that ships: fewer cycles, the same bits. */
static void test_attention_under_the_softcap_overlay_is_the_same(void **state)
{
    (void)state;
    static float without[N_Q];
    char overlay[1024];
    const char *source = getenv("TESSERA_SOURCE_DIR");
    assert_non_null(source);
    snprintf(overlay, sizeof overlay, "%s/isa/overlays/softcap.yaml", source);
    make(tsr_test_seed("attention", 10));
    json_t *r =
        TSR_JSON("attention", "--chip", "micro", "--q", "q.npy", "--k", "k.npy", "--v", "v.npy",
                 "--softcap", "2", "--scale", "0.5", "--output", "o.npy", "--json");
    const json_int_t plain = json_integer_value(json_object_get(r, "cycles"));
    json_decref(r);
    read_result("(2, 19, 4, 32)");
    memcpy(without, o, sizeof o);
    r = TSR_JSON("attention", "--chip", "micro", "--q", "q.npy", "--k", "k.npy", "--v", "v.npy",
                 "--softcap", "2", "--scale", "0.5", "--output", "o.npy", "--json", "--isa",
                 overlay);
    assert_true(json_integer_value(json_object_get(r, "cycles")) < plain);
    json_decref(r);
    read_result("(2, 19, 4, 32)");
    assert_memory_equal(o, without, sizeof o);
}

static void test_attention_refuses_with_reason(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *says, *option, *text;
    } rows[] = {
        {3, "k3.npy is 1 x 45 x 3 x 32 beside queries of 2 x 19 x 4 x 32", "--k", "k3.npy"},
        {3, "s.npy: 1 dimensions", "--q", "s.npy"},
        {3, "v.npy: a vector of 4 numbers is wanted", "--sinks", "v.npy"},
        {3, "none.npy: No such file", "--v", "none.npy"},
        {3, "s.npy: [2 x] 19 x 45 is wanted", "--mask", "s.npy"},
        {3, "k3.npy is 1 x 45 x 3 x 32", "--v", "k3.npy"},
        {3, "element [0, 0, 0, 0]", "--q", "nan.npy"},
        {3, "kv_format f32", "--kv", "f32"},
        {2, "--kv-group is for --kv i8", "--kv-group", "4"},
        {2, "--scale 0: a number from", "--scale", "0"},
        {2, "--softcap x: a number from", "--softcap", "x"},
        {2, "--window 0: an integer", "--window", "0"},
    };
    make(7);
    write_tensor("k3.npy", "45, 3, 32", k, 45 * 3 * 32);
    q[0] = NAN;
    write_tensor("nan.npy", "2, 19, 4, 32", q, N_Q);
    remove("o.npy");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        free(TSR_EXPECT(rows[i].code, rows[i].says, "attention", "--chip", "micro", "--q", "q.npy",
                        "--k", "k.npy", "--v", "v.npy", "--output", "o.npy", rows[i].option,
                        rows[i].text));
    assert_null(fopen("o.npy", "rb"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_of_files_is_the_references),
        cmocka_unit_test(test_attention_of_files_with_masks_is_the_definitions),
        cmocka_unit_test(test_attention_serves_the_caches_formats),
        cmocka_unit_test(test_attention_of_integers_has_a_scale_for_each_group),
        cmocka_unit_test(test_attention_under_the_softcap_overlay_is_the_same),
        cmocka_unit_test(test_attention_refuses_with_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
