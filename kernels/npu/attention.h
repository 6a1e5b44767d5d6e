/* SPDX-License-Identifier: Apache-2.0 */
/* Attention on the NPU, streaming over keys with an online softmax. */
#ifndef KERNELS_NPU_ATTENTION_H
#define KERNELS_NPU_ATTENTION_H

#include "kernels/npu/slab.h"
#include "tessera/chip.h"
#include "tessera/isa.h"

/* A tensor [batch][token][head][head_dim] in HBM, its rows of head_dim elements contiguous. Strides
 * in bytes; all three 0: dense in that order. Caches of K and V stream fastest when the tokens of a
 * head follow each other (token_stride = row): runs of a kilobyte and more. */
struct tsr_npu_rows {
    uint64_t address;
    uint64_t batch_stride, token_stride, head_stride;
};

/* How a row of K or V in `kv_format` lies in HBM beside queries in `format`: rows 1, k head_dim,
 * its units one after another; strides of such a cache are at least slabs * unit_bytes. A plain row
 * is head_dim elements; of i8 too, whose scales lie elsewhere. Errors: TSR_BAD_INPUT a format that
 * is not served, a head_dim that its blocks do not divide. */
enum tsr_status tsr_npu_attention_cache(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                        uint64_t head_dim, enum tsr_dtype format,
                                        enum tsr_dtype kv_format, struct tsr_npu_slab *out,
                                        struct tsr_error *err);

/* O = softmax(scale Q K^T, masked) V for every sequence and head, as tessera/attention.h defines it
 * but for the formats; head h reads key head h / (heads / kv_heads).
 * Shapes: q batch x q_len x heads x head_dim; o the same with rows of v_dim; k, v batch x kv_len x
 *   kv_heads x head_dim, v_dim. heads a multiple of kv_heads; head_dim and v_dim multiples of 8.
 *   Query i of a sequence stands at position kv_len - q_len + i. causal: q_len <= kv_len, a query
 *   sees the keys up to its own position; window: none that is `window` or more before it, 0: no
 *   limit; prefix: these keys as well; has_mask: of all these those alone whose byte is not 0.
 *   q_lens, kv_lens: sequences of their own lengths, at least 1, at most q_len and kv_len, in
 * tensors laid out for those. sinks: [heads], a logit per head that joins the softmax with a value
 * of zero. pages: token t of sequence b lies in page pages[b page_row + t / page_tokens]; the batch
 * strides of k and v are then those of pages. Lengths, prefixes and pages are host arrays: they
 * become part of the program, in its control memory. Numerics: scores in f32 as mma adds them,
 * times scale log2(e) rounded to f32; soft cap c tanh(x / c) by exp2 and rcp; weights p = 2^(u - m)
 * with m a running maximum rounded up to an integer, so that the rescaling of O by 2^-e and of the
 * sum is exact; p rounded to `format` for P V, but summed unrounded in f32; O in f32, times 1 /
 * sum, rounded once to out_format. So |error| <= (half an ULP of the format at 1 + what u's error
 * gives) * sum |p v| / sum p
 *   + half an ULP of the result: derived in sim/suite/suite_attention.c. A context split among
 *   tiles (batches that would leave tiles idle) adds one product and one sum in f32 per split.
 *   Block formats: K enters the tensor unit as it lies; V is expanded by the vector unit, element
 *   times scale, and rounded to `format`. i8 likewise, as q8_0 whose blocks have the token's scale.
 *   lse = ln 2 (m + log2(sum)), three roundings. u below -2^30 counts as -infinity. A sum of zero
 * (no key and no sink) gives zeros. Errors: TSR_BAD_INPUT a shape, format or scale that is not
 * served (message says which), lengths and pages that exceed the control memory; TSR_INTERNAL out
 * of memory. Deterministic; the program runs on all tiles. Ownership: *out is freed by
 * tsr_program_free. O overlaps no input. Source: arXiv 1706.03762; online softmax arXiv 1805.02867,
 * 2205.14135. */
struct tsr_npu_attention {
    uint64_t batch, heads, kv_heads, head_dim, q_len, kv_len;
    uint64_t v_dim;      /* elements of a value and of a row of O; 0: head_dim */
    bool values_in_keys; /* V is the first v_dim elements of K: latent attention, absorbed */
    const uint32_t *q_lens, *kv_lens; /* [batch], or null */
    const uint32_t *pages;            /* [batch][page_row], or null */
    uint64_t page_tokens, page_row;
    uint64_t splits; /* teams that share a sequence's keys; 0: as the plan finds best */
    bool causal;
    uint64_t window;
    const uint32_t *prefix; /* [batch]: keys that all queries of the sequence see; or null */
    bool has_mask; /* `mask`: one byte, 0 or 1, for [sequence][key head][key][query][head of
                      the group]; strides in bytes, of a token: of a key; any may be 0 */
    struct tsr_npu_rows mask;
    bool has_slopes; /* ALiBi: slope (j - i) joins the logit; f32, [heads] */
    uint64_t slopes;
    double scale;              /* > 0; 1 / sqrt(head_dim) for most */
    double softcap;            /* 0: none */
    enum tsr_dtype format;     /* of Q, and of the weights inside: bf16, f16 or f8e4m3 */
    enum tsr_dtype out_format; /* of O: bf16 or f16; 0: as `format`, f8e4m3: bf16 */
    enum tsr_dtype kv_format;  /* of K and V: bf16, f16, an 8-bit float, beside queries of 16 bits a
                                  block format or i8; 0: as `format` */
    struct tsr_npu_rows q, k, v, o;
    /* kv_format i8: the factor, an f16, of each token and key head; tokens that share one (a group)
     * have it each. Tensors as k and v with rows of one element: fastest with token_stride 2. */
    struct tsr_npu_rows k_scales, v_scales;
    bool has_sinks;
    enum tsr_dtype sink_format; /* f32, bf16, f16 */
    uint64_t sinks;
    bool has_lse; /* also writes the logarithm of each query's sum, -infinity without a key: f32,
                     [batch][heads][q_len], for the gradients. Then a context is not split. */
    uint64_t lse;
};
enum tsr_status tsr_npu_attention(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                  const struct tsr_npu_attention *op, struct tsr_program *out,
                                  struct tsr_error *err);

#endif
