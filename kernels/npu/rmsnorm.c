/* SPDX-License-Identifier: Apache-2.0 */
/* Two walks over a row: the sum of squares in 8 accumulators of a vector each, then x * r * w. Rows
 * of at most two vectors (heads) go eight at a time, since a reduction takes long but pipelines.
 * Rows that do not fit the TSRAM are read twice, in parts. */
#include "kernels/npu/ops.h"
#include "kernels/npu/stream.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

/* v0..v7 x, v8..v15 w, v16..v23 sums and results, v24 the row's factor (short rows: v24 v25 w). */
enum {
    V_W = 8,
    V_SUM = 16,
    V_R = 24,
    V_MEAN = 28,
    V_EPS,
    V_ZERO
};
enum {
    GROUP = 8,
    SHORT_VECTORS = 2,
    A_X = 8,
    A_W = 9
};

struct norm {
    const struct tsr_npu_rmsnorm *op;
    const struct tsr_chip *chip;
    const char *fx, *fw, *fy;
    uint32_t lanes, ex, ew, ey;
    uint32_t x_reg; /* address register of the walk in hand */
};

static void setup(struct tsr_text *t, const struct norm *e)
{
    L(".routine setup");
    npu_vimm(t, V_MEAN, 1.0 / (double)e->op->cols);
    npu_vimm(t, V_EPS, e->op->eps);
    npu_vimm(t, V_ZERO, 0.0);
    L("  vret");
    L(".end");
}

static void zero_sums(struct tsr_text *t)
{
    for (int i = 0; i < GROUP; i++)
        L("  vmov v%d, v%d", V_SUM + i, V_ZERO);
}

/* The second half of the loads beside the first half of the products. */
static void square(struct tsr_text *t, const void *self, uint32_t n)
{
    const struct norm *e = self;
    struct npu_group g = npu_group(e->chip, n ? n : 1, e->ex);
    uint32_t ahead = g.n > 1 ? g.n / 2 : 1;
    for (uint32_t k = 0; k < g.n + ahead; k++) {
        npu_loads(t, &g, 0, e->x_reg, e->fx, k, k < g.n ? k + 1 : k);
        if (k >= ahead) {
            uint32_t i = npu_vector(&g, k - ahead);
            L("  vfma v%u, v%u, v%u, v%u", V_SUM + i, i, i, V_SUM + i);
        }
    }
}

/* V_R = 1 / sqrt(sum / n + eps); the sums stay as they are. */
static void factor(struct tsr_text *t)
{
    for (int i = 0; i < 4; i++)
        L("  vadd v%d, v%d, v%d", i, V_SUM + i, V_SUM + 4 + i);
    L("  vadd v0, v0, v2");
    L("  vadd v1, v1, v3");
    L("  vadd v0, v0, v1");
    L("  vsum v0, v0");
    L("  vmul v0, v0, v%d", V_MEAN);
    L("  vadd v0, v0, v%d", V_EPS);
    L("  vrsqrt v%d, v0", V_R);
}

/* x and w by turns on the two read ports, the products beside the loads of w and the stores. */
static void scale(struct tsr_text *t, const void *self, uint32_t n)
{
    const struct norm *e = self;
    n = n ? n : 1;
    struct npu_group x = npu_group(e->chip, n, e->ex), y = npu_group(e->chip, n, e->ey);
    struct npu_group w = npu_group(e->chip, n, e->op->w ? e->ew : e->ex);
    for (uint32_t k = 0; k < n; k += x.lines) {
        npu_loads(t, &x, 0, e->x_reg, e->fx, k, k + x.lines);
        for (uint32_t i = k; i < k + x.lines; i++) {
            if (e->op->w)
                npu_loads(t, &w, V_W, A_W, e->fw, i, i + 1);
            L("  vmul v%u, v%u, v%d", V_SUM + npu_vector(&x, i), npu_vector(&x, i), V_R);
        }
    }
    uint32_t behind = n > 1 ? n / 2 : 1;
    for (uint32_t k = 0; k < n + behind; k++) {
        if (k < n && e->op->w) {
            uint32_t i = npu_vector(&y, k);
            L("  vmul v%u, v%u, v%u", V_SUM + i, V_SUM + i, V_W + i);
        }
        if (k >= behind)
            npu_stores(t, &y, V_SUM, 3, e->fy, k - behind, k - behind + 1);
    }
}

/* Rows within the block, w at TSRAM 0. */
static void whole_rows(struct tsr_text *t, const struct tsr_chip *chip, struct norm *e)
{
    L(".routine norm");
    L("  vloop a4, rows");
    L("  aaddi a%d, a0, 0", A_X);
    L("  ali a%d, 0", A_W);
    zero_sums(t);
    e->x_reg = A_X;
    npu_walk(t, chip, "square", square, e);
    factor(t);
    e->x_reg = 0;
    npu_walk(t, chip, "scale", scale, e);
    L("rows:");
    L("  vret");
    L(".end");
}

/* A part of a row at a time. */
static void parts(struct tsr_text *t, const struct tsr_chip *chip, struct norm *e)
{
    e->x_reg = 0;
    L(".routine begin");
    zero_sums(t);
    L("  vret");
    L(".end");
    L(".routine sum");
    npu_walk(t, chip, "square", square, e);
    L("  vret");
    L(".end");
    L(".routine finish");
    factor(t);
    L("  vret");
    L(".end");
    L(".routine norm");
    L("  aaddi a%d, a1, 0", A_W);
    npu_walk(t, chip, "scale", scale, e);
    L("  vret");
    L(".end");
}

/* Loads or stores of `rows` rows of nv vectors: by lines, or row by row where the last vector of a
 * row is not a full one. */
static void short_move(struct tsr_text *t, const struct norm *e, uint32_t rows, uint32_t nv,
                       bool store)
{
    const char *op = store ? "vst" : "vld", *format = store ? e->fy : e->fx;
    uint32_t size = store ? e->ey : e->ex, areg = store ? 3 : 0;
    struct npu_group g = npu_group(e->chip, rows * nv, size);
    if (e->op->cols % e->lanes == 0 && rows > 1) {
        for (uint32_t k = 0; k < g.n; k++)
            L("  %s v%u, a%u, %s, %d", op, npu_vector(&g, k), areg, format, npu_step(&g, k));
        return;
    }
    for (uint32_t k = 0; k < rows * nv; k++) {
        L("  vlen a%d", k % nv == nv - 1 && e->op->cols % e->lanes ? 7 : 15);
        L("  %s v%u, a%u, %s, %u", op, k, areg, format, e->lanes * size);
    }
    L("  vlen a15");
}

/* `rows` <= 8 rows of `nv` <= 2 vectors, the last of a7 lanes. v0..v15 x, v16..v23 sums, v24 v25
 * w. */
static void short_group(struct tsr_text *t, const struct norm *e, uint32_t rows, uint32_t nv)
{
    short_move(t, e, rows, nv, false);
    for (uint32_t r = 0; r < rows; r++)
        L("  vmul v%u, v%u, v%u", V_SUM + r, r * nv, r * nv);
    for (uint32_t r = 0; r < rows && nv > 1; r++)
        L("  vfma v%u, v%u, v%u, v%u", V_SUM + r, r * nv + 1, r * nv + 1, V_SUM + r);
    for (uint32_t r = 0; r < rows; r++)
        L("  vsum v%u, v%u", V_SUM + r, V_SUM + r);
    for (uint32_t r = 0; r < rows; r++)
        L("  vmul v%u, v%u, v%d", V_SUM + r, V_SUM + r, V_MEAN);
    for (uint32_t r = 0; r < rows; r++)
        L("  vadd v%u, v%u, v%d", V_SUM + r, V_SUM + r, V_EPS);
    for (uint32_t r = 0; r < rows; r++)
        L("  vrsqrt v%u, v%u", V_SUM + r, V_SUM + r);
    for (uint32_t k = 0; k < rows * nv; k++)
        L("  vmul v%u, v%u, v%u", k, k, V_SUM + k / nv);
    for (uint32_t k = 0; k < rows * nv && e->op->w; k++)
        L("  vmul v%u, v%u, v%u", k, k, V_R + k % nv);
    short_move(t, e, rows, nv, true);
}

static void short_rows(struct tsr_text *t, const struct norm *e)
{
    uint32_t nv = (uint32_t)npu_ceil_div(e->op->cols, e->lanes);
    L(".routine norm");
    L("  ali a15, %u", e->lanes);
    L("  ali a%d, 0", A_W);
    for (uint32_t k = 0; k < nv && e->op->w; k++)
        L("  vld v%u, a%d, %s, %u", V_R + k, A_W, e->fw, e->lanes * e->ew);
    L("  vloop a5, groups");
    short_group(t, e, GROUP, nv);
    L("groups:");
    L("  vloop a6, rest");
    short_group(t, e, 1, nv);
    L("rest:");
    L("  vret");
    L(".end");
}

static enum tsr_status check(const struct tsr_npu_rmsnorm *op, const struct norm *e,
                             struct tsr_error *err)
{
    const uint64_t most = (uint64_t)1 << 32;
    if (!op->rows || !op->cols || op->rows > most || op->cols > most || op->heads > 65536)
        return tsr_error_set(err, TSR_BAD_INPUT, "rmsnorm: %llu rows of %llu, from 1 to 2^32",
                             (unsigned long long)op->rows, (unsigned long long)op->cols);
    if (!e->ex || !e->ey || (op->w && !e->ew))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "rmsnorm: a format that the vector unit does not load as floats");
    return TSR_OK;
}

/* The row in one block if it fits, else in parts. */
static bool plan(const struct tsr_chip *chip, const struct norm *e, struct npu_stream *s)
{
    const struct tsr_npu_rmsnorm *op = e->op;
    uint64_t parts_n = op->heads ? op->heads : 1, dense_x = op->cols * e->ex,
             dense_y = op->cols * e->ey;
    struct npu_stream base = {.name = "rmsnorm",
                              .rows = op->rows,
                              .parts = parts_n,
                              .cols = op->cols,
                              .n_in = 1,
                              .n_out = 1,
                              .n_pass = 1,
                              .setup = "setup",
                              .constant = op->w,
                              .constant_bytes = op->w ? op->cols * e->ew : 0,
                              .in = {{.address = op->x,
                                      .size = e->ex,
                                      .part_stride = dense_x,
                                      .stride = op->x_stride ? op->x_stride : parts_n * dense_x},
                                     {.address = op->w, .size = e->ew}},
                              .out = {{.address = op->y,
                                       .size = e->ey,
                                       .cols = op->cols,
                                       .part_stride = dense_y,
                                       .stride = op->y_stride ? op->y_stride : parts_n * dense_y}},
                              .pass = {{.routine = "norm", .inputs = 1, .output = true}}};
    base.short_rows = op->cols <= (uint64_t)SHORT_VECTORS * e->lanes && op->rows * parts_n > 1;
    *s = base;
    if (npu_stream_plan(chip, s))
        return true;
    *s = base;
    s->short_rows = false;
    s->rows = op->rows * parts_n; /* heads that long are no heads: they must be dense */
    s->parts = 1;
    s->in[0].stride = parts_n == 1 ? s->in[0].stride : dense_x;
    s->out[0].stride = parts_n == 1 ? s->out[0].stride : dense_y;
    s->constant_bytes = 0;
    s->n_in = op->w ? 2 : 1;
    s->n_pass = 2;
    s->pass[0] = (struct npu_pass){.before = "begin", .routine = "sum", .inputs = 1};
    s->pass[1] =
        (struct npu_pass){.before = "finish", .routine = "norm", .inputs = s->n_in, .output = true};
    bool strided = (op->x_stride && op->x_stride != parts_n * dense_x) ||
                   (op->y_stride && op->y_stride != parts_n * dense_y);
    return (parts_n == 1 || !strided) && npu_stream_plan(chip, s);
}

enum tsr_status tsr_npu_rmsnorm(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                const struct tsr_npu_rmsnorm *op, struct tsr_program *out,
                                struct tsr_error *err)
{
    struct norm e = {.op = op,
                     .chip = chip,
                     .lanes = chip->tile.tvp.lanes,
                     .ex = npu_float_size(isa, op->x_format),
                     .ew = npu_float_size(isa, op->w_format),
                     .ey = npu_float_size(isa, op->y_format),
                     .fx = isa->formats[op->x_format].name,
                     .fw = isa->formats[op->w_format].name,
                     .fy = isa->formats[op->y_format].name};
    struct npu_stream s;
    enum tsr_status st = check(op, &e, err);
    if (st)
        return st;
    if (!plan(chip, &e, &s))
        return tsr_error_set(err, TSR_BAD_INPUT, "rmsnorm: rows of %llu do not fit the tiles of %s",
                             (unsigned long long)op->cols, chip->name);
    struct tsr_text text = {0}, *t = &text;
    npu_stream_emit(t, chip, &s);
    setup(t, &e);
    if (s.n_pass > 1)
        parts(t, chip, &e);
    else if (s.short_rows)
        short_rows(t, &e);
    else
        whole_rows(t, chip, &e);
    return npu_stream_program(t, isa, chip, &s, out, err);
}
