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
    float *want;              /* rows x cols */
    double *bound;            /* of each; null: equal */
    struct tsr_npu_slab slab; /* rows not 0: blocks, in this layout */
};

struct verify {
    struct npu *s;
    union project_op op;
    uint32_t n;
    struct verify_rows **out;
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
/* The same as bits of f32. */
uint32_t *verify_read_bits(struct npu *s, enum tsr_dtype format, uint64_t address, uint64_t n,
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
/* Another output: n bytes that must lie at an address. */
enum tsr_status verify_bytes(struct verify *v, uint64_t address, const uint8_t *bytes, uint64_t n,
                             struct tsr_error *err);
/* A row of f32 bits into the image of an operand, its padding as kernels leave it. */
enum tsr_status verify_pack(const struct tsr_npu_slab *slab, uint64_t row, const uint32_t *bits,
                            uint8_t *image, struct tsr_error *err);
/* Bytes from row to row: those stated, or of a dense row. */
uint64_t verify_stride(const struct verify *v, uint64_t stride, enum tsr_dtype format,
                       uint64_t cols);

/* Rows first .. first + m - 1 of an operand A times the n rows of B, and what the machine's sums
 * may err by (verify_product.c). */
struct verify_product {
    struct npu *s;
    enum tsr_dtype a_format, b_format;
    uint64_t a, a_stride, a_rows, first, m;
    uint64_t b, b_stride, n, k;
};
/* sum, error: m x n. Errors: TSR_INTERNAL out of memory. */
enum tsr_status verify_products(const struct verify_product *p, double *sum, double *error,
                                struct tsr_error *err);
/* Row `row` of an operand, gathered from its slabs; stride 0: as the layout says. unit: room for
 * the row's units. */
enum tsr_status verify_slab_row(struct npu *npu, const struct tsr_npu_slab *s, uint64_t address,
                                uint64_t stride, uint64_t row, uint8_t *unit, float *x,
                                struct tsr_error *err);
/* act(g) u of values that err by eg and eu. */
void verify_gated(enum tsr_activation act, double limit, double alpha, double g, double eg,
                  double u, double eu, double *y, double *error);

typedef enum tsr_status verify_fn(struct verify *v, struct tsr_error *err);
verify_fn verify_matmul, verify_attention, verify_rmsnorm, verify_rope, verify_kv_append,
    verify_embedding, verify_residual, verify_activation, verify_cast, verify_quantize,
    verify_requantize, verify_rmsnorm_quantize, verify_moe_router, verify_moe_dispatch,
    verify_moe_expert, verify_moe_combine;

#endif
