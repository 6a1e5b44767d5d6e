/* SPDX-License-Identifier: Apache-2.0 */
/* Semaphores, and the books of who waited why. */
#include "sim/core/machine.h"
#include "sim/core/observe.h"
#include "sim/core/race.h"

static void show(const struct tsr_sim *s, const struct tile *t, uint32_t id, uint64_t cycle)
{
    if (observed(s))
        tell(s, (struct observation){.kind = OBS_SEM,
                                     .tile = t->id,
                                     .reg = id,
                                     .value = t->sem[id].count,
                                     .cycle = cycle});
}

bool sems_ready(const struct tile *t, const struct uop *u)
{
    for (int i = 0; i < 2; i++) {
        uint32_t need = u->wait[i].amount;
        if (i == 1 && u->wait[0].amount && u->wait[0].id == u->wait[1].id && need)
            need += u->wait[0].amount;
        if (need && t->sem[u->wait[i].id].count < need)
            return false;
    }
    return true;
}

void sems_consume(struct tsr_sim *s, struct tile *t, enum tsr_queue q, struct unit_insn *in,
                  uint64_t cycle)
{
    for (int i = 0; i < 2; i++) {
        struct sem_slot w = in->u->wait[i];
        if (!w.amount)
            continue;
        if (s->program->consumer[w.id] != q)
            raise_fault(s, TSR_FAULT_SEMAPHORE_CONSUMER, cycle, t->id, q, in->pc,
                        "waits for s%u, whose consumer is declared otherwise", w.id);
        t->sem[w.id].count -= w.amount;
        show(s, t, w.id, cycle);
        race_consumed(s, t, q, in, w.id, w.amount);
    }
    race_start(s, t, q, in);
}

/* The reason to charge a wait for u's semaphores to, and the cycle of the last post among them. */
uint8_t sems_blame(const struct tile *t, const struct uop *u, uint64_t *when)
{
    uint8_t blame = TSR_WAIT_SEMAPHORE;
    *when = 0;
    for (int i = 0; i < 2; i++)
        if (u->wait[i].amount && t->sem[u->wait[i].id].last_post >= *when) {
            *when = t->sem[u->wait[i].id].last_post;
            blame = t->sem[u->wait[i].id].blame;
        }
    return blame;
}

void sem_post(struct tsr_sim *s, struct tile *from, enum tsr_queue q, const struct unit_insn *in,
              struct tile *to, uint32_t id, uint64_t cycle, uint8_t blame)
{
    struct semaphore *m = &to->sem[id];
    if (++m->count > s->chip->tile.semaphore_max)
        raise_fault(s, TSR_FAULT_SEMAPHORE_OVERFLOW, cycle, to->id, q, in ? in->pc : 0,
                    "s%u counts more than %u", id, s->chip->tile.semaphore_max);
    m->blame = blame;
    m->last_post = cycle;
    show(s, to, id, cycle);
    race_posted(s, from, q, in, to, id);
}

void posts(struct tsr_sim *s, struct tile *t, enum tsr_queue q, const struct unit_insn *in,
           uint64_t cycle, uint8_t blame)
{
    for (int i = 0; i < 2; i++)
        if (in->u->post[i].amount)
            sem_post(s, t, q, in, t, in->u->post[i].id, cycle, blame);
}

/* Gives the unit's cycles up to `until` (not included) one reason. */
void account(struct tsr_sim *s, struct queue *q, enum tsr_queue id, uint64_t until,
             enum tsr_wait why)
{
    if (until > q->accounted) {
        s->stats.unit[id][why] += until - q->accounted;
        q->accounted = until;
    }
}

/* The wait before an instruction that starts in `start`: nothing queued, then semaphores up to the
 * post that satisfied them, then the unit's own resources. */
void account_wait(struct tsr_sim *s, struct tile *t, enum tsr_queue id, const struct unit_insn *in,
                  uint64_t start, uint8_t blame, uint64_t sem_when)
{
    struct queue *q = &t->q[id];
    uint64_t queued = in->queued + 1 < start ? in->queued + 1 : start;
    account(s, q, id, queued, TSR_WAIT_DRAINED);
    bool waits = in->u->wait[0].amount || in->u->wait[1].amount;
    if (waits && sem_when + 1 <= start)
        account(s, q, id, sem_when + 1, (enum tsr_wait)blame);
    /* a channel that is busy with the descriptor before waits for what that one waits for */
    bool channel = id >= TSR_Q_DMA0 && t->dma.blame != TSR_WAIT_BUSY;
    account(s, q, id, start, channel ? (enum tsr_wait)t->dma.blame : TSR_WAIT_OPERAND_PORT);
}
