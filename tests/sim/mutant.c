/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/mutant.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>

enum {
    MUTANTS_MAX = 65536
};

int tsr_mutant;
unsigned char tsr_reached[MUTANTS_MAX];

__attribute__((constructor)) static void choose(void)
{
    const char *text = getenv("TESSERA_MUTANT");
    tsr_mutant = text ? atoi(text) : 0;
}

/* Milliseconds of CPU, then a line for each mutant. */
__attribute__((destructor)) static void tell(void)
{
    const char *name = getenv("TESSERA_REACHED");
    FILE *f = name ? fopen(name, "w") : NULL;
    struct rusage u;
    if (!f)
        return;
    getrusage(RUSAGE_SELF, &u);
    fprintf(f, "%ld\n",
            (long)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
                (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000);
    for (int i = 0; i < MUTANTS_MAX; i++)
        if (tsr_reached[i])
            fprintf(f, "%d\n", i);
    fclose(f);
}
