// SPDX-License-Identifier: Apache-2.0
// Which mutant of the RTL is active: TESSERA_MUTANT, 0 for none.
#include <cstdlib>

extern "C" int tsr_mutant()
{
    const char *text = getenv("TESSERA_MUTANT");
    return text ? atoi(text) : 0;
}
