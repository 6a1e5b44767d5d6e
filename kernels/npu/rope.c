/* SPDX-License-Identifier: Apache-2.0 */
/* A block holds all heads of some tokens. Per vector of half a head, cos and sin stay in registers
 * while eight heads at a time pass: 32 memory and 32 arithmetic instructions. */
#include "kernels/npu/ops.h"
#include "kernels/npu/stream.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

/* v0..v7 first halves, v8..v15 second halves, v16..v23 results. */
enum {
    V_B = 8,
    V_Y = 16,
    V_MINUS = 29,
    V_COS,
    V_SIN,
    GROUP = 8
};
/* Address registers: reads even, so that both halves of a head use one port and line. */
enum {
    A_X0 = 8,
    A_Y0,
    A_X1,
    A_Y1,
    A_X,
    A_Y,
    A_COUNT
};

struct rope {
    const struct tsr_npu_rope *op;
    const char *fx, *fy;
    uint32_t lanes, ex, ey;
    uint64_t half;
};

static void heads(struct tsr_text *t, const struct rope *e, uint32_t n)
{
    uint64_t dx = e->op->head_dim * e->ex, dy = e->op->head_dim * e->ey;
    for (uint32_t i = 0; i < n; i++)
        L("  vld v%u, a%d, %s, %llu", i, A_X0, e->fx, (unsigned long long)dx);
    for (uint32_t i = 0; i < n; i++) {
        L("  vld v%u, a%d, %s, %llu", V_B + i, A_X1, e->fx, (unsigned long long)dx);
        L("  vmul v%u, v%u, v%d", V_Y + i, i, V_COS);
    }
    for (uint32_t i = 0; i < n; i++) /* a cos + b (-sin): as a cos - b sin, to the bit */
        L("  vfma v%u, v%u, v%d, v%u", V_Y + i, V_B + i, V_MINUS, V_Y + i);
    for (uint32_t i = 0; i < n; i++) {
        L("  vmul v%u, v%u, v%d", V_B + i, V_B + i, V_COS);
        L("  vst v%u, a%d, %s, %llu", V_Y + i, A_Y0, e->fy, (unsigned long long)dy);
    }
    for (uint32_t i = 0; i < n; i++)
        L("  vfma v%u, v%u, v%d, v%u", V_B + i, i, V_SIN, V_B + i);
    for (uint32_t i = 0; i < n; i++)
        L("  vst v%u, a%d, %s, %llu", V_B + i, A_Y1, e->fy, (unsigned long long)dy);
}

/* One vector of each head's halves; A_X and A_Y stand on it. */
static void vector(struct tsr_text *t, const struct rope *e, const char *name)
{
    unsigned long long hx = e->half * e->ex, hy = e->half * e->ey;
    L("  vld v%d, a1, f32, %u", V_COS, 4 * e->lanes);
    L("  vld v%d, a2, f32, %u", V_SIN, 4 * e->lanes);
    L("  vneg v%d, v%d", V_MINUS, V_SIN);
    L("  aaddi a%d, a%d, 0", A_X0, A_X);
    L("  aaddi a%d, a%d, %llu", A_X1, A_X, hx);
    L("  aaddi a%d, a%d, 0", A_Y0, A_Y);
    L("  aaddi a%d, a%d, %llu", A_Y1, A_Y, hy);
    L("  ali a15, %llu", (unsigned long long)(e->op->heads / GROUP));
    L("  vloop a15, %s_groups", name);
    heads(t, e, GROUP);
    L("%s_groups:", name);
    L("  ali a15, %llu", (unsigned long long)(e->op->heads % GROUP));
    L("  vloop a15, %s_rest", name);
    heads(t, e, 1);
    L("%s_rest:", name);
    L("  aaddi a%d, a%d, %u", A_X, A_X, e->lanes * e->ex);
    L("  aaddi a%d, a%d, %u", A_Y, A_Y, e->lanes * e->ey);
}

static void routine(struct tsr_text *t, const struct rope *e, const struct npu_stream *s)
{
    unsigned full = (unsigned)(e->half / e->lanes), tail = (unsigned)(e->half % e->lanes);
    unsigned long long used = (full + (tail ? 1 : 0)) * 4ull * e->lanes;
    L(".routine rope");
    L("  vloop a4, tokens");
    L("  aaddi a%d, a0, 0", A_X);
    L("  aaddi a%d, a3, 0", A_Y);
    L("  ali a%d, %u", A_COUNT, full);
    L("  vloop a%d, full", A_COUNT);
    vector(t, e, "full");
    L("full:");
    if (tail) {
        L("  ali a%d, %u", A_COUNT, tail);
        L("  vlen a%d", A_COUNT);
        vector(t, e, "tail");
        L("  ali a%d, %u", A_COUNT, e->lanes);
        L("  vlen a%d", A_COUNT);
    }
    L("  aaddi a0, a0, %llu", (unsigned long long)s->pitch_bytes[0]);
    L("  aaddi a1, a1, %lld", (long long)(s->pitch_bytes[1] - used));
    L("  aaddi a2, a2, %lld", (long long)(s->pitch_bytes[2] - used));
    L("  aaddi a3, a3, %llu", (unsigned long long)s->pitch_bytes[NPU_STREAM_IN]);
    L("tokens:");
    L("  vret");
    L(".end");
}

static enum tsr_status check(const struct tsr_npu_rope *op, const struct rope *e,
                             struct tsr_error *err)
{
    const uint64_t most = (uint64_t)1 << 32;
    if (!op->tokens || op->tokens > most || !op->heads || op->heads > 65536 || !op->head_dim ||
        op->head_dim % 2 || op->head_dim > 65536 || op->keys > op->heads)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "rope: %llu tokens, %llu heads (%llu keys) of %llu, allowed are 1 to "
                             "2^32, 1 to 65536 and an even number",
                             (unsigned long long)op->tokens, (unsigned long long)op->heads,
                             (unsigned long long)op->keys, (unsigned long long)op->head_dim);
    if (!e->ex || !e->ey)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "rope: a format that the vector unit does not load as floats");
    return TSR_OK;
}

static void outputs(const struct tsr_npu_rope *op, uint32_t size, struct npu_stream *s)
{
    uint64_t split = op->keys && op->k_cache ? op->heads - op->keys : op->heads;
    uint64_t run = op->head_dim * size;
    if (split) {
        struct npu_tensor *y = &s->out[s->n_out++];
        *y = (struct npu_tensor){.address = op->y,
                                 .size = size,
                                 .cols = split * op->head_dim,
                                 .stride = op->y_stride ? op->y_stride : op->heads * run};
    }
    if (split < op->heads) {
        struct npu_tensor *k = &s->out[s->n_out++];
        *k = (struct npu_tensor){.address = op->k_cache,
                                 .size = size,
                                 .runs = op->keys,
                                 .cols = op->keys * op->head_dim,
                                 .first = split * op->head_dim,
                                 .stride = op->k_token_stride,
                                 .part_stride = op->k_head_stride};
    }
}

enum tsr_status tsr_npu_rope(const struct tsr_isa *isa, const struct tsr_chip *chip,
                             const struct tsr_npu_rope *op, struct tsr_program *out,
                             struct tsr_error *err)
{
    struct rope e = {.op = op,
                     .lanes = chip->tile.tvp.lanes,
                     .half = op->head_dim / 2,
                     .ex = npu_float_size(isa, op->x_format),
                     .ey = npu_float_size(isa, op->y_format),
                     .fx = isa->formats[op->x_format].name,
                     .fy = isa->formats[op->y_format].name};
    enum tsr_status st = check(op, &e, err);
    if (st)
        return st;
    uint64_t row = op->heads * op->head_dim, table = op->one_position ? 0 : 4 * e.half;
    struct npu_stream s = {
        .name = "rope",
        .rows = op->tokens,
        .cols = row,
        .n_in = 3,
        .n_pass = 1,
        .in = {{.address = op->x, .size = e.ex, .stride = op->x_stride ? op->x_stride : row * e.ex},
               {.address = op->cosine, .size = 4, .cols = e.half, .stride = table},
               {.address = op->sine, .size = 4, .cols = e.half, .stride = table}},
        .pass = {{.routine = "rope", .inputs = 3, .output = true}}};
    outputs(op, e.ey, &s);
    if (!npu_stream_plan(chip, &s))
        return tsr_error_set(
            err, TSR_BAD_INPUT, "rope: %llu heads of %llu do not fit the tiles of %s",
            (unsigned long long)op->heads, (unsigned long long)op->head_dim, chip->name);
    struct tsr_text text = {0}, *t = &text;
    npu_stream_emit(t, chip, &s);
    routine(t, &e, &s);
    return npu_stream_program(t, isa, chip, &s, out, err);
}
