/* SPDX-License-Identifier: Apache-2.0 */
/* What can start: called for a tile after the events of cycle now - 1, decides for cycle `now`. */
#include "sim/core/observe.h"

void mark_pump(struct tsr_sim *s, struct tile *t)
{
    if (!t->dirty) {
        t->dirty = true;
        s->dirty[s->n_dirty++] = t->id;
    }
}

void mark_dirty(struct tsr_sim *s, struct tile *t)
{
    t->units_dirty = true;
    mark_pump(s, t);
}

static uint64_t earliest(const struct queue *q, uint64_t now)
{
    const struct unit_insn *in = &q->slot[q->head];
    uint64_t at = in->queued + 1 > q->free_at ? in->queued + 1 : q->free_at;
    return at > now ? at : now;
}

static void pop(struct queue *q)
{
    q->head = (q->head + 1) % MAX_QUEUE;
    q->count--;
}

static void start_one(struct tsr_sim *s, struct tile *t, enum tsr_queue id, uint64_t now)
{
    struct queue *q = &t->q[id];
    struct unit_insn *in = queue_head(q);
    if (earliest(q, now) > now || !sems_ready(t, in->u))
        return;
    uint64_t when;
    uint8_t blame = sems_blame(t, in->u, &when);
    if (id >= TSR_Q_DMA0 ? t->dma.ch[id - TSR_Q_DMA0].count == MAX_DESCRIPTORS
                         : q->n_active == MAX_ACTIVE)
        return; /* one that ends will bring us back */
    if (observed(s))
        tell(s, (struct observation){
                    .kind = OBS_START, .tile = t->id, .queue = id, .pc = in->pc, .cycle = now});
    if (id >= TSR_Q_DMA0) {
        struct unit_insn copy = *in;
        sems_consume(s, t, id, &copy, now);
        account_wait(s, t, id, &copy, now, blame, when);
        pop(q);
        start_dma(s, t, id - TSR_Q_DMA0, &copy, now);
        return;
    }
    struct unit_insn copy = *in;
    sems_consume(s, t, id, &copy, now);
    account_wait(s, t, id, &copy, now, blame, when);
    pop(q);
    unsigned slot = 0;
    while (q->active[slot].u)
        slot++;
    q->active[slot] = copy;
    q->active_start[slot] = now;
    q->n_active++;
    if (id == TSR_Q_TTU)
        start_mma(s, t, &q->active[slot], now);
    else if (id == TSR_Q_ACC)
        start_acc(s, t, &q->active[slot], now);
    else
        start_tvp(s, t, &q->active[slot], now);
}

/* A settling for `cycle` follows the events of the cycle before. */
static void wake_at(struct tsr_sim *s, struct tile *t, uint64_t cycle, bool pump_only)
{
    uint64_t *pending = pump_only ? &t->pump_wake : &t->wake;
    if (cycle == NEVER || *pending <= cycle || (pump_only && t->wake == cycle))
        return;
    *pending = cycle;
    calendar_put(&s->cal, (struct event){.time = cycle - 1,
                                         .key = (uint64_t)EV_WAKE << 56 | t->id << 1 | pump_only,
                                         .kind = EV_WAKE,
                                         .a = pump_only,
                                         .tile = (uint16_t)t->id});
}

/* Units first: what the TCP queues or a channel frees in this cycle can start in the next. */
static uint64_t settle_units(struct tsr_sim *s, struct tile *t, uint64_t now)
{
    t->units_dirty = false;
    for (int q = TSR_Q_TTU; q < TSR_QUEUES; q++)
        if (t->q[q].count)
            start_one(s, t, (enum tsr_queue)q, now);
    uint64_t wake = tcp_run(s, t, now);
    if (t->tcp_posted) {
        t->tcp_posted = false;
        wake = now + 1;
    }
    return wake;
}

void settle(struct tsr_sim *s, struct tile *t, uint64_t now)
{
    bool units = t->units_dirty;
    uint64_t wake = units ? settle_units(s, t, now) : NEVER;
    t->channel_free = false;
    wake_at(s, t, dma_pump(s, t, now), true);
    if (!units) {
        if (t->channel_free)
            wake_at(s, t, now + 1, false);
        return;
    }
    for (int q = TSR_Q_TTU; q < TSR_QUEUES; q++)
        if (t->q[q].count) {
            uint64_t at = earliest(&t->q[q], now);
            /* at == now: it waits for a post or a place; an event will come */
            if (at > now && at < wake)
                wake = at;
        }
    wake_at(s, t, wake, false);
}
