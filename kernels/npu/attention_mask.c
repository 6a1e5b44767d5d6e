/* SPDX-License-Identifier: Apache-2.0 */
/* Steps in which any key may be hidden from any query, or have a bias of its own: a mask from HBM,
 * ALiBi, a window beside a prefix or without causal. All keys go the way that masked ones go: u in
 * TSRAM, 8 rows a turn; the tensor unit waits for it. */
#include <inttypes.h>

#include "kernels/npu/attention_emit.h"

/* The mask in HBM has, for a key, a byte for each query and head of the group, in this order. */
void attn_mask_base(struct emit *e)
{
    const struct attention_plan *p = e->p;
    const struct tsr_npu_rows *m = &p->op->mask;
    attn_unit_address(e, T1, T5, T2, T3, T4, m->address,
                      (struct steps){0, m->head_stride, m->batch_stride});
    attn_chunk_of(e, T2, T3, T0);
    attn_add_product(e, T1, T2, (uint64_t)p->tokens * p->group * p->chunks, T4);
    attn_add_product(e, T1, T3, p->group, T4);
    L("  sd x%d, x0, %d", T1, C_MASK_AT);
}

void attn_load_mask(struct emit *e)
{
    const struct attention_plan *p = e->p;
    attn_buffer(e, T0, X_PAR, PAR_STEP, p->mask, p->mask_bytes);
    L("  ld x%d, x0, %d", T1, C_MASK_AT);
    attn_add_product(e, T1, X_KEY, p->op->mask.token_stride, T2);
    attn_li(e, T2, (int64_t)p->op->mask.token_stride);
    attn_li(e, T3, p->line);
    if (p->chunks == 1) {
        L("  copy ch=1, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d wait(s%d) post(s%d)",
          T0, T1, X_ROWS, X_NK, T2, T3, S_MASK_FREE, S_MASK);
        return;
    }
    L("  ld x%d, x0, %d", T4, C_TOKENS);
    attn_li(e, T5, p->group);
    attn_li(e, T6, (int64_t)p->group * p->chunks);
    L("  copy ch=1, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, ds2=x%d "
      "wait(s%d) post(s%d)",
      T0, T1, T5, T4, T6, T5, X_NK, T2, T3, S_MASK_FREE, S_MASK);
}

void attn_general_softmax(struct emit *e)
{
    const struct attention_plan *p = e->p;
    const uint64_t e_lines = (uint64_t)(1 + ATTENTION_SLACK) * p->line;
    char waits[32], posts[32];
    attn_clause(waits, sizeof waits, "wait", S_SCORES, p->op->has_mask ? S_MASK : -1);
    attn_clause(posts, sizeof posts, "post", S_WEIGHTS, p->op->has_mask ? S_MASK_FREE : -1);
    attn_buffer(e, T0, X_PAR, PAR_STEP, 0, (uint64_t)p->s_banks * p->bank_lines);
    attn_buffer(e, T1, X_PAR, PAR_STEP, p->p + e_lines, p->p_bytes);
    if (p->op->has_slopes)
        attn_buffer(e, T2, X_PAR, PAR_ITEM, p->slopes, p->line);
    L("  addi x%d, x%d, 7\n  shri x%d, x%d, 3", T3, X_NK, T3, T3);
    if (p->op->prefix)
        L("  ld x%d, x0, %d\n  lw x%d, x%d, %d\n  sub x%d, x%d, x%d", T4, C_UNIT, T4, T4, R_PREFIX,
          T4, T4, X_KEY);
    if (p->op->has_mask)
        attn_buffer(e, T5, X_PAR, PAR_STEP, p->mask, p->mask_bytes);
    L("  sub x%d, x%d, x%d\n  addi x%d, x%d, -1", T6, X_POS, X_KEY, X_KV, X_NK);
    L("  vcall softmax, x%d, x%d, x%d, x%d, x%d, x%d, x%d, x%d%s%s", T0, T1, T2, T3, T4, T5, T6,
      X_KV, waits, posts);
}

#undef L
#define L(...) tsr_text_line(t, __VA_ARGS__)

/* Registers: the lane's position v21, less the window v22, the row v23 (both from the block's first
 * key on), with ALiBi as floats v16 and v17; its slope v18; end of the prefix v19; the last row
 * v25; v27 1, v28 1.0, v31 -infinity. */
void attention_general_begin(const struct attention_plan *p, struct tsr_text *t)
{
    L("  vsplat v21, a6\n  vsplat v25, a7\n  vimm v20, %u\n  vimm v31, %u", 0xFF800000u,
      0xFF800000u);
    L("  vimm v23, 0\n  vimm v27, 1\n  viadd v21, v21, v30");
    if (p->op->has_slopes) {
        L("  vld v18, a2, f32\n  vimm v0, %u\n  vimm v17, 0\n  vimm v28, %u", 0x3FB8AA3Bu,
          0x3F800000u); /* log2(e), 1.0 */
        L("  vcvt_f v16, v21\n  vmul v18, v18, v0");
    }
    if (p->op->prefix)
        L("  vsplat v19, a4");
    if (p->seen)
        L("  vimm v22, %" PRIu64 "\n  visub v22, v21, v22", p->seen);
    L("  aaddi a8, a0, 0\n  aaddi a5, a5, 0");
}

/* u of 8 rows in v0..v7: biased, -infinity where hidden; v8..v15 free. */
void attention_general_rows(const struct attention_plan *p, struct tsr_text *t)
{
    const struct tsr_npu_attention *op = p->op;
    for (int i = 0; i < 8 && op->has_slopes; i++)
        L("  vsub v%d, v17, v16\n  vadd v17, v17, v28", 8 + i);
    for (int i = 0; i < 8 && op->has_slopes; i++)
        L("  vfma v%d, v18, v%d, v%d", i, 8 + i, i);
    for (int i = 0; i < 8; i++) {
        const int hidden = 8 + i, t0 = 8 + (i + 2) % 8, t1 = 8 + (i + 4) % 8;
        if (op->causal || p->seen) {
            if (op->causal)
                L("  vilt v%d, v21, v23", hidden);
            else
                L("  vimm v%d, 0", hidden);
            if (p->seen)
                L("  vilt v%d, v22, v23\n  vsel v%d, v%d, v%d, v27", t0, hidden, t0, hidden);
            if (op->prefix)
                L("  vilt v%d, v23, v19\n  vimm v%d, 0\n  vsel v%d, v%d, v%d, v%d", t0, t1, hidden,
                  t0, t1, hidden);
            L("  vsel v%d, v%d, v31, v%d", i, hidden, i);
        }
        L("  vilt v%d, v25, v23\n  vsel v%d, v%d, v31, v%d\n  viadd v23, v23, v27", hidden, i,
          hidden, i);
    }
    for (int i = 0; i < 8 && op->has_mask; i++)
        L("  vld v%d, a5, i8, %u", 8 + i, p->line);
    for (int i = 0; i < 8 && op->has_mask; i++)
        L("  vsel v%d, v%d, v%d, v31", i, 8 + i, i);
}
