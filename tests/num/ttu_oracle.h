/* SPDX-License-Identifier: Apache-2.0 */
/* A second tensor unit: the rules of isa/MACHINE.md read once more, in integers of any length (GMP)
 * and one rounding by MPFR. It shares nothing with isa/num but enum tsr_dtype: formats, packing,
 * scales, sums and rounding are its own, slow and plain. Only where MPFR is installed. */
#ifndef TESTS_NUM_TTU_ORACLE_H
#define TESTS_NUM_TTU_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mpfr.h>

#include "tessera/dtype.h"

enum tsr_oracle_kind {
    TSR_ORACLE_FLOAT,  /* sign, exponent, fraction */
    TSR_ORACLE_TWOS,   /* two's complement */
    TSR_ORACLE_OFFSET, /* the unsigned code less 8 */
    TSR_ORACLE_SHIFT   /* sign and magnitude, a shift bit per pair */
};

enum tsr_oracle_scale {
    TSR_ORACLE_NO_SCALE,
    TSR_ORACLE_E8M0,
    TSR_ORACLE_E4M3,
    TSR_ORACLE_F16
};

/* A format that the tensor unit takes, of formats.yaml or of overlay.h. */
struct tsr_oracle_format {
    const char *name;
    enum tsr_dtype dtype;
    enum tsr_oracle_kind kind;
    int bits;         /* of an element, its pair's shift left out */
    int ebits, mbits; /* FLOAT, SHIFT: of the magnitude */
    int least;        /* exponent of the least magnitude */
    int significand;  /* bits that hold any magnitude */
    enum tsr_specials specials;
    unsigned block; /* 0: none */
    enum tsr_oracle_scale scale;
    bool wide; /* its products span too many bits for an exact sum */
};

enum {
    TSR_ORACLE_FORMATS = 24
};
extern const struct tsr_oracle_format tsr_oracle_formats[TSR_ORACLE_FORMATS];

/* Whether the format is a plain integer, which multiplies only its like. */
bool tsr_oracle_plain_integer(const struct tsr_oracle_format *f);

/* Codes of an element, for put and get: its bits, and above them its pair's shift (SHIFT only). */
unsigned tsr_oracle_code_bits(const struct tsr_oracle_format *f);

/* Bytes of k elements that lie together, of the scale of one block, and of the scales of k. */
size_t tsr_oracle_element_bytes(const struct tsr_oracle_format *f, unsigned k);
size_t tsr_oracle_one_scale_bytes(const struct tsr_oracle_format *f);
size_t tsr_oracle_scale_bytes(const struct tsr_oracle_format *f, unsigned k);

/* Element k of a run; the shift that put writes holds for the whole pair. */
void tsr_oracle_put(const struct tsr_oracle_format *f, uint8_t *run, unsigned k, uint32_t code);
uint32_t tsr_oracle_get(const struct tsr_oracle_format *f, const uint8_t *run, unsigned k);
/* The scale of block b. */
void tsr_oracle_put_scale(const struct tsr_oracle_format *f, uint8_t *scales, unsigned b,
                          uint32_t code);

enum tsr_oracle_class {
    TSR_ORACLE_NUMBER,
    TSR_ORACLE_INFINITE,
    TSR_ORACLE_NAN
};

/* m 2^e; INFINITE: the sign of m. */
struct tsr_oracle_value {
    enum tsr_oracle_class class;
    int m, e;
};

/* An element without its scale; a scale (1 where the format has none). */
struct tsr_oracle_value tsr_oracle_element(const struct tsr_oracle_format *f, uint32_t code);
struct tsr_oracle_value tsr_oracle_scale(const struct tsr_oracle_format *f, uint32_t code);

/* One operand in memory, rows times k. Element (i, k) is element k of the run at codes + i * stride
 * (k_strided: element i of the run at codes + k * stride); the scales of row i start at scales +
 * i * scale_stride, the block of k = 0 first. */
struct tsr_oracle_operand {
    const struct tsr_oracle_format *format;
    const uint8_t *codes;
    ptrdiff_t stride;
    bool k_strided;
    const uint8_t *scales;
    ptrdiff_t scale_stride;
};

/* Consecutive k of a step of r that are summed before scales are applied. */
unsigned tsr_oracle_group(const struct tsr_oracle_format *a, const struct tsr_oracle_format *b,
                          unsigned r);

/* Whether steps of r divide into groups, and blocks too: for others the rules do not say where
 * the groups of a step end. */
bool tsr_oracle_even(const struct tsr_oracle_format *a, const struct tsr_oracle_format *b,
                     unsigned r);

/* c[i * c_stride + j] = (overwrite ? 0 : c) + A[m,k] x B[k,n] in steps of r, which is even in the
 * sense above. f32 bits or int32. */
void tsr_oracle_mma(const struct tsr_oracle_operand *a, const struct tsr_oracle_operand *b,
                    unsigned m, unsigned n, unsigned k, unsigned r, uint32_t *c, size_t c_stride,
                    bool overwrite);

/* x rounded once to f32, nearest even, as bits; x of any precision, no NaN. An exact zero is +0. */
uint32_t tsr_oracle_round(mpfr_srcptr x);

#endif
