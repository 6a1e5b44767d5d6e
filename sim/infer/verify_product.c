/* SPDX-License-Identifier: Apache-2.0 */
/* Products of rows as the tensor unit forms them. With S = sum of |a b| over k, in steps of R:
 *   steps     each rounds once to f32: ceil(k / R) 2^-24 S
 *   products  of pairs with a float are cut at 2^-30 of the step's largest (isa/num: 32 bits are
 *             kept), 2^(b - 30) where an operand's significand of b bits is not normalised:
 *             at most R times that of S; 2^-50 for subnormals
 *   groups    under scales of their own, a step's are cut at 2^-16 of the largest one's unit, which
 *             is at most its sum of magnitudes: 2^-16 S for each group but the largest */
#include <math.h>
#include <stdlib.h>

#include "isa/num/num.h"
#include "kernels/npu/slab.h"
#include "kernels/ref.h"
#include "sim/infer/verify.h"

static double significand_bits(const struct tsr_format *f)
{
    return f->ebits != 0 && f->family != TSR_FAMILY_SMX ? 0 : f->bits;
}

/* Error per S. */
static double error_rate(const struct verify_product *p)
{
    const struct tsr_isa *isa = p->s->o.isa;
    const struct tsr_ttu_config *t = &p->s->o.chip->tile.ttu;
    const struct tsr_format *a = &isa->formats[p->a_format], *b = &isa->formats[p->b_format];
    const uint8_t w = a->width_class > b->width_class ? a->width_class : b->width_class;
    const double r = w == 16 ? t->r16 : w == 9 ? t->r9 : t->r6;
    const double bits = fmax(significand_bits(a), significand_bits(b));
    double block = r;
    if (a->block > 1)
        block = fmin(block, a->block);
    if (b->block > 1)
        block = fmin(block, b->block);
    return ceil((double)p->k / r) * 0x1p-24 + r * ldexp(1, (int)bits - 30) +
           (r / block - 1) * 0x1p-16;
}

enum tsr_status verify_slab_row(struct npu *npu, const struct tsr_npu_slab *s, uint64_t address,
                                uint64_t stride, uint64_t row, uint8_t *unit, float *x,
                                struct tsr_error *err)
{
    struct tsr_npu_slab one = *s;
    enum tsr_status st = TSR_OK;
    one.rows = 1;
    for (uint64_t i = 0; i < s->slabs && st == TSR_OK; i++) {
        uint64_t from = address + (stride != 0 ? row * stride : tsr_npu_slab_offset(s, row, i));
        st = tsr_sim_read(npu->sim, from, unit + i * s->unit_bytes, s->unit_bytes, err);
    }
    return st == TSR_OK ? tsr_npu_slab_unpack(&one, 0, unit, (uint32_t *)(void *)x, err) : st;
}

static void dot(uint64_t k, double rate, const float *a, const float *b, double *sum, double *error)
{
    double s = 0, magnitude = 0;
    for (uint64_t q = 0; q < k; q++) {
        const double x = (double)a[q] * (double)b[q];
        s += x;
        magnitude += fabs(x);
    }
    *sum = s;
    *error = magnitude * rate + 0x1p-50 * (double)(k * (magnitude != 0));
}

/* rows: room for m rows of A and one of B. */
static enum tsr_status run(const struct verify_product *p, const struct tsr_npu_slab *a,
                           const struct tsr_npu_slab *b, uint8_t *unit, float *rows, double *sum,
                           double *error, struct tsr_error *err)
{
    const double rate = error_rate(p);
    float *of_b = rows + p->m * p->k;
    enum tsr_status st = TSR_OK;
    for (uint64_t i = 0; i < p->m && st == TSR_OK; i++)
        st = verify_slab_row(p->s, a, p->a, p->a_stride, p->first + i, unit, rows + i * p->k, err);
    for (uint64_t j = 0; j < p->n && st == TSR_OK; j++) {
        st = verify_slab_row(p->s, b, p->b, p->b_stride, j, unit, of_b, err);
        for (uint64_t i = 0; i < p->m; i++)
            dot(p->k, rate, rows + i * p->k, of_b, &sum[i * p->n + j], &error[i * p->n + j]);
    }
    return st;
}

enum tsr_status verify_products(const struct verify_product *p, double *sum, double *error,
                                struct tsr_error *err)
{
    const struct infer_options *o = &p->s->o;
    struct tsr_npu_slab a, b;
    enum tsr_status st =
        tsr_npu_slab_plan(o->isa, o->chip, p->a_format, p->b_format, p->a_rows, p->k, &a, err);
    if (st == TSR_OK)
        st = tsr_npu_slab_plan(o->isa, o->chip, p->b_format, p->a_format, p->n, p->k, &b, err);
    if (st != TSR_OK)
        return st;
    uint8_t *unit = malloc(a.slabs * (a.unit_bytes > b.unit_bytes ? a.unit_bytes : b.unit_bytes));
    float *rows = calloc((p->m + 1) * p->k, sizeof *rows);
    st = unit && rows ? run(p, &a, &b, unit, rows, sum, error, err)
                      : tsr_error_set(err, TSR_INTERNAL, "verify: out of memory");
    free(unit);
    free(rows);
    return st;
}

/* g and u are rounded to f32 for the reference; the activation's own error is derived in
 * sim/suite/suite_activation.c, |act'| < 1.15 and |act(g)| <= |g| pass on theirs. */
void verify_gated(enum tsr_activation act, double limit, double alpha, double g, double eg,
                  double u, double eu, double *y, double *error)
{
    const double a = fabs(g), b = fabs(u) + (act == TSR_ACT_SWIGLU_CLAMP ? 1 : 0);
    const double t =
        act == TSR_ACT_GELU_TANH ? 11.4 * a * (1 + 0.0448 * a * a) : 1 + 1.5 * fmax(alpha, 1) * a;
    const float gf = (float)g, uf = (float)u;
    float out;
    tsr_gate_ref(act, limit, alpha, 1, &gf, &uf, &out);
    eg += a * 0x1p-24;
    eu += fabs(u) * 0x1p-24;
    *y = (double)out;
    *error = fabs(*y) * (9 + t) * 0x1p-24 + 1.15 * eg * (b + eu) + a * eu + 0x1p-50 * a * b;
}
