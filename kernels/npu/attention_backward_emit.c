/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of gradients, scalar part: attention_backward.c says what they do. */
#include "kernels/npu/attention_backward_emit.h"

#include <inttypes.h>
#include <stdio.h>

#define L(...) tsr_text_line(&g->t, __VA_ARGS__)

enum sem {
    S_OUTER,      /* X1, X2 are here: TTU, for delta TVP */
    S_INNER,      /* Y1, Y2 are here: TTU */
    S_SCORES,     /* S and T are complete: TVP */
    S_WEIGHTS,    /* W is in TSRAM: TTU */
    S_SLOT,       /* channel 1 */
    S_OUTER_FREE, /* channel 0 */
    S_DONE,       /* the result is complete: ACC */
    S_DRAINED,    /* and in TSRAM: channel 3 */
    S_ACC_FREE,   /* TTU */
    S_STAGE_FREE, /* ACC, for delta TVP */
    S_STATS,      /* lse and delta of the outer queries are here: TVP */
    SEMS
};

enum reg {
    X_ITEM = 1,
    X_O0, /* outer rows: first token, head, sequence, number */
    X_HEAD,
    X_B,
    X_ON,
    X_I0, /* inner rows: first token, end of all, number; head, end of all */
    X_IEND,
    X_IN,
    X_IH,
    X_IHEND,
    X_FIRST, /* 1 in the item's first step */
    X_SLOT,
    T0,
    T1,
    T2,
    T3,
    T4,
    T5,
    T6,
    T7,
    X_LO = 24 /* first inner token of a head */
};

static void li(struct gradient *g, int d, int64_t x)
{
    L("  li x%d, %" PRId64, d, x);
}

static void add_product(struct gradient *g, int d, int x, uint64_t by, int t)
{
    L("  muli x%d, x%d, %" PRIu64 "\n  add x%d, x%d, x%d", t, x, by, d, d, t);
}

/* q = x / by, r = the rest; x by < 2^40. */
static void divide(struct gradient *g, int q, int r, int x, uint64_t by)
{
    enum {
        SHIFT = 40
    };
    L("  muli x%d, x%d, %" PRIu64, q, x, (((uint64_t)1 << SHIFT) + by - 1) / by);
    L("  shri x%d, x%d, %d\n  muli x%d, x%d, %" PRIu64, q, q, SHIFT, r, q, by);
    L("  sub x%d, x%d, x%d", r, x, r);
}

/* d = where token x of head h of the item's sequence is. */
static void row_address(struct gradient *g, int d, const struct tsr_npu_rows *r, int x, int h,
                        int t)
{
    li(g, d, (int64_t)r->address);
    add_product(g, d, X_B, r->batch_stride, t);
    add_product(g, d, h, r->head_stride, t);
    add_product(g, d, x, r->token_stride, t);
}

/* n (a register) rows of x from token `from`, head h, to TSRAM at T0; `room` rows a slab. */
static void load_rows(struct gradient *g, const struct gradient_operand *x, int from, int h, int n,
                      uint32_t room, int channel, const char *sems)
{
    row_address(g, T1, &x->rows, from, h, T2);
    li(g, T2, (int64_t)x->cols * g->element);
    li(g, T3, (int64_t)x->rows.token_stride);
    li(g, T4, g->line);
    if (x->slabs == 1) {
        L("  copy ch=%d, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d%s", channel, T0, T1,
          T2, n, T3, T4, sems);
        return;
    }
    li(g, T5, x->slabs);
    li(g, T6, (int64_t)room * g->line);
    L("  copy ch=%d, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, "
      "ds2=x%d%s",
      channel, T0, T1, T2, T5, T2, T6, n, T3, T4, sems);
}

/* n values of lse and delta of queries from token `from` of head h, to T0 and `apart` bytes on. */
static void load_stats(struct gradient *g, int from, int h, int n, uint64_t apart, int channel,
                       int arrived)
{
    const uint64_t tensor[2] = {g->op->lse, g->op->delta};
    L("  shli x%d, x%d, 2", T3, n);
    L("  muli x%d, x%d, %" PRIu64 "\n  add x%d, x%d, x%d", T2, X_B, g->op->heads, T2, T2, h);
    L("  muli x%d, x%d, %" PRIu64 "\n  add x%d, x%d, x%d\n  shli x%d, x%d, 2", T2, T2, g->op->q_len,
      T2, T2, from, T2, T2);
    for (int i = 0; i < 2; i++) {
        li(g, T1, (int64_t)tensor[i]);
        L("  add x%d, x%d, x%d", T1, T1, T2);
        if (i)
            L("  addi x%d, x%d, %" PRIu64, T0, T0, apart);
        L("  copy ch=%d, dst=x%d, src=x%d, len=x%d", channel, T0, T1, T3);
    }
    /* posts follow the channel's order: of no bytes */
    L("  copy ch=%d, dst=x%d, src=x%d, len=x0 post(s%d)", channel, T0, T1, arrived);
}

static void begin_item(struct gradient *g)
{
    char sems[2][24];
    L("item:");
    divide(g, T0, X_O0, X_ITEM, g->blocks);
    divide(g, X_B, X_HEAD, T0, g->outer_heads);
    L("  muli x%d, x%d, %u", X_O0, X_O0, g->lanes);
    li(g, X_ON, (int64_t)g->outer_len);
    L("  sub x%d, x%d, x%d\n  mini x%d, x%d, %u", X_ON, X_ON, X_O0, X_ON, X_ON, g->lanes);
    snprintf(sems[0], sizeof sems[0], " wait(s%d)", S_OUTER_FREE);
    snprintf(sems[1], sizeof sems[1], " post(s%d)", S_OUTER);
    for (int i = 0; i < 2; i++) {
        li(g, T0, (int64_t)g->x_at[i]);
        load_rows(g, &g->x[i], X_O0, X_HEAD, X_ON, g->lanes, 0, sems[i]);
    }
    if (g->part != TSR_GRADIENT_DQ)
        return;
    li(g, T0, (int64_t)g->stats);
    load_stats(g, X_O0, X_HEAD, X_ON, g->line, 0, S_STATS);
    li(g, T0, (int64_t)g->stats);
    L("  vcall lanes, x%d wait(s%d)", T0, S_STATS);
}

/* Tokens and heads of the inner rows: those that some outer row of the item meets, at least one. */
static void inner_range(struct gradient *g)
{
    const struct tsr_npu_attention_backward *op = g->op;
    const int64_t before = (int64_t)op->kv_len - (int64_t)op->q_len, window = (int64_t)op->window;
    const uint64_t group = op->heads / op->kv_heads;
    li(g, X_LO, 0);
    li(g, X_IEND, (int64_t)(g->by_query ? op->kv_len : op->q_len));
    if (g->by_query) {
        if (op->causal)
            L("  add x%d, x%d, x%d\n  addi x%d, x%d, %" PRId64 "\n  min x%d, x%d, x%d", T0, X_O0,
              X_ON, T0, T0, before, X_IEND, X_IEND, T0);
        if (window)
            L("  addi x%d, x%d, %" PRId64 "\n  max x%d, x%d, x0", X_LO, X_O0, before + 1 - window,
              X_LO, X_LO);
        divide(g, X_IH, T0, X_HEAD, group);
        L("  addi x%d, x%d, 1", X_IHEND, X_IH);
        return;
    }
    if (op->causal)
        L("  addi x%d, x%d, %" PRId64 "\n  max x%d, x%d, x0", X_LO, X_O0, -before, X_LO, X_LO);
    if (window) {
        L("  add x%d, x%d, x%d\n  addi x%d, x%d, %" PRId64 "\n  min x%d, x%d, x%d", T0, X_O0, X_ON,
          T0, T0, window - 1 - before, X_IEND, X_IEND, T0);
        L("  addi x%d, x%d, 1\n  max x%d, x%d, x%d", T0, X_LO, X_IEND, X_IEND, T0);
    }
    L("  muli x%d, x%d, %" PRIu64 "\n  addi x%d, x%d, %" PRIu64, X_IH, X_HEAD, group, X_IHEND, X_IH,
      group);
}

static uint64_t y_offset(const struct gradient *g, int i)
{
    return i ? (uint64_t)g->y[0].slabs * g->side * g->line : 0;
}
static uint64_t stats_offset(const struct gradient *g)
{
    return (uint64_t)(g->y[0].slabs + g->y[1].slabs) * g->side * g->line;
}

static void load_inner(struct gradient *g)
{
    char wait[24], post[24];
    snprintf(wait, sizeof wait, " wait(s%d)", S_SLOT);
    snprintf(post, sizeof post, " post(s%d)", S_INNER);
    li(g, X_IN, g->side);
    L("  sub x%d, x%d, x%d\n  min x%d, x%d, x%d", T0, X_IEND, X_I0, X_IN, X_IN, T0);
    for (int i = 0; i < 2; i++) {
        L("  addi x%d, x%d, %" PRIu64, T0, X_SLOT, y_offset(g, i));
        load_rows(g, &g->y[i], X_I0, X_IH, X_IN, g->side, 1,
                  i == 0        ? wait
                  : g->by_query ? post
                                : "");
    }
    if (g->by_query)
        return;
    L("  addi x%d, x%d, %" PRIu64, T0, X_SLOT, stats_offset(g));
    load_stats(g, X_I0, X_IH, X_IN, g->side * 4, 1, S_INNER);
}

/* Scores of operand i into bank i. */
static void scores(struct gradient *g, int i, bool last)
{
    const struct gradient_operand *x = &g->x[i];
    L("  addi x%d, x%d, %" PRIu64, T0, X_SLOT, y_offset(g, i));
    li(g, T1, (int64_t)g->x_at[i]);
    li(g, T2, g->line);
    li(g, T3, x->cols);
    li(g, T4, i << 8);
    for (uint32_t s = 0; s < x->slabs; s++) {
        L("  mma a=x%d, as=x%d, b=x%d, bs=x%d, m=x%d, n=x%d, k=x%d, c=x%d, af=%s, bf=%s, acc=%d",
          T0, T2, T1, T2, X_IN, X_ON, T3, T4, g->format, g->format, s != 0);
        L("  addi x%d, x%d, %u\n  addi x%d, x%d, %u", T0, T0, g->side * g->line, T1, T1,
          g->lanes * g->line);
    }
    if (last)
        L("  tsync post(s%d)", S_SCORES);
}

static void result_sums(struct gradient *g, bool first)
{
    const struct gradient_operand *r = &g->result;
    li(g, T0, (int64_t)g->w);
    L("  addi x%d, x%d, %" PRIu64, T1, X_SLOT, y_offset(g, g->part == TSR_GRADIENT_DV));
    li(g, T2, g->line);
    li(g, T3, r->cols);
    for (uint32_t s = 0; s < r->slabs; s++) {
        li(g, T4, (2 + s * r->banks) << 8);
        L("  mma a=x%d, as=x%d, at=1, b=x%d, bs=x%d, bt=1, m=x%d, n=x%d, k=x%d, c=x%d, af=%s, "
          "bf=%s, across=%d, acc=%d",
          T0, T2, T1, T2, X_ON, T3, X_IN, T4, g->format, g->format, r->banks == 2, !first);
        L("  addi x%d, x%d, %u", T1, T1, g->side * g->line);
    }
}

static void step(struct gradient *g)
{
    const int64_t before = (int64_t)g->op->kv_len - (int64_t)g->op->q_len;
    const uint32_t bank_lines = g->side * (g->side / g->lanes);
    L("step:");
    load_inner(g);
    L("  beq x%d, x0, outer_here\n  tsync wait(s%d)\nouter_here:", X_FIRST, S_OUTER);
    L("  tsync wait(s%d)", S_INNER);
    scores(g, 0, g->part == TSR_GRADIENT_DV);
    if (g->part != TSR_GRADIENT_DV)
        scores(g, 1, true);
    li(g, T0, bank_lines);
    li(g, T1, (int64_t)g->w);
    L("  addi x%d, x%d, 7\n  shri x%d, x%d, 3", T2, X_IN, T2, T2);
    L("  addi x%d, x%d, %" PRIu64, T3, X_SLOT, stats_offset(g));
    L("  sub x%d, x%d, x%d\n  addi x%d, x%d, %" PRId64, T4, X_O0, X_I0, T4, T4,
      g->by_query ? before : -before);
    L("  vcall weights, x0, x%d, x%d, x%d, x%d, x%d wait(s%d) post(s%d)", T0, T1, T2, T3, T4,
      S_SCORES, S_WEIGHTS);
    L("  tsync wait(s%d)", S_WEIGHTS);
    L("  beq x%d, x0, again\n  tsync wait(s%d)", X_FIRST, S_ACC_FREE);
    result_sums(g, true);
    L("  jmp summed\nagain:");
    result_sums(g, false);
    L("summed:\n  tsync post(s%d)", S_SLOT);
    li(g, X_FIRST, 0);
    li(g, T0, (int64_t)(2 * g->slots + g->slot_bytes));
    L("  sub x%d, x%d, x%d", X_SLOT, T0, X_SLOT);
    L("  addi x%d, x%d, %u\n  blt x%d, x%d, step", X_I0, X_I0, g->side, X_I0, X_IEND);
    L("  addi x%d, x%d, 1\n  blt x%d, x%d, head", X_IH, X_IH, X_IH, X_IHEND);
}

/* To the stage and out. */
static void end_item(struct gradient *g)
{
    const struct gradient_operand *r = &g->result;
    char sems[40];
    L("  tsync post(s%d, s%d)", S_DONE, S_OUTER_FREE);
    li(g, T1, (int64_t)g->stage_row);
    li(g, T2, r->cols);
    for (uint32_t s = 0; s < r->slabs; s++) {
        int n = s == 0 ? snprintf(sems, sizeof sems, " wait(s%d, s%d)", S_DONE, S_STAGE_FREE) : 0;
        sems[n] = '\0';
        if (s + 1 == r->slabs)
            snprintf(sems + n, sizeof sems - (size_t)n, " post(s%d, s%d)", S_DRAINED, S_ACC_FREE);
        li(g, T0, (int64_t)(g->stage + s * r->cols * 4));
        li(g, T3, (2 + s * r->banks) << 8);
        L("  drain dst=x%d, ds=x%d, m=x%d, n=x%d, c=x%d, fmt=f32, across=%d%s", T0, T1, X_ON, T2,
          T3, r->banks == 2, sems);
    }
    row_address(g, T2, &r->rows, X_O0, X_HEAD, T3);
    li(g, T0, (int64_t)g->stage);
    li(g, T3, (int64_t)r->slabs * r->cols * 4);
    li(g, T4, (int64_t)r->rows.token_stride);
    L("  copy ch=3, src=x%d, dst=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d wait(s%d) post(s%d)", T0,
      T2, T3, X_ON, T1, T4, S_DRAINED, S_STAGE_FREE);
}

static void delta_item(struct gradient *g)
{
    li(g, T0, (int64_t)g->x_at[0]);
    li(g, T1, (int64_t)g->x_at[1]);
    li(g, T2, (int64_t)g->stats);
    L("  vcall delta, x%d, x%d, x%d wait(s%d, s%d) post(s%d, s%d)", T0, T1, T2, S_OUTER,
      S_STAGE_FREE, S_DRAINED, S_OUTER_FREE);
    L("  muli x%d, x%d, %" PRIu64 "\n  add x%d, x%d, x%d", T0, X_B, g->op->heads, T0, T0, X_HEAD);
    L("  muli x%d, x%d, %" PRIu64 "\n  add x%d, x%d, x%d\n  shli x%d, x%d, 2", T0, T0, g->op->q_len,
      T0, T0, X_O0, T0, T0);
    L("  addi x%d, x%d, %" PRIu64 "\n  shli x%d, x%d, 2", T0, T0, g->op->delta, T1, X_ON);
    L("  copy ch=3, src=x%d, dst=x%d, len=x%d wait(s%d) post(s%d)", T2, T0, T1, S_DRAINED,
      S_STAGE_FREE);
}

void gradient_program(struct gradient *g)
{
    const bool delta = g->part == TSR_GRADIENT_DELTA;
    const char *const consumer[SEMS] = {
        delta ? "tvp" : "ttu", "ttu", "tvp", "ttu", "dma1", "dma0", "acc", "dma3", "ttu",
        delta ? "tvp" : "acc", "tvp"};
    const int free_at_first[] = {S_OUTER_FREE, S_SLOT, S_SLOT, S_ACC_FREE, S_STAGE_FREE};
    for (int s = 0; s < SEMS; s++)
        L(".sem s%d %s", s, consumer[s]);
    li(g, T0, (int64_t)g->items);
    L("  bge x%d, x%d, end", X_ITEM, T0);
    for (size_t i = 0; i < sizeof free_at_first / sizeof *free_at_first; i++)
        L("  wait post(s%d)", free_at_first[i]);
    L("  vcall setup");
    li(g, X_SLOT, (int64_t)g->slots);
    begin_item(g);
    if (delta) {
        delta_item(g);
    } else {
        inner_range(g);
        li(g, X_FIRST, 1);
        L("head:\n  addi x%d, x%d, 0", X_I0, X_LO);
        step(g);
        end_item(g);
    }
    L("  addi x%d, x%d, %u", X_ITEM, X_ITEM, g->tiles);
    li(g, T0, (int64_t)g->items);
    L("  blt x%d, x%d, item\nend:\n  halt", X_ITEM, T0);
    gradient_routines(g);
}
