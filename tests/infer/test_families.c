/* SPDX-License-Identifier: Apache-2.0 */
/* Every family against a reference in double precision, on the host and on the chip. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/families.h"
#include "tests/support/harness.h"

static void test_ref_agrees_with_double_precision_in_every_family(void **state)
{
    struct tsr_isa *isa = NULL;
    (void)state;
    assert_int_equal(tsr_isa_load(NULL, 0, &isa, NULL), TSR_OK);
    for (size_t i = 0; i < n_families; i++) {
        struct family_model t;
        family_make(&families[i], false, &t);
        family_tolerance(&t, &family_f32);
        const size_t n = FAMILY_TOKENS * (size_t)t.model.vocab;
        float *got = malloc(2 * n * sizeof *got);
        struct infer_options o = family_options(&t, isa);
        family_run(&t, &o, NULL, got);
        o.threads = 3; /* the same bits */
        family_run(&t, &o, got, got + n);
        free(got);
        family_drop(&t);
    }
    tsr_isa_free(isa);
}

static void test_npu_agrees_with_double_precision_in_every_family(void **state)
{
    struct tsr_isa *isa = NULL;
    struct tsr_chip chip;
    (void)state;
    assert_int_equal(tsr_isa_load(NULL, 0, &isa, NULL), TSR_OK);
    assert_int_equal(tsr_chip_load("micro", &chip, NULL), TSR_OK);
    for (size_t i = 0; i < n_families; i++) {
        struct family_model t;
        family_make(&families[i], true, &t);
        family_tolerance(&t, &family_bf16);
        float *got = malloc(FAMILY_TOKENS * (size_t)t.model.vocab * sizeof *got);
        struct infer_options o = family_options(&t, isa);
        o.target = INFER_NPU;
        o.chip = &chip;
        o.format = o.activations = o.kv = &isa->formats[TSR_BF16];
        family_run(&t, &o, NULL, got);
        free(got);
        family_drop(&t);
    }
    tsr_isa_free(isa);
}

/* Two of four experts for each token, in bf16: values of which no choice hangs on the last bits, or
 * the tolerance, found with every result moved by them, would be beyond use. */
static void route(struct infer_options (*target)(const struct family_model *t,
                                                 const struct tsr_isa *isa,
                                                 const struct tsr_chip *chip))
{
    static const struct {
        const char *name;
        uint64_t seed;
    } rows[] = {{"mixtral", 1}, {"qwen3_moe", 1}, {"qwen2_moe", 2}, {"gpt_oss", 1}, {"grok", 1}};
    struct tsr_isa *isa = NULL;
    struct tsr_chip chip;
    assert_int_equal(tsr_isa_load(NULL, 0, &isa, NULL), TSR_OK);
    assert_int_equal(tsr_chip_load("micro", &chip, NULL), TSR_OK);
    for (size_t i = 0; i < n_families; i++)
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            struct family_model t;
            if (strcmp(families[i].name, rows[k].name) != 0)
                continue;
            family_make_seeded(&families[i], false, rows[k].seed, &t);
            family_tolerance(&t, &family_bf16);
            float *got = malloc(FAMILY_TOKENS * (size_t)t.model.vocab * sizeof *got);
            struct infer_options o = target(&t, isa, &chip);
            family_run(&t, &o, NULL, got);
            free(got);
            family_drop(&t);
        }
    tsr_isa_free(isa);
}

static struct infer_options on_npu(const struct family_model *t, const struct tsr_isa *isa,
                                   const struct tsr_chip *chip)
{
    struct infer_options o = family_options(t, isa);
    o.target = INFER_NPU;
    o.chip = chip;
    o.format = o.activations = o.kv = &isa->formats[TSR_BF16];
    return o;
}

static struct infer_options on_sve(const struct family_model *t, const struct tsr_isa *isa,
                                   const struct tsr_chip *chip)
{
    struct infer_options o = family_options(t, isa);
    (void)chip;
    o.target = INFER_SVE;
    o.format = o.activations = o.kv = &isa->formats[TSR_BF16];
    return o;
}

static void test_npu_routes_as_the_reference(void **state)
{
    (void)state;
    route(on_npu);
}

static void test_sve_routes_as_the_reference(void **state)
{
    (void)state;
    route(on_sve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ref_agrees_with_double_precision_in_every_family),
        cmocka_unit_test(test_npu_agrees_with_double_precision_in_every_family),
        cmocka_unit_test(test_npu_routes_as_the_reference),
        cmocka_unit_test(test_sve_routes_as_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
