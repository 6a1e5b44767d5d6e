/* SPDX-License-Identifier: Apache-2.0 */
/* What ends in codes or begins with sums, by the variants that this processor chooses, and the same
 * in two steps. The name's shape is rows x columns. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/shim.h"
#include "tessera/quant.h"
#include "tessera/vecmath.h"

enum {
    ROWS = 16,
    COLUMNS = 4096
};

enum work {
    NORM,
    NORM_STEPS,
    GATE,
    GATE_STEPS,
    SUMS
};

static struct fused_case {
    enum work work;
    enum tsr_dtype format;
    const char *name;
} cases[] = {
    {NORM, TSR_I8, "rmsnorm_quantize/i8/fused"},
    {NORM_STEPS, TSR_I8, "rmsnorm_quantize/i8/steps"},
    {NORM, TSR_MXF8E4M3, "rmsnorm_quantize/mxf8e4m3/fused"},
    {NORM_STEPS, TSR_MXF8E4M3, "rmsnorm_quantize/mxf8e4m3/steps"},
    {GATE, TSR_I8, "gate_quantize/i8/fused"},
    {GATE_STEPS, TSR_I8, "gate_quantize/i8/steps"},
    {GATE, TSR_MXF8E4M3, "gate_quantize/mxf8e4m3/fused"},
    {GATE_STEPS, TSR_MXF8E4M3, "gate_quantize/mxf8e4m3/steps"},
    {SUMS, TSR_F32, "requantize/f32/chosen"},
    {SUMS, TSR_BF16, "requantize/bf16/chosen"},
    {SUMS, TSR_I8, "requantize/i8/chosen"},
};

static float x[ROWS * COLUMNS], up[ROWS * COLUMNS], y[ROWS * COLUMNS], w[COLUMNS], scale[ROWS];
static int32_t sums[ROWS * COLUMNS];
static uint8_t elements[ROWS * COLUMNS], scales[ROWS * COLUMNS];

static void fill(void)
{
    for (size_t i = 0; i < ROWS * COLUMNS; i++) {
        sums[i] = (int32_t)(i * 2654435761u % 200001) - 100000;
        x[i] = (float)sums[i] / 16384;
        up[i] = (float)(sums[i] % 1000) / 300;
    }
    for (size_t i = 0; i < COLUMNS; i++)
        w[i] = 0.01f + (float)(i % 7) / 64;
    for (size_t i = 0; i < ROWS; i++)
        scale[i] = 0.02f;
}

static void once(const struct fused_case *c, const struct tsr_quant *q, struct tsr_error *err)
{
    const struct tsr_gate silu = {.act = TSR_ACT_SILU};
    const struct tsr_requantize r = {.y_format = c->format,
                                     .rows = ROWS,
                                     .cols = COLUMNS,
                                     .x = sums,
                                     .x_stride = COLUMNS,
                                     .row = scale,
                                     .column = w,
                                     .y = y,
                                     .y_stride = COLUMNS,
                                     .given = c->format == TSR_I8 ? scale : NULL};
    switch (c->work) {
    case NORM:
        tsr_rmsnorm_quantize_f32(q, 1e-5, x, COLUMNS, w, elements, scales, err);
        break;
    case GATE:
        tsr_gate_quantize_f32(q, silu, x, COLUMNS, up, COLUMNS, elements, scales, err);
        break;
    case NORM_STEPS:
        tsr_rmsnorm_f32(ROWS, COLUMNS, 1e-5, x, COLUMNS, w, y, COLUMNS);
        tsr_quantize_f32(q, y, COLUMNS, elements, scales, err);
        break;
    case GATE_STEPS:
        tsr_gate_f32(TSR_ACT_SILU, 0, 0, ROWS * COLUMNS, x, up, y);
        tsr_quantize_f32(q, y, COLUMNS, elements, scales, err);
        break;
    case SUMS:
        tsr_requantize_run(&r, err);
        break;
    }
}

static void run(struct tsr_bench *b, const void *arg)
{
    const struct fused_case *c = arg;
    struct tsr_quant q = {.format = c->format, .rows = ROWS, .cols = COLUMNS};
    struct tsr_error err = {0};
    fill();
    if (c->work != SUMS &&
        tsr_quant_row_bytes(&q, &q.element_stride, &q.scale_stride, &err) != TSR_OK)
        abort();
    while (tsr_bench_next(b)) {
        once(c, &q, &err);
        tsr_bench_keep(c->work == SUMS ? (void *)y : elements);
    }
    if (err.status != TSR_OK)
        abort();
    tsr_bench_rate(b, "elements/s", (double)ROWS * COLUMNS);
}

void tsr_bench_register(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s/%dx%d", cases[i].name, ROWS, COLUMNS);
        tsr_bench_add(name, run, &cases[i]);
    }
}
