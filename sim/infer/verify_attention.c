/* SPDX-License-Identifier: Apache-2.0 */
/* Queries against the cache. The bound is derived in sim/suite/suite_attention.c: with
 * exact scores u_i in powers of two and weights w_i, A = sum of w_i |v_i| and n keys,
 *   |error| <= 1.05 A (half an ULP of the format at 1, once more where v is expanded to it,
 *              + 2 (ln 2 du + 2^-22) + 3 n 2^-24 + 2^-22), f16: + 2^-24 sum |v|,
 * du = what the scores err by. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "kernels/npu/slab.h"
#include "sim/infer/verify.h"

#define LOG2_E 1.4426950408889634

struct attention {
    struct verify *v;
    const struct tsr_npu_attention *a;
    struct tsr_npu_slab cache;
    float *k, *v_rows, *sinks; /* k, v: [kv_head][position][head_dim] */
    double *u;
    double cut, steps, round;
};

/* i8: codes, and a token's scale elsewhere. */
static enum tsr_status scale_codes(const struct attention *p, const struct tsr_npu_rows *scales,
                                   uint64_t h, uint64_t t, const uint8_t *codes, float *to,
                                   struct tsr_error *err)
{
    const uint64_t at = scales->address + h * scales->head_stride + t * scales->token_stride;
    float *scale = verify_read(p->v->s, TSR_F16, at, 1, err);
    for (uint64_t i = 0; i < p->a->head_dim && scale != NULL; i++)
        to[i] = (float)(int8_t)codes[i] * *scale; /* 19 bits */
    free(scale);
    return scale != NULL ? TSR_OK : TSR_INTERNAL;
}

static enum tsr_status read_cache(const struct attention *p, const struct tsr_npu_rows *from,
                                  const struct tsr_npu_rows *scales, float *to,
                                  struct tsr_error *err)
{
    const struct tsr_npu_attention *a = p->a;
    const bool integers = p->cache.format->family == TSR_FAMILY_INT;
    const uint64_t bytes = p->cache.slabs * p->cache.unit_bytes;
    uint8_t *row = malloc(bytes);
    enum tsr_status st =
        row != NULL ? TSR_OK : tsr_error_set(err, TSR_INTERNAL, "verify: out of memory");
    for (uint64_t h = 0; h < a->kv_heads; h++)
        for (uint64_t t = 0; t < a->kv_len && st == TSR_OK; t++, to += a->head_dim) {
            const uint64_t at = from->address + h * from->head_stride + t * from->token_stride;
            st = tsr_sim_read(p->v->s->sim, at, row, bytes, err);
            if (st == TSR_OK && integers)
                st = scale_codes(p, scales, h, t, row, to, err);
            else if (st == TSR_OK)
                st = tsr_npu_slab_unpack(&p->cache, 0, row, (uint32_t *)(void *)to, err);
        }
    free(row);
    return st;
}

/* The score of key t in powers of two, and its error. */
static void score(const struct attention *p, const float *q, const float *k, double *u, double *du)
{
    const struct tsr_npu_attention *a = p->a;
    double dot = 0, most = 0, magnitude = 0;
    for (uint64_t i = 0; i < a->head_dim; i++) {
        const double x = (double)q[i] * (double)k[i];
        dot += x;
        magnitude += fabs(x);
        most = fmax(most, fabs(x));
    }
    *du = a->scale * LOG2_E * ((double)a->head_dim * p->cut * most + p->steps * magnitude);
    *du += fabs(a->scale * LOG2_E * dot) * 0x1p-22;
    *u = a->scale * dot * LOG2_E;
    if (a->softcap != 0) {
        *u = a->softcap * LOG2_E * tanh(a->scale * dot / a->softcap);
        *du += a->softcap * LOG2_E * 0x1p-20;
    }
}

/* Query `token` of head h, which sees its own key and those before it, or the window's. */
static void one_head(const struct attention *p, uint64_t token, uint64_t h, const float *q,
                     struct verify_rows *r)
{
    const struct tsr_npu_attention *a = p->a;
    const uint64_t end = a->kv_len - a->q_len + token + 1;
    const uint64_t first = a->window != 0 && end > a->window ? end - a->window : 0;
    const uint64_t d = a->head_dim, n = end - first,
                   g = (h / (a->heads / a->kv_heads) * a->kv_len + first) * d;
    const double sink = p->sinks != NULL ? (double)p->sinks[h] * LOG2_E : -INFINITY;
    double largest = p->sinks != NULL ? fabs(sink) : 0, worst = 0, top = sink, l = 0, du;
    for (uint64_t t = 0; t < n; t++) {
        score(p, q + h * d, p->k + g + t * d, &p->u[t], &du);
        largest = fmax(largest, fabs(p->u[t]));
        worst = fmax(worst, du);
        top = fmax(top, p->u[t]);
    }
    for (uint64_t t = 0; t < n; t++)
        l += exp2(p->u[t] - top);
    l += p->sinks != NULL ? exp2(sink - top) : 0;
    worst += (4 * largest + 2) * 0x1p-24;
    for (uint64_t i = 0; i < d; i++) {
        double y = 0, all = 0, sum = 0;
        for (uint64_t t = 0; t < n; t++) {
            const double v = (double)p->v_rows[g + t * d + i], w = exp2(p->u[t] - top) / l;
            y += w * v;
            all += w * fabs(v);
            sum += fabs(v);
        }
        double e = 1.05 * all *
                   (p->round + 2 * (0.6931471805599453 * worst + 0x1p-22) +
                    3 * (double)n * 0x1p-24 + 0x1p-22);
        if (a->format == TSR_F16)
            e += 0x1p-24 * sum;
        verify_set(p->v, r, i, y, e);
    }
}

/* All heads of a query: outputs of their own, as o's strides say. */
static enum tsr_status one_query(struct attention *p, uint64_t token, struct tsr_error *err)
{
    const struct tsr_npu_attention *a = p->a;
    const uint64_t d = a->head_dim;
    enum tsr_status st = TSR_OK;
    float *q = malloc(a->heads * d * sizeof *q);
    if (q == NULL)
        return tsr_error_set(err, TSR_INTERNAL, "verify: out of memory");
    for (uint64_t h = 0; h < a->heads && st == TSR_OK; h++) {
        const uint64_t from = token * a->q.token_stride + h * a->q.head_stride;
        const uint64_t to = token * a->o.token_stride + h * a->o.head_stride;
        float *x = verify_read(p->v->s, a->format, a->q.address + from, d, err);
        struct verify_rows *r = verify_add(p->v, a->o.address + to, 0, 1, d, a->format, true, err);
        st = x != NULL && r != NULL ? TSR_OK : TSR_INTERNAL;
        if (st == TSR_OK) {
            memcpy(q + h * d, x, d * sizeof *q);
            one_head(p, token, h, q, r);
        }
        free(x);
    }
    free(q);
    return st;
}

static enum tsr_status run(struct attention *p, struct tsr_error *err)
{
    const struct tsr_npu_attention *a = p->a;
    p->sinks = a->has_sinks ? verify_read(p->v->s, a->sink_format, a->sinks, a->heads, err) : NULL;
    if (a->has_sinks && p->sinks == NULL)
        return TSR_INTERNAL;
    enum tsr_status st = read_cache(p, &a->k, &a->k_scales, p->k, err);
    if (st == TSR_OK)
        st = read_cache(p, &a->v, &a->v_scales, p->v_rows, err);
    for (uint64_t t = 0; t < a->q_len && st == TSR_OK; t++)
        st = one_query(p, t, err);
    return st;
}

enum tsr_status verify_attention(struct verify *v, struct tsr_error *err)
{
    struct attention p = {.v = v, .a = &v->op.attention};
    const struct tsr_npu_attention *a = p.a;
    const struct infer_options *o = &v->s->o;
    const enum tsr_dtype kv = a->kv_format != TSR_F32 ? a->kv_format : a->format;
    const struct tsr_format *f = &o->isa->formats[a->format], *k = &o->isa->formats[kv];
    const uint64_t rows = a->kv_heads * a->kv_len * a->head_dim;
    if (a->batch != 1 || !a->causal)
        return TSR_OK; /* no sequence that grows has others */
    enum tsr_status st =
        tsr_npu_attention_cache(o->isa, o->chip, a->head_dim, a->format, kv, &p.cache, err);
    if (st != TSR_OK)
        return st;
    p.cut = kv == a->format ? 0x1p-30 : ldexp(1, (k->ebits ? k->mbits + 1 : k->bits) - 31);
    p.steps = ceil((double)a->head_dim / o->chip->tile.ttu.r16) * 0x1p-24;
    p.round = ldexp(kv == a->format ? 1 : 2, -(int)f->mbits - 1);
    p.k = malloc(rows * sizeof *p.k);
    p.v_rows = malloc(rows * sizeof *p.v_rows);
    p.u = malloc(a->kv_len * sizeof *p.u);
    st = p.k && p.v_rows && p.u ? run(&p, err)
                                : tsr_error_set(err, TSR_INTERNAL, "verify: out of memory");
    free(p.sinks);
    free(p.k);
    free(p.v_rows);
    free(p.u);
    return st;
}
