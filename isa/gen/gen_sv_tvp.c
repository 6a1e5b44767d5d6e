/* SPDX-License-Identifier: Apache-2.0 */
/* What the vector processor's RTL takes from the data: fields and latencies of its rows, formats as
 * its loads and stores see them, and the modules whose text depends on which rows and formats there
 * are. Inside a function yosys sees no enum: literals throughout. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "isa/expr.h"
#include "isa/gen/gen.h"
#include "isa/num/element.h"

/* ---- rows --------------------------------------------------------------------------------------
 */

static bool is_tvp(const struct tsr_op *op)
{
    return op->stream == TSR_STREAM_TVP;
}

static int latency_of(const struct tsr_isa *isa, const struct tsr_op *op)
{
    return !is_tvp(op) || op->latency.n == 0
               ? 1
               : (int)tsr_expr_eval(&op->latency, TSR_EXPR_CYCLES, isa, NULL, NULL);
}

/* Where a result of the arithmetic side comes from. */
enum kind {
    KIND_NONE = -1,
    KIND_LANES,
    KIND_MADE,
    KIND_REDUCE,
    KIND_SEGMENT
};

static enum kind kind_of(const struct tsr_op *op)
{
    static const struct {
        const char *exec;
        enum kind kind;
    } kinds[] = {{"lanes", KIND_LANES}, {"vsplat", KIND_MADE},   {"vimm", KIND_MADE},
                 {"vidx", KIND_MADE},   {"reduce", KIND_REDUCE}, {"segment", KIND_SEGMENT}};
    for (size_t i = 0; is_tvp(op) && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(op->exec, kinds[i].exec) == 0)
            return kinds[i].kind;
    return KIND_NONE;
}

/* A class: results of one kind and latency. They come one a cycle, so each class has one place to
 * write from. */
struct class
{
    enum kind kind;
    int latency;
};

enum {
    MAX_CLASSES = 64
};

static int classes_of(const struct tsr_isa *isa, struct class *out)
{
    int n = 0;
    for (int kind = KIND_LANES; kind <= KIND_SEGMENT; kind++)
        for (int i = 0; i < isa->n_ops; i++) {
            struct class c = {kind_of(&isa->ops[i]), latency_of(isa, &isa->ops[i])};
            int at = 0;
            while (at < n && (out[at].kind != c.kind || out[at].latency != c.latency))
                at++;
            if ((int)c.kind == kind && at == n && n < MAX_CLASSES)
                out[n++] = c;
        }
    return n;
}

int tsr_gen_tvp_classes(const struct tsr_isa *isa)
{
    struct class c[MAX_CLASSES];
    return classes_of(isa, c);
}

static bool row_class(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    struct class c[MAX_CLASSES];
    int n = classes_of(isa, c);
    for (int i = 0; i < n; i++)
        if (c[i].kind == kind_of(op) && c[i].latency == latency_of(isa, op)) {
            fprintf(out, "6'd%d", i);
            return true;
        }
    return false;
}

static bool row_latency(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    fprintf(out, "8'd%d", latency_of(isa, op));
    return true;
}

static bool row_memory(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    (void)isa;
    fprintf(out, "1'b1");
    return op->memory;
}

static const struct tsr_operand *find(const struct tsr_op *op, const char *name,
                                      enum tsr_operand_kind kind)
{
    int k = tsr_op_operand(op, name);
    return k >= 0 && op->operand[k].kind == kind ? &op->operand[k] : NULL;
}

static bool put_operand(FILE *out, const struct tsr_operand *o)
{
    if (o != NULL)
        fprintf(out, "word[%d:%d]", o->at + o->width - 1, o->at);
    return o != NULL;
}

/* Vector registers: the target or what is stored, then the sources. */
static const char *const vreg_names[][2] = {{"d", "s"}, {"a", "a"}, {"b", "b"}, {"c", "c"}};

static const struct tsr_operand *vreg_of(const struct tsr_op *op, int which)
{
    const struct tsr_operand *o = find(op, vreg_names[which][0], TSR_KIND_VREG);
    return o != NULL ? o : find(op, vreg_names[which][1], TSR_KIND_VREG);
}

/* {which of d a b c there are, c, b, a, d} */
static bool row_vregs(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    (void)isa;
    fprintf(out, "{4'b%d%d%d%d", vreg_of(op, 3) != NULL, vreg_of(op, 2) != NULL,
            vreg_of(op, 1) != NULL, vreg_of(op, 0) != NULL);
    for (int i = 3; i >= 0; i--) {
        fprintf(out, ", ");
        if (!put_operand(out, vreg_of(op, i)))
            fprintf(out, "5'd0");
    }
    fprintf(out, "}");
    return true;
}

/* Address registers: d or n, a, b. */
static const struct tsr_operand *areg_of(const struct tsr_op *op, int which)
{
    static const char *const names[] = {"d", "a", "b"};
    const struct tsr_operand *o = find(op, names[which], TSR_KIND_AREG);
    return o != NULL || which > 0 ? o : find(op, "n", TSR_KIND_AREG);
}

/* {b, a, d} */
static bool row_aregs(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    (void)isa;
    for (int i = 2; i >= 0; i--) {
        fprintf(out, i == 2 ? "{" : ", ");
        if (!put_operand(out, areg_of(op, i)))
            fprintf(out, "4'd0");
    }
    fprintf(out, "}");
    return true;
}

static bool row_imm(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    (void)isa;
    return tsr_gen_field(out, op, "imm") || tsr_gen_field(out, op, "inc");
}

static bool row_end(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    (void)isa;
    return tsr_gen_field(out, op, "end");
}

static bool row_fmt(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    (void)isa;
    return tsr_gen_field(out, op, "fmt");
}

static bool row_n(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    (void)isa;
    const struct tsr_operand *o = find(op, "n", TSR_KIND_UIMM);
    if (o != NULL && o->width < 9)
        fprintf(out, "{%d'd0, ", 9 - o->width);
    put_operand(out, o);
    fprintf(out, "%s", o != NULL && o->width < 9 ? "}" : "");
    return o != NULL;
}

/* ---- formats -----------------------------------------------------------------------------------
 */

/* How elements or scales lie in memory: groups of `elems` lanes in `bytes`, element j of a group at
 * j * step bits, `width` bits of it; with pairs, a bit for each two elements behind them. */
struct layout {
    unsigned elems, bytes, step, width;
    bool pairs;
};

static struct layout layout_of(const struct tsr_format *f, bool scale)
{
    struct tsr_num_group g = tsr_num_element_group(f);
    if (scale)
        return (struct layout){f->block, f->scale_bits / 8u, 0, f->scale_bits, false};
    if (f->bits == 32)
        return (struct layout){1, 4, 32, 32, false};
    return (struct layout){g.elems, g.bytes, f->bits, f->bits, f->family == TSR_FAMILY_SMX};
}

static bool same_layout(const struct layout *a, const struct layout *b)
{
    return a->elems == b->elems && a->bytes == b->bytes && a->step == b->step &&
           a->width == b->width && a->pairs == b->pairs;
}

static bool takes(const struct tsr_isa *isa, int code, bool scale)
{
    const struct tsr_format *f = &isa->formats[code];
    if (!isa->has_format[code])
        return false;
    return scale ? tsr_num_has_scale(f) : f->bits == 32 || tsr_num_element_group(f).elems > 0;
}

enum {
    MAX_LAYOUTS = 16
};

static int layouts(const struct tsr_isa *isa, struct layout *out)
{
    int n = 0;
    for (int i = 0; i < 2 * TSR_DTYPE_MAX; i++) {
        if (!takes(isa, i / 2, i % 2))
            continue;
        struct layout l = layout_of(&isa->formats[i / 2], i % 2);
        int at = 0;
        while (at < n && !same_layout(&out[at], &l))
            at++;
        if (at == n && n < MAX_LAYOUTS)
            out[n++] = l;
    }
    return n;
}

static int log2_of(unsigned n)
{
    int k = 0;
    while (1u << k < n)
        k++;
    return k;
}

/* One format's columns as its elements, or its scale, are converted. */
static void put_format(FILE *out, const struct tsr_isa *isa, int code, bool scale)
{
    struct layout all[MAX_LAYOUTS], l = layout_of(&isa->formats[code], scale);
    const struct tsr_format *f = &isa->formats[code];
    /* A scale is a format of its own: e4m3, f16 or a byte of exponent. */
    bool byte = scale && (f->family == TSR_FAMILY_MX || f->family == TSR_FAMILY_SMX);
    if (scale && !byte)
        f = &isa->formats[f->family == TSR_FAMILY_NVF ? TSR_F8E4M3 : TSR_F16];
    int n = layouts(isa, all), at = 0, kind;
    while (at < n && !same_layout(&all[at], &l))
        at++;
    if (byte)
        kind = 5;
    else if (f->bits == 32)
        kind = 0;
    else if (f->family == TSR_FAMILY_SMX)
        kind = 4;
    else if (f->ebits > 0)
        kind = 2;
    else
        kind = f->family == TSR_FAMILY_INT && f->bits == 8 ? 1 : 3;
    unsigned align = scale || l.elems == 1 ? l.bytes - 1 : 0;
    fprintf(out,
            "      6'h%02x: tvp_format = {3'd%d, 4'd%d, 6'd%d, 4'd%d, 5'd%d, 8'd%d, 2'd%d, 1'd%d,"
            " 3'd%d, 5'd%d, 2'd%d, 1'd%d}; // %s%s\n",
            code + 32 * scale, kind, at, byte ? 8 : f->bits, byte ? 0 : f->ebits,
            byte ? 0 : f->mbits, byte ? 0 : f->bias, byte ? 0 : f->specials,
            !scale && f->code == TSR_Q4_0, log2_of(l.elems), l.bytes, align, l.pairs,
            isa->formats[code].name, scale ? "'s scale" : "");
}

static void put_formats(FILE *out, const struct tsr_isa *isa)
{
    fprintf(
        out,
        "\n  // A format as loads and stores take it. Kinds: 0 32 bits as they are, 1 integers,\n"
        "  // 2 floats, 3 fixed point (two's complement, mbits behind the point), 4 sign and\n"
        "  // magnitude of shared microexponents, 5 the byte of a power of two.\n"
        "  typedef struct packed {\n    logic [2:0] kind;\n    logic [3:0] layout;\n"
        "    logic [5:0] bits;\n    logic [3:0] ebits;\n    logic [4:0] mbits;\n"
        "    logic [7:0] bias;\n    logic [1:0] specials;\n    logic offset;  // q4_0: +8\n"
        "    logic [2:0] group;  // log2 of the lanes that fill whole bytes together\n"
        "    logic [4:0] bytes;  // of a group\n"
        "    logic [1:0] align;  // address bits that are zero\n"
        "    logic pairs;  // a group may take several registers\n  } tvp_format_t;\n"
        "\n  // {of its scale, code}\n"
        "  function automatic logic [43:0] tvp_format(input logic [5:0] which);\n"
        "    case (which)\n");
    for (int i = 0; i < 2 * TSR_DTYPE_MAX; i++)
        if (takes(isa, i / 2, i % 2))
            put_format(out, isa, i / 2, i % 2);
    fprintf(out, "      default: tvp_format = 44'd0;\n    endcase\n  endfunction\n");
}

void tsr_gen_tvp_functions(FILE *out, const struct tsr_isa *isa)
{
    const enum tsr_stream s = TSR_STREAM_TVP;
    struct class c[MAX_CLASSES];
    int n = classes_of(isa, c);
    fprintf(
        out,
        "\n  // Results of the arithmetic side by kind (0 lanes, 1 made of no vector, 2 reduced,\n"
        "  // 3 reduced by segments) and latency; class 0 in the lowest byte.\n"
        "  localparam int unsigned TVP_CLASSES = %d;\n",
        n);
    int lanes = 0;
    for (int i = 0; i < n; i++)
        lanes += c[i].kind == KIND_LANES;
    fprintf(out, "  localparam int unsigned TVP_LANE_CLASSES = %d;  // the first ones\n", lanes);
    for (int what = 0; what < 2; what++) {
        fprintf(out, "  localparam logic [%d:0] TVP_CLASS_%s = {", 8 * n - 1,
                what ? "KINDS" : "LATENCIES");
        for (int i = n - 1; i >= 0; i--)
            fprintf(out, "8'd%d%s", what ? (int)c[i].kind : c[i].latency, i ? ", " : "};\n");
    }
    tsr_gen_function(out, isa, s, "tvp_class", 6, row_class);
    tsr_gen_function(out, isa, s, "tvp_latency", 8, row_latency);
    tsr_gen_function(out, isa, s, "tvp_memory", 1, row_memory);
    fprintf(out,
            "\n  // {which there are, c, b, a, d}: vector registers; d is also what is stored.");
    tsr_gen_function(out, isa, s, "tvp_vregs", 24, row_vregs);
    fprintf(out, "\n  // {b, a, d}: address registers; d is also the count of vloop and vlen.");
    tsr_gen_function(out, isa, s, "tvp_aregs", 12, row_aregs);
    tsr_gen_function(out, isa, s, "tvp_imm", 32, row_imm);
    tsr_gen_function(out, isa, s, "tvp_end", 16, row_end);
    tsr_gen_function(out, isa, s, "tvp_fmt", 5, row_fmt);
    tsr_gen_function(out, isa, s, "tvp_n", 9, row_n);
    put_formats(out, isa);
}

/* ---- modules -----------------------------------------------------------------------------------
 */

static void put_lanes(FILE *out, const struct tsr_isa *isa)
{
    struct class c[MAX_CLASSES];
    int n = classes_of(isa, c), lanes = 0;
    for (int i = 0; i < n; i++)
        lanes += c[i].kind == KIND_LANES;
    fprintf(out,
            "\n// All lanes; d_o holds the results of class 0, then those of class 1, and so on.\n"
            "module tsr_tvp_lanes #(\n  parameter int unsigned Lanes = 8\n) (\n"
            "  input  logic clk_i,\n  input  logic en_i,\n  input  tsr_isa_pkg::tvp_op_e op_i,\n"
            "  input  logic [32*Lanes-1:0] a_i,\n  input  logic [32*Lanes-1:0] b_i,\n"
            "  input  logic [32*Lanes-1:0] c_i,\n  output logic [32*Lanes*%d-1:0] d_o\n);\n"
            "  for (genvar l = 0; l < Lanes; l++) begin : g_lane\n    tsr_lane u_lane (\n"
            "      .clk_i(clk_i), .en_i(en_i), .op_i(op_i), .a_i(a_i[32*l+:32]),\n"
            "      .b_i(b_i[32*l+:32]), .c_i(c_i[32*l+:32])",
            lanes);
    for (int i = 0; i < lanes; i++)
        fprintf(out, ",\n      .d%d_o(d_o[32*(Lanes*%d+l)+:32])", c[i].latency, i);
    fprintf(out, ");\n  end\nendmodule\n");
}

/* The value of a reduction over nothing, as isa/num says. */
static void put_fold(FILE *out, const struct tsr_isa *isa)
{
    char upper[32];
    fprintf(out, "\n// A node of the reductions' tree: two values, each there or not; and what a "
                 "reduction of\n// none gives.\n"
                 "module tsr_tvp_fold (\n  input  tsr_isa_pkg::tvp_op_e op_i,\n"
                 "  input  logic a_on_i,\n  input  logic [31:0] a_i,\n  input  logic b_on_i,\n"
                 "  input  logic [31:0] b_i,\n  output logic [31:0] d_o,\n  output logic [31:0] "
                 "empty_o\n);\n  logic [31:0] both;\n  always_comb begin\n    both = 32'd0;\n"
                 "    empty_o = 32'd0;\n    case (op_i)\n");
    for (int i = 0; i < isa->n_ops; i++) {
        const struct tsr_op *op = &isa->ops[i];
        if (kind_of(op) != KIND_REDUCE && kind_of(op) != KIND_SEGMENT)
            continue;
        int r = tsr_num_reduction_find(op->reduce);
        fprintf(
            out,
            "      tsr_isa_pkg::TVP_%s: begin\n        both = tsr_prim_pkg::prim_%s(a_i, b_i);\n"
            "        empty_o = 32'h%08" PRIx32 ";\n      end\n",
            tsr_gen_upper(op->mnemonic, upper, sizeof upper), op->reduce,
            r < 0 ? 0 : tsr_num_reduce_count((enum tsr_num_reduction)r, NULL, 0, 0));
    }
    fprintf(out, "      default: ;\n    endcase\n    d_o = a_on_i && b_on_i ? both : a_on_i ? a_i "
                 ": b_i;\n  end\nendmodule\n");
}

/* Bit of element i: with i a genvar, constants for a synthesiser. */
static void put_places(FILE *out, const struct tsr_isa *isa)
{
    struct layout l[MAX_LAYOUTS];
    int n = layouts(isa, l);
    fprintf(out,
            "\n// Codes of elements, or of the scales of their blocks, out of a line's bytes.\n"
            "module tsr_tvp_unpack #(\n  parameter int unsigned Bytes = 32,\n"
            "  parameter int unsigned Elems = 16\n) (\n  input  logic [3:0] layout_i,\n"
            "  input  logic [8*Bytes-1:0] bytes_i,\n  output logic [32*Elems-1:0] codes_o,\n"
            "  output logic [Elems-1:0] shifts_o\n);\n"
            "  // Beyond the line lies nothing that a layout names.\n"
            "  logic [64*Elems+8*Bytes-1:0] wide;\n"
            "  assign wide = (64*Elems+8*Bytes)'(bytes_i);\n"
            "  for (genvar i = 0; i < Elems; i++) begin : g_element\n    always_comb begin\n"
            "      codes_o[32*i+:32] = 32'd0;\n      shifts_o[i] = 1'b0;\n"
            "      case (layout_i)\n");
    for (int k = 0; k < n; k++) {
        fprintf(out, "        4'd%d: begin\n          codes_o[32*i+:32] = 32'(wide[", k);
        fprintf(out, "i/%u*%u+i%%%u*%u+:%u]);\n", l[k].elems, 8 * l[k].bytes, l[k].elems, l[k].step,
                l[k].width);
        if (l[k].pairs)
            fprintf(out, "          shifts_o[i] = wide[i/%u*%u+%u+i%%%u/2];\n", l[k].elems,
                    8 * l[k].bytes, l[k].elems * l[k].step, l[k].elems);
        fprintf(out, "        end\n");
    }
    fprintf(out, "        default: ;\n      endcase\n    end\n  end\nendmodule\n");
    fprintf(out, "\n// The other way: bytes that hold the codes, 0 where there are none.\n"
                 "module tsr_tvp_pack #(\n  parameter int unsigned Bytes = 32,\n"
                 "  parameter int unsigned Elems = 16\n) (\n  input  logic [3:0] layout_i,\n"
                 "  input  logic [32*Elems-1:0] codes_i,\n  input  logic [Elems-1:0] shifts_i,\n"
                 "  output logic [8*Bytes-1:0] bytes_o\n);\n  logic [64*Elems+8*Bytes-1:0] wide;\n"
                 "  assign bytes_o = wide[8*Bytes-1:0];\n  always_comb begin\n    wide = '0;\n"
                 "    case (layout_i)\n");
    for (int k = 0; k < n; k++) {
        fprintf(out, "      4'd%d: begin\n        for (int i = 0; i < Elems; i++) begin\n", k);
        if (l[k].step == 0) /* a scale: the first lane of its block has it */
            fprintf(out, "          if (i %% %u == 0)\n  ", l[k].elems);
        fprintf(out, "          wide[i/%u*%u+i%%%u*%u+:%u] = codes_i[32*i+:%u];\n", l[k].elems,
                8 * l[k].bytes, l[k].elems, l[k].step, l[k].width, l[k].width);
        if (l[k].pairs)
            fprintf(out, "          if (i %% 2 == 0) wide[i/%u*%u+%u+i%%%u/2] = shifts_i[i];\n",
                    l[k].elems, 8 * l[k].bytes, l[k].elems * l[k].step, l[k].elems);
        fprintf(out, "        end\n      end\n");
    }
    fprintf(out, "      default: ;\n    endcase\n  end\nendmodule\n");
}

void tsr_gen_tvp_modules(FILE *out, const struct tsr_isa *isa)
{
    fprintf(out, "// SPDX-License-Identifier: Apache-2.0\n"
                 "// Parts of the vector processor whose text depends on the rows and formats.\n"
                 "// Written by tessera-gen.\n/* verilator lint_off DECLFILENAME */\n"
                 "/* verilator lint_off UNUSEDSIGNAL */\n");
    put_lanes(out, isa);
    put_fold(out, isa);
    put_places(out, isa);
}
