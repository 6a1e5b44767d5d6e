// SPDX-License-Identifier: Apache-2.0
#include "bench/shim.h"

#include <benchmark/benchmark.h>

struct tsr_bench {
    benchmark::State &state;
};

extern "C" void tsr_bench_add(const char *name, tsr_bench_fn *fn, const void *arg)
{
    benchmark::RegisterBenchmark(name, [fn, arg](benchmark::State &state) {
        tsr_bench b{state};
        fn(&b, arg);
    });
}

extern "C" bool tsr_bench_next(tsr_bench *b)
{
    return b->state.KeepRunning();
}

extern "C" void tsr_bench_rate(tsr_bench *b, const char *counter, double per_iteration)
{
    b->state.counters[counter] =
        benchmark::Counter(per_iteration, benchmark::Counter::kIsIterationInvariantRate);
}

extern "C" void tsr_bench_value(tsr_bench *b, const char *counter, double value)
{
    b->state.counters[counter] = value;
}

extern "C" void tsr_bench_keep(const void *p)
{
    benchmark::DoNotOptimize(p);
    benchmark::ClobberMemory();
}

int main(int argc, char **argv)
{
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 2;
    tsr_bench_register();
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
