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
void tsr_gen_format_pkg(FILE *out, const struct tsr_isa *isa);
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

/* `name` in capitals. */
const char *tsr_gen_upper(const char *name, char *out, size_t cap);

#endif
