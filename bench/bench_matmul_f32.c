/* SPDX-License-Identifier: Apache-2.0 */
/* Every variant of the f32 matmul that this processor has, at a few shapes. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/shim.h"
#include "kernels/cpu/variants.h"
#include "tessera/cpu.h"

struct shape {
    size_t m, n, k;
};
static const struct shape shapes[] = {
    {1, 1024, 1024}, {64, 64, 64}, {256, 256, 256}, {96, 1536, 512}};
enum {
    SHAPES = sizeof shapes / sizeof shapes[0],
    MAX_CASES = 64
};

static struct matmul_case {
    struct shape shape;
    tsr_matmul_f32_fn *fn;
} cases[MAX_CASES];

static float *filled(size_t elems)
{
    float *x = malloc((elems > 0 ? elems : 1) * sizeof *x);
    if (x == NULL)
        abort();
    for (size_t i = 0; i < elems; i++)
        x[i] = (float)(i % 17) - 8.0f;
    return x;
}

static void run(struct tsr_bench *b, const void *arg)
{
    const struct matmul_case *mc = arg;
    const struct shape s = mc->shape;
    float *x = filled(s.m * s.k), *y = filled(s.k * s.n), *z = filled(s.m * s.n);
    while (tsr_bench_next(b)) {
        mc->fn(s.m, s.n, s.k, x, s.k, y, s.n, z, s.n);
        tsr_bench_keep(z);
    }
    tsr_bench_rate_below(b, "MAC/s", (double)s.m * (double)s.n * (double)s.k, TSR_PEAK_F32);
    free(x);
    free(y);
    free(z);
}

void tsr_bench_register(void)
{
    int n = 0;
    for (size_t v = 0; v < tsr_variant_count; v++) {
        const struct tsr_variant *row = &tsr_variants[v];
        if (row->op != TSR_OP_matmul_f32 || (row->features & ~tsr_cpu_features()) != 0)
            continue;
        for (int i = 0; i < SHAPES && n < MAX_CASES; i++, n++) {
            char name[96];
            cases[n] = (struct matmul_case){shapes[i], (tsr_matmul_f32_fn *)row->function};
            snprintf(name, sizeof name, "matmul/f32/%s/%zux%zux%zu", row->name, shapes[i].m,
                     shapes[i].n, shapes[i].k);
            tsr_bench_add(name, run, &cases[n]);
        }
    }
}
