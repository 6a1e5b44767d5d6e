/* SPDX-License-Identifier: Apache-2.0 */
/* From one format to another. */
#ifndef KERNELS_NPU_CAST_H
#define KERNELS_NPU_CAST_H

#include "tessera/chip.h"
#include "tessera/isa.h"

/* y = x * scale, rounded to y's format; i8: to the nearest even integer, saturated, NaN to 0.
 * Shapes: x, y rows x cols, strides in bytes, 0: dense. Numerics: one product in f32, one rounding
 * to the format. x: a float format of vector loads; y: those and i8.
 * Errors, ownership, work: as kernels/npu/ops.h. */
struct tsr_npu_cast {
    uint64_t rows, cols;
    enum tsr_dtype x_format, y_format;
    double scale; /* as f32 */
    uint64_t x, x_stride, y, y_stride;
};
enum tsr_status tsr_npu_cast(const struct tsr_isa *isa, const struct tsr_chip *chip,
                             const struct tsr_npu_cast *op, struct tsr_program *out,
                             struct tsr_error *err);

#endif
