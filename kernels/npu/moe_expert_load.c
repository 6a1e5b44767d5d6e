/* SPDX-License-Identifier: Apache-2.0 */
/* Slabs of the grouped expert matmul: who loads and casts what, when. */
#include <stdio.h>

#include "kernels/npu/moe_expert_emit.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)
typedef unsigned long long ull;

/* x24 columns of the chunk, x25 its first one. */
static void load_bias(struct tsr_text *t, const struct moe_expert_emit *e, uint32_t id)
{
    if (!e->op->bias)
        return;
    L("  bne x10, x0, biased%u", id);
    L("  li x26, %llu", (ull)e->op->bias);
    L("  muli x27, x5, %llu", (ull)e->bias_stride);
    L("  add x26, x26, x27");
    L("  shli x27, x25, 2");
    L("  add x26, x26, x27");
    L("  shli x27, x24, 2");
    if (!e->op->gate) {
        L("  copy ch=0, dst=x18, src=x26, len=x27 wait(s%d) post(s%d)", BIAS_FREE, BIAS_READY);
    } else {
        L("  copy ch=0, dst=x18, src=x26, len=x27 wait(s%d)", BIAS_FREE);
        L("  addi x26, x26, %lld", (long long)(e->op->up_bias - e->op->bias));
        L("  add x28, x18, x27");
        L("  copy ch=0, dst=x28, src=x26, len=x27 post(s%d)", BIAS_READY);
    }
    L("  li x26, %llu", (ull)(2 * e->p.bias_at + e->p.bias_bytes));
    L("  sub x18, x26, x18");
    L("biased%u:", id);
}

void moe_expert_share_rows(struct tsr_text *t, const struct moe_expert_emit *e)
{
    const struct moe_expert_plan *p = &e->p;
    uint32_t d_log = (uint32_t)__builtin_ctz(p->side / 4);
    L("  sub x20, x6, x8");
    L("  mini x20, x20, %llu", (ull)(p->gy * p->tile_rows));
    L("  li x21, 0");
    if (p->gy == 1)
        return;
    L("  addi x22, x20, %u", (p->gy << d_log) - 1); /* shares of whole tensor tiles */
    L("  shri x22, x22, %u", d_log + p->gy_log);
    L("  shli x22, x22, %u", d_log);
    L("  ld x21, x0, %llu", (ull)moe_expert_saved(e, GRID_ROW));
    L("  mul x21, x21, x22");
    L("  sub x20, x20, x21");
    L("  min x20, x20, x22");
    L("  max x20, x20, x0");
}

void moe_expert_slab_elements(struct tsr_text *t, const struct moe_expert_emit *e, int to)
{
    L("  muli x%d, x10, -%u", to, e->p.k_unit);
    L("  addi x%d, x%d, %llu", to, to, (ull)e->op->k);
    L("  mini x%d, x%d, %llu", to, to, (ull)e->p.kc);
}

/* What copies the slab of x<rows> rows from x25 to x<dst>: of plain rows one run each, of a block
 * format's slabs the rows as one run. Sets x27, x28 and of block formats x22 and `spare`. */
struct slab_copy {
    const struct moe_expert_operand *o;
    int ch, dst, rows, spare;
};

static void prepare_copy(struct tsr_text *t, const struct moe_expert_emit *e,
                         const struct slab_copy *c)
{
    const struct moe_expert_operand *o = c->o;
    if (!o->slab.blocked) {
        L("  muli x27, x30, %u", o->slab.format->bits / 8u);
        L("  li x28, %llu", (ull)o->row_bytes);
        return;
    }
    L("  li x27, %llu", (ull)o->row_bytes);
    L("  li x28, %u", o->step);
    L("  li x%d, %llu", c->spare, (ull)o->slab_bytes);
    L("  li x22, %llu", (ull)o->slab.slabs);
    L("  sub x22, x22, x10");
    L("  mini x22, x22, %llu", (ull)(e->p.kc / e->p.kq));
}

static void copy(struct tsr_text *t, const struct slab_copy *c, const char *rest)
{
    if (c->o->slab.blocked)
        L("  copy ch=%d, dst=x%d, src=x25, len=x27, n1=x%d, ss1=x27, ds1=x29, n2=x22, ss2=x%d, "
          "ds2=x28%s",
          c->ch, c->dst, c->rows, c->spare, rest);
    else
        L("  copy ch=%d, dst=x%d, src=x25, len=x27, n1=x%d, ss1=x28, ds1=x29%s", c->ch, c->dst,
          c->rows, rest);
}

/* x25 address of column x25 of the expert; x30 the slab's elements, x29 from row to row. */
static void locate_b(struct tsr_text *t, const struct moe_expert_emit *e)
{
    const struct moe_expert_plan *p = &e->p;
    L("  muli x25, x25, %llu", (ull)p->b.row_bytes);
    L("  muli x26, x5, %llu", (ull)e->expert_stride);
    L("  add x25, x25, x26");
    L("  muli x26, x10, %llu", (ull)p->b.slab_bytes);
    L("  add x25, x25, x26");
    L("  li x26, %llu", (ull)e->op->b);
    L("  add x25, x25, x26");
    moe_expert_slab_elements(t, e, 30);
    L("  li x29, %llu", (ull)p->b_pitch);
}

/* Rows of B: the chunk's columns, gate and then up. A tile without columns in the chunk takes its
 * last one, so that all walk alike. Leaves the slab's elements in x30. */
static void load_b(struct tsr_text *t, const struct moe_expert_emit *e, uint32_t id)
{
    const struct moe_expert_plan *p = &e->p;
    char cast[32] = "", full[24];
    snprintf(full, sizeof full, p->gy > 1 ? ", p1=s%u" : " post(s%u)", FULL + id);
    L("  muli x23, x9, %llu", (ull)p->nc);
    L("  addi x24, x2, -1");
    L("  min x23, x23, x24");
    L("  sub x24, x2, x23");
    L("  mini x24, x24, %llu", (ull)p->nc);
    L("  add x25, x1, x23");
    load_bias(t, e, id);
    L("  li x31, %llu", (ull)p->b_at[id]);
    L("  copy ch=0, dst=x0, src=x0, len=x0 wait(s%u*%u)", B_CREDIT + id, p->gy);
    L("  add x21, x24, x0");
    if (p->gy > 1) { /* this tile's share of the columns: x21 of them */
        snprintf(cast, sizeof cast, ", mask=x20, mc=1");
        L("  ld x20, x0, %llu", (ull)moe_expert_saved(e, COLUMN_MASK));
        L("  ld x22, x0, %llu", (ull)moe_expert_saved(e, GRID_ROW));
        L("  addi x21, x24, %u", p->gy - 1);
        L("  shri x21, x21, %u", p->gy_log);
        L("  mul x22, x22, x21");
        L("  sub x26, x24, x22");
        L("  min x21, x21, x26");
        L("  add x25, x25, x22");
        L("  muli x22, x22, %llu", (ull)p->b_pitch);
        L("  add x31, x31, x22");
    }
    locate_b(t, e);
    if (p->gy > 1) {
        L("  blt x0, x21, columns%u", id);
        L("  rpost ch=0, mask=x20, sem=%u", FULL + id);
        L("  jmp loaded_b%u", id);
        L("columns%u:", id);
    }
    const struct slab_copy c = {.o = &p->b, .ch = 0, .dst = 31, .rows = 21, .spare = 23};
    char rest[64];
    prepare_copy(t, e, &c);
    snprintf(rest, sizeof rest, "%s%s", cast, e->op->gate ? "" : full);
    copy(t, &c, rest);
    if (e->op->gate) {
        L("  addi x25, x25, %lld", (long long)(e->up - e->op->b));
        L("  mul x26, x24, x29");
        L("  add x31, x31, x26");
        snprintf(rest, sizeof rest, "%s%s", cast, full);
        copy(t, &c, rest);
    }
    L("loaded_b%u:", id);
}

/* A sender's share of its grid row's rows to the tiles there; if it has none, the post alone. */
static void cast_a(struct tsr_text *t, const struct moe_expert_emit *e, uint32_t id)
{
    const struct moe_expert_plan *p = &e->p;
    L("  blt x3, x0, cast%u", id);
    for (uint32_t left = p->gx; left;) { /* 31 posts is the most that a wait takes */
        uint32_t one = left < 31 ? left : 31, two = left - one < 31 ? left - one : 31;
        char more[16] = "";
        if (two)
            snprintf(more, sizeof more, ", s%u*%u", CREDIT + id, two);
        L("  copy ch=1, dst=x0, src=x0, len=x0 wait(s%u*%u%s)", CREDIT + id, one, more);
        left -= one + two;
    }
    moe_expert_share_rows(t, e);
    L("  add x25, x7, x8");
    L("  add x25, x25, x21");
    L("  addi x21, x20, %u", p->senders - 1);
    L("  shri x21, x21, %u", p->sender_log);
    L("  mul x22, x3, x21");
    L("  sub x23, x20, x22");
    L("  min x23, x23, x21");
    L("  ld x24, x0, %llu", (ull)moe_expert_saved(e, ROW_MASK));
    L("  blt x0, x23, share%u", id);
    L("  rpost ch=1, mask=x24, sem=%u", FULL + id);
    L("  jmp cast%u", id);
    L("share%u:", id);
    L("  add x25, x25, x22");
    L("  muli x25, x25, %llu", (ull)p->a.row_bytes);
    L("  muli x26, x10, %llu", (ull)p->a.slab_bytes);
    L("  add x25, x25, x26");
    L("  li x26, %llu", (ull)e->op->a);
    L("  add x25, x25, x26");
    L("  li x29, %llu", (ull)p->a_pitch);
    L("  mul x26, x22, x29");
    L("  addi x26, x26, %llu", (ull)p->a_at[id]);
    const struct slab_copy c = {.o = &p->a, .ch = 1, .dst = 26, .rows = 23, .spare = 21};
    char rest[48];
    prepare_copy(t, e, &c);
    snprintf(rest, sizeof rest, ", mask=x24, mc=1, p1=s%u", FULL + id);
    copy(t, &c, rest);
    L("cast%u:", id);
}

/* Hands place `id` back when its slab has been used. */
static void release(struct tsr_text *t, const struct moe_expert_emit *e, uint32_t id)
{
    L("  ld x22, x0, %llu", (ull)moe_expert_saved(e, SENDER_MASK));
    if (e->p.gy == 1) {
        L("  rpost ch=2, mask=x22, sem=%u wait(s%u) post(s%u)", CREDIT + id, USED + id,
          B_CREDIT + id);
        return;
    }
    L("  rpost ch=2, mask=x22, sem=%u wait(s%u)", CREDIT + id, USED + id);
    L("  ld x22, x0, %llu", (ull)moe_expert_saved(e, COLUMN_MASK));
    L("  rpost ch=2, mask=x22, sem=%u", B_CREDIT + id);
}

void moe_expert_load(struct tsr_text *t, const struct moe_expert_emit *e, uint32_t id)
{
    release(t, e, id);
    load_b(t, e, id);
    cast_a(t, e, id);
}
