/* SPDX-License-Identifier: Apache-2.0 */
/* The softmax of a whole key block that hides nothing: what most steps of a long context are. As
 * softmax in attention_tvp.c, which has the registers, but without masked rows, and with what its
 * loops leave over peeled off and put where the other slot has work: kb loads for the maximum, kb
 * loads and kb stores for the weights are all that the memory slot does, and between them the way
 * from the last score to the first weight (about 50 cycles, 24 loads in them).
 *
 * The sum stays in its four chains v26 v27 v28 v31 from step to step. */
#include "kernels/npu/attention_plan.h"
#include "kernels/npu/text.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

enum {
    TURN = 16 /* rows */
};

static const int chain[4] = {26, 27, 28, 31};

/* Where row i of an octet is in the second pass: three octets in turns. The third one's first rows
 * come while v16..v18 still hold the maximum and what follows from it. */
static int row_register(uint32_t octet, int i)
{
    static const int at[3][8] = {
        {8, 9, 10, 11, 12, 13, 14, 15}, {0, 1, 2, 3, 4, 5, 6, 7}, {19, 20, 21, 22, 23, 16, 18, 17}};
    return at[octet % 3][i];
}

static void load_rows(const struct attention_plan *p, struct tsr_text *t, uint32_t octet, int from,
                      int to)
{
    for (int i = from; i < to; i++)
        L("  vlda v%d, a0, %u", row_register(octet, i), p->row_lines);
}

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
    load_rows(p, t, 0, 0, 2);
    maximum_of(t, 7);
}

static void weigh(struct tsr_text *t, uint32_t octet, int i)
{
    int v = row_register(octet, i);
    L("  vexp2_fma v%d, v%d, v24, v25", v, v);
}

/* m, 2^-e, e, and the first weights, each where its sources are ready; the chains rescaled. */
static void new_maximum(const struct attention_plan *p, struct tsr_text *t)
{
    load_rows(p, t, 0, 2, 7);
    L("  vmax v16, v16, v17");
    load_rows(p, t, 0, 7, 8);
    load_rows(p, t, 1, 0, 2);
    L("  vmax v18, v18, v19");
    load_rows(p, t, 1, 2, 6);
    L("  vmax v16, v16, v18");
    load_rows(p, t, 1, 6, 8);
    load_rows(p, t, 2, 0, 5);
    L("  vmul v16, v16, v24");
    L("  vceil v16, v16");
    L("  vmax v16, v16, v29");
    attention_minus_m(p, t);
    L("  vsub v18, v16, v29\n  vsub v17, v29, v16");
    for (int i = 0; i < 4; i++)
        weigh(t, 0, i);
    L("  vcvt_i v18, v18\n  vexp2 v17, v17");
    for (int i = 4; i < 8; i++)
        weigh(t, 0, i);
    L("  vst v18, a9, i32\n  vmov v29, v16");
    load_rows(p, t, 2, 5, 7);
    for (int i = 0; i < 4; i++)
        L("  vmul v%d, v%d, v17", chain[i], chain[i]);
    load_rows(p, t, 2, 7, 8);
}

static void add_pair(struct tsr_text *t, uint32_t octet, int pair)
{
    int c = chain[pair];
    L("  vadd3 v%d, v%d, v%d, v%d", c, c, row_register(octet, 2 * pair),
      row_register(octet, 2 * pair + 1));
}

/* Weighs the next row if it has been loaded for LOADED cycles by cycle `at` of the second pass, in
 * which an octet takes 16: 8 for its stores, 8 for the loads of the third one after it. */
static void weigh_next(struct tsr_text *t, uint32_t n, uint32_t at, uint32_t *next)
{
    enum {
        LOADED = 4
    };
    uint32_t octet = *next / 8, row = *next % 8;
    if (octet >= n || (octet > 2 && (octet - 3) * 16 + 8 + row + LOADED > at))
        return;
    weigh(t, octet, (int)row);
    ++*next;
}

/* The second pass by octets of rows: stored, then summed while the third one after it comes into
 * its registers; rows become weights as soon as they may, 14 cycles before their store or more. */
static void weights(const struct attention_plan *p, struct tsr_text *t)
{
    const uint32_t n = p->kb / 8;
    uint32_t next = 8, at = 0;
    for (uint32_t o = 0; o < n; o++) {
        const bool sums_left = o > 0 && o + 2 >= n; /* of the octet before, which nothing follows */
        for (int i = 0; i < 8; i++, at++) {
            if (sums_left && i < 4)
                add_pair(t, o - 1, i);
            else
                weigh_next(t, n, at, &next);
            L("  vst v%d, a5, %s, %u", row_register(o, i), p->format, p->line);
        }
        for (int i = 0; i < 8 && o + 3 < n; i++, at++) {
            if (i < 4)
                add_pair(t, o, i);
            else
                weigh_next(t, n, at, &next);
            load_rows(p, t, o + 3, i, i + 1);
        }
    }
    for (int i = 0; i < 4; i++)
        add_pair(t, n - 1, i);
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
    weights(p, t);
    L("  vret\n.end");
}
