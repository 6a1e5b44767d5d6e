/* SPDX-License-Identifier: Apache-2.0 */
/* Products with packed weights: every variant that this processor has, at the shapes of a block, a
 * layer and a decode step. A is f32, so quantizing and packing it count. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/shim.h"
#include "kernels/matmul/packed.h"
#include "tessera/cpu.h"

struct shape {
    size_t m, n, k;
};
static const struct shape shapes[] = {{64, 64, 256}, {512, 512, 512}, {1, 4096, 4096}};
static const enum tsr_dtype formats[] = {TSR_F32,  TSR_F16,      TSR_BF16,    TSR_I8,
                                         TSR_I4,   TSR_Q8_0,     TSR_Q4_0,    TSR_Q4_K,
                                         TSR_MXF4, TSR_MXF8E4M3, TSR_MXF8E5M2};
enum {
    SHAPES = sizeof shapes / sizeof shapes[0],
    FORMATS = sizeof formats / sizeof formats[0],
    MAX_CASES = 256
};

static struct packed_case {
    struct shape shape;
    enum tsr_dtype format;
    const struct tsr_variant *variant;
} cases[MAX_CASES];

static void *space(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (p == NULL)
        abort();
    memset(p, 0x11, bytes); /* as weights: ordinary finite numbers in every format */
    return p;
}

static void must(enum tsr_status status, const struct tsr_error *err)
{
    if (status == TSR_OK)
        return;
    fprintf(stderr, "%s\n", err->message);
    abort();
}

/* Of what the variant multiplies. */
static enum tsr_bench_peak peak_of(const struct packed_case *pc)
{
    switch (tsr_matmul_kernel_of(pc->variant)->operand) {
    case TSR_I8:
        return TSR_PEAK_I8;
    case TSR_BF16:
        return TSR_PEAK_BF16;
    default:
        return TSR_PEAK_F32;
    }
}

static void run(struct tsr_bench *b, const void *arg)
{
    const struct packed_case *pc = arg;
    const struct shape s = pc->shape;
    struct tsr_error err = {0};
    size_t packed_bytes = 0, scratch_bytes = 0;
    tsr_variant_use(pc->variant);
    must(tsr_weights_bytes(pc->format, s.n, s.k, &packed_bytes, &err), &err);
    must(tsr_matmul_scratch_bytes(pc->format, s.m, s.k, 1, &scratch_bytes, &err), &err);
    const size_t row_bytes = s.k * 4; /* no format has more */
    void *w = space(s.n * row_bytes), *scales = space(s.n * s.k / 8);
    void *packed = space(packed_bytes), *scratch = space(scratch_bytes);
    float *a = space(s.m * s.k * sizeof *a), *c = space(s.m * s.n * sizeof *c);
    memset(scales, 0x3F, s.n * s.k / 8); /* as f32 0.75, as E8M0 2^-64 */
    for (size_t i = 0; i < s.m * s.k; i++)
        a[i] = (float)(i % 17) - 8.0f;
    must(tsr_weights_pack(pc->format, s.n, s.k, w, row_bytes, scales, packed, &err), &err);
    const struct tsr_matmul op = {.format = pc->format,
                                  .a_format = TSR_F32,
                                  .m = s.m,
                                  .n = s.n,
                                  .k = s.k,
                                  .a = a,
                                  .lda = s.k,
                                  .weights = packed,
                                  .c = c,
                                  .ldc = s.n,
                                  .scratch = scratch,
                                  .scratch_bytes = scratch_bytes};
    while (tsr_bench_next(b)) {
        must(tsr_matmul_run(&op, &err), &err);
        tsr_bench_keep(c);
    }
    tsr_bench_rate_below(b, "MAC/s", (double)s.m * (double)s.n * (double)s.k, peak_of(pc));
    tsr_bench_rate_below(b, "weight_bytes/s", (double)packed_bytes, TSR_PEAK_BYTES);
    void *all[] = {w, scales, packed, scratch, a, c};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
    tsr_variants_reset();
}

void tsr_bench_register(void)
{
    int n = 0;
    for (int f = 0; f < FORMATS; f++) {
        const enum tsr_cpu_op op = tsr_weights_layout(formats[f])->op;
        for (size_t v = 0; v < tsr_variant_count; v++) {
            const struct tsr_variant *row = &tsr_variants[v];
            if (row->op != op || (row->features & ~tsr_cpu_features()) != 0)
                continue;
            for (int i = 0; i < SHAPES && n < MAX_CASES; i++, n++) {
                char name[96];
                cases[n] = (struct packed_case){shapes[i], formats[f], row};
                snprintf(name, sizeof name, "matmul/%s/%s/%zux%zux%zu",
                         tsr_op_name(op) + sizeof "matmul_" - 1, row->name, shapes[i].m,
                         shapes[i].n, shapes[i].k);
                tsr_bench_add(name, run, &cases[n]);
            }
        }
    }
}
