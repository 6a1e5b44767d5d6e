/* SPDX-License-Identifier: Apache-2.0 */
/* Quantization on the host's processor: rows of f32 or bf16 into codes and scales, and back; norms
 * and activations that end so; int32 sums back to values. The bits are those of the machine's
 * definition, whatever variant runs. */
#ifndef TESSERA_QUANT_H
#define TESSERA_QUANT_H

#include <stddef.h>
#include <stdint.h>

#include "tessera/dtype.h"
#include "tessera/model.h"
#include "tessera/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A matrix of codes. Each row is one run of elements and one run of scales, of its own; the caller
 * places both.
 *   f8e4m3, f8e5m2: a byte an element, no scales. Largest and infinite saturate, NaN stays.
 *   i8: a byte an element; a scale, f32, for each `group` elements of a row, the last ones fewer.
 *   mxf8e4m3 mxf8e5m2 mxf6e3m2 mxf6e2m3 mxf4 mxi8: 32 elements share a byte of scale, E8M0.
 *   mx9 mx6 mx4: 16 elements share a byte. nvf4: 16 elements share an e4m3.
 *   q8_0 q4_0: 32 elements share an f16; cols is a multiple of 32.
 * Elements are packed from the lowest bit on, 4 bits with the even element in the low nibble; smx
 * (mx9, mx6, mx4) have their pairs' shift bits behind each block. A partial last block is padded
 * with zeros but for i8; bytes are counted by tsr_quant_row_bytes. */
struct tsr_quant {
    enum tsr_dtype format;
    size_t rows, cols;
    size_t group;          /* i8: 0: one scale for the row; others: ignored */
    size_t element_stride; /* bytes from row to row */
    size_t scale_stride;   /* bytes; any if there is one row, or no scales */
};

/* Bytes that the elements and the scales of one row take; the strides need not be set.
 * Errors: TSR_USAGE a format that is none of the above, TSR_BAD_INPUT columns that do not divide
 * into q8_0's or q4_0's blocks; outputs untouched. */
enum tsr_status tsr_quant_row_bytes(const struct tsr_quant *q, size_t *element_bytes,
                                    size_t *scale_bytes, struct tsr_error *err);

/* Rows of f32 (or bf16 bits) into codes and scales.
 * Shapes: x is rows x cols, row-major, x_stride elements from row to row, at least cols.
 * Numerics: to nearest, ties to even. f8: one rounding. mx*: X = floor(log2 max) - emax, elements
 *   x / 2^X rounded once. i8, q8_0: s = max / 127, q4_0: (the first element of largest magnitude)
 *   / -8, in f32, then in the scale's format; elements x (1 / s), all f32 operations, then an
 *   integer. A NaN or infinity makes the NaN of what shares its scale. In full: isa/num/quant.h.
 * Alignment: none needed; i8's scales need not lie at multiples of 4.
 * Aliasing: no plane overlaps another or x.
 * Errors: as tsr_quant_row_bytes, nothing written. Strides below the row length: assertion.
 * Threads: any number at once on different planes. Allocates nothing.
 * Source: OCP MX v1.0; OFP8 v1.0; arXiv 2302.08007; GGUF's file format. */
enum tsr_status tsr_quantize_f32(const struct tsr_quant *q, const float *x, size_t x_stride,
                                 void *elements, void *scales, struct tsr_error *err);
enum tsr_status tsr_quantize_bf16(const struct tsr_quant *q, const uint16_t *x, size_t x_stride,
                                  void *elements, void *scales, struct tsr_error *err);

/* Back: y = element times scale, rounded once to f32, nearest even; bf16: that rounded once more.
 * NaN scales or elements give 0x7FC00000 (0x7FC0); integers that are 0 give +0.
 * Shapes, alignment, aliasing, errors, threads: as above. */
enum tsr_status tsr_dequantize_f32(const struct tsr_quant *q, const void *elements,
                                   const void *scales, float *y, size_t y_stride,
                                   struct tsr_error *err);
enum tsr_status tsr_dequantize_bf16(const struct tsr_quant *q, const void *elements,
                                    const void *scales, uint16_t *y, size_t y_stride,
                                    struct tsr_error *err);

/* int32 sums of integer products back to values. */
struct tsr_requantize {
    enum tsr_dtype y_format; /* f32 bf16 i8 */
    size_t rows, cols;
    const int32_t *x;          /* rows x cols */
    size_t x_stride;           /* elements from row to row, as all strides here */
    const float *row, *column; /* rows and cols of them: the scales of the products' operands */
    const float *bias;         /* cols of them; null: none */
    void *y;                   /* rows x cols of y_format */
    size_t y_stride;
    /* i8, one of the two, the other null: */
    const float *given; /* scales of the result's rows, from 2^-120 to 2^120 */
    size_t given_step;  /* 0: one for all rows, 1: one a row */
    float *found;       /* rows of them: where the scale of each row goes */
};

/* y[r][c] = x[r][c] row[r] column[c] + bias[c].
 * Numerics: x rounded to f32, each product and the sum rounded in f32, in this order, all to
 *   nearest even; f32: that; bf16: rounded once more; i8 with scales given: times the f32
 *   reciprocal of the scale, rounded, then to the nearest even integer within +-127; with scales
 *   found: what tsr_quantize_f32 makes of the f32 row, one scale for the row. A NaN is 0x7FC00000,
 *   0x7FC0, code 0 under a scale given. The same bits from every variant at every vector length,
 *   and those of the machine's own kernel.
 * Aliasing: none.
 * Errors: TSR_USAGE another format, i8 with both or neither of the scales; TSR_BAD_INPUT a scale
 *   out of range; nothing is then written. Strides below the row length: assertion.
 * Threads: any number at once on different outputs. Allocates nothing; with scales found 64 KiB of
 *   stack, and rows of more than 16384 elements are computed twice. */
enum tsr_status tsr_requantize_run(const struct tsr_requantize *op, struct tsr_error *err);

/* RMSNorm, and a gated activation, whose rows leave as codes: the values live in a small buffer.
 * Shapes: x, gate, up rows x cols of q, row-major, strides in elements; w cols of f32 or null.
 *   _bf16: x, gate, up are bf16 bits, widened to f32; values are not rounded to bf16 between.
 * Numerics: the bits of tsr_rmsnorm_f32 or tsr_gate_f32 (tessera/vecmath.h) into f32 rows followed
 *   by tsr_quantize_f32.
 * Formats, alignment, aliasing, errors, threads: as tsr_quantize_f32. Allocates nothing; 8 KiB of
 *   stack, i8 72 KiB. The values of i8 groups of more than 16384 elements are computed twice. */
enum tsr_status tsr_rmsnorm_quantize_f32(const struct tsr_quant *q, double eps, const float *x,
                                         size_t x_stride, const float *w, void *elements,
                                         void *scales, struct tsr_error *err);
enum tsr_status tsr_rmsnorm_quantize_bf16(const struct tsr_quant *q, double eps, const uint16_t *x,
                                          size_t x_stride, const float *w, void *elements,
                                          void *scales, struct tsr_error *err);

/* act, limit, alpha: as tsr_gate_f32. */
struct tsr_gate {
    enum tsr_activation act;
    double limit, alpha; /* SWIGLU_CLAMP alone */
};
enum tsr_status tsr_gate_quantize_f32(const struct tsr_quant *q, struct tsr_gate act,
                                      const float *gate, size_t gate_stride, const float *up,
                                      size_t up_stride, void *elements, void *scales,
                                      struct tsr_error *err);
enum tsr_status tsr_gate_quantize_bf16(const struct tsr_quant *q, struct tsr_gate act,
                                       const uint16_t *gate, size_t gate_stride, const uint16_t *up,
                                       size_t up_stride, void *elements, void *scales,
                                       struct tsr_error *err);

#ifdef __cplusplus
}
#endif
#endif
