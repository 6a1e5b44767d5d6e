/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/matmul/packed.h"

/* Runs: |sum| of 8 (64) groups of 32 products of i8 with codes in -128..127 (-8..15) is at most
 * 8 * 32 * 128 * 128 = 2^22 (64 * 32 * 128 * 15 < 2^22): see the kernels of groups. TSR_SUPER_RUN:
 * |sum| of 8 super-blocks of 8 products, of a sum of 32 codes with a minimum of 6 bits, is at most
 * 8 * 8 * 32 * 128 * 63 < 2^24, and so is an integer that f32 holds.
 * MX, least and most: any element times 2^(scale - 127) stays in bf16's normal range, and so do, as
 * floats, 2^(scale - 127 + 120) of e4m3 and 2^(scale - 127 + 112) of e5m2: mx_bf16.h. */
static const struct tsr_weights_layout layouts[] = {
    {TSR_F32, TSR_OP_matmul_packed_f32, .pad = 1, .whole = 1, .cell_k = 1, .cell_bytes = 4},
    {TSR_F16, TSR_OP_matmul_f16, .pad = 1, .whole = 1, .cell_k = 1, .cell_bytes = 2},
    {TSR_BF16, TSR_OP_matmul_bf16, .pad = 4, .whole = 1, .cell_k = 4, .cell_bytes = 8},
    {TSR_I8, TSR_OP_matmul_i8, .pad = 8, .whole = 1, .cell_k = 8, .cell_bytes = 8,
     .column_scale = true},
    {TSR_I4, TSR_OP_matmul_i4, .pad = 8, .whole = 1, .cell_k = 8, .cell_bytes = 8, .lines = 2,
     .column_scale = true},
    {TSR_Q8_0, TSR_OP_matmul_q8_0, .pad = 32, .whole = 32, .cell_k = 8, .cell_bytes = 8,
     .group = 32, .group_bytes = 2, .run = 8},
    {TSR_Q4_0, TSR_OP_matmul_q4_0, .pad = 32, .whole = 32, .cell_k = 16, .cell_bytes = 8,
     .group = 32, .group_bytes = 2, .run = 64},
    {TSR_Q4_K, TSR_OP_matmul_q4_k, .pad = 256, .whole = 256, .cell_k = 16, .cell_bytes = 8,
     .group = 256, .group_bytes = 16, .run = 64},
    {TSR_MXF4, TSR_OP_matmul_mxf4, .pad = 32, .whole = 1, .cell_k = 16, .cell_bytes = 8,
     .group = 32, .group_bytes = 1, .least = 27, .most = 227},
    {TSR_MXF8E4M3, TSR_OP_matmul_mxf8e4m3, .pad = 32, .whole = 1, .cell_k = 8, .cell_bytes = 8,
     .group = 32, .group_bytes = 1, .least = 27, .most = 134, .special = 0x7F},
    {TSR_MXF8E5M2, TSR_OP_matmul_mxf8e5m2, .pad = 32, .whole = 1, .cell_k = 8, .cell_bytes = 8,
     .group = 32, .group_bytes = 1, .least = 27, .most = 142, .special = 0x7C},
};

const struct tsr_weights_layout *tsr_weights_layout(enum tsr_dtype format)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i].format == format)
            return &layouts[i];
    return NULL;
}

size_t tsr_panel_element_bytes(const struct tsr_weights_layout *l, size_t columns, size_t k)
{
    size_t lines = l->lines > 1 ? columns / l->lines : columns;
    return tsr_round_up(k / l->cell_k * lines * l->cell_bytes, 64);
}

size_t tsr_panel_scale_bytes(const struct tsr_weights_layout *l, size_t columns, size_t k)
{
    size_t bytes = l->column_scale ? columns * sizeof(float)
                   : l->group > 0  ? k / l->group * columns * l->group_bytes
                                   : 0;
    return tsr_round_up(bytes, 64);
}

const struct tsr_matmul_kernel *tsr_matmul_kernel_of(const struct tsr_variant *v)
{
    return ((tsr_matmul_kernel_fn *)v->function)();
}
