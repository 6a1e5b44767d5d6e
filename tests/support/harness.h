/* SPDX-License-Identifier: Apache-2.0 */
/* What tests share: cmocka with its prerequisites, seeds, scratch files, guarded buffers, running
 * the built program. A helper that cannot do its work fails the running test. */
#ifndef TESTS_SUPPORT_HARNESS_H
#define TESTS_SUPPORT_HARNESS_H

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

/* Whether the long settings are asked for (TESSERA_NIGHTLY=1). */
bool tsr_test_nightly(void);

/* Whether the test runs on an emulated processor, some ten times slower: exhaustive tests that say
 * nothing new there may take a sample. */
bool tsr_test_emulated(void);

/* The seed of a random test: TESSERA_SEED where set, else `fallback`. Prints it. */
uint64_t tsr_test_seed(const char *what, uint64_t fallback);

/* Next value of the generator whose state is *state (splitmix64); any state will do. */
uint64_t tsr_test_random(uint64_t *state);
/* Uniform in [0, n), n > 0. */
uint64_t tsr_test_random_below(uint64_t *state, uint64_t n);
/* Uniform in [-1, 1), 24 bits. */
float tsr_test_random_f32(uint64_t *state);

/* Root of the sources. */
const char *tsr_test_source_dir(void);

/* Path of a file of the development data, e.g. "configs/Qwen3-8B.json", in a static buffer; null
 * when it is not there, after printing `not run: data absent: NAME`. The test then returns: that
 * is no skip, since the product is complete without the data. */
const char *tsr_test_data(const char *name);

/* Whole file with a terminating null, to be freed by the caller; *size may be null. */
char *tsr_test_read(const char *path, size_t *size);
void tsr_test_write(const char *path, const void *bytes, size_t size);

/* `bytes` that end right before an unmapped page: reading or writing one beyond faults. Aligned
 * to 16 where bytes is a multiple of it. Freed at exit. */
void *tsr_test_guarded(size_t bytes);
/* `bytes` that begin right after an unmapped page: touching one before faults. */
void *tsr_test_guarded_front(size_t bytes);
/* Unmaps what either gave, for tests that ask for many. */
void tsr_test_unguard(void *p, size_t bytes);

struct tsr_test_run {
    int exit_code; /* 128 + signal when killed by one */
    char *out, *err;
};

/* Runs the built program with the null-ended arguments, under the emulator when crossed. */
struct tsr_test_run tsr_test_program(const char *first, ...);
void tsr_test_run_free(struct tsr_test_run *r);

#endif
