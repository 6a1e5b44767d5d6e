/* SPDX-License-Identifier: Apache-2.0 */
/* Mixture of experts in five launches:
 *     router    logits -> per token the top_k experts and their weights; counts
 *     dispatch  rows of x -> rows in order of experts, by rising slot (token * top_k + choice)
 *     expert    rows x weights of their expert, with the gate's activation: gate and up in one
 *     expert    the same for down
 *     combine   per token the weighted sum of its rows, in order of choice (+ residual)
 * Between them lie in HBM, written by the router: ids i32 [tokens][top_k], weights f32
 * [tokens][top_k], counts i32 [tsr_npu_moe_parts][experts]: part i counts the choices of tokens
 * [tokens i / parts, tokens (i + 1) / parts), which tile i handles in router, dispatch and combine.
 * Rules, errors and ownership as in kernels/npu/ops.h. */
#ifndef KERNELS_NPU_MOE_H
#define KERNELS_NPU_MOE_H

#include "kernels/npu/ops.h"

uint32_t tsr_npu_moe_parts(const struct tsr_chip *chip, uint64_t tokens);

enum tsr_npu_router {
    TSR_NPU_ROUTER_ALL,    /* softmax over all experts; the chosen weights as they are */
    TSR_NPU_ROUTER_CHOSEN, /* softmax over the chosen logits: also what renormalising gives */
};

/* The top_k largest logits of each token in falling order, of equal ones the lower expert first,
 * and their weights. Logits are above -infinity and no NaN.
 * Shapes: logits tokens x experts; experts at most 256, top_k at most experts and the lanes.
 * Numerics: ids exact. Weights 2^((x - max) log2 e) / sum, as tsr_npu_softmax. */
struct tsr_npu_moe_router {
    uint64_t tokens, experts, top_k;
    enum tsr_npu_router softmax;
    enum tsr_dtype format; /* of the logits */
    uint64_t logits, logits_stride;
    uint64_t ids, weights, counts;
};
enum tsr_status tsr_npu_moe_router(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                   const struct tsr_npu_moe_router *op, struct tsr_program *out,
                                   struct tsr_error *err);

/* Row t of x goes to the places of the choices of token t: y is tokens * top_k rows, expert by
 * expert, each expert's by rising slot.
 * Shapes: x tokens rows of row_bytes; y dense. ids and counts as the router left them. No
 *   rounding. */
struct tsr_npu_moe_dispatch {
    uint64_t tokens, experts, top_k, row_bytes;
    uint64_t x, x_stride, ids, counts, y;
};
enum tsr_status tsr_npu_moe_dispatch(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                     const struct tsr_npu_moe_dispatch *op, struct tsr_program *out,
                                     struct tsr_error *err);

/* c[r] = a[r] x B[e]^T + bias[e] for the rows r of expert e; with a gate c = act(gate) * up, where
 * gate and up are two such products.
 * Shapes: a tokens * top_k rows of k in order of experts, dense; b (and up) experts x n x k, out x
 *   in as files have them; 0 for `up`: gate and up of an expert follow each other; expert_stride
 *   bytes from expert to expert, 0: dense; bias, up_bias f32 experts x n, 0: none (both or
 *   neither); c tokens * top_k rows of n, dense.
 * Formats: any pair that the tensor unit multiplies but integers. Block formats lie slab-major
 *   (slab.h): a as tokens * top_k rows, each matrix of an expert as n rows.
 * Numerics: mma over k in one chain (isa/num), bias added in f32, activation as tsr_npu_activation.
 * Traffic: weights of experts without rows are not read, of others once for each block of rows. A
 *   block has room for twice the rows of a typical expert, as far as accumulators and TSRAM
 *   allow. */
struct tsr_npu_moe_expert {
    uint64_t tokens, experts, top_k, n, k;
    enum tsr_dtype a_format, b_format, c_format;
    bool gate;
    enum tsr_activation activation;
    double limit, alpha; /* SWIGLU_CLAMP */
    uint64_t a, b, up, expert_stride, bias, up_bias, bias_stride, counts, c;
};
enum tsr_status tsr_npu_moe_expert(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                   const struct tsr_npu_moe_expert *op, struct tsr_program *out,
                                   struct tsr_error *err);

/* y[t] = residual[t] (0: none) + sum over j of weight[t][j] * (row of x at the place of slot (t,
 * j)).
 * Shapes: x tokens * top_k rows of cols, dense, in order of experts; y, residual tokens x cols.
 * Numerics: ((residual + w0 x0) + w1 x1) ..., products and sums rounded in f32.
 * Aliasing: y may be the residual. */
struct tsr_npu_moe_combine {
    uint64_t tokens, experts, top_k, cols;
    enum tsr_dtype x_format, y_format; /* the residual is as y */
    uint64_t x, weights, ids, counts, residual, residual_stride, y, y_stride;
};
enum tsr_status tsr_npu_moe_combine(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                    const struct tsr_npu_moe_combine *op, struct tsr_program *out,
                                    struct tsr_error *err);

/* ---- control data of timing-only runs ------------------------------------------------------- */

/* Choices as the router would write them: top_k distinct experts per token, all alike likely. */
void tsr_npu_moe_seeded(uint64_t seed, uint64_t tokens, uint64_t experts, uint64_t top_k,
                        uint32_t *ids);

/* What the machine would read, given the ids: self of the functions below. ids are borrowed. One
 * for each run at a time. */
struct tsr_npu_moe_source {
    uint64_t tokens, experts, top_k;
    const uint32_t *ids; /* [tokens][top_k] */
    uint32_t parts;
    uint32_t first[64]; /* words of a tile's first block */
};
void tsr_npu_moe_source_init(struct tsr_npu_moe_source *s, const struct tsr_chip *chip,
                             uint64_t tokens, uint64_t experts, uint64_t top_k,
                             const uint32_t *ids);

/* Made to be `fill` of struct tsr_control_source (tessera/sim.h), with the id as there. */
typedef void tsr_npu_control_fill(void *self, uint32_t tile, uint32_t call, uint32_t *words,
                                  uint32_t n);
tsr_npu_control_fill *tsr_npu_moe_fill(enum tsr_npu_control id); /* null: no such */

#endif
