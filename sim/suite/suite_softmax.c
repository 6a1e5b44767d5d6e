/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/npu/ops.h"
#include "kernels/ref.h"
#include "sim/suite/suite.h"

/* u = 2^-24. A term e_i: x - m rounded u, log2 e u / 2, their product u: 2.5 u |x - m| log2 e of
 * the argument, ln 2 times that of the term, so t_i = (2.5 |x_i - m| + 1.4) u with exp2. The sum:
 * the mean of the t_i weighted by the p_i, and n / (8 lanes) + log2(8 lanes) + 1 roundings. rcp
 * 1.6 u, the product u. Terms below 2^-126 are dropped. */
static void bounds(const struct suite *s, const struct tsr_format *fy, size_t n, const float *x,
                   const float *y, double *bound)
{
    double u = 0x1p-24, m = -INFINITY, mean = 0, lanes = s->chip->tile.tvp.lanes;
    for (size_t i = 0; i < n; i++)
        m = x[i] > m ? x[i] : m;
    for (size_t i = 0; i < n; i++)
        mean += y[i] > 0 ? y[i] * (2.5 * (m - x[i]) + 1.4) * u : 0;
    for (size_t i = 0; i < n; i++) {
        double own = y[i] > 0 ? 2.5 * (m - x[i]) + 1.4 : 0;
        double e = own * u + mean + ((double)n / (8 * lanes) + log2(8 * lanes) + 1 + 2.6) * u;
        double wide = y[i] * e * 1.01 + 0x1p-125;
        bound[i] = wide + suite_half_ulp(fy, y[i] + wide);
    }
}

static enum tsr_status one(struct suite *s, const struct suite_shape *x, enum tsr_dtype fa,
                           enum tsr_dtype fb, struct tsr_error *err)
{
    const struct tsr_format *f = suite_format(s, fa), *g = suite_format(s, fb);
    size_t rows = (size_t)x->m, cols = (size_t)x->n, n = rows * cols;
    enum tsr_status st = suite_begin(s, f, x->m, x->n, 1, g->name, err);
    if (st)
        return st;
    float *in = suite_alloc(s, 4 * n, err), *y = suite_alloc(s, 4 * n, err);
    float *want = suite_alloc(s, 4 * n, err);
    double *bound = suite_alloc(s, 8 * n, err);
    if (!in || !y || !want || !bound)
        return TSR_INTERNAL;
    struct tsr_npu_softmax op = {.rows = x->m, .cols = x->n, .x_format = fa, .y_format = fb};
    suite_fill(s, f, SUITE_UNIT, in, n);
    for (size_t i = 0; i < n; i++) { /* all below zero in some rows; masked ones; a masked row */
        in[i] = in[i] * 16 - (i / cols % 3 == 1 ? 64.0f : 0.0f);
        if (suite_random_below(s, 9) == 0 || i / cols == 4)
            in[i] = -INFINITY;
    }
    for (size_t i = 0; i < n;
         i++) /* the subtraction above may need more bits than the format has */
        in[i] = f->code == TSR_F32 || isinf(in[i]) ? in[i] : floorf(in[i]);
    st = suite_place(s, SUITE_IN, f, in, n, &op.x, err);
    if (!st)
        st = suite_place(s, SUITE_OUT, g, NULL, n, &op.y, err);
    struct tsr_program p = {0};
    if (!st)
        st = tsr_npu_softmax(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    if (!st)
        st = suite_read(s, g, op.y, y, n, err);
    if (st)
        return st;
    tsr_softmax_ref(rows, cols, in, want);
    for (size_t r = 0; r < rows; r++)
        bounds(s, g, cols, in + r * cols, want + r * cols, bound + r * cols);
    suite_compare(s, "y", y, want, bound, n);
    return TSR_OK;
}

enum tsr_status suite_softmax(struct suite *s, struct tsr_error *err)
{
    static const struct suite_shape own[] = {{1, 1, 1},    {3, 5, 1},    {5, 64, 1},
                                             {70, 129, 1}, {2, 1000, 1}, {1, 20001, 1}};
    const struct suite_shape *shape;
    size_t n = suite_shapes(s, own, sizeof own / sizeof *own, &shape);
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < n && !st; i++) {
        if (suite_wants(s, TSR_F32))
            st = one(s, &shape[i], TSR_F32, i % 2 ? TSR_BF16 : TSR_F32, err);
        if (!st && suite_wants(s, TSR_BF16))
            st = one(s, &shape[i], TSR_BF16, TSR_BF16, err);
    }
    return st;
}
