/* SPDX-License-Identifier: Apache-2.0 */
/* How a matmul is spread over the chip and what lies where in a tile's TSRAM.
 *
 * The tiles form a grid of gy rows and gx columns over C. A tile owns a region of rows and columns
 * and works on blocks of it, each a full pass over K in chunks. A chunk of A (block rows x kc) is
 * cast to the tiles of the grid row, which share their rows; a chunk of B (block columns x kc) to
 * those of the grid column. In TSRAM a chunk lies slab by slab: a slab is what a line holds of K,
 * its rows follow each other line by line, so that the operand ports never wait.
 *
 * Blocks go by groups of `pass` rows of blocks: for each block of columns the rows of the group in
 * turn. A group's A stays while the columns pass (`resident`), a block's B while the rows of the
 * group do. So B is read once for each group; what that costs is room in TSRAM.
 *
 * C in a block format: the vector unit quantizes the drained blocks. A row's units, which hold a
 * span of columns, are staged unit by unit, each in a line, and leave together. Blocks of columns
 * divide the span; where a tile's region begins or ends within one, it writes its part of the
 * units. Regions are of whole blocks, some of one less than others: those pass over a last block
 * whose results are the neighbour's. */
#ifndef TESSERA_KERNELS_NPU_MATMUL_PLAN_H
#define TESSERA_KERNELS_NPU_MATMUL_PLAN_H

#include "kernels/npu/npu.h"
#include "kernels/npu/slab.h"

enum {
    MATMUL_MASKS = 4 /* vectors of a block of columns that may end anywhere (matmul_quant.c) */
};

/* One operand: how it lies in HBM and in TSRAM. */
struct matmul_operand {
    struct tsr_npu_slab slab;
    uint64_t row_bytes;  /* HBM: from row to row, within a slab of block formats */
    uint64_t slab_bytes; /* HBM: from slab to slab */
    uint32_t pitch;      /* TSRAM: from row to row; a power of two, at most a line */
    uint32_t height;     /* TSRAM: lines from slab to slab */
    uint64_t at, slot_bytes;
    uint32_t slots; /* the ring */
    uint32_t lead;  /* chunks asked for before the first has been used */
};

struct matmul_plan {
    uint32_t gy, gx;     /* grid */
    uint32_t iy, ix, ox; /* tiles of a cluster as iy x ix; clusters in a grid row */
    uint32_t row_unit, col_unit;
    uint32_t nrb, ncb;        /* blocks of each tile's region: rows, columns */
    uint32_t bm, bn;          /* largest block: rows; output columns */
    uint32_t parts;           /* 2 where B holds gate and up rows; 1 otherwise */
    uint32_t pass;            /* rows of blocks that share a passing B */
    uint32_t group;           /* blocks of columns whose results leave together, in longer runs */
    uint32_t across;          /* log2 of the accumulator banks side by side */
    uint32_t ks, cs, kc, nkc; /* elements of a slab, slabs of a chunk, elements, chunks of K */
    uint32_t lanes;           /* R */
    bool resident;            /* a group's A stays while the columns pass */
    struct matmul_operand a, b;
    uint64_t acc_at, out_at, extra_at;          /* TSRAM: drained blocks, results, bias/residual */
    uint64_t acc_bytes, out_bytes, extra_bytes; /* of one of them */
    uint64_t residual_bytes;                    /* of extra_bytes */
    uint32_t outs;                              /* places of results; of the others there are two */
    uint64_t n_out;                             /* columns of C */
    uint32_t ec;           /* element bytes of C; of the residual where C has blocks */
    bool epilogue;         /* a vector routine makes the result */
    struct tsr_npu_slab c; /* C in blocks, else not set; its */
    uint32_t span;         /* columns: the larger of slab and block */
};

static inline uint32_t matmul_groups(const struct matmul_plan *p)
{
    return (p->nrb + p->pass - 1) / p->pass;
}
/* Chunks that a tile's rings take in. */
static inline uint64_t matmul_total_a(const struct matmul_plan *p)
{
    return (uint64_t)p->nrb * p->nkc * (p->resident ? 1 : p->ncb);
}
static inline uint64_t matmul_total_b(const struct matmul_plan *p)
{
    return (uint64_t)matmul_groups(p) * p->ncb * p->nkc;
}

/* Cycles that the plan takes, as far as they can be told beforehand: to choose among plans. */
double matmul_cost(const struct tsr_chip *chip, const struct tsr_npu_matmul *op,
                   const struct matmul_plan *p);

/* Errors: TSR_BAD_INPUT a shape or format that does not fit. */
enum tsr_status matmul_plan(const struct tsr_isa *isa, const struct tsr_chip *chip,
                            const struct tsr_npu_matmul *op, struct matmul_plan *p,
                            struct tsr_error *err);

/* Completes a plan whose grid and pass are set with blocks of at most bm x bn; false if it does not
 * fit or would leave a tile of the grid fewer blocks than others. */
bool matmul_fill(const struct tsr_chip *chip, const struct tsr_npu_matmul *op,
                 struct matmul_plan *p, uint32_t bm, uint32_t bn);

/* The program of a plan. Errors: TSR_INTERNAL out of memory. */
enum tsr_status matmul_program(const struct tsr_isa *isa, const struct tsr_chip *chip,
                               const struct tsr_npu_matmul *op, const struct matmul_plan *p,
                               struct tsr_program *out, struct tsr_error *err);

/* Columns of C for tile column x: what it writes, and what it computes. */
struct matmul_columns {
    uint64_t first, written, computed;
};
struct matmul_columns matmul_columns(const struct matmul_plan *p, uint32_t x);

/* Region of grid line i of n over `total` in units: first and count. */
void matmul_split(uint64_t total, uint32_t unit, uint32_t i, uint32_t n, uint64_t *first,
                  uint64_t *count);

/* Rows of a block when `count` rows make exactly `blocks` blocks, a multiple of `unit` if that
 * leaves the last one at least a row. */
uint64_t matmul_block(uint64_t count, uint32_t blocks, uint32_t unit);

#endif
