/* SPDX-License-Identifier: Apache-2.0 */
/* Inside encoder, decoder, assembler and disassembler: operand values. */
#ifndef ISA_CODE_H
#define ISA_CODE_H

#include "tessera/isa.h"

enum {
    TSR_SEM_ID_BITS = 6,  /* WAIT: id and amount << 6; POST: id and valid << 6 */
    TSR_MAX_WORDS = 65536, /* of a stream: labels of the rows have 16 bits, or more in overlays */
    TSR_MAX_CONTROL = 65536, /* bytes of one tile's control image; as chips may have */
};

/* Address spaces: bits 63..56 of an address. */
enum tsr_space { TSR_SPACE_TSRAM, TSR_SPACE_CSRAM, TSR_SPACE_HBM };

/* Whether an operand may have the value: then it has an encoding, and only then. */
bool tsr_operand_legal(const struct tsr_operand *o, int64_t v);

/* "3, allowed are 0 to 2" and the like, for messages. */
void tsr_operand_complain(const struct tsr_isa *isa, const struct tsr_operand *o, int64_t v,
                          char *out, size_t cap);

/* The field's bits in the word, unsigned; and setting them (v masked to the width). */
uint64_t tsr_field_get(const struct tsr_word *w, unsigned at, unsigned width);
void tsr_field_set(struct tsr_word *w, unsigned at, unsigned width, uint64_t v);

static inline bool tsr_operand_is_sem(const struct tsr_operand *o)
{
    return o->kind == TSR_KIND_WAIT || o->kind == TSR_KIND_POST;
}

/* Whether the row's label is a word of the TVP stream although the row is of the TCP's. */
static inline bool tsr_op_calls_routine(const struct tsr_op *op)
{
    return op->stream == TSR_STREAM_TCP && op->unit == TSR_UNIT_TVP;
}

#endif
