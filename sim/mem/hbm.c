/* SPDX-License-Identifier: Apache-2.0 */
/* The HBM controller: closed formulas in HBM clocks, no ticking. README.md states the policy. */
#include "sim/mem/hbm.h"

#include <assert.h>
#include <string.h>

#define NO_ROW UINT64_MAX
#define NIL UINT32_MAX
#define LONG_AGO (-((int64_t)1 << 40)) /* before any clock by more than any timing */

/* A waiting request. Lists are in order of arrival. */
struct node {
    uint64_t row;
    uint32_t next, id, bytes;
    uint16_t pair, first, bursts; /* first: index of its first burst in the segment */
};

struct list {
    uint32_t head, tail, count;
    uint32_t passed; /* times the head was passed over */
};

/* `row` is open, or will be, since clock `act`; unless a request asks for it before clock
 * `close`, it is precharged then and can be activated again from `ready` on. */
struct bank {
    uint64_t row; /* NO_ROW: closed, only `ready` counts */
    int64_t act, precharge /* earliest */, close, ready;
};

struct pair {
    int64_t refresh;     /* start of the first refresh that no settled request has passed */
    int64_t refresh_end; /* end of the one before */
    struct bank bank[2]; /* even and odd bursts */
};

struct channel {
    struct list list[2]; /* reads, writes */
    int64_t acts[4];     /* the latest activates, oldest first */
    int64_t column;      /* clock of the latest column command */
    uint32_t column_group;
    bool column_write;
    bool due;              /* a decision event is out */
    uint64_t decide_cycle; /* no decision before this cycle */
    uint32_t batch;        /* writes left of a running drain */
    uint32_t credit;       /* reads to serve before the next drain by count */
    uint32_t waited;       /* reads served since a write began to wait */
    struct tsr_hbm_stats stats;
};

struct tsr_hbm {
    struct tsr_hbm_config c;
    struct tsr_hbm_tables tables;
    uint32_t channels, pairs, capacity, free;
    uint32_t burst_shift, segment_mask, group_mask;
    int64_t period; /* clocks between two refreshes of a pair; 0: none */
    int64_t lead;   /* a decision this long before the pins fall free can fill them */
    struct channel *channel;
    struct pair *pair; /* [channel][pair] */
    struct node *node;
};

/* When a request would use its banks. */
struct plan {
    int64_t column;  /* clock of its first column command; the rest follow burst by burst */
    int64_t act[2];  /* of its banks, in order of bursts */
    int64_t hold[2]; /* no precharge before, for what an earlier request did to the open row */
    bool miss[2], conflict[2];
    int64_t refresh, refresh_end; /* the pair's, once this request is settled */
};

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static size_t align64(size_t n)
{
    return (n + 63) & ~(size_t)63;
}

static uint32_t pairs_of(const struct tsr_hbm_config *c)
{
    return c->bank_groups / 2 * c->banks_per_group;
}

size_t tsr_hbm_bytes(const struct tsr_hbm_config *c, uint32_t capacity)
{
    size_t channels = (size_t)c->stacks * c->channels;
    return align64(sizeof(struct tsr_hbm)) + align64(channels * sizeof(struct channel)) +
           align64(channels * pairs_of(c) * sizeof(struct pair)) +
           align64(capacity * sizeof(struct node));
}

static void init_channel(struct tsr_hbm *h, uint32_t index)
{
    struct channel *ch = &h->channel[index];
    memset(ch, 0, sizeof *ch);
    for (int i = 0; i < 2; i++)
        ch->list[i].head = ch->list[i].tail = NIL;
    for (int i = 0; i < 4; i++)
        ch->acts[i] = LONG_AGO;
    ch->column = LONG_AGO;
    ch->column_group = UINT32_MAX;
    for (uint32_t p = 0; p < h->pairs; p++) {
        struct pair *pair = &h->pair[index * h->pairs + p];
        /* Pair p is refreshed at clocks (p + 1) * t_refi + k * period. */
        pair->refresh = h->period ? ((int64_t)p + 1) * h->c.t_refi : INT64_MAX;
        pair->refresh_end = LONG_AGO;
        for (int i = 0; i < 2; i++)
            pair->bank[i] = (struct bank){NO_ROW, LONG_AGO, LONG_AGO, LONG_AGO, LONG_AGO};
    }
}

struct tsr_hbm *tsr_hbm_init(void *memory, const struct tsr_hbm_config *c, uint32_t capacity)
{
    struct tsr_hbm *h = memory;
    char *at = (char *)memory + align64(sizeof *h);
    assert(((uintptr_t)memory & 63) == 0 && capacity < NIL);
    h->c = *c;
    tsr_hbm_tables_init(&h->tables, c);
    h->channels = c->stacks * c->channels;
    h->pairs = pairs_of(c);
    h->capacity = capacity;
    h->channel = (struct channel *)(void *)at;
    at += align64(h->channels * sizeof *h->channel);
    h->pair = (struct pair *)(void *)at;
    at += align64((size_t)h->channels * h->pairs * sizeof *h->pair);
    h->node = (struct node *)(void *)at;

    uint32_t burst_bytes = c->channel_bits / 8 * 2 * c->burst_clocks;
    h->burst_shift = 0;
    while (burst_bytes >> h->burst_shift > 1)
        h->burst_shift++;
    assert(1u << h->burst_shift == burst_bytes);
    h->segment_mask = c->segment_bytes - 1;
    h->group_mask = c->bank_groups / 2 - 1;
    h->period = (int64_t)c->t_refi * h->pairs;
    /* Precharge, both activates, read latency: what lies between the decision and the first beat
     * of a request that finds other rows open. */
    h->lead = (int64_t)c->t_rp + c->t_rcd + c->t_cl;
    if (c->t_rrd > c->burst_clocks)
        h->lead += c->t_rrd - c->burst_clocks;
    for (uint32_t i = 0; i < h->channels; i++)
        init_channel(h, i);
    h->free = capacity ? 0 : NIL;
    for (uint32_t i = 0; i < capacity; i++)
        h->node[i].next = i + 1 < capacity ? i + 1 : NIL;
    return h;
}

const struct tsr_hbm_tables *tsr_hbm_tables(const struct tsr_hbm *h)
{
    return &h->tables;
}

/* A 64-bit division takes several times as long as a 32-bit one, and most fit the latter. */
static uint64_t divide(uint64_t a, uint32_t b)
{
    return a >> 32 ? a / b : (uint32_t)a / b;
}

/* First clock that does not lie before the cycle. */
static int64_t clock_of(const struct tsr_hbm *h, uint64_t cycle)
{
    return (int64_t)divide(cycle * h->c.clock_num + h->c.clock_den - 1, h->c.clock_den);
}

/* First cycle that does not lie before the clock. */
static uint64_t cycle_from(const struct tsr_hbm *h, int64_t clock)
{
    return divide((uint64_t)clock * h->c.clock_den + h->c.clock_num - 1, h->c.clock_num);
}

/* Last cycle whose clock_of is not after the clock. */
static uint64_t cycle_until(const struct tsr_hbm *h, int64_t clock)
{
    return clock < 0 ? 0 : divide((uint64_t)clock * h->c.clock_den, h->c.clock_num);
}

uint64_t tsr_hbm_arrive(struct tsr_hbm *h, uint32_t channel, uint64_t cycle,
                        const struct tsr_hbm_request *r)
{
    assert(channel < h->channels && h->free != NIL);
    assert(r->bytes >= 1 && r->address + r->bytes <= h->c.bytes);
    struct channel *ch = &h->channel[channel];
    uint32_t at = h->free, offset = (uint32_t)r->address & h->segment_mask;
    uint64_t segment = r->address >> h->tables.segment_shift;
    uint32_t hash = tsr_hbm_hash(&h->tables, segment);
    assert(hash >> h->tables.pair_bits == channel);
    assert(offset + r->bytes <= h->c.segment_bytes);

    struct node *n = &h->node[at];
    h->free = n->next;
    n->next = NIL;
    n->id = r->id;
    n->bytes = r->bytes;
    n->row = segment & h->tables.row_mask;
    n->pair = (uint16_t)(hash & (h->pairs - 1));
    n->first = (uint16_t)(offset >> h->burst_shift);
    n->bursts = (uint16_t)(((offset + r->bytes - 1) >> h->burst_shift) - n->first + 1);

    struct list *l = &ch->list[r->write];
    if (l->tail == NIL)
        l->head = at;
    else
        h->node[l->tail].next = at;
    l->tail = at;
    l->count++;
    uint32_t waiting = ch->list[0].count + ch->list[1].count;
    if (waiting > ch->stats.queue_max)
        ch->stats.queue_max = waiting;
    if (ch->due)
        return TSR_HBM_NEVER;
    ch->due = true;
    return ch->decide_cycle > cycle ? ch->decide_cycle : cycle;
}

/* Accounts for the refreshes of a pair up to clock `now`: they leave both banks closed. */
static void settle_refresh(const struct tsr_hbm *h, struct pair *p, int64_t now)
{
    if (now < p->refresh)
        return;
    int64_t last = p->refresh;
    if (now - last >= h->period)
        last += (now - last) / h->period * h->period;
    p->refresh = last + h->period;
    p->refresh_end = last + h->c.t_rfc_pb;
    for (int i = 0; i < 2; i++) {
        p->bank[i].row = NO_ROW;
        p->bank[i].ready = p->refresh_end;
    }
}

/* First clock for a column command of the kind, as far as the pins and the previous column command
 * of another bank group allow. */
static int64_t column_bound(const struct tsr_hbm *h, const struct channel *ch, bool write,
                            int64_t now)
{
    const struct tsr_hbm_config *c = &h->c;
    int64_t gap = c->burst_clocks;
    if (ch->column_write && !write)
        gap = (int64_t)c->t_cwl + c->burst_clocks + c->t_wtr;
    else if (!ch->column_write && write)
        gap = c->t_rtw;
    return later(now, ch->column + gap);
}

static uint32_t group_of(const struct tsr_hbm *h, uint32_t pair, uint32_t side)
{
    return 2 * (pair & h->group_mask) + side;
}

/* Clock of the last column command that a request sends to the bank of its burst j (0 or 1). */
static int64_t last_column(const struct tsr_hbm *h, const struct node *n, int64_t column,
                           uint32_t j)
{
    uint32_t burst = (n->bursts - 1u - j) / 2 * 2 + j;
    return column + (int64_t)burst * h->c.burst_clocks;
}

/* Earliest precharge of bank j of a request after its last column command there. */
static int64_t precharge_after(const struct tsr_hbm *h, const struct node *n,
                               const struct plan *plan, uint32_t j, bool write)
{
    const struct tsr_hbm_config *c = &h->c;
    int64_t recovery = write ? (int64_t)c->t_cwl + c->burst_clocks + c->t_wr : c->t_rtp;
    int64_t column = last_column(h, n, plan->column, j);
    return later(plan->hold[j], later(plan->act[j] + c->t_ras, column + recovery));
}

/* The plan from clock `now` on, provided that no activate comes before `floor` and, where `closed`,
 * that a refresh has closed both banks until `floor`. */
static void plan_from(const struct tsr_hbm *h, const struct channel *ch, const struct pair *p,
                      const struct node *n, int64_t now, int64_t floor, bool closed, int64_t bound,
                      struct plan *plan)
{
    const struct tsr_hbm_config *c = &h->c;
    uint32_t side = n->first & 1u, banks = n->bursts > 1 ? 2 : 1, acts = 0;
    int64_t previous = ch->acts[3], column = bound;
    if (group_of(h, n->pair, side) == ch->column_group)
        column = later(column, ch->column + c->t_ccd_l);
    for (uint32_t j = 0; j < banks; j++) {
        const struct bank *b = &p->bank[side ^ j];
        bool open = !closed && b->row != NO_ROW && now <= b->close;
        plan->miss[j] = !(open && b->row == n->row);
        plan->conflict[j] = plan->miss[j] && open;
        int64_t act = b->act;
        plan->hold[j] = plan->miss[j] ? LONG_AGO : b->precharge;
        if (plan->miss[j]) {
            act = closed ? floor : later(now, b->ready);
            if (open)
                act = later(later(now, b->precharge) + c->t_rp, b->act + c->t_rc);
            act = later(act, later(previous + c->t_rrd, ch->acts[acts] + c->t_faw));
            previous = act;
            acts++;
        }
        plan->act[j] = act;
        column = later(column, act + c->t_rcd - (int64_t)j * c->burst_clocks);
    }
    plan->column = column;
}

/* Clock at which all banks of the request are precharged again at the earliest. */
static int64_t release(const struct tsr_hbm *h, const struct node *n, const struct plan *plan,
                       bool write)
{
    const struct tsr_hbm_config *c = &h->c;
    int64_t end = LONG_AGO;
    for (uint32_t j = 0; j < (n->bursts > 1 ? 2u : 1u); j++) {
        end = later(end, precharge_after(h, n, plan, j, write) + c->t_rp);
        end = later(end, plan->act[j] + c->t_rc);
    }
    return end;
}

/* Earliest plan of a waiting request. A row that could not be closed again before the pair's next
 * refresh is opened after it. */
static void make_plan(const struct tsr_hbm *h, const struct channel *ch, struct pair *p,
                      const struct node *n, bool write, int64_t now, int64_t bound,
                      struct plan *plan)
{
    settle_refresh(h, p, now);
    plan->refresh = p->refresh;
    plan->refresh_end = p->refresh_end;
    plan_from(h, ch, p, n, now, now, false, bound, plan);
    while (release(h, n, plan, write) > plan->refresh) {
        plan->refresh_end = plan->refresh + h->c.t_rfc_pb;
        plan->refresh += h->period;
        plan_from(h, ch, p, n, now, plan->refresh_end, true, bound, plan);
    }
}

/* Whether the next request is a write. */
static bool choose_write(const struct tsr_hbm *h, struct channel *ch)
{
    uint32_t reads = ch->list[0].count, writes = ch->list[1].count;
    if (ch->batch) {
        ch->batch--;
        return true;
    }
    if (reads == 0 || writes == 0) {
        if (reads == 0)
            ch->waited = 0;
        return reads == 0;
    }
    if ((writes >= h->c.write_drain && ch->credit == 0) || ch->waited >= TSR_HBM_WRITE_PATIENCE) {
        ch->batch = (writes < h->c.write_drain ? writes : h->c.write_drain) - 1;
        ch->credit = h->c.write_drain;
        ch->waited = 0;
        return true;
    }
    return false;
}

/* A clock before which the request's first column command cannot come when its rows are not open:
 * the activates of a channel stay in order. Much cheaper than a plan. */
static int64_t miss_bound(const struct tsr_hbm *h, const struct channel *ch, const struct pair *p,
                          const struct node *n, int64_t now)
{
    const struct tsr_hbm_config *c = &h->c;
    uint32_t side = n->first & 1u;
    if (p->bank[side].row == n->row)
        return now;
    int64_t act = later(now, later(ch->acts[3] + c->t_rrd, ch->acts[0] + c->t_faw));
    if (n->bursts > 1 && p->bank[side ^ 1].row != n->row)
        act = later(act, later(act + c->t_rrd, ch->acts[1] + c->t_faw) - c->burst_clocks);
    return act + c->t_rcd;
}

/* Takes the request out of the list that can start earliest among the first `lookahead`, the oldest
 * of equals; the oldest once it has been passed over too often. */
static uint32_t take(struct tsr_hbm *h, struct channel *ch, struct pair *pairs, bool write,
                     int64_t now, struct plan *plan)
{
    struct list *l = &ch->list[write];
    int64_t bound = column_bound(h, ch, write, now);
    uint32_t best = l->head, before = NIL;
    make_plan(h, ch, &pairs[h->node[best].pair], &h->node[best], write, now, bound, plan);
    if (l->passed < TSR_HBM_PATIENCE) {
        struct plan other;
        uint32_t previous = best, at = h->node[best].next;
        for (uint32_t i = 1; i < h->c.lookahead && at != NIL && plan->column > bound; i++) {
            const struct node *n = &h->node[at];
            if (miss_bound(h, ch, &pairs[n->pair], n, now) < plan->column) {
                make_plan(h, ch, &pairs[n->pair], n, write, now, bound, &other);
                if (other.column < plan->column) {
                    *plan = other;
                    best = at;
                    before = previous;
                }
            }
            previous = at;
            at = n->next;
        }
    }
    if (before == NIL) {
        l->head = h->node[best].next;
        l->passed = 0;
    } else {
        h->node[before].next = h->node[best].next;
        l->passed++;
    }
    if (l->tail == best)
        l->tail = before;
    l->count--;
    return best;
}

/* Puts the plan into effect; returns the clock at which its last beat ends. */
static int64_t commit(struct tsr_hbm *h, struct channel *ch, struct pair *p, const struct node *n,
                      bool write, int64_t now, const struct plan *plan)
{
    const struct tsr_hbm_config *c = &h->c;
    uint32_t side = n->first & 1u, banks = n->bursts > 1 ? 2 : 1;
    struct tsr_hbm_stats *s = &ch->stats;
    if (plan->refresh != p->refresh || now < plan->refresh_end)
        s->refresh_stalls++;
    if (plan->refresh != p->refresh)
        for (int i = 0; i < 2; i++) {
            p->bank[i].row = NO_ROW;
            p->bank[i].ready = plan->refresh_end;
        }
    p->refresh = plan->refresh;
    p->refresh_end = plan->refresh_end;
    for (uint32_t j = 0; j < banks; j++) {
        struct bank *b = &p->bank[side ^ j];
        int64_t column = last_column(h, n, plan->column, j);
        if (plan->miss[j]) {
            ch->acts[0] = ch->acts[1];
            ch->acts[1] = ch->acts[2];
            ch->acts[2] = ch->acts[3];
            ch->acts[3] = plan->act[j];
            b->row = n->row;
            b->act = plan->act[j];
        }
        s->row_hits += !plan->miss[j];
        s->row_conflicts += plan->conflict[j];
        s->row_misses += plan->miss[j] && !plan->conflict[j];
        b->precharge = precharge_after(h, n, plan, j, write);
        b->close = later(b->precharge, column + TSR_HBM_OPEN_CLOCKS);
        b->ready = later(b->close + c->t_rp, b->act + c->t_rc);
    }
    s->turnarounds += ch->column != LONG_AGO && ch->column_write != write;
    ch->column = plan->column + (n->bursts - 1) * (int64_t)c->burst_clocks;
    ch->column_group = group_of(h, n->pair, side ^ ((n->bursts - 1u) & 1u));
    ch->column_write = write;
    s->busy_clocks += (uint64_t)n->bursts * c->burst_clocks;
    return ch->column + (write ? c->t_cwl : c->t_cl) + c->burst_clocks;
}

uint64_t tsr_hbm_next(struct tsr_hbm *h, uint32_t channel, uint64_t cycle,
                      struct tsr_hbm_done *done)
{
    struct channel *ch = &h->channel[channel];
    struct pair *pairs = &h->pair[channel * h->pairs];
    assert(ch->due && ch->list[0].count + ch->list[1].count > 0);
    int64_t now = clock_of(h, cycle);
    struct plan plan;
    bool write = choose_write(h, ch);
    uint32_t at = take(h, ch, pairs, write, now, &plan);
    struct node *n = &h->node[at];
    int64_t end = commit(h, ch, &pairs[n->pair], n, write, now, &plan);

    if (write) {
        ch->stats.writes++;
        ch->stats.write_bytes += n->bytes;
    } else {
        ch->stats.reads++;
        ch->stats.read_bytes += n->bytes;
        ch->credit -= ch->credit > 0;
        ch->waited = ch->list[1].count ? ch->waited + 1 : 0;
    }
    ch->stats.last_clock = (uint64_t)end;
    *done =
        (struct tsr_hbm_done){cycle_from(h, end) + h->c.controller_cycles, n->id, n->bytes, write};
    n->next = h->free;
    h->free = at;

    uint64_t next = cycle_until(h, end - h->lead);
    ch->decide_cycle = next > cycle ? next : cycle + 1;
    ch->due = ch->list[0].count + ch->list[1].count > 0;
    return ch->due ? ch->decide_cycle : TSR_HBM_NEVER;
}

uint32_t tsr_hbm_waiting(const struct tsr_hbm *h, uint32_t channel)
{
    return h->channel[channel].list[0].count + h->channel[channel].list[1].count;
}

struct tsr_hbm_stats tsr_hbm_channel_stats(const struct tsr_hbm *h, uint32_t channel)
{
    return h->channel[channel].stats;
}

struct tsr_hbm_stats tsr_hbm_stats(const struct tsr_hbm *h)
{
    struct tsr_hbm_stats sum = {0};
    for (uint32_t i = 0; i < h->channels; i++) {
        const struct tsr_hbm_stats *s = &h->channel[i].stats;
        sum.reads += s->reads;
        sum.writes += s->writes;
        sum.read_bytes += s->read_bytes;
        sum.write_bytes += s->write_bytes;
        sum.busy_clocks += s->busy_clocks;
        sum.row_hits += s->row_hits;
        sum.row_misses += s->row_misses;
        sum.row_conflicts += s->row_conflicts;
        sum.refresh_stalls += s->refresh_stalls;
        sum.turnarounds += s->turnarounds;
        if (s->queue_max > sum.queue_max)
            sum.queue_max = s->queue_max;
        if (s->last_clock > sum.last_clock)
            sum.last_clock = s->last_clock;
    }
    return sum;
}
