/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors to requests, requests on their way, completion in order (isa/MACHINE.md: TDMA). */
#include <stdlib.h>
#include <string.h>

#include "sim/core/race.h"
#include "sim/time/ports.h"

#define BIT(n) ((uint64_t)1 << (n))
#define CAST_POSTED UINT32_MAX
#define CAST_ARRIVING (UINT32_MAX - 1)

/* ---- packets
 * ------------------------------------------------------------------------------------- */

static uint32_t packet_new(struct tsr_sim *s)
{
    if (s->packet_free != UINT32_MAX) {
        uint32_t i = s->packet_free;
        s->packet_free = s->packet[i].next_free;
        return i;
    }
    if (s->packets == s->packet_cap) {
        uint32_t cap = s->packet_cap ? 2 * s->packet_cap : 4096;
        struct packet *p = aligned_alloc(64, cap * sizeof *p);
        if (!p) {
            s->cal.failed = true;
            return 0;
        }
        if (s->packets)
            memcpy(p, s->packet, s->packets * sizeof *p);
        free(s->packet);
        s->packet = p;
        s->packet_cap = cap;
    }
    return s->packets++;
}

static void packet_drop(struct tsr_sim *s, uint32_t i)
{
    s->packet[i].next_free = s->packet_free;
    s->packet_free = i;
}

static void put(struct tsr_sim *s, uint64_t time, enum event_kind kind, uint64_t order, uint32_t a,
                uint32_t b, uint32_t c, uint32_t tile)
{
    calendar_put(&s->cal, (struct event){.time = time,
                                         .key = (uint64_t)kind << 56 | order,
                                         .kind = (uint8_t)kind,
                                         .a = a,
                                         .b = (uint16_t)b,
                                         .c = (uint16_t)c,
                                         .tile = (uint16_t)tile});
}

static uint64_t order_of(const struct packet *p)
{
    return (uint64_t)p->tile << 8 | p->channel;
}

static uint32_t cluster_of_far(const struct tsr_sim *s, uint64_t far)
{
    if (space_of(far) == TSR_SPACE_CSRAM)
        return (uint32_t)(offset_of(far) >> 32);
    const struct tsr_hbm_config *h = &s->chip->hbm;
    uint32_t stack = tsr_hbm_channel(&s->map, offset_of(far)) / h->channels;
    return h->stack_y[stack] * s->chip->mesh.x + h->stack_x[stack];
}

static struct descriptor *desc_of(struct tsr_sim *s, const struct packet *p)
{
    return &s->tile[p->tile].dma.ch[p->channel].d[p->slot];
}

/* Cycles on the control plane between two clusters. */
static uint32_t request_way(const struct tsr_sim *s, uint32_t from, uint32_t to)
{
    return s->mesh.request[from][to];
}

/* ---- TSRAM side of a request: pieces of `len` bytes, ns1 apart
 * ------------------------------------ */

static uint64_t pieces(struct tsr_sim *s, struct port *port, bool write, uint64_t at,
                       const struct packet *p)
{
    uint64_t near = p->near, left = p->bytes, n = p->first;
    unsigned who = write ? PORT_DMA_WRITE : PORT_DMA_READ;
    while (left) {
        if (n > left)
            n = left;
        at = write ? port_write_bytes(port, who, at, near, n, s->line_shift)
                   : port_read_bytes(port, who, at, near, n, s->line_shift);
        left -= n;
        near += n + (uint64_t)(int64_t)p->gap;
        n = p->len;
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

static uint64_t write_lines(struct tsr_sim *s, struct tile *t, uint64_t at, const struct packet *p)
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

static uint64_t read_lines(struct tsr_sim *s, struct tile *t, uint64_t at, const struct packet *p)
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

/* ---- descriptors
 * ------------------------------------------------------------------------------------ */

static bool dma_fault(struct tsr_sim *s, struct tile *t, const struct unit_insn *in, uint64_t now,
                      const char *what, uint64_t value)
{
    enum tsr_queue q = (enum tsr_queue)(TSR_Q_DMA0 + in->u->imm[0]);
    raise_fault(s, TSR_FAULT_ADDRESS, now, t->id, q, in->pc, "%s (0x%llx)", what,
                (unsigned long long)value);
    return false;
}

/* Lowest and highest byte that a walk of dims touches, relative to its base. */
static void extent(const int64_t *n, const int64_t *stride, uint64_t len, int64_t *lo, int64_t *hi)
{
    *lo = 0;
    *hi = (int64_t)len;
    for (int d = 0; d < 3; d++) {
        int64_t reach = (n[d] - 1) * stride[d];
        if (reach < 0)
            *lo += reach;
        else
            *hi += reach;
    }
}

static bool range_ok(const struct tsr_sim *s, uint64_t base, int64_t lo, int64_t hi)
{
    uint64_t first = base + (uint64_t)lo, bytes = (uint64_t)(hi - lo);
    if (space_of(first) != space_of(base))
        return false;
    return space_of(base) == TSR_SPACE_TSRAM ? tsram_ok(s, first, bytes)
                                             : far_range_ok(s, first, bytes);
}

static bool shape_ok(const struct descriptor *d)
{
    const int64_t limit = (int64_t)1 << 40;
    for (int i = 0; i < 3; i++)
        if (d->n[i] < 0 || d->n[i] > (1 << 24) || d->fs[i] > limit || d->fs[i] < -limit ||
            d->ns[i] > limit || d->ns[i] < -limit)
            return false;
    return d->len <= BIT(32);
}

/* copy: which side is far, and its dimensions. */
static bool describe_copy(struct tsr_sim *s, struct tile *t, struct unit_insn *in,
                          struct descriptor *d, uint64_t now)
{
    static const uint8_t dim[3] = {COPY_N1, COPY_N2, COPY_N3};
    uint64_t src = (uint64_t)in->r[COPY_SRC], dst = (uint64_t)in->r[COPY_DST];
    bool cast = in->u->imm[COPY_MC] != 0;
    bool far_src = space_of(src) != TSR_SPACE_TSRAM, far_dst = space_of(dst) != TSR_SPACE_TSRAM;
    if (cast && far_dst)
        return dma_fault(s, t, in, now, "a multicast goes to TSRAM", dst);
    d->kind = cast                 ? DESC_CAST
              : far_src && far_dst ? DESC_FORWARD
              : far_src            ? DESC_READ
              : far_dst            ? DESC_WRITE
                                   : DESC_LOCAL;
    /* the far side decides the requests: the source of reads and casts, else the destination */
    bool by_src = d->kind == DESC_READ || d->kind == DESC_FORWARD || d->kind == DESC_CAST;
    d->far = by_src ? src : dst;
    d->near = by_src ? dst : src;
    d->len = (uint64_t)in->r[COPY_LEN];
    for (int i = 0; i < 3; i++) {
        d->n[i] = in->u->reg[dim[i]] ? in->r[dim[i]] : 1;
        int64_t ss = in->r[dim[i] + 1], ds = in->r[dim[i] + 2];
        d->fs[i] = by_src ? ss : ds;
        d->ns[i] = by_src ? ds : ss;
    }
    d->mask = cast ? (uint64_t)in->r[COPY_MASK] : 0;
    if (cast && (d->mask == 0 || (s->n_tiles < 64 && d->mask >> s->n_tiles)))
        return dma_fault(s, t, in, now, "the mask names no tile, or one that the chip lacks",
                         d->mask);
    return true;
}

static bool describe_indexed(struct tsr_sim *s, struct tile *t, struct unit_insn *in,
                             struct descriptor *d, uint64_t now)
{
    bool gather = in->u->exec == EX_GATHER;
    uint64_t src = (uint64_t)in->r[GATHER_SRC], dst = (uint64_t)in->r[GATHER_DST];
    uint64_t idx = (uint64_t)in->r[GATHER_IDX], n = (uint64_t)in->r[GATHER_N];
    d->kind = gather ? DESC_READ : DESC_WRITE;
    d->far = gather ? src : dst;
    d->near = gather ? dst : src;
    d->len = (uint64_t)in->r[GATHER_LEN];
    d->n[0] = in->r[GATHER_N], d->n[1] = d->n[2] = 1;
    d->fs[0] = gather ? in->r[GATHER_SS] : in->r[GATHER_DS];
    d->ns[0] = gather ? in->r[GATHER_DS] : in->r[GATHER_SS];
    d->indexed = true;
    d->index_base = idx;
    if (space_of(d->far) == TSR_SPACE_TSRAM || space_of(d->near) != TSR_SPACE_TSRAM)
        return dma_fault(s, t, in, now, "gather and scatter go between HBM or CSRAM and TSRAM",
                         d->far);
    if (idx % 4 || n > s->chip->tile.control_bytes / 4 || idx > s->chip->tile.control_bytes - 4 * n)
        return dma_fault(s, t, in, now, "the index list lies outside control memory", idx);
    for (uint64_t i = 0; i < n; i++) {
        uint32_t v;
        memcpy(&v, t->control + idx + 4 * i, 4);
        if (!range_ok(s, d->far + (uint64_t)v * (uint64_t)d->fs[0], 0, (int64_t)d->len))
            return dma_fault(s, t, in, now, "an index leads outside the memory", v);
    }
    return true;
}

/* transpose and to_control: one request that reads and then writes. */
static bool describe_single(struct tsr_sim *s, struct tile *t, struct unit_insn *in,
                            struct descriptor *d, uint64_t now)
{
    d->kind = DESC_SINGLE;
    d->n[0] = d->n[1] = d->n[2] = 1;
    if (in->u->exec == EX_TO_CONTROL) {
        uint64_t dst = (uint64_t)in->r[CONTROL_DST], n = (uint64_t)in->r[CONTROL_N],
                 src = (uint64_t)in->r[CONTROL_SRC];
        if (dst % 4 || n > s->chip->tile.control_bytes / 4 ||
            dst > s->chip->tile.control_bytes - 4 * n || space_of(src) != TSR_SPACE_TSRAM ||
            !tsram_ok(s, src, 4 * n))
            return dma_fault(s, t, in, now, "to_control: words outside TSRAM or control memory",
                             dst);
        d->len = 4 * n;
        return true;
    }
    uint64_t size = BIT(in->u->imm[TRANS_SIZE]), rows = (uint64_t)in->r[TRANS_ROWS],
             cols = (uint64_t)in->r[TRANS_COLS];
    uint64_t most = s->chip->tile.tvp.lanes;
    if (rows - 1 >= most || cols - 1 >= most || in->r[TRANS_SS] < 0 || in->r[TRANS_DS] < 0 ||
        space_of((uint64_t)in->r[TRANS_SRC]) || space_of((uint64_t)in->r[TRANS_DST]) ||
        !tsram_ok(s, (uint64_t)in->r[TRANS_SRC],
                  (rows - 1) * (uint64_t)in->r[TRANS_SS] + cols * size) ||
        !tsram_ok(s, (uint64_t)in->r[TRANS_DST],
                  (cols - 1) * (uint64_t)in->r[TRANS_DS] + rows * size))
        return dma_fault(s, t, in, now,
                         "transpose: more than a line's lanes a side, or outside the TSRAM", rows);
    d->len = rows * cols * size;
    return true;
}

/* Fills the descriptor; false after a fault. Also used by runs without time, for the checks. */
bool describe_transfer(struct tsr_sim *s, struct tile *t, struct unit_insn *in,
                       struct descriptor *d, uint64_t now)
{
    uint32_t *keep = d->cast_left;
    memset(d, 0, sizeof *d);
    d->cast_left = keep;
    d->in = *in;
    d->start = now;
    d->done = NEVER;
    d->blame = TSR_WAIT_SEMAPHORE;
    bool ok;
    switch (in->u->exec) {
    case EX_COPY:
        ok = describe_copy(s, t, in, d, now);
        break;
    case EX_GATHER:
    case EX_SCATTER:
        ok = describe_indexed(s, t, in, d, now);
        break;
    case EX_TRANSPOSE:
    case EX_TO_CONTROL:
        return describe_single(s, t, in, d, now);
    default: /* rpost moves nothing */
        d->kind = DESC_SINGLE;
        d->mask = (uint64_t)in->r[RPOST_MASK];
        if (d->mask == 0 || (s->n_tiles < 64 && d->mask >> s->n_tiles))
            return dma_fault(s, t, in, now, "the mask names no tile, or one that the chip lacks",
                             d->mask);
        return true;
    }
    if (!ok)
        return false;
    if (!shape_ok(d))
        return dma_fault(s, t, in, now, "a length, count or stride is out of range", d->len);
    uint64_t total = d->len * (uint64_t)d->n[0] * (uint64_t)d->n[1] * (uint64_t)d->n[2];
    if (total == 0) {
        d->len = 0;
        return true;
    }
    int64_t lo, hi;
    extent(d->n, d->ns, d->len, &lo, &hi);
    if (!range_ok(s, d->near, lo, hi))
        return dma_fault(s, t, in, now, "outside the memory", d->near);
    extent(d->n, d->fs, d->len, &lo, &hi);
    if (!d->indexed && !range_ok(s, d->far, lo, hi))
        return dma_fault(s, t, in, now, "outside the memory", d->far);
    d->merged = !d->indexed && d->fs[0] == (int64_t)d->len && d->n[0] > 1 &&
                (d->kind != DESC_FORWARD || d->ns[0] == (int64_t)d->len);
    d->run = d->merged ? d->len * (uint64_t)d->n[0] : d->len;
    d->left = total;
    return true;
}

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
            d->cast_left[i] = (uint32_t)d->left;
    }
    c->count++;
}

/* The descriptor of the channel that still issues, or null. */
static struct descriptor *issuing(struct dma_channel *c)
{
    if (c->count == 0)
        return NULL;
    struct descriptor *d = &c->d[(c->head + c->count - 1) % MAX_DESCRIPTORS];
    return d->all_issued ? NULL : d;
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

static void remote_posts(struct tsr_sim *s, struct tile *t, struct descriptor *d, uint64_t now)
{
    uint32_t sem = (uint32_t)d->in.u->imm[RPOST_SEM];
    for (uint64_t m = d->mask; m; m &= m - 1) {
        uint32_t to = (uint32_t)__builtin_ctzll(m);
        uint64_t at = now + request_way(s, t->cluster, s->tile[to].cluster);
        put(s, at, EV_RPOST, (uint64_t)to << 16 | t->id, sem, t->id, 0, to);
        race_posted(s, t, (enum tsr_queue)(TSR_Q_DMA0 + d->in.u->imm[0]), &d->in, &s->tile[to],
                    sem);
    }
    race_end(s, &d->in);
}

/* Completes, in order, all descriptors at the channel's head that are done by `now`. */
static void retire(struct tsr_sim *s, struct tile *t, unsigned ch, uint64_t now)
{
    struct dma_channel *c = &t->dma.ch[ch];
    while (c->count) {
        struct descriptor *d = &c->d[c->head];
        if (!d->all_issued || d->done > now)
            return;
        if (d->in.u->exec == EX_RPOST)
            remote_posts(s, t, d, now);
        c->head = (c->head + 1) % MAX_DESCRIPTORS;
        c->count--;
        complete(s, t, ch, d, now);
    }
}

static void bytes_done(struct tsr_sim *s, struct tile *t, const struct packet *p, uint64_t now)
{
    struct descriptor *d = desc_of(s, p);
    t->dma.in_flight -= p->bytes;
    d->left -= p->bytes;
    if (p->hbm_done) {
        uint64_t in_hbm = p->hbm_done - p->hbm_arrive, after = now - p->hbm_done;
        d->blame = in_hbm >= after ? TSR_WAIT_HBM : TSR_WAIT_MESH;
    } else if (d->kind != DESC_LOCAL && d->kind != DESC_SINGLE) {
        d->blame = TSR_WAIT_MESH;
    }
    if (d->left == 0 && d->all_issued)
        d->done = now;
    mark_pump(s, t);
    retire(s, t, p->channel, now);
}

/* ---- issue
 * ------------------------------------------------------------------------------------------- */

/* Puts a packet that starts at the tile onto the mesh (or straight into its own cluster). */
static void send_from_tile(struct tsr_sim *s, struct tile *t, uint32_t i, uint64_t at)
{
    struct packet *p = &s->packet[i];
    at = tile_port(s, &t->dma.out_free, at, p->bytes);
    s->stats.tile_out_bytes += p->bytes;
    uint32_t port = TSR_MESH_PORTS + t->id - t->cluster * s->chip->tiles_per_cluster;
    put(s, at, EV_HOP, (uint64_t)t->cluster << 40 | (uint64_t)port << 24 | order_of(p), i,
        t->cluster, port, t->id);
}

static uint64_t cluster_mask(const struct tsr_sim *s, uint64_t tiles)
{
    uint64_t m = 0;
    for (uint64_t b = tiles; b; b &= b - 1)
        m |= BIT(s->tile[__builtin_ctzll(b)].cluster);
    return m;
}

static void issue_far_read(struct tsr_sim *s, struct tile *t, uint32_t i, uint64_t now)
{
    struct packet *p = &s->packet[i];
    uint64_t at = now + request_way(s, t->cluster, p->target);
    if (space_of(p->far) == TSR_SPACE_HBM) {
        put(s, at, EV_HBM_ARRIVE, order_of(p), i, 0, 0, t->id);
        return;
    }
    at += s->chip->csram.latency_cycles;
    s->stats.csram_bytes += p->bytes;
    uint32_t port = TSR_MESH_PORTS + s->chip->tiles_per_cluster;
    put(s, at, EV_HOP, (uint64_t)p->target << 40 | (uint64_t)port << 24 | order_of(p), i, p->target,
        port, t->id);
}

/* The one request of transpose, to_control or rpost. */
static void issue_single(struct tsr_sim *s, struct tile *t, unsigned ch, struct descriptor *d,
                         uint64_t now)
{
    const struct unit_insn *in = &d->in;
    struct packet p = {.tile = (uint16_t)t->id, .channel = (uint8_t)ch};
    uint64_t at = now;
    d->all_issued = true;
    d->requests = 1;
    if (in->u->exec == EX_RPOST) {
        d->done = now;
        put(s, now, EV_ACK, order_of(&p), ch, 0, 0, t->id);
        return;
    }
    p.slot = (uint8_t)(d - t->dma.ch[ch].d);
    p.kind = DESC_SINGLE;
    port_open(&t->dma.read);
    if (in->u->exec == EX_TO_CONTROL) {
        if (d->len)
            at = port_read_bytes(&t->dma.read, PORT_DMA_READ, at, (uint64_t)in->r[CONTROL_SRC],
                                 d->len, s->line_shift);
        at += s->lat_tsram + (d->len + 7) / 8; /* control memory takes eight bytes a cycle */
    } else {
        uint64_t row = (uint64_t)in->r[TRANS_SRC];
        uint64_t bytes = (uint64_t)in->r[TRANS_COLS] << in->u->imm[TRANS_SIZE];
        for (int64_t k = 0; k < in->r[TRANS_ROWS]; k++, row += (uint64_t)in->r[TRANS_SS])
            at = port_read_bytes(&t->dma.read, PORT_DMA_READ, at, row, bytes, s->line_shift);
        s->stats.tsram_read_bytes += d->len;
        at += s->lat_tsram;
    }
    uint32_t i = packet_new(s);
    s->packet[i] = p;
    put(s, at > now ? at : now + 1, EV_READ_DONE, order_of(&p), i, 0, 0, t->id);
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
        issue_far_read(s, t, i, now);
    } else if (d->kind == DESC_WRITE) {
        p->write = 1;
        send_from_tile(s, t, i, read_lines(s, t, now + 1, p));
    } else { /* TSRAM to TSRAM: read now, write when that is done */
        put(s, read_lines(s, t, now + 1, p), EV_READ_DONE, order_of(p), i, 0, 0, t->id);
    }
}

/* Earliest cycle, `now` or later, in which the descriptor's next request may go; NEVER while the
 * window is full (a completion wakes us). */
static uint64_t may_issue(const struct tsr_sim *s, const struct dma *m, const struct descriptor *d,
                          uint64_t now)
{
    const struct tsr_tdma_config *c = &s->chip->tile.tdma;
    if (d->kind != DESC_SINGLE && d->len && m->in_flight + c->max_request_bytes > c->window_bytes)
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
        put(s, now, EV_ACK, (uint64_t)t->id << 8 | ch, ch, 0, 0, t->id);
    } else {
        issue(s, t, ch, d, now);
    }
    if (d->all_issued) {
        t->q[TSR_Q_DMA0 + ch].free_at = now + 1;
        t->channel_free = true;
    }
    t->dma.next_channel = (ch + 1) % CHANNELS;
    t->dma.next_issue = now + 1;
}

/* The only channel that issues, or CHANNELS if there are several or none. */
static unsigned sole_channel(struct dma *m)
{
    unsigned sole = CHANNELS;
    for (unsigned ch = 0; ch < CHANNELS; ch++)
        if (issuing(&m->ch[ch])) {
            if (sole != CHANNELS)
                return CHANNELS;
            sole = ch;
        }
    return sole;
}

/* Requests from cycle `now` on, one a cycle, channels by turns; the cycle in which the next may go,
 * as far as it is known, or NEVER. A channel alone issues for dma_setup cycles at once: none that
 * starts meanwhile could issue earlier, and what completes only widens the window. */
uint64_t dma_pump(struct tsr_sim *s, struct tile *t, uint64_t now)
{
    struct dma *m = &t->dma;
    uint64_t next = NEVER;
    for (unsigned k = 0, first = m->next_channel; k < CHANNELS && m->next_issue <= now; k++) {
        unsigned ch = (first + k) % CHANNELS;
        struct descriptor *d = issuing(&m->ch[ch]);
        if (d && may_issue(s, m, d, now) == now)
            issue_one(s, t, ch, d, now);
    }
    unsigned sole = sole_channel(m);
    if (sole < CHANNELS && m->next_issue == now + 1) {
        struct descriptor *d =
            &m->ch[sole].d[(m->ch[sole].head + m->ch[sole].count - 1) % MAX_DESCRIPTORS];
        for (uint64_t at = now + 1;
             at < now + s->dma_setup && !d->all_issued && may_issue(s, m, d, at) == at; at++)
            issue_one(s, t, sole, d, at);
    }
    for (unsigned ch = 0; ch < CHANNELS; ch++) {
        struct descriptor *d = issuing(&m->ch[ch]);
        uint64_t at =
            d ? may_issue(s, m, d, m->next_issue > now + 1 ? m->next_issue : now + 1) : NEVER;
        next = at < next ? at : next;
    }
    return next;
}

/* ---- events
 * ------------------------------------------------------------------------------------------ */

static void hbm_arrive(struct tsr_sim *s, uint32_t i, uint64_t now)
{
    struct packet *p = &s->packet[i];
    uint64_t offset = offset_of(p->far);
    uint32_t channel = tsr_hbm_channel(&s->map, offset);
    struct tsr_hbm_request r = {.address = offset, .bytes = p->bytes, .id = i, .write = p->write};
    p->hbm_arrive = now;
    uint64_t at = tsr_hbm_arrive(s->hbm, channel, now, &r);
    if (at != TSR_HBM_NEVER)
        put(s, at, EV_HBM_DECIDE, channel, channel, 0, 0, 0);
}

static void hbm_decide(struct tsr_sim *s, uint32_t channel, uint64_t now)
{
    struct tsr_hbm_done done;
    uint64_t next = tsr_hbm_next(s->hbm, channel, now, &done);
    if (next != TSR_HBM_NEVER)
        put(s, next, EV_HBM_DECIDE, channel, channel, 0, 0, 0);
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
static uint64_t into_tile(struct tsr_sim *s, struct tile *t, const struct packet *p, uint64_t at)
{
    s->stats.tile_in_bytes += p->bytes;
    at = tile_port(s, &t->dma.in_free, at, p->bytes);
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
        uint64_t in = into_tile(s, &s->tile[to], &p, at);
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
        put(s, start + s->chip->mesh.hop_cycles + tsr_mesh_occupancy_cycles(&s->mesh, p->bytes),
            EV_HBM_ARRIVE, order_of(p), i, 0, 0, p->tile);
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
        put(s, into_tile(s, &s->tile[p->tile], p, at), EV_DONE, order_of(p), i, 0, 0, p->tile);
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
    const struct packet whole = *p;
    bool first = true;
    tsr_mesh_fork(&s->mesh, router, whole.clusters, out);
    for (uint32_t o = 0; o < TSR_MESH_FORKS; o++) {
        if (!out[o])
            continue;
        uint32_t copy = first ? i : packet_new(s);
        first = false;
        s->packet[copy] = whole;
        s->packet[copy].clusters = out[o];
        if (o == TSR_MESH_LOCAL)
            arrive(s, copy, router, in_port, now);
        else
            hop_to(s, copy, router, o, now);
    }
}

/* Posts at tile `to`, in the channel's order, for all casts that are complete there. */
static void cast_posts(struct tsr_sim *s, struct tile *from, unsigned ch, struct tile *to,
                       uint64_t now, uint8_t blame)
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
        if (d->in.u->post[1].amount)
            sem_post(s, from, (enum tsr_queue)(TSR_Q_DMA0 + ch), &d->in, to, d->in.u->post[1].id,
                     now, blame);
        to->end = now > to->end ? now : to->end;
        mark_dirty(s, to);
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
        at = write_lines(s, t, now, p);
    } else if (d->in.u->exec == EX_TRANSPOSE) {
        const int64_t *r = d->in.r;
        uint64_t row = (uint64_t)r[TRANS_DST],
                 bytes = (uint64_t)r[TRANS_ROWS] << d->in.u->imm[TRANS_SIZE];
        port_open(&t->dma.write);
        for (int64_t k = 0; k < r[TRANS_COLS]; k++, row += (uint64_t)r[TRANS_DS])
            at = port_write_bytes(&t->dma.write, PORT_DMA_WRITE, at, row, bytes, s->line_shift);
        at = port_flush(&t->dma.write, PORT_DMA_WRITE, at);
        s->stats.tsram_write_bytes += d->len;
    }
    put(s, at > now ? at : now + 1, EV_DONE, order_of(p), i, 0, 0, t->id);
}

/* HBM or CSRAM to HBM or CSRAM goes through the tile: what has been read is now written. */
static void forward(struct tsr_sim *s, struct tile *t, uint32_t i, uint64_t now)
{
    struct packet *p = &s->packet[i];
    p->far = p->near;
    p->write = 1;
    p->target = (uint16_t)cluster_of_far(s, p->far);
    send_from_tile(s, t, i, now);
}

static void done(struct tsr_sim *s, struct tile *t, uint32_t i, uint64_t now)
{
    struct packet *p = &s->packet[i];
    if (p->kind == DESC_FORWARD && !p->write) {
        forward(s, t, i, now);
        return;
    }
    if (p->kind == DESC_SINGLE) {
        desc_of(s, p)->done = now;
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
