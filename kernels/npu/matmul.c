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
#include <stdio.h>
#include <string.h>

#include "kernels/npu/matmul_plan.h"
#include "kernels/npu/text.h"

enum sem {
    S_A,
    S_B,        /* a chunk has arrived: consumed by the TTU */
    S_USED,     /* a chunk has been used: DMA channel 3, for the remote posts */
    S_BLOCK,    /* a block is complete: ACC */
    S_ACC_FREE, /* its accumulators are drained: TCP */
    S_DRAINED,  /* the drained block is in TSRAM: channel 2, or TVP with an epilogue */
    S_RESULT,   /* the epilogue's result is in TSRAM: channel 2 */
    S_LEFT,     /* the result has left: TCP */
    S_A_PLACE,
    S_B_PLACE,  /* a place is free: channels 0 and 1 of the senders */
    S_BIAS,     /* ACC */
    S_RESIDUAL, /* TVP */
    S_A_TOKEN,
    S_B_TOKEN, /* the predecessor's token: channel 3 */
    S_STAGE,   /* with an epilogue, the drained block has been used: TCP */
};

/* Scalar registers. x1..x15 are launch arguments; those above x6 move to control memory first. */
enum reg {
    X_A = 1,
    X_ROWS,
    X_BH,
    X_B,
    X_COLS,
    X_BW,
    X_LINE,
    X_LA_LEFT,
    X_LA_PTR,
    X_LA_ROW,
    X_LA_K,
    X_LA_SLOT,
    X_LB_LEFT,
    X_LB_COL,
    X_LB_K,
    X_LB_SLOT,
    X_ROW,
    X_COL,
    X_K,
    X_ASLOT,
    X_BSLOT,
    X_C,
    X_M,
    X_N,
    T0,
    T1,
    T2,
    T3,
    T4,
    T5,
    T6,
};
/* ARG_x_NEXT: mask of the tile that gets the token; ARG_ROLES: bits of enum role. */
enum launch {
    ARG_C = 7,
    ARG_A_MASK,
    ARG_B_MASK,
    ARG_A_NEXT,
    ARG_B_NEXT,
    ARG_A_LOADS,
    ARG_B_LOADS,
    ARG_BIAS,
    ARG_RESIDUAL,
    ARG_ROLES
};
enum role {
    FIRST_A = 1,
    LAST_A = 2,
    FIRST_B = 4,
    LAST_B = 8
}; /* of the chains of A and B */

/* Control memory: arguments and what finds no register. */
enum {
    C_C = 0,
    C_A_MASK = 8,
    C_B_MASK = 16,
    C_A_NEXT = 24,
    C_B_NEXT = 32,
    C_BIAS = 40,
    C_RESIDUAL = 48,
    C_PANEL = 56,
    C_A_CREDITS = 64,
    C_B_CREDITS = 72,
    C_A_PASS = 80,
    C_ROLES = 88,
    C_GROUP_LEFT = 96,
    C_GROUP_COL = 104,
    C_OUT = 112
};

struct emit {
    struct tsr_text t;
    const struct tsr_chip *chip;
    const struct tsr_npu_matmul *op;
    struct matmul_plan p;
    uint64_t a_stride, b_stride, c_stride, r_stride;
    uint32_t labels, line, line_shift, lanes;
    const char *fa, *fb, *fc;
    bool integer;
};

#define L(...) tsr_text_line(&e->t, __VA_ARGS__)

static uint64_t total_a(const struct emit *e)
{
    return (uint64_t)e->p.nrb * e->p.nkc * (e->p.resident ? 1 : e->p.ncb);
}
static uint64_t total_b(const struct emit *e)
{
    return (uint64_t)e->p.nrb * e->p.ncb * e->p.nkc;
}
static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- loads
 * ------------------------------------------------------------------------------------------- */

/* One side's loader: what differs between A and B. */
struct side {
    int ch, left, k, slot, mask_at;
    uint32_t group; /* tiles that share the chunk */
    enum sem arrived, place;
    uint32_t size, height, parts; /* element bytes; rows of a slab in TSRAM */
    uint64_t stride, part_rows, base, slot_bytes, slots;
};

/* The copies of one chunk: T0 slab distance, T1 whole slabs, T2 bytes of the last partial one,
 * T3 source, T4 rows, T5 row stride, T6 mask. */
static void chunk_copies(struct emit *e, const struct side *s, uint32_t id)
{
    char cast[40] = "", post[16];
    if (s->group > 1)
        snprintf(cast, sizeof cast, ", mask=x%d, mc=1", T6);
    snprintf(post, sizeof post, ", p1=s%d", s->arrived);
    for (uint32_t part = 0; part < s->parts; part++) {
        const char *last = part + 1 == s->parts ? post : "";
        if (part) { /* up rows: behind the gate rows in B and in each slab */
            L("  li x%d, %llu", T0, (unsigned long long)(s->part_rows * s->stride));
            L("  add x%d, x%d, x%d", T3, T3, T0);
            L("  shli x%d, x%d, %u", T0, T4, e->line_shift);
            L("  add x%d, x%d, x%d", s->slot, s->slot, T0);
        }
        L("  li x%d, %llu", T0, (unsigned long long)s->height * e->line);
        L("  beq x%d, x0, tail%u_%u", T1, id, part);
        L("  bne x%d, x0, both%u_%u", T2, id, part);
        L("  copy ch=%d, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, "
          "ds2=x%d%s%s",
          s->ch, s->slot, T3, X_LINE, T1, X_LINE, T0, T4, T5, X_LINE, cast, last);
        L("  jmp next%u_%u", id, part);
        L("both%u_%u:", id, part);
        L("  copy ch=%d, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, "
          "ds2=x%d%s",
          s->ch, s->slot, T3, X_LINE, T1, X_LINE, T0, T4, T5, X_LINE, cast);
        L("tail%u_%u:", id, part);
        L("  mul x%d, x%d, x%d", T0, T0, T1);
        L("  add x%d, x%d, x%d", T0, T0, s->slot);
        L("  shli x%d, x%d, %u", T1, T1, e->line_shift);
        L("  add x%d, x%d, x%d", T3, T3, T1);
        L("  copy ch=%d, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d%s%s", s->ch, T0, T3,
          T2, T4, T5, X_LINE, cast, last);
        L("  sub x%d, x%d, x%d", T3, T3, T1);
        L("  shri x%d, x%d, %u", T1, T1, e->line_shift);
        L("next%u_%u:", id, part);
    }
    if (s->parts > 1) {
        L("  shli x%d, x%d, %u", T0, T4, e->line_shift);
        L("  sub x%d, x%d, x%d", s->slot, s->slot, T0);
    }
}

/* Bytes of the chunk, its slabs and rest, the mask; then copies and the walk along K. */
static void load_chunk(struct emit *e, const struct side *s, uint32_t id)
{
    L("  li x%d, %llu", T0, (unsigned long long)e->op->k);
    L("  sub x%d, x%d, x%d", T0, T0, s->k);
    L("  mini x%d, x%d, %u", T0, T0, e->p.kc);
    /* slabs are ks elements wide, whatever the operand's element: bytes of a slab = ks * size */
    L("  muli x%d, x%d, %u", T0, T0, s->size);
    L("  shri x%d, x%d, %u", T1, T0, e->line_shift);
    L("  andi x%d, x%d, %u", T2, T0, e->line - 1);
    L("  muli x%d, x%d, %u", T0, s->k, s->size);
    L("  add x%d, x%d, x%d", T3, T3, T0);
    L("  li x%d, %llu", T5, (unsigned long long)s->stride);
    if (s->group > 1)
        L("  ld x%d, x0, %d", T6, s->mask_at);
    chunk_copies(e, s, id);
    L("  addi x%d, x%d, %llu", s->slot, s->slot, (unsigned long long)s->slot_bytes);
    L("  li x%d, %llu", T0, (unsigned long long)(s->base + s->slots * s->slot_bytes));
    L("  blt x%d, x%d, walk%u", s->slot, T0, id);
    L("  li x%d, %llu", s->slot, (unsigned long long)s->base);
    L("walk%u:", id);
    L("  addi x%d, x%d, %u", s->k, s->k, e->p.kc);
    L("  li x%d, %llu", T0, (unsigned long long)e->op->k);
    L("  blt x%d, x%d, end%u", s->k, T0, id);
    L("  li x%d, 0", s->k);
}

static void load_a(struct emit *e, bool wait)
{
    uint32_t id = e->labels++;
    struct side s = {.ch = 0,
                     .left = X_LA_LEFT,
                     .k = X_LA_K,
                     .slot = X_LA_SLOT,
                     .mask_at = C_A_MASK,
                     .group = e->p.gx,
                     .arrived = S_A,
                     .place = S_A_PLACE,
                     .size = e->p.ea,
                     .height = e->p.a_height,
                     .parts = 1,
                     .stride = e->a_stride,
                     .base = e->p.a_at,
                     .slot_bytes = e->p.a_slot,
                     .slots = e->p.na};
    L("  beq x%d, x0, end%u", s.left, id);
    L("  addi x%d, x%d, -1", s.left, s.left);
    if (wait)
        L("  copy ch=%d, dst=x0, src=x0, len=x0 wait(s%d)", s.ch, s.place);
    L("  sub x%d, x%d, x%d", T4, X_ROWS, X_LA_ROW);
    L("  min x%d, x%d, x%d", T4, T4, X_BH);
    L("  add x%d, x%d, x0", T3, X_LA_PTR);
    load_chunk(e, &s, id);
    if (!e->p.resident) { /* the same rows again for every block of columns */
        L("  ld x%d, x0, %d", T0, C_A_PASS);
        L("  addi x%d, x%d, -1", T0, T0);
        L("  sd x%d, x0, %d", T0, C_A_PASS);
        L("  bne x%d, x0, end%u", T0, id);
        L("  li x%d, %u", T0, e->p.ncb);
        L("  sd x%d, x0, %d", T0, C_A_PASS);
    }
    L("  add x%d, x%d, x%d", X_LA_ROW, X_LA_ROW, X_BH);
    L("  muli x%d, x%d, %llu", T0, X_BH, (unsigned long long)e->a_stride);
    L("  add x%d, x%d, x%d", X_LA_PTR, X_LA_PTR, T0);
    L("end%u:", id);
}

static void load_b(struct emit *e, bool wait)
{
    uint32_t id = e->labels++;
    struct side s = {.ch = 1,
                     .left = X_LB_LEFT,
                     .k = X_LB_K,
                     .slot = X_LB_SLOT,
                     .mask_at = C_B_MASK,
                     .group = e->p.gy,
                     .arrived = S_B,
                     .place = S_B_PLACE,
                     .size = e->p.eb,
                     .height = e->p.b_height,
                     .parts = e->p.parts,
                     .part_rows = e->p.n_out,
                     .stride = e->b_stride,
                     .base = e->p.b_at,
                     .slot_bytes = e->p.b_slot,
                     .slots = e->p.nb};
    L("  beq x%d, x0, end%u", s.left, id);
    L("  addi x%d, x%d, -1", s.left, s.left);
    if (wait)
        L("  copy ch=%d, dst=x0, src=x0, len=x0 wait(s%d)", s.ch, s.place);
    L("  sub x%d, x%d, x%d", T4, X_COLS, X_LB_COL);
    L("  min x%d, x%d, x%d", T4, T4, X_BW);
    L("  muli x%d, x%d, %llu", T3, X_LB_COL, (unsigned long long)e->b_stride);
    L("  add x%d, x%d, x%d", T3, T3, X_B);
    load_chunk(e, &s, id);
    L("  add x%d, x%d, x%d", X_LB_COL, X_LB_COL, X_BW);
    L("  blt x%d, x%d, end%u", X_LB_COL, X_COLS, id);
    L("  li x%d, 0", X_LB_COL);
    L("end%u:", id);
}

/* ---- start
 * ------------------------------------------------------------------------------------------- */

static void header(struct emit *e)
{
    static const char *const consumer[] = {"ttu", "ttu",  "dma3", "acc",  "tcp",
                                           "",    "dma2", "tcp",  "dma0", "dma1",
                                           "acc", "tvp",  "dma3", "dma3", "tcp"};
    for (int i = 0; i <= S_STAGE; i++)
        L(".sem %d %s", i, i == S_DRAINED ? (e->p.epilogue ? "tvp" : "dma2") : consumer[i]);
}

static void save_arguments(struct emit *e)
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
static void first_loads(struct emit *e)
{
    uint64_t a = least(total_a(e), e->p.na), b = least(total_b(e), e->p.nb), most = a > b ? a : b;
    L("  li x%d, %llu", X_M, (unsigned long long)a);
    L("  li x%d, %llu", X_N, (unsigned long long)b);
    L("  li x%d, %llu", X_K, (unsigned long long)most);
    L("first:");
    L("  beq x%d, x0, first_b", X_M);
    L("  addi x%d, x%d, -1", X_M, X_M);
    load_a(e, false);
    L("first_b:");
    L("  beq x%d, x0, first_next", X_N);
    L("  addi x%d, x%d, -1", X_N, X_N);
    load_b(e, false);
    L("first_next:");
    L("  addi x%d, x%d, -1", X_K, X_K);
    L("  bne x%d, x0, first", X_K);
}

/* ---- a chunk
 * ------------------------------------------------------------------------------------------ */

static void one_mma(struct emit *e, int acc)
{
    L("  mini x%d, x%d, %u", T3, T2, e->p.ks);
    L("  mma a=x%d, as=x%d, b=x%d, bs=x%d, m=x%d, n=x%d, k=x%d, c=x%d, af=%s, bf=%s, acc=%d, "
      "across=%u",
      T0, X_LINE, T1, X_LINE, X_M, T4, T3, X_C, e->fa, e->fb, acc, e->p.across);
    L("  addi x%d, x%d, %llu", T0, T0, (unsigned long long)e->p.a_height * e->line);
    L("  addi x%d, x%d, %llu", T1, T1, (unsigned long long)e->p.b_height * e->line);
    L("  addi x%d, x%d, -%u", T2, T2, e->p.ks);
}

static void compute_chunk(struct emit *e)
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

static void pass_token(struct emit *e, const struct chain *c)
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

static void next_slot(struct emit *e, int slot, uint64_t base, uint64_t bytes, uint64_t slots,
                      const char *label)
{
    L("  addi x%d, x%d, %llu", slot, slot, (unsigned long long)bytes);
    L("  li x%d, %llu", T0, (unsigned long long)(base + slots * bytes));
    L("  blt x%d, x%d, %s", slot, T0, label);
    L("  li x%d, %llu", slot, (unsigned long long)base);
    L("%s:", label);
}

static void chunk(struct emit *e)
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
    load_a(e, true);
    if (shared)
        L("a_stays:");
    load_b(e, true);
    next_slot(e, X_ASLOT, e->p.a_at, e->p.a_slot, e->p.na, "a_slot");
    next_slot(e, X_BSLOT, e->p.b_at, e->p.b_slot, e->p.nb, "b_slot");
    L("  li x%d, %llu", T0, (unsigned long long)e->op->k);
    L("  blt x%d, x%d, chunk", X_K, T0);
}

/* ---- a block
 * ------------------------------------------------------------------------------------------- */

/* Address of the half of a double buffer that X_C names, in `reg`. */
static void half(struct emit *e, int reg, uint64_t at, uint64_t bytes)
{
    uint32_t shift = (uint32_t)__builtin_ctz((e->chip->tile.ttu.acc_banks / 2) << 8);
    L("  shri x%d, x%d, %u", reg, X_C, shift);
    L("  muli x%d, x%d, %llu", reg, reg, (unsigned long long)bytes);
    L("  addi x%d, x%d, %llu", reg, reg, (unsigned long long)at);
}

/* Bytes from row to row of the staged results: a group of blocks side by side. */
static uint64_t out_stride(const struct emit *e)
{
    return (uint64_t)e->p.bn * e->p.ec * e->p.group;
}

/* Where the block's results are staged: its place in the group. */
static void out_place(struct emit *e, int reg, int temp)
{
    L("  ld x%d, x0, %d", reg, C_OUT);
    if (e->p.group > 1) {
        L("  ld x%d, x0, %d", temp, C_GROUP_COL);
        L("  sub x%d, x%d, x%d", temp, X_COL, temp);
        L("  muli x%d, x%d, %u", temp, temp, e->p.ec);
        L("  add x%d, x%d, x%d", reg, reg, temp);
    }
}

/* A group starts when its half of the staging has left; each block when its accumulators, and with
 * an epilogue its half of the drained blocks, are free. */
static void begin_block(struct emit *e)
{
    if (e->p.epilogue)
        L("  wait wait(s%d, s%d)", S_ACC_FREE, S_STAGE);
    else
        L("  wait wait(s%d)", S_ACC_FREE);
    L("  ld x%d, x0, %d", T0, C_GROUP_LEFT);
    L("  bne x%d, x0, in_group", T0);
    L("  wait wait(s%d)", S_LEFT);
    L("  sd x%d, x0, %d", X_COL, C_GROUP_COL);
    L("  ld x%d, x0, %d", T0, C_OUT); /* the other half */
    L("  li x%d, %llu", T1, (unsigned long long)(2 * e->p.out_at + e->p.out_bytes));
    L("  sub x%d, x%d, x%d", T0, T1, T0);
    L("  sd x%d, x0, %d", T0, C_OUT);
    L("  li x%d, %u", T0, e->p.group);
    if (e->p.group > 1) { /* near the end one by one: nothing hides a long last copy */
        L("  add x%d, x%d, x%d", T1, X_ROW, X_BH);
        L("  blt x%d, x%d, in_group", T1, X_ROWS);
        L("  muli x%d, x%d, %u", T1, X_BW, 2 * e->p.group);
        L("  add x%d, x%d, x%d", T1, T1, X_COL);
        L("  bge x%d, x%d, in_group", X_COLS, T1);
        L("  li x%d, 1", T0);
    }
    L("in_group:");
    L("  addi x%d, x%d, -1", T0, T0);
    L("  sd x%d, x0, %d", T0, C_GROUP_LEFT);
}

/* Bias and residual of the block, on channel 3. */
static void load_extras(struct emit *e)
{
    const struct tsr_npu_matmul *op = e->op;
    if (op->has_bias) {
        uint64_t behind = op->epilogue == TSR_EPILOGUE_RESIDUAL ? e->p.out_bytes : 0;
        half(e, T0, e->p.extra_at + behind, e->p.extra_bytes);
        L("  ld x%d, x0, %d", T1, C_BIAS);
        L("  shli x%d, x%d, 2", T2, X_COL);
        L("  add x%d, x%d, x%d", T1, T1, T2);
        L("  shli x%d, x%d, 2", T2, X_N);
        L("  li x%d, %u", T3, e->p.parts);
        L("  li x%d, %llu", T4, (unsigned long long)(4 * e->p.n_out));
        L("  copy ch=3, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d post(s%d)", T0, T1, T2,
          T3, T4, T2, S_BIAS);
    }
    if (op->epilogue == TSR_EPILOGUE_RESIDUAL) {
        half(e, T0, e->p.extra_at, e->p.extra_bytes);
        L("  ld x%d, x0, %d", T1, C_RESIDUAL);
        L("  muli x%d, x%d, %u", T2, X_COL, e->p.ec);
        L("  add x%d, x%d, x%d", T1, T1, T2);
        L("  muli x%d, x%d, %llu", T2, X_ROW, (unsigned long long)e->r_stride);
        L("  add x%d, x%d, x%d", T1, T1, T2);
        L("  muli x%d, x%d, %u", T2, X_N, e->p.ec);
        L("  li x%d, %llu", T3, (unsigned long long)e->r_stride);
        L("  li x%d, %llu", T4, (unsigned long long)out_stride(e));
        L("  copy ch=3, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d post(s%d)", T0, T1, T2,
          X_M, T3, T4, S_RESIDUAL);
    }
}

static void drain_block(struct emit *e)
{
    bool epilogue = e->p.epilogue;
    char bias[48] = "", wait[32];
    uint64_t stride = epilogue ? (uint64_t)e->p.bn * e->p.parts * 4 : out_stride(e);
    if (epilogue)
        half(e, T0, e->p.acc_at, e->p.acc_bytes);
    else
        out_place(e, T0, T1);
    L("  li x%d, %llu", T1, (unsigned long long)stride);
    L("  muli x%d, x%d, %u", T2, X_N, e->p.parts);
    snprintf(wait, sizeof wait, "wait(s%d)", S_BLOCK);
    if (e->op->has_bias) {
        half(e, T3, e->p.extra_at + (e->op->epilogue == TSR_EPILOGUE_RESIDUAL ? e->p.out_bytes : 0),
             e->p.extra_bytes);
        snprintf(bias, sizeof bias, ", bias=x%d, bi=1", T3);
        snprintf(wait, sizeof wait, "wait(s%d, s%d)", S_BLOCK, S_BIAS);
    }
    L("  drain dst=x%d, ds=x%d, m=x%d, n=x%d, c=x%d, fmt=%s, across=%u, int=%d%s %s post(s%d, s%d)",
      T0, T1, X_M, T2, X_C, epilogue ? "f32" : e->fc, e->p.across, e->integer, bias, wait,
      S_ACC_FREE, S_DRAINED);
}

static void run_epilogue(struct emit *e)
{
    bool gate = e->op->epilogue == TSR_EPILOGUE_SILU_GATE;
    half(e, T0, e->p.acc_at, e->p.acc_bytes);
    if (gate) {
        L("  shli x%d, x%d, 2", T1, X_N);
        L("  add x%d, x%d, x%d", T1, T1, T0);
    } else {
        half(e, T1, e->p.extra_at, e->p.extra_bytes);
    }
    out_place(e, T2, T3);
    L("  li x%d, %llu", T3, (unsigned long long)e->p.bn * e->p.parts * 4);
    L("  li x%d, %llu", T4, (unsigned long long)out_stride(e));
    L("  addi x%d, x%d, %u", T5, X_N, e->lanes - 1);
    L("  shri x%d, x%d, %d", T5, T5, __builtin_ctz(e->lanes));
    L("  vcall epilogue, x%d, x%d, x%d, x%d, x%d, x%d, x%d, x%d wait(s%d%s) post(s%d, s%d)", T0, T1,
      T2, X_M, X_N, T3, T4, T5, S_DRAINED, gate ? "" : ", s11", S_RESULT, S_STAGE);
}

/* The group leaves with its last block; channel 2 passes over the ends of the others. */
static void store_block(struct emit *e)
{
    int ready = e->p.epilogue ? S_RESULT : S_DRAINED;
    if (e->p.epilogue)
        run_epilogue(e);
    L("  ld x%d, x0, %d", T0, C_GROUP_LEFT);
    L("  beq x%d, x0, leave", T0);
    L("  add x%d, x%d, x%d", T0, X_COL, X_BW);
    L("  bge x%d, x%d, leave", T0, X_COLS);
    L("  copy ch=2, dst=x0, src=x0, len=x0 wait(s%d)", ready);
    L("  jmp stored");
    L("leave:");
    L("  sd x0, x0, %d", C_GROUP_LEFT);
    L("  ld x%d, x0, %d", T0, C_OUT);
    L("  ld x%d, x0, %d", T5, C_GROUP_COL);
    L("  ld x%d, x0, %d", T1, C_C);
    L("  muli x%d, x%d, %u", T2, T5, e->p.ec);
    L("  add x%d, x%d, x%d", T1, T1, T2);
    L("  muli x%d, x%d, %llu", T2, X_ROW, (unsigned long long)e->c_stride);
    L("  add x%d, x%d, x%d", T1, T1, T2);
    L("  sub x%d, x%d, x%d", T2, X_COL, T5);
    L("  add x%d, x%d, x%d", T2, T2, X_N);
    L("  muli x%d, x%d, %u", T2, T2, e->p.ec);
    L("  li x%d, %llu", T3, (unsigned long long)out_stride(e));
    L("  li x%d, %llu", T4, (unsigned long long)e->c_stride);
    L("  copy ch=2, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d wait(s%d) post(s%d)", T1,
      T0, T2, X_M, T3, T4, ready, S_LEFT);
    L("stored:");
}

static void blocks(struct emit *e)
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
    begin_block(e);
    load_extras(e);
    L("  li x%d, 0", X_K);
    chunk(e);
    drain_block(e);
    store_block(e);
    L("  xori x%d, x%d, %u", X_C, X_C, (e->chip->tile.ttu.acc_banks / 2) << 8);
    L("  add x%d, x%d, x%d", X_COL, X_COL, X_BW);
    L("  blt x%d, x%d, columns", X_COL, X_COLS);
    L("  add x%d, x%d, x%d", X_ROW, X_ROW, X_BH);
    L("  blt x%d, x%d, rows", X_ROW, X_ROWS);
    L("  halt");
}

/* a0 first operand (gate, or the block), a1 second (up, or the residual), a2 result, a3 rows, a4
 * columns, a5 row stride of the drained block, a6 of the result (and the residual), a7 vectors a
 * row. */
static void epilogue_routine(struct emit *e)
{
    bool gate = e->op->epilogue == TSR_EPILOGUE_SILU_GATE;
    if (!e->p.epilogue)
        return;
    L(".routine epilogue");
    L("  vloop a3, row_end");
    L("  aaddi a8, a0, 0");
    L("  aaddi a9, a1, 0");
    L("  aaddi a10, a2, 0");
    L("  aaddi a11, a4, 0");
    L("  vloop a7, col_end");
    L("  vlen a11");
    L("  vld v0, a8, f32, %u", 4 * e->lanes);
    if (gate)
        L("  vld v1, a9, f32, %u", 4 * e->lanes);
    else
        L("  vld v1, a9, %s, %u", e->fc, e->p.ec * e->lanes);
    L("  %s v2, v0, v1", gate ? "vsilu_mul" : "vadd");
    L("  vst v2, a10, %s, %u", e->fc, e->p.ec * e->lanes);
    L("  aaddi a11, a11, -%u", e->lanes);
    L("col_end:");
    L("  aadd a0, a0, a5");
    L("  aadd a1, a1, a%d", gate ? 5 : 6);
    L("  aadd a2, a2, a6");
    L("row_end:");
    L("  vret");
    L(".end");
}

/* ---- launch
 * ------------------------------------------------------------------------------------------- */

static uint32_t tile_id(const struct matmul_plan *p, uint32_t per, uint32_t y, uint32_t x)
{
    if (p->iy * p->ix != per)
        return y * p->gx + x;
    return ((y / p->iy) * p->ox + x / p->ix) * per + (y % p->iy) * p->ix + x % p->ix;
}

static void arguments(const struct emit *e, int64_t (*args)[TSR_LAUNCH_REGS])
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
    struct emit em = {.chip = chip, .op = op}, *e = &em;
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
    epilogue_routine(e);
    return tsr_text_program(&e->t, isa, "matmul", e->p.gy * e->p.gx,
                            (const int64_t(*)[TSR_LAUNCH_REGS])args, out, err);
}
