/* SPDX-License-Identifier: Apache-2.0 */
/* Attention: its definition, a cache of keys and values in pages, and the fused kernels of the
 * host's processor (online softmax, one pass, no matrix of scores). */
#ifndef TESSERA_ATTENTION_H
#define TESSERA_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tessera/dtype.h"
#include "tessera/kernels.h"
#include "tessera/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TSR_ATTENTION_MAX_DIM = 1024, /* of a head, of a value */
    TSR_KV_TILE = 8,              /* tokens that are packed together; pages hold a multiple */
};

/* What is computed, whoever computes it. A batch of sequences of their own lengths; query i of a
 * sequence stands at position P = kv_len - q_len + i, key j at position j. With s = scale q . k:
 *   logit = (softcap != 0 ? softcap tanh(s / softcap) : s) + (slopes ? slope[head] (j - P) : 0)
 *   weight = exp(logit) / (sum of exp(logit) over the keys that the query sees
 *                          + (sinks ? exp(sink[head]) : 0)),     o = sum of weight v
 * A query sees key j if ((!causal || j <= P) && (window == 0 || j > P - window)) || j < prefix,
 * and mask, where there is one, is not 0 for it. A window without causal also hides nothing ahead.
 * No key in sight: o is zeros, and lse (the logarithm of that sum) is the sink, or -infinity.
 * Head h reads key head h / (heads / kv_heads): heads == kv_heads is MHA, kv_heads == 1 MQA.
 * Latent attention (MLA): dim 192, value_dim 128 expanded; dim 576, value_dim 512, kv_heads 1
 * absorbed, the rope part the last 64 of dim, k and v of the same latents.
 * NaN and infinity: a NaN or +infinity among the logits that a query sees makes its row NaN; a
 * logit of -infinity weighs 0. Keys out of sight do not matter, but for fused kernels a value (v)
 * that is not finite may reach queries from which mask, causal or window hide it. */
struct tsr_attention {
    size_t batch;
    const uint32_t *q_len, *kv_len; /* batch of each; causal: q_len <= kv_len */
    size_t heads, kv_heads;         /* heads a multiple of kv_heads */
    size_t dim, value_dim;          /* multiples of 8, at most TSR_ATTENTION_MAX_DIM */
    double scale;                   /* 1 / sqrt(dim) for most; 0 gives means; finite */
    double softcap;                 /* 0: none; positive */
    bool causal;
    size_t window;          /* keys a query sees up to its own position; 0: no limit */
    const uint32_t *prefix; /* batch: keys that all queries of the sequence see; or null */
    const uint8_t *mask;    /* or null: [q_len][kv_len] of each sequence, one after another */
    const float *sinks;     /* heads, or null; source: openai/gpt-oss model.py (the definition) */
    const float *slopes;    /* heads, or null: ALiBi, arXiv 2108.12409 */
};

/* The reference: dense tensors, one sequence after another, in plain C.
 * Shapes: q, o [sum of q_len][heads][dim, value_dim]; k, v [sum of kv_len][kv_heads][dim,
 *   value_dim]; lse [sum of q_len][heads], or null.
 * Numerics: everything in double, sums in rising order of the reduced index, rounded to float once
 *   at the end: within half an ULP plus (kv_len + dim + 8) 2^-53 of the sum of magnitudes. exp,
 *   tanh, log are the host library's. Only the keys in sight are read.
 * Aliasing: outputs overlap nothing. Errors: none, a bad shape is an assertion (multiples of 8 are
 *   not needed here). Threads: any number at once on different outputs. Allocates nothing; slow.
 * Source: arXiv 1706.03762. */
void tsr_attention_plain(const struct tsr_attention *p, const float *q, const float *k,
                         const float *v, float *o, float *lse);

/* Its gradient: dq, dk, dv from do = dL/do, with the weights computed again from lse.
 * Shapes: as above; o and lse are tsr_attention_plain's or tsr_attention_run's. sinks get none.
 * Numerics: with D = sum of do o, ds = weight (do . v - D) (1 - tanh^2 under a soft cap), dq =
 * scale sum ds k, dk = scale sum ds q, dv = sum weight do; each in double in rising order, rounded
 * once. Aliasing, errors, threads: as above. dk and dv of a key that no query sees are zeros.
 * Source: arXiv 2205.14135, appendix B. */
void tsr_attention_backward(const struct tsr_attention *p, const float *q, const float *k,
                            const float *v, const float *o, const float *lse, const float *d_o,
                            float *dq, float *dk, float *dv);

/* ---- the cache of keys and values ---------------------------------------------------------------
 * Pages of a fixed number of tokens, all heads of K and V in each, packed at append time as the
 * kernels read them. A table says where the pages of a sequence are; they may lie anywhere and in
 * any order. One page per sequence makes a cache without paging. */
struct tsr_kv {
    enum tsr_dtype format; /* f32 bf16 f16 f8e4m3 i8 mxf8e4m3 */
    size_t kv_heads, dim, value_dim;
    size_t page_tokens; /* a multiple of TSR_KV_TILE */
    size_t group;       /* i8: tokens of a head that share a scale; divides page_tokens */
    void *pages;        /* 64-byte aligned; page p begins at p * page_bytes */
    const uint32_t
        *table; /* token t of sequence b: page table[b * table_stride + t / page_tokens] */
    size_t table_stride;
};

/* Bytes of a page, a multiple of 64; pages and table need not be set.
 * Errors: TSR_USAGE another format; TSR_BAD_INPUT sizes out of their range (which, what is
 *   allowed). *bytes is then untouched. */
enum tsr_status tsr_kv_page_bytes(const struct tsr_kv *kv, size_t *bytes, struct tsr_error *err);

/* Puts tokens first .. first + tokens - 1 of a sequence; those after them are gone. Their pages
 * must be in the table.
 * Shapes: k, v [tokens][kv_heads][dim, value_dim], rows of tokens k_stride, v_stride floats apart.
 * Numerics: to the format as tsr_quantize_f32 and the conversions of tessera/vecmath.h round. i8:
 *   scale = max / 127 over the group's tokens, codes to nearest even; a group that goes on with
 *   larger values has its earlier codes rounded again under the new scale.
 * Errors: as tsr_kv_page_bytes. Threads: any number at once on different pages. */
enum tsr_status tsr_kv_append(const struct tsr_kv *kv, size_t sequence, size_t first, size_t tokens,
                              const float *k, size_t k_stride, const float *v, size_t v_stride,
                              struct tsr_error *err);

/* The values of one token and head, as stored: k dim floats, v value_dim floats, either may be
 * null. The cache is a valid one (tsr_kv_page_bytes). */
void tsr_kv_read(const struct tsr_kv *kv, size_t sequence, size_t token, size_t head, float *k,
                 float *v);

/* ---- the kernels ------------------------------------------------------------------------------
 */

struct tsr_attention_call {
    const struct tsr_attention *what;
    enum tsr_dtype format; /* of q and o, and of the arithmetic: f32 or bf16 */
    const void *q;         /* [sum of q_len] rows, q_stride elements apart, of heads x dim */
    size_t q_stride;
    const struct tsr_kv *kv;
    void *o; /* [sum of q_len] rows, o_stride elements apart, of heads x value_dim */
    size_t o_stride;
    float *lse;                          /* [sum of q_len][heads], or null */
    void *scratch;                       /* 64-byte aligned */
    size_t scratch_bytes;                /* tsr_attention_scratch_bytes */
    const struct tsr_parallel *parallel; /* null: this thread alone */
};

/* Bytes of scratch for a call on at most this many threads. q, kv's pages, o need not be set.
 * Errors: as tsr_attention_run. */
enum tsr_status tsr_attention_scratch_bytes(const struct tsr_attention_call *c, size_t threads,
                                            size_t *bytes, struct tsr_error *err);

/* o = attention of q over the cache.
 * Numerics: u = 2^-24. q . k: f32 one chain of fused multiply-adds in order of dim; bf16 exact
 *   products added by BFMMLA, or as f32 where there is none. With bf16, keys and values of a cache
 * in f32, f16 or i8 are rounded to bf16, and so are the weights. Logits times log2(e); keys in
 * blocks of 256, weights 2^(t - M) by FEXPA, M a multiple of 1/64 that moves when the row's maximum
 * has grown by more than 8; sums in f32 in order of the keys; contexts of more than 2048 keys under
 *   few queries are split at multiples of 2048 and merged in order. With S the mean, by weight, of
 *   sum |q||k| |scale| + |logit|:
 *   |o - exact| <= 2 max|v| (u (dim + 16) S + 8 u softcap + u (keys + 64) + 2^-20 [bf16: + 2^-8 +
 *   1.6e-5; rounded keys and values: + 2^-8 (S + 1)]) + half an ULP, and one of f32, of the result.
 *   (Weights with relative errors e_j make an error of at most sum of weight |e_j| (|v_j| + |o|).)
 *   lse: as much with 1 for max|v|. A logit, or an element of q . k, of 2^60 or more in magnitude
 *   counts as infinite, and a logit of -infinity too makes its row NaN.
 *   A row has the same bits for any number of threads, order of pages, vector length and batch.
 * Errors: TSR_USAGE a format that is not served, scratch too small; TSR_BAD_INPUT sizes out of
 * their range or unlike the cache's. o is then untouched. Aliasing: o, lse, scratch overlap
 * nothing. Threads: any number of calls at once with their own o and scratch. Allocates nothing.
 * Source: online softmax arXiv 1805.02867, 2205.14135; paging arXiv 2309.06180. */
enum tsr_status tsr_attention_run(const struct tsr_attention_call *c, struct tsr_error *err);

#ifdef __cplusplus
}
#endif
#endif
