/* SPDX-License-Identifier: Apache-2.0 */
/* f16 weights: a panel is widened to f32 before the rows pass over it (f32_sve.h). FMLA on f16
 * would be twice as fast and sum in 11 bits; FMLALB has the rate of f32's. */
#include "kernels/matmul/f32_sve.h"

tsr_matmul_kernel_fn tsr_matmul_f16_sve;

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    const svbool_t all = svptrue_b32();
    const uint16_t *in = from->elements;
    float *out = to->space;
    for (size_t i = 0; i < from->k * from->columns; i += svcntw())
        svst1(all, out + i, svcvt_f32_x(all, svreinterpret_f16(svld1uh_u32(all, in + i))));
    to->elements = out;
}

static void block(const struct tsr_block *b)
{
    f32_block(b);
}

const struct tsr_matmul_kernel *tsr_matmul_f16_sve(void)
{
    static const struct tsr_matmul_kernel kernel = {.operand = TSR_F32,
                                                    .rows = 12,
                                                    .columns = f32_columns,
                                                    .prepare = prepare,
                                                    .block = block,
                                                    .few = tsr_matvec_f16_sve};
    return &kernel;
}
