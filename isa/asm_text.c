/* SPDX-License-Identifier: Apache-2.0 */
/* The assembler's text: names, punctuation, errors. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "isa/asm.h"

enum tsr_status tsr_asm_bad(struct tsr_asm *a, const char *at, const char *format, ...)
{
    char text[768];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return tsr_error_set(a->err, TSR_BAD_INPUT, "%s:%u:%u: %s", a->file, a->line,
                         (unsigned)(at - a->line_start) + 1, text);
}

enum tsr_status tsr_asm_no_memory(struct tsr_asm *a)
{
    return tsr_error_set(a->err, TSR_INTERNAL, "out of memory");
}

void tsr_asm_blanks(struct tsr_asm *a)
{
    while (a->at < a->end && (*a->at == ' ' || *a->at == '\t' || *a->at == '\r'))
        a->at++;
}

bool tsr_asm_ended(struct tsr_asm *a)
{
    tsr_asm_blanks(a);
    return a->at == a->end || *a->at == '\n' || *a->at == '#' || *a->at == ';';
}

bool tsr_asm_take(struct tsr_asm *a, char c)
{
    tsr_asm_blanks(a);
    if (a->at == a->end || *a->at != c)
        return false;
    a->at++;
    return true;
}

enum tsr_status tsr_asm_expect(struct tsr_asm *a, char c)
{
    if (tsr_asm_take(a, c))
        return TSR_OK;
    return tsr_asm_bad(a, a->at, "'%c' is wanted here", c);
}

static bool is_letter(char c)
{
    char low = c | 0x20;
    return (low >= 'a' && low <= 'z') || c == '_';
}

struct tsr_span tsr_asm_peek(struct tsr_asm *a)
{
    tsr_asm_blanks(a);
    struct tsr_span s = {a->at, 0};
    if (a->at == a->end || !is_letter(*a->at))
        return s;
    const char *c = a->at;
    while (c < a->end && (is_letter(*c) || (*c >= '0' && *c <= '9') || *c == '.'))
        c++;
    s.n = (uint32_t)(c - a->at);
    return s;
}

struct tsr_span tsr_asm_name(struct tsr_asm *a)
{
    struct tsr_span s = tsr_asm_peek(a);
    a->at += s.n;
    return s;
}

bool tsr_span_is(struct tsr_span s, const char *word)
{
    return strlen(word) == s.n && memcmp(s.at, word, s.n) == 0;
}

bool tsr_span_numbered(struct tsr_span s, char letter, int64_t max, int64_t *out)
{
    if (s.n < 2 || s.n > 4 || s.at[0] != letter || (s.at[1] == '0' && s.n > 2))
        return false;
    int64_t v = 0;
    for (uint32_t i = 1; i < s.n; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        v = v * 10 + (s.at[i] - '0');
    }
    *out = v;
    return v <= max;
}

int tsr_span_word(struct tsr_span s, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++)
        if (tsr_span_is(s, words[i]))
            return i;
    return -1;
}
