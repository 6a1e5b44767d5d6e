/* SPDX-License-Identifier: Apache-2.0 */
/* Products, gates and attention on the host, with the errors that their contracts state. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/quant.h"
#include "sim/infer/host_verify.h"
#include "sim/infer/verify.h"

static enum tsr_status out_of_memory(struct tsr_error *err)
{
    return tsr_error_set(err, TSR_INTERNAL, "verify: out of memory");
}

/* ---- products ---- */

/* How a product errs: by its magnitudes S = sum |a w|, and, of groups under scales, by the running
 * sums that kernels.h describes. */
struct rule {
    struct infer_rounding a, w; /* what both become before they are multiplied */
    double rate;                /* of S, in u */
    uint32_t group, run;        /* elements of a group, groups of a run; 0: none */
};

static struct rule rule_of(const struct host *h, enum tsr_dtype format, uint64_t k)
{
    const struct tsr_isa *isa = h->o.isa;
    const struct tsr_format *f = format != TSR_F32 ? &isa->formats[format] : NULL;
    const struct tsr_format *a = f != NULL ? infer_sve_activations(isa, f) : NULL;
    struct rule r = {infer_rounding(isa, a), infer_rounding(isa, f), (double)k + 4, 0, 0};
    if (f != NULL && f->family == TSR_FAMILY_INT) /* sums are exact: scales and their products */
        r.rate = 6;
    if (f != NULL && f->family == TSR_FAMILY_GGUF) {
        r.group = 32;
        r.run = format == TSR_Q8_0 ? 8 : 64;
        r.rate = 2 * ceil((double)k / 32) + 6;
    }
    if (format == TSR_Q4_K)
        r.w.format = NULL; /* as the file has it */
    return r;
}

enum {
    SUPER = 8, /* groups of a super-block of q4_k */
    SUPER_BYTES =
        144, /* f16 scale of scales, f16 scale of minima, 12 bytes of both, 128 of codes */
};

/* Scale and minimum of a group of 32: w = scale code - minimum step, where code is at least 0. */
struct group {
    double scale, minimum, step; /* both 0 but of q4_k */
};

/* sum over groups of |S_g| |d_g|, S_g and d_g by their largest: sums of magnitudes since the run's
 * begin in units of the group's scale, and both scales; q4_k's minima likewise. */
static double group_sums(const struct rule *r, uint64_t k, const float *a, const float *w,
                         const struct group *of)
{
    double all = 0, running = 0, minima = 0;
    const uint64_t groups = (k + r->group - 1) / r->group;
    for (uint64_t g = 0; g < groups; g++) {
        if (g % r->run == 0)
            running = minima = 0;
        for (uint64_t i = g * r->group; i < k && i < (g + 1) * r->group; i++) {
            const double x = fabs((double)a[i]);
            const double code = fabs((double)w[i] + of[g].minimum * of[g].step);
            running += of[g].scale != 0 ? x * code / of[g].scale : 0;
            minima += x * of[g].minimum;
        }
        const bool last = g + 1 == groups || (g + 1) % r->run == 0;
        all += running * (of[g].scale + (last ? 0 : of[g + 1].scale));
        if (g % SUPER == SUPER - 1)
            all += minima * (of[g].step + (last ? 0 : of[g + 1].step));
    }
    return all;
}

/* The scale of each group of a row that is quantized. bits: zeros behind k up to whole groups. */
static void scales_of(const struct rule *r, uint64_t k, const uint32_t *bits, uint8_t *planes,
                      struct group *of)
{
    struct tsr_num_quant q;
    const uint64_t whole = (k + r->group - 1) / r->group * r->group;
    memset(&q, 0, sizeof q);
    q.format = r->w.format;
    q.scale_format = r->w.scale;
    const size_t elements = tsr_num_element_bytes(&q, whole);
    uint8_t *scales = planes + elements;
    if (tsr_num_quantize(&q, bits, whole, planes, scales, NULL) != TSR_OK)
        return;
    for (uint64_t g = 0; g < whole / r->group; g++) { /* of f16; the value of the element 1 */
        const uint32_t code = (uint32_t)scales[2 * g] | (uint32_t)scales[2 * g + 1] << 8;
        const uint32_t one = r->w.format->code == TSR_Q4_0 ? 9 : 1;
        of[g] = (struct group){fabs(tsr_num_block_value(r->w.format, one, code)), 0, 0};
    }
}

static double half_at(const struct tsr_format *f16, const uint8_t *b)
{
    const uint32_t bits = tsr_num_decode_f32(f16, (uint32_t)b[0] | (uint32_t)b[1] << 8);
    float x;
    memcpy(&x, &bits, sizeof x);
    return fabs((double)x);
}

/* The same of a row of q4_k in its file. The 6 bits of groups 0 to 3 are the low ones of a byte
 * each; those of 4 to 7 are nibbles whose upper bits the first groups' bytes hold. */
static void q4_k_scales(const struct host *h, uint64_t k, const uint8_t *row, struct group *of)
{
    const struct tsr_format *f16 = &h->o.isa->formats[TSR_F16];
    for (uint64_t g = 0; g < k / 32; g++) {
        const uint8_t *b = row + g / SUPER * SUPER_BYTES, *s = b + 4;
        const uint32_t i = (uint32_t)(g % SUPER), j = i - 4;
        const uint32_t scale = i < 4 ? s[i] & 63u : (s[8 + j] & 15u) | (s[j] >> 6) << 4;
        const uint32_t least =
            i < 4 ? s[4 + i] & 63u : (uint32_t)s[8 + j] >> 4 | (s[4 + j] >> 6) << 4;
        of[g] = (struct group){half_at(f16, b) * scale, least, half_at(f16, b + 2)};
    }
}

struct work {
    struct rule rule;
    float *a, *w, *row;
    uint32_t *bits; /* of a row, zeros behind it */
    struct group *groups;
    uint8_t *planes;
    void *scratch;
};

static bool make_work(const struct host *h, uint64_t m, uint64_t k, struct work *w)
{
    const size_t a = infer_round_scratch(&w->rule.a, k), b = infer_round_scratch(&w->rule.w, k);
    (void)h;
    w->a = calloc(m * k, sizeof *w->a);
    w->w = calloc(k, sizeof *w->w);
    w->row = calloc(k, sizeof *w->row);
    w->bits = calloc(k + 32, sizeof *w->bits);
    w->groups = calloc(k / 32 + 2, sizeof *w->groups);
    w->planes = calloc(4, k + 64);
    w->scratch = malloc((a > b ? a : b) + 64);
    return w->a && w->w && w->row && w->bits && w->groups && w->planes && w->scratch;
}

static void free_work(struct work *w)
{
    free(w->a);
    free(w->w);
    free(w->row);
    free(w->bits);
    free(w->groups);
    free(w->planes);
    free(w->scratch);
}

/* Column j of C. */
static void column(const struct work *w, uint64_t m, uint64_t n, uint64_t k, uint64_t j,
                   double *sum, double *error)
{
    for (uint64_t i = 0; i < m; i++) {
        const float *a = w->a + i * k;
        double s = 0, all = 0;
        for (uint64_t q = 0; q < k; q++) {
            const double p = (double)a[q] * (double)w->w[q];
            s += p;
            all += fabs(p);
        }
        if (w->rule.group != 0)
            all += group_sums(&w->rule, k, a, w->w, w->groups);
        sum[i * n + j] = s;
        error[i * n + j] = w->rule.rate * HOST_U * 1.001 * all + (double)k * 0x1p-125;
    }
}

static enum tsr_status add_bias(const struct host_check *c, uint32_t expert, uint64_t m,
                                double *sum, double *error, struct tsr_error *err)
{
    struct host *h = c->h;
    const uint64_t n = c->op->n;
    struct infer_rows r;
    enum tsr_status st =
        infer_rows_find(h->o.weights, h->model, c->op, INFER_BIAS, h->layer, expert, &r, err);
    float *x = st == TSR_OK && r.n != 0 ? malloc(n * sizeof *x) : NULL;
    if (st != TSR_OK || r.n == 0)
        return st;
    if (x == NULL)
        return out_of_memory(err);
    const float *bias = infer_row(&r, 0, x);
    for (uint64_t i = 0; i < m * n; i++) {
        sum[i] += (double)bias[i % n];
        error[i] += HOST_U * (fabs(sum[i]) + error[i]);
    }
    free(x);
    return TSR_OK;
}

enum tsr_status host_check_product(const struct host_check *c, uint32_t expert, uint64_t m,
                                   const float *a, double *sum, double *error,
                                   struct tsr_error *err)
{
    struct host *h = c->h;
    const uint64_t n = c->op->n, k = c->op->k;
    const enum tsr_dtype format = host_packed_format(h, c->op, expert);
    struct work w = {.rule = rule_of(h, format, k)};
    struct infer_rows rows;
    enum tsr_status st =
        infer_rows_find(h->o.weights, h->model, c->op, INFER_MATRIX, h->layer, expert, &rows, err);
    if (st == TSR_OK && !make_work(h, m, k, &w))
        st = out_of_memory(err);
    for (uint64_t i = 0; i < m && st == TSR_OK; i++)
        infer_round(&w.rule.a, k, a + i * k, w.a + i * k, w.scratch);
    for (uint64_t j = 0; j < n && st == TSR_OK; j++) {
        const float *row = infer_row(&rows, j, w.row);
        if (format == TSR_Q4_K) {
            q4_k_scales(h, k, infer_row_data(&rows, j), w.groups);
        } else if (w.rule.group != 0) {
            memcpy(w.bits, row, k * sizeof *w.bits);
            scales_of(&w.rule, k, w.bits, w.planes, w.groups);
        }
        infer_round(&w.rule.w, k, row, w.w, w.scratch);
        column(&w, m, n, k, j, sum, error);
    }
    free_work(&w);
    if (st == TSR_OK && c->op->flags & TSR_OPF_BIAS)
        st = add_bias(c, expert, m, sum, error, err);
    return st;
}

/* act(gate) up of m rows of 2 x width. vecmath.h leaves at most 16 u + 1.1 u, of SWIGLU_CLAMP and
 * GELU_TANH some u |argument| more; verify_gated has 9 u and 1.5 u |argument|. */
static void gate_rows(const struct host_check *c, uint64_t m, const double *sum,
                      const double *error, double *want, double *wrong)
{
    const struct tsr_model *model = c->h->model;
    const uint64_t width = c->op->n / 2;
    const double alpha = fmax(model->act_alpha, 1);
    for (uint64_t i = 0; i < m * width; i++) {
        const uint64_t g = i / width * 2 * width + i % width, u = g + width;
        verify_gated(c->op->activation, model->act_limit, model->act_alpha, sum[g], error[g],
                     sum[u], error[u], &want[i], &wrong[i]);
        wrong[i] += fabs(want[i]) * HOST_U * (9 + 2 * alpha * fabs(sum[g]));
    }
}

/* The product into c.out[0], gated or not. */
static enum tsr_status finish(struct host_check *c, uint64_t m, const double *sum,
                              const double *error, const float *residual, struct host_rows *r)
{
    const uint64_t n = c->op->n;
    if (c->op->flags & TSR_OPF_GATE) {
        gate_rows(c, m, sum, error, r->want, r->error);
        return TSR_OK;
    }
    for (uint64_t i = 0; i < m * n; i++) {
        r->want[i] = sum[i] + (residual != NULL ? (double)residual[i] : 0);
        r->error[i] = error[i] + (residual != NULL ? HOST_U * (fabs(r->want[i]) + error[i]) : 0);
    }
    return TSR_OK;
}

/* Of the model's last product only rows whose logits are wanted are computed. */
enum tsr_status host_check_matmul(struct host_check *c, struct tsr_error *err)
{
    struct host *h = c->h;
    const struct tsr_graph_op *op = c->op;
    const bool gate = op->flags & TSR_OPF_GATE, router = infer_routes(op),
               last = op->layer_kinds == 0, residual = op->flags & TSR_OPF_RESIDUAL;
    const uint64_t first = last && !h->all ? h->n - 1 : 0, m = h->n - first;
    const float *a = last || router ? h->normed + first * op->k : h->at;
    const float *to = last                                   ? h->out
                      : router                               ? h->router_logits
                      : gate || strcmp(op->name, "qkv") == 0 ? h->wide
                      : residual                             ? h->stream
                                                             : h->branch;
    const uint64_t cols = gate ? op->n / 2 : op->n;
    if (to == NULL)
        return TSR_OK; /* nobody wants logits */
    double *sum = calloc(2 * m * op->n, sizeof *sum);
    struct host_rows *r = host_check_add(c, to, m, cols, cols);
    enum tsr_status st = sum && r ? TSR_OK : out_of_memory(err);
    if (st == TSR_OK)
        st = host_check_product(c, 0, m, a, sum, sum + m * op->n, err);
    if (st == TSR_OK)
        st = finish(c, m, sum, sum + m * op->n, residual ? h->stream : NULL, r);
    for (uint64_t i = 0; i < m * cols && st == TSR_OK && last; i++) {
        r->want[i] *= h->model->logit_scale;
        r->error[i] = r->error[i] * h->model->logit_scale + 2 * HOST_U * fabs(r->want[i]);
    }
    free(sum);
    return st;
}

enum tsr_status host_check_expert(struct host_check *c, struct tsr_error *err)
{
    struct host *h = c->h;
    const struct tsr_graph_op *op = c->op;
    const bool gate = op->flags & TSR_OPF_GATE;
    const uint64_t rows = (uint64_t)h->n * op->top_k, cols = gate ? op->n / 2 : op->n;
    double *sum = calloc(2 * op->n, sizeof *sum);
    struct host_rows *r = host_check_add(c, gate ? h->wide : h->sums, rows, cols, cols);
    enum tsr_status st = sum && r ? TSR_OK : out_of_memory(err);
    for (uint64_t i = 0; i < rows && st == TSR_OK; i++) {
        const float *a = gate ? h->normed + i / op->top_k * op->k : h->wide + i * op->k;
        struct host_rows one = *r;
        one.want += i * cols;
        one.error += i * cols;
        st = host_check_product(c, h->experts[i], 1, a, sum, sum + op->n, err);
        if (st == TSR_OK)
            st = finish(c, 1, sum, sum + op->n, NULL, &one);
    }
    free(sum);
    return st;
}

/* ---- attention ---- */

struct heads {
    struct host_check *c;
    const float *sinks; /* null: none */
    double *score, *share;
};

/* The score of a key and its error: a dot product of d in 16 chains, a product with a factor that
 * is rounded; a cap c costs 1.5 u |x| + 10 u c: division, exponential, difference (vecmath.h). */
static double score(const struct tsr_model *m, const float *q, const float *k, double *error)
{
    double s = 0, all = 0;
    for (uint32_t i = 0; i < m->head_dim; i++) {
        const double p = (double)q[i] * (double)k[i];
        s += p;
        all += fabs(p);
    }
    s *= m->attn_scale;
    *error = HOST_U * (((double)m->head_dim / 16 + 6) * all * fabs(m->attn_scale) + 2 * fabs(s));
    if (m->attn_softcap != 0) {
        *error += HOST_U * (1.5 * fabs(s) + 10 * m->attn_softcap);
        s = m->attn_softcap * tanh(s / m->attn_softcap);
    }
    return s;
}

/* One query of one head. The weights err as tsr_softmax_f32 says, twice the scores' errors
 * besides; the sum with v is a chain of n products and sums. */
static void one_head(const struct heads *p, uint32_t t, uint32_t head, double *want, double *error)
{
    struct host *h = p->c->h;
    const struct tsr_model *m = h->model;
    const uint64_t d = m->head_dim, end = (uint64_t)h->position + t + 1, window = p->c->op->window;
    const uint64_t first = window != 0 && end > window ? end - window : 0, n = end - first;
    const uint32_t kv_head = head / (m->heads / m->kv_heads);
    const float *k = host_cache_row(h, h->k_cache, kv_head, first),
                *v = host_cache_row(h, h->v_cache, kv_head, first);
    const float *q = h->wide + t * host_qkv_stride(m) + head * d;
    double most = p->sinks != NULL ? (double)p->sinks[head] : -INFINITY, worst = 0, sum = 0;
    for (uint64_t j = 0; j < n; j++) {
        double e;
        p->score[j] = score(m, q, k + j * d, &e);
        most = fmax(most, p->score[j]);
        worst = fmax(worst, e);
    }
    for (uint64_t j = 0; j < n; j++)
        sum += p->share[j] = exp(p->score[j] - most);
    sum += p->sinks != NULL ? exp((double)p->sinks[head] - most) : 0;
    double mean = p->sinks != NULL ? exp((double)p->sinks[head] - most) / sum *
                                         (most - (double)p->sinks[head] + 5)
                                   : 0;
    for (uint64_t j = 0; j < n; j++) {
        p->share[j] /= sum;
        mean += p->share[j] * (most - p->score[j] + 5);
    }
    for (uint64_t i = 0; i < d; i++) {
        double y = 0, off = 0;
        for (uint64_t j = 0; j < n; j++) {
            const double w = p->share[j] * (double)v[j * d + i];
            const double e = most - p->score[j] + 5 + mean + (double)n / 32 + 9;
            y += w;
            off += fabs(w) * (1.01 * (HOST_U * (e + (double)n + 2) + 2.1 * worst)) +
                   0x1p-120 * fabs((double)v[j * d + i]);
        }
        want[i] = y;
        error[i] = off;
    }
}

enum tsr_status host_check_attention(struct host_check *c, struct tsr_error *err)
{
    struct host *h = c->h;
    const struct tsr_model *m = h->model;
    const uint64_t row = (uint64_t)m->heads * m->head_dim;
    struct heads p = {.c = c};
    struct infer_rows sinks;
    enum tsr_status st =
        infer_rows_find(h->o.weights, m, c->op, INFER_MATRIX, h->layer, 0, &sinks, err);
    float *of_sinks = st == TSR_OK && sinks.n != 0 ? malloc(m->heads * sizeof *of_sinks) : NULL;
    struct host_rows *r = host_check_add(c, h->normed, h->n, row, row);
    p.score = calloc(h->o.positions + 1u, sizeof *p.score);
    p.share = calloc(h->o.positions + 1u, sizeof *p.share);
    if (st == TSR_OK && !(r && p.score && p.share && (of_sinks || sinks.n == 0)))
        st = out_of_memory(err);
    if (st == TSR_OK && sinks.n != 0)
        p.sinks = infer_row(&sinks, 0, of_sinks);
    for (uint64_t i = 0; i < (uint64_t)h->n * m->heads && st == TSR_OK; i++)
        one_head(&p, (uint32_t)(i / m->heads), (uint32_t)(i % m->heads), r->want + i * m->head_dim,
                 r->error + i * m->head_dim);
    free(of_sinks);
    free(p.score);
    free(p.share);
    return st;
}
