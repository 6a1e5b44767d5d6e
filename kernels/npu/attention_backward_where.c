/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients: which rows meet. Where sequences differ, in lengths or prefixes, each has a record in
 * control memory; else all that it says stands in the program. */
#include <inttypes.h>
#include <stdlib.h>

#include "kernels/npu/attention_backward_emit.h"
#include "kernels/npu/attention_plan.h"

#define L(...) tsr_text_line(&g->t, __VA_ARGS__)

enum {
    RECORD_SHIFT = 5 /* four words of 64 bits */
};

void gradient_li(struct gradient *g, int d, int64_t x)
{
    L("  li x%d, %" PRId64, d, x);
}

/* ---- records -------------------------------------------------------------------------------- */

static uint64_t length(const uint32_t *own, uint64_t b, uint64_t most)
{
    return own ? own[b] : most;
}

enum tsr_status gradient_check_sequences(const struct gradient *g, struct tsr_error *err)
{
    const struct tsr_npu_attention_backward *op = g->op;
    const struct attention_lengths lengths = {op->batch,  op->q_len,   op->kv_len,
                                              op->q_lens, op->kv_lens, op->causal};
    enum tsr_status st = attention_check_lengths("attention backward", &lengths, err);
    if (st != TSR_OK)
        return st;
    if (g->records && op->batch << RECORD_SHIFT > g->chip->tile.control_bytes)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "attention backward: %" PRIu64
                             " sequences with lengths or prefixes of "
                             "their own, at most %u on %s",
                             op->batch, g->chip->tile.control_bytes >> RECORD_SHIFT, g->chip->name);
    return TSR_OK;
}

static void put(uint8_t *at, int64_t x)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)((uint64_t)x >> 8 * i);
}

enum tsr_status gradient_records(const struct gradient *g, struct tsr_program *out,
                                 struct tsr_error *err)
{
    const struct tsr_npu_attention_backward *op = g->op;
    out->control = calloc(out->tiles, sizeof *out->control);
    out->control_bytes = calloc(out->tiles, sizeof *out->control_bytes);
    for (uint32_t i = 0; i < out->tiles; i++) {
        const uint64_t bytes = op->batch << RECORD_SHIFT;
        if (out->control && out->control_bytes)
            out->control[i] = calloc(1, bytes);
        if (!out->control || !out->control_bytes || !out->control[i]) {
            tsr_program_free(out);
            return tsr_error_set(err, TSR_INTERNAL, "attention backward: out of memory");
        }
        out->control_bytes[i] = (uint32_t)bytes;
        for (uint64_t b = 0; b < op->batch; b++) {
            uint8_t *at = out->control[i] + (b << RECORD_SHIFT);
            const uint64_t q = length(op->q_lens, b, op->q_len),
                           kv = length(op->kv_lens, b, op->kv_len), p = length(op->prefix, b, 0);
            put(at + 8 * GRADIENT_QUERIES, (int64_t)q);
            put(at + 8 * GRADIENT_KEYS, (int64_t)kv);
            put(at + 8 * GRADIENT_BEFORE, (int64_t)kv - (int64_t)q);
            put(at + 8 * GRADIENT_PREFIX, (int64_t)(p < kv ? p : kv));
        }
    }
    return TSR_OK;
}

void gradient_sequence(struct gradient *g, int d, enum gradient_field f, int64_t all)
{
    if (!g->records)
        gradient_li(g, d, all);
    else
        L("  shli x%d, x%d, %d\n  ld x%d, x%d, %d", d, X_B, RECORD_SHIFT, d, d, 8 * (int)f);
}

void gradient_length(struct gradient *g, int d, bool queries)
{
    gradient_sequence(g, d, queries ? GRADIENT_QUERIES : GRADIENT_KEYS,
                      (int64_t)(queries ? g->op->q_len : g->op->kv_len));
}

void gradient_add_before(struct gradient *g, int d, int x, int t, int sign, int64_t more)
{
    const int64_t before = (int64_t)g->op->kv_len - (int64_t)g->op->q_len;
    if (!g->records) {
        L("  addi x%d, x%d, %" PRId64, d, x, sign * before + more);
        return;
    }
    gradient_sequence(g, t, GRADIENT_BEFORE, 0);
    L("  %s x%d, x%d, x%d", sign > 0 ? "add" : "sub", d, x, t);
    if (more != 0)
        L("  addi x%d, x%d, %" PRId64, d, d, more);
}

/* ---- passes ----------------------------------------------------------------------------------
 * Inner rows that do not all fit TSRAM come in chunks of a head: a pass of the unit's items for
 * each, the sums of an item staying in its stage from one to the next. */

enum {
    SAVED_HEAD, /* of the group */
    SAVED_ROW,
    SAVED_LAST
};

static void saved(struct gradient *g, const char *op, int x, int word)
{
    const uint64_t at = g->records ? g->op->batch << RECORD_SHIFT : 0;
    L("  %s x%d, x0, %" PRIu64, op, x, at + 8 * (uint64_t)word);
}

static uint32_t pass_heads(const struct gradient *g)
{
    return g->by_query ? 1 : g->group;
}

void gradient_first_pass(struct gradient *g)
{
    saved(g, "sd", 0, SAVED_HEAD);
    saved(g, "sd", 0, SAVED_ROW);
    L("pass:");
}

void gradient_next_pass(struct gradient *g)
{
    L("  bne x%d, x0, none_loaded\n  tsync post(s%d)\nnone_loaded:", X_NEW, S_SLOT);
    saved(g, "ld", T0, SAVED_ROW);
    L("  addi x%d, x%d, %" PRIu64, T0, T0, g->chunk);
    saved(g, "sd", T0, SAVED_ROW);
    gradient_li(g, T1, (int64_t)(g->by_query ? g->op->kv_len : g->op->q_len));
    L("  blt x%d, x%d, pass", T0, T1);
    saved(g, "sd", 0, SAVED_ROW);
    saved(g, "ld", T0, SAVED_HEAD);
    L("  addi x%d, x%d, 1", T0, T0);
    saved(g, "sd", T0, SAVED_HEAD);
    gradient_li(g, T1, pass_heads(g));
    L("  blt x%d, x%d, pass", T0, T1);
}

void gradient_pass_range(struct gradient *g)
{
    saved(g, "ld", T0, SAVED_HEAD);
    saved(g, "ld", T1, SAVED_ROW);
    L("  add x%d, x%d, x%d\n  addi x%d, x%d, 1", X_IH, X_IH, T0, X_IHEND, X_IH);
    L("  addi x%d, x%d, %" PRIu64, T2, T1, g->chunk);
    L("  bge x%d, x%d, item\n  bge x%d, x%d, item", T1, X_IEND, X_LO, T2);
    /* the last: of the last head what ends here */
    gradient_li(g, T3, 0);
    L("  addi x%d, x%d, %d\n  bne x%d, x0, not_last", T4, T0, 1 - (int)pass_heads(g), T4);
    L("  blt x%d, x%d, not_last", T2, X_IEND);
    gradient_li(g, T3, 1);
    L("not_last:");
    saved(g, "sd", T3, SAVED_LAST);
    gradient_li(g, X_FIRST, 2);
    L("  bne x%d, x0, goes_on\n  blt x%d, x%d, goes_on", T0, X_LO, T1);
    gradient_li(g, X_FIRST, 1);
    L("goes_on:\n  max x%d, x%d, x%d\n  min x%d, x%d, x%d", X_LO, X_LO, T1, X_IEND, X_IEND, T2);
}

void gradient_stage(struct gradient *g, int d, int t, uint64_t base)
{
    gradient_li(g, d, (int64_t)base);
    if (!g->passes)
        return;
    L("  addi x%d, x%d, -1\n  muli x%d, x%d, %" PRIu64 "\n  add x%d, x%d, x%d", t, X_N, t, t,
      g->stage_bytes, d, d, t);
}

void gradient_is_last(struct gradient *g, int d)
{
    saved(g, "ld", d, SAVED_LAST);
}

void gradient_pass_row(struct gradient *g, int d)
{
    saved(g, "ld", d, SAVED_ROW);
}

/* ---- items and steps ------------------------------------------------------------------------ */

/* The tile's next item of the unit: T5; to `unit_end` if there is none. */
void gradient_next_item(struct gradient *g)
{
    L("item:");
    gradient_li(g, T0, g->team - 1);
    L("  shli x%d, x%d, 1\n  sub x%d, x%d, x%d\n  andi x%d, x%d, 1", T1, X_MEMBER, T0, T0, T1, T1,
      X_N);
    L("  mul x%d, x%d, x%d\n  add x%d, x%d, x%d", T0, T0, T1, T0, T0, X_MEMBER);
    L("  muli x%d, x%d, %u\n  add x%d, x%d, x%d", T5, X_N, g->team, T5, T5, T0);
    gradient_li(g, T0, (int64_t)g->items);
    L("  bge x%d, x%d, unit_end\n  addi x%d, x%d, 1", T5, T0, X_N, X_N);
    if (g->falling)
        L("  sub x%d, x%d, x%d\n  addi x%d, x%d, -1", T5, T0, T5, T5, T5);
}

/* Keys of an item: to the diagonal, from the window on; a prefix is seen by all. */
static void keys_met(struct gradient *g)
{
    const struct tsr_npu_attention_backward *op = g->op;
    const int64_t window = (int64_t)op->window;
    if (op->causal) {
        L("  add x%d, x%d, x%d", T0, X_O0, X_ON);
        gradient_add_before(g, T0, T0, T1, 1, 0);
        L("  min x%d, x%d, x%d", X_IEND, X_IEND, T0);
    }
    if (window) {
        gradient_add_before(g, X_LO, X_O0, T1, 1, 1 - window);
        L("  max x%d, x%d, x0", X_LO, X_LO);
    }
    if (g->prefix) {
        gradient_sequence(g, T1, GRADIENT_PREFIX, 0);
        L("  beq x%d, x0, no_prefix", T1);
        gradient_li(g, X_LO, 0);
        L("  max x%d, x%d, x%d\nno_prefix:", X_IEND, X_IEND, T1);
    }
}

/* Queries of an item of keys, likewise. */
static void queries_met(struct gradient *g)
{
    const struct tsr_npu_attention_backward *op = g->op;
    if (g->prefix) { /* all queries see its first key */
        gradient_sequence(g, T1, GRADIENT_PREFIX, 0);
        L("  blt x%d, x%d, all_queries", X_O0, T1);
    }
    if (op->causal) {
        gradient_add_before(g, X_LO, X_O0, T1, -1, 0);
        L("  max x%d, x%d, x0", X_LO, X_LO);
    }
    if (op->window) {
        L("  add x%d, x%d, x%d", T0, X_O0, X_ON);
        gradient_add_before(g, T0, T0, T1, -1, (int64_t)op->window - 1);
        L("  min x%d, x%d, x%d", X_IEND, X_IEND, T0);
        L("  addi x%d, x%d, 1\n  max x%d, x%d, x%d", T0, X_LO, X_IEND, X_IEND, T0);
    }
    if (g->prefix)
        L("all_queries:");
}

/* At least one row; blocks begin at multiples of themselves. */
void gradient_inner_range(struct gradient *g)
{
    gradient_li(g, X_LO, 0);
    gradient_length(g, X_IEND, !g->by_query);
    if (g->by_query) {
        keys_met(g);
        L("  addi x%d, x%d, 0\n  addi x%d, x%d, 1", X_IH, X_KVH, X_IHEND, X_KVH);
    } else {
        queries_met(g);
        L("  muli x%d, x%d, %u\n  addi x%d, x%d, %u", X_IH, X_HEAD, g->group, X_IHEND, X_IH,
          g->group);
    }
    L("  andi x%d, x%d, -%u", X_LO, X_LO, g->side);
}

void gradient_look(struct gradient *g)
{
    const struct tsr_npu_attention_backward *op = g->op;
    const int o = g->by_query ? X_O0 : X_I0, i = g->by_query ? X_I0 : X_O0,
              on = g->by_query ? X_ON : X_IN, in = g->by_query ? X_IN : X_ON;
    if (g->prefix) {
        gradient_sequence(g, T7, GRADIENT_PREFIX, 0);
        L("  add x%d, x%d, x%d\n  bge x%d, x%d, wholly", T0, i, in, T7, T0);
    }
    if (op->causal) { /* the last key, the first query */
        L("  add x%d, x%d, x%d\n  sub x%d, x%d, x%d", T0, i, in, T0, T0, o);
        gradient_add_before(g, T0, T0, T7, -1, -1);
        L("  blt x0, x%d, partly", T0);
    }
    if (op->window) { /* the last query, the first key */
        L("  add x%d, x%d, x%d\n  sub x%d, x%d, x%d", T0, o, on, T0, T0, i);
        gradient_add_before(g, T0, T0, T7, 1, -(int64_t)op->window);
        L("  blt x0, x%d, partly", T0);
    }
    if (g->prefix)
        L("wholly:");
}
