/* SPDX-License-Identifier: Apache-2.0 */
/* The attention program: one text for all tiles; blocks, teams and places are those of
 * attention_plan, the vector routines of attention_tvp.
 *
 * Per tile, a stream of steps (query block, key block), over all its units without a break:
 *   scores    S^T[key][query] = K x Q^T        TTU, into one of two score buffers
 *   softmax   m, l, P^T[key][query], e         TVP, reads the accumulators
 *   sum       O = 2^-e O + P V                 TTU, e per query
 * and after the last step of a query block: 1 / l, O / l into TSRAM (TVP), to HBM (DMA).
 * The TCP queues the sum of a step after the scores of the next one, so that the TTU works on one
 * step while the TVP works on the other. Keys are loaded `ahead` blocks in advance into a ring of
 * slots; a block that several query blocks use stays until the last of them has.
 *
 * Waits that are not there: scores(s) follow sum(s - 2) in the TTU's queue, which waited for
 * softmax(s - 2): the score buffer is free. softmax(s) waits for scores(s), so sum(s - 2) has read
 * P and e of that parity. O's buffer is free because output() precedes, in the TVP's queue, the
 * softmax for which the first sum into it waits: with two buffers the one after next, with one
 * buffer output() is queued before that softmax.
 *
 * Teams: the first member loads for all, by multicast, so all rings hold the same at the same
 * places. A slot is handed back from the last member to the first, each waiting for its own release
 * and its follower's; hence the first one's count is that of slots free everywhere. A key block of
 * the segment that a member has no query for passes by: it waits for it and releases it.
 *
 * No deadlock: a load is queued only when the sums already queued will free its slot ("credit"),
 * all else waits for what has been queued before. In a team the member furthest behind finds the
 * keys it needs, or their load waits for its own releases alone. */
#include <inttypes.h>
#include <stdio.h>

#include "kernels/npu/attention_emit.h"

/* ---- a step --------------------------------------------------------------------------------- */

/* X_KV: where the step's first key lies; T1: keys of its block before that. */
static void first_key(struct emit *e)
{
    L("  addi x%d, x%d, 0", X_KV, X_SLOT);
    if (!attn_inner_starts(e->p))
        return;
    L("  ld x%d, x0, %d", T1, C_KB0);
    L("  sub x%d, x%d, x%d", T1, X_KEY, T1);
    L("  andi x%d, x%d, %u", T1, T1, e->p->kb - 1);
    attn_add_product(e, X_KV, T1, e->p->k_row, T2);
}

/* X_NK, X_CF, X_KV. */
static void step_flags(struct emit *e)
{
    const struct attention_plan *p = e->p;
    first_key(e);
    L("  sub x%d, x%d, x%d", X_NK, X_HI, X_KEY);
    attn_li(e, T0, p->kb);
    if (attn_inner_starts(p))
        L("  sub x%d, x%d, x%d", T0, T0, T1);
    L("  min x%d, x%d, x%d", X_NK, X_NK, T0);
    L("  add x%d, x%d, x%d", X_CF, X_CF, X_PAR);
    L("  addi x%d, x%d, %d", X_CF, X_CF, VALID);
    L("  blt x%d, x%d, not_fresh", X_KEY, X_HW);
    L("  addi x%d, x%d, %d", X_CF, X_CF, FRESH);
    L("  add x%d, x%d, x%d", X_HW, X_KEY, T0);
    L("  addi x%d, x%d, -1", X_AH, X_AH);
    L("not_fresh:");
    L("  add x%d, x%d, x%d", T0, X_KEY, X_NK);
    L("  blt x%d, x%d, not_last", T0, X_HI);
    L("  addi x%d, x%d, %d", X_CF, X_CF, LAST);
    L("not_last:");
    L("  bge x%d, x%d, not_released", X_KEY, X_RB);
    L("  addi x%d, x%d, %d", X_CF, X_CF, RELEASE);
    L("not_released:");
}

static void scores_variant(struct emit *e, int flags)
{
    const struct attention_plan *p = e->p;
    char waits[32], posts[32], scales[16] = "";
    attn_li(e, T6, (int64_t)p->k_row);
    if (p->narrow)
        snprintf(scales, sizeof scales, ", asc=x%d", T5);
    for (uint32_t s = 0; s < p->slabs; s++) {
        bool last = s + 1 == p->slabs;
        if (s) {
            L("  addi x%d, x%d, %" PRIu64, T0, s == 1 ? X_KV : T0, p->k_slab);
            L("  addi x%d, x%d, %" PRIu64, T1, T1, (uint64_t)p->rows * p->line);
        }
        if (last && p->tail_cols != p->slab_cols)
            attn_li(e, T3, p->tail_cols);
        if (p->narrow)
            L("  addi x%d, x%d, %u", T5, s ? T0 : X_KV, p->cache.scales_at);
        attn_clause(waits, sizeof waits, "wait", s == 0 && flags & FRESH ? S_K : -1,
                    s == 0 && flags & FIRST ? S_Q : -1);
        attn_clause(posts, sizeof posts, "post", last ? S_SCORES : -1,
                    last && flags & LAST ? S_QUERY_FREE : -1);
        L("  mma a=x%d, as=x%d, b=x%d, bs=x%d, m=x%d, n=x%d, k=x%d, c=x%d, af=%s, bf=%s, "
          "acc=%d%s%s%s",
          s ? T0 : X_KV, T6, T1, T2, X_NK, X_ROWS, T3, T4, p->kv_format, p->format, s != 0, scales,
          waits, posts);
    }
}

static void scores(struct emit *e)
{
    const struct attention_plan *p = e->p;
    attn_buffer(e, T1, X_PAR, PAR_ITEM, p->queries, p->query_bytes);
    attn_li(e, T2, p->line);
    attn_li(e, T3, p->slab_cols);
    attn_buffer(e, T4, X_PAR, PAR_STEP, 0, (uint64_t)p->s_banks << 8);
    attn_dispatch(e, X_CF, 3, "scored", scores_variant);
}

static int released(const struct attention_plan *p)
{
    return p->team > 1 ? S_RELEASED : S_SLOT_FREE;
}

/* A slot of this tile is free, or will be: from the last member of a team to the first, each adds
 * its own to what the later ones have said. So the first counts slots, not posts. */
static void hand_back(struct emit *e, const char *where)
{
    if (e->p->team == 1)
        return;
    L("  ld x%d, x0, %d\n  ld x%d, x0, %d", T0, C_BEFORE, T1, C_MEMBER);
    L("  beq x%d, x0, first_%s", T1, where);
    L("  addi x%d, x%d, -1", T1, T1);
    L("  beq x%d, x0, inner_%s", T1, where);
    L("  rpost ch=1, mask=x%d, sem=%d wait(s%d)", T0, S_FOLLOWERS, S_RELEASED);
    L("  jmp back_%s", where);
    L("inner_%s:", where);
    L("  rpost ch=1, mask=x%d, sem=%d wait(s%d, s%d)", T0, S_FOLLOWERS, S_RELEASED, S_FOLLOWERS);
    L("  jmp back_%s", where);
    L("first_%s:", where);
    L("  rpost ch=1, mask=x%d, sem=%d wait(s%d, s%d)", T0, S_SLOT_FREE, S_RELEASED, S_FOLLOWERS);
    L("back_%s:", where);
}

/* V of the slot, once it is here, for the sums that use it: before the softmax that the first of
 * them waits for, so that what the tensor unit waits for stands before in the TVP's queue. */
static void expand(struct emit *e)
{
    const struct attention_plan *p = e->p;
    L("  addi x%d, x%d, %" PRIu64, T0, X_SLOT, p->k_bytes);
    L("  addi x%d, x%d, %" PRIu64, T1, X_SLOT, p->narrow_at);
    L("  vcall expand, x%d, x%d wait(s%d) post(s%d)", T1, T0, S_NARROW, S_V);
}

/* K of i8 becomes q8_0: behind a row's codes its scale for each block. */
static void spread(struct emit *e)
{
    const struct attention_plan *p = e->p;
    const uint32_t each = (p->cache.line_bytes - p->cache.scales_at) / TOKEN_SCALE;
    char waits[32], posts[32];
    L("  addi x%d, x%d, %" PRIu64, T0, X_SLOT, p->scales);
    L("  addi x%d, x%d, %u", T1, X_SLOT, p->cache.scales_at);
    attn_li(e, T2, TOKEN_SCALE);
    attn_li(e, T3, each);
    attn_li(e, T4, p->kb);
    attn_li(e, T5, (int64_t)p->k_row);
    for (uint32_t s = 0; s < p->slabs; s++) {
        if (s)
            L("  addi x%d, x%d, %" PRIu64, T1, T1, p->k_slab);
        attn_clause(waits, sizeof waits, "wait", s == 0 ? S_CODES : -1, -1);
        attn_clause(posts, sizeof posts, "post", s + 1 == p->slabs ? S_K : -1, -1);
        L("  copy ch=1, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x0, ds1=x%d, n2=x%d, ss2=x%d, "
          "ds2=x%d%s%s",
          T1, T0, T2, T3, T2, T4, T2, T5, waits, posts);
    }
}

static void spread_fresh(struct emit *e)
{
    if (!e->p->token_scales)
        return;
    L("  andi x%d, x%d, %d", T0, X_CF, FRESH);
    L("  beq x%d, x0, spread", T0);
    spread(e);
    L("spread:");
}

static void expand_fresh(struct emit *e)
{
    if (!e->p->narrow)
        return;
    L("  andi x%d, x%d, %d", T0, X_CF, FRESH);
    L("  beq x%d, x0, expanded", T0);
    expand(e);
    L("expanded:");
}

/* In PASS: a key block that only others use arrives and is released, by an mma of nothing into the
 * free score buffer. */
static void pass(struct emit *e)
{
    const struct attention_plan *p = e->p;
    char waits[32];
    if (p->team == 1)
        return;
    attn_clause(waits, sizeof waits, "wait", S_K, p->op->values_in_keys ? -1 : S_V);
    L("  andi x%d, x%d, %d", T0, X_CF, PASS);
    L("  beq x%d, x0, no_pass", T0);
    if (p->token_scales)
        spread(e);
    if (p->narrow)
        expand(e);
    attn_li(e, T0, (int64_t)p->zero);
    attn_li(e, T1, 1);
    attn_buffer(e, T2, X_PAR, PAR_STEP, 0, (uint64_t)p->s_banks << 8);
    L("  mma a=x%d, as=x0, b=x%d, bs=x0, m=x%d, n=x%d, k=x%d, c=x%d, af=%s, bf=%s %s "
      "post(s%d)",
      T0, T0, T1, T1, T1, T2, p->format, p->format, waits, S_RELEASED);
    hand_back(e, "pass");
    L("  addi x%d, x%d, -1\n  addi x%d, x%d, 1", X_AH, X_AH, X_CR, X_CR);
    attn_next_slot(e, X_SLOT, T0, "pass");
    L("  addi x%d, x%d, -1", X_NK, X_NK);
    L("  bne x%d, x0, step", X_NK);
    L("  jmp block");
    L("no_pass:");
}

/* Where slab s of O lies, from O's first bank on, as mma's c. */
static uint32_t sum_corner(const struct attention_plan *p, uint32_t s)
{
    uint32_t row = s % p->pack * p->rows / p->chip->tile.ttu.dim;
    return (s / p->pack * p->v_banks << 8) + (row << 4);
}

static void sum_variant(struct emit *e, int flags)
{
    const struct attention_plan *p = e->p;
    char waits[32], posts[32], scale[32] = "";
    const int across = p->v_banks > 2 ? 2 : p->v_banks == 2;
    attn_li(e, T6, (int64_t)p->v_row);
    if (!(flags & FIRST))
        snprintf(scale, sizeof scale, ", acc=1, sc=1, e=x%d", T1);
    for (uint32_t s = 0; s < p->v_slabs; s++) {
        bool last = s + 1 == p->v_slabs;
        if (s) {
            L("  addi x%d, x%d, %" PRIu64, T2, s == 1 ? X_DV : T2, p->v_slab);
            L("  addi x%d, x%d, %d", T5, T5, (int)(sum_corner(p, s) - sum_corner(p, s - 1)));
        }
        attn_clause(waits, sizeof waits, "wait", s == 0 ? S_WEIGHTS : -1,
                    s == 0 && flags & FRESH && !p->op->values_in_keys ? S_V : -1);
        attn_clause(posts, sizeof posts, "post", last && flags & LAST ? S_SUM : -1,
                    last && flags & RELEASE ? released(p) : -1);
        L("  mma a=x%d, as=x%d, at=1, b=x%d, bs=x%d, bt=1, m=x%d, n=x%d, k=x%d, c=x%d, af=%s, "
          "bf=%s, across=%d%s%s%s",
          T0, T3, s ? T2 : X_DV, T6, X_DR, T4, X_DK, T5, p->format,
          p->narrow ? p->format : p->kv_format, across, scale, waits, posts);
    }
    if (flags & RELEASE)
        L("  addi x%d, x%d, 1", X_CR, X_CR);
}

/* The finished block: O / l, and out. The deferred sum's registers are free. */
static void output(struct emit *e)
{
    const struct attention_plan *p = e->p;
    const uint32_t first = 2 * p->s_banks, step = p->o_buffers == 2 ? p->o_banks : 0;
    L("  andi x%d, x%d, %d", T0, X_DF, LAST);
    L("  beq x%d, x0, no_output", T0);
    attn_buffer(e, T0, X_DF, PAR_ITEM, p->stage, p->stage_bytes);
    attn_buffer(e, T1, X_DF, PAR_ITEM, (uint64_t)first * p->bank_lines,
                (uint64_t)step * p->bank_lines);
    attn_buffer(e, T2, X_DF, PAR_ITEM, p->inverse, p->inverse_bytes);
    L("  addi x%d, x%d, 7", T3, X_DR);
    L("  shri x%d, x%d, 3", T3, T3);
    if (p->splits > 1) {
        attn_merge(e);
    } else {
        L("  vcall output, x%d, x%d, x%d, x%d wait(s%d, s%d) post(s%d)", T1, T0, T2, T3, S_SUM,
          S_STAGE_FREE, S_STAGED);
        attn_write_out(e);
    }
    L("no_output:");
}

/* A head's lse follow each other in HBM, a token's in the stage. */
static void write_lse(struct emit *e)
{
    const struct attention_plan *p = e->p;
    L("  addi x%d, x%d, %" PRIu64 "\n  ld x%d, x0, %d", T1, T0, p->lse_at, T2, C_LAST_LSE);
    attn_li(e, T3, 4);
    attn_li(e, T4, 4 * (int64_t)p->group);
    attn_li(e, T5, p->group);
    attn_li(e, X_DV, (int64_t)p->lse.head_stride);
    L("  copy ch=3, src=x%d, dst=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, ds2=x%d "
      "wait(s%d)",
      T1, T2, T3, T6, T4, T3, T5, T3, X_DV, S_STAGED);
}

void attn_write_out(struct emit *e)
{
    const struct attention_plan *p = e->p;
    char waits[32];
    L("  ld x%d, x0, %d", T6, C_LAST_TOKENS);
    if (p->op->has_lse)
        write_lse(e);
    attn_clause(waits, sizeof waits, "wait", p->op->has_lse ? -1 : S_STAGED, -1);
    L("  ld x%d, x0, %d", T1, C_LAST_OUT);
    if (p->splits > 1) {
        L("  ld x%d, x0, %d", T2, C_SPLIT);
        attn_add_product(e, T1, T2, p->merge_cols * p->out_element, T3);
    }
    attn_li(e, T2, (p->splits > 1 ? p->merge_cols : p->part_cols) * p->out_element);
    attn_li(e, T3, p->group);
    attn_li(e, T4, (int64_t)p->stage_row);
    attn_li(e, T5, (int64_t)p->o.head_stride);
    attn_li(e, X_DV, (int64_t)(p->group * p->stage_row));
    attn_li(e, X_DK, (int64_t)p->o.token_stride);
    L("  copy ch=3, src=x%d, dst=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, "
      "ds2=x%d%s "
      "post(s%d)",
      T0, T1, T2, T3, T4, T5, T6, X_DV, X_DK, waits, S_STAGE_FREE);
}

static void sum(struct emit *e)
{
    const struct attention_plan *p = e->p;
    const uint64_t e_lines = (uint64_t)(1 + ATTENTION_SLACK) * p->line;
    const uint32_t first = 2 * p->s_banks, step = p->o_buffers == 2 ? p->o_banks : 0;
    L("sum:");
    L("  beq x%d, x0, no_output", X_DF);
    attn_buffer(e, T0, X_DF, PAR_STEP, p->p + e_lines, p->p_bytes);
    L("  addi x%d, x%d, -%" PRIu64, T1, T0, e_lines);
    attn_li(e, T3, p->line);
    attn_li(e, T4, p->v_cols);
    attn_buffer(e, T5, X_DF, PAR_ITEM, (uint64_t)first << 8, (uint64_t)step << 8);
    attn_dispatch(e, X_DF, 4, "summed", sum_variant);
    if (e->p->team > 1) {
        L("  andi x%d, x%d, %d", T0, X_DF, RELEASE);
        L("  beq x%d, x0, back_sum", T0);
        hand_back(e, "sum");
    }
    output(e);
    L("  beq x%d, x0, end", X_CF);
    if (e->p->team > 1) {
        L("  andi x%d, x%d, %d", T0, X_CF, PASS);
        L("  beq x%d, x0, to_step", T0);
        attn_li(e, X_DF, 0);
        L("  jmp step");
        L("to_step:");
    }
}

/* This step's sum becomes the deferred one. */
static void advance(struct emit *e)
{
    const struct attention_plan *p = e->p;
    if (p->window || p->general) /* the softmax's arguments have used it */
        first_key(e);
    L("  addi x%d, x%d, %" PRIu64, X_DV, X_KV, p->op->values_in_keys ? 0 : p->k_bytes);
    L("  addi x%d, x%d, 0\n  addi x%d, x%d, 0\n  addi x%d, x%d, 0", X_DK, X_NK, X_DF, X_CF, X_DR,
      X_ROWS);
    attn_next_slot(e, X_SLOT, T0, "step");
    L("  add x%d, x%d, x%d", X_KEY, X_KEY, X_NK);
    L("  xori x%d, x%d, %d", X_PAR, X_PAR, PAR_STEP);
    L("  andi x%d, x%d, %d", T0, X_CF, LAST);
    attn_li(e, X_CF, 0);
    L("  beq x%d, x0, step", T0);
    L("  ld x%d, x0, %d\n  sd x%d, x0, %d", T0, C_OUT, T0, C_LAST_OUT);
    if (p->op->has_lse)
        L("  ld x%d, x0, %d\n  sd x%d, x0, %d", T0, C_LSE, T0, C_LAST_LSE);
    L("  ld x%d, x0, %d\n  sd x%d, x0, %d", T0, C_TOKENS, T0, C_LAST_TOKENS);
    L("  xori x%d, x%d, %d", X_PAR, X_PAR, PAR_ITEM);
    L("  jmp block");
}

/* ---- the program ---------------------------------------------------------------------------- */

static void post_times(struct emit *e, enum sem s, uint32_t n)
{
    attn_li(e, T0, n);
    L("  loop x%d, posted_%d\n  wait post(s%d)\nposted_%d:", T0, s, s, s);
}

static void begin(struct emit *e)
{
    static const char *const consumer[] = {
        "ttu",  "ttu",  "ttu",  "ttu", "tvp", "tvp",  "tvp", "dma3", "dma0", "dma2", "tvp",
        "dma3", "dma1", "dma1", "tvp", "tvp", "dma3", "tvp", "dma1", "tvp",  "dma3", "dma1"};
    const struct attention_plan *p = e->p;
    for (int s = 0; s < SEMAPHORES; s++)
        L(".sem s%d %s", s, consumer[s]);
    for (int i = 0; i < ARGS; i++)
        L("  sd x%d, x0, %d", FIRST_ARG + i, 8 * i);
    attn_units_end(e, T0);
    L("  bge x%d, x%d, end", X_XU, T0);
    if (p->op->has_sinks) { /* all of them; both buffers are free when they are here */
        attn_li(e, T0, (int64_t)p->op->sinks);
        attn_li(e, T1, (int64_t)p->sinks);
        attn_li(e, T2, (int64_t)(p->op->heads * (p->op->sink_format == TSR_F32 ? 4 : 2)));
        L("  copy ch=3, dst=x%d, src=x%d, len=x%d post(s%d, s%d)", T1, T0, T2, S_SINK_FREE,
          S_SINK_FREE);
    }
    if (p->op->has_mask)
        post_times(e, S_MASK_FREE, 2);
    if (p->op->has_slopes)
        post_times(e, S_SLOPES_FREE, 2);
    post_times(e, S_SLOT_FREE, p->slots);
    attn_li(e, X_DF, 0);
    attn_li(e, X_HW, 0); /* as the end of the segment before the first: 0 */
    post_times(e, S_QUERY_FREE, 2);
    post_times(e, S_STAGE_FREE, 2);
    L("  vcall setup");
    attn_li(e, X_CR, p->slots);
    attn_li(e, X_LS, (int64_t)p->ring);
    attn_li(e, X_SLOT, (int64_t)p->ring);
    attn_load_queries(e, false);
}

static void write_text(struct emit *e, const char *sink_format)
{
    begin(e);
    attn_begin_block(e);
    L("step:");
    attn_loads(e);
    pass(e);
    step_flags(e);
    spread_fresh(e);
    scores(e);
    if (e->p->op->has_mask)
        attn_load_mask(e);
    expand_fresh(e);
    if (e->p->o_buffers == 2)
        attn_weights(e);
    sum(e);
    if (e->p->o_buffers == 1)
        attn_weights(e);
    advance(e);
    L("end:");
    L("  halt");
    attention_routines(e->p, &e->t, sink_format);
}

static void launch_args(const struct attention_plan *p, uint32_t tile, int64_t *args)
{
    const struct attention_work *w = &p->work[tile];
    int64_t *a = args + FIRST_ARG - 1;
    uint64_t lo, hi;
    args[X_LU - 1] = args[X_XU - 1] = p->records ? C_RECORDS : (int64_t)w->first_unit;
    a[ARG_END] = C_RECORDS + (int64_t)(attention_record_count(p, tile) * attention_record_bytes(p));
    a[ARG_SPLIT] = w->split;
    for (uint32_t i = 0; i < p->mergers && p->splits > 1; i++)
        a[ARG_MERGERS] |= (int64_t)((uint64_t)1 << ((w->merger + i * p->merger_stride) & 63));
    a[ARG_MERGER] = (int64_t)((uint64_t)1 << (w->merger & 63));
    a[ARG_EVEN] = w->even;
    a[ARG_DELTA] = w->delta;
    a[ARG_ITEMS] = w->items;
    a[ARG_MASK] = (int64_t)w->mask;
    a[ARG_BEFORE] = (int64_t)((uint64_t)1 << ((tile - (w->member > 0)) & 63));
    a[ARG_MEMBER] = w->member == 0 ? 0 : w->member + 1 < p->team ? 1 : 2;
    if (w->items < p->rounds && !p->records) {
        attention_keys(p, (uint64_t)(p->rounds - 1) * p->team, p->blocks - 1, &lo, &hi);
        a[ARG_EXTRA] = (int64_t)((hi - lo + p->kb - 1) / p->kb * p->kb);
    }
}

enum tsr_status tsr_npu_attention(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                  const struct tsr_npu_attention *op, struct tsr_program *out,
                                  struct tsr_error *err)
{
    struct attention_plan p;
    struct emit e = {.p = &p};
    uint32_t tiles = tsr_chip_tiles(chip);
    int64_t args[TSR_MAX_TILES][TSR_LAUNCH_REGS] = {{0}};
    enum tsr_status st = attention_plan(isa, chip, op, &p, err);
    if (st != TSR_OK)
        return st;
    for (uint32_t i = 0; i < tiles; i++)
        launch_args(&p, i, args[i]);
    write_text(&e, isa->formats[op->sink_format].name);
    st = tsr_text_program(&e.t, isa, "attention", tiles, (const int64_t(*)[TSR_LAUNCH_REGS])args,
                          out, err);
    if (st == TSR_OK && p.records)
        st = attention_records(&p, out, err);
    if (st != TSR_OK)
        tsr_program_free(out);
    return st;
}
