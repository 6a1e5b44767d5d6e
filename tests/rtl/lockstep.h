/* SPDX-License-Identifier: Apache-2.0 */
/* The RTL of one tile beside the record of the simulator's: cycle by cycle the same. */
#ifndef TESTS_RTL_LOCKSTEP_H
#define TESTS_RTL_LOCKSTEP_H

#include <string>

#include "tests/rtl/record.h"

struct lockstep {
    const struct tsr_isa *isa;
    const struct tsr_chip *chip;
    const char *wave; /* FST file; null: none */
    /* Gets what the RTL did, from its own ports, of programs that were equal; may be null. */
    void (*traced)(void *self, const struct tsr_program *p, const struct rtl_record *own) = nullptr;
    void *traced_self = nullptr;
    /* of all programs so far */
    uint64_t programs = 0, not_run = 0, instructions = 0, cycles = 0, mismatches = 0;
    std::string report; /* of the last program: its first difference, or the unit that lacks */
};

enum class verdict {
    equal,
    different,
    not_built
};

/* Runs the program on the RTL, given what the simulator did. The record must be finished. */
verdict lockstep_run(struct lockstep *l, const struct tsr_program *p, const struct rtl_record *r);

#endif
