/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of the operations around matmul and attention.
 *
 * Common to all. Addresses are in HBM (address space 2) and multiples of the element's size; shapes
 * are row-major, strides in bytes, 0 means dense. Any size from 1 up. Formats: what vector loads
 * and stores take as floats (f32 bf16 f16 f8e4m3 f8e5m2); arithmetic is f32, every step rounded as
 * isa/num says, results rounded once to the output's format. The output may be an input at the same
 * address with the same strides and format; else they do not overlap.
 * Work is spread over at most 64 tiles. Programs are deterministic: same arguments, same bits.
 * Errors: TSR_BAD_INPUT a size of 0, a format or a shape that the kernel cannot serve on this chip;
 * TSR_INTERNAL out of memory. *out is filled on success only; free it with tsr_program_free. */
#ifndef KERNELS_NPU_OPS_H
#define KERNELS_NPU_OPS_H

#include "tessera/chip.h"
#include "tessera/isa.h"
#include "tessera/model.h"

/* y = act(gate) * up, element by element.
 * SILU: a / (1 + e^-a). GELU_TANH: the tanh form. SWIGLU_CLAMP: g = min(gate, limit), u = clamp(up,
 * +-limit), g / (1 + e^(-alpha g)) * (u + 1). GELU by erf: TSR_BAD_INPUT, the machine has no erf.
 * Shapes: gate, up, y rows x cols. gate and up may be column ranges of one tensor.
 * Numerics: the argument of exp2 is a rounded product or more, so the error grows with |a|: for
 *   SILU (6 + 1.5 |a|) 2^-24 of the result, the others in sim/suite/suite_activation.c. Where
 *   1 / (1 + e^-a) is below 2^-126 the result is 0; a = -Inf gives NaN. */
struct tsr_npu_activation {
    uint64_t rows, cols;
    enum tsr_activation activation;
    double limit, alpha; /* SWIGLU_CLAMP */
    enum tsr_dtype in_format, out_format;
    uint64_t gate, gate_stride, up, up_stride, y, y_stride;
};
enum tsr_status tsr_npu_activation(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                   const struct tsr_npu_activation *op, struct tsr_program *out,
                                   struct tsr_error *err);

/* y = a + b.
 * Shapes: a, b, y rows x cols. Numerics: one addition in f32, then the format of y. */
struct tsr_npu_residual {
    uint64_t rows, cols;
    enum tsr_dtype a_format, b_format, y_format;
    uint64_t a, a_stride, b, b_stride, y, y_stride;
};
enum tsr_status tsr_npu_residual(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                 const struct tsr_npu_residual *op, struct tsr_program *out,
                                 struct tsr_error *err);

/* y = x / sqrt(mean of x^2 + eps) * w for each row.
 * Shapes: x, y rows x cols; with heads > 1 each row is so many adjacent rows of `cols`, for norms
 *   of the heads of a token (the stride is the token's). w cols values, 0: none.
 * Numerics: the mean as a sum times a rounded 1 / cols; the sum in 8 x lanes chains, then trees,
 *   all terms positive: (cols / (8 lanes) + log2(8 lanes) + 3) 2^-24 relative at most; the result
 *   half of that and 5 2^-24 more (rsqrt, two products). Overflow of the sum beyond f32 gives 0. */
struct tsr_npu_rmsnorm {
    uint64_t rows, cols;
    uint64_t heads; /* 0: 1 */
    double eps;
    enum tsr_dtype x_format, w_format, y_format;
    uint64_t x, x_stride, w, y, y_stride;
};
enum tsr_status tsr_npu_rmsnorm(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                const struct tsr_npu_rmsnorm *op, struct tsr_program *out,
                                struct tsr_error *err);

/* y = exp(x - max) / sum of exp(x - max) for each row; a row of -infinity gives zeros.
 * Shapes: x, y rows x cols.
 * Numerics: 2^((x - max) log2 e), whose argument is off by 2.5 |x - max| log2 e 2^-24; see the
 *   bound in sim/suite/suite_softmax.c. Terms below 2^-126 are 0. */
struct tsr_npu_softmax {
    uint64_t rows, cols;
    enum tsr_dtype x_format, y_format;
    uint64_t x, x_stride, y, y_stride;
};
enum tsr_status tsr_npu_softmax(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                const struct tsr_npu_softmax *op, struct tsr_program *out,
                                struct tsr_error *err);

/* Rotary embedding of the heads of each token: (a, b) -> (a cos - b sin, b cos + a sin) for the
 * pairs (i, i + head_dim / 2). The last `keys` heads may go to the cache instead of y.
 * Shapes: x tokens x heads x head_dim, a row's heads dense; cosine, sine f32 tokens x head_dim / 2
 *   dense (tsr_rope_table_ref makes them), or one row where all tokens stand at one position; y as
 *   x; k_cache: key head h of token t at t * k_token_stride + h * k_head_stride.
 * Numerics: two products and a sum, each rounded in f32: (|a cos| + |b sin|) 2^-23 at most. */
struct tsr_npu_rope {
    uint64_t tokens, heads, keys, head_dim;
    enum tsr_dtype x_format, y_format;
    uint64_t x, x_stride, cosine, sine, y, y_stride;
    bool one_position;
    uint64_t k_cache, k_token_stride, k_head_stride; /* 0: keys go to y */
};
enum tsr_status tsr_npu_rope(const struct tsr_isa *isa, const struct tsr_chip *chip,
                             const struct tsr_npu_rope *op, struct tsr_program *out,
                             struct tsr_error *err);

/* Copies runs of bytes, dimension by dimension: V of new tokens into the cache (heads, tokens,
 * sequences), or any other regular move within HBM. Source and destination do not overlap.
 * Shapes: n[0] x n[1] x n[2] runs, each dimension with strides of its own. Any bytes, no
 *   rounding. */
struct tsr_npu_kv_append {
    uint64_t bytes, n[3];
    uint64_t src, src_stride[3], dst, dst_stride[3];
};
enum tsr_status tsr_npu_kv_append(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                  const struct tsr_npu_kv_append *op, struct tsr_program *out,
                                  struct tsr_error *err);

/* Ids of the to_control instructions: what a timing-only run replays or gets from a source. */
enum tsr_npu_control {
    TSR_CONTROL_TOKENS = 1,   /* token ids of a block of rows */
    TSR_CONTROL_MOE_FIRST,    /* moe.h: per expert the place of the tile's first row */
    TSR_CONTROL_MOE_DISPATCH, /* expert ids of a block of tokens */
    TSR_CONTROL_MOE_COMBINE,  /* the same */
    TSR_CONTROL_MOE_TOTALS,   /* rows per expert */
};

/* y[t] = scale * table[id[t]].
 * Shapes: table vocab x cols, y tokens x cols; ids tokens values, in host memory (checked; at most
 *   a control memory full per tile) or, where ids is null, i32 in HBM (not checked: the machine
 *   faults on rows outside its memory).
 * Numerics: one product in f32. scale 0 counts as 1. */
struct tsr_npu_embedding {
    uint64_t tokens, cols, vocab;
    double scale;
    enum tsr_dtype table_format, y_format;
    uint64_t table, y;
    const uint32_t *ids;
    uint64_t ids_address;
};
enum tsr_status tsr_npu_embedding(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                  const struct tsr_npu_embedding *op, struct tsr_program *out,
                                  struct tsr_error *err);

#endif
