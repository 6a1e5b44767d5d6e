/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/npu/matmul_plan.h"

#include <string.h>

/* More places for B than this only let some senders run ahead of others at a cold start. */
enum {
    MAX_CHUNKS = 62,
    SLABS_PER_CHUNK = 4,
    MAX_RING = 16,
    B_RING = 6
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

/* Cycles of a tile that nothing keeps waiting: per slab the longer of the array's steps and the
 * operand port's lines, and what the TCP needs for a chunk and a block (counted from the program's
 * words). */
enum {
    FETCH_OVERHEAD = 12,
    TCP_CHUNK = 140,
    TCP_BLOCK = 200
};

/* Measured by simulation (4096^3 and 2048 x 4096 x 4096 over grids and blocks on maia100). */
#define PORT_SHARE 0.85
#define CHAIN_DRIFT 1000
#define CHUNK_COST 8

static double tile_cycles(const struct tsr_chip *chip, const struct tsr_npu_matmul *op,
                          const struct matmul_plan *p, uint32_t lanes)
{
    const uint32_t d = chip->tile.ttu.dim;
    double width = (double)p->bn * p->parts,
           lines = (p->bm > width ? p->bm : width) + FETCH_OVERHEAD;
    double tiles = (double)ceil_div(p->bm, d) * (double)ceil_div((uint64_t)width, d);
    if (tiles < chip->tile.ttu.acc_latency_cycles)
        tiles = chip->tile.ttu.acc_latency_cycles;
    double slab = tiles * (double)ceil_div(op->k < p->ks ? op->k : p->ks, lanes);
    double chunk = (slab > lines ? slab : lines) * p->cs;
    return (double)p->nrb * p->ncb *
           ((chunk > TCP_CHUNK ? chunk : TCP_CHUNK) * p->nkc + (p->nkc < 4 ? TCP_BLOCK : 0));
}

/* What one choice of grid and block costs, in cycles: the largest of the tile's work, HBM and tile
 * port. */
static double cost(const struct tsr_chip *chip, const struct tsr_npu_matmul *op,
                   const struct matmul_plan *p, uint32_t lanes)
{
    double rows = (double)ceil_div(op->m, p->gy),
           cols = (double)ceil_div(p->n_out * p->parts, p->gx);
    double nrb = (double)p->nrb, k = (double)op->k, a_reads = p->resident ? 1 : (double)p->ncb;
    double hbm_bytes = (double)op->m * k * p->ea * a_reads +
                       (double)(p->n_out * p->parts) * k * p->eb * nrb +
                       (double)op->m * (double)p->n_out * p->ec;
    double hbm_rate = (double)chip->hbm.stacks * chip->hbm.channels * chip->hbm.channel_bits / 4 *
                      chip->hbm.clock_num / chip->hbm.clock_den;
    double hbm = hbm_bytes / hbm_rate;
    double ingest = (rows * k * p->ea * a_reads + cols * k * p->eb * nrb) / chip->tile.port_bytes;
    double work = tile_cycles(chip, op, p, lanes), chunks = nrb * p->ncb * p->nkc;
    double width = (double)p->bn * p->parts, chunk = work / chunks;
    /* the tensor unit waits for the first chunks; what the memory delivers last is still to be used
     */
    double cold = (double)p->bm * p->kc * p->ea * p->gy + width * p->kc * p->eb * p->gx;
    double tail = (double)p->bm * p->bn * p->ec * p->gy * p->gx;
    double worst = work + cold / hbm_rate;
    worst = worst > hbm + chunk ? worst : hbm + chunk;
    worst = worst > ingest + chunk ? worst : ingest + chunk;
    /* while a block's first columns pass, A and B come together; later blocks' A comes ahead */
    double chunk_bytes = ((double)p->bm * p->ea + width * p->eb) * p->kc;
    double late = chunk_bytes / (PORT_SHARE * chip->tile.port_bytes) - chunk;
    double first_pass = late > 0 && p->ncb > 1 ? late * p->nkc * (1 + (nrb - 1) / 3) : 0;
    if (work < hbm)
        first_pass = 0; /* hidden behind the memory */
    double chain = 0;   /* tiles that wait for each other drift apart */
    if (p->gx > 1 && (p->resident ? nrb : nrb * p->ncb) * p->nkc > p->na)
        chain += CHAIN_DRIFT * p->gx;
    if (p->gy > 1 && chunks > p->nb)
        chain += CHAIN_DRIFT * p->gy;
    return worst + tail / hbm_rate + first_pass + chain + CHUNK_COST * chunks +
           0.02 * (hbm + ingest);
}

/* Lines from slab to slab: one more than a multiple of eight, so that the lines of one row, which
 * arrive together, fall on banks that the DMA's write port owns in successive cycles. */
static uint32_t slab_lines(uint32_t rows)
{
    return (rows + 7) / 8 * 8 + 1;
}

/* Rings and staging for blocks of at most bm x bn; false if they do not fit the TSRAM. */
static bool place(const struct tsr_chip *chip, const struct tsr_npu_matmul *op,
                  struct matmul_plan *p)
{
    uint64_t line = chip->tile.line_bytes, size = chip->tile.tsram_bytes, at = 0;
    uint64_t width = (uint64_t)p->bn * p->parts;
    p->a_height = slab_lines(p->bm);
    p->b_height = slab_lines((uint32_t)width);
    p->a_slot = (uint64_t)p->cs * p->a_height * line;
    p->b_slot = (uint64_t)p->cs * p->b_height * line;
    p->acc_bytes = p->epilogue ? round_up((uint64_t)p->bm * width * 4, line) : 0;
    p->out_bytes = round_up((uint64_t)p->bm * p->bn * p->ec * p->group, line);
    p->extra_bytes = op->epilogue == TSR_EPILOGUE_RESIDUAL ? p->out_bytes : 0;
    if (op->has_bias)
        p->extra_bytes += round_up(width * 4, line);
    at = 2 * (p->acc_bytes + p->out_bytes + p->extra_bytes);
    if (at + 2 * (p->a_slot + p->b_slot) > size)
        return false;
    uint64_t left = size - at;
    /* a resident panel needs a slot for each chunk of K, better half as many again */
    p->resident =
        p->ncb == 1 || (p->nkc <= MAX_RING * 4 && p->nkc * p->a_slot + 2 * p->b_slot <= left);
    uint64_t want = p->ncb == 1 ? 3 : p->resident ? p->nkc + (p->nkc + 1) / 2 : 3;
    uint64_t all = (uint64_t)p->nrb * p->nkc * (p->resident ? 1 : p->ncb);
    if (want > all)
        want = all;
    uint64_t least = p->ncb > 1 && p->resident ? p->nkc : want < 2 ? want : 2;
    while (want > least && want * p->a_slot + 3 * p->b_slot > left)
        want--;
    p->na = (uint32_t)want;
    uint64_t nb = (left - want * p->a_slot) / p->b_slot;
    p->nb = (uint32_t)(nb > B_RING ? B_RING : nb);
    p->a_at = 0;
    p->b_at = p->na * p->a_slot;
    p->acc_at = p->b_at + p->nb * p->b_slot;
    p->out_at = p->acc_at + 2 * p->acc_bytes;
    p->extra_at = p->out_at + 2 * p->out_bytes;
    return p->nb >= 2;
}

/* As many blocks of columns in a group as make a request's length, fewer where room is short. */
static bool place_grouped(const struct tsr_chip *chip, const struct tsr_npu_matmul *op,
                          struct matmul_plan *p)
{
    uint32_t most = chip->tile.tdma.max_request_bytes / 2 / (p->bn * p->ec);
    p->group = most < 1 ? 1 : most < p->ncb ? most : p->ncb;
    for (;; p->group /= 2) {
        if (place(chip, op, p))
            return true;
        if (p->group == 1)
            return false;
    }
}

/* Blocks and layout for a grid; false if nothing fits. */
static bool fill(const struct tsr_chip *chip, const struct tsr_npu_matmul *op,
                 struct matmul_plan *p, uint32_t bm, uint32_t bn)
{
    uint32_t d = chip->tile.ttu.dim;
    uint64_t rows = 0, cols = 0, count, first;
    for (uint32_t i = 0; i < p->gy; i++) {
        matmul_split(op->m, p->row_unit, i, p->gy, &first, &count);
        rows = count > rows ? count : rows;
    }
    for (uint32_t i = 0; i < p->gx; i++) {
        matmul_split(p->n_out, p->col_unit, i, p->gx, &first, &count);
        cols = count > cols ? count : cols;
    }
    p->nrb = (uint32_t)ceil_div(rows, bm);
    p->ncb = (uint32_t)ceil_div(cols, bn);
    p->bm = (uint32_t)matmul_block(rows, p->nrb, d);
    p->bn = (uint32_t)matmul_block(cols, p->ncb, d);
    /* every tile must have as many blocks as the largest region */
    for (uint32_t i = 0; i < p->gy; i++) {
        matmul_split(op->m, p->row_unit, i, p->gy, &first, &count);
        if (count == 0 || matmul_block(count, p->nrb, d) * (p->nrb - 1) >= count)
            return false;
    }
    for (uint32_t i = 0; i < p->gx; i++) {
        matmul_split(p->n_out, p->col_unit, i, p->gx, &first, &count);
        if (count == 0 || matmul_block(count, p->ncb, d) * (p->ncb - 1) >= count)
            return false;
    }
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

static bool formats(const struct tsr_isa *isa, const struct tsr_chip *chip,
                    const struct tsr_npu_matmul *op, struct matmul_plan *p, uint32_t *lanes)
{
    const struct tsr_format *a = &isa->formats[op->a_format], *b = &isa->formats[op->b_format];
    const struct tsr_ttu_config *t = &chip->tile.ttu;
    uint8_t w = a->width_class > b->width_class ? a->width_class : b->width_class;
    if (!a->width_class || !b->width_class || a->bits % 8 || b->bits % 8 || a->block > 1 ||
        b->block > 1)
        return false;
    p->ea = a->bits / 8, p->eb = b->bits / 8;
    p->ec = isa->formats[op->c_format].bits / 8;
    p->ks = chip->tile.line_bytes / (p->ea > p->eb ? p->ea : p->eb);
    *lanes = w == 16 ? t->r16 : w == 9 ? t->r9 : t->r6;
    return true;
}

enum tsr_status matmul_plan(const struct tsr_isa *isa, const struct tsr_chip *chip,
                            const struct tsr_npu_matmul *op, struct matmul_plan *best,
                            struct tsr_error *err)
{
    const uint64_t most = (uint64_t)1 << 32;
    uint32_t tiles = tsr_chip_tiles(chip), d = chip->tile.ttu.dim, lanes = 0;
    struct matmul_plan base = {.parts = op->epilogue == TSR_EPILOGUE_SILU_GATE ? 2 : 1,
                               .epilogue = op->epilogue != TSR_EPILOGUE_NONE};
    if (!op->m || !op->n || !op->k || op->m > most || op->n > most || op->k > most ||
        op->n % base.parts)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "matmul: m %llu n %llu k %llu, each must be 1 to 2^32%s",
                             (unsigned long long)op->m, (unsigned long long)op->n,
                             (unsigned long long)op->k, base.parts == 2 ? ", n even" : "");
    if (!formats(isa, chip, op, &base, &lanes))
        return tsr_error_set(err, TSR_BAD_INPUT, "matmul: the tensor unit does not take %s by %s",
                             isa->formats[op->a_format].name, isa->formats[op->b_format].name);
    base.n_out = op->n / base.parts;
    if (tiles > 64)
        tiles = 64; /* a multicast's mask is one register */
    double best_cost = 0;
    for (uint32_t gy = 1; gy <= tiles; gy++)
        for (uint32_t gx = tiles / gy; gx && gy * gx == tiles; gx = 0)
            for (uint32_t bm = 8 * d; bm >= d; bm /= 2)
                for (uint32_t bn = 8 * d; bn >= d; bn /= 2) {
                    struct matmul_plan p = base;
                    p.row_unit = d;
                    p.col_unit = op->m <= 4 * d && d >= 8 ? 8 : d;
                    uint64_t ry = ceil_div(op->m, p.row_unit), rx = ceil_div(p.n_out, p.col_unit);
                    p.gy = gy < ry ? gy : (uint32_t)ry;
                    p.gx = gx < rx ? gx : (uint32_t)rx;
                    if (bn * p.parts > 8 * d || !fill(chip, op, &p, bm, bn))
                        continue;
                    double c = cost(chip, op, &p, lanes);
                    if (best_cost == 0 || c < best_cost) {
                        best_cost = c;
                        *best = p;
                    }
                }
    if (best_cost == 0)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "matmul: m %llu n %llu k %llu does not fit the tiles of %s",
                             (unsigned long long)op->m, (unsigned long long)op->n,
                             (unsigned long long)op->k, chip->name);
    shape_cluster(chip, best);
    return TSR_OK;
}
