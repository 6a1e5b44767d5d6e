/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors into formats of few bits and back, on the vector unit.
 *
 * Common to all: rows x k values, row-major, strides in bytes, 0: dense; addresses in HBM. Values
 * are f32, bf16 or f16. What a block format's result looks like in HBM is said by a slab plan
 * (slab.h), for operands of matmuls, or by two planes as isa/num/quant.h describes them.
 * Numerics: the same bits as tsr_num_quantize to nearest even makes of each row.
 * Errors, ownership, work: as kernels/npu/ops.h; a row must fit the TSRAM of a tile. */
#ifndef KERNELS_NPU_QUANTIZE_H
#define KERNELS_NPU_QUANTIZE_H

#include "kernels/npu/slab.h"
#include "tessera/model.h"

/* y = x in another format.
 * Block formats: `slab` (borrowed, of rows x k in y_format) for units at y, or null: planes at y
 *   (row stride y_stride) and scales (scale_stride); padding up to whole blocks is written.
 *   nvf4 divides by tensor_scale first (0: none).
 * i8, i4: dense rows of codes at y (y_stride; i4 two a byte); a scale for each row, in scale_format
 *   (f32, bf16, f16), dense at `scales`; or, with `group`, a divisor of k in whole bytes, for each
 *   group of so many (x, y dense). given_scale: the same positive scale for all, f32, none written.
 * f32 bf16 f16 f8e4m3 f8e5m2: the value rounded to the format (cast.h). */
struct tsr_npu_quantize {
    uint64_t rows, k;
    enum tsr_dtype x_format, y_format, scale_format;
    const struct tsr_npu_slab *slab;
    double tensor_scale, given_scale;
    uint64_t group;
    uint64_t x, x_stride, y, y_stride, scales, scale_stride;
};
enum tsr_status tsr_npu_quantize(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                 const struct tsr_npu_quantize *op, struct tsr_program *out,
                                 struct tsr_error *err);

/* Back: y = the exact value of each element under its scale, rounded to y's format (f32 bf16 f16).
 * Shapes: x as struct tsr_npu_quantize leaves it: blocks in slabs or planes, or i8 and i4 with a
 *   scale for each row (group) at `scales`, or one given for all.
 * Numerics: as tsr_num_dequantize, then one rounding to the format. */
struct tsr_npu_dequantize {
    uint64_t rows, k;
    enum tsr_dtype x_format, y_format, scale_format;
    const struct tsr_npu_slab *slab;
    double tensor_scale, given_scale;
    uint64_t group;
    uint64_t x, x_stride, scales, scale_stride, y, y_stride;
};
enum tsr_status tsr_npu_dequantize(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                   const struct tsr_npu_dequantize *op, struct tsr_program *out,
                                   struct tsr_error *err);

/* Where a fused kernel puts its blocks, or i8 and i4 with a scale for each row in scale_format: as
 * struct tsr_npu_quantize says. */
struct tsr_npu_quantized {
    enum tsr_dtype format, scale_format;
    const struct tsr_npu_slab *slab;
    double tensor_scale;
    uint64_t y, y_stride, scales, scale_stride;
};

/* x / sqrt(mean of x^2 + eps) * w for each row, quantized.
 * Numerics: the f32 values of tsr_npu_rmsnorm, never rounded to another format, but for the order
 * of the sum: the vectors of a row's spans (slab or block, whichever is larger) in 8 chains. */
struct tsr_npu_rmsnorm_quantize {
    uint64_t rows, cols;
    double eps;
    enum tsr_dtype x_format, w_format;
    uint64_t x, x_stride, w; /* w 0: none */
    struct tsr_npu_quantized to;
};
enum tsr_status tsr_npu_rmsnorm_quantize(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                         const struct tsr_npu_rmsnorm_quantize *op,
                                         struct tsr_program *out, struct tsr_error *err);

/* act(gate) * up, quantized: the f32 values of tsr_npu_activation, never rounded to another format.
 */
struct tsr_npu_activation_quantize {
    uint64_t rows, cols;
    enum tsr_activation activation;
    double limit, alpha; /* SWIGLU_CLAMP */
    enum tsr_dtype in_format;
    uint64_t gate, gate_stride, up, up_stride;
    struct tsr_npu_quantized to;
};
enum tsr_status tsr_npu_activation_quantize(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                            const struct tsr_npu_activation_quantize *op,
                                            struct tsr_program *out, struct tsr_error *err);

#endif
