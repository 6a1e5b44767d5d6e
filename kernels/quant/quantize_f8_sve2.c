/* SPDX-License-Identifier: Apache-2.0 */
#define QUANT_LEVEL sve2
#include "kernels/quant/f8_sve.h"
