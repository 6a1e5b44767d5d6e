/* SPDX-License-Identifier: Apache-2.0 */
/* The assembler: lines of labels, instructions and directives into a program. isa/README.md tells
 * the language. */
#include "isa/asm.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void skip_line(struct tsr_asm *a)
{
    while (a->at < a->end && *a->at != '\n')
        a->at++;
}

/* "name:" at the start of a statement. */
static bool take_label(struct tsr_asm *a, struct tsr_span *name)
{
    *name = tsr_asm_peek(a);
    if (name->n == 0)
        return false;
    const char *c = name->at + name->n;
    if (c == a->end || *c != ':')
        return false;
    a->at = c + 1;
    return true;
}

static enum tsr_status take_statement(struct tsr_asm *a)
{
    struct tsr_span name;
    while (take_label(a, &name)) {
        uint32_t here = a->scope == TSR_SCOPE_TCP ? a->p.n_tcp : a->p.n_tvp;
        enum tsr_status st = tsr_asm_define(a, a->scope, name, here);
        if (st != TSR_OK)
            return st;
    }
    if (tsr_asm_ended(a))
        return TSR_OK;
    const char *start = a->at;
    if (tsr_asm_take(a, '.'))
        return tsr_asm_directive(a, start);
    name = tsr_asm_name(a);
    if (name.n == 0)
        return tsr_asm_bad(a, start, "an instruction, a label or a directive is wanted");
    return tsr_asm_instruction(a, name);
}

static enum tsr_status take_lines(struct tsr_asm *a)
{
    while (a->at < a->end) {
        enum tsr_status st = take_statement(a);
        if (st != TSR_OK)
            return st;
        if (!tsr_asm_ended(a))
            return tsr_asm_bad(a, a->at, "the line should end here");
        skip_line(a);
        if (a->at < a->end) {
            a->at++;
            a->line++;
            a->line_start = a->at;
        }
    }
    if (a->scope != TSR_SCOPE_TCP)
        return tsr_asm_bad(a, a->at, "the .routine of line %u has no .end", a->routine_line);
    return tsr_asm_resolve(a);
}

enum tsr_status tsr_assemble(const struct tsr_isa *isa, const char *file, const char *text,
                             size_t bytes, struct tsr_program *out, struct tsr_error *err)
{
    assert(isa != NULL && file != NULL && out != NULL && (text != NULL || bytes == 0));
    if (bytes > TSR_ASM_MAX_BYTES)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: %zu bytes, at most 16 MiB are allowed", file,
                             bytes);
    struct tsr_asm a = {.isa = isa, .file = file, .err = err, .line = 1};
    a.at = a.line_start = bytes > 0 ? text : "";
    a.end = a.at + bytes;
    a.next_scope = TSR_SCOPE_FIRST_LOCAL;
    a.p.isa_major = isa->major;
    a.p.isa_minor = isa->minor;
    a.p.isa_digest = isa->digest;
    a.p.tiles = 1;
    memset(a.p.consumer, 0xff, sizeof a.p.consumer);
    enum tsr_status st = take_lines(&a);
    free(a.symbols.slot);
    free(a.fixups);
    if (st == TSR_OK)
        *out = a.p;
    else
        tsr_program_free(&a.p);
    return st;
}
