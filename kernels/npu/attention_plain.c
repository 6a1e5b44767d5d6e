/* SPDX-License-Identifier: Apache-2.0 */
/* The softmax of a whole key block that hides nothing: what most steps of a long context are. As
 * softmax in attention_tvp.c, which has the registers, but without masked rows, and with what its
 * loops leave over peeled off and put where the other slot has work: kb loads for the maximum, kb
 * loads and kb stores for the weights are all that the memory slot does, and between them the way
 * from the last score to the first weight (about 50 cycles, 16 loads in them).
 *
 * The sum stays in its four chains v26 v27 v28 v31 from step to step. */
#include "kernels/npu/attention_plan.h"
#include "kernels/npu/text.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

enum {
    TURN = 16 /* rows */
};

/* Of the turn's pairs in the order in which they are complete, one every other cycle. */
static void maximum_of(struct tsr_text *t, int pair)
{
    L("  vmax3 v%d, v%d, v%d, v%d", 16 + pair % 4, 16 + pair % 4, 2 * pair, 2 * pair + 1);
}

/* Rows in v0..v15, 16 a turn, from a8; maxima in v16..v19. */
static void maxima(const struct attention_plan *p, struct tsr_text *t)
{
    for (int i = 0; i < TURN; i++) { /* the first turn: constants instead of rows of one before */
        if (i < 4)
            L("  vimm v%d, %u", 16 + i, 0xFF800000u);
        if (i == 4)
            L("  ali a4, %u", p->kb / TURN - 1);
        if (i == 5)
            L("  aaddi a5, a1, 0");
        if (i == 0)
            L("  aaddi a8, a0, 0");
        if (i >= 6 && i % 2 == 0)
            maximum_of(t, (i / 2 + 5) % 8);
        L("  vlda v%d, a8, %u", i, p->row_lines);
    }
    L("  vloop a4, whole_max");
    for (int i = 0; i < TURN; i++) {
        if (i % 2 == 0)
            maximum_of(t, (i / 2 + 5) % 8);
        L("  vlda v%d, a8, %u", i, p->row_lines);
    }
    L("whole_max:");
    maximum_of(t, 5);
    L("  aaddi a9, a1, %d", -(1 + ATTENTION_SLACK) * (int)p->line);
    maximum_of(t, 6);
    L("  vlda v8, a0, %u", p->row_lines);
    L("  vlda v9, a0, %u", p->row_lines);
    maximum_of(t, 7);
}

/* The next n of rows 0..15, which come into v8..v15, v0..v7. */
static void early_rows(const struct attention_plan *p, struct tsr_text *t, int *row, int n)
{
    for (int end = *row + n; *row < end; ++*row)
        L("  vlda v%d, a0, %u", *row < 8 ? 8 + *row : *row - 8, p->row_lines);
}

static void weigh(struct tsr_text *t, int first, int n)
{
    for (int v = first; v < first + n; v++)
        L("  vexp2_fma v%d, v%d, v24, v25", v, v);
}

/* m, 2^-e, e, and the first weights, each where its sources are ready; the chains rescaled. */
static void new_maximum(const struct attention_plan *p, struct tsr_text *t)
{
    static const int chain[4] = {26, 27, 28, 31};
    int row = 2;
    early_rows(p, t, &row, 5);
    L("  vmax v16, v16, v17");
    early_rows(p, t, &row, 3);
    L("  vmax v18, v18, v19");
    early_rows(p, t, &row, 4);
    L("  vmax v16, v16, v18");
    early_rows(p, t, &row, 2);
    L("  vmul v16, v16, v24");
    L("  vceil v16, v16");
    L("  vmax v16, v16, v29");
    L("  vneg v25, v16\n  vsub v18, v16, v29");
    weigh(t, 8, 4);
    L("  vcvt_i v18, v18");
    weigh(t, 12, 4);
    L("  vst v18, a9, i32");
    L("  vsub v17, v29, v16\n  vmov v29, v16");
    weigh(t, 0, 4);
    L("  vexp2 v17, v17");
    for (int i = 0; i < 4; i++)
        L("  vmul v%d, v%d, v17", chain[i], chain[i]);
}

static void add_pair(struct tsr_text *t, int first, int pair)
{
    static const int chain[4] = {26, 27, 28, 31};
    int c = chain[pair];
    L("  vadd3 v%d, v%d, v%d, v%d", c, c, first + 2 * pair, first + 2 * pair + 1);
}

/* Stores v<first>.. and, in the arithmetic slot, exp2 of the last four of the other half, `more`
 * of it. */
static void store_half(const struct attention_plan *p, struct tsr_text *t, int first)
{
    int other = 8 - first;
    for (int k = 0; k < 8; k++) {
        if (k < 4)
            L("  vexp2_fma v%d, v%d, v24, v25", other + 4 + k, other + 4 + k);
        L("  vst v%d, a5, %s, %u", first + k, p->format, p->line);
    }
}

/* Sums v<first>.. and loads the next rows there; exp2 of the first four of them. */
static void load_half(const struct attention_plan *p, struct tsr_text *t, int first)
{
    for (int k = 0; k < 8; k++) {
        if (k < 4)
            add_pair(t, first, k);
        else
            L("  vexp2_fma v%d, v%d, v24, v25", first + k - 4, first + k - 4);
        L("  vlda v%d, a0, %u", first + k, p->row_lines);
    }
}

bool attention_has_plain(const struct attention_plan *p)
{
    return !p->general && p->op->softcap == 0 && p->kb >= 2 * TURN;
}

/* a0 scores, a1 P. */
void attention_plain(const struct attention_plan *p, struct tsr_text *t)
{
    L(".routine softmax_whole");
    maxima(p, t);
    new_maximum(p, t);
    L("  vloop a4, whole_exp");
    store_half(p, t, 8);
    load_half(p, t, 8);
    store_half(p, t, 0);
    load_half(p, t, 0);
    L("whole_exp:");
    store_half(p, t, 8);
    for (int k = 0; k < 4; k++)
        add_pair(t, 8, k);
    for (int k = 0; k < 8; k++) {
        L("  vst v%d, a5, %s, %u", k, p->format, p->line);
        if (k % 2)
            add_pair(t, 0, k / 2);
    }
    L("  vret\n.end");
}
