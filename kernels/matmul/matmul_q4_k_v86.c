/* SPDX-License-Identifier: Apache-2.0 */
/* q4_k weights: a panel is expanded to i8 and f32 scales and minima before the rows pass over it,
 * for the minima by BFMMLA (minima_v86.h). Armv8.6 has both i8 and bf16 products. */
#include "kernels/matmul/minima_v86.h"

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    groups_expand(from, to, false);
    groups_deltas(TSR_Q4_K, from, to);
    minima_prepare(from, to);
}

TSR_MATMUL_KERNEL(q4_k_v86, .operand = TSR_I8, .rows = GROUPS_ROWS, .columns = groups_columns,
                  .prepare = prepare, .blocks = groups_blocks, .few = tsr_matvec_q4_k_v86)
