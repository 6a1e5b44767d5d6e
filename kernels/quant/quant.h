/* SPDX-License-Identifier: Apache-2.0 */
/* What the quantization kernels share. Private to kernels/quant. */
#ifndef KERNELS_QUANT_QUANT_H
#define KERNELS_QUANT_QUANT_H

#include "isa/num/quant.h"
#include "kernels/cpu/variants.h"
#include "tessera/quant.h"

enum {
    QUANT_BLOCK = 32,   /* elements of a block of mx* and of q8_0, q4_0 */
    QUANT_CHUNK = 1024, /* elements that a kernel may hold on the stack at a time */
    QUANT_KEPT = 16384  /* of a row that becomes i8 under one scale */
};

/* How isa/num quantizes the format: nearest even, two planes, f32 scales of integers; null for a
 * format without kernels. */
const struct tsr_num_quant *quant_definition(enum tsr_dtype format);

/* tsr_quant_row_bytes's errors; strides below the row length are an assertion. */
enum tsr_status tsr_quant_check(const struct tsr_quant *q, size_t stride, struct tsr_error *err);

/* One row by the chosen variant, or the reference. x: f32, or bf16 bits. */
void quant_row(enum tsr_dtype format, bool bf16, size_t n, size_t group, const void *x,
               uint8_t *elements, uint8_t *scales);

/* A row that is computed piece by piece, each element for itself and the same whenever asked.
 * values: y of n elements from `at` on, at most QUANT_CHUNK. */
struct quant_source {
    void (*values)(const void *self, size_t at, size_t n, float *y);
    const void *self;
};

/* One row of a source: the bits of quant_row on all of its values. i8 whose group has more than
 * QUANT_KEPT elements asks for each value twice. */
void quant_row_from(const struct tsr_quant *q, struct quant_source source, uint8_t *elements,
                    uint8_t *scales);

#endif
