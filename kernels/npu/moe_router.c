/* SPDX-License-Identifier: Apache-2.0 */
/* A token's logits are `nv` vectors. top_k times: the maximum, the lowest lane that holds it, and
 * -infinity in its place. Up to four vectors stay in registers, with their counts; more (narrow
 * chips only) live in TSRAM. */
#include "kernels/npu/activation.h"
#include "kernels/npu/moe.h"
#include "kernels/npu/stream.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

enum {
    MAX_EXPERTS = 256,
    KEPT = 4
};
enum {
    V_X = 0,
    V_COUNT = 4, /* four each; v0 and v4 serve where they are not kept */
    V_MAX = 8,
    V_BEST,
    V_MASK,
    V_CAND,
    V_INDEX,
    V_TMP,
    V_LANE = 18,
    V_NONE,
    V_BIG,
    V_LANES,
    V_J,
    V_ONE,
    V_IDS,
    V_VALUES,
    V_LOG2E,
    V_EXPERTS,
    V_TOP,
    V_SUM,
    V_ZERO,
};
enum {
    A_X = 8,
    A_COUNT = 9,
    A_K = 10,
    A_TAIL = 11,
    A_LANES = 12
};

struct router {
    const struct tsr_npu_moe_router *op;
    const char *format;
    uint32_t lanes, size, nv;
    uint64_t counts_at, work_at;
    bool kept;
};

uint32_t tsr_npu_moe_parts(const struct tsr_chip *chip, uint64_t tokens)
{
    uint32_t tiles = npu_tiles(chip);
    return tokens < tiles ? (uint32_t)tokens : tiles;
}

static void setup(struct tsr_text *t, const struct router *e)
{
    L(".routine setup");
    L("  vidx v%d", V_LANE);
    L("  vimm v%d, 0xff800000", V_NONE);
    L("  vimm v%d, 0x7fffffff", V_BIG);
    L("  vimm v%d, %u", V_LANES, e->lanes);
    L("  vimm v%d, 1", V_ONE);
    npu_vimm(t, V_LOG2E, npu_log2_e);
    L("  vimm v%d, %llu", V_EXPERTS, (unsigned long long)e->op->experts);
    L("  vimm v%d, 0", V_ZERO);
    if (e->kept) {
        for (uint32_t i = 0; i < e->nv; i++)
            L("  vimm v%u, 0", V_COUNT + i);
    } else {
        L("  ali a%d, %llu", A_COUNT, (unsigned long long)e->counts_at);
        for (uint32_t i = 0; i < e->nv; i++)
            L("  vst v%d, a%d, i32, %u", V_ZERO, A_COUNT, 4 * e->lanes);
    }
    L("  vret");
    L(".end");
}

/* The i-th vector of logits into a register, which is returned. */
static uint32_t get(struct tsr_text *t, const struct router *e, uint32_t i)
{
    if (e->kept)
        return V_X + i;
    if (i == 0)
        L("  ali a%d, %llu", A_X, (unsigned long long)e->work_at);
    L("  vld v%d, a%d, f32, %u", V_X, A_X, 4 * e->lanes);
    return V_X;
}

static void next_index(struct tsr_text *t, const struct router *e, uint32_t i)
{
    if (i + 1 < e->nv)
        L("  viadd v%d, v%d, v%d", V_INDEX, V_INDEX, V_LANES);
}

/* Takes the row in; lanes behind the experts become -infinity. */
static void load_row(struct tsr_text *t, const struct router *e)
{
    if (!e->kept)
        L("  ali a%d, %llu", A_X, (unsigned long long)e->work_at);
    for (uint32_t i = 0; i < e->nv; i++) {
        uint32_t r = e->kept ? V_X + i : V_X;
        bool last = i + 1 == e->nv;
        if (last)
            L("  vlen a%d", A_TAIL);
        L("  vld v%u, a0, %s, %u", r, e->format, e->lanes * e->size);
        if (last) {
            L("  vlen a%d", A_LANES);
            L("  vimm v%d, %u", V_INDEX, i * e->lanes);
            L("  viadd v%d, v%d, v%d", V_INDEX, V_INDEX, V_LANE);
            L("  vilt v%d, v%d, v%d", V_MASK, V_INDEX, V_EXPERTS);
            L("  vsel v%u, v%d, v%u, v%d", r, V_MASK, r, V_NONE);
        }
        if (!e->kept)
            L("  vst v%u, a%d, f32, %u", r, A_X, 4 * e->lanes);
    }
}

static void maximum(struct tsr_text *t, const struct router *e, uint32_t to)
{
    L("  vmov v%u, v%d", to, V_NONE);
    for (uint32_t i = 0; i < e->nv; i++) {
        uint32_t x = get(t, e, i);
        L("  vmax v%u, v%u, v%u", to, to, x);
    }
    L("  vmaxr v%u, v%u", to, to);
}

/* V_SUM = sum over all experts of 2^((x - V_TOP) log2 e) */
static void sum_all(struct tsr_text *t, const struct router *e)
{
    L("  vmov v%d, v%d", V_SUM, V_ZERO);
    for (uint32_t i = 0; i < e->nv; i++) {
        uint32_t x = get(t, e, i);
        L("  vsub v%d, v%u, v%d", V_TMP, x, V_TOP);
        L("  vmul v%d, v%d, v%d", V_TMP, V_TMP, V_LOG2E);
        L("  vexp2 v%d, v%d", V_TMP, V_TMP);
        L("  vadd v%d, v%d, v%d", V_SUM, V_SUM, V_TMP);
    }
    L("  vsum v%d, v%d", V_SUM, V_SUM);
}

/* V_BEST = the lowest index of V_MAX. */
static void find(struct tsr_text *t, const struct router *e)
{
    L("  vmov v%d, v%d", V_BEST, V_BIG);
    L("  vmov v%d, v%d", V_INDEX, V_LANE);
    for (uint32_t i = 0; i < e->nv; i++) {
        uint32_t x = get(t, e, i);
        L("  veq v%d, v%u, v%d", V_MASK, x, V_MAX);
        L("  vsel v%d, v%d, v%d, v%d", V_CAND, V_MASK, V_INDEX, V_BIG);
        L("  vimin v%d, v%d, v%d", V_BEST, V_BEST, V_CAND);
        next_index(t, e, i);
    }
    L("  viminr v%d, v%d", V_BEST, V_BEST);
}

/* Takes the choice out of the row and counts it: a mask is -1. */
static void strike(struct tsr_text *t, const struct router *e)
{
    L("  vmov v%d, v%d", V_INDEX, V_LANE);
    if (!e->kept)
        L("  ali a%d, %llu", A_COUNT, (unsigned long long)e->counts_at);
    for (uint32_t i = 0; i < e->nv; i++) {
        uint32_t x = get(t, e, i), c = e->kept ? V_COUNT + i : V_COUNT;
        L("  vieq v%d, v%d, v%d", V_MASK, V_INDEX, V_BEST);
        L("  vsel v%u, v%d, v%d, v%u", x, V_MASK, V_NONE, x);
        if (!e->kept) {
            L("  aaddi a%d, a%d, -%u", A_X, A_X, 4 * e->lanes);
            L("  vst v%u, a%d, f32, %u", x, A_X, 4 * e->lanes);
            L("  vld v%u, a%d, i32", c, A_COUNT);
        }
        L("  visub v%u, v%u, v%d", c, c, V_MASK);
        if (!e->kept)
            L("  vst v%u, a%d, i32, %u", c, A_COUNT, 4 * e->lanes);
        next_index(t, e, i);
    }
}

/* Lanes 0..top_k-1 of V_VALUES become weights; ids and weights are stored. */
static void weights(struct tsr_text *t, const struct router *e)
{
    bool all = e->op->softmax == TSR_NPU_ROUTER_ALL;
    L("  ali a%d, %llu", A_K, (unsigned long long)e->op->top_k);
    L("  vlen a%d", A_K);
    if (!all)
        L("  vmaxr v%d, v%d", V_TOP, V_VALUES);
    L("  vsub v%d, v%d, v%d", V_VALUES, V_VALUES, V_TOP);
    L("  vmul v%d, v%d, v%d", V_VALUES, V_VALUES, V_LOG2E);
    L("  vexp2 v%d, v%d", V_VALUES, V_VALUES);
    if (!all)
        L("  vsum v%d, v%d", V_SUM, V_VALUES);
    L("  vrcp v%d, v%d", V_TMP, V_SUM);
    L("  vmul v%d, v%d, v%d", V_VALUES, V_VALUES, V_TMP);
    L("  vst v%d, a3, i32, %u", V_IDS, 4 * e->lanes);
    L("  vst v%d, a3, f32, %u", V_VALUES, 4 * e->lanes);
    L("  vlen a%d", A_LANES);
}

static void routine(struct tsr_text *t, const struct router *e, const struct npu_stream *s)
{
    uint64_t rest = s->pitch_bytes[0] - (uint64_t)e->nv * e->lanes * e->size;
    L(".routine route");
    L("  ali a%d, %u", A_LANES, e->lanes);
    L("  ali a%d, %llu", A_TAIL, (unsigned long long)(e->op->experts - (e->nv - 1) * e->lanes));
    L("  vloop a4, tokens");
    load_row(t, e);
    L("  aaddi a0, a0, %llu", (unsigned long long)rest);
    if (e->op->softmax == TSR_NPU_ROUTER_ALL) {
        maximum(t, e, V_TOP);
        sum_all(t, e);
    }
    L("  vmov v%d, v%d", V_J, V_ZERO);
    L("  ali a%d, %llu", A_K, (unsigned long long)e->op->top_k);
    L("  vloop a%d, choices", A_K);
    maximum(t, e, V_MAX);
    find(t, e);
    strike(t, e);
    L("  vieq v%d, v%d, v%d", V_MASK, V_LANE, V_J);
    L("  vsel v%d, v%d, v%d, v%d", V_IDS, V_MASK, V_BEST, V_IDS);
    L("  vsel v%d, v%d, v%d, v%d", V_VALUES, V_MASK, V_MAX, V_VALUES);
    L("  viadd v%d, v%d, v%d", V_J, V_J, V_ONE);
    L("choices:");
    weights(t, e);
    L("  aaddi a3, a3, %llu",
      (unsigned long long)(s->pitch_bytes[NPU_STREAM_IN] - 8ull * e->lanes));
    L("tokens:");
    L("  vret");
    L(".end");
    L(".routine finish");
    L("  ali a%d, %llu", A_COUNT, (unsigned long long)e->counts_at);
    for (uint32_t i = 0; i < e->nv && e->kept; i++)
        L("  vst v%u, a%d, i32, %u", V_COUNT + i, A_COUNT, 4 * e->lanes);
    L("  vret");
    L(".end");
}

static enum tsr_status check(const struct tsr_npu_moe_router *op, const struct router *e,
                             struct tsr_error *err)
{
    if (!op->tokens || op->tokens >> 32 || !op->experts || op->experts > MAX_EXPERTS ||
        !op->top_k || op->top_k > op->experts || op->top_k > e->lanes)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "moe_router: %llu tokens, %llu experts, top %llu; allowed are 1 to "
                             "2^32, to %d, to %u",
                             (unsigned long long)op->tokens, (unsigned long long)op->experts,
                             (unsigned long long)op->top_k, MAX_EXPERTS, e->lanes);
    if (!e->size)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "moe_router: a format that the vector unit does not load as floats");
    return TSR_OK;
}

enum tsr_status tsr_npu_moe_router(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                   const struct tsr_npu_moe_router *op, struct tsr_program *out,
                                   struct tsr_error *err)
{
    struct router e = {.op = op,
                       .lanes = chip->tile.tvp.lanes,
                       .size = npu_float_size(isa, op->format),
                       .format = isa->formats[op->format].name};
    enum tsr_status st = check(op, &e, err);
    if (st)
        return st;
    e.nv = (uint32_t)npu_ceil_div(op->experts, e.lanes);
    e.kept = e.nv <= KEPT;
    e.work_at = 4ull * e.nv * e.lanes;
    struct npu_stream s = {
        .name = "moe_router",
        .rows = op->tokens,
        .cols = op->experts,
        .n_in = 1,
        .n_out = 2,
        .n_pass = 1,
        .setup = "setup",
        .finish = "finish",
        .scratch_bytes = 2 * e.work_at,
        .out_cols = 2ull * e.lanes,
        .finish_to = op->counts,
        .finish_stride = 4 * op->experts,
        .finish_bytes = 4 * op->experts,
        .in = {{.address = op->logits,
                .size = e.size,
                .stride = op->logits_stride ? op->logits_stride : op->experts * e.size}},
        .out = {{.address = op->ids, .size = 4, .cols = op->top_k, .stride = 4 * op->top_k},
                {.address = op->weights,
                 .size = 4,
                 .cols = op->top_k,
                 .first = e.lanes,
                 .stride = 4 * op->top_k}},
        .pass = {{.routine = "route", .inputs = 1, .output = true}}};
    if (!npu_stream_plan(chip, &s))
        return tsr_error_set(err, TSR_BAD_INPUT, "moe_router: does not fit the tiles of %s",
                             chip->name);
    struct tsr_text text = {0}, *t = &text;
    npu_stream_emit(t, chip, &s);
    setup(t, &e);
    routine(t, &e, &s);
    return npu_stream_program(t, isa, chip, &s, out, err);
}
