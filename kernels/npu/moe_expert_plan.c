/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/npu/moe_expert_plan.h"

#include "kernels/npu/activation.h"
#include "kernels/npu/stream.h"

typedef unsigned long long ull;

/* A slab of B of this size covers the latency of HBM many times over; larger ones only make the
 * first one come later. */
enum {
    SLAB_BYTES = 262144,
    SENDERS = 8,
    SEGMENT = 1024
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Rows that differ by 1 modulo 8 lines meet the banks one a cycle. */
static uint64_t pitch(uint64_t bytes, uint64_t line)
{
    uint64_t lines = npu_ceil_div(bytes, line);
    return (npu_ceil_div(lines - 1, 8) * 8 + 1) * line;
}

static uint64_t take(uint64_t *at, uint64_t bytes, uint64_t line)
{
    uint64_t here = *at;
    *at += npu_round_up(bytes, line);
    return here;
}

/* Whether everything fits with these rows, slabs, stages and output blocks. */
static bool place(const struct tsr_chip *chip, const struct tsr_npu_moe_expert *op,
                  struct moe_expert_plan *p)
{
    uint64_t line = chip->tile.line_bytes, at = 0;
    p->a_pitch = pitch(p->kc / p->kq * p->a.step, line);
    p->b_pitch = pitch(p->kc / p->kq * p->b.step, line);
    p->counts_at = take(&at, p->parts * p->expert_pitch, line);
    p->sums_at = take(&at, 2 * p->expert_pitch, line);
    for (uint32_t i = 0; i < p->places; i++) {
        p->a_at[i] = take(&at, p->tile_rows * p->a_pitch, line);
        p->b_at[i] = take(&at, p->two * p->nc * p->b_pitch, line);
    }
    p->bias_bytes = op->bias ? npu_round_up(4 * p->two * p->nc, line) : 0;
    p->bias_at = take(&at, 2 * p->bias_bytes, line);
    p->stage_pitch = 4ull * p->side << p->across;
    p->stage_bytes = p->stage_pitch * p->side;
    p->stage_at = take(&at, p->stages * p->stage_bytes, line);
    p->out_pitch = npu_round_up(p->chunks * p->nc * p->ec, line);
    p->out_bytes = p->tile_rows * p->out_pitch;
    p->out_at = take(&at, p->outs * p->out_bytes, line);
    return at <= chip->tile.tsram_bytes;
}

/* Elements of K whose reads of B are as good as they get: whole HBM segments of a row; a block
 * format's rows are one run anyhow. */
static uint64_t good_run(const struct moe_expert_plan *p)
{
    return p->b.slab.blocked ? p->kq : SEGMENT / (p->b.slab.format->bits / 8u);
}

/* The largest slab up to SLAB_BYTES that fits; whole rows of K, then good runs are read best. */
static bool choose_slab(const struct tsr_chip *chip, const struct tsr_npu_moe_expert *op,
                        struct moe_expert_plan *p)
{
    uint64_t row = p->two * p->nc * p->b.slab.line_bytes, segment = good_run(p);
    for (uint64_t s = 1; s <= op->k; s++) {
        uint64_t unit = s > 1 && op->k / s >= 2 * segment ? segment : p->kq;
        unit = unit < p->kq ? p->kq : unit;
        p->kc = npu_round_up(npu_ceil_div(op->k, s), unit);
        bool small = p->kc / p->kq * row <= SLAB_BYTES || p->kc <= segment || p->kc <= p->kq;
        if (small && place(chip, op, p))
            return true;
        if (p->kc <= p->kq)
            break;
    }
    return false;
}

/* Slabs and spare buffers for rows and columns as they are: as many as leave slabs of two HBM
 * segments a row, else whatever fits. */
static bool fill(const struct tsr_chip *chip, const struct tsr_npu_moe_expert *op,
                 struct moe_expert_plan *p)
{
    uint32_t banks = (uint32_t)npu_ceil_div(p->tile_rows, p->side);
    uint64_t good = least(op->k, 2 * good_run(p));
    for (int any = 0; any < 2; any++)
        for (uint32_t spare = 3; spare > 0; spare--) {
            p->places = spare > 2 ? MOE_EXPERT_PLACES : 2;
            p->outs = spare > 1 ? 2 : 1;
            p->stages = spare > 1 && banks > 1 ? banks : 2;
            if (choose_slab(chip, op, p) && (any || p->kc >= good))
                return true;
        }
    return false;
}

/* Columns of a tile and chunk. Rows: as many as the accumulators hold, or as twice a typical expert
 * has, which leaves more TSRAM to the slabs; an expert gets a token at most once. */
static void divide(const struct tsr_chip *chip, const struct tsr_npu_moe_expert *op,
                   struct moe_expert_plan *p, uint64_t rows, uint32_t gy_log, uint32_t across)
{
    uint64_t d = chip->tile.ttu.dim,
             most = (uint64_t)(chip->tile.ttu.acc_banks >> across) * p->side;
    p->gy_log = gy_log;
    p->gy = 1u << gy_log;
    p->across = across;
    p->width = npu_ceil_div(op->n, npu_tiles(chip) / p->gy);
    p->gx = (uint32_t)npu_ceil_div(op->n, p->width);
    p->chunks = npu_ceil_div(p->width, ((uint64_t)p->side << across) / p->two);
    p->nc = npu_ceil_div(p->width, p->chunks);
    rows = least(op->tokens, 2 * rows);
    p->tile_rows = least(most, npu_round_up(npu_ceil_div(rows, p->gy), d));
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t root(uint64_t x)
{
    uint64_t r = 0;
    while ((r + 1) * (r + 1) <= x)
        r++;
    return r;
}

/* Cycles of an expert of so many rows per 1024 elements of K: the largest of tensor unit, operand
 * port, tile port and HBM, for each block of rows and chunk of columns. */
static uint64_t cost(const struct tsr_chip *chip, const struct tsr_npu_moe_expert *op,
                     const struct moe_expert_plan *p, uint64_t rows)
{
    const struct tsr_hbm_config *h = &chip->hbm;
    const uint64_t k = 1024;
    uint64_t d = chip->tile.ttu.dim, cols = p->two * p->nc;
    uint64_t blocks = npu_ceil_div(rows, p->gy * p->tile_rows), block = npu_ceil_div(rows, blocks);
    uint64_t mine = npu_round_up(npu_ceil_div(block, p->gy), d);
    uint64_t tensor = mine / d * npu_ceil_div(cols, d) * k / p->lanes;
    uint64_t fetch = npu_ceil_div(mine, p->side) * larger(cols, least(mine, p->side)) * k / p->kq;
    uint64_t row_a = k * p->a.slab.line_bytes / p->kq, row_b = k * p->b.slab.line_bytes / p->kq;
    uint64_t port = (mine * row_a + cols * row_b) / chip->tile.port_bytes;
    uint64_t pins = (uint64_t)h->stacks * h->channels * h->channel_bits / 4;
    uint64_t hbm = (p->gx * cols * row_b + block * row_a) * h->clock_den / (pins * h->clock_num);
    (void)op;
    return blocks * p->chunks * larger(larger(tensor, fetch), larger(port, hbm));
}

/* The grid for an expert of typical size: the mean and two standard deviations of a fair choice. */
static bool layout(const struct tsr_chip *chip, const struct tsr_npu_moe_expert *op,
                   struct moe_expert_plan *p)
{
    uint64_t slots = op->tokens * op->top_k, best = UINT64_MAX;
    uint64_t mean = npu_ceil_div(slots, least(op->experts, slots));
    uint64_t rows = least(op->tokens, mean + 2 * root(mean));
    struct moe_expert_plan chosen = *p, q = *p;
    for (uint32_t gy_log = 0; gy_log < 4 && npu_tiles(chip) >> gy_log; gy_log++)
        for (uint32_t across = 0; across < 2; across++) {
            divide(chip, op, &q, rows, gy_log, across);
            if (!fill(chip, op, &q))
                continue;
            uint64_t c = cost(chip, op, &q, rows);
            if (c < best)
                best = c, chosen = q;
        }
    if (best < UINT64_MAX) {
        *p = chosen;
        return true;
    }
    uint64_t d = chip->tile.ttu.dim;
    divide(chip, op, p, rows, 0, 0);
    while (p->tile_rows > d) { /* fewer rows: weights are read more often */
        p->tile_rows = npu_round_up(p->tile_rows / 2, d);
        if (fill(chip, op, p))
            return true;
    }
    return false;
}

static enum tsr_status check(const struct tsr_isa *isa, const struct tsr_npu_moe_expert *op,
                             struct moe_expert_plan *p, struct tsr_error *err)
{
    const struct tsr_format *a = &isa->formats[op->a_format], *b = &isa->formats[op->b_format];
    struct npu_gate gate = {op->activation, op->limit, op->alpha};
    const uint64_t most = (uint64_t)1 << 24;
    if (!op->tokens || op->tokens > most || !op->n || op->n > most || !op->k || op->k > most ||
        !op->experts || op->experts > 256 || !op->top_k || op->top_k > op->experts)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "moe_expert: %llu tokens, n %llu, k %llu, %llu experts, top %llu; "
                             "allowed are 1 to 2^24 thrice, 1 to 256, 1 to experts",
                             (ull)op->tokens, (ull)op->n, (ull)op->k, (ull)op->experts,
                             (ull)op->top_k);
    bool integer = a->family == TSR_FAMILY_INT || b->family == TSR_FAMILY_INT;
    if (integer || !npu_float_size(isa, op->c_format))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "moe_expert: %s by %s to %s, float and block formats are allowed, "
                             "results f32, bf16, f16",
                             a->name, b->name, isa->formats[op->c_format].name);
    if (op->gate && !npu_gate_known(&gate))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "moe_expert: silu, tanh gelu and clamped swiglu are allowed");
    p->ec = npu_float_size(isa, op->c_format);
    return TSR_OK;
}

static enum tsr_status operand(const struct tsr_isa *isa, const struct tsr_chip *chip,
                               enum tsr_dtype own, enum tsr_dtype partner, uint64_t rows,
                               uint64_t k, struct moe_expert_operand *o, struct tsr_error *err)
{
    enum tsr_status st = tsr_npu_slab_plan(isa, chip, own, partner, rows, k, &o->slab, err);
    if (st)
        return st;
    o->row_bytes = o->slab.unit_bytes;
    o->step = o->slab.blocked ? chip->tile.line_bytes : o->slab.line_bytes;
    return TSR_OK;
}

static enum tsr_status operands(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                const struct tsr_npu_moe_expert *op, struct moe_expert_plan *p,
                                struct tsr_error *err)
{
    const struct tsr_ttu_config *t = &chip->tile.ttu;
    enum tsr_status st =
        operand(isa, chip, op->a_format, op->b_format, op->tokens * op->top_k, op->k, &p->a, err);
    if (!st)
        st = operand(isa, chip, op->b_format, op->a_format, op->n, op->k, &p->b, err);
    if (st)
        return st;
    uint8_t wa = p->a.slab.format->width_class, wb = p->b.slab.format->width_class;
    uint8_t w = wa > wb ? wa : wb;
    p->lanes = w == 16 ? t->r16 : w == 9 ? t->r9 : t->r6;
    p->kq = p->a.slab.ks;
    p->k_unit = p->a.slab.blocked || p->b.slab.blocked ? p->kq : 1;
    struct moe_expert_operand *both[] = {&p->a, &p->b};
    for (int i = 0; i < 2; i++)
        both[i]->slab_bytes = both[i]->slab.blocked ? both[i]->slab.rows * both[i]->slab.unit_bytes
                              : p->k_unit > 1       ? both[i]->slab.line_bytes
                                                    : both[i]->slab.format->bits / 8u;
    return TSR_OK;
}

enum tsr_status moe_expert_plan(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                const struct tsr_npu_moe_expert *op, struct moe_expert_plan *p,
                                struct tsr_error *err)
{
    *p = (struct moe_expert_plan){.two = op->gate ? 2 : 1, .side = 4 * chip->tile.ttu.dim};
    enum tsr_status st = check(isa, op, p, err);
    if (st)
        return st;
    st = operands(isa, chip, op, p, err);
    if (st)
        return st;
    p->parts = tsr_npu_moe_parts(chip, op->tokens);
    p->expert_pitch = 4 * npu_round_up(op->experts, chip->tile.tvp.lanes);
    if (8 * npu_ceil_div(op->experts, 2) + MOE_EXPERT_SAVED > chip->tile.control_bytes ||
        !layout(chip, op, p))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "moe_expert: n %llu k %llu does not fit the tiles of %s", (ull)op->n,
                             (ull)op->k, chip->name);
    p->senders = 1;
    while (2 * p->senders <= SENDERS && 2 * p->senders <= p->gx) {
        p->senders *= 2;
        p->sender_log++;
    }
    return TSR_OK;
}
