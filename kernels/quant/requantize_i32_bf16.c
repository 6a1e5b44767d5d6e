/* SPDX-License-Identifier: Apache-2.0 */
/* Results in bf16 by BFCVT. */
#include "kernels/quant/requantize_sve.h"

KERNEL(bf16, bf16)
