/* SPDX-License-Identifier: Apache-2.0 */
/* The vector routines of gradients. Kept between routines: v24 scale log2(e), v25 scale, v26
 * log2(e), v27 1, v31 0; of outer queries v28 delta, v29 lse log2(e). */
#include "kernels/npu/attention_backward_emit.h"

#include <inttypes.h>
#include <string.h>

#define L(...) tsr_text_line(&g->t, __VA_ARGS__)

static void imm(struct gradient *g, int v, double x)
{
    float f = (float)x;
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    L("  vimm v%d, %" PRIu32, v, u);
}

static void setup(struct gradient *g)
{
    const double log2_e = 1.4426950408889634;
    L(".routine setup");
    imm(g, 24, g->op->scale * log2_e);
    imm(g, 25, g->op->scale);
    imm(g, 26, log2_e);
    L("  vimm v27, 1\n  vimm v31, 0\n  vret\n.end");
}

/* a0: lse, a line on delta, of the outer queries. */
static void lanes(struct gradient *g)
{
    L(".routine lanes\n  vld v29, a0, f32, %u\n  vld v28, a0, f32", g->line);
    L("  vmul v29, v29, v26\n  vret\n.end");
}

/* What hides keys: the row, the last (outer queries) or first (outer keys) row that the lane meets,
 * the end of its window. Beside outer queries v16..v23 are free, beside outer keys v28 and v29. */
static int row_number(const struct gradient *g)
{
    return g->by_query ? 23 : 30;
}
static int edge(const struct gradient *g)
{
    return g->by_query ? 21 : 28;
}
static int window_edge(const struct gradient *g)
{
    return g->by_query ? 22 : 29;
}

/* Of rows v0..v7 the elements 0 whose key the query does not see. v8..v15 free. */
static void hide(struct gradient *g)
{
    if (!g->op->causal)
        return;
    for (int i = 0; i < 8; i++) {
        const int row = row_number(g), e = edge(g), w = window_edge(g);
        L("  vilt v%d, v%d, v%d", 8 + i, g->by_query ? e : row, g->by_query ? row : e);
        L("  vsel v%d, v%d, v31, v%d", i, 8 + i, i);
        if (g->op->window) {
            L("  vilt v%d, v%d, v%d", 8 + i, g->by_query ? w : row, g->by_query ? row : w);
            L("  vsel v%d, v%d, v%d, v31", i, 8 + i, i);
        }
        L("  viadd v%d, v%d, v27", row, row);
    }
}

/* v<to>.. minus lse or delta of the row (from address register `at`) or the lane (v<lane>). */
static void minus(struct gradient *g, int to, int at, int lane, bool scaled)
{
    for (int i = 0; i < 8 && !g->by_query; i++)
        L("  vldb v%d, a%d, f32, 4", 16 + i, at);
    for (int i = 0; i < 8 && !g->by_query && scaled; i++)
        L("  vmul v%d, v%d, v26", 16 + i, 16 + i);
    for (int i = 0; i < 8; i++)
        L("  vsub v%d, v%d, v%d", to + i, to + i, g->by_query ? lane : 16 + i);
}

/* a0 S, a1 T, a2 W, a3 turns of 8 rows, a4 lse of the rows and behind it delta, a5 the position of
 * lane 0 from that of row 0 on. */
static void weights(struct gradient *g)
{
    const bool grad = g->part != TSR_GRADIENT_DV;
    const uint32_t row_lines = g->side / g->lanes;
    const int e = edge(g), w = window_edge(g);
    L(".routine weights\n  aaddi a6, a4, %u\n  vidx v0\n  vsplat v%d, a5", g->side * 4, e);
    L("  viadd v%d, v%d, v0\n  vimm v%d, 0", e, e, row_number(g));
    if (g->op->window)
        L("  vimm v%d, %" PRIu64 "\n  %s v%d, v%d, v%d", w, g->op->window,
          g->by_query ? "visub" : "viadd", w, e, w);
    L("  vloop a3, weights_end");
    for (int i = 0; i < 8; i++)
        L("  vlda v%d, a0, %u", i, row_lines);
    for (int i = 0; i < 8 && grad; i++)
        L("  vlda v%d, a1, %u", 8 + i, row_lines);
    for (int i = 0; i < 8; i++)
        L("  vmul v%d, v%d, v24", i, i);
    minus(g, 0, 4, 29, true);
    for (int i = 0; i < 8; i++)
        L("  vexp2 v%d, v%d", i, i);
    if (grad) {
        minus(g, 8, 6, 28, false);
        for (int i = 0; i < 8; i++)
            L("  vmul v%d, v%d, v%d", i, i, 8 + i);
        for (int i = 0; i < 8; i++)
            L("  vmul v%d, v%d, v25", i, i);
    }
    hide(g);
    for (int i = 0; i < 8; i++)
        L("  vst v%d, a2, %s, %u", i, g->format, g->line);
    L("weights_end:\n  vret\n.end");
}

/* a0 O, a1 dO, a2 where the sums of their products go, a lane for each row. */
static void delta(struct gradient *g)
{
    const struct gradient_operand *x = &g->x[0];
    L(".routine delta\n  vimm v20, 0\n  vimm v21, 0\n  vidx v22\n  ali a12, %u\n  vloop a12, "
      "delta_end",
      g->lanes);
    L("  vimm v0, 0");
    for (uint32_t s = 0; s < x->slabs; s++)
        for (uint32_t c = 0; c < x->cols; c += g->lanes) {
            const uint32_t left = x->cols - c, at = s * g->lanes * g->line + c * g->element;
            L("  ali a10, %u\n  vlen a10", left < g->lanes ? left : g->lanes);
            L("  aaddi a8, a0, %u\n  aaddi a9, a1, %u", at, at);
            L("  vld v1, a8, %s\n  vld v2, a9, %s\n  vfma v0, v1, v2, v0", g->format, g->format);
        }
    L("  ali a10, %u\n  vlen a10\n  vsum v1, v0\n  vxor v2, v21, v22", g->lanes);
    L("  vsel v20, v2, v20, v1\n  viadd v21, v21, v27");
    L("  aaddi a0, a0, %u\n  aaddi a1, a1, %u", g->line, g->line);
    L("delta_end:\n  vst v20, a2, f32\n  vret\n.end");
}

void gradient_routines(struct gradient *g)
{
    setup(g);
    if (g->part == TSR_GRADIENT_DELTA) {
        delta(g);
        return;
    }
    lanes(g);
    weights(g);
}
