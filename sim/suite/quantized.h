/* SPDX-License-Identifier: Apache-2.0 */
/* Results in formats of few bits: what isa/num makes of the same values, byte by byte. */
#ifndef SIM_SUITE_QUANTIZED_H
#define SIM_SUITE_QUANTIZED_H

#include "kernels/npu/slab.h"
#include "sim/suite/suite.h"

/* Values of a format as f32 bits: ordinary blocks mixed with those of zeros, subnormals, one NaN or
 * infinity, largest values. */
void quantized_fill(struct suite *s, const struct tsr_format *f, uint32_t *x, size_t n);

/* One tensor of a result. */
struct quantized {
    size_t bytes;
    uint8_t *want, *got;
    uint64_t address;
};
enum tsr_status quantized_new(struct suite *s, struct quantized *p, size_t bytes,
                              struct tsr_error *err);
enum tsr_status quantized_check(struct suite *s, struct quantized *p, const char *what,
                                struct tsr_error *err);

/* Rows of blocks, in planes (elements, scales) or slab-major. Set the first four. */
struct quantized_blocks {
    const struct tsr_format *format;
    bool planes;
    enum tsr_dtype partner; /* slab-major beside such an operand; 0: its own format */
    double tensor_scale;
    uint64_t rows, k;
    struct tsr_npu_slab slab;
    struct quantized part[2];
};
enum tsr_status quantized_place(struct suite *s, struct quantized_blocks *b, uint64_t rows,
                                uint64_t k, struct tsr_error *err);
/* What rows x k f32 values give. */
enum tsr_status quantized_want(struct suite *s, struct quantized_blocks *b, const uint32_t *x,
                               struct tsr_error *err);
enum tsr_status quantized_blocks_check(struct suite *s, struct quantized_blocks *b,
                                       struct tsr_error *err);

#endif
