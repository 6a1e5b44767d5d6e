/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of the system's own: calloc clears recycled memory as a whole, which of a chip's tiles is
 * 300 MB a run, of which a small program touches little. With the address sanitizer calloc, whose
 * blocks it watches. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "sim/core/zeroed.h"

#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#endif

#ifdef WATCHED
void *zeroed_new(size_t bytes)
{
    return calloc(1, bytes);
}

void zeroed_free(void *p, size_t bytes)
{
    (void)bytes;
    free(p);
}
#else
void *zeroed_new(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void zeroed_free(void *p, size_t bytes)
{
    if (p != NULL)
        munmap(p, bytes);
}
#endif
