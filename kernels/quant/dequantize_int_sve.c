/* SPDX-License-Identifier: Apache-2.0 */
#define QUANT_LEVEL sve
#include "kernels/quant/int_sve.h"
