/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "isa/code.h"

static uint64_t ones(unsigned width)
{
    return width == 0 ? 0 : UINT64_MAX >> (64 - width);
}

uint64_t tsr_field_get(const struct tsr_word *w, unsigned at, unsigned width)
{
    uint64_t v = w->w[at / 64] >> at % 64;
    if (at / 64 == 0 && at % 64 + width > 64)
        v |= w->w[1] << (64 - at);
    return v & ones(width);
}

void tsr_field_set(struct tsr_word *w, unsigned at, unsigned width, uint64_t v)
{
    uint64_t mask = ones(width);
    v &= mask;
    w->w[at / 64] = (w->w[at / 64] & ~(mask << at % 64)) | v << at % 64;
    if (at / 64 == 0 && at % 64 + width > 64) {
        unsigned low = 64 - at; /* bits that lie in the first half */
        w->w[1] = (w->w[1] & ~(mask >> low)) | v >> low;
    }
}

bool tsr_operand_legal(const struct tsr_operand *o, int64_t v)
{
    if (v < o->min || v > o->max)
        return false;
    switch (o->kind) {
    case TSR_KIND_FMT:
        return o->formats >> v & 1;
    case TSR_KIND_WAIT: /* an unused slot has no id, a used one an amount */
    case TSR_KIND_POST:
        return v == 0 || v >> TSR_SEM_ID_BITS != 0;
    default:
        return true;
    }
}

void tsr_operand_complain(const struct tsr_isa *isa, const struct tsr_operand *o, int64_t v,
                          char *out, size_t cap)
{
    static const char letters[] = "xva";
    if (o->kind <= TSR_KIND_AREG) {
        snprintf(out, cap, "%c%" PRId64 ", allowed are %c0 to %c%" PRId64, letters[o->kind], v,
                 letters[o->kind], letters[o->kind], o->max);
    } else if (o->kind == TSR_KIND_FMT) {
        size_t used = (size_t)snprintf(out, cap, "format code %" PRId64 ", allowed are", v);
        const char *comma = "";
        for (int code = 0; code < TSR_DTYPE_MAX && used < cap; code++)
            if (o->formats >> code & 1) {
                used += (size_t)snprintf(out + used, cap - used, "%s %d%s%s", comma, code,
                                         isa != NULL ? " " : "",
                                         isa != NULL ? isa->formats[code].name : "");
                comma = ",";
            }
    } else if (o->kind == TSR_KIND_WAIT || o->kind == TSR_KIND_POST) {
        snprintf(out, cap, "semaphore slot %" PRId64 ", allowed are 0 and %s", v,
                 o->kind == TSR_KIND_WAIT ? "s0..s63 with an amount of 1..31" : "64 + s0..s63");
    } else {
        snprintf(out, cap, "%" PRId64 ", allowed are %" PRId64 " to %" PRId64, v, o->min, o->max);
    }
}

enum tsr_status tsr_encode(const struct tsr_insn *in, struct tsr_word *out, struct tsr_error *err)
{
    assert(in->op != NULL);
    struct tsr_word w = {{in->op->opcode, 0}};
    for (int i = 0; i < in->op->n_operands; i++) {
        const struct tsr_operand *o = &in->op->operand[i];
        if (!tsr_operand_legal(o, in->v[i])) {
            char why[256];
            tsr_operand_complain(NULL, o, in->v[i], why, sizeof why);
            return tsr_error_set(err, TSR_BAD_INPUT, "%s: %s: %s", in->op->mnemonic, o->name, why);
        }
        tsr_field_set(&w, o->at, o->width, (uint64_t)in->v[i]);
    }
    *out = w;
    return TSR_OK;
}
