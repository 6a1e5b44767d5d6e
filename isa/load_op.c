/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of instructions: everything but their operands' fields. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/exec_names.h"
#include "isa/expr.h"
#include "isa/load.h"
#include "isa/num/num.h"

static const char *const row_keys[] = {"mnemonic", "stream", "unit",      "opcode",  "exec",
                                       "sems",     "memory", "named",     "operands", "value",
                                       "lanes",    "reduce", "occupancy", "latency", "doc", NULL};

enum { MAX_LANE_SOURCES = 3 }; /* read ports of the vector registers */

#define BAD(l, row, node, key, ...) tsr_doc_bad((row)->doc, node, key, (l)->err, __VA_ARGS__)

static enum tsr_status read_flag(struct tsr_loader *l, const struct tsr_loaded_row *row,
                                 const char *key, bool *out)
{
    *out = false;
    if (tsr_doc_get(row->node, key) == NULL)
        return TSR_OK;
    return tsr_doc_bool(row->doc, row->node, key, out, l->err);
}

static enum tsr_status read_head(struct tsr_loader *l, const struct tsr_loaded_row *row,
                                 struct tsr_op *op)
{
    int unit = 0;
    int64_t opcode = 0;
    enum tsr_status st = tsr_doc_keys(row->doc, row->node, row_keys, l->err);
    if (st == TSR_OK)
        st = tsr_doc_word(row->doc, row->node, "unit", tsr_unit_words, &unit, l->err);
    if (st == TSR_OK) /* opcode 0 stays illegal, so that cleared memory is no program */
        st = tsr_doc_int(row->doc, row->node, "opcode", 1, TSR_MAX_OPS - 1, &opcode, l->err);
    if (st == TSR_OK)
        st = tsr_doc_name(row->doc, row->node, "exec", op->exec, sizeof op->exec, l->err);
    if (st == TSR_OK)
        st = tsr_doc_text(row->doc, row->node, "doc", op->doc, sizeof op->doc, l->err);
    if (st == TSR_OK)
        st = read_flag(l, row, "memory", &op->memory);
    if (st == TSR_OK)
        st = read_flag(l, row, "named", &op->named);
    op->unit = (enum tsr_unit)unit;
    op->opcode = (uint8_t)opcode;
    op->used[0] = 0xff;
    op->line = row->node->line;
    op->source = row->source;
    return st;
}

static enum tsr_status read_fields(struct tsr_loader *l, const struct tsr_loaded_row *row,
                                   struct tsr_op *op)
{
    bool sems;
    enum tsr_status st = read_flag(l, row, "sems", &sems);
    const struct tsr_doc_node *list = NULL;
    if (st == TSR_OK && tsr_doc_get(row->node, "operands") != NULL)
        st = tsr_doc_child(row->doc, row->node, "operands", TSR_DOC_SEQ, &list, l->err);
    if (st == TSR_OK && sems && op->stream != TSR_STREAM_TCP)
        return BAD(l, row, tsr_doc_get(row->node, "sems"), "sems",
                   "only instructions of stream tcp have semaphore slots");
    /* The slots are read first, so that an operand is blamed where it overlaps one; they are moved
     * behind the operands afterwards, where the assembly text has them. */
    if (st == TSR_OK && sems)
        st = tsr_load_operands(l, l->sems_doc, l->sems, true, op);
    unsigned n_sems = op->n_operands;
    if (st == TSR_OK && list != NULL)
        st = tsr_load_operands(l, row->doc, list, false, op);
    if (st != TSR_OK)
        return st;
    struct tsr_operand slots[TSR_MAX_OPERANDS];
    memcpy(slots, op->operand, n_sems * sizeof *slots);
    memmove(op->operand, op->operand + n_sems, (op->n_operands - n_sems) * sizeof *slots);
    memcpy(op->operand + op->n_operands - n_sems, slots, n_sems * sizeof *slots);
    return TSR_OK;
}

static enum tsr_status read_expr(struct tsr_loader *l, const struct tsr_loaded_row *row,
                                 const char *key, enum tsr_expr_kind kind, struct tsr_op *op,
                                 struct tsr_expr *out)
{
    const struct tsr_doc_node *node;
    enum tsr_status st = tsr_doc_child(row->doc, row->node, key, TSR_DOC_SCALAR, &node, l->err);
    if (st != TSR_OK)
        return st;
    return tsr_expr_parse(row->doc, node, key, kind, l->isa, op, out, l->err);
}

/* A row has exactly the expression that its handler runs. */
static enum tsr_status check_meaning_keys(struct tsr_loader *l, const struct tsr_loaded_row *row,
                                          const struct tsr_exec *exec)
{
    static const char *const keys[] = {NULL, "value", "lanes", "reduce"};
    for (int i = 1; i < 4; i++) {
        const struct tsr_doc_node *given = tsr_doc_get(row->node, keys[i]);
        if (given != NULL && (enum tsr_exec_expr)i != exec->expr)
            return BAD(l, row, given, keys[i], "exec %s does not take it", exec->name);
        if (given == NULL && (enum tsr_exec_expr)i == exec->expr)
            return BAD(l, row, row->node, keys[i], "missing, exec %s runs it", exec->name);
    }
    return TSR_OK;
}

static enum tsr_status read_meaning(struct tsr_loader *l, const struct tsr_loaded_row *row,
                                    const struct tsr_exec *exec, struct tsr_op *op)
{
    enum tsr_status st = check_meaning_keys(l, row, exec);
    if (st != TSR_OK)
        return st;
    if (exec->expr == TSR_EXEC_VALUE)
        st = read_expr(l, row, "value", TSR_EXPR_VALUE, op, &op->value);
    else if (exec->expr == TSR_EXEC_LANES)
        st = read_expr(l, row, "lanes", TSR_EXPR_LANES, op, &op->lanes);
    else if (exec->expr == TSR_EXEC_REDUCE) {
        st = tsr_doc_text(row->doc, row->node, "reduce", op->reduce, sizeof op->reduce, l->err);
        if (st == TSR_OK && tsr_num_reduction_find(op->reduce) < 0)
            return BAD(l, row, tsr_doc_get(row->node, "reduce"), "reduce",
                       "\"%s\": allowed are add, max, min, iadd, imax, imin, maxmag", op->reduce);
    }
    if (st == TSR_OK)
        st = read_expr(l, row, "occupancy", TSR_EXPR_CYCLES, op, &op->occupancy);
    if (st == TSR_OK && tsr_doc_get(row->node, "latency") != NULL)
        st = read_expr(l, row, "latency", TSR_EXPR_CYCLES, op, &op->latency);
    return st;
}

static bool reads(const struct tsr_expr *e, int operand)
{
    for (int i = 0; i < e->n; i++)
        if (e->node[i].kind == TSR_NODE_OPERAND && e->node[i].index == operand)
            return true;
    return false;
}

static char kind_letter(enum tsr_operand_kind kind)
{
    return "xvausfl.."[kind];
}

/* Looks up "name:kind" words of the handler's list; *letter is that of `name`, or 0. */
static void listed(const char *list, const char *name, char *letter)
{
    *letter = 0;
    size_t n = strlen(name);
    for (const char *w = list; *w != '\0'; w += strcspn(w, " "), w += *w == ' ')
        if (strncmp(w, name, n) == 0 && w[n] == ':')
            *letter = w[n + 1];
}

static enum tsr_status check_required(struct tsr_loader *l, const struct tsr_loaded_row *row,
                                      const struct tsr_exec *exec, const struct tsr_op *op)
{
    const struct tsr_doc_node *at = tsr_doc_get(row->node, "exec");
    for (const char *w = exec->operands; *w != '\0'; w += strcspn(w, " "), w += *w == ' ') {
        char name[16];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(w, ":"), w);
        int i = tsr_op_operand(op, name);
        char want = w[strlen(name) + 1];
        if (i < 0)
            return BAD(l, row, at, "exec", "%s needs an operand %s, it takes %s", exec->name, name,
                       exec->operands);
        if (kind_letter(op->operand[i].kind) != want)
            return BAD(l, row, at, "exec",
                       "%s: operand %s has kind %s, it takes %s (x v a registers, u s immediate, "
                       "f format, l label)", exec->name, name,
                       tsr_kind_words[op->operand[i].kind], exec->operands);
    }
    return TSR_OK;
}

/* No operand without effect; sources within the read ports. */
static enum tsr_status check_extra(struct tsr_loader *l, const struct tsr_loaded_row *row,
                                   const struct tsr_exec *exec, const struct tsr_op *op)
{
    const struct tsr_doc_node *at = tsr_doc_get(row->node, "exec");
    int sources = 0;
    for (int i = 0; i < op->n_operands; i++) {
        const struct tsr_operand *o = &op->operand[i];
        if (o->kind == TSR_KIND_WAIT || o->kind == TSR_KIND_POST)
            continue;
        bool used = reads(&op->value, i) || reads(&op->lanes, i);
        char letter;
        listed(exec->operands, o->name, &letter);
        if (letter == 0 && !used)
            return BAD(l, row, at, "exec", "operand %s has no effect, %s takes%s%s%s", o->name,
                       exec->name, *exec->operands ? " " : " none", exec->operands,
                       exec->expr == TSR_EXEC_VALUE || exec->expr == TSR_EXEC_LANES
                           ? " and what its expression names" : "");
        sources += used && o->kind == TSR_KIND_VREG;
    }
    if (sources > MAX_LANE_SOURCES)
        return BAD(l, row, tsr_doc_get(row->node, "lanes"), "lanes",
                   "%d source registers, at most %d are allowed", sources, MAX_LANE_SOURCES);
    return TSR_OK;
}

static enum tsr_status check_exec(struct tsr_loader *l, const struct tsr_loaded_row *row,
                                  const struct tsr_exec *exec, const struct tsr_op *op)
{
    if (op->unit != exec->unit)
        return BAD(l, row, tsr_doc_get(row->node, "unit"), "unit", "%s, exec %s belongs to unit %s",
                   tsr_unit_words[op->unit], exec->name, tsr_unit_words[exec->unit]);
    bool sems = op->n_operands > 0 && op->operand[op->n_operands - 1].kind >= TSR_KIND_WAIT;
    const struct tsr_doc_node *at = tsr_doc_get(row->node, "sems");
    if (sems != exec->sems)
        return BAD(l, row, at != NULL ? at : row->node, "sems", "exec %s wants %s", exec->name,
                   exec->sems ? "true" : "no semaphore slots");
    at = tsr_doc_get(row->node, "memory");
    if (op->memory != exec->memory)
        return BAD(l, row, at != NULL ? at : row->node, "memory", "exec %s wants %s", exec->name,
                   exec->memory ? "true" : "false");
    return TSR_OK;
}

enum tsr_status tsr_load_op(struct tsr_loader *l, const struct tsr_loaded_row *row,
                            struct tsr_op *op)
{
    memset(op, 0, sizeof *op);
    snprintf(op->mnemonic, sizeof op->mnemonic, "%s", row->name);
    op->stream = row->stream;
    enum tsr_status st = read_head(l, row, op);
    if (st != TSR_OK)
        return st;
    const struct tsr_exec *exec = tsr_isa_exec(op->stream, op->exec);
    if (exec == NULL)
        return BAD(l, row, tsr_doc_get(row->node, "exec"), "exec",
                   "\"%s\": no such handler in stream %s", op->exec, tsr_stream_words[op->stream]);
    st = read_fields(l, row, op);
    if (st == TSR_OK)
        st = check_exec(l, row, exec, op);
    if (st == TSR_OK)
        st = check_required(l, row, exec, op);
    if (st == TSR_OK)
        st = read_meaning(l, row, exec, op);
    if (st == TSR_OK)
        st = check_extra(l, row, exec, op);
    return st;
}

static int by_opcode(const void *a, const void *b)
{
    const struct tsr_op *x = a, *y = b;
    return x->stream != y->stream ? (int)x->stream - (int)y->stream
                                  : (int)x->opcode - (int)y->opcode;
}

enum tsr_status tsr_load_index(struct tsr_loader *l)
{
    struct tsr_isa *isa = l->isa;
    for (uint32_t i = 0; i < l->n_ops; i++)
        for (uint32_t k = 0; k < i; k++) {
            if (by_opcode(&isa->ops[i], &isa->ops[k]) != 0)
                continue;
            /* Rows still stand in the order of l->ops; the later one is blamed. */
            const struct tsr_loaded_row *row = &l->ops[i], *other = &l->ops[k];
            return BAD(l, row, tsr_doc_get(row->node, "opcode"), "opcode",
                       "0x%02x of %s is that of %s already (%s:%u)", isa->ops[i].opcode, row->name,
                       other->name, other->doc->file, other->node->line);
        }
    qsort(isa->ops, isa->n_ops, sizeof *isa->ops, by_opcode);
    for (uint16_t i = 0; i < isa->n_ops; i++)
        isa->by_opcode[isa->ops[i].stream][isa->ops[i].opcode] = (uint16_t)(i + 1);
    return TSR_OK;
}
