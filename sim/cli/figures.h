/* SPDX-License-Identifier: Apache-2.0 */
/* Figures that several commands derive from a chip and a run's statistics. */
#ifndef SIM_CLI_FIGURES_H
#define SIM_CLI_FIGURES_H

#include <jansson.h>

#include "tessera/chip.h"
#include "tessera/dtype.h"
#include "tessera/sim.h"

/* Multiply-accumulates of the whole chip in one cycle; 0: the tensor unit does not take it. */
double figures_macs_per_cycle(const struct tsr_chip *chip, const struct tsr_format *f);
/* Of all pins: stacks x channels x bits x two beats per HBM clock. */
double figures_hbm_bytes_per_s(const struct tsr_chip *chip);

/* MACs that the result needs / (peak MACs of the format's width x cycles). */
double figures_ttu_utilisation(const struct tsr_chip *chip, const struct tsr_format *f, double macs,
                               const struct tsr_stats *st);
/* Cycles in which a tensor unit computed / (tiles x cycles). */
double figures_ttu_busy(const struct tsr_chip *chip, const struct tsr_stats *st);
/* Bytes at the pins / (pin rate x time). */
double figures_hbm_utilisation(const struct tsr_chip *chip, const struct tsr_stats *st);

/* {"semaphore": cycles, ...}: the reasons of one queue, summed over tiles, without busy. */
json_t *figures_waits(const struct tsr_stats *st, enum tsr_queue q);

/* Adds cycles, ttu_utilisation, ttu_busy, hbm_utilisation, hbm_bytes and the waits of the TTU. */
void figures_add_matmul(json_t *root, const struct tsr_chip *chip, const struct tsr_format *f,
                        double macs, const struct tsr_stats *st);

#endif
