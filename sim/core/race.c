/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/core/race.h"

#include <stdlib.h>
#include <string.h>

enum {
    FAR_READERS = 3,
    PAGE_BITS = 10,
    PAGE_BYTES = 1 << PAGE_BITS,
    FAR_BUCKETS = 4096
};

struct epoch {
    uint32_t thread, clock; /* clock 0: never */
};
/* A shadow stands for four bytes, in pages where some access began or ended within a word for one:
 * neighbours of 1 or 2 bytes in one word do not race. */
struct near_shadow { /* TSRAM, or an accumulator tile: read by the tile's own queues */
    struct epoch w;
    uint32_t r[TSR_QUEUES];
};
struct far_shadow {
    struct epoch w, r[FAR_READERS];
};
struct page {
    void *shadow; /* near_shadow or far_shadow; null: nothing yet */
    bool fine;    /* one per byte */
};
struct far_page {
    uint64_t page;
    struct far_page *next;
    struct page p;
};
struct clocks { /* a posted vector clock */
    struct clocks *next;
    uint32_t c[];
};
struct sem_queue {
    struct clocks *head, *tail;
};

struct race {
    uint32_t threads, tiles, acc_tiles;
    uint32_t *clock;       /* [threads][threads] what each queue knows */
    uint32_t *count;       /* [threads] instructions started */
    struct sem_queue *sem; /* [tiles][TSR_MAX_SEMAPHORES] */
    struct page **tsram;   /* [tiles][tsram_pages] */
    struct page **control; /* [tiles][control_pages] */
    uint64_t tsram_pages, control_pages;
    struct near_shadow **acc; /* [tiles] */
    struct far_page *far[FAR_BUCKETS];
};

static uint32_t thread_of(const struct tile *t, enum tsr_queue q)
{
    return t->id * TSR_QUEUES + q;
}
static uint32_t *row(struct race *r, uint32_t thread)
{
    return r->clock + (size_t)thread * r->threads;
}

struct race *race_new(const struct tsr_sim *s)
{
    struct race *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->tiles = s->n_tiles;
    r->threads = s->n_tiles * TSR_QUEUES;
    r->acc_tiles = 16 * s->chip->tile.ttu.acc_banks;
    r->clock = calloc((size_t)r->threads * r->threads, sizeof *r->clock);
    r->count = calloc(r->threads, sizeof *r->count);
    r->sem = calloc((size_t)r->tiles * TSR_MAX_SEMAPHORES, sizeof *r->sem);
    r->tsram_pages = (s->chip->tile.tsram_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    r->control_pages = (s->chip->tile.control_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    r->tsram = calloc(r->tiles, sizeof(void *));
    r->control = calloc(r->tiles, sizeof(void *));
    r->acc = calloc(r->tiles, sizeof(void *));
    bool ok = r->clock && r->count && r->sem && r->tsram && r->control && r->acc;
    for (uint32_t i = 0; ok && i < r->tiles; i++) {
        r->tsram[i] = calloc(r->tsram_pages, sizeof(struct page));
        r->control[i] = calloc(r->control_pages, sizeof(struct page));
        r->acc[i] = calloc(r->acc_tiles, sizeof(struct near_shadow));
        ok = r->tsram[i] && r->control[i] && r->acc[i];
    }
    if (!ok) {
        race_free(r);
        return NULL;
    }
    return r;
}

static void pages_free(struct page *p, uint64_t n)
{
    for (uint64_t i = 0; p && i < n; i++)
        free(p[i].shadow);
    free(p);
}

void race_free(struct race *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->tiles; i++) {
        if (r->tsram)
            pages_free(r->tsram[i], r->tsram_pages);
        if (r->control)
            pages_free(r->control[i], r->control_pages);
        if (r->acc)
            free(r->acc[i]);
    }
    for (uint32_t i = 0; r->sem && i < r->tiles * TSR_MAX_SEMAPHORES; i++)
        for (struct clocks *c = r->sem[i].head, *next; c; c = next) {
            next = c->next;
            free(c);
        }
    for (int b = 0; b < FAR_BUCKETS; b++)
        for (struct far_page *p = r->far[b], *next; p; p = next) {
            next = p->next;
            free(p->p.shadow);
            free(p);
        }
    free(r->clock);
    free(r->count);
    free(r->sem);
    free(r->tsram);
    free(r->control);
    free(r->acc);
    free(r);
}

static void join(uint32_t *into, const uint32_t *from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (from[i] > into[i])
            into[i] = from[i];
}

static uint32_t *snapshot(struct tsr_sim *s, const uint32_t *c)
{
    uint32_t *copy = malloc(s->race->threads * sizeof *copy);
    if (!copy) {
        s->cal.failed = true;
        return NULL;
    }
    memcpy(copy, c, s->race->threads * sizeof *copy);
    return copy;
}

/* The TCP's knowledge travels with the queue entry. */
void race_queued(struct tsr_sim *s, struct tile *t, struct unit_insn *in)
{
    in->clocks = s->race ? snapshot(s, row(s->race, thread_of(t, TSR_Q_TCP))) : NULL;
}

/* After the semaphores have been consumed into the queue's clocks. */
void race_start(struct tsr_sim *s, struct tile *t, enum tsr_queue q, struct unit_insn *in)
{
    struct race *r = s->race;
    if (!r)
        return;
    uint32_t thread = thread_of(t, q), *mine = row(r, thread);
    if (in->clocks)
        join(mine, in->clocks, r->threads);
    free(in->clocks);
    in->clock = ++r->count[thread];
    if (q < TSR_Q_DMA0)
        mine[thread] = in->clock;
    in->clocks = snapshot(s, mine);
}

void race_end(struct tsr_sim *s, struct unit_insn *in)
{
    if (s->race) {
        free(in->clocks);
        in->clocks = NULL;
    }
}

void race_consumed(struct tsr_sim *s, struct tile *t, enum tsr_queue q, struct unit_insn *in,
                   uint32_t sem, uint32_t n)
{
    (void)in;
    struct race *r = s->race;
    if (!r)
        return;
    struct sem_queue *m = &r->sem[t->id * TSR_MAX_SEMAPHORES + sem];
    for (; n && m->head; n--) {
        struct clocks *c = m->head;
        join(row(r, thread_of(t, q)), c->c, r->threads);
        m->head = c->next;
        if (!m->head)
            m->tail = NULL;
        free(c);
    }
}

void race_posted(struct tsr_sim *s, struct tile *from, enum tsr_queue q, const struct unit_insn *in,
                 struct tile *to, uint32_t sem)
{
    struct race *r = s->race;
    if (!r)
        return;
    uint32_t thread = thread_of(from, q);
    const uint32_t *known = in && in->clocks ? in->clocks : row(r, thread);
    struct clocks *c = malloc(sizeof *c + r->threads * sizeof c->c[0]);
    if (!c) {
        s->cal.failed = true;
        return;
    }
    memcpy(c->c, known, r->threads * sizeof c->c[0]);
    if (in && in->clock > c->c[thread])
        c->c[thread] = in->clock;
    c->next = NULL;
    struct sem_queue *m = &r->sem[to->id * TSR_MAX_SEMAPHORES + sem];
    if (m->tail)
        m->tail->next = c;
    else
        m->head = c;
    m->tail = c;
}

/* ---- accesses
 * ------------------------------------------------------------------------------------------- */

struct access {
    struct tsr_sim *s;
    struct tile *t;
    enum tsr_queue q;
    const struct unit_insn *in;
    uint32_t thread;
    bool write;
    bool open; /* what one instruction does is not in order: a transfer's requests */
};

static bool before(const struct access *a, struct epoch e)
{
    if (e.clock == 0)
        return true;
    if (e.thread == a->thread && e.clock == a->in->clock)
        return !a->open;
    return a->in->clocks && a->in->clocks[e.thread] >= e.clock;
}

static void report(const struct access *a, struct epoch e, const char *where, uint64_t address)
{
    if (e.thread == a->thread && e.clock == a->in->clock) {
        raise_fault(a->s, TSR_FAULT_RACE, a->s->cal.now, a->t->id, a->q, a->in->pc,
                    "%s %s 0x%llx: the same transfer reads or writes it, too, in any order",
                    a->write ? "write to" : "read of", where, (unsigned long long)address);
        return;
    }
    raise_fault(a->s, TSR_FAULT_RACE, a->s->cal.now, a->t->id, a->q, a->in->pc,
                "%s %s 0x%llx is not ordered after instruction %u of tile %u %s",
                a->write ? "write to" : "read of", where, (unsigned long long)address, e.clock,
                e.thread / TSR_QUEUES, tsr_queue_name[e.thread % TSR_QUEUES]);
}

static void near_access(const struct access *a, struct near_shadow *n, uint32_t owner,
                        const char *where, uint64_t address)
{
    if (!before(a, n->w))
        report(a, n->w, where, address);
    if (!a->write) {
        if (n->r[a->q] < a->in->clock)
            n->r[a->q] = a->in->clock;
        return;
    }
    for (uint32_t k = 0; k < TSR_QUEUES; k++) {
        struct epoch e = {owner * TSR_QUEUES + k, n->r[k]};
        if (!before(a, e))
            report(a, e, where, address);
        n->r[k] = 0;
    }
    n->w = (struct epoch){a->thread, a->in->clock};
}

static struct page *far_page(struct tsr_sim *s, uint64_t address)
{
    uint64_t page = address >> PAGE_BITS;
    struct far_page **b = &s->race->far[(page ^ page >> 12 ^ page >> 30) % FAR_BUCKETS];
    for (struct far_page *p = *b; p; p = p->next)
        if (p->page == page)
            return &p->p;
    struct far_page *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->page = page;
    p->next = *b;
    *b = p;
    return &p->p;
}

/* The page's shadows are there, one per byte if `fine`; false when out of memory. */
static bool page_ready(struct page *p, size_t size, bool fine)
{
    if (p->shadow && (p->fine || !fine))
        return true;
    size_t n = fine ? PAGE_BYTES : PAGE_BYTES / 4;
    char *wide = calloc(n, size);
    for (size_t i = 0; wide && p->shadow && i < n; i++)
        memcpy(wide + i * size, (char *)p->shadow + i / 4 * size, size);
    if (!wide)
        return false;
    free(p->shadow);
    p->shadow = wide;
    p->fine = fine;
    return true;
}

static void far_access(const struct access *a, struct far_shadow *f, uint64_t address)
{
    if (!before(a, f->w))
        report(a, f->w, "memory at", address);
    struct epoch mine = {a->thread, a->in->clock};
    if (a->write) {
        for (int k = 0; k < FAR_READERS; k++)
            if (!before(a, f->r[k]))
                report(a, f->r[k], "memory at", address);
        memset(f->r, 0, sizeof f->r);
        f->w = mine;
        return;
    }
    int slot = 0;
    for (int k = 0; k < FAR_READERS; k++)
        if (f->r[k].clock == 0 || f->r[k].thread == a->thread || before(a, f->r[k])) {
            slot = k;
            break;
        }
    f->r[slot] = mine;
}

/* Within one page, of the tile's own memory or (null) a far one. */
static void page_range(const struct access *a, struct page *near, uint32_t owner, const char *where,
                       uint64_t at, uint64_t end)
{
    struct page *p = near ? near : far_page(a->s, at);
    size_t size = near ? sizeof(struct near_shadow) : sizeof(struct far_shadow);
    if (!p || !page_ready(p, size, ((at | end) & 3) != 0)) {
        a->s->cal.failed = true;
        return;
    }
    uint64_t step = p->fine ? 1 : 4;
    for (; at < end && !a->s->fault.kind; at += step) {
        size_t i = (at & (PAGE_BYTES - 1)) / step;
        if (near)
            near_access(a, (struct near_shadow *)p->shadow + i, owner, where, at);
        else
            far_access(a, (struct far_shadow *)p->shadow + i, at);
    }
}

static void pages_range(const struct access *a, struct tile *owner, struct page *pages,
                        const char *where, uint64_t address, uint64_t bytes)
{
    for (uint64_t at = address, last = address + bytes; at < last && !a->s->fault.kind;) {
        uint64_t next = (at & ~(uint64_t)(PAGE_BYTES - 1)) + PAGE_BYTES,
                 end = next < last ? next : last;
        page_range(a, pages ? pages + (at >> PAGE_BITS) : NULL, owner->id, where, at, end);
        at = end;
    }
}

static void range(const struct access *a, struct tile *owner, uint64_t address, uint64_t bytes)
{
    bool near = space_of(address) == TSR_SPACE_TSRAM;
    pages_range(a, owner, near ? a->s->race->tsram[owner->id] : NULL, "TSRAM at", address, bytes);
}

void race_read(struct tsr_sim *s, struct tile *t, enum tsr_queue q, const struct unit_insn *in,
               uint64_t address, uint64_t bytes)
{
    struct access a = {s, t, q, in, thread_of(t, q), false, false};
    if (s->race)
        range(&a, t, address, bytes);
}

void race_write(struct tsr_sim *s, struct tile *t, enum tsr_queue q, const struct unit_insn *in,
                uint64_t address, uint64_t bytes)
{
    struct access a = {s, t, q, in, thread_of(t, q), true, false};
    if (s->race)
        range(&a, t, address, bytes);
}

void race_control(struct tsr_sim *s, struct tile *t, enum tsr_queue q, const struct unit_insn *in,
                  uint64_t address, uint64_t bytes, bool write)
{
    struct race *r = s->race;
    if (!r)
        return;
    uint32_t thread = thread_of(t, q);
    struct unit_insn own = {.pc = t->tcp.pc};
    if (!in) { /* the TCP itself: each access is an instruction of its queue */
        own.clocks = row(r, thread);
        own.clock = own.clocks[thread] = ++r->count[thread];
        in = &own;
    }
    struct access a = {s, t, q, in, thread, write, false};
    pages_range(&a, t, r->control[t->id], "control memory at", address, bytes);
}

void race_transfer(struct tsr_sim *s, struct tile *from, struct tile *to, enum tsr_queue q,
                   const struct unit_insn *in, uint64_t src, uint64_t dst, uint64_t len)
{
    struct access r = {s, from, q, in, thread_of(from, q), false, true},
                  w = {s, from, q, in, thread_of(from, q), true, true};
    if (!s->race)
        return;
    range(&r, from, src, len);
    range(&w, to, dst, len);
}

void race_acc(struct tsr_sim *s, struct tile *t, enum tsr_queue q, const struct unit_insn *in,
              int64_t c, uint32_t across, uint32_t m, uint32_t n, bool write)
{
    if (!s->race)
        return;
    struct access a = {s, t, q, in, thread_of(t, q), write, false};
    uint32_t d = s->chip->tile.ttu.dim, tr = (uint32_t)(c >> 4 & 15), tc = (uint32_t)(c & 15);
    for (uint32_t i = tr; i < tr + (m + d - 1) / d; i++)
        for (uint32_t j = tc; j < tc + (n + d - 1) / d; j++) {
            uint32_t bank = (uint32_t)(c >> 8) + ((i / 4) << across) + j / 4;
            near_access(&a, &s->race->acc[t->id][bank * 16 + i % 4 * 4 + j % 4], t->id,
                        "accumulator bank", bank);
        }
}

void race_acc_line(struct tsr_sim *s, struct tile *t, const struct unit_insn *in, uint64_t line)
{
    if (!s->race)
        return;
    struct access a = {s, t, TSR_Q_TVP, in, thread_of(t, TSR_Q_TVP), false, false};
    uint32_t d = s->chip->tile.ttu.dim, lanes = s->chip->tile.tvp.lanes, segments = 4 * d / lanes;
    uint64_t lines = 4 * d * segments, bank = line / lines, i = line % lines / segments,
             seg = line % segments;
    for (uint32_t j = (uint32_t)seg * (lanes / d); j < (seg + 1) * (lanes / d); j++)
        near_access(&a, &s->race->acc[t->id][bank * 16 + i / d * 4 + j], t->id, "accumulator bank",
                    bank);
}
