/* SPDX-License-Identifier: Apache-2.0 */
/* ISA.md: tables of instructions, formats, parameters and chips. */
#include <inttypes.h>
#include <string.h>

#include "isa/code.h"
#include "isa/expr.h"
#include "isa/gen/gen.h"
#include "isa/load.h"

/* Markdown tables end a cell at '|'. */
static void put_cell(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        fprintf(out, *text == '|' ? "\\|" : "%c", *text);
}

static void put_formats(FILE *out, const struct tsr_isa *isa, uint32_t formats)
{
    const char *comma = "";
    for (int code = 0; code < TSR_DTYPE_MAX; code++)
        if (formats >> code & 1) {
            fprintf(out, "%s%s", comma, isa->formats[code].name);
            comma = " ";
        }
}

/* "d: x 12..8", with the range where it is not the field's own, and the default. */
static void put_operand(FILE *out, const struct tsr_isa *isa, const struct tsr_operand *o)
{
    static const char *const kinds[] = {"x",     "v",      "a", "u", "s",
                                        "format", "label", "wait", "post"};
    fprintf(out, "`%s` %s %d..%d", o->name, kinds[o->kind], o->at + o->width - 1, o->at);
    if (o->kind == TSR_KIND_FMT) {
        fprintf(out, " {");
        put_formats(out, isa, o->formats);
        fprintf(out, "}");
    }
    if (o->kind == TSR_KIND_UIMM && o->max != (int64_t)(UINT64_MAX >> (64 - o->width)))
        fprintf(out, " (%" PRId64 " to %" PRId64 ")", o->min, o->max);
    if (o->has_default)
        fprintf(out, " = %" PRId64, o->dflt);
}

static void put_op(FILE *out, const struct tsr_isa *isa, const struct tsr_op *op)
{
    char text[1024];
    const char *comma = "";
    fprintf(out, "| `%s` | 0x%02x | ", op->mnemonic, op->opcode);
    for (int i = 0; i < op->n_operands; i++) {
        if (tsr_operand_is_sem(&op->operand[i]))
            continue;
        fprintf(out, "%s", comma);
        put_operand(out, isa, &op->operand[i]);
        comma = ", ";
    }
    fprintf(out, " | ");
    if (op->value.n > 0)
        tsr_expr_print(&op->value, TSR_EXPR_VALUE, text, sizeof text);
    else if (op->lanes.n > 0)
        tsr_expr_print(&op->lanes, TSR_EXPR_LANES, text, sizeof text);
    else
        snprintf(text, sizeof text, "%s%s", *op->reduce ? "tree of " : "", op->reduce);
    fprintf(out, *text ? "`%s`" : "%s", text);
    tsr_expr_print(&op->occupancy, TSR_EXPR_CYCLES, text, sizeof text);
    fprintf(out, " | %s", text);
    tsr_expr_print(&op->latency, TSR_EXPR_CYCLES, text, sizeof text);
    fprintf(out, " | %s | ", text);
    put_cell(out, op->doc);
    fprintf(out, " |\n");
}

static void put_unit(FILE *out, const struct tsr_isa *isa, enum tsr_stream s, enum tsr_unit unit,
                     const char *title)
{
    fprintf(out, "\n## %s\n\n| instruction | opcode | operands | value | occupancy | latency | |\n"
                 "|---|---|---|---|---|---|---|\n", title);
    for (int i = 0; i < isa->n_ops; i++)
        if (isa->ops[i].stream == s && isa->ops[i].unit == unit)
            put_op(out, isa, &isa->ops[i]);
}

static void put_sems(FILE *out, const struct tsr_isa *isa)
{
    const struct tsr_op *op = NULL;
    for (int i = 0; i < isa->n_ops && op == NULL; i++)
        if (isa->ops[i].n_operands > 0 &&
            tsr_operand_is_sem(&isa->ops[i].operand[isa->ops[i].n_operands - 1]))
            op = &isa->ops[i];
    if (op == NULL)
        return;
    fprintf(out, "Unit instructions and `wait` have semaphore slots, written `wait(s3, s4*8)` and "
                 "`post(s5)`:");
    const char *comma = " ";
    for (int i = 0; i < op->n_operands; i++) {
        if (!tsr_operand_is_sem(&op->operand[i]))
            continue;
        fprintf(out, "%s", comma);
        put_operand(out, isa, &op->operand[i]);
        comma = ", ";
    }
    fprintf(out, ".\nA wait holds the id in its low 6 bits and the amount above, a post the id and "
                 "one bit that is 1; 0 is an\nunused slot, an id without amount is illegal.\n");
}

static void put_head(FILE *out, const struct tsr_isa *isa)
{
    fprintf(out, "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
                 "<!-- Written by `tessera-gen md isa/ISA.md` from tile.yaml, formats.yaml and "
                 "chips/. Do not edit. -->\n"
                 "# The instruction set, version %u.%u\n\n"
                 "What the units do and when: MACHINE.md. The assembly language: README.md.\n\n"
                 "TCP programs are words of 128 bits, vector routines words of 64. Bits 7..0 are "
                 "the opcode. An opcode\nwithout a row is illegal, 0 among them, and so is a word "
                 "with a 1 in a bit that no field has.\n\n"
                 "Operands are given as name, kind and bits: x, v, a registers, u and s "
                 "immediates (s signed), `= 0` a\ndefault. ", isa->major, isa->minor);
    put_sems(out, isa);
}

static void put_format_rows(FILE *out, const struct tsr_isa *isa)
{
    fprintf(out, "\n## Number formats\n\n| code | name | family | bits | exponent, mantissa, bias "
                 "| block | scale bits | tensor unit's width | |\n|---|---|---|---|---|---|---|---|"
                 "---|\n");
    for (int i = 0; i < TSR_DTYPE_MAX; i++) {
        const struct tsr_format *f = &isa->formats[i];
        if (!isa->has_format[i])
            continue;
        fprintf(out, "| %u | `%s` | %s | %u | ", f->code, f->name, tsr_family_words[f->family],
                f->bits);
        if (f->ebits > 0)
            fprintf(out, "%u, %u, %d, %s", f->ebits, f->mbits, f->bias,
                    tsr_specials_words[f->specials]);
        fprintf(out, " | %u | %u | ", f->block, f->scale_bits);
        if (f->width_class > 0)
            fprintf(out, "%u", f->width_class);
        fprintf(out, " | ");
        put_cell(out, f->doc);
        fprintf(out, " |\n");
    }
}

static void put_parameters(FILE *out, const struct tsr_isa *isa)
{
    fprintf(out, "\n## Parameters, in cycles\n\n| name | value |\n|---|---|\n");
    for (int i = 0; i < isa->n_params; i++)
        fprintf(out, "| `%s` | %" PRId64 " |\n", isa->params[i].name, isa->params[i].value);
}

static void put_chips(FILE *out)
{
    fprintf(out, "\n## Chips\n\n| name | tiles | clock | tensor unit, D x R x D | lanes | TSRAM | "
                 "HBM |\n|---|---|---|---|---|---|---|\n");
    for (const char *const *name = tsr_chip_names(); *name != NULL; name++) {
        struct tsr_chip c;
        if (tsr_chip_load(*name, &c, NULL) != TSR_OK)
            continue;
        const struct tsr_ttu_config *t = &c.tile.ttu;
        fprintf(out, "| `%s` | %u | %" PRIu64 " MHz | %u x %u/%u/%u x %u | %u | %" PRIu64
                     " KiB | %" PRIu64 " GiB |\n", c.name, tsr_chip_tiles(&c),
                c.clock_hz / 1000000, t->dim, t->r16, t->r9, t->r6, t->dim, c.tile.tvp.lanes,
                c.tile.tsram_bytes >> 10, c.hbm.bytes >> 30);
    }
}

void tsr_gen_md(FILE *out, const struct tsr_isa *isa)
{
    put_head(out, isa);
    put_unit(out, isa, TSR_STREAM_TCP, TSR_UNIT_TCP, "TCP");
    put_unit(out, isa, TSR_STREAM_TCP, TSR_UNIT_TTU, "TTU");
    put_unit(out, isa, TSR_STREAM_TCP, TSR_UNIT_ACC, "ACC");
    put_unit(out, isa, TSR_STREAM_TCP, TSR_UNIT_TDMA, "TDMA");
    put_unit(out, isa, TSR_STREAM_TCP, TSR_UNIT_TVP, "TVP, called by the TCP");
    put_unit(out, isa, TSR_STREAM_TVP, TSR_UNIT_TVP, "TVP routines");
    put_format_rows(out, isa);
    put_parameters(out, isa);
    put_chips(out);
}
