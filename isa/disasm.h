/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the disassembler: text under construction. */
#ifndef ISA_DISASM_H
#define ISA_DISASM_H

#include "isa/code.h"

/* Writes what fits into out[0..cap) and counts all in n, as snprintf. */
struct tsr_text {
    char *out;
    size_t n, cap;
};

void tsr_text_add(struct tsr_text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A number, addresses as hbm:... or csram:...; reads back as the same value. */
void tsr_text_number(struct tsr_text *t, int64_t v);
/* An instruction; `label` (or null) stands for its label operand. */
void tsr_text_insn(struct tsr_text *t, const struct tsr_isa *isa, const struct tsr_insn *in,
                   const char *label);

#endif
