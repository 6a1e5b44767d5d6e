/* SPDX-License-Identifier: Apache-2.0 */
/* Between the plan's frame and the planners of the operations. */
#ifndef SIM_PROJECT_PLAN_OPS_H
#define SIM_PROJECT_PLAN_OPS_H

#include "sim/project/plan.h"

/* Appends the steps of one operation of the graph. */
typedef enum tsr_status project_planner(struct project_plan *p, const struct tsr_graph_op *op,
                                        struct tsr_error *err);
extern project_planner *const project_planners[TSR_OP_KIND_COUNT];
/* Of operations with TSR_OPF_LATENT. */
extern project_planner *const project_latent_planners[TSR_OP_KIND_COUNT];
/* What latent attention cannot. */
enum tsr_status project_check_latent(const struct project_plan *p, struct tsr_error *err);

/* The kernels (plan_kernels.c). */
extern const struct project_kernel project_matmul, project_rmsnorm, project_activation,
    project_residual, project_cast, project_quantize, project_rmsnorm_quantize, project_requantize,
    project_rope, project_kv_append, project_attention, project_embedding, project_moe_router,
    project_moe_dispatch, project_moe_expert, project_moe_combine;

/* A new step of an operation, its descriptor zero. */
struct project_step *project_step(struct project_plan *p, const struct project_kernel *kernel,
                                  const struct tsr_graph_op *op, const char *suffix);
/* An address in HBM with so many bytes behind it. */
uint64_t project_region(struct project_plan *p, uint64_t bytes);
/* The same for the weights of each instance; the first one's address. */
uint64_t project_weights(struct project_plan *p, uint64_t bytes, uint32_t instances);
/* And for the cache of each instance. */
uint64_t project_cache(struct project_plan *p, uint64_t bytes, uint32_t instances);
/* Bytes of a matmul's operand in `own` beside one in `partner` (kernels/npu/slab.h); UINT64_MAX:
 * too large. */
uint64_t project_operand_bytes(const struct project_plan *p, const struct tsr_format *own,
                               const struct tsr_format *partner, uint64_t rows, uint64_t k);

/* Positions of a sequence that the cache has room for. */
static inline uint64_t project_places(const struct project_options *o)
{
    return o->positions != 0 ? o->positions : o->seq;
}

/* A float of 16 bits. */
static inline bool project_wide(const struct tsr_format *f)
{
    return f->family == TSR_FAMILY_FLOAT && f->bits == 16;
}

project_planner project_plan_matmul, project_plan_topk, project_plan_expert, project_plan_combine,
    project_plan_gated_add;

/* Whether a product's rows are the normed ones in 16 bits and its result logits of a layer. */
static inline bool project_routes(const struct tsr_graph_op *op)
{
    return op->layer_kinds != 0 && op->flags & TSR_OPF_F32_OUT;
}

/* The 16-bit format of activations: theirs, or bf16 where they are narrower. */
enum tsr_dtype project_plain(const struct project_plan *p);
/* The rows that the next matmul reads, in the format of activations: a step of its own where the
 * step before could not write them so. */
void project_narrow_rows(struct project_plan *p, const struct tsr_graph_op *op, uint64_t rows,
                         uint64_t cols);
/* Whether products are of plain integers. */
bool project_integers(const struct project_plan *p);
/* Values from the int32 sums of a product: times the scales of rows and of columns, which lie at
 * `column`, its bias behind them. */
void project_requantize_sums(struct project_plan *p, const struct tsr_graph_op *op, uint64_t column,
                             enum tsr_dtype y_format, uint64_t y);
/* A norm whose result a matmul reads in blocks. */
void project_norm_blocks(struct project_plan *p, const struct tsr_graph_op *op,
                         const struct tsr_npu_rmsnorm *norm);
/* Of a token: q k v side by side. */
uint64_t project_qkv_bytes(const struct tsr_graph_op *op);
/* k and v of the new tokens into a cache of fewer than 16 bits. */
void project_narrow_append(struct project_plan *p, const struct tsr_graph_op *op);

#endif
