/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/rtl/record.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/observe.h"

_Static_assert((int)RTL_KINDS == (int)OBS_KINDS, "the kinds are the simulator's");
const char *const rtl_kind_name[RTL_KINDS] = {
    "tcp",  "store", "start", "retire",  "semaphore",    "remote", "issue",  "value",
    "line", "data",  "drain", "drained", "accumulators", "fill",   "filled", "request",
    "head", "in",    "out",   "ack",     "rpost",        "write"};

static bool grow(void **p, size_t *cap, size_t want, size_t size)
{
    if (want <= *cap)
        return true;
    size_t n = *cap ? 2 * *cap : 1024;
    while (n < want)
        n *= 2;
    void *q = realloc(*p, n * size);
    if (!q)
        return false;
    *p = q;
    *cap = n;
    return true;
}

static void note(void *self, const struct observation *o)
{
    struct rtl_record *r = self;
    if (o->tile != r->tile || r->failed)
        return;
    struct rtl_stream *s = &r->stream[o->kind];
    size_t bytes = o->data ? o->bytes : 0;
    if (!grow((void **)&s->e, &s->cap, s->n + 1, sizeof *s->e) ||
        !grow((void **)&r->data, &r->cap_data, r->n_data + bytes, 1)) {
        r->failed = true;
        return;
    }
    s->e[s->n++] = (struct rtl_event){.cycle = o->cycle,
                                      .value = o->value,
                                      .address = o->address,
                                      .pc = o->pc,
                                      .reg = o->reg,
                                      .bytes = o->bytes,
                                      .queue = o->queue,
                                      .data = r->n_data,
                                      .has_data = bytes > 0};
    if (o->packet) {
        struct rtl_event *e = &s->e[s->n - 1];
        e->kind = o->packet->kind;
        e->near = o->packet->near;
        e->first = o->packet->first;
        e->len = o->packet->len;
        e->gap = o->packet->gap;
    }
    if (bytes)
        memcpy(r->data + r->n_data, o->data, bytes);
    r->n_data += bytes;
}

const struct tsr_observer *rtl_record_observer(struct rtl_record *r)
{
    static struct tsr_observer observer = {.tell = note};
    observer.self = r;
    return &observer;
}

void rtl_record_clear(struct rtl_record *r)
{
    uint32_t tile = r->tile;
    for (int k = 0; k < RTL_KINDS; k++)
        free(r->stream[k].e);
    free(r->data);
    memset(r, 0, sizeof *r);
    r->tile = tile;
}

/* Nearly sorted: each kind comes in the order of effect, and few are told ahead of time. */
static void sort(struct rtl_stream *s)
{
    for (size_t i = 1; i < s->n; i++) {
        struct rtl_event x = s->e[i];
        size_t j = i;
        for (; j > 0 && s->e[j - 1].cycle > x.cycle; j--)
            s->e[j] = s->e[j - 1];
        s->e[j] = x;
    }
}

bool rtl_record_finish(struct rtl_record *r, const struct tsr_stats *stats,
                       const struct tsr_fault *fault)
{
    r->cycles = stats->cycles;
    r->fault = *fault;
    if (fault->kind == TSR_FAULT_LIMIT && r->fault.cycle > 0)
        r->fault.cycle--; /* what it names is the first cycle that is not run */
    fault = &r->fault;
    for (int k = 0; k < RTL_KINDS; k++) {
        struct rtl_stream *s = &r->stream[k];
        size_t kept = 0;
        for (size_t i = 0; i < s->n; i++) {
            const struct rtl_event *e = &s->e[i];
            bool beyond = fault->kind && e->cycle > fault->cycle;
            /* The word that faults does not retire, unless what it posted does not fit. */
            bool culprit = fault->kind && fault->kind != TSR_FAULT_LIMIT &&
                           fault->kind != TSR_FAULT_SEMAPHORE_OVERFLOW &&
                           fault->kind != TSR_FAULT_DEADLOCK && fault->queue == TSR_Q_TCP &&
                           fault->tile == r->tile && (k == RTL_TCP || k == RTL_STORE) &&
                           e->cycle == fault->cycle;
            if (!beyond && !culprit)
                s->e[kept++] = *e;
        }
        s->n = kept;
        sort(s);
    }
    return !r->failed;
}
