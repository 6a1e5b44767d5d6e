/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of descriptors, and their completion in order (isa/MACHINE.md: TDMA). */
#include <stdlib.h>
#include <string.h>

#include "sim/core/race.h"
#include "sim/time/dma_observe.h"

void start_dma(struct tsr_sim *s, struct tile *t, unsigned ch, struct unit_insn *in, uint64_t now)
{
    struct dma_channel *c = &t->dma.ch[ch];
    struct descriptor *d = &c->d[(c->head + c->count) % MAX_DESCRIPTORS];
    if (!describe_transfer(s, t, in, d, now)) {
        race_end(s, in);
        return;
    }
    d->first_request = now + s->dma_setup;
    t->q[TSR_Q_DMA0 + ch].free_at = NEVER; /* until all requests are out */
    if (d->kind == DESC_CAST) {
        if (!d->cast_left)
            d->cast_left = calloc(s->n_tiles, sizeof *d->cast_left);
        for (uint32_t i = 0; d->cast_left && i < s->n_tiles; i++)
            d->cast_left[i] = d->left ? (uint32_t)d->left : CAST_ARRIVING;
    }
    c->count++;
    t->dma.issuing |= 1u << ch;
}

/* The channel's newest descriptor: the one that issues, while its bit is set in `issuing`. */
static struct descriptor *newest(struct dma_channel *c)
{
    return &c->d[(c->head + c->count - 1) % MAX_DESCRIPTORS];
}

/* ---- completion
 * ------------------------------------------------------------------------------------- */

static void complete(struct tsr_sim *s, struct tile *t, unsigned ch, struct descriptor *d,
                     uint64_t now)
{
    enum tsr_queue q = (enum tsr_queue)(TSR_Q_DMA0 + ch);
    const struct uop *u = d->in.u;
    struct queue *qu = &t->q[q];
    if (s->values && d->kind != DESC_CAST)
        exec_unit(s, t, q, &d->in);
    else if (u->exec == EX_TO_CONTROL)
        exec_control(s, t, &d->in);
    account(s, qu, q, d->start, TSR_WAIT_DRAINED);
    uint64_t busy = qu->accounted + d->requests;
    account(s, qu, q, busy < now + 1 ? busy : now + 1, TSR_WAIT_BUSY);
    account(s, qu, q, now + 1,
            d->blame == TSR_WAIT_SEMAPHORE ? TSR_WAIT_OPERAND_PORT : (enum tsr_wait)d->blame);
    s->stats.instructions[q]++;
    show_retired(s, t, q, &d->in, now);
    if (s->opt.retired)
        s->opt.retired(s->opt.retired_self, t->id, q, d->in.pc, d->start, now);
    if (u->exec == EX_COPY && u->imm[COPY_MC]) { /* p1 was posted at the destinations */
        if (u->post[0].amount)
            sem_post(s, t, q, &d->in, t, u->post[0].id, now, d->blame);
    } else {
        posts(s, t, q, &d->in, now, d->blame);
    }
    if (u->exec != EX_RPOST)
        race_end(s, &d->in);
    t->end = now > t->end ? now : t->end;
    mark_dirty(s, t);
}

/* By source tile; two of one tile and cycle by channel. */
static uint64_t order_of_rpost(uint32_t to, uint32_t from, const struct descriptor *d)
{
    return (uint64_t)to << 16 | (uint64_t)from << 8 | (uint64_t)d->in.u->imm[0];
}

static void remote_posts(struct tsr_sim *s, struct tile *t, struct descriptor *d, uint64_t now)
{
    uint32_t sem = (uint32_t)d->in.u->imm[RPOST_SEM];
    if (observed(s))
        tell(s, (struct observation){
                    .kind = OBS_RPOST, .tile = t->id, .reg = sem, .value = d->mask, .cycle = now});
    for (uint64_t m = d->mask; m; m &= m - 1) {
        uint32_t to = (uint32_t)__builtin_ctzll(m);
        uint64_t at = now + request_way(s, t->cluster, s->tile[to].cluster);
        put(s, at, EV_RPOST, order_of_rpost(to, t->id, d), sem, t->id, 0, to);
        race_posted(s, t, (enum tsr_queue)(TSR_Q_DMA0 + d->in.u->imm[0]), &d->in, &s->tile[to],
                    sem);
    }
    race_end(s, &d->in);
}

/* Completes the descriptor at the channel's head if it is done by `now`, one a cycle. */
void retire(struct tsr_sim *s, struct tile *t, unsigned ch, uint64_t now)
{
    struct dma_channel *c = &t->dma.ch[ch];
    const struct descriptor *next = &c->d[c->head];
    if (c->retired <= now && c->count && next->all_issued && next->done <= now) {
        struct descriptor *d = &c->d[c->head];
        if (d->in.u->exec == EX_RPOST)
            remote_posts(s, t, d, now);
        c->head = (c->head + 1) % MAX_DESCRIPTORS;
        c->count--;
        c->retired = now + 1;
        complete(s, t, ch, d, now);
        next = &c->d[c->head];
    }
    if (c->count && next->all_issued && next->done <= now)
        put(s, now + 1, EV_ACK, (uint64_t)t->id << 8 | ch, ch, 0, 0, t->id);
}

void bytes_done(struct tsr_sim *s, struct tile *t, const struct packet *p, uint64_t now)
{
    struct descriptor *d = desc_of(s, p);
    t->dma.in_flight -= p->bytes;
    t->dma.requests--;
    d->left -= p->bytes;
    if (p->hbm_done) {
        uint64_t in_hbm = p->hbm_done - p->hbm_arrive, after = now - p->hbm_done;
        d->blame = in_hbm >= after ? TSR_WAIT_HBM : TSR_WAIT_MESH;
    } else if (d->kind != DESC_LOCAL && d->kind != DESC_SINGLE) {
        d->blame = TSR_WAIT_MESH;
    }
    t->dma.blame = d->blame == TSR_WAIT_SEMAPHORE ? TSR_WAIT_OPERAND_PORT : d->blame;
    if (d->left == 0 && d->all_issued)
        d->done = now;
    mark_pump(s, t);
    if (d->done == now)
        retire(s, t, p->channel, now);
}

/* Posts at tile `to`, in the channel's order, for all casts that are complete there. */
void cast_posts(struct tsr_sim *s, struct tile *from, unsigned ch, struct tile *to, uint64_t now,
                uint8_t blame)
{
    struct dma_channel *c = &from->dma.ch[ch];
    for (uint32_t k = 0; k < c->count; k++) {
        struct descriptor *d = &c->d[(c->head + k) % MAX_DESCRIPTORS];
        if (d->kind != DESC_CAST || !(d->mask >> to->id & 1) || d->cast_left[to->id] == CAST_POSTED)
            continue;
        if (d->cast_left[to->id])
            return;
        d->cast_left[to->id] = CAST_POSTED;
        if (s->values)
            exec_cast(s, from, to, &d->in);
        if (d->in.u->post[1].amount && observed(s))
            tell(s, (struct observation){.kind = OBS_REMOTE,
                                         .tile = to->id,
                                         .queue = (enum tsr_queue)(TSR_Q_DMA0 + ch),
                                         .pc = d->in.pc,
                                         .reg = d->in.u->post[1].id,
                                         .cycle = now});
        if (d->in.u->post[1].amount)
            sem_post(s, from, (enum tsr_queue)(TSR_Q_DMA0 + ch), &d->in, to, d->in.u->post[1].id,
                     now, blame);
        to->end = now > to->end ? now : to->end;
        mark_dirty(s, to);
    }
}

/* ---- issue
 * ------------------------------------------------------------------------------------------- */

static uint64_t cluster_mask(const struct tsr_sim *s, uint64_t tiles)
{
    uint64_t m = 0;
    for (uint64_t b = tiles; b; b &= b - 1)
        m |= BIT(s->tile[__builtin_ctzll(b)].cluster);
    return m;
}

/* The one request of transpose, to_control or rpost. */
static void issue_single(struct tsr_sim *s, struct tile *t, unsigned ch, struct descriptor *d,
                         uint64_t now)
{
    const struct unit_insn *in = &d->in;
    struct packet p = {.tile = (uint16_t)t->id, .channel = (uint8_t)ch};
    uint64_t at = now + 1;
    d->all_issued = true;
    d->requests = 1;
    if (in->u->exec == EX_RPOST) {
        d->done = now;
        put(s, now, EV_ACK, order_of(&p), ch, 0, 0, t->id);
        return;
    }
    p.slot = (uint8_t)(d - t->dma.ch[ch].d);
    p.kind = DESC_SINGLE;
    t->dma.single = true;
    port_open(&t->dma.read);
    if (in->u->exec == EX_TO_CONTROL) {
        if (d->len)
            at = port_read_bytes(&t->dma.read, PORT_DMA_READ, at, (uint64_t)in->r[CONTROL_SRC],
                                 d->len, s->line_shift);
        at += s->lat_tsram + (d->len + 7) / 8; /* control memory takes eight bytes a cycle */
    } else {
        uint64_t row = (uint64_t)in->r[TRANS_SRC];
        uint64_t bytes = (uint64_t)in->r[TRANS_COLS] << in->u->imm[TRANS_SIZE];
        for (int64_t k = 0; k < in->r[TRANS_ROWS]; k++, row += (uint64_t)in->r[TRANS_SS]) {
            port_open(&t->dma.read); /* each row by itself */
            at = port_read_bytes(&t->dma.read, PORT_DMA_READ, at, row, bytes, s->line_shift);
        }
        s->stats.tsram_read_bytes += d->len;
        at += s->lat_tsram;
    }
    uint32_t i = packet_new(s);
    s->packet[i] = p;
    put(s, at, EV_READ_DONE, order_of(&p), i, 0, 0, t->id);
}

/* Advances past `bytes`; marks the descriptor when the last request is out. */
static void step_walk(struct descriptor *d, uint64_t bytes)
{
    d->off += bytes;
    if (d->off < d->run)
        return;
    d->off = 0;
    for (int k = d->merged ? 1 : 0; k < 3; k++) {
        if (++d->i[k] < d->n[k])
            return;
        d->i[k] = 0;
    }
    d->all_issued = true;
}

static uint64_t walk_far(const struct tile *t, const struct descriptor *d)
{
    if (d->indexed) {
        uint32_t v;
        memcpy(&v, t->control + d->index_base + 4 * (uint64_t)d->i[0], 4);
        return d->far + (uint64_t)v * (uint64_t)d->fs[0] + d->off;
    }
    uint64_t a = d->far + d->off;
    for (int k = d->merged ? 1 : 0; k < 3; k++)
        a += (uint64_t)(d->i[k] * d->fs[k]);
    return a;
}

/* Fills the next request of the descriptor into *p; its bytes. */
static void next_request(struct tsr_sim *s, struct tile *t, unsigned ch, struct descriptor *d,
                         struct packet *p)
{
    uint64_t most = s->chip->tile.tdma.max_request_bytes, far = walk_far(t, d);
    uint64_t piece = d->merged ? d->off / d->len : 0, in = d->off - piece * d->len;
    uint64_t bytes = d->run - d->off, cut = most - (far & (most - 1));
    uint64_t near = d->near + piece * (uint64_t)d->ns[0] + in;
    for (int k = d->merged ? 1 : 0; k < 3; k++)
        near += (uint64_t)(d->i[k] * d->ns[k]);
    if (d->kind == DESC_FORWARD && most - (near & (most - 1)) < cut) /* both sides are requests */
        cut = most - (near & (most - 1));
    *p = (struct packet){.far = far,
                         .near = near,
                         .len = (uint32_t)d->len,
                         .gap = d->merged ? (int32_t)(d->ns[0] - (int64_t)d->len) : 0,
                         .first = (uint16_t)(d->len - in < cut ? d->len - in : cut),
                         .bytes = (uint16_t)(bytes < cut ? bytes : cut),
                         .tile = (uint16_t)t->id,
                         .channel = (uint8_t)ch,
                         .slot = (uint8_t)(d - t->dma.ch[ch].d),
                         .kind = (uint8_t)d->kind};
}

/* TSRAM-only requests have no clusters; all others a target. */
static void issue(struct tsr_sim *s, struct tile *t, unsigned ch, struct descriptor *d,
                  uint64_t now)
{
    uint32_t i = packet_new(s);
    struct packet *p = &s->packet[i];
    next_request(s, t, ch, d, p);
    step_walk(d, p->bytes);
    d->requests++;
    t->dma.in_flight += p->bytes;
    t->dma.requests++;
    bool far = space_of(p->far) != TSR_SPACE_TSRAM;
    if (far)
        p->target = (uint16_t)cluster_of_far(s, p->far);
    if (d->kind == DESC_CAST) {
        /* the root counts destinations, copies travel */
        uint32_t root = packet_new(s);
        p = &s->packet[i];
        p->clusters = cluster_mask(s, d->mask);
        p->copies = (uint8_t)__builtin_popcountll(d->mask);
        p->root = root;
        s->packet[root] = *p;
        s->packet[root].ack = 0;
        show_request(s, t, d, p, root, now);
        if (far) {
            issue_far_read(s, t, i, now);
        } else { /* from this tile: what next_request calls far is contiguous in its TSRAM */
            port_open(&t->dma.read);
            uint64_t at = port_read_bytes(&t->dma.read, PORT_DMA_READ, now + 1, p->far, p->bytes,
                                          s->line_shift);
            s->stats.tsram_read_bytes += p->bytes;
            send_from_tile(s, t, i, at + s->lat_tsram);
        }
    } else if (d->kind == DESC_READ || d->kind == DESC_FORWARD) {
        t->dma.forwards += d->kind == DESC_FORWARD;
        show_request(s, t, d, p, i, now);
        issue_far_read(s, t, i, now);
    } else if (d->kind == DESC_WRITE) {
        p->write = 1;
        show_request(s, t, d, p, i, now);
        send_from_tile(s, t, i, read_lines(s, t, now + 1, p));
    } else { /* TSRAM to TSRAM: read now, write when that is done */
        put(s, read_lines(s, t, now + 1, p), EV_READ_DONE, order_of(p), i, 0, 0, t->id);
    }
}

/* Earliest cycle, `now` or later, in which the descriptor's next request may go; NEVER while the
 * window is full or the place of singles taken (a completion wakes us). */
static uint64_t may_issue(const struct tsr_sim *s, const struct dma *m, const struct descriptor *d,
                          uint64_t now)
{
    const struct tsr_tdma_config *c = &s->chip->tile.tdma;
    if (d->kind != DESC_SINGLE && d->len &&
        (m->requests == MAX_REQUESTS || m->in_flight + c->max_request_bytes > c->window_bytes))
        return NEVER;
    if (d->kind == DESC_SINGLE && d->in.u->exec != EX_RPOST && m->single)
        return NEVER;
    return d->first_request > now ? d->first_request : now;
}

static void issue_one(struct tsr_sim *s, struct tile *t, unsigned ch, struct descriptor *d,
                      uint64_t now)
{
    if (d->kind == DESC_SINGLE) {
        issue_single(s, t, ch, d, now);
    } else if (d->len == 0) {
        d->all_issued = true;
        d->done = now;
        for (uint64_t m = d->mask; m; m &= m - 1) { /* a cast of nothing is complete everywhere */
            uint32_t to = (uint32_t)__builtin_ctzll(m);
            put(s, now, EV_CAST, (uint64_t)to << 24 | (uint64_t)t->id << 8 | ch,
                (uint32_t)(d - t->dma.ch[ch].d), to, ch, t->id);
        }
        put(s, now, EV_ACK, (uint64_t)t->id << 8 | ch, ch, 0, 0, t->id);
    } else if (d->indexed && d->off == 0 && !index_ok(s, t, d, (uint64_t)d->i[0], now)) {
        t->dma.issuing &= ~(1u << ch); /* the queue's next start stays at NEVER */
    } else {
        issue(s, t, ch, d, now);
    }
    if (d->all_issued) {
        t->dma.issuing &= ~(1u << ch);
        t->q[TSR_Q_DMA0 + ch].free_at = now + 1;
        t->channel_free = true;
    }
    t->dma.next_channel = (ch + 1) % CHANNELS;
    t->dma.next_issue = now + 1;
}

/* Requests from cycle `now` on, one a cycle, channels by turns; the cycle in which the next may go,
 * as far as it is known, or NEVER. A channel alone issues for dma_setup cycles at once: none that
 * starts meanwhile could issue earlier, and what completes only widens the window. */
uint64_t dma_pump(struct tsr_sim *s, struct tile *t, uint64_t now)
{
    struct dma *m = &t->dma;
    uint64_t next = NEVER;
    if (!m->issuing)
        return NEVER;
    for (unsigned k = 0, first = m->next_channel; k < CHANNELS && m->next_issue <= now; k++) {
        unsigned ch = (first + k) % CHANNELS;
        if (m->issuing >> ch & 1 && may_issue(s, m, newest(&m->ch[ch]), now) == now)
            issue_one(s, t, ch, newest(&m->ch[ch]), now);
    }
    /* a forward that is sent on meanwhile takes its turn at the port before later writes */
    bool alone = (m->issuing & (m->issuing - 1)) == 0 && m->forwards == 0;
    for (unsigned left = m->issuing; left; left &= left - 1) {
        unsigned ch = (unsigned)__builtin_ctz(left);
        struct descriptor *d = newest(&m->ch[ch]);
        for (uint64_t at = now + 1; alone && m->next_issue == at && at < now + s->dma_setup &&
                                    m->issuing && !d->all_issued && may_issue(s, m, d, at) == at;
             at++)
            issue_one(s, t, ch, d, at);
        if (d->all_issued || !(m->issuing >> ch & 1))
            continue;
        uint64_t at = may_issue(s, m, d, m->next_issue > now + 1 ? m->next_issue : now + 1);
        next = at < next ? at : next;
    }
    return next;
}
