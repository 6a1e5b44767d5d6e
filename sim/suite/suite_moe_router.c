/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/npu/moe.h"
#include "kernels/ref.h"
#include "sim/suite/suite.h"

struct tensors {
    float *logits, *weight, *want;
    uint32_t *ids, *ids_want, *counts, *counts_want;
    double *bound;
    uint32_t parts;
};

static bool make(struct suite *s, const struct suite_shape *x, struct tensors *v,
                 struct tsr_error *err)
{
    size_t t = (size_t)x->m, e = (size_t)x->n, k = (size_t)x->k;
    v->parts = tsr_npu_moe_parts(s->chip, t);
    v->logits = suite_alloc(s, 4 * t * e, err);
    v->weight = suite_alloc(s, 4 * t * k, err);
    v->want = suite_alloc(s, 4 * t * k, err);
    v->bound = suite_alloc(s, 8 * t * k, err);
    v->ids = suite_alloc(s, 4 * t * k, err);
    v->ids_want = suite_alloc(s, 4 * t * k, err);
    v->counts = suite_alloc(s, 4 * v->parts * e, err);
    v->counts_want = suite_alloc(s, 4 * v->parts * e, err);
    return v->logits && v->weight && v->want && v->bound && v->ids && v->ids_want && v->counts &&
           v->counts_want;
}

/* u = 2^-24: each term (2.5 |x - max| + 1.4) u, as softmax; their mean by weight in the sum, which
 * has at most ceil(experts / lanes) + log2(lanes) roundings; rcp and a product. Taken at the
 * farthest logit that matters: terms beyond max - 104 are 0. */
static void reference(struct suite *s, const struct suite_shape *x, enum tsr_npu_router kind,
                      struct tensors *v)
{
    size_t t = (size_t)x->m, e = (size_t)x->n, k = (size_t)x->k;
    double lanes = s->chip->tile.tvp.lanes, sum = (double)e / lanes + 1 + log2(lanes);
    tsr_topk_ref(t, e, k,
                 kind == TSR_NPU_ROUTER_ALL ? TSR_ROUTER_SOFTMAX_ALL : TSR_ROUTER_SOFTMAX_CHOSEN,
                 v->logits, v->ids_want, v->want);
    for (size_t i = 0; i < t * k; i++) {
        const float *row = v->logits + i / k * e;
        double top = row[v->ids_want[i / k * k]], far = 0;
        for (size_t j = 0; j < e; j++)
            far = top - row[j] > far ? top - row[j] : far;
        far = far > 104 ? 104 : far;
        v->bound[i] = v->want[i] * (2 * (2.5 * far + 1.4) + sum + 2.6) * 0x1.01p-24 + 0x1p-125;
    }
    for (uint32_t p = 0; p < v->parts; p++)
        for (size_t i = t * p / v->parts * k; i < t * (p + 1) / v->parts * k; i++)
            v->counts_want[p * e + v->ids_want[i]]++;
}

static enum tsr_status one(struct suite *s, const struct suite_shape *x, enum tsr_dtype format,
                           enum tsr_npu_router kind, struct tsr_error *err)
{
    const struct tsr_format *f = suite_format(s, format);
    size_t t = (size_t)x->m, e = (size_t)x->n, k = (size_t)x->k;
    struct tensors v;
    enum tsr_status st =
        suite_begin(s, f, x->m, x->n, x->k, kind == TSR_NPU_ROUTER_ALL ? "all" : "chosen", err);
    if (st)
        return st;
    if (!make(s, x, &v, err))
        return TSR_INTERNAL;
    struct tsr_npu_moe_router op = {
        .tokens = t, .experts = e, .top_k = k, .softmax = kind, .format = format};
    suite_fill(s, f, SUITE_SMALL, v.logits, t * e); /* many equal ones */
    for (size_t i = t / 2 * e; i < t * e; i++)
        v.logits[i] = 4 * v.logits[i] - 16; /* all negative */
    st = suite_place(s, SUITE_IN, f, v.logits, t * e, &op.logits, err);
    if (!st)
        st = suite_place_bytes(s, SUITE_OUT, NULL, 4 * t * k, &op.ids, err);
    if (!st)
        st = suite_place_bytes(s, SUITE_OUT, NULL, 4 * t * k, &op.weights, err);
    if (!st)
        st = suite_place_bytes(s, SUITE_OUT, NULL, 4 * v.parts * e, &op.counts, err);
    struct tsr_program p = {0};
    if (!st)
        st = tsr_npu_moe_router(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    if (!st)
        st = suite_read_bytes(s, op.ids, v.ids, 4 * t * k, err);
    if (!st)
        st = suite_read_bytes(s, op.weights, v.weight, 4 * t * k, err);
    if (!st)
        st = suite_read_bytes(s, op.counts, v.counts, 4 * v.parts * e, err);
    if (st)
        return st;
    reference(s, x, kind, &v);
    suite_compare_words(s, "ids", v.ids, v.ids_want, t * k);
    suite_compare(s, "weights", v.weight, v.want, v.bound, t * k);
    suite_compare_words(s, "counts", v.counts, v.counts_want, v.parts * e);
    return TSR_OK;
}

enum tsr_status suite_moe_router(struct suite *s, struct tsr_error *err)
{
    static const struct suite_shape own[] = {{1, 1, 1},  {1, 8, 2},   {5, 8, 8},    {70, 32, 4},
                                             {3, 33, 3}, {9, 128, 8}, {130, 256, 8}};
    const struct suite_shape *shape;
    size_t n = suite_shapes(s, own, sizeof own / sizeof *own, &shape);
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < n && !st; i++)
        for (int k = 0; k < 2 && !st; k++) {
            enum tsr_dtype f = i % 2 ? TSR_BF16 : TSR_F32;
            if (s->format)
                f = (enum tsr_dtype)s->format->code;
            st = one(s, &shape[i], f, k ? TSR_NPU_ROUTER_ALL : TSR_NPU_ROUTER_CHOSEN, err);
        }
    return st;
}
