/* SPDX-License-Identifier: Apache-2.0 */
/* What copies, gathers, transposes and to_control do to memory. */
#include <stdlib.h>
#include <string.h>

#include "sim/core/machine.h"
#include "sim/core/race.h"

/* ---- trace of control data ----------------------------------------------------------------------
 */

struct trace_record {
    uint32_t tile, id, call, n;
    uint32_t *words;
};
struct tsr_trace {
    struct trace_record *record;
    size_t n, cap;
};

struct tsr_trace *tsr_trace_new(void)
{
    return calloc(1, sizeof(struct tsr_trace));
}

void tsr_trace_free(struct tsr_trace *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        free(t->record[i].words);
    free(t->record);
    free(t);
}

static bool trace_add(struct tsr_trace *t, uint32_t tile, uint32_t id, uint32_t call,
                      const void *words, uint32_t n)
{
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 64;
        struct trace_record *r = realloc(t->record, cap * sizeof *r);
        if (!r)
            return false;
        t->record = r;
        t->cap = cap;
    }
    uint32_t *copy = malloc(n ? 4 * (size_t)n : 1);
    if (!copy)
        return false;
    memcpy(copy, words, 4 * (size_t)n);
    t->record[t->n++] =
        (struct trace_record){.tile = tile, .id = id, .call = call, .n = n, .words = copy};
    return true;
}

static const struct trace_record *trace_find(const struct tsr_trace *t, uint32_t tile, uint32_t id,
                                             uint32_t call)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->record[i].tile == tile && t->record[i].id == id && t->record[i].call == call)
            return &t->record[i];
    return NULL;
}

static bool supply(struct tsr_sim *s, struct tile *t, uint32_t id, uint32_t call, uint32_t *words,
                   uint32_t n)
{
    const struct trace_record *r =
        s->opt.replay ? trace_find(s->opt.replay, t->id, id, call) : NULL;
    if (r && r->n == n) {
        memcpy(words, r->words, 4 * (size_t)n);
        return true;
    }
    for (size_t i = 0; i < s->opt.n_sources; i++)
        if (s->opt.sources[i].id == id) {
            s->opt.sources[i].fill(s->opt.sources[i].self, t->id, call, words, n);
            return true;
        }
    return false;
}

bool exec_control(struct tsr_sim *s, struct tile *t, const struct unit_insn *in)
{
    uint32_t id = (uint32_t)in->u->imm[CONTROL_ID], n = (uint32_t)in->r[CONTROL_N];
    uint32_t call = t->dma.control_calls[id]++;
    uint32_t *words = (uint32_t *)(void *)(t->control + in->r[CONTROL_DST]);
    if (s->values) {
        enum tsr_queue q = (enum tsr_queue)(TSR_Q_DMA0 + in->u->imm[0]);
        race_read(s, t, q, in, (uint64_t)in->r[CONTROL_SRC], 4 * (uint64_t)n);
        race_control(s, t, q, in, (uint64_t)in->r[CONTROL_DST], 4 * (uint64_t)n, true);
        memcpy(words, t->tsram + in->r[CONTROL_SRC], 4 * (size_t)n);
        if (s->opt.record && !trace_add(s->opt.record, t->id, id, call, words, n))
            s->cal.failed = true;
        return true;
    }
    if (supply(s, t, id, call, words, n))
        return true;
    raise_fault(s, TSR_FAULT_CONTROL_ADDRESS, s->cal.now, t->id,
                (enum tsr_queue)(TSR_Q_DMA0 + in->u->imm[0]), in->pc,
                "to_control %u: a timing-only run needs a trace or a declared source", id);
    return false;
}

/* ---- copies
 * ------------------------------------------------------------------------------------------ */

struct end {
    struct tile *tile; /* whose TSRAM */
    uint64_t base;
    int64_t stride[3];
};

static void move(struct tsr_sim *s, const struct end *from, uint64_t src, const struct end *to,
                 uint64_t dst, uint64_t n)
{
    uint8_t buffer[4096];
    bool near_src = space_of(src) == TSR_SPACE_TSRAM, near_dst = space_of(dst) == TSR_SPACE_TSRAM;
    if (near_src && near_dst) {
        memmove(to->tile->tsram + dst, from->tile->tsram + src, n);
    } else if (near_dst) {
        memory_read(s, src, to->tile->tsram + dst, n);
    } else if (near_src) {
        if (memory_write(s, dst, from->tile->tsram + src, n) == TSR_INTERNAL)
            s->cal.failed = true;
    } else {
        for (uint64_t at = 0; at < n; at += sizeof buffer) {
            uint64_t step = n - at < sizeof buffer ? n - at : sizeof buffer;
            memory_read(s, src + at, buffer, step);
            if (memory_write(s, dst + at, buffer, step) == TSR_INTERNAL)
                s->cal.failed = true;
        }
    }
}

static void copy(struct tsr_sim *s, struct tile *from, struct tile *to, enum tsr_queue q,
                 const struct unit_insn *in)
{
    static const uint8_t dim[3] = {COPY_N1, COPY_N2, COPY_N3};
    struct end a = {.tile = from, .base = (uint64_t)in->r[COPY_SRC]},
               b = {.tile = to, .base = (uint64_t)in->r[COPY_DST]};
    int64_t n[3];
    uint64_t len = (uint64_t)in->r[COPY_LEN];
    for (int i = 0; i < 3; i++) {
        n[i] = in->u->reg[dim[i]] ? in->r[dim[i]] : 1;
        a.stride[i] = in->r[dim[i] + 1];
        b.stride[i] = in->r[dim[i] + 2];
    }
    if (len == 0 || n[0] <= 0 || n[1] <= 0)
        return;
    for (int64_t z = 0; z < n[2]; z++)
        for (int64_t y = 0; y < n[1]; y++)
            for (int64_t x = 0; x < n[0]; x++) {
                uint64_t src =
                    a.base + (uint64_t)(x * a.stride[0] + y * a.stride[1] + z * a.stride[2]);
                uint64_t dst =
                    b.base + (uint64_t)(x * b.stride[0] + y * b.stride[1] + z * b.stride[2]);
                race_transfer(s, from, to, q, in, src, dst, len);
                move(s, &a, src, &b, dst, len);
            }
}

void exec_cast(struct tsr_sim *s, struct tile *from, struct tile *to, const struct unit_insn *in)
{
    copy(s, from, to, (enum tsr_queue)(TSR_Q_DMA0 + in->u->imm[0]), in);
}

static void indexed(struct tsr_sim *s, struct tile *t, enum tsr_queue q, const struct unit_insn *in)
{
    struct end e = {.tile = t};
    bool gather = in->u->exec == EX_GATHER;
    uint64_t len = (uint64_t)in->r[GATHER_LEN];
    for (int64_t i = 0; len && i < in->r[GATHER_N]; i++) {
        uint32_t v;
        memcpy(&v, t->control + in->r[GATHER_IDX] + 4 * i, 4);
        race_control(s, t, q, in, (uint64_t)(in->r[GATHER_IDX] + 4 * i), 4, false);
        uint64_t src =
            (uint64_t)in->r[GATHER_SRC] + (uint64_t)(gather ? v : i) * (uint64_t)in->r[GATHER_SS];
        uint64_t dst =
            (uint64_t)in->r[GATHER_DST] + (uint64_t)(gather ? i : v) * (uint64_t)in->r[GATHER_DS];
        race_transfer(s, t, t, q, in, src, dst, len);
        move(s, &e, src, &e, dst, len);
    }
}

static void transpose(struct tsr_sim *s, struct tile *t, enum tsr_queue q,
                      const struct unit_insn *in)
{
    const int64_t *r = in->r;
    size_t size = (size_t)1 << in->u->imm[TRANS_SIZE];
    size_t rows = (size_t)r[TRANS_ROWS], cols = (size_t)r[TRANS_COLS];
    uint8_t buffer[TRANSPOSE_SIDE * TRANSPOSE_SIDE * 4]; /* describe_single keeps within */
    for (size_t i = 0; i < rows; i++) {
        uint64_t row = (uint64_t)r[TRANS_SRC] + i * (uint64_t)r[TRANS_SS];
        race_read(s, t, q, in, row, cols * size);
        memcpy(buffer + i * cols * size, t->tsram + row, cols * size);
    }
    for (size_t j = 0; j < cols; j++) {
        uint64_t row = (uint64_t)r[TRANS_DST] + j * (uint64_t)r[TRANS_DS];
        race_write(s, t, q, in, row, rows * size);
        for (size_t i = 0; i < rows; i++)
            memcpy(t->tsram + row + i * size, buffer + (i * cols + j) * size, size);
    }
}

void exec_dma(struct tsr_sim *s, struct tile *t, const struct unit_insn *in)
{
    enum tsr_queue q = (enum tsr_queue)(TSR_Q_DMA0 + in->u->imm[0]);
    switch (in->u->exec) {
    case EX_COPY:
        copy(s, t, t, q, in);
        break;
    case EX_GATHER:
    case EX_SCATTER:
        indexed(s, t, q, in);
        break;
    case EX_TRANSPOSE:
        transpose(s, t, q, in);
        break;
    case EX_TO_CONTROL:
        exec_control(s, t, in);
        break;
    default:
        break; /* rpost */
    }
}

void exec_unit(struct tsr_sim *s, struct tile *t, enum tsr_queue q, const struct unit_insn *in)
{
    if (in->u->exec == EX_SYNC)
        return;
    if (q == TSR_Q_TTU)
        exec_mma(s, t, in);
    else if (q == TSR_Q_ACC)
        exec_acc(s, t, in);
    else if (q == TSR_Q_TVP)
        exec_tvp(s, t, in);
    else
        exec_dma(s, t, in);
}
