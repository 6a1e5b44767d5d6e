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
 * in. */
struct tsr_npu_matmul {
    uint64_t m, n, k;
    enum tsr_dtype a_format, b_format, c_format; /* C: f32, bf16, f16; i32 for integers */
    uint64_t a, b, c;                            /* addresses */
    uint64_t a_stride, b_stride, c_stride;       /* row strides in bytes; 0: dense */
    bool has_bias;
    uint64_t bias; /* n values: f32 (i32 for integers) */
    enum tsr_epilogue epilogue;
    uint64_t residual, residual_stride; /* [m,n] in c_format */
};
enum tsr_status tsr_npu_matmul(const struct tsr_isa *isa, const struct tsr_chip *chip,
                               const struct tsr_npu_matmul *op, struct tsr_program *out,
                               struct tsr_error *err);

#endif
