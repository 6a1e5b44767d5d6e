/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that write the programs of gradients share. */
#ifndef KERNELS_NPU_ATTENTION_BACKWARD_EMIT_H
#define KERNELS_NPU_ATTENTION_BACKWARD_EMIT_H

#include "kernels/npu/attention_backward.h"
#include "kernels/npu/attention_plan.h"
#include "kernels/npu/text.h"

enum sem {
    S_OUTER,      /* X1, X2 are here: TTU, for delta TVP */
    S_INNER,      /* Y1, Y2 are here: TTU */
    S_SCORES,     /* S and T are complete: TVP */
    S_WEIGHTS,    /* W is in TSRAM: TTU */
    S_SLOT,       /* one is free; where they stay, all of them: channel 1 */
    S_OUTER_FREE, /* channel 0 */
    S_DONE,       /* the result is complete: ACC */
    S_DRAINED,    /* and in TSRAM: channel 3 */
    S_ACC_FREE,   /* TTU */
    S_STAGE_FREE, /* ACC, for delta TVP */
    S_STATS,      /* lse and delta of the outer queries, at first the slopes, are here: TVP */
    S_LOADED,     /* passes: the accumulators hold the sum so far: TTU */
    SEMS
};

enum reg {
    X_UNIT = 1,
    X_N,  /* the tile's items of the unit so far */
    X_O0, /* outer rows: first token, head, sequence, number */
    X_HEAD,
    X_B,
    X_ON,
    X_I0, /* inner rows: first token, end of all, number; head, end of all */
    X_IEND,
    X_IN,
    X_IH,
    X_IHEND,
    X_FIRST, /* in the item's first step 1, or 2 where sums go on from an earlier pass */
    X_SLOT,
    T0,
    T1,
    T2,
    T3,
    T4,
    T5,
    T6,
    T7,
    X_LO,     /* first inner token of a head */
    X_KVH,    /* the unit's key head */
    X_HW,     /* where rows stay: those from here on are not loaded yet; falling: before here */
    X_XP,     /* 0, 1: which X */
    X_SP,     /* 0, 1: which S, T, W */
    X_DSLOT,  /* the deferred sum: its slot, 0: none */
    X_DIN,    /* rows */
    X_DFIRST, /* whether the item's first */
    X_NEW,    /* 1 until the unit's first load */
    X_MEMBER  /* in the team */
};

/* Words of a sequence's record. */
enum gradient_field {
    GRADIENT_QUERIES,
    GRADIENT_KEYS,
    GRADIENT_BEFORE, /* keys less queries */
    GRADIENT_PREFIX
};

struct gradient_operand {
    struct tsr_npu_rows rows;
    uint32_t slabs, cols, banks; /* of a row: parts, elements of one, banks that these take */
};

struct gradient {
    const struct tsr_npu_attention_backward *op;
    const struct tsr_chip *chip;
    enum tsr_npu_gradient part;
    struct tsr_text t;
    bool by_query; /* outer rows are queries */
    struct gradient_operand x[2], y[2], result;
    const char *format;
    uint32_t element, side, lanes, line, turn; /* rows of a turn of `weights` */
    bool always, edges;                        /* whether all steps go by `weights`; some do */
    bool retain;                               /* a unit's inner rows stay */
    bool falling;                              /* items from the last on */
    bool passes;                               /* some of them at a time */
    bool records, prefix;                      /* sequences differ; prefixes are seen */
    uint32_t group;
    uint64_t blocks, inner_blocks; /* of outer rows; of inner rows, of one head */
    uint64_t units, items;         /* items of a unit */
    uint32_t team, stride;         /* tiles of a unit; from a tile's unit to its next one */
    /* TSRAM; X, stats and W in two copies */
    uint64_t x_at[2], x_bytes, stats, w, w_bytes, slots, slot_bytes, n_slots, stage, stage_row;
    uint64_t slopes;
    uint64_t chunk, stage_bytes; /* passes: inner rows of one; bytes of an item's sums */
};

enum {
    GRADIENT_SLACK = 8 /* lines before each W: attention_backward_whole.c */
};

void gradient_program(struct gradient *g);

/* attention_backward_where.c */
void gradient_li(struct gradient *g, int d, int64_t x);
/* x[d] = a field of the item's sequence; where no sequence differs `all`. */
void gradient_sequence(struct gradient *g, int d, enum gradient_field f, int64_t all);
/* The number of queries, or of keys. */
void gradient_length(struct gradient *g, int d, bool queries);
/* x[d] = x[x] + sign * (keys less queries) + more; t is free. */
void gradient_add_before(struct gradient *g, int d, int x, int t, int sign, int64_t more);
/* The tile's next item of the unit: T5; to `unit_end` if there is none. */
void gradient_next_item(struct gradient *g);
/* Tokens and heads of the inner rows that some outer row of the item meets. */
void gradient_inner_range(struct gradient *g);
/* To `partly` if some row of the step is hidden from some lane; T0, T7. */
void gradient_look(struct gradient *g);
/* Passes: what is kept in control memory, and the code around the items. */
void gradient_first_pass(struct gradient *g);
void gradient_next_pass(struct gradient *g);
/* The part of the item's range that the pass has, X_FIRST; to `item` if there is none. */
void gradient_pass_range(struct gradient *g);
/* Stage of the item, from `base` on, to x[d]; t is free. */
void gradient_stage(struct gradient *g, int d, int t, uint64_t base);
/* The word that says whether this is the item's last pass, to x[d]. */
void gradient_is_last(struct gradient *g, int d);
/* The first row of the pass, to x[d]. */
void gradient_pass_row(struct gradient *g, int d);
/* Lengths and records; into the program's control memory (frees it on failure). */
enum tsr_status gradient_check_sequences(const struct gradient *g, struct tsr_error *err);
enum tsr_status gradient_records(const struct gradient *g, struct tsr_program *out,
                                 struct tsr_error *err);

/* The vector routines setup, lanes, weights, whole, delta. */
void gradient_routines(struct gradient *g);
void gradient_whole(struct gradient *g);
/* Offsets in a slot: Y1, Y2; lse and delta of its rows; its rows of the mask. */
uint64_t gradient_y_offset(const struct gradient *g, int i);
uint64_t gradient_stats_offset(const struct gradient *g);
uint64_t gradient_mask_offset(const struct gradient *g);

#endif
