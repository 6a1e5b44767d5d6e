/* SPDX-License-Identifier: Apache-2.0 */
/* A model with its weights, run token by token: the operations of its graph, the same that a
 * projection counts, computed on a target:
 *   ref  float32 on the host in plain C, or rounded to the formats as it goes
 *   sve  the host's kernels (tessera/kernels.h): SVE on Arm, portable C elsewhere
 *   npu  every operation a program of the chip, through the functional simulator */
#ifndef SIM_INFER_INFER_H
#define SIM_INFER_INFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tessera/chip.h"
#include "tessera/isa.h"
#include "tessera/model.h"
#include "tessera/weights.h"

enum infer_target {
    INFER_REF,
    INFER_SVE,
    INFER_NPU,
    INFER_TARGETS
};
extern const char *const infer_target_name[INFER_TARGETS];

struct infer_options {
    const struct tsr_isa *isa;
    const struct tsr_chip *chip;       /* npu; else may be null */
    const struct tsr_weights *weights; /* the file */
    const struct tsr_model *model;     /* as tsr_weights_model gives it */
    enum infer_target target;
    /* Formats; null: f32, which npu has not. */
    const struct tsr_format *format, *activations, *kv; /* of matrices, what they multiply, cache */
    uint32_t positions;                                 /* that the cache has room for */
    uint64_t verify;  /* sve, npu: every so many-th operation (npu: launch) is also computed by the
                         reference and compared within the derived bound: TSR_MISMATCH from
                         infer_step, which names operation, layer and token; 0: none */
    bool cycles;      /* npu: count them; else values alone, which is faster */
    uint32_t threads; /* host threads, 1 to 256; results do not depend on it */
};

/* Whether weights may be asked for in a format on a target. */
bool infer_takes(enum infer_target target, const struct tsr_format *f);
/* The same of the cache, whose heads must be whole blocks on npu. */
bool infer_takes_cache(enum infer_target target, const struct tsr_format *f);

/* In what the kernels of target sve round activations beside weights in a format (null: f32); null
 * where they do not take it. */
const struct tsr_format *infer_sve_activations(const struct tsr_isa *isa,
                                               const struct tsr_format *weights);

struct infer;

/* Makes the target ready: weights are read, rounded, packed or placed. The options are copied,
 * what they point to is borrowed until infer_destroy.
 * Errors: TSR_BAD_INPUT a format or shape that the target does not take, a model that does not fit
 * the chip, verify on ref; TSR_INTERNAL out of memory. *out untouched on failure. */
enum tsr_status infer_create(const struct infer_options *o, struct infer **out,
                             struct tsr_error *err);
void infer_destroy(struct infer *s); /* null is allowed */

/* Appends n tokens to the sequence and computes what follows them; they go through the layers
 * together, in blocks of a target's choice.
 * logits: of each of the n tokens if `all`, else of the last: rows of vocab floats; null: none.
 * Errors: TSR_BAD_INPUT an id outside of the vocabulary, more tokens than positions; TSR_FAULT a
 * program that stopped. Deterministic: the same bits on any host and number of threads. */
enum tsr_status infer_step(struct infer *s, const uint32_t *tokens, uint32_t n, bool all,
                           float *logits, struct tsr_error *err);

/* Starts a new sequence: nothing of the old one is seen. */
void infer_restart(struct infer *s);

/* Cycles of a chip's steps, by name, added up over tokens and layers. */
struct infer_cost_step {
    char name[48];
    const char *kernel; /* "matmul" */
    uint64_t launches, cycles;
};
enum {
    INFER_COST_STEPS = 160
};
struct infer_cost {
    uint32_t tokens, prompt_tokens; /* one by one; in blocks, each operation one launch */
    uint64_t launches, cycles;      /* of all */
    uint64_t prompt_cycles;         /* of blocks */
    uint32_t n_steps;
    struct infer_cost_step step[INFER_COST_STEPS]; /* in the order of a layer */
    uint64_t last;                                 /* cycles of the last token or block */
};

/* What the tokens since infer_create or infer_restart cost: each launch's cycles, launch to last
 * byte, as the cycle-level run of its program gave them. Null where the target is no chip. The
 * pointer is good until the next call on s. */
const struct infer_cost *infer_cost(const struct infer *s);

/* What option verify did. */
struct infer_verified {
    uint64_t checked; /* operations that the reference agreed with */
    uint64_t unknown; /* that were due, but no reference is known for */
};
struct infer_verified infer_verified(const struct infer *s);

/* Tokens of the sequence so far. */
uint32_t infer_position(const struct infer *s);
/* Logits of a token. */
uint32_t infer_vocab(const struct infer *s);

#endif
