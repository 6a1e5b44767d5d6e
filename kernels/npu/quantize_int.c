/* SPDX-License-Identifier: Apache-2.0 */
/* Integers with a scale for each row or group: two walks over a row that lies in TSRAM, the largest
 * magnitude in eight chains, then the codes. */
#include "isa/num/element.h"
#include "kernels/npu/quantize_emit.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

/* v0..v15 values, v16..v23 maxima, v24 scale, v25 its reciprocal. */
enum {
    VALUES = 16,
    V_MAX = 16,
    CHAINS = 8,
    V_SCALE = 24,
    V_R,
    V_MOST,  /* the largest code */
    V_GIVEN, /* 1 / the given scale */
    V_ZERO,
    A_X = 8,
    A_SCALE = 9,
    A_ONE = 10,
    A_COUNT = 13,
    BATCH = 64,     /* vectors in one piece of code: whole eights of lines of any format */
    SCALE_ROOM = 16 /* bytes behind a row's codes */
};

struct ints {
    const struct tsr_npu_quantize *op;
    const struct tsr_isa *isa;
    const struct tsr_chip *chip;
    const char *fx, *fy, *fs; /* names; of stores: symmetric ranges from f32 */
    uint32_t size, bits, lanes;
    uint64_t rows, cols, x_pitch, pitch;
};

/* Loads of n vectors, eight at a time by lines; the last one of `tail` lanes, 0: of all. */
static void plan_loads(struct npu_path *w, const struct ints *e, unsigned areg, uint32_t n,
                       uint32_t tail)
{
    uint32_t bytes = e->lanes * e->size, per = e->chip->tile.line_bytes / bytes;
    for (uint32_t from = 0; from < n; from += VALUES / 2)
        for (uint32_t first = 0; first < per; first++)
            for (uint32_t i = from + first; i < from + VALUES / 2 && i < n; i += per) {
                struct npu_access *a = npu_path_add(w, (int64_t)i * bytes);
                a->op = "vld";
                a->format = e->fx;
                a->areg = areg;
                a->reg = i % VALUES;
                a->n = i + 1 == n ? tail : 0;
                npu_access_lines(a, e->chip, (int64_t)i * bytes, bytes);
            }
    npu_path_close(w, (int64_t)n * bytes);
}

static void most(struct tsr_text *t, const struct ints *e, uint32_t n, uint32_t tail)
{
    struct npu_path w = {0};
    struct npu_block b;
    npu_block_init(&b, e->isa);
    plan_loads(&w, e, A_X, n, tail);
    for (uint32_t i = 0; i < n; i++) {
        unsigned v = w.at[i].reg, m = V_MAX + v % CHAINS;
        npu_block_access(&b, &w.at[i]);
        npu_block_op(&b, "vmaxmag", m, m, v, NPU_NO_REG);
    }
    npu_block_emit(t, &b);
}

static void codes(struct tsr_text *t, const struct ints *e, uint32_t n, uint32_t tail)
{
    struct npu_path w = {0};
    struct npu_block b;
    uint32_t bytes = e->lanes * e->bits / 8, done = 0;
    npu_block_init(&b, e->isa);
    plan_loads(&w, e, 0, n, tail);
    for (uint32_t i = 0; i < n; i++) {
        npu_block_access(&b, &w.at[i]);
        npu_block_op(&b, "vquot", w.at[i].reg, w.at[i].reg, V_R, NPU_NO_REG);
        /* the loads of a group come by lines, its stores in order */
        for (; i % (VALUES / 2) == VALUES / 2 - 1 || i + 1 == n; done++) {
            if (done > i)
                break;
            struct npu_access a = {.op = "vst",
                                   .format = e->fy,
                                   .reg = done % VALUES,
                                   .regs = 1,
                                   .areg = 3,
                                   .n = done + 1 == n ? tail : 0,
                                   .inc = bytes,
                                   .store = true};
            npu_access_lines(&a, e->chip, (int64_t)done * bytes, bytes);
            npu_block_access(&b, &a);
        }
    }
    npu_block_emit(t, &b);
}

/* All vectors of a row. */
static void walk(struct tsr_text *t, const struct ints *e, const char *name,
                 void (*body)(struct tsr_text *, const struct ints *, uint32_t, uint32_t))
{
    uint32_t n = (uint32_t)npu_ceil_div(e->cols, e->lanes), tail = (uint32_t)(e->cols % e->lanes);
    uint32_t batches = (n - 1) / BATCH, rest = n - batches * BATCH;
    if (batches) {
        L("  ali a%d, %u", A_COUNT, batches);
        L("  vloop a%d, %s", A_COUNT, name);
        body(t, e, BATCH, 0);
        L("%s:", name);
    }
    body(t, e, rest, tail);
}

/* The row's scale and its reciprocal; rows with NaN or infinity get NaN and 0. */
static void scale(struct tsr_text *t, const struct ints *e)
{
    for (int half = CHAINS / 2; half; half /= 2)
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
    L("  ali a%d, %u", A_COUNT, e->lanes);
    L("  vlen a%d", A_COUNT);
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
    for (int i = 0; i < CHAINS; i++)
        L("  vmov v%d, v%d", V_MAX + i, V_ZERO);
    walk(t, e, "most", most);
    scale(t, e);
    walk(t, e, "codes", codes);
    uint64_t vectors = npu_ceil_div(e->cols, e->lanes);
    L("  aaddi a0, a0, %llu", (unsigned long long)(e->x_pitch - vectors * e->lanes * e->size));
    L("  aaddi a3, a3, %llu", (unsigned long long)(e->pitch - vectors * e->lanes * e->bits / 8));
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
                     .isa = isa,
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
    /* rows at each eighth line: the code counts on it (schedule.h) */
    uint64_t vectors = npu_ceil_div(e.cols, e.lanes), eight = (uint64_t)8 * chip->tile.line_bytes;
    e.x_pitch = npu_round_up(vectors * e.lanes * e.size, eight);
    e.pitch = npu_round_up(vectors * e.lanes * e.bits / 8 + SCALE_ROOM, eight);
    struct npu_stream s = {.name = "quantize",
                           .rows = e.rows,
                           .cols = e.cols,
                           .n_in = 1,
                           .n_out = given ? 1 : 2,
                           .n_pass = 1,
                           .setup = "setup",
                           .eighths = true,
                           .in = {{.address = op->x,
                                   .stride = op->x_stride ? op->x_stride : e.cols * e.size,
                                   .size = e.size,
                                   .pitch = e.x_pitch}},
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
