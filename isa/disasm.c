/* SPDX-License-Identifier: Apache-2.0 */
/* One instruction as text. */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "isa/disasm.h"

void tsr_text_add(struct tsr_text *t, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    bool room = t->n < t->cap;
    int n = vsnprintf(room ? t->out + t->n : NULL, room ? t->cap - t->n : 0, format, ap);
    va_end(ap);
    t->n += n > 0 ? (size_t)n : 0;
}

void tsr_text_number(struct tsr_text *t, int64_t v)
{
    uint64_t u = (uint64_t)v;
    if (u >> 56 == TSR_SPACE_HBM)
        tsr_text_add(t, "hbm:0x%" PRIx64, u & (UINT64_MAX >> 8));
    else if (u >> 40 == (uint64_t)TSR_SPACE_CSRAM << 16)
        tsr_text_add(t, "csram:%" PRIu64 ":0x%" PRIx64, u >> 32 & 255, u & UINT32_MAX);
    else
        tsr_text_add(t, "%" PRId64, v);
}

static void add_semaphore(struct tsr_text *t, const struct tsr_operand *o, int64_t v)
{
    int64_t amount = v >> TSR_SEM_ID_BITS;
    tsr_text_add(t, "s%" PRId64, v & (TSR_MAX_SEMAPHORES - 1));
    if (o->kind == TSR_KIND_WAIT && amount != 1)
        tsr_text_add(t, "*%" PRId64, amount);
}

static void add_value(struct tsr_text *t, const struct tsr_isa *isa, const struct tsr_operand *o,
                      int64_t v, const char *label)
{
    switch (o->kind) {
    case TSR_KIND_XREG:
    case TSR_KIND_VREG:
    case TSR_KIND_AREG:
        tsr_text_add(t, "%c%" PRId64, "xva"[o->kind], v);
        break;
    case TSR_KIND_FMT:
        tsr_text_add(t, "%s", isa->formats[v].name);
        break;
    case TSR_KIND_WAIT:
    case TSR_KIND_POST:
        add_semaphore(t, o, v);
        break;
    case TSR_KIND_LABEL:
        if (label != NULL)
            tsr_text_add(t, "%s", label);
        else
            tsr_text_add(t, "%" PRId64, v);
        break;
    default:
        tsr_text_number(t, v);
    }
}

/* A clause fills its slots from the first on; a slot behind an unused one is written by name. */
static bool by_name(const struct tsr_insn *in, int i)
{
    for (int k = 0; k < i; k++)
        if (in->op->operand[k].kind == in->op->operand[i].kind && in->v[k] == 0)
            return true;
    return false;
}

static void add_clause(struct tsr_text *t, const struct tsr_insn *in, enum tsr_operand_kind kind)
{
    bool open = false;
    for (int i = 0; i < in->op->n_operands; i++) {
        const struct tsr_operand *o = &in->op->operand[i];
        if (o->kind != kind || in->v[i] == 0 || by_name(in, i))
            continue;
        tsr_text_add(t, "%s", open ? ", " : kind == TSR_KIND_WAIT ? " wait(" : " post(");
        open = true;
        add_semaphore(t, o, in->v[i]);
    }
    if (open)
        tsr_text_add(t, ")");
}

/* Defaults are left out, by place only where nothing follows by place. */
static bool left_out(const struct tsr_insn *in, int i)
{
    for (int k = i; k < in->op->n_operands; k++) {
        const struct tsr_operand *o = &in->op->operand[k];
        if (tsr_operand_is_sem(o))
            break;
        if (!o->has_default || in->v[k] != o->dflt)
            return false;
        if (in->op->named)
            return true;
    }
    return true;
}

void tsr_text_insn(struct tsr_text *t, const struct tsr_isa *isa, const struct tsr_insn *in,
                   const char *label)
{
    const char *comma = " ";
    tsr_text_add(t, "%s", in->op->mnemonic);
    for (int i = 0; i < in->op->n_operands; i++) {
        const struct tsr_operand *o = &in->op->operand[i];
        bool sem = tsr_operand_is_sem(o);
        if (sem ? in->v[i] == 0 || !by_name(in, i) : left_out(in, i))
            continue;
        tsr_text_add(t, "%s", comma);
        if (sem || in->op->named)
            tsr_text_add(t, "%s=", o->name);
        add_value(t, isa, o, in->v[i], label);
        comma = ", ";
    }
    add_clause(t, in, TSR_KIND_WAIT);
    add_clause(t, in, TSR_KIND_POST);
}

size_t tsr_disassemble_insn(const struct tsr_isa *isa, const struct tsr_insn *in, char *out,
                            size_t cap)
{
    assert(cap > 0);
    struct tsr_text t = {.out = out, .cap = cap};
    out[0] = '\0';
    tsr_text_insn(&t, isa, in, NULL);
    return t.n;
}
