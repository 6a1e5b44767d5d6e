/* SPDX-License-Identifier: Apache-2.0 */
/* Layout of the grouped expert matmul; see moe_expert.c. */
#ifndef KERNELS_NPU_MOE_EXPERT_PLAN_H
#define KERNELS_NPU_MOE_EXPERT_PLAN_H

#include "kernels/npu/moe.h"
#include "kernels/npu/slab.h"

enum {
    MOE_EXPERT_PLACES = 3,  /* of slabs, at most */
    MOE_EXPERT_SAVED = 256, /* bytes of control memory behind the totals */
};

/* One operand. In TSRAM a row's slabs follow each other, `step` bytes from one mma to the next. */
struct moe_expert_operand {
    struct tsr_npu_slab slab;       /* of all rows; of an expert's n */
    uint64_t row_bytes, slab_bytes; /* HBM: from row to row; from x10 to x10 + 1 */
    uint32_t step;
};

struct moe_expert_plan {
    uint32_t gx, gy, gy_log;      /* tiles: columns of C are divided by gx, rows of a block by gy */
    uint32_t parts;               /* of the counts */
    uint32_t senders, sender_log; /* tiles of a row of the grid that cast A: a power of two */
    uint32_t ec, two;             /* element bytes of C; 2 with a gate, else 1 */
    uint32_t kq, lanes;           /* elements of one mma; R */
    uint32_t k_unit;              /* what x10 counts: elements, or slabs of kq */
    struct moe_expert_operand a, b;
    uint32_t side, across;      /* 4D; log2 of the accumulator banks side by side */
    uint64_t width, chunks, nc; /* output columns of a tile, column chunks, columns of a chunk */
    uint64_t tile_rows, kc;     /* rows of a block in a tile; elements of K in a slab */
    uint64_t a_pitch, b_pitch, stage_pitch, out_pitch; /* bytes from row to row in TSRAM */
    uint64_t stage_bytes, out_bytes, bias_bytes, expert_pitch;
    uint32_t places, stages, outs;
    uint64_t counts_at, sums_at, a_at[MOE_EXPERT_PLACES], b_at[MOE_EXPERT_PLACES];
    uint64_t bias_at, stage_at, out_at;
};

enum tsr_status moe_expert_plan(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                const struct tsr_npu_moe_expert *op, struct moe_expert_plan *p,
                                struct tsr_error *err);

#endif
