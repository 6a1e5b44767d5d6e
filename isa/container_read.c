/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a program's binary form: nothing in the bytes is trusted. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "isa/code.h"
#include "isa/container.h"
#include "isa/load.h"
#include "tessera/chip.h"

enum { MAX_BINDINGS = 64 };

struct in {
    const uint8_t *b;
    size_t n; /* left */
    const char *file;
    struct tsr_error *err;
    const struct tsr_isa *isa;
    struct tsr_program p;
    uint64_t digest;
};

/* An in-section reader that fails softly: reading past the end gives zeros and sets `over`. */
struct part {
    const uint8_t *b;
    size_t n;
    bool over;
};

#define BAD(in, ...) tsr_error_set((in)->err, TSR_BAD_INPUT, "%s: " __VA_ARGS__)

static uint64_t get_int(struct part *s, int size)
{
    uint64_t v = 0;
    if (s->n < (size_t)size) {
        s->over = true;
        s->n = 0;
        return 0;
    }
    for (int i = 0; i < size; i++)
        v |= (uint64_t)s->b[i] << 8 * i;
    s->b += size;
    s->n -= (size_t)size;
    return v;
}

static const uint8_t *get_bytes(struct part *s, size_t n)
{
    const uint8_t *b = s->b;
    if (s->n < n) {
        s->over = true;
        return NULL;
    }
    s->b += n;
    s->n -= n;
    return b;
}

/* Memory for n items, at least one byte; sets TSR_INTERNAL on failure. */
static void *get_memory(struct in *in, size_t n, size_t size)
{
    void *p = calloc(n > 0 ? n : 1, size);
    if (p == NULL)
        tsr_error_set(in->err, TSR_INTERNAL, "out of memory");
    return p;
}

/* The row or format of one entry as this instruction set has it; 0: it has none. */
static uint64_t digest_here(const struct tsr_isa *isa, unsigned stream, unsigned code,
                            const char **name)
{
    *name = "?";
    if (stream == TSR_STREAMS) {
        if (code >= TSR_DTYPE_MAX || !isa->has_format[code])
            return 0;
        *name = isa->formats[code].name;
        return tsr_format_digest(&isa->formats[code]);
    }
    if (stream > TSR_STREAMS || isa->by_opcode[stream][code] == 0)
        return 0;
    const struct tsr_op *op = &isa->ops[isa->by_opcode[stream][code] - 1];
    *name = op->mnemonic;
    return tsr_op_digest(op);
}

static enum tsr_status read_used(struct in *in, struct part *s)
{
    if (in->digest == in->isa->digest) {
        get_bytes(s, s->n);
        return TSR_OK;
    }
    while (s->n > 0) {
        unsigned stream = (unsigned)get_int(s, 1), code = (unsigned)get_int(s, 1);
        uint64_t digest = get_int(s, 8);
        const char *name, *what = stream == TSR_STREAMS ? "format" : "instruction";
        uint64_t here = digest_here(in->isa, stream, code, &name);
        if (s->over)
            break;
        if (here == 0)
            return BAD(in, "made with another instruction set: it uses %s 0x%02x, which is missing "
                       "in this one; only additions may differ", in->file, what, code);
        if (here != digest)
            return BAD(in, "made with another instruction set: %s %s (0x%02x) differs from this "
                       "one's; only additions may differ", in->file, what, name, code);
    }
    return TSR_OK;
}

static enum tsr_status read_sems(struct in *in, struct part *s)
{
    for (int i = 0; i < TSR_MAX_SEMAPHORES; i++) {
        in->p.consumer[i] = (uint8_t)get_int(s, 1);
        if (in->p.consumer[i] >= TSR_QUEUES && in->p.consumer[i] != 0xff)
            return BAD(in, "semaphore s%d: consumer %u, allowed are 0 to %d and 255", in->file, i,
                       in->p.consumer[i], TSR_QUEUES - 1);
    }
    return TSR_OK;
}

static enum tsr_status read_words(struct in *in, struct part *s, enum tsr_stream stream)
{
    size_t size = stream == TSR_STREAM_TCP ? 16 : 8, n = s->n / size;
    if (s->n % size != 0 || n > TSR_MAX_WORDS)
        return BAD(in, "stream %s: %zu bytes, up to %d words of %zu bytes are allowed", in->file,
                   tsr_stream_words[stream], s->n, TSR_MAX_WORDS, size);
    void *words = get_memory(in, n, size);
    if (words == NULL)
        return TSR_INTERNAL;
    if (stream == TSR_STREAM_TCP) {
        in->p.tcp = words;
        in->p.n_tcp = (uint32_t)n;
    } else {
        in->p.tvp = words;
        in->p.n_tvp = (uint32_t)n;
    }
    for (size_t i = 0; i < n; i++) {
        struct tsr_word w = {{get_int(s, 8), 0}};
        if (stream == TSR_STREAM_TCP)
            in->p.tcp[i] = (struct tsr_word){{w.w[0], w.w[1] = get_int(s, 8)}};
        else
            in->p.tvp[i] = w.w[0];
        struct tsr_insn insn;
        struct tsr_error why = {0};
        if (tsr_decode(in->isa, stream, w, &insn, &why) != TSR_OK)
            return BAD(in, "word %zu of stream %s: %s", in->file, i, tsr_stream_words[stream],
                       why.message);
    }
    return TSR_OK;
}

static enum tsr_status read_args(struct in *in, struct part *s)
{
    in->p.tiles = (uint32_t)get_int(s, 4);
    if (in->p.tiles < 1 || in->p.tiles > TSR_MAX_TILES) {
        uint32_t tiles = in->p.tiles;
        in->p.tiles = 0;
        return BAD(in, "%u tiles, allowed are 1 to %d", in->file, tiles, TSR_MAX_TILES);
    }
    if (get_int(s, 1) == 0)
        return TSR_OK;
    in->p.args = get_memory(in, in->p.tiles, sizeof *in->p.args);
    if (in->p.args == NULL)
        return TSR_INTERNAL;
    for (uint32_t t = 0; t < in->p.tiles; t++)
        for (int r = 0; r < TSR_LAUNCH_REGS; r++)
            in->p.args[t][r] = (int64_t)get_int(s, 8);
    return TSR_OK;
}

static enum tsr_status read_control(struct in *in, struct part *s)
{
    if (get_int(s, 1) == 0)
        return TSR_OK;
    in->p.control = get_memory(in, in->p.tiles, sizeof *in->p.control);
    in->p.control_bytes = get_memory(in, in->p.tiles, sizeof *in->p.control_bytes);
    if (in->p.control == NULL || in->p.control_bytes == NULL)
        return TSR_INTERNAL;
    for (uint32_t t = 0; t < in->p.tiles && !s->over; t++) {
        size_t n = get_int(s, 4);
        if (n > TSR_MAX_CONTROL)
            return BAD(in, "tile %u: %zu bytes of control memory, at most %d are allowed",
                       in->file, t, n, TSR_MAX_CONTROL);
        const uint8_t *image = get_bytes(s, n);
        if (image == NULL || n == 0)
            continue;
        in->p.control[t] = get_memory(in, n, 1);
        if (in->p.control[t] == NULL)
            return TSR_INTERNAL;
        memcpy(in->p.control[t], image, n);
        in->p.control_bytes[t] = (uint32_t)n;
    }
    return TSR_OK;
}

static bool legal_binding(const struct in *in, const struct tsr_binding *b)
{
    uint64_t elements = 1;
    if (b->name[0] == '\0' || memchr(b->name, '\0', sizeof b->name) == NULL ||
        !tsr_text_is_name(b->name) || b->format >= TSR_DTYPE_MAX ||
        !in->isa->has_format[b->format] || b->address >> 56 != TSR_SPACE_HBM || b->dims < 1 ||
        b->dims > 4)
        return false;
    for (uint32_t d = 0; d < b->dims; d++) {
        if (b->dim[d] == 0 || b->dim[d] > (UINT64_C(1) << 40) / elements)
            return false;
        elements *= b->dim[d];
    }
    return true;
}

static enum tsr_status read_tensors(struct in *in, struct part *s)
{
    size_t n = s->n / TSR_BINDING_BYTES;
    if (s->n % TSR_BINDING_BYTES != 0 || n > MAX_BINDINGS)
        return BAD(in, "tensors: %zu bytes, up to %d of %d bytes are allowed", in->file, s->n,
                   MAX_BINDINGS, TSR_BINDING_BYTES);
    in->p.bindings = get_memory(in, n, sizeof *in->p.bindings);
    if (in->p.bindings == NULL)
        return TSR_INTERNAL;
    for (size_t i = 0; i < n; i++) {
        struct tsr_binding *b = &in->p.bindings[i];
        memcpy(b->name, get_bytes(s, sizeof b->name), sizeof b->name);
        b->output = get_int(s, 1) != 0;
        b->format = (uint8_t)get_int(s, 1);
        b->address = get_int(s, 8);
        b->dims = (uint32_t)get_int(s, 1);
        for (int d = 0; d < 4; d++)
            b->dim[d] = get_int(s, 8);
        if (!legal_binding(in, b))
            return BAD(in, "tensor %zu: its name, format, address or sizes are illegal", in->file,
                       i);
    }
    in->p.n_bindings = (uint32_t)n;
    return TSR_OK;
}

static enum tsr_status read_lines(struct in *in, struct part *s)
{
    if (get_int(s, 1) == 0)
        return TSR_OK;
    in->p.tcp_line = get_memory(in, in->p.n_tcp, sizeof *in->p.tcp_line);
    in->p.tvp_line = get_memory(in, in->p.n_tvp, sizeof *in->p.tvp_line);
    if (in->p.tcp_line == NULL || in->p.tvp_line == NULL)
        return TSR_INTERNAL;
    for (uint32_t i = 0; i < in->p.n_tcp; i++)
        in->p.tcp_line[i] = (uint32_t)get_int(s, 4);
    for (uint32_t i = 0; i < in->p.n_tvp; i++)
        in->p.tvp_line[i] = (uint32_t)get_int(s, 4);
    return TSR_OK;
}

static enum tsr_status read_payload(struct in *in, enum tsr_section tag, struct part *s)
{
    switch (tag) {
    case TSR_SECTION_USED:
        return read_used(in, s);
    case TSR_SECTION_SEMS:
        return read_sems(in, s);
    case TSR_SECTION_TCP:
        return read_words(in, s, TSR_STREAM_TCP);
    case TSR_SECTION_TVP:
        return read_words(in, s, TSR_STREAM_TVP);
    case TSR_SECTION_ARGS:
        return read_args(in, s);
    case TSR_SECTION_CONTROL:
        return read_control(in, s);
    case TSR_SECTION_TENSORS:
        return read_tensors(in, s);
    case TSR_SECTION_LINES:
        return read_lines(in, s);
    case TSR_SECTIONS:
        break;
    }
    return TSR_INTERNAL;
}

static enum tsr_status read_section(struct in *in, enum tsr_section tag)
{
    struct part head = {in->b, in->n, false};
    uint64_t found = get_int(&head, 4), zero = get_int(&head, 4), bytes = get_int(&head, 8);
    if (head.over)
        return BAD(in, "it ends before section %d", in->file, (int)tag);
    if (found != (uint64_t)tag || zero != 0)
        return BAD(in, "section %d is wanted, %" PRIu64 " found", in->file, (int)tag, found);
    if (head.n < 8 || bytes > head.n - 8)
        return BAD(in, "section %d: %" PRIu64 " bytes announced, %zu left", in->file, (int)tag,
                   bytes, head.n < 8 ? 0 : head.n - 8);
    struct part payload = {head.b, (size_t)bytes, false};
    struct part sum = {head.b + bytes, 8, false};
    if (get_int(&sum, 8) !=
        tsr_digest_bytes(TSR_DIGEST_SEED, in->b, TSR_SECTION_HEAD + (size_t)bytes))
        return BAD(in, "section %d: the checksum does not fit, the file is damaged", in->file,
                   (int)tag);
    enum tsr_status st = read_payload(in, tag, &payload);
    if (st == TSR_OK && (payload.over || payload.n > 0))
        return BAD(in, "section %d: %s", in->file, (int)tag,
                   payload.over ? "too short" : "too long");
    in->b += TSR_SECTION_HEAD + bytes + 8;
    in->n -= TSR_SECTION_HEAD + (size_t)bytes + 8;
    return st;
}

static enum tsr_status read_head(struct in *in)
{
    struct part head = {in->b, in->n, false};
    if (in->n < TSR_PROGRAM_HEAD || memcmp(in->b, TSR_PROGRAM_MAGIC, 8) != 0)
        return BAD(in, "no program: it does not start with %s and a head", in->file,
                   TSR_PROGRAM_MAGIC);
    get_bytes(&head, 8);
    in->p.isa_major = (uint16_t)get_int(&head, 2);
    in->p.isa_minor = (uint16_t)get_int(&head, 2);
    uint64_t sections = get_int(&head, 4);
    in->digest = get_int(&head, 8);
    in->p.isa_digest = in->isa->digest; /* what is accepted is a program of this one */
    if (sections != TSR_SECTIONS)
        return BAD(in, "%" PRIu64 " sections, %d are wanted", in->file, sections, TSR_SECTIONS);
    if (in->p.isa_major != in->isa->major || in->p.isa_minor > in->isa->minor)
        return BAD(in, "made for version %u.%u of the instruction set, this is %u.%u, allowed are "
                   "%u.0 to %u.%u", in->file, in->p.isa_major, in->p.isa_minor, in->isa->major,
                   in->isa->minor, in->isa->major, in->isa->major, in->isa->minor);
    in->b = head.b;
    in->n = head.n;
    return TSR_OK;
}

enum tsr_status tsr_program_read(const struct tsr_isa *isa, const char *file, const uint8_t *bytes,
                                 size_t n, struct tsr_program *out, struct tsr_error *err)
{
    assert(isa != NULL && file != NULL && out != NULL && (bytes != NULL || n == 0));
    struct in in = {.b = bytes, .n = n, .file = file, .err = err, .isa = isa};
    enum tsr_status st = read_head(&in);
    for (int tag = 0; tag < TSR_SECTIONS && st == TSR_OK; tag++)
        st = read_section(&in, (enum tsr_section)tag);
    if (st == TSR_OK && in.n > 0)
        st = BAD(&in, "%zu bytes after the end", file, in.n);
    if (st == TSR_OK)
        *out = in.p;
    else
        tsr_program_free(&in.p);
    return st;
}
