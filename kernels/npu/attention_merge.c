/* SPDX-License-Identifier: Apache-2.0 */
/* A unit whose keys several teams share: each ends with m, l and O of its keys, not yet divided.
 * These lie in its TSRAM as a line of m, a line of l, and O's rows in f32. `mergers` of the teams
 * merge a part of O's columns each: m and l go to all of these, O's columns to theirs, where all
 * splits' m and l stand before all splits' pieces. With the largest m, M:
 *   f = 2^(m - M), L = sum f l, O = sum (f / L) O.
 * m and M are integers, so f is a power of two and scales without an error. */
#include <inttypes.h>

#include "kernels/npu/attention_emit.h"

/* T3 turns of 8 rows; T0 and T3 stay. */
static void send(struct emit *e)
{
    const struct attention_plan *p = e->p;
    const uint64_t stats = 2 * (uint64_t)p->line, piece = p->merge_cols * 4;
    L("  ld x%d, x0, %d\n  ld x%d, x0, %d", X_DV, C_SPLIT, T6, C_MERGERS);
    attn_li(e, T4, (int64_t)p->merge);
    attn_add_product(e, T4, X_DV, stats, T5);
    attn_li(e, T5, (int64_t)stats);
    L("  copy ch=3, src=x%d, dst=x%d, len=x%d, mask=x%d, mc=1 wait(s%d)", T2, T4, T5, T6, S_SENT);
    attn_li(e, T4, (int64_t)(p->merge + p->splits * stats));
    attn_add_product(e, T4, X_DV, p->piece_bytes, T5);
    L("  addi x%d, x%d, %" PRIu64, T2, T2, stats);
    attn_li(e, T5, (int64_t)piece);
    attn_li(e, X_DK, (int64_t)p->partial_row);
    attn_li(e, T1, (int64_t)p->piece_row);
    attn_li(e, X_DR, p->mergers);
    L("  shli x%d, x%d, 3\n  ld x%d, x0, %d\n  loop x%d, sent", X_DV, T3, T6, C_MERGER, X_DR);
    L("  copy ch=3, src=x%d, dst=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, mask=x%d, mc=1, p1=s%d",
      T2, T4, T5, X_DV, X_DK, T1, T6, S_PARTIAL);
    L("  addi x%d, x%d, %" PRIu64 "\n  shli x%d, x%d, %u\nsent:", T2, T2, piece, T6, T6,
      p->merger_stride);
}

/* T0 stage, T1 accumulators, T3 turns of 8 rows. (Rows of the last turn that the block does not
 * have are added as well, and stay behind.) */
void attn_merge(struct emit *e)
{
    const struct attention_plan *p = e->p;
    attn_li(e, T2, (int64_t)p->partial);
    L("  vcall partial, x%d, x%d, x%d wait(s%d) post(s%d)", T1, T2, T3, S_SUM, S_SENT);
    send(e);
    attn_li(e, T5, p->mergers);
    L("  ld x%d, x0, %d\n  bge x%d, x%d, no_output", T4, C_SPLIT, T4, T5);
    attn_li(e, T2, (int64_t)p->merge);
    L("  vcall factors, x%d wait(s%d*%u)", T2, S_PARTIAL, p->splits);
    L("  vcall merge, x%d, x%d, x%d post(s%d)", T2, T0, T3, S_STAGED);
    attn_write_out(e);
}

#undef L
#define L(...) tsr_text_line(t, __VA_ARGS__)

/* a0 accumulators, a1 where m and l lie already, a2 turns of 8 rows: O behind them. */
static void partial(const struct attention_plan *p, struct tsr_text *t)
{
    L(".routine partial");
    L("  aaddi a1, a1, %u", 2 * p->line);
    L("  vloop a2, partial_end");
    for (uint32_t s = 0; s < p->v_slabs; s++)
        for (uint32_t c = 0; c < p->v_cols; c += p->lanes) {
            uint32_t left = p->v_cols - c, n = left < p->lanes ? left : p->lanes;
            L("  aaddi a8, a0, %u\n  aaddi a9, a1, %u", attention_sum_line(p, s, c),
              (s * p->v_cols + c) * 4);
            L("  ali a10, %u\n  vlen a10", n);
            for (int i = 0; i < 8; i++)
                L("  vlda v%d, a8, %u", i, p->row_lines);
            for (int i = 0; i < 8; i++)
                L("  vst v%d, a9, f32, %" PRIu64, i, p->partial_row);
        }
    L("  aaddi a0, a0, %u\n  aaddi a1, a1, %" PRIu64, 8 * p->row_lines, 8 * p->partial_row);
    L("partial_end:");
    L("  vret\n.end");
}

/* a0 the splits' sums: the factors f / L of all in place of their m, lanes as rows. A routine of
 * its own, since what a store keeps is written at the end of one. v0 0, v3 M, v4 L. */
static void factors(const struct attention_plan *p, struct tsr_text *t)
{
    const uint32_t stats = 2 * p->line;
    L(".routine factors");
    L("  ali a12, %u\n  vimm v0, 0\n  vimm v3, %u\n  vimm v4, 0", p->splits, 0xFF800000u);
    L("  aaddi a8, a0, 0\n  vloop a12, largest");
    L("  vld v1, a8, f32, %u\n  vmax v3, v3, v1", stats);
    L("largest:");
    L("  aaddi a8, a0, 0\n  aaddi a9, a0, %u\n  vloop a12, total", p->line);
    L("  vld v1, a8, f32, %u\n  vld v2, a9, f32, %u", stats, stats);
    L("  vsub v1, v1, v3\n  vexp2 v1, v1\n  vfma v4, v1, v2, v4");
    L("total:");
    L("  veq v5, v4, v0\n  vrcp v4, v4\n  vsel v4, v5, v0, v4");
    L("  aaddi a8, a0, 0\n  aaddi a9, a0, 0\n  vloop a12, factors_end");
    L("  vld v1, a8, f32, %u\n  vsub v1, v1, v3\n  vexp2 v1, v1\n  vmul v1, v1, v4", stats);
    L("  vst v1, a9, f32, %u", stats);
    L("factors_end:");
    L("  vret\n.end");
}

/* 8 rows of one or two vectors from column c on: sums in v8.., factors of a split in v0..v7. */
static void merge_columns(const struct attention_plan *p, struct tsr_text *t, uint32_t c)
{
    const uint32_t left = p->merge_cols - c, vectors = left > p->lanes ? 2 : 1;
    L("  aaddi a8, a6, %u\n  aaddi a9, a0, 0", c * 4);
    for (uint32_t v = 8; v < 8 + 8 * vectors; v++)
        L("  vimm v%u, 0", v);
    L("  vloop a12, summed_%u", c);
    for (int i = 0; i < 8; i++)
        L("  vldb v%d, a9, f32, %u", i, i < 7 ? 4 : 2 * p->line - 28);
    for (uint32_t v = 0; v < vectors; v++) {
        L("  aaddi a10, a8, %u", v * p->line);
        for (int i = 0; i < 8; i++)
            L("  vld v%d, a10, f32, %" PRIu64, 24 + i, p->piece_row);
        for (uint32_t i = 0; i < 8; i++)
            L("  vfma v%u, v%u, v%u, v%u", 8 + 8 * v + i, 24 + i, i, 8 + 8 * v + i);
    }
    L("  aaddi a8, a8, %" PRIu64, p->piece_bytes);
    L("summed_%u:", c);
    for (uint32_t v = 0; v < vectors; v++) {
        uint32_t at = c + v * p->lanes, n = p->merge_cols - at;
        L("  ali a11, %u\n  vlen a11\n  aaddi a10, a1, %u", n < p->lanes ? n : p->lanes,
          at * p->out_element);
        for (uint32_t i = 0; i < 8; i++)
            L("  vst v%u, a10, %s, %" PRIu64, 8 + 8 * v + i, p->out_format, p->stage_row);
    }
    L("  ali a11, %u\n  vlen a11", p->lanes);
}

/* a0 the splits' sums, a1 the stage, a2 turns of 8 rows. */
static void merge(const struct attention_plan *p, struct tsr_text *t)
{
    L(".routine merge");
    L("  ali a12, %u\n  aaddi a6, a0, %u", p->splits, p->splits * 2 * p->line);
    L("  vloop a2, merged");
    for (uint32_t c = 0; c < p->merge_cols; c += 2 * p->lanes)
        merge_columns(p, t, c);
    L("  aaddi a0, a0, 32\n  aaddi a6, a6, %" PRIu64 "\n  aaddi a1, a1, %" PRIu64, 8 * p->piece_row,
      8 * p->stage_row);
    L("merged:");
    L("  vret\n.end");
}

void attention_merge_routines(const struct attention_plan *p, struct tsr_text *t)
{
    partial(p, t);
    factors(p, t);
    merge(p, t);
}
