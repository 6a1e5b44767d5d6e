/* SPDX-License-Identifier: Apache-2.0 */
/* Number formats. A format is a row of isa/formats.yaml; this is that row in memory. */
#ifndef TESSERA_DTYPE_H
#define TESSERA_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How the bits of a format are read. One codec file per family. */
enum tsr_family {
    TSR_FAMILY_FLOAT, /* sign, exponent, mantissa; `specials` says what the top codes mean */
    TSR_FAMILY_INT,   /* two's complement */
    TSR_FAMILY_MX,    /* blocks of `elem` with one E8M0 scale (OCP MX) */
    TSR_FAMILY_SMX,   /* shared microexponents: mx9, mx6, mx4 */
    TSR_FAMILY_NVF,   /* blocks of `elem` with one e4m3 scale */
    TSR_FAMILY_GGUF,  /* blocks of ggml files */
};

/* What the highest exponent code of a float format holds. */
enum tsr_specials {
    TSR_SPECIALS_IEEE, /* infinities and NaNs */
    TSR_SPECIALS_FN,   /* finite but for S.11..1, the NaN (OFP8 e4m3) */
    TSR_SPECIALS_NONE, /* all codes are numbers (e3m2, e2m3, e2m1) */
};

/* Codes of the built-in formats: they equal the `code` of the row, and the format field of the
 * instructions. Overlays may add rows with other codes (0..31). */
enum tsr_dtype {
    TSR_F32 = 0,
    TSR_F16 = 1,
    TSR_BF16 = 2,
    TSR_F8E4M3 = 3,
    TSR_F8E5M2 = 4,
    TSR_I8 = 5,
    TSR_I4 = 6,
    TSR_I32 = 7,
    TSR_MXF8E4M3 = 8,
    TSR_MXF8E5M2 = 9,
    TSR_MXF6E3M2 = 10,
    TSR_MXF6E2M3 = 11,
    TSR_MXF4 = 12,
    TSR_MXI8 = 13,
    TSR_MX9 = 14,
    TSR_MX6 = 15,
    TSR_MX4 = 16,
    TSR_NVF4 = 17,
    TSR_Q8_0 = 18,
    TSR_Q4_0 = 19,
    TSR_Q4_K = 20,
    TSR_Q6_K = 21,
    TSR_DTYPE_MAX = 32, /* codes are five bits */
};

struct tsr_format {
    char name[16];
    uint8_t code;
    enum tsr_family family;
    enum tsr_specials specials; /* FLOAT only */
    uint8_t bits;               /* of one element, without block scales */
    uint8_t ebits, mbits;       /* FLOAT; mbits also for SMX (magnitude bits) */
    int16_t bias;               /* FLOAT */
    uint8_t block;              /* elements per block; 1 where there is none */
    uint8_t scale_bits;         /* bits of block scale data per block; 0 where there is none */
    uint8_t width_class;        /* 16, 9 or 6: the tensor unit's rate; 0: it does not take it */
    uint8_t memory_bits;        /* bits per element as stored, scales left out (8.5 -> see smx) */
    char doc[96];
};

#ifdef __cplusplus
}
#endif
#endif
