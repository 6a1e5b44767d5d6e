/* SPDX-License-Identifier: Apache-2.0 */
/* What the control processor does with a word, as functions of tsr_isa_pkg: which handler and unit
 * a row has, where its operands lie, what its value expression gives. A new row of a known handler
 * needs no line of SystemVerilog. Inside a function yosys sees no enum: literals throughout. */
#include <inttypes.h>
#include <string.h>

#include "isa/code.h"
#include "isa/exec_names.h"
#include "isa/expr.h"
#include "isa/gen/gen.h"

static const char *const unit_names[TSR_UNITS] = {"TCP", "TTU", "ACC", "TVP", "TDMA"};

static bool is_tcp(const struct tsr_op *op)
{
    return op->stream == TSR_STREAM_TCP;
}

/* The number of the row's handler: its place among the handlers of the stream, from 1. */
static int exec_number(const struct tsr_op *op)
{
    int n = 1;
    for (const struct tsr_exec *e = tsr_isa_execs(); e->name != NULL; e++) {
        if (e->stream != op->stream)
            continue;
        if (strcmp(e->name, op->exec) == 0)
            return n;
        n++;
    }
    return 0;
}

static void put_execs(FILE *out, enum tsr_stream s, const char *prefix, const char *type)
{
    char name[32];
    int n = 1;
    fprintf(out,
            "\n  // Handlers, the column exec.\n  typedef enum logic [4:0] {\n    %s_NONE = 5'd0",
            prefix);
    for (const struct tsr_exec *e = tsr_isa_execs(); e->name != NULL; e++)
        if (e->stream == s)
            fprintf(out, ",\n    %s_%s = 5'd%d", prefix, tsr_gen_upper(e->name, name, sizeof name),
                    n++);
    fprintf(out, "\n  } %s;\n", type);
}

void tsr_gen_function(FILE *out, const struct tsr_isa *isa, enum tsr_stream s, const char *name,
                      int bits, bool (*row)(FILE *, const struct tsr_isa *, const struct tsr_op *))
{
    fprintf(out,
            "\n  function automatic logic [%d:0] %s(input logic [%d:0] word);\n"
            "    case (word[7:0])\n",
            bits - 1, name, s == TSR_STREAM_TCP ? 127 : 63);
    for (int i = 0; i < isa->n_ops; i++) {
        const struct tsr_op *op = &isa->ops[i];
        char text[4096] = "";
        FILE *line = fmemopen(text, sizeof text, "w");
        if (op->stream == s && line != NULL && row(line, isa, op)) {
            fclose(line);
            fprintf(out, "      8'h%02x: %s = %s;\n", op->opcode, name, text);
        } else if (line != NULL) {
            fclose(line);
        }
    }
    fprintf(out, "      default: %s = '0;\n    endcase\n  endfunction\n", name);
}

static bool row_exec(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    (void)isa;
    fprintf(out, "5'd%d", exec_number(op));
    return true;
}

bool tsr_gen_field(FILE *out, const struct tsr_op *op, const char *name)
{
    int k = tsr_op_operand(op, name);
    if (k < 0)
        return false;
    fprintf(out, "word[%d:%d]", op->operand[k].at + op->operand[k].width - 1, op->operand[k].at);
    return true;
}

static bool row_queue(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    (void)isa;
    fprintf(out, "3'd%d", (int)op->unit);
    if (op->unit != TSR_UNIT_TDMA)
        return op->unit != TSR_UNIT_TCP;
    fprintf(out, " + 3'(");
    tsr_gen_field(out, op, "ch");
    fprintf(out, ")");
    return true;
}

static bool row_cycles(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    if (op->unit != TSR_UNIT_TCP || op->occupancy.n == 0)
        return false;
    fprintf(out, "8'd%" PRId64, tsr_expr_eval(&op->occupancy, TSR_EXPR_CYCLES, isa, NULL, NULL));
    return true;
}

/* Registers and immediates of the TCP's own rows; names as in the handlers of exec_names.c. */
static bool row_d(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    (void)isa;
    return op->unit == TSR_UNIT_TCP && tsr_gen_field(out, op, "d");
}

static bool row_a(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    (void)isa;
    return op->unit == TSR_UNIT_TCP && (tsr_gen_field(out, op, "a") || tsr_gen_field(out, op, "n"));
}

static bool row_b(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    (void)isa;
    return op->unit == TSR_UNIT_TCP && (tsr_gen_field(out, op, "b") || tsr_gen_field(out, op, "s"));
}

static bool row_target(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    (void)isa;
    for (int i = 0; i < op->n_operands; i++)
        if (op->operand[i].kind == TSR_KIND_LABEL) {
            const struct tsr_operand *o = &op->operand[i];
            fprintf(out, "16'(word[%d:%d])", o->at + o->width - 1, o->at);
            return true;
        }
    return false;
}

static bool row_imm(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    (void)isa;
    int k = tsr_op_operand(op, "imm");
    if (k < 0)
        return false;
    const struct tsr_operand *o = &op->operand[k];
    int msb = o->at + o->width - 1, rest = 64 - o->width;
    if (rest == 0)
        fprintf(out, "word[%d:%d]", msb, o->at);
    else if (o->kind == TSR_KIND_SIMM)
        fprintf(out, "{{%d{word[%d]}}, word[%d:%d]}", rest, msb, msb, o->at);
    else
        fprintf(out, "{%d'b0, word[%d:%d]}", rest, msb, o->at);
    return true;
}

static bool row_sems(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    static const char *const names[4] = {"p1", "p0", "w1", "w0"};
    (void)isa;
    if (tsr_op_operand(op, names[0]) < 0)
        return false;
    for (int i = 0; i < 4; i++) {
        fprintf(out, "%s", i == 0 ? "{" : ", ");
        if (!tsr_gen_field(out, op, names[i]))
            return false;
    }
    fprintf(out, "}");
    return true;
}

static int slots_of(const struct tsr_op *op)
{
    int n = 0;
    for (int i = 0; i < op->n_operands; i++)
        n += op->operand[i].kind == TSR_KIND_XREG;
    return n;
}

static int slots_of_unit(const struct tsr_isa *isa, enum tsr_unit u)
{
    int most = 1;
    for (int i = 0; i < isa->n_ops; i++)
        if (is_tcp(&isa->ops[i]) && (isa->ops[i].unit == u || u == TSR_UNITS) &&
            isa->ops[i].unit != TSR_UNIT_TCP && slots_of(&isa->ops[i]) > most)
            most = slots_of(&isa->ops[i]);
    return most;
}

/* The register numbers of a unit instruction, slot 0 lowest. */
static bool row_slots(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    int pad = slots_of_unit(isa, TSR_UNITS) - slots_of(op);
    if (op->unit == TSR_UNIT_TCP || slots_of(op) == 0)
        return false;
    fprintf(out, pad > 0 ? "{%d'b0" : "{", 5 * pad);
    for (int i = op->n_operands; i-- > 0;)
        if (op->operand[i].kind == TSR_KIND_XREG)
            fprintf(out, "%sword[%d:%d]", pad++ > 0 ? ", " : "", op->operand[i].at + 4,
                    op->operand[i].at);
    fprintf(out, "}");
    return true;
}

static void put_slots(FILE *out, const struct tsr_isa *isa)
{
    char name[32], field[32];
    fprintf(out, "\n  // A unit instruction carries the values of its registers in slots, in the\n"
                 "  // order of the row's operands.\n");
    for (int u = TSR_UNIT_TTU; u < TSR_UNITS; u++)
        fprintf(out, "  localparam int unsigned SLOTS_%s = %d;\n", unit_names[u],
                slots_of_unit(isa, (enum tsr_unit)u));
    fprintf(out, "  localparam int unsigned SLOTS = %d;\n", slots_of_unit(isa, TSR_UNITS));
    for (int i = 0; i < isa->n_ops; i++) {
        const struct tsr_op *op = &isa->ops[i];
        int slot = 0;
        for (int k = 0; is_tcp(op) && op->unit != TSR_UNIT_TCP && k < op->n_operands; k++)
            if (op->operand[k].kind == TSR_KIND_XREG)
                fprintf(out, "  localparam int unsigned TCP_%s_%s_SLOT = %d;\n",
                        tsr_gen_upper(op->mnemonic, name, sizeof name),
                        tsr_gen_upper(op->operand[k].name, field, sizeof field), slot++);
    }
}

static const char *const scalar_sv[TSR_SCALAR_FNS] = {
    [TSR_SCALAR_ADD] = "(%s + %s)",
    [TSR_SCALAR_SUB] = "(%s - %s)",
    [TSR_SCALAR_MUL] = "(%s * %s)",
    [TSR_SCALAR_AND] = "(%s & %s)",
    [TSR_SCALAR_OR] = "(%s | %s)",
    [TSR_SCALAR_XOR] = "(%s ^ %s)",
    [TSR_SCALAR_SHL] = "(%s << (%s & 64'd63))",
    [TSR_SCALAR_SHR] = "(%s >> (%s & 64'd63))",
    [TSR_SCALAR_SRA] = "$unsigned($signed(%s) >>> (%s & 64'd63))",
    [TSR_SCALAR_SMIN] = "scalar_min(%s, %s)",
    [TSR_SCALAR_SMAX] = "scalar_max(%s, %s)",
    [TSR_SCALAR_SLT] = "{63'b0, $signed(%s) < $signed(%s)}",
    [TSR_SCALAR_SGE] = "{63'b0, $signed(%s) >= $signed(%s)}",
    [TSR_SCALAR_EQ] = "{63'b0, %s == %s}",
    [TSR_SCALAR_NE] = "{63'b0, %s != %s}",
};

enum {
    TEXT = 1024
};

static void scalar_leaf(const struct tsr_isa *isa, const struct tsr_op *op,
                        const struct tsr_node *n, char *out)
{
    if (n->kind == TSR_NODE_OPERAND)
        snprintf(out, TEXT, "%s", op->operand[n->index].name);
    else
        snprintf(out, TEXT, "64'h%016" PRIx64,
                 (uint64_t)(n->kind == TSR_NODE_CONST ? n->value : isa->params[n->index].value));
}

static bool row_value(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    char stack[8][TEXT], text[2 * TEXT + 64];
    int n = 0;
    if (!is_tcp(op) || op->value.n == 0)
        return false;
    for (int i = 0; i < op->value.n; i++) {
        const struct tsr_node *node = &op->value.node[i];
        if (node->kind != TSR_NODE_CALL) {
            if (n == 8)
                return false; /* deeper than the loader lets expressions nest */
            scalar_leaf(isa, op, node, stack[n++]);
            continue;
        }
        n--;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof text, scalar_sv[node->index], stack[n - 1], stack[n]);
#pragma GCC diagnostic pop
        if (strlen(text) >= TEXT)
            return false;
        memcpy(stack[n - 1], text, strlen(text) + 1);
    }
    fprintf(out, "%s", stack[0]);
    return true;
}

static void put_value(FILE *out, const struct tsr_isa *isa)
{
    for (int i = 0; i < 2; i++)
        fprintf(out,
                "\n  function automatic logic [63:0] scalar_%s(input logic [63:0] a,\n"
                "      input logic [63:0] b);\n"
                "    scalar_%s = ($signed(a) < $signed(b)) ? %s;\n  endfunction\n",
                i ? "max" : "min", i ? "max" : "min", i ? "b : a" : "a : b");
    fprintf(out, "\n  // The column value over the registers a and b and the immediate.\n"
                 "  function automatic logic [63:0] tcp_value(input logic [7:0] op,\n"
                 "      input logic [63:0] a, input logic [63:0] b, input logic [63:0] imm);\n"
                 "    case (op)\n");
    for (int i = 0; i < isa->n_ops; i++) {
        char text[4 * TEXT] = "";
        FILE *line = fmemopen(text, sizeof text, "w");
        bool any = line != NULL && row_value(line, isa, &isa->ops[i]);
        if (line != NULL)
            fclose(line);
        if (any)
            fprintf(out, "      8'h%02x: tcp_value = %s;\n", isa->ops[i].opcode, text);
    }
    fprintf(out, "      default: tcp_value = '0;\n    endcase\n  endfunction\n");
}

int tsr_gen_slots(const struct tsr_isa *isa)
{
    return slots_of_unit(isa, TSR_UNITS);
}

void tsr_gen_tcp_functions(FILE *out, const struct tsr_isa *isa)
{
    const enum tsr_stream s = TSR_STREAM_TCP;
    put_execs(out, s, "EX", "exec_e");
    put_execs(out, TSR_STREAM_TVP, "VX", "vexec_e");
    put_slots(out, isa);
    tsr_gen_function(out, isa, s, "tcp_exec", 5, row_exec);
    tsr_gen_function(out, isa, TSR_STREAM_TVP, "tvp_exec", 5, row_exec);
    fprintf(out, "\n  // 0 the TCP itself, 1 TTU, 2 ACC, 3 TVP, 4.. the channels of the TDMA.");
    tsr_gen_function(out, isa, s, "tcp_queue", 3, row_queue);
    fprintf(out, "\n  // Cycles of the TCP's own words; of a branch those of a taken one.");
    tsr_gen_function(out, isa, s, "tcp_cycles", 8, row_cycles);
    tsr_gen_function(out, isa, s, "tcp_reg_d", 5, row_d);
    tsr_gen_function(out, isa, s, "tcp_reg_a", 5, row_a);
    tsr_gen_function(out, isa, s, "tcp_reg_b", 5, row_b);
    tsr_gen_function(out, isa, s, "tcp_imm", 64, row_imm);
    tsr_gen_function(out, isa, s, "tcp_target", 16, row_target);
    fprintf(out, "\n  // {p1, p0, w1, w0} as in the word; nothing for rows without semaphores.");
    tsr_gen_function(out, isa, s, "tcp_sems", 36, row_sems);
    tsr_gen_function(out, isa, s, "tcp_slots", 5 * slots_of_unit(isa, TSR_UNITS), row_slots);
    put_value(out, isa);
}
