/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/project/json_reader.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct place {
    size_t line, column; /* from 1; columns are bytes */
};

/* Messages are one line of printable text whatever the file holds. */
static void make_printable(char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = ' ';
}

enum {
    MAX_VALUES =
        1 << 18 /* of the largest config.json some thousands; jansson takes 120 bytes each */
};

/* Every value but the first stands behind one of these (within strings they are counted, too). */
static size_t count_values(const char *text, size_t length)
{
    size_t n = 1;
    for (size_t i = 0; i < length; i++)
        n += text[i] == ',' || text[i] == '[' || text[i] == '{';
    return n;
}

bool tsr_json_open(struct tsr_json *j, const char *file, const char *text, size_t length,
                   struct tsr_error *err)
{
    *j = (struct tsr_json){.file = file, .text = text, .length = length, .err = err};
    json_error_t e;
    if (count_values(text, length) > MAX_VALUES) {
        tsr_error_set(err, TSR_BAD_INPUT, "%s:1:1: JSON: more than the %d values allowed", file,
                      MAX_VALUES);
        j->failed = true;
        return false;
    }
    j->root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &e);
    if (j->root == NULL) {
        make_printable(e.text);
        tsr_error_set(err, TSR_BAD_INPUT, "%s:%d:%d: JSON: %s, one JSON object is allowed", file,
                      e.line > 0 ? e.line : 1, e.column > 0 ? e.column : 1, e.text);
    } else if (!json_is_object(j->root)) {
        tsr_error_set(err, TSR_BAD_INPUT,
                      "%s:1:1: JSON: the top level is an array, one JSON object is allowed", file);
        json_decref(j->root);
        j->root = NULL;
    }
    j->failed = j->root == NULL;
    return !j->failed;
}

void tsr_json_close(struct tsr_json *j)
{
    json_decref(j->root);
    j->root = NULL;
}

/* End of the string that starts at text[i] == '"': the index of its closing quote. */
static size_t string_end(const char *text, size_t length, size_t i)
{
    for (i++; i < length && text[i] != '"'; i++)
        if (text[i] == '\\')
            i++;
    return i < length ? i : length;
}

static bool is_key(const char *text, size_t length, size_t begin, size_t end, const char *key)
{
    if (end - begin - 1 != strlen(key) || memcmp(text + begin + 1, key, strlen(key)) != 0)
        return false;
    size_t i = end + 1;
    while (i < length && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r'))
        i++;
    return i < length && text[i] == ':';
}

/* Index of the quoted key at `depth` braces from `from` on (which stands at depth `start`), or
 * length when it is not there in that spelling (say, written with escapes). The text is valid
 * JSON: jansson took it. */
static size_t find_key(const struct tsr_json *j, size_t from, int start, int depth, const char *key)
{
    int d = start;
    for (size_t i = from; i < j->length; i++) {
        char c = j->text[i];
        if (c == '{' || c == '[') {
            d++;
        } else if (c == '}' || c == ']') {
            if (--d <= start) /* the object that holds the keys ends */
                break;
        } else if (c == '"') {
            size_t end = string_end(j->text, j->length, i);
            if (d == depth && is_key(j->text, j->length, i, end, key))
                return i;
            i = end;
        }
    }
    return j->length;
}

static struct place locate(const struct tsr_json *j, struct tsr_json_key at)
{
    size_t i = 0;
    if (at.parent != NULL) {
        size_t parent = find_key(j, 0, 0, 1, at.parent);
        size_t child = parent;
        if (parent < j->length)
            child = find_key(j, parent + strlen(at.parent) + 2, 1, 2, at.key);
        i = child < j->length ? child : parent;
    } else {
        i = find_key(j, 0, 0, 1, at.key);
    }
    if (i >= j->length)
        i = 0;
    struct place p = {1, 1};
    for (size_t c = 0; c < i; c++) {
        p.column++;
        if (j->text[c] == '\n') {
            p.line++;
            p.column = 1;
        }
    }
    return p;
}

void tsr_json_fail(struct tsr_json *j, struct tsr_json_key at, const char *format, ...)
{
    if (j->failed)
        return;
    j->failed = true;
    char what[700];
    va_list ap;
    va_start(ap, format);
    vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    make_printable(what);
    struct place p = locate(j, at);
    tsr_error_set(j->err, TSR_BAD_INPUT, "%s:%zu:%zu: %s%s%s: %s", j->file, p.line, p.column,
                  at.parent != NULL ? at.parent : "", at.parent != NULL ? "." : "", at.key, what);
}

json_t *tsr_json_get(struct tsr_json *j, struct tsr_json_key at)
{
    if (j->failed)
        return NULL;
    json_t *object = at.parent != NULL ? json_object_get(j->root, at.parent) : j->root;
    json_t *v = json_object_get(object, at.key);
    return json_is_null(v) ? NULL : v;
}

static const char *type_name(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number with a fraction or exponent";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    default:
        return "null";
    }
}

uint32_t tsr_json_uint(struct tsr_json *j, struct tsr_json_key at, uint32_t low, uint32_t high,
                       int64_t fallback)
{
    json_t *v = tsr_json_get(j, at);
    if (j->failed)
        return 0;
    if (v == NULL) {
        if (fallback != TSR_JSON_REQUIRED)
            return (uint32_t)fallback;
        tsr_json_fail(j, at, "required but missing, an integer from %u to %u is allowed", low,
                      high);
        return 0;
    }
    if (!json_is_integer(v)) {
        tsr_json_fail(j, at, "is %s, an integer from %u to %u is allowed", type_name(v), low, high);
        return 0;
    }
    json_int_t x = json_integer_value(v);
    if (x < (json_int_t)low || x > (json_int_t)high) {
        tsr_json_fail(j, at, "is %" JSON_INTEGER_FORMAT ", an integer from %u to %u is allowed", x,
                      low, high);
        return 0;
    }
    return (uint32_t)x;
}

double tsr_json_real(struct tsr_json *j, struct tsr_json_key at, double low, double high,
                     double fallback)
{
    json_t *v = tsr_json_get(j, at);
    if (v == NULL)
        return fallback;
    if (!json_is_number(v)) {
        tsr_json_fail(j, at, "is %s, a number from %g to %g is allowed", type_name(v), low, high);
        return fallback;
    }
    double x = json_number_value(v);
    if (!(x >= low && x <= high)) {
        tsr_json_fail(j, at, "is %g, a number from %g to %g is allowed", x, low, high);
        return fallback;
    }
    return x;
}

bool tsr_json_bool(struct tsr_json *j, struct tsr_json_key at, bool fallback)
{
    json_t *v = tsr_json_get(j, at);
    if (v == NULL)
        return fallback;
    if (!json_is_boolean(v)) {
        tsr_json_fail(j, at, "is %s, true or false is allowed", type_name(v));
        return fallback;
    }
    return json_is_true(v);
}

const char *tsr_json_string(struct tsr_json *j, struct tsr_json_key at)
{
    json_t *v = tsr_json_get(j, at);
    if (v == NULL)
        return NULL;
    if (!json_is_string(v))
        tsr_json_fail(j, at, "is %s, a string is allowed", type_name(v));
    return json_string_value(v);
}
