/* SPDX-License-Identifier: Apache-2.0 */
/* Each tile gathers the top_k rows of its tokens from their places, in blocks, and adds them up in
 * order of choice. Rows that are too long go by runs of columns. */
#include <string.h>

#include "kernels/npu/moe.h"
#include "kernels/npu/moe_places.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)
typedef unsigned long long ull;

enum {
    ROWS_FREE = PLACES_SEMS,
    ROWS_READ,
    OUT_FREE,
    OUT_READY,
    SLOTS = 2,
    GROUP = 8
};
enum {
    V_SUM = 16,
    V_W = 24,
    KEPT = 8,
    A_X = 8,
    A_W = 9
};

struct combine {
    const struct tsr_npu_moe_combine *op;
    const struct tsr_chip *chip;
    struct npu_places p;
    const char *fx, *fy;
    uint32_t lanes, ex, ey;
    uint64_t y_stride, r_stride, run; /* run: columns of a block */
    uint64_t x_pitch, y_pitch;        /* bytes of a row in TSRAM; the residual's is y's */
    uint64_t w_at, r_at, y_at, slot_bytes;
};

/* ---- plan ----------------------------------------------------------------------------------- */

static uint64_t token_bytes(struct combine *e, uint64_t run)
{
    uint64_t vectors = run / e->lanes + 1;
    e->run = run;
    e->x_pitch = vectors * e->lanes * e->ex;
    e->y_pitch = vectors * e->lanes * e->ey;
    return e->op->top_k * (e->x_pitch + 4) + (e->op->residual ? 2 : 1) * e->y_pitch;
}

static bool plan(struct combine *e)
{
    uint64_t line = e->chip->tile.line_bytes, group = (uint64_t)GROUP * e->lanes;
    uint64_t slack = SLOTS * 4 * line, run = e->op->cols;
    for (;; run = npu_round_up(npu_ceil_div(run, 2), group)) {
        e->p.row_bytes = token_bytes(e, run);
        if (npu_places_plan(e->chip, &e->p, SLOTS, slack))
            break;
        if (run <= group)
            return false;
    }
    uint64_t tokens = e->p.block_tokens, k = e->op->top_k;
    e->w_at = npu_round_up(tokens * k * e->x_pitch, line);
    e->r_at = e->w_at + npu_round_up(4 * tokens * k, line);
    e->y_at = e->r_at + (e->op->residual ? npu_round_up(tokens * e->y_pitch, line) : 0);
    e->slot_bytes = e->y_at + npu_round_up(tokens * e->y_pitch, line);
    return true;
}

/* ---- TCP program --------------------------------------------------------------------------------
 * x4 residual, x14 weights, x15 y: of the tile; x5 tokens not asked for, x6 list slot of the next
 * block, x7 blocks left; x10 data slot, x11 list of the block, x12 columns done, x13 columns
 * now. */

static void ask(struct tsr_text *t, const struct combine *e, const char *skip)
{
    L("  beq x5, x0, %s", skip);
    L("  mini x20, x5, %llu", (ull)e->p.block_tokens);
    L("  sub x5, x5, x20");
    L("  add x21, x6, x0");
    L("  xori x6, x6, 1");
    npu_places_ask(t, &e->p);
    L("%s:", skip);
}

static void loads(struct tsr_text *t, const struct combine *e)
{
    uint64_t k = e->op->top_k;
    L("  li x20, %llu", (ull)(e->op->cols * e->ex));
    L("  muli x21, x12, %u", e->ex);
    L("  li x22, %llu", (ull)e->op->x);
    L("  add x21, x21, x22");
    L("  muli x22, x13, %u", e->ex);
    L("  muli x23, x9, %llu", (ull)k);
    L("  li x24, %llu", (ull)e->x_pitch);
    L("  gather ch=0, dst=x10, src=x21, len=x22, idx=x11, n=x23, ss=x20, ds=x24 wait(s%d)",
      ROWS_FREE);
    if (e->op->residual) {
        L("  addi x20, x10, %llu", (ull)e->r_at);
        L("  muli x21, x12, %u", e->ey);
        L("  add x21, x21, x4");
        L("  muli x22, x13, %u", e->ey);
        L("  li x24, %llu", (ull)e->r_stride);
        L("  li x25, %llu", (ull)e->y_pitch);
        L("  copy ch=0, dst=x20, src=x21, len=x22, n1=x9, ss1=x24, ds1=x25");
    }
    L("  addi x20, x10, %llu", (ull)e->w_at);
    L("  shli x23, x23, 2");
    L("  copy ch=0, dst=x20, src=x14, len=x23 post(s%d)", ROWS_READ);
}

static void compute(struct tsr_text *t, const struct combine *e)
{
    uint32_t shift = (uint32_t)__builtin_ctz(e->lanes);
    L("  addi x20, x10, %llu", (ull)e->w_at);
    L("  addi x21, x10, %llu", (ull)e->r_at);
    L("  addi x22, x10, %llu", (ull)e->y_at);
    L("  shri x23, x13, %u", shift + 3);
    L("  shri x24, x13, %u", shift);
    L("  andi x24, x24, %d", GROUP - 1);
    L("  andi x25, x13, %u", e->lanes - 1);
    L("  vcall combine, x10, x20, x21, x22, x9, x23, x24, x25 wait(s%d, s%d) post(s%d, s%d)",
      ROWS_READ, OUT_FREE, ROWS_FREE, OUT_READY);
    L("  muli x20, x12, %u", e->ey);
    L("  add x20, x20, x15");
    L("  muli x21, x13, %u", e->ey);
    L("  li x23, %llu", (ull)e->y_pitch);
    L("  li x24, %llu", (ull)e->y_stride);
    L("  copy ch=1, dst=x20, src=x22, len=x21, n1=x9, ss1=x23, ds1=x24 wait(s%d) post(s%d)",
      OUT_READY, OUT_FREE);
}

static void advance(struct tsr_text *t, const struct combine *e)
{
    L("  muli x20, x9, %llu", (ull)e->r_stride);
    L("  add x4, x4, x20");
    L("  muli x20, x9, %llu", (ull)(4 * e->op->top_k));
    L("  add x14, x14, x20");
    L("  muli x20, x9, %llu", (ull)e->y_stride);
    L("  add x15, x15, x20");
    L("  xori x8, x8, 1");
}

static void program(struct tsr_text *t, const struct combine *e)
{
    npu_places_begin(t, &e->p);
    L(".sem %d dma0", ROWS_FREE);
    L(".sem %d tvp", ROWS_READ);
    L(".sem %d tvp", OUT_FREE);
    L(".sem %d dma1", OUT_READY);
    L("  wait post(s%d, s%d)", ROWS_FREE, OUT_FREE);
    L("  wait post(s%d, s%d)", ROWS_FREE, OUT_FREE);
    L("  add x5, x2, x0");
    L("  li x6, 0");
    L("  li x10, %llu", (ull)e->p.base);
    ask(t, e, "first");
    L("  loop x7, done");
    ask(t, e, "asked");
    L("  mini x9, x2, %llu", (ull)e->p.block_tokens);
    L("  sub x2, x2, x9");
    npu_places_hand_out(t, &e->p, "places");
    L("  add x11, x22, x0");
    L("  li x12, 0");
    L("  li x26, %llu", (ull)npu_ceil_div(e->op->cols, e->run));
    L("  loop x26, runs");
    L("  li x13, %llu", (ull)e->op->cols);
    L("  sub x13, x13, x12");
    L("  mini x13, x13, %llu", (ull)e->run);
    loads(t, e);
    compute(t, e);
    L("  add x12, x12, x13");
    L("  li x20, %llu", (ull)(2 * e->p.base + e->slot_bytes));
    L("  sub x10, x20, x10");
    L("runs:");
    L("  copy ch=0, dst=x0, src=x0, len=x0 post(s%d)", PLACES_FREE);
    advance(t, e);
    L("done:");
    L("  halt");
}

/* ---- routine -------------------------------------------------------------------------------- */

/* v0..v7 and v8..v15 rows by turns, v16..v23 sums, v24.. weights. */
static void body(struct tsr_text *t, const void *self, uint32_t n)
{
    const struct combine *e = self;
    uint32_t k = (uint32_t)e->op->top_k;
    n = n ? n : 1;
    struct npu_group x = npu_group(e->chip, n, e->ex), y = npu_group(e->chip, n, e->ey);
    if (e->op->residual)
        npu_loads(t, &y, V_SUM, 2, e->fy, 0, n);
    if (k > KEPT)
        L("  aaddi a%d, a1, 0", A_W);
    for (uint32_t j = 0; j < k; j++) {
        uint32_t reg = j % 2 * GROUP, w = V_W + (k > KEPT ? 0 : j);
        npu_loads(t, &x, reg, A_X, e->fx, 0, n);
        if (k > 1) /* to the next row of the token, in the end back to its first */
            L("  aaddi a%d, a%d, %lld", A_X, A_X,
              j + 1 < k ? (long long)e->x_pitch - (long long)n * x.bytes
                        : -(long long)(k - 1) * (long long)e->x_pitch);
        if (k > KEPT)
            L("  vldb v%u, a%d, f32, 4", w, A_W);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t v = npu_vector(&x, i);
            if (j == 0 && !e->op->residual)
                L("  vmul v%u, v%u, v%u", V_SUM + v, reg + v, w);
            else
                L("  vfma v%u, v%u, v%u, v%u", V_SUM + v, reg + v, w, V_SUM + v);
        }
    }
    npu_stores(t, &y, V_SUM, 3, e->fy, 0, n);
}

static void routine(struct tsr_text *t, const struct combine *e)
{
    uint32_t k = (uint32_t)e->op->top_k;
    L(".routine combine");
    L("  vloop a4, tokens");
    L("  aaddi a%d, a0, 0", A_X);
    if (k <= KEPT) {
        L("  aaddi a%d, a1, 0", A_W);
        for (uint32_t j = 0; j < k; j++)
            L("  vldb v%u, a%d, f32, 4", V_W + j, A_W);
    }
    npu_walk(t, e->chip, "combine", body, e);
    L("  aaddi a0, a0, %llu", (ull)(k * e->x_pitch));
    L("  aaddi a1, a1, %u", 4 * k);
    L("tokens:");
    L("  vret");
    L(".end");
}

/* ---- launch --------------------------------------------------------------------------------- */

static enum tsr_status check(const struct combine *e, struct tsr_error *err)
{
    const struct tsr_npu_moe_combine *op = e->op;
    if (!op->tokens || op->tokens >> 32 || !op->cols || op->cols >> 32 || !op->experts ||
        op->experts > 256 || !op->top_k || op->top_k > op->experts || op->top_k > 32)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "moe_combine: %llu tokens of %llu, %llu experts, top %llu; allowed "
                             "are 1 to 2^32 twice, 1 to 256, 1 to experts and 32",
                             (ull)op->tokens, (ull)op->cols, (ull)op->experts, (ull)op->top_k);
    if (!e->ex || !e->ey)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "moe_combine: a format that the vector unit does not load as floats");
    return TSR_OK;
}

enum tsr_status tsr_npu_moe_combine(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                    const struct tsr_npu_moe_combine *op, struct tsr_program *out,
                                    struct tsr_error *err)
{
    struct combine e = {.op = op,
                        .chip = chip,
                        .lanes = chip->tile.tvp.lanes,
                        .ex = npu_float_size(isa, op->x_format),
                        .ey = npu_float_size(isa, op->y_format),
                        .fx = isa->formats[op->x_format].name,
                        .fy = isa->formats[op->y_format].name,
                        .p = {.name = "moe_combine",
                              .tokens = op->tokens,
                              .experts = op->experts,
                              .top_k = op->top_k,
                              .ids = op->ids,
                              .counts = op->counts,
                              .control_id = TSR_CONTROL_MOE_COMBINE}};
    enum tsr_status st = check(&e, err);
    if (st)
        return st;
    if (!plan(&e))
        return tsr_error_set(err, TSR_BAD_INPUT, "moe_combine: does not fit the tiles of %s",
                             chip->name);
    e.y_stride = op->y_stride ? op->y_stride : op->cols * e.ey;
    e.r_stride = op->residual_stride ? op->residual_stride : op->cols * e.ey;
    int64_t args[NPU_MAX_TILES][TSR_LAUNCH_REGS] = {{0}};
    for (uint32_t i = 0; i < e.p.parts; i++) {
        int64_t x[TSR_LAUNCH_REGS + 1] = {0}; /* x[1] is x1 */
        uint64_t first = op->tokens * i / e.p.parts;
        npu_places_arguments(&e.p, i, x);
        x[4] = (int64_t)(op->residual + first * e.r_stride);
        x[7] = (int64_t)npu_ceil_div((uint64_t)x[2], e.p.block_tokens);
        x[14] = (int64_t)(op->weights + 4 * op->top_k * first);
        x[15] = (int64_t)(op->y + first * e.y_stride);
        memcpy(args[i], x + 1, sizeof args[i]);
    }
    struct tsr_text text = {0}, *t = &text;
    program(t, &e);
    npu_places_routines(t, chip, &e.p);
    routine(t, &e);
    return tsr_text_program(t, isa, e.p.name, e.p.parts, (const int64_t(*)[TSR_LAUNCH_REGS])args,
                            out, err);
}
