/* SPDX-License-Identifier: Apache-2.0 */
/* A model's logits in double precision, straight from the definition of each family: the whole
 * sequence at once, no cache, no graph, weights from their formula. */
#ifndef TESTS_SUPPORT_MODEL_ORACLE_H
#define TESTS_SUPPORT_MODEL_ORACLE_H

#include "tests/support/model_files.h"

/* Displacements: what an implementation of finite precision may do. Every weight is moved by
 * `weight_unit` of itself, every result of an operation by `unit` of itself and, of a sum, by
 * `sum_unit` of the sum of magnitudes, each times a number in [-1, 1) of the generator. */
struct tsr_oracle {
    const struct tsr_test_weights *weights;
    const struct tsr_weights
        *file; /* where its format does not keep the values: the file; or null */
    double unit, sum_unit, weight_unit; /* 0: none */
    uint64_t seed;
};

/* Shapes: logits n x vocab, after each of the n tokens (at most 64). */
void tsr_oracle_logits(const struct tsr_oracle *o, const uint32_t *tokens, uint32_t n,
                       double *logits);

#endif
