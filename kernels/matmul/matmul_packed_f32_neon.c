/* SPDX-License-Identifier: Apache-2.0 */
/* f32 weights, for cores without SVE. */
#include "kernels/matmul/f32_neon.h"

TSR_MATMUL_KERNEL(packed_f32_neon, .operand = TSR_F32, .rows = NEON_ROWS,
                  .columns = f32_neon_columns, .blocks = f32_neon_blocks)
