/* SPDX-License-Identifier: Apache-2.0 */
/* Block formats: a pass over rows whose routine is quantize_text.c's. */
#include "kernels/npu/quantize.h"

#include "isa/num/element.h"
#include "kernels/npu/cast.h"
#include "kernels/npu/quantize_emit.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

/* Planes are worked off in units of about so many vectors. */
enum {
    PLANE_VECTORS = 4
};

uint32_t npu_quant_value_size(const struct tsr_isa *isa, enum tsr_dtype f)
{
    return f == TSR_F32 || f == TSR_F16 || f == TSR_BF16 ? npu_float_size(isa, f) : 0;
}

enum tsr_status npu_quant_layout(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                 const struct npu_quant_place *p, struct npu_quant *q,
                                 struct npu_stream *s, struct tsr_error *err)
{
    const struct tsr_format *f = &isa->formats[p->format];
    uint32_t lanes = chip->tile.tvp.lanes, line = chip->tile.line_bytes;
    if (p->slab && (p->slab->format != f || p->slab->rows != p->rows || p->slab->k != p->k))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: the slab plan is not that of %llu rows of %llu", s->name,
                             (unsigned long long)p->rows, (unsigned long long)p->k);
    uint64_t whole = npu_round_up(p->k, f->block), wide = (uint64_t)PLANE_VECTORS * lanes;
    uint64_t ks = p->slab ? p->slab->ks : whole < wide ? whole : npu_round_up(wide, f->block);
    *q = (struct npu_quant){.isa = isa,
                            .chip = chip,
                            .format = f,
                            .ks = (uint32_t)ks,
                            .units = npu_ceil_div(p->k, ks),
                            .tensor_scale = p->tensor_scale};
    npu_quant_plan(q);
    uint64_t units = (uint64_t)q->spans * (q->span / q->ks);
    uint32_t elements = npu_quant_element_bytes(q), scales = npu_quant_scale_bytes(q);
    if (p->slab) {
        q->element_pitch = q->scale_pitch = (uint32_t)npu_round_up(elements + scales, line);
        q->row_pitch = npu_round_up(units * q->element_pitch, 8 * line);
        q->scales_at = p->slab->scales_at;
        q->aligned = true;
        s->n_out = 1;
        s->out[0] = (struct npu_tensor){.address = p->y,
                                        .stride = p->slab->unit_bytes,
                                        .size = 1,
                                        .cols = units * q->element_pitch,
                                        .runs = p->slab->slabs,
                                        .run_bytes = p->slab->unit_bytes,
                                        .run_pitch = q->element_pitch,
                                        .part_stride = p->rows * p->slab->unit_bytes,
                                        .pitch = q->row_pitch};
        return TSR_OK;
    }
    q->element_pitch = elements;
    q->scale_pitch = scales;
    q->scales_at = npu_round_up(units * elements, line);
    q->row_pitch = npu_round_up(q->scales_at + units * scales, line);
    uint64_t row_elements = whole / tsr_num_element_group(f).elems * tsr_num_element_group(f).bytes;
    uint64_t row_scales = whole / f->block * f->scale_bits / 8;
    s->n_out = 2;
    s->out[0] = (struct npu_tensor){.address = p->y,
                                    .stride = p->y_stride ? p->y_stride : row_elements,
                                    .size = 1,
                                    .cols = row_elements,
                                    .pitch = q->row_pitch};
    s->out[1] = (struct npu_tensor){.address = p->scales,
                                    .stride = p->scale_stride ? p->scale_stride : row_scales,
                                    .size = 1,
                                    .cols = row_scales,
                                    .first = q->scales_at,
                                    .pitch = q->row_pitch};
    return TSR_OK;
}

/* An input of k values a row, in TSRAM span by span at whole lines, zeros behind the last value. */
void npu_quant_input_rows(const struct npu_quant *q, const struct tsr_isa *isa, uint64_t k,
                          enum tsr_dtype format, uint64_t address, uint64_t stride,
                          struct npu_quant_input *in, struct npu_tensor *x)
{
    uint32_t size = npu_quant_value_size(isa, format), lanes = q->chip->tile.tvp.lanes;
    uint64_t full = k / q->span, rest = k % q->span;
    in->format = format;
    in->span_pitch =
        (uint32_t)npu_round_up((uint64_t)q->vectors * lanes * size, q->chip->tile.line_bytes);
    *x = (struct npu_tensor){.address = address,
                             .stride = stride ? stride : k * size,
                             .size = size,
                             .runs = full,
                             .run_bytes = (uint64_t)q->span * size,
                             .rest_bytes = rest * size,
                             .run_pitch = in->span_pitch,
                             .part_stride = (uint64_t)q->span * size,
                             .pitch = npu_round_up((uint64_t)q->spans * in->span_pitch,
                                                   (uint64_t)8 * q->chip->tile.line_bytes)};
    in->row_pitch = x->pitch;
    in->aligned = true;
}

void npu_quant_clear(struct tsr_text *t, const struct npu_quant *q, const struct npu_stream *s,
                     uint32_t i, uint64_t k, const char *name)
{
    const struct npu_tensor *x = &s->in[i];
    uint32_t lanes = q->chip->tile.tvp.lanes,
             n = (uint32_t)(k % q->span ? q->span - k % q->span : 0);
    const char *format = x->size == 4 ? "f32" : "f16";
    if (!n)
        return;
    L("  ali a8, %llu",
      (unsigned long long)(s->base + s->at[i] + k / q->span * x->run_pitch + x->rest_bytes));
    L("  ali a10, %u", s->slots);
    L("  ali a11, %llu", (unsigned long long)s->block_rows);
    L("  ali a12, %u", n % lanes);
    npu_vimm(t, 0, 0);
    L("  vloop a10, %s_slots", name);
    L("  vloop a11, %s_rows", name);
    for (uint32_t at = 0; at < n / lanes; at++)
        L("  vst v0, a8, %s, %u", format, lanes * x->size);
    L("  vlen a12");
    L("  vst v0, a8, %s, %lld", format,
      (long long)(x->pitch - (uint64_t)(n / lanes) * lanes * x->size));
    L("  ali a13, %u", lanes);
    L("  vlen a13");
    L("%s_rows:", name);
    L("  aaddi a8, a8, %lld", (long long)(s->slot_bytes - s->block_rows * x->pitch));
    L("%s_slots:", name);
}

struct blocks {
    struct npu_quant q;
    struct npu_quant_source source;
    struct npu_stream s;
};

static void routines(struct tsr_text *t, const struct blocks *b, uint64_t k)
{
    L(".routine setup");
    npu_quant_clear(t, &b->q, &b->s, 0, k, "clear");
    npu_quant_constants(t, &b->q);
    L("  vret");
    L(".end");
    L(".routine quantize");
    L("  aaddi a%d, a%d, %llu", NPU_QUANT_SCALES, NPU_QUANT_ELEMENTS,
      (unsigned long long)b->q.scales_at);
    L("  vloop a4, rows");
    npu_quant_row(t, &b->q, &b->source, "row");
    L("rows:");
    L("  vret");
    L(".end");
}

static enum tsr_status blocks(const struct tsr_isa *isa, const struct tsr_chip *chip,
                              const struct tsr_npu_quantize *op, struct tsr_program *out,
                              struct tsr_error *err)
{
    struct blocks b = {.s = {.name = "quantize",
                             .rows = op->rows,
                             .cols = op->k,
                             .n_in = 1,
                             .n_pass = 1,
                             .setup = "setup",
                             .setup_first = true, /* it clears parts of the slots */
                             .eighths = true,
                             .pass = {{.routine = "quantize", .inputs = 1, .output = true}}}};
    struct npu_quant_place p = {.format = op->y_format,
                                .rows = op->rows,
                                .k = op->k,
                                .slab = op->slab,
                                .tensor_scale = op->tensor_scale,
                                .y = op->y,
                                .y_stride = op->y_stride,
                                .scales = op->scales,
                                .scale_stride = op->scale_stride};
    struct tsr_text text = {0}, *t = &text;
    enum tsr_status st = npu_quant_layout(isa, chip, &p, &b.q, &b.s, err);
    if (st != TSR_OK)
        return st;
    b.source.inputs = 1;
    npu_quant_input_rows(&b.q, isa, op->k, op->x_format, op->x, op->x_stride, &b.source.in[0],
                         &b.s.in[0]);
    npu_quant_registers(&b.q, &b.source);
    if (!npu_stream_plan(chip, &b.s))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "quantize: rows of %llu do not fit the tiles of %s",
                             (unsigned long long)op->k, chip->name);
    npu_stream_emit(t, chip, &b.s);
    routines(t, &b, op->k);
    return npu_stream_program(t, isa, chip, &b.s, out, err);
}

enum tsr_status tsr_npu_quantize(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                 const struct tsr_npu_quantize *op, struct tsr_program *out,
                                 struct tsr_error *err)
{
    const struct tsr_format *f = &isa->formats[op->y_format];
    const uint64_t most = (uint64_t)1 << 32;
    if (!op->rows || !op->k || op->rows > most || op->k > most)
        return tsr_error_set(err, TSR_BAD_INPUT, "quantize: %llu rows of %llu, from 1 to 2^32",
                             (unsigned long long)op->rows, (unsigned long long)op->k);
    if (!npu_quant_value_size(isa, op->x_format))
        return tsr_error_set(err, TSR_BAD_INPUT, "quantize: x is f32, bf16 or f16");
    if (op->tensor_scale < 0 || !(op->tensor_scale < 0x1p120))
        return tsr_error_set(err, TSR_BAD_INPUT, "quantize: a tensor scale is positive and finite");
    if (tsr_num_has_scale(f))
        return blocks(isa, chip, op, out, err);
    if (f->family == TSR_FAMILY_INT)
        return npu_quantize_integers(isa, chip, op, out, err);
    struct tsr_npu_cast cast = {.rows = op->rows,
                                .cols = op->k,
                                .x_format = op->x_format,
                                .y_format = op->y_format,
                                .scale = 1,
                                .x = op->x,
                                .x_stride = op->x_stride,
                                .y = op->y,
                                .y_stride = op->y_stride};
    return tsr_npu_cast(isa, chip, &cast, out, err);
}
