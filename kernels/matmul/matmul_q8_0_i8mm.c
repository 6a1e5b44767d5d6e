/* SPDX-License-Identifier: Apache-2.0 */
/* q8_0 weights: groups of i8 with an f16 scale, multiplied as stored. */
#include "kernels/matmul/groups_i8mm.h"

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    to->elements = from->elements;
    groups_deltas(TSR_Q8_0, from, to);
}

TSR_MATMUL_KERNEL(q8_0_i8mm, .operand = TSR_I8, .rows = GROUPS_ROWS, .columns = groups_columns,
                  .prepare = prepare, .blocks = groups_blocks, .few = tsr_matvec_q8_0_i8mm)
