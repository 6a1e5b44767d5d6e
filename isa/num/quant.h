/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of block formats: elements that share scales. Pure functions on bit patterns, as num.h. */
#ifndef ISA_NUM_QUANT_H
#define ISA_NUM_QUANT_H

#include "isa/num/num.h"

enum {
    TSR_NUM_MAX_BLOCK = 256 /* elements of the largest block (q4_k, q6_k) */
};

/* How rows of f32 become codes and scales, and back.
 * Planes: a row is one run of elements and one run of scales, which the caller places; in memory
 *   of the machine both are row-major and start at multiples of 64 bytes.
 *   Elements: in order, packed as in tsr_num_encode_array; smx: 16 elements (sign above mbits of
 *   magnitude), then one shift bit per pair, the first pair lowest, so 17, 11 or 7 bytes a block.
 *   Scales: mx E8M0; smx exponent + 127; nvf e4m3; q8_0, q4_0 f16; integers `scale_format`.
 * File layout (gguf only): the blocks of a GGUF file, scales within; q4_k and q6_k have no other.
 * A last partial block of mx, smx, nvf is padded with zeros, in memory too; of integers it is
 * shorter; of gguf it is an error. */
struct tsr_num_quant {
    const struct tsr_format *format;       /* borrowed */
    enum tsr_round round;                  /* of elements; scales always go to nearest even */
    bool file_layout;                      /* gguf */
    const struct tsr_format *scale_format; /* integers: a plain float; ignored elsewhere */
    uint32_t group;                        /* integers: elements per scale, 0: one for the row */
    bool scales_given;                     /* integers: quantize reads the scales, writes none */
    uint32_t tensor_scale;                 /* nvf: f32 bits, a positive factor of all; 0: none */
};

/* Whether these functions take the format: mx, smx, nvf, gguf rows and integers of 8 bits or
 * fewer. */
bool tsr_num_has_blocks(const struct tsr_format *f);

/* Whether tsr_num_quantize and tsr_num_dequantize take rows of n elements.
 * Errors: TSR_USAGE a format without blocks, a layout it lacks, a scale format that is no plain
 *   float, a group whose codes do not fill whole bytes; TSR_BAD_INPUT n does not divide into gguf
 *   blocks, a tensor scale that is not positive and finite. */
enum tsr_status tsr_num_quant_check(const struct tsr_num_quant *q, size_t n, struct tsr_error *err);

/* Bytes of one row of n elements in each plane, padding included; scales 0 in the file layout. */
size_t tsr_num_element_bytes(const struct tsr_num_quant *q, size_t n);
size_t tsr_num_scale_bytes(const struct tsr_num_quant *q, size_t n);

/* One row of n f32 into codes and scales.
 * Numerics, max = largest magnitude of the block:
 *   mx: X = floor(log2 max) - emax, clamped to [-127, 127]; elements x / 2^X, rounded once,
 *     saturating; emax is the exponent of the element's largest value, 0 for mxi8, whose code
 *     -128 is never made.
 *   smx: e = floor(log2 max), clamped likewise; a pair's shift t is 1 if both exponents are below
 *     e and not both elements are zero; elements count 2^(e - (mbits - 1) - t), clamped.
 *   The others, in f32 operations of one rounding each (nearest even), so that a vector unit of
 *   f32 makes the same bits:
 *     s = max / d in the scale's format, rounded to f32 first; d = 6 tensor_scale for nvf,
 *     2^(bits-1) - 1 for integers, 127 for q8_0; q4_0: (the element of largest magnitude, the first
 *     of them) / -8. Of a block that is not zero, |s| is at least 2^-126 and the least subnormal,
 *     and saturates.
 *     r = 1 / s (nvf: 1 / (s tensor_scale)), a divisor below 2^-126 counting as 2^-126.
 *     Elements are x r, rounded to f32, then as `round` says, clamped; integers and q8_0 to
 *     +-(2^(bits-1) - 1). The divisions are one per block. Against the quotient x / s the product
 *     differs by less than 2^-22 of itself: to nearest, that moves only what lies as close to the
 *     middle of two codes; toward zero, it may take a code just met one step down.
 *   -0 keeps its sign where the format has one. A block with NaN or infinity gets a NaN scale
 *   (0xFF in mx and smx) and zero elements. A block of zeros has scale 0 and zero elements.
 * Aliasing: none. Errors: as tsr_num_quant_check; TSR_USAGE for q4_k and q6_k.
 * Source: OCP MX v1.0; arXiv 2302.08007; GGUF's file format; scales of GGUF are ours. */
enum tsr_status tsr_num_quantize(const struct tsr_num_quant *q, const uint32_t *f32_bits, size_t n,
                                 void *elements, void *scales, struct tsr_error *err);

/* One row back into f32: the exact value, which only beyond 2^128 (infinity) or where the scale
 * has more bits than f32 holds in the product (integers, nvf's tensor scale, q4_k) is rounded,
 * once, to nearest even. NaN scales or elements give TSR_NUM_NAN.
 * Errors: as tsr_num_quant_check. */
enum tsr_status tsr_num_dequantize(const struct tsr_num_quant *q, const void *elements,
                                   const void *scales, size_t n, uint32_t *f32_bits,
                                   struct tsr_error *err);

/* The value of one element of a block, exact: of mx, smx, nvf, q8_0 and q4_0 an element times its
 * scale has at most 19 bits. code: the element as it lies in its plane, for smx with its pair's
 * shift above it (bit f->bits); scale: as it lies in the scales' plane. A zero has the element's
 * sign; infinities (e5m2, scales of f16) as such; NaN, also of Inf * 0, as f64's quiet one. */
double tsr_num_block_value(const struct tsr_format *f, uint32_t code, uint32_t scale);

/* The scale that tsr_num_quantize would give integers of one group of n elements: for scales per
 * tensor or calibrated ones. A code of q->scale_format. */
uint32_t tsr_num_group_scale(const struct tsr_num_quant *q, const uint32_t *f32_bits, size_t n);

/* nvf's factor per tensor: the tensor's largest magnitude / (448 * the largest element), f32 bits;
 * 1.0 where that is zero or not finite. Source: 448 is e4m3's largest, so no block saturates. */
uint32_t tsr_num_tensor_scale(const struct tsr_format *f, const uint32_t *f32_bits, size_t n);

/* A row of q8_0 or q4_0 from a GGUF file's layout into the two planes, or back: bits are moved,
 * none changed. n is a multiple of 32. Aliasing: none. */
void tsr_num_gguf_split(const struct tsr_format *f, const void *file, size_t n, void *elements,
                        void *scales);
void tsr_num_gguf_join(const struct tsr_format *f, const void *elements, const void *scales,
                       size_t n, void *file);

#endif
