/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the DMA's parts: descriptors (dma_describe.c), their requests and completion (dma.c),
 * and the requests' way through mesh and memories (path.c). */
#ifndef TESSERA_SIM_TIME_DMA_H
#define TESSERA_SIM_TIME_DMA_H

#include "sim/time/ports.h"

#define BIT(n) ((uint64_t)1 << (n))
/* cast_left beside counts of bytes: all accepted but not yet in TSRAM; posted */
#define CAST_ARRIVING (UINT32_MAX - 1)
#define CAST_POSTED UINT32_MAX

static inline uint64_t order_of(const struct packet *p)
{
    return (uint64_t)p->tile << 8 | p->channel;
}

/* Cycles on the control plane between two clusters. */
static inline uint32_t request_way(const struct tsr_sim *s, uint32_t from, uint32_t to)
{
    return s->mesh.request[from][to];
}

static inline void put(struct tsr_sim *s, uint64_t time, enum event_kind kind, uint64_t order,
                       uint32_t a, uint32_t b, uint32_t c, uint32_t tile)
{
    struct event *e = calendar_slot(&s->cal, time);
    if (!e)
        return; /* the run ends: cal.failed */
    e->key = (uint64_t)kind << 56 | order;
    e->kind = (uint8_t)kind;
    e->a = a;
    e->b = (uint16_t)b;
    e->c = (uint16_t)c;
    e->tile = (uint16_t)tile;
}

/* A request's bytes in the TSRAM run by run: each within one line. Runs of one line that follow
 * each other share an access, as far as it has room: it moves at most a line's bytes. */
struct runs {
    uint64_t near, bytes; /* the run at hand */
    uint64_t line;
    bool fresh;             /* it begins an access */
    uint64_t left, n, room; /* bytes of the request, of the piece; that the access may still move */
    const struct packet *p;
    unsigned shift;
};

static inline struct runs runs_of(const struct tsr_sim *s, const struct packet *p)
{
    return (struct runs){.near = p->near,
                         .line = NO_LINE,
                         .left = p->bytes,
                         .n = p->first,
                         .p = p,
                         .shift = s->line_shift};
}

static inline bool next_run(struct runs *r)
{
    r->near += r->bytes;
    r->left -= r->bytes;
    r->n -= r->bytes;
    if (!r->left)
        return false;
    if (!r->n) {
        r->near += (uint64_t)(int64_t)r->p->gap;
        r->n = r->p->len;
    }
    uint64_t line = r->near >> r->shift, size = BIT(r->shift), in = r->near & (size - 1);
    r->fresh = line != r->line || !r->room;
    if (r->fresh)
        r->room = size;
    r->line = line;
    r->bytes = r->n < r->left ? r->n : r->left;
    if (r->bytes > size - in)
        r->bytes = size - in;
    if (r->bytes > r->room)
        r->bytes = r->room;
    r->room -= r->bytes;
    return true;
}

/* path.c */
uint32_t packet_new(struct tsr_sim *s); /* may move the pool: take pointers anew */
void packet_drop(struct tsr_sim *s, uint32_t i);
struct descriptor *desc_of(struct tsr_sim *s, const struct packet *p);
uint32_t cluster_of_far(const struct tsr_sim *s, uint64_t far);
uint64_t write_lines(struct tsr_sim *s, struct tile *t, uint64_t at, const struct packet *p);
uint64_t read_lines(struct tsr_sim *s, struct tile *t, uint64_t at, const struct packet *p);
void send_from_tile(struct tsr_sim *s, struct tile *t, uint32_t i, uint64_t at);
void issue_far_read(struct tsr_sim *s, struct tile *t, uint32_t i, uint64_t now);

/* dma_describe.c: whether the run of index i lies in its memory; false after a fault in `now`. */
bool index_ok(struct tsr_sim *s, struct tile *t, const struct descriptor *d, uint64_t i,
              uint64_t now);

/* dma.c: what a completed request or a cast's last copy brings about. */
void retire(struct tsr_sim *s, struct tile *t, unsigned ch, uint64_t now);
void bytes_done(struct tsr_sim *s, struct tile *t, const struct packet *p, uint64_t now);
void cast_posts(struct tsr_sim *s, struct tile *from, unsigned ch, struct tile *to, uint64_t now,
                uint8_t blame);

#endif
