/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a key block of which some lanes see nothing any more: at the diagonal, or after the
 * last key. What hides them is a table in TSRAM, made once: line d (from -EDGE on) is not 0 for
 * lanes whose token is d or later. The first pass stores the scores with -infinity for the hidden
 * ones, the second takes those for scores, so both work as the ones of whole turns: 24 cycles for 8
 * rows and 36 for 16. */
#include <inttypes.h>

#include "kernels/npu/attention_plan.h"
#include "kernels/npu/text.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

/* v30 the lane's token. */
void attention_edge_table(const struct attention_plan *p, struct tsr_text *t)
{
    L("  ali a8, %" PRIu64 "\n  ali a12, %u", p->edge, p->tokens + 2 * ATTENTION_EDGE);
    L("  vimm v0, %u\n  vimm v1, 1", (unsigned)-ATTENTION_EDGE);
    L("  vimm v2, 0");
    L("  vloop a12, edge_table");
    L("  vilt v4, v30, v0\n  viadd v0, v0, v1\n  vsel v4, v4, v2, v1\n  vst v4, a8, f32, %u",
      p->line);
    L("edge_table:");
}

/* a8 scores, a2 table, a12 where the smaller go; a3 turns of 16 rows; maxima in v16..v19, v31
 * -infinity. */
void attention_edge_maximum(const struct attention_plan *p, struct tsr_text *t)
{
    L("  vloop a3, edge_max");
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < 8; i++)
            L("  vlda v%d, a8, %u", i, p->row_lines);
        for (int i = 0; i < 8; i++) {
            L("  vld v%d, a2, f32, %u", 8 + i, p->line);
            if (i >= 4)
                L("  vsel v%d, v%d, v%d, v31", i - 4, i + 4, i - 4);
        }
        for (int i = 0; i < 8; i++) {
            L("  vst v%d, a12, f32, %u", i, p->line);
            if (i < 4)
                L("  vsel v%d, v%d, v%d, v31", i + 4, i + 12, i + 4);
            else
                L("  vmax3 v%d, v%d, v%d, v%d", 12 + i, 12 + i, 2 * i - 8, 2 * i - 7);
        }
    }
    L("edge_max:");
}

/* a13 what that stored, a5 P. */
void attention_edge_weights(const struct attention_plan *p, struct tsr_text *t)
{
    static const int chain[4] = {26, 27, 28, 31};
    L("  vloop a3, edge_exp");
    for (int i = 0; i < 16 + 4; i++) {
        if (i < 16)
            L("  vld v%d, a13, f32, %u", i, p->line);
        if (i >= 4)
            L("  vexp2_fma v%d, v%d, v24, v25", i - 4, i - 4);
    }
    for (int i = 0; i < 16; i++) {
        L("  vst v%d, a5, %s, %u", i, p->format, p->line);
        if (i % 2)
            L("  vadd3 v%d, v%d, v%d, v%d", chain[i / 2 % 4], chain[i / 2 % 4], i - 1, i);
    }
    L("edge_exp:");
}
