/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions to descriptors: which side is far, how the walk goes, and every check. */
#include <string.h>

#include "sim/time/dma.h"

static bool dma_fault(struct tsr_sim *s, struct tile *t, const struct unit_insn *in, uint64_t now,
                      const char *what, uint64_t value)
{
    enum tsr_queue q = (enum tsr_queue)(TSR_Q_DMA0 + in->u->imm[0]);
    raise_fault(s, TSR_FAULT_ADDRESS, now, t->id, q, in->pc, "%s (0x%llx)", what,
                (unsigned long long)value);
    return false;
}

/* Lowest and highest byte that a walk of dims touches, relative to its base. */
static void extent(const int64_t *n, const int64_t *stride, uint64_t len, int64_t *lo, int64_t *hi)
{
    *lo = 0;
    *hi = (int64_t)len;
    for (int d = 0; d < 3; d++) {
        int64_t reach = (n[d] - 1) * stride[d];
        if (reach < 0)
            *lo += reach;
        else
            *hi += reach;
    }
}

static bool range_ok(const struct tsr_sim *s, uint64_t base, int64_t lo, int64_t hi)
{
    uint64_t first = base + (uint64_t)lo, bytes = (uint64_t)(hi - lo);
    if (space_of(first) != space_of(base))
        return false;
    return space_of(base) == TSR_SPACE_TSRAM ? tsram_ok(s, first, bytes)
                                             : far_range_ok(s, first, bytes);
}

/* |(n - 1) * stride| <= 2^41: no memory is larger than 2^40, and sums of such stay in range. */
static bool reach_ok(int64_t n, int64_t stride)
{
    const int64_t limit = (int64_t)1 << 40, most = n > 1 ? 2 * limit / (n - 1) : limit;
    return stride >= -limit && stride <= limit && stride >= -most && stride <= most;
}

/* At most 2^24 of each dimension, 2^40 bytes in all; of a multicast 2^31 (cast_left). */
static bool shape_ok(const struct descriptor *d)
{
    uint64_t total = d->len, most = d->kind == DESC_CAST ? BIT(31) : BIT(40);
    for (int i = 0; i < 3; i++)
        if (d->n[i] < 0 || d->n[i] > (1 << 24) || !reach_ok(d->n[i], d->fs[i]) ||
            !reach_ok(d->n[i], d->ns[i]))
            return false;
    if (d->len > BIT(31))
        return false;
    for (int i = 0; i < 3; i++) {
        if (d->n[i] && total > most / (uint64_t)d->n[i])
            return false;
        total *= (uint64_t)d->n[i];
    }
    return true;
}

/* copy: which side is far, and its dimensions. */
static bool describe_copy(struct tsr_sim *s, struct tile *t, struct unit_insn *in,
                          struct descriptor *d, uint64_t now)
{
    static const uint8_t dim[3] = {COPY_N1, COPY_N2, COPY_N3};
    uint64_t src = (uint64_t)in->r[COPY_SRC], dst = (uint64_t)in->r[COPY_DST];
    bool cast = in->u->imm[COPY_MC] != 0;
    bool far_src = space_of(src) != TSR_SPACE_TSRAM, far_dst = space_of(dst) != TSR_SPACE_TSRAM;
    if (cast && far_dst)
        return dma_fault(s, t, in, now, "a multicast goes to TSRAM", dst);
    d->kind = cast                 ? DESC_CAST
              : far_src && far_dst ? DESC_FORWARD
              : far_src            ? DESC_READ
              : far_dst            ? DESC_WRITE
                                   : DESC_LOCAL;
    /* the far side decides the requests: the source of reads and casts, else the destination */
    bool by_src = d->kind == DESC_READ || d->kind == DESC_FORWARD || d->kind == DESC_CAST;
    d->far = by_src ? src : dst;
    d->near = by_src ? dst : src;
    d->len = (uint64_t)in->r[COPY_LEN];
    for (int i = 0; i < 3; i++) {
        d->n[i] = in->u->reg[dim[i]] ? in->r[dim[i]] : 1;
        int64_t ss = in->r[dim[i] + 1], ds = in->r[dim[i] + 2];
        d->fs[i] = by_src ? ss : ds;
        d->ns[i] = by_src ? ds : ss;
    }
    d->mask = cast ? (uint64_t)in->r[COPY_MASK] : 0;
    if (cast && (d->mask == 0 || (s->n_tiles < 64 && d->mask >> s->n_tiles)))
        return dma_fault(s, t, in, now, "the mask names no tile, or one that the chip lacks",
                         d->mask);
    return true;
}

bool index_ok(struct tsr_sim *s, struct tile *t, const struct descriptor *d, uint64_t i,
              uint64_t now)
{
    uint32_t v;
    memcpy(&v, t->control + d->index_base + 4 * i, 4);
    uint64_t run = d->far + (uint64_t)v * (uint64_t)d->fs[0];
    return (space_of(run) == space_of(d->far) && d->len <= BIT(31) &&
            range_ok(s, run, 0, (int64_t)d->len)) ||
           dma_fault(s, t, &d->in, now, "an index leads outside the memory", v);
}

static bool describe_indexed(struct tsr_sim *s, struct tile *t, struct unit_insn *in,
                             struct descriptor *d, uint64_t now)
{
    bool gather = in->u->exec == EX_GATHER;
    uint64_t src = (uint64_t)in->r[GATHER_SRC], dst = (uint64_t)in->r[GATHER_DST];
    uint64_t idx = (uint64_t)in->r[GATHER_IDX], n = (uint64_t)in->r[GATHER_N];
    d->kind = gather ? DESC_READ : DESC_WRITE;
    d->far = gather ? src : dst;
    d->near = gather ? dst : src;
    d->len = (uint64_t)in->r[GATHER_LEN];
    d->n[0] = in->r[GATHER_N], d->n[1] = d->n[2] = 1;
    d->fs[0] = gather ? in->r[GATHER_SS] : in->r[GATHER_DS];
    d->ns[0] = gather ? in->r[GATHER_DS] : in->r[GATHER_SS];
    d->indexed = true;
    d->index_base = idx;
    if (space_of(d->far) == TSR_SPACE_TSRAM || space_of(d->near) != TSR_SPACE_TSRAM)
        return dma_fault(s, t, in, now, "gather and scatter go between HBM or CSRAM and TSRAM",
                         d->far);
    if (idx % 4 || n > s->chip->tile.control_bytes / 4 || idx > s->chip->tile.control_bytes - 4 * n)
        return dma_fault(s, t, in, now, "the index list lies outside control memory", idx);
    /* in time an index is looked at when its run begins */
    for (uint64_t i = 0; d->len && s->opt.mode == TSR_MODE_FUNCTIONAL && i < n; i++)
        if (!index_ok(s, t, d, i, now))
            return false;
    return true;
}

/* transpose and to_control: one request that reads and then writes. */
static bool describe_single(struct tsr_sim *s, struct tile *t, struct unit_insn *in,
                            struct descriptor *d, uint64_t now)
{
    d->kind = DESC_SINGLE;
    d->n[0] = d->n[1] = d->n[2] = 1;
    if (in->u->exec == EX_TO_CONTROL) {
        uint64_t dst = (uint64_t)in->r[CONTROL_DST], n = (uint64_t)in->r[CONTROL_N],
                 src = (uint64_t)in->r[CONTROL_SRC];
        if (dst % 4 || n > s->chip->tile.control_bytes / 4 ||
            dst > s->chip->tile.control_bytes - 4 * n || space_of(src) != TSR_SPACE_TSRAM ||
            !tsram_ok(s, src, 4 * n))
            return dma_fault(s, t, in, now, "to_control: words outside TSRAM or control memory",
                             dst);
        d->len = 4 * n;
        return true;
    }
    uint64_t size = BIT(in->u->imm[TRANS_SIZE]), rows = (uint64_t)in->r[TRANS_ROWS],
             cols = (uint64_t)in->r[TRANS_COLS];
    uint64_t most =
        s->chip->tile.tvp.lanes < TRANSPOSE_SIDE ? s->chip->tile.tvp.lanes : TRANSPOSE_SIDE;
    if (rows - 1 >= most || cols - 1 >= most || in->r[TRANS_SS] < 0 || in->r[TRANS_DS] < 0 ||
        in->r[TRANS_SS] > INT32_MAX || in->r[TRANS_DS] > INT32_MAX ||
        space_of((uint64_t)in->r[TRANS_SRC]) || space_of((uint64_t)in->r[TRANS_DST]) ||
        !tsram_ok(s, (uint64_t)in->r[TRANS_SRC],
                  (rows - 1) * (uint64_t)in->r[TRANS_SS] + cols * size) ||
        !tsram_ok(s, (uint64_t)in->r[TRANS_DST],
                  (cols - 1) * (uint64_t)in->r[TRANS_DS] + rows * size))
        return dma_fault(s, t, in, now,
                         "transpose: more than a line's lanes a side, or outside the TSRAM", rows);
    d->len = rows * cols * size;
    return true;
}

/* Fills the descriptor; false after a fault. Also used by runs without time, for the checks. */
bool describe_transfer(struct tsr_sim *s, struct tile *t, struct unit_insn *in,
                       struct descriptor *d, uint64_t now)
{
    uint32_t *keep = d->cast_left;
    memset(d, 0, sizeof *d);
    d->cast_left = keep;
    d->in = *in;
    d->start = now;
    d->done = NEVER;
    d->blame = TSR_WAIT_SEMAPHORE;
    bool ok;
    switch (in->u->exec) {
    case EX_COPY:
        ok = describe_copy(s, t, in, d, now);
        break;
    case EX_GATHER:
    case EX_SCATTER:
        ok = describe_indexed(s, t, in, d, now);
        break;
    case EX_TRANSPOSE:
    case EX_TO_CONTROL:
        return describe_single(s, t, in, d, now);
    default: /* rpost moves nothing */
        d->kind = DESC_SINGLE;
        d->mask = (uint64_t)in->r[RPOST_MASK];
        if (d->mask == 0 || (s->n_tiles < 64 && d->mask >> s->n_tiles))
            return dma_fault(s, t, in, now, "the mask names no tile, or one that the chip lacks",
                             d->mask);
        return true;
    }
    if (!ok)
        return false;
    if (!shape_ok(d))
        return dma_fault(s, t, in, now, "a length, count or stride is out of range", d->len);
    uint64_t total = d->len * (uint64_t)d->n[0] * (uint64_t)d->n[1] * (uint64_t)d->n[2];
    if (total == 0) {
        d->len = 0;
        return true;
    }
    int64_t lo, hi;
    extent(d->n, d->ns, d->len, &lo, &hi);
    if (!range_ok(s, d->near, lo, hi))
        return dma_fault(s, t, in, now, "outside the memory", d->near);
    extent(d->n, d->fs, d->len, &lo, &hi);
    if (!d->indexed && !range_ok(s, d->far, lo, hi))
        return dma_fault(s, t, in, now, "outside the memory", d->far);
    d->merged = !d->indexed && d->fs[0] == (int64_t)d->len && d->n[0] > 1 &&
                (d->kind != DESC_FORWARD || d->ns[0] == (int64_t)d->len);
    d->run = d->merged ? d->len * (uint64_t)d->n[0] : d->len;
    d->left = total;
    return true;
}
