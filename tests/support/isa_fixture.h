/* SPDX-License-Identifier: Apache-2.0 */
/* The instruction set of a group of tests: load_isa and free_isa set it up and take it down. */
#ifndef TESTS_SUPPORT_ISA_FIXTURE_H
#define TESTS_SUPPORT_ISA_FIXTURE_H

#include "tessera/isa.h"

static struct tsr_isa *isa;

static int load_isa(void **state)
{
    struct tsr_error err = {0};
    (void)state;
    return tsr_isa_load(NULL, 0, &isa, &err);
}

static int free_isa(void **state)
{
    (void)state;
    tsr_isa_free(isa);
    return 0;
}

#endif
