/* SPDX-License-Identifier: Apache-2.0 */
/* What the codecs of block formats share. Private to isa/num. */
#ifndef ISA_NUM_BLOCK_H
#define ISA_NUM_BLOCK_H

#include <string.h>

#include "isa/num/bits.h"
#include "isa/num/quant.h"

#define BLOCK_LEAST_NORMAL UINT32_C(0x00800000) /* 2^-126: its reciprocal is finite and normal */

/* A family's codec: one row of n > 0 elements, arguments checked. */
struct block_codec {
    enum tsr_status (*check)(const struct tsr_num_quant *q, size_t n, struct tsr_error *err);
    size_t (*element_bytes)(const struct tsr_num_quant *q, size_t n);
    size_t (*scale_bytes)(const struct tsr_num_quant *q, size_t n);
    void (*quantize)(const struct tsr_num_quant *q, const uint32_t *x, size_t n, uint8_t *elements,
                     uint8_t *scales);
    void (*dequantize)(const struct tsr_num_quant *q, const uint8_t *elements,
                       const uint8_t *scales, size_t n, uint32_t *out);
};

extern const struct block_codec block_mx, block_smx, block_nvf, block_int, block_gguf;

/* OCP's E8M0 and smx's shared exponent alike. */
enum {
    BLOCK_EXPONENT_BIAS = 127,
    BLOCK_EXPONENT_NAN = 0xFF
};

extern const struct tsr_format block_f16, block_e4m3;

/* A positive or negative factor m * 2^e, or what is none. */
struct block_factor {
    uint64_t m; /* 0 only for a factor of zero; below 2^30 */
    int e;
    bool negative;
    uint32_t special; /* 0, TSR_NUM_INF or TSR_NUM_NAN */
};

struct block_factor block_factor_of(uint32_t f32_bits);
/* a * b of finite factors below 2^30 together. */
struct block_factor block_factor_times(struct block_factor a, struct block_factor b);

/* out[i] = x[i] * r, rounded to f32 as IEEE 754 says, magnitudes cut at `most`. All are f32 bits; x
 * finite, r neither zero nor NaN. out may be x. */
void block_scale_down(uint32_t *out, const uint32_t *x, size_t n, uint32_t r, uint32_t most);

/* x[i] *= d, rounded once to nearest even; zeros keep their sign unless d is special. */
void block_times(uint32_t *x, size_t n, struct block_factor d);

/* Code of a scale: x / divisor rounded to f32 (bits; x finite, divisor neither zero nor NaN), that
 * to the scale's format, both to nearest even. 0 for x = 0, else at least 2^-126 and the least
 * subnormal, at most the largest finite, with the quotient's sign. */
uint32_t block_scale_code(const struct tsr_format *f, uint32_t x, uint32_t divisor);
/* What elements are multiplied by: f32 bits of 1 / scale. A scale that is too small for its
 * reciprocal counts as 2^-126; neither zero nor NaN. */
uint32_t block_reciprocal(uint32_t scale);
/* The format's NaN. */
uint32_t block_scale_nan(const struct tsr_format *f);
void block_scale_store(const struct tsr_format *f, uint8_t *scales, size_t i, uint32_t code);
uint32_t block_scale_load(const struct tsr_format *f, const uint8_t *scales, size_t i);

/* f32 bits of the format's largest finite value. */
uint32_t block_largest(const struct tsr_format *element);

/* The element of a block format as a plain format of its own: an integer where it has no
 * exponent. */
static inline struct tsr_format block_element(const struct tsr_format *f)
{
    struct tsr_format e = *f;
    e.family = f->ebits > 0 ? TSR_FAMILY_FLOAT : TSR_FAMILY_INT;
    return e;
}

/* IEEE 754 binary32 division and multiplication are defined to the bit: the host's may serve. */
static inline float block_float(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline uint32_t block_bits(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* Largest magnitude as f32 bits; NaNs count above infinity. */
static inline uint32_t block_max(const uint32_t *x, size_t n)
{
    int32_t most = 0; /* magnitudes are positive as int32: SSE2 compares those */
    for (size_t i = 0; i < n; i++) {
        int32_t mag = (int32_t)(x[i] & NUM_MAGNITUDE);
        most = mag > most ? mag : most;
    }
    return (uint32_t)most;
}

/* floor(log2 x) of a finite magnitude; x > 0. */
static inline int block_exponent(uint32_t mag)
{
    return mag >> 23 ? (int)(mag >> 23) - 127 : 31 - num_clz32(mag) - 149;
}

static inline int block_clamp_exponent(int e)
{
    return e < -127 ? -127 : e > 127 ? 127 : e;
}

/* x * 2^-e. Rounded only where the result is subnormal in f32: far under what any element keeps. */
static inline uint32_t block_shift(uint32_t x, int e)
{
    int field = (int)(x >> 23 & 0xFF), to = field - e;
    if (field > 0 && field < 255 && to > 0 && to < 255)
        return x - ((uint32_t)e << 23);
    return tsr_num_scale_pow2(x, e);
}

static inline size_t block_count(size_t n, size_t block)
{
    return n / block + (n % block != 0);
}

#endif
