/* SPDX-License-Identifier: Apache-2.0 */
/* What a matmul loses to its operands' formats and to the tensor unit's own sums. */
#ifndef SIM_CLI_PRODUCT_H
#define SIM_CLI_PRODUCT_H

#include "sim/cli/samples.h"
#include "tessera/chip.h"
#include "tessera/isa.h"

/* C[m,n] = A[m,k] x B[n,k]^T. A (activations) and B (weights) are f32 bits, rows dense. */
struct product {
    const struct tsr_format *a_format, *b_format;
    size_t m, n, k;
    const uint32_t *a, *b;
};

/* Whether the tensor unit multiplies the two and rows of k values become both.
 * Errors: TSR_BAD_INPUT a pair or a format that it does not take, a k that does not divide into
 * GGUF blocks. */
enum tsr_status product_check(const struct product *p, const struct tsr_chip *chip,
                              const struct tsr_isa *isa, struct tsr_error *err);

/* Quantizes both, multiplies as mma does on `chip` (isa/num), and adds to *power the exact product
 * of the values before quantization (in double) and the difference. i8, i4: one f32 scale per row
 * of each operand, applied to the int32 sum in double.
 * Errors: as product_check; TSR_INTERNAL out of memory. */
enum tsr_status product_measure(const struct product *p, const struct tsr_chip *chip,
                                const struct tsr_isa *isa, struct samples_power *power,
                                struct tsr_error *err);

#endif
