/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that write the attention program share: registers, semaphores, control memory, and
 * the lines for "where is it". The program itself is described in attention.c. */
#ifndef KERNELS_NPU_ATTENTION_EMIT_H
#define KERNELS_NPU_ATTENTION_EMIT_H

#include "kernels/npu/attention_plan.h"
#include "kernels/npu/text.h"

/* Each with its consumer. */
enum sem {
    S_K,           /* a key block's K is here: TTU */
    S_V,           /* its V: TTU */
    S_Q,           /* queries are here: TTU */
    S_WEIGHTS,     /* P and e are in TSRAM: TTU */
    S_SCORES,      /* S^T is complete: TVP */
    S_SUM,         /* O is complete: TVP */
    S_STAGE_FREE,  /* the output of two query blocks ago has left: TVP */
    S_STAGED,      /* the output is in TSRAM: channel 3 */
    S_SLOT_FREE,   /* in all tiles of the team: channel 0 */
    S_QUERY_FREE,  /* channel 2 */
    S_SINK,        /* the block's sinks are here: TVP */
    S_SINK_FREE,   /* channel 3 */
    S_RELEASED,    /* in a team: a slot of this tile is free: channel 1 */
    S_FOLLOWERS,   /* and that of all later members of the team: channel 1 */
    S_NARROW,      /* of a cache in blocks: a key block's V is here, to be expanded: TVP */
    S_PARTIAL,     /* a split's sums are here: TVP of the tile that merges */
    S_SENT,        /* this tile's are ready to leave: channel 3 */
    S_MASK,        /* a step's mask is here: TVP */
    S_MASK_FREE,   /* channel 1 */
    S_SLOPES,      /* the block's slopes are here: TVP */
    S_SLOPES_FREE, /* channel 3 */
    S_CODES,       /* i8: a key block's K and its scales are here: channel 1 */
    SEMAPHORES
};

/* Units by their number; with records by the address of theirs. */
enum reg {
    X_LU = 1, /* loads: unit of the next segment */
    X_LN,     /* keys left to load in this one */
    X_LK,     /* next block of K, of V, in HBM */
    X_LV,
    X_LS,   /* next slot */
    X_NK,   /* this step: keys; while others' blocks pass: how many */
    X_CF,   /* this step: flags */
    X_AH,   /* blocks loaded and not yet used, as the TCP's order has it */
    X_CR,   /* free slots, likewise */
    X_XU,   /* the query block after this one: unit */
    X_XN,   /* and its number among the tile's blocks of the unit */
    X_KV,   /* this step: where its keys are; else a temporary */
    X_HI,   /* this query block: end of its keys */
    X_POS,  /* position of its first token */
    X_ROWS, /* its rows */
    X_KEY,  /* this step: first key */
    X_SLOT, /* this key block's slot */
    X_HW,   /* keys from here on are fresh */
    X_RB,   /* key blocks that start before here are not needed after this query block */
    X_DV,   /* the deferred sum: V */
    X_DK,   /* keys */
    X_DF,   /* flags; 0: none is deferred */
    X_DR,   /* rows */
    X_PAR,  /* PAR_ITEM, PAR_STEP: which of two buffers */
    T0,     /* temporaries */
    T1,
    T2,
    T3,
    T4,
    T5,
    T6,
};
/* Flags of a step. VALID: there is one. PASS: no step; X_NK key blocks go by unused. */
enum {
    FIRST = 1,     /* of its query block */
    FRESH = 2,     /* its key block has just been loaded */
    LAST = 4,      /* of its query block */
    RELEASE = 8,   /* nobody uses its key block again */
    PAR_ITEM = 16, /* parity of the query block: Q, sinks, O, 1 / l, output */
    PAR_STEP = 32, /* parity of the step: scores, P, e */
    VALID = 64,
    PASS = 128,
};
/* Launch arguments: X_LU and X_XU the first unit, these from x13 on, kept in control memory from 0.
 */
enum {
    ARG_EVEN,
    ARG_DELTA,
    ARG_ITEMS,
    ARG_MASK,
    ARG_BEFORE,
    ARG_MEMBER,
    ARG_EXTRA,
    ARG_END,
    ARG_SPLIT,
    ARG_MERGERS,
    ARG_MERGER,
    ARGS,
    FIRST_ARG = 13
};
/* Control memory. BEFORE: mask of the member before, the first one's itself; MEMBER: 0 the first,
 * 1, 2 the last; EXTRA: keys, rounded up to blocks, of a last round in which the tile has no block;
 * END: of the tile's units; of a split's tile SPLIT: its number, MERGERS: the mask of the tiles
 * that merge, MERGER: of the first of them. */
enum {
    C_EVEN = 8 * ARG_EVEN,
    C_DELTA = 8 * ARG_DELTA,
    C_ITEMS = 8 * ARG_ITEMS,
    C_MASK = 8 * ARG_MASK,
    C_BEFORE = 8 * ARG_BEFORE,
    C_MEMBER = 8 * ARG_MEMBER,
    C_EXTRA = 8 * ARG_EXTRA,
    C_LAST = 8 * ARG_END,
    C_SPLIT = 8 * ARG_SPLIT,
    C_MERGERS = 8 * ARG_MERGERS,
    C_MERGER = 8 * ARG_MERGER,
    C_KB0 = 8 * ARGS,
    C_SEGMENT = C_KB0 + 8,
    C_END = C_KB0 + 16,
    C_OUT = C_KB0 + 24,
    C_TOKENS = C_KB0 + 32,
    C_LAST_OUT = C_KB0 + 40,
    C_LAST_TOKENS = C_KB0 + 48,
    C_LOAD_N = C_KB0 + 56,
    C_UNIT = C_KB0 + 64,
    C_N = C_KB0 + 72,
    C_PAGE = C_KB0 + 80, /* loads: entry of the next key's page, and the key's place in it */
    C_OFFSET = C_KB0 + 88,
    C_WALK = C_KB0 + 96, /* the same while a block is loaded; its keys left */
    C_WALK_OFFSET = C_KB0 + 104,
    C_LEFT = C_KB0 + 112,
    C_MASK_AT = C_KB0 + 120,  /* where the block's rows of the mask begin */
    C_K_SCALES = C_KB0 + 128, /* i8: scales of the next block in HBM */
    C_V_SCALES = C_KB0 + 136,
    C_LSE = C_KB0 + 144, /* where the block's go, as C_OUT */
    C_LAST_LSE = C_KB0 + 152,
    C_RECORDS = C_KB0 + 160
};
/* A record, words of 32 bits: the unit; the keys that its blocks see together, less what other
 * splits take; the position of the first query; queries; blocks of this tile; the place of the
 * first key in its page, the pages from that on. */
enum {
    R_UNIT = 0,
    R_LO = 4,
    R_HI = 8,
    R_BASE = 12,
    R_QUERIES = 16,
    R_ITEMS = 20,
    R_OFFSET = 24,
    R_PREFIX = 28,
    R_PAGES = 32
};

struct emit {
    struct tsr_text t;
    const struct attention_plan *p;
};
#define L(...) tsr_text_line(&e->t, __VA_ARGS__)

/* Of an address: what the next part, key head, sequence adds. */
struct steps {
    uint64_t part, head, batch;
};

/* ---- attention_where.c: d the result, other registers as named, t and the like temporaries; all
 * that are given differ. */

void attn_li(struct emit *e, int d, int64_t x);
/* d += x * by. */
void attn_add_product(struct emit *e, int d, int x, uint64_t by, int t);
/* d = number of a tile's n-th block. */
void attn_block_of(struct emit *e, int d, int n, int t);
/* q = x / by, for x by < 2^40; r (0: not wanted) the rest. */
void attn_divide(struct emit *e, int q, int r, int x, uint64_t by);
/* d = j's number among blocks of tokens, c (not 0) = its chunk. */
void attn_chunk_of(struct emit *e, int d, int c, int j);
/* d = the end of the tile's units; the blocks that it has of unit u. */
void attn_units_end(struct emit *e, int d);
void attn_items(struct emit *e, int d, int u);
/* Of block j of unit u: its tokens, the position of the first, its keys [lo, hi). */
void attn_block_range(struct emit *e, int u, int j, int tokens, int pos, int lo, int hi, int t);
/* Keys [lo, hi) of segment n of unit u (of round n, where keys do not stay). Uses X_KV. */
void attn_segment_range(struct emit *e, int u, int n, int j, int tokens, int pos, int lo, int hi,
                        int t);
/* d = base + where unit u lies. */
void attn_unit_address(struct emit *e, int d, int u, int q, int r, int t, uint64_t base,
                       struct steps s);
struct steps attn_key_steps(const struct tsr_npu_rows *r, uint64_t part);
struct steps attn_query_steps(const struct attention_plan *p, const struct tsr_npu_rows *r,
                              uint64_t part);
/* Of a part of O's columns. */
uint64_t attn_part_bytes(const struct attention_plan *p);
/* d = base + step if the flag `bit` (PAR_ITEM, PAR_STEP) is set. */
void attn_buffer(struct emit *e, int d, int flags, int bit, uint64_t base, uint64_t step);
/* x = next slot of the ring. */
void attn_next_slot(struct emit *e, int x, int t, const char *where);
/* Whether a query block may start within a key block: under a window, where blocks share keys. */
bool attn_inner_starts(const struct attention_plan *p);

/* ---- attention_load.c */

/* At the label `load`: queues loads while fewer than `ahead` wait and slots are free. */
void attn_loads(struct emit *e);
/* Loads Q (and sinks) of the block X_XU, X_XN into the buffer of the item after the current one
 * (`next`), or the current one's. Uses T0..T6, X_KV, X_HI, X_POS, X_ROWS, X_KEY, X_RB. */
void attn_load_queries(struct emit *e, bool next);

/* ---- attention_weights.c */

/* Queues a step's softmax: P and e from S; at a block's start and end what that takes. */
void attn_weights(struct emit *e);

/* ---- attention_mask.c */

/* Keeps where the mask of the block in T0 (its unit in T5) begins. Uses T1..T4. */
void attn_mask_base(struct emit *e);
/* Loads this step's rows of it. */
void attn_load_mask(struct emit *e);
/* The softmax of a step where every key is looked at. */
void attn_general_softmax(struct emit *e);

/* ---- attention_merge.c */

/* The finished sums of a split: to the tile that merges, there also merged and out. */
void attn_merge(struct emit *e);
/* Out: the block's rows from the stage (T0) to HBM. */
void attn_write_out(struct emit *e);

/* ---- attention_block.c */

/* At the label `block`: the next block becomes the current one, its successor's queries are loaded.
 * Goes on to what follows, or to `sum` where a deferred sum has to come first. */
void attn_begin_block(struct emit *e);

/* ---- also in attention_where.c */

/* Up to two semaphores as a clause, -1 for none. */
const char *attn_clause(char *out, size_t cap, const char *word, int a, int b);
/* One of the variants that the flags choose. */
typedef void attn_variant_fn(struct emit *e, int flags);
/* A tree of branches on the lowest `bits` bits of register x; leaves end at the label `end`. */
void attn_dispatch(struct emit *e, int x, int bits, const char *end, attn_variant_fn *leaf);

#endif
