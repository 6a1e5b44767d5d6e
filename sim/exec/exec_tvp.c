/* SPDX-License-Identifier: Apache-2.0 */
/* Values of vector routines: lane expressions over the primitives of isa/num. */
#include <string.h>

#include "isa/num/element.h"
#include "sim/core/machine.h"
#include "sim/core/observe.h"
#include "sim/core/race.h"

enum {
    DEPTH = 8, /* of a lane expression's stack; the loader's limit on nesting is lower */
    VREGS = 32,
    BUFFER = TSR_NUM_MAX_LANES + 16 /* lanes, and the rest of a last group */
};

struct vrun {
    struct tsr_sim *s;
    struct tile *t;
    const struct unit_insn *in;
    uint32_t pc, lanes, n_loops;
    int64_t active;
    struct loop_frame loop[MAX_LOOPS];
    bool dirty; /* the write port's line, where somebody looks: its bytes, then their mask */
    uint64_t line;
    uint8_t kept[2 * 4 * TSR_NUM_MAX_LANES];
};

/* ---- what an observer sees: values as they are made, lines as they leave the write port --------
 */

static void show_kept(struct vrun *v)
{
    uint32_t bytes = 1u << v->s->line_shift;
    if (v->dirty)
        tell(v->s, (struct observation){.kind = OBS_VDATA,
                                        .tile = v->t->id,
                                        .queue = TSR_Q_TVP,
                                        .cycle = v->s->cal.now,
                                        .address = v->line << v->s->line_shift,
                                        .bytes = 2 * bytes,
                                        .data = v->kept});
    v->dirty = false;
}

static void keep(struct vrun *v, uint64_t at, uint64_t bytes)
{
    uint64_t size = UINT64_C(1) << v->s->line_shift;
    for (uint64_t i = at; observed(v->s) && i < at + bytes; i++) {
        if (!v->dirty || i >> v->s->line_shift != v->line) {
            show_kept(v);
            memset(v->kept, 0, sizeof v->kept);
            v->dirty = true;
            v->line = i >> v->s->line_shift;
        }
        v->kept[i & (size - 1)] = v->t->tsram[i];
        v->kept[size + (i & (size - 1))] = 0xFF;
    }
}

static uint32_t *vreg(const struct vrun *v, uint8_t reg)
{
    return v->t->tvp.v + (size_t)reg * v->lanes;
}

static void show_value(const struct vrun *v, const struct vop *o)
{
    bool writes = o->exec >= VX_LDA || vop_loads(o);
    uint32_t regs = !writes ? 0 : o->regs > 1 ? o->regs : 1;
    uint32_t x[16 * TSR_NUM_MAX_LANES];
    for (uint32_t i = 0; i < regs; i++)
        memcpy(x + i * v->lanes, vreg(v, (uint8_t)((o->d + i) % VREGS)), 4 * v->lanes);
    tell(v->s, (struct observation){.kind = OBS_VALUE,
                                    .tile = v->t->id,
                                    .queue = TSR_Q_TVP,
                                    .pc = v->pc,
                                    .reg = o->d,
                                    .cycle = v->s->cal.now,
                                    .bytes = 4 * regs * v->lanes,
                                    .data = (const uint8_t *)x});
}

static void lanes_op(struct vrun *v, const struct vop *o)
{
    const uint32_t *src[3] = {o->a == NO_REG ? NULL : vreg(v, o->a),
                              o->b == NO_REG ? NULL : vreg(v, o->b),
                              o->c == NO_REG ? NULL : vreg(v, o->c)};
    uint32_t *d = vreg(v, o->d);
    if (o->primitive != 0xFFFF) {
        tsr_num_primitives[o->primitive].fn(d, src[0], src[1], src[2], v->lanes);
        return;
    }
    uint32_t st[DEPTH][TSR_NUM_MAX_LANES];
    int n = 0;
    for (int i = 0; i < o->expr->n && n < DEPTH; i++) {
        const struct xnode *x = &o->expr->node[i];
        if (x->kind == TSR_NODE_OPERAND) {
            memcpy(st[n++], src[x->slot], 4 * v->lanes);
        } else if (x->kind == TSR_NODE_CALL) {
            n -= x->arity - 1;
            tsr_num_primitives[x->fn].fn(st[n - 1], st[n - 1], x->arity > 1 ? st[n] : NULL,
                                         x->arity > 2 ? st[n + 1] : NULL, v->lanes);
        } else {
            for (uint32_t l = 0; l < v->lanes; l++)
                st[n][l] = (uint32_t)x->value;
            n++;
        }
    }
    memcpy(d, st[0], 4 * v->lanes);
}

static bool access(struct vrun *v, const struct vop *o, uint64_t *address, uint64_t *bytes)
{
    *address = (uint64_t)v->t->tvp.fa[o->a];
    *bytes = vop_bytes(o, v->active);
    uint64_t size = v->s->chip->tile.tsram_bytes;
    if (*address % o->size || *address > size || *bytes > size - *address) {
        raise_fault(v->s, TSR_FAULT_ADDRESS, v->s->cal.now, v->t->id, TSR_Q_TVP, v->pc,
                    "vector access outside the TSRAM or not aligned (0x%llx)",
                    (unsigned long long)*address);
        return false;
    }
    v->t->tvp.fa[o->a] += o->imm;
    return true;
}

/* Lanes of the registers that a block of shared microexponents takes, one behind the other;
 * inactive ones are 0. Returns how many groups of `group` are begun. */
static uint64_t gather(const struct vrun *v, const struct vop *o, uint32_t *x)
{
    uint64_t active = (uint64_t)vop_lanes(o, v->active);
    uint64_t groups = (active * o->regs + o->group - 1) / o->group;
    memset(x, 0, 4 * (groups * o->group));
    for (unsigned r = 0; r < o->regs; r++)
        memcpy(x + r * v->lanes, vreg(v, (o->d + r) % VREGS), 4 * (size_t)active);
    return groups;
}

static void spread(const struct vrun *v, const struct vop *o, const uint32_t *x)
{
    for (unsigned r = 0; r < o->regs; r++) {
        uint32_t *d = vreg(v, (o->d + r) % VREGS);
        memset(d, 0, 4 * v->lanes);
        memcpy(d, x + r * v->lanes, 4 * (size_t)vop_lanes(o, v->active));
    }
}

/* A scale for each block: into all of its lanes. */
static void load_scales(const struct vrun *v, const struct vop *o, const uint8_t *p)
{
    const struct tsr_format *f = &v->s->isa->formats[o->format];
    uint32_t *d = vreg(v, o->d);
    memset(d, 0, 4 * v->lanes);
    for (int64_t at = 0; at < vop_lanes(o, v->active); at += o->group, p += o->group_bytes) {
        uint32_t x = tsr_num_load_scale(f, p);
        for (int64_t i = at; i < v->lanes && i < at + o->group; i++)
            d[i] = x;
    }
}

static bool load(struct vrun *v, const struct vop *o)
{
    uint64_t at, bytes;
    uint32_t *d = vreg(v, o->d), x[BUFFER] = {0};
    if (!access(v, o, &at, &bytes))
        return false;
    const uint8_t *p = v->t->tsram + at;
    race_read(v->s, v->t, TSR_Q_TVP, v->in, at, bytes);
    uint64_t n = bytes / o->group_bytes * o->group;
    if (o->exec == VX_LDS) {
        load_scales(v, o, p);
        return true;
    }
    if (o->format == TSR_I8)
        for (uint64_t i = 0; i < n; i++)
            x[i] = (uint32_t)(int32_t)(int8_t)p[i];
    else if (o->format == TSR_I32 || o->format == TSR_F32)
        memcpy(x, p, bytes);
    else
        tsr_num_load_elements(&v->s->isa->formats[o->format], x, p, n);
    if (o->exec != VX_LDB)
        spread(v, o, x);
    for (uint32_t i = 0; o->exec == VX_LDB && i < v->lanes; i++)
        d[i] = x[0];
    return true;
}

static bool store(struct vrun *v, const struct vop *o)
{
    const struct tsr_format *f = &v->s->isa->formats[o->format];
    uint64_t at, bytes;
    uint32_t x[BUFFER];
    if (!access(v, o, &at, &bytes))
        return false;
    uint8_t *p = v->t->tsram + at;
    race_write(v->s, v->t, TSR_Q_TVP, v->in, at, bytes);
    if (o->exec == VX_STS) {
        for (int64_t i = 0; i < vop_lanes(o, v->active); i += o->group, p += o->group_bytes)
            tsr_num_store_scale(f, p, vreg(v, o->d)[i]);
        keep(v, at, bytes);
        return true;
    }
    uint64_t n = gather(v, o, x) * o->group;
    if (o->format == TSR_I8)
        for (uint64_t i = 0; i < n; i++) {
            int32_t w = (int32_t)x[i];
            p[i] = (uint8_t)(w < -128 ? -128 : w > 127 ? 127 : w);
        }
    else if (o->format == TSR_I32 || o->format == TSR_F32)
        memcpy(p, x, bytes);
    else
        tsr_num_store_elements(f, p, x, n);
    keep(v, at, bytes);
    return true;
}

static bool acc_line(struct vrun *v, const struct vop *o)
{
    const struct tsr_tile_config *c = &v->s->chip->tile;
    uint64_t lines = 16 * (uint64_t)c->ttu.dim * c->ttu.dim / v->lanes * c->ttu.acc_banks;
    uint64_t line = (uint64_t)v->t->tvp.fa[o->a];
    if (line >= lines) {
        raise_fault(v->s, TSR_FAULT_ADDRESS, v->s->cal.now, v->t->id, TSR_Q_TVP, v->pc,
                    "no such accumulator line (0x%llx)", (unsigned long long)line);
        return false;
    }
    race_acc_line(v->s, v->t, v->in, line);
    memcpy(vreg(v, o->d), v->t->acc + line * v->lanes, 4 * v->lanes);
    v->t->tvp.fa[o->a] += o->imm;
    return true;
}

static bool loop(struct vrun *v, const struct vop *o)
{
    int64_t n = v->t->tvp.fa[o->d];
    uint32_t end = (uint32_t)o->imm;
    if (n <= 0) {
        v->pc = end - 1;
        return true;
    }
    if (v->n_loops == MAX_LOOPS || end <= v->pc + 1) {
        raise_fault(v->s, TSR_FAULT_LOOP_DEPTH, v->s->cal.now, v->t->id, TSR_Q_TVP, v->pc,
                    "loops nest four deep");
        return false;
    }
    v->loop[v->n_loops++] = (struct loop_frame){.start = v->pc + 1, .end = end, .left = n};
    return true;
}

static bool word(struct vrun *v, const struct vop *o)
{
    int64_t *a = v->t->tvp.fa;
    switch (o->exec) {
    case VX_LOOP:
        return loop(v, o);
    case VX_AADD:
        a[o->d] = (int64_t)((uint64_t)a[o->a] + (uint64_t)a[o->b]);
        break;
    case VX_AADDI:
        a[o->d] = (int64_t)((uint64_t)a[o->a] + (uint64_t)o->imm);
        break;
    case VX_ALI:
        a[o->d] = o->imm;
        break;
    case VX_LEN:
        v->active = a[o->d] < 0 ? 0 : a[o->d] > v->lanes ? v->lanes : a[o->d];
        break;
    case VX_LD:
    case VX_LDB:
    case VX_LDS:
        return load(v, o);
    case VX_ST:
    case VX_STS:
        return store(v, o);
    case VX_LDA:
        return acc_line(v, o);
    case VX_LANES:
        lanes_op(v, o);
        break;
    case VX_REDUCE: {
        uint32_t x = tsr_num_reduce_count((enum tsr_num_reduction)o->primitive, vreg(v, o->a),
                                          (unsigned)v->active, v->lanes);
        for (uint32_t i = 0; i < v->lanes; i++)
            vreg(v, o->d)[i] = x;
        break;
    }
    case VX_SEGMENT:
        tsr_num_reduce_segments((enum tsr_num_reduction)o->primitive, vreg(v, o->d), vreg(v, o->a),
                                1u << o->imm, (unsigned)v->active, v->lanes);
        break;
    default: /* vsplat, vimm, vidx */
        for (uint32_t i = 0; i < v->lanes; i++)
            vreg(v, o->d)[i] = o->exec == VX_IDX   ? i
                               : o->exec == VX_IMM ? (uint32_t)o->imm
                                                   : (uint32_t)a[o->a];
    }
    return true;
}

void exec_tvp(struct tsr_sim *s, struct tile *t, const struct unit_insn *in)
{
    struct vrun v = {.s = s,
                     .t = t,
                     .in = in,
                     .pc = (uint32_t)in->u->imm[0],
                     .lanes = s->chip->tile.tvp.lanes,
                     .active = s->chip->tile.tvp.lanes};
    memcpy(t->tvp.fa, in->r, 8 * sizeof t->tvp.fa[0]);
    for (uint64_t steps = 0;; steps++) {
        bool end = v.pc >= s->code.n_tvp;
        if (end || !s->code.tvp[v.pc].op || steps > 2 * s->opt.limit_cycles) { /* two a cycle */
            raise_fault(s,
                        end                           ? TSR_FAULT_PROGRAM_END
                        : steps > s->opt.limit_cycles ? TSR_FAULT_LIMIT
                                                      : TSR_FAULT_ILLEGAL,
                        s->cal.now, t->id, TSR_Q_TVP, v.pc, "no legal vector word, or no end");
            return;
        }
        const struct vop *o = &s->code.tvp[v.pc];
        if (s->opt.mode == TSR_MODE_FUNCTIONAL)
            s->stats.instructions[TSR_Q_TVP]++; /* else counted when it was timed */
        if (o->exec == VX_RET) {
            if (observed(s)) {
                show_value(&v, o);
                show_kept(&v);
            }
            return;
        }
        uint32_t pc = v.pc;
        if (!word(&v, o))
            return;
        if (observed(s)) {
            uint32_t next = v.pc;
            v.pc = pc;
            show_value(&v, o);
            v.pc = next;
        }
        v.pc = loop_next(v.loop, &v.n_loops, v.pc + 1);
    }
}
