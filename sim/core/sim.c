/* SPDX-License-Identifier: Apache-2.0 */
/* Creation, and runs: the loop over cycles that have events. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/machine.h"
#include "sim/core/observe.h"
#include "sim/core/race.h"
#include "sim/core/zeroed.h"

enum {
    FIRST_PACKETS = 4096
};

enum tsr_status tsr_sim_create(const struct tsr_chip *chip, const struct tsr_isa *isa,
                               struct tsr_sim **out, struct tsr_error *err)
{
    enum tsr_status st = chip_check(chip, err);
    if (st)
        return st;
    struct tsr_sim *s = calloc(1, sizeof *s);
    if (!s)
        return tsr_error_set(err, TSR_INTERNAL, "simulator: out of memory");
    s->chip = chip;
    s->isa = isa;
    s->n_tiles = tsr_chip_tiles(chip);
    s->n_clusters = tsr_chip_clusters(chip);
    s->tile = calloc(s->n_tiles, sizeof *s->tile);
    s->csram = calloc(s->n_clusters, sizeof *s->csram);
    s->dirty = calloc(s->n_tiles, sizeof *s->dirty);
    s->line_shift = (uint32_t)__builtin_ctz(chip->tile.line_bytes);
    s->port_shift = (uint32_t)__builtin_ctz(chip->tile.port_bytes);
    s->lat_tsram = (uint32_t)tsr_isa_param(isa, "tsram_latency", 2);
    s->dma_setup = (uint32_t)tsr_isa_param(isa, "dma_setup", 4);
    s->drain_pipe = (uint32_t)tsr_isa_param(isa, "drain_pipe", 4);
    s->branch_taken = (uint32_t)tsr_isa_param(isa, "branch_taken", 3);
    if (!s->tile || !s->csram || !s->dirty) {
        tsr_sim_destroy(s);
        return tsr_error_set(err, TSR_INTERNAL, "simulator: out of memory");
    }
    *out = s;
    return TSR_OK;
}

/* After a fault instructions are left in queues and units; each owns its clocks. */
static void clocks_free(struct tile *t)
{
    for (int q = 0; q < TSR_QUEUES; q++) {
        struct queue *qu = &t->q[q];
        for (uint32_t k = 0; k < qu->count; k++)
            free(qu->slot[(qu->head + k) % MAX_QUEUE].clocks);
        for (int k = 0; k < MAX_ACTIVE; k++)
            free(qu->active[k].clocks);
    }
    for (int c = 0; c < CHANNELS; c++)
        for (uint32_t k = 0; k < t->dma.ch[c].count; k++)
            free(t->dma.ch[c].d[(t->dma.ch[c].head + k) % MAX_DESCRIPTORS].in.clocks);
}

static size_t acc_bytes(const struct tsr_tile_config *c)
{
    return (size_t)c->ttu.acc_banks * 16 * c->ttu.dim * c->ttu.dim * 4;
}

static void tile_free(struct tile *t)
{
    clocks_free(t);
    free(t->tvp.v);
    for (int c = 0; c < CHANNELS; c++)
        for (int d = 0; d < MAX_DESCRIPTORS; d++)
            free(t->dma.ch[c].d[d].cast_left);
}

static void run_free(struct tsr_sim *s)
{
    for (uint32_t i = 0; i < s->n_tiles; i++)
        tile_free(&s->tile[i]);
    memset(s->tile, 0, s->n_tiles * sizeof *s->tile);
    zeroed_clear(&s->tsram);
    zeroed_clear(&s->acc);
    zeroed_clear(&s->control);
    calendar_free(&s->cal);
    predecode_free(s, &s->code);
    race_free(s->race);
    s->race = NULL;
}

void tsr_sim_destroy(struct tsr_sim *s)
{
    if (!s)
        return;
    if (s->tile)
        run_free(s);
    memory_free(s);
    zeroed_free(&s->tsram);
    zeroed_free(&s->acc);
    zeroed_free(&s->control);
    free(s->hbm_memory);
    free(s->inbox);
    free(s->packet);
    for (int i = 0; i < 3; i++)
        free(s->scratch[i]);
    free(s->exprs);
    free(s->tile);
    free(s->dirty);
    free(s);
}

static bool tile_init(struct tsr_sim *s, uint32_t i)
{
    struct tile *t = &s->tile[i];
    const struct tsr_tile_config *c = &s->chip->tile;
    const struct tsr_program *p = s->program;
    bool runs = i < p->tiles;
    t->id = i;
    t->cluster = i / s->chip->tiles_per_cluster;
    t->wake = t->pump_wake = NEVER;
    t->tcp.halted = !runs;
    t->tcp.t = s->chip->launch_cycles;
    if (runs && p->args)
        memcpy(&t->tcp.x[1], p->args[i], sizeof p->args[i]);
    for (int q = 0; q < TSR_QUEUES; q++)
        t->q[q].accounted = 0;
    t->control = zeroed_block(&s->control, i);
    if (!t->control)
        return false;
    if (runs && p->control && p->control[i])
        memcpy(t->control, p->control[i], p->control_bytes[i]);
    if (!s->values)
        return true;
    t->tsram = zeroed_block(&s->tsram, i);
    t->acc = zeroed_block(&s->acc, i);
    t->tvp.v = calloc((size_t)c->tvp.vregs * c->tvp.lanes, 4);
    return t->tsram && t->acc && t->tvp.v;
}

static enum tsr_status check_program(const struct tsr_sim *s, const struct tsr_program *p,
                                     struct tsr_error *err)
{
    if (p->tiles == 0 || p->tiles > s->n_tiles)
        return tsr_error_set(err, TSR_BAD_INPUT, "program: runs on %u tiles, %s has %u", p->tiles,
                             s->chip->name, s->n_tiles);
    for (uint32_t i = 0; p->control && i < p->tiles; i++)
        if (p->control[i] && p->control_bytes[i] > s->chip->tile.control_bytes)
            return tsr_error_set(
                err, TSR_BAD_INPUT, "program: %u bytes of control memory on tile %u, %s has %u",
                p->control_bytes[i], i, s->chip->name, s->chip->tile.control_bytes);
    return TSR_OK;
}

static enum tsr_status race_init(struct tsr_sim *s, struct tsr_error *err)
{
    if (s->opt.check_races && s->values && !(s->race = race_new(s)))
        return tsr_error_set(err, TSR_INTERNAL, "simulator: out of memory");
    return TSR_OK;
}

/* What is kept from run to run: made at the first that needs it. */
static bool room_init(struct tsr_sim *s)
{
    const struct tsr_tile_config *c = &s->chip->tile;
    return zeroed_make(&s->control, s->n_tiles, c->control_bytes) &&
           (!s->values || (zeroed_make(&s->tsram, s->n_tiles, c->tsram_bytes) &&
                           zeroed_make(&s->acc, s->n_tiles, acc_bytes(c))));
}

static bool timing_room_init(struct tsr_sim *s, uint32_t capacity)
{
    const struct tsr_hbm_config *h = &s->chip->hbm;
    const size_t bytes = tsr_hbm_bytes(h, capacity);
    if (!s->hbm_memory)
        s->hbm_memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!s->inbox)
        s->inbox = malloc((size_t)h->stacks * h->channels * sizeof *s->inbox);
    if (!s->packet) {
        s->packet_cap = FIRST_PACKETS;
        s->packet = aligned_alloc(64, FIRST_PACKETS * sizeof *s->packet);
    }
    return s->hbm_memory && s->inbox && s->packet;
}

static enum tsr_status run_init(struct tsr_sim *s, struct tsr_error *err)
{
    const struct tsr_hbm_config *h = &s->chip->hbm;
    uint32_t capacity = s->n_tiles * MAX_REQUESTS;
    memset(&s->stats, 0, sizeof s->stats);
    memset(&s->fault, 0, sizeof s->fault);
    s->faults = 0;
    s->packets = 0;
    s->packet_free = UINT32_MAX;
    s->n_dirty = 0;
    enum tsr_status st = predecode(s, s->program, &s->code, err);
    if (st)
        return st;
    bool ok = calendar_init(&s->cal) && room_init(s);
    for (uint32_t i = 0; ok && i < s->n_tiles; i++)
        ok = tile_init(s, i);
    if (ok && s->opt.mode == TSR_MODE_FUNCTIONAL) /* nothing is on its way */
        return race_init(s, err);
    if (!ok || !timing_room_init(s, capacity))
        return tsr_error_set(err, TSR_INTERNAL, "simulator: out of memory");
    for (uint32_t i = 0; i < h->stacks * h->channels; i++)
        s->inbox[i] = (struct inbox){.head = UINT32_MAX, .arrival_due = NEVER};
    s->hbm = tsr_hbm_init(s->hbm_memory, h, capacity);
    tsr_hbm_tables_init(&s->map, h);
    tsr_mesh_init(&s->mesh, &s->chip->mesh);
    return race_init(s, err);
}

void show_retired(const struct tsr_sim *s, const struct tile *t, enum tsr_queue q,
                  const struct unit_insn *in, uint64_t cycle)
{
    if (observed(s))
        tell(s, (struct observation){
                    .kind = OBS_RETIRE, .tile = t->id, .queue = q, .pc = in->pc, .cycle = cycle});
}

static void unit_end(struct tsr_sim *s, const struct event *e)
{
    struct tile *t = &s->tile[e->tile];
    enum tsr_queue q = (enum tsr_queue)e->a;
    struct queue *qu = &t->q[q];
    struct unit_insn *in = &qu->active[e->b];
    if (s->values)
        exec_unit(s, t, q, in);
    posts(s, t, q, in, e->time, TSR_WAIT_SEMAPHORE);
    race_end(s, in);
    if (q != TSR_Q_TVP)
        s->stats.instructions[q]++;
    show_retired(s, t, q, in, e->time);
    if (s->opt.retired)
        s->opt.retired(s->opt.retired_self, t->id, q, in->pc, qu->active_start[e->b], e->time);
    in->u = NULL;
    qu->n_active--;
    t->end = e->time > t->end ? e->time : t->end;
    mark_dirty(s, t);
}

static void remote_post(struct tsr_sim *s, const struct event *e)
{
    struct tile *t = &s->tile[e->tile];
    /* One a cycle; the order of (arrival, source) is kept by the key. c: has its cycle already. */
    if (!e->c && t->rpost_free > e->time) {
        struct event later = *e;
        later.c = 1;
        later.time = t->rpost_free++;
        calendar_put(&s->cal, later);
        return;
    }
    if (!e->c)
        t->rpost_free = e->time + 1;
    struct semaphore *m = &t->sem[e->a]; /* its clocks were posted when it was sent */
    if (++m->count > s->chip->tile.semaphore_max)
        raise_fault(s, TSR_FAULT_SEMAPHORE_OVERFLOW, e->time, t->id, TSR_Q_TCP, 0,
                    "s%u counts more than %u", e->a, s->chip->tile.semaphore_max);
    m->blame = TSR_WAIT_SEMAPHORE;
    m->last_post = e->time;
    if (observed(s)) {
        struct observation o = {.kind = OBS_REMOTE, .tile = t->id, .reg = e->a, .cycle = e->time};
        tell(s, o);
        o.kind = OBS_SEM;
        o.value = m->count;
        tell(s, o);
    }
    t->end = e->time > t->end ? e->time : t->end;
    mark_dirty(s, t);
}

static void handle(struct tsr_sim *s, const struct event *e)
{
    switch (e->kind) {
    case EV_UNIT:
        unit_end(s, e);
        break;
    case EV_RPOST:
        remote_post(s, e);
        break;
    case EV_WAKE: {
        struct tile *t = &s->tile[e->tile];
        uint64_t *pending = e->a ? &t->pump_wake : &t->wake;
        if (*pending == e->time + 1)
            *pending = NEVER;
        if (e->a)
            mark_pump(s, t);
        else
            mark_dirty(s, t);
        break;
    }
    default:
        dma_handle(s, e);
    }
}

static void settle_all(struct tsr_sim *s, uint64_t now)
{
    for (uint32_t i = 0; i < s->n_dirty; i++) {
        struct tile *t = &s->tile[s->dirty[i]];
        t->dirty = false;
        settle(s, t, now);
    }
    s->n_dirty = 0;
}

bool run_complete(const struct tsr_sim *s)
{
    for (uint32_t i = 0; i < s->n_tiles; i++) {
        const struct tile *t = &s->tile[i];
        if (!t->tcp.halted)
            return false;
        for (int q = TSR_Q_TTU; q < TSR_QUEUES; q++)
            if (t->q[q].count || t->q[q].n_active)
                return false;
        for (int c = 0; c < CHANNELS; c++)
            if (t->dma.ch[c].count)
                return false;
    }
    return true;
}

/* Events of a cycle first, among them those the same cycle brings forth; then what starts next. */
static void run_timed(struct tsr_sim *s)
{
    struct calendar *c = &s->cal;
    uint64_t now = s->chip->launch_cycles > 0 ? s->chip->launch_cycles - 1 : 0;
    c->now = now;
    for (uint32_t i = 0; i < s->n_tiles; i++)
        mark_dirty(s, &s->tile[i]);
    settle_all(s, s->chip->launch_cycles);
    bool any = calendar_next(c);
    while (any && !c->failed && !(s->fault.kind && s->fault.cycle < c->now)) {
        now = c->now;
        if (now > s->opt.limit_cycles) {
            raise_fault(s, TSR_FAULT_LIMIT, now, 0, TSR_Q_TCP, 0, "more than %llu cycles",
                        (unsigned long long)s->opt.limit_cycles);
            break;
        }
        for (uint32_t i = 0; i < c->n_batch; i++) {
            struct event e = *calendar_event(c, i); /* the pool may move while it is handled */
            if (i + 2 < c->n_batch)
                /* By number: of other kinds `a` is no packet, and there may be none at all. */
                __builtin_prefetch((const void *)((uintptr_t)s->packet +
                                                  calendar_event(c, i + 2)->a * sizeof *s->packet));
            handle(s, &e);
        }
        s->stats.events += c->n_batch;
        calendar_release(c);
        if (calendar_same_cycle(c)) {
            any = calendar_next(c);
            continue;
        }
        settle_all(s, now + 1);
        any = calendar_next(c);
    }
    if (!s->fault.kind && !run_complete(s)) {
        char text[900];
        describe_deadlock(s, text, sizeof text);
        raise_fault(s, TSR_FAULT_DEADLOCK, now, 0, TSR_Q_TCP, 0, "%s", text);
    }
}

static void finish_stats(struct tsr_sim *s)
{
    struct tsr_stats *st = &s->stats;
    for (uint32_t i = 0; i < s->n_tiles; i++) {
        const struct tile *t = &s->tile[i];
        uint64_t end = t->end > t->tcp.t ? t->end : t->tcp.t;
        if (i < s->program->tiles && end > st->cycles)
            st->cycles = end;
        for (int q = 0; q < TSR_QUEUES; q++)
            if (t->q[q].accounted > st->cycles)
                st->cycles = t->q[q].accounted;
    }
    for (uint32_t i = 0; i < s->n_tiles; i++)
        for (int q = 0; q < TSR_QUEUES; q++)
            account(s, &s->tile[i].q[q], (enum tsr_queue)q, st->cycles, TSR_WAIT_DRAINED);
    for (int q = 0; q < TSR_QUEUES; q++) { /* every cycle of every unit has one reason */
        uint64_t sum = 0;
        for (int w = 0; w < TSR_WAITS; w++)
            sum += st->unit[q][w];
        assert(sum == st->cycles * s->n_tiles);
        (void)sum;
    }
    struct tsr_hbm_stats h = tsr_hbm_stats(s->hbm);
    st->hbm_read_bytes = h.read_bytes;
    st->hbm_write_bytes = h.write_bytes;
    st->hbm_row_hits = h.row_hits;
    st->hbm_row_misses = h.row_misses + h.row_conflicts;
    st->mesh_backlog_cycles = tsr_mesh_stats(&s->mesh).backlog_max;
}

static enum tsr_status report_fault(const struct tsr_sim *s, struct tsr_error *err)
{
    const struct tsr_fault *f = &s->fault;
    return tsr_error_set(err, TSR_FAULT, "fault %s in cycle %llu: tile %u, %s, word %u: %s",
                         tsr_fault_name[f->kind], (unsigned long long)f->cycle, f->tile,
                         tsr_queue_name[f->queue], f->pc, f->text);
}

enum tsr_status tsr_sim_run(struct tsr_sim *s, const struct tsr_program *program,
                            const struct tsr_run_options *options, struct tsr_stats *stats,
                            struct tsr_fault *fault, struct tsr_error *err)
{
    enum tsr_status st = check_program(s, program, err);
    if (st)
        return st;
    s->program = program;
    s->opt = *options;
    if (s->opt.limit_cycles == 0)
        s->opt.limit_cycles = 1000000000000u;
    s->values = options->mode != TSR_MODE_TIMING;
    st = run_init(s, err);
    if (st == TSR_OK) {
        if (options->mode == TSR_MODE_FUNCTIONAL) {
            s->opt.retired = NULL; /* its times mean nothing */
            run_functional(s);
            memset(s->stats.unit, 0, sizeof s->stats.unit);
        } else {
            run_timed(s);
        }
        if (s->cal.failed)
            st = tsr_error_set(err, TSR_INTERNAL, "simulator: out of memory");
        else if (s->fault.kind)
            st = report_fault(s, err);
        if (options->mode != TSR_MODE_FUNCTIONAL)
            finish_stats(s);
        if (stats)
            *stats = s->stats;
        if (fault)
            *fault = s->fault;
    }
    run_free(s);
    s->program = NULL;
    return st;
}
