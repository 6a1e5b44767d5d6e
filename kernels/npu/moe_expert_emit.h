/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the grouped expert matmul share: semaphores, registers, control memory; see
 * moe_expert.c. */
#ifndef KERNELS_NPU_MOE_EXPERT_EMIT_H
#define KERNELS_NPU_MOE_EXPERT_EMIT_H

#include "kernels/npu/moe_expert_plan.h"
#include "kernels/npu/text.h"

enum {
    PLACES = MOE_EXPERT_PLACES
};
enum moe_expert_sem {
    FULL,                       /* each of the places: posts of a slab's senders: TTU */
    USED = FULL + PLACES,       /* each: the slab has been multiplied: channel 2 */
    B_CREDIT = USED + PLACES,   /* each: a tile of the column has handed it back: channel 0 */
    CREDIT = B_CREDIT + PLACES, /* each: a tile of the row has, of the senders: channel 1 */
    BLOCK = CREDIT + PLACES,    /* a chunk is complete: ACC */
    ACC_FREE,                   /* it is drained: TTU */
    STAGE_FREE,                 /* ACC */
    STAGE_FULL,                 /* TVP */
    OUT_FREE,                   /* TVP */
    OUT_FULL,                   /* channel 3 */
    BIAS_FREE,                  /* channel 0 */
    BIAS_READY,                 /* TTU */
    BIAS_PASSED,                /* a tile without rows has seen it arrive: TVP */
    COUNTS,
    SUMS,
    TOTALS, /* the counts' way: TVP, channel 2, TCP */
    SEMS,
};

/* Behind the totals in control memory: the tile's row of the grid; masks of the tiles of its row,
 * of the senders among them, of its column (they come in x5..x8); then for each place x12..x16. */
enum moe_expert_saved {
    GRID_ROW,
    ROW_MASK,
    SENDER_MASK,
    COLUMN_MASK,
    A_BASE, /* of the bank in hand, while its register has another use */
    SLAB
};
enum {
    SLAB_WORDS = 5
};

/* x1 first column of the tile, x2 its columns, x3 which sender it is or -1; x4 whether it casts the
 * counts, later the stage. To load: x5 expert, x6 its rows, x7 rows of earlier experts, x8 row, x9
 * chunk, x10 k (in units of k_unit), x11 whether there is nothing left. To compute: x12 rows, x13
 * elements of K (0: no slab any more, -1: not yet), x14 k, x15 chunk, x16 row in A and C. x17
 * output block, x18 x19 bias to load and in use. x20.. temporary. */
struct moe_expert_emit {
    const struct tsr_npu_moe_expert *op;
    struct moe_expert_plan p;
    const char *fa, *fb, *fc;
    uint32_t lanes;
    uint64_t expert_stride, up, bias_stride;
};

static inline uint64_t moe_expert_saved(const struct moe_expert_emit *e, enum moe_expert_saved i)
{
    return 8 * ((e->op->experts + 1) / 2) + 8 * (uint64_t)i;
}

/* The i-th of what is known of the slab in a place: of x12.. */
static inline uint64_t moe_expert_word(const struct moe_expert_emit *e, uint32_t place, uint32_t i)
{
    return moe_expert_saved(e, SLAB) + 8 * (uint64_t)(SLAB_WORDS * place + i);
}

/* Rows of the block in hand (x6 - x8 at most) of this tile to x20; the first of them to x21. */
void moe_expert_share_rows(struct tsr_text *t, const struct moe_expert_emit *e);
/* Elements of K in the slab at x10 to register `to`. */
void moe_expert_slab_elements(struct tsr_text *t, const struct moe_expert_emit *e, int to);
/* Asks for the slab at x5..x10 for place `id`: hands the place back to those who cast into it, when
 * its last slab has been used; loads what this tile loads for itself or casts. */
void moe_expert_load(struct tsr_text *t, const struct moe_expert_emit *e, uint32_t id);

#endif
