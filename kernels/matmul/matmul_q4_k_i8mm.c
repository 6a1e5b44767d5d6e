/* SPDX-License-Identifier: Apache-2.0 */
/* q4_k weights: a panel is expanded to i8 and f32 scales and minima before the rows pass over it.
 * The minima cost 12 FMLA a group, in a loop of their own before the products. */
#include "kernels/matmul/groups_i8mm.h"

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    groups_expand(from, to, false);
    groups_deltas(TSR_Q4_K, from, to);
}

GROUPS_BLOCKS(true)

TSR_MATMUL_KERNEL(q4_k_i8mm, .operand = TSR_I8, .rows = GROUPS_ROWS, .columns = groups_columns,
                  .prepare = prepare, .blocks = blocks, .few = tsr_matvec_q4_k_i8mm)
