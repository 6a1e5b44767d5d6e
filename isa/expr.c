/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/expr.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"

enum { MAX_DEPTH = 24, MAX_WORD = 64 };

struct parser {
    const struct tsr_doc *doc;
    const struct tsr_doc_node *node;
    const char *key;
    enum tsr_expr_kind kind;
    const struct tsr_isa *isa;
    const struct tsr_op *op;
    struct tsr_expr *out;
    struct tsr_error *err;
    size_t at; /* in node->text */
    int depth;
};

#define BAD(p, offset, ...) tsr_doc_bad_at((p)->doc, (p)->node, offset, (p)->key, (p)->err, \
                                           __VA_ARGS__)

static void skip_blanks(struct parser *p)
{
    while (p->node->text[p->at] == ' ')
        p->at++;
}

static bool is_word(char c)
{
    char low = c | 0x20;
    return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/* A name or number; also the sign of a number or of an exponent. */
static enum tsr_status take_word(struct parser *p, char word[MAX_WORD])
{
    skip_blanks(p);
    const char *text = p->node->text;
    size_t start = p->at, n = 0;
    bool number = text[start] == '-' || (text[start] >= '0' && text[start] <= '9');
    bool hex = false;
    for (char c; (c = text[p->at]) != '\0'; p->at++) {
        char before = p->at > start ? text[p->at - 1] | 0x20 : 0;
        bool sign = (c == '-' || c == '+') && number &&
                    (p->at == start ? c == '-' : before == 'e' && !hex);
        if (!is_word(c) && !sign)
            break;
        hex = hex || (c | 0x20) == 'x';
        if (n + 1 >= MAX_WORD)
            return BAD(p, start, "a word of more than %d characters", MAX_WORD - 1);
        word[n++] = c;
    }
    word[n] = '\0';
    if (n == 0)
        return BAD(p, start, text[start] == '\0' ? "it ends too early, a name or number is wanted"
                                                 : "a name or number is wanted here");
    return TSR_OK;
}

static enum tsr_status push(struct parser *p, size_t at, const struct tsr_node *node)
{
    if (p->out->n >= TSR_MAX_NODES)
        return BAD(p, at, "more than %d names, numbers and calls", TSR_MAX_NODES);
    p->out->node[p->out->n++] = *node;
    return TSR_OK;
}

static enum tsr_status take_f32(struct parser *p, size_t at, const char *word, int64_t *bits)
{
    char *end;
    /* strtof rounds once, to nearest even (glibc). */
    float f = strtof(word, &end);
    if (*end != '\0' || !isfinite(f))
        return BAD(p, at, "\"%s\": a finite f32 like 1.5 is allowed", word);
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    *bits = u;
    return TSR_OK;
}

static enum tsr_status take_number(struct parser *p, size_t at, const char *word)
{
    struct tsr_node node = {.kind = TSR_NODE_CONST};
    snprintf(node.name, sizeof node.name, "%.15s", word);
    bool hex = word[0] == '0' && (word[1] | 0x20) == 'x';
    if (p->kind != TSR_EXPR_LANES) {
        if (!tsr_text_int(word, &node.value))
            return BAD(p, at, "\"%s\": an integer of 64 bits is allowed", word);
    } else if (hex) {
        if (!tsr_text_int(word, &node.value) || node.value > UINT32_MAX)
            return BAD(p, at, "\"%s\": a pattern of 32 bits is allowed", word);
    } else if (strpbrk(word, ".eE") == NULL) {
        return BAD(p, at, "\"%s\": write %s.0 for the f32, or the bits as 0x...", word, word);
    } else {
        enum tsr_status st = take_f32(p, at, word, &node.value);
        if (st != TSR_OK)
            return st;
    }
    return push(p, at, &node);
}

/* Whether the row may read this operand in this expression; else says why. */
static enum tsr_status check_operand(struct parser *p, size_t at, const struct tsr_operand *o)
{
    bool imm = o->kind == TSR_KIND_UIMM || o->kind == TSR_KIND_SIMM;
    if (strcmp(o->name, "d") == 0)
        return BAD(p, at, "d: the target cannot be read, a source operand can name the same "
                          "register");
    if (p->kind == TSR_EXPR_LANES && o->kind != TSR_KIND_VREG)
        return BAD(p, at, "%s: only vector registers are allowed in lanes", o->name);
    if (p->kind == TSR_EXPR_VALUE && !imm && o->kind != TSR_KIND_XREG)
        return BAD(p, at, "%s: only scalar registers and immediates are allowed", o->name);
    if (p->kind == TSR_EXPR_CYCLES && (p->op->unit == TSR_UNIT_TCP || p->op->stream != 0))
        return BAD(p, at, "%s: only parameters and integers are allowed in this unit", o->name);
    if (p->kind == TSR_EXPR_CYCLES && !imm && o->kind != TSR_KIND_XREG)
        return BAD(p, at, "%s: only scalar registers and immediates are allowed", o->name);
    return TSR_OK;
}

static bool unit_knows(const struct tsr_op *op, int name)
{
    bool tcp = op->stream == TSR_STREAM_TCP;
    if (name == TSR_NAME_ROWS)
        return tcp && op->unit == TSR_UNIT_ACC;
    if (name == TSR_NAME_M || name == TSR_NAME_N)
        return tcp && (op->unit == TSR_UNIT_ACC || op->unit == TSR_UNIT_TTU);
    return tcp && op->unit == TSR_UNIT_TTU;
}

static enum tsr_status take_name(struct parser *p, size_t at, const char *word)
{
    struct tsr_node node = {0};
    snprintf(node.name, sizeof node.name, "%.15s", word);
    int i = tsr_op_operand(p->op, word);
    if (i >= 0) {
        enum tsr_status st = check_operand(p, at, &p->op->operand[i]);
        if (st != TSR_OK)
            return st;
        node.kind = TSR_NODE_OPERAND;
        node.index = (uint16_t)i;
        return push(p, at, &node);
    }
    node.kind = TSR_NODE_PARAM;
    if (p->kind == TSR_EXPR_CYCLES) {
        for (i = 0; i < p->isa->n_params; i++)
            if (strcmp(p->isa->params[i].name, word) == 0) {
                node.index = (uint16_t)i;
                return push(p, at, &node);
            }
        i = tsr_unit_name_find(word);
        if (i >= 0 && unit_knows(p->op, i)) {
            node.index = (uint16_t)(TSR_EXPR_UNIT_NAME + i);
            return push(p, at, &node);
        }
        return BAD(p, at, "\"%s\": neither an operand of %s nor a parameter nor a name that its "
                          "unit knows", word, p->op->mnemonic);
    }
    return BAD(p, at, "\"%s\": not an operand of %s", word, p->op->mnemonic);
}

static int find_function(const struct parser *p, const char *word, int *arity)
{
    *arity = 2;
    if (p->kind == TSR_EXPR_VALUE)
        return tsr_scalar_find(word);
    if (p->kind == TSR_EXPR_CYCLES)
        return tsr_cycle_find(word);
    int i = tsr_num_primitive_find(word);
    if (i >= 0)
        *arity = tsr_num_primitives[i].operands;
    return i;
}

static enum tsr_status take_expr(struct parser *p);

/* After "name(". */
static enum tsr_status take_call(struct parser *p, size_t at, const char *word)
{
    int arity, fn = find_function(p, word, &arity);
    if (fn < 0)
        return BAD(p, at, "\"%s\": no such function", word);
    if (++p->depth > MAX_DEPTH)
        return BAD(p, at, "calls nested more than %d deep", MAX_DEPTH);
    int n = 0;
    do {
        p->at++;
        enum tsr_status st = take_expr(p);
        if (st != TSR_OK)
            return st;
        n++;
        skip_blanks(p);
    } while (p->node->text[p->at] == ',');
    if (p->node->text[p->at] != ')')
        return BAD(p, p->at, "\",\" or \")\" is wanted here");
    p->at++;
    p->depth--;
    if (n != arity)
        return BAD(p, at, "%s: %d arguments, it takes %d", word, n, arity);
    struct tsr_node node = {.kind = TSR_NODE_CALL, .index = (uint16_t)fn, .arity = (uint8_t)arity};
    snprintf(node.name, sizeof node.name, "%.15s", word);
    return push(p, at, &node);
}

static enum tsr_status take_expr(struct parser *p)
{
    char word[MAX_WORD];
    skip_blanks(p);
    size_t at = p->at;
    enum tsr_status st = take_word(p, word);
    if (st != TSR_OK)
        return st;
    if (word[0] == '-' || (word[0] >= '0' && word[0] <= '9') || word[0] == '.')
        return take_number(p, at, word);
    skip_blanks(p);
    if (p->node->text[p->at] == '(')
        return take_call(p, at, word);
    return take_name(p, at, word);
}

enum tsr_status tsr_expr_parse(const struct tsr_doc *doc, const struct tsr_doc_node *node,
                               const char *key, enum tsr_expr_kind kind, const struct tsr_isa *isa,
                               const struct tsr_op *op, struct tsr_expr *out,
                               struct tsr_error *err)
{
    if (node->kind != TSR_DOC_SCALAR)
        return tsr_doc_bad(doc, node, key, err, "an expression is wanted");
    out->n = 0;
    struct parser p = {.doc = doc, .node = node, .key = key, .kind = kind, .isa = isa, .op = op,
                       .out = out, .err = err};
    enum tsr_status st = take_expr(&p);
    if (st != TSR_OK)
        return st;
    skip_blanks(&p);
    if (node->text[p.at] != '\0')
        return BAD(&p, p.at, "the expression should end here");
    return TSR_OK;
}

static void print_constant(const struct tsr_node *n, enum tsr_expr_kind kind, char *out, size_t cap)
{
    uint32_t bits = (uint32_t)n->value;
    float f;
    memcpy(&f, &bits, sizeof f);
    if (kind != TSR_EXPR_LANES) {
        snprintf(out, cap, "%" PRId64, n->value);
    } else if (n->name[0] == '0' && (n->name[1] | 0x20) == 'x') {
        snprintf(out, cap, "0x%08" PRIx32, bits);
    } else { /* nine digits tell all f32 apart */
        int used = snprintf(out, cap, "%.9g", f);
        if (strpbrk(out, ".e") == NULL && used > 0 && (size_t)used < cap)
            snprintf(out + used, cap - (size_t)used, ".0");
    }
}

/* Prints the subexpression that ends before node *i, and moves *i to its start. */
static void print_sub(const struct tsr_expr *e, enum tsr_expr_kind kind, unsigned *i, char *out,
                      size_t cap)
{
    const struct tsr_node *n = &e->node[--*i];
    if (n->kind == TSR_NODE_CONST) {
        print_constant(n, kind, out, cap);
        return;
    }
    snprintf(out, cap, "%s", n->name);
    if (n->kind != TSR_NODE_CALL)
        return;
    /* Arguments come last first: each is printed apart and put in front. */
    char list[512] = "", one[512], joined[512];
    for (unsigned a = 0; a < n->arity; a++) {
        print_sub(e, kind, i, one, sizeof one);
        snprintf(joined, sizeof joined, "%.240s%s%.240s", one, a > 0 ? ", " : "", list);
        memcpy(list, joined, sizeof list);
    }
    snprintf(out, cap, "%s(%s)", n->name, list);
}

void tsr_expr_print(const struct tsr_expr *e, enum tsr_expr_kind kind, char *out, size_t cap)
{
    unsigned i = e->n;
    out[0] = '\0';
    if (i > 0)
        print_sub(e, kind, &i, out, cap);
}
