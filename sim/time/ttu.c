/* SPDX-License-Identifier: Apache-2.0 */
/* Cycles of mma, drain and fill (isa/MACHINE.md: TTU, ACC). */
#include "isa/expr.h"
#include "sim/core/observe.h"
#include "sim/time/ports.h"

/* The banks of an m x n rectangle at accumulator address c; false if it is no legal rectangle. */
static bool rectangle(const struct tsr_sim *s, int64_t c, int64_t m, int64_t n, int64_t across,
                      uint32_t *first, uint32_t *banks)
{
    const struct tsr_ttu_config *u = &s->chip->tile.ttu;
    int64_t side = 4 * (int64_t)u->dim, bank = c >> 8, tr = c >> 4 & 15, tc = c & 15;
    if (m <= 0 || n <= 0 || m > 4 * side || n > 4 * side || c < 0 || tr > 3 || tc > 3 ||
        tc * u->dim + n > side << across)
        return false;
    int64_t down = (tr * u->dim + m + side - 1) / side, wide = (tc * u->dim + n + side - 1) / side;
    if (down << across > 4 || bank + ((down - 1) << across) + wide > u->acc_banks)
        return false;
    *first = (uint32_t)bank;
    *banks = (uint32_t)(((down - 1) << across) + wide);
    return true;
}

static bool claim(struct tsr_sim *s, struct tile *t, enum tsr_queue q, const struct unit_insn *in,
                  uint32_t first, uint32_t banks, uint64_t now)
{
    for (uint32_t b = first; b < first + banks; b++) {
        uint64_t other = q == TSR_Q_TTU ? t->acc_until[b] : t->mma_until[b];
        if (other >= now) {
            raise_fault(s, TSR_FAULT_ACC_CONFLICT, now, t->id, q, in->pc,
                        "bank %u is in use until cycle %llu", b, (unsigned long long)other);
            return false;
        }
    }
    return true;
}

static void finish(struct tsr_sim *s, struct tile *t, enum tsr_queue q, const struct unit_insn *in,
                   uint64_t end)
{
    struct queue *qu = &t->q[q];
    uint32_t slot = (uint32_t)(in - qu->active);
    calendar_put(&s->cal, (struct event){.time = end,
                                         .key = unit_key(t->id, q, qu->active_start[slot]),
                                         .kind = EV_UNIT,
                                         .tile = (uint16_t)t->id,
                                         .a = q,
                                         .b = slot});
}

static uint32_t lanes_of(const struct tsr_sim *s, int64_t code)
{
    const struct tsr_ttu_config *u = &s->chip->tile.ttu;
    uint8_t w = s->isa->formats[code].width_class;
    return w == 16 ? u->r16 : w == 9 ? u->r9 : u->r6;
}

/* Whether all rows of an operand lie in the TSRAM, each within one line with its scales. */
static bool operand_ok(struct tsr_sim *s, struct tile *t, const struct unit_insn *in, uint64_t now,
                       const struct operand *o)
{
    uint64_t line_bytes = (uint64_t)1 << s->line_shift, mask = line_bytes - 1;
    uint64_t span = (uint64_t)o->stride * (uint64_t)(o->rows - 1), at = o->address, sc = o->scales;
    if (o->stride < 0 || o->stride > INT32_MAX || space_of(at) != TSR_SPACE_TSRAM ||
        !tsram_ok(s, at, span + o->bytes) ||
        (o->scale_bytes && (space_of(sc) != TSR_SPACE_TSRAM || !tsram_ok(s, sc, span)))) {
        raise_fault(s, TSR_FAULT_ADDRESS, now, t->id, TSR_Q_TTU, in->pc,
                    "operand of %lld rows at 0x%llx lies outside the TSRAM", (long long)o->rows,
                    (unsigned long long)at);
        return false;
    }
    for (int64_t i = 0; i < o->rows; i++, at += (uint64_t)o->stride, sc += (uint64_t)o->stride)
        if ((at & mask) + o->bytes > line_bytes) {
            raise_fault(s, TSR_FAULT_OPERAND_LINE, now, t->id, TSR_Q_TTU, in->pc,
                        "row of %llu bytes at 0x%llx crosses a line of %llu",
                        (unsigned long long)o->bytes, (unsigned long long)at,
                        (unsigned long long)line_bytes);
            return false;
        } else if (o->scale_bytes &&
                   ((at ^ sc) & ~mask || (sc & mask) + o->scale_bytes > line_bytes)) {
            raise_fault(s, TSR_FAULT_OPERAND_LINE, now, t->id, TSR_Q_TTU, in->pc,
                        "%llu bytes of scales at 0x%llx do not lie in the line of their row at "
                        "0x%llx",
                        (unsigned long long)o->scale_bytes, (unsigned long long)sc,
                        (unsigned long long)at);
            return false;
        } else if (!((uint64_t)o->stride & mask)) {
            break; /* all rows lie alike */
        }
    return true;
}

static uint64_t fetch(struct tsr_sim *s, struct port *p, enum requester who, uint64_t at,
                      uint64_t address, int64_t stride, int64_t rows, uint64_t bytes)
{
    s->stats.tsram_read_bytes += (uint64_t)rows * bytes;
    if (stride == (int64_t)1 << s->line_shift) { /* rising lines: one a cycle */
        uint64_t g = port_read(p, who, at, address >> s->line_shift) + (uint64_t)rows - 1;
        p->next = g + 1;
        p->line = (address >> s->line_shift) + (uint64_t)rows - 1;
        return g;
    }
    for (int64_t i = 0; i < rows; i++, address += (uint64_t)stride)
        at = port_read(p, who, at, address >> s->line_shift);
    return at;
}

/* Bytes of `elems` elements in a row: blocks of shared microexponents are whole. */
static uint64_t run_bytes(const struct tsr_format *f, uint64_t elems)
{
    if (f->family == TSR_FAMILY_SMX)
        return (elems + f->block - 1) / f->block * ((f->block * f->bits + f->block / 2u + 7) / 8);
    return (elems * f->bits + 7) / 8;
}

struct operand operand_of(const struct tsr_sim *s, const struct unit_insn *in, bool b)
{
    const int64_t *r = in->r, *im = in->u->imm;
    const struct tsr_format *f = &s->isa->formats[im[b ? MMA_BF : MMA_AF]];
    int64_t outer = r[b ? MMA_N : MMA_M], k = r[MMA_K];
    bool strided = im[b ? MMA_BT : MMA_AT] != 0;
    struct operand o = {.address = (uint64_t)r[b ? MMA_B : MMA_A],
                        .bytes = run_bytes(f, (uint64_t)(strided ? outer : k)),
                        .stride = r[b ? MMA_BS : MMA_AS],
                        .rows = strided ? k : outer};
    if (f->block > 1) {
        o.scales = (uint64_t)r[b ? MMA_BSC : MMA_ASC];
        o.scale_bytes = ((uint64_t)k + f->block - 1) / f->block * f->scale_bits / 8;
    }
    return o;
}

bool check_mma(struct tsr_sim *s, struct tile *t, struct unit_insn *in, uint64_t now)
{
    if (in->u->exec == EX_SYNC)
        return true;
    const int64_t *im = in->u->imm;
    int64_t m = in->r[MMA_M], n = in->r[MMA_N], k = in->r[MMA_K],
            limit = 8 * (int64_t)s->chip->tile.ttu.dim;
    uint32_t first, banks;
    if (in->u->no_pair) {
        raise_fault(s, TSR_FAULT_ILLEGAL, now, t->id, TSR_Q_TTU, in->pc,
                    "the tensor unit does not multiply %s%s by %s%s",
                    s->isa->formats[im[MMA_AF]].name, im[MMA_AT] ? " (K-strided)" : "",
                    s->isa->formats[im[MMA_BF]].name, im[MMA_BT] ? " (K-strided)" : "");
        return false;
    }
    if (k <= 0 || k > 8 * (int64_t)s->chip->tile.line_bytes || m > limit || n > limit ||
        ((im[MMA_AT] || im[MMA_BT]) && k > limit) ||
        !rectangle(s, in->r[MMA_C], m, n, im[MMA_ACROSS], &first, &banks)) {
        raise_fault(s, TSR_FAULT_SHAPE, now, t->id, TSR_Q_TTU, in->pc,
                    "m %lld n %lld k %lld at accumulator 0x%llx: each 1..%lld, within four banks",
                    (long long)m, (long long)n, (long long)k, (unsigned long long)in->r[MMA_C],
                    (long long)limit);
        return false;
    }
    uint64_t bytes = 4 * (uint64_t)(im[MMA_SC] == 1 ? m : n), e = (uint64_t)in->r[MMA_E];
    if (im[MMA_SC] && (e % 4 || space_of(e) != TSR_SPACE_TSRAM || !tsram_ok(s, e, bytes))) {
        raise_fault(s, TSR_FAULT_ADDRESS, now, t->id, TSR_Q_TTU, in->pc, "exponents at 0x%llx",
                    (unsigned long long)e);
        return false;
    }
    for (int b = 0; b < 2; b++) {
        struct operand o = operand_of(s, in, b);
        if (!operand_ok(s, t, in, now, &o))
            return false;
    }
    return true;
}

static uint64_t mma_busy(const struct tsr_sim *s, const struct unit_insn *in)
{
    const struct tsr_ttu_config *c = &s->chip->tile.ttu;
    int64_t m = in->r[MMA_M], n = in->r[MMA_N], d = c->dim;
    uint32_t ra = lanes_of(s, in->u->imm[MMA_AF]), rb = lanes_of(s, in->u->imm[MMA_BF]);
    int64_t env[TSR_UNIT_NAMES] = {[TSR_NAME_K] = in->r[MMA_K],
                                   [TSR_NAME_M] = m,
                                   [TSR_NAME_N] = n,
                                   [TSR_NAME_R] = ra < rb ? ra : rb,
                                   [TSR_NAME_TILES] = ((m + d - 1) / d) * ((n + d - 1) / d),
                                   [TSR_NAME_ACC_LATENCY] = c->acc_latency_cycles,
                                   [TSR_NAME_PIPE] = c->pipe_cycles};
    int64_t busy = expr_scalar(in->u->expr, env, env);
    return busy > 0 ? (uint64_t)busy : 1;
}

uint64_t mma_step_cycle(const struct tsr_sim *s, const struct unit_insn *in, uint32_t i, uint32_t n)
{
    uint64_t busy = mma_busy(s, in);
    return s->cal.now - busy + 1 + i * (busy / n);
}

/* Waits and posts in the TTU's order, without computing. */
static void start_sync(struct tsr_sim *s, struct tile *t, struct unit_insn *in, uint64_t now)
{
    uint64_t last = t->ttu_compute_end ? t->ttu_compute_end + s->chip->tile.ttu.pipe_cycles : 0;
    t->q[TSR_Q_TTU].free_at = now + 1;
    finish(s, t, TSR_Q_TTU, in, last > now + 1 ? last : now + 1);
}

void start_mma(struct tsr_sim *s, struct tile *t, struct unit_insn *in, uint64_t now)
{
    const struct uop *u = in->u;
    uint32_t first, banks, pipe = s->chip->tile.ttu.pipe_cycles;
    struct queue *q = &t->q[TSR_Q_TTU];
    if (u->exec == EX_SYNC) {
        start_sync(s, t, in, now);
        return;
    }
    if (!check_mma(s, t, in, now))
        return;
    rectangle(s, in->r[MMA_C], in->r[MMA_M], in->r[MMA_N], u->imm[MMA_ACROSS], &first, &banks);
    if (!claim(s, t, TSR_Q_TTU, in, first, banks, now))
        return;
    port_open(&t->port_a);
    port_open(&t->port_b);
    uint64_t ta = now + 1, tb = now + 1;
    if (u->imm[MMA_SC])
        ta = port_read_bytes(&t->port_a, PORT_TTU_A, ta, (uint64_t)in->r[MMA_E],
                             4 * (uint64_t)in->r[u->imm[MMA_SC] == 1 ? MMA_M : MMA_N],
                             s->line_shift);
    struct operand a = operand_of(s, in, false), b = operand_of(s, in, true);
    ta = fetch(s, &t->port_a, PORT_TTU_A, ta, a.address, a.stride, a.rows, a.bytes);
    tb = fetch(s, &t->port_b, PORT_TTU_B, tb, b.address, b.stride, b.rows, b.bytes);
    uint64_t loaded = (ta > tb ? ta : tb) + s->lat_tsram;
    uint64_t begin = loaded > t->ttu_compute_end ? loaded + 1 : t->ttu_compute_end + 1;
    uint64_t end = begin + mma_busy(s, in) - 1;
    q->free_at = begin; /* fetched, and the one before has left its half of the operand buffers */
    account(s, q, TSR_Q_TTU, begin, TSR_WAIT_OPERAND_PORT);
    account(s, q, TSR_Q_TTU, end + 1, TSR_WAIT_BUSY);
    s->stats.ttu_cycles += end + 1 - begin;
    s->stats.macs += (uint64_t)(in->r[MMA_M] * in->r[MMA_N] * in->r[MMA_K]);
    t->ttu_compute_end = end;
    bool read = false; /* by the routine that runs: a fault that lies ahead */
    for (uint32_t i = first; i < first + banks; i++) {
        t->mma_from[i] = now;
        t->mma_until[i] = end + pipe;
        read |= t->tvp.last_acc[i] >= now;
    }
    if (read)
        tvp_check_acc(s, t);
    finish(s, t, TSR_Q_TTU, in, end + pipe);
}

/* port_write_bytes, line by line; and the lines that left on the way. */
static void show_line(const struct tsr_sim *s, const struct tile *t, struct port before)
{
    if (t->port_acc.next != before.next && observed(s))
        tell(s, (struct observation){.kind = OBS_ALINE,
                                     .tile = t->id,
                                     .queue = TSR_Q_ACC,
                                     .cycle = t->port_acc.next - 1,
                                     .address = before.line << s->line_shift});
}

static uint64_t write_row(struct tsr_sim *s, struct tile *t, uint64_t at, uint64_t address,
                          uint64_t bytes)
{
    uint64_t last = (address + bytes - 1) >> s->line_shift;
    for (uint64_t line = address >> s->line_shift; line <= last; line++) {
        struct port before = t->port_acc;
        at = port_write(&t->port_acc, PORT_ACC, at, line);
        show_line(s, t, before);
    }
    return at;
}

static void show_run(const struct tsr_sim *s, const struct tile *t, const struct unit_insn *in,
                     const struct acc_run *w, uint64_t cycle)
{
    if (observed(s))
        tell(s, (struct observation){.kind = OBS_FLINE,
                                     .tile = t->id,
                                     .queue = TSR_Q_ACC,
                                     .pc = in->pc,
                                     .cycle = cycle,
                                     .address = w->place,
                                     .bytes = 4 * w->n});
}

/* A fill's row i that begins in `at`: the grant of its last line. An accumulator line is written
 * when its elements are there, two cycles after their line's grant, the kept one's one after the
 * row begins; `wrote` is the cycle of the last one. */
static uint64_t fill_row(const struct tsr_sim *s, struct tile *t, const struct unit_insn *in,
                         int64_t i, uint64_t at, uint64_t *wrote)
{
    uint64_t address = (uint64_t)in->r[DRAIN_ADDR] + (uint64_t)(i * in->r[DRAIN_STRIDE]);
    uint64_t size = s->isa->formats[in->u->imm[DRAIN_FMT]].bits / 8, last = at;
    uint64_t end = (address + (uint64_t)in->r[DRAIN_N] * size - 1) >> s->line_shift;
    struct acc_run w = {0};
    bool more = acc_run_next(s, in, (size_t)i, &w);
    for (uint64_t line = address >> s->line_shift; line <= end; line++) {
        bool kept = line == t->port_acc.line;
        last = port_read(&t->port_acc, PORT_ACC, last, line);
        uint64_t there = kept ? at + 1 : last + 2;
        while (more && (address + w.to * size - 1) >> s->line_shift == line) {
            *wrote = *wrote + 1 > there ? *wrote + 1 : there;
            show_run(s, t, in, &w, *wrote);
            more = acc_run_next(s, in, (size_t)i, &w);
        }
    }
    return last;
}

/* drain and fill: row by row, the accumulator side and the port side each at its own pace. */
static uint64_t acc_rows(struct tsr_sim *s, struct tile *t, const struct unit_insn *in,
                         uint64_t now)
{
    bool drain = in->u->exec == EX_DRAIN;
    int64_t m = in->r[DRAIN_M], n = in->r[DRAIN_N];
    uint64_t size = s->isa->formats[in->u->imm[DRAIN_FMT]].bits / 8, bytes = (uint64_t)n * size;
    uint64_t col = (uint64_t)(in->r[DRAIN_C] & 15) * s->chip->tile.ttu.dim * 4;
    uint64_t acc_lines =
        ((col + (uint64_t)n * 4 - 1) >> s->line_shift) - (col >> s->line_shift) + 1;
    uint64_t address = (uint64_t)in->r[DRAIN_ADDR], at = now + 1, last = now, wrote = now;
    port_open(&t->port_acc);
    if (drain && in->u->imm[DRAIN_BI]) {
        at = port_read_bytes(&t->port_acc, PORT_ACC, at, (uint64_t)in->r[DRAIN_BIAS],
                             4 * (uint64_t)n, s->line_shift) +
             1;
        port_open(&t->port_acc);
    }
    for (int64_t i = 0; i < m; i++, address += (uint64_t)in->r[DRAIN_STRIDE]) {
        if (drain) {
            uint64_t w = at + acc_lines - 1 + s->drain_pipe;
            last = write_row(s, t, w, address, bytes);
            uint64_t next = at + acc_lines,
                     held = last + 1 > s->drain_pipe ? last + 1 - s->drain_pipe : 0;
            at = next > held ? next : held;
        } else {
            last = fill_row(s, t, in, i, at, &wrote);
            at = at + acc_lines > last + 1 ? at + acc_lines : last + 1;
        }
    }
    if (drain) {
        s->stats.tsram_write_bytes += (uint64_t)m * bytes;
        struct port before = t->port_acc;
        last = port_flush(&t->port_acc, PORT_ACC, last);
        show_line(s, t, before);
        return last;
    }
    s->stats.tsram_read_bytes += (uint64_t)m * bytes;
    at += s->drain_pipe;
    return at > wrote + 1 ? at : wrote + 1;
}

bool check_acc(struct tsr_sim *s, struct tile *t, struct unit_insn *in, uint64_t now)
{
    int64_t m = in->r[DRAIN_M], n = in->r[DRAIN_N], stride = in->r[DRAIN_STRIDE];
    uint64_t size = s->isa->formats[in->u->imm[DRAIN_FMT]].bits / 8,
             base = (uint64_t)in->r[DRAIN_ADDR];
    bool bias = in->u->exec == EX_DRAIN && in->u->imm[DRAIN_BI];
    uint32_t first, banks;
    if (!rectangle(s, in->r[DRAIN_C], m, n, in->u->imm[DRAIN_ACROSS], &first, &banks)) {
        raise_fault(s, TSR_FAULT_SHAPE, now, t->id, TSR_Q_ACC, in->pc,
                    "m %lld n %lld at accumulator 0x%llx", (long long)m, (long long)n,
                    (unsigned long long)in->r[DRAIN_C]);
        return false;
    }
    if (stride < 0 || stride > INT32_MAX || stride % (int64_t)size || base % size ||
        space_of(base) != TSR_SPACE_TSRAM ||
        !tsram_ok(s, base, (uint64_t)stride * (uint64_t)(m - 1) + (uint64_t)n * size) ||
        (bias &&
         (in->r[DRAIN_BIAS] % 4 || space_of((uint64_t)in->r[DRAIN_BIAS]) != TSR_SPACE_TSRAM ||
          !tsram_ok(s, (uint64_t)in->r[DRAIN_BIAS], 4 * (uint64_t)n)))) {
        raise_fault(
            s, TSR_FAULT_ADDRESS, now, t->id, TSR_Q_ACC, in->pc,
            "%lld rows of %lld at 0x%llx: outside the TSRAM or not a multiple of the element",
            (long long)m, (long long)n, (unsigned long long)base);
        return false;
    }
    return true;
}

void start_acc(struct tsr_sim *s, struct tile *t, struct unit_insn *in, uint64_t now)
{
    uint32_t first, banks;
    if (!check_acc(s, t, in, now))
        return;
    rectangle(s, in->r[DRAIN_C], in->r[DRAIN_M], in->r[DRAIN_N], in->u->imm[DRAIN_ACROSS], &first,
              &banks);
    if (!claim(s, t, TSR_Q_ACC, in, first, banks, now))
        return;
    uint64_t end = acc_rows(s, t, in, now), rows = now + (uint64_t)in->r[DRAIN_M] + 1;
    struct queue *q = &t->q[TSR_Q_ACC];
    q->free_at = end + 1;
    account(s, q, TSR_Q_ACC, rows < end + 1 ? rows : end + 1, TSR_WAIT_BUSY);
    account(s, q, TSR_Q_ACC, end + 1, TSR_WAIT_OPERAND_PORT);
    for (uint32_t b = first; b < first + banks; b++)
        t->acc_until[b] = end;
    finish(s, t, TSR_Q_ACC, in, end);
}
