/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients: W of a step that hides nothing, as most of a long context are. Eight rows a turn, all
 * 4D of the block (those that it does not have are multiplied by none). What the memory slot does
 * is all that takes time: a load each of S and T and a store a row, beside outer keys lse and delta
 * of the row too; the arithmetic of a turn stands beside them, its last part in the next turn. The
 * first turn's left-overs are of registers as they are: they go to the lines of slack before W. */
#include "kernels/npu/attention_backward_emit.h"

#define L(...) tsr_text_line(&g->t, __VA_ARGS__)

static void load(struct gradient *g, int v, int from)
{
    L("  vlda v%d, a%d, %u", v, from, g->side / g->lanes);
}

static void store(struct gradient *g, int v)
{
    L("  vst v%d, a2, %s, %u", v, g->format, g->line);
}

/* Outer queries, 24 cycles: S in v0..v7 and v16..v23 in turns, T in v8..v15. (The last turn
 * loads eight rows of S more than there are, which are T's.) */
static void by_query(struct gradient *g)
{
    for (int i = 0; i < 8; i++)
        load(g, i, 0);
    L("  ali a9, %u\n  vloop a9, whole_end", g->side / 16);
    for (int turn = 0; turn < 2; turn++) {
        const int s = turn ? 16 : 0, other = 16 - s;
        for (int i = 0; i < 8; i++) {
            L("  vmul v%d, v%d, v%d", other + i, other + i, 8 + i);
            load(g, 8 + i, 1);
        }
        for (int i = 0; i < 8; i++) {
            L("  vexp2_fma v%d, v%d, v24, v29", s + i, s + i);
            store(g, other + i);
        }
        for (int i = 0; i < 8; i++) {
            L("  vsub v%d, v%d, v28", 8 + i, 8 + i);
            load(g, other + i, 0);
        }
    }
    L("whole_end:");
    for (int i = 0; i < 8; i++)
        L("  vmul v%d, v%d, v%d", 16 + i, 16 + i, 8 + i);
    for (int i = 0; i < 8; i++)
        store(g, 16 + i);
}

/* Outer keys, 40 cycles: S v0..v7, T v8..v15, of the rows lse, then delta v16..v23. */
static void by_key(struct gradient *g)
{
    L("  aaddi a6, a4, %u\n  ali a9, %u\n  vloop a9, whole_end", g->side * 4, g->side / 8);
    for (int i = 0; i < 8; i++) {
        L("  vmul v%d, v%d, v%d", i, i, 8 + i);
        L("  vldb v%d, a4, f32, 4", 16 + i);
    }
    for (int i = 0; i < 8; i++) {
        L("  vfma v%d, v%d, v26, v25", 16 + i, 16 + i);
        store(g, i);
    }
    for (int i = 0; i < 8; i++)
        load(g, i, 0);
    for (int i = 0; i < 8; i++) {
        L("  vexp2_fma v%d, v%d, v24, v%d", i, i, 16 + i);
        load(g, 8 + i, 1);
    }
    for (int i = 0; i < 8 + 4; i++) {
        if (i >= 4)
            L("  vsub v%d, v%d, v%d", 4 + i, 4 + i, 12 + i);
        if (i < 8)
            L("  vldb v%d, a6, f32, 4", 16 + i);
    }
    L("whole_end:");
    for (int i = 0; i < 8; i++)
        L("  vmul v%d, v%d, v%d", i, i, 8 + i);
    for (int i = 0; i < 8; i++)
        store(g, i);
}

/* dV, 24 cycles: W is P. */
static void values(struct gradient *g)
{
    L("  ali a9, %u\n  vloop a9, whole_end", g->side / 8);
    for (int i = 0; i < 8; i++) {
        L("  vexp2_fma v%d, v%d, v24, v%d", i, i, 16 + i);
        L("  vldb v%d, a4, f32, 4", 16 + i);
    }
    for (int i = 0; i < 8; i++) {
        L("  vfma v%d, v%d, v26, v25", 16 + i, 16 + i);
        store(g, i);
    }
    for (int i = 0; i < 8; i++)
        load(g, i, 0);
    L("whole_end:");
    for (int i = 0; i < 8; i++)
        L("  vexp2_fma v%d, v%d, v24, v%d", i, i, 16 + i);
    for (int i = 0; i < 8; i++)
        store(g, i);
}

/* a0 S, a1 T, a2 W, a4 lse of the rows and behind it delta. */
void gradient_whole(struct gradient *g)
{
    L(".routine whole\n  aaddi a2, a2, %d", -GRADIENT_SLACK * (int)g->line);
    if (g->by_query)
        by_query(g);
    else if (g->part == TSR_GRADIENT_DV)
        values(g);
    else
        by_key(g);
    L("  vret\n.end");
}
