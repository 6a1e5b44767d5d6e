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
    uint32_t element, side, lanes, line, tiles;
    uint64_t outer_len, outer_heads, blocks, items;
    uint64_t x_at[2], stats, w, slots, slot_bytes, stage, stage_row; /* TSRAM */
};

void gradient_program(struct gradient *g);
/* The vector routines setup, lanes, weights, delta. */
void gradient_routines(struct gradient *g);

#endif
