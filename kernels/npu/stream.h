/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that pass over the rows of tensors: the part all of them share.
 *
 * The work is rows x cols. Every tile gets a run of rows, and where there are fewer rows than tiles
 * and the columns may be divided, a run of columns of one row. A tile takes its part in blocks: DMA
 * channel 0 reads a block of each input into a slot of a ring, a vector routine makes the output
 * block, channel 1 writes it. Four semaphores keep the three in step, so that they overlap:
 *     read   waits IN_FREE                posts IN_FULL
 *     vcall  waits IN_FULL, OUT_FREE      posts IN_FREE, OUT_FULL
 *     write  waits OUT_FULL               posts OUT_FREE
 * A block is whole rows, or, where they are too long, a part of one row; then the kernel may ask
 * for several passes over the row, each with its own routine, which keep what they know in
 * registers.
 *
 * The routine is called with
 *     a0..a2 blocks of the inputs, a3 block of the output, a4 rows,
 *     a5 groups of 8 vectors, a6 single vectors, a7 lanes of the rest: the columns of the block;
 * in TSRAM a row takes so many vectors more, that a walk of 8 a5 + a6 + 1 ends on the next row.
 * With `short_rows`, a5 and a6 are groups of 8 rows and rows of the rest, and a row takes whole
 * vectors.
 * A row may be `parts` shorter ones, some distance apart in HBM (heads of a token): to the routine
 * these are the rows. */
#ifndef KERNELS_NPU_STREAM_H
#define KERNELS_NPU_STREAM_H

#include "kernels/npu/text.h"

enum npu_stream_sem {
    NPU_IN_FREE,
    NPU_IN_FULL,
    NPU_OUT_FREE,
    NPU_OUT_FULL,
    NPU_CONSTANT,    /* the constant has arrived: consumed by the TVP */
    NPU_INDEX_FREE,  /* a block's indices have been used: channel 2 */
    NPU_INDEX_READ,  /* they are in TSRAM: channel 2 */
    NPU_INDEX_READY, /* they are in control memory: channel 0 */
    NPU_STREAM_SEMS,
};

enum {
    NPU_STREAM_IN = 3,
    NPU_STREAM_OUT = 2,
    NPU_STREAM_PASSES = 3,
    NPU_MAX_TILES = 64
};

struct npu_tensor {
    uint64_t address, stride; /* bytes from row to row; an input's may be 0: the same row again */
    uint32_t size;            /* bytes of an element */
    uint64_t cols;            /* inputs: elements a row, 0: the stream's. outputs: those it takes */
    uint64_t first;           /* outputs: its first column in the output block */
    uint64_t runs;            /* outputs: a row goes to this many places; 0: one */
    uint64_t part_stride;     /* bytes from part to part, or (outputs) from run to run */
    /* Rows that lie in runs, in TSRAM and in HBM (units of block formats): `runs` of run_bytes, in
     * TSRAM run_pitch apart, in HBM part_stride. Inputs may have a last run of rest_bytes more.
     * `pitch`: bytes from row to row in TSRAM, for these and any other; 0: as the kernel's. */
    uint64_t run_bytes, rest_bytes, run_pitch, pitch;
};

struct npu_pass {
    const char *before; /* routine called once before the blocks of a row; or null */
    const char *routine;
    uint32_t inputs; /* how many of in[] it reads, from the first */
    bool output;
};

enum npu_rows {
    NPU_IN_ORDER,
    NPU_INDEX_CONTROL, /* the tile's indices lie in its control memory from 0 */
    NPU_INDEX_MEMORY,  /* they come from HBM, block by block */
};

struct npu_stream {
    const char *name;
    uint64_t rows, parts, cols; /* parts 0: 1 */
    bool split;                 /* columns may be divided among tiles and blocks */
    bool short_rows;
    uint32_t n_in, n_out, n_pass;
    struct npu_tensor in[NPU_STREAM_IN], out[NPU_STREAM_OUT];
    struct npu_pass pass[NPU_STREAM_PASSES];
    uint64_t constant,
        constant_bytes;            /* in HBM; copied to TSRAM 0 of every tile before the start */
    uint64_t second, second_bytes; /* another one, at second_at; 0: none */
    const char *setup;             /* routine that runs first, after the constant; or null */
    uint64_t scratch_bytes;        /* of TSRAM for the routines, behind the constant */
    uint64_t out_cols;             /* of the output block; 0: cols */
    const char *finish;            /* routine that runs last, or null; then finish_bytes of */
    uint64_t finish_to, finish_stride, finish_bytes; /* scratch go to finish_to + tile * stride;
                                                        at most two inputs */
    enum npu_rows indexed; /* in[0]: row r of the work is row index[r] of the tensor */
    uint64_t index;        /* NPU_INDEX_MEMORY: address of the i32 indices in HBM */
    uint32_t control_id;   /* NPU_INDEX_MEMORY: of its to_control */
    uint64_t most_rows;    /* of a block; 0: no limit */
    bool eighths;     /* slots and scratch start at each eighth line (schedule.h); larger slots */
    bool setup_first; /* the setup writes to the slots: nothing is read before it is over */

    /* Set by npu_stream_plan. */
    uint32_t tiles, across, slots;
    uint64_t tile_cols, block_rows, block_cols;
    uint64_t base, scratch, second_at, index_at, slot_bytes, at[NPU_STREAM_IN + 1],
        pitch_bytes[NPU_STREAM_IN + 1];
};

uint64_t npu_ceil_div(uint64_t a, uint64_t b);
uint64_t npu_round_up(uint64_t a, uint64_t b);
uint32_t npu_tiles(const struct tsr_chip *chip); /* tiles that programs use: at most 64 */
/* Bytes of an element; 0 if vector loads and stores do not take the format as floats. */
uint32_t npu_float_size(const struct tsr_isa *isa, enum tsr_dtype f);

/* Divides the work. Without `split` and with one pass, false means that a row does not fit: ask
 * again with split passes. Tensors that are dense in every row count as one long row if `split`. */
bool npu_stream_plan(const struct tsr_chip *chip, struct npu_stream *s);

/* The TCP part. Routines follow by the kernel. */
void npu_stream_emit(struct tsr_text *t, const struct tsr_chip *chip, const struct npu_stream *s);

/* Assembles with the tiles' arguments. */
enum tsr_status npu_stream_program(struct tsr_text *t, const struct tsr_isa *isa,
                                   const struct tsr_chip *chip, const struct npu_stream *s,
                                   struct tsr_program *out, struct tsr_error *err);

/* What to do with n vectors; n = 0: with one of a7 lanes, the others are loaded as 0. */
typedef void npu_body(struct tsr_text *t, const void *self, uint32_t n);

/* Emits a walk over the columns of a row: body(8) in a loop a5 times, body(1) a6 times, body(0);
 * all lanes are active afterwards. Uses a15. `name` makes labels. */
void npu_walk(struct tsr_text *t, const struct tsr_chip *chip, const char *name, npu_body *body,
              const void *self);

/* How a group of vectors lies in TSRAM: an access of a line other than the last one costs up to 7
 * cycles unless the lines rise by one a cycle, so the first vectors of the lines go first, then the
 * second ones and so on. */
struct npu_group {
    uint32_t n, lines, per_line; /* n = 1: 1, 1 */
    uint32_t bytes;              /* of a vector */
};
struct npu_group npu_group(const struct tsr_chip *chip, uint32_t n, uint32_t size);
/* The k-th vector in that order, and the increment of the address after it. */
uint32_t npu_vector(const struct npu_group *g, uint32_t k);
int32_t npu_step(const struct npu_group *g, uint32_t k);
/* Loads or stores of vectors k = from..to-1 of that order: v<reg + vector>. */
void npu_loads(struct tsr_text *t, const struct npu_group *g, uint32_t reg, uint32_t areg,
               const char *format, uint32_t from, uint32_t to);
void npu_stores(struct tsr_text *t, const struct npu_group *g, uint32_t reg, uint32_t areg,
                const char *format, uint32_t from, uint32_t to);

/* vimm of a float. */
void npu_vimm(struct tsr_text *t, uint32_t reg, double value);

#endif
