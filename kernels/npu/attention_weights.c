/* SPDX-License-Identifier: Apache-2.0 */
/* The attention program: a step's softmax, in the vector unit. */
#include <inttypes.h>

#include "kernels/npu/attention_emit.h"

/* Rows of the block: masked before, unmasked, masked after (softmax's a2, a4, a3). */
static void mask_counts(struct emit *e)
{
    const struct attention_plan *p = e->p;
    if (p->op->causal) {
        L("  sub x%d, x%d, x%d", T6, X_POS, X_KEY); /* last key that the first token sees */
        L("  addi x%d, x%d, 1", T4, T6);
        if (p->op->prefix) {
            L("  ld x%d, x0, %d\n  lw x%d, x%d, %d", T2, C_UNIT, T2, T2, R_PREFIX);
            L("  sub x%d, x%d, x%d\n  max x%d, x%d, x%d", T2, T2, X_KEY, T4, T4, T2);
        }
        L("  min x%d, x%d, x%d", T4, T4, X_NK);
    } else {
        L("  addi x%d, x%d, -1", T6, X_NK);
        L("  addi x%d, x%d, 0", T4, X_NK);
    }
    if (p->window) {    /* rows that the last token does not see any more */
        if (p->records) /* a split ends before what the last token sees */
            L("  ld x%d, x0, %d\n  add x%d, x%d, x%d\n  sub x%d, x%d, x%d", T2, C_TOKENS, T2, T2,
              X_POS, T2, T2, X_KEY);
        else
            L("  sub x%d, x%d, x%d", T2, X_HI, X_KEY);
        L("  addi x%d, x%d, -%" PRIu64, T2, T2, p->window);
        L("  min x%d, x%d, x%d", T2, T2, X_NK);
        L("  max x%d, x%d, x0", T2, T2);
        L("  addi x%d, x%d, 7", T2, T2);
        L("  andi x%d, x%d, -8", T2, T2);
        L("  sub x%d, x%d, x%d", T4, T4, T2);
        L("  muli x%d, x%d, %u", T5, T2, p->line);
        L("  addi x%d, x%d, -1", X_KV, X_NK);
        L("  sub x%d, x%d, x%d", T3, X_NK, T2);
        L("  shri x%d, x%d, 3", T2, T2);
    } else {
        L("  addi x%d, x%d, 0", T3, X_NK);
    }
    L("  max x%d, x%d, x0", T4, T4);
    L("  andi x%d, x%d, -16", T4, T4);
    L("  sub x%d, x%d, x%d", T3, T3, T4);
    L("  addi x%d, x%d, 7", T3, T3);
    L("  shri x%d, x%d, 3", T3, T3);
    L("  shri x%d, x%d, 4", T4, T4);
}

static void plain_softmax(struct emit *e)
{
    const struct attention_plan *p = e->p;
    const uint64_t e_lines = (uint64_t)(1 + ATTENTION_SLACK) * p->line;
    mask_counts(e);
    attn_buffer(e, T0, X_PAR, PAR_STEP, 0, (uint64_t)p->s_banks * p->bank_lines);
    attn_buffer(e, T1, X_PAR, PAR_STEP, p->p + e_lines, p->p_bytes);
    if (attention_has_plain(p)) {
        L("  addi x%d, x%d, -%u\n  bne x%d, x0, partly", T4, T4, p->kb / 16, T4);
        L("  vcall softmax_whole, x%d, x%d wait(s%d) post(s%d)", T0, T1, S_SCORES, S_WEIGHTS);
        L("  jmp whole");
        L("partly:");
        L("  addi x%d, x%d, %u", T4, T4, p->kb / 16);
    }
    if (p->window) {
        L("  add x%d, x%d, x%d", T5, T5, T1);
        L("  vcall softmax, x%d, x%d, x%d, x%d, x%d, x%d, x%d, x%d wait(s%d) post(s%d)", T0, T1, T2,
          T3, T4, T5, T6, X_KV, S_SCORES, S_WEIGHTS);
    } else {
        if (p->op->prefix) {
            L("  ld x%d, x0, %d\n  lw x%d, x%d, %d", T2, C_UNIT, T2, T2, R_PREFIX);
            L("  sub x%d, x%d, x%d\n  addi x%d, x%d, -1", T2, T2, X_KEY, T2, T2);
        }
        if (p->edges) { /* rows from 16 x4 on, 16 a turn */
            L("  shli x%d, x%d, 4\n  sub x%d, x%d, x%d", T2, T4, T2, T2, T6);
            L("  muli x%d, x%d, %u", T2, T2, p->line);
            L("  addi x%d, x%d, %" PRIu64, T2, T2, p->edge + ATTENTION_EDGE * p->line);
            L("  addi x%d, x%d, 1\n  shri x%d, x%d, 1", T3, T3, T3, T3);
        }
        L("  vcall softmax, x%d, x%d, x%d, x%d, x%d, x%d, x%d, x%d wait(s%d) post(s%d)", T0, T1,
          p->edges ? T2 : 0, T3, T4, T1, T6, p->op->prefix ? T2 : 0, S_SCORES, S_WEIGHTS);
    }
    if (attention_has_plain(p))
        L("whole:");
}

void attn_weights(struct emit *e)
{
    char waits[32];
    const struct attention_plan *p = e->p;
    L("  andi x%d, x%d, %d", T0, X_CF, FIRST);
    L("  beq x%d, x0, begun", T0);
    attn_clause(waits, sizeof waits, "wait", p->op->has_sinks ? S_SINK : -1,
                p->op->has_slopes ? S_SLOPES : -1);
    if (p->op->has_sinks) {
        attn_buffer(e, T0, X_PAR, PAR_ITEM, p->sink, p->line);
        L("  vcall init, x%d%s post(s%d)", T0, waits, S_SINK_FREE);
        if (p->splits > 1) { /* they count once */
            L("  ld x%d, x0, %d\n  beq x%d, x0, begun", T0, C_SPLIT, T0);
            L("  vcall init_plain");
        }
    } else {
        L("  vcall init%s", waits);
    }
    L("begun:");
    if (p->general)
        attn_general_softmax(e);
    else
        plain_softmax(e);
    L("  andi x%d, x%d, %d", T0, X_CF, LAST);
    L("  beq x%d, x0, unfinished", T0);
    if (p->splits > 1)
        attn_li(e, T0, (int64_t)p->partial);
    else
        attn_buffer(e, T0, X_PAR, PAR_ITEM, p->inverse, p->inverse_bytes);
    attn_clause(waits, sizeof waits, "post", p->op->has_slopes ? S_SLOPES_FREE : -1, -1);
    L("  vcall finish, x%d%s", T0, waits);
    L("unfinished:");
}
