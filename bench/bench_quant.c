/* SPDX-License-Identifier: Apache-2.0 */
/* Every variant of quantization and dequantization that this processor has, row by row. The name's
 * shape is rows x columns x elements per scale of i8 (0: one for the row). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/shim.h"
#include "kernels/cpu/variants.h"
#include "tessera/cpu.h"
#include "tessera/quant.h"

enum {
    ROWS = 16,
    COLUMNS = 4096, /* 16 rows of f32: 256 KiB, in L2 */
    MAX_CASES = 256
};

static const struct operation {
    enum tsr_cpu_op op;
    enum tsr_dtype format;
    bool bf16, back;
} operations[] = {
#define OPERATIONS(name, code)                                                                     \
    {TSR_OP_quantize_##name##_f32, code, false, false},                                            \
        {TSR_OP_quantize_##name##_bf16, code, true, false},                                        \
        {TSR_OP_dequantize_##name##_f32, code, false, true},                                       \
        {TSR_OP_dequantize_##name##_bf16, code, true, true},
    TSR_QUANT_FORMATS(OPERATIONS)};
enum {
    OPERATION_COUNT = sizeof operations / sizeof operations[0]
};

static struct quant_case {
    const struct operation *o;
    void (*fn)(void);
    size_t group;
} cases[MAX_CASES];

static void *room(size_t bytes)
{
    void *p = calloc(1, bytes);
    if (p == NULL)
        abort();
    return p;
}

/* f32 or, from their upper halves, bf16. */
static void *filled(bool bf16, size_t n)
{
    char *x = room(4 * n);
    for (size_t i = 0; i < n; i++) {
        float v = (float)((int)(i * 2654435761u % 2001) - 1000) / 128.0f;
        memcpy(x + (bf16 ? 2 : 4) * i, (const char *)&v + (bf16 ? 2 : 0), bf16 ? 2 : 4);
    }
    return x;
}

static void run(struct tsr_bench *b, const void *arg)
{
    const struct quant_case *c = arg;
    const bool bf16 = c->o->bf16;
    struct tsr_quant q = {.format = c->o->format, .rows = ROWS, .cols = COLUMNS, .group = c->group};
    struct tsr_error err = {0};
    if (tsr_quant_row_bytes(&q, &q.element_stride, &q.scale_stride, &err) != TSR_OK)
        abort();
    char *x = filled(bf16, ROWS * COLUMNS), *y = room(4 * ROWS * COLUMNS);
    char *e = room(ROWS * q.element_stride), *s = room(ROWS * q.scale_stride + 1);
    size_t stride = COLUMNS * (bf16 ? 2 : 4);
    /* What is taken back are codes of values. */
    if (bf16)
        tsr_quantize_bf16(&q, (const uint16_t *)(void *)x, COLUMNS, e, s, &err);
    else
        tsr_quantize_f32(&q, (const float *)(void *)x, COLUMNS, e, s, &err);
    while (tsr_bench_next(b)) {
        for (size_t i = 0; i < ROWS; i++) {
            char *row_e = e + i * q.element_stride, *row_s = s + i * q.scale_stride;
            if (c->o->back)
                ((tsr_dequantize_row_fn *)c->fn)(COLUMNS, c->group, row_e, row_s, y + i * stride);
            else
                ((tsr_quantize_row_fn *)c->fn)(COLUMNS, c->group, x + i * stride, row_e, row_s);
        }
        tsr_bench_keep(c->o->back ? y : e);
    }
    tsr_bench_rate(b, "elements/s", (double)ROWS * COLUMNS);
    tsr_bench_rate_below(b, "bytes/s",
                         (double)ROWS *
                             ((double)stride + (double)q.element_stride + (double)q.scale_stride),
                         TSR_PEAK_BYTES);
    free(x);
    free(y);
    free(e);
    free(s);
}

void tsr_bench_register(void)
{
    int n = 0;
    for (size_t v = 0; v < tsr_variant_count; v++) {
        const struct tsr_variant *row = &tsr_variants[v];
        const struct operation *o = operations;
        while (o < operations + OPERATION_COUNT && o->op != row->op)
            o++;
        if (o == operations + OPERATION_COUNT || (row->features & ~tsr_cpu_features()) != 0)
            continue;
        for (size_t group = 0; group <= (o->format == TSR_I8 ? 128u : 0u); group += 128) {
            char name[96];
            if (n == MAX_CASES)
                abort();
            cases[n] = (struct quant_case){o, row->function, group};
            /* quantize_q8_0_f32 is quantize/q8_0_f32 */
            const char *op = tsr_op_name(row->op), *formats = strchr(op, '_');
            snprintf(name, sizeof name, "%.*s/%s/%s/%dx%dx%zu", (int)(formats - op), op,
                     formats + 1, row->name, ROWS, COLUMNS, group);
            tsr_bench_add(name, run, &cases[n++]);
        }
    }
}
