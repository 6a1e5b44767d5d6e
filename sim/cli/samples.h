/* SPDX-License-Identifier: Apache-2.0 */
/* Random values that look like a model's, and how far results lie from what they should be. */
#ifndef SIM_CLI_SAMPLES_H
#define SIM_CLI_SAMPLES_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "tessera/status.h"

enum {
    SAMPLES_OUTLIER_EVERY = 128, /* one column of so many */
    SAMPLES_OUTLIER_GAIN = 32,
};

/* The next of splitmix64: 64 bits, the same on every host. */
uint64_t samples_random(uint64_t *state);

/* rows x cols values, f32 bits, mean 0, deviation 1; columns 7, 135 ... times `gain`. The same on
 * every host. Ownership: the caller frees *x. Errors: TSR_INTERNAL out of memory. */
enum tsr_status samples_normal(uint64_t seed, size_t rows, size_t cols, float gain, uint32_t **x,
                               struct tsr_error *err);

/* Power of a signal and of its error, summed in double in the order of the calls. */
struct samples_power {
    double signal, noise;
};

/* 10 log10 of their ratio; infinite without an error. */
double samples_snr(const struct samples_power *p);

/* With digits that no host's libm disagrees on; null where infinite. */
json_t *samples_json(double v);

/* "exact", or with two digits. */
const char *samples_text(double snr, char *out, size_t cap);

float samples_value(uint32_t f32_bits);

#endif
