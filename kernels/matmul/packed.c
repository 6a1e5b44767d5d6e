/* SPDX-License-Identifier: Apache-2.0 */
/* C = A W^T over packed weights: packs A, then makes C panel by panel. Which thread makes which
 * panel changes no bits: every element of C is one chain that one call of a block makes. */
#include "kernels/matmul/packed.h"

#include <assert.h>

#include "kernels/matmul/packed_header.h"

enum {
    /* Rows of A packed at a time: a multiple of every kernel's rows; bounds the scratch space, and
     * many enough that expanding a panel costs little beside using it. */
    ROWS_AT_ONCE = 528,
    MAX_TASKS = 256,
};

/* One call, and where its scratch lies. Sizes in bytes; task t's parts are the t-th. */
struct plan {
    const struct tsr_matmul *op;
    const struct tsr_weights_layout *layout;
    const struct tsr_matmul_kernel *kernel;
    struct tsr_packed_header h;
    bool few;
    size_t lines;           /* rows of a block as packed */
    size_t rows, first_row; /* of C, of this round */
    size_t tasks, panels;
    size_t block_bytes, groups; /* of one packed block; sums of A for each row of it */
    size_t space_bytes, delta_bytes, minima_bytes, min_delta_bytes, staging_bytes;
    uint8_t *a, *space, *staging;
    float *delta, *min_delta, *a_scale;
    uint16_t *minima, *a_groups;
    int32_t *a_sum;
    size_t bytes; /* of all scratch */
};

static void *carve(uint8_t *base, size_t *at, size_t bytes)
{
    void *p = base != NULL ? base + *at : NULL;
    *at += tsr_round_up(bytes, 64);
    return p;
}

/* Sizes of a call with m rows; and its pointers, where scratch is not null. */
static void lay_out(struct plan *p, size_t m, size_t threads, uint8_t *scratch)
{
    const struct tsr_matmul_kernel *kn = p->kernel;
    const size_t k = p->h.padded, columns = p->h.columns;
    p->few = m <= TSR_FEW && kn->few != NULL && !(p->layout->column_scale && k > TSR_INT_DEPTH);
    p->lines = p->few ? tsr_round_up(m, 2) : kn->rows;
    p->tasks = threads < 1 ? 1 : tsr_least(threads, MAX_TASKS);
    const size_t blocks = (tsr_least(m, ROWS_AT_ONCE) + p->lines - 1) / (m > 0 ? p->lines : 1);
    const size_t lines = blocks * p->lines;
    const bool expands = kn->prepare != NULL && !p->few, grouped = p->layout->run > 0;
    const size_t floats = grouped && expands ? k / TSR_GROUP * columns * 2 * sizeof(float) : 0;
    p->block_bytes = tsr_round_up(p->lines * k * tsr_elem_bytes(kn->operand), 64);
    p->groups = p->layout->format == TSR_Q4_K ? k / TSR_GROUP : 0;
    p->space_bytes = expands ? tsr_round_up(k * columns * tsr_elem_bytes(kn->operand), 64) : 0;
    p->delta_bytes = tsr_round_up(floats, 64);
    const size_t minima = p->groups > 0 && expands ? p->groups * columns : 0;
    p->minima_bytes = tsr_round_up(minima * sizeof(uint16_t), 64);
    p->min_delta_bytes = tsr_round_up(minima / 8 * 2 * sizeof(float), 64);
    p->staging_bytes = tsr_round_up(k * 4, 64);
    size_t at = 0;
    p->a = carve(scratch, &at, blocks * p->block_bytes);
    p->a_scale = carve(scratch, &at, lines * sizeof(float));
    p->a_sum = carve(scratch, &at, 2 * lines * sizeof(int32_t));
    p->a_groups = carve(scratch, &at, lines * p->groups * 2 * sizeof(uint16_t));
    p->staging = carve(scratch, &at, p->tasks * p->staging_bytes);
    p->space = carve(scratch, &at, p->tasks * p->space_bytes);
    p->delta = carve(scratch, &at, p->tasks * p->delta_bytes);
    p->minima = carve(scratch, &at, p->tasks * p->minima_bytes);
    p->min_delta = carve(scratch, &at, p->tasks * p->min_delta_bytes);
    p->bytes = at;
}

/* First item of task t's share of `count`: products below 2^64 for any count below 2^56. */
static size_t share(size_t count, size_t tasks, size_t t)
{
    return count / tasks * t + tsr_least(count % tasks, t);
}

static void run_tasks(const struct tsr_parallel *with, void (*task)(void *, size_t), void *arg,
                      size_t count)
{
    if (with != NULL && with->run != NULL && count > 1)
        with->run(with->pool, task, arg, count);
    else
        for (size_t t = 0; t < count; t++)
            task(arg, t);
}

static const void *row_at(const struct tsr_matmul *op, size_t row)
{
    const size_t bytes = op->a_format == TSR_F32 ? 4 : op->a_format == TSR_I8 ? 1 : 2;
    return (const uint8_t *)op->a + row * op->lda * bytes;
}

/* Task: packs its share of the blocks of A. */
static void pack_task(void *arg, size_t t)
{
    const struct plan *p = arg;
    const struct tsr_matmul *op = p->op;
    const size_t blocks = (p->rows + p->lines - 1) / p->lines;
    for (size_t b = share(blocks, p->tasks, t); b < share(blocks, p->tasks, t + 1); b++) {
        const size_t row = b * p->lines, first = p->first_row + row;
        const struct tsr_rows r = {
            .from = op->a_format,
            .operand = p->kernel->operand,
            .wants_sums = op->format == TSR_I4 || op->format == TSR_Q4_K,
            .round_to_bf16 = p->kernel->operand == TSR_F32 && op->format == TSR_BF16,
            .rows = tsr_least(p->lines, p->rows - row),
            .lines = p->lines,
            .k = op->k,
            .padded = p->h.padded,
            .a = row_at(op, first),
            .lda = op->lda,
            .scales = op->a_scales != NULL ? op->a_scales + first : NULL,
            .to = p->a + b * p->block_bytes,
            .a_scale = p->a_scale + row,
            .a_sum = p->a_sum + 2 * row,
            .a_groups = p->groups > 0 ? p->a_groups + row * p->groups * 2 : NULL,
            .staging = p->staging + t * p->staging_bytes};
        tsr_pack_rows(&r);
    }
}

/* i8 over more k than int32 holds: parts of TSR_INT_DEPTH, added in 64 bits. One block. */
static void deep_block(const struct plan *p, const struct tsr_block *whole)
{
    int64_t sum[TSR_MAX_ROWS * TSR_MAX_COLUMNS] = {0};
    int32_t raw[TSR_MAX_ROWS * TSR_MAX_COLUMNS];
    const size_t columns = p->h.columns, lines = p->layout->lines > 1 ? columns / 2 : columns;
    struct tsr_block b = *whole;
    b.raw = raw;
    for (size_t at = 0; at < whole->k; at += b.k) {
        b.a = (const uint8_t *)whole->a + at * p->lines;
        b.b = (const uint8_t *)whole->b + at * lines;
        b.k = tsr_least(TSR_INT_DEPTH, whole->k - at);
        p->kernel->blocks(&b);
        for (size_t i = 0; i < b.rows * columns; i++)
            sum[i] += raw[i];
    }
    for (size_t i = 0; i < b.rows; i++)
        for (size_t j = 0; j < b.columns; j++) {
            int64_t x = sum[i * columns + j];
            if (p->layout->lines > 1 && j < lines)
                x -= 8 * (int64_t)b.a_sum[2 * i];
            b.c[i * b.ldc + j] = (float)x * b.a_scale[i] * b.b_scale[j];
        }
}

/* All blocks of one panel. */
static void run_panel(const struct plan *p, size_t panel, size_t t)
{
    const struct tsr_matmul *op = p->op;
    const uint8_t *stored =
        (const uint8_t *)op->weights + TSR_HEADER_BYTES + panel * p->h.panel_bytes;
    const uint8_t *scales = stored + p->h.scales_at;
    const size_t columns = p->h.columns, first = panel * columns;
    struct tsr_prepared to = {.elements = stored};
    if (p->kernel->prepare != NULL) {
        const struct tsr_panel from = {columns, p->h.padded, stored, scales, p->h.plain != 0};
        to.space = p->space + t * p->space_bytes;
        to.delta = p->delta + t * (p->delta_bytes / sizeof(float));
        if (p->groups > 0) {
            to.minima = p->minima + t * (p->minima_bytes / sizeof(uint16_t));
            to.min_delta = p->min_delta + t * (p->min_delta_bytes / sizeof(float));
        }
        p->kernel->prepare(&from, &to);
    }
    struct tsr_block b = {.rows = p->rows,
                          .columns = tsr_least(columns, op->n - first),
                          .k = p->h.padded,
                          .a = p->a,
                          .a_bytes = p->block_bytes,
                          .b = to.elements,
                          .delta = to.delta,
                          .minima = to.minima,
                          .min_delta = to.min_delta,
                          .b_scale = (const float *)(const void *)scales,
                          .a_scale = p->a_scale,
                          .a_sum = p->a_sum,
                          .a_groups = p->groups > 0 ? p->a_groups : NULL,
                          .c = op->c + p->first_row * op->ldc + first,
                          .ldc = op->ldc,
                          .run = p->layout->run};
    if (!p->layout->column_scale || b.k <= TSR_INT_DEPTH) {
        p->kernel->blocks(&b);
        return;
    }
    for (size_t row = 0; row < p->rows; row += p->lines, tsr_block_next(&b, p->lines)) {
        b.rows = tsr_least(p->lines, p->rows - row);
        deep_block(p, &b);
    }
}

/* Task: its share of the panels. */
static void panel_task(void *arg, size_t t)
{
    const struct plan *p = arg;
    const struct tsr_matmul *op = p->op;
    const size_t first = share(p->panels, p->tasks, t), last = share(p->panels, p->tasks, t + 1);
    if (!p->few) {
        for (size_t i = first; i < last; i++)
            run_panel(p, i, t);
        return;
    }
    const struct tsr_few f = {.m = p->rows,
                              .n = op->n,
                              .k = p->h.padded,
                              .a = p->a,
                              .panel = (const uint8_t *)op->weights + TSR_HEADER_BYTES,
                              .panel_bytes = p->h.panel_bytes,
                              .scales_at = p->h.scales_at,
                              .columns = p->h.columns,
                              .first = first,
                              .last = last,
                              .a_scale = p->a_scale,
                              .a_sum = p->a_sum,
                              .a_groups = p->a_groups,
                              .c = op->c,
                              .ldc = op->ldc,
                              .run = p->layout->run,
                              .plain = p->h.plain != 0};
    if (first < last)
        p->kernel->few(&f);
}

/* Formats that the left operand may have. */
static bool takes(enum tsr_dtype weights, enum tsr_dtype operand, enum tsr_dtype a)
{
    if (a == TSR_F32)
        return true;
    if (operand == TSR_I8)
        return a == TSR_I8;
    return a == (weights == TSR_F16 ? TSR_F16 : TSR_BF16) && weights != TSR_F32;
}

/* Looks the packed weights' kernel up; errors as tsr_matmul_run. */
static enum tsr_status begin(const struct tsr_matmul *op, struct plan *p, struct tsr_error *err)
{
    p->op = op;
    p->layout = tsr_weights_layout(op->format);
    if (p->layout == NULL)
        return tsr_error_set(err, TSR_USAGE, "matmul: weights of format %d have no kernel",
                             (int)op->format);
    p->kernel = tsr_matmul_kernel_of(tsr_variant_chosen(p->layout->op));
    memcpy(&p->h, op->weights, sizeof p->h);
    if (p->h.format != (uint32_t)op->format || p->h.n != op->n || p->h.k != op->k)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "matmul: the packed weights are %llu x %llu of format %u, not %zu x "
                             "%zu of format %d",
                             (unsigned long long)p->h.n, (unsigned long long)p->h.k, p->h.format,
                             op->n, op->k, (int)op->format);
    if (p->h.columns != p->kernel->columns())
        return tsr_error_set(err, TSR_USAGE,
                             "matmul: the weights were packed in panels of %u columns, this "
                             "processor's kernel takes %zu: pack them here",
                             p->h.columns, p->kernel->columns());
    if (!takes(op->format, p->kernel->operand, op->a_format))
        return tsr_error_set(err, TSR_USAGE,
                             "matmul: format %d of A does not go with weights of format %d, "
                             "allowed: f32, and %s",
                             (int)op->a_format, (int)op->format,
                             p->layout->column_scale || p->layout->run > 0 ? "i8"
                             : op->format == TSR_F16                       ? "f16"
                             : op->format == TSR_F32                       ? "no other"
                                                                           : "bf16");
    return TSR_OK;
}

enum tsr_status tsr_matmul_scratch_bytes(enum tsr_dtype format, size_t m, size_t k, size_t threads,
                                         size_t *bytes, struct tsr_error *err)
{
    const struct tsr_weights_layout *l = tsr_weights_layout(format);
    size_t unused;
    enum tsr_status status =
        tsr_weights_bytes(format, TSR_MAX_COLUMNS * MAX_TASKS, k, &unused, err);
    if (status != TSR_OK)
        return status;
    struct plan p = {.layout = l, .kernel = tsr_matmul_kernel_of(tsr_variant_chosen(l->op))};
    p.h.padded = tsr_round_up(k, l->pad);
    p.h.columns = (uint32_t)p.kernel->columns();
    lay_out(&p, m, threads, NULL);
    *bytes = p.bytes;
    return TSR_OK;
}

enum tsr_status tsr_matmul_run(const struct tsr_matmul *op, struct tsr_error *err)
{
    struct plan p = {0};
    assert(op->lda >= op->k && op->ldc >= op->n);
    enum tsr_status status = begin(op, &p, err);
    if (status != TSR_OK)
        return status;
    const size_t threads = op->parallel != NULL ? op->parallel->threads : 1;
    lay_out(&p, op->m, threads, op->scratch);
    if (op->scratch_bytes < p.bytes)
        return tsr_error_set(err, TSR_USAGE, "matmul: %zu bytes of scratch, %zu are needed",
                             op->scratch_bytes, p.bytes);
    assert((uintptr_t)op->scratch % 64 == 0);
    if (op->k == 0) {
        for (size_t i = 0; i < op->m && op->n > 0; i++)
            memset(op->c + i * op->ldc, 0, op->n * sizeof *op->c);
        return TSR_OK;
    }
    p.panels = (op->n + p.h.columns - 1) / p.h.columns;
    /* Rounds of about as many rows each. */
    const size_t rounds = (op->m + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    const size_t at_once = tsr_round_up((op->m + rounds - 1) / (rounds > 0 ? rounds : 1), p.lines);
    for (; p.first_row < op->m; p.first_row += p.rows) {
        p.rows = tsr_least(op->m - p.first_row, at_once);
        run_tasks(op->parallel, pack_task, &p, p.tasks);
        run_tasks(op->parallel, panel_task, &p, p.tasks);
    }
    return TSR_OK;
}
