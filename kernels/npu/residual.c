/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/npu/map.h"
#include "kernels/npu/ops.h"

static void add(struct tsr_text *t, const void *self, uint32_t n)
{
    (void)self;
    for (uint32_t i = 0; i < n; i++)
        tsr_text_line(t, "  vadd v%u, v%u, v%u", 16 + i, i, 8 + i);
}

enum tsr_status tsr_npu_residual(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                 const struct tsr_npu_residual *op, struct tsr_program *out,
                                 struct tsr_error *err)
{
    struct npu_map m = {
        .name = "residual",
        .rows = op->rows,
        .cols = op->cols,
        .a = {.address = op->a, .stride = op->a_stride, .size = npu_float_size(isa, op->a_format)},
        .b = {.address = op->b, .stride = op->b_stride, .size = npu_float_size(isa, op->b_format)},
        .y = {.address = op->y, .stride = op->y_stride, .size = npu_float_size(isa, op->y_format)},
        .fa = isa->formats[op->a_format].name,
        .fb = isa->formats[op->b_format].name,
        .fy = isa->formats[op->y_format].name,
        .body = add,
    };
    return npu_map_program(isa, chip, &m, out, err);
}
