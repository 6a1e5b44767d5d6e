/* SPDX-License-Identifier: Apache-2.0 */
#define QUANT_LEVEL sve
#include "kernels/quant/f8_sve.h"
