/* SPDX-License-Identifier: Apache-2.0 */
/* Elements and scales by the two read ports, one product, and the values leave row-major. */
#include "isa/num/element.h"
#include "kernels/npu/quantize_emit.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

enum {
    VALUES = 16, /* v0..v15 */
    SCALES = 8,  /* v16..v23 */
    V_SCALE = 16,
    V_TENSOR = 24,
    V_ZERO,
    A_SCALE = 9, /* odd: the other read port */
    BATCH = 8    /* spans */
};

struct dequant {
    const struct tsr_isa *isa;
    const struct tsr_chip *chip;
    const char *fx, *fs, *fy; /* elements, scales, values */
    struct npu_quant q;       /* layout of the elements and scales */
    bool tensor, row_scale;
    uint32_t size, rest; /* of a value; elements of the last span, if not whole */
    uint64_t y_pitch, scale_row;
    struct npu_stream s;
};

static struct npu_access access_of(const struct dequant *e, const char *op, const char *format,
                                   unsigned reg, unsigned areg, int64_t offset, bool lines)
{
    struct npu_access a = {.op = op,
                           .format = format,
                           .reg = reg,
                           .regs = 1,
                           .areg = areg,
                           .line = NPU_NO_LINE,
                           .last = NPU_NO_LINE};
    if (lines)
        npu_access_lines(&a, e->chip, offset, 1);
    return a;
}

/* Of each unit its elements' vectors, a scale for each block begun (and at which vector that is),
 * its values. */
struct unit_walk {
    struct npu_path element, scale, value;
    bool begins[NPU_BLOCK_WORDS / 2];
};

static void plan_units(struct unit_walk *w, const struct dequant *e, uint32_t units)
{
    struct tsr_num_group g = tsr_num_element_group(e->q.format);
    uint32_t lanes = e->chip->tile.tvp.lanes, block = e->q.format->block, ks = e->q.ks;
    uint32_t regs = g.elems > lanes ? g.elems / lanes : 1, step = lanes * regs;
    uint32_t share = block > lanes ? block / lanes : 1, vector = 0, runs = 0;
    for (uint32_t u = 0; u < units; u++)
        for (uint32_t at = 0; at < ks; at += step, vector += regs) {
            uint32_t n = ks - at < step ? ks - at : 0;
            int64_t x =
                (int64_t)u * e->q.element_pitch + (int64_t)((at + g.elems - 1) / g.elems * g.bytes);
            struct npu_access *a = npu_path_add(&w->element, x);
            *a = access_of(e, "vld", e->fx, vector % VALUES, 0, x, e->q.aligned);
            a->regs = regs;
            a->n = n;
            bool begins = !e->row_scale && (at == 0 || at % (share * lanes) == 0);
            int64_t s = (int64_t)u * e->q.scale_pitch + at / block * (e->q.format->scale_bits / 8);
            w->begins[w->element.n - 1] = begins;
            if (begins) {
                a = npu_path_add(&w->scale, s);
                *a = access_of(e, "vlds", e->fs, V_SCALE + runs++ % SCALES, A_SCALE,
                               (int64_t)u * e->q.element_pitch, e->q.aligned);
                a->n = n;
            }
            for (uint32_t r = 0; r < regs; r++) {
                int64_t y = ((int64_t)u * ks + at + r * lanes) * e->size;
                a = npu_path_add(&w->value, y);
                *a = access_of(e, "vst", e->fy, (vector + r) % VALUES, 3, y, true);
                a->store = true;
                a->n = n;
            }
        }
    npu_path_close(&w->element, (int64_t)units * e->q.element_pitch);
    npu_path_close(&w->scale, (int64_t)units * e->q.scale_pitch);
    npu_path_close(&w->value, (int64_t)units * ks * e->size);
}

static void batch(struct tsr_text *t, const struct dequant *e, uint32_t units)
{
    struct unit_walk w = {0};
    struct npu_block b;
    unsigned value = 0, scale = 0;
    npu_block_init(&b, e->isa);
    plan_units(&w, e, units);
    for (unsigned i = 0; i < w.element.n; i++) {
        const struct npu_access *x = &w.element.at[i];
        npu_block_access(&b, x);
        if (w.begins[i])
            npu_block_access(&b, &w.scale.at[scale++]);
        unsigned s = V_SCALE + (e->row_scale ? 0 : (scale - 1) % SCALES);
        for (unsigned r = 0; r < x->regs; r++) {
            npu_block_op(&b, "vmul", x->reg + r, x->reg + r, s, NPU_NO_REG);
            if (e->tensor)
                npu_block_op(&b, "vmul", x->reg + r, x->reg + r, V_TENSOR, NPU_NO_REG);
            if (e->q.format->code == TSR_Q4_0) /* a negative scale's zeros are +0 too */
                npu_block_op(&b, "vadd", x->reg + r, x->reg + r, V_ZERO, NPU_NO_REG);
            npu_block_access(&b, &w.value.at[value++]);
        }
    }
    npu_block_emit(t, &b);
}

static void next_row(struct tsr_text *t, unsigned areg, uint64_t pitch, uint64_t walked)
{
    if (pitch != walked)
        L("  aaddi a%u, a%u, %lld", areg, areg, (long long)(pitch - walked));
}

static void routines(struct tsr_text *t, const struct dequant *e, double tensor, double given)
{
    uint32_t most = NPU_BLOCK_WORDS / 8 / e->q.vectors;
    uint32_t units = e->q.spans * (e->q.span / e->q.ks), each = most < BATCH ? most : BATCH;
    uint32_t batches = (units - 1) / each;
    L(".routine setup");
    npu_vimm(t, V_TENSOR, tensor);
    npu_vimm(t, V_ZERO, 0);
    npu_vimm(t, V_SCALE, given);
    L("  vret");
    L(".end");
    L(".routine dequantize");
    if (!e->row_scale || e->scale_row)
        L("  aaddi a%d, a%d, %llu", A_SCALE, e->s.n_in > 1 ? 1 : 0,
          (unsigned long long)(e->s.n_in > 1 ? 0 : e->q.scales_at));
    L("  vloop a4, rows");
    if (e->scale_row)
        L("  vldb v%d, a%d, %s, %llu", V_SCALE, A_SCALE, e->fs, (unsigned long long)e->scale_row);
    if (batches) {
        L("  ali a13, %u", batches);
        L("  vloop a13, batches");
        batch(t, e, each);
        L("batches:");
    }
    batch(t, e, units - batches * each);
    next_row(t, 0, e->s.in[0].pitch, (uint64_t)units * e->q.element_pitch);
    if (!e->row_scale)
        next_row(t, A_SCALE, e->s.n_in > 1 ? e->s.in[1].pitch : e->s.in[0].pitch,
                 (uint64_t)units * e->q.scale_pitch);
    next_row(t, 3, e->y_pitch, (uint64_t)units * e->q.ks * e->size);
    L("rows:");
    L("  vret");
    L(".end");
}

/* Blocks: what npu_quant_layout calls outputs are the inputs here. */
static enum tsr_status take_blocks(struct dequant *e, const struct tsr_npu_dequantize *op,
                                   struct tsr_error *err)
{
    struct npu_quant_place p = {.format = op->x_format,
                                .rows = op->rows,
                                .k = op->k,
                                .slab = op->slab,
                                .y = op->x,
                                .y_stride = op->x_stride,
                                .scales = op->scales,
                                .scale_stride = op->scale_stride};
    uint64_t line = e->chip->tile.line_bytes;
    enum tsr_status st = npu_quant_layout(e->isa, e->chip, &p, &e->q, &e->s, err);
    if (st != TSR_OK)
        return st;
    uint64_t units = (uint64_t)e->q.spans * (e->q.span / e->q.ks);
    e->fx = e->fs = e->q.format->name;
    e->s.n_in = e->s.n_out;
    e->s.in[0] = e->s.out[0];
    e->s.in[1] = e->s.out[1];
    e->s.in[1].first = 0;
    if (op->slab)
        return TSR_OK;
    e->s.in[0].pitch = npu_round_up(units * e->q.element_pitch, line);
    e->s.in[1].pitch = npu_round_up(units * e->q.scale_pitch, line);
    return TSR_OK;
}

/* Integers: a row is a run of units of four vectors under one scale. */
static enum tsr_status take_integers(struct dequant *e, const struct tsr_npu_dequantize *op,
                                     uint64_t rows, uint64_t k, struct tsr_error *err)
{
    const struct tsr_format *f = &e->isa->formats[op->x_format];
    uint32_t lanes = e->chip->tile.tvp.lanes, size = npu_quant_value_size(e->isa, op->scale_format);
    if (f->family != TSR_FAMILY_INT || (f->bits != 8 && f->bits != 4))
        return tsr_error_set(err, TSR_BAD_INPUT, "dequantize: %s has no scales", f->name);
    if (!size && !(op->given_scale > 0))
        return tsr_error_set(err, TSR_BAD_INPUT, "dequantize: scales are f32, bf16 or f16");
    e->fx = f->bits == 8 ? "q8_0" : "i4";
    e->fs = e->isa->formats[op->scale_format].name;
    e->row_scale = true;
    e->scale_row = op->given_scale > 0 ? 0 : size;
    e->q = (struct npu_quant){.isa = e->isa,
                              .chip = e->chip,
                              .format = f,
                              .ks = 4 * lanes,
                              .span = 4 * lanes,
                              .vectors = 4,
                              .spans = (uint32_t)npu_ceil_div(k, (uint64_t)4 * lanes),
                              .element_pitch = 4 * lanes * f->bits / 8,
                              .aligned = true};
    e->s.n_in = op->given_scale > 0 ? 1 : 2;
    e->s.in[0] =
        (struct npu_tensor){.address = op->x,
                            .stride = op->x_stride ? op->x_stride : npu_ceil_div(k * f->bits, 8),
                            .size = 1,
                            .cols = npu_ceil_div(k * f->bits, 8),
                            .pitch = npu_round_up((uint64_t)e->q.spans * e->q.element_pitch,
                                                  (uint64_t)8 * e->chip->tile.line_bytes)};
    e->s.in[1] = (struct npu_tensor){
        .address = op->scales, .stride = size, .size = size, .cols = 1, .pitch = size};
    (void)rows;
    return TSR_OK;
}

enum tsr_status tsr_npu_dequantize(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                   const struct tsr_npu_dequantize *op, struct tsr_program *out,
                                   struct tsr_error *err)
{
    const uint64_t most = (uint64_t)1 << 32;
    if (!op->rows || !op->k || op->rows > most || op->k > most || (op->group && op->k % op->group))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "dequantize: %llu rows of %llu, from 1 to 2^32, in whole groups",
                             (unsigned long long)op->rows, (unsigned long long)op->k);
    struct dequant e = {.isa = isa,
                        .chip = chip,
                        .fy = isa->formats[op->y_format].name,
                        .tensor = op->tensor_scale > 0,
                        .size = npu_quant_value_size(isa, op->y_format)};
    uint64_t k = op->group ? op->group : op->k, rows = op->rows * (op->k / k);
    if (!e.size)
        return tsr_error_set(err, TSR_BAD_INPUT, "dequantize: y is f32, bf16 or f16");
    e.s = (struct npu_stream){.name = "dequantize",
                              .rows = rows,
                              .cols = k,
                              .n_pass = 1,
                              .setup = "setup",
                              .eighths = true};
    enum tsr_status st = tsr_num_has_scale(&isa->formats[op->x_format])
                             ? take_blocks(&e, op, err)
                             : take_integers(&e, op, rows, k, err);
    if (st != TSR_OK)
        return st;
    e.y_pitch =
        npu_round_up((uint64_t)e.q.spans * e.q.span * e.size, (uint64_t)8 * chip->tile.line_bytes);
    e.s.n_out = 1;
    e.s.out[0] = (struct npu_tensor){.address = op->y,
                                     .stride = op->y_stride ? op->y_stride : k * e.size,
                                     .size = e.size,
                                     .cols = k,
                                     .pitch = e.y_pitch};
    e.s.pass[0] = (struct npu_pass){.routine = "dequantize", .inputs = e.s.n_in, .output = true};
    if (!npu_stream_plan(chip, &e.s))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "dequantize: rows of %llu do not fit the tiles of %s",
                             (unsigned long long)k, chip->name);
    struct tsr_text text = {0}, *t = &text;
    npu_stream_emit(t, chip, &e.s);
    routines(t, &e, op->tensor_scale, op->given_scale);
    return npu_stream_program(t, isa, chip, &e.s, out, err);
}
