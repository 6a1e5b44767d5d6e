/* SPDX-License-Identifier: Apache-2.0 */
/* Records: where units differ in more than their place - in lengths, in the part of the keys that a
 * team takes, in the pages their keys lie in - each tile finds in its control memory one record for
 * each of its units, in their order. */
#include <stdlib.h>
#include <string.h>

#include "kernels/npu/attention_emit.h"

static uint64_t kv_len(const struct attention_plan *p, uint64_t b)
{
    return p->op->kv_lens ? p->op->kv_lens[b] : p->op->kv_len;
}
static uint64_t q_len(const struct attention_plan *p, uint64_t b)
{
    return p->op->q_lens ? p->op->q_lens[b] : p->op->q_len;
}

/* Pages that a tile needs of a sequence at most: its part of the keys touches one more at each
 * end. */
static uint64_t pages_of(const struct attention_plan *p)
{
    if (!p->op->pages)
        return 0;
    uint64_t blocks = (p->op->kv_len + p->kb - 1) / p->kb;
    uint64_t keys = (blocks + p->splits - 1) / p->splits * p->kb, all;
    all = (p->op->kv_len + p->op->page_tokens - 1) / p->op->page_tokens;
    keys = keys / p->op->page_tokens + 2;
    return keys < all ? keys : all;
}

uint64_t attention_record_bytes(const struct attention_plan *p)
{
    return R_PAGES + (4 * pages_of(p) + 7) / 8 * 8;
}

uint64_t attention_record_count(const struct attention_plan *p, uint32_t tile)
{
    uint32_t first = p->work[tile].first_unit;
    return first < p->units ? (p->units - first + p->unit_stride - 1) / p->unit_stride : 0;
}

static void put(uint8_t *at, uint64_t x)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(x >> 8 * i);
}

static void record(const struct attention_plan *p, const struct attention_work *w, uint64_t unit,
                   uint8_t *at)
{
    const struct tsr_npu_attention *op = p->op;
    uint64_t b = unit / p->parts / op->kv_heads, keys = kv_len(p, b), queries = q_len(p, b), lo = 0,
             hi = keys;
    uint64_t prefix = op->prefix ? op->prefix[b] : 0;
    prefix = prefix < keys ? prefix : keys;
    if (p->window && !prefix && keys - queries + 1 > p->window)
        lo = keys - queries + 1 - p->window;
    uint64_t blocks = (hi - lo + p->kb - 1) / p->kb;
    if (p->splits > 1) {
        uint64_t from = lo + blocks * w->split / p->splits * p->kb,
                 to = lo + blocks * (w->split + 1) / p->splits * p->kb;
        hi = to < hi ? to : hi;
        lo = from;
    }
    put(at + R_UNIT, unit);
    put(at + R_LO, lo);
    put(at + R_HI, hi);
    put(at + R_BASE, keys - queries);
    put(at + R_QUERIES, queries);
    put(at + R_PREFIX, prefix);
    put(at + R_ITEMS, p->team > 1 ? w->items : (queries + p->tokens - 1) / p->tokens * p->chunks);
    if (!op->pages)
        return;
    uint64_t first = lo / op->page_tokens, n = (hi + op->page_tokens - 1) / op->page_tokens - first;
    put(at + R_OFFSET, lo % op->page_tokens);
    for (uint64_t i = 0; i < n; i++)
        put(at + R_PAGES + 4 * i, op->pages[b * op->page_row + first + i]);
}

struct job {
    uint64_t cost;
    uint32_t unit;
};

static int by_cost(const void *x, const void *y)
{
    const struct job *a = x, *b = y;
    if (a->cost != b->cost)
        return a->cost < b->cost ? 1 : -1;
    return a->unit < b->unit ? -1 : 1;
}

/* Units in the order in which they are dealt, a turn of the teams after the other: where lengths
 * differ the longest first, and every second turn the other way about, so that none gets all the
 * long ones. Null: out of memory. */
static struct job *dealt(const struct attention_plan *p)
{
    const struct tsr_npu_attention *op = p->op;
    const uint64_t turn = p->unit_stride;
    struct job *job = malloc(p->units * sizeof *job);
    for (uint32_t i = 0; job != NULL && i < p->units; i++) {
        const uint64_t b = i / p->parts / op->kv_heads;
        job[i] = (struct job){kv_len(p, b) * q_len(p, b), i};
    }
    if (job == NULL || (!op->kv_lens && !op->q_lens))
        return job;
    qsort(job, p->units, sizeof *job, by_cost);
    for (uint64_t first = turn; first < p->units; first += 2 * turn) {
        uint64_t last = (first + turn < p->units ? first + turn : p->units) - 1;
        for (uint64_t i = first; i < last; i++, last--) {
            const struct job other = job[i];
            job[i] = job[last];
            job[last] = other;
        }
    }
    return job;
}

static enum tsr_status write_records(const struct attention_plan *p, const struct job *job,
                                     uint64_t bytes, struct tsr_program *out, struct tsr_error *err)
{
    out->control = calloc(out->tiles, sizeof *out->control);
    out->control_bytes = calloc(out->tiles, sizeof *out->control_bytes);
    if (!out->control || !out->control_bytes)
        return tsr_error_set(err, TSR_INTERNAL, "attention: out of memory");
    for (uint32_t i = 0; i < out->tiles; i++) {
        uint64_t n = attention_record_count(p, i), size = C_RECORDS + n * bytes;
        if (size > p->chip->tile.control_bytes)
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "attention: %llu sequences and heads of a tile, each with %llu "
                                 "bytes of lengths and pages, exceed the control memory of %s",
                                 (unsigned long long)n, (unsigned long long)bytes, p->chip->name);
        out->control[i] = calloc(1, size);
        if (!out->control[i])
            return tsr_error_set(err, TSR_INTERNAL, "attention: out of memory");
        out->control_bytes[i] = (uint32_t)size;
        for (uint64_t k = 0; k < n; k++)
            record(p, &p->work[i], job[p->work[i].first_unit + k * p->unit_stride].unit,
                   out->control[i] + C_RECORDS + k * bytes);
    }
    return TSR_OK;
}

enum tsr_status attention_records(const struct attention_plan *p, struct tsr_program *out,
                                  struct tsr_error *err)
{
    uint64_t bytes = attention_record_bytes(p);
    struct job *job = dealt(p);
    enum tsr_status st = job != NULL ? write_records(p, job, bytes, out, err)
                                     : tsr_error_set(err, TSR_INTERNAL, "attention: out of memory");
    free(job);
    return st;
}
