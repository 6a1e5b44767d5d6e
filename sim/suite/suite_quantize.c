/* SPDX-License-Identifier: Apache-2.0 */
/* Quantization: the machine's bits against isa/num's, every format, with the values that decide. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "isa/num/quant.h"
#include "kernels/npu/quantize.h"
#include "sim/suite/suite.h"

struct variant {
    enum tsr_dtype x, y, partner; /* partner: slab-major beside that operand; y itself otherwise */
    bool planes, padded;
    double tensor_scale, given;
    enum tsr_dtype scale;
    uint64_t group;
};

/* Ordinary blocks mixed with those of zeros, subnormals, one NaN or infinity, largest values. */
static void fill(struct suite *s, const struct tsr_format *f, uint32_t *x, size_t n)
{
    float *values = (float *)x; /* f32 bits are what tsr_num_quantize takes */
    suite_fill(s, f, SUITE_UNIT, values, n);
    for (size_t at = 0; at < n; at += 16) {
        uint64_t kind = suite_random_below(s, 16), one = at + suite_random_below(s, 16);
        int e = (int)suite_random_below(s, 250) - 125;
        for (size_t i = at; i < n && i < at + 16; i++) {
            if (kind < 4)
                values[i] = ldexpf(values[i], e);
            else if (kind == 4)
                x[i] &= 0x80000000;
            else if (kind == 5)
                x[i] = (x[i] & 0x80000000) | (uint32_t)suite_random_below(s, 64) << 16;
            else if (kind == 6)
                values[i] = ldexpf(values[i], -(int)suite_random_below(s, 40));
        }
        if (one < n && kind >= 14)
            x[one] = kind == 14 ? TSR_NUM_NAN : (x[one] & 0x80000000) | TSR_NUM_INF;
        if (one < n && kind == 13)
            x[one] = (x[one] & 0x80000000) | (f->code == TSR_F16 ? 0x477FE000 : 0x7F7F0000);
    }
    for (size_t i = 0; i < n; i++)
        x[i] = tsr_num_decode_f32(f, tsr_num_encode(f, x[i], TSR_ROUND_EVEN));
}

/* The place of one tensor of the result. */
struct part {
    size_t bytes;
    uint8_t *want, *got;
    uint64_t address;
};

static enum tsr_status part_new(struct suite *s, struct part *p, size_t bytes,
                                struct tsr_error *err)
{
    p->bytes = bytes;
    p->want = suite_alloc(s, bytes, err);
    p->got = suite_alloc(s, bytes, err);
    if (!p->want || !p->got)
        return TSR_INTERNAL;
    return suite_place_bytes(s, SUITE_OUT, NULL, bytes, &p->address, err);
}

static enum tsr_status part_check(struct suite *s, struct part *p, const char *what,
                                  struct tsr_error *err)
{
    enum tsr_status st = suite_read_bytes(s, p->address, p->got, p->bytes, err);
    for (size_t i = 0; !st && i < p->bytes; i++)
        if (p->got[i] != p->want[i]) {
            suite_fail(s, "%s byte %zu of %zu: got 0x%02x, want 0x%02x", what, i, p->bytes,
                       p->got[i], p->want[i]);
            break;
        }
    return st;
}

/* Padding beyond a row's last block holds zero bytes in the plan's image, a block of zeros here:
 * the same but for q4_0, whose zero is 8. */
static void pad_like_kernel(const struct tsr_npu_slab *l, uint8_t *image)
{
    uint64_t blocks = (l->k + l->format->block - 1) / l->format->block;
    uint64_t end = blocks * l->format->block; /* elements */
    if (l->format->code != TSR_Q4_0)
        return;
    for (uint64_t slab = 0; slab < l->slabs; slab++)
        for (uint64_t row = 0; row < l->rows; row++)
            for (uint64_t i = 0; i < l->ks; i += 2)
                if (slab * l->ks + i >= end)
                    image[tsr_npu_slab_offset(l, row, slab) + i / 2] = 0x88;
}

static enum tsr_status want_blocks(struct suite *s, const struct variant *v,
                                   struct tsr_npu_quantize *op, struct tsr_npu_slab *slab,
                                   const uint32_t *x, struct part part[2], struct tsr_error *err)
{
    const struct tsr_format *f = suite_format(s, v->y);
    struct tsr_num_quant q = {.format = f};
    float tensor = (float)v->tensor_scale;
    memcpy(&q.tensor_scale, &tensor, 4);
    size_t k = (size_t)op->k, whole = (k + f->block - 1) / f->block * f->block;
    uint32_t *row = suite_alloc(s, 4 * whole, err);
    enum tsr_status st = row ? TSR_OK : TSR_INTERNAL;
    if (!st && v->planes) {
        size_t elements = tsr_num_element_bytes(&q, whole), scales = tsr_num_scale_bytes(&q, whole);
        st = part_new(s, &part[0], op->rows * elements, err);
        if (!st)
            st = part_new(s, &part[1], op->rows * scales, err);
        for (size_t r = 0; !st && r < op->rows; r++) {
            memcpy(row, x + r * k, 4 * k);
            st = tsr_num_quantize(&q, row, whole, part[0].want + r * elements,
                                  part[1].want + r * scales, err);
        }
        op->scales = part[1].address;
    } else if (!st) {
        st = tsr_npu_slab_plan(s->isa, s->chip, v->y, v->partner ? v->partner : v->y, op->rows,
                               op->k, slab, err);
        if (!st)
            st = part_new(s, &part[0], tsr_npu_slab_bytes(slab), err);
        for (size_t r = 0; !st && r < op->rows; r++)
            st = tsr_npu_slab_pack(slab, r, x + r * k, part[0].want, err);
        if (!st)
            pad_like_kernel(slab, part[0].want);
        op->slab = slab;
    }
    op->y = part[0].address;
    return st;
}

static enum tsr_status want_integers(struct suite *s, const struct variant *v,
                                     struct tsr_npu_quantize *op, const uint32_t *x,
                                     struct part part[2], struct tsr_error *err)
{
    struct tsr_num_quant q = {.format = suite_format(s, v->y),
                              .scale_format = suite_format(s, v->scale),
                              .group = (uint32_t)v->group,
                              .scales_given = v->given > 0};
    size_t k = (size_t)op->k, elements = tsr_num_element_bytes(&q, k);
    size_t scales = tsr_num_scale_bytes(&q, k);
    enum tsr_status st = part_new(s, &part[0], op->rows * elements, err);
    float given = (float)v->given;
    uint32_t bits;
    memcpy(&bits, &given, 4);
    uint8_t *own = suite_alloc(s, op->rows * scales, err);
    if (!st && !own)
        return TSR_INTERNAL;
    if (!st && !q.scales_given)
        st = part_new(s, &part[1], op->rows * scales, err);
    for (size_t i = 0; !st && q.scales_given && i < op->rows * scales / 4; i++)
        memcpy(own + 4 * i, &bits, 4);
    for (size_t r = 0; !st && r < op->rows; r++)
        st = tsr_num_quantize(&q, x + r * k, k, part[0].want + r * elements,
                              (q.scales_given ? own : part[1].want) + r * scales, err);
    op->y = part[0].address;
    op->scales = part[1].address;
    return st;
}

static enum tsr_status one(struct suite *s, const struct suite_shape *shape,
                           const struct variant *v, struct tsr_error *err)
{
    const struct tsr_format *fx = suite_format(s, v->x), *f = suite_format(s, v->y);
    size_t rows = (size_t)shape->m, k = (size_t)shape->n;
    char label[64];
    snprintf(label, sizeof label, "%s to %s%s%s%s", fx->name, f->name, v->planes ? " planes" : "",
             v->given > 0 ? " given" : "", v->group ? " groups" : "");
    enum tsr_status st = suite_begin(s, f, shape->m, shape->n, 1, label, err);
    if (st)
        return st;
    uint32_t *x = suite_alloc(s, 4 * rows * k, err);
    struct part part[2] = {{0}};
    struct tsr_npu_slab slab;
    struct tsr_npu_quantize op = {.rows = rows,
                                  .k = k,
                                  .x_format = v->x,
                                  .y_format = v->y,
                                  .scale_format = v->scale,
                                  .tensor_scale = v->tensor_scale,
                                  .given_scale = v->given,
                                  .group = v->group};
    if (!x)
        return TSR_INTERNAL;
    fill(s, fx, x, rows * k);
    st = suite_place(s, SUITE_IN, fx, (const float *)x, rows * k, &op.x, err);
    if (!st)
        st = f->block > 1 ? want_blocks(s, v, &op, &slab, x, part, err)
                          : want_integers(s, v, &op, x, part, err);
    struct tsr_program p = {0};
    if (!st)
        st = tsr_npu_quantize(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    if (!st)
        st = part_check(s, &part[0], f->block > 1 && !v->planes ? "unit" : "element", err);
    if (!st && part[1].bytes)
        st = part_check(s, &part[1], "scale", err);
    return st;
}

enum tsr_status suite_quantize(struct suite *s, struct tsr_error *err)
{
    static const struct suite_shape own[] = {
        {1, 1, 1}, {3, 37, 1}, {5, 64, 1}, {2, 1000, 1}, {70, 96, 1}};
    static const enum tsr_dtype formats[] = {TSR_MXF8E4M3, TSR_MXF8E5M2, TSR_MXF6E3M2, TSR_MXF6E2M3,
                                             TSR_MXF4,     TSR_MXI8,     TSR_MX9,      TSR_MX6,
                                             TSR_MX4,      TSR_NVF4,     TSR_Q8_0,     TSR_Q4_0};
    static const struct variant integers[] = {
        {.x = TSR_BF16, .y = TSR_I8, .scale = TSR_F32},
        {.x = TSR_F32, .y = TSR_I4, .scale = TSR_F16},
        {.x = TSR_F16, .y = TSR_I8, .scale = TSR_F32, .given = 0.01},
    };
    static const struct variant groups = {
        .x = TSR_BF16, .y = TSR_I4, .scale = TSR_BF16, .group = 32};
    const struct suite_shape *shape;
    size_t n = suite_shapes(s, own, sizeof own / sizeof *own, &shape);
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < n && !st; i++) {
        for (size_t k = 0; k < sizeof formats / sizeof *formats && !st; k++) {
            struct variant v = {.x = i % 3 == 0   ? TSR_F32
                                     : i % 3 == 1 ? TSR_BF16
                                                  : TSR_F16,
                                .y = formats[k],
                                .planes = (i + k) % 4 == 3,
                                .partner = (i + k) % 4 == 2 ? TSR_BF16 : TSR_F32};
            v.partner = v.partner == TSR_F32 ? v.y : v.partner;
            if (v.y == TSR_NVF4 && v.planes)
                v.tensor_scale = 0.013;
            if (suite_wants(s, v.y))
                st = one(s, &shape[i], &v, err);
        }
        for (size_t k = 0; k < 3 && !st; k++)
            if (suite_wants(s, integers[k].y))
                st = one(s, &shape[i], &integers[k], err);
        if (!st && shape[i].n % 32 == 0 && suite_wants(s, TSR_I4))
            st = one(s, &shape[i], &groups, err);
    }
    return st;
}
