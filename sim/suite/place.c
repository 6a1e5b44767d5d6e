/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors in HBM between noise, the same in the memories of all three runs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "sim/suite/case.h"

/* splitmix64 of the place: never the value that a forgotten write would leave. */
static void noise(uint8_t *p, size_t n, uint64_t at)
{
    for (size_t i = 0; i < n; i++, at++) {
        uint64_t z = (at / 8 + 1) * UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        p[i] = (uint8_t)(z >> 8 * (at & 7));
    }
}

enum tsr_status suite_place_bytes(struct suite *s, enum suite_use use, const void *data,
                                  size_t bytes, uint64_t *address, struct tsr_error *err)
{
    struct suite_case *c = s->now;
    struct suite_region *r = &c->region[c->n_regions];
    uint64_t end = c->hbm_next + bytes + SUITE_LINE;
    if (c->n_regions == SUITE_MAX_REGIONS)
        return tsr_error_set(err, TSR_INTERNAL, "%s: more than %d tensors in a case", s->kernel,
                             SUITE_MAX_REGIONS - 1);
    if (bytes > s->chip->hbm.bytes || end > s->chip->hbm.bytes - SUITE_LINE)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: %zu bytes more do not fit the HBM of %s",
                             s->kernel, bytes, s->chip->name);
    end = (end + SUITE_LINE - 1) / SUITE_LINE * SUITE_LINE;
    *r = (struct suite_region){.address = TSR_HBM(c->hbm_next),
                               .bytes = bytes,
                               .use = use,
                               .total = (size_t)(end - c->hbm_next)};
    r->image = malloc(r->total);
    if (!r->image)
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", s->kernel);
    c->n_regions++;
    noise(r->image, r->total, c->hbm_next);
    if (data && use != SUITE_OUT)
        memcpy(r->image, data, bytes);
    c->hbm_next = end;
    *address = r->address;
    enum tsr_status st = TSR_OK;
    for (int i = 0; i < SUITE_SIMS && st == TSR_OK; i++)
        if (i != SUITE_TIMING)
            st = tsr_sim_write(c->sim[i], r->address, r->image, r->total, err);
    return st;
}

static size_t array_bytes(const struct tsr_format *f, size_t n)
{
    return n * f->bits / 8 + (n * f->bits % 8 != 0);
}

enum tsr_status suite_place(struct suite *s, enum suite_use use, const struct tsr_format *f,
                            const float *x, size_t n, uint64_t *address, struct tsr_error *err)
{
    size_t bytes = array_bytes(f, n);
    if (!x)
        return suite_place_bytes(s, use, NULL, bytes, address, err);
    void *codes = malloc(bytes ? bytes : 1);
    uint32_t *bits = malloc(n ? 4 * n : 1);
    enum tsr_status st;
    if (codes && bits) {
        memcpy(bits, x, 4 * n);
        tsr_num_encode_array(f, codes, bits, n, TSR_ROUND_EVEN);
        st = suite_place_bytes(s, use, codes, bytes, address, err);
    } else {
        st = tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", s->kernel);
    }
    free(codes);
    free(bits);
    return st;
}

enum tsr_status suite_read_bytes(struct suite *s, uint64_t address, void *data, size_t bytes,
                                 struct tsr_error *err)
{
    return tsr_sim_read(s->now->sim[SUITE_FULL], address, data, bytes, err);
}

enum tsr_status suite_read(struct suite *s, const struct tsr_format *f, uint64_t address, float *x,
                           size_t n, struct tsr_error *err)
{
    size_t bytes = array_bytes(f, n);
    void *codes = malloc(bytes ? bytes : 1);
    uint32_t *bits = malloc(n ? 4 * n : 1);
    enum tsr_status st = codes && bits
                             ? suite_read_bytes(s, address, codes, bytes, err)
                             : tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", s->kernel);
    if (st == TSR_OK) {
        tsr_num_decode_array(f, bits, codes, n);
        memcpy(x, bits, 4 * n);
    }
    free(codes);
    free(bits);
    return st;
}
