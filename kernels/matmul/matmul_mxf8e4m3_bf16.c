/* SPDX-License-Identifier: Apache-2.0 */
/* mxf8e4m3 weights: normal elements are bf16 but for the exponent's bias, 127 - 7. */
#include "kernels/matmul/mx_bf16.h"

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    /* Subnormals count 2^-9. */
    static const struct mx_element element = {
        .bits = 8,
        .small = 8,
        .shift = 4,
        .bias = 120 << 7,
        .special = 0x7F,
        .table = {MX_ZERO, 0x3B00, 0x3B80, 0x3BC0, 0x3C00, 0x3C20, 0x3C40, 0x3C60}};
    mx_expand(&element, from, to);
}

TSR_MATMUL_KERNEL(mxf8e4m3_bf16, .operand = TSR_BF16, .rows = MMLA_ROWS, .columns = mmla_columns,
                  .prepare = prepare, .blocks = mx_blocks)
