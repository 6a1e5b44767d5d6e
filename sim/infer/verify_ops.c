/* SPDX-License-Identifier: Apache-2.0 */
/* What the operations around the products must leave. Bounds: as kernels/npu/ops.h states them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/ref.h"
#include "sim/infer/verify.h"

enum tsr_status verify_rmsnorm(struct verify *v, struct tsr_error *err)
{
    const struct tsr_npu_rmsnorm *o = &v->op.rmsnorm;
    const uint64_t heads = o->heads != 0 ? o->heads : 1, n = o->cols;
    float *w = o->w != 0 ? verify_read(v->s, o->w_format, o->w, n, err) : NULL;
    struct verify_rows *r =
        verify_add(v, o->y, verify_stride(v, o->y_stride, o->y_format, heads * n), o->rows,
                   heads * n, o->y_format, true, err);
    enum tsr_status st = r != NULL && (w != NULL || o->w == 0) ? TSR_OK : TSR_INTERNAL;
    for (uint64_t i = 0; i < o->rows && st == TSR_OK; i++) {
        float *x = verify_read(v->s, o->x_format,
                               o->x + i * verify_stride(v, o->x_stride, o->x_format, heads * n),
                               heads * n, err);
        if (x == NULL)
            st = TSR_INTERNAL;
        else
            tsr_rmsnorm_ref(heads, n, o->eps, x, w, x);
        for (uint64_t j = 0; j < heads * n && x != NULL; j++) {
            /* the sum in chains of at most n terms, halved by the root; five roundings behind it */
            double y = (double)x[j];
            verify_set(v, r, i * heads * n + j, y, fabs(y) * ((double)n / 2 + 24) * 0x1p-24);
        }
        free(x);
    }
    free(w);
    return st;
}

enum tsr_status verify_embedding(struct verify *v, struct tsr_error *err)
{
    const struct tsr_npu_embedding *o = &v->op.embedding;
    const double scale = o->scale != 0 ? (double)(float)o->scale : 1;
    struct verify_rows *r = verify_add(v, o->y, 0, o->tokens, o->cols, o->y_format, true, err);
    enum tsr_status st = r != NULL ? TSR_OK : TSR_INTERNAL;
    for (uint64_t i = 0; i < o->tokens && st == TSR_OK; i++) {
        uint32_t id = 0;
        float *x = NULL;
        st = tsr_sim_read(v->s->sim, o->ids_address + 4 * i, &id, sizeof id, err);
        if (st == TSR_OK)
            x = verify_read(v->s, o->table_format,
                            o->table + id * verify_stride(v, 0, o->table_format, o->cols), o->cols,
                            err);
        if (st == TSR_OK && x == NULL)
            st = TSR_INTERNAL;
        for (uint64_t j = 0; st == TSR_OK && j < o->cols; j++)
            verify_set(v, r, i * o->cols + j, scale * (double)x[j],
                       fabs(scale * (double)x[j]) * 0x1p-24);
        free(x);
    }
    return st;
}

enum tsr_status verify_residual(struct verify *v, struct tsr_error *err)
{
    const struct tsr_npu_residual *o = &v->op.residual;
    struct verify_rows *r = verify_add(v, o->y, verify_stride(v, o->y_stride, o->y_format, o->cols),
                                       o->rows, o->cols, o->y_format, true, err);
    enum tsr_status st = r != NULL ? TSR_OK : TSR_INTERNAL;
    for (uint64_t i = 0; i < o->rows && st == TSR_OK; i++) {
        float *a = verify_read(v->s, o->a_format,
                               o->a + i * verify_stride(v, o->a_stride, o->a_format, o->cols),
                               o->cols, err);
        float *b = verify_read(v->s, o->b_format,
                               o->b + i * verify_stride(v, o->b_stride, o->b_format, o->cols),
                               o->cols, err);
        st = a != NULL && b != NULL ? TSR_OK : TSR_INTERNAL;
        for (uint64_t j = 0; st == TSR_OK && j < o->cols; j++) {
            double y = (double)a[j] + (double)b[j];
            verify_set(v, r, i * o->cols + j, y, fabs(y) * 0x1p-24);
        }
        free(a);
        free(b);
    }
    return st;
}

enum tsr_status verify_cast(struct verify *v, struct tsr_error *err)
{
    const struct tsr_npu_cast *o = &v->op.cast;
    if (v->s->o.isa->formats[o->y_format].family != TSR_FAMILY_FLOAT)
        return TSR_OK; /* integers: left out */
    struct verify_rows *r = verify_add(v, o->y, verify_stride(v, o->y_stride, o->y_format, o->cols),
                                       o->rows, o->cols, o->y_format, true, err);
    enum tsr_status st = r != NULL ? TSR_OK : TSR_INTERNAL;
    for (uint64_t i = 0; i < o->rows && st == TSR_OK; i++) {
        float *x = verify_read(v->s, o->x_format,
                               o->x + i * verify_stride(v, o->x_stride, o->x_format, o->cols),
                               o->cols, err);
        st = x != NULL ? TSR_OK : TSR_INTERNAL;
        for (uint64_t j = 0; st == TSR_OK && j < o->cols; j++) {
            double y = (double)x[j] * (double)(float)o->scale;
            verify_set(v, r, i * o->cols + j, y, fabs(y) * 0x1p-24);
        }
        free(x);
    }
    return st;
}

/* The error of act(g) u with exact g and u: sim/suite/suite_activation.c. */
enum tsr_status verify_activation(struct verify *v, struct tsr_error *err)
{
    const struct tsr_npu_activation *o = &v->op.activation;
    struct verify_rows *r =
        verify_add(v, o->y, verify_stride(v, o->y_stride, o->out_format, o->cols), o->rows, o->cols,
                   o->out_format, true, err);
    enum tsr_status st = r != NULL ? TSR_OK : TSR_INTERNAL;
    for (uint64_t i = 0; i < o->rows && st == TSR_OK; i++) {
        float *g = verify_read(
            v->s, o->in_format,
            o->gate + i * verify_stride(v, o->gate_stride, o->in_format, o->cols), o->cols, err);
        float *u = verify_read(v->s, o->in_format,
                               o->up + i * verify_stride(v, o->up_stride, o->in_format, o->cols),
                               o->cols, err);
        st = g != NULL && u != NULL ? TSR_OK : TSR_INTERNAL;
        for (uint64_t j = 0; st == TSR_OK && j < o->cols; j++) {
            const double a = fabs((double)g[j]), b = fabs((double)u[j]) + 1;
            float y;
            tsr_gate_ref(o->activation, o->limit, o->alpha, 1, &g[j], &u[j], &y);
            const double t = o->activation == TSR_ACT_GELU_TANH ? 11.4 * a * (1 + 0.0448 * a * a)
                                                                : 1 + 1.5 * fmax(o->alpha, 1) * a;
            verify_set(v, r, i * o->cols + j, (double)y,
                       fabs((double)y) * (8 + t) * 0x1p-24 + 0x1p-50 * a * b);
        }
        free(g);
        free(u);
    }
    return st;
}

/* One token: heads of x turned by c and s; those behind n - keys go to k, the others to r. */
static void turn(const struct verify *v, uint64_t token, const float *x, const float *c,
                 const float *s, struct verify_rows *r, struct verify_rows *k)
{
    const struct tsr_npu_rope *o = &v->op.rope;
    const uint64_t d = o->head_dim, n = o->heads * d;
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t h = i / d, j = i % d, pair = j % (d / 2);
        const double a = (double)x[h * d + pair], b = (double)x[h * d + pair + d / 2];
        const double p = j < d / 2 ? a * (double)c[pair] : b * (double)c[pair];
        const double q = j < d / 2 ? -b * (double)s[pair] : a * (double)s[pair];
        const double e = (fabs(p) + fabs(q)) * 0x1p-23;
        if (i < r->cols)
            verify_set(v, r, token * r->cols + i, p + q, e);
        else
            verify_set(v, k, i - r->cols, p + q, e);
    }
}

/* The turned heads, and the keys among them where they go to the cache. */
enum tsr_status verify_rope(struct verify *v, struct tsr_error *err)
{
    const struct tsr_npu_rope *o = &v->op.rope;
    const uint64_t d = o->head_dim, n = o->heads * d, keys = o->k_cache != 0 ? o->keys : 0;
    const uint64_t turns = (o->one_position ? 1 : o->tokens) * (d / 2);
    const uint64_t stride = verify_stride(v, o->x_stride, o->x_format, n);
    float *c = verify_read(v->s, TSR_F32, o->cosine, turns, err);
    float *s = verify_read(v->s, TSR_F32, o->sine, turns, err);
    struct verify_rows *r = verify_add(v, o->y, verify_stride(v, o->y_stride, o->y_format, n),
                                       o->tokens, n - keys * d, o->y_format, true, err);
    enum tsr_status st = r && c && s ? TSR_OK : TSR_INTERNAL;
    for (uint64_t t = 0; t < o->tokens && st == TSR_OK; t++) {
        const uint64_t at = o->one_position ? 0 : t * (d / 2);
        float *x = verify_read(v->s, o->x_format, o->x + t * stride, n, err);
        struct verify_rows *k = keys != 0
                                    ? verify_add(v, o->k_cache + t * o->k_token_stride,
                                                 o->k_head_stride, keys, d, o->y_format, true, err)
                                    : r;
        st = x != NULL && k != NULL ? TSR_OK : TSR_INTERNAL;
        if (st == TSR_OK)
            turn(v, t, x, c + at, s + at, r, k);
        free(x);
    }
    free(c);
    free(s);
    return st;
}

/* Bytes as they are, whatever their format. */
enum tsr_status verify_kv_append(struct verify *v, struct tsr_error *err)
{
    const struct tsr_npu_kv_append *o = &v->op.kv_append;
    enum tsr_status st = TSR_OK;
    for (uint64_t i = 0; i < o->n[1] * o->n[2] && st == TSR_OK; i++) {
        const uint64_t from = i % o->n[1] * o->src_stride[1] + i / o->n[1] * o->src_stride[2];
        const uint64_t to = i % o->n[1] * o->dst_stride[1] + i / o->n[1] * o->dst_stride[2];
        struct verify_rows *r =
            verify_add(v, o->dst + to, o->dst_stride[0], o->n[0], o->bytes, TSR_I8, false, err);
        st = r != NULL ? TSR_OK : TSR_INTERNAL;
        for (uint64_t h = 0; h < o->n[0] && st == TSR_OK; h++) {
            float *x =
                verify_read(v->s, TSR_I8, o->src + from + h * o->src_stride[0], o->bytes, err);
            if (x != NULL)
                memcpy(r->want + h * o->bytes, x, o->bytes * sizeof *x);
            st = x != NULL ? TSR_OK : TSR_INTERNAL;
            free(x);
        }
    }
    return st;
}
