/* SPDX-License-Identifier: Apache-2.0 */
/* mxf4 weights: e2m1 elements are a table of 8 magnitudes. */
#include "kernels/matmul/mx_bf16.h"

tsr_matmul_kernel_fn tsr_matmul_mxf4_bf16;

static void prepare(const struct tsr_panel *from, struct tsr_prepared *to)
{
    /* 0 0.5 1 1.5 2 3 4 6 */
    static const struct mx_element element = {
        .bits = 4,
        .small = 8,
        .table = {MX_ZERO, 0x3F00, 0x3F80, 0x3FC0, 0x4000, 0x4040, 0x4080, 0x40C0}};
    mx_expand(&element, from, to);
}

static void block(const struct tsr_block *b)
{
    mx_block(b);
}

const struct tsr_matmul_kernel *tsr_matmul_mxf4_bf16(void)
{
    static const struct tsr_matmul_kernel kernel = {.operand = TSR_BF16,
                                                    .rows = 8,
                                                    .columns = mmla_columns,
                                                    .prepare = prepare,
                                                    .block = block};
    return &kernel;
}
