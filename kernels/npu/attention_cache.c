/* SPDX-License-Identifier: Apache-2.0 */
/* The cache that attention reads: how its rows lie, and V of a block format back in 16 bits. */
#include <inttypes.h>

#include "kernels/npu/attention_plan.h"
#include "kernels/npu/text.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

uint32_t attention_parts(uint64_t x, uint64_t limit)
{
    uint64_t n = (x + limit - 1) / limit;
    while (x % n)
        n++;
    return (uint32_t)n;
}

uint64_t attention_v_bytes(const struct attention_plan *p)
{
    if (p->op->values_in_keys)
        return 0;
    return p->cache.slabs * p->cache.unit_bytes * p->part_cols / p->op->head_dim;
}

static bool serves(const struct tsr_format *f)
{
    return f->width_class != 0 && (f->family != TSR_FAMILY_INT || f->code == TSR_I8);
}

/* i8: codes alone; in TSRAM the token's scale stands behind them for each block of q8_0 begun. */
static void plain_row(const struct tsr_isa *isa, uint64_t head_dim, uint32_t per_line,
                      struct tsr_npu_slab *out)
{
    const struct tsr_format *f = out->format, *q = &isa->formats[TSR_Q8_0];
    const bool scaled = f->family == TSR_FAMILY_INT;
    uint64_t slabs = scaled ? attention_parts(head_dim, per_line) : 1, cols = head_dim / slabs;
    out->rows = 1;
    out->k = head_dim;
    out->unit_elems = cols;
    out->unit_bytes = cols * f->bits / 8;
    out->slabs = slabs;
    if (!scaled)
        return;
    uint64_t blocks = (cols + q->block - 1) / q->block;
    out->blocked = true;
    out->ks = out->scales_at = (uint32_t)cols;
    out->line_bytes = (uint32_t)(cols + blocks * q->scale_bits / 8);
}

/* Units are the queries' parts of head_dim, so that one mma takes one of each; the blocks have to
 * divide it, or be larger than a part by whole times, their scale repeated. */
enum tsr_status tsr_npu_attention_cache(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                        uint64_t head_dim, enum tsr_dtype format,
                                        enum tsr_dtype kv_format, struct tsr_npu_slab *out,
                                        struct tsr_error *err)
{
    const struct tsr_format *f = &isa->formats[kv_format == TSR_F32 ? format : kv_format];
    uint32_t per_line = chip->tile.line_bytes / (isa->formats[format].bits / 8);
    if (!serves(f))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "attention: kv_format %s: allowed are bf16, f16, f8e4m3, f8e5m2, i8 "
                             "and formats with block scales",
                             f->name);
    if (head_dim == 0 || head_dim % f->block != 0)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "attention: head_dim %llu does not divide into %s's blocks of %u",
                             (unsigned long long)head_dim, f->name, f->block);
    if (f->block == 1) {
        *out = (struct tsr_npu_slab){.format = f};
        plain_row(isa, head_dim, per_line, out);
        return TSR_OK;
    }
    uint64_t slabs = attention_parts(head_dim, per_line), cols = head_dim / slabs;
    bool smx = f->family == TSR_FAMILY_SMX, within = !smx && f->block % cols == 0;
    if (cols % f->block != 0 && !within)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "attention: head_dim %llu is cut into parts of %llu on %s, which %s's "
                             "blocks of %u do not divide",
                             (unsigned long long)head_dim, (unsigned long long)cols, chip->name,
                             f->name, f->block);
    uint64_t blocks = (cols + f->block - 1) / f->block;
    uint64_t elements =
        smx ? blocks * (f->block * f->bits + f->block / 2u) / 8 : cols * f->bits / 8;
    *out = (struct tsr_npu_slab){.format = f,
                                 .rows = 1,
                                 .k = head_dim,
                                 .blocked = true,
                                 .ks = (uint32_t)cols,
                                 .line_bytes = (uint32_t)(elements + blocks * f->scale_bits / 8),
                                 .scales_at = (uint32_t)elements,
                                 .unit_elems = cols,
                                 .unit_bytes = elements + blocks * f->scale_bits / 8,
                                 .slabs = slabs};
    return TSR_OK;
}

/* Eight rows a turn, in 24 cycles without a wait: elements of rows 0..7 (read0), scales (read1) and
 * stores in the order 1..7, 0. A port's turn at a bank comes one cycle after the port's before, so
 * a burst that starts eight cycles after another one meets it a row later; the stores' lines lie
 * one bank further (EXPAND_GAP), since a product is ready eight cycles after its scale is asked
 * for. */
static void expand_rows(const struct attention_plan *p, struct tsr_text *t)
{
    const char *format = p->kv_format;
    const int line = (int)p->line, scale = p->token_scales ? TOKEN_SCALE : line;
    for (int i = 0; i < 8; i++)
        L("  vld v%d, a8, %s, %d", i, format, line);
    for (int i = 0; i < 12; i++) {
        int row = (i + 1) % 8, product = (i + 5) % 8, step = i == 6 ? -7 : i == 7 ? 9 : 1;
        if (i < 8 && p->token_scales)
            L("  vldb v%d, a9, f16, %d", 8 + row, step * scale);
        else if (i < 8)
            L("  vlds v%d, a9, %s, %d", 8 + row, format, step * scale);
        else
            L("  vst v%d, a10, %s, %d", row, p->format, line);
        if (i >= 4)
            L("  vmul v%d, v%d, v%d", product, product, 8 + product);
    }
    for (int i = 4; i < 8; i++)
        L("  vst v%d, a10, %s, %d", (i + 1) % 8, p->format, (i == 6 ? -7 : i == 7 ? 9 : 1) * line);
}

/* With fewer than 16 lanes shared microexponents fill `per` registers a load: fewer rows then. */
static void expand_wide(const struct attention_plan *p, struct tsr_text *t, uint32_t per)
{
    const char *format = p->cache.format->name;
    const uint32_t rows = 8 / per, vector = p->lanes * p->element;
    for (uint32_t i = 0; i < rows; i++)
        L("  vld v%u, a8, %s, %u", i * per, format, p->line);
    for (uint32_t i = 0; i < rows; i++)
        L("  vlds v%u, a9, %s, %u", 8 + i, format, p->line);
    for (uint32_t i = 0; i < rows * per; i++)
        L("  vmul v%u, v%u, v%u", i, i, 8 + i / per);
    for (uint32_t i = 0; i < rows * per; i++)
        L("  vst v%u, a10, %s, %u", i, p->format,
          i % per + 1 < per ? vector : p->line - (per - 1) * vector);
}

/* One vector of columns, from c of slab s on, of all rows. */
static void expand_columns(const struct attention_plan *p, struct tsr_text *t, uint32_t s,
                           uint32_t c, uint32_t width)
{
    const struct tsr_format *f = p->cache.format;
    const uint32_t per = width > p->lanes ? width / p->lanes : 1, left = p->v_cols - c;
    const uint32_t pair_bits = 2u * f->bits + (f->family == TSR_FAMILY_SMX);
    const uint32_t first = per == 1 ? p->line : 0; /* row 1 */
    uint64_t unit = (uint64_t)s * p->kb * p->line;
    L("  aaddi a8, a0, %" PRIu64, unit + c * pair_bits / 16);
    if (p->token_scales) /* of row 1 */
        L("  aaddi a9, a0, %" PRIu64, p->scales + p->scales_bytes - p->narrow_at + TOKEN_SCALE);
    else
        L("  aaddi a9, a0, %" PRIu64,
          unit + p->cache.scales_at + c / f->block * (f->scale_bits / 8u) + first);
    L("  aaddi a10, a1, %" PRIu64, unit + c * p->element + first);
    L("  ali a12, %u\n  ali a13, %u\n  vlen a13", p->kb * per / 8,
      left < p->lanes ? left : p->lanes);
    L("  vloop a12, expanded_%u_%u", s, c);
    if (per == 1)
        expand_rows(p, t);
    else
        expand_wide(p, t, per);
    L("expanded_%u_%u:", s, c);
}

/* a0: V as loaded, a1: V for the tensor unit; kb rows of units, a line apart. */
void attention_expand(const struct attention_plan *p, struct tsr_text *t)
{
    uint32_t block = p->cache.format->family == TSR_FAMILY_SMX ? p->cache.format->block : 1;
    uint32_t width = p->lanes < block ? block : p->lanes;
    L(".routine expand");
    for (uint32_t s = 0; s < p->v_slabs; s++)
        for (uint32_t c = 0; c < p->v_cols; c += width)
            expand_columns(p, t, s, c, width);
    L("  vret\n.end");
}
