/* SPDX-License-Identifier: Apache-2.0 */
/* q4_k weights: a panel is expanded to i8 and f32 scales and minima before the rows pass over it.
 * The minima cost 12 FMLA a group, in a loop of their own before the products. */
#include "kernels/matmul/groups_i8mm.h"

tsr_matmul_kernel_fn tsr_matmul_q4_k_i8mm;

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    groups_expand(from, to, false);
    groups_deltas(TSR_Q4_K, from, to);
}

static void block(const struct tsr_block *b)
{
    groups_block(b);
}

const struct tsr_matmul_kernel *tsr_matmul_q4_k_i8mm(void)
{
    static const struct tsr_matmul_kernel kernel = {.operand = TSR_I8,
                                                    .rows = 12,
                                                    .columns = groups_columns,
                                                    .prepare = prepare,
                                                    .block = block,
                                                    .few = tsr_matvec_q4_k_i8mm};
    return &kernel;
}
