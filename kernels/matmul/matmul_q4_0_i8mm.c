/* SPDX-License-Identifier: Apache-2.0 */
/* q4_0 weights: a panel is expanded to i8 before the rows pass over it. */
#include "kernels/matmul/groups_i8mm.h"

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    groups_expand(from, to, true);
    groups_deltas(TSR_Q4_0, from, to);
}

TSR_MATMUL_KERNEL(q4_0_i8mm, .operand = TSR_I8, .rows = GROUPS_ROWS, .columns = groups_columns,
                  .prepare = prepare, .blocks = groups_blocks, .few = tsr_matvec_q4_0_i8mm)
