/* SPDX-License-Identifier: Apache-2.0 */
/* The suite of kernels as cmocka tests: one test per row of its table. */
#ifndef TESTS_SUPPORT_SUITE_TESTS_H
#define TESTS_SUPPORT_SUITE_TESTS_H

/* Runs every kernel on a chip; the kernels' long lists when nightly. Returns what main returns. */
int tsr_test_suite(const char *chip);

#endif
