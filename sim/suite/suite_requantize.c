/* SPDX-License-Identifier: Apache-2.0 */
/* Three roundings in f32 and one to the format, each as the machine does it: to the bit. */
#include <stdbool.h>
#include <string.h>

#include "isa/num/num.h"
#include "kernels/npu/requantize.h"
#include "sim/suite/suite.h"

/* Sums of any size, small ones and the ends of the range among them. */
static int32_t sum(struct suite *s)
{
    uint32_t x = (uint32_t)suite_random(s);
    switch (suite_random_below(s, 4)) {
    case 0:
        return (int32_t)(x % 17) - 8;
    case 1:
        return x % 2 ? INT32_MAX : INT32_MIN;
    default:
        return (int32_t)x >> suite_random_below(s, 31);
    }
}

/* bias null: none. i8 comes in steps of 1/50. */
static float reference(const struct tsr_format *f, int32_t x, float row, float column,
                       const float *bias)
{
    float y = (float)x;
    y *= row;
    y *= column;
    if (bias)
        y += *bias;
    if (f->code == TSR_I8) {
        y *= 1.0f / 0.02f;
        y = y > 127 ? 127 : y < -127 ? -127 : y;
    }
    uint32_t bits;
    memcpy(&bits, &y, sizeof bits);
    bits = tsr_num_decode_f32(f, tsr_num_encode(f, bits, TSR_ROUND_EVEN));
    memcpy(&y, &bits, sizeof y);
    return y;
}

static enum tsr_status one(struct suite *s, const struct suite_shape *shape, enum tsr_dtype format,
                           bool bias, struct tsr_error *err)
{
    const struct tsr_format *f = suite_format(s, format), *f32 = suite_format(s, TSR_F32);
    size_t m = (size_t)shape->m, n = (size_t)shape->n;
    enum tsr_status st = suite_begin(s, f, m, n, 1, bias ? "bias" : "", err);
    if (st != TSR_OK)
        return st;
    int32_t *x = suite_alloc(s, 4 * m * n, err);
    float *row = suite_alloc(s, 4 * m, err), *column = suite_alloc(s, 4 * n, err);
    float *add = suite_alloc(s, 4 * n, err);
    float *want = suite_alloc(s, 4 * m * n, err), *got = suite_alloc(s, 4 * m * n, err);
    if (!x || !row || !column || !add || !want || !got)
        return TSR_INTERNAL;
    suite_fill(s, f32, SUITE_UNIT, row, m);
    suite_fill(s, f32, SUITE_UNIT, column, n);
    suite_fill(s, f32, SUITE_UNIT, add, n);
    for (size_t i = 0; i < m * n; i++) {
        x[i] = sum(s);
        want[i] = reference(f, x[i], row[i / n], column[i % n], bias ? &add[i % n] : NULL);
    }
    struct tsr_npu_requantize op = {.rows = m, .cols = n, .y_format = format, .y_scale = 0.02};
    struct tsr_program p = {0};
    st = suite_place_bytes(s, SUITE_IN, x, 4 * m * n, &op.x, err);
    if (st == TSR_OK)
        st = suite_place(s, SUITE_IN, f32, row, m, &op.row, err);
    if (st == TSR_OK)
        st = suite_place(s, SUITE_IN, f32, column, n, &op.column, err);
    if (st == TSR_OK && bias)
        st = suite_place(s, SUITE_IN, f32, add, n, &op.bias, err);
    if (st == TSR_OK)
        st = suite_place(s, SUITE_OUT, f, NULL, m * n, &op.y, err);
    if (st == TSR_OK)
        st = tsr_npu_requantize(s->isa, s->chip, &op, &p, err);
    if (st == TSR_OK)
        st = suite_execute(s, &p, err);
    if (st == TSR_OK)
        st = suite_read(s, f, op.y, got, m * n, err);
    if (st == TSR_OK)
        suite_compare(s, "y", got, want, NULL, m * n);
    return st;
}

enum tsr_status suite_requantize(struct suite *s, struct tsr_error *err)
{
    static const struct suite_shape own[] = {{1, 1, 1},  {3, 7, 1},    {1, 1000, 1},
                                             {5, 64, 1}, {70, 130, 1}, {67, 257, 1}};
    static const enum tsr_dtype formats[] = {TSR_BF16, TSR_F32, TSR_I8, TSR_F16, TSR_F8E4M3};
    const struct suite_shape *shape;
    size_t n = suite_shapes(s, own, sizeof own / sizeof *own, &shape);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof formats / sizeof *formats; k++) {
            if (!suite_wants(s, formats[k]) || (k > 2 && i % 2 && !s->format))
                continue;
            enum tsr_status st = one(s, &shape[i], formats[k], (i + k) % 3 == 1, err);
            if (st != TSR_OK)
                return st;
        }
    return TSR_OK;
}
