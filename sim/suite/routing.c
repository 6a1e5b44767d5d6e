/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/suite/routing.h"

#include "kernels/npu/moe.h"

static bool chosen(const uint32_t *ids, size_t n, uint32_t e)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == e)
            return true;
    return false;
}

static uint32_t pick(struct suite *s, const struct suite_routing *r, size_t slot)
{
    size_t first = slot / r->top_k * r->top_k;
    size_t open = r->experts > r->top_k ? r->experts - 1 : r->experts;
    uint32_t e;
    do { /* the smaller of two: low ones are likelier */
        uint32_t a = (uint32_t)suite_random_below(s, open),
                 b = (uint32_t)suite_random_below(s, open);
        e = suite_random_below(s, 2) ? a : a < b ? a : b;
    } while (chosen(r->ids + first, slot - first, e));
    return e;
}

static void order(struct suite_routing *r)
{
    uint32_t next = 0;
    for (uint32_t e = 0; e < r->experts; e++)
        for (size_t i = 0; i < r->slots; i++)
            if (r->ids[i] == e) {
                r->expert[next] = e;
                r->place[i] = next++;
            }
}

enum tsr_status suite_route(struct suite *s, size_t tokens, size_t experts, size_t top_k,
                            struct suite_routing *r, struct tsr_error *err)
{
    *r = (struct suite_routing){.tokens = tokens,
                                .experts = experts,
                                .top_k = top_k,
                                .slots = tokens * top_k,
                                .parts = tsr_npu_moe_parts(s->chip, tokens)};
    r->ids = suite_alloc(s, 4 * r->slots, err);
    r->counts = suite_alloc(s, 4 * r->parts * experts, err);
    r->total = suite_alloc(s, 4 * experts, err);
    r->place = suite_alloc(s, 4 * r->slots, err);
    r->expert = suite_alloc(s, 4 * r->slots, err);
    if (!r->ids || !r->counts || !r->total || !r->place || !r->expert)
        return TSR_INTERNAL;
    for (size_t i = 0; i < r->slots; i++) {
        r->ids[i] = pick(s, r, i);
        r->total[r->ids[i]]++;
    }
    for (size_t p = 0; p < r->parts; p++)
        for (size_t i = tokens * p / r->parts * top_k; i < tokens * (p + 1) / r->parts * top_k; i++)
            r->counts[p * experts + r->ids[i]]++;
    order(r);
    enum tsr_status st = suite_place_bytes(s, SUITE_IN, r->ids, 4 * r->slots, &r->ids_at, err);
    return st ? st
              : suite_place_bytes(s, SUITE_IN, r->counts, 4 * r->parts * experts, &r->counts_at,
                                  err);
}
