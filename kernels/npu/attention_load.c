/* SPDX-License-Identifier: Apache-2.0 */
/* The attention program: loads. */
#include <inttypes.h>
#include <stdio.h>

#include "kernels/npu/attention_emit.h"

/* Opens the next segment: X_LN, X_LK, X_LV, X_LU. */
static void open_segment(struct emit *e)
{
    const struct attention_plan *p = e->p;
    attn_li(e, T0, p->units);
    L("  bge x%d, x%d, loaded", X_LU, T0);
    if (!p->retain)
        L("  ld x%d, x0, %d", T5, C_LOAD_N);
    attn_segment_range(e, T5, T0, T1, T2, T3, T4);
    L("  sub x%d, x%d, x%d", X_LN, T4, T3);
    attn_unit_address(e, X_LK, X_LU, T0, T1, T2, p->k.address, attn_key_steps(&p->k, 0));
    attn_add_product(e, X_LK, T3, p->k.token_stride, T0);
    attn_unit_address(e, X_LV, X_LU, T0, T1, T2, p->v.address,
                      attn_key_steps(&p->v, attention_v_bytes(p)));
    attn_add_product(e, X_LV, T3, p->v.token_stride, T0);
    if (!p->retain) {
        attn_li(e, T0, p->rounds);
        L("  addi x%d, x%d, 1", T5, T5);
        L("  sd x%d, x0, %d", T5, C_LOAD_N);
        L("  blt x%d, x%d, load_block", T5, T0);
        L("  sd x0, x0, %d", C_LOAD_N);
    }
    L("  addi x%d, x%d, %u", X_LU, X_LU, p->unit_stride);
}

/* X_LS <- rows (T5) from `src`, by slabs of `bytes`, a line per row and slab. */
static void load_rows(struct emit *e, int src, uint64_t stride, uint32_t slabs, uint64_t bytes,
                      const char *wait, enum sem arrived)
{
    const struct attention_plan *p = e->p;
    char sems[64];
    if (p->team > 1)
        snprintf(sems, sizeof sems, ", mask=x%d, mc=1, p1=s%d%s", T6, arrived, wait);
    else
        snprintf(sems, sizeof sems, ", p1=s%d%s", arrived, wait);
    attn_li(e, T0, (int64_t)bytes);
    attn_li(e, T1, (int64_t)stride);
    attn_li(e, T2, p->line);
    if (slabs == 1) {
        L("  copy ch=0, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d%s", X_LS, src, T0, T5,
          T1, T2, sems);
        return;
    }
    attn_li(e, T3, slabs);
    attn_li(e, T4, (int64_t)p->kb * p->line);
    L("  copy ch=0, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, "
      "ds2=x%d%s",
      X_LS, src, T0, T3, T0, T4, T5, T1, T2, sems);
}

/* Queues loads while fewer than `ahead` wait and slots are free. */
void attn_loads(struct emit *e)
{
    const struct attention_plan *p = e->p;
    char wait[24];
    const struct tsr_npu_slab *c = &p->cache;
    uint64_t k_unit = c->slabs * c->unit_bytes / p->slabs,
             v_unit = attention_v_bytes(p) / p->v_slabs;
    uint64_t v_at = p->narrow ? p->narrow_at : p->k_bytes;
    if (p->team > 1) { /* the first member's work */
        L("  ld x%d, x0, %d", T0, C_MEMBER);
        L("  bne x%d, x0, loaded", T0);
    }
    L("load:");
    attn_li(e, T0, p->ahead);
    L("  bge x%d, x%d, loaded", X_AH, T0);
    L("  beq x%d, x0, loaded", X_CR);
    L("  blt x0, x%d, load_block", X_LN);
    open_segment(e);
    L("load_block:");
    L("  mini x%d, x%d, %u", T5, X_LN, p->kb);
    if (p->team > 1)
        L("  ld x%d, x0, %d", T6, C_MASK);
    snprintf(wait, sizeof wait, " wait(s%d)", S_SLOT_FREE);
    load_rows(e, X_LK, p->k.token_stride, p->slabs, k_unit, wait, S_K);
    L("  addi x%d, x%d, %" PRIu64, X_LS, X_LS, v_at);
    load_rows(e, X_LV, p->v.token_stride, p->v_slabs, v_unit, "", p->narrow ? S_NARROW : S_V);
    L("  addi x%d, x%d, -%" PRIu64, X_LS, X_LS, v_at);
    L("  addi x%d, x%d, %" PRIu64, X_LK, X_LK, p->kb * p->k.token_stride);
    L("  addi x%d, x%d, %" PRIu64, X_LV, X_LV, p->kb * p->v.token_stride);
    L("  addi x%d, x%d, -%u", X_LN, X_LN, p->kb);
    L("  addi x%d, x%d, 1", X_AH, X_AH);
    L("  addi x%d, x%d, -1", X_CR, X_CR);
    attn_next_slot(e, X_LS, T0, "load");
    L("  jmp load");
    L("loaded:");
}

/* Loads Q (and sinks) of the block X_XU, X_XN into the buffer of the item after the current one
 * (`next`), or the current one's. Uses T0..T6, X_KV, X_HI, X_POS, X_ROWS, X_KEY, X_RB. */
void attn_load_queries(struct emit *e, bool next)
{
    const struct attention_plan *p = e->p;
    const struct tsr_npu_attention *op = p->op;
    const int dst = T0, src = T1, tokens = T2, len = T3, line = T4, stride = T5, slabs = T6,
              slab_step = X_KV, heads = X_HI, head_stride = X_POS, token_step = X_KEY;
    attn_block_of(e, T3, X_XN, T4);
    attn_block_range(e, T3, tokens, X_POS, X_KEY, X_HI);
    attn_unit_address(e, src, X_XU, X_HI, X_KEY, X_POS, p->q.address,
                      attn_query_steps(p, &p->q, 0));
    attn_add_product(e, src, T3, p->tokens * p->q.token_stride, T4);
    L("  xori x%d, x%d, %d", X_ROWS, X_PAR, next ? PAR_ITEM : 0);
    attn_buffer(e, dst, X_ROWS, PAR_ITEM, p->queries, p->query_bytes);
    attn_li(e, len, (int64_t)p->slab_cols * p->element);
    attn_li(e, line, p->line);
    attn_li(e, stride, (int64_t)p->q.token_stride);
    attn_li(e, slabs, p->slabs);
    attn_li(e, slab_step, (int64_t)p->lanes * p->line);
    attn_li(e, heads, p->group);
    attn_li(e, head_stride, (int64_t)p->q.head_stride);
    attn_li(e, token_step, (int64_t)p->group * p->line);
    if (p->slabs == 1) /* heads of a token in one run */
        L("  copy ch=2, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, "
          "ds2=x%d wait(s%d) post(s%d)",
          dst, src, len, heads, head_stride, line, tokens, stride, token_step, S_QUERY_FREE, S_Q);
    else
        L("  copy ch=2, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, "
          "ds2=x%d, n3=x%d, ss3=x%d, ds3=x%d wait(s%d) post(s%d)",
          dst, src, len, slabs, len, slab_step, heads, head_stride, line, tokens, stride,
          token_step, S_QUERY_FREE, S_Q);
    if (!op->has_sinks)
        return;
    uint64_t size = op->sink_format == TSR_F32 ? 4 : 2, run = p->group * size;
    attn_unit_address(e, src, X_XU, T4, T5, T6, p->sinks,
                      (struct steps){0, run, run * p->chunks, 0});
    attn_buffer(e, dst, X_ROWS, PAR_ITEM, p->sink, p->line);
    attn_li(e, len, (int64_t)run);
    L("  copy ch=3, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x0, ds1=x%d wait(s%d) post(s%d)", dst,
      src, len, tokens, len, S_SINK_FREE, S_SINK);
}
