/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the kernels that end or start with blocks: where those lie in a stream's slots. */
#ifndef KERNELS_NPU_QUANTIZE_EMIT_H
#define KERNELS_NPU_QUANTIZE_EMIT_H

#include "kernels/npu/quantize.h"
#include "kernels/npu/quantize_text.h"
#include "kernels/npu/stream.h"

/* Where rows x k elements of a block format lie in HBM. */
struct npu_quant_place {
    enum tsr_dtype format;
    uint64_t rows, k;
    const struct tsr_npu_slab *slab; /* null: two planes */
    double tensor_scale;
    uint64_t y, y_stride, scales, scale_stride;
};

/* Bytes of a value: f32, bf16, f16; 0: another format. */
uint32_t npu_quant_value_size(const struct tsr_isa *isa, enum tsr_dtype f);
/* Plans q and sets the stream's outputs. */
enum tsr_status npu_quant_layout(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                 const struct npu_quant_place *p, struct npu_quant *q,
                                 struct npu_stream *s, struct tsr_error *err);
/* Rows of k values as an input of the code in q and of the stream. */
void npu_quant_input_rows(const struct npu_quant *q, const struct tsr_isa *isa, uint64_t k,
                          enum tsr_dtype format, uint64_t address, uint64_t stride,
                          struct npu_quant_input *in, struct npu_tensor *x);
/* Zeros behind the last value of each row of input i, in all slots: once, before anything is read.
 */
void npu_quant_clear(struct tsr_text *t, const struct npu_quant *q, const struct npu_stream *s,
                     uint32_t i, uint64_t k, const char *name);

enum {
    NPU_INT_FACTOR = 31 /* of struct npu_ints: a norm's factor */
};

/* Rows into i8 or i4 with a scale each, in quantize_int.c; checked by their caller but for the
 * formats and whether they fit. */
struct npu_ints {
    const char *name;
    uint64_t rows, cols;
    enum tsr_dtype x_format, y_format, scale_format;
    uint64_t x, x_stride, y, y_stride, scales; /* strides 0: dense */
    double given_scale;                        /* 0: from the row */

    /* An operation before: v<x> = f(v<x>, v<second>), null: none. It may use v24..v27 and v31. */
    void (*value)(struct npu_block *b, const void *self, unsigned x, unsigned second);
    void (*constants)(struct tsr_text *t, const void *self); /* once; or null */
    const void *self;
    enum tsr_dtype second_format;
    uint64_t second, second_stride; /* 0: one operand */
    bool second_kept;               /* the same row for all: in TSRAM */
    bool norm;                      /* v31 = 1 / sqrt(mean of the squares + eps) of each row */
    double eps;
};
enum tsr_status npu_ints_program(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                 const struct npu_ints *op, struct tsr_program *out,
                                 struct tsr_error *err);
enum tsr_status npu_quantize_integers(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                      const struct tsr_npu_quantize *op, struct tsr_program *out,
                                      struct tsr_error *err);

#endif
