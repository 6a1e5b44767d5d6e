/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the command `accuracy`. */
#ifndef SIM_CLI_ACCURACY_H
#define SIM_CLI_ACCURACY_H

#include "sim/cli/cli.h"

/* What a format reached: dB on normal data, infinite where exact. */
struct accuracy_rank {
    const char *format;
    double snr_db;
};

/* Prints the formats by falling SNR, the published orders, and where the two differ. Sorts `rank`.
 */
void accuracy_print_order(struct accuracy_rank *rank, size_t n);

/* With --model: the matmuls of a layer, quantized and multiplied as the tensor unit does. */
enum tsr_status accuracy_of_model(struct cli *c, struct tsr_error *err);

#endif
