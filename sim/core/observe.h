/* SPDX-License-Identifier: Apache-2.0 */
/* What a run shows to whoever compares it with hardware, cycle by cycle. Costs a test of a pointer
 * where nobody looks. Observations of one kind and tile come in the order of their effect, but
 * kinds do not come in the order of cycles: the TCP runs ahead. After a fault some lie beyond its
 * cycle. */
#ifndef TESSERA_SIM_CORE_OBSERVE_H
#define TESSERA_SIM_CORE_OBSERVE_H

#include "sim/core/machine.h"

enum observed {
    OBS_TCP,    /* a word retired; cycle: of its issue; reg, value: what it wrote, if reg */
    OBS_STORE,  /* the TCP stored `bytes` of value at `address` of control memory */
    OBS_START,  /* queue, pc */
    OBS_RETIRE, /* queue, pc; cycle: in which its posts take effect */
    OBS_SEM,    /* reg: the semaphore, value: its count, until the next one of the cycle */
    OBS_REMOTE, /* semaphore reg was posted from outside, for queue and pc of the source */
    OBS_VISSUE, /* a word of a routine issued: pc; value: when its result is ready, or 0 */
    OBS_VALUE,  /* for each VISSUE, in order: what it wrote to reg and those behind it: data */
    OBS_VLINE,  /* the TVP wrote a line at `address` */
    OBS_VDATA,  /* for each VLINE, in order: data of the line, then a mask of a byte each */
    OBS_ALINE,  /* a drain wrote a line at `address` */
    OBS_ADATA,  /* for each ALINE, in order: as VDATA */
    OBS_ACC,    /* queue, pc: a step of an mma; what it leaves in the rectangle at `address` of the
                   accumulators: data, row by row; value: its columns; reg: across. The rectangle's
                   tiles are written row by row, one a cycle, the first in `cycle` */
    OBS_FLINE,  /* a fill wrote words from `address` on, `bytes` of them in bytes */
    OBS_FDATA,  /* for each FLINE, in order: data */
    /* The data mover. Requests are named by a number (reg) until they complete. */
    OBS_REQUEST, /* queue, pc; `packet` has its kind; far bytes at address; value: of a forward,
                    where to */
    OBS_HEAD,    /* a packet for the tile reached its cluster */
    OBS_IN,      /* its first beat; reg, or of a cast NO_REQUEST and the layout in `packet` */
    OBS_OUT,     /* the first beat of a packet that leaves */
    OBS_ACK,     /* reg is acknowledged */
    OBS_RPOST,   /* reg: the semaphore, value: the mask; when the descriptor completes */
    OBS_WRITE,   /* granted; reg: the requester, address: the line; data: a byte per byte of the
                    line, not 0 where it is written, then the line */
    OBS_KINDS
};

struct observation {
    enum observed kind;
    uint32_t tile, pc, reg, bytes;
    enum tsr_queue queue;
    uint64_t cycle, value, address;
    const uint8_t *data;
    const struct packet *packet; /* OBS_REQUEST of a cast, OBS_IN: its kind and layout */
};
#define NO_REQUEST UINT32_MAX

struct tsr_observer {
    void *self;
    void (*tell)(void *self, const struct observation *o);
};

static inline bool observed(const struct tsr_sim *s)
{
    return __builtin_expect(s->opt.observer != NULL, 0);
}

static inline void tell(const struct tsr_sim *s, struct observation o)
{
    s->opt.observer->tell(s->opt.observer->self, &o);
}

#endif
