/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/npu/activation.h"

#include "kernels/npu/map.h"
#include "kernels/npu/ops.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

/* Constants of SWIGLU_CLAMP. */
enum {
    V_LIMIT = 24,
    V_LOW,
    V_SLOPE,
    V_ONE
};

const double npu_log2_e = 1.4426950408889634;

void npu_gate_constants(struct tsr_text *t, const struct npu_gate *g)
{
    if (g->activation != TSR_ACT_SWIGLU_CLAMP)
        return;
    npu_vimm(t, V_LIMIT, g->limit);
    npu_vimm(t, V_LOW, -g->limit);
    npu_vimm(t, V_SLOPE, -g->alpha * npu_log2_e);
    npu_vimm(t, V_ONE, 1.0);
}

void npu_gate_body(struct tsr_text *t, const struct npu_gate *g, uint32_t n)
{
    bool clamp = g->activation == TSR_ACT_SWIGLU_CLAMP;
    const char *op = g->activation == TSR_ACT_SILU ? "vsilu_mul" : "vgelu_mul";
    if (!clamp) {
        for (uint32_t i = 0; i < n; i++)
            L("  %s v%u, v%u, v%u", op, 16 + i, i, 8 + i);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        L("  vmin v%u, v%u, v%d", i, i, V_LIMIT);
    for (uint32_t i = 0; i < n; i++)
        L("  vmin v%u, v%u, v%d", 8 + i, 8 + i, V_LIMIT);
    for (uint32_t i = 0; i < n; i++)
        L("  vmax v%u, v%u, v%d", 8 + i, 8 + i, V_LOW);
    for (uint32_t i = 0; i < n; i++)
        L("  vadd v%u, v%u, v%d", 8 + i, 8 + i, V_ONE);
    for (uint32_t i = 0; i < n; i++)
        L("  vgate v%u, v%u, v%u, v%d", 16 + i, i, 8 + i, V_SLOPE);
}

void npu_gate_words(struct npu_block *b, const struct npu_gate *g, unsigned x, unsigned up)
{
    if (g->activation != TSR_ACT_SWIGLU_CLAMP) {
        const char *op = g->activation == TSR_ACT_SILU ? "vsilu_mul" : "vgelu_mul";
        npu_block_op(b, op, x, x, up, NPU_NO_REG);
        return;
    }
    npu_block_op(b, "vmin", x, x, V_LIMIT, NPU_NO_REG);
    npu_block_op(b, "vmin", up, up, V_LIMIT, NPU_NO_REG);
    npu_block_op(b, "vmax", up, up, V_LOW, NPU_NO_REG);
    npu_block_op(b, "vadd", up, up, V_ONE, NPU_NO_REG);
    npu_block_op(b, "vgate", x, x, up, V_SLOPE);
}

bool npu_gate_known(const struct npu_gate *g)
{
    return g->activation == TSR_ACT_SILU || g->activation == TSR_ACT_GELU_TANH ||
           g->activation == TSR_ACT_SWIGLU_CLAMP;
}

static void body(struct tsr_text *t, const void *self, uint32_t n)
{
    npu_gate_body(t, self, n);
}

static void constants(struct tsr_text *t, const void *self)
{
    npu_gate_constants(t, self);
}

enum tsr_status tsr_npu_activation(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                   const struct tsr_npu_activation *op, struct tsr_program *out,
                                   struct tsr_error *err)
{
    uint32_t in = npu_float_size(isa, op->in_format), y = npu_float_size(isa, op->out_format);
    struct npu_gate g = {op->activation, op->limit, op->alpha};
    struct npu_map m = {
        .name = "activation",
        .rows = op->rows,
        .cols = op->cols,
        .a = {.address = op->gate, .stride = op->gate_stride, .size = in},
        .b = {.address = op->up, .stride = op->up_stride, .size = in},
        .y = {.address = op->y, .stride = op->y_stride, .size = y},
        .fa = isa->formats[op->in_format].name,
        .fb = isa->formats[op->in_format].name,
        .fy = isa->formats[op->out_format].name,
        .body = body,
        .constants = op->activation == TSR_ACT_SWIGLU_CLAMP ? constants : NULL,
        .self = &g,
    };
    if (!npu_gate_known(&g))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "activation: silu, tanh gelu and clamped swiglu are allowed");
    return npu_map_program(isa, chip, &m, out, err);
}
