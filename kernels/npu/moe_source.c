/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "kernels/npu/moe.h"
#include "kernels/npu/stream.h"

/* splitmix64 */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void tsr_npu_moe_seeded(uint64_t seed, uint64_t tokens, uint64_t experts, uint64_t top_k,
                        uint32_t *ids)
{
    assert(experts <= 256 && top_k <= experts);
    for (uint64_t t = 0; t < tokens; t++) {
        uint8_t order[256];
        for (uint64_t e = 0; e < experts; e++)
            order[e] = (uint8_t)e;
        for (uint64_t j = 0; j < top_k; j++) { /* the start of a shuffle: distinct, all alike */
            uint64_t pick = j + random_next(&seed) % (experts - j);
            uint8_t e = order[pick];
            order[pick] = order[j];
            order[j] = e;
            ids[t * top_k + j] = e;
        }
    }
}

static uint32_t count(const struct tsr_npu_moe_source *s, uint64_t expert, uint64_t tokens)
{
    uint32_t n = 0;
    for (uint64_t i = 0; i < tokens * s->top_k; i++)
        n += s->ids[i] == expert;
    return n;
}

static void fill_first(void *self, uint32_t tile, uint32_t call, uint32_t *words, uint32_t n)
{
    const struct tsr_npu_moe_source *s = self;
    uint32_t earlier = 0;
    (void)call;
    for (uint32_t e = 0; e < n; e++) {
        words[e] = earlier + count(s, e, s->tokens * tile / s->parts);
        earlier += count(s, e, s->tokens);
    }
}

static void fill_totals(void *self, uint32_t tile, uint32_t call, uint32_t *words, uint32_t n)
{
    const struct tsr_npu_moe_source *s = self;
    (void)tile;
    (void)call;
    for (uint32_t e = 0; e < n; e++)
        words[e] = count(s, e, s->tokens);
}

/* Blocks follow each other, all but the tile's last one equally long; so the first one's length and
 * the call say where a block begins, and the last one ends with the tile's tokens. */
static void fill_ids(void *self, uint32_t tile, uint32_t call, uint32_t *words, uint32_t n)
{
    struct tsr_npu_moe_source *s = self;
    uint64_t begin = s->tokens * tile / s->parts * s->top_k;
    uint64_t end = s->tokens * (tile + 1) / s->parts * s->top_k;
    uint64_t at = call == 0 ? begin : begin + call * (uint64_t)s->first[tile];
    if (call == 0)
        s->first[tile] = n;
    for (uint32_t i = 0; i < n; i++)
        words[i] = at + i < end ? s->ids[at + i] : 0;
}

void tsr_npu_moe_source_init(struct tsr_npu_moe_source *s, const struct tsr_chip *chip,
                             uint64_t tokens, uint64_t experts, uint64_t top_k, const uint32_t *ids)
{
    *s = (struct tsr_npu_moe_source){.tokens = tokens,
                                     .experts = experts,
                                     .top_k = top_k,
                                     .ids = ids,
                                     .parts = tsr_npu_moe_parts(chip, tokens)};
}

tsr_npu_control_fill *tsr_npu_moe_fill(enum tsr_npu_control id)
{
    switch (id) {
    case TSR_CONTROL_MOE_FIRST:
        return fill_first;
    case TSR_CONTROL_MOE_TOTALS:
        return fill_totals;
    case TSR_CONTROL_MOE_DISPATCH:
    case TSR_CONTROL_MOE_COMBINE:
        return fill_ids;
    default:
        return NULL;
    }
}
