/* SPDX-License-Identifier: Apache-2.0 */
/* Scores to u, which a soft cap makes costly; and the second pass with one: a part of softmax in
 * attention_tvp.c, which has the registers. */
#include <string.h>

#include "kernels/npu/attention_plan.h"
#include "kernels/npu/text.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

static const double log2_e = 1.4426950408889634;

static unsigned bits(double x)
{
    float f = (float)x;
    unsigned u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static void imm(struct tsr_text *t, int v, double x)
{
    L("  vimm v%d, %u", v, bits(x));
}
/* v[r] -> u in place for n registers: s c, or with a soft cap cap log2(e) tanh, as
 * c' - 2 c' / (1 + 2^x) with 1, -2 c', c' in v[k].. */
void attention_score(const struct attention_plan *p, struct tsr_text *t, int r, int n, int k)
{
    for (int i = r; i < r + n && p->fused_cap; i++)
        L("  vsoftcap v%d, v%d, v24, v%d", i, i, k + 1);
    if (p->fused_cap)
        return;
    for (int i = r; i < r + n; i++)
        L("  vmul v%d, v%d, v24", i, i);
    if (p->op->softcap == 0)
        return;
    for (int i = r; i < r + n; i++)
        L("  vexp2 v%d, v%d", i, i);
    for (int i = r; i < r + n; i++)
        L("  vadd v%d, v%d, v%d", i, i, k);
    for (int i = r; i < r + n; i++)
        L("  vrcp v%d, v%d", i, i);
    for (int i = r; i < r + n; i++)
        L("  vfma v%d, v%d, v%d, v%d", i, i, k + 1, k + 2);
}

void attention_softcap_constants(const struct attention_plan *p, struct tsr_text *t, int k)
{
    if (p->op->softcap == 0)
        return;
    imm(t, k, 1.0);
    imm(t, k + 1, -2 * p->op->softcap * log2_e);
    imm(t, k + 2, p->op->softcap * log2_e);
}

static void add_pair(struct tsr_text *t, int first, int pair)
{
    static const int chain[4] = {26, 27, 28, 31};
    int c = chain[pair];
    L("  vadd3 v%d, v%d, v%d, v%d", c, c, first + 2 * pair, first + 2 * pair + 1);
}

/* Step x of a capped score's way to its weight, in v<i>: 2^(c s), + 1, reciprocal, u, p. v8 1, v9
 * -2 c', v10 c', v11 0. Where there is vsoftcap: u, p. */
static void capped_step(const struct attention_plan *p, struct tsr_text *t, int x, int i)
{
    static const char *const steps[] = {"vexp2_fma v%d, v%d, v24, v11", "vadd v%d, v%d, v8",
                                        "vrcp v%d, v%d", "vfma v%d, v%d, v9, v10",
                                        "vexp2_fma v%d, v%d, v8, v25"};
    L(p->fused_cap && x == 0 ? "  vsoftcap v%d, v%d, v24, v9" : steps[p->fused_cap ? 4 : x], i, i);
}

/* 16 unmasked rows a turn with a soft cap, whose 4 instructions a row more than above bound it: two
 * halves side by side, v0..v7 and v16..v23, with the loads and stores beside them. */
void attention_capped_weights(const struct attention_plan *p, struct tsr_text *t)
{
    const int last = p->fused_cap ? 1 : 4;
    attention_softcap_constants(p, t, 8);
    L("  vimm v11, 0\n  vloop a4, plain_exp");
    for (int i = 0; i < 8; i++)
        L("  vlda v%d, a7, %u", i, p->row_lines);
    for (int x = 0; x <= last; x++)
        for (int half = 0; half < 2; half++)
            for (int i = 0; i < 8; i++) {
                capped_step(p, t, x, 16 * half + i);
                if (x == 0 && half == 0)
                    L("  vlda v%d, a7, %u", 16 + i, p->row_lines);
                else if (x == last && half == 1)
                    L("  vst v%d, a5, %s, %u", i, p->format, p->line);
            }
    for (int i = 0; i < 8; i++) {
        add_pair(t, i < 4 ? 0 : 16, i % 4);
        L("  vst v%d, a5, %s, %u", 16 + i, p->format, p->line);
    }
    L("plain_exp:");
}
