/* SPDX-License-Identifier: Apache-2.0 */
/* What a model's output is worth, and the choice of the next token. */
#ifndef SIM_INFER_EVAL_H
#define SIM_INFER_EVAL_H

#include "sim/infer/infer.h"

struct infer_quality {
    uint32_t tokens;   /* that were predicted: all but the first */
    double loss;       /* mean of -ln p(token), nats */
    double perplexity; /* e^loss */
    /* Against the reference. */
    double top1_agreement; /* share of tokens whose most likely successor is the same */
    double kl;             /* mean of sum p_ref ln(p_ref / p), nats */
};

/* What a format is compared with. Logits that are kept serve further formats on the same tokens. */
struct infer_reference {
    struct infer *session; /* null where `kept` is full, or there is no reference */
    float *kept;           /* n - 1 rows of logits, the caller's; null: they are not kept */
    bool full;             /* set by infer_evaluate */
};

/* Runs the tokens through `s` and, unless it is null, the reference; both start anew.
 * Sums are in double, results rounded to f32, so that the last bits of a host's exp and log do not
 * show. progress: called with the tokens done; may be null.
 * Errors: TSR_BAD_INPUT fewer than two tokens; as infer_step. */
enum tsr_status infer_evaluate(struct infer *s, struct infer_reference *reference,
                               const uint32_t *tokens, uint32_t n,
                               void (*progress)(void *self, uint32_t done), void *self,
                               struct infer_quality *out, struct tsr_error *err);

/* The next token. temperature 0: the largest logit, of equal ones the first. Else drawn from
 * softmax(logits / temperature); *state is the generator's, any number to begin with. */
uint32_t infer_sample(uint32_t vocab, const float *logits, double temperature, uint64_t *state);

#endif
