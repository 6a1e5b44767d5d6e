/* SPDX-License-Identifier: Apache-2.0 */
/* The loaders: chunks of A and B into their rings. */
#include <stdio.h>

#include "kernels/npu/matmul_emit.h"

/* One side's loader: what differs between A and B. */
struct side {
    const struct matmul_operand *o;
    int ch, left, k, slot, pitch, mask_at, unasked_at;
    uint32_t tiles; /* that share the chunk */
    enum sem arrived, place;
    uint32_t parts;
    uint64_t part_rows;
};

/* The end of a copy's line: the cast, and with the chunk's last one the post. */
static const char *ending(const struct side *s, bool last, char out[48])
{
    char post[16] = "";
    if (last)
        snprintf(post, sizeof post, ", p1=s%d", s->arrived);
    if (s->tiles > 1)
        snprintf(out, 48, ", mask=x%d, mc=1%s", T6, post);
    else
        snprintf(out, 48, "%s", post);
    return out;
}

/* A block format's part of a chunk: in each slab the rows are one run. T3 source, T4 rows. */
static void copy_slabs(struct matmul_emit *e, const struct side *s, bool last)
{
    char end[48];
    L("  li x%d, %llu", T0, (unsigned long long)s->o->height * e->line);
    L("  li x%d, %llu", T2, (unsigned long long)s->o->slab.unit_bytes);
    L("  li x%d, %llu", T5, (unsigned long long)s->o->slab_bytes);
    L("  li x%d, %llu", T1, (unsigned long long)s->o->slab.slabs);
    L("  sub x%d, x%d, x%d", T1, T1, s->k);
    L("  mini x%d, x%d, %u", T1, T1, e->p.cs);
    L("  copy ch=%d, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, "
      "ds2=x%d%s",
      s->ch, s->slot, T3, T2, T4, T2, s->pitch, T1, T5, T0, ending(s, last, end));
}

/* `n` whole slabs of plain rows; T0 slab distance in TSRAM, T5 row stride. */
static void copy_rows(struct matmul_emit *e, const struct side *s, uint64_t n, bool last)
{
    char end[48];
    L("  li x%d, %u", T2, s->o->slab.line_bytes);
    L("  li x%d, %llu", T1, (unsigned long long)n);
    L("  copy ch=%d, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, "
      "ds2=x%d%s",
      s->ch, s->slot, T3, T2, T1, T2, T0, T4, T5, s->pitch, ending(s, last, end));
}

/* A plain format's part of a chunk: of each row the slabs are one run, the last chunk of K its
 * whole slabs and the rest of one. */
static void copy_plain(struct matmul_emit *e, const struct side *s, const char *name, bool last)
{
    char end[48];
    uint64_t rest = e->op->k - (uint64_t)(e->p.nkc - 1) * e->p.kc, whole = rest / e->p.ks;
    uint64_t tail = (rest % e->p.ks * s->o->slab.format->bits + 7) / 8;
    L("  li x%d, %llu", T0, (unsigned long long)s->o->height * e->line);
    L("  li x%d, %llu", T5, (unsigned long long)s->o->row_bytes);
    bool alike = whole == e->p.cs;
    if (e->p.nkc > 1 && !alike) {
        L("  li x%d, %llu", T1, (unsigned long long)(e->p.nkc - 1) * e->p.cs);
        L("  blt x%d, x%d, whole_%s", s->k, T1, name);
    }
    if (whole)
        copy_rows(e, s, whole, last && !tail);
    if (tail) {
        L("  addi x%d, x%d, %llu", T1, s->slot, (unsigned long long)whole * s->o->height * e->line);
        L("  addi x%d, x%d, %llu", T0, T3, (unsigned long long)whole * s->o->slab.line_bytes);
        L("  li x%d, %llu", T2, (unsigned long long)tail);
        L("  copy ch=%d, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d%s", s->ch, T1, T0, T2,
          T4, T5, s->pitch, ending(s, last, end));
    }
    if (e->p.nkc > 1 && !alike) {
        L("  jmp copied_%s", name);
        L("whole_%s:", name);
        copy_rows(e, s, e->p.cs, last);
        L("copied_%s:", name);
    }
}

/* The chunk of T4 rows from T3 (row, slab 0) on, and the walk along K. */
static void load_chunk(struct matmul_emit *e, const struct side *s, uint32_t id)
{
    const struct matmul_operand *o = s->o;
    char name[32];
    L("  muli x%d, x%d, %llu", T0, s->k, (unsigned long long)o->slab_bytes);
    L("  add x%d, x%d, x%d", T3, T3, T0);
    if (s->tiles > 1)
        L("  ld x%d, x0, %d", T6, s->mask_at);
    for (uint32_t part = 0; part < s->parts; part++) {
        if (part) { /* up rows: behind the gate rows in B and in each slab */
            L("  li x%d, %llu", T0, (unsigned long long)(s->part_rows * o->row_bytes));
            L("  add x%d, x%d, x%d", T3, T3, T0);
            L("  muli x%d, x%d, %u", T0, T4, o->pitch);
            L("  add x%d, x%d, x%d", s->slot, s->slot, T0);
        }
        snprintf(name, sizeof name, "%u_%u", id, part);
        if (o->slab.blocked)
            copy_slabs(e, s, part + 1 == s->parts);
        else
            copy_plain(e, s, name, part + 1 == s->parts);
    }
    if (s->parts > 1) {
        L("  muli x%d, x%d, %u", T0, T4, o->pitch);
        L("  sub x%d, x%d, x%d", s->slot, s->slot, T0);
    }
    L("  addi x%d, x%d, %llu", s->slot, s->slot, (unsigned long long)o->slot_bytes);
    L("  li x%d, %llu", T0, (unsigned long long)(o->at + o->slots * o->slot_bytes));
    L("  blt x%d, x%d, walk%u", s->slot, T0, id);
    L("  li x%d, %llu", s->slot, (unsigned long long)o->at);
    L("walk%u:", id);
    L("  addi x%d, x%d, %u", s->k, s->k, e->p.cs);
    L("  li x%d, %llu", T0, (unsigned long long)e->p.nkc * e->p.cs);
    L("  blt x%d, x%d, end%u", s->k, T0, id);
    L("  li x%d, 0", s->k);
}

/* The place of a chunk that has been handed back; or one that has not been asked for yet. */
static void await_place(struct matmul_emit *e, const struct side *s, uint32_t id)
{
    bool all_asked = s->o->slots <= s->o->lead;
    if (!all_asked) {
        L("  ld x%d, x0, %d", T0, s->unasked_at);
        L("  beq x%d, x0, all_asked%u", T0, id);
        L("  addi x%d, x%d, -1", T0, T0);
        L("  sd x%d, x0, %d", T0, s->unasked_at);
        L("  jmp has_place%u", id);
        L("all_asked%u:", id);
    }
    L("  copy ch=%d, dst=x0, src=x0, len=x0 wait(s%d)", s->ch, s->place);
    if (!all_asked)
        L("has_place%u:", id);
}

void matmul_load_a(struct matmul_emit *e, bool wait)
{
    uint32_t id = e->labels++;
    struct side s = {.o = &e->p.a,
                     .ch = 0,
                     .left = X_LA_LEFT,
                     .k = X_LA_K,
                     .slot = X_LA_SLOT,
                     .pitch = X_AS,
                     .mask_at = C_A_MASK,
                     .unasked_at = C_A_UNASKED,
                     .tiles = e->p.gx,
                     .arrived = S_A,
                     .place = S_A_PLACE,
                     .parts = 1};
    L("  beq x%d, x0, end%u", s.left, id);
    L("  addi x%d, x%d, -1", s.left, s.left);
    if (wait)
        await_place(e, &s, id);
    L("  ld x%d, x0, %d", T4, C_LA_ROW);
    L("  sub x%d, x%d, x%d", T4, X_ROWS, T4);
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
    L("  ld x%d, x0, %d", T0, C_LA_ROW);
    L("  add x%d, x%d, x%d", T0, T0, X_BH);
    L("  sd x%d, x0, %d", T0, C_LA_ROW);
    L("  muli x%d, x%d, %llu", T0, X_BH, (unsigned long long)e->p.a.row_bytes);
    L("  add x%d, x%d, x%d", X_LA_PTR, X_LA_PTR, T0);
    L("end%u:", id);
}

void matmul_load_b(struct matmul_emit *e, bool wait)
{
    uint32_t id = e->labels++;
    struct side s = {.o = &e->p.b,
                     .ch = 1,
                     .left = X_LB_LEFT,
                     .k = X_LB_K,
                     .slot = X_LB_SLOT,
                     .pitch = X_BS,
                     .mask_at = C_B_MASK,
                     .unasked_at = C_B_UNASKED,
                     .tiles = e->p.gy,
                     .arrived = S_B,
                     .place = S_B_PLACE,
                     .parts = e->p.parts,
                     .part_rows = e->p.n_out};
    L("  beq x%d, x0, end%u", s.left, id);
    L("  addi x%d, x%d, -1", s.left, s.left);
    if (wait)
        await_place(e, &s, id);
    L("  sub x%d, x%d, x%d", T4, X_COLS, X_LB_COL);
    L("  min x%d, x%d, x%d", T4, T4, X_BW);
    L("  muli x%d, x%d, %llu", T3, X_LB_COL, (unsigned long long)e->p.b.row_bytes);
    L("  add x%d, x%d, x%d", T3, T3, X_B);
    load_chunk(e, &s, id);
    L("  add x%d, x%d, x%d", X_LB_COL, X_LB_COL, X_BW);
    L("  blt x%d, x%d, end%u", X_LB_COL, X_COLS, id);
    L("  li x%d, 0", X_LB_COL);
    L("end%u:", id);
}
