/* SPDX-License-Identifier: Apache-2.0 */
/* Operands of rows: fields, ranges, defaults, and the proof that fields neither overlap nor leave
 * the word. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "isa/load.h"

static const char *const operand_keys[] = {"name", "kind",    "at",      "width", "min",
                                           "max",  "default", "formats", NULL};
static const char *const sem_keys[] = {"name", "kind", "at", "width", "default", NULL};

/* The width that a kind has, or 0 where the row chooses. */
static int fixed_width(enum tsr_operand_kind kind)
{
    switch (kind) {
    case TSR_KIND_XREG:
    case TSR_KIND_VREG:
    case TSR_KIND_FMT:
        return 5;
    case TSR_KIND_AREG:
        return 4;
    case TSR_KIND_WAIT:
        return 11;
    case TSR_KIND_POST:
        return 7;
    default:
        return 0;
    }
}

static int most_width(enum tsr_operand_kind kind)
{
    switch (kind) {
    case TSR_KIND_LABEL:
        return 24;
    case TSR_KIND_UIMM:
        return 63; /* values are int64_t */
    default:
        return 64;
    }
}

static enum tsr_status read_width(struct tsr_loader *l, const struct tsr_doc *doc,
                                  const struct tsr_doc_node *node, struct tsr_operand *o)
{
    int fixed = fixed_width(o->kind);
    bool given = tsr_doc_get(node, "width") != NULL;
    bool is_register = o->kind <= TSR_KIND_AREG;
    if (!given && is_register) {
        o->width = (uint8_t)fixed;
        return TSR_OK;
    }
    int64_t v;
    enum tsr_status st = tsr_doc_int(doc, node, "width", fixed ? fixed : 1,
                                     fixed ? fixed : most_width(o->kind), &v, l->err);
    if (st == TSR_OK)
        o->width = (uint8_t)v;
    return st;
}

static enum tsr_status read_field(struct tsr_loader *l, const struct tsr_doc *doc,
                                  const struct tsr_doc_node *node, enum tsr_stream stream,
                                  struct tsr_operand *o)
{
    enum tsr_status st = read_width(l, doc, node, o);
    if (st != TSR_OK)
        return st;
    int64_t bits = stream == TSR_STREAM_TCP ? 128 : 64, at;
    st = tsr_doc_int(doc, node, "at", 0, bits - 1, &at, l->err);
    if (st != TSR_OK)
        return st;
    if (at + o->width > bits)
        return tsr_doc_bad(doc, tsr_doc_get(node, "at"), "at", l->err,
                           "%s: bits %d to %d, the word ends at bit %d", o->name, (int)at,
                           (int)at + o->width - 1, (int)bits - 1);
    o->at = (uint8_t)at;
    return TSR_OK;
}

/* What the field can hold. */
static void field_range(struct tsr_operand *o)
{
    if (o->kind == TSR_KIND_SIMM) {
        o->max = (int64_t)(UINT64_MAX >> (65 - o->width));
        o->min = -o->max - 1;
    } else {
        o->min = 0;
        o->max = (int64_t)(UINT64_MAX >> (64 - o->width));
    }
}

static enum tsr_status read_range(struct tsr_loader *l, const struct tsr_doc *doc,
                                  const struct tsr_doc_node *node, struct tsr_operand *o)
{
    field_range(o);
    bool imm = o->kind == TSR_KIND_UIMM || o->kind == TSR_KIND_SIMM;
    enum tsr_status st = TSR_OK;
    for (int i = 0; i < 2 && st == TSR_OK; i++) {
        const char *key = i == 0 ? "min" : "max";
        const struct tsr_doc_node *given = tsr_doc_get(node, key);
        if (given == NULL)
            continue;
        if (!imm)
            return tsr_doc_bad(doc, given, key, l->err, "only immediates have a range");
        st = tsr_doc_int(doc, node, key, o->min, o->max, i == 0 ? &o->min : &o->max, l->err);
    }
    return st;
}

static int format_code(const struct tsr_isa *isa, const char *name)
{
    const struct tsr_format *f = tsr_isa_format(isa, name);
    return f != NULL ? f->code : -1;
}

/* Formats by a word of the list: one by its name, or all of a kind, those of overlays too. */
static uint32_t formats_of_word(const struct tsr_isa *isa, const char *word)
{
    int code = format_code(isa, word);
    bool tensor = strcmp(word, "tensor") == 0, scaled = strcmp(word, "scaled") == 0;
    uint32_t all = 0;
    if (code >= 0)
        return UINT32_C(1) << code;
    for (int i = 0; i < TSR_DTYPE_MAX; i++)
        if (isa->has_format[i] && isa->formats[i].width_class &&
            (tensor || (scaled && isa->formats[i].block > 1)))
            all |= UINT32_C(1) << i;
    return all;
}

static enum tsr_status read_formats(struct tsr_loader *l, const struct tsr_doc *doc,
                                    const struct tsr_doc_node *node, struct tsr_operand *o)
{
    const struct tsr_doc_node *list = tsr_doc_get(node, "formats");
    if (o->kind != TSR_KIND_FMT)
        return list == NULL
                   ? TSR_OK
                   : tsr_doc_bad(doc, list, "formats", l->err, "%s is no format operand", o->name);
    enum tsr_status st = tsr_doc_child(doc, node, "formats", TSR_DOC_SEQ, &list, l->err);
    if (st != TSR_OK)
        return st;
    if (list->n == 0)
        return tsr_doc_bad(doc, list, "formats", l->err, "at least one format is wanted");
    for (const struct tsr_doc_node *c = list->first; c != NULL; c = c->next) {
        uint32_t some = c->kind == TSR_DOC_SCALAR ? formats_of_word(l->isa, c->text) : 0;
        if (some == 0)
            return tsr_doc_bad(doc, c, "formats", l->err,
                               "\"%.20s\": no such format in formats.yaml or an overlay",
                               c->kind == TSR_DOC_SCALAR ? c->text : "");
        o->formats |= some;
    }
    return TSR_OK;
}

static enum tsr_status read_default(struct tsr_loader *l, const struct tsr_doc *doc,
                                    const struct tsr_doc_node *node, struct tsr_operand *o)
{
    const struct tsr_doc_node *given = tsr_doc_get(node, "default");
    if (given == NULL)
        return TSR_OK;
    o->has_default = true;
    if (o->kind == TSR_KIND_LABEL)
        return tsr_doc_bad(doc, given, "default", l->err, "a label has no default");
    if (o->kind != TSR_KIND_FMT) {
        bool sem = o->kind == TSR_KIND_WAIT || o->kind == TSR_KIND_POST;
        return tsr_doc_int(doc, node, "default", sem ? 0 : o->min, sem ? 0 : o->max, &o->dflt,
                           l->err);
    }
    int code = given->kind == TSR_DOC_SCALAR ? format_code(l->isa, given->text) : -1;
    if (code < 0 || !(o->formats >> code & 1))
        return tsr_doc_bad(doc, given, "default", l->err, "one of its formats is allowed");
    o->dflt = code;
    return TSR_OK;
}

static void field_mask(const struct tsr_operand *o, uint64_t mask[2])
{
    mask[0] = mask[1] = 0;
    for (int bit = o->at; bit < o->at + o->width; bit++)
        mask[bit / 64] |= UINT64_C(1) << bit % 64;
}

/* Proves the newest operand of `op` apart from all before it and from the opcode. */
static enum tsr_status prove_apart(struct tsr_loader *l, const struct tsr_doc *doc,
                                   const struct tsr_doc_node *node, struct tsr_op *op)
{
    const struct tsr_operand *o = &op->operand[op->n_operands - 1];
    uint64_t mine[2], other[2];
    field_mask(o, mine);
    const struct tsr_doc_node *at = tsr_doc_get(node, "at");
    if (mine[0] & 0xff)
        return tsr_doc_bad(doc, at, "at", l->err, "%s.%s overlaps the opcode in bits 0 to 7",
                           op->mnemonic, o->name);
    for (int i = 0; i < op->n_operands - 1; i++) {
        const struct tsr_operand *p = &op->operand[i];
        if (strcmp(p->name, o->name) == 0)
            return tsr_doc_bad(doc, tsr_doc_get(node, "name"), "name", l->err,
                               "%s has two operands %s", op->mnemonic, o->name);
        field_mask(p, other);
        if ((mine[0] & other[0]) | (mine[1] & other[1]))
            return tsr_doc_bad(doc, at, "at", l->err,
                               "%s: bits %d to %d of %s overlap bits %d to %d of %s", op->mnemonic,
                               o->at, o->at + o->width - 1, o->name, p->at, p->at + p->width - 1,
                               p->name);
    }
    op->used[0] |= mine[0];
    op->used[1] |= mine[1];
    return TSR_OK;
}

static enum tsr_status read_name_and_kind(struct tsr_loader *l, const struct tsr_doc *doc,
                                          const struct tsr_doc_node *node, bool sems,
                                          struct tsr_operand *o)
{
    int kind;
    enum tsr_status st = tsr_doc_keys(doc, node, sems ? sem_keys : operand_keys, l->err);
    if (st == TSR_OK)
        st = tsr_doc_name(doc, node, "name", o->name, sizeof o->name, l->err);
    if (st == TSR_OK && (strcmp(o->name, "wait") == 0 || strcmp(o->name, "post") == 0))
        return tsr_doc_bad(doc, tsr_doc_get(node, "name"), "name", l->err,
                           "wait and post are words of the assembly text");
    if (st == TSR_OK)
        st = tsr_doc_word(doc, node, "kind", tsr_kind_words, &kind, l->err);
    if (st != TSR_OK)
        return st;
    o->kind = (enum tsr_operand_kind)kind;
    bool sem_kind = o->kind == TSR_KIND_WAIT || o->kind == TSR_KIND_POST;
    if (sem_kind != sems)
        return tsr_doc_bad(doc, tsr_doc_get(node, "kind"), "kind", l->err,
                           sems ? "wait or post is allowed in sems"
                                : "wait and post are allowed in sems only");
    return TSR_OK;
}

enum tsr_status tsr_load_operands(struct tsr_loader *l, const struct tsr_doc *doc,
                                  const struct tsr_doc_node *list, bool sems, struct tsr_op *op)
{
    for (const struct tsr_doc_node *node = list->first; node != NULL; node = node->next) {
        if (op->n_operands >= TSR_MAX_OPERANDS)
            return tsr_doc_bad(doc, node, "operands", l->err,
                               "more than %d operands and semaphore slots", TSR_MAX_OPERANDS);
        struct tsr_operand *o = &op->operand[op->n_operands];
        enum tsr_status st = read_name_and_kind(l, doc, node, sems, o);
        if (st == TSR_OK)
            st = read_field(l, doc, node, op->stream, o);
        if (st == TSR_OK)
            st = read_range(l, doc, node, o);
        if (st == TSR_OK)
            st = read_formats(l, doc, node, o);
        if (st == TSR_OK)
            st = read_default(l, doc, node, o);
        if (st != TSR_OK)
            return st;
        op->n_operands++;
        st = prove_apart(l, doc, node, op);
        if (st != TSR_OK)
            return st;
    }
    return TSR_OK;
}
