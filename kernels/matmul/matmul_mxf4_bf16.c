/* SPDX-License-Identifier: Apache-2.0 */
/* mxf4 weights, e2m1 elements by BFMMLA (mx_bf16.h). */
#include "kernels/matmul/mx_bf16.h"

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    mx_expand(&mx_e2m1, from, to);
}

TSR_MATMUL_KERNEL(mxf4_bf16, .operand = TSR_BF16, .rows = MMLA_ROWS, .columns = mmla_columns,
                  .prepare = prepare, .blocks = mx_blocks, .few = tsr_matvec_mxf4_bf16)
