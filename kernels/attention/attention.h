/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of kernels/attention share. Contracts: tessera/attention.h. */
#ifndef KERNELS_ATTENTION_ATTENTION_H
#define KERNELS_ATTENTION_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/cpu/variants.h"
#include "tessera/attention.h"

/* ---- the reference, over keys and values wherever they lie */

/* Row of K (or null) and V (or null) of one token and key head, as floats. */
typedef void tsr_kv_row_fn(const void *from, size_t sequence, size_t token, size_t head, float *k,
                           float *v);

struct tsr_attention_source {
    const struct tsr_attention *what;
    tsr_kv_row_fn *row;
    const void *from;
};

/* Where query `i` of a sequence stands in the arrays of all of them. */
struct tsr_attention_query {
    size_t sequence, i, head;
    size_t keys;         /* of the sequence */
    ptrdiff_t position;  /* among the keys */
    const uint8_t *mask; /* its row; or null */
};

struct tsr_attention_query tsr_attention_query(const struct tsr_attention *p, size_t sequence,
                                               size_t i, size_t head);

static inline bool tsr_attention_sees(const struct tsr_attention *p,
                                      const struct tsr_attention_query *at, size_t j)
{
    const ptrdiff_t key = (ptrdiff_t)j;
    if (at->mask != NULL && at->mask[j] == 0)
        return false;
    if (p->prefix != NULL && j < p->prefix[at->sequence])
        return true;
    return (!p->causal || key <= at->position) &&
           (p->window == 0 || key > at->position - (ptrdiff_t)p->window);
}

/* The logit from s = q . k, not scaled yet. */
double tsr_attention_logit(const struct tsr_attention *p, const struct tsr_attention_query *at,
                           size_t j, double dot);

/* One row of o, and its lse. */
void tsr_attention_row(const struct tsr_attention_source *s, const struct tsr_attention_query *at,
                       const float *q, float *o, float *lse);

#endif
