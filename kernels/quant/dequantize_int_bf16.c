/* SPDX-License-Identifier: Apache-2.0 */
#define QUANT_LEVEL bf16
#include "kernels/quant/int_sve.h"
