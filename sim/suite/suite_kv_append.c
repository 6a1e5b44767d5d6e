/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kernels/npu/ops.h"
#include "sim/suite/suite.h"

/* V of `tokens` new tokens per sequence, at the end of rows of qkv, into caches of `room`
 * tokens. */
static enum tsr_status one(struct suite *s, uint64_t sequences, uint64_t tokens, uint64_t heads,
                           uint64_t bytes, struct tsr_error *err)
{
    enum tsr_status st = suite_begin(s, NULL, tokens, heads, bytes, "", err);
    if (st)
        return st;
    uint64_t row = 3 * heads * bytes, room = tokens + 5, at = 2; /* two are there already */
    size_t in = (size_t)(sequences * tokens * row),
           out = (size_t)(sequences * heads * room * bytes);
    uint8_t *x = suite_alloc(s, in, err), *got = suite_alloc(s, out, err);
    uint8_t *want = suite_alloc(s, out, err);
    if (!x || !got || !want)
        return TSR_INTERNAL;
    for (size_t i = 0; i < in; i++)
        x[i] = (uint8_t)suite_random(s);
    for (size_t i = 0; i < out; i++)
        want[i] = (uint8_t)suite_random(s);
    uint64_t src, dst;
    st = suite_place_bytes(s, SUITE_IN, x, in, &src, err);
    if (!st)
        st = suite_place_bytes(s, SUITE_INOUT, want, out, &dst, err);
    if (st)
        return st;
    struct tsr_npu_kv_append op = {.bytes = bytes,
                                   .n = {heads, tokens, sequences},
                                   .src = src + 2 * heads * bytes,
                                   .dst = dst + at * bytes,
                                   .src_stride = {bytes, row, tokens * row},
                                   .dst_stride = {room * bytes, bytes, heads * room * bytes}};
    struct tsr_program p = {0};
    st = tsr_npu_kv_append(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    if (!st)
        st = suite_read_bytes(s, dst, got, out, err);
    if (st)
        return st;
    for (uint64_t q = 0; q < sequences; q++)
        for (uint64_t t = 0; t < tokens; t++)
            for (uint64_t h = 0; h < heads; h++)
                memcpy(want + ((q * heads + h) * room + at + t) * bytes,
                       x + (q * tokens + t) * row + (2 * heads + h) * bytes, bytes);
    if (memcmp(got, want, out) != 0)
        suite_fail(s, "the cache is not as it should be");
    return TSR_OK;
}

enum tsr_status suite_kv_append(struct suite *s, struct tsr_error *err)
{
    static const uint64_t own[][4] = {{1, 1, 1, 2},   {1, 1, 8, 256}, {3, 1, 2, 34},
                                      {2, 9, 3, 128}, {1, 70, 2, 66}, {65, 1, 1, 64}};
    if (s->shape.m)
        return one(s, 1, s->shape.m, s->shape.n, s->shape.k, err);
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < sizeof own / sizeof *own && !st; i++)
        st = one(s, own[i][0], own[i][1], own[i][2], own[i][3], err);
    return st;
}
