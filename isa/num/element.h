/* SPDX-License-Identifier: Apache-2.0 */
/* Elements and scales of block formats one by one, as the vector unit stores and loads them: the
 * pieces that quant.h's rows are made of, without the choice of a scale. Pure functions. */
#ifndef ISA_NUM_ELEMENT_H
#define ISA_NUM_ELEMENT_H

#include "isa/num/num.h"

/* Elements that fill whole bytes together: the least such group (4 bits: 2 in 1 byte, 6 bits: 4 in
 * 3); of shared microexponents a block of 16 with its pair shifts (17, 11 or 7 bytes). */
struct tsr_num_group {
    uint32_t elems, bytes;
};
/* {0, 0}: tsr_num_store_elements does not take the format (i32, q4_k, q6_k). */
struct tsr_num_group tsr_num_element_group(const struct tsr_format *f);

/* n f32 values, already divided by their block's scale, into codes; and back.
 * Numerics: nearest even, once. Floats as tsr_num_encode. The others saturate, NaN is 0:
 *   i8, i4, q8_0: integers within +-(2^(bits-1) - 1); q4_0: within -8..7, stored plus 8;
 *   mxi8: multiples of 2^-6 within +-127 * 2^-6;
 *   mx9, mx6, mx4: values below 2 against the shared exponent; a pair has shift 1 if both are below
 *   1 and not both zero; multiples of 2^(1 - mbits - shift), clamped; zeros keep their sign.
 * Values of codes are exact.
 * Shapes: n a multiple of the group's elements; n / elems * bytes bytes. */
void tsr_num_store_elements(const struct tsr_format *f, void *codes, const uint32_t *values,
                            size_t n);
void tsr_num_load_elements(const struct tsr_format *f, uint32_t *values, const void *codes,
                           size_t n);

/* Whether a block of the format has a scale that the functions below take. */
bool tsr_num_has_scale(const struct tsr_format *f);

/* One block's scale from and to f32, in f->scale_bits / 8 bytes.
 * mx, mx9, mx6, mx4: a power of two 2^X, stored X + 127 (of any other value floor(log2), clamped to
 * +-127); nvf4 e4m3, q8_0 and q4_0 f16, both to nearest even. NaN to the format's NaN and back. */
void tsr_num_store_scale(const struct tsr_format *f, void *code, uint32_t scale);
uint32_t tsr_num_load_scale(const struct tsr_format *f, const void *code);

#endif
