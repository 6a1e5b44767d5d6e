/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the assembler: the text being read, symbols, and the program being made. */
#ifndef ISA_ASM_H
#define ISA_ASM_H

#include "isa/code.h"
#include "tessera/isa.h"

enum {
    TSR_ASM_MAX_BYTES = 16 << 20,
    TSR_ASM_MAX_NAME = 63,
    TSR_ASM_MAX_DEPTH = 64, /* of parentheses */
    TSR_ASM_MAX_BINDINGS = 64,
};

/* A stretch of the text; lives as long as the text. */
struct tsr_span {
    const char *at;
    uint32_t n;
};

/* Who a symbol belongs to; a routine's labels have a scope of their own. */
enum { TSR_SCOPE_TCP, TSR_SCOPE_EQU, TSR_SCOPE_ROUTINE, TSR_SCOPE_FIRST_LOCAL };

struct tsr_symbol {
    struct tsr_span name; /* at null: the place is free */
    uint32_t scope, line;
    int64_t value;
};
struct tsr_symbols {
    struct tsr_symbol *slot; /* open addressing, a power of two of them */
    uint32_t n, room;
};

/* A label used before its place is known. */
struct tsr_fixup {
    struct tsr_span name;
    uint32_t scope, line, column;
    uint32_t word;
    enum tsr_stream stream;
    uint8_t at, width;
};

struct tsr_asm {
    const struct tsr_isa *isa;
    const char *file;
    struct tsr_error *err;
    const char *at, *end, *line_start; /* `end` is one past the last byte */
    uint32_t line;
    int depth;
    struct tsr_symbols symbols;
    struct tsr_fixup *fixups;
    uint32_t n_fixups, fixup_room;
    uint32_t scope;      /* TSR_SCOPE_TCP, or that of the routine being read */
    uint32_t next_scope;
    uint32_t routine_line;
    bool tiles_given, isa_given;
    struct tsr_program p;
    uint32_t tcp_room, tvp_room;
};

/* ---- text (asm_text.c): each takes from a->at on, within the line */

/* Sets "file:line:column: message" for a place in the current line; returns TSR_BAD_INPUT. */
enum tsr_status tsr_asm_bad(struct tsr_asm *a, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum tsr_status tsr_asm_no_memory(struct tsr_asm *a);
void tsr_asm_blanks(struct tsr_asm *a);
/* After blanks: whether the statement ends here (end of line, comment). */
bool tsr_asm_ended(struct tsr_asm *a);
/* Takes one character if it is next (after blanks). */
bool tsr_asm_take(struct tsr_asm *a, char c);
enum tsr_status tsr_asm_expect(struct tsr_asm *a, char c);
/* A name; n = 0 when the next character does not start one. tsr_asm_peek leaves it there. */
struct tsr_span tsr_asm_name(struct tsr_asm *a);
struct tsr_span tsr_asm_peek(struct tsr_asm *a);
bool tsr_span_is(struct tsr_span s, const char *word);
/* "x12" with letter 'x' and a number up to max; false when it is not. */
bool tsr_span_numbered(struct tsr_span s, char letter, int64_t max, int64_t *out);
/* Index in null-ended words, or -1. */
int tsr_span_word(struct tsr_span s, const char *const *words);
/* Characters of a span for "%.*s", cut to a readable length. */
#define TSR_SPAN(s) (int)((s).n > 40 ? 40 : (s).n), (s).at

/* A constant expression; a primary is a number, a constant, an address or (expression), with any
 * number of minus signs before it. tsr_asm_int adds a range. */
enum tsr_status tsr_asm_expr(struct tsr_asm *a, int64_t *out);
enum tsr_status tsr_asm_primary(struct tsr_asm *a, int64_t *out);
enum tsr_status tsr_asm_int(struct tsr_asm *a, const char *what, int64_t min, int64_t max,
                            int64_t *out);

/* ---- symbols (asm_symbol.c) */
const struct tsr_symbol *tsr_symbol_find(const struct tsr_symbols *t, uint32_t scope,
                                         struct tsr_span name);
/* Errors: defined already; out of memory. */
enum tsr_status tsr_asm_define(struct tsr_asm *a, uint32_t scope, struct tsr_span name,
                               int64_t value);
enum tsr_status tsr_asm_add_fixup(struct tsr_asm *a, const struct tsr_fixup *f);
/* Writes all labels into their words, at the end of the text. */
enum tsr_status tsr_asm_resolve(struct tsr_asm *a);

/* ---- statements */
enum tsr_status tsr_asm_instruction(struct tsr_asm *a, struct tsr_span mnemonic);
enum tsr_status tsr_asm_directive(struct tsr_asm *a, const char *dot);

#endif
