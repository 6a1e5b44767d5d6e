/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "kernels/npu/ops.h"
#include "kernels/npu/stream.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

enum {
    V_Y = 16,
    V_SCALE = 24
};

struct embedding {
    const struct tsr_npu_embedding *op;
    const struct tsr_chip *chip;
    const char *ft, *fy;
    uint32_t et, ey;
};

static void body(struct tsr_text *t, const void *self, uint32_t n)
{
    const struct embedding *e = self;
    n = n ? n : 1;
    struct npu_group x = npu_group(e->chip, n, e->et), y = npu_group(e->chip, n, e->ey);
    npu_loads(t, &x, 0, 0, e->ft, 0, n);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = npu_vector(&x, k);
        L("  vmul v%u, v%u, v%d", V_Y + i, i, V_SCALE);
    }
    npu_stores(t, &y, V_Y, 3, e->fy, 0, n);
}

/* Without indices in HBM each tile's share of the list is part of the program. */
static bool add_lists(struct tsr_program *p, const struct npu_stream *s, const uint32_t *ids)
{
    p->control = calloc(p->tiles, sizeof *p->control);
    p->control_bytes = calloc(p->tiles, sizeof *p->control_bytes);
    if (!p->control || !p->control_bytes)
        return false;
    for (uint32_t i = 0; i < p->tiles; i++) {
        uint64_t row = s->rows * i / p->tiles, rows = s->rows * (i + 1) / p->tiles - row;
        p->control[i] = malloc(4 * rows);
        if (!p->control[i])
            return false;
        p->control_bytes[i] = (uint32_t)(4 * rows);
        for (uint64_t k = 0; k < rows; k++)
            for (uint32_t b = 0; b < 4; b++)
                p->control[i][4 * k + b] = (uint8_t)(ids[row + k] >> 8 * b);
    }
    return true;
}

static enum tsr_status check(const struct embedding *e, struct tsr_error *err)
{
    const struct tsr_npu_embedding *op = e->op;
    const uint64_t most = (uint64_t)1 << 32;
    if (!op->tokens || op->tokens > most || !op->cols || op->cols > most || !op->vocab ||
        op->vocab > most)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "embedding: %llu tokens of %llu from %llu rows, each 1 to 2^32",
                             (unsigned long long)op->tokens, (unsigned long long)op->cols,
                             (unsigned long long)op->vocab);
    if (!e->et || !e->ey)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "embedding: a format that the vector unit does not load as floats");
    uint64_t per = npu_ceil_div(op->tokens, npu_tiles(e->chip));
    if (op->ids && per > e->chip->tile.control_bytes / 4)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "embedding: %llu ids of a tile exceed the control memory of %s; give "
                             "them in HBM",
                             (unsigned long long)per, e->chip->name);
    for (uint64_t i = 0; op->ids && i < op->tokens; i++)
        if (op->ids[i] >= op->vocab)
            return tsr_error_set(err, TSR_BAD_INPUT, "embedding: id %u, allowed are 0 to %llu",
                                 op->ids[i], (unsigned long long)(op->vocab - 1));
    return TSR_OK;
}

enum tsr_status tsr_npu_embedding(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                  const struct tsr_npu_embedding *op, struct tsr_program *out,
                                  struct tsr_error *err)
{
    struct embedding e = {.op = op,
                          .chip = chip,
                          .et = npu_float_size(isa, op->table_format),
                          .ey = npu_float_size(isa, op->y_format),
                          .ft = isa->formats[op->table_format].name,
                          .fy = isa->formats[op->y_format].name};
    enum tsr_status st = check(&e, err);
    if (st)
        return st;
    struct npu_stream s = {
        .name = "embedding",
        .rows = op->tokens,
        .cols = op->cols,
        .n_in = 1,
        .n_out = 1,
        .n_pass = 1,
        .setup = "setup",
        .control_id = TSR_CONTROL_TOKENS,
        .index = op->ids_address,
        .indexed = op->ids ? NPU_INDEX_CONTROL : NPU_INDEX_MEMORY,
        .in = {{.address = op->table, .size = e.et, .stride = op->cols * e.et}},
        .out = {{.address = op->y, .size = e.ey, .cols = op->cols, .stride = op->cols * e.ey}},
        .pass = {{.routine = "embed", .inputs = 1, .output = true}}};
    if (!npu_stream_plan(chip, &s))
        return tsr_error_set(err, TSR_BAD_INPUT, "embedding: rows of %llu do not fit %s",
                             (unsigned long long)op->cols, chip->name);
    struct tsr_text text = {0}, *t = &text;
    npu_stream_emit(t, chip, &s);
    L(".routine setup");
    npu_vimm(t, V_SCALE, op->scale == 0 ? 1.0 : op->scale);
    L("  vret");
    L(".end");
    L(".routine embed");
    L("  vloop a4, rows");
    npu_walk(t, chip, "embed", body, &e);
    L("rows:");
    L("  vret");
    L(".end");
    st = npu_stream_program(t, isa, chip, &s, out, err);
    if (st || !op->ids || add_lists(out, &s, op->ids))
        return st;
    tsr_program_free(out);
    memset(out, 0, sizeof *out);
    return tsr_error_set(err, TSR_INTERNAL, "embedding: out of memory");
}
