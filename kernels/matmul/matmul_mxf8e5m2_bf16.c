/* SPDX-License-Identifier: Apache-2.0 */
/* mxf8e5m2 weights by BFMMLA (mx_bf16.h). */
#include "kernels/matmul/mx_bf16.h"

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    mx_expand(&mx_e5m2, from, to);
}

TSR_MATMUL_KERNEL(mxf8e5m2_bf16, .operand = TSR_BF16, .rows = MMLA_ROWS, .columns = mmla_columns,
                  .prepare = prepare, .blocks = mx_blocks, .few = tsr_matvec_mxf8e5m2_bf16)
