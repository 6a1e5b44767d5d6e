/* SPDX-License-Identifier: Apache-2.0 */
/* Vector code that turns a row of values into blocks of a format: for the kernels of quantize.h and
 * for those that end in one (norm, gate, epilogue of a matmul).
 *
 * A row is worked off in spans: the least run of whole slabs and whole blocks. The values of a span
 * come from a source, whose loads are this code's; several spans go together (a batch), so that
 * their latencies overlap.
 *
 * Registers: v0..v15 values and second operands, v16..v27 scales and reciprocals (or v24..v27 the
 * source's own), v28 v29 constants, v30 v31 the source's. a3 walks over the elements, a9 over the
 * scales; a13 counts. */
#ifndef KERNELS_NPU_QUANTIZE_TEXT_H
#define KERNELS_NPU_QUANTIZE_TEXT_H

#include "kernels/npu/schedule.h"
#include "tessera/chip.h"

enum {
    NPU_QUANT_ELEMENTS = 3, /* address registers */
    NPU_QUANT_SCALES = 9,
    NPU_QUANT_OWN = 24, /* a source's own, if it says so */
    NPU_QUANT_END = 28,
    NPU_QUANT_KEPT = 30,
};

/* How the results lie in TSRAM. A unit is what one row has in a slab: ks elements. */
struct npu_quant {
    const struct tsr_isa *isa;
    const struct tsr_chip *chip;
    const struct tsr_format *format;     /* a block format */
    uint32_t ks;                         /* a multiple of the block, or a divisor of it */
    uint64_t units;                      /* of a row */
    uint32_t element_pitch, scale_pitch; /* bytes from unit to unit */
    uint64_t row_pitch, scales_at;       /* bytes from row to row of both; to the first scales */
    bool aligned;                        /* units start at lines, rows at each eighth line */
    double tensor_scale;                 /* nvf4; 0: none */

    /* Set by npu_quant_plan. */
    uint32_t span, spans;   /* elements; of a row */
    uint32_t vectors, runs; /* of a span; those that share a scale */
    uint32_t batch, group;  /* spans in one piece of code; loaded together */
    /* registers, used by turns: values, second operands, scales, reciprocals */
    uint32_t values, seconds, first_scale, scales, rest;
};

/* Where the values of a span come from. */
struct npu_quant_input {
    unsigned areg; /* walks over the spans */
    enum tsr_dtype format;
    uint32_t span_pitch; /* bytes from span to span: at least `vectors` vectors */
    uint64_t row_pitch;  /* from row to row */
    bool aligned;        /* as in struct npu_quant */
};
struct npu_quant_source {
    unsigned inputs; /* 1 or 2 */
    struct npu_quant_input in[2];
    bool own; /* keeps something in v24..v27 */
    /* Appends v<x> = f(v<x>, v<second>), which may change both; null: v<x> as it is. */
    void (*value)(struct npu_block *b, const void *self, unsigned x, unsigned second);
    const void *self;
};

void npu_quant_plan(struct npu_quant *q);
/* Registers for a source: before npu_quant_row. */
void npu_quant_registers(struct npu_quant *q, const struct npu_quant_source *s);
/* Sets v28 and v29. */
void npu_quant_constants(struct tsr_text *t, const struct npu_quant *q);
/* All spans of a row; then all address registers are at the next row. `name` makes labels. */
void npu_quant_row(struct tsr_text *t, const struct npu_quant *q, const struct npu_quant_source *s,
                   const char *name);

/* Bytes of a unit's elements and of its scales. */
uint32_t npu_quant_element_bytes(const struct npu_quant *q);
uint32_t npu_quant_scale_bytes(const struct npu_quant *q);

#endif
