/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "tests/sim/mutant.h"

int tsr_mutant;

__attribute__((constructor)) static void choose(void)
{
    const char *text = getenv("TESSERA_MUTANT");
    tsr_mutant = text ? atoi(text) : 0;
}
