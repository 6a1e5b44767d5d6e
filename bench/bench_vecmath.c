/* SPDX-License-Identifier: Apache-2.0 */
/* Vector math: every variant that this processor has, on one row that stays in L1. The name's shape
 * is 1 x elements x 1. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/shim.h"
#include "kernels/cpu/variants.h"
#include "tessera/cpu.h"

enum {
    N = 2048,
    HEAD = 128,
    MAX_CASES = 64
};

static float x[N], y[N], w[N], out[N];

/* One call of the variant's function; `which` chooses among what the operation offers. */
typedef void call_fn(void (*f)(void), int which);

static void run_exp(void (*f)(void), int terms)
{
    ((tsr_exp_f32_fn *)f)((enum tsr_exp_terms)terms, N, x, out);
}

static void run_softmax(void (*f)(void), int terms)
{
    ((tsr_softmax_f32_fn *)f)((enum tsr_exp_terms)terms, N, x, out);
}

static void run_rmsnorm(void (*f)(void), int which)
{
    (void)which;
    ((tsr_rmsnorm_f32_fn *)f)(N, 1e-5, x, w, out);
}

static void run_layernorm(void (*f)(void), int which)
{
    (void)which;
    ((tsr_layernorm_f32_fn *)f)(N, 1e-5, x, w, y, out);
}

static void run_gate(void (*f)(void), int act)
{
    ((tsr_gate_f32_fn *)f)((enum tsr_activation)act, 0, 1, N, x, y, out);
}

static void run_rope(void (*f)(void), int pairs)
{
    ((tsr_rope_f32_fn *)f)((enum tsr_rope_pairs)pairs, N / HEAD, HEAD, w, y, x, out);
}

static void run_residual(void (*f)(void), int which)
{
    (void)which;
    ((tsr_residual_f32_fn *)f)(N, x, y, out);
}

static void run_convert(void (*f)(void), int which)
{
    (void)which;
    ((tsr_convert_fn *)f)(N, x, out);
}

/* bytes: that an element is read from and written to. */
static const struct operation {
    enum tsr_cpu_op op;
    const char *name;
    call_fn *call;
    int which;
    double bytes;
} operations[] = {
    {TSR_OP_exp_f32, "exp_one", run_exp, TSR_EXP_ONE, 8},
    {TSR_OP_exp_f32, "exp_two", run_exp, TSR_EXP_TWO, 8},
    {TSR_OP_exp_f32, "exp_full", run_exp, TSR_EXP_FULL, 8},
    {TSR_OP_softmax_f32, "softmax_one", run_softmax, TSR_EXP_ONE, 8},
    {TSR_OP_softmax_f32, "softmax_two", run_softmax, TSR_EXP_TWO, 8},
    {TSR_OP_rmsnorm_f32, "rmsnorm", run_rmsnorm, 0, 12},
    {TSR_OP_layernorm_f32, "layernorm", run_layernorm, 0, 16},
    {TSR_OP_gate_f32, "gate_silu", run_gate, TSR_ACT_SILU, 12},
    {TSR_OP_gate_f32, "gate_gelu", run_gate, TSR_ACT_GELU, 12},
    {TSR_OP_gate_f32, "gate_gelu_tanh", run_gate, TSR_ACT_GELU_TANH, 12},
    {TSR_OP_rope_f32, "rope_halves", run_rope, TSR_ROPE_HALVES, 8},
    {TSR_OP_rope_f32, "rope_neighbors", run_rope, TSR_ROPE_NEIGHBORS, 8},
    {TSR_OP_residual_f32, "residual", run_residual, 0, 12},
    {TSR_OP_convert_f32_bf16, "convert_f32_bf16", run_convert, 0, 6},
    {TSR_OP_convert_bf16_f32, "convert_bf16_f32", run_convert, 0, 6},
    {TSR_OP_convert_f32_f16, "convert_f32_f16", run_convert, 0, 6},
    {TSR_OP_convert_f16_f32, "convert_f16_f32", run_convert, 0, 6},
};

static struct vecmath_case {
    const struct operation *o;
    void (*function)(void);
} cases[MAX_CASES];

static void run(struct tsr_bench *b, const void *arg)
{
    const struct vecmath_case *c = arg;
    for (size_t i = 0; i < N; i++) {
        x[i] = (float)((int)(i * 2654435761u % 2001) - 1000) / 128.0f;
        y[i] = (float)(i % 17) / 8.0f - 1.0f;
        w[i] = (float)(i % 5) / 4.0f;
    }
    while (tsr_bench_next(b)) {
        c->o->call(c->function, c->o->which);
        tsr_bench_keep(out);
    }
    tsr_bench_rate(b, "elements/s", N);
    tsr_bench_rate_below(b, "bytes/s", c->o->bytes * N, TSR_PEAK_BYTES);
}

void tsr_bench_register(void)
{
    int n = 0;
    for (size_t o = 0; o < sizeof operations / sizeof operations[0]; o++)
        for (size_t v = 0; v < tsr_variant_count; v++) {
            const struct tsr_variant *row = &tsr_variants[v];
            if (row->op != operations[o].op || (row->features & ~tsr_cpu_features()) != 0)
                continue;
            char name[96];
            if (n == MAX_CASES)
                abort();
            cases[n] = (struct vecmath_case){&operations[o], row->function};
            snprintf(name, sizeof name, "%s/f32/%s/1x%dx1", operations[o].name, row->name, N);
            tsr_bench_add(name, run, &cases[n++]);
        }
}
