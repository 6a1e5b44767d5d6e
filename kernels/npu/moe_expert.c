/* SPDX-License-Identifier: Apache-2.0 */
/* C[r] = A[r] x B[expert of r]^T for rows in order of experts, counts known only to the machine.
 *
 * The tiles form a grid. Its gx columns divide the output columns of every expert, its gy rows the
 * rows of a block; few rows want gy = 1. All tiles walk the same sequence: experts with rows,
 * blocks of gy * tile_rows rows (the accumulators), chunks of columns, slabs of K. So a weight
 * leaves HBM once for every block: for most experts once in all. A slab of A is the same for a row
 * of the grid: some of its tiles cast a share of the rows each; one of B for a column: each of its
 * tiles casts a share. They do so when all receivers have handed the slab's place back. A slab of A
 * and one of B share a place of two or three, and one semaphore.
 *
 * The TCP asks for a slab one or two ahead of the one that it multiplies; what it must know of it
 * then waits in control memory. The text of a step is written once per place. */
#include <stdio.h>

#include "kernels/npu/activation.h"
#include "kernels/npu/moe_expert_emit.h"
#include "kernels/npu/moe_places.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)
typedef unsigned long long ull;

/* ---- walk ----------------------------------------------------------------------------------- */

static void advance(struct tsr_text *t, const struct moe_expert_emit *e, uint32_t id)
{
    L("  addi x10, x10, %llu", (ull)(e->p.kc / e->p.k_unit));
    L("  li x20, %llu", (ull)npu_ceil_div(e->op->k, e->p.k_unit));
    L("  blt x10, x20, walked%u", id);
    L("  li x10, 0");
    L("  addi x9, x9, 1");
    L("  li x20, %llu", (ull)e->p.chunks);
    L("  blt x9, x20, walked%u", id);
    L("  li x9, 0");
    L("  addi x8, x8, %llu", (ull)(e->p.gy * e->p.tile_rows));
    L("  blt x8, x6, walked%u", id);
    L("  li x8, 0");
    L("  add x7, x7, x6");
    L("expert%u:", id);
    L("  addi x5, x5, 1");
    L("  shli x20, x5, 2");
    L("  li x21, %llu", (ull)e->op->experts);
    L("  bge x5, x21, finished%u", id);
    L("  lw x6, x20, 0");
    L("  beq x6, x0, expert%u", id);
    L("  jmp walked%u", id);
    L("finished%u:", id);
    L("  li x11, 1");
    L("walked%u:", id);
}

/* ---- start ---------------------------------------------------------------------------------- */

static ull low_bits(uint32_t n)
{
    return n >= 64 ? ~0ull : (1ull << n) - 1;
}

static void post(struct tsr_text *t, uint32_t sem, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++)
        L("  wait post(s%u)", sem);
}

static void start(struct tsr_text *t, const struct moe_expert_emit *e)
{
    static const char *const consumer[] = {
        "ttu", "ttu", "ttu", "dma2", "dma2", "dma2", "dma0", "dma0", "dma0", "dma1", "dma1", "dma1",
        "acc", "ttu", "acc", "tvp",  "tvp",  "dma3", "dma0", "ttu",  "tvp",  "tvp",  "dma2", "tcp"};
    const struct moe_expert_plan *p = &e->p;
    _Static_assert(sizeof consumer / sizeof *consumer == SEMS, "a consumer each");
    for (int i = 0; i < SEMS; i++)
        L(".sem %d %s", i, consumer[i]);
    for (uint32_t i = GRID_ROW; i <= COLUMN_MASK; i++)
        L("  sd x%u, x0, %llu", 5 + i, (ull)moe_expert_saved(e, (enum moe_expert_saved)i));
    for (uint32_t i = 6; i < 9; i++)
        L("  li x%u, 0", i);
    L("  beq x4, x0, counts_cast");
    L("  li x20, %llu", (ull)e->op->counts);
    L("  li x21, %llu", (ull)(4 * e->op->experts));
    L("  li x22, %u", p->parts);
    L("  li x23, %llu", (ull)p->expert_pitch);
    L("  li x24, 0x%llx", low_bits(p->gx * p->gy));
    L("  li x25, %llu", (ull)p->counts_at);
    L("  copy ch=1, dst=x25, src=x20, len=x21, n1=x22, ss1=x21, ds1=x23, mask=x24, mc=1, p1=s%d",
      COUNTS);
    L("counts_cast:");
    L("  li x20, %llu", (ull)p->counts_at);
    L("  li x21, %u", p->parts);
    L("  li x22, %llu", (ull)p->sums_at);
    L("  vcall setup");
    L("  vcall sums, x20, x0, x21, x22 wait(s%d) post(s%d)", COUNTS, SUMS);
    L("  addi x22, x22, %llu", (ull)p->expert_pitch);
    L("  li x21, %llu", (ull)e->op->experts);
    L("  to_control ch=2, dst=x0, src=x22, n=x21, id=%d wait(s%d) post(s%d)",
      TSR_CONTROL_MOE_TOTALS, SUMS, TOTALS);
    for (uint32_t i = 0; i < p->places; i++) {
        post(t, USED + i, 1);
        L("  li x20, -1");
        L("  sd x20, x0, %llu", (ull)moe_expert_word(e, i, 1));
    }
    post(t, ACC_FREE, 1);
    post(t, STAGE_FREE, p->stages);
    post(t, OUT_FREE, p->outs);
    post(t, BIAS_FREE, e->op->bias ? 2 : 0);
    L("  li x4, %llu", (ull)p->stage_at);
    L("  li x17, %llu", (ull)p->out_at);
    L("  li x18, %llu", (ull)p->bias_at);
    L("  add x19, x18, x0");
    /* behind the last slab of an expert of no rows before the first: the walk goes on from there */
    L("  li x5, -1");
    L("  li x9, %llu", (ull)(p->chunks - 1));
    L("  li x10, %llu", (ull)npu_ceil_div(e->op->k, e->p.k_unit));
    L("  wait wait(s%d)", TOTALS);
    advance(t, e, PLACES);
    L("  jmp step1");
}

/* ---- compute -------------------------------------------------------------------------------- */

/* x20, whose value waits in control memory meanwhile, and x21 take the addresses of scales. */
static void mma(struct tsr_text *t, const struct moe_expert_emit *e, int acc)
{
    const struct tsr_npu_slab *a = &e->p.a.slab, *b = &e->p.b.slab;
    if (a->blocked)
        L("  addi x20, x28, %u", a->scales_at);
    if (b->blocked)
        L("  addi x21, x29, %u", b->scales_at);
    L("  mma a=x28, as=x25, b=x29, bs=x26, m=x27, n=x24, k=x31, c=x23, %s%saf=%s, bf=%s, acc=%d, "
      "across=%u",
      a->blocked ? "asc=x20, " : "", b->blocked ? "bsc=x21, " : "", e->fa, e->fb, acc, e->p.across);
}

static void next_k(struct tsr_text *t, const struct moe_expert_emit *e)
{
    L("  addi x28, x28, %u", e->p.a.step);
    L("  addi x29, x29, %u", e->p.b.step);
    L("  addi x30, x30, -%u", e->p.kq);
}

/* Leaves the columns in the accumulators in x24. */
static void multiply(struct tsr_text *t, const struct moe_expert_emit *e, uint32_t id)
{
    const struct moe_expert_plan *p = &e->p;
    uint32_t posts = p->senders + p->gy;
    L("  bne x14, x0, later%u", id);
    L("  tsync wait(s%u*%u, s%d)", FULL + id, posts, ACC_FREE);
    L("  jmp arrived%u", id);
    L("later%u:", id);
    L("  tsync wait(s%u*%u)", FULL + id, posts);
    L("arrived%u:", id);
    L("  beq x12, x0, multiplied%u", id);
    L("  li x20, %llu", (ull)p->a_at[id]);
    L("  add x22, x12, x0");
    L("  li x23, 0");
    L("  muli x24, x15, %llu", (ull)p->nc);
    L("  sub x24, x2, x24");
    L("  mini x24, x24, %llu", (ull)p->nc);
    L("  li x25, 1");
    L("  max x24, x24, x25");
    L("  muli x24, x24, %u", p->two);
    L("  li x25, %llu", (ull)p->a_pitch);
    L("  li x26, %llu", (ull)p->b_pitch);
    L("bank%u:", id);
    L("  mini x27, x22, %u", p->side);
    L("  add x28, x20, x0");
    if (p->a.slab.blocked)
        L("  sd x20, x0, %llu", (ull)moe_expert_saved(e, A_BASE));
    L("  li x29, %llu", (ull)p->b_at[id]);
    L("  add x30, x13, x0");
    L("  mini x31, x30, %u", p->kq);
    L("  bne x14, x0, add%u", id);
    mma(t, e, 0);
    next_k(t, e);
    L("  bge x0, x30, banked%u", id);
    L("add%u:", id);
    L("  mini x31, x30, %u", p->kq);
    mma(t, e, 1);
    next_k(t, e);
    L("  blt x0, x30, add%u", id);
    L("banked%u:", id);
    if (p->a.slab.blocked)
        L("  ld x20, x0, %llu", (ull)moe_expert_saved(e, A_BASE));
    L("  addi x20, x20, %llu", (ull)(p->side * p->a_pitch));
    L("  addi x23, x23, %u", 256u << p->across);
    L("  addi x22, x22, -%u", p->side);
    L("  blt x0, x22, bank%u", id);
    L("multiplied%u:", id);
}

/* ---- results -------------------------------------------------------------------------------- */

/* One bank: x22 rows left, x23 accumulator, x24 columns, x25 output, x27 output columns. */
static void drain(struct tsr_text *t, const struct moe_expert_emit *e, const char *label,
                  bool first, bool last)
{
    const struct moe_expert_plan *p = &e->p;
    char wait[32], posts[32];
    snprintf(wait, sizeof wait, first ? "wait(s%d, s%d)" : "wait(s%d)", STAGE_FREE, BLOCK);
    snprintf(posts, sizeof posts, last ? "post(s%d, s%d)" : "post(s%d)", STAGE_FULL, ACC_FREE);
    L("  mini x28, x22, %u", p->side);
    L("  li x26, %llu", (ull)p->stage_pitch);
    L("  drain dst=x4, ds=x26, m=x28, n=x24, c=x23, fmt=f32, across=%u%s %s %s", p->across,
      e->op->bias ? ", bias=x19, bi=1" : "", wait, posts);
    L("  shli x29, x27, 2");
    L("  add x29, x29, x4");
    L("  shri x30, x28, 3");
    L("  andi x31, x28, 7");
    L("  vcall result, x4, x29, x0, x25, x27, x30, x31 wait(s%d) post(s%d)", STAGE_FULL,
      STAGE_FREE);
    L("  addi x4, x4, %llu", (ull)p->stage_bytes);
    L("  li x29, %llu", (ull)(p->stage_at + p->stages * p->stage_bytes));
    L("  blt x4, x29, %s", label);
    L("  li x4, %llu", (ull)p->stage_at);
    L("%s:", label);
    L("  addi x25, x25, %llu", (ull)(p->side * p->out_pitch));
    L("  addi x23, x23, %u", 256u << p->across);
    L("  addi x22, x22, -%u", p->side);
}

static void store(struct tsr_text *t, const struct moe_expert_emit *e)
{
    const struct moe_expert_plan *p = &e->p;
    L("  vcall nothing post(s%d)", OUT_FULL);
    L("  muli x20, x16, %llu", (ull)(e->op->n * p->ec));
    L("  muli x21, x1, %u", p->ec);
    L("  add x20, x20, x21");
    L("  li x21, %llu", (ull)e->op->c);
    L("  add x20, x20, x21");
    L("  muli x21, x2, %u", p->ec);
    L("  li x22, %llu", (ull)p->out_pitch);
    L("  li x23, %llu", (ull)(e->op->n * p->ec));
    L("  copy ch=3, dst=x20, src=x17, len=x21, n1=x12, ss1=x22, ds1=x23 wait(s%d) post(s%d)",
      OUT_FULL, OUT_FREE);
    if (p->outs == 2) {
        L("  li x20, %llu", (ull)(2 * p->out_at + p->out_bytes));
        L("  sub x17, x20, x17");
    }
}

static void results(struct tsr_text *t, const struct moe_expert_emit *e, uint32_t id)
{
    static const char *const labels[PLACES][4] = {{"one0", "first0", "middle0", "last0"},
                                                  {"one1", "first1", "middle1", "last1"},
                                                  {"one2", "first2", "middle2", "last2"}};
    L("  bne x15, x0, begun%u", id);
    L("  vcall nothing wait(s%d)", OUT_FREE);
    L("begun%u:", id);
    L("  add x22, x12, x0");
    L("  li x23, 0");
    L("  muli x25, x15, %llu", (ull)(e->p.nc * e->p.ec));
    L("  add x25, x25, x17");
    L("  shri x27, x24, %u", e->p.two - 1);
    L("  li x20, %u", e->p.side);
    L("  blt x20, x22, many%u", id);
    drain(t, e, labels[id][0], true, true);
    L("  jmp drained%u", id);
    L("many%u:", id);
    drain(t, e, labels[id][1], true, false);
    L("more%u:", id);
    L("  bge x20, x22, end%u", id);
    drain(t, e, labels[id][2], false, false);
    L("  jmp more%u", id);
    L("end%u:", id);
    drain(t, e, labels[id][3], false, true);
    L("drained%u:", id);
    if (e->op->bias) {
        L("  vcall nothing post(s%d)", BIAS_FREE);
        L("  li x20, %llu", (ull)(2 * e->p.bias_at + e->p.bias_bytes));
        L("  sub x19, x20, x19");
    }
    L("  li x20, %llu", (ull)(e->p.chunks - 1));
    L("  bne x15, x20, computed%u", id);
    store(t, e);
}

/* The last slab of a chunk. A tile without rows has no block; it keeps the books alone. It does so
 * in the order of the units that otherwise would: the TCP is ahead of them, and a post of a later
 * chunk must not stand for an earlier one's. */
static void complete(struct tsr_text *t, const struct moe_expert_emit *e, uint32_t id)
{
    char ready[16] = "";
    if (e->op->bias)
        snprintf(ready, sizeof ready, "wait(s%d)", BIAS_READY);
    if (e->p.gy > 1) {
        L("  bne x12, x0, block%u", id);
        L("  tsync %s post(s%u, s%d)", ready, USED + id, ACC_FREE);
        if (e->op->bias) {
            L("  tsync post(s%d)", BIAS_PASSED);
            L("  vcall nothing wait(s%d) post(s%d)", BIAS_PASSED, BIAS_FREE);
            L("  li x20, %llu", (ull)(2 * e->p.bias_at + e->p.bias_bytes));
            L("  sub x19, x20, x19");
        }
        L("  jmp computed%u", id);
        L("block%u:", id);
    }
    L("  tsync %s post(s%u, s%d)", ready, USED + id, BLOCK);
    results(t, e, id);
}

/* Asks for the slab at x5..x10, as the one of place `id`. */
static void ask(struct tsr_text *t, const struct moe_expert_emit *e, uint32_t id)
{
    moe_expert_share_rows(t, e);
    L("  sd x20, x0, %llu", (ull)moe_expert_word(e, id, 0));
    moe_expert_slab_elements(t, e, 22);
    L("  sd x22, x0, %llu", (ull)moe_expert_word(e, id, 1));
    L("  muli x22, x10, %u", e->p.k_unit);
    L("  sd x22, x0, %llu", (ull)moe_expert_word(e, id, 2));
    L("  sd x9, x0, %llu", (ull)moe_expert_word(e, id, 3));
    L("  add x22, x7, x8");
    L("  add x22, x22, x21");
    L("  sd x22, x0, %llu", (ull)moe_expert_word(e, id, 4));
    moe_expert_load(t, e, id);
    advance(t, e, id);
}

static void step(struct tsr_text *t, const struct moe_expert_emit *e, uint32_t id)
{
    L("step%u:", id);
    L("  bne x11, x0, asked%u", id);
    ask(t, e, (id + e->p.places - 1) % e->p.places);
    L("asked%u:", id);
    for (uint32_t i = 0; i < SLAB_WORDS; i++)
        L("  ld x%u, x0, %llu", 12 + i, (ull)moe_expert_word(e, id, i));
    L("  sd x0, x0, %llu", (ull)moe_expert_word(e, id, 1));
    L("  beq x13, x0, halted");
    L("  blt x13, x0, computed%u", id);
    multiply(t, e, id);
    L("  add x20, x14, x13");
    L("  li x21, %llu", (ull)e->op->k);
    L("  bge x20, x21, complete%u", id);
    L("  tsync post(s%u)", USED + id);
    L("  jmp computed%u", id);
    L("complete%u:", id);
    complete(t, e, id);
    L("computed%u:", id);
}

/* ---- routines ------------------------------------------------------------------------------- */

/* Rows a8 (and a9 of up) to a11; `n` of them. */
static void rows(struct tsr_text *t, const struct moe_expert_emit *e, uint32_t n)
{
    struct npu_gate gate = {e->op->activation, e->op->limit, e->op->alpha};
    for (uint32_t i = 0; i < n; i++)
        L("  vld v%u, a8, f32, %llu", i, (ull)e->p.stage_pitch);
    for (uint32_t i = 0; i < n && e->op->gate; i++)
        L("  vld v%u, a9, f32, %llu", 8 + i, (ull)e->p.stage_pitch);
    if (e->op->gate)
        npu_gate_body(t, &gate, n);
    for (uint32_t i = 0; i < n; i++)
        L("  vst v%u, a11, %s, %llu", i + (e->op->gate ? 16 : 0), e->fc, (ull)e->p.out_pitch);
}

/* a0 gate (or the results), a1 up, a3 output, a4 columns, a5 groups of eight rows, a6 rows left. */
static void routines(struct tsr_text *t, const struct moe_expert_emit *e)
{
    struct npu_gate gate = {e->op->activation, e->op->limit, e->op->alpha};
    uint32_t vectors = (uint32_t)npu_ceil_div(e->p.nc, e->lanes);
    L(".routine nothing");
    L("  vret");
    L(".end");
    L(".routine setup");
    if (e->op->gate)
        npu_gate_constants(t, &gate);
    L("  vret");
    L(".end");
    L(".routine result");
    for (uint32_t v = 0; v < vectors; v++) {
        L("  aaddi a12, a4, -%u", v * e->lanes);
        L("  vlen a12");
        L("  aaddi a8, a0, %u", v * 4 * e->lanes);
        L("  aaddi a9, a1, %u", v * 4 * e->lanes);
        L("  aaddi a11, a3, %u", v * e->lanes * e->p.ec);
        L("  vloop a5, groups%u", v);
        rows(t, e, 8);
        L("groups%u:", v);
        L("  vloop a6, rest%u", v);
        rows(t, e, 1);
        L("rest%u:", v);
    }
    L("  vret");
    L(".end");
}

/* ---- launch --------------------------------------------------------------------------------- */

/* The tile at a place of the grid; 2 x 2 of it form a cluster where they can, so that a cluster
 * takes in as little as possible. */
static uint32_t tile_at(const struct moe_expert_plan *p, uint32_t y, uint32_t x)
{
    if (p->gx % 2 || p->gy % 2)
        return x * p->gy + y;
    return ((x / 2) * (p->gy / 2) + y / 2) * 4 + y % 2 * 2 + x % 2;
}

/* Senders are spread over the row. */
static uint32_t sender_at(const struct moe_expert_plan *p, uint32_t y, uint32_t i)
{
    return tile_at(p, y, i * p->gx / p->senders);
}

static void arguments(const struct moe_expert_emit *e, int64_t (*args)[TSR_LAUNCH_REGS])
{
    const struct moe_expert_plan *p = &e->p;
    for (uint32_t y = 0; y < p->gy; y++) {
        uint64_t row = 0, senders = 0;
        for (uint32_t x = 0; x < p->gx; x++)
            row |= (uint64_t)1 << tile_at(p, y, x);
        for (uint32_t i = 0; i < p->senders; i++)
            senders |= (uint64_t)1 << sender_at(p, y, i);
        for (uint32_t x = 0; x < p->gx; x++) {
            int64_t *r = args[tile_at(p, y, x)]; /* r[0] is x1 */
            uint64_t first = x * p->width, left = e->op->n - first, column = 0;
            for (uint32_t i = 0; i < p->gy; i++)
                column |= (uint64_t)1 << tile_at(p, i, x);
            r[0] = (int64_t)first;
            r[1] = (int64_t)(left < p->width ? left : p->width);
            r[2] = -1;
            r[3] = tile_at(p, y, x) == 0;
            r[4 + GRID_ROW] = y;
            r[4 + ROW_MASK] = (int64_t)row;
            r[4 + SENDER_MASK] = (int64_t)senders;
            r[4 + COLUMN_MASK] = (int64_t)column;
        }
        for (uint32_t i = 0; i < p->senders; i++)
            args[sender_at(p, y, i)][2] = i;
    }
}

enum tsr_status tsr_npu_moe_expert(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                   const struct tsr_npu_moe_expert *op, struct tsr_program *out,
                                   struct tsr_error *err)
{
    struct moe_expert_emit em = {.op = op, .lanes = chip->tile.tvp.lanes}, *e = &em;
    enum tsr_status st = moe_expert_plan(isa, chip, op, &e->p, err);
    if (st)
        return st;
    uint64_t matrix = tsr_npu_slab_bytes(&e->p.b.slab);
    e->up = op->up ? op->up : op->b + matrix;
    e->expert_stride = op->expert_stride     ? op->expert_stride
                       : op->gate && !op->up ? 2 * matrix
                                             : matrix;
    e->bias_stride = op->bias_stride ? op->bias_stride : 4 * op->n;
    e->fa = isa->formats[op->a_format].name;
    e->fb = isa->formats[op->b_format].name;
    e->fc = isa->formats[op->c_format].name;
    int64_t args[NPU_MAX_TILES][TSR_LAUNCH_REGS] = {{0}};
    arguments(e, args);
    struct tsr_text text = {0}, *t = &text;
    start(t, e);
    for (uint32_t id = 0; id < e->p.places; id++)
        step(t, e, id);
    L("  jmp step0");
    L("halted:");
    L("  halt");
    npu_places_sums(t, chip, e->p.expert_pitch);
    routines(t, e);
    return tsr_text_program(t, isa, "moe_expert", e->p.gx * e->p.gy,
                            (const int64_t(*)[TSR_LAUNCH_REGS])args, out, err);
}
