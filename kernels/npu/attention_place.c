/* SPDX-License-Identifier: Apache-2.0 */
/* Where things lie: columns in accumulator banks and lines, everything in TSRAM. */
#include "kernels/npu/attention_plan.h"

static uint64_t take(uint64_t *at, uint64_t bytes)
{
    uint64_t here = *at;
    *at += bytes;
    return here;
}

/* An odd number of lines: eight rows in turn meet eight different banks. */
static uint64_t odd_lines(const struct attention_plan *p, uint64_t bytes)
{
    return ((bytes + p->line - 1) / p->line | 1) * p->line;
}

/* A load writes a row's slabs one after another, and the port a bank only every eighth cycle: two
 * slabs lie side by side (the operands' rows are then two lines apart, just as fast as the products
 * of a slab); more lie a line beyond whole turns of the banks, so that a row takes nine cycles. */
static void place_slot(struct attention_plan *p)
{
    const uint64_t line = p->line;
    const bool shared = p->op->values_in_keys,
               pairs = p->slabs == 2 && p->v_slabs == 2 && !p->narrow;
    const bool side = pairs && !shared;
    p->k_row = side ? 2 * line : line;
    p->k_slab = side ? line : (p->kb + (p->slabs > 2)) * line;
    p->v_row = shared ? p->k_row : side ? 2 * line : line;
    p->v_slab = shared ? p->k_slab : side ? line : (p->kb + (p->v_slabs > 2 && !p->narrow)) * line;
    p->k_bytes = side ? 2 * p->kb * line : p->slabs * p->k_slab;
    p->v_bytes = shared ? 0 : side ? p->k_bytes : p->v_slabs * p->v_slab;
    p->slot_bytes = p->k_bytes + p->v_bytes;
    if (p->narrow) {
        p->narrow_at = p->slot_bytes + EXPAND_GAP * line;
        p->scales = p->narrow_at + p->v_bytes + line;
        p->scales_bytes = p->token_scales ? (p->kb * TOKEN_SCALE + line - 1) / line * line : 0;
        p->slot_bytes = p->scales + 2 * p->scales_bytes;
        p->slot_bytes = (p->slot_bytes + 8 * line - 1) / (8 * line) * (8 * line);
    }
}

void attention_pieces(struct attention_plan *p, uint32_t splits)
{
    const uint32_t teams = tsr_chip_tiles(p->chip) / p->team, active = p->units * splits;
    p->mergers = 1; /* teams apart by a number that differs are not found by steps */
    p->merger_stride = teams / active * p->team;
    for (uint32_t m = splits; m > 1 && teams % active == 0 && p->mergers == 1; m--)
        if (p->part_cols % (8 * m) == 0)
            p->mergers = m;
    p->merge_cols = p->part_cols / p->mergers;
    p->piece_row = odd_lines(p, (uint64_t)p->merge_cols * 4);
    p->piece_bytes = (uint64_t)(p->tokens * p->group + 7) / 8 * 8 * p->piece_row;
}

void attention_place(struct attention_plan *p)
{
    const uint64_t line = p->line, size = p->chip->tile.tsram_bytes;
    uint64_t at = 0;
    p->zero = take(&at, line);
    p->sinks = take(&at, p->op->has_sinks ? (p->op->heads * 4 + line - 1) / line * line : 0);
    p->p_bytes = (p->kb + 1 + ATTENTION_SLACK) * line;
    p->p = take(&at, 2 * p->p_bytes);
    p->masked = take(&at, p->kb * line);
    p->mask_bytes = p->op->has_mask ? p->kb * line : 0;
    p->mask = take(&at, 2 * p->mask_bytes);
    p->slopes = take(&at, p->op->has_slopes ? 2 * line : 0);
    p->edge = take(&at, p->edges ? (p->tokens + 2 * ATTENTION_EDGE) * line : 0);
    p->inverse_bytes = (p->op->has_lse ? 2 : 1) * line;
    p->inverse = take(&at, 2 * p->inverse_bytes);
    p->sink = take(&at, 2 * line);
    p->query_bytes = p->slabs * (uint64_t)p->rows * line;
    p->queries = take(&at, 2 * p->query_bytes);
    p->stage_row = odd_lines(p, (uint64_t)p->part_cols * p->out_element);
    p->lse_at = (p->rows + 7) / 8 * 8 * p->stage_row; /* `output` goes by 8 rows */
    p->stage_bytes = p->lse_at + (p->op->has_lse ? line : 0);
    p->stage = take(&at, 2 * p->stage_bytes);
    p->partial_row = odd_lines(p, (uint64_t)p->part_cols * 4);
    if (p->splits > 1) {
        p->partial = take(&at, 2 * line + (p->tokens * p->group + 7) / 8 * 8 * p->partial_row);
        p->merge = take(&at, p->splits * (2 * line + p->piece_bytes));
    }
    p->ring = at;
    place_slot(p);
    uint64_t slots = at < size ? (size - at) / p->slot_bytes : 0;
    p->slots =
        (uint32_t)(slots < p->chip->tile.semaphore_max ? slots : p->chip->tile.semaphore_max);
}

/* Columns of V that a line holds and an mma takes. */
uint32_t attention_v_limit(const struct attention_plan *p)
{
    const uint32_t per_line = p->line / p->element, most = 8 * p->chip->tile.ttu.dim;
    return per_line < most ? per_line : most;
}

/* O in the accumulators for blocks of `rows` rows and V cut into `parts`. */
static bool fits(struct attention_plan *p, uint32_t rows, uint32_t parts)
{
    const uint32_t side = 4 * p->chip->tile.ttu.dim, per_line = attention_v_limit(p);
    if (p->v_dim % parts)
        return false;
    p->rows = rows;
    p->parts = parts;
    p->part_cols = (uint32_t)p->v_dim / parts;
    p->v_slabs =
        p->op->values_in_keys ? p->part_cols / per_line : attention_parts(p->part_cols, per_line);
    p->v_cols = p->part_cols / p->v_slabs;
    p->v_banks = (p->v_cols + side - 1) / side;
    p->pack = side / rows;
    p->o_banks = (p->v_slabs + p->pack - 1) / p->pack * p->v_banks;
    return p->o_banks <= 4;
}

/* Four banks for O at most, beside twice two for scores. Wide values: half as many rows in a block,
 * the parts of V's columns above each other in a bank; where that is not enough several passes over
 * the scores. */
void attention_cut_columns(struct attention_plan *p)
{
    const uint32_t d = (uint32_t)p->op->head_dim,
                   per_line = p->op->values_in_keys ? attention_v_limit(p) : p->line / p->element;
    p->slabs = p->op->values_in_keys ? (d + per_line - 1) / per_line : attention_parts(d, per_line);
    p->slab_cols = p->op->values_in_keys ? per_line : d / p->slabs;
    p->tail_cols = d - (p->slabs - 1) * p->slab_cols;
    if (!fits(p, p->lanes, 1))
        for (uint32_t parts = 1; !fits(p, p->lanes / 2, parts); parts++)
            continue;
    p->o_buffers = p->o_banks <= 2 ? 2 : 1;
}

uint32_t attention_sum_line(const struct attention_plan *p, uint32_t s, uint32_t c)
{
    const uint32_t side = 4 * p->chip->tile.ttu.dim;
    return (s / p->pack * p->v_banks + c / side) * p->bank_lines +
           s % p->pack * p->rows * p->row_lines + c % side / p->lanes;
}
