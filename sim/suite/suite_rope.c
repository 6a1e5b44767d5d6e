/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "kernels/npu/ops.h"
#include "kernels/ref.h"
#include "sim/suite/suite.h"

/* Where the results go: y, or the keys of token t to a cache, head by head. */
struct rope_case {
    uint64_t tokens, heads, keys, dim;
    enum tsr_dtype x, y;
    bool padded, cache, one_position;
};

enum {
    CACHE_TOKENS = 3
}; /* more than there are tokens: rows that nothing may write */

struct tensors {
    size_t half, row, cols, cache_tokens;
    float *x, *cosine, *sine, *want, *got, *cache;
    double *bound;
};

static bool make(struct suite *s, const struct rope_case *c, struct tensors *v,
                 struct tsr_error *err)
{
    v->half = (size_t)c->dim / 2;
    v->row = (size_t)(c->heads * c->dim);
    v->cols = v->row + (c->padded ? 7 : 0);
    v->cache_tokens = (size_t)c->tokens + CACHE_TOKENS;
    v->x = suite_alloc(s, 4 * (size_t)c->tokens * v->cols, err);
    v->cosine = suite_alloc(s, 4 * (size_t)c->tokens * v->half, err);
    v->sine = suite_alloc(s, 4 * (size_t)c->tokens * v->half, err);
    v->want = suite_alloc(s, 4 * (size_t)c->tokens * v->row, err);
    v->got = suite_alloc(s, 4 * (size_t)c->tokens * v->cols, err);
    v->cache = suite_alloc(s, 4 * v->cache_tokens * (size_t)(c->keys * c->dim), err);
    v->bound = suite_alloc(s, 8 * (size_t)c->tokens * v->row, err);
    return v->x && v->cosine && v->sine && v->want && v->got && v->cache && v->bound;
}

/* (|a cos| + |b sin|) 2^-23: a product rounded, and the sum; the other product, too. */
static void reference(struct suite *s, const struct rope_case *c, struct tensors *v)
{
    const struct tsr_format *fy = suite_format(s, c->y);
    size_t dim = (size_t)c->dim, n = (size_t)c->tokens * v->row;
    float *dense = v->got; /* not read yet */
    for (size_t t = 0; t < c->tokens; t++)
        memcpy(dense + t * v->row, v->x + t * v->cols, 4 * v->row);
    for (size_t t = 0; c->one_position && t < c->tokens; t++) {
        memmove(v->cosine + t * v->half, v->cosine, 4 * v->half);
        memmove(v->sine + t * v->half, v->sine, 4 * v->half);
    }
    tsr_rope_ref((size_t)c->tokens, (size_t)c->heads, dim, TSR_PAIRS_HALF, v->cosine, v->sine,
                 dense, v->want);
    for (size_t i = 0; i < n; i++) {
        size_t k = i % dim, p = k < v->half ? i + v->half : i - v->half, at = i / v->row * v->half;
        double co = v->cosine[at + k % v->half], si = v->sine[at + k % v->half];
        double wide = (fabs(dense[i] * co) + fabs(dense[p] * si)) * 0x1p-23;
        v->bound[i] = wide + suite_half_ulp(fy, fabs(v->want[i]) + wide);
    }
}

/* Puts the keys of the cache back beside the queries. */
static void merge(const struct rope_case *c, struct tensors *v)
{
    size_t dim = (size_t)c->dim, queries = (size_t)(c->cache ? c->heads - c->keys : c->heads);
    for (size_t t = 0; t < c->tokens; t++) {
        memmove(v->got + t * v->row, v->got + t * v->cols, 4 * queries * dim);
        for (size_t h = queries; h < c->heads; h++)
            memcpy(v->got + t * v->row + h * dim,
                   v->cache + ((h - queries) * v->cache_tokens + t) * dim, 4 * dim);
    }
}

static enum tsr_status one(struct suite *s, const struct rope_case *c, struct tsr_error *err)
{
    const struct tsr_format *fx = suite_format(s, c->x), *fy = suite_format(s, c->y);
    const struct tsr_format *f32 = suite_format(s, TSR_F32);
    struct tensors v;
    enum tsr_status st = suite_begin(s, fx, c->tokens, c->heads, c->dim,
                                     c->cache          ? "cache"
                                     : c->one_position ? "one position"
                                                       : "",
                                     err);
    if (st)
        return st;
    if (!make(s, c, &v, err))
        return TSR_INTERNAL;
    size_t n = (size_t)c->tokens * v.cols, table = (size_t)c->tokens * v.half;
    size_t cache = v.cache_tokens * (size_t)(c->keys * c->dim);
    struct tsr_npu_rope op = {.tokens = c->tokens,
                              .heads = c->heads,
                              .keys = c->keys,
                              .head_dim = c->dim,
                              .x_format = c->x,
                              .y_format = c->y,
                              .x_stride = v.cols * fx->bits / 8,
                              .y_stride = v.cols * fy->bits / 8,
                              .one_position = c->one_position,
                              .k_token_stride = c->dim * fy->bits / 8,
                              .k_head_stride = v.cache_tokens * c->dim * fy->bits / 8};
    suite_fill(s, fx, SUITE_UNIT, v.x, n);
    suite_fill(s, f32, SUITE_UNIT, v.cosine, table);
    suite_fill(s, f32, SUITE_UNIT, v.sine, table);
    bool in_place = c->x == c->y && !c->cache;
    st = suite_place(s, in_place ? SUITE_INOUT : SUITE_IN, fx, v.x, n, &op.x, err);
    op.y = op.x;
    if (!st)
        st = suite_place(s, SUITE_IN, f32, v.cosine, table, &op.cosine, err);
    if (!st)
        st = suite_place(s, SUITE_IN, f32, v.sine, table, &op.sine, err);
    if (!st && !in_place)
        st = suite_place(s, SUITE_OUT, fy, NULL, n, &op.y, err);
    if (!st && c->cache)
        st = suite_place(s, SUITE_OUT, fy, NULL, cache, &op.k_cache, err);
    struct tsr_program p = {0};
    if (!st)
        st = tsr_npu_rope(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    reference(s, c, &v);
    if (!st)
        st = suite_read(s, fy, op.y, v.got, n, err);
    if (!st && c->cache)
        st = suite_read(s, fy, op.k_cache, v.cache, cache, err);
    if (st)
        return st;
    merge(c, &v);
    suite_compare(s, "y", v.got, v.want, v.bound, (size_t)c->tokens * v.row);
    return TSR_OK;
}

enum tsr_status suite_rope(struct suite *s, struct tsr_error *err)
{
    static const struct rope_case own[] = {
        {1, 1, 1, 2, TSR_BF16, TSR_BF16, false, false, false},
        {1, 9, 3, 16, TSR_BF16, TSR_BF16, false, true, false},
        {5, 3, 1, 10, TSR_F32, TSR_F32, true, false, false},
        {67, 10, 2, 64, TSR_BF16, TSR_BF16, true, true, false},
        {7, 12, 4, 128, TSR_BF16, TSR_BF16, true, false, true},
        {3, 17, 16, 96, TSR_BF16, TSR_F32, false, true, false},
        {2, 2, 2, 256, TSR_F32, TSR_BF16, false, true, true},
    };
    if (s->shape.m) {
        struct rope_case c = {s->shape.m, s->shape.n, 0,     s->shape.k, TSR_BF16,
                              TSR_BF16,   false,      false, false};
        if (s->format)
            c.x = c.y = (enum tsr_dtype)s->format->code;
        return one(s, &c, err);
    }
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < sizeof own / sizeof *own && !st; i++)
        if (suite_wants(s, own[i].x))
            st = one(s, &own[i], err);
    return st;
}
