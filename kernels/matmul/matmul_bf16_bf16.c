/* SPDX-License-Identifier: Apache-2.0 */
/* bf16 weights by BFMMLA: 8 rows x 6 vectors (mmla_bf16.h). */
#include "kernels/matmul/mmla_bf16.h"

tsr_matmul_kernel_fn tsr_matmul_bf16_bf16;

static void block(const struct tsr_block *b)
{
    mmla_bf16(4, 4, b);
}

const struct tsr_matmul_kernel *tsr_matmul_bf16_bf16(void)
{
    static const struct tsr_matmul_kernel kernel = {.operand = TSR_BF16,
                                                    .rows = 8,
                                                    .columns = mmla_columns,
                                                    .block = block,
                                                    .few = tsr_matvec_bf16_bf16};
    return &kernel;
}
