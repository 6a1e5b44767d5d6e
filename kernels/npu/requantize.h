/* SPDX-License-Identifier: Apache-2.0 */
/* From the int32 sums of integer products back to values. */
#ifndef KERNELS_NPU_REQUANTIZE_H
#define KERNELS_NPU_REQUANTIZE_H

#include "tessera/chip.h"
#include "tessera/isa.h"

/* y[r][c] = x[r][c] * row[r] * column[c] + bias[c].
 * Shapes: x i32 rows x cols, y rows x cols, strides in bytes, 0: dense; row and column f32, dense:
 *   the scales that the rows of both operands were quantized with (quantize.h); bias f32, 0: none.
 * Numerics: x rounded to f32, each product and the sum rounded in f32, then y's format: f32 bf16
 *   f16 f8e4m3 f8e5m2; or i8: times the f32 reciprocal of y_scale, rounded, then to the nearest
 *   even integer within +-127.
 * Errors, ownership, work: as kernels/npu/ops.h. */
struct tsr_npu_requantize {
    uint64_t rows, cols;
    enum tsr_dtype y_format;
    double y_scale; /* i8 */
    uint64_t x, x_stride, row, column, bias, y, y_stride;
};
enum tsr_status tsr_npu_requantize(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                   const struct tsr_npu_requantize *op, struct tsr_program *out,
                                   struct tsr_error *err);

#endif
