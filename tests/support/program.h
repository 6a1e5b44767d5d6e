/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the program's commands share. */
#ifndef TESTS_SUPPORT_PROGRAM_H
#define TESTS_SUPPORT_PROGRAM_H

#include <stddef.h>

#include <jansson.h>

enum {
    TSR_TEST_ARGS = 32
};

/* Runs the program with the null-ended words; fails unless it exits with `code`, and unless its
 * stderr holds `says` (null: stderr is empty). Returns stdout, to be freed. */
char *tsr_test_expect(int code, const char *says, const char *const *words);
#define TSR_EXPECT(code, says, ...)                                                                \
    tsr_test_expect(code, says, (const char *const[]){__VA_ARGS__, NULL})

/* The same with exit 0 and a silent stderr; stdout must be JSON. To be released by json_decref. */
json_t *tsr_test_json(const char *const *words);
#define TSR_JSON(...) tsr_test_json((const char *const[]){__VA_ARGS__, NULL})

/* Runs the command twice; the JSON without cpu_s, wall_s, max_rss_kib must be the same bytes. */
void tsr_test_same_twice(const char *const *words);
#define TSR_SAME_TWICE(...) tsr_test_same_twice((const char *const[]){__VA_ARGS__, NULL})

/* Writes a float32 matrix as .npy. */
void tsr_test_write_npy(const char *path, size_t rows, size_t cols, const float *x);
/* Reads one of that size. */
void tsr_test_read_npy(const char *path, size_t rows, size_t cols, float *x);

#endif
