/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_RTL_RANDOM_H
#define TESTS_RTL_RANDOM_H

#include <string>

#include "tessera/chip.h"
#include "tessera/isa.h"

struct random_units {
    bool ttu_sync = true; // tsync, for queues and semaphores
    bool tvp = true;      // vector routines
    bool dma = true;      // copies, gathers, scatters, remote posts
};

/* The text of a program that ends: straight code, loops, forward branches, control memory, waits
 * and posts that balance, about `length` words. The same seed gives the same text. */
std::string random_program(const struct tsr_isa *isa, const struct tsr_chip *chip,
                           const random_units &units, uint64_t seed, unsigned length);

/* Spoils a word or two, so that faults and wild control flow are met. */
void random_damage(struct tsr_program *p, uint64_t seed);

/* splitmix64 */
uint64_t random_next(uint64_t *state);

#endif
