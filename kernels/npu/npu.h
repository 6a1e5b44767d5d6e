/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels for the NPU: each function writes the program of one operation for a shape and a chip.
 *
 * All take addresses of tensors in HBM (tsr address space 2; tensors are dense and row-major unless
 * a stride is given), fill *out (free it with tsr_program_free) and run on all tiles of the chip.
 * A program is SPMD: one text, launch registers x1..x24 per tile.
 * Errors: TSR_BAD_INPUT for a shape, format or chip that the kernel cannot serve, with one message;
 * TSR_INTERNAL out of memory. Deterministic: same arguments, same program. */
#ifndef TESSERA_KERNELS_NPU_NPU_H
#define TESSERA_KERNELS_NPU_NPU_H

#include "tessera/chip.h"
#include "tessera/isa.h"

enum tsr_epilogue {
    TSR_EPILOGUE_NONE,
    /* C[m, n/2] = silu(gate) * up: rows 0..n/2-1 of B are the gate's, rows n/2..n-1 the up's */
    TSR_EPILOGUE_SILU_GATE,
    TSR_EPILOGUE_RESIDUAL, /* C = A B^T + residual */
};

/* C[m,n] = A[m,k] x B[n,k]^T (+ bias[n]) then the epilogue. B holds weights as HF files do, out x
 * in.
 * Formats: any pair that the tensor unit multiplies. Operands lie as kernels/npu/slab.h says: plain
 *   formats in rows, block formats slab-major, with the layout for the other one's format.
 * Numerics: isa/num, one chain over k; bias, gate and residual in f32; one rounding to c_format.
 *   i8, i4: int32 sums modulo 2^32, with their bias; i32 as they are, else rounded.
 * C in a block format is the A operand of a matmul by weights in `c_partner`: slab-major, the last
 *   slab padded with zeros. Its bits are those of tsr_num_quantize of the rows in f32; the format's
 *   block must fit one product of the tensor unit (with a gate half of one). */
struct tsr_npu_matmul {
    uint64_t m, n, k;
    enum tsr_dtype a_format, b_format, c_format; /* C: f32, bf16, f16, blocks; i32 of integers */
    enum tsr_dtype c_partner;                    /* C in blocks: the next matmul's b_format */
    uint64_t a, b, c;                            /* addresses */
    uint64_t a_stride, b_stride, c_stride; /* row strides in bytes; 0: dense. Block formats: 0 */
    uint64_t a_rows, b_rows; /* block formats: rows of the tensor that the m (n) rows are a part
                                of, the address being that of the first in slab 0; 0: m (n) */
    bool has_bias;
    uint64_t bias; /* n values: f32 (i32 for integers) */
    enum tsr_epilogue epilogue;
    uint64_t residual, residual_stride; /* [m,n] in c_format, or where that has blocks in */
    enum tsr_dtype residual_format;     /* f32, bf16, f16 */
};
enum tsr_status tsr_npu_matmul(const struct tsr_isa *isa, const struct tsr_chip *chip,
                               const struct tsr_npu_matmul *op, struct tsr_program *out,
                               struct tsr_error *err);

#endif
