/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/npu/ops.h"
#include "kernels/ref.h"
#include "sim/suite/suite.h"

/* One addition rounded to f32 here and there, and to y's format here. */
static bool compare(struct suite *s, const struct tsr_format *fy, const float *got,
                    const float *want, size_t n, struct tsr_error *err)
{
    double *bound = suite_alloc(s, n * sizeof *bound, err);
    if (!bound)
        return false;
    for (size_t i = 0; i < n; i++)
        bound[i] =
            suite_half_ulp(fy, want[i]) + 2 * suite_half_ulp(suite_format(s, TSR_F32), want[i]);
    return suite_compare(s, "y", got, want, bound, n);
}

static enum tsr_status one(struct suite *s, const struct suite_shape *x, enum tsr_dtype fa,
                           enum tsr_dtype fy, bool in_place, struct tsr_error *err)
{
    const struct tsr_format *f = suite_format(s, fa), *g = suite_format(s, fy);
    size_t n = (size_t)(x->m * x->n);
    enum tsr_status st = suite_begin(s, f, x->m, x->n, 1, in_place ? "in place" : g->name, err);
    if (st)
        return st;
    float *a = suite_alloc(s, 4 * n, err), *b = suite_alloc(s, 4 * n, err);
    float *y = suite_alloc(s, 4 * n, err), *want = suite_alloc(s, 4 * n, err);
    if (!a || !b || !y || !want)
        return TSR_INTERNAL;
    struct tsr_npu_residual op = {
        .rows = x->m, .cols = x->n, .a_format = fa, .b_format = fa, .y_format = fy};
    suite_fill(s, f, SUITE_EXTREMES, a, n);
    suite_fill(s, f, SUITE_UNIT, b, n);
    st = suite_place(s, in_place ? SUITE_INOUT : SUITE_IN, f, a, n, &op.a, err);
    if (!st)
        st = suite_place(s, SUITE_IN, f, b, n, &op.b, err);
    if (!st && !in_place)
        st = suite_place(s, SUITE_OUT, g, NULL, n, &op.y, err);
    if (in_place)
        op.y = op.a;
    struct tsr_program p = {0};
    if (!st)
        st = tsr_npu_residual(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    if (!st)
        st = suite_read(s, g, op.y, y, n, err);
    if (st)
        return st;
    tsr_residual_ref(n, a, b, want);
    compare(s, g, y, want, n, err);
    return err->status;
}

enum tsr_status suite_residual(struct suite *s, struct tsr_error *err)
{
    static const struct suite_shape own[] = {{1, 1, 1},   {1, 7, 1},    {3, 5, 1},    {5, 64, 1},
                                             {7, 129, 1}, {1, 1000, 1}, {33, 257, 1}, {64, 512, 1}};
    static const enum tsr_dtype formats[] = {TSR_BF16, TSR_F16, TSR_F32};
    const struct suite_shape *shape;
    size_t n = suite_shapes(s, own, sizeof own / sizeof *own, &shape);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 3; k++) {
            if (!suite_wants(s, formats[k]))
                continue;
            enum tsr_dtype fy = k == 0 && i % 2 ? TSR_F32 : formats[k];
            enum tsr_status st = one(s, &shape[i], formats[k], fy, k == 2, err);
            if (st)
                return st;
        }
    return TSR_OK;
}
