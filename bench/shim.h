/* SPDX-License-Identifier: Apache-2.0 */
/* Google Benchmark for C. Each bench_*.c is a program: it defines tsr_bench_register, which adds
 * its cases; shim.cc has main. Names: <op>/<formats>/<variant>/<m>x<n>x<k>. */
#ifndef BENCH_SHIM_H
#define BENCH_SHIM_H

#include <stdbool.h>

#include "bench/peak.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tsr_bench; /* a running case */
typedef void tsr_bench_fn(struct tsr_bench *b, const void *arg);

/* Defined by the bench_*.c. */
void tsr_bench_register(void);

/* Adds a case; `name` is copied, `arg` stays the caller's and must outlive the run. */
void tsr_bench_add(const char *name, tsr_bench_fn *fn, const void *arg);

/* The timed loop: `while (tsr_bench_next(b)) work();` Buffers are filled before it, at run time:
 * over memory that was never written the work may be folded away. */
bool tsr_bench_next(struct tsr_bench *b);

/* After the loop: shows `per_iteration` x iterations / s under `counter`, e.g. "MAC/s". */
void tsr_bench_rate(struct tsr_bench *b, const char *counter, double per_iteration);

/* The same where the machine has a peak: a figure above it is no figure. The case then counts as
 * failed, with a message, and the program ends with 1. */
void tsr_bench_rate_below(struct tsr_bench *b, const char *counter, double per_iteration,
                          enum tsr_bench_peak peak);

/* Shows a plain figure, e.g. cycles of a simulated run. */
void tsr_bench_value(struct tsr_bench *b, const char *counter, double value);

/* The bytes behind p count as used and as changed. */
void tsr_bench_keep(const void *p);

#ifdef __cplusplus
}
#endif
#endif
