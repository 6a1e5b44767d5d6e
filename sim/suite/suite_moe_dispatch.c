/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kernels/npu/moe.h"
#include "sim/suite/routing.h"

static enum tsr_status one(struct suite *s, size_t tokens, size_t experts, size_t top_k,
                           size_t bytes, struct tsr_error *err)
{
    struct suite_routing r;
    enum tsr_status st = suite_begin(s, NULL, tokens, experts, top_k, "", err);
    if (!st)
        st = suite_route(s, tokens, experts, top_k, &r, err);
    if (st)
        return st;
    size_t stride = bytes + 6;
    uint8_t *x = suite_alloc(s, tokens * stride, err), *y = suite_alloc(s, r.slots * bytes, err);
    if (!x || !y)
        return TSR_INTERNAL;
    for (size_t i = 0; i < tokens * stride; i++)
        x[i] = (uint8_t)suite_random(s);
    struct tsr_npu_moe_dispatch op = {.tokens = tokens,
                                      .experts = experts,
                                      .top_k = top_k,
                                      .row_bytes = bytes,
                                      .x_stride = stride,
                                      .ids = r.ids_at,
                                      .counts = r.counts_at};
    st = suite_place_bytes(s, SUITE_IN, x, tokens * stride, &op.x, err);
    if (!st)
        st = suite_place_bytes(s, SUITE_OUT, NULL, r.slots * bytes, &op.y, err);
    struct tsr_program p = {0};
    if (!st)
        st = tsr_npu_moe_dispatch(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    if (!st)
        st = suite_read_bytes(s, op.y, y, r.slots * bytes, err);
    for (size_t i = 0; i < r.slots && !st; i++)
        if (memcmp(y + r.place[i] * bytes, x + i / top_k * stride, bytes) != 0)
            suite_fail(s, "slot %zu: its row is not at place %u", i, r.place[i]);
    return st;
}

enum tsr_status suite_moe_dispatch(struct suite *s, struct tsr_error *err)
{
    static const size_t own[][4] = {{1, 1, 1, 2},    {1, 8, 2, 64},    {5, 3, 3, 34},
                                    {70, 8, 2, 514}, {300, 32, 4, 66}, {131, 128, 8, 128}};
    if (s->shape.m)
        return one(s, s->shape.m, s->shape.n, s->shape.k, 256, err);
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < sizeof own / sizeof *own && !st; i++)
        st = one(s, own[i][0], own[i][1], own[i][2], own[i][3], err);
    return st;
}
