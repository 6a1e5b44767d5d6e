/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of keys and values. Contract: tessera/attention.h; layout: kv_cache.h. */
#include "kernels/attention/kv_cache.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "kernels/quant/quant.h"
#include "tessera/quant.h"
#include "tessera/vecmath.h"

enum {
    ALIGN = 64,
    MX_BLOCK = 32,
    MOST_PAGE_TOKENS = 1 << 24,
    MOST_HEADS = 1 << 16
};

static size_t round_up(size_t x, size_t to)
{
    return (x + to - 1) / to * to;
}

static uint8_t code_bytes(enum tsr_dtype format)
{
    switch (format) {
    case TSR_F32:
        return 4;
    case TSR_BF16:
    case TSR_F16:
        return 2;
    case TSR_F8E4M3:
    case TSR_I8:
    case TSR_MXF8E4M3:
        return 1;
    default:
        return 0;
    }
}

static enum tsr_status check(const struct tsr_kv *kv, struct tsr_error *err)
{
    if (code_bytes(kv->format) == 0)
        return tsr_error_set(
            err, TSR_USAGE, "kv: format %d is not served, allowed: f32 bf16 f16 f8e4m3 i8 mxf8e4m3",
            (int)kv->format);
    const size_t dims[] = {kv->dim, kv->value_dim};
    for (int i = 0; i < 2; i++)
        if (dims[i] == 0 || dims[i] % 8 != 0 || dims[i] > TSR_ATTENTION_MAX_DIM)
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "kv: %s is %zu, allowed: multiples of 8 from 8 to %d",
                                 i == 0 ? "dim" : "value_dim", dims[i], TSR_ATTENTION_MAX_DIM);
    if (kv->kv_heads == 0 || kv->kv_heads > MOST_HEADS)
        return tsr_error_set(err, TSR_BAD_INPUT, "kv: %zu heads, allowed: 1 to %d", kv->kv_heads,
                             MOST_HEADS);
    if (kv->page_tokens == 0 || kv->page_tokens % TSR_KV_TILE != 0 ||
        kv->page_tokens > MOST_PAGE_TOKENS)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "kv: page_tokens is %zu, allowed: multiples of %d up to %d",
                             kv->page_tokens, TSR_KV_TILE, MOST_PAGE_TOKENS);
    if (kv->format == TSR_I8 && (kv->group == 0 || kv->page_tokens % kv->group != 0))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "kv: group is %zu, allowed: divisors of page_tokens, %zu", kv->group,
                             kv->page_tokens);
    return TSR_OK;
}

static struct tsr_kv_plane plane(const struct tsr_kv *kv, size_t width)
{
    const size_t tile = TSR_KV_TILE * width * code_bytes(kv->format);
    struct tsr_kv_plane p = {
        .width = width, .tile_codes = tile, .head_codes = kv->page_tokens / TSR_KV_TILE * tile};
    if (kv->format == TSR_I8)
        p.head_scales = kv->page_tokens / kv->group * sizeof(float);
    if (kv->format == TSR_MXF8E4M3) {
        p.token_scales = (width + MX_BLOCK - 1) / MX_BLOCK;
        p.head_scales = kv->page_tokens * p.token_scales;
    }
    return p;
}

enum tsr_status tsr_kv_layout(const struct tsr_kv *kv, struct tsr_kv_layout *out,
                              struct tsr_error *err)
{
    const enum tsr_status st = check(kv, err);
    if (st != TSR_OK)
        return st;
    *out = (struct tsr_kv_layout){.code_bytes = code_bytes(kv->format),
                                  .k = plane(kv, kv->dim),
                                  .v = plane(kv, kv->value_dim)};
    size_t *const begins[] = {&out->k.codes, &out->v.codes, &out->k.scales, &out->v.scales};
    const size_t bytes[] = {out->k.head_codes, out->v.head_codes, out->k.head_scales,
                            out->v.head_scales};
    for (int i = 0; i < 4; i++) {
        *begins[i] = out->page_bytes;
        out->page_bytes = round_up(out->page_bytes + kv->kv_heads * bytes[i], ALIGN);
    }
    return TSR_OK;
}

enum tsr_status tsr_kv_page_bytes(const struct tsr_kv *kv, size_t *bytes, struct tsr_error *err)
{
    struct tsr_kv_layout l;
    const enum tsr_status st = tsr_kv_layout(kv, &l, err);
    if (st == TSR_OK)
        *bytes = l.page_bytes;
    return st;
}

size_t tsr_kv_place(enum tsr_dtype format, bool is_v, size_t t, size_t d)
{
    static const uint8_t order[4] = {0, 2, 1, 3}; /* its own inverse */
    if (format == TSR_F32)
        return is_v ? d / 8 * 64 + t * 8 + d % 8 : d * 8 + t;
    return is_v ? d / 2 * 16 + t / 4 * 8 + d % 2 * 4 + order[t % 4] : d / 4 * 32 + t * 4 + d % 4;
}

/* Where a row of codes lies. */
struct row_place {
    enum tsr_dtype format;
    bool is_v;
    size_t width, code_bytes, t;
    uint8_t *tile;
};

static void scatter(const struct row_place *r, const void *codes)
{
    const uint8_t *from = codes;
    for (size_t d = 0; d < r->width; d++)
        memcpy(r->tile + tsr_kv_place(r->format, r->is_v, r->t, d) * r->code_bytes,
               from + d * r->code_bytes, r->code_bytes);
}

static void gather(const struct row_place *r, void *codes)
{
    uint8_t *to = codes;
    for (size_t d = 0; d < r->width; d++)
        memcpy(to + d * r->code_bytes,
               r->tile + tsr_kv_place(r->format, r->is_v, r->t, d) * r->code_bytes, r->code_bytes);
}

static struct row_place place(const struct tsr_kv *kv, const struct tsr_kv_layout *l, bool is_v,
                              const uint8_t *page, size_t token, size_t head)
{
    const struct tsr_kv_plane *p = is_v ? &l->v : &l->k;
    return (struct row_place){kv->format,
                              is_v,
                              p->width,
                              l->code_bytes,
                              token % TSR_KV_TILE,
                              (uint8_t *)page + p->codes + head * p->head_codes +
                                  token / TSR_KV_TILE * p->tile_codes};
}

/* The scales that serve a token; null: the format has none. */
static uint8_t *scales_of(const struct tsr_kv *kv, const struct tsr_kv_layout *l, bool is_v,
                          const uint8_t *page, size_t token, size_t head)
{
    const struct tsr_kv_plane *p = is_v ? &l->v : &l->k;
    if (p->head_scales == 0)
        return NULL;
    const size_t at =
        kv->format == TSR_I8 ? token / kv->group * sizeof(float) : token * p->token_scales;
    return (uint8_t *)page + p->scales + head * p->head_scales + at;
}

void tsr_kv_plane_row(const struct tsr_kv *kv, const struct tsr_kv_layout *l, bool is_v,
                      const uint8_t *page, size_t token, size_t head, float *row)
{
    uint32_t codes[TSR_ATTENTION_MAX_DIM];
    const struct row_place at = place(kv, l, is_v, page, token, head);
    struct tsr_error none = {0};
    gather(&at, kv->format == TSR_F32 ? (void *)row : codes);
    if (kv->format == TSR_F32)
        return;
    if (kv->format == TSR_BF16)
        tsr_convert_bf16_f32(at.width, (const uint16_t *)(void *)codes, row);
    else if (kv->format == TSR_F16)
        tsr_convert_f16_f32(at.width, (const uint16_t *)(void *)codes, row);
    else
        tsr_dequantize_f32(&(struct tsr_quant){.format = kv->format, .rows = 1, .cols = at.width},
                           codes, scales_of(kv, l, is_v, page, token, head), row, at.width, &none);
    assert(none.status == TSR_OK);
}

void tsr_kv_read(const struct tsr_kv *kv, size_t sequence, size_t token, size_t head, float *k,
                 float *v)
{
    struct tsr_kv_layout l;
    size_t in_page;
    const enum tsr_status st = tsr_kv_layout(kv, &l, NULL);
    assert(st == TSR_OK && head < kv->kv_heads);
    (void)st;
    const uint8_t *page = tsr_kv_page(kv, &l, sequence, token, &in_page);
    if (k != NULL)
        tsr_kv_plane_row(kv, &l, false, page, in_page, head, k);
    if (v != NULL)
        tsr_kv_plane_row(kv, &l, true, page, in_page, head, v);
}

/* What is being appended of K or V. */
struct append {
    const struct tsr_kv *kv;
    const struct tsr_kv_layout *l;
    bool is_v;
    size_t sequence, first, tokens; /* tokens first .. first + tokens - 1 */
    const float *rows;              /* of token `first` */
    size_t stride;
};

static const float *row_of(const struct append *a, size_t token, size_t head)
{
    return a->rows + (token - a->first) * a->stride + head * (a->is_v ? a->l->v : a->l->k).width;
}

static void put(const struct append *a, size_t token, size_t head)
{
    uint32_t codes[TSR_ATTENTION_MAX_DIM];
    size_t in_page;
    struct tsr_error none = {0};
    const uint8_t *page = tsr_kv_page(a->kv, a->l, a->sequence, token, &in_page);
    const struct row_place to = place(a->kv, a->l, a->is_v, page, in_page, head);
    const float *x = row_of(a, token, head);
    const void *from = codes;
    if (a->kv->format == TSR_F32)
        from = x;
    else if (a->kv->format == TSR_BF16)
        tsr_convert_f32_bf16(to.width, x, (uint16_t *)(void *)codes);
    else if (a->kv->format == TSR_F16)
        tsr_convert_f32_f16(to.width, x, (uint16_t *)(void *)codes);
    else
        tsr_quantize_f32(&(struct tsr_quant){.format = a->kv->format, .rows = 1, .cols = to.width},
                         x, to.width, codes, scales_of(a->kv, a->l, a->is_v, page, in_page, head),
                         &none);
    assert(none.status == TSR_OK);
    scatter(&to, from);
}

static float largest_scale(size_t width, const float *x, uint32_t *most)
{
    tsr_i8_max_f32_fn *max = (tsr_i8_max_f32_fn *)tsr_variant_chosen(TSR_OP_i8_max_f32)->function;
    const uint32_t m = max(width, x);
    float scale;
    *most = m > *most ? m : *most;
    const uint32_t bits = tsr_num_group_scale(quant_definition(TSR_I8), most, 1);
    memcpy(&scale, &bits, sizeof scale);
    return scale;
}

static void put_codes(const struct append *a, const uint8_t *page, size_t in_page, size_t head,
                      const float *x, float scale)
{
    tsr_i8_codes_f32_fn *encode =
        (tsr_i8_codes_f32_fn *)tsr_variant_chosen(TSR_OP_i8_codes_f32)->function;
    int8_t codes[TSR_ATTENTION_MAX_DIM];
    const struct row_place to = place(a->kv, a->l, a->is_v, page, in_page, head);
    encode(to.width, x, scale, codes);
    scatter(&to, codes);
}

/* Tokens from .. end - 1, of one group, of i8; those before `from` in the group stay. */
static void put_group(const struct append *a, size_t from, size_t end, size_t head)
{
    const size_t width = (a->is_v ? a->l->v : a->l->k).width, group = a->kv->group;
    size_t in_page;
    uint8_t *page = tsr_kv_page(a->kv, a->l, a->sequence, from, &in_page);
    uint8_t *const where = scales_of(a->kv, a->l, a->is_v, page, in_page, head);
    const size_t before = in_page % group;
    float scale = 0, old = 0, row[TSR_ATTENTION_MAX_DIM];
    uint32_t most = 0;
    for (size_t t = from; t < end; t++)
        scale = largest_scale(width, row_of(a, t, head), &most);
    if (before > 0)
        memcpy(&old, where, sizeof old);
    if (before > 0 && !(scale > old) && !isnan(scale)) {
        scale = old;
    } else {
        for (size_t t = in_page - before; t < in_page; t++) {
            tsr_kv_plane_row(a->kv, a->l, a->is_v, page, t, head, row);
            put_codes(a, page, t, head, row, scale);
        }
        memcpy(where, &scale, sizeof scale);
    }
    for (size_t t = from; t < end; t++)
        put_codes(a, page, in_page + (t - from), head, row_of(a, t, head), scale);
}

/* The rest of the last tile becomes zeros: kernels read whole tiles. */
static void clear_rest(const struct append *a, size_t head)
{
    static const uint32_t zeros[TSR_ATTENTION_MAX_DIM];
    for (size_t t = a->first + a->tokens; t % TSR_KV_TILE != 0; t++) {
        size_t in_page;
        const uint8_t *page = tsr_kv_page(a->kv, a->l, a->sequence, t, &in_page);
        const struct row_place to = place(a->kv, a->l, a->is_v, page, in_page, head);
        uint8_t *scales = scales_of(a->kv, a->l, a->is_v, page, in_page, head);
        scatter(&to, zeros);
        if (scales != NULL && a->kv->format == TSR_MXF8E4M3)
            memset(scales, 0, (a->is_v ? a->l->v : a->l->k).token_scales);
        if (scales != NULL && a->kv->format == TSR_I8 && in_page % a->kv->group == 0)
            memset(scales, 0, sizeof(float));
    }
}

static void append(const struct append *a)
{
    const size_t end = a->first + a->tokens;
    for (size_t h = 0; h < a->kv->kv_heads; h++) {
        for (size_t t = a->first, next; t < end; t = next) {
            next = a->kv->format == TSR_I8 ? (t / a->kv->group + 1) * a->kv->group : t + 1;
            next = next < end ? next : end;
            if (a->kv->format == TSR_I8)
                put_group(a, t, next, h);
            else
                put(a, t, h);
        }
        clear_rest(a, h);
    }
}

enum tsr_status tsr_kv_append(const struct tsr_kv *kv, size_t sequence, size_t first, size_t tokens,
                              const float *k, size_t k_stride, const float *v, size_t v_stride,
                              struct tsr_error *err)
{
    struct tsr_kv_layout l;
    const enum tsr_status st = tsr_kv_layout(kv, &l, err);
    if (st != TSR_OK)
        return st;
    const struct append ks = {kv, &l, false, sequence, first, tokens, k, k_stride};
    const struct append vs = {kv, &l, true, sequence, first, tokens, v, v_stride};
    append(&ks);
    append(&vs);
    return TSR_OK;
}
