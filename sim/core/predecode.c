/* SPDX-License-Identifier: Apache-2.0 */
/* Programs to runnable words: operands in the handlers' order, expressions with names resolved. */
#include <stdlib.h>
#include <string.h>

#include "isa/expr.h"
#include "isa/num/element.h"
#include "isa/num/num.h"
#include "sim/core/machine.h"

/* A handler's operand names: registers (scalar, vector, address) and immediates, in its order. */
struct handler {
    const char *name;
    enum tsr_stream stream;
    uint8_t exec;
    const char *regs, *imms;
};

static const struct handler handlers[] = {
    {"nop", TSR_STREAM_TCP, EX_NOP, "", ""},
    {"halt", TSR_STREAM_TCP, EX_HALT, "", ""},
    {"wait", TSR_STREAM_TCP, EX_WAIT, "", ""},
    {"jump", TSR_STREAM_TCP, EX_JUMP, "", "target"},
    {"branch", TSR_STREAM_TCP, EX_BRANCH, "", "target"},
    {"loop", TSR_STREAM_TCP, EX_LOOP, "n", "end"},
    {"alu", TSR_STREAM_TCP, EX_ALU, "", ""},
    {"load32", TSR_STREAM_TCP, EX_LOAD, "a", "imm"},
    {"load64", TSR_STREAM_TCP, EX_LOAD, "a", "imm"},
    {"store32", TSR_STREAM_TCP, EX_STORE, "a s", "imm"},
    {"store64", TSR_STREAM_TCP, EX_STORE, "a s", "imm"},
    {"sync", TSR_STREAM_TCP, EX_SYNC, "", ""},
    {"mma", TSR_STREAM_TCP, EX_MMA, "a as b bs m n k c e asc bsc", "af bf at bt acc across sc"},
    {"drain", TSR_STREAM_TCP, EX_DRAIN, "dst ds m n c bias", "fmt across bi int"},
    {"fill", TSR_STREAM_TCP, EX_FILL, "src ss m n c", "fmt across"},
    {"vcall", TSR_STREAM_TCP, EX_VCALL, "r0 r1 r2 r3 r4 r5 r6 r7", "routine"},
    {"copy", TSR_STREAM_TCP, EX_COPY, "dst src len n1 ss1 ds1 n2 ss2 ds2 n3 ss3 ds3 mask", "ch mc"},
    {"gather", TSR_STREAM_TCP, EX_GATHER, "dst src len idx n ss ds", "ch"},
    {"scatter", TSR_STREAM_TCP, EX_SCATTER, "dst src len idx n ss ds", "ch"},
    {"transpose", TSR_STREAM_TCP, EX_TRANSPOSE, "dst src rows cols ss ds", "ch size"},
    {"to_control", TSR_STREAM_TCP, EX_TO_CONTROL, "dst src n", "ch id"},
    {"rpost", TSR_STREAM_TCP, EX_RPOST, "mask", "ch sem"},
    {"vret", TSR_STREAM_TVP, VX_RET, "", ""},
    {"vloop", TSR_STREAM_TVP, VX_LOOP, "n", "end"},
    {"aadd", TSR_STREAM_TVP, VX_AADD, "d a b", ""},
    {"aaddi", TSR_STREAM_TVP, VX_AADDI, "d a", "imm"},
    {"ali", TSR_STREAM_TVP, VX_ALI, "d", "imm"},
    {"vlen", TSR_STREAM_TVP, VX_LEN, "n", ""},
    {"vld", TSR_STREAM_TVP, VX_LD, "d a", "inc fmt n"},
    {"vldb", TSR_STREAM_TVP, VX_LDB, "d a", "inc fmt"},
    {"vst", TSR_STREAM_TVP, VX_ST, "s a", "inc fmt n"},
    {"vlds", TSR_STREAM_TVP, VX_LDS, "d a", "inc fmt n"},
    {"vsts", TSR_STREAM_TVP, VX_STS, "s a", "inc fmt n"},
    {"vlda", TSR_STREAM_TVP, VX_LDA, "d a", "inc"},
    {"vsplat", TSR_STREAM_TVP, VX_SPLAT, "d a", ""},
    {"vimm", TSR_STREAM_TVP, VX_IMM, "d", "imm"},
    {"vidx", TSR_STREAM_TVP, VX_IDX, "d", ""},
    {"lanes", TSR_STREAM_TVP, VX_LANES, "", ""},
    {"reduce", TSR_STREAM_TVP, VX_REDUCE, "d a", ""},
    {"segment", TSR_STREAM_TVP, VX_SEGMENT, "d a", "n"},
};

static const struct handler *find_handler(const struct tsr_op *op)
{
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
        if (handlers[i].stream == op->stream && !strcmp(handlers[i].name, op->exec))
            return &handlers[i];
    return NULL;
}

/* ---- expressions --------------------------------------------------------------------------------
 */

int64_t expr_scalar(const struct xprog *x, const int64_t *slots, const int64_t *env)
{
    int64_t st[TSR_MAX_NODES];
    int n = 0;
    for (int i = 0; i < x->n; i++) {
        const struct xnode *e = &x->node[i];
        switch (e->kind) {
        case TSR_NODE_CONST:
            st[n++] = e->value;
            break;
        case TSR_NODE_OPERAND:
            st[n++] = slots[e->slot];
            break;
        case TSR_NODE_PARAM:
            st[n++] = env[e->slot];
            break;
        default:
            n--;
            st[n - 1] = x->cycles ? tsr_cycle_apply((enum tsr_cycle_fn)e->fn, st[n - 1], st[n])
                                  : tsr_scalar_apply((enum tsr_scalar_fn)e->fn, st[n - 1], st[n]);
        }
    }
    return n == 1 ? st[0] : 0;
}

/* Resolves a row's expression. Operands become slots: the index in the row, or for lane expressions
 * the number of the source register among the row's vector registers (the first is the target). */
static bool resolve(struct tsr_sim *s, const struct tsr_op *op, const struct tsr_expr *e,
                    bool lanes, struct xprog *out)
{
    out->n = 0;
    out->cycles = e == &op->occupancy || e == &op->latency;
    for (int i = 0; i < e->n; i++) {
        const struct tsr_node *in = &e->node[i];
        struct xnode *x = &out->node[out->n++];
        *x = (struct xnode){.kind = (uint8_t)in->kind, .value = in->value, .arity = in->arity};
        int k = 0;
        switch (in->kind) {
        case TSR_NODE_CONST:
            break;
        case TSR_NODE_OPERAND:
            /* a unit's row speaks of the value in the register that k, m or n names */
            k = op->value.n || lanes ? -1 : tsr_unit_name_find(in->name);
            if (k >= 0) {
                x->kind = TSR_NODE_PARAM;
                x->slot = (uint8_t)k;
                break;
            }
            k = 0;
            x->slot = (uint8_t)in->index;
            if (lanes) {
                int src = -1;
                for (int j = 0; j <= in->index; j++)
                    src += op->operand[j].kind == TSR_KIND_VREG;
                x->slot = (uint8_t)(src - 1);
            }
            break;
        case TSR_NODE_PARAM:
            k = tsr_unit_name_find(in->name);
            if (k >= 0) {
                x->slot = (uint8_t)k;
            } else {
                x->kind = TSR_NODE_CONST;
                x->value = tsr_isa_param(s->isa, in->name, 0);
            }
            break;
        default:
            k = lanes ? tsr_num_primitive_find(in->name)
                      : in->index; /* as the loader resolved it */
            x->fn = (uint8_t)k;
        }
        if (k < 0 && in->kind == TSR_NODE_CALL)
            return false;
    }
    return true;
}

static int64_t constant_expr(struct tsr_sim *s, const struct tsr_op *op, const struct tsr_expr *e,
                             int64_t absent)
{
    struct xprog x;
    int64_t slots[TSR_MAX_OPERANDS] = {0}, env[TSR_UNIT_NAMES] = {0};
    if (e->n == 0 || !resolve(s, op, e, false, &x))
        return absent;
    return expr_scalar(&x, slots, env);
}

/* ---- words
 * ----------------------------------------------------------------------------------------- */

/* Copies the operands named in the blank-separated list to out[]; false if one is missing. */
static bool bind(const struct tsr_insn *in, const char *names, int64_t *out, uint8_t *n)
{
    char name[16];
    *n = 0;
    while (*names) {
        size_t len = strcspn(names, " ");
        memcpy(name, names, len);
        name[len] = 0;
        int k = tsr_op_operand(in->op, name);
        if (k < 0)
            return false;
        out[(*n)++] = in->v[k];
        names += len;
        names += *names == ' ';
    }
    return true;
}

static void bind_sems(const struct tsr_insn *in, struct uop *u)
{
    static const char *const names[4] = {"w0", "w1", "p0", "p1"};
    for (int i = 0; i < 4; i++) {
        int k = tsr_op_operand(in->op, names[i]);
        if (k < 0)
            continue;
        struct sem_slot sl = {.id = (uint8_t)(in->v[k] & 63), .amount = (uint8_t)(in->v[k] >> 6)};
        if (i < 2)
            u->wait[i] = sl;
        else
            u->post[i - 2] = sl;
    }
}

/* ALU and branch: sources are the operands a, b, imm of the row; the common single call is kept in
 * alu_fn with sources 0..: register a, register b, immediate. */
static void bind_alu(const struct tsr_insn *in, struct uop *u, const struct xprog *x)
{
    int ka = tsr_op_operand(in->op, "a"), kb = tsr_op_operand(in->op, "b");
    int ki = tsr_op_operand(in->op, "imm"), kd = tsr_op_operand(in->op, "d");
    u->reg[0] = ka >= 0 ? (uint8_t)in->v[ka] : 0;
    u->reg[1] = kb >= 0 ? (uint8_t)in->v[kb] : 0;
    u->n_regs = 2;
    u->imm[1] = ki >= 0 ? in->v[ki] : 0;
    u->d = kd >= 0 ? (uint8_t)in->v[kd] : 0;
    u->expr = x;
    u->alu_fn = 0xFF;
    if (x->n == 1 && x->node[0].kind == TSR_NODE_OPERAND && kb < 0) { /* li: the operand + x0 */
        u->alu_fn = TSR_SCALAR_ADD;
        u->alu_src[0] = x->node[0].slot == ka ? 0 : 2;
        u->alu_src[1] = 1;
    }
    if (x->n == 3 && x->node[2].kind == TSR_NODE_CALL && x->node[0].kind == TSR_NODE_OPERAND &&
        x->node[1].kind == TSR_NODE_OPERAND) {
        u->alu_fn = x->node[2].fn;
        for (int i = 0; i < 2; i++)
            u->alu_src[i] = x->node[i].slot == ka ? 0 : x->node[i].slot == kb ? 1 : 2;
    }
}

/* One resolved expression per row, shared by all words of that row. */
static struct xprog *row_expr(struct tsr_sim *s, const struct tsr_op *op)
{
    return &s->exprs[op - s->isa->ops];
}

static bool make_exprs(struct tsr_sim *s)
{
    if (s->exprs)
        return true;
    s->exprs = calloc(s->isa->n_ops ? s->isa->n_ops : 1, sizeof *s->exprs);
    if (!s->exprs)
        return false;
    s->n_exprs = s->isa->n_ops;
    for (uint32_t i = 0; i < s->n_exprs; i++) {
        const struct tsr_op *op = &s->isa->ops[i];
        const struct tsr_expr *e = op->lanes.n   ? &op->lanes
                                   : op->value.n ? &op->value
                                                 : &op->occupancy;
        if (!resolve(s, op, e, op->lanes.n != 0, &s->exprs[i]))
            return false;
    }
    return true;
}

/* The highest semaphore that the word names. */
static uint32_t top_semaphore(const struct uop *u)
{
    uint32_t top = u->exec == EX_RPOST ? (uint32_t)u->imm[RPOST_SEM] : 0;
    for (int i = 0; i < 2; i++) {
        if (u->wait[i].amount && u->wait[i].id > top)
            top = u->wait[i].id;
        if (u->post[i].amount && u->post[i].id > top)
            top = u->post[i].id;
    }
    return top;
}

static bool tcp_word(struct tsr_sim *s, const struct tsr_insn *in, struct uop *u)
{
    const struct handler *h = find_handler(in->op);
    int64_t regs[MAX_REGS];
    uint8_t n_imms;
    memset(u, 0, sizeof *u);
    if (!h || !bind(in, h->regs, regs, &u->n_regs) || !bind(in, h->imms, u->imm, &n_imms))
        return false;
    for (int i = 0; i < u->n_regs; i++)
        u->reg[i] = (uint8_t)regs[i];
    u->exec = h->exec;
    u->unit = (uint8_t)in->op->unit;
    u->op = in->op;
    u->expr = row_expr(s, in->op);
    int kd = tsr_op_operand(in->op, "d");
    u->d = kd >= 0 ? (uint8_t)in->v[kd] : 0;
    if (h->exec == EX_ALU || h->exec == EX_BRANCH)
        bind_alu(in, u, u->expr);
    if (h->exec == EX_LOAD || h->exec == EX_STORE)
        u->imm[1] = strstr(in->op->exec, "64") ? 8 : 4; /* bytes */
    if (h->exec == EX_MMA) {
        struct tsr_num_plan plan;
        struct tsr_error ignored = {0};
        const struct tsr_format *a = &s->isa->formats[u->imm[MMA_AF]],
                                *b = &s->isa->formats[u->imm[MMA_BF]];
        u->no_pair = tsr_num_plan(a, b, 1, &plan, &ignored) != TSR_OK ||
                     (u->imm[MMA_AT] && a->block > 1) || (u->imm[MMA_BT] && b->block > 1);
    }
    bind_sems(in, u);
    u->cycles = (uint32_t)constant_expr(s, in->op, &in->op->occupancy, 1);
    return true;
}

/* What a vector load or store of the format moves: elements, or a scale for each block. */
static bool bind_memory(const struct tsr_sim *s, struct vop *v, uint8_t format)
{
    const struct tsr_format *f = &s->isa->formats[format];
    uint32_t lanes = s->chip->tile.tvp.lanes;
    struct tsr_num_group g = tsr_num_element_group(f);
    v->format = format;
    v->regs = 1;
    if (v->exec == VX_LDS || v->exec == VX_STS) {
        g = (struct tsr_num_group){f->block, f->scale_bits / 8u};
        v->size = (uint8_t)g.bytes;
        v->group = (uint16_t)g.elems;
        v->group_bytes = (uint16_t)g.bytes;
        return tsr_num_has_scale(f);
    }
    if (f->code == TSR_I32)
        g = (struct tsr_num_group){1, 4};
    v->size = (uint8_t)(g.elems == 1 ? g.bytes : 1);
    v->group = (uint16_t)g.elems;
    v->group_bytes = (uint16_t)g.bytes;
    if (f->family == TSR_FAMILY_SMX && g.elems > lanes)
        v->regs = (uint8_t)(g.elems / lanes);
    return g.elems > 0 && (v->exec != VX_LDB || g.elems == 1) && g.elems <= v->regs * lanes;
}

static bool tvp_word(struct tsr_sim *s, const struct tsr_insn *in, struct vop *v)
{
    const struct handler *h = find_handler(in->op);
    int64_t r[4] = {NO_REG, NO_REG, NO_REG, NO_REG}, im[MAX_IMMS] = {0};
    uint8_t n = 0, n_imms = 0;
    memset(v, 0, sizeof *v);
    if (!h || !bind(in, h->regs, r, &n) || !bind(in, h->imms, im, &n_imms))
        return false;
    v->exec = h->exec;
    v->op = in->op;
    v->memory = in->op->memory;
    v->primitive = 0xFFFF;
    v->latency = (uint16_t)constant_expr(s, in->op, &in->op->latency, 1);
    if (h->exec == VX_LANES) {
        uint8_t reg[4], k = 0;
        for (int i = 0; i < in->op->n_operands && k < 4; i++)
            if (in->op->operand[i].kind == TSR_KIND_VREG)
                reg[k++] = (uint8_t)in->v[i];
        for (int i = k; i < 4; i++)
            reg[i] = NO_REG;
        v->d = reg[0], v->a = reg[1], v->b = reg[2], v->c = reg[3];
        v->n_src = (uint8_t)(k ? k - 1 : 0);
        v->expr = row_expr(s, in->op);
        bool plain = v->expr->n == v->n_src + 1 && v->expr->node[v->n_src].kind == TSR_NODE_CALL;
        for (int i = 0; plain && i < v->n_src; i++)
            plain = v->expr->node[i].kind == TSR_NODE_OPERAND && v->expr->node[i].slot == i;
        if (plain)
            v->primitive = v->expr->node[v->n_src].fn;
        return k > 0;
    }
    v->d = (uint8_t)r[0], v->a = (uint8_t)r[1], v->b = (uint8_t)r[2], v->c = NO_REG;
    v->imm = im[0];
    if (h->exec == VX_REDUCE || h->exec == VX_SEGMENT) {
        int k = tsr_num_reduction_find(in->op->reduce);
        v->primitive = (uint16_t)k;
        return k >= 0;
    }
    if (in->op->memory && h->exec != VX_LDA) {
        v->most = (uint16_t)(im[2] ? im[2] : TSR_NUM_MAX_LANES);
        return bind_memory(s, v, (uint8_t)im[1]);
    }
    return true;
}

enum tsr_status predecode(struct tsr_sim *s, const struct tsr_program *p, struct code *out,
                          struct tsr_error *err)
{
    struct tsr_insn in;
    if (p->n_tcp > s->chip->tile.program_words || p->n_tvp > s->chip->tile.tvp.routine_words)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "program: %u TCP words and %u TVP words, %s takes at most %u and %u",
                             p->n_tcp, p->n_tvp, s->chip->name, s->chip->tile.program_words,
                             s->chip->tile.tvp.routine_words);
    out->n_tcp = p->n_tcp;
    out->n_tvp = p->n_tvp;
    out->tcp = calloc(p->n_tcp ? p->n_tcp : 1, sizeof *out->tcp);
    out->tvp = calloc(p->n_tvp ? p->n_tvp : 1, sizeof *out->tvp);
    if (!out->tcp || !out->tvp || !make_exprs(s))
        return tsr_error_set(err, TSR_INTERNAL,
                             "program: out of memory or an undefined expression");
    for (uint32_t i = 0; i < p->n_tcp; i++) {
        struct tsr_error ignored = {0};
        /* An illegal word is a fault when it is reached, not before: op stays null. */
        if (tsr_decode(s->isa, TSR_STREAM_TCP, p->tcp[i], &in, &ignored) == TSR_OK &&
            !tcp_word(s, &in, &out->tcp[i]))
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "program: word %u: %s lacks an operand its unit needs", i,
                                 in.op->mnemonic);
        if (top_semaphore(&out->tcp[i]) >= s->chip->tile.semaphores)
            return tsr_error_set(err, TSR_BAD_INPUT, "program: word %u: s%u, %s has %u semaphores",
                                 i, top_semaphore(&out->tcp[i]), s->chip->name,
                                 s->chip->tile.semaphores);
    }
    for (uint32_t i = 0; i < p->n_tvp; i++) {
        struct tsr_error ignored = {0};
        struct tsr_word w = {{p->tvp[i], 0}};
        if (tsr_decode(s->isa, TSR_STREAM_TVP, w, &in, &ignored) == TSR_OK &&
            !tvp_word(s, &in, &out->tvp[i]))
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "program: vector word %u: %s lacks an operand it needs", i,
                                 in.op->mnemonic);
    }
    return TSR_OK;
}

void predecode_free(struct tsr_sim *s, struct code *code)
{
    (void)s;
    free(code->tcp);
    free(code->tvp);
    memset(code, 0, sizeof *code);
}
