/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients: one result a program, so that four banks hold it for every size of head.
 *
 * An item is a block of `lanes` rows of the result, "outer" rows: queries for dQ, keys for dK and
 * dV; over it pass blocks of 4D "inner" rows of the other kind. With X1, X2 the outer rows of Q and
 * dO (K and V) and Y1, Y2 the inner ones of K and V (Q and dO):
 *   S = Y1 X1^T, T = Y2 X2^T     TTU, lanes are outer rows
 *   W = P or scale dS            TVP, to TSRAM
 *   result += W^T Y              TTU: Y1, for dV Y2
 * The result's step is queued behind the next one's scores, so that TTU and TVP work at once: S, T
 * and W exist twice. Scores(s + 2) follow the sum of s in the TTU's queue, which waited for W(s):
 * their banks are free, and so is that W once the TVP has seen them.
 *
 * A unit is a sequence and key head: its items meet the same inner rows. A team of tiles shares it,
 * back and forth so that causal costs balance. Where a unit's inner rows fit TSRAM they are loaded
 * as they are first met and stay; else those of a head do, or a chunk of them, in as many passes of
 * the items (attention_backward_where.c); beside a mask they stream through a ring of slots. */
#include "kernels/npu/attention_backward_emit.h"

#include <inttypes.h>
#include <string.h>

static enum tsr_status bad(struct tsr_error *err, const char *what)
{
    return tsr_error_set(err, TSR_BAD_INPUT, "attention backward: %s", what);
}

static struct tsr_npu_rows dense(struct tsr_npu_rows r, uint64_t tokens, uint64_t heads,
                                 uint64_t row)
{
    if (r.batch_stride == 0 && r.token_stride == 0 && r.head_stride == 0)
        r = (struct tsr_npu_rows){r.address, tokens * heads * row, heads * row, row};
    return r;
}

static enum tsr_status check(const struct tsr_npu_attention_backward *op, struct tsr_error *err)
{
    const uint64_t sizes[] = {op->batch, op->heads, op->kv_heads, op->head_dim,
                              op->v_dim, op->q_len, op->kv_len};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] == 0 || sizes[i] > UINT64_C(1) << 20)
            return bad(err, "every size is 1 to 2^20");
    if (op->heads % op->kv_heads || op->batch * op->heads > UINT64_C(1) << 20)
        return bad(err, "heads is a multiple of kv_heads, batch x heads at most 2^20");
    if (op->head_dim % 8 || op->v_dim % 8)
        return bad(err, "head_dim and v_dim are multiples of 8");
    if (op->causal && op->q_len > op->kv_len)
        return bad(err, "causal: q_len is at most kv_len");
    if (!(op->scale > 0x1p-100 && op->scale < 0x1p100) ||
        !(op->softcap >= 0 && op->softcap < 0x1p20))
        return bad(err, "scale is positive, a soft cap 0 to 2^20");
    if (op->format != TSR_BF16 && op->format != TSR_F16)
        return bad(err, "format is bf16 or f16");
    return TSR_OK;
}

/* A row of `dim` elements in slabs of whole lines. */
static struct gradient_operand operand(const struct gradient *g, struct tsr_npu_rows rows,
                                       uint64_t dim)
{
    struct gradient_operand x = {.rows = rows};
    x.slabs = attention_parts(dim, g->line / g->element);
    x.cols = (uint32_t)dim / x.slabs;
    x.banks = (x.cols + g->side - 1) / g->side;
    return x;
}

static void operands(struct gradient *g)
{
    const struct tsr_npu_attention_backward *op = g->op;
    const uint64_t d = op->head_dim, v = op->v_dim, e = g->element;
    struct gradient_operand q = operand(g, dense(op->q, op->q_len, op->heads, d * e), d),
                            o = operand(g, dense(op->d_o, op->q_len, op->heads, v * e), v),
                            k = operand(g, dense(op->k, op->kv_len, op->kv_heads, d * e), d),
                            w = operand(g, dense(op->v, op->kv_len, op->kv_heads, v * e), v);
    g->by_query = g->part == TSR_GRADIENT_DQ || g->part == TSR_GRADIENT_DELTA;
    g->x[0] = g->by_query ? q : k;
    g->x[1] = g->by_query ? o : w;
    g->y[0] = g->by_query ? k : q;
    g->y[1] = g->by_query ? w : o;
    if (g->part == TSR_GRADIENT_DELTA)
        g->x[0] = operand(g, dense(op->o, op->q_len, op->heads, v * e), v);
    g->result = g->part == TSR_GRADIENT_DV ? w : k;
    g->result.rows = g->part == TSR_GRADIENT_DQ   ? dense(op->d_q, op->q_len, op->heads, d * 4)
                     : g->part == TSR_GRADIENT_DK ? dense(op->d_k, op->kv_len, op->kv_heads, d * 4)
                                                  : dense(op->d_v, op->kv_len, op->kv_heads, v * 4);
}

enum {
    LEAST = 4 /* blocks of a pass: less is more of drains than of products */
};

/* Passes pay where a tile has several items for what it loads: how many blocks of a head fit beside
 * the stages of `each` items. */
static uint64_t pass_slots(const struct gradient *g, uint64_t each, uint64_t size)
{
    const uint64_t at = g->stage + each * g->stage_bytes;
    const uint64_t n = each > 1 && at < size ? (size - at) / g->slot_bytes : 0;
    return n < g->inner_blocks ? n : g->inner_blocks;
}

static enum tsr_status place(struct gradient *g, struct tsr_error *err)
{
    const uint64_t line = g->line, lanes = g->lanes, size = g->chip->tile.tsram_bytes;
    const uint64_t all = g->inner_blocks * (g->by_query ? 1 : g->group);
    const uint64_t each = (g->items + g->team - 1) / g->team;
    uint64_t at = line;
    g->slopes = at;
    at += g->op->has_slopes ? (g->op->heads * 4 + line - 1) / line * line : 0;
    g->x_bytes = (g->x[0].slabs + g->x[1].slabs) * lanes * line;
    g->x_at[0] = at;
    g->x_at[1] = at + g->x[0].slabs * lanes * line;
    at += 2 * g->x_bytes;
    g->stats = at; /* lse, delta of the outer queries */
    at += 2 * 2 * line;
    g->w_bytes = (g->side + GRADIENT_SLACK) * line;
    g->w = at + GRADIENT_SLACK * line;
    at += 2 * g->w_bytes;
    g->stage_row = ((g->result.slabs * g->result.cols * 4 + line - 1) / line | 1) * line;
    g->stage = at;
    g->stage_bytes = lanes * g->stage_row;
    at += g->stage_bytes;
    g->slots = at;
    g->slot_bytes = gradient_mask_offset(g) + (g->op->has_mask ? g->side * line : 0);
    g->n_slots = at < size ? (size - at) / g->slot_bytes : 0;
    if (g->n_slots < 2 || g->result.slabs * g->result.banks > 4)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "attention backward: head_dim %" PRIu64 ", v_dim %" PRIu64
                             " need more TSRAM or accumulators than %s has",
                             g->op->head_dim, g->op->v_dim, g->chip->name);
    g->retain = all <= g->n_slots && !g->op->has_mask; /* rows of a mask are each item's own */
    if (!g->retain && !g->op->has_mask && g->part != TSR_GRADIENT_DELTA &&
        pass_slots(g, each, size) >= (g->inner_blocks < LEAST ? g->inner_blocks : LEAST)) {
        g->retain = g->passes = true;
        g->slots = g->stage + each * g->stage_bytes;
        g->n_slots = pass_slots(g, each, size);
        g->chunk = g->n_slots * g->side;
        return TSR_OK;
    }
    g->n_slots = g->retain ? all : g->n_slots < 8 ? g->n_slots : 8;
    return TSR_OK;
}

/* The size of teams that ends first; of equals the smallest, which loads least. */
static void deal(struct gradient *g)
{
    const uint32_t tiles = tsr_chip_tiles(g->chip);
    uint64_t best = UINT64_MAX;
    for (uint32_t team = 1; team <= tiles && team <= g->items; team++) {
        const uint64_t teams = tiles / team, turns = (g->units + teams - 1) / teams,
                       cost = turns * ((g->items + team - 1) / team);
        if (cost < best) {
            best = cost;
            g->team = team;
            g->stride = (uint32_t)teams;
        }
    }
}

enum tsr_status tsr_npu_attention_backward(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                           const struct tsr_npu_attention_backward *op,
                                           enum tsr_npu_gradient part, struct tsr_program *out,
                                           struct tsr_error *err)
{
    struct gradient g = {.op = op, .chip = chip, .part = part};
    int64_t args[TSR_MAX_TILES][TSR_LAUNCH_REGS] = {{0}};
    uint64_t outer;
    enum tsr_status st = check(op, err);
    if (st != TSR_OK)
        return st;
    g.side = 4 * chip->tile.ttu.dim;
    g.lanes = chip->tile.tvp.lanes;
    g.line = chip->tile.line_bytes;
    g.element = isa->formats[op->format].bits / 8;
    g.format = isa->formats[op->format].name;
    if (chip->tile.ttu.acc_banks < 8 || g.side % g.lanes || g.line != 4 * g.lanes)
        return bad(err, "the chip needs a line of lanes, lanes that divide 4D, 8 banks");
    operands(&g);
    g.group = (uint32_t)(op->heads / op->kv_heads);
    outer = g.by_query ? op->q_len : op->kv_len;
    g.blocks = (outer + g.lanes - 1) / g.lanes;
    g.inner_blocks = ((g.by_query ? op->kv_len : op->q_len) + g.side - 1) / g.side;
    g.units = op->batch * op->kv_heads;
    g.items = g.blocks * (g.by_query ? g.group : 1);
    g.always = op->has_mask || op->has_slopes || op->softcap != 0;
    g.edges = g.always || op->causal || op->window;
    /* the last keys meet the fewest queries: what the first item waits for is little */
    g.falling = !g.by_query && op->causal && !op->window;
    g.prefix = op->prefix && (op->causal || op->window);
    g.records = g.prefix || op->q_lens || op->kv_lens;
    g.turn = op->has_slopes || op->softcap != 0 ? 4 : 8;
    deal(&g);
    st = gradient_check_sequences(&g, err);
    if (st == TSR_OK)
        st = place(&g, err);
    if (st != TSR_OK)
        return st;
    if ((g.items * g.group | g.units * op->kv_heads) >> 40) /* it divides by products */
        return bad(err, "sequences and heads times their number are below 2^40");
    for (uint32_t i = 0; i < tsr_chip_tiles(chip); i++) {
        args[i][0] = i / g.team < g.stride ? i / g.team : (int64_t)g.units;
        args[i][1] = i % g.team;
    }
    gradient_program(&g);
    st = tsr_text_program(&g.t, isa, "attention_backward", tsr_chip_tiles(chip),
                          (const int64_t(*)[TSR_LAUNCH_REGS])args, out, err);
    return st == TSR_OK && g.records ? gradient_records(&g, out, err) : st;
}
