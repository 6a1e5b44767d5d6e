/* SPDX-License-Identifier: Apache-2.0 */
/* A whole program as text that assembles to the same program. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/disasm.h"
#include "isa/load.h"

enum { LABELLED = 1, ROUTINE = 2, WORDS_PER_LINE = 8 };

/* Marks of words: each stream has one more than words, for labels at the end. */
struct marks {
    uint8_t *tcp, *tvp;
    const struct tsr_isa *isa;
    const struct tsr_program *p;
};

static struct tsr_word word_of(const struct tsr_program *p, enum tsr_stream s, uint32_t i)
{
    return s == TSR_STREAM_TCP ? p->tcp[i] : (struct tsr_word){{p->tvp[i], 0}};
}

/* The value of the label operand, or -1. */
static int64_t target_of(const struct tsr_insn *in)
{
    for (int i = 0; i < in->op->n_operands; i++)
        if (in->op->operand[i].kind == TSR_KIND_LABEL)
            return in->v[i];
    return -1;
}

static enum tsr_status mark_stream(struct marks *m, enum tsr_stream s, struct tsr_error *err)
{
    uint32_t n = s == TSR_STREAM_TCP ? m->p->n_tcp : m->p->n_tvp;
    for (uint32_t i = 0; i < n; i++) {
        struct tsr_insn in;
        struct tsr_error why = {0};
        enum tsr_status st = tsr_decode(m->isa, s, word_of(m->p, s, i), &in, &why);
        if (st != TSR_OK)
            return tsr_error_set(err, st, "word %u of stream %s: %s", i, tsr_stream_words[s],
                                 why.message);
        int64_t target = target_of(&in);
        bool call = tsr_op_calls_routine(in.op);
        bool tcp = s == TSR_STREAM_TCP && !call;
        if (target < 0 || target > (tcp ? m->p->n_tcp : m->p->n_tvp))
            continue;
        if (call && target == m->p->n_tvp)
            continue; /* no routine can start there: the number stays */
        (tcp ? m->tcp : m->tvp)[target] |= call ? ROUTINE : LABELLED;
    }
    return TSR_OK;
}

static void add_head(struct tsr_text *t, const struct tsr_isa *isa, const struct tsr_program *p)
{
    tsr_text_add(t, ".isa %u.%u\n.tiles %" PRIu32 "\n", p->isa_major, p->isa_minor, p->tiles);
    for (int i = 0; i < TSR_MAX_SEMAPHORES; i++)
        if (p->consumer[i] < TSR_QUEUES)
            tsr_text_add(t, ".sem %d %s\n", i, tsr_queue_words[p->consumer[i]]);
    for (uint32_t i = 0; i < p->n_bindings; i++) {
        const struct tsr_binding *b = &p->bindings[i];
        tsr_text_add(t, ".tensor %s %s %s ", b->name, b->output ? "out" : "in",
                     isa->formats[b->format].name);
        tsr_text_number(t, (int64_t)b->address);
        for (uint32_t d = 0; d < b->dims; d++)
            tsr_text_add(t, "%s%" PRIu64, d == 0 ? " " : "x", b->dim[d]);
        tsr_text_add(t, "\n");
    }
}

static void add_args(struct tsr_text *t, const struct tsr_program *p)
{
    for (int r = 0; p->args != NULL && r < TSR_LAUNCH_REGS; r++) {
        bool same = true;
        for (uint32_t i = 1; i < p->tiles; i++)
            same = same && p->args[i][r] == p->args[0][r];
        for (uint32_t i = 0; i < (same ? 1 : p->tiles); i++) {
            if (p->args[i][r] == 0)
                continue;
            if (same && p->tiles > 1)
                tsr_text_add(t, ".arg all x%d ", r + 1);
            else
                tsr_text_add(t, ".arg %" PRIu32 " x%d ", i, r + 1);
            tsr_text_number(t, p->args[i][r]);
            tsr_text_add(t, "\n");
        }
    }
}

static uint32_t control_word(const struct tsr_program *p, uint32_t tile, uint32_t offset)
{
    uint32_t v = 0;
    for (uint32_t i = 0; i < 4 && offset + i < p->control_bytes[tile]; i++)
        v |= (uint32_t)p->control[tile][offset + i] << 8 * i;
    return v;
}

/* Lines of zeros are left out, but for the last, which keeps the image's length. */
static void add_control(struct tsr_text *t, const struct tsr_program *p, uint32_t tile)
{
    uint32_t bytes = p->control_bytes[tile];
    for (uint32_t at = 0; at < bytes; at += 4 * WORDS_PER_LINE) {
        uint32_t end = bytes - at < 4 * WORDS_PER_LINE ? bytes : at + 4 * WORDS_PER_LINE, any = 0;
        for (uint32_t w = at; w < end; w += 4)
            any |= control_word(p, tile, w);
        if (any == 0 && end < bytes)
            continue;
        tsr_text_add(t, ".control %" PRIu32 " %" PRIu32, tile, at);
        for (uint32_t w = at; w < end; w += 4)
            tsr_text_add(t, " %" PRId32, (int32_t)control_word(p, tile, w));
        tsr_text_add(t, "\n");
    }
}

/* One instruction with its label's name; routine: [first, last) of the words around it. */
static void add_insn(struct tsr_text *t, const struct marks *m, enum tsr_stream s, uint32_t i,
                     uint32_t first, uint32_t last)
{
    struct tsr_insn in;
    char label[24];
    enum tsr_status st = tsr_decode(m->isa, s, word_of(m->p, s, i), &in, NULL);
    assert(st == TSR_OK);
    (void)st;
    int64_t target = target_of(&in);
    bool named;
    if (tsr_op_calls_routine(in.op)) {
        named = target < m->p->n_tvp;
        snprintf(label, sizeof label, "r%" PRId64, target);
    } else {
        named = target >= first && target <= last;
        snprintf(label, sizeof label, "L%" PRId64, target);
    }
    tsr_text_add(t, "    ");
    tsr_text_insn(t, m->isa, &in, named ? label : NULL);
    tsr_text_add(t, "\n");
}

static void add_code(struct tsr_text *t, const struct marks *m)
{
    const struct tsr_program *p = m->p;
    for (uint32_t i = 0; i <= p->n_tcp; i++) {
        if (m->tcp[i] & LABELLED)
            tsr_text_add(t, "L%" PRIu32 ":\n", i);
        if (i < p->n_tcp)
            add_insn(t, m, TSR_STREAM_TCP, i, 0, p->n_tcp);
    }
    for (uint32_t first = 0, last; first < p->n_tvp; first = last) {
        tsr_text_add(t, ".routine r%" PRIu32 "\n", first);
        for (last = first + 1; last < p->n_tvp && !(m->tvp[last] & ROUTINE);)
            last++;
        for (uint32_t i = first; i <= last; i++) {
            if (m->tvp[i] & LABELLED)
                tsr_text_add(t, "L%" PRIu32 ":\n", i);
            if (i < last)
                add_insn(t, m, TSR_STREAM_TVP, i, first, last);
        }
        tsr_text_add(t, ".end\n");
    }
}

static void add_program(struct tsr_text *t, const struct marks *m)
{
    add_head(t, m->isa, m->p);
    add_args(t, m->p);
    for (uint32_t i = 0; m->p->control != NULL && i < m->p->tiles; i++)
        add_control(t, m->p, i);
    add_code(t, m);
}

enum tsr_status tsr_disassemble(const struct tsr_isa *isa, const struct tsr_program *p, char **text,
                                struct tsr_error *err)
{
    assert(isa != NULL && p != NULL && text != NULL);
    struct marks m = {.isa = isa, .p = p};
    m.tcp = calloc((size_t)p->n_tcp + 1, 1);
    m.tvp = calloc((size_t)p->n_tvp + 1, 1);
    char *out = NULL;
    enum tsr_status st = TSR_OK;
    if (m.tcp == NULL || m.tvp == NULL)
        st = tsr_error_set(err, TSR_INTERNAL, "out of memory");
    for (int s = 0; s < TSR_STREAMS && st == TSR_OK; s++)
        st = mark_stream(&m, (enum tsr_stream)s, err);
    if (st == TSR_OK) {
        struct tsr_text count = {0};
        add_program(&count, &m);
        struct tsr_text t = {.cap = count.n + 1};
        out = t.out = malloc(t.cap);
        if (out == NULL)
            st = tsr_error_set(err, TSR_INTERNAL, "out of memory");
        else
            add_program(&t, &m);
    }
    free(m.tcp);
    free(m.tvp);
    if (st == TSR_OK)
        *text = out;
    return st;
}
