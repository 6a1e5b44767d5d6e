/* SPDX-License-Identifier: Apache-2.0 */
/* q4_0 weights: a panel is expanded to i8 before the rows pass over it. */
#include "kernels/matmul/groups_i8mm.h"

tsr_matmul_kernel_fn tsr_matmul_q4_0_i8mm;

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    groups_expand(from, to, true);
    groups_deltas(TSR_Q4_0, from, to);
}

static void block(const struct tsr_block *b)
{
    groups_block(b);
}

const struct tsr_matmul_kernel *tsr_matmul_q4_0_i8mm(void)
{
    static const struct tsr_matmul_kernel kernel = {.operand = TSR_I8,
                                                    .rows = 12,
                                                    .columns = groups_columns,
                                                    .prepare = prepare,
                                                    .block = block,
                                                    .few = tsr_matvec_q4_0_i8mm};
    return &kernel;
}
