/* SPDX-License-Identifier: Apache-2.0 */
/* Layout of the grouped expert matmul; see moe_expert.c. */
#ifndef KERNELS_NPU_MOE_EXPERT_PLAN_H
#define KERNELS_NPU_MOE_EXPERT_PLAN_H

#include "kernels/npu/moe.h"

struct moe_expert_plan {
    uint32_t tiles, parts;        /* parts: of the counts */
    uint32_t senders, sender_log; /* tiles that cast shares of A's rows: a power of two */
    uint32_t ea, eb, ec, two;     /* element bytes; 2 with a gate, else 1 */
    uint32_t kq;                  /* elements of one mma */
    uint32_t side;                /* rows and columns of an accumulator bank: 4D */
    uint64_t width, chunks, nc;   /* output columns of a tile, column chunks, columns of a chunk */
    uint64_t mb, kc;              /* rows of a block; elements of K in a slab */
    uint64_t a_pitch, b_pitch, stage_pitch, out_pitch; /* bytes from row to row in TSRAM */
    uint64_t stage_bytes, out_bytes, bias_bytes, expert_pitch;
    uint32_t stages, outs;
    uint64_t counts_at, sums_at, a_at[2], b_at[2], bias_at, stage_at, out_at;
};

enum tsr_status moe_expert_plan(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                const struct tsr_npu_moe_expert *op, struct moe_expert_plan *p,
                                struct tsr_error *err);

#endif
