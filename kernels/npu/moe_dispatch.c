/* SPDX-License-Identifier: Apache-2.0 */
/* Each tile reads its tokens' rows once, in blocks, and scatters every row to the places of its
 * top_k choices. */
#include <string.h>

#include "kernels/npu/moe.h"
#include "kernels/npu/moe_places.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)
typedef unsigned long long ull;

enum {
    ROWS_FREE = PLACES_SEMS,
    ROWS_READ,
    SLOTS = 2
}; /* channels 0 and 1 */

/* x4 rows in HBM, x5 tokens not yet asked for, x6 slot of the next block, x7 blocks left. */
static void ask(struct tsr_text *t, const struct npu_places *p, uint64_t stride, const char *skip)
{
    L("  beq x5, x0, %s", skip);
    L("  mini x20, x5, %llu", (ull)p->block_tokens);
    L("  sub x5, x5, x20");
    L("  muli x21, x6, %llu", (ull)(p->block_tokens * p->row_bytes));
    L("  addi x21, x21, %llu", (ull)p->base);
    L("  li x22, %llu", (ull)p->row_bytes);
    L("  li x23, %llu", (ull)stride);
    L("  copy ch=0, dst=x21, src=x4, len=x22, n1=x20, ss1=x23, ds1=x22 wait(s%d) post(s%d)",
      ROWS_FREE, ROWS_READ);
    L("  mul x23, x23, x20");
    L("  add x4, x4, x23");
    L("  add x21, x6, x0");
    L("  xori x6, x6, 1");
    npu_places_ask(t, p);
    L("%s:", skip);
}

static void program(struct tsr_text *t, const struct npu_places *p,
                    const struct tsr_npu_moe_dispatch *op, uint64_t stride)
{
    npu_places_begin(t, p);
    L(".sem %d dma0", ROWS_FREE);
    L(".sem %d dma1", ROWS_READ);
    L("  wait post(s%d)", ROWS_FREE);
    L("  wait post(s%d)", ROWS_FREE);
    L("  add x5, x2, x0");
    L("  li x6, 0");
    L("  li x10, %llu", (ull)op->y);
    L("  li x11, %llu", (ull)p->row_bytes);
    L("  li x12, %llu", (ull)p->top_k);
    ask(t, p, stride, "first");
    L("  loop x7, done");
    ask(t, p, stride, "asked");
    L("  mini x9, x2, %llu", (ull)p->block_tokens);
    L("  sub x2, x2, x9");
    npu_places_hand_out(t, p, "places");
    L("  muli x13, x8, %llu", (ull)(p->block_tokens * p->row_bytes));
    L("  addi x13, x13, %llu", (ull)p->base);
    L("  copy ch=1, dst=x0, src=x0, len=x0 wait(s%d)", ROWS_READ);
    L("  loop x9, rows");
    L("  scatter ch=1, dst=x10, src=x13, len=x11, idx=x22, n=x12, ss=x0, ds=x11");
    L("  add x13, x13, x11");
    L("  addi x22, x22, %llu", (ull)(4 * p->top_k));
    L("rows:");
    L("  copy ch=1, dst=x0, src=x0, len=x0 post(s%d, s%d)", ROWS_FREE, PLACES_FREE);
    L("  xori x8, x8, 1");
    L("done:");
    L("  halt");
}

enum tsr_status tsr_npu_moe_dispatch(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                     const struct tsr_npu_moe_dispatch *op, struct tsr_program *out,
                                     struct tsr_error *err)
{
    struct npu_places p = {.name = "moe_dispatch",
                           .tokens = op->tokens,
                           .experts = op->experts,
                           .top_k = op->top_k,
                           .ids = op->ids,
                           .counts = op->counts,
                           .control_id = TSR_CONTROL_MOE_DISPATCH,
                           .row_bytes = op->row_bytes};
    if (!op->tokens || op->tokens >> 32 || !op->experts || op->experts > 256 || !op->top_k ||
        op->top_k > op->experts || !op->row_bytes)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "moe_dispatch: %llu tokens of %llu bytes, %llu experts, top %llu; "
                             "allowed are 1 to 2^32, from 1, 1 to 256, 1 to experts",
                             (ull)op->tokens, (ull)op->row_bytes, (ull)op->experts, (ull)op->top_k);
    if (!npu_places_plan(chip, &p, SLOTS, 0))
        return tsr_error_set(err, TSR_BAD_INPUT, "moe_dispatch: does not fit the tiles of %s",
                             chip->name);
    int64_t args[NPU_MAX_TILES][TSR_LAUNCH_REGS] = {{0}};
    uint64_t stride = op->x_stride ? op->x_stride : op->row_bytes;
    for (uint32_t i = 0; i < p.parts; i++) {
        int64_t x[TSR_LAUNCH_REGS + 1] = {0}; /* x[1] is x1 */
        npu_places_arguments(&p, i, x);
        x[4] = (int64_t)(op->x + stride * (p.tokens * i / p.parts));
        x[7] = (int64_t)npu_ceil_div((uint64_t)x[2], p.block_tokens);
        memcpy(args[i], x + 1, sizeof args[i]);
    }
    struct tsr_text text = {0}, *t = &text;
    program(t, &p, op, stride);
    npu_places_routines(t, chip, &p);
    return tsr_text_program(t, isa, p.name, p.parts, (const int64_t(*)[TSR_LAUNCH_REGS])args, out,
                            err);
}
