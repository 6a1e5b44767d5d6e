/* SPDX-License-Identifier: Apache-2.0 */
/* A transformer as numbers: what it is (tsr_model), how large (tsr_params), what it computes in
 * one phase (tsr_graph) and whether it fits a chip (tsr_fit). No weights, no values. */
#ifndef TESSERA_MODEL_H
#define TESSERA_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tessera/chip.h"
#include "tessera/dtype.h"
#include "tessera/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TSR_MAX_LAYERS = 1024, TSR_GRAPH_MAX_OPS = 80 };

enum tsr_arch {
    TSR_ARCH_LLAMA,
    TSR_ARCH_MISTRAL,
    TSR_ARCH_MIXTRAL,
    TSR_ARCH_QWEN2,
    TSR_ARCH_QWEN3,
    TSR_ARCH_QWEN3_MOE,
    TSR_ARCH_QWEN2_MOE,
    TSR_ARCH_GPT_OSS,
    TSR_ARCH_GROK,
    TSR_ARCH_PHI3,
    TSR_ARCH_DEEPSEEK_V2,
    TSR_ARCH_DEEPSEEK_V3,
    TSR_ARCH_COUNT,
};

/* Activation of the feed-forward gate; each is act(gate) * up but the last. */
enum tsr_activation {
    TSR_ACT_SILU,
    TSR_ACT_GELU,        /* x * Phi(x), by erf */
    TSR_ACT_GELU_TANH,   /* the tanh approximation (grok: jax.nn.gelu's default) */
    TSR_ACT_SWIGLU_CLAMP, /* gpt-oss: g = min(g, limit), u = clamp(u, +-limit),
                             g * sigmoid(alpha * g) * (u + 1) */
};

enum tsr_rope_scaling { TSR_ROPE_NONE, TSR_ROPE_LLAMA3, TSR_ROPE_YARN };

struct tsr_rope_config {
    enum tsr_rope_scaling scaling;
    double theta;
    double factor;                          /* LLAMA3 and YARN */
    double low_freq_factor, high_freq_factor; /* LLAMA3 */
    double beta_fast, beta_slow;            /* YARN */
    bool truncate;                          /* YARN: the ramp's ends are rounded outwards */
    double attention_factor; /* on cos and sin; YARN: 0.1 ln(factor) + 1 unless stated; else 1 */
    uint32_t original_context;              /* LLAMA3 and YARN, positions */
    double logit_factor; /* on q.k beside 1 / sqrt(head_dim): DeepSeek's YaRN, else 1; 0: 1 */
};

/* Per-layer kinds, or-ed. Layers of one kind run identical operations. */
enum { TSR_LAYER_SLIDING = 1, TSR_LAYER_MOE = 2, TSR_LAYER_KINDS = 4 };

struct tsr_model {
    char name[64];    /* preset name, or the file's path (cut) */
    enum tsr_arch arch;
    uint32_t hidden, layers, heads, kv_heads, head_dim;
    /* Latent attention (MLA), arXiv 2405.04434 section 2.1; kv_rank 0: none. A token leaves
     * kv_rank + rope_dim elements in the cache; head_dim is what is not turned and then rope_dim,
     * kv_heads = heads, a value has v_dim. q_rank 0: q is projected at once. */
    uint32_t kv_rank, q_rank, rope_dim, v_dim;
    uint32_t ffn;        /* inner width of a dense layer's feed-forward */
    uint32_t expert_ffn; /* inner width of one expert; 0 without experts */
    uint32_t experts, top_k; /* 0, 0 without experts */
    uint32_t shared_ffn; /* inner width of the expert that every token of a layer with experts takes
                            beside the chosen ones; 0: none */
    bool shared_gate;    /* its result is multiplied by a sigmoid of its own */
    uint32_t vocab;
    uint32_t context;    /* positions stated by the model; not enforced by the graph */
    uint32_t window;     /* keys that a sliding layer's query sees, itself included; 0: none */
    uint8_t layer_kind[TSR_MAX_LAYERS]; /* TSR_LAYER_* of the layers */
    bool tied;           /* lm_head is the embedding table */
    bool qkv_bias, o_bias, ffn_bias, router_bias;
    bool qk_norm;        /* RMSNorm of each head's q and k before RoPE */
    bool sinks;          /* one learned logit per head joins the softmax's denominator */
    bool router_after_topk; /* softmax over the chosen logits only (else over all experts) */
    bool router_renorm;  /* softmax over all, then the chosen weights are scaled to sum 1 */
    bool post_norms;     /* grok: a second norm after attention and after the experts */
    enum tsr_activation activation;
    double act_limit, act_alpha;   /* SWIGLU_CLAMP */
    double norm_eps;
    double embed_scale, logit_scale; /* factors on embedding and logits; 1 for most */
    double attn_scale;   /* factor on q.k; 1 / sqrt(head_dim) for most */
    double attn_softcap; /* logits become c * tanh(logit / c); 0: none */
    struct tsr_rope_config rope;
};

/* Loads a preset by name ("llama-2-7b") or an HF config.json by path (anything that is no preset
 * and holds a '/' or ends in ".json").
 * Errors: TSR_USAGE unknown name (the message lists the names); TSR_BAD_INPUT unreadable, larger
 * than 16 MiB, no JSON object, unknown architecture, missing key, wrong type or impossible shape:
 * "file:line:column: key: what is wrong, what is allowed"; TSR_INTERNAL out of memory.
 * `out` is untouched on failure. No state; threads may load at once.
 * Source: HF transformers' configuration classes; the rule for each key: sim/project/README.md. */
enum tsr_status tsr_model_load(const char *name_or_file, struct tsr_model *out,
                               struct tsr_error *err);

/* The same from `length` bytes of text; `file` is used in messages and as the model's name. */
enum tsr_status tsr_model_parse(const char *file, const char *text, size_t length,
                                struct tsr_model *out, struct tsr_error *err);

/* Names of the presets, ended by a null pointer. */
const char *const *tsr_model_names(void);

/* The name of an architecture as config.json writes it ("qwen3_moe"). */
const char *tsr_arch_name(enum tsr_arch arch);

/* Parameters (elements, not bytes). `total` = embedding + head + the sums over all layers. */
struct tsr_params {
    uint64_t embedding;  /* the input table */
    uint64_t head;       /* lm_head; 0 when tied */
    uint64_t attention;  /* q k v o with biases, q/k norms, sinks; MLA: with its two norms */
    uint64_t ffn;        /* dense feed-forward with biases, and shared experts */
    uint64_t router;
    uint64_t experts;    /* all experts with biases */
    uint64_t norms;
    uint64_t total;
    uint64_t active;     /* read for one token: without the input table, with lm_head (a tied table
                            counts as lm_head), top_k of the experts */
};

/* Counts. Never fails on a model that tsr_model_load returned (sums below 2^56 by its check). */
void tsr_model_count(const struct tsr_model *m, struct tsr_params *out);

/* ---- operations ---- */

enum tsr_phase { TSR_PREFILL, TSR_DECODE };

enum tsr_op_kind {
    TSR_OP_EMBED,          /* gather m rows of n from a table of `vocab` rows */
    TSR_OP_RMSNORM,        /* m rows of n */
    TSR_OP_MATMUL,         /* C[m,n] = A[m,k] x B[n,k]^T, then the epilogue */
    TSR_OP_ROPE,           /* q and k of m tokens, in place; QK_NORM first */
    TSR_OP_KV_APPEND,      /* k and v of m tokens into the cache */
    TSR_OP_ATTENTION,      /* m = batch * q_len query tokens against kv_len keys */
    TSR_OP_TOPK,           /* softmax and top_k of m rows of `experts` logits */
    TSR_OP_EXPERT_MATMUL,  /* m * top_k rows in all, grouped by expert, each as MATMUL */
    TSR_OP_COMBINE,        /* m rows of n: sum of top_k expert rows by weight (+ residual) */
    TSR_OP_GATED_ADD,      /* m rows of n times the sigmoid of a logit each, added to the stream */
    TSR_OP_HEAD_MATMUL,    /* MATMUL of m rows for each of `heads`, with a matrix of its own */
    TSR_OP_KIND_COUNT,
};

/* Flags: epilogues and variants. */
enum {
    TSR_OPF_BIAS = 1 << 0,
    TSR_OPF_RESIDUAL = 1 << 1,  /* adds an m x n tensor of the residual stream to the result */
    TSR_OPF_GATE = 1 << 2,      /* n = 2 * width: act(gate) * up leaves n / 2 columns */
    TSR_OPF_CAUSAL = 1 << 3,
    TSR_OPF_SINKS = 1 << 4,
    TSR_OPF_SOFTCAP = 1 << 5,
    TSR_OPF_QK_NORM = 1 << 6,
    TSR_OPF_SCALE = 1 << 7,     /* result times embed_scale or logit_scale */
    TSR_OPF_TIED = 1 << 8,      /* the table is shared by embed and lm_head (owned by lm_head) */
    TSR_OPF_F32_OUT = 1 << 9,   /* result stays f32: logits and router logits */
    TSR_OPF_LATENT = 1 << 10,   /* between attn_norm and o of latent attention */
};

/* One operation. Fields that a kind does not use are 0. Bytes follow the options' formats;
 * elements are those the mathematics needs: no padding, causal half only. */
struct tsr_graph_op {
    enum tsr_op_kind kind;
    const char *name;   /* static: "embed" "attn_norm" "qkv" "rope" "kv_append" "attention" ... */
    uint32_t flags;     /* TSR_OPF_* */
    enum tsr_activation activation; /* with TSR_OPF_GATE */
    uint32_t repeat;    /* layers that run the identical operation (1 outside the layers) */
    uint8_t layer_kinds; /* bit i: layers whose layer_kind is i run it; 0: once, outside them */
    uint64_t m, n, k;
    uint32_t batch, heads, kv_heads, head_dim;
    uint32_t v_dim;     /* of a value; 0: head_dim */
    uint64_t q_len, kv_len; /* per sequence; query i stands at position kv_len - q_len + i */
    uint64_t window;    /* 0: sees all earlier keys */
    uint32_t vocab, experts, top_k;
    uint64_t experts_read; /* experts that can be touched at most: min(experts, m * top_k) */
    uint64_t params;    /* parameters of one instance (all experts), as counted by tsr_params */
    uint64_t weight_bytes;      /* of one instance, as stored in HBM */
    uint64_t weight_read_bytes; /* of them, read once per run; gather: m rows; experts: those of
                                   experts_read experts */
    uint64_t kv_read_bytes, kv_write_bytes;
    uint64_t macs;      /* multiply-accumulates of one instance that the result needs */
    uint64_t in_elems, out_elems; /* activations read and written by one instance */
};

struct tsr_graph_options {
    enum tsr_phase phase;
    uint64_t batch; /* sequences */
    uint64_t seq;   /* prefill: tokens of each prompt; decode: KV length, new token included */
    const struct tsr_format *weights; /* matrices; null: bf16 */
    const struct tsr_format *kv;      /* cache; null: bf16 */
    uint64_t positions; /* not 0: the cache has room for so many in every layer, for a sequence that
                           grows; attention of sliding layers is then an operation of its own */
    uint64_t block;     /* prefill with positions: the last so many tokens of seq are new; 0: all */
    bool all_logits;    /* prefill: final norm and lm_head for every token */
};

struct tsr_graph {
    struct tsr_graph_options options;
    uint32_t n_ops;
    /* In the order of one layer; ops that differ between kinds of layer (two windows, dense and
     * experts) stand next to each other. */
    struct tsr_graph_op ops[TSR_GRAPH_MAX_OPS];
};

/* Builds the operations of one phase. Matrices and lm_head are stored in options->weights (rows
 * padded to its block), the untied input table, norms, biases, router and sinks in bf16, or f32
 * where weights are f32. Prefill computes the final norm and lm_head for the last token of each
 * sequence only, unless all_logits.
 * Errors: TSR_BAD_INPUT batch or seq 0, above 2^31, block above seq, or sums above 2^63.
 * `out` is untouched on failure. */
enum tsr_status tsr_graph_build(const struct tsr_model *m, const struct tsr_graph_options *options,
                                struct tsr_graph *out, struct tsr_error *err);

/* Sums over the graph, each op times its repeat. */
struct tsr_graph_totals {
    uint64_t macs, params, weight_bytes, weight_read_bytes, kv_read_bytes, kv_write_bytes;
};
void tsr_graph_sum(const struct tsr_graph *g, struct tsr_graph_totals *out);

/* The kind as text ("matmul"), for tables and traces. */
const char *tsr_op_kind_name(enum tsr_op_kind kind);

/* Bytes of `rows` x `cols` elements stored row by row in a format, block scales included, the
 * last block of a row padded; `f` null: bf16. UINT64_MAX when it would overflow. */
uint64_t tsr_format_bytes(const struct tsr_format *f, uint64_t rows, uint64_t cols);

/* ---- fit ---- */

/* What a model needs of HBM, in bytes. */
struct tsr_fit {
    uint64_t weight_bytes;
    uint64_t kv_bytes;        /* batch * seq positions; sliding layers keep min(seq, window) */
    uint64_t kv_token_bytes;  /* of one token in all layers, no window */
    uint64_t workspace_bytes; /* activations in bf16: the residual stream, the operation with the
                                 largest inputs and outputs, logits in f32 */
    uint64_t total_bytes;
    uint64_t hbm_bytes;       /* of the chip */
    uint64_t chips;           /* ceil(total / hbm): as if everything divided evenly */
};

/* Computes the fit. Errors: as tsr_graph_build; TSR_BAD_INPUT when total > the chip's HBM, with a
 * message that states the sizes in GiB and the number of chips; `out` is filled then too. */
enum tsr_status tsr_model_fit(const struct tsr_model *m, const struct tsr_graph_options *options,
                              const struct tsr_chip *chip, struct tsr_fit *out,
                              struct tsr_error *err);

#ifdef __cplusplus
}
#endif
#endif
