// SPDX-License-Identifier: Apache-2.0
#include "bench/shim.h"

#include <benchmark/benchmark.h>
#include <time.h>

#include <cstdio>

struct tsr_bench {
    benchmark::State &state;
    bool started;
    double seconds; // of the timed loop; its start while that runs
};

static bool failed;

// The clock of Google Benchmark's own rates.
static double now()
{
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

extern "C" void tsr_bench_add(const char *name, tsr_bench_fn *fn, const void *arg)
{
    benchmark::RegisterBenchmark(name, [fn, arg](benchmark::State &state) {
        tsr_bench b{state, false, 0};
        fn(&b, arg);
    });
}

extern "C" bool tsr_bench_next(tsr_bench *b)
{
    if (!b->started) {
        b->started = true;
        b->seconds = now();
    }
    const bool next = b->state.KeepRunning();
    if (!next)
        b->seconds = now() - b->seconds;
    return next;
}

extern "C" void tsr_bench_rate(tsr_bench *b, const char *counter, double per_iteration)
{
    b->state.counters[counter] =
        benchmark::Counter(per_iteration, benchmark::Counter::kIsIterationInvariantRate);
}

extern "C" void tsr_bench_rate_below(tsr_bench *b, const char *counter, double per_iteration,
                                     enum tsr_bench_peak peak)
{
    tsr_bench_rate(b, counter, per_iteration);
    const double rate = per_iteration * static_cast<double>(b->state.iterations()) / b->seconds;
    // A twentieth for the clock. Before it is refused, the peak is measured once more.
    static double peaks[TSR_PEAK_BYTES + 1];
    if (b->seconds <= 0 || rate <= 1.05 * peaks[peak])
        return;
    for (int i = 0; i < 2 && rate > 1.05 * peaks[peak]; i++)
        peaks[peak] = tsr_bench_peak(peak);
    if (rate <= 1.05 * peaks[peak])
        return;
    char text[160];
    std::snprintf(text, sizeof text, "%s: %.4g is above the %.4g that this machine can do", counter,
                  rate, peaks[peak]);
    b->state.SkipWithError(text);
    failed = true;
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
    return failed ? 1 : 0;
}
