/* SPDX-License-Identifier: Apache-2.0 */
/* What the tensor unit's feeder does with a code of each format, as functions of tsr_format_pkg: an
 * element (-1)^neg * m * 2^e with m left-aligned in S bits, a block scale, and the figures that
 * decide how two formats multiply. */
#include "isa/gen/gen.h"

enum {
    EXPONENT_BITS = 10, /* of elements and scales, signed */
};

/* Block scales of NVFP4 and of GGUF are codes of these. */
static const struct tsr_format scale_e4m3 = {
    .specials = TSR_SPECIALS_FN, .bits = 8, .ebits = 4, .mbits = 3, .bias = 7};
static const struct tsr_format scale_f16 = {
    .specials = TSR_SPECIALS_IEEE, .bits = 16, .ebits = 5, .mbits = 10, .bias = 15};

/* How a format's codes become integers. */
static bool is_float(const struct tsr_format *f)
{
    return f->family != TSR_FAMILY_SMX && f->ebits > 0;
}

static bool is_offset(const struct tsr_format *f)
{
    return f->family == TSR_FAMILY_GGUF && f->bias != 0;
}

static int significand_bits(const struct tsr_format *f)
{
    return is_float(f) ? f->mbits + 1 : f->bits;
}

/* Bits of the largest magnitude in units of the least. */
static int fixed_bits(const struct tsr_format *f)
{
    return is_float(f) ? f->mbits + (1 << f->ebits) - 1 : f->bits;
}

static int lowest_exponent(const struct tsr_format *f)
{
    return is_float(f) ? 1 - f->bias - f->mbits : -f->mbits;
}

/* As isa/num: sums of wider products are cut at 32 bits. */
static bool is_wide(const struct tsr_format *f)
{
    return is_float(f) && fixed_bits(f) > 18;
}

static bool in_tensor_unit(const struct tsr_isa *isa, int i)
{
    return isa->has_format[i] && isa->formats[i].width_class != 0;
}

struct widths {
    int significand[3]; /* most bits of m among formats of at most 6, 9, 16 bits */
    int product;        /* most bits of an exact product, and those that wide ones keep */
    int block;          /* least block of a format with scales */
    int layouts;        /* different ways in which codes lie in a row */
};

static int class_of(const struct tsr_format *f)
{
    return f->width_class == 16 ? 2 : f->width_class == 9 ? 1 : 0;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* Bits of 16 elements in a row, with the shifts of shared microexponents. */
static int row_bits(const struct tsr_format *f)
{
    return 16 * f->bits + (f->family == TSR_FAMILY_SMX ? 8 : 0);
}

/* The first format whose codes lie as those of format i. */
static int layout_of(const struct tsr_isa *isa, int i)
{
    for (int k = 0; k < i; k++)
        if (in_tensor_unit(isa, k) && isa->formats[k].bits == isa->formats[i].bits &&
            row_bits(&isa->formats[k]) == row_bits(&isa->formats[i]))
            return k;
    return i;
}

static struct widths widths_of(const struct tsr_isa *isa)
{
    struct widths w = {.product = 32, .block = 256};
    int exact = 0;
    for (int i = 0; i < TSR_DTYPE_MAX; i++) {
        const struct tsr_format *f = &isa->formats[i];
        if (!in_tensor_unit(isa, i))
            continue;
        for (int c = class_of(f); c < 3; c++)
            w.significand[c] = larger(w.significand[c], significand_bits(f));
        exact = is_wide(f) ? exact : larger(exact, fixed_bits(f));
        if (f->block > 1 && f->block < w.block)
            w.block = f->block;
        w.layouts += layout_of(isa, i) == i;
    }
    w.product = larger(w.product, 2 * exact);
    return w;
}

/* The end of a concatenation: zeros below. */
static void put_room(FILE *out, int room)
{
    if (room > 0)
        fprintf(out, ", %d'd0", room);
    fprintf(out, "};\n");
}

static void put_float(FILE *out, const struct tsr_format *f, int s)
{
    int sign = f->ebits + f->mbits, low = lowest_exponent(f) - (s - significand_bits(f));
    char field[32];
    snprintf(field, sizeof field, "code[%d:%d]", sign - 1, f->mbits);
    fprintf(out, "        neg = code[%d];\n", sign);
    fprintf(out, "        m = {%s != '0, code[%d:0]", field, f->mbits - 1);
    put_room(out, s - significand_bits(f));
    fprintf(out, "        e = %d'(%s) + {%d'd0, %s == '0} + %d'd%d;\n", EXPONENT_BITS, field,
            EXPONENT_BITS - 1, field, EXPONENT_BITS, (low - 1) & ((1 << EXPONENT_BITS) - 1));
    if (f->specials == TSR_SPECIALS_IEEE)
        fprintf(out,
                "        inf = code[%d:0] == {{%d{1'b1}}, %d'd0};\n"
                "        nan = code[%d:%d] == '1 && !inf;\n",
                sign - 1, f->ebits, f->mbits, sign - 1, f->mbits);
    else if (f->specials == TSR_SPECIALS_FN)
        fprintf(out, "        nan = code[%d:0] == '1;\n", sign - 1);
}

static void put_element(FILE *out, const struct tsr_format *f, int s)
{
    int bits = f->bits, room = s - bits;
    if (is_float(f)) {
        put_float(out, f, s);
        return;
    }
    if (f->family == TSR_FAMILY_SMX) {
        fprintf(out, "        neg = code[%d];\n", f->mbits);
        fprintf(out, "        v = shifted ? {%d'd0, code[%d:0]} : {%d'd0, code[%d:0], 1'b0};\n",
                16 - f->mbits, f->mbits - 1, 15 - f->mbits, f->mbits - 1);
    } else {
        if (is_offset(f))
            fprintf(out, "        v = {%d'd0, code[%d:0]} - 16'd%d;\n", 16 - bits, bits - 1,
                    f->bias);
        else
            fprintf(out, "        v = {{%d{code[%d]}}, code[%d:0]};\n", 16 - bits, bits - 1,
                    bits - 1);
        fprintf(out, "        neg = v[15];\n        v = v[15] ? -v : v;\n");
    }
    fprintf(out, "        m = {v[%d:0]", bits - 1);
    put_room(out, room);
    fprintf(out, "        e = %d'd%d;\n", EXPONENT_BITS,
            (lowest_exponent(f) - room) & ((1 << EXPONENT_BITS) - 1));
}

static void put_elements(FILE *out, const struct tsr_isa *isa, int s)
{
    fprintf(out,
            "\n  // {nan, inf, neg, m, e}: the element is (-1)^neg * m * 2^e, m left-aligned.\n"
            "  function automatic logic [%d:0] element(input logic [4:0] format,\n"
            "      input logic [15:0] code, input logic shifted);\n"
            "    /* verilator no_inline_task */\n"
            "    logic nan;\n    logic inf;\n    logic neg;\n    logic [%d:0] m;\n"
            "    logic [%d:0] e;\n    logic [15:0] v;\n"
            "    nan = 1'b0;\n    inf = 1'b0;\n    neg = 1'b0;\n    m = '0;\n    e = '0;\n"
            "    v = 16'd0;\n    case (format)\n",
            2 + s + EXPONENT_BITS, s - 1, EXPONENT_BITS - 1);
    for (int i = 0; i < TSR_DTYPE_MAX; i++) {
        if (!in_tensor_unit(isa, i))
            continue;
        fprintf(out, "      5'd%d: begin  // %s\n", i, isa->formats[i].name);
        put_element(out, &isa->formats[i], s);
        fprintf(out, "      end\n");
    }
    fprintf(out, "      default: v = 16'd0;\n    endcase\n"
                 "    if (nan || inf) m = '0;\n"
                 "    element = {nan, inf, neg, m, e};\n  endfunction\n");
}

static bool has_scales(const struct tsr_format *f)
{
    return f->family != TSR_FAMILY_FLOAT && f->family != TSR_FAMILY_INT;
}

/* A scale's significand is not aligned: the unit of what it scales is its own. */
static void put_scale(FILE *out, const struct tsr_format *f, int s)
{
    const struct tsr_format *of = f->family == TSR_FAMILY_NVF ? &scale_e4m3 : &scale_f16;
    int sign = of->ebits + of->mbits, low = lowest_exponent(of) - 1;
    if (f->family == TSR_FAMILY_MX || f->family == TSR_FAMILY_SMX) {
        fprintf(out, "        nan = code[7:0] == '1;\n        e = {%d'd0, code[7:0]} - %d'd127;\n",
                EXPONENT_BITS - 8, EXPONENT_BITS);
        return;
    }
    fprintf(out, "        neg = code[%d];\n        m = {", sign);
    if (s - of->mbits - 1 > 0)
        fprintf(out, "%d'd0, ", s - of->mbits - 1);
    fprintf(out, "code[%d:%d] != '0, code[%d:0]};\n", sign - 1, of->mbits, of->mbits - 1);
    fprintf(out, "        e = {%d'd0, code[%d:%d]} + {%d'd0, code[%d:%d] == '0} + %d'd%d;\n",
            EXPONENT_BITS - of->ebits, sign - 1, of->mbits, EXPONENT_BITS - 1, sign - 1, of->mbits,
            EXPONENT_BITS, low & ((1 << EXPONENT_BITS) - 1));
    fprintf(out, "        nan = code[%d:%d] == '1;\n", sign - 1,
            of->specials == TSR_SPECIALS_FN ? 0 : of->mbits);
}

static void put_scales(FILE *out, const struct tsr_isa *isa, int s)
{
    fprintf(out,
            "\n  // {nan (or infinite), neg, m, e} of a block's scale; 1 where there is none.\n"
            "  function automatic logic [%d:0] scale(input logic [4:0] format,\n"
            "      input logic [15:0] code);\n"
            "    /* verilator no_inline_task */\n"
            "    logic nan;\n    logic neg;\n    logic [%d:0] m;\n    logic [%d:0] e;\n"
            "    nan = 1'b0;\n    neg = 1'b0;\n    m = %d'd1;\n    e = '0;\n    case (format)\n",
            1 + s + EXPONENT_BITS, s - 1, EXPONENT_BITS - 1, s);
    for (int i = 0; i < TSR_DTYPE_MAX; i++) {
        if (!in_tensor_unit(isa, i) || !has_scales(&isa->formats[i]))
            continue;
        fprintf(out, "      5'd%d: begin  // %s\n", i, isa->formats[i].name);
        put_scale(out, &isa->formats[i], s);
        fprintf(out, "      end\n");
    }
    fprintf(out,
            "      default: m = %d'd1;\n    endcase\n    scale = {nan, neg, m, e};\n"
            "  endfunction\n",
            s);
}

static int log2_of(int n)
{
    int bits = 0;
    while (n > 1 << bits)
        bits++;
    return bits;
}

static void put_figures(FILE *out, const struct tsr_isa *isa)
{
    fprintf(out,
            "\n  typedef struct packed {\n"
            "    logic known;  // the tensor unit takes it\n"
            "    logic plain;  // an integer without scales\n"
            "    logic wide;  // sums are cut below the largest product\n"
            "    logic scaled;  // blocks of 2^log2_block\n"
            "    logic [3:0] log2_block;\n"
            "    logic [1:0] rate;  // 2: products of 16 bits, 1: of 9, 0: of 6\n"
            "    logic [4:0] bits;  // of an element\n"
            "    logic [8:0] sixteen;  // bits of 16 elements in a row\n"
            "    logic shifts;  // a bit for each pair lies behind them\n"
            "    logic [4:0] scale_bits;\n"
            "    logic [%d:0] least;  // exponent of the least element's lowest bit\n"
            "  } format_t;\n\n"
            "  function automatic logic [%d:0] figures(input logic [4:0] format);\n"
            "    case (format)\n",
            EXPONENT_BITS - 1, 1 + 1 + 1 + 1 + 4 + 2 + 5 + 9 + 1 + 5 + EXPONENT_BITS - 1);
    for (int i = 0; i < TSR_DTYPE_MAX; i++) {
        const struct tsr_format *f = &isa->formats[i];
        if (!in_tensor_unit(isa, i))
            continue;
        fprintf(out,
                "      5'd%d: figures = {1'b1, 1'b%d, 1'b%d, 1'b%d, 4'd%d, 2'd%d, 5'd%d, 9'd%d, "
                "1'b%d, 5'd%d, %d'd%d};  // %s\n",
                i, f->family == TSR_FAMILY_INT, is_wide(f), has_scales(f),
                has_scales(f) ? log2_of(f->block) : 0, class_of(f), f->bits, row_bits(f),
                f->family == TSR_FAMILY_SMX, has_scales(f) ? f->scale_bits : 0, EXPONENT_BITS,
                lowest_exponent(f) & ((1 << EXPONENT_BITS) - 1), f->name);
    }
    fprintf(out, "      default: figures = '0;\n    endcase\n  endfunction\n");
}

/* Packed lists, an entry of 16 bits for each layout. */
static void put_layouts(FILE *out, const struct tsr_isa *isa, const struct widths *w)
{
    fprintf(out,
            "\n  // The ways in which codes lie in a row: bits of an element, of 16 of them.\n"
            "  localparam int unsigned LAYOUTS = %d;\n",
            w->layouts);
    for (int list = 0; list < 2; list++) {
        fprintf(out, "  localparam logic [%d:0] LAYOUT_%s = {", 16 * w->layouts - 1,
                list == 0 ? "BITS" : "SIXTEEN");
        int n = 0;
        for (int i = TSR_DTYPE_MAX - 1; i >= 0; i--)
            if (in_tensor_unit(isa, i) && layout_of(isa, i) == i)
                fprintf(out, "%s16'd%d", n++ > 0 ? ", " : "",
                        list == 0 ? isa->formats[i].bits : row_bits(&isa->formats[i]));
        fprintf(out, "};\n");
    }
}

void tsr_gen_format_functions(FILE *out, const struct tsr_isa *isa)
{
    struct widths w = widths_of(isa);
    int s = w.significand[2];
    fprintf(out,
            "\n  // ---- the tensor unit's view\n"
            "  localparam int unsigned M_BITS = %d;  // of a significand\n"
            "  localparam int unsigned M_BITS_9 = %d;  // in formats of at most 9 bits\n"
            "  localparam int unsigned M_BITS_6 = %d;  // of at most 6\n"
            "  localparam int unsigned E_BITS = %d;  // of an exponent, signed\n"
            "  localparam int unsigned SUM_BITS = %d;  // of an exact product's magnitude\n"
            "  localparam int unsigned LEAST_BLOCK = %d;\n",
            s, w.significand[1], w.significand[0], EXPONENT_BITS, w.product, w.block);
    put_layouts(out, isa, &w);
    put_figures(out, isa);
    put_elements(out, isa, s);
    put_scales(out, isa, s);
}
