/* SPDX-License-Identifier: Apache-2.0 */
/* Integers with a scale for each row or group: two walks over a row that lies in TSRAM, the largest
 * magnitude in eight chains, then the codes. */
#include "isa/num/element.h"
#include "kernels/npu/quantize_emit.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

/* v0..v7 values, v8..v15 maxima, v16 scale, v17 its reciprocal. */
enum {
    V_MAX = 8,
    V_SCALE = 16,
    V_R,
    V_MOST = 24, /* the largest code */
    V_GIVEN,     /* 1 / the given scale */
    V_ZERO,
    GROUP = 8,
    A_X = 8,
    A_SCALE = 9,
    A_ONE = 10,
    SCALE_ROOM = 16 /* bytes behind a row's codes */
};

struct ints {
    const struct tsr_npu_quantize *op;
    const struct tsr_chip *chip;
    const char *fx, *fy, *fs; /* names; of stores: symmetric ranges from f32 */
    uint32_t size, bits, lanes;
    uint64_t rows, cols, pitch;
};

static void most(struct tsr_text *t, const void *self, uint32_t n)
{
    const struct ints *e = self;
    struct npu_group g = npu_group(e->chip, n ? n : 1, e->size);
    npu_loads(t, &g, 0, A_X, e->fx, 0, g.n);
    for (uint32_t k = 0; k < g.n; k++) {
        uint32_t i = npu_vector(&g, k);
        L("  vmaxmag v%u, v%u, v%u", V_MAX + i, V_MAX + i, i);
    }
}

/* The loads ahead of the stores by half a group. */
static void codes(struct tsr_text *t, const void *self, uint32_t n)
{
    const struct ints *e = self;
    struct npu_group x = npu_group(e->chip, n ? n : 1, e->size);
    n = x.n;
    npu_loads(t, &x, 0, 0, e->fx, 0, n);
    for (uint32_t k = 0; k < n; k++)
        L("  vquot v%u, v%u, v%d", npu_vector(&x, k), npu_vector(&x, k), V_R);
    for (uint32_t k = 0; k < n; k++)
        L("  vst v%u, a3, %s, %u", k, e->fy, e->lanes * e->bits / 8);
}

/* The row's scale and its reciprocal; rows with NaN or infinity get NaN and 0. */
static void scale(struct tsr_text *t, const struct ints *e)
{
    for (int half = GROUP / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            L("  vmaxmag v%d, v%d, v%d", V_MAX + i, V_MAX + i, V_MAX + i + half);
    L("  vbmax v%d, v%d, %d", V_MAX, V_MAX, __builtin_ctz(e->lanes));
    L("  vscale_%s v%d, v%d, v%d", e->fs, V_SCALE, V_MAX, V_MOST);
    L("  vrscale v%d, v%d", V_R, V_SCALE);
    if (e->op->given_scale > 0) {
        L("  vsel v%d, v%d, v%d, v%d", V_R, V_R, V_GIVEN, V_ZERO);
        return;
    }
    L("  vlen a%d", A_ONE);
    L("  vst v%d, a%d, %s, %llu", V_SCALE, A_SCALE, e->fs, (unsigned long long)e->pitch);
    L("  ali a15, %u", e->lanes);
    L("  vlen a15");
}

static void routines(struct tsr_text *t, const struct ints *e)
{
    float given = (float)e->op->given_scale;
    /* as tsr_num_quantize: a scale below 2^-126 counts as that */
    given = given > 0 && given < 0x1p-126f ? 0x1p-126f : given;
    L(".routine setup");
    npu_vimm(t, V_MOST, (1 << (e->bits - 1)) - 1);
    npu_vimm(t, V_GIVEN, given > 0 ? 1.0f / given : 0.0f);
    npu_vimm(t, V_ZERO, 0);
    L("  ali a%d, 1", A_ONE);
    L("  vret");
    L(".end");
    L(".routine quantize");
    L("  aaddi a%d, a3, %llu", A_SCALE, (unsigned long long)(e->pitch - SCALE_ROOM));
    L("  vloop a4, rows");
    L("  aaddi a%d, a0, 0", A_X);
    for (int i = 0; i < GROUP; i++)
        L("  vmov v%d, v%d", V_MAX + i, V_ZERO);
    npu_walk(t, e->chip, "most", most, e);
    scale(t, e);
    npu_walk(t, e->chip, "codes", codes, e);
    L("  aaddi a3, a3, %llu",
      (unsigned long long)(e->pitch - (e->cols / e->lanes + 1) * e->lanes * e->bits / 8));
    L("rows:");
    L("  vret");
    L(".end");
}

static enum tsr_status check(const struct tsr_isa *isa, const struct tsr_npu_quantize *op,
                             struct tsr_error *err)
{
    const struct tsr_format *f = &isa->formats[op->y_format];
    if (!npu_quant_value_size(isa, op->scale_format))
        return tsr_error_set(err, TSR_BAD_INPUT, "quantize: scales are f32, bf16 or f16");
    if (f->bits != 8 && f->bits != 4)
        return tsr_error_set(err, TSR_BAD_INPUT, "quantize: %s, of integers i8 and i4 are allowed",
                             f->name);
    if (op->given_scale < 0 || !(op->given_scale < 0x1p120))
        return tsr_error_set(err, TSR_BAD_INPUT, "quantize: a given scale is positive and finite");
    if (op->group && (op->k % op->group || op->group * f->bits % 8 || op->x_stride || op->y_stride))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "quantize: groups of %llu do not divide rows of %llu into whole "
                             "bytes, or rows are not dense",
                             (unsigned long long)op->group, (unsigned long long)op->k);
    return TSR_OK;
}

enum tsr_status npu_quantize_integers(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                      const struct tsr_npu_quantize *op, struct tsr_program *out,
                                      struct tsr_error *err)
{
    const struct tsr_format *f = &isa->formats[op->y_format];
    enum tsr_status st = check(isa, op, err);
    if (st != TSR_OK)
        return st;
    struct ints e = {.op = op,
                     .chip = chip,
                     .fx = isa->formats[op->x_format].name,
                     .fy = f->bits == 8 ? "q8_0" : "i4",
                     .fs = isa->formats[op->scale_format].name,
                     .size = npu_quant_value_size(isa, op->x_format),
                     .bits = f->bits,
                     .lanes = chip->tile.tvp.lanes,
                     .rows = op->group ? op->rows * (op->k / op->group) : op->rows,
                     .cols = op->group ? op->group : op->k};
    uint64_t bytes = npu_ceil_div(e.cols * e.bits, 8);
    uint32_t size = npu_quant_value_size(isa, op->scale_format);
    bool given = op->given_scale > 0;
    e.pitch = npu_round_up((e.cols / e.lanes + 1) * e.lanes * e.bits / 8, SCALE_ROOM) + SCALE_ROOM;
    struct npu_stream s = {.name = "quantize",
                           .rows = e.rows,
                           .cols = e.cols,
                           .n_in = 1,
                           .n_out = given ? 1 : 2,
                           .n_pass = 1,
                           .setup = "setup",
                           .in = {{.address = op->x,
                                   .stride = op->x_stride ? op->x_stride : e.cols * e.size,
                                   .size = e.size}},
                           .out = {{.address = op->y,
                                    .stride = op->y_stride ? op->y_stride : bytes,
                                    .size = 1,
                                    .cols = bytes,
                                    .pitch = e.pitch},
                                   {.address = op->scales,
                                    .stride = size,
                                    .size = 1,
                                    .cols = size,
                                    .first = e.pitch - SCALE_ROOM,
                                    .pitch = e.pitch}},
                           .pass = {{.routine = "quantize", .inputs = 1, .output = true}}};
    struct tsr_text text = {0}, *t = &text;
    if (!npu_stream_plan(chip, &s))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "quantize: rows of %llu do not fit the tiles of %s",
                             (unsigned long long)e.cols, chip->name);
    npu_stream_emit(t, chip, &s);
    routines(t, &e);
    return npu_stream_program(t, isa, chip, &s, out, err);
}
