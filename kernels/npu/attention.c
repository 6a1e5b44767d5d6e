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
 * No deadlock: a load is queued only when the sums already queued will free its slot ("credit"), all
 * else waits for what has been queued before. */
#include <inttypes.h>
#include <stdio.h>

#include "kernels/npu/attention_plan.h"
#include "kernels/npu/text.h"

enum sem {
    S_K, S_V, S_Q,     /* arrived: TTU */
    S_WEIGHTS,         /* P and e are in TSRAM: TTU */
    S_SCORES,          /* TVP */
    S_SUM,             /* O is complete: TVP */
    S_STAGE_FREE,      /* the output of two query blocks ago has left: TVP */
    S_STAGED,          /* channel 3 */
    S_SLOT_FREE,       /* in all tiles of the team: channel 0 */
    S_QUERY_FREE,      /* channel 2 */
    S_SINK,            /* arrived: TVP */
    S_SINK_FREE,       /* channel 2 */
    S_RELEASED,        /* a slot of this tile, in a team: channel 1 */
    S_FOLLOWERS,       /* the same slot of all later members of the team: channel 1 */
};

enum reg {
    /* loads: unit of the next segment; keys left to load, next K and V block, next slot */
    X_LU = 1, X_LN, X_LK, X_LV, X_LS,
    X_NK, X_CF,     /* this step: keys, flags */
    X_AH, X_CR,     /* blocks loaded and not yet used; free slots, as the TCP's order has it */
    X_XU, X_XN,     /* the query block after this one: unit, n */
    X_KV,           /* this step: where its keys are; else a temporary */
    X_HI, X_POS, X_ROWS, /* this query block: end of its keys, position of its first token, rows */
    X_KEY, X_SLOT,  /* this key block: first key, place */
    X_HW, X_RB,     /* keys from here on are fresh; blocks that start before here are released */
    X_DV, X_DK, X_DF, X_DR, /* the deferred sum: V, keys, flags, rows */
    X_PAR,          /* PAR_ITEM, PAR_STEP: which of two buffers */
    T0, T1, T2, T3, T4, T5, T6,
};
/* Flags of a step. VALID: there is one. PASS: no step; X_NK key blocks go by unused. */
enum { FIRST = 1, FRESH = 2, LAST = 4, RELEASE = 8, PAR_ITEM = 16, PAR_STEP = 32, VALID = 64, PASS = 128 };
/* Launch arguments: X_LU and X_XU the first unit, these from x13 on, kept in control memory from 0. */
enum { ARG_EVEN, ARG_DELTA, ARG_ITEMS, ARG_MASK, ARG_BEFORE, ARG_MEMBER, ARG_EXTRA, ARGS, FIRST_ARG = 13 };
/* Control memory. BEFORE: mask of the member before, the first one's itself; MEMBER: 0 the first,
 * 1, 2 the last; EXTRA: keys, rounded up to blocks, of a last round in which the tile has no block. */
enum { C_EVEN = 8 * ARG_EVEN, C_DELTA = 8 * ARG_DELTA, C_ITEMS = 8 * ARG_ITEMS, C_MASK = 8 * ARG_MASK,
       C_BEFORE = 8 * ARG_BEFORE, C_MEMBER = 8 * ARG_MEMBER, C_EXTRA = 8 * ARG_EXTRA,
       C_KB0 = 8 * ARGS, C_SEGMENT = C_KB0 + 8, C_END = C_KB0 + 16, C_OUT = C_KB0 + 24, C_TOKENS = C_KB0 + 32,
       C_LAST_OUT = C_KB0 + 40, C_LAST_TOKENS = C_KB0 + 48, C_LOAD_N = C_KB0 + 56, C_UNIT = C_KB0 + 64,
       C_N = C_KB0 + 72 };

/* Beyond any key. */
static const int64_t far = (int64_t)1 << 40;
/* u / d = u * ceil(2^40 / d) >> 40 for u d < 2^40. */
enum { RECIPROCAL_SHIFT = 40 };

struct emit {
    struct tsr_text t;
    const struct attention_plan *p;
};
#define L(...) tsr_text_line(&e->t, __VA_ARGS__)

static void li(struct emit *e, int d, int64_t x) { L("  li x%d, %" PRId64, d, x); }

/* ---- where things are ------------------------------------------------------------------------------ */

/* d = block number of a tile's n-th block; d, n, t differ. */
static void block_of(struct emit *e, int d, int n, int t)
{
    L("  ld x%d, x0, %d", t, C_DELTA);
    L("  andi x%d, x%d, 1", d, n);
    L("  mul x%d, x%d, x%d", t, t, d);
    L("  muli x%d, x%d, %u", d, n, e->p->team);
    L("  add x%d, x%d, x%d", d, d, t);
    L("  ld x%d, x0, %d", t, C_EVEN);
    L("  add x%d, x%d, x%d", d, d, t);
}

/* Of block j: its tokens, the position of the first, its keys [lo, hi). All registers differ. */
static void block_range(struct emit *e, int j, int tokens, int pos, int lo, int hi)
{
    const struct tsr_npu_attention *op = e->p->op;
    L("  muli x%d, x%d, %u", tokens, j, e->p->tokens);
    L("  addi x%d, x%d, %" PRId64, pos, tokens, (int64_t)op->kv_len - (int64_t)op->q_len);
    li(e, hi, (int64_t)op->q_len);
    L("  sub x%d, x%d, x%d", tokens, hi, tokens);
    L("  mini x%d, x%d, %u", tokens, tokens, e->p->tokens);
    if (op->causal)
        L("  add x%d, x%d, x%d", hi, pos, tokens);
    else
        li(e, hi, (int64_t)op->kv_len);
    if (e->p->window) {
        L("  addi x%d, x%d, %" PRId64, lo, pos, 1 - (int64_t)e->p->window);
        L("  max x%d, x%d, x0", lo, lo);
    } else {
        li(e, lo, 0);
    }
}

struct steps {
    uint64_t part, chunk, head, batch;
};

/* d = base + where unit u lies; q, r, t are temporaries. */
static void unit_address(struct emit *e, int d, int u, int q, int r, int t, uint64_t base, struct steps s)
{
    const struct attention_plan *p = e->p;
    const uint64_t size[3] = {p->parts, p->chunks, p->op->kv_heads}, step[3] = {s.part, s.chunk, s.head};
    li(e, d, (int64_t)base);
    L("  addi x%d, x%d, 0", q, u);
    for (int i = 0; i < 3; i++) {
        if (size[i] == 1)
            continue;
        uint64_t reciprocal = (((uint64_t)1 << RECIPROCAL_SHIFT) + size[i] - 1) / size[i];
        L("  muli x%d, x%d, %" PRIu64, r, q, reciprocal);
        L("  shri x%d, x%d, %d", r, r, RECIPROCAL_SHIFT);
        L("  muli x%d, x%d, %" PRIu64, t, r, size[i]);
        L("  sub x%d, x%d, x%d", t, q, t);
        L("  muli x%d, x%d, %" PRIu64, t, t, step[i]);
        L("  add x%d, x%d, x%d", d, d, t);
        L("  addi x%d, x%d, 0", q, r);
    }
    L("  muli x%d, x%d, %" PRIu64, q, q, s.batch);
    L("  add x%d, x%d, x%d", d, d, q);
}

/* d += x * by. */
static void add_product(struct emit *e, int d, int x, uint64_t by, int t)
{
    L("  muli x%d, x%d, %" PRIu64, t, x, by);
    L("  add x%d, x%d, x%d", d, d, t);
}

static struct steps key_steps(const struct tsr_npu_rows *r, uint64_t part)
{
    return (struct steps){part, 0, r->head_stride, r->batch_stride};
}

static struct steps query_steps(const struct attention_plan *p, const struct tsr_npu_rows *r, uint64_t part)
{
    uint64_t chunk = p->group * r->head_stride;
    return (struct steps){part, chunk, chunk * p->chunks, r->batch_stride};
}

static uint64_t part_bytes(const struct attention_plan *p) { return (uint64_t)p->part_cols * p->element; }

/* d = base + (bit of flags) * step. */
static void buffer(struct emit *e, int d, int flags, int bit, uint64_t base, uint64_t step)
{
    int shift = bit == PAR_ITEM ? 4 : 5;
    L("  shri x%d, x%d, %d", d, flags, shift);
    L("  andi x%d, x%d, 1", d, d);
    L("  muli x%d, x%d, %" PRIu64, d, d, step);
    if (base)
        L("  addi x%d, x%d, %" PRIu64, d, d, base);
}

/* x = next slot of the ring. */
static void next_slot(struct emit *e, int x, int t, const char *where)
{
    const struct attention_plan *p = e->p;
    L("  addi x%d, x%d, %" PRIu64, x, x, p->slot_bytes);
    li(e, t, (int64_t)(p->ring + p->slots * p->slot_bytes));
    L("  blt x%d, x%d, slot_%s", x, t, where);
    li(e, x, (int64_t)p->ring);
    L("slot_%s:", where);
}

/* ---- loads ------------------------------------------------------------------------------------------- */

/* Keys [lo, hi) of segment n (of round n, where keys do not stay). j, tokens, pos: temporaries. */
static void segment_range(struct emit *e, int n, int j, int tokens, int pos, int lo, int hi)
{
    const struct attention_plan *p = e->p;
    uint64_t first, end;
    if (p->retain || !p->op->causal) {
        attention_keys(p, 0, p->blocks - 1, &first, &end);
        li(e, lo, (int64_t)first);
        li(e, hi, (int64_t)end);
        return;
    }
    L("  muli x%d, x%d, %u", j, n, p->team);
    block_range(e, j, tokens, pos, lo, hi);
    if (p->team == 1)
        return;
    L("  addi x%d, x%d, %u", j, j, p->team - 1);
    L("  mini x%d, x%d, %u", j, j, p->blocks - 1);
    L("  addi x%d, x%d, 0", X_KV, lo);
    block_range(e, j, tokens, pos, lo, hi);
    L("  addi x%d, x%d, 0", lo, X_KV);
}

/* Opens the next segment: X_LN, X_LK, X_LV, X_LU. */
static void open_segment(struct emit *e)
{
    const struct attention_plan *p = e->p;
    li(e, T0, p->units);
    L("  bge x%d, x%d, loaded", X_LU, T0);
    if (!p->retain)
        L("  ld x%d, x0, %d", T5, C_LOAD_N);
    segment_range(e, T5, T0, T1, T2, T3, T4);
    L("  sub x%d, x%d, x%d", X_LN, T4, T3);
    unit_address(e, X_LK, X_LU, T0, T1, T2, p->k.address, key_steps(&p->k, 0));
    add_product(e, X_LK, T3, p->k.token_stride, T0);
    unit_address(e, X_LV, X_LU, T0, T1, T2, p->v.address, key_steps(&p->v, part_bytes(p)));
    add_product(e, X_LV, T3, p->v.token_stride, T0);
    if (!p->retain) {
        li(e, T0, p->rounds);
        L("  addi x%d, x%d, 1", T5, T5);
        L("  sd x%d, x0, %d", T5, C_LOAD_N);
        L("  blt x%d, x%d, load_block", T5, T0);
        L("  sd x0, x0, %d", C_LOAD_N);
    }
    L("  addi x%d, x%d, %u", X_LU, X_LU, p->unit_stride);
}

/* X_LS <- rows (T5) from `src`, by slabs of `cols` columns, a line per row and slab. */
static void load_rows(struct emit *e, int src, uint64_t stride, uint32_t slabs, uint32_t cols, const char *wait,
                      enum sem arrived)
{
    const struct attention_plan *p = e->p;
    char sems[64];
    if (p->team > 1)
        snprintf(sems, sizeof sems, ", mask=x%d, mc=1, p1=s%d%s", T6, arrived, wait);
    else
        snprintf(sems, sizeof sems, ", p1=s%d%s", arrived, wait);
    li(e, T0, (int64_t)cols * p->element);
    li(e, T1, (int64_t)stride);
    li(e, T2, p->line);
    if (slabs == 1) {
        L("  copy ch=0, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d%s", X_LS, src, T0, T5, T1, T2, sems);
        return;
    }
    li(e, T3, slabs);
    li(e, T4, (int64_t)p->kb * p->line);
    L("  copy ch=0, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, ds2=x%d%s", X_LS, src, T0,
      T3, T0, T4, T5, T1, T2, sems);
}

/* Queues loads while fewer than `ahead` wait and slots are free. */
static void loads(struct emit *e)
{
    const struct attention_plan *p = e->p;
    char wait[24];
    uint64_t k_bytes = (uint64_t)p->slabs * p->kb * p->line;
    if (p->team > 1) { /* the first member's work */
        L("  ld x%d, x0, %d", T0, C_MEMBER);
        L("  bne x%d, x0, loaded", T0);
    }
    L("load:");
    li(e, T0, p->ahead);
    L("  bge x%d, x%d, loaded", X_AH, T0);
    L("  beq x%d, x0, loaded", X_CR);
    L("  blt x0, x%d, load_block", X_LN);
    open_segment(e);
    L("load_block:");
    L("  mini x%d, x%d, %u", T5, X_LN, p->kb);
    if (p->team > 1)
        L("  ld x%d, x0, %d", T6, C_MASK);
    snprintf(wait, sizeof wait, " wait(s%d)", S_SLOT_FREE);
    load_rows(e, X_LK, p->k.token_stride, p->slabs, p->slab_cols, wait, S_K);
    L("  addi x%d, x%d, %" PRIu64, X_LS, X_LS, k_bytes);
    load_rows(e, X_LV, p->v.token_stride, p->v_slabs, p->v_cols, "", S_V);
    L("  addi x%d, x%d, -%" PRIu64, X_LS, X_LS, k_bytes);
    L("  addi x%d, x%d, %" PRIu64, X_LK, X_LK, p->kb * p->k.token_stride);
    L("  addi x%d, x%d, %" PRIu64, X_LV, X_LV, p->kb * p->v.token_stride);
    L("  addi x%d, x%d, -%u", X_LN, X_LN, p->kb);
    L("  addi x%d, x%d, 1", X_AH, X_AH);
    L("  addi x%d, x%d, -1", X_CR, X_CR);
    next_slot(e, X_LS, T0, "load");
    L("  jmp load");
    L("loaded:");
}

/* Loads Q (and sinks) of the block X_XU, X_XN into the buffer of the item after the current one
 * (`next`), or the current one's. Uses T0..T6, X_KV, X_HI, X_POS, X_ROWS, X_KEY, X_RB. */
static void load_queries(struct emit *e, bool next)
{
    const struct attention_plan *p = e->p;
    const struct tsr_npu_attention *op = p->op;
    const int dst = T0, src = T1, tokens = T2, len = T3, line = T4, stride = T5, slabs = T6, slab_step = X_KV,
              heads = X_HI, head_stride = X_POS, token_step = X_KEY;
    block_of(e, T3, X_XN, T4);
    block_range(e, T3, tokens, X_POS, X_KEY, X_HI);
    unit_address(e, src, X_XU, X_HI, X_KEY, X_POS, p->q.address, query_steps(p, &p->q, 0));
    add_product(e, src, T3, p->tokens * p->q.token_stride, T4);
    L("  xori x%d, x%d, %d", X_ROWS, X_PAR, next ? PAR_ITEM : 0);
    buffer(e, dst, X_ROWS, PAR_ITEM, p->queries, p->query_bytes);
    li(e, len, (int64_t)p->slab_cols * p->element);
    li(e, line, p->line);
    li(e, stride, (int64_t)p->q.token_stride);
    li(e, slabs, p->slabs);
    li(e, slab_step, (int64_t)p->lanes * p->line);
    li(e, heads, p->group);
    li(e, head_stride, (int64_t)p->q.head_stride);
    li(e, token_step, (int64_t)p->group * p->line);
    if (p->slabs == 1) /* heads of a token in one run */
        L("  copy ch=2, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, ds2=x%d wait(s%d) "
          "post(s%d)", dst, src, len, heads, head_stride, line, tokens, stride, token_step, S_QUERY_FREE, S_Q);
    else
        L("  copy ch=2, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, ds2=x%d, n3=x%d, "
          "ss3=x%d, ds3=x%d wait(s%d) post(s%d)", dst, src, len, slabs, len, slab_step, heads, head_stride, line,
          tokens, stride, token_step, S_QUERY_FREE, S_Q);
    if (!op->has_sinks)
        return;
    uint64_t size = op->sink_format == TSR_F32 ? 4 : 2, run = p->group * size;
    unit_address(e, src, X_XU, T4, T5, T6, p->sinks, (struct steps){0, run, run * p->chunks, 0});
    buffer(e, dst, X_ROWS, PAR_ITEM, p->sink, p->line);
    li(e, len, (int64_t)run);
    L("  copy ch=2, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x0, ds1=x%d wait(s%d) post(s%d)", dst, src, len, tokens, len,
      S_SINK_FREE, S_SINK);
}

/* ---- a query block ------------------------------------------------------------------------------------ */

/* Whether a query block may start within a key block: under a window, where blocks share keys. */
static bool inner_starts(const struct attention_plan *p) { return p->window && (p->retain || p->team > 1); }

/* Where the block starts in the ring, and, where it opens a segment, that. T2: its first key. Keys
 * of the segment before those of the block's first, if it is new, are looked at and masked. */
static void first_slot(struct emit *e)
{
    const struct attention_plan *p = e->p;
    if (p->retain) {
        L("  ld x%d, x0, %d", T6, C_N);
        L("  bne x%d, x0, same_segment", T6);
    } else if (p->team > 1) {
        L("  ld x%d, x0, %d", T6, C_N);
    } else {
        L("  addi x%d, x%d, 0\n  addi x%d, x%d, 0", X_KEY, T2, X_HW, T2);
        return;
    }
    L("  addi x%d, x%d, 0", X_RB, T2);
    segment_range(e, T6, T0, T1, T2, T3, T4);
    L("  addi x%d, x%d, 0", T2, X_RB);
    L("  sd x%d, x0, %d\n  sd x%d, x0, %d", T3, C_KB0, X_SLOT, C_SEGMENT);
    L("  addi x%d, x%d, 0", X_HW, T3);
    L("  sub x%d, x%d, x%d\n  addi x%d, x%d, %u\n  andi x%d, x%d, -%u\n  add x%d, x%d, x%d", T4, T4, T3, T4, T4,
      p->kb - 1, T4, T4, p->kb, T4, T4, T3);
    if (!p->retain) { /* a last round without a block of this tile */
        L("  ld x%d, x0, %d\n  addi x%d, x%d, -1", T0, C_ITEMS, T0, T0);
        L("  bne x%d, x%d, no_extra", T6, T0);
        L("  ld x%d, x0, %d\n  add x%d, x%d, x%d", T0, C_EXTRA, T4, T4, T0);
        L("no_extra:");
    }
    L("  sd x%d, x0, %d", T4, C_END);
    L("same_segment:");
    L("  ld x%d, x0, %d\n  ld x%d, x0, %d", T1, C_KB0, X_SLOT, C_SEGMENT);
    L("  addi x%d, x%d, 0", X_KEY, T2);
    L("  sub x%d, x%d, x%d", T2, T2, T1);
    L("  andi x%d, x%d, -%u", T2, T2, p->kb);
    L("  add x%d, x%d, x%d", T3, T2, T1);
    L("  bge x%d, x%d, no_gap", X_HW, T3);
    L("  addi x%d, x%d, 0\n  sub x%d, x%d, x%d", X_KEY, X_HW, T2, X_HW, T1);
    L("no_gap:");
    L("  shri x%d, x%d, %u", T2, T2, p->kb_shift);
    add_product(e, X_SLOT, T2, p->slot_bytes, T0);
    li(e, T0, (int64_t)(p->ring + p->slots * p->slot_bytes));
    L("  blt x%d, x%d, in_ring", X_SLOT, T0);
    L("  addi x%d, x%d, -%" PRIu64, X_SLOT, X_SLOT, p->slots * p->slot_bytes);
    L("in_ring:");
}

/* X_RB: where the next block of the segment begins. */
static void release_bound(struct emit *e)
{
    const struct attention_plan *p = e->p;
    li(e, X_RB, far);
    if (!p->retain)
        return;
    L("  beq x%d, x0, bounded", X_XN);
    li(e, X_RB, 0);
    if (p->window) {
        block_of(e, T0, X_XN, T1);
        block_range(e, T0, T1, T2, T3, T4);
        L("  ld x%d, x0, %d", T0, C_KB0);
        L("  sub x%d, x%d, x%d", T3, T3, T0);
        L("  shri x%d, x%d, %u", T3, T3, p->kb_shift);
        add_product(e, T0, T3, p->kb, T1);
        L("  addi x%d, x%d, 0", X_RB, T0);
    }
    L("bounded:");
}

/* The next block becomes the current one, its successor's queries are loaded. */
static void begin_block(struct emit *e)
{
    const struct attention_plan *p = e->p;
    L("block:");
    if (p->team > 1) { /* blocks of the segment that only others use */
        if (p->retain)
            L("  bne x%d, x0, all_passed", X_XN);
        L("  ld x%d, x0, %d", T0, C_END);
        L("  sub x%d, x%d, x%d", X_NK, T0, X_HW);
        L("  shri x%d, x%d, %u", X_NK, X_NK, p->kb_shift);
        L("  beq x%d, x0, all_passed", X_NK);
        L("  addi x%d, x%d, 0", X_HW, T0);
        li(e, X_CF, PASS);
        L("  jmp sum");
        L("all_passed:");
    }
    li(e, T0, p->units);
    li(e, X_CF, 0);
    L("  bge x%d, x%d, sum", X_XU, T0); /* no more: the deferred sum, and the end */
    L("  sd x%d, x0, %d\n  sd x%d, x0, %d", X_XU, C_UNIT, X_XN, C_N);
    L("  addi x%d, x%d, 1", X_XN, X_XN);
    L("  ld x%d, x0, %d", T1, C_ITEMS);
    L("  blt x%d, x%d, has_next", X_XN, T1);
    li(e, X_XN, 0);
    L("  addi x%d, x%d, %u", X_XU, X_XU, p->unit_stride);
    L("  bge x%d, x%d, no_next", X_XU, T0);
    L("has_next:");
    load_queries(e, true);
    L("no_next:");
    L("  ld x%d, x0, %d\n  ld x%d, x0, %d", T5, C_UNIT, T6, C_N);
    block_of(e, T0, T6, T1);
    block_range(e, T0, T1, X_POS, T2, X_HI);
    L("  muli x%d, x%d, %u", X_ROWS, T1, p->group);
    L("  sd x%d, x0, %d", T1, C_TOKENS);
    unit_address(e, T3, T5, T4, T6, X_KV, p->o.address, query_steps(p, &p->o, part_bytes(p)));
    add_product(e, T3, T0, p->tokens * p->o.token_stride, T4);
    L("  sd x%d, x0, %d", T3, C_OUT);
    first_slot(e);
    release_bound(e);
    li(e, X_CF, FIRST);
}

/* ---- a step ------------------------------------------------------------------------------------------- */

/* X_KV: where the step's first key lies; T1: keys of its block before that. */
static void first_key(struct emit *e)
{
    L("  addi x%d, x%d, 0", X_KV, X_SLOT);
    if (!inner_starts(e->p))
        return;
    L("  ld x%d, x0, %d", T1, C_KB0);
    L("  sub x%d, x%d, x%d", T1, X_KEY, T1);
    L("  andi x%d, x%d, %u", T1, T1, e->p->kb - 1);
    add_product(e, X_KV, T1, e->p->line, T2);
}

/* X_NK, X_CF, X_KV. */
static void step_flags(struct emit *e)
{
    const struct attention_plan *p = e->p;
    first_key(e);
    L("  sub x%d, x%d, x%d", X_NK, X_HI, X_KEY);
    li(e, T0, p->kb);
    if (inner_starts(p))
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

/* Up to two semaphores as a clause, -1 for none. */
static const char *clause(char *out, size_t cap, const char *word, int a, int b)
{
    if (a >= 0 && b >= 0)
        snprintf(out, cap, " %s(s%d, s%d)", word, a, b);
    else if (a >= 0 || b >= 0)
        snprintf(out, cap, " %s(s%d)", word, a >= 0 ? a : b);
    else
        out[0] = 0;
    return out;
}

/* One of the variants that the flags choose; see dispatch. */
typedef void variant_fn(struct emit *e, int flags);

/* A tree of branches on the lowest `bits` bits of register x; leaves end at `end`. */
static void dispatch(struct emit *e, int x, int bits, const char *end, variant_fn *leaf)
{
    for (int depth = 0; depth < bits; depth++) {
        for (int known = 0; known < 1 << depth; known++) {
            L("%s_%d_%d:", end, depth, known);
            L("  andi x%d, x%d, %d", T6, x, 1 << depth);
            L("  bne x%d, x0, %s_%d_%d", T6, end, depth + 1, known | 1 << depth);
            L("  jmp %s_%d_%d", end, depth + 1, known);
        }
    }
    for (int flags = 0; flags < 1 << bits; flags++) {
        L("%s_%d_%d:", end, bits, flags);
        leaf(e, flags);
        L("  jmp %s", end);
    }
    L("%s:", end);
}

static void scores_variant(struct emit *e, int flags)
{
    const struct attention_plan *p = e->p;
    char waits[32], posts[32];
    for (uint32_t s = 0; s < p->slabs; s++) {
        bool last = s + 1 == p->slabs;
        if (s) {
            L("  addi x%d, x%d, %" PRIu64, T0, s == 1 ? X_KV : T0, (uint64_t)p->kb * p->line);
            L("  addi x%d, x%d, %" PRIu64, T1, T1, (uint64_t)p->lanes * p->line);
        }
        clause(waits, sizeof waits, "wait", s == 0 && flags & FRESH ? S_K : -1, s == 0 && flags & FIRST ? S_Q : -1);
        clause(posts, sizeof posts, "post", last ? S_SCORES : -1, last && flags & LAST ? S_QUERY_FREE : -1);
        L("  mma a=x%d, as=x%d, b=x%d, bs=x%d, m=x%d, n=x%d, k=x%d, c=x%d, af=%s, bf=%s, acc=%d%s%s", s ? T0 : X_KV,
          T2, T1, T2, X_NK, X_ROWS, T3, T4, p->format, p->format, s != 0, waits, posts);
    }
}

static void scores(struct emit *e)
{
    const struct attention_plan *p = e->p;
    buffer(e, T1, X_PAR, PAR_ITEM, p->queries, p->query_bytes);
    li(e, T2, p->line);
    li(e, T3, p->slab_cols);
    buffer(e, T4, X_PAR, PAR_STEP, 0, (uint64_t)p->s_banks << 8);
    dispatch(e, X_CF, 3, "scored", scores_variant);
}

/* Rows of the block: masked before, unmasked, masked after (softmax's a2, a4, a3). */
static void mask_counts(struct emit *e)
{
    const struct attention_plan *p = e->p;
    if (p->op->causal) {
        L("  sub x%d, x%d, x%d", T6, X_POS, X_KEY); /* last key that the first token sees */
        L("  addi x%d, x%d, 1", T4, T6);
        L("  min x%d, x%d, x%d", T4, T4, X_NK);
    } else {
        L("  addi x%d, x%d, -1", T6, X_NK);
        L("  addi x%d, x%d, 0", T4, X_NK);
    }
    if (p->window) { /* rows that the last token does not see any more */
        L("  sub x%d, x%d, x%d", T2, X_HI, X_KEY);
        L("  addi x%d, x%d, -%" PRIu64, T2, T2, p->window);
        L("  min x%d, x%d, x%d", T2, T2, X_NK);
        L("  max x%d, x%d, x0", T2, T2);
        L("  addi x%d, x%d, 7", T2, T2);
        L("  andi x%d, x%d, -8", T2, T2);
        L("  sub x%d, x%d, x%d", T4, T4, T2);
        L("  muli x%d, x%d, %u", T5, T2, p->line);
        L("  addi x%d, x%d, -1", X_KV, X_NK);
        L("  sub x%d, x%d, x%d", T3, X_NK, T2);
        L("  shri x%d, x%d, 3", T2, T2);
    } else {
        L("  addi x%d, x%d, 0", T3, X_NK);
    }
    L("  max x%d, x%d, x0", T4, T4);
    L("  andi x%d, x%d, -16", T4, T4);
    L("  sub x%d, x%d, x%d", T3, T3, T4);
    L("  addi x%d, x%d, 7", T3, T3);
    L("  shri x%d, x%d, 3", T3, T3);
    L("  shri x%d, x%d, 4", T4, T4);
}

static void weights(struct emit *e)
{
    const struct attention_plan *p = e->p;
    const uint64_t e_lines = (uint64_t)(1 + ATTENTION_SLACK) * p->line;
    L("  andi x%d, x%d, %d", T0, X_CF, FIRST);
    L("  beq x%d, x0, begun", T0);
    if (p->op->has_sinks) {
        buffer(e, T0, X_PAR, PAR_ITEM, p->sink, p->line);
        L("  vcall init, x%d wait(s%d) post(s%d)", T0, S_SINK, S_SINK_FREE);
    } else {
        L("  vcall init");
    }
    L("begun:");
    mask_counts(e);
    buffer(e, T0, X_PAR, PAR_STEP, 0, (uint64_t)p->s_banks * p->bank_lines);
    buffer(e, T1, X_PAR, PAR_STEP, p->p + e_lines, p->p_bytes);
    if (p->window) {
        L("  add x%d, x%d, x%d", T5, T5, T1);
        L("  vcall softmax, x%d, x%d, x%d, x%d, x%d, x%d, x%d, x%d wait(s%d) post(s%d)", T0, T1, T2, T3, T4, T5, T6,
          X_KV, S_SCORES, S_WEIGHTS);
    } else {
        L("  vcall softmax, x%d, x%d, x0, x%d, x%d, x%d, x%d wait(s%d) post(s%d)", T0, T1, T3, T4, T1, T6, S_SCORES,
          S_WEIGHTS);
    }
    L("  andi x%d, x%d, %d", T0, X_CF, LAST);
    L("  beq x%d, x0, unfinished", T0);
    buffer(e, T0, X_PAR, PAR_ITEM, p->inverse, p->line);
    L("  vcall finish, x%d", T0);
    L("unfinished:");
}

static int released(const struct attention_plan *p) { return p->team > 1 ? S_RELEASED : S_SLOT_FREE; }

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

/* In PASS: a key block that only others use arrives and is released, by an mma of nothing into the
 * free score buffer. */
static void pass(struct emit *e)
{
    const struct attention_plan *p = e->p;
    if (p->team == 1)
        return;
    L("  andi x%d, x%d, %d", T0, X_CF, PASS);
    L("  beq x%d, x0, no_pass", T0);
    li(e, T0, (int64_t)p->zero);
    li(e, T1, 1);
    buffer(e, T2, X_PAR, PAR_STEP, 0, (uint64_t)p->s_banks << 8);
    L("  mma a=x%d, as=x0, b=x%d, bs=x0, m=x%d, n=x%d, k=x%d, c=x%d, af=%s, bf=%s wait(s%d, s%d) post(s%d)", T0, T0, T1,
      T1, T1, T2, p->format, p->format, S_K, S_V, S_RELEASED);
    hand_back(e, "pass");
    L("  addi x%d, x%d, -1\n  addi x%d, x%d, 1", X_AH, X_AH, X_CR, X_CR);
    next_slot(e, X_SLOT, T0, "pass");
    L("  addi x%d, x%d, -1", X_NK, X_NK);
    L("  bne x%d, x0, step", X_NK);
    L("  jmp block");
    L("no_pass:");
}

static void sum_variant(struct emit *e, int flags)
{
    const struct attention_plan *p = e->p;
    char waits[32], posts[32], scale[32] = "";
    if (!(flags & FIRST))
        snprintf(scale, sizeof scale, ", acc=1, sc=1, e=x%d", T1);
    for (uint32_t s = 0; s < p->v_slabs; s++) {
        bool last = s + 1 == p->v_slabs;
        if (s) {
            L("  addi x%d, x%d, %" PRIu64, T2, s == 1 ? X_DV : T2, (uint64_t)p->kb * p->line);
            L("  addi x%d, x%d, %u", T5, T5, p->v_banks << 8);
        }
        clause(waits, sizeof waits, "wait", s == 0 ? S_WEIGHTS : -1, s == 0 && flags & FRESH ? S_V : -1);
        clause(posts, sizeof posts, "post", last && flags & LAST ? S_SUM : -1,
               last && flags & RELEASE ? released(p) : -1);
        L("  mma a=x%d, as=x%d, at=1, b=x%d, bs=x%d, bt=1, m=x%d, n=x%d, k=x%d, c=x%d, af=%s, bf=%s, across=%d%s%s%s",
          T0, T3, s ? T2 : X_DV, T3, X_DR, T4, X_DK, T5, p->format, p->format, p->v_banks == 2, scale, waits, posts);
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
    buffer(e, T0, X_DF, PAR_ITEM, p->stage, p->stage_bytes);
    buffer(e, T1, X_DF, PAR_ITEM, (uint64_t)first * p->bank_lines, (uint64_t)step * p->bank_lines);
    buffer(e, T2, X_DF, PAR_ITEM, p->inverse, p->line);
    L("  addi x%d, x%d, 7", T3, X_DR);
    L("  shri x%d, x%d, 3", T3, T3);
    L("  vcall output, x%d, x%d, x%d, x%d wait(s%d, s%d) post(s%d)", T1, T0, T2, T3, S_SUM, S_STAGE_FREE, S_STAGED);
    L("  ld x%d, x0, %d\n  ld x%d, x0, %d", T1, C_LAST_OUT, T6, C_LAST_TOKENS);
    li(e, T2, p->part_cols * p->element);
    li(e, T3, p->group);
    li(e, T4, (int64_t)p->stage_row);
    li(e, T5, (int64_t)p->o.head_stride);
    li(e, X_DV, (int64_t)(p->group * p->stage_row));
    li(e, X_DK, (int64_t)p->o.token_stride);
    L("  copy ch=3, src=x%d, dst=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, ds2=x%d wait(s%d) post(s%d)",
      T0, T1, T2, T3, T4, T5, T6, X_DV, X_DK, S_STAGED, S_STAGE_FREE);
    L("no_output:");
}

static void sum(struct emit *e)
{
    const struct attention_plan *p = e->p;
    const uint64_t e_lines = (uint64_t)(1 + ATTENTION_SLACK) * p->line;
    const uint32_t first = 2 * p->s_banks, step = p->o_buffers == 2 ? p->o_banks : 0;
    L("sum:");
    L("  beq x%d, x0, no_output", X_DF);
    buffer(e, T0, X_DF, PAR_STEP, p->p + e_lines, p->p_bytes);
    L("  addi x%d, x%d, -%" PRIu64, T1, T0, e_lines);
    li(e, T3, p->line);
    li(e, T4, p->v_cols);
    buffer(e, T5, X_DF, PAR_ITEM, (uint64_t)first << 8, (uint64_t)step << 8);
    dispatch(e, X_DF, 4, "summed", sum_variant);
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
        li(e, X_DF, 0);
        L("  jmp step");
        L("to_step:");
    }
}

/* This step's sum becomes the deferred one. */
static void advance(struct emit *e)
{
    const struct attention_plan *p = e->p;
    if (p->window) /* mask_counts has used it */
        first_key(e);
    L("  addi x%d, x%d, %" PRIu64, X_DV, X_KV, (uint64_t)p->slabs * p->kb * p->line);
    L("  addi x%d, x%d, 0\n  addi x%d, x%d, 0\n  addi x%d, x%d, 0", X_DK, X_NK, X_DF, X_CF, X_DR, X_ROWS);
    next_slot(e, X_SLOT, T0, "step");
    L("  add x%d, x%d, x%d", X_KEY, X_KEY, X_NK);
    L("  xori x%d, x%d, %d", X_PAR, X_PAR, PAR_STEP);
    L("  andi x%d, x%d, %d", T0, X_CF, LAST);
    li(e, X_CF, 0);
    L("  beq x%d, x0, step", T0);
    L("  ld x%d, x0, %d\n  sd x%d, x0, %d", T0, C_OUT, T0, C_LAST_OUT);
    L("  ld x%d, x0, %d\n  sd x%d, x0, %d", T0, C_TOKENS, T0, C_LAST_TOKENS);
    L("  xori x%d, x%d, %d", X_PAR, X_PAR, PAR_ITEM);
    L("  jmp block");
}

/* ---- the program ---------------------------------------------------------------------------------------- */

static void post_times(struct emit *e, enum sem s, uint32_t n)
{
    li(e, T0, n);
    L("  loop x%d, posted_%d\n  wait post(s%d)\nposted_%d:", T0, s, s, s);
}

static void begin(struct emit *e)
{
    static const char *const consumer[] = {"ttu", "ttu", "ttu", "ttu", "tvp", "tvp", "tvp", "dma3", "dma0", "dma2",
                                           "tvp", "dma2", "dma1", "dma1"};
    const struct attention_plan *p = e->p;
    for (int s = 0; s <= S_FOLLOWERS; s++)
        L(".sem s%d %s", s, consumer[s]);
    li(e, T0, p->units);
    L("  bge x%d, x%d, end", X_XU, T0);
    for (int i = 0; i < ARGS; i++)
        L("  sd x%d, x0, %d", FIRST_ARG + i, 8 * i);
    post_times(e, S_SLOT_FREE, p->slots);
    li(e, X_HW, 0); /* as the end of the segment before the first: 0 */
    post_times(e, S_QUERY_FREE, 2);
    post_times(e, S_STAGE_FREE, 2);
    if (p->op->has_sinks) { /* all of them; both buffers are free when they are here */
        li(e, T0, (int64_t)p->op->sinks);
        li(e, T1, (int64_t)p->sinks);
        li(e, T2, (int64_t)(p->op->heads * (p->op->sink_format == TSR_F32 ? 4 : 2)));
        L("  copy ch=3, dst=x%d, src=x%d, len=x%d post(s%d, s%d)", T1, T0, T2, S_SINK_FREE, S_SINK_FREE);
    }
    L("  vcall setup");
    li(e, X_CR, p->slots);
    li(e, X_LS, (int64_t)p->ring);
    li(e, X_SLOT, (int64_t)p->ring);
    load_queries(e, false);
}

static void write_text(struct emit *e, const char *sink_format)
{
    begin(e);
    begin_block(e);
    L("step:");
    loads(e);
    pass(e);
    step_flags(e);
    scores(e);
    if (e->p->o_buffers == 2)
        weights(e);
    sum(e);
    if (e->p->o_buffers == 1)
        weights(e);
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
    args[X_LU - 1] = args[X_XU - 1] = w->first_unit;
    a[ARG_EVEN] = w->even;
    a[ARG_DELTA] = w->delta;
    a[ARG_ITEMS] = w->items;
    a[ARG_MASK] = (int64_t)w->mask;
    a[ARG_BEFORE] = (int64_t)((uint64_t)1 << ((tile - (w->member > 0)) & 63));
    a[ARG_MEMBER] = w->member == 0 ? 0 : w->member + 1 < p->team ? 1 : 2;
    if (w->items < p->rounds) {
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
    return tsr_text_program(&e.t, isa, "attention", tiles, (const int64_t(*)[TSR_LAUNCH_REGS])args, out, err);
}
