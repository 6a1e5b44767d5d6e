/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that write the programs of gradients share. */
#ifndef KERNELS_NPU_ATTENTION_BACKWARD_EMIT_H
#define KERNELS_NPU_ATTENTION_BACKWARD_EMIT_H

#include "kernels/npu/attention_backward.h"
#include "kernels/npu/attention_plan.h"
#include "kernels/npu/text.h"

struct gradient_operand {
    struct tsr_npu_rows rows;
    uint32_t slabs, cols, banks; /* of a row: parts, elements of one, banks that these take */
};

struct gradient {
    const struct tsr_npu_attention_backward *op;
    const struct tsr_chip *chip;
    enum tsr_npu_gradient part;
    struct tsr_text t;
    bool by_query; /* outer rows are queries */
    struct gradient_operand x[2], y[2], result;
    const char *format;
    uint32_t element, side, lanes, line, turn; /* rows of a turn of `weights` */
    bool always, edges;                        /* whether all steps go by `weights`; some do */
    bool retain;                               /* a unit's inner rows stay */
    uint32_t group;
    uint64_t blocks, inner_blocks; /* of outer rows; of inner rows, of one head */
    uint64_t units, items;         /* items of a unit */
    uint32_t team, stride;         /* tiles of a unit; from a tile's unit to its next one */
    /* TSRAM; X, stats and W in two copies */
    uint64_t x_at[2], x_bytes, stats, w, w_bytes, slots, slot_bytes, n_slots, stage, stage_row;
    uint64_t slopes;
};

enum {
    GRADIENT_SLACK = 8 /* lines before each W: attention_backward_whole.c */
};

void gradient_program(struct gradient *g);
/* The vector routines setup, lanes, weights, whole, delta. */
void gradient_routines(struct gradient *g);
void gradient_whole(struct gradient *g);
/* Offsets in a slot: Y1, Y2; lse and delta of its rows; its rows of the mask. */
uint64_t gradient_y_offset(const struct gradient *g, int i);
uint64_t gradient_stats_offset(const struct gradient *g);
uint64_t gradient_mask_offset(const struct gradient *g);

#endif
