/* SPDX-License-Identifier: Apache-2.0 */
/* Programs are written as assembly text: what a kernel author reads in a dump is what the kernel's
 * C file says. A growing buffer with printf, and the last step to a program. */
#ifndef TESSERA_KERNELS_NPU_TEXT_H
#define TESSERA_KERNELS_NPU_TEXT_H

#include "tessera/chip.h"
#include "tessera/isa.h"

struct tsr_text {
    char *text;
    size_t n, cap;
    bool failed; /* out of memory */
};

/* Appends a formatted line (the newline is added). */
void tsr_text_line(struct tsr_text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Assembles the text, sets the program's tiles and their launch arguments, and frees the text.
 * args: [tiles][TSR_LAUNCH_REGS], copied; x1 is args[tile][0]. May be null. */
enum tsr_status tsr_text_program(struct tsr_text *t, const struct tsr_isa *isa, const char *name,
                                 uint32_t tiles, const int64_t (*args)[TSR_LAUNCH_REGS],
                                 struct tsr_program *out, struct tsr_error *err);

#endif
