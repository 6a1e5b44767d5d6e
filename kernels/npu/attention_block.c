/* SPDX-License-Identifier: Apache-2.0 */
/* The attention program: from one query block to the next. */
#include <inttypes.h>

#include "kernels/npu/attention_emit.h"

/* Beyond any key. */
static const int64_t far = (int64_t)1 << 40;

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
    L("  addi x%d, x%d, 0\n  ld x%d, x0, %d", X_RB, T2, X_NK, C_UNIT);
    attn_segment_range(e, X_NK, T6, T0, T1, T2, T3, T4, X_CF);
    L("  addi x%d, x%d, 0", T2, X_RB);
    L("  sd x%d, x0, %d\n  sd x%d, x0, %d", T3, C_KB0, X_SLOT, C_SEGMENT);
    L("  addi x%d, x%d, 0", X_HW, T3);
    L("  sub x%d, x%d, x%d\n  addi x%d, x%d, %u\n  andi x%d, x%d, -%u\n  add x%d, x%d, x%d", T4, T4,
      T3, T4, T4, p->kb - 1, T4, T4, p->kb, T4, T4, T3);
    if (!p->retain) { /* a last round without a block of this tile */
        attn_items(e, T0, X_NK);
        L("  addi x%d, x%d, -1", T0, T0);
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
    attn_add_product(e, X_SLOT, T2, p->slot_bytes, T0);
    attn_li(e, T0, (int64_t)(p->ring + p->slots * p->slot_bytes));
    L("  blt x%d, x%d, in_ring", X_SLOT, T0);
    L("  addi x%d, x%d, -%" PRIu64, X_SLOT, X_SLOT, p->slots * p->slot_bytes);
    L("in_ring:");
}

/* X_RB: where the next block of the segment begins. */
static void release_bound(struct emit *e)
{
    const struct attention_plan *p = e->p;
    attn_li(e, X_RB, far);
    if (!p->retain)
        return;
    L("  beq x%d, x0, bounded", X_XN);
    attn_li(e, X_RB, 0);
    if (p->window) {
        attn_block_of(e, T0, X_XN, T1);
        L("  ld x%d, x0, %d", T5, C_UNIT);
        attn_block_range(e, T5, T0, T1, T2, T3, T4, T6);
        L("  ld x%d, x0, %d", T0, C_KB0);
        L("  sub x%d, x%d, x%d", T3, T3, T0);
        L("  shri x%d, x%d, %u", T3, T3, p->kb_shift);
        attn_add_product(e, T0, T3, p->kb, T1);
        L("  addi x%d, x%d, 0", X_RB, T0);
    }
    L("bounded:");
}

/* Keeps where the results of block T0 of unit T5 begin. Uses T1, T3, T4, T6, X_KV. */
static void results_at(struct emit *e, const struct tsr_npu_rows *r, uint64_t part, int kept)
{
    const struct attention_plan *p = e->p;
    attn_unit_address(e, T3, T5, T4, T6, X_KV, r->address, attn_query_steps(p, r, part));
    attn_chunk_of(e, T4, T6, T0);
    attn_add_product(e, T3, T4, p->tokens * r->token_stride, T1);
    attn_add_product(e, T3, T6, p->group * r->head_stride, T1);
    L("  sd x%d, x0, %d", T3, kept);
}

/* The next block becomes the current one, its successor's queries are loaded. */
void attn_begin_block(struct emit *e)
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
        attn_li(e, X_CF, PASS);
        L("  jmp sum");
        L("all_passed:");
    }
    attn_units_end(e, T0);
    attn_li(e, X_CF, 0);
    L("  bge x%d, x%d, sum", X_XU, T0); /* no more: the deferred sum, and the end */
    L("  sd x%d, x0, %d\n  sd x%d, x0, %d", X_XU, C_UNIT, X_XN, C_N);
    L("  addi x%d, x%d, 1", X_XN, X_XN);
    attn_items(e, T1, X_XU);
    L("  blt x%d, x%d, has_next", X_XN, T1);
    attn_li(e, X_XN, 0);
    L("  addi x%d, x%d, %" PRIu64, X_XU, X_XU,
      p->records ? attention_record_bytes(p) : p->unit_stride);
    L("  bge x%d, x%d, no_next", X_XU, T0);
    L("has_next:");
    attn_load_queries(e, true);
    L("no_next:");
    L("  ld x%d, x0, %d\n  ld x%d, x0, %d", T5, C_UNIT, T6, C_N);
    attn_block_of(e, T0, T6, T1);
    if (p->op->has_mask)
        attn_mask_base(e);
    attn_block_range(e, T5, T0, T1, X_POS, T2, X_HI, T3);
    L("  muli x%d, x%d, %u", X_ROWS, T1, p->group);
    L("  sd x%d, x0, %d", T1, C_TOKENS);
    results_at(e, &p->o, attn_part_bytes(p), C_OUT);
    if (p->op->has_lse)
        results_at(e, &p->lse, 0, C_LSE);
    first_slot(e);
    release_bound(e);
    attn_li(e, X_CF, FIRST);
}
