/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/npu/ops.h"
#include "kernels/ref.h"
#include "sim/suite/suite.h"

static enum tsr_status one(struct suite *s, const struct suite_shape *x, enum tsr_dtype ft,
                           enum tsr_dtype fy, double scale, bool in_hbm, struct tsr_error *err)
{
    const struct tsr_format *f = suite_format(s, ft), *g = suite_format(s, fy);
    size_t tokens = (size_t)x->m, cols = (size_t)x->n, vocab = (size_t)x->k;
    enum tsr_status st = suite_begin(s, f, x->m, x->n, x->k, in_hbm ? "ids in HBM" : "", err);
    if (st)
        return st;
    float *table = suite_alloc(s, 4 * vocab * cols, err),
          *y = suite_alloc(s, 4 * tokens * cols, err);
    float *want = suite_alloc(s, 4 * tokens * cols, err);
    double *bound = suite_alloc(s, 8 * tokens * cols, err);
    uint32_t *ids = suite_alloc(s, 4 * tokens, err);
    if (!table || !y || !want || !bound || !ids)
        return TSR_INTERNAL;
    struct tsr_npu_embedding op = {.tokens = tokens,
                                   .cols = cols,
                                   .vocab = vocab,
                                   .scale = scale,
                                   .table_format = ft,
                                   .y_format = fy,
                                   .ids = in_hbm ? NULL : ids};
    suite_fill(s, f, SUITE_UNIT, table, vocab * cols);
    for (size_t t = 0; t < tokens; t++)
        ids[t] = (uint32_t)suite_random_below(s, vocab);
    ids[tokens - 1] = (uint32_t)vocab - 1;
    st = suite_place(s, SUITE_IN, f, table, vocab * cols, &op.table, err);
    if (!st && in_hbm)
        st = suite_place_bytes(s, SUITE_IN, ids, 4 * tokens, &op.ids_address, err);
    if (!st)
        st = suite_place(s, SUITE_OUT, g, NULL, tokens * cols, &op.y, err);
    struct tsr_program p = {0};
    if (!st)
        st = tsr_npu_embedding(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    if (!st)
        st = suite_read(s, g, op.y, y, tokens * cols, err);
    if (st)
        return st;
    tsr_embedding_ref(tokens, cols, vocab, scale, table, ids, want);
    for (size_t i = 0; i < tokens * cols; i++) /* a rounded factor and a product, then the format */
        bound[i] = scale == 1 && ft == fy
                       ? 0
                       : fabs(want[i]) * 0x1.8p-23 + suite_half_ulp(g, want[i]) * 1.001;
    suite_compare(s, "y", y, want, bound, tokens * cols);
    return TSR_OK;
}

enum tsr_status suite_embedding(struct suite *s, struct tsr_error *err)
{
    static const struct suite_shape own[] = {
        {1, 1, 1}, {3, 17, 5}, {65, 64, 100}, {300, 33, 20}, {130, 515, 9}};
    const struct suite_shape *shape;
    size_t n = suite_shapes(s, own, sizeof own / sizeof *own, &shape);
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < n && !st; i++) {
        if (suite_wants(s, TSR_BF16))
            st = one(s, &shape[i], TSR_BF16, TSR_BF16, 1, i % 2, err);
        if (!st && suite_wants(s, TSR_BF16))
            st = one(s, &shape[i], TSR_BF16, TSR_F32, 78.38367176906169, !(i % 2), err);
        if (!st && suite_wants(s, TSR_F32))
            st = one(s, &shape[i], TSR_F32, TSR_F32, 1, true, err);
    }
    return st;
}
