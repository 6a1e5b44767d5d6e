/* SPDX-License-Identifier: Apache-2.0 */
/* The attention program: loads. */
#include <inttypes.h>
#include <stdio.h>

#include "kernels/npu/attention_emit.h"

/* In pages the head alone says where a key is. */
static struct steps key_steps(const struct attention_plan *p, const struct tsr_npu_rows *r,
                              uint64_t part)
{
    struct steps s = attn_key_steps(r, part);
    if (p->op->pages)
        s.batch = 0;
    return s;
}

/* C_PAGE, C_OFFSET of the key T3 of the unit: its record says them for the first of all. */
static void first_page(struct emit *e)
{
    const uint64_t page = e->p->op->page_tokens;
    L("  lw x%d, x%d, %d\n  sub x%d, x%d, x%d", T0, X_LU, R_LO, T0, T3, T0);
    L("  lw x%d, x%d, %d\n  add x%d, x%d, x%d", T1, X_LU, R_OFFSET, T0, T0, T1);
    attn_divide(e, T1, T2, T0, page);
    L("  shli x%d, x%d, 2\n  add x%d, x%d, x%d", T1, T1, T1, T1, X_LU);
    L("  addi x%d, x%d, %d", T1, T1, R_PAGES);
    L("  sd x%d, x0, %d\n  sd x%d, x0, %d", T1, C_PAGE, T2, C_OFFSET);
}

/* Where the scales of the segment begin, whose first key is T3 (in pages: of the head). */
static void open_scales(struct emit *e, const struct tsr_npu_rows *r, int kept)
{
    attn_unit_address(e, T4, X_LU, T0, T1, T2, r->address, key_steps(e->p, r, 0));
    if (!e->p->op->pages)
        attn_add_product(e, T4, T3, r->token_stride, T0);
    L("  sd x%d, x0, %d", T4, kept);
}

/* Opens the next segment: X_LN, X_LK, X_LV, X_LU. */
static void open_segment(struct emit *e)
{
    const struct attention_plan *p = e->p;
    attn_units_end(e, T0);
    L("  bge x%d, x%d, loaded", X_LU, T0);
    if (!p->retain)
        L("  ld x%d, x0, %d", T5, C_LOAD_N);
    attn_segment_range(e, X_LU, T5, T0, T1, T2, T3, T4, T6);
    L("  sub x%d, x%d, x%d", X_LN, T4, T3);
    attn_unit_address(e, X_LK, X_LU, T0, T1, T2, p->k.address, key_steps(p, &p->k, 0));
    attn_unit_address(e, X_LV, X_LU, T0, T1, T2, p->v.address,
                      key_steps(p, &p->v, attention_v_bytes(p)));
    if (p->token_scales) {
        open_scales(e, &p->k_scales, C_K_SCALES);
        open_scales(e, &p->v_scales, C_V_SCALES);
    }
    if (p->op->pages) {
        first_page(e);
    } else {
        attn_add_product(e, X_LK, T3, p->k.token_stride, T0);
        attn_add_product(e, X_LV, T3, p->v.token_stride, T0);
    }
    if (!p->retain) {
        if (p->records)
            attn_items(e, T0, X_LU);
        else
            attn_li(e, T0, p->rounds);
        L("  addi x%d, x%d, 1", T5, T5);
        L("  sd x%d, x0, %d", T5, C_LOAD_N);
        L("  blt x%d, x%d, load_block", T5, T0);
        L("  sd x0, x0, %d", C_LOAD_N);
    }
    L("  addi x%d, x%d, %" PRIu64, X_LU, X_LU,
      p->records ? attention_record_bytes(p) : p->unit_stride);
}

/* K or V in HBM: where a row is, how it is cut, where it goes, and who hears of it. */
struct plane {
    int src;  /* register */
    int kept; /* or, not 0, where in control memory it lies */
    const struct tsr_npu_rows *rows;
    uint32_t slabs;       /* equal ones */
    uint64_t bytes, tail; /* of a slab; of one more that is shorter, or 0 */
    uint64_t at;          /* in the slot */
    uint64_t row, slab;   /* there from row to row, from slab to slab */
    int arrived;          /* semaphore, -1: none */
    const char *name;
};

static struct plane key_plane(const struct attention_plan *p)
{
    const struct tsr_npu_slab *c = &p->cache;
    bool tail = p->tail_cols != p->slab_cols;
    uint64_t bits = c->format->bits;
    return (struct plane){.src = X_LK,
                          .rows = &p->k,
                          .slabs = p->slabs - tail,
                          .bytes =
                              tail ? p->slab_cols * bits / 8 : c->slabs * c->unit_bytes / p->slabs,
                          .tail = tail ? p->tail_cols * bits / 8 : 0,
                          .row = p->k_row,
                          .slab = p->k_slab,
                          .arrived = p->token_scales ? -1 : S_K,
                          .name = "k"};
}

/* Slabs that are whole lines side by side are one. */
static struct plane joined(struct plane r)
{
    if (r.slabs == 2 && r.tail == 0 && r.bytes == r.slab) {
        r.bytes *= 2;
        r.slabs = 1;
    }
    return r;
}

static struct plane value_plane(const struct attention_plan *p)
{
    return (struct plane){.src = X_LV,
                          .rows = &p->v,
                          .slabs = p->v_slabs,
                          .bytes = attention_v_bytes(p) / p->v_slabs,
                          .at = p->narrow ? p->narrow_at : p->k_bytes,
                          .row = p->v_row,
                          .slab = p->v_slab,
                          .arrived = p->token_scales ? -1
                                     : p->narrow     ? S_NARROW
                                                     : S_V,
                          .name = "v"};
}

/* i8's scales, which come last of what belongs to K or V, and say that all of it is here. */
static struct plane scale_plane(const struct attention_plan *p, bool values)
{
    return (struct plane){.src = X_KV,
                          .kept = values ? C_V_SCALES : C_K_SCALES,
                          .rows = values ? &p->v_scales : &p->k_scales,
                          .slabs = 1,
                          .bytes = TOKEN_SCALE,
                          .at = p->scales + (values ? p->scales_bytes : 0),
                          .row = TOKEN_SCALE,
                          .arrived = values ? S_NARROW : S_CODES,
                          .name = values ? "vs" : "ks"};
}

/* ", mask=.., p1=.. wait(..)" of a load; `arrived` -1: no post. */
static const char *load_clause(const struct emit *e, char *out, size_t cap, int arrived, int wait)
{
    char w[24];
    attn_clause(w, sizeof w, "wait", wait, -1);
    int n = e->p->team > 1 ? snprintf(out, cap, ", mask=x%d, mc=1", T6) : 0;
    if (arrived >= 0)
        n += snprintf(out + n, cap - (size_t)n, ", p1=s%d", arrived);
    snprintf(out + n, cap - (size_t)n, "%s", w);
    return out;
}

/* X_LS <- rows (T5) of a plane, slab by slab, a line per row. */
static void load_rows(struct emit *e, const struct plane *r, int wait)
{
    const struct attention_plan *p = e->p;
    char sems[64];
    if (r->kept)
        L("  ld x%d, x0, %d", r->src, r->kept);
    attn_li(e, T0, (int64_t)r->bytes);
    attn_li(e, T1, (int64_t)r->rows->token_stride);
    attn_li(e, T2, (int64_t)r->row);
    if (r->at)
        L("  addi x%d, x%d, %" PRIu64, X_LS, X_LS, r->at);
    load_clause(e, sems, sizeof sems, r->tail ? -1 : r->arrived, wait);
    if (r->slabs == 1) {
        L("  copy ch=0, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d%s", X_LS, r->src, T0,
          T5, T1, T2, sems);
    } else {
        attn_li(e, T3, r->slabs);
        attn_li(e, T4, (int64_t)r->slab);
        L("  copy ch=0, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, "
          "ds2=x%d%s",
          X_LS, r->src, T0, T3, T0, T4, T5, T1, T2, sems);
    }
    if (r->tail) {
        load_clause(e, sems, sizeof sems, r->arrived, -1);
        L("  addi x%d, x%d, %" PRIu64, T3, r->src, r->slabs * r->bytes);
        L("  addi x%d, x%d, %" PRIu64, T4, X_LS, r->slabs * r->slab);
        attn_li(e, T0, (int64_t)r->tail);
        L("  copy ch=0, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d%s", T4, T3, T0, T5, T1,
          T2, sems);
    }
    if (r->at)
        L("  addi x%d, x%d, -%" PRIu64, X_LS, X_LS, r->at);
    L("  addi x%d, x%d, %" PRIu64, r->src, r->src, p->kb * r->rows->token_stride);
    if (r->kept)
        L("  sd x%d, x0, %d", r->src, r->kept);
}

/* T3 rows from T1 to X_KV, a descriptor for each slab. */
static void load_piece(struct emit *e, const struct plane *r, bool last)
{
    const struct attention_plan *p = e->p;
    uint32_t n = r->slabs + (r->tail != 0);
    char sems[64];
    if (p->team > 1)
        L("  ld x%d, x0, %d", T6, C_MASK);
    attn_li(e, T2, (int64_t)r->rows->token_stride);
    attn_li(e, T4, (int64_t)r->row);
    L("  addi x%d, x%d, 0", T5, X_KV);
    for (uint32_t s = 0; s < n; s++) {
        load_clause(e, sems, sizeof sems, last && s + 1 == n ? r->arrived : -1, -1);
        attn_li(e, T0, (int64_t)(s == r->slabs ? r->tail : r->bytes));
        L("  copy ch=0, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d%s", T5, T1, T0, T3, T2,
          T4, sems);
        if (s + 1 == n)
            continue;
        L("  addi x%d, x%d, %" PRIu64, T1, T1, r->bytes);
        L("  addi x%d, x%d, %" PRIu64, T5, T5, r->slab);
    }
}

/* The same from pages, page by page: from the key that C_WALK, C_WALK_OFFSET say on; C_LEFT keys.
 */
static void load_pages(struct emit *e, const struct plane *r)
{
    const struct attention_plan *p = e->p;
    L("  ld x%d, x0, %d\n  sd x%d, x0, %d", T0, C_PAGE, T0, C_WALK);
    L("  ld x%d, x0, %d\n  sd x%d, x0, %d", T0, C_OFFSET, T0, C_WALK_OFFSET);
    L("  mini x%d, x%d, %u\n  sd x%d, x0, %d", T0, X_LN, p->kb, T0, C_LEFT);
    L("  addi x%d, x%d, %" PRIu64, X_KV, X_LS, r->at);
    L("piece_%s:", r->name);
    L("  ld x%d, x0, %d\n  lw x%d, x%d, 0", T0, C_WALK, T1, T0);
    L("  muli x%d, x%d, %" PRIu64, T1, T1, r->rows->batch_stride);
    if (r->kept)
        L("  ld x%d, x0, %d", T2, r->kept);
    L("  add x%d, x%d, x%d\n  ld x%d, x0, %d", T1, T1, r->kept ? T2 : r->src, T2, C_WALK_OFFSET);
    attn_add_product(e, T1, T2, r->rows->token_stride, T3);
    attn_li(e, T4, (int64_t)p->op->page_tokens);
    L("  sub x%d, x%d, x%d\n  ld x%d, x0, %d", T3, T4, T2, T5, C_LEFT);
    L("  min x%d, x%d, x%d\n  sub x%d, x%d, x%d", T3, T3, T5, T5, T5, T3);
    L("  sd x%d, x0, %d\n  add x%d, x%d, x%d", T5, C_LEFT, T2, T2, T3);
    L("  blt x%d, x%d, page_%s", T2, T4, r->name);
    attn_li(e, T2, 0);
    L("  addi x%d, x%d, 4\n  sd x%d, x0, %d", T0, T0, T0, C_WALK);
    L("page_%s:", r->name);
    L("  sd x%d, x0, %d", T2, C_WALK_OFFSET);
    L("  beq x%d, x0, last_%s", T5, r->name);
    load_piece(e, r, false);
    attn_add_product(e, X_KV, T3, r->row, T0);
    L("  jmp piece_%s", r->name);
    L("last_%s:", r->name);
    load_piece(e, r, true);
}

static void load_paged(struct emit *e)
{
    struct plane k = joined(key_plane(e->p)), v = joined(value_plane(e->p)),
                 ks = scale_plane(e->p, false), vs = scale_plane(e->p, true);
    /* of no bytes, since the pieces are of any number */
    L("  copy ch=0, dst=x%d, src=x%d, len=x0 wait(s%d)", X_LS, X_LK, S_SLOT_FREE);
    load_pages(e, &k);
    if (e->p->token_scales)
        load_pages(e, &ks);
    if (!e->p->op->values_in_keys)
        load_pages(e, &v);
    if (e->p->token_scales)
        load_pages(e, &vs);
    L("  ld x%d, x0, %d\n  sd x%d, x0, %d", T0, C_WALK, T0, C_PAGE);
    L("  ld x%d, x0, %d\n  sd x%d, x0, %d", T0, C_WALK_OFFSET, T0, C_OFFSET);
}

/* Queues loads while fewer than `ahead` wait and slots are free. */
void attn_loads(struct emit *e)
{
    const struct attention_plan *p = e->p;
    struct plane k = joined(key_plane(p)), v = joined(value_plane(p)), ks = scale_plane(p, false),
                 vs = scale_plane(p, true);
    if (p->team > 1) { /* the first member's work */
        L("  ld x%d, x0, %d", T0, C_MEMBER);
        L("  bne x%d, x0, loaded", T0);
    }
    L("load:");
    attn_li(e, T0, p->ahead);
    L("  bge x%d, x%d, loaded", X_AH, T0);
    L("  beq x%d, x0, loaded", X_CR);
    L("  blt x0, x%d, load_block", X_LN);
    open_segment(e);
    L("load_block:");
    if (p->op->pages) {
        load_paged(e);
    } else {
        L("  mini x%d, x%d, %u", T5, X_LN, p->kb);
        if (p->team > 1)
            L("  ld x%d, x0, %d", T6, C_MASK);
        load_rows(e, &k, S_SLOT_FREE);
        if (p->token_scales)
            load_rows(e, &ks, -1);
        if (!p->op->values_in_keys)
            load_rows(e, &v, -1);
        if (p->token_scales)
            load_rows(e, &vs, -1);
    }
    L("  addi x%d, x%d, -%u", X_LN, X_LN, p->kb);
    L("  addi x%d, x%d, 1", X_AH, X_AH);
    L("  addi x%d, x%d, -1", X_CR, X_CR);
    attn_next_slot(e, X_LS, T0, "load");
    L("  jmp load");
    L("loaded:");
}

/* A value for each row of the block whose chunk is X_RB, from one for each head, into the buffer
 * that X_ROWS says. */
static void load_per_head(struct emit *e, uint64_t from, uint64_t to, uint32_t size,
                          const char *sems)
{
    const struct attention_plan *p = e->p;
    const int dst = T0, src = T1, tokens = T2, len = T3;
    uint64_t run = (uint64_t)p->group * size;
    attn_unit_address(e, src, X_XU, T4, T5, T6, from, (struct steps){0, run * p->chunks, 0});
    attn_add_product(e, src, X_RB, run, T4);
    attn_buffer(e, dst, X_ROWS, PAR_ITEM, to, p->line);
    attn_li(e, len, (int64_t)run);
    L("  copy ch=3, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x0, ds1=x%d%s", dst, src, len, tokens,
      len, sems);
}

/* Loads Q (and sinks) of the block X_XU, X_XN into the buffer of the item after the current one
 * (`next`), or the current one's. Uses T0..T6, X_KV, X_HI, X_POS, X_ROWS, X_KEY, X_RB. */
void attn_load_queries(struct emit *e, bool next)
{
    const struct attention_plan *p = e->p;
    const int dst = T0, src = T1, tokens = T2, len = T3, line = T4, stride = T5, slabs = X_RB,
              slab_step = X_KV, heads = X_HI, head_stride = X_POS, token_step = X_KEY;
    const bool tail = p->tail_cols != p->slab_cols;
    char sems[2][24];
    attn_block_of(e, T3, X_XN, T4);
    attn_block_range(e, X_XU, T3, tokens, X_POS, X_KEY, X_HI, T4);
    attn_chunk_of(e, X_RB, T6, T3);
    attn_unit_address(e, src, X_XU, X_HI, X_KEY, X_POS, p->q.address,
                      attn_query_steps(p, &p->q, 0));
    attn_add_product(e, src, X_RB, p->tokens * p->q.token_stride, T4);
    attn_add_product(e, src, T6, p->group * p->q.head_stride, T4);
    L("  xori x%d, x%d, %d", X_ROWS, X_PAR, next ? PAR_ITEM : 0);
    attn_buffer(e, dst, X_ROWS, PAR_ITEM, p->queries, p->query_bytes);
    attn_li(e, len, (int64_t)p->slab_cols * p->element);
    attn_li(e, line, p->line);
    attn_li(e, stride, (int64_t)p->q.token_stride);
    attn_li(e, slabs, p->slabs - tail);
    attn_li(e, slab_step, (int64_t)((uint64_t)p->rows * p->line));
    attn_li(e, heads, p->group);
    attn_li(e, head_stride, (int64_t)p->q.head_stride);
    attn_li(e, token_step, (int64_t)p->group * p->line);
    attn_clause(sems[0], sizeof sems[0], "wait", S_QUERY_FREE, -1);
    attn_clause(sems[1], sizeof sems[1], "post", S_Q, -1);
    if (p->slabs == 1) /* heads of a token in one run */
        L("  copy ch=2, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, "
          "ds2=x%d%s%s",
          dst, src, len, heads, head_stride, line, tokens, stride, token_step, sems[0], sems[1]);
    else
        L("  copy ch=2, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, "
          "ds2=x%d, n3=x%d, ss3=x%d, ds3=x%d%s%s",
          dst, src, len, slabs, len, slab_step, heads, head_stride, line, tokens, stride,
          token_step, sems[0], tail ? "" : sems[1]);
    if (tail) {
        uint64_t whole = p->slabs - 1;
        L("  addi x%d, x%d, %" PRIu64, src, src, whole * p->slab_cols * p->element);
        L("  addi x%d, x%d, %" PRIu64, dst, dst, whole * p->rows * p->line);
        attn_li(e, len, (int64_t)p->tail_cols * p->element);
        L("  copy ch=2, dst=x%d, src=x%d, len=x%d, n1=x%d, ss1=x%d, ds1=x%d, n2=x%d, ss2=x%d, "
          "ds2=x%d%s",
          dst, src, len, heads, head_stride, line, tokens, stride, token_step, sems[1]);
    }
    if (!p->op->has_sinks && !p->op->has_slopes)
        return;
    L("  addi x%d, x%d, 0", X_RB, T6);
    snprintf(sems[0], sizeof sems[0], " wait(s%d) post(s%d)", S_SINK_FREE, S_SINK);
    if (p->op->has_sinks)
        load_per_head(e, p->sinks, p->sink, p->op->sink_format == TSR_F32 ? 4 : 2, sems[0]);
    snprintf(sems[1], sizeof sems[1], " wait(s%d) post(s%d)", S_SLOPES_FREE, S_SLOPES);
    if (p->op->has_slopes)
        load_per_head(e, p->op->slopes, p->slopes, 4, sems[1]);
}
