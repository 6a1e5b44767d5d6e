/* SPDX-License-Identifier: Apache-2.0 */
/* Attention against its plain reference; the bound is derived in attention_bound.c. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "isa/num/num.h"
#include "kernels/npu/attention.h"
#include "kernels/ref.h"
#include "sim/suite/attention_bound.h"
#include "sim/suite/suite.h"

enum layout {
    DENSE,
    HEADS,
    PADDED
}; /* [token][head], [head][token], rows with gaps */

struct attention_case {
    const char *name;
    uint32_t batch, heads, kv_heads, d, q, kv;
    bool causal;
    uint32_t window;
    double scale, softcap; /* scale 0: 1 / sqrt(d) */
    bool sinks;
    enum tsr_dtype sink_format;
    enum layout layout;
};

struct problem {
    struct suite *s;
    const struct attention_case *c;
    const struct tsr_format *f, *kv, *out; /* of Q; of K and V; of O */
    struct tsr_npu_slab cache;             /* a row of K or V */
    struct tsr_attention_shape shape;
    float *q, *k, *v, *sinks, *want;
    double *bound;
};

/* ---- tensors -------------------------------------------------------------------------------- */

static struct tsr_npu_rows strides(const struct problem *p, size_t row, size_t tokens, size_t heads,
                                   size_t *bytes)
{
    struct tsr_npu_rows r = {0};
    if (p->c->layout == HEADS) {
        r = (struct tsr_npu_rows){0, tokens * heads * row, row, tokens * row};
    } else if (p->c->layout == PADDED) {
        r = (struct tsr_npu_rows){0, 0, heads * (row + 32) + 64, row + 32};
        r.batch_stride = tokens * r.token_stride + 128;
    }
    bool dense = p->c->layout == DENSE;
    *bytes = dense ? p->c->batch * tokens * heads * row
                   : (p->c->batch - 1) * r.batch_stride + (tokens - 1) * r.token_stride +
                         (heads - 1) * r.head_stride + row;
    return r;
}

static size_t row_at(const struct tsr_npu_rows *r, size_t row, size_t i, size_t tokens,
                     size_t heads)
{
    if (r->token_stride == 0)
        return i * row;
    return i / heads / tokens * r->batch_stride + i / heads % tokens * r->token_stride +
           i % heads * r->head_stride;
}

/* ---- i8: codes, and for GROUP tokens of a head a scale, which each of them has -------------- */

enum {
    GROUP = 5,
    BATCH = 3 /* at most */
};

static bool by_token(const struct problem *p)
{
    return p->kv->family == TSR_FAMILY_INT;
}

/* x[batch][token][head][d] becomes code times scale, exactly; bits of f16 at the same places of
 * scales[batch][token][head]. */
static void to_codes(const struct problem *p, float *x, uint16_t *scales)
{
    const size_t tokens = p->c->kv, heads = p->c->kv_heads, d = p->c->d;
    const struct tsr_format *f16 = suite_format(p->s, TSR_F16);
    for (size_t i = 0; i < p->c->batch * tokens * heads; i++) {
        size_t t = i / heads % tokens, left = tokens - t;
        float most = 0, scale;
        if (t % GROUP != 0) {
            scales[i] = scales[i - heads];
        } else {
            for (size_t j = 0; j < (left < GROUP ? left : GROUP) * heads; j += heads)
                for (size_t e = 0; e < d; e++)
                    most = fmaxf(most, fabsf(x[(i + j) * d + e]));
            scale = most / 127;
            tsr_num_encode_array(f16, &scales[i], (const uint32_t *)(const void *)&scale, 1,
                                 TSR_ROUND_EVEN);
        }
        tsr_num_decode_array(f16, (uint32_t *)(void *)&scale, &scales[i], 1);
        for (size_t e = 0; e < d; e++) {
            float code = rintf(x[i * d + e] / scale);
            x[i * d + e] = scale * fminf(fmaxf(code, -127), 127);
        }
    }
}

/* A head's scales follow each other. */
static enum tsr_status place_scales(struct problem *p, const uint16_t *scales,
                                    struct tsr_npu_rows *out, struct tsr_error *err)
{
    const size_t tokens = p->c->kv, heads = p->c->kv_heads, n = p->c->batch * tokens * heads;
    uint16_t *image = suite_alloc(p->s, 2 * n, err);
    if (!image)
        return TSR_INTERNAL;
    *out = (struct tsr_npu_rows){0, 2 * tokens * heads, 2, 2 * tokens};
    for (size_t i = 0; i < n; i++)
        image[(i / heads / tokens * heads + i % heads) * tokens + i / heads % tokens] = scales[i];
    return suite_place_bytes(p->s, SUITE_IN, image, 2 * n, &out->address, err);
}

/* A row into memory. */
static enum tsr_status put(const struct problem *p, const struct tsr_format *f, const float *x,
                           float scale, uint8_t *to, struct tsr_error *err)
{
    const uint32_t *bits = (const uint32_t *)(const void *)x;
    for (size_t i = 0; f->family == TSR_FAMILY_INT && i < p->shape.head_dim; i++)
        to[i] = (uint8_t)(int8_t)lrintf(x[i] / scale);
    if (f->family == TSR_FAMILY_INT)
        return TSR_OK;
    if (f != p->f && p->cache.blocked)
        return tsr_npu_slab_pack(&p->cache, 0, bits, to, err);
    tsr_num_encode_array(f, to, bits, p->shape.head_dim, TSR_ROUND_EVEN);
    return TSR_OK;
}

static enum tsr_status place(struct problem *p, const struct tsr_format *f, const float *x,
                             const uint16_t *scales, size_t tokens, size_t heads,
                             struct tsr_npu_rows *out, struct tsr_error *err)
{
    const struct tsr_format *f16 = suite_format(p->s, TSR_F16);
    float scale = 1;
    size_t bytes, d = p->shape.head_dim,
                  row = f == p->kv ? p->cache.slabs * p->cache.unit_bytes : d * f->bits / 8;
    *out = strides(p, row, tokens, heads, &bytes);
    uint8_t *image = suite_alloc(p->s, bytes, err);
    enum tsr_status st = image ? TSR_OK : TSR_INTERNAL;
    for (size_t i = 0; i < bytes && image; i++) /* gaps: NaN and infinities among them */
        image[i] = (uint8_t)(i % 3 ? 0xff : suite_random(p->s));
    for (size_t i = 0; i < p->c->batch * tokens * heads && st == TSR_OK; i++) {
        if (scales)
            tsr_num_decode_array(f16, (uint32_t *)(void *)&scale, scales + i, 1);
        st = put(p, f, x + i * d, scale, image + row_at(out, row, i, tokens, heads), err);
    }
    return st == TSR_OK ? suite_place_bytes(p->s, SUITE_IN, image, bytes, &out->address, err) : st;
}

/* Blocks: n rows become what the cache holds of them; V is then rounded to the queries' format. */
static enum tsr_status settle(struct problem *p, float *x, size_t n, bool value,
                              struct tsr_error *err)
{
    size_t d = p->shape.head_dim;
    uint8_t *row = suite_alloc(p->s, p->cache.slabs * p->cache.unit_bytes + 2 * d, err);
    enum tsr_status st = row ? TSR_OK : TSR_INTERNAL;
    for (size_t i = 0; i < n && st == TSR_OK && p->cache.blocked; i++) {
        uint32_t *bits = (uint32_t *)(void *)(x + i * d);
        st = by_token(p) ? TSR_OK : tsr_npu_slab_pack(&p->cache, 0, bits, row, err);
        if (st == TSR_OK && !by_token(p))
            st = tsr_npu_slab_unpack(&p->cache, 0, row, bits, err);
        if (st == TSR_OK && value) {
            tsr_num_encode_array(p->f, row, bits, d, TSR_ROUND_EVEN);
            tsr_num_decode_array(p->f, bits, row, d);
        }
    }
    return st;
}

static enum tsr_status place_cache(struct problem *p, float *x, struct tsr_npu_rows *out,
                                   struct tsr_npu_rows *out_scales, struct tsr_error *err)
{
    const struct attention_case *c = p->c;
    uint16_t *scales = NULL;
    if (by_token(p)) {
        scales = suite_alloc(p->s, 2ul * c->batch * c->kv * c->kv_heads, err);
        if (!scales)
            return TSR_INTERNAL;
        to_codes(p, x, scales);
        if (place_scales(p, scales, out_scales, err) != TSR_OK)
            return TSR_INTERNAL;
    }
    return place(p, p->kv, x, scales, c->kv, c->kv_heads, out, err);
}

static enum tsr_status make(struct problem *p, struct tsr_npu_attention *op, struct tsr_error *err)
{
    const struct attention_case *c = p->c;
    struct suite *s = p->s;
    size_t nq = (size_t)c->batch * c->q * c->heads * c->d,
           nk = (size_t)c->batch * c->kv * c->kv_heads * c->d;
    p->q = suite_alloc(s, nq * 4, err);
    p->k = suite_alloc(s, nk * 4, err);
    p->v = suite_alloc(s, nk * 4, err);
    p->want = suite_alloc(s, nq * 4, err);
    p->bound = suite_alloc(s, nq * 8, err);
    if (!p->q || !p->k || !p->v || !p->want || !p->bound)
        return TSR_INTERNAL;
    suite_fill(s, p->f, SUITE_UNIT, p->q, nq);
    const struct tsr_format *drawn = p->cache.blocked ? p->f : p->kv;
    suite_fill(s, drawn, SUITE_UNIT, p->k, nk);
    suite_fill(s, drawn, c->layout == PADDED && drawn == p->kv ? SUITE_EXTREMES : SUITE_UNIT, p->v,
               nk);
    enum tsr_status st = place(p, p->f, p->q, NULL, c->q, c->heads, &op->q, err);
    if (st == TSR_OK)
        st = place_cache(p, p->k, &op->k, &op->k_scales, err);
    if (st == TSR_OK)
        st = place_cache(p, p->v, &op->v, &op->v_scales, err);
    if (st == TSR_OK)
        st = settle(p, p->k, nk / c->d, false, err);
    if (st == TSR_OK)
        st = settle(p, p->v, nk / c->d, true, err);
    if (st != TSR_OK || !c->sinks)
        return st;
    p->sinks = suite_alloc(s, c->heads * 4, err);
    if (!p->sinks)
        return TSR_INTERNAL;
    suite_fill(s, suite_format(s, c->sink_format), SUITE_UNIT, p->sinks, c->heads);
    return suite_place(s, SUITE_IN, suite_format(s, c->sink_format), p->sinks, c->heads, &op->sinks,
                       err);
}

/* want and bound. */
static void expect(struct problem *p)
{
    const struct tsr_attention_shape *h = &p->shape;
    uint32_t q_len[BATCH], kv_len[BATCH];
    const struct tsr_attention what = {.batch = p->c->batch,
                                       .q_len = q_len,
                                       .kv_len = kv_len,
                                       .heads = h->heads,
                                       .kv_heads = h->kv_heads,
                                       .dim = h->head_dim,
                                       .value_dim = h->head_dim,
                                       .scale = h->scale,
                                       .softcap = h->softcap,
                                       .causal = h->causal,
                                       .window = h->window,
                                       .sinks = p->sinks};
    const struct attention_bound b = {
        .chip = p->s->chip, .f = p->f, .kv = p->kv, .out = p->out, .what = &what};
    for (size_t i = 0; i < BATCH; i++) {
        q_len[i] = (uint32_t)h->q_len;
        kv_len[i] = (uint32_t)h->kv_len;
    }
    tsr_attention_plain(&what, p->q, p->k, p->v, p->want, NULL);
    attention_bound(&b, p->q, p->k, p->v, p->want, p->bound, NULL);
}

static enum tsr_status compare(struct problem *p, const struct tsr_npu_rows *o, size_t bytes,
                               struct tsr_error *err)
{
    const struct tsr_attention_shape *h = &p->shape;
    size_t rows = p->c->batch * h->q_len * h->heads, d = h->head_dim;
    uint8_t *image = suite_alloc(p->s, bytes, err);
    float *got = suite_alloc(p->s, rows * d * 4, err);
    if (!image || !got)
        return TSR_INTERNAL;
    enum tsr_status st = suite_read_bytes(p->s, o->address, image, bytes, err);
    if (st != TSR_OK)
        return st;
    for (size_t i = 0; i < rows; i++)
        tsr_num_decode_array(p->out, (uint32_t *)(void *)(got + i * d),
                             image + row_at(o, d * p->out->bits / 8, i, h->q_len, h->heads), d);
    expect(p);
    suite_compare(p->s, "O", got, p->want, p->bound, rows * d);
    return TSR_OK;
}

static enum tsr_status one(struct suite *s, const struct attention_case *c, enum tsr_dtype format,
                           enum tsr_dtype kv_format, struct tsr_error *err)
{
    struct problem p = {
        .s = s, .c = c, .f = suite_format(s, format), .kv = suite_format(s, kv_format)};
    p.out = p.f->bits == 16 ? p.f : suite_format(s, TSR_BF16);
    double scale = c->scale != 0 ? c->scale : 1 / sqrt((double)c->d);
    p.shape = (struct tsr_attention_shape){c->heads,  c->kv_heads, c->d,  c->q,      c->kv,
                                           c->window, c->causal,   scale, c->softcap};
    struct tsr_npu_attention op = {.batch = c->batch,
                                   .heads = c->heads,
                                   .kv_heads = c->kv_heads,
                                   .head_dim = c->d,
                                   .q_len = c->q,
                                   .kv_len = c->kv,
                                   .causal = c->causal,
                                   .window = c->window,
                                   .scale = scale,
                                   .softcap = c->softcap,
                                   .format = format,
                                   .kv_format = kv_format,
                                   .has_sinks = c->sinks,
                                   .sink_format = c->sink_format};
    struct tsr_program program = {0};
    char variant[64];
    size_t bytes;
    snprintf(variant, sizeof variant, "%s %ux%u:%u%s%s", c->name, c->batch, c->heads, c->kv_heads,
             p.kv == p.f ? "" : " queries ", p.kv == p.f ? "" : p.f->name);
    enum tsr_status st = suite_begin(s, p.kv, c->q, c->kv, c->d, variant, err);
    if (st == TSR_OK)
        st = tsr_npu_attention_cache(s->isa, s->chip, c->d, format, kv_format, &p.cache, err);
    if (st == TSR_OK)
        st = make(&p, &op, err);
    op.o = strides(&p, c->d * p.out->bits / 8, c->q, c->heads, &bytes);
    if (st == TSR_OK)
        st = suite_place_bytes(s, SUITE_OUT, NULL, bytes, &op.o.address, err);
    if (st == TSR_OK)
        st = tsr_npu_attention(s->isa, s->chip, &op, &program, err);
    if (st == TSR_OK)
        st = suite_execute(s, &program, err);
    return st == TSR_OK ? compare(&p, &op.o, bytes, err) : st;
}

/* name, batch heads:kv_heads, d, q, kv, causal, window, scale, softcap, sinks, layout */
static const struct attention_case small_cases[] = {
    {"one", 1, 1, 1, 8, 1, 1, true, 0, 0, 0, false, TSR_F32, DENSE},
    {"causal", 1, 2, 2, 16, 37, 37, true, 0, 0, 0, false, TSR_F32, DENSE},
    {"full", 2, 2, 1, 24, 9, 67, false, 0, 1, 0, false, TSR_F32, HEADS},
    {"cross", 1, 1, 1, 16, 20, 3, false, 0, 0, 0, false, TSR_F32, DENSE},
    {"decode", 3, 6, 2, 32, 1, 131, true, 0, 1, 0, false, TSR_F32, HEADS},
    {"wide group", 1, 22, 1, 16, 3, 50, true, 0, 0, 0, true, TSR_BF16, DENSE},
    {"chunk", 1, 3, 1, 40, 21, 90, true, 0, 0, 0, true, TSR_F32, PADDED},
    {"window", 2, 2, 1, 16, 70, 100, true, 20, 1, 0, true, TSR_F16, DENSE},
    {"window 1", 1, 2, 2, 16, 19, 33, true, 1, 0, 0, false, TSR_F32, HEADS},
    {"no window", 1, 1, 1, 16, 9, 33, true, 33, 0, 0, false, TSR_F32, HEADS},
    {"softcap", 1, 2, 2, 64, 35, 80, true, 0, 4, 5, false, TSR_F32, DENSE},
    {"softcap window", 1, 4, 2, 16, 35, 80, true, 9, 4, 5, true, TSR_F32, PADDED},
    {"parts", 1, 1, 1, 128, 17, 70, true, 0, 1, 0, false, TSR_F32, HEADS},
};
static const struct attention_case large_cases[] = {
    {"one", 1, 1, 1, 8, 1, 1, true, 0, 0, 0, false, TSR_F32, DENSE},
    {"causal", 1, 3, 3, 128, 200, 330, true, 0, 1, 0, false, TSR_F32, HEADS},
    {"decode", 3, 24, 4, 64, 1, 700, true, 0, 1, 0, false, TSR_F32, HEADS},
    {"gpt-oss", 1, 16, 2, 64, 40, 300, true, 128, 1, 0, true, TSR_BF16, DENSE},
    {"one q block", 1, 2, 1, 256, 70, 129, false, 0, 0, 0, false, TSR_F32, PADDED},
    {"odd", 1, 7, 1, 80, 33, 150, true, 50, 2, 20, true, TSR_F32, PADDED},
    {"parts", 1, 1, 1, 512, 65, 140, true, 0, 0, 0, false, TSR_F32, DENSE},
};

/* Queries' format, cache's. The first two run all cases (on large chips the first alone), the
 * others some each. */
static const struct {
    enum tsr_dtype queries, cache;
} formats[] = {{TSR_BF16, TSR_BF16},     {TSR_F16, TSR_F16},      {TSR_BF16, TSR_F8E4M3},
               {TSR_F8E4M3, TSR_F8E4M3}, {TSR_BF16, TSR_F16},     {TSR_F16, TSR_F8E5M2},
               {TSR_BF16, TSR_MX9},      {TSR_F16, TSR_MX6},      {TSR_BF16, TSR_MX4},
               {TSR_BF16, TSR_MXF8E4M3}, {TSR_F16, TSR_MXF8E5M2}, {TSR_BF16, TSR_MXF6E3M2},
               {TSR_BF16, TSR_MXF6E2M3}, {TSR_BF16, TSR_MXF4},    {TSR_F16, TSR_MXI8},
               {TSR_BF16, TSR_NVF4},     {TSR_BF16, TSR_Q8_0},    {TSR_F16, TSR_Q4_0},
               {TSR_BF16, TSR_I8},       {TSR_F16, TSR_I8}};

/* Whether case i is one of format f's. */
static bool chosen(const struct suite *s, const struct attention_case *c, size_t f, size_t i)
{
    bool large = tsr_chip_tiles(s->chip) > 16, all = s->thorough || s->format;
    const size_t turn = large ? 7 : 4;
    struct tsr_npu_slab ignored;
    if (!suite_wants(s, formats[f].cache))
        return false;
    if (s->shape.m == 0 && tsr_npu_attention_cache(s->isa, s->chip, c->d, formats[f].queries,
                                                   formats[f].cache, &ignored, NULL) != TSR_OK)
        return false;
    return all || f == 0 || (f == 1 && (!large || i < 3)) || (f > 1 && i % turn == f % turn);
}

enum tsr_status suite_attention(struct suite *s, struct tsr_error *err)
{
    bool large = tsr_chip_tiles(s->chip) > 16;
    const struct attention_case *own = large ? large_cases : small_cases;
    size_t n = large ? sizeof large_cases / sizeof *own : sizeof small_cases / sizeof *own;
    struct attention_case user = {"user", 1, 4, 2, 0, 0, 0, true, 0, 0, 0, false, TSR_F32, DENSE};
    enum tsr_status st = TSR_OK;
    if (s->shape.m != 0) {
        user.q = (uint32_t)s->shape.m;
        user.kv = (uint32_t)s->shape.n;
        user.d = (uint32_t)s->shape.k;
        user.causal = user.q <= user.kv;
        if (user.kv > ATTENTION_BOUND_KEYS)
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "attention: the check takes at most 1024 keys");
        own = &user;
        n = 1;
    }
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++)
        for (size_t i = 0; i < n && st == TSR_OK; i++)
            if (chosen(s, &own[i], f, i))
                st = one(s, &own[i], formats[f].queries, formats[f].cache, err);
    if (st == TSR_OK && s->shape.m == 0)
        st = suite_attention_features(s, err);
    return st;
}
