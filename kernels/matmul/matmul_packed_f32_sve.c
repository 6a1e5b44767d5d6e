/* SPDX-License-Identifier: Apache-2.0 */
/* f32 weights by FMLA (f32_sve.h). */
#include "kernels/matmul/f32_sve.h"

tsr_matmul_kernel_fn tsr_matmul_packed_f32_sve;

static void block(const struct tsr_block *b)
{
    f32_block(b);
}

const struct tsr_matmul_kernel *tsr_matmul_packed_f32_sve(void)
{
    static const struct tsr_matmul_kernel kernel = {.operand = TSR_F32,
                                                    .rows = 12,
                                                    .columns = f32_columns,
                                                    .block = block,
                                                    .few = tsr_matvec_packed_f32_sve};
    return &kernel;
}
