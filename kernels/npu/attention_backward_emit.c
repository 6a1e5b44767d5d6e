/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of gradients, scalar part: attention_backward.c says what they do. */
#include "kernels/npu/attention_backward_emit.h"

#include <inttypes.h>
#include <stdio.h>

#define L(...) tsr_text_line(&g->t, __VA_ARGS__)

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
    gradient_li(g, d, (int64_t)r->address);
    add_product(g, d, X_B, r->batch_stride, t);
    add_product(g, d, h, r->head_stride, t);
    add_product(g, d, x, r->token_stride, t);
}

/* n (a register) rows of x from token `from`, head h, to TSRAM at T0; `room` rows a slab. */
static void load_rows(struct gradient *g, const struct gradient_operand *x, int from, int h, int n,
                      uint32_t room, int channel, const char *sems)
{
    row_address(g, T1, &x->rows, from, h, T2);
    gradient_li(g, T2, (int64_t)x->cols * g->element);
    gradient_li(g, T3, (int64_t)x->rows.token_stride);
    gradient_li(g, T4, g->line);
    if (x->slabs == 1) {
        L("  copy ch=%d, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d%s", channel, T0, T1,
          T2, n, T3, T4, sems);
        return;
    }
    gradient_li(g, T5, x->slabs);
    gradient_li(g, T6, (int64_t)room * g->line);
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
        gradient_li(g, T1, (int64_t)tensor[i]);
        L("  add x%d, x%d, x%d", T1, T1, T2);
        if (i)
            L("  addi x%d, x%d, %" PRIu64, T0, T0, apart);
        L("  copy ch=%d, dst=x%d, src=x%d, len=x%d", channel, T0, T1, T3);
    }
    /* posts follow the channel's order: of no bytes */
    L("  copy ch=%d, dst=x%d, src=x%d, len=x0 post(s%d)", channel, T0, T1, arrived);
}

/* d = base, for the second of two copies `step` more: `which` is 0 or 1. */
static void buffer(struct gradient *g, int d, int which, uint64_t base, uint64_t step)
{
    L("  muli x%d, x%d, %" PRIu64 "\n  addi x%d, x%d, %" PRIu64, d, which, step, d, d, base);
}

/* What earlier passes left, to the accumulators. */
static void load_sums(struct gradient *g)
{
    const struct gradient_operand *r = &g->result;
    char sems[40];
    L("  li x%d, 1\n  beq x%d, x%d, nothing_yet", T0, X_FIRST, T0);
    gradient_li(g, T1, (int64_t)g->stage_row);
    gradient_li(g, T2, r->cols);
    for (uint32_t s = 0; s < r->slabs; s++) {
        int n = s == 0 ? snprintf(sems, sizeof sems, " wait(s%d)", S_STAGE_FREE) : 0;
        sems[n] = '\0';
        if (s + 1 == r->slabs)
            snprintf(sems + n, sizeof sems - (size_t)n, " post(s%d, s%d)", S_LOADED, S_STAGE_FREE);
        gradient_stage(g, T0, T4, g->stage + s * r->cols * 4);
        gradient_li(g, T3, (4 + s * r->banks) << 8);
        L("  fill src=x%d, ss=x%d, m=x%d, n=x%d, c=x%d, fmt=f32, across=%d%s", T0, T1, X_ON, T2, T3,
          r->banks == 2, sems);
    }
    L("nothing_yet:");
}

static void begin_item(struct gradient *g)
{
    char sems[2][24];
    gradient_next_item(g);
    if (g->by_query) {
        divide(g, X_O0, T0, T5, g->group);
        L("  muli x%d, x%d, %u\n  add x%d, x%d, x%d", X_HEAD, X_KVH, g->group, X_HEAD, X_HEAD, T0);
    } else {
        L("  addi x%d, x%d, 0\n  addi x%d, x%d, 0", X_O0, T5, X_HEAD, X_KVH);
    }
    L("  muli x%d, x%d, %u", X_O0, X_O0, g->lanes);
    gradient_length(g, X_ON, g->by_query);
    if (g->records) /* a shorter sequence has fewer */
        L("  bge x%d, x%d, item", X_O0, X_ON);
    L("  sub x%d, x%d, x%d\n  mini x%d, x%d, %u", X_ON, X_ON, X_O0, X_ON, X_ON, g->lanes);
    if (g->passes) {
        gradient_inner_range(g);
        gradient_pass_range(g);
        load_sums(g);
    }
    L("  xori x%d, x%d, 1", X_XP, X_XP);
    snprintf(sems[0], sizeof sems[0], " wait(s%d)", S_OUTER_FREE);
    snprintf(sems[1], sizeof sems[1], " post(s%d)", S_OUTER);
    for (int i = 0; i < 2; i++) {
        buffer(g, T0, X_XP, g->x_at[i], g->x_bytes);
        load_rows(g, &g->x[i], X_O0, X_HEAD, X_ON, g->lanes, 0, sems[i]);
    }
    if (g->part != TSR_GRADIENT_DQ)
        return;
    buffer(g, T0, X_XP, g->stats, 2 * g->line);
    load_stats(g, X_O0, X_HEAD, X_ON, g->line, 0, S_STATS);
    buffer(g, T0, X_XP, g->stats, 2 * g->line);
    L("  vcall lanes, x%d wait(s%d)", T0, S_STATS);
}

uint64_t gradient_y_offset(const struct gradient *g, int i)
{
    return i ? (uint64_t)g->y[0].slabs * g->side * g->line : 0;
}
uint64_t gradient_stats_offset(const struct gradient *g)
{
    return (uint64_t)(g->y[0].slabs + g->y[1].slabs) * g->side * g->line;
}
uint64_t gradient_mask_offset(const struct gradient *g)
{
    const uint64_t stats = 2ull * g->side * 4;
    return gradient_stats_offset(g) + (stats + g->line - 1) / g->line * g->line;
}

/* The step's rows of the mask: a byte for each outer row. */
static void load_mask(struct gradient *g)
{
    const struct tsr_npu_rows *m = g->by_query ? &g->op->mask : &g->op->mask_t;
    row_address(g, T1, m, X_I0, g->by_query ? X_HEAD : X_IH, T2);
    L("  add x%d, x%d, x%d\n  addi x%d, x%d, %" PRIu64, T1, T1, X_O0, T0, X_SLOT,
      gradient_mask_offset(g));
    gradient_li(g, T3, (int64_t)m->token_stride);
    gradient_li(g, T4, g->line);
    L("  copy ch=1, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d", T0, T1, X_ON, X_IN, T3,
      T4);
}

static void load_inner(struct gradient *g)
{
    if (g->retain) {
        L("  beq x%d, x0, room", X_NEW);
        gradient_li(g, X_NEW, 0);
    }
    L("  copy ch=1, dst=x%d, src=x%d, len=x0 wait(s%d)", X_SLOT, X_SLOT, S_SLOT);
    if (g->retain)
        L("room:");
    for (int i = 0; i < 2; i++) {
        L("  addi x%d, x%d, %" PRIu64, T0, X_SLOT, gradient_y_offset(g, i));
        load_rows(g, &g->y[i], X_I0, X_IH, X_IN, g->side, 1, "");
    }
    if (g->op->has_mask)
        load_mask(g);
    L("  addi x%d, x%d, %" PRIu64, T0, X_SLOT, gradient_stats_offset(g));
    if (g->by_query) /* posts follow the channel's order: of no bytes */
        L("  copy ch=1, dst=x%d, src=x%d, len=x0 post(s%d)", T0, T0, S_INNER);
    else
        load_stats(g, X_I0, X_IH, X_IN, g->side * 4, 1, S_INNER);
    L("  tsync wait(s%d)", S_INNER);
}

/* X_SLOT and X_IN; the rows are on their way. */
static void inner_rows(struct gradient *g)
{
    gradient_li(g, X_IN, g->side);
    L("  sub x%d, x%d, x%d\n  min x%d, x%d, x%d", T0, X_IEND, X_I0, X_IN, X_IN, T0);
    if (!g->retain) {
        load_inner(g);
        return;
    }
    /* a block at the end of a range is loaded whole: the next item may see more of it */
    gradient_length(g, X_IN, !g->by_query);
    L("  sub x%d, x%d, x%d\n  mini x%d, x%d, %u", X_IN, X_IN, X_I0, X_IN, X_IN, g->side);
    if (g->passes) {
        gradient_pass_row(g, T3);
        L("  sub x%d, x%d, x%d", T3, X_I0, T3);
    }
    divide(g, T1, T2, g->passes ? T3 : X_I0, g->side);
    if (!g->by_query && !g->passes) {
        L("  muli x%d, x%d, %u\n  sub x%d, x%d, x%d", T2, X_HEAD, g->group, T2, X_IH, T2);
        add_product(g, T1, T2, g->inner_blocks, T3);
    }
    buffer(g, X_SLOT, T1, g->slots, g->slot_bytes);
    L(g->falling ? "  bge x%d, x%d, loaded" : "  blt x%d, x%d, loaded", X_I0, X_HW);
    load_inner(g);
    L("loaded:");
    gradient_li(g, X_IN, g->side);
    L("  sub x%d, x%d, x%d\n  min x%d, x%d, x%d", T0, X_IEND, X_I0, X_IN, X_IN, T0);
}

/* Scores of operand i. */
static void scores(struct gradient *g, int i, bool last)
{
    const struct gradient_operand *x = &g->x[i];
    char post[16];
    snprintf(post, sizeof post, " post(s%d)", S_SCORES);
    L("  addi x%d, x%d, %" PRIu64, T0, X_SLOT, gradient_y_offset(g, i));
    buffer(g, T1, X_XP, g->x_at[i], g->x_bytes);
    gradient_li(g, T2, g->line);
    gradient_li(g, T3, x->cols);
    buffer(g, T4, X_SP, (uint64_t)i << 8, 2 << 8);
    for (uint32_t s = 0; s < x->slabs; s++) {
        L("  mma a=x%d, as=x%d, b=x%d, bs=x%d, m=x%d, n=x%d, k=x%d, c=x%d, af=%s, bf=%s, acc=%d%s",
          T0, T2, T1, T2, X_IN, X_ON, T3, T4, g->format, g->format, s != 0,
          last && s + 1 == x->slabs ? post : "");
        L("  addi x%d, x%d, %u\n  addi x%d, x%d, %u", T0, T0, g->side * g->line, T1, T1,
          g->lanes * g->line);
    }
}

static void result_sums(struct gradient *g, bool first)
{
    const struct gradient_operand *r = &g->result;
    char sems[32];
    L("  xori x%d, x%d, 1", T1, X_SP);
    buffer(g, T0, T1, g->w, g->w_bytes);
    L("  addi x%d, x%d, %" PRIu64, T1, X_DSLOT, gradient_y_offset(g, g->part == TSR_GRADIENT_DV));
    gradient_li(g, T2, g->line);
    gradient_li(g, T3, r->cols);
    for (uint32_t s = 0; s < r->slabs; s++) {
        int n = s == 0 ? snprintf(sems, sizeof sems, " wait(s%d)", S_WEIGHTS) : 0;
        sems[n] = '\0';
        if (s + 1 == r->slabs && !g->retain)
            snprintf(sems + n, sizeof sems - (size_t)n, " post(s%d)", S_SLOT);
        gradient_li(g, T4, (4 + s * r->banks) << 8);
        L("  mma a=x%d, as=x%d, at=1, b=x%d, bs=x%d, bt=1, m=x%d, n=x%d, k=x%d, c=x%d, af=%s, "
          "bf=%s, across=%d, acc=%d%s",
          T0, T2, T1, T2, X_ON, T3, X_DIN, T4, g->format, g->format, r->banks == 2, !first, sems);
        L("  addi x%d, x%d, %u", T1, T1, g->side * g->line);
    }
}

/* The deferred sum. */
static void sum(struct gradient *g, const char *where)
{
    L("  beq x%d, x0, again_%s", X_DFIRST, where);
    if (g->passes) {
        L("  li x%d, 1\n  beq x%d, x%d, fresh_%s", T0, X_DFIRST, T0, where);
        L("  tsync wait(s%d, s%d)\n  jmp again_%s\nfresh_%s:", S_ACC_FREE, S_LOADED, where, where);
    }
    L("  tsync wait(s%d)", S_ACC_FREE);
    result_sums(g, true);
    L("  jmp summed_%s\nagain_%s:", where, where);
    result_sums(g, false);
    L("summed_%s:", where);
}

static void weights(struct gradient *g)
{
    const uint32_t bank_lines = g->side * (g->side / g->lanes), shift = g->turn == 4 ? 2 : 3;
    buffer(g, T1, X_SP, 0, 2ull * bank_lines);
    L("  addi x%d, x%d, %u", T2, T1, bank_lines);
    buffer(g, T3, X_SP, g->w, g->w_bytes);
    L("  addi x%d, x%d, %" PRIu64, T5, X_SLOT, gradient_stats_offset(g));
    if (!g->always) {
        gradient_look(g);
        L("  vcall whole, x%d, x%d, x%d, x0, x%d wait(s%d) post(s%d)", T1, T2, T3, T5, S_SCORES,
          S_WEIGHTS);
        if (!g->edges)
            return;
        L("  jmp weighed\npartly:");
    }
    L("  addi x%d, x%d, %u\n  shri x%d, x%d, %u", T4, X_IN, g->turn - 1, T4, T4, shift);
    L("  sub x%d, x%d, x%d", T6, X_O0, X_I0);
    gradient_add_before(g, T6, T6, T7, g->by_query ? 1 : -1, 0);
    L("  shli x%d, x%d, 2\n  addi x%d, x%d, %" PRIu64, T7, g->by_query ? X_HEAD : X_IH, T7, T7,
      g->slopes);
    if (g->prefix) {
        gradient_sequence(g, T0, GRADIENT_PREFIX, 0);
        L("  sub x%d, x%d, x%d", T0, T0, g->by_query ? X_I0 : X_O0);
    }
    L("  vcall weights, x%d, x%d, x%d, x%d, x%d, x%d, x%d, x%d wait(s%d) post(s%d)", T1, T2, T3, T4,
      T5, T6, g->prefix ? T0 : 0, T7, S_SCORES, S_WEIGHTS);
    L("weighed:");
}

static void step(struct gradient *g)
{
    L("step:");
    inner_rows(g);
    L("  beq x%d, x0, outer_here\n  tsync wait(s%d)\nouter_here:", X_FIRST, S_OUTER);
    scores(g, 0, g->part == TSR_GRADIENT_DV);
    if (g->part != TSR_GRADIENT_DV)
        scores(g, 1, true);
    weights(g);
    L("  beq x%d, x0, none_deferred", X_DSLOT);
    sum(g, "step");
    L("none_deferred:");
    L("  addi x%d, x%d, 0\n  addi x%d, x%d, 0\n  addi x%d, x%d, 0", X_DSLOT, X_SLOT, X_DIN, X_IN,
      X_DFIRST, X_FIRST);
    L("  xori x%d, x%d, 1", X_SP, X_SP);
    gradient_li(g, X_FIRST, 0);
    if (!g->retain) {
        L("  addi x%d, x%d, %" PRIu64, X_SLOT, X_SLOT, g->slot_bytes);
        gradient_li(g, T0, (int64_t)(g->slots + g->n_slots * g->slot_bytes));
        L("  blt x%d, x%d, in_ring", X_SLOT, T0);
        gradient_li(g, X_SLOT, (int64_t)g->slots);
        L("in_ring:");
    }
    L("  addi x%d, x%d, %u\n  blt x%d, x%d, step", X_I0, X_I0, g->side, X_I0, X_IEND);
    L("  addi x%d, x%d, 1\n  blt x%d, x%d, head", X_IH, X_IH, X_IH, X_IHEND);
    sum(g, "item");
    gradient_li(g, X_DSLOT, 0);
    if (g->falling)
        L("  min x%d, x%d, x%d", X_HW, X_HW, X_LO);
    else if (g->retain) /* all heads up to the end of the last block */
        L("  addi x%d, x%d, %u\n  andi x%d, x%d, -%u\n  max x%d, x%d, x%d", T0, X_IEND, g->side - 1,
          T0, T0, g->side, X_HW, X_HW, T0);
}

/* The result to its stage, whose rows are x[T1] apart; x[T2] elements of a slab. */
static void drain(struct gradient *g, int complete)
{
    const struct gradient_operand *r = &g->result;
    char sems[40];
    for (uint32_t s = 0; s < r->slabs; s++) {
        int n = s == 0 ? snprintf(sems, sizeof sems, " wait(s%d, s%d)", S_DONE, S_STAGE_FREE) : 0;
        sems[n] = '\0';
        if (s + 1 == r->slabs)
            snprintf(sems + n, sizeof sems - (size_t)n, " post(s%d, s%d)", complete, S_ACC_FREE);
        gradient_stage(g, T0, T3, g->stage + s * r->cols * 4);
        gradient_li(g, T3, (4 + s * r->banks) << 8);
        L("  drain dst=x%d, ds=x%d, m=x%d, n=x%d, c=x%d, fmt=f32, across=%d%s", T0, T1, X_ON, T2,
          T3, r->banks == 2, sems);
    }
}

/* To the stage and out. */
static void end_item(struct gradient *g)
{
    const struct gradient_operand *r = &g->result;
    L("  tsync post(s%d, s%d)", S_DONE, S_OUTER_FREE);
    gradient_li(g, T1, (int64_t)g->stage_row);
    gradient_li(g, T2, r->cols);
    if (g->passes) { /* the stage keeps them */
        gradient_is_last(g, T5);
        L("  bne x%d, x0, last_pass", T5);
        drain(g, S_STAGE_FREE);
        L("  jmp item\nlast_pass:");
    }
    drain(g, S_DRAINED);
    row_address(g, T2, &r->rows, X_O0, X_HEAD, T3);
    gradient_stage(g, T0, T3, g->stage);
    gradient_li(g, T3, (int64_t)r->slabs * r->cols * 4);
    gradient_li(g, T4, (int64_t)r->rows.token_stride);
    L("  copy ch=3, src=x%d, dst=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d wait(s%d) post(s%d)", T0,
      T2, T3, X_ON, T1, T4, S_DRAINED, S_STAGE_FREE);
}

static void delta_item(struct gradient *g)
{
    buffer(g, T0, X_XP, g->x_at[0], g->x_bytes);
    buffer(g, T1, X_XP, g->x_at[1], g->x_bytes);
    gradient_li(g, T2, (int64_t)g->stats);
    L("  vcall delta, x%d, x%d, x%d wait(s%d, s%d) post(s%d, s%d)", T0, T1, T2, S_OUTER,
      S_STAGE_FREE, S_DRAINED, S_OUTER_FREE);
    L("  muli x%d, x%d, %" PRIu64 "\n  add x%d, x%d, x%d", T0, X_B, g->op->heads, T0, T0, X_HEAD);
    L("  muli x%d, x%d, %" PRIu64 "\n  add x%d, x%d, x%d\n  shli x%d, x%d, 2", T0, T0, g->op->q_len,
      T0, T0, X_O0, T0, T0);
    L("  addi x%d, x%d, %" PRIu64 "\n  shli x%d, x%d, 2", T0, T0, g->op->delta, T1, X_ON);
    L("  copy ch=3, src=x%d, dst=x%d, len=x%d wait(s%d) post(s%d)", T2, T0, T1, S_DRAINED,
      S_STAGE_FREE);
}

static void post_times(struct gradient *g, int s, uint64_t n)
{
    gradient_li(g, T0, (int64_t)n);
    L("  loop x%d, posted_%d\n  wait post(s%d)\nposted_%d:", T0, s, s, s);
}

static void begin(struct gradient *g)
{
    const bool delta = g->part == TSR_GRADIENT_DELTA;
    const char *const consumer[SEMS] = {
        delta ? "tvp" : "ttu", "ttu", "tvp", "ttu", "dma1", "dma0", "acc", "dma3", "ttu",
        delta ? "tvp" : "acc", "tvp", "ttu"};
    for (int s = 0; s < SEMS; s++)
        L(".sem s%d %s", s, consumer[s]);
    L("  addi x%d, x2, 0", X_MEMBER);
    gradient_li(g, T0, (int64_t)g->units);
    L("  bge x%d, x%d, end", X_UNIT, T0);
    post_times(g, S_OUTER_FREE, 2);
    post_times(g, S_SLOT, g->retain ? 1 : g->n_slots);
    post_times(g, S_ACC_FREE, 1);
    post_times(g, S_STAGE_FREE, 1);
    if (g->op->has_slopes) {
        gradient_li(g, T0, (int64_t)g->slopes);
        gradient_li(g, T1, (int64_t)g->op->slopes);
        gradient_li(g, T2, (int64_t)g->op->heads * 4);
        L("  copy ch=0, dst=x%d, src=x%d, len=x%d post(s%d)\n  vcall setup wait(s%d)", T0, T1, T2,
          S_STATS, S_STATS);
    } else {
        L("  vcall setup");
    }
    gradient_li(g, X_SLOT, (int64_t)g->slots);
    gradient_li(g, X_XP, 0);
    gradient_li(g, X_SP, 0);
    gradient_li(g, X_DSLOT, 0);
}

void gradient_program(struct gradient *g)
{
    begin(g);
    L("unit:");
    divide(g, X_B, X_KVH, X_UNIT, g->op->kv_heads);
    if (g->passes)
        gradient_first_pass(g);
    gradient_li(g, X_N, 0);
    gradient_li(g, X_HW, g->falling ? INT64_MAX : 0);
    gradient_li(g, X_NEW, 1);
    begin_item(g);
    if (g->part == TSR_GRADIENT_DELTA) {
        delta_item(g);
    } else {
        if (!g->passes) {
            gradient_inner_range(g);
            gradient_li(g, X_FIRST, 1);
        }
        L("head:\n  addi x%d, x%d, 0", X_I0, X_LO);
        step(g);
        end_item(g);
    }
    L("  jmp item\nunit_end:");
    if (g->passes)
        gradient_next_pass(g);
    else if (g->retain && g->part != TSR_GRADIENT_DELTA)
        L("  tsync post(s%d)", S_SLOT);
    L("  addi x%d, x%d, %u", X_UNIT, X_UNIT, g->stride);
    gradient_li(g, T0, (int64_t)g->units);
    L("  blt x%d, x%d, unit\nend:\n  halt", X_UNIT, T0);
    gradient_routines(g);
}
