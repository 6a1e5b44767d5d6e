/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of attention, and how far the NPU's may be from the exact one. */
#ifndef SIM_SUITE_ATTENTION_BOUND_H
#define SIM_SUITE_ATTENTION_BOUND_H

#include "tessera/attention.h"
#include "tessera/chip.h"
#include "tessera/isa.h"

enum attention_feature {
    CAUSAL = 1,
    MASK = 2,
    SLOPES = 4,
    PREFIX = 8,
    SINKS = 16,
    RAGGED = 32,
    PAGES = 64,
    LATENT = 128, /* V is the first of K's elements */
    SPLIT = 256   /* over all tiles, to be merged */
};

struct attention_feature_case {
    const char *name;
    uint32_t batch, heads, kv_heads, d, v_d, q, kv, features, window;
    double softcap;
    enum tsr_dtype format, cache;
};

/* What a case asks for, of the tensors at hand; those that its features leave out may be null. */
struct tsr_attention attention_of(const struct attention_feature_case *c, const uint32_t *q_len,
                                  const uint32_t *kv_len, const uint32_t *prefix,
                                  const uint8_t *mask, const float *sinks, const float *slopes);

struct attention_bound {
    const struct tsr_chip *chip;
    const struct tsr_format *f, *kv, *out; /* of Q; of K and V; of O */
    const struct tsr_attention *what;      /* sequences of at most ATTENTION_BOUND_KEYS keys */
    uint32_t splits;                       /* parts of the keys that are merged; 0 or 1: none */
};

enum {
    ATTENTION_BOUND_KEYS = 1024
};

/* bound[i] of o[i], and of lse lse_bound, unless null. Shapes: as tsr_attention_plain; q, k, v as
 * the chip holds them, o exact. */
void attention_bound(const struct attention_bound *b, const float *q, const float *k,
                     const float *v, const float *o, double *bound, double *lse_bound);

#endif
