/* SPDX-License-Identifier: Apache-2.0 */
/* i8 weights with a scale per column by SMMLA: 8 rows x 6 vectors (mmla_i8.h). */
#include "kernels/matmul/mmla_i8.h"

tsr_matmul_kernel_fn tsr_matmul_i8_i8mm;

static void block(const struct tsr_block *b)
{
    mmla_i8(4, b);
}

const struct tsr_matmul_kernel *tsr_matmul_i8_i8mm(void)
{
    static const struct tsr_matmul_kernel kernel = {.operand = TSR_I8,
                                                    .rows = 8,
                                                    .columns = mmla_columns,
                                                    .block = block,
                                                    .few = tsr_matvec_i8_i8mm};
    return &kernel;
}
