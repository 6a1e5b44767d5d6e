/* SPDX-License-Identifier: Apache-2.0 */
/* bf16 weights, for cores without SVE: a panel is widened to f32. */
#include "kernels/matmul/f32_neon.h"

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    const uint16_t *in = from->elements; /* cells of 4 k of a column */
    float *out = to->space;
    for (size_t p = 0; p < from->k; p += 4, in += 4 * NEON_COLUMNS, out += 4 * NEON_COLUMNS) {
        const uint16x8x4_t x = vld4q_u16(in);
        for (int i = 0; i < 4; i++) {
            const uint32x4_t low = vshll_n_u16(vget_low_u16(x.val[i]), 16);
            const uint32x4_t high = vshll_n_u16(vget_high_u16(x.val[i]), 16);
            vst1q_f32(out + i * NEON_COLUMNS, vreinterpretq_f32_u32(low));
            vst1q_f32(out + i * NEON_COLUMNS + 4, vreinterpretq_f32_u32(high));
        }
    }
    to->elements = to->space;
}

TSR_MATMUL_KERNEL(bf16_neon, .operand = TSR_F32, .rows = NEON_ROWS, .columns = f32_neon_columns,
                  .prepare = prepare, .blocks = f32_neon_blocks)
