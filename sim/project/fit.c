/* SPDX-License-Identifier: Apache-2.0 */
/* Does a model with its cache and its workspace fit the chip's HBM? */
#include <assert.h>

#include "sim/project/model_priv.h"

static uint64_t kv_bytes(const struct tsr_model *m, const struct tsr_graph_options *o)
{
    uint64_t token = tsr_sat_mul(tsr_cache_rows(m), o->batch);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < m->layers; i++) {
        bool slides = (m->layer_kind[i] & TSR_LAYER_SLIDING) != 0 && m->window < o->seq;
        uint64_t rows = tsr_sat_mul(token, slides ? m->window : o->seq);
        sum = tsr_sat_add(sum, tsr_format_bytes(o->kv, rows, tsr_cache_dim(m)));
    }
    return sum;
}

/* The residual stream (bf16) and the operation whose inputs and outputs are largest. In prefill
 * the qkv result holds the keys and values of all tokens, so a windowed cache may be smaller. */
static uint64_t workspace_bytes(const struct tsr_model *m, const struct tsr_graph *g)
{
    uint64_t largest = 0;
    for (uint32_t i = 0; i < g->n_ops; i++) {
        const struct tsr_graph_op *o = &g->ops[i];
        uint64_t out_bytes = o->flags & TSR_OPF_F32_OUT ? 4 : 2;
        uint64_t bytes = tsr_sat_add(tsr_sat_mul(o->in_elems, 2),
                                     tsr_sat_mul(o->out_elems, out_bytes));
        largest = bytes > largest ? bytes : largest;
    }
    uint64_t stream = tsr_sat_mul3(g->ops[0].m, m->hidden, 2);
    return tsr_sat_add(stream, largest);
}

static double gib(uint64_t bytes)
{
    return (double)bytes / (double)((uint64_t)1 << 30);
}

enum tsr_status tsr_model_fit(const struct tsr_model *m, const struct tsr_graph_options *options,
                              const struct tsr_chip *chip, struct tsr_fit *out,
                              struct tsr_error *err)
{
    struct tsr_graph g;
    enum tsr_status status = tsr_graph_build(m, options, &g, err);
    if (status != TSR_OK)
        return status;
    struct tsr_graph_totals t;
    tsr_graph_sum(&g, &t);
    uint64_t hbm = chip->hbm.bytes;
    assert(hbm != 0);
    struct tsr_fit f = {
        .weight_bytes = t.weight_bytes,
        .kv_bytes = kv_bytes(m, options),
        .kv_token_bytes = tsr_sat_mul(
            m->layers, tsr_format_bytes(options->kv, tsr_cache_rows(m), tsr_cache_dim(m))),
        .workspace_bytes = workspace_bytes(m, &g),
        .hbm_bytes = hbm,
    };
    f.total_bytes = tsr_sat_add(tsr_sat_add(f.weight_bytes, f.kv_bytes), f.workspace_bytes);
    f.chips = f.total_bytes / hbm + (f.total_bytes % hbm != 0);
    *out = f;
    return tsr_fit_check(m, chip, &f, err);
}

enum tsr_status tsr_fit_check(const struct tsr_model *m, const struct tsr_chip *chip,
                              const struct tsr_fit *fit, struct tsr_error *err)
{
    const struct tsr_fit f = *fit;
    if (f.total_bytes <= f.hbm_bytes)
        return TSR_OK;
    return tsr_error_set(err, TSR_BAD_INPUT,
                         "%s: does not fit %s: weights %.2f GiB + KV cache %.2f GiB + workspace "
                         "%.2f GiB = %.2f GiB, HBM %.2f GiB; %llu chips would be needed", m->name,
                         chip->name, gib(f.weight_bytes), gib(f.kv_bytes),
                         gib(f.workspace_bytes), gib(f.total_bytes), gib(f.hbm_bytes),
                         (unsigned long long)f.chips);
}
