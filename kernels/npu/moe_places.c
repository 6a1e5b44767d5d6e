/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/npu/moe_places.h"

#include "kernels/npu/moe.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)
typedef unsigned long long ull;

enum {
    BLOCK_BYTES = 65536
};

bool npu_places_plan(const struct tsr_chip *chip, struct npu_places *p, uint32_t slots,
                     uint64_t extra_bytes)
{
    uint64_t line = chip->tile.line_bytes, control = chip->tile.control_bytes;
    p->parts = tsr_npu_moe_parts(chip, p->tokens);
    p->expert_pitch = 4 * npu_round_up(p->experts, chip->tile.tvp.lanes);
    p->counts_at = 0;
    p->before_at = p->parts * p->expert_pitch;
    p->total_at = p->before_at + p->expert_pitch;
    p->scan_at[0] = p->total_at + 2 * p->expert_pitch; /* each behind as many zeros */
    p->scan_at[1] = p->scan_at[0] + 2 * p->expert_pitch;
    p->ids_at = npu_round_up(p->scan_at[1] + p->expert_pitch, line);
    p->control_ids = p->expert_pitch;
    if (p->control_ids + 8 * p->top_k > control)
        return false;
    uint64_t lists = (control - p->control_ids) / 8 / p->top_k; /* tokens of each of two lists */
    uint64_t fixed = p->ids_at + extra_bytes + 2 * line;
    uint64_t per = slots * p->row_bytes + 8 * p->top_k;
    if (fixed + per > chip->tile.tsram_bytes)
        return false;
    uint64_t fit = (chip->tile.tsram_bytes - fixed) / per, want = BLOCK_BYTES / p->row_bytes + 1;
    uint64_t most = npu_ceil_div(p->tokens, p->parts);
    fit = fit < lists ? fit : lists;
    fit = fit < want ? fit : want;
    p->block_tokens = fit < most ? fit : most;
    p->base = npu_round_up(p->ids_at + 8 * p->top_k * p->block_tokens, line);
    return true;
}

void npu_places_sums(struct tsr_text *t, const struct tsr_chip *chip, uint64_t expert_pitch)
{
    uint32_t vector = 4 * chip->tile.tvp.lanes;
    L(".routine sums");
    L("  ali a4, %llu", (ull)(expert_pitch / vector));
    L("  vloop a4, vectors");
    L("  aaddi a8, a0, 0");
    L("  vimm v1, 0");
    L("  vloop a1, before");
    L("  vld v0, a8, i32, %llu", (ull)expert_pitch);
    L("  viadd v1, v1, v0");
    L("before:");
    L("  vst v1, a3, i32, %llu", (ull)expert_pitch);
    L("  vloop a2, after");
    L("  vld v0, a8, i32, %llu", (ull)expert_pitch);
    L("  viadd v1, v1, v0");
    L("after:");
    L("  vst v1, a3, i32, %lld", (long long)vector - (long long)expert_pitch);
    L("  aaddi a0, a0, %u", vector);
    L("vectors:");
    L("  vret");
    L(".end");
}

/* scan: a3[e] = a0[e] + a1[e], a1 the same array some experts earlier. first: a3[e] = before + the
 * scan's sum - total: all of the experts before. */
void npu_places_routines(struct tsr_text *t, const struct tsr_chip *chip,
                         const struct npu_places *p)
{
    uint32_t vector = 4 * chip->tile.tvp.lanes;
    ull vectors = (ull)(p->expert_pitch / vector);
    npu_places_sums(t, chip, p->expert_pitch);
    L(".routine zeros");
    L("  ali a4, %llu", vectors);
    L("  vimm v0, 0");
    L("  vloop a4, zeros");
    L("  vst v0, a0, i32, %u", vector);
    L("  vst v0, a1, i32, %u", vector);
    L("zeros:");
    L("  vret");
    L(".end");
    L(".routine scan");
    L("  ali a4, %llu", vectors);
    L("  vloop a4, scan");
    L("  vld v0, a0, i32, %u", vector);
    L("  vld v1, a1, i32, %u", vector);
    L("  viadd v0, v0, v1");
    L("  vst v0, a3, i32, %u", vector);
    L("scan:");
    L("  vret");
    L(".end");
    L(".routine first");
    L("  ali a4, %llu", vectors);
    L("  vloop a4, first");
    L("  vld v0, a0, i32, %u", vector);
    L("  vld v1, a1, i32, %u", vector);
    L("  vld v2, a2, i32, %u", vector);
    L("  viadd v0, v0, v1");
    L("  visub v0, v0, v2");
    L("  vst v0, a3, i32, %u", vector);
    L("first:");
    L("  vret");
    L(".end");
}

/* Sums over the experts up to each by doubling distances: every step reads what the one before
 * wrote, some words earlier; before the first expert lie zeros. */
static void scan(struct tsr_text *t, const struct npu_places *p)
{
    uint64_t from = p->total_at;
    uint32_t to = 0;
    L("  li x20, %llu", (ull)(p->scan_at[0] - p->expert_pitch));
    L("  li x21, %llu", (ull)(p->scan_at[1] - p->expert_pitch));
    L("  vcall zeros, x20, x21");
    /* a distance of nothing would double: the first step takes its second operand from zeros */
    L("  li x20, %llu", (ull)from);
    L("  li x21, %llu", (ull)(p->scan_at[1] - p->expert_pitch));
    L("  li x22, %llu", (ull)p->scan_at[to]);
    L("  vcall scan, x20, x21, x0, x22");
    for (uint64_t distance = 1; distance < p->experts; distance *= 2) {
        from = p->scan_at[to];
        to = 1 - to;
        L("  li x20, %llu", (ull)from);
        L("  li x21, %llu", (ull)(from - 4 * distance));
        L("  li x22, %llu", (ull)p->scan_at[to]);
        L("  vcall scan, x20, x21, x0, x22");
    }
    L("  li x20, %llu", (ull)p->before_at);
    L("  li x21, %llu", (ull)p->scan_at[to]);
    L("  li x22, %llu", (ull)p->total_at);
    L("  li x23, %llu", (ull)p->scan_at[1 - to]);
    L("  vcall first, x20, x21, x22, x23 post(s%d)", PLACES_FIRST);
    L("  li x22, %llu", (ull)p->experts);
    L("  to_control ch=2, dst=x0, src=x23, n=x22, id=%d wait(s%d) post(s%d)", TSR_CONTROL_MOE_FIRST,
      PLACES_FIRST, PLACES_READY);
}

void npu_places_begin(struct tsr_text *t, const struct npu_places *p)
{
    static const char *const consumer[] = {"tvp", "dma2", "dma2", "tcp", "dma2"};
    for (int i = 0; i < PLACES_SEMS; i++)
        L(".sem %d %s", i, consumer[i]);
    L("  li x20, %llu", (ull)p->counts);
    L("  li x21, %llu", (ull)(4 * p->experts));
    L("  li x22, %u", p->parts);
    L("  li x23, %llu", (ull)p->expert_pitch);
    L("  copy ch=2, dst=x0, src=x20, len=x21, n1=x22, ss1=x21, ds1=x23 post(s%d)", PLACES_COUNTS);
    L("  li x20, %llu", (ull)p->before_at);
    L("  sub x21, x22, x1");
    L("  vcall sums, x0, x1, x21, x20 wait(s%d)", PLACES_COUNTS);
    scan(t, p);
    L("  wait post(s%d)", PLACES_FREE);
    L("  wait post(s%d)", PLACES_FREE);
    L("  wait wait(s%d)", PLACES_READY);
    L("  li x8, 0");
}

void npu_places_ask(struct tsr_text *t, const struct npu_places *p)
{
    uint64_t list = 4 * p->top_k * p->block_tokens;
    L("  muli x22, x20, %llu", (ull)p->top_k);
    L("  shli x23, x22, 2");
    L("  muli x24, x21, %llu", (ull)list);
    L("  addi x25, x24, %llu", (ull)p->ids_at);
    L("  addi x24, x24, %llu", (ull)p->control_ids);
    L("  copy ch=2, dst=x25, src=x3, len=x23 wait(s%d) post(s%d)", PLACES_FREE, PLACES_READ);
    L("  to_control ch=2, dst=x24, src=x25, n=x22, id=%u wait(s%d) post(s%d)", p->control_id,
      PLACES_READ, PLACES_READY);
    L("  add x3, x3, x23");
}

void npu_places_hand_out(struct tsr_text *t, const struct npu_places *p, const char *label)
{
    L("  muli x22, x8, %llu", (ull)(4 * p->top_k * p->block_tokens));
    L("  addi x22, x22, %llu", (ull)p->control_ids);
    L("  add x23, x22, x0");
    L("  muli x24, x9, %llu", (ull)p->top_k);
    L("  wait wait(s%d)", PLACES_READY);
    L("  loop x24, %s", label);
    L("  lw x25, x23, 0");
    L("  shli x25, x25, 2");
    L("  lw x26, x25, 0");
    L("  sw x26, x23, 0");
    L("  addi x26, x26, 1");
    L("  sw x26, x25, 0");
    L("  addi x23, x23, 4");
    L("%s:", label);
}

void npu_places_arguments(const struct npu_places *p, uint32_t part, int64_t *x)
{
    uint64_t first = p->tokens * part / p->parts;
    x[1] = part;
    x[2] = (int64_t)(p->tokens * (part + 1) / p->parts - first);
    x[3] = (int64_t)(p->ids + 4 * p->top_k * first);
}
