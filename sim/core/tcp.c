/* SPDX-License-Identifier: Apache-2.0 */
/* The tile control processor. Nothing else can change what it reads between two semaphores, so it
 * runs ahead of the other units in its own time; queue entries carry the cycle of their issue. */
#include <string.h>

#include "isa/expr.h"
#include "sim/core/machine.h"
#include "sim/core/observe.h"
#include "sim/core/race.h"

enum {
    BLOCK_NO,
    BLOCK_QUEUE,
    BLOCK_SEMAPHORE,
    BLOCK_FAULT
};
enum {
    RUN_AHEAD = 100000
}; /* instructions before others get their turn */

static int64_t alu(const struct tcp *p, const struct uop *u)
{
    int64_t src[3] = {p->x[u->reg[0]], p->x[u->reg[1]], u->imm[1]};
    if (u->alu_fn != 0xFF)
        return tsr_scalar_apply((enum tsr_scalar_fn)u->alu_fn, src[u->alu_src[0]],
                                src[u->alu_src[1]]);
    int64_t row[TSR_MAX_OPERANDS] = {0};
    for (int i = 0; i < u->op->n_operands; i++) {
        const char *name = u->op->operand[i].name;
        row[i] = !strcmp(name, "a")     ? src[0]
                 : !strcmp(name, "b")   ? src[1]
                 : !strcmp(name, "imm") ? src[2]
                                        : 0;
    }
    return expr_scalar(u->expr, row, row);
}

static bool control_access(struct tsr_sim *s, struct tile *t, const struct uop *u, uint64_t *at,
                           bool write)
{
    *at = (uint64_t)t->tcp.x[u->reg[0]] + (uint64_t)u->imm[0];
    uint64_t n = (uint64_t)u->imm[1], size = s->chip->tile.control_bytes;
    if (*at % n || *at > size - n) {
        raise_fault(s, TSR_FAULT_CONTROL_ADDRESS, t->tcp.t, t->id, TSR_Q_TCP, t->tcp.pc,
                    "control memory has no word of %u bytes at 0x%llx", (unsigned)n,
                    (unsigned long long)*at);
        return false;
    }
    race_control(s, t, TSR_Q_TCP, NULL, *at, n, write);
    return true;
}

static void load(struct tsr_sim *s, struct tile *t, const struct uop *u)
{
    uint64_t at;
    if (!control_access(s, t, u, &at, false))
        return;
    int64_t v = 0;
    if (u->imm[1] == 8) {
        memcpy(&v, t->control + at, 8);
    } else {
        int32_t w;
        memcpy(&w, t->control + at, 4);
        v = w;
    }
    if (u->d)
        t->tcp.x[u->d] = v;
}

static void store(struct tsr_sim *s, struct tile *t, const struct uop *u)
{
    uint64_t at;
    if (control_access(s, t, u, &at, true))
        memcpy(t->control + at, &t->tcp.x[u->reg[1]], (size_t)u->imm[1]); /* little-endian host */
}

/* Hands the instruction to its unit; false if the queue is full. */
static bool push(struct tsr_sim *s, struct tile *t, const struct uop *u)
{
    unsigned q = u->unit == TSR_UNIT_TDMA ? TSR_Q_DMA0 + (unsigned)u->imm[0] : u->unit;
    struct queue *qu = &t->q[q];
    if (qu->count == s->chip->tile.queue_depth) {
        t->tcp.blocked = BLOCK_QUEUE;
        t->tcp.blocked_queue = (uint8_t)q;
        return false;
    }
    struct unit_insn *in = &qu->slot[(qu->head + qu->count) % MAX_QUEUE];
    in->u = u;
    in->pc = t->tcp.pc;
    in->queued = t->tcp.t;
    for (int i = 0; i < u->n_regs; i++)
        in->r[i] = t->tcp.x[u->reg[i]];
    race_queued(s, t, in);
    qu->count++;
    return true;
}

/* Where the next word is, hardware loops taken into account. */
static void advance(struct tcp *p, uint32_t next)
{
    p->pc = loop_next(p->loop, &p->n_loops, next);
}

static void enter_loop(struct tsr_sim *s, struct tile *t, const struct uop *u)
{
    struct tcp *p = &t->tcp;
    int64_t n = p->x[u->reg[0]];
    uint32_t end = (uint32_t)u->imm[0];
    if (n <= 0) {
        p->t += s->branch_taken;
        advance(p, end);
        return;
    }
    if (p->n_loops == MAX_LOOPS || end <= p->pc + 1) {
        raise_fault(s, TSR_FAULT_LOOP_DEPTH, p->t, t->id, TSR_Q_TCP, p->pc,
                    "loops nest at most %d deep and hold at least one word", MAX_LOOPS);
        return;
    }
    p->loop[p->n_loops++] = (struct loop_frame){.start = p->pc + 1, .end = end, .left = n};
    p->t += u->cycles;
    p->pc++;
}

static void consume_and_post(struct tsr_sim *s, struct tile *t, const struct uop *u)
{
    struct unit_insn in = {.u = u, .pc = t->tcp.pc};
    sems_consume(s, t, TSR_Q_TCP, &in, t->tcp.t);
    posts(s, t, TSR_Q_TCP, &in, t->tcp.t, TSR_WAIT_SEMAPHORE);
    race_end(s, &in);
}

static void show(struct tsr_sim *s, const struct tile *t, const struct uop *u, uint32_t pc,
                 uint64_t t0)
{
    const struct tcp *p = &t->tcp;
    bool writes = u->exec == EX_ALU || u->exec == EX_LOAD;
    struct observation o = {.kind = OBS_TCP, .tile = t->id, .pc = pc, .cycle = t0};
    if (writes && u->d) {
        o.reg = u->d;
        o.value = (uint64_t)p->x[u->d];
    }
    tell(s, o);
    if (u->exec != EX_STORE)
        return;
    o.kind = OBS_STORE;
    o.address = (uint64_t)p->x[u->reg[0]] + (uint64_t)u->imm[0];
    o.value = (uint64_t)p->x[u->reg[1]];
    o.bytes = (uint32_t)u->imm[1];
    tell(s, o);
}

/* One instruction at p->t; false if the TCP cannot go on now. */
static bool step(struct tsr_sim *s, struct tile *t, uint64_t now)
{
    struct tcp *p = &t->tcp;
    if (p->pc >= s->code.n_tcp) {
        raise_fault(s, TSR_FAULT_PROGRAM_END, p->t, t->id, TSR_Q_TCP, p->pc,
                    "ran past the program's %u words", s->code.n_tcp);
        return false;
    }
    const struct uop *u = &s->code.tcp[p->pc];
    if (!u->op) {
        raise_fault(s, TSR_FAULT_ILLEGAL, p->t, t->id, TSR_Q_TCP, p->pc, "illegal word");
        return false;
    }
    struct queue *q = &t->q[TSR_Q_TCP];
    uint32_t pc = p->pc;
    uint64_t t0 = p->t;
    switch (u->exec) {
    case EX_NOP:
        p->t += u->cycles;
        advance(p, pc + 1);
        break;
    case EX_HALT:
        p->halted = true;
        p->t += u->cycles;
        break;
    case EX_WAIT:
        /* the count is known only for the cycle at hand */
        if (p->t > now || !sems_ready(t, u)) {
            p->blocked = BLOCK_SEMAPHORE;
            return false;
        }
        consume_and_post(s, t, u);
        t->tcp_posted = true; /* to be seen in the next cycle */
        p->t += u->cycles;
        advance(p, pc + 1);
        break;
    case EX_JUMP:
        p->t += u->cycles;
        advance(p, (uint32_t)u->imm[0]);
        break;
    case EX_BRANCH: {
        bool taken = alu(p, u) != 0;
        p->t += taken ? u->cycles : 1;
        advance(p, taken ? (uint32_t)u->imm[0] : pc + 1);
        break;
    }
    case EX_LOOP:
        enter_loop(s, t, u);
        break;
    case EX_ALU:
        if (u->d)
            p->x[u->d] = alu(p, u);
        p->t += u->cycles;
        advance(p, pc + 1);
        break;
    case EX_LOAD:
        load(s, t, u);
        p->t += u->cycles;
        advance(p, pc + 1);
        break;
    case EX_STORE:
        store(s, t, u);
        p->t += u->cycles;
        advance(p, pc + 1);
        break;
    default:
        if (!push(s, t, u))
            return false;
        p->t += 1;
        advance(p, pc + 1);
    }
    s->stats.instructions[TSR_Q_TCP]++;
    if (observed(s))
        show(s, t, u, pc, t0);
    account(s, q, TSR_Q_TCP, p->t, TSR_WAIT_BUSY);
    if (s->opt.retired)
        s->opt.retired(s->opt.retired_self, t->id, TSR_Q_TCP, pc, t0, p->t - 1);
    return !p->halted;
}

uint64_t tcp_run(struct tsr_sim *s, struct tile *t, uint64_t now)
{
    struct tcp *p = &t->tcp;
    if (p->halted || p->blocked == BLOCK_FAULT || (s->fault.kind && p->t > s->fault.cycle))
        return NEVER;
    if (p->blocked == BLOCK_QUEUE) {
        struct queue *q = &t->q[p->blocked_queue];
        if (q->count == s->chip->tile.queue_depth)
            return NEVER;
        /* the place is free one cycle after the start that freed it, which was in `now` */
        if (p->t < now + 1)
            p->t = now + 1;
        account(s, &t->q[TSR_Q_TCP], TSR_Q_TCP, p->t, TSR_WAIT_QUEUE_FULL);
    } else if (p->blocked == BLOCK_SEMAPHORE) {
        const struct uop *u = &s->code.tcp[p->pc];
        if (p->t > now)
            return p->t;
        if (!sems_ready(t, u))
            return NEVER;
        uint64_t when;
        uint8_t blame = sems_blame(t, u, &when);
        p->t = now;
        account(s, &t->q[TSR_Q_TCP], TSR_Q_TCP, p->t, (enum tsr_wait)blame);
    }
    p->blocked = BLOCK_NO;
    for (int n = 0; n < RUN_AHEAD; n++) {
        if (p->t > s->opt.limit_cycles) {
            raise_fault(s, TSR_FAULT_LIMIT, p->t, t->id, TSR_Q_TCP, p->pc, "more than %llu cycles",
                        (unsigned long long)s->opt.limit_cycles);
            return NEVER;
        }
        uint64_t faults = s->faults;
        bool go_on = step(s, t, now);
        if (s->faults != faults) {
            p->blocked = BLOCK_FAULT;
            return NEVER;
        }
        if (!go_on)
            return p->blocked == BLOCK_SEMAPHORE && p->t > now ? p->t : NEVER;
    }
    /* a cycle early, so that no place is taken in the cycle of the start that frees it */
    return p->t > now + 1 ? p->t - 1 : now + 1;
}
