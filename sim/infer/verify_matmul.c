/* SPDX-License-Identifier: Apache-2.0 */
/* C = A B^T with bias, gate and residual. With S = sum of |a b| over k, in steps of R:
 *   steps     each rounds once to f32: ceil(k / R) 2^-24 S
 *   products  of pairs with a float are cut at 2^-30 of the step's largest (isa/num: 32 bits are
 *             kept), 2^(b - 30) where an operand's significand of b bits is not normalised:
 *             at most R times that of S; 2^-50 for subnormals
 *   groups    under scales of their own, a step's are cut at 2^-16 of the largest one's unit, which
 *             is at most its sum of magnitudes: 2^-16 S for each group but the largest
 *   bias, residual  one addition in f32 each
 *   gate      g u / (1 + 2^(-g log2 e)): as sim/suite derives it, (|g| + 4) 2^-23 relative, and
 *             the errors of g and u through slopes of at most 1.1 and |silu(g)|.
 * Plain integers: equal, as long as sums stay below 2^24, beyond which f32 rounds them here. */
#include <math.h>
#include <stdlib.h>

#include "isa/num/num.h"
#include "kernels/npu/slab.h"
#include "sim/infer/verify.h"

struct product {
    struct verify *v;
    const struct tsr_npu_matmul *m;
    struct tsr_npu_slab a, b;
    float *row_a, *row_b, *bias, *residual;
    uint8_t *unit;
    double *sum, *error; /* [n], of a row of C */
    double rate;         /* error per S */
};

static double significand_bits(const struct tsr_format *f)
{
    return f->ebits != 0 && f->family != TSR_FAMILY_SMX ? 0 : f->bits;
}

static double error_rate(const struct product *p)
{
    const struct tsr_isa *isa = p->v->s->o.isa;
    const struct tsr_ttu_config *t = &p->v->s->o.chip->tile.ttu;
    const struct tsr_format *a = &isa->formats[p->m->a_format], *b = &isa->formats[p->m->b_format];
    const uint8_t w = a->width_class > b->width_class ? a->width_class : b->width_class;
    const double r = w == 16 ? t->r16 : w == 9 ? t->r9 : t->r6;
    const double bits = fmax(significand_bits(a), significand_bits(b));
    double block = r;
    if (a->block > 1)
        block = fmin(block, a->block);
    if (b->block > 1)
        block = fmin(block, b->block);
    return ceil((double)p->m->k / r) * 0x1p-24 + r * ldexp(1, (int)bits - 30) +
           (r / block - 1) * 0x1p-16;
}

/* Row `row` of an operand into x: gathered from its slabs. */
static enum tsr_status read_row(const struct product *p, const struct tsr_npu_slab *s,
                                uint64_t address, uint64_t stride, uint64_t row, float *x,
                                struct tsr_error *err)
{
    struct tsr_npu_slab one = *s;
    enum tsr_status st = TSR_OK;
    one.rows = 1;
    for (uint64_t i = 0; i < s->slabs && st == TSR_OK; i++) {
        uint64_t from = address + (stride != 0 ? row * stride : tsr_npu_slab_offset(s, row, i));
        st = tsr_sim_read(p->v->s->sim, from, p->unit + i * s->unit_bytes, s->unit_bytes, err);
    }
    return st == TSR_OK ? tsr_npu_slab_unpack(&one, 0, p->unit, (uint32_t *)(void *)x, err) : st;
}

/* Sums of a row of A with all of B. */
static enum tsr_status sums_of_row(struct product *p, uint64_t i, struct tsr_error *err)
{
    const struct tsr_npu_matmul *m = p->m;
    enum tsr_status st = read_row(p, &p->a, m->a, m->a_stride, i, p->row_a, err);
    for (uint64_t j = 0; j < m->n && st == TSR_OK; j++) {
        double sum = 0, magnitude = 0;
        st = read_row(p, &p->b, m->b, m->b_stride, j, p->row_b, err);
        for (uint64_t q = 0; q < m->k; q++) {
            double x = (double)p->row_a[q] * (double)p->row_b[q];
            sum += x;
            magnitude += fabs(x);
        }
        p->error[j] = magnitude * p->rate + 0x1p-50 * (double)(m->k * (magnitude != 0));
        if (m->has_bias) {
            sum += (double)p->bias[j];
            p->error[j] += fabs(sum) * 0x1p-24;
        }
        p->sum[j] = sum;
    }
    return st;
}

static void finish_row(struct product *p, struct verify_rows *r, uint64_t i)
{
    const struct tsr_npu_matmul *m = p->m;
    for (uint64_t j = 0; j < r->cols; j++) {
        double x = p->sum[j], e = p->error[j];
        if (m->epilogue == TSR_EPILOGUE_RESIDUAL) {
            x += (double)p->residual[j];
            e += (fabs(x) + e) * 0x1p-24;
        } else if (m->epilogue == TSR_EPILOGUE_SILU_GATE) {
            const double g = x, u = p->sum[r->cols + j], eu = p->error[r->cols + j];
            const double silu = g / (1 + exp(-g));
            x = silu * u;
            e = fabs(x) * (fabs(g) + 4) * 0x1p-23 + 1.1 * e * (fabs(u) + eu) + fabs(silu) * eu +
                0x1p-100 * fabs(u);
        }
        if (r->bound != NULL)
            verify_set(p->v, r, i * r->cols + j, x, e);
        else
            r->want[i * r->cols + j] = (float)x;
    }
}

static enum tsr_status all_rows(struct product *p, struct tsr_error *err)
{
    const struct tsr_npu_matmul *m = p->m;
    const bool integer = m->c_format == TSR_I32, gate = m->epilogue == TSR_EPILOGUE_SILU_GATE;
    struct npu *s = p->v->s;
    const enum tsr_dtype rf = m->c_format;
    struct verify_rows *r = verify_add(p->v, m->c, m->c_stride, m->m, gate ? m->n / 2 : m->n,
                                       m->c_format, !integer, err);
    enum tsr_status st = r != NULL ? TSR_OK : TSR_INTERNAL;
    if (st == TSR_OK && m->has_bias)
        p->bias = verify_read(s, integer ? TSR_I32 : TSR_F32, m->bias, m->n, err);
    if (st == TSR_OK && m->has_bias && p->bias == NULL)
        return TSR_INTERNAL;
    for (uint64_t i = 0; i < m->m && st == TSR_OK; i++) {
        const uint64_t stride =
            m->residual_stride != 0 ? m->residual_stride : m->n * s->o.isa->formats[rf].bits / 8;
        if (m->epilogue == TSR_EPILOGUE_RESIDUAL) {
            free(p->residual);
            p->residual = verify_read(s, rf, m->residual + i * stride, m->n, err);
            if (p->residual == NULL)
                return TSR_INTERNAL;
        }
        st = sums_of_row(p, i, err);
        if (st == TSR_OK)
            finish_row(p, r, i);
    }
    return st;
}

enum tsr_status verify_matmul(struct verify *v, struct tsr_error *err)
{
    struct product p = {.v = v, .m = &v->op.matmul};
    const struct tsr_npu_matmul *m = p.m;
    const struct infer_options *o = &v->s->o;
    if (o->isa->formats[m->c_format].block > 1)
        return TSR_OK; /* blocks of C: left out */
    enum tsr_status st =
        tsr_npu_slab_plan(o->isa, o->chip, m->a_format, m->b_format, m->m, m->k, &p.a, err);
    if (st == TSR_OK)
        st = tsr_npu_slab_plan(o->isa, o->chip, m->b_format, m->a_format, m->n, m->k, &p.b, err);
    if (st != TSR_OK)
        return st;
    const uint64_t units =
        p.a.slabs * (p.a.unit_bytes > p.b.unit_bytes ? p.a.unit_bytes : p.b.unit_bytes);
    p.rate = error_rate(&p);
    p.row_a = malloc(m->k * sizeof *p.row_a);
    p.row_b = malloc(m->k * sizeof *p.row_b);
    p.unit = malloc(units);
    p.sum = malloc(m->n * sizeof *p.sum);
    p.error = malloc(m->n * sizeof *p.error);
    st = p.row_a && p.row_b && p.unit && p.sum && p.error
             ? all_rows(&p, err)
             : tsr_error_set(err, TSR_INTERNAL, "verify: out of memory");
    free(p.row_a);
    free(p.row_b);
    free(p.unit);
    free(p.sum);
    free(p.error);
    free(p.bias);
    free(p.residual);
    return st;
}
