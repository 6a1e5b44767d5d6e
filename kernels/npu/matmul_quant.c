/* SPDX-License-Identifier: Apache-2.0 */
/* C in a block format: a drained block is quantized by the vector unit and staged in units, one a
 * line; when a span of columns is complete, or the tile's part of it, its units leave. */
#include "kernels/npu/matmul_emit.h"
#include "kernels/npu/quantize_text.h"

typedef unsigned long long ull;

enum {
    A_FIRST = 0, /* what the routine is called with: operands, and by quantize_text.h a3; */
    A_SECOND = 1,
    A_SCALES = 2,
    A_COLUMNS = 4, /* of the block */
    A_EIGHTS = 5,  /* groups of eight rows, rows left */
    A_REST = 6,
    A_TEMP = 12,
    EIGHT = 8
};

static uint32_t units(const struct matmul_emit *e)
{
    return e->p.span / e->p.c.ks;
}

/* log2 of the block; a block's bytes of elements, of scales. */
static uint32_t block_shift(const struct matmul_emit *e)
{
    return (uint32_t)__builtin_ctz(e->p.c.format->block);
}
static uint32_t block_bytes(const struct matmul_emit *e)
{
    return e->p.c.scales_at / (e->p.c.ks >> block_shift(e));
}
static uint32_t scale_bytes(const struct matmul_emit *e)
{
    return e->p.c.format->scale_bits / 8u;
}

/* Whether some block of columns is not full; whether the last span is not. */
static bool ragged(const struct matmul_emit *e)
{
    return e->p.n_out % e->p.bn != 0;
}
static bool has_tail(const struct matmul_emit *e)
{
    return units(e) == 1 && e->p.n_out % e->p.span > 0;
}

/* ---- control -------------------------------------------------------------------------------- */

/* The blocks of columns of a span leave together: at the first of them, where the span begins. */
void matmul_begin_span(struct matmul_emit *e)
{
    const struct tsr_npu_slab *c = &e->p.c;
    L("  ld x%d, x0, %d", T0, C_GROUP_LEFT);
    L("  bne x%d, x0, in_span", T0);
    L("  sd x%d, x0, %d", X_COL, C_GROUP_COL);
    L("  ld x%d, x0, %d", T0, C_OUT);
    L("  sd x%d, x0, %d", T0, C_GROUP_OUT);
    L("  bne x%d, x0, next_span", X_COL);
    L("  ld x%d, x0, %d", T0, C_PHASE);
    L("  sub x%d, x0, x%d", T0, T0);
    L("  ld x%d, x0, %d", T1, C_C);
    L("  jmp has_span");
    L("next_span:");
    L("  ld x%d, x0, %d", T0, C_SPAN_COL);
    L("  addi x%d, x%d, %u", T0, T0, e->p.span);
    L("  ld x%d, x0, %d", T1, C_SPAN_AT);
    L("  addi x%d, x%d, %llu", T1, T1, (ull)(units(e) * c->rows * c->unit_bytes));
    L("has_span:");
    L("  sd x%d, x0, %d", T0, C_SPAN_COL);
    L("  sd x%d, x0, %d", T1, C_SPAN_AT);
    L("in_span:");
    L("  ld x%d, x0, %d", T0, C_SPAN_COL);
    L("  addi x%d, x%d, %u", T0, T0, e->p.span);
    L("  min x%d, x%d, x%d", T0, T0, X_COLS);
    L("  add x%d, x%d, x%d", T1, X_COL, X_BW);
    L("  slt x%d, x%d, x%d", T0, T1, T0);
    L("  sd x%d, x0, %d", T0, C_GROUP_LEFT);
    L("  ld x%d, x0, %d", T0, C_GROUP_OUT);
    L("  sd x%d, x0, %d", T0, C_OUT);
}

/* The last span's units end in zeros: they are cleared before its first block is staged. */
static void clear_tail(struct matmul_emit *e)
{
    L("  ld x%d, x0, %d", T0, C_GROUP_COL);
    L("  bne x%d, x%d, cleared", T0, X_COL);
    L("  ld x%d, x0, %d", T0, C_WRITTEN);
    L("  bge x%d, x%d, cleared", X_COLS, T0);
    L("  ld x%d, x0, %d", T1, C_SPAN_COL);
    L("  addi x%d, x%d, %u", T1, T1, e->p.span);
    L("  blt x%d, x%d, cleared", T1, T0);
    L("  ld x%d, x0, %d", T0, C_OUT);
    L("  vcall clear, x%d, x%d", T0, X_M);
    L("cleared:");
}

void matmul_run_quant(struct matmul_emit *e)
{
    enum tsr_epilogue kind = e->op->epilogue;
    if (has_tail(e))
        clear_tail(e);
    matmul_half(e, T0, e->p.acc_at, e->p.acc_bytes);
    if (kind == TSR_EPILOGUE_SILU_GATE) {
        L("  shli x%d, x%d, 2", T1, X_N);
        L("  add x%d, x%d, x%d", T1, T1, T0);
    } else {
        matmul_half(e, T1, e->p.extra_at, e->p.extra_bytes);
    }
    L("  ld x%d, x0, %d", T3, C_OUT);
    L("  addi x%d, x%d, %u", T2, T3, e->p.c.scales_at);
    if (e->p.bn < e->p.span) { /* the block's place in the units */
        L("  ld x%d, x0, %d", T4, C_SPAN_COL);
        L("  sub x%d, x%d, x%d", T4, X_COL, T4);
        L("  shri x%d, x%d, %u", T4, T4, block_shift(e));
        L("  muli x%d, x%d, %u", T5, T4, scale_bytes(e));
        L("  add x%d, x%d, x%d", T2, T2, T5);
        L("  muli x%d, x%d, %u", T5, T4, block_bytes(e));
        L("  add x%d, x%d, x%d", T3, T3, T5);
    }
    L("  shri x%d, x%d, 3", T4, X_M);
    L("  andi x%d, x%d, 7", T5, X_M);
    L("  vcall epilogue, x%d, x%d, x%d, x%d, x%d, x%d, x%d wait(s%d%s) post(s%d, s%d)", T0, T1, T2,
      T3, X_N, T4, T5, S_DRAINED, kind == TSR_EPILOGUE_RESIDUAL ? ", s11" : "", S_RESULT, S_STAGE);
}

/* The first or the last columns of a span: of each unit the elements, then the scales. */
static void leave_parts(struct matmul_emit *e)
{
    L("  sub x%d, x%d, x%d", T2, T2, T5);
    L("  max x%d, x%d, x0", T2, T2); /* blocks that are the neighbour's */
    L("  shri x%d, x%d, %u", T2, T2, block_shift(e));
    L("  sub x%d, x%d, x%d", T5, T5, T6);
    L("  shri x%d, x%d, %u", T5, T5, block_shift(e));
    L("  muli x%d, x%d, %u", T6, T5, block_bytes(e));
    L("  add x%d, x%d, x%d", T0, T0, T6);
    L("  add x%d, x%d, x%d", T1, T1, T6);
    L("  muli x%d, x%d, %u", T6, T2, block_bytes(e));
    L("  copy ch=2, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d wait(s%d)", T1, T0, T6, X_M,
      T3, T4, S_RESULT);
    /* from a block's elements to its scale */
    L("  muli x%d, x%d, %d", T5, T5, (int)scale_bytes(e) - (int)block_bytes(e));
    L("  addi x%d, x%d, %u", T5, T5, e->p.c.scales_at);
    L("  add x%d, x%d, x%d", T0, T0, T5);
    L("  add x%d, x%d, x%d", T1, T1, T5);
    L("  muli x%d, x%d, %u", T6, T2, scale_bytes(e));
    L("  copy ch=2, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d post(s%d)", T1, T0, T6, X_M,
      T3, T4, S_LEFT);
}

/* Whole units, row behind row; a block wider than a slab has several. */
static void leave_whole(struct matmul_emit *e)
{
    const struct tsr_npu_slab *c = &e->p.c;
    if (units(e) == 1) {
        L("  copy ch=2, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d wait(s%d) post(s%d)",
          T1, T0, T4, X_M, T3, T4, S_RESULT, S_LEFT);
        return;
    }
    L("  sub x%d, x%d, x%d", T2, T2, T5);
    L("  max x%d, x%d, x0", T2, T2);
    L("  shri x%d, x%d, %d", T2, T2, __builtin_ctz(c->ks));
    L("  li x%d, %llu", T5, (ull)(c->rows * c->unit_bytes));
    L("  li x%d, %u", T6, e->line);
    L("  copy ch=2, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, ds2=x%d "
      "wait(s%d) post(s%d)",
      T1, T0, T4, X_M, T3, T4, T2, T6, T5, S_RESULT, S_LEFT);
}

/* T0 staged, T1 in HBM, T2 the column behind what is written, T3 and T4 from row to row, T5 the
 * first column, T6 that of the span. */
void matmul_leave_units(struct matmul_emit *e)
{
    const struct tsr_npu_slab *c = &e->p.c;
    L("  ld x%d, x0, %d", T0, C_OUT);
    L("  ld x%d, x0, %d", T1, C_SPAN_AT);
    L("  muli x%d, x%d, %llu", T2, X_ROW, (ull)c->unit_bytes);
    L("  add x%d, x%d, x%d", T1, T1, T2);
    L("  ld x%d, x0, %d", T6, C_SPAN_COL);
    L("  ld x%d, x0, %d", T5, C_GROUP_COL);
    L("  addi x%d, x%d, %u", T3, T6, e->p.span);
    L("  ld x%d, x0, %d", T2, C_WRITTEN);
    L("  min x%d, x%d, x%d", T2, T2, T3);
    L("  li x%d, %llu", T4, (ull)c->unit_bytes);
    if (units(e) == 1 && e->p.gx > 1) {
        L("  xor x%d, x%d, x%d", T3, T3, T2); /* 0 where the span is written to its end */
        L("  bne x%d, x0, part", T3);
        L("  bne x%d, x%d, part", T5, T6);
    }
    L("  li x%d, %u", T3, units(e) * e->line);
    leave_whole(e);
    if (units(e) == 1 && e->p.gx > 1) {
        L("  jmp stored");
        L("part:");
        L("  li x%d, %u", T3, e->line);
        leave_parts(e);
    }
}

/* ---- routines ------------------------------------------------------------------------------- */

/* What becomes of a vector of sums: the gate, or the residual, and zeros behind the last column. */
struct value {
    const char *op;            /* null: none */
    unsigned *vector, vectors; /* of a row: the one in hand, how many; 0: all are full */
};

static void value_words(struct npu_block *b, const void *self, unsigned x, unsigned second)
{
    const struct value *v = self;
    if (v->op)
        npu_block_op(b, v->op, x, x, second, NPU_NO_REG);
    if (!v->vectors)
        return;
    npu_block_op(b, "vand", x, x, NPU_QUANT_OWN + *v->vector, NPU_NO_REG);
    *v->vector = (*v->vector + 1) % v->vectors;
}

/* Lanes of columns: all bits; the others none. */
static void set_masks(struct matmul_emit *e, unsigned vectors)
{
    L("  vidx v%d", NPU_QUANT_KEPT);
    for (unsigned v = 0; v < vectors; v++) {
        L("  aaddi a%d, a%d, -%u", A_TEMP, A_COLUMNS, v * e->lanes);
        L("  vsplat v%u, a%d", NPU_QUANT_OWN + v, A_TEMP);
        L("  vilt v%u, v%d, v%u", NPU_QUANT_OWN + v, NPU_QUANT_KEPT, NPU_QUANT_OWN + v);
    }
}

/* `n` rows of the block as the spans of one. */
static void quant_rows(struct matmul_emit *e, uint32_t n, const char *name)
{
    const struct matmul_plan *p = &e->p;
    enum tsr_epilogue kind = e->op->epilogue;
    bool gate = kind == TSR_EPILOGUE_SILU_GATE, residual = kind == TSR_EPILOGUE_RESIDUAL;
    uint32_t sums = p->bn * p->parts * 4, second = gate ? sums : p->bn * p->ec;
    struct npu_quant q = {.isa = e->isa,
                          .chip = e->chip,
                          .format = p->c.format,
                          .ks = units(e) > 1 ? p->c.ks : p->bn,
                          .units = (uint64_t)n * units(e),
                          .element_pitch = e->line,
                          .scale_pitch = e->line,
                          .row_pitch = (uint64_t)n * units(e) * e->line,
                          .aligned = true};
    unsigned vector = 0;
    struct value value = {gate ? "vsilu_mul" : residual ? "vadd" : NULL, &vector, 0};
    npu_quant_plan(&q);
    if (ragged(e)) {
        value.vectors = q.vectors;
        if (n > 1)
            set_masks(e, q.vectors);
    }
    struct npu_quant_source source = {
        .inputs = value.op ? 2 : 1,
        .in = {{A_FIRST, TSR_F32, sums, (uint64_t)n * sums, sums % e->line == 0},
               {A_SECOND, gate ? TSR_F32 : e->op->residual_format, second, (uint64_t)n * second,
                false}},
        .own = ragged(e),
        .value = value.op || ragged(e) ? value_words : NULL,
        .self = &value};
    npu_quant_registers(&q, &source);
    if (n > 1) {
        npu_quant_constants(&e->t, &q);
        L("  aaddi a%d, a%d, 0", NPU_QUANT_SCALES, A_SCALES);
    }
    L("  vloop a%d, %s", n > 1 ? A_EIGHTS : A_REST, name);
    npu_quant_row(&e->t, &q, &source, name);
    L("%s:", name);
}

/* epilogue: a0 sums (of the gate), a1 second operand (up, or the residual), a2 places of scales, a3
 * of elements, a4 columns, a5 groups of eight rows, a6 rows left. clear: a0 units, a1 how many. */
void matmul_quant_routines(struct matmul_emit *e)
{
    L(".routine epilogue");
    quant_rows(e, EIGHT, "eights");
    quant_rows(e, 1, "rest");
    L("  vret");
    L(".end");
    if (!has_tail(e))
        return;
    L(".routine clear");
    L("  vimm v0, 0");
    L("  vloop a1, zeros");
    L("  vst v0, a0, f32, %u", e->line);
    L("zeros:");
    L("  vret");
    L(".end");
}
