/* SPDX-License-Identifier: Apache-2.0 */
/* Operands of the tensor unit made to hurt, for tests against ttu_oracle.h. */
#ifndef TESTS_NUM_TTU_OPERANDS_H
#define TESTS_NUM_TTU_OPERANDS_H

#include "isa/num/num.h"
#include "tests/num/ttu_oracle.h"

enum {
    TSR_SIDE_ROWS = 70,
    TSR_SIDE_K = 2200,
    TSR_SIDE_BYTES = 1 << 18
};

/* How an operand's codes come about; `scale` and `element` are chosen apart. */
enum tsr_element_style {
    TSR_ELEMENTS_ANY,     /* any bits, NaN and infinity among them */
    TSR_ELEMENTS_FINITE,  /* any number */
    TSR_ELEMENTS_CLOSE,   /* exponents alike */
    TSR_ELEMENTS_LARGEST, /* largest magnitude, either sign */
    TSR_ELEMENTS_ALIKE,   /* largest magnitude, one sign */
    TSR_ELEMENTS_LEAST,   /* least magnitudes */
    TSR_ELEMENTS_SPARSE,  /* mostly zero */
    TSR_ELEMENTS_CANCEL,  /* A negates what lies some elements before, B repeats it */
    TSR_ELEMENT_STYLES
};
enum tsr_scale_style {
    TSR_SCALES_ALIKE,   /* all of the operand alike, near 1 */
    TSR_SCALES_NEAR,    /* a few powers of two apart: where the alignment of groups cuts */
    TSR_SCALES_LOW,     /* results near the least f32 */
    TSR_SCALES_HIGH,    /* results near the largest */
    TSR_SCALES_EXTREME, /* the ends of the range */
    TSR_SCALES_ANY,     /* any code, NaN among them */
    TSR_SCALE_STYLES
};

struct tsr_side {
    const struct tsr_oracle_format *f;
    unsigned rows, k;
    uint32_t code[TSR_SIDE_ROWS][TSR_SIDE_K], scale[TSR_SIDE_ROWS][TSR_SIDE_K];
    uint8_t *end; /* of guarded memory */
    struct tsr_oracle_operand oracle;
    struct tsr_num_operand num;
};

/* Chooses the codes of a side whose format, rows (<= TSR_SIDE_ROWS) and k (<= TSR_SIDE_K) are set.
 * apart: how far back CANCEL looks. Values come from the generator at *s, here and below. */
void tsr_side_choose(struct tsr_side *o, bool is_a, enum tsr_element_style style,
                     enum tsr_scale_style scales, unsigned apart, uint64_t *s);

/* Makes `count` elements or scales NaN, infinite or zero. */
void tsr_side_sprinkle(struct tsr_side *o, unsigned count, uint64_t *s);

/* Lays the codes into the memory before o->end, TSR_SIDE_BYTES of it, which a guard page follows;
 * what they leave there is random. Rows either carry their scales or these lie in a plane of their
 * own. Fills o->oracle and o->num. */
void tsr_side_lay(struct tsr_side *o, bool k_strided, uint64_t *s);

#endif
