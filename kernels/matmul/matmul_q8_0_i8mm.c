/* SPDX-License-Identifier: Apache-2.0 */
/* q8_0 weights: groups of i8 with an f16 scale, multiplied as stored. */
#include "kernels/matmul/groups_i8mm.h"

tsr_matmul_kernel_fn tsr_matmul_q8_0_i8mm;

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    to->elements = from->elements;
    groups_deltas(TSR_Q8_0, from, to);
}

static void block(const struct tsr_block *b)
{
    groups_block(b);
}

const struct tsr_matmul_kernel *tsr_matmul_q8_0_i8mm(void)
{
    static const struct tsr_matmul_kernel kernel = {.operand = TSR_I8,
                                                    .rows = 12,
                                                    .columns = groups_columns,
                                                    .prepare = prepare,
                                                    .block = block,
                                                    .few = tsr_matvec_q8_0_i8mm};
    return &kernel;
}
