/* SPDX-License-Identifier: Apache-2.0 */
/* The vector routines of attention. Lanes are query rows; a row of the score accumulators is a key.
 *
 * State kept between routines: v24 scale log2(e) (with a soft cap 2 / c times that), v26 v27 v28
 * v31 chains of the sum l, v29 the running maximum m (an integer), v30 the lane's token.
 *
 * softmax reads the scores twice, 16 keys a turn: once for the maximum (16 cycles), once for
 * p = exp2(s c - m), its sum and its store (40 cycles: 16 fma, 16 exp2, 8 add3). Both loops are
 * software pipelines: what a turn leaves over is done at the start of the next, and after the loop;
 * for the first turn the left-overs are neutral values, and the stores they bring go to the lines
 * of slack before P (or to rows that are written later). No turn reads ahead, because the next bank
 * may be owned by an mma. Stores go out as bursts of 8 rising lines, 16 or 24 cycles apart:
 * multiples of 8, so that the port never waits (isa/MACHINE.md, TSRAM ports).
 *
 * Rows at the ends of what the lanes see ("masked") are handled 8 keys a turn: the first pass
 * stores the masked u = s c in TSRAM, the second reads that. */
#include <string.h>

#include "kernels/npu/attention_plan.h"
#include "kernels/npu/text.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

static const double log2_e = 1.4426950408889634;

static const double lowest = -0x1p30; /* m before the first key */

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
/* f8e4m3 ends at 2^-9: 2^8 p is at most 256 and keeps 17 binary places; l is as much larger. */
int attention_shift(const struct attention_plan *p)
{
    return p->element == 1 ? 8 : 0;
}

/* v25 = shift - m, from m in v16; v20. */
void attention_minus_m(const struct attention_plan *p, struct tsr_text *t)
{
    if (!attention_shift(p)) {
        L("  vneg v25, v16");
        return;
    }
    imm(t, 20, attention_shift(p));
    L("  vsub v25, v20, v16");
}

static void minus_infinity(struct tsr_text *t, int v)
{
    L("  vimm v%d, %u", v, 0xFF800000u);
}

/* v30 = floor((lane + 1/2) / group): exact, since the distance to an integer is at least
 * 1 / (2 group) and both roundings together are below 256 x 2^-23. */
static void setup(const struct attention_plan *p, struct tsr_text *t)
{
    const struct tsr_npu_attention *op = p->op;
    L(".routine setup");
    imm(t, 24, op->softcap != 0 ? 2 * op->scale / op->softcap * log2_e : op->scale * log2_e);
    if (op->causal || op->has_slopes || p->seen) {
        L("  vidx v0");
        L("  vcvt_f v0, v0");
        imm(t, 1, 0.5);
        L("  vadd v0, v0, v1");
        imm(t, 1, 1.0 / p->group);
        L("  vmul v0, v0, v1");
        L("  vfloor v0, v0");
        L("  vcvt_i v30, v0");
    } else {
        L("  vimm v30, 0");
    }
    if (p->edges)
        attention_edge_table(p, t);
    L("  vret\n.end");
}

/* A new block of queries. a0: the sinks of its rows. */
static void init(const struct attention_plan *p, struct tsr_text *t, const char *name,
                 const char *sink_format)
{
    L(".routine %s", name);
    if (sink_format) {
        L("  vld v0, a0, %s", sink_format);
        imm(t, 1, log2_e);
        L("  vmul v0, v0, v1");
        L("  vceil v29, v0");
        imm(t, 1, lowest);
        L("  vmax v29, v29, v1");
        L("  vsub v0, v0, v29");
        if (attention_shift(p)) {
            imm(t, 1, attention_shift(p));
            L("  vadd v0, v0, v1");
        }
        L("  vexp2 v26, v0");
    } else {
        imm(t, 29, lowest);
        L("  vimm v26, 0");
    }
    L("  vimm v27, 0\n  vimm v28, 0\n  vimm v31, 0");
    L("  vret\n.end");
}

/* ---- first pass: the maximum. v16..v19 of unmasked scores, v20 of masked u; v23 row number -- */

/* 8 masked rows a turn: `count` turns, scores from `s`. v27 1, v28 16, v31 -infinity; the lane's
 * last key in v21, the one before its first in v22; u goes to a12. */
static void masked_maximum(const struct attention_plan *p, struct tsr_text *t, int count, int s,
                           const char *end)
{
    L("  vloop a%d, %s", count, end);
    attention_softcap_constants(p, t, 8);
    for (int i = 0; i < 8; i++)
        L("  vlda v%d, a%d, %u", i, s, p->row_lines);
    attention_score(p, t, 0, 8, 8);
    if (p->general)
        attention_general_rows(p, t);
    for (int i = 0; i < 8 && !p->general; i++) {
        L("  vilt v%d, v21, v23", 8 + i);
        L("  vsel v%d, v%d, v31, v%d", i, 8 + i, i);
        if (p->window) {
            L("  vilt v%d, v22, v23", 8 + i);
            L("  vsel v%d, v%d, v%d, v31", i, 8 + i, i);
        }
        L("  viadd v23, v23, v27");
    }
    for (int i = 0; i < 8; i++)
        L("  vst v%d, a12, f32, %u", i, p->line);
    for (int i = 0; i < 8; i += 2)
        L("  vmax3 v20, v20, v%d, v%d", i, i + 1);
    L("%s:", end);
}

/* 16 unmasked rows a turn in v0..v15, from a8: 16 cycles. Rows 10..15 wait for the next turn; four
 * chains, 8 cycles from one max3 to the next of a chain. */
static void plain_maximum(const struct attention_plan *p, struct tsr_text *t)
{
    for (int i = 10; i < 16; i++)
        minus_infinity(t, i);
    L("  vloop a4, plain_max");
    for (int i = 0; i < 16; i++) {
        int pair = (i / 2 + 5) % 8;
        if (i % 2 == 0)
            L("  vmax3 v%d, v%d, v%d, v%d", 16 + pair % 4, 16 + pair % 4, 2 * pair, 2 * pair + 1);
        L("  vlda v%d, a8, %u", i, p->row_lines);
    }
    L("  viadd v23, v23, v28");
    L("plain_max:");
    for (int pair = 5; pair < 8; pair++)
        L("  vmax3 v%d, v%d, v%d, v%d", 16 + pair % 4, 16 + pair % 4, 2 * pair, 2 * pair + 1);
}

static void first_pass(const struct attention_plan *p, struct tsr_text *t)
{
    L("  ali a12, %llu", (unsigned long long)p->masked);
    if (p->general) {
        attention_general_begin(p, t);
        masked_maximum(p, t, 3, 8, "tail_max");
        return;
    }
    L("  vsplat v21, a6");
    for (int v = 16; v <= 20; v++)
        minus_infinity(t, v);
    minus_infinity(t, 31);
    L("  viadd v21, v21, v30");
    if (p->op->prefix && !p->window)
        L("  vsplat v0, a7\n  vimax v21, v21, v0");
    L("  vimm v23, 0\n  vimm v27, 1\n  vimm v28, 16");
    if (p->window) {
        L("  vimm v22, %llu", (unsigned long long)p->window);
        L("  vsplat v0, a7");
        L("  visub v22, v21, v22");
        L("  vimin v21, v21, v0");
        masked_maximum(p, t, 2, 0, "front_max");
    }
    L("  aaddi a7, a0, 0\n  aaddi a8, a0, 0");
    plain_maximum(p, t);
    if (p->edges) {
        attention_edge_maximum(p, t);
        return;
    }
    masked_maximum(p, t, 3, 8, "tail_max");
}

/* The new m, 2^-e and e = m - old m, and l rescaled; zeros for what the second pass starts with,
 * put where the chain waits. */
static void new_maximum(const struct attention_plan *p, struct tsr_text *t)
{
    L("  aaddi a9, a1, %d", -(1 + ATTENTION_SLACK) * (int)p->line);
    L("  ali a13, %llu", (unsigned long long)p->masked);
    if (p->general)
        L("  vmov v16, v20\n  vmov v17, v20\n  vmov v18, v20\n  vmov v19, v20");
    L("  vmax3 v16, v16, v17, v18");
    L("  aaddi a11, a5, %d", -8 * (int)p->line);
    for (int v = 8; v < 14; v++)
        L("  vimm v%d, 0", v);
    L("  vmax v16, v16, v19");
    L("  vimm v14, 0\n  vimm v15, 0\n  vimm v27, 0");
    if (p->general) {
        L("  vimm v31, 0");
    } else if (p->op->softcap != 0) { /* -infinity (no unmasked row) would become -cap */
        attention_softcap_constants(p, t, 17);
        L("  veq v0, v16, v31");
        L("  vmov v1, v16");
        attention_score(p, t, 16, 1, 17);
        L("  vsel v16, v0, v1, v16");
    } else {
        attention_score(p, t, 16, 1, 17);
    }
    L("  vimm v28, 0\n  vimm v31, 0\n  vimm v21, 0");
    L("  vmax v16, v16, v20");
    L("  vimm v22, 0\n  vimm v23, 0\n  vimm v20, 0");
    L("  vceil v16, v16");
    L("  vimm v18, 0\n  vimm v19, 0");
    L("  vmax v16, v16, v29");
    L("  vsub v17, v29, v16");
    attention_minus_m(p, t);
    if (attention_shift(p)) /* what the pipeline of plain_weights starts with */
        L("  vimm v20, 0");
    L("  vsub v0, v16, v29");
    L("  vexp2 v17, v17");
    L("  vmov v29, v16");
    L("  vcvt_i v0, v0");
    L("  vimm v16, 0");
    L("  vmul v26, v26, v17");
    L("  vimm v17, 0");
    L("  vst v0, a9, i32");
}

/* ---- second pass: p, its sum in v26 v27 v28 v31, its store. -m in v25 ----------------------- */

static void add_pair(struct tsr_text *t, int first, int pair)
{
    static const int chain[4] = {26, 27, 28, 31};
    int c = chain[pair];
    L("  vadd3 v%d, v%d, v%d, v%d", c, c, first + 2 * pair, first + 2 * pair + 1);
}

/* 16 unmasked rows a turn of 32 cycles, one line per cycle: its arithmetic, then its memory
 * instruction. Rows 0..7 in v8..v15 go to a5, rows 8..15 in v16..v23 a turn later to a11; each
 * half is summed in the turn after, just before its registers are loaded again. */
static void plain_weights(const struct attention_plan *p, struct tsr_text *t)
{
    L("  vloop a4, plain_exp");
    for (int c = 0; c < 32; c++) {
        int k = c % 8, load = c < 16 ? 8 : 16, store = 24 - load;
        if (c % 16 < 4)
            add_pair(t, load, k);
        else if (c % 16 >= 8)
            L("  vexp2_fma v%d, v%d, v24, v25", load + k, load + k);
        if (c % 16 < 8)
            L("  vlda v%d, a7, %u", load + k, p->row_lines);
        else
            L("  vst v%d, a%d, %s, %u", store + k, store == 16 ? 11 : 5, p->format,
              k == 7 ? 9 * p->line : p->line);
    }
    L("plain_exp:");
    for (int k = 0; k < 8; k++) {
        L("  vst v%d, a11, %s, %u", 16 + k, p->format, p->line);
        add_pair(t, k < 4 ? 8 : 16, k % 4);
    }
}

/* 8 masked rows a turn: u from a13, p to `to`. */
static void masked_weights(const struct attention_plan *p, struct tsr_text *t, int count, int to,
                           const char *end)
{
    L("  vloop a%d, %s", count, end);
    for (int i = 0; i < 8; i++)
        L("  vld v%d, a13, f32, %u", i, p->line);
    for (int i = 0; i < 8; i++)
        L("  vadd v%d, v%d, v25", i, i);
    for (int i = 0; i < 8; i++)
        L("  vexp2 v%d, v%d", i, i);
    for (int i = 0; i < 8; i++)
        L("  vst v%d, a%d, %s, %u", i, to, p->format, p->line);
    for (int i = 0; i < 8; i += 2)
        L("  vadd3 v%d, v%d, v%d, v%d", 26 + i % 4, 26 + i % 4, i, i + 1);
    L("%s:", end);
}

static void counted_weights(const struct attention_plan *p, struct tsr_text *t)
{
    if (p->op->softcap != 0)
        attention_capped_weights(p, t);
    else
        plain_weights(p, t);
    if (p->window)
        masked_weights(p, t, 2, 1, "front_exp");
    if (p->edges)
        attention_edge_weights(p, t);
    else
        masked_weights(p, t, 3, 5, "tail_exp");
}

/* One key block. a0 scores, a1 P, a2 masked turns before and a3 after a4 unmasked ones; a5 P of the
 * first unmasked row; a6 the key of lane token 0's position, from the block's first; with a window
 * a7 the block's last key, with a prefix that's last; with edges a2 the line of the table for the
 * first row after the unmasked ones, a3 turns of 16 rows. Where any key may be hidden: a2 slopes,
 * a3 turns, a4 the prefix's end, a5 the mask, a6 as above, a7 the block's last key. */
static void softmax(const struct attention_plan *p, struct tsr_text *t)
{
    L(".routine softmax");
    L("  vadd3 v26, v26, v27, v28\n  vadd v26, v26, v31");
    first_pass(p, t);
    new_maximum(p, t);
    if (p->general)
        masked_weights(p, t, 3, 1, "tail_exp");
    else
        counted_weights(p, t);
    L("  vret\n.end");
}

/* a0: where 1 / l goes; 0 for a sum of nothing; behind it lse. Of a split: m and l themselves. */
static void finish(const struct attention_plan *p, struct tsr_text *t)
{
    L(".routine finish");
    L("  vadd3 v26, v26, v27, v28\n  vadd v26, v26, v31");
    if (p->splits > 1) {
        L("  vst v29, a0, f32, %u\n  vst v26, a0, f32", p->line);
        L("  vret\n.end");
        return;
    }
    L("  vimm v0, 0");
    L("  veq v1, v26, v0");
    L("  vrcp v2, v26");
    L("  vsel v2, v1, v0, v2");
    L("  vst v2, a0, f32, %u", p->line);
    if (p->op->has_lse) {
        imm(t, 0, attention_shift(p));
        imm(t, 1, 0.6931471805599453);
        L("  vsub v0, v29, v0\n  vlog2 v2, v26\n  vadd v2, v2, v0\n  vmul v2, v2, v1");
        L("  vst v2, a0, f32");
    }
    L("  vret\n.end");
}

/* Register of row i of vector x of O; odd and even vectors alternate. */
static uint32_t output_register(uint32_t x, uint32_t i)
{
    return x % 2 * 8 + i;
}

static void times_inverse(struct tsr_text *t, uint32_t x, uint32_t i)
{
    uint32_t v = output_register(x, i);
    L("  vmul v%u, v%u, v%u", v, v, 16 + i);
}

/* Where vector x is and goes, for the next eight rows: a8, a9 and a11, a12 in turns. */
static void output_addresses(const struct attention_plan *p, struct tsr_text *t, uint32_t x)
{
    const uint32_t per_slab = (p->v_cols + p->lanes - 1) / p->lanes, s = x / per_slab,
                   c = x % per_slab * p->lanes;
    L("  aaddi a%u, a0, %u", 8 + x % 2, attention_sum_line(p, s, c));
    L("  aaddi a%u, a1, %u", 11 + x % 2, (s * p->v_cols + c) * p->out_element);
}

/* Vector x of 8 rows of O; in the arithmetic slot the vector before times 1 / l (v16..v23). */
static void output_load(const struct attention_plan *p, struct tsr_text *t, uint32_t x)
{
    for (uint32_t i = 0; i < 8; i++) {
        L("  vlda v%u, a%u, %u", output_register(x, i), 8 + x % 2, p->row_lines);
        if (x > 0)
            times_inverse(t, x - 1, i);
    }
}

/* Beside the stores of the last vector but one the last one's products. */
static void output_store(const struct attention_plan *p, struct tsr_text *t, uint32_t x, bool last)
{
    const uint32_t per_slab = (p->v_cols + p->lanes - 1) / p->lanes;
    const uint32_t left = p->v_cols - x % per_slab * p->lanes;
    if (left < p->lanes)
        L("  ali a10, %u\n  vlen a10", left);
    for (uint32_t i = 0; i < 8; i++) {
        L("  vst v%u, a%u, %s, %llu", output_register(x, i), 11 + x % 2, p->out_format,
          (unsigned long long)p->stage_row);
        if (last)
            times_inverse(t, x + 1, i);
    }
    if (left < p->lanes)
        L("  ali a10, %u\n  vlen a10", p->lanes);
}

/* O's rows times 1 / l, 8 rows a turn. a0 accumulators, a1 destination, a2 1 / l, a3 turns. Columns
 * go vector by vector, so that the 8 stores of one meet 8 banks. */
static void output(const struct attention_plan *p, struct tsr_text *t)
{
    const uint32_t vectors = p->v_slabs * ((p->v_cols + p->lanes - 1) / p->lanes);
    L(".routine output");
    if (p->op->has_lse)
        L("  aaddi a8, a2, %u\n  aaddi a9, a1, %llu\n  vld v0, a8, f32\n  vst v0, a9, f32", p->line,
          (unsigned long long)p->lse_at);
    L("  vloop a3, out_end");
    output_addresses(p, t, 0);
    if (vectors > 1)
        output_addresses(p, t, 1);
    for (int i = 0; i < 8; i++)
        L("  vldb v%d, a2, f32, 4", 16 + i);
    output_load(p, t, 0);
    for (uint32_t i = 0; i < 8 && vectors == 1; i++)
        times_inverse(t, 0, i);
    for (uint32_t x = 1; x < vectors; x++) {
        output_load(p, t, x);
        output_store(p, t, x - 1, x + 1 == vectors);
        if (x + 1 < vectors)
            output_addresses(p, t, x + 1);
    }
    output_store(p, t, vectors - 1, false);
    L("  aaddi a0, a0, %u\n  aaddi a1, a1, %llu", 8 * p->row_lines,
      (unsigned long long)(8 * p->stage_row));
    L("out_end:");
    L("  vret\n.end");
}

void attention_routines(const struct attention_plan *p, struct tsr_text *t, const char *sink_format)
{
    setup(p, t);
    init(p, t, "init", p->op->has_sinks ? sink_format : NULL);
    softmax(p, t);
    if (attention_has_plain(p))
        attention_plain(p, t);
    finish(p, t);
    if (p->splits > 1) {
        init(p, t, "init_plain", NULL);
        attention_merge_routines(p, t);
    } else {
        output(p, t);
    }
    if (p->narrow)
        attention_expand(p, t);
}
