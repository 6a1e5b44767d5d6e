/* SPDX-License-Identifier: Apache-2.0 */
/* Many rows: the columns' scales are kept by every tile. Few: the columns are divided, and come
 * with each row. */
#include "kernels/npu/requantize.h"

#include "kernels/npu/stream.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

/* v0..v7 sums and results, v8..v15 scales of columns, v16..v23 bias. a0 x, a3 y. */
enum {
    V_COLUMN = 8,
    V_BIAS = 16,
    V_ROW = 24,
    V_OUT,     /* 1 / the scale of the result */
    A_ROW = 8, /* on the port of x */
    A_COLUMN,
    A_BIAS = 11
};

struct walk {
    const struct tsr_chip *chip;
    const char *fy;
    uint32_t size_y;
    bool kept; /* the columns' scales lie at TSRAM 0 */
    bool bias, codes;
};

static void body(struct tsr_text *t, const void *self, uint32_t n)
{
    const struct walk *w = self;
    struct npu_group x = npu_group(w->chip, n ? n : 1, 4),
                     y = npu_group(w->chip, n ? n : 1, w->size_y);
    for (uint32_t k = 0; k < x.n; k++) { /* the two ports by turns */
        npu_loads(t, &x, 0, 0, "i32", k, k + 1);
        npu_loads(t, &x, V_COLUMN, A_COLUMN, "f32", k, k + 1);
        L("  vcvt_f v%u, v%u", npu_vector(&x, k), npu_vector(&x, k));
    }
    for (uint32_t i = 0; i < x.n; i++)
        L("  vmul v%u, v%u, v%d", i, i, V_ROW);
    for (uint32_t i = 0; i < x.n; i++)
        L("  vmul v%u, v%u, v%u", i, i, V_COLUMN + i);
    if (w->bias)
        npu_loads(t, &x, V_BIAS, A_BIAS, "f32", 0, x.n);
    for (uint32_t i = 0; w->bias && i < x.n; i++)
        L("  vadd v%u, v%u, v%u", i, i, V_BIAS + i);
    for (uint32_t i = 0; w->codes && i < x.n; i++)
        L("  vmul v%u, v%u, v%d", i, i, V_OUT);
    npu_stores(t, &y, 0, 3, w->fy, 0, y.n);
}

static void routines(struct tsr_text *t, const struct tsr_chip *chip, const struct walk *w,
                     const struct npu_stream *s, double y_scale)
{
    L(".routine setup");
    npu_vimm(t, V_OUT, w->codes ? 1.0f / (float)y_scale : 1.0f);
    L("  vret");
    L(".end");
    L(".routine requantize");
    L("  aaddi a%d, a1, 0", A_COLUMN);
    L("  aaddi a%d, a%d, 0", A_ROW, w->kept ? 1 : 2);
    L("  vloop a4, rows");
    L("  vldb v%d, a%d, f32, 4", V_ROW, A_ROW);
    if (w->kept)
        L("  ali a%d, 0", A_COLUMN);
    if (w->bias)
        L("  ali a%d, %llu", A_BIAS, (unsigned long long)s->second_at);
    npu_walk(t, chip, "requantize", body, w);
    L("rows:");
    L("  vret");
    L(".end");
}

/* Tensors of the pass. Scales of rows are 4 bytes each, at the same place for all columns. */
static struct npu_stream make(const struct tsr_npu_requantize *op, const struct walk *w)
{
    const struct npu_tensor rows = {
        .address = op->row, .stride = 4, .runs = 1, .run_bytes = 4, .run_pitch = 4, .pitch = 4};
    struct npu_stream s = {
        .name = "requantize",
        .rows = op->rows,
        .cols = op->cols,
        .split = !w->kept,
        .n_in = w->kept ? 2 : 3,
        .n_out = 1,
        .n_pass = 1,
        .setup = "setup",
        .in = {{.address = op->x, .stride = op->x_stride ? op->x_stride : 4 * op->cols, .size = 4},
               {.address = op->column, .size = 4}, /* the same row again */
               rows},
        .out = {{.address = op->y,
                 .stride = op->y_stride ? op->y_stride : op->cols * w->size_y,
                 .size = w->size_y,
                 .cols = op->cols}},
        .pass = {{.routine = "requantize", .inputs = w->kept ? 2 : 3, .output = true}},
    };
    if (w->kept) {
        s.constant = op->column;
        s.constant_bytes = 4 * op->cols;
        s.second = op->bias;
        s.second_bytes = op->bias ? 4 * op->cols : 0;
        s.in[1] = rows;
    }
    return s;
}

enum tsr_status tsr_npu_requantize(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                   const struct tsr_npu_requantize *op, struct tsr_program *out,
                                   struct tsr_error *err)
{
    const uint64_t most = (uint64_t)1 << 40;
    bool codes = op->y_format == TSR_I8;
    struct walk w = {.chip = chip,
                     .fy = codes ? "q8_0" : isa->formats[op->y_format].name,
                     .size_y = codes ? 1 : npu_float_size(isa, op->y_format),
                     .bias = op->bias != 0,
                     .codes = codes};
    if (!op->rows || !op->cols || op->rows > most || op->cols > most / op->rows)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "requantize: %llu rows of %llu, each from 1, 2^40 in all",
                             (unsigned long long)op->rows, (unsigned long long)op->cols);
    if (!w.size_y)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "requantize: %s, allowed are f32 bf16 f16 f8e4m3 f8e5m2 i8", w.fy);
    if (codes && !(op->y_scale >= 0x1p-120 && op->y_scale < 0x1p120))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "requantize: a scale of i8 is positive, from 2^-120 to 2^120");
    w.kept = op->rows >= npu_tiles(chip) || w.bias; /* there is no fourth input */
    struct npu_stream s = make(op, &w);
    bool fits = npu_stream_plan(chip, &s);
    if (!fits && w.kept && !w.bias) {
        w.kept = false;
        s = make(op, &w);
        fits = npu_stream_plan(chip, &s);
    }
    if (!fits)
        return tsr_error_set(err, TSR_BAD_INPUT, "requantize: does not fit the tiles of %s",
                             chip->name);
    struct tsr_text text = {0};
    npu_stream_emit(&text, chip, &s);
    routines(&text, chip, &w, &s, op->y_scale);
    return npu_stream_program(&text, isa, chip, &s, out, err);
}
