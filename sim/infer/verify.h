/* SPDX-License-Identifier: Apache-2.0 */
/* A launch computed once more, in double from what lies in the chip's memory before it, with the
 * largest error that the machine's arithmetic may leave. */
#ifndef SIM_INFER_VERIFY_H
#define SIM_INFER_VERIFY_H

#include "sim/infer/npu.h"

/* Values that a launch must leave: rows of cols in a format. */
struct verify_rows {
    uint64_t address, stride; /* bytes from row to row */
    uint64_t rows, cols;
    enum tsr_dtype format;
    float *want;   /* rows x cols */
    double *bound; /* of each; null: equal */
};

struct verify {
    struct npu *s;
    union project_op op;
    uint32_t n;
    struct verify_rows out[2];
};

/* Before the launch: what it must leave. *served: false where no reference is known for the
 * kernel. verify_free in any case. */
enum tsr_status verify_begin(struct npu *s, const struct project_kernel *kernel,
                             const union project_op *op, struct verify *v, bool *served,
                             struct tsr_error *err);
/* Behind it. Errors: TSR_MISMATCH the first value that lies too far off. */
enum tsr_status verify_end(const struct verify *v, struct tsr_error *err);
void verify_free(struct verify *v);

/* ---- for the kernels' references (verify_*.c) ---- */

/* n values at an address. The caller frees them; null: err says why. */
float *verify_read(struct npu *s, enum tsr_dtype format, uint64_t address, uint64_t n,
                   struct tsr_error *err);
/* Another output with room for its values, or null. */
struct verify_rows *verify_add(struct verify *v, uint64_t address, uint64_t stride, uint64_t rows,
                               uint64_t cols, enum tsr_dtype format, bool bound,
                               struct tsr_error *err);
/* Half an ULP of a float format at |x|. */
double verify_half_ulp(const struct npu *s, enum tsr_dtype format, double x);
/* Sets an element: the exact value and how far off the result may be before it is stored. */
void verify_set(const struct verify *v, struct verify_rows *r, uint64_t i, double want,
                double error);

typedef enum tsr_status verify_fn(struct verify *v, struct tsr_error *err);
verify_fn verify_matmul, verify_attention, verify_rmsnorm, verify_rope, verify_kv_append,
    verify_embedding, verify_residual, verify_activation, verify_cast, verify_quantize,
    verify_requantize;

#endif
