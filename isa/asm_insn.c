/* SPDX-License-Identifier: Apache-2.0 */
/* One instruction of assembly text: operands by place or name, semaphore clauses. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/asm.h"

struct statement {
    struct tsr_insn insn;
    bool given[TSR_MAX_OPERANDS];
    struct tsr_fixup label; /* name.n 0: none */
    struct tsr_span mnemonic;
};

/* Operand texts that are one name of a kind: "x3", "bf16". */
static enum tsr_status take_register(struct tsr_asm *a, const struct tsr_operand *o, int64_t *out)
{
    static const char letters[] = "xva";
    struct tsr_span s = tsr_asm_name(a);
    if (tsr_span_numbered(s, letters[o->kind], o->max, out))
        return TSR_OK;
    return tsr_asm_bad(a, s.at, "%s: \"%.*s\", a register %c0 to %c%" PRId64 " is wanted", o->name,
                       TSR_SPAN(s), letters[o->kind], letters[o->kind], o->max);
}

static enum tsr_status take_format(struct tsr_asm *a, const struct tsr_operand *o, int64_t *out)
{
    struct tsr_span s = tsr_asm_name(a);
    char allowed[256] = "";
    size_t used = 0;
    for (int code = 0; code < TSR_DTYPE_MAX; code++) {
        if (!(o->formats >> code & 1))
            continue;
        if (tsr_span_is(s, a->isa->formats[code].name)) {
            *out = code;
            return TSR_OK;
        }
        if (used < sizeof allowed)
            used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%s",
                                     used > 0 ? ", " : "", a->isa->formats[code].name);
    }
    return tsr_asm_bad(a, s.at, "%s: \"%.*s\", allowed are %s", o->name, TSR_SPAN(s), allowed);
}

static enum tsr_status take_label(struct tsr_asm *a, struct statement *s,
                                  const struct tsr_operand *o, int64_t *out)
{
    struct tsr_span name = tsr_asm_peek(a);
    *out = 0;
    if (name.n == 0)
        return tsr_asm_int(a, o->name, o->min, o->max, out);
    a->at += name.n;
    if (s->label.name.n > 0)
        return tsr_asm_bad(a, name.at, "%s: a second label in one instruction, give a number",
                           o->name);
    s->label = (struct tsr_fixup){
        .name = name,
        .scope = tsr_op_calls_routine(s->insn.op) ? TSR_SCOPE_ROUTINE : a->scope,
        .line = a->line,
        .column = (uint32_t)(name.at - a->line_start) + 1,
        .stream = s->insn.op->stream,
        .at = o->at,
        .width = o->width,
    };
    return TSR_OK;
}

/* "s3", for a wait also "s3*8". */
static enum tsr_status take_semaphore(struct tsr_asm *a, const struct tsr_operand *o, int64_t *out)
{
    struct tsr_span s = tsr_asm_name(a);
    int64_t id, amount = 1;
    if (!tsr_span_numbered(s, 's', TSR_MAX_SEMAPHORES - 1, &id))
        return tsr_asm_bad(a, s.at, "%s: \"%.*s\", a semaphore s0 to s%d is wanted", o->name,
                           TSR_SPAN(s), TSR_MAX_SEMAPHORES - 1);
    if (o->kind == TSR_KIND_WAIT && tsr_asm_take(a, '*')) {
        enum tsr_status st = tsr_asm_int(a, "amount", 1, o->max >> TSR_SEM_ID_BITS, &amount);
        if (st != TSR_OK)
            return st;
    }
    *out = id | amount << TSR_SEM_ID_BITS;
    return TSR_OK;
}

static enum tsr_status take_value(struct tsr_asm *a, struct statement *s, int i)
{
    const struct tsr_operand *o = &s->insn.op->operand[i];
    int64_t *v = &s->insn.v[i];
    tsr_asm_blanks(a);
    const char *at = a->at;
    enum tsr_status st;
    if (s->given[i])
        return tsr_asm_bad(a, at, "%s: given twice", o->name);
    s->given[i] = true;
    switch (o->kind) {
    case TSR_KIND_XREG:
    case TSR_KIND_VREG:
    case TSR_KIND_AREG:
        return take_register(a, o, v);
    case TSR_KIND_FMT:
        return take_format(a, o, v);
    case TSR_KIND_LABEL:
        return take_label(a, s, o, v);
    case TSR_KIND_WAIT:
    case TSR_KIND_POST:
        return take_semaphore(a, o, v);
    default:
        st = tsr_asm_expr(a, v);
        if (st == TSR_OK && !tsr_operand_legal(o, *v))
            return tsr_asm_bad(a, at, "%s: %" PRId64 ", allowed are %" PRId64 " to %" PRId64,
                               o->name, *v, o->min, o->max);
        return st;
    }
}

/* After "wait(" or "post(": semaphores for the slots of that kind, in order. */
static enum tsr_status take_clause(struct tsr_asm *a, struct statement *s,
                                   enum tsr_operand_kind kind, const char *at)
{
    int i = 0, slots = 0;
    for (int k = 0; k < s->insn.op->n_operands; k++)
        slots += s->insn.op->operand[k].kind == kind;
    do {
        while (i < s->insn.op->n_operands && s->insn.op->operand[i].kind != kind)
            i++;
        if (i == s->insn.op->n_operands)
            return tsr_asm_bad(a, at, "%s takes %d semaphores here", s->insn.op->mnemonic, slots);
        enum tsr_status st = take_value(a, s, i++);
        if (st != TSR_OK)
            return st;
    } while (tsr_asm_take(a, ','));
    return tsr_asm_expect(a, ')');
}

/* Sets *done when a clause stood here. */
static enum tsr_status try_clause(struct tsr_asm *a, struct statement *s, bool *done)
{
    struct tsr_span word = tsr_asm_peek(a);
    bool wait = tsr_span_is(word, "wait");
    *done = false;
    if (!wait && !tsr_span_is(word, "post"))
        return TSR_OK;
    const char *c = word.at + word.n;
    while (c < a->end && *c == ' ')
        c++;
    if (c == a->end || *c != '(')
        return TSR_OK;
    a->at = c + 1;
    *done = true;
    return take_clause(a, s, wait ? TSR_KIND_WAIT : TSR_KIND_POST, word.at);
}

static int find_operand(const struct tsr_op *op, struct tsr_span name)
{
    for (int i = 0; i < op->n_operands; i++)
        if (tsr_span_is(name, op->operand[i].name))
            return i;
    return -1;
}

static enum tsr_status unknown_operand(struct tsr_asm *a, const struct tsr_op *op,
                                       struct tsr_span name)
{
    char list[256] = "";
    size_t used = 0;
    for (int i = 0; i < op->n_operands && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "",
                                 op->operand[i].name);
    return tsr_asm_bad(a, name.at, "%.*s: no operand of %s, which has %s", TSR_SPAN(name),
                       op->mnemonic, used > 0 ? list : "none");
}

/* name=value, or the next operand by its place. */
static enum tsr_status take_operand(struct tsr_asm *a, struct statement *s, int *next)
{
    const struct tsr_op *op = s->insn.op;
    struct tsr_span name = tsr_asm_peek(a);
    const char *c = name.at + name.n;
    while (c < a->end && *c == ' ')
        c++;
    if (name.n > 0 && c < a->end && *c == '=') {
        int i = find_operand(op, name);
        if (i < 0)
            return unknown_operand(a, op, name);
        a->at = c + 1;
        *next = TSR_MAX_OPERANDS; /* no more by place */
        return take_value(a, s, i);
    }
    if (op->named)
        return tsr_asm_bad(a, a->at, "operands of %s are written name=value", op->mnemonic);
    if (*next == TSR_MAX_OPERANDS)
        return tsr_asm_bad(a, a->at, "after name=value only name=value may follow");
    if (*next == op->n_operands || tsr_operand_is_sem(&op->operand[*next]))
        return tsr_asm_bad(a, a->at, "%s takes %d operands", op->mnemonic, *next);
    return take_value(a, s, (*next)++);
}

static enum tsr_status take_operands(struct tsr_asm *a, struct statement *s)
{
    int next = 0;
    bool clause = false;
    while (!tsr_asm_ended(a)) {
        enum tsr_status st = try_clause(a, s, &clause);
        if (st == TSR_OK && !clause)
            st = take_operand(a, s, &next);
        if (st != TSR_OK)
            return st;
        /* A comma separates operands; before and after a clause it may be left out. */
        if (tsr_asm_take(a, ',')) {
            if (tsr_asm_ended(a))
                return tsr_asm_bad(a, a->at, "an operand is wanted after ','");
            continue;
        }
        struct tsr_span word = tsr_asm_peek(a);
        if (!tsr_asm_ended(a) && !clause && !tsr_span_is(word, "wait") &&
            !tsr_span_is(word, "post"))
            return tsr_asm_bad(a, a->at, "',' or the end of the line is wanted here");
    }
    return TSR_OK;
}

static enum tsr_status fill_defaults(struct tsr_asm *a, struct statement *s)
{
    for (int i = 0; i < s->insn.op->n_operands; i++) {
        const struct tsr_operand *o = &s->insn.op->operand[i];
        if (s->given[i])
            continue;
        if (!o->has_default)
            return tsr_asm_bad(a, s->mnemonic.at, "%s: operand %s is missing", s->insn.op->mnemonic,
                               o->name);
        s->insn.v[i] = o->dflt;
    }
    return TSR_OK;
}

static bool grow_words(void **words, size_t size, uint32_t **lines, uint32_t *room)
{
    uint32_t wide = *room > 0 ? 2 * *room : 256;
    void *w = realloc(*words, wide * size);
    if (w != NULL)
        *words = w;
    uint32_t *l = realloc(*lines, wide * sizeof *l);
    if (l != NULL)
        *lines = l;
    if (w == NULL || l == NULL)
        return false;
    *room = wide;
    return true;
}

static enum tsr_status append_word(struct tsr_asm *a, struct statement *s, struct tsr_word w)
{
    struct tsr_program *p = &a->p;
    bool tcp = s->insn.op->stream == TSR_STREAM_TCP;
    uint32_t *n = tcp ? &p->n_tcp : &p->n_tvp;
    if (*n == TSR_MAX_WORDS)
        return tsr_asm_bad(a, s->mnemonic.at, "more than %d instructions", TSR_MAX_WORDS);
    void *words = tcp ? (void *)p->tcp : (void *)p->tvp;
    uint32_t *room = tcp ? &a->tcp_room : &a->tvp_room;
    bool ok = *n < *room || grow_words(&words, tcp ? sizeof *p->tcp : sizeof *p->tvp,
                                       tcp ? &p->tcp_line : &p->tvp_line, room);
    if (tcp)
        p->tcp = words;
    else
        p->tvp = words;
    if (!ok)
        return tsr_asm_no_memory(a);
    if (tcp)
        p->tcp[*n] = w;
    else
        p->tvp[*n] = w.w[0];
    (tcp ? p->tcp_line : p->tvp_line)[*n] = a->line;
    s->label.word = (*n)++;
    return s->label.name.n > 0 ? tsr_asm_add_fixup(a, &s->label) : TSR_OK;
}

enum tsr_status tsr_asm_instruction(struct tsr_asm *a, struct tsr_span mnemonic)
{
    struct statement s = {.mnemonic = mnemonic};
    enum tsr_stream stream = a->scope == TSR_SCOPE_TCP ? TSR_STREAM_TCP : TSR_STREAM_TVP;
    char name[16] = "";
    if (mnemonic.n < sizeof name)
        memcpy(name, mnemonic.at, mnemonic.n);
    s.insn.op = tsr_isa_find(a->isa, stream, name);
    if (s.insn.op == NULL) {
        bool other = tsr_isa_find(a->isa, (enum tsr_stream)(1 - stream), name) != NULL;
        return tsr_asm_bad(a, mnemonic.at, "%.*s: no such instruction%s", TSR_SPAN(mnemonic),
                           !other                       ? ""
                           : stream == TSR_STREAM_TCP ? " here, it belongs into a .routine"
                                                      : " in a .routine, it belongs outside");
    }
    struct tsr_word w;
    enum tsr_status st = take_operands(a, &s);
    if (st == TSR_OK)
        st = fill_defaults(a, &s);
    if (st == TSR_OK)
        st = tsr_encode(&s.insn, &w, a->err);
    return st == TSR_OK ? append_word(a, &s, w) : st;
}
