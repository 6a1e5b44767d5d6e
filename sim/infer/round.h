/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of f32 as a format would hold them: what a reference in a format computes with. */
#ifndef SIM_INFER_ROUND_H
#define SIM_INFER_ROUND_H

#include <stddef.h>

#include "tessera/isa.h"

struct infer_rounding {
    const struct tsr_format *format; /* borrowed; null: f32, nothing is rounded */
    const struct tsr_format *scale;  /* of integers' scales: f32 unless the caller sets another */
};

/* q4_k and q6_k, which nothing writes, become q8_0 as in the chip's memory. f32 and null: no
 * rounding. */
struct infer_rounding infer_rounding(const struct tsr_isa *isa, const struct tsr_format *f);

/* Bytes of scratch that rows of n elements need. */
size_t infer_round_scratch(const struct infer_rounding *r, size_t n);

/* y = the values of one row of n elements in the format: to nearest even, blocks and scales as
 * tsr_num_quantize, a part of a block at the end padded with zeros, integers with a scale for the
 * row. y may be x. scratch: aligned as a float. */
void infer_round(const struct infer_rounding *r, size_t n, const float *x, float *y, void *scratch);

#endif
