/* SPDX-License-Identifier: Apache-2.0 */
/* Directives: what a program is besides its instructions. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/asm.h"
#include "isa/load.h"
#include "tessera/chip.h"

#define TRY(call) \
    do { \
        enum tsr_status try_status = (call); \
        if (try_status != TSR_OK) \
            return try_status; \
    } while (0)

/* .isa MAJOR.MINOR: the version the text was written for. */
static enum tsr_status take_isa(struct tsr_asm *a)
{
    tsr_asm_blanks(a);
    const char *at = a->at;
    int64_t part[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        const char *digits = a->at;
        while (a->at < a->end && *a->at >= '0' && *a->at <= '9' && part[i] <= UINT16_MAX)
            part[i] = part[i] * 10 + (*a->at++ - '0');
        if (a->at == digits || part[i] > UINT16_MAX)
            return tsr_asm_bad(a, at, "a version like %u.%u is wanted", a->isa->major,
                               a->isa->minor);
        if (i == 0 && (a->at == a->end || *a->at++ != '.'))
            return tsr_asm_bad(a, at, "a version like %u.%u is wanted", a->isa->major,
                               a->isa->minor);
    }
    if (part[0] != a->isa->major || part[1] > a->isa->minor)
        return tsr_asm_bad(a, at, "version %" PRId64 ".%" PRId64 ", this instruction set is %u.%u, "
                           "allowed are %u.0 to %u.%u", part[0], part[1], a->isa->major,
                           a->isa->minor, a->isa->major, a->isa->major, a->isa->minor);
    if (a->isa_given)
        return tsr_asm_bad(a, at, "the version is given twice");
    a->isa_given = true;
    a->p.isa_minor = (uint16_t)part[1];
    return TSR_OK;
}

/* .sem ID consumer */
static enum tsr_status take_sem(struct tsr_asm *a)
{
    int64_t id;
    struct tsr_span s = tsr_asm_peek(a);
    tsr_asm_blanks(a);
    const char *at = a->at;
    if (tsr_span_numbered(s, 's', TSR_MAX_SEMAPHORES - 1, &id))
        a->at += s.n;
    else
        TRY(tsr_asm_int(a, "semaphore", 0, TSR_MAX_SEMAPHORES - 1, &id));
    s = tsr_asm_name(a);
    int queue = s.n > 0 ? tsr_span_word(s, tsr_queue_words) : -1;
    if (queue < 0)
        return tsr_asm_bad(a, s.at, "\"%.*s\": a consumer is wanted, tcp, ttu, acc, tvp or dma0 "
                           "to dma3", TSR_SPAN(s));
    if (a->p.consumer[id] != 0xff)
        return tsr_asm_bad(a, at, "semaphore s%" PRId64 " has its consumer already, %s", id,
                           tsr_queue_words[a->p.consumer[id]]);
    a->p.consumer[id] = (uint8_t)queue;
    return TSR_OK;
}

/* .tiles N */
static enum tsr_status take_tiles(struct tsr_asm *a)
{
    tsr_asm_blanks(a);
    const char *at = a->at;
    int64_t n;
    TRY(tsr_asm_int(a, "tiles", 1, TSR_MAX_TILES, &n));
    if (a->tiles_given || a->p.args != NULL || a->p.control != NULL)
        return tsr_asm_bad(a, at, ".tiles is wanted once, before .arg and .control");
    a->tiles_given = true;
    a->p.tiles = (uint32_t)n;
    return TSR_OK;
}

/* TILE or `all`: the range of tiles. */
static enum tsr_status take_tile(struct tsr_asm *a, uint32_t *first, uint32_t *last)
{
    struct tsr_span s = tsr_asm_peek(a);
    *first = 0;
    *last = a->p.tiles - 1;
    if (tsr_span_is(s, "all")) {
        a->at += s.n;
        return TSR_OK;
    }
    int64_t tile;
    TRY(tsr_asm_int(a, "tile", 0, a->p.tiles - 1, &tile));
    *first = *last = (uint32_t)tile;
    return TSR_OK;
}

/* .arg TILE|all xN VALUE */
static enum tsr_status take_arg(struct tsr_asm *a)
{
    uint32_t first, last;
    int64_t reg, value;
    TRY(take_tile(a, &first, &last));
    struct tsr_span s = tsr_asm_name(a);
    if (!tsr_span_numbered(s, 'x', TSR_LAUNCH_REGS, &reg) || reg == 0)
        return tsr_asm_bad(a, s.at, "\"%.*s\": a register x1 to x%d is wanted", TSR_SPAN(s),
                           TSR_LAUNCH_REGS);
    TRY(tsr_asm_expr(a, &value));
    if (a->p.args == NULL)
        a->p.args = calloc(a->p.tiles, sizeof *a->p.args);
    if (a->p.args == NULL)
        return tsr_asm_no_memory(a);
    for (uint32_t t = first; t <= last; t++)
        a->p.args[t][reg - 1] = value;
    return TSR_OK;
}

/* Makes room for `bytes` of one tile's image; capacity is the next power of two. */
static bool grow_control(struct tsr_program *p, uint32_t tile, uint32_t bytes)
{
    uint32_t old = p->control_bytes[tile], room = 64, had = 0;
    if (bytes <= old)
        return true;
    while (room < bytes)
        room *= 2;
    if (old > 0)
        for (had = 64; had < old;)
            had *= 2;
    if (room > had) {
        uint8_t *wide = realloc(p->control[tile], room);
        if (wide == NULL)
            return false;
        p->control[tile] = wide;
    }
    memset(p->control[tile] + old, 0, bytes - old);
    p->control_bytes[tile] = bytes;
    return true;
}

static bool put_control(struct tsr_program *p, uint32_t tile, uint32_t offset, uint32_t word)
{
    if (!grow_control(p, tile, offset + 4))
        return false;
    for (int i = 0; i < 4; i++)
        p->control[tile][offset + (uint32_t)i] = (uint8_t)(word >> 8 * i);
    return true;
}

static bool begin_control(struct tsr_program *p)
{
    if (p->control == NULL)
        p->control = calloc(p->tiles, sizeof *p->control);
    if (p->control_bytes == NULL)
        p->control_bytes = calloc(p->tiles, sizeof *p->control_bytes);
    return p->control != NULL && p->control_bytes != NULL;
}

/* .control TILE|all OFFSET word...: 32-bit words at a byte offset. */
static enum tsr_status take_control(struct tsr_asm *a)
{
    uint32_t first, last;
    int64_t offset, word;
    TRY(take_tile(a, &first, &last));
    tsr_asm_blanks(a);
    const char *at = a->at;
    TRY(tsr_asm_int(a, "offset", 0, TSR_MAX_CONTROL - 4, &offset));
    if (offset % 4 != 0)
        return tsr_asm_bad(a, at, "offset: %" PRId64 ", a multiple of 4 is wanted", offset);
    if (!begin_control(&a->p))
        return tsr_asm_no_memory(a);
    do {
        tsr_asm_blanks(a);
        if (offset > TSR_MAX_CONTROL - 4)
            return tsr_asm_bad(a, a->at, "more than %d bytes of control memory", TSR_MAX_CONTROL);
        TRY(tsr_asm_int(a, "word", INT32_MIN, UINT32_MAX, &word));
        for (uint32_t t = first; t <= last; t++)
            if (!put_control(&a->p, t, (uint32_t)offset, (uint32_t)word))
                return tsr_asm_no_memory(a);
        offset += 4;
        tsr_asm_take(a, ',');
    } while (!tsr_asm_ended(a));
    return TSR_OK;
}

/* "16x32": up to four sizes. */
static enum tsr_status take_dims(struct tsr_asm *a, struct tsr_binding *b)
{
    tsr_asm_blanks(a);
    const char *at = a->at;
    const int64_t most = INT64_C(1) << 40; /* elements; keeps byte counts far from overflow */
    int64_t elements = 1;
    do {
        int64_t v = 0;
        const char *digits = a->at;
        while (a->at < a->end && *a->at >= '0' && *a->at <= '9' && v <= most)
            v = v * 10 + (*a->at++ - '0');
        if (a->at == digits || v == 0 || v > most || b->dims == 4)
            return tsr_asm_bad(a, at, "one to four sizes like 16x32 are wanted");
        b->dim[b->dims++] = (uint64_t)v;
        if (v > most / elements)
            return tsr_asm_bad(a, at, "more than 2^40 elements");
        elements *= v;
    } while (a->at < a->end && *a->at == 'x' && a->at++);
    return TSR_OK;
}

static enum tsr_status take_tensor_name(struct tsr_asm *a, struct tsr_binding *b)
{
    struct tsr_span s = tsr_asm_name(a);
    if (s.n == 0 || s.n >= sizeof b->name)
        return tsr_asm_bad(a, s.at, "a name of 1 to %zu characters is wanted", sizeof b->name - 1);
    memcpy(b->name, s.at, s.n);
    for (uint32_t i = 0; i < a->p.n_bindings; i++)
        if (strcmp(a->p.bindings[i].name, b->name) == 0)
            return tsr_asm_bad(a, s.at, "%s: a tensor of this name is there already", b->name);
    return TSR_OK;
}

/* .tensor NAME in|out FORMAT ADDRESS DIMxDIM... */
static enum tsr_status take_tensor(struct tsr_asm *a)
{
    struct tsr_binding b = {0};
    TRY(take_tensor_name(a, &b));
    struct tsr_span s = tsr_asm_name(a);
    b.output = tsr_span_is(s, "out");
    if (!b.output && !tsr_span_is(s, "in"))
        return tsr_asm_bad(a, s.at, "\"%.*s\": in or out is wanted", TSR_SPAN(s));
    s = tsr_asm_name(a);
    int code = 0;
    while (code < TSR_DTYPE_MAX &&
           !(a->isa->has_format[code] && tsr_span_is(s, a->isa->formats[code].name)))
        code++;
    if (code == TSR_DTYPE_MAX)
        return tsr_asm_bad(a, s.at, "\"%.*s\": a number format is wanted", TSR_SPAN(s));
    b.format = (uint8_t)code;
    tsr_asm_blanks(a);
    const char *at = a->at;
    int64_t address;
    TRY(tsr_asm_primary(a, &address));
    if ((uint64_t)address >> 56 != TSR_SPACE_HBM)
        return tsr_asm_bad(a, at, "an address hbm:... is wanted");
    b.address = (uint64_t)address;
    TRY(take_dims(a, &b));
    if (a->p.n_bindings == TSR_ASM_MAX_BINDINGS)
        return tsr_asm_bad(a, at, "more than %d tensors", TSR_ASM_MAX_BINDINGS);
    if (a->p.bindings == NULL)
        a->p.bindings = calloc(TSR_ASM_MAX_BINDINGS, sizeof *a->p.bindings);
    if (a->p.bindings == NULL)
        return tsr_asm_no_memory(a);
    a->p.bindings[a->p.n_bindings++] = b;
    return TSR_OK;
}

/* .equ NAME expression */
static enum tsr_status take_equ(struct tsr_asm *a)
{
    static const char *const reserved[] = {"wait", "post", "hbm", "csram", "tsram", "all", NULL};
    struct tsr_span s = tsr_asm_name(a);
    if (s.n == 0 || tsr_span_word(s, reserved) >= 0)
        return tsr_asm_bad(a, s.at, "\"%.*s\": a name for the constant is wanted", TSR_SPAN(s));
    int64_t v;
    TRY(tsr_asm_expr(a, &v));
    return tsr_asm_define(a, TSR_SCOPE_EQU, s, v);
}

static enum tsr_status take_routine(struct tsr_asm *a)
{
    struct tsr_span s = tsr_asm_name(a);
    if (s.n == 0)
        return tsr_asm_bad(a, s.at, "the routine's name is wanted");
    if (a->scope != TSR_SCOPE_TCP)
        return tsr_asm_bad(a, s.at, "the .routine of line %u has no .end", a->routine_line);
    TRY(tsr_asm_define(a, TSR_SCOPE_ROUTINE, s, a->p.n_tvp));
    a->scope = a->next_scope++;
    a->routine_line = a->line;
    return TSR_OK;
}

static enum tsr_status take_end(struct tsr_asm *a, const char *dot)
{
    if (a->scope == TSR_SCOPE_TCP)
        return tsr_asm_bad(a, dot, ".end without .routine");
    a->scope = TSR_SCOPE_TCP;
    return TSR_OK;
}

enum tsr_status tsr_asm_directive(struct tsr_asm *a, const char *dot)
{
    static const struct {
        const char *name;
        enum tsr_status (*take)(struct tsr_asm *);
    } table[] = {
        {"isa", take_isa},         {"sem", take_sem},       {"tiles", take_tiles},
        {"arg", take_arg},         {"control", take_control}, {"tensor", take_tensor},
        {"equ", take_equ},         {"routine", take_routine},
    };
    struct tsr_span s = tsr_asm_name(a);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (tsr_span_is(s, table[i].name))
            return table[i].take(a);
    if (tsr_span_is(s, "end"))
        return take_end(a, dot);
    return tsr_asm_bad(a, dot, ".%.*s: no such directive, allowed are .isa .sem .tiles .arg "
                       ".control .tensor .equ .routine .end", TSR_SPAN(s));
}
