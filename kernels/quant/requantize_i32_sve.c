/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/quant/requantize_sve.h"

KERNEL(f32, sve)
KERNEL(bf16, sve)
KERNEL(i8, sve)
