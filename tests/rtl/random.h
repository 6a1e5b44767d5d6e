/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_RTL_RANDOM_H
#define TESTS_RTL_RANDOM_H

#include <string>
#include <vector>

#include "tessera/chip.h"
#include "tessera/isa.h"

/* Far memory of a random program: of every format RANDOM_PATTERN bytes with its extremes, elements
 * and, from RANDOM_SCALES on, scales; then, from RANDOM_PATTERNS on, as many bytes of noise. */
enum {
    RANDOM_PATTERN = 1024,
    RANDOM_SCALES = 768,
    RANDOM_PATTERNS = 32 * RANDOM_PATTERN,
    RANDOM_LIST = 1024 /* bytes of control memory that hold lists of indices */
};
std::vector<uint8_t> random_memory(const struct tsr_isa *isa, uint64_t seed);

/* The greatest finite element of a format as f32, by loading all its codes; 1 if it has none. */
uint32_t random_greatest(const struct tsr_isa *isa, uint64_t code);

enum class random_kind {
    legal,   // ends by halt
    faulty,  // meets a fault on its way, most likely
    damaged, // one to three words have a bit or more flipped
};

/* Of a seed: its length, 10 to `most` instructions, all magnitudes alike, and its kind. */
uint64_t random_length(uint64_t seed, uint64_t most);
random_kind random_kind_of(uint64_t seed);

/* The text of a program that ends, of about `length` instructions of the TCP when it runs: all
 * units at once, free of races unless damaged. The same arguments give the same text. */
std::string random_program(const struct tsr_isa *isa, const struct tsr_chip *chip, uint64_t seed,
                           uint64_t length, random_kind kind);

/* A legal one of one unit's instructions alone, and of what they need. */
std::string random_program_of(const struct tsr_isa *isa, const struct tsr_chip *chip, uint64_t seed,
                              uint64_t length, enum tsr_unit unit);

/* Assembles; what follows "#!word" in a line replaces the word which the line gives. */
enum tsr_status random_assemble(const struct tsr_isa *isa, const char *name,
                                const std::string &text, struct tsr_program *p,
                                struct tsr_error *err);

/* The text with some words spoiled; the text line by line. */
std::string random_damaged(const struct tsr_isa *isa, const std::string &text, uint64_t seed);
std::vector<std::string> random_lines(const std::string &text);

/* splitmix64 */
uint64_t random_next(uint64_t *state);

#endif
