/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of the system's own: calloc clears recycled memory as a whole, which of a chip's tiles is
 * 300 MB a run, of which a small program touches little; and one mapping for all tiles, since
 * making and dropping one for each costs more than such a program. With the address sanitizer
 * calloc for each, whose blocks it watches. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, madvise */
#include "sim/core/zeroed.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#endif

#ifdef WATCHED
bool zeroed_make(struct zeroed *z, size_t n, size_t bytes)
{
    z->n = n;
    z->bytes = bytes;
    if (z->memory == NULL)
        z->memory = calloc(n, sizeof(void *));
    return z->memory != NULL;
}

void *zeroed_block(struct zeroed *z, size_t i)
{
    void **block = z->memory;
    if (block[i] == NULL)
        block[i] = calloc(1, z->bytes);
    return block[i];
}

void zeroed_clear(struct zeroed *z)
{
    void **block = z->memory;
    for (size_t i = 0; block != NULL && i < z->n; i++) {
        free(block[i]);
        block[i] = NULL;
    }
}

void zeroed_free(struct zeroed *z)
{
    zeroed_clear(z);
    free(z->memory);
    z->memory = NULL;
}
#else
bool zeroed_make(struct zeroed *z, size_t n, size_t bytes)
{
    if (z->memory != NULL)
        return true;
    void *p = mmap(NULL, n * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *z = (struct zeroed){p == MAP_FAILED ? NULL : p, n, bytes};
    return z->memory != NULL;
}

void *zeroed_block(struct zeroed *z, size_t i)
{
    return (char *)z->memory + i * z->bytes;
}

/* The system drops the pages; where it will not, they are cleared. */
void zeroed_clear(struct zeroed *z)
{
    if (z->memory != NULL && madvise(z->memory, z->n * z->bytes, MADV_DONTNEED) != 0)
        memset(z->memory, 0, z->n * z->bytes);
}

void zeroed_free(struct zeroed *z)
{
    if (z->memory != NULL)
        munmap(z->memory, z->n * z->bytes);
    z->memory = NULL;
}
#endif
