/* SPDX-License-Identifier: Apache-2.0 */
/* mxf4 weights: e2m1 elements are a table of 8 magnitudes. */
#include "kernels/matmul/mx_bf16.h"

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    /* 0 0.5 1 1.5 2 3 4 6 */
    static const struct mx_element element = {
        .bits = 4,
        .small = 8,
        .table = {MX_ZERO, 0x3F00, 0x3F80, 0x3FC0, 0x4000, 0x4040, 0x4080, 0x40C0}};
    mx_expand(&element, from, to);
}

TSR_MATMUL_KERNEL(mxf4_bf16, .operand = TSR_BF16, .rows = MMLA_ROWS, .columns = mmla_columns,
                  .prepare = prepare, .blocks = mx_blocks)
