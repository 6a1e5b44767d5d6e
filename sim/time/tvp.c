/* SPDX-License-Identifier: Apache-2.0 */
/* Cycles of a vector routine: in-order issue of up to one memory and one arithmetic instruction a
 * cycle over a scoreboard. Nothing outside the tile's vector unit can delay it, so the whole
 * routine is timed when it starts. */
#include <string.h>

#include "sim/core/observe.h"
#include "sim/time/ports.h"

enum {
    MAX_VREGS = 32,
    MAX_AREGS = 16
};

struct issue {
    uint64_t cycle;     /* of the last issue */
    bool arith, memory; /* slots taken in it */
    uint64_t vready[MAX_VREGS], aready[MAX_AREGS];
    struct port read[2], write;
    uint64_t last_result;
    uint64_t busy, cycles_counted;
    struct loop_frame loop[MAX_LOOPS];
    uint32_t n_loops, pc;
    int64_t active;
};

/* Takes a slot at `at` or later. */
static uint64_t take_slot(struct issue *v, uint64_t at, bool memory)
{
    if (at <= v->cycle) {
        at = v->cycle;
        if (memory ? v->memory : v->arith)
            at++;
    }
    if (at > v->cycle || v->busy == 0) {
        v->cycle = at;
        v->arith = v->memory = false;
        v->busy++;
    }
    if (memory)
        v->memory = true;
    else
        v->arith = true;
    return at;
}

static inline uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t vwait(const struct issue *v, uint64_t at, uint8_t reg)
{
    return reg == NO_REG ? at : later(at, v->vready[reg]);
}

static void result(struct issue *v, uint8_t reg, uint64_t ready)
{
    v->vready[reg] = ready;
    v->last_result = later(v->last_result, ready);
}

static bool vector_fault(struct tsr_sim *s, struct tile *t, const struct issue *v, uint64_t cycle,
                         enum tsr_fault_kind kind, const char *what, uint64_t value)
{
    raise_fault(s, kind, cycle, t->id, TSR_Q_TVP, v->pc, "%s (0x%llx)", what,
                (unsigned long long)value);
    return false;
}

static void show_issue(const struct tsr_sim *s, const struct tile *t, const struct issue *v,
                       uint64_t ready)
{
    if (observed(s))
        tell(s, (struct observation){.kind = OBS_VISSUE,
                                     .tile = t->id,
                                     .queue = TSR_Q_TVP,
                                     .pc = v->pc,
                                     .cycle = v->cycle,
                                     .value = ready});
}

/* A line that left through the write port, if one did since `before`. */
static void show_line(const struct tsr_sim *s, const struct tile *t, struct port before,
                      struct port after)
{
    if (after.next != before.next && observed(s))
        tell(s, (struct observation){.kind = OBS_VLINE,
                                     .tile = t->id,
                                     .queue = TSR_Q_TVP,
                                     .cycle = after.next - 1,
                                     .address = before.line << s->line_shift});
}

/* port_write_bytes, line by line. */
static uint64_t write_lines(const struct tsr_sim *s, const struct tile *t, struct issue *v,
                            uint64_t at, uint64_t address, uint64_t bytes)
{
    uint64_t last = (address + bytes - 1) >> s->line_shift;
    for (uint64_t line = address >> s->line_shift; line <= last; line++) {
        struct port before = v->write;
        at = port_write(&v->write, PORT_TVP_WRITE, at, line);
        show_line(s, t, before, v->write);
    }
    return at;
}

static bool memory_op(struct tsr_sim *s, struct tile *t, struct issue *v, const struct vop *o)
{
    bool store = !vop_loads(o);
    uint64_t address = (uint64_t)t->tvp.a[o->a], bytes;
    bytes = vop_bytes(o, v->active);
    uint64_t at = later(v->cycle, v->aready[o->a]);
    for (unsigned i = 0; i < o->regs; i++)
        at = vwait(v, at, (uint8_t)((o->d + i) % MAX_VREGS));
    at = later(at, v->cycle + (v->memory ? 1 : 0));
    if (address % o->size || space_of(address) != TSR_SPACE_TSRAM || !tsram_ok(s, address, bytes))
        return vector_fault(s, t, v, at, TSR_FAULT_ADDRESS,
                            "vector access outside the TSRAM or not aligned", address);
    if (bytes) {
        if (store) {
            at = write_lines(s, t, v, at, address, bytes);
            s->stats.tsram_write_bytes += bytes;
        } else {
            unsigned odd = o->a & 1;
            at = port_read_bytes(&v->read[odd], PORT_TVP_READ0 + odd, at, address, bytes,
                                 s->line_shift);
            s->stats.tsram_read_bytes += bytes;
        }
    }
    at = take_slot(v, at, true);
    for (unsigned i = 0; !store && i < o->regs; i++)
        result(v, (uint8_t)((o->d + i) % MAX_VREGS), at + o->latency);
    t->tvp.a[o->a] += o->imm;
    v->aready[o->a] = at + 1;
    return true;
}

static bool acc_op(struct tsr_sim *s, struct tile *t, struct issue *v, const struct vop *o)
{
    const struct tsr_tile_config *c = &s->chip->tile;
    uint64_t lines =
        16 * (uint64_t)c->ttu.dim * c->ttu.dim / c->tvp.lanes; /* of one bank: (4D)^2 / lanes */
    uint64_t line = (uint64_t)t->tvp.a[o->a], bank = line / lines;
    uint64_t at = take_slot(v, later(vwait(v, v->cycle, o->d), v->aready[o->a]), true);
    if (bank >= c->ttu.acc_banks)
        return vector_fault(s, t, v, at, TSR_FAULT_ADDRESS, "no such accumulator line", line);
    if (t->mma_from[bank] <= at && t->mma_until[bank] >= at)
        return vector_fault(s, t, v, at, TSR_FAULT_ACC_CONFLICT,
                            "an mma owns the bank of this line", line);
    t->tvp.last_acc[bank] = at;
    result(v, o->d, at + o->latency);
    t->tvp.a[o->a] += o->imm;
    v->aready[o->a] = at + 1;
    return true;
}

static bool loop_op(struct tsr_sim *s, struct tile *t, struct issue *v, const struct vop *o)
{
    int64_t n = t->tvp.a[o->d];
    uint32_t end = (uint32_t)o->imm;
    uint64_t at = take_slot(v, later(v->cycle, v->aready[o->d]), false);
    if (n <= 0) {
        show_issue(s, t, v, 0);
        v->cycle = at + s->branch_taken - 1;
        v->arith = v->memory = true;
        v->pc = end - 1;
        return true;
    }
    if (v->n_loops == MAX_LOOPS || end <= v->pc + 1)
        return vector_fault(s, t, v, at, TSR_FAULT_LOOP_DEPTH,
                            "loops nest at most four deep and hold a word", end);
    show_issue(s, t, v, 0);
    v->loop[v->n_loops++] = (struct loop_frame){.start = v->pc + 1, .end = end, .left = n};
    return true;
}

/* Control and address words; true to go on. */
static bool scalar_op(struct tsr_sim *s, struct tile *t, struct issue *v, const struct vop *o)
{
    int64_t *a = t->tvp.a, lanes = s->chip->tile.tvp.lanes;
    uint64_t at = v->cycle;
    switch (o->exec) {
    case VX_LOOP:
        return loop_op(s, t, v, o);
    case VX_AADD:
        at = take_slot(v, later(later(at, v->aready[o->a]), v->aready[o->b]), false);
        a[o->d] = (int64_t)((uint64_t)a[o->a] + (uint64_t)a[o->b]);
        v->aready[o->d] = at + 1;
        break;
    case VX_AADDI:
        at = take_slot(v, later(at, v->aready[o->a]), false);
        a[o->d] = (int64_t)((uint64_t)a[o->a] + (uint64_t)o->imm);
        v->aready[o->d] = at + 1;
        break;
    case VX_ALI:
        at = take_slot(v, at, false);
        a[o->d] = o->imm;
        v->aready[o->d] = at + 1;
        break;
    case VX_LEN:
        take_slot(v, later(at, v->aready[o->d]), false);
        v->active = a[o->d] < 0 ? 0 : a[o->d] > lanes ? lanes : a[o->d];
        break;
    default: /* vsplat, vimm, vidx: a vector from no vector */
        at = later(at, v->vready[o->d]);
        if (o->exec == VX_SPLAT)
            at = later(at, v->aready[o->a]);
        at = take_slot(v, at, false);
        result(v, o->d, at + o->latency);
    }
    return true;
}

static bool word(struct tsr_sim *s, struct tile *t, struct issue *v, const struct vop *o)
{
    switch (o->exec) {
    case VX_LD:
    case VX_LDB:
    case VX_ST:
    case VX_LDS:
    case VX_STS:
        return memory_op(s, t, v, o);
    case VX_LDA:
        return acc_op(s, t, v, o);
    case VX_LANES:
    case VX_REDUCE:
    case VX_SEGMENT: {
        uint64_t at = vwait(v, v->cycle, o->d);
        at = vwait(v, at, o->a);
        if (o->exec == VX_LANES) {
            at = vwait(v, at, o->b);
            at = vwait(v, at, o->c);
        }
        at = take_slot(v, at, false);
        result(v, o->d, at + o->latency);
        return true;
    }
    default:
        return scalar_op(s, t, v, o);
    }
}

static bool writes_vector(const struct vop *o)
{
    return o->exec >= VX_LDA || vop_loads(o);
}

/* Runs the routine in time; the cycle of its end, or 0 after a fault. */
static uint64_t run_routine(struct tsr_sim *s, struct tile *t, struct issue *v, uint64_t now)
{
    for (;;) {
        /* The two words that issue in a cycle are what it sees. */
        uint64_t reached = v->cycle + (v->arith && v->memory);
        if (v->pc >= s->code.n_tvp)
            return vector_fault(s, t, v, reached, TSR_FAULT_PROGRAM_END,
                                "ran past the routines' words", v->pc),
                   0;
        const struct vop *o = &s->code.tvp[v->pc];
        if (!o->op)
            return vector_fault(s, t, v, reached, TSR_FAULT_ILLEGAL, "illegal vector word", v->pc),
                   0;
        if (v->cycle > s->opt.limit_cycles)
            return vector_fault(s, t, v, v->cycle, TSR_FAULT_LIMIT, "more cycles than allowed",
                                v->cycle),
                   0;
        s->stats.instructions[TSR_Q_TVP]++;
        if (o->exec == VX_RET)
            break;
        if (!word(s, t, v, o))
            return 0;
        if (o->exec != VX_LOOP)
            show_issue(s, t, v, writes_vector(o) ? v->cycle + o->latency : 0);
        v->pc = loop_next(v->loop, &v->n_loops, v->pc + 1);
    }
    uint64_t ret = take_slot(v, v->cycle, false);
    show_issue(s, t, v, 0);
    struct port before = v->write;
    uint64_t end = later(later(ret, v->last_result), port_flush(&v->write, PORT_TVP_WRITE, ret));
    show_line(s, t, before, v->write);
    return end > now ? end : now + 1;
}

static uint64_t time_routine(struct tsr_sim *s, struct tile *t, struct issue *v)
{
    memset(v, 0, sizeof *v);
    v->cycle = t->tvp.started + 1;
    v->pc = t->tvp.entry;
    v->active = s->chip->tile.tvp.lanes;
    port_open(&v->read[0]);
    port_open(&v->read[1]);
    port_open(&v->write);
    memset(t->tvp.last_acc, 0, sizeof t->tvp.last_acc);
    memcpy(t->tvp.a, t->tvp.before, sizeof t->tvp.a);
    return run_routine(s, t, v, t->tvp.started);
}

/* A routine is timed when it starts. An mma that starts later and owns what it reads is found by
 * timing it once more: the run ends there, and legal programs do not come here. */
void tvp_check_acc(struct tsr_sim *s, struct tile *t)
{
    struct issue v;
    const struct tsr_observer *observer = s->opt.observer;
    struct tsr_stats stats = s->stats;
    s->opt.observer = NULL;
    time_routine(s, t, &v);
    s->opt.observer = observer;
    s->stats = stats;
}

void start_tvp(struct tsr_sim *s, struct tile *t, struct unit_insn *in, uint64_t now)
{
    struct issue v;
    struct queue *q = &t->q[TSR_Q_TVP];
    t->tvp.entry = (uint32_t)in->u->imm[0];
    t->tvp.started = now;
    memcpy(t->tvp.before, t->tvp.a, sizeof t->tvp.a);
    memcpy(t->tvp.before, in->r, 8 * sizeof t->tvp.a[0]);
    uint64_t end = time_routine(s, t, &v);
    if (end == 0) {
        q->free_at = NEVER; /* the fault may lie ahead: nothing starts before it */
        return;
    }
    q->free_at = end + 1;
    account(s, q, TSR_Q_TVP, now + v.busy, TSR_WAIT_BUSY);
    account(s, q, TSR_Q_TVP, end + 1, TSR_WAIT_OPERAND_PORT);
    calendar_put(&s->cal, (struct event){.time = end,
                                         .key = unit_key(t->id, TSR_Q_TVP, now),
                                         .kind = EV_UNIT,
                                         .tile = (uint16_t)t->id,
                                         .a = TSR_Q_TVP});
}
