/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tessera/isa.h"

void tsr_program_free(struct tsr_program *p)
{
    if (p == NULL)
        return;
    if (p->control != NULL)
        for (uint32_t i = 0; i < p->tiles; i++)
            free(p->control[i]);
    free(p->control);
    free(p->control_bytes);
    free(p->tcp);
    free(p->tvp);
    free(p->args);
    free(p->bindings);
    free(p->tcp_line);
    free(p->tvp_line);
    memset(p, 0, sizeof *p);
}
