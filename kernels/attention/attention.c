/* SPDX-License-Identifier: Apache-2.0 */
/* The public function: checks, units of work, the merge of split contexts. Contract:
 * tessera/attention.h. */
#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/attention/flash.h"
#include "tessera/vecmath.h"

tsr_attention_kernel_fn tsr_attention_f32_ref, tsr_attention_bf16_ref;

#define LOG2E 1.4426950408889634

enum {
    ALIGN = 64,
    MOST_TASKS = 256,
    MOST_KEYS = 1 << 24, /* positions are exact in f32 */
    CHUNK_ROWS = 96,     /* that share a pass over the keys, or one block if that is more */
    SPLIT_ROWS = 16,     /* up to these rows of a key head, contexts are split */
    SPLIT_KEYS = 8 * TSR_FLASH_KEYS
};

const struct tsr_attention_kernel *tsr_attention_f32_ref(void)
{
    return NULL;
}

const struct tsr_attention_kernel *tsr_attention_bf16_ref(void)
{
    return NULL;
}

static enum tsr_status check_shape(const struct tsr_attention *a, struct tsr_error *err)
{
    if (a->kv_heads == 0 || a->heads == 0 || a->heads % a->kv_heads != 0)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "attention: %zu heads over %zu key heads, allowed: a multiple",
                             a->heads, a->kv_heads);
    for (size_t b = 0; b < a->batch; b++) {
        if (a->kv_len[b] > MOST_KEYS || a->q_len[b] > MOST_KEYS)
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "attention: sequence %zu has %u queries, %u keys, allowed: %d", b,
                                 (unsigned)a->q_len[b], (unsigned)a->kv_len[b], MOST_KEYS);
        if (a->causal && a->q_len[b] > a->kv_len[b])
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "attention: causal sequence %zu has %u queries, allowed: up to "
                                 "its keys, %u",
                                 b, (unsigned)a->q_len[b], (unsigned)a->kv_len[b]);
    }
    const double scale = fabs(a->scale);
    if (!(scale == 0 || (scale >= 0x1p-64 && scale <= 0x1p60)))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "attention: scale is %g, allowed: 0, or 2^-64 to 2^60 in magnitude",
                             a->scale);
    if (!(a->softcap == 0 || (a->softcap >= 0x1p-20 && a->softcap <= 0x1p40)))
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "attention: softcap is %g, allowed: 0 or 2^-20 to 2^40", a->softcap);
    return TSR_OK;
}

static enum tsr_status check(const struct tsr_attention_call *c, struct tsr_flash_plan *p,
                             struct tsr_error *err)
{
    const struct tsr_attention *a = c->what;
    const struct tsr_kv *kv = c->kv;
    if (c->format != TSR_F32 && c->format != TSR_BF16)
        return tsr_error_set(err, TSR_USAGE, "attention: format %d, allowed: f32 bf16",
                             (int)c->format);
    enum tsr_status st = tsr_kv_layout(kv, &p->layout, err);
    if (st == TSR_OK)
        st = check_shape(a, err);
    if (st != TSR_OK)
        return st;
    if (kv->kv_heads != a->kv_heads || kv->dim != a->dim || kv->value_dim != a->value_dim)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "attention: %zu key heads of %zu and %zu, the cache has %zu of %zu "
                             "and %zu",
                             a->kv_heads, a->dim, a->value_dim, kv->kv_heads, kv->dim,
                             kv->value_dim);
    return TSR_OK;
}

static size_t round_up(size_t x, size_t to)
{
    return (x + to - 1) / to * to;
}

static enum tsr_status make_plan(const struct tsr_attention_call *c, struct tsr_flash_plan *p,
                                 struct tsr_error *err)
{
    *p = (struct tsr_flash_plan){.call = c};
    const enum tsr_status st = check(c, p, err);
    if (st != TSR_OK)
        return st;
    const struct tsr_attention *a = c->what;
    const enum tsr_cpu_op op = c->format == TSR_F32 ? TSR_OP_attention_f32 : TSR_OP_attention_bf16;
    p->kernel = ((tsr_attention_kernel_fn *)tsr_variant_chosen(op)->function)();
    p->group = a->heads / a->kv_heads;
    p->zero = a->scale == 0;
    p->negative = a->scale < 0;
    p->c = p->zero ? 1.0f : (float)(fabs(a->scale) * LOG2E);
    /* Finite under the multiplication that comes after hiding. */
    p->masked = -0x1p60f / (a->softcap != 0 || a->slopes != NULL ? 1.0f : p->c);
    if (p->kernel == NULL)
        return TSR_OK;
    int last = 0;
    while (p->kernel->choices[last + 1] != 0)
        last++;
    p->block_lanes = p->kernel->choices[last] * p->kernel->lanes();
    p->block_rows = p->block_lanes / p->kernel->row_lanes;
    p->chunk_rows = round_up(CHUNK_ROWS, p->block_rows);
    p->task_bytes = tsr_flash_task_bytes(p);
    return TSR_OK;
}

/* How the work of a sequence and key head is cut: by its shape alone, so that the bits depend
 * neither on the threads nor on the processor. */
struct cut {
    size_t rows, chunks, splits;
};

static struct cut cut_of(const struct tsr_flash_plan *p, size_t sequence)
{
    const struct tsr_attention *a = p->call->what;
    const size_t rows = a->q_len[sequence] * p->group, keys = a->kv_len[sequence];
    struct cut k = {rows, (rows + p->chunk_rows - 1) / p->chunk_rows, 1};
    if (rows <= SPLIT_ROWS && keys > SPLIT_KEYS)
        k.splits = (keys + SPLIT_KEYS - 1) / SPLIT_KEYS;
    return k;
}

static size_t partial_floats(const struct tsr_flash_plan *p)
{
    return p->call->what->value_dim + 2;
}

/* Units of the call, and bytes of the partial results. */
static size_t count_units(const struct tsr_flash_plan *p, size_t *partial_bytes)
{
    size_t units = 0, floats = 0;
    for (size_t b = 0; b < p->call->what->batch; b++) {
        const struct cut k = cut_of(p, b);
        units += p->call->what->kv_heads * k.chunks * k.splits;
        if (k.splits > 1)
            floats += p->call->what->kv_heads * k.rows * k.splits * partial_floats(p);
    }
    *partial_bytes = round_up(floats * sizeof(float), ALIGN);
    return units;
}

enum tsr_status tsr_attention_scratch_bytes(const struct tsr_attention_call *c, size_t threads,
                                            size_t *bytes, struct tsr_error *err)
{
    struct tsr_flash_plan p;
    const enum tsr_status st = make_plan(c, &p, err);
    if (st != TSR_OK)
        return st;
    size_t partial = 0;
    if (p.kernel != NULL)
        count_units(&p, &partial);
    threads = threads < 1 ? 1 : threads < MOST_TASKS ? threads : MOST_TASKS;
    *bytes = partial + threads * p.task_bytes;
    return TSR_OK;
}

struct work {
    struct tsr_flash_plan plan;
    size_t tasks;
    float *partial;
    uint8_t *scratch;
};

/* Of one sequence and key head: its units that fall to the task. *next counts units. */
static void run_head(const struct work *w, size_t task, const struct tsr_flash_unit *base,
                     size_t *next)
{
    const struct tsr_flash_plan *p = &w->plan;
    const struct cut k = cut_of(p, base->sequence);
    for (size_t chunk = 0; chunk < k.chunks; chunk++)
        for (size_t s = 0; s < k.splits; s++) {
            if ((*next)++ % w->tasks != task)
                continue;
            struct tsr_flash_unit u = *base;
            u.row = chunk * p->chunk_rows;
            u.rows = k.rows - u.row < p->chunk_rows ? k.rows - u.row : p->chunk_rows;
            u.with_sink = s == 0;
            if (k.splits > 1) {
                u.first = s * SPLIT_KEYS;
                u.end = u.first + SPLIT_KEYS < u.end ? u.first + SPLIT_KEYS : u.end;
                u.partial += (u.row * k.splits + s) * partial_floats(p);
                u.partial_stride = k.splits * partial_floats(p);
            } else {
                u.partial = NULL;
            }
            tsr_flash_run(p, &u, w->scratch + task * p->task_bytes);
        }
}

/* Where a sequence begins in the arrays of all. */
struct begin {
    size_t query, mask;
    float *partial;
};

static void pass_sequence(const struct work *w, size_t b, struct begin *at)
{
    const struct tsr_attention *a = w->plan.call->what;
    const struct cut k = cut_of(&w->plan, b);
    at->query += a->q_len[b];
    at->mask += (size_t)a->q_len[b] * a->kv_len[b];
    if (k.splits > 1)
        at->partial += a->kv_heads * k.rows * k.splits * partial_floats(&w->plan);
}

static void run_task(void *arg, size_t task)
{
    const struct work *w = arg;
    const struct tsr_attention *a = w->plan.call->what;
    struct begin at = {0, 0, w->partial};
    size_t next = 0;
    for (size_t b = 0; b < a->batch; b++) {
        const struct cut k = cut_of(&w->plan, b);
        for (size_t h = 0; h < a->kv_heads; h++) {
            const struct tsr_flash_unit base = {
                .sequence = b,
                .head = h,
                .end = a->kv_len[b],
                .query = at.query,
                .mask = a->mask != NULL ? a->mask + at.mask : NULL,
                .partial = at.partial + h * k.rows * k.splits * partial_floats(&w->plan)};
            run_head(w, task, &base, &next);
        }
        pass_sequence(w, b, &at);
    }
}

/* 2^d, d <= 0 a multiple of 1/64 (or below -2^10): factors 2^(1/2), 2^(1/4), ... in double, the
 * same bits everywhere. */
static double power(double d)
{
    static const double roots[6] = {0x1.6a09e667f3bcdp+0, 0x1.306fe0a31b715p+0,
                                    0x1.172b83c7d517bp+0, 0x1.0b5586cf9890fp+0,
                                    0x1.059b0d3158574p+0, 0x1.02c9a3e778061p+0};
    if (!(d > -1022))
        return isnan(d) ? d : 0;
    const double whole = floor(d);
    unsigned rest = (unsigned)((d - whole) * 64);
    double x = ldexp(1, (int)whole);
    for (int i = 0; i < 6; i++)
        x *= rest >> (5 - i) & 1 ? roots[i] : 1;
    return x;
}

/* One row from its parts, in their order. */
static void merge_row(const struct tsr_flash_plan *p, const float *parts, size_t splits,
                      size_t query, size_t head)
{
    const size_t n = p->call->what->value_dim;
    float max = -FLT_MAX, row[TSR_ATTENTION_MAX_DIM] = {0};
    double sum = 0;
    for (size_t s = 0; s < splits; s++) {
        const float m = parts[s * (n + 2) + n];
        max = m > max || isnan(m) ? m : max;
    }
    for (size_t s = 0; s < splits; s++) {
        const float *part = parts + s * (n + 2);
        const double factor = part[n] == max ? 1 : power((double)part[n] - (double)max);
        sum += factor * part[n + 1];
        for (size_t d = 0; d < n; d++)
            row[d] = fmaf((float)factor, part[d], row[d]);
    }
    const struct tsr_attention_call *c = p->call;
    const size_t to = query * c->o_stride + head * n;
    const float factor = tsr_flash_factor(sum);
    for (size_t d = 0; d < n; d++)
        row[d] *= factor;
    if (c->format == TSR_F32)
        memcpy((float *)c->o + to, row, n * sizeof *row);
    else
        tsr_convert_f32_bf16(n, row, (uint16_t *)c->o + to);
    tsr_flash_lse(p, query, head, max, sum);
}

static void merge_task(void *arg, size_t task)
{
    const struct work *w = arg;
    const struct tsr_flash_plan *p = &w->plan;
    const struct tsr_attention *a = p->call->what;
    struct begin at = {0, 0, w->partial};
    size_t next = 0;
    for (size_t b = 0; b < a->batch; b++) {
        const struct cut k = cut_of(p, b);
        const float *parts = at.partial;
        for (size_t h = 0; h < a->kv_heads && k.splits > 1; h++)
            for (size_t r = 0; r < k.rows; r++, parts += k.splits * partial_floats(p))
                if (next++ % w->tasks == task)
                    merge_row(p, parts, k.splits, at.query + r / p->group,
                              h * p->group + r % p->group);
        pass_sequence(w, b, &at);
    }
}

/* ---- the reference, row by row */

static void cache_row(const void *from, size_t sequence, size_t token, size_t head, float *k,
                      float *v)
{
    const struct tsr_flash_plan *p = from;
    size_t in_page;
    const uint8_t *page = tsr_kv_page(p->call->kv, &p->layout, sequence, token, &in_page);
    if (k != NULL)
        tsr_kv_plane_row(p->call->kv, &p->layout, false, page, in_page, head, k);
    if (v != NULL)
        tsr_kv_plane_row(p->call->kv, &p->layout, true, page, in_page, head, v);
}

static void plain_row(const struct work *w, size_t b, size_t i, size_t h, size_t query)
{
    const struct tsr_attention_call *c = w->plan.call;
    const struct tsr_attention *a = c->what;
    const struct tsr_attention_source source = {a, cache_row, &w->plan};
    const struct tsr_attention_query at = tsr_attention_query(a, b, i, h);
    const size_t from = query * c->q_stride + h * a->dim, to = query * c->o_stride;
    float q[TSR_ATTENTION_MAX_DIM], o[TSR_ATTENTION_MAX_DIM], *lse = NULL;
    if (c->lse != NULL)
        lse = c->lse + query * a->heads + h;
    if (c->format == TSR_F32) {
        tsr_attention_row(&source, &at, (const float *)c->q + from,
                          (float *)c->o + to + h * a->value_dim, lse);
        return;
    }
    tsr_convert_bf16_f32(a->dim, (const uint16_t *)c->q + from, q);
    tsr_attention_row(&source, &at, q, o, lse);
    tsr_convert_f32_bf16(a->value_dim, o, (uint16_t *)c->o + to + h * a->value_dim);
}

static void plain_task(void *arg, size_t task)
{
    const struct work *w = arg;
    const struct tsr_attention *a = w->plan.call->what;
    size_t query = 0, next = 0;
    for (size_t b = 0; b < a->batch; b++)
        for (size_t i = 0; i < a->q_len[b]; i++, query++)
            for (size_t h = 0; h < a->heads; h++)
                if (next++ % w->tasks == task)
                    plain_row(w, b, i, h, query);
}

static void run(const struct tsr_parallel *parallel, struct work *w,
                void (*task)(void *arg, size_t i))
{
    if (parallel == NULL || w->tasks == 1)
        for (size_t i = 0; i < w->tasks; i++)
            task(w, i);
    else
        parallel->run(parallel->pool, task, w, w->tasks);
}

enum tsr_status tsr_attention_run(const struct tsr_attention_call *c, struct tsr_error *err)
{
    struct work w = {.tasks = c->parallel != NULL ? c->parallel->threads : 1};
    const enum tsr_status st = make_plan(c, &w.plan, err);
    if (st != TSR_OK)
        return st;
    const struct tsr_attention *a = c->what;
    assert(c->q_stride >= a->heads * a->dim && c->o_stride >= a->heads * a->value_dim);
    w.tasks = w.tasks < 1 ? 1 : w.tasks < MOST_TASKS ? w.tasks : MOST_TASKS;
    if (w.plan.kernel == NULL) {
        run(c->parallel, &w, plain_task);
        return TSR_OK;
    }
    size_t partial;
    const size_t units = count_units(&w.plan, &partial);
    const size_t need = partial + w.tasks * w.plan.task_bytes;
    if (c->scratch_bytes < need)
        return tsr_error_set(err, TSR_USAGE,
                             "attention: scratch of %zu bytes, allowed: at least %zu",
                             c->scratch_bytes, need);
    w.partial = c->scratch;
    w.scratch = (uint8_t *)c->scratch + partial;
    w.tasks = w.tasks < units ? w.tasks : units > 0 ? units : 1;
    run(c->parallel, &w, run_task);
    if (partial > 0)
        run(c->parallel, &w, merge_task);
    return TSR_OK;
}
