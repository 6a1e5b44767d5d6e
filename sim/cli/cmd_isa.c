/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "isa/gen/gen.h"
#include "isa/load.h"
#include "sim/cli/cli.h"

static json_t *describe_op(const struct tsr_op *op)
{
    json_t *o = json_object(), *operands = json_array();
    json_object_set_new(o, "mnemonic", json_string(op->mnemonic));
    json_object_set_new(o, "stream", json_string(tsr_stream_words[op->stream]));
    json_object_set_new(o, "unit", json_string(tsr_unit_words[op->unit]));
    json_object_set_new(o, "opcode", json_integer(op->opcode));
    for (int i = 0; i < op->n_operands; i++) {
        const struct tsr_operand *p = &op->operand[i];
        json_t *q = json_object();
        json_object_set_new(q, "name", json_string(p->name));
        json_object_set_new(q, "kind", json_string(tsr_kind_words[p->kind]));
        json_object_set_new(q, "at", json_integer(p->at));
        json_object_set_new(q, "width", json_integer(p->width));
        json_object_set_new(q, "min", json_integer(p->min));
        json_object_set_new(q, "max", json_integer(p->max));
        if (p->has_default)
            json_object_set_new(q, "default", json_integer(p->dflt));
        json_array_append_new(operands, q);
    }
    json_object_set_new(o, "operands", operands);
    json_object_set_new(o, "overlay", json_integer(op->source));
    json_object_set_new(o, "doc", json_string(op->doc));
    return o;
}

static json_t *describe_format(const struct tsr_format *f)
{
    json_t *o = json_object();
    json_object_set_new(o, "name", json_string(f->name));
    json_object_set_new(o, "code", json_integer(f->code));
    json_object_set_new(o, "family", json_string(tsr_family_words[f->family]));
    json_object_set_new(o, "bits", json_integer(f->bits));
    json_object_set_new(o, "block", json_integer(f->block));
    json_object_set_new(o, "scale_bits", json_integer(f->scale_bits));
    json_object_set_new(o, "width_class", json_integer(f->width_class));
    json_object_set_new(o, "doc", json_string(f->doc));
    return o;
}

static enum tsr_status print_json(const struct tsr_isa *isa, struct tsr_error *err)
{
    char digest[24];
    json_t *o = json_object(), *ops = json_array(), *formats = json_array();
    json_object_set_new(o, "version", json_sprintf("%u.%u", isa->major, isa->minor));
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)isa->digest);
    json_object_set_new(o, "digest", json_string(digest));
    for (int i = 0; i < isa->n_ops; i++)
        json_array_append_new(ops, describe_op(&isa->ops[i]));
    for (int i = 0; i < TSR_DTYPE_MAX; i++)
        if (isa->has_format[i])
            json_array_append_new(formats, describe_format(&isa->formats[i]));
    json_object_set_new(o, "instructions", ops);
    json_object_set_new(o, "formats", formats);
    return cli_print_json(o, err);
}

static void print_text(const struct tsr_isa *isa)
{
    printf("version %u.%u, %u instructions\n", isa->major, isa->minor, isa->n_ops);
    for (int i = 0; i < isa->n_ops; i++) {
        const struct tsr_op *op = &isa->ops[i];
        printf("%-3s %-4s %-12s 0x%02x  %s%s\n", tsr_stream_words[op->stream],
               tsr_unit_words[op->unit], op->mnemonic, op->opcode, op->doc,
               op->source ? " (overlay)" : "");
    }
    printf("formats\n");
    for (int i = 0; i < TSR_DTYPE_MAX; i++) {
        const struct tsr_format *f = &isa->formats[i];
        if (isa->has_format[i])
            printf("%-10s %2u bits  %s\n", f->name, f->bits, f->doc);
    }
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    const struct tsr_isa *isa;
    enum tsr_status st = cli_isa(c, &isa, err);
    if (st != TSR_OK)
        return st;
    if (cli_has(c, "json"))
        return print_json(isa, err);
    if (cli_has(c, "markdown"))
        tsr_gen_md(stdout, isa);
    else
        print_text(isa);
    return TSR_OK;
}

static const struct cli_option options[] = {
    {.name = "json", .doc = "for machines: every field of every row"},
    {.name = "markdown", .doc = "the manual, as isa/ISA.md has it"},
    {0},
};

const struct cli_command cmd_isa = {
    .name = "isa",
    .doc = "list the instructions and number formats",
    .options = options,
    .run = run,
};
