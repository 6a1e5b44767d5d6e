/* SPDX-License-Identifier: Apache-2.0 */
/* The most that one thread of this machine can do, measured: what a benchmark's figure must not
 * exceed. */
#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H

#ifdef __cplusplus
extern "C" {
#endif

enum tsr_bench_peak {
    TSR_PEAK_F32,   /* MAC/s of f32 */
    TSR_PEAK_BF16,  /* MAC/s of bf16: at least f32's */
    TSR_PEAK_I8,    /* MAC/s of i8 */
    TSR_PEAK_BYTES, /* bytes/s from and to L1 */
};

/* The best of several measurements of instructions alone, those of their kind that do most and that
 * this processor has; the best of all calls so far, since a shared machine may be slow at one time.
 * Infinite where no measurement is known (neither x86-64 nor 64-bit Arm). */
double tsr_bench_peak(enum tsr_bench_peak kind);

#ifdef __cplusplus
}
#endif
#endif
