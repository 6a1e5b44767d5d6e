/* SPDX-License-Identifier: Apache-2.0 */
/* f32 weights by FMLA (f32_sve.h). */
#include "kernels/matmul/f32_sve.h"

TSR_MATMUL_KERNEL(packed_f32_sve, .operand = TSR_F32, .rows = F32_ROWS, .columns = f32_columns,
                  .blocks = f32_blocks, .few = tsr_matvec_packed_f32_sve)
