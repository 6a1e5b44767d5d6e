/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "kernels/npu/ops.h"
#include "kernels/ref.h"
#include "sim/suite/suite.h"

struct variant {
    enum tsr_dtype x, w, y;
    bool weight, padded;
    uint64_t heads;
};

static const double eps = 1e-5;

/* u = 2^-24. Sum of squares: n / (8 lanes) + 1 terms in a chain, log2(8 lanes) levels of trees, one
 * rounding of the square; mean 1.5 u, eps u; half of all that, and rsqrt 1.2 u, products 2 u. */
static double bound_of(const struct suite *s, const struct tsr_format *fy, size_t n, double y)
{
    double lanes = s->chip->tile.tvp.lanes;
    double sum = (double)n / (8 * lanes) + 2 + log2(8 * lanes) + 2.5;
    double wide = fabs(y) * (sum / 2 + 4.3) * 0x1p-24;
    return wide + suite_half_ulp(fy, fabs(y) + wide);
}

static enum tsr_status compare(struct suite *s, const struct tsr_format *fy, const float *x,
                               const float *w, const float *y, size_t rows, size_t n,
                               struct tsr_error *err)
{
    float *want = suite_alloc(s, 4 * rows * n, err);
    double *bound = suite_alloc(s, 8 * rows * n, err);
    if (!want || !bound)
        return TSR_INTERNAL;
    tsr_rmsnorm_ref(rows, n, eps, x, w, want);
    for (size_t i = 0; i < rows * n; i++)
        bound[i] = bound_of(s, fy, n, want[i]);
    suite_compare(s, "y", y, want, bound, rows * n);
    return TSR_OK;
}

/* x and y lie in tensors of `cols` columns, of which each row uses the first heads * n. */
static enum tsr_status one(struct suite *s, const struct suite_shape *shape,
                           const struct variant *v, struct tsr_error *err)
{
    const struct tsr_format *fx = suite_format(s, v->x), *fw = suite_format(s, v->w),
                            *fy = suite_format(s, v->y);
    size_t rows = (size_t)shape->m, n = (size_t)shape->n, used = n * (size_t)v->heads;
    size_t cols = used + (v->padded ? 3 * n + 1 : 0);
    char label[64];
    snprintf(label, sizeof label, "%s%s%s", fy->name, v->weight ? "" : " no weight",
             v->padded ? " strided" : "");
    enum tsr_status st = suite_begin(s, fx, shape->m, shape->n, v->heads, label, err);
    if (st)
        return st;
    float *x = suite_alloc(s, 4 * rows * cols, err), *w = suite_alloc(s, 4 * n, err);
    float *y = suite_alloc(s, 4 * rows * cols, err);
    if (!x || !w || !y)
        return TSR_INTERNAL;
    suite_fill(s, fx, SUITE_UNIT, x, rows * cols);
    suite_fill(s, fw, SUITE_UNIT, w, n);
    struct tsr_npu_rmsnorm op = {.rows = rows,
                                 .cols = n,
                                 .heads = v->heads,
                                 .eps = eps,
                                 .x_format = v->x,
                                 .w_format = v->w,
                                 .y_format = v->y,
                                 .x_stride = cols * fx->bits / 8,
                                 .y_stride = cols * fy->bits / 8};
    st = suite_place(s, SUITE_IN, fx, x, rows * cols, &op.x, err);
    if (!st && v->weight)
        st = suite_place(s, SUITE_IN, fw, w, n, &op.w, err);
    if (!st)
        st = suite_place(s, SUITE_OUT, fy, NULL, rows * cols, &op.y, err);
    struct tsr_program p = {0};
    if (!st)
        st = tsr_npu_rmsnorm(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    if (!st)
        st = suite_read(s, fy, op.y, y, rows * cols, err);
    for (size_t r = 0; r < rows && cols != used; r++) /* close the gaps */
        for (size_t i = 0; i < used; i++) {
            x[r * used + i] = x[r * cols + i];
            y[r * used + i] = y[r * cols + i];
        }
    return st ? st : compare(s, fy, x, v->weight ? w : NULL, y, rows * (size_t)v->heads, n, err);
}

enum tsr_status suite_rmsnorm(struct suite *s, struct tsr_error *err)
{
    static const struct suite_shape own[] = {{1, 1, 1},    {3, 5, 1},    {1, 64, 1},
                                             {70, 129, 1}, {5, 1000, 1}, {2, 2048, 1}};
    static const struct variant variants[] = {{TSR_BF16, TSR_BF16, TSR_BF16, true, false, 1},
                                              {TSR_F32, TSR_F32, TSR_F32, true, true, 1},
                                              {TSR_BF16, TSR_F32, TSR_F32, false, true, 3}};
    static const struct variant heads = {TSR_BF16, TSR_BF16, TSR_BF16, true, true, 5};
    static const struct suite_shape head_rows[] = {{1, 16, 5}, {7, 13, 5}, {9, 64, 5}, {3, 128, 5}};
    static const struct suite_shape large = {2, 20001, 1}; /* in parts on the small chips */
    const struct suite_shape *shape;
    size_t n = suite_shapes(s, own, sizeof own / sizeof *own, &shape);
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < n && !st; i++)
        for (size_t k = 0; k < 3 && !st; k++)
            if (suite_wants(s, variants[k].x))
                st = one(s, &shape[i], &variants[k], err);
    for (size_t i = 0; i < 4 && !st && !s->shape.m && suite_wants(s, TSR_BF16); i++)
        st = one(s, &head_rows[i], &heads, err);
    for (size_t k = 0; k < 2 && !st && !s->shape.m; k++)
        if (suite_wants(s, variants[k].x))
            st = one(s, &large, &variants[k], err);
    return st;
}
