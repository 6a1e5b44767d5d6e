/* SPDX-License-Identifier: Apache-2.0 */
/* The calendar queue: events by cycle, within a cycle by a key that the simulator fixes, so that
 * the order never depends on how an event came to be there. */
#ifndef TESSERA_SIM_TIME_CALENDAR_H
#define TESSERA_SIM_TIME_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Order of kinds within a cycle: arrivals of a cycle come before decisions of that cycle. */
enum event_kind {
    EV_HBM_ARRIVE, /* a: channel */
    EV_HBM_DECIDE, /* a: channel */
    EV_HOP,        /* a: packet, b: router, c: input port */
    EV_READ_DONE,  /* a: packet: the DMA has read its source lines */
    EV_DONE,       /* a: packet: complete */
    EV_CAST,       /* a: packet, b: tile: a destination's copy is complete */
    EV_ACK,        /* tile, a: channel, b: slot */
    EV_RPOST,      /* tile, a: semaphore, b: source */
    EV_UNIT,       /* tile, a: queue */
    EV_WAKE,       /* tile */
};

struct event {
    uint64_t time;
    uint64_t key; /* kind << 56 | whatever orders events of that kind */
    uint32_t a;
    uint32_t next;
    uint16_t b, c, tile;
    uint8_t kind;
};
_Static_assert(sizeof(struct event) == 32, "two events are one cache line");

/* Ends of instructions: by tile, by queue, and of one queue in the order in which they started. */
static inline uint64_t unit_key(uint32_t tile, uint32_t queue, uint64_t start)
{
    return (uint64_t)EV_UNIT << 56 | (uint64_t)tile << 40 | (uint64_t)queue << 36 |
           (start & (((uint64_t)1 << 36) - 1));
}

enum {
    CALENDAR_BUCKETS = 2048
};

struct batch_entry {
    uint64_t key;
    uint32_t event;
};

struct calendar {
    struct event *pool;
    uint32_t cap, free;
    uint32_t bucket[CALENDAR_BUCKETS]; /* heads of lists; UINT32_MAX empty */
    uint64_t occupied[CALENDAR_BUCKETS / 64];
    uint64_t now;
    uint32_t in_ring;
    /* beyond the ring: binary heap by time */
    uint32_t *heap;
    uint32_t n_heap, heap_cap;
    /* the events of `now`, sorted */
    struct batch_entry *batch;
    uint32_t n_batch, batch_cap;
    bool failed; /* out of memory */
};

bool calendar_init(struct calendar *c);
void calendar_free(struct calendar *c);
/* Places an event and returns it, to be filled but for `next`; NULL when out of memory. */
struct event *calendar_grow(struct calendar *c); /* the pool is used up */
void calendar_heap(struct calendar *c, uint32_t i, uint64_t time);
static inline struct event *calendar_slot(struct calendar *c, uint64_t time)
{
    uint32_t i = c->free;
    if (i == UINT32_MAX) {
        if (!calendar_grow(c))
            return NULL;
        i = c->free;
    }
    struct event *e = &c->pool[i];
    c->free = e->next;
    e->time = time;
    if (time < c->now + CALENDAR_BUCKETS) {
        uint32_t b = (uint32_t)(time % CALENDAR_BUCKETS);
        e->next = c->bucket[b];
        c->bucket[b] = i;
        c->occupied[b / 64] |= (uint64_t)1 << (b % 64);
        c->in_ring++;
    } else {
        calendar_heap(c, i, time);
    }
    return e;
}
static inline void calendar_put(struct calendar *c, struct event e)
{
    struct event *to = calendar_slot(c, e.time);
    if (to) {
        e.next = to->next;
        *to = e;
    }
}
/* Moves to the next cycle with events and takes them, sorted by key, into batch[]. False: none
 * left. Called again while events were put into the current cycle, it returns those. */
bool calendar_next(struct calendar *c);
/* Whether the current cycle got new events after its batch was taken. */
static inline bool calendar_same_cycle(const struct calendar *c)
{
    return c->bucket[c->now % CALENDAR_BUCKETS] != UINT32_MAX;
}
static inline struct event *calendar_event(struct calendar *c, uint32_t i)
{
    return &c->pool[c->batch[i].event];
}
void calendar_release(struct calendar *c); /* the batch's events back to the pool */

#endif
