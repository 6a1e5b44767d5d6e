/* SPDX-License-Identifier: Apache-2.0 */
/* bf16 weights by BFMMLA: 8 rows x 6 vectors (mmla_bf16.h). */
#include "kernels/matmul/mmla_bf16.h"

TSR_MATMUL_KERNEL(bf16_bf16, .operand = TSR_BF16, .rows = MMLA_ROWS, .columns = mmla_columns,
                  .blocks = mmla_bf16_blocks, .few = tsr_matvec_bf16_bf16)
