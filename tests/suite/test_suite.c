/* SPDX-License-Identifier: Apache-2.0 */
/* The suite itself: that it sees what it is there to see. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "sim/suite/suite.h"
#include "tests/support/harness.h"

static struct tsr_isa *isa;
static struct tsr_chip chip;
static char message[2048];
static bool failed;

static void report(void *self, const struct suite_result *r)
{
    (void)self;
    failed = r->message != NULL;
    snprintf(message, sizeof message, "%s", r->message ? r->message : "");
}

static struct suite begin(const char *variant)
{
    struct suite s = {.isa = isa, .chip = &chip, .seed = 7, .report = report, .kernel = "test"};
    struct tsr_error err = {0};
    failed = false;
    message[0] = '\0';
    assert_int_equal(suite_begin(&s, &isa->formats[TSR_BF16], 2, 3, 4, variant, &err), TSR_OK);
    return s;
}

static void test_compare_within_bound_holds(void **state)
{
    (void)state;
    struct suite s = begin("");
    const float got[] = {1.0f, -0.0f, INFINITY, NAN, 2.5f};
    const float want[] = {1.5f, 0.0f, INFINITY, NAN, 2.5f};
    const double bound[] = {0.5, 0.0, 0.0, 0.0, 0.0};
    assert_true(suite_compare(&s, "x", got, want, bound, 5));
    suite_end(&s);
    assert_false(failed);
}

static void test_compare_beyond_bound_names_the_first(void **state)
{
    (void)state;
    static const struct {
        float got, want;
    } bad[] = {{1.0f, 1.51f},    {NAN, 1.0f},           {1.0f, NAN},
               {INFINITY, 1.0f}, {-INFINITY, INFINITY}, {1.0f, INFINITY}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct suite s = begin("");
        float got[] = {0.0f, bad[i].got, bad[i].got}, want[] = {0.0f, bad[i].want, bad[i].want};
        const double bound[] = {0.5, 0.5, 0.5};
        assert_false(suite_compare(&s, "x", got, want, bound, 3));
        suite_end(&s);
        assert_true(failed);
        assert_non_null(strstr(message, "x[1] of 3"));
        assert_int_equal(s.mismatches, 2);
    }
}

static void test_compare_words_differing_fails(void **state)
{
    (void)state;
    struct suite s = begin("");
    const uint32_t got[] = {1, 2}, want[] = {1, 0xffffffffu};
    assert_false(suite_compare_words(&s, "i", got, want, 2));
    suite_end(&s);
    assert_non_null(strstr(message, "got 2, want -1"));
}

static void test_fill_of_each_format_is_exact_and_finite(void **state)
{
    (void)state;
    static const enum tsr_dtype formats[] = {TSR_F32,    TSR_F16, TSR_BF16, TSR_F8E4M3,
                                             TSR_F8E5M2, TSR_I8,  TSR_I32};
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++)
        for (int kind = SUITE_UNIT; kind <= SUITE_SMALL; kind++) {
            struct suite s = begin("");
            const struct tsr_format *row = &isa->formats[formats[f]];
            float x[2000];
            suite_fill(&s, row, (enum suite_values)kind, x, 2000);
            float least = x[0], most = x[0];
            for (size_t i = 0; i < 2000; i++) {
                uint32_t bits;
                memcpy(&bits, &x[i], 4);
                bits = tsr_num_decode_f32(row, tsr_num_encode(row, bits, TSR_ROUND_EVEN));
                float back;
                memcpy(&back, &bits, 4);
                assert_true(isfinite(x[i]) && back == x[i]);
                least = x[i] < least ? x[i] : least;
                most = x[i] > most ? x[i] : most;
            }
            assert_true(least < 0.0f && most > 0.0f);
            if (kind == SUITE_SMALL)
                assert_true(least == -2.0f && most == 2.0f);
            if (kind == SUITE_EXTREMES && formats[f] == TSR_F8E4M3)
                assert_true(most == 448.0f);
            if (kind == SUITE_EXTREMES && formats[f] == TSR_F16)
                assert_true(most == 65504.0f && least == -65504.0f);
            suite_end(&s);
        }
}

static void test_begin_gives_the_same_values_whatever_ran_before(void **state)
{
    (void)state;
    struct suite s = begin("a"), t = begin("b");
    uint64_t a = suite_random(&s), b = suite_random(&t);
    struct tsr_error err = {0};
    assert_int_not_equal(a, b);
    assert_int_equal(suite_begin(&t, &isa->formats[TSR_BF16], 2, 3, 4, "a", &err), TSR_OK);
    assert_int_equal(suite_random(&t), a);
    t.seed++;
    assert_int_equal(suite_begin(&t, &isa->formats[TSR_BF16], 2, 3, 4, "a", &err), TSR_OK);
    assert_int_not_equal(suite_random(&t), a);
    suite_end(&s);
    suite_end(&t);
}

/* A program that copies `bytes` from one tensor to the other and ends; `more` goes before it. */
static enum tsr_status copy(struct suite *s, uint64_t src, uint64_t dst, uint64_t bytes,
                            const char *more)
{
    char text[1024];
    struct tsr_program p = {0};
    struct tsr_error err = {0};
    int n =
        snprintf(text, sizeof text,
                 ".tiles 1\n.sem 0 tcp\n%s\nli x1, 0x%llx\nli x2, 0x%llx\nli x3, %llu\n"
                 "li x5, 0\ncopy ch=0, dst=x5, src=x1, len=x3 post(s0)\nwait wait(s0)\n"
                 "copy ch=0, dst=x2, src=x5, len=x3 post(s0)\nwait wait(s0)\nhalt\n",
                 more, (unsigned long long)src, (unsigned long long)dst, (unsigned long long)bytes);
    if (tsr_assemble(isa, "copy", text, (size_t)n, &p, &err) != TSR_OK)
        fail_msg("%s", err.message);
    err.message[0] = '\0';
    enum tsr_status st = suite_execute(s, &p, &err);
    if (st != TSR_OK)
        snprintf(message, sizeof message, "%s", err.message);
    return st;
}

static void two_tensors(struct suite *s, uint64_t *in, uint64_t *out)
{
    struct tsr_error err = {0};
    float x[24];
    suite_fill(s, &isa->formats[TSR_BF16], SUITE_UNIT, x, 24);
    assert_int_equal(suite_place(s, SUITE_IN, &isa->formats[TSR_BF16], x, 24, in, &err), TSR_OK);
    assert_int_equal(suite_place(s, SUITE_OUT, &isa->formats[TSR_BF16], NULL, 24, out, &err),
                     TSR_OK);
}

static void test_execute_of_a_right_program_holds(void **state)
{
    (void)state;
    struct suite s = begin("");
    uint64_t in, out;
    float a[24], b[24];
    struct tsr_error err = {0};
    two_tensors(&s, &in, &out);
    assert_int_equal(copy(&s, in, out, 48, ""), TSR_OK);
    assert_int_equal(suite_read(&s, &isa->formats[TSR_BF16], in, a, 24, &err), TSR_OK);
    assert_int_equal(suite_read(&s, &isa->formats[TSR_BF16], out, b, 24, &err), TSR_OK);
    assert_true(suite_compare(&s, "copy", b, a, NULL, 24));
    assert_true(suite_stats(&s)->cycles > 0);
    suite_end(&s);
    assert_false(failed);
    assert_int_equal(s.programs, 1);
}

static void test_execute_of_a_write_behind_the_tensor_fails(void **state)
{
    (void)state;
    struct suite s = begin("");
    uint64_t in, out;
    two_tensors(&s, &in, &out);
    assert_int_equal(copy(&s, in, out, 49, ""), TSR_OK);
    suite_end(&s);
    assert_true(failed);
    assert_non_null(strstr(message, "memory behind the tensor"));
}

static void test_execute_of_a_write_to_an_input_fails(void **state)
{
    (void)state;
    struct suite s = begin("");
    uint64_t in, out;
    two_tensors(&s, &in, &out);
    assert_int_equal(copy(&s, out, in, 8, ""), TSR_OK);
    suite_end(&s);
    assert_true(failed);
    assert_non_null(strstr(message, "input"));
}

static void test_execute_of_a_race_is_a_fault(void **state)
{
    (void)state;
    struct suite s = begin("");
    uint64_t in, out;
    char more[256];
    two_tensors(&s, &in, &out);
    snprintf(more, sizeof more,
             "li x6, 0x%llx\nli x7, 8\nli x8, 64\ncopy ch=1, dst=x6, src=x8, len=x7",
             (unsigned long long)out);
    assert_int_equal(copy(&s, in, out, 48, more), TSR_FAULT);
    assert_non_null(strstr(message, "race"));
    suite_end(&s);
}

static void test_run_of_an_unknown_kernel_lists_the_known(void **state)
{
    (void)state;
    struct suite s = {.isa = isa, .chip = &chip, .seed = 7};
    struct tsr_error err = {0};
    assert_int_equal(suite_run(&s, "matmull", &err), TSR_USAGE);
    assert_non_null(strstr(err.message, " matmul"));
}

static void test_run_of_one_shape_and_format_runs_only_these(void **state)
{
    (void)state;
    struct suite s = {.isa = isa,
                      .chip = &chip,
                      .seed = 7,
                      .shape = {2, 3, 4},
                      .format = &isa->formats[TSR_I8],
                      .report = report};
    struct tsr_error err = {0};
    assert_int_equal(suite_run(&s, "matmul", &err), TSR_OK);
    assert_int_equal(s.cases, 6); /* plain, bias, rounded, strides; two by i4 */
    s.format = &isa->formats[TSR_Q4_K];
    s.cases = 0;
    assert_int_equal(suite_run(&s, "matmul", &err), TSR_USAGE);
}

static void test_run_of_all_passes_over_kernels_that_refuse_the_format(void **state)
{
    (void)state;
    struct suite s = {
        .isa = isa, .chip = &chip, .seed = 7, .shape = {4, 8, 8}, .format = &isa->formats[TSR_I8]};
    struct tsr_error err = {0};
    assert_int_equal(suite_run(&s, "all", &err), TSR_OK);
    assert_true(s.cases > 3 && s.failed_cases == 0 && s.refused > 0);
    assert_int_equal(suite_run(&s, "moe_router", &err), TSR_BAD_INPUT);
}

static void test_half_ulp_of_known_values(void **state)
{
    (void)state;
    const struct tsr_format *f32 = &isa->formats[TSR_F32], *bf16 = &isa->formats[TSR_BF16];
    const struct tsr_format *f16 = &isa->formats[TSR_F16];
    assert_true(suite_half_ulp(f32, 1.0) == 0x1p-24);
    assert_true(suite_half_ulp(f32, -1.99) == 0x1p-24);
    assert_true(suite_half_ulp(bf16, 2.0) == 0x1p-7);
    assert_true(suite_half_ulp(f16, 0x1p-20) == 0x1p-25); /* subnormal */
    assert_true(suite_half_ulp(f16, 0.0) == 0x1p-25);
}

int main(void)
{
    struct tsr_error err = {0};
    if (tsr_isa_load(NULL, 0, &isa, &err) != TSR_OK ||
        tsr_chip_load("micro", &chip, &err) != TSR_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare_within_bound_holds),
        cmocka_unit_test(test_compare_beyond_bound_names_the_first),
        cmocka_unit_test(test_compare_words_differing_fails),
        cmocka_unit_test(test_fill_of_each_format_is_exact_and_finite),
        cmocka_unit_test(test_begin_gives_the_same_values_whatever_ran_before),
        cmocka_unit_test(test_execute_of_a_right_program_holds),
        cmocka_unit_test(test_execute_of_a_write_behind_the_tensor_fails),
        cmocka_unit_test(test_execute_of_a_write_to_an_input_fails),
        cmocka_unit_test(test_execute_of_a_race_is_a_fault),
        cmocka_unit_test(test_run_of_an_unknown_kernel_lists_the_known),
        cmocka_unit_test(test_run_of_one_shape_and_format_runs_only_these),
        cmocka_unit_test(test_run_of_all_passes_over_kernels_that_refuse_the_format),
        cmocka_unit_test(test_half_ulp_of_known_values),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    tsr_isa_free(isa);
    return failures;
}
