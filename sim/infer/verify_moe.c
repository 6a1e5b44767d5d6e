/* SPDX-License-Identifier: Apache-2.0 */
/* Routing: what each token's experts are, whose rows go where, and their sum. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/ref.h"
#include "sim/infer/verify.h"

/* ---- router ---- */

struct router {
    struct verify *v;
    const struct tsr_npu_moe_router *o;
    struct verify_rows *ids, *weights, *counts;
    uint32_t *index;
    float *weight;
};

/* u = 2^-24: each term (2.5 |x - max| + 1.4) u, their mean by weight in the sum, which has at most
 * ceil(experts / lanes) + log2(lanes) roundings; rcp and a product (sim/suite/suite_moe_router.c).
 * Terms beyond max - 104 are 0. */
static void route(struct router *r, uint64_t token, const float *x)
{
    const struct tsr_npu_moe_router *o = r->o;
    const double lanes = r->v->s->o.chip->tile.tvp.lanes;
    const double sums = (double)o->experts / lanes + 1 + log2(lanes);
    const uint64_t first = token * o->top_k;
    double far = 0;
    tsr_topk_ref(1, o->experts, o->top_k,
                 o->softmax == TSR_NPU_ROUTER_ALL ? TSR_ROUTER_SOFTMAX_ALL
                                                  : TSR_ROUTER_SOFTMAX_CHOSEN,
                 x, r->index, r->weight);
    for (uint64_t i = 0; i < o->experts; i++)
        far = fmax(far, (double)x[r->index[0]] - (double)x[i]);
    for (uint64_t j = 0; j < o->top_k; j++) {
        const double w = (double)r->weight[j];
        r->ids->want[first + j] = (float)r->index[j];
        verify_set(r->v, r->weights, first + j, w,
                   w * (2 * (2.5 * fmin(far, 104) + 1.4) + sums + 2.6) * 0x1.01p-24 + 0x1p-125);
    }
}

/* Part p counts the choices of tokens [tokens p / parts, tokens (p + 1) / parts). */
static void count(struct router *r)
{
    const struct tsr_npu_moe_router *o = r->o;
    const uint64_t parts = r->counts->rows;
    for (uint64_t p = 0; p < parts; p++)
        for (uint64_t i = o->tokens * p / parts * o->top_k;
             i < o->tokens * (p + 1) / parts * o->top_k; i++)
            r->counts->want[p * o->experts + (uint64_t)r->ids->want[i]]++;
}

enum tsr_status verify_moe_router(struct verify *v, struct tsr_error *err)
{
    struct router r = {.v = v, .o = &v->op.moe_router};
    const struct tsr_npu_moe_router *o = r.o;
    const uint64_t stride = verify_stride(v, o->logits_stride, o->format, o->experts);
    r.ids = verify_add(v, o->ids, 0, o->tokens, o->top_k, TSR_I32, false, err);
    r.weights = verify_add(v, o->weights, 0, o->tokens, o->top_k, TSR_F32, true, err);
    r.counts = verify_add(v, o->counts, 0, tsr_npu_moe_parts(v->s->o.chip, o->tokens), o->experts,
                          TSR_I32, false, err);
    r.index = malloc(o->top_k * sizeof *r.index);
    r.weight = malloc(o->top_k * sizeof *r.weight);
    enum tsr_status st =
        r.ids && r.weights && r.counts && r.index && r.weight ? TSR_OK : TSR_INTERNAL;
    for (uint64_t t = 0; t < o->tokens && st == TSR_OK; t++) {
        float *x = verify_read(v->s, o->format, o->logits + t * stride, o->experts, err);
        st = x != NULL ? TSR_OK : TSR_INTERNAL;
        if (x != NULL)
            route(&r, t, x);
        free(x);
    }
    if (st == TSR_OK)
        count(&r);
    free(r.index);
    free(r.weight);
    return st;
}

/* ---- places ---- */

/* The slot (token, choice) whose row lies at each place: expert by expert, by rising slot; and the
 * expert of each. The caller frees both. Errors: TSR_MISMATCH an id that is no expert. */
static enum tsr_status find_places(struct verify *v, uint64_t address, uint64_t slots,
                                   uint64_t experts, uint64_t **slot_at, uint64_t **expert_at,
                                   struct tsr_error *err)
{
    float *ids = verify_read(v->s, TSR_I32, address, slots, err);
    uint64_t place = 0;
    *slot_at = malloc(slots * sizeof **slot_at);
    *expert_at = malloc(slots * sizeof **expert_at);
    enum tsr_status st = ids && *slot_at && *expert_at ? TSR_OK : TSR_INTERNAL;
    for (uint64_t e = 0; e < experts && st == TSR_OK; e++)
        for (uint64_t i = 0; i < slots; i++)
            if (ids[i] == (float)e) {
                (*slot_at)[place] = i;
                (*expert_at)[place++] = e;
            }
    if (st == TSR_OK && place != slots)
        st = tsr_error_set(err, TSR_MISMATCH, "%llu of %llu choices name no expert",
                           (unsigned long long)(slots - place), (unsigned long long)slots);
    free(ids);
    return st;
}

/* Bytes as they are. */
enum tsr_status verify_moe_dispatch(struct verify *v, struct tsr_error *err)
{
    const struct tsr_npu_moe_dispatch *o = &v->op.moe_dispatch;
    const uint64_t slots = o->tokens * o->top_k;
    const uint64_t stride = o->x_stride != 0 ? o->x_stride : o->row_bytes;
    uint64_t *slot, *expert;
    enum tsr_status st = find_places(v, o->ids, slots, o->experts, &slot, &expert, err);
    struct verify_rows *r =
        st == TSR_OK ? verify_add(v, o->y, 0, slots, o->row_bytes, TSR_I8, false, err) : NULL;
    if (st == TSR_OK && r == NULL)
        st = TSR_INTERNAL;
    for (uint64_t i = 0; i < slots && st == TSR_OK; i++) {
        float *x = verify_read(v->s, TSR_I8, o->x + slot[i] / o->top_k * stride, o->row_bytes, err);
        if (x != NULL)
            memcpy(r->want + i * o->row_bytes, x, o->row_bytes * sizeof *x);
        st = x != NULL ? TSR_OK : TSR_INTERNAL;
        free(x);
    }
    free(slot);
    free(expert);
    return st;
}

/* ---- experts ---- */

/* Rows [first, first + m) of one expert. */
struct expert {
    struct verify *v;
    const struct tsr_npu_moe_expert *o;
    struct verify_rows *r;
    uint64_t expert, first, m;
    double *sum[2], *error[2]; /* m x n of gate and up, or of the one */
};

/* Products of matrix `part` (0: gate or the only one, 1: up) with its bias. */
static enum tsr_status multiply(const struct expert *x, int part, struct tsr_error *err)
{
    const struct tsr_npu_moe_expert *o = x->o;
    const struct infer_options *i = &x->v->s->o;
    const bool apart = o->up != 0; /* else up follows its gate */
    const uint64_t parts = o->gate && !apart ? 2 : 1;
    struct tsr_npu_slab slab;
    float *bias = NULL;
    enum tsr_status st =
        tsr_npu_slab_plan(i->isa, i->chip, o->b_format, o->a_format, o->n, o->k, &slab, err);
    if (st != TSR_OK)
        return st;
    const uint64_t matrix = tsr_npu_slab_bytes(&slab),
                   stride = o->expert_stride != 0 ? o->expert_stride : parts * matrix;
    const uint64_t b = part == 0 ? o->b : apart ? o->up : o->b + matrix;
    const uint64_t biases = part == 0 ? o->bias : o->up_bias,
                   bias_stride = o->bias_stride != 0 ? o->bias_stride : 4 * o->n;
    const struct verify_product p = {x->v->s,  o->a_format, o->b_format,
                                     o->a,     0,           o->tokens * o->top_k,
                                     x->first, x->m,        b + x->expert * stride,
                                     0,        o->n,        o->k};
    st = verify_products(&p, x->sum[part], x->error[part], err);
    if (st != TSR_OK || biases == 0)
        return st;
    bias = verify_read(x->v->s, TSR_F32, biases + x->expert * bias_stride, o->n, err);
    for (uint64_t j = 0; bias != NULL && j < x->m * o->n; j++) {
        x->sum[part][j] += (double)bias[j % o->n];
        x->error[part][j] += (fabs(x->sum[part][j]) + x->error[part][j]) * 0x1p-24;
    }
    free(bias);
    return bias != NULL ? TSR_OK : TSR_INTERNAL;
}

static enum tsr_status run_expert(const struct expert *x, struct tsr_error *err)
{
    const struct tsr_npu_moe_expert *o = x->o;
    enum tsr_status st = multiply(x, 0, err);
    if (st == TSR_OK && o->gate)
        st = multiply(x, 1, err);
    for (uint64_t i = 0; i < x->m * o->n && st == TSR_OK; i++) {
        double y = x->sum[0][i], e = x->error[0][i];
        if (o->gate)
            verify_gated(o->activation, o->limit, o->alpha, x->sum[0][i], x->error[0][i],
                         x->sum[1][i], x->error[1][i], &y, &e);
        verify_set(x->v, x->r, x->first * o->n + i, y, e);
    }
    return st;
}

/* How many rows each expert has, by the router's counts. */
static enum tsr_status count_rows(struct verify *v, const struct tsr_npu_moe_expert *o,
                                  uint64_t *rows, struct tsr_error *err)
{
    const uint64_t parts = tsr_npu_moe_parts(v->s->o.chip, o->tokens);
    uint64_t all = 0;
    float *counts = verify_read(v->s, TSR_I32, o->counts, parts * o->experts, err);
    if (counts == NULL)
        return TSR_INTERNAL;
    for (uint64_t i = 0; i < parts * o->experts; i++) {
        rows[i % o->experts] += (uint64_t)counts[i];
        all += (uint64_t)counts[i];
    }
    free(counts);
    return all == o->tokens * o->top_k
               ? TSR_OK
               : tsr_error_set(err, TSR_MISMATCH, "the router's counts add up to %llu of %llu",
                               (unsigned long long)all, (unsigned long long)(o->tokens * o->top_k));
}

enum tsr_status verify_moe_expert(struct verify *v, struct tsr_error *err)
{
    struct expert x = {.v = v, .o = &v->op.moe_expert};
    const struct tsr_npu_moe_expert *o = x.o;
    const uint64_t slots = o->tokens * o->top_k;
    uint64_t *rows = calloc(o->experts, sizeof *rows);
    double *room = calloc(4 * slots * o->n, sizeof *room);
    enum tsr_status st = rows && room ? count_rows(v, o, rows, err) : TSR_INTERNAL;
    x.r = st == TSR_OK ? verify_add(v, o->c, 0, slots, o->n, o->c_format, true, err) : NULL;
    if (st == TSR_OK && x.r == NULL)
        st = TSR_INTERNAL;
    for (int i = 0; i < 2 && room != NULL; i++) {
        x.sum[i] = room + (uint64_t)(2 * i) * slots * o->n;
        x.error[i] = x.sum[i] + slots * o->n;
    }
    for (; x.expert < o->experts && st == TSR_OK; x.expert++) {
        x.m = rows[x.expert];
        if (x.m != 0)
            st = run_expert(&x, err);
        x.first += x.m;
    }
    free(rows);
    free(room);
    return st;
}

/* ---- combine ---- */

/* Each of top_k products and sums rounds once: top_k + 1 steps over the sum of magnitudes. */
static void combine_row(struct verify *v, struct verify_rows *r, uint64_t t, const float *w,
                        const float *const *x, const float *residual)
{
    const struct tsr_npu_moe_combine *o = &v->op.moe_combine;
    for (uint64_t i = 0; i < o->cols; i++) {
        double y = residual != NULL ? (double)residual[i] : 0, all = fabs(y);
        for (uint64_t j = 0; j < o->top_k; j++) {
            const double p = (double)w[t * o->top_k + j] * (double)x[t * o->top_k + j][i];
            y += p;
            all += fabs(p);
        }
        verify_set(v, r, t * o->cols + i, y, all * (double)(o->top_k + 1) * 0x1.01p-24);
    }
}

static enum tsr_status combine(struct verify *v, const uint64_t *slot, float **x,
                               struct tsr_error *err)
{
    const struct tsr_npu_moe_combine *o = &v->op.moe_combine;
    const uint64_t slots = o->tokens * o->top_k, row = verify_stride(v, 0, o->x_format, o->cols);
    const uint64_t stride = verify_stride(v, o->residual_stride, o->y_format, o->cols);
    struct verify_rows *r =
        verify_add(v, o->y, o->y_stride, o->tokens, o->cols, o->y_format, true, err);
    float *w = verify_read(v->s, TSR_F32, o->weights, slots, err);
    enum tsr_status st = r && w ? TSR_OK : TSR_INTERNAL;
    for (uint64_t i = 0; i < slots && st == TSR_OK; i++) {
        x[slot[i]] = verify_read(v->s, o->x_format, o->x + i * row, o->cols, err);
        st = x[slot[i]] != NULL ? TSR_OK : TSR_INTERNAL;
    }
    for (uint64_t t = 0; t < o->tokens && st == TSR_OK; t++) {
        float *residual = o->residual != 0 ? verify_read(v->s, o->y_format,
                                                         o->residual + t * stride, o->cols, err)
                                           : NULL;
        if (o->residual != 0 && residual == NULL)
            st = TSR_INTERNAL;
        else
            combine_row(v, r, t, w, (const float *const *)x, residual);
        free(residual);
    }
    free(w);
    return st;
}

enum tsr_status verify_moe_combine(struct verify *v, struct tsr_error *err)
{
    const struct tsr_npu_moe_combine *o = &v->op.moe_combine;
    const uint64_t slots = o->tokens * o->top_k;
    uint64_t *slot, *expert;
    float **x = calloc(slots, sizeof *x);
    enum tsr_status st = find_places(v, o->ids, slots, o->experts, &slot, &expert, err);
    if (st == TSR_OK)
        st = x != NULL ? combine(v, slot, x, err) : TSR_INTERNAL;
    for (uint64_t i = 0; x != NULL && i < slots; i++)
        free(x[i]);
    free(x);
    free(slot);
    free(expert);
    return st;
}
