/* SPDX-License-Identifier: Apache-2.0 */
/* Who computes what: teams of tiles, and how many of them share the keys of a unit. */
#include <string.h>

#include "kernels/npu/attention_plan.h"

enum {
    LATENCY = 500,      /* cycles of a request in a busy memory */
    MERGE_CYCLES = 600, /* a split's way to another tile and what a merge takes at least */
    MERGE_BYTES = 80,   /* a cycle: sums through one tile's port, and their addition */
    MAX_SPLITS = 31     /* what a wait can consume of a semaphore at once */
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}
static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void attention_keys(const struct attention_plan *p, uint64_t first, uint64_t last, uint64_t *lo,
                    uint64_t *hi)
{
    const struct tsr_npu_attention *op = p->op;
    *lo = 0;
    *hi = op->kv_len;
    if (op->causal && !op->prefix) {
        uint64_t before = op->kv_len - op->q_len, at = before + first / p->chunks * p->tokens;
        *hi = before + least((last / p->chunks + 1) * p->tokens, op->q_len);
        if (p->window && at + 1 > p->window)
            *lo = at + 1 - p->window;
    }
}

uint64_t attention_keys_seen(const struct attention_plan *p, uint64_t first, uint64_t last)
{
    uint64_t lo, hi;
    attention_keys(p, first, last, &lo, &hi);
    return hi - lo;
}

/* Cycles of a block, roughly: what the vector unit takes per key and key block (attention_tvp.c),
 * and for the output. Only the choice of teams depends on it. */
static uint64_t block_cost(const struct attention_plan *p, uint64_t j, uint32_t splits)
{
    uint64_t keys = attention_keys_seen(p, j, j) / splits, each = 4;
    if (p->narrow) /* and a vector of V back in 16 bits: attention_cache.c */
        each += 3 * (uint64_t)p->v_slabs * ((p->v_cols + p->lanes - 1) / p->lanes);
    return each * keys + 100 * ((keys + p->kb - 1) / p->kb) + 500;
}

static struct attention_work member_work(const struct attention_plan *p, uint32_t team, uint32_t t)
{
    struct attention_work w = {.even = t, .delta = (int32_t)team - 1 - 2 * (int32_t)t, .member = t};
    uint32_t whole = p->blocks / team, last = whole & 1 ? team - 1 - t : t;
    w.items = whole + (whole * team + last < p->blocks);
    return w;
}

static uint64_t member_cost(const struct attention_plan *p, uint32_t team, uint32_t splits,
                            const struct attention_work *w)
{
    uint64_t cost = 0;
    for (uint32_t n = 0; n < w->items; n++)
        cost += block_cost(
            p, (uint64_t)n * team + w->even + (n & 1 ? (uint64_t)(int64_t)w->delta : 0), splits);
    return cost;
}

/* Keys that a team loads for a unit. */
static uint64_t team_keys(const struct attention_plan *p, uint32_t team)
{
    uint64_t keys = 0;
    if (p->retain)
        return attention_keys_seen(p, 0, p->blocks - 1);
    for (uint32_t j = 0; j < p->blocks; j += team)
        keys += attention_keys_seen(p, j, least(j + team, p->blocks) - 1);
    return keys;
}

/* Cycles until the slowest tile ends, memory and the loading tiles' windows included. */
static uint64_t cost(struct attention_plan *p, uint32_t team, uint32_t splits)
{
    const struct tsr_hbm_config *h = &p->chip->hbm;
    uint64_t pins =
        (uint64_t)h->stacks * h->channels * h->channel_bits / 4 * h->clock_num / h->clock_den;
    uint64_t window = most(p->chip->tile.tdma.window_bytes / LATENCY, 1), key_bytes;
    uint64_t cycles = 0, teams = tsr_chip_tiles(p->chip) / team,
             turns = ((uint64_t)p->units * splits + teams - 1) / teams;
    key_bytes = (uint64_t)(p->cache.slabs * p->cache.unit_bytes + attention_v_bytes(p));
    key_bytes += p->token_scales ? 2 * TOKEN_SCALE : 0;
    for (uint32_t t = 0; t < team; t++) {
        struct attention_work w = member_work(p, team, t);
        cycles = most(cycles, member_cost(p, team, splits, &w));
    }
    uint64_t bytes = team_keys(p, team) * key_bytes;
    cycles = turns * most(cycles, bytes / splits / window);
    cycles = most(cycles, p->units * bytes / most(pins, 1));
    p->team = team;
    if (splits > 1) {
        attention_pieces(p, splits);
        cycles += MERGE_CYCLES + splits * p->piece_bytes / MERGE_BYTES;
    }
    return cycles;
}

/* How many teams may share a unit: there is one block of tokens, each member has one block, no
 * tile has a second unit, each team a key block. */
static uint32_t most_splits(const struct attention_plan *p, uint32_t team)
{
    uint64_t keys = attention_keys_seen(p, 0, p->blocks - 1), n;
    if (p->blocks != team || p->blocks != p->chunks || p->op->kv_lens || p->op->q_lens ||
        p->op->has_lse)
        return 1;
    n = least(tsr_chip_tiles(p->chip) / team / p->units, (keys + p->kb - 1) / p->kb);
    return (uint32_t)most(least(n, p->op->splits ? p->op->splits : MAX_SPLITS), 1);
}

/* The sizes whose slowest tile ends first. A larger team shares what it loads, but leaves tiles
 * idle where the units do not divide; more of them share a unit where tiles are left over. With
 * records a team has one round: its members' blocks are known without the lengths. */
static void choose(struct attention_plan *p)
{
    uint32_t tiles = tsr_chip_tiles(p->chip), limit = (uint32_t)least(tiles, p->blocks);
    uint64_t best = UINT64_MAX;
    uint32_t best_team = 1;
    bool uneven = p->op->kv_lens || p->op->q_lens || p->op->pages || p->op->prefix;
    p->team = p->splits = 1;
    for (uint32_t team = 1; team <= limit && (team == 1 || tiles <= 64); team++) {
        if (team > 1 && uneven && p->blocks != team)
            continue;
        if (team > 1 && uneven && p->blocks != p->chunks)
            continue;
        for (uint32_t splits = 1; splits <= most_splits(p, team); splits++) {
            uint64_t cycles = cost(p, team, splits);
            if (cycles < best) {
                best = cycles;
                best_team = team;
                p->splits = splits;
            }
        }
    }
    p->team = best_team;
    if (p->op->splits && most_splits(p, p->team) >= p->op->splits)
        p->splits = (uint32_t)p->op->splits;
    if (p->splits > 1)
        attention_pieces(p, p->splits);
    p->rounds = (p->blocks + p->team - 1) / p->team;
    p->records = uneven || p->op->prefix || p->splits > 1;
}

/* Spreads the active teams evenly, so that few of them still use the ports of many clusters. */
void attention_deal(struct attention_plan *p)
{
    choose(p);
    uint32_t tiles = tsr_chip_tiles(p->chip), teams = tiles / p->team;
    uint32_t active = (uint32_t)least(teams, (uint64_t)p->units * p->splits);
    for (uint32_t i = 0; i < tiles; i++)
        p->work[i].first_unit = p->units;
    for (uint32_t a = 0; a < active; a++)
        for (uint32_t t = 0; t < p->team; t++) {
            uint64_t first = (uint64_t)a * teams / active * p->team,
                     merger = (uint64_t)(a - a % p->splits) * teams / active * p->team;
            struct attention_work *w = &p->work[first + t];
            *w = member_work(p, p->team, t);
            w->first_unit = a / p->splits;
            w->split = a % p->splits;
            w->merger = (uint32_t)merger + t;
            for (uint32_t i = 0; i < p->team && p->team > 1; i++)
                w->mask |= (uint64_t)1 << (first + i);
        }
    p->unit_stride = p->splits > 1 ? p->units : active;
}
