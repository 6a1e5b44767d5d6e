/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/suite_tests.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>

#include "sim/suite/suite.h"
#include "tests/support/harness.h"

enum {
    MAX_KERNELS = 64
};

static struct tsr_isa *isa;
static struct tsr_chip chip;
static uint64_t seed;

static void report(void *self, const struct suite_result *r)
{
    (void)self;
    if (r->message)
        print_error("%s %s: %s\n  repeat: tessera check %s --chip %s --shape %" PRIu64 "x%" PRIu64
                    "x%" PRIu64 "%s%s --seed %" PRIu64 "\n",
                    r->kernel, r->label, r->message, r->kernel, chip.name, r->shape.m, r->shape.n,
                    r->shape.k, r->format ? " --format " : "", r->format ? r->format : "", seed);
}

static void test_kernel_on_chip_equals_reference(void **state)
{
    struct suite s = {
        .isa = isa, .chip = &chip, .seed = seed, .thorough = tsr_test_nightly(), .report = report};
    struct tsr_error err = {0};
    enum tsr_status st = suite_run(&s, *state, &err);
    print_message("%s: %" PRIu64 " cases, %" PRIu64 " programs, %" PRIu64 " cycles\n",
                  (const char *)*state, s.cases, s.programs, s.cycles);
    if (st != TSR_OK)
        fail_msg("%s", err.message);
    assert_true(s.programs >= s.cases && s.cycles > 0);
    assert_int_equal(s.mismatches, 0);
}

int tsr_test_suite(const char *name)
{
    struct tsr_error err = {0};
    struct CMUnitTest tests[MAX_KERNELS];
    size_t n = 0;
    mallopt(M_MMAP_THRESHOLD, 1 << 20); /* as the program does: sim/cli/cli.c */
    if (tsr_isa_load(NULL, 0, &isa, &err) != TSR_OK || tsr_chip_load(name, &chip, &err) != TSR_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    seed = tsr_test_seed("suite", 1);
    for (const struct suite_kernel *k = suite_kernels; k->name && n < MAX_KERNELS; k++)
        tests[n++] = (struct CMUnitTest){.name = k->name,
                                         .test_func = test_kernel_on_chip_equals_reference,
                                         .initial_state = (void *)(uintptr_t)k->name};
    int failed = _cmocka_run_group_tests(name, tests, n, NULL, NULL);
    tsr_isa_free(isa);
    return failed;
}
