/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 and the classes of characters that the rules of words name. */
#include "sim/weights/tokenizer_priv.h"
#include "sim/weights/unicode_table.h"

enum {
    UPPER_LOWER = 6,
    LOWER_UPPER = 7
};

/* Unicode's property White_Space. */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

enum tsr_char_class tsr_char_class(uint32_t c)
{
    size_t low = 0, high = sizeof tsr_unicode_runs / sizeof *tsr_unicode_runs;
    if (is_space(c))
        return TSR_CHAR_SPACE;
    while (high - low > 1) { /* the last run that starts at or before c */
        size_t middle = low + (high - low) / 2;
        if (tsr_unicode_runs[middle] >> 3 <= c)
            low = middle;
        else
            high = middle;
    }
    uint32_t kind = tsr_unicode_runs[low] & 7, odd = (c - (tsr_unicode_runs[low] >> 3)) & 1;
    if (kind == UPPER_LOWER)
        return odd ? TSR_CHAR_LOWER : TSR_CHAR_UPPER;
    if (kind == LOWER_UPPER)
        return odd ? TSR_CHAR_UPPER : TSR_CHAR_LOWER;
    return (enum tsr_char_class)kind;
}

uint32_t tsr_utf8_next(const char *s, size_t length, size_t *used)
{
    const uint8_t *p = (const uint8_t *)s;
    uint32_t c = p[0];
    size_t n = c < 0x80 ? 1 : c >= 0xC2 && c < 0xE0 ? 2 : c >= 0xE0 && c < 0xF0 ? 3 : 4;
    *used = 1;
    if (n == 1)
        return c;
    if (c < 0xC2 || c > 0xF4 || n > length)
        return 0xFFFD;
    c &= 0xFFu >> (n + 1);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0xFFFD;
        c = c << 6 | (p[i] & 0x3Fu);
    }
    /* Too long a spelling, a surrogate, or beyond the last plane. */
    if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || (c >= 0xD800 && c < 0xE000) ||
        c > 0x10FFFF)
        return 0xFFFD;
    *used = n;
    return c;
}

size_t tsr_utf8_put(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((0xF00u >> n & 0xF0) | c);
    return n;
}
