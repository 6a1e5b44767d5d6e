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

enum tsr_status attention_check_lengths(const char *what, const struct attention_lengths *l,
                                        struct tsr_error *err)
{
    for (uint64_t b = 0; b < l->batch; b++) {
        const uint64_t q = l->q_lens ? l->q_lens[b] : l->q_len,
                       kv = l->kv_lens ? l->kv_lens[b] : l->kv_len;
        if (q == 0 || q > l->q_len || kv == 0 || kv > l->kv_len || (l->causal && q > kv))
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "%s: sequence %" PRIu64 " has %" PRIu64 " queries and %" PRIu64
                                 " keys, allowed are 1 to q_len and to kv_len, causal: no more "
                                 "queries than keys",
                                 what, b, q, kv);
    }
    return TSR_OK;
}

static enum tsr_status check_sequences(const struct tsr_npu_attention *op, struct tsr_error *err)
{
    const struct attention_lengths lengths = {op->batch,  op->q_len,   op->kv_len,
                                              op->q_lens, op->kv_lens, op->causal};
    enum tsr_status st = attention_check_lengths("attention", &lengths, err);
    if (st != TSR_OK)
        return st;
    if (op->pages && (op->page_tokens == 0 || op->page_tokens > (uint64_t)1 << 20 ||
                      op->page_row * op->page_tokens < op->kv_len))
        return bad(err, "pages: page_tokens is 1 to 2^20, page_row pages hold kv_len");
    return TSR_OK;
}

static enum tsr_status check(const struct tsr_npu_attention *op, struct tsr_error *err)
{
    const uint64_t limit = (uint64_t)1 << 20;
    uint64_t v_dim = op->v_dim ? op->v_dim : op->head_dim;
    uint64_t sizes[] = {op->batch, op->heads, op->kv_heads, op->head_dim, op->q_len, op->kv_len};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] == 0 || sizes[i] > limit)
            return bad(err, "batch, heads, kv_heads, head_dim, q_len and kv_len are 1 to 2^20");
    if (op->heads % op->kv_heads)
        return bad(err, "heads is a multiple of kv_heads");
    if (op->head_dim % 8 || op->head_dim > 1024 || v_dim % 8 || v_dim > 1024)
        return bad(err, "head_dim and v_dim are multiples of 8 up to 1024");
    if (op->batch * op->heads > limit)
        return bad(err, "batch x heads is at most 2^20");
    if (op->causal && op->q_len > op->kv_len)
        return bad(err, "causal: q_len is at most kv_len");
    if (!(op->scale > 0x1p-100 && op->scale < 0x1p100) ||
        !(op->softcap >= 0 && op->softcap < 0x1p20))
        return bad(err, "scale is positive, softcap 0 to 2^20");
    if (op->format != TSR_BF16 && op->format != TSR_F16 && op->format != TSR_F8E4M3)
        return bad(err, "format is bf16, f16 or f8e4m3");
    if (op->out_format != TSR_F32 && op->out_format != TSR_BF16 && op->out_format != TSR_F16)
        return bad(err, "out_format is bf16 or f16");
    if (op->has_sinks && op->sink_format != TSR_F32 && op->sink_format != TSR_BF16 &&
        op->sink_format != TSR_F16)
        return bad(err, "sink_format is f32, bf16 or f16");
    return check_sequences(op, err);
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

/* Keys stay in the ring if all that a block needs fits beside two places to load ahead. */
static void choose_retain(struct attention_plan *p)
{
    uint64_t need = 0;
    for (uint32_t j = 0; j < p->blocks; j++)
        need = most(need, (attention_keys_seen(p, j, j) + p->kb - 1) / p->kb + (p->window != 0));
    p->retain = p->blocks > 1 && need + 2 <= p->slots;
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
    p->seen = op->window < op->kv_len ? op->window : 0;
    p->window = op->causal ? p->seen : 0;
    p->general = op->has_mask || op->has_slopes || (p->seen && (op->prefix || !op->causal));
    p->edges = !p->general && !p->window && !op->prefix && op->softcap == 0;
    p->v_dim = op->v_dim ? op->v_dim : op->head_dim;
    p->splits = 1;
    p->fused_cap = op->softcap != 0 && tsr_isa_find(isa, TSR_STREAM_TVP, "vsoftcap") != NULL;
    p->format = isa->formats[op->format].name;
    p->element = isa->formats[op->format].bits / 8;
    enum tsr_dtype out = op->out_format ? op->out_format : p->element == 1 ? TSR_BF16 : op->format;
    p->out_format = isa->formats[out].name;
    p->out_element = isa->formats[out].bits / 8;
    st =
        tsr_npu_attention_cache(isa, chip, op->head_dim, op->format, op->kv_format, &p->cache, err);
    if (st != TSR_OK)
        return st;
    p->narrow = p->cache.blocked;
    p->token_scales = p->cache.format->family == TSR_FAMILY_INT;
    p->kv_format = p->token_scales ? isa->formats[TSR_Q8_0].name : p->cache.format->name;
    if (p->narrow && p->element == 1)
        return bad(err, "a cache in blocks needs queries of 16 bits");
    p->lanes = t->tvp.lanes;
    p->line = t->line_bytes;
    while ((uint32_t)1 << p->line_shift < p->line)
        p->line_shift++;
    p->row_lines = side / p->lanes;
    p->bank_lines = side * p->row_lines;
    uint64_t row = op->head_dim * p->element, heads = op->heads / op->kv_heads;
    p->q = dense(op->q, op->q_len, op->heads, row);
    p->o = dense(op->o, op->q_len, op->heads, p->v_dim * p->out_element);
    uint64_t kv_row = p->cache.slabs * p->cache.unit_bytes;
    p->k = dense(op->k, op->kv_len, op->kv_heads, kv_row);
    p->v = dense(op->v, op->kv_len, op->kv_heads,
                 p->v_dim == op->head_dim ? kv_row : p->v_dim * p->cache.format->bits / 8);
    p->lse = (struct tsr_npu_rows){op->lse, 4 * op->heads * op->q_len, 4, 4 * op->q_len};
    p->k_scales = dense(op->k_scales, op->kv_len, op->kv_heads, TOKEN_SCALE);
    p->v_scales = dense(op->v_scales, op->kv_len, op->kv_heads, TOKEN_SCALE);
    if (op->values_in_keys &&
        (p->v_dim > op->head_dim || p->narrow || p->v_dim % attention_v_limit(p)))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "attention: values in keys: no blocks, v_dim at most "
                             "head_dim and a multiple of %u on %s are allowed",
                             attention_v_limit(p), chip->name);
    attention_cut_columns(p);
    if (op->values_in_keys && p->parts != 1)
        return bad(err, "values in keys: v_dim is too large for the accumulators");
    if (op->has_lse && p->parts != 1)
        return bad(err, "lse: v_dim is too large for the accumulators");
    p->chunks = attention_parts(heads, p->rows);
    p->group = (uint32_t)heads / p->chunks;
    p->tokens = (uint32_t)least(p->rows / p->group, op->q_len);
    p->blocks = (uint32_t)((op->q_len + p->tokens - 1) / p->tokens) * p->chunks;
    if (p->narrow && (p->v_cols != p->slab_cols || p->v_dim != op->head_dim))
        return bad(err, "a cache in blocks needs a head_dim that is cut for V as for K");
    p->units = (uint32_t)(op->batch * op->kv_heads * p->parts);
    for (p->kb = 2 * side;; p->kb /= 2) {
        attention_place(p);
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
    attention_deal(p);
    if (p->splits > 1)
        attention_place(p);
    if (p->slots < 2)
        return bad(err, "splits: their sums do not fit TSRAM");
    if (p->team > 1) /* two descriptors each in a queue of eight */
        p->ahead = (uint32_t)least(4, p->slots - 1);
    else if (!p->retain)
        p->slots = (uint32_t)least(p->slots, 8);
    return TSR_OK;
}
