/* SPDX-License-Identifier: Apache-2.0 */
/* Random attention problems with all their tensors, and attention computed the long way: scores
 * stored, softmax, sums, each in double. */
#ifndef TESTS_SUPPORT_ATTENTION_PROBLEM_H
#define TESTS_SUPPORT_ATTENTION_PROBLEM_H

#include "tessera/attention.h"

enum {
    PROBLEM_BATCH = 4, /* most sequences */
};

struct attention_problem {
    struct tsr_attention what;
    uint32_t q_len[PROBLEM_BATCH], kv_len[PROBLEM_BATCH], prefix[PROBLEM_BATCH];
    size_t queries, keys; /* of all sequences */
    float *q, *k, *v;
    float *sinks, *slopes;
    uint8_t *mask;
};

/* What a problem has besides plain attention. */
enum {
    PROBLEM_CAUSAL = 1,
    PROBLEM_WINDOW = 2,
    PROBLEM_PREFIX = 4,
    PROBLEM_MASK = 8,
    PROBLEM_SINKS = 16,
    PROBLEM_SLOPES = 32,
    PROBLEM_SOFTCAP = 64,
    PROBLEM_ALL = 127
};

/* Fills the problem's arrays from its shape: what.batch, heads, kv_heads, dim, value_dim, and
 * q_len, kv_len are set. Values in +-1 times `size`. Pointers inside *p: it must not move. */
void attention_problem_fill(struct attention_problem *p, unsigned features, double size,
                            uint64_t *seed);
void attention_problem_free(struct attention_problem *p);

/* o, lse, and, for bounds, per row: weights_v[row][value_dim] = sum of weight |v|, and slack[row] =
 * sum of weight (|q||k| scale + |logit|), the size of what the logits are summed from. Any of the
 * four may be null. */
void attention_long_way(const struct attention_problem *p, double *o, double *lse,
                        double *weights_v, double *slack);

#endif
