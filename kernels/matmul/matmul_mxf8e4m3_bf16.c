/* SPDX-License-Identifier: Apache-2.0 */
/* mxf8e4m3 weights by BFMMLA (mx_bf16.h). */
#include "kernels/matmul/mx_bf16.h"

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    mx_expand(&mx_e4m3, from, to);
}

TSR_MATMUL_KERNEL(mxf8e4m3_bf16, .operand = TSR_BF16, .rows = MMLA_ROWS, .columns = mmla_columns,
                  .prepare = prepare, .blocks = mx_blocks, .few = tsr_matvec_mxf8e4m3_bf16)
