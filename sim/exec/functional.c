/* SPDX-License-Identifier: Apache-2.0 */
/* A run without time: every queue goes as far as its semaphores let it, until nothing moves. For
 * race-free programs the order makes no difference to any value. */
#include "sim/core/machine.h"
#include "sim/core/race.h"

static void finish_dma(struct tsr_sim *s, struct tile *t, enum tsr_queue q, struct unit_insn *in)
{
    struct descriptor d = {0};
    const struct uop *u = in->u;
    if (!describe_transfer(s, t, in, &d, 0))
        return;
    /* Without time the limit still ends what no run in time would: a request takes a cycle. */
    t->q[q].accounted += d.left / s->chip->tile.tdma.max_request_bytes;
    if (d.left && !d.merged)
        t->q[q].accounted += (uint64_t)(d.n[0] * d.n[1]) * (uint64_t)d.n[2];
    if (t->q[q].accounted > s->opt.limit_cycles) {
        raise_fault(s, TSR_FAULT_LIMIT, 0, t->id, q, in->pc, "more than %llu cycles",
                    (unsigned long long)s->opt.limit_cycles);
        return;
    }
    if (u->exec == EX_RPOST) {
        for (uint64_t m = d.mask; m; m &= m - 1)
            sem_post(s, t, q, in, &s->tile[__builtin_ctzll(m)], (uint32_t)u->imm[RPOST_SEM], 0,
                     TSR_WAIT_SEMAPHORE);
        posts(s, t, q, in, 0, TSR_WAIT_SEMAPHORE);
    } else if (d.kind == DESC_CAST) {
        for (uint64_t m = d.mask; m; m &= m - 1) {
            struct tile *to = &s->tile[__builtin_ctzll(m)];
            if (d.len)
                exec_cast(s, t, to, in);
            if (u->post[1].amount)
                sem_post(s, t, q, in, to, u->post[1].id, 0, TSR_WAIT_SEMAPHORE);
        }
        if (u->post[0].amount)
            sem_post(s, t, q, in, t, u->post[0].id, 0, TSR_WAIT_SEMAPHORE);
    } else {
        exec_unit(s, t, q, in);
        posts(s, t, q, in, 0, TSR_WAIT_SEMAPHORE);
    }
}

static bool check(struct tsr_sim *s, struct tile *t, enum tsr_queue q, struct unit_insn *in)
{
    uint64_t before = s->faults;
    if (q == TSR_Q_TTU)
        check_mma(s, t, in, 0);
    else if (q == TSR_Q_ACC)
        check_acc(s, t, in, 0);
    return s->faults == before;
}

static bool advance(struct tsr_sim *s, struct tile *t)
{
    bool moved = false;
    uint32_t pc = t->tcp.pc;
    uint64_t time = t->tcp.t;
    tcp_run(s, t, time);
    moved = t->tcp.pc != pc || t->tcp.t != time;
    for (int q = TSR_Q_TTU; q < TSR_QUEUES; q++) {
        struct queue *qu = &t->q[q];
        while (qu->count && !s->fault.kind && sems_ready(t, queue_head(qu)->u)) {
            struct unit_insn in = *queue_head(qu);
            sems_consume(s, t, (enum tsr_queue)q, &in, 0);
            qu->head = (qu->head + 1) % MAX_QUEUE;
            qu->count--;
            moved = true;
            if (!check(s, t, (enum tsr_queue)q, &in)) {
                race_end(s, &in);
                return true;
            }
            if (q >= TSR_Q_DMA0) {
                finish_dma(s, t, (enum tsr_queue)q, &in);
            } else {
                exec_unit(s, t, (enum tsr_queue)q, &in);
                posts(s, t, (enum tsr_queue)q, &in, 0, TSR_WAIT_SEMAPHORE);
            }
            race_end(s, &in);
            if (in.u->exec == EX_MMA)
                s->stats.macs += (uint64_t)(in.r[MMA_M] * in.r[MMA_N] * in.r[MMA_K]);
            if (q != TSR_Q_TVP)
                s->stats.instructions[q]++;
        }
    }
    return moved;
}

void run_functional(struct tsr_sim *s)
{
    bool moved = true;
    while (moved && !s->fault.kind && !s->cal.failed) {
        moved = false;
        for (uint32_t i = 0; i < s->n_tiles && !s->fault.kind; i++)
            moved |= advance(s, &s->tile[i]);
    }
    if (!s->fault.kind && !run_complete(s)) {
        char text[900];
        describe_deadlock(s, text, sizeof text);
        raise_fault(s, TSR_FAULT_DEADLOCK, 0, 0, TSR_Q_TCP, 0, "%s", text);
    }
}
