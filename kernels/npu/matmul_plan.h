/* SPDX-License-Identifier: Apache-2.0 */
/* How a matmul is spread over the chip and what lies where in a tile's TSRAM.
 *
 * The tiles form a grid of gy rows and gx columns over C. A tile owns a region of rows and columns
 * and works on blocks of it, each a full pass over K in chunks. A chunk of A (block rows x kc) is
 * cast to the tiles of the grid row, which share their rows; a chunk of B (block columns x kc) to
 * those of the grid column. In TSRAM a chunk lies slab by slab: a slab is one line of K, its rows
 * follow each other line by line, so that the operand ports never wait. */
#ifndef TESSERA_KERNELS_NPU_MATMUL_PLAN_H
#define TESSERA_KERNELS_NPU_MATMUL_PLAN_H

#include "kernels/npu/npu.h"

struct matmul_plan {
    uint32_t gy, gx;     /* grid */
    uint32_t iy, ix, ox; /* tiles of a cluster as iy x ix; clusters in a grid row */
    uint32_t row_unit, col_unit;
    uint32_t nrb, ncb;        /* blocks of each tile's region: rows, columns */
    uint32_t bm, bn;          /* largest block: rows; output columns */
    uint32_t parts;           /* 2 where B holds gate and up rows; 1 otherwise */
    uint32_t group;           /* blocks of columns whose results leave together, in longer runs */
    uint32_t across;          /* log2 of the accumulator banks side by side */
    uint32_t ks, cs, kc, nkc; /* elements of a slab, slabs of a chunk, elements, chunks of K */
    uint32_t resident;        /* a block's A stays while the columns pass */
    uint32_t na, nb;          /* ring slots */
    uint64_t a_at, b_at, acc_at, out_at,
        extra_at;                /* TSRAM: rings, drained blocks, results, bias/residual */
    uint32_t a_height, b_height; /* lines from slab to slab */
    uint64_t a_slot, b_slot, acc_bytes, out_bytes, extra_bytes;
    uint64_t n_out;      /* columns of C */
    uint32_t ea, eb, ec; /* element bytes */
    bool epilogue;       /* a vector routine makes the result */
};

/* Errors: TSR_BAD_INPUT a shape or format that does not fit. */
enum tsr_status matmul_plan(const struct tsr_isa *isa, const struct tsr_chip *chip,
                            const struct tsr_npu_matmul *op, struct matmul_plan *p,
                            struct tsr_error *err);

/* Region of grid line i of n over `total` in units: first and count. */
void matmul_split(uint64_t total, uint32_t unit, uint32_t i, uint32_t n, uint64_t *first,
                  uint64_t *count);

/* Rows of a block when `count` rows make exactly `blocks` blocks, a multiple of `unit` if that
 * leaves the last one at least a row. */
uint64_t matmul_block(uint64_t count, uint32_t blocks, uint32_t unit);

#endif
