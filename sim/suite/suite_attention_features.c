/* SPDX-License-Identifier: Apache-2.0 */
/* Attention with what tessera/attention.h defines beside the plain: masks, ALiBi, prefixes, pages,
 * sequences of their own lengths, values unlike keys or part of them, contexts split among tiles;
 * the bound is attention_bound.c's. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "isa/num/num.h"
#include "kernels/npu/attention.h"
#include "sim/suite/attention_bound.h"
#include "sim/suite/suite.h"

enum {
    BATCH = 3, /* at most */
    PAGE = 12  /* tokens */
};

struct problem {
    struct suite *s;
    const struct attention_feature_case *c;
    const struct tsr_format *f, *kv, *out;
    struct tsr_npu_slab cache;
    uint32_t q_len[BATCH], kv_len[BATCH], prefix[BATCH], *pages;
    size_t queries, keys, pairs; /* of all sequences */
    struct tsr_attention what;
    struct tsr_npu_attention op;
    float *q, *k, *v, *want, *sinks, *slopes;
    uint8_t *mask;
    double *bound;
};

static bool has(const struct problem *p, enum attention_feature f)
{
    return (p->c->features & f) != 0;
}

/* ---- the problem ---------------------------------------------------------------------------- */

static void draw_lengths(struct problem *p)
{
    const struct attention_feature_case *c = p->c;
    for (uint32_t b = 0; b < c->batch; b++) {
        p->q_len[b] = c->q;
        p->kv_len[b] = c->kv;
        if (has(p, RAGGED) && b > 0) { /* the first has the most */
            p->q_len[b] = 1 + (uint32_t)suite_random_below(p->s, c->q);
            p->kv_len[b] =
                p->q_len[b] + (uint32_t)suite_random_below(p->s, c->kv - p->q_len[b] + 1);
        }
        p->prefix[b] = (uint32_t)suite_random_below(p->s, p->kv_len[b] + 1);
        p->queries += p->q_len[b];
        p->keys += p->kv_len[b];
        p->pairs += (size_t)p->q_len[b] * p->kv_len[b];
    }
}

static float *floats(struct problem *p, size_t n, struct tsr_error *err)
{
    return suite_alloc(p->s, n * 4, err);
}

static enum tsr_status draw(struct problem *p, struct tsr_error *err)
{
    const struct attention_feature_case *c = p->c;
    struct suite *s = p->s;
    draw_lengths(p);
    size_t rows = p->queries * c->heads, cache = p->keys * c->kv_heads;
    p->q = floats(p, rows * c->d, err);
    p->k = floats(p, cache * c->d, err);
    p->v = floats(p, cache * c->v_d, err);
    p->want = floats(p, rows * c->v_d, err);
    p->bound = suite_alloc(s, rows * c->v_d * sizeof *p->bound, err);
    p->sinks = floats(p, c->heads, err);
    p->slopes = floats(p, c->heads, err);
    p->mask = suite_alloc(s, p->pairs, err);
    if (!p->q || !p->k || !p->v || !p->want || !p->bound || !p->sinks || !p->slopes || !p->mask)
        return TSR_INTERNAL;
    suite_fill(s, p->f, SUITE_UNIT, p->q, rows * c->d);
    suite_fill(s, p->cache.blocked ? p->f : p->kv, SUITE_UNIT, p->k, cache * c->d);
    suite_fill(s, p->cache.blocked ? p->f : p->kv, SUITE_UNIT, p->v, cache * c->v_d);
    for (size_t t = 0; has(p, LATENT) && t < cache; t++)
        memcpy(p->v + t * c->v_d, p->k + t * c->d, 4 * c->v_d);
    suite_fill(s, suite_format(s, TSR_F32), SUITE_UNIT, p->sinks, c->heads);
    for (size_t h = 0; h < c->heads; h++)
        p->slopes[h] = ldexpf(1, -(int)(h % 8) - 2);
    for (size_t i = 0; i < p->pairs; i++) /* of some queries all keys are hidden */
        p->mask[i] = suite_random_below(s, 3) != 0 && i / c->kv % 5 != 2;
    p->what = attention_of(c, p->q_len, p->kv_len, p->prefix, p->mask, p->sinks, p->slopes);
    return TSR_OK;
}

/* ---- into memory ---------------------------------------------------------------------------- */

static enum tsr_status put_image(struct problem *p, uint8_t *image, size_t bytes, uint64_t *at,
                                 struct tsr_error *err)
{
    return suite_place_bytes(p->s, SUITE_IN, image, bytes, at, err);
}

/* NaN, infinities and others, for what no kernel may use. */
static uint8_t *noise(struct problem *p, size_t bytes, struct tsr_error *err)
{
    uint8_t *x = suite_alloc(p->s, bytes, err);
    for (size_t i = 0; x && i < bytes; i++)
        x[i] = (uint8_t)(i % 3 ? 0xff : suite_random(p->s));
    return x;
}

static enum tsr_status place_queries(struct problem *p, struct tsr_error *err)
{
    const struct attention_feature_case *c = p->c;
    size_t row = c->d * p->f->bits / 8, all = c->heads * row, first = 0;
    uint8_t *image = noise(p, c->batch * c->q * all, err);
    if (!image)
        return TSR_INTERNAL;
    for (size_t b = 0; b < c->batch; first += p->q_len[b++])
        tsr_num_encode_array(p->f, image + b * c->q * all,
                             (const uint32_t *)(const void *)(p->q + first * c->heads * c->d),
                             p->q_len[b] * c->heads * c->d, TSR_ROUND_EVEN);
    return put_image(p, image, c->batch * c->q * all, &p->op.q.address, err);
}

/* Rows of K or V in the order of their places: token t of sequence b is place[b kv + t]; heads of a
 * page, or of a sequence, follow each other. */
static size_t row_of(const struct problem *p, size_t b, size_t t, size_t h)
{
    size_t page = has(p, PAGES) ? PAGE : p->c->kv;
    size_t at = has(p, PAGES) ? p->pages[b * p->op.page_row + t / PAGE] : b;
    return (at * p->c->kv_heads + h) * page + t % page;
}

static struct tsr_npu_rows strides(const struct problem *p, size_t row)
{
    size_t page = has(p, PAGES) ? PAGE : p->c->kv;
    return (struct tsr_npu_rows){0, row * page * p->c->kv_heads, row, row * page};
}

/* d values of a token; i8 under a scale of its own. x becomes what is held. */
static void put_row(const struct problem *p, float *x, size_t d, uint8_t *to, uint16_t *scale)
{
    const struct tsr_format *f16 = suite_format(p->s, TSR_F16);
    float most = 0, unit;
    if (p->kv->family != TSR_FAMILY_INT) {
        tsr_num_encode_array(p->kv, to, (const uint32_t *)(const void *)x, d, TSR_ROUND_EVEN);
        return;
    }
    for (size_t i = 0; i < d; i++)
        most = fmaxf(most, fabsf(x[i]));
    most /= 127;
    tsr_num_encode_array(f16, scale, (const uint32_t *)(const void *)&most, 1, TSR_ROUND_EVEN);
    tsr_num_decode_array(f16, (uint32_t *)(void *)&unit, scale, 1);
    for (size_t i = 0; i < d; i++) {
        float code = fminf(fmaxf(rintf(x[i] / unit), -127), 127);
        to[i] = (uint8_t)(int8_t)code;
        x[i] = code * unit;
    }
}

static enum tsr_status place_cache(struct problem *p, float *x, size_t d, struct tsr_npu_rows *out,
                                   struct tsr_npu_rows *out_scales, struct tsr_error *err)
{
    const struct attention_feature_case *c = p->c;
    size_t row = d * p->kv->bits / 8, heads = c->kv_heads, first = 0;
    size_t rows = heads * (has(p, PAGES) ? c->batch * p->op.page_row * PAGE : c->batch * c->kv);
    uint8_t *image = noise(p, rows * row, err), *scales = noise(p, rows * 2, err);
    if (!image || !scales)
        return TSR_INTERNAL;
    for (size_t b = 0; b < c->batch; first += p->kv_len[b++])
        for (size_t i = 0; i < p->kv_len[b] * heads; i++) {
            size_t at = row_of(p, b, i / heads, i % heads);
            put_row(p, x + (first * heads + i) * d, d, image + at * row,
                    (uint16_t *)(void *)(scales + 2 * at));
        }
    *out = strides(p, row);
    enum tsr_status st = put_image(p, image, rows * row, &out->address, err);
    if (st != TSR_OK || p->kv->family != TSR_FAMILY_INT)
        return st;
    *out_scales = strides(p, 2);
    return put_image(p, scales, rows * 2, &out_scales->address, err);
}

/* A byte for each sequence, key, query and head of a group; the key heads share it. */
static enum tsr_status place_mask(struct problem *p, struct tsr_error *err)
{
    const struct attention_feature_case *c = p->c;
    size_t group = c->heads / c->kv_heads, row = c->q * group, pair = 0;
    uint8_t *image = suite_alloc(p->s, c->batch * c->kv * row, err);
    if (!image)
        return TSR_INTERNAL;
    for (size_t b = 0; b < c->batch; b++)
        for (size_t i = 0; i < p->q_len[b]; i++)
            for (size_t j = 0; j < p->kv_len[b]; j++, pair++)
                memset(image + (b * c->kv + j) * row + i * group, p->mask[pair], group);
    p->op.has_mask = true;
    p->op.mask = (struct tsr_npu_rows){0, c->kv * row, row, 0};
    return put_image(p, image, c->batch * c->kv * row, &p->op.mask.address, err);
}

/* Any order of pages. */
static enum tsr_status draw_pages(struct problem *p, struct tsr_error *err)
{
    const struct attention_feature_case *c = p->c;
    p->op.page_tokens = PAGE;
    p->op.page_row = (c->kv + PAGE - 1) / PAGE;
    size_t n = c->batch * p->op.page_row;
    p->pages = suite_alloc(p->s, n * sizeof *p->pages, err);
    if (!p->pages)
        return TSR_INTERNAL;
    for (size_t i = 0; i < n; i++) {
        size_t j = suite_random_below(p->s, i + 1);
        p->pages[i] = p->pages[j];
        p->pages[j] = (uint32_t)i;
    }
    p->op.pages = p->pages;
    return TSR_OK;
}

/* V in the queries' format, as the vector unit makes it of i8. */
static void round_values(struct problem *p)
{
    size_t n = p->keys * p->c->kv_heads * p->c->v_d;
    uint16_t code;
    for (size_t i = 0; p->kv->family == TSR_FAMILY_INT && i < n; i++) {
        tsr_num_encode_array(p->f, &code, (const uint32_t *)(const void *)(p->v + i), 1,
                             TSR_ROUND_EVEN);
        tsr_num_decode_array(p->f, (uint32_t *)(void *)(p->v + i), &code, 1);
    }
}

static enum tsr_status place(struct problem *p, struct tsr_error *err)
{
    const struct attention_feature_case *c = p->c;
    struct tsr_npu_attention *op = &p->op;
    enum tsr_status st = has(p, PAGES) ? draw_pages(p, err) : TSR_OK;
    if (st == TSR_OK)
        st = place_queries(p, err);
    if (st == TSR_OK)
        st = place_cache(p, p->k, c->d, &op->k, &op->k_scales, err);
    if (st == TSR_OK && !has(p, LATENT))
        st = place_cache(p, p->v, c->v_d, &op->v, &op->v_scales, err);
    round_values(p);
    if (st == TSR_OK && has(p, MASK))
        st = place_mask(p, err);
    if (st == TSR_OK && has(p, SINKS))
        st = suite_place(p->s, SUITE_IN, suite_format(p->s, TSR_F32), p->sinks, c->heads,
                         &op->sinks, err);
    if (st == TSR_OK && has(p, SLOPES))
        st = suite_place(p->s, SUITE_IN, suite_format(p->s, TSR_F32), p->slopes, c->heads,
                         &op->slopes, err);
    if (st == TSR_OK)
        st = suite_place_bytes(p->s, SUITE_OUT, NULL,
                               c->batch * c->q * c->heads * c->v_d * p->out->bits / 8,
                               &op->o.address, err);
    return st;
}

/* ---- a case --------------------------------------------------------------------------------- */

static void describe(struct problem *p)
{
    const struct attention_feature_case *c = p->c;
    struct tsr_npu_attention *op = &p->op;
    op->batch = c->batch;
    op->heads = c->heads;
    op->kv_heads = c->kv_heads;
    op->head_dim = c->d;
    op->v_dim = c->v_d;
    op->values_in_keys = has(p, LATENT);
    op->q_len = c->q;
    op->kv_len = c->kv;
    op->q_lens = has(p, RAGGED) ? p->q_len : NULL;
    op->kv_lens = has(p, RAGGED) ? p->kv_len : NULL;
    op->splits = has(p, SPLIT) ? tsr_chip_tiles(p->s->chip) : 0;
    op->causal = has(p, CAUSAL);
    op->window = c->window;
    op->prefix = p->what.prefix;
    op->has_slopes = has(p, SLOPES);
    op->scale = p->what.scale;
    op->softcap = c->softcap;
    op->format = c->format;
    op->kv_format = c->cache;
    op->has_sinks = has(p, SINKS);
    op->sink_format = TSR_F32;
}

static enum tsr_status compare(struct problem *p, struct tsr_error *err)
{
    const struct attention_feature_case *c = p->c;
    const struct attention_bound b = {.chip = p->s->chip,
                                      .f = p->f,
                                      .kv = p->kv,
                                      .out = p->out,
                                      .what = &p->what,
                                      .splits = (uint32_t)p->op.splits};
    size_t row = c->heads * c->v_d, at = 0, all = c->batch * c->q * row;
    float *read = floats(p, all, err), *got = floats(p, p->queries * row, err);
    enum tsr_status st =
        read && got ? suite_read(p->s, p->out, p->op.o.address, read, all, err) : TSR_INTERNAL;
    if (st != TSR_OK)
        return st;
    for (size_t s = 0; s < c->batch; s++)
        for (size_t i = 0; i < p->q_len[s] * row; i++)
            got[at++] = read[s * c->q * row + i];
    tsr_attention_plain(&p->what, p->q, p->k, p->v, p->want, NULL);
    attention_bound(&b, p->q, p->k, p->v, p->want, p->bound, NULL);
    suite_compare(p->s, "O", got, p->want, p->bound, at);
    return TSR_OK;
}

static enum tsr_status one(struct suite *s, const struct attention_feature_case *c,
                           struct tsr_error *err)
{
    struct problem p = {
        .s = s, .c = c, .f = suite_format(s, c->format), .kv = suite_format(s, c->cache)};
    struct tsr_program program = {0};
    char variant[64];
    p.out = p.f->bits == 16 ? p.f : suite_format(s, TSR_BF16);
    snprintf(variant, sizeof variant, "%s %ux%u:%u of %u", c->name, c->batch, c->heads, c->kv_heads,
             c->v_d);
    enum tsr_status st = suite_begin(s, p.kv, c->q, c->kv, c->d, variant, err);
    if (st == TSR_OK)
        st = tsr_npu_attention_cache(s->isa, s->chip, c->d, c->format, c->cache, &p.cache, err);
    if (st == TSR_OK)
        st = draw(&p, err);
    if (st == TSR_OK)
        st = place(&p, err);
    describe(&p);
    if (st == TSR_OK)
        st = tsr_npu_attention(s->isa, s->chip, &p.op, &program, err);
    if (st == TSR_OK)
        st = suite_execute(s, &program, err);
    return st == TSR_OK ? compare(&p, err) : st;
}

/* name, batch heads:kv_heads, d, v's, q, kv, features, window, soft cap, formats */
static const struct attention_feature_case small_cases[] = {
    {"mask", 2, 4, 2, 16, 16, 11, 41, MASK, 0, 0, TSR_BF16, TSR_BF16},
    {"mask causal sinks", 1, 6, 1, 24, 8, 9, 50, MASK | CAUSAL | SINKS, 0, 0, TSR_BF16, TSR_BF16},
    {"alibi", 1, 8, 4, 16, 16, 19, 40, CAUSAL | SLOPES, 0, 0, TSR_BF16, TSR_BF16},
    {"prefix", 2, 2, 1, 16, 16, 20, 45, CAUSAL | PREFIX, 0, 0, TSR_F16, TSR_F16},
    {"prefix window", 2, 2, 1, 16, 16, 20, 45, CAUSAL | PREFIX, 9, 0, TSR_BF16, TSR_BF16},
    {"window ahead", 1, 2, 2, 16, 16, 21, 50, 0, 7, 0, TSR_BF16, TSR_BF16},
    {"pages", 2, 2, 1, 16, 16, 5, 61, CAUSAL | PAGES, 0, 0, TSR_BF16, TSR_BF16},
    {"ragged", 3, 3, 1, 16, 16, 14, 50, CAUSAL | RAGGED, 0, 0, TSR_BF16, TSR_BF16},
    {"ragged pages", 3, 2, 2, 16, 24, 3, 60, RAGGED | PAGES, 0, 0, TSR_BF16, TSR_F8E4M3},
    {"ragged pages", 3, 2, 2, 24, 24, 3, 60, RAGGED | PAGES, 0, 0, TSR_BF16, TSR_I8},
    {"latent", 1, 5, 1, 72, 64, 2, 50, CAUSAL | LATENT, 0, 0, TSR_BF16, TSR_BF16},
    {"latent pages", 2, 3, 1, 40, 32, 1, 50, LATENT | PAGES | RAGGED, 0, 0, TSR_BF16, TSR_BF16},
    {"split", 1, 4, 1, 16, 16, 1, 131, SPLIT | SINKS, 0, 0, TSR_BF16, TSR_BF16},
    {"split pages", 1, 4, 1, 16, 16, 1, 131, SPLIT | PAGES, 0, 0, TSR_BF16, TSR_I8},
    {"split latent", 1, 4, 1, 40, 32, 1, 101, SPLIT | LATENT, 0, 0, TSR_BF16, TSR_BF16},
    {"dim 80", 1, 2, 1, 80, 80, 9, 37, CAUSAL, 0, 0, TSR_BF16, TSR_BF16},
    {"dim 96", 1, 2, 1, 96, 96, 9, 37, CAUSAL, 0, 0, TSR_BF16, TSR_I8},
    {"dim 192", 1, 1, 1, 192, 128, 6, 34, CAUSAL, 0, 0, TSR_BF16, TSR_BF16},
    {"all", 2, 4, 2, 24, 16, 13, 50, CAUSAL | MASK | SLOPES | PREFIX | SINKS | RAGGED | PAGES, 11,
     4, TSR_BF16, TSR_BF16},
};
static const struct attention_feature_case large_cases[] = {
    {"mask alibi", 1, 8, 4, 64, 64, 40, 200, CAUSAL | MASK | SLOPES, 0, 0, TSR_BF16, TSR_BF16},
    {"ragged pages", 3, 8, 2, 128, 128, 3, 300, CAUSAL | RAGGED | PAGES, 0, 0, TSR_BF16, TSR_I8},
    {"latent", 1, 16, 1, 576, 512, 1, 400, LATENT, 0, 0, TSR_BF16, TSR_BF16},
    {"latent long way", 1, 2, 2, 192, 128, 70, 150, CAUSAL, 0, 0, TSR_BF16, TSR_BF16},
    {"split", 1, 8, 1, 128, 128, 1, 700, SPLIT | SINKS, 0, 0, TSR_BF16, TSR_BF16},
    {"dim 80", 1, 2, 1, 80, 80, 40, 150, CAUSAL, 0, 0, TSR_BF16, TSR_BF16},
    {"dim 96", 1, 2, 1, 96, 96, 40, 150, CAUSAL, 0, 0, TSR_BF16, TSR_I8},
};

enum tsr_status suite_attention_features(struct suite *s, struct tsr_error *err)
{
    bool large = tsr_chip_tiles(s->chip) > 16;
    const struct attention_feature_case *own = large ? large_cases : small_cases;
    size_t n = large ? sizeof large_cases / sizeof *own : sizeof small_cases / sizeof *own;
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < n && st == TSR_OK; i++)
        if (suite_wants(s, own[i].cache))
            st = one(s, &own[i], err);
    return st;
}
