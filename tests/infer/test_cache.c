/* SPDX-License-Identifier: Apache-2.0 */
/* The cache in every format, on every target: what runs lies as far from double precision as
 * rounding to the format explains, what does not is refused by name. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/families.h"
#include "tests/support/harness.h"

struct rig {
    struct tsr_isa *isa;
    struct tsr_chip chip;
    struct family_model t;
    struct infer_options o;
};

static void setup(struct rig *r, const char *family, enum tsr_dtype kv)
{
    size_t i = 0;
    memset(r, 0, sizeof *r);
    assert_int_equal(tsr_isa_load(NULL, 0, &r->isa, NULL), TSR_OK);
    assert_int_equal(tsr_chip_load("micro", &r->chip, NULL), TSR_OK);
    while (strcmp(families[i].name, family) != 0)
        assert_true(++i < n_families);
    family_make(&families[i], true, &r->t);
    r->o = family_options(&r->t, r->isa);
    r->o.format = r->o.activations = &r->isa->formats[TSR_BF16];
    r->o.kv = &r->isa->formats[kv];
}

static void teardown(struct rig *r)
{
    family_drop(&r->t);
    tsr_isa_free(r->isa);
}

/* Logits of all tokens: two blocks, then one by one. */
static void run(struct rig *r, enum infer_target target, float *logits)
{
    r->o.target = target;
    r->o.chip = target == INFER_NPU ? &r->chip : NULL;
    struct tsr_error err = {0};
    struct infer *s = NULL;
    const uint32_t v = r->t.model.vocab;
    enum tsr_status st = infer_create(&r->o, &s, &err);
    for (uint32_t t = 0, n; t < FAMILY_TOKENS && st == TSR_OK; t += n) {
        n = t == 0 ? 5 : t == 5 ? 3 : 1;
        st = infer_step(s, r->t.tokens + t, n, true, logits + (size_t)t * v, &err);
    }
    if (st != TSR_OK)
        fail_msg("%s, cache %s on %s: %s", r->t.name, r->o.kv->name, infer_target_name[target],
                 err.message);
    infer_destroy(s);
}

static double square_distance(const struct rig *r, const float *x)
{
    const size_t n = FAMILY_TOKENS * (size_t)r->t.model.vocab;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ((double)x[i] - r->t.want[i]) * ((double)x[i] - r->t.want[i]);
    return sum;
}

/* ref rounds rows of the cache to the format and nothing else of it: the others lie at most twice
 * as far from double precision, but for bf16's own errors, squared at most 1e-3 a logit, which ref
 * rounds away in fewer places. */
static void compare(const char *family, enum tsr_dtype kv)
{
    struct rig r;
    setup(&r, family, kv);
    const size_t n = FAMILY_TOKENS * (size_t)r.t.model.vocab;
    float *x = malloc(n * sizeof *x);
    double far[INFER_TARGETS];
    for (int target = 0; target < INFER_TARGETS; target++) {
        run(&r, (enum infer_target)target, x);
        far[target] = square_distance(&r, x);
    }
    print_message("%-12s cache %-8s square distance %.3g ref, %.3g sve, %.3g npu\n", family,
                  r.o.kv->name, far[INFER_REF], far[INFER_SVE], far[INFER_NPU]);
    for (int target = 0; target < INFER_TARGETS; target++)
        assert_true(far[target] < 4 * far[INFER_REF] + 1e-3 * (double)n);
    free(x);
    teardown(&r);
}

static void test_every_format_runs_on_every_target(void **state)
{
    static const enum tsr_dtype formats[] = {
        TSR_BF16,     TSR_F16,      TSR_F8E4M3,   TSR_F8E5M2, TSR_I8,   TSR_MXF8E4M3,
        TSR_MXF8E5M2, TSR_MXF6E3M2, TSR_MXF6E2M3, TSR_MXF4,   TSR_MXI8, TSR_MX9,
        TSR_MX6,      TSR_MX4,      TSR_NVF4,     TSR_Q8_0,   TSR_Q4_0};
    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        compare("qwen3", formats[i]);
}

static void test_i8_runs_in_every_family(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_families; i++)
        compare(families[i].name, TSR_I8);
}

/* The same bits: for any number of host threads, counting cycles or not, on a chip of more tiles
 * with the same steps of K, and in a cache with more room. */
static void test_values_in_i8_depend_on_the_tokens_alone(void **state)
{
    struct rig r;
    (void)state;
    setup(&r, "mistral", TSR_I8); /* its window is passed */
    const size_t n = FAMILY_TOKENS * (size_t)r.t.model.vocab;
    float *x = malloc(2 * n * sizeof *x);
    for (int target = 0; target < INFER_TARGETS; target++) {
        r.o.threads = 1;
        r.o.cycles = false;
        run(&r, (enum infer_target)target, x);
        r.o.threads = 3;
        r.o.cycles = true;
        run(&r, (enum infer_target)target, x + n);
        assert_memory_equal(x, x + n, n * sizeof *x);
    }
    r.o.positions = 31;
    assert_int_equal(tsr_chip_load("micro4", &r.chip, NULL), TSR_OK);
    run(&r, INFER_NPU, x + n);
    assert_memory_equal(x, x + n, n * sizeof *x);
    free(x);
    teardown(&r);
}

/* With a scale for each token and head i8 is q8_0 whose one block is the head: the same bits, by
 * other kernels and another layout. */
static void test_i8_is_q8_0_of_one_block(void **state)
{
    struct rig r;
    (void)state;
    setup(&r, "qwen3", TSR_I8);
    assert_int_equal(r.t.model.head_dim, r.isa->formats[TSR_Q8_0].block);
    const size_t n = FAMILY_TOKENS * (size_t)r.t.model.vocab;
    float *x = malloc(2 * n * sizeof *x);
    for (int target = 0; target < INFER_TARGETS; target++) {
        r.o.kv = &r.isa->formats[TSR_I8];
        run(&r, (enum infer_target)target, x);
        r.o.kv = &r.isa->formats[TSR_Q8_0];
        run(&r, (enum infer_target)target, x + n);
        assert_memory_equal(x, x + n, n * sizeof *x);
    }
    free(x);
    teardown(&r);
}

static void refused(const char *family, enum tsr_dtype kv, enum infer_target target,
                    const char *says)
{
    struct rig r;
    struct tsr_error err = {0};
    struct infer *s = NULL;
    setup(&r, family, kv);
    r.o.kv = kv == TSR_F32 ? NULL : r.o.kv;
    r.o.target = target;
    r.o.chip = &r.chip;
    assert_int_equal(infer_create(&r.o, &s, &err), TSR_BAD_INPUT);
    assert_null(s);
    if (strstr(err.message, says) == NULL)
        fail_msg("\"%s\" is wanted, not \"%s\"", says, err.message);
    teardown(&r);
}

static void test_what_no_target_holds_is_refused_by_name(void **state)
{
    (void)state;
    refused("qwen3", TSR_F32, INFER_NPU, "kv: f32: ");
    refused("qwen3", TSR_I4, INFER_NPU, "kv: i4: no kernel takes it, allowed: f16 bf16 f8e4m3");
    refused("qwen3", TSR_Q4_K, INFER_NPU, "kv: q4_k: no kernel takes it");
    refused("qwen3", TSR_I32, INFER_REF, "kv: i32: ");
    refused("qwen3", TSR_I32, INFER_SVE, "kv: i32: ");
    refused("llama", TSR_MXF8E4M3, INFER_NPU, "head_dim 16 does not divide into mxf8e4m3's blocks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_format_runs_on_every_target),
        cmocka_unit_test(test_i8_runs_in_every_family),
        cmocka_unit_test(test_values_in_i8_depend_on_the_tokens_alone),
        cmocka_unit_test(test_i8_is_q8_0_of_one_block),
        cmocka_unit_test(test_what_no_target_holds_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
