/* SPDX-License-Identifier: Apache-2.0 */
/* The running case of the suite: what suite.h's functions share. */
#ifndef SIM_SUITE_CASE_H
#define SIM_SUITE_CASE_H

#include "sim/suite/suite.h"

enum {
    SUITE_LINE = 1024,
    SUITE_MAX_REGIONS = 64,
    SUITE_LABEL = 96,
    SUITE_MESSAGE = 1200
};

/* The three runs of a program have a chip each, with memories of their own. */
enum suite_sim {
    SUITE_FULL,
    SUITE_TIMING,
    SUITE_FUNCTIONAL,
    SUITE_SIMS
};

/* A tensor and the noise behind it. */
struct suite_region {
    uint64_t address;
    size_t bytes, total; /* of the tensor; with the noise */
    enum suite_use use;
    uint8_t *image; /* [total] as placed */
};

struct suite_case {
    char label[SUITE_LABEL], message[SUITE_MESSAGE];
    const struct tsr_format *format;
    struct suite_shape shape;
    struct tsr_sim *sim[SUITE_SIMS];
    struct tsr_stats stats; /* of the last full run */
    uint64_t random, hbm_next;
    uint64_t programs, instructions, cycles, mismatches;
    bool fault, refused;
    uint32_t n_regions;
    struct suite_region region[SUITE_MAX_REGIONS];
    struct suite_block *blocks; /* suite_alloc */
};

struct suite_block {
    struct suite_block *next;
    _Alignas(max_align_t) unsigned char bytes[];
};

#endif
