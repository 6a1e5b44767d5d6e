/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/npu/attention_plan.h"

#include <inttypes.h>
#include <string.h>

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}
static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static enum tsr_status bad(struct tsr_error *err, const char *what)
{
    return tsr_error_set(err, TSR_BAD_INPUT, "attention: %s", what);
}

static enum tsr_status check(const struct tsr_npu_attention *op, struct tsr_error *err)
{
    const uint64_t limit = (uint64_t)1 << 20;
    uint64_t sizes[] = {op->batch, op->heads, op->kv_heads, op->head_dim, op->q_len, op->kv_len};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] == 0 || sizes[i] > limit)
            return bad(err, "batch, heads, kv_heads, head_dim, q_len and kv_len are 1 to 2^20");
    if (op->heads % op->kv_heads)
        return bad(err, "heads is a multiple of kv_heads");
    if (op->head_dim % 8 || op->head_dim > 1024)
        return bad(err, "head_dim is a multiple of 8 up to 1024");
    if (op->batch * op->heads > limit)
        return bad(err, "batch x heads is at most 2^20");
    if (op->causal && op->q_len > op->kv_len)
        return bad(err, "causal: q_len is at most kv_len");
    if (op->window && !op->causal)
        return bad(err, "a window needs causal");
    if (!(op->scale > 0x1p-100 && op->scale < 0x1p100) ||
        !(op->softcap >= 0 && op->softcap < 0x1p20))
        return bad(err, "scale is positive, softcap 0 to 2^20");
    if (op->format != TSR_BF16 && op->format != TSR_F16)
        return bad(err, "format is bf16 or f16");
    if (op->has_sinks && op->sink_format != TSR_F32 && op->sink_format != TSR_BF16 &&
        op->sink_format != TSR_F16)
        return bad(err, "sink_format is f32, bf16 or f16");
    return TSR_OK;
}

static struct tsr_npu_rows dense(struct tsr_npu_rows r, uint64_t tokens, uint64_t heads,
                                 uint64_t row)
{
    if (r.batch_stride == 0 && r.token_stride == 0 && r.head_stride == 0) {
        r.head_stride = row;
        r.token_stride = heads * row;
        r.batch_stride = tokens * heads * row;
    }
    return r;
}

void attention_keys(const struct attention_plan *p, uint64_t first, uint64_t last, uint64_t *lo,
                    uint64_t *hi)
{
    const struct tsr_npu_attention *op = p->op;
    *lo = 0;
    *hi = op->kv_len;
    if (op->causal) {
        uint64_t before = op->kv_len - op->q_len, at = before + first * p->tokens;
        *hi = before + least((last + 1) * p->tokens, op->q_len);
        if (p->window && at + 1 > p->window)
            *lo = at + 1 - p->window;
    }
}

static uint64_t keys_seen(const struct attention_plan *p, uint64_t first, uint64_t last)
{
    uint64_t lo, hi;
    attention_keys(p, first, last, &lo, &hi);
    return hi - lo;
}

/* Cycles of a block, roughly: what the vector unit takes per key and key block (attention_tvp.c),
 * and for the output. Only the choice of teams depends on it. */
static uint64_t block_cost(const struct attention_plan *p, uint64_t j)
{
    uint64_t keys = keys_seen(p, j, j);
    return 4 * keys + 100 * ((keys + p->kb - 1) / p->kb) + 500;
}

static struct attention_work member_work(const struct attention_plan *p, uint32_t team, uint32_t t)
{
    struct attention_work w = {.even = t, .delta = (int32_t)team - 1 - 2 * (int32_t)t, .member = t};
    uint32_t whole = p->blocks / team, last = whole & 1 ? team - 1 - t : t;
    w.items = whole + (whole * team + last < p->blocks);
    return w;
}

static uint64_t member_cost(const struct attention_plan *p, uint32_t team,
                            const struct attention_work *w)
{
    uint64_t cost = 0;
    for (uint32_t n = 0; n < w->items; n++)
        cost +=
            block_cost(p, (uint64_t)n * team + w->even + (n & 1 ? (uint64_t)(int64_t)w->delta : 0));
    return cost;
}

/* Keys that a team loads for a unit. */
static uint64_t team_keys(const struct attention_plan *p, uint32_t team)
{
    uint64_t keys = 0;
    if (p->retain)
        return keys_seen(p, 0, p->blocks - 1);
    for (uint32_t j = 0; j < p->blocks; j += team)
        keys += keys_seen(p, j, least(j + team, p->blocks) - 1);
    return keys;
}

/* The team size whose slowest tile ends first, memory and the loading tile's window included. A
 * larger team shares what it loads, but leaves tiles idle where the units do not divide. */
static void choose_team(struct attention_plan *p)
{
    enum {
        LATENCY = 700
    }; /* cycles of a request in a busy memory */
    const struct tsr_hbm_config *h = &p->chip->hbm;
    uint32_t tiles = tsr_chip_tiles(p->chip);
    uint64_t pins =
        (uint64_t)h->stacks * h->channels * h->channel_bits / 4 * h->clock_num / h->clock_den;
    uint64_t window = p->chip->tile.tdma.window_bytes / LATENCY;
    uint64_t key_bytes = (uint64_t)(p->cache.slabs * p->cache.unit_bytes + attention_v_bytes(p)),
             best = UINT64_MAX;
    p->team = 1;
    for (uint32_t team = 1; team <= least(tiles, p->blocks) && (team == 1 || tiles <= 64); team++) {
        uint64_t cycles = 0, teams = tiles / team, turns = (p->units + teams - 1) / teams;
        for (uint32_t t = 0; t < team; t++) {
            struct attention_work w = member_work(p, team, t);
            cycles = most(cycles, member_cost(p, team, &w));
        }
        uint64_t bytes = team_keys(p, team) * key_bytes;
        cycles = turns * most(cycles, bytes / most(window, 1));
        cycles = most(cycles, p->units * bytes / most(pins, 1));
        if (cycles < best) {
            best = cycles;
            p->team = team;
        }
    }
    p->rounds = (p->blocks + p->team - 1) / p->team;
}

/* Spreads the active teams evenly, so that few of them still use the ports of many clusters. */
static void deal(struct attention_plan *p)
{
    uint32_t tiles = tsr_chip_tiles(p->chip), teams = tiles / p->team;
    uint32_t active = (uint32_t)least(teams, p->units);
    for (uint32_t i = 0; i < tiles; i++)
        p->work[i].first_unit = p->units;
    for (uint32_t a = 0; a < active; a++)
        for (uint32_t t = 0; t < p->team; t++) {
            uint64_t first = (uint64_t)a * teams / active * p->team;
            struct attention_work *w = &p->work[first + t];
            *w = member_work(p, p->team, t);
            w->first_unit = a;
            for (uint32_t i = 0; i < p->team && p->team > 1; i++)
                w->mask |= (uint64_t)1 << (first + i);
        }
    p->unit_stride = active;
}

/* Keys stay in the ring if all that a block needs fits beside two places to load ahead. */
static void choose_retain(struct attention_plan *p)
{
    uint64_t need = 0;
    for (uint32_t j = 0; j < p->blocks; j++)
        need = most(need, (keys_seen(p, j, j) + p->kb - 1) / p->kb + (p->window != 0));
    p->retain = p->blocks > 1 && need + 2 <= p->slots;
}

static void place(struct attention_plan *p)
{
    const uint64_t line = p->line, lanes = p->lanes;
    uint64_t at = line;
    p->zero = 0;
    p->sinks = at;
    at += p->op->has_sinks ? (p->op->heads * 4 + line - 1) / line * line : 0;
    p->p = at;
    p->p_bytes = (p->kb + 1 + ATTENTION_SLACK) * line;
    at += 2 * p->p_bytes;
    p->masked = at;
    at += p->kb * line;
    p->inverse = at;
    at += 2 * line;
    p->sink = at;
    at += 2 * line;
    p->queries = at;
    p->query_bytes = p->slabs * lanes * line;
    at += 2 * p->query_bytes;
    /* an odd number of lines: eight rows in turn meet eight different banks */
    p->stage_row = ((uint64_t)p->part_cols * p->element + line - 1) / line;
    p->stage_row = (p->stage_row | 1) * line;
    p->stage = at;
    p->stage_bytes = lanes * p->stage_row;
    at += 2 * p->stage_bytes;
    p->ring = at;
    p->k_bytes = (uint64_t)p->slabs * p->kb * line;
    p->v_bytes = (uint64_t)p->v_slabs * p->kb * line;
    p->slot_bytes = p->k_bytes + p->v_bytes;
    if (p->narrow) {
        p->narrow_at = p->slot_bytes + EXPAND_GAP * line;
        p->slot_bytes = p->narrow_at + p->v_bytes + line; /* whole turns of the ports */
    }
    uint64_t size = p->chip->tile.tsram_bytes;
    p->slots =
        at < size ? (uint32_t)least((size - at) / p->slot_bytes, p->chip->tile.semaphore_max) : 0;
}

static void cut_columns(struct attention_plan *p)
{
    uint32_t side = 4 * p->chip->tile.ttu.dim, per_line = p->line / p->element;
    uint64_t d = p->op->head_dim;
    p->slabs = attention_parts(d, per_line);
    p->slab_cols = (uint32_t)d / p->slabs;
    for (p->parts = 1;; p->parts++) {
        if (d % p->parts)
            continue;
        p->part_cols = (uint32_t)d / p->parts;
        p->v_slabs = attention_parts(p->part_cols, per_line);
        p->v_cols = p->part_cols / p->v_slabs;
        p->v_banks = (p->v_cols + side - 1) / side;
        p->o_banks = p->v_slabs * p->v_banks;
        if (p->o_banks <= 4)
            break;
    }
    p->o_buffers = p->o_banks <= 2 ? 2 : 1;
}

enum tsr_status attention_plan(const struct tsr_isa *isa, const struct tsr_chip *chip,
                               const struct tsr_npu_attention *op, struct attention_plan *p,
                               struct tsr_error *err)
{
    const struct tsr_tile_config *t = &chip->tile;
    uint32_t side = 4 * t->ttu.dim;
    enum tsr_status st = check(op, err);
    if (st != TSR_OK)
        return st;
    if (t->tvp.lanes > side || side % t->tvp.lanes || t->ttu.acc_banks < 8 ||
        t->line_bytes != 4 * t->tvp.lanes || t->tvp.vregs < 32 || t->tvp.aregs < 16 || side < 16)
        return bad(err, "the chip needs a line of lanes, lanes that divide 4D, 8 accumulator "
                        "banks, 32 registers");
    memset(p, 0, sizeof *p);
    p->op = op;
    p->chip = chip;
    p->window = op->window < op->kv_len ? op->window : 0;
    p->format = isa->formats[op->format].name;
    p->element = isa->formats[op->format].bits / 8;
    st =
        tsr_npu_attention_cache(isa, chip, op->head_dim, op->format, op->kv_format, &p->cache, err);
    if (st != TSR_OK)
        return st;
    p->kv_format = p->cache.format->name;
    p->narrow = p->cache.blocked;
    p->lanes = t->tvp.lanes;
    p->line = t->line_bytes;
    while ((uint32_t)1 << p->line_shift < p->line)
        p->line_shift++;
    p->row_lines = side / p->lanes;
    p->bank_lines = side * p->row_lines;
    uint64_t row = op->head_dim * p->element, heads = op->heads / op->kv_heads;
    p->q = dense(op->q, op->q_len, op->heads, row);
    p->o = dense(op->o, op->q_len, op->heads, row);
    uint64_t kv_row = p->cache.slabs * p->cache.unit_bytes;
    p->k = dense(op->k, op->kv_len, op->kv_heads, kv_row);
    p->v = dense(op->v, op->kv_len, op->kv_heads, kv_row);
    p->chunks = attention_parts(heads, p->lanes);
    p->group = (uint32_t)heads / p->chunks;
    p->tokens = (uint32_t)least(p->lanes / p->group, op->q_len);
    p->blocks = (uint32_t)((op->q_len + p->tokens - 1) / p->tokens);
    cut_columns(p);
    if (p->narrow && p->v_cols != p->slab_cols)
        return bad(err, "a cache in blocks needs a head_dim that is cut for V as for K");
    p->units = (uint32_t)(op->batch * op->kv_heads * p->chunks * p->parts);
    for (p->kb = 2 * side;; p->kb /= 2) {
        place(p);
        if (p->slots >= 4 || p->kb <= 16)
            break;
    }
    if (p->slots < 2)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "attention: head_dim %" PRIu64 " needs more TSRAM than %s has",
                             op->head_dim, chip->name);
    while ((uint32_t)1 << p->kb_shift < p->kb)
        p->kb_shift++;
    p->s_banks = (p->kb + side - 1) / side;
    p->ahead = (uint32_t)least(3, p->slots - 1);
    choose_retain(p);
    choose_team(p);
    deal(p);
    if (p->team > 1) /* two descriptors each in a queue of eight */
        p->ahead = (uint32_t)least(4, p->slots - 1);
    else if (!p->retain)
        p->slots = (uint32_t)least(p->slots, 8);
    return TSR_OK;
}
