/* SPDX-License-Identifier: Apache-2.0 */
/* Three walks over a row: its maximum m, the sum of 2^((x - m) log2 e), and the quotients. The
 * exponentials are computed twice rather than kept in f32. Rows that do not fit the TSRAM are read
 * three times, in parts. */
#include <float.h>

#include "kernels/npu/activation.h"
#include "kernels/npu/ops.h"
#include "kernels/npu/stream.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

/* v0..v7 x, v8..v15 running maxima or sums, v16..v23 results. */
enum {
    V_RUN = 8,
    V_OUT = 16,
    V_MAX = 24,
    V_RCP,
    V_TAIL,
    V_LOG2E = 28,
    V_LOW,
    V_TINY,
    V_NONE
};
enum {
    GROUP = 8
};

struct softmax {
    const char *fx, *fy;
    const struct tsr_chip *chip;
    uint32_t ex, ey;
    uint32_t x_reg;
};

/* The least finite number as a floor of m and the least normal one as a floor of the sum turn a row
 * of -infinity into zeros. */
static void setup(struct tsr_text *t)
{
    L(".routine setup");
    npu_vimm(t, V_LOG2E, npu_log2_e);
    npu_vimm(t, V_LOW, -FLT_MAX);
    npu_vimm(t, V_TINY, FLT_MIN);
    L("  vimm v%d, 0xff800000", V_NONE);
    L("  vret");
    L(".end");
}

static void load(struct tsr_text *t, const struct softmax *e, uint32_t n)
{
    struct npu_group g = npu_group(e->chip, n ? n : 1, e->ex);
    npu_loads(t, &g, 0, e->x_reg, e->fx, 0, g.n);
    if (n)
        return;
    /* lanes behind the row count for nothing: -infinity */
    L("  vidx v%d", V_TAIL);
    L("  vsplat v%d, a7", V_OUT);
    L("  vilt v%d, v%d, v%d", V_TAIL, V_TAIL, V_OUT);
    L("  vsel v0, v%d, v0, v%d", V_TAIL, V_NONE);
}

static void maximum(struct tsr_text *t, const void *self, uint32_t n)
{
    load(t, self, n);
    for (uint32_t i = 0; i < (n ? n : 1); i++)
        L("  vmax v%u, v%u, v%u", V_RUN + i, V_RUN + i, i);
}

/* v<16 + i> = 2^((x - m) log2 e) */
static void exponentials(struct tsr_text *t, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        L("  vsub v%u, v%u, v%d", i, i, V_MAX);
    for (uint32_t i = 0; i < n; i++)
        L("  vmul v%u, v%u, v%d", i, i, V_LOG2E);
    for (uint32_t i = 0; i < n; i++)
        L("  vexp2 v%u, v%u", V_OUT + i, i);
}

static void sum(struct tsr_text *t, const void *self, uint32_t n)
{
    load(t, self, n);
    n = n ? n : 1;
    exponentials(t, n);
    for (uint32_t i = 0; i < n; i++)
        L("  vadd v%u, v%u, v%u", V_RUN + i, V_RUN + i, V_OUT + i);
}

static void quotient(struct tsr_text *t, const void *self, uint32_t n)
{
    const struct softmax *e = self;
    n = n ? n : 1;
    load(t, e, n);
    exponentials(t, n);
    for (uint32_t i = 0; i < n; i++)
        L("  vmul v%u, v%u, v%d", V_OUT + i, V_OUT + i, V_RCP);
    struct npu_group g = npu_group(e->chip, n, e->ey);
    npu_stores(t, &g, V_OUT, 3, e->fy, 0, n);
}

static void begin(struct tsr_text *t)
{
    for (int i = 0; i < GROUP; i++)
        L("  vmov v%d, v%d", V_RUN + i, V_NONE);
}

static void tree(struct tsr_text *t, const char *op)
{
    for (int step = GROUP / 2; step; step /= 2)
        for (int i = 0; i < step; i++)
            L("  %s v%d, v%d, v%d", op, V_RUN + i, V_RUN + i, V_RUN + step + i);
}

/* m is known; sums begin at 0. */
static void middle(struct tsr_text *t)
{
    tree(t, "vmax");
    L("  vmaxr v%d, v%d", V_MAX, V_RUN);
    L("  vmax v%d, v%d, v%d", V_MAX, V_MAX, V_LOW);
    for (int i = 0; i < GROUP; i++)
        L("  vimm v%d, 0", V_RUN + i);
}

static void finish(struct tsr_text *t)
{
    tree(t, "vadd");
    L("  vsum v%d, v%d", V_RCP, V_RUN);
    L("  vmax v%d, v%d, v%d", V_RCP, V_RCP, V_TINY);
    L("  vrcp v%d, v%d", V_RCP, V_RCP);
}

static void whole_rows(struct tsr_text *t, const struct tsr_chip *chip, struct softmax *e)
{
    L(".routine softmax");
    L("  vloop a4, rows");
    L("  aaddi a8, a0, 0");
    L("  aaddi a10, a0, 0");
    begin(t);
    e->x_reg = 8;
    npu_walk(t, chip, "max", maximum, e);
    middle(t);
    e->x_reg = 10;
    npu_walk(t, chip, "sum", sum, e);
    finish(t);
    e->x_reg = 0;
    npu_walk(t, chip, "out", quotient, e);
    L("rows:");
    L("  vret");
    L(".end");
}

static void between(struct tsr_text *t, const char *name, void (*piece)(struct tsr_text *t))
{
    L(".routine %s", name);
    piece(t);
    L("  vret");
    L(".end");
}

static void part(struct tsr_text *t, const struct tsr_chip *chip, const struct softmax *e,
                 const char *name, npu_body *body)
{
    L(".routine %s", name);
    npu_walk(t, chip, name, body, e);
    L("  vret");
    L(".end");
}

enum tsr_status tsr_npu_softmax(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                const struct tsr_npu_softmax *op, struct tsr_program *out,
                                struct tsr_error *err)
{
    struct softmax e = {.chip = chip,
                        .ex = npu_float_size(isa, op->x_format),
                        .ey = npu_float_size(isa, op->y_format),
                        .fx = isa->formats[op->x_format].name,
                        .fy = isa->formats[op->y_format].name};
    const uint64_t most = (uint64_t)1 << 32;
    if (!op->rows || !op->cols || op->rows > most || op->cols > most)
        return tsr_error_set(err, TSR_BAD_INPUT, "softmax: %llu rows of %llu, from 1 to 2^32",
                             (unsigned long long)op->rows, (unsigned long long)op->cols);
    if (!e.ex || !e.ey)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "softmax: a format that the vector unit does not load as floats");
    struct npu_stream base = {.name = "softmax",
                              .rows = op->rows,
                              .cols = op->cols,
                              .n_in = 1,
                              .n_out = 1,
                              .n_pass = 1,
                              .setup = "setup",
                              .in = {{.address = op->x,
                                      .size = e.ex,
                                      .stride = op->x_stride ? op->x_stride : op->cols * e.ex}},
                              .out = {{.address = op->y,
                                       .size = e.ey,
                                       .cols = op->cols,
                                       .stride = op->y_stride ? op->y_stride : op->cols * e.ey}},
                              .pass = {{.routine = "softmax", .inputs = 1, .output = true}}},
                      s = base;
    bool whole = npu_stream_plan(chip, &s);
    if (!whole) {
        s = base;
        s.n_pass = 3;
        s.pass[0] = (struct npu_pass){.before = "begin", .routine = "max", .inputs = 1};
        s.pass[1] = (struct npu_pass){.before = "middle", .routine = "sum", .inputs = 1};
        s.pass[2] =
            (struct npu_pass){.before = "finish", .routine = "out", .inputs = 1, .output = true};
        if (!npu_stream_plan(chip, &s))
            return tsr_error_set(err, TSR_BAD_INPUT, "softmax: rows of %llu do not fit %s",
                                 (unsigned long long)op->cols, chip->name);
    }
    struct tsr_text text = {0}, *t = &text;
    npu_stream_emit(t, chip, &s);
    setup(t);
    if (whole) {
        whole_rows(t, chip, &e);
    } else {
        between(t, "begin", begin);
        part(t, chip, &e, "max", maximum);
        between(t, "middle", middle);
        part(t, chip, &e, "sum", sum);
        between(t, "finish", finish);
        part(t, chip, &e, "out", quotient);
    }
    return npu_stream_program(t, isa, chip, &s, out, err);
}
