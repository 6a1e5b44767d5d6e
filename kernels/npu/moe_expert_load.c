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

/* x25 address of column x25 of the expert, x27 bytes of a row's slab, x28 x29 strides; x30 the
 * slab's elements. */
static void locate_b(struct tsr_text *t, const struct moe_expert_emit *e)
{
    const struct moe_expert_plan *p = &e->p;
    L("  muli x25, x25, %llu", (ull)(e->op->k * p->eb));
    L("  muli x26, x5, %llu", (ull)e->expert_stride);
    L("  add x25, x25, x26");
    L("  muli x26, x10, %u", p->eb);
    L("  add x25, x25, x26");
    L("  li x26, %llu", (ull)e->op->b);
    L("  add x25, x25, x26");
    L("  li x30, %llu", (ull)e->op->k);
    L("  sub x30, x30, x10");
    L("  mini x30, x30, %llu", (ull)p->kc);
    L("  muli x27, x30, %u", p->eb);
    L("  li x28, %llu", (ull)(e->op->k * p->eb));
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
    L("  copy ch=0, dst=x31, src=x25, len=x27, n1=x21, ss1=x28, ds1=x29%s%s", cast,
      e->op->gate ? "" : full);
    if (e->op->gate) {
        L("  addi x25, x25, %lld", (long long)(e->up - e->op->b));
        L("  mul x26, x24, x29");
        L("  add x31, x31, x26");
        L("  copy ch=0, dst=x31, src=x25, len=x27, n1=x21, ss1=x28, ds1=x29%s%s", cast, full);
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
    L("  muli x25, x25, %llu", (ull)(e->op->k * p->ea));
    L("  muli x26, x10, %u", p->ea);
    L("  add x25, x25, x26");
    L("  li x26, %llu", (ull)e->op->a);
    L("  add x25, x25, x26");
    L("  muli x27, x30, %u", p->ea);
    L("  li x28, %llu", (ull)(e->op->k * p->ea));
    L("  li x29, %llu", (ull)p->a_pitch);
    L("  mul x26, x22, x29");
    L("  addi x26, x26, %llu", (ull)p->a_at[id]);
    L("  copy ch=1, dst=x26, src=x25, len=x27, n1=x23, ss1=x28, ds1=x29, mask=x24, mc=1, p1=s%u",
      FULL + id);
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
