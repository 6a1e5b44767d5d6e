/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions and programs made from the rows, for tests of whatever reads or runs them. */
#ifndef TESTS_SUPPORT_ISA_RANDOM_H
#define TESTS_SUPPORT_ISA_RANDOM_H

#include "tessera/isa.h"

enum { TSR_TEST_EXTREMES = 40 };

/* A random legal value, with the extremes of the range more likely than others. */
int64_t tsr_test_operand(const struct tsr_operand *o, uint64_t *state);
/* Legal values at the ends of the range (all of them for formats); at most TSR_TEST_EXTREMES. */
unsigned tsr_test_extremes(const struct tsr_operand *o, int64_t *out);
/* Values that are not legal but fit int64_t. */
unsigned tsr_test_illegal(const struct tsr_operand *o, int64_t *out);
/* All operands random; labels below `labels` (of routines: below `routines`). */
struct tsr_insn tsr_test_insn(const struct tsr_op *op, uint64_t *state, int64_t labels,
                              int64_t routines);
/* A random program of up to `most` words in each stream, encodable but not meant to be run. */
struct tsr_program tsr_test_program_random(const struct tsr_isa *isa, uint64_t *state,
                                           uint32_t most);
/* Fails the running test where the two differ; line numbers are not compared. */
void tsr_test_same_program(const struct tsr_program *a, const struct tsr_program *b);

/* The built-in instruction set; freed with tsr_isa_free. */
struct tsr_isa *tsr_test_isa(void);
/* The same with one overlay given as text; fails the test on an error when `message` is null, else
 * demands an error, copies its message to `message` (1024 bytes) and returns null. */
struct tsr_isa *tsr_test_overlay(const char *text, char *message);

#endif
