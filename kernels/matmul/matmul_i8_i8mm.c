/* SPDX-License-Identifier: Apache-2.0 */
/* i8 weights with a scale per column by SMMLA: 8 rows x 6 vectors (mmla_i8.h). */
#include "kernels/matmul/mmla_i8.h"

TSR_MATMUL_KERNEL(i8_i8mm, .operand = TSR_I8, .rows = MMLA_ROWS, .columns = mmla_columns,
                  .blocks = mmla_i8_blocks, .few = tsr_matvec_i8_i8mm)
