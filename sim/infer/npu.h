/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the target npu: a chip whose HBM holds weights and cache where the plan of a
 * projection puts them, and the programs of its steps. */
#ifndef SIM_INFER_NPU_H
#define SIM_INFER_NPU_H

#include "sim/infer/params.h"
#include "sim/infer/session.h"
#include "sim/project/plan.h"
#include "tessera/sim.h"

enum {
    NPU_BLOCK = 512 /* tokens of a prompt that go through the layers together, at most */
};

/* A launch of a token: its program, until another place or shape takes its turn. */
struct npu_launch {
    const struct project_kernel *kernel; /* null: none yet */
    union project_op op;
    struct tsr_program program;
    uint64_t cycles; /* 0: not known */
};

struct npu {
    struct infer base;
    struct infer_options o;
    struct tsr_sim *sim;
    struct project_options options;
    struct project_plan *plan; /* of the token or block in work */
    struct npu_launch *launch; /* in the order of a token; all tokens have the same */
    uint32_t n_launches, room, next;
    struct npu_launch once;                     /* of a block */
    uint32_t first_step[TSR_GRAPH_MAX_OPS + 1]; /* of each operation of the graph */
    struct infer_cost cost;
    struct infer_verified verified;
    uint64_t launched; /* of all tokens */
    uint32_t token, n; /* in work: the first, how many */
};

/* Writes the weights of every step and layer to HBM. */
enum tsr_status npu_place(struct npu *s, struct tsr_error *err);

/* Values into HBM, rounded to a plain format. */
enum tsr_status npu_write(struct npu *s, enum tsr_dtype format, const float *x, uint64_t n,
                          uint64_t address, struct tsr_error *err);

#endif
