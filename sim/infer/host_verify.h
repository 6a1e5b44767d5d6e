/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on the host computed once more: in double from what they read, with the largest error
 * that the contracts of their kernels leave (tessera/kernels.h, tessera/vecmath.h). u = 2^-24. */
#ifndef SIM_INFER_HOST_VERIFY_H
#define SIM_INFER_HOST_VERIFY_H

#include "sim/infer/host.h"

enum {
    HOST_CHECK_OUTPUTS = 3
};
#define HOST_U 0x1p-24

/* Rows that an operation must leave. */
struct host_rows {
    const float *got;
    uint64_t rows, cols, stride; /* in floats */
    double *want, *error;        /* rows x cols */
};

struct host_check {
    struct host *h;
    const struct tsr_graph_op *op;
    uint32_t n;
    struct host_rows out[HOST_CHECK_OUTPUTS];
    uint32_t *experts; /* that must be chosen, [n][top_k]; null: none are */
};

/* Another output with room for its values; null: out of memory. */
struct host_rows *host_check_add(struct host_check *c, const float *got, uint64_t rows,
                                 uint64_t cols, uint64_t stride);

/* Runs an operation as host_run does and compares what it leaves.
 * Errors: TSR_MISMATCH the first value too far off, with operation, layer and token. */
enum tsr_status host_run_checked(void *self, uint32_t op, uint32_t layer, struct tsr_error *err);

/* What an operation will leave, before it runs; adds nothing where it will not run. */
typedef enum tsr_status host_check_fn(struct host_check *c, struct tsr_error *err);
host_check_fn host_check_matmul, host_check_expert, host_check_attention;

/* C = A W^T + bias for rows of A as the caller of the product has them (host_verify_product.c). */
enum tsr_status host_check_product(const struct host_check *c, uint32_t expert, uint64_t m,
                                   const float *a, double *sum, double *error,
                                   struct tsr_error *err);

#endif
