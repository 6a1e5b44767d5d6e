/* SPDX-License-Identifier: Apache-2.0 */
/* C = A B^T with bias, gate and residual: the sums' error (verify_product.c), then
 *   bias, residual  one addition in f32 each
 *   gate      g u / (1 + 2^(-g log2 e)): as sim/suite derives it, (|g| + 4) 2^-23 relative, and
 *             the errors of g and u through slopes of at most 1.1 and |silu(g)|.
 * Plain integers: equal, as long as sums stay below 2^24, beyond which f32 rounds them here. */
#include <math.h>
#include <stdlib.h>

#include "sim/infer/verify.h"

struct work {
    struct verify *v;
    const struct tsr_npu_matmul *m;
    float *bias, *residual;
    double *sum, *error; /* [m][n] */
};

static void add_bias(struct work *w)
{
    const struct tsr_npu_matmul *m = w->m;
    for (uint64_t i = 0; i < m->m * m->n && w->bias != NULL; i++) {
        w->sum[i] += (double)w->bias[i % m->n];
        w->error[i] += fabs(w->sum[i]) * 0x1p-24;
    }
}

static void finish_row(struct work *w, struct verify_rows *r, uint64_t i)
{
    const struct tsr_npu_matmul *m = w->m;
    const double *sum = w->sum + i * m->n, *error = w->error + i * m->n;
    for (uint64_t j = 0; j < r->cols; j++) {
        double x = sum[j], e = error[j];
        if (m->epilogue == TSR_EPILOGUE_RESIDUAL) {
            x += (double)w->residual[j];
            e += (fabs(x) + e) * 0x1p-24;
        } else if (m->epilogue == TSR_EPILOGUE_SILU_GATE) {
            const double g = x, u = sum[r->cols + j], eu = error[r->cols + j];
            const double silu = g / (1 + exp(-g));
            x = silu * u;
            e = fabs(x) * (fabs(g) + 4) * 0x1p-23 + 1.1 * e * (fabs(u) + eu) + fabs(silu) * eu +
                0x1p-100 * fabs(u);
        }
        if (r->bound != NULL)
            verify_set(w->v, r, i * r->cols + j, x, e);
        else
            r->want[i * r->cols + j] = (float)x;
    }
}

static enum tsr_status finish(struct work *w, struct verify_rows *r, struct tsr_error *err)
{
    const struct tsr_npu_matmul *m = w->m;
    const uint64_t stride = verify_stride(w->v, m->residual_stride, m->c_format, m->n);
    for (uint64_t i = 0; i < m->m; i++) {
        if (m->epilogue == TSR_EPILOGUE_RESIDUAL) {
            free(w->residual);
            w->residual = verify_read(w->v->s, m->c_format, m->residual + i * stride, m->n, err);
            if (w->residual == NULL)
                return TSR_INTERNAL;
        }
        finish_row(w, r, i);
    }
    return TSR_OK;
}

static enum tsr_status run(struct work *w, struct tsr_error *err)
{
    const struct tsr_npu_matmul *m = w->m;
    const bool integer = m->c_format == TSR_I32, gate = m->epilogue == TSR_EPILOGUE_SILU_GATE;
    const struct verify_product p = {w->v->s, m->a_format, m->b_format, m->a, m->a_stride, m->m, 0,
                                     m->m,    m->b,        m->b_stride, m->n, m->k};
    struct verify_rows *r = verify_add(w->v, m->c, m->c_stride, m->m, gate ? m->n / 2 : m->n,
                                       m->c_format, !integer, err);
    if (r == NULL)
        return TSR_INTERNAL;
    if (m->has_bias)
        w->bias = verify_read(w->v->s, integer ? TSR_I32 : TSR_F32, m->bias, m->n, err);
    if (m->has_bias && w->bias == NULL)
        return TSR_INTERNAL;
    enum tsr_status st = verify_products(&p, w->sum, w->error, err);
    add_bias(w);
    return st == TSR_OK ? finish(w, r, err) : st;
}

enum tsr_status verify_matmul(struct verify *v, struct tsr_error *err)
{
    struct work w = {.v = v, .m = &v->op.matmul};
    if (v->s->o.isa->formats[w.m->c_format].block > 1)
        return TSR_OK; /* blocks of C: left out */
    w.sum = calloc(w.m->m * w.m->n, sizeof *w.sum);
    w.error = calloc(w.m->m * w.m->n, sizeof *w.error);
    enum tsr_status st =
        w.sum && w.error ? run(&w, err) : tsr_error_set(err, TSR_INTERNAL, "verify: out of memory");
    free(w.sum);
    free(w.error);
    free(w.bias);
    free(w.residual);
    return st;
}
