/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_RTL_RANDOM_TVP_H
#define TESTS_RTL_RANDOM_TVP_H

#include "tests/rtl/random_plan.h"

/* A vector routine of a program: called with the base of its window in the first register. */
struct routine {
    std::string name;
    uint64_t bytes;        // of the TSRAM from the base on, read and written
    uint64_t first, banks; // of accumulators, read
};

/* Writes the routine's text, of about `words` words. */
routine random_routine(plan *p, unsigned number, unsigned words);

#endif
