/* SPDX-License-Identifier: Apache-2.0 */
/* f16 weights: a panel is widened to f32 before the rows pass over it (f32_sve.h). FMLA on f16
 * would be twice as fast and sum in 11 bits; FMLALB has the rate of f32's. */
#include "kernels/matmul/f32_sve.h"

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    const svbool_t all = svptrue_b32();
    const uint16_t *in = from->elements;
    float *out = to->space;
    for (size_t i = 0; i < from->k * from->columns; i += svcntw())
        svst1(all, out + i, svcvt_f32_x(all, svreinterpret_f16(svld1uh_u32(all, in + i))));
    to->elements = out;
}

TSR_MATMUL_KERNEL(f16_sve, .operand = TSR_F32, .rows = F32_ROWS, .columns = f32_columns,
                  .prepare = prepare, .blocks = f32_blocks, .few = tsr_matvec_f16_sve)
