/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of formats.yaml. */
#include <stdio.h>
#include <string.h>

#include "isa/load.h"

static const char *const keys[] = {"name",  "code",  "family", "specials",   "bits",
                                   "ebits", "mbits", "bias",   "block",      "scale_bits",
                                   "width_class", "memory_bits", "doc", NULL};

struct number {
    const char *key;
    int64_t min, max, value;
};

enum { CODE, BITS, EBITS, MBITS, BIAS, BLOCK, SCALE_BITS, WIDTH_CLASS, MEMORY_BITS, NUMBERS };

static enum tsr_status read_numbers(struct tsr_loader *l, const struct tsr_loaded_row *row,
                                    struct number *n)
{
    for (int i = 0; i < NUMBERS; i++) {
        if (i == MEMORY_BITS && tsr_doc_get(row->node, n[i].key) == NULL) {
            n[i].value = n[BITS].value;
            continue;
        }
        enum tsr_status st = tsr_doc_int(row->doc, row->node, n[i].key, n[i].min, n[i].max,
                                         &n[i].value, l->err);
        if (st != TSR_OK)
            return st;
    }
    return TSR_OK;
}

/* What the numbers of a row must have in common. */
static enum tsr_status check(struct tsr_loader *l, const struct tsr_loaded_row *row,
                             const struct number *n, enum tsr_family family)
{
    const struct tsr_doc_node *at = tsr_doc_get(row->node, "bits");
    if (n[EBITS].value > 0 && 1 + n[EBITS].value + n[MBITS].value != n[BITS].value)
        return tsr_doc_bad(row->doc, at, "bits", l->err,
                           "%d, with %d exponent and %d mantissa bits it must be %d",
                           (int)n[BITS].value, (int)n[EBITS].value, (int)n[MBITS].value,
                           (int)(1 + n[EBITS].value + n[MBITS].value));
    if (family == TSR_FAMILY_FLOAT && n[EBITS].value == 0)
        return tsr_doc_bad(row->doc, tsr_doc_get(row->node, "ebits"), "ebits", l->err,
                           "0, a float has at least 1");
    int64_t w = n[WIDTH_CLASS].value;
    if (w != 0 && w != 6 && w != 9 && w != 16)
        return tsr_doc_bad(row->doc, tsr_doc_get(row->node, "width_class"), "width_class", l->err,
                           "%d, allowed are 16, 9, 6 and 0", (int)w);
    int code = (int)n[CODE].value;
    int64_t old;
    /* enum tsr_dtype names the built-in codes. */
    if (row->replaced != NULL && tsr_text_int(tsr_doc_get(row->replaced, "code")->text, &old) &&
        old != code)
        return tsr_doc_bad(row->doc, tsr_doc_get(row->node, "code"), "code", l->err,
                           "%d, a built-in format keeps its code, here %d", code, (int)old);
    if (l->isa->has_format[code])
        return tsr_doc_bad(row->doc, tsr_doc_get(row->node, "code"), "code", l->err,
                           "%d is the code of %s already", code, l->isa->formats[code].name);
    return TSR_OK;
}

enum tsr_status tsr_load_format(struct tsr_loader *l, const struct tsr_loaded_row *row)
{
    struct number n[NUMBERS] = {
        {"code", 0, TSR_DTYPE_MAX - 1, 0}, {"bits", 1, 32, 0},       {"ebits", 0, 8, 0},
        {"mbits", 0, 23, 0},               {"bias", -1024, 1023, 0}, {"block", 1, 255, 0},
        {"scale_bits", 0, 255, 0},         {"width_class", 0, 16, 0}, {"memory_bits", 1, 32, 0},
    };
    struct tsr_format f = {0};
    int family, specials;
    enum tsr_status st = tsr_doc_keys(row->doc, row->node, keys, l->err);
    if (st == TSR_OK)
        st = tsr_doc_word(row->doc, row->node, "family", tsr_family_words, &family, l->err);
    if (st == TSR_OK)
        st = tsr_doc_word(row->doc, row->node, "specials", tsr_specials_words, &specials, l->err);
    if (st == TSR_OK)
        st = tsr_doc_text(row->doc, row->node, "doc", f.doc, sizeof f.doc, l->err);
    if (st == TSR_OK)
        st = read_numbers(l, row, n);
    if (st == TSR_OK)
        st = check(l, row, n, (enum tsr_family)family);
    if (st != TSR_OK)
        return st;
    snprintf(f.name, sizeof f.name, "%s", row->name);
    f.code = (uint8_t)n[CODE].value;
    f.family = (enum tsr_family)family;
    f.specials = (enum tsr_specials)specials;
    f.bits = (uint8_t)n[BITS].value;
    f.ebits = (uint8_t)n[EBITS].value;
    f.mbits = (uint8_t)n[MBITS].value;
    f.bias = (int16_t)n[BIAS].value;
    f.block = (uint8_t)n[BLOCK].value;
    f.scale_bits = (uint8_t)n[SCALE_BITS].value;
    f.width_class = (uint8_t)n[WIDTH_CLASS].value;
    f.memory_bits = (uint8_t)n[MEMORY_BITS].value;
    l->isa->formats[f.code] = f;
    l->isa->has_format[f.code] = true;
    return TSR_OK;
}
