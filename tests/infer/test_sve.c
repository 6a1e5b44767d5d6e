/* SPDX-License-Identifier: Apache-2.0 */
/* The host's kernels, on emulated Arm their SVE variants: every family in f32 and bf16 against a
 * reference in double precision, and a trained model's loss.
 * labels: qemu */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/infer/eval.h"
#include "tessera/tokenizer.h"
#include "tests/support/families.h"
#include "tests/support/harness.h"

static struct infer_options in_format(struct infer_options o, const struct tsr_isa *isa,
                                      enum tsr_dtype format)
{
    o.target = INFER_SVE;
    o.format = &isa->formats[format];
    o.activations = infer_sve_activations(isa, o.format);
    o.kv = format == TSR_F32 ? NULL : &isa->formats[TSR_BF16];
    return o;
}

static void check_families(enum tsr_dtype format, const struct family_units *units)
{
    struct tsr_isa *isa = NULL;
    assert_int_equal(tsr_isa_load(NULL, 0, &isa, NULL), TSR_OK);
    /* the emulated processor is slow, and what families differ in is not the kernels' */
    for (size_t i = 0; i < n_families; i += tsr_test_emulated() ? 8 : 1) {
        struct family_model t;
        family_make(&families[i], format != TSR_F32, &t);
        family_tolerance(&t, units);
        const size_t n = FAMILY_TOKENS * (size_t)t.model.vocab;
        float *got = malloc(2 * n * sizeof *got);
        struct infer_options o = in_format(family_options(&t, isa), isa, format);
        family_run(&t, &o, NULL, got);
        o.threads = 3; /* the same bits */
        o.verify = 3;  /* each of these operations within its own bound, too */
        family_run(&t, &o, got, got + n);
        free(got);
        family_drop(&t);
    }
    tsr_isa_free(isa);
}

static void test_sve_agrees_with_double_precision_in_f32(void **state)
{
    (void)state;
    check_families(TSR_F32, &family_f32);
}

static void test_sve_agrees_with_double_precision_in_bf16(void **state)
{
    (void)state;
    check_families(TSR_BF16, &family_bf16);
}

struct stories {
    struct tsr_weights *file;
    struct tsr_model model;
    uint32_t *tokens;
    size_t n;
};

static bool open_stories(struct stories *s)
{
    struct tsr_tokenizer *t = NULL;
    struct tsr_error err = {0};
    char *text;
    size_t bytes;
    const char *path = tsr_test_data("stories260k/tinystories_valid_sample.txt");
    if (path == NULL)
        return false;
    text = tsr_test_read(path, &bytes);
    if (tsr_weights_open(tsr_test_data("stories260k/stories260K.bin"), &s->file, &err) ||
        tsr_weights_model(s->file, &s->model, &err) ||
        tsr_tokenizer_open(tsr_test_data("stories260k/tok512.bin"), s->model.vocab, &t, &err) ||
        tsr_tokenizer_encode(t, text, bytes, &s->tokens, &s->n, &err))
        fail_msg("%s", err.message);
    tsr_tokenizer_close(t);
    free(text);
    return true;
}

/* Within 0.01 of float32's loss for f32 and bf16, 0.03 for i8: what a user may count on. */
static void test_a_trained_model_keeps_its_loss(void **state)
{
    static const struct {
        enum tsr_dtype format;
        double within;
    } rows[] = {{TSR_F32, 0.0005}, {TSR_BF16, 0.01}, {TSR_I8, 0.03}};
    struct stories s;
    struct tsr_isa *isa = NULL;
    (void)state;
    if (!open_stories(&s))
        return;
    assert_int_equal(tsr_isa_load(NULL, 0, &isa, NULL), TSR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct infer_options o = {.isa = isa,
                                  .weights = s.file,
                                  .model = &s.model,
                                  .positions = (uint32_t)s.n,
                                  .threads = 1};
        struct infer_quality q;
        struct infer *run = NULL;
        struct tsr_error err = {0};
        o = in_format(o, isa, rows[i].format);
        if (infer_create(&o, &run, &err) ||
            infer_evaluate(run, NULL, s.tokens, (uint32_t)s.n, NULL, NULL, &q, &err))
            fail_msg("%s", err.message);
        printf("%s: loss %.6f\n", o.format->name, q.loss);
        assert_true(fabs(q.loss - 1.297745) <= rows[i].within);
        infer_destroy(run);
    }
    tsr_weights_close(s.file);
    free(s.tokens);
    tsr_isa_free(isa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sve_agrees_with_double_precision_in_f32),
        cmocka_unit_test(test_sve_agrees_with_double_precision_in_bf16),
        cmocka_unit_test(test_a_trained_model_keeps_its_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
