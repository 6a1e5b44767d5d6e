/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the binary container: its sections. */
#ifndef ISA_CONTAINER_H
#define ISA_CONTAINER_H

#include "tessera/isa.h"

#define TSR_PROGRAM_MAGIC "TSRPROG1"

enum {
    TSR_PROGRAM_HEAD = 24, /* bytes before the first section */
    TSR_SECTION_HEAD = 16, /* before a payload; a digest of 8 follows it */
    TSR_USED_BYTES = 10,   /* of a row in TSR_SECTION_USED: stream or TSR_STREAMS, code, digest */
    TSR_BINDING_BYTES = 32 + 1 + 1 + 8 + 1 + 32,
};

/* In the order of the file. */
enum tsr_section {
    TSR_SECTION_USED,
    TSR_SECTION_SEMS,
    TSR_SECTION_TCP,
    TSR_SECTION_TVP,
    TSR_SECTION_ARGS,
    TSR_SECTION_CONTROL,
    TSR_SECTION_TENSORS,
    TSR_SECTION_LINES,
    TSR_SECTIONS,
};

#endif
