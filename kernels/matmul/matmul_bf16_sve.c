/* SPDX-License-Identifier: Apache-2.0 */
/* bf16 weights by FMLA, for SVE without BFMMLA: a panel is widened to f32, rows of k from cells of
 * 4 k by column, before the rows of A pass over it (f32_sve.h). */
#include "kernels/matmul/f32_sve.h"

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    const svbool_t all = svptrue_b16(), p32 = svptrue_b32();
    const uint64_t vh = svcnth(); /* the columns */
    const uint16_t *in = from->elements;
    float *out = to->space;
    for (size_t p = 0; p < from->k; p += 4, in += 4 * vh, out += 4 * vh) {
        const svuint16x4_t x = svld4(all, in);
#define WIDE(unpack, i) svreinterpret_f32(svlsl_x(p32, unpack(svget4(x, i)), 16))
#define PUT(i)                                                                                     \
    svst1_vnum(p32, out, 2 * i, WIDE(svunpklo, i));                                                \
    svst1_vnum(p32, out, 2 * i + 1, WIDE(svunpkhi, i));
        PUT(0) PUT(1) PUT(2) PUT(3)
    }
    to->elements = to->space;
}

TSR_MATMUL_KERNEL(bf16_sve, .operand = TSR_F32, .rows = F32_ROWS, .columns = f32_columns,
                  .prepare = prepare, .blocks = f32_blocks)
