/* SPDX-License-Identifier: Apache-2.0 */
/* Of one query and head, with exact logits s_i, u_i = scale log2(e) s_i and weights
 * w_i = 2^u_i / (sum of them and of the sink): the chip's u'_i, m and p'_i = 2^(u'_i - m) err by
 *   score   mma cuts each product at 2^-30 of the step's largest (isa/num: 32 bits are kept) and
 *           rounds once a step of R: ds = d 2^-30 max|qk| + ceil(d / R) 2^-24 sum|qk|;
 *           2^-(31 - b) where K's significands have b bits, of which the least has one
 *   u       log2(e) scale rounded, one product, one difference with m, |m| <= max|u| + 1:
 *           du = scale log2(e) ds + (4 max|u| + 2) 2^-24; a soft cap c: the same through a slope of
 *           at most 1, and c log2(e) 2^-20 for exp2, rcp and the cancellation of 1 - 2 / (1 + x);
 *           ALiBi: log2(e) rounded, times the slope rounded, and the fused sum:
 *           2 (slope distance) log2(e) 2^-24 + |u| 2^-24; twice that
 *   p       ln 2 du + 2^-22 relative (exp2), then, for P V but not for the sum, half an ULP of the
 *           format at 1 relative; f16 has none below 2^-14: 2^-25 absolute, with m within 1 of the
 *           largest u, so at most 2^-24 of the largest weight: times sum|v|;
 *           f8e4m3 holds 2^8 p, least steps of 2^-9: 2^-10 of 2^7 at least, 2^-17 likewise
 *   sums    n additions in f32: n 2^-24 each of l and, step by step of R, of P V, whose products
 *           are cut at 2^-30: n 2^-29 covers both
 *   merge   of a split context, for each part: the sum of l, 1 / L, the factor's product, the sum
 *           of O: 2^-22 a part
 *   result  1 / l, one product: 2^-22 |o|; half an ULP of the format
 *   lse     an error of l enters as it is, relative; log2 within 2^-22 of 1 + |log2 l|, one sum,
 * one product, ln 2 rounded: 2^-22 (|max u| + log2 n + 2) Errors of p enter numerator and
 * denominator: twice. With A = sum of w_i |v_i| >= |o|: |error| <= A (half ULP of the format at 1 +
 * 2 (ln 2 du + 2^-22) + 3 n 2^-24 + 2^-22 (1 + parts))
 *              + half an ULP at |o| and that (+ 2^-24, 2^-17 sum|v| for f16, f8); 5 % cover second
 * orders. */
#include "sim/suite/attention_bound.h"

#include <assert.h>
#include <math.h>

#include "sim/suite/suite.h"

struct tsr_attention attention_of(const struct attention_feature_case *c, const uint32_t *q_len,
                                  const uint32_t *kv_len, const uint32_t *prefix,
                                  const uint8_t *mask, const float *sinks, const float *slopes)
{
    return (struct tsr_attention){.batch = c->batch,
                                  .q_len = q_len,
                                  .kv_len = kv_len,
                                  .heads = c->heads,
                                  .kv_heads = c->kv_heads,
                                  .dim = c->d,
                                  .value_dim = c->v_d,
                                  .scale = 1 / sqrt(c->d),
                                  .softcap = c->softcap,
                                  .causal = (c->features & CAUSAL) != 0,
                                  .window = c->window,
                                  .prefix = c->features & PREFIX ? prefix : NULL,
                                  .mask = c->features & MASK ? mask : NULL,
                                  .sinks = c->features & SINKS ? sinks : NULL,
                                  .slopes = c->features & SLOPES ? slopes : NULL};
}

static const double log2_e = 1.4426950408889634;

/* A query and head: what it sees. */
struct row {
    const struct attention_bound *b;
    size_t sequence, head, keys; /* keys of the sequence */
    long position;
    const uint8_t *mask; /* of its keys, or null */
};

static bool sees(const struct row *r, size_t key)
{
    const struct tsr_attention *a = r->b->what;
    const long j = (long)key;
    bool near =
        (!a->causal || j <= r->position) && (a->window == 0 || j > r->position - (long)a->window);
    return (near || (a->prefix && key < a->prefix[r->sequence])) && (!r->mask || r->mask[key]);
}

static void logit(const struct row *r, size_t key, const float *q, const float *k, double *u,
                  double *du)
{
    const struct attention_bound *b = r->b;
    const struct tsr_attention *a = b->what;
    double dot = 0, most = 0, magnitude = 0, cut = 0x1p-30;
    if (b->kv != b->f)
        cut = ldexp(1, (b->kv->ebits ? b->kv->mbits + 1 : b->kv->bits) - 31);
    for (size_t i = 0; i < a->dim; i++) {
        double x = (double)q[i] * k[i];
        dot += x;
        magnitude += fabs(x);
        most = fmax(most, fabs(x));
    }
    double steps = ceil((double)a->dim / b->chip->tile.ttu.r16);
    *du = a->scale * log2_e * ((double)a->dim * cut * most + steps * 0x1p-24 * magnitude);
    *du += fabs(a->scale * log2_e * dot) * 0x1p-22; /* also before a soft cap makes u small */
    *u = a->scale * dot * log2_e;
    if (a->softcap != 0) {
        *u = a->softcap * log2_e * tanh(a->scale * dot / a->softcap);
        *du += a->softcap * log2_e * 0x1p-20;
    }
    if (a->slopes) {
        double bias = a->slopes[r->head] * (double)((long)key - r->position) * log2_e;
        *u += bias;
        *du += fabs(bias) * 0x1p-22 + fabs(*u) * 0x1p-23;
    }
}

/* k, v: of the row's key head, from the sequence's first key on. */
static void bound_row(const struct row *r, const float *q, const float *k, const float *v,
                      const float *o, double *bound, double *lse)
{
    const struct attention_bound *b = r->b;
    const struct tsr_attention *a = b->what;
    const double sink = a->sinks ? a->sinks[r->head] * log2_e : -INFINITY;
    double max_u = a->sinks ? fabs(sink) : 0, worst = 0, top = sink, l = 0, n = 0, du;
    double u[ATTENTION_BOUND_KEYS];
    for (size_t t = 0; t < r->keys; t++) {
        u[t] = -INFINITY;
        if (!sees(r, t))
            continue;
        logit(r, t, q, k + t * a->kv_heads * a->dim, &u[t], &du);
        if (u[t] == -INFINITY) /* weighs nothing, and without an error */
            continue;
        max_u = fmax(max_u, fabs(u[t]));
        worst = fmax(worst, du);
        top = fmax(top, u[t]);
        n++;
    }
    for (size_t t = 0; t < r->keys; t++)
        l += u[t] > -INFINITY ? exp2(u[t] - top) : 0;
    l += a->sinks ? exp2(sink - top) : 0;
    double round = ldexp(1.0, -(int)b->f->mbits - 1), parts = b->splits > 1 ? b->splits : 0;
    worst += (4 * max_u + 2) * 0x1p-24;
    if (lse)
        *lse = 1.05 * (0.6931471805599453 * worst + 0x1p-22 + n * 0x1p-24) +
               0x1p-22 * (max_u + log2(n + 1) + 2);
    for (size_t i = 0; i < a->value_dim; i++) {
        double weighed = 0, sum = 0;
        for (size_t t = 0; t < r->keys; t++) {
            if (!(u[t] > -INFINITY))
                continue;
            double size = fabs((double)v[t * a->kv_heads * a->value_dim + i]);
            weighed += exp2(u[t] - top) / l * size;
            sum += size;
        }
        double e = 1.05 * weighed *
                   (round + 2 * (0.6931471805599453 * worst + 0x1p-22) + 3 * n * 0x1p-24 +
                    (1 + parts) * 0x1p-22);
        if (b->f->code == TSR_F16)
            e += 0x1p-24 * sum;
        if (b->f->code == TSR_F8E4M3)
            e += 0x1p-17 * sum;
        bound[i] = e + suite_half_ulp(b->out, fabs((double)o[i]) + e);
    }
}

void attention_bound(const struct attention_bound *b, const float *q, const float *k,
                     const float *v, const float *o, double *bound, double *lse)
{
    const struct tsr_attention *a = b->what;
    const uint8_t *mask = a->mask;
    const size_t group = a->heads / a->kv_heads;
    for (size_t s = 0; s < a->batch; s++) {
        const size_t keys = a->kv_len[s];
        assert(keys <= ATTENTION_BOUND_KEYS);
        for (size_t i = 0; i < a->q_len[s]; i++) {
            for (size_t h = 0; h < a->heads; h++, q += a->dim, o += a->value_dim) {
                const struct row r = {b,   s, h, keys, (long)keys - (long)a->q_len[s] + (long)i,
                                      mask};
                bound_row(&r, q, k + h / group * a->dim, v + h / group * a->value_dim, o, bound,
                          lse);
                lse = lse ? lse + 1 : NULL;
                bound += a->value_dim;
            }
            mask = mask ? mask + keys : NULL;
        }
        k += keys * a->kv_heads * a->dim;
        v += keys * a->kv_heads * a->value_dim;
    }
}
