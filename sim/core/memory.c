/* SPDX-License-Identifier: Apache-2.0 */
/* HBM as a sparse table of pages, CSRAM on demand. Untouched bytes read as zero. */
#include <stdlib.h>
#include <string.h>

#include "sim/core/machine.h"

enum {
    PAGE_BITS = 16,
    LEAF_BITS = 10
};
#define PAGE ((uint64_t)1 << PAGE_BITS)
#define LEAF ((uint64_t)1 << LEAF_BITS)

struct page_dir {
    uint64_t n;
    uint8_t **leaf[]; /* [n][LEAF] pages */
};

static uint8_t *hbm_page(struct tsr_sim *s, uint64_t offset, bool make)
{
    uint64_t page = offset >> PAGE_BITS, dir = page >> LEAF_BITS;
    if (!s->hbm_data) {
        if (!make)
            return NULL;
        uint64_t n = ((s->chip->hbm.bytes - 1) >> (PAGE_BITS + LEAF_BITS)) + 1;
        s->hbm_data = calloc(1, sizeof *s->hbm_data + n * sizeof s->hbm_data->leaf[0]);
        if (!s->hbm_data)
            return NULL;
        s->hbm_data->n = n;
    }
    uint8_t ***leaf = &s->hbm_data->leaf[dir];
    if (!*leaf && (!make || !(*leaf = calloc(LEAF, sizeof **leaf))))
        return NULL;
    uint8_t **p = &(*leaf)[page & (LEAF - 1)];
    if (!*p && make)
        *p = calloc(1, PAGE);
    return *p;
}

static uint8_t *csram(struct tsr_sim *s, uint64_t offset, bool make)
{
    uint64_t cluster = offset >> 32;
    if (!s->csram[cluster] && make)
        s->csram[cluster] = calloc(1, s->chip->csram.bytes);
    return s->csram[cluster] ? s->csram[cluster] + (uint32_t)offset : NULL;
}

bool far_range_ok(const struct tsr_sim *s, uint64_t address, uint64_t n)
{
    uint64_t off = offset_of(address);
    switch (space_of(address)) {
    case TSR_SPACE_HBM:
        return off <= s->chip->hbm.bytes && n <= s->chip->hbm.bytes - off;
    case TSR_SPACE_CSRAM:
        return (off >> 32) < s->n_clusters && (uint32_t)off <= s->chip->csram.bytes &&
               n <= s->chip->csram.bytes - (uint32_t)off;
    default:
        return false;
    }
}

enum tsr_status memory_write(struct tsr_sim *s, uint64_t address, const void *data, uint64_t n)
{
    const uint8_t *src = data;
    if (!far_range_ok(s, address, n))
        return TSR_BAD_INPUT;
    uint64_t off = offset_of(address);
    if (space_of(address) == TSR_SPACE_CSRAM) {
        uint8_t *p = csram(s, off, true);
        if (!p)
            return TSR_INTERNAL;
        memcpy(p, src, n);
        return TSR_OK;
    }
    while (n) {
        uint64_t in = off & (PAGE - 1), step = PAGE - in < n ? PAGE - in : n;
        uint8_t *p = hbm_page(s, off, true);
        if (!p)
            return TSR_INTERNAL;
        memcpy(p + in, src, step);
        src += step, off += step, n -= step;
    }
    return TSR_OK;
}

enum tsr_status memory_read(const struct tsr_sim *s, uint64_t address, void *data, uint64_t n)
{
    struct tsr_sim *m = (struct tsr_sim *)(uintptr_t)s; /* nothing is made: `make` is false */
    uint8_t *dst = data;
    if (!far_range_ok(s, address, n))
        return TSR_BAD_INPUT;
    uint64_t off = offset_of(address);
    if (space_of(address) == TSR_SPACE_CSRAM) {
        const uint8_t *p = csram(m, off, false);
        if (p)
            memcpy(dst, p, n);
        else
            memset(dst, 0, n);
        return TSR_OK;
    }
    while (n) {
        uint64_t in = off & (PAGE - 1), step = PAGE - in < n ? PAGE - in : n;
        const uint8_t *p = hbm_page(m, off, false);
        if (p)
            memcpy(dst, p + in, step);
        else
            memset(dst, 0, step);
        dst += step, off += step, n -= step;
    }
    return TSR_OK;
}

void memory_free(struct tsr_sim *s)
{
    for (uint64_t d = 0; s->hbm_data && d < s->hbm_data->n; d++) {
        uint8_t **leaf = s->hbm_data->leaf[d];
        for (uint64_t p = 0; leaf && p < LEAF; p++)
            free(leaf[p]);
        free(leaf);
    }
    free(s->hbm_data);
    for (uint32_t c = 0; s->csram && c < s->n_clusters; c++)
        free(s->csram[c]);
    free(s->csram);
}

enum tsr_status tsr_sim_write(struct tsr_sim *sim, uint64_t address, const void *data,
                              uint64_t bytes, struct tsr_error *err)
{
    enum tsr_status st = memory_write(sim, address, data, bytes);
    if (st)
        return tsr_error_set(err, st, "address 0x%llx: %llu bytes lie outside HBM and CSRAM of %s",
                             (unsigned long long)address, (unsigned long long)bytes,
                             sim->chip->name);
    return TSR_OK;
}

enum tsr_status tsr_sim_read(const struct tsr_sim *sim, uint64_t address, void *data,
                             uint64_t bytes, struct tsr_error *err)
{
    enum tsr_status st = memory_read(sim, address, data, bytes);
    if (st)
        return tsr_error_set(err, st, "address 0x%llx: %llu bytes lie outside HBM and CSRAM of %s",
                             (unsigned long long)address, (unsigned long long)bytes,
                             sim->chip->name);
    return TSR_OK;
}
