/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "isa/load.h"

uint64_t tsr_digest_bytes(uint64_t digest, const void *bytes, size_t n)
{
    const uint8_t *b = bytes;
    for (size_t i = 0; i < n; i++)
        digest = (digest ^ b[i]) * UINT64_C(0x100000001b3);
    return digest;
}

/* Little-endian whatever the host. */
static uint64_t add_int(uint64_t digest, int64_t v)
{
    uint8_t b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (uint8_t)((uint64_t)v >> 8 * i);
    return tsr_digest_bytes(digest, b, sizeof b);
}

static uint64_t add_text(uint64_t digest, const char *text)
{
    return tsr_digest_bytes(digest, text, strlen(text) + 1);
}

static uint64_t add_expr(uint64_t digest, const struct tsr_expr *e)
{
    digest = add_int(digest, e->n);
    for (int i = 0; i < e->n; i++) {
        const struct tsr_node *n = &e->node[i];
        digest = add_int(digest, n->kind);
        /* By name: indices move when rows are added. */
        digest = n->kind == TSR_NODE_CONST ? add_int(digest, n->value) : add_text(digest, n->name);
    }
    return digest;
}

uint64_t tsr_op_digest(const struct tsr_op *op)
{
    uint64_t d = add_text(TSR_DIGEST_SEED, op->mnemonic);
    d = add_int(d, op->stream);
    d = add_int(d, op->unit);
    d = add_int(d, op->opcode);
    d = add_text(d, op->exec);
    d = add_text(d, op->reduce);
    for (int i = 0; i < op->n_operands; i++) {
        const struct tsr_operand *o = &op->operand[i];
        d = add_text(d, o->name);
        d = add_int(d, o->kind);
        d = add_int(d, o->at);
        d = add_int(d, o->width);
    }
    d = add_expr(d, &op->value);
    return add_expr(d, &op->lanes);
}

uint64_t tsr_format_digest(const struct tsr_format *f)
{
    const int64_t v[] = {f->code, f->family, f->specials, f->bits, f->ebits, f->mbits,
                         f->bias, f->block, f->scale_bits, f->width_class, f->memory_bits};
    uint64_t d = add_text(TSR_DIGEST_SEED, f->name);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        d = add_int(d, v[i]);
    return d;
}

uint64_t tsr_isa_digest(const struct tsr_isa *isa)
{
    uint64_t d = add_int(add_int(TSR_DIGEST_SEED, isa->major), isa->minor);
    for (int i = 0; i < isa->n_ops; i++) {
        const struct tsr_op *op = &isa->ops[i];
        d = add_int(d, (int64_t)tsr_op_digest(op));
        d = add_int(d, op->memory);
        d = add_expr(d, &op->occupancy);
        d = add_expr(d, &op->latency);
        for (int k = 0; k < op->n_operands; k++) {
            d = add_int(d, op->operand[k].min);
            d = add_int(d, op->operand[k].max);
            d = add_int(d, op->operand[k].formats);
        }
    }
    /* Parameters keep the order of the files: by name it would not matter, so sum them. */
    uint64_t sum = 0;
    for (int i = 0; i < isa->n_params; i++)
        sum += add_int(add_text(TSR_DIGEST_SEED, isa->params[i].name), isa->params[i].value);
    d = add_int(d, (int64_t)sum);
    for (int i = 0; i < TSR_DTYPE_MAX; i++)
        if (isa->has_format[i])
            d = add_int(d, (int64_t)tsr_format_digest(&isa->formats[i]));
    return d;
}
