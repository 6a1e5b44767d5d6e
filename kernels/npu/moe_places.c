/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/npu/moe_places.h"

#include "kernels/npu/moe.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)
typedef unsigned long long ull;

enum { BLOCK_BYTES = 65536 };

bool npu_places_plan(const struct tsr_chip *chip, struct npu_places *p, uint32_t slots,
                     uint64_t extra_bytes)
{
    uint64_t line = chip->tile.line_bytes, control = chip->tile.control_bytes;
    p->parts = tsr_npu_moe_parts(chip, p->tokens);
    p->expert_pitch = 4 * npu_round_up(p->experts, chip->tile.tvp.lanes);
    p->counts_at = 0;
    p->sums_at = p->parts * p->expert_pitch;
    p->ids_at = npu_round_up(p->sums_at + 2 * p->expert_pitch, line);
    p->control_ids = 2 * p->expert_pitch;
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

/* before[e] = counts of the parts before, total[e] = of all. */
void npu_places_routine(struct tsr_text *t, const struct tsr_chip *chip,
                        const struct npu_places *p)
{
    uint32_t vector = 4 * chip->tile.tvp.lanes;
    L(".routine sums");
    L("  ali a4, %llu", (ull)(p->expert_pitch / vector));
    L("  vloop a4, vectors");
    L("  aaddi a8, a0, 0");
    L("  vimm v1, 0");
    L("  vloop a1, before");
    L("  vld v0, a8, i32, %llu", (ull)p->expert_pitch);
    L("  viadd v1, v1, v0");
    L("before:");
    L("  vst v1, a3, i32, %llu", (ull)p->expert_pitch);
    L("  vloop a2, after");
    L("  vld v0, a8, i32, %llu", (ull)p->expert_pitch);
    L("  viadd v1, v1, v0");
    L("after:");
    L("  vst v1, a3, i32, %lld", (long long)vector - (long long)p->expert_pitch);
    L("  aaddi a0, a0, %u", vector);
    L("vectors:");
    L("  vret");
    L(".end");
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
    L("  li x20, %llu", (ull)p->sums_at);
    L("  sub x21, x22, x1");
    L("  vcall sums, x0, x1, x21, x20 wait(s%d) post(s%d)", PLACES_COUNTS, PLACES_SUMS);
    L("  li x21, %llu", (ull)(p->expert_pitch / 2));
    L("  to_control ch=2, dst=x0, src=x20, n=x21, id=%d wait(s%d) post(s%d)", TSR_CONTROL_MOE_SUMS,
      PLACES_SUMS, PLACES_READY);
    L("  wait post(s%d)", PLACES_FREE);
    L("  wait post(s%d)", PLACES_FREE);
    L("  wait wait(s%d)", PLACES_READY);
    L("  li x20, 0");
    L("  li x21, 0");
    L("  li x22, %llu", (ull)p->experts);
    L("  loop x22, first_places");
    L("  lw x23, x21, 0");
    L("  lw x24, x21, %llu", (ull)p->expert_pitch);
    L("  add x23, x23, x20");
    L("  add x20, x20, x24");
    L("  sw x23, x21, 0");
    L("  addi x21, x21, 4");
    L("first_places:");
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
