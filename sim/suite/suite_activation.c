/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/npu/ops.h"
#include "kernels/ref.h"
#include "sim/suite/suite.h"

static const double limit = 7.0, alpha = 1.702; /* gpt-oss */

/* u = 2^-24 is the relative error of a rounded step.
 * SILU: the argument of exp2 is off by a rounded constant (u / 2) and product (u), that is 1.5 |a|
 *   u of e^-a; exp2 1.4 u, the sum u, rcp 1.6 u, two products 2 u: (6 + 1.5 |a|) u.
 * SWIGLU_CLAMP: the same with alpha |g| for |a|, and u for up + 1.
 * GELU_TANH: the argument t = 2.3 a (1 + 0.0447 a^2) has six rounded steps and two constants, 7 u
 *   of it and so 7 ln2 |t| u of the exponential; the rest as above.
 * Below 2^-126 rcp gives 0: |a b| 2^-125 absolute. The reference's 1 + tanh keeps 2^-53 of 1. */
static double bound_of(const struct tsr_format *fy, enum tsr_activation act, double a, double b,
                       double y)
{
    double u = 0x1p-24, t;
    switch (act) {
    case TSR_ACT_SILU:
        t = 1.5 * fabs(a);
        break;
    case TSR_ACT_GELU_TANH:
        t = 4.9 * 2.31 * fabs(a) * (1 + 0.0448 * a * a);
        break;
    default:
        t = 1 + 1.5 * alpha * fabs(a > limit ? limit : a);
        break;
    }
    double wide = fabs(y) * (7 + t) * u * 1.01 + (fabs(a * b) + fabs(a)) * 0x1p-125;
    if (act == TSR_ACT_GELU_TANH)
        wide += fabs(a * b) * 0x1p-52;
    return wide + suite_half_ulp(fy, fabs(y) + wide);
}

static enum tsr_status one(struct suite *s, const struct suite_shape *x, enum tsr_dtype fa,
                           enum tsr_dtype fy, enum tsr_activation act, struct tsr_error *err)
{
    static const char *const names[] = {"silu", "gelu", "gelu tanh", "swiglu clamp"};
    const struct tsr_format *f = suite_format(s, fa), *g = suite_format(s, fy);
    size_t n = (size_t)(x->m * x->n), cols = (size_t)x->n;
    enum tsr_status st = suite_begin(s, f, x->m, x->n, 1, names[act], err);
    if (st)
        return st;
    float *both = suite_alloc(s, 8 * n, err), *y = suite_alloc(s, 4 * n, err);
    float *want = suite_alloc(s, 4 * n, err);
    double *bound = suite_alloc(s, 8 * n, err);
    if (!both || !y || !want || !bound)
        return TSR_INTERNAL;
    struct tsr_npu_activation op = {.rows = x->m,
                                    .cols = x->n,
                                    .activation = act,
                                    .limit = limit,
                                    .alpha = alpha,
                                    .in_format = fa,
                                    .out_format = fy,
                                    .gate_stride = 2 * x->n * f->bits / 8,
                                    .up_stride = 2 * x->n * f->bits / 8};
    suite_fill(s, f, SUITE_UNIT, both, 2 * n);
    for (size_t i = 0; i < 2 * n; i++) /* exact in every format; a few past the clamps */
        both[i] *= i % 16 ? 4 : 32;
    st = suite_place(s, SUITE_IN, f, both, 2 * n, &op.gate, err);
    op.up = op.gate + x->n * f->bits / 8;
    if (!st)
        st = suite_place(s, SUITE_OUT, g, NULL, n, &op.y, err);
    struct tsr_program p = {0};
    if (!st)
        st = tsr_npu_activation(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    if (!st)
        st = suite_read(s, g, op.y, y, n, err);
    if (st)
        return st;
    for (size_t r = 0; r < x->m; r++) {
        const float *gate = both + 2 * r * cols, *up = gate + cols;
        tsr_gate_ref(act, limit, alpha, cols, gate, up, want + r * cols);
        for (size_t i = 0; i < cols; i++)
            bound[r * cols + i] = bound_of(g, act, gate[i], up[i], want[r * cols + i]);
    }
    suite_compare(s, "y", y, want, bound, n);
    return TSR_OK;
}

enum tsr_status suite_activation(struct suite *s, struct tsr_error *err)
{
    static const struct suite_shape own[] = {{1, 1, 1},  {1, 9, 1},    {3, 31, 1},
                                             {5, 64, 1}, {2, 1000, 1}, {70, 129, 1}};
    static const enum tsr_activation acts[] = {TSR_ACT_SILU, TSR_ACT_GELU_TANH,
                                               TSR_ACT_SWIGLU_CLAMP};
    static const enum tsr_dtype formats[] = {TSR_BF16, TSR_F32};
    const struct suite_shape *shape;
    size_t n = suite_shapes(s, own, sizeof own / sizeof *own, &shape);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 2; k++)
            for (size_t a = 0; a < 3; a++) {
                if (!suite_wants(s, formats[k]))
                    continue;
                enum tsr_dtype fy = i == 4 ? TSR_F32 : formats[k];
                enum tsr_status st = one(s, &shape[i], formats[k], fy, acts[a], err);
                if (st)
                    return st;
            }
    return TSR_OK;
}
