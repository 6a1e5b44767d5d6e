/* SPDX-License-Identifier: Apache-2.0 */
/* SystemVerilog packages, in the subset that verilator 5.006 and yosys 0.23 share: p::T names,
 * packed structs, enums, functions that assign their own name. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "isa/code.h"
#include "isa/expr.h"
#include "isa/gen/gen.h"

const char *tsr_gen_upper(const char *name, char *out, size_t cap)
{
    size_t n = 0;
    for (; name[n] != '\0' && n + 1 < cap; n++)
        out[n] = (char)(name[n] == '.' ? '_' : toupper((unsigned char)name[n]));
    out[n] = '\0';
    return out;
}

static void put_head(FILE *out, const char *what)
{
    fprintf(out, "// SPDX-License-Identifier: Apache-2.0\n"
                 "// %s Written by tessera-gen from isa/*.yaml.\n"
                 "// A package is a list of constants: no design uses all of them.\n"
                 "// Its functions read the fields they are about.\n"
                 "/* verilator lint_off UNUSEDPARAM */\n"
                 "/* verilator lint_off UNUSEDSIGNAL */\n", what);
}

static void put_enum(FILE *out, const struct tsr_isa *isa, enum tsr_stream s, const char *prefix,
                     const char *type)
{
    char name[32];
    fprintf(out, "\n  typedef enum logic [7:0] {\n    %s_ILLEGAL = 8'h00", prefix);
    for (int i = 0; i < isa->n_ops; i++)
        if (isa->ops[i].stream == s)
            fprintf(out, ",\n    %s_%s = 8'h%02x", prefix,
                    tsr_gen_upper(isa->ops[i].mnemonic, name, sizeof name), isa->ops[i].opcode);
    fprintf(out, "\n  } %s;\n", type);
}

/* Whether the cycles depend on nothing but parameters. */
static bool is_constant(const struct tsr_expr *e)
{
    for (int i = 0; i < e->n; i++)
        if (e->node[i].kind == TSR_NODE_OPERAND ||
            (e->node[i].kind == TSR_NODE_PARAM && e->node[i].index >= TSR_EXPR_UNIT_NAME))
            return false;
    return e->n > 0;
}

static void put_fields(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op,
                       const char *prefix)
{
    char name[32], field[32];
    tsr_gen_upper(op->mnemonic, name, sizeof name);
    for (int i = 0; i < op->n_operands; i++) {
        const struct tsr_operand *o = &op->operand[i];
        tsr_gen_upper(o->name, field, sizeof field);
        fprintf(out, "  localparam int unsigned %s_%s_%s_LSB = %u;\n", prefix, name, field, o->at);
        fprintf(out, "  localparam int unsigned %s_%s_%s_WIDTH = %u;\n", prefix, name, field,
                o->width);
    }
    const struct tsr_expr *cycles[] = {&op->occupancy, &op->latency};
    static const char *const what[] = {"OCCUPANCY", "LATENCY"};
    for (int i = 0; i < 2; i++)
        if (is_constant(cycles[i]))
            fprintf(out, "  localparam int unsigned %s_%s_%s = %" PRId64 ";\n", prefix, name,
                    what[i], tsr_expr_eval(cycles[i], TSR_EXPR_CYCLES, isa, NULL, NULL));
    if (op->stream == TSR_STREAM_TVP)
        fprintf(out, "  localparam bit %s_%s_MEMORY = 1'b%d;\n", prefix, name, op->memory);
}

/* The condition under which one operand's bits are legal; nothing where they always are. */
static void put_condition(FILE *out, const struct tsr_operand *o)
{
    int msb = o->at + o->width - 1;
    static const char *const and = "\n          && ";
    if (o->kind == TSR_KIND_FMT) {
        /* Codes are five bits: a table of 32. */
        fprintf(out, "%s((32'h%08" PRIx32 " >> word[%d:%d]) & 32'h1) != 32'h0", and, o->formats,
                msb, o->at);
        return;
    }
    if (o->kind == TSR_KIND_WAIT || o->kind == TSR_KIND_POST) {
        int high = o->at + TSR_SEM_ID_BITS;
        fprintf(out, "%s(word[%d:%d] != %d'h0 || word[%d:%d] == 6'h0)", and, msb, high,
                o->width - TSR_SEM_ID_BITS, high - 1, o->at);
        return;
    }
    uint64_t least = 0, most = UINT64_MAX >> (64 - o->width);
    const char *sign = "";
    if (o->kind == TSR_KIND_SIMM) {
        least = UINT64_C(1) << (o->width - 1);
        most = least - 1;
        sign = "s";
    }
    uint64_t mask = UINT64_MAX >> (64 - o->width);
    uint64_t min = (uint64_t)o->min & mask, max = (uint64_t)o->max & mask;
    const char *cast = *sign ? "$signed" : "";
    if (min != least)
        fprintf(out, "%s%s(word[%d:%d]) >= %d'%sh%" PRIx64, and, cast, msb, o->at, o->width, sign,
                min);
    if (max != most)
        fprintf(out, "%s%s(word[%d:%d]) <= %d'%sh%" PRIx64, and, cast, msb, o->at, o->width, sign,
                max);
}

static void put_case(FILE *out, const struct tsr_op *op, const char *prefix)
{
    char name[32];
    tsr_gen_upper(op->mnemonic, name, sizeof name);
    fprintf(out, "      8'h%02x: // %s_%s\n        legal = ", op->opcode, prefix, name);
    if (op->stream == TSR_STREAM_TCP)
        fprintf(out, "(word & 128'h%016" PRIx64 "_%016" PRIx64 ") == 128'h0", ~op->used[1],
                ~op->used[0]);
    else
        fprintf(out, "(word & 64'h%016" PRIx64 ") == 64'h0", ~op->used[0]);
    for (int i = 0; i < op->n_operands; i++)
        put_condition(out, &op->operand[i]);
    fprintf(out, ";\n");
}

static void put_decoder(FILE *out, const struct tsr_isa *isa, enum tsr_stream s, const char *prefix,
                        const char *lower)
{
    fprintf(out, "\n  typedef struct packed {\n    logic legal;\n    %s_op_e op;\n  } "
                 "%s_decoded_t;\n", lower, lower);
    fprintf(out, "\n  // op is what the opcode says, %s_ILLEGAL for one without a row; legal: the\n"
                 "  // whole word has a meaning.\n", prefix);
    /* yosys takes no member of the function's own name as a target, and inside a function does not
     * see the enum: two variables, then both. */
    fprintf(out, "  function automatic %s_decoded_t %s_decode(input logic [%d:0] word);\n"
                 "    logic legal;\n    logic [7:0] op;\n    op = word[7:0];\n    legal = 1'b0;\n"
                 "    case (word[7:0])\n", lower, lower, s == TSR_STREAM_TCP ? 127 : 63);
    for (int i = 0; i < isa->n_ops; i++)
        if (isa->ops[i].stream == s)
            put_case(out, &isa->ops[i], prefix);
    fprintf(out, "      default: op = 8'h00;\n    endcase\n    %s_decode = {legal, op};\n"
                 "  endfunction\n", lower);
}

void tsr_gen_isa_pkg(FILE *out, const struct tsr_isa *isa)
{
    char name[32];
    put_head(out, "Opcodes, fields and decoders of the instruction set.");
    fprintf(out, "package tsr_isa_pkg;\n\n  localparam int unsigned ISA_MAJOR = %u;\n"
                 "  localparam int unsigned ISA_MINOR = %u;\n"
                 "  localparam logic [63:0] ISA_DIGEST = 64'h%016" PRIx64 ";\n\n", isa->major,
            isa->minor, isa->digest);
    for (int i = 0; i < isa->n_params; i++)
        fprintf(out, "  localparam int unsigned PARAM_%s = %" PRId64 ";\n",
                tsr_gen_upper(isa->params[i].name, name, sizeof name), isa->params[i].value);
    put_enum(out, isa, TSR_STREAM_TCP, "TCP", "tcp_op_e");
    put_enum(out, isa, TSR_STREAM_TVP, "TVP", "tvp_op_e");
    fprintf(out, "\n");
    for (int i = 0; i < isa->n_ops; i++)
        put_fields(out, isa, &isa->ops[i], isa->ops[i].stream == TSR_STREAM_TCP ? "TCP" : "TVP");
    put_decoder(out, isa, TSR_STREAM_TCP, "TCP", "tcp");
    put_decoder(out, isa, TSR_STREAM_TVP, "TVP", "tvp");
    tsr_gen_tcp_functions(out, isa);
    tsr_gen_tvp_functions(out, isa);
    fprintf(out, "\nendpackage\n");
}

void tsr_gen_format_pkg(FILE *out, const struct tsr_isa *isa)
{
    put_head(out, "Number formats: code and figures of each.");
    fprintf(out, "package tsr_format_pkg;\n");
    for (int i = 0; i < TSR_DTYPE_MAX; i++) {
        const struct tsr_format *f = &isa->formats[i];
        if (!isa->has_format[i])
            continue;
        const struct {
            const char *key;
            int value;
        } figure[] = {
            {"FAMILY", f->family}, {"SPECIALS", f->specials}, {"BITS", f->bits},
            {"EBITS", f->ebits},   {"MBITS", f->mbits},       {"BIAS", f->bias},
            {"BLOCK", f->block},   {"SCALE_BITS", f->scale_bits},
            {"WIDTH_CLASS", f->width_class},
        };
        char name[32];
        tsr_gen_upper(f->name, name, sizeof name);
        fprintf(out, "\n  localparam logic [4:0] FMT_%s = 5'd%u;\n", name, f->code);
        for (size_t k = 0; k < sizeof figure / sizeof *figure; k++)
            fprintf(out, "  localparam int FMT_%s_%s = %d;\n", name, figure[k].key,
                    figure[k].value);
    }
    tsr_gen_format_functions(out, isa);
    fprintf(out, "\nendpackage\n");
}

static void put_figure(FILE *out, const char *name, size_t size, const char *field)
{
    if (size == 8)
        fprintf(out, "  localparam logic [63:0] %s = 64'd%" PRIu64 ";\n", name,
                *(const uint64_t *)field);
    else
        fprintf(out, "  localparam int unsigned %s = %" PRIu32 ";\n", name,
                *(const uint32_t *)field);
}

static void put_figures(FILE *out, const struct tsr_chip *chip)
{
    for (const struct tsr_chip_section *s = tsr_chip_sections; s->keys != NULL; s++) {
        const char *base = (const char *)chip + s->offset;
        for (const struct tsr_chip_key *k = s->keys; k->key != NULL; k++) {
            char path[96], name[128];
            snprintf(path, sizeof path, "%s%s%s", s->path, *s->path ? "." : "", k->key);
            tsr_gen_upper(path, name, sizeof name - 12);
            if (k->list == 0) {
                put_figure(out, name, k->size, base + k->offset);
                continue;
            }
            uint32_t n = *(const uint32_t *)(base + k->count);
            size_t end = strlen(name);
            for (uint32_t i = 0; i < n; i++) {
                snprintf(name + end, sizeof name - end, "_%u", i);
                put_figure(out, name, k->size, base + k->offset + (size_t)i * k->size);
            }
        }
    }
}

void tsr_gen_chip_pkg(FILE *out, const struct tsr_chip *chip)
{
    put_head(out, "The figures of one chip.");
    fprintf(out, "package tsr_chip_pkg;\n\n  // %s\n", chip->name);
    put_figures(out, chip);
    fprintf(out, "\nendpackage\n");
}

void tsr_gen_figures(FILE *out, const struct tsr_isa *isa, const struct tsr_chip *chip)
{
    fprintf(out, "// SPDX-License-Identifier: Apache-2.0\n"
                 "// Included by rtl/tsr_tile_pkg.sv: in a package yosys knows no other one.\n"
                 "  localparam int unsigned SLOTS = %d;\n"
                 "  localparam int unsigned TVP_CLASSES = %d;\n",
            tsr_gen_slots(isa), tsr_gen_tvp_classes(isa));
    put_figures(out, chip);
}
