/* SPDX-License-Identifier: Apache-2.0 */
/* A block from its accumulators to HBM: bias, residual, gate; results leave in groups. */
#include <stdio.h>

#include "kernels/npu/matmul_emit.h"

void matmul_half(struct matmul_emit *e, int reg, uint64_t at, uint64_t bytes)
{
    uint32_t shift = (uint32_t)__builtin_ctz((e->chip->tile.ttu.acc_banks / 2) << 8);
    L("  shri x%d, x%d, %u", reg, X_C, shift);
    L("  muli x%d, x%d, %llu", reg, reg, (unsigned long long)bytes);
    L("  addi x%d, x%d, %llu", reg, reg, (unsigned long long)at);
}

/* Bytes from row to row of the staged results: a group of blocks side by side. */
static uint64_t out_stride(const struct matmul_emit *e)
{
    return (uint64_t)e->p.bn * e->p.ec * e->p.group;
}

/* Where the block's results are staged: its place in the group. */
static void out_place(struct matmul_emit *e, int reg, int temp)
{
    L("  ld x%d, x0, %d", reg, C_OUT);
    if (e->p.group > 1) {
        L("  ld x%d, x0, %d", temp, C_GROUP_COL);
        L("  sub x%d, x%d, x%d", temp, X_COL, temp);
        L("  muli x%d, x%d, %u", temp, temp, e->p.ec);
        L("  add x%d, x%d, x%d", reg, reg, temp);
    }
}

/* The blocks of columns leave in groups: at the first of one, how many it has and where its first
 * row is staged; at others, back to that place. */
void matmul_begin_columns(struct matmul_emit *e)
{
    if (e->p.c.blocked) {
        matmul_begin_span(e);
        return;
    }
    L("  ld x%d, x0, %d", T0, C_GROUP_LEFT);
    L("  bne x%d, x0, in_group", T0);
    L("  sd x%d, x0, %d", X_COL, C_GROUP_COL);
    L("  ld x%d, x0, %d", T0, C_OUT);
    L("  sd x%d, x0, %d", T0, C_GROUP_OUT);
    L("  li x%d, %u", T0, e->p.group);
    if (e->p.group > 1) { /* near the end one by one: nothing hides a long last copy */
        if (shares_b(e))
            L("  ld x%d, x0, %d", T1, C_PASS_END);
        else
            L("  add x%d, x%d, x%d", T1, X_ROW, X_BH);
        L("  blt x%d, x%d, in_group", T1, X_ROWS);
        L("  muli x%d, x%d, %u", T1, X_BW, 2 * e->p.group);
        L("  add x%d, x%d, x%d", T1, T1, X_COL);
        L("  bge x%d, x%d, in_group", X_COLS, T1);
        L("  li x%d, 1", T0);
    }
    L("in_group:");
    L("  addi x%d, x%d, -1", T0, T0);
    if (e->p.ncb % e->p.group) { /* the last columns leave whatever is there */
        L("  add x%d, x%d, x%d", T1, X_COL, X_BW);
        L("  blt x%d, x%d, not_last", T1, X_COLS);
        L("  li x%d, 0", T0);
        L("not_last:");
    }
    L("  sd x%d, x0, %d", T0, C_GROUP_LEFT);
    L("  ld x%d, x0, %d", T0, C_GROUP_OUT);
    L("  sd x%d, x0, %d", T0, C_OUT);
}

/* A block starts when its accumulators are free, with an epilogue its half of the drained blocks,
 * and in the first columns of a group its place of the staging. */
void matmul_begin_block(struct matmul_emit *e)
{
    if (e->p.epilogue)
        L("  wait wait(s%d, s%d)", S_ACC_FREE, S_STAGE);
    else
        L("  wait wait(s%d)", S_ACC_FREE);
    L("  ld x%d, x0, %d", T0, C_GROUP_COL);
    L("  bne x%d, x%d, has_place", T0, X_COL);
    L("  wait wait(s%d)", S_LEFT);
    L("has_place:");
}

/* Bias and residual of the block, on channel 3. */
void matmul_load_extras(struct matmul_emit *e)
{
    const struct tsr_npu_matmul *op = e->op;
    if (op->has_bias) {
        matmul_half(e, T0, e->p.extra_at + e->p.residual_bytes, e->p.extra_bytes);
        L("  ld x%d, x0, %d", T1, C_BIAS);
        L("  shli x%d, x%d, 2", T2, X_COL);
        L("  add x%d, x%d, x%d", T1, T1, T2);
        L("  shli x%d, x%d, 2", T2, X_N);
        L("  li x%d, %u", T3, e->p.parts);
        L("  li x%d, %llu", T4, (unsigned long long)(4 * e->p.n_out));
        L("  copy ch=3, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d post(s%d)", T0, T1, T2,
          T3, T4, T2, S_BIAS);
    }
    if (op->epilogue == TSR_EPILOGUE_RESIDUAL) {
        matmul_half(e, T0, e->p.extra_at, e->p.extra_bytes);
        L("  ld x%d, x0, %d", T1, C_RESIDUAL);
        L("  muli x%d, x%d, %u", T2, X_COL, e->p.ec);
        L("  add x%d, x%d, x%d", T1, T1, T2);
        L("  muli x%d, x%d, %llu", T2, X_ROW, (unsigned long long)e->r_stride);
        L("  add x%d, x%d, x%d", T1, T1, T2);
        L("  muli x%d, x%d, %u", T2, X_N, e->p.ec);
        L("  li x%d, %llu", T3, (unsigned long long)e->r_stride);
        L("  li x%d, %llu", T4, (unsigned long long)out_stride(e));
        L("  copy ch=3, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d post(s%d)", T0, T1, T2,
          X_M, T3, T4, S_RESIDUAL);
    }
}

void matmul_drain_block(struct matmul_emit *e)
{
    bool epilogue = e->p.epilogue;
    char bias[48] = "", wait[32];
    uint64_t stride = epilogue ? (uint64_t)e->p.bn * e->p.parts * 4 : out_stride(e);
    if (epilogue)
        matmul_half(e, T0, e->p.acc_at, e->p.acc_bytes);
    else
        out_place(e, T0, T1);
    L("  li x%d, %llu", T1, (unsigned long long)stride);
    L("  muli x%d, x%d, %u", T2, X_N, e->p.parts);
    snprintf(wait, sizeof wait, "wait(s%d)", S_BLOCK);
    if (e->op->has_bias) {
        matmul_half(e, T3, e->p.extra_at + e->p.residual_bytes, e->p.extra_bytes);
        snprintf(bias, sizeof bias, ", bias=x%d, bi=1", T3);
        snprintf(wait, sizeof wait, "wait(s%d, s%d)", S_BLOCK, S_BIAS);
    }
    L("  drain dst=x%d, ds=x%d, m=x%d, n=x%d, c=x%d, fmt=%s, across=%u, int=%d%s %s post(s%d, s%d)",
      T0, T1, X_M, T2, X_C, epilogue ? "f32" : e->fc, e->p.across, e->integer, bias, wait,
      S_ACC_FREE, S_DRAINED);
}

static void run_epilogue(struct matmul_emit *e)
{
    bool gate = e->op->epilogue == TSR_EPILOGUE_SILU_GATE;
    matmul_half(e, T0, e->p.acc_at, e->p.acc_bytes);
    if (gate) {
        L("  shli x%d, x%d, 2", T1, X_N);
        L("  add x%d, x%d, x%d", T1, T1, T0);
    } else {
        matmul_half(e, T1, e->p.extra_at, e->p.extra_bytes);
    }
    out_place(e, T2, T3);
    L("  shri x%d, x%d, 3", T3, X_M);
    L("  andi x%d, x%d, 7", T4, X_M);
    L("  vcall epilogue, x%d, x%d, x%d, x%d, x%d, x%d wait(s%d%s) post(s%d, s%d)", T0, T1, T2, T3,
      X_N, T4, S_DRAINED, gate ? "" : ", s11", S_RESULT, S_STAGE);
}

/* Rows of the group, block beside block. */
static void leave(struct matmul_emit *e, int ready)
{
    L("  ld x%d, x0, %d", T0, C_OUT);
    L("  ld x%d, x0, %d", T5, C_GROUP_COL);
    L("  ld x%d, x0, %d", T1, C_C);
    L("  muli x%d, x%d, %u", T2, T5, e->p.ec);
    L("  add x%d, x%d, x%d", T1, T1, T2);
    L("  muli x%d, x%d, %llu", T2, X_ROW, (unsigned long long)e->c_stride);
    L("  add x%d, x%d, x%d", T1, T1, T2);
    L("  sub x%d, x%d, x%d", T2, X_COL, T5);
    L("  add x%d, x%d, x%d", T2, T2, X_N);
    L("  muli x%d, x%d, %u", T2, T2, e->p.ec);
    L("  li x%d, %llu", T3, (unsigned long long)out_stride(e));
    L("  li x%d, %llu", T4, (unsigned long long)e->c_stride);
    L("  copy ch=2, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d wait(s%d) post(s%d)", T1,
      T0, T2, X_M, T3, T4, ready, S_LEFT);
}

/* The group leaves with its last block; channel 2 passes over the ends of the others. */
void matmul_store_block(struct matmul_emit *e)
{
    int ready = e->p.epilogue ? S_RESULT : S_DRAINED;
    if (e->p.c.blocked)
        matmul_run_quant(e);
    else if (e->p.epilogue)
        run_epilogue(e);
    L("  ld x%d, x0, %d", T0, C_GROUP_LEFT);
    L("  beq x%d, x0, leave", T0);
    L("  copy ch=2, dst=x0, src=x0, len=x0 wait(s%d)", ready);
    L("  jmp stored");
    L("leave:");
    if (e->p.c.blocked)
        matmul_leave_units(e);
    else
        leave(e, ready);
    L("stored:");
    L("  ld x%d, x0, %d", T0, C_OUT); /* the next row's place */
    L("  addi x%d, x%d, %llu", T0, T0, (unsigned long long)e->p.out_bytes);
    L("  li x%d, %llu", T1, (unsigned long long)(e->p.out_at + e->p.outs * e->p.out_bytes));
    L("  blt x%d, x%d, out_place", T0, T1);
    L("  li x%d, %llu", T0, (unsigned long long)e->p.out_at);
    L("out_place:");
    L("  sd x%d, x0, %d", T0, C_OUT);
}

/* `n` rows at a8, a9, to a10: loads together, then what waits for them. */
static void epilogue_rows(struct matmul_emit *e, uint32_t n)
{
    bool gate = e->op->epilogue == TSR_EPILOGUE_SILU_GATE;
    uint64_t block = (uint64_t)e->p.bn * e->p.parts * 4, out = out_stride(e);
    for (uint32_t i = 0; i < n; i++) {
        L("  vld v%u, a8, f32, %llu", i, (unsigned long long)block);
        L("  vld v%u, a9, %s, %llu", 8 + i, gate ? "f32" : e->fc,
          (unsigned long long)(gate ? block : out));
    }
    for (uint32_t i = 0; i < n; i++)
        L("  %s v%u, v%u, v%u", gate ? "vsilu_mul" : "vadd", 16 + i, i, 8 + i);
    for (uint32_t i = 0; i < n; i++)
        L("  vst v%u, a10, %s, %llu", 16 + i, e->fc, (unsigned long long)out);
}

/* a0 first operand (gate, or the block), a1 second (up, or the residual), a2 result, a3 groups of
 * eight rows, a4 columns, a5 rows left: one vector of columns after the other. */
void matmul_epilogue_routine(struct matmul_emit *e)
{
    uint32_t second = e->op->epilogue == TSR_EPILOGUE_SILU_GATE ? 4 : e->p.ec;
    if (e->p.c.blocked)
        matmul_quant_routines(e);
    if (!e->p.epilogue || e->p.c.blocked)
        return;
    L(".routine epilogue");
    for (uint32_t v = 0; v * e->lanes < e->p.bn; v++) {
        L("  aaddi a12, a4, -%u", v * e->lanes);
        L("  vlen a12");
        L("  aaddi a8, a0, %u", v * 4 * e->lanes);
        L("  aaddi a9, a1, %u", v * second * e->lanes);
        L("  aaddi a10, a2, %u", v * e->p.ec * e->lanes);
        L("  vloop a3, groups%u", v);
        epilogue_rows(e, 8);
        L("groups%u:", v);
        L("  vloop a5, rest%u", v);
        epilogue_rows(e, 1);
        L("rest%u:", v);
    }
    L("  vret");
    L(".end");
}
