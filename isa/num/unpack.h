/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files that take operands apart share. Private to isa/num. */
#ifndef ISA_NUM_UNPACK_H
#define ISA_NUM_UNPACK_H

#include "isa/num/mma_steps.h"

enum {
    NUM_PIECE = 64 /* elements of a run taken at a time */
};

/* Codes and what they are, as in struct tsr_num_panel. */
struct num_piece {
    uint16_t code[NUM_PIECE];
    int16_t exponent[NUM_PIECE], magnitude[NUM_PIECE], sign[NUM_PIECE];
    int32_t value[NUM_PIECE];
    uint8_t special[NUM_PIECE]; /* NaN or infinity */
    bool any_special;
};

/* n <= NUM_PIECE codes from element `from` (a multiple of 16) of a run in the plane of elements;
 * smx: sign at NUM_SMX_SIGN, magnitudes with their pair's shift. */
void num_fetch(const struct tsr_format *f, uint16_t *code, const uint8_t *run, size_t from,
               uint32_t n);

/* Sign, magnitude and exponent of each code of a float; a special's magnitude is 0. Always whole
 * pieces: codes beyond the run's end are whatever was there. */
void num_split_floats(const struct tsr_format *f, struct num_piece *p);

/* The row holds a NaN or an infinity: as p->special and p->any_special; clears the marks before the
 * first. */
void num_mark_row(struct tsr_num_panel *p, uint32_t row);

/* The block scales of one row into the panel, one for each group; elements under a scale that is
 * zero or NaN become that. The row's elements are in place. */
void num_unpack_scales(const struct tsr_num_plan *plan, const struct tsr_format *f,
                       const uint8_t *scales, uint32_t row, struct tsr_num_panel *p);

#endif
