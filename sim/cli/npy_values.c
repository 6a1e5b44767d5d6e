/* SPDX-License-Identifier: Apache-2.0 */
/* Between arrays and the machine's formats. */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "sim/cli/npy.h"

static int32_t load_i32(const uint8_t *p)
{
    int32_t v;
    memcpy(&v, p, 4);
    return v;
}

static const struct tsr_format f16 = {.name = "f16",
                                      .family = TSR_FAMILY_FLOAT,
                                      .specials = TSR_SPECIALS_IEEE,
                                      .bits = 16,
                                      .ebits = 5,
                                      .mbits = 10,
                                      .bias = 15,
                                      .block = 1};

static uint32_t f32_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits;
}

/* "A.npy: element [3, 7]" */
static const char *place(const char *file, const struct npy *a, size_t i, char *out, size_t cap)
{
    size_t index[NPY_MAX_DIMS] = {0};
    for (uint32_t d = a->dims; d-- > 0; i /= a->dim[d])
        index[d] = i % a->dim[d];
    int at = snprintf(out, cap, "%s: element [", file);
    for (uint32_t d = 0; d < a->dims && at >= 0 && (size_t)at < cap; d++)
        at += snprintf(out + at, cap - (size_t)at, "%s%zu", d ? ", " : "", index[d]);
    if (at >= 0 && (size_t)at < cap)
        snprintf(out + at, cap - (size_t)at, "]");
    return out;
}

enum tsr_status npy_to_f32(const char *file, const struct npy *a, uint32_t **bits,
                           struct tsr_error *err)
{
    char where[600];
    uint32_t *out = malloc(a->n ? 4 * a->n : 4);
    if (!out)
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", file);
    for (size_t i = 0; i < a->n; i++) {
        const uint8_t *p = a->data + i * npy_bytes(a->kind);
        int32_t v = a->kind == NPY_I4 ? load_i32(p) : a->kind == NPY_I1 ? (int8_t)*p : 0;
        if (a->kind == NPY_F4)
            memcpy(&out[i], p, 4);
        else if (a->kind == NPY_F2)
            out[i] = tsr_num_decode_f32(&f16, p[0] | (uint32_t)p[1] << 8);
        else
            out[i] = f32_bits((float)v);
        if (a->kind == NPY_I4 && (double)(float)v != (double)v) {
            free(out);
            return tsr_error_set(err, TSR_BAD_INPUT, "%s = %" PRId32 ": float32 does not hold it",
                                 place(file, a, i, where, sizeof where), v);
        }
    }
    *bits = out;
    return TSR_OK;
}

/* An integer format's code of element i, or false. */
static bool integer_of(const struct npy *a, size_t i, const struct tsr_format *f, int64_t *out)
{
    const uint8_t *p = a->data + i * npy_bytes(a->kind);
    int64_t half = (int64_t)1 << (f->bits - 1);
    float x;
    switch (a->kind) {
    case NPY_I1:
        *out = (int8_t)*p;
        break;
    case NPY_I4:
        *out = load_i32(p);
        break;
    case NPY_F4:
    case NPY_F2:
        if (a->kind == NPY_F4) {
            memcpy(&x, p, 4);
        } else {
            uint32_t bits = tsr_num_decode_f32(&f16, p[0] | (uint32_t)p[1] << 8);
            memcpy(&x, &bits, 4);
        }
        if (!(fabsf(x) <= 0x1p31f) || truncf(x) != x)
            return false;
        *out = (int64_t)x;
        break;
    case NPY_KINDS:
        return false;
    }
    return *out >= -half && *out < half;
}

static enum tsr_status encode_integers(const char *file, const struct npy *a,
                                       const struct tsr_format *f, uint8_t *codes,
                                       struct tsr_error *err)
{
    char where[600];
    for (size_t i = 0; i < a->n; i++) {
        int64_t v = 0;
        if (!integer_of(a, i, f, &v))
            return tsr_error_set(err, TSR_BAD_INPUT, "%s: an integer that fits %s is wanted",
                                 place(file, a, i, where, sizeof where), f->name);
        uint64_t bits = (uint64_t)v & ((UINT64_C(1) << f->bits) - 1);
        if (f->bits == 4)
            codes[i / 2] |= (uint8_t)(bits << 4 * (i & 1));
        else
            for (int b = 0; b < f->bits / 8; b++)
                codes[i * f->bits / 8 + (size_t)b] = (uint8_t)(bits >> 8 * b);
    }
    return TSR_OK;
}

/* Finite values that stay finite; counts those beyond the largest value of a small float. */
static enum tsr_status check_floats(const char *file, const struct npy *a, const uint32_t *bits,
                                    const struct tsr_format *f, size_t *saturated,
                                    struct tsr_error *err)
{
    char where[600];
    uint32_t code = tsr_num_encode(f, f32_bits(0x1p127f), TSR_ROUND_ZERO);
    uint32_t most = tsr_num_decode_f32(f, code);
    for (size_t i = 0; i < a->n; i++) {
        uint32_t x = bits[i] & 0x7fffffff;
        if (x >= TSR_NUM_INF)
            return tsr_error_set(err, TSR_BAD_INPUT, "%s is not finite",
                                 place(file, a, i, where, sizeof where));
        if (x <= most)
            continue;
        uint32_t back = tsr_num_decode_f32(f, tsr_num_encode(f, x, TSR_ROUND_EVEN));
        if (back >= TSR_NUM_INF)
            return tsr_error_set(err, TSR_BAD_INPUT, "%s lies beyond the range of %s",
                                 place(file, a, i, where, sizeof where), f->name);
        *saturated += f->bits <= 8;
    }
    return TSR_OK;
}

enum tsr_status npy_encode(const char *file, const struct npy *a, const struct tsr_format *f,
                           uint8_t **codes, size_t *bytes, size_t *saturated, struct tsr_error *err)
{
    *saturated = 0;
    if (!tsr_num_has_codec(f) || f->block > 1)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: arrays are not read as %s", file, f->name);
    *bytes = (a->n * f->bits + 7) / 8;
    uint8_t *out = calloc(1, *bytes ? *bytes : 1);
    if (!out)
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", file);
    enum tsr_status st;
    if (f->family == TSR_FAMILY_INT) {
        st = encode_integers(file, a, f, out, err);
    } else {
        uint32_t *bits = NULL;
        st = npy_to_f32(file, a, &bits, err);
        if (st == TSR_OK)
            st = check_floats(file, a, bits, f, saturated, err);
        if (st == TSR_OK)
            tsr_num_encode_array(f, out, bits, a->n, TSR_ROUND_EVEN);
        free(bits);
    }
    if (st == TSR_OK)
        *codes = out;
    else
        free(out);
    return st;
}

enum tsr_status npy_to_finite(const char *file, const struct npy *a, uint32_t **bits,
                              struct tsr_error *err)
{
    char where[600];
    enum tsr_status st = npy_to_f32(file, a, bits, err);
    for (size_t i = 0; st == TSR_OK && i < a->n; i++)
        if (((*bits)[i] & TSR_NUM_INF) == TSR_NUM_INF)
            st = tsr_error_set(err, TSR_BAD_INPUT, "%s is not finite",
                               place(file, a, i, where, sizeof where));
    return st;
}

void npy_note_saturated(const char *command, const char *file, const struct tsr_format *f,
                        size_t saturated)
{
    if (saturated != 0)
        fprintf(stderr, "tessera %s: %s: %zu values lie beyond %s and became its largest\n",
                command, file, saturated, f->name);
}

enum tsr_status npy_decode(const struct tsr_format *f, const uint8_t *codes, struct npy *a,
                           struct tsr_error *err)
{
    bool integer = f->family == TSR_FAMILY_INT;
    bool half = !integer && f->bits == 16 && f->ebits == f16.ebits;
    a->kind = integer ? f->bits > 8 ? NPY_I4 : NPY_I1 : half ? NPY_F2 : NPY_F4;
    a->n = 1;
    for (uint32_t d = 0; d < a->dims; d++)
        a->n *= (size_t)a->dim[d];
    a->data = calloc(a->n ? a->n : 1, npy_bytes(a->kind));
    if (!a->data)
        return tsr_error_set(err, TSR_INTERNAL, "out of memory");
    if (integer && f->bits == 4) {
        for (size_t i = 0; i < a->n; i++)
            a->data[i] = (uint8_t)((codes[i / 2] >> 4 * (i & 1) & 15) ^ 8) - 8;
    } else if (integer || half) {
        memcpy(a->data, codes, a->n * npy_bytes(a->kind));
    } else {
        tsr_num_decode_array(f, (uint32_t *)(void *)a->data, codes, a->n);
    }
    return TSR_OK;
}
