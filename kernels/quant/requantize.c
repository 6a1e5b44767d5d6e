/* SPDX-License-Identifier: Apache-2.0 */
/* int32 sums back to values: arguments checked, rows handed to the chosen variant. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "kernels/quant/quant.h"

/* Arithmetic hands NaNs on as they are, but for those it makes: with no others than the machine's
 * there are no others in the result. */
static bool other_nans(const float *v, size_t n)
{
    unsigned other = 0;
    for (size_t i = 0; v != NULL && i < n; i++) {
        uint32_t u;
        memcpy(&u, &v[i], sizeof u);
        other |= (u & 0x7FFFFFFF) > TSR_NUM_INF && u != TSR_NUM_NAN;
    }
    return other;
}

static float canonical(float v)
{
    const uint32_t nan = TSR_NUM_NAN;
    if (isnan(v))
        memcpy(&v, &nan, sizeof v);
    return v;
}

static bool dynamic(const struct tsr_requantize *op)
{
    return op->y_format == TSR_I8 && op->given == NULL;
}

static enum tsr_status check(const struct tsr_requantize *op, struct tsr_error *err)
{
    if (op->y_format != TSR_F32 && op->y_format != TSR_BF16 && op->y_format != TSR_I8)
        return tsr_error_set(err, TSR_USAGE,
                             "requantize: format %d of the result, allowed: f32 bf16 i8",
                             (int)op->y_format);
    if (op->y_format != TSR_I8)
        return TSR_OK;
    if ((op->given == NULL) == (op->found == NULL))
        return tsr_error_set(err, TSR_USAGE,
                             "requantize: i8 wants either scales given or room for those found");
    for (size_t i = 0; op->given != NULL && i < op->rows; i++) {
        float s = op->given[i * op->given_step];
        if (!(s >= 0x1p-120f && s < 0x1p120f))
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "requantize: scale %g of row %zu, allowed from 2^-120 to 2^120",
                                 (double)s, i);
    }
    return TSR_OK;
}

struct sums {
    tsr_requantize_row_fn *fn;
    const int32_t *x;
    float row;
    const float *column, *bias;
};

/* Of a row: columns from `at` on as f32. */
static void values(const void *self, size_t at, size_t n, float *y)
{
    const struct sums *s = self;
    s->fn(n, s->x + at, s->row, s->column + at, s->bias != NULL ? s->bias + at : NULL, 0, y);
}

static tsr_requantize_row_fn *find(const struct tsr_requantize *op)
{
    const bool other = other_nans(op->column, op->cols) || other_nans(op->bias, op->cols);
    const enum tsr_cpu_op which = op->y_format == TSR_F32 || dynamic(op) ? TSR_OP_requantize_f32
                                  : op->y_format == TSR_BF16             ? TSR_OP_requantize_bf16
                                                                         : TSR_OP_requantize_i8;
    const struct tsr_variant *v = tsr_variant_chosen(which);
    for (size_t i = 0; other && i < tsr_variant_count; i++)
        if (tsr_variants[i].op == which && tsr_variants[i].features == 0)
            v = &tsr_variants[i];
    return (tsr_requantize_row_fn *)v->function;
}

enum tsr_status tsr_requantize_run(const struct tsr_requantize *op, struct tsr_error *err)
{
    enum tsr_status st = check(op, err);
    const size_t size = op->y_format == TSR_F32 ? 4 : op->y_format == TSR_BF16 ? 2 : 1;
    const struct tsr_quant codes = {.format = TSR_I8, .rows = 1, .cols = op->cols};
    if (st != TSR_OK)
        return st;
    assert(op->rows < 2 || (op->x_stride >= op->cols && op->y_stride >= op->cols));
    struct sums s = {.fn = find(op), .column = op->column, .bias = op->bias};
    for (size_t i = 0; i < op->rows; i++) {
        char *y = (char *)op->y + i * op->y_stride * size;
        float r = op->given != NULL ? 1.0f / op->given[i * op->given_step] : 0;
        s.x = op->x + i * op->x_stride;
        s.row = canonical(op->row[i]);
        if (dynamic(op))
            quant_row_from(&codes, (struct quant_source){values, &s}, (uint8_t *)y,
                           (uint8_t *)(op->found + i));
        else
            s.fn(op->cols, s.x, s.row, s.column, s.bias, r, y);
    }
    return TSR_OK;
}
