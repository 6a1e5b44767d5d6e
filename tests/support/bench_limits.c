/* SPDX-License-Identifier: Apache-2.0 */
/* A benchmark for tests/kernels/test_bench_limits.sh: one case does some work and says so, the
 * other claims to have done as much in no time. */
#include "bench/shim.h"

enum {
    N = 4096
};
static float x[N], y[N];

static void run(struct tsr_bench *b, const void *arg)
{
    for (int i = 0; i < N; i++)
        x[i] = (float)(i % 7);
    while (tsr_bench_next(b)) {
        for (int i = 0; i < N; i++)
            y[i] = x[i] * 3.0f + y[i];
        tsr_bench_keep(y);
    }
    tsr_bench_rate_below(b, "MAC/s", N * *(const double *)arg, TSR_PEAK_F32);
}

void tsr_bench_register(void)
{
    static const double honest = 1, folded = 1e6;
    tsr_bench_add("honest", run, &honest);
    tsr_bench_add("folded", run, &folded);
}
