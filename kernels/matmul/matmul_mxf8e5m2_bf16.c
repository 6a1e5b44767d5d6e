/* SPDX-License-Identifier: Apache-2.0 */
/* mxf8e5m2 weights: normal elements are bf16 but for the exponent's bias, 127 - 15. */
#include "kernels/matmul/mx_bf16.h"

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    /* Subnormals count 2^-16. */
    static const struct mx_element element = {.bits = 8,
                                              .small = 4,
                                              .shift = 5,
                                              .bias = 112 << 7,
                                              .special = 0x7C,
                                              .infinity = 0x7C,
                                              .table = {MX_ZERO, 0x3780, 0x3800, 0x3840}};
    mx_expand(&element, from, to);
}

TSR_MATMUL_KERNEL(mxf8e5m2_bf16, .operand = TSR_BF16, .rows = MMLA_ROWS, .columns = mmla_columns,
                  .prepare = prepare, .blocks = mx_blocks)
