/* SPDX-License-Identifier: Apache-2.0 */
/* Weights into the chip's memory, in the formats and layouts that the steps' programs read. */
#include <stdlib.h>
#include <string.h>

#include "isa/num/quant.h"
#include "kernels/npu/slab.h"
#include "sim/infer/npu.h"

/* What is being placed: a step as one layer runs it. */
struct place {
    struct npu *s;
    const struct project_step *step;
    const struct tsr_graph_op *op;
    union project_op at;
    uint32_t layer;
};

static enum tsr_status out_of_memory(const struct place *p, struct tsr_error *err)
{
    return tsr_error_set(err, TSR_INTERNAL, "%s: %s: out of memory", p->s->o.model->name,
                         p->step->name);
}

static enum tsr_status find(const struct place *p, enum infer_what what, uint32_t expert,
                            struct infer_rows *out, struct tsr_error *err)
{
    return infer_rows_find(p->s->o.weights, p->s->o.model, p->op, what, p->layer, expert, out, err);
}

enum tsr_status npu_write(struct npu *s, enum tsr_dtype format, const float *x, uint64_t n,
                          uint64_t address, struct tsr_error *err)
{
    const struct tsr_format *f = &s->o.isa->formats[format];
    uint64_t bytes = (n * f->bits + 7) / 8;
    uint32_t *bits = malloc(4 * n + bytes);
    if (bits == NULL)
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", s->o.model->name);
    memcpy(bits, x, 4 * n);
    tsr_num_encode_array(f, bits + n, bits, n, TSR_ROUND_EVEN);
    enum tsr_status st = tsr_sim_write(s->sim, address, bits + n, bytes, err);
    free(bits);
    return st;
}

/* ---- vectors ---- */

/* A norm, sinks or a part of a bias: elements first .. first + n - 1 of the row. */
static enum tsr_status place_part(const struct place *p, enum infer_what what, uint32_t expert,
                                  uint64_t first, uint64_t n, enum tsr_dtype format,
                                  uint64_t address, struct tsr_error *err)
{
    struct infer_rows r;
    enum tsr_status st = find(p, what, expert, &r, err);
    if (st != TSR_OK || r.n == 0)
        return st;
    float *x = malloc(infer_row_length(&r) * sizeof *x);
    if (x == NULL)
        return out_of_memory(p, err);
    const float *row = infer_row(&r, 0, x);
    st = npu_write(p->s, format, row + first, n, address, err);
    free(x);
    return st;
}

static enum tsr_status place_norm(const struct place *p, struct tsr_error *err)
{
    const struct tsr_npu_rmsnorm *r = &p->at.rmsnorm;
    const char *end = strrchr(p->step->name, '_');
    enum infer_what what = INFER_MATRIX;
    if (p->op->kind == TSR_OP_ROPE)
        what = strstr(p->step->name, "_q_norm") == end - 2 ? INFER_Q_NORM : INFER_K_NORM;
    return place_part(p, what, 0, 0, r->cols, r->w_format, r->w, err);
}

static enum tsr_status place_norm_quantize(const struct place *p, struct tsr_error *err)
{
    const struct tsr_npu_rmsnorm_quantize *r = &p->at.rmsnorm_quantize.op;
    return place_part(p, INFER_MATRIX, 0, 0, r->cols, r->w_format, r->w, err);
}

static enum tsr_status place_sinks(const struct place *p, struct tsr_error *err)
{
    const struct tsr_npu_attention *a = &p->at.attention;
    return a->has_sinks ? place_part(p, INFER_MATRIX, 0, 0, a->heads, a->sink_format, a->sinks, err)
                        : TSR_OK;
}

/* ---- matrices ---- */

enum {
    CHUNK_BYTES =
        1 << 22 /* of a matrix that are packed at once: a large one is never there twice */
};

/* Rows of an operand as they go to the chip, and the image of some of them. */
struct packing {
    const struct place *p;
    const struct infer_rows *rows;
    uint64_t first, zeros; /* of the file; zeros above them */
    const struct tsr_npu_slab *slab;
    uint64_t address;
    uint8_t *image;
    float *row;
    uint32_t *bits;
};

/* Rows from .. from + part->rows - 1 of the operand. */
static enum tsr_status place_rows(const struct packing *k, uint64_t from,
                                  const struct tsr_npu_slab *part, struct tsr_error *err)
{
    enum tsr_status st = TSR_OK;
    for (uint64_t i = 0; i < part->rows && st == TSR_OK; i++) {
        memset(k->bits, 0, part->k * sizeof *k->bits);
        if (from + i >= k->zeros)
            memcpy(k->bits, infer_row(k->rows, k->first + from + i - k->zeros, k->row),
                   part->k * sizeof *k->bits);
        st = tsr_npu_slab_pack(part, i, k->bits, k->image, err);
    }
    for (uint64_t s = 0; s < part->slabs && st == TSR_OK; s++)
        st = tsr_sim_write(k->p->s->sim, k->address + tsr_npu_slab_offset(k->slab, from, s),
                           k->image + tsr_npu_slab_offset(part, 0, s),
                           part->rows * part->unit_bytes, err);
    return st;
}

/* Rows first .. in the layout that a product with `partner` reads, below `zeros` rows of zeros. */
static enum tsr_status place_slab(const struct place *p, const struct infer_rows *r, uint64_t first,
                                  uint64_t zeros, const struct tsr_npu_slab *slab, uint64_t address,
                                  struct tsr_error *err)
{
    struct packing k = {
        .p = p, .rows = r, .first = first, .zeros = zeros, .slab = slab, .address = address};
    struct tsr_npu_slab part = *slab;
    const uint64_t most = CHUNK_BYTES / (slab->slabs * slab->unit_bytes) + 1;
    part.rows = most < slab->rows ? most : slab->rows;
    k.image = malloc(tsr_npu_slab_bytes(&part));
    k.row = malloc(slab->k * sizeof *k.row);
    k.bits = malloc(slab->k * sizeof *k.bits);
    enum tsr_status st = k.image && k.row && k.bits ? TSR_OK : out_of_memory(p, err);
    for (uint64_t from = 0; from < slab->rows && st == TSR_OK; from += most) {
        part.rows = slab->rows - from < most ? slab->rows - from : most;
        st = place_rows(&k, from, &part, err);
        tsr_weights_release(p->s->o.weights);
    }
    free(k.image);
    free(k.row);
    free(k.bits);
    return st;
}

/* Plain integers: codes row by row, then a scale for each row, f32, then the bias. */
static enum tsr_status place_integers(const struct place *p, const struct infer_rows *r,
                                      const struct tsr_npu_matmul *m, struct tsr_error *err)
{
    const struct tsr_isa *isa = p->s->o.isa;
    struct tsr_num_quant q;
    memset(&q, 0, sizeof q);
    q.format = &isa->formats[m->b_format];
    q.scale_format = &isa->formats[TSR_F32];
    const size_t bytes = tsr_num_element_bytes(&q, m->k), all = bytes * m->n;
    uint8_t *codes = malloc(bytes);
    float *row = malloc(m->k * sizeof *row), *scales = malloc(m->n * sizeof *scales);
    uint32_t *bits = malloc(m->k * sizeof *bits);
    enum tsr_status st = codes && row && scales && bits ? TSR_OK : out_of_memory(p, err);
    for (uint64_t i = 0; i < m->n && st == TSR_OK; i++) {
        memcpy(bits, infer_row(r, i, row), m->k * sizeof *bits);
        st = tsr_num_quantize(&q, bits, m->k, codes, &scales[i], err);
        if (st == TSR_OK)
            st = tsr_sim_write(p->s->sim, m->b + i * bytes, codes, bytes, err);
    }
    if (st == TSR_OK)
        st = tsr_sim_write(p->s->sim, m->b + all, scales, 4 * m->n, err);
    free(codes);
    free(row);
    free(scales);
    free(bits);
    if (st == TSR_OK && p->op->flags & TSR_OPF_BIAS)
        st = place_part(p, INFER_BIAS, 0, 0, m->n, TSR_F32, m->b + all + 4 * m->n, err);
    return st;
}

static enum tsr_status place_matmul(const struct place *p, struct tsr_error *err)
{
    const struct tsr_npu_matmul *m = &p->at.matmul;
    const struct infer_options *o = &p->s->o;
    struct infer_rows r;
    struct tsr_npu_slab slab;
    enum tsr_status st = find(p, INFER_MATRIX, 0, &r, err);
    if (st == TSR_OK && o->isa->formats[m->b_format].family == TSR_FAMILY_INT)
        return place_integers(p, &r, m, err);
    if (st == TSR_OK)
        st = tsr_npu_slab_plan(o->isa, o->chip, m->b_format, m->a_format, m->n, m->k, &slab, err);
    if (st == TSR_OK)
        st = place_slab(p, &r, 0, m->n - p->op->n, &slab, m->b, err);
    if (st == TSR_OK && m->has_bias)
        st = place_part(p, INFER_BIAS, 0, 0, m->n, TSR_F32, m->bias, err);
    return st;
}

/* Expert after expert, of a gate's its matrix and then the up's; biases likewise, but all gates
 * first. */
static enum tsr_status place_expert(const struct place *p, uint32_t expert, struct tsr_error *err)
{
    const struct tsr_npu_moe_expert *e = &p->at.moe_expert;
    const uint32_t parts = e->gate ? 2 : 1;
    struct infer_rows r;
    struct tsr_npu_slab slab;
    enum tsr_status st = find(p, INFER_MATRIX, expert, &r, err);
    if (st == TSR_OK)
        st = tsr_npu_slab_plan(p->s->o.isa, p->s->o.chip, e->b_format, e->a_format, e->n, e->k,
                               &slab, err);
    for (uint32_t i = 0; i < parts && st == TSR_OK; i++)
        st = place_slab(p, &r, i * e->n, 0, &slab,
                        e->b + (parts * (uint64_t)expert + i) * tsr_npu_slab_bytes(&slab), err);
    if (st == TSR_OK && e->bias)
        st = place_part(p, INFER_BIAS, expert, 0, e->n, TSR_F32, e->bias + 4 * e->n * expert, err);
    if (st == TSR_OK && e->up_bias)
        st = place_part(p, INFER_BIAS, expert, e->n, e->n, TSR_F32, e->up_bias + 4 * e->n * expert,
                        err);
    return st;
}

static enum tsr_status place_experts(const struct place *p, struct tsr_error *err)
{
    enum tsr_status st = TSR_OK;
    for (uint32_t i = 0; i < p->at.moe_expert.experts && st == TSR_OK; i++)
        st = place_expert(p, i, err);
    return st;
}

/* A table of its own; a shared one lm_head places. */
static enum tsr_status place_table(const struct place *p, struct tsr_error *err)
{
    const struct tsr_npu_embedding *e = &p->at.embedding;
    struct infer_rows r;
    enum tsr_status st = find(p, INFER_MATRIX, 0, &r, err);
    float *row = malloc(e->cols * sizeof *row);
    const uint64_t bytes = e->cols * p->s->o.isa->formats[e->table_format].bits / 8;
    if (row == NULL)
        st = out_of_memory(p, err);
    for (uint64_t i = 0; i < e->vocab && st == TSR_OK; i++)
        st = npu_write(p->s, e->table_format, infer_row(&r, i, row), e->cols, e->table + i * bytes,
                       err);
    free(row);
    return st;
}

/* ---- all of it ---- */

static enum tsr_status place_step(const struct place *p, struct tsr_error *err)
{
    static const struct {
        const char *kernel;
        enum tsr_status (*place)(const struct place *p, struct tsr_error *err);
    } table[] = {
        {"matmul", place_matmul},      {"rmsnorm", place_norm},
        {"attention", place_sinks},    {"rmsnorm_quantize", place_norm_quantize},
        {"moe_expert", place_experts}, {"embedding", place_table},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(p->step->kernel->name, table[i].kernel) == 0)
            return table[i].place(p, err);
    return TSR_OK;
}

static enum tsr_status place_operation(void *self, uint32_t op, uint32_t layer,
                                       struct tsr_error *err)
{
    struct npu *s = self;
    enum tsr_status st = TSR_OK;
    for (uint32_t i = s->first_step[op]; i < s->first_step[op + 1] && st == TSR_OK; i++) {
        const struct project_step *step = &s->plan->step[i];
        struct place p = {s, step, &s->plan->graph.ops[op], project_at_layer(s->plan, step, layer),
                          layer};
        st = place_step(&p, err);
    }
    tsr_weights_release(s->o.weights);
    return st;
}

enum tsr_status npu_place(struct npu *s, struct tsr_error *err)
{
    return infer_walk(&s->plan->graph, s->o.model, place_operation, s, err);
}
