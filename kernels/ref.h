/* SPDX-License-Identifier: Apache-2.0 */
/* Plain references of the model operations: what every other kernel is compared with.
 *
 * Common to all. Shapes: dense, row-major, last index fastest; sizes may be 0. Numerics: every
 * result is computed in double from the float inputs, sums in rising order of the reduced index,
 * and rounded to float once at the end; so it lies within half an ULP plus (terms * 2^-53 of the
 * sum of magnitudes) of the exact value. exp, tanh, erf, sin, cos, log are the host library's:
 * compare with a tolerance, not in bits. NaN and infinities go through the formulas. Aliasing: the
 * output may be an input only where stated. Errors: none; a bad caller is an assertion. Threads:
 * any number at once on different outputs. Allocates nothing. Not meant to be fast. */
#ifndef KERNELS_REF_H
#define KERNELS_REF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tessera/model.h"

/* How B lies in memory. */
enum tsr_layout_ref {
    TSR_B_NK, /* B[n][k]: out x in, as weights are stored */
    TSR_B_KN, /* B[k][n] */
};

/* C[i][j] = sum over p of A[i][p] * B(p, j), + bias[j] (null: none). k = 0 gives the bias.
 * Shapes: a m x k, b as `layout` says, bias n, c m x n. */
void tsr_matmul_ref(size_t m, size_t n, size_t k, const float *a, const float *b,
                    enum tsr_layout_ref layout, const float *bias, float *c);

/* y[i] = x[i] * w[i] / sqrt(mean of x^2 + eps) for each row.
 * Shapes: x, y rows x n; w n (null: ones). y may be x. Per-head norms: rows = tokens * heads.
 * Source: arXiv 1910.07467. */
void tsr_rmsnorm_ref(size_t rows, size_t n, double eps, const float *x, const float *w, float *y);

/* Its two halves, for rows in pieces: sum + the squares of n elements; y = x / root * w. */
double tsr_squares_ref(size_t n, const float *x, double sum);
void tsr_rms_scale_ref(size_t n, double root, const float *x, const float *w, float *y);

/* y[i] = (x[i] - mean) / sqrt(variance + eps) * w[i] + b[i]; variance = mean of (x - mean)^2.
 * Shapes: x, y rows x n; w, b n (null: ones, zeros). y may be x. Source: arXiv 1607.06450. */
void tsr_layernorm_ref(size_t rows, size_t n, double eps, const float *x, const float *w,
                       const float *b, float *y);

/* y[i] = exp(x[i] - max) / sum of exp(x - max) for each row. -infinity gives 0; a row of nothing
 * but -infinity gives zeros. Shapes: rows x n. y may be x. */
void tsr_softmax_ref(size_t rows, size_t n, const float *x, float *y);

/* Turn of pair i per position: radians, head_dim / 2 of them, after the model's scaling.
 * Source: theta^(-2i/head_dim), arXiv 2104.09864; LLAMA3: HF modeling_rope_utils; YARN: arXiv
 * 2309.00071 section 3.2 with HF's rounding of the ramp's ends unless !truncate (gpt-oss). */
void tsr_rope_frequencies_ref(const struct tsr_rope_config *config, size_t head_dim,
                              double *frequency);

/* cos and sin of position * frequency, times attention_factor.
 * Shapes: position tokens; cosine, sine tokens x head_dim / 2. head_dim at most 1024. */
void tsr_rope_table_ref(const struct tsr_rope_config *config, size_t head_dim, size_t tokens,
                        const uint32_t *position, float *cosine, float *sine);

enum tsr_pairing_ref {
    TSR_PAIRS_HALF,     /* (i, i + head_dim / 2): HF files */
    TSR_PAIRS_ADJACENT, /* (2i, 2i + 1): the original order, GGUF llama, llama2.c */
};

/* (a, b) -> (a cos - b sin, b cos + a sin) for each pair of each head.
 * Shapes: x, y tokens x heads x head_dim; cosine, sine tokens x head_dim / 2. y may be x. */
void tsr_rope_ref(size_t tokens, size_t heads, size_t head_dim, enum tsr_pairing_ref pairing,
                  const float *cosine, const float *sine, const float *x, float *y);

/* y = act(gate) * up, element by element; TSR_ACT_SWIGLU_CLAMP as enum tsr_activation says, with
 * limit and alpha (else ignored). A NaN gate or up stays NaN. y may be gate or up. */
void tsr_gate_ref(enum tsr_activation act, double limit, double alpha, size_t n, const float *gate,
                  const float *up, float *y);

/* y = act(x): x * sigmoid(x), x * Phi(x), or 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)));
 * act is no SWIGLU_CLAMP. y may be x. Source of the tanh form: arXiv 1606.08415. */
void tsr_activation_ref(enum tsr_activation act, size_t n, const float *x, float *y);

/* y = a + b. y may be a or b. */
void tsr_residual_ref(size_t n, const float *a, const float *b, float *y);

/* y[t] = scale * table[id[t]]. Shapes: table vocab x n, id tokens, y tokens x n; id < vocab. */
void tsr_embedding_ref(size_t tokens, size_t n, size_t vocab, double scale, const float *table,
                       const uint32_t *id, float *y);

struct tsr_attention_shape {
    size_t heads, kv_heads, head_dim; /* heads a multiple of kv_heads; head_dim at most 1024 */
    size_t q_len, kv_len; /* query i stands at position kv_len - q_len + i; causal: q <= kv */
    size_t window;        /* keys that a query sees up to its own position; 0: no limit */
    bool causal;          /* none after its own position */
    double scale;         /* on q.k; 1 / sqrt(head_dim) for most */
    double softcap;       /* logit = cap * tanh(logit / cap) after the scale; 0: none */
};

/* One sequence: out = sum of p v, p = softmax over the keys a query sees of the logits; head h
 * reads key head h / (heads / kv_heads). sinks (heads, or null): a logit that takes part in the
 * softmax with a value of zero. No key and no sink gives zeros.
 * Shapes: q, out q_len x heads x head_dim; k, v kv_len x kv_heads x head_dim.
 * Source: arXiv 1706.03762; sinks: openai/gpt-oss model.py (its definition, no code). */
void tsr_attention_ref(const struct tsr_attention_shape *s, const float *q, const float *k,
                       const float *v, const float *sinks, float *out);

/* How router logits become weights. */
enum tsr_router_ref {
    TSR_ROUTER_SOFTMAX_ALL,    /* softmax over all experts; the chosen weights as they are */
    TSR_ROUTER_SOFTMAX_RENORM, /* the same, then scaled to sum 1 */
    TSR_ROUTER_SOFTMAX_CHOSEN, /* softmax over the chosen logits: RENORM in exact numbers */
};

/* The top_k largest logits of each row in falling order, of equal ones the lower expert first, and
 * their weights. Logits are no NaN.
 * Shapes: logits rows x experts; index, weight rows x top_k; top_k <= experts. */
void tsr_topk_ref(size_t rows, size_t experts, size_t top_k, enum tsr_router_ref router,
                  const float *logits, uint32_t *index, float *weight);

/* Row r of c = row r / repeat of a times expert index[r], + its bias: the grouped matmul, one row
 * at a time. repeat = top_k where a holds tokens, 1 where it holds one row per choice.
 * Shapes: index rows; a rows / repeat x k; b experts x n x k; bias experts x n or null; c rows x n.
 */
void tsr_expert_matmul_ref(size_t rows, size_t repeat, size_t n, size_t k, const uint32_t *index,
                           const float *a, const float *b, const float *bias, float *c);

/* y[t] = residual[t] (null: 0) + sum over j of weight[t][j] * x[t * top_k + j], j rising.
 * Shapes: weight tokens x top_k; x tokens * top_k x n; residual, y tokens x n. y may be residual.
 */
void tsr_combine_ref(size_t tokens, size_t n, size_t top_k, const float *weight, const float *x,
                     const float *residual, float *y);

#endif
