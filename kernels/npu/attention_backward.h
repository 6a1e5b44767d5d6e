/* SPDX-License-Identifier: Apache-2.0 */
/* The gradient of attention on the NPU, the weights computed again from lse. */
#ifndef KERNELS_NPU_ATTENTION_BACKWARD_H
#define KERNELS_NPU_ATTENTION_BACKWARD_H

#include "kernels/npu/attention.h"

/* A program each; DELTA first, the others in any order or at once. */
enum tsr_npu_gradient {
    TSR_GRADIENT_DELTA, /* delta = sum of dO O, for each query */
    TSR_GRADIENT_DQ,
    TSR_GRADIENT_DK,
    TSR_GRADIENT_DV,
    TSR_GRADIENTS
};

/* dQ = scale sum dS K, dK = scale sum dS Q, dV = sum P dO with P = exp(scale Q K^T - lse) where the
 * query sees the key and dS = P (dO V^T - delta): tessera/attention.h, tsr_attention_backward.
 * Shapes: q, o, d_o, d_q batch x q_len x heads x head_dim (o, d_o: v_dim); k, v, d_k, d_v batch x
 *   kv_len x kv_heads x head_dim (v, d_v: v_dim); lse (natural logarithm), delta batch x heads x
 *   q_len of f32. heads a multiple of kv_heads; head_dim and v_dim multiples of 8, at most 256 on a
 *   chip of 64 lanes (eight accumulator banks: twice one of scores and one of dO V^T, four of the
 *   result). causal, window, slopes, soft cap as in attention.h; sinks count by way of lse; a mask
 *   hides on top of them. Sequences of their own lengths lie in tensors laid out for the longest;
 * rows behind a sequence's last are not touched. K and V lie in no pages. Numerics: scores and dO
 * V^T as mma adds them; scale P by one exp2 of a fused sum, products in f32; P and scale dS rounded
 * to `format`; results as mma adds them, in f32. Errors: TSR_BAD_INPUT what is not served (message
 * says which); TSR_INTERNAL out of memory. Deterministic; runs on all tiles. Ownership: *out is
 * freed by tsr_program_free. Results overlap nothing. Source: arXiv 2205.14135, appendix B. */
struct tsr_npu_attention_backward {
    uint64_t batch, heads, kv_heads, head_dim, v_dim, q_len, kv_len;
    const uint32_t *q_lens, *kv_lens; /* [batch], at most q_len and kv_len, or null */
    bool causal;
    uint64_t window;
    const uint32_t *prefix; /* [batch]: keys that all queries of the sequence see; or null */
    bool has_mask; /* one byte, 0 or 1, for [sequence][head][key][query] in mask, for [sequence]
                      [head][query][key] in mask_t: the last index contiguous, token_stride that
                      of the one before, any stride may be 0 */
    struct tsr_npu_rows mask, mask_t;
    bool has_slopes;
    uint64_t slopes; /* f32, [heads] */
    double scale;
    double softcap;        /* 0: none */
    enum tsr_dtype format; /* of q, k, v, o, d_o and inside: bf16 or f16 */
    struct tsr_npu_rows q, k, v, o, d_o;
    struct tsr_npu_rows d_q, d_k, d_v; /* f32 */
    uint64_t lse, delta;
};
enum tsr_status tsr_npu_attention_backward(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                           const struct tsr_npu_attention_backward *op,
                                           enum tsr_npu_gradient part, struct tsr_program *out,
                                           struct tsr_error *err);

#endif
