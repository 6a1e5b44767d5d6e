/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>

#include "isa/code.h"

static enum tsr_status illegal_opcode(const struct tsr_isa *isa, enum tsr_stream s, unsigned opcode,
                                      struct tsr_error *err)
{
    const char *stream = s == TSR_STREAM_TCP ? "tcp" : "tvp";
    int near = -1;
    for (int i = 0; i < isa->n_ops; i++)
        if (isa->ops[i].stream == s && isa->ops[i].opcode <= opcode)
            near = i;
    if (near < 0)
        return tsr_error_set(err, TSR_BAD_INPUT, "opcode: 0x%02x is illegal in stream %s", opcode,
                             stream);
    return tsr_error_set(err, TSR_BAD_INPUT,
                         "opcode: 0x%02x is illegal in stream %s, the one below it is 0x%02x (%s)",
                         opcode, stream, isa->ops[near].opcode, isa->ops[near].mnemonic);
}

static enum tsr_status illegal_operand(const struct tsr_isa *isa, const struct tsr_op *op,
                                       const struct tsr_operand *o, int64_t v,
                                       struct tsr_error *err)
{
    char why[384];
    tsr_operand_complain(isa, o, v, why, sizeof why);
    return tsr_error_set(err, TSR_BAD_INPUT, "%s: %s: %s", op->mnemonic, o->name, why);
}

enum tsr_status tsr_decode(const struct tsr_isa *isa, enum tsr_stream s, struct tsr_word w,
                           struct tsr_insn *out, struct tsr_error *err)
{
    assert(isa != NULL && s < TSR_STREAMS);
    unsigned opcode = w.w[0] & 0xff;
    unsigned index = isa->by_opcode[s][opcode];
    if (index == 0)
        return illegal_opcode(isa, s, opcode, err);
    const struct tsr_op *op = &isa->ops[index - 1];
    uint64_t hole = w.w[0] & ~op->used[0], hole_high = w.w[1] & ~op->used[1];
    if (hole | hole_high)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: bit %d is set, no field has it, it must be 0",
                             op->mnemonic,
                             hole ? __builtin_ctzll(hole) : 64 + __builtin_ctzll(hole_high));
    struct tsr_insn insn;
    insn.op = op;
    for (int i = 0; i < op->n_operands; i++) {
        const struct tsr_operand *o = &op->operand[i];
        uint64_t v = tsr_field_get(&w, o->at, o->width);
        if (o->kind == TSR_KIND_SIMM) {
            uint64_t sign = UINT64_C(1) << (o->width - 1);
            v = (v ^ sign) - sign;
        }
        insn.v[i] = (int64_t)v;
        if (!tsr_operand_legal(o, insn.v[i]))
            return illegal_operand(isa, op, o, insn.v[i], err);
    }
    for (int i = op->n_operands; i < TSR_MAX_OPERANDS; i++)
        insn.v[i] = 0;
    *out = insn;
    return TSR_OK;
}
