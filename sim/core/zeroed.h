/* SPDX-License-Identifier: Apache-2.0 */
/* Large memory that reads as zero and costs by what is touched of it, however often it is made. */
#ifndef SIM_CORE_ZEROED_H
#define SIM_CORE_ZEROED_H

#include <stddef.h>

void *zeroed_new(size_t bytes);          /* null: out of memory */
void zeroed_free(void *p, size_t bytes); /* null is allowed */

#endif
