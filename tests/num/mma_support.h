/* SPDX-License-Identifier: Apache-2.0 */
/* Operands for the tensor unit: drawn at random or against its weak points, laid out in memory,
 * multiplied by isa/num and by mma_slow.h. */
#ifndef TESTS_NUM_MMA_SUPPORT_H
#define TESTS_NUM_MMA_SUPPORT_H

#include "tests/support/harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "isa/num/num.h"
#include "tests/num/formats.h"
#include "tests/num/mma_slow.h"

enum {
    MMA_MAX_ROWS = 70,
    MMA_MAX_K = 200,
    MMA_ROOM = 1 << 16, /* bytes of an operand in memory */
};

/* How the elements of one case are drawn. */
enum draw {
    ANY_CODE,
    FINITE,
    NEAR_ONE,
    SPREAD,
    LARGEST,
    CANCEL,       /* every second product takes the one before away */
    CANCEL_GROUP, /* every second block of 16 the one before, but for a few */
    SMALLEST,
    WITH_SPECIALS,
    DRAWS
};

/* How block scales are drawn. */
enum draw_scale {
    SCALES_NEAR,   /* some places apart: groups reach beyond the alignment's cut */
    SCALES_ALIKE,  /* one for all */
    SCALES_ANY,    /* any finite code */
    SCALES_EDGE,   /* least, subnormal and largest, zero, negative */
    SCALES_BROKEN, /* NaN and infinity among them */
    DRAW_SCALES
};

/* An operand's codes, element by element, and where they were laid out. */
struct mma_operand {
    const struct tsr_format *f;
    uint32_t rows, k, blocks; /* blocks in a row */
    uint32_t code[MMA_MAX_ROWS * MMA_MAX_K], shift[MMA_MAX_ROWS * MMA_MAX_K];
    uint32_t scale[MMA_MAX_ROWS * MMA_MAX_K];
    uint8_t *room; /* MMA_ROOM guarded bytes, from the first use on */
    struct tsr_num_operand memory;
};

static inline bool mma_has_blocks(const struct tsr_format *f)
{
    return f->family != TSR_FAMILY_FLOAT && f->family != TSR_FAMILY_INT;
}

static inline uint32_t mma_scale_bits(const struct tsr_format *f)
{
    return f->family == TSR_FAMILY_GGUF ? 16 : 8;
}

/* The first code of a float that is no finite number; 2^bits where there is none. */
static inline uint32_t mma_first_special(const struct tsr_format *f)
{
    uint32_t all = 1u << (f->ebits + f->mbits);
    if (f->ebits == 0 || f->specials == TSR_SPECIALS_NONE)
        return 1u << f->bits;
    return f->specials == TSR_SPECIALS_FN ? all - 1 : all - (1u << f->mbits);
}

static inline bool mma_special(const struct tsr_format *f, uint32_t code)
{
    return f->ebits > 0 && code % (1u << (f->bits - 1)) >= mma_first_special(f);
}

static inline uint32_t mma_finite(const struct tsr_format *f, uint64_t *s)
{
    uint32_t c;
    do
        c = (uint32_t)tsr_test_random(s) & ((1u << f->bits) - 1);
    while (mma_special(f, c));
    return c;
}

static inline uint32_t mma_negated(const struct tsr_format *f, uint32_t code)
{
    uint32_t mask = (1u << f->bits) - 1;
    if (f->ebits > 0 || f->family == TSR_FAMILY_SMX)
        return code ^ 1u << (f->bits - 1);
    return (f->family == TSR_FAMILY_GGUF ? 2u * (uint32_t)f->bias - code : 0 - code) & mask;
}

/* The largest finite magnitude, positive. */
static inline uint32_t mma_largest(const struct tsr_format *f)
{
    if (f->ebits > 0 && f->specials != TSR_SPECIALS_NONE)
        return mma_first_special(f) - 1;
    if (f->family == TSR_FAMILY_GGUF && f->bias != 0)
        return 0; /* -bias */
    return (1u << (f->bits - 1)) - 1;
}

static inline uint32_t mma_draw_code(const struct tsr_format *f, enum draw how, uint64_t *s)
{
    bool has_sign = f->ebits > 0 || f->family == TSR_FAMILY_SMX;
    uint32_t sign = (uint32_t)tsr_test_random_below(s, 2) << (f->bits - 1), c;
    uint32_t mantissa = (1u << f->mbits) - 1;
    uint64_t roll = tsr_test_random_below(s, 16);
    switch (how) {
    case ANY_CODE:
        return (uint32_t)tsr_test_random(s) & ((1u << f->bits) - 1);
    case NEAR_ONE: /* exponents of a few places */
        c = mma_finite(f, s);
        if (f->ebits > 2 && (c >> f->mbits & 3) != 0)
            c = (c & mantissa) | (uint32_t)((1 << (f->ebits - 1)) - (int)roll % 3) << f->mbits;
        return c | (f->ebits > 2 ? sign : 0);
    case SPREAD: /* exponents from a few distant places */
        if (f->ebits < 2)
            return mma_finite(f, s);
        c = (mma_finite(f, s) & mantissa) | (uint32_t)(roll / 4 * ((1u << f->ebits) / 4))
                                                << f->mbits;
        return mma_special(f, c) ? 0 : c | sign;
    case LARGEST:
        c = mma_largest(f);
        if (!has_sign)
            return (roll < 12 ? c : mma_negated(f, c) + (roll < 14)) & ((1u << f->bits) - 1);
        return (roll < 12 ? c : c - (uint32_t)roll % 3) | (roll < 4 ? sign : 0);
    case SMALLEST:
        if (!has_sign)
            return roll < 4 ? 0 : (uint32_t)roll % 3 + (roll < 8 ? 0 : (uint32_t)f->bias);
        return (roll < 4 ? 0 : (uint32_t)roll & (mantissa | 1u << f->mbits)) %
                   (1u << (f->bits - 1)) |
               sign;
    case WITH_SPECIALS:
        c = mma_first_special(f);
        if (f->ebits > 0 && f->specials != TSR_SPECIALS_NONE && roll < 2)
            return c + (roll == 0 && f->specials == TSR_SPECIALS_IEEE) + sign;
        return roll == 3 && has_sign ? sign : mma_finite(f, s);
    default:
        return mma_finite(f, s);
    }
}

static inline uint32_t mma_draw_scale(const struct tsr_format *f, enum draw_scale how,
                                      uint32_t base, uint64_t *s)
{
    static const uint32_t edges[][8] = {{0, 1, 253, 254, 127, 2, 200, 60},
                                        {0, 1, 0x81, 7, 0x7E, 0xFE, 0x80, 8},
                                        {0, 1, 0x8001, 0x3FF, 0x7BFF, 0xFBFF, 0x8000, 0xC400}};
    bool f16 = f->family == TSR_FAMILY_GGUF, e4m3 = f->family == TSR_FAMILY_NVF;
    uint32_t nan = f16 ? 0x7C00u + 0x8000u * (base & 1) + (base / 2 & 1) : e4m3 ? 0x7F : 0xFF;
    uint32_t any = (uint32_t)tsr_test_random(s) & (f16 ? 0xFFFF : 0xFF);
    uint32_t roll = (uint32_t)tsr_test_random_below(s, 32);
    uint32_t one = f16 ? 0x3C00 : e4m3 ? 0x38 : 127;
    bool broken = f16 ? (any & 0x7C00) == 0x7C00 : e4m3 ? (any & 0x7F) == 0x7F : any == 0xFF;
    switch (how) {
    case SCALES_NEAR:
        return f16    ? one - 0x2000 + (any & 0x83FF) + roll / 3 * 0x400
               : e4m3 ? (any & 0x87) + roll / 3 % 15 * 8
                      : one - 16 + roll;
    case SCALES_ALIKE:
        return f16 ? one + base % 4096 : e4m3 ? one + base % 16 : one - 8 + base % 16;
    case SCALES_EDGE:
        return edges[f16 ? 2 : e4m3 ? 1 : 0][roll % 8];
    case SCALES_BROKEN:
        if (roll < 3)
            return nan;
        return broken ? one : any;
    default:
        return broken ? one : any;
    }
}

/* Fills o with rows x k elements of format f. */
static inline void mma_draw(struct mma_operand *o, const struct tsr_format *f, uint32_t rows,
                            uint32_t k, enum draw how, enum draw_scale scales, bool is_a,
                            uint64_t *s)
{
    uint32_t base = (uint32_t)tsr_test_random(s);
    o->f = f, o->rows = rows, o->k = k;
    o->blocks = mma_has_blocks(f) ? (k + f->block - 1u) / f->block : 1;
    for (uint32_t i = 0; i < rows * o->blocks; i++) {
        bool again = how == CANCEL_GROUP && i % o->blocks % 2 && i % 5;
        o->scale[i] = again ? o->scale[i - 1] : mma_draw_scale(f, scales, base, s);
    }
    for (uint32_t i = 0; i < rows * k; i++) {
        uint32_t l = i % k, back = 0;
        if (how == CANCEL && l % 2 && (is_a || i / k % 3))
            back = 1;
        if (how == CANCEL_GROUP && l / 16 % 2 && tsr_test_random_below(s, 40))
            back = 16;
        o->code[i] = mma_draw_code(f, how, s);
        o->shift[i] = (uint32_t)tsr_test_random_below(s, 2);
        if (back != 0) {
            o->code[i] = is_a ? mma_negated(f, o->code[i - back]) : o->code[i - back];
            o->shift[i] = o->shift[i - back];
        }
        if (l % 2)
            o->shift[i] = o->shift[i - 1];
    }
}

static inline struct slow_operand mma_slow_view(const struct mma_operand *o)
{
    return (struct slow_operand){o->f, o->code, o->shift, o->scale, o->k, o->blocks};
}

static inline void mma_set_code(uint8_t *run, size_t at, uint32_t bits, uint32_t code)
{
    for (uint32_t i = 0; i < bits; i++) {
        size_t bit = at * bits + i;
        uint8_t one = (uint8_t)(1u << bit % 8);
        run[bit / 8] &= (uint8_t)~one;
        run[bit / 8] |= code >> i & 1 ? one : 0;
    }
}

/* Bytes of a row's elements: of smx whole blocks. */
static inline size_t mma_row_bytes(const struct tsr_format *f, uint32_t k)
{
    if (f->family == TSR_FAMILY_SMX)
        return (k + f->block - 1u) / f->block * ((f->block * f->bits + f->block / 2u) / 8u);
    return (k * f->bits + 7u) / 8u;
}

static inline void mma_set_element(const struct mma_operand *o, uint8_t *run, uint32_t at,
                                   uint32_t index)
{
    const struct tsr_format *f = o->f;
    if (f->family != TSR_FAMILY_SMX) {
        mma_set_code(run, at, f->bits, o->code[index]);
        return;
    }
    uint8_t *block = run + at / f->block * ((f->block * f->bits + f->block / 2u) / 8u);
    mma_set_code(block, at % f->block, f->bits, o->code[index]);
    mma_set_code(block + f->block * f->bits / 8u, at % f->block / 2, 1, o->shift[index]);
}

/* Lays o out in memory that ends at a guard page, the rest of it ones: a row's scales before or
 * behind its elements. `strided` wants a format without blocks. */
static inline void mma_lay_out(struct mma_operand *o, bool strided, bool scales_first, uint32_t gap)
{
    const struct tsr_format *f = o->f;
    uint32_t length = strided ? o->rows : o->k, runs = strided ? o->k : o->rows;
    bool blocks = mma_has_blocks(f);
    size_t elements = mma_row_bytes(f, length);
    size_t scales = blocks ? o->blocks * mma_scale_bits(f) / 8u : 0;
    size_t stride = elements + scales + gap, bytes = runs > 0 ? stride * runs - gap : 0;
    assert_true(bytes <= MMA_ROOM);
    if (o->room == NULL)
        o->room = tsr_test_guarded(MMA_ROOM);
    uint8_t *memory = o->room + MMA_ROOM - bytes;
    uint8_t *codes = memory + (scales_first ? scales : 0);
    uint8_t *at_scales = memory + (scales_first ? 0 : elements);
    memset(memory, 0xFF, bytes);
    for (uint32_t i = 0; i < o->rows; i++)
        for (uint32_t l = 0; l < o->k; l++)
            mma_set_element(o, codes + (strided ? l : i) * stride, strided ? i : l, i * o->k + l);
    for (uint32_t i = 0; blocks && i < o->rows * o->blocks; i++)
        mma_set_code(at_scales + i / o->blocks * stride, i % o->blocks, mma_scale_bits(f),
                     o->scale[i]);
    o->memory = (struct tsr_num_operand){.codes = codes,
                                         .stride_bytes = (ptrdiff_t)stride,
                                         .k_strided = strided,
                                         .scales = blocks ? at_scales : NULL,
                                         .scale_stride_bytes = (ptrdiff_t)stride};
}

struct mma_shape {
    uint32_t m, n, k, r;
};

/* Through isa/num; panels stand in memory of exactly their size. */
static inline void mma_fast(const struct tsr_format *fa, const struct tsr_format *fb,
                            struct mma_shape d, const struct tsr_num_operand *a,
                            const struct tsr_num_operand *b, uint32_t *c, size_t stride,
                            bool overwrite)
{
    struct tsr_num_plan plan;
    struct tsr_num_panel pa, pb;
    struct tsr_error e = {0};
    if (tsr_num_plan(fa, fb, d.r, &plan, &e) != TSR_OK)
        fail_msg("%s", e.message);
    size_t na = (tsr_num_panel_bytes(&plan, TSR_NUM_A, d.m, d.k) + 63) / 64 * 64;
    size_t nb = (tsr_num_panel_bytes(&plan, TSR_NUM_B, d.n, d.k) + 63) / 64 * 64;
    void *ma = aligned_alloc(64, na + 64), *mb = aligned_alloc(64, nb + 64);
    memset(ma, 0x01, na); /* what stale memory may hold: a mark of NaN */
    memset(mb, 0x01, nb);
    tsr_num_unpack(&plan, TSR_NUM_A, a, d.m, d.k, ma, &pa);
    tsr_num_unpack(&plan, TSR_NUM_B, b, d.n, d.k, mb, &pb);
    tsr_num_mma(&plan, &pa, &pb, c, stride, overwrite);
    free(ma);
    free(mb);
}

/* An accumulator to start from. */
static inline uint32_t mma_draw_c(bool integer, enum draw how, uint64_t *s)
{
    uint32_t c = (uint32_t)tsr_test_random(s);
    static const uint32_t edges[] = {0x80000000, 0x7F7FFFFF, 0x00800000, 0x807FFFFF, 1, 0xFF7FFFFF};
    if (integer)
        return c;
    if (how == WITH_SPECIALS && c % 8 == 0)
        return c & 8 ? 0xFF800000 : c & 16 ? 0x7F800000 : 0x7F812345;
    if (c % 5 == 0)
        return edges[c / 5 % 6];
    if (how == NEAR_ONE || how == CANCEL || how == CANCEL_GROUP)
        return num_bits(tsr_test_random_f32(s) * 4);
    return (c & 0x7F800000) == 0x7F800000 ? c ^ 0x40000000 : c;
}

/* Both products of a and b as they were drawn and laid out, from the same accumulators. */
static inline void mma_compare(const struct mma_operand *a, const struct mma_operand *b, uint32_t r,
                               enum draw how, const char *what, uint64_t *s)
{
    static uint32_t want[MMA_MAX_ROWS * MMA_MAX_ROWS], got[MMA_MAX_ROWS * (MMA_MAX_ROWS + 3)];
    struct mma_shape d = {a->rows, b->rows, a->k, r};
    size_t stride = d.n + 3;
    bool overwrite = tsr_test_random_below(s, 4) == 0;
    bool integer = a->f->family == TSR_FAMILY_INT;
    memset(got, 0x5A, sizeof got);
    for (uint32_t i = 0; i < d.m * d.n; i++) {
        want[i] = mma_draw_c(integer, how, s);
        got[i / d.n * stride + i % d.n] = want[i];
        want[i] = overwrite ? 0 : want[i];
    }
    struct slow_operand sa = mma_slow_view(a), sb = mma_slow_view(b);
    mma_fast(a->f, b->f, d, &a->memory, &b->memory, got, stride, overwrite);
    slow_mma(&sa, &sb, r, d.m, d.n, want);
    for (uint32_t i = 0; i < d.m * stride; i++) {
        uint32_t x = got[i], column = i % (uint32_t)stride;
        uint32_t y = column < d.n ? want[i / stride * d.n + column] : 0x5A5A5A5A;
        if (x != y)
            fail_msg("%s x %s, %s, m %u n %u k %u r %u: C[%u,%u] = %08x, not %08x", a->f->name,
                     b->f->name, what, d.m, d.n, d.k, r, (unsigned)(i / stride), column, x, y);
    }
}

#endif
