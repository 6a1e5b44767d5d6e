/* SPDX-License-Identifier: Apache-2.0 */
/* How attention is cut: blocks, work of the tiles, places in TSRAM and accumulators.
 *
 * Unit: one sequence, key head, part of V's columns: units are numbered with the part fastest, then
 *   key head, sequence.
 * Query block (item): `tokens` x `group` rows <= lanes, row = token * group + head. Lanes of the
 *   vector unit are its rows. Block j of a unit: chunk j mod chunks of the key head's query heads,
 *   tokens from j / chunks * tokens on.
 * Key block: kb keys, one step of the online softmax.
 * Team: `team` tiles work on one unit at a time. In round n they take blocks n team .. n team +
 *   team - 1, one each, back and forth so that causal costs balance: a tile's n-th block is
 *   n team + even + (n odd ? delta : 0). The first of them loads keys and values for all.
 * Split: where one block of tokens is all there is, several teams share the keys of a unit; each
 *   leaves its sums, not yet divided, in the memory of the first, which merges them.
 * Record: what differs from unit to unit, where something does (attention_records.c).
 * Segment: what is loaded once: with `retain` the keys of a whole unit, which stay in the ring
 * while the query blocks pass over them; else the keys of one round. */
#ifndef KERNELS_NPU_ATTENTION_PLAN_H
#define KERNELS_NPU_ATTENTION_PLAN_H

#include "kernels/npu/attention.h"

/* Sequences, of their own lengths where q_lens or kv_lens is not null. */
struct attention_lengths {
    uint64_t batch, q_len, kv_len;
    const uint32_t *q_lens, *kv_lens;
    bool causal;
};

/* `what` names the operation in the message. Errors: TSR_BAD_INPUT naming the first sequence whose
 * queries or keys are none, too many, or causal more queries than keys. */
enum tsr_status attention_check_lengths(const char *what, const struct attention_lengths *l,
                                        struct tsr_error *err);

struct attention_work {
    uint32_t first_unit; /* >= units: none */
    uint32_t even;
    int32_t delta;
    uint32_t items;  /* blocks of each unit */
    uint32_t split;  /* which part of the keys */
    uint32_t merger; /* the first tile that merges what this one leaves */
    uint32_t member; /* in the team */
    uint64_t mask;   /* tiles of the team */
};

struct attention_plan {
    const struct tsr_npu_attention *op;
    const struct tsr_chip *chip;
    struct tsr_npu_rows q, k, v, o, k_scales, v_scales, lse; /* strides filled in */
    uint64_t window; /* causal: keys before it are not loaded; 0 where it limits nothing */
    uint64_t seen;   /* the same, causal or not */
    const char *format, *kv_format; /* names */
    const char *out_format;
    uint32_t element, out_element; /* bytes */
    struct tsr_npu_slab cache;     /* a row of K or V; in TSRAM its units lie a line apart */
    bool narrow;                   /* the cache is in a block format: V is expanded */
    bool token_scales;             /* i8: codes without scales, which come by themselves */
    uint32_t lanes, line, line_shift;
    uint32_t bank_lines, row_lines; /* accumulator lines of a bank, of a row of 4D */
    uint32_t rows;                  /* that a block may have */
    uint32_t group, chunks;    /* query heads of a block; blocks of heads in a key head's group */
    uint32_t tokens, blocks;   /* query tokens of a block; blocks of a unit */
    uint32_t parts, part_cols; /* V's columns */
    uint64_t v_dim;
    uint32_t slabs, slab_cols; /* K and Q: parts of head_dim that fit a line */
    uint32_t tail_cols;        /* the last part */
    uint32_t v_slabs, v_cols;  /* V: the same of part_cols */
    uint32_t pack;             /* slabs of V above each other in a bank */
    uint32_t kb, kb_shift;
    uint32_t s_banks, v_banks, o_banks, o_buffers; /* per score buffer; slab of O; O; how many O */
    bool retain;
    uint32_t slots, ahead; /* places of key blocks; loads in advance */
    uint32_t units, unit_stride, team, rounds;
    uint32_t splits;              /* teams that share a unit's keys */
    uint32_t mergers, merge_cols; /* of these, that merge; O's columns of each */
    uint32_t merger_stride;       /* from one merging tile to the next */
    bool records;
    bool edges;     /* what the diagonal hides comes from a table: attention_edge.c */
    bool fused_cap; /* the instruction set has vsoftcap (isa/overlays/softcap.yaml) */
    bool general;   /* every key is looked at for what hides it: attention_mask.c */
    struct attention_work work[TSR_MAX_TILES];
    /* TSRAM. A P block: one line of exponents, 8 lines of slack (see attention_tvp.c), kb lines. */
    uint64_t zero;  /* a line that nobody writes */
    uint64_t sinks; /* of all heads */
    uint64_t mask, mask_bytes, slopes, edge;
    uint64_t lse_at; /* in the stage */
    uint64_t p, p_bytes, masked, inverse, inverse_bytes, sink, queries, query_bytes, stage,
        stage_bytes, stage_row;
    uint64_t ring, slot_bytes;
    uint64_t k_row, k_slab, v_row, v_slab; /* slot: from row to row, from slab to slab */
    uint64_t k_bytes, v_bytes, narrow_at;  /* slot: K, V, and of a block format V as loaded */
    uint64_t scales, scales_bytes;         /* slot: i8's of K, and behind them those of V */
    /* A split's sums: a line of m, one of l, rows of f32. Where they are merged these lines of all
     * splits, then of each the rows' columns. */
    uint64_t partial_row, partial, merge, piece_row, piece_bytes;
};

enum {
    ATTENTION_EDGE = 16, /* lines of that table before the first token and after the last */
    ATTENTION_SLACK = 8, /* lines between the exponents and P: lines 0 and 9 need no wait */
    EXPAND_GAP = 7,      /* lines between V and V as loaded: see attention_cache.c */
    TOKEN_SCALE = 2      /* bytes */
};

enum tsr_status attention_plan(const struct tsr_isa *isa, const struct tsr_chip *chip,
                               const struct tsr_npu_attention *op, struct attention_plan *p,
                               struct tsr_error *err);

/* The fewest equal parts of x that are at most `limit` long. */
uint32_t attention_parts(uint64_t x, uint64_t limit);

/* Keys [lo, hi) that blocks first..last see. */
void attention_keys(const struct attention_plan *p, uint64_t first, uint64_t last, uint64_t *lo,
                    uint64_t *hi);

/* Sizes of teams, how many share a unit, and the work of each tile. */
void attention_deal(struct attention_plan *p);

/* Pieces of what `splits` splits leave, for as many mergers as there can be. */
void attention_pieces(struct attention_plan *p, uint32_t splits);

/* Places in TSRAM. */
void attention_place(struct attention_plan *p);
/* How K and V are cut into columns, and the rows of a block. */
void attention_cut_columns(struct attention_plan *p);

/* The records of all tiles into the program's control memory, from C_RECORDS (attention_emit.h) on;
 * fills in where a tile's end. Errors: TSR_BAD_INPUT they do not fit. */
enum tsr_status attention_records(const struct attention_plan *p, struct tsr_program *out,
                                  struct tsr_error *err);
/* Bytes of a record, and how many tile i has: for the launch registers. */
uint64_t attention_record_bytes(const struct attention_plan *p);
uint64_t attention_record_count(const struct attention_plan *p, uint32_t tile);

/* Columns of V that a line holds and an mma takes. */
uint32_t attention_v_limit(const struct attention_plan *p);

/* How many. */
uint64_t attention_keys_seen(const struct attention_plan *p, uint64_t first, uint64_t last);

/* Bytes of a part of V's columns in a row of the cache; 0 where the values are loaded as keys. */
uint64_t attention_v_bytes(const struct attention_plan *p);

/* The accumulator line of row 0 of O, column c of slab s, from O's first on. */
uint32_t attention_sum_line(const struct attention_plan *p, uint32_t s, uint32_t c);

struct tsr_text;
/* The vector routines partial and merge. */
void attention_merge_routines(const struct attention_plan *p, struct tsr_text *t);
/* log2 of what p and l are multiplied by; v25 = that - m (v16), with v20. */
int attention_shift(const struct attention_plan *p);
void attention_minus_m(const struct attention_plan *p, struct tsr_text *t);
/* v[r] -> u in place for n registers; with a soft cap the constants in v[k].. are needed. */
void attention_score(const struct attention_plan *p, struct tsr_text *t, int r, int n, int k);
void attention_softcap_constants(const struct attention_plan *p, struct tsr_text *t, int k);
/* Part of softmax: the second pass over whole turns of 16 rows with a soft cap. */
void attention_capped_weights(const struct attention_plan *p, struct tsr_text *t);
/* The vector routine softmax_whole, and whether there is one. */
void attention_plain(const struct attention_plan *p, struct tsr_text *t);
bool attention_has_plain(const struct attention_plan *p);
/* Parts of softmax for the rows at the diagonal. */
void attention_edge_table(const struct attention_plan *p, struct tsr_text *t);
void attention_edge_maximum(const struct attention_plan *p, struct tsr_text *t);
void attention_edge_weights(const struct attention_plan *p, struct tsr_text *t);
/* Parts of softmax where any key may be hidden. */
void attention_general_begin(const struct attention_plan *p, struct tsr_text *t);
void attention_general_rows(const struct attention_plan *p, struct tsr_text *t);
/* The vector routine expand: V of a slot. */
void attention_expand(const struct attention_plan *p, struct tsr_text *t);
/* The vector routines setup, init, softmax, finish, output. */
void attention_routines(const struct attention_plan *p, struct tsr_text *t,
                        const char *sink_format);

#endif
