/* SPDX-License-Identifier: Apache-2.0 */
/* How far the NPU's attention may be from the exact one. */
#ifndef SIM_SUITE_ATTENTION_BOUND_H
#define SIM_SUITE_ATTENTION_BOUND_H

#include "tessera/attention.h"
#include "tessera/chip.h"
#include "tessera/isa.h"

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
