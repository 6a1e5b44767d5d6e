/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/npu/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tessera/dtype.h"

/* Launch registers of the TCP program. */
enum {
    X_IN = 1,
    X_OUT = 4,
    X_ROWS = 6,
    X_COLS,
    X_CHUNKS,
    X_BLOCKS,
    X_FIRST,
    X_INDEX
};

/* Blocks of about this many bytes keep a read of one tile long against its latency, and leave
 * several blocks per tile to overlap. */
enum {
    BLOCK_BYTES = 49152,
    RING = 4,
    GROUP = 8,
    SEGMENT = 1024
};

#define L(...) tsr_text_line(t, __VA_ARGS__)
typedef unsigned long long ull;

uint64_t npu_ceil_div(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

uint64_t npu_round_up(uint64_t a, uint64_t b)
{
    return npu_ceil_div(a, b) * b;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint32_t npu_tiles(const struct tsr_chip *chip)
{
    return (uint32_t)least(tsr_chip_tiles(chip), NPU_MAX_TILES);
}

uint32_t npu_float_size(const struct tsr_isa *isa, enum tsr_dtype f)
{
    const struct tsr_format *row = &isa->formats[f];
    bool whole = row->bits == 8 || row->bits == 16 || row->bits == 32;
    return isa->has_format[f] && row->family == TSR_FAMILY_FLOAT && whole ? row->bits / 8u : 0;
}

/* ---- plan ----------------------------------------------------------------------------------- */

static bool dense(const struct npu_stream *s)
{
    for (uint32_t i = 0; i < s->n_in; i++)
        if (s->in[i].stride != s->cols * s->in[i].size || s->in[i].cols)
            return false;
    for (uint32_t i = 0; i < s->n_out; i++)
        if (s->out[i].stride != s->cols * s->out[i].size || s->out[i].cols != s->cols)
            return false;
    return true;
}

/* TSRAM of a slot of so many rows and columns; where its parts lie. */
static uint64_t place(const struct tsr_chip *chip, struct npu_stream *s, uint64_t rows,
                      uint64_t cols)
{
    uint32_t lanes = chip->tile.tvp.lanes;
    uint64_t at = 0;
    for (uint32_t i = 0; i <= NPU_STREAM_IN; i++) {
        const struct npu_tensor *x = i == NPU_STREAM_IN ? &s->out[0] : &s->in[i];
        bool used = i == NPU_STREAM_IN || i < s->n_in;
        uint64_t c = i < NPU_STREAM_IN && x->cols ? x->cols : cols;
        if (i == NPU_STREAM_IN && s->out_cols)
            c = s->out_cols;
        s->at[i] = at;
        uint64_t vectors = s->short_rows ? npu_ceil_div(c, lanes) : c / lanes + 1;
        s->pitch_bytes[i] = x->pitch ? x->pitch : vectors * lanes * x->size;
        at += used ? npu_round_up(rows * s->parts * s->pitch_bytes[i], chip->tile.line_bytes) : 0;
    }
    return s->slot_bytes = at;
}

/* Columns of a tile begin at whole HBM segments where that costs no balance. */
static void divide(const struct tsr_chip *chip, struct npu_stream *s)
{
    uint32_t tiles = npu_tiles(chip), down = (uint32_t)least(s->rows, tiles);
    uint64_t unit = chip->tile.tvp.lanes;
    s->across = s->split ? tiles / down : 1;
    s->tile_cols = npu_ceil_div(s->cols, s->across);
    if (s->across > 1) {
        if (s->tile_cols * s->in[0].size >= (uint64_t)4 * SEGMENT)
            unit = SEGMENT;
        s->tile_cols = npu_round_up(s->tile_cols, unit);
    }
    s->across = (uint32_t)npu_ceil_div(s->cols, s->tile_cols);
    s->tiles = down * s->across;
}

/* Parts of a row that fill a slot. */
static bool cut_columns(const struct tsr_chip *chip, struct npu_stream *s, uint64_t room)
{
    uint64_t group = (uint64_t)GROUP * chip->tile.tvp.lanes;
    uint64_t cols = s->tile_cols < group ? group : npu_round_up(s->tile_cols, group);
    while (cols > group && place(chip, s, 1, cols) > room)
        cols = cols / 2 / group * group + (cols / 2 < group ? group : 0);
    s->block_rows = 1;
    s->block_cols = cols;
    return place(chip, s, 1, cols) <= room;
}

bool npu_stream_plan(const struct tsr_chip *chip, struct npu_stream *s)
{
    s->parts = s->parts ? s->parts : 1;
    if (s->split && s->n_pass == 1 && dense(s)) {
        s->cols *= s->rows;
        s->rows = 1;
        for (uint32_t i = 0; i < s->n_out; i++)
            s->out[i].cols = s->cols;
    }
    divide(chip, s);
    uint64_t unit_bytes = (s->eighths ? 8 : 1) * (uint64_t)chip->tile.line_bytes;
    s->second_at = npu_round_up(s->constant_bytes, unit_bytes);
    s->scratch = npu_round_up(s->second_at + s->second_bytes, unit_bytes);
    s->base = npu_round_up(s->scratch + s->scratch_bytes, unit_bytes);
    if (s->base >= chip->tile.tsram_bytes)
        return false;
    if (s->indexed ==
        NPU_INDEX_MEMORY) { /* lists of blocks, a ring as long as that of the blocks */
        s->index_at = s->base;
        s->most_rows = least(s->most_rows ? s->most_rows : 64, chip->tile.control_bytes / 4 / RING);
        s->base += npu_round_up(4 * RING * s->most_rows, chip->tile.line_bytes);
    }
    uint64_t left = chip->tile.tsram_bytes - s->base,
             room = least(left / RING, s->eighths ? BLOCK_BYTES / 3 * 4 : BLOCK_BYTES);
    uint64_t rows = npu_ceil_div(s->rows, s->tiles / s->across);
    s->slots = RING;
    if (s->n_pass > 1 || (s->split && place(chip, s, 1, s->tile_cols) > room))
        return cut_columns(chip, s, room);
    while (s->slots > 1 && place(chip, s, 1, s->tile_cols) > left / s->slots)
        s->slots--;
    if (place(chip, s, 1, s->tile_cols) > left)
        return false;
    uint64_t fit = s->slot_bytes < room ? room / s->slot_bytes : 1;
    if (s->most_rows && fit > s->most_rows)
        fit = s->most_rows;
    s->block_rows = least(fit, rows);
    s->block_cols = s->tile_cols;
    place(chip, s, s->block_rows, s->block_cols);
    return true;
}

/* ---- TCP program --------------------------------------------------------------------------------
 * x1..x3 inputs, x4 x5 outputs: the tile's first row and column; x6 rows left, x7 columns of the
 * tile, x8 column blocks, x9 row blocks, x10 whether this is the tile that casts the constant, x11
 * its indices in HBM;
 * x11 rows of the block, x12 columns left, x13 columns of the block, x14..x16 x17 x18 where the
 * block's inputs and outputs are in HBM, x19 the slot (x31 that of outputs: passes without any do
 * not move it), x20..x23 a0..a3, x24.. temporary. */

static void start(struct tsr_text *t, const struct npu_stream *s)
{
    static const char *const consumer[] = {"dma0", "tvp",  "tvp",  "dma1",
                                           "tvp",  "dma2", "dma2", "dma0"};
    for (int i = 0; i < NPU_STREAM_SEMS; i++)
        L(".sem %d %s", i, consumer[i]);
    if (s->constant_bytes) {
        L("  beq x10, x0, constant_cast");
        L("  li x24, %llu", (ull)s->constant);
        L("  li x25, %llu", (ull)s->constant_bytes);
        L("  li x26, 0x%llx", s->tiles == 64 ? ~0ull : (1ull << s->tiles) - 1);
        L("  copy ch=0, dst=x0, src=x24, len=x25, mask=x26, mc=1, p1=s%d", NPU_CONSTANT);
        if (s->second_bytes) {
            L("  li x24, %llu", (ull)s->second);
            L("  li x25, %llu", (ull)s->second_bytes);
            L("  li x27, %llu", (ull)s->second_at);
            L("  copy ch=0, dst=x27, src=x24, len=x25, mask=x26, mc=1, p1=s%d", NPU_CONSTANT);
        }
        L("constant_cast:");
    }
    if (s->setup || s->constant_bytes) {
        char wait[16] = "";
        if (s->constant_bytes)
            snprintf(wait, sizeof wait, "wait(s%d*%d)", NPU_CONSTANT, s->second_bytes ? 2 : 1);
        L("  vcall %s %s", s->setup ? s->setup : "nothing", wait);
    }
    L("  li x24, %u", s->slots);
    L("  loop x24, rings_free");
    L("  %s post(s%d, s%d)", s->setup_first ? "vcall nothing" : "wait", NPU_IN_FREE, NPU_OUT_FREE);
    if (s->indexed == NPU_INDEX_MEMORY)
        L("  wait post(s%d)", NPU_INDEX_FREE);
    L("rings_free:");
    /* x10, x11 have served: from here on x10 is where the block's indices are, x11 its rows */
    L("  add x16, x11, x0");
    L("  li x10, 0");
    L("  li x19, %llu", (ull)s->base);
    L("  li x31, %llu", (ull)s->base);
}

/* The block's rows of in[0] by index. x16 walks the indices in HBM, so that there are at most two
 * inputs. Control memory holds a list per slot, or all. */
static void load_indexed(struct tsr_text *t, const struct npu_stream *s, bool last)
{
    char wait[16] = "", post[24] = "";
    if (s->indexed == NPU_INDEX_MEMORY) {
        L("  shli x24, x11, 2");
        L("  addi x25, x10, %llu", (ull)s->index_at);
        L("  copy ch=2, dst=x25, src=x16, len=x24 wait(s%d) post(s%d)", NPU_INDEX_FREE,
          NPU_INDEX_READ);
        L("  to_control ch=2, dst=x10, src=x25, n=x11, id=%u wait(s%d) post(s%d)", s->control_id,
          NPU_INDEX_READ, NPU_INDEX_READY);
        L("  add x16, x16, x24");
        snprintf(wait, sizeof wait, ", s%d", NPU_INDEX_READY);
        snprintf(post, sizeof post, "post(s%d%s", NPU_INDEX_FREE, last ? "" : ")");
    }
    if (last)
        snprintf(post + strlen(post), sizeof post - strlen(post), "%ss%d)", *post ? ", " : "post(",
                 NPU_IN_FULL);
    L("  muli x24, x13, %u", s->in[0].size);
    L("  li x25, %llu", (ull)s->in[0].stride);
    L("  li x26, %llu", (ull)s->pitch_bytes[0]);
    L("  gather ch=0, dst=x20, src=x14, len=x24, idx=x10, n=x11, ss=x25, ds=x26 wait(s%d%s) %s",
      NPU_IN_FREE, wait, post);
    L("  addi x10, x10, %llu", (ull)(4 * s->block_rows));
    if (s->indexed == NPU_INDEX_MEMORY) {
        L("  li x24, %llu", (ull)(4 * s->block_rows * s->slots));
        L("  blt x10, x24, indices");
        L("  li x10, 0");
        L("indices:");
    }
}

/* Rows in runs. Rows outside, where their runs lie side by side in HBM (slab-major), else runs
 * outside (row-major): the inner dimension then is one run of bytes there. */
static void load_runs(struct tsr_text *t, const struct npu_stream *s, uint32_t i, const char *wait,
                      const char *post)
{
    const struct npu_tensor *x = &s->in[i];
    L("  li x25, %llu", (ull)x->stride);
    L("  li x26, %llu", (ull)s->pitch_bytes[i]);
    L("  li x27, %llu", (ull)x->runs);
    L("  li x28, %llu", (ull)x->part_stride);
    L("  li x29, %llu", (ull)x->run_pitch);
    if (x->runs) {
        L("  li x24, %llu", (ull)x->run_bytes);
        const char *then = x->rest_bytes ? "" : post;
        if (x->stride == x->run_bytes)
            L("  copy ch=0, dst=x%u, src=x%u, len=x24, n1=x11, ss1=x25, ds1=x26, n2=x27, ss2=x28, "
              "ds2=x29 %s %s",
              20 + i, 14 + i, wait, then);
        else
            L("  copy ch=0, dst=x%u, src=x%u, len=x24, n1=x27, ss1=x28, ds1=x29, n2=x11, ss2=x25, "
              "ds2=x26 %s %s",
              20 + i, 14 + i, wait, then);
        wait = "";
    }
    if (!x->rest_bytes)
        return;
    L("  li x24, %llu", (ull)x->rest_bytes);
    L("  addi x27, x%u, %llu", 14 + i, (ull)(x->runs * x->part_stride));
    L("  addi x28, x%u, %llu", 20 + i, (ull)(x->runs * x->run_pitch));
    L("  copy ch=0, dst=x28, src=x27, len=x24, n1=x11, ss1=x25, ds1=x26 %s %s", wait, post);
}

static void load(struct tsr_text *t, const struct npu_stream *s, uint32_t i, bool last)
{
    const struct npu_tensor *x = &s->in[i];
    if (i == 0 && s->indexed) {
        load_indexed(t, s, last);
        return;
    }
    char wait[16] = "", post[16] = "";
    if (i == 0)
        snprintf(wait, sizeof wait, "wait(s%d)", NPU_IN_FREE);
    if (last)
        snprintf(post, sizeof post, "post(s%d)", NPU_IN_FULL);
    if (x->run_pitch) {
        load_runs(t, s, i, wait, post);
        return;
    }
    if (x->cols)
        L("  li x24, %llu", (ull)(x->cols * x->size));
    else
        L("  muli x24, x13, %u", x->size);
    L("  li x25, %llu", (ull)x->stride);
    L("  li x26, %llu", (ull)s->pitch_bytes[i]);
    if (s->parts == 1) {
        L("  copy ch=0, dst=x%u, src=x%u, len=x24, n1=x11, ss1=x25, ds1=x26 %s %s", 20 + i, 14 + i,
          wait, post);
        return;
    }
    L("  li x27, %llu", (ull)s->parts);
    L("  li x28, %llu", (ull)x->part_stride);
    L("  muli x29, x26, %llu", (ull)s->parts);
    L("  copy ch=0, dst=x%u, src=x%u, len=x24, n1=x27, ss1=x28, ds1=x26, n2=x11, ss2=x25, ds2=x29 "
      "%s %s",
      20 + i, 14 + i, wait, post);
}

static void call(struct tsr_text *t, const struct tsr_chip *chip, const struct npu_stream *s,
                 const struct npu_pass *p)
{
    uint32_t lanes = chip->tile.tvp.lanes, shift = (uint32_t)__builtin_ctz(lanes);
    L("  muli x27, x11, %llu", (ull)s->parts);
    if (s->short_rows) {
        L("  shri x24, x27, 3");
        L("  andi x25, x27, %d", GROUP - 1);
    } else {
        L("  shri x24, x13, %u", shift + 3);
        L("  shri x25, x13, %u", shift);
        L("  andi x25, x25, %d", GROUP - 1);
    }
    L("  andi x26, x13, %u", lanes - 1);
    if (p->output)
        L("  vcall %s, x20, x21, x22, x23, x27, x24, x25, x26 wait(s%d, s%d) post(s%d, s%d)",
          p->routine, NPU_IN_FULL, NPU_OUT_FREE, NPU_IN_FREE, NPU_OUT_FULL);
    else
        L("  vcall %s, x20, x21, x22, x23, x27, x24, x25, x26 wait(s%d) post(s%d)", p->routine,
          NPU_IN_FULL, NPU_IN_FREE);
}

/* A row of the output is parts or runs: either way the first dimension, rows are the second. */
static void store(struct tsr_text *t, const struct npu_stream *s, uint32_t i)
{
    const struct npu_tensor *x = &s->out[i];
    uint64_t n = x->runs ? x->runs : s->parts;
    uint64_t pitch = i && x->pitch ? x->pitch : s->pitch_bytes[NPU_STREAM_IN];
    uint64_t run = x->runs && !x->run_pitch ? x->cols / n : x->cols;
    char wait[16] = "", post[16] = "";
    if (i == 0)
        snprintf(wait, sizeof wait, "wait(s%d)", NPU_OUT_FULL);
    if (i + 1 == s->n_out)
        snprintf(post, sizeof post, "post(s%d)", NPU_OUT_FREE);
    if (run != s->cols)
        L("  li x24, %llu", (ull)(run * x->size));
    else
        L("  muli x24, x13, %u", x->size);
    L("  li x25, %llu", (ull)(pitch * s->parts));
    L("  li x26, %llu", (ull)x->stride);
    L("  addi x30, x23, %llu", (ull)(x->first * x->size));
    if (x->run_pitch) {
        L("  li x24, %llu", (ull)x->run_bytes);
        L("  li x27, %llu", (ull)n);
        L("  li x28, %llu", (ull)x->run_pitch);
        L("  li x29, %llu", (ull)x->part_stride);
        L("  copy ch=1, dst=x%u, src=x30, len=x24, n1=x11, ss1=x25, ds1=x26, n2=x27, ss2=x28, "
          "ds2=x29 %s %s",
          17 + i, wait, post);
        return;
    }
    if (n == 1) {
        L("  copy ch=1, dst=x%u, src=x30, len=x24, n1=x11, ss1=x25, ds1=x26 %s %s", 17 + i, wait,
          post);
        return;
    }
    L("  li x27, %llu", (ull)n);
    L("  li x28, %llu", (ull)(x->runs ? run * x->size : pitch));
    L("  li x29, %llu", (ull)x->part_stride);
    L("  copy ch=1, dst=x%u, src=x30, len=x24, n1=x27, ss1=x28, ds1=x29, n2=x11, ss2=x25, ds2=x26 "
      "%s "
      "%s",
      17 + i, wait, post);
}

static void next_slot(struct tsr_text *t, const struct npu_stream *s, int reg, const char *ring,
                      uint32_t id)
{
    L("  addi x%d, x%d, %llu", reg, reg, (ull)s->slot_bytes);
    L("  li x24, %llu", (ull)(s->base + s->slots * s->slot_bytes));
    L("  blt x%d, x24, %s%u", reg, ring, id);
    L("  li x%d, %llu", reg, (ull)s->base);
    L("%s%u:", ring, id);
}

static void block(struct tsr_text *t, const struct tsr_chip *chip, const struct npu_stream *s,
                  const struct npu_pass *p, uint32_t id)
{
    L("  mini x13, x12, %llu", (ull)s->block_cols);
    for (uint32_t i = 0; i < s->n_in; i++)
        L("  addi x%u, x19, %llu", 20 + i, (ull)s->at[i]);
    L("  addi x23, x31, %llu", (ull)s->at[NPU_STREAM_IN]);
    for (uint32_t i = 0; i < p->inputs; i++)
        load(t, s, i, i + 1 == p->inputs);
    call(t, chip, s, p);
    for (uint32_t i = 0; p->output && i < s->n_out; i++)
        store(t, s, i);
    next_slot(t, s, 19, "in", id);
    if (p->output)
        next_slot(t, s, 31, "out", id);
    L("  sub x12, x12, x13");
    for (uint32_t i = 0; i < s->n_in; i++)
        L("  addi x%u, x%u, %llu", 14 + i, 14 + i, (ull)(s->block_cols * s->in[i].size));
    for (uint32_t i = 0; i < s->n_out; i++)
        L("  addi x%u, x%u, %llu", 17 + i, 17 + i, (ull)(s->block_cols * s->out[i].size));
}

void npu_stream_emit(struct tsr_text *t, const struct tsr_chip *chip, const struct npu_stream *s)
{
    start(t, s);
    L("  loop x9, done");
    L("  mini x11, x6, %llu", (ull)s->block_rows);
    for (uint32_t k = 0; k < s->n_pass; k++) {
        if (s->pass[k].before)
            L("  vcall %s", s->pass[k].before);
        L("  add x12, x7, x0");
        for (uint32_t i = 0; i < s->n_in; i++)
            L("  add x%u, x%u, x0", 14 + i, X_IN + i);
        for (uint32_t i = 0; i < s->n_out; i++)
            L("  add x%u, x%u, x0", 17 + i, X_OUT + i);
        L("  loop x8, row%u", k);
        block(t, chip, s, &s->pass[k], k);
        L("row%u:", k);
    }
    for (uint32_t i = s->indexed ? 1 : 0; i < s->n_in; i++)
        L("  addi x%u, x%u, %llu", X_IN + i, X_IN + i, (ull)(s->block_rows * s->in[i].stride));
    for (uint32_t i = 0; i < s->n_out; i++)
        L("  addi x%u, x%u, %llu", X_OUT + i, X_OUT + i, (ull)(s->block_rows * s->out[i].stride));
    L("  sub x6, x6, x11");
    L("done:");
    if (s->finish) {
        L("  vcall %s post(s%d)", s->finish, NPU_OUT_FULL);
        L("  li x24, %llu", (ull)s->scratch);
        L("  li x25, %llu", (ull)s->finish_bytes);
        L("  copy ch=1, dst=x3, src=x24, len=x25 wait(s%d)", NPU_OUT_FULL);
    }
    L("  halt");
    if ((s->constant_bytes && !s->setup) || s->setup_first) {
        L(".routine nothing");
        L("  vret");
        L(".end");
    }
}

enum tsr_status npu_stream_program(struct tsr_text *t, const struct tsr_isa *isa,
                                   const struct tsr_chip *chip, const struct npu_stream *s,
                                   struct tsr_program *out, struct tsr_error *err)
{
    int64_t args[NPU_MAX_TILES][TSR_LAUNCH_REGS] = {{0}};
    uint32_t down = s->tiles / s->across;
    (void)chip;
    for (uint32_t i = 0; i < s->tiles; i++) {
        int64_t x[TSR_LAUNCH_REGS + 1] = {0}; /* x[1] is x1 */
        uint32_t y = i / s->across;
        uint64_t row = s->rows * y / down, rows = s->rows * (y + 1) / down - row;
        uint64_t col = i % s->across * s->tile_cols, cols = least(s->cols - col, s->tile_cols);
        for (uint32_t k = 0; k < s->n_in; k++)
            x[X_IN + k] = (int64_t)(s->in[k].address + row * s->in[k].stride + col * s->in[k].size);
        for (uint32_t k = 0; k < s->n_out; k++)
            x[X_OUT + k] =
                (int64_t)(s->out[k].address + row * s->out[k].stride + col * s->out[k].size);
        x[X_ROWS] = (int64_t)rows;
        x[X_COLS] = (int64_t)cols;
        x[X_CHUNKS] = (int64_t)npu_ceil_div(cols, s->block_cols);
        x[X_BLOCKS] = (int64_t)npu_ceil_div(rows, s->block_rows);
        x[X_FIRST] = i == 0;
        x[X_INDEX] = (int64_t)(s->index + 4 * row);
        if (s->finish)
            x[X_IN + 2] = (int64_t)(s->finish_to + i * s->finish_stride);
        if (s->indexed)
            x[X_IN] = (int64_t)s->in[0].address;
        memcpy(args[i], x + 1, sizeof args[i]);
    }
    return tsr_text_program(t, isa, s->name, s->tiles, (const int64_t(*)[TSR_LAUNCH_REGS])args, out,
                            err);
}

/* ---- routines ------------------------------------------------------------------------------- */

void npu_walk(struct tsr_text *t, const struct tsr_chip *chip, const char *name, npu_body *body,
              const void *self)
{
    L("  vloop a5, %s_groups", name);
    body(t, self, GROUP);
    L("%s_groups:", name);
    L("  vloop a6, %s_singles", name);
    body(t, self, 1);
    L("%s_singles:", name);
    L("  vlen a7");
    body(t, self, 0);
    L("  ali a15, %u", chip->tile.tvp.lanes);
    L("  vlen a15");
}

struct npu_group npu_group(const struct tsr_chip *chip, uint32_t n, uint32_t size)
{
    uint32_t bytes = chip->tile.tvp.lanes * size, per = chip->tile.line_bytes / bytes;
    per = n > 1 && per > 1 ? per : 1;
    return (struct npu_group){.n = n, .lines = n / per, .per_line = per, .bytes = bytes};
}

uint32_t npu_vector(const struct npu_group *g, uint32_t k)
{
    return k % g->lines * g->per_line + k / g->lines;
}

int32_t npu_step(const struct npu_group *g, uint32_t k)
{
    uint32_t next = k + 1 < g->n ? npu_vector(g, k + 1) : g->n;
    return ((int32_t)next - (int32_t)npu_vector(g, k)) * (int32_t)g->bytes;
}

void npu_loads(struct tsr_text *t, const struct npu_group *g, uint32_t reg, uint32_t areg,
               const char *format, uint32_t from, uint32_t to)
{
    for (uint32_t k = from; k < to; k++)
        L("  vld v%u, a%u, %s, %d", reg + npu_vector(g, k), areg, format, npu_step(g, k));
}

void npu_stores(struct tsr_text *t, const struct npu_group *g, uint32_t reg, uint32_t areg,
                const char *format, uint32_t from, uint32_t to)
{
    for (uint32_t k = from; k < to; k++)
        L("  vst v%u, a%u, %s, %d", reg + npu_vector(g, k), areg, format, npu_step(g, k));
}

void npu_vimm(struct tsr_text *t, uint32_t reg, double value)
{
    float f = (float)value;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    L("  vimm v%u, 0x%08" PRIx32, reg, bits);
}
