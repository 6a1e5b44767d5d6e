/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/npu/moe.h"
#include "kernels/ref.h"
#include "sim/suite/routing.h"

struct combine_case {
    size_t tokens, experts, top_k, cols;
    enum tsr_dtype x, y;
    bool residual;
};

/* Each of top_k products and sums rounds once: top_k + 1 steps over the sum of magnitudes. */
static void reference(struct suite *s, const struct combine_case *c, const struct suite_routing *r,
                      const float *x, const float *w, const float *residual, float *slots,
                      float *want, double *bound)
{
    size_t n = c->cols, k = c->top_k;
    for (size_t i = 0; i < r->slots; i++)
        for (size_t j = 0; j < n; j++)
            slots[i * n + j] = x[r->place[i] * n + j];
    tsr_combine_ref(c->tokens, n, k, w, slots, residual, want);
    for (size_t i = 0; i < c->tokens * n; i++) {
        double sum = residual ? fabs(residual[i]) : 0;
        for (size_t j = 0; j < k; j++)
            sum += fabs((double)w[i / n * k + j] * slots[(i / n * k + j) * n + i % n]);
        double wide = sum * (double)(k + 1) * 0x1.01p-24;
        bound[i] = wide + suite_half_ulp(suite_format(s, c->y), fabs(want[i]) + wide);
    }
}

static enum tsr_status one(struct suite *s, const struct combine_case *c, struct tsr_error *err)
{
    const struct tsr_format *fx = suite_format(s, c->x), *fy = suite_format(s, c->y);
    const struct tsr_format *f32 = suite_format(s, TSR_F32);
    struct suite_routing r;
    enum tsr_status st =
        suite_begin(s, fx, c->tokens, c->experts, c->top_k, c->residual ? "residual" : "", err);
    if (!st)
        st = suite_route(s, c->tokens, c->experts, c->top_k, &r, err);
    if (st)
        return st;
    size_t n = c->tokens * c->cols, in = r.slots * c->cols;
    float *x = suite_alloc(s, 4 * in, err), *w = suite_alloc(s, 4 * r.slots, err);
    float *residual = suite_alloc(s, 4 * n, err), *slots = suite_alloc(s, 4 * in, err);
    float *y = suite_alloc(s, 4 * n, err), *want = suite_alloc(s, 4 * n, err);
    double *bound = suite_alloc(s, 8 * n, err);
    if (!x || !w || !residual || !slots || !y || !want || !bound)
        return TSR_INTERNAL;
    suite_fill(s, fx, SUITE_UNIT, x, in);
    suite_fill(s, f32, SUITE_UNIT, w, r.slots);
    suite_fill(s, fy, SUITE_UNIT, residual, n);
    struct tsr_npu_moe_combine op = {.tokens = c->tokens,
                                     .experts = c->experts,
                                     .top_k = c->top_k,
                                     .cols = c->cols,
                                     .x_format = c->x,
                                     .y_format = c->y,
                                     .ids = r.ids_at,
                                     .counts = r.counts_at};
    st = suite_place(s, SUITE_IN, fx, x, in, &op.x, err);
    if (!st)
        st = suite_place(s, SUITE_IN, f32, w, r.slots, &op.weights, err);
    if (!st)
        st = suite_place(s, c->residual ? SUITE_INOUT : SUITE_OUT, fy, residual, n, &op.y, err);
    op.residual = c->residual ? op.y : 0;
    struct tsr_program p = {0};
    if (!st)
        st = tsr_npu_moe_combine(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    if (!st)
        st = suite_read(s, fy, op.y, y, n, err);
    if (st)
        return st;
    reference(s, c, &r, x, w, c->residual ? residual : NULL, slots, want, bound);
    suite_compare(s, "y", y, want, bound, n);
    return TSR_OK;
}

enum tsr_status suite_moe_combine(struct suite *s, struct tsr_error *err)
{
    static const struct combine_case own[] = {
        {1, 1, 1, 1, TSR_BF16, TSR_BF16, false},    {1, 8, 2, 130, TSR_BF16, TSR_BF16, true},
        {5, 3, 3, 17, TSR_F32, TSR_BF16, false},    {70, 8, 2, 514, TSR_BF16, TSR_BF16, true},
        {131, 32, 4, 65, TSR_BF16, TSR_F32, true},  {66, 128, 8, 64, TSR_F32, TSR_F32, false},
        {3, 16, 11, 100, TSR_BF16, TSR_BF16, true}, {2, 4, 2, 9001, TSR_BF16, TSR_BF16, true},
    };
    if (s->shape.m) {
        struct combine_case c = {s->shape.m, s->shape.n, s->shape.k, 512, TSR_BF16, TSR_BF16, true};
        return one(s, &c, err);
    }
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < sizeof own / sizeof *own && !st; i++)
        if (suite_wants(s, own[i].x))
            st = one(s, &own[i], err);
    return st;
}
