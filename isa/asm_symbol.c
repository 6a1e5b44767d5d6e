/* SPDX-License-Identifier: Apache-2.0 */
/* Labels and constants of assembly text. */
#include <stdlib.h>
#include <string.h>

#include "isa/asm.h"

static uint32_t place_of(const struct tsr_symbols *t, uint32_t scope, struct tsr_span name)
{
    uint32_t h = UINT32_C(2166136261) ^ scope;
    for (uint32_t i = 0; i < name.n; i++)
        h = (h ^ (unsigned char)name.at[i]) * UINT32_C(16777619);
    h ^= h >> 15;
    for (h &= t->room - 1; t->slot[h].name.at != NULL; h = (h + 1) & (t->room - 1))
        if (t->slot[h].scope == scope && t->slot[h].name.n == name.n &&
            memcmp(t->slot[h].name.at, name.at, name.n) == 0)
            break;
    return h;
}

const struct tsr_symbol *tsr_symbol_find(const struct tsr_symbols *t, uint32_t scope,
                                         struct tsr_span name)
{
    if (t->room == 0)
        return NULL;
    const struct tsr_symbol *s = &t->slot[place_of(t, scope, name)];
    return s->name.at != NULL ? s : NULL;
}

static bool grow(struct tsr_symbols *t)
{
    struct tsr_symbols wide = {.room = t->room > 0 ? 2 * t->room : 256, .n = t->n};
    wide.slot = calloc(wide.room, sizeof *wide.slot);
    if (wide.slot == NULL)
        return false;
    for (uint32_t i = 0; i < t->room; i++)
        if (t->slot[i].name.at != NULL)
            wide.slot[place_of(&wide, t->slot[i].scope, t->slot[i].name)] = t->slot[i];
    free(t->slot);
    *t = wide;
    return true;
}

enum tsr_status tsr_asm_define(struct tsr_asm *a, uint32_t scope, struct tsr_span name,
                               int64_t value)
{
    struct tsr_symbols *t = &a->symbols;
    if (name.n > TSR_ASM_MAX_NAME)
        return tsr_asm_bad(a, name.at, "a name of %u characters, at most %d are allowed", name.n,
                           TSR_ASM_MAX_NAME);
    if (2 * t->n >= t->room && !grow(t))
        return tsr_asm_no_memory(a);
    struct tsr_symbol *s = &t->slot[place_of(t, scope, name)];
    if (s->name.at != NULL)
        return tsr_asm_bad(a, name.at, "%.*s: defined already in line %u", TSR_SPAN(name), s->line);
    *s = (struct tsr_symbol){.name = name, .scope = scope, .line = a->line, .value = value};
    t->n++;
    return TSR_OK;
}

enum tsr_status tsr_asm_add_fixup(struct tsr_asm *a, const struct tsr_fixup *f)
{
    if (a->n_fixups == a->fixup_room) {
        uint32_t room = a->fixup_room > 0 ? 2 * a->fixup_room : 64;
        struct tsr_fixup *wide = realloc(a->fixups, room * sizeof *wide);
        if (wide == NULL)
            return tsr_asm_no_memory(a);
        a->fixups = wide;
        a->fixup_room = room;
    }
    a->fixups[a->n_fixups++] = *f;
    return TSR_OK;
}

static enum tsr_status unresolved(struct tsr_asm *a, const struct tsr_fixup *f, const char *what)
{
    return tsr_error_set(a->err, TSR_BAD_INPUT, "%s:%u:%u: %.*s: %s", a->file, f->line, f->column,
                         TSR_SPAN(f->name), what);
}

enum tsr_status tsr_asm_resolve(struct tsr_asm *a)
{
    for (uint32_t i = 0; i < a->n_fixups; i++) {
        const struct tsr_fixup *f = &a->fixups[i];
        const struct tsr_symbol *s = tsr_symbol_find(&a->symbols, f->scope, f->name);
        if (s == NULL)
            return unresolved(a, f, f->scope == TSR_SCOPE_ROUTINE ? "no such routine"
                                    : f->scope == TSR_SCOPE_TCP
                                        ? "no such label in the TCP program"
                                        : "no such label in this routine");
        if (f->width < 32 && s->value >> f->width != 0)
            return unresolved(a, f, "too far for the operand's field");
        struct tsr_word w = {{0, 0}};
        if (f->stream == TSR_STREAM_TCP)
            w = a->p.tcp[f->word];
        else
            w.w[0] = a->p.tvp[f->word];
        tsr_field_set(&w, f->at, f->width, (uint64_t)s->value);
        if (f->stream == TSR_STREAM_TCP)
            a->p.tcp[f->word] = w;
        else
            a->p.tvp[f->word] = w.w[0];
    }
    return TSR_OK;
}
