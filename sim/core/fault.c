/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/core/machine.h"

const char *const tsr_wait_name[TSR_WAITS] = {"busy", "semaphore", "queue_full", "operand_port",
                                              "hbm",  "mesh",      "drained"};
const char *const tsr_queue_name[TSR_QUEUES] = {"tcp",  "ttu",  "acc",  "tvp",
                                                "dma0", "dma1", "dma2", "dma3"};
const char *const tsr_fault_name[TSR_FAULT_KINDS] = {"none",
                                                     "address",
                                                     "operand_line",
                                                     "shape",
                                                     "acc_conflict",
                                                     "semaphore_overflow",
                                                     "semaphore_consumer",
                                                     "illegal",
                                                     "loop_depth",
                                                     "control_address",
                                                     "program_end",
                                                     "race",
                                                     "deadlock",
                                                     "limit"};

/* Of several faults the one of the earliest cycle is kept, then the lowest tile, then the lowest
 * unit. */
static bool earlier(const struct tsr_fault *f, uint64_t cycle, uint32_t tile, enum tsr_queue queue)
{
    if (f->kind == TSR_FAULT_NONE)
        return true;
    if (cycle != f->cycle)
        return cycle < f->cycle;
    return tile != f->tile ? tile < f->tile : queue < f->queue;
}

void raise_fault(struct tsr_sim *s, enum tsr_fault_kind kind, uint64_t cycle, uint32_t tile,
                 enum tsr_queue queue, uint32_t pc, const char *format, ...)
{
    struct tsr_fault *f = &s->fault;
    s->faults++;
    if (!earlier(f, cycle, tile, queue))
        return;
    *f = (struct tsr_fault){.kind = kind, .cycle = cycle, .tile = tile, .queue = queue, .pc = pc};
    va_list ap;
    va_start(ap, format);
    vsnprintf(f->text, sizeof f->text, format, ap);
    va_end(ap);
}

static size_t describe_wait(const struct tile *t, enum tsr_queue q, const struct uop *u,
                            uint32_t pc, char *text, size_t cap)
{
    size_t n = 0;
    for (int i = 0; i < 2; i++)
        if (u->wait[i].amount && n + 1 < cap)
            n +=
                (size_t)snprintf(text + n, cap - n, "tile %u %s word %u waits for s%u (%u of %u); ",
                                 t->id, tsr_queue_name[q], pc, u->wait[i].id,
                                 t->sem[u->wait[i].id].count, u->wait[i].amount);
    return n < cap ? n : cap - 1;
}

void describe_deadlock(struct tsr_sim *s, char *text, size_t cap)
{
    size_t n = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < s->n_tiles && n + 1 < cap; i++) {
        struct tile *t = &s->tile[i];
        if (!t->tcp.halted && t->tcp.blocked == 2)
            n += describe_wait(t, TSR_Q_TCP, &s->code.tcp[t->tcp.pc], t->tcp.pc, text + n, cap - n);
        for (int q = TSR_Q_TTU; q < TSR_QUEUES && n + 1 < cap; q++)
            if (t->q[q].count) {
                struct unit_insn *in = queue_head(&t->q[q]);
                n += describe_wait(t, (enum tsr_queue)q, in->u, in->pc, text + n, cap - n);
            }
    }
}
