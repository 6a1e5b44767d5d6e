/* SPDX-License-Identifier: Apache-2.0 */
/* The vector routines of gradients. Kept between routines: v24 scale log2(e) (with a soft cap 2 / c
 * times that), v25 log2 of what P is multiplied by, v26 -log2(e), v27 1, v31 0; of outer queries
 * v28 delta, v29 log2 of that factor less lse log2(e): W = 2^(s v24 + v29) (T - v28). */
#include "kernels/npu/attention_backward_emit.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define L(...) tsr_text_line(&g->t, __VA_ARGS__)

static const double log2_e = 1.4426950408889634;

static void imm(struct gradient *g, int v, double x)
{
    float f = (float)x;
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    L("  vimm v%d, %" PRIu32, v, u);
}

/* dS has the scale, and from a soft cap 1 - tanh^2 = 4 r (1 - r), r = 1 / (1 + e^(2 x / c)). */
static void setup(struct gradient *g)
{
    const struct tsr_npu_attention_backward *op = g->op;
    double factor = g->part == TSR_GRADIENT_DV ? 1 : op->softcap != 0 ? 4 * op->scale : op->scale;
    L(".routine setup");
    imm(g, 24, op->softcap != 0 ? 2 * op->scale / op->softcap * log2_e : op->scale * log2_e);
    imm(g, 25, log2(factor));
    imm(g, 26, -log2_e);
    L("  vimm v27, 1\n  vimm v31, 0\n  vret\n.end");
}

/* a0: lse, a line on delta, of the outer queries. */
static void lanes(struct gradient *g)
{
    L(".routine lanes\n  vld v29, a0, f32, %u\n  vld v28, a0, f32", g->line);
    L("  vfma v29, v29, v26, v25\n  vret\n.end");
}

/* ---- weights: any step --------------------------------------------------------------------------
 * What hides keys: the row, the last (outer queries) or first (outer keys) row that the lane meets,
 * the end of its window. Beside outer queries v16..v23 are free, beside outer keys v28 and v29.
 * With turns of 4 rows: S v0..v3, a soft cap's r (1 - r) v4..v7, T v8..v11, of rows v16..v19. */
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

/* ALiBi: its slope times log2(e), and as floats the lane's and the row's place. */
struct places {
    int slope, lane, row;
};

enum {
    V_ONE = 12,    /* 1.0, -2 c log2(e), c log2(e) */
    V_PREFIX = 19, /* outer queries: the end of the prefix from row 0 on */
    V_FREE = 20
};

static struct places places(const struct gradient *g)
{
    return g->by_query ? (struct places){16, 17, 18} : (struct places){21, 22, 23};
}

static void begin_rows(struct gradient *g)
{
    const struct tsr_npu_attention_backward *op = g->op;
    const int e = edge(g), w = window_edge(g);
    const struct places p = places(g);
    L("  vidx v0\n  vsplat v%d, a5\n  viadd v%d, v%d, v0\n  vimm v%d, 0", e, e, e, row_number(g));
    if (op->window)
        L("  vimm v%d, %" PRIu64 "\n  %s v%d, v%d, v%d", w, op->window,
          g->by_query ? "visub" : "viadd", w, e, w);
    if (op->softcap != 0) {
        imm(g, V_ONE + 1, -2 * op->softcap * log2_e);
        imm(g, V_ONE + 2, op->softcap * log2_e);
    }
    imm(g, V_ONE, 1.0);
    if (op->has_slopes)
        L("  vldb v%d, a7, f32\n  vmul v%d, v%d, v26\n  vcvt_f v%d, v%d\n  vimm v%d, 0", p.slope,
          p.slope, p.slope, p.lane, e, p.row);
    if (g->prefix && g->by_query)
        L("  vsplat v%d, a6", V_PREFIX);
    else if (g->prefix)
        L("  aaddi a11, a6, 0");
    if (op->has_mask)
        L("  aaddi a8, a4, %" PRIu64, gradient_mask_offset(g) - gradient_stats_offset(g));
    L("  aaddi a6, a4, %u", g->side * 4);
}

/* Of the turn's rows, S in v0.. becomes scale P (a soft cap: without its slope, which comes to
 * v4..). The slopes' register holds minus the slope: distances the other way round. */
static void probabilities(struct gradient *g)
{
    const struct tsr_npu_attention_backward *op = g->op;
    const struct places p = places(g);
    const int n = (int)g->turn;
    for (int i = 0; i < n && !g->by_query; i++)
        L("  vldb v%d, a4, f32, 4", 16 + i);
    for (int i = 0; i < n && !g->by_query; i++)
        L("  vfma v%d, v%d, v26, v25", 16 + i, 16 + i);
    if (op->softcap == 0 && !op->has_slopes) {
        for (int i = 0; i < n; i++)
            L("  vexp2_fma v%d, v%d, v24, v%d", i, i, g->by_query ? 29 : 16 + i);
        return;
    }
    for (int i = 0; i < n; i++)
        L("  vmul v%d, v%d, v24", i, i);
    if (op->softcap != 0) {
        for (int i = 0; i < n; i++)
            L("  vexp2 v%d, v%d\n  vadd v%d, v%d, v%d\n  vrcp v%d, v%d", i, i, i, i, V_ONE, i, i);
        for (int i = 0; i < n; i++)
            L("  vsub v%d, v%d, v%d\n  vmul v%d, v%d, v%d\n  vfma v%d, v%d, v%d, v%d", 4 + i, V_ONE,
              i, 4 + i, 4 + i, i, i, i, V_ONE + 1, V_ONE + 2);
    }
    for (int i = 0; i < n && op->has_slopes; i++)
        L("  vsub v%d, v%d, v%d\n  vadd v%d, v%d, v%d\n  vfma v%d, v%d, v%d, v%d", V_FREE,
          g->by_query ? p.lane : p.row, g->by_query ? p.row : p.lane, p.row, p.row, V_ONE, i,
          p.slope, V_FREE, i);
    for (int i = 0; i < n; i++)
        L("  vadd v%d, v%d, v%d\n  vexp2 v%d, v%d", i, i, g->by_query ? 29 : 16 + i, i, i);
}

/* v0.. times T - delta, in v8... */
static void differences(struct gradient *g)
{
    const int n = (int)g->turn;
    for (int i = 0; i < n && !g->by_query; i++)
        L("  vldb v%d, a6, f32, 4", 16 + i);
    for (int i = 0; i < n; i++)
        L("  vsub v%d, v%d, v%d", 8 + i, 8 + i, g->by_query ? 28 : 16 + i);
    for (int i = 0; i < n; i++)
        L("  vmul v%d, v%d, v%d", i, i, 8 + i);
    for (int i = 0; i < n && g->op->softcap != 0; i++)
        L("  vmul v%d, v%d, v%d", i, i, 4 + i);
}

/* Of rows v0.. the elements 0 whose key the query does not see. v8.. free, beside outer keys v16..
 * too. In the prefix (inside) neither diagonal nor window hides. */
static void hide(struct gradient *g)
{
    const struct tsr_npu_attention_backward *op = g->op;
    const int row = row_number(g), e = edge(g), w = window_edge(g),
              inside = g->by_query ? V_FREE : 18;
    if (g->prefix && !g->by_query)
        L("  vsplat v16, a11\n  vidx v17\n  vilt v%d, v17, v16", inside);
    for (uint32_t i = 0; i < g->turn; i++) {
        const uint32_t t = 8 + i;
        if (g->prefix && g->by_query)
            L("  vilt v%d, v%d, v%d", inside, row, V_PREFIX);
        if (op->causal)
            L("  vilt v%u, v%d, v%d", t, g->by_query ? e : row, g->by_query ? row : e);
        if (op->causal && g->prefix)
            L("  vsel v%u, v%d, v31, v%u", t, inside, t);
        if (op->causal)
            L("  vsel v%u, v%u, v31, v%u", i, t, i);
        if (op->window)
            L("  vilt v%u, v%d, v%d", t, g->by_query ? w : row, g->by_query ? row : w);
        if (op->window && g->prefix)
            L("  vsel v%u, v%d, v%d, v%u", t, inside, inside, t);
        if (op->window)
            L("  vsel v%u, v%u, v%u, v31", i, t, i);
        if (op->has_mask)
            L("  vld v%u, a8, i8, %u\n  vsel v%u, v%u, v%u, v31", t, g->line, i, t, i);
        L("  viadd v%d, v%d, v27", row, row);
    }
}

/* a0 S, a1 T, a2 W, a3 turns, a4 lse of the rows and behind it delta, then the mask; a5 the
 * position of lane 0 from that of row 0 on; a6 the end of the prefix from the first key on; a7 the
 * head's slope. */
static void weights(struct gradient *g)
{
    const bool grad = g->part != TSR_GRADIENT_DV;
    const uint32_t row_lines = g->side / g->lanes;
    L(".routine weights");
    begin_rows(g);
    L("  vloop a3, weights_end");
    for (uint32_t i = 0; i < g->turn; i++)
        L("  vlda v%u, a0, %u", i, row_lines);
    for (uint32_t i = 0; i < g->turn && grad; i++)
        L("  vlda v%u, a1, %u", 8 + i, row_lines);
    probabilities(g);
    if (grad)
        differences(g);
    hide(g);
    for (uint32_t i = 0; i < g->turn; i++)
        L("  vst v%u, a2, %s, %u", i, g->format, g->line);
    L("weights_end:\n  vret\n.end");
}

/* ---- delta ---------------------------------------------------------------------------------- */

/* a0 O, a1 dO, a2 where the sums of their products go, a lane for each row. Eight rows a turn,
 * whose sums and loads do not wait for each other: v0..v7 the sums, v28 the result, v29 the row,
 * v30 lanes.
 */
static void delta(struct gradient *g)
{
    enum {
        TURN = 8
    };
    const struct gradient_operand *x = &g->x[0];
    L(".routine delta\n  vimm v28, 0\n  vimm v29, 0\n  vidx v30");
    L("  ali a12, %u\n  vloop a12, delta_end", g->lanes / TURN);
    for (int i = 0; i < TURN; i++)
        L("  vimm v%d, 0", i);
    for (uint32_t s = 0; s < x->slabs; s++)
        for (uint32_t c = 0; c < x->cols; c += g->lanes) {
            const uint32_t left = x->cols - c, at = s * g->lanes * g->line + c * g->element;
            L("  ali a10, %u\n  vlen a10", left < g->lanes ? left : g->lanes);
            L("  aaddi a8, a0, %u\n  aaddi a9, a1, %u", at, at);
            for (int i = 0; i < TURN; i++)
                L("  vld v%d, a8, %s, %u", 8 + i, g->format, g->line);
            for (int i = 0; i < TURN; i++)
                L("  vld v%d, a9, %s, %u", 16 + i, g->format, g->line);
            for (int i = 0; i < TURN; i++)
                L("  vfma v%d, v%d, v%d, v%d", i, 8 + i, 16 + i, i);
        }
    L("  ali a10, %u\n  vlen a10", g->lanes);
    for (int i = 0; i < TURN; i++)
        L("  vsum v%d, v%d", 8 + i, i);
    for (int i = 0; i < TURN; i++)
        L("  vxor v%d, v29, v30\n  viadd v29, v29, v27", 16 + i);
    for (int i = 0; i < TURN; i++)
        L("  vsel v28, v%d, v28, v%d", 16 + i, 8 + i);
    L("  aaddi a0, a0, %u\n  aaddi a1, a1, %u", TURN * g->line, TURN * g->line);
    L("delta_end:\n  vst v28, a2, f32\n  vret\n.end");
}

void gradient_routines(struct gradient *g)
{
    setup(g);
    if (g->part == TSR_GRADIENT_DELTA) {
        delta(g);
        return;
    }
    lanes(g);
    if (g->edges)
        weights(g);
    if (!g->always)
        gradient_whole(g);
}
