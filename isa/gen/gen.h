/* SPDX-License-Identifier: Apache-2.0 */
/* Inside tessera-gen: what it writes from the data. */
#ifndef ISA_GEN_GEN_H
#define ISA_GEN_GEN_H

#include <stdio.h>

#include "isa/chip.h"
#include "tessera/isa.h"

/* The instruction set's manual in Markdown. */
void tsr_gen_md(FILE *out, const struct tsr_isa *isa);
/* SystemVerilog: opcodes, fields and decoders; formats; one chip's figures. */
void tsr_gen_isa_pkg(FILE *out, const struct tsr_isa *isa);
/* Part of the package: what the control processor does with a word. */
void tsr_gen_tcp_functions(FILE *out, const struct tsr_isa *isa);
/* Part of the package: what the vector processor does with a word, and the formats as its loads and
 * stores take them. */
void tsr_gen_tvp_functions(FILE *out, const struct tsr_isa *isa);
/* Modules that depend on which rows and formats there are: all lanes, the fold of the reductions'
 * tree, the places of elements in memory. */
void tsr_gen_tvp_modules(FILE *out, const struct tsr_isa *isa);
/* Kinds of vector results that have a latency of their own: outputs of the arithmetic side. */
int tsr_gen_tvp_classes(const struct tsr_isa *isa);
void tsr_gen_format_pkg(FILE *out, const struct tsr_isa *isa);
/* Part of it: codes as the tensor unit widens them. */
void tsr_gen_format_functions(FILE *out, const struct tsr_isa *isa);
void tsr_gen_chip_pkg(FILE *out, const struct tsr_chip *chip);
/* A vector lane, its primitives' modules, and the tables of the elementary functions. Exits where a
 * row's latency is below what its primitives take. */
void tsr_gen_lane(FILE *out, const struct tsr_isa *isa);
void tsr_gen_primitives(FILE *out);
void tsr_gen_tables(FILE *out);
/* The chip's figures and what of the instruction set types depend on, to be included. */
void tsr_gen_figures(FILE *out, const struct tsr_isa *isa, const struct tsr_chip *chip);
/* Registers that a unit instruction has at most. */
int tsr_gen_slots(const struct tsr_isa *isa);

/* function NAME(word) with a case over the opcode; `row` writes the value of a row, false where the
 * row has none. */
void tsr_gen_function(FILE *out, const struct tsr_isa *isa, enum tsr_stream s, const char *name,
                      int bits, bool (*row)(FILE *, const struct tsr_isa *, const struct tsr_op *));
/* word[msb:lsb] of the operand; false where the row has none of that name. */
bool tsr_gen_field(FILE *out, const struct tsr_op *op, const char *name);

/* `name` in capitals. */
const char *tsr_gen_upper(const char *name, char *out, size_t cap);

#endif
