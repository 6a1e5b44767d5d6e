/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/npu/schedule.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void npu_block_init(struct npu_block *b, const struct tsr_isa *isa)
{
    b->isa = isa;
    b->n = 0;
}

static struct npu_word *add(struct npu_block *b)
{
    assert(b->n < NPU_BLOCK_WORDS);
    struct npu_word *w = &b->word[b->n++];
    memset(w, 0, sizeof *w);
    w->dst = w->address = NPU_NO_REG;
    memset(w->src, NPU_NO_REG, sizeof w->src);
    w->latency = 1;
    w->line = w->last = NPU_NO_LINE;
    return w;
}

/* Cycles of the row's latency: a parameter or a number. */
static uint16_t latency_of(const struct npu_block *b, const char *mnemonic)
{
    const struct tsr_op *op = tsr_isa_find(b->isa, TSR_STREAM_TVP, mnemonic);
    if (op == NULL || op->latency.n != 1)
        return 8;
    const struct tsr_node *n = &op->latency.node[0];
    return (uint16_t)(n->kind == TSR_NODE_CONST ? n->value : tsr_isa_param(b->isa, n->name, 8));
}

void npu_block_op(struct npu_block *b, const char *op, unsigned d, unsigned a, unsigned src_b,
                  unsigned c)
{
    struct npu_word *w = add(b);
    const unsigned src[3] = {a, src_b, c};
    int n = snprintf(w->text, sizeof w->text, "%s v%u", op, d);
    for (int i = 0; i < 3; i++) {
        w->src[i] = (uint8_t)src[i];
        if (src[i] != NPU_NO_REG)
            n += snprintf(w->text + n, sizeof w->text - (size_t)n, ", v%u", src[i]);
    }
    w->dst = (uint8_t)d;
    w->n_dst = w->n_src0 = 1;
    w->latency = latency_of(b, op);
}

void npu_block_segment(struct npu_block *b, const char *op, unsigned d, unsigned a, unsigned imm)
{
    struct npu_word *w = add(b);
    snprintf(w->text, sizeof w->text, "%s v%u, v%u, %u", op, d, a, imm);
    w->dst = (uint8_t)d;
    w->src[0] = (uint8_t)a;
    w->n_dst = w->n_src0 = 1;
    w->latency = latency_of(b, op);
}

void npu_block_access(struct npu_block *b, const struct npu_access *a)
{
    struct npu_word *w = add(b);
    int n = snprintf(w->text, sizeof w->text, "%s v%u, a%u, %s, %lld", a->op, a->reg, a->areg,
                     a->format, (long long)a->inc);
    if (a->n)
        snprintf(w->text + n, sizeof w->text - (size_t)n, ", %u", a->n);
    w->memory = true;
    w->store = a->store;
    w->address = (uint8_t)a->areg;
    w->line = a->line;
    w->last = a->last;
    if (a->store) {
        w->src[0] = (uint8_t)a->reg;
        w->n_src0 = (uint8_t)a->regs;
    } else {
        w->dst = (uint8_t)a->reg;
        w->n_dst = (uint8_t)a->regs;
        w->latency = latency_of(b, a->op);
    }
}

struct npu_access *npu_path_add(struct npu_path *w, int64_t offset)
{
    assert(w->n < NPU_BLOCK_WORDS / 2);
    w->offset[w->n] = offset;
    w->at[w->n] = (struct npu_access){.regs = 1, .line = NPU_NO_LINE, .last = NPU_NO_LINE};
    return &w->at[w->n++];
}

void npu_access_lines(struct npu_access *a, const struct tsr_chip *chip, int64_t offset,
                      uint32_t bytes)
{
    a->line = (int32_t)(offset / chip->tile.line_bytes);
    a->last = (int32_t)((offset + bytes - 1) / chip->tile.line_bytes);
}

void npu_path_close(struct npu_path *w, int64_t end)
{
    for (unsigned i = 0; i < w->n; i++)
        w->at[i].inc = (i + 1 < w->n ? w->offset[i + 1] : end) - w->offset[i];
}

/* ---- order ---------------------------------------------------------------------------------- */

static bool reads(const struct npu_word *w, const struct npu_word *of)
{
    for (unsigned d = 0; of->dst != NPU_NO_REG && d < of->n_dst; d++) {
        if (w->src[0] != NPU_NO_REG && of->dst + d >= w->src[0] &&
            of->dst + d < (unsigned)w->src[0] + w->n_src0)
            return true;
        if (w->src[1] == of->dst + d || w->src[2] == of->dst + d)
            return true;
    }
    return false;
}

static bool same_target(const struct npu_word *a, const struct npu_word *b)
{
    return a->dst != NPU_NO_REG && b->dst != NPU_NO_REG && a->dst < b->dst + b->n_dst &&
           b->dst < a->dst + a->n_dst;
}

/* Cycles that must pass from the issue of `first` to that of `then`, which follows it in the given
 * order; -1: none. A word that only overwrites a source may go in the same cycle, behind it. */
static int distance(const struct npu_word *first, const struct npu_word *then)
{
    if (reads(then, first) || same_target(first, then))
        return first->latency;
    if ((first->address != NPU_NO_REG && first->address == then->address) ||
        (first->store && then->store))
        return 1;
    return reads(first, then) ? 0 : -1;
}

/* TSRAM's ports of the vector unit: loads by even and odd address registers, stores. */
enum port {
    READ0,
    READ1,
    WRITE,
    PORTS
};

struct order {
    int priority[NPU_BLOCK_WORDS]; /* longest path to the end */
    int earliest[NPU_BLOCK_WORDS];
    unsigned before[NPU_BLOCK_WORDS]; /* words not yet issued that must go first */
    bool done[NPU_BLOCK_WORDS];
    bool phased; /* whether the first load has fixed the phase */
    int phase;
    int32_t kept[PORTS];
};

static enum port port_of(const struct npu_word *w)
{
    return w->store ? WRITE : w->address & 1 ? READ1 : READ0;
}

/* Requester numbers in the banks' calendar (isa/MACHINE.md). */
static int turn(enum port p, int32_t line)
{
    static const int requester[PORTS] = {2, 3, 4};
    return (line - requester[p]) & 7;
}

/* Whether the banks let the access go in this cycle: a load when its first new line is granted, a
 * store when the line that it evicts is. */
static bool granted(const struct order *o, const struct npu_word *w, int cycle)
{
    enum port p = port_of(w);
    if (!w->memory || w->line == NPU_NO_LINE || !o->phased)
        return true;
    if (w->store && (o->kept[p] == NPU_NO_LINE || (w->line == o->kept[p] && w->last == w->line)))
        return true;
    if (!w->store && w->last == o->kept[p])
        return true;
    int32_t line = w->store ? o->kept[p] : w->line == o->kept[p] ? w->last : w->line;
    return ((cycle + o->phase) & 7) == turn(p, line);
}

static void touch(struct order *o, const struct npu_word *w, int cycle)
{
    if (!w->memory || w->line == NPU_NO_LINE)
        return;
    if (!o->phased && !w->store) {
        o->phased = true;
        o->phase = turn(port_of(w), w->line) - cycle;
    }
    o->kept[port_of(w)] = w->last;
}

static void plan(const struct npu_block *b, struct order *o)
{
    memset(o, 0, sizeof *o);
    for (int p = 0; p < PORTS; p++)
        o->kept[p] = NPU_NO_LINE;
    for (unsigned i = b->n; i-- > 0;) {
        o->priority[i] = b->word[i].latency;
        for (unsigned k = i + 1; k < b->n; k++) {
            int d = distance(&b->word[i], &b->word[k]);
            if (d < 0)
                continue;
            o->before[k]++;
            if (d + o->priority[k] > o->priority[i])
                o->priority[i] = d + o->priority[k];
        }
    }
}

/* The ready word of the slot with the longest path, the first of equals; b->n: none. */
static unsigned choose(const struct npu_block *b, const struct order *o, int cycle, bool memory)
{
    unsigned best = b->n;
    for (unsigned i = 0; i < b->n; i++)
        if (!o->done[i] && !o->before[i] && o->earliest[i] <= cycle &&
            b->word[i].memory == memory && granted(o, &b->word[i], cycle) &&
            (best == b->n || o->priority[i] > o->priority[best]))
            best = i;
    return best;
}

static void issue(struct tsr_text *t, const struct npu_block *b, struct order *o, unsigned i,
                  int cycle)
{
    tsr_text_line(t, "  %s", b->word[i].text);
    o->done[i] = true;
    touch(o, &b->word[i], cycle);
    for (unsigned k = i + 1; k < b->n; k++) {
        int d = distance(&b->word[i], &b->word[k]);
        if (d < 0)
            continue;
        o->before[k]--;
        if (cycle + d > o->earliest[k])
            o->earliest[k] = cycle + d;
    }
}

void npu_block_emit(struct tsr_text *t, struct npu_block *b)
{
    struct order o;
    unsigned left = b->n;
    plan(b, &o);
    for (int cycle = 0; left > 0; cycle++) {
        bool memory = false, arithmetic = false;
        for (int slot = 0; slot < 4; slot++) { /* a word may free another of the same cycle */
            bool m = slot % 2 == 0;
            unsigned i = (m ? memory : arithmetic) ? b->n : choose(b, &o, cycle, m);
            if (i == b->n)
                continue;
            issue(t, b, &o, i, cycle);
            left--;
            memory |= m;
            arithmetic |= !m;
        }
    }
    b->n = 0;
}
