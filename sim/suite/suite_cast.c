/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/npu/cast.h"
#include "sim/suite/suite.h"

/* A power of two for a scale makes the product exact: one rounding to the format is left, which is
 * half an ULP; for i8 the nearest even integer, saturated: exact. */
static enum tsr_status one(struct suite *s, const struct suite_shape *x, enum tsr_dtype fx,
                           enum tsr_dtype fy, double scale, struct tsr_error *err)
{
    const struct tsr_format *f = suite_format(s, fx), *g = suite_format(s, fy);
    size_t n = (size_t)(x->m * x->n);
    enum tsr_status st = suite_begin(s, f, x->m, x->n, 1, g->name, err);
    if (st)
        return st;
    float *a = suite_alloc(s, 4 * n, err), *y = suite_alloc(s, 4 * n, err);
    float *want = suite_alloc(s, 4 * n, err);
    double *bound = suite_alloc(s, n * sizeof *bound, err);
    if (!a || !y || !want || !bound)
        return TSR_INTERNAL;
    struct tsr_npu_cast op = {
        .rows = x->m, .cols = x->n, .x_format = fx, .y_format = fy, .scale = scale};
    suite_fill(s, f, SUITE_UNIT, a, n);
    st = suite_place(s, SUITE_IN, f, a, n, &op.x, err);
    if (!st)
        st = suite_place(s, SUITE_OUT, g, NULL, n, &op.y, err);
    struct tsr_program p = {0};
    if (!st)
        st = tsr_npu_cast(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    if (!st)
        st = suite_read(s, g, op.y, y, n, err);
    if (st)
        return st;
    for (size_t i = 0; i < n; i++) {
        double v = (double)a[i] * scale;
        if (fy == TSR_I8) /* nearbyint: ties to even, the default mode */
            v = fmin(fmax(nearbyint(v), -128), 127);
        want[i] = (float)v;
        bound[i] = fy == TSR_I8 ? 0 : suite_half_ulp(g, v);
    }
    suite_compare(s, "y", y, want, bound, n);
    return err->status;
}

enum tsr_status suite_cast(struct suite *s, struct tsr_error *err)
{
    static const struct suite_shape own[] = {{1, 1, 1},    {3, 7, 1},    {5, 64, 1},
                                             {2, 1000, 1}, {17, 257, 1}, {64, 512, 1}};
    static const struct {
        enum tsr_dtype x, y;
        double scale; /* i8: some values beyond the range */
    } cases[] = {{TSR_BF16, TSR_I8, 256},
                 {TSR_BF16, TSR_F8E4M3, 1},
                 {TSR_F16, TSR_F8E5M2, 4},
                 {TSR_F32, TSR_BF16, 0.5},
                 {TSR_BF16, TSR_F32, 1}};
    const struct suite_shape *shape;
    size_t n = suite_shapes(s, own, sizeof own / sizeof *own, &shape);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            if (!suite_wants(s, cases[k].x))
                continue;
            enum tsr_status st = one(s, &shape[i], cases[k].x, cases[k].y, cases[k].scale, err);
            if (st)
                return st;
        }
    return TSR_OK;
}
