/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/variants.h"
#include "tessera/cpu.h"

static const struct tsr_variant *chosen(void)
{
    return tsr_variant_chosen(TSR_OP_matmul_f32);
}

/* First: the environment is read once. main sets a broken TESSERA_CPU. */
static void test_cpu_broken_environment_runs_references(void **state)
{
    (void)state;
    struct tsr_kernel_choice choice;
    assert_int_equal(tsr_cpu_features(), 0);
    assert_int_equal(tsr_kernel_choose("matmul_f32", &choice, NULL), TSR_OK);
    assert_string_equal(choice.variant, "ref");
    assert_non_null(strstr(choice.reason, "TESSERA_CPU holds an unknown word"));
}

static void test_cpu_limit_unknown_word_changes_nothing(void **state)
{
    (void)state;
    struct tsr_error err = {0};
    assert_int_equal(tsr_cpu_limit("native", NULL), TSR_OK);
    uint32_t before = tsr_cpu_features();
    assert_int_equal(tsr_cpu_limit("sve,avx", &err), TSR_USAGE);
    assert_non_null(strstr(err.message, "'avx'"));
    assert_non_null(strstr(err.message, "sve-bf16"));
    assert_int_equal(tsr_cpu_limit("", NULL), TSR_USAGE);
    assert_int_equal(tsr_cpu_limit("sve,", NULL), TSR_USAGE);
    assert_int_equal(tsr_cpu_features(), before);
}

static void test_cpu_limit_chooses_anew(void **state)
{
    (void)state;
    assert_int_equal(tsr_cpu_limit(NULL, NULL), TSR_OK);
    const struct tsr_variant *best = chosen();
    assert_int_equal(tsr_cpu_limit("ref", NULL), TSR_OK);
    assert_int_equal(tsr_cpu_features(), 0);
    assert_string_equal(chosen()->name, "ref");
    assert_int_equal(tsr_cpu_limit("neon", NULL), TSR_OK);
    assert_int_equal(tsr_cpu_features() & ~(uint32_t)TSR_CPU_NEON, 0);
    assert_int_equal(tsr_cpu_limit("native", NULL), TSR_OK);
    assert_ptr_equal(chosen(), best);
}

static void test_cpu_feature_names_limit_to_themselves(void **state)
{
    (void)state;
    assert_int_equal(tsr_cpu_limit("native", NULL), TSR_OK);
    uint32_t all = tsr_cpu_features();
    for (uint32_t bit = 1; bit <= TSR_CPU_DOTPROD; bit <<= 1) {
        assert_non_null(tsr_cpu_feature_name(bit));
        assert_int_equal(tsr_cpu_limit(tsr_cpu_feature_name(bit), NULL), TSR_OK);
        assert_int_equal(tsr_cpu_features() & bit, all & bit);
    }
    assert_null(tsr_cpu_feature_name(0));
    assert_null(tsr_cpu_feature_name(TSR_CPU_NEON | TSR_CPU_SVE));
}

static void test_cpu_choice_names_variant_and_reason(void **state)
{
    (void)state;
    struct tsr_kernel_choice choice;
    struct tsr_error err = {0};
    for (const char *const *op = tsr_kernel_ops(); *op != NULL; op++) {
        assert_int_equal(tsr_cpu_limit("ref", NULL), TSR_OK);
        assert_int_equal(tsr_kernel_choose(*op, &choice, &err), TSR_OK);
        assert_string_equal(choice.op, *op);
        assert_string_equal(choice.variant, "ref");
        assert_true(strlen(choice.reason) > 0);
    }
#if defined(__aarch64__)
    assert_int_equal(tsr_kernel_choose("matmul_f32", &choice, &err), TSR_OK);
    assert_non_null(strstr(choice.reason, "sve needs sve, not in use here"));
#endif
    assert_int_equal(tsr_kernel_choose("matmul_f33", &choice, &err), TSR_USAGE);
    assert_non_null(strstr(err.message, "matmul_f32"));
}

static void test_cpu_use_runs_the_named_variant_until_limited(void **state)
{
    (void)state;
    struct tsr_error err = {0};
    assert_int_equal(tsr_cpu_limit("native", NULL), TSR_OK);
    const struct tsr_variant *best = chosen();
    assert_int_equal(tsr_kernel_use("matmul_f32", "ref", &err), TSR_OK);
    assert_string_equal(chosen()->name, "ref");
    assert_int_equal(tsr_kernel_use("matmul_f32", "avx", &err), TSR_USAGE);
    assert_non_null(strstr(err.message, "no variant 'avx'"));
    assert_int_equal(tsr_kernel_use("matmul_f33", "ref", &err), TSR_USAGE);
    assert_string_equal(chosen()->name, "ref");
    assert_int_equal(tsr_cpu_limit("ref", NULL), TSR_OK);
    for (size_t i = 0; i < tsr_variant_count; i++)
        if (tsr_variants[i].features != 0) {
            const char *op = tsr_op_name(tsr_variants[i].op);
            struct tsr_error none = {0};
            assert_int_equal(tsr_kernel_use(op, tsr_variants[i].name, &none), TSR_USAGE);
            assert_non_null(strstr(none.message, "not in use here"));
        }
    assert_int_equal(tsr_cpu_limit("native", NULL), TSR_OK);
    assert_ptr_equal(chosen(), best);
}

/* A row that breaks these rules would never be chosen, or be chosen where it cannot run. */
static void test_cpu_table_rows_are_ordered(void **state)
{
    (void)state;
    for (int op = 0; op < TSR_OPS; op++) {
        int rows = 0;
        for (size_t i = 0; i < tsr_variant_count; i++) {
            const struct tsr_variant *v = &tsr_variants[i];
            if (v->op != (enum tsr_cpu_op)op)
                continue;
            assert_int_equal(rows++ == 0, v->features == 0);
            assert_int_equal(rows == 1, strcmp(v->name, "ref") == 0);
        }
        assert_true(rows > 0);
    }
}

/* The runner names the vector length that the emulated processor should have. */
static void test_cpu_vector_bits_are_the_runners(void **state)
{
    (void)state;
    assert_int_equal(tsr_cpu_limit("native", NULL), TSR_OK);
    const char *want = getenv("TESSERA_EXPECT_VECTOR_BITS");
    if (want != NULL) {
        assert_int_equal(tsr_cpu_vector_bits(), strtoul(want, NULL, 10));
        assert_string_equal(chosen()->name, strcmp(want, "0") == 0 ? "neon" : "sve");
    }
    assert_int_equal(tsr_cpu_vector_bits() != 0, (tsr_cpu_features() & TSR_CPU_SVE) != 0);
    printf("vector bits %u, matmul_f32 by %s\n", (unsigned)tsr_cpu_vector_bits(), chosen()->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpu_broken_environment_runs_references),
        cmocka_unit_test(test_cpu_limit_unknown_word_changes_nothing),
        cmocka_unit_test(test_cpu_limit_chooses_anew),
        cmocka_unit_test(test_cpu_feature_names_limit_to_themselves),
        cmocka_unit_test(test_cpu_choice_names_variant_and_reason),
        cmocka_unit_test(test_cpu_use_runs_the_named_variant_until_limited),
        cmocka_unit_test(test_cpu_table_rows_are_ordered),
        cmocka_unit_test(test_cpu_vector_bits_are_the_runners),
    };
    setenv("TESSERA_CPU", "sve9", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
