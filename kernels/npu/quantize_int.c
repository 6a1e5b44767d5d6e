/* SPDX-License-Identifier: Apache-2.0 */
/* Integers with a scale for each row or group: two walks over a row that lies in TSRAM, the largest
 * magnitude in eight chains, then the codes. With an operation before, the first walk makes its
 * values and leaves them in TSRAM as f32 for the second. */
#include "isa/num/element.h"
#include "kernels/npu/quantize_emit.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

/* v0..v15 values (with second operands half of them), v16..v23 maxima or sums, v24..v27 and v31 the
 * operation's. */
enum {
    VALUES = 16,
    V_MAX = 16,
    CHAINS = 8,
    V_SCALE = V_MAX + 1, /* these two behind the maxima's use */
    V_R,
    V_MEAN = 22,
    V_EPS,
    V_MOST = 28, /* the largest code */
    V_GIVEN,     /* 1 / the given scale */
    V_ZERO,
    A_X = 8,
    A_SCALE = 9,
    A_ONE = 10,
    A_SECOND = 11, /* odd: the other read port */
    A_MADE = 12,   /* the operation's values */
    A_COUNT = 13,
    BATCH = 64,     /* vectors in one piece of code: whole eights of lines of any format */
    SCALE_ROOM = 16 /* bytes behind a row's codes */
};

struct ints {
    const struct npu_ints *op;
    const struct tsr_isa *isa;
    const struct tsr_chip *chip;
    const char *fx, *fy, *fs, *f2; /* names; of stores: symmetric ranges from f32 */
    uint32_t size, size2, bits, lanes;
    uint64_t x_pitch, second_pitch, pitch;
    struct npu_stream s;
};

static struct npu_access access_of(const struct ints *e, const char *op, const char *format,
                                   unsigned reg, unsigned areg, int64_t offset, uint32_t bytes)
{
    struct npu_access a = {.op = op,
                           .format = format,
                           .reg = reg,
                           .regs = 1,
                           .areg = areg,
                           .inc = bytes,
                           .store = op[1] == 's'};
    npu_access_lines(&a, e->chip, offset, bytes);
    return a;
}

/* Loads of n vectors, half the registers at a time and those by lines; the last one of `tail`
 * lanes, 0: of all. */
static void plan_loads(struct npu_path *w, const struct ints *e, unsigned areg, bool made,
                       uint32_t values, uint32_t n, uint32_t tail)
{
    uint32_t bytes = e->lanes * (made ? 4 : e->size), per = e->chip->tile.line_bytes / bytes;
    for (uint32_t from = 0; from < n; from += values / 2)
        for (uint32_t first = 0; first < per; first++)
            for (uint32_t i = from + first; i < from + values / 2 && i < n; i += per) {
                struct npu_access *a = npu_path_add(w, (int64_t)i * bytes);
                *a = access_of(e, "vld", made ? "f32" : e->fx, i % values, areg, (int64_t)i * bytes,
                               bytes);
                a->n = i + 1 == n ? tail : 0;
            }
    npu_path_close(w, (int64_t)n * bytes);
}

typedef void pass(struct tsr_text *t, const struct ints *e, uint32_t n, uint32_t tail);

/* Group by group: its loads, then what is done with them. */
static void squares(struct tsr_text *t, const struct ints *e, uint32_t n, uint32_t tail)
{
    struct npu_path w = {0};
    struct npu_block b;
    npu_block_init(&b, e->isa);
    plan_loads(&w, e, A_X, false, VALUES, n, tail);
    for (uint32_t from = 0; from < n; from += VALUES / 2) {
        for (uint32_t i = from; i < n && i < from + VALUES / 2; i++)
            npu_block_access(&b, &w.at[i]);
        for (uint32_t i = from; i < n && i < from + VALUES / 2; i++)
            npu_block_op(&b, "vfma", V_MAX + i % CHAINS, i % VALUES, i % VALUES,
                         V_MAX + i % CHAINS);
    }
    npu_block_emit(t, &b);
}

static void most(struct tsr_text *t, const struct ints *e, uint32_t n, uint32_t tail)
{
    struct npu_path w = {0};
    struct npu_block b;
    uint32_t values = e->op->second ? VALUES / 2 : VALUES, line = 4 * e->lanes;
    npu_block_init(&b, e->isa);
    plan_loads(&w, e, A_X, false, values, n, tail);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = i; i % (values / 2) == 0 && k < n && k < i + values / 2; k++)
            npu_block_access(&b, &w.at[k]);
        unsigned v = i % values, m = V_MAX + i % CHAINS;
        if (e->op->second) {
            uint32_t bytes = e->lanes * e->size2;
            struct npu_access a =
                access_of(e, "vld", e->f2, values + v, A_SECOND, (int64_t)i * bytes, bytes);
            a.n = i + 1 == n ? tail : 0;
            npu_block_access(&b, &a);
        }
        if (e->op->value) {
            struct npu_access a = access_of(e, "vst", "f32", v, A_MADE, (int64_t)i * line, line);
            e->op->value(&b, e->op->self, v, values + v);
            npu_block_access(&b, &a);
        }
        npu_block_op(&b, "vmaxmag", m, m, v, NPU_NO_REG);
    }
    npu_block_emit(t, &b);
}

static void codes(struct tsr_text *t, const struct ints *e, uint32_t n, uint32_t tail)
{
    struct npu_path w = {0};
    struct npu_block b;
    uint32_t bytes = e->lanes * e->bits / 8;
    bool made = e->op->value != NULL;
    npu_block_init(&b, e->isa);
    plan_loads(&w, e, made ? A_MADE : 0, made, VALUES, n, tail);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = i; i % (VALUES / 2) == 0 && k < n && k < i + VALUES / 2; k++)
            npu_block_access(&b, &w.at[k]);
        struct npu_access a = access_of(e, "vst", e->fy, i % VALUES, 3, (int64_t)i * bytes, bytes);
        a.n = i + 1 == n ? tail : 0;
        npu_block_op(&b, "vquot", i % VALUES, i % VALUES, V_R, NPU_NO_REG);
        npu_block_access(&b, &a);
    }
    npu_block_emit(t, &b);
}

/* All vectors of a row. */
static void walk(struct tsr_text *t, const struct ints *e, const char *name, pass *body)
{
    uint64_t cols = e->op->cols;
    uint32_t n = (uint32_t)npu_ceil_div(cols, e->lanes), tail = (uint32_t)(cols % e->lanes);
    uint32_t whole = e->op->value ? BATCH / 2 : BATCH; /* an operation has more words */
    uint32_t batches = (n - 1) / whole, rest = n - batches * whole;
    if (batches) {
        L("  ali a%d, %u", A_COUNT, batches);
        L("  vloop a%d, %s", A_COUNT, name);
        body(t, e, whole, 0);
        L("%s:", name);
    }
    body(t, e, rest, tail);
}

static void fold(struct tsr_text *t, const char *op)
{
    for (int half = CHAINS / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            L("  %s v%d, v%d, v%d", op, V_MAX + i, V_MAX + i, V_MAX + i + half);
}

static void clear_chains(struct tsr_text *t)
{
    for (int i = 0; i < CHAINS; i++)
        L("  vmov v%d, v%d", V_MAX + i, V_ZERO);
}

/* The row's scale and its reciprocal; rows with NaN or infinity get NaN and 0. */
static void scale(struct tsr_text *t, const struct ints *e)
{
    fold(t, "vmaxmag");
    L("  vbmax v%d, v%d, %d", V_MAX, V_MAX, __builtin_ctz(e->lanes));
    L("  vscale_%s v%d, v%d, v%d", e->fs, V_SCALE, V_MAX, V_MOST);
    L("  vrscale v%d, v%d", V_R, V_SCALE);
    if (e->op->given_scale > 0)
        L("  vsel v%d, v%d, v%d, v%d", V_R, V_R, V_GIVEN, V_ZERO);
    else
        L("  vst v%d, a%d, %s, %llu, 1", V_SCALE, A_SCALE, e->fs, (unsigned long long)e->pitch);
}

static void factor(struct tsr_text *t, const struct ints *e)
{
    L("  aaddi a%d, a0, 0", A_X);
    clear_chains(t);
    walk(t, e, "squares", squares);
    fold(t, "vadd");
    npu_vimm(t, V_MEAN, 1.0 / (double)e->op->cols);
    npu_vimm(t, V_EPS, e->op->eps);
    L("  vsum v%d, v%d", V_MAX, V_MAX);
    L("  vmul v%d, v%d, v%d", V_MAX, V_MAX, V_MEAN);
    L("  vadd v%d, v%d, v%d", V_MAX, V_MAX, V_EPS);
    L("  vrsqrt v%d, v%d", NPU_INT_FACTOR, V_MAX);
}

static void routines(struct tsr_text *t, const struct ints *e)
{
    const struct npu_ints *op = e->op;
    float given = (float)op->given_scale;
    uint64_t vectors = npu_ceil_div(op->cols, e->lanes);
    /* as tsr_num_quantize: a scale below 2^-126 counts as that */
    given = given > 0 && given < 0x1p-126f ? 0x1p-126f : given;
    L(".routine setup");
    npu_vimm(t, V_MOST, (1 << (e->bits - 1)) - 1);
    npu_vimm(t, V_GIVEN, given > 0 ? 1.0f / given : 0.0f);
    npu_vimm(t, V_ZERO, 0);
    if (op->constants)
        op->constants(t, op->self);
    L("  vret");
    L(".end");
    L(".routine quantize");
    L("  aaddi a%d, a3, %llu", A_SCALE, (unsigned long long)(e->pitch - SCALE_ROOM));
    L("  vloop a4, rows");
    if (op->norm)
        factor(t, e);
    L("  aaddi a%d, a0, 0", A_X);
    if (op->second_kept)
        L("  ali a%d, 0", A_SECOND);
    else
        L("  aaddi a%d, a1, 0", A_SECOND);
    L("  ali a%d, %llu", A_MADE, (unsigned long long)e->s.scratch);
    clear_chains(t);
    walk(t, e, "most", most);
    scale(t, e);
    L("  ali a%d, %llu", A_MADE, (unsigned long long)e->s.scratch);
    walk(t, e, "codes", codes);
    L("  aaddi a0, a0, %llu",
      (unsigned long long)(e->x_pitch - (op->value ? 0 : vectors * e->lanes * e->size)));
    L("  aaddi a1, a1, %llu", (unsigned long long)e->second_pitch);
    L("  aaddi a3, a3, %llu", (unsigned long long)(e->pitch - vectors * e->lanes * e->bits / 8));
    L("rows:");
    L("  vret");
    L(".end");
}

static enum tsr_status check(const struct tsr_isa *isa, const struct npu_ints *op,
                             struct tsr_error *err)
{
    const struct tsr_format *f = &isa->formats[op->y_format];
    if (!npu_quant_value_size(isa, op->x_format))
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: values are f32, bf16 or f16", op->name);
    if (!npu_quant_value_size(isa, op->scale_format))
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: scales are f32, bf16 or f16", op->name);
    if (f->family != TSR_FAMILY_INT || (f->bits != 8 && f->bits != 4))
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: %s, of integers i8 and i4 are allowed",
                             op->name, f->name);
    if (op->given_scale < 0 || !(op->given_scale < 0x1p120))
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: a given scale is positive and finite",
                             op->name);
    if (op->second && !npu_float_size(isa, op->second_format))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: w in a format that the vector unit does not load", op->name);
    return TSR_OK;
}

static void make_stream(struct ints *e)
{
    const struct npu_ints *op = e->op;
    /* rows at each eighth line: the code counts on it (schedule.h) */
    uint64_t eight = (uint64_t)8 * e->chip->tile.line_bytes, bytes;
    uint64_t lanes = npu_round_up(op->cols, e->lanes);
    uint32_t size = npu_quant_value_size(e->isa, op->scale_format);
    bytes = npu_ceil_div(op->cols * e->bits, 8);
    e->x_pitch = npu_round_up(lanes * e->size, eight);
    e->pitch = npu_round_up(lanes * e->bits / 8 + SCALE_ROOM, eight);
    e->s = (struct npu_stream){
        .name = op->name,
        .rows = op->rows,
        .cols = op->cols,
        .n_in = op->second && !op->second_kept ? 2 : 1,
        .n_out = op->given_scale > 0 ? 1 : 2,
        .n_pass = 1,
        .setup = "setup",
        .eighths = true,
        .scratch_bytes = op->value ? 4 * lanes : 0,
        .in = {{.address = op->x,
                .stride = op->x_stride ? op->x_stride : op->cols * e->size,
                .size = e->size,
                .pitch = e->x_pitch}},
        .out = {{.address = op->y,
                 .stride = op->y_stride ? op->y_stride : bytes,
                 .size = 1,
                 .cols = bytes,
                 .pitch = e->pitch},
                {.address = op->scales,
                 .stride = size,
                 .size = 1,
                 .cols = size,
                 .first = e->pitch - SCALE_ROOM,
                 .pitch = e->pitch}},
    };
    if (op->second && op->second_kept) {
        e->s.constant = op->second;
        e->s.constant_bytes = op->cols * e->size2;
    } else if (op->second) {
        e->second_pitch = npu_round_up(lanes * e->size2, eight);
        e->s.in[1] = (struct npu_tensor){.address = op->second,
                                         .stride = op->second_stride ? op->second_stride
                                                                     : op->cols * e->size2,
                                         .size = e->size2,
                                         .pitch = e->second_pitch};
    }
    e->s.pass[0] = (struct npu_pass){.routine = "quantize", .inputs = e->s.n_in, .output = true};
}

enum tsr_status npu_ints_program(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                 const struct npu_ints *op, struct tsr_program *out,
                                 struct tsr_error *err)
{
    enum tsr_status st = check(isa, op, err);
    if (st != TSR_OK)
        return st;
    const struct tsr_format *f = &isa->formats[op->y_format];
    struct ints e = {.op = op,
                     .isa = isa,
                     .chip = chip,
                     .fx = isa->formats[op->x_format].name,
                     .fy = f->bits == 8 ? "q8_0" : "i4",
                     .fs = isa->formats[op->scale_format].name,
                     .f2 = isa->formats[op->second_format].name,
                     .size = npu_quant_value_size(isa, op->x_format),
                     .size2 = npu_float_size(isa, op->second_format),
                     .bits = f->bits,
                     .lanes = chip->tile.tvp.lanes};
    struct tsr_text text = {0}, *t = &text;
    make_stream(&e);
    if (!npu_stream_plan(chip, &e.s))
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: rows of %llu do not fit the tiles of %s",
                             op->name, (unsigned long long)op->cols, chip->name);
    npu_stream_emit(t, chip, &e.s);
    routines(t, &e);
    return npu_stream_program(t, isa, chip, &e.s, out, err);
}

enum tsr_status npu_quantize_integers(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                      const struct tsr_npu_quantize *op, struct tsr_program *out,
                                      struct tsr_error *err)
{
    uint32_t bits = isa->formats[op->y_format].bits;
    if (op->group && (op->k % op->group || op->group * bits % 8 || op->x_stride || op->y_stride))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "quantize: groups of %llu do not divide rows of %llu into whole "
                             "bytes, or rows are not dense",
                             (unsigned long long)op->group, (unsigned long long)op->k);
    struct npu_ints ints = {.name = "quantize",
                            .rows = op->group ? op->rows * (op->k / op->group) : op->rows,
                            .cols = op->group ? op->group : op->k,
                            .x_format = op->x_format,
                            .y_format = op->y_format,
                            .scale_format = op->scale_format,
                            .x = op->x,
                            .x_stride = op->x_stride,
                            .y = op->y,
                            .y_stride = op->y_stride,
                            .scales = op->scales,
                            .given_scale = op->given_scale};
    return npu_ints_program(isa, chip, &ints, out, err);
}
