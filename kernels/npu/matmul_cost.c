/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan costs: a few figures of the chip, and constants measured by simulation. */
#include "kernels/npu/matmul_plan.h"

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b;
}

/* Cycles of a tile that nothing keeps waiting: the longer of the array's steps and the operand
 * port's lines, and what the TCP needs for a chunk and a block (counted from the program's words).
 */
enum {
    FETCH_OVERHEAD = 12,
    TCP_CHUNK = 150,
    TCP_BLOCK = 200
};

/* Measured by simulation on maia100: squares of 4096 and 8192, 2048 rows by projections of 4096 to
 * 12288, bf16, mx9, mx6, over grids, blocks and passes. */
#define PORT_SHARE 0.85 /* units that lie across lines and requests; whole lines: */
#define PORT_SHARE_PLAIN 0.95
#define HBM_ALL 0.95  /* of HBM's pins over a whole run; in a first pass: */
#define HBM_SHARE 0.9 /* of whole slabs; a segment of each of many rows: */
#define HBM_SHARE_PLAIN 0.7
#define CHAIN_DRIFT 100
#define CHUNK_COST 140
#define BLOCK_COST 60

static double tile_cycles(const struct tsr_chip *chip, const struct tsr_npu_matmul *op,
                          const struct matmul_plan *p)
{
    const uint32_t d = chip->tile.ttu.dim;
    double width = (double)p->bn * p->parts, rows = (double)p->bm;
    double tiles = (double)ceil_div(p->bm, d) * (double)ceil_div((uint64_t)width, d);
    if (tiles < chip->tile.ttu.acc_latency_cycles)
        tiles = chip->tile.ttu.acc_latency_cycles;
    double steps = tiles * (double)ceil_div(op->k, p->lanes);
    double lines =
        ((rows > width ? rows : width) + (double)FETCH_OVERHEAD) * (double)ceil_div(op->k, p->ks);
    double block = steps > lines ? steps : lines, tcp = (double)TCP_CHUNK * p->nkc;
    return (double)p->nrb * p->ncb * ((block > tcp ? block : tcp) + (p->nkc < 4 ? TCP_BLOCK : 0));
}

/* HBM bytes a cycle, all pins. */
static double hbm_rate(const struct tsr_chip *chip)
{
    const struct tsr_hbm_config *h = &chip->hbm;
    return (double)h->stacks * h->channels * h->channel_bits / 4 * h->clock_num / h->clock_den;
}

/* Bytes that an element of K takes in a row. */
static double k_bytes(const struct matmul_operand *o)
{
    return (double)o->slab.line_bytes / o->slab.ks;
}

static double c_bytes(const struct matmul_plan *p)
{
    return p->c.blocked ? (double)p->c.unit_bytes / p->c.ks : p->ec;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* How much later than `due` something of `cycles` is there. */
static double late(double cycles, double due)
{
    return cycles > due ? cycles - due : 0;
}

/* The largest of the tile's work, HBM and tile port; and what does not overlap with it. What a
 * group's first pass waits was twice as much between groups as in the first. */
double matmul_cost(const struct tsr_chip *chip, const struct tsr_npu_matmul *op,
                   const struct matmul_plan *p)
{
    double rows = (double)ceil_div(op->m, p->gy),
           cols = (double)ceil_div(p->n_out * p->parts, p->gx);
    double groups = matmul_groups(p), k = (double)op->k, ea = k_bytes(&p->a), eb = k_bytes(&p->b);
    double a_reads = p->resident ? 1 : (double)p->ncb, rate = hbm_rate(chip);
    double hbm_bytes = (double)op->m * k * ea * a_reads +
                       (double)(p->n_out * p->parts) * k * eb * groups +
                       (double)op->m * (double)p->n_out * c_bytes(p);
    double hbm = hbm_bytes / rate;
    double ingest = (rows * k * ea * a_reads + cols * k * eb * groups) / chip->tile.port_bytes;
    double work = tile_cycles(chip, op, p), chunks = (double)p->nrb * p->ncb * p->nkc;
    double width = (double)p->bn * p->parts, chunk = work / chunks;
    /* the tensor unit waits for the first chunks; what the memory delivers last is still to be used
     */
    double cold = (double)p->bm * p->kc * ea * p->gy + width * p->kc * eb * p->gx;
    double tail = (double)p->bm * p->bn * c_bytes(p) * p->gy * p->gx;
    /* while a group's first columns pass, its A comes, with the first row B at the same time */
    bool units = p->a.slab.blocked || p->b.slab.blocked;
    double port = (units ? PORT_SHARE : PORT_SHARE_PLAIN) * chip->tile.port_bytes,
           block = work / ((double)p->nrb * p->ncb);
    double memory = (units ? HBM_SHARE : HBM_SHARE_PLAIN) * rate;
    double panel_a = (double)p->bm * k * ea, panel_b = width * k * eb;
    double both = larger((panel_a + panel_b) / port, (panel_a * p->gy + panel_b * p->gx) / memory);
    double a_alone = larger(panel_a / port, panel_a * p->gy / memory);
    double b_alone = larger(panel_b / port, panel_b * p->gx / memory);
    double first_pass = late(both, block) + (p->pass - 1) * late(a_alone, block);
    if (p->ncb == 1 && p->pass == 1)
        first_pass = 0; /* it is always so */
    /* a shared B has room for half a panel more: the rest comes with the last row */
    double columns = p->pass > 1 ? late(b_alone / 2, block) * p->ncb : 0;
    double chain = 0; /* tiles that wait for each other drift apart */
    if (p->gx > 1 && matmul_total_a(p) > p->a.slots)
        chain += CHAIN_DRIFT * p->gx;
    if (p->gy > 1 && matmul_total_b(p) > p->b.slots)
        chain += CHAIN_DRIFT * p->gy;
    double overhead = tail / rate + chain + CHUNK_COST * chunks + BLOCK_COST * p->nrb * p->ncb;
    /* the first chunks' way is a part of a first pass that comes late */
    work += larger(cold / rate, first_pass) + 2 * (groups - 1) * first_pass + groups * columns;
    return larger(work, larger(hbm / HBM_ALL, ingest) + chunk) + overhead + 0.02 * (hbm + ingest);
}
