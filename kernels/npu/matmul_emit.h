/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files that write the matmul program: semaphores, registers, what is known of it. */
#ifndef TESSERA_KERNELS_NPU_MATMUL_EMIT_H
#define TESSERA_KERNELS_NPU_MATMUL_EMIT_H

#include "kernels/npu/matmul_plan.h"
#include "kernels/npu/text.h"

enum sem {
    S_A,
    S_B,        /* a chunk has arrived: consumed by the TTU */
    S_USED,     /* a chunk has been used: DMA channel 3, for the remote posts */
    S_BLOCK,    /* a block is complete: ACC */
    S_ACC_FREE, /* its accumulators are drained: TCP */
    S_DRAINED,  /* the drained block is in TSRAM: channel 2, or TVP with an epilogue */
    S_RESULT,   /* the epilogue's result is in TSRAM: channel 2 */
    S_LEFT,     /* the result has left: TCP */
    S_A_PLACE,
    S_B_PLACE,  /* a place is free: channels 0 and 1 of the senders */
    S_BIAS,     /* ACC */
    S_RESIDUAL, /* TVP */
    S_A_TOKEN,
    S_B_TOKEN, /* the predecessor's token: channel 3 */
    S_STAGE,   /* with an epilogue, the drained block has been used: TCP */
};

/* Scalar registers. x1..x15 are launch arguments; those above x6 move to control memory first. */
enum reg {
    X_A = 1,
    X_ROWS,
    X_BH,
    X_B,
    X_COLS,
    X_BW,
    X_AS, /* from row to row of A (of B) in TSRAM */
    X_BS,
    X_LA_LEFT,
    X_LA_PTR,
    X_LA_K, /* in slabs */
    X_LA_SLOT,
    X_LB_LEFT,
    X_LB_COL,
    X_LB_K,
    X_LB_SLOT,
    X_ROW,
    X_COL,
    X_K,
    X_ASLOT,
    X_BSLOT,
    X_C,
    X_M,
    X_N,
    T0,
    T1,
    T2,
    T3,
    T4,
    T5,
    T6,
};
/* ARG_x_NEXT: mask of the tile that gets the token; ARG_ROLES: bits of enum role. */
enum launch {
    ARG_C = 7,
    ARG_A_MASK,
    ARG_B_MASK,
    ARG_A_NEXT,
    ARG_B_NEXT,
    ARG_A_LOADS,
    ARG_B_LOADS,
    ARG_BIAS,
    ARG_RESIDUAL,
    ARG_ROLES,
    ARG_PHASE, /* C in blocks: where in its span the region begins; columns that it writes */
    ARG_WRITTEN
};
enum role {
    FIRST_A = 1,
    LAST_A = 2,
    FIRST_B = 4,
    LAST_B = 8
}; /* of the chains of A and B */

/* Control memory: arguments and what finds no register. */
enum {
    C_C = 0,
    C_A_MASK = 8,
    C_B_MASK = 16,
    C_A_NEXT = 24,
    C_B_NEXT = 32,
    C_BIAS = 40,
    C_RESIDUAL = 48,
    C_PANEL = 56,
    C_A_CREDITS = 64,
    C_B_CREDITS = 72,
    C_A_PASS = 80,
    C_ROLES = 88,
    C_GROUP_LEFT = 96, /* of blocks of columns that leave together: how many are to come, */
    C_GROUP_COL = 104, /* the first one's column, where the first row's results are staged, */
    C_GROUP_OUT = 112,
    C_OUT = 120, /* and those of the row in hand */
    C_LA_ROW = 128,
    C_PASS_ROW = 136, /* group of rows that share B: its first row, the row behind it, */
    C_PASS_END = 144,
    C_B_PANEL = 152,   /* where the columns' B begins */
    C_FLAGS = 160,     /* enum flag */
    C_A_UNASKED = 168, /* places that no chunk has been asked for yet */
    C_B_UNASKED = 176,
    C_SUB = 184, /* bytes of A's rows that a second half of a block passes over, */
    C_SUB_NEXT = 192,
    C_A_BLOCK = 200, /* where the block's A begins */
    C_PHASE = 208,   /* C in blocks: ARG_PHASE, ARG_WRITTEN, */
    C_WRITTEN = 216,
    C_SPAN_COL = 224, /* the column (of the region) where the span in hand begins, */
    C_SPAN_AT = 232   /* and its first unit in HBM */
};

/* What the block in hand does with its chunks. */
enum flag {
    A_NEW = 1, /* they arrive with this block; otherwise they are there */
    B_NEW = 2,
    A_DONE = 4, /* this block is the last to use them */
    B_DONE = 8
};

struct matmul_emit {
    struct tsr_text t;
    const struct tsr_isa *isa;
    const struct tsr_chip *chip;
    const struct tsr_npu_matmul *op;
    struct matmul_plan p;
    uint64_t c_stride, r_stride;
    uint32_t labels, line, lanes;
    const char *fa, *fb, *fc;
    bool integer;
};

#define L(...) tsr_text_line(&e->t, __VA_ARGS__)

/* Whether A (B) is used by several blocks. */
static inline bool shares_a(const struct matmul_emit *e)
{
    return e->p.resident && e->p.ncb > 1;
}
static inline bool shares_b(const struct matmul_emit *e)
{
    return e->p.pass > 1;
}
static inline uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* matmul_launch.c: x1.. of every tile of the grid. */
void matmul_arguments(const struct matmul_emit *e, int64_t (*args)[TSR_LAUNCH_REGS]);

/* matmul_load.c: the next chunk of A (of B), if one is left; with `wait`, when its place is free.
 */
void matmul_load_a(struct matmul_emit *e, bool wait);
void matmul_load_b(struct matmul_emit *e, bool wait);

/* matmul_block.c: what happens to a block before and after its chunks. */
void matmul_begin_columns(struct matmul_emit *e);
void matmul_begin_block(struct matmul_emit *e);
void matmul_load_extras(struct matmul_emit *e);
void matmul_drain_block(struct matmul_emit *e);
void matmul_store_block(struct matmul_emit *e);
void matmul_epilogue_routine(struct matmul_emit *e);
/* The address of the half of a double buffer that X_C names, in `reg`. */
void matmul_half(struct matmul_emit *e, int reg, uint64_t at, uint64_t bytes);

/* matmul_quant.c: the same of C in blocks. */
void matmul_begin_span(struct matmul_emit *e);
void matmul_run_quant(struct matmul_emit *e);
void matmul_leave_units(struct matmul_emit *e);
void matmul_quant_routines(struct matmul_emit *e);

#endif
