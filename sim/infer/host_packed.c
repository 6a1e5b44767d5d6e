/* SPDX-License-Identifier: Apache-2.0 */
/* Products of the target sve: weights packed once in their format for the host's kernels
 * (tessera/kernels.h), which round rows of activations as the format asks. */
#include <stdlib.h>
#include <string.h>

#include "isa/num/quant.h"
#include "sim/infer/host.h"

enum {
    ALIGNMENT = 64
};

/* What the kernels take, and in what rows of f32 then enter a product. */
static const struct takes {
    enum tsr_dtype weights, activations;
} table[] = {
    {TSR_F32, TSR_F32},       {TSR_F16, TSR_F32},       {TSR_BF16, TSR_BF16}, {TSR_I8, TSR_I8},
    {TSR_I4, TSR_I8},         {TSR_Q8_0, TSR_I8},       {TSR_Q4_0, TSR_I8},   {TSR_MXF4, TSR_BF16},
    {TSR_MXF8E4M3, TSR_BF16}, {TSR_MXF8E5M2, TSR_BF16}, {TSR_Q4_K, TSR_I8},
};

static const struct takes *find(const struct tsr_format *f)
{
    const unsigned code = f != NULL ? f->code : TSR_F32;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if ((unsigned)table[i].weights == code)
            return &table[i];
    return NULL;
}

const struct tsr_format *infer_sve_activations(const struct tsr_isa *isa,
                                               const struct tsr_format *weights)
{
    const struct takes *t = find(weights);
    return t != NULL ? &isa->formats[t->activations] : NULL;
}

struct matrix {
    enum tsr_dtype format;
    uint64_t k; /* whole blocks: columns behind the model's are zeros */
    void *weights;
};

/* Packed matrices, [operation][layer][expert]; null where there is none. */
struct packed {
    enum tsr_dtype format; /* that is asked for */
    struct matrix *at[TSR_GRAPH_MAX_OPS];
    uint32_t as_asked; /* matrices */
    void *scratch;
    size_t scratch_bytes;
    float *wide; /* rows of activations with zeros behind */
    uint64_t wide_k;
};

static uint32_t experts_of(const struct tsr_graph_op *op)
{
    return op->kind == TSR_OP_EXPERT_MATMUL ? op->experts : 1;
}

static bool is_product(const struct tsr_graph_op *op)
{
    return op->kind == TSR_OP_EXPERT_MATMUL || (op->kind == TSR_OP_MATMUL && !infer_routes(op));
}

static void *aligned_room(size_t bytes)
{
    return aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT);
}

/* A matrix as the packer reads it. */
struct source {
    struct tsr_num_quant q;
    size_t row_bytes, scale_bytes;
    uint8_t *rows, *scales; /* scales null: within the rows, or none */
};

static bool plain(const struct source *s)
{
    return !tsr_num_has_blocks(s->q.format);
}

/* q4_k is packed as the file has it, since nothing here writes it; matrices of other formats in
 * such a file become q8_0. */
static enum tsr_dtype format_of(const struct packed *p, const struct infer_rows *r)
{
    if (p->format != TSR_Q4_K)
        return p->format;
    for (uint32_t i = 0; i < r->n; i++)
        if (r->piece[i].tensor->format != TSR_Q4_K)
            return TSR_Q8_0;
    return TSR_Q4_K;
}

static uint64_t whole_blocks(const struct tsr_format *f, uint64_t k)
{
    return f->family == TSR_FAMILY_GGUF ? (k + f->block - 1) / f->block * f->block : k;
}

static enum tsr_status source_plan(const struct host *h, const struct matrix *m, uint64_t n,
                                   struct source *s, struct tsr_error *err)
{
    memset(s, 0, sizeof *s);
    s->q.format = &h->o.isa->formats[m->format];
    s->q.scale_format = &h->o.isa->formats[TSR_F32];
    s->q.file_layout = s->q.format->family == TSR_FAMILY_GGUF;
    enum tsr_status st = plain(s) ? TSR_OK : tsr_num_quant_check(&s->q, m->k, err);
    if (st != TSR_OK)
        return st;
    s->row_bytes =
        plain(s) ? (m->k * s->q.format->bits + 7) / 8 : tsr_num_element_bytes(&s->q, m->k);
    s->scale_bytes = plain(s) ? 0 : tsr_num_scale_bytes(&s->q, m->k);
    s->rows = malloc(n * s->row_bytes + 4);
    s->scales = s->scale_bytes != 0 ? malloc(n * s->scale_bytes) : NULL;
    return s->rows && (s->scales || s->scale_bytes == 0)
               ? TSR_OK
               : tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", h->model->name);
}

/* k: of the rows; bits: room for those of a whole one, zeros behind k. */
static enum tsr_status source_fill(const struct source *s, const struct matrix *m,
                                   const struct infer_rows *r, uint64_t n, uint64_t k, float *row,
                                   uint32_t *bits, struct tsr_error *err)
{
    enum tsr_status st = TSR_OK;
    for (uint64_t i = 0; i < n && st == TSR_OK; i++) {
        uint8_t *to = s->rows + i * s->row_bytes;
        if (m->format == TSR_Q4_K) {
            memcpy(to, infer_row_data(r, i), s->row_bytes);
            continue;
        }
        memcpy(bits, infer_row(r, i, row), k * sizeof *bits);
        if (plain(s))
            tsr_num_encode_array(s->q.format, to, bits, k, TSR_ROUND_EVEN);
        else
            st = tsr_num_quantize(&s->q, bits, m->k, to,
                                  s->scales != NULL ? s->scales + i * s->scale_bytes : NULL, err);
    }
    return st;
}

/* The rows where they lie in the file, if that is what the packer reads; else null. */
static const void *in_file(const struct matrix *m, const struct infer_rows *r)
{
    const struct tsr_matrix *x = &r->piece[0];
    const uint8_t *data = x->vector ? NULL : tsr_matrix_row_data(x, 0);
    const bool as_is = x->tensor->format == m->format && x->step == 1 && x->pairs == 0 &&
                       (x->tensor->layout == TSR_LAYOUT_PLAIN || m->format == TSR_Q4_K);
    return r->n == 1 && data != NULL && as_is && (uintptr_t)data % 4 == 0 ? data : NULL;
}

static enum tsr_status pack_one(struct host *h, const struct tsr_graph_op *op, uint32_t layer,
                                uint32_t expert, struct matrix *out, struct tsr_error *err)
{
    struct packed *p = h->packed;
    struct infer_rows r;
    struct source s = {.rows = NULL};
    size_t bytes = 0;
    enum tsr_status st =
        infer_rows_find(h->o.weights, h->model, op, INFER_MATRIX, layer, expert, &r, err);
    if (st != TSR_OK)
        return st;
    out->format = format_of(p, &r);
    out->k = whole_blocks(&h->o.isa->formats[out->format], op->k);
    p->as_asked += out->format == p->format;
    if (out->k != op->k && out->k > p->wide_k)
        p->wide_k = out->k;
    float *row = malloc(op->k * sizeof *row);
    uint32_t *bits = calloc(out->k, sizeof *bits);
    st = row && bits ? TSR_OK : TSR_INTERNAL;
    if (st == TSR_OK)
        st = tsr_weights_bytes(out->format, op->n, out->k, &bytes, err);
    const void *direct = in_file(out, &r);
    if (st == TSR_OK)
        st = source_plan(h, out, direct != NULL ? 0 : op->n, &s, err);
    if (st == TSR_OK && direct == NULL)
        st = source_fill(&s, out, &r, op->n, op->k, row, bits, err);
    if (st == TSR_OK && (out->weights = aligned_room(bytes)) == NULL)
        st = TSR_INTERNAL;
    if (st == TSR_OK)
        st = tsr_weights_pack(out->format, op->n, out->k, direct != NULL ? direct : s.rows,
                              s.row_bytes, s.scales, out->weights, err);
    if (st == TSR_OK)
        st = tsr_matmul_scratch_bytes(out->format, HOST_CHUNK, out->k, h->o.threads, &bytes, err);
    p->scratch_bytes = st == TSR_OK && bytes > p->scratch_bytes ? bytes : p->scratch_bytes;
    free(row);
    free(bits);
    free(s.rows);
    free(s.scales);
    return st == TSR_INTERNAL ? tsr_error_set(err, st, "%s: out of memory", h->model->name) : st;
}

static enum tsr_status pack_operation(void *self, uint32_t i, uint32_t layer, struct tsr_error *err)
{
    struct host *h = self;
    struct packed *p = h->packed;
    const struct tsr_graph_op *op = &h->graph.ops[i];
    const uint32_t experts = experts_of(op);
    struct tsr_error why = {0};
    enum tsr_status st = TSR_OK;
    if (!is_product(op))
        return TSR_OK;
    if (p->at[i] == NULL)
        p->at[i] = calloc((size_t)h->model->layers * experts, sizeof *p->at[i]);
    if (p->at[i] == NULL)
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", h->model->name);
    for (uint32_t e = 0; e < experts && st == TSR_OK; e++)
        st = pack_one(h, op, layer, e, &p->at[i][(size_t)layer * experts + e], &why);
    if (st != TSR_OK)
        return tsr_error_set(err, st, "%s: %s: %s", h->model->name, op->name, why.message);
    tsr_weights_release(h->o.weights);
    return TSR_OK;
}

static enum tsr_status create(struct host *h, struct tsr_error *err)
{
    const struct takes *t = find(h->o.format);
    const struct tsr_format *act = h->o.activations;
    const enum tsr_dtype given = act != NULL ? (enum tsr_dtype)act->code : TSR_F32;
    if (t == NULL)
        return tsr_error_set(err, TSR_BAD_INPUT, "target sve: no kernel takes weights in %s",
                             h->o.format->name);
    if (given != t->activations)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "target sve: weights %s are multiplied by activations in %s, not %s",
                             h->o.isa->formats[t->weights].name,
                             h->o.isa->formats[t->activations].name, h->o.isa->formats[given].name);
    struct packed *p = h->packed = calloc(1, sizeof *p);
    if (p == NULL)
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", h->model->name);
    p->format = t->weights;
    h->activations.format = NULL; /* the kernels round */
    enum tsr_status st = infer_walk(&h->graph, h->model, pack_operation, h, err);
    if (st == TSR_OK && p->as_asked == 0)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "target sve: weights q4_k: no matrix of %s is in it, and nothing here "
                             "writes it; q4_0 or q8_0 is nearest",
                             tsr_weights_path(h->o.weights));
    p->wide = p->wide_k != 0 ? calloc(HOST_CHUNK * p->wide_k, sizeof *p->wide) : NULL;
    if (st == TSR_OK && ((p->scratch = aligned_room(p->scratch_bytes)) == NULL ||
                         (p->wide == NULL && p->wide_k != 0)))
        st = tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", h->model->name);
    return st;
}

static const struct matrix *matrix_of(const struct host *h, const struct tsr_graph_op *op,
                                      uint32_t layer, uint32_t expert)
{
    const struct packed *p = h->packed;
    return &p->at[op - h->graph.ops][(size_t)layer * experts_of(op) + expert];
}

enum tsr_dtype host_packed_format(const struct host *h, const struct tsr_graph_op *op,
                                  uint32_t expert)
{
    return is_product(op) ? matrix_of(h, op, h->layer, expert)->format : TSR_F32;
}

/* Rows of k with zeros behind them up to `wide`. */
static const float *widen(float *to, uint64_t wide, uint64_t m, uint64_t k, const float *a)
{
    for (uint64_t i = 0; i < m; i++) {
        memcpy(to + i * wide, a + i * k, k * sizeof *to);
        memset(to + i * wide + k, 0, (wide - k) * sizeof *to);
    }
    return to;
}

static enum tsr_status run(struct host *h, const struct host_product *a, struct tsr_error *err)
{
    const struct packed *p = h->packed;
    if (!is_product(a->op)) /* the router, in f32 */
        return host_ref_products.run(h, a, err);
    const struct matrix *w = matrix_of(h, a->op, a->layer, a->expert);
    const float *rows = w->k != a->k ? widen(p->wide, w->k, a->m, a->k, a->a) : a->a;
    struct tsr_matmul op = {.format = w->format,
                            .a_format = TSR_F32,
                            .m = a->m,
                            .n = a->n,
                            .k = w->k,
                            .a = rows,
                            .lda = w->k,
                            .weights = w->weights,
                            .c = a->c,
                            .ldc = a->n,
                            .scratch = p->scratch,
                            .scratch_bytes = p->scratch_bytes,
                            .parallel = a->n * a->k * a->m < 1 << 16 ? NULL : &h->threads};
    return tsr_matmul_run(&op, err);
}

static void destroy(struct host *h)
{
    struct packed *p = h->packed;
    for (uint32_t i = 0; p != NULL && i < h->graph.n_ops; i++) {
        const size_t n = (size_t)h->model->layers * experts_of(&h->graph.ops[i]);
        for (size_t j = 0; p->at[i] != NULL && j < n; j++)
            free(p->at[i][j].weights);
        free(p->at[i]);
    }
    if (p != NULL) {
        free(p->scratch);
        free(p->wide);
    }
    free(p);
}

const struct host_products host_sve_products = {create, run, destroy};
