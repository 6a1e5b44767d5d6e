/* SPDX-License-Identifier: Apache-2.0 */
/* Random products with packed weights: sources in memory and what they mean as numbers. */
#ifndef TESTS_SUPPORT_MATMUL_PROBLEM_H
#define TESTS_SUPPORT_MATMUL_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tessera/dtype.h"

struct tsr_shape {
    size_t m, n, k, pad; /* pad: elements between the rows; k is rounded up to whole blocks */
};

/* One problem: sources, and what they mean as numbers. */
struct tsr_problem {
    enum tsr_dtype format, a_format;
    struct tsr_shape s;
    bool extreme; /* all codes of integers at their most negative, scales apart */
    size_t lda, row_bytes, scale_bytes; /* scale_bytes: of one weight row's */
    void *a;
    uint8_t *w, *scales;
    float *a_scales;
    double *av, *wv;      /* m x k, n x k: the operands that are multiplied */
    double *row, *column; /* scales that come last (i8, i4 and the groups) */
};

/* The row of a format that matmul takes. */
const struct tsr_format *tsr_problem_format(enum tsr_dtype code);
/* Whether it is f32, f16 or bf16; whether A becomes i8. */
bool tsr_problem_plain(enum tsr_dtype format);
bool tsr_problem_integer(enum tsr_dtype format);

/* Buffers between unmapped pages, at the one or the other; how many there are; frees all but the
 * first `keep`. */
void *tsr_problem_buffer(size_t bytes);
int tsr_problem_buffers(void);
void tsr_problem_free_buffers(int keep);

/* Fills in the rest of *p, whose formats and shape are set. specials: NaNs and infinities, too. */
void tsr_problem_make(struct tsr_problem *p, uint64_t *seed, bool specials);
void tsr_problem_free(struct tsr_problem *p);

static inline uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

#endif
