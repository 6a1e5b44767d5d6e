// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_RTL_RANDOM_TVP_H
#define TESTS_RTL_RANDOM_TVP_H

#include <string>

#include "tessera/chip.h"
#include "tessera/isa.h"

// The text of `n` routines r0, r1, ... of vector words of every row that ends by itself: loops,
// accesses of all formats that meet each other's lines, lengths of vectors, results that hurry and
// results that wait. The numbers of the TCP's arguments may be anything.
std::string random_routines(const struct tsr_isa *isa, const struct tsr_chip *chip, unsigned n,
                            uint64_t *state);

#endif
