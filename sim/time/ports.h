/* SPDX-License-Identifier: Apache-2.0 */
/* TSRAM ports: time-divided banks, so that a wait is a closed form and no unit disturbs another. */
#ifndef TESSERA_SIM_TIME_PORTS_H
#define TESSERA_SIM_TIME_PORTS_H

#include "sim/core/machine.h"

enum requester {
    PORT_TTU_A,
    PORT_TTU_B,
    PORT_TVP_READ0,
    PORT_TVP_READ1,
    PORT_TVP_WRITE,
    PORT_DMA_READ,
    PORT_DMA_WRITE,
    PORT_ACC
};
#define NO_LINE UINT64_MAX

/* First cycle >= t in which the requester owns the line's bank: bank b belongs to (b - c) mod 8. */
static inline uint64_t port_grant(uint64_t t, unsigned requester, uint64_t line)
{
    return t + ((line - requester - t) & 7);
}

static inline void port_open(struct port *p)
{
    p->line = NO_LINE;
}

/* Cycle in which `line` is read, at t or later; the line just read costs nothing. */
static inline uint64_t port_read(struct port *p, unsigned requester, uint64_t t, uint64_t line)
{
    if (line == p->line)
        return t;
    uint64_t g = port_grant(t > p->next ? t : p->next, requester, line);
    p->next = g + 1;
    p->line = line;
    return g;
}

/* Cycle in which the port takes data for `line`: at once, or when the kept line has been written.
 */
static inline uint64_t port_write(struct port *p, unsigned requester, uint64_t t, uint64_t line)
{
    if (line == p->line)
        return t;
    if (p->line != NO_LINE) {
        uint64_t g = port_grant(t > p->next ? t : p->next, requester, p->line);
        p->next = g + 1;
        t = g;
    }
    p->line = line;
    return t;
}

/* Writes the kept line; the cycle after it, or t where nothing was kept. */
static inline uint64_t port_flush(struct port *p, unsigned requester, uint64_t t)
{
    if (p->line == NO_LINE)
        return t;
    uint64_t g = port_grant(t > p->next ? t : p->next, requester, p->line);
    p->next = g + 1;
    p->line = NO_LINE;
    return g + 1;
}

/* Reads all lines of `bytes` at `address`; the cycle of the last grant. */
static inline uint64_t port_read_bytes(struct port *p, unsigned requester, uint64_t t,
                                       uint64_t address, uint64_t bytes, unsigned shift)
{
    uint64_t last = (address + bytes - 1) >> shift;
    for (uint64_t line = address >> shift; line <= last; line++)
        t = port_read(p, requester, t, line);
    return t;
}

static inline uint64_t port_write_bytes(struct port *p, unsigned requester, uint64_t t,
                                        uint64_t address, uint64_t bytes, unsigned shift)
{
    uint64_t last = (address + bytes - 1) >> shift;
    for (uint64_t line = address >> shift; line <= last; line++)
        t = port_write(p, requester, t, line);
    return t;
}

static inline bool tsram_ok(const struct tsr_sim *s, uint64_t address, uint64_t bytes)
{
    uint64_t size = s->chip->tile.tsram_bytes;
    return address <= size && bytes <= size - address;
}

#endif
