/* SPDX-License-Identifier: Apache-2.0 */
/* The matmul program: one text for all tiles; grid, rings and blocks are those of matmul_plan.
 *
 * Per tile: for each block of rows, for each block of columns, for each chunk of K: wait for the
 * chunk, one mma a slab, hand the chunk's place back. The tiles that share a chunk form a chain:
 * each passes a token on when it has used the chunk and its predecessor's token is there; the last
 * one's token lets the tile that casts the chunks ("sender" of the grid row for A, of the grid
 * column for B) load the next. (Counting the receivers' posts in one semaphore would be wrong: a
 * fast receiver's second post would stand for a slow one's first.) Blocks alternate between the two
 * halves of the accumulators; a drained block leaves while the next one is computed.
 *
 * Order: everything waits only for what some tile's program has queued before, so it cannot
 * deadlock whatever the depth of the queues. */
#include <string.h>

#include "kernels/npu/matmul_emit.h"

/* ---- start
 * ------------------------------------------------------------------------------------------- */

static void header(struct matmul_emit *e)
{
    static const char *const consumer[] = {"ttu", "ttu",  "dma3", "acc",  "tcp",
                                           "",    "dma2", "tcp",  "dma0", "dma1",
                                           "acc", "tvp",  "dma3", "dma3", "tcp"};
    for (int i = 0; i <= S_STAGE; i++)
        L(".sem %d %s", i, i == S_DRAINED ? (e->p.epilogue ? "tvp" : "dma2") : consumer[i]);
}

static void save_arguments(struct matmul_emit *e)
{
    static const uint8_t at[][2] = {{ARG_C, C_C},           {ARG_A_MASK, C_A_MASK},
                                    {ARG_B_MASK, C_B_MASK}, {ARG_A_NEXT, C_A_NEXT},
                                    {ARG_B_NEXT, C_B_NEXT}, {ARG_ROLES, C_ROLES},
                                    {ARG_BIAS, C_BIAS},     {ARG_RESIDUAL, C_RESIDUAL}};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        L("  sd x%d, x0, %d", at[i][0], at[i][1]);
    L("  add x%d, x%d, x0", T0, ARG_A_LOADS);
    L("  add x%d, x%d, x0", T1, ARG_B_LOADS);
    L("  add x%d, x%d, x0", X_LA_LEFT, T0);
    L("  add x%d, x%d, x0", X_LB_LEFT, T1);
    L("  li x%d, %u", X_LINE, e->line);
    L("  add x%d, x%d, x0", X_LA_PTR, X_A);
    static const enum reg zero[] = {X_LA_ROW, X_LA_K, X_LB_COL, X_LB_K, X_ROW, X_C};
    for (size_t i = 0; i < sizeof zero / sizeof *zero; i++)
        L("  li x%d, 0", zero[i]);
    L("  li x%d, %llu", X_LA_SLOT, (unsigned long long)e->p.a_at);
    L("  li x%d, %llu", X_LB_SLOT, (unsigned long long)e->p.b_at);
    L("  li x%d, %llu", X_ASLOT, (unsigned long long)e->p.a_at);
    L("  li x%d, %llu", X_BSLOT, (unsigned long long)e->p.b_at);
    L("  li x%d, %llu", T0, (unsigned long long)(total_a(e) - least(total_a(e), e->p.na)));
    L("  sd x%d, x0, %d", T0, C_A_CREDITS);
    L("  li x%d, %llu", T0, (unsigned long long)(total_b(e) - least(total_b(e), e->p.nb)));
    L("  sd x%d, x0, %d", T0, C_B_CREDITS);
    L("  li x%d, %u", T0, e->p.ncb);
    L("  sd x%d, x0, %d", T0, C_A_PASS);
    /* both halves of the accumulators and of the staging are free */
    for (int i = 0; i < 2; i++) {
        L("  wait post(s%d, s%d)", S_ACC_FREE, S_LEFT);
        if (e->p.epilogue)
            L("  wait post(s%d)", S_STAGE);
    }
    L("  li x%d, %llu", T0, (unsigned long long)e->p.out_at);
    L("  sd x%d, x0, %d", T0, C_OUT);
}

/* Fills the rings, A and B by turns. */
static void first_loads(struct matmul_emit *e)
{
    uint64_t a = least(total_a(e), e->p.na), b = least(total_b(e), e->p.nb), most = a > b ? a : b;
    L("  li x%d, %llu", X_M, (unsigned long long)a);
    L("  li x%d, %llu", X_N, (unsigned long long)b);
    L("  li x%d, %llu", X_K, (unsigned long long)most);
    L("first:");
    L("  beq x%d, x0, first_b", X_M);
    L("  addi x%d, x%d, -1", X_M, X_M);
    matmul_load_a(e, false);
    L("first_b:");
    L("  beq x%d, x0, first_next", X_N);
    L("  addi x%d, x%d, -1", X_N, X_N);
    matmul_load_b(e, false);
    L("first_next:");
    L("  addi x%d, x%d, -1", X_K, X_K);
    L("  bne x%d, x0, first", X_K);
}

/* ---- a chunk
 * ------------------------------------------------------------------------------------------ */

static void one_mma(struct matmul_emit *e, int acc)
{
    L("  mini x%d, x%d, %u", T3, T2, e->p.ks);
    L("  mma a=x%d, as=x%d, b=x%d, bs=x%d, m=x%d, n=x%d, k=x%d, c=x%d, af=%s, bf=%s, acc=%d, "
      "across=%u",
      T0, X_LINE, T1, X_LINE, X_M, T4, T3, X_C, e->fa, e->fb, acc, e->p.across);
    L("  addi x%d, x%d, %llu", T0, T0, (unsigned long long)e->p.a_height * e->line);
    L("  addi x%d, x%d, %llu", T1, T1, (unsigned long long)e->p.b_height * e->line);
    L("  addi x%d, x%d, -%u", T2, T2, e->p.ks);
}

static void compute_chunk(struct matmul_emit *e)
{
    if (e->p.resident && e->p.ncb > 1) { /* A arrives with the first block of columns only */
        L("  beq x%d, x0, both_new", X_COL);
        L("  tsync wait(s%d)", S_B);
        L("  jmp arrived");
        L("both_new:");
    }
    L("  tsync wait(s%d, s%d)", S_B, S_A);
    L("arrived:");
    L("  add x%d, x%d, x0", T0, X_ASLOT);
    L("  add x%d, x%d, x0", T1, X_BSLOT);
    L("  li x%d, %llu", T2, (unsigned long long)e->op->k);
    L("  sub x%d, x%d, x%d", T2, T2, X_K);
    L("  mini x%d, x%d, %u", T2, T2, e->p.kc);
    L("  muli x%d, x%d, %u", T4, X_N, e->p.parts);
    L("  bne x%d, x0, slab", X_K);
    one_mma(e, 0);
    L("  bge x0, x%d, slabs_done", T2);
    L("slab:");
    one_mma(e, 1);
    L("  blt x0, x%d, slab", T2);
    L("slabs_done:");
}

/* Passes the token of a chunk on: by channel 3, which has waited for the chunk's last mma. */
struct chain {
    const char *name;
    int credits, next;
    enum role first, last;
    enum sem token, place;
};

static void pass_token(struct matmul_emit *e, const struct chain *c)
{
    L("  ld x%d, x0, %d", T0, c->credits); /* chunks whose place a later load wants */
    L("  beq x%d, x0, kept_%s", T0, c->name);
    L("  addi x%d, x%d, -1", T0, T0);
    L("  sd x%d, x0, %d", T0, c->credits);
    L("  ld x%d, x0, %d", T0, c->next);
    L("  ld x%d, x0, %d", T1, C_ROLES);
    L("  andi x%d, x%d, %d", T2, T1, c->first);
    L("  bne x%d, x0, head_%s", T2, c->name);
    L("  copy ch=3, dst=x0, src=x0, len=x0 wait(s%d)", c->token);
    L("head_%s:", c->name);
    L("  andi x%d, x%d, %d", T2, T1, c->last);
    L("  bne x%d, x0, end_%s", T2, c->name);
    L("  rpost ch=3, mask=x%d, sem=%d", T0, c->token);
    L("  jmp kept_%s", c->name);
    L("end_%s:", c->name);
    L("  rpost ch=3, mask=x%d, sem=%d", T0, c->place);
    L("kept_%s:", c->name);
}

static void next_slot(struct matmul_emit *e, int slot, uint64_t base, uint64_t bytes,
                      uint64_t slots, const char *label)
{
    L("  addi x%d, x%d, %llu", slot, slot, (unsigned long long)bytes);
    L("  li x%d, %llu", T0, (unsigned long long)(base + slots * bytes));
    L("  blt x%d, x%d, %s", slot, T0, label);
    L("  li x%d, %llu", slot, (unsigned long long)base);
    L("%s:", label);
}

static void chunk(struct matmul_emit *e)
{
    bool shared = e->p.resident && e->p.ncb > 1;
    L("chunk:");
    compute_chunk(e);
    L("  addi x%d, x%d, %u", X_K, X_K, e->p.kc);
    L("  li x%d, %llu", T0, (unsigned long long)e->op->k);
    L("  bge x%d, x%d, last_chunk", X_K, T0);
    L("  tsync post(s%d)", S_USED);
    L("  jmp used");
    L("last_chunk:");
    L("  tsync post(s%d, s%d)", S_USED, S_BLOCK);
    L("used:");
    L("  copy ch=3, dst=x0, src=x0, len=x0 wait(s%d)", S_USED);
    pass_token(e,
               &(struct chain){"b", C_B_CREDITS, C_B_NEXT, FIRST_B, LAST_B, S_B_TOKEN, S_B_PLACE});
    if (shared) { /* A's last use is with the last block of columns */
        L("  add x%d, x%d, x%d", T0, X_COL, X_BW);
        L("  blt x%d, x%d, a_stays", T0, X_COLS);
    }
    pass_token(e,
               &(struct chain){"a", C_A_CREDITS, C_A_NEXT, FIRST_A, LAST_A, S_A_TOKEN, S_A_PLACE});
    matmul_load_a(e, true);
    if (shared)
        L("a_stays:");
    matmul_load_b(e, true);
    next_slot(e, X_ASLOT, e->p.a_at, e->p.a_slot, e->p.na, "a_slot");
    next_slot(e, X_BSLOT, e->p.b_at, e->p.b_slot, e->p.nb, "b_slot");
    L("  li x%d, %llu", T0, (unsigned long long)e->op->k);
    L("  blt x%d, x%d, chunk", X_K, T0);
}

static void blocks(struct matmul_emit *e)
{
    bool shared = e->p.resident && e->p.ncb > 1;
    L("rows:");
    L("  sub x%d, x%d, x%d", X_M, X_ROWS, X_ROW);
    L("  min x%d, x%d, x%d", X_M, X_M, X_BH);
    L("  li x%d, 0", X_COL);
    if (shared)
        L("  sd x%d, x0, %d", X_ASLOT, C_PANEL);
    L("columns:");
    L("  sub x%d, x%d, x%d", X_N, X_COLS, X_COL);
    L("  min x%d, x%d, x%d", X_N, X_N, X_BW);
    if (shared)
        L("  ld x%d, x0, %d", X_ASLOT, C_PANEL);
    matmul_begin_block(e);
    matmul_load_extras(e);
    L("  li x%d, 0", X_K);
    chunk(e);
    matmul_drain_block(e);
    matmul_store_block(e);
    L("  xori x%d, x%d, %u", X_C, X_C, (e->chip->tile.ttu.acc_banks / 2) << 8);
    L("  add x%d, x%d, x%d", X_COL, X_COL, X_BW);
    L("  blt x%d, x%d, columns", X_COL, X_COLS);
    L("  add x%d, x%d, x%d", X_ROW, X_ROW, X_BH);
    L("  blt x%d, x%d, rows", X_ROW, X_ROWS);
    L("  halt");
}

/* ---- launch
 * ------------------------------------------------------------------------------------------- */

static uint32_t tile_id(const struct matmul_plan *p, uint32_t per, uint32_t y, uint32_t x)
{
    if (p->iy * p->ix != per)
        return y * p->gx + x;
    return ((y / p->iy) * p->ox + x / p->ix) * per + (y % p->iy) * p->ix + x % p->ix;
}

static void arguments(const struct matmul_emit *e, int64_t (*args)[TSR_LAUNCH_REGS])
{
    const struct matmul_plan *p = &e->p;
    const struct tsr_npu_matmul *op = e->op;
    uint32_t per = e->chip->tiles_per_cluster;
    for (uint32_t y = 0; y < p->gy; y++)
        for (uint32_t x = 0; x < p->gx; x++) {
            uint64_t row, rows, col, cols;
            matmul_split(op->m, p->row_unit, y, p->gy, &row, &rows);
            matmul_split(p->n_out, p->col_unit, x, p->gx, &col, &cols);
            uint32_t id = tile_id(p, per, y, x);
            uint32_t a_sender = tile_id(p, per, y, y % p->gx),
                     b_sender = tile_id(p, per, (x + p->gy / 2) % p->gy, x);
            uint64_t a_mask = 0, b_mask = 0;
            for (uint32_t i = 0; i < p->gx; i++)
                a_mask |= (uint64_t)1 << tile_id(p, per, y, i);
            for (uint32_t i = 0; i < p->gy; i++)
                b_mask |= (uint64_t)1 << tile_id(p, per, i, x);
            int64_t r[TSR_LAUNCH_REGS + 1] = {0}; /* r[1] is x1 */
            r[X_A] = (int64_t)(op->a + row * e->a_stride);
            r[X_ROWS] = (int64_t)rows;
            r[X_BH] = (int64_t)matmul_block(rows, p->nrb, e->chip->tile.ttu.dim);
            r[X_B] = (int64_t)(op->b + col * e->b_stride);
            r[X_COLS] = (int64_t)cols;
            r[X_BW] = (int64_t)matmul_block(cols, p->ncb, e->chip->tile.ttu.dim);
            r[ARG_C] = (int64_t)(op->c + row * e->c_stride + col * p->ec);
            r[ARG_A_MASK] = (int64_t)a_mask;
            r[ARG_B_MASK] = (int64_t)b_mask;
            uint32_t a_next = x + 1 < p->gx ? tile_id(p, per, y, x + 1) : a_sender;
            uint32_t b_next = y + 1 < p->gy ? tile_id(p, per, y + 1, x) : b_sender;
            r[ARG_A_NEXT] = (int64_t)((uint64_t)1 << a_next);
            r[ARG_B_NEXT] = (int64_t)((uint64_t)1 << b_next);
            r[ARG_ROLES] = (x == 0 ? FIRST_A : 0) | (x + 1 == p->gx ? LAST_A : 0) |
                           (y == 0 ? FIRST_B : 0) | (y + 1 == p->gy ? LAST_B : 0);
            r[ARG_A_LOADS] = a_sender == id ? (int64_t)total_a(e) : 0;
            r[ARG_B_LOADS] = b_sender == id ? (int64_t)total_b(e) : 0;
            r[ARG_BIAS] = (int64_t)(op->bias + 4 * col);
            r[ARG_RESIDUAL] = (int64_t)(op->residual + row * e->r_stride + col * p->ec);
            memcpy(args[id], r + 1, sizeof args[id]);
        }
}

enum tsr_status tsr_npu_matmul(const struct tsr_isa *isa, const struct tsr_chip *chip,
                               const struct tsr_npu_matmul *op, struct tsr_program *out,
                               struct tsr_error *err)
{
    struct matmul_emit em = {.chip = chip, .op = op}, *e = &em;
    enum tsr_status st = matmul_plan(isa, chip, op, &e->p, err);
    if (st)
        return st;
    int64_t args[64][TSR_LAUNCH_REGS] = {{0}};
    e->line = chip->tile.line_bytes;
    e->line_shift = (uint32_t)__builtin_ctz(e->line);
    e->lanes = chip->tile.tvp.lanes;
    e->a_stride = op->a_stride ? op->a_stride : op->k * e->p.ea;
    e->b_stride = op->b_stride ? op->b_stride : op->k * e->p.eb;
    e->c_stride = op->c_stride ? op->c_stride : e->p.n_out * e->p.ec;
    e->r_stride = op->residual_stride ? op->residual_stride : e->p.n_out * e->p.ec;
    e->fa = isa->formats[op->a_format].name;
    e->fb = isa->formats[op->b_format].name;
    e->fc = isa->formats[op->c_format].name;
    e->integer = isa->formats[op->a_format].family == TSR_FAMILY_INT;
    arguments(e, args);
    header(e);
    save_arguments(e);
    first_loads(e);
    blocks(e);
    matmul_epilogue_routine(e);
    return tsr_text_program(&e->t, isa, "matmul", e->p.gy * e->p.gx,
                            (const int64_t(*)[TSR_LAUNCH_REGS])args, out, err);
}
