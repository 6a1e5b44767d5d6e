/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/time/calendar.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

bool calendar_init(struct calendar *c)
{
    memset(c, 0, sizeof *c);
    memset(c->bucket, 0xFF, sizeof c->bucket);
    c->free = NONE;
    c->cap = 4096;
    c->heap_cap = 1024;
    c->batch_cap = 1024;
    c->pool = malloc(c->cap * sizeof *c->pool);
    c->heap = malloc(c->heap_cap * sizeof *c->heap);
    c->batch = malloc(c->batch_cap * sizeof *c->batch);
    for (uint32_t i = c->cap; c->pool && i-- > 0;) {
        c->pool[i].next = c->free;
        c->free = i;
    }
    return c->pool && c->heap && c->batch;
}

void calendar_free(struct calendar *c)
{
    free(c->pool);
    free(c->heap);
    free(c->batch);
    memset(c, 0, sizeof *c);
}

static bool grow(void **p, uint32_t *cap, size_t size)
{
    void *n = realloc(*p, (size_t)*cap * 2 * size);
    if (!n)
        return false;
    *p = n;
    *cap *= 2;
    return true;
}

static void ring_put(struct calendar *c, uint32_t i)
{
    uint32_t b = (uint32_t)(c->pool[i].time % CALENDAR_BUCKETS);
    c->pool[i].next = c->bucket[b];
    c->bucket[b] = i;
    c->occupied[b / 64] |= (uint64_t)1 << (b % 64);
    c->in_ring++;
}

static void heap_put(struct calendar *c, uint32_t i)
{
    if (c->n_heap == c->heap_cap && !grow((void **)&c->heap, &c->heap_cap, sizeof *c->heap)) {
        c->failed = true;
        return;
    }
    uint32_t k = c->n_heap++;
    while (k > 0) {
        uint32_t up = (k - 1) / 2;
        if (c->pool[c->heap[up]].time <= c->pool[i].time)
            break;
        c->heap[k] = c->heap[up];
        k = up;
    }
    c->heap[k] = i;
}

static uint32_t heap_take(struct calendar *c)
{
    uint32_t top = c->heap[0], last = c->heap[--c->n_heap], k = 0;
    for (;;) {
        uint32_t down = 2 * k + 1;
        if (down >= c->n_heap)
            break;
        if (down + 1 < c->n_heap && c->pool[c->heap[down + 1]].time < c->pool[c->heap[down]].time)
            down++;
        if (c->pool[c->heap[down]].time >= c->pool[last].time)
            break;
        c->heap[k] = c->heap[down];
        k = down;
    }
    c->heap[k] = last;
    return top;
}

void calendar_heap(struct calendar *c, uint32_t i, uint64_t time)
{
    c->pool[i].time = time;
    heap_put(c, i);
}

/* Doubles the pool; its new half becomes the free list. */
struct event *calendar_grow(struct calendar *c)
{
    uint32_t old = c->cap;
    if (!grow((void **)&c->pool, &c->cap, sizeof *c->pool)) {
        c->failed = true;
        return NULL;
    }
    for (uint32_t i = c->cap; i-- > old;) {
        c->pool[i].next = c->free;
        c->free = i;
    }
    return c->pool;
}

/* The next occupied bucket at or after `now`, as a time; the ring must not be empty. */
static uint64_t ring_next(const struct calendar *c)
{
    uint32_t start = (uint32_t)(c->now % CALENDAR_BUCKETS);
    uint64_t w = c->occupied[start / 64] & (~(uint64_t)0 << (start % 64));
    uint32_t word = start / 64;
    for (uint32_t n = 0; n <= CALENDAR_BUCKETS / 64; n++) {
        if (w) {
            uint32_t b = word * 64 + (uint32_t)__builtin_ctzll(w);
            return c->now + (b + CALENDAR_BUCKETS - start) % CALENDAR_BUCKETS;
        }
        word = (word + 1) % (CALENDAR_BUCKETS / 64);
        w = c->occupied[word];
    }
    return c->now;
}

static void sort_batch(struct calendar *c)
{
    struct batch_entry *b = c->batch;
    for (uint32_t k = 1; k < c->n_batch; k++) {
        struct batch_entry x = b[k];
        uint32_t j = k;
        for (; j > 0 && b[j - 1].key > x.key; j--)
            b[j] = b[j - 1];
        b[j] = x;
    }
}

bool calendar_next(struct calendar *c)
{
    if (c->in_ring == 0) {
        if (c->n_heap == 0)
            return false;
        c->now = c->pool[c->heap[0]].time;
    } else {
        c->now = ring_next(c);
        if (c->n_heap && c->pool[c->heap[0]].time < c->now)
            c->now = c->pool[c->heap[0]].time;
    }
    while (c->n_heap && c->pool[c->heap[0]].time < c->now + CALENDAR_BUCKETS)
        ring_put(c, heap_take(c));
    uint32_t b = (uint32_t)(c->now % CALENDAR_BUCKETS);
    c->n_batch = 0;
    for (uint32_t i = c->bucket[b]; i != NONE; i = c->pool[i].next) {
        if (c->n_batch == c->batch_cap &&
            !grow((void **)&c->batch, &c->batch_cap, sizeof *c->batch)) {
            c->failed = true;
            return false;
        }
        c->batch[c->n_batch++] = (struct batch_entry){c->pool[i].key, i};
    }
    c->bucket[b] = NONE;
    c->occupied[b / 64] &= ~((uint64_t)1 << (b % 64));
    c->in_ring -= c->n_batch;
    sort_batch(c);
    return true;
}

void calendar_release(struct calendar *c)
{
    for (uint32_t k = 0; k < c->n_batch; k++) {
        c->pool[c->batch[k].event].next = c->free;
        c->free = c->batch[k].event;
    }
    c->n_batch = 0;
}
