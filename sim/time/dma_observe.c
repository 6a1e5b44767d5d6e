/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/time/dma_observe.h"

#include <string.h>

enum {
    MAX_PACKET = 1 << 15, /* chip_check: tile.tdma.max_request_bytes */
    MAX_LINE = 4 * 64
};

void show_number(const struct tsr_sim *s, const struct tile *t, enum observed kind, uint32_t i,
                 uint64_t cycle)
{
    if (observed(s))
        tell(s, (struct observation){.kind = kind, .tile = t->id, .reg = i, .cycle = cycle});
}

void show_request(const struct tsr_sim *s, const struct tile *t, const struct descriptor *d,
                  const struct packet *p, uint32_t i, uint64_t now)
{
    if (observed(s) && p->kind != DESC_LOCAL)
        tell(s, (struct observation){.kind = OBS_REQUEST,
                                     .tile = t->id,
                                     .queue = (enum tsr_queue)(TSR_Q_DMA0 + p->channel),
                                     .pc = d->in.pc,
                                     .reg = i,
                                     .bytes = p->bytes,
                                     .address = p->far,
                                     .value = p->kind == DESC_CAST ? d->mask : p->near,
                                     .cycle = now,
                                     .packet = p});
}

/* The request's bytes, gathered from the pieces of a near side or read at its far side. */
static void collect(const struct tsr_sim *s, const struct tile *t, const struct packet *p,
                    bool near, uint8_t *out)
{
    uint64_t at = p->near, left = p->bytes, n = p->first;
    if (!near && space_of(p->far) == TSR_SPACE_TSRAM) {
        memcpy(out, t->tsram + p->far, p->bytes);
        return;
    }
    if (!near) {
        memory_read(s, p->far, out, p->bytes);
        return;
    }
    while (left) {
        n = n > left ? left : n;
        memcpy(out, t->tsram + at, n);
        out += n;
        left -= n;
        at += n + (uint64_t)(int64_t)p->gap;
        n = p->len;
    }
}

static void show_packet(const struct tsr_sim *s, const struct tile *t, enum observed kind,
                        const struct packet *p, uint32_t i, uint64_t end, const uint8_t *data)
{
    uint64_t beats = (p->bytes + s->chip->tile.port_bytes - 1) >> s->port_shift;
    tell(s, (struct observation){.kind = kind,
                                 .tile = t->id,
                                 .reg = i,
                                 .bytes = p->bytes,
                                 .cycle = end - beats,
                                 .data = data,
                                 .packet = p});
}

void show_in(const struct tsr_sim *s, const struct tile *t, const struct packet *p, uint32_t i,
             uint64_t end)
{
    uint8_t data[MAX_PACKET];
    if (!observed(s) || !s->values)
        return;
    tell(s, (struct observation){
                .kind = OBS_HEAD, .tile = t->id, .reg = i, .cycle = s->cal.now, .packet = p});
    /* of a cast the source may be another tile's TSRAM */
    collect(s, &s->tile[p->tile], p, false, data);
    show_packet(s, t, OBS_IN, p, p->kind == DESC_CAST ? NO_REQUEST : i, end, data);
}

void show_out(const struct tsr_sim *s, const struct tile *t, const struct packet *p, uint32_t i,
              uint64_t end)
{
    uint8_t data[MAX_PACKET];
    if (!observed(s) || !s->values)
        return;
    if (p->kind == DESC_FORWARD) /* its bytes were shown when they came */
        show_packet(s, t, OBS_OUT, p, i, end, NULL);
    else
        collect(s, t, p, p->kind == DESC_WRITE, data);
    if (p->kind != DESC_FORWARD)
        show_packet(s, t, OBS_OUT, p, p->kind == DESC_CAST ? p->root : i, end, data);
}

static void show_line(const struct tsr_sim *s, const struct tile *t, uint64_t line, uint64_t cycle,
                      const uint8_t *written)
{
    tell(s, (struct observation){.kind = OBS_WRITE,
                                 .tile = t->id,
                                 .reg = PORT_DMA_WRITE,
                                 .address = line,
                                 .cycle = cycle,
                                 .bytes = 2u << s->line_shift,
                                 .data = written});
}

void show_lines(const struct tsr_sim *s, const struct tile *t, uint64_t at, const struct packet *p,
                const struct packet *from)
{
    uint8_t data[MAX_PACKET], written[2 * MAX_LINE] = {0};
    uint64_t off = 0, bytes = (uint64_t)1 << s->line_shift;
    struct port port = t->dma.write; /* a copy: the grants are what write_lines will find */
    if (!observed(s) || !s->values)
        return;
    collect(s, &s->tile[p->tile], from ? from : p, from != NULL, data);
    port_open(&port);
    for (struct runs r = runs_of(s, p); next_run(&r); off += r.bytes) {
        uint64_t in = r.near & (bytes - 1), kept = port.line;
        if (r.fresh && kept != NO_LINE) {
            at = port_flush(&port, PORT_DMA_WRITE, at);
            show_line(s, t, kept, at - 1, written);
            memset(written, 0, sizeof written);
        }
        port.line = r.line;
        memset(written + in, 1, r.bytes);
        memcpy(written + bytes + in, data + off, r.bytes);
    }
    uint64_t last = port.line;
    show_line(s, t, last, port_flush(&port, PORT_DMA_WRITE, at) - 1, written);
}

void show_transpose(const struct tsr_sim *s, const struct tile *t, uint64_t at,
                    const struct unit_insn *in)
{
    uint8_t written[2 * MAX_LINE];
    const int64_t *r = in->r;
    uint64_t bytes = (uint64_t)1 << s->line_shift, size = (uint64_t)1 << in->u->imm[TRANS_SIZE];
    struct port port = t->dma.write;
    if (!observed(s) || !s->values)
        return;
    for (int64_t j = 0; j < r[TRANS_COLS]; j++) {
        uint64_t row = (uint64_t)r[TRANS_DST] + (uint64_t)(j * r[TRANS_DS]);
        uint64_t end = row + (uint64_t)r[TRANS_ROWS] * size;
        for (uint64_t line = row >> s->line_shift; line <= (end - 1) >> s->line_shift; line++) {
            uint64_t base = line << s->line_shift;
            memset(written, 0, sizeof written);
            for (uint64_t b = 0; b < bytes; b++) {
                if (base + b < row || base + b >= end)
                    continue;
                uint64_t i = (base + b - row) / size, of = (base + b - row) % size;
                written[b] = 1;
                written[bytes + b] = t->tsram[(uint64_t)r[TRANS_SRC] + i * (uint64_t)r[TRANS_SS] +
                                              (uint64_t)j * size + of];
            }
            port_open(&port);
            port_write(&port, PORT_DMA_WRITE, at, line);
            at = port_flush(&port, PORT_DMA_WRITE, at);
            show_line(s, t, line, at - 1, written);
        }
    }
}
