/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels whose results leave as blocks: the values stay in registers between the operation and the
 * quantization. */
#include "isa/num/element.h"
#include "kernels/npu/activation.h"
#include "kernels/npu/quantize_emit.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

enum {
    V_R = NPU_QUANT_KEPT, /* norm: the row's factor */
    V_SUM = 16,           /* until the quantization's registers come into use */
    V_MEAN = 24,
    V_EPS,
    CHAINS = 8,
    A_X = 8,
    A_W = 11, /* odd: the other read port */
};

struct fused {
    const struct tsr_isa *isa;
    const struct tsr_chip *chip;
    struct npu_quant q;
    struct npu_quant_source source;
    struct npu_stream s;
};

static enum tsr_status start(struct fused *f, const char *name, uint64_t rows, uint64_t k,
                             enum tsr_dtype x, const struct tsr_npu_quantized *to,
                             struct tsr_error *err)
{
    const uint64_t most = (uint64_t)1 << 32;
    struct npu_quant_place p = {.format = to->format,
                                .rows = rows,
                                .k = k,
                                .slab = to->slab,
                                .tensor_scale = to->tensor_scale,
                                .y = to->y,
                                .y_stride = to->y_stride,
                                .scales = to->scales,
                                .scale_stride = to->scale_stride};
    f->s = (struct npu_stream){.name = name,
                               .rows = rows,
                               .cols = k,
                               .n_pass = 1,
                               .setup = "setup",
                               .setup_first = true,
                               .eighths = true};
    if (!rows || !k || rows > most || k > most)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: %llu rows of %llu, from 1 to 2^32", name,
                             (unsigned long long)rows, (unsigned long long)k);
    if (!npu_quant_value_size(f->isa, x))
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: values are f32, bf16 or f16", name);
    if (!tsr_num_has_scale(&f->isa->formats[to->format]))
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: the result is a block format, i8 or i4",
                             name);
    return npu_quant_layout(f->isa, f->chip, &p, &f->q, &f->s, err);
}

/* The common part where the result is i8 or i4. */
static struct npu_ints ints_of(const char *name, uint64_t rows, uint64_t k,
                               const struct tsr_npu_quantized *to)
{
    return (struct npu_ints){.name = name,
                             .rows = rows,
                             .cols = k,
                             .y_format = to->format,
                             .scale_format = to->scale_format,
                             .y = to->y,
                             .y_stride = to->y_stride,
                             .scales = to->scales};
}

static bool to_integers(const struct fused *f, const struct tsr_npu_quantized *to, uint64_t rows,
                        uint64_t k)
{
    const uint64_t most = (uint64_t)1 << 32; /* else start() refuses */
    return f->isa->formats[to->format].family == TSR_FAMILY_INT && rows && k && rows <= most &&
           k <= most;
}

static enum tsr_status plan(struct fused *f, struct tsr_error *err)
{
    f->s.pass[0] = (struct npu_pass){.routine = "quantize", .inputs = f->s.n_in, .output = true};
    if (npu_stream_plan(f->chip, &f->s))
        return TSR_OK;
    return tsr_error_set(err, TSR_BAD_INPUT, "%s: rows of %llu do not fit the tiles of %s",
                         f->s.name, (unsigned long long)f->s.cols, f->chip->name);
}

/* ---- norm ----------------------------------------------------------------------------------- */

/* v<x> = v<x> * factor * w. */
static void norm_value(struct npu_block *b, const void *self, unsigned x, unsigned second)
{
    const bool *weight = self;
    npu_block_op(b, "vmul", x, x, V_R, NPU_NO_REG);
    if (*weight)
        npu_block_op(b, "vmul", x, x, second, NPU_NO_REG);
}

/* w, span by span at whole lines in the scratch as f32, zeros behind it. */
static void spread_weights(struct tsr_text *t, const struct fused *f, const char *format,
                           uint32_t size)
{
    uint32_t lanes = f->chip->tile.tvp.lanes;
    uint64_t k = f->s.cols;
    L("  ali a%d, 0", A_W);
    L("  ali a8, %llu", (unsigned long long)f->s.scratch);
    for (uint32_t i = 0; i < f->q.vectors; i++) { /* whole spans */
        uint32_t n = f->q.span - i * lanes < lanes ? f->q.span - i * lanes : lanes;
        if (i == 0) {
            L("  ali a10, %llu", (unsigned long long)(k / f->q.span));
            L("  vloop a10, weights");
        }
        L("  vld v0, a%d, %s, %u, %u", A_W, format, n * size, n);
        L("  vst v0, a8, f32, %u", 4 * lanes);
    }
    L("weights:");
    uint64_t left = k % f->q.span;
    for (uint32_t i = 0; left && i < f->q.vectors; i++) {
        uint64_t n = left < i * lanes ? 0 : left - i * lanes < lanes ? left - i * lanes : lanes;
        if (n)
            L("  vld v0, a%d, %s, %llu, %llu", A_W, format, (unsigned long long)(n * size),
              (unsigned long long)n);
        else
            L("  vimm v0, 0");
        L("  vst v0, a8, f32, %u", 4 * lanes);
    }
}

/* The squares of `spans` spans, vector v of the row into chain v mod 8. */
static void squares(struct tsr_text *t, const struct fused *f, uint32_t spans)
{
    const struct npu_quant_input *in = &f->source.in[0];
    const struct tsr_format *x = &f->isa->formats[in->format];
    uint32_t lanes = f->chip->tile.tvp.lanes, bytes = lanes * x->bits / 8;
    uint32_t per = f->chip->tile.line_bytes / bytes, n = spans * f->q.vectors;
    uint32_t group =
        CHAINS / f->q.vectors > 0 ? CHAINS / f->q.vectors * f->q.vectors : f->q.vectors;
    struct npu_path w = {0};
    struct npu_block b;
    npu_block_init(&b, f->isa);
    for (uint32_t from = 0; from < n; from += group) /* by lines, as in quantize_text.c */
        for (uint32_t k = 0; k < group * per; k++) {
            uint32_t i = from + k % group, at = i % f->q.vectors;
            int64_t offset = (int64_t)(i / f->q.vectors) * in->span_pitch + at * bytes;
            if (i >= n || at % per != k / group)
                continue;
            struct npu_access *a = npu_path_add(&w, offset);
            a->op = "vld";
            a->format = x->name;
            a->areg = A_X;
            a->reg = i % 16;
            a->n = f->q.span - at * lanes < lanes ? f->q.span - at * lanes : 0;
            npu_access_lines(a, f->chip, offset, bytes);
        }
    npu_path_close(&w, (int64_t)spans * in->span_pitch);
    for (uint32_t from = 0; from < n; from += group)
        for (int use = 0; use < 2; use++)
            for (uint32_t i = from; i < from + group && i < n; i++) {
                unsigned v = i % 16, sum = V_SUM + i % CHAINS;
                if (use)
                    npu_block_op(&b, "vfma", sum, v, v, sum);
                else
                    npu_block_access(&b, &w.at[i]);
            }
    npu_block_emit(t, &b);
}

/* Chain lengths of whole eights of vectors, so that chains go on from batch to batch. */
static void square_row(struct tsr_text *t, const struct fused *f)
{
    uint32_t batch = CHAINS, batches = f->q.spans / batch, rest = f->q.spans % batch;
    if (batches) {
        L("  ali a13, %u", batches);
        L("  vloop a13, squares");
        squares(t, f, batch);
        L("squares:");
    }
    if (rest)
        squares(t, f, rest);
}

static void norm_routines(struct tsr_text *t, const struct fused *f,
                          const struct tsr_npu_rmsnorm_quantize *op)
{
    L(".routine setup");
    npu_quant_clear(t, &f->q, &f->s, 0, op->cols, "clear");
    if (op->w)
        spread_weights(t, f, f->isa->formats[op->w_format].name,
                       npu_float_size(f->isa, op->w_format));
    npu_quant_constants(t, &f->q);
    L("  vret");
    L(".end");
    L(".routine quantize");
    L("  aaddi a%d, a%d, %llu", NPU_QUANT_SCALES, NPU_QUANT_ELEMENTS,
      (unsigned long long)f->q.scales_at);
    L("  vloop a4, rows");
    L("  aaddi a%d, a0, 0", A_X);
    L("  ali a%d, %llu", A_W, (unsigned long long)f->s.scratch);
    for (int i = 0; i < CHAINS; i++)
        L("  vimm v%d, 0", V_SUM + i);
    square_row(t, f);
    for (int half = CHAINS / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            L("  vadd v%d, v%d, v%d", V_SUM + i, V_SUM + i, V_SUM + i + half);
    npu_vimm(t, V_MEAN, 1.0 / (double)op->cols);
    npu_vimm(t, V_EPS, op->eps);
    L("  vsum v%d, v%d", V_SUM, V_SUM);
    L("  vmul v%d, v%d, v%d", V_SUM, V_SUM, V_MEAN);
    L("  vadd v%d, v%d, v%d", V_SUM, V_SUM, V_EPS);
    L("  vrsqrt v%d, v%d", V_R, V_SUM);
    npu_quant_row(t, &f->q, &f->source, "row");
    L("rows:");
    L("  vret");
    L(".end");
}

static void norm_int_value(struct npu_block *b, const void *self, unsigned x, unsigned second)
{
    const bool *weight = self;
    npu_block_op(b, "vmul", x, x, NPU_INT_FACTOR, NPU_NO_REG);
    if (*weight)
        npu_block_op(b, "vmul", x, x, second, NPU_NO_REG);
}

enum tsr_status tsr_npu_rmsnorm_quantize(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                         const struct tsr_npu_rmsnorm_quantize *op,
                                         struct tsr_program *out, struct tsr_error *err)
{
    struct fused f = {.isa = isa, .chip = chip};
    const bool weight = op->w != 0;
    uint32_t lanes = chip->tile.tvp.lanes, size = npu_float_size(isa, op->w_format);
    if (to_integers(&f, &op->to, op->rows, op->cols)) {
        struct npu_ints ints = ints_of("rmsnorm_quantize", op->rows, op->cols, &op->to);
        ints.x_format = op->x_format;
        ints.x = op->x;
        ints.x_stride = op->x_stride;
        ints.value = norm_int_value;
        ints.self = &weight;
        ints.second = op->w;
        ints.second_format = op->w_format;
        ints.second_kept = weight;
        ints.norm = true;
        ints.eps = op->eps;
        return npu_ints_program(isa, chip, &ints, out, err);
    }
    enum tsr_status st =
        start(&f, "rmsnorm_quantize", op->rows, op->cols, op->x_format, &op->to, err);
    if (st != TSR_OK)
        return st;
    if (weight && !size)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "rmsnorm_quantize: w in a format that the vector unit does not load");
    f.source =
        (struct npu_quant_source){.inputs = weight ? 2 : 1, .value = norm_value, .self = &weight};
    npu_quant_input_rows(&f.q, isa, op->cols, op->x_format, op->x, op->x_stride, &f.source.in[0],
                         &f.s.in[0]);
    f.s.n_in = 1;
    f.source.in[1] = (struct npu_quant_input){
        .areg = A_W, .format = TSR_F32, .span_pitch = 4 * lanes * f.q.vectors, .aligned = true};
    f.source.in[1].row_pitch = (uint64_t)f.q.spans * f.source.in[1].span_pitch;
    if (weight) {
        f.s.constant = op->w;
        f.s.constant_bytes = op->cols * size;
        f.s.scratch_bytes = f.source.in[1].row_pitch;
    }
    npu_quant_registers(&f.q, &f.source);
    st = plan(&f, err);
    if (st != TSR_OK)
        return st;
    struct tsr_text text = {0}, *t = &text;
    npu_stream_emit(t, chip, &f.s);
    norm_routines(t, &f, op);
    return npu_stream_program(t, isa, chip, &f.s, out, err);
}

/* ---- gate ----------------------------------------------------------------------------------- */

static void gate_value(struct npu_block *b, const void *self, unsigned x, unsigned second)
{
    npu_gate_words(b, self, x, second);
}

static void gate_constants(struct tsr_text *t, const void *self)
{
    npu_gate_constants(t, self);
}

enum tsr_status tsr_npu_activation_quantize(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                            const struct tsr_npu_activation_quantize *op,
                                            struct tsr_program *out, struct tsr_error *err)
{
    struct fused f = {.isa = isa, .chip = chip};
    const struct npu_gate g = {op->activation, op->limit, op->alpha};
    if (to_integers(&f, &op->to, op->rows, op->cols) && npu_gate_known(&g)) {
        struct npu_ints ints = ints_of("activation_quantize", op->rows, op->cols, &op->to);
        ints.x_format = ints.second_format = op->in_format;
        ints.x = op->gate;
        ints.x_stride = op->gate_stride;
        ints.second = op->up;
        ints.second_stride = op->up_stride;
        ints.value = gate_value;
        ints.constants = gate_constants;
        ints.self = &g;
        return npu_ints_program(isa, chip, &ints, out, err);
    }
    enum tsr_status st =
        start(&f, "activation_quantize", op->rows, op->cols, op->in_format, &op->to, err);
    if (st != TSR_OK)
        return st;
    if (!npu_gate_known(&g))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "activation_quantize: silu, tanh gelu and clamped swiglu are allowed");
    f.source = (struct npu_quant_source){.inputs = 2,
                                         .own = op->activation == TSR_ACT_SWIGLU_CLAMP,
                                         .value = gate_value,
                                         .self = &g};
    f.source.in[1].areg = 1;
    npu_quant_input_rows(&f.q, isa, op->cols, op->in_format, op->gate, op->gate_stride,
                         &f.source.in[0], &f.s.in[0]);
    npu_quant_input_rows(&f.q, isa, op->cols, op->in_format, op->up, op->up_stride, &f.source.in[1],
                         &f.s.in[1]);
    f.s.n_in = 2;
    npu_quant_registers(&f.q, &f.source);
    st = plan(&f, err);
    if (st != TSR_OK)
        return st;
    struct tsr_text text = {0}, *t = &text;
    npu_stream_emit(t, chip, &f.s);
    L(".routine setup");
    npu_quant_clear(t, &f.q, &f.s, 0, op->cols, "gate");
    npu_quant_clear(t, &f.q, &f.s, 1, op->cols, "up");
    npu_quant_constants(t, &f.q);
    npu_gate_constants(t, &g);
    L("  vret");
    L(".end");
    L(".routine quantize");
    L("  aaddi a%d, a%d, %llu", NPU_QUANT_SCALES, NPU_QUANT_ELEMENTS,
      (unsigned long long)f.q.scales_at);
    L("  vloop a4, rows");
    npu_quant_row(t, &f.q, &f.source, "row");
    L("rows:");
    L("  vret");
    L(".end");
    return npu_stream_program(t, isa, chip, &f.s, out, err);
}
