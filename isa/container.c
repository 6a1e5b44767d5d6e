/* SPDX-License-Identifier: Apache-2.0 */
/* The binary form of a program. Little-endian throughout:
 *   "TSRPROG1", u16 major, u16 minor, u32 sections, u64 digest of the instruction set,
 *   sections: u32 tag, u32 zero, u64 bytes, payload, u64 FNV-1a of tag, bytes and payload.
 * Sections stand in the order of enum tag; each appears once. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/container.h"
#include "isa/load.h"

struct out {
    uint8_t *b;
    size_t n, room;
    bool failed;
};

static void put(struct out *o, const void *bytes, size_t n)
{
    if (o->room - o->n < n && !o->failed) {
        size_t room = 2 * (o->n + n) + 256;
        uint8_t *wide = realloc(o->b, room);
        o->failed = wide == NULL;
        if (wide != NULL) {
            o->b = wide;
            o->room = room;
        }
    }
    if (o->failed || n == 0)
        return;
    memcpy(o->b + o->n, bytes, n);
    o->n += n;
}

static void put_int(struct out *o, uint64_t v, int size)
{
    uint8_t b[8];
    for (int i = 0; i < size; i++)
        b[i] = (uint8_t)(v >> 8 * i);
    put(o, b, (size_t)size);
}

/* Sections are written with a length of 0 that end_section fills in. Returns the start. */
static size_t begin_section(struct out *o, enum tsr_section tag)
{
    size_t start = o->n;
    put_int(o, (uint64_t)tag, 4);
    put_int(o, 0, 4);
    put_int(o, 0, 8);
    return start;
}

static void end_section(struct out *o, size_t start)
{
    if (o->failed)
        return;
    uint64_t bytes = o->n - start - TSR_SECTION_HEAD;
    for (int i = 0; i < 8; i++)
        o->b[start + 8 + (size_t)i] = (uint8_t)(bytes >> 8 * i);
    put_int(o, tsr_digest_bytes(TSR_DIGEST_SEED, o->b + start, o->n - start), 8);
}

/* Which rows and formats the program uses. */
struct used {
    bool op[TSR_STREAMS][TSR_MAX_OPS], format[TSR_DTYPE_MAX];
};

static enum tsr_status find_used(const struct tsr_isa *isa, const struct tsr_program *p,
                                 struct used *u, struct tsr_error *err)
{
    for (uint32_t i = 0; i < p->n_tcp + p->n_tvp; i++) {
        bool tcp = i < p->n_tcp;
        uint32_t at = tcp ? i : i - p->n_tcp;
        enum tsr_stream s = tcp ? TSR_STREAM_TCP : TSR_STREAM_TVP;
        struct tsr_word w = tcp ? p->tcp[at] : (struct tsr_word){{p->tvp[at], 0}};
        struct tsr_insn in;
        struct tsr_error why = {0};
        if (tsr_decode(isa, s, w, &in, &why) != TSR_OK)
            return tsr_error_set(err, TSR_BAD_INPUT, "word %u of stream %s: %s", at,
                                 tsr_stream_words[s], why.message);
        u->op[s][in.op->opcode] = true;
        for (int k = 0; k < in.op->n_operands; k++)
            if (in.op->operand[k].kind == TSR_KIND_FMT)
                u->format[in.v[k]] = true;
    }
    for (uint32_t i = 0; i < p->n_bindings; i++) {
        assert(p->bindings[i].format < TSR_DTYPE_MAX && isa->has_format[p->bindings[i].format]);
        u->format[p->bindings[i].format] = true;
    }
    return TSR_OK;
}

static void put_used(struct out *o, const struct tsr_isa *isa, const struct used *u)
{
    for (int s = 0; s < TSR_STREAMS; s++)
        for (int code = 0; code < TSR_MAX_OPS; code++)
            if (u->op[s][code]) {
                put_int(o, (uint64_t)s, 1);
                put_int(o, (uint64_t)code, 1);
                put_int(o, tsr_op_digest(&isa->ops[isa->by_opcode[s][code] - 1]), 8);
            }
    for (int code = 0; code < TSR_DTYPE_MAX; code++)
        if (u->format[code]) {
            put_int(o, TSR_STREAMS, 1);
            put_int(o, (uint64_t)code, 1);
            put_int(o, tsr_format_digest(&isa->formats[code]), 8);
        }
}

static void put_words(struct out *o, const struct tsr_program *p, enum tsr_section tag)
{
    for (uint32_t i = 0; tag == TSR_SECTION_TCP && i < p->n_tcp; i++) {
        put_int(o, p->tcp[i].w[0], 8);
        put_int(o, p->tcp[i].w[1], 8);
    }
    for (uint32_t i = 0; tag == TSR_SECTION_TVP && i < p->n_tvp; i++)
        put_int(o, p->tvp[i], 8);
}

/* Whether line numbers were recorded, then those of both streams. */
static void put_lines(struct out *o, const struct tsr_program *p)
{
    bool any = (p->n_tcp == 0 || p->tcp_line != NULL) && (p->n_tvp == 0 || p->tvp_line != NULL);
    put_int(o, any, 1);
    for (uint32_t i = 0; any && i < p->n_tcp; i++)
        put_int(o, p->tcp_line[i], 4);
    for (uint32_t i = 0; any && i < p->n_tvp; i++)
        put_int(o, p->tvp_line[i], 4);
}

/* Number of tiles, then whether there are arguments, then they. */
static void put_args(struct out *o, const struct tsr_program *p)
{
    put_int(o, p->tiles, 4);
    put_int(o, p->args != NULL, 1);
    for (uint32_t t = 0; p->args != NULL && t < p->tiles; t++)
        for (int r = 0; r < TSR_LAUNCH_REGS; r++)
            put_int(o, (uint64_t)p->args[t][r], 8);
}

static void put_control(struct out *o, const struct tsr_program *p)
{
    put_int(o, p->control != NULL, 1);
    for (uint32_t t = 0; p->control != NULL && t < p->tiles; t++) {
        put_int(o, p->control_bytes[t], 4);
        put(o, p->control[t], p->control_bytes[t]);
    }
}

static void put_bindings(struct out *o, const struct tsr_program *p)
{
    for (uint32_t i = 0; i < p->n_bindings; i++) {
        const struct tsr_binding *b = &p->bindings[i];
        put(o, b->name, sizeof b->name);
        put_int(o, b->output, 1);
        put_int(o, b->format, 1);
        put_int(o, b->address, 8);
        put_int(o, b->dims, 1);
        for (int d = 0; d < 4; d++)
            put_int(o, b->dim[d], 8);
    }
}

enum tsr_status tsr_program_write(const struct tsr_isa *isa, const struct tsr_program *p,
                                  uint8_t **bytes, size_t *n, struct tsr_error *err)
{
    assert(isa != NULL && p != NULL && bytes != NULL && n != NULL);
    struct used used = {0};
    enum tsr_status st = find_used(isa, p, &used, err);
    if (st != TSR_OK)
        return st;
    struct out o = {0};
    put(&o, TSR_PROGRAM_MAGIC, 8);
    put_int(&o, p->isa_major, 2);
    put_int(&o, p->isa_minor, 2);
    put_int(&o, TSR_SECTIONS, 4);
    put_int(&o, isa->digest, 8);
    for (int tag = 0; tag < TSR_SECTIONS; tag++) {
        size_t start = begin_section(&o, (enum tsr_section)tag);
        switch ((enum tsr_section)tag) {
        case TSR_SECTION_USED:
            put_used(&o, isa, &used);
            break;
        case TSR_SECTION_SEMS:
            put(&o, p->consumer, sizeof p->consumer);
            break;
        case TSR_SECTION_TCP:
        case TSR_SECTION_TVP:
            put_words(&o, p, (enum tsr_section)tag);
            break;
        case TSR_SECTION_ARGS:
            put_args(&o, p);
            break;
        case TSR_SECTION_CONTROL:
            put_control(&o, p);
            break;
        case TSR_SECTION_TENSORS:
            put_bindings(&o, p);
            break;
        case TSR_SECTION_LINES:
            put_lines(&o, p);
            break;
        case TSR_SECTIONS:
            break;
        }
        end_section(&o, start);
    }
    if (o.failed) {
        free(o.b);
        return tsr_error_set(err, TSR_INTERNAL, "out of memory");
    }
    *bytes = o.b;
    *n = o.n;
    return TSR_OK;
}
