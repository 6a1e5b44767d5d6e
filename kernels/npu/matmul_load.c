/* SPDX-License-Identifier: Apache-2.0 */
/* The loaders: chunks of A and B into their rings. */
#include <stdio.h>

#include "kernels/npu/matmul_emit.h"

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
static void chunk_copies(struct matmul_emit *e, const struct side *s, uint32_t id)
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
static void load_chunk(struct matmul_emit *e, const struct side *s, uint32_t id)
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

void matmul_load_a(struct matmul_emit *e, bool wait)
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

void matmul_load_b(struct matmul_emit *e, bool wait)
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
