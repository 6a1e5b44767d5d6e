/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that run on the host's processor. Each operation has a reference in portable C and
 * variants for what processors have; the best one that may run is chosen at the first call. */
#ifndef TESSERA_KERNELS_H
#define TESSERA_KERNELS_H

#include <stddef.h>

#include "tessera/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tsr_kernel_choice {
    const char *op;      /* "matmul_f32" */
    const char *variant; /* "ref", "sve", ... */
    char reason[256];    /* one line: why this one, and why not those above it */
};

/* Which variant of an operation runs, and why.
 *   op  name without prefix and variant: "matmul_f32"
 * Errors: TSR_USAGE for an unknown operation, naming the known ones; *out is then untouched. */
enum tsr_status tsr_kernel_choose(const char *op, struct tsr_kernel_choice *out,
                                  struct tsr_error *err);

/* Names of the operations, ended by a null pointer. */
const char *const *tsr_kernel_ops(void);

/* C = A * B in f32.
 * Shapes: A is m x k, B is k x n, C is m x n, row-major; lda, ldb, ldc are the distances of rows in
 *   elements, at least k, n, n. Any of m, n, k may be 0; with k = 0, C becomes zeros.
 * Numerics: each element is one chain of fused multiply-adds in order of k from +0, each rounded to
 *   nearest even: |error| <= k * 2^-24 / (1 - k * 2^-24) * sum |a||b| while nothing overflows.
 *   Variants, shapes and vector lengths all give the same bits (NaN payloads aside).
 * Aliasing: C overlaps neither A nor B.
 * Errors: none; strides below the row length are a caller's bug (assertion).
 * Threads: any number at once on different C. Allocates nothing. */
void tsr_matmul_f32(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                    size_t ldb, float *c, size_t ldc);

#ifdef __cplusplus
}
#endif
#endif
