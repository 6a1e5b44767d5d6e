/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/npu/matmul_plan.h"

#include <string.h>

/* More places for B than this only let some senders run ahead of others at a cold start. */
enum {
    MAX_CHUNKS = 62,
    SLABS_PER_CHUNK = 4,
    MAX_SLOTS = 240, /* their posts must not overflow a semaphore */
    B_RING = 6,
    LEAD = 3,
    MAX_PASS = 8,
    /* Lines from A's ring to B's, modulo 8: packets of the two arrive by turns, and the port that
     * writes them meets the next one's bank soonest so (measured, all offsets, mx6 and mx9) */
    BANK_STEP = 3
};

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b;
}
static uint64_t round_up(uint64_t a, uint64_t b)
{
    return ceil_div(a, b) * b;
}

void matmul_split(uint64_t total, uint32_t unit, uint32_t i, uint32_t n, uint64_t *first,
                  uint64_t *count)
{
    uint64_t units = ceil_div(total, unit), lo = units * i / n * unit,
             hi = units * (i + 1) / n * unit;
    *first = lo;
    *count = (hi < total ? hi : total) - lo;
}

uint64_t matmul_block(uint64_t count, uint32_t blocks, uint32_t unit)
{
    uint64_t plain = ceil_div(count, blocks), round = round_up(plain, unit);
    return round * (blocks - 1) < count ? round : plain;
}

/* Lines from slab to slab: one more than a multiple of eight, so that the lines of one row, which
 * arrive together, fall on banks that the DMA's write port owns in successive cycles. */
static void shape_slabs(const struct tsr_chip *chip, struct matmul_operand *o, uint64_t rows,
                        uint32_t cs)
{
    uint32_t line = chip->tile.line_bytes;
    o->pitch = line;
    while (o->pitch / 2 >= o->slab.line_bytes)
        o->pitch /= 2;
    o->height = (uint32_t)(round_up(ceil_div(rows * o->pitch, line), 8) + 1);
    o->slot_bytes = (uint64_t)cs * o->height * line;
}

static uint32_t at_most(uint64_t x, uint64_t most)
{
    return (uint32_t)(x < most ? x : most);
}

/* The rings of A and B in `room` bytes. A panel that stays needs a slot for each of its chunks,
 * better half as many again, for the next one. */
static bool share_rings(struct matmul_plan *p, uint64_t room)
{
    uint32_t half = (p->nkc + 1) / 2, panel_a = p->pass * p->nkc;
    uint32_t least_b = p->pass > 1 ? p->nkc : 2;
    bool fits = panel_a * p->a.slot_bytes + least_b * p->b.slot_bytes <= room;
    if (p->ncb > 1 && p->pass > 1 && !fits)
        return false;
    p->resident = p->ncb == 1 || fits;
    bool stays = p->resident && p->ncb > 1;
    uint64_t all = matmul_total_a(p);
    uint32_t want = at_most(stays ? panel_a + half : 3, all);
    uint32_t least_a = stays ? panel_a : want < 2 ? want : 2;
    uint32_t goal_b = p->pass > 1 ? at_most(p->nkc + half, matmul_total_b(p)) : 3;
    while (want > least_a && want * p->a.slot_bytes + goal_b * p->b.slot_bytes > room)
        want--;
    if (want * p->a.slot_bytes > room || want > MAX_SLOTS)
        return false;
    p->a.slots = want;
    p->b.slots =
        at_most((room - want * p->a.slot_bytes) / p->b.slot_bytes, p->pass > 1 ? goal_b : B_RING);
    p->a.lead = p->b.lead = LEAD;
    return p->b.slots >= least_b && p->b.slots <= MAX_SLOTS;
}

/* Rings and staging for blocks of at most bm x bn; false if they do not fit the TSRAM. */
static bool place(const struct tsr_chip *chip, const struct tsr_npu_matmul *op,
                  struct matmul_plan *p)
{
    uint64_t line = chip->tile.line_bytes, size = chip->tile.tsram_bytes;
    uint64_t width = (uint64_t)p->bn * p->parts;
    shape_slabs(chip, &p->a, p->bm, p->cs);
    shape_slabs(chip, &p->b, width, p->cs);
    p->acc_bytes = p->epilogue ? round_up((uint64_t)p->bm * width * 4, line) : 0;
    p->out_bytes = round_up((uint64_t)p->bm * p->bn * p->ec * p->group, line);
    p->residual_bytes = op->epilogue == TSR_EPILOGUE_RESIDUAL ? p->out_bytes : 0;
    if (p->c.blocked) { /* vectors are loaded whole: the last row's may reach beyond it */
        p->acc_bytes += line;
        p->residual_bytes += p->residual_bytes ? line : 0;
        p->out_bytes = p->bm * (p->span / p->c.ks) * line;
    }
    p->extra_bytes = p->residual_bytes;
    if (op->has_bias)
        p->extra_bytes += round_up(width * 4, line);
    p->outs = p->pass > 2 ? p->pass : 2;
    uint64_t fixed =
        BANK_STEP * line + 2 * (p->acc_bytes + p->extra_bytes) + p->outs * p->out_bytes;
    if (fixed > size || !share_rings(p, size - fixed))
        return false;
    p->a.at = 0;
    p->b.at = p->a.slots * p->a.slot_bytes + BANK_STEP * line;
    p->acc_at = p->b.at + p->b.slots * p->b.slot_bytes;
    p->out_at = p->acc_at + 2 * p->acc_bytes;
    p->extra_at = p->out_at + p->outs * p->out_bytes;
    return true;
}

/* As many blocks of columns in a group as make a request's length, fewer where room is short. */
static bool place_grouped(const struct tsr_chip *chip, const struct tsr_npu_matmul *op,
                          struct matmul_plan *p)
{
    uint32_t most = p->c.blocked ? 1 : chip->tile.tdma.max_request_bytes / 2 / (p->bn * p->ec);
    p->group = most < 1 ? 1 : most < p->ncb ? most : p->ncb;
    for (;; p->group /= 2) {
        if (place(chip, op, p))
            return true;
        if (p->group == 1)
            return false;
    }
}

/* The largest region of n grid lines over `total`, and whether each has as many blocks as it. */
static bool blocks_of(uint64_t total, uint32_t unit, uint32_t n, uint32_t most, uint32_t d,
                      uint32_t *blocks, uint32_t *size)
{
    uint64_t largest = 0, count, first;
    for (uint32_t i = 0; i < n; i++) {
        matmul_split(total, unit, i, n, &first, &count);
        largest = count > largest ? count : largest;
    }
    *blocks = (uint32_t)ceil_div(largest, most);
    *size = (uint32_t)matmul_block(largest, *blocks, d);
    for (uint32_t i = 0; i < n; i++) {
        matmul_split(total, unit, i, n, &first, &count);
        if (count == 0 || matmul_block(count, *blocks, d) * (*blocks - 1) >= count)
            return false;
    }
    return true;
}

/* The tiles of a cluster as iy x ix of the grid, clusters row by row. */
static void shape_cluster(const struct tsr_chip *chip, struct matmul_plan *p)
{
    uint32_t per = chip->tiles_per_cluster, iy = 1, ix = 1;
    while (iy * ix * 2 <= per && per % (iy * ix * 2) == 0) {
        bool y = iy <= ix && p->gy % (iy * 2) == 0, x = p->gx % (ix * 2) == 0;
        if (y)
            iy *= 2;
        else if (x)
            ix *= 2;
        else if (p->gy % (iy * 2) == 0)
            iy *= 2;
        else
            break;
    }
    p->iy = iy, p->ix = ix;
    p->ox = p->gx / ix;
}

struct matmul_columns matmul_columns(const struct matmul_plan *p, uint32_t x)
{
    struct matmul_columns c;
    matmul_split(p->n_out, p->col_unit, x, p->gx, &c.first, &c.written);
    c.computed = c.written;
    if (!p->c.blocked)
        return c;
    if (x + 1 == p->gx) /* the last unit whole: zeros behind the last column */
        c.written = round_up(p->n_out, p->c.ks) - c.first;
    else
        c.computed = (uint64_t)p->ncb * p->bn;
    return c;
}

/* Blocks of columns where C has blocks: equal ones that divide the span. */
static bool span_columns(const struct tsr_chip *chip, struct matmul_plan *p, uint32_t bn)
{
    uint64_t blocks = ceil_div(p->n_out, bn);
    if (p->span % bn || bn % chip->tile.ttu.dim || bn % p->c.format->block)
        return false;
    p->bn = p->col_unit = bn;
    p->gx = at_most(p->gx, blocks);
    p->ncb = (uint32_t)ceil_div(blocks, p->gx);
    return p->n_out % bn == 0 || bn <= MATMUL_MASKS * chip->tile.tvp.lanes;
}

bool matmul_fill(const struct tsr_chip *chip, const struct tsr_npu_matmul *op,
                 struct matmul_plan *p, uint32_t bm, uint32_t bn)
{
    uint32_t d = chip->tile.ttu.dim;
    if (!blocks_of(op->m, p->row_unit, p->gy, bm, d, &p->nrb, &p->bm) ||
        !(p->c.blocked ? span_columns(chip, p, bn)
                       : blocks_of(p->n_out, p->col_unit, p->gx, bn, d, &p->ncb, &p->bn)) ||
        p->pass > p->nrb)
        return false;
    shape_cluster(chip, p);
    p->across = p->bn * p->parts > 4 * d ? 1 : 0;
    p->cs = SLABS_PER_CHUNK;
    uint64_t slabs = ceil_div(op->k, p->ks);
    while (ceil_div(slabs, p->cs) > MAX_CHUNKS)
        p->cs *= 2;
    if (p->cs > slabs)
        p->cs = (uint32_t)slabs;
    for (;; p->cs /= 2) {
        p->kc = p->ks * p->cs;
        p->nkc = (uint32_t)ceil_div(op->k, p->kc);
        if (p->nkc > MAX_CHUNKS)
            return false;
        if (place_grouped(chip, op, p))
            return true;
        if (p->cs == 1)
            return false;
    }
}

/* An operand in HBM: dense rows, or its part of a slab-major tensor. */
static enum tsr_status operand(const struct tsr_isa *isa, const struct tsr_chip *chip,
                               enum tsr_dtype own, enum tsr_dtype partner, uint64_t rows,
                               uint64_t k, uint64_t stride, struct matmul_operand *o,
                               struct tsr_error *err)
{
    enum tsr_status st = tsr_npu_slab_plan(isa, chip, own, partner, rows, k, &o->slab, err);
    if (st != TSR_OK)
        return st;
    if (o->slab.blocked && stride)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "matmul: a row stride of %llu bytes, rows of %s have none",
                             (unsigned long long)stride, o->slab.format->name);
    o->row_bytes = stride ? stride : o->slab.unit_bytes;
    o->slab_bytes = o->slab.blocked ? rows * o->slab.unit_bytes : o->slab.line_bytes;
    return TSR_OK;
}

/* C as the next matmul's A. */
static enum tsr_status result_blocks(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                     const struct tsr_npu_matmul *op, struct matmul_plan *p,
                                     struct tsr_error *err)
{
    enum tsr_status st =
        tsr_npu_slab_plan(isa, chip, op->c_format, op->c_partner, op->m, p->n_out, &p->c, err);
    if (st != TSR_OK)
        return st;
    uint32_t block = p->c.format->block, most = 8 * chip->tile.ttu.dim / p->parts;
    p->span = p->c.ks > block ? p->c.ks : block;
    if (op->c_stride)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "matmul: a row stride of %llu bytes, rows of %s have none",
                             (unsigned long long)op->c_stride, p->c.format->name);
    if (block > most || block % chip->tile.ttu.dim)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "matmul: %s has blocks of %u, %s%s can write multiples of %u up to %u",
                             p->c.format->name, block, chip->name,
                             p->parts == 2 ? " with a gate" : "", chip->tile.ttu.dim, most);
    return TSR_OK;
}

static enum tsr_status operands(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                const struct tsr_npu_matmul *op, struct matmul_plan *p,
                                struct tsr_error *err)
{
    const struct tsr_format *a = &isa->formats[op->a_format], *b = &isa->formats[op->b_format],
                            *c = &isa->formats[op->c_format];
    const struct tsr_ttu_config *t = &chip->tile.ttu;
    enum tsr_status st = operand(isa, chip, op->a_format, op->b_format,
                                 op->a_rows ? op->a_rows : op->m, op->k, op->a_stride, &p->a, err);
    if (st == TSR_OK)
        st = operand(isa, chip, op->b_format, op->a_format, op->b_rows ? op->b_rows : op->n, op->k,
                     op->b_stride, &p->b, err);
    if (st != TSR_OK)
        return st;
    bool sums = a->family == TSR_FAMILY_INT && !p->epilogue && op->c_format == TSR_I32;
    if (c->block > 1) {
        st = result_blocks(isa, chip, op, p, err);
        if (st != TSR_OK)
            return st;
        c = &isa->formats[op->residual_format];
    }
    if (!sums && c->code != TSR_F32 && c->code != TSR_BF16 && c->code != TSR_F16)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "matmul: %s by %s to %s, allowed are f32, bf16, f16, a block format; "
                             "i32 for integers without residual or gate",
                             a->name, b->name, c->name);
    uint8_t w = a->width_class > b->width_class ? a->width_class : b->width_class;
    p->lanes = w == 16 ? t->r16 : w == 9 ? t->r9 : t->r6;
    p->ks = p->a.slab.ks;
    p->ec = c->bits / 8;
    p->epilogue |= p->c.blocked;
    return TSR_OK;
}

static enum tsr_status check_shape(const struct tsr_npu_matmul *op, uint32_t parts,
                                   struct tsr_error *err)
{
    const uint64_t most = (uint64_t)1 << 32;
    if (!op->m || !op->n || !op->k || op->m > most || op->n > most || op->k > most || op->n % parts)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "matmul: m %llu n %llu k %llu, each must be 1 to 2^32%s",
                             (unsigned long long)op->m, (unsigned long long)op->n,
                             (unsigned long long)op->k, parts == 2 ? ", n even" : "");
    if ((op->a_rows && op->a_rows < op->m) || (op->b_rows && op->b_rows < op->n))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "matmul: tensors of %llu and %llu rows are smaller than m %llu n %llu",
                             (unsigned long long)op->a_rows, (unsigned long long)op->b_rows,
                             (unsigned long long)op->m, (unsigned long long)op->n);
    return TSR_OK;
}

/* Tries all sizes of blocks and passes on one grid. */
static void try_grid(const struct tsr_chip *chip, const struct tsr_npu_matmul *op,
                     const struct matmul_plan *base, struct matmul_plan *best, double *best_cost)
{
    uint32_t d = chip->tile.ttu.dim;
    for (uint32_t bm = 8 * d; bm >= d; bm /= 2)
        for (uint32_t bn = 8 * d; bn >= d; bn = base->c.blocked ? bn - d : bn / 2)
            for (uint32_t pass = 1; pass <= MAX_PASS; pass++) {
                struct matmul_plan p = *base;
                p.pass = pass;
                if (bn * p.parts > 8 * d || !matmul_fill(chip, op, &p, bm, bn))
                    continue;
                double c = matmul_cost(chip, op, &p);
                if (*best_cost == 0 || c < *best_cost) {
                    *best_cost = c;
                    *best = p;
                }
            }
}

enum tsr_status matmul_plan(const struct tsr_isa *isa, const struct tsr_chip *chip,
                            const struct tsr_npu_matmul *op, struct matmul_plan *best,
                            struct tsr_error *err)
{
    uint32_t tiles = tsr_chip_tiles(chip), d = chip->tile.ttu.dim;
    struct matmul_plan base = {.parts = op->epilogue == TSR_EPILOGUE_SILU_GATE ? 2 : 1,
                               .epilogue = op->epilogue != TSR_EPILOGUE_NONE};
    base.n_out = op->n / base.parts;
    enum tsr_status st = check_shape(op, base.parts, err);
    if (st == TSR_OK)
        st = operands(isa, chip, op, &base, err);
    if (st != TSR_OK)
        return st;
    base.row_unit = d;
    base.col_unit = op->m <= 4 * d && d >= 8 ? 8 : d;
    uint64_t ry = ceil_div(op->m, base.row_unit), rx = ceil_div(base.n_out, base.col_unit);
    if (tiles > 64)
        tiles = 64; /* a multicast's mask is one register */
    double best_cost = 0;
    for (uint32_t gy = 1; gy <= tiles; gy++)
        if (tiles % gy == 0) {
            base.gy = at_most(gy, ry);
            base.gx = at_most(tiles / gy, rx);
            try_grid(chip, op, &base, best, &best_cost);
        }
    if (best_cost == 0)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "matmul: m %llu n %llu k %llu does not fit the tiles of %s",
                             (unsigned long long)op->m, (unsigned long long)op->n,
                             (unsigned long long)op->k, chip->name);
    return TSR_OK;
}
