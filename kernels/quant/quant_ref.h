/* SPDX-License-Identifier: Apache-2.0 */
/* One row of any format in portable C, by isa/num in pieces. Private to kernels/quant. */
#ifndef KERNELS_QUANT_QUANT_REF_H
#define KERNELS_QUANT_QUANT_REF_H

#include "kernels/quant/quant.h"

/* x: f32, or bf16 bits. Shapes and bits: tessera/quant.h. */
void quant_row_ref(enum tsr_dtype format, bool bf16, size_t n, size_t group, const void *x,
                   uint8_t *elements, uint8_t *scales);
void dequant_row_ref(enum tsr_dtype format, bool bf16, size_t n, size_t group,
                     const uint8_t *elements, const uint8_t *scales, void *y);

#endif
