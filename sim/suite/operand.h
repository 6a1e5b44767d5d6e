/* SPDX-License-Identifier: Apache-2.0 */
/* Operands of the tensor unit in every format, with what an error bound has to know of each
 * element. */
#ifndef SIM_SUITE_OPERAND_H
#define SIM_SUITE_OPERAND_H

#include "kernels/npu/slab.h"
#include "sim/suite/suite.h"

/* An element's value is m * ms * 2^exponent: m its integer magnitude, ms the scale's significand
 * (1 where scales are powers of two). 2^unit is the least step of the format under that scale. */
struct suite_element {
    double value, ms;
    int exponent, unit;
};

struct suite_operand {
    struct tsr_npu_slab slab;
    struct suite_element *x; /* [rows][k] */
    size_t k;
};

/* The layout of rows x k in format `own` against `partner`, and room for the elements.
 * Errors: as tsr_npu_slab_plan; TSR_INTERNAL out of memory. */
enum tsr_status suite_operand_plan(struct suite *s, enum tsr_dtype own, enum tsr_dtype partner,
                                   size_t rows, size_t k, struct suite_operand *o,
                                   struct tsr_error *err);

/* Random values, quantized: writes the operand's image (tsr_npu_slab_bytes) and the elements as
 * they are there. */
enum tsr_status suite_operand_fill(struct suite *s, struct suite_operand *o,
                                   enum suite_values values, void *image, struct tsr_error *err);

/* Two rows of k elements, the chip's steps of R products in rising k: the exact sum, and how far
 * the chip's f32 result may lie from it (see operand.c). */
void suite_operand_dot(const struct suite *s, const struct suite_operand *a, size_t row_a,
                       const struct suite_operand *b, size_t row_b, double *sum, double *bound);

#endif
