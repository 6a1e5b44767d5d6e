/* SPDX-License-Identifier: Apache-2.0 */
/* Where everything lies in HBM, and which programs a phase needs. */
#ifndef SIM_PROJECT_PLAN_H
#define SIM_PROJECT_PLAN_H

#include "kernels/npu/attention.h"
#include "kernels/npu/cast.h"
#include "kernels/npu/moe.h"
#include "kernels/npu/npu.h"
#include "kernels/npu/ops.h"
#include "kernels/npu/quantize.h"
#include "kernels/npu/requantize.h"
#include "sim/project/project.h"

/* A quantization with the layout that its descriptor borrows. */
struct project_quantize {
    struct tsr_npu_quantize op; /* slab: filled in when it is emitted */
    struct tsr_npu_slab slab;   /* rows 0: none */
};

/* The same after a norm, in one kernel. */
struct project_rmsnorm_quantize {
    struct tsr_npu_rmsnorm_quantize op; /* to.slab: as above */
    struct tsr_npu_slab slab;
};

union project_op {
    struct tsr_npu_matmul matmul;
    struct tsr_npu_rmsnorm rmsnorm;
    struct tsr_npu_activation activation;
    struct tsr_npu_residual residual;
    struct tsr_npu_cast cast;
    struct project_quantize quantize;
    struct project_rmsnorm_quantize rmsnorm_quantize;
    struct tsr_npu_requantize requantize;
    struct tsr_npu_rope rope;
    struct tsr_npu_kv_append kv_append;
    struct tsr_npu_attention attention;
    struct tsr_npu_embedding embedding;
    struct tsr_npu_moe_router moe_router;
    struct tsr_npu_moe_dispatch moe_dispatch;
    struct tsr_npu_moe_expert moe_expert;
    struct tsr_npu_moe_combine moe_combine;
};

/* A kernel as the plan sees it. */
struct project_kernel {
    const char *name;
    enum tsr_status (*emit)(const struct tsr_isa *isa, const struct tsr_chip *chip,
                            const union project_op *op, struct tsr_program *out,
                            struct tsr_error *err);
    /* Writes the shape for people. */
    void (*describe)(const union project_op *op, char *out, size_t cap);
    size_t weights; /* where in the descriptor the address of weights stands: steps that differ in
                       nothing else are one run; SIZE_MAX: none */
};

struct project_step {
    char name[48];
    uint32_t graph_op; /* that it is, or is a part of */
    const struct project_kernel *kernel;
    union project_op op;
    uint32_t repeat;
    int32_t same_as;
    uint64_t macs;
    double macs_per_cycle;
    bool shared; /* routing is the shared expert's */
    bool heads;  /* experts are heads: struct project_plan's head_routing */
};

/* Places that each of some layers has: the first one's, and the bytes of one. */
struct project_span {
    uint64_t first, bytes;
    uint8_t kinds; /* of layers, as in struct tsr_graph_op */
};

/* Latent attention (plan_mla.c). Rows of tokens, but for what is said. */
struct project_latent {
    uint64_t first, first_stride; /* q or its latents, then those of k and v, k's turned part */
    uint64_t q, q_stride;         /* q before it is turned */
    uint64_t rows, stride;        /* what the cache gets, in 16 bits */
    uint64_t queries;             /* as attention reads them */
    uint64_t product;             /* where the matmul at hand leaves its rows */
    uint64_t sums, sorted;        /* decode, [head][token]: weighted latents; rows of a matrix */
    uint64_t counts;              /* tokens of each head */
    uint64_t expanded;            /* prefill: keys and values */
    uint64_t keys, values;        /* [sequence][head][token] */
};

struct project_plan {
    const struct tsr_model *model;
    const struct project_options *options;
    struct tsr_graph graph;
    const struct tsr_format *weights; /* as they lie in HBM: what no unit takes is repacked */
    enum tsr_dtype heads_format;      /* of q k v as projected and of attention's result */
    /* HBM: bump allocation in segments; the two may meet, which project_plan then refuses. */
    uint64_t used;      /* weights and cache, from the bottom */
    uint64_t workspace; /* all else, from the top: the bottom does not depend on how many tokens
                           there are */
    uint64_t weight_bytes, kv_bytes; /* of that, alignment left out */
    uint64_t tokens, each;           /* rows of the residual stream, of a sequence */
    uint64_t stream;                 /* residual stream, bf16, updated in place */
    uint64_t cast;                   /* what a matmul reads, in the narrow format of activations */
    uint64_t normed;                 /* what a matmul reads: normed rows, attention's result */
    uint64_t wide;                   /* what the wide matmuls leave: q k v, gated inner rows */
    uint64_t unfused;                /* gate and up before a gate that no epilogue has */
    uint64_t branch;                 /* result of a block before its second norm, or its sum */
    uint64_t sums, row_scales;       /* plain integers: int32 products; f32 scales of rows */
    uint64_t logits;
    /* K and V of a layer: [kv_head][batch][position][head_dim], so that the keys of a head follow
     * each other. Sliding layers keep the window only, but for a prompt all of it passes through.
     */
    uint64_t k_cache, v_cache, k_window, v_window;
    uint64_t k_scales, v_scales, k_window_scales, v_window_scales; /* i8: f16, in the same order */
    struct tsr_npu_slab cache; /* how a position of a head lies in it */
    uint64_t kv_row;           /* bytes of that */
    uint64_t kv_rows;          /* k and v of the new tokens in the cache's format */
    /* Experts: the router's logits, what it chose, rows in order of experts, their results. */
    uint64_t router_logits, moe_ids, moe_weights, moe_counts, moe_rows, moe_out;
    uint32_t *routing; /* experts of each choice, [tokens][top_k]; null without experts */
    /* The shared expert is one of two, of which the other leaves zeros: a sigmoid is the softmax
     * of a logit and 0. */
    uint64_t shared_out;
    uint32_t *shared_routing; /* [tokens][2] */
    uint32_t *head_routing;   /* [tokens][heads], decode of latent attention */
    struct project_latent latent;
    /* Where the last step left its rows, and in which format. */
    uint64_t at;
    enum tsr_dtype at_format;
    uint64_t embedding;  /* the input table */
    uint8_t layer_kinds; /* of the operation that is being planned */
    uint32_t n_spans;
    struct project_span span[2 * PROJECT_MAX_STEPS];
    uint32_t n_steps;
    struct project_step step[PROJECT_MAX_STEPS];
    char assumption[24][200];
    uint32_t n_assumptions;
};

/* Errors: TSR_BAD_INPUT as project_run. `plan` is cleaned up by project_plan_free, also on failure.
 */
enum tsr_status project_plan(const struct tsr_model *model, const struct project_options *options,
                             struct project_plan *plan, struct tsr_error *err);

void project_plan_free(struct project_plan *plan);

/* The step's descriptor as a layer runs it: addresses are those of the layer. (An address is a word
 * of a descriptor that lies in a span; nothing else there is as large.) */
union project_op project_at_layer(const struct project_plan *p, const struct project_step *s,
                                  uint32_t layer);

/* What lies in HBM: weights, cache, and all else as workspace, alignment included. */
struct tsr_fit project_plan_fit(const struct project_plan *plan);

/* States something the numbers rest on; repeated texts are kept once. */
void project_assume(struct project_plan *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Uniform in [0, n): a function of its arguments alone, so that order and threads do not matter. */
uint32_t project_draw(uint64_t seed, uint64_t a, uint64_t b, uint32_t n);

/* Simulates all steps that stand for themselves: stats[i] of step i, and with options->every_layer
 * all_cycles[i], of all its instances (else 0). */
enum tsr_status project_simulate(const struct project_plan *plan, struct tsr_stats *stats,
                                 uint64_t *all_cycles, struct tsr_error *err);

/* Sums up; `r->step[].stats` are filled. */
void project_compose(struct project_result *r);
void project_estimate_energy(struct project_result *r);

#endif
