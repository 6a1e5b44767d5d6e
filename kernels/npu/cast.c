/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/npu/cast.h"

#include "kernels/npu/stream.h"

enum {
    V_SCALE = 24
};

#define L(...) tsr_text_line(t, __VA_ARGS__)

struct walk {
    const struct tsr_npu_cast *op;
    const char *fx, *fy;
    uint32_t lanes, size_x, size_y;
};

static void body(struct tsr_text *t, const void *self, uint32_t n)
{
    const struct walk *w = self;
    n = n ? n : 1;
    for (uint32_t i = 0; i < n; i++)
        L("  vld v%u, a0, %s, %u", i, w->fx, w->lanes * w->size_x);
    for (uint32_t i = 0; i < n; i++)
        L("  vmul v%u, v%u, v%d", i, i, V_SCALE);
    for (uint32_t i = 0; w->op->y_format == TSR_I8 && i < n; i++)
        L("  vcvt_i v%u, v%u", i, i);
    for (uint32_t i = 0; i < n; i++)
        L("  vst v%u, a3, %s, %u", i, w->fy, w->lanes * w->size_y);
}

static void routines(struct tsr_text *t, const struct tsr_chip *chip, const struct walk *w)
{
    L(".routine constants");
    npu_vimm(t, V_SCALE, w->op->scale);
    L("  vret");
    L(".end");
    L(".routine cast");
    L("  vloop a4, rows");
    npu_walk(t, chip, "cast", body, w);
    L("rows:");
    L("  vret");
    L(".end");
}

enum tsr_status tsr_npu_cast(const struct tsr_isa *isa, const struct tsr_chip *chip,
                             const struct tsr_npu_cast *op, struct tsr_program *out,
                             struct tsr_error *err)
{
    const uint64_t most = (uint64_t)1 << 40;
    struct walk w = {.op = op,
                     .lanes = chip->tile.tvp.lanes,
                     .size_x = npu_float_size(isa, op->x_format),
                     .size_y = op->y_format == TSR_I8 ? 1 : npu_float_size(isa, op->y_format)};
    struct tsr_text text = {0};
    if (!op->rows || !op->cols || op->rows > most || op->cols > most / op->rows)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "cast: %llu rows of %llu, each from 1, 2^40 in all",
                             (unsigned long long)op->rows, (unsigned long long)op->cols);
    if (!w.size_x || !w.size_y)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "cast: f32 bf16 f16 f8e4m3 f8e5m2, and i8 as the "
                             "result, are allowed");
    w.fx = isa->formats[op->x_format].name;
    w.fy = isa->formats[op->y_format].name;
    struct npu_stream s = {.name = "cast",
                           .rows = op->rows,
                           .cols = op->cols,
                           .split = true,
                           .setup = "constants",
                           .n_in = 1,
                           .n_out = 1,
                           .n_pass = 1,
                           .in = {{.address = op->x,
                                   .stride = op->x_stride ? op->x_stride : op->cols * w.size_x,
                                   .size = w.size_x}},
                           .out = {{.address = op->y,
                                    .stride = op->y_stride ? op->y_stride : op->cols * w.size_y,
                                    .size = w.size_y,
                                    .cols = op->cols}},
                           .pass = {{.routine = "cast", .inputs = 1, .output = true}}};
    if (!npu_stream_plan(chip, &s))
        return tsr_error_set(err, TSR_BAD_INPUT, "cast: does not fit the tiles of %s", chip->name);
    npu_stream_emit(&text, chip, &s);
    routines(&text, chip, &w);
    return npu_stream_program(&text, isa, chip, &s, out, err);
}
