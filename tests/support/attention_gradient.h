/* SPDX-License-Identifier: Apache-2.0 */
/* The gradient of attention the unfused way: matrices of weights and of their gradients, stored,
 * softmax's Jacobian applied to rows, products of matrices; all in double. */
#ifndef TESTS_SUPPORT_ATTENTION_GRADIENT_H
#define TESTS_SUPPORT_ATTENTION_GRADIENT_H

#include "tests/support/attention_problem.h"

/* Shapes as in tsr_attention_backward; zeroed by the caller. The bounds may be null: error of each
 * result if every weight P that meets dO is off by `rounded` of itself, every dS by as much and by
 * `inner` of scale P (sum of |dO v| + sum of |dO o|). */
struct attention_gradient {
    double *q, *k, *v;
    double *bound_q, *bound_k, *bound_v;
    double rounded, inner;
};
void attention_unfused_gradient(const struct attention_problem *p, const float *d_o,
                                struct attention_gradient *g);

#endif
