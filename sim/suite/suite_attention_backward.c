/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of attention against their plain reference.
 *
 * Of a query, head and key, with exact P, dP = dO . v, delta = dO . o, a soft cap's slope g and
 * W = scale P (dP - delta) g (dV: P), the chip's W errs by
 *   relative      half an ULP of the format at 1, its rounding
 *   2^-14         of scale P (sum |dO v| + sum |dO o|): what exp2 is of (|u| <= 16 log2 e, scores
 *                 as in attention_bound.c: 2^-17), exp2 2^-22, dP's rounding a step, g 2^-21
 *   half an ULP   of the same: delta is of an o rounded to the format
 * and W times K, Q, dO adds up in f32: n 2^-24 of the magnitudes, cut at 2^-30. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "isa/num/num.h"
#include "kernels/npu/attention_backward.h"
#include "sim/suite/attention_bound.h"
#include "sim/suite/suite.h"
#include "tessera/attention.h"

enum {
    BATCH = 2 /* at most */
};

struct problem {
    struct suite *s;
    const struct attention_feature_case *c;
    const struct tsr_format *f;
    struct tsr_attention what;
    struct tsr_npu_attention_backward op;
    uint32_t q_len[BATCH], kv_len[BATCH], prefix[BATCH];
    float *q, *k, *v, *o, *lse, *d_o, *sinks, *slopes;
    uint8_t *mask;
    size_t n[3];    /* of dQ, dK, dV */
    float *want[3]; /* and these */
    double *bound[3];
};

/* ---- the bound ------------------------------------------------------------------------------ */

static double dot(const float *x, const float *y, size_t n, double *size)
{
    double sum = 0;
    *size = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i] * y[i];
        *size += fabs((double)x[i] * y[i]);
    }
    return sum;
}

static bool sees(const struct problem *p, size_t b, size_t i, size_t j)
{
    const struct tsr_attention *a = &p->what;
    const long ahead = (long)j - (long)(p->c->kv - p->c->q + i);
    const bool inside = a->prefix && j < a->prefix[b];
    return (inside || !a->causal || ahead <= 0) &&
           (inside || a->window == 0 || -ahead < (long)a->window) &&
           (!a->mask || a->mask[(b * p->c->q + i) * p->c->kv + j]);
}

static void add(double *to, double by, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] += by * fabs((double)x[i]);
}

/* What a pair adds to the bounds; row, key: their numbers in the tensors. */
static void bound_pair(struct problem *p, size_t row, size_t key, size_t h, long distance)
{
    const struct attention_feature_case *c = p->c;
    const float *q = p->q + row * c->d, *k = p->k + key * c->d, *v = p->v + key * c->v_d,
                *d_o = p->d_o + row * c->v_d;
    const double half = ldexp(1, -(int)p->f->mbits - 1), sums = (c->q + c->kv) * c->heads * 0x1p-23;
    double ignored, sizes[2], g = 1, x = p->what.scale * dot(q, k, c->d, &ignored);
    if (c->softcap != 0) {
        g = 1 - tanh(x / c->softcap) * tanh(x / c->softcap);
        x = c->softcap * tanh(x / c->softcap);
    }
    x += p->what.slopes ? (double)p->slopes[h] * (double)distance : 0;
    double w = exp(x - (double)p->lse[row]), d_p = dot(d_o, v, c->v_d, &sizes[0]),
           delta = dot(d_o, p->o + row * c->v_d, c->v_d, &sizes[1]);
    double e = p->what.scale * w *
               ((half + sums) * fabs(d_p - delta) * g + (0x1p-14 + half) * (sizes[0] + sizes[1]));
    add(p->bound[0] + row * c->d, 1.05 * e, k, c->d);
    add(p->bound[1] + key * c->d, 1.05 * e, q, c->d);
    add(p->bound[2] + key * c->v_d, 1.05 * w * (half + 0x1p-14 + sums), d_o, c->v_d);
}

static void bounds(struct problem *p)
{
    const struct attention_feature_case *c = p->c;
    const size_t group = c->heads / c->kv_heads;
    for (size_t b = 0; b < c->batch; b++)
        for (size_t i = 0; i < c->q; i++)
            for (size_t j = 0; j < c->kv; j++)
                for (size_t h = 0; h < c->heads && sees(p, b, i, j); h++)
                    bound_pair(p, (b * c->q + i) * c->heads + h,
                               (b * c->kv + j) * c->kv_heads + h / group, h,
                               (long)j - (long)(c->kv - c->q + i));
}

/* ---- tensors -------------------------------------------------------------------------------- */

static enum tsr_status allocate(struct problem *p, struct tsr_error *err)
{
    const struct attention_feature_case *c = p->c;
    const size_t rows = (size_t)c->batch * c->q * c->heads,
                 keys = (size_t)c->batch * c->kv * c->kv_heads;
    p->n[0] = rows * c->d;
    p->n[1] = keys * c->d;
    p->n[2] = keys * c->v_d;
    const struct {
        float **to;
        size_t n;
    } all[] = {{&p->q, p->n[0]},       {&p->k, p->n[1]},       {&p->v, p->n[2]},
               {&p->o, rows * c->v_d}, {&p->lse, rows},        {&p->d_o, rows * c->v_d},
               {&p->sinks, c->heads},  {&p->slopes, c->heads}, {&p->want[0], p->n[0]},
               {&p->want[1], p->n[1]}, {&p->want[2], p->n[2]}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!(*all[i].to = suite_alloc(p->s, all[i].n * 4, err)))
            return TSR_INTERNAL;
    for (int i = 0; i < 3; i++)
        if (!(p->bound[i] = suite_alloc(p->s, p->n[i] * sizeof **p->bound, err)))
            return TSR_INTERNAL;
    p->mask = suite_alloc(p->s, (size_t)c->batch * c->q * c->kv, err);
    return p->mask ? TSR_OK : TSR_INTERNAL;
}

static void draw(struct problem *p)
{
    const struct attention_feature_case *c = p->c;
    for (size_t b = 0; b < c->batch; b++) {
        p->q_len[b] = c->q;
        p->kv_len[b] = c->kv;
        p->prefix[b] = 1 + (uint32_t)suite_random_below(p->s, c->kv);
    }
    suite_fill(p->s, p->f, SUITE_UNIT, p->q, p->n[0]);
    suite_fill(p->s, p->f, SUITE_UNIT, p->k, p->n[1]);
    suite_fill(p->s, p->f, SUITE_UNIT, p->v, p->n[2]);
    suite_fill(p->s, p->f, SUITE_UNIT, p->d_o, (size_t)c->batch * c->q * c->heads * c->v_d);
    suite_fill(p->s, suite_format(p->s, TSR_F32), SUITE_UNIT, p->sinks, c->heads);
    for (size_t h = 0; h < c->heads; h++)
        p->slopes[h] = ldexpf(1, -(int)(h % 8) - 2);
    for (size_t i = 0; i < (size_t)c->batch * c->q * c->kv; i++)
        p->mask[i] = suite_random_below(p->s, 3) != 0;
    p->what = attention_of(c, p->q_len, p->kv_len, p->prefix, p->mask, p->sinks, p->slopes);
    tsr_attention_plain(&p->what, p->q, p->k, p->v, p->o, p->lse);
}

/* [batch][query][head] to [batch][head][query]. */
static enum tsr_status place_lse(struct problem *p, struct tsr_error *err)
{
    const struct attention_feature_case *c = p->c;
    const size_t n = (size_t)c->batch * c->q * c->heads;
    float *x = suite_alloc(p->s, n * 4, err);
    if (!x)
        return TSR_INTERNAL;
    for (size_t i = 0; i < n; i++)
        x[(i / c->heads / c->q * c->heads + i % c->heads) * c->q + i / c->heads % c->q] = p->lse[i];
    return suite_place(p->s, SUITE_IN, suite_format(p->s, TSR_F32), x, n, &p->op.lse, err);
}

/* Both ways round; heads share it. */
static enum tsr_status place_mask(struct problem *p, struct tsr_error *err)
{
    const struct attention_feature_case *c = p->c;
    const size_t pairs = (size_t)c->q * c->kv, n = c->batch * pairs;
    uint8_t *turned = suite_alloc(p->s, n, err);
    if (!turned)
        return TSR_INTERNAL;
    for (size_t i = 0; i < n; i++)
        turned[i / pairs * pairs + i % c->kv * c->q + i % pairs / c->kv] = p->mask[i];
    p->op.has_mask = true;
    p->op.mask = (struct tsr_npu_rows){0, pairs, c->q, 0};
    p->op.mask_t = (struct tsr_npu_rows){0, pairs, c->kv, 0};
    enum tsr_status st = suite_place_bytes(p->s, SUITE_IN, turned, n, &p->op.mask.address, err);
    return st == TSR_OK ? suite_place_bytes(p->s, SUITE_IN, p->mask, n, &p->op.mask_t.address, err)
                        : st;
}

static enum tsr_status place(struct problem *p, struct tsr_error *err)
{
    const struct attention_feature_case *c = p->c;
    const struct tsr_format *f32 = suite_format(p->s, TSR_F32);
    struct tsr_npu_attention_backward *op = &p->op;
    const size_t rows = (size_t)c->batch * c->q * c->heads;
    uint64_t *const results[] = {&op->d_q.address, &op->d_k.address, &op->d_v.address};
    const struct {
        const float *x;
        size_t n;
        uint64_t *to;
    } in[] = {{p->q, p->n[0], &op->q.address},
              {p->k, p->n[1], &op->k.address},
              {p->v, p->n[2], &op->v.address},
              {p->o, rows * c->v_d, &op->o.address},
              {p->d_o, rows * c->v_d, &op->d_o.address}};
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < sizeof in / sizeof *in && st == TSR_OK; i++)
        st = suite_place(p->s, SUITE_IN, p->f, in[i].x, in[i].n, in[i].to, err);
    for (int i = 0; i < 3 && st == TSR_OK; i++)
        st = suite_place(p->s, SUITE_OUT, f32, NULL, p->n[i], results[i], err);
    if (st == TSR_OK)
        st = suite_place(p->s, SUITE_OUT, f32, NULL, rows, &op->delta, err);
    if (st == TSR_OK)
        st = place_lse(p, err);
    if (st == TSR_OK && p->what.mask)
        st = place_mask(p, err);
    if (st == TSR_OK && p->what.slopes)
        st = suite_place(p->s, SUITE_IN, f32, p->slopes, c->heads, &op->slopes, err);
    return st;
}

/* ---- a case --------------------------------------------------------------------------------- */

static void describe(struct problem *p)
{
    const struct attention_feature_case *c = p->c;
    p->op.batch = c->batch;
    p->op.heads = c->heads;
    p->op.kv_heads = c->kv_heads;
    p->op.head_dim = c->d;
    p->op.v_dim = c->v_d;
    p->op.q_len = c->q;
    p->op.kv_len = c->kv;
    p->op.causal = p->what.causal;
    p->op.window = c->window;
    p->op.prefix = p->what.prefix;
    p->op.has_slopes = p->what.slopes != NULL;
    p->op.scale = p->what.scale;
    p->op.softcap = c->softcap;
    p->op.format = c->format;
}

static enum tsr_status compare(struct problem *p, struct tsr_error *err)
{
    static const char *const name[] = {"dQ", "dK", "dV"};
    const uint64_t at[] = {p->op.d_q.address, p->op.d_k.address, p->op.d_v.address};
    tsr_attention_backward(&p->what, p->q, p->k, p->v, p->o, p->lse, p->d_o, p->want[0], p->want[1],
                           p->want[2]);
    bounds(p);
    for (int i = 0; i < 3; i++) {
        float *got = suite_alloc(p->s, p->n[i] * 4, err);
        enum tsr_status st =
            got ? suite_read(p->s, suite_format(p->s, TSR_F32), at[i], got, p->n[i], err)
                : TSR_INTERNAL;
        if (st != TSR_OK)
            return st;
        suite_compare(p->s, name[i], got, p->want[i], p->bound[i], p->n[i]);
    }
    return TSR_OK;
}

static enum tsr_status one(struct suite *s, const struct attention_feature_case *c,
                           struct tsr_error *err)
{
    struct problem p = {.s = s, .c = c, .f = suite_format(s, c->format)};
    char variant[64];
    snprintf(variant, sizeof variant, "%s %ux%u:%u of %u", c->name, c->batch, c->heads, c->kv_heads,
             c->v_d);
    enum tsr_status st = suite_begin(s, p.f, c->q, c->kv, c->d, variant, err);
    if (st == TSR_OK)
        st = allocate(&p, err);
    if (st == TSR_OK)
        draw(&p);
    if (st == TSR_OK)
        st = place(&p, err);
    if (st == TSR_OK)
        describe(&p);
    for (int part = 0; part < TSR_GRADIENTS && st == TSR_OK; part++) {
        struct tsr_program program = {0};
        st = tsr_npu_attention_backward(s->isa, s->chip, &p.op, (enum tsr_npu_gradient)part,
                                        &program, err);
        if (st == TSR_OK)
            st = suite_execute(s, &program, err);
    }
    return st == TSR_OK ? compare(&p, err) : st;
}

/* name, batch heads:kv_heads, d, v's, q, kv, features, window, soft cap, format; the cache's is
 * that */
static const struct attention_feature_case small_cases[] = {
    {"plain", 1, 2, 1, 16, 16, 9, 20, 0, 0, 0, TSR_BF16, 0},
    {"causal", 1, 2, 2, 24, 16, 37, 37, CAUSAL, 0, 0, TSR_BF16, 0},
    {"sinks", 1, 2, 1, 16, 16, 12, 30, CAUSAL | SINKS, 0, 0, TSR_F16, 0},
    {"window", 1, 1, 1, 16, 16, 30, 41, CAUSAL, 9, 0, TSR_BF16, 0},
    {"softcap", 1, 2, 1, 16, 8, 18, 25, CAUSAL, 0, 2.5, TSR_BF16, 0},
    {"alibi", 1, 2, 2, 16, 16, 18, 25, CAUSAL | SLOPES, 0, 0, TSR_BF16, 0},
    {"mask", 2, 2, 1, 16, 16, 11, 19, MASK, 0, 0, TSR_BF16, 0},
    {"all", 1, 2, 1, 16, 16, 14, 30, CAUSAL | MASK | SLOPES | SINKS, 12, 4, TSR_BF16, 0},
    {"prefix", 2, 2, 1, 16, 16, 20, 25, CAUSAL | PREFIX, 7, 0, TSR_BF16, 0},
    {"passes", 1, 9, 1, 8, 8, 92, 20, SINKS, 0, 0, TSR_BF16, 0}, /* its rows do not all fit */
};
static const struct attention_feature_case large_cases[] = {
    {"causal", 1, 2, 1, 128, 128, 150, 150, CAUSAL, 0, 0, TSR_BF16, 0},
    {"all", 1, 2, 2, 64, 64, 70, 140, CAUSAL | MASK | SLOPES | SINKS, 40, 4, TSR_BF16, 0},
};

enum tsr_status suite_attention_backward(struct suite *s, struct tsr_error *err)
{
    const bool large = tsr_chip_tiles(s->chip) > 16;
    const struct attention_feature_case *own = large ? large_cases : small_cases;
    struct attention_feature_case user = {"user", 1, 4, 2, 0, 0, 0, 0, 0, 0, 0, TSR_BF16, 0};
    size_t n = large ? sizeof large_cases / sizeof *own : sizeof small_cases / sizeof *own;
    enum tsr_status st = TSR_OK;
    if (s->shape.m != 0) {
        user.q = (uint32_t)s->shape.m;
        user.kv = (uint32_t)s->shape.n;
        user.d = user.v_d = (uint32_t)s->shape.k;
        user.features = user.q <= user.kv ? CAUSAL : 0;
        own = &user;
        n = 1;
    }
    for (size_t i = 0; i < n && st == TSR_OK; i++)
        if (suite_wants(s, own[i].format))
            st = one(s, &own[i], err);
    return st;
}
