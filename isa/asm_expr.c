/* SPDX-License-Identifier: Apache-2.0 */
/* Constant expressions of assembly text: + - * / << and parentheses over 64-bit integers, as in C,
 * with every overflow an error. Addresses: hbm:OFFSET, csram:CLUSTER:OFFSET, tsram:OFFSET. */
#include <inttypes.h>
#include <string.h>

#include "isa/asm.h"

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

static bool is_wordy(char c)
{
    return digit_of(c) < 99 || c == '_' || c == '.';
}

/* Decimal up to 2^63 - 1; hexadecimal up to 2^64 - 1, as a pattern of 64 bits. */
static enum tsr_status take_number(struct tsr_asm *a, int64_t *out)
{
    const char *start = a->at;
    uint64_t v = 0, most = INT64_MAX, base = 10;
    bool any = false;
    if (a->end - a->at > 2 && a->at[0] == '0' && (a->at[1] | 0x20) == 'x') {
        base = 16;
        most = UINT64_MAX;
        a->at += 2;
    }
    for (; a->at < a->end && is_wordy(*a->at); a->at++, any = true) {
        uint64_t d = (uint64_t)digit_of(*a->at);
        if (d >= base)
            return tsr_asm_bad(a, a->at, "'%c' is no digit", *a->at);
        if (v > (most - d) / base)
            return tsr_asm_bad(a, start, "a number of more than 64 bits");
        v = v * base + d;
    }
    if (!any)
        return tsr_asm_bad(a, start, "a number is wanted");
    *out = (int64_t)v;
    return TSR_OK;
}

static enum tsr_status take_offset(struct tsr_asm *a, enum tsr_space space, unsigned bits,
                                   int64_t high, int64_t *out)
{
    int64_t v;
    const char *at = a->at;
    enum tsr_status st = tsr_asm_primary(a, &v);
    if (st != TSR_OK)
        return st;
    if (v < 0 || v >> bits != 0)
        return tsr_asm_bad(a, at, "offset %" PRId64 ", %u bits are allowed", v, bits);
    *out = (int64_t)space << 56 | high | v;
    return TSR_OK;
}

/* After "hbm:", "csram:" or "tsram:". */
static enum tsr_status take_address(struct tsr_asm *a, struct tsr_span space, int64_t *out)
{
    if (tsr_span_is(space, "hbm"))
        return take_offset(a, TSR_SPACE_HBM, 56, 0, out);
    if (tsr_span_is(space, "tsram"))
        return take_offset(a, TSR_SPACE_TSRAM, 56, 0, out);
    int64_t cluster;
    enum tsr_status st = tsr_asm_primary(a, &cluster);
    if (st == TSR_OK && (cluster < 0 || cluster > 255))
        return tsr_asm_bad(a, space.at, "cluster %" PRId64 ", allowed are 0 to 255", cluster);
    if (st == TSR_OK)
        st = tsr_asm_expect(a, ':');
    return st == TSR_OK ? take_offset(a, TSR_SPACE_CSRAM, 32, cluster << 32, out) : st;
}

static enum tsr_status take_named(struct tsr_asm *a, int64_t *out)
{
    struct tsr_span name = tsr_asm_name(a);
    if (name.n == 0)
        return tsr_asm_bad(a, a->at, "a number or a constant is wanted here");
    bool space = tsr_span_is(name, "hbm") || tsr_span_is(name, "csram") ||
                 tsr_span_is(name, "tsram");
    if (space && a->at < a->end && *a->at == ':') {
        a->at++;
        return take_address(a, name, out);
    }
    const struct tsr_symbol *s = tsr_symbol_find(&a->symbols, TSR_SCOPE_EQU, name);
    if (s == NULL)
        return tsr_asm_bad(a, name.at, "%.*s: no such constant above this line", TSR_SPAN(name));
    *out = s->value;
    return TSR_OK;
}

static enum tsr_status take_negative(struct tsr_asm *a, int64_t *out)
{
    const char *at = a->at - 1;
    /* -9223372036854775808 has no positive counterpart. */
    static const char least[] = "9223372036854775808";
    const size_t n = sizeof least - 1;
    tsr_asm_blanks(a);
    if ((size_t)(a->end - a->at) >= n && memcmp(a->at, least, n) == 0 &&
        (a->at + n == a->end || !is_wordy(a->at[n]))) {
        a->at += n;
        *out = INT64_MIN;
        return TSR_OK;
    }
    enum tsr_status st = tsr_asm_primary(a, out);
    if (st == TSR_OK && __builtin_sub_overflow((int64_t)0, *out, out))
        return tsr_asm_bad(a, at, "the result needs more than 64 bits");
    return st;
}

static enum tsr_status take_primary(struct tsr_asm *a, int64_t *out)
{
    if (tsr_asm_take(a, '-'))
        return take_negative(a, out);
    if (tsr_asm_take(a, '(')) {
        enum tsr_status st = tsr_asm_expr(a, out);
        return st == TSR_OK ? tsr_asm_expect(a, ')') : st;
    }
    if (a->at < a->end && *a->at >= '0' && *a->at <= '9')
        return take_number(a, out);
    return take_named(a, out);
}

enum tsr_status tsr_asm_primary(struct tsr_asm *a, int64_t *out)
{
    tsr_asm_blanks(a);
    if (a->depth >= TSR_ASM_MAX_DEPTH)
        return tsr_asm_bad(a, a->at, "nested more than %d deep", TSR_ASM_MAX_DEPTH);
    a->depth++;
    enum tsr_status st = take_primary(a, out);
    a->depth--;
    return st;
}

static enum tsr_status take_product(struct tsr_asm *a, int64_t *out)
{
    enum tsr_status st = tsr_asm_primary(a, out);
    while (st == TSR_OK) {
        bool times = tsr_asm_take(a, '*');
        const char *at = a->at - 1;
        if (!times && !tsr_asm_take(a, '/'))
            break;
        if (!times)
            at = a->at - 1;
        int64_t v;
        st = tsr_asm_primary(a, &v);
        if (st != TSR_OK)
            break;
        if (!times && v == 0)
            return tsr_asm_bad(a, at, "division by 0");
        bool lost = times ? __builtin_mul_overflow(*out, v, out) : *out == INT64_MIN && v == -1;
        if (lost)
            return tsr_asm_bad(a, at, "the result needs more than 64 bits");
        if (!times)
            *out /= v;
    }
    return st;
}

static enum tsr_status take_sum(struct tsr_asm *a, int64_t *out)
{
    enum tsr_status st = take_product(a, out);
    while (st == TSR_OK) {
        bool plus = tsr_asm_take(a, '+');
        if (!plus && !tsr_asm_take(a, '-'))
            break;
        const char *at = a->at - 1;
        int64_t v;
        st = take_product(a, &v);
        if (st == TSR_OK && (plus ? __builtin_add_overflow(*out, v, out)
                                  : __builtin_sub_overflow(*out, v, out)))
            return tsr_asm_bad(a, at, "the result needs more than 64 bits");
    }
    return st;
}

enum tsr_status tsr_asm_expr(struct tsr_asm *a, int64_t *out)
{
    enum tsr_status st = take_sum(a, out);
    while (st == TSR_OK) {
        tsr_asm_blanks(a);
        if (a->end - a->at < 2 || a->at[0] != '<' || a->at[1] != '<')
            break;
        const char *at = a->at;
        a->at += 2;
        int64_t by;
        st = take_sum(a, &by);
        if (st != TSR_OK)
            break;
        if (by < 0 || by > 63)
            return tsr_asm_bad(a, at, "shift by %" PRId64 ", allowed are 0 to 63", by);
        /* Bit 63 may be reached: masks of tiles use it. */
        uint64_t v = (uint64_t)*out << by;
        if (v >> by != (uint64_t)*out)
            return tsr_asm_bad(a, at, "the result needs more than 64 bits");
        *out = (int64_t)v;
    }
    return st;
}

enum tsr_status tsr_asm_int(struct tsr_asm *a, const char *what, int64_t min, int64_t max,
                            int64_t *out)
{
    int64_t v;
    tsr_asm_blanks(a);
    const char *at = a->at;
    enum tsr_status st = tsr_asm_primary(a, &v);
    if (st != TSR_OK)
        return st;
    if (v < min || v > max)
        return tsr_asm_bad(a, at, "%s: %" PRId64 ", allowed are %" PRId64 " to %" PRId64, what, v,
                           min, max);
    *out = v;
    return TSR_OK;
}
