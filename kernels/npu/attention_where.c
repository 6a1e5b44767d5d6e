/* SPDX-License-Identifier: Apache-2.0 */
/* The attention program: scalar code for "where is it", and choices among variants. */
#include <inttypes.h>
#include <stdio.h>

#include "kernels/npu/attention_emit.h"

/* u / d = u * ceil(2^40 / d) >> 40 for u d < 2^40. */
enum {
    RECIPROCAL_SHIFT = 40
};

void attn_li(struct emit *e, int d, int64_t x)
{
    L("  li x%d, %" PRId64, d, x);
}

/* ---- where things are ----------------------------------------------------------------------- */

/* d = block number of a tile's n-th block; d, n, t differ. */
void attn_block_of(struct emit *e, int d, int n, int t)
{
    L("  ld x%d, x0, %d", t, C_DELTA);
    L("  andi x%d, x%d, 1", d, n);
    L("  mul x%d, x%d, x%d", t, t, d);
    L("  muli x%d, x%d, %u", d, n, e->p->team);
    L("  add x%d, x%d, x%d", d, d, t);
    L("  ld x%d, x0, %d", t, C_EVEN);
    L("  add x%d, x%d, x%d", d, d, t);
}

void attn_divide(struct emit *e, int q, int r, int x, uint64_t by)
{
    uint64_t reciprocal = (((uint64_t)1 << RECIPROCAL_SHIFT) + by - 1) / by;
    L("  muli x%d, x%d, %" PRIu64, q, x, reciprocal);
    L("  shri x%d, x%d, %d", q, q, RECIPROCAL_SHIFT);
    if (r == 0)
        return;
    L("  muli x%d, x%d, %" PRIu64, r, q, by);
    L("  sub x%d, x%d, x%d", r, x, r);
}

void attn_chunk_of(struct emit *e, int d, int c, int j)
{
    if (e->p->chunks > 1) {
        attn_divide(e, d, c, j, e->p->chunks);
        return;
    }
    L("  addi x%d, x%d, 0", d, j);
    if (c)
        attn_li(e, c, 0);
}

void attn_units_end(struct emit *e, int d)
{
    if (e->p->records)
        L("  ld x%d, x0, %d", d, C_LAST);
    else
        attn_li(e, d, e->p->units);
}

void attn_items(struct emit *e, int d, int u)
{
    if (e->p->records)
        L("  lw x%d, x%d, %d", d, u, R_ITEMS);
    else
        L("  ld x%d, x0, %d", d, C_ITEMS);
}

/* The same where lengths are the record's. */
static void recorded_range(struct emit *e, int u, int tokens, int pos, int lo, int hi, int t)
{
    L("  lw x%d, x%d, %d", t, u, R_BASE);
    L("  add x%d, x%d, x%d", pos, tokens, t);
    L("  lw x%d, x%d, %d", hi, u, R_QUERIES);
    L("  sub x%d, x%d, x%d", tokens, hi, tokens);
    L("  mini x%d, x%d, %u", tokens, tokens, e->p->tokens);
    L("  lw x%d, x%d, %d\n  lw x%d, x%d, %d", lo, u, R_LO, hi, u, R_HI);
    if (e->p->window && !e->p->op->prefix) {
        L("  addi x%d, x%d, %" PRId64, t, pos, 1 - (int64_t)e->p->window);
        L("  max x%d, x%d, x%d", lo, lo, t);
    }
    if (!e->p->op->causal)
        return;
    if (e->p->op->prefix) { /* the larger of both ends, of the record's the smaller */
        L("  min x%d, x%d, x0\n  add x%d, x%d, x%d", t, t, t, pos, tokens);
        L("  sub x%d, x%d, x%d", hi, hi, t);
        L("  lw x%d, x%d, %d\n  sub x%d, x%d, x%d", t, u, R_PREFIX, t, t, pos);
        L("  sub x%d, x%d, x%d\n  max x%d, x%d, x0", t, t, tokens, t, t);
        L("  min x%d, x%d, x%d\n  add x%d, x%d, x%d", hi, hi, t, hi, hi, pos);
        L("  add x%d, x%d, x%d", hi, hi, tokens);
        return;
    }
    L("  add x%d, x%d, x%d", t, pos, tokens);
    L("  min x%d, x%d, x%d", hi, hi, t);
}

/* Of block j: its tokens, the position of the first, its keys [lo, hi). All registers differ. */
void attn_block_range(struct emit *e, int u, int j, int tokens, int pos, int lo, int hi, int t)
{
    const struct tsr_npu_attention *op = e->p->op;
    attn_chunk_of(e, tokens, 0, j);
    L("  muli x%d, x%d, %u", tokens, tokens, e->p->tokens);
    if (e->p->records) {
        recorded_range(e, u, tokens, pos, lo, hi, t);
        return;
    }
    L("  addi x%d, x%d, %" PRId64, pos, tokens, (int64_t)op->kv_len - (int64_t)op->q_len);
    attn_li(e, hi, (int64_t)op->q_len);
    L("  sub x%d, x%d, x%d", tokens, hi, tokens);
    L("  mini x%d, x%d, %u", tokens, tokens, e->p->tokens);
    if (op->causal)
        L("  add x%d, x%d, x%d", hi, pos, tokens);
    else
        attn_li(e, hi, (int64_t)op->kv_len);
    if (e->p->window) {
        L("  addi x%d, x%d, %" PRId64, lo, pos, 1 - (int64_t)e->p->window);
        L("  max x%d, x%d, x0", lo, lo);
    } else {
        attn_li(e, lo, 0);
    }
}

/* d = base + where unit u lies; q, r, t are temporaries. */
void attn_unit_address(struct emit *e, int d, int u, int q, int r, int t, uint64_t base,
                       struct steps s)
{
    const struct attention_plan *p = e->p;
    const uint64_t size[2] = {p->parts, p->op->kv_heads}, step[2] = {s.part, s.head};
    attn_li(e, d, (int64_t)base);
    if (p->records)
        L("  lw x%d, x%d, %d", q, u, R_UNIT);
    else
        L("  addi x%d, x%d, 0", q, u);
    for (int i = 0; i < 2; i++) {
        if (size[i] == 1)
            continue;
        attn_divide(e, r, t, q, size[i]);
        L("  muli x%d, x%d, %" PRIu64, t, t, step[i]);
        L("  add x%d, x%d, x%d", d, d, t);
        L("  addi x%d, x%d, 0", q, r);
    }
    L("  muli x%d, x%d, %" PRIu64, q, q, s.batch);
    L("  add x%d, x%d, x%d", d, d, q);
}

/* d += x * by. */
void attn_add_product(struct emit *e, int d, int x, uint64_t by, int t)
{
    L("  muli x%d, x%d, %" PRIu64, t, x, by);
    L("  add x%d, x%d, x%d", d, d, t);
}

struct steps attn_key_steps(const struct tsr_npu_rows *r, uint64_t part)
{
    return (struct steps){part, r->head_stride, r->batch_stride};
}

struct steps attn_query_steps(const struct attention_plan *p, const struct tsr_npu_rows *r,
                              uint64_t part)
{
    return (struct steps){part, p->group * p->chunks * r->head_stride, r->batch_stride};
}

uint64_t attn_part_bytes(const struct attention_plan *p)
{
    return (uint64_t)p->part_cols * p->element;
}

/* d = base + (bit of flags) * step. */
void attn_buffer(struct emit *e, int d, int flags, int bit, uint64_t base, uint64_t step)
{
    int shift = bit == PAR_ITEM ? 4 : 5;
    L("  shri x%d, x%d, %d", d, flags, shift);
    L("  andi x%d, x%d, 1", d, d);
    L("  muli x%d, x%d, %" PRIu64, d, d, step);
    if (base)
        L("  addi x%d, x%d, %" PRIu64, d, d, base);
}

/* x = next slot of the ring. */
void attn_next_slot(struct emit *e, int x, int t, const char *where)
{
    const struct attention_plan *p = e->p;
    L("  addi x%d, x%d, %" PRIu64, x, x, p->slot_bytes);
    attn_li(e, t, (int64_t)(p->ring + p->slots * p->slot_bytes));
    L("  blt x%d, x%d, slot_%s", x, t, where);
    attn_li(e, x, (int64_t)p->ring);
    L("slot_%s:", where);
}

/* Keys [lo, hi) of segment n (of round n, where keys do not stay). j, tokens, pos: temporaries. */
void attn_segment_range(struct emit *e, int u, int n, int j, int tokens, int pos, int lo, int hi,
                        int t)
{
    const struct attention_plan *p = e->p;
    uint64_t first, end;
    if (p->records && (p->retain || !p->op->causal || p->blocks == p->chunks)) {
        L("  lw x%d, x%d, %d\n  lw x%d, x%d, %d", lo, u, R_LO, hi, u, R_HI);
        return;
    }
    if (p->retain || !p->op->causal) {
        attention_keys(p, 0, p->blocks - 1, &first, &end);
        attn_li(e, lo, (int64_t)first);
        attn_li(e, hi, (int64_t)end);
        return;
    }
    L("  muli x%d, x%d, %u", j, n, p->team);
    attn_block_range(e, u, j, tokens, pos, lo, hi, t);
    if (p->team == 1)
        return;
    L("  addi x%d, x%d, %u", j, j, p->team - 1);
    L("  mini x%d, x%d, %u", j, j, p->blocks - 1);
    L("  addi x%d, x%d, 0", X_KV, lo);
    attn_block_range(e, u, j, tokens, pos, lo, hi, t);
    L("  addi x%d, x%d, 0", lo, X_KV);
}

/* Whether a query block may start within a key block: under a window, where blocks share keys. */
bool attn_inner_starts(const struct attention_plan *p)
{
    return p->window && (p->retain || p->team > 1);
}

/* Up to two semaphores as a clause, -1 for none. */
const char *attn_clause(char *out, size_t cap, const char *word, int a, int b)
{
    if (a >= 0 && b >= 0)
        snprintf(out, cap, " %s(s%d, s%d)", word, a, b);
    else if (a >= 0 || b >= 0)
        snprintf(out, cap, " %s(s%d)", word, a >= 0 ? a : b);
    else
        out[0] = 0;
    return out;
}

/* A tree of branches on the lowest `bits` bits of register x; leaves end at `end`. */
void attn_dispatch(struct emit *e, int x, int bits, const char *end, attn_variant_fn *leaf)
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
