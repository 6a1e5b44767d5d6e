/* SPDX-License-Identifier: Apache-2.0 */
/* A slow second opinion on sim/mem/hbm.c: one channel, ticked clock by clock, command by command
 * (PRE, ACT, RD, WR, REF), each issued when the timing rules allow it. Which request comes next is
 * found by trying: a copy of the device gets the request and is ticked until its data have moved.
 */
#ifndef TESTS_SUPPORT_HBM_ORACLE_H
#define TESTS_SUPPORT_HBM_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "tessera/chip.h"

struct tsr_hbm_oracle_request {
    uint64_t cycle, address;
    uint32_t bytes;
    bool write;
};

struct tsr_hbm_oracle_counts {
    uint64_t activates, columns, refreshes;
};

/* Runs `n` requests of one channel, in order of cycle, and gives for each the cycle that
 * tsr_hbm_next reports in `done`. Returns null, or what rule was broken. */
const char *tsr_hbm_oracle_run(const struct tsr_hbm_config *config,
                               const struct tsr_hbm_oracle_request *request, uint32_t n,
                               uint64_t *done, struct tsr_hbm_oracle_counts *counts);

#endif
