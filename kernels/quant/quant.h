/* SPDX-License-Identifier: Apache-2.0 */
/* What the quantization kernels share. Private to kernels/quant. */
#ifndef KERNELS_QUANT_QUANT_H
#define KERNELS_QUANT_QUANT_H

#include "isa/num/quant.h"
#include "kernels/cpu/variants.h"

enum {
    QUANT_BLOCK = 32,  /* elements of a block of mx* and of q8_0, q4_0 */
    QUANT_CHUNK = 1024 /* elements that a kernel may hold on the stack at a time */
};

/* How isa/num quantizes the format: nearest even, two planes, f32 scales of integers; null for a
 * format without kernels. */
const struct tsr_num_quant *quant_definition(enum tsr_dtype format);

#endif
