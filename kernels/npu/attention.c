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
    S_SLOT_FREE,       /* channel 0 */
    S_QUERY_FREE,      /* channel 2 */
    S_SINK,            /* arrived: TVP */
    S_SINK_FREE,       /* channel 2 */
};

enum reg {
    /* loads: unit of the next segment; keys left to load, next K and V block, next slot */
    X_LU = 1, X_LN, X_LK, X_LV, X_LS,
    X_NK, X_CF,     /* this step: keys, flags */
    X_AH, X_CR,     /* blocks loaded and not yet used; free slots, as the TCP's order has it */
    X_XU, X_XN,     /* the query block after this one: unit, n */
    X_SP,           /* temporary */
    X_HI, X_POS, X_ROWS, /* this query block: end of its keys, position of its first token, rows */
    X_KEY, X_SLOT,  /* this key block: first key, place */
    X_HW, X_RB,     /* keys from here on are fresh; blocks that start before here are released */
    X_DV, X_DK, X_DF, X_DR, /* the deferred sum: V, keys, flags, rows */
    X_PAR,          /* PAR_ITEM, PAR_STEP: which of two buffers */
    T0, T1, T2, T3, T4, T5, T6,
};
/* Flags of a step. VALID: there is one. */
enum { FIRST = 1, FRESH = 2, LAST = 4, RELEASE = 8, PAR_ITEM = 16, PAR_STEP = 32, VALID = 64 };
/* Launch arguments: X_LU and X_XU the first unit, these three. */
enum { ARG_EVEN = X_HI, ARG_DELTA = X_POS, ARG_ITEMS = X_ROWS };
/* Control memory. */
enum { C_EVEN = 0, C_DELTA = 8, C_ITEMS = 16, C_KB0 = 24, C_SEGMENT = 32, C_OUT = 40, C_TOKENS = 48,
       C_LAST_OUT = 56, C_LAST_TOKENS = 64, C_LOAD_N = 72, C_UNIT = 80, C_N = 88 };

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
    L("  muli x%d, x%d, %u", d, n, e->p->item_step);
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

/* Opens the next segment: X_LN, X_LK, X_LV, X_LU. */
static void open_segment(struct emit *e)
{
    const struct attention_plan *p = e->p;
    li(e, T0, p->units);
    L("  bge x%d, x%d, loaded", X_LU, T0);
    if (p->retain)
        li(e, T5, 0);
    else
        L("  ld x%d, x0, %d", T5, C_LOAD_N);
    block_of(e, T0, T5, T1);
    block_range(e, T0, T1, T2, T3, T4);
    L("  addi x%d, x%d, 0", X_SP, T3);
    unit_address(e, X_LK, X_LU, T0, T1, T2, p->k.address, key_steps(&p->k, 0));
    add_product(e, X_LK, X_SP, p->k.token_stride, T0);
    unit_address(e, X_LV, X_LU, T0, T1, T2, p->v.address, key_steps(&p->v, part_bytes(p)));
    add_product(e, X_LV, X_SP, p->v.token_stride, T0);
    L("  ld x%d, x0, %d", T6, C_ITEMS);
    if (p->retain) { /* up to the last block's end */
        L("  addi x%d, x%d, -1", T5, T6);
        block_of(e, T0, T5, T1);
        block_range(e, T0, T1, T2, T3, T4);
        L("  addi x%d, x%d, %u", X_LU, X_LU, p->unit_stride);
    } else {
        L("  addi x%d, x%d, 1", T5, T5);
        L("  blt x%d, x%d, same_unit", T5, T6);
        li(e, T5, 0);
        L("  addi x%d, x%d, %u", X_LU, X_LU, p->unit_stride);
        L("same_unit:");
        L("  sd x%d, x0, %d", T5, C_LOAD_N);
    }
    L("  sub x%d, x%d, x%d", X_LN, T4, X_SP);
}

/* X_LS <- rows (T5) from `src`, by slabs of `cols` columns, a line per row and slab. */
static void load_rows(struct emit *e, int src, uint64_t stride, uint32_t slabs, uint32_t cols, const char *sems)
{
    const struct attention_plan *p = e->p;
    li(e, T0, (int64_t)cols * p->element);
    li(e, T1, (int64_t)stride);
    li(e, T2, p->line);
    if (slabs == 1) {
        L("  copy ch=0, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d %s", X_LS, src, T0, T5, T1, T2, sems);
        return;
    }
    li(e, T3, slabs);
    li(e, T4, (int64_t)p->kb * p->line);
    L("  copy ch=0, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, ds2=x%d %s", X_LS, src, T0,
      T3, T0, T4, T5, T1, T2, sems);
}

/* Queues loads while fewer than `ahead` wait and slots are free. */
static void loads(struct emit *e)
{
    const struct attention_plan *p = e->p;
    char sems[64];
    uint64_t k_bytes = (uint64_t)p->slabs * p->kb * p->line;
    L("load:");
    li(e, T0, p->ahead);
    L("  bge x%d, x%d, loaded", X_AH, T0);
    L("  beq x%d, x0, loaded", X_CR);
    L("  blt x0, x%d, load_block", X_LN);
    open_segment(e);
    L("load_block:");
    L("  mini x%d, x%d, %u", T5, X_LN, p->kb);
    snprintf(sems, sizeof sems, "wait(s%d) post(s%d)", S_SLOT_FREE, S_K);
    load_rows(e, X_LK, p->k.token_stride, p->slabs, p->slab_cols, sems);
    snprintf(sems, sizeof sems, "post(s%d)", S_V);
    L("  addi x%d, x%d, %" PRIu64, X_LS, X_LS, k_bytes);
    load_rows(e, X_LV, p->v.token_stride, p->v_slabs, p->v_cols, sems);
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
 * (`next`), or the current one's. Uses T0..T6, X_SP, X_HI, X_POS, X_ROWS, X_KEY, X_RB. */
static void load_queries(struct emit *e, bool next)
{
    const struct attention_plan *p = e->p;
    const struct tsr_npu_attention *op = p->op;
    const int dst = T0, src = T1, tokens = T2, len = T3, line = T4, stride = T5, slabs = T6, slab_step = X_SP,
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
    L("  copy ch=2, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, ds2=x%d, n3=x%d, ss3=x%d, "
      "ds3=x%d wait(s%d) post(s%d)", dst, src, len, slabs, len, slab_step, heads, head_stride, line, tokens, stride,
      token_step, S_QUERY_FREE, S_Q);
    if (!op->has_sinks)
        return;
    uint64_t size = op->sink_format == TSR_F32 ? 4 : 2, run = p->group * size;
    unit_address(e, src, X_XU, T4, T5, T6, op->sinks, (struct steps){0, run, run * p->chunks, 0});
    buffer(e, dst, X_ROWS, PAR_ITEM, p->sink, p->line);
    li(e, len, (int64_t)run);
    L("  copy ch=2, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x0, ds1=x%d wait(s%d) post(s%d)", dst, src, len, tokens, len,
      S_SINK_FREE, S_SINK);
}

/* ---- a query block ------------------------------------------------------------------------------------ */

/* Where the block starts in the ring. T2: its first key. */
static void first_slot(struct emit *e)
{
    const struct attention_plan *p = e->p;
    if (!p->retain) {
        L("  addi x%d, x%d, 0\n  addi x%d, x%d, 0", X_KEY, T2, X_HW, T2);
        return;
    }
    L("  ld x%d, x0, %d", T0, C_N);
    L("  bne x%d, x0, same_segment", T0);
    L("  sd x%d, x0, %d\n  sd x%d, x0, %d", T2, C_KB0, X_SLOT, C_SEGMENT);
    L("  addi x%d, x%d, 0", X_HW, T2);
    L("same_segment:");
    L("  ld x%d, x0, %d\n  ld x%d, x0, %d", X_KEY, C_KB0, X_SLOT, C_SEGMENT);
    L("  sub x%d, x%d, x%d", T2, T2, X_KEY);
    L("  shri x%d, x%d, %u", T2, T2, p->kb_shift);
    add_product(e, X_KEY, T2, p->kb, T0);
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
    unit_address(e, T3, T5, T4, T6, X_SP, p->o.address, query_steps(p, &p->o, part_bytes(p)));
    add_product(e, T3, T0, p->tokens * p->o.token_stride, T4);
    L("  sd x%d, x0, %d", T3, C_OUT);
    first_slot(e);
    release_bound(e);
    li(e, X_CF, FIRST);
}

/* ---- a step ------------------------------------------------------------------------------------------- */

static void step_flags(struct emit *e)
{
    const struct attention_plan *p = e->p;
    L("  sub x%d, x%d, x%d", X_NK, X_HI, X_KEY);
    L("  mini x%d, x%d, %u", X_NK, X_NK, p->kb);
    L("  add x%d, x%d, x%d", X_CF, X_CF, X_PAR);
    L("  addi x%d, x%d, %d", X_CF, X_CF, VALID);
    L("  addi x%d, x%d, %u", T0, X_KEY, p->kb);
    L("  blt x%d, x%d, not_fresh", X_KEY, X_HW);
    L("  addi x%d, x%d, %d", X_CF, X_CF, FRESH);
    L("  addi x%d, x%d, 0", X_HW, T0);
    L("  addi x%d, x%d, -1", X_AH, X_AH);
    L("not_fresh:");
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
            L("  addi x%d, x%d, %" PRIu64, T0, s == 1 ? X_SLOT : T0, (uint64_t)p->kb * p->line);
            L("  addi x%d, x%d, %" PRIu64, T1, T1, (uint64_t)p->lanes * p->line);
        }
        clause(waits, sizeof waits, "wait", s == 0 && flags & FRESH ? S_K : -1, s == 0 && flags & FIRST ? S_Q : -1);
        clause(posts, sizeof posts, "post", last ? S_SCORES : -1, last && flags & LAST ? S_QUERY_FREE : -1);
        L("  mma a=x%d, as=x%d, b=x%d, bs=x%d, m=x%d, n=x%d, k=x%d, c=x%d, af=%s, bf=%s, acc=%d%s%s", s ? T0 : X_SLOT,
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
        L("  muli x%d, x%d, %u", X_SP, T2, p->row_lines);
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
        L("  add x%d, x%d, x%d\n  add x%d, x%d, x%d", T5, T5, T1, X_SP, X_SP, T0);
        L("  vcall softmax, x%d, x%d, x%d, x%d, x%d, x%d, x%d, x%d wait(s%d) post(s%d)", T0, T1, T2, T3, T4, T5, T6,
          X_SP, S_SCORES, S_WEIGHTS);
    } else {
        L("  vcall softmax, x0, x%d, x0, x%d, x%d, x%d, x%d, x%d wait(s%d) post(s%d)", T1, T3, T4, T1, T6, T0,
          S_SCORES, S_WEIGHTS);
    }
    L("  andi x%d, x%d, %d", T0, X_CF, LAST);
    L("  beq x%d, x0, unfinished", T0);
    buffer(e, T0, X_PAR, PAR_ITEM, p->inverse, p->line);
    L("  vcall finish, x%d", T0);
    L("unfinished:");
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
               last && flags & RELEASE ? S_SLOT_FREE : -1);
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
    output(e);
    L("  beq x%d, x0, end", X_CF);
}

/* This step's sum becomes the deferred one. */
static void advance(struct emit *e)
{
    const struct attention_plan *p = e->p;
    L("  addi x%d, x%d, %" PRIu64, X_DV, X_SLOT, (uint64_t)p->slabs * p->kb * p->line);
    L("  addi x%d, x%d, 0\n  addi x%d, x%d, 0\n  addi x%d, x%d, 0", X_DK, X_NK, X_DF, X_CF, X_DR, X_ROWS);
    next_slot(e, X_SLOT, T0, "step");
    L("  addi x%d, x%d, %u", X_KEY, X_KEY, p->kb);
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
                                           "tvp", "dma2"};
    const struct attention_plan *p = e->p;
    for (int s = 0; s <= (p->op->has_sinks ? S_SINK_FREE : S_QUERY_FREE); s++)
        L(".sem s%d %s", s, consumer[s]);
    li(e, T0, p->units);
    L("  bge x%d, x%d, end", X_XU, T0);
    L("  sd x%d, x0, %d\n  sd x%d, x0, %d\n  sd x%d, x0, %d", ARG_EVEN, C_EVEN, ARG_DELTA, C_DELTA, ARG_ITEMS, C_ITEMS);
    post_times(e, S_SLOT_FREE, p->slots);
    post_times(e, S_QUERY_FREE, 2);
    post_times(e, S_STAGE_FREE, 2);
    if (p->op->has_sinks)
        post_times(e, S_SINK_FREE, 2);
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
    for (uint32_t i = 0; i < tiles; i++) {
        const struct attention_work *w = &p.work[i];
        args[i][X_LU - 1] = args[i][X_XU - 1] = w->first_unit;
        args[i][ARG_EVEN - 1] = w->even;
        args[i][ARG_DELTA - 1] = w->delta;
        args[i][ARG_ITEMS - 1] = w->items;
    }
    write_text(&e, isa->formats[op->sink_format].name);
    return tsr_text_program(&e.t, isa, "attention", tiles, (const int64_t(*)[TSR_LAUNCH_REGS])args, out, err);
}
