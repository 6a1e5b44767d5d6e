/* SPDX-License-Identifier: Apache-2.0 */
/* Files of every container, family and format: what is read is what was written. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/weights/weights_priv.h"
#include "tests/support/harness.h"
#include "tests/support/model_files.h"

/* ---- the model's sizes ---- */

static void same_number(const char *what, double got, double want, bool f32)
{
    if (f32 ? (float)got != (float)want : got != want)
        fail_msg("%s: %.17g instead of %.17g", what, got, want);
}

#define SAME(field) same_number(#field, (double)got->field, (double)want->field, f32)

/* f32: the file holds numbers with a fraction in single precision. */
static void same_model(const struct tsr_model *got, const struct tsr_model *want, bool f32)
{
    SAME(arch), SAME(hidden), SAME(layers), SAME(heads), SAME(kv_heads), SAME(head_dim), SAME(ffn);
    SAME(expert_ffn), SAME(experts), SAME(top_k), SAME(vocab), SAME(context), SAME(window);
    SAME(tied), SAME(qkv_bias), SAME(o_bias), SAME(ffn_bias), SAME(router_bias), SAME(qk_norm);
    SAME(sinks), SAME(router_after_topk), SAME(router_renorm), SAME(post_norms), SAME(activation);
    SAME(act_limit), SAME(act_alpha), SAME(norm_eps), SAME(embed_scale), SAME(logit_scale);
    SAME(attn_scale), SAME(attn_softcap), SAME(rope.scaling), SAME(rope.theta), SAME(rope.factor);
    SAME(rope.low_freq_factor), SAME(rope.high_freq_factor), SAME(rope.beta_fast);
    SAME(rope.beta_slow), SAME(rope.truncate), SAME(rope.attention_factor);
    SAME(rope.original_context);
    assert_memory_equal(got->layer_kind, want->layer_kind, sizeof got->layer_kind);
}

/* ---- values ---- */

/* How far a value may lie from the one written, `most` being the largest magnitude that shares its
 * scale: half a step of the format (a whole one where a scale is rounded as well). */
static double bound(enum tsr_dtype format, double x, double most)
{
    switch (format) {
    case TSR_F32:
        return 0;
    case TSR_F16:
        return fmax(ldexp(fabs(x), -11), 0x1p-25);
    case TSR_BF16:
        return ldexp(fabs(x), -8);
    case TSR_Q8_0:
        return most / 127;
    case TSR_Q4_0:
        return most / 8 + most / 512; /* +8/8 is no code, and d is rounded to f16 */
    case TSR_Q4_K:
        return most / 15 * 2; /* the range is up to twice most, scales have 6 bits */
    case TSR_Q6_K:
        return most / 31 + most / 254;
    default: /* mxf4: the step is 2^X at least max / 6 .. max / 3; beyond 6 saturates */
        return most / 3;
    }
}

/* Elements that share a scale (of scales, where these share another). */
static uint64_t block_of(enum tsr_dtype format)
{
    return format == TSR_F32 || format == TSR_F16 || format == TSR_BF16 ? 1
           : format == TSR_Q4_K || format == TSR_Q6_K                   ? 256
                                                                        : 32;
}

static void same_row(const struct tsr_test_weights *w, enum tsr_part part, uint32_t layer,
                     uint32_t expert, const struct tsr_matrix *m, uint64_t row, const float *got)
{
    uint64_t block = block_of(m->tensor->format);
    for (uint64_t c = 0; c < m->cols; c += block) {
        double most = 0;
        uint64_t end = c + block < m->cols ? c + block : m->cols;
        for (uint64_t i = c; i < end; i++)
            most = fmax(most, fabs((double)tsr_test_weight(w, part, layer, expert, row, i)));
        for (uint64_t i = c; i < end; i++) {
            double x = (double)tsr_test_weight(w, part, layer, expert, row, i);
            if (!(fabs((double)got[i] - x) <= bound(m->tensor->format, x, most)))
                fail_msg("%s: %s, layer %u, expert %u, row %llu, %llu: %g instead of %g",
                         w->model.name, tsr_part_name(part), layer, expert, (unsigned long long)row,
                         (unsigned long long)i, (double)got[i], x);
        }
    }
}

static unsigned check_part(const struct tsr_weights *f, const struct tsr_test_weights *w,
                           enum tsr_part part, uint32_t layer, uint32_t expert)
{
    struct tsr_matrix m;
    struct tsr_error err = {0};
    if (tsr_weights_find(f, part, layer, expert, &m, &err) != TSR_OK) {
        assert_non_null(strstr(err.message, "the model has no"));
        return 0;
    }
    enum tsr_part from = part == TSR_PART_LM_HEAD && w->model.tied ? TSR_PART_EMBED : part;
    float *x = malloc(m.rows * m.cols * sizeof *x), *one = malloc(m.cols * sizeof *one);
    tsr_matrix_rows_f32(&m, 0, m.rows, x, m.cols);
    for (uint64_t r = 0; r < m.rows; r++)
        same_row(w, from, layer, expert, &m, r, x + r * m.cols);
    tsr_matrix_rows_f32(&m, m.rows - 1, 1, one, m.cols);
    assert_memory_equal(one, x + (m.rows - 1) * m.cols, m.cols * sizeof *one);
    free(x);
    free(one);
    return 1;
}

/* What tsr_test_weight says of every part; returns how many parts there are. */
static unsigned check_values(const struct tsr_weights *f, const struct tsr_test_weights *w)
{
    const struct tsr_model *m = &w->model;
    unsigned n = 0;
    for (int p = 0; p < TSR_PART_COUNT; p++)
        for (uint32_t l = 0; l < (p <= TSR_PART_LM_HEAD ? 1 : m->layers); l++)
            for (uint32_t e = 0; e < (p < TSR_PART_EXPERT_GATE ? 1 : m->experts); e++)
                n += check_part(f, w, (enum tsr_part)p, l, e);
    return n;
}

static void check_file(const struct tsr_test_weights *w, const char *path)
{
    struct tsr_weights *f;
    struct tsr_error err = {0};
    struct tsr_model m;
    tsr_test_weights_write(w, path);
    if (tsr_weights_open(path, &f, &err) != TSR_OK || tsr_weights_model(f, &m, &err) != TSR_OK)
        fail_msg("%s: %s", w->model.name, err.message);
    assert_int_equal(tsr_weights_kind(f), w->container);
    assert_string_equal(tsr_weights_path(f), path);
    same_model(&m, &w->model, w->container == TSR_WEIGHTS_GGUF);
    assert_in_range(check_values(f, w), 2 + 8 * m.layers, 1000);
    tsr_weights_release(f); /* pages come back */
    if (m.arch == TSR_ARCH_LLAMA)
        assert_in_range(check_values(f, w), 2 + 8 * m.layers, 1000);
    tsr_weights_close(f);
}

static struct tsr_test_weights made_up(enum tsr_arch arch, bool wide)
{
    struct tsr_test_weights w = {.seed = 1, .matrices = TSR_F32};
    tsr_test_model(arch, wide, &w.model);
    snprintf(w.model.name, sizeof w.model.name, "%s", tsr_arch_name(arch));
    return w;
}

static void test_read_gguf_every_family(void **state)
{
    (void)state;
    for (int a = 0; a <= TSR_ARCH_PHI3; a++) {
        struct tsr_test_weights w = made_up((enum tsr_arch)a, false);
        w.container = TSR_WEIGHTS_GGUF;
        check_file(&w, "family.gguf");
    }
}

static void test_read_gguf_every_format(void **state)
{
    (void)state;
    static const enum tsr_dtype formats[] = {TSR_F16,  TSR_BF16, TSR_Q8_0, TSR_Q4_0,
                                             TSR_Q4_K, TSR_Q6_K, TSR_MXF4};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct tsr_test_weights w = made_up(TSR_ARCH_MIXTRAL, true);
        w.container = TSR_WEIGHTS_GGUF;
        w.matrices = formats[i];
        w.model.layers = 2;
        memset(w.model.layer_kind + 2, 0, sizeof w.model.layer_kind - 2);
        check_file(&w, "format.gguf");
    }
}

static void test_read_gguf_llama3_scaling_found_again(void **state)
{
    (void)state;
    struct tsr_test_weights w = made_up(TSR_ARCH_LLAMA, true);
    w.container = TSR_WEIGHTS_GGUF;
    w.model.rope.theta = 500000;
    w.model.rope.scaling = TSR_ROPE_LLAMA3;
    w.model.rope.factor = 8;
    w.model.rope.low_freq_factor = 1;
    w.model.rope.high_freq_factor = 4;
    w.model.rope.original_context = 8192;
    check_file(&w, "llama3.gguf");
    struct tsr_error err = {0};
    struct tsr_model m;
    struct tsr_weights *f;
    w.model.rope.high_freq_factor = 3; /* another rule */
    tsr_test_weights_write(&w, "llama3.gguf");
    assert_int_equal(tsr_weights_open("llama3.gguf", &f, &err), TSR_OK);
    assert_int_equal(tsr_weights_model(f, &m, &err), TSR_BAD_INPUT);
    assert_non_null(strstr(err.message, "rope_freqs.weight"));
    tsr_weights_close(f);
}

static void test_read_safetensors_every_family(void **state)
{
    (void)state;
    for (int a = 0; a <= TSR_ARCH_PHI3; a++) {
        struct tsr_test_weights w = made_up((enum tsr_arch)a, false);
        w.container = TSR_WEIGHTS_SAFETENSORS;
        w.matrices = a % 3 == 0 ? TSR_F32 : a % 3 == 1 ? TSR_F16 : TSR_BF16;
        w.shards = (uint32_t)a % 4; /* one, and several under an index */
        check_file(&w, "family");
    }
}

/* Of several files the first one is named; each other one is refused, and a wrong one among them.
 */
static void test_read_gguf_in_several_files(void **state)
{
    (void)state;
    struct tsr_test_weights w = made_up(TSR_ARCH_MIXTRAL, false);
    struct tsr_error err = {0};
    struct tsr_weights *f;
    size_t n;
    w.container = TSR_WEIGHTS_GGUF;
    w.shards = 3;
    check_file(&w, "several-00001-of-00003.gguf");
    assert_int_equal(tsr_weights_open("several-00002-of-00003.gguf", &f, &err), TSR_BAD_INPUT);
    assert_non_null(strstr(err.message, "split.no: of several GGUF files the first"));
    char *second = tsr_test_read("several-00002-of-00003.gguf", &n);
    tsr_test_write("several-00003-of-00003.gguf", second, n);
    err = (struct tsr_error){0};
    assert_int_equal(tsr_weights_open("several-00001-of-00003.gguf", &f, &err), TSR_BAD_INPUT);
    assert_non_null(strstr(err.message, "several-00003-of-00003.gguf: "));
    remove("several-00003-of-00003.gguf");
    err = (struct tsr_error){0};
    assert_int_equal(tsr_weights_open("several-00001-of-00003.gguf", &f, &err), TSR_BAD_INPUT);
    assert_non_null(strstr(err.message, "several-00003-of-00003.gguf: "));
    free(second);
    second = tsr_test_read("several-00001-of-00003.gguf", &n);
    tsr_test_write("alone.gguf", second, n);
    err = (struct tsr_error){0};
    assert_int_equal(tsr_weights_open("alone.gguf", &f, &err), TSR_BAD_INPUT);
    assert_non_null(strstr(err.message, "ends in -00001-of-00003.gguf"));
    free(second);
}

static void test_read_llama2c_tied_and_not(void **state)
{
    (void)state;
    struct tsr_test_weights w = made_up(TSR_ARCH_LLAMA, false);
    w.container = TSR_WEIGHTS_LLAMA2C;
    check_file(&w, "untied.bin");
    w.model.tied = true;
    check_file(&w, "tied.bin");
}

/* Sizes by facts: 260,032 parameters; a row by its place in the file. */
static void test_read_stories260k_as_its_layout_says(void **state)
{
    (void)state;
    const char *path = tsr_test_data("stories260k/stories260K.bin");
    if (path == NULL)
        return;
    size_t size;
    char *bytes = tsr_test_read(path, &size);
    struct tsr_error err = {0};
    struct tsr_weights *f;
    struct tsr_model m;
    struct tsr_params p;
    struct tsr_matrix x;
    float row[64], want;
    if (tsr_weights_open(path, &f, &err) != TSR_OK || tsr_weights_model(f, &m, &err) != TSR_OK)
        fail_msg("%s", err.message);
    tsr_model_count(&m, &p);
    assert_int_equal(p.total, 260032);
    assert_int_equal(tsr_weights_file_bytes(f), size);
    assert_int_equal(tsr_weights_find(f, TSR_PART_DOWN, 2, 0, &x, &err), TSR_OK);
    /* 28 bytes, then floats: 512 x 64, 5 x 64, q 5 x 64 x 64, k v 5 x 32 x 64, o, 5 x 64, w1. */
    size_t at = 512 * 64 + 5 * 64 + 5 * 4096 + 2 * 5 * 2048 + 5 * 4096 + 5 * 64 + 5 * 172 * 64 +
                2 * 172 * 64 + 7 * 172 + 3;
    memcpy(&want, bytes + 28 + 4 * at, 4);
    float down[172];
    assert_int_equal(x.cols, 172);
    tsr_matrix_rows_f32(&x, 7, 1, down, 172);
    assert_true(down[3] == want);
    /* Head 1 of k in layer 0, pair 2 of 4: its second half is row 8 + 4 + 2 here, 8 + 5 there. */
    assert_int_equal(tsr_weights_find(f, TSR_PART_K, 0, 0, &x, &err), TSR_OK);
    at = 512 * 64 + 5 * 64 + 5 * 4096 + 13 * 64 + 1;
    memcpy(&want, bytes + 28 + 4 * at, 4);
    tsr_matrix_rows_f32(&x, 14, 1, row, 64);
    assert_true(row[1] == want);
    tsr_weights_close(f);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_gguf_every_family),
        cmocka_unit_test(test_read_gguf_every_format),
        cmocka_unit_test(test_read_gguf_llama3_scaling_found_again),
        cmocka_unit_test(test_read_safetensors_every_family),
        cmocka_unit_test(test_read_gguf_in_several_files),
        cmocka_unit_test(test_read_llama2c_tied_and_not),
        cmocka_unit_test(test_read_stories260k_as_its_layout_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
