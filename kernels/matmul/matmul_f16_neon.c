/* SPDX-License-Identifier: Apache-2.0 */
/* f16 weights, for cores without SVE: a panel is widened to f32. */
#include "kernels/matmul/f32_neon.h"

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    const uint16_t *in = from->elements;
    float *out = to->space;
    for (size_t i = 0; i < from->k * from->columns; i += 4)
        vst1q_f32(out + i, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(in + i))));
    to->elements = to->space;
}

TSR_MATMUL_KERNEL(f16_neon, .operand = TSR_F32, .rows = NEON_ROWS, .columns = f32_neon_columns,
                  .prepare = prepare, .blocks = f32_neon_blocks)
