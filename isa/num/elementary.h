/* SPDX-License-Identifier: Apache-2.0 */
/* One lane of each elementary function. Private to isa/num; call them through the table. */
#ifndef ISA_NUM_ELEMENTARY_H
#define ISA_NUM_ELEMENTARY_H

#include <stdint.h>

/* 2^x; +0 below -126, infinity from 128 on. */
uint32_t num_exp2(uint32_t x);
/* 1/x; results below 2^-126 are +0, so is 1/Inf; 1/+-0 is an infinity of that sign. */
uint32_t num_rcp(uint32_t x);
/* 1/sqrt(x); NaN below zero, an infinity of its sign at zero, +0 at infinity. */
uint32_t num_rsqrt(uint32_t x);
/* log2(x); NaN below zero, -Inf at zero. */
uint32_t num_log2(uint32_t x);

#endif
