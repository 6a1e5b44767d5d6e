/* SPDX-License-Identifier: Apache-2.0 */
/* C = A B^T with bias, gate and residual: the sums' error (verify_product.c), then
 *   bias, residual  one addition in f32 each
 *   gate      g u / (1 + 2^(-g log2 e)): as sim/suite derives it, (|g| + 4) 2^-23 relative, and
 *             the errors of g and u through slopes of at most 1.1 and |silu(g)|.
 *   blocks    the value's error, and what quantizing may move it by, B the block's largest
 *             magnitude, errors included: of a float element x 2^-mbits |x| (saturation; half a
 *             step is half of that) and half a step of its subnormals under the largest scale, at
 *             most 2^(2 - mbits - 2^ebits) B; mx9/6/4 one step at B, 2^(1 - mbits) B; mxi8 and
 *             q8_0 2^-6 B, q4_0 2^-2 B, where a step is B / 64, B / 127, B / 8; nvf4 half a step
 *             of B / 6 and 2^-4 B that its scale's rounding moves; least scales 2^-17, 2^-8
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

/* Shares of its own magnitude and of its block's that quantizing may move a value by. */
static void block_rates(const struct tsr_format *f, double *own, double *block, double *least)
{
    *own = f->ebits != 0 && f->family != TSR_FAMILY_SMX ? ldexp(1, -f->mbits) : 0;
    *least = 0x1p-120;
    if (f->family == TSR_FAMILY_SMX) {
        *block = ldexp(1, 1 - f->mbits);
    } else if (f->family == TSR_FAMILY_GGUF) {
        *block = f->bits == 8 ? 0x1p-6 : 0x1p-2;
        *least = 0x1p-17;
    } else if (f->family == TSR_FAMILY_NVF) {
        *block = 0x1p-4 + 0x1p-3;
        *least = 0x1p-8;
    } else {
        *block = f->ebits != 0 ? ldexp(1, 2 - f->mbits - (1 << f->ebits)) : 0x1p-6;
    }
}

/* A row's bounds, of values so far, for values in blocks. */
static void bound_blocks(const struct tsr_format *f, struct verify_rows *r, uint64_t row)
{
    const float *want = r->want + row * r->cols;
    double *bound = r->bound + row * r->cols, own, share, least;
    block_rates(f, &own, &share, &least);
    for (uint64_t at = 0; at < r->cols; at += f->block) {
        const uint64_t end = at + f->block < r->cols ? at + f->block : r->cols;
        double most = 0;
        for (uint64_t j = at; j < end; j++)
            most = fmax(most, fabs((double)want[j]) + bound[j]);
        for (uint64_t j = at; j < end; j++)
            bound[j] += own * (fabs((double)want[j]) + bound[j]) + share * most + least;
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
        if (r->slab.rows != 0) {
            r->want[i * r->cols + j] = (float)x;
            r->bound[i * r->cols + j] = e + fabs(x) * 0x1p-24;
        } else if (r->bound != NULL)
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
        if (r->slab.rows != 0)
            bound_blocks(r->slab.format, r, i);
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
    const struct infer_options *o = &w->v->s->o;
    enum tsr_status st = TSR_OK;
    if (o->isa->formats[m->c_format].block > 1)
        st = tsr_npu_slab_plan(o->isa, o->chip, m->c_format, m->c_partner, r->rows, r->cols,
                               &r->slab, err);
    if (m->has_bias)
        w->bias = verify_read(w->v->s, integer ? TSR_I32 : TSR_F32, m->bias, m->n, err);
    if (m->has_bias && w->bias == NULL)
        return TSR_INTERNAL;
    if (st == TSR_OK)
        st = verify_products(&p, w->sum, w->error, err);
    add_bias(w);
    return st == TSR_OK ? finish(w, r, err) : st;
}

enum tsr_status verify_matmul(struct verify *v, struct tsr_error *err)
{
    struct work w = {.v = v, .m = &v->op.matmul};
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
