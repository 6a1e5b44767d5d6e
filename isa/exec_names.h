/* SPDX-License-Identifier: Apache-2.0 */
/* What a row's `exec` may name: the handlers that simulator and RTL have, and what each needs of
 * its row. A new handler is a row here, a function in sim/exec and a case in its RTL unit. */
#ifndef ISA_EXEC_NAMES_H
#define ISA_EXEC_NAMES_H

#include <stdbool.h>

#include "tessera/isa.h"

/* The expression that gives a generic handler its meaning. */
enum tsr_exec_expr { TSR_EXEC_FIXED, TSR_EXEC_VALUE, TSR_EXEC_LANES, TSR_EXEC_REDUCE };

struct tsr_exec {
    enum tsr_stream stream;
    const char *name;
    enum tsr_unit unit;
    enum tsr_exec_expr expr;
    bool sems;   /* the row has the semaphore slots; without: it must not */
    bool memory; /* tvp: it takes the memory slot */
    /* "name:kind ..." of operands that the row must have; kinds x v a (registers), u s (immediate),
     * f (format), l (label). VALUE and LANES rows may have more, for their expression. */
    const char *operands;
};

/* The handler, or null. */
const struct tsr_exec *tsr_isa_exec(enum tsr_stream stream, const char *name);
bool tsr_isa_exec_known(enum tsr_stream stream, const char *name);
/* All handlers, ended by a row without name. */
const struct tsr_exec *tsr_isa_execs(void);

#endif
