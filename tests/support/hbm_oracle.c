/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/hbm_oracle.h"

#include <stdlib.h>
#include <string.h>

#include "sim/mem/hbm.h"

enum { MAX_PAIRS = 64, MAX_JOBS = 128, MAX_GROUPS = 64 };
#define NEVER (-((int64_t)1 << 40))

struct cell { /* one bank */
    bool open;
    uint32_t row;
    int64_t act, pre, read, write; /* when each command was last given */
};

struct job { /* a chosen request whose columns are not all sent */
    uint32_t index, pair, row, first, bursts, sent;
    bool write;
    int64_t hold; /* no command before this clock */
};

struct device {
    int64_t now; /* the next clock to be ticked */
    struct cell cell[MAX_PAIRS][2];
    int64_t refresh[MAX_PAIRS], refreshing_until[MAX_PAIRS];
    int64_t act[4];                      /* latest activates, newest first */
    int64_t read, write, pins;           /* latest columns; pins in use up to here */
    int64_t group[MAX_GROUPS];           /* latest column of each bank group */
    struct job job[MAX_JOBS];
    uint32_t jobs;
    int64_t first_column, last_column; /* of the job with index `watch` */
    uint32_t watch;
    const char *broken;
    struct tsr_hbm_oracle_counts counts;
};

struct oracle {
    const struct tsr_hbm_config *c;
    uint32_t pairs;
    const struct tsr_hbm_oracle_request *request;
    struct tsr_hbm_place *place;
    uint64_t *done;
    struct device device, trial;
};

static bool needs(const struct job *j, uint32_t side)
{
    if (j->sent == j->bursts)
        return false;
    return ((j->first + j->sent) & 1) == side || j->bursts - j->sent > 1;
}

static bool has_row(const struct device *d, const struct job *j, uint32_t side)
{
    const struct cell *b = &d->cell[j->pair][side];
    return b->open && b->row == j->row;
}

static bool claimed(const struct device *d, uint32_t before, uint32_t pair, uint32_t side)
{
    for (uint32_t i = 0; i < before; i++)
        if (d->job[i].pair == pair && needs(&d->job[i], side))
            return true;
    return false;
}

/* Whether an earlier job will leave another row open in the bank. */
static bool contested(const struct device *d, uint32_t k, uint32_t side)
{
    const struct job *j = &d->job[k];
    for (uint32_t i = 0; i < k; i++)
        if (d->job[i].pair == j->pair && d->job[i].row != j->row && needs(&d->job[i], side))
            return true;
    return false;
}

static bool may_precharge(const struct tsr_hbm_config *c, const struct cell *b, int64_t t)
{
    return t >= b->act + c->t_ras && t >= b->read + c->t_rtp &&
           t >= b->write + c->t_cwl + c->burst_clocks + c->t_wr;
}

static void refresh(const struct tsr_hbm_config *c, uint32_t pairs, struct device *d, int64_t t)
{
    if (c->t_refi == 0)
        return;
    for (uint32_t p = 0; p < pairs; p++) {
        for (int i = 0; i < 2 && t == d->refresh[p] - c->t_rp; i++) {
            struct cell *b = &d->cell[p][i];
            if (b->open && !may_precharge(c, b, t))
                d->broken = "a row is still in use when its refresh is due";
            if (b->open)
                b->pre = t;
            b->open = false;
        }
        if (t != d->refresh[p])
            continue;
        for (int i = 0; i < 2; i++) {
            const struct cell *b = &d->cell[p][i];
            if (b->open || t < b->pre + c->t_rp || t < b->act + c->t_rc)
                d->broken = "refresh of a bank that is not precharged";
        }
        d->refreshing_until[p] = t + c->t_rfc_pb;
        d->refresh[p] += (int64_t)c->t_refi * pairs;
        d->counts.refreshes++;
    }
}

static void close_unused(const struct tsr_hbm_config *c, uint32_t pairs, struct device *d,
                         int64_t t)
{
    for (uint32_t p = 0; p < pairs; p++)
        for (uint32_t i = 0; i < 2; i++) {
            struct cell *b = &d->cell[p][i];
            int64_t used = b->read > b->write ? b->read : b->write;
            if (b->open && t >= used + TSR_HBM_OPEN_CLOCKS && may_precharge(c, b, t) &&
                !claimed(d, d->jobs, p, i)) {
                b->open = false;
                b->pre = t;
            }
        }
}

static bool may_activate(const struct tsr_hbm_config *c, const struct device *d,
                         const struct job *j, uint32_t side, int64_t t)
{
    const struct cell *b = &d->cell[j->pair][side];
    return !b->open && t >= b->pre + c->t_rp && t >= b->act + c->t_rc &&
           t >= d->refreshing_until[j->pair] && t >= d->act[0] + c->t_rrd &&
           t >= d->act[3] + c->t_faw;
}

/* Precharges and activates, in the order of the jobs. */
static void open_rows(const struct tsr_hbm_config *c, struct device *d, int64_t t)
{
    bool in_turn = true; /* no activate is outstanding before this one */
    for (uint32_t k = 0; k < d->jobs; k++) {
        struct job *j = &d->job[k];
        for (uint32_t i = 0; i < 2; i++) {
            uint32_t side = (j->first + i) & 1;
            struct cell *b = &d->cell[j->pair][side];
            if (!needs(j, side) || (has_row(d, j, side) && !contested(d, k, side)))
                continue;
            if (t >= j->hold && !claimed(d, k, j->pair, side)) {
                if (b->open && may_precharge(c, b, t)) {
                    b->open = false;
                    b->pre = t;
                } else if (in_turn && may_activate(c, d, j, side, t)) {
                    b->open = true;
                    b->row = j->row;
                    b->act = t;
                    memmove(d->act + 1, d->act, 3 * sizeof d->act[0]);
                    d->act[0] = t;
                    d->counts.activates++;
                    continue;
                }
            }
            in_turn = false;
        }
    }
}

static bool may_column(const struct tsr_hbm_config *c, const struct device *d, const struct job *j,
                       int64_t t)
{
    uint32_t side = (j->first + j->sent) & 1;
    const struct cell *b = &d->cell[j->pair][side];
    uint32_t group = 2 * (j->pair % (c->bank_groups / 2)) + side;
    int64_t latest = d->read > d->write ? d->read : d->write;
    return t >= j->hold && has_row(d, j, side) && t >= b->act + c->t_rcd &&
           t >= latest + c->t_ccd_s && t >= d->group[group] + c->t_ccd_l &&
           t + (j->write ? c->t_cwl : c->t_cl) >= d->pins &&
           (j->write ? t >= d->read + c->t_rtw
                     : t >= d->write + c->t_cwl + c->burst_clocks + c->t_wtr);
}

/* The first job's next column. The first column waits until the rest can follow without a gap. */
static void column(const struct tsr_hbm_config *c, struct device *d, int64_t t)
{
    if (d->jobs == 0)
        return;
    struct job *j = &d->job[0];
    uint32_t side = (j->first + j->sent) & 1;
    int64_t start = d->read > d->write ? d->read : d->write;
    if (j->sent && t < start + c->burst_clocks)
        return;
    bool may = may_column(c, d, j, t);
    if (j->sent && !may)
        d->broken = "a burst cannot follow the one before it";
    if (j->sent == 0 && j->bursts > 1)
        may = may && has_row(d, j, side ^ 1) &&
              t + c->burst_clocks >= d->cell[j->pair][side ^ 1].act + c->t_rcd;
    if (!may)
        return;
    struct cell *b = &d->cell[j->pair][side];
    *(j->write ? &b->write : &b->read) = t;
    *(j->write ? &d->write : &d->read) = t;
    d->group[2 * (j->pair % (c->bank_groups / 2)) + side] = t;
    d->pins = t + (j->write ? c->t_cwl : c->t_cl) + c->burst_clocks;
    d->counts.columns++;
    if (j->index == d->watch && j->sent == 0)
        d->first_column = t;
    if (++j->sent < j->bursts)
        return;
    if (j->index == d->watch)
        d->last_column = t;
    memmove(d->job, d->job + 1, --d->jobs * sizeof d->job[0]);
}

/* One clock. The banks that a request uses are seen before the commands of this clock: no two
 * commands to a bank in one clock. */
static void tick(const struct oracle *o, struct device *d)
{
    int64_t t = d->now++;
    refresh(o->c, o->pairs, d, t);
    close_unused(o->c, o->pairs, d, t);
    open_rows(o->c, d, t);
    column(o->c, d, t);
}

static int64_t clock_of(const struct oracle *o, uint64_t cycle)
{
    int64_t t = (int64_t)(cycle * o->c->clock_num / o->c->clock_den);
    return t + (cycle * o->c->clock_num % o->c->clock_den != 0);
}

static struct job job_of(const struct oracle *o, uint32_t index, int64_t hold)
{
    const struct tsr_hbm_oracle_request *r = &o->request[index];
    uint32_t burst = o->c->channel_bits / 4 * o->c->burst_clocks;
    uint32_t offset = (uint32_t)(r->address % o->c->segment_bytes);
    uint32_t first = offset / burst, last = (offset + r->bytes - 1) / burst;
    return (struct job){index, o->place[index].pair, o->place[index].row, first, last - first + 1,
                        0, r->write, hold};
}

/* First clock at which both banks that the watched job used can be precharged and done. */
static int64_t released(const struct oracle *o, const struct device *d, const struct job *j)
{
    const struct tsr_hbm_config *c = o->c;
    int64_t end = 0;
    for (uint32_t i = 0; i < 2 && i < j->bursts; i++) {
        const struct cell *b = &d->cell[j->pair][(j->first + i) & 1];
        int64_t t = b->act;
        while (!may_precharge(c, b, t))
            t++;
        t += c->t_rp;
        if (t < b->act + c->t_rc)
            t = b->act + c->t_rc;
        end = t > end ? t : end;
    }
    return end;
}

/* Tries a request on a copy of the device: where it would not be done with its rows by the pair's
 * next refresh, it is held until that is over. Returns the hold, leaves the copy in o->trial. */
static int64_t try_request(struct oracle *o, uint32_t index)
{
    int64_t hold = o->device.now;
    uint32_t pair = o->place[index].pair;
    int64_t due = o->device.refresh[pair];
    /* A refresh that starts in the clock of the decision comes first. */
    if (due == o->device.now)
        due += (int64_t)o->c->t_refi * o->pairs;
    for (;;) {
        struct job j = job_of(o, index, hold);
        o->trial = o->device;
        o->trial.watch = index;
        o->trial.broken = NULL;
        o->trial.job[o->trial.jobs++] = j;
        while (o->trial.jobs)
            tick(o, &o->trial);
        if (o->c->t_refi == 0 || released(o, &o->trial, &j) <= due)
            return hold;
        hold = due + o->c->t_rfc_pb;
        due += (int64_t)o->c->t_refi * o->pairs;
    }
}

struct queue {
    uint32_t *index, n, passed;
};

/* Picks from a queue, schedules the request on the device; returns the clock its data end at. */
static int64_t schedule(struct oracle *o, struct queue *q)
{
    uint32_t best = 0, looks = q->n < o->c->lookahead ? q->n : o->c->lookahead;
    int64_t best_first = 0, best_hold = 0, best_last = 0;
    if (q->passed >= TSR_HBM_PATIENCE)
        looks = 1;
    for (uint32_t i = 0; i < looks; i++) {
        int64_t hold = try_request(o, q->index[i]);
        if (i == 0 || o->trial.first_column < best_first) {
            best = i;
            best_first = o->trial.first_column;
            best_last = o->trial.last_column;
            best_hold = hold;
        }
    }
    uint32_t index = q->index[best];
    o->device.job[o->device.jobs++] = job_of(o, index, best_hold);
    memmove(q->index + best, q->index + best + 1, (--q->n - best) * sizeof *q->index);
    q->passed = best ? q->passed + 1 : 0;
    int64_t end = best_last + o->c->burst_clocks +
                  (o->request[index].write ? o->c->t_cwl : o->c->t_cl);
    uint64_t cycle = 0;
    for (cycle = (uint64_t)end * o->c->clock_den / o->c->clock_num; clock_of(o, cycle) < end;)
        cycle++;
    /* clock_of rounds up, so the cycle found may begin before `end`: compare exactly. */
    while (cycle * o->c->clock_num < (uint64_t)end * o->c->clock_den)
        cycle++;
    o->done[index] = cycle + o->c->controller_cycles;
    return end;
}

struct direction {
    uint32_t writes_left;       /* of a drain */
    uint32_t reads_owed;        /* before a full queue starts another drain */
    uint32_t reads_since_write; /* while a write waited */
};

static bool write_turn(const struct tsr_hbm_config *c, struct direction *d, const struct queue *q)
{
    bool full = q[1].n >= c->write_drain && d->reads_owed == 0;
    if (d->writes_left > 0) {
        d->writes_left--;
        return true;
    }
    if (q[0].n == 0) {
        d->reads_since_write = 0;
        return true;
    }
    if (q[1].n && (full || d->reads_since_write >= TSR_HBM_WRITE_PATIENCE)) {
        d->writes_left = q[1].n < c->write_drain ? q[1].n : c->write_drain;
        d->writes_left--;
        d->reads_owed = c->write_drain;
        d->reads_since_write = 0;
        return true;
    }
    return false;
}

static void run(struct oracle *o, uint32_t n, struct queue q[2])
{
    const struct tsr_hbm_config *c = o->c;
    struct direction turn = {0};
    int64_t lead = (int64_t)c->t_rp + c->t_rcd + c->t_cl;
    lead += c->t_rrd > c->burst_clocks ? c->t_rrd - c->burst_clocks : 0;
    uint64_t decide = 0; /* first cycle in which the controller may choose */
    for (uint32_t arrived = 0; arrived < n || q[0].n + q[1].n;) {
        uint64_t cycle = decide;
        if (q[0].n + q[1].n == 0 && o->request[arrived].cycle > cycle)
            cycle = o->request[arrived].cycle;
        for (; arrived < n && o->request[arrived].cycle <= cycle; arrived++) {
            struct queue *to = &q[o->request[arrived].write];
            to->index[to->n++] = arrived;
        }
        while (o->device.now < clock_of(o, cycle))
            tick(o, &o->device);
        bool write = write_turn(c, &turn, q);
        int64_t end = schedule(o, &q[write]);
        if (!write) {
            turn.reads_owed -= turn.reads_owed > 0;
            turn.reads_since_write = q[1].n ? turn.reads_since_write + 1 : 0;
        }
        for (decide = cycle + 1; clock_of(o, decide + 1) <= end - lead;)
            decide++;
    }
    while (o->device.jobs)
        tick(o, &o->device);
}

static void init_device(struct oracle *o)
{
    struct device *d = &o->device;
    memset(d, 0, sizeof *d);
    for (uint32_t p = 0; p < o->pairs; p++) {
        d->refresh[p] = o->c->t_refi ? ((int64_t)p + 1) * o->c->t_refi : INT64_MAX;
        d->refreshing_until[p] = NEVER;
        for (int i = 0; i < 2; i++)
            d->cell[p][i] = (struct cell){false, 0, NEVER, NEVER, NEVER, NEVER};
    }
    for (int i = 0; i < 4; i++)
        d->act[i] = NEVER;
    for (int i = 0; i < MAX_GROUPS; i++)
        d->group[i] = NEVER;
    d->read = d->write = d->pins = NEVER;
    d->watch = UINT32_MAX;
}

const char *tsr_hbm_oracle_run(const struct tsr_hbm_config *c,
                               const struct tsr_hbm_oracle_request *request, uint32_t n,
                               uint64_t *done, struct tsr_hbm_oracle_counts *counts)
{
    struct oracle *o = calloc(1, sizeof *o);
    uint32_t *index = calloc(2 * (size_t)n + 2, sizeof *index);
    struct tsr_hbm_place *place = calloc((size_t)n + 1, sizeof *place);
    struct queue q[2] = {{index, 0, 0}, {index + n, 0, 0}};
    const char *broken = "out of memory";
    if (o && index && place) {
        o->c = c;
        o->pairs = c->bank_groups / 2 * c->banks_per_group;
        o->request = request;
        o->place = place;
        o->done = done;
        for (uint32_t i = 0; i < n; i++)
            place[i] = tsr_hbm_map(c, request[i].address);
        init_device(o);
        run(o, n, q);
        broken = o->device.broken;
        *counts = o->device.counts;
    }
    free(place);
    free(index);
    free(o);
    return broken;
}
