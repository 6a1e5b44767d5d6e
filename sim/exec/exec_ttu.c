/* SPDX-License-Identifier: Apache-2.0 */
/* Values of mma, drain and fill; the arithmetic itself is isa/num. */
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "sim/core/machine.h"
#include "sim/core/observe.h"
#include "sim/core/race.h"

/* Copies the rectangle between the banks and a dense m x n block. */
static void rectangle_copy(const struct tsr_sim *s, struct tile *t, int64_t c, uint32_t across,
                           size_t m, size_t n, uint32_t *block, bool out)
{
    size_t d = s->chip->tile.ttu.dim, side = 4 * d, first = (size_t)(c & 15) * d;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n;) {
            size_t left = side - (first + j) % side, step = n - j < left ? n - j : left;
            uint32_t *at = t->acc + acc_place(s, c, across, i, j);
            memcpy(out ? block + i * n + j : at, out ? at : block + i * n + j, 4 * step);
            j += step;
        }
}

static void *scratch(struct tsr_sim *s, unsigned which, size_t bytes)
{
    if (s->scratch_bytes[which] < bytes) {
        free(s->scratch[which]);
        s->scratch[which] = aligned_alloc(64, (bytes + 63) / 64 * 64);
        s->scratch_bytes[which] = s->scratch[which] ? bytes : 0;
    }
    if (!s->scratch[which])
        s->cal.failed = true;
    return s->scratch[which];
}

/* The operand for isa/num, its bytes told to the race check. */
static struct tsr_num_operand fetched(struct tsr_sim *s, struct tile *t, const struct unit_insn *in,
                                      bool b)
{
    struct operand o = operand_of(s, in, b);
    for (int64_t i = 0; s->race && i < o.rows; i++) {
        uint64_t down = (uint64_t)i * (uint64_t)o.stride;
        race_read(s, t, TSR_Q_TTU, in, o.address + down, o.bytes);
        if (o.scale_bytes)
            race_read(s, t, TSR_Q_TTU, in, o.scales + down, o.scale_bytes);
    }
    return (struct tsr_num_operand){.codes = t->tsram + o.address,
                                    .stride_bytes = (ptrdiff_t)o.stride,
                                    .k_strided = in->u->imm[b ? MMA_BT : MMA_AT] != 0,
                                    .scales = o.scale_bytes ? t->tsram + o.scales : NULL,
                                    .scale_stride_bytes = (ptrdiff_t)o.stride};
}

/* tsr_num_mma, and where somebody looks, what each step leaves. */
static void multiply(struct tsr_sim *s, const struct tile *t, const struct unit_insn *in,
                     const struct tsr_num_plan *plan, const struct tsr_num_panel *a,
                     const struct tsr_num_panel *b, uint32_t *c)
{
    uint32_t m = a->rows, n = b->rows, steps = a->k_padded / plan->r;
    if (!observed(s)) {
        tsr_num_mma(plan, a, b, c, n, !in->u->imm[MMA_ACC]);
        return;
    }
    if (!in->u->imm[MMA_ACC])
        memset(c, 0, 4 * (size_t)m * n);
    for (uint32_t i = 0; i < steps; i++) {
        tsr_num_mma_steps(plan, a, b, c, n, i, 1);
        tell(s, (struct observation){.kind = OBS_ACC,
                                     .tile = t->id,
                                     .queue = TSR_Q_TTU,
                                     .pc = in->pc,
                                     .reg = (uint32_t)in->u->imm[MMA_ACROSS],
                                     .address = (uint64_t)in->r[MMA_C],
                                     .value = n,
                                     .cycle = mma_step_cycle(s, in, i, steps),
                                     .bytes = 4 * m * n,
                                     .data = (const uint8_t *)c});
    }
}

void exec_mma(struct tsr_sim *s, struct tile *t, const struct unit_insn *in)
{
    const struct tsr_ttu_config *cfg = &s->chip->tile.ttu;
    const int64_t *r = in->r, *im = in->u->imm;
    const struct tsr_format *fa = &s->isa->formats[im[MMA_AF]], *fb = &s->isa->formats[im[MMA_BF]];
    uint32_t m = (uint32_t)r[MMA_M], n = (uint32_t)r[MMA_N], k = (uint32_t)r[MMA_K];
    uint8_t w = fa->width_class > fb->width_class ? fa->width_class : fb->width_class;
    struct tsr_num_plan plan;
    struct tsr_error err = {0};
    if (tsr_num_plan(fa, fb, w == 16 ? cfg->r16 : w == 9 ? cfg->r9 : cfg->r6, &plan, &err)) {
        raise_fault(s, TSR_FAULT_ILLEGAL, s->cal.now, t->id, TSR_Q_TTU, in->pc, "%.200s",
                    err.message);
        return;
    }
    struct tsr_num_operand a = fetched(s, t, in, false), b = fetched(s, t, in, true);
    void *ma = scratch(s, 0, tsr_num_panel_bytes(&plan, TSR_NUM_A, m, k));
    void *mb = scratch(s, 1, tsr_num_panel_bytes(&plan, TSR_NUM_B, n, k));
    uint32_t *c = scratch(s, 2, 4 * (size_t)m * n);
    if (!ma || !mb || !c)
        return;
    struct tsr_num_panel pa, pb;
    tsr_num_unpack(&plan, TSR_NUM_A, &a, m, k, ma, &pa);
    tsr_num_unpack(&plan, TSR_NUM_B, &b, n, k, mb, &pb);
    rectangle_copy(s, t, r[MMA_C], (uint32_t)im[MMA_ACROSS], m, n, c, true);
    if (im[MMA_SC] && im[MMA_ACC]) {
        race_read(s, t, TSR_Q_TTU, in, (uint64_t)r[MMA_E], 4 * (uint64_t)(im[MMA_SC] == 1 ? m : n));
        tsr_num_scale_block(c, n, m, n, (const int32_t *)(const void *)(t->tsram + r[MMA_E]),
                            im[MMA_SC] == 2);
    }
    multiply(s, t, in, &plan, &pa, &pb, c);
    race_acc(s, t, TSR_Q_TTU, in, r[MMA_C], (uint32_t)im[MMA_ACROSS], m, n, true);
    rectangle_copy(s, t, r[MMA_C], (uint32_t)im[MMA_ACROSS], m, n, c, false);
}

/* One accumulator on its way out: bias, then rounding. Integer accumulators become f32 for float
 * formats. */
static uint32_t drained(const struct tsr_sim *s, const struct unit_insn *in, uint32_t v,
                        const uint8_t *bias, size_t j)
{
    static int add = -1, iadd = -1, to_f = -1;
    if (add < 0) {
        iadd = tsr_num_primitive_find("iadd");
        to_f = tsr_num_primitive_find("cvt_i32_f32");
        add = tsr_num_primitive_find("add");
    }
    const int64_t *im = in->u->imm;
    if (bias) {
        uint32_t b;
        memcpy(&b, bias + 4 * j, 4);
        v = tsr_num_primitive_apply(im[DRAIN_INT] ? iadd : add, v, b, 0);
    }
    if (im[DRAIN_FMT] == TSR_I32)
        return v;
    if (im[DRAIN_INT])
        v = tsr_num_primitive_apply(to_f, v, 0, 0);
    return tsr_num_encode(&s->isa->formats[im[DRAIN_FMT]], v, TSR_ROUND_EVEN);
}

/* The line that the drain's port keeps: its bytes, then their mask. */
struct kept {
    bool dirty;
    uint64_t line;
    uint8_t data[2 * 4 * TSR_NUM_MAX_LANES];
};

static void show_kept(struct tsr_sim *s, const struct tile *t, struct kept *k)
{
    if (k->dirty)
        tell(s, (struct observation){.kind = OBS_ADATA,
                                     .tile = t->id,
                                     .queue = TSR_Q_ACC,
                                     .cycle = s->cal.now,
                                     .address = k->line << s->line_shift,
                                     .bytes = 2u << s->line_shift,
                                     .data = k->data});
    k->dirty = false;
}

static void keep(struct tsr_sim *s, const struct tile *t, struct kept *k, uint64_t at,
                 uint64_t bytes)
{
    uint64_t size = UINT64_C(1) << s->line_shift;
    for (uint64_t i = at; i < at + bytes; i++) {
        if (!k->dirty || i >> s->line_shift != k->line) {
            show_kept(s, t, k);
            memset(k->data, 0, sizeof k->data);
            k->dirty = true;
            k->line = i >> s->line_shift;
        }
        k->data[i & (size - 1)] = t->tsram[i];
        k->data[size + (i & (size - 1))] = 0xFF;
    }
}

/* The accumulators' words that a fill's row i became, line by line. */
static void show_filled(struct tsr_sim *s, const struct tile *t, const struct unit_insn *in,
                        size_t i)
{
    struct acc_run w = {0};
    while (acc_run_next(s, in, i, &w))
        tell(s, (struct observation){.kind = OBS_FDATA,
                                     .tile = t->id,
                                     .queue = TSR_Q_ACC,
                                     .pc = in->pc,
                                     .cycle = s->cal.now,
                                     .address = w.place,
                                     .bytes = 4 * w.n,
                                     .data = (const uint8_t *)(t->acc + w.place)});
}

void exec_acc(struct tsr_sim *s, struct tile *t, const struct unit_insn *in)
{
    const int64_t *r = in->r, *im = in->u->imm;
    const struct tsr_format *f = &s->isa->formats[im[DRAIN_FMT]];
    bool drain = in->u->exec == EX_DRAIN;
    uint32_t across = (uint32_t)im[DRAIN_ACROSS];
    size_t m = (size_t)r[DRAIN_M], n = (size_t)r[DRAIN_N], size = f->bits / 8;
    struct kept kept = {0};
    const uint8_t *bias = drain && im[DRAIN_BI] ? t->tsram + r[DRAIN_BIAS] : NULL;
    if (bias)
        race_read(s, t, TSR_Q_ACC, in, (uint64_t)r[DRAIN_BIAS], 4 * n);
    race_acc(s, t, TSR_Q_ACC, in, r[DRAIN_C], across, (uint32_t)m, (uint32_t)n, !drain);
    for (size_t i = 0; i < m; i++) {
        uint64_t row = (uint64_t)r[DRAIN_ADDR] + i * (uint64_t)r[DRAIN_STRIDE];
        if (drain)
            race_write(s, t, TSR_Q_ACC, in, row, n * size);
        else
            race_read(s, t, TSR_Q_ACC, in, row, n * size);
        for (size_t j = 0; j < n; j++) {
            uint32_t *at = t->acc + acc_place(s, r[DRAIN_C], across, i, j), v = 0;
            if (drain) {
                v = drained(s, in, *at, bias, j);
                memcpy(t->tsram + row + j * size, &v, size);
            } else {
                memcpy(&v, t->tsram + row + j * size, size);
                *at = im[DRAIN_FMT] == TSR_I32 || im[DRAIN_FMT] == TSR_F32
                          ? v
                          : tsr_num_decode_f32(f, v);
            }
        }
        if (drain && observed(s))
            keep(s, t, &kept, row, n * size);
        else if (observed(s))
            show_filled(s, t, in, i);
    }
    show_kept(s, t, &kept);
}
