/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/npu/quantize_text.h"

#include <assert.h>

#include "isa/num/element.h"
#include "kernels/npu/stream.h"

enum {
    VALUES = 16, /* v0..v15, or less: values and second operands */
    SECONDS = 4,
    V_DIVISOR = 28, /* emax (i32), or what the largest magnitude is divided by */
    V_TENSOR = 29,
    BATCH = 8, /* spans: line numbers modulo 8 are those of the batch before */
    WORDS = 7  /* of a vector, at most: two loads, value, maximum, scale, reciprocal, quotient, and
                  two stores make 9, but a batch of so many is smaller */
};

#define L(...) tsr_text_line(t, __VA_ARGS__)

static uint32_t lanes_of(const struct npu_quant *q)
{
    return q->chip->tile.tvp.lanes;
}

static bool power_of_two(const struct npu_quant *q)
{
    return q->format->family == TSR_FAMILY_MX || q->format->family == TSR_FAMILY_SMX;
}

/* Vectors that share a scale, and registers of a store of elements. */
static uint32_t sharing(const struct npu_quant *q)
{
    return q->format->block > lanes_of(q) ? q->format->block / lanes_of(q) : 1;
}

static uint32_t stored_together(const struct npu_quant *q)
{
    uint32_t elems = tsr_num_element_group(q->format).elems;
    return elems > lanes_of(q) ? elems / lanes_of(q) : 1;
}

/* Bytes of n elements: whole groups. */
static uint32_t bytes_of(const struct npu_quant *q, uint32_t n)
{
    struct tsr_num_group g = tsr_num_element_group(q->format);
    return (n + g.elems - 1) / g.elems * g.bytes;
}

uint32_t npu_quant_element_bytes(const struct npu_quant *q)
{
    return bytes_of(q, q->ks);
}

uint32_t npu_quant_scale_bytes(const struct npu_quant *q)
{
    uint32_t n = q->ks > q->format->block ? q->ks / q->format->block : 1;
    return n * q->format->scale_bits / 8u;
}

void npu_quant_plan(struct npu_quant *q)
{
    uint32_t lanes = lanes_of(q), block = q->format->block;
    q->span = q->ks > block ? q->ks : block;
    q->spans = (uint32_t)npu_ceil_div(q->units, q->span / q->ks);
    q->vectors = (uint32_t)npu_ceil_div(q->span, lanes);
    q->runs = q->vectors / sharing(q);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The more vectors are under way, the less a chain of latencies costs. Reciprocals live shorter
 * than scales, second operands shorter than values. */
void npu_quant_registers(struct npu_quant *q, const struct npu_quant_source *s)
{
    bool power = power_of_two(q), pairs = sharing(q) > 1 || !power;
    uint32_t all = !power && sharing(q) == 1 && s->inputs == 1 ? VALUES - 2 : VALUES;
    uint32_t scales = (s->own ? NPU_QUANT_OWN : NPU_QUANT_END) - all;
    q->seconds = s->inputs > 1 ? SECONDS : 0;
    q->values = all - q->seconds;
    q->first_scale = all;
    q->rest = !pairs ? 0 : sharing(q) > 1 ? scales / 2 : scales * 5 / 12;
    q->scales = scales - q->rest;
    q->group = q->values / 2 / q->vectors;
    q->group = least(q->group > 0 ? q->group : 1, q->spans);
    uint32_t most = NPU_BLOCK_WORDS / (q->vectors * (s->inputs + (s->value ? 4u : 2u) + WORDS - 2));
    q->batch = least(least(BATCH, q->spans), most > 0 ? most : 1);
}

/* The exponent of the element's largest value. */
static int largest_exponent(const struct tsr_format *f)
{
    if (f->ebits == 0)
        return 0;
    int top = (1 << f->ebits) - 1 - f->bias;
    bool reserved =
        f->specials == TSR_SPECIALS_IEEE || (f->specials == TSR_SPECIALS_FN && f->mbits == 0);
    return reserved ? top - 1 : top;
}

void npu_quant_constants(struct tsr_text *t, const struct npu_quant *q)
{
    const struct tsr_format *f = q->format;
    double tensor = q->tensor_scale > 0 ? (float)q->tensor_scale : 1;
    if (power_of_two(q))
        L("  vimm v%d, %d", V_DIVISOR, largest_exponent(f));
    else
        npu_vimm(t, V_DIVISOR,
                 f->family == TSR_FAMILY_NVF ? (double)(float)(6 * tensor)
                 : f->code == TSR_Q8_0       ? 127
                                             : 8);
    npu_vimm(t, V_TENSOR, tensor);
}

/* ---- one batch ------------------------------------------------------------------------------ */

/* One batch: its spans' loads, elements' and scales' stores; what has been put down of them. */
struct batch {
    const struct npu_quant *q;
    const struct npu_quant_source *s;
    uint32_t spans;
    struct npu_path load[2], element, scale;
    struct npu_block b;
};

/* The first vectors of a group's lines go first, then the second ones: lines that rise by one are
 * granted one a cycle, any other line costs up to seven. Second operands come in their order. */
static void plan_loads(struct batch *x, unsigned k)
{
    const struct npu_quant *q = x->q;
    const struct npu_quant_input *in = &x->s->in[k];
    const struct tsr_format *f = &q->isa->formats[in->format];
    uint32_t bytes = lanes_of(q) * f->bits / 8, per = q->chip->tile.line_bytes / bytes;
    per = per > 0 && in->aligned && k == 0 ? per : 1;
    for (uint32_t from = 0; from < x->spans; from += q->group)
        for (uint32_t first = 0; first < per; first++)
            for (uint32_t s = from; s < least(from + q->group, x->spans); s++)
                for (uint32_t i = first; i < q->vectors; i += per) {
                    int64_t offset = (int64_t)s * in->span_pitch + i * bytes;
                    struct npu_access *a = npu_path_add(&x->load[k], offset);
                    a->op = "vld";
                    a->format = f->name;
                    a->areg = in->areg;
                    a->reg = k ? q->values + (s * q->vectors + i) % q->seconds
                               : (s * q->vectors + i) % q->values;
                    if (in->aligned)
                        npu_access_lines(a, q->chip, offset, bytes);
                }
    npu_path_close(&x->load[k], (int64_t)x->spans * in->span_pitch);
}

/* Unit after unit, its last vector only as far as it goes; a scale behind each store that begins a
 * block. */
static void plan_stores(struct batch *x)
{
    const struct npu_quant *q = x->q;
    uint32_t lanes = lanes_of(q), block = q->format->block, size = q->format->scale_bits / 8u;
    uint32_t units = x->spans * (q->span / q->ks), step = lanes * stored_together(q);
    for (uint32_t u = 0; u < units; u++)
        for (uint32_t at = 0; at < q->ks; at += step) {
            uint32_t n = least(q->ks - at, step);
            uint32_t i =
                (u * q->ks + at) / q->span * q->vectors + (u * q->ks + at) % q->span / lanes;
            int64_t e = (int64_t)u * q->element_pitch + bytes_of(q, at);
            struct npu_access *a = npu_path_add(&x->element, e);
            a->op = "vst";
            a->reg = i % q->values;
            a->regs = stored_together(q);
            a->n = n < step ? n : 0;
            if (q->aligned)
                npu_access_lines(a, q->chip, e, bytes_of(q, n));
            int64_t s = (int64_t)u * q->scale_pitch + at / block * size;
            a = npu_path_add(&x->scale, s);
            a->op = at % block == 0 ? "vsts" : NULL; /* within a block whose scale is stored */
            a->reg = q->first_scale + i / sharing(q) % q->scales;
            a->n = n < step ? n : 0;
            if (q->aligned) /* the unit's line */
                npu_access_lines(a, q->chip, (int64_t)u * q->element_pitch, 1);
        }
    for (unsigned i = 0; i < x->element.n; i++) {
        x->element.at[i].store = x->scale.at[i].store = true;
        x->element.at[i].format = x->scale.at[i].format = q->format->name;
        x->element.at[i].areg = NPU_QUANT_ELEMENTS;
        x->scale.at[i].areg = NPU_QUANT_SCALES;
    }
    npu_path_close(&x->element, (int64_t)units * q->element_pitch);
    npu_path_close(&x->scale, (int64_t)units * q->scale_pitch);
    for (unsigned i = x->scale.n; i-- > 0;) /* what is not stored moves with the one before */
        if (!x->scale.at[i].op && i > 0)
            x->scale.at[i - 1].inc += x->scale.at[i].inc;
}

/* The register of a run's reciprocal; of none for powers of two that are made of one vector. */
static unsigned second_of(const struct npu_quant *q, uint32_t run)
{
    return q->rest ? q->first_scale + q->scales + run % q->rest : NPU_NO_REG;
}

/* The scale of run r, from the largest magnitude of its vectors. */
static void make_scale(struct batch *x, uint32_t run)
{
    static const char *const rows[] = {"vscale_e8m0", "vscale_e4m3", "vscale_f16", "vscale_q4"};
    const struct npu_quant *q = x->q;
    uint32_t block = q->format->block, lanes = lanes_of(q), n = sharing(q);
    unsigned shift = (unsigned)__builtin_ctz(block < lanes ? block : lanes);
    unsigned s = q->first_scale + run % q->scales, own = second_of(q, run);
    const char *row = rows[power_of_two(q)                       ? 0
                           : q->format->family == TSR_FAMILY_NVF ? 1
                           : q->format->code == TSR_Q8_0         ? 2
                                                                 : 3];
    for (uint32_t i = 0; i < n; i++) {
        /* behind a run's first vector the maximum passes through the reciprocal's place */
        npu_block_segment(&x->b, "vbmax", i ? own : s, (run * n + i) % q->values, shift);
        if (i)
            npu_block_op(&x->b, "vmaxmag", s, s, own, NPU_NO_REG);
    }
    npu_block_op(&x->b, row, s, s, V_DIVISOR, NPU_NO_REG);
}

/* Its vectors divided by the scale. */
static void divide(struct batch *x, uint32_t run)
{
    const struct npu_quant *q = x->q;
    uint32_t n = sharing(q);
    unsigned s = q->first_scale + run % q->scales, r = second_of(q, run);
    bool power = power_of_two(q), tensor = q->tensor_scale > 0;
    if (!power && tensor)
        npu_block_op(&x->b, "vmul", r, s, V_TENSOR, NPU_NO_REG);
    if (!power)
        npu_block_op(&x->b, "vrscale", r, tensor ? r : s, NPU_NO_REG, NPU_NO_REG);
    for (uint32_t i = 0; i < n; i++) {
        unsigned v = (run * n + i) % q->values;
        npu_block_op(&x->b, power ? "vdescale" : "vquot", v, v, power ? s : r, NPU_NO_REG);
    }
}

/* A group's loads, its runs, and its stores as far as their runs are done. */
static void put_group(struct batch *x, uint32_t from, unsigned *loaded, unsigned *stored)
{
    const struct npu_quant *q = x->q;
    uint32_t spans = least(q->group, x->spans - from), vectors = spans * q->vectors;
    for (unsigned i = *loaded; i < *loaded + vectors; i++)
        npu_block_access(&x->b, &x->load[0].at[i]);
    for (unsigned i = *loaded; x->s->value && i < *loaded + vectors; i++) {
        if (x->s->inputs > 1)
            npu_block_access(&x->b, &x->load[1].at[i]);
        x->s->value(&x->b, x->s->self, i % q->values,
                    q->seconds ? q->values + i % q->seconds : NPU_NO_REG);
    }
    *loaded += vectors;
    uint32_t per_span = x->element.n / x->spans, per_run = per_span / q->runs;
    for (uint32_t run = from * q->runs; run < (from + spans) * q->runs; run++) {
        make_scale(x, run);
        divide(x, run);
        for (uint32_t i = 0; i < per_run; i++, ++*stored) {
            npu_block_access(&x->b, &x->element.at[*stored]);
            if (x->scale.at[*stored].op)
                npu_block_access(&x->b, &x->scale.at[*stored]);
        }
    }
}

static void batch(struct tsr_text *t, const struct npu_quant *q, const struct npu_quant_source *s,
                  uint32_t spans)
{
    struct batch x = {.q = q, .s = s, .spans = spans};
    unsigned loaded = 0, stored = 0;
    npu_block_init(&x.b, q->isa);
    for (unsigned k = 0; k < s->inputs; k++)
        plan_loads(&x, k);
    plan_stores(&x);
    for (uint32_t from = 0; from < spans; from += q->group)
        put_group(&x, from, &loaded, &stored);
    npu_block_emit(t, &x.b);
}

/* Moves an address register from the end of a row's last span to the next row. */
static void next_row(struct tsr_text *t, unsigned areg, uint64_t row_pitch, uint64_t walked)
{
    if (row_pitch != walked)
        L("  aaddi a%u, a%u, %lld", areg, areg, (long long)(row_pitch - walked));
}

void npu_quant_row(struct tsr_text *t, const struct npu_quant *q, const struct npu_quant_source *s,
                   const char *name)
{
    uint32_t batches = q->spans / q->batch, rest = q->spans % q->batch;
    uint64_t units = (uint64_t)q->spans * (q->span / q->ks);
    if (batches > 1) {
        L("  ali a13, %u", batches);
        L("  vloop a13, %s_batches", name);
    }
    batch(t, q, s, q->batch);
    if (batches > 1)
        L("%s_batches:", name);
    if (rest)
        batch(t, q, s, rest);
    for (unsigned k = 0; k < s->inputs; k++)
        next_row(t, s->in[k].areg, s->in[k].row_pitch, (uint64_t)q->spans * s->in[k].span_pitch);
    next_row(t, NPU_QUANT_ELEMENTS, q->row_pitch, units * q->element_pitch);
    next_row(t, NPU_QUANT_SCALES, q->row_pitch, units * q->scale_pitch);
}
