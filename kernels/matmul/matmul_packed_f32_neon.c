/* SPDX-License-Identifier: Apache-2.0 */
/* f32 weights, for cores without SVE. */
#include "kernels/matmul/f32_neon.h"

tsr_matmul_kernel_fn tsr_matmul_packed_f32_neon;

static void block(const struct tsr_block *b)
{
    f32_neon_block(b);
}

const struct tsr_matmul_kernel *tsr_matmul_packed_f32_neon(void)
{
    static const struct tsr_matmul_kernel kernel = {
        .operand = TSR_F32, .rows = NEON_ROWS, .columns = f32_neon_columns, .block = block};
    return &kernel;
}
