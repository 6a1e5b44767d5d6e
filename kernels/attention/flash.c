/* SPDX-License-Identifier: Apache-2.0 */
/* Fused attention around the kernels of blocks: which blocks of keys meet which rows, packing of Q,
 * tiles of K and V, the rows that come out. Contract: tessera/attention.h. */
#include "kernels/attention/flash.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "tessera/quant.h"
#include "tessera/vecmath.h"

#define LOG2E 1.4426950408889634
#define LN2 0.6931471805599453

enum {
    ALIGN = 64,
    LANE_ARRAYS = 7, /* max sum first end prefix slope position */
};

/* A block of rows and what has been summed for it. */
struct block {
    size_t row, rows, vectors;
    int32_t from, to;         /* keys that some row sees, prefix apart */
    int32_t all_from, all_to; /* that all see */
    bool fresh;
    void *q;
    float *o, *max, *sum, *slope, *position;
    int32_t *first, *end, *prefix;
};

/* A task's scratch, dealt out. */
struct space {
    uint8_t *at;
};

static size_t padded(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static void *take(struct space *s, size_t bytes)
{
    void *p = s->at;
    s->at += padded(bytes);
    return p;
}

static size_t operand_bytes(const struct tsr_flash_plan *p)
{
    return p->kernel->operand == TSR_F32 ? 4 : 2;
}

static size_t score_bytes(const struct tsr_flash_plan *p)
{
    return (TSR_FLASH_TILES + 1) * TSR_KV_TILE / p->kernel->row_lanes * p->block_lanes * 4;
}

size_t tsr_flash_task_bytes(const struct tsr_flash_plan *p)
{
    const struct tsr_attention *a = p->call->what;
    const size_t blocks = p->chunk_rows / p->block_rows, lanes = p->block_lanes;
    const size_t block = padded(p->block_rows * a->dim * operand_bytes(p)) +
                         padded(a->value_dim * p->block_rows * 4) + LANE_ARRAYS * padded(lanes * 4);
    return blocks * (block + padded(sizeof(struct block))) + padded(score_bytes(p)) +
           padded(TSR_FLASH_TILES * lanes * 8) +
           padded(TSR_FLASH_KEYS * (a->dim + a->value_dim) * operand_bytes(p));
}

/* 2^d for |d| <= 1: its series in double, the same bits everywhere. */
static double small_power(double d)
{
    double sum = 1, term = 1;
    for (int i = 1; i < 18; i++) {
        term *= d * LN2 / i;
        sum += term;
    }
    return sum;
}

/* The reference and the sum of a row that starts from a sink. */
static void start_row(float sink, float *max, float *sum)
{
    if (sink == -INFINITY)
        return;
    const double t = sink * LOG2E;
    *max = fabs(t) < 0x1p16 ? (float)(rint(t * 64) / 64) : (float)t;
    *sum = isfinite(t) ? (float)small_power(fmax(-1, fmin(1, t - (double)*max))) : NAN;
}

/* A row of Q into its block. */
static void pack_row(const struct tsr_flash_plan *p, const void *q, const struct block *b,
                     size_t row, size_t lanes)
{
    float wide[TSR_ATTENTION_MAX_DIM];
    const size_t dim = p->call->what->dim;
    if (p->kernel->operand == TSR_F32 && p->call->format == TSR_BF16) {
        tsr_convert_bf16_f32(dim, q, wide);
        q = wide;
    }
    p->kernel->pack(q, dim, row, lanes, b->q);
}

/* The sign of the scale goes into Q; of a scale of 0, nothing but NaNs remains. */
static void sign_block(const struct tsr_flash_plan *p, const struct block *b, size_t elems)
{
    for (size_t i = 0; i < elems; i++)
        if (p->kernel->operand == TSR_F32) {
            ((float *)b->q)[i] *= p->zero ? 0.0f : -1.0f;
        } else {
            uint16_t *x = (uint16_t *)b->q + i;
            *x = p->negative ? *x ^ 0x8000 : (*x & 0x7F80) == 0x7F80 ? 0x7FC0 : 0;
        }
}

static int32_t clamp(ptrdiff_t x, ptrdiff_t most)
{
    return (int32_t)(x < 0 ? 0 : x < most ? x : most);
}

/* Which keys a row sees: first <= j < end, j < prefix. */
static void see(const struct tsr_flash_plan *p, const struct tsr_flash_unit *u, size_t i,
                int32_t *first, int32_t *end, int32_t *prefix)
{
    const struct tsr_attention *a = p->call->what;
    const ptrdiff_t keys = a->kv_len[u->sequence];
    const ptrdiff_t position = keys - (ptrdiff_t)a->q_len[u->sequence] + (ptrdiff_t)i;
    *end = clamp(a->causal ? position + 1 : keys, keys);
    *first = 0;
    if (a->window != 0 && a->window <= (size_t)INT32_MAX)
        *first = clamp(position - (ptrdiff_t)a->window + 1, keys);
    *prefix = a->prefix != NULL ? clamp(a->prefix[u->sequence], keys) : 0;
}

/* Whether rows see different keys, or biases. */
static bool has_ranges(const struct tsr_flash_plan *p, const struct tsr_flash_unit *u)
{
    const struct tsr_attention *a = p->call->what;
    return a->causal || a->window != 0 || a->prefix != NULL || a->slopes != NULL ||
           a->kv_len[u->sequence] % TSR_KV_TILE != 0;
}

/* Which keys the rows see, and their slopes. */
static void open_ranges(const struct tsr_flash_plan *p, const struct tsr_flash_unit *u,
                        struct block *b, size_t rows)
{
    const struct tsr_attention *a = p->call->what;
    const size_t per_row = p->kernel->row_lanes;
    const ptrdiff_t behind = (ptrdiff_t)a->kv_len[u->sequence] - (ptrdiff_t)a->q_len[u->sequence];
    for (size_t r = 0; r < rows; r++) {
        /* Lanes beyond the last row repeat it; what they hold is not read. */
        const size_t row = b->row + (r < b->rows ? r : b->rows - 1);
        const size_t i = row / p->group, head = u->head * p->group + row % p->group;
        int32_t first, end, prefix;
        see(p, u, i, &first, &end, &prefix);
        b->from = r == 0 || first < b->from ? first : b->from;
        b->to = r == 0 || end > b->to ? end : b->to;
        b->all_from = r == 0 || first > b->all_from ? first : b->all_from;
        b->all_to = r == 0 || end < b->all_to ? end : b->all_to;
        for (size_t l = tsr_flash_lane(p->kernel, r), n = 0; n < per_row; n++, l++) {
            b->first[l] = first;
            b->end[l] = end;
            b->prefix[l] = prefix;
            b->slope[l] = a->slopes != NULL ? (float)(a->slopes[head] * LOG2E) : 0;
            b->position[l] = (float)(behind + (ptrdiff_t)i);
        }
    }
}

/* Sets a block up: its rows of Q, the sums that they start from. */
static void open_block(const struct tsr_flash_plan *p, const struct tsr_flash_unit *u,
                       struct block *b)
{
    const struct tsr_attention_call *c = p->call;
    const size_t dim = c->what->dim, q_bytes = c->format == TSR_BF16 ? 2 : 4;
    const size_t lanes = b->vectors * p->kernel->lanes(), per_row = p->kernel->row_lanes;
    const size_t rows = lanes / per_row;
    if (b->rows < rows)
        memset(b->q, 0, rows * dim * operand_bytes(p));
    b->fresh = true;
    b->from = b->all_from = b->prefix[0] = 0;
    b->to = b->all_to = (int32_t)c->what->kv_len[u->sequence];
    if (has_ranges(p, u))
        open_ranges(p, u, b, rows);
    for (size_t l = 0; l < lanes; l++) {
        b->max[l] = -FLT_MAX;
        b->sum[l] = 0;
    }
    const uint8_t *q = c->q;
    for (size_t r = 0; r < b->rows; r++) {
        const size_t row = b->row + r, query = u->query + row / p->group;
        const size_t head = u->head * p->group + row % p->group;
        pack_row(p, q + (query * c->q_stride + head * dim) * q_bytes, b, r, lanes);
        if (c->what->sinks != NULL && u->with_sink)
            for (size_t n = 0; n < per_row; n++)
                start_row(c->what->sinks[head], &b->max[r * per_row + n], &b->sum[r * per_row + n]);
    }
    if (p->zero || p->negative)
        sign_block(p, b, rows * dim);
}

/* The fewest vectors that hold the rows. */
static size_t vectors_for(const struct tsr_flash_plan *p, size_t rows)
{
    const struct tsr_attention_kernel *k = p->kernel;
    int i = 0;
    while (k->choices[i + 1] != 0 && k->choices[i] * k->lanes() / k->row_lanes < rows)
        i++;
    return k->choices[i];
}

/* One tile of K or V as the kernel wants it. */
static void expand(const struct tsr_flash_plan *p, bool is_v, const uint8_t *page, size_t token,
                   size_t head, void *to)
{
    const struct tsr_kv *kv = p->call->kv;
    const struct tsr_kv_plane *plane = is_v ? &p->layout.v : &p->layout.k;
    const enum tsr_dtype operand = p->kernel->operand;
    const size_t n = TSR_KV_TILE * plane->width;
    const uint8_t *codes =
        page + plane->codes + head * plane->head_codes + token / TSR_KV_TILE * plane->tile_codes;
    /* Tiles of 16 and 8 bits lie in the same order; one scale at most for all of one. */
    if (operand == TSR_BF16 &&
        (kv->format == TSR_F8E4M3 || (kv->format == TSR_I8 && kv->group % TSR_KV_TILE == 0))) {
        const uint8_t *scale = page + plane->scales + head * plane->head_scales +
                               (kv->format == TSR_I8 ? token / kv->group * 4 : 0);
        tsr_dequantize_bf16(&(struct tsr_quant){.format = kv->format, .rows = 1, .cols = n}, codes,
                            scale, to, n, NULL);
        return;
    }
    for (size_t t = 0; t < TSR_KV_TILE; t++) {
        float row[TSR_ATTENTION_MAX_DIM];
        uint16_t narrow[TSR_ATTENTION_MAX_DIM];
        tsr_kv_plane_row(kv, &p->layout, is_v, page, token + t, head, row);
        if (operand == TSR_F32) {
            for (size_t d = 0; d < plane->width; d++)
                ((float *)to)[tsr_kv_place(TSR_F32, is_v, t, d)] = row[d];
            continue;
        }
        tsr_convert_f32_bf16(plane->width, row, narrow);
        for (size_t d = 0; d < plane->width; d++)
            ((uint16_t *)to)[tsr_kv_place(TSR_BF16, is_v, t, d)] = narrow[d];
    }
}

/* Pointers to the tiles of a block of keys, and to the last of K once more. */
struct tiles {
    const void *k[TSR_FLASH_TILES + 1], *v[TSR_FLASH_TILES];
    uint8_t *room; /* for those that have to be expanded */
};

/* Tiles first .. end - 1 of the keys from `key` on. */
static void find_tiles(const struct tsr_flash_plan *p, const struct tsr_flash_unit *u, size_t key,
                       size_t first, size_t end, struct tiles *to)
{
    const struct tsr_kv *kv = p->call->kv;
    const struct tsr_kv_layout *l = &p->layout;
    uint8_t *room = to->room;
    for (size_t t = first; t < end; t++) {
        size_t token;
        const uint8_t *page = tsr_kv_page(kv, l, u->sequence, key + t * TSR_KV_TILE, &token);
        if (kv->format == p->kernel->operand) {
            const size_t tile = token / TSR_KV_TILE;
            to->k[t] = page + l->k.codes + u->head * l->k.head_codes + tile * l->k.tile_codes;
            to->v[t] = page + l->v.codes + u->head * l->v.head_codes + tile * l->v.tile_codes;
            continue;
        }
        to->k[t] = room;
        expand(p, false, page, token, u->head, room);
        room += TSR_KV_TILE * l->k.width * operand_bytes(p);
        to->v[t] = room;
        expand(p, true, page, token, u->head, room);
        room += TSR_KV_TILE * l->v.width * operand_bytes(p);
    }
    to->k[end] = to->k[end - 1];
}

/* What `hide` needs to know. */
struct masked_rows {
    const struct tsr_flash_plan *p;
    const struct tsr_flash_unit *u;
    const struct block *b;
};

static void hide(const struct tsr_flash *f, void *arg)
{
    const struct masked_rows *m = arg;
    const size_t keys = m->p->call->what->kv_len[m->u->sequence];
    const size_t per_row = m->p->kernel->row_lanes, lanes = f->vectors * m->p->kernel->lanes();
    for (size_t r = 0; r < m->b->rows; r++) {
        const uint8_t *mask = m->u->mask + (m->b->row + r) / m->p->group * keys;
        for (size_t j = 0; j < f->tiles * TSR_KV_TILE && (size_t)f->key + j < keys; j++)
            if (mask[(size_t)f->key + j] == 0)
                f->scores[j / per_row * lanes + r * per_row + j % per_row] = f->masked;
    }
}

/* Tiles [*first, *end) of the block of keys [key, key_end) that some row sees. */
static bool reach(const struct block *b, size_t key, size_t key_end, size_t *first, size_t *end)
{
    const size_t prefix = (size_t)b->prefix[0];
    size_t from = (size_t)b->from > key ? (size_t)b->from : key;
    size_t to = (size_t)b->to < key_end ? (size_t)b->to : key_end;
    if (from >= to)
        from = to = key;
    if (prefix > key) {
        const size_t prefix_end = prefix < key_end ? prefix : key_end;
        to = to > prefix_end ? to : prefix_end;
        from = key;
    }
    *first = (from - key) / TSR_KV_TILE;
    *end = (to - key + TSR_KV_TILE - 1) / TSR_KV_TILE;
    return from < to;
}

static void run_block(const struct tsr_flash_plan *p, const struct tsr_flash_unit *u,
                      struct block *b, size_t key, size_t key_end, const struct tiles *tiles,
                      float *scores, void *weights)
{
    const struct tsr_attention *a = p->call->what;
    size_t first, end;
    if (!reach(b, key, key_end, &first, &end))
        return;
    const size_t from = key + first * TSR_KV_TILE, to = key + end * TSR_KV_TILE;
    const bool all =
        (from >= (size_t)b->all_from && to <= (size_t)b->all_to) || to <= (size_t)b->prefix[0];
    struct masked_rows masked = {p, u, b};
    const struct tsr_flash f = {.vectors = b->vectors,
                                .dim = a->dim,
                                .value_dim = a->value_dim,
                                .tiles = end - first,
                                .key = (int32_t)from,
                                .k_tiles = tiles->k + first,
                                .v_tiles = tiles->v + first,
                                .q = b->q,
                                .scores = scores,
                                .weights = weights,
                                .o = b->o,
                                .fresh = b->fresh,
                                .max = b->max,
                                .sum = b->sum,
                                .c = p->c,
                                .masked = p->masked,
                                .cap = (float)(a->softcap * LOG2E),
                                .biased = a->slopes != NULL,
                                .partial = !all,
                                .slope = b->slope,
                                .position = b->position,
                                .first = b->first,
                                .end = b->end,
                                .prefix = b->prefix,
                                .hide = u->mask != NULL ? hide : NULL,
                                .arg = &masked};
    p->kernel->block(&f);
    b->fresh = false;
}

/* A row of o: sums times a factor. */
static void store_row(const struct tsr_flash_plan *p, const struct block *b, size_t r, float factor,
                      size_t at)
{
    const struct tsr_attention_call *c = p->call;
    const size_t n = c->what->value_dim, lanes = b->vectors * p->kernel->lanes();
    float row[TSR_ATTENTION_MAX_DIM];
    if (c->format == TSR_F32) {
        p->kernel->unpack(b->o, n, r, lanes, factor, (float *)c->o + at);
    } else if (p->kernel->unpack_bf16 != NULL) {
        p->kernel->unpack_bf16(b->o, n, r, lanes, factor, (uint16_t *)c->o + at);
    } else {
        p->kernel->unpack(b->o, n, r, lanes, factor, row);
        tsr_convert_f32_bf16(n, row, (uint16_t *)c->o + at);
    }
}

static void close_block(const struct tsr_flash_plan *p, const struct tsr_flash_unit *u,
                        const struct block *b)
{
    const struct tsr_attention_call *c = p->call;
    const size_t n = c->what->value_dim, lanes = b->vectors * p->kernel->lanes();
    if (b->fresh)
        memset(b->o, 0, lanes / p->kernel->row_lanes * n * sizeof *b->o);
    for (size_t r = 0; r < b->rows; r++) {
        const size_t lane = tsr_flash_lane(p->kernel, r), row = b->row + r;
        const float max = b->max[lane], sum = b->sum[lane];
        if (u->partial == NULL) {
            const size_t query = u->query + row / p->group;
            const size_t head = u->head * p->group + row % p->group;
            store_row(p, b, r, tsr_flash_factor(sum), query * c->o_stride + head * n);
            tsr_flash_lse(p, query, head, max, sum);
        } else {
            float *to = u->partial + (row - u->row) * u->partial_stride;
            p->kernel->unpack(b->o, n, r, lanes, 1, to);
            to[n] = max;
            to[n + 1] = sum;
        }
    }
}

/* No key in sight: zeros. */
float tsr_flash_factor(double sum)
{
    return sum == 0 ? 0.0f : (float)(1 / sum);
}

void tsr_flash_lse(const struct tsr_flash_plan *p, size_t query, size_t head, float max, double sum)
{
    if (p->call->lse != NULL)
        p->call->lse[query * p->call->what->heads + head] =
            sum == 0 ? -INFINITY : (float)((double)max * LN2 + log(sum));
}

void tsr_flash_run(const struct tsr_flash_plan *p, const struct tsr_flash_unit *u, void *scratch)
{
    const struct tsr_attention *a = p->call->what;
    const size_t count = (u->rows + p->block_rows - 1) / p->block_rows, lanes = p->block_lanes;
    struct space s = {scratch};
    struct block *blocks = take(&s, count * sizeof *blocks);
    float *scores = take(&s, score_bytes(p));
    void *weights =
        p->kernel->operand == TSR_F32 ? (void *)scores : take(&s, TSR_FLASH_TILES * lanes * 8);
    struct tiles tiles = {
        .room = take(&s, TSR_FLASH_KEYS * (a->dim + a->value_dim) * operand_bytes(p))};
    for (size_t i = 0; i < count; i++) {
        struct block *b = &blocks[i];
        const size_t row = i * p->block_rows, left = u->rows - row;
        b->row = u->row + row;
        b->rows = left < p->block_rows ? left : p->block_rows;
        b->vectors = vectors_for(p, b->rows);
        b->q = take(&s, p->block_rows * a->dim * operand_bytes(p));
        b->o = take(&s, a->value_dim * p->block_rows * 4);
        float **const floats[] = {&b->max, &b->sum, &b->slope, &b->position};
        int32_t **const ints[] = {&b->first, &b->end, &b->prefix};
        for (int n = 0; n < 4; n++)
            *floats[n] = take(&s, lanes * 4);
        for (int n = 0; n < 3; n++)
            *ints[n] = take(&s, lanes * 4);
        open_block(p, u, b);
    }
    for (size_t key = u->first, next; key < u->end; key = next) {
        next = key + TSR_FLASH_KEYS;
        const size_t end = next < u->end ? next : u->end;
        size_t first = TSR_FLASH_TILES, last = 0, from, to;
        for (size_t i = 0; i < count; i++)
            if (reach(&blocks[i], key, end, &from, &to)) {
                first = from < first ? from : first;
                last = to > last ? to : last;
            }
        if (first >= last)
            continue;
        find_tiles(p, u, key, first, last, &tiles);
        for (size_t i = 0; i < count; i++)
            run_block(p, u, &blocks[i], key, end, &tiles, scores, weights);
    }
    for (size_t i = 0; i < count; i++)
        close_block(p, u, &blocks[i]);
}
