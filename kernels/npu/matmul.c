/* SPDX-License-Identifier: Apache-2.0 */
/* The matmul program: one text for all tiles; grid, rings and blocks are those of matmul_plan.
 *
 * Per tile: for each group of rows of blocks, for each block of columns, for each block of rows of
 * the group, for each chunk of K: wait for the chunk, if it is not there from an earlier block; one
 * mma a slab; hand the chunk's place back, if no later block uses it. The tiles that share a chunk
 * form a chain: each passes a token on when it has used the chunk and its predecessor's token is
 * there; the last one's token lets the tile that casts the chunks ("sender" of the grid row for A,
 * of the grid column for B) load the next. (Counting the receivers' posts in one semaphore would be
 * wrong: a fast receiver's second post would stand for a slow one's first.) Blocks alternate
 * between the two halves of the accumulators; a drained block leaves while the next one is
 * computed.
 *
 * Order: everything waits only for what some tile's program has queued before, so it cannot
 * deadlock whatever the depth of the queues. */
#include <stdio.h>
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
    static const uint8_t at[][2] = {
        {ARG_C, C_C},           {ARG_A_MASK, C_A_MASK},     {ARG_B_MASK, C_B_MASK},
        {ARG_A_NEXT, C_A_NEXT}, {ARG_B_NEXT, C_B_NEXT},     {ARG_ROLES, C_ROLES},
        {ARG_BIAS, C_BIAS},     {ARG_RESIDUAL, C_RESIDUAL},
    };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        L("  sd x%d, x0, %d", at[i][0], at[i][1]);
    if (e->p.c.blocked) {
        L("  sd x%d, x0, %d", ARG_PHASE, C_PHASE);
        L("  sd x%d, x0, %d", ARG_WRITTEN, C_WRITTEN);
    }
    L("  add x%d, x%d, x0", T0, ARG_A_LOADS);
    L("  add x%d, x%d, x0", T1, ARG_B_LOADS);
    L("  add x%d, x%d, x0", X_LA_LEFT, T0);
    L("  add x%d, x%d, x0", X_LB_LEFT, T1);
    L("  li x%d, %u", X_AS, e->p.a.pitch);
    L("  li x%d, %u", X_BS, e->p.b.pitch);
    L("  add x%d, x%d, x0", X_LA_PTR, X_A);
    static const enum reg zero[] = {X_LA_K, X_LB_COL, X_LB_K, X_ROW, X_C};
    for (size_t i = 0; i < sizeof zero / sizeof *zero; i++)
        L("  li x%d, 0", zero[i]);
    L("  li x%d, %llu", X_LA_SLOT, (unsigned long long)e->p.a.at);
    L("  li x%d, %llu", X_LB_SLOT, (unsigned long long)e->p.b.at);
    L("  li x%d, %llu", X_ASLOT, (unsigned long long)e->p.a.at);
    L("  li x%d, %llu", X_BSLOT, (unsigned long long)e->p.b.at);
    uint64_t a = matmul_total_a(&e->p), b = matmul_total_b(&e->p);
    L("  li x%d, %llu", T0, (unsigned long long)(a - least(a, e->p.a.slots)));
    L("  sd x%d, x0, %d", T0, C_A_CREDITS);
    L("  li x%d, %llu", T0, (unsigned long long)(b - least(b, e->p.b.slots)));
    L("  sd x%d, x0, %d", T0, C_B_CREDITS);
    L("  li x%d, %u", T0, e->p.ncb);
    L("  sd x%d, x0, %d", T0, C_A_PASS);
    /* both halves of the accumulators are free, and all places of the staging */
    for (int i = 0; i < 2; i++)
        L(e->p.epilogue ? "  wait post(s%d, s%d)" : "  wait post(s%d)", S_ACC_FREE, S_STAGE);
    for (uint32_t i = 0; i < e->p.outs; i++)
        L("  wait post(s%d)", S_LEFT);
    L("  li x%d, %llu", T0, (unsigned long long)e->p.out_at);
    L("  sd x%d, x0, %d", T0, C_OUT);
}

/* The first chunks, A and B by turns; then one of each with every chunk used, until the rings are
 * full. If all were asked for at once, some senders would run ahead and starve others, for whom
 * their receivers wait. */
static void first_loads(struct matmul_emit *e)
{
    uint64_t a = least(matmul_total_a(&e->p), e->p.a.slots);
    uint64_t b = least(matmul_total_b(&e->p), e->p.b.slots);
    uint64_t now_a = least(a, e->p.a.lead), now_b = least(b, e->p.b.lead);
    L("  li x%d, %llu", T0, (unsigned long long)(a - now_a));
    L("  sd x%d, x0, %d", T0, C_A_UNASKED);
    L("  li x%d, %llu", T0, (unsigned long long)(b - now_b));
    L("  sd x%d, x0, %d", T0, C_B_UNASKED);
    L("  li x%d, %llu", X_M, (unsigned long long)now_a);
    L("  li x%d, %llu", X_N, (unsigned long long)now_b);
    L("  li x%d, %llu", X_K, (unsigned long long)(now_a > now_b ? now_a : now_b));
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

static void ask_more(struct matmul_emit *e)
{
    bool a = least(matmul_total_a(&e->p), e->p.a.slots) > e->p.a.lead;
    bool b = least(matmul_total_b(&e->p), e->p.b.slots) > e->p.b.lead;
    if (a) {
        L("  ld x%d, x0, %d", T0, C_A_UNASKED);
        L("  beq x%d, x0, a_asked", T0);
        L("  addi x%d, x%d, -1", T0, T0);
        L("  sd x%d, x0, %d", T0, C_A_UNASKED);
        matmul_load_a(e, false);
        L("a_asked:");
    }
    if (b) {
        L("  ld x%d, x0, %d", T0, C_B_UNASKED);
        L("  beq x%d, x0, b_asked", T0);
        if (a && shares_a(e) && shares_b(e)) { /* the group's A before the next columns' B */
            L("  li x%d, %u", T1, e->p.b.slots - e->p.nkc + 1);
            L("  bge x%d, x%d, b_now", T0, T1);
            L("  ld x%d, x0, %d", T1, C_A_UNASKED);
            L("  bne x%d, x0, b_asked", T1);
            L("b_now:");
        }
        L("  addi x%d, x%d, -1", T0, T0);
        L("  sd x%d, x0, %d", T0, C_B_UNASKED);
        matmul_load_b(e, false);
        L("b_asked:");
    }
}

/* ---- a chunk
 * ------------------------------------------------------------------------------------------ */

static void one_mma(struct matmul_emit *e, int acc)
{
    const struct matmul_operand *a = &e->p.a, *b = &e->p.b;
    char scales[32] = "";
    int n = 0;
    if (a->slab.blocked) {
        L("  addi x%d, x%d, %u", T5, T0, a->slab.scales_at);
        n = snprintf(scales, sizeof scales, "asc=x%d, ", T5);
    }
    if (b->slab.blocked) {
        L("  addi x%d, x%d, %u", T6, T1, b->slab.scales_at);
        snprintf(scales + n, sizeof scales - (size_t)n, "bsc=x%d, ", T6);
    }
    L("  mini x%d, x%d, %u", T3, T2, e->p.ks);
    L("  mma a=x%d, as=x%d, b=x%d, bs=x%d, m=x%d, n=x%d, k=x%d, c=x%d, %saf=%s, bf=%s, acc=%d, "
      "across=%u",
      T0, X_AS, T1, X_BS, X_M, T4, T3, X_C, scales, e->fa, e->fb, acc, e->p.across);
    L("  addi x%d, x%d, %llu", T0, T0, (unsigned long long)a->height * e->line);
    L("  addi x%d, x%d, %llu", T1, T1, (unsigned long long)b->height * e->line);
    L("  addi x%d, x%d, -%u", T2, T2, e->p.ks);
}

/* Waits for what the block in hand is the first to use. */
static void await_chunk(struct matmul_emit *e)
{
    if (!shares_a(e) && !shares_b(e)) {
        L("  tsync wait(s%d, s%d)", S_B, S_A);
        return;
    }
    L("  ld x%d, x0, %d", T0, C_FLAGS);
    L("  andi x%d, x%d, %d", T1, T0, A_NEW);
    L("  andi x%d, x%d, %d", T2, T0, B_NEW);
    L("  beq x%d, x0, a_is_there", T1);
    L("  beq x%d, x0, a_alone", T2);
    L("  tsync wait(s%d, s%d)", S_B, S_A);
    L("  jmp arrived");
    L("a_alone:");
    L("  tsync wait(s%d)", S_A);
    L("  jmp arrived");
    L("a_is_there:");
    L("  beq x%d, x0, arrived", T2);
    L("  tsync wait(s%d)", S_B);
    L("arrived:");
}

/* The very last block goes in two halves, where its chunks are all there: while the second is
 * computed the first leaves, and nothing else hides the last results' way. Not where it leaves with
 * others beside it. */
static bool splits_last(const struct matmul_emit *e)
{
    return shares_a(e) && shares_b(e) && (!e->p.c.blocked || e->p.bn == e->p.span);
}

static void compute_chunk(struct matmul_emit *e)
{
    await_chunk(e);
    if (splits_last(e)) {
        L("  ld x%d, x0, %d", T1, C_SUB);
        L("  add x%d, x%d, x%d", T0, X_ASLOT, T1);
    } else {
        L("  add x%d, x%d, x0", T0, X_ASLOT);
    }
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

static void next_slot(struct matmul_emit *e, int slot, const struct matmul_operand *o,
                      const char *label)
{
    L("  addi x%d, x%d, %llu", slot, slot, (unsigned long long)o->slot_bytes);
    L("  li x%d, %llu", T0, (unsigned long long)(o->at + o->slots * o->slot_bytes));
    L("  blt x%d, x%d, %s", slot, T0, label);
    L("  li x%d, %llu", slot, (unsigned long long)o->at);
    L("%s:", label);
}

/* Jumps to `label` unless the block in hand is the last to use its chunks of that side. */
static void unless_done(struct matmul_emit *e, int flag, const char *label)
{
    L("  ld x%d, x0, %d", T0, C_FLAGS);
    L("  andi x%d, x%d, %d", T0, T0, flag);
    L("  beq x%d, x0, %s", T0, label);
}

/* Hands the chunk's places back where it has been used for the last time, and asks for the chunks
 * that take them. */
static void hand_back(struct matmul_emit *e)
{
    bool both_share = shares_a(e) && shares_b(e);
    if (both_share) { /* a chunk that nobody gives up needs no word */
        L("  ld x%d, x0, %d", T0, C_FLAGS);
        L("  andi x%d, x%d, %d", T0, T0, A_DONE | B_DONE);
        L("  bne x%d, x0, give", T0);
        L("  blt x%d, x%d, kept", X_K, T1);
        L("  tsync post(s%d)", S_BLOCK);
        L("  jmp kept");
        L("give:");
    }
    L("  bge x%d, x%d, last_chunk", X_K, T1);
    L("  tsync post(s%d)", S_USED);
    L("  jmp used");
    L("last_chunk:");
    L("  tsync post(s%d, s%d)", S_USED, S_BLOCK);
    L("used:");
    L("  copy ch=3, dst=x0, src=x0, len=x0 wait(s%d)", S_USED);
    if (shares_b(e))
        unless_done(e, B_DONE, "b_passed");
    pass_token(e,
               &(struct chain){"b", C_B_CREDITS, C_B_NEXT, FIRST_B, LAST_B, S_B_TOKEN, S_B_PLACE});
    if (shares_b(e))
        L("b_passed:");
    if (shares_a(e))
        unless_done(e, A_DONE, "a_passed");
    pass_token(e,
               &(struct chain){"a", C_A_CREDITS, C_A_NEXT, FIRST_A, LAST_A, S_A_TOKEN, S_A_PLACE});
    matmul_load_a(e, true);
    if (shares_a(e))
        L("a_passed:");
    if (shares_b(e))
        unless_done(e, B_DONE, "kept");
    matmul_load_b(e, true);
    if (both_share || shares_b(e))
        L("kept:");
}

static void chunk(struct matmul_emit *e)
{
    L("chunk:");
    compute_chunk(e);
    L("  addi x%d, x%d, %u", X_K, X_K, e->p.kc);
    ask_more(e);
    L("  li x%d, %llu", T1, (unsigned long long)e->op->k);
    hand_back(e);
    next_slot(e, X_ASLOT, &e->p.a, "a_slot");
    next_slot(e, X_BSLOT, &e->p.b, "b_slot");
    L("  li x%d, %llu", T0, (unsigned long long)e->op->k);
    L("  blt x%d, x%d, chunk", X_K, T0);
}

/* ---- blocks
 * ------------------------------------------------------------------------------------------ */

/* Which of the block's chunks arrive with it, and which it is the last to use. */
static void set_flags(struct matmul_emit *e)
{
    if (!shares_a(e) && !shares_b(e))
        return;
    L("  li x%d, %d", T0, (shares_a(e) ? 0 : A_NEW | A_DONE) | (shares_b(e) ? 0 : B_NEW | B_DONE));
    if (shares_a(e)) {
        L("  bne x%d, x0, a_old", X_COL);
        L("  addi x%d, x%d, %d", T0, T0, A_NEW);
        L("a_old:");
        L("  add x%d, x%d, x%d", T1, X_COL, X_BW);
        L("  blt x%d, x%d, a_more", T1, X_COLS);
        L("  addi x%d, x%d, %d", T0, T0, A_DONE);
        L("a_more:");
    }
    if (shares_b(e)) {
        L("  ld x%d, x0, %d", T1, C_PASS_ROW);
        L("  bne x%d, x%d, b_old", T1, X_ROW);
        L("  addi x%d, x%d, %d", T0, T0, B_NEW);
        L("b_old:");
        L("  ld x%d, x0, %d", T1, C_PASS_END);
        L("  add x%d, x%d, x%d", T2, X_ROW, X_BH);
        L("  blt x%d, x%d, b_more", T2, T1);
        L("  addi x%d, x%d, %d", T0, T0, B_DONE);
        L("b_more:");
    }
    L("  sd x%d, x0, %d", T0, C_FLAGS);
}

/* After set_flags: the first half of the last block takes half the rows and gives nothing up. */
static void split_last(struct matmul_emit *e)
{
    uint32_t d = e->chip->tile.ttu.dim;
    L("  ld x%d, x0, %d", T1, C_SUB_NEXT);
    L("  sd x%d, x0, %d", T1, C_SUB);
    L("  bne x%d, x0, second_half", T1);
    L("  sd x%d, x0, %d", X_ASLOT, C_A_BLOCK);
    L("  ld x%d, x0, %d", T0, C_FLAGS);
    L("  andi x%d, x%d, %d", T1, T0, A_DONE | B_DONE);
    L("  li x%d, %d", T2, A_DONE | B_DONE);
    L("  bne x%d, x%d, whole", T1, T2);
    L("  ld x%d, x0, %d", T1, C_PASS_END);
    L("  bne x%d, x%d, whole", T1, X_ROWS);
    L("  li x%d, %u", T1, 4 * d);
    L("  bge x%d, x%d, whole", T1, X_M);
    L("  andi x%d, x%d, %d", T0, T0, A_NEW | B_NEW);
    L("  sd x%d, x0, %d", T0, C_FLAGS);
    L("  addi x%d, x%d, %u", X_M, X_M, 2 * d - 1);
    L("  shri x%d, x%d, %d", X_M, X_M, __builtin_ctz(2 * d));
    L("  muli x%d, x%d, %u", X_M, X_M, d);
    L("  muli x%d, x%d, %u", T1, X_M, e->p.a.pitch);
    L("  sd x%d, x0, %d", T1, C_SUB_NEXT);
    L("  jmp whole");
    L("second_half:");
    L("  ld x%d, x0, %d", X_ASLOT, C_A_BLOCK);
    L("whole:");
}

static void one_block(struct matmul_emit *e)
{
    L("rows:");
    L("  sub x%d, x%d, x%d", X_M, X_ROWS, X_ROW);
    L("  min x%d, x%d, x%d", X_M, X_M, X_BH);
    if (shares_b(e))
        L("  ld x%d, x0, %d", X_BSLOT, C_B_PANEL);
    set_flags(e);
    if (splits_last(e))
        split_last(e);
    matmul_begin_block(e);
    matmul_load_extras(e);
    L("  li x%d, 0", X_K);
    chunk(e);
    matmul_drain_block(e);
    matmul_store_block(e);
    L("  xori x%d, x%d, %u", X_C, X_C, (e->chip->tile.ttu.acc_banks / 2) << 8);
}

static void blocks(struct matmul_emit *e)
{
    L("groups:");
    L("  li x%d, 0", X_COL);
    if (shares_a(e))
        L("  sd x%d, x0, %d", X_ASLOT, C_PANEL);
    if (shares_b(e)) {
        L("  sd x%d, x0, %d", X_ROW, C_PASS_ROW);
        L("  muli x%d, x%d, %u", T0, X_BH, e->p.pass);
        L("  add x%d, x%d, x%d", T0, T0, X_ROW);
        L("  min x%d, x%d, x%d", T0, T0, X_ROWS);
        L("  sd x%d, x0, %d", T0, C_PASS_END);
    }
    L("columns:");
    L("  sub x%d, x%d, x%d", X_N, X_COLS, X_COL);
    L("  min x%d, x%d, x%d", X_N, X_N, X_BW);
    if (shares_a(e))
        L("  ld x%d, x0, %d", X_ASLOT, C_PANEL);
    if (shares_b(e)) {
        L("  sd x%d, x0, %d", X_BSLOT, C_B_PANEL);
        L("  ld x%d, x0, %d", X_ROW, C_PASS_ROW);
    }
    matmul_begin_columns(e);
    one_block(e);
    if (shares_b(e)) {
        L("  add x%d, x%d, x%d", X_ROW, X_ROW, X_M);
        L("  ld x%d, x0, %d", T0, C_PASS_END);
        L("  blt x%d, x%d, rows", X_ROW, T0);
    }
    L("  add x%d, x%d, x%d", X_COL, X_COL, X_BW);
    L("  blt x%d, x%d, columns", X_COL, X_COLS);
    if (!shares_b(e))
        L("  add x%d, x%d, x%d", X_ROW, X_ROW, X_BH);
    L("  blt x%d, x%d, groups", X_ROW, X_ROWS);
    L("  halt");
}

/* ---- the program
 * ------------------------------------------------------------------------------------------ */

enum tsr_status matmul_program(const struct tsr_isa *isa, const struct tsr_chip *chip,
                               const struct tsr_npu_matmul *op, const struct matmul_plan *p,
                               struct tsr_program *out, struct tsr_error *err)
{
    struct matmul_emit em = {.isa = isa, .chip = chip, .op = op, .p = *p}, *e = &em;
    int64_t args[64][TSR_LAUNCH_REGS] = {{0}};
    e->line = chip->tile.line_bytes;
    e->lanes = chip->tile.tvp.lanes;
    e->c_stride = op->c_stride ? op->c_stride : e->p.n_out * e->p.ec;
    e->r_stride = op->residual_stride ? op->residual_stride : e->p.n_out * e->p.ec;
    e->fa = isa->formats[op->a_format].name;
    e->fb = isa->formats[op->b_format].name;
    e->fc = isa->formats[p->c.blocked ? op->residual_format : op->c_format].name;
    e->integer = isa->formats[op->a_format].family == TSR_FAMILY_INT;
    matmul_arguments(e, args);
    header(e);
    save_arguments(e);
    first_loads(e);
    blocks(e);
    matmul_epilogue_routine(e);
    return tsr_text_program(&e->t, isa, "matmul", e->p.gy * e->p.gx,
                            (const int64_t(*)[TSR_LAUNCH_REGS])args, out, err);
}

enum tsr_status tsr_npu_matmul(const struct tsr_isa *isa, const struct tsr_chip *chip,
                               const struct tsr_npu_matmul *op, struct tsr_program *out,
                               struct tsr_error *err)
{
    struct matmul_plan p;
    enum tsr_status st = matmul_plan(isa, chip, op, &p, err);
    return st == TSR_OK ? matmul_program(isa, chip, op, &p, out, err) : st;
}
