/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that run on the host's processor. Each operation has a reference in portable C and
 * variants for what processors have; the best one that may run is chosen at the first call. */
#ifndef TESSERA_KERNELS_H
#define TESSERA_KERNELS_H

#include <stddef.h>

#include "tessera/dtype.h"
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

/* Makes one variant of an operation run from now on, until tsr_cpu_limit.
 *   op, variant  as tsr_kernel_choose gives them
 * Errors: TSR_USAGE for an unknown operation, a variant that this build has not, or features not in
 *   use; nothing changes. Threads: call it while no other thread is in the library. */
enum tsr_status tsr_kernel_use(const char *op, const char *variant, struct tsr_error *err);

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

/* ---- products with packed weights ---------------------------------------------------------------
 * C = A W^T: weights are packed once, in panels of columns of C whose number depends on the
 * processor's kernel, and stay in their format. Calls allocate nothing. */

/* How the library asks for threads: run calls task(arg, i) once for each i in 0..count - 1, in any
 * order and on any threads, and returns when all have returned. */
struct tsr_parallel {
    void (*run)(void *pool, void (*task)(void *arg, size_t i), void *arg, size_t count);
    void *pool;
    size_t threads; /* how many tasks are worth having; at most 256 are made */
};

/* The default: a pool of threads, the caller's among them.
 *   threads  1 to 256
 * Errors: TSR_USAGE another number; TSR_INTERNAL memory or threads ran out. *out is then untouched.
 * Ownership: the pool is the caller's, to be destroyed when no call uses it; a null one may be.
 * Threads: any may use one pool at once, their calls take turns; a task must not use its own. */
struct tsr_pool;
enum tsr_status tsr_pool_create(size_t threads, struct tsr_pool **out, struct tsr_error *err);
void tsr_pool_destroy(struct tsr_pool *pool);
struct tsr_parallel tsr_pool_parallel(struct tsr_pool *pool);

/* Bytes of `n` weight rows of `k` elements when packed, on this processor.
 * Formats, and what a weight row is in memory:
 *   f32 f16 bf16 i8  k elements.        i4  two elements a byte, the even one low.
 *   q8_0 q4_0 q4_k   GGUF blocks as in a file; k is a multiple of 32 or 256.
 *   mxf4 mxf8e4m3 mxf8e5m2  elements as i4 or bytes; E8M0 scales apart, ceil(k / 32) a row.
 * Errors: TSR_USAGE for another format; TSR_BAD_INPUT for a k that does not divide into blocks, or
 *   sizes that no memory holds. *bytes is then untouched. */
enum tsr_status tsr_weights_bytes(enum tsr_dtype format, size_t n, size_t k, size_t *bytes,
                                  struct tsr_error *err);

/* Packs weights.
 *   w       n rows at distances of row_bytes
 *   scales  i8, i4: n floats, one a row (null: ones); mx: n rows of E8M0 codes; else unused
 *   packed  tsr_weights_bytes of them, 64-byte aligned; owned by the caller; good for this process
 *           as long as tsr_cpu_limit does not change the kernel (tsr_matmul_run says so)
 * Errors: as tsr_weights_bytes. Aliasing: none. Threads: any. */
enum tsr_status tsr_weights_pack(enum tsr_dtype format, size_t n, size_t k, const void *w,
                                 size_t row_bytes, const void *scales, void *packed,
                                 struct tsr_error *err);

/* Bytes of scratch of a call with at most this many rows and threads. Errors: as
 * tsr_weights_bytes. */
enum tsr_status tsr_matmul_scratch_bytes(enum tsr_dtype format, size_t m, size_t k, size_t threads,
                                         size_t *bytes, struct tsr_error *err);

struct tsr_matmul {
    enum tsr_dtype format;   /* of the weights */
    enum tsr_dtype a_format; /* f32; or bf16 (bf16, mx), f16 (f16), i8 (integer weights) */
    size_t m, n, k;
    const void *a; /* m x k, rows lda elements apart */
    size_t lda;
    const float *a_scales; /* i8: one a row; null: ones */
    const void *weights;   /* packed */
    float *c;              /* m x n, rows ldc elements apart */
    size_t ldc;
    void *scratch; /* 64-byte aligned; contents do not matter before or after */
    size_t scratch_bytes;
    const struct tsr_parallel *parallel; /* null: this thread alone */
};

/* C = A W^T in f32. u = 2^-24.
 * Numerics, by weights; |.| bounds are against the exact product of the operands, while nothing
 * over- or underflows:
 *   f32, f16   one chain of fused multiply-adds in order of k from +0, in f32: the same bits from
 *     every variant. Bound k u / (1 - k u) sum |a||w|.
 *   bf16  A in f32 is rounded to bf16 first. Products are exact, sums in f32 in an order of the
 *     variant's: bound (k + 3) u / (1 - (k + 3) u) sum |a||w| + k 2^-125; BFMMLA rounds to odd (an
 *     error of 2 u, on half as many additions) and takes subnormals as zeros.
 *   mxf4, mxf8  the weights as bf16, which is exact but beyond bf16's normal range (zero,
 *     infinity); a NaN scale makes NaNs; then as bf16.
 *   i8, i4  A in f32 is quantized by row: scale s = max |a| / 127 (at least 2^-126), codes
 *     a * (1 / s) to nearest even in -127..127; a row with NaN or infinity has a NaN scale. The sum
 *     of integers S is exact; C = fl(fl(fl(S) s) w_scale): the same bits from every variant.
 *   q8_0, q4_0, q4_k  A as above. Over runs of groups (8, 64, 64) the sum S_g of integers goes on
 *     from group to group, and F = fma(S_g, d_g, F) with d_g = fl(scale_g - scale_{g+1}), at a
 *     run's end scale_g: the same value as scale by scale, each rounded once. q4_k begins with its
 *     minima: over runs of 8 super-blocks the sum M_b of (sum of a group's a) (its minimum of 6
 *     bits), an integer, goes on likewise, and F = fma(-M_b, e_b, F) with e_b = fl(dmin_b -
 *     dmin_{b+1}), at a run's end dmin_b. C = fl(F s): the same bits from every variant. Bound,
 *     with G = k / 32 groups: (2 G + 3) u (sum over g of |S_g| |d_g| + sum over b of |M_b| |e_b|)
 *     s. A scale that is not finite makes a NaN or an infinity.
 * k = 0 makes +0, whatever the scales. Bits depend neither on threads nor on m or n.
 * Aliasing: C, scratch and the inputs do not overlap.
 * Errors: TSR_USAGE unknown or unfit formats, scratch too small, weights packed for another kernel;
 *   TSR_BAD_INPUT weights of another shape. C is then untouched. Strides below the row length are a
 *   caller's bug (assertion).
 * Threads: any number of calls at once with scratch and C of their own.
 * Source: for the formats OCP MX v1.0 and GGUF's file format. */
enum tsr_status tsr_matmul_run(const struct tsr_matmul *op, struct tsr_error *err);

#ifdef __cplusplus
}
#endif
#endif
