/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cli/attention.h"

#include <math.h>

#include "tessera/sim.h"

enum {
    MAX_WINDOW = 1 << 20,
    ALIGNMENT = 1024
};

enum tsr_status cli_attention_options(struct cli *c, struct cli_attention *a, struct tsr_error *err)
{
    enum tsr_status st = cli_isa(c, &a->isa, err);
    if (st == TSR_OK)
        st = cli_chip(c, &a->chip, err);
    if (st == TSR_OK)
        st = cli_format(c, a->isa, "format", "bf16", &a->format, err);
    if (st == TSR_OK)
        st = cli_format(c, a->isa, "kv", a->format->name, &a->kv, err);
    if (st == TSR_OK)
        st = cli_u64(c, "window", 1, MAX_WINDOW, 0, &a->op.window, err);
    if (st == TSR_OK && a->kv->code == TSR_F32) /* which the kernel takes for "as the queries" */
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "attention: kv_format f32: allowed are bf16, f16, f8e4m3, f8e5m2, i8 "
                             "and formats with block scales");
    if (st != TSR_OK)
        return st;
    a->out = a->format->bits == 16 ? a->format : &a->isa->formats[TSR_BF16];
    a->op.format = (enum tsr_dtype)a->format->code;
    a->op.kv_format = (enum tsr_dtype)a->kv->code;
    a->op.causal = cli_has(c, "causal");
    return TSR_OK;
}

/* Reserves HBM at *out; sizes are small enough that sums do not wrap. */
static void reserve(struct cli_attention *a, uint64_t bytes, uint64_t *out)
{
    *out = TSR_HBM(a->end);
    a->end += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

enum tsr_status cli_attention_place(struct cli_attention *a, struct tsr_error *err)
{
    struct tsr_npu_attention *op = &a->op;
    enum tsr_status st = tsr_npu_attention_cache(a->isa, &a->chip, op->head_dim, op->format,
                                                 op->kv_format, &a->cache, err);
    if (st != TSR_OK)
        return st;
    uint64_t row = op->head_dim * a->format->bits / 8, v_dim = op->v_dim ? op->v_dim : op->head_dim,
             out = v_dim * a->out->bits / 8, kv_row = a->cache.slabs * a->cache.unit_bytes,
             v_row = v_dim == op->head_dim ? kv_row : v_dim * a->kv->bits / 8,
             queries = op->batch * op->q_len * op->heads,
             tokens = op->pages ? op->page_tokens * op->page_row : op->kv_len,
             page = op->pages ? op->page_tokens : tokens, pages = op->batch * tokens / page;
    /* heads of a page, or all pages of a head, follow each other */
    op->k = op->pages
                ? (struct tsr_npu_rows){0, kv_row * page * op->kv_heads, kv_row, kv_row * page}
                : (struct tsr_npu_rows){0, kv_row * page, kv_row, kv_row * page * op->batch};
    op->v = op->pages ? (struct tsr_npu_rows){0, v_row * page * op->kv_heads, v_row, v_row * page}
                      : (struct tsr_npu_rows){0, v_row * page, v_row, v_row * page * op->batch};
    reserve(a, queries * row, &op->q.address);
    reserve(a, queries * out, &op->o.address);
    reserve(a, kv_row * page * pages * op->kv_heads, &op->k.address);
    if (!op->values_in_keys)
        reserve(a, v_row * page * pages * op->kv_heads, &op->v.address);
    if (op->kv_format == TSR_I8) { /* an f16 a token, where its row is */
        const struct tsr_npu_rows *k = &op->k;
        op->k_scales = (struct tsr_npu_rows){0, 2 * (k->batch_stride / kv_row), 2,
                                             2 * (k->head_stride / kv_row)};
        op->v_scales = op->k_scales;
        reserve(a, 2 * page * pages * op->kv_heads, &op->k_scales.address);
        reserve(a, 2 * page * pages * op->kv_heads, &op->v_scales.address);
    }
    if (op->has_slopes)
        reserve(a, op->heads * 4, &op->slopes);
    if (op->has_mask) { /* a byte for each key, query and head of a group, for all key heads */
        uint64_t keys = op->q_len * (op->heads / op->kv_heads);
        op->mask = (struct tsr_npu_rows){0, keys * op->kv_len, keys, 0};
        reserve(a, op->batch * op->mask.batch_stride, &op->mask.address);
    }
    if (op->has_sinks)
        reserve(a, op->heads * 4, &op->sinks);
    if (op->scale == 0)
        op->scale = 1 / sqrt((double)op->head_dim);
    if (a->end > a->chip.hbm.bytes)
        return tsr_error_set(
            err, TSR_BAD_INPUT, "Q, K, V and O take %.2f GiB, the HBM of %s has %.2f",
            (double)a->end / 0x1p30, a->chip.name, (double)a->chip.hbm.bytes / 0x1p30);
    return TSR_OK;
}
