/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SUPPORT_HBM_H
#define TESTS_SUPPORT_HBM_H

#include "sim/mem/hbm.h"

/* The memory of a shipped chip; fails the test if there is none or the model refuses it. */
struct tsr_hbm_config tsr_test_hbm_config(const char *chip);
/* For so many requests in flight; the caller frees it. */
void *tsr_test_hbm_memory(const struct tsr_hbm_config *c, uint32_t capacity);

#endif
