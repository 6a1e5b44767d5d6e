/* SPDX-License-Identifier: Apache-2.0 */
/* One unit of fused attention: some rows of one key head of one sequence over a range of keys.
 * Private to kernels/attention. */
#ifndef KERNELS_ATTENTION_FLASH_H
#define KERNELS_ATTENTION_FLASH_H

#include "kernels/attention/attention.h"
#include "kernels/attention/kv_cache.h"

/* A call, its sizes worked out. */
struct tsr_flash_plan {
    const struct tsr_attention_call *call;
    const struct tsr_attention_kernel *kernel; /* null: the reference */
    struct tsr_kv_layout layout;
    size_t group;        /* heads that share a key head */
    size_t block_rows;   /* most rows of a block */
    size_t block_lanes;  /* lanes of such a block */
    size_t chunk_rows;   /* of a unit: whole blocks */
    size_t task_bytes;   /* scratch of a task */
    float c, masked;     /* struct tsr_flash's */
    bool negative, zero; /* what Q is multiplied by before it is packed: the sign of scale */
};

struct tsr_flash_unit {
    size_t sequence, head; /* of K */
    size_t row, rows;      /* rows of the sequence and head: query * group + head in group */
    size_t first, end;     /* keys */
    bool with_sink;        /* starts from the sinks */
    size_t query;          /* of the call, where the sequence begins */
    const uint8_t *mask;   /* of the sequence, or null */
    float *partial;        /* null: rows go to o; else value_dim floats, max, sum for each */
    size_t partial_stride;
};

size_t tsr_flash_task_bytes(const struct tsr_flash_plan *p);
void tsr_flash_run(const struct tsr_flash_plan *p, const struct tsr_flash_unit *u, void *scratch);

/* What sums over weights 2^(logit log2(e) - max) are multiplied by, and the row's lse. */
float tsr_flash_factor(double sum);
void tsr_flash_lse(const struct tsr_flash_plan *p, size_t query, size_t head, float max,
                   double sum);

#endif
