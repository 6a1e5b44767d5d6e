/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a request: out of the tile, over the mesh, through HBM or CSRAM, into a tile. */
#include <stdlib.h>
#include <string.h>

#include "sim/time/dma_observe.h"

uint32_t packet_new(struct tsr_sim *s)
{
    if (s->packet_free != UINT32_MAX) {
        uint32_t i = s->packet_free;
        s->packet_free = s->packet[i].next_free;
        return i;
    }
    if (s->packets == s->packet_cap) {
        uint32_t cap = 2 * s->packet_cap;
        struct packet *p = aligned_alloc(64, cap * sizeof *p);
        if (!p) {
            s->cal.failed = true;
            return 0;
        }
        memcpy(p, s->packet, s->packets * sizeof *p);
        free(s->packet);
        s->packet = p;
        s->packet_cap = cap;
    }
    return s->packets++;
}

void packet_drop(struct tsr_sim *s, uint32_t i)
{
    s->packet[i].next_free = s->packet_free;
    s->packet_free = i;
}

uint32_t cluster_of_far(const struct tsr_sim *s, uint64_t far)
{
    if (space_of(far) == TSR_SPACE_CSRAM)
        return (uint32_t)(offset_of(far) >> 32);
    const struct tsr_hbm_config *h = &s->chip->hbm;
    uint32_t stack = tsr_hbm_channel(&s->map, offset_of(far)) / h->channels;
    return h->stack_y[stack] * s->chip->mesh.x + h->stack_x[stack];
}

struct descriptor *desc_of(struct tsr_sim *s, const struct packet *p)
{
    return &s->tile[p->tile].dma.ch[p->channel].d[p->slot];
}

/* ---- TSRAM side of a request
 * ------------------------------------------------------------------------------------ */

/* Every access has a grant of its own, a write when the next one's data are there. */
static uint64_t pieces(struct tsr_sim *s, struct port *port, bool write, uint64_t at,
                       const struct packet *p)
{
    unsigned who = write ? PORT_DMA_WRITE : PORT_DMA_READ;
    for (struct runs r = runs_of(s, p); next_run(&r);) {
        if (!r.fresh)
            continue;
        if (write) {
            at = port_flush(port, who, at);
            port->line = r.line;
        } else {
            port_open(port);
            at = port_read(port, who, at, r.line);
        }
    }
    if (write)
        s->stats.tsram_write_bytes += p->bytes;
    else
        s->stats.tsram_read_bytes += p->bytes;
    return at;
}

/* Whether the request is whole lines, each on the bank after its predecessor's: then they are
 * granted in successive cycles. Contiguous lines are, and slabs one line more than a multiple of
 * eight apart. */
static bool rising_lines(const struct tsr_sim *s, const struct packet *p)
{
    uint64_t line = (uint64_t)1 << s->line_shift, step = (uint64_t)((int64_t)p->len + p->gap);
    if ((p->near | p->first | p->bytes) & (line - 1))
        return false;
    return p->first == p->bytes || (p->first == line && p->len == line &&
                                    (step >> s->line_shift & 7) == 1 && !(step & (line - 1)));
}

uint64_t write_lines(struct tsr_sim *s, struct tile *t, uint64_t at, const struct packet *p)
{
    struct port *w = &t->dma.write;
    if (rising_lines(s, p)) {
        at = at > w->next ? at : w->next;
        w->next =
            port_grant(at, PORT_DMA_WRITE, p->near >> s->line_shift) + (p->bytes >> s->line_shift);
        s->stats.tsram_write_bytes += p->bytes;
        return w->next;
    }
    port_open(w);
    at = pieces(s, w, true, at, p);
    return port_flush(w, PORT_DMA_WRITE, at);
}

uint64_t read_lines(struct tsr_sim *s, struct tile *t, uint64_t at, const struct packet *p)
{
    port_open(&t->dma.read);
    return pieces(s, &t->dma.read, false, at, p) + s->lat_tsram;
}

/* The tile's port to its cluster: when the last byte is through. */
static uint64_t tile_port(struct tsr_sim *s, uint64_t *free_at, uint64_t at, uint32_t bytes)
{
    uint32_t up = bytes + s->chip->tile.port_bytes - 1; /* a power of two, by tsr_chip_load */
    uint64_t start = at > *free_at ? at : *free_at;
    *free_at = start + (up >> s->port_shift);
    return *free_at;
}

/* Puts a packet that starts at the tile onto the mesh (or straight into its own cluster). */
void send_from_tile(struct tsr_sim *s, struct tile *t, uint32_t i, uint64_t at)
{
    struct packet *p = &s->packet[i];
    at = tile_port(s, &t->dma.out_free, at, p->bytes);
    s->stats.tile_out_bytes += p->bytes;
    show_out(s, t, p, i, at);
    uint32_t port = TSR_MESH_PORTS + t->id - t->cluster * s->chip->tiles_per_cluster;
    put(s, at, EV_HOP, (uint64_t)t->cluster << 40 | (uint64_t)port << 24 | order_of(p), i,
        t->cluster, port, t->id);
}

static void expect_arrival(struct tsr_sim *s, uint32_t channel);

/* The request reaches the controller of its channel in cycle `at`: sorted by (cycle, source). */
static void send_to_hbm(struct tsr_sim *s, uint32_t i, uint64_t at)
{
    struct packet *p = &s->packet[i];
    uint32_t channel = tsr_hbm_channel(&s->map, offset_of(p->far));
    struct inbox *in = &s->inbox[channel];
    uint32_t before = UINT32_MAX, after = in->head;
    while (after != UINT32_MAX &&
           (s->packet[after].hbm_arrive < at ||
            (s->packet[after].hbm_arrive == at && order_of(&s->packet[after]) <= order_of(p)))) {
        before = after;
        after = (uint32_t)s->packet[after].hbm_done;
    }
    p->hbm_arrive = at;
    p->hbm_done = after;
    if (before == UINT32_MAX)
        in->head = i;
    else
        s->packet[before].hbm_done = i;
    expect_arrival(s, channel);
}

void issue_far_read(struct tsr_sim *s, struct tile *t, uint32_t i, uint64_t now)
{
    struct packet *p = &s->packet[i];
    uint64_t at = now + request_way(s, t->cluster, p->target);
    if (space_of(p->far) == TSR_SPACE_HBM) {
        send_to_hbm(s, i, at);
        return;
    }
    at += s->chip->csram.latency_cycles;
    s->stats.csram_bytes += p->bytes;
    uint32_t port = TSR_MESH_PORTS + s->chip->tiles_per_cluster;
    put(s, at, EV_HOP, (uint64_t)p->target << 40 | (uint64_t)port << 24 | order_of(p), i, p->target,
        port, t->id);
}

/* ---- events
 * ------------------------------------------------------------------------------------------ */

/* Gives the channel what has arrived by `now`, each at its own time. */
static void take_arrivals(struct tsr_sim *s, uint32_t channel, uint64_t now)
{
    struct inbox *in = &s->inbox[channel];
    while (in->head != UINT32_MAX && s->packet[in->head].hbm_arrive <= now) {
        uint32_t i = in->head;
        struct packet *p = &s->packet[i];
        in->head = (uint32_t)p->hbm_done;
        p->hbm_done = 0;
        struct tsr_hbm_request r = {
            .address = offset_of(p->far), .bytes = p->bytes, .id = i, .write = p->write};
        uint64_t at = tsr_hbm_arrive(s->hbm, channel, p->hbm_arrive, &r);
        if (at != TSR_HBM_NEVER) {
            in->decision_due = true;
            put(s, at, EV_HBM_DECIDE, channel, channel, 0, 0, 0);
        }
    }
}

/* An idle channel needs to be told when its next request arrives. */
static void expect_arrival(struct tsr_sim *s, uint32_t channel)
{
    struct inbox *in = &s->inbox[channel];
    if (in->decision_due || in->head == UINT32_MAX)
        return;
    uint64_t at = s->packet[in->head].hbm_arrive;
    if (at < in->arrival_due) {
        in->arrival_due = at;
        put(s, at, EV_HBM_ARRIVE, channel, channel, 0, 0, 0);
    }
}

static void hbm_arrive(struct tsr_sim *s, uint32_t channel, uint64_t now)
{
    if (s->inbox[channel].arrival_due == now)
        s->inbox[channel].arrival_due = NEVER;
    take_arrivals(s, channel, now);
    expect_arrival(s, channel);
}

static void hbm_decide(struct tsr_sim *s, uint32_t channel, uint64_t now)
{
    struct tsr_hbm_done done;
    take_arrivals(s, channel, now);
    uint64_t next = tsr_hbm_next(s->hbm, channel, now, &done);
    s->inbox[channel].decision_due = next != TSR_HBM_NEVER;
    if (next != TSR_HBM_NEVER)
        put(s, next, EV_HBM_DECIDE, channel, channel, 0, 0, 0);
    else
        expect_arrival(s, channel);
    struct packet *p = &s->packet[done.id];
    p->hbm_done = done.cycle;
    if (done.write) {
        uint64_t ack = done.cycle + request_way(s, p->target, s->tile[p->tile].cluster);
        put(s, ack, EV_DONE, order_of(p), done.id, 0, 0, p->tile);
        return;
    }
    uint32_t port =
        TSR_MESH_PORTS + s->chip->tiles_per_cluster + 1 + channel % s->chip->hbm.channels;
    put(s, done.cycle, EV_HOP, (uint64_t)p->target << 40 | (uint64_t)port << 24 | order_of(p),
        done.id, p->target, port, p->tile);
}

/* A copy has reached a tile's cluster: through the tile's port and into its TSRAM. */
static uint64_t into_tile(struct tsr_sim *s, struct tile *t, uint32_t i, const struct packet *p,
                          uint64_t at)
{
    s->stats.tile_in_bytes += p->bytes;
    at = tile_port(s, &t->dma.in_free, at, p->bytes);
    show_in(s, t, p, i, at);
    if (p->kind != DESC_FORWARD)
        show_lines(s, t, at, p, NULL);
    return p->kind == DESC_FORWARD ? at : write_lines(s, t, at, p);
}

/* The copy ends here. When it is in each tile's TSRAM is known now; only a tile's last copy of the
 * descriptor makes an event there, and the request's last acknowledgement one at the source. */
static void cast_into_cluster(struct tsr_sim *s, uint32_t i, uint32_t cluster, uint64_t at)
{
    const struct packet p = s->packet[i];
    struct descriptor *d = desc_of(s, &p);
    struct packet *root = &s->packet[p.root];
    uint32_t per = s->chip->tiles_per_cluster;
    uint64_t back = request_way(s, cluster, s->tile[p.tile].cluster);
    for (uint32_t to = cluster * per; to < (cluster + 1) * per; to++) {
        if (!(d->mask >> to & 1))
            continue;
        uint64_t in = into_tile(s, &s->tile[to], i, &p, at);
        root->ack = in + back > root->ack ? in + back : root->ack;
        root->copies--;
        d->cast_left[to] -= p.bytes;
        if (d->cast_left[to] == 0) {
            d->cast_left[to] = CAST_ARRIVING;
            put(s, in, EV_CAST, (uint64_t)to << 24 | order_of(&p), p.slot, to, p.channel, p.tile);
        }
        d->blame = p.hbm_done && p.hbm_done - p.hbm_arrive >= in - p.hbm_done ? TSR_WAIT_HBM
                                                                              : TSR_WAIT_MESH;
    }
    if (root->copies == 0)
        put(s, root->ack, EV_DONE, order_of(root), p.root, 0, 0, p.tile);
    packet_drop(s, i);
}

static void arrive(struct tsr_sim *s, uint32_t i, uint32_t router, uint32_t in_port, uint64_t now)
{
    struct packet *p = &s->packet[i];
    bool inside =
        in_port >= TSR_MESH_PORTS && in_port <= TSR_MESH_PORTS + s->chip->tiles_per_cluster;
    if (p->write && space_of(p->far) == TSR_SPACE_HBM) { /* to the stack */
        uint64_t start = tsr_mesh_hop(&s->mesh, router, TSR_MESH_STACK, now, p->bytes);
        s->stats.mesh_bytes += p->bytes;
        send_to_hbm(
            s, i, start + s->chip->mesh.hop_cycles + tsr_mesh_occupancy_cycles(&s->mesh, p->bytes));
        return;
    }
    uint64_t at = now;
    if (!inside) { /* through the router's local port; the cluster's own tiles and CSRAM need none
                    */
        at = tsr_mesh_hop(&s->mesh, router, TSR_MESH_LOCAL, now, p->bytes) +
             s->chip->mesh.hop_cycles;
        s->stats.mesh_bytes += p->bytes;
    }
    if (p->write) { /* CSRAM */
        at += tsr_mesh_occupancy_cycles(&s->mesh, p->bytes) + s->chip->csram.latency_cycles;
        s->stats.csram_bytes += p->bytes;
        put(s, at + request_way(s, router, s->tile[p->tile].cluster), EV_DONE, order_of(p), i, 0, 0,
            p->tile);
    } else if (p->kind == DESC_CAST) {
        cast_into_cluster(s, i, router, at);
    } else {
        put(s, into_tile(s, &s->tile[p->tile], i, p, at), EV_DONE, order_of(p), i, 0, 0, p->tile);
    }
}

static void hop_to(struct tsr_sim *s, uint32_t i, uint32_t router, uint32_t out, uint64_t now)
{
    struct packet *p = &s->packet[i];
    uint64_t start = tsr_mesh_hop(&s->mesh, router, (enum tsr_mesh_port)out, now, p->bytes);
    uint32_t next = tsr_mesh_neighbour(&s->mesh, router, (enum tsr_mesh_port)out);
    uint32_t in = out ^ 1; /* east arrives from the west, north from the south */
    s->stats.mesh_bytes += p->bytes;
    put(s, start + s->chip->mesh.hop_cycles, EV_HOP,
        (uint64_t)next << 40 | (uint64_t)in << 24 | order_of(p), i, next, in, p->tile);
}

static void hop(struct tsr_sim *s, uint32_t i, uint32_t router, uint32_t in_port, uint64_t now)
{
    struct packet *p = &s->packet[i];
    if (p->kind != DESC_CAST) {
        uint32_t to = p->write ? p->target : s->tile[p->tile].cluster;
        uint32_t out = tsr_mesh_route(&s->mesh, router, to);
        if (out == TSR_MESH_LOCAL)
            arrive(s, i, router, in_port, now);
        else
            hop_to(s, i, router, out, now);
        return;
    }
    uint64_t out[TSR_MESH_FORKS];
    uint32_t copy = i;
    tsr_mesh_fork(&s->mesh, router, p->clusters, out);
    for (uint32_t o = 0, left = (uint32_t)(!!out[0] + !!out[1] + !!out[2] + !!out[3] + !!out[4]);
         left; o++) {
        if (!out[o])
            continue;
        i = copy;
        if (--left) { /* the rest goes on as a copy */
            copy = packet_new(s);
            s->packet[copy] = s->packet[i];
        }
        s->packet[i].clusters = out[o];
        if (o == TSR_MESH_LOCAL)
            arrive(s, i, router, in_port, now);
        else
            hop_to(s, i, router, o, now);
    }
}

/* A destination tile has all its bytes of a cast. */
static void cast_done(struct tsr_sim *s, const struct event *e)
{
    struct tile *from = &s->tile[e->tile], *to = &s->tile[e->b];
    struct descriptor *d = &from->dma.ch[e->c].d[e->a];
    d->cast_left[to->id] = 0;
    cast_posts(s, from, e->c, to, e->time, d->blame);
}

/* TSRAM-only requests: the lines are read; write them. */
static void read_done(struct tsr_sim *s, struct tile *t, uint32_t i, uint64_t now)
{
    struct packet *p = &s->packet[i];
    const struct descriptor *d = desc_of(s, p);
    uint64_t at = now;
    if (p->kind == DESC_LOCAL) {
        struct packet w = *p; /* a request is contiguous at its destination */
        w.near = p->far;
        w.len = w.first = w.bytes;
        w.gap = 0;
        show_lines(s, t, now, &w, p);
        at = write_lines(s, t, now, &w);
    } else if (d->in.u->exec == EX_TRANSPOSE) {
        const int64_t *r = d->in.r;
        uint64_t row = (uint64_t)r[TRANS_DST],
                 bytes = (uint64_t)r[TRANS_ROWS] << d->in.u->imm[TRANS_SIZE];
        show_transpose(s, t, at, &d->in);
        for (int64_t k = 0; k < r[TRANS_COLS]; k++, row += (uint64_t)r[TRANS_DS]) {
            port_open(&t->dma.write); /* each row by itself */
            at = port_write_bytes(&t->dma.write, PORT_DMA_WRITE, at, row, bytes, s->line_shift);
            at = port_flush(&t->dma.write, PORT_DMA_WRITE, at);
        }
        s->stats.tsram_write_bytes += d->len;
    }
    put(s, at > now ? at : now + 1, EV_DONE, order_of(p), i, 0, 0, t->id);
}

/* HBM or CSRAM to HBM or CSRAM goes through the tile: what has been read is now written. */
static void forward(struct tsr_sim *s, struct tile *t, uint32_t i, uint64_t now)
{
    struct packet *p = &s->packet[i];
    t->dma.forwards--;
    p->far = p->near;
    p->write = 1;
    p->target = (uint16_t)cluster_of_far(s, p->far);
    send_from_tile(s, t, i, now);
}

static void done(struct tsr_sim *s, struct tile *t, uint32_t i, uint64_t now)
{
    struct packet *p = &s->packet[i];
    if (p->write || p->kind == DESC_CAST)
        show_number(s, t, OBS_ACK, i, now);
    if (p->kind == DESC_FORWARD && !p->write) {
        forward(s, t, i, now);
        return;
    }
    if (p->kind == DESC_SINGLE) {
        desc_of(s, p)->done = now;
        t->dma.single = false;
        mark_pump(s, t);
        retire(s, t, p->channel, now);
    } else {
        bytes_done(s, t, p, now);
    }
    packet_drop(s, i);
}

void dma_handle(struct tsr_sim *s, const struct event *e)
{
    struct tile *t = &s->tile[e->tile];
    switch (e->kind) {
    case EV_HBM_ARRIVE:
        hbm_arrive(s, e->a, e->time);
        break;
    case EV_HBM_DECIDE:
        hbm_decide(s, e->a, e->time);
        break;
    case EV_HOP:
        hop(s, e->a, e->b, e->c, e->time);
        break;
    case EV_READ_DONE:
        read_done(s, t, e->a, e->time);
        break;
    case EV_CAST:
        cast_done(s, e);
        break;
    case EV_ACK:
        retire(s, t, e->a, e->time);
        break;
    default:
        done(s, t, e->a, e->time);
    }
}
