/* SPDX-License-Identifier: Apache-2.0 */
/* Large memory that reads as zero and costs by what is touched of it, however often it is made:
 * blocks of one size, as a chip's tiles have them. */
#ifndef SIM_CORE_ZEROED_H
#define SIM_CORE_ZEROED_H

#include <stdbool.h>
#include <stddef.h>

struct zeroed {
    void *memory; /* null: none yet */
    size_t n, bytes;
};

/* Makes n blocks, unless they are there. False: out of memory. */
bool zeroed_make(struct zeroed *z, size_t n, size_t bytes);
/* Block i; null: out of memory. */
void *zeroed_block(struct zeroed *z, size_t i);
/* All blocks are zeros again; pointers to them are void. None: nothing happens. */
void zeroed_clear(struct zeroed *z);
void zeroed_free(struct zeroed *z);

#endif
