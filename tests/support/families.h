/* SPDX-License-Identifier: Apache-2.0 */
/* Small models of every family, made up, and what their logits may differ from those of the
 * reference in double precision.
 *
 * The tolerance: the reference runs again with every weight and every result of an operation moved
 * at random by what the target's arithmetic may err; a token's logits may be off by four times the
 * largest distance that some such runs show for it. A wrong operation shows as a distance of the
 * order of the logits, which is asserted to lie far above for all tokens. */
#ifndef TESTS_SUPPORT_FAMILIES_H
#define TESTS_SUPPORT_FAMILIES_H

#include "sim/infer/infer.h"
#include "tests/support/model_oracle.h"

enum {
    FAMILY_TOKENS = 12 /* twice the window of the models that have one */
};

struct family {
    const char *name;
    enum tsr_arch arch;
    void (*change)(struct tsr_model *m);
    enum tsr_weights_container container;
};
extern const struct family families[];
extern const size_t n_families;

/* What a target's arithmetic may err: relative to a result, to the magnitudes of a sum, to a
 * weight; and the share of the logits' size below which a tolerance shows wrong operations. */
struct family_units {
    double result, sum, weight, share;
};
/* f32: a sum of k products errs by (k / 16 + 6) 2^-24 of its magnitudes, in one chain by k 2^-24, k
 * at most 192 here, where errors of both signs add up to far less; all else by a few 2^-24. */
extern const struct family_units family_f32;
/* bf16: every result is rounded to 8 bits, 2^-9 of itself, and may be rounded twice (a product,
 * then its sum with the stream); weights once; sums are f32, each of k steps rounded. */
extern const struct family_units family_bf16;

struct family_model {
    const char *name;
    struct tsr_test_weights w;
    struct tsr_weights *file, *values;
    struct tsr_model model;
    uint32_t tokens[FAMILY_TOKENS];
    double *want, allowed[FAMILY_TOKENS];
};

/* Writes the model to a file, opens it, computes what its logits are. all_experts: each token takes
 * every expert, so that no choice hangs on the last bits of coarse formats. */
void family_make(const struct family *f, bool all_experts, struct family_model *t);
/* The same of other values. */
void family_make_seeded(const struct family *f, bool all_experts, uint64_t seed,
                        struct family_model *t);
void family_drop(struct family_model *t);

/* Sets t->allowed. */
void family_tolerance(struct family_model *t, const struct family_units *u);

/* ref, one thread, f32. */
struct infer_options family_options(const struct family_model *t, const struct tsr_isa *isa);

/* Logits of all tokens, FAMILY_TOKENS x vocab, some computed together; within the tolerance, or,
 * where `again` is given, the same bits. */
void family_run(const struct family_model *t, const struct infer_options *o, const float *again,
                float *got);

#endif
